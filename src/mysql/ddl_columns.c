/* Which columns a CREATE or ALTER TABLE makes JSON.
 *
 * MariaDB's JSON is a LONGTEXT with a check, json_valid(column), and table maps do not tell it.
 * Where nobody can be asked (the table has changed since), its statements are followed by this.
 *
 * Thread: any. */
#include "mysql/sql_reader.h"

typedef void (*column_told)(void *context, struct slice column, bool named, bool is_json);

struct listing {
	struct sql_reader sql;
	column_told told;
	void *context;
	struct buf name, other;
};

/* Starts of definitions in CREATE TABLE, or behind ADD, that are no columns. */
static bool is_no_column(const struct sql_reader *sql)
{
	static const char *const words[] = {"PRIMARY", "KEY", "INDEX", "UNIQUE", "FULLTEXT",
		"SPATIAL", "CONSTRAINT", "FOREIGN", "CHECK", "PARTITION", "LIKE", "SELECT", NULL};
	/* these may also be the name of a column */
	static const char *const pairs[][2] = {{"PERIOD", "FOR"}, {"SYSTEM", "VERSIONING"},
		{"VECTOR", "INDEX"}, {"VECTOR", "KEY"}};
	for (size_t i = 0; words[i]; i++) {
		if (sql_is(sql, words[i]))
			return true;
	}
	struct sql_reader behind = *sql;
	sql_next(&behind);
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		if (sql_is(sql, pairs[i][0]) && sql_is(&behind, pairs[i][1]))
			return true;
	}
	return false;
}

static bool take_name(struct sql_reader *sql, struct buf *name)
{
	buf_reset(name);
	return sql_take_name(sql, name);
}

static void tell(struct listing *listing, const struct buf *name, bool named, bool is_json)
{
	listing->told(listing->context, buf_as_slice(name), named, is_json);
}

/* ( json_valid ( column ) ): leaves its name in listing->other. The parentheses are stepped over in
 * any case. */
static bool take_json_check(struct listing *listing)
{
	struct sql_reader inside = listing->sql;
	bool is_it = sql_accept_symbol(&inside, '(') && sql_accept(&inside, "JSON_VALID") &&
		sql_accept_symbol(&inside, '(') && take_name(&inside, &listing->other) &&
		sql_accept_symbol(&inside, ')') && sql_is_symbol(&inside, ')');
	sql_skip(&listing->sql);
	return is_it;
}

static bool is_divider(const struct sql_reader *sql)
{
	return sql->kind == TOKEN_END || sql_is_symbol(sql, ',') || sql_is_symbol(sql, ')');
}

/* From a column's type to the end of its definition. */
static void read_definition(struct listing *listing)
{
	struct sql_reader *sql = &listing->sql;
	bool is_json = sql_accept(sql, "JSON");
	bool is_text = sql_accept(sql, "LONGTEXT");
	while (!is_divider(sql)) {
		if (!sql_accept(sql, "CHECK"))
			sql_skip(sql);
		else if (take_json_check(listing) && is_text &&
			slice_equal(buf_as_slice(&listing->name), buf_as_slice(&listing->other)))
			is_json = true;
	}
	tell(listing, &listing->name, true, is_json);
}

/* Keys and checks: a check of its own may make a column JSON that was told not to be one. */
static void read_no_column(struct listing *listing)
{
	struct sql_reader *sql = &listing->sql;
	while (!is_divider(sql)) {
		if (!sql_accept(sql, "CHECK"))
			sql_skip(sql);
		else if (take_json_check(listing))
			tell(listing, &listing->other, false, false);
	}
}

static void read_one(struct listing *listing)
{
	if (is_no_column(&listing->sql))
		read_no_column(listing);
	else if (take_name(&listing->sql, &listing->name))
		read_definition(listing);
}

/* ( definition, definition, ... ): at the first parenthesis. */
static void read_definitions(struct listing *listing)
{
	struct sql_reader *sql = &listing->sql;
	if (!sql_accept_symbol(sql, '('))
		return;
	do {
		read_one(listing);
		while (!is_divider(sql))
			sql_skip(sql);
	} while (sql_accept_symbol(sql, ','));
	sql_accept_symbol(sql, ')');
}

static void skip_table(struct listing *listing)
{
	struct sql_reader *sql = &listing->sql;
	sql_accept_if(sql);
	take_name(sql, &listing->name);
	if (sql_accept_symbol(sql, '.'))
		take_name(sql, &listing->name);
}

/* Names of columns that are not what they were. */
static void tell_gone(struct listing *listing)
{
	if (take_name(&listing->sql, &listing->name))
		tell(listing, &listing->name, false, false);
}

static void read_add(struct listing *listing)
{
	struct sql_reader *sql = &listing->sql;
	sql_accept(sql, "COLUMN");
	sql_accept_if(sql);
	if (sql_is_symbol(sql, '('))
		read_definitions(listing);
	else
		read_one(listing);
}

static void read_drop(struct listing *listing)
{
	struct sql_reader *sql = &listing->sql;
	bool is_constraint = sql_accept(sql, "CONSTRAINT") || sql_accept(sql, "CHECK");
	if (!is_constraint) /* which may be called like the column that it made JSON */
		sql_accept(sql, "COLUMN");
	sql_accept_if(sql);
	if (is_constraint || !is_no_column(sql))
		tell_gone(listing);
}

static void read_rename(struct listing *listing)
{
	struct sql_reader *sql = &listing->sql;
	if (!sql_accept(sql, "COLUMN"))
		return;
	sql_accept_if(sql);
	tell_gone(listing);
	if (sql_accept(sql, "TO"))
		tell_gone(listing);
}

static void read_change(struct listing *listing)
{
	struct sql_reader *sql = &listing->sql;
	bool is_change = sql_accept(sql, "CHANGE");
	if (is_change || sql_accept(sql, "MODIFY")) {
		sql_accept(sql, "COLUMN");
		sql_accept_if(sql);
		if (is_change)
			tell_gone(listing);
		if (take_name(sql, &listing->name))
			read_definition(listing);
	} else if (sql_accept(sql, "ADD")) {
		read_add(listing);
	} else if (sql_accept(sql, "DROP")) {
		read_drop(listing);
	} else if (sql_accept(sql, "RENAME")) {
		read_rename(listing);
	}
}

static void read_alter(struct listing *listing)
{
	struct sql_reader *sql = &listing->sql;
	skip_table(listing);
	if (sql_accept(sql, "WAIT"))
		sql_next(sql);
	else
		sql_accept(sql, "NOWAIT");
	do {
		read_change(listing);
		while (sql->kind != TOKEN_END && !sql_is_symbol(sql, ','))
			sql_skip(sql);
	} while (sql_accept_symbol(sql, ','));
}

/* CREATE [OR REPLACE] [TEMPORARY] TABLE, ALTER [ONLINE] [IGNORE] TABLE, perhaps behind SET
 * STATEMENT ... FOR. */
static void read_statement(struct listing *listing)
{
	struct sql_reader *sql = &listing->sql;
	if (sql_accept(sql, "SET")) {
		while (sql->kind != TOKEN_END && !sql_is(sql, "FOR"))
			sql_skip(sql);
		sql_accept(sql, "FOR");
	}
	bool is_create = sql_accept(sql, "CREATE");
	if (!is_create && !sql_accept(sql, "ALTER"))
		return;
	while (sql->kind == TOKEN_WORD && !sql_is(sql, "TABLE"))
		sql_next(sql);
	if (!sql_accept(sql, "TABLE"))
		return;
	if (is_create) {
		skip_table(listing);
		read_definitions(listing);
	} else {
		read_alter(listing);
	}
}

void ddl_json_columns(const struct binlog_query *query,
	void (*each)(void *context, struct slice column, bool named, bool is_json), void *context)
{
	enum { NAME_MAX_BYTES = 4096 };
	struct listing listing = {.sql = sql_reader_of(query),
		.told = each,
		.context = context,
		.name = buf_of(NAME_MAX_BYTES),
		.other = buf_of(NAME_MAX_BYTES)};
	read_statement(&listing);
	buf_release(&listing.name);
	buf_release(&listing.other);
}
