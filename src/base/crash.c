/* Crash points; see crash.h. */
#include "base/crash.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum crash_stage crash_armed = CRASH_COUNT;
static atomic_long left;

bool crash_init(void)
{
	static const char *const names[] = {
#define X(name, text) text,
		CRASH_TABLE(X)
#undef X
	};
	const char *wanted = getenv("MILLSTREAM_CRASH");
	const char *colon = wanted ? strchr(wanted, ':') : NULL;
	if (!wanted)
		return true;
	if (!colon || atol(colon + 1) <= 0)
		return false;
	atomic_store(&left, atol(colon + 1));
	for (int i = 0; i < CRASH_COUNT; i++) {
		if (strlen(names[i]) == (size_t)(colon - wanted) &&
			strncmp(names[i], wanted, (size_t)(colon - wanted)) == 0)
			crash_armed = (enum crash_stage)i;
	}
	return crash_armed != CRASH_COUNT;
}

void crash_count_down(void)
{
	if (atomic_fetch_sub(&left, 1) != 1)
		return;
	(void)kill(getpid(), SIGKILL);
	for (;;)
		(void)pause();
}
