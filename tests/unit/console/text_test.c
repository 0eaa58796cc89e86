#include "unit.h"

#include "console/text.c"

static const char status[] =
	"{\"version\":\"0.1.0\",\"uptime_seconds\":11520,\"memory_bytes\":44040192,\"stream\":{"
	"\"name\":\"changes\",\"shards\":1,\"first_ordinal\":1,\"next_ordinal\":1234568,"
	"\"bytes\":47815066,\"idle_seconds\":2},\"stages\":["
	"{\"kind\":\"sink\",\"name\":\"sink:search\",\"state\":\"waiting\",\"text\":\"refused\","
	"\"place\":\"\",\"metrics\":{\"events_total\":900,\"dead_letters_total\":3},"
	"\"rates\":{\"events_per_s\":0.4,\"bytes_per_s\":12},"
	"\"lag\":{\"events\":1233667,\"seconds\":75.5}},"
	"{\"kind\":\"capture\",\"name\":\"capture\",\"state\":\"running\",\"text\":\"connected\","
	"\"place\":\"binlog.000003:1234\",\"metrics\":{\"events_total\":1234567},"
	"\"rates\":{\"events_per_s\":12345.4,\"bytes_per_s\":3565158.4},\"lag\":null},"
	"{\"kind\":\"archive\",\"name\":\"archive\",\"state\":\"running\",\"text\":\"\",\"place\":"
	"\"\",\"metrics\":{},\"rates\":{},\"lag\":{\"events\":0,\"seconds\":0}}],"
	"\"consumers\":[{\"name\":\"search\",\"next_ordinal\":901,\"lag_events\":1233667},"
	"{\"name\":\"shop\",\"next_ordinal\":1234568,\"lag_events\":0}]}";

static const char table[] =
	"millstream 0.1.0, up 3h 12m, 42.0 MiB of memory\n"
	"stream changes: next ordinal 1,234,568, 45.6 MiB, 1 shard, last change 2.0s ago\n"
	"\n"
	"STAGE        STATE             EVENTS   EVENTS/S      BYTES/S  LAG\n"
	"capture      running        1,234,567     12,345    3.4 MiB/s  -\n"
	"    binlog.000003:1234\n"
	"    connected\n"
	"sink:search  waiting              900        0.4       12 B/s  1,233,667 events, 76s\n"
	"    refused\n"
	"    dead letters: 3\n"
	"archive      running                0          0        0 B/s  none\n"
	"\n"
	"CONSUMER          NEXT ORDINAL  LAG\n"
	"search                     901  1,233,667 events\n"
	"shop                 1,234,568  none\n";

static void writes_a_table(void **state)
{
	(void)state;
	struct buf out = buf_of(10000);
	struct fault fault;
	assert_rc(console_status_text(slice_text(status), false, &out, &fault));
	assert_string_equal(buf_cstring(&out), table);
	buf_release(&out);
}

static void colours_only_add_colours(void **state)
{
	(void)state;
	struct buf out = buf_of(10000);
	struct fault fault;
	assert_rc(console_status_text(slice_text(status), true, &out, &fault));
	const char *coloured = buf_cstring(&out);
	assert_non_null(strstr(coloured, "\033[32mrunning\033[0m"));
	assert_non_null(strstr(coloured, "\033[33mwaiting\033[0m"));
	char plain[10000];
	size_t len = 0;
	for (const char *at = coloured; *at; at++) {
		if (*at == '\033')
			at = strchr(at, 'm');
		else
			plain[len++] = *at;
	}
	plain[len] = 0;
	assert_string_equal(plain, table);
	buf_release(&out);
}

static void takes_what_is_there(void **state)
{
	(void)state;
	static const char *const good[] = {"{\"stages\":[]}",
		"{\"stages\":[{}],\"stream\":7,\"consumers\":{}}",
		"{\"stages\":[3,null,{\"name\":5,\"metrics\":[],\"lag\":{\"events\":-5}}]}"};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct buf out = buf_of(10000);
		struct fault fault;
		assert_rc(console_status_text(slice_text(good[i]), false, &out, &fault));
		assert_non_null(strstr(buf_cstring(&out), "STAGE"));
		buf_release(&out);
	}
}

static void refuses_what_is_no_status(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", "<html>", "{\"stages\":", "[]", "{}", "{\"stages\":{}}", "null", "\xff"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct buf out = buf_of(10000);
		struct fault fault = {0};
		assert_int_equal(
			console_status_text(slice_text(bad[i]), false, &out, &fault), RC_PROTOCOL);
		assert_true(fault.text[0] && fault.hint[0]);
		assert_int_equal(out.len, 0);
		buf_release(&out);
	}
	struct buf small = buf_of(50);
	struct fault fault;
	assert_int_equal(console_status_text(slice_text(status), false, &small, &fault), RC_LIMIT);
	buf_release(&small);
}

static void passes_no_control_characters_to_the_terminal(void **state)
{
	(void)state;
	struct buf out = buf_of(10000);
	struct fault fault;
	assert_rc(console_status_text(
		SLICE("{\"stages\":[{\"name\":\"a\\u001b[2J\",\"state\":\"failed\",\"text\":"
		      "\"x\\ny\\u009b31m\\u007f gr\\u00fcn\"}]}"),
		false, &out, &fault));
	const char *text = buf_cstring(&out);
	assert_null(strchr(text, '\033'));
	assert_null(strchr(text, 0x7f));
	assert_non_null(strstr(text, "    x y 31m  gr\xc3\xbcn\n"));
	buf_release(&out);
}

static void writes_numbers_for_people(void **state)
{
	(void)state;
	char cell[CELL_MAX];
	static const struct {
		double seconds;
		const char *text;
	} spans[] = {{0, "0.0s"}, {9.94, "9.9s"}, {59, "59s"}, {125, "2m 5s"}, {7325, "2h 2m"},
		{200000, "2d 7h"}};
	for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
		cell_span(cell, spans[i].seconds);
		assert_string_equal(cell, spans[i].text);
	}
	static const struct {
		double bytes;
		const char *text;
	} sizes[] = {{0, "0 B"}, {1023, "1023 B"}, {1024, "1.0 KiB"}, {104857600, "100 MiB"},
		{5e18, "4441 PiB"}};
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		cell_bytes(cell, sizes[i].bytes, "");
		assert_string_equal(cell, sizes[i].text);
	}
	cell_count(cell, UINT64_MAX);
	assert_string_equal(cell, "18,446,744,073,709,551,615");
	cell_rate(cell, 9.96);
	assert_string_equal(cell, "10");
	cell_rate(cell, 0);
	assert_string_equal(cell, "0");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(writes_a_table),
	cmocka_unit_test(colours_only_add_colours),
	cmocka_unit_test(takes_what_is_there),
	cmocka_unit_test(refuses_what_is_no_status),
	cmocka_unit_test(passes_no_control_characters_to_the_terminal),
	cmocka_unit_test(writes_numbers_for_people),
};
UNIT_MAIN(tests)
