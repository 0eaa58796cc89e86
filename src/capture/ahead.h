/* Reading the binlog ahead for statements that touch tables; see ahead.c.
 *
 * Thread: source. */
#ifndef CAPTURE_AHEAD_H
#define CAPTURE_AHEAD_H

#include "base/map.h"
#include "capture/capture.h"

struct place {
	char file[EVENT_FILE_MAX];
	uint64_t pos;
};

/* -1, 0, 1 */
int place_compare(const struct place *a, const struct place *b);
struct place place_of(const char *file, uint64_t pos);

/* What was found of one table. */
struct touch {
	struct place last; /* where the last statement on it ends */
	bool is_opaque; /* one of them made, dropped or renamed the table, or was not understood */
	struct buf columns; /* names, each with a NUL behind it, that column definitions mention */
};

struct ahead {
	const struct capture_options *options;
	const struct mysql_server *server;
	const atomic_bool *stop;
	struct place from, to;    /* the part that was read; empty files: none */
	struct map touched;       /* database NUL table -> struct touch */
	struct touch *everything; /* statements that may touch any table; NULL: none */
};

void ahead_release(struct ahead *ahead);

/* Makes sure that everything from `at` to `to` was read. RC_UNREACHABLE, RC_STOPPED, ... as
 * binlog_next. */
MUST_USE enum rc ahead_read(
	struct ahead *ahead, const struct place *at, const struct place *to, struct fault *fault);

/* What touched a table behind `at`; NULL when nothing did. */
const struct touch *ahead_find(const struct ahead *ahead, struct slice key, const struct place *at);

/* database NUL table */
void table_key(struct slice database, struct slice table, struct buf *out);

#endif
