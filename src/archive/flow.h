/* The inside of the role: its state between two starts, shared by flow.c (reading, closing, going
 * on where the archive ends) and shard.c (the open object of a shard).
 *
 * Everything here can be dropped at any time, and is, when a race is lost or staged bytes cannot be
 * trusted: flow_run begins again from what the store says.
 *
 * Thread: THREAD_ROLE. */
#ifndef ARCHIVE_FLOW_H
#define ARCHIVE_FLOW_H

#include "archive/archive.h"
#include "archive/control.h"
#include "archive/pack.h"

/* All gathered lines together, over all shards. */
enum { FLOW_GATHER_MAX = 4 << 20 };

struct shard {
	uint32_t number;
	bool has_last;
	uint64_t last; /* ordinal up to which it is archived */

	/* The open object; object.count == 0: none. The stage comes with its first frame. */
	struct past_object object;
	struct store_stage *stage;
	struct buf gather; /* lines that come behind what is staged */
	int64_t since_us;  /* monotonic: when its first event came */
};

struct flow {
	const struct archive_options *options;
	struct control *control;
	struct store *store;
	struct pack *pack;
	struct buf table; /* name of the table that a key named last */

	struct hub_reader *reader;
	int64_t created_us; /* of the stream */
	struct shard *shards;
	uint32_t shard_count;
	size_t gathered; /* memory of all gather buffers */
	int64_t hour_us; /* of the open objects */
	uint64_t next;   /* ordinal behind the last batch read */
};

/* Reads and archives until the role is stopped or drained, or an error comes; publishes what is
 * open in the first case. RC_EXISTS: a race was lost. In each case flow_drop follows. */
MUST_USE enum rc flow_run(struct flow *flow, struct fault *fault);
void flow_drop(struct flow *flow);

/* Whether everything of the run is archived, or in the open object. */
bool shard_has(const struct shard *shard, const struct log_run_view *run);

/* Takes the part of a run that the shard does not have yet into its open object. */
MUST_USE enum rc shard_take(struct flow *flow, struct shard *shard, const struct log_view *view,
	struct log_run_view *run, struct fault *fault);

/* Writes all that is gathered behind the staged bytes. */
MUST_USE enum rc shard_flush(struct flow *flow, struct shard *shard, struct fault *fault);

/* Publishes the open object; `complete` as in its metadata. RC_EXISTS: somebody else has. */
MUST_USE enum rc shard_publish(
	struct flow *flow, struct shard *shard, uint64_t complete, struct fault *fault);

/* Drops the open object. */
void shard_drop(struct flow *flow, struct shard *shard);

#endif
