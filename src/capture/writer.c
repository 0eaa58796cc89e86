/* The open batch; see writer.h. */
#include "capture/writer.h"

#include "base/clock.h"
#include "base/stage.h"

enum { IDLE_COMMIT_US = 1000000 };
static const int64_t hour_us = INT64_C(3600000000);

void writer_set_gtids(struct writer *writer, enum gtid_flavor flavor, struct slice text)
{
	gtid_set_free(writer->done.gtids);
	gtid_set_free(writer->added);
	writer->done.gtids = writer->added = NULL;
	writer->flavor = flavor;
	if (flavor == GTID_NONE)
		return;
	writer->done.gtids = gtid_set_new(flavor);
	writer->added = gtid_set_new(flavor);
	if (gtid_set_add(writer->done.gtids, text) != RC_OK)
		__builtin_trap(); /* callers have read it before */
}

/* The first batch of a stream brings the whole set that it starts from. */
static void add_all_gtids(struct writer *writer)
{
	struct buf text = buf_of(LOG_BATCH_MAX);
	if (writer->done.gtids)
		gtid_set_text(writer->done.gtids, &text);
	if (writer->added && gtid_set_add(writer->added, buf_as_slice(&text)) != RC_OK)
		__builtin_trap(); /* our own text */
	buf_release(&text);
}

static void copy_state(struct writer *writer)
{
	const struct hub_state *state = hub_state(writer->hub);
	writer->position = state->position;
	writer->next_ordinal = state->next_ordinal;
	writer->stream_time_us = state->stream_time_us;
	writer->generation = state->generation + 1;
	writer->done.position = state->position;
	writer->done.next_ordinal = state->next_ordinal;
	writer->done.stream_time_us = state->stream_time_us;
	if (!state->gtids)
		return;
	/* copied: the hub's own set moves as soon as the first batch begins */
	struct buf text = buf_of(LOG_BATCH_MAX);
	gtid_set_text(state->gtids, &text);
	writer_set_gtids(writer, gtid_set_flavor(state->gtids), buf_as_slice(&text));
	buf_release(&text);
}

void writer_init(
	struct writer *writer, const struct capture_options *options, const atomic_bool *stop)
{
	*writer = (struct writer){
		.hub = options->hub,
		.stop = stop,
		.stage = options->stage,
		.shards = hub_shards(options->hub),
		.batch_size = options->batch_size,
		.gtids = buf_of(LOG_BATCH_MAX),
		.controls = buf_of(LOG_BATCH_MAX),
		.key = buf_of(LOG_BATCH_MAX),
	};
	copy_state(writer);
}

void writer_release(struct writer *writer)
{
	gtid_set_free(writer->done.gtids);
	gtid_set_free(writer->added);
	buf_release(&writer->gtids);
	buf_release(&writer->controls);
	buf_release(&writer->key);
}

void writer_abandon(struct writer *writer)
{
	if (writer->batch)
		log_batch_reset(writer->batch); /* stays open: the next lines go into it */
	writer->next_ordinal = writer->first_ordinal = writer->done.next_ordinal;
	writer->position = writer->done.position;
	writer->stream_time_us = writer->done.stream_time_us;
	writer->moved = false;
	if (writer->added)
		gtid_set_clear(writer->added);
	buf_reset(&writer->controls);
}

bool writer_has_lines(const struct writer *writer)
{
	return writer->batch && writer->next_ordinal > writer->first_ordinal;
}

bool writer_is_full(const struct writer *writer)
{
	return writer->batch && log_batch_payload(writer->batch) >= writer->batch_size;
}

static enum rc open_batch(struct writer *writer, struct fault *fault)
{
	if (writer->batch)
		return RC_OK;
	writer->batch = hub_batch_begin(writer->hub, writer->stop);
	writer->first_ordinal = writer->next_ordinal;
	if (writer->batch)
		return RC_OK;
	enum rc rc = hub_failed(writer->hub, fault);
	return rc != RC_OK ? rc : fault_set(fault, RC_STOPPED, "asked to stop");
}

enum rc writer_begin(struct writer *writer, int64_t ts_us, struct fault *fault)
{
	int64_t now = clock_wall_us();
	int64_t time = ts_us < now ? ts_us : now; /* never in the future */
	if (time < writer->stream_time_us)
		time = writer->stream_time_us; /* never back */
	if (writer_has_lines(writer) && time / hour_us != writer->stream_time_us / hour_us) {
		enum rc rc = writer_commit(writer, fault);
		if (rc != RC_OK)
			return rc;
	}
	writer->stream_time_us = time;
	return RC_OK;
}

enum rc writer_run(
	struct writer *writer, struct slice key, struct log_run **ret_run, struct fault *fault)
{
	enum rc rc = open_batch(writer, fault);
	if (rc == RC_OK)
		*ret_run = log_batch_run(writer->batch, hub_shard_of_key(key, writer->shards));
	return rc;
}

enum rc writer_control(struct writer *writer, struct event_control *control,
	const struct event_origin *origin, struct fault *fault)
{
	enum rc rc = open_batch(writer, fault);
	if (rc != RC_OK)
		return rc;
	control->ordinal = writer->next_ordinal++;
	size_t before = writer->controls.len;
	event_control_line(control, origin, &writer->controls);
	buf_reset(&writer->key);
	event_control_key(control->database, control->table, &writer->key);
	event_key_finish(&writer->key);
	if (writer->controls.rc != RC_OK)
		return fault_set(fault, RC_LIMIT,
			"a statement on %.*s.%.*s is too large for one batch",
			SLICE_ARGS(control->database), SLICE_ARGS(control->table));
	struct slice line = slice_of(writer->controls.at + before, writer->controls.len - before);
	for (uint32_t shard = 0; shard < writer->shards; shard++) {
		struct log_run *run = log_batch_run(writer->batch, shard);
		uint8_t *at = log_run_reserve(run, line.len);
		if (!at)
			return fault_set(fault, RC_LIMIT,
				"a control record of %zu bytes does not fit into a batch",
				line.len);
		memcpy(at, line.at, line.len);
		log_run_add(run, line.len, control->ordinal, buf_as_slice(&writer->key));
	}
	return RC_OK;
}

static void set_place(struct event_position *position, const char *file, uint64_t pos)
{
	if (file != position->file)
		copy_text(position->file, sizeof position->file, file);
	position->pos = pos;
	position->group[0] = 0;
	position->rows = 0;
}

enum rc writer_start(struct writer *writer, const char *file, uint64_t pos, struct fault *fault)
{
	set_place(&writer->position, file, pos);
	add_all_gtids(writer);
	writer->moved = true;
	return writer_commit(writer, fault);
}

enum rc writer_end(struct writer *writer, const char *file, uint64_t pos, const char *gtid,
	struct fault *fault)
{
	set_place(&writer->position, file, pos);
	writer->moved = true;
	if (!gtid[0])
		return RC_OK;
	copy_text(writer->position.gtid, sizeof writer->position.gtid, gtid);
	if (writer->added && gtid_set_add(writer->added, slice_text(gtid)) != RC_OK)
		return fault_set(fault, RC_CORRUPT, "'%s' is not a GTID of this source", gtid);
	return RC_OK;
}

static void say_place(struct writer *writer)
{
	struct buf text = buf_of(STAGE_TEXT_MAX * 2);
	event_position_text(&writer->position, &text);
	stage_place(writer->stage, "%s", buf_cstring(&text));
	buf_release(&text);
}

static void keep_done(struct writer *writer, uint64_t count)
{
	if (writer->done.gtids &&
		gtid_set_add(writer->done.gtids, buf_as_slice(&writer->gtids)) != RC_OK)
		__builtin_trap(); /* the texts are our own */
	writer->done.position = writer->position;
	writer->done.next_ordinal = writer->next_ordinal;
	writer->done.stream_time_us = writer->stream_time_us;
	writer->moved = false;
	writer->committed_us = clock_monotonic_us();
	writer->batch = NULL;
	buf_reset(&writer->controls);
	stage_add(writer->stage, STAGE_EVENTS, count);
	stage_add(writer->stage, STAGE_BATCHES, 1);
	stage_add(writer->stage, STAGE_SKIPPED, writer->skipped);
	stage_set(writer->stage, STAGE_NEXT_ORDINAL, writer->next_ordinal);
	stage_set(writer->stage, STAGE_STREAM_TIME, (uint64_t)writer->stream_time_us);
	writer->skipped = 0;
	say_place(writer);
}

enum rc writer_commit(struct writer *writer, struct fault *fault)
{
	if (!writer_has_lines(writer) && !writer->moved)
		return RC_OK;
	enum rc rc = open_batch(writer, fault);
	if (rc != RC_OK)
		return rc;
	uint64_t count = writer->next_ordinal - writer->first_ordinal;
	buf_reset(&writer->gtids);
	if (writer->added)
		gtid_set_text(writer->added, &writer->gtids);
	struct hub_mark mark = {
		.first_ordinal = writer->first_ordinal,
		.count = count,
		.stream_time_us = writer->stream_time_us,
		.fingerprint = writer->fingerprint,
		.generation = writer->generation,
		.controls = buf_as_slice(&writer->controls),
		.position = &writer->position,
		.flavor = writer->flavor,
		.gtids = buf_as_slice(&writer->gtids),
	};
	rc = hub_batch_commit(writer->hub, writer->batch, &mark, fault);
	if (rc == RC_OK)
		keep_done(writer, count);
	return rc;
}

enum rc writer_commit_idle(struct writer *writer, struct fault *fault)
{
	if (writer_has_lines(writer) || !writer->moved ||
		clock_monotonic_us() - writer->committed_us < IDLE_COMMIT_US)
		return RC_OK;
	return writer_commit(writer, fault);
}
