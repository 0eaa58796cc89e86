/* The letters' file of a sink, DATA/dead-letters/NAME.db: dead letters, and what the sink must
 * remember of each table besides. docs/DEAD-LETTERS.md is the page of its tables.
 *
 * A letter is durable when its transaction is over (synchronous = FULL), which is before the
 * checkpoint passes it. States change under the file's write lock, also by other processes, and
 * only away from "waiting".
 *
 * The keys with waiting letters are kept in memory as hashes, so that delivering an event costs no
 * look-up; above WAITING_KEYS_MAX of them every key is looked up in the file. Only this sink adds
 * letters, hence what is in memory is never too little.
 *
 * Thread: one owner at a time. */
#ifndef SINKS_LETTERS_H
#define SINKS_LETTERS_H

#include "sinks/sinks.h"

struct letters;
struct sink_item;

enum { WAITING_KEYS_MAX = 1 << 16, LETTER_REASON_MAX = 600 };

/* `stream` NULL: the file must be there already (RC_NOT_FOUND); else it is made. */
MUST_USE enum rc letters_open(const char *data, const char *sink, const struct hub_meta *stream,
	struct letters **ret_letters, struct fault *fault);
void letters_close(struct letters *letters); /* accepts NULL */

/* Takes and gives back the write lock: for a change that hangs together with one of the target. */
MUST_USE enum rc letters_begin(struct letters *letters, struct fault *fault);
MUST_USE enum rc letters_commit(struct letters *letters, struct fault *fault);
void letters_rollback(struct letters *letters);

/* Hash of a partition key. */
uint64_t letters_hash(struct slice key);

/* ---- delivering: each call is a transaction of its own ---- */

/* Puts the refused among the items aside, then does what letters_supersede does. An item that has a
 * letter already keeps it. */
MUST_USE enum rc letters_add(
	struct letters *letters, const struct sink_item *items, size_t count, struct fault *fault);

/* Waiting letters with a key and a lower ordinal than one of the items become superseded by it. Of
 * a table without a key, where a delete takes one of several equal rows away, it supersedes one. */
MUST_USE enum rc letters_supersede(
	struct letters *letters, const struct sink_item *items, size_t count, struct fault *fault);

/* The same for all of a table, or (table empty) of a database. */
MUST_USE enum rc letters_truncate(struct letters *letters, struct slice database,
	struct slice table, uint64_t ordinal, struct fault *fault);

/* ---- one by one ---- */

MUST_USE enum rc letters_each(struct letters *letters, const struct dead_filter *filter,
	enum rc (*each)(void *context, const struct dead_letter *letter, struct fault *fault),
	void *context, struct fault *fault);

/* After a try: a new state, or waiting still, with another reason. Within letters_begin. */
MUST_USE enum rc letters_settle(struct letters *letters, uint64_t ordinal, enum dead_state state,
	struct slice reason, struct fault *fault);

MUST_USE enum rc letters_discard(struct letters *letters, const struct dead_filter *filter,
	uint64_t *ret_count, struct fault *fault);

/* ---- tables: what the sink remembers ---- */

/* How many columns a whole row has (0: not known), for rows behind the ordinal `since`. */
struct letters_columns {
	uint64_t count, since;
};
MUST_USE enum rc letters_columns_load(struct letters *letters, struct slice database,
	struct slice table, struct letters_columns *ret_columns, struct fault *fault);
MUST_USE enum rc letters_columns_save(struct letters *letters, struct slice database,
	struct slice table, const struct letters_columns *columns, struct fault *fault);

/* Forgets a dropped table, or (table empty) all of a database: what it kept and its place. */
MUST_USE enum rc letters_forget(
	struct letters *letters, struct slice database, struct slice table, struct fault *fault);

/* Whose a place in the target (an index) is: *ret_ours, or nobody's, or RC_CONFIG when another
 * table has it (`owner` is scratch). */
MUST_USE enum rc letters_place_owner(struct letters *letters, struct slice database,
	struct slice table, const char *place, bool *ret_ours, struct buf *owner,
	struct fault *fault);
/* Gives a place that is nobody's to a table, in place of the one that it has. */
MUST_USE enum rc letters_place_claim(struct letters *letters, struct slice database,
	struct slice table, const char *place, struct fault *fault);

/* Calls `each` with the places of a database's tables. */
MUST_USE enum rc letters_places(struct letters *letters, struct slice database,
	enum rc (*each)(void *context, const char *place, struct fault *fault), void *context,
	struct fault *fault);

#endif
