/* Reading the newest segment again when the log is opened, for what its owner keeps besides; see
 * log.h.
 *
 * Thread: the one that opens. */
#include "log/reader.h"
#include "log/writer.h"

struct replay {
	enum rc (*each_head)(void *context, struct slice head, struct fault *fault);
	enum rc (*each_batch)(void *context, struct log_reader *reader, struct log_view *view,
		struct fault *fault);
	void *context;
};

static enum rc replay_batches(
	struct log_reader *reader, const struct replay *replay, struct fault *fault)
{
	for (;;) {
		struct segment_batch batch;
		enum rc rc = reader_step(reader, false, &batch, fault);
		if (rc == RC_END)
			return RC_OK;
		bool is_wanted = rc == RC_OK && (batch.head.flags & LOG_HAS_CONTROL);
		if (is_wanted)
			rc = reader_step(reader, true, &batch, fault);
		if (rc != RC_OK)
			return rc;
		reader_view(reader, &batch, is_wanted);
		reader_advance(reader, &batch);
		rc = replay->each_batch(replay->context, reader, &reader->view, fault);
		if (rc != RC_OK)
			return rc;
	}
}

static enum rc replay_head(struct log_reader *reader, const struct log *log,
	const struct replay *replay, struct fault *fault)
{
	const struct segment_name *name = &log->segments[log->segment_count - 1].name;
	struct slice owner;
	enum rc rc = segment_open(&reader->segment, log->folder, name, fault);
	if (rc == RC_OK)
		rc = segment_owner(&reader->segment, &owner, fault);
	if (rc == RC_OK)
		rc = replay->each_head(replay->context, owner, fault);
	reader_place(reader, address_of(name->number, 0));
	return rc;
}

enum rc log_replay_last_segment(struct log *log,
	enum rc (*each_head)(void *context, struct slice head, struct fault *fault),
	enum rc (*each_batch)(void *context, struct log_reader *reader, struct log_view *view,
		struct fault *fault),
	void *context, struct fault *fault)
{
	if (log->segment_count == 0)
		return RC_OK;
	struct replay replay = {each_head, each_batch, context};
	struct log_reader *reader = NULL;
	enum rc rc = log_reader_open(log->folder, &reader, fault);
	if (rc == RC_OK)
		rc = replay_head(reader, log, &replay, fault);
	if (rc == RC_OK)
		rc = replay_batches(reader, &replay, fault);
	log_reader_close(reader);
	return rc;
}
