/* The little that this room asks of SQLite, with faults: files with an owner, and statements that
 * are prepared once.
 *
 * A call is sticky like a buffer: bind straight on, run, check once.
 *
 *	struct sql_call call = sql_call(sql, STATEMENT_X);
 *	sql_put_text(&call, key);
 *	sql_put_u64(&call, ordinal);
 *	enum rc rc = sql_run(&call, fault);
 *
 * Errors: a full disk is RC_DISK_FULL, a lock that somebody else holds for longer than
 * SQL_BUSY_MS is RC_TIMEOUT (both: try again); a value that is too large for SQLite is RC_LIMIT,
 * JSON that it does not take RC_REFUSED.
 *
 * Thread: one owner at a time. */
#ifndef SINKS_SQL_H
#define SINKS_SQL_H

#include <sqlite3.h>

#include "hub/hub.h"

enum { SQL_BUSY_MS = 2000 };

struct sql {
	sqlite3 *handle;
	char *path;
	const char *const *texts; /* of the statements, by number */
	sqlite3_stmt **statements;
	size_t count;
};

/* A kind of file that this program makes: what tells it from everybody else's. */
struct sql_kind {
	const char *noun;       /* "read model" */
	int32_t application_id; /* of the file's header */
	int32_t version;        /* of its tables */
	const char *schema;     /* makes them */
	const char *synchronous;
};

/* Opens the file and makes it ours: a new one gets the tables of its kind and the name of the
 * stream; an old one must be of the kind, of a version that we know and of the same stream, else
 * RC_EXISTS or RC_UNSUPPORTED, and not a byte of it has changed. `stream` NULL: the file must be
 * there (RC_NOT_FOUND), of whatever stream. Statements are texts[0] .. texts[count - 1]. */
MUST_USE enum rc sql_open(struct sql *sql, const char *path, const struct sql_kind *kind,
	const struct hub_meta *stream, const char *const *texts, size_t count, struct fault *fault);

/* Accepts a zeroed one. */
void sql_close(struct sql *sql);

/* Runs SQL text without results. */
MUST_USE enum rc sql_execute(struct sql *sql, const char *text, struct fault *fault);

/* Whether a transaction is open (SQLite itself ends it after some errors). */
static inline bool sql_is_open(const struct sql *sql)
{
	return sql->handle && !sqlite3_get_autocommit(sql->handle);
}

MUST_USE enum rc sql_begin(struct sql *sql, struct fault *fault); /* takes the write lock */
MUST_USE enum rc sql_commit(struct sql *sql, struct fault *fault);
void sql_rollback(struct sql *sql); /* nothing when none is open */

struct sql_call {
	struct sql *sql;
	sqlite3_stmt *statement;
	int index;  /* of the last bound value */
	int status; /* SQLite's; sticky */
	bool row;   /* after sqlite_next: there is one */
};

struct sql_call sql_call(struct sql *sql, size_t number);

/* Texts are borrowed until the call is over. */
void sql_put_text(struct sql_call *call, struct slice text);
void sql_put_u64(struct sql_call *call, uint64_t value);
void sql_put_null(struct sql_call *call);

/* Runs a statement to its end; *ret_row_count (may be NULL) rows were changed. */
MUST_USE enum rc sql_run(struct sql_call *call, struct fault *fault);
uint64_t sql_changes(const struct sql *sql);

/* The next row: call.row. The statement is over when there is none, after an error and after
 * sql_done. */
MUST_USE enum rc sqlite_next(struct sql_call *call, struct fault *fault);
void sql_done(struct sql_call *call);

/* Columns of the row, from 0; texts are valid until the next sqlite_next or sql_done. */
struct slice sql_text(const struct sql_call *call, int column);
uint64_t sql_u64(const struct sql_call *call, int column);

/* The fault of an SQLite status. */
enum rc sql_fault(struct sql *sql, int status, struct fault *fault, const char *doing);

#endif
