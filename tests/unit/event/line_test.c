/* The examples of docs/formats/event.md are the golden data: they are read from the page. */
#include "unit.h"

#include "event/line.c"

enum { EXAMPLES_MAX = 16, LINE_BYTES = 4096 };

static char examples[EXAMPLES_MAX][LINE_BYTES];
static size_t example_count;

static int read_examples(void **state)
{
	(void)state;
	FILE *page = fopen(UNIT_SOURCE "/docs/formats/event.md", "r");
	if (!page)
		return -1;
	while (example_count < EXAMPLES_MAX && fgets(examples[example_count], LINE_BYTES, page)) {
		if (strncmp(examples[example_count], "{\"op\":", 6) == 0)
			example_count++;
	}
	fclose(page);
	return example_count == 7 ? 0 : -1;
}

static struct event_table *listings(size_t columns)
{
	static const struct event_column_spec specs[] = {
		{SLICE_INIT("id"), "int unsigned", false},
		{SLICE_INIT("title"), "varchar(80)", true},
		{SLICE_INIT("price"), "decimal(10,2)", true},
		{SLICE_INIT("tags"), "set('new','fast')", true},
		{SLICE_INIT("attributes"), "json", true},
		{SLICE_INIT("sold"), "datetime", true},
	};
	static const uint16_t key[] = {0};
	struct event_table *table = NULL;
	assert_rc(event_table_new(
		SLICE("ads"), SLICE("listings"), specs, columns, key, 1, &table, NULL));
	return table;
}

static uint8_t *put_values(uint8_t *at, const struct event_table *table, const struct value *values,
	size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		if (i > from)
			*at++ = ',';
		at = json_put_bytes(at, table->columns[i].label.at, table->columns[i].label.len);
		at = event_put_value(at, &values[i]);
	}
	return json_put_bytes(at, "}", 1);
}

struct row {
	enum event_op op;
	int64_t second;
	uint64_t pos, ordinal;
	const char *gtid, *price, *old_price;
};

static void check_row(const struct row *row, const char *expected)
{
	struct event_table *table = listings(6);
	struct value values[] = {
		{.kind = VALUE_UINT, .u = 42},
		{.kind = VALUE_TEXT, .bytes = SLICE("Red \"racing\" bike")},
		{.kind = VALUE_DECIMAL, .bytes = slice_text(row->price)},
		{.kind = VALUE_JSON, .bytes = SLICE("[\"new\",\"fast\"]")},
		{.kind = VALUE_JSON, .bytes = SLICE("{\"gears\":21}")},
		{.kind = VALUE_NULL},
	};
	struct event_origin origin = {.ts_us = (1795592040 + row->second) * 1000000,
		.file = "binlog.000003",
		.gtid = row->gtid};
	struct buf prefix = buf_of(1000);
	event_line_prefix(row->op, table, &origin, row->pos, &prefix);
	uint8_t line[LINE_BYTES], *at = line;
	at = json_put_bytes(at, prefix.at, prefix.len);
	at = event_put_row_and_ordinal(at, 0, row->ordinal);
	at = json_put_bytes(at, ",\"key\":{", 8);
	at = put_values(at, table, values, 0, 1);
	if (row->op == EVENT_UPDATE) {
		struct value old[3] = {
			[2] = {.kind = VALUE_DECIMAL, .bytes = slice_text(row->old_price)}};
		at = put_values(json_put_bytes(at, ",\"before\":{", 11), table, old, 2, 3);
	}
	const char *name = row->op == EVENT_DELETE ? ",\"before\":{" : ",\"after\":{";
	at = put_values(json_put_bytes(at, name, strlen(name)), table, values, 0, 6);
	at = json_put_bytes(at, "}\n", 2);
	*at = 0;
	assert_string_equal((char *)line, expected);
	buf_release(&prefix);
	event_table_free(table);
}

static void writes_the_rows_of_the_page(void **state)
{
	(void)state;
	check_row(&(struct row){EVENT_CREATE, 0, 1234, 17, "0-1-5", "120.50", NULL}, examples[0]);
	check_row(
		&(struct row){EVENT_UPDATE, 1, 1634, 18, "0-1-6", "99.00", "120.50"}, examples[1]);
	check_row(&(struct row){EVENT_DELETE, 2, 2034, 19, "0-1-7", "99.00", NULL}, examples[2]);
}

static void check_control(const struct event_control *control, int64_t ts_us, bool micros,
	const char *gtid, const char *expected)
{
	struct event_origin origin = {
		.ts_us = ts_us, .ts_has_micros = micros, .file = "binlog.000003", .gtid = gtid};
	struct buf line = buf_of(LINE_BYTES);
	event_control_line(control, &origin, &line);
	assert_string_equal(buf_cstring(&line), expected);
	buf_release(&line);
}

static void writes_the_control_events_of_the_page(void **state)
{
	(void)state;
	struct event_table *table = listings(2);
	struct event_control control = {.op = EVENT_SCHEMA,
		.database = SLICE("ads"),
		.table = SLICE("listings"),
		.pos = 1200,
		.ordinal = 16,
		.columns = table};
	check_control(&control, 1795592040000000, false, "0-1-5", examples[3]);
	control.columns = NULL;
	control.pos = 3000;
	control.ordinal = 20;
	control.ddl = SLICE("ALTER TABLE listings ADD note text");
	check_control(&control, 1795592100000000, false, "0-1-8", examples[4]);
	control.op = EVENT_TRUNCATE;
	control.pos = 3200;
	control.ordinal = 21;
	control.ddl = SLICE("TRUNCATE TABLE listings");
	check_control(&control, 1795592160000000, false, "0-1-9", examples[5]);
	control = (struct event_control){.op = EVENT_TRUNCATE,
		.is_drop = true,
		.database = SLICE("ads"),
		.pos = 3400,
		.ordinal = 22,
		.ddl = SLICE("DROP DATABASE ads")};
	check_control(&control, 1795592220123456, true, "", examples[6]);
	event_table_free(table);
}

static void long_keys_are_hashed(void **state)
{
	(void)state;
	struct buf key = buf_of(EVENT_KEY_BYTES_MAX);
	event_control_key(SLICE("a.b"), SLICE("t|"), &key);
	assert_string_equal(buf_cstring(&key), "a\\.b.t\\||");
	buf_reset(&key);
	for (int i = 0; i < 256; i++)
		buf_text(&key, "\xc3\xbc");
	event_key_finish(&key);
	assert_int_equal(key.len, 512); /* 256 characters are short enough */
	buf_text(&key, "x");
	event_key_finish(&key);
	/* sha256sum of 256 times u-umlaut and an x */
	assert_int_equal(key.len, 64);
	uint8_t digest[32];
	char hex[65] = "", whole[600] = "";
	for (int i = 0; i < 256; i++)
		strcat(whole, "\xc3\xbc");
	strcat(whole, "x");
	checksum_sha256(whole, strlen(whole), digest);
	checksum_hex(digest, 32, hex);
	assert_string_equal(buf_cstring(&key), hex);
	buf_release(&key);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(writes_the_rows_of_the_page),
	cmocka_unit_test(writes_the_control_events_of_the_page),
	cmocka_unit_test(long_keys_are_hashed),
};

int main(void)
{
	return cmocka_run_group_tests(tests, read_examples, NULL);
}
