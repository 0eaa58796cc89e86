/* Modes and back-off of the role; see control.h.
 *
 * Invariant: a kind of error is noticed once, however often it comes back before something was
 * published again.
 *
 * Thread: THREAD_ROLE; mode and until are set by main. */
#include "archive/control.h"

#include "base/clock.h"
#include "base/notice.h"

enum { PAUSE_FIRST_US = 100000, PAUSE_LONGEST_US = 30000000, PAUSE_STEP_US = 50000 };

static bool is_stopped(const struct control *control)
{
	return atomic_load(&control->mode) == CONTROL_STOP;
}

bool control_goes_on(const struct control *control, uint64_t next)
{
	switch ((enum control_mode)atomic_load(&control->mode)) {
	case CONTROL_RUN:
		return true;
	case CONTROL_DRAIN:
		return next < atomic_load(&control->until);
	case CONTROL_STOP:
		break;
	}
	return false;
}

static void tell(struct control *control, enum rc rc, const struct fault *fault)
{
	if (!control->is_told || control->told != rc)
		notice_fault(rc == RC_EXISTS ? NOTICE_ARCHIVE_LOST_RACE : NOTICE_ARCHIVE_FAILED,
			fault, FIELDS(field_text("archive", control->path)));
	control->is_told = true;
	control->told = rc;
	stage_add(control->stage, STAGE_RETRIES, 1);
	stage_say(control->stage, STAGE_WAITING, "trying again: %s", fault->text);
}

/* In short steps, so that a stop is seen. */
static void pause_for(const struct control *control, int64_t pause_us)
{
	int64_t end_us = clock_monotonic_us() + pause_us;
	while (!is_stopped(control)) {
		int64_t left_us = end_us - clock_monotonic_us();
		if (left_us <= 0)
			return;
		clock_sleep_us(left_us < PAUSE_STEP_US ? left_us : PAUSE_STEP_US);
	}
}

bool control_try_again(struct control *control, enum rc rc, const struct fault *fault)
{
	if (rc_class(rc) != RC_RETRY && rc != RC_EXISTS)
		return false;
	if (is_stopped(control))
		return false;
	tell(control, rc, fault);
	if (rc != RC_EXISTS && control->pause_us == 0) /* a lost race is somebody's progress */
		control->pause_us = PAUSE_FIRST_US;
	pause_for(control, control->pause_us);
	control->pause_us = control->pause_us ? 2 * control->pause_us : PAUSE_FIRST_US;
	if (control->pause_us > PAUSE_LONGEST_US)
		control->pause_us = PAUSE_LONGEST_US;
	return !is_stopped(control);
}

void control_progress(struct control *control)
{
	control->pause_us = 0;
	if (control->is_told)
		stage_say(control->stage, STAGE_RUNNING, "archiving to %s", control->path);
	control->is_told = false;
}
