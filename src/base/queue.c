/* A bounded queue between threads; see queue.h. */
#include "base/queue.h"

#include <assert.h>
#include <time.h>

#include "base/mem.h"

void cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attributes;
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(cond, &attributes);
	(void)pthread_condattr_destroy(&attributes);
}

bool cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t timeout_us)
{
	if (timeout_us < 0)
		return pthread_cond_wait(cond, mutex) == 0;
	struct timespec until;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	int64_t nanos = until.tv_nsec + timeout_us % 1000000 * 1000;
	until.tv_sec += timeout_us / 1000000 + nanos / 1000000000;
	until.tv_nsec = nanos % 1000000000;
	return pthread_cond_timedwait(cond, mutex, &until) == 0;
}

void queue_init(struct queue *queue, size_t cap)
{
	assert(cap > 0);
	*queue = (struct queue){.cap = cap, .ops = mem_new(cap, sizeof *queue->ops)};
	(void)pthread_mutex_init(&queue->mutex, NULL);
	cond_init(&queue->not_empty);
	cond_init(&queue->not_full);
}

void queue_release(struct queue *queue)
{
	if (!queue->ops)
		return;
	(void)pthread_mutex_destroy(&queue->mutex);
	(void)pthread_cond_destroy(&queue->not_empty);
	(void)pthread_cond_destroy(&queue->not_full);
	mem_free(queue->ops);
	*queue = (struct queue){0};
}

bool queue_put(struct queue *queue, struct queue_op op)
{
	(void)pthread_mutex_lock(&queue->mutex);
	while (queue->count == queue->cap && !queue->closed)
		(void)pthread_cond_wait(&queue->not_full, &queue->mutex);
	bool open = !queue->closed;
	if (open) {
		queue->ops[(queue->head + queue->count++) % queue->cap] = op;
		(void)pthread_cond_signal(&queue->not_empty);
	}
	(void)pthread_mutex_unlock(&queue->mutex);
	return open;
}

bool queue_take(struct queue *queue, int64_t timeout_us, struct queue_op *ret_op)
{
	(void)pthread_mutex_lock(&queue->mutex);
	bool in_time = true;
	while (queue->count == 0 && !queue->closed && in_time)
		in_time = cond_wait(&queue->not_empty, &queue->mutex, timeout_us);
	bool taken = queue->count > 0;
	if (taken) {
		*ret_op = queue->ops[queue->head];
		queue->head = (queue->head + 1) % queue->cap;
		queue->count--;
		(void)pthread_cond_signal(&queue->not_full);
	}
	(void)pthread_mutex_unlock(&queue->mutex);
	return taken;
}

void queue_close(struct queue *queue)
{
	(void)pthread_mutex_lock(&queue->mutex);
	queue->closed = true;
	(void)pthread_cond_broadcast(&queue->not_empty);
	(void)pthread_cond_broadcast(&queue->not_full);
	(void)pthread_mutex_unlock(&queue->mutex);
}

size_t queue_count(struct queue *queue)
{
	(void)pthread_mutex_lock(&queue->mutex);
	size_t count = queue->count;
	(void)pthread_mutex_unlock(&queue->mutex);
	return count;
}
