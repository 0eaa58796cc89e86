/* What the stream's folder tells: bounds, and where its consumers are; see inside.h.
 *
 * The stream is opened anew each time, a few small reads: a reader kept open would keep the disk
 * space of a segment that retention dropped. */
#include "console/inside.h"

#include <stdio.h>

#include "base/clock.h"
#include "hub/hub.h"

enum { FRESH_US = 1000000 };

static enum rc add_consumer(void *context, const char *name, uint64_t next, struct fault *fault)
{
	struct stream_facts *facts = context;
	(void)fault;
	if (facts->consumer_count == CONSUMERS_MAX)
		return RC_OK;
	struct consumer *consumer = &facts->consumers[facts->consumer_count++];
	(void)snprintf(consumer->name, sizeof consumer->name, "%s", name);
	consumer->next = next;
	return RC_OK;
}

static enum rc read_bounds(struct stream_facts *facts, const char *folder, struct fault *fault)
{
	struct hub_start end = {.from = HUB_LATEST};
	struct hub_reader *reader = NULL;
	enum rc rc = hub_reader_open(folder, &end, &reader, fault);
	if (rc != RC_OK)
		return rc;
	rc = log_bounds(hub_reader_log(reader), &facts->first, &facts->next, &facts->bytes, fault);
	hub_reader_close(reader);
	return rc;
}

static enum rc read_folder(struct stream_facts *facts, const char *folder, struct fault *fault)
{
	struct hub_meta meta = {0};
	enum rc rc = hub_meta_read(folder, &meta, fault);
	if (rc != RC_OK)
		return rc;
	facts->shards = meta.shards;
	facts->created_us = meta.created_us;
	rc = read_bounds(facts, folder, fault);
	if (rc != RC_OK)
		return rc;
	facts->is_known = true;
	rc = hub_checkpoint_list(folder, add_consumer, facts, fault);
	return rc == RC_NOT_FOUND ? RC_OK : rc;
}

void stream_read(struct stream_facts *facts, const char *folder)
{
	int64_t now_us = clock_monotonic_us();
	if (!folder || (facts->read_us != 0 && now_us - facts->read_us < FRESH_US))
		return;
	*facts = (struct stream_facts){.read_us = now_us};
	struct fault fault = {0};
	enum rc rc = read_folder(facts, folder, &fault);
	if (rc != RC_OK && rc != RC_NOT_FOUND) /* a stream that is not there yet is no error */
		(void)snprintf(facts->error, sizeof facts->error, "%s", fault.text);
}
