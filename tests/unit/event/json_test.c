#include "unit.h"

#include "event/json.c"

static enum rc compact(const char *text, struct buf *out)
{
	buf_reset(out);
	return event_json_compact(slice_text(text), out);
}

static void takes_white_space_out(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{" { \"a\" : [ 1 , 2.50 ,\n-3e+05, true ] ,\t\"b c\":null } ",
			"{\"a\":[1,2.50,-3e+05,true],\"b c\":null}"},
		{"[]", "[]"},
		{"{}", "{}"},
		{"\"x y\"", "\"x y\""},
		{"0", "0"},
		{"-0.0", "-0.0"},
		{" false", "false"},
		{"[[],{}]", "[[],{}]"},
		{"\"\\u00e9\\n\\\"\"", "\"\\u00e9\\n\\\"\""},
		{"\"\xc3\xbc\"", "\"\xc3\xbc\""},
	};
	struct buf out = buf_of(1000);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_rc(compact(rows[i][0], &out));
		assert_string_equal(buf_cstring(&out), rows[i][1]);
	}
	buf_release(&out);
}

static void refuses_what_is_not_json(void **state)
{
	(void)state;
	static const char *const rows[] = {"", " ", "{", "[1", "[1,]", "{\"a\"}", "{\"a\":}",
		"{\"a\":1,}", "{a:1}", "01", "1.", ".5", "+1", "1e", "--1", "tru", "nulll", "\"a",
		"\"\\x\"", "\"\\u12g4\"", "\"\n\"", "[1 2]", "1 2", "]", "[}", "{]", "\"\xff\"",
		"'a'", "[1,,2]", "{\"a\":1 \"b\":2}", "NaN"};
	struct buf out = buf_of(1000);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (compact(rows[i], &out) != RC_CORRUPT)
			fail_msg("taken: %s", rows[i]);
	}
	buf_release(&out);
}

static void bounds_nesting_and_size(void **state)
{
	(void)state;
	char text[2 * 201 + 1];
	memset(text, '[', 201);
	memset(text + 201, ']', 201);
	text[402] = 0;
	struct buf out = buf_of(1000);
	assert_int_equal(compact(text, &out), RC_CORRUPT);
	text[401] = 0;
	assert_rc(compact(text + 1, &out));
	buf_release(&out);
	struct buf small = buf_of(3);
	assert_int_equal(compact("[1,2]", &small), RC_LIMIT);
	buf_release(&small);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(takes_white_space_out),
	cmocka_unit_test(refuses_what_is_not_json),
	cmocka_unit_test(bounds_nesting_and_size),
};
UNIT_MAIN(tests)
