/* A batch of row changes, copied out of the stream, and what feeds it.
 *
 * Invariant: the arena does not move while something is in the batch, so that items point into it.
 * Hence a line that does not fit behind others waits for the next batch, and the memory is bounded
 * by batch_size and the largest line.
 *
 * Thread: the sink's own. */
#ifndef SINKS_BATCH_H
#define SINKS_BATCH_H

#include "sinks/sink.h"

struct batch {
	struct buf arena;
	struct sink_item *items;
	size_t count, cap;
	size_t count_max, size_max;
};

void batch_init(struct batch *batch, size_t count_max, size_t size_max);
void batch_release(struct batch *batch);

/* Empties it; gives back what one large line took. */
void batch_reset(struct batch *batch);

/* Copies a row change. False when there is no room behind what is in it: never for an empty batch.
 * `view` is of `line`. */
bool batch_add(
	struct batch *batch, struct slice line, struct slice key, const struct event_view *view);

/* Makes all items wait for a try again. */
void batch_retry_all(struct sink_item *items, size_t count);

/* The stream, record by record, across batches of the log. */
struct feed {
	struct hub_reader *reader;
	struct log_view *view;
	struct log_cursor cursor;
	struct log_record record; /* peeked, when has_record */
	bool has_record;
	uint64_t next; /* ordinal of the first event that is not taken */
	int64_t stream_time_us;
};

/* Starts at the ordinal `next` (HUB_AT_ORDINAL), at the oldest event or at the latest. */
MUST_USE enum rc feed_open(struct feed *feed, const char *folder, enum hub_from from, uint64_t next,
	struct fault *fault);
void feed_close(struct feed *feed); /* accepts a zeroed one */

/* The next record, which stays the next one until it is taken; valid until then. RC_TIMEOUT: none
 * came within `timeout_us`. */
MUST_USE enum rc feed_peek(struct feed *feed, int64_t timeout_us,
	const struct log_record **ret_record, struct fault *fault);
void feed_take(struct feed *feed);

#endif
