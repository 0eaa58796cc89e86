/* Columns that the binlog itself does not name, taken from the server's information schema, but
 * only where that is proven right.
 *
 * The information schema tells the columns of now; a row event was written with those of its
 * position. They are the same if no statement between the two touched the table. So the binlog is
 * read ahead (a second connection, statements only) from the position to the moment of the reading,
 * and every table that a statement touched there is remembered with the last such place: its
 * columns are right from there on, not before. What cannot be proven stops the capture (RC_SCHEMA):
 * never a guess.
 *
 * MariaDB's JSON is LONGTEXT in the binlog. Whether a column holds JSON is known from what the
 * operator says (source.json_columns), from a CREATE or ALTER TABLE that went by, from the stream's
 * own schema records, or from the information schema as above.
 *
 * Thread: source. */
#ifndef CAPTURE_SCHEMAS_H
#define CAPTURE_SCHEMAS_H

#include "base/map.h"
#include "capture/capture.h"

struct schemas {
	const struct capture_options *options;
	const struct mysql_server *server;
	const atomic_bool *stop;
	struct map
		columns; /* database NUL table -> struct known: read from the information schema */
	struct map json; /* database NUL table -> struct json_known */
	struct ahead *ahead;         /* what reading ahead has found */
	struct schema_table *answer; /* the last one for BINLOG_NEEDS_JSON */
};

void schemas_init(
	struct schemas *schemas, const struct capture_options *options, const atomic_bool *stop);
void schemas_release(struct schemas *schemas);

/* The schema to build the table of a map at FILE:POS with. For BINLOG_NEEDS_JSON only is_json of
 * its columns is told. Valid until the next schemas call. */
MUST_USE enum rc schemas_find(struct schemas *schemas, const struct binlog_table_map *map,
	enum binlog_need need, const char *file, uint64_t pos,
	const struct schema_table **ret_schema, struct fault *fault);

/* A statement that touches tables went by: what was known of them is no longer sure, or is known
 * better. */
void schemas_follow(
	struct schemas *schemas, const struct binlog_query *query, const struct ddl *ddl);

/* A line of op s with columns that is in force at the end of the stream. */
MUST_USE enum rc schemas_learn(struct schemas *schemas, struct slice line, struct fault *fault);

#endif
