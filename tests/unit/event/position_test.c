#include "unit.h"

#include "event/position.c"

static void reads_what_it_wrote(void **state)
{
	(void)state;
	struct event_position position = {.server = "mariadb-1",
		.file = "binlog.000003",
		.pos = 5000000000ULL,
		.gtid = "0-1-5",
		.group = "0-1-6",
		.rows = 17};
	struct buf bytes = buf_of(1000);
	event_position_write(&position, &bytes);
	struct reader reader = reader_of(bytes.at, bytes.len);
	struct event_position got = {0};
	assert_rc(event_position_read(&reader, &got));
	assert_memory_equal(&got, &position, sizeof got);
	assert_int_equal(reader_left(&reader), 0);
	for (size_t cut = 0; cut < bytes.len; cut++) {
		reader = reader_of(bytes.at, cut);
		assert_int_not_equal(event_position_read(&reader, &got), RC_OK);
	}
	bytes.at[0] = 9;
	reader = reader_of(bytes.at, bytes.len);
	assert_int_equal(event_position_read(&reader, &got), RC_CORRUPT);
	buf_reset(&bytes);
	event_position_text(&position, &bytes);
	assert_string_equal(buf_cstring(&bytes),
		"binlog.000003:5000000000 (GTID 0-1-5) inside 0-1-6 after 17 rows");
	buf_release(&bytes);
}

static void orders_files_by_number(void **state)
{
	(void)state;
	assert_int_equal(event_file_compare("binlog.000009", "binlog.000010"), -1);
	assert_int_equal(event_file_compare("binlog.999999", "binlog.1000000"), -1);
	assert_int_equal(event_file_compare("binlog.000007", "binlog.000007"), 0);
	assert_int_equal(event_file_compare("binlog.000008", "binlog.000007"), 1);
	assert_int_equal(event_file_compare("a.b.000002", "a.b.000010"), -1);
	assert_int_equal(event_file_compare("a.000002", "b.000001"), -1);
	assert_int_equal(event_file_compare("plain", "plain"), 0);
	/* one order, without circles, whatever the names */
	assert_int_equal(event_file_compare("binlog.000009", "binlog.1000000l"), -1);
	assert_int_equal(event_file_compare("binlog.1000000l", "binlog.8"), 1);
	assert_int_equal(event_file_compare("a.95", "a.9.1"), -1);
	assert_int_equal(event_file_compare("a.9.1", "a.100"), 1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_what_it_wrote),
	cmocka_unit_test(orders_files_by_number),
};
UNIT_MAIN(tests)
