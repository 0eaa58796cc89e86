#include "unit.h"

#include <time.h>

#include "mysql/temporal.c"

/* Every day that a TIMESTAMP of 32 bits can hold, against the C library. */
static void days_are_those_of_the_calendar(void **state)
{
	(void)state;
	for (uint32_t days = 0; days <= UINT32_MAX / 86400; days++) {
		time_t seconds = (time_t)days * 86400;
		struct tm tm;
		struct value_time time = {0};
		gmtime_r(&seconds, &tm);
		unpack_days(days, &time);
		if (time.year != tm.tm_year + 1900 || time.month != tm.tm_mon + 1 ||
			time.day != tm.tm_mday)
			fail_msg("day %u is read as %u-%u-%u", days, time.year, time.month,
				time.day);
	}
}

static void seconds_are_those_of_the_day(void **state)
{
	(void)state;
	for (uint64_t seconds = 1; seconds <= UINT32_MAX; seconds += 40009) {
		time_t when = (time_t)seconds;
		struct tm tm;
		struct value_time time;
		uint8_t bytes[4] = {(uint8_t)(seconds >> 24), (uint8_t)(seconds >> 16),
			(uint8_t)(seconds >> 8), (uint8_t)seconds};
		gmtime_r(&when, &tm);
		assert_true(timestamp_read(bytes, 0, &time));
		assert_int_equal(time.hour, tm.tm_hour);
		assert_int_equal(time.minute, tm.tm_min);
		assert_int_equal(time.second, tm.tm_sec);
	}
}

static void a_timestamp_of_zero_is_no_time(void **state)
{
	(void)state;
	struct value_time time;
	assert_true(timestamp_read((const uint8_t *)"\0\0\0\0\0\0\0", 6, &time));
	assert_int_equal(time.year, 0);
	assert_int_equal(time.digits, 6);
	assert_true(timestamp_read((const uint8_t *)"\0\0\0\0\0\0\1", 6, &time));
	assert_int_equal(time.year, 1970);
	assert_int_equal(time.micros, 1);
	assert_true(old_timestamp_read((const uint8_t *)"\0\0\0\0", &time));
	assert_int_equal(time.month, 0);
}

static uint64_t packed_datetime(unsigned year, unsigned month, unsigned day, unsigned hour,
	unsigned minute, unsigned second)
{
	uint64_t months = year * 13 + month;
	return 1ULL << 39 | months << 22 | (uint64_t)day << 17 | (uint64_t)hour << 12 |
		(uint64_t)minute << 6 | second;
}

static bool reads_datetime(uint64_t packed)
{
	uint8_t bytes[8] = {0};
	struct value_time time;
	for (int i = 0; i < 5; i++)
		bytes[i] = (uint8_t)(packed >> 8 * (4 - i));
	return datetime_read(bytes, 0, &time);
}

static void impossible_times_are_refused(void **state)
{
	(void)state;
	struct value_time time;
	assert_true(reads_datetime(packed_datetime(9999, 12, 31, 23, 59, 59)));
	assert_true(reads_datetime(packed_datetime(0, 0, 0, 0, 0, 0)));
	assert_false(reads_datetime(packed_datetime(10000, 1, 1, 0, 0, 0)));
	assert_false(reads_datetime(packed_datetime(2000, 1, 1, 24, 0, 0)));
	assert_false(reads_datetime(packed_datetime(2000, 1, 1, 0, 60, 0)));
	assert_false(reads_datetime(packed_datetime(2000, 1, 1, 0, 0, 60)));
	assert_false(reads_datetime(packed_datetime(2000, 1, 1, 0, 0, 0) & ~(1ULL << 39)));
	/* fractions of more than a second */
	assert_false(datetime_read(
		(const uint8_t *)"\x99\xb8\x2e\x00\x00\x64", 1, &time)); /* 100 hundredths */
	assert_true(datetime_read((const uint8_t *)"\x99\xb8\x2e\x00\x00\x63", 1, &time));
	assert_false(datetime_read((const uint8_t *)"\x99\xb8\x2e\x00\x00\xff\xff\xff", 6, &time));
	assert_false(timestamp_read((const uint8_t *)"\x10\0\0\0\xff\xff\xff", 5, &time));
	/* month 13, day 0 to 31 fit their bits: a date of three bytes */
	assert_false(date_read((const uint8_t *)"\xbf\xd1\x0f", &time));
	assert_true(date_read((const uint8_t *)"\x9f\x1f\x4e", &time));
	assert_false(date_read((const uint8_t *)"\xff\xff\xff", &time));
	/* beyond 838:59:59 */
	assert_true(time_read((const uint8_t *)"\xb4\x6e\xfb", 0, &time));
	assert_int_equal(time.hour, 838);
	assert_false(time_read((const uint8_t *)"\xb4\x70\x00", 0, &time));
	assert_false(time_read((const uint8_t *)"\xff\xff\xff", 0, &time));
	assert_false(time_read((const uint8_t *)"\0\0\0", 0, &time));
	assert_false(old_time_read((const uint8_t *)"\x00\x00\x80", &time));
	assert_false(old_time_read((const uint8_t *)"\x60\0\0\0", &time)); /* 96 seconds */
	assert_false(old_datetime_read((const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff", &time));
	assert_false(packed_datetime_read(-1, &time));
	assert_false(packed_datetime_read(INT64_MAX, &time));
	assert_false(packed_time_read(INT64_MIN, &time));
	assert_false(packed_time_read(INT64_MAX, &time));
	assert_false(packed_time_read(0xffffff, &time));
}

static void negative_times_borrow_from_their_fraction(void **state)
{
	(void)state;
	struct value_time time;
	/* -00:00:00.01, -00:00:01.99, -12:34:56.789012 */
	assert_true(time_read((const uint8_t *)"\x7f\xff\xff\xff", 2, &time));
	assert_true(time.negative && time.second == 0);
	assert_int_equal(time.micros, 10000);
	assert_true(time_read((const uint8_t *)"\x7f\xff\xfe\x9d", 2, &time));
	assert_true(time.negative && time.second == 1);
	assert_int_equal(time.micros, 990000);
	assert_true(time_read((const uint8_t *)"\x7f\x37\x47\xf3\xf5\xec", 6, &time));
	assert_true(time.negative && time.hour == 12 && time.minute == 34 && time.second == 56);
	assert_int_equal(time.micros, 789012);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(days_are_those_of_the_calendar),
	cmocka_unit_test(seconds_are_those_of_the_day),
	cmocka_unit_test(a_timestamp_of_zero_is_no_time),
	cmocka_unit_test(impossible_times_are_refused),
	cmocka_unit_test(negative_times_borrow_from_their_fraction),
};
UNIT_MAIN(tests)
