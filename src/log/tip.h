/* The tip: which batch was acknowledged last, told to all processes. Inside of the room only.
 *
 * A file of 4 KiB that the writer and the readers map; docs/formats/segment.md lays it out. The
 * writer changes it only after the batch is durable. So whatever a power cut leaves of it is a
 * lower bound of what was acknowledged, and it needs no sync of its own.
 *
 * Thread: the writer's half THREAD_LOG, the readers' half any, in any process. */
#ifndef LOG_TIP_H
#define LOG_TIP_H

#include "base/bytes.h"

struct tip_page;

struct tip {
	struct tip_page *page; /* NULL: none */
};

void tip_close(struct tip *tip); /* accepts a zeroed one */

/* ---- the writer ---- */

/* What a tip says when a log is opened. */
struct tip_state {
	bool is_valid;    /* the rest holds */
	uint64_t address; /* where the last acknowledged batch begins; 0: no batch yet */
	int64_t born_us;  /* of which log; 0 when address is 0 */
};

/* Maps FOLDER/tip for writing; makes a new file where there is none or one that is not ours. */
MUST_USE enum rc tip_open(
	const char *folder, struct tip *ret_tip, struct tip_state *ret_state, struct fault *fault);

/* Publishes and wakes all who wait. The batch at `address` is durable. */
void tip_publish(struct tip *tip, uint64_t address, int64_t born_us);

/* ---- readers ---- */

/* RC_NOT_FOUND when there is no log. */
MUST_USE enum rc tip_open_read(const char *folder, struct tip *ret_tip, struct fault *fault);

uint64_t tip_address(const struct tip *tip);

/* The number of publications so far, and a wait until it is another one than `seen`, for
 * `timeout_us` at the most; may return early. */
uint32_t tip_changes(const struct tip *tip);
void tip_wait(const struct tip *tip, uint32_t seen, int64_t timeout_us);

#endif
