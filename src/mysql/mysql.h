/* The source: connections to MySQL and MariaDB, the binlog as a stream of events, events taken
 * apart in place, schemas.
 *
 * Knows the wire and the binlog's bytes; never the stream. Connections are libmariadb's (wire,
 * authentication, TLS), events are received raw and decoded here.
 *
 * Threads: a link and what is made from it belong to one thread at a time. Decoders are pure
 * functions: any thread. */
#ifndef MYSQL_MYSQL_H
#define MYSQL_MYSQL_H

#include <stdatomic.h>

#include "event/event.h"

/* ==== connections: link.c ==== */

enum mysql_tls { MYSQL_TLS_OFF, MYSQL_TLS_PREFERRED, MYSQL_TLS_REQUIRED, MYSQL_TLS_VERIFY };

struct mysql_options {
	const char *host;
	unsigned port;
	const char *socket; /* used instead of host and port when not empty */
	const char *user, *password;
	enum mysql_tls tls;
	const char *tls_ca, *tls_cert, *tls_key; /* NULL or "": none */
	int64_t connect_timeout_us, answer_timeout_us;
};

struct link;

/* Connects and logs in. RC_UNREACHABLE, RC_TIMEOUT (may pass), RC_DENIED (credentials, or TLS
 * demanded by one side only), RC_PROTOCOL. The fault names where it connected to and the way out.
 */
MUST_USE enum rc link_open(
	const struct mysql_options *options, struct link **ret_link, struct fault *fault);
void link_close(struct link *link); /* accepts NULL */

/* For people: "127.0.0.1:3306 over TLSv1.3", "/run/mysqld.sock". */
const char *link_name(const struct link *link);

/* Runs a statement and calls `each` with every row: cells in the connection's character set
 * (utf8mb4), `at` NULL for NULL. Valid during the call. `each` may be NULL for statements without
 * rows. RC_PRIVILEGE for a missing privilege (named), RC_UNREACHABLE when the connection went away,
 * RC_TIMEOUT, RC_REFUSED for any other error of the server (its number and text in the fault). */
MUST_USE enum rc link_query(struct link *link, const char *sql,
	enum rc (*each)(
		void *context, const struct slice *cells, size_t count, struct fault *fault),
	void *context, struct fault *fault);

/* One row, first cell, appended to `out`; RC_NOT_FOUND without a row or for NULL. */
MUST_USE enum rc link_query_text(
	struct link *link, const char *sql, struct buf *out, struct fault *fault);

/* Appends 'text' quoted as a string literal, whatever the sql_mode. */
void link_quote(struct slice text, struct buf *out);

/* ==== the server: server.c ==== */

struct mysql_server {
	bool is_mariadb;
	unsigned version; /* 101119 for 10.11.19, 90704 for 9.7.4 */
	char version_text[96];
	char identity[EVENT_SERVER_MAX];                  /* server_uuid, or "mariadb-SERVER_ID" */
	bool log_bin, has_gtids;                          /* MySQL: gtid_mode=ON; MariaDB: always */
	char format[16], row_image[16], row_metadata[16]; /* as the server says, upper case */
};

MUST_USE enum rc mysql_server_read(
	struct link *link, struct mysql_server *ret_server, struct fault *fault);

/* Where the binlog ends now, and (where it has GTIDs) the set that it holds: `gtids` is appended
 * to, in one line. RC_UNFIT: binlog off. RC_PRIVILEGE names the one that is missing.
 *
 * MariaDB's place and set belong together. MySQL's set may lack the last transactions before the
 * place while others commit: who wants both to agree starts at the set, and gets the place from the
 * dump. (libmariadb has a function mysql_server_end, hence the longer name.) */
MUST_USE enum rc mysql_server_binlog_end(struct link *link, const struct mysql_server *server,
	char ret_file[EVENT_FILE_MAX], uint64_t *ret_pos, struct buf *gtids, struct fault *fault);

/* The binlog files there are, oldest first: name and size. */
MUST_USE enum rc mysql_server_files(struct link *link,
	enum rc (*each)(void *context, const char *file, uint64_t size, struct fault *fault),
	void *context, struct fault *fault);

/* ==== is the source fit: check.c ==== */

enum finding_level { FINDING_OK, FINDING_ADVICE, FINDING_WARNING, FINDING_ERROR };

struct finding {
	enum finding_level level;
	const char *name; /* "binlog_format", "privilege REPLICATION SLAVE" */
	const char *text; /* what was found, and what it means */
	const char *mend; /* the statement (or my.cnf line) that mends it, or "" */
};

/* Examines settings and privileges; calls `each` with every finding, good ones too. `tables` are
 * patterns of what will be captured: tables without a primary key and with foreign keys that
 * cascade are named. */
MUST_USE enum rc mysql_check(struct link *link, const struct mysql_server *server,
	const char *const *tables, size_t table_count,
	void (*each)(void *context, const struct finding *finding), void *context,
	struct fault *fault);

/* ==== the binlog as a stream: dump.c ==== */

enum binlog_type {
	BINLOG_QUERY = 2,
	BINLOG_STOP = 3,
	BINLOG_ROTATE = 4,
	BINLOG_INTVAR = 5,
	BINLOG_RAND = 13,
	BINLOG_USER_VAR = 14,
	BINLOG_FORMAT_DESCRIPTION = 15,
	BINLOG_XID = 16,
	BINLOG_BEGIN_LOAD_QUERY = 17,
	BINLOG_EXECUTE_LOAD_QUERY = 18,
	BINLOG_TABLE_MAP = 19,
	BINLOG_WRITE_ROWS_V1 = 23,
	BINLOG_UPDATE_ROWS_V1 = 24,
	BINLOG_DELETE_ROWS_V1 = 25,
	BINLOG_INCIDENT = 26,
	BINLOG_HEARTBEAT = 27,
	BINLOG_IGNORABLE = 28,
	BINLOG_ROWS_QUERY = 29,
	BINLOG_WRITE_ROWS = 30,
	BINLOG_UPDATE_ROWS = 31,
	BINLOG_DELETE_ROWS = 32,
	BINLOG_GTID = 33,
	BINLOG_ANONYMOUS_GTID = 34,
	BINLOG_PREVIOUS_GTIDS = 35,
	BINLOG_TRANSACTION_CONTEXT = 36,
	BINLOG_VIEW_CHANGE = 37,
	BINLOG_XA_PREPARE = 38,
	BINLOG_PARTIAL_UPDATE_ROWS = 39,
	BINLOG_TRANSACTION_PAYLOAD = 40,
	BINLOG_HEARTBEAT_V2 = 41,
	BINLOG_GTID_TAGGED = 42,
	/* MariaDB's own */
	BINLOG_ANNOTATE_ROWS = 160,
	BINLOG_CHECKPOINT = 161,
	BINLOG_MARIADB_GTID = 162,
	BINLOG_MARIADB_GTID_LIST = 163,
	BINLOG_START_ENCRYPTION = 164,
	BINLOG_QUERY_COMPRESSED = 165,
	BINLOG_WRITE_ROWS_COMPRESSED_V1 = 166,
	BINLOG_UPDATE_ROWS_COMPRESSED_V1 = 167,
	BINLOG_DELETE_ROWS_COMPRESSED_V1 = 168,
	BINLOG_WRITE_ROWS_COMPRESSED = 169,
	BINLOG_UPDATE_ROWS_COMPRESSED = 170,
	BINLOG_DELETE_ROWS_COMPRESSED = 171,
};

/* "WRITE_ROWS", or "type 77". Static or per-thread text. */
const char *binlog_type_name(unsigned type);

enum { BINLOG_HEADER_SIZE = 19 };

/* An event where it was received: valid until the next binlog_next. */
struct binlog_event {
	uint8_t type;
	uint16_t flags;
	uint32_t timestamp_s, server_id;
	uint64_t pos, next_pos; /* in `file`, where it begins and ends; 64 bits also beyond 4 GiB.
				   Artificial events do not move them */
	const char *file;
	bool artificial;    /* made by the dump, not in the file */
	struct slice body;  /* behind the header, without the checksum */
	struct slice whole; /* header, body and checksum */
};

/* What the last format description said. */
struct binlog_format {
	bool is_mariadb;
	bool has_checksums;
	uint8_t post_header[256]; /* length of the post-header of each type; 0 where it does not say
				   */
	char server_version[51];
};

struct binlog_start {
	bool by_gtid;
	const char *gtids; /* by_gtid: the set that we have; the server sends what is not in it */
	const char *file;  /* else: file and position of the first event wanted */
	uint64_t pos;
	uint32_t replica_id;  /* the server ends an older dump of the same id: RC_CONFLICT there */
	int64_t heartbeat_us; /* 0: none are sent, and none missed */
	bool annotate;        /* MariaDB: send annotate events */
	bool end;             /* RC_END at the end of the binlog instead of waiting for more. By
				 GTID a server that shuts down looks the same: compare the place */
	size_t event_max;     /* larger events are RC_LIMIT */
	const atomic_bool *stop; /* RC_STOPPED within 100 ms after it became true */
};

struct binlog;

/* Asks the server of `link` for its binlog and takes the link over (it is closed with the binlog,
 * also when this fails). RC_PURGED when it no longer has the position, RC_BEHIND when it ends
 * before it or does not have all of `gtids` (a MariaDB domain that it does not know counts as
 * lost), RC_PRIVILEGE, RC_UNFIT, RC_CORRUPT when `gtids` is not a set. */
MUST_USE enum rc binlog_open(struct link *link, const struct mysql_server *server,
	const struct binlog_start *start, struct binlog **ret_binlog, struct fault *fault);
void binlog_close(struct binlog *binlog); /* accepts NULL */

/* The next event, its checksum verified (RC_CORRUPT names file and position). Follows rotations and
 * format descriptions by itself, and hands them out too. RC_UNREACHABLE when the connection is lost
 * or three heartbeats are missed; RC_END, RC_STOPPED, RC_LIMIT as above; RC_PURGED, RC_BEHIND,
 * RC_REFUSED when the server ends the dump with an error (its number and text in the fault). */
MUST_USE enum rc binlog_next(
	struct binlog *binlog, struct binlog_event *ret_event, struct fault *fault);

/* Whether the next event can be had without waiting for the server. */
bool binlog_has_more(const struct binlog *binlog);

const struct binlog_format *binlog_format(const struct binlog *binlog);

/* Bytes received so far. */
uint64_t binlog_received(const struct binlog *binlog);

/* ==== events taken apart: events.c. Bodies without checksum; nothing is copied but texts of GTIDs
 * ==== */

MUST_USE enum rc binlog_format_read(struct slice body, struct binlog_format *ret_format);

struct binlog_gtid {
	char text[EVENT_GTID_MAX]; /* "uuid:7", "0-1-5"; empty for an anonymous one */
	bool standalone;   /* MariaDB: no BEGIN and no XID follow, one event group of its own */
	bool is_xa;        /* MariaDB: an XA PREPARE or its completion */
	int64_t commit_us; /* when it was committed, microseconds; 0 when not told. MySQL 8: the
			      original commit */
};
/* Types GTID, ANONYMOUS_GTID, MARIADB_GTID. */
MUST_USE enum rc binlog_gtid_read(const struct binlog_event *event, struct binlog_gtid *ret_gtid);

struct binlog_query {
	struct slice database, sql;
	uint16_t error;
	uint16_t collation; /* its character set is the one that `sql` is written in; 0: not told */
	bool ansi_quotes, no_backslash_escapes; /* of the statement's sql_mode */
};
MUST_USE enum rc binlog_query_read(struct slice body, struct binlog_query *ret_query);

/* Appends the statement as UTF-8, whatever it was written in: utf8, latin1, or plain ASCII of any
 * other character set. RC_UNSUPPORTED for other bytes, RC_LIMIT from `out`. */
MUST_USE enum rc binlog_query_utf8(const struct binlog_query *query, struct buf *out);

struct binlog_rotate {
	uint64_t pos;
	struct slice file;
};
MUST_USE enum rc binlog_rotate_read(struct slice body, struct binlog_rotate *ret_rotate);

/* ==== tables: table_map.c ==== */

struct binlog_table_map {
	uint64_t table_id;
	struct slice database, name;
	size_t column_count;
	struct slice types;    /* a byte a column */
	struct slice metas;    /* what each type says besides, packed */
	struct slice nullable; /* a bit a column */
	struct slice optional; /* the optional metadata, type-length-value */
};
/* RC_CORRUPT or RC_TRUNCATED for nonsense. */
MUST_USE enum rc binlog_table_map_read(struct slice body, struct binlog_table_map *ret_map);

struct binlog_column;

/* Writes the JSON of a column's value, neither NULL nor absent, at `at`, and returns its end; NULL
 * for bytes that the type cannot have or text that is not valid in its character set: scratch->rc
 * is RC_OK then, or says what else it was. `scratch` is reset or untouched. */
typedef uint8_t *binlog_put(
	uint8_t *at, const struct binlog_column *column, struct slice span, struct buf *scratch);

/* How a column's bytes are read. What the hot path looks at comes first. */
struct binlog_column {
	binlog_put *put;    /* by the type */
	struct slice label; /* the column's in event_table */
	size_t room;        /* bytes that its label and value take in a line at the most, besides
			     * JSON_ESCAPE_MAX times its own bytes and JSON_ESCAPE_ROOM */
	uint16_t length;    /* fixed length in bytes, 0 for those with a length in front */
	uint8_t prefix;     /* bytes of that length: 1 to 4 */
	uint8_t type;       /* the real type: STRING is resolved into ENUM and SET */
	uint8_t decimals, precision;
	bool is_unsigned, is_json;
	bool is_number;        /* integers and decimals: the JSON is also the text in a key */
	struct slice *members; /* ENUM, SET: ready JSON strings, with quotes; JSON_COPY_ROOM bytes
				  behind each can be read */
	size_t member_count;
	uint32_t pad; /* BINARY(n): zero bytes at the end are not in the log and put back up to n */
	enum binlog_text { BINLOG_TEXT_UTF8, BINLOG_TEXT_LATIN1, BINLOG_TEXT_BINARY } text;
};

/* A captured table as its rows are read. Immutable once built. */
struct binlog_table {
	struct event_table *table;
	struct binlog_column *columns;
	size_t column_count;
	size_t fixed_room; /* the sum of the columns' */
};

/* The columns of a table as the server's information schema tells them: schema.c. */
struct schema_column {
	char *name;
	char *type;    /* COLUMN_TYPE: "int(10) unsigned", "enum('a','b')" */
	char *charset; /* CHARACTER_SET_NAME or "" */
	bool nullable;
	bool is_json;       /* MySQL: type json; MariaDB: a CHECK that is json_valid(column) */
	unsigned key_place; /* 1.. in the primary key, 0 outside */
};
struct schema_table {
	struct schema_column *columns;
	size_t column_count;
};
/* RC_NOT_FOUND when there is no such table. */
MUST_USE enum rc schema_read(struct link *link, const struct mysql_server *server,
	struct slice database, struct slice table, struct schema_table **ret_schema,
	struct fault *fault);
void schema_free(struct schema_table *schema); /* accepts NULL */

/* What building the table of a map needs from a schema besides the map itself. */
enum binlog_need {
	BINLOG_NEEDS_NOTHING,
	BINLOG_NEEDS_JSON,  /* MariaDB: names are there, but a LONGTEXT in utf8mb4_bin may hold JSON
			     */
	BINLOG_NEEDS_NAMES, /* names (and perhaps signedness, character sets, members, key) */
};
enum binlog_need binlog_table_need(const struct binlog_table_map *map, bool is_mariadb);

/* MariaDB: calls `each` with the columns of a map that may hold JSON, until it answers other than
 * RC_OK, which is then the result. */
MUST_USE enum rc binlog_table_json_candidates(const struct binlog_table_map *map,
	enum rc (*each)(void *context, struct slice name), void *context);

/* What is needed to walk over the row images of a table whose changes nobody wants: lengths, no
 * names (table->table is NULL). Never fails for a type that is known at all. */
MUST_USE enum rc binlog_table_shape(
	const struct binlog_table_map *map, struct binlog_table **ret_table, struct fault *fault);

/* Builds a table from its map and (where needed, else NULL) its schema: for BINLOG_NEEDS_JSON one
 * that lists at least the candidates, by name; for BINLOG_NEEDS_NAMES one that lists all columns,
 * and is checked against the map: count, types, lengths, nullability, signedness. RC_SCHEMA: they
 * contradict, or names are missing (the fault names the column). RC_UNSUPPORTED: a type or
 * character set that this version does not decode. */
MUST_USE enum rc binlog_table_build(const struct binlog_table_map *map, bool is_mariadb,
	const struct schema_table *schema, struct binlog_table **ret_table, struct fault *fault);
void binlog_table_free(struct binlog_table *table); /* accepts NULL */

/* ==== rows: rows.c, value.c ==== */

enum binlog_change { BINLOG_INSERT, BINLOG_UPDATE, BINLOG_DELETE };

struct binlog_rows {
	uint64_t table_id;
	bool ends_statement;
	enum binlog_change change;
	size_t column_count;
	struct slice present, present_after; /* a bit a column; present_after only for updates */
	struct reader rest;                  /* the row images */
};
/* Row events v1 and v2, not compressed ones. v2 extra data is stepped over. An event holds at least
 * one row: read images until `rest` is empty, but always one (do ... while). One without columns
 * has no bytes: MySQL logs INSERT ... VALUES () so where binlog_row_image is MINIMAL. */
MUST_USE enum rc binlog_rows_read(const struct binlog_event *event,
	const struct binlog_format *format, struct binlog_rows *ret_rows);

/* The event type as a change; false for types that hold no rows. */
bool binlog_rows_change(unsigned type, enum binlog_change *ret_change);

/* A column's place in a row image: `at` NULL for SQL NULL, BINLOG_ABSENT for a column that is not
 * in the image. */
extern const uint8_t binlog_absent[1];
#define BINLOG_ABSENT binlog_absent

/* Walks one row image and fills spans[column_count]. RC_CORRUPT or RC_TRUNCATED when the bytes do
 * not fit the columns. */
MUST_USE enum rc binlog_image_read(const struct binlog_table *table, struct slice present,
	struct reader *rest, struct slice *spans);

/* Decodes one column from its span (neither NULL nor absent). `scratch` is reset and may hold the
 * value's bytes. RC_CORRUPT for bytes that the type cannot have. */
MUST_USE enum rc binlog_value_read(const struct binlog_column *column, struct slice span,
	struct buf *scratch, struct value *ret_value);

/* The function that does the same and event_put_value in one. Room: `room` of the column,
 * JSON_ESCAPE_MAX for each byte of the span, and JSON_ESCAPE_ROOM. */
binlog_put *binlog_put_of(const struct binlog_column *column);

/* ==== statements: ddl.c ==== */

enum ddl_kind {
	DDL_BEGIN,
	DDL_COMMIT,
	DDL_ROLLBACK,
	DDL_SAVEPOINT, /* also RELEASE and ROLLBACK TO */
	DDL_XA,
	DDL_HARMLESS,     /* changes neither rows nor columns of tables: CREATE USER, GRANT, CREATE
			     VIEW, ANALYZE, FLUSH ... */
	DDL_CREATE_TABLE, /* names[0] */
	DDL_ALTER_TABLE,  /* names[0]; also CREATE and DROP INDEX */
	DDL_DROP_TABLE,   /* names */
	DDL_TRUNCATE_TABLE,  /* names[0] */
	DDL_RENAME_TABLE,    /* names in pairs: from, to; also ALTER TABLE ... RENAME */
	DDL_DROP_DATABASE,   /* names[0].database */
	DDL_CREATE_DATABASE, /* also ALTER DATABASE */
	DDL_ROWS, /* changes rows as a statement: INSERT, UPDATE, LOAD DATA, CALL ...; names where
		     they are plain to see */
	DDL_UNKNOWN,
};

struct ddl_name {
	struct slice database, table; /* unquoted; point into `ddl.names_buf` */
};

struct ddl {
	enum ddl_kind kind;
	bool replaces;       /* CREATE OR REPLACE TABLE */
	bool moves_rows;     /* ALTER that drops, truncates, exchanges partitions or discards a
				tablespace: rows go without events */
	bool is_temporary;   /* TEMPORARY tables are in nobody's way */
	bool copies_columns; /* CREATE TABLE ... LIKE or ... SELECT: its columns are not in the text
			      */
	struct ddl_name *names;
	size_t name_count;
	struct buf names_buf;
};

/* Classifies a statement: comments are stepped over, version comments (/\*!50001 ... *\/, /\*M! ...
 * *\/) are read as the server does. Names without a database get `database`. What is not understood
 * is DDL_UNKNOWN, never a guess. Release with ddl_release. */
void ddl_read(const struct binlog_query *query, struct ddl *ret_ddl);
void ddl_release(struct ddl *ddl);

/* Calls `each` with every column that a CREATE or ALTER TABLE defines and whether its type is JSON
 * (also LONGTEXT with a json_valid check); and, `named` false, with columns that it renames or
 * drops (their JSON-ness by name is unknown afterwards). */
void ddl_json_columns(const struct binlog_query *query,
	void (*each)(void *context, struct slice column, bool named, bool is_json), void *context);

#endif
