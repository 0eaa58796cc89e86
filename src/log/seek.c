/* Finding a place in the log: by ordinal, arrival or address; see log.h.
 *
 * Names of segments give the segment, its index (when it is sealed) a place up to a megabyte too
 * early, headers of batches the rest. An index that is missing or wrong only makes that walk
 * longer: it then starts at the segment's head, as it does in the newest segment, which has no
 * index yet.
 *
 * Retention may take a segment away in the middle of it: then one looks again from the names.
 *
 * Thread: the reader's owner. */
#include "base/disk.h"
#include "base/mem.h"
#include "log/reader.h"

/* The first batch for which this holds is looked for. */
struct goal {
	enum { GOAL_ORDINAL, GOAL_ARRIVAL } kind;
	uint64_t ordinal;   /* the batch ends above it */
	int64_t arrival_us; /* the batch arrived at or after it */
};

static bool is_reached(const struct goal *goal, const struct batch_head *head)
{
	if (goal->kind == GOAL_ORDINAL)
		return head->first_ordinal + head->count > goal->ordinal;
	return head->arrival_us >= goal->arrival_us;
}

/* Whether the first batch that reaches the goal may lie at an entry or behind, so that nothing is
 * missed by starting there. */
static bool may_start(const struct goal *goal, uint64_t first_ordinal, int64_t arrival_us)
{
	if (goal->kind == GOAL_ORDINAL)
		return first_ordinal <= goal->ordinal;
	return arrival_us < goal->arrival_us;
}

/* ---- index ---- */

static size_t load_index(
	const struct segment *segment, const char *folder, struct buf *bytes, uint64_t *ret_end)
{
	enum { INDEX_MAX = 1 << 20 };
	*bytes = buf_of(INDEX_MAX);
	struct fault ignored; /* an index that cannot be read is as good as none */
	if (disk_size(segment->path, ret_end, &ignored) != RC_OK)
		return 0;
	char *path = segment_path(folder, &segment->name, SEGMENT_INDEX);
	enum rc rc = disk_load(path, bytes, &ignored);
	mem_free(path);
	struct index_of of = {segment->head.number, segment->head.crc, *ret_end};
	return rc == RC_OK ? index_check(buf_as_slice(bytes), &of) : 0;
}

/* The offset to start from in the open segment. */
static uint64_t start_offset(struct log_reader *reader, const struct goal *goal)
{
	struct segment *segment = &reader->segment;
	uint64_t start = segment->head.head_len, end = 0;
	struct buf bytes;
	size_t low = 0, high = load_index(segment, reader->folder, &bytes, &end);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct index_entry entry;
		index_entry_load(buf_as_slice(&bytes), middle, &entry);
		if (may_start(goal, entry.first_ordinal, entry.arrival_us)) {
			start = entry.offset;
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	buf_release(&bytes);
	struct segment_batch batch;
	struct fault ignored;
	if (start == segment->head.head_len ||
		(start < end &&
			segment_batch_head(segment, start, start, &batch, &ignored) == RC_OK))
		return start;
	return segment->head.head_len;
}

/* ---- segments ---- */

/* The arrival of the last batch in front of a segment. RC_NOT_FOUND: it was just dropped. */
static enum rc arrival_before(struct log_reader *reader, const struct segment_name *name,
	int64_t *ret_arrival_us, struct fault *fault)
{
	enum rc rc = segment_open(&reader->segment, reader->folder, name, fault);
	if (rc == RC_OK)
		*ret_arrival_us = reader->segment.head.previous_arrival_us;
	return rc;
}

/* The last segment in front of which nothing reaches the goal, by halving. */
static enum rc pick_segment(struct log_reader *reader, const struct segment_list *list,
	const struct goal *goal, size_t *ret_pick, struct fault *fault)
{
	size_t low = 1, high = list->count; /* those below `low` may be started from */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int64_t arrival_us = 0;
		enum rc rc = RC_OK;
		if (goal->kind == GOAL_ARRIVAL)
			rc = arrival_before(reader, &list->at[middle], &arrival_us, fault);
		if (rc != RC_OK)
			return rc;
		if (may_start(goal, list->at[middle].first_ordinal, arrival_us))
			low = middle + 1;
		else
			high = middle;
	}
	*ret_pick = low - 1;
	return RC_OK;
}

static enum rc check_trimmed(struct log_reader *reader, const struct segment_list *list,
	const struct goal *goal, struct fault *fault)
{
	if (goal->kind != GOAL_ORDINAL || list->at[0].number == 1 ||
		goal->ordinal >= list->at[0].first_ordinal)
		return RC_OK;
	return fault_set(fault, RC_TRIMMED,
		"ordinal %llu is no longer in the log in '%s', which begins at %llu",
		(unsigned long long)goal->ordinal, reader->folder,
		(unsigned long long)list->at[0].first_ordinal);
}

/* Goes to where the walk starts. RC_NOT_FOUND: a segment was dropped meanwhile. */
static enum rc go_near(struct log_reader *reader, const struct goal *goal, struct fault *fault)
{
	struct segment_list list;
	enum rc rc = segment_list_load(reader->folder, &list, NULL, fault);
	if (rc != RC_OK)
		return rc;
	if (list.count == 0) {
		reader_place(reader, READER_FIRST);
		return RC_OK;
	}
	size_t pick = 0;
	rc = check_trimmed(reader, &list, goal, fault);
	if (rc == RC_OK)
		rc = pick_segment(reader, &list, goal, &pick, fault);
	if (rc == RC_OK)
		rc = segment_open(&reader->segment, reader->folder, &list.at[pick], fault);
	if (rc == RC_OK)
		reader_place(reader, address_of(list.at[pick].number, start_offset(reader, goal)));
	segment_list_release(&list);
	return rc;
}

static enum rc walk_to(struct log_reader *reader, const struct goal *goal, struct fault *fault)
{
	for (;;) {
		struct segment_batch batch;
		enum rc rc = reader_step(reader, false, &batch, fault);
		if (rc == RC_END) /* what comes next is the first one */
			return RC_OK;
		if (rc != RC_OK || is_reached(goal, &batch.head))
			return rc;
		reader_advance(reader, &batch);
	}
}

static enum rc seek(struct log_reader *reader, const struct goal *goal, struct fault *fault)
{
	enum rc rc = RC_NOT_FOUND;
	for (int i = 0; i < READER_TRIES; i++) {
		rc = go_near(reader, goal, fault);
		if (rc == RC_TRIMMED)
			return rc;
		if (rc == RC_OK)
			rc = walk_to(reader, goal, fault);
		if (rc != RC_NOT_FOUND && rc != RC_TRIMMED)
			return rc;
	}
	return rc;
}

enum rc log_seek_ordinal(struct log_reader *reader, uint64_t ordinal, struct fault *fault)
{
	return seek(reader, &(struct goal){.kind = GOAL_ORDINAL, .ordinal = ordinal}, fault);
}

enum rc log_seek_arrival(struct log_reader *reader, int64_t arrival_us, struct fault *fault)
{
	return seek(reader, &(struct goal){.kind = GOAL_ARRIVAL, .arrival_us = arrival_us}, fault);
}

enum rc log_seek_oldest(struct log_reader *reader, struct fault *fault)
{
	struct segment_list list;
	enum rc rc = segment_list_load(reader->folder, &list, NULL, fault);
	if (rc != RC_OK)
		return rc;
	reader_place(reader, list.count ? address_of(list.at[0].number, 0) : READER_FIRST);
	segment_list_release(&list);
	return RC_OK;
}

enum rc log_seek_end(struct log_reader *reader, struct fault *fault)
{
	enum rc rc = RC_TRIMMED;
	for (int i = 0; i < READER_TRIES && rc == RC_TRIMMED; i++) {
		uint64_t tip = tip_address(&reader->tip);
		reader_place(reader, tip ? tip : READER_FIRST);
		if (tip == 0)
			return RC_OK;
		struct segment_batch batch;
		rc = reader_step(reader, false, &batch, fault);
		if (rc == RC_OK)
			reader_advance(reader, &batch);
	}
	return rc;
}

static enum rc check_address(struct log_reader *reader, uint64_t address, struct fault *fault)
{
	enum rc rc = log_seek_end(reader, fault);
	if (rc != RC_OK)
		return rc;
	unsigned long long offset = address_offset(address);
	if (address > reader->at)
		return fault_set(fault, RC_NOT_FOUND,
			"address %u:%llu lies behind the end of the log in '%s'",
			address_segment(address), offset, reader->folder);
	struct segment_list list;
	rc = segment_list_load(reader->folder, &list, NULL, fault);
	if (rc != RC_OK)
		return rc;
	uint32_t oldest = list.count ? list.at[0].number : 1;
	segment_list_release(&list);
	if (address_segment(address) < oldest)
		return fault_set(fault, RC_TRIMMED,
			"address %u:%llu is no longer in the log in '%s', which begins with "
			"segment %u",
			address_segment(address), offset, reader->folder, oldest);
	return RC_OK;
}

enum rc log_seek_address(struct log_reader *reader, uint64_t address, struct fault *fault)
{
	uint64_t old = reader->at;
	if (address == 0)
		address = READER_FIRST;
	enum rc rc = check_address(reader, address, fault);
	reader_place(reader, rc == RC_OK ? address : old);
	return rc;
}

/* ---- bounds ---- */

static enum rc bytes_of_segments(
	struct log_reader *reader, uint64_t *ret_bytes, struct fault *fault)
{
	struct segment_list list;
	enum rc rc = segment_list_load(reader->folder, &list, NULL, fault);
	if (rc != RC_OK)
		return rc;
	*ret_bytes = 0;
	for (size_t i = 0; i < list.count && rc == RC_OK; i++) {
		char *path = segment_path(reader->folder, &list.at[i], SEGMENT_DATA);
		uint64_t size = 0;
		rc = disk_size(path, &size, fault);
		if (rc == RC_NOT_FOUND) /* dropped meanwhile */
			rc = RC_OK;
		*ret_bytes += size;
		mem_free(path);
	}
	segment_list_release(&list);
	return rc;
}

static enum rc first_and_next(
	struct log_reader *reader, uint64_t *ret_first, uint64_t *ret_next, struct fault *fault)
{
	*ret_first = *ret_next = 0;
	struct segment_batch batch = {0};
	enum rc rc = RC_OK;
	while (rc == RC_OK && batch.head.count == 0) {
		rc = reader_step(reader, false, &batch, fault);
		if (rc == RC_OK)
			reader_advance(reader, &batch);
	}
	if (rc != RC_OK && rc != RC_END)
		return rc;
	*ret_first = batch.head.first_ordinal;
	rc = log_seek_end(reader, fault);
	if (rc == RC_OK && reader->least_ordinal < batch.head.first_ordinal)
		return fault_set(fault, RC_CORRUPT, "the log in '%s' ends in front of its begin",
			reader->folder);
	*ret_next = reader->least_ordinal;
	return rc;
}

/* With a reader of its own, so that the place and the view of this one stay. */
enum rc log_bounds(struct log_reader *reader, uint64_t *ret_first, uint64_t *ret_next,
	uint64_t *ret_bytes, struct fault *fault)
{
	enum rc rc = RC_TRIMMED; /* retention may overtake it */
	for (int i = 0; i < READER_TRIES && rc == RC_TRIMMED; i++) {
		struct log_reader *own = NULL;
		rc = log_reader_open(reader->folder, &own, fault);
		if (rc == RC_OK)
			rc = bytes_of_segments(own, ret_bytes, fault);
		if (rc == RC_OK)
			rc = first_and_next(own, ret_first, ret_next, fault);
		log_reader_close(own);
	}
	return rc;
}
