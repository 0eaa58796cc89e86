#include "unit.h"

#include "base/json.c"

static const char *escaped(const char *text, size_t len)
{
	static uint8_t out[4096];
	uint8_t *end = json_put_escaped(out, (const uint8_t *)text, len);
	if (!end)
		return NULL;
	*end = 0;
	return (const char *)out;
}

static void writes_integers(void **state)
{
	(void)state;
	static const uint64_t values[] = {0, 9, 10, 99, 100, 999, 1000, 9999, 10000, 12345678,
		100000000, 9999999999999999ULL, 10000000000000000ULL, UINT64_MAX};
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		char expected[32], got[32];
		snprintf(expected, sizeof expected, "%llu", (unsigned long long)values[i]);
		*json_put_u64((uint8_t *)got, values[i]) = 0;
		assert_string_equal(got, expected);
	}
	char got[32];
	*json_put_i64((uint8_t *)got, INT64_MIN) = 0;
	assert_string_equal(got, "-9223372036854775808");
	for (uint64_t value = 1; value < UINT64_MAX / 7; value = value * 7 + 3) {
		char expected[32];
		snprintf(expected, sizeof expected, "%llu", (unsigned long long)value);
		*json_put_u64((uint8_t *)got, value) = 0;
		assert_string_equal(got, expected);
	}
}

static void writes_shortest_doubles(void **state)
{
	(void)state;
	static const struct {
		double value;
		const char *text;
	} rows[] = {{0, "0"}, {1.5, "1.5"}, {-0.0, "-0"}, {0.1, "0.1"}, {1e100, "1e100"},
		{1e-7, "1e-7"}, {123456789.123, "123456789.123"}, {5e-324, "5e-324"},
		{1.7976931348623157e308, "1.7976931348623157e308"}, {100, "100"}, {1e15, "1e15"},
		{123456789012345.0, "123456789012345"}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char got[40];
		*json_put_double((uint8_t *)got, rows[i].value) = 0;
		assert_string_equal(got, rows[i].text);
	}
	char got[40];
	*json_put_float((uint8_t *)got, 0.1f) = 0;
	assert_string_equal(got, "0.1");
	*json_put_float((uint8_t *)got, 16777216.0f) = 0;
	assert_string_equal(got, "16777216");
}

static void escapes_strings(void **state)
{
	(void)state;
	assert_string_equal(escaped("plain text that is longer than sixteen", 38),
		"plain text that is longer than sixteen");
	assert_string_equal(escaped("a\"b\\c\n\t\x01\x7f", 9), "a\\\"b\\\\c\\n\\t\\u0001\x7f");
	assert_string_equal(escaped("0123456789abcde\"0123456789abcdef\n", 33),
		"0123456789abcde\\\"0123456789abcdef\\n");
	assert_string_equal(escaped("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", 15),
		"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
}

/* Vectors, their overlapping ends and single bytes: each length, each place, bytes around every
 * border, against the rule taken literally. The text lies at the very end of its memory. */
static void finds_each_byte_at_each_place(void **state)
{
	(void)state;
	enum { LEN_MAX = 40 };
	static const uint8_t bytes[] = {
		0, 0x1f, 0x20, '!', '"', '#', '[', '\\', ']', 0x7f, 0x80, 0xff};
	for (size_t len = 1; len <= LEN_MAX; len++) {
		for (size_t i = 0; i < len * sizeof bytes; i++) {
			size_t place = i / sizeof bytes;
			uint8_t byte = bytes[i % sizeof bytes];
			uint8_t *text = malloc(len), *out = malloc(6 * len + JSON_ESCAPE_ROOM);
			memset(text, 'x', len);
			text[place] = byte;
			uint8_t expected[LEN_MAX + 6], *at = expected + place;
			memset(expected, 'x', sizeof expected);
			if (byte < 0x20 || byte == '"' || byte == '\\')
				at = put_escape(at, byte);
			else
				*at++ = byte;
			size_t expected_len = (size_t)(at - expected) + (len - place - 1);
			const uint8_t *end = json_put_escaped(out, text, len);
			if (byte >= 0x80) {
				assert_null(end);
			} else {
				assert_int_equal(end - out, expected_len);
				assert_memory_equal(out, expected, expected_len);
			}
			free(text);
			free(out);
		}
	}
}

static void refuses_what_is_not_utf8(void **state)
{
	(void)state;
	static const char *const bad[] = {"\x80", "\xc0\xaf", "\xc3", "\xe2\x82", "\xed\xa0\x80",
		"\xf4\x90\x80\x80", "\xf0\x80\x80\x80", "\xff", "\xe0\x80\x80",
		"abcdefghijklmnop\xc3(", "\xf8\x88\x80\x80\x80"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_null(escaped(bad[i], strlen(bad[i])));
	assert_non_null(escaped("\xf4\x8f\xbf\xbf\xed\x9f\xbf", 7));
}

static void converts_latin1(void **state)
{
	(void)state;
	uint8_t out[64];
	*json_put_escaped_latin1(out, (const uint8_t *)"\x80\xfc\x81\"", 4) = 0;
	assert_string_equal((char *)out, "\xe2\x82\xac\xc3\xbc\xc2\x81\\\"");
}

static void writes_base64(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
	for (size_t i = 0; i < 5; i++) {
		uint8_t out[32];
		*json_put_base64(out, (const uint8_t *)rows[i][0], strlen(rows[i][0])) = 0;
		assert_string_equal((char *)out, rows[i][1]);
	}
}

static void writes_times(void **state)
{
	(void)state;
	static const struct {
		int64_t time_us;
		unsigned digits;
		const char *text;
	} rows[] = {{0, 0, "1970-01-01T00:00:00Z"},
		{1764056040123456, 6, "2025-11-25T07:34:00.123456Z"},
		{951782400000000, 0, "2000-02-29T00:00:00Z"},
		{-1, 6, "1969-12-31T23:59:59.999999Z"},
		{253402300799000000, 3, "9999-12-31T23:59:59.000Z"},
		{-62167219200000000, 0, "0000-01-01T00:00:00Z"},
		{-62162035200000001, 6, "0000-02-29T23:59:59.999999Z"},
		{-62162035200000000, 0, "0000-03-01T00:00:00Z"},
		/* outside: the ends */
		{-62167219200000001, 0, "0000-01-01T00:00:00Z"},
		{INT64_MIN, 0, "0000-01-01T00:00:00Z"},
		{253402300800000000, 6, "9999-12-31T23:59:59.999999Z"},
		{INT64_MAX, 6, "9999-12-31T23:59:59.999999Z"}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t out[40];
		*json_put_time_us(out, rows[i].time_us, rows[i].digits) = 0;
		assert_string_equal((char *)out, rows[i].text);
	}
}

static void builds_objects(void **state)
{
	(void)state;
	struct buf buf = buf_of(200);
	buf_text(&buf, "{");
	buf_json_key(&buf, "a");
	buf_json_string(&buf, SLICE("x\xff\n"));
	buf_json_key(&buf, "b");
	buf_json_i64(&buf, -5);
	buf_text(&buf, "}");
	assert_string_equal(buf_cstring(&buf), "{\"a\":\"x\xef\xbf\xbd\\n\",\"b\":-5}");
	buf_release(&buf);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(writes_integers),
	cmocka_unit_test(writes_shortest_doubles),
	cmocka_unit_test(escapes_strings),
	cmocka_unit_test(finds_each_byte_at_each_place),
	cmocka_unit_test(refuses_what_is_not_utf8),
	cmocka_unit_test(converts_latin1),
	cmocka_unit_test(writes_base64),
	cmocka_unit_test(writes_times),
	cmocka_unit_test(builds_objects),
};
UNIT_MAIN(tests)
