/* Stages: what the outside can see of each part of the flow. A role registers its stage at start,
 * adds to its numbers (once a batch, never once a row) and says its state; the console reads.
 *
 * Thread: any; numbers are atomic, the state's text has a lock. Stages live until the process ends.
 */
#ifndef BASE_STAGE_H
#define BASE_STAGE_H

#include <stdatomic.h>

#include "base/bytes.h"

enum stage_metric {
#define STAGE_METRIC(name, kind, metric, help) STAGE_##name,
#include "base/stage.def"
#undef STAGE_METRIC
	STAGE_METRIC_COUNT
};

enum stage_state { STAGE_STARTING, STAGE_RUNNING, STAGE_WAITING, STAGE_FAILED, STAGE_DONE };

enum { STAGE_MAX = 32, STAGE_TEXT_MAX = 512 };

struct stage;

/* `kind` is capture, log, archive or sink; `name` is unique ("capture", "sink:search"). Both are
 * copied. At most STAGE_MAX stages: one more aborts, the configuration checks the number before. */
struct stage *stage_new(const char *kind, const char *name);

void stage_add(struct stage *stage, enum stage_metric metric, uint64_t amount);
void stage_set(struct stage *stage, enum stage_metric metric, uint64_t value);
uint64_t stage_get(const struct stage *stage, enum stage_metric metric);

/* State and a text for people ("connected to 127.0.0.1:3306", "retrying: ..."). */
void stage_say(struct stage *stage, enum stage_state state, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* Where the stage is in its own terms: "binlog.000003:1234, GTID 0-1-5". */
void stage_place(struct stage *stage, const char *format, ...) PRINTF_LIKE(2, 3);

/* Reading. NULL behind the last one. */
const struct stage *stage_at(size_t index);
const char *stage_kind(const struct stage *stage);
const char *stage_name(const struct stage *stage);
const char *stage_state_name(enum stage_state state);
void stage_texts(
	const struct stage *stage, char ret_text[STAGE_TEXT_MAX], char ret_place[STAGE_TEXT_MAX]);

/* The table: NULL behind its end. */
const char *stage_metric_name(size_t index);
const char *stage_metric_help(size_t index);
bool stage_metric_is_counter(size_t index);

#endif
