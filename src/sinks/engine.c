/* The engine of a sink: its thread, the stream that feeds it, its door; see sinks.h and engine.h.
 *
 * The thread opens letters, target and stream, then goes round: gather what is there, deliver it.
 * It never waits for a batch to fill. A control record is a barrier: what comes before it is
 * delivered, then it alone, then on.
 *
 * The thread ends when it is asked to, when a drain is reached, or when it meets what only somebody
 * else can mend: then the stage says so and the fault waits for sink_join. */
#include "sinks/engine.h"

#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/mem.h"
#include "base/notice.h"
#include "base/queue.h"
#include "base/stage.h"

enum {
	LOOK_US = 100000,          /* how long the stream is waited for before we look at stop */
	IDLE_COMMIT_US = 1000000,  /* a checkpoint alone (events that are not wanted) */
	PASSED_OVER_MAX = 1 << 16, /* unwanted events before it moves all the same */
	CONTROL_MAX = 1 << 30,
};

/* ---- opening ---- */

/* One attempt at what is not open yet. */
static enum rc open_parts(struct sink *sink, struct fault *fault)
{
	enum rc rc = hub_meta_read(sink->folder, &sink->meta, fault);
	if (rc == RC_OK && !sink->letters)
		rc = letters_open(sink->data, sink->name, &sink->meta, &sink->letters, fault);
	if (rc != RC_OK || sink->target)
		return rc;
	struct sink_place place = {
		.name = sink->name,
		.settings = sink->settings,
		.data = sink->data,
		.stream = &sink->meta,
		.letters = sink->letters,
	};
	return sink->ops->open(&place, &sink->target, fault);
}

/* Tells sink_start that the target is open, or that it will be waited for. */
static void say_opened(struct sink *sink)
{
	(void)pthread_mutex_lock(&sink->mutex);
	sink->opened = true;
	(void)pthread_cond_broadcast(&sink->changed);
	(void)pthread_mutex_unlock(&sink->mutex);
}

/* Until a target is open there is no name for it: deliver_pause is for later. */
static enum rc open_all(struct sink *sink, struct fault *fault)
{
	for (;;) {
		enum rc rc = open_parts(sink, fault);
		if (rc == RC_OK)
			return RC_OK;
		if (rc_class(rc) != RC_RETRY)
			return rc;
		say_opened(sink);
		stage_say(sink->stage, STAGE_WAITING, "%s", fault->text);
		if (strcmp(sink->told, fault->text) != 0)
			notice_fault(
				NOTICE_SINK_RETRY, fault, FIELDS(field_text("sink", sink->name)));
		(void)snprintf(sink->told, sizeof sink->told, "%s", fault->text);
		int64_t until = clock_monotonic_us() + IDLE_COMMIT_US;
		while (clock_monotonic_us() < until && !atomic_load(&sink->stop))
			clock_sleep_us(LOOK_US);
		if (atomic_load(&sink->stop))
			return RC_STOPPED;
	}
}

static enum rc load_checkpoint(
	struct sink *sink, bool *ret_new, uint64_t *ret_next, struct fault *fault)
{
	enum rc rc = sink->ops->keeps_checkpoint
		? sink->ops->load(sink->target, ret_next, fault)
		: hub_checkpoint_load(sink->folder, sink->consumer, ret_next, fault);
	*ret_new = rc == RC_NOT_FOUND;
	sink->has_checkpoint = rc == RC_OK;
	return *ret_new ? RC_OK : rc;
}

static void hint_trimmed(struct sink *sink, struct fault *fault)
{
	struct buf way = buf_of(1 << 12);
	sink->ops->start_over(sink->target, &way);
	fault_context(fault, "sink '%s' cannot go on where it was", sink->name);
	fault_hint(fault,
		"what is missing cannot be delivered from the stream any more. To begin again at "
		"the oldest event that is there: %s. Then raise 'stream.retention_time'",
		buf_cstring(&way));
	buf_release(&way);
}

static enum rc open_feed(struct sink *sink, struct fault *fault)
{
	bool is_new;
	uint64_t next = 0;
	for (;;) {
		enum rc rc = load_checkpoint(sink, &is_new, &next, fault);
		if (rc == RC_OK)
			break;
		if (rc_class(rc) != RC_RETRY || deliver_pause(sink, fault, 0) != RC_OK)
			return rc;
	}
	enum rc rc = feed_open(&sink->feed, sink->folder, is_new, next, fault);
	if (rc != RC_OK)
		return rc;
	atomic_store(&sink->next, next);
	stage_set(sink->stage, STAGE_NEXT_ORDINAL, next);
	stage_say(sink->stage, STAGE_RUNNING, "delivering to %s", sink->ops->where(sink->target));
	notice(NOTICE_SINK_STARTED,
		FIELDS(field_text("sink", sink->name),
			field_text("to", sink->ops->where(sink->target)), field_u64("next", next),
			field_text("from", is_new ? "oldest" : "checkpoint")));
	return RC_OK;
}

/* ---- gathering ---- */

enum gathered { GATHERED_ROWS, GATHERED_CONTROL };

static enum rc read_view(
	const struct log_record *record, struct event_view *ret_view, struct fault *fault)
{
	enum rc rc = event_view_read(record->line, ret_view);
	if (rc == RC_OK && ret_view->ordinal == record->ordinal)
		return RC_OK;
	(void)fault_set(fault, RC_CORRUPT, "record %llu is not a line of the format millstream",
		(unsigned long long)record->ordinal);
	fault_hint(fault, "sinks read the captured stream only");
	return RC_CORRUPT;
}

static bool is_control(const struct event_view *view)
{
	return view->op == EVENT_TRUNCATE || view->op == EVENT_SCHEMA;
}

/* A DDL statement without columns has nothing for a target. */
static bool is_wanted(const struct table_note *note, const struct event_view *view)
{
	return note->wanted && (view->op != EVENT_SCHEMA || view->columns.len > 0);
}

static enum rc take_control(struct sink *sink, const struct log_record *record, struct fault *fault)
{
	buf_shrink(&sink->control, 1 << 16);
	buf_slice(&sink->control, record->line);
	feed_take(&sink->feed);
	if (event_view_read(buf_as_slice(&sink->control), &sink->control_view) != RC_OK)
		return fault_set(fault, RC_INTERNAL, "a control record changed under our hands");
	return RC_OK;
}

/* Looks at one record. *ret_full: it has to wait for the next batch. */
static enum rc gather_one(struct sink *sink, const struct log_record *record, bool *ret_full,
	bool *ret_control, struct fault *fault)
{
	struct event_view view;
	const struct table_note *note;
	enum rc rc = read_view(record, &view, fault);
	if (rc == RC_OK)
		rc = tables_find(&sink->tables, &view, &note, fault);
	if (rc != RC_OK)
		return rc;
	if (!is_wanted(note, &view)) {
		feed_take(&sink->feed);
		return RC_OK;
	}
	if (is_control(&view)) {
		*ret_full = sink->batch.count > 0;
		*ret_control = !*ret_full;
		return *ret_full ? RC_OK : take_control(sink, record, fault);
	}
	rc = tables_check_row(note, &view, fault);
	if (rc != RC_OK)
		return rc;
	*ret_full = !batch_add(&sink->batch, record->line, record->key, &view);
	if (!*ret_full)
		feed_take(&sink->feed);
	return RC_OK;
}

/* Takes what is there. An error comes only with an empty batch: what was gathered before it is
 * delivered first, and then it is met again. */
static enum rc gather(struct sink *sink, bool *ret_control, struct fault *fault)
{
	enum rc rc = RC_OK;
	bool full = false;
	*ret_control = false;
	batch_reset(&sink->batch);
	for (unsigned passed = 0; passed < PASSED_OVER_MAX && !full && !*ret_control; passed++) {
		const struct log_record *record;
		int64_t wait_us = sink->batch.count > 0 ? 0 : LOOK_US;
		if (atomic_load(&sink->stop))
			break;
		rc = feed_peek(&sink->feed, wait_us, &record, fault);
		if (rc == RC_TIMEOUT) /* nothing there */
			return RC_OK;
		if (rc == RC_OK)
			rc = gather_one(sink, record, &full, ret_control, fault);
		if (rc != RC_OK)
			break;
	}
	return sink->batch.count > 0 ? RC_OK : rc;
}

/* ---- going round ---- */

/* Whether the checkpoint should move although nothing is to be delivered. */
static bool is_behind(const struct sink *sink)
{
	uint64_t next = atomic_load(&sink->next);
	if (sink->feed.next <= next)
		return false;
	return sink->feed.next >= atomic_load(&sink->until) ||
		clock_monotonic_us() - sink->committed_us >= IDLE_COMMIT_US;
}

static enum rc go_round(struct sink *sink, struct fault *fault)
{
	bool control;
	enum rc rc = gather(sink, &control, fault);
	if (rc_class(rc) == RC_RETRY && rc != RC_OK) /* the letters' file */
		return deliver_pause(sink, fault, 0);
	if (rc != RC_OK)
		return rc;
	if (control)
		return deliver_control(sink, sink->feed.next, fault);
	if (sink->batch.count > 0 || is_behind(sink))
		return deliver_batch(sink, sink->feed.next, fault);
	return RC_OK;
}

static enum rc work(struct sink *sink, struct fault *fault)
{
	enum rc rc = open_all(sink, fault);
	if (rc != RC_OK)
		return rc;
	tables_init(&sink->tables, sink->settings, sink->letters);
	sink->told[0] = 0;
	rc = open_feed(sink, fault);
	if (rc != RC_OK)
		return rc;
	say_opened(sink);
	while (rc == RC_OK && !atomic_load(&sink->stop)) {
		if (atomic_load(&sink->next) >= atomic_load(&sink->until))
			return RC_OK;
		rc = go_round(sink, fault);
	}
	return rc;
}

static void close_all(struct sink *sink)
{
	feed_close(&sink->feed);
	batch_release(&sink->batch);
	tables_release(&sink->tables);
	buf_release(&sink->control);
	if (sink->target)
		sink->ops->close(sink->target);
	letters_close(sink->letters);
}

static void run(void *arg)
{
	struct sink *sink = arg;
	struct fault fault = {0};
	thread_assert(THREAD_ROLE);
	enum rc rc = work(sink, &fault);
	if (rc == RC_TRIMMED)
		hint_trimmed(sink, &fault);
	if (rc == RC_OK || rc == RC_STOPPED) {
		fault = (struct fault){0};
		stage_say(sink->stage, STAGE_DONE, "stopped");
	} else {
		stage_say(sink->stage, STAGE_FAILED, "%s", fault.text);
		if (sink->opened) /* else sink_start returns it; only this thread sets `opened` */
			notice_fault(
				NOTICE_SINK_FAILED, &fault, FIELDS(field_text("sink", sink->name)));
	}
	close_all(sink);
	(void)pthread_mutex_lock(&sink->mutex);
	sink->fault = fault;
	sink->opened = sink->ended = true;
	(void)pthread_cond_broadcast(&sink->changed);
	(void)pthread_mutex_unlock(&sink->mutex);
}

/* ---- the door ---- */

const struct sink_ops *sink_ops_of(const struct settings *settings)
{
	const char *type = settings_text(settings, SINK_SET_TYPE);
	return strcmp(type, "sqlite") == 0 ? &sink_sqlite : &sink_elastic;
}

static struct sink *sink_new(const struct sink_options *options)
{
	struct sink *sink = mem_new(1, sizeof *sink);
	const struct settings *settings = options->settings;
	sink->name = mem_text(options->name);
	sink->folder = mem_text(options->folder);
	sink->data = mem_text(options->data);
	sink->consumer = mem_format("sink-%s", options->name);
	sink->settings = settings;
	sink->ops = sink_ops_of(settings);
	sink->stage = options->stage;
	sink->stop_at_refused = strcmp(settings_text(settings, SINK_SET_DEAD_LETTERS), "stop") == 0;
	(void)pthread_mutex_init(&sink->mutex, NULL);
	cond_init(&sink->changed);
	atomic_store(&sink->until, UINT64_MAX);
	batch_init(&sink->batch, (size_t)settings_number(settings, SINK_SET_BATCH_COUNT),
		(size_t)settings_number(settings, SINK_SET_BATCH_SIZE));
	sink->control = buf_of(CONTROL_MAX);
	sink->random = (uint64_t)clock_wall_us() ^ letters_hash(slice_text(sink->name));
	return sink;
}

static void sink_free(struct sink *sink)
{
	(void)pthread_mutex_destroy(&sink->mutex);
	(void)pthread_cond_destroy(&sink->changed);
	mem_free(sink->name);
	mem_free(sink->folder);
	mem_free(sink->data);
	mem_free(sink->consumer);
	mem_free(sink);
}

enum rc sink_start(const struct sink_options *options, struct sink **ret_sink, struct fault *fault)
{
	assert(options->stage);
	struct sink *sink = sink_new(options);
	char *name = mem_format("sink:%s", options->name);
	enum rc rc = thread_start(&sink->thread, THREAD_ROLE, name, run, sink, fault);
	mem_free(name);
	if (rc != RC_OK) {
		close_all(sink);
		sink_free(sink);
		return rc;
	}
	(void)pthread_mutex_lock(&sink->mutex);
	while (!sink->opened)
		(void)cond_wait(&sink->changed, &sink->mutex, -1);
	bool failed = sink->ended && sink->fault.rc != RC_OK;
	(void)pthread_mutex_unlock(&sink->mutex);
	if (failed)
		return sink_join(sink, fault);
	*ret_sink = sink;
	return RC_OK;
}

void sink_drain(struct sink *sink, uint64_t until)
{
	atomic_store(&sink->until, until);
}

void sink_stop(struct sink *sink)
{
	(void)pthread_mutex_lock(&sink->mutex);
	atomic_store(&sink->stop, true);
	(void)pthread_cond_broadcast(&sink->changed);
	(void)pthread_mutex_unlock(&sink->mutex);
}

enum rc sink_failed(struct sink *sink, struct fault *fault)
{
	(void)pthread_mutex_lock(&sink->mutex);
	enum rc rc = sink->fault.rc;
	if (fault && rc != RC_OK)
		*fault = sink->fault;
	(void)pthread_mutex_unlock(&sink->mutex);
	return rc;
}

uint64_t sink_next(const struct sink *sink)
{
	return atomic_load(&sink->next);
}

enum rc sink_join(struct sink *sink, struct fault *fault)
{
	if (!sink)
		return RC_OK;
	thread_join(&sink->thread);
	enum rc rc = sink_failed(sink, fault);
	sink_free(sink);
	return rc;
}
