/* Table maps: the event in front of row events that says what the columns look like.
 *
 * Types and their metadata are always there. The optional metadata behind them depends on the
 * server and its binlog_row_metadata: nothing, signedness and character sets (MINIMAL), or names,
 * members and keys too (FULL). MySQL and MariaDB use the same fields, but count differently:
 *
 * - character columns include GEOMETRY and compressed columns on MariaDB, VECTOR on MySQL;
 * - numeric columns include YEAR (a bit that is always 1) on MariaDB and today's MySQL, but not on
 *   MySQL 8.0.15 and around. Servers that also write the visibility of columns (8.0.23) count it.
 *   Where both readings are possible and differ, both are handed out.
 *
 * Thread: any. */
#include "base/mem.h"
#include "mysql/decode.h"

enum {
	OPTIONAL_SIGNEDNESS = 1,
	OPTIONAL_DEFAULT_CHARSET = 2,
	OPTIONAL_COLUMN_CHARSET = 3,
	OPTIONAL_NAMES = 4,
	OPTIONAL_SET_MEMBERS = 5,
	OPTIONAL_ENUM_MEMBERS = 6,
	OPTIONAL_SIMPLE_KEY = 8,
	OPTIONAL_PREFIX_KEY = 9,
	OPTIONAL_ENUM_DEFAULT_CHARSET = 10,
	OPTIONAL_ENUM_COLUMN_CHARSET = 11,
	OPTIONAL_VISIBILITY = 12,
	OPTIONAL_COUNT = 13,
};

enum rc binlog_table_map_read(struct slice body, struct binlog_table_map *ret_map)
{
	struct reader reader = reader_of(body.at, body.len);
	struct binlog_table_map map;
	map.table_id = read_u48le(&reader);
	read_u16le(&reader); /* flags */
	map.database = read_slice(&reader, read_u8(&reader));
	uint8_t nul = read_u8(&reader);
	map.name = read_slice(&reader, read_u8(&reader));
	nul |= read_u8(&reader);
	uint64_t count = read_packed(&reader);
	if (reader.rc == RC_OK && (nul || count == 0 || count > COLUMNS_MAX))
		return RC_CORRUPT;
	map.column_count = (size_t)count;
	map.types = read_slice(&reader, (size_t)count);
	map.metas = read_slice(&reader, (size_t)read_packed(&reader));
	map.nullable = read_slice(&reader, ((size_t)count + 7) / 8);
	map.optional = slice_of(reader.at, reader_left(&reader));
	if (reader.rc == RC_OK)
		*ret_map = map;
	return reader.rc;
}

/* ---- types and what they say besides ---- */

/* Bytes of metadata of a type; -1 for types that are not known. */
static int meta_size(uint8_t type)
{
	switch (type) {
	case COLUMN_VARCHAR:
	case COLUMN_BIT:
	case COLUMN_NEWDECIMAL:
	case COLUMN_ENUM:
	case COLUMN_SET:
	case COLUMN_VAR_STRING:
	case COLUMN_STRING:
	case COLUMN_VARCHAR_COMPRESSED:
		return 2;
	case COLUMN_FLOAT:
	case COLUMN_DOUBLE:
	case COLUMN_TIMESTAMP2:
	case COLUMN_DATETIME2:
	case COLUMN_TIME2:
	case COLUMN_BLOB:
	case COLUMN_BLOB_COMPRESSED:
	case COLUMN_JSON:
	case COLUMN_GEOMETRY:
	case COLUMN_VECTOR:
		return 1;
	case COLUMN_TINY:
	case COLUMN_SHORT:
	case COLUMN_LONG:
	case COLUMN_TIMESTAMP:
	case COLUMN_LONGLONG:
	case COLUMN_INT24:
	case COLUMN_DATE:
	case COLUMN_TIME:
	case COLUMN_DATETIME:
	case COLUMN_YEAR:
	case COLUMN_NEWDATE:
		return 0;
	default:
		return -1;
	}
}

/* STRING carries its real type in the first byte; where a CHAR is longer than 255 bytes, two bits
 * of that byte are taken by the length. */
static void resolve_string(struct column_fact *fact, const uint8_t *meta)
{
	if ((meta[0] & 0x30) != 0x30) {
		fact->type = meta[0] | 0x30;
		fact->length = (uint16_t)(meta[1] | ((meta[0] & 0x30) ^ 0x30) << 4);
	} else {
		fact->type = meta[0];
		fact->length = meta[1];
	}
}

/* False when a type cannot have this metadata. */
static bool take_meta(struct column_fact *fact, const uint8_t *meta)
{
	switch (fact->type) {
	case COLUMN_STRING:
	case COLUMN_ENUM:
	case COLUMN_SET:
		resolve_string(fact, meta);
		if (fact->type == COLUMN_ENUM)
			return fact->length == 1 || fact->length == 2;
		if (fact->type == COLUMN_SET)
			return fact->length >= 1 && fact->length <= 8;
		return fact->type == COLUMN_STRING;
	case COLUMN_VARCHAR:
	case COLUMN_VAR_STRING:
	case COLUMN_VARCHAR_COMPRESSED:
		fact->length = load_u16le(meta);
		return true;
	case COLUMN_BIT:
		fact->length = (uint16_t)(meta[1] * 8 + meta[0]);
		return meta[0] < 8 && fact->length >= 1 && fact->length <= 64;
	case COLUMN_NEWDECIMAL:
		fact->length = meta[0];
		fact->decimals = meta[1];
		return meta[0] <= DECIMAL_PRECISION_MAX && decimal_size(meta[0], meta[1]) > 0;
	case COLUMN_TIMESTAMP2:
	case COLUMN_DATETIME2:
	case COLUMN_TIME2:
		fact->decimals = meta[0];
		return fact->decimals <= 6;
	case COLUMN_FLOAT:
		return meta[0] == sizeof(float);
	case COLUMN_DOUBLE:
		return meta[0] == sizeof(double);
	case COLUMN_BLOB:
	case COLUMN_BLOB_COMPRESSED:
	case COLUMN_JSON:
	case COLUMN_GEOMETRY:
	case COLUMN_VECTOR:
		fact->length = meta[0];
		return fact->length >= 1 && fact->length <= 4;
	default:
		return true;
	}
}

static enum rc column_fault(const struct map_facts *facts, size_t i, enum rc rc, const char *what,
	unsigned number, struct fault *fault)
{
	struct slice name = facts->columns[i].name;
	return fault_set(fault, rc, "column %zu%s%.*s: %s %u", i + 1, name.len ? " " : "",
		SLICE_ARGS(name), what, number);
}

static enum rc read_types(
	const struct binlog_table_map *map, struct map_facts *facts, struct fault *fault)
{
	struct reader metas = reader_of(map->metas.at, map->metas.len);
	for (size_t i = 0; i < facts->count; i++) {
		struct column_fact *fact = &facts->columns[i];
		fact->type = map->types.at[i];
		fact->nullable = map->nullable.at[i / 8] >> i % 8 & 1;
		int size = meta_size(fact->type);
		if (size < 0)
			return column_fault(facts, i, RC_UNSUPPORTED,
				"this version does not decode the type", fact->type, fault);
		const uint8_t *meta = read_bytes(&metas, (size_t)size);
		if (!meta || !take_meta(fact, meta))
			return column_fault(facts, i, RC_CORRUPT, "impossible metadata of type",
				map->types.at[i], fault);
	}
	return reader_left(&metas) == 0
		? RC_OK
		: fault_set(fault, RC_CORRUPT, "more metadata than columns in a table map");
}

/* ---- optional metadata ---- */

static bool is_numeric(uint8_t type)
{
	return (type >= COLUMN_TINY && type <= COLUMN_DOUBLE) || type == COLUMN_LONGLONG ||
		type == COLUMN_INT24 || type == COLUMN_NEWDECIMAL;
}

static bool is_text(uint8_t type, bool is_mariadb)
{
	switch (type) {
	case COLUMN_STRING:
	case COLUMN_VARCHAR:
	case COLUMN_VAR_STRING:
	case COLUMN_BLOB:
		return true;
	case COLUMN_GEOMETRY:
	case COLUMN_BLOB_COMPRESSED:
	case COLUMN_VARCHAR_COMPRESSED:
		return is_mariadb;
	case COLUMN_VECTOR:
		return !is_mariadb;
	default:
		return false;
	}
}

static bool is_enum(uint8_t type, bool is_mariadb)
{
	(void)is_mariadb;
	return type == COLUMN_ENUM || type == COLUMN_SET;
}

/* Reads the bits into signs[] with or without counting YEAR columns. False when they cannot have
 * been written that way. */
static bool read_signs(
	const struct map_facts *facts, struct slice bits, bool with_years, enum fact_sign *signs)
{
	size_t bit = 0;
	for (size_t i = 0; i < facts->count; i++) {
		bool is_year = facts->columns[i].type == COLUMN_YEAR;
		signs[i] = SIGN_UNTOLD;
		if (!(is_year && with_years) && !is_numeric(facts->columns[i].type))
			continue;
		if (bit / 8 >= bits.len)
			return false;
		bool is_unsigned = bits.at[bit / 8] >> (7 - bit % 8) & 1;
		bit++;
		if (is_year && !is_unsigned)
			return false;
		if (!is_year)
			signs[i] = is_unsigned ? SIGN_UNSIGNED : SIGN_SIGNED;
	}
	if (bits.len != (bit + 7) / 8)
		return false;
	return bit % 8 == 0 || (bits.at[bit / 8] & (0xff >> bit % 8)) == 0;
}

static bool take_signs(struct map_facts *facts, struct slice bits, bool may_not_count_years)
{
	enum fact_sign *with = mem_new(facts->count, sizeof *with);
	enum fact_sign *without = mem_new(facts->count, sizeof *without);
	bool can_with = read_signs(facts, bits, true, with);
	bool can_without = may_not_count_years && read_signs(facts, bits, false, without);
	const enum fact_sign *signs = can_with ? with : without;
	bool differ =
		can_with && can_without && memcmp(with, without, facts->count * sizeof *with) != 0;
	for (size_t i = 0; i < facts->count && (can_with || can_without); i++)
		facts->columns[i].sign = signs[i];
	if (differ)
		facts->other_signs = without;
	else
		mem_free(without);
	mem_free(with);
	return can_with || can_without;
}

/* One collation for every column of a kind, or a default and the exceptions (counted among the
 * columns of that kind). */
static bool take_charsets(struct map_facts *facts, struct slice field, bool is_default,
	bool (*is_kind)(uint8_t type, bool is_mariadb), bool is_mariadb)
{
	struct reader reader = reader_of(field.at, field.len);
	unsigned general = is_default ? (unsigned)read_packed(&reader) : 0;
	uint64_t next = UINT64_MAX; /* the next exception */
	if (is_default && reader_left(&reader) > 0)
		next = read_packed(&reader);
	uint64_t nth = 0;
	for (size_t i = 0; i < facts->count; i++) {
		struct column_fact *fact = &facts->columns[i];
		if (!is_kind(fact->type, is_mariadb))
			continue;
		fact->collation = general;
		if (!is_default || nth == next)
			fact->collation = (unsigned)read_packed(&reader);
		if (is_default && nth == next)
			next = reader_left(&reader) > 0 ? read_packed(&reader) : UINT64_MAX;
		nth++;
	}
	return reader.rc == RC_OK && reader_left(&reader) == 0 &&
		(!is_default || next == UINT64_MAX);
}

static bool take_names(struct map_facts *facts, struct slice field)
{
	struct reader reader = reader_of(field.at, field.len);
	for (size_t i = 0; i < facts->count; i++)
		facts->columns[i].name = read_slice(&reader, (size_t)read_packed(&reader));
	facts->has_names = true;
	return reader.rc == RC_OK && reader_left(&reader) == 0;
}

static bool take_members(struct map_facts *facts, struct slice field, uint8_t type)
{
	struct reader reader = reader_of(field.at, field.len);
	for (size_t i = 0; i < facts->count; i++) {
		struct column_fact *fact = &facts->columns[i];
		if (fact->type != type)
			continue;
		uint64_t count = read_packed(&reader);
		const uint8_t *start = reader.at;
		for (uint64_t n = 0; n < count && reader.rc == RC_OK; n++)
			read_bytes(&reader, (size_t)read_packed(&reader));
		fact->members = slice_of(start, (size_t)(reader.at - start));
		fact->member_count = (size_t)count;
	}
	return reader.rc == RC_OK && reader_left(&reader) == 0;
}

/* Splits the optional metadata into fields; unknown ones are stepped over. */
static bool split_optional(struct slice optional, struct slice fields[OPTIONAL_COUNT])
{
	struct reader reader = reader_of(optional.at, optional.len);
	while (reader_left(&reader) > 0) {
		uint8_t type = read_u8(&reader);
		uint64_t len = read_packed(&reader);
		struct slice field = read_slice(&reader, (size_t)len);
		if (reader.rc == RC_OK && type < OPTIONAL_COUNT)
			fields[type] = field;
	}
	return reader.rc == RC_OK;
}

static void take_key(struct map_facts *facts, const struct slice fields[OPTIONAL_COUNT])
{
	const struct slice *simple = &fields[OPTIONAL_SIMPLE_KEY];
	const struct slice *prefixed = &fields[OPTIONAL_PREFIX_KEY];
	facts->has_key = simple->at || prefixed->at;
	facts->key_has_prefixes = !simple->at;
	facts->key = simple->at ? *simple : *prefixed;
}

static bool take_optional(
	struct map_facts *facts, const struct slice fields[OPTIONAL_COUNT], bool is_mariadb)
{
	bool ok = true;
	take_key(facts, fields);
	if (fields[OPTIONAL_SIGNEDNESS].at)
		ok = take_signs(facts, fields[OPTIONAL_SIGNEDNESS],
			!is_mariadb && !fields[OPTIONAL_VISIBILITY].at);
	if (fields[OPTIONAL_DEFAULT_CHARSET].at)
		ok = ok &&
			take_charsets(
				facts, fields[OPTIONAL_DEFAULT_CHARSET], true, is_text, is_mariadb);
	if (fields[OPTIONAL_COLUMN_CHARSET].at)
		ok = ok &&
			take_charsets(
				facts, fields[OPTIONAL_COLUMN_CHARSET], false, is_text, is_mariadb);
	if (fields[OPTIONAL_ENUM_DEFAULT_CHARSET].at)
		ok = ok &&
			take_charsets(facts, fields[OPTIONAL_ENUM_DEFAULT_CHARSET], true, is_enum,
				is_mariadb);
	if (fields[OPTIONAL_ENUM_COLUMN_CHARSET].at)
		ok = ok &&
			take_charsets(facts, fields[OPTIONAL_ENUM_COLUMN_CHARSET], false, is_enum,
				is_mariadb);
	if (fields[OPTIONAL_SET_MEMBERS].at)
		ok = ok && take_members(facts, fields[OPTIONAL_SET_MEMBERS], COLUMN_SET);
	if (fields[OPTIONAL_ENUM_MEMBERS].at)
		ok = ok && take_members(facts, fields[OPTIONAL_ENUM_MEMBERS], COLUMN_ENUM);
	return ok;
}

static enum rc read_facts(const struct binlog_table_map *map, bool is_mariadb,
	struct map_facts *facts, struct fault *fault)
{
	struct slice fields[OPTIONAL_COUNT] = {{0}};
	if (!split_optional(map->optional, fields))
		return fault_set(fault, RC_CORRUPT, "the optional metadata of a table map is cut");
	if (fields[OPTIONAL_NAMES].at && !take_names(facts, fields[OPTIONAL_NAMES]))
		return fault_set(fault, RC_CORRUPT, "the column names of a table map are broken");
	enum rc rc = read_types(map, facts, fault);
	if (rc == RC_OK && !take_optional(facts, fields, is_mariadb))
		rc = fault_set(fault, RC_CORRUPT,
			"the optional metadata of a table map does not fit its columns");
	return rc;
}

/* Hands the facts out, or releases them. */
static enum rc finish(struct map_facts *facts, enum rc rc, struct map_facts *ret_facts)
{
	if (rc == RC_OK)
		*ret_facts = *facts;
	else
		map_facts_release(facts);
	return rc;
}

enum rc map_facts_read(const struct binlog_table_map *map, bool is_mariadb,
	struct map_facts *ret_facts, struct fault *fault)
{
	struct map_facts facts = {.count = map->column_count};
	facts.columns = mem_new(facts.count, sizeof *facts.columns);
	return finish(&facts, read_facts(map, is_mariadb, &facts, fault), ret_facts);
}

enum rc map_types_read(
	const struct binlog_table_map *map, struct map_facts *ret_facts, struct fault *fault)
{
	struct map_facts facts = {.count = map->column_count};
	facts.columns = mem_new(facts.count, sizeof *facts.columns);
	return finish(&facts, read_types(map, &facts, fault), ret_facts);
}

void map_facts_release(struct map_facts *facts)
{
	mem_free(facts->columns);
	mem_free(facts->other_signs);
	*facts = (struct map_facts){0};
}
