/* Filling and sealing a batch; see log.h, and docs/formats/segment.md for its bytes.
 *
 * A batch is filling, then sealed, then (after log_append) reset. Payload is written once by the
 * caller, straight into its run, and goes to the disk from there: sealing only lists the pieces
 * (`parts`), it does not move them.
 *
 * Invariants:
 *  1. The payload of all runs together is at most payload_max, before compression.
 *  2. The ordinals of a run strictly grow and lie inside of what the stamp says.
 *  3. A sealed batch does not change, but for the four values of batch_set_place.
 *
 * Thread: its owner. */
#include "log/batch.h"

#include <assert.h>
#include <zstd.h>

#include "base/checksum.h"
#include "base/mem.h"

struct log_run {
	struct log_batch *batch;
	struct buf table, payload;
	uint64_t first_ordinal, next_ordinal; /* next: the least that may follow */
	uint32_t records;
	size_t key_len;
	uint8_t key[KEY_MAX]; /* of the last record */
};

struct log_batch {
	struct log_batch_options options;
	struct log_run *runs; /* by shard */
	size_t payload;       /* bytes in all runs */
	uint64_t records;
	bool sealed;
	/* from here on: sealed */
	struct batch_head head;
	struct buf header; /* fixed part, run entries, mark, padding */
	struct buf packed; /* the frames of all compressed runs, one behind the other */
	struct iovec *parts;
	size_t part_count;
	ZSTD_CCtx *zstd; /* made with the first run to compress */
};

static const uint8_t zeros[BATCH_ALIGN];

struct log_batch *log_batch_new(const struct log_batch_options *options)
{
	assert(options->shards > 0 && options->shards <= LOG_SHARDS_MAX);
	assert(options->payload_max > 0 && options->payload_max <= RAW_MAX);
	struct log_batch *batch = mem_new(1, sizeof *batch);
	batch->options = *options;
	batch->runs = mem_new(options->shards, sizeof *batch->runs);
	batch->header = buf_of(
		BATCH_FIXED + (size_t)options->shards * RUN_ENTRY + LOG_MARK_MAX + BATCH_ALIGN);
	batch->packed = buf_of(LOG_BATCH_MAX);
	batch->parts = mem_new(2 + 2 * (size_t)options->shards, sizeof *batch->parts);
	for (uint32_t i = 0; i < options->shards; i++) {
		batch->runs[i].batch = batch;
		batch->runs[i].table = buf_of(LOG_BATCH_MAX);
		batch->runs[i].payload = buf_of(options->payload_max);
	}
	return batch;
}

void log_batch_free(struct log_batch *batch)
{
	if (!batch)
		return;
	for (uint32_t i = 0; i < batch->options.shards; i++) {
		buf_release(&batch->runs[i].table);
		buf_release(&batch->runs[i].payload);
	}
	buf_release(&batch->header);
	buf_release(&batch->packed);
	(void)ZSTD_freeCCtx(batch->zstd);
	mem_free(batch->parts);
	mem_free(batch->runs);
	mem_free(batch);
}

/* Empties a buffer; it keeps its memory as far as the budget goes. */
static void empty_within(struct buf *buf, size_t *budget)
{
	if (buf->cap > *budget)
		buf_release(buf);
	buf_reset(buf);
	*budget -= buf->cap;
}

void log_batch_reset(struct log_batch *batch)
{
	/* a buffer that has grown has up to half of what it holds besides, and not every batch puts
	 * the same into each shard: what is freed here has to be grown again, step by step */
	size_t payload_budget = 2 * batch->options.payload_keep;
	size_t table_budget = batch->options.payload_keep;
	size_t packed_budget = batch->options.payload_keep;
	for (uint32_t i = 0; i < batch->options.shards; i++) {
		struct log_run *run = &batch->runs[i];
		empty_within(&run->payload, &payload_budget);
		empty_within(&run->table, &table_budget);
		run->records = 0;
		run->first_ordinal = run->next_ordinal = 0;
		run->key_len = 0;
	}
	empty_within(&batch->packed, &packed_budget);
	batch->payload = 0;
	batch->records = 0;
	batch->sealed = false;
	batch->part_count = 0;
}

struct log_run *log_batch_run(struct log_batch *batch, uint32_t shard)
{
	assert(shard < batch->options.shards);
	return &batch->runs[shard];
}

uint8_t *log_run_reserve(struct log_run *run, size_t len)
{
	assert(!run->batch->sealed);
	if (len > run->batch->options.payload_max - run->batch->payload)
		return NULL;
	return buf_reserve(&run->payload, len);
}

static size_t shared_prefix(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t at = 0;
	while (len - at >= sizeof(uint64_t)) {
		uint64_t differ = load_u64le(a + at) ^ load_u64le(b + at);
		if (differ)
			return at + (size_t)__builtin_ctzll(differ) / 8;
		at += sizeof(uint64_t);
	}
	while (at < len && a[at] == b[at])
		at++;
	return at;
}

void log_run_add(struct log_run *run, size_t len, uint64_t ordinal, struct slice key)
{
	enum { ENTRY_MAX = 4 * VARINT_MAX + KEY_MAX };
	assert(!run->batch->sealed && key.len <= KEY_MAX);
	assert(run->records == 0 || ordinal >= run->next_ordinal);
	assert(len <= run->payload.cap - run->payload.len || len == 0);
	if (run->records == 0)
		run->first_ordinal = run->next_ordinal = ordinal;
	uint8_t *at = buf_reserve(&run->table, ENTRY_MAX);
	if (!at)
		return; /* the error sticks to the table: log_batch_seal tells it */
	size_t least = key.len < run->key_len ? key.len : run->key_len;
	size_t shared = shared_prefix(run->key, key.at, least);
	size_t rest = key.len - shared;
	at = store_varint(at, ordinal - run->next_ordinal);
	at = store_varint(at, len);
	at = store_varint(at, shared);
	at = store_varint(at, rest);
	if (rest) {
		memcpy(at, key.at + shared, rest);
		memcpy(run->key + shared, key.at + shared, rest);
	}
	run->table.len = (size_t)(at + rest - run->table.at);
	run->key_len = key.len;
	run->next_ordinal = ordinal + 1;
	run->records++;
	run->payload.len += len;
	run->batch->payload += len;
	run->batch->records++;
}

size_t log_batch_payload(const struct log_batch *batch)
{
	return batch->payload;
}

uint64_t log_batch_records(const struct log_batch *batch)
{
	return batch->records;
}

/* ---- sealing ---- */

static bool will_pack(const struct log_batch *batch, const struct log_run *run)
{
	return batch->options.codec == LOG_ZSTD && run->payload.len >= LOG_PACK_LEAST;
}

bool log_batch_is_small(const struct log_batch *batch)
{
	for (uint32_t i = 0; i < batch->options.shards; i++) {
		if (will_pack(batch, &batch->runs[i]))
			return false;
	}
	return true;
}

/* Content size and checksum are in the frame: the archive copies it as it is. */
static enum rc prepare_zstd(struct log_batch *batch, struct fault *fault)
{
	if (batch->zstd)
		return RC_OK;
	batch->zstd = ZSTD_createCCtx();
	if (!batch->zstd ||
		ZSTD_isError(ZSTD_CCtx_setParameter(
			batch->zstd, ZSTD_c_compressionLevel, batch->options.level)) ||
		ZSTD_isError(ZSTD_CCtx_setParameter(batch->zstd, ZSTD_c_checksumFlag, 1)) ||
		ZSTD_isError(ZSTD_CCtx_setParameter(batch->zstd, ZSTD_c_contentSizeFlag, 1)))
		return fault_set(
			fault, RC_INTERNAL, "cannot set up zstd at level %d", batch->options.level);
	return RC_OK;
}

/* Appends the frame of a run to `packed`. */
static enum rc pack_run(
	struct log_batch *batch, struct log_run *run, size_t *ret_len, struct fault *fault)
{
	enum rc rc = prepare_zstd(batch, fault);
	if (rc != RC_OK)
		return rc;
	size_t bound = ZSTD_compressBound(run->payload.len);
	uint8_t *at = buf_reserve(&batch->packed, bound);
	if (!at)
		return fault_set(fault, RC_LIMIT, "a batch with %zu bytes of payload is too large",
			batch->payload);
	size_t len = ZSTD_compress2(batch->zstd, at, bound, run->payload.at, run->payload.len);
	if (ZSTD_isError(len))
		return fault_set(fault, RC_INTERNAL, "zstd cannot compress %zu bytes: %s",
			run->payload.len, ZSTD_getErrorName(len));
	batch->packed.len += len;
	*ret_len = len;
	return RC_OK;
}

static void add_part(struct log_batch *batch, const void *at, size_t len)
{
	if (len == 0)
		return;
	batch->head.body_crc = checksum_crc32c(batch->head.body_crc, at, len);
	batch->parts[batch->part_count++] = (struct iovec){(void *)(uintptr_t)at, len};
}

/* One entry for each run with records, behind the fixed part. Frames are made here, and only their
 * lengths noted: `packed` may still move. */
static enum rc lay_out_runs(struct log_batch *batch, const struct log_stamp *stamp,
	uint64_t *ret_body_len, struct fault *fault)
{
	uint64_t body_len = 0;
	for (uint32_t shard = 0; shard < batch->options.shards; shard++) {
		struct log_run *run = &batch->runs[shard];
		if (run->table.rc != RC_OK)
			return fault_set(fault, RC_LIMIT,
				"the keys of shard %u in one batch are too large", shard);
		if (run->records == 0)
			continue;
		assert(run->first_ordinal >= stamp->first_ordinal);
		assert(run->next_ordinal - stamp->first_ordinal <= stamp->count);
		struct run_entry entry = {
			.shard = shard,
			.codec = LOG_PLAIN,
			.records = run->records,
			.table_len = (uint32_t)run->table.len,
			.stored_len = (uint32_t)run->payload.len,
			.raw_len = (uint32_t)run->payload.len,
			.first_ordinal = run->first_ordinal,
			.last_ordinal = run->next_ordinal - 1,
		};
		if (will_pack(batch, run)) {
			size_t len = 0;
			enum rc rc = pack_run(batch, run, &len, fault);
			if (rc != RC_OK)
				return rc;
			entry.codec = LOG_ZSTD;
			entry.stored_len = (uint32_t)len;
		}
		run_entry_store(batch->header.at + batch->header.len, &entry);
		batch->header.len += RUN_ENTRY;
		batch->head.run_count++;
		body_len += (uint64_t)entry.table_len + entry.stored_len;
	}
	*ret_body_len = body_len;
	return RC_OK;
}

static void gather_parts(struct log_batch *batch, uint64_t body_len)
{
	const uint8_t *packed = batch->packed.at;
	batch->parts[0] = (struct iovec){batch->header.at, batch->head.header_len};
	batch->part_count = 1;
	for (uint32_t i = 0; i < batch->head.run_count; i++) {
		struct run_entry entry;
		run_entry_load(batch->header.at + BATCH_FIXED + (size_t)i * RUN_ENTRY, &entry);
		struct log_run *run = &batch->runs[entry.shard];
		add_part(batch, run->table.at, entry.table_len);
		if (entry.codec == LOG_ZSTD) {
			add_part(batch, packed, entry.stored_len);
			packed += entry.stored_len;
		} else {
			add_part(batch, run->payload.at, entry.stored_len);
		}
	}
	add_part(batch, zeros, batch->head.body_len - (size_t)body_len);
}

enum rc log_batch_seal(struct log_batch *batch, const struct log_stamp *stamp, struct fault *fault)
{
	assert(!batch->sealed);
	assert(stamp->count <= UINT64_MAX - stamp->first_ordinal);
	if (stamp->mark.len > LOG_MARK_MAX)
		return fault_set(fault, RC_LIMIT, "a mark of %zu bytes is larger than %d",
			stamp->mark.len, LOG_MARK_MAX);
	batch->head = (struct batch_head){
		.flags = stamp->flags,
		.mark_len = (uint32_t)stamp->mark.len,
		.first_ordinal = stamp->first_ordinal,
		.count = stamp->count,
		.stream_time_us = stamp->stream_time_us,
		.fingerprint = stamp->fingerprint,
		.generation = stamp->generation,
	};
	buf_reset(&batch->header);
	buf_reset(&batch->packed);
	(void)buf_reserve(&batch->header, batch->header.max);
	batch->header.len = BATCH_FIXED;
	uint64_t body_len = 0;
	enum rc rc = lay_out_runs(batch, stamp, &body_len, fault);
	if (rc != RC_OK)
		return rc;
	buf_slice(&batch->header, stamp->mark);
	buf_bytes(&batch->header, zeros,
		align_up(batch->header.len, BATCH_ALIGN) - batch->header.len);
	batch->head.header_len = (uint32_t)batch->header.len;
	if (align_up(body_len, BATCH_ALIGN) > LOG_BATCH_MAX - batch->head.header_len)
		return fault_set(fault, RC_LIMIT, "a batch of %llu bytes is larger than %d",
			(unsigned long long)body_len + batch->head.header_len, LOG_BATCH_MAX);
	batch->head.body_len = (uint32_t)align_up(body_len, BATCH_ALIGN);
	gather_parts(batch, body_len);
	batch->sealed = true;
	return RC_OK;
}

size_t log_batch_stored(const struct log_batch *batch)
{
	assert(batch->sealed);
	return (size_t)batch_size(&batch->head);
}

/* ---- for the writer ---- */

const struct batch_head *batch_sealed_head(const struct log_batch *batch)
{
	assert(batch->sealed);
	return &batch->head;
}

struct slice batch_sealed_mark(const struct log_batch *batch)
{
	size_t runs = (size_t)batch->head.run_count * RUN_ENTRY;
	return slice_of(batch->header.at + BATCH_FIXED + runs, batch->head.mark_len);
}

uint32_t batch_set_place(struct log_batch *batch, const struct batch_place *place)
{
	assert(batch->sealed);
	batch->head.address = place->address;
	batch->head.durable = place->durable;
	batch->head.arrival_us = place->arrival_us;
	batch->head.previous = place->previous;
	batch_head_store(batch->header.at, &batch->head);
	return batch_head_sum(batch->header.at, batch->head.header_len);
}

const struct iovec *batch_parts(const struct log_batch *batch, size_t *ret_count)
{
	*ret_count = batch->part_count;
	return batch->parts;
}
