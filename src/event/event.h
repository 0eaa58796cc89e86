/* The noun of the house: what a change is, where it comes from, and how it is spelled.
 *
 * This room knows table schemas, row changes, positions, GTID sets and ordinals, and has ONE
 * encoder and ONE decoder for each format. It does not know where events come from or go.
 * docs/formats/event.md is the page of the format `millstream`; its examples are golden test data.
 *
 * The hot path (capture) writes a line in one pass: event_put_head, the key, event_put_value for
 * each column, and a closing. Nothing is allocated and no value is an object that outlives its
 * column.
 *
 * Thread: any, one owner of each object at a time; constants and tables are read-only once built.
 */
#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

#include "base/buf.h"

/* ---- values ---- */

enum value_kind {
	VALUE_NULL,
	VALUE_INT,       /* i */
	VALUE_UINT,      /* u; also BIT and YEAR */
	VALUE_FLOAT,     /* f: shortest decimal that reads back as the same float */
	VALUE_DOUBLE,    /* d */
	VALUE_DECIMAL,   /* bytes: exact decimal text such as -12.50, a JSON number as it is */
	VALUE_TEXT,      /* bytes: UTF-8 */
	VALUE_LATIN1,    /* bytes: MySQL's latin1 */
	VALUE_BYTES,     /* bytes: binary, written as base64 */
	VALUE_DATE,      /* time: year, month, day; zero parts are kept */
	VALUE_TIME,      /* time: negative, hour (may pass 24), minute, second, micros, digits */
	VALUE_DATETIME,  /* time: all but negative */
	VALUE_TIMESTAMP, /* time: as DATETIME, in UTC */
	VALUE_JSON,      /* bytes: valid compact JSON text, copied as it is */
};

struct value_time {
	bool negative;
	uint8_t month, day, minute, second;
	uint8_t digits; /* of the fraction: 0..6 */
	uint16_t year, hour;
	uint32_t micros;
};

/* One column's value on its way through; lives on the stack. `bytes` is borrowed from the row, the
 * schema or `text`. */
struct value {
	enum value_kind kind;
	union {
		int64_t i;
		uint64_t u;
		float f;
		double d;
		struct slice bytes;
		struct value_time time;
	};
	char text[88]; /* room for the text of a DECIMAL(65,30) */
};

/* Bytes that event_put_value writes at the most for kinds other than the four that carry bytes of
 * any length. */
enum { VALUE_FIXED_MAX = 96 };

/* Writes the JSON of a value. Room: VALUE_FIXED_MAX, or for TEXT, LATIN1, BYTES and JSON
 * JSON_ESCAPE_MAX * len + JSON_ESCAPE_ROOM + 2. NULL when a TEXT is not valid UTF-8 (law 1: the
 * caller stops). */
uint8_t *event_put_value(uint8_t *at, const struct value *value);

/* The same for a caller that knows the kind: VALUE_DATE, TIME, DATETIME or TIMESTAMP; VALUE_TEXT.
 */
uint8_t *event_put_time(uint8_t *at, enum value_kind kind, const struct value_time *time);
uint8_t *event_put_text(uint8_t *at, struct slice text);

/* The same value as it stands in a partition key: text as plain UTF-8, everything else as its JSON
 * without quotes; | and \ are escaped by \. Same room. NULL as above. */
uint8_t *event_put_key_value(uint8_t *at, const struct value *value);

/* Checks JSON text and writes it compact (no white space outside of strings, hence no line breaks).
 * RC_CORRUPT when it is not valid JSON (RFC 8259, nesting at most 200, UTF-8), RC_LIMIT from `out`.
 */
MUST_USE enum rc event_json_compact(struct slice text, struct buf *out);

/* ---- tables ---- */

struct event_column {
	char *name; /* UTF-8 */
	char *type; /* SQL: "bigint unsigned", "decimal(12,2)", "enum('a','b')"; "" when the source
		       does not say */
	bool nullable;
	struct slice label; /* "name": as it stands in front of a value, without comma; behind it
			       JSON_COPY_ROOM bytes can be read */
};

/* A version of a table's schema. Immutable once built. */
struct event_table {
	char *database, *name;
	struct event_column *columns;
	size_t column_count;
	uint16_t *key; /* indexes of the primary key's columns in key order */
	size_t key_count;
	struct slice names; /* "db":"...","table":"...", ready for a line */
	struct slice
		key_prefix; /* db.table| of the partition key, | \ and . in names escaped by \ */
};

struct event_column_spec {
	struct slice name;
	const char *type;
	bool nullable;
};

/* Builds a table; everything is copied. Names must be UTF-8 (RC_CORRUPT). */
MUST_USE enum rc event_table_new(struct slice database, struct slice name,
	const struct event_column_spec *columns, size_t column_count, const uint16_t *key,
	size_t key_count, struct event_table **ret_table, struct fault *fault);
void event_table_free(struct event_table *table); /* accepts NULL */

/* Same names, columns, types, nullability and key. */
bool event_table_equal(const struct event_table *a, const struct event_table *b);

/* ---- positions and GTIDs ---- */

enum { EVENT_FILE_MAX = 256, EVENT_SERVER_MAX = 64, EVENT_GTID_MAX = 128 };

/* Where in the source the stream stands, after a batch. Outside of a transaction (rows == 0 and
 * group empty) `pos` is where the next event begins. Inside one, `pos` is where the transaction's
 * first event (its GTID event or BEGIN) begins, `group` is its GTID (empty where the server has
 * none), and `rows` says how many of its row changes are in, counted before filters. */
struct event_position {
	char server[EVENT_SERVER_MAX]; /* server_uuid of MySQL, "mariadb-SERVER_ID" */
	char file[EVENT_FILE_MAX];
	uint64_t pos;
	char gtid[EVENT_GTID_MAX];  /* of the last transaction that is in as a whole, or empty */
	char group[EVENT_GTID_MAX]; /* of the transaction inside which the position lies, or empty
				     */
	uint64_t rows;
};

void event_position_write(const struct event_position *position, struct buf *out);
/* RC_TRUNCATED or RC_CORRUPT when the bytes are not one. */
MUST_USE enum rc event_position_read(struct reader *reader, struct event_position *ret_position);
/* For people: "binlog.000003:1234 (GTID 0-1-5)", "... inside 0-1-6 after 17 rows". */
void event_position_text(const struct event_position *position, struct buf *out);

/* Compares names of binlog files by their number: binlog.999999 < binlog.1000000. -1, 0, 1. */
int event_file_compare(const char *a, const char *b);

/* A set of GTIDs: MySQL's (UUIDs, optional tags, intervals) or MariaDB's (the last of each domain).
 */
enum gtid_flavor { GTID_NONE, GTID_MYSQL, GTID_MARIADB };
struct gtid_set;
struct gtid_set *gtid_set_new(enum gtid_flavor flavor);
void gtid_set_free(struct gtid_set *set); /* accepts NULL */
enum gtid_flavor gtid_set_flavor(const struct gtid_set *set);
bool gtid_set_is_empty(const struct gtid_set *set);
void gtid_set_clear(struct gtid_set *set);

/* Adds one GTID or a set in the server's own text form ("uuid:1-5:7,uuid2:3", "0-1-5,1-2-9").
 * MariaDB: the sequence number of a domain is replaced. RC_CORRUPT when the text is not one. */
MUST_USE enum rc gtid_set_add(struct gtid_set *set, struct slice text);

/* The set in the server's text form; parts in a fixed order, so that equal sets give equal texts.
 */
void gtid_set_text(const struct gtid_set *set, struct buf *out);

/* Whether all of `part` is in `whole` (MariaDB: no domain of `part` is further). Same flavor. */
bool gtid_set_contains(const struct gtid_set *whole, const struct gtid_set *part);

/* ---- lines of the format millstream ---- */

enum event_op {
	EVENT_CREATE = 'c',
	EVENT_UPDATE = 'u',
	EVENT_DELETE = 'd',
	EVENT_READ = 'r',     /* a row from a snapshot */
	EVENT_TRUNCATE = 't', /* control: what the table has with a lower ordinal is gone; table
				 null: the whole database */
	EVENT_SCHEMA = 's',   /* control: the columns of a table from here on, and/or the DDL */
};

enum { ORDINAL_EPOCH = 40 }; /* an epoch starts at a multiple of 1 << ORDINAL_EPOCH */

/* What the lines of one transaction share. */
struct event_origin {
	int64_t ts_us;      /* what the source said */
	bool ts_has_micros; /* else the source said whole seconds */
	const char *file;   /* binlog file */
	const char *gtid;   /* or "" */
};

/* Writes {"op":...,"db":...,"table":...,"ts":...,"pos":{"file":...,"pos":N,"gtid":"...","row": into
 * `out` (which is reset): what the rows of one binlog event have in common. `pos` is where that
 * event begins. */
void event_line_prefix(enum event_op op, const struct event_table *table,
	const struct event_origin *origin, uint64_t pos, struct buf *out);

/* Continues a line behind its prefix: row number in the transaction (from 0), ordinal: N},"ord":M
 * . 48 bytes of room. */
uint8_t *event_put_row_and_ordinal(uint8_t *at, uint64_t row, uint64_t ordinal);

/* A control event. */
struct event_control {
	enum event_op op; /* EVENT_TRUNCATE or EVENT_SCHEMA */
	bool is_drop;     /* a truncate that also takes the table (or database) itself away */
	struct slice database, table; /* UTF-8; an empty table: the whole database */
	uint64_t pos;                 /* where its binlog event begins */
	uint64_t ordinal;
	struct slice ddl;                  /* may be empty */
	const struct event_table *columns; /* NULL unless the schema is told */
};

/* Appends a whole control line with its newline. */
void event_control_line(
	const struct event_control *control, const struct event_origin *origin, struct buf *out);

/* Partition key of a control record: "db.table|" or "db.|", so that it names its table as every key
 * does. */
void event_control_key(struct slice database, struct slice table_name, struct buf *out);

/* Cuts a partition key to what a stream takes: up to 256 characters as it is, longer ones as the
 * SHA-256 in 64 hex digits. */
enum { EVENT_KEY_CHARACTERS_MAX = 256, EVENT_KEY_BYTES_MAX = 1024 };
void event_key_finish(struct buf *key);

/* A line taken apart, nothing copied: slices point into it. Objects are raw JSON; absent members
 * are empty slices. */
struct event_view {
	enum event_op op;
	uint64_t ordinal;
	struct slice database, table; /* JSON strings without quotes, escapes still in
					 (event_unescape); table empty for null */
	struct slice ts;              /* the text without quotes */
	struct slice file, gtid;
	uint64_t pos, row;
	struct slice key; /* object or null */
	struct slice old_key, new_key;
	struct slice before, after; /* objects */
	struct slice ddl;           /* without quotes */
	struct slice columns;       /* array */
	struct slice primary_key;   /* array of names */
	bool is_drop;
};

/* Reads one line (with or without its newline) of our own making: members in any order, unknown
 * ones are skipped. RC_CORRUPT otherwise. */
MUST_USE enum rc event_view_read(struct slice line, struct event_view *ret_view);

/* Appends a JSON string's contents with the escapes resolved. RC_CORRUPT for a broken escape. */
MUST_USE enum rc event_unescape(struct slice text, struct buf *out);

/* Parses 2026-11-25T07:34:00[.ffffff]Z into microseconds since 1970. */
MUST_USE enum rc event_time_read(struct slice text, int64_t *ret_us);

#endif
