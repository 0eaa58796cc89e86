/* The runs of a batch: inflating them, their record tables, and the records of all of them merged;
 * see log.h.
 *
 * A record table is trusted no further than it can be checked: its keys and lengths must add up to
 * what the run says of itself, else RC_CORRUPT.
 *
 * Merging is a binary heap of the runs by ordinal, then shard. The run that the last record came
 * from moves on at the next call only, since the record's key lies in its cursor.
 *
 * Thread: the reader's owner. */
#include <assert.h>

#include "base/mem.h"
#include "log/reader.h"

/* A run in the merge: its table, and the record that it stands at. */
struct log_cursor_run {
	struct log_table_cursor table;
	const struct log_run_view *run;
	size_t line_at; /* of the next record in the payload */
	struct log_record record;
};

/* ---- inflating ---- */

static enum rc corrupt_run(const struct log_reader *reader, const struct log_run_view *run,
	const char *why, struct fault *fault)
{
	enum rc rc = fault_set(fault, RC_CORRUPT, "the log in '%s', batch at %u:%llu, shard %u: %s",
		reader->folder, address_segment(reader->view.address),
		(unsigned long long)address_offset(reader->view.address), run->shard, why);
	fault_hint(fault,
		"the checksums are right, so these bytes were written like this: please "
		"report it");
	return rc;
}

/* The memory for all compressed runs of the view, taken once, so that slices into it stay. */
static uint8_t *raw_memory(struct log_reader *reader)
{
	enum { RAW_KEEP = 16 << 20 };
	if (reader->raw.len == 0) {
		if (reader->raw.cap > RAW_KEEP && reader->raw_len <= RAW_KEEP)
			buf_shrink(&reader->raw, RAW_KEEP);
		uint8_t *at = buf_reserve(&reader->raw, reader->raw_len);
		assert(at); /* the sum of raw_len was checked with the header */
		reader->raw.len = reader->raw_len;
	}
	return reader->raw.at;
}

enum rc log_run_inflate(struct log_reader *reader, struct log_run_view *run, struct fault *fault)
{
	assert(run >= reader->view.runs && run < reader->view.runs + reader->view.run_count);
	if (run->raw.at)
		return RC_OK;
	if (run->codec == LOG_PLAIN) {
		run->raw = run->stored;
		return RC_OK;
	}
	const struct slice stored = run->stored;
	if (ZSTD_getFrameContentSize(stored.at, stored.len) != run->raw_len ||
		ZSTD_findFrameCompressedSize(stored.at, stored.len) != stored.len)
		return corrupt_run(reader, run,
			"the payload is not one zstd frame of the size that the batch says", fault);
	if (!reader->zstd)
		reader->zstd = ZSTD_createDCtx();
	assert(reader->zstd); /* only lack of memory */
	uint8_t *at = raw_memory(reader) + reader->raw_at[run - reader->view.runs];
	size_t len =
		ZSTD_decompressDCtx(reader->zstd, at, (size_t)run->raw_len, stored.at, stored.len);
	if (ZSTD_isError(len))
		return corrupt_run(reader, run, ZSTD_getErrorName(len), fault);
	if (len != run->raw_len)
		return corrupt_run(reader, run, "the payload inflates to another size", fault);
	run->raw = slice_of(at, len);
	return RC_OK;
}

/* ---- tables ---- */

void log_table_start(struct log_table_cursor *cursor, const struct log_run_view *run)
{
	cursor->rest = reader_of(run->table.at, run->table.len);
	cursor->shard = run->shard;
	cursor->ordinal = run->first_ordinal;
	cursor->last_ordinal = run->last_ordinal;
	cursor->left = run->records;
	cursor->key_len = 0;
}

enum rc log_table_next(struct log_table_cursor *cursor, struct log_record *ret_record)
{
	struct reader *rest = &cursor->rest;
	if (cursor->left == 0)
		return RC_END;
	uint64_t gap = read_varint(rest);
	uint64_t len = read_varint(rest);
	uint64_t shared = read_varint(rest);
	uint64_t own_len = read_varint(rest);
	if (own_len > KEY_MAX || shared > cursor->key_len || shared + own_len > KEY_MAX)
		return RC_CORRUPT;
	const uint8_t *own = read_bytes(rest, own_len);
	if (rest->rc != RC_OK || cursor->ordinal > cursor->last_ordinal ||
		gap > cursor->last_ordinal - cursor->ordinal)
		return RC_CORRUPT;
	if (own_len)
		memcpy(cursor->key + shared, own, own_len);
	cursor->key_len = (size_t)(shared + own_len);
	cursor->left--;
	ret_record->ordinal = cursor->ordinal + gap;
	ret_record->shard = cursor->shard;
	ret_record->key = slice_of(cursor->key, cursor->key_len);
	ret_record->line = slice_of(NULL, (size_t)len);
	cursor->ordinal += gap + 1;
	bool is_right_end = reader_left(rest) == 0 && ret_record->ordinal == cursor->last_ordinal;
	return cursor->left == 0 && !is_right_end ? RC_CORRUPT : RC_OK;
}

/* ---- merging ---- */

static bool goes_first(const struct log_cursor_run *a, const struct log_cursor_run *b)
{
	return a->record.ordinal != b->record.ordinal ? a->record.ordinal < b->record.ordinal
						      : a->record.shard < b->record.shard;
}

/* Restores the heap below `i`. */
static void sink_down(struct log_cursor *cursor, size_t i)
{
	struct log_cursor_run **heap = cursor->heap;
	struct log_cursor_run *run = heap[i];
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= cursor->run_count)
			break;
		if (child + 1 < cursor->run_count && goes_first(heap[child + 1], heap[child]))
			child++;
		if (!goes_first(heap[child], run))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = run;
}

/* Puts the run's next record into it. RC_END behind the last one. */
static enum rc load_record(
	struct log_reader *reader, struct log_cursor_run *run, struct fault *fault)
{
	enum rc rc = log_table_next(&run->table, &run->record);
	if (rc == RC_END && run->line_at == run->run->raw.len)
		return RC_END;
	if (rc != RC_OK || run->record.line.len > run->run->raw.len - run->line_at)
		return corrupt_run(
			reader, run->run, "the record table does not fit to the run", fault);
	run->record.line.at = run->run->raw.at + run->line_at;
	run->line_at += run->record.line.len;
	return RC_OK;
}

static void make_room(struct log_reader *reader, size_t run_count)
{
	if (run_count <= reader->cursor_cap)
		return;
	reader->cursor_cap = run_count;
	reader->cursor_runs =
		mem_resize(reader->cursor_runs, run_count * sizeof *reader->cursor_runs);
	reader->heap = mem_resize(reader->heap, run_count * sizeof(struct log_cursor_run *));
}

void reader_cursor_release(struct log_reader *reader)
{
	mem_free(reader->cursor_runs);
	mem_free(reader->heap);
	(void)ZSTD_freeDCtx(reader->zstd);
}

enum rc log_cursor_start(struct log_cursor *cursor, struct log_reader *reader,
	struct log_view *view, struct fault *fault)
{
	make_room(reader, view->run_count);
	*cursor = (struct log_cursor){
		.reader = reader, .view = view, .runs = reader->cursor_runs, .heap = reader->heap};
	for (size_t i = 0; i < view->run_count; i++) {
		struct log_cursor_run *run = &cursor->runs[i];
		enum rc rc = log_run_inflate(reader, &view->runs[i], fault);
		if (rc != RC_OK)
			return rc;
		run->run = &view->runs[i];
		run->line_at = 0;
		log_table_start(&run->table, run->run);
		rc = load_record(reader, run, fault);
		if (rc != RC_OK)
			return rc;
		cursor->heap[cursor->run_count++] = run;
	}
	for (size_t i = cursor->run_count / 2; i-- > 0;)
		sink_down(cursor, i);
	return RC_OK;
}

/* Moves the first run on to its next record. */
static enum rc move_first(struct log_cursor *cursor, struct fault *fault)
{
	enum rc rc = load_record(cursor->reader, cursor->heap[0], fault);
	if (rc == RC_END)
		cursor->heap[0] = cursor->heap[--cursor->run_count];
	else if (rc != RC_OK)
		return rc;
	if (cursor->run_count > 1)
		sink_down(cursor, 0);
	return RC_OK;
}

enum rc log_cursor_next(
	struct log_cursor *cursor, struct log_record *ret_record, struct fault *fault)
{
	/* the record given last, and its copies in other shards */
	while (cursor->has_given && cursor->run_count > 0 &&
		cursor->heap[0]->record.ordinal == cursor->given) {
		enum rc rc = move_first(cursor, fault);
		if (rc != RC_OK)
			return rc;
	}
	if (cursor->run_count == 0)
		return RC_END;
	*ret_record = cursor->heap[0]->record;
	cursor->given = ret_record->ordinal;
	cursor->has_given = true;
	return RC_OK;
}
