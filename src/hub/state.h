/* What the local backend keeps besides the log: position, GTID set and schemas at the stream's end.
 *
 * All of it follows from the log: the head of the newest segment holds it as it was at that
 * segment's start, and each batch behind tells what it adds. So nothing here needs a file of its
 * own, but the schemas: they may be large, and a head names a snapshot file of them.
 *
 *   head: version u8 | flavor u8 | GTID set, varint length and text | name of the schema file,
 * varint length and text mark: position (event/position.c) | flavor u8 | GTIDs that the batch adds,
 * varint length and text
 *
 * Thread: THREAD_LOG, or one thread before it starts. */
#ifndef HUB_STATE_H
#define HUB_STATE_H

#include "base/map.h"
#include "hub/hub.h"

struct local_state {
	const char *folder; /* of the stream; borrowed */
	struct hub_state hub;
	struct map schemas; /* partition key of a table's control records -> its line of op s with
			       columns */
};

void local_state_init(struct local_state *state, const char *folder);
void local_state_release(struct local_state *state);

/* Rebuilds the state from an opened log. */
MUST_USE enum rc local_state_load(struct local_state *state, struct log *log, struct fault *fault);

/* Makes the mark of a batch. */
void local_mark_write(const struct hub_mark *mark, struct buf *out);

/* Takes in what a batch adds, once it was appended. */
void local_state_follow(struct local_state *state, struct slice mark_bytes, struct slice controls,
	uint64_t next_ordinal);

/* Appends what a segment's head keeps, having written the schema file that it names. */
MUST_USE enum rc local_state_head(struct local_state *state, struct buf *out, struct fault *fault);

/* Removes schema files that no segment from `first_ordinal` on names. */
void local_state_sweep(const struct local_state *state, uint64_t first_ordinal);

/* Calls `each` with the schema lines in force. */
MUST_USE enum rc local_state_schemas(const struct local_state *state,
	enum rc (*each)(void *context, struct slice line, struct fault *fault), void *context,
	struct fault *fault);

#endif
