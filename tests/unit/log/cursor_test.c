#include "unit.h"

#include "log_tools.h"

#include "log/cursor.c"

static const struct tool_plan plan = {
	.shards = 5, .codec = LOG_ZSTD, .line_len = 800, .control_every = 40};

/* A log of one batch, and the view of it. */
struct one {
	char *folder;
	struct log *log;
	struct log_reader *reader;
	struct log_view *view;
};

static struct one one_batch(const struct tool_plan *of, uint64_t first, uint64_t count)
{
	struct one one = {.folder = unit_folder()};
	struct fault fault;
	one.log = tool_open(one.folder, 1 << 20);
	(void)tool_write(of, one.log, first, count, 1);
	one.reader = tool_reader(one.folder);
	assert_rc(log_read(one.reader, &one.view, &fault));
	return one;
}

static void one_release(struct one *one)
{
	log_reader_close(one->reader);
	log_close(one->log);
	unit_folder_remove(one->folder);
}

static void control_records_come_once(void **state)
{
	(void)state;
	struct one one = one_batch(&plan, 1, 500);
	uint64_t records = 0;
	for (size_t i = 0; i < one.view->run_count; i++)
		records += one.view->runs[i].records;
	assert_int_equal(records, 500 + 12 * 4); /* 12 of them, in all shards */
	assert_int_equal(one.view->flags, LOG_HAS_CONTROL);
	tool_check_view(&plan, one.reader, one.view); /* each ordinal once, lowest shard */
	one_release(&one);
}

static void a_table_is_read_without_inflating(void **state)
{
	(void)state;
	struct one one = one_batch(&plan, 1, 500);
	for (size_t i = 0; i < one.view->run_count; i++) {
		struct log_table_cursor cursor;
		struct log_record record;
		struct log_run_view *run = &one.view->runs[i];
		uint64_t count = 0, bytes = 0;
		log_table_start(&cursor, run);
		enum rc rc;
		while ((rc = log_table_next(&cursor, &record)) == RC_OK) {
			char room[64];
			assert_true(slice_equal(record.key, tool_key(record.ordinal, room)));
			assert_int_equal(record.line.len, tool_line_len(&plan, record.ordinal));
			assert_int_equal(record.shard, run->shard);
			bytes += record.line.len;
			count++;
		}
		assert_int_equal(rc, RC_END);
		assert_int_equal(count, run->records);
		assert_int_equal(bytes, run->raw_len);
		assert_null(run->raw.at);
		assert_int_equal(run->codec, LOG_ZSTD);
	}
	one_release(&one);
}

static void a_run_is_inflated_once_and_alone(void **state)
{
	(void)state;
	struct one one = one_batch(&plan, 1, 500);
	struct fault fault;
	struct log_run_view *run = &one.view->runs[2];
	assert_rc(log_run_inflate(one.reader, run, &fault));
	const uint8_t *at = run->raw.at;
	assert_int_equal(run->raw.len, run->raw_len);
	assert_null(one.view->runs[1].raw.at);
	tool_check_view(&plan, one.reader, one.view);
	assert_ptr_equal(run->raw.at, at);
	one_release(&one);
}

static void foreign_frames_are_refused(void **state)
{
	(void)state;
	struct one one = one_batch(&plan, 1, 500);
	struct fault fault;
	struct log_run_view *run = &one.view->runs[0], good = *run;
	run->raw_len++;
	assert_int_equal(log_run_inflate(one.reader, run, &fault), RC_CORRUPT);
	*run = good;
	run->stored.len--;
	assert_int_equal(log_run_inflate(one.reader, run, &fault), RC_CORRUPT);
	*run = good;
	run->stored = SLICE("not a frame");
	assert_int_equal(log_run_inflate(one.reader, run, &fault), RC_CORRUPT);
	assert_non_null(strstr(fault.text, one.folder));
	*run = good;
	assert_rc(log_run_inflate(one.reader, run, &fault));
	one_release(&one);
}

/* ---- tables that lie ---- */

/* A table of entries gap, length, shared, rest of the key. */
static enum rc read_table(struct log_run_view run, const void *bytes, size_t len)
{
	struct log_table_cursor cursor;
	struct log_record record;
	run.table = slice_of(bytes, len);
	log_table_start(&cursor, &run);
	enum rc rc = RC_OK;
	while (rc == RC_OK)
		rc = log_table_next(&cursor, &record);
	return rc;
}

static void tables_that_do_not_add_up_are_refused(void **state)
{
	(void)state;
	struct log_run_view run = {.records = 2, .first_ordinal = 10, .last_ordinal = 12};
	assert_int_equal(read_table(run, "\0\5\0\2ab\1\5\1\1c", 11), RC_END);
	assert_int_equal(read_table(run, "\0\5\0\2ab\1\5\1\1c", 10), RC_CORRUPT);  /* short */
	assert_int_equal(read_table(run, "\0\5\0\2ab\1\5\1\1cx", 12), RC_CORRUPT); /* long */
	assert_int_equal(read_table(run, "\0\5\0\2ab\0\5\1\1c", 11), RC_CORRUPT);  /* 11, not 12 */
	assert_int_equal(read_table(run, "\0\5\0\2ab\2\5\1\1c", 11), RC_CORRUPT);  /* 13 */
	assert_int_equal(read_table(run, "\0\5\0\2ab\1\5\3\1c", 11), RC_CORRUPT);  /* shares 3 */
	assert_int_equal(read_table(run, "\0\5\1\2ab\1\5\1\1c", 11), RC_CORRUPT);  /* shares 1 */
	assert_int_equal(read_table(run, "\0\5\0\x81\x10", 5), RC_CORRUPT);        /* key of 2049 */
	assert_int_equal(
		read_table(run, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\5\0\1a", 14), RC_CORRUPT);
}

/* Any bytes are read without harm, and at most as many records as the run says. */
static void any_table_is_survived(void **state)
{
	(void)state;
	uint8_t bytes[64];
	for (uint64_t seed = 0; seed < 20000; seed++) {
		size_t len = tool_mix(seed) % sizeof bytes;
		for (size_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)(tool_mix(seed * 64 + i) >> 20) & (i % 3 ? 0x07 : 0xff);
		struct log_run_view run = {.records = tool_mix(seed + 1) % 20,
			.first_ordinal = UINT64_MAX - 20,
			.last_ordinal = UINT64_MAX - tool_mix(seed + 2) % 20};
		enum rc rc = read_table(run, bytes, len);
		assert_true(rc == RC_END || rc == RC_CORRUPT);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(control_records_come_once),
	cmocka_unit_test(a_table_is_read_without_inflating),
	cmocka_unit_test(a_run_is_inflated_once_and_alone),
	cmocka_unit_test(foreign_frames_are_refused),
	cmocka_unit_test(tables_that_do_not_add_up_are_refused),
	cmocka_unit_test(any_table_is_survived),
};
UNIT_MAIN(tests)
