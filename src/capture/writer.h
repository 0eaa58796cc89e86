/* The open batch: where lines go, and when they are handed to the hub.
 *
 * Invariants:
 *  1. `next_ordinal` is the ordinal of the next line; ordinals are handed out without gaps.
 *  2. A batch is committed with the position that stands behind its last line: at the end of a
 * transaction, or inside one with the number of its rows that are in.
 *  3. All lines of a batch belong to one hour of stream time.
 *  4. What was committed will be durable, or the hub fails: `done` is where a new connection
 * resumes, without asking the hub again.
 *
 * Thread: source. */
#ifndef CAPTURE_WRITER_H
#define CAPTURE_WRITER_H

#include "capture/capture.h"

struct writer {
	struct hub *hub;
	const atomic_bool *stop;
	struct stage *stage;
	uint32_t shards;
	size_t batch_size;
	uint64_t fingerprint, generation;
	enum gtid_flavor flavor;

	struct log_batch *batch; /* NULL: none is open */
	uint64_t first_ordinal, next_ordinal;
	int64_t stream_time_us;         /* of the transaction at hand */
	int64_t committed_us;           /* monotonic, of the last commit */
	struct event_position position; /* behind the last line */
	bool moved;                     /* `position` is not that of the last commit */
	struct gtid_set *added; /* GTIDs of the transactions that ended since the last commit; NULL
				   without */
	struct buf gtids, controls, key;
	uint64_t skipped;

	struct { /* as of the last commit */
		struct event_position position;
		struct gtid_set *gtids; /* NULL: the source's are not known */
		uint64_t next_ordinal;
		int64_t stream_time_us;
	} done;
};

/* Takes over where the hub's state is; `next_ordinal` may be moved by the caller before the first
 * line. */
void writer_init(
	struct writer *writer, const struct capture_options *options, const atomic_bool *stop);
void writer_release(struct writer *writer);

/* The set that a new stream starts from (GTID_NONE: it goes by file and position). Before the first
 * line. */
void writer_set_gtids(struct writer *writer, enum gtid_flavor flavor, struct slice text);

/* A new stream begins at a place of the source (empty file: known only with the first event):
 * commits that. */
MUST_USE enum rc writer_start(
	struct writer *writer, const char *file, uint64_t pos, struct fault *fault);

/* Drops what was not committed: after a lost connection. */
void writer_abandon(struct writer *writer);

/* A transaction that the source dates `ts_us` begins. Commits first when it belongs to another
 * hour. */
MUST_USE enum rc writer_begin(struct writer *writer, int64_t ts_us, struct fault *fault);

/* The run for a partition key, in the open batch (which is opened). RC_STOPPED. */
MUST_USE enum rc writer_run(
	struct writer *writer, struct slice key, struct log_run **ret_run, struct fault *fault);

/* Writes a control line into every shard, with the next ordinal (control->ordinal is filled in). */
MUST_USE enum rc writer_control(struct writer *writer, struct event_control *control,
	const struct event_origin *origin, struct fault *fault);

/* A transaction is over: `position` is behind it, `gtid` (may be empty) is in. */
MUST_USE enum rc writer_end(struct writer *writer, const char *file, uint64_t pos, const char *gtid,
	struct fault *fault);

bool writer_has_lines(const struct writer *writer);
bool writer_is_full(const struct writer *writer);

/* Hands the open batch to the hub (an empty one too, when the position moved). */
MUST_USE enum rc writer_commit(struct writer *writer, struct fault *fault);

/* Commits a position that moved without lines, not more than once a second. */
MUST_USE enum rc writer_commit_idle(struct writer *writer, struct fault *fault);

#endif
