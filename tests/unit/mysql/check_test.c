#include "unit.h"

#include "mysql/check.c"

#include "fake_server.h"

static const char *const bad_variables[] = {"server_id", "0", "binlog_checksum", "NONE",
	"gtid_mode", "OFF", "enforce_gtid_consistency", "OFF", "binlog_expire_logs_seconds", "3600",
	"binlog_row_value_options", "PARTIAL_JSON", "binlog_transaction_compression", "ON",
	"log_replica_updates", "OFF", "sync_binlog", "0", NULL};
static const char *const good_variables[] = {"server_id", "1", "binlog_checksum", "CRC32",
	"gtid_mode", "ON", "binlog_expire_logs_seconds", "2592000", "binlog_row_value_options", "",
	"binlog_transaction_compression", "OFF", "log_replica_updates", "ON", "sync_binlog", "1",
	"innodb_native_foreign_keys", "OFF", NULL};
static const char *const user[] = {"app@%", NULL};
static const char *const one_row[] = {"x", NULL};
static const char *const usage[] = {"GRANT USAGE ON *.* TO `app`@`%`",
	"GRANT SELECT ON `d`.* TO `app`@`%`", "GRANT `role`@`%` TO `app`@`%`", NULL};
static const char *const enough[] = {
	"GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `app`@`%`", NULL};
static const char *const status[] = {"binlog.000001", "4", "", "secret", "", NULL};
static const char *const no_filter[] = {"binlog.000001", "4", "", "", "", NULL};
static const char *const tables[] = {"d", "nokey", "d", "b`c", "mysql", "user", "e", "t", NULL};
static const char *const denied[] = {"SELECT command denied to user 'app'@'h' for table 'b`c'"};
static const char *const cascades[] = {"d", "child", "fk: ON DELETE CASCADE ON UPDATE RESTRICT",
	"e", "t", "fk: ON DELETE CASCADE ON UPDATE RESTRICT", NULL};
static const char *const none[] = {NULL};

static const struct fake_answer bad[] = {
	{"SHOW GLOBAL VARIABLES", 0, 2, bad_variables},
	{"SHOW REPLICA STATUS", 0, 1, one_row},
	{"SHOW GRANTS", 0, 1, usage},
	{"SELECT CURRENT_USER()", 0, 1, user},
	{"SHOW BINARY LOG STATUS", 0, 5, status},
	{"SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES", 0, 2, tables},
	{"SELECT 1 FROM `d`.`b``c` LIMIT 0", 1142, 0, denied},
	{"SELECT 1 FROM", 0, 1, none},
	{"SELECT t.TABLE_SCHEMA", 0, 2, tables},
	{"SELECT CONSTRAINT_SCHEMA", 0, 3, cascades},
	{"SELECT TABLE_SCHEMA", 0, 3, none},
	{0},
};
static const struct fake_answer good[] = {
	{"SHOW GLOBAL VARIABLES", 0, 2, good_variables},
	{"SHOW GRANTS", 0, 1, enough},
	{"SELECT CURRENT_USER()", 0, 1, user},
	{"SHOW BINARY LOG STATUS", 0, 5, no_filter},
	{"SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES", 0, 2, tables},
	{"SELECT t.TABLE_SCHEMA", 0, 2, none},
	{"SELECT TABLE_SCHEMA", 0, 3, none},
	{0},
};

static void write_finding(void *context, const struct finding *finding)
{
	static const char *const levels[] = {"ok", "advice", "warning", "error"};
	buf_format(context, "%s|%s|%s|%s\n", levels[finding->level], finding->name, finding->text,
		finding->mend);
}

static void run(
	const struct fake_answer *answers, const struct mysql_server *server, struct buf *out)
{
	static const char *const patterns[] = {"d.*"};
	struct fake fake;
	struct link *link;
	struct fault fault;
	fake_start(&fake);
	fake.answers = answers;
	assert_rc(fake_connect(&fake, &link, &fault));
	enum rc rc = mysql_check(link, server, patterns, 1, write_finding, out, &fault);
	if (rc != RC_OK)
		fail_msg("%s", fault.text);
	link_close(link);
	fake_stop(&fake);
}

static void everything_that_is_wrong_is_found_with_its_mending(void **state)
{
	(void)state;
	static const struct mysql_server server = {.version = 90704,
		.version_text = "9.7.4",
		.log_bin = true,
		.format = "STATEMENT",
		.row_image = "MINIMAL",
		.row_metadata = "MINIMAL"};
	static const char *const wanted[] = {
		"error|binlog_format|STATEMENT: ",
		"|SET PERSIST binlog_format = ROW\n",
		"warning|binlog_row_image|MINIMAL: ",
		"warning|binlog_row_metadata|MINIMAL: ",
		"error|server_id|0: ",
		"warning|binlog_checksum|NONE: ",
		"advice|gtid_mode|OFF: ",
		"SET GLOBAL enforce_gtid_consistency = ON; SET GLOBAL gtid_mode",
		"warning|binlog_expire_logs_seconds|",
		"advice|sync_binlog|",
		"error|binlog_row_value_options|PARTIAL_JSON: ",
		"|SET PERSIST binlog_row_value_options = ''\n",
		"error|binlog_transaction_compression|ON: ",
		"error|log_replica_updates|OFF, and this server is a replica",
		"error|privilege REPLICATION SLAVE|'app'@'%' lacks it",
		"|GRANT REPLICATION SLAVE ON *.* TO 'app'@'%'\n",
		"error|privilege REPLICATION CLIENT|",
		"warning|binlog filters|not every database is in the binlog: "
		"binlog_ignore_db=secret|",
		"error|privilege SELECT|1 of 2 tables may not be read: `d`.`b``c`|GRANT SELECT ON "
		"`d`.`b``c` TO 'app'@'%' (and on the others)\n",
		"warning|tables without a primary key|a row is only known by all of its values, "
		"and sinks that need a key refuse it: d.nokey, d.b`c|ALTER TABLE `d`.`nokey` ADD",
		"warning|foreign keys that cascade|",
		"d.child (fk: ON DELETE CASCADE ON UPDATE RESTRICT)|",
		"ok|column types|",
	};
	struct buf out = buf_of(100000);
	run(bad, &server, &out);
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
		if (!strstr(buf_cstring(&out), wanted[i]))
			fail_msg("\"%s\" is not in\n%s", wanted[i], buf_cstring(&out));
	}
	assert_null(strstr(buf_cstring(&out), "e.t")); /* does not match the pattern */
	assert_null(strstr(buf_cstring(&out), "mysql.user"));
	buf_release(&out);
}

static void a_fit_source_has_good_findings_only(void **state)
{
	(void)state;
	static const struct mysql_server server = {.version = 90704,
		.version_text = "9.7.4",
		.log_bin = true,
		.has_gtids = true,
		.format = "ROW",
		.row_image = "FULL",
		.row_metadata = "FULL"};
	struct buf out = buf_of(100000);
	run(good, &server, &out);
	size_t lines = 0;
	for (const char *line = buf_cstring(&out); *line; line = strchr(line, '\n') + 1, lines++) {
		if (strncmp(line, "ok|", 3) != 0)
			fail_msg("%s", line);
	}
	assert_true(lines >= 18);
	buf_release(&out);
}

static void privileges_are_whole_words_of_a_global_grant(void **state)
{
	(void)state;
	static const struct {
		const char *row;
		bool slave, monitor, select;
	} cases[] = {
		{"GRANT ALL PRIVILEGES ON *.* TO `u`@`%` WITH GRANT OPTION", true, true, true},
		{"GRANT REPLICATION SLAVE ADMIN, SELECTS ON *.* TO `u`@`%`", false, false, false},
		{"GRANT SELECT, BINLOG MONITOR ON *.* TO `u`@`%`", false, true, true},
		{"GRANT SELECT ON `d`.* TO `u`@`%`", false, false, false},
		{"GRANT REPLICATION SLAVE ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD 'SELECT'", true,
			false, false},
		{"GRANT PROXY ON ''@'%' TO 'root'@'localhost'", false, false, false},
		{"REVOKE SELECT ON *.* FROM `u`@`%`", false, false, false},
		{"GRANT ", false, false, false},
		{"", false, false, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct grants grants = {0};
		struct slice cell = slice_text(cases[i].row);
		assert_rc(take_grant(&grants, &cell, 1, NULL));
		assert_int_equal(grants.slave, cases[i].slave);
		assert_int_equal(grants.monitor, cases[i].monitor);
		assert_int_equal(grants.select, cases[i].select);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(everything_that_is_wrong_is_found_with_its_mending),
	cmocka_unit_test(a_fit_source_has_good_findings_only),
	cmocka_unit_test(privileges_are_whole_words_of_a_global_grant),
};
UNIT_MAIN(tests)
