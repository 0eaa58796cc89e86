/* The clocks. Nothing else in the tree asks the system for the time, so that tests can set it.
 *
 * Thread: any. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock_ops {
	int64_t (*wall_us)(void);      /* microseconds since 1970, may step */
	int64_t (*monotonic_us)(void); /* never goes back */
	void (*sleep_us)(int64_t us);
};

/* The clock in use; a test replaces it before threads start. */
extern const struct clock_ops *clock_ops;

static inline int64_t clock_wall_us(void)
{
	return clock_ops->wall_us();
}

static inline int64_t clock_monotonic_us(void)
{
	return clock_ops->monotonic_us();
}

static inline void clock_sleep_us(int64_t us)
{
	clock_ops->sleep_us(us);
}

#endif
