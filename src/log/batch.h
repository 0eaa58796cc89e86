/* What the log's writer sees of a sealed batch. Inside of the room only.
 *
 * Thread: the batch's owner. */
#ifndef LOG_BATCH_H
#define LOG_BATCH_H

#include <sys/uio.h>

#include "log/format.h"
#include "log/log.h"

/* What only the writer knows; it patches this into the header. */
struct batch_place {
	uint64_t address, durable;
	int64_t arrival_us;
	uint32_t previous; /* checksum of the header of the batch before it */
};

/* The header's values as sealed. */
const struct batch_head *batch_sealed_head(const struct log_batch *batch);
struct slice batch_sealed_mark(const struct log_batch *batch);

/* Patches the header and sums it up; returns its checksum. May be called again with another place:
 * the last call counts. */
uint32_t batch_set_place(struct log_batch *batch, const struct batch_place *place);

/* The pieces of the batch in the order of the file. They belong to the batch: copy before
 * disk_write, which changes them. */
const struct iovec *batch_parts(const struct log_batch *batch, size_t *ret_count);

#endif
