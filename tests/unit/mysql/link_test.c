#include "unit.h"

#include "mysql/link.c"

#include "fake_server.h"

static const char *const rows[] = {"a", "1", "NULL", "2", "c", "", NULL};
static const char *const none[] = {NULL};
static const char *const only_null[] = {"NULL", NULL};
static const char *const denied[] = {
	"Access denied; you need (at least one of) the SUPER, BINLOG MONITOR privilege(s) for this "
	"operation"};
static const char *const no_select[] = {"SELECT command denied to user 'u'@'h' for table 't'"};
static const char *const no_table[] = {"Table 'a.b' doesn't exist"};
static const char *const gone[] = {"Server shutdown in progress"};
static const char *const user[] = {"u@10.%", NULL};
static const struct fake_answer answers[] = {
	{"SELECT rows", 0, 2, rows},
	{"SELECT none", 0, 1, none},
	{"SELECT null", 0, 1, only_null},
	{"SELECT CURRENT_USER()", 0, 1, user},
	{"SHOW MASTER", 1227, 0, denied},
	{"SELECT secret", 1142, 0, no_select},
	{"SELECT b", 1146, 0, no_table},
	{"SELECT shutdown", 1053, 0, gone},
	{"SELECT never", FAKE_SILENT, 0, NULL},
	{0},
};

struct fixture {
	struct fake fake;
	struct link *link;
	struct fault fault;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	fake_start(&fixture->fake);
	fixture->fake.answers = answers;
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

static enum rc gather_row(
	void *context, const struct slice *cells, size_t count, struct fault *fault)
{
	(void)fault;
	for (size_t i = 0; i < count; i++)
		buf_format(context, "%.*s%s", cells[i].at ? (int)cells[i].len : 4,
			cells[i].at ? (const char *)cells[i].at : "NULL",
			i + 1 < count ? "," : ";");
	return RC_OK;
}

static void rows_come_one_by_one(void **state)
{
	struct fixture *f = *state;
	struct buf out = buf_of(1000);
	assert_rc(link_query(f->link, "SELECT rows", gather_row, &out, &f->fault));
	assert_string_equal(buf_cstring(&out), "a,1;NULL,2;c,;");
	assert_rc(link_query(f->link, "SET x", NULL, NULL, &f->fault));
	buf_release(&out);
}

static enum rc refuse_second(
	void *context, const struct slice *cells, size_t count, struct fault *fault)
{
	(void)cells;
	(void)count;
	return ++*(int *)context < 2 ? RC_OK : fault_set(fault, RC_LIMIT, "enough");
}

static void a_reader_of_rows_may_stop_and_the_link_goes_on(void **state)
{
	struct fixture *f = *state;
	int seen = 0;
	struct buf out = buf_of(100);
	assert_int_equal(
		link_query(f->link, "SELECT rows", refuse_second, &seen, &f->fault), RC_LIMIT);
	assert_int_equal(seen, 2);
	assert_string_equal(f->fault.text, "enough");
	assert_rc(link_query_text(f->link, "SELECT rows", &out, &f->fault));
	assert_string_equal(buf_cstring(&out), "a");
	buf_release(&out);
}

static void a_text_that_is_not_there_is_not_found(void **state)
{
	struct fixture *f = *state;
	struct buf out = buf_of(100);
	assert_int_equal(link_query_text(f->link, "SELECT none", &out, &f->fault), RC_NOT_FOUND);
	assert_int_equal(link_query_text(f->link, "SELECT null", &out, &f->fault), RC_NOT_FOUND);
	out = buf_of(1);
	assert_rc(link_query_text(f->link, "SELECT rows", &out, &f->fault));
	assert_int_equal(link_query_text(f->link, "SELECT rows", &out, &f->fault), RC_LIMIT);
	buf_release(&out);
}

static void errors_of_statements_have_a_class_and_a_way_out(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(
		link_query(f->link, "SHOW MASTER STATUS", NULL, NULL, &f->fault), RC_PRIVILEGE);
	assert_non_null(strstr(f->fault.text, "in \"SHOW MASTER STATUS\": Access denied"));
	assert_string_equal(f->fault.hint, "GRANT BINLOG MONITOR ON *.* TO 'u'@'10.%'");
	assert_int_equal(link_query(f->link, "SELECT secret", NULL, NULL, &f->fault), RC_PRIVILEGE);
	assert_int_equal(link_query(f->link, "SELECT b", NULL, NULL, &f->fault), RC_REFUSED);
	assert_non_null(strstr(f->fault.text, "Table 'a.b' doesn't exist (error 1146)"));
	assert_int_equal(
		link_query(f->link, "SELECT shutdown", NULL, NULL, &f->fault), RC_UNREACHABLE);
}

static void a_lost_connection_is_unreachable(void **state)
{
	struct fixture *f = *state;
	f->fake.cut_after = f->fake.written + 10;
	assert_int_equal(link_query(f->link, "SELECT rows", NULL, NULL, &f->fault), RC_UNREACHABLE);
	assert_int_equal(link_query(f->link, "SELECT rows", NULL, NULL, &f->fault), RC_UNREACHABLE);
}

static void no_answer_is_a_timeout(void **state)
{
	struct fixture *f = *state;
	link_close(f->link);
	struct mysql_options options = {.socket = f->fake.path,
		.host = "",
		.user = "u",
		.password = "secret",
		.connect_timeout_us = 1000000,
		.answer_timeout_us = 1000000};
	assert_rc(link_open(&options, &f->link, &f->fault));
	assert_int_equal(link_query(f->link, "SELECT never", NULL, NULL, &f->fault), RC_TIMEOUT);
	assert_non_null(strstr(f->fault.text, "no answer within 1 s"));
}

/* Who listens but does not greet, who does not listen, and who is not there. */
static void a_server_that_is_not_there_is_told_apart(void **state)
{
	struct fixture *f = *state;
	char path[sizeof f->fake.path + 8];
	snprintf(path, sizeof path, "%s-2", f->fake.path);
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	snprintf(name.sun_path, sizeof name.sun_path, "%.100s", path);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof name), 0);
	assert_int_equal(listen(listener, 1), 0);
	struct mysql_options options = {.socket = path,
		.host = "",
		.user = "u",
		.password = "secret",
		.connect_timeout_us = 1000000,
		.answer_timeout_us = 1000000};
	struct link *link;
	assert_int_equal(link_open(&options, &link, &f->fault), RC_TIMEOUT);
	assert_null(strstr(f->fault.text, "secret"));
	close(listener);
	assert_int_equal(link_open(&options, &link, &f->fault), RC_UNREACHABLE);
	unlink(path);
	assert_int_equal(link_open(&options, &link, &f->fault), RC_UNREACHABLE);
	assert_non_null(strstr(f->fault.hint, "there is no such socket"));
}

static void tls_that_is_demanded_is_not_done_without(void **state)
{
	struct fixture *f = *state;
	struct mysql_options options = {.socket = f->fake.path,
		.host = "",
		.user = "u",
		.password = "secret",
		.connect_timeout_us = 1000000,
		.answer_timeout_us = 1000000};
	struct link *link;
	link_close(f->link); /* the fake has one connection at a time */
	f->link = NULL;
	options.tls = MYSQL_TLS_REQUIRED;
	assert_int_equal(link_open(&options, &link, &f->fault), RC_DENIED);
	assert_non_null(strstr(f->fault.hint, "set up TLS on the server"));
	options.tls = MYSQL_TLS_VERIFY;
	assert_int_equal(link_open(&options, &link, &f->fault), RC_DENIED);
	options.tls = MYSQL_TLS_PREFERRED;
	assert_rc(link_open(&options, &f->link, &f->fault));
	assert_string_equal(link_name(f->link), f->fake.path);
}

static void names_and_texts_are_quoted_whatever_is_in_them(void **state)
{
	(void)state;
	struct buf out = buf_of(1000);
	link_quote(SLICE("a'\\\"\n\xc3\xa9"), &out);
	assert_string_equal(buf_cstring(&out), "_utf8mb4 x'61275c220ac3a9'");
	buf_reset(&out);
	link_quote(SLICE(""), &out);
	assert_string_equal(buf_cstring(&out), "_utf8mb4 x''");
	buf_reset(&out);
	link_quote_name(SLICE("we`ird'"), &out);
	assert_string_equal(buf_cstring(&out), "`we``ird'`");
	buf_release(&out);
}

static void numbers_have_a_class(void **state)
{
	(void)state;
	static const struct {
		unsigned number;
		const char *text;
		enum rc rc;
		const char *hint;
	} cases[] = {
		{1045, "Access denied for user 'a'@'b' (using password: YES)", RC_DENIED,
			"source.password"},
		{1040, "Too many connections", RC_UNREACHABLE, "max_connections"},
		{1927, "Connection was killed", RC_UNREACHABLE, ""},
		{3159, "Connections using insecure transport are prohibited", RC_DENIED,
			"source.tls: required"},
		{1381, "You are not using binary logging", RC_UNFIT, "log_bin=binlog"},
		{1064, "You have an error in your SQL syntax", RC_REFUSED, ""},
		{2002, "Can't connect to server on 'h' (115)", RC_UNREACHABLE, "listen there"},
		{2002, "Can't connect to server on 'h' (110)", RC_TIMEOUT, "firewall"},
		{2002, "Can't connect to local server through socket '/x' (2)", RC_UNREACHABLE,
			"no such socket"},
		{2002, "Can't connect to local server through socket '/x' (13)", RC_UNREACHABLE,
			"closed to the user"},
		{2013, "Lost connection to server at 'handshake', system error: 110", RC_TIMEOUT,
			""},
		{2013, "Lost connection to server during query", RC_UNREACHABLE, ""},
		{2026, "TLS/SSL error: self-signed certificate in certificate chain", RC_DENIED,
			"source.tls_ca"},
		{2026, "TLS/SSL error: unexpected eof while reading", RC_UNREACHABLE, ""},
		{2026, "TLS/SSL error: Connection timed out (110)", RC_TIMEOUT, ""},
		{2027, "Malformed packet", RC_PROTOCOL, ""},
		{2099, "something of the library", RC_PROTOCOL, ""},
		{5010, "plugin dialog is not allowed", RC_DENIED, "source.tls: verify"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(link_error_rc(cases[i].number, cases[i].text), cases[i].rc);
		assert_non_null(
			strstr(link_error_hint(cases[i].number, cases[i].text), cases[i].hint));
	}
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
static const struct CMUnitTest tests[] = {
	WITH_SERVER(rows_come_one_by_one),
	WITH_SERVER(a_reader_of_rows_may_stop_and_the_link_goes_on),
	WITH_SERVER(a_text_that_is_not_there_is_not_found),
	WITH_SERVER(errors_of_statements_have_a_class_and_a_way_out),
	WITH_SERVER(a_lost_connection_is_unreachable),
	WITH_SERVER(no_answer_is_a_timeout),
	WITH_SERVER(a_server_that_is_not_there_is_told_apart),
	WITH_SERVER(tls_that_is_demanded_is_not_done_without),
	cmocka_unit_test(names_and_texts_are_quoted_whatever_is_in_them),
	cmocka_unit_test(numbers_have_a_class),
};
UNIT_MAIN(tests)
