/* SQL types as texts: from a table map, and the same spelling from an information schema.
 *
 * The spelling is what both sources can say, so that a table looks the same whether its columns
 * came from the binlog or from the schema: no display widths, no ZEROFILL, FLOAT and DOUBLE without
 * digits, YEAR without (4).
 *
 * Thread: any. */
#include <ctype.h>
#include <strings.h>

#include "base/json.h"
#include "base/mem.h"
#include "mysql/decode.h"

/* ---- members of ENUM and SET ---- */

enum { MEMBER_TEXTS_MAX = 4 << 20 };

void member_list_release(struct member_list *list)
{
	mem_free(list->at);
	buf_release(&list->texts);
	*list = (struct member_list){0};
}

/* While a list grows, its slices hold offsets into `texts` in `len` alone: where each ends. */
static void end_member(struct member_list *list)
{
	list->at = mem_resize(list->at, (list->count + 1) * sizeof *list->at);
	list->at[list->count++] = slice_of(NULL, list->texts.len);
}

static bool finish_members(struct member_list *list, bool ok, struct member_list *ret_list)
{
	if (!ok || list->texts.rc != RC_OK) {
		member_list_release(list);
		return false;
	}
	const uint8_t *at = (const uint8_t *)buf_cstring(&list->texts);
	size_t start = 0;
	for (size_t i = 0; i < list->count; i++) {
		size_t end = list->at[i].len;
		list->at[i] = slice_of(at + start, end - start);
		start = end;
	}
	*ret_list = *list;
	return true;
}

bool member_list_from_map(
	const struct column_fact *fact, const struct charset *charset, struct member_list *ret_list)
{
	struct member_list list = {.texts = buf_of(MEMBER_TEXTS_MAX)};
	struct reader reader = reader_of(fact->members.at, fact->members.len);
	bool ok = true;
	for (size_t i = 0; ok && i < fact->member_count; i++) {
		size_t len = (size_t)read_packed(&reader);
		struct slice text = read_slice(&reader, len);
		ok = reader.rc == RC_OK && charset_to_utf8(charset, text, &list.texts);
		end_member(&list);
	}
	return finish_members(&list, ok, ret_list);
}

/* Reads a quoted text behind its first quote; returns what comes after the last, NULL without one.
 * The server escapes the same way whatever the sql_mode. */
static const char *take_quoted(const char *at, struct buf *out)
{
	for (; *at; at++) {
		if (*at == '\'' && *++at != '\'')
			return at;
		if (*at != '\\') {
			buf_u8(out, (uint8_t)*at);
			continue;
		}
		at++;
		if (*at == 0)
			break;
		buf_u8(out, *at == 'n' ? '\n' : *at == 'r' ? '\r' : *at == '0' ? 0 : (uint8_t)*at);
	}
	return NULL;
}

bool member_list_from_type(const char *type, struct member_list *ret_list)
{
	struct member_list list = {.texts = buf_of(MEMBER_TEXTS_MAX)};
	const char *at = strchr(type, '(');
	bool is_utf8 = true;
	do {
		size_t start = list.texts.len;
		at = at && at[1] == '\'' ? take_quoted(at + 2, &list.texts) : NULL;
		if (list.texts.len > start)
			is_utf8 = is_utf8 &&
				json_is_utf8(list.texts.at + start, list.texts.len - start);
		end_member(&list);
	} while (at && *at == ',');
	return finish_members(&list, at && *at == ')' && is_utf8, ret_list);
}

static void put_members(const struct member_list *members, struct buf *out)
{
	for (size_t i = 0; i < members->count; i++) {
		buf_text(out, i ? ",'" : "('");
		for (size_t k = 0; k < members->at[i].len; k++) {
			uint8_t byte = members->at[i].at[k];
			if (byte == 0)
				buf_text(out, "\\0");
			else if (byte == '\n')
				buf_text(out, "\\n");
			else if (byte == '\r')
				buf_text(out, "\\r");
			else if (byte == '\\')
				buf_text(out, "\\\\");
			else if (byte == '\'')
				buf_text(out, "''");
			else
				buf_u8(out, byte);
		}
		buf_u8(out, '\'');
	}
	buf_u8(out, ')');
}

/* ---- from a table map ---- */

static void put_number(const char *name, const struct column_fact *fact, struct buf *out)
{
	buf_text(out, name);
	if (fact->type == COLUMN_NEWDECIMAL)
		buf_format(out, "(%u,%u)", fact->length, fact->decimals);
	if (fact->sign == SIGN_UNSIGNED)
		buf_text(out, " unsigned");
}

static void put_time(const char *name, const struct column_fact *fact, struct buf *out)
{
	buf_text(out, name);
	if (fact->decimals)
		buf_format(out, "(%u)", fact->decimals);
}

/* A map counts bytes, SQL counts characters. */
static void put_string(const char *text_name, const char *binary_name,
	const struct column_fact *fact, const struct charset *charset, struct buf *out)
{
	bool is_binary = charset == charset_of_collation(COLLATION_BINARY);
	unsigned each = charset ? charset->bytes_max : 1;
	buf_text(out, is_binary ? binary_name : text_name);
	if (fact->length % each == 0)
		buf_format(out, "(%u)", fact->length / each);
	else
		buf_format(out, "(%u bytes)", fact->length);
}

static void put_blob(const struct column_fact *fact, const struct charset *charset, struct buf *out)
{
	static const char *const sizes[] = {"tiny", "", "medium", "long"};
	bool is_binary = charset == charset_of_collation(COLLATION_BINARY);
	buf_text(out, sizes[fact->length - 1]);
	buf_text(out, is_binary ? "blob" : "text");
}

void column_type_text(const struct column_fact *fact, const struct charset *charset, bool is_json,
	const struct member_list *members, struct buf *out)
{
	static const char *const names[256] = {[COLUMN_TINY] = "tinyint",
		[COLUMN_SHORT] = "smallint",
		[COLUMN_INT24] = "mediumint",
		[COLUMN_LONG] = "int",
		[COLUMN_LONGLONG] = "bigint",
		[COLUMN_FLOAT] = "float",
		[COLUMN_DOUBLE] = "double",
		[COLUMN_NEWDECIMAL] = "decimal",
		[COLUMN_YEAR] = "year",
		[COLUMN_DATE] = "date",
		[COLUMN_NEWDATE] = "date",
		[COLUMN_TIME] = "time",
		[COLUMN_TIME2] = "time",
		[COLUMN_DATETIME] = "datetime",
		[COLUMN_DATETIME2] = "datetime",
		[COLUMN_TIMESTAMP] = "timestamp",
		[COLUMN_TIMESTAMP2] = "timestamp",
		[COLUMN_JSON] = "json",
		[COLUMN_ENUM] = "enum",
		[COLUMN_SET] = "set",
		[COLUMN_GEOMETRY] = "geometry",
		[COLUMN_VECTOR] = "vector",
		[COLUMN_BLOB_COMPRESSED] = "blob compressed",
		[COLUMN_VARCHAR_COMPRESSED] = "varchar compressed"};
	const char *name = names[fact->type];
	if (is_json)
		buf_text(out, "json");
	else if (fact->type == COLUMN_STRING)
		put_string("char", "binary", fact, charset, out);
	else if (fact->type == COLUMN_VARCHAR || fact->type == COLUMN_VAR_STRING)
		put_string("varchar", "varbinary", fact, charset, out);
	else if (fact->type == COLUMN_BLOB)
		put_blob(fact, charset, out);
	else if (fact->type == COLUMN_BIT)
		buf_format(out, "bit(%u)", fact->length);
	else if (fact->type == COLUMN_TIME2 || fact->type == COLUMN_DATETIME2 ||
		fact->type == COLUMN_TIMESTAMP2)
		put_time(name, fact, out);
	else
		put_number(name ? name : "unknown", fact, out);
	if (members)
		put_members(members, out);
}

/* ---- from an information schema ---- */

static bool is_one_of(struct slice name, const char *const *names)
{
	for (; *names; names++) {
		if (slice_equal(name, slice_text(*names)))
			return true;
	}
	return false;
}

bool column_type_is_unsigned(const char *type)
{
	const char *behind = strchr(type, ')');
	return strcasestr(behind ? behind : type, " unsigned") != NULL;
}

void column_type_normal(const char *type, bool is_json, struct buf *out)
{
	static const char *const plain[] = {"tinyint", "smallint", "mediumint", "int", "bigint",
		"float", "double", "year", "enum", "set", NULL};
	if (is_json) {
		buf_text(out, "json");
		return;
	}
	char base[32];
	size_t len = 0;
	while (len < sizeof base && (isalnum((unsigned char)type[len]) || type[len] == '_')) {
		base[len] = (char)tolower((unsigned char)type[len]);
		len++;
	}
	struct slice name = slice_of(base, len);
	buf_slice(out, name);
	const char *rest = type + len;
	bool is_list = slice_equal(name, SLICE("enum")) || slice_equal(name, SLICE("set"));
	if (*rest == '(' && !is_one_of(name, plain)) {
		const char *close = strchr(rest, ')');
		buf_bytes(out, rest, close ? (size_t)(close - rest) + 1 : strlen(rest));
	}
	if (!is_list && column_type_is_unsigned(type))
		buf_text(out, " unsigned");
	if (!is_list && strcasestr(rest, "compressed"))
		buf_text(out, " compressed");
}
