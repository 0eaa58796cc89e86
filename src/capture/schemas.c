/* Columns from the server's information schema, where they are proven right; see schemas.h. */
#include "capture/schemas.h"

#include <ctype.h>
#include <jansson.h>
#include <strings.h>

#include "base/mem.h"
#include "base/notice.h"
#include "capture/ahead.h"
#include "capture/filter.h"

enum { READ_TRIES = 5, KEY_BYTES = 4096 };

/* What the information schema said of a table, and from where on that holds. */
struct known {
	struct schema_table *schema; /* NULL: it has no such table any more */
	struct place since;
	bool is_opaque; /* what came before `since` cannot be told from it at all */
	struct buf columns;
};

/* Which columns of a table hold JSON, by name: &yes or &no. */
struct json_known {
	bool is_complete; /* other columns do not */
	struct map columns;
};

static char yes, no;

void schemas_init(
	struct schemas *schemas, const struct capture_options *options, const atomic_bool *stop)
{
	*schemas = (struct schemas){.options = options, .stop = stop};
	schemas->ahead = mem_new(1, sizeof *schemas->ahead);
	schemas->ahead->options = options;
	schemas->ahead->stop = stop;
}

static void known_free(void *value)
{
	struct known *known = value;
	if (!known)
		return;
	schema_free(known->schema);
	buf_release(&known->columns);
	mem_free(known);
}

static void json_free(void *value)
{
	struct json_known *json = value;
	if (!json)
		return;
	map_release(&json->columns, NULL);
	mem_free(json);
}

void schemas_release(struct schemas *schemas)
{
	map_release(&schemas->columns, known_free);
	map_release(&schemas->json, json_free);
	schema_free(schemas->answer);
	if (schemas->ahead)
		ahead_release(schemas->ahead);
	mem_free(schemas->ahead);
}

/* ---- from the information schema ---- */

static void keep(struct schemas *schemas, struct slice key, const struct place *at,
	struct schema_table *schema, const struct touch *touch)
{
	struct known *known = mem_new(1, sizeof *known);
	known->schema = schema;
	known->since = touch ? touch->last : *at;
	known->is_opaque = touch && touch->is_opaque;
	known->columns = buf_of(1 << 20);
	if (touch)
		buf_slice(&known->columns, buf_as_slice(&touch->columns));
	known_free(map_put(&schemas->columns, key, known));
}

/* One try: end of the binlog, columns, end again, and all statements up to there. RC_DIFFERENT: the
 * table changed between. */
static enum rc read_once(struct schemas *schemas, struct link *link,
	const struct binlog_table_map *map, struct slice key, const struct place *at,
	struct fault *fault)
{
	struct place before, after;
	struct buf gtids = buf_of(LOG_BATCH_MAX);
	struct schema_table *schema = NULL;
	enum rc rc = mysql_server_binlog_end(
		link, schemas->server, before.file, &before.pos, &gtids, fault);
	if (rc == RC_OK)
		rc = schema_read(link, schemas->server, map->database, map->name, &schema, fault);
	if (rc == RC_NOT_FOUND)
		rc = RC_OK; /* dropped or renamed since: reading ahead will find it */
	if (rc == RC_OK)
		rc = mysql_server_binlog_end(
			link, schemas->server, after.file, &after.pos, &gtids, fault);
	buf_release(&gtids);
	if (rc == RC_OK)
		rc = ahead_read(schemas->ahead, at, &after, fault);
	if (rc == RC_OK) {
		const struct touch *touch = ahead_find(schemas->ahead, key, at);
		if (touch && place_compare(&touch->last, &before) > 0)
			rc = fault_set(fault, RC_DIFFERENT,
				"its columns are being changed again and again");
		else
			keep(schemas, key, at, schema, touch);
	}
	if (rc != RC_OK)
		schema_free(schema);
	return rc;
}

static enum rc read_columns(struct schemas *schemas, const struct binlog_table_map *map,
	struct slice key, const struct place *at, struct fault *fault)
{
	struct link *link = NULL;
	enum rc rc = link_open(&schemas->options->source, &link, fault);
	if (rc != RC_OK)
		return rc;
	rc = RC_DIFFERENT;
	for (int i = 0; i < READ_TRIES && rc == RC_DIFFERENT; i++)
		rc = read_once(schemas, link, map, key, at, fault);
	link_close(link);
	if (rc == RC_DIFFERENT)
		rc = RC_SCHEMA;
	if (rc == RC_OK)
		notice(NOTICE_CAPTURE_SCHEMA,
			FIELDS(field_slice("database", map->database),
				field_slice("table", map->name)));
	return rc;
}

static enum rc find_known(struct schemas *schemas, const struct binlog_table_map *map,
	const struct place *at, struct known **ret_known, struct fault *fault)
{
	struct buf key = buf_of(KEY_BYTES);
	table_key(map->database, map->name, &key);
	enum rc rc = RC_OK;
	*ret_known = map_get(&schemas->columns, buf_as_slice(&key));
	if (!*ret_known) {
		rc = read_columns(schemas, map, buf_as_slice(&key), at, fault);
		*ret_known = map_get(&schemas->columns, buf_as_slice(&key));
	}
	buf_release(&key);
	return rc;
}

static enum rc find_names(struct schemas *schemas, const struct binlog_table_map *map,
	const struct place *at, const struct schema_table **ret_schema, struct fault *fault)
{
	struct known *known;
	enum rc rc = find_known(schemas, map, at, &known, fault);
	if (rc != RC_OK)
		return rc;
	if (known->schema && place_compare(at, &known->since) >= 0) {
		*ret_schema = known->schema;
		return RC_OK;
	}
	(void)fault_set(fault, RC_SCHEMA,
		"the binlog does not name its columns here, and the server's are of later: the "
		"table was changed or dropped at "
		"%s:%llu",
		known->since.file, (unsigned long long)known->since.pos);
	fault_hint(fault,
		"SET GLOBAL binlog_row_metadata=FULL on the source makes later events name their "
		"columns; for what was written "
		"before, start a new stream at or after that place (source.start), or exclude the "
		"table");
	return RC_SCHEMA;
}

/* ---- JSON in MariaDB ---- */

/* Names of columns differ by more than the case of letters. What is folded here is ASCII; other
 * letters are the callers' care. */
static struct slice fold(struct slice name, struct buf *out)
{
	buf_reset(out);
	for (size_t i = 0; i < name.len; i++)
		buf_u8(out, (uint8_t)tolower(name.at[i]));
	return buf_as_slice(out);
}

static bool is_ascii(struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.at[i] >= 0x80)
			return false;
	}
	return true;
}

/* A name with other letters than ASCII may be any of those mentioned that have some, too. */
static bool mentions(const struct buf *columns, struct slice name)
{
	for (size_t at = 0; at < columns->len;) {
		struct slice one = slice_text((const char *)columns->at + at);
		if ((one.len == name.len &&
			    strncasecmp((const char *)one.at, (const char *)name.at, name.len) ==
				    0) ||
			(!is_ascii(one) && !is_ascii(name)))
			return true;
		at += one.len + 1;
	}
	return false;
}

static const struct schema_column *column_named(
	const struct schema_table *schema, struct slice name)
{
	for (size_t i = 0; schema && i < schema->column_count; i++) {
		if (slice_equal(slice_text(schema->columns[i].name), name))
			return &schema->columns[i];
	}
	return NULL;
}

/* From the information schema: as it is now, if no statement since the position has anything to do
 * with the column. */
static enum rc json_by_server(struct schemas *schemas, const struct binlog_table_map *map,
	struct slice name, const struct place *at, bool *ret_is_json, struct fault *fault)
{
	struct known *known;
	enum rc rc = find_known(schemas, map, at, &known, fault);
	if (rc != RC_OK)
		return rc;
	bool later = place_compare(at, &known->since) < 0;
	const struct schema_column *column = column_named(known->schema, name);
	if (column && (!later || (!known->is_opaque && !mentions(&known->columns, name)))) {
		*ret_is_json = column->is_json;
		return RC_OK;
	}
	(void)fault_set(fault, RC_SCHEMA,
		"whether column '%.*s' holds JSON is not in MariaDB's binlog, and the server's "
		"columns are of later: the table "
		"was changed or dropped at %s:%llu",
		SLICE_ARGS(name), known->since.file, (unsigned long long)known->since.pos);
	fault_hint(fault,
		"say so: source.json_columns: [\"%.*s.%.*s.%.*s\"], or with ! in front if it holds "
		"text",
		SLICE_ARGS(map->database), SLICE_ARGS(map->name), SLICE_ARGS(name));
	return RC_SCHEMA;
}

static enum rc json_of(struct schemas *schemas, const struct binlog_table_map *map,
	struct slice name, const struct place *at, bool *ret_is_json, struct fault *fault)
{
	int said = filter_json(schemas->options, map->database, map->name, name);
	if (said >= 0) {
		*ret_is_json = said;
		return RC_OK;
	}
	struct buf key = buf_of(KEY_BYTES);
	table_key(map->database, map->name, &key);
	const struct json_known *json = map_get(&schemas->json, buf_as_slice(&key));
	buf_release(&key);
	struct buf folded = buf_of(KEY_BYTES);
	const char *known = json ? map_get(&json->columns, fold(name, &folded)) : NULL;
	buf_release(&folded);
	if (!known && !(json && json->is_complete))
		return json_by_server(schemas, map, name, at, ret_is_json, fault);
	*ret_is_json = known == &yes;
	return RC_OK;
}

struct json_search {
	struct schemas *schemas;
	const struct binlog_table_map *map;
	struct place at;
	struct fault *fault;
};

static enum rc add_candidate(void *context, struct slice name)
{
	const struct json_search *search = context;
	struct schema_table *answer = search->schemas->answer;
	bool is_json = false;
	enum rc rc =
		json_of(search->schemas, search->map, name, &search->at, &is_json, search->fault);
	if (rc != RC_OK)
		return rc;
	answer->columns =
		mem_resize(answer->columns, (answer->column_count + 1) * sizeof *answer->columns);
	answer->columns[answer->column_count++] = (struct schema_column){
		.name = mem_text_of(name.at, name.len),
		.type = mem_text("longtext"),
		.charset = mem_text("utf8mb4"),
		.is_json = is_json,
	};
	return RC_OK;
}

enum rc schemas_find(struct schemas *schemas, const struct binlog_table_map *map,
	enum binlog_need need, const char *file, uint64_t pos,
	const struct schema_table **ret_schema, struct fault *fault)
{
	struct place at = place_of(file, pos);
	schemas->ahead->server = schemas->server;
	if (need == BINLOG_NEEDS_NAMES)
		return find_names(schemas, map, &at, ret_schema, fault);
	schema_free(schemas->answer);
	schemas->answer = mem_new(1, sizeof *schemas->answer);
	struct json_search search = {schemas, map, at, fault};
	enum rc rc = binlog_table_json_candidates(map, add_candidate, &search);
	*ret_schema = schemas->answer;
	return rc;
}

/* ---- what goes by ---- */

/* A column that is renamed goes on under another name, and one with other letters than ASCII may be
 * known in another case: then what is not in the list is not known. */
static void note_json(void *context, struct slice column, bool named, bool is_json)
{
	struct json_known *json = context;
	struct buf folded = buf_of(KEY_BYTES);
	struct slice name = fold(column, &folded);
	if (!is_ascii(column)) {
		map_release(&json->columns, NULL);
		json->is_complete = false;
	}
	if (named) {
		(void)map_put(&json->columns, name, is_json ? &yes : &no);
	} else {
		(void)map_remove(&json->columns, name);
		json->is_complete = false;
	}
	buf_release(&folded);
}

static struct json_known *json_entry(struct schemas *schemas, struct slice key, bool is_new_table)
{
	struct json_known *json = map_get(&schemas->json, key);
	if (json && !is_new_table)
		return json;
	json = mem_new(1, sizeof *json);
	json->is_complete = is_new_table;
	json_free(map_put(&schemas->json, key, json));
	return json;
}

static void follow_table(struct schemas *schemas, const struct binlog_query *query,
	const struct ddl *ddl, struct slice key)
{
	known_free(map_remove(&schemas->columns, key));
	bool is_create = ddl->kind == DDL_CREATE_TABLE;
	if ((is_create && !ddl->copies_columns) || ddl->kind == DDL_ALTER_TABLE)
		ddl_json_columns(query, note_json, json_entry(schemas, key, is_create));
	else
		json_free(map_remove(&schemas->json, key));
}

static void forget_all(struct schemas *schemas)
{
	map_release(&schemas->columns, known_free);
	map_release(&schemas->json, json_free);
}

void schemas_follow(
	struct schemas *schemas, const struct binlog_query *query, const struct ddl *ddl)
{
	if (ddl->kind == DDL_DROP_DATABASE || ddl->kind == DDL_UNKNOWN)
		forget_all(schemas);
	bool touches = ddl->kind == DDL_CREATE_TABLE || ddl->kind == DDL_ALTER_TABLE ||
		ddl->kind == DDL_DROP_TABLE || ddl->kind == DDL_RENAME_TABLE;
	struct buf key = buf_of(KEY_BYTES);
	for (size_t i = 0; touches && !ddl->is_temporary && i < ddl->name_count; i++) {
		if (!filter_table(schemas->options, ddl->names[i].database, ddl->names[i].table))
			continue;
		table_key(ddl->names[i].database, ddl->names[i].table, &key);
		follow_table(schemas, query, ddl, buf_as_slice(&key));
	}
	buf_release(&key);
}

/* ---- what the stream itself says ---- */

static void learn_columns(struct json_known *json, json_t *columns)
{
	size_t index;
	json_t *column;
	json_array_foreach(columns, index, column)
	{
		const char *name = json_string_value(json_object_get(column, "name"));
		const char *type = json_string_value(json_object_get(column, "type"));
		if (name && type)
			(void)map_put(&json->columns, slice_text(name),
				strcmp(type, "json") == 0 ? &yes : &no);
	}
}

enum rc schemas_learn(struct schemas *schemas, struct slice line, struct fault *fault)
{
	json_t *root = json_loadb((const char *)line.at, line.len, 0, NULL);
	const char *database = json_string_value(json_object_get(root, "db"));
	const char *table = json_string_value(json_object_get(root, "table"));
	enum rc rc = RC_OK;
	if (database && table) {
		struct buf key = buf_of(KEY_BYTES);
		table_key(slice_text(database), slice_text(table), &key);
		struct json_known *json = json_entry(schemas, buf_as_slice(&key), true);
		learn_columns(json, json_object_get(root, "columns"));
		buf_release(&key);
	} else {
		rc = fault_set(fault, RC_CORRUPT, "a schema record of the stream cannot be read");
	}
	json_decref(root);
	return rc;
}
