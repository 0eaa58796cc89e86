/* Reading the log: place, steps, waiting; see log.h.
 *
 * A reader knows an address and the tip. What lies at or below the tip is final: the batch at the
 * tip as a whole, and everything in front of it. Bytes behind may still change and never enter the
 * window. Readers take no lock and the writer does not know them; that a segment was dropped shows
 * when it cannot be opened any more.
 *
 * Every batch is checked: both checksums, that it stands where it says, that it follows the batch
 * before it (its `previous` is the checksum of that one's header), that ordinals do not go back.
 *
 * Thread: the reader's owner. */
#include "log/reader.h"

#include <assert.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/mem.h"

enum {
	TAIL_AHEAD = 32 << 10, /* read with the header of the newest batch, then forgotten */
	WALK_AHEAD = 16 << 10, /* the same where only headers are wanted */
};

/* Segments without a tip: somebody took it away, and only a writer can tell what it was. */
static enum rc tell_missing_tip(const char *folder, struct fault *fault)
{
	struct segment_list list;
	enum rc rc = segment_list_load(folder, &list, NULL, fault);
	if (rc != RC_OK)
		return rc;
	if (list.count > 0) {
		(void)fault_set(fault, RC_NOT_FOUND,
			"the log in '%s' has segments, but no file 'tip'", folder);
		fault_hint(fault, "it is made again when the stream is opened for writing");
	}
	segment_list_release(&list);
	return RC_NOT_FOUND;
}

enum rc log_reader_open(const char *folder, struct log_reader **ret_reader, struct fault *fault)
{
	struct tip tip = {0};
	enum rc rc = tip_open_read(folder, &tip, fault);
	if (rc == RC_NOT_FOUND)
		return tell_missing_tip(folder, fault);
	if (rc != RC_OK)
		return rc;
	struct log_reader *reader = mem_new(1, sizeof *reader);
	reader->folder = mem_text(folder);
	reader->tip = tip;
	reader->raw = buf_of(RAW_MAX);
	segment_init(&reader->segment);
	rc = log_seek_oldest(reader, fault);
	if (rc != RC_OK) {
		log_reader_close(reader);
		return rc;
	}
	*ret_reader = reader;
	return RC_OK;
}

void log_reader_close(struct log_reader *reader)
{
	if (!reader)
		return;
	reader_cursor_release(reader);
	segment_release(&reader->segment);
	tip_close(&reader->tip);
	buf_release(&reader->raw);
	mem_free(reader->view.runs);
	mem_free(reader->raw_at);
	mem_free(reader->folder);
	mem_free(reader);
}

void reader_place(struct log_reader *reader, uint64_t address)
{
	reader->at = address;
	reader->is_chained = false;
	reader->least_ordinal = 0;
}

/* ---- from segment to segment ---- */

enum found { FOUND, FOUND_TRIMMED, FOUND_MISSING };

static enum rc find_segment(struct log_reader *reader, uint32_t number,
	struct segment_name *ret_name, enum found *ret_found, struct fault *fault)
{
	struct segment_list list;
	enum rc rc = segment_list_load(reader->folder, &list, NULL, fault);
	if (rc != RC_OK)
		return rc;
	*ret_found = FOUND_MISSING;
	if (list.count > 0 && number < list.at[0].number) {
		*ret_found = FOUND_TRIMMED;
	} else if (list.count > 0 && number - list.at[0].number < list.count) {
		*ret_found = FOUND;
		*ret_name = list.at[number - list.at[0].number];
	}
	segment_list_release(&list);
	return RC_OK;
}

static enum rc open_segment(struct log_reader *reader, uint32_t number, struct fault *fault)
{
	enum rc rc = RC_NOT_FOUND; /* dropped just now: look again */
	for (int i = 0; i < READER_TRIES && rc == RC_NOT_FOUND; i++) {
		struct segment_name name = {0};
		enum found found = FOUND_MISSING;
		rc = find_segment(reader, number, &name, &found, fault);
		if (rc != RC_OK)
			return rc;
		if (found == FOUND_TRIMMED)
			return fault_set(fault, RC_TRIMMED,
				"segment %u of the log in '%s' was dropped by retention", number,
				reader->folder);
		if (found == FOUND_MISSING) {
			rc = fault_set(fault, RC_CORRUPT,
				"'%s': segment %u has acknowledged batches, but is not there",
				reader->folder, number);
			fault_hint(fault, "docs/formats/segment.md, \"damage\", says how to go on");
			return rc;
		}
		rc = segment_open(&reader->segment, reader->folder, &name, fault);
	}
	return rc;
}

/* Makes sure that the segment of the reader's place is open. */
static enum rc enter(struct log_reader *reader, struct fault *fault)
{
	struct segment *segment = &reader->segment;
	uint32_t number = address_segment(reader->at);
	if (segment->name.number != number) {
		enum rc rc = open_segment(reader, number, fault);
		if (rc != RC_OK)
			return rc;
	}
	if (address_offset(reader->at) == 0)
		reader->at = address_of(number, segment->head.head_len);
	if (!reader->is_chained && address_offset(reader->at) == segment->head.head_len) {
		reader->is_chained = true;
		reader->chain = segment->head.previous_crc;
	}
	return RC_OK;
}

/* The segment has ended at the reader's place: goes on with the next one, which says where this one
 * ended and with what. */
static enum rc cross(struct log_reader *reader, uint64_t tip, struct fault *fault)
{
	uint32_t number = address_segment(reader->at);
	uint64_t end = address_offset(reader->at);
	char *path = mem_text(reader->segment.path);
	enum rc rc = RC_OK;
	if (number >= address_segment(tip))
		rc = segment_corrupt(path, end,
			"the file ends in front of batches that were acknowledged", fault);
	if (rc == RC_OK)
		rc = open_segment(reader, number + 1, fault);
	if (rc == RC_OK && reader->segment.head.previous_end != reader->at)
		rc = segment_corrupt(
			path, end, "the file does not end where the next segment says", fault);
	if (rc == RC_OK && reader->is_chained && reader->segment.head.previous_crc != reader->chain)
		rc = segment_corrupt(reader->segment.path, 0,
			"the segment does not follow the one before it", fault);
	mem_free(path);
	if (rc != RC_OK) {
		segment_close(&reader->segment);
		return rc;
	}
	reader->at = address_of(number + 1, reader->segment.head.head_len);
	reader->is_chained = true;
	reader->chain = reader->segment.head.previous_crc;
	return RC_OK;
}

/* ---- steps ---- */

/* Up to where the file may be read ahead, see above. */
static uint64_t final_until(const struct log_reader *reader, uint64_t tip, bool whole)
{
	uint64_t offset = address_offset(reader->at);
	uint64_t until = UINT64_MAX; /* in a sealed segment */
	if (address_segment(tip) == address_segment(reader->at))
		until = reader->at < tip ? address_offset(tip) : offset + TAIL_AHEAD;
	if (!whole && until > offset + WALK_AHEAD)
		until = offset + WALK_AHEAD;
	return until;
}

static enum rc load(struct log_reader *reader, uint64_t tip, bool whole,
	struct segment_batch *ret_batch, struct fault *fault)
{
	struct segment *segment = &reader->segment;
	uint64_t offset = address_offset(reader->at);
	uint64_t until = final_until(reader, tip, whole);
	enum rc rc = whole ? segment_batch_whole(segment, offset, until, ret_batch, fault)
			   : segment_batch_head(segment, offset, until, ret_batch, fault);
	if (rc != RC_OK)
		segment_forget(segment, 0);
	else if (reader->at == tip)
		segment_forget(segment, offset + batch_size(&ret_batch->head));
	return rc;
}

static enum rc check_order(
	const struct log_reader *reader, const struct batch_head *head, struct fault *fault)
{
	const char *why = NULL;
	if (reader->is_chained && head->previous != reader->chain)
		why = "the batch does not follow the one before it";
	else if (head->first_ordinal < reader->least_ordinal)
		why = "the ordinals of the batch go back";
	return why ? segment_corrupt(reader->segment.path, address_offset(reader->at), why, fault)
		   : RC_OK;
}

enum rc reader_step(
	struct log_reader *reader, bool whole, struct segment_batch *ret_batch, struct fault *fault)
{
	uint64_t tip = tip_address(&reader->tip);
	if (tip == 0 || reader->at > tip)
		return RC_END;
	enum rc rc = RC_END;
	while (rc == RC_END) { /* once for each segment, of which all but one are at their end */
		rc = enter(reader, fault);
		if (rc == RC_OK)
			rc = load(reader, tip, whole, ret_batch, fault);
		enum rc crossed = rc == RC_END ? cross(reader, tip, fault) : RC_OK;
		if (crossed != RC_OK)
			return crossed;
	}
	return rc == RC_OK ? check_order(reader, &ret_batch->head, fault) : rc;
}

void reader_advance(struct log_reader *reader, const struct segment_batch *batch)
{
	reader->at += batch_size(&batch->head);
	reader->is_chained = true;
	reader->chain = batch->head.crc;
	reader->least_ordinal = batch->head.first_ordinal + batch->head.count;
}

/* ---- views ---- */

static void make_room(struct log_reader *reader, size_t run_count)
{
	if (run_count <= reader->run_cap)
		return;
	reader->run_cap = run_count;
	reader->view.runs = mem_resize(reader->view.runs, run_count * sizeof *reader->view.runs);
	reader->raw_at = mem_resize(reader->raw_at, run_count * sizeof *reader->raw_at);
}

void reader_view(struct log_reader *reader, const struct segment_batch *batch, bool whole)
{
	const struct batch_head *head = &batch->head;
	size_t run_count = whole ? head->run_count : 0;
	make_room(reader, run_count);
	size_t entries = (size_t)head->run_count * RUN_ENTRY;
	struct log_view *view = &reader->view;
	view->address = head->address;
	view->next_address = head->address + batch_size(head);
	view->first_ordinal = head->first_ordinal;
	view->count = head->count;
	view->stream_time_us = head->stream_time_us;
	view->arrival_us = head->arrival_us;
	view->fingerprint = head->fingerprint;
	view->generation = head->generation;
	view->flags = head->flags;
	view->mark = slice_of(batch->at + BATCH_FIXED + entries, head->mark_len);
	view->run_count = run_count;
	reader->raw_len = 0;
	buf_reset(&reader->raw);
	const uint8_t *body = batch->at + head->header_len;
	for (size_t i = 0; i < run_count; i++) {
		struct run_entry entry;
		run_entry_load(batch->at + BATCH_FIXED + i * RUN_ENTRY, &entry);
		view->runs[i] = (struct log_run_view){
			.shard = entry.shard,
			.codec = (enum log_codec)entry.codec,
			.records = entry.records,
			.first_ordinal = entry.first_ordinal,
			.last_ordinal = entry.last_ordinal,
			.raw_len = entry.raw_len,
			.table = slice_of(body, entry.table_len),
			.stored = slice_of(body + entry.table_len, entry.stored_len),
		};
		body += (size_t)entry.table_len + entry.stored_len;
		reader->raw_at[i] = reader->raw_len;
		if (entry.codec != LOG_PLAIN)
			reader->raw_len += entry.raw_len;
	}
}

enum rc log_read(struct log_reader *reader, struct log_view **ret_view, struct fault *fault)
{
	struct segment_batch batch = {0};
	enum rc rc = reader_step(reader, true, &batch, fault);
	if (rc != RC_OK)
		return rc;
	reader_view(reader, &batch, true);
	reader_advance(reader, &batch);
	*ret_view = &reader->view;
	return RC_OK;
}

/* ---- waiting ---- */

static bool has_more(const struct log_reader *reader)
{
	uint64_t tip = tip_address(&reader->tip);
	return tip != 0 && reader->at <= tip;
}

bool log_wait(struct log_reader *reader, int64_t timeout_us)
{
	enum { SPAN_MAX_US = 10 * 1000 * 1000 };
	int64_t start_us = clock_monotonic_us();
	for (;;) {
		uint32_t seen = tip_changes(&reader->tip);
		if (has_more(reader))
			return true;
		int64_t left_us = timeout_us - (clock_monotonic_us() - start_us);
		if (left_us <= 0)
			return false;
		tip_wait(&reader->tip, seen, left_us < SPAN_MAX_US ? left_us : SPAN_MAX_US);
	}
}
