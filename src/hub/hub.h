/* Streams: shards, sequence numbers, iterators, consumers with checkpoints, retention.
 *
 * Backends stand behind one vtable (hub/backend.h): local, on the durable log; null, which drops
 * everything, to measure. What a consumer sees is the same on each: batches of records in order.
 *
 * A captured stream has one appender, its capture. The position in the source that a batch ends at
 * lies in the batch itself: the stream is its own checkpoint (law 2).
 *
 * Threads: appending is the appender's (THREAD_SOURCE); the local backend has a log thread and a
 * work thread of its own. Readers: any, one thread each. Checkpoints and hub_archived: any. */
#ifndef HUB_HUB_H
#define HUB_HUB_H

#include <stdatomic.h>

#include "event/event.h"
#include "log/log.h"

struct stage;

/* ---- opening ---- */

struct hub_options {
	const char *data; /* data folder: streams live in DATA/streams/NAME */
	const char *name; /* of the stream */
	bool null;        /* the null backend */
	uint32_t shards; /* of a new stream; another number than an existing stream has is RC_CONFIG
			  */
	enum log_codec codec;
	int level;
	size_t batch_size; /* bytes of payload at which a batch is full */
	size_t line_max;   /* of one record */
	uint64_t segment_size;
	int64_t retention_us;
	uint64_t retention_size; /* 0: no limit */
	bool archived;           /* retention waits for hub_archived */
	struct stage *stage;     /* what the log thread counts into */
};

struct hub;

/* Opens or makes the stream, recovers it, takes its lock (RC_LOCKED) and starts its threads. */
MUST_USE enum rc hub_open(
	const struct hub_options *options, struct hub **ret_hub, struct fault *fault);

/* Finishes what was committed, stops the threads, closes. Accepts NULL. */
void hub_close(struct hub *hub);

/* Where the stream stands: what the appender resumes from. */
struct hub_state {
	bool is_new; /* nothing was ever appended */
	uint64_t next_ordinal;
	int64_t stream_time_us;
	uint64_t fingerprint, generation;
	struct event_position position; /* zeroed for a new stream */
	struct gtid_set
		*gtids; /* all that is in, as a whole; NULL for a new stream; owned by the hub */
};
/* Before the first hub_batch_begin. Valid until then. */
const struct hub_state *hub_state(const struct hub *hub);

/* The schema records (op s lines with columns) in force at the end of the stream: calls `each` with
 * every one. Before the first hub_batch_begin. */
MUST_USE enum rc hub_schemas(const struct hub *hub,
	enum rc (*each)(void *context, struct slice line, struct fault *fault), void *context,
	struct fault *fault);

uint32_t hub_shards(const struct hub *hub);

/* ---- appending: THREAD_SOURCE ---- */

/* An empty batch to fill with log_batch_run, log_run_reserve and log_run_add. Waits while all are
 * in flight: the back-pressure; also while the disk is full or retention is held (the stage says
 * so). NULL when the hub has failed (hub_failed) or `stop` became true. */
struct log_batch *hub_batch_begin(struct hub *hub, const atomic_bool *stop);

/* What the batch ends at. `gtids` is what it adds to the set ("" for nothing), in the server's text
 * form. */
struct hub_mark {
	uint64_t first_ordinal, count;
	int64_t stream_time_us;
	uint64_t fingerprint, generation;
	struct slice controls; /* its control lines once more, behind each other; mostly empty */
	const struct event_position *position;
	enum gtid_flavor flavor;
	struct slice gtids;
};

/* Hands the batch over; it comes back to hub_batch_begin when it is durable. Acknowledgement is by
 * hub_acknowledged. */
MUST_USE enum rc hub_batch_commit(
	struct hub *hub, struct log_batch *batch, const struct hub_mark *mark, struct fault *fault);

/* Whether the log thread has nothing to do: then a small batch is better sent now than filled
 * further. */
bool hub_is_idle(const struct hub *hub);

/* The ordinal below which everything is durable. Any thread. */
uint64_t hub_acknowledged(const struct hub *hub);

/* Waits until all that was committed is durable, or the hub has failed. */
MUST_USE enum rc hub_flush(struct hub *hub, struct fault *fault);

/* RC_OK, or why the hub takes nothing any more. Any thread. */
enum rc hub_failed(const struct hub *hub, struct fault *fault);

/* ---- sequence numbers ---- */

enum { HUB_SEQUENCE_MAX = 57 }; /* decimal digits and a NUL */

/* AWS's layout (facts: 47 hex digits, written as decimal): the ordinal in the 16-digit field, the
 * arrival second, the shard. */
void hub_sequence_text(uint32_t shard, int64_t created_s, uint64_t ordinal, int64_t arrival_s,
	char ret_text[HUB_SEQUENCE_MAX]);
/* RC_USAGE when the text is not one of ours. */
MUST_USE enum rc hub_sequence_read(
	const char *text, uint32_t *ret_shard, int64_t *ret_created_s, uint64_t *ret_ordinal);

/* The partition key's place: MD5 as a 128-bit number, cut evenly into shards as Kinesis does. */
uint32_t hub_shard_of_key(struct slice key, uint32_t shards);

/* Second in which the stream was made: part of its sequence numbers. */
int64_t hub_created_s(const struct hub *hub);

/* ---- reading ---- */

enum hub_from {
	HUB_OLDEST,
	HUB_LATEST,
	HUB_AT_ORDINAL,
	HUB_AT_SEQUENCE,
	HUB_AFTER_SEQUENCE,
	HUB_AT_TIME
};

struct hub_start {
	enum hub_from from;
	uint64_t ordinal;     /* HUB_AT_ORDINAL */
	const char *sequence; /* HUB_AT_SEQUENCE, HUB_AFTER_SEQUENCE */
	int64_t time_us;      /* HUB_AT_TIME: arrival */
};

struct hub_reader;

/* Opens a stream for reading by the path of its folder (hub_folder), in this process or another.
 * RC_NOT_FOUND: no such stream. RC_TRIMMED: the start is no longer in it. */
MUST_USE enum rc hub_reader_open(const char *folder, const struct hub_start *start,
	struct hub_reader **ret_reader, struct fault *fault);
void hub_reader_close(struct hub_reader *reader); /* accepts NULL */

/* The next batch, waiting for one up to `timeout_us`. RC_TIMEOUT when there is none; RC_TRIMMED,
 * RC_CORRUPT as log_read. Records before the start (the start may lie inside a batch) are the
 * caller's to drop: hub_reader_from. */
MUST_USE enum rc hub_read(struct hub_reader *reader, int64_t timeout_us, struct log_view **ret_view,
	struct fault *fault);

/* For log_cursor_start and log_run_inflate on the last view. */
struct log_reader *hub_reader_log(struct hub_reader *reader);

/* First ordinal that the start asked for. */
uint64_t hub_reader_from(const struct hub_reader *reader);

/* Meta data of a stream, from its folder. */
struct hub_meta {
	char name[129];
	uint32_t shards;
	int64_t created_us;
};
MUST_USE enum rc hub_meta_read(const char *folder, struct hub_meta *ret_meta, struct fault *fault);

/* DATA/streams/NAME; the caller frees it with mem_free. */
char *hub_folder(const char *data, const char *name);

/* ---- consumers ---- */

/* A named consumer's durable checkpoint: the next ordinal it wants; one number for all shards.
 * RC_NOT_FOUND: it has none yet. */
MUST_USE enum rc hub_checkpoint_load(
	const char *folder, const char *consumer, uint64_t *ret_next, struct fault *fault);
/* Durable when it returns. */
MUST_USE enum rc hub_checkpoint_save(
	const char *folder, const char *consumer, uint64_t next, struct fault *fault);
/* Calls `each` for every consumer. */
MUST_USE enum rc hub_checkpoint_list(const char *folder,
	enum rc (*each)(void *context, const char *consumer, uint64_t next, struct fault *fault),
	void *context, struct fault *fault);

/* The archive has everything below `next`: retention may drop it. Any thread. */
void hub_archived(struct hub *hub, uint64_t next);

/* Whether the stream is above its size limit and the appender waits for hub_archived: then the
 * archive publishes what it has, however little. Any thread. */
bool hub_is_held(const struct hub *hub);

#endif
