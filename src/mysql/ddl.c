/* What a statement of the binlog does to tables.
 *
 * The first keywords decide, by the table below; then as much is read as the answer needs. Whatever
 * has another form than expected is DDL_UNKNOWN: the caller stops rather than to miss a change.
 *
 * Thread: any. */
#include <ctype.h>
#include <strings.h>

#include "base/mem.h"
#include "mysql/sql_reader.h"

enum { NAMES_MAX = 65536, NAMES_TEXT_MAX = 1 << 30 };

/* Names as offsets into names_buf, until that no longer moves. */
struct name_place {
	size_t database, database_len, table, table_len;
};

struct parser {
	struct sql_reader sql;
	struct ddl *ddl;
	struct name_place *names;
	struct slice database; /* the default; the first thing in names_buf once there are names */
};

/* ---- names ---- */

static bool take_name_part(struct parser *parser, size_t *ret_at, size_t *ret_len)
{
	struct buf *texts = &parser->ddl->names_buf;
	*ret_at = texts->len;
	bool ok = sql_take_name(&parser->sql, texts);
	*ret_len = texts->len - *ret_at;
	return ok;
}

/* A table's name, with or without its database. */
static bool take_table(struct parser *parser)
{
	struct ddl *ddl = parser->ddl;
	struct name_place name = {.database_len = parser->database.len};
	if (ddl->names_buf.len == 0)
		buf_slice(&ddl->names_buf, parser->database);
	if (ddl->name_count == NAMES_MAX || !take_name_part(parser, &name.table, &name.table_len))
		return false;
	if (sql_accept_symbol(&parser->sql, '.')) {
		name.database = name.table;
		name.database_len = name.table_len;
		if (!take_name_part(parser, &name.table, &name.table_len))
			return false;
	}
	if ((ddl->name_count & (ddl->name_count - 1)) == 0) /* full at every power of two */
		parser->names = mem_resize(parser->names,
			(ddl->name_count ? 2 * ddl->name_count : 1) * sizeof *parser->names);
	parser->names[ddl->name_count++] = name;
	return true;
}

static bool take_database(struct parser *parser)
{
	struct ddl *ddl = parser->ddl;
	struct name_place name = {0};
	if (!take_name_part(parser, &name.database, &name.database_len))
		return false;
	parser->names = mem_resize(parser->names, sizeof *parser->names);
	parser->names[0] = name;
	ddl->name_count = 1;
	return true;
}

static bool take_tables(struct parser *parser)
{
	do {
		if (!take_table(parser))
			return false;
	} while (sql_accept_symbol(&parser->sql, ','));
	return true;
}

/* WAIT n, NOWAIT: MariaDB. */
static void skip_wait(struct parser *parser)
{
	if (sql_accept(&parser->sql, "WAIT"))
		sql_next(&parser->sql);
	else
		sql_accept(&parser->sql, "NOWAIT");
}

/* The name of a user or role: user@host, with or without quotes, CURRENT_USER(). */
static void skip_user(struct parser *parser)
{
	struct sql_reader *sql = &parser->sql;
	sql_next(sql);
	if (sql_accept_symbol(sql, '@'))
		sql_next(sql);
	else if (sql_accept_symbol(sql, '('))
		sql_accept_symbol(sql, ')');
}

static bool is_one_of(const struct sql_reader *sql, const char *const *keywords)
{
	for (; *keywords; keywords++) {
		if (sql_is(sql, *keywords))
			return true;
	}
	return false;
}

/* ---- CREATE, DROP ---- */

/* Objects that are neither tables nor columns nor rows of them. */
static const char *const harmless_objects[] = {"VIEW", "PROCEDURE", "FUNCTION", "TRIGGER", "EVENT",
	"USER", "ROLE", "SERVER", "TABLESPACE", "LOGFILE", "RESOURCE", "REFERENCE", "PACKAGE",
	"INSTANCE", "LIBRARY", NULL};

/* Steps over what may stand between CREATE, ALTER or DROP and the kind of object. */
static void skip_modifiers(struct parser *parser)
{
	static const char *const plain[] = {"ONLINE", "OFFLINE", "UNIQUE", "FULLTEXT", "SPATIAL",
		"VECTOR", "AGGREGATE", "UNDO", "JSON", "RELATIONAL", "DUALITY", NULL};
	struct sql_reader *sql = &parser->sql;
	for (;;) {
		if (is_one_of(sql, plain)) {
			sql_next(sql);
		} else if (sql_accept(sql, "TEMPORARY")) {
			parser->ddl->is_temporary = true;
		} else if (sql_accept(sql, "ALGORITHM")) {
			sql_accept_symbol(sql, '=');
			sql_next(sql);
		} else if (sql_accept(sql, "DEFINER")) {
			sql_accept_symbol(sql, '=');
			skip_user(parser);
		} else if (sql_accept(sql, "SQL")) {
			sql_accept(sql, "SECURITY");
			sql_next(sql);
		} else {
			return;
		}
	}
}

/* Behind the name of a table that is made: whether its columns (and rows) come from another. */
static void read_source(struct parser *parser)
{
	static const char *const query[] = {"SELECT", "VALUES", "TABLE", "AS", NULL};
	struct sql_reader *sql = &parser->sql;
	bool is_first = true;
	while (sql->kind != TOKEN_END) {
		bool opens = sql_accept_symbol(sql, '(');
		bool is_like = is_first && sql_is(sql, "LIKE");
		bool is_query = opens ? sql_is(sql, "SELECT") || sql_is_symbol(sql, '(') ||
				sql_is(sql, "WITH") || sql_is(sql, "VALUES")
				      : is_one_of(sql, query);
		parser->ddl->copies_columns |= is_like || is_query;
		parser->ddl->moves_rows |= is_query;
		while (opens && sql->kind != TOKEN_END && !sql_is_symbol(sql, ')'))
			sql_skip(sql);
		sql_next(sql);
		is_first = false;
	}
}

static bool create_table(struct parser *parser)
{
	parser->ddl->kind = DDL_CREATE_TABLE;
	sql_accept_if(&parser->sql);
	if (!take_table(parser))
		return false;
	read_source(parser);
	return !parser->sql.is_broken;
}

/* MariaDB's sequences are tables of one row, whose changes are logged as rows. */
static bool create_sequence(struct parser *parser)
{
	parser->ddl->kind = DDL_CREATE_TABLE;
	parser->ddl->copies_columns = true;
	sql_accept_if(&parser->sql);
	return take_table(parser);
}

/* CREATE or DROP INDEX name ... ON table. */
static bool read_index(struct parser *parser)
{
	parser->ddl->kind = DDL_ALTER_TABLE;
	while (parser->sql.kind != TOKEN_END && !sql_is(&parser->sql, "ON"))
		sql_skip(&parser->sql);
	return sql_accept(&parser->sql, "ON") && take_table(parser);
}

static bool read_harmless(struct parser *parser)
{
	parser->ddl->kind = DDL_HARMLESS;
	parser->ddl->is_temporary = parser->ddl->replaces = false;
	return true;
}

static bool create_database(struct parser *parser)
{
	parser->ddl->kind = DDL_CREATE_DATABASE;
	sql_accept_if(&parser->sql);
	return take_database(parser);
}

static bool read_create(struct parser *parser)
{
	struct sql_reader *sql = &parser->sql;
	if (sql_accept(sql, "OR"))
		parser->ddl->replaces = sql_accept(sql, "REPLACE");
	skip_modifiers(parser);
	if (is_one_of(sql, harmless_objects))
		return read_harmless(parser);
	if (sql_accept(sql, "TABLE"))
		return create_table(parser);
	if (sql_accept(sql, "SEQUENCE"))
		return create_sequence(parser);
	if (sql_accept(sql, "INDEX"))
		return read_index(parser);
	bool is_database = sql_accept(sql, "DATABASE") || sql_accept(sql, "SCHEMA");
	return is_database && create_database(parser);
}

static bool drop_tables(struct parser *parser)
{
	struct sql_reader *sql = &parser->sql;
	parser->ddl->kind = DDL_DROP_TABLE;
	sql_accept_if(sql);
	if (!take_tables(parser))
		return false;
	skip_wait(parser);
	if (!sql_accept(sql, "RESTRICT"))
		sql_accept(sql, "CASCADE");
	return sql_is_end(sql);
}

static bool read_drop(struct parser *parser)
{
	struct sql_reader *sql = &parser->sql;
	skip_modifiers(parser);
	if (is_one_of(sql, harmless_objects))
		return read_harmless(parser);
	if (sql_accept(sql, "TABLE") || sql_accept(sql, "TABLES") || sql_accept(sql, "SEQUENCE"))
		return drop_tables(parser);
	if (sql_accept(sql, "INDEX"))
		return read_index(parser);
	if (!sql_accept(sql, "DATABASE") && !sql_accept(sql, "SCHEMA"))
		return false;
	parser->ddl->kind = DDL_DROP_DATABASE;
	sql_accept_if(sql);
	return take_database(parser) && sql_is_end(sql);
}

/* ---- ALTER ---- */

/* ... WITH TABLE t, ... TO TABLE t: a second table whose rows move. */
static bool take_partner(struct parser *parser)
{
	struct sql_reader *sql = &parser->sql;
	while (sql->kind != TOKEN_END && !sql_is(sql, "TABLE"))
		sql_skip(sql);
	return sql_accept(sql, "TABLE") && take_table(parser);
}

static bool read_rename(struct parser *parser)
{
	static const char *const parts[] = {"COLUMN", "INDEX", "KEY", NULL};
	struct sql_reader *sql = &parser->sql;
	if (is_one_of(sql, parts))
		return true;
	if (!sql_accept(sql, "TO") && !sql_accept(sql, "AS"))
		sql_accept_symbol(sql, '=');
	parser->ddl->kind = DDL_RENAME_TABLE;
	return parser->ddl->name_count == 1 && take_table(parser);
}

/* DROP PARTITION, TRUNCATE PARTITION, DROP SYSTEM VERSIONING. */
static void read_loss(struct parser *parser)
{
	struct sql_reader *sql = &parser->sql;
	bool is_history = sql_accept(sql, "SYSTEM") && sql_is(sql, "VERSIONING");
	if (is_history || sql_is(sql, "PARTITION"))
		parser->ddl->moves_rows = true;
}

/* ENGINE = BLACKHOLE keeps no rows. */
static void read_engine(struct parser *parser)
{
	struct sql_reader *sql = &parser->sql;
	sql_accept_symbol(sql, '=');
	if (sql->token.len == 9 && strncasecmp((const char *)sql->token.at, "BLACKHOLE", 9) == 0)
		parser->ddl->moves_rows = true;
}

static bool read_convert(struct parser *parser)
{
	struct sql_reader *sql = &parser->sql;
	if (!sql_is(sql, "PARTITION") && !sql_is(sql, "TABLE"))
		return true; /* CONVERT TO CHARACTER SET */
	parser->ddl->moves_rows = true;
	return take_partner(parser);
}

/* One of the changes that commas divide. */
static bool read_change(struct parser *parser)
{
	struct sql_reader *sql = &parser->sql;
	bool ok = true;
	if (sql_accept(sql, "RENAME")) {
		ok = read_rename(parser);
	} else if (sql_accept(sql, "DROP") || sql_accept(sql, "TRUNCATE")) {
		read_loss(parser);
	} else if (sql_accept(sql, "DISCARD") || sql_accept(sql, "IMPORT")) {
		parser->ddl->moves_rows = true; /* a tablespace or a partition's */
	} else if (sql_accept(sql, "EXCHANGE")) {
		parser->ddl->moves_rows = true;
		ok = take_partner(parser);
	} else if (sql_accept(sql, "CONVERT")) {
		ok = read_convert(parser);
	}
	while (ok && sql->kind != TOKEN_END && !sql_is_symbol(sql, ',')) {
		if (sql_accept(sql, "ENGINE"))
			read_engine(parser);
		if (!sql_is_symbol(sql, ','))
			sql_skip(sql);
	}
	return ok;
}

static bool alter_table(struct parser *parser)
{
	struct sql_reader *sql = &parser->sql;
	parser->ddl->kind = DDL_ALTER_TABLE;
	sql_accept_if(sql);
	if (!take_table(parser))
		return false;
	skip_wait(parser);
	do {
		if (!read_change(parser))
			return false;
	} while (sql_accept_symbol(sql, ','));
	return sql_is_end(sql);
}

static bool read_alter(struct parser *parser)
{
	struct sql_reader *sql = &parser->sql;
	skip_modifiers(parser);
	if (sql_accept(sql, "IGNORE")) /* rows that break a new unique key go */
		parser->ddl->moves_rows = true;
	if (is_one_of(sql, harmless_objects))
		return read_harmless(parser);
	if (sql_accept(sql, "TABLE"))
		return alter_table(parser);
	if (sql_accept(sql, "SEQUENCE")) {
		parser->ddl->kind = DDL_ALTER_TABLE;
		sql_accept_if(sql);
		return take_table(parser);
	}
	if (!sql_accept(sql, "DATABASE") && !sql_accept(sql, "SCHEMA"))
		return false;
	parser->ddl->kind = DDL_CREATE_DATABASE;
	return true; /* its name may be left out */
}

static bool read_rename_table(struct parser *parser)
{
	struct sql_reader *sql = &parser->sql;
	if (sql_is(sql, "USER"))
		return read_harmless(parser);
	if (!sql_accept(sql, "TABLE") && !sql_accept(sql, "TABLES"))
		return false;
	parser->ddl->kind = DDL_RENAME_TABLE;
	sql_accept_if(sql);
	do {
		if (!take_table(parser))
			return false;
		skip_wait(parser);
		if (!sql_accept(sql, "TO") || !take_table(parser))
			return false;
	} while (sql_accept_symbol(sql, ','));
	return sql_is_end(sql);
}

static bool read_truncate(struct parser *parser)
{
	parser->ddl->kind = DDL_TRUNCATE_TABLE;
	sql_accept(&parser->sql, "TABLE");
	if (!take_table(parser))
		return false;
	skip_wait(parser);
	return sql_is_end(&parser->sql);
}

/* ---- statements that change rows ---- */

static void skip_words(struct parser *parser, const char *const *words)
{
	while (is_one_of(&parser->sql, words))
		sql_next(&parser->sql);
}

/* A name that turns out not to be the table's alone is forgotten: the kind is certain anyway. */
static bool take_plain_table(struct parser *parser, bool (*is_plain)(struct parser *parser))
{
	if (!take_table(parser) || !is_plain(parser))
		parser->ddl->name_count = 0;
	return true;
}

static bool is_any(struct parser *parser)
{
	(void)parser;
	return true;
}

static bool is_one_table(struct parser *parser)
{
	struct sql_reader *sql = &parser->sql;
	return !sql_is_symbol(sql, ',') && !sql_is_symbol(sql, '.') && !sql_is(sql, "USING") &&
		!sql_is(sql, "JOIN");
}

static bool is_update_of_one(struct parser *parser)
{
	struct sql_reader *sql = &parser->sql;
	sql_accept(sql, "AS");
	if (!sql_is(sql, "SET") && sql_is_name(sql))
		sql_next(sql); /* an alias */
	return sql_is(sql, "SET");
}

static bool read_insert(struct parser *parser)
{
	static const char *const words[] = {
		"LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO", NULL};
	parser->ddl->kind = DDL_ROWS;
	skip_words(parser, words);
	return take_plain_table(parser, is_any);
}

static bool read_update(struct parser *parser)
{
	static const char *const words[] = {"LOW_PRIORITY", "IGNORE", NULL};
	parser->ddl->kind = DDL_ROWS;
	skip_words(parser, words);
	return take_plain_table(parser, is_update_of_one);
}

static bool read_delete(struct parser *parser)
{
	static const char *const words[] = {"LOW_PRIORITY", "QUICK", "IGNORE", "HISTORY", NULL};
	parser->ddl->kind = DDL_ROWS;
	skip_words(parser, words);
	return !sql_accept(&parser->sql, "FROM") || take_plain_table(parser, is_one_table);
}

static bool read_load(struct parser *parser)
{
	struct sql_reader *sql = &parser->sql;
	if (sql_is(sql, "INDEX"))
		return read_harmless(parser);
	if (!sql_is(sql, "DATA") && !sql_is(sql, "XML"))
		return false;
	parser->ddl->kind = DDL_ROWS;
	while (sql->kind != TOKEN_END && !sql_is(sql, "INTO"))
		sql_next(sql);
	if (sql_accept(sql, "INTO") && sql_accept(sql, "TABLE"))
		return take_plain_table(parser, is_any);
	return true;
}

static bool read_rows(struct parser *parser)
{
	parser->ddl->kind = DDL_ROWS;
	return true;
}

/* ---- transactions and the rest ---- */

static bool read_begin(struct parser *parser)
{
	parser->ddl->kind = DDL_BEGIN;
	sql_accept(&parser->sql, "WORK");
	return sql_is_end(&parser->sql);
}

static bool read_start(struct parser *parser)
{
	parser->ddl->kind = DDL_BEGIN;
	return sql_is(&parser->sql, "TRANSACTION");
}

static bool read_commit(struct parser *parser)
{
	parser->ddl->kind = DDL_COMMIT;
	return true;
}

static bool read_rollback(struct parser *parser)
{
	sql_accept(&parser->sql, "WORK");
	parser->ddl->kind = sql_is(&parser->sql, "TO") ? DDL_SAVEPOINT : DDL_ROLLBACK;
	return true;
}

static bool read_savepoint(struct parser *parser)
{
	parser->ddl->kind = DDL_SAVEPOINT;
	return true;
}

static bool read_xa(struct parser *parser)
{
	parser->ddl->kind = DDL_XA;
	return true;
}

/* ANALYZE, OPTIMIZE, REPAIR, CHECK, CHECKSUM of tables. MariaDB's ANALYZE also runs statements. */
static bool read_maintenance(struct parser *parser)
{
	static const char *const words[] = {"NO_WRITE_TO_BINLOG", "LOCAL", NULL};
	static const char *const objects[] = {"TABLE", "TABLES", "VIEW", NULL};
	skip_words(parser, words);
	return is_one_of(&parser->sql, objects) && read_harmless(parser);
}

static bool read_statement(struct parser *parser);

static bool read_set(struct parser *parser)
{
	static const char *const harmless[] = {"PASSWORD", "DEFAULT", "ROLE", "RESOURCE", NULL};
	struct sql_reader *sql = &parser->sql;
	if (is_one_of(sql, harmless))
		return read_harmless(parser);
	if (!sql_accept(sql, "STATEMENT")) /* MariaDB: SET STATEMENT x = 1 FOR ... */
		return false;
	while (sql->kind != TOKEN_END && !sql_is(sql, "FOR"))
		sql_skip(sql);
	return sql_accept(sql, "FOR") && !sql_is(sql, "SET") && read_statement(parser);
}

/* clang-format off */
static const struct {
	const char *keyword;
	bool (*read)(struct parser *parser); /* false: not understood */
} statements[] = {
	{"BEGIN", read_begin}, {"START", read_start}, {"COMMIT", read_commit},
	{"ROLLBACK", read_rollback}, {"SAVEPOINT", read_savepoint}, {"RELEASE", read_savepoint},
	{"XA", read_xa}, {"CREATE", read_create}, {"ALTER", read_alter}, {"DROP", read_drop},
	{"RENAME", read_rename_table}, {"TRUNCATE", read_truncate}, {"INSERT", read_insert},
	{"REPLACE", read_insert}, {"UPDATE", read_update}, {"DELETE", read_delete},
	{"LOAD", read_load}, {"CALL", read_rows}, {"DO", read_rows}, {"SELECT", read_rows},
	{"WITH", read_rows}, {"VALUES", read_rows}, {"HANDLER", read_rows},
	{"ANALYZE", read_maintenance}, {"OPTIMIZE", read_maintenance},
	{"REPAIR", read_maintenance}, {"CHECK", read_maintenance}, {"CHECKSUM", read_maintenance},
	{"SET", read_set}, {"GRANT", read_harmless}, {"REVOKE", read_harmless},
	{"FLUSH", read_harmless}, {"INSTALL", read_harmless}, {"UNINSTALL", read_harmless},
	{"CACHE", read_harmless}, {"LOCK", read_harmless}, {"UNLOCK", read_harmless},
};
/* clang-format on */

static bool read_statement(struct parser *parser)
{
	for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
		if (sql_accept(&parser->sql, statements[i].keyword))
			return statements[i].read(parser);
	}
	/* nothing but comments: how MariaDB replaces events that a replica would not understand */
	return sql_is_end(&parser->sql) && read_harmless(parser);
}

/* The buffer no longer moves: offsets become slices. */
static void finish_names(struct parser *parser)
{
	struct ddl *ddl = parser->ddl;
	if (ddl->name_count == 0)
		return;
	const uint8_t *texts = (const uint8_t *)buf_cstring(&ddl->names_buf);
	ddl->names = mem_new(ddl->name_count, sizeof *ddl->names);
	for (size_t i = 0; i < ddl->name_count; i++) {
		const struct name_place *name = &parser->names[i];
		ddl->names[i].database = slice_of(texts + name->database, name->database_len);
		ddl->names[i].table = slice_of(texts + name->table, name->table_len);
	}
}

void ddl_read(const struct binlog_query *query, struct ddl *ret_ddl)
{
	*ret_ddl = (struct ddl){.names_buf = buf_of(NAMES_TEXT_MAX)};
	struct parser parser = {
		.sql = sql_reader_of(query), .ddl = ret_ddl, .database = query->database};
	if (read_statement(&parser)) {
		finish_names(&parser);
	} else {
		ddl_release(ret_ddl);
		ret_ddl->kind = DDL_UNKNOWN;
	}
	mem_free(parser.names);
}

void ddl_release(struct ddl *ddl)
{
	mem_free(ddl->names);
	buf_release(&ddl->names_buf);
	*ddl = (struct ddl){.names_buf = ddl->names_buf};
}
