/* Finding the end of a log that nobody closed; see log.h and docs/formats/segment.md.
 *
 * A segment is named only when the one before it is complete and durable, so all doubt is in the
 * last one. There the tip is a lower bound of what was acknowledged:
 *
 *   head | batches | batch at the tip | whole batches, in a chain | torn, or zeros
 *        known to be acknowledged     |  ours: kept               |  cut
 *
 * The batch at the tip must be whole. What follows it directly, batch for batch (its own address,
 * the checksum of the header before it, both checksums), was written by us and is kept. The first
 * that is not whole ends the log, unless a batch behind it says that it was durable (`durable` of a
 * header that is in order): then acknowledged bytes are damaged, and nothing is cut.
 *
 * A tip that is missing, foreign, torn or in an older segment (a power cut may bring back an older
 * page) is no bound: the scan starts at the segment's head.
 *
 * What is kept is synced before it is published, and a cut is durable before the first new batch
 * can be: being killed in here changes nothing about what the next recovery finds.
 *
 * Thread: the one that opens, with the lock held. */
#include <assert.h>
#include <fcntl.h>

#include "base/disk.h"
#include "base/mem.h"
#include "log/writer.h"

/* ---- the folder ---- */

struct tidy {
	const char *folder;
	struct segment_list list;
};

/* Files that a kill left behind: segments that never got their name, indexes of dropped segments.
 */
static enum rc remove_left_over(void *context, const char *text, struct fault *fault)
{
	const struct tidy *tidy = context;
	struct segment_name name;
	enum segment_file file;
	if (!segment_name_read(text, &name, &file) || file == SEGMENT_DATA)
		return RC_OK;
	if (file == SEGMENT_INDEX && tidy->list.count > 0 && name.number >= tidy->list.at[0].number)
		return RC_OK;
	char *path = mem_format("%s/%s", tidy->folder, text);
	enum rc rc = disk_unlink(path, fault);
	mem_free(path);
	return rc;
}

static enum rc check_list(
	const struct log *log, const struct segment_list *list, bool has_hole, struct fault *fault)
{
	for (size_t i = 1; i < list->count; i++) {
		if (list->at[i].first_ordinal < list->at[i - 1].first_ordinal)
			has_hole = true;
	}
	if (!has_hole)
		return RC_OK;
	enum rc rc = fault_set(fault, RC_CORRUPT,
		"'%s': a segment is missing among those in front of segment %u", log->folder,
		list->at[list->count - 1].number);
	fault_hint(fault,
		"nothing was changed: docs/formats/segment.md, \"damage\", says how to go "
		"on");
	return rc;
}

static enum rc load_segments(struct log *log, struct fault *fault)
{
	struct tidy tidy = {.folder = log->folder};
	bool has_hole = false;
	enum rc rc = segment_list_load(log->folder, &tidy.list, &has_hole, fault);
	if (rc == RC_OK)
		rc = check_list(log, &tidy.list, has_hole, fault);
	if (rc == RC_OK)
		rc = disk_list(log->folder, remove_left_over, &tidy, fault);
	for (size_t i = 0; i < tidy.list.count && rc == RC_OK; i++) {
		char *path = segment_path(log->folder, &tidy.list.at[i], SEGMENT_DATA);
		uint64_t size = 0;
		rc = disk_size(path, &size, fault);
		log_add_segment(log, &tidy.list.at[i], size);
		mem_free(path);
	}
	segment_list_release(&tidy.list);
	return rc;
}

/* ---- the last segment ---- */

static enum rc tip_without_segment(
	const struct log *log, const struct tip_state *tip, struct fault *fault)
{
	enum rc rc = fault_set(fault, RC_CORRUPT,
		"'%s': segment %u has acknowledged batches, but is not there", log->folder,
		address_segment(tip->address));
	fault_hint(fault,
		"nothing was changed: bring the file back, or go on as docs/formats/segment.md "
		"says "
		"under \"damage\"");
	return rc;
}

/* Whether the file before the last one ends where the last one says. */
static enum rc check_border(const struct log *log, const struct segment *last, struct fault *fault)
{
	uint64_t end = last->head.previous_end;
	if (log->segment_count < 2) {
		bool is_right = (last->name.number == 1) == (end == 0);
		return is_right ? RC_OK
				: segment_corrupt(last->path, 0,
					  "the segment does not say what is before it", fault);
	}
	const struct log_segment *before = &log->segments[log->segment_count - 2];
	if (end == address_of(before->name.number, before->bytes))
		return RC_OK;
	char *path = segment_path(log->folder, &before->name, SEGMENT_DATA);
	enum rc rc = segment_corrupt(
		path, before->bytes, "the file does not end where the next segment says", fault);
	mem_free(path);
	return rc;
}

static enum rc open_last(struct log *log, struct segment *last, struct fault *fault)
{
	const struct log_segment *entry = &log->segments[log->segment_count - 1];
	enum rc rc = segment_open(last, log->folder, &entry->name, fault);
	struct slice owner;
	if (rc == RC_OK)
		rc = segment_owner(last, &owner, fault);
	if (rc == RC_OK)
		rc = check_border(log, last, fault);
	if (rc == RC_OK)
		rc = disk_open(last->path, O_RDWR, &log->fd, fault);
	if (rc != RC_OK)
		return rc;
	log->path = mem_text(last->path);
	log->head = last->head;
	log->born_us = last->head.born_us;
	log->size = entry->bytes;
	log->offset = last->head.head_len;
	log->last_batch = last->head.previous_batch;
	log->last_crc = last->head.previous_crc;
	log->written.next_ordinal = last->head.first_ordinal;
	return RC_OK;
}

/* ---- scanning ---- */

static void note(struct log *log, const struct segment_batch *batch)
{
	size_t entries = (size_t)batch->head.run_count * RUN_ENTRY;
	if (log->durable < batch->head.durable)
		log->durable = batch->head.durable;
	log_note_batch(log, &batch->head,
		slice_of(batch->at + BATCH_FIXED + entries, batch->head.mark_len));
}

/* Takes the batch at the tip, where the tip is a bound: from there the scan goes on. */
static enum rc start_at_tip(
	struct log *log, struct segment *last, const struct tip_state *tip, struct fault *fault)
{
	bool is_ours = tip->is_valid && tip->address != 0 && tip->born_us == log->born_us;
	if (!is_ours || address_segment(tip->address) < last->name.number)
		return RC_OK;
	if (address_segment(tip->address) > last->name.number)
		return tip_without_segment(log, tip, fault);
	uint64_t offset = address_offset(tip->address);
	struct segment_batch batch;
	enum rc rc = segment_batch_whole(last, offset, UINT64_MAX, &batch, fault);
	if (rc == RC_END)
		rc = segment_corrupt(last->path, offset,
			"the file ends in front of a batch that was acknowledged", fault);
	if (rc != RC_OK)
		return rc;
	note(log, &batch);
	log->offset = offset + batch_size(&batch.head);
	log->durable = address_of(last->name.number, log->offset);
	return RC_OK;
}

/* Takes all whole batches in a chain. RC_OK where the file ends with one; RC_CORRUPT with the
 * reason at the first place that is something else. */
static enum rc scan(struct log *log, struct segment *last, struct fault *fault)
{
	for (;;) {
		struct segment_batch batch;
		enum rc rc = segment_batch_whole(last, log->offset, UINT64_MAX, &batch, fault);
		if (rc == RC_END)
			return RC_OK;
		if (rc != RC_OK)
			return rc;
		if (batch.head.previous != log->last_crc ||
			batch.head.first_ordinal < log->written.next_ordinal)
			return segment_corrupt(last->path, log->offset,
				"the batch does not follow the one before it", fault);
		note(log, &batch);
		log->offset += batch_size(&batch.head);
	}
}

enum { TAIL_PAGE = 4096 };

/* What lies behind the place where the scan stopped. */
struct tail {
	uint64_t bytes;   /* up to the last one that is not zero */
	uint64_t batches; /* whole ones */
	uint64_t durable; /* the highest that a header in order names */
};

/* Looks for a batch at `offset`. RC_OK also where there is none. */
static enum rc probe(struct segment *last, uint64_t offset, struct tail *tail, uint64_t *ret_len,
	struct fault *fault)
{
	struct segment_batch batch;
	enum rc rc = segment_batch_head(last, offset, UINT64_MAX, &batch, fault);
	if (rc == RC_CORRUPT)
		return RC_OK;
	if (rc != RC_OK)
		return rc;
	uint64_t durable = batch.head.durable, len = batch_size(&batch.head);
	if (durable > tail->durable)
		tail->durable = durable;
	rc = segment_batch_whole(last, offset, UINT64_MAX, &batch, fault);
	if (rc == RC_CORRUPT)
		return RC_OK;
	if (rc != RC_OK)
		return rc;
	tail->batches++;
	*ret_len = len;
	return RC_OK;
}

static bool is_zero(const uint8_t *at, size_t len)
{
	return at[0] == 0 && memcmp(at, at + 1, len - 1) == 0;
}

/* How much to look at next: page by page over zeros, else in the steps in which batches can begin;
 * a file may end anywhere. */
static uint64_t step_at(uint64_t offset, uint64_t small_until, uint64_t end)
{
	uint64_t left = end - offset;
	if (offset >= small_until && offset % TAIL_PAGE == 0 && left >= TAIL_PAGE)
		return TAIL_PAGE;
	return left < BATCH_ALIGN ? left : BATCH_ALIGN;
}

static enum rc look_at_tail(
	struct segment *last, uint64_t start, uint64_t end, struct tail *tail, struct fault *fault)
{
	assert(start % BATCH_ALIGN == 0);
	uint64_t small_until = start, len;
	for (uint64_t offset = start; offset < end; offset += len) {
		len = step_at(offset, small_until, end);
		struct segment_span span = {
			.offset = offset, .limit = UINT64_MAX, .len = (size_t)len};
		const uint8_t *at = NULL;
		enum rc rc = segment_load(last, &span, &at, fault);
		if (rc == RC_END || rc == RC_TRUNCATED) /* it ends before it should: nothing more */
			return RC_OK;
		if (rc != RC_OK)
			return rc;
		if (is_zero(at, (size_t)len))
			continue;
		if (len == TAIL_PAGE) { /* once more, in small steps */
			small_until = offset + len;
			len = 0;
			continue;
		}
		if (len == BATCH_ALIGN)
			rc = probe(last, offset, tail, &len, fault);
		if (rc != RC_OK)
			return rc;
		tail->bytes = offset + len - start;
	}
	return RC_OK;
}

/* ---- cutting ---- */

/* The space behind the cut is allocated again, as zeros; where there is none, the next batch begins
 * a new segment. Synced with all the rest at the end of recovery. */
static enum rc cut(struct log *log, struct fault *fault)
{
	enum rc rc = disk_truncate(log->fd, log->path, log->offset, fault);
	if (rc != RC_OK)
		return rc;
	rc = disk_allocate(log->fd, log->path, log->offset, log->size - log->offset, fault);
	if (rc == RC_DISK_FULL) {
		rc = disk_truncate(log->fd, log->path, log->offset, fault);
		log->size = log->offset;
		log->segments[log->segment_count - 1].bytes = log->size;
	}
	return rc;
}

static enum rc end_scan(struct log *log, struct segment *last, struct fault *fault)
{
	enum rc rc = scan(log, last, fault);
	if (rc != RC_CORRUPT)
		return rc;
	struct tail tail = {0};
	struct fault other;
	rc = look_at_tail(last, log->offset, log->size, &tail, &other);
	if (rc != RC_OK) {
		if (fault)
			*fault = other;
		return rc;
	}
	if (tail.durable > address_of(last->name.number, log->offset)) {
		fault_context(fault, "acknowledged batches are damaged");
		return RC_CORRUPT;
	}
	log->end.cut_bytes = tail.bytes;
	log->end.cut_batches = tail.batches;
	return RC_OK;
}

/* Writes what is kept once more where nobody knows that it was synced. After a sync that failed,
 * the kernel takes the pages for written, and a later sync would not write them. */
static enum rc write_again(struct log *log, struct fault *fault)
{
	enum { STEP = 1 << 20 };
	uint64_t offset = log->head.head_len;
	if (log->durable > address_of(log->head.number, offset))
		offset = address_offset(log->durable);
	struct buf bytes = buf_of(STEP);
	enum rc rc = RC_OK;
	while (offset < log->offset && rc == RC_OK) {
		uint64_t left = log->offset - offset;
		size_t len = left < STEP ? (size_t)left : STEP;
		uint8_t *at = buf_reserve(&bytes, len);
		struct iovec part = {at, len};
		rc = disk_read(log->fd, log->path, at, len, offset, fault);
		if (rc == RC_OK)
			rc = disk_write(log->fd, log->path, &part, 1, offset, fault);
		offset += len;
	}
	buf_release(&bytes);
	return rc;
}

/* The last segment has no batch: the last one of all is where its head says. */
static enum rc take_previous(struct log *log, const struct segment *last, struct fault *fault)
{
	uint64_t address = last->head.previous_batch;
	if (!log->written.is_empty || address == 0)
		return RC_OK;
	struct segment segment;
	segment_init(&segment);
	struct segment_batch batch;
	enum rc rc = RC_NOT_FOUND;
	for (size_t i = 0; i < log->segment_count && rc == RC_NOT_FOUND; i++) {
		if (log->segments[i].name.number == address_segment(address))
			rc = segment_open(&segment, log->folder, &log->segments[i].name, fault);
	}
	if (rc == RC_OK)
		rc = segment_batch_whole(
			&segment, address_offset(address), UINT64_MAX, &batch, fault);
	if (rc == RC_OK && batch.head.crc == last->head.previous_crc) {
		note(log, &batch);
	} else if (rc == RC_OK || rc == RC_END || rc == RC_NOT_FOUND) {
		rc = segment_corrupt(last->path, 0,
			"the batch that the segment's head names as the last one before it is not "
			"there",
			fault);
	}
	segment_release(&segment);
	return rc;
}

static enum rc recover_last(
	struct log *log, struct segment *last, const struct tip_state *tip, struct fault *fault)
{
	enum rc rc = open_last(log, last, fault);
	if (rc == RC_OK)
		rc = start_at_tip(log, last, tip, fault);
	if (rc == RC_OK)
		rc = end_scan(log, last, fault);
	if (rc == RC_OK)
		rc = take_previous(log, last, fault);
	/* all that can be damage has been looked at: from here on things are changed */
	if (rc == RC_OK && log->end.cut_bytes > 0)
		rc = cut(log, fault);
	if (rc == RC_OK)
		rc = write_again(log, fault);
	if (rc == RC_OK)
		rc = disk_sync(log->fd, log->path, fault);
	if (rc == RC_OK)
		rc = disk_sync_folder(log->folder, fault);
	return rc;
}

enum rc log_recover(struct log *log, struct fault *fault)
{
	struct fault local; /* recovery itself needs the reasons */
	struct tip_state tip;
	struct segment last;
	segment_init(&last);
	enum rc rc = load_segments(log, &local);
	if (rc == RC_OK)
		rc = tip_open(log->folder, &log->tip, &tip, &local);
	if (rc == RC_OK && log->segment_count > 0)
		rc = recover_last(log, &last, &tip, &local);
	else if (rc == RC_OK && tip.is_valid && tip.address != 0)
		rc = tip_without_segment(log, &tip, &local);
	segment_release(&last);
	if (rc == RC_OK)
		log_publish(log);
	else if (fault)
		*fault = local;
	return rc;
}
