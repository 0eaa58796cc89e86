/* The columns of a table as the information schema tells them, in the order of the binlog.
 *
 * Names are compared here byte by byte: the server's own comparison may take t and T for one.
 *
 * MariaDB has no type JSON: it is a LONGTEXT with a check json_valid(`column`). The list of checks
 * in the information schema is empty for whoever has only SELECT on the table, so they are read
 * from SHOW CREATE TABLE. */
#include <stdio.h>

#include "base/mem.h"
#include "mysql/link.h"

enum { COLUMNS_MAX = 4096, SQL_MAX = 8192, WITH_GIPK_HIDDEN = 80030 };

struct reading {
	struct slice database, table;
	struct schema_table *schema;
};

void schema_free(struct schema_table *schema)
{
	if (!schema)
		return;
	for (size_t i = 0; i < schema->column_count; i++) {
		mem_free(schema->columns[i].name);
		mem_free(schema->columns[i].type);
		mem_free(schema->columns[i].charset);
	}
	mem_free(schema->columns);
	mem_free(schema);
}

static bool is_ours(const struct reading *reading, const struct slice *cells)
{
	return slice_equal(cells[0], reading->database) && slice_equal(cells[1], reading->table);
}

static enum rc take_column(
	void *context, const struct slice *cells, size_t count, struct fault *fault)
{
	const struct reading *reading = context;
	struct schema_table *schema = reading->schema;
	if (count != 7 || !cells[2].at || !cells[3].at)
		return fault_set(fault, RC_PROTOCOL, "information_schema.COLUMNS makes no sense");
	if (!is_ours(reading, cells))
		return RC_OK;
	if (schema->column_count >= COLUMNS_MAX)
		return fault_set(fault, RC_LIMIT, "a table has more than %d columns", COLUMNS_MAX);
	schema->columns =
		mem_resize(schema->columns, (schema->column_count + 1) * sizeof *schema->columns);
	schema->columns[schema->column_count++] = (struct schema_column){
		.name = mem_text_of(cells[2].at, cells[2].len),
		.type = mem_text_of(cells[3].at, cells[3].len),
		.charset = cells[4].at ? mem_text_of(cells[4].at, cells[4].len) : mem_text(""),
		.nullable = slice_equal(cells[5], SLICE("YES")),
		.is_json = slice_equal(cells[6], SLICE("json")),
	};
	return RC_OK;
}

static struct schema_column *column_named(const struct schema_table *schema, struct slice name)
{
	for (size_t i = 0; i < schema->column_count; i++) {
		if (slice_equal(slice_text(schema->columns[i].name), name))
			return &schema->columns[i];
	}
	return NULL;
}

static enum rc take_key(void *context, const struct slice *cells, size_t count, struct fault *fault)
{
	const struct reading *reading = context;
	if (count != 4)
		return fault_set(
			fault, RC_PROTOCOL, "information_schema.STATISTICS makes no sense");
	if (!is_ours(reading, cells))
		return RC_OK;
	struct schema_column *column = column_named(reading->schema, cells[2]);
	unsigned place = 0;
	for (size_t i = 0; i < cells[3].len && place < COLUMNS_MAX; i++)
		place = place * 10 + (unsigned)(cells[3].at[i] - '0');
	if (!column || place == 0)
		return fault_set(fault, RC_SCHEMA,
			"the primary key names a column \"%.*s\" that the table does not have",
			SLICE_ARGS(cells[2]));
	column->key_place = place;
	return RC_OK;
}

static bool same_letters(struct slice text, const char *lower)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.at[i];
		if (byte >= 'A' && byte <= 'Z')
			byte = (uint8_t)(byte | 0x20);
		if (byte != (uint8_t)lower[i])
			return false;
	}
	return lower[text.len] == 0;
}

/* "json_valid(`name`)": the column, its backquotes undone; false for anything else. */
static bool json_checked(struct slice clause, struct buf *name)
{
	static const char head[] = "json_valid(`";
	size_t head_len = sizeof head - 1;
	if (clause.len < head_len + 2 || !same_letters(slice_of(clause.at, head_len), head))
		return false;
	struct slice inner = slice_of(clause.at + head_len, clause.len - head_len - 2);
	if (memcmp(inner.at + inner.len, "`)", 2) != 0)
		return false;
	buf_reset(name);
	for (size_t i = 0; i < inner.len; i++) {
		if (inner.at[i] == '`' && (++i == inner.len || inner.at[i] != '`'))
			return false; /* the name ended before, so this is a longer expression */
		buf_u8(name, inner.at[i]);
	}
	return name->len > 0 && name->rc == RC_OK;
}

/* Steps over what is quoted at `at`: a string with '' and \\' in it, or a name with `` in it. */
static size_t skip_quoted(struct slice text, size_t at)
{
	uint8_t quote = text.at[at];
	for (at++; at < text.len; at++) {
		if (text.at[at] == '\\' && quote == '\'')
			at++;
		else if (text.at[at] == quote && at + 1 < text.len && text.at[at + 1] == quote)
			at++;
		else if (text.at[at] == quote)
			return at + 1;
	}
	return text.len;
}

/* The bracket that closes the one before `at`, or the end of the text. */
static size_t closing_bracket(struct slice text, size_t at)
{
	for (unsigned open = 1; at < text.len;) {
		uint8_t byte = text.at[at];
		if (byte == '\'' || byte == '`') {
			at = skip_quoted(text, at);
			continue;
		}
		open += byte == '(';
		open -= byte == ')';
		if (open == 0)
			return at;
		at++;
	}
	return text.len;
}

/* Marks the columns that a CREATE TABLE checks to be JSON. */
static void mark_json(struct slice sql, struct schema_table *schema)
{
	static const char mark[] = " CHECK (";
	struct buf name = buf_of(1024);
	for (size_t at = 0; at < sql.len;) {
		if (sql.at[at] == '\'' || sql.at[at] == '`') {
			at = skip_quoted(sql, at);
			continue;
		}
		if (!slice_starts(slice_of(sql.at + at, sql.len - at), SLICE(" CHECK ("))) {
			at++;
			continue;
		}
		at += sizeof mark - 1;
		size_t end = closing_bracket(sql, at);
		if (end < sql.len && json_checked(slice_of(sql.at + at, end - at), &name)) {
			struct schema_column *column = column_named(schema, buf_as_slice(&name));
			if (column)
				column->is_json = true;
		}
		at = end;
	}
	buf_release(&name);
}

static enum rc take_create(
	void *context, const struct slice *cells, size_t count, struct fault *fault)
{
	const struct reading *reading = context;
	if (count < 2 || !cells[1].at)
		return fault_set(fault, RC_PROTOCOL, "SHOW CREATE TABLE makes no sense");
	mark_json(cells[1], reading->schema);
	return RC_OK;
}

static enum rc read_checks(struct link *link, const struct reading *reading, struct fault *fault)
{
	enum rc rc = link_query(
		link, "SET SESSION sql_quote_show_create = 1, sql_mode = ''", NULL, NULL, fault);
	if (rc != RC_OK)
		return rc;
	struct buf sql = buf_of(SQL_MAX);
	struct reading context = *reading;
	buf_text(&sql, "SHOW CREATE TABLE ");
	link_quote_name(reading->database, &sql);
	buf_u8(&sql, '.');
	link_quote_name(reading->table, &sql);
	rc = link_query(link, buf_cstring(&sql), take_create, &context, fault);
	buf_release(&sql);
	return rc;
}

/* Runs `sql` followed by a condition on the table's name and `rest`. */
static enum rc ask(struct link *link, const struct reading *reading, const char *sql,
	const char *rest,
	enum rc (*take)(
		void *context, const struct slice *cells, size_t count, struct fault *fault),
	struct fault *fault)
{
	struct buf text = buf_of(SQL_MAX);
	buf_format(&text, "%s WHERE TABLE_SCHEMA = ", sql);
	link_quote(reading->database, &text);
	buf_text(&text, " AND TABLE_NAME = ");
	link_quote(reading->table, &text);
	buf_text(&text, rest);
	struct reading context = *reading;
	enum rc rc = text.rc == RC_OK
		? link_query(link, buf_cstring(&text), take, &context, fault)
		: fault_set(fault, RC_LIMIT, "the name of a table is too long");
	buf_release(&text);
	return rc;
}

/* Tables on which an account has no privilege at all are not shown to it. */
static enum rc no_table(struct link *link, const struct reading *reading, struct fault *fault)
{
	struct buf name = buf_of(4096);
	link_quote_name(reading->database, &name);
	buf_u8(&name, '.');
	link_quote_name(reading->table, &name);
	(void)fault_set(fault, RC_NOT_FOUND, "%s has no table %s, or hides it from %s",
		link_name(link), buf_cstring(&name), link_account(link));
	fault_hint(fault, "if it is there: GRANT SELECT ON %s TO %s", buf_cstring(&name),
		link_account(link));
	buf_release(&name);
	return RC_NOT_FOUND;
}

static enum rc read_all(struct link *link, const struct mysql_server *server,
	const struct reading *reading, struct fault *fault)
{
	enum rc rc = RC_OK;
	/* A primary key that the server made by itself is in the binlog as any other column. */
	if (!server->is_mariadb && server->version >= WITH_GIPK_HIDDEN)
		rc = link_query(link,
			"SET SESSION show_gipk_in_create_table_and_information_schema = ON", NULL,
			NULL, fault);
	if (rc == RC_OK)
		rc = ask(link, reading,
			"SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, "
			"CHARACTER_SET_NAME, IS_NULLABLE, DATA_TYPE FROM "
			"information_schema.COLUMNS",
			" ORDER BY ORDINAL_POSITION", take_column, fault);
	if (rc == RC_OK && reading->schema->column_count == 0)
		return no_table(link, reading, fault);
	if (rc == RC_OK)
		rc = ask(link, reading,
			"SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, SEQ_IN_INDEX FROM "
			"information_schema.STATISTICS",
			" AND INDEX_NAME = 'PRIMARY'", take_key, fault);
	if (rc == RC_OK && server->is_mariadb)
		rc = read_checks(link, reading, fault);
	return rc;
}

enum rc schema_read(struct link *link, const struct mysql_server *server, struct slice database,
	struct slice table, struct schema_table **ret_schema, struct fault *fault)
{
	struct reading reading = {database, table, mem_new(1, sizeof(struct schema_table))};
	enum rc rc = read_all(link, server, &reading, fault);
	if (rc != RC_OK) {
		schema_free(reading.schema);
		return rc;
	}
	*ret_schema = reading.schema;
	return RC_OK;
}
