#include "unit.h"

#include "base/thread.c"

#include <poll.h>

static void return_at_once(void *arg)
{
	*(bool *)arg = true;
}

static void the_bell_rings_when_a_thread_ends(void **state)
{
	(void)state;
	struct pollfd fd = {.fd = thread_bell(), .events = POLLIN};
	assert_int_equal(poll(&fd, 1, 0), 0);
	struct thread thread = {0};
	struct fault fault;
	bool has_run = false;
	assert_rc(thread_start(&thread, THREAD_ROLE, "short", return_at_once, &has_run, &fault));
	assert_int_equal(poll(&fd, 1, 10000), 1);
	thread_join(&thread);
	assert_true(has_run);
	uint64_t rings = 0;
	assert_int_equal(read(fd.fd, &rings, sizeof rings), sizeof rings);
	assert_int_equal(rings, 1);
	assert_int_equal(poll(&fd, 1, 0), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_bell_rings_when_a_thread_ends),
};
UNIT_MAIN(tests)
