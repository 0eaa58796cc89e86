/* Captured tables: a table map, and where it is not enough a schema, made into what rows are read
 * with.
 *
 * Every column is resolved from the map first. What the map does not tell is taken from the schema,
 * and what both tell must agree; otherwise the schema is not the one that the rows were written
 * with (RC_SCHEMA), and nothing is decoded on a guess.
 *
 * Thread: any; a table is immutable once built. */
#include <ctype.h>
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "mysql/decode.h"

enum { TYPE_TEXT_MAX = 8 << 20, MEMBER_JSON_MAX = 32 << 20 };

/* A table on its way. */
struct build {
	const struct binlog_table_map *map;
	const struct schema_table *schema; /* or NULL */
	bool is_mariadb;
	struct map_facts facts;
	bool is_full; /* the map tells all but what is JSON; of the schema only that is read */
	struct binlog_column *columns;
	struct event_column_spec *specs;
	struct buf *types; /* a text a column, what specs[].type points into */
	struct fault *fault;
};

/* One column of it. */
struct column {
	size_t index;
	struct column_fact *fact;
	const struct schema_column *schema; /* to be compared with, or NULL */
	const struct charset *charset;      /* NULL for types without */
	bool is_json;
	struct member_list members;
	struct binlog_column *out;
};

/* MariaDB's JSON is a LONGTEXT in utf8mb4_bin with a check, which a map does not tell. */
static bool may_be_json(const struct column_fact *fact)
{
	return fact->type == COLUMN_BLOB && fact->length == 4 &&
		fact->collation == COLLATION_UTF8MB4_BIN;
}

/* Whether the map tells all but that. */
static bool is_enough(const struct map_facts *facts)
{
	return facts->has_names && !facts->other_signs;
}

enum binlog_need binlog_table_need(const struct binlog_table_map *map, bool is_mariadb)
{
	struct map_facts facts;
	if (map_facts_read(map, is_mariadb, &facts, NULL) != RC_OK)
		return BINLOG_NEEDS_NOTHING; /* building it says what is wrong */
	enum binlog_need need = BINLOG_NEEDS_NOTHING;
	for (size_t i = 0; is_mariadb && i < facts.count; i++) {
		if (may_be_json(&facts.columns[i]))
			need = BINLOG_NEEDS_JSON;
	}
	if (!is_enough(&facts))
		need = BINLOG_NEEDS_NAMES;
	map_facts_release(&facts);
	return need;
}

enum rc binlog_table_json_candidates(const struct binlog_table_map *map,
	enum rc (*each)(void *context, struct slice name), void *context)
{
	struct map_facts facts;
	enum rc rc = map_facts_read(map, true, &facts, NULL);
	if (rc != RC_OK)
		return rc;
	for (size_t i = 0; rc == RC_OK && i < facts.count; i++) {
		if (may_be_json(&facts.columns[i]))
			rc = each(context, facts.columns[i].name);
	}
	map_facts_release(&facts);
	return rc;
}

/* ---- faults ---- */

/* Sets "column 3 (name): WHAT", and the way out. Who calls us names the table. */
static enum rc column_fault(const struct build *build, const struct column *column, enum rc rc,
	const char *what, struct fault *fault)
{
	fault_set(fault, rc, "column %zu (%.*s): %s", column->index + 1,
		SLICE_ARGS(column->fact->name), what);
	if (rc == RC_UNSUPPORTED)
		fault_hint(fault,
			"change the column's type or character set, or leave the table out: "
			"source.exclude: [\"%.*s.%.*s\"]",
			SLICE_ARGS(build->map->database), SLICE_ARGS(build->map->name));
	else if (rc == RC_SCHEMA)
		fault_hint(fault,
			"the table was changed since: set binlog_row_metadata=FULL on "
			"the source and start from where it is set, or from now");
	return rc;
}

static enum rc unsupported(const struct build *build, const struct column *column, const char *text)
{
	char what[320];
	snprintf(what, sizeof what, "this version does not decode the %s", text);
	return column_fault(build, column, RC_UNSUPPORTED, what, build->fault);
}

/* ---- resolving a column ---- */

static enum rc resolve_name(const struct build *build, struct column *column)
{
	struct column_fact *fact = column->fact;
	struct slice name = column->schema ? slice_text(column->schema->name) : fact->name;
	if (!fact->name.at)
		fact->name = name;
	if (slice_equal(fact->name, name))
		return RC_OK;
	char what[200];
	snprintf(what, sizeof what, "the schema has %.*s at this place",
		(int)(name.len < 160 ? name.len : 160), (const char *)name.at);
	return column_fault(build, column, RC_SCHEMA, what, build->fault);
}

static enum rc refuse_type(const struct build *build, const struct column *column)
{
	switch (column->fact->type) {
	case COLUMN_GEOMETRY:
		return unsupported(build, column, "type GEOMETRY");
	case COLUMN_VECTOR:
		return unsupported(build, column, "type VECTOR");
	case COLUMN_BLOB_COMPRESSED:
	case COLUMN_VARCHAR_COMPRESSED:
		return unsupported(build, column, "COMPRESSED attribute");
	default:
		return RC_OK;
	}
}

static bool has_charset(uint8_t type)
{
	return type == COLUMN_STRING || type == COLUMN_VARCHAR || type == COLUMN_VAR_STRING ||
		type == COLUMN_BLOB || type == COLUMN_ENUM || type == COLUMN_SET;
}

static enum rc resolve_charset(const struct build *build, struct column *column)
{
	const struct column_fact *fact = column->fact;
	if (!has_charset(fact->type))
		return RC_OK;
	const struct charset *of_schema = NULL;
	char what[200];
	if (column->schema) {
		const char *told = column->schema->charset;
		of_schema = charset_named(told && *told ? told : "binary");
		snprintf(what, sizeof what, "character set %.40s", told);
		if (!of_schema)
			return unsupported(build, column, what);
	}
	column->charset = fact->collation ? charset_of_collation(fact->collation) : of_schema;
	if (!column->charset && !fact->collation)
		return column_fault(build, column, RC_SCHEMA,
			"the binlog does not tell its character set", build->fault);
	const char *name = column->charset ? column->charset->name : "unknown";
	if (fact->collation)
		snprintf(what, sizeof what, "character set %s (collation %u)", name,
			fact->collation);
	else
		snprintf(what, sizeof what, "character set %s", name);
	if (!column->charset || !column->charset->is_supported)
		return unsupported(build, column, what);
	if (!of_schema || of_schema == column->charset)
		return RC_OK;
	snprintf(what, sizeof what, "the schema says character set %s, the binlog %s",
		of_schema->name, column->charset->name);
	return column_fault(build, column, RC_SCHEMA, what, build->fault);
}

static bool is_number(const struct column_fact *fact)
{
	return fact->type == COLUMN_NEWDECIMAL || fact->type == COLUMN_INT24 ||
		fact->type == COLUMN_LONGLONG ||
		(fact->type >= COLUMN_TINY && fact->type <= COLUMN_DOUBLE);
}

static enum rc resolve_sign(const struct build *build, struct column *column)
{
	struct column_fact *fact = column->fact;
	if (!is_number(fact) || fact->sign != SIGN_UNTOLD)
		return RC_OK;
	if (!column->schema)
		return column_fault(build, column, RC_SCHEMA,
			"the binlog does not tell whether it is unsigned", build->fault);
	fact->sign = column_type_is_unsigned(column->schema->type) ? SIGN_UNSIGNED : SIGN_SIGNED;
	return RC_OK;
}

static const struct schema_column *find_named(const struct schema_table *schema, struct slice name)
{
	for (size_t i = 0; schema && i < schema->column_count; i++) {
		if (slice_equal(slice_text(schema->columns[i].name), name))
			return &schema->columns[i];
	}
	return NULL;
}

static enum rc resolve_json(const struct build *build, struct column *column)
{
	const struct column_fact *fact = column->fact;
	if (!build->is_mariadb) {
		column->is_json = fact->type == COLUMN_JSON;
		return RC_OK;
	}
	bool is_text = fact->type == COLUMN_BLOB && fact->length == 4 &&
		column->charset->text == BINLOG_TEXT_UTF8;
	const struct schema_column *schema = column->schema;
	if (build->is_full) {
		is_text = may_be_json(fact);
		schema = find_named(build->schema, fact->name);
	}
	column->is_json = is_text && schema && schema->is_json;
	if (is_text && !schema)
		return column_fault(build, column, RC_SCHEMA,
			"the schema does not tell whether it is JSON", build->fault);
	return RC_OK;
}

/* Information schemas replace what is outside of the basic plane in members by a question mark. */
static bool may_be_mangled(const struct column *column)
{
	for (size_t i = 0; column->charset->bytes_max == 4 && i < column->members.count; i++) {
		struct slice text = column->members.at[i];
		if (memchr(text.at, '?', text.len))
			return true;
	}
	return false;
}

static enum rc resolve_members(const struct build *build, struct column *column)
{
	const struct column_fact *fact = column->fact;
	if (fact->type != COLUMN_ENUM && fact->type != COLUMN_SET)
		return RC_OK;
	if (fact->members.at) {
		if (!member_list_from_map(fact, column->charset, &column->members))
			return column_fault(build, column, RC_CORRUPT,
				"its members are not valid in their character set", build->fault);
	} else if (!column->schema ||
		!member_list_from_type(column->schema->type, &column->members)) {
		return column_fault(build, column, RC_SCHEMA,
			"neither binlog nor schema tell its members", build->fault);
	} else if (may_be_mangled(column)) {
		return column_fault(build, column, RC_SCHEMA,
			"a member holds a question mark, which may stand for a character that "
			"information schemas cannot show",
			build->fault);
	}
	size_t count = column->members.count;
	bool fits = fact->type == COLUMN_SET ? count <= (size_t)8 * fact->length
					     : count < 256 || fact->length == 2;
	return fits ? RC_OK
		    : column_fault(build, column, RC_SCHEMA,
			      "it has more members than fit its size", build->fault);
}

/* Before MySQL 5.6 and MariaDB 10.1; one with fractions looks the same in a map but is longer. */
static bool fact_is_old_time(const struct column_fact *fact)
{
	return fact->type == COLUMN_TIME || fact->type == COLUMN_DATETIME ||
		fact->type == COLUMN_TIMESTAMP;
}

/* Compares what the map says with the schema's type. */
static enum rc check_type(const struct build *build, const struct column *column)
{
	static const char *const unknown[] = {"uuid", "inet4", "inet6", "vector", "xmltype"};
	if (!column->schema)
		return RC_OK;
	struct buf ours = buf_of(TYPE_TEXT_MAX), theirs = buf_of(TYPE_TEXT_MAX);
	column_type_text(column->fact, column->charset, column->is_json, NULL, &ours);
	column_type_normal(column->schema->type, build->is_mariadb && column->is_json, &theirs);
	enum rc rc = RC_OK;
	char what[240];
	const char *type = buf_cstring(&theirs);
	for (size_t i = 0; i < sizeof unknown / sizeof unknown[0] && rc == RC_OK; i++) {
		snprintf(what, sizeof what, "type %s", unknown[i]);
		size_t len = strlen(unknown[i]);
		if (strncmp(type, unknown[i], len) == 0 && !isalnum((unsigned char)type[len]))
			rc = unsupported(build, column, what);
	}
	if (rc == RC_OK && fact_is_old_time(column->fact) && strchr(type, '('))
		rc = unsupported(build, column, "format of times of MariaDB 5.3");
	bool same = slice_equal(buf_as_slice(&ours), buf_as_slice(&theirs));
	snprintf(what, sizeof what, "the schema says %.100s, the binlog %.100s", type,
		buf_cstring(&ours));
	if (rc == RC_OK && !same)
		rc = column_fault(build, column, RC_SCHEMA, what, build->fault);
	if (rc == RC_OK && column->schema->nullable != column->fact->nullable)
		rc = column_fault(build, column, RC_SCHEMA,
			column->fact->nullable ? "the schema says NOT NULL, the binlog NULL"
					       : "the schema says NULL, the binlog NOT NULL",
			build->fault);
	buf_release(&ours);
	buf_release(&theirs);
	return rc;
}

/* ---- how its bytes are read ---- */

static uint16_t fixed_length(const struct column_fact *fact)
{
	unsigned fraction = (fact->decimals + 1U) / 2;
	switch (fact->type) {
	case COLUMN_TINY:
	case COLUMN_YEAR:
		return 1;
	case COLUMN_SHORT:
		return 2;
	case COLUMN_INT24:
	case COLUMN_DATE:
	case COLUMN_NEWDATE:
	case COLUMN_TIME:
		return 3;
	case COLUMN_LONG:
	case COLUMN_FLOAT:
	case COLUMN_TIMESTAMP:
		return 4;
	case COLUMN_LONGLONG:
	case COLUMN_DOUBLE:
	case COLUMN_DATETIME:
		return 8;
	case COLUMN_TIME2:
		return (uint16_t)(3 + fraction);
	case COLUMN_TIMESTAMP2:
		return (uint16_t)(4 + fraction);
	case COLUMN_DATETIME2:
		return (uint16_t)(5 + fraction);
	case COLUMN_NEWDECIMAL:
		return (uint16_t)decimal_size(fact->length, fact->decimals);
	case COLUMN_BIT:
		return (uint16_t)((fact->length + 7) / 8);
	case COLUMN_ENUM:
	case COLUMN_SET:
		return fact->length;
	default:
		return 0;
	}
}

static uint8_t length_prefix(const struct column_fact *fact)
{
	switch (fact->type) {
	case COLUMN_BLOB:
	case COLUMN_BLOB_COMPRESSED:
	case COLUMN_JSON:
	case COLUMN_GEOMETRY:
	case COLUMN_VECTOR:
		return (uint8_t)fact->length;
	default:
		return fact->length > 255 ? 2 : 1;
	}
}

/* Members as ready JSON strings, in one block that begins with the first. */
static void fill_members(const struct member_list *members, struct binlog_column *out)
{
	struct buf texts = buf_of(MEMBER_JSON_MAX);
	out->member_count = members->count;
	out->members = mem_new(members->count, sizeof *out->members);
	for (size_t i = 0; i < members->count; i++) {
		size_t start = texts.len;
		buf_json_string(&texts, members->at[i]);
		out->members[i].len = texts.len - start;
	}
	(void)buf_reserve(&texts, JSON_COPY_ROOM);
	const uint8_t *at = texts.at;
	for (size_t i = 0; i < members->count; i++) {
		out->members[i].at = at;
		at += out->members[i].len;
	}
}

static void fill_column(const struct column *column)
{
	const struct column_fact *fact = column->fact;
	struct binlog_column *out = column->out;
	out->type = fact->type;
	out->decimals = fact->decimals;
	out->precision = fact->type == COLUMN_NEWDECIMAL ? (uint8_t)fact->length : 0;
	out->is_unsigned = fact->sign == SIGN_UNSIGNED;
	out->is_json = column->is_json;
	if (column->charset)
		out->text = column->charset->text;
	out->length = fixed_length(fact);
	if (out->length == 0)
		out->prefix = length_prefix(fact);
	if (fact->type == COLUMN_STRING && column->charset && out->text == BINLOG_TEXT_BINARY)
		out->pad = fact->length;
	if (column->members.count > 0)
		fill_members(&column->members, out);
	out->put = binlog_put_of(out);
	out->is_number =
		is_number(fact) && fact->type != COLUMN_FLOAT && fact->type != COLUMN_DOUBLE;
}

static enum rc build_column(struct build *build, struct column *column)
{
	enum rc rc = resolve_name(build, column);
	if (rc == RC_OK)
		rc = refuse_type(build, column);
	if (rc == RC_OK)
		rc = resolve_charset(build, column);
	if (rc == RC_OK)
		rc = resolve_sign(build, column);
	if (rc != RC_OK)
		return rc;
	rc = resolve_json(build, column);
	if (rc == RC_OK)
		rc = check_type(build, column);
	if (rc == RC_OK)
		rc = resolve_members(build, column);
	if (rc != RC_OK)
		return rc;
	bool is_list = column->fact->type == COLUMN_ENUM || column->fact->type == COLUMN_SET;
	struct buf *type = &build->types[column->index];
	column_type_text(column->fact, column->charset, column->is_json,
		is_list ? &column->members : NULL, type);
	build->specs[column->index] = (struct event_column_spec){.name = column->fact->name,
		.type = buf_cstring(type),
		.nullable = column->fact->nullable};
	fill_column(column);
	return type->rc;
}

static enum rc build_columns(struct build *build)
{
	enum rc rc = RC_OK;
	for (size_t i = 0; rc == RC_OK && i < build->facts.count; i++) {
		build->types[i] = buf_of(TYPE_TEXT_MAX);
		struct column column = {.index = i,
			.fact = &build->facts.columns[i],
			.schema = build->is_full ? NULL : &build->schema->columns[i],
			.out = &build->columns[i]};
		rc = build_column(build, &column);
		member_list_release(&column.members);
	}
	return rc;
}

/* ---- the table ---- */

/* Where signedness can be read in two ways, the schema decides. */
static void choose_signs(struct build *build)
{
	struct map_facts *facts = &build->facts;
	if (!facts->other_signs)
		return;
	bool fits = true;
	for (size_t i = 0; i < facts->count; i++) {
		bool is_unsigned = column_type_is_unsigned(build->schema->columns[i].type);
		fits = fits &&
			(facts->columns[i].sign == SIGN_UNTOLD ||
				is_unsigned == (facts->columns[i].sign == SIGN_UNSIGNED));
	}
	for (size_t i = 0; !fits && i < facts->count; i++)
		facts->columns[i].sign = facts->other_signs[i];
}

static enum rc check_schema(const struct build *build)
{
	size_t count = build->facts.count;
	if (build->is_full || (build->schema && build->schema->column_count == count))
		return RC_OK;
	if (build->schema)
		fault_set(build->fault, RC_SCHEMA, "the schema has %zu columns, the binlog %zu",
			build->schema->column_count, count);
	else
		fault_set(build->fault, RC_SCHEMA,
			"the binlog does not tell all of its columns, and there is no schema");
	fault_hint(build->fault,
		"set binlog_row_metadata=FULL on the source and start from where "
		"it is set, or from now");
	return RC_SCHEMA;
}

/* The key's columns from the map. Whole columns also where only prefixes are in the key: if these
 * are unique, so are they. */
static bool key_from_map(const struct map_facts *facts, uint16_t *key, size_t *ret_count)
{
	struct reader reader = reader_of(facts->key.at, facts->key.len);
	size_t count = 0;
	while (reader_left(&reader) > 0) {
		uint64_t index = read_packed(&reader);
		if (facts->key_has_prefixes)
			read_packed(&reader);
		if (reader.rc != RC_OK || index >= facts->count || count == facts->count)
			return false;
		for (size_t i = 0; i < count; i++) {
			if (key[i] == index)
				return false;
		}
		key[count++] = (uint16_t)index;
	}
	*ret_count = count;
	return true;
}

static size_t key_from_schema(const struct schema_table *schema, uint16_t *key)
{
	size_t count = 0;
	for (size_t i = 0; i < schema->column_count && count < COLUMNS_MAX; i++) {
		unsigned place = schema->columns[i].key_place;
		if (place == 0 || place > schema->column_count)
			continue;
		key[place - 1] = (uint16_t)i;
		count++;
	}
	return count;
}

/* A column's label, and values of kinds that do not grow with the row's bytes; members; zero bytes
 * put back. */
static size_t column_room(const struct event_column *names, const struct binlog_column *column)
{
	size_t longest = 0, all = 2;
	for (size_t k = 0; k < column->member_count; k++) {
		size_t len = column->members[k].len;
		longest = len > longest ? len : longest;
		all += len + 1;
	}
	return names->label.len + 1 + VALUE_FIXED_MAX + json_base64_size(column->pad) +
		(column->type == COLUMN_SET ? all : longest);
}

/* What writing a row needs besides. */
static size_t fill_writing(const struct event_table *table, struct binlog_column *columns)
{
	size_t room = 0;
	for (size_t i = 0; i < table->column_count; i++) {
		columns[i].label = table->columns[i].label;
		columns[i].room = column_room(&table->columns[i], &columns[i]);
		room += columns[i].room;
	}
	return room;
}

static void free_columns(struct binlog_column *columns, size_t count)
{
	for (size_t i = 0; columns && i < count; i++) {
		if (columns[i].member_count > 0)
			mem_free((void *)(uintptr_t)columns[i].members[0].at);
		mem_free(columns[i].members);
	}
	mem_free(columns);
}

static enum rc build_table(struct build *build, struct binlog_table **ret_table)
{
	uint16_t key[COLUMNS_MAX] = {0};
	size_t key_count = 0;
	enum rc rc = check_schema(build);
	if (rc != RC_OK)
		return rc;
	choose_signs(build);
	rc = build_columns(build);
	if (rc != RC_OK)
		return rc;
	if (build->facts.has_names) {
		if (!key_from_map(&build->facts, key, &key_count))
			return fault_set(build->fault, RC_CORRUPT,
				"the primary key of a table map is broken");
	} else {
		key_count = key_from_schema(build->schema, key);
	}
	struct event_table *events = NULL;
	rc = event_table_new(build->map->database, build->map->name, build->specs,
		build->facts.count, key, key_count, &events, build->fault);
	if (rc != RC_OK)
		return rc;
	struct binlog_table *table = mem_new(1, sizeof *table);
	table->table = events;
	table->columns = build->columns;
	table->column_count = build->facts.count;
	table->fixed_room = fill_writing(events, build->columns);
	build->columns = NULL;
	*ret_table = table;
	return RC_OK;
}

enum rc binlog_table_build(const struct binlog_table_map *map, bool is_mariadb,
	const struct schema_table *schema, struct binlog_table **ret_table, struct fault *fault)
{
	struct build build = {
		.map = map, .schema = schema, .is_mariadb = is_mariadb, .fault = fault};
	enum rc rc = map_facts_read(map, is_mariadb, &build.facts, fault);
	if (rc != RC_OK)
		return rc;
	size_t count = build.facts.count;
	build.is_full = is_enough(&build.facts);
	build.columns = mem_new(count, sizeof *build.columns);
	build.specs = mem_new(count, sizeof *build.specs);
	build.types = mem_new(count, sizeof *build.types);
	rc = build_table(&build, ret_table);
	for (size_t i = 0; i < count; i++)
		buf_release(&build.types[i]);
	mem_free(build.types);
	mem_free(build.specs);
	free_columns(build.columns, count);
	map_facts_release(&build.facts);
	return rc;
}

enum rc binlog_table_shape(
	const struct binlog_table_map *map, struct binlog_table **ret_table, struct fault *fault)
{
	struct map_facts facts;
	enum rc rc = map_types_read(map, &facts, fault);
	if (rc != RC_OK)
		return rc;
	struct binlog_table *table = mem_new(1, sizeof *table);
	table->columns = mem_new(facts.count, sizeof *table->columns);
	table->column_count = facts.count;
	for (size_t i = 0; i < facts.count; i++) {
		struct column column = {.fact = &facts.columns[i], .out = &table->columns[i]};
		fill_column(&column);
	}
	map_facts_release(&facts);
	*ret_table = table;
	return RC_OK;
}

void binlog_table_free(struct binlog_table *table)
{
	if (!table)
		return;
	free_columns(table->columns, table->column_count);
	event_table_free(table->table);
	mem_free(table);
}
