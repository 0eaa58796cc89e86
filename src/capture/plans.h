/* The tables that the source's row events speak of, ready to be read.
 *
 * Each table map is looked at once: as long as a table id comes with the same bytes, what was built
 * for it is used again. For a table that is not captured only its shape is kept, since its rows are
 * counted (a position inside a transaction counts rows before filters).
 *
 * Thread: source. */
#ifndef CAPTURE_PLANS_H
#define CAPTURE_PLANS_H

#include "base/map.h"
#include "capture/capture.h"

struct schemas;

struct plan {
	uint64_t table_id;
	bool is_captured;
	struct binlog_table *table; /* captured: with names; else: its shape only */
	struct slice body;          /* of the table map that it was built from; owned */
	uint8_t digest[16];         /* of the schema as it is told: names, types, key */
};

struct plans {
	const struct capture_options *options;
	struct schemas *schemas;
	bool is_mariadb;
	struct map by_id; /* table id, 8 bytes -> struct plan */
};

void plans_release(struct plans *plans);

/* The plan for a table map event, built if need be. RC_SCHEMA, RC_UNSUPPORTED, RC_CORRUPT say why
 * it cannot be; reading columns from the server may answer RC_UNREACHABLE. Valid until
 * plans_forget. */
MUST_USE enum rc plans_map(struct plans *plans, const struct binlog_event *event,
	struct plan **ret_plan, struct fault *fault);

/* The plan for a row event's table id; NULL when no table map told it. */
struct plan *plans_find(const struct plans *plans, uint64_t table_id);

/* The digest of a schema as a line of op s tells it: its columns and its key. RC_CORRUPT when it is
 * not such a line. */
MUST_USE enum rc plans_digest(struct slice line, uint8_t ret_digest[16]);

/* Forgets everything (a bound on memory; a new binlog file begins; columns may have changed). */
void plans_forget(struct plans *plans);

#endif
