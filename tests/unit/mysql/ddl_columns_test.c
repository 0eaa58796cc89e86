#include "mysql/capture.h"

#include "mysql/ddl_columns.c"

static void note(void *context, struct slice column, bool named, bool is_json)
{
	buf_format(context, "%s%.*s=%s", ((struct buf *)context)->len ? " " : "",
		SLICE_ARGS(column),
		!named            ? "?"
			: is_json ? "json"
				  : "no");
}

static void assert_columns(const char *sql, const char *expected)
{
	struct buf out = buf_of(10000);
	struct binlog_query query = {.database = SLICE("d"), .sql = slice_text(sql)};
	ddl_json_columns(&query, note, &out);
	if (strcmp(buf_cstring(&out), expected) != 0)
		fail_msg("%s\n is read as: %s\n should be:  %s", sql, buf_cstring(&out), expected);
	buf_release(&out);
}

static void created_tables_tell_all_columns(void **state)
{
	(void)state;
	assert_columns("create table a (id int primary key, j json, `k``l` JSON not null)",
		"id=no j=json k`l=json");
	assert_columns(
		"CREATE OR REPLACE TABLE if not exists x.a (j longtext CHARACTER SET utf8mb4 "
		"COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`j`)), v varchar(10))",
		"j=json v=no");
	assert_columns("create table a (d decimal(10,2) default (1,2), e enum('a','json'), "
		       "c text check (json_valid(c)), o longtext check (json_valid(p)), "
		       "l longtext check (json_valid(l) and 1))",
		"d=no e=no c=no o=no l=no");
	assert_columns(
		"create table a (j json comment 'x, y json', primary key (j(1), k), "
		"unique key u (j), key (a), index i (b), constraint c foreign key (x) "
		"references y (z), fulltext (t), spatial index (g), check (a > 1), "
		"period for system_time (s, e), vector index (v)) engine=innodb, comment 'z'",
		"j=json");
	assert_columns("create table a (period json, system int, vector json, key_ int)",
		"period=json system=no vector=json key_=no");
	assert_columns("create temporary table a (g json generated always as (json_object('a', 1)) "
		       "stored, v json as (concat('{', '}')) virtual)",
		"g=json v=json");
	assert_columns("/*!50000 create table a (j json) */", "j=json");
	assert_columns("set statement x = 1 for create table a (j json)", "j=json");
}

static void a_check_of_its_own_leaves_the_column_open(void **state)
{
	(void)state;
	assert_columns(
		"create table a (j longtext, constraint x check (json_valid(j)))", "j=no j=?");
	assert_columns("alter table a add constraint x check (json_valid(`j`))", "j=?");
	assert_columns("alter table a add check (json_valid(j))", "j=?");
	assert_columns("alter table a drop constraint j", "j=?");
	assert_columns("alter table a drop constraint if exists j, drop check k", "j=? k=?");
}

static void altered_tables_tell_what_changes(void **state)
{
	(void)state;
	assert_columns("alter table a add j json", "j=json");
	assert_columns("alter table a.b add column if not exists j json after id, add k int first",
		"j=json k=no");
	assert_columns("alter table a add column (j json, k longtext check (json_valid(k)), l int)",
		"j=json k=json l=no");
	assert_columns("alter table a wait 5 modify j longtext, modify column if exists k json",
		"j=no k=json");
	assert_columns(
		"alter table a change j k json, change column x x int", "j=? k=json x=? x=no");
	assert_columns(
		"alter table a drop j, drop column if exists k, drop primary key, drop key x, "
		"drop index y, drop foreign key z, drop partition p",
		"j=? k=?");
	assert_columns(
		"alter table a rename column j to k, rename index x to y, rename to b", "j=? k=?");
	assert_columns(
		"alter online ignore table a add unique (x), add index (y), add constraint c "
		"unique (z), add partition (partition p values less than (1)), "
		"add system versioning, add period for system_time (a, b), engine=innodb, "
		"order by x, y, convert to character set utf8mb4",
		"");
	assert_columns(
		"alter table a nowait add j json check (json_valid(j)), comment 'add k json'",
		"j=json");
}

static void other_statements_tell_nothing(void **state)
{
	(void)state;
	static const char *const statements[] = {"create table a like b", "create table a (like b)",
		"create table a select 1 as j", "create table a (select j from b)", "drop table a",
		"create view a as select json from b", "create index j on a (json)", "", "alter",
		"create table", "alter table a", "create table a (", "create table a (j",
		"create procedure p() create table a (j json)", "insert into a (j) values ('json')",
		"alter table a add", "alter table a rename column", "alter table a change j"};
	for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
		struct buf out = buf_of(1000);
		struct binlog_query query = {.sql = slice_text(statements[i])};
		ddl_json_columns(&query, note, &out);
		bool is_cut = strcmp(statements[i], "create table a (j") == 0 ||
			strcmp(statements[i], "alter table a change j") == 0;
		if (!is_cut && out.len)
			fail_msg("%s is read as: %s", statements[i], buf_cstring(&out));
		buf_release(&out);
	}
}

/* ---- against the information schemas of the captured files ---- */

struct comparison {
	const struct schema_table *schema;
	size_t count;
};

static void compare(void *context, struct slice column, bool named, bool is_json)
{
	struct comparison *comparison = context;
	assert_true(named);
	for (size_t i = 0; i < comparison->schema->column_count; i++) {
		const struct schema_column *known = &comparison->schema->columns[i];
		if (!slice_equal(slice_text(known->name), column))
			continue;
		if (known->is_json != is_json)
			fail_msg("%s is %sJSON in the schema", known->name,
				known->is_json ? "" : "not ");
		comparison->count++;
		return;
	}
	fail_msg("no column %.*s", SLICE_ARGS(column));
}

static void statements_agree_with_the_servers_schemas(void **state)
{
	(void)state;
	static const char *const rows[][2] = {{"mysql9-full", "mysql9-types.schema"},
		{"mysql9-json", "mysql9-json.schema"}, {"mysql80-full", "mysql80-types.schema"},
		{"mariadb10-full", "mariadb10-types.schema"},
		{"mariadb11-full", "mariadb11-types.schema"}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct capture capture = capture_open(rows[i][0]);
		struct binlog_event event;
		size_t tables = 0;
		while (capture_next(&capture, &event)) {
			struct binlog_query query;
			struct ddl ddl;
			if (event.type != BINLOG_QUERY)
				continue;
			assert_rc(binlog_query_read(event.body, &query));
			ddl_read(&query, &ddl);
			if (ddl.kind == DDL_CREATE_TABLE) {
				char name[100];
				snprintf(name, sizeof name, "%.*s", SLICE_ARGS(ddl.names[0].table));
				struct schema_table *schema = capture_schema(rows[i][1], name);
				struct comparison comparison = {schema, 0};
				ddl_json_columns(&query, compare, &comparison);
				assert_int_equal(comparison.count, schema->column_count);
				capture_schema_free(schema);
				tables++;
			}
			ddl_release(&ddl);
		}
		assert_true(tables > 3);
		capture_close(&capture);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(created_tables_tell_all_columns),
	cmocka_unit_test(a_check_of_its_own_leaves_the_column_open),
	cmocka_unit_test(altered_tables_tell_what_changes),
	cmocka_unit_test(other_statements_tell_nothing),
	cmocka_unit_test(statements_agree_with_the_servers_schemas),
};
UNIT_MAIN(tests)
