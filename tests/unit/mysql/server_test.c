#include "unit.h"

#include "mysql/server.c"

#include "fake_server.h"

static const char *const mariadb_variables[] = {"binlog_format", "row", "binlog_row_image", "FULL",
	"gtid_domain_id", "0", "log_bin", "ON", "server_id", "17", "version",
	"10.11.19-MariaDB-0+deb12u1-log", NULL};
static const char *const mysql_variables[] = {"binlog_format", "ROW", "gtid_mode", "ON_PERMISSIVE",
	"log_bin", "OFF", "server_id", "17", "server_uuid", "4c097153-e8b1-11f1-a8ee-02fc00000001",
	"version", "9.7.4-2", NULL};
static const char *const master[] = {"binlog.000002", "4294967999", "", "", NULL};
static const char *const binary_log[] = {
	"binlog.000002", "514", "", "", "4c097153-e8b1-11f1-a8ee-02fc00000001:1-5,\n x:1", NULL};
static const char *const pos[] = {"0-1-11", NULL};
static const char *const none[] = {NULL};
static const char *const nonsense[] = {"binlog.000002", "5x", "", "", NULL};
static const char *const logs[] = {"binlog.000001", "10", "No", "binlog.000002", "20", "No", NULL};
static const char *const no_binlog[] = {"You are not using binary logging"};

static const struct fake_answer mariadb_answers[] = {
	{"SHOW GLOBAL VARIABLES", 0, 2, mariadb_variables},
	{"SHOW MASTER STATUS", 0, 4, master},
	{"SELECT @@GLOBAL.gtid_binlog_pos", 0, 1, pos},
	{"SHOW BINARY LOGS", 0, 3, logs},
	{0},
};
static const struct fake_answer mysql_answers[] = {
	{"SHOW GLOBAL VARIABLES", 0, 2, mysql_variables},
	{"SHOW BINARY LOG STATUS", 0, 5, binary_log},
	{"SHOW BINARY LOGS", 1381, 0, no_binlog},
	{0},
};
static const struct fake_answer off_answers[] = {{"SHOW MASTER STATUS", 0, 4, none}, {0}};
static const struct fake_answer nonsense_answers[] = {{"SHOW MASTER STATUS", 0, 4, nonsense}, {0}};

struct fixture {
	struct fake fake;
	struct link *link;
	struct fault fault;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	fake_start(&fixture->fake);
	*state = fixture;
	return fake_connect(&fixture->fake, &fixture->link, &fixture->fault);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	link_close(fixture->link);
	fake_stop(&fixture->fake);
	free(fixture);
	return 0;
}

static void mariadb_is_known_by_what_only_it_has(void **state)
{
	struct fixture *f = *state;
	struct mysql_server server;
	f->fake.answers = mariadb_answers;
	assert_rc(mysql_server_read(f->link, &server, &f->fault));
	assert_true(server.is_mariadb && server.has_gtids && server.log_bin);
	assert_int_equal(server.version, 101119);
	assert_string_equal(server.identity, "mariadb-17");
	assert_string_equal(server.format, "ROW");
	assert_string_equal(server.row_metadata, "");
}

static void mysql_has_gtids_only_when_all_have_them(void **state)
{
	struct fixture *f = *state;
	struct mysql_server server;
	f->fake.answers = mysql_answers;
	assert_rc(mysql_server_read(f->link, &server, &f->fault));
	assert_false(server.is_mariadb || server.has_gtids || server.log_bin);
	assert_int_equal(server.version, 90704);
	assert_string_equal(server.identity, "4c097153-e8b1-11f1-a8ee-02fc00000001");
}

static void the_end_has_a_place_and_a_set(void **state)
{
	struct fixture *f = *state;
	char file[EVENT_FILE_MAX];
	uint64_t at;
	struct buf gtids = buf_of(100);
	struct mysql_server server = {.is_mariadb = true, .version = 101119, .has_gtids = true};
	f->fake.answers = mariadb_answers;
	assert_rc(mysql_server_binlog_end(f->link, &server, file, &at, &gtids, &f->fault));
	assert_string_equal(file, "binlog.000002");
	assert_true(at == 4294967999);
	assert_string_equal(buf_cstring(&gtids), "0-1-11");

	f->fake.answers = mysql_answers;
	server = (struct mysql_server){.version = 90704, .has_gtids = true};
	buf_reset(&gtids);
	assert_rc(mysql_server_binlog_end(f->link, &server, file, &at, &gtids, &f->fault));
	assert_string_equal(buf_cstring(&gtids), "4c097153-e8b1-11f1-a8ee-02fc00000001:1-5,x:1");
	server.has_gtids = false;
	buf_reset(&gtids);
	assert_rc(mysql_server_binlog_end(f->link, &server, file, &at, &gtids, &f->fault));
	assert_int_equal(gtids.len, 0);
	buf_release(&gtids);
}

static void without_a_binlog_there_is_no_end(void **state)
{
	struct fixture *f = *state;
	char file[EVENT_FILE_MAX] = "untouched";
	uint64_t at;
	struct buf gtids = buf_of(10);
	struct mysql_server server = {.is_mariadb = true, .has_gtids = true};
	f->fake.answers = off_answers;
	assert_int_equal(
		mysql_server_binlog_end(f->link, &server, file, &at, &gtids, &f->fault), RC_UNFIT);
	assert_non_null(strstr(f->fault.hint, "log_bin"));
	f->fake.answers = nonsense_answers;
	assert_int_equal(mysql_server_binlog_end(f->link, &server, file, &at, &gtids, &f->fault),
		RC_PROTOCOL);
	assert_string_equal(file, "untouched");
}

static enum rc add_file(void *context, const char *file, uint64_t size, struct fault *fault)
{
	(void)fault;
	buf_format(context, "%s=%llu ", file, (unsigned long long)size);
	return RC_OK;
}

static void files_come_oldest_first(void **state)
{
	struct fixture *f = *state;
	struct buf out = buf_of(100);
	f->fake.answers = mariadb_answers;
	assert_rc(mysql_server_files(f->link, add_file, &out, &f->fault));
	assert_string_equal(buf_cstring(&out), "binlog.000001=10 binlog.000002=20 ");
	f->fake.answers = mysql_answers;
	assert_int_equal(mysql_server_files(f->link, add_file, &out, &f->fault), RC_UNFIT);
	buf_release(&out);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
static const struct CMUnitTest tests[] = {
	WITH_SERVER(mariadb_is_known_by_what_only_it_has),
	WITH_SERVER(mysql_has_gtids_only_when_all_have_them),
	WITH_SERVER(the_end_has_a_place_and_a_set),
	WITH_SERVER(without_a_binlog_there_is_no_end),
	WITH_SERVER(files_come_oldest_first),
};
UNIT_MAIN(tests)
