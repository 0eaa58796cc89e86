/* The inside of the engine, shared by engine.c (thread, stream, door) and deliver.c (tries, pauses,
 * dead letters, checkpoints).
 *
 * Thread: fields under `shared` have the lock or are atomic; everything else is the sink's own. */
#ifndef SINKS_ENGINE_H
#define SINKS_ENGINE_H

#include "base/thread.h"
#include "sinks/batch.h"
#include "sinks/sink.h"
#include "sinks/tables.h"

struct sink {
	char *name, *folder, *data, *consumer;
	const struct settings *settings;
	const struct sink_ops *ops;
	struct stage *stage;
	struct thread thread;
	bool stop_at_refused; /* dead_letters: stop */

	/* shared */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool opened, ended; /* under the mutex */
	struct fault fault; /* under the mutex: why it ended, or RC_OK */
	atomic_bool stop;
	_Atomic uint64_t until; /* of sink_drain; UINT64_MAX: none */
	_Atomic uint64_t next;  /* everything below it is durably delivered or put aside */

	/* the thread's own */
	struct hub_meta meta;
	void *target;
	struct letters *letters;
	struct tables tables;
	struct feed feed;
	struct batch batch;
	struct buf control; /* a control record's line */
	struct event_view control_view;
	bool has_checkpoint;
	int64_t committed_us; /* monotonic time of the last commit */

	/* trouble */
	int64_t delay_us; /* of the next pause; 0: all is well */
	int64_t told_us;  /* when trouble was last noticed */
	char told[FAULT_TEXT_MAX];
	uint64_t random;
};

/* Delivers the batch and moves the checkpoint to `next`, however many tries it takes. RC_STOPPED,
 * or what only somebody else can mend. An empty batch moves the checkpoint. */
MUST_USE enum rc deliver_batch(struct sink *sink, uint64_t next, struct fault *fault);

/* The same with the control record in sink->control_view. */
MUST_USE enum rc deliver_control(struct sink *sink, uint64_t next, struct fault *fault);

/* After an error of the class retry: tells, waits, longer each time, at least `least_us`. RC_OK to
 * try again, RC_STOPPED. */
MUST_USE enum rc deliver_pause(struct sink *sink, const struct fault *why, int64_t least_us);

/* All is well again. */
void deliver_recovered(struct sink *sink);

#endif
