#include "unit.h"

#include "capture/filter.c"

#define LIST(...) \
	(const char *const[]){__VA_ARGS__}, \
		sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static struct capture_options with(const char *const *tables, size_t table_count,
	const char *const *exclude, size_t exclude_count)
{
	return (struct capture_options){.tables = tables,
		.table_count = table_count,
		.exclude = exclude,
		.exclude_count = exclude_count};
}

static void captures_what_matches_and_is_not_excluded(void **state)
{
	(void)state;
	struct capture_options options = with(LIST("ads.*", "shop"), LIST("*.tmp_*"));
	assert_true(filter_table(&options, SLICE("ads"), SLICE("listings")));
	assert_true(filter_table(&options, SLICE("shop"), SLICE("orders")));
	assert_false(filter_table(&options, SLICE("ads"), SLICE("tmp_x")));
	assert_false(filter_table(&options, SLICE("other"), SLICE("t")));
	assert_true(filter_database(&options, SLICE("ads")));
	assert_false(filter_database(&options, SLICE("ad")));
	options = with(LIST("*"), LIST("nothing"));
	assert_false(filter_table(&options, SLICE("mysql"), SLICE("user")));
	assert_false(filter_database(&options, SLICE("performance_schema")));
	assert_true(filter_database(&options, SLICE("mysqlx")));
}

static void another_setting_is_another_fingerprint(void **state)
{
	(void)state;
	struct capture_options a = with(LIST("a", "b"), LIST("c")),
			       b = with(LIST("a"), LIST("b", "c"));
	struct capture_options same = with(LIST("a", "b"), LIST("c"));
	assert_true(filter_fingerprint(&a) == filter_fingerprint(&same));
	assert_true(filter_fingerprint(&a) != filter_fingerprint(&b));
	same.skip = (const char *const[]){"f:4"};
	same.skip_count = 1;
	assert_true(filter_fingerprint(&a) != filter_fingerprint(&same));
}

static void steps_over_what_is_named(void **state)
{
	(void)state;
	struct capture_options options = with(LIST("*"), LIST("x"));
	struct fault fault;
	options.skip = (const char *const[]){"binlog.000003:1234", "b:c.1:5"};
	options.skip_count = 2;
	assert_rc(filter_check(&options, &fault));
	assert_true(filter_skips(&options, "binlog.000003", 1234));
	assert_true(filter_skips(&options, "b:c.1", 5));
	assert_false(filter_skips(&options, "binlog.000003", 123));
	assert_false(filter_skips(&options, "binlog.00000", 1234));
	char long_name[EVENT_FILE_MAX + 8];
	snprintf(long_name, sizeof long_name, "%0*d:5", EVENT_FILE_MAX, 0);
	const char *const bad[] = {"binlog.000003", "x:", ":5", "x:5y", "x: 5", "x:-5", "x:+5",
		"x:18446744073709551616", long_name};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		options.skip = &bad[i];
		options.skip_count = 1;
		assert_int_equal(filter_check(&options, &fault), RC_CONFIG);
	}
}

static void knows_what_was_said_of_a_column(void **state)
{
	(void)state;
	struct capture_options options = with(LIST("*"), LIST("x"));
	options.json_columns = (const char *const[]){"a.t.j", "!a.t.plain", "a.b.c.d"};
	options.json_column_count = 3;
	assert_int_equal(filter_json(&options, SLICE("a"), SLICE("t"), SLICE("j")), 1);
	assert_int_equal(filter_json(&options, SLICE("a"), SLICE("t"), SLICE("plain")), 0);
	assert_int_equal(filter_json(&options, SLICE("a"), SLICE("t"), SLICE("x")), -1);
	assert_int_equal(filter_json(&options, SLICE("a"), SLICE("b.c"), SLICE("d")), 1);
	assert_int_equal(filter_json(&options, SLICE("a.b"), SLICE("c"), SLICE("d")), 1);
	assert_int_equal(filter_json(&options, SLICE("a.b.c"), SLICE("c"), SLICE("d")), -1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(captures_what_matches_and_is_not_excluded),
	cmocka_unit_test(another_setting_is_another_fingerprint),
	cmocka_unit_test(steps_over_what_is_named),
	cmocka_unit_test(knows_what_was_said_of_a_column),
};
UNIT_MAIN(tests)
