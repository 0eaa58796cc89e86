/* The contract between the engine and a kind of sink. A sink is only encoding and answers: the
 * engine (engine.c, deliver.c) knows batches, tries, pauses, dead letters and checkpoints.
 *
 * For each batch the engine calls begin, apply (again and again until no item is left to be tried),
 * commit; or rollback after an error, and then begin again. A control record takes the same way
 * with truncate or schema in the place of apply. All slots are mandatory.
 *
 * The class of an error decides: retry means a pause and the same again, the others end the sink.
 *
 * Thread: the sink's own, or the one that replays dead letters with a target of its own. */
#ifndef SINKS_SINK_H
#define SINKS_SINK_H

#include <stdatomic.h>

#include "sinks/letters.h"
#include "sinks/sinks.h"

enum sink_outcome {
	SINK_RETRY,   /* not tried yet, or to be tried again */
	SINK_DONE,    /* took effect */
	SINK_STALE,   /* the target has it already, or something newer */
	SINK_REFUSED, /* it never will, as it is; `reason` says why */
};

/* One row change. `line`, `key` and the view point into the batch. */
struct sink_item {
	struct slice line; /* with its newline */
	struct slice key;  /* partition key */
	struct event_view view;
	uint64_t hash; /* of `key` */
	enum sink_outcome outcome;
	char *reason; /* owned by the batch; NULL unless refused */
};

/* What apply is given, and what it tells besides the outcomes. */
struct sink_round {
	struct sink_item *items; /* in order of ordinals; those with SINK_RETRY are to be tried */
	size_t count;
	bool replay; /* dead letters: each takes effect at most once, whatever its age */
	const atomic_bool *stop; /* may be NULL; when it becomes true: RC_STOPPED */
	/* answers */
	struct fault why;       /* of the items that are left to be tried, when there are any */
	int64_t retry_after_us; /* what the target asked for, or 0 */
};

/* What a target is opened with. */
struct sink_place {
	const char *name;                /* of the sink */
	const struct settings *settings; /* of the sink */
	const char *data;                /* data folder */
	const struct hub_meta *stream;
	struct letters *letters; /* of the sink: it also keeps the target's places (letters.h) */
};

/* Says that commit is to leave the checkpoint as it is. */
#define SINK_NO_CHECKPOINT UINT64_MAX

struct sink_ops {
	/* Whether the checkpoint lives in the target, in one transaction with the effect: load and
	 * commit keep it, and rollback undoes what apply did since begin. Else the hub keeps it. */
	bool keeps_checkpoint;

	/* Makes a target from its settings. Does not wait for a peer. */
	enum rc (*open)(const struct sink_place *place, void **ret_target, struct fault *fault);
	void (*close)(void *target); /* accepts NULL */

	/* Where the target is, for people: "file 'x'", "http://h:9200". */
	const char *(*where)(const void *target);

	/* How somebody makes the sink start over: the hint of a trimmed start. */
	void (*start_over)(const void *target, struct buf *out);

	/* RC_NOT_FOUND: none yet. */
	enum rc (*load)(void *target, uint64_t *ret_next, struct fault *fault);

	enum rc (*begin)(void *target, struct fault *fault);
	void (*rollback)(void *target);

	/* Tries the items with SINK_RETRY and sets their outcomes. An error is about all of them;
	 * one item's troubles are its outcome. */
	enum rc (*apply)(void *target, struct sink_round *round, struct fault *fault);

	/* Removes what the table (table empty: the database) has with a lower ordinal. `round` has
	 * no items. */
	enum rc (*truncate)(void *target, const struct event_view *control,
		struct sink_round *round, struct fault *fault);

	/* The columns of a table, from here on (`columns` is not empty). */
	enum rc (*schema)(void *target, const struct event_view *control, struct fault *fault);

	/* Makes everything since begin durable, with the checkpoint. */
	enum rc (*commit)(void *target, uint64_t next, struct fault *fault);
};

extern const struct sink_ops sink_sqlite, sink_elastic;

/* The one that the settings name. */
const struct sink_ops *sink_ops_of(const struct settings *settings);

/* Gives an item its outcome "refused" with a reason, cut to what a letter keeps. */
void sink_refuse(struct sink_item *item, const char *format, ...) PRINTF_LIKE(2, 3);

/* Whether the event is of a table without a key. */
static inline bool sink_is_keyless(const struct event_view *view)
{
	return view->key.len == 0 || view->key.at[0] != '{';
}

#endif
