/* Every decoder survives events of real servers with bytes changed, cut out and put in: no read
 * beyond the end (inputs lie alone on the heap, for the sanitizers), no endless loop, one of the
 * documented codes, and never a line longer than the room that a table promises.
 *
 * The same mutations every time; MILLSTREAM_MUTATIONS=N makes N times as many. */
#include "mysql/capture.h"

#include "base/json.h"

enum { EVENT_SIZE_MAX = 6000, ROUNDS = 100, SCRATCH_MAX = 4 << 20, LINE_ROOM = 8 << 20 };

static uint64_t state_of_chance;
static struct buf scratch;
static uint8_t *line;
static uint64_t decoded, refused;

static uint32_t chance(uint32_t limit)
{
	state_of_chance ^= state_of_chance << 13;
	state_of_chance ^= state_of_chance >> 7;
	state_of_chance ^= state_of_chance << 17;
	return (uint32_t)((state_of_chance >> 20) % limit);
}

static void count(enum rc rc)
{
	assert_true(rc == RC_OK || rc == RC_CORRUPT || rc == RC_TRUNCATED || rc == RC_UNSUPPORTED ||
		rc == RC_SCHEMA || rc == RC_LIMIT);
	if (rc == RC_OK)
		decoded++;
	else
		refused++;
}

/* ---- mutations ---- */

static uint8_t odd_byte(void)
{
	static const uint8_t bytes[] = {
		0, 1, 2, 0x7f, 0x80, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff, '\'', '`', '/', '*', '('};
	return chance(2) ? bytes[chance(sizeof bytes)] : (uint8_t)chance(256);
}

/* Changes one place of `bytes`, which have room for 16 more; returns the new length. */
static size_t mutate_once(uint8_t *bytes, size_t len)
{
	if (len == 0)
		return len;
	size_t at = chance((uint32_t)len);
	size_t some = chance(16) + 1, rest = len - at;
	switch (chance(7)) {
	case 0:
		bytes[at] ^= (uint8_t)(1U << chance(8));
		return len;
	case 1:
		bytes[at] = (uint8_t)(bytes[at] + 1 - 2 * chance(2));
		return len;
	case 2:
		return at; /* cut */
	case 3:            /* cut out */
		some = some < rest ? some : rest;
		memmove(bytes + at, bytes + at + some, rest - some);
		return len - some;
	case 4: /* put in */
		memmove(bytes + at + some, bytes + at, rest);
		for (size_t i = 0; i < some; i++)
			bytes[at + i] = odd_byte();
		return len + some;
	case 5: /* a stretch again */
		some = some < rest ? some : rest;
		memmove(bytes + chance((uint32_t)(len - some + 1)), bytes + at, some);
		return len;
	default:
		bytes[at] = odd_byte();
		return len;
	}
}

/* A mutated copy, alone on the heap and not a byte too large. */
static struct slice mutate(struct slice body)
{
	enum { TIMES = 3 };
	uint8_t *work = malloc(body.len + 16 * TIMES + 1);
	memcpy(work, body.at, body.len);
	size_t len = body.len;
	for (uint32_t times = chance(TIMES) + 1; times > 0; times--)
		len = mutate_once(work, len);
	uint8_t *bytes = malloc(len ? len : 1);
	memcpy(bytes, work, len);
	free(work);
	return slice_of(bytes, len);
}

/* ---- decoding whatever comes ---- */

/* The way straight to the text takes and refuses the same. */
static uint8_t *put_again(const struct binlog_column *column, struct slice span, uint8_t **ret_end)
{
	uint8_t *again = malloc(column->room + JSON_ESCAPE_MAX * span.len + JSON_ESCAPE_ROOM);
	*ret_end = column->put(again, column, span, &scratch);
	return again;
}

static void check_put(const struct binlog_column *column, struct slice span, struct slice text)
{
	uint8_t *end, *again = put_again(column, span, &end);
	assert_non_null(end);
	assert_int_equal(end - again, text.len);
	assert_memory_equal(again, text.at, text.len);
	free(again);
}

static void check_refused(const struct binlog_column *column, struct slice span)
{
	uint8_t *end, *again = put_again(column, span, &end);
	assert_null(end);
	free(again);
}

static enum rc put_image(
	const struct binlog_table *table, const struct slice *spans, size_t row_len)
{
	uint8_t *at = line;
	for (size_t i = 0; i < table->column_count; i++) {
		struct value value;
		if (!spans[i].at || spans[i].at == BINLOG_ABSENT)
			continue;
		enum rc rc = binlog_value_read(&table->columns[i], spans[i], &scratch, &value);
		if (rc != RC_OK) {
			check_refused(&table->columns[i], spans[i]);
			return rc;
		}
		at = json_put_bytes(
			at, table->table->columns[i].label.at, table->table->columns[i].label.len);
		uint8_t *value_at = at;
		at = event_put_value(at, &value);
		if (!at) {
			check_refused(&table->columns[i], spans[i]);
			return RC_CORRUPT;
		}
		check_put(
			&table->columns[i], spans[i], slice_of(value_at, (size_t)(at - value_at)));
	}
	size_t room = table->fixed_room + JSON_ESCAPE_MAX * row_len +
		JSON_ESCAPE_ROOM * table->column_count;
	assert_true(room < LINE_ROOM);
	assert_true((size_t)(at - line) <= room);
	return RC_OK;
}

static void decode_rows(const struct binlog_event *event, const struct binlog_format *format,
	const struct binlog_table *table)
{
	struct binlog_rows rows;
	struct slice spans[4096];
	enum rc rc = binlog_rows_read(event, format, &rows);
	bool is_after = false;
	while (rc == RC_OK && rows.column_count == table->column_count) {
		const uint8_t *start = rows.rest.at;
		rc = binlog_image_read(
			table, is_after ? rows.present_after : rows.present, &rows.rest, spans);
		if (rc == RC_OK && table->table)
			rc = put_image(table, spans, (size_t)(rows.rest.at - start));
		is_after = rows.change == BINLOG_UPDATE && !is_after;
		if (reader_left(&rows.rest) == 0)
			break;
	}
	count(rc);
}

static enum rc stop_at_once(void *context, struct slice name)
{
	(void)context;
	return name.len % 2 ? RC_LIMIT : RC_OK;
}

static void decode_map(const struct binlog_event *event, const struct binlog_event *rows,
	const struct binlog_format *format, const struct schema_table *schema)
{
	struct binlog_table_map map;
	struct fault fault;
	enum rc rc = binlog_table_map_read(event->body, &map);
	count(rc);
	if (rc != RC_OK)
		return;
	enum binlog_need need = binlog_table_need(&map, format->is_mariadb);
	count(binlog_table_json_candidates(&map, stop_at_once, NULL));
	struct binlog_table *table = NULL;
	rc = binlog_table_build(&map, format->is_mariadb,
		need != BINLOG_NEEDS_NOTHING ? schema : NULL, &table, &fault);
	count(rc);
	if (rc == RC_OK) {
		decode_rows(rows, format, table);
		binlog_table_free(table);
	}
	rc = binlog_table_shape(&map, &table, &fault);
	count(rc);
	if (rc == RC_OK) {
		decode_rows(rows, format, table);
		binlog_table_free(table);
	}
}

static void ignore_column(void *context, struct slice column, bool named, bool is_json)
{
	(void)context, (void)column, (void)named, (void)is_json;
}

static void decode_query(struct slice body)
{
	struct binlog_query query;
	struct ddl ddl;
	enum rc rc = binlog_query_read(body, &query);
	count(rc);
	if (rc != RC_OK)
		return;
	query.ansi_quotes = chance(4) == 0;
	query.collation = chance(4) == 0 ? (uint16_t)chance(300) : query.collation;
	ddl_read(&query, &ddl);
	ddl_release(&ddl);
	ddl_json_columns(&query, ignore_column, NULL);
	buf_reset(&scratch);
	count(binlog_query_utf8(&query, &scratch));
}

static void decode_other(const struct binlog_event *event)
{
	struct binlog_format format;
	struct binlog_gtid gtid;
	struct binlog_rotate rotate;
	if (event->type == BINLOG_QUERY)
		decode_query(event->body);
	else if (event->type == BINLOG_FORMAT_DESCRIPTION)
		count(binlog_format_read(event->body, &format));
	else if (event->type == BINLOG_ROTATE)
		count(binlog_rotate_read(event->body, &rotate));
	else
		count(binlog_gtid_read(event, &gtid));
}

/* ---- over all captured files ---- */

struct following {
	struct binlog_event map;
	struct binlog_table *table;
	struct schema_table *schema;
	bool is_new_map; /* its rows have not come yet */
};

static void forget(struct following *following)
{
	binlog_table_free(following->table);
	capture_schema_free(following->schema);
	*following = (struct following){0};
}

static void follow_map(struct following *following, const struct binlog_event *event,
	const struct binlog_format *format, const char *schema_file)
{
	struct binlog_table_map map;
	char name[300];
	forget(following);
	assert_rc(binlog_table_map_read(event->body, &map));
	if (!slice_equal(map.database, SLICE("capture")))
		return;
	snprintf(name, sizeof name, "%.*s", SLICE_ARGS(map.name));
	following->map = *event;
	following->schema = capture_schema(schema_file, name);
	enum binlog_need need = binlog_table_need(&map, format->is_mariadb);
	enum rc rc = binlog_table_build(&map, format->is_mariadb,
		need == BINLOG_NEEDS_NOTHING ? NULL : following->schema, &following->table, NULL);
	if (rc != RC_OK)
		assert_rc(binlog_table_shape(&map, &following->table, NULL));
	following->is_new_map = true;
}

static void mutate_event(struct following *following, struct binlog_event event,
	const struct binlog_format *format, unsigned rounds)
{
	enum binlog_change change;
	struct slice body = event.body;
	for (unsigned i = 0; i < rounds; i++) {
		if (!binlog_rows_change(event.type, &change)) {
			event.body = mutate(body);
			decode_other(&event);
			free((void *)(uintptr_t)event.body.at);
			continue;
		}
		event.body = mutate(body);
		decode_rows(&event, format, following->table);
		free((void *)(uintptr_t)event.body.at);
		if (!following->is_new_map)
			continue;
		struct binlog_event map = following->map, rows = event;
		map.body = mutate(map.body);
		rows.body = body;
		decode_map(&map, &rows, format, following->schema);
		free((void *)(uintptr_t)map.body.at);
	}
	following->is_new_map = false;
}

static void mutate_file(const char *name, const char *schema_file, unsigned rounds)
{
	struct capture capture = capture_open(name);
	struct following following = {0};
	struct binlog_event event;
	enum binlog_change change;
	while (capture_next(&capture, &event)) {
		bool has_rows = binlog_rows_change(event.type, &change);
		bool is_known = event.type == BINLOG_QUERY || event.type == BINLOG_GTID ||
			event.type == BINLOG_MARIADB_GTID || event.type == BINLOG_ROTATE ||
			event.type == BINLOG_FORMAT_DESCRIPTION;
		if (event.type == BINLOG_TABLE_MAP)
			follow_map(&following, &event, &capture.format, schema_file);
		else if (event.body.len <= EVENT_SIZE_MAX &&
			(has_rows ? following.table != NULL : is_known))
			mutate_event(&following, event, &capture.format, rounds);
	}
	forget(&following);
	capture_close(&capture);
}

static void decoders_survive_mutated_events(void **state)
{
	(void)state;
	static const struct {
		const char *file, *schema;
		unsigned weight;
	} rows[] = {{"mysql9-full", "mysql9-types.schema", 6},
		{"mysql9-minimal", "mysql9-types.schema", 2},
		{"mysql9-json", "mysql9-json.schema", 20},
		{"mysql80-minimal", "mysql80-types.schema", 1},
		{"mariadb10-full", "mariadb10-types.schema", 4},
		{"mariadb10-none", "mariadb10-types.schema", 2},
		{"mysql9-images-minimal", "mysql9-images.schema", 2},
		{"mariadb10-images-noblob", "mariadb10-images.schema", 1},
		{"mariadb10-others", "mariadb10-others.schema", 2},
		{"mysql9-others", "mysql9-others.schema", 2},
		{"mysql9-statements", "mysql9-types.schema", 2},
		{"mariadb10-statements", "mariadb10-types.schema", 2}};
	const char *times = getenv("MILLSTREAM_MUTATIONS");
	unsigned rounds = ROUNDS * (times ? (unsigned)atoi(times) : 1);
	scratch = buf_of(SCRATCH_MAX);
	line = malloc(LINE_ROOM);
	state_of_chance = 0x9e3779b97f4a7c15;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		mutate_file(rows[i].file, rows[i].schema, rounds * rows[i].weight);
	print_message("%llu were decoded, %llu refused\n", (unsigned long long)decoded,
		(unsigned long long)refused);
	assert_true(decoded > 100000 && refused > 100000);
	free(line);
	buf_release(&scratch);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(decoders_survive_mutated_events),
};
UNIT_MAIN(tests)
