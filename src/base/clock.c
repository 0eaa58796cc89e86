/* The clocks; see clock.h. */
#include "base/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec now;
	(void)clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t system_wall_us(void)
{
	return read_clock(CLOCK_REALTIME);
}

static int64_t system_monotonic_us(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static void system_sleep_us(int64_t us)
{
	if (us <= 0)
		return;
	struct timespec span = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
	(void)nanosleep(
		&span, NULL); /* shorter after a signal: callers loop on their own condition */
}

static const struct clock_ops system_clock = {system_wall_us, system_monotonic_us, system_sleep_us};
const struct clock_ops *clock_ops = &system_clock;
