/* Named threads, and the assertion that says which one a function belongs to.
 *
 * Roles are the few kinds of thread of the house; main is the one that a process starts with. A
 * thread ends by returning from its function; who started it joins it.
 *
 * Thread: any. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "base/rc.h"

enum thread_role {
	THREAD_MAIN,   /* configuration, signals, start and stop */
	THREAD_SOURCE, /* receive, decode, encode: one per source */
	THREAD_LOG,    /* the only writer of a stream: append, sync, acknowledge the group */
	THREAD_WORK,   /* compression */
	THREAD_ROLE,   /* archive: one; sink: one per sink */
	THREAD_NET,    /* HTTP */
};

struct thread {
	pthread_t id;
	bool started;
};

/* Starts `run(arg)` under `name` (shown by top and gdb; cut to 15 bytes). Signals are blocked in
 * it: main has them. */
MUST_USE enum rc thread_start(struct thread *thread, enum thread_role role, const char *name,
	void (*run)(void *arg), void *arg, struct fault *fault);

/* Waits for its end. Does nothing for a thread that was not started. */
void thread_join(struct thread *thread);

/* A descriptor (an eventfd, not blocking, never closed) that becomes readable when a thread has
 * ended; reading it waits for the next one. -1 where there is none: look again from time to time.
 */
int thread_bell(void);

/* The role of the calling thread. */
enum thread_role thread_role(void);

/* Aborts when called from another kind of thread. Unit tests, which have one thread, switch it off.
 */
void thread_assert(enum thread_role role);
void thread_assert_off(void);

#endif
