/* The bytes of the log's files; see format.h and docs/formats/segment.md. */
#include "log/format.h"

#include <assert.h>
#include <stdio.h>

#include "base/checksum.h"
#include "log/log.h"

static const char segment_magic[8] = {'M', 'S', 'L', 'O', 'G', 'S', 'E', 'G'};
static const char index_magic[8] = {'M', 'S', 'L', 'O', 'G', 'I', 'D', 'X'};
static const char batch_magic[4] = {'M', 'B', 'A', 'T'};

/* ---- names ---- */

static const char *const suffixes[] = {
	[SEGMENT_DATA] = ".seg", [SEGMENT_DATA_NEW] = ".new", [SEGMENT_INDEX] = ".idx"};

enum { NUMBER_DIGITS = 10, ORDINAL_DIGITS = 20 };

void segment_name_write(
	const struct segment_name *name, enum segment_file file, char ret_text[NAME_SIZE])
{
	(void)snprintf(ret_text, NAME_SIZE, "%0*lu-%0*llu%s", NUMBER_DIGITS,
		(unsigned long)name->number, ORDINAL_DIGITS,
		(unsigned long long)name->first_ordinal, suffixes[file]);
}

static bool read_digits(const char **text, int digits, uint64_t *ret_value)
{
	uint64_t value = 0;
	for (int i = 0; i < digits; i++, (*text)++) {
		if (**text < '0' || **text > '9' ||
			__builtin_mul_overflow(value, (uint64_t)10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(**text - '0'), &value))
			return false;
	}
	*ret_value = value;
	return true;
}

bool segment_name_read(const char *text, struct segment_name *ret_name, enum segment_file *ret_file)
{
	uint64_t number = 0, ordinal = 0;
	if (!read_digits(&text, NUMBER_DIGITS, &number) || *text++ != '-' ||
		!read_digits(&text, ORDINAL_DIGITS, &ordinal) || number == 0 || number > UINT32_MAX)
		return false;
	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
		if (strcmp(text, suffixes[i]) != 0)
			continue;
		*ret_name = (struct segment_name){(uint32_t)number, ordinal};
		*ret_file = (enum segment_file)i;
		return true;
	}
	return false;
}

uint64_t segment_room(uint32_t number, uint64_t segment_size)
{
	enum { DOUBLINGS_MAX = 30 };
	assert(number > 0);
	uint32_t doublings = number - 1 < DOUBLINGS_MAX ? number - 1 : DOUBLINGS_MAX;
	uint64_t room = (uint64_t)SEGMENT_FIRST << doublings;
	return room < segment_size ? room : segment_size;
}

/* ---- heads of segments ---- */

void segment_head_write(struct segment_head *head, struct slice owner, struct buf *out)
{
	assert(owner.len <= OWNER_MAX);
	head->owner_len = (uint32_t)owner.len;
	head->head_len = (uint32_t)align_up(SEGMENT_FIXED + owner.len, SEGMENT_ALIGN);
	uint8_t *at = buf_reserve(out, head->head_len);
	if (!at)
		return;
	memset(at, 0, head->head_len);
	if (owner.len)
		memcpy(at + SEGMENT_FIXED, owner.at, owner.len);
	head->owner_crc =
		checksum_crc32c(0, at + SEGMENT_FIXED, head->head_len - (size_t)SEGMENT_FIXED);
	memcpy(at, segment_magic, sizeof segment_magic);
	store_u32le(at + 8, FORMAT_VERSION);
	store_u32le(at + 16, head->head_len);
	store_u32le(at + 20, head->owner_len);
	store_u32le(at + 24, head->owner_crc);
	store_u32le(at + 28, head->number);
	store_u64le(at + 32, head->first_ordinal);
	store_u64le(at + 40, (uint64_t)head->created_us);
	store_u64le(at + 48, (uint64_t)head->born_us);
	store_u64le(at + 56, head->previous_end);
	store_u64le(at + 64, head->previous_batch);
	store_u64le(at + 72, (uint64_t)head->previous_arrival_us);
	store_u32le(at + 80, head->previous_crc);
	head->crc = checksum_crc32c(0, at + 16, SEGMENT_FIXED - 16);
	store_u32le(at + 12, head->crc);
	out->len += head->head_len;
}

enum rc segment_head_read(const uint8_t *at, struct segment_head *ret_head, const char **ret_why)
{
	struct segment_head head = {
		.crc = load_u32le(at + 12),
		.head_len = load_u32le(at + 16),
		.owner_len = load_u32le(at + 20),
		.owner_crc = load_u32le(at + 24),
		.number = load_u32le(at + 28),
		.first_ordinal = load_u64le(at + 32),
		.created_us = (int64_t)load_u64le(at + 40),
		.born_us = (int64_t)load_u64le(at + 48),
		.previous_end = load_u64le(at + 56),
		.previous_batch = load_u64le(at + 64),
		.previous_arrival_us = (int64_t)load_u64le(at + 72),
		.previous_crc = load_u32le(at + 80),
	};
	*ret_why = "it is not a segment's head";
	if (memcmp(at, segment_magic, sizeof segment_magic) != 0)
		return RC_CORRUPT;
	*ret_why = "the checksum of the segment's head is wrong";
	if (checksum_crc32c(0, at + 16, SEGMENT_FIXED - 16) != head.crc)
		return RC_CORRUPT;
	*ret_why = "the segment has a version that this program does not know";
	if (load_u32le(at + 8) != FORMAT_VERSION)
		return RC_UNSUPPORTED;
	*ret_why = "the lengths in the segment's head make no sense";
	if (head.owner_len > OWNER_MAX ||
		head.head_len != align_up(SEGMENT_FIXED + (uint64_t)head.owner_len, SEGMENT_ALIGN))
		return RC_CORRUPT;
	*ret_head = head;
	return RC_OK;
}

bool segment_owner_check(const struct segment_head *head, const uint8_t *at)
{
	return checksum_crc32c(0, at, head->head_len - (size_t)SEGMENT_FIXED) == head->owner_crc;
}

/* ---- headers of batches ---- */

void batch_head_store(uint8_t *at, const struct batch_head *head)
{
	memset(at, 0, BATCH_FIXED);
	memcpy(at, batch_magic, sizeof batch_magic);
	store_u16le(at + 8, FORMAT_VERSION);
	store_u32le(at + 12, head->flags);
	store_u32le(at + 16, head->header_len);
	store_u32le(at + 20, head->body_len);
	store_u32le(at + 24, head->body_crc);
	store_u32le(at + 28, head->mark_len);
	store_u32le(at + 32, head->run_count);
	store_u32le(at + 36, head->previous);
	store_u64le(at + 40, head->address);
	store_u64le(at + 48, head->durable);
	store_u64le(at + 56, head->first_ordinal);
	store_u64le(at + 64, head->count);
	store_u64le(at + 72, (uint64_t)head->stream_time_us);
	store_u64le(at + 80, (uint64_t)head->arrival_us);
	store_u64le(at + 88, head->fingerprint);
	store_u64le(at + 96, head->generation);
}

uint32_t batch_head_sum(uint8_t *at, uint32_t header_len)
{
	uint32_t crc = checksum_crc32c(0, at + 8, header_len - (size_t)8);
	store_u32le(at + 4, crc);
	return crc;
}

void run_entry_store(uint8_t *at, const struct run_entry *entry)
{
	store_u32le(at, entry->shard);
	store_u32le(at + 4, entry->codec);
	store_u32le(at + 8, entry->records);
	store_u32le(at + 12, entry->table_len);
	store_u32le(at + 16, entry->stored_len);
	store_u32le(at + 20, entry->raw_len);
	store_u64le(at + 24, entry->first_ordinal);
	store_u64le(at + 32, entry->last_ordinal);
}

void run_entry_load(const uint8_t *at, struct run_entry *ret_entry)
{
	ret_entry->shard = load_u32le(at);
	ret_entry->codec = load_u32le(at + 4);
	ret_entry->records = load_u32le(at + 8);
	ret_entry->table_len = load_u32le(at + 12);
	ret_entry->stored_len = load_u32le(at + 16);
	ret_entry->raw_len = load_u32le(at + 20);
	ret_entry->first_ordinal = load_u64le(at + 24);
	ret_entry->last_ordinal = load_u64le(at + 32);
}

const char *batch_head_peek(const uint8_t *at, struct batch_head *ret_head)
{
	struct batch_head head = {
		.crc = load_u32le(at + 4),
		.flags = load_u32le(at + 12),
		.header_len = load_u32le(at + 16),
		.body_len = load_u32le(at + 20),
		.body_crc = load_u32le(at + 24),
		.mark_len = load_u32le(at + 28),
		.run_count = load_u32le(at + 32),
		.previous = load_u32le(at + 36),
		.address = load_u64le(at + 40),
		.durable = load_u64le(at + 48),
		.first_ordinal = load_u64le(at + 56),
		.count = load_u64le(at + 64),
		.stream_time_us = (int64_t)load_u64le(at + 72),
		.arrival_us = (int64_t)load_u64le(at + 80),
		.fingerprint = load_u64le(at + 88),
		.generation = load_u64le(at + 96),
	};
	if (memcmp(at, batch_magic, sizeof batch_magic) != 0)
		return "no batch begins here";
	if (head.run_count > LOG_SHARDS_MAX || head.mark_len > LOG_MARK_MAX ||
		head.header_len !=
			align_up(BATCH_FIXED + (uint64_t)head.run_count * RUN_ENTRY + head.mark_len,
				BATCH_ALIGN) ||
		head.body_len % BATCH_ALIGN != 0 || batch_size(&head) > LOG_BATCH_MAX)
		return "the lengths in the batch's header make no sense";
	*ret_head = head;
	return NULL;
}

static bool run_is_valid(const struct run_entry *run, const struct batch_head *head)
{
	bool is_plain = run->codec == LOG_PLAIN && run->stored_len == run->raw_len;
	bool is_packed = run->codec == LOG_ZSTD && run->stored_len > 0 && run->raw_len > 0;
	return (is_plain || is_packed) && run->shard < LOG_SHARDS_MAX && run->records > 0 &&
		run->table_len / RECORD_LEAST >= run->records && run->raw_len <= RAW_MAX &&
		run->first_ordinal >= head->first_ordinal &&
		run->first_ordinal <= run->last_ordinal &&
		run->last_ordinal - head->first_ordinal < head->count &&
		run->last_ordinal - run->first_ordinal >= run->records - 1;
}

static bool runs_are_valid(const uint8_t *at, const struct batch_head *head)
{
	uint64_t body = 0, raw = 0;
	uint32_t least_shard = 0;
	for (uint32_t i = 0; i < head->run_count; i++) {
		struct run_entry run;
		run_entry_load(at + BATCH_FIXED + (size_t)i * RUN_ENTRY, &run);
		if (run.shard < least_shard || !run_is_valid(&run, head))
			return false;
		least_shard = run.shard + 1;
		body += (uint64_t)run.table_len + run.stored_len;
		raw += run.raw_len;
	}
	return align_up(body, BATCH_ALIGN) == head->body_len && raw <= RAW_MAX;
}

enum rc batch_head_check(
	const uint8_t *at, const struct batch_head *head, uint64_t address, const char **ret_why)
{
	*ret_why = "the checksum of the batch's header is wrong";
	if (checksum_crc32c(0, at + 8, head->header_len - (size_t)8) != head->crc)
		return RC_CORRUPT;
	*ret_why = "the batch says that it belongs to another place";
	if (head->address != address)
		return RC_CORRUPT;
	*ret_why = "the batch has a version that this program does not know";
	if (load_u16le(at + 8) != FORMAT_VERSION)
		return RC_UNSUPPORTED;
	*ret_why = "the batch says that what comes behind it was durable before it";
	if (head->durable > head->address)
		return RC_CORRUPT;
	*ret_why = "the runs in the batch's header make no sense";
	if (head->first_ordinal + head->count < head->first_ordinal || !runs_are_valid(at, head))
		return RC_CORRUPT;
	return RC_OK;
}

/* ---- index of a sealed segment ---- */

void index_write(
	const struct index_of *of, const struct index_entry *entries, size_t count, struct buf *out)
{
	size_t start = out->len;
	buf_bytes(out, index_magic, sizeof index_magic);
	buf_u32le(out, FORMAT_VERSION);
	buf_u32le(out, of->number);
	buf_u64le(out, of->end);
	buf_u32le(out, of->head_crc);
	buf_u32le(out, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		buf_u64le(out, entries[i].offset);
		buf_u64le(out, entries[i].first_ordinal);
		buf_u64le(out, (uint64_t)entries[i].arrival_us);
		buf_u64le(out, (uint64_t)entries[i].stream_time_us);
	}
	if (out->rc == RC_OK)
		buf_u32le(out, checksum_crc32c(0, out->at + start, out->len - start));
}

size_t index_check(struct slice bytes, const struct index_of *of)
{
	if (bytes.len < INDEX_FIXED + 4 || memcmp(bytes.at, index_magic, sizeof index_magic) != 0 ||
		load_u32le(bytes.at + 8) != FORMAT_VERSION ||
		load_u32le(bytes.at + 12) != of->number || load_u64le(bytes.at + 16) != of->end ||
		load_u32le(bytes.at + 24) != of->head_crc)
		return 0;
	size_t count = load_u32le(bytes.at + 28);
	if (count != (bytes.len - INDEX_FIXED - 4) / INDEX_ENTRY ||
		bytes.len != INDEX_FIXED + count * INDEX_ENTRY + 4 ||
		load_u32le(bytes.at + bytes.len - 4) != checksum_crc32c(0, bytes.at, bytes.len - 4))
		return 0;
	return count;
}

void index_entry_load(struct slice bytes, size_t i, struct index_entry *ret_entry)
{
	const uint8_t *at = bytes.at + INDEX_FIXED + i * INDEX_ENTRY;
	ret_entry->offset = load_u64le(at);
	ret_entry->first_ordinal = load_u64le(at + 8);
	ret_entry->arrival_us = (int64_t)load_u64le(at + 16);
	ret_entry->stream_time_us = (int64_t)load_u64le(at + 24);
}
