#include "unit.h"

#include "event/gtid.c"

#define U1 "3e11fa47-71ca-11e1-9e33-c80aa9429562"
#define U2 "4e11fa47-71ca-11e1-9e33-c80aa9429562"

static void check(enum gtid_flavor flavor, const char *const *add, const char *expected)
{
	struct gtid_set *set = gtid_set_new(flavor);
	for (; *add; add++)
		assert_rc(gtid_set_add(set, slice_text(*add)));
	struct buf text = buf_of(4096);
	gtid_set_text(set, &text);
	assert_string_equal(buf_cstring(&text), expected);
	buf_release(&text);
	gtid_set_free(set);
}

static void melts_intervals(void **state)
{
	(void)state;
	check(GTID_MYSQL, (const char *const[]){U1 ":1", U1 ":2", U1 ":3", NULL}, U1 ":1-3");
	check(GTID_MYSQL, (const char *const[]){U1 ":5-7", U1 ":1-2", U1 ":3-4", NULL}, U1 ":1-7");
	check(GTID_MYSQL, (const char *const[]){U1 ":1-3:8-9:5", NULL}, U1 ":1-3:5:8-9");
	check(GTID_MYSQL, (const char *const[]){U1 ":1-3:8-9:5", U1 ":2-20", NULL}, U1 ":1-20");
	check(GTID_MYSQL, (const char *const[]){U2 ":4,\n" U1 ":1-2 , " U2 ":7", NULL},
		U1 ":1-2," U2 ":4:7");
	check(GTID_MYSQL, (const char *const[]){"3E11FA47-71CA-11E1-9E33-C80AA9429562:1", NULL},
		U1 ":1");
	check(GTID_MYSQL, (const char *const[]){"", NULL}, "");
}

static void keeps_tags_apart(void **state)
{
	(void)state;
	check(GTID_MYSQL, (const char *const[]){U1 ":1-2:tag:1-3:7", U1 ":tag:4", U1 ":3", NULL},
		U1 ":1-3," U1 ":tag:1-4:7");
}

static void keeps_the_last_of_each_domain(void **state)
{
	(void)state;
	check(GTID_MARIADB, (const char *const[]){"0-1-5", "1-2-9", "0-3-6", NULL}, "0-3-6,1-2-9");
	check(GTID_MARIADB, (const char *const[]){"1-1-18446744073709551615", NULL},
		"1-1-18446744073709551615");
}

static void refuses_other_texts(void **state)
{
	(void)state;
	static const char *const mysql[] = {"x", U1, U1 ":", U1 ":0", U1 ":5-3", U1 ":1-",
		U1 ":1,,", U1 ":1 2", U1 ":99999999999999999999",
		"3e11fa47-71ca-11e1-9e33-c80aa942956g:1", U1 ":tag", U1 ":tag:"};
	static const char *const mariadb[] = {
		"0-1", "0-1-", "a-1-2", "0-1-2-3", "4294967296-1-2", "0-1-2;"};
	for (size_t i = 0; i < sizeof mysql / sizeof mysql[0]; i++) {
		struct gtid_set *set = gtid_set_new(GTID_MYSQL);
		if (gtid_set_add(set, slice_text(mysql[i])) != RC_CORRUPT)
			fail_msg("taken: %s", mysql[i]);
		gtid_set_free(set);
	}
	for (size_t i = 0; i < sizeof mariadb / sizeof mariadb[0]; i++) {
		struct gtid_set *set = gtid_set_new(GTID_MARIADB);
		if (gtid_set_add(set, slice_text(mariadb[i])) != RC_CORRUPT)
			fail_msg("taken: %s", mariadb[i]);
		gtid_set_free(set);
	}
}

static bool contains(enum gtid_flavor flavor, const char *whole_text, const char *part_text)
{
	struct gtid_set *whole = gtid_set_new(flavor), *part = gtid_set_new(flavor);
	assert_rc(gtid_set_add(whole, slice_text(whole_text)));
	assert_rc(gtid_set_add(part, slice_text(part_text)));
	bool result = gtid_set_contains(whole, part);
	gtid_set_free(whole);
	gtid_set_free(part);
	return result;
}

static void knows_what_is_inside(void **state)
{
	(void)state;
	assert_true(contains(GTID_MYSQL, U1 ":1-10", U1 ":2-3:10"));
	assert_false(contains(GTID_MYSQL, U1 ":1-10", U1 ":2-11"));
	assert_false(contains(GTID_MYSQL, U1 ":1-10", U2 ":1"));
	assert_true(contains(GTID_MYSQL, U1 ":1-10", ""));
	assert_true(contains(GTID_MARIADB, "0-1-10,1-1-5", "0-2-10"));
	assert_false(contains(GTID_MARIADB, "0-1-10", "1-1-1"));
	assert_false(contains(GTID_MARIADB, "0-1-10", "0-1-11"));
}

/* Against a bitmap: random intervals in random order. */
static void agrees_with_a_bitmap(void **state)
{
	(void)state;
	unsigned seed = 7;
	for (int round = 0; round < 200; round++) {
		bool have[64] = {false};
		struct gtid_set *set = gtid_set_new(GTID_MYSQL);
		for (int i = 0; i < 12; i++) {
			unsigned first = 1 + (unsigned)rand_r(&seed) % 60,
				 last = first + (unsigned)rand_r(&seed) % 4;
			char text[100];
			snprintf(text, sizeof text, U1 ":%u-%u", first, last > 63 ? 63 : last);
			assert_rc(gtid_set_add(set, slice_text(text)));
			for (unsigned n = first; n <= last && n < 64; n++)
				have[n] = true;
		}
		const struct part *part = &set->parts[0];
		for (uint64_t n = 1; n < 64; n++)
			assert_int_equal(has_interval(part, (struct interval){n, n}), have[n]);
		for (size_t i = 1; i < part->interval_count; i++)
			assert_true(part->intervals[i].first > part->intervals[i - 1].last + 1);
		gtid_set_free(set);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(melts_intervals),
	cmocka_unit_test(keeps_tags_apart),
	cmocka_unit_test(keeps_the_last_of_each_domain),
	cmocka_unit_test(refuses_other_texts),
	cmocka_unit_test(knows_what_is_inside),
	cmocka_unit_test(agrees_with_a_bitmap),
};
UNIT_MAIN(tests)
