/* A bounded queue between threads. A full queue is the back-pressure.
 *
 * What goes through is an operation: one enum value that draws the arrow, and one pointer whose
 * ownership goes along. Several threads may put and take. Closing wakes everybody: puts are
 * refused, takes go on until it is empty.
 *
 * Thread: any. */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue_op {
	int kind;
	void *item;
};

struct queue {
	pthread_mutex_t mutex;
	pthread_cond_t not_empty, not_full;
	struct queue_op *ops; /* ring of `cap` */
	size_t cap, head, count;
	bool closed;
};

/* `cap` > 0: how many operations it holds. */
void queue_init(struct queue *queue, size_t cap);

/* Frees the ring; what is still in it is the caller's loss. Accepts a zeroed queue. */
void queue_release(struct queue *queue);

/* Waits for room. False when the queue is closed: the item stays the caller's. */
bool queue_put(struct queue *queue, struct queue_op op);

/* Waits for an operation, at most `timeout_us` (negative: for ever). False when there is none. */
bool queue_take(struct queue *queue, int64_t timeout_us, struct queue_op *ret_op);

void queue_close(struct queue *queue);

size_t queue_count(struct queue *queue);

/* A condition variable that waits on the monotonic clock, and the wait on it: false after the
 * time-out. */
void cond_init(pthread_cond_t *cond);
bool cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t timeout_us);

#endif
