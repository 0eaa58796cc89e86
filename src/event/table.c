/* A version of a table's schema, with the texts that every row of it needs made ready; see event.h.
 */
#include "base/json.h"
#include "base/mem.h"
#include "event/event.h"

enum { NAMES_MAX = 16384 };

/* Takes the contents of a buffer over. */
static struct slice keep(struct buf *buf)
{
	return (struct slice){buf->at, buf->len};
}

static void make_texts(struct event_table *table)
{
	struct buf names = buf_of(NAMES_MAX);
	buf_text(&names, "\"db\":");
	buf_json_string(&names, slice_text(table->database));
	buf_text(&names, ",\"table\":");
	buf_json_string(&names, slice_text(table->name));
	buf_u8(&names, ',');
	table->names = keep(&names);
	struct buf prefix = buf_of(NAMES_MAX);
	event_control_key(slice_text(table->database), slice_text(table->name), &prefix);
	table->key_prefix = keep(&prefix);
}

static enum rc check_name(struct slice name, struct fault *fault)
{
	if (name.len > 0 && name.len <= 1024 && json_is_utf8(name.at, name.len) &&
		!memchr(name.at, 0, name.len))
		return RC_OK;
	return fault_set(fault, RC_CORRUPT, "a name of %zu bytes is not valid UTF-8", name.len);
}

static void fill_column(struct event_column *column, const struct event_column_spec *spec)
{
	column->name = mem_text_of(spec->name.at, spec->name.len);
	column->type = mem_text(spec->type ? spec->type : "");
	column->nullable = spec->nullable;
	struct buf label = buf_of(NAMES_MAX);
	buf_json_string(&label, spec->name);
	buf_u8(&label, ':');
	(void)buf_reserve(&label, JSON_COPY_ROOM);
	column->label = keep(&label);
}

enum rc event_table_new(struct slice database, struct slice name,
	const struct event_column_spec *columns, size_t column_count, const uint16_t *key,
	size_t key_count, struct event_table **ret_table, struct fault *fault)
{
	enum rc rc = check_name(database, fault);
	if (rc == RC_OK)
		rc = check_name(name, fault);
	for (size_t i = 0; rc == RC_OK && i < column_count; i++)
		rc = check_name(columns[i].name, fault);
	if (rc != RC_OK)
		return rc;
	struct event_table *table = mem_new(1, sizeof *table);
	table->database = mem_text_of(database.at, database.len);
	table->name = mem_text_of(name.at, name.len);
	table->columns = mem_new(column_count, sizeof *table->columns);
	table->column_count = column_count;
	for (size_t i = 0; i < column_count; i++)
		fill_column(&table->columns[i], &columns[i]);
	table->key = mem_new(key_count, sizeof *table->key);
	table->key_count = key_count;
	for (size_t i = 0; i < key_count; i++)
		table->key[i] = key[i];
	make_texts(table);
	*ret_table = table;
	return RC_OK;
}

static void free_slice(struct slice slice)
{
	mem_free((void *)(uintptr_t)slice.at);
}

void event_table_free(struct event_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->column_count; i++) {
		mem_free(table->columns[i].name);
		mem_free(table->columns[i].type);
		free_slice(table->columns[i].label);
	}
	mem_free(table->columns);
	mem_free(table->key);
	mem_free(table->database);
	mem_free(table->name);
	free_slice(table->names);
	free_slice(table->key_prefix);
	mem_free(table);
}

bool event_table_equal(const struct event_table *a, const struct event_table *b)
{
	if (strcmp(a->database, b->database) != 0 || strcmp(a->name, b->name) != 0 ||
		a->key_count != b->key_count || a->column_count != b->column_count)
		return false;
	for (size_t i = 0; i < a->key_count; i++) {
		if (a->key[i] != b->key[i])
			return false;
	}
	for (size_t i = 0; i < a->column_count; i++) {
		const struct event_column *left = &a->columns[i], *right = &b->columns[i];
		if (strcmp(left->name, right->name) != 0 || strcmp(left->type, right->type) != 0 ||
			left->nullable != right->nullable)
			return false;
	}
	return true;
}
