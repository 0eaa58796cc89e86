/* Named threads; see thread.h. */
#include "base/thread.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/mem.h"

static _Thread_local enum thread_role current_role = THREAD_MAIN;
static bool assertions = true;

struct start {
	enum thread_role role;
	void (*run)(void *arg);
	void *arg;
};

static int bell = -1; /* rung by threads that end */

static void make_bell(void)
{
	bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

int thread_bell(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void)pthread_once(&once, make_bell);
	return bell;
}

static void ring(void)
{
	(void)eventfd_write(thread_bell(), 1);
}

static void *thread_main(void *arg)
{
	struct start start = *(struct start *)arg;
	mem_free(arg);
	current_role = start.role;
	start.run(start.arg);
	ring();
	return NULL;
}

enum rc thread_start(struct thread *thread, enum thread_role role, const char *name,
	void (*run)(void *arg), void *arg, struct fault *fault)
{
	struct start *start = mem_new(1, sizeof *start);
	*start = (struct start){role, run, arg};
	sigset_t all, old;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	errno = pthread_create(&thread->id, NULL, thread_main, start);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (errno != 0) {
		mem_free(start);
		return fault_errno(fault, RC_IO, "cannot start thread '%s'", name);
	}
	char cut[16];
	(void)snprintf(cut, sizeof cut, "%s", name);
	(void)pthread_setname_np(thread->id, cut);
	thread->started = true;
	return RC_OK;
}

void thread_join(struct thread *thread)
{
	if (!thread->started)
		return;
	(void)pthread_join(thread->id, NULL);
	thread->started = false;
}

enum thread_role thread_role(void)
{
	return current_role;
}

void thread_assert(enum thread_role role)
{
	assert(!assertions || current_role == role);
}

void thread_assert_off(void)
{
	assertions = false;
}
