#include "unit.h"

#include "event/view.c"

static void finds_the_members(void **state)
{
	(void)state;
	struct event_view view;
	assert_rc(event_view_read(
		SLICE("{\"op\":\"u\",\"db\":\"a\\\"b\",\"table\":\"t\",\"ts\":\"2026-11-25T07:34:"
		      "00Z\",\"pos\":{\"file\":"
		      "\"f.1\",\"pos\":12,\"gtid\":\"0-1-5\",\"row\":3},\"ord\":17,\"key\":{\"id\":"
		      "\"}\\\"]\"},\"before\":{\"n\":[1,{\"x\":2}]},"
		      "\"after\":{\"id\":1},\"later\":[{}]}\n"),
		&view));
	assert_int_equal(view.op, EVENT_UPDATE);
	assert_slice(view.database, "a\\\"b");
	assert_slice(view.table, "t");
	assert_slice(view.file, "f.1");
	assert_slice(view.gtid, "0-1-5");
	assert_int_equal(view.pos, 12);
	assert_int_equal(view.row, 3);
	assert_int_equal(view.ordinal, 17);
	assert_slice(view.key, "{\"id\":\"}\\\"]\"}");
	assert_slice(view.before, "{\"n\":[1,{\"x\":2}]}");
	assert_slice(view.after, "{\"id\":1}");
	assert_int_equal(view.ddl.len, 0);
	assert_rc(event_view_read(
		SLICE("{\"op\":\"t\",\"db\":\"d\",\"table\":null,\"ord\":0}"), &view));
	assert_int_equal(view.table.len, 0);
	assert_rc(event_view_read(
		SLICE("{\"op\":\"c\",\"db\":\"d\",\"table\":\"null\",\"ord\":0,\"key\":null}"),
		&view));
	assert_slice(view.table, "null");
	assert_slice(view.key, "null");
}

static void refuses_other_lines(void **state)
{
	(void)state;
	static const char line[] = "{\"op\":\"c\",\"db\":\"d\",\"table\":\"t\",\"pos\":{\"file\":"
				   "\"f\",\"pos\":1,\"row\":0},\"ord\":1,\"key\":{\"a\":1}}";
	struct event_view view;
	assert_rc(event_view_read(slice_text(line), &view));
	for (size_t cut = 0; cut < sizeof line - 1; cut++)
		assert_int_equal(event_view_read(slice_of(line, cut), &view), RC_CORRUPT);
	static const char *const rows[] = {"{}", "{\"op\":\"c\"}", "{\"op\":\"x\",\"ord\":1}",
		"{\"op\":\"c\",\"ord\":-1}", "{\"op\":\"c\",\"ord\":18446744073709551616}",
		"{\"op\":\"c\",\"ord\":1}x", "[1]", "{\"op\":\"c\",\"ord\":}"};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(event_view_read(slice_text(rows[i]), &view), RC_CORRUPT);
}

static void resolves_escapes(void **state)
{
	(void)state;
	struct buf out = buf_of(100);
	assert_rc(event_unescape(SLICE("a\\n\\\"\\u00e9\\ud83d\\ude00\\u0001"), &out));
	assert_string_equal(buf_cstring(&out), "a\n\"\xc3\xa9\xf0\x9f\x98\x80\x01");
	static const char *const rows[] = {
		"\\", "\\x", "\\u12", "\\ud800", "\\ud800\\u0041", "\\udc00", "\\u00g0"};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(event_unescape(slice_text(rows[i]), &out), RC_CORRUPT);
	buf_release(&out);
}

static void reads_times(void **state)
{
	(void)state;
	int64_t time_us;
	assert_rc(event_time_read(SLICE("2026-11-25T07:34:00Z"), &time_us));
	assert_int_equal(time_us, 1795592040000000);
	assert_rc(event_time_read(SLICE("2000-02-29T00:00:00.5Z"), &time_us));
	assert_int_equal(time_us, 951782400500000);
	static const char *const rows[] = {"", "2026-11-25", "2026-11-25T07:34:00",
		"2026-13-25T07:34:00Z", "2026-02-29T07:34:00Z", "1900-02-29T07:34:00Z",
		"2026-04-31T07:34:00Z", "2026-11-00T07:34:00Z", "2026-11-25T07:34:00.Z",
		"2026-11-25T07:34:00.1234567Z", "2026-11-25T07:34:00Zx"};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(event_time_read(slice_text(rows[i]), &time_us), RC_CORRUPT);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(finds_the_members),
	cmocka_unit_test(refuses_other_lines),
	cmocka_unit_test(resolves_escapes),
	cmocka_unit_test(reads_times),
};
UNIT_MAIN(tests)
