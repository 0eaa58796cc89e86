/* Segment files as one reads them: listing them, their heads, the batches in them. Inside of the
 * room only; readers, recovery and replay all stand on it.
 *
 * Thread: any, one owner of each object. */
#ifndef LOG_SEGMENT_H
#define LOG_SEGMENT_H

#include "log/format.h"

/* ---- which segments there are ---- */

/* Contiguous numbers, ascending. */
struct segment_list {
	struct segment_name *at;
	size_t count;
};

/* Lists a folder. While a writer drops old segments a listing may show a hole: only what lies
 * behind the last hole counts. `ret_has_hole` may be NULL. A folder that is not there is an empty
 * list. */
MUST_USE enum rc segment_list_load(
	const char *folder, struct segment_list *ret_list, bool *ret_has_hole, struct fault *fault);
void segment_list_release(struct segment_list *list); /* accepts a zeroed one */

/* FOLDER/NAME; the caller frees it with mem_free. */
char *segment_path(const char *folder, const struct segment_name *name, enum segment_file file);

/* ---- one segment, open for reading ---- */

struct segment {
	struct segment_name name; /* number 0: none is open */
	struct segment_head head;
	char *path;
	int fd;
	/* a window of the file */
	struct buf bytes;
	uint64_t bytes_at;
};

/* A closed one, to be opened. */
void segment_init(struct segment *segment);

/* Opens, and checks the fixed part of the head against the name. What was open is closed; its
 * memory serves on. RC_NOT_FOUND: it was dropped. */
MUST_USE enum rc segment_open(struct segment *segment, const char *folder,
	const struct segment_name *name, struct fault *fault);

/* Closes the file and keeps the memory; frees all. Both accept a closed one. */
void segment_close(struct segment *segment);
void segment_release(struct segment *segment);

/* The owner's bytes in the head, checked. Valid until the next call. */
MUST_USE enum rc segment_owner(
	struct segment *segment, struct slice *ret_owner, struct fault *fault);

/* `len` bytes at `offset`; with them others up to `limit` (an offset) may be read ahead, so nothing
 * below `limit` may still change. RC_END when the file ends at `offset` or before, RC_TRUNCATED
 * when it ends inside of the bytes. Valid until the next call. */
struct segment_span {
	uint64_t offset, limit;
	size_t len;
};
MUST_USE enum rc segment_load(struct segment *segment, const struct segment_span *span,
	const uint8_t **ret_at, struct fault *fault);

/* Forgets what was read ahead at or behind `offset`. */
void segment_forget(struct segment *segment, uint64_t offset);

/* A batch in the window: `at` its header_len bytes, the body behind it where it was asked for. */
struct segment_batch {
	struct batch_head head;
	const uint8_t *at;
};

/* The batch at `offset`, its header checked. RC_END when the file ends at `offset`; RC_CORRUPT with
 * file and offset. */
MUST_USE enum rc segment_batch_head(struct segment *segment, uint64_t offset, uint64_t limit,
	struct segment_batch *ret_batch, struct fault *fault);

/* The same with its body, checked. */
MUST_USE enum rc segment_batch_whole(struct segment *segment, uint64_t offset, uint64_t limit,
	struct segment_batch *ret_batch, struct fault *fault);

/* RC_CORRUPT at a place of a segment, with the way on. */
enum rc segment_corrupt(const char *path, uint64_t offset, const char *why, struct fault *fault);

#endif
