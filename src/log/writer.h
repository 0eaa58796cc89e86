/* The inside of the log as its writer has it, shared by log.c (open, append, sync), recover.c,
 * roll.c and retain.c. Inside of the room only.
 *
 * Thread: THREAD_LOG, or before threads start. */
#ifndef LOG_WRITER_H
#define LOG_WRITER_H

#include "log/batch.h"
#include "log/log.h"
#include "log/segment.h"
#include "log/tip.h"

struct log {
	struct log_options options;
	char *folder;
	int lock_fd;
	struct tip tip;
	int64_t born_us; /* 0 before the first segment */

	/* the segments, oldest first; the last one is written to */
	struct log_segment {
		struct segment_name name;
		uint64_t bytes;          /* of its file */
		bool has_arrival;        /* known: */
		int64_t last_arrival_us; /* of the last batch in or before it */
	} * segments;
	size_t segment_count;

	/* the last one, open */
	int fd; /* -1: there is none */
	char *path;
	struct segment_head head;
	uint64_t offset; /* where the next batch goes */
	uint64_t size;   /* of the file: how far it is allocated */
	struct index_entry *entries;
	size_t entry_count;

	/* what is written; end.address is where it ends */
	struct log_end written;
	uint64_t last_batch; /* address, 0: none */
	uint32_t last_crc;   /* of its header */
	bool has_unsynced;   /* in the last segment */

	/* what is acknowledged */
	struct log_end end;
	uint64_t durable; /* address below which everything is synced */
	uint64_t acknowledged_batch;

	bool has_failed;
	struct fault failure;
};

/* Finds out where the log in the folder ends, cuts a torn tail, fills all of the above. The lock is
 * held. */
MUST_USE enum rc log_recover(struct log *log, struct fault *fault);

/* Takes a batch that lies at the end of what is written into what is known of it. */
void log_note_batch(struct log *log, const struct batch_head *head, struct slice mark);

/* What is written becomes what is acknowledged, and the readers learn of it. All of it is synced.
 */
void log_publish(struct log *log);

/* Begins a new segment, with room for a batch of `len` bytes; seals the one before. RC_DISK_FULL
 * leaves the log as it was. */
MUST_USE enum rc log_roll(struct log *log, uint64_t len, struct fault *fault);

/* Adds a segment to the list. */
void log_add_segment(struct log *log, const struct segment_name *name, uint64_t bytes);

/* Notes a batch for the index of the segment, if it is far enough from the last one noted. */
void log_index_batch(struct log *log, const struct batch_head *head);

/* From here on nothing is taken any more. Returns the code to answer with: never one that invites
 * to try again. */
enum rc log_fail(struct log *log, struct fault *fault);

#endif
