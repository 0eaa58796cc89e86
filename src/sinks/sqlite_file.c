/* The file of the read model: tables, full-text index, views; see sqlite.h and docs/READ-MODEL.md.
 *
 * Views are named DATABASE.TABLE. SQLite takes names without regard to case and a dot may stand in
 * a MySQL name, so that two tables may want one name: the later one gets ~2, ~3, ... behind it. */
#include <jansson.h>

#include "base/mem.h"
#include "base/notice.h"
#include "sinks/sqlite.h"

/* A view has at most this many columns (SQLITE_MAX_COLUMN is 2000), ours included. */
enum { VIEW_COLUMNS_MAX = 1990 };

static const struct sql_kind kind = {
	.noun = "read model",
	.application_id = 0x4d537264, /* MSrd */
	.version = 1,
	.schema = "CREATE TABLE docs("
		  " id INTEGER PRIMARY KEY,"
		  " source_db TEXT NOT NULL,"
		  " source_table TEXT NOT NULL,"
		  " key TEXT NOT NULL,"
		  " ord INTEGER NOT NULL,"
		  " doc TEXT NOT NULL,"
		  " copies INTEGER NOT NULL DEFAULT 1,"
		  " UNIQUE(source_db, source_table, key));"
		  "CREATE TABLE checkpoint(next INTEGER NOT NULL);"
		  "CREATE TABLE schemas("
		  " source_db TEXT NOT NULL,"
		  " source_table TEXT NOT NULL,"
		  " ord INTEGER NOT NULL,"
		  " columns TEXT NOT NULL,"
		  " primary_key TEXT NOT NULL,"
		  " view TEXT COLLATE NOCASE UNIQUE,"
		  " PRIMARY KEY(source_db, source_table)) WITHOUT ROWID;"
		  "CREATE TABLE replayed(ordinal INTEGER PRIMARY KEY);"
		  "CREATE VIEW search_text(id, text) AS"
		  " SELECT id, (SELECT group_concat(value, char(10)) FROM json_tree(docs.doc)"
		  "  WHERE type = 'text') FROM docs",
	/* A power cut may take the last transactions, each as a whole and with its checkpoint: they
	 * come again from the stream. Hence no sync for each commit. */
	.synchronous = "NORMAL",
};

/* ---- small queries that are not worth a prepared statement ---- */

/* The first column of the first row, appended to `out` (may be NULL); false in *ret_found without a
 * row. `text` comes from sqlite3_mprintf and is freed. */
static enum rc ask(
	struct sql *sql, char *text, bool *ret_found, struct buf *out, struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	int status =
		text ? sqlite3_prepare_v2(sql->handle, text, -1, &statement, NULL) : SQLITE_NOMEM;
	if (status == SQLITE_OK)
		status = sqlite3_step(statement);
	*ret_found = status == SQLITE_ROW;
	if (*ret_found && out)
		buf_bytes(out, sqlite3_column_text(statement, 0),
			(size_t)sqlite3_column_bytes(statement, 0));
	enum rc rc =
		*ret_found || status == SQLITE_DONE ? RC_OK : sql_fault(sql, status, fault, "read");
	(void)sqlite3_finalize(statement);
	sqlite3_free(text);
	return rc;
}

/* Runs text that comes from sqlite3_mprintf, and frees it. */
static enum rc run(struct sql *sql, char *text, struct fault *fault)
{
	enum rc rc =
		text ? sql_execute(sql, text, fault) : fault_set(fault, RC_INTERNAL, "no memory");
	sqlite3_free(text);
	return rc;
}

/* ---- opening ---- */

/* Makes the full-text index from the documents that are there, or drops it. (FTS5's own 'rebuild'
 * does not read a view with json_tree in it.) */
static enum rc fit_search(struct read_model *model, struct fault *fault)
{
	bool there;
	enum rc rc = ask(&model->sql,
		sqlite3_mprintf("SELECT 1 FROM sqlite_schema WHERE name = 'search'"), &there, NULL,
		fault);
	if (rc != RC_OK || there == model->search)
		return rc;
	if (!model->search)
		return sql_execute(&model->sql, "DROP TABLE search", fault);
	return sql_execute(&model->sql,
		"CREATE VIRTUAL TABLE search USING fts5(text, content = 'search_text',"
		" content_rowid = 'id', tokenize = \"unicode61 remove_diacritics 2\");"
		"INSERT INTO search(rowid, text) SELECT id, text FROM search_text",
		fault);
}

enum rc read_model_open(struct read_model *model, const char *path, const struct hub_meta *stream,
	const char *const *texts, size_t count, struct fault *fault)
{
	enum rc rc = sql_open(&model->sql, path, &kind, stream, texts, count, fault);
	if (rc == RC_OK)
		rc = sql_execute(&model->sql,
			"PRAGMA cache_size = -16384; PRAGMA wal_autocheckpoint = 4000;"
			" PRAGMA journal_size_limit = 67108864",
			fault);
	if (rc == RC_OK)
		rc = sql_begin(&model->sql, fault);
	if (rc == RC_OK)
		rc = fit_search(model, fault);
	if (rc == RC_OK)
		rc = sql_commit(&model->sql, fault);
	sql_rollback(&model->sql);
	return rc;
}

enum rc read_model_names(
	struct read_model *model, const struct event_view *view, struct fault *fault)
{
	buf_reset(&model->database);
	buf_reset(&model->table);
	if (event_unescape(view->database, &model->database) == RC_OK &&
		event_unescape(view->table, &model->table) == RC_OK)
		return RC_OK;
	return fault_set(fault, RC_CORRUPT, "event %llu: the name of its table is not readable",
		(unsigned long long)view->ordinal);
}

/* ---- views ---- */

/* 'text' or "text": a quote inside is doubled. */
static void put_quoted(struct buf *out, const char *text, char quote)
{
	buf_u8(out, (uint8_t)quote);
	for (; *text; text++) {
		if (*text == quote)
			buf_u8(out, (uint8_t)quote);
		buf_u8(out, (uint8_t)*text);
	}
	buf_u8(out, (uint8_t)quote);
}

/* Whether a name can stand in a JSON path as it is: SQLite compares it with the label's bytes,
 * escapes and all, and has no escape for a quote. */
static bool is_plain(const char *name)
{
	for (; *name; name++) {
		if (*name == '"' || *name == '\\' || (unsigned char)*name < 0x20)
			return false;
	}
	return true;
}

/* The value of a column out of `doc`: as -> gives it (JSON text), or as ->> does (SQL value). */
static void put_value(struct buf *out, const char *name, const char *arrow)
{
	if (is_plain(name)) {
		buf_format(out, "doc %s ", arrow);
		char *path = mem_format("$.\"%s\"", name);
		put_quoted(out, path, '\'');
		mem_free(path);
		return;
	}
	buf_text(out, "(SELECT value FROM json_each(doc) WHERE key = ");
	put_quoted(out, name, '\'');
	buf_u8(out, ')');
}

/* A number above 2^63 would become a REAL and lose digits: it stays the text that it is. */
static void put_column(struct buf *out, const char *name, const char *type)
{
	bool large = strstr(type, "bigint") && strstr(type, "unsigned") && is_plain(name);
	if (large) {
		buf_text(out, "CASE typeof(");
		put_value(out, name, "->>");
		buf_text(out, ") WHEN 'real' THEN ");
		put_value(out, name, "->");
		buf_text(out, " ELSE ");
	}
	put_value(out, name, "->>");
	buf_text(out, large ? " END AS " : " AS ");
	put_quoted(out, name, '"');
	buf_text(out, ", ");
}

/* A free name for the table's view, into model->scratch. */
static enum rc name_view(struct read_model *model, struct fault *fault)
{
	const char *database = buf_cstring(&model->database), *table = buf_cstring(&model->table);
	for (unsigned copy = 1;; copy++) {
		bool taken;
		buf_reset(&model->scratch);
		buf_format(&model->scratch, copy > 1 ? "%s.%s~%u" : "%s.%s", database, table, copy);
		enum rc rc = ask(&model->sql,
			sqlite3_mprintf("SELECT 1 FROM schemas WHERE view = %Q"
					" AND (source_db <> %Q OR source_table <> %Q)",
				buf_cstring(&model->scratch), database, table),
			&taken, NULL, fault);
		if (rc != RC_OK || !taken)
			return rc;
	}
}

/* CREATE VIEW for the name in model->scratch, with the columns of a schema record. False when they
 * are not to be understood or too many. */
static bool put_view(struct read_model *model, const char *view, const json_t *columns,
	bool keyless, struct buf *out)
{
	size_t index;
	json_t *column;
	if (!json_is_array(columns) || json_array_size(columns) > VIEW_COLUMNS_MAX)
		return false;
	buf_text(out, "CREATE VIEW ");
	put_quoted(out, view, '"');
	buf_text(out, " AS SELECT ");
	json_array_foreach(columns, index, column)
	{
		const char *name = json_string_value(json_object_get(column, "name"));
		const char *type = json_string_value(json_object_get(column, "type"));
		if (!name || !type)
			return false;
		put_column(out, name, type);
	}
	buf_text(out, keyless ? "copies AS _copies, " : "");
	buf_text(out, "ord AS _ord FROM docs WHERE source_db = ");
	put_quoted(out, buf_cstring(&model->database), '\'');
	buf_text(out, " AND source_table = ");
	put_quoted(out, buf_cstring(&model->table), '\'');
	return out->rc == RC_OK;
}

static enum rc drop_view(struct read_model *model, const char *name, struct fault *fault)
{
	return run(&model->sql, sqlite3_mprintf("DROP VIEW IF EXISTS \"%w\"", name), fault);
}

static enum rc make_view(struct read_model *model, const char *view,
	const struct event_view *control, struct fault *fault)
{
	json_t *columns =
		json_loadb((const char *)control->columns.at, control->columns.len, 0, NULL);
	struct buf text = buf_of(16 << 20);
	bool keyless = slice_equal(control->primary_key, SLICE("[]"));
	struct fault why = {.rc = RC_LIMIT, .text = "its columns are too many, or not readable"};
	enum rc rc = RC_LIMIT;
	if (put_view(model, view, columns, keyless, &text))
		rc = sql_execute(&model->sql, buf_cstring(&text), &why);
	if (rc == RC_LIMIT || rc == RC_INTERNAL) { /* SQLite does not take it: delivery goes on */
		notice_fault(NOTICE_SINK_VIEW, &why, FIELDS(field_text("view", view)));
		rc = RC_OK;
	}
	if (rc != RC_OK && fault)
		*fault = why;
	buf_release(&text);
	json_decref(columns);
	return rc;
}

/* Whether the file knows a schema of the table that is as new as this one. */
static enum rc is_known(
	struct read_model *model, uint64_t ordinal, bool *ret_known, struct fault *fault)
{
	return ask(&model->sql,
		sqlite3_mprintf("SELECT 1 FROM schemas WHERE source_db = %Q AND source_table = %Q"
				" AND ord >= %lld",
			buf_cstring(&model->database), buf_cstring(&model->table),
			(long long)ordinal),
		ret_known, NULL, fault);
}

enum rc read_model_schema(
	struct read_model *model, const struct event_view *control, struct fault *fault)
{
	bool known;
	enum rc rc = is_known(model, control->ordinal, &known, fault);
	if (rc != RC_OK || known)
		return rc;
	rc = read_model_forget(model, fault);
	if (rc == RC_OK)
		rc = name_view(model, fault);
	if (rc != RC_OK)
		return rc;
	char *view = mem_text(buf_cstring(&model->scratch));
	rc = run(&model->sql,
		sqlite3_mprintf("INSERT INTO schemas VALUES(%Q, %Q, %lld, '%.*q', "
				"'%.*q', %Q)",
			buf_cstring(&model->database), buf_cstring(&model->table),
			(long long)control->ordinal, SLICE_ARGS(control->columns),
			SLICE_ARGS(control->primary_key), view),
		fault);
	if (rc == RC_OK)
		rc = make_view(model, view, control, fault);
	mem_free(view);
	return rc;
}

enum rc read_model_forget(struct read_model *model, struct fault *fault)
{
	const char *database = buf_cstring(&model->database), *table = buf_cstring(&model->table);
	for (;;) {
		bool found;
		buf_reset(&model->scratch);
		enum rc rc = ask(&model->sql,
			sqlite3_mprintf("SELECT view FROM schemas WHERE source_db = %Q"
					" AND (%Q = '' OR source_table = %Q)",
				database, table, table),
			&found, &model->scratch, fault);
		if (rc != RC_OK || !found)
			return rc;
		rc = drop_view(model, buf_cstring(&model->scratch), fault);
		if (rc == RC_OK)
			rc = run(&model->sql,
				sqlite3_mprintf("DELETE FROM schemas WHERE view = %Q",
					buf_cstring(&model->scratch)),
				fault);
		if (rc != RC_OK)
			return rc;
	}
}
