/* The bytes of the log's files: names, segment heads, batch headers, indexes, the tip. Pure
 * functions, no input or output. docs/formats/segment.md is the page of these layouts.
 *
 * Whatever is read back is checked here as a whole, so that behind these functions lengths and
 * counts can be trusted: the pair of what log_batch_seal asserts.
 *
 * Thread: any. */
#ifndef LOG_FORMAT_H
#define LOG_FORMAT_H

#include "base/buf.h"

enum {
	FORMAT_VERSION = 1,
	SEGMENT_FIXED = 128,     /* bytes of a segment's head in front of the owner's */
	SEGMENT_ALIGN = 4096,    /* batches begin at a multiple of it */
	SEGMENT_FIRST = 1 << 20, /* room for batches in segment 1; it doubles from there */
	OWNER_MAX = 16 << 20,
	BATCH_FIXED = 104, /* bytes of a batch's header in front of its run entries */
	BATCH_ALIGN = 8,
	RUN_ENTRY = 40,
	RECORD_LEAST = 4, /* bytes of a record in its table at the least */
	KEY_MAX = 1024,
	RAW_MAX = 1 << 30, /* payload of a batch before compression at the most */
	NAME_SIZE = 64,
	TIP_SIZE = 4096,
	INDEX_FIXED = 32,
	INDEX_ENTRY = 32,
	INDEX_STEP = 1 << 20, /* an entry about every so many bytes */
};

static inline uint64_t address_of(uint32_t segment, uint64_t offset)
{
	return (uint64_t)segment << 32 | offset;
}

static inline uint32_t address_segment(uint64_t address)
{
	return (uint32_t)(address >> 32);
}

static inline uint64_t address_offset(uint64_t address)
{
	return address & UINT32_MAX;
}

static inline uint64_t align_up(uint64_t value, uint64_t step)
{
	return (value + step - 1) / step * step;
}

/* ---- names ---- */

/* first_ordinal is a border: all ordinals in the segment are at or above it, all in older segments
 * below. */
struct segment_name {
	uint32_t number;
	uint64_t first_ordinal;
};

enum segment_file { SEGMENT_DATA, SEGMENT_DATA_NEW, SEGMENT_INDEX };

/* "0000000012-00000000000000001234.seg", ".new", ".idx". */
void segment_name_write(
	const struct segment_name *name, enum segment_file file, char ret_text[NAME_SIZE]);

/* False when the text is not such a name. */
bool segment_name_read(
	const char *text, struct segment_name *ret_name, enum segment_file *ret_file);

/* Room for batches that a segment of this number is made with. */
uint64_t segment_room(uint32_t number, uint64_t segment_size);

/* ---- heads of segments ---- */

struct segment_head {
	uint32_t head_len; /* where the first batch begins */
	uint32_t owner_len, owner_crc;
	uint32_t number;
	uint64_t first_ordinal;
	int64_t created_us; /* never before the arrival of the batch before it */
	int64_t born_us;    /* created_us of the log's first segment: its identity */
	/* What lies before it: all zero in the log's first segment. */
	uint64_t previous_end;       /* address where the segment before it ends */
	uint64_t previous_batch;     /* address of the last batch before it */
	int64_t previous_arrival_us; /* and its arrival */
	uint32_t previous_crc;       /* and the checksum of its header */
	uint32_t crc;                /* of these fields; computed by segment_head_write */
};

/* Appends the whole head, the owner's bytes and the padding; fills head_len, owner_len, owner_crc
 * and crc. */
void segment_head_write(struct segment_head *head, struct slice owner, struct buf *out);

/* Reads the fixed part, SEGMENT_FIXED bytes. RC_CORRUPT, RC_UNSUPPORTED; *ret_why says what. */
MUST_USE enum rc segment_head_read(
	const uint8_t *at, struct segment_head *ret_head, const char **ret_why);

/* Checks the rest of the head: head_len - SEGMENT_FIXED bytes. */
bool segment_owner_check(const struct segment_head *head, const uint8_t *at);

/* ---- headers of batches ---- */

struct batch_head {
	uint32_t crc; /* of the header; computed by batch_head_sum */
	uint32_t flags;
	uint32_t header_len; /* fixed part, run entries, mark, padding */
	uint32_t body_len;   /* runs and padding */
	uint32_t body_crc;
	uint32_t mark_len, run_count;
	uint32_t previous; /* crc of the header of the batch before it in the log, 0 for the first
			    */
	uint64_t address, durable;
	uint64_t first_ordinal, count;
	int64_t stream_time_us, arrival_us;
	uint64_t fingerprint, generation;
};

struct run_entry {
	uint32_t shard, codec, records;
	uint32_t table_len, stored_len, raw_len;
	uint64_t first_ordinal, last_ordinal;
};

static inline uint64_t batch_size(const struct batch_head *head)
{
	return (uint64_t)head->header_len + head->body_len;
}

/* Writes the fixed part; its checksum stays to be computed. */
void batch_head_store(uint8_t *at, const struct batch_head *head);
void run_entry_store(uint8_t *at, const struct run_entry *entry);
void run_entry_load(const uint8_t *at, struct run_entry *ret_entry);

/* Sums up a whole header and writes the checksum into it. */
uint32_t batch_head_sum(uint8_t *at, uint32_t header_len);

/* Looks at the first BATCH_FIXED bytes only: whether they could begin a batch, and its lengths.
 * NULL when they could, else what is wrong. */
const char *batch_head_peek(const uint8_t *at, struct batch_head *ret_head);

/* Checks the whole header, header_len bytes, that batch_head_peek has read: checksum, that it
 * stands at `address`, runs and lengths. RC_CORRUPT, RC_UNSUPPORTED; *ret_why says what. */
MUST_USE enum rc batch_head_check(
	const uint8_t *at, const struct batch_head *head, uint64_t address, const char **ret_why);

/* ---- index of a sealed segment ---- */

struct index_entry {
	uint64_t offset, first_ordinal;
	int64_t arrival_us, stream_time_us;
};

/* Which segment an index belongs to. */
struct index_of {
	uint32_t number, head_crc;
	uint64_t end; /* offset behind the last batch */
};

void index_write(const struct index_of *of, const struct index_entry *entries, size_t count,
	struct buf *out);

/* Number of entries, 0 when it is not a valid index of that segment. */
size_t index_check(struct slice bytes, const struct index_of *of);
void index_entry_load(struct slice bytes, size_t i, struct index_entry *ret_entry);

#endif
