#include "mysql/capture.h"

#include "mysql/ddl.c"

enum { LINE_MAX_BYTES = 100000 };

/* "alter moves a.b, c.d": what was understood. */
static void describe(const struct ddl *ddl, struct buf *out)
{
	static const char *const kinds[] = {[DDL_BEGIN] = "begin",
		[DDL_COMMIT] = "commit",
		[DDL_ROLLBACK] = "rollback",
		[DDL_SAVEPOINT] = "savepoint",
		[DDL_XA] = "xa",
		[DDL_HARMLESS] = "harmless",
		[DDL_CREATE_TABLE] = "create",
		[DDL_ALTER_TABLE] = "alter",
		[DDL_DROP_TABLE] = "drop",
		[DDL_TRUNCATE_TABLE] = "truncate",
		[DDL_RENAME_TABLE] = "rename",
		[DDL_DROP_DATABASE] = "drop-database",
		[DDL_CREATE_DATABASE] = "create-database",
		[DDL_ROWS] = "rows",
		[DDL_UNKNOWN] = "unknown"};
	buf_text(out, kinds[ddl->kind]);
	buf_text(out, ddl->replaces ? " replaces" : "");
	buf_text(out, ddl->moves_rows ? " moves" : "");
	buf_text(out, ddl->is_temporary ? " temporary" : "");
	buf_text(out, ddl->copies_columns ? " copies" : "");
	for (size_t i = 0; i < ddl->name_count; i++) {
		buf_text(out, i ? ", " : " ");
		buf_slice(out, ddl->names[i].database);
		buf_text(out, ".");
		buf_slice(out, ddl->names[i].table);
	}
}

static void assert_ddl(const struct binlog_query *query, const char *expected)
{
	struct ddl ddl;
	struct buf out = buf_of(LINE_MAX_BYTES);
	ddl_read(query, &ddl);
	describe(&ddl, &out);
	if (strcmp(buf_cstring(&out), expected) != 0)
		fail_msg("%.*s\n is read as: %s\n should be:  %s", SLICE_ARGS(query->sql),
			buf_cstring(&out), expected);
	buf_release(&out);
	ddl_release(&ddl);
}

struct row {
	const char *sql, *expected;
};

static void assert_rows(const struct row *rows, size_t count, struct binlog_query query)
{
	query.database = SLICE("d");
	for (size_t i = 0; i < count; i++) {
		query.sql = slice_text(rows[i].sql);
		assert_ddl(&query, rows[i].expected);
	}
}

#define ASSERT_ROWS(rows, ...) \
	assert_rows(rows, sizeof(rows) / sizeof(rows)[0], (struct binlog_query){__VA_ARGS__})

/* The statements of a captured binlog, one a line of the expected file, which is checked by eye. */
static void compare_capture(const char *name)
{
	char file[200];
	snprintf(file, sizeof file, "%s.expected", name);
	size_t len;
	char *text = (char *)capture_read_file(file, &len), *lines = text;
	struct capture capture = capture_open(name);
	struct binlog_event event;
	while (capture_next(&capture, &event)) {
		struct binlog_query query;
		if (event.type != BINLOG_QUERY)
			continue;
		assert_rc(binlog_query_read(event.body, &query));
		const char *line = strsep(&lines, "\n");
		assert_ddl(&query, line ? line : "");
	}
	assert_string_equal(lines, "");
	mem_free(text);
	capture_close(&capture);
}

static void what_servers_write_is_understood(void **state)
{
	(void)state;
	compare_capture("mysql9-statements");
	compare_capture("mariadb10-statements");
}

static void comments_are_not_read_but_version_comments_are(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"/* x */ -- y\n# z\ndrop /*!50000 temporary */ table a", "drop temporary d.a"},
		{"--\tnot this\ndrop table a --", "drop d.a"},
		{"drop table a--b", "unknown"},
		{"drop table a /*!40000 , b */", "drop d.a, d.b"},
		{"drop table a /*M!100300 , b */ -- c", "drop d.a, d.b"},
		{"drop table a /* ! , b */", "drop d.a"},
		{"/*!999999 drop table a", "unknown"},
		{"drop table a /* open", "unknown"},
		{"/*!50000 drop /* inner */ table a */", "drop d.a"},
		{"drop table a */", "unknown"},
		{"/* nothing */", "harmless"},
		{"", "harmless"},
		{"# Dummy event replacing event type 162 that slave cannot handle.", "harmless"},
		{"# Dum", "harmless"},
		{"/*!080000 drop table a */", "drop d.a"},
		{"drop table/**/a;", "drop d.a"},
		{"drop table a; drop table b", "unknown"},
	};
	ASSERT_ROWS(rows, 0);
}

static void names_are_unquoted(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"drop table `a``b`.`c.d`, e . f, `g`", "drop a`b.c.d, e.f, d.g"},
		{"drop table db.table_1, 1a, x.2", "drop db.table_1, d.1a, x.2"},
		{"drop table \"a\"", "unknown"},
		{"drop table 'a'", "unknown"},
		{"drop table ``", "unknown"},
		{"drop table a.", "unknown"},
		{"drop table .a", "unknown"},
		{"drop table a b", "unknown"},
		{"drop table `a", "unknown"},
		{"drop table", "unknown"},
		{"drop table t\xc3\xa4, `\xe6\x97\xa5`", "drop d.t\xc3\xa4, d.\xe6\x97\xa5"},
		{"drop table `t\xe4`", "unknown"},
	};
	ASSERT_ROWS(rows, 0);
	static const struct row ansi[] = {
		{"drop table \"a\"\"b\".\"c\"", "drop a\"b.c"},
		{"alter table \"a\" comment 'back\\', rename \"b\"", "rename d.a, d.b"},
	};
	ASSERT_ROWS(ansi, .ansi_quotes = true, .no_backslash_escapes = true);
}

static void names_are_converted_from_the_statements_character_set(void **state)
{
	(void)state;
	static const struct row latin1[] = {
		{"drop table `t\xe4`, \xfc", "drop d.t\xc3\xa4, d.\xc3\xbc"}};
	ASSERT_ROWS(latin1, .collation = 8);
	static const struct row cp1251[] = {{"drop table t", "drop d.t"},
		{"drop table `\xe4`", "unknown"}, {"alter table t comment '\xe4'", "alter d.t"}};
	ASSERT_ROWS(cp1251, .collation = 51);
	/* the second byte of a character may be a backslash or a letter, not a quote */
	static const struct row gbk[] = {{"drop table t", "drop d.t"},
		{"alter table t comment '\xd5\x5c', rename u", "rename d.t, d.u"},
		{"alter table t comment '\\\xd5\x5c', rename u", "rename d.t, d.u"},
		{"alter table t comment '\x80', rename u", "rename d.t, d.u"},
		{"drop table `\xd5\x5c`", "unknown"}};
	ASSERT_ROWS(gbk, .collation = 28);
	static const struct row gb18030[] = {
		{"alter table t comment '\x81\x30\x81\x30\xd5\x5c'", "alter d.t"}};
	ASSERT_ROWS(gb18030, .collation = 248);
	static const struct row sjis[] = {
		{"alter table t comment '\x95\x5c\xb1', rename u", "rename d.t, d.u"}};
	ASSERT_ROWS(sjis, .collation = 13);
	static const struct row unknown[] = {
		{"drop table t", "drop d.t"}, {"alter table t comment '\xe4'", "unknown"}};
	ASSERT_ROWS(unknown, .collation = 9999);
}

static void tables_that_change_are_named(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"CREATE TABLE a (x int, check (x in (select 1)), y enum('select', ')'))",
			"create d.a"},
		{"create table if not exists a.b like c", "create copies a.b"},
		{"create table a (like b)", "create copies d.a"},
		{"create table a select 1", "create moves copies d.a"},
		{"create table a (x int) engine=innodb comment='(' as select 1",
			"create moves copies d.a"},
		{"create table a (select 1)", "create moves copies d.a"},
		{"create table a (x int) ((select 1))", "create moves copies d.a"},
		{"create table a ignore with c as (select 1) select * from c",
			"create moves copies d.a"},
		{"create table a (x int) partition by range (x) (partition p values less than (1))",
			"create d.a"},
		{"create table a (x int) start transaction", "create d.a"},
		{"create or replace table a (x int)", "create replaces d.a"},
		{"create or replace temporary table a (x int)", "create replaces temporary d.a"},
		{"create fulltext index i on a (x)", "alter d.a"},
		{"create index if not exists `on` using btree on b.a (x)", "alter b.a"},
		{"drop index i on a algorithm = inplace", "alter d.a"},
		{"create index i", "unknown"},
		{"drop table if exists a, b.c restrict", "drop d.a, b.c"},
		{"drop tables a wait 5 cascade", "drop d.a"},
		{"truncate a", "truncate d.a"},
		{"truncate table a.b nowait", "truncate a.b"},
		{"truncate table a, b", "unknown"},
		{"rename table a to b, c.d wait 1 to e.f", "rename d.a, d.b, c.d, e.f"},
		{"rename tables if exists a to b", "rename d.a, d.b"},
		{"rename table a, b", "unknown"},
		{"rename table a to", "unknown"},
		{"create database if not exists x default character set latin1",
			"create-database x."},
		{"create schema `x y`", "create-database x y."},
		{"alter database character set latin1", "create-database"},
		{"drop database if exists `x`", "drop-database x."},
		{"drop schema x extra", "unknown"},
	};
	ASSERT_ROWS(rows, 0);
}

static void alterations_tell_renames_and_rows_that_move(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"alter table a add b int", "alter d.a"},
		{"alter table a", "alter d.a"},
		{"alter online ignore table if exists c.a wait 5 add unique (x)",
			"alter moves c.a"},
		{"alter table a rename b", "rename d.a, d.b"},
		{"alter table a rename to c.b, add x int", "rename d.a, c.b"},
		{"alter table a add x int, rename = b", "rename d.a, d.b"},
		{"alter table a add x int comment ', rename to b', rename as `b`",
			"rename d.a, d.b"},
		{"alter table a rename column x to y, rename index i to j, rename key k to l",
			"alter d.a"},
		{"alter table a rename to b, rename to c", "unknown"},
		{"alter table a add x decimal(5,2) default (1 + (2)), drop y", "alter d.a"},
		{"alter table a drop partition p0, p1", "alter moves d.a"},
		{"alter table a truncate partition all", "alter moves d.a"},
		{"alter table a exchange partition p with table b.c without validation",
			"alter moves d.a, b.c"},
		{"alter table a discard tablespace", "alter moves d.a"},
		{"alter table a import partition p tablespace", "alter moves d.a"},
		{"alter table a convert partition p to table b", "alter moves d.a, d.b"},
		{"alter table a convert table b to partition p values less than (5)",
			"alter moves d.a, d.b"},
		{"alter table a convert to character set utf8mb4", "alter d.a"},
		{"alter table a drop system versioning", "alter moves d.a"},
		{"alter table a drop system, drop column `partition`", "alter d.a"},
		{"alter table a engine = blackhole", "alter moves d.a"},
		{"alter table a add blackhole int, engine='BlackHole'", "alter moves d.a"},
		{"alter table a add blackhole int, engine innodb", "alter d.a"},
		{"alter table a reorganize partition p into (partition q values less than (9))",
			"alter d.a"},
		{"alter table a order by x, y", "alter d.a"},
		{"alter table a comment 'open", "unknown"},
	};
	ASSERT_ROWS(rows, 0);
}

static void what_changes_no_table_is_harmless(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"create definer=`a`@`b` procedure p() drop table x", "harmless"},
		{"create definer = current_user() sql security invoker view v as select 1",
			"harmless"},
		{"create or replace algorithm=merge definer='a'@'b' view v as select 1",
			"harmless"},
		{"create definer=`r` aggregate function f() returns int return 1", "harmless"},
		{"create trigger t before insert on x for each row set @a = 1", "harmless"},
		{"create event e on schedule every 1 day do truncate x", "harmless"},
		{"create user a", "harmless"},
		{"drop role a", "harmless"},
		{"create server s foreign data wrapper mysql options (host 'x')", "harmless"},
		{"create tablespace t add datafile 'x'", "harmless"},
		{"create undo tablespace t add datafile 'x'", "harmless"},
		{"create logfile group g add undofile 'x'", "harmless"},
		{"create or replace spatial reference system 1 name 'x' definition ''", "harmless"},
		{"create json relational duality view v as select 1", "harmless"},
		{"drop view if exists a, b", "harmless"},
		{"alter user a account lock", "harmless"},
		{"alter definer=`a`@`b` event e disable", "harmless"},
		{"alter instance rotate innodb master key", "harmless"},
		{"rename user a to b", "harmless"},
		{"grant all on *.* to a", "harmless"},
		{"revoke all on *.* from a", "harmless"},
		{"set password for a = 'x'", "harmless"},
		{"set default role r to a", "harmless"},
		{"analyze table a", "harmless"},
		{"analyze local tables a persistent for all", "harmless"},
		{"optimize no_write_to_binlog table a", "harmless"},
		{"check table a", "harmless"},
		{"repair table a", "harmless"},
		{"checksum table a", "harmless"},
		{"flush privileges", "harmless"},
		{"install plugin p soname 'x'", "harmless"},
		{"uninstall component 'x'", "harmless"},
		{"load index into cache a", "harmless"},
		{"cache index a in b", "harmless"},
	};
	ASSERT_ROWS(rows, 0);
}

static void rows_changed_as_statements_name_their_table(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"insert into a values (1)", "rows d.a"},
		{"insert ignore a.b set x = 1", "rows a.b"},
		{"replace delayed into a select 1", "rows d.a"},
		{"update a set x = 1", "rows d.a"},
		{"update low_priority ignore a.b as c set x = 1", "rows a.b"},
		{"update a, b set a.x = 1", "rows"},
		{"update a join b set a.x = 1", "rows"},
		{"delete from a where x = 1", "rows d.a"},
		{"delete quick from a.b limit 1", "rows a.b"},
		{"delete a from a join b", "rows"},
		{"delete from a, b using a join b", "rows"},
		{"delete from a using a", "rows"},
		{"delete from a.* using a join b", "rows"},
		{"load data infile 'x' into table a.b fields terminated by ','", "rows a.b"},
		{"load xml local infile 'into' into table a", "rows d.a"},
		{"call p()", "rows"},
		{"do f()", "rows"},
		{"select f()", "rows"},
		{"values row(1)", "rows"},
		{"with x as (select 1) update a, x set a.b = 1", "rows"},
		{"with x as (select 1) delete from a", "rows"},
	};
	ASSERT_ROWS(rows, 0);
}

static void transactions_are_told_apart(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"BEGIN", "begin"},
		{"begin work", "begin"},
		{"begin not atomic", "unknown"},
		{"START TRANSACTION WITH CONSISTENT SNAPSHOT", "begin"},
		{"start slave", "unknown"},
		{"COMMIT", "commit"},
		{"commit and chain", "commit"},
		{"ROLLBACK", "rollback"},
		{"rollback work to savepoint x", "savepoint"},
		{"ROLLBACK TO `s1`", "savepoint"},
		{"SAVEPOINT `s1`", "savepoint"},
		{"release savepoint s1", "savepoint"},
		{"XA START X'7831',X'',1", "xa"},
		{"XA PREPARE 'x'", "xa"},
		{"xa commit 'x'", "xa"},
	};
	ASSERT_ROWS(rows, 0);
}

static void mariadbs_own_statements_are_read(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"create or replace sequence s", "create replaces copies d.s"},
		{"create temporary sequence s", "create temporary copies d.s"},
		{"alter sequence if exists s restart 5", "alter d.s"},
		{"DROP SEQUENCE `s` /* generated by server */", "drop d.s"},
		{"set statement a = 1, b = concat('for', 'x') for drop table t", "drop d.t"},
		{"set statement a = 1 for set statement b = 2 for drop table t", "unknown"},
		{"create package p as function f() returns int; end", "harmless"},
		{"create package body p as begin end; end", "harmless"},
	};
	ASSERT_ROWS(rows, 0);
}

static void what_is_not_understood_is_unknown(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"gibberish", "unknown"},
		{"create", "unknown"},
		{"create or", "unknown"},
		{"create thing x", "unknown"},
		{"alter", "unknown"},
		{"alter thing x", "unknown"},
		{"drop", "unknown"},
		{"set @x = f()", "unknown"},
		{"set x = 1", "unknown"},
		{"analyze update a set b = 1", "unknown"},
		{"'string'", "unknown"},
		{"(select 1)", "unknown"},
		{"import table from 'x'", "unknown"},
		{"binlog 'abc'", "unknown"},
		{"`create` table a", "unknown"},
		{"load something", "unknown"},
		{"create table", "unknown"},
		{"create table a (x int comment 'open", "unknown"},
		{"\\", "unknown"},
		{"\"", "unknown"},
	};
	ASSERT_ROWS(rows, 0);
}

/* A statement may name more tables than are worth remembering. */
static void a_flood_of_names_is_unknown(void **state)
{
	(void)state;
	struct buf sql = buf_of(1 << 20);
	buf_text(&sql, "drop table a");
	for (int i = 0; i < NAMES_MAX; i++)
		buf_text(&sql, ",b");
	struct binlog_query query = {.database = SLICE("d"), .sql = buf_as_slice(&sql)};
	assert_ddl(&query, "unknown");
	query.sql.len -= 2;
	struct ddl ddl;
	ddl_read(&query, &ddl);
	assert_int_equal(ddl.kind, DDL_DROP_TABLE);
	assert_int_equal(ddl.name_count, NAMES_MAX);
	assert_slice(ddl.names[NAMES_MAX - 1].table, "b");
	assert_slice(ddl.names[NAMES_MAX - 1].database, "d");
	ddl_release(&ddl);
	buf_release(&sql);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_servers_write_is_understood),
	cmocka_unit_test(comments_are_not_read_but_version_comments_are),
	cmocka_unit_test(names_are_unquoted),
	cmocka_unit_test(names_are_converted_from_the_statements_character_set),
	cmocka_unit_test(tables_that_change_are_named),
	cmocka_unit_test(alterations_tell_renames_and_rows_that_move),
	cmocka_unit_test(what_changes_no_table_is_harmless),
	cmocka_unit_test(rows_changed_as_statements_name_their_table),
	cmocka_unit_test(transactions_are_told_apart),
	cmocka_unit_test(mariadbs_own_statements_are_read),
	cmocka_unit_test(what_is_not_understood_is_unknown),
	cmocka_unit_test(a_flood_of_names_is_unknown),
};
UNIT_MAIN(tests)
