#include "unit.h"

#include "log_tools.h"

#include "log/batch.c"

static const struct tool_plan small = {.shards = 3, .codec = LOG_ZSTD, .line_len = 50};

/* The sealed batch as it would stand in a file. */
static struct tool_file bytes_of(struct log_batch *batch)
{
	(void)batch_set_place(batch, &(struct batch_place){.address = 77, .arrival_us = 5});
	size_t count = 0;
	const struct iovec *parts = batch_parts(batch, &count);
	struct tool_file file = {malloc(log_batch_stored(batch)), 0};
	for (size_t i = 0; i < count; i++) {
		memcpy(file.bytes + file.len, parts[i].iov_base, parts[i].iov_len);
		file.len += parts[i].iov_len;
	}
	assert_int_equal(file.len, log_batch_stored(batch));
	return file;
}

static void checksums_cover_the_whole_batch(void **state)
{
	(void)state;
	struct log_batch *batch = tool_batch(&small);
	tool_fill(&small, batch, 100, 9);
	struct tool_file file = bytes_of(batch);
	struct batch_head head;
	const char *why = NULL;
	assert_null(batch_head_peek(file.bytes, &head));
	assert_rc(batch_head_check(file.bytes, &head, 77, &why));
	assert_int_equal(batch_size(&head), file.len);
	assert_int_equal(file.len % 8, 0);
	assert_int_equal(
		head.body_crc, checksum_crc32c(0, file.bytes + head.header_len, head.body_len));
	assert_int_equal(head.first_ordinal, 100);
	assert_int_equal(head.count, 9);
	free(file.bytes);
	log_batch_free(batch);
}

static void ordinals_without_gaps_cost_few_bytes(void **state)
{
	(void)state;
	struct log_batch *batch = tool_batch(&(struct tool_plan){.shards = 1});
	struct log_run *run = log_batch_run(batch, 0);
	for (uint64_t i = 0; i < 1000; i++) {
		char key[64];
		int len = snprintf(key, sizeof key, "shop.classified_ads|%llu",
			(unsigned long long)(1000000 + i));
		memset(log_run_reserve(run, 10), 'x', 10);
		log_run_add(run, 10, ((uint64_t)1 << 40) + i, slice_of(key, (size_t)len));
	}
	assert_true(run->table.len < 6 * 1000);
	log_batch_free(batch);
}

static void sealing_twice_gives_the_same_bytes(void **state)
{
	(void)state;
	static const struct tool_plan plan = {.shards = 3, .codec = LOG_ZSTD, .line_len = 500};
	struct log_batch *batch = tool_batch(&plan);
	tool_fill(&plan, batch, 1, 600);
	assert_false(log_batch_is_small(batch));
	struct tool_file first = bytes_of(batch);
	tool_fill(&small, batch, 9, 3); /* something else between */
	tool_fill(&plan, batch, 1, 600);
	struct tool_file again = bytes_of(batch);
	assert_int_equal(first.len, again.len);
	assert_memory_equal(first.bytes, again.bytes, first.len);
	free(first.bytes);
	free(again.bytes);
	log_batch_free(batch);
}

/* A frame is an object of the archive as it is: the program zstd must take it, and know its size
 * and checksum. */
static void frames_are_whole_zstd_files(void **state)
{
	(void)state;
	static const struct tool_plan plan = {
		.shards = 1, .codec = LOG_ZSTD, .line_len = 900, .is_random = true};
	char *folder = unit_folder();
	struct log_batch *batch = tool_batch(&plan);
	tool_fill(&plan, batch, 1, 200);
	struct log_run *run = log_batch_run(batch, 0);
	struct run_entry entry;
	run_entry_load(batch->header.at + BATCH_FIXED, &entry);
	assert_int_equal(entry.codec, LOG_ZSTD);
	assert_int_equal(entry.raw_len, run->payload.len);
	char path[200], command[1000];
	snprintf(path, sizeof path, "%s/frame.zst", folder);
	tool_store(path, batch->packed.at, entry.stored_len);
	snprintf(path, sizeof path, "%s/raw", folder);
	tool_store(path, run->payload.at, run->payload.len);
	snprintf(command, sizeof command,
		"cd '%s' && zstd -qt frame.zst && zstd -dc frame.zst | cmp - raw && "
		"zstd -lv frame.zst 2>&1 | grep -q 'Check: XXH64' && "
		"zstd -lv frame.zst 2>&1 | grep -q 'Decompressed Size:.*(%zu B)'",
		folder, run->payload.len);
	assert_int_equal(system(command), 0);
	log_batch_free(batch);
	unit_folder_remove(folder);
}

static void small_runs_stay_plain(void **state)
{
	(void)state;
	struct log_batch *batch = tool_batch(&(struct tool_plan){.shards = 2, .codec = LOG_ZSTD});
	for (uint32_t shard = 0; shard < 2; shard++) {
		size_t len = (size_t)LOG_PACK_LEAST - 1 + shard;
		struct log_run *run = log_batch_run(batch, shard);
		memset(log_run_reserve(run, len), 'x', len);
		assert_int_equal(log_batch_is_small(batch), true);
		log_run_add(run, len, shard, SLICE("key"));
	}
	assert_false(log_batch_is_small(batch));
	struct fault fault;
	assert_rc(log_batch_seal(batch, &(struct log_stamp){.count = 2}, &fault));
	struct run_entry entry;
	run_entry_load(batch->header.at + BATCH_FIXED, &entry);
	assert_int_equal(entry.codec, LOG_PLAIN);
	run_entry_load(batch->header.at + BATCH_FIXED + RUN_ENTRY, &entry);
	assert_int_equal(entry.codec, LOG_ZSTD);
	log_batch_free(batch);
}

static void limits_are_errors(void **state)
{
	(void)state;
	struct fault fault;
	struct log_batch *batch = log_batch_new(
		&(struct log_batch_options){.shards = 2, .payload_keep = 100, .payload_max = 1000});
	struct log_run *a = log_batch_run(batch, 0), *b = log_batch_run(batch, 1);
	assert_non_null(log_run_reserve(a, 1000));
	assert_null(log_run_reserve(a, 1001));
	memset(log_run_reserve(a, 1000), 'x', 600);
	log_run_add(a, 600, 1, SLICE("k")); /* less than was reserved */
	assert_non_null(log_run_reserve(b, 400));
	assert_null(log_run_reserve(b, 401));
	assert_int_equal(log_batch_payload(batch), 600);
	assert_int_equal(log_batch_records(batch), 1);
	static uint8_t mark[LOG_MARK_MAX + 1];
	struct log_stamp stamp = {
		.first_ordinal = 1, .count = 1, .mark = slice_of(mark, sizeof mark)};
	assert_int_equal(log_batch_seal(batch, &stamp, &fault), RC_LIMIT);
	stamp.mark.len--;
	assert_rc(log_batch_seal(batch, &stamp, &fault));
	assert_int_equal(batch_sealed_mark(batch).len, LOG_MARK_MAX);
	log_batch_free(batch);
}

static void memory_above_what_is_kept_goes_back(void **state)
{
	(void)state;
	struct log_batch *batch = log_batch_new(&(struct log_batch_options){
		.shards = 4, .payload_keep = 100000, .payload_max = 10 << 20});
	for (int round = 0; round < 3; round++) {
		size_t kept = 0;
		for (uint32_t shard = 0; shard < 4; shard++)
			kept += batch->runs[shard].payload.cap;
		assert_true(kept <= 100000);
		size_t len = round == 1 ? 2 << 20 : 20000;
		for (uint32_t shard = 0; shard < 4; shard++) {
			struct log_run *run = log_batch_run(batch, shard);
			memset(log_run_reserve(run, len), 'x', len);
			log_run_add(run, len, 1, SLICE("k"));
		}
		log_batch_reset(batch);
	}
	assert_true(batch->runs[0].payload.cap >= 20000); /* what fits is kept */
	assert_int_equal(log_batch_payload(batch), 0);
	log_batch_free(batch);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(checksums_cover_the_whole_batch),
	cmocka_unit_test(ordinals_without_gaps_cost_few_bytes),
	cmocka_unit_test(sealing_twice_gives_the_same_bytes),
	cmocka_unit_test(frames_are_whole_zstd_files),
	cmocka_unit_test(small_runs_stay_plain),
	cmocka_unit_test(limits_are_errors),
	cmocka_unit_test(memory_above_what_is_kept_goes_back),
};
UNIT_MAIN(tests)
