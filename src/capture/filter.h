/* Which tables are captured; see filter.c. */
#ifndef CAPTURE_FILTER_H
#define CAPTURE_FILTER_H

#include "capture/capture.h"

/* Whether a table's changes go into the stream. */
bool filter_table(const struct capture_options *options, struct slice database, struct slice table);

/* Whether some table of the database may. */
bool filter_database(const struct capture_options *options, struct slice database);

/* Everything that decides which events exist and how they look, summed up (formats.md,
 * "fingerprint"). */
uint64_t filter_fingerprint(const struct capture_options *options);

/* Reads FILE:POSITION as settings have it: a name that a place can hold, and digits alone. */
bool filter_place(const char *text, struct slice *ret_file, uint64_t *ret_pos);

/* Whether the operator said to step over the event at this place. */
bool filter_skips(const struct capture_options *options, const char *file, uint64_t pos);

/* RC_CONFIG when an entry of source.skip is not FILE:POSITION. */
MUST_USE enum rc filter_check(const struct capture_options *options, struct fault *fault);

/* What the operator said of a MariaDB column: 1 holds JSON, 0 holds text, -1 nothing. */
int filter_json(const struct capture_options *options, struct slice database, struct slice table,
	struct slice column);

#endif
