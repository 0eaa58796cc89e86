#include "unit.h"

#include "event/value.c"

static const char *json_of(const struct value *value)
{
	static uint8_t out[1024];
	uint8_t *end = event_put_value(out, value);
	if (!end)
		return NULL;
	*end = 0;
	return (const char *)out;
}

static const char *key_of(const struct value *value)
{
	static uint8_t out[1024];
	uint8_t *end = event_put_key_value(out, value);
	if (!end)
		return NULL;
	*end = 0;
	return (const char *)out;
}

#define BYTES(value_kind, literal) (&(struct value){.kind = (value_kind), .bytes = SLICE(literal)})
#define TIME(value_kind, ...) (&(struct value){.kind = (value_kind), .time = {__VA_ARGS__}})

static void spells_numbers(void **state)
{
	(void)state;
	assert_string_equal(json_of(&(struct value){.kind = VALUE_NULL}), "null");
	assert_string_equal(json_of(&(struct value){.kind = VALUE_INT, .i = INT64_MIN}),
		"-9223372036854775808");
	assert_string_equal(json_of(&(struct value){.kind = VALUE_UINT, .u = UINT64_MAX}),
		"18446744073709551615");
	assert_string_equal(json_of(&(struct value){.kind = VALUE_FLOAT, .f = 1.1f}), "1.1");
	assert_string_equal(json_of(&(struct value){.kind = VALUE_DOUBLE, .d = 1e300}), "1e300");
	assert_string_equal(json_of(BYTES(VALUE_DECIMAL, "-12.50")), "-12.50");
}

static void spells_texts(void **state)
{
	(void)state;
	assert_string_equal(json_of(BYTES(VALUE_TEXT, "a\"\n\xc3\xbc")), "\"a\\\"\\n\xc3\xbc\"");
	assert_null(json_of(BYTES(VALUE_TEXT, "a\xff")));
	assert_string_equal(json_of(BYTES(VALUE_LATIN1, "\xfc\x80")), "\"\xc3\xbc\xe2\x82\xac\"");
	assert_string_equal(json_of(BYTES(VALUE_BYTES, "\x00\x01\xff")), "\"AAH/\"");
	assert_string_equal(json_of(BYTES(VALUE_JSON, "{\"a\":[1]}")), "{\"a\":[1]}");
}

static void spells_times(void **state)
{
	(void)state;
	assert_string_equal(
		json_of(TIME(VALUE_DATE, .year = 2026, .month = 11, .day = 5)), "\"2026-11-05\"");
	assert_string_equal(json_of(TIME(VALUE_DATE, .year = 0)), "\"0000-00-00\"");
	assert_string_equal(json_of(TIME(VALUE_TIME, .negative = true, .hour = 838, .minute = 59,
				    .second = 59)),
		"\"-838:59:59\"");
	assert_string_equal(json_of(TIME(VALUE_TIME, .hour = 1, .micros = 50000, .digits = 2)),
		"\"01:00:00.05\"");
	assert_string_equal(
		json_of(TIME(VALUE_DATETIME, .year = 9999, .month = 12, .day = 31, .hour = 23,
			.minute = 59, .second = 59, .micros = 999999, .digits = 6)),
		"\"9999-12-31T23:59:59.999999\"");
	assert_string_equal(json_of(TIME(VALUE_TIMESTAMP, .year = 1970, .month = 1, .day = 1,
				    .second = 1, .micros = 1000, .digits = 3)),
		"\"1970-01-01T00:00:01.001Z\"");
}

static void spells_keys(void **state)
{
	(void)state;
	assert_string_equal(key_of(&(struct value){.kind = VALUE_UINT, .u = 42}), "42");
	assert_string_equal(key_of(BYTES(VALUE_TEXT, "a|b\\c\"d")), "a\\|b\\\\c\"d");
	assert_string_equal(key_of(BYTES(VALUE_LATIN1, "\xfc|")), "\xc3\xbc\\|");
	assert_null(key_of(BYTES(VALUE_TEXT, "\x80")));
	assert_string_equal(key_of(BYTES(VALUE_BYTES, "\xff")), "/w==");
	assert_string_equal(key_of(BYTES(VALUE_JSON, "\"new\"")), "new");
	assert_string_equal(
		key_of(TIME(VALUE_DATE, .year = 2026, .month = 1, .day = 2)), "2026-01-02");
}

static void no_fixed_value_passes_its_maximum(void **state)
{
	(void)state;
	struct value widest[] = {
		{.kind = VALUE_TIMESTAMP,
			.time = {.year = 9999, .hour = 838, .micros = 999999, .digits = 6}},
		{.kind = VALUE_DOUBLE, .d = -2.2250738585072014e-308},
		{.kind = VALUE_DECIMAL,
			.bytes = SLICE("-99999999999999999999999999999999999."
				       "999999999999999999999999999999")},
	};
	for (size_t i = 0; i < sizeof widest / sizeof widest[0]; i++)
		assert_true(strlen(json_of(&widest[i])) <= VALUE_FIXED_MAX);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(spells_numbers),
	cmocka_unit_test(spells_texts),
	cmocka_unit_test(spells_times),
	cmocka_unit_test(spells_keys),
	cmocka_unit_test(no_fixed_value_passes_its_maximum),
};
UNIT_MAIN(tests)
