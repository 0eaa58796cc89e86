#include "unit.h"

#include "log_tools.h"

#include "log/format.c"

#include "base/json.h"

/* ---- names ---- */

static void names_tell_number_and_ordinal(void **state)
{
	(void)state;
	char text[NAME_SIZE];
	struct segment_name name = {12, 1234}, got;
	enum segment_file file;
	segment_name_write(&name, SEGMENT_DATA, text);
	assert_string_equal(text, "0000000012-00000000000000001234.seg");
	name = (struct segment_name){UINT32_MAX, UINT64_MAX};
	segment_name_write(&name, SEGMENT_INDEX, text);
	assert_string_equal(text, "4294967295-18446744073709551615.idx");
	assert_true(segment_name_read(text, &got, &file));
	assert_true(got.number == UINT32_MAX && got.first_ordinal == UINT64_MAX);
	assert_int_equal(file, SEGMENT_INDEX);
	static const char *const others[] = {"", "lock", "tip", "12-1234.seg",
		"0000000012-00000000000000001234", "0000000012-00000000000000001234.seg~",
		"0000000000-00000000000000001234.seg", "4294967296-00000000000000001234.seg",
		"0000000012_00000000000000001234.seg", "0000000012-18446744073709551616.seg",
		"000000001x-00000000000000001234.seg"};
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_false(segment_name_read(others[i], &got, &file));
}

static void rooms_double_up_to_the_size(void **state)
{
	(void)state;
	assert_int_equal(segment_room(1, 256 << 20), 1 << 20);
	assert_int_equal(segment_room(2, 256 << 20), 2 << 20);
	assert_int_equal(segment_room(9, 256 << 20), 256 << 20);
	assert_int_equal(segment_room(10, 256 << 20), 256 << 20);
	assert_int_equal(segment_room(UINT32_MAX, 256 << 20), 256 << 20);
	assert_int_equal(segment_room(1, 4096), 4096);
}

/* ---- headers that lie ---- */

/* A header of one run, right in every way; `change` is written over it and its checksum made right
 * again. */
static enum rc check_changed(size_t at, uint64_t value, size_t len, const char **ret_why)
{
	uint8_t bytes[256] = {0};
	struct batch_head head = {.header_len = 152,
		.body_len = 16,
		.mark_len = 6,
		.run_count = 1,
		.address = 4096,
		.first_ordinal = 10,
		.count = 3};
	struct run_entry run = {.shard = 4,
		.records = 2,
		.table_len = 9,
		.stored_len = 5,
		.raw_len = 5,
		.first_ordinal = 10,
		.last_ordinal = 12};
	batch_head_store(bytes, &head);
	run_entry_store(bytes + BATCH_FIXED, &run);
	uint8_t word[8];
	store_u64le(word, value);
	memcpy(bytes + at, word, len);
	(void)batch_head_sum(bytes, 152);
	*ret_why = batch_head_peek(bytes, &head);
	return *ret_why ? RC_CORRUPT : batch_head_check(bytes, &head, 4096, ret_why);
}

static void headers_that_contradict_themselves_are_refused(void **state)
{
	(void)state;
	const char *why = NULL;
	static const struct {
		size_t at;
		uint64_t value;
		size_t len;
		enum rc rc;
	} cases[] = {
		{12, 1, 4, RC_OK},              /* flags */
		{0, 0x5441424d, 4, RC_OK},      /* the right magic */
		{0, 0x5441424e, 4, RC_CORRUPT}, /* another */
		{8, 2, 2, RC_UNSUPPORTED},      /* version */
		{16, 144, 4, RC_CORRUPT},       /* header length */
		{20, 24, 4, RC_CORRUPT},        /* body length */
		{20, 15, 4, RC_CORRUPT},
		{28, 7, 4, RC_OK}, /* mark length, within the padding */
		{28, 9, 4, RC_CORRUPT},
		{28, LOG_MARK_MAX + 1, 4, RC_CORRUPT},
		{32, 0, 4, RC_CORRUPT}, /* runs */
		{32, LOG_SHARDS_MAX + 1, 4, RC_CORRUPT},
		{40, 4104, 8, RC_CORRUPT}, /* address */
		{48, 4096, 8, RC_OK},      /* durable */
		{48, 4097, 8, RC_CORRUPT},
		{56, 11, 8, RC_CORRUPT}, /* first ordinal */
		{64, 2, 8, RC_CORRUPT},  /* count */
		{64, UINT64_MAX, 8, RC_CORRUPT},
		{104, LOG_SHARDS_MAX - 1, 4, RC_OK}, /* shard */
		{104, LOG_SHARDS_MAX, 4, RC_CORRUPT},
		{108, 2, 4, RC_CORRUPT}, /* codec */
		{108, 1, 4, RC_OK},
		{112, 0, 4, RC_CORRUPT},  /* records */
		{112, 3, 4, RC_CORRUPT},  /* for which the table is too short */
		{116, 20, 4, RC_CORRUPT}, /* table length */
		{124, 6, 4, RC_CORRUPT},  /* raw length */
		{128, 9, 8, RC_CORRUPT},  /* first and last ordinal of the run */
		{128, 12, 8, RC_CORRUPT}, /* two records, one ordinal */
		{136, 13, 8, RC_CORRUPT},
		{136, 9, 8, RC_CORRUPT},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		enum rc rc = check_changed(cases[i].at, cases[i].value, cases[i].len, &why);
		if (rc != cases[i].rc)
			print_error("case %zu: %s\n", i, why ? why : "taken");
		assert_int_equal(rc, cases[i].rc);
		assert_true(rc == RC_OK || why);
	}
}

static void any_header_is_survived(void **state)
{
	(void)state;
	uint8_t bytes[512];
	const char *why = NULL;
	for (uint64_t seed = 0; seed < 50000; seed++) {
		struct batch_head head;
		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = tool_mix(seed * 512 + i) % 8 ? 0 : (uint8_t)tool_mix(seed + i);
		memcpy(bytes, batch_magic, sizeof batch_magic);
		uint32_t runs = (uint32_t)(seed % 5), mark = (uint32_t)(seed % 40);
		store_u32le(bytes + 32, runs);
		store_u32le(bytes + 28, mark);
		store_u32le(
			bytes + 16, (uint32_t)align_up(BATCH_FIXED + runs * RUN_ENTRY + mark, 8));
		(void)batch_head_sum(bytes, load_u32le(bytes + 16));
		if (!batch_head_peek(bytes, &head))
			(void)!batch_head_check(bytes, &head, head.address, &why);
		struct segment_head segment;
		memcpy(bytes, segment_magic, sizeof segment_magic);
		(void)!segment_head_read(bytes, &segment, &why);
	}
}

/* ---- golden bytes ---- */

static enum rc golden_head(void *context, struct buf *out, struct fault *fault)
{
	(void)context;
	(void)fault;
	buf_text(out, "what the owner keeps");
	return RC_OK;
}

static void put(struct log_batch *batch, uint32_t shard, uint64_t ordinal, const char *key,
	const char *line)
{
	struct log_run *run = log_batch_run(batch, shard);
	uint8_t *at = log_run_reserve(run, strlen(line));
	assert_non_null(at);
	memcpy(at, line, strlen(line));
	log_run_add(run, strlen(line), ordinal, slice_text(key));
}

static void finish(
	struct log *log, struct log_batch *batch, uint64_t first, uint64_t count, const char *mark)
{
	struct fault fault;
	struct log_stamp stamp = {
		.first_ordinal = first,
		.count = count,
		.stream_time_us = 1767323044500000,
		.fingerprint = 0x0123456789abcdef,
		.generation = 3,
		.flags = first == 100 ? LOG_HAS_CONTROL : 0,
		.mark = slice_text(mark),
	};
	tool_now_us += 1500000;
	assert_rc(log_batch_seal(batch, &stamp, &fault));
	assert_rc(log_append(log, batch, &fault));
	assert_rc(log_sync(log, &fault));
	log_batch_reset(batch);
}

/* The log of tests/data/segment/log; its listing says in other words what is written here. */
static void write_golden(const char *folder)
{
	tool_stop_clock();
	tool_now_us = 1767323045000000;
	struct log *log = NULL;
	struct fault fault;
	struct log_options options = {
		.folder = folder, .segment_size = 4096, .write_head = golden_head};
	assert_rc(log_open(&options, &log, &fault));
	struct log_batch *batch = tool_batch(&(struct tool_plan){.shards = 2, .codec = LOG_ZSTD});
	put(batch, 0, 100, "shop.ads|1", "{\"op\":\"c\",\"ord\":100}\n");
	put(batch, 1, 101, "shop.ads|2", "{\"op\":\"c\",\"ord\":101}\n");
	put(batch, 0, 102, "shop.ads|", "{\"op\":\"t\",\"ord\":102}\n");
	put(batch, 1, 102, "shop.ads|", "{\"op\":\"t\",\"ord\":102}\n");
	put(batch, 0, 104, "shop.ads|17", "{\"op\":\"d\",\"ord\":104}\n");
	finish(log, batch, 100, 5, "binlog.000001:4711");
	finish(log, batch, 105, 0, "binlog.000001:5000");
	for (uint64_t i = 0; i < 700; i++) {
		char key[32], line[160];
		snprintf(key, sizeof key, "shop.ads|%llu", (unsigned long long)i);
		snprintf(line, sizeof line,
			"{\"op\":\"c\",\"key\":{\"id\":%llu},\"after\":{\"title\":\"%0*llu "
			"bicycles, "
			"hardly used\",\"price\":%llu.50}}\n",
			(unsigned long long)i, (int)(i % 40), (unsigned long long)i,
			(unsigned long long)(i * 37 % 1000));
		put(batch, 1, 105 + i, key, line);
	}
	finish(log, batch, 105, 700, "binlog.000002:4");
	log_batch_free(batch);
	log_close(log);
	clock_ops = tool_real_clock;
}

static const char golden[] = UNIT_SOURCE "/tests/data/segment/log";

static void written_bytes_are_the_documented_ones(void **state)
{
	(void)state;
	static const char *const same[] = {"0000000001-00000000000000000000.seg",
		"0000000001-00000000000000000000.idx", "tip"};
	char *folder = unit_folder();
	write_golden(folder);
	for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
		char path[400];
		snprintf(path, sizeof path, "%s/%s", folder, same[i]);
		struct tool_file got = tool_load(path);
		snprintf(path, sizeof path, "%s/%s", golden, same[i]);
		struct tool_file want = tool_load(path);
		assert_int_equal(got.len, want.len);
		assert_memory_equal(got.bytes, want.bytes, want.len);
		free(got.bytes);
		free(want.bytes);
	}
	unit_folder_remove(folder);
}

/* Frames of zstd may differ between its versions: what is read counts. */
static void documented_bytes_are_read(void **state)
{
	(void)state;
	char *folder = unit_folder();
	write_golden(folder);
	struct log_reader *ours = tool_reader(folder), *theirs = tool_reader(golden);
	struct log_view *a = NULL, *b = NULL;
	struct fault fault;
	for (int i = 0; i < 3; i++) {
		assert_rc(log_read(ours, &a, &fault));
		assert_rc(log_read(theirs, &b, &fault));
		assert_int_equal(a->first_ordinal, b->first_ordinal);
		assert_int_equal(a->arrival_us, b->arrival_us);
		assert_int_equal(a->fingerprint, b->fingerprint);
		assert_true(slice_equal(a->mark, b->mark));
		struct log_cursor one, other;
		struct log_record x, y;
		assert_rc(log_cursor_start(&one, ours, a, &fault));
		assert_rc(log_cursor_start(&other, theirs, b, &fault));
		enum rc rc;
		while ((rc = log_cursor_next(&one, &x, &fault)) == RC_OK) {
			assert_rc(log_cursor_next(&other, &y, &fault));
			assert_true(x.ordinal == y.ordinal && x.shard == y.shard &&
				slice_equal(x.key, y.key) && slice_equal(x.line, y.line));
		}
		assert_int_equal(rc, RC_END);
		assert_int_equal(log_cursor_next(&other, &y, &fault), RC_END);
	}
	assert_int_equal(log_read(theirs, &b, &fault), RC_END);
	log_reader_close(ours);
	log_reader_close(theirs);
	unit_folder_remove(folder);
}

/* ---- an independent reader ---- */

static void list_batch(FILE *out, const struct tool_plan *plan, const struct log_end *end,
	uint64_t address, uint64_t durable, uint64_t first, uint64_t count)
{
	bool has_control = false;
	for (uint64_t i = first; i < first + count; i++)
		has_control = has_control || tool_is_control(plan, i);
	fprintf(out,
		"{\"batch\":\"%u:%llu\",\"durable\":\"%u:%llu\",\"first_ordinal\":%llu,"
		"\"count\":%llu,\"stream_time_us\":%llu,\"arrival_us\":%lld,"
		"\"fingerprint\":65261,\"generation\":7,\"flags\":%d,\"mark\":\"after %llu\"}\n",
		address_segment(address), (unsigned long long)address_offset(address),
		address_segment(durable), (unsigned long long)address_offset(durable),
		(unsigned long long)first, (unsigned long long)count,
		(unsigned long long)(1000 + first), (long long)end->arrival_us, has_control,
		(unsigned long long)(first + count));
	for (uint32_t shard = 0; shard < plan->shards; shard++) {
		for (uint64_t ordinal = first; ordinal < first + count; ordinal++) {
			if (!tool_is_control(plan, ordinal) && tool_shard(plan, ordinal) != shard)
				continue;
			char room[64];
			struct slice key = tool_key(ordinal, room);
			uint8_t line[2000];
			tool_line(plan, ordinal, line);
			struct buf json = buf_of(20000);
			buf_json_string(&json, slice_of(line, tool_line_len(plan, ordinal)));
			fprintf(out,
				"{\"record\":%llu,\"shard\":%u,\"key\":\"%.*s\",\"line\":%s}\n",
				(unsigned long long)ordinal, shard, SLICE_ARGS(key),
				buf_cstring(&json));
			buf_release(&json);
		}
	}
}

/* Writes a log and, from what it was told to write, a listing; the reader in Python compares. */
static void another_program_reads_what_was_written(void **state)
{
	(void)state;
	static const struct tool_plan plans[] = {
		{.shards = 1, .codec = LOG_PLAIN, .line_len = 30},
		{.shards = 5, .codec = LOG_ZSTD, .line_len = 1500, .control_every = 30},
		{.shards = 3, .codec = LOG_ZSTD, .line_len = 100, .control_every = 3},
	};
	tool_stop_clock();
	for (size_t p = 0; p < sizeof plans / sizeof plans[0]; p++) {
		char *folder = unit_folder(), path[400], command[1000];
		snprintf(path, sizeof path, "%s/listing", folder);
		FILE *out = fopen(path, "w");
		struct log *log = tool_open(folder, 200000);
		uint32_t segment = 0;
		uint64_t next = 1;
		for (int i = 0; i < 8; i++, tool_now_us += 999) {
			uint64_t count = i == 3 ? 0 : 90 * (uint64_t)(i % 3 + 1);
			uint64_t durable = log_end(log)->address;
			(void)tool_write(&plans[p], log, next, count, 1);
			struct log_reader *reader = tool_reader(folder);
			assert_rc(log_seek_end(reader, NULL));
			log_reader_close(reader);
			snprintf(path, sizeof path, "%s/tip", folder);
			struct tool_file tip = tool_load(path);
			uint64_t address = load_u64le(tip.bytes + 16);
			free(tip.bytes);
			if (address_segment(address) != segment) {
				segment = address_segment(address);
				durable = address;
				fprintf(out,
					"{\"segment\":%u,\"first_ordinal\":%llu,\"created_us\":%"
					"lld,"
					"\"born_us\":%lld,\"owner\":\"\"}\n",
					segment, (unsigned long long)(segment == 1 ? 0 : next),
					(long long)tool_now_us, (long long)(tool_now_us - 999 * i));
			}
			list_batch(out, &plans[p], log_end(log), address, durable, next, count);
			next += count;
		}
		log_close(log);
		fclose(out);
		snprintf(command, sizeof command,
			"/usr/bin/python3 " UNIT_SOURCE
			"/tests/data/segment/read_segment.py '%s' '%s/listing'",
			folder, folder);
		assert_int_equal(system(command), 0);
		assert_true(segment > 1 || p != 1);
		unit_folder_remove(folder);
	}
	clock_ops = tool_real_clock;
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(names_tell_number_and_ordinal),
	cmocka_unit_test(rooms_double_up_to_the_size),
	cmocka_unit_test(headers_that_contradict_themselves_are_refused),
	cmocka_unit_test(any_header_is_survived),
	cmocka_unit_test(written_bytes_are_the_documented_ones),
	cmocka_unit_test(documented_bytes_are_read),
	cmocka_unit_test(another_program_reads_what_was_written),
};
int main(int count, char **arguments)
{
	thread_assert_off();
	if (count > 1) { /* makes the golden log: for a change of the format */
		write_golden(arguments[1]);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
