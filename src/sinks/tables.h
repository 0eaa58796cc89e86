/* What the engine knows of the tables whose events it meets: whether they are wanted, and how many
 * columns a whole row has.
 *
 * A fixed number of notes, each for the table that was met last in its place: memory does not grow
 * with the number of tables.
 *
 * Thread: the sink's own. */
#ifndef SINKS_TABLES_H
#define SINKS_TABLES_H

#include "sinks/sink.h"

enum { TABLE_NOTES = 64 };

struct table_note {
	struct buf raw; /* database, a zero byte, table: with their escapes */
	bool wanted;
	struct letters_columns columns;
};

struct tables {
	const struct settings *settings; /* of the sink: its patterns */
	struct letters *letters;
	struct table_note notes[TABLE_NOTES];
	struct buf raw, database, table; /* scratch */
};

void tables_init(struct tables *tables, const struct settings *settings, struct letters *letters);
void tables_release(struct tables *tables);

/* The note of an event's table. Events of a whole database are always wanted. Valid until the next
 * call. */
MUST_USE enum rc tables_find(struct tables *tables, const struct event_view *view,
	const struct table_note **ret_note, struct fault *fault);

/* Before a control record takes effect: remembers, durably, how many columns a schema record tells.
 */
MUST_USE enum rc tables_learn(
	struct tables *tables, const struct event_view *control, struct fault *fault);

/* After one took effect: forgets what was dropped. Without the letters' lock. */
MUST_USE enum rc tables_forget(
	struct tables *tables, const struct event_view *control, struct fault *fault);

/* Supersedes the letters of what a control record truncates. */
MUST_USE enum rc tables_truncate_letters(
	struct tables *tables, const struct event_view *control, struct fault *fault);

/* RC_UNFIT for a row that lacks columns (binlog_row_image MINIMAL or NOBLOB): as a document it
 * would take away what it does not tell. */
MUST_USE enum rc tables_check_row(
	const struct table_note *note, const struct event_view *view, struct fault *fault);

#endif
