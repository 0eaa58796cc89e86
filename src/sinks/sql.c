/* SQLite with faults; see sql.h. */
#include "sinks/sql.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/disk.h"
#include "base/mem.h"

enum rc sql_fault(struct sql *sql, int status, struct fault *fault, const char *doing)
{
	const char *text = sql->handle ? sqlite3_errmsg(sql->handle) : sqlite3_errstr(status);
	enum rc rc = RC_INTERNAL;
	int primary = status & 0xff;
	if (primary == SQLITE_FULL ||
		(primary == SQLITE_IOERR && sql->handle &&
			sqlite3_system_errno(sql->handle) == ENOSPC))
		rc = RC_DISK_FULL;
	else if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED)
		rc = RC_TIMEOUT;
	else if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB)
		rc = RC_CORRUPT;
	else if (primary == SQLITE_TOOBIG)
		rc = RC_LIMIT;
	else if (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN ||
		primary == SQLITE_READONLY || primary == SQLITE_PERM)
		rc = RC_IO;
	else if (primary == SQLITE_ERROR && strstr(text, "malformed JSON"))
		rc = RC_REFUSED;
	else if (primary == SQLITE_INTERRUPT)
		rc = RC_STOPPED;
	(void)fault_set(fault, rc, "cannot %s '%s': %s", doing, sql->path, text);
	if (rc == RC_TIMEOUT)
		fault_hint(
			fault, "another program writes to it: wait for it to end its transaction");
	return rc;
}

enum rc sql_execute(struct sql *sql, const char *text, struct fault *fault)
{
	int status = sqlite3_exec(sql->handle, text, NULL, NULL, NULL);
	return status == SQLITE_OK ? RC_OK : sql_fault(sql, status, fault, "write to");
}

enum rc sql_begin(struct sql *sql, struct fault *fault)
{
	assert(!sql_is_open(sql));
	return sql_execute(sql, "BEGIN IMMEDIATE", fault);
}

enum rc sql_commit(struct sql *sql, struct fault *fault)
{
	return sql_execute(sql, "COMMIT", fault);
}

void sql_rollback(struct sql *sql)
{
	if (sql_is_open(sql))
		(void)sqlite3_exec(sql->handle, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- opening ---- */

/* One number by a statement of its own. */
static enum rc one_number(
	struct sql *sql, const char *text, int64_t *ret_number, struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	int status = sqlite3_prepare_v2(sql->handle, text, -1, &statement, NULL);
	if (status == SQLITE_OK)
		status = sqlite3_step(statement);
	if (status == SQLITE_ROW)
		*ret_number = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	return status == SQLITE_ROW ? RC_OK : sql_fault(sql, status, fault, "read");
}

/* Whether the file is new, or else of our kind and age. */
static enum rc look(
	struct sql *sql, const struct sql_kind *kind, bool *ret_new, struct fault *fault)
{
	int64_t id = 0, version = 0, objects = 0;
	enum rc rc = one_number(sql, "PRAGMA application_id", &id, fault);
	if (rc == RC_OK)
		rc = one_number(sql, "PRAGMA user_version", &version, fault);
	if (rc == RC_OK)
		rc = one_number(sql, "SELECT count(*) FROM sqlite_schema", &objects, fault);
	if (rc == RC_CORRUPT || (rc == RC_OK && id != kind->application_id && (id || objects))) {
		(void)fault_set(fault, RC_EXISTS,
			"'%s' exists and is not a %s of this program: it is left alone", sql->path,
			kind->noun);
		fault_hint(fault, "name another file, or move this one away");
		return RC_EXISTS;
	}
	if (rc == RC_OK && version > kind->version) {
		(void)fault_set(fault, RC_UNSUPPORTED,
			"'%s' was made by a newer version of this program (its tables have version "
			"%lld, this one knows %d)",
			sql->path, (long long)version, (int)kind->version);
		fault_hint(fault, "use the newer version, or move the file away");
		return RC_UNSUPPORTED;
	}
	*ret_new = id == 0;
	return rc;
}

static enum rc make(struct sql *sql, const struct sql_kind *kind, const struct hub_meta *stream,
	struct fault *fault)
{
	char *text = sqlite3_mprintf(
		"PRAGMA application_id = %d; PRAGMA user_version = %d; %s;"
		"CREATE TABLE meta(stream TEXT NOT NULL, created_us INTEGER NOT NULL);"
		"INSERT INTO meta VALUES(%Q, %lld);",
		(int)kind->application_id, (int)kind->version, kind->schema, stream->name,
		(long long)stream->created_us);
	enum rc rc =
		text ? sql_execute(sql, text, fault) : fault_set(fault, RC_INTERNAL, "no memory");
	sqlite3_free(text);
	return rc;
}

static enum rc check_stream(struct sql *sql, const struct sql_kind *kind,
	const struct hub_meta *stream, struct fault *fault)
{
	int64_t same = 0;
	char *text =
		sqlite3_mprintf("SELECT count(*) FROM meta WHERE stream = %Q AND created_us = %lld",
			stream->name, (long long)stream->created_us);
	enum rc rc = text ? one_number(sql, text, &same, fault)
			  : fault_set(fault, RC_INTERNAL, "no memory");
	sqlite3_free(text);
	if (rc != RC_OK || same == 1)
		return rc;
	(void)fault_set(fault, RC_EXISTS,
		"'%s' is the %s of another stream than this '%s': their ordinals have nothing to "
		"do with each other",
		sql->path, kind->noun, stream->name);
	fault_hint(fault, "name another file, or move this one away to build a new one");
	return RC_EXISTS;
}

/* In one transaction, so that two processes that begin at once make one file. */
static enum rc claim(struct sql *sql, const struct sql_kind *kind, const struct hub_meta *stream,
	struct fault *fault)
{
	bool is_new;
	enum rc rc = look(sql, kind, &is_new, fault);
	if (rc == RC_OK && is_new)
		rc = make(sql, kind, stream, fault);
	if (rc == RC_OK && !is_new)
		rc = check_stream(sql, kind, stream, fault);
	return rc;
}

static enum rc open_handle(struct sql *sql, const struct sql_kind *kind,
	const struct hub_meta *stream, struct fault *fault)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOMUTEX |
		(stream ? SQLITE_OPEN_CREATE : 0);
	int status = sqlite3_open_v2(sql->path, &sql->handle, flags, NULL);
	if (status != SQLITE_OK)
		return sql_fault(sql, status, fault, "open");
	(void)sqlite3_busy_timeout(sql->handle, SQL_BUSY_MS);
	(void)sqlite3_db_config(sql->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	bool is_new;
	enum rc rc = look(sql, kind, &is_new, fault);
	if (rc != RC_OK)
		return rc;
	char text[96];
	(void)snprintf(text, sizeof text, "PRAGMA journal_mode = WAL; PRAGMA synchronous = %s",
		kind->synchronous);
	rc = sql_execute(sql, text, fault);
	if (rc != RC_OK || !stream)
		return rc;
	rc = sql_begin(sql, fault);
	if (rc == RC_OK)
		rc = claim(sql, kind, stream, fault);
	if (rc == RC_OK)
		rc = sql_commit(sql, fault);
	if (rc != RC_OK)
		sql_rollback(sql);
	return rc;
}

static enum rc make_folder_of(const char *path, struct fault *fault)
{
	const char *slash = strrchr(path, '/');
	if (!slash || slash == path)
		return RC_OK;
	char *folder = mem_text_of(path, (size_t)(slash - path));
	enum rc rc = disk_make_folders(folder, fault);
	mem_free(folder);
	return rc;
}

enum rc sql_open(struct sql *sql, const char *path, const struct sql_kind *kind,
	const struct hub_meta *stream, const char *const *texts, size_t count, struct fault *fault)
{
	*sql = (struct sql){.path = mem_text(path), .texts = texts, .count = count};
	sql->statements = mem_new(count, sizeof(sqlite3_stmt *));
	enum rc rc = RC_OK;
	if (stream)
		rc = make_folder_of(path, fault);
	else if (access(path, F_OK) != 0)
		rc = fault_errno(
			fault, errno == ENOENT ? RC_NOT_FOUND : RC_IO, "cannot open '%s'", path);
	if (rc == RC_OK)
		rc = open_handle(sql, kind, stream, fault);
	if (rc != RC_OK)
		sql_close(sql);
	return rc;
}

void sql_close(struct sql *sql)
{
	for (size_t i = 0; i < sql->count; i++)
		(void)sqlite3_finalize(sql->statements[i]);
	(void)sqlite3_close(sql->handle);
	mem_free(sql->statements);
	mem_free(sql->path);
	*sql = (struct sql){0};
}

/* ---- statements ---- */

struct sql_call sql_call(struct sql *sql, size_t number)
{
	assert(number < sql->count);
	struct sql_call call = {.sql = sql, .status = SQLITE_OK};
	if (!sql->statements[number])
		call.status = sqlite3_prepare_v3(sql->handle, sql->texts[number], -1,
			SQLITE_PREPARE_PERSISTENT, &sql->statements[number], NULL);
	call.statement = sql->statements[number];
	return call;
}

static void put_status(struct sql_call *call, int status)
{
	if (call->status == SQLITE_OK)
		call->status = status;
}

void sql_put_text(struct sql_call *call, struct slice text)
{
	const char *at = text.at ? (const char *)text.at : "";
	call->index++;
	if (call->status == SQLITE_OK)
		put_status(call,
			sqlite3_bind_text64(call->statement, call->index, at, text.len,
				SQLITE_STATIC, SQLITE_UTF8));
}

void sql_put_u64(struct sql_call *call, uint64_t value)
{
	assert(value <= INT64_MAX);
	call->index++;
	if (call->status == SQLITE_OK)
		put_status(call,
			sqlite3_bind_int64(call->statement, call->index, (sqlite3_int64)value));
}

void sql_put_null(struct sql_call *call)
{
	call->index++;
	if (call->status == SQLITE_OK)
		put_status(call, sqlite3_bind_null(call->statement, call->index));
}

void sql_done(struct sql_call *call)
{
	if (!call->statement)
		return;
	(void)sqlite3_reset(call->statement);
	(void)sqlite3_clear_bindings(call->statement);
	call->statement = NULL;
}

enum rc sqlite_next(struct sql_call *call, struct fault *fault)
{
	enum rc rc = RC_OK;
	call->row = false;
	if (call->status == SQLITE_OK)
		call->status = sqlite3_step(call->statement);
	if (call->status == SQLITE_ROW) {
		call->status = SQLITE_OK;
		call->row = true;
		return RC_OK;
	}
	if (call->status != SQLITE_DONE)
		rc = sql_fault(call->sql, call->status, fault, "use");
	sql_done(call);
	return rc;
}

enum rc sql_run(struct sql_call *call, struct fault *fault)
{
	enum rc rc;
	do
		rc = sqlite_next(call, fault);
	while (rc == RC_OK && call->row);
	return rc;
}

uint64_t sql_changes(const struct sql *sql)
{
	return (uint64_t)sqlite3_changes64(sql->handle);
}

struct slice sql_text(const struct sql_call *call, int column)
{
	const void *at = sqlite3_column_text(call->statement, column);
	return slice_of(at, (size_t)sqlite3_column_bytes(call->statement, column));
}

uint64_t sql_u64(const struct sql_call *call, int column)
{
	return (uint64_t)sqlite3_column_int64(call->statement, column);
}
