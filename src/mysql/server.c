/* What a server is, and where its binlog stands.
 *
 * Settings come by SHOW GLOBAL VARIABLES, which leaves out what a version does not have; a SELECT
 * of an unknown one would be an error. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "mysql/link.h"

static void put_text(char *at, size_t size, struct slice text)
{
	size_t len = text.len < size ? text.len : size - 1;
	if (len > 0)
		memcpy(at, text.at, len);
	at[len] = 0;
}

static void put_upper(char *at, size_t size, struct slice text)
{
	put_text(at, size, text);
	for (; *at; at++)
		*at = (char)toupper((unsigned char)*at);
}

static bool is_on(struct slice text)
{
	return slice_equal(text, SLICE("ON")) || slice_equal(text, SLICE("1"));
}

/* "10.11.19-MariaDB-log" to 101119. */
static unsigned version_number(const char *text)
{
	unsigned parts[3] = {0};
	(void)sscanf(text, "%3u.%2u.%2u", &parts[0], &parts[1], &parts[2]);
	return parts[0] * 10000 + parts[1] * 100 + parts[2];
}

struct facts {
	struct mysql_server server;
	char uuid[EVENT_SERVER_MAX], id[16];
};

static enum rc take_variable(
	void *context, const struct slice *cells, size_t count, struct fault *fault)
{
	struct facts *facts = context;
	struct mysql_server *server = &facts->server;
	if (count < 2)
		return fault_set(fault, RC_PROTOCOL, "SHOW VARIABLES answered %zu columns", count);
	struct slice name = cells[0], value = cells[1];
	if (slice_equal(name, SLICE("version")))
		put_text(server->version_text, sizeof server->version_text, value);
	else if (slice_equal(name, SLICE("server_uuid")))
		put_text(facts->uuid, sizeof facts->uuid, value);
	else if (slice_equal(name, SLICE("server_id")))
		put_text(facts->id, sizeof facts->id, value);
	else if (slice_equal(name, SLICE("gtid_domain_id")))
		server->is_mariadb = true; /* MySQL has nothing of that name */
	else if (slice_equal(name, SLICE("log_bin")))
		server->log_bin = is_on(value);
	else if (slice_equal(name, SLICE("gtid_mode")))
		server->has_gtids = is_on(value);
	else if (slice_equal(name, SLICE("binlog_format")))
		put_upper(server->format, sizeof server->format, value);
	else if (slice_equal(name, SLICE("binlog_row_image")))
		put_upper(server->row_image, sizeof server->row_image, value);
	else if (slice_equal(name, SLICE("binlog_row_metadata")))
		put_upper(server->row_metadata, sizeof server->row_metadata, value);
	return RC_OK;
}

enum rc mysql_server_read(struct link *link, struct mysql_server *ret_server, struct fault *fault)
{
	struct facts facts = {0};
	enum rc rc = link_query(link,
		"SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'server_uuid', "
		"'server_id', 'gtid_domain_id', 'log_bin', 'gtid_mode', 'binlog_format', "
		"'binlog_row_image', 'binlog_row_metadata')",
		take_variable, &facts, fault);
	if (rc != RC_OK)
		return rc;
	struct mysql_server *server = &facts.server;
	server->version = version_number(server->version_text);
	if (server->is_mariadb) {
		server->has_gtids = true;
		(void)snprintf(server->identity, sizeof server->identity, "mariadb-%s", facts.id);
	} else {
		memcpy(server->identity, facts.uuid, sizeof server->identity);
	}
	if (server->version == 0 || server->identity[0] == 0)
		return fault_set(fault, RC_PROTOCOL,
			"%s does not say its version and identity (version \"%s\")",
			link_name(link), server->version_text);
	*ret_server = *server;
	return RC_OK;
}

/* ---- the end of the binlog ---- */

struct end {
	char file[EVENT_FILE_MAX];
	uint64_t pos;
	struct buf *gtids; /* of the same row: MySQL; NULL when not wanted */
	bool found;
};

static bool read_number(struct slice text, uint64_t *ret_number)
{
	uint64_t number = 0;
	if (text.len == 0 || text.len > 19)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		number = number * 10 + (uint64_t)(text.at[i] - '0');
	}
	*ret_number = number;
	return true;
}

/* MySQL breaks long sets into lines. */
static void put_one_line(struct slice text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] > ' ')
			buf_u8(out, text.at[i]);
	}
}

static enum rc take_end(void *context, const struct slice *cells, size_t count, struct fault *fault)
{
	struct end *end = context;
	if (count < 2 || cells[0].len == 0 || cells[0].len >= sizeof end->file ||
		!read_number(cells[1], &end->pos))
		return fault_set(fault, RC_PROTOCOL, "the server's binlog status makes no sense");
	put_text(end->file, sizeof end->file, cells[0]);
	end->found = true;
	if (end->gtids && count >= 5)
		put_one_line(cells[4], end->gtids);
	return RC_OK;
}

static enum rc read_end(struct link *link, const struct mysql_server *server, struct buf *gtids,
	struct end *ret_end, struct fault *fault)
{
	*ret_end = (struct end){.gtids = gtids};
	const char *sql = !server->is_mariadb && server->version >= 80400 ? "SHOW BINARY LOG STATUS"
									  : "SHOW MASTER STATUS";
	enum rc rc = link_query(link, sql, take_end, ret_end, fault);
	if (rc != RC_OK)
		return rc;
	if (!ret_end->found) {
		(void)fault_set(fault, RC_UNFIT, "%s writes no binlog", link_name(link));
		fault_hint(fault, "%s", link_error_hint(NO_BINARY_LOGGING, ""));
		return RC_UNFIT;
	}
	return RC_OK;
}

/* MariaDB tells the set and the place by two statements. The set of what is in the binlog, not
 * gtid_current_pos: that one also has what came by replication and was not logged, which the server
 * could never send us. Where commits keep coming in between, BINLOG_GTID_POS works the set out from
 * the file, which costs the server a reading of it. */
static enum rc mariadb_set(struct link *link, const struct mysql_server *server, struct end *end,
	struct buf *gtids, struct fault *fault)
{
	size_t before = gtids->len;
	for (int i = 0; i < 3; i++) {
		gtids->len = before;
		enum rc rc = link_query_text(link, "SELECT @@GLOBAL.gtid_binlog_pos", gtids, fault);
		if (rc != RC_OK)
			return rc;
		struct end again;
		rc = read_end(link, server, NULL, &again, fault);
		if (rc != RC_OK)
			return rc;
		bool same = again.pos == end->pos && strcmp(again.file, end->file) == 0;
		*end = again;
		if (same)
			return RC_OK;
	}
	gtids->len = before;
	struct buf sql = buf_of(4 * EVENT_FILE_MAX);
	buf_text(&sql, "SELECT BINLOG_GTID_POS(");
	link_quote(slice_text(end->file), &sql);
	buf_format(&sql, ", %llu)", (unsigned long long)end->pos);
	enum rc rc = link_query_text(link, buf_cstring(&sql), gtids, fault);
	buf_release(&sql);
	return rc;
}

enum rc mysql_server_binlog_end(struct link *link, const struct mysql_server *server,
	char ret_file[EVENT_FILE_MAX], uint64_t *ret_pos, struct buf *gtids, struct fault *fault)
{
	struct end end;
	bool of_row = server->has_gtids && !server->is_mariadb;
	size_t before = gtids->len;
	enum rc rc = read_end(link, server, of_row ? gtids : NULL, &end, fault);
	if (rc == RC_OK && server->is_mariadb)
		rc = mariadb_set(link, server, &end, gtids, fault);
	if (rc == RC_OK && gtids->rc != RC_OK)
		rc = fault_set(fault, RC_LIMIT,
			"the server's set of GTIDs is longer than %zu bytes", gtids->max);
	if (rc != RC_OK) {
		gtids->len = before;
		return rc;
	}
	memcpy(ret_file, end.file, EVENT_FILE_MAX);
	*ret_pos = end.pos;
	return RC_OK;
}

enum rc server_place(struct link *link, const struct mysql_server *server,
	char ret_file[EVENT_FILE_MAX], uint64_t *ret_pos, struct fault *fault)
{
	struct end end;
	enum rc rc = read_end(link, server, NULL, &end, fault);
	if (rc != RC_OK)
		return rc;
	memcpy(ret_file, end.file, EVENT_FILE_MAX);
	*ret_pos = end.pos;
	return RC_OK;
}

/* ---- files ---- */

struct files {
	enum rc (*each)(void *context, const char *file, uint64_t size, struct fault *fault);
	void *context;
};

static enum rc take_file(
	void *context, const struct slice *cells, size_t count, struct fault *fault)
{
	const struct files *files = context;
	char name[EVENT_FILE_MAX];
	uint64_t size;
	if (count < 2 || cells[0].len == 0 || cells[0].len >= sizeof name ||
		!read_number(cells[1], &size))
		return fault_set(fault, RC_PROTOCOL, "the server's list of binlogs makes no sense");
	put_text(name, sizeof name, cells[0]);
	return files->each(files->context, name, size, fault);
}

enum rc mysql_server_files(struct link *link,
	enum rc (*each)(void *context, const char *file, uint64_t size, struct fault *fault),
	void *context, struct fault *fault)
{
	struct files files = {each, context};
	return link_query(link, "SHOW BINARY LOGS", take_file, &files, fault);
}
