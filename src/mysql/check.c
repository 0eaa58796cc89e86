/* Is a source fit for capture? Settings and privileges; tables are in check_tables.c.
 *
 * Every look makes a finding, the good ones too, so that a report is a full list. An error means
 * that capture would stop, or that changes would be missing. */
#include "mysql/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/glob.h"
#include "base/mem.h"
#include "mysql/link.h"

/* ---- settings ---- */

/* clang-format off */
#define SETTINGS(X) \
	X(SERVER_ID, "server_id") \
	X(CHECKSUM, "binlog_checksum") \
	X(GTID_MODE, "gtid_mode") \
	X(GTID_CONSISTENCY, "enforce_gtid_consistency") \
	X(GTID_STRICT, "gtid_strict_mode") \
	X(EXPIRE_SECONDS, "binlog_expire_logs_seconds") \
	X(EXPIRE_DAYS, "expire_logs_days") \
	X(VALUE_OPTIONS, "binlog_row_value_options") \
	X(COMPRESSION, "binlog_transaction_compression") \
	X(COMPRESS, "log_bin_compress") \
	X(LOG_REPLICA_UPDATES, "log_replica_updates") \
	X(LOG_SLAVE_UPDATES, "log_slave_updates") \
	X(SYNC, "sync_binlog") \
	X(NATIVE_KEYS, "innodb_native_foreign_keys")
/* clang-format on */

enum setting_id {
#define X(id, name) SET_##id,
	SETTINGS(X)
#undef X
		SETTING_COUNT
};

enum { VALUE_MAX = 128, ONE_DAY = 86400 };

struct values {
	char at[SETTING_COUNT][VALUE_MAX];
	bool known[SETTING_COUNT];
};

static const char *const setting_names[] = {
#define X(id, name) name,
	SETTINGS(X)
#undef X
};

void check_say(const struct checking *checking, enum finding_level level, const char *name,
	const char *mend, const char *format, ...)
{
	char *text = mem_new(1, CHECK_TEXT_MAX);
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, CHECK_TEXT_MAX, format, args);
	va_end(args);
	struct finding finding = {.level = level, .name = name, .text = text, .mend = mend};
	checking->each(checking->context, &finding);
	mem_free(text);
}

static enum rc take_value(
	void *context, const struct slice *cells, size_t count, struct fault *fault)
{
	struct values *values = context;
	if (count < 2)
		return fault_set(fault, RC_PROTOCOL, "SHOW VARIABLES answered %zu columns", count);
	for (int i = 0; i < SETTING_COUNT; i++) {
		if (!slice_equal(cells[0], slice_text(setting_names[i])))
			continue;
		values->known[i] = true;
		(void)snprintf(values->at[i], VALUE_MAX, "%.*s", SLICE_ARGS(cells[1]));
	}
	return RC_OK;
}

static enum rc read_values(struct link *link, struct values *ret_values, struct fault *fault)
{
	*ret_values = (struct values){0};
	struct buf sql = buf_of(4096);
	buf_text(&sql, "SHOW GLOBAL VARIABLES WHERE Variable_name IN (''");
	for (int i = 0; i < SETTING_COUNT; i++)
		buf_format(&sql, ", '%s'", setting_names[i]);
	buf_text(&sql, ")");
	enum rc rc = link_query(link, buf_cstring(&sql), take_value, ret_values, fault);
	buf_release(&sql);
	return rc;
}

static bool is_value(const struct values *values, enum setting_id id, const char *value)
{
	return values->known[id] && strcmp(values->at[id], value) == 0;
}

/* "SET PERSIST x = y", or where that does not exist SET GLOBAL and the line of my.cnf. */
static void say_setting(const struct checking *checking, enum finding_level level, const char *name,
	const char *value, const char *text)
{
	char mend[256] = "";
	bool persists = !checking->server->is_mariadb && checking->server->version >= 80000;
	if (level != FINDING_OK && persists)
		(void)snprintf(mend, sizeof mend, "SET PERSIST %s = %s", name, value);
	else if (level != FINDING_OK)
		(void)snprintf(mend, sizeof mend,
			"SET GLOBAL %s = %s; -- and under [mysqld] in my.cnf: %s = %s", name, value,
			name, value);
	check_say(checking, level, name, mend, "%s", text);
}

/* ---- what is said about each ---- */

static void check_version(const struct checking *checking)
{
	const struct mysql_server *server = checking->server;
	bool old = server->version < (server->is_mariadb ? 100500 : 50700);
	check_say(checking, old ? FINDING_WARNING : FINDING_OK, "version", "",
		old ? "%s %s is older than what is supported (MariaDB 10.5, MySQL 5.7)" : "%s %s",
		server->is_mariadb ? "MariaDB" : "MySQL", server->version_text);
}

static void check_format(const struct checking *checking)
{
	const struct mysql_server *server = checking->server;
	bool rows = strcmp(server->format, "ROW") == 0;
	char text[200];
	(void)snprintf(text, sizeof text,
		rows ? "%s: changes are logged as rows"
		     : "%s: changes are logged as statements (some or all), which say nothing "
		       "about rows; "
		       "sessions that are open keep their own setting until they connect again",
		server->format);
	say_setting(checking, rows ? FINDING_OK : FINDING_ERROR, "binlog_format", "ROW", text);

	bool full = strcmp(server->row_image, "FULL") == 0;
	(void)snprintf(text, sizeof text,
		full ? "%s: events hold whole rows"
		     : "%s: events hold parts of rows; sinks that need whole rows refuse them",
		server->row_image);
	say_setting(
		checking, full ? FINDING_OK : FINDING_WARNING, "binlog_row_image", "FULL", text);
}

static void check_metadata(const struct checking *checking)
{
	const struct mysql_server *server = checking->server;
	static const char name[] = "binlog_row_metadata";
	static const char cost[] =
		"names of columns are taken from the information schema, and a table that was "
		"altered between the position and now stops the capture";
	if (strcmp(server->row_metadata, "FULL") == 0)
		say_setting(checking, FINDING_OK, name, "FULL",
			"FULL: events name their columns and keys");
	else if (server->row_metadata[0]) {
		char text[300];
		(void)snprintf(text, sizeof text, "%s: %s", server->row_metadata, cost);
		say_setting(checking, FINDING_WARNING, name, "FULL", text);
	} else
		check_say(checking, FINDING_ADVICE, name, "",
			"this version of the server does not have it: %s", cost);
}

static void check_server_id(const struct checking *checking, const struct values *values)
{
	if (is_value(values, SET_SERVER_ID, "0"))
		say_setting(checking, FINDING_ERROR, "server_id", "1",
			"0: the server sends its binlog to nobody; each server needs a number of "
			"its own");
	else
		check_say(checking, FINDING_OK, "server_id", "", "%s", values->at[SET_SERVER_ID]);
}

static void check_checksum(const struct checking *checking, const struct values *values)
{
	if (is_value(values, SET_CHECKSUM, "CRC32"))
		check_say(checking, FINDING_OK, "binlog_checksum", "",
			"CRC32: damage on disk or on the way is noticed");
	else
		say_setting(checking, FINDING_WARNING, "binlog_checksum", "CRC32",
			"NONE: damage on disk or on the way would not be noticed");
}

static void check_gtids(const struct checking *checking, const struct values *values)
{
	if (checking->server->is_mariadb) {
		bool strict = is_value(values, SET_GTID_STRICT, "ON");
		say_setting(checking, strict ? FINDING_OK : FINDING_ADVICE, "gtid_strict_mode",
			"ON",
			strict ? "ON: sequence numbers only grow"
			       : "OFF: sequence numbers may go back, after which a resume at a "
				 "GTID is refused");
		return;
	}
	if (is_value(values, SET_GTID_MODE, "ON")) {
		check_say(checking, FINDING_OK, "gtid_mode", "",
			"ON: capture resumes by GTID, also at another server");
		return;
	}
	check_say(checking, FINDING_ADVICE, "gtid_mode",
		is_value(values, SET_GTID_CONSISTENCY, "ON")
			? "SET GLOBAL gtid_mode = OFF_PERMISSIVE; SET GLOBAL gtid_mode = "
			  "ON_PERMISSIVE; SET GLOBAL gtid_mode = ON; -- and under [mysqld] in "
			  "my.cnf: gtid_mode = ON"
			: "SET GLOBAL enforce_gtid_consistency = ON; SET GLOBAL gtid_mode = "
			  "OFF_PERMISSIVE; SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL "
			  "gtid_mode = ON; -- and both under [mysqld] in my.cnf",
		"%s: capture resumes by file and position, which another server does not share",
		values->known[SET_GTID_MODE] ? values->at[SET_GTID_MODE] : "not there");
}

static void check_expiry(const struct checking *checking, const struct values *values)
{
	double seconds = values->known[SET_EXPIRE_SECONDS]
		? strtod(values->at[SET_EXPIRE_SECONDS], NULL)
		: 0;
	const char *name = values->known[SET_EXPIRE_SECONDS] ? "binlog_expire_logs_seconds"
							     : "expire_logs_days";
	if (seconds == 0 && values->known[SET_EXPIRE_DAYS])
		seconds = strtod(values->at[SET_EXPIRE_DAYS], NULL) * ONE_DAY;
	if (seconds == 0)
		check_say(checking, FINDING_OK, name, "",
			"0: binlogs are kept until somebody purges them; mind the disk");
	else if (seconds >= ONE_DAY)
		check_say(checking, FINDING_OK, name, "", "binlogs are kept for %.1f days",
			seconds / ONE_DAY);
	else
		say_setting(checking, FINDING_WARNING, name,
			values->known[SET_EXPIRE_SECONDS] ? "604800" : "7",
			"binlogs are kept for less than a day: a capture that stands still for "
			"longer loses its place for good");
}

/* What this version cannot decode, so that capture would stop at the first such event. */
static void check_undecodable(const struct checking *checking, const struct values *values)
{
	if (values->known[SET_VALUE_OPTIONS]) {
		bool partial = strstr(values->at[SET_VALUE_OPTIONS], "PARTIAL_JSON") != NULL;
		say_setting(checking, partial ? FINDING_ERROR : FINDING_OK,
			"binlog_row_value_options", "''",
			partial ? "PARTIAL_JSON: updates hold pieces of documents, which this "
				  "version does not decode"
				: "updates hold whole documents");
	}
	static const struct {
		enum setting_id id;
		const char *name;
	} compressions[] = {{SET_COMPRESSION, "binlog_transaction_compression"},
		{SET_COMPRESS, "log_bin_compress"}};
	for (size_t i = 0; i < 2; i++) {
		if (!values->known[compressions[i].id])
			continue;
		bool on = is_value(values, compressions[i].id, "ON");
		say_setting(checking, on ? FINDING_ERROR : FINDING_OK, compressions[i].name, "OFF",
			on ? "ON: events come compressed, which this version does not decode"
			   : "OFF: events come as they are");
	}
}

static void check_sync(const struct checking *checking, const struct values *values)
{
	bool synced = is_value(values, SET_SYNC, "1");
	say_setting(checking, synced ? FINDING_OK : FINDING_ADVICE, "sync_binlog", "1",
		synced ? "1: what was captured is on the server's disk"
		       : "not 1: when its machine crashes the server may lose transactions that "
			 "were captured already, and capture stops, for they cannot be taken back");
}

/* ---- replication into the source ---- */

static enum rc count_row(
	void *context, const struct slice *cells, size_t count, struct fault *fault)
{
	(void)cells;
	(void)count;
	(void)fault;
	++*(size_t *)context;
	return RC_OK;
}

/* MariaDB shows the state of replication to REPLICA MONITOR only, but what came by it to all. */
static enum rc guess_replica(
	const struct checking *checking, const char *name, const char *mend, struct fault *fault)
{
	struct buf replicated = buf_of(CHECK_TEXT_MAX);
	enum rc rc = RC_OK;
	if (checking->server->is_mariadb)
		rc = link_query_text(
			checking->link, "SELECT @@GLOBAL.gtid_slave_pos", &replicated, fault);
	if (rc == RC_OK && checking->server->is_mariadb && replicated.len == 0)
		check_say(
			checking, FINDING_OK, name, "", "OFF, but nothing has come by replication");
	else if (rc == RC_OK)
		check_say(checking, FINDING_WARNING, name, mend,
			"OFF: if this server is a replica, what comes by replication is missing "
			"(we may not look)");
	buf_release(&replicated);
	return rc;
}

static enum rc check_replica(
	const struct checking *checking, const struct values *values, struct fault *fault)
{
	const struct mysql_server *server = checking->server;
	bool new_name = values->known[SET_LOG_REPLICA_UPDATES];
	enum setting_id id = new_name ? SET_LOG_REPLICA_UPDATES : SET_LOG_SLAVE_UPDATES;
	if (is_value(values, id, "ON")) {
		check_say(checking, FINDING_OK, setting_names[id], "",
			"ON: what comes by replication is in the binlog too");
		return RC_OK;
	}
	size_t sources = 0;
	const char *sql = server->is_mariadb ? "SHOW ALL SLAVES STATUS"
		: server->version >= 80022   ? "SHOW REPLICA STATUS"
					     : "SHOW SLAVE STATUS";
	enum rc rc = link_query(checking->link, sql, count_row, &sources, fault);
	char mend[160];
	(void)snprintf(mend, sizeof mend, "%s = ON under [mysqld] in my.cnf, then a restart",
		setting_names[id]);
	if (rc == RC_PRIVILEGE)
		rc = guess_replica(checking, setting_names[id], mend, fault);
	else if (rc == RC_OK && sources > 0)
		check_say(checking, FINDING_ERROR, setting_names[id], mend,
			"OFF, and this server is a replica: what comes by replication is missing");
	else if (rc == RC_OK)
		check_say(checking, FINDING_OK, setting_names[id], "",
			"OFF, but this server is no replica");
	return rc;
}

/* ---- privileges ---- */

struct grants {
	bool slave, monitor, select;
};

static bool has_word(struct slice list, const char *word)
{
	size_t len = strlen(word), begin = 0;
	for (size_t i = 0; i <= list.len; i++) {
		if (i < list.len && list.at[i] != ',')
			continue;
		if (slice_equal(slice_of(list.at + begin, i - begin), slice_of(word, len)))
			return true;
		begin = i + 2; /* ", " */
		if (begin > list.len)
			break;
	}
	return false;
}

/* "GRANT SELECT, REPLICATION SLAVE ON *.* TO `u`@`%`"; what is granted on parts is looked at table
 * by table. */
static enum rc take_grant(
	void *context, const struct slice *cells, size_t count, struct fault *fault)
{
	(void)fault;
	struct grants *grants = context;
	static const char head[] = "GRANT ", tail[] = " ON *.* TO ";
	if (count == 0 || !slice_starts(cells[0], SLICE("GRANT ")))
		return RC_OK;
	const uint8_t *end = memmem(cells[0].at, cells[0].len, tail, sizeof tail - 1);
	const uint8_t *begin = cells[0].at + sizeof head - 1;
	if (!end || end < begin)
		return RC_OK;
	struct slice list = slice_of(begin, (size_t)(end - begin));
	bool all = has_word(list, "ALL PRIVILEGES") || has_word(list, "ALL");
	grants->slave = grants->slave || all || has_word(list, "REPLICATION SLAVE");
	grants->monitor = grants->monitor || all || has_word(list, "REPLICATION CLIENT") ||
		has_word(list, "BINLOG MONITOR") || has_word(list, "SUPER");
	grants->select = grants->select || all || has_word(list, "SELECT");
	return RC_OK;
}

static void say_privilege(
	const struct checking *checking, bool there, const char *privilege, const char *purpose)
{
	char name[64], mend[LINK_ACCOUNT_MAX * 2 + 100] = "";
	const char *account = link_account(checking->link);
	(void)snprintf(name, sizeof name, "privilege %s", privilege);
	if (!there)
		(void)snprintf(mend, sizeof mend, "GRANT %s ON *.* TO %s", privilege, account);
	check_say(checking, there ? FINDING_OK : FINDING_ERROR, name, mend, "%s %s it, %s", account,
		there ? "has" : "lacks", purpose);
}

static enum rc check_privileges(struct checking *checking, struct fault *fault)
{
	struct grants grants = {0};
	enum rc rc = link_query(checking->link, "SHOW GRANTS", take_grant, &grants, fault);
	if (rc != RC_OK)
		return rc;
	const struct mysql_server *server = checking->server;
	bool monitor_name = server->is_mariadb && server->version >= 100502;
	say_privilege(checking, grants.slave, "REPLICATION SLAVE", "to receive the binlog");
	say_privilege(checking, grants.monitor,
		monitor_name ? "BINLOG MONITOR" : "REPLICATION CLIENT",
		"to see which binlogs there are and where they end");
	checking->selects_all = grants.select;
	return RC_OK;
}

/* ---- filters ---- */

static enum rc take_filter(
	void *context, const struct slice *cells, size_t count, struct fault *fault)
{
	(void)fault;
	struct buf *filters = context;
	static const char *const names[] = {"binlog_do_db=", "binlog_ignore_db="};
	for (size_t i = 2; i < 4 && i < count; i++) {
		if (cells[i].len > 0) {
			buf_text(filters, filters->len > 0 ? ", " : "");
			buf_text(filters, names[i - 2]);
			buf_slice(filters, cells[i]);
		}
	}
	return RC_OK;
}

static enum rc check_filters(const struct checking *checking, struct fault *fault)
{
	const struct mysql_server *server = checking->server;
	struct buf filters = buf_of(CHECK_TEXT_MAX);
	const char *sql = !server->is_mariadb && server->version >= 80400 ? "SHOW BINARY LOG STATUS"
									  : "SHOW MASTER STATUS";
	enum rc rc = link_query(checking->link, sql, take_filter, &filters, fault);
	if (rc == RC_OK && filters.len > 0)
		check_say(checking, FINDING_WARNING, "binlog filters",
			"take binlog_do_db and binlog_ignore_db out of my.cnf, then restart",
			"not every database is in the binlog: %s", buf_cstring(&filters));
	else if (rc == RC_OK)
		check_say(checking, FINDING_OK, "binlog filters", "",
			"none: every database is in the binlog");
	buf_release(&filters);
	return rc == RC_PRIVILEGE ? RC_OK : rc;
}

/* ---- all of it ---- */

static enum rc check_settings(struct checking *checking, struct fault *fault)
{
	struct values *values = mem_new(1, sizeof *values);
	enum rc rc = read_values(checking->link, values, fault);
	if (rc == RC_OK) {
		check_format(checking);
		check_metadata(checking);
		check_server_id(checking, values);
		check_checksum(checking, values);
		check_gtids(checking, values);
		check_expiry(checking, values);
		check_sync(checking, values);
		check_undecodable(checking, values);
		/* MySQL 9.6 took foreign keys out of InnoDB, and since then logs what they do. */
		checking->logs_cascades = is_value(values, SET_NATIVE_KEYS, "OFF");
		rc = check_replica(checking, values, fault);
	}
	mem_free(values);
	return rc;
}

bool check_matches(const struct checking *checking, struct slice database, struct slice table)
{
	static const char *const own[] = {
		"mysql", "information_schema", "performance_schema", "sys"};
	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
		if (slice_equal(database, slice_text(own[i])))
			return false;
	}
	for (size_t i = 0; i < checking->table_count; i++) {
		if (glob_match_table(slice_text(checking->tables[i]), database, table))
			return true;
	}
	return false;
}

enum rc mysql_check(struct link *link, const struct mysql_server *server, const char *const *tables,
	size_t table_count, void (*each)(void *context, const struct finding *finding),
	void *context, struct fault *fault)
{
	struct checking checking = {
		.link = link,
		.server = server,
		.tables = tables,
		.table_count = table_count,
		.each = each,
		.context = context,
	};
	check_version(&checking);
	check_say(&checking, server->log_bin ? FINDING_OK : FINDING_ERROR, "log_bin",
		server->log_bin ? ""
				: "log_bin = binlog and server_id = 1 under [mysqld] in "
				  "my.cnf, then a restart",
		server->log_bin ? "ON"
				: "OFF: the server keeps no binlog, so there is nothing to "
				  "capture");
	enum rc rc = check_settings(&checking, fault);
	if (rc == RC_OK)
		rc = check_privileges(&checking, fault);
	if (rc == RC_OK && server->log_bin)
		rc = check_filters(&checking, fault);
	if (rc == RC_OK)
		rc = check_tables(&checking, fault);
	return rc;
}
