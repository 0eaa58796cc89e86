#include "unit.h"

#include "log_tools.h"

#include "log/retain.c"

static const struct tool_plan plan = {.shards = 2, .codec = LOG_ZSTD, .line_len = 60};

/* A log of many small segments; one second between batches. */
static struct log *write_log(const char *folder, uint64_t *ret_next)
{
	tool_stop_clock();
	struct log *log = tool_open(folder, 4096);
	*ret_next = 1;
	for (int i = 0; i < 30; i++) {
		tool_now_us += 1000000;
		*ret_next = tool_write(&plan, log, *ret_next, 10, 1);
	}
	assert_true(log->segment_count > 5);
	return log;
}

static void check_left(const struct log *log, const char *folder, uint64_t next)
{
	const struct log_segment *oldest = &log->segments[0];
	struct log_reader *reader = tool_reader(folder);
	assert_int_equal(tool_read_on(&plan, reader,
				 oldest->name.first_ordinal ? oldest->name.first_ordinal : 1),
		next);
	log_reader_close(reader);
}

static void nothing_goes_without_a_reason(void **state)
{
	(void)state;
	char *folder = unit_folder();
	uint64_t next = 0;
	struct log *log = write_log(folder, &next);
	struct log_retained retained;
	struct fault fault;
	struct log_retention retention = {.keep_from = UINT64_MAX};
	assert_rc(log_retain(log, &retention, &retained, &fault));
	assert_int_equal(retained.dropped_segments, 0);
	retention.size_max = retained.bytes;
	assert_rc(log_retain(log, &retention, &retained, &fault));
	assert_int_equal(retained.dropped_segments, 0);
	assert_false(retained.held);
	check_left(log, folder, next);
	log_close(log);
	unit_folder_remove(folder);
}

static void old_segments_go_when_all_of_them_is_old(void **state)
{
	(void)state;
	char *folder = unit_folder();
	uint64_t next = 0;
	struct log *log = write_log(folder, &next);
	log_close(log);
	log = tool_open(folder, 4096); /* arrivals are learned from the files */
	struct log_retained retained;
	struct fault fault;
	int64_t last_us = 0;
	for (int i = 29; i >= 0; i--) {
		struct log_retention retention = {
			.arrived_before_us = tool_now_us - i * 1000000, .keep_from = UINT64_MAX};
		assert_rc(log_retain(log, &retention, &retained, &fault));
		struct log_reader *reader = tool_reader(folder);
		struct log_view *view = NULL;
		assert_rc(log_read(reader, &view, &fault));
		/* the oldest segment still has something that is not older */
		assert_true(log->segment_count == 1 ||
			log->segments[0].last_arrival_us >= retention.arrived_before_us);
		assert_true(view->arrival_us >= last_us);
		last_us = view->arrival_us;
		log_reader_close(reader);
		check_left(log, folder, next);
	}
	struct log_retention retention = {.arrived_before_us = INT64_MAX, .keep_from = UINT64_MAX};
	assert_rc(log_retain(log, &retention, &retained, &fault));
	assert_int_equal(log->segment_count, 1); /* never the last one */
	check_left(log, folder, next);
	log_close(log);
	unit_folder_remove(folder);
}

static void segments_beyond_the_size_go(void **state)
{
	(void)state;
	char *folder = unit_folder();
	uint64_t next = 0;
	struct log *log = write_log(folder, &next);
	struct log_retained retained;
	struct fault fault;
	struct log_retention retention = {.size_max = 30000, .keep_from = UINT64_MAX};
	assert_rc(log_retain(log, &retention, &retained, &fault));
	assert_true(retained.dropped_segments > 0);
	assert_true(retained.bytes - log->segments[0].bytes <= 30000);
	assert_true(retained.bytes > 30000); /* the rest of it is kept, and no less */
	uint64_t bytes = 0, first = 0, until = 0;
	struct log_reader *reader = tool_reader(folder);
	assert_rc(log_bounds(reader, &first, &until, &bytes, &fault));
	assert_int_equal(bytes, retained.bytes);
	assert_int_equal(first, retained.first_ordinal);
	log_reader_close(reader);
	check_left(log, folder, next);
	next = tool_write(&plan, log, next, 10, 10);
	check_left(log, folder, next);
	log_close(log);
	log = tool_open(folder, 4096);
	assert_int_equal(log_end(log)->next_ordinal, next);
	check_left(log, folder, next);
	log_close(log);
	unit_folder_remove(folder);
}

static void what_is_held_back_stays(void **state)
{
	(void)state;
	char *folder = unit_folder();
	uint64_t next = 0;
	struct log *log = write_log(folder, &next);
	struct log_retained retained;
	struct fault fault;
	for (uint64_t keep = 0; keep <= next; keep += 3) {
		struct log_retention retention = {.size_max = 1, .keep_from = keep};
		assert_rc(log_retain(log, &retention, &retained, &fault));
		assert_int_equal(retained.held, log->segment_count > 1);
		struct log_reader *reader = tool_reader(folder);
		struct log_view *view = NULL;
		assert_rc(log_read(reader, &view, &fault));
		assert_true(view->first_ordinal <= keep || keep == 0);
		log_reader_close(reader);
		check_left(log, folder, next);
	}
	assert_int_equal(log->segment_count, 1);
	assert_false(retained.held);
	struct log_retention old = {.arrived_before_us = INT64_MAX, .keep_from = 0};
	assert_rc(log_retain(log, &old, &retained, &fault));
	assert_false(retained.held); /* only a size that is exceeded counts */
	log_close(log);
	unit_folder_remove(folder);
}

/* A new segment without a batch: the log's end stands in the one before it, which must stay. */
static void the_last_batch_stays(void **state)
{
	(void)state;
	char *folder = unit_folder();
	uint64_t next = 0;
	struct log *log = write_log(folder, &next);
	struct log_retained retained;
	struct fault fault;
	assert_rc(log_roll(log, 100, &fault));
	struct log_retention retention = {.arrived_before_us = INT64_MAX, .keep_from = UINT64_MAX};
	assert_rc(log_retain(log, &retention, &retained, &fault));
	assert_int_equal(log->segment_count, 2);
	log_close(log);
	log = tool_open(folder, 4096);
	assert_int_equal(log_end(log)->next_ordinal, next);
	assert_rc(log_retain(log, &retention, &retained, &fault));
	assert_int_equal(log->segment_count, 2);
	next = tool_write(&plan, log, next, 10, 1);
	assert_rc(log_retain(log, &retention, &retained, &fault));
	assert_int_equal(log->segment_count, 1);
	check_left(log, folder, next);
	log_close(log);
	unit_folder_remove(folder);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(nothing_goes_without_a_reason),
	cmocka_unit_test(old_segments_go_when_all_of_them_is_old),
	cmocka_unit_test(segments_beyond_the_size_go),
	cmocka_unit_test(what_is_held_back_stays),
	cmocka_unit_test(the_last_batch_stays),
};
UNIT_MAIN(tests)
