/* Reading a stream; see hub.h. */
#include "base/mem.h"
#include "hub/hub.h"

struct hub_reader {
	struct log_reader *log;
	uint64_t from;
};

struct log_reader *hub_reader_log(struct hub_reader *reader)
{
	return reader->log;
}

uint64_t hub_reader_from(const struct hub_reader *reader)
{
	return reader->from;
}

static enum rc seek_sequence(
	struct hub_reader *reader, const struct hub_start *start, struct fault *fault)
{
	uint32_t shard;
	int64_t created_s;
	uint64_t ordinal;
	if (hub_sequence_read(start->sequence, &shard, &created_s, &ordinal) != RC_OK)
		return fault_set(fault, RC_USAGE, "'%s' is not a sequence number of this stream",
			start->sequence);
	reader->from = ordinal + (start->from == HUB_AFTER_SEQUENCE);
	return log_seek_ordinal(reader->log, reader->from, fault);
}

static enum rc seek(struct hub_reader *reader, const struct hub_start *start, struct fault *fault)
{
	switch (start->from) {
	case HUB_OLDEST:
		return log_seek_oldest(reader->log, fault);
	case HUB_LATEST:
		return log_seek_end(reader->log, fault);
	case HUB_AT_ORDINAL:
		reader->from = start->ordinal;
		return log_seek_ordinal(reader->log, start->ordinal, fault);
	case HUB_AT_TIME:
		return log_seek_arrival(reader->log, start->time_us, fault);
	case HUB_AT_SEQUENCE:
	case HUB_AFTER_SEQUENCE:
		return seek_sequence(reader, start, fault);
	}
	return RC_INTERNAL;
}

enum rc hub_reader_open(const char *folder, const struct hub_start *start,
	struct hub_reader **ret_reader, struct fault *fault)
{
	struct hub_reader *reader = mem_new(1, sizeof *reader);
	enum rc rc = log_reader_open(folder, &reader->log, fault);
	if (rc == RC_OK)
		rc = seek(reader, start, fault);
	if (rc != RC_OK) {
		hub_reader_close(reader);
		return rc;
	}
	*ret_reader = reader;
	return RC_OK;
}

void hub_reader_close(struct hub_reader *reader)
{
	if (!reader)
		return;
	log_reader_close(reader->log);
	mem_free(reader);
}

enum rc hub_read(struct hub_reader *reader, int64_t timeout_us, struct log_view **ret_view,
	struct fault *fault)
{
	enum rc rc = log_read(reader->log, ret_view, fault);
	if (rc != RC_END)
		return rc;
	if (timeout_us <= 0 || !log_wait(reader->log, timeout_us))
		return RC_TIMEOUT;
	rc = log_read(reader->log, ret_view, fault);
	return rc == RC_END ? RC_TIMEOUT : rc;
}
