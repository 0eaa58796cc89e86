/* Segment files as one reads them; see segment.h.
 *
 * Reading is by pread into a window: small batches come many to a call, a large one in two. The
 * window never holds bytes that may still change, since the caller says up to where they are final.
 *
 * Thread: any, one owner of each object. */
#include "log/segment.h"

#include <assert.h>
#include <fcntl.h>

#include "base/checksum.h"
#include "base/disk.h"
#include "base/mem.h"
#include "log/log.h"

enum {
	AHEAD = 256 << 10,      /* read at once where more than is needed may be read */
	WINDOW_KEEP = 16 << 20, /* memory that stays after a larger batch */
};

/* ---- which segments there are ---- */

static enum rc take_name(void *context, const char *text, struct fault *fault)
{
	(void)fault;
	struct segment_list *list = context;
	struct segment_name name;
	enum segment_file file;
	if (!segment_name_read(text, &name, &file) || file != SEGMENT_DATA)
		return RC_OK;
	list->at = mem_resize(list->at, (list->count + 1) * sizeof *list->at);
	list->at[list->count++] = name;
	return RC_OK;
}

enum rc segment_list_load(
	const char *folder, struct segment_list *ret_list, bool *ret_has_hole, struct fault *fault)
{
	struct segment_list list = {0};
	enum rc rc = disk_list(folder, take_name, &list, fault);
	if (rc != RC_OK && rc != RC_NOT_FOUND) {
		mem_free(list.at);
		return rc;
	}
	size_t first = list.count ? list.count - 1 : 0;
	while (first > 0 && list.at[first - 1].number + 1 == list.at[first].number)
		first--;
	if (ret_has_hole)
		*ret_has_hole = first > 0;
	list.count -= first;
	if (first > 0)
		memmove(list.at, list.at + first, list.count * sizeof *list.at);
	*ret_list = list;
	return RC_OK;
}

void segment_list_release(struct segment_list *list)
{
	mem_free(list->at);
	*list = (struct segment_list){0};
}

char *segment_path(const char *folder, const struct segment_name *name, enum segment_file file)
{
	char text[NAME_SIZE];
	segment_name_write(name, file, text);
	return mem_format("%s/%s", folder, text);
}

enum rc segment_corrupt(const char *path, uint64_t offset, const char *why, struct fault *fault)
{
	enum rc rc = fault_set(
		fault, RC_CORRUPT, "'%s' at %llu: %s", path, (unsigned long long)offset, why);
	fault_hint(fault,
		"nothing was changed: keep a copy of the folder, check the disk, and go on as "
		"docs/formats/segment.md says under \"damage\"");
	return rc;
}

/* ---- one segment, open for reading ---- */

void segment_init(struct segment *segment)
{
	*segment = (struct segment){.fd = -1, .bytes = buf_of((size_t)LOG_BATCH_MAX + AHEAD)};
}

void segment_close(struct segment *segment)
{
	if (segment->name.number == 0)
		return;
	disk_close(segment->fd);
	mem_free(segment->path);
	segment->fd = -1;
	segment->path = NULL;
	segment->name.number = 0;
	buf_reset(&segment->bytes);
}

void segment_release(struct segment *segment)
{
	segment_close(segment);
	buf_release(&segment->bytes);
}

static enum rc read_head(struct segment *segment, struct fault *fault)
{
	uint8_t fixed[SEGMENT_FIXED];
	enum rc rc = disk_read(segment->fd, segment->path, fixed, sizeof fixed, 0, fault);
	if (rc == RC_TRUNCATED)
		return segment_corrupt(segment->path, 0, "the segment's head is cut off", fault);
	if (rc != RC_OK)
		return rc;
	const char *why = NULL;
	rc = segment_head_read(fixed, &segment->head, &why);
	if (rc == RC_UNSUPPORTED)
		return fault_set(fault, rc, "'%s': %s", segment->path, why);
	if (rc != RC_OK)
		return segment_corrupt(segment->path, 0, why, fault);
	if (segment->head.number != segment->name.number ||
		segment->head.first_ordinal != segment->name.first_ordinal)
		return segment_corrupt(
			segment->path, 0, "the segment's head belongs to another file name", fault);
	return RC_OK;
}

enum rc segment_open(struct segment *segment, const char *folder, const struct segment_name *name,
	struct fault *fault)
{
	segment_close(segment);
	char *path = segment_path(folder, name, SEGMENT_DATA);
	enum rc rc = disk_open(path, O_RDONLY, &segment->fd, fault);
	if (rc != RC_OK) {
		mem_free(path);
		return rc;
	}
	segment->name = *name;
	segment->path = path;
	rc = read_head(segment, fault);
	if (rc != RC_OK)
		segment_close(segment);
	return rc;
}

enum rc segment_owner(struct segment *segment, struct slice *ret_owner, struct fault *fault)
{
	const struct segment_head *head = &segment->head;
	struct segment_span span = {.offset = SEGMENT_FIXED,
		.limit = head->head_len,
		.len = head->head_len - (size_t)SEGMENT_FIXED};
	const uint8_t *at = NULL;
	enum rc rc = segment_load(segment, &span, &at, fault);
	if (rc == RC_END || rc == RC_TRUNCATED)
		return segment_corrupt(segment->path, 0, "the segment's head is cut off", fault);
	if (rc != RC_OK)
		return rc;
	if (!segment_owner_check(head, at))
		return segment_corrupt(segment->path, SEGMENT_FIXED,
			"the checksum of the owner's part of the head is wrong", fault);
	*ret_owner = slice_of(at, head->owner_len);
	return RC_OK;
}

/* Moves what the window has from `offset` on to its front. */
static void slide(struct segment *segment, const struct segment_span *span)
{
	struct buf *bytes = &segment->bytes;
	uint64_t end = segment->bytes_at + bytes->len;
	if (span->offset >= segment->bytes_at && span->offset < end) {
		size_t skip = (size_t)(span->offset - segment->bytes_at);
		memmove(bytes->at, bytes->at + skip, bytes->len - skip);
		bytes->len -= skip;
	} else {
		buf_reset(bytes);
	}
	segment->bytes_at = span->offset;
	if (bytes->cap > WINDOW_KEEP && span->len <= WINDOW_KEEP && bytes->len == 0)
		buf_shrink(bytes, WINDOW_KEEP);
}

enum rc segment_load(struct segment *segment, const struct segment_span *span,
	const uint8_t **ret_at, struct fault *fault)
{
	struct buf *bytes = &segment->bytes;
	uint64_t end = segment->bytes_at + bytes->len;
	if (bytes->len == 0 || span->offset < segment->bytes_at || span->offset + span->len > end) {
		slide(segment, span);
		size_t want = span->len > bytes->len ? span->len - bytes->len : 0;
		uint64_t from = span->offset + bytes->len;
		uint64_t ahead = span->limit > from ? span->limit - from : 0;
		if (want < AHEAD && ahead > want)
			want = ahead < AHEAD ? (size_t)ahead : AHEAD;
		uint8_t *at = buf_reserve(bytes, want);
		assert(at); /* callers ask for LOG_BATCH_MAX at the most */
		size_t got = 0;
		enum rc rc =
			disk_read_some(segment->fd, segment->path, at, want, from, &got, fault);
		if (rc != RC_OK)
			return rc;
		bytes->len += got;
		if (bytes->len < span->len)
			return bytes->len == 0 ? RC_END : RC_TRUNCATED;
	}
	*ret_at = bytes->at + (span->offset - segment->bytes_at);
	return RC_OK;
}

void segment_forget(struct segment *segment, uint64_t offset)
{
	if (offset < segment->bytes_at)
		buf_reset(&segment->bytes);
	else if (offset < segment->bytes_at + segment->bytes.len)
		segment->bytes.len = (size_t)(offset - segment->bytes_at);
}

enum rc segment_batch_head(struct segment *segment, uint64_t offset, uint64_t limit,
	struct segment_batch *ret_batch, struct fault *fault)
{
	const char *why = "the file ends inside of a batch's header";
	struct segment_span span = {.offset = offset, .limit = limit, .len = BATCH_FIXED};
	struct segment_batch batch = {0};
	enum rc rc = segment_load(segment, &span, &batch.at, fault);
	if (rc == RC_TRUNCATED)
		return segment_corrupt(segment->path, offset, why, fault);
	if (rc != RC_OK)
		return rc;
	const char *wrong = batch_head_peek(batch.at, &batch.head);
	if (wrong)
		return segment_corrupt(segment->path, offset, wrong, fault);
	span.len = batch.head.header_len;
	rc = segment_load(segment, &span, &batch.at, fault);
	if (rc == RC_TRUNCATED)
		return segment_corrupt(segment->path, offset, why, fault);
	if (rc != RC_OK)
		return rc;
	rc = batch_head_check(
		batch.at, &batch.head, address_of(segment->name.number, offset), &why);
	if (rc == RC_UNSUPPORTED)
		return fault_set(fault, rc, "'%s' at %llu: %s", segment->path,
			(unsigned long long)offset, why);
	if (rc != RC_OK)
		return segment_corrupt(segment->path, offset, why, fault);
	*ret_batch = batch;
	return RC_OK;
}

enum rc segment_batch_whole(struct segment *segment, uint64_t offset, uint64_t limit,
	struct segment_batch *ret_batch, struct fault *fault)
{
	enum rc rc = segment_batch_head(segment, offset, limit, ret_batch, fault);
	if (rc != RC_OK)
		return rc;
	struct segment_span span = {
		.offset = offset, .limit = limit, .len = (size_t)batch_size(&ret_batch->head)};
	rc = segment_load(segment, &span, &ret_batch->at, fault);
	if (rc == RC_TRUNCATED)
		return segment_corrupt(
			segment->path, offset, "the file ends inside of the batch", fault);
	if (rc != RC_OK)
		return rc;
	uint32_t crc = checksum_crc32c(
		0, ret_batch->at + ret_batch->head.header_len, ret_batch->head.body_len);
	if (crc != ret_batch->head.body_crc)
		return segment_corrupt(
			segment->path, offset, "the checksum of the batch's body is wrong", fault);
	return RC_OK;
}
