/* Dropping old segments; see log.h.
 *
 * From the oldest on, one at a time, each made durable before the next: so what a power cut brings
 * back is never behind a hole. The segment with the last acknowledged batch stays, also when a
 * newer one, still empty, exists: recovery takes the log's end from that batch.
 *
 * Thread: THREAD_LOG. */
#include "base/crash.h"
#include "base/disk.h"
#include "base/mem.h"
#include "base/thread.h"
#include "log/writer.h"

/* The last arrival in a segment stands in the head of the next one. */
static enum rc learn_arrival(struct log *log, struct fault *fault)
{
	struct log_segment *oldest = &log->segments[0];
	if (oldest->has_arrival)
		return RC_OK;
	struct segment next;
	segment_init(&next);
	enum rc rc = segment_open(&next, log->folder, &log->segments[1].name, fault);
	if (rc == RC_OK) {
		oldest->has_arrival = true;
		oldest->last_arrival_us = next.head.previous_arrival_us;
	}
	segment_release(&next);
	return rc;
}

static enum rc drop_oldest(struct log *log, struct fault *fault)
{
	const struct segment_name *name = &log->segments[0].name;
	char *index = segment_path(log->folder, name, SEGMENT_INDEX);
	char *data = segment_path(log->folder, name, SEGMENT_DATA);
	crash_point(CRASH_RETAIN);
	enum rc rc = disk_unlink(index, fault);
	if (rc == RC_OK)
		rc = disk_unlink(data, fault);
	if (rc == RC_OK)
		rc = disk_sync_folder(log->folder, fault);
	mem_free(index);
	mem_free(data);
	if (rc != RC_OK)
		return rc;
	log->segment_count--;
	memmove(log->segments, log->segments + 1, log->segment_count * sizeof *log->segments);
	return RC_OK;
}

static uint64_t bytes_of_all(const struct log *log)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < log->segment_count; i++)
		bytes += log->segments[i].bytes;
	return bytes;
}

/* Whether the oldest segment goes. */
static enum rc decide(struct log *log, const struct log_retention *retention,
	struct log_retained *retained, bool *ret_goes, struct fault *fault)
{
	*ret_goes = false;
	const struct log_segment *oldest = &log->segments[0];
	if (log->segment_count < 2 ||
		oldest->name.number >= address_segment(log->acknowledged_batch))
		return RC_OK;
	enum rc rc = learn_arrival(log, fault);
	if (rc != RC_OK)
		return rc;
	uint64_t rest = retained->bytes - oldest->bytes;
	bool is_over = retention->size_max > 0 && rest > retention->size_max;
	bool is_old = oldest->last_arrival_us < retention->arrived_before_us;
	bool is_free = log->segments[1].name.first_ordinal <= retention->keep_from;
	retained->held = is_over && !is_free;
	*ret_goes = (is_over || is_old) && is_free;
	return RC_OK;
}

enum rc log_retain(struct log *log, const struct log_retention *retention,
	struct log_retained *ret_retained, struct fault *fault)
{
	thread_assert(THREAD_LOG);
	struct log_retained retained = {.bytes = bytes_of_all(log)};
	for (;;) {
		bool goes = false;
		enum rc rc = decide(log, retention, &retained, &goes, fault);
		if (rc != RC_OK)
			return rc;
		if (!goes)
			break;
		uint64_t bytes = log->segments[0].bytes;
		struct fault local;
		rc = drop_oldest(log, &local);
		if (rc != RC_OK) {
			rc = log_fail(log, &local);
			if (fault)
				*fault = local;
			return rc;
		}
		retained.dropped_segments++;
		retained.dropped_bytes += bytes;
		retained.bytes -= bytes;
	}
	if (log->segment_count > 0)
		retained.first_ordinal = log->segments[0].name.first_ordinal;
	*ret_retained = retained;
	return RC_OK;
}
