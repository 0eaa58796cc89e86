/* Crash points: the places where a test wants the process to die.
 *
 * MILLSTREAM_CRASH=STAGE:N kills the process with SIGKILL when STAGE is passed for the Nth time.
 * Without the variable a crash point is one predictable branch; none lies on a per-row path.
 *
 * Thread: any. */
#ifndef BASE_CRASH_H
#define BASE_CRASH_H

#include <stdbool.h>

/* clang-format off */
#define CRASH_TABLE(X) \
	X(APPEND, "append")             /* a group of batches is written, not yet synced */ \
	X(ACKNOWLEDGE, "acknowledge")   /* synced, not yet told to anybody */ \
	X(ROLL, "roll")                 /* the old segment is sealed, the new one not yet begun */ \
	X(ROLLED, "rolled")             /* the new segment exists, nothing is in it */ \
	X(RETAIN, "retain")             /* a segment is about to be dropped */ \
	X(ARCHIVE_META, "archive-meta") /* an object's .meta is there, the object not */ \
	X(ARCHIVE_LINK, "archive-link") /* the object has its name, the manifest does not know it */ \
	X(SINK_SEND, "sink-send")       /* a batch was handed to the target, its answer not yet seen */ \
	X(SINK_COMMIT, "sink-commit")   /* the target has it, our checkpoint does not */ \
	X(SINK_COMMITTED, "sink-committed")
/* clang-format on */

enum crash_stage {
#define X(name, text) CRASH_##name,
	CRASH_TABLE(X)
#undef X
		CRASH_COUNT
};

/* Reads the environment; called once, before threads start. False for a value that is not
 * understood. */
bool crash_init(void);

extern enum crash_stage crash_armed;
void crash_count_down(void);

static inline void crash_point(enum crash_stage stage)
{
	if (__builtin_expect(stage == crash_armed, 0))
		crash_count_down();
}

#endif
