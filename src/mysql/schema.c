/* The columns of a table as the information schema tells them, in the order of the binlog.
 *
 * Names are compared here byte by byte: the server's own comparison may take t and T for one.
 * MariaDB has no type JSON: it is a LONGTEXT with a check json_valid(`column`), which the list of
 * checks shows with a level of Column (named like the column) or Table. */
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

static enum rc take_check(
	void *context, const struct slice *cells, size_t count, struct fault *fault)
{
	const struct reading *reading = context;
	if (count != 3)
		return fault_set(
			fault, RC_PROTOCOL, "information_schema.CHECK_CONSTRAINTS makes no sense");
	struct buf name = buf_of(1024);
	if (is_ours(reading, cells) && json_checked(cells[2], &name)) {
		struct schema_column *column = column_named(reading->schema, buf_as_slice(&name));
		if (column)
			column->is_json = true;
	}
	buf_release(&name);
	return RC_OK;
}

/* Runs `sql` followed by a condition on the table's name, whose columns are named as given. */
static enum rc ask(struct link *link, const struct reading *reading, const char *sql,
	const char *schema_column, const char *rest,
	enum rc (*take)(
		void *context, const struct slice *cells, size_t count, struct fault *fault),
	struct fault *fault)
{
	struct buf text = buf_of(SQL_MAX);
	buf_format(&text, "%s WHERE %s = ", sql, schema_column);
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
			"TABLE_SCHEMA", " ORDER BY ORDINAL_POSITION", take_column, fault);
	if (rc == RC_OK && reading->schema->column_count == 0)
		return no_table(link, reading, fault);
	if (rc == RC_OK)
		rc = ask(link, reading,
			"SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, SEQ_IN_INDEX FROM "
			"information_schema.STATISTICS",
			"TABLE_SCHEMA", " AND INDEX_NAME = 'PRIMARY'", take_key, fault);
	if (rc == RC_OK && server->is_mariadb)
		rc = ask(link, reading,
			"SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CHECK_CLAUSE FROM "
			"information_schema.CHECK_CONSTRAINTS",
			"CONSTRAINT_SCHEMA", "", take_check, fault);
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
