/* The durable log: batches of records in segment files, one fdatasync for a group of them.
 *
 * This room knows bytes, ordinals, shards and keys; not what a row is, nor what a source position
 * means (an opaque "mark" in each batch). docs/formats/segment.md is the page of its bytes and its
 * examples are golden test data.
 *
 * Promises:
 *  1. A batch is whole or it is not there. What log_sync has acknowledged is there after any crash
 * or power cut.
 *  2. Batches come back in the order they were appended; ordinals never go back.
 *  3. Recovery cuts only what was never acknowledged. If bytes that are known to have been
 * acknowledged do not check out, opening fails with RC_CORRUPT, file and offset: nothing is cut in
 * silence.
 *  4. Readers see acknowledged batches only, in this process or another, and never block the
 * writer.
 *  5. One writer: the folder is locked (RC_LOCKED names the other process).
 *
 * Addresses: where a batch is, segment << 32 | offset; they grow.
 *
 * Threads: log_append, log_sync, log_retain: THREAD_LOG. Batches: their owner. Readers: any, one
 * thread each. */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include "base/buf.h"

/* ---- building a batch ---- */

enum log_codec { LOG_PLAIN = 0, LOG_ZSTD = 1 };

enum {
	LOG_PACK_LEAST = 64 << 10, /* runs of fewer raw bytes stay plain: the archive gathers and
				      compresses them */
	LOG_SHARDS_MAX = 4096,
	LOG_MARK_MAX = 64 << 10,
	LOG_BATCH_MAX = 1 << 30, /* bytes of a stored batch at the most */
};

struct log_batch_options {
	uint32_t shards;
	enum log_codec codec; /* of runs that are not too small */
	int level;            /* of zstd */
	size_t payload_keep;  /* memory that a batch keeps between uses, all runs together: so much
				 for payload, for compressed payload and for record tables each */
	size_t payload_max;   /* raw payload of one batch at the most, bytes */
};

/* A batch being filled: one run per shard, each a record table and a payload. */
struct log_batch;
struct log_run;

struct log_batch *log_batch_new(const struct log_batch_options *options);
void log_batch_free(struct log_batch *batch); /* accepts NULL */

/* Empties it for the next use; gives memory above payload_keep back. */
void log_batch_reset(struct log_batch *batch);

/* The run of a shard (below options.shards). */
struct log_run *log_batch_run(struct log_batch *batch, uint32_t shard);

/* Room for `len` more payload bytes of a run; the caller writes there and calls log_run_add. NULL
 * when payload_max would be passed. Valid until the next call on the run. */
uint8_t *log_run_reserve(struct log_run *run, size_t len);

/* Takes `len` bytes at the reserved place as one record. Ordinals of a run strictly grow; `key` is
 * at most 1024 bytes and copied. */
void log_run_add(struct log_run *run, size_t len, uint64_t ordinal, struct slice key);

/* Raw payload bytes and records in it so far, all runs together. */
size_t log_batch_payload(const struct log_batch *batch);
uint64_t log_batch_records(const struct log_batch *batch);

/* A batch with control records: what the owner looks at when it rebuilds its state. */
enum { LOG_HAS_CONTROL = 1 };

/* What a batch says of itself. */
struct log_stamp {
	uint64_t first_ordinal; /* of the batch; with count 0 the next one to come */
	uint64_t count;         /* ordinals that it covers: first .. first + count - 1 */
	int64_t stream_time_us;
	uint64_t fingerprint, generation;
	uint32_t flags;    /* LOG_HAS_CONTROL */
	struct slice mark; /* source position after it: opaque, at most LOG_MARK_MAX */
};

/* Closes a batch: compresses its runs, lays it out, sums it up. The stamp is copied. RC_LIMIT when
 * it is too large. Thread: its owner (THREAD_WORK for large ones). */
MUST_USE enum rc log_batch_seal(
	struct log_batch *batch, const struct log_stamp *stamp, struct fault *fault);

/* Whether sealing it is cheap because no run will be compressed. */
bool log_batch_is_small(const struct log_batch *batch);

/* Bytes of the sealed batch on disk. */
size_t log_batch_stored(const struct log_batch *batch);

/* ---- writing ---- */

struct log;

struct log_options {
	const char *folder;    /* made when missing; copied */
	uint64_t segment_size; /* of a full-grown segment; the first is 1 MiB and they double. A
				* batch that is larger gets a segment of its own */
	/* Called when a segment begins: appends what its head keeps besides (GTID set, schemas).
	 * Opaque to the log, at most 16 MiB. An error makes log_append fail with it and changes
	 * nothing. */
	enum rc (*write_head)(void *context, struct buf *out, struct fault *fault);
	void *context;
};

/* The end of the log, as recovery found it or the last sync left it. */
struct log_end {
	bool is_empty;         /* no batch was ever written */
	uint64_t next_ordinal; /* 0 for an empty log */
	uint64_t address;      /* where the last batch ends; 0 for an empty log */
	int64_t stream_time_us, arrival_us;
	uint64_t fingerprint, generation;
	struct buf mark;      /* of the last batch */
	uint64_t cut_bytes;   /* of an unacknowledged tail that opening cut off */
	uint64_t cut_batches; /* whole ones among it */
};

/* Opens for writing: locks, recovers, makes an empty log where there is none (its first segment
 * file comes with the first batch). */
MUST_USE enum rc log_open(
	const struct log_options *options, struct log **ret_log, struct fault *fault);

/* Syncs nothing: what was not acknowledged may be lost. Accepts NULL. */
void log_close(struct log *log);

/* Valid until the next log_sync. Before threads start, or on THREAD_LOG. */
const struct log_end *log_end(const struct log *log);

/* Calls `each_head` with the head of the newest segment, then `each_batch` with every batch behind
 * it in order: how the owner rebuilds what it keeps besides. The view has its runs only where flags
 * say LOG_HAS_CONTROL, so that nothing else is read. `reader` serves log_cursor_start. Before the
 * first append. */
struct log_reader;
struct log_view;
MUST_USE enum rc log_replay_last_segment(struct log *log,
	enum rc (*each_head)(void *context, struct slice head, struct fault *fault),
	enum rc (*each_batch)(void *context, struct log_reader *reader, struct log_view *view,
		struct fault *fault),
	void *context, struct fault *fault);

/* Writes a sealed batch behind the last one, and stamps its arrival (our clock, never before the
 * last one's). Rolls to a new segment when it does not fit. Not durable before log_sync. After an
 * error the log takes no further appends (RC_IO; RC_DISK_FULL alone leaves it as it was, so that
 * the same batch can be tried again). */
MUST_USE enum rc log_append(struct log *log, struct log_batch *batch, struct fault *fault);

/* Makes everything appended durable, publishes it to readers and wakes them. After an error nothing
 * more is acknowledged, ever: reopen. */
MUST_USE enum rc log_sync(struct log *log, struct fault *fault);

/* Drops whole segments from the oldest on, never the one with the last acknowledged batch. A
 * segment goes when all of it arrived before `arrived_before_us`, or when the newer ones alone
 * exceed `size_max` bytes (0: no limit); and only if all its ordinals are below `keep_from`. The
 * newest counts with all the space that is allocated for it. */
struct log_retention {
	int64_t arrived_before_us;
	uint64_t size_max;
	uint64_t keep_from; /* ordinal; UINT64_MAX: nothing is held back */
};
struct log_retained {
	uint64_t dropped_segments, dropped_bytes;
	uint64_t bytes;         /* on disk after it */
	uint64_t first_ordinal; /* of the oldest segment that is left */
	bool held;              /* size_max is exceeded, but keep_from holds what would go */
};
MUST_USE enum rc log_retain(struct log *log, const struct log_retention *retention,
	struct log_retained *ret_retained, struct fault *fault);

/* ---- reading ---- */

/* A batch read back. Slices are valid until the next log_read or seek on the same reader. */
struct log_view {
	uint64_t address, next_address;
	uint64_t first_ordinal, count;
	int64_t stream_time_us, arrival_us;
	uint64_t fingerprint, generation;
	uint32_t flags;
	struct slice mark;
	struct log_run_view *runs; /* those with records, by shard */
	size_t run_count;
};

struct log_run_view {
	uint32_t shard;
	enum log_codec codec;
	uint64_t records;
	uint64_t first_ordinal, last_ordinal;
	uint64_t raw_len;    /* payload bytes before compression */
	struct slice table;  /* the record table, for log_cursor */
	struct slice stored; /* the payload as it is on disk: plain bytes or one zstd frame */
	struct slice raw;    /* the payload inflated; empty until log_run_inflate */
};

struct log_record {
	uint64_t ordinal;
	uint32_t shard;
	struct slice key;  /* valid until the cursor moves on */
	struct slice line; /* valid as long as the view */
};

/* Reads the log in `folder`, of this process or another; needs no log_open, and no right to write.
 * Starts at the oldest batch. RC_NOT_FOUND when there is no log. */
MUST_USE enum rc log_reader_open(
	const char *folder, struct log_reader **ret_reader, struct fault *fault);
void log_reader_close(struct log_reader *reader); /* accepts NULL */

/* Go to: the oldest batch; the end (what comes next); the batch that holds `ordinal` or else the
 * first one after it; the first batch that arrived at or after `arrival_us`; an address that a view
 * gave. What lies behind the last batch means the end. RC_TRIMMED when the ordinal or address is no
 * longer in the log; RC_NOT_FOUND for an address behind its end. After an error other than of
 * log_seek_address the place is undefined: seek again. */
MUST_USE enum rc log_seek_oldest(struct log_reader *reader, struct fault *fault);
MUST_USE enum rc log_seek_end(struct log_reader *reader, struct fault *fault);
MUST_USE enum rc log_seek_ordinal(struct log_reader *reader, uint64_t ordinal, struct fault *fault);
MUST_USE enum rc log_seek_arrival(
	struct log_reader *reader, int64_t arrival_us, struct fault *fault);
MUST_USE enum rc log_seek_address(struct log_reader *reader, uint64_t address, struct fault *fault);

/* The next acknowledged batch. RC_END when there is none yet (log_wait); RC_TRIMMED when retention
 * took it; RC_CORRUPT names file and offset. After an error the place is the same: one may read
 * again, or seek. Memory: bounded by the largest batch. */
MUST_USE enum rc log_read(
	struct log_reader *reader, struct log_view **ret_view, struct fault *fault);

/* Waits until there is something behind the reader's place, or `timeout_us` has passed (0: only
 * looks). True when there is. Any process. */
bool log_wait(struct log_reader *reader, int64_t timeout_us);

/* The first and the next ordinal that are in the log now (equal when it is empty), and its bytes on
 * disk. */
MUST_USE enum rc log_bounds(struct log_reader *reader, uint64_t *ret_first, uint64_t *ret_next,
	uint64_t *ret_bytes, struct fault *fault);

/* Fills run->raw (for a plain run: its stored bytes). */
MUST_USE enum rc log_run_inflate(
	struct log_reader *reader, struct log_run_view *run, struct fault *fault);

/* Records of all runs of a view merged by ordinal; one that stands in several shards (a control
 * record) comes once, with the lowest shard. Runs are inflated as needed. Start with
 * log_cursor_start, then log_cursor_next until RC_END. */
struct log_cursor {
	struct log_reader *reader;
	struct log_view *view;
	struct log_cursor_run *runs, **heap; /* owned by the reader: one cursor at a time */
	size_t run_count;                    /* that have more records */
	bool has_given;
	uint64_t given; /* ordinal of the last record */
};
MUST_USE enum rc log_cursor_start(struct log_cursor *cursor, struct log_reader *reader,
	struct log_view *view, struct fault *fault);
MUST_USE enum rc log_cursor_next(
	struct log_cursor *cursor, struct log_record *ret_record, struct fault *fault);

/* Keys and ordinals of one run without inflating it: fills record->ordinal and ->key, line.len but
 * not line.at. */
struct log_table_cursor {
	struct reader rest;
	uint32_t shard;
	uint64_t ordinal, last_ordinal, left; /* ordinal: the least that may come next */
	size_t key_len;
	uint8_t key[1024];
};
void log_table_start(struct log_table_cursor *cursor, const struct log_run_view *run);
MUST_USE enum rc log_table_next(struct log_table_cursor *cursor, struct log_record *ret_record);

#endif
