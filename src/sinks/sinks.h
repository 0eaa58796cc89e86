/* Sinks: what keeps a read model elsewhere equal to the stream. One thread per sink reads the
 * stream from the sink's own checkpoint and delivers it in batches; what the target refuses for
 * good is put aside as a dead letter.
 *
 * Promises:
 *  1. The checkpoint passes an event only after its effect, or its dead letter, is durable.
 *  2. Events of one key take effect in order; an old event never wins over a newer one.
 *  3. A sink in trouble waits and says why; it slows neither the stream nor other sinks, and it
 *     never jumps over a part of the stream.
 *
 * Threads: the functions of a sink are main's; the sink has a thread of its own (THREAD_ROLE). The
 * functions of dead letters: any thread, also in another process while the sink runs. */
#ifndef SINKS_SINKS_H
#define SINKS_SINKS_H

#include "hub/hub.h"

struct settings;
struct stage;

struct sink_options {
	const char *name;                /* of the sink; its consumer is "sink-NAME" */
	const struct settings *settings; /* its section; read-only, outlives the sink */
	const char *folder;              /* of the stream: hub_folder */
	const char *data;                /* data folder */
	struct stage *stage;             /* NULL only for dead letters */
};

struct sink;

/* Starts the thread and waits until it has opened its target: what only a change of the
 * configuration can mend (a foreign file, a pattern that is none) is a fault here. A target that is
 * away is none: the sink waits for it. The texts of `options` are copied. */
MUST_USE enum rc sink_start(
	const struct sink_options *options, struct sink **ret_sink, struct fault *fault);

/* Ends by itself when everything below the ordinal `until` is delivered. Once. */
void sink_drain(struct sink *sink, uint64_t until);

/* Ends soon: a request in flight is cut, a pause is broken off. What was not acknowledged comes
 * again after the next start. */
void sink_stop(struct sink *sink);

/* Waits for the end of the thread and frees the sink. RC_OK after a drain or a stop, else why it
 * failed. Accepts NULL. */
MUST_USE enum rc sink_join(struct sink *sink, struct fault *fault);

/* RC_OK, or why it delivers nothing any more (the stage says so too). */
enum rc sink_failed(struct sink *sink, struct fault *fault);

/* The next ordinal that the sink wants: everything below it is delivered or put aside. */
uint64_t sink_next(const struct sink *sink);

/* ---- dead letters: docs/DEAD-LETTERS.md ---- */

/* waiting: nothing newer is known for its key, replay will try it. replayed: the target took it.
 * superseded: a newer event of its key, or a truncate of its table, made it void. discarded: by
 * somebody's will. Only waiting ones ever change. */
enum dead_state { DEAD_WAITING, DEAD_REPLAYED, DEAD_SUPERSEDED, DEAD_DISCARDED, DEAD_STATE_COUNT };
const char *dead_state_name(enum dead_state state);
bool dead_state_read(const char *name, enum dead_state *ret_state);

/* Borrowed until the callback returns. */
struct dead_letter {
	const char *sink;
	uint64_t ordinal;
	struct slice database, table;
	struct slice key;           /* JSON, or empty for a table without a key */
	struct slice partition_key; /* of the stream */
	struct slice reason;        /* what the target said last */
	struct slice line;          /* the whole event, without its newline */
	int64_t when_us;            /* put aside */
	int64_t changed_us;         /* last change of `state` or `reason` */
	uint64_t tries;             /* by replay */
	enum dead_state state;
	uint64_t superseded_by; /* ordinal, or 0 */
};

/* Which letters are meant: all that fit. Zeroed, with `states` 0: all. */
struct dead_filter {
	unsigned states;              /* bits 1 << enum dead_state; 0: any */
	const char *database, *table; /* NULL: any; exact names */
	bool one;                     /* only the one with `ordinal` */
	uint64_t ordinal;
	uint64_t from;  /* not those with a lower ordinal */
	uint64_t limit; /* 0: none */
};

/* Calls `each` in order of ordinals until it answers other than RC_OK, which is then the result
 * (RC_END for: enough, answered as RC_OK). RC_NOT_FOUND: the sink never ran on this data folder. */
MUST_USE enum rc sinks_dead_list(const char *data, const char *name,
	const struct dead_filter *filter,
	enum rc (*each)(void *context, const struct dead_letter *letter, struct fault *fault),
	void *context, struct fault *fault);

struct dead_result {
	uint64_t replayed;   /* the target took them */
	uint64_t superseded; /* the target, or the letters, know something newer */
	uint64_t refused;    /* refused again: they go on waiting, with the new reason */
};

/* Tries the waiting letters that the filter means (its `states` are not looked at), oldest first.
 * Safe while the sink runs and while it does not: each group is tried under the lock of the
 * letters' file. Stops at the first error that is not about a letter (the target is away, ...);
 * *ret_result says how far it came in any case. `options->stage` is not used. */
MUST_USE enum rc sinks_dead_replay(const struct sink_options *options,
	const struct dead_filter *filter, struct dead_result *ret_result, struct fault *fault);

/* Marks waiting letters as discarded; the documents stay in the file. */
MUST_USE enum rc sinks_dead_discard(const char *data, const char *name,
	const struct dead_filter *filter, uint64_t *ret_count, struct fault *fault);

#endif
