/* The inside of the decoding half of this room: what its files share.
 *
 * events.c, table_map.c, table.c, rows.c and value.c implement the door; charset.c, column_type.c,
 * decimal.c, temporal.c and json_binary.c are what they are made of. Everything here is a pure
 * function over bounded bytes that came from a server and may be nonsense.
 *
 * Thread: any. */
#ifndef MYSQL_DECODE_H
#define MYSQL_DECODE_H

#include "mysql/mysql.h"

/* Column types as the binlog numbers them. ENUM and SET stand behind STRING in a table map. */
enum column_type {
	COLUMN_DECIMAL = 0, /* before 5.0; never in a row event */
	COLUMN_TINY = 1,
	COLUMN_SHORT = 2,
	COLUMN_LONG = 3,
	COLUMN_FLOAT = 4,
	COLUMN_DOUBLE = 5,
	COLUMN_TIMESTAMP = 7,
	COLUMN_LONGLONG = 8,
	COLUMN_INT24 = 9,
	COLUMN_DATE = 10,
	COLUMN_TIME = 11,
	COLUMN_DATETIME = 12,
	COLUMN_YEAR = 13,
	COLUMN_NEWDATE = 14,
	COLUMN_VARCHAR = 15,
	COLUMN_BIT = 16,
	COLUMN_TIMESTAMP2 = 17,
	COLUMN_DATETIME2 = 18,
	COLUMN_TIME2 = 19,
	COLUMN_TYPED_ARRAY = 20,
	COLUMN_BLOB_COMPRESSED = 140,
	COLUMN_VARCHAR_COMPRESSED = 141,
	COLUMN_VECTOR = 242,
	COLUMN_JSON = 245,
	COLUMN_NEWDECIMAL = 246,
	COLUMN_ENUM = 247,
	COLUMN_SET = 248,
	COLUMN_BLOB = 252,
	COLUMN_VAR_STRING = 253,
	COLUMN_STRING = 254,
	COLUMN_GEOMETRY = 255,
};

/* ---- lengths of the protocol ---- */

/* A packed integer of 1, 3, 4 or 9 bytes. NULL (0xfb) and 0xff are refused as RC_TRUNCATED. */
uint64_t read_packed(struct reader *reader);

/* ---- charset.c ---- */

struct charset {
	const char *name;
	uint8_t bytes_max; /* of a character */
	bool is_supported;
	bool holds_ascii; /* text of ASCII bytes alone is ASCII */
	enum binlog_text text;
};

enum { COLLATION_BINARY = 63, COLLATION_UTF8MB4_BIN = 46 };

/* NULL for numbers and names that neither product knows. */
const struct charset *charset_of_collation(unsigned collation);
const struct charset *charset_named(const char *name);

/* Of a statement in the character set of a collation (0: not told); NULL where only a later server
 * knows. */
const struct charset *charset_of_text(unsigned collation, struct slice text);

/* Appends `text` as UTF-8. False when it is not valid in that character set, or this one cannot be
 * converted. */
bool charset_to_utf8(const struct charset *charset, struct slice text, struct buf *out);

/* ---- table_map.c ---- */

enum { COLUMNS_MAX = 4096 }; /* of a table, in both products */

/* What a table map tells of one column. */
struct column_fact {
	uint8_t type;     /* the real one: STRING is resolved into ENUM and SET */
	uint8_t decimals; /* NEWDECIMAL; digits of the fraction of a time */
	uint16_t length;  /* bytes: STRING, VARCHAR at the most; ENUM, SET; of the length in front:
			     BLOB, JSON. BIT: bits. NEWDECIMAL: precision */
	bool nullable;
	enum fact_sign { SIGN_UNTOLD, SIGN_SIGNED, SIGN_UNSIGNED } sign;
	unsigned collation;   /* 0: not told */
	struct slice name;    /* `at` NULL: not told */
	struct slice members; /* packed texts, in the column's character set; `at` NULL: not told */
	size_t member_count;
};

struct map_facts {
	struct column_fact *columns;
	size_t count;
	enum fact_sign *other_signs; /* signedness that can be read in two ways (see table_map.c):
					the other one; else NULL */
	bool has_names;
	bool has_key, key_has_prefixes;
	struct slice key; /* packed column indexes; each with a prefix length if key_has_prefixes */
};

/* Reads types, metadata and optional metadata. RC_UNSUPPORTED for a type whose metadata has an
 * unknown length: the columns behind it cannot be read. Nothing to release on failure. */
MUST_USE enum rc map_facts_read(const struct binlog_table_map *map, bool is_mariadb,
	struct map_facts *ret_facts, struct fault *fault);
void map_facts_release(struct map_facts *facts);

/* The same without the optional metadata: types, lengths, nullability. */
MUST_USE enum rc map_types_read(
	const struct binlog_table_map *map, struct map_facts *ret_facts, struct fault *fault);

/* ---- column_type.c ---- */

/* A member of an ENUM or SET, in UTF-8. */
struct member_list {
	struct slice *at;
	size_t count;
	struct buf texts; /* what the slices point into */
};
void member_list_release(struct member_list *list);

/* From a table map (packed texts). False when they are not in that character set. */
bool member_list_from_map(const struct column_fact *fact, const struct charset *charset,
	struct member_list *ret_list);
/* From a COLUMN_TYPE such as enum('a','it''s'). False when it is not one. */
bool member_list_from_type(const char *type, struct member_list *ret_list);

/* Appends the SQL type of a column as an information schema spells it, as far as a table map tells:
 * without display widths and ZEROFILL, which are not in it. `charset` is NULL for types without. */
void column_type_text(const struct column_fact *fact, const struct charset *charset, bool is_json,
	const struct member_list *members, struct buf *out);

/* Appends a COLUMN_TYPE of an information schema in the same spelling, so that the two can be
 * compared. Members of ENUM and SET are left out: enum, set. */
void column_type_normal(const char *type, bool is_json, struct buf *out);

/* Whether such a type says UNSIGNED. */
bool column_type_is_unsigned(const char *type);

/* ---- decimal.c ---- */

/* Columns have at most 65 digits. Within JSON whole groups are counted, nine of nine. */
enum { DECIMAL_PRECISION_MAX = 65, DECIMAL_DIGITS_MAX = 81, DECIMAL_TEXT_MAX = 84 };

/* Bytes of a DECIMAL(precision,decimals); 0 when there is none. */
size_t decimal_size(unsigned precision, unsigned decimals);

/* Writes the exact text and returns its length; 0 when the bytes are not digits. `bytes` holds
 * decimal_size bytes. */
size_t decimal_put(const uint8_t *bytes, unsigned precision, unsigned decimals, char *out);

/* ---- temporal.c ---- */

/* Each reads as many bytes as its column has. False for bytes that are no time. `digits` 0..6. */
bool date_read(const uint8_t *bytes, struct value_time *ret_time);
bool time_read(const uint8_t *bytes, unsigned digits, struct value_time *ret_time);
bool datetime_read(const uint8_t *bytes, unsigned digits, struct value_time *ret_time);
bool timestamp_read(const uint8_t *bytes, unsigned digits, struct value_time *ret_time);
bool old_time_read(const uint8_t *bytes, struct value_time *ret_time);
bool old_datetime_read(const uint8_t *bytes, struct value_time *ret_time);
bool old_timestamp_read(const uint8_t *bytes, struct value_time *ret_time);

/* The packed 64-bit forms inside of MySQL's binary JSON; always six digits. */
bool packed_datetime_read(int64_t packed, struct value_time *ret_time);
bool packed_time_read(int64_t packed, struct value_time *ret_time);

/* ---- json_binary.c ---- */

/* Appends MySQL's binary JSON as compact JSON text. RC_CORRUPT when it is not one (also when its
 * text would be longer than 6 times its bytes: then parts of it overlap). RC_LIMIT from `out`. */
MUST_USE enum rc json_binary_text(struct slice binary, struct buf *out);

#endif
