/* The inside of a reader, shared by the files that make it up: reader.c (place and steps), seek.c,
 * cursor.c (runs and records), replay.c. Inside of the room only.
 *
 * Thread: the reader's owner. */
#ifndef LOG_READER_H
#define LOG_READER_H

#include <zstd.h>

#include "log/log.h"
#include "log/segment.h"
#include "log/tip.h"

struct log_cursor_run;

/* Where the first batch will be that a log ever gets. */
#define READER_FIRST ((uint64_t)1 << 32)

/* How often one looks again when retention took away what was just found. */
enum { READER_TRIES = 16 };

struct log_reader {
	char *folder;
	struct tip tip;
	uint64_t at; /* address of the next batch; offset 0 means the segment's first one */
	struct segment segment; /* the one that `at` lies in, once it was needed */
	/* what the next batch must fit to, once known */
	bool is_chained;
	uint32_t chain;
	uint64_t least_ordinal;
	/* the last view and what its runs were inflated to */
	struct log_view view;
	size_t *raw_at; /* by run: its place in `raw` */
	size_t run_cap; /* of view.runs and raw_at */
	size_t raw_len; /* of all compressed runs of the view */
	struct buf raw;
	ZSTD_DCtx *zstd;
	/* the cursor */
	struct log_cursor_run *cursor_runs;
	struct log_cursor_run **heap;
	size_t cursor_cap;
};

/* Goes to an address, of which nothing else is known. */
void reader_place(struct log_reader *reader, uint64_t address);

/* The acknowledged batch at the reader's place, crossing into the next segment where one ends; the
 * place stays. With `whole` its body is there and checked. RC_END, RC_TRIMMED, RC_CORRUPT. */
MUST_USE enum rc reader_step(struct log_reader *reader, bool whole, struct segment_batch *ret_batch,
	struct fault *fault);

/* Goes behind the batch that reader_step gave. */
void reader_advance(struct log_reader *reader, const struct segment_batch *batch);

/* Fills reader->view from a batch; without `whole` it has no runs. */
void reader_view(struct log_reader *reader, const struct segment_batch *batch, bool whole);

/* Frees what cursor.c keeps in the reader. */
void reader_cursor_release(struct log_reader *reader);

#endif
