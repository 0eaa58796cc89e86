/* Binlog files of real servers decode to what the servers' SELECT says.
 *
 * The expected lines are made by tests/data/binlog/regenerate.py, which knows nothing of our
 * decoder. The order of lines does not matter (tables without a key have none). */
#include "mysql/capture.h"

#include "base/checksum.h"
#include "base/json.h"

enum { LINES_MAX = 1000, TABLES_MAX = 200, SCRATCH_MAX = 8 << 20 };

struct decoded {
	const char *schema_file;
	const char *only; /* this table; NULL: all */
	bool is_mariadb;
	char *lines[LINES_MAX];
	size_t count;
	struct binlog_table *tables[TABLES_MAX], *shapes[TABLES_MAX];
	uint64_t ids[TABLES_MAX];
	size_t table_count;
	struct buf scratch;
};

/* Long lines are cut to their start and their SHA-256, as in the files of expected lines. */
static void add_line(struct decoded *decoded, struct buf *line)
{
	assert_int_equal(line->rc, RC_OK);
	if (line->len > 2000) {
		uint8_t digest[SHA256_SIZE];
		char hex[SHA256_HEX_SIZE + 1] = "";
		checksum_sha256(line->at, line->len, digest);
		checksum_hex(digest, sizeof digest, hex);
		line->len = 100;
		buf_format(line, "... %.64s", hex);
	}
	assert_true(decoded->count < LINES_MAX);
	decoded->lines[decoded->count++] = mem_text(buf_cstring(line));
	buf_release(line);
}

static void describe(struct decoded *decoded, const struct event_table *table)
{
	struct buf line = buf_of(SCRATCH_MAX);
	buf_format(&line, "%s\tcolumns\t", table->name);
	for (size_t i = 0; i < table->column_count; i++)
		buf_format(&line, "%s\"%s\" %s%s", i ? "," : "", table->columns[i].name,
			table->columns[i].type, table->columns[i].nullable ? "" : " not null");
	buf_text(&line, " key ");
	for (size_t i = 0; i < table->key_count; i++)
		buf_format(&line, "%s%s", i ? "," : "", table->columns[table->key[i]].name);
	for (size_t i = 0; i < decoded->count; i++) {
		if (strcmp(decoded->lines[i], buf_cstring(&line)) == 0) {
			buf_release(&line);
			return;
		}
	}
	add_line(decoded, &line);
}

static void take_map(struct decoded *decoded, const struct binlog_event *event)
{
	struct binlog_table_map map;
	struct fault fault = {0};
	char name[300];
	assert_rc(binlog_table_map_read(event->body, &map));
	bool is_other = decoded->only && !slice_equal(map.name, slice_text(decoded->only));
	if (!slice_equal(map.database, SLICE("capture")) || is_other)
		return;
	snprintf(name, sizeof name, "%.*s", SLICE_ARGS(map.name));
	struct schema_table *schema = NULL;
	if (binlog_table_need(&map, decoded->is_mariadb) != BINLOG_NEEDS_NOTHING)
		schema = capture_schema(decoded->schema_file, name);
	struct binlog_table *table = NULL;
	if (binlog_table_build(&map, decoded->is_mariadb, schema, &table, &fault) != RC_OK)
		fail_msg("%s: %s", rc_name(fault.rc), fault.text);
	capture_schema_free(schema);
	describe(decoded, table->table);
	assert_true(decoded->table_count < TABLES_MAX);
	decoded->ids[decoded->table_count] = map.table_id;
	assert_rc(binlog_table_shape(&map, &decoded->shapes[decoded->table_count], &fault));
	decoded->tables[decoded->table_count++] = table;
}

/* The last one with this number, counted from 1; 0 when there is none. */
static size_t find_table(const struct decoded *decoded, uint64_t id)
{
	size_t i = decoded->table_count;
	while (i > 0 && decoded->ids[i - 1] != id)
		i--;
	return i;
}

/* The way straight to the text gives the same. */
static void check_put(const struct binlog_column *column, struct slice span, struct slice text,
	struct buf *scratch)
{
	if (!span.at)
		return;
	uint8_t *again = malloc(column->room + JSON_ESCAPE_MAX * span.len + JSON_ESCAPE_ROOM);
	const uint8_t *end = column->put(again, column, span, scratch);
	assert_non_null(end);
	assert_int_equal(end - again, text.len);
	assert_memory_equal(again, text.at, text.len);
	free(again);
}

/* Writes the object of one image in no more room than the table promises. */
static void put_image(struct decoded *decoded, const struct binlog_table *table,
	const struct slice *spans, size_t row_len, struct buf *line)
{
	size_t room = table->fixed_room + JSON_ESCAPE_MAX * row_len +
		JSON_ESCAPE_ROOM * table->table->column_count;
	uint8_t *start = buf_reserve(line, room + 2), *at = start;
	assert_non_null(at);
	*at++ = '{';
	for (size_t i = 0; i < table->table->column_count; i++) {
		struct value value = {.kind = VALUE_NULL};
		if (spans[i].at == BINLOG_ABSENT)
			continue;
		if (spans[i].at &&
			binlog_value_read(
				&table->columns[i], spans[i], &decoded->scratch, &value) != RC_OK)
			fail_msg("column %zu cannot be read behind %s", i, buf_cstring(line));
		struct slice label = table->table->columns[i].label;
		if (at[-1] != '{')
			*at++ = ',';
		at = json_put_bytes(at, label.at, label.len);
		uint8_t *value_at = at;
		at = event_put_value(at, &value);
		assert_non_null(at);
		check_put(&table->columns[i], spans[i], slice_of(value_at, (size_t)(at - value_at)),
			&decoded->scratch);
	}
	*at++ = '}';
	assert_true((size_t)(at - start) <= room + 2);
	line->len += (size_t)(at - start);
}

static void put_row(
	struct decoded *decoded, const struct binlog_table *table, struct binlog_rows *rows)
{
	struct slice spans[300];
	struct buf line = buf_of(SCRATCH_MAX);
	static const char ops[] = {'c', 'u', 'd'};
	buf_format(&line, "%s\t%c\t", table->table->name, ops[rows->change]);
	const uint8_t *start = rows->rest.at;
	assert_rc(binlog_image_read(table, rows->present, &rows->rest, spans));
	put_image(decoded, table, spans, (size_t)(rows->rest.at - start), &line);
	if (rows->change == BINLOG_UPDATE) {
		start = rows->rest.at;
		assert_rc(binlog_image_read(table, rows->present_after, &rows->rest, spans));
		buf_u8(&line, '\t');
		put_image(decoded, table, spans, (size_t)(rows->rest.at - start), &line);
	}
	add_line(decoded, &line);
}

/* Without names and meanings, images end at the same places. */
static void walk(const struct binlog_table *shape, struct binlog_rows rows)
{
	struct slice spans[300];
	assert_null(shape->table);
	do {
		assert_rc(binlog_image_read(shape, rows.present, &rows.rest, spans));
		if (rows.change == BINLOG_UPDATE)
			assert_rc(binlog_image_read(shape, rows.present_after, &rows.rest, spans));
	} while (reader_left(&rows.rest) > 0);
}

static void take_rows(struct decoded *decoded, const struct binlog_event *event,
	const struct binlog_format *format)
{
	struct binlog_rows rows;
	assert_rc(binlog_rows_read(event, format, &rows));
	size_t i = find_table(decoded, rows.table_id);
	if (i-- == 0) {
		assert_non_null(decoded->only);
		return;
	}
	assert_int_equal(rows.column_count, decoded->tables[i]->column_count);
	walk(decoded->shapes[i], rows);
	do
		put_row(decoded, decoded->tables[i], &rows);
	while (reader_left(&rows.rest) > 0);
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void compare(struct decoded *decoded, const char *expected_file)
{
	size_t len, count = 0;
	char *text = (char *)capture_read_file(expected_file, &len), *lines = text;
	char *expected[LINES_MAX];
	for (char *line; (line = strsep(&lines, "\n")) && *line;)
		expected[count++] = line;
	qsort(expected, count, sizeof *expected, compare_lines);
	qsort(decoded->lines, decoded->count, sizeof *decoded->lines, compare_lines);
	for (size_t i = 0; i < count && i < decoded->count; i++)
		assert_string_equal(decoded->lines[i], expected[i]);
	assert_int_equal(decoded->count, count);
	mem_free(text);
}

static void decode_some(
	const char *name, const char *schema_file, const char *only, const char *expected_file)
{
	struct decoded decoded = {
		.schema_file = schema_file, .only = only, .scratch = buf_of(SCRATCH_MAX)};
	struct capture capture = capture_open(name);
	struct binlog_event event;
	enum binlog_change change;
	print_message("%s\n", name);
	while (capture_next(&capture, &event)) {
		decoded.is_mariadb = capture.format.is_mariadb;
		if (event.type == BINLOG_TABLE_MAP)
			take_map(&decoded, &event);
		else if (binlog_rows_change(event.type, &change))
			take_rows(&decoded, &event, &capture.format);
	}
	compare(&decoded, expected_file);
	for (size_t i = 0; i < decoded.count; i++)
		mem_free(decoded.lines[i]);
	for (size_t i = 0; i < decoded.table_count; i++) {
		binlog_table_free(decoded.tables[i]);
		binlog_table_free(decoded.shapes[i]);
	}
	buf_release(&decoded.scratch);
	capture_close(&capture);
}

static void decode_file(const char *name, const char *schema_file, const char *expected_file)
{
	decode_some(name, schema_file, NULL, expected_file);
}

static void full_metadata_is_enough(void **state)
{
	(void)state;
	decode_file("mysql80-full", "mysql80-types.schema", "types.expected");
	decode_file("mysql9-full", "mysql9-types.schema", "types.expected");
	decode_file("mariadb10-full", "mariadb10-types.schema", "types.expected");
	decode_file("mariadb11-full", "mariadb11-types.schema", "types.expected");
}

static void the_schema_adds_what_other_metadata_lacks(void **state)
{
	(void)state;
	decode_file("mysql80-minimal", "mysql80-types.schema", "types.expected");
	decode_file("mysql9-minimal", "mysql9-types.schema", "types.expected");
	decode_file("mariadb10-minimal", "mariadb10-types.schema", "types.expected");
	decode_file("mariadb10-none", "mariadb10-types.schema", "types.expected");
}

static void binary_json_reads_as_the_server_prints_it(void **state)
{
	(void)state;
	decode_file("mysql9-json", "mysql9-json.schema", "json.expected");
}

static void images_hold_the_columns_that_were_logged(void **state)
{
	(void)state;
	decode_file("mysql9-images-full", "mysql9-images.schema", "mysql9-images-full.expected");
	decode_file(
		"mysql9-images-minimal", "mysql9-images.schema", "mysql9-images-minimal.expected");
	decode_file(
		"mysql9-images-noblob", "mysql9-images.schema", "mysql9-images-noblob.expected");
	decode_file("mariadb10-images-minimal", "mariadb10-images.schema",
		"mariadb10-images-minimal.expected");
	decode_file("mariadb10-images-noblob", "mariadb10-images.schema",
		"mariadb10-images-noblob.expected");
}

static void times_of_old_servers_are_read(void **state)
{
	(void)state;
	decode_some("mariadb10-others", "mariadb10-others.schema", "old_times",
		"mariadb10-old_times.expected");
	decode_some("mariadb10-others-none", "mariadb10-others.schema", "old_times",
		"mariadb10-old_times.expected");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(full_metadata_is_enough),
	cmocka_unit_test(the_schema_adds_what_other_metadata_lacks),
	cmocka_unit_test(images_hold_the_columns_that_were_logged),
	cmocka_unit_test(times_of_old_servers_are_read),
	cmocka_unit_test(binary_json_reads_as_the_server_prints_it),
};
UNIT_MAIN(tests)
