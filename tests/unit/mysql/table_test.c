#include "mysql/capture.h"

#include "mysql/table.c"

/* ---- maps of captured files ---- */

/* The table map of `name`; its body stays in the capture. */
static struct binlog_table_map find_map(
	struct capture *capture, const char *name, uint64_t *ret_table_id)
{
	struct binlog_event event;
	struct binlog_table_map map;
	capture->at = 4;
	while (capture_next(capture, &event)) {
		if (event.type != BINLOG_TABLE_MAP)
			continue;
		assert_rc(binlog_table_map_read(event.body, &map));
		if (!slice_equal(map.name, slice_text(name)))
			continue;
		if (ret_table_id)
			*ret_table_id = map.table_id;
		return map;
	}
	fail_msg("no table map of %s", name);
	return map;
}

static enum rc build_of(const struct binlog_table_map *map, bool is_mariadb,
	const struct schema_table *schema, struct fault *fault)
{
	struct binlog_table *table = NULL;
	enum rc rc = binlog_table_build(map, is_mariadb, schema, &table, fault);
	if (rc == RC_OK)
		binlog_table_free(table);
	else
		assert_null(table);
	return rc;
}

static void assert_refused(
	const char *file, const char *schema_file, const char *name, enum rc rc, const char *text)
{
	struct capture capture = capture_open(file);
	struct binlog_table_map map = find_map(&capture, name, NULL);
	struct schema_table *schema = schema_file ? capture_schema(schema_file, name) : NULL;
	struct fault fault = {0};
	bool is_mariadb = capture.format.is_mariadb;
	assert_int_equal(build_of(&map, is_mariadb, schema, &fault), rc);
	if (rc != RC_OK) {
		assert_string_equal(fault.text, text);
		assert_int_equal(fault.rc, rc);
		assert_true(fault.hint[0] != 0);
	}
	capture_schema_free(schema);
	capture_close(&capture);
}

static void types_that_are_not_decoded_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *file, *schema, *table, *text;
	} rows[] = {
		{"mysql9-others", NULL, "geometry_",
			"column 2 (g): this version does not decode the type GEOMETRY"},
		{"mariadb10-others", NULL, "geometry_",
			"column 2 (g): this version does not decode the type GEOMETRY"},
		{"mysql9-others", NULL, "vector_",
			"column 2 (v): this version does not decode the type VECTOR"},
		{"mysql9-others", NULL, "charset_",
			"column 2 (v): this version does not decode the character set cp1251 "
			"(collation 51)"},
		{"mysql9-others", NULL, "enum_charset",
			"column 2 (e): this version does not decode the character set koi8r "
			"(collation 7)"},
		{"mariadb10-others", NULL, "compressed_",
			"column 2 (v): this version does not decode the COMPRESSED attribute"},
		{"mariadb10-others-none", "mariadb10-others.schema", "compressed_",
			"column 2 (v): this version does not decode the COMPRESSED attribute"},
		{"mariadb10-others-none", "mariadb10-others.schema", "charset_",
			"column 2 (v): this version does not decode the character set cp1251"},
		{"mariadb10-others-none", "mariadb10-others.schema", "geometry_",
			"column 2 (g): this version does not decode the type GEOMETRY"},
		{"mariadb10-others-none", "mariadb10-others.schema", "uuid_",
			"column 2 (u): this version does not decode the type uuid"},
		{"mariadb10-others-none", "mariadb10-others.schema", "old_fractions",
			"column 2 (t): this version does not decode the format of times of "
			"MariaDB 5.3"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_refused(
			rows[i].file, rows[i].schema, rows[i].table, RC_UNSUPPORTED, rows[i].text);
	assert_refused("mariadb10-others-none", "mariadb10-others.schema", "old_times", RC_OK, "");
}

/* Rows of a table that is refused can be stepped over; the images end where the event does. */
static void rows_of_refused_tables_can_be_stepped_over(void **state)
{
	(void)state;
	static const char *const files[] = {
		"mysql9-others", "mariadb10-others", "mariadb10-others-none"};
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		struct capture capture = capture_open(files[i]);
		struct binlog_table *shape = NULL;
		struct binlog_event event;
		enum binlog_change change;
		bool is_strange = false; /* longer than its map says, see above */
		while (capture_next(&capture, &event)) {
			struct binlog_table_map map;
			struct binlog_rows rows;
			struct slice spans[10];
			if (event.type == BINLOG_TABLE_MAP) {
				binlog_table_free(shape);
				assert_rc(binlog_table_map_read(event.body, &map));
				assert_rc(binlog_table_shape(&map, &shape, NULL));
				is_strange = slice_equal(map.name, SLICE("old_fractions"));
			}
			if (!binlog_rows_change(event.type, &change))
				continue;
			assert_rc(binlog_rows_read(&event, &capture.format, &rows));
			enum rc rc = RC_OK;
			do
				rc = binlog_image_read(shape, rows.present, &rows.rest, spans);
			while (rc == RC_OK && reader_left(&rows.rest) > 0);
			assert_int_equal(rc, is_strange ? RC_TRUNCATED : RC_OK);
		}
		binlog_table_free(shape);
		capture_close(&capture);
	}
}

/* ---- maps of our own ---- */

struct made_map {
	struct buf body;
	struct binlog_table_map map;
};

/* Types and nullability as text of bytes. */
static struct made_map make_map(struct slice types, struct slice metas, struct slice optional)
{
	struct made_map made = {.body = buf_of(100000)};
	struct buf *body = &made.body;
	buf_bytes(body, "\1\0\0\0\0\0\1\0", 8);
	buf_bytes(body, "\1d\0\1t\0", 6);
	buf_u8(body, (uint8_t)types.len);
	buf_slice(body, types);
	buf_u8(body, (uint8_t)metas.len);
	buf_slice(body, metas);
	for (size_t i = 0; i < (types.len + 7) / 8; i++)
		buf_u8(body, 0xff);
	buf_slice(body, optional);
	assert_rc(binlog_table_map_read(buf_as_slice(body), &made.map));
	return made;
}

static struct schema_table schema_of(struct schema_column *columns, size_t count)
{
	static char names[][2] = {"a", "b", "c", "d", "e", "f", "g", "h"};
	static char none[] = "";
	for (size_t i = 0; i < count; i++) {
		columns[i].name = columns[i].name ? columns[i].name : names[i];
		columns[i].charset = columns[i].charset ? columns[i].charset : none;
		columns[i].nullable = true;
	}
	return (struct schema_table){columns, count};
}

static char *text(const char *text)
{
	return (char *)(uintptr_t)text;
}

/* One column: what the map says, what the schema says, and what comes of it. */
static void assert_agree(struct slice type, struct slice meta, const char *schema_type,
	const char *charset, enum rc rc)
{
	struct schema_column column = {.type = text(schema_type), .charset = text(charset)};
	struct schema_table schema = schema_of(&column, 1);
	struct made_map made = make_map(type, meta, SLICE(""));
	struct fault fault = {0};
	enum rc got = build_of(&made.map, false, &schema, &fault);
	if (got != rc)
		fail_msg("%s: %s %s", schema_type, rc_name(got), fault.text);
	if (rc == RC_SCHEMA)
		assert_true(strncmp(fault.text, "column 1 (a): ", 14) == 0);
	buf_release(&made.body);
}

static void schema_and_map_must_agree(void **state)
{
	(void)state;
	static const struct {
		struct slice type, meta;
		const char *agrees, *differs, *charset;
	} rows[] = {
		{SLICE_INIT("\1"), SLICE_INIT(""), "tinyint(4)", "smallint(6)", ""},
		{SLICE_INIT("\2"), SLICE_INIT(""), "smallint unsigned", "int", ""},
		{SLICE_INIT("\3"), SLICE_INIT(""), "int(10) unsigned zerofill", "mediumint", ""},
		{SLICE_INIT("\x09"), SLICE_INIT(""), "mediumint", "int", ""},
		{SLICE_INIT("\x08"), SLICE_INIT(""), "bigint(20)", "int", ""},
		{SLICE_INIT("\4"), SLICE_INIT("\4"), "float(7,3)", "double", ""},
		{SLICE_INIT("\5"), SLICE_INIT("\x08"), "double unsigned", "float", ""},
		{SLICE_INIT("\xf6"), SLICE_INIT("\x0c\2"), "decimal(12,2)", "decimal(12,3)", ""},
		{SLICE_INIT("\xf6"), SLICE_INIT("\x0c\2"), "decimal(12,2) unsigned zerofill",
			"decimal(11,2)", ""},
		{SLICE_INIT("\x0d"), SLICE_INIT(""), "year(4)", "tinyint(4)", ""},
		{SLICE_INIT("\x10"), SLICE_INIT("\1\1"), "bit(9)", "bit(8)", ""},
		{SLICE_INIT("\x0a"), SLICE_INIT(""), "date", "datetime", ""},
		{SLICE_INIT("\x13"), SLICE_INIT("\3"), "time(3)", "time", ""},
		{SLICE_INIT("\x12"), SLICE_INIT("\0"), "datetime", "datetime(1)", ""},
		{SLICE_INIT("\x11"), SLICE_INIT("\6"), "timestamp(6)", "datetime(6)", ""},
		{SLICE_INIT("\x0c"), SLICE_INIT(""), "datetime /* 5.5 binary format */", "date",
			""},
		{SLICE_INIT("\xfe"), SLICE_INIT("\xfe\x28"), "char(10)", "char(11)", "utf8mb4"},
		{SLICE_INIT("\xfe"), SLICE_INIT("\xfe\x28"), "char(40)", "varchar(40)", "latin1"},
		{SLICE_INIT("\xfe"), SLICE_INIT("\xce\xfc"), "char(255)", "char(254)", "utf8mb4"},
		{SLICE_INIT("\xfe"), SLICE_INIT("\xfe\x08"), "binary(8)", "binary(9)", ""},
		{SLICE_INIT("\x0f"), SLICE_INIT("\x2c\1"), "varchar(100)", "varchar(75)", "utf8"},
		{SLICE_INIT("\x0f"), SLICE_INIT("\x2c\1"), "varchar(75)", "varchar(300)",
			"utf8mb4"},
		{SLICE_INIT("\x0f"), SLICE_INIT("\x2d\1"), "varbinary(301)", "varchar(301)", ""},
		{SLICE_INIT("\xfc"), SLICE_INIT("\2"), "text", "mediumtext", "utf8mb4"},
		{SLICE_INIT("\xfc"), SLICE_INIT("\1"), "tinyblob", "blob", ""},
		{SLICE_INIT("\xfc"), SLICE_INIT("\4"), "longtext", "json", "utf8mb4"},
		{SLICE_INIT("\xf5"), SLICE_INIT("\4"), "json", "longtext", ""},
		{SLICE_INIT("\xfe"), SLICE_INIT("\xf7\1"), "enum('a','b')", "set('a','b')",
			"latin1"},
		{SLICE_INIT("\xfe"), SLICE_INIT("\xf8\1"), "set('a','b')", "enum('a','b')",
			"utf8mb4"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_agree(rows[i].type, rows[i].meta, rows[i].agrees, rows[i].charset, RC_OK);
		assert_agree(
			rows[i].type, rows[i].meta, rows[i].differs, rows[i].charset, RC_SCHEMA);
	}
	/* characters that do not divide the bytes, members that do not fit */
	assert_agree(SLICE("\x0f"), SLICE("\x2d\1"), "varchar(75)", "utf8mb4", RC_SCHEMA);
	assert_agree(SLICE("\xfe"), SLICE("\xf8\1"), "set('1','2','3','4','5','6','7','8','9')",
		"latin1", RC_SCHEMA);
	assert_agree(SLICE("\xfe"), SLICE("\xf7\1"), "enum('a'", "latin1", RC_SCHEMA);
	assert_agree(SLICE("\xfe"), SLICE("\xf7\1"), "enum('a',)", "latin1", RC_SCHEMA);
	assert_agree(SLICE("\xfe"), SLICE("\xf7\1"), "enum", "latin1", RC_SCHEMA);
	assert_agree(SLICE("\x0f"), SLICE("\x2c\1"), "varchar(300)", "klingon", RC_UNSUPPORTED);
	assert_agree(SLICE("\x0f"), SLICE("\x2c\1"), "vector(75)", "", RC_UNSUPPORTED);
}

static void what_differs_is_told_from_both_sides(void **state)
{
	(void)state;
	struct schema_column columns[] = {{.type = text("int(11)")}, {.type = text("int(11)")}};
	struct schema_table schema = schema_of(columns, 2);
	struct fault fault;
	/* \1 signedness: unsigned, signed */
	struct made_map made = make_map(SLICE("\3\3"), SLICE(""), SLICE("\1\1\x80"));
	assert_int_equal(build_of(&made.map, true, &schema, &fault), RC_SCHEMA);
	assert_string_equal(
		fault.text, "column 1 (a): the schema says int, the binlog int unsigned");
	columns[0].type = text("int(10) unsigned");
	columns[1].nullable = false;
	assert_int_equal(build_of(&made.map, true, &schema, &fault), RC_SCHEMA);
	assert_string_equal(fault.text, "column 2 (b): the schema says NOT NULL, the binlog NULL");
	columns[1].nullable = true;
	assert_rc(build_of(&made.map, true, &schema, &fault));
	schema.column_count = 1;
	assert_int_equal(build_of(&made.map, true, &schema, &fault), RC_SCHEMA);
	assert_string_equal(fault.text, "the schema has 1 columns, the binlog 2");
	assert_int_equal(build_of(&made.map, true, NULL, &fault), RC_SCHEMA);
	buf_release(&made.body);
	/* \3 character set of the column: latin1 */
	struct schema_column other = {.type = text("varchar(5)"), .charset = text("utf8mb4")};
	schema = schema_of(&other, 1);
	made = make_map(SLICE("\x0f"), SLICE("\x14\0"), SLICE("\3\1\x08"));
	assert_int_equal(build_of(&made.map, true, &schema, &fault), RC_SCHEMA);
	assert_string_equal(fault.text,
		"column 1 (a): the schema says character set utf8mb4, the binlog latin1");
	buf_release(&made.body);
}

static void members_that_a_schema_cannot_show_are_not_guessed(void **state)
{
	(void)state;
	struct schema_column column = {.type = text("enum('a','?')"), .charset = text("utf8mb4")};
	struct schema_table schema = schema_of(&column, 1);
	struct made_map made = make_map(SLICE("\xfe"), SLICE("\xf7\1"), SLICE(""));
	struct fault fault;
	assert_int_equal(build_of(&made.map, true, &schema, &fault), RC_SCHEMA);
	column.charset = text("latin1");
	assert_rc(build_of(&made.map, true, &schema, &fault));
	buf_release(&made.body);
}

static void members_are_read_from_a_schema(void **state)
{
	(void)state;
	struct member_list list;
	assert_true(member_list_from_type(
		"enum('a','it''s','b\\\\c','d\\ne','','\xc3\xbc','x,y','nul\\0')", &list));
	static const struct slice expected[] = {SLICE_INIT("a"), SLICE_INIT("it's"),
		SLICE_INIT("b\\c"), SLICE_INIT("d\ne"), SLICE_INIT(""), SLICE_INIT("\xc3\xbc"),
		SLICE_INIT("x,y"), SLICE_INIT("nul\0")};
	assert_int_equal(list.count, 8);
	for (size_t i = 0; i < 8; i++)
		assert_true(slice_equal(list.at[i], expected[i]));
	member_list_release(&list);
	static const char *const bad[] = {"enum(", "enum('a", "enum('a'", "enum('a',", "enum('a\\",
		"enum()", "", "enum(a)", "enum('\xff')",
		"enum('\xc3','\xbc')" /* a character in two members */};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(member_list_from_type(bad[i], &list));
}

/* Names, a LONGTEXT in utf8mb4_bin and one in another collation. */
#define TWO_TEXTS SLICE("\3\2\x2e\x2d\4\4\1x\1y")

static enum rc note_candidate(void *context, struct slice name)
{
	struct buf *names = context;
	buf_slice(names, name);
	return names->len > 1 ? RC_LIMIT : RC_OK;
}

static void mariadbs_json_is_told_by_the_schema(void **state)
{
	(void)state;
	struct made_map made = make_map(SLICE("\xfc\xfc"), SLICE("\4\4"), TWO_TEXTS);
	assert_int_equal(binlog_table_need(&made.map, true), BINLOG_NEEDS_JSON);
	assert_int_equal(binlog_table_need(&made.map, false), BINLOG_NEEDS_NOTHING);
	struct buf names = buf_of(100);
	assert_rc(binlog_table_json_candidates(&made.map, note_candidate, &names));
	assert_slice(buf_as_slice(&names), "x");
	assert_int_equal(binlog_table_json_candidates(&made.map, note_candidate, &names), RC_LIMIT);
	buf_release(&names);
	struct schema_column column = {
		.name = text("x"), .type = text("longtext"), .is_json = true};
	struct schema_table schema = schema_of(&column, 1);
	struct binlog_table *table;
	assert_rc(binlog_table_build(&made.map, true, &schema, &table, NULL));
	assert_true(table->columns[0].is_json && !table->columns[1].is_json);
	assert_string_equal(table->table->columns[0].type, "json");
	assert_string_equal(table->table->columns[1].type, "longtext");
	binlog_table_free(table);
	column.is_json = false;
	assert_rc(binlog_table_build(&made.map, true, &schema, &table, NULL));
	assert_false(table->columns[0].is_json);
	binlog_table_free(table);
	column.name = text("z");
	struct fault fault;
	assert_int_equal(build_of(&made.map, true, &schema, &fault), RC_SCHEMA);
	assert_string_equal(
		fault.text, "column 1 (x): the schema does not tell whether it is JSON");
	buf_release(&made.body);
}

/* A YEAR, an INT UNSIGNED and an INT: the bits may or may not count the YEAR. */
static void signedness_that_can_be_read_in_two_ways_is_settled_by_the_schema(void **state)
{
	(void)state;
	struct schema_column columns[] = {
		{.type = text("year")}, {.type = text("int unsigned")}, {.type = text("int")}};
	struct schema_table schema = schema_of(columns, 3);
	struct made_map made =
		make_map(SLICE("\x0d\3\3"), SLICE(""), SLICE("\1\1\x80\4\6\1a\1b\1c"));
	struct binlog_table *table;
	assert_int_equal(binlog_table_need(&made.map, false), BINLOG_NEEDS_NAMES);
	assert_int_equal(build_of(&made.map, false, NULL, NULL), RC_SCHEMA);
	assert_rc(binlog_table_build(&made.map, false, &schema, &table, NULL));
	assert_true(table->columns[1].is_unsigned && !table->columns[2].is_unsigned);
	binlog_table_free(table);
	columns[1].type = text("int");
	assert_rc(binlog_table_build(&made.map, false, &schema, &table, NULL));
	assert_false(table->columns[1].is_unsigned || table->columns[2].is_unsigned);
	binlog_table_free(table);
	columns[2].type = text("int unsigned");
	assert_int_equal(build_of(&made.map, false, &schema, NULL), RC_SCHEMA);
	buf_release(&made.body);
	/* a server that tells visibility counts it, and so does MariaDB */
	made = make_map(SLICE("\x0d\3\3"), SLICE(""), SLICE("\1\1\x80\4\6\1a\1b\1c\x0c\1\xe0"));
	assert_int_equal(binlog_table_need(&made.map, false), BINLOG_NEEDS_NOTHING);
	assert_int_equal(binlog_table_need(&made.map, true), BINLOG_NEEDS_NOTHING);
	assert_rc(binlog_table_build(&made.map, false, NULL, &table, NULL));
	assert_false(table->columns[1].is_unsigned || table->columns[2].is_unsigned);
	binlog_table_free(table);
	buf_release(&made.body);
	/* the YEAR's bit is always set where there is one: here is none */
	made = make_map(SLICE("\x0d\3\3"), SLICE(""), SLICE("\1\1\x40\4\6\1a\1b\1c"));
	assert_int_equal(binlog_table_need(&made.map, false), BINLOG_NEEDS_NOTHING);
	assert_rc(binlog_table_build(&made.map, false, NULL, &table, NULL));
	assert_true(!table->columns[1].is_unsigned && table->columns[2].is_unsigned);
	binlog_table_free(table);
	buf_release(&made.body);
}

static void keys_come_in_their_own_order(void **state)
{
	(void)state;
	struct binlog_table *table;
	struct made_map made =
		make_map(SLICE("\3\3\3"), SLICE(""), SLICE("\1\1\0\4\6\1a\1b\1c\x08\2\2\0"));
	assert_rc(binlog_table_build(&made.map, true, NULL, &table, NULL));
	assert_int_equal(table->table->key_count, 2);
	assert_int_equal(table->table->key[0], 2);
	assert_int_equal(table->table->key[1], 0);
	binlog_table_free(table);
	buf_release(&made.body);
	static const struct slice bad[] = {SLICE_INIT("\1\1\0\4\6\1a\1b\1c\x08\2\2\2"),
		SLICE_INIT("\1\1\0\4\6\1a\1b\1c\x08\1\3"),
		SLICE_INIT("\1\1\0\4\6\1a\1b\1c\x09\1\0"),
		SLICE_INIT("\1\1\0\4\6\1a\1b\1c\x08\3\xfc\0\1")};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		made = make_map(SLICE("\3\3\3"), SLICE(""), bad[i]);
		struct fault fault;
		assert_int_not_equal(build_of(&made.map, true, NULL, &fault), RC_OK);
		buf_release(&made.body);
	}
	struct schema_column columns[] = {{.type = text("int"), .key_place = 2},
		{.type = text("int")}, {.type = text("int"), .key_place = 1}};
	struct schema_table schema = schema_of(columns, 3);
	made = make_map(SLICE("\3\3\3"), SLICE(""), SLICE(""));
	assert_rc(binlog_table_build(&made.map, true, &schema, &table, NULL));
	assert_int_equal(table->table->key[0], 2);
	assert_int_equal(table->table->key[1], 0);
	binlog_table_free(table);
	buf_release(&made.body);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(types_that_are_not_decoded_are_named),
	cmocka_unit_test(rows_of_refused_tables_can_be_stepped_over),
	cmocka_unit_test(schema_and_map_must_agree),
	cmocka_unit_test(what_differs_is_told_from_both_sides),
	cmocka_unit_test(members_that_a_schema_cannot_show_are_not_guessed),
	cmocka_unit_test(members_are_read_from_a_schema),
	cmocka_unit_test(mariadbs_json_is_told_by_the_schema),
	cmocka_unit_test(signedness_that_can_be_read_in_two_ways_is_settled_by_the_schema),
	cmocka_unit_test(keys_come_in_their_own_order),
};
UNIT_MAIN(tests)
