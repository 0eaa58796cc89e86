#include "unit.h"

#include "mysql/schema.c"

#include "fake_server.h"

static const char *const columns[] = {
	/* A server may take T for t; only the table that was asked for counts. */
	"d", "t", "id", "int(11) unsigned", "NULL", "NO", "int", "d", "t", "a", "longtext",
	"utf8mb4", "YES", "longtext", "d", "T", "other", "int(11)", "NULL", "NO", "int", "d", "t",
	"j", "json", "NULL", "YES", "json", NULL};
static const char *const keys[] = {
	"d", "t", "a", "1", "d", "T", "other", "1", "d", "t", "id", "2", NULL};
static const char *const created[] = {"t",
	"CREATE TABLE `t` (\n `id` int(11) unsigned NOT NULL,\n `a` longtext CHARACTER SET utf8mb4 "
	"COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`a`)),\n `j` json\n) ENGINE=InnoDB",
	NULL};
static const char *const nothing[] = {NULL};
static const struct fake_answer mariadb_answers[] = {
	{"SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, COLUMN_TYPE", 0, 7, columns},
	{"SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, SEQ_IN_INDEX", 0, 4, keys},
	{"SHOW CREATE TABLE `d`.`t`", 0, 2, created},
	{0},
};
static const struct fake_answer empty_answers[] = {
	{"SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, COLUMN_TYPE", 0, 7, nothing},
	{0},
};
static const struct mysql_server mariadb = {.is_mariadb = true, .version = 101119};
static const struct mysql_server mysql_nine = {.version = 90704};

static void columns_keys_and_json_come_from_the_server(void **state)
{
	(void)state;
	struct fake fake;
	struct link *link;
	struct fault fault;
	struct schema_table *schema;
	fake_start(&fake);
	fake.answers = mariadb_answers;
	assert_rc(fake_connect(&fake, &link, &fault));
	assert_rc(schema_read(link, &mariadb, SLICE("d"), SLICE("t"), &schema, &fault));
	assert_int_equal(schema->column_count, 3);
	const struct schema_column *column = schema->columns;
	assert_string_equal(column[0].name, "id");
	assert_string_equal(column[0].type, "int(11) unsigned");
	assert_string_equal(column[0].charset, "");
	assert_false(column[0].nullable);
	assert_int_equal(column[0].key_place, 2);
	assert_string_equal(column[1].charset, "utf8mb4");
	assert_true(column[1].nullable && column[1].is_json);
	assert_int_equal(column[1].key_place, 1);
	assert_true(column[2].is_json);
	assert_int_equal(column[2].key_place, 0);
	schema_free(schema);

	assert_rc(schema_read(link, &mysql_nine, SLICE("d"), SLICE("t"), &schema, &fault));
	assert_false(schema->columns[1].is_json); /* nothing is asked about checks */
	assert_non_null(strstr(fake.statements, "SET SESSION show_gipk_in_create_table"));
	schema_free(schema);

	fake.answers = empty_answers;
	assert_int_equal(schema_read(link, &mariadb, SLICE("d"), SLICE("x`y"), &schema, &fault),
		RC_NOT_FOUND);
	assert_non_null(strstr(fault.text, "`d`.`x``y`"));
	link_close(link);
	fake_stop(&fake);
}

static bool is_json(const char *sql, const char *name)
{
	struct schema_table *schema = mem_new(1, sizeof *schema);
	schema->columns = mem_new(1, sizeof *schema->columns);
	schema->column_count = 1;
	schema->columns[0] = (struct schema_column){
		.name = mem_text(name), .type = mem_text(""), .charset = mem_text("")};
	mark_json(slice_text(sql), schema);
	bool found = schema->columns[0].is_json;
	schema_free(schema);
	return found;
}

static void only_a_plain_check_makes_a_column_json(void **state)
{
	(void)state;
	static const struct {
		const char *sql, *name;
		bool is_json;
	} cases[] = {
		{"x CHECK (json_valid(`a`))", "a", true},
		{"x CHECK (JSON_VALID(`a`)), y", "a", true},
		{"CONSTRAINT `c` CHECK (json_valid(`we``ird`))", "we`ird", true},
		{"x CHECK (json_valid(`a`) and length(`a`) < 9)", "a", false},
		{"x CHECK (json_valid(`a`) or `b` > (1))", "a", false},
		{"x CHECK (json_valid(`b`))", "a", false},
		{"x CHECK (json_valid(`a`) or json_valid(`b`))", "a", false},
		{"x CHECK (`a` <> ')' ), y CHECK (json_valid(`a`))", "a", true},
		{"x CHECK (`a)` <> '''('), y CHECK (json_valid(`a`))", "a", true},
		{"x COMMENT ' CHECK (json_valid(`a`))'", "a", false},
		{"x DEFAULT 'it''s CHECK (json_valid(`a`))'", "a", false},
		{"x DEFAULT 'it\\'s CHECK (json_valid(`a`))'", "a", false},
		{"` CHECK (json_valid(`a`))`", "a", false}, /* two names */
		{"x CHECK (json_valid(`a`)", "a", false},
		{"x CHECK (json_valid(`a", "a", false},
		{"x CHECK (json_valid(``))", "", false},
		{"x CHECK (", "a", false},
		{"'", "a", false},
		{"x AS (json_valid(`a`))", "a", false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		if (is_json(cases[i].sql, cases[i].name) != cases[i].is_json)
			fail_msg("%s", cases[i].sql);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(columns_keys_and_json_come_from_the_server),
	cmocka_unit_test(only_a_plain_check_makes_a_column_json),
};
UNIT_MAIN(tests)
