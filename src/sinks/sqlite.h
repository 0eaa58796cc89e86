/* The inside of the SQLite read model, shared by sqlite.c (rows) and sqlite_file.c (the file, its
 * full-text index and its views). docs/READ-MODEL.md is the page of its tables.
 *
 * Thread: as sink.h. */
#ifndef SINKS_SQLITE_H
#define SINKS_SQLITE_H

#include "sinks/sink.h"
#include "sinks/sql.h"

struct read_model {
	struct sql sql;
	char *where;
	bool search;
	struct buf database, table, scratch; /* names without escapes; SQL text */
	struct buf old_text, new_text;       /* what the index has, and is to have, of a document */
};

/* Opens the file, makes it ours, and makes or drops the full-text index as `search` says. */
MUST_USE enum rc read_model_open(struct read_model *model, const char *path,
	const struct hub_meta *stream, const char *const *texts, size_t count, struct fault *fault);

/* Sets model->database and model->table. */
MUST_USE enum rc read_model_names(
	struct read_model *model, const struct event_view *view, struct fault *fault);

/* Within a transaction, with the names set: keeps the columns of a schema record and makes the
 * table's view; forgets both for what was dropped. */
MUST_USE enum rc read_model_schema(
	struct read_model *model, const struct event_view *control, struct fault *fault);
MUST_USE enum rc read_model_forget(struct read_model *model, struct fault *fault);

#endif
