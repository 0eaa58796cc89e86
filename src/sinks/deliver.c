/* Delivering a batch: tries, pauses, dead letters, checkpoints; see engine.h.
 *
 * One try is begin, apply, letters, commit. What an error leaves depends on the target: one that
 * keeps the checkpoint is rolled back, and all of the batch is tried again; the others keep what
 * took effect, and only what is left is tried again.
 *
 * Order of a key: an item is never tried again after a newer one of its key has taken effect. The
 * target's versions would mostly stop it, but a target may forget the version of a deleted
 * document. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/crash.h"
#include "base/mem.h"
#include "base/notice.h"
#include "base/queue.h"
#include "base/stage.h"
#include "sinks/engine.h"

enum { FIRST_DELAY_US = 100000, TELL_AGAIN_US = 60000000 };
static const int64_t asked_delay_max_us = INT64_C(3600000000);

/* ---- pauses ---- */

/* splitmix64: jitter needs nothing better. */
static uint64_t next_random(struct sink *sink)
{
	uint64_t x = sink->random += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static void tell_trouble(struct sink *sink, const struct fault *why, int64_t wait_us)
{
	int64_t now = clock_monotonic_us();
	stage_say(sink->stage, STAGE_WAITING, "%s: %s; next try within %lld ms",
		sink->ops->where(sink->target), why->text, (long long)(wait_us / 1000));
	if (strcmp(sink->told, why->text) == 0 && now - sink->told_us < TELL_AGAIN_US)
		return;
	(void)snprintf(sink->told, sizeof sink->told, "%s", why->text);
	sink->told_us = now;
	notice_fault(NOTICE_SINK_RETRY, why, FIELDS(field_text("sink", sink->name)));
}

static void wait_or_stop(struct sink *sink, int64_t wait_us)
{
	int64_t end = clock_monotonic_us() + wait_us;
	(void)pthread_mutex_lock(&sink->mutex);
	for (int64_t left = wait_us; left > 0 && !atomic_load(&sink->stop);
		left = end - clock_monotonic_us())
		(void)cond_wait(&sink->changed, &sink->mutex, left);
	(void)pthread_mutex_unlock(&sink->mutex);
}

enum rc deliver_pause(struct sink *sink, const struct fault *why, int64_t least_us)
{
	int64_t most = settings_number(sink->settings, SINK_SET_RETRY_MAX);
	int64_t delay = sink->delay_us ? sink->delay_us : FIRST_DELAY_US;
	if (delay > most)
		delay = most;
	sink->delay_us = delay * 2;
	/* half of it is jitter, so that sinks that failed together do not come back together */
	int64_t wait = delay / 2 + (int64_t)(next_random(sink) % (uint64_t)(delay / 2 + 1));
	if (least_us > asked_delay_max_us)
		least_us = asked_delay_max_us;
	if (wait < least_us)
		wait = least_us + wait / 4;
	stage_add(sink->stage, STAGE_RETRIES, 1);
	tell_trouble(sink, why, wait);
	wait_or_stop(sink, wait);
	return atomic_load(&sink->stop) ? RC_STOPPED : RC_OK;
}

void deliver_recovered(struct sink *sink)
{
	if (sink->delay_us == 0)
		return;
	sink->delay_us = 0;
	if (sink->told[0])
		notice(NOTICE_SINK_RECOVERED, FIELDS(field_text("sink", sink->name)));
	sink->told[0] = 0;
	stage_say(sink->stage, STAGE_RUNNING, "delivering to %s", sink->ops->where(sink->target));
}

/* ---- order ---- */

static int by_hash(const void *a, const void *b)
{
	const struct sink_item *x = *(struct sink_item *const *)a;
	const struct sink_item *y = *(struct sink_item *const *)b;
	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* Items that are left to be tried, but are older than one of their key that took effect, are stale.
 */
static void settle_outrun(struct sink_item *items, size_t count)
{
	size_t left = 0;
	for (size_t i = 0; i < count; i++)
		left += items[i].outcome == SINK_RETRY;
	if (left == 0 || left == count)
		return;
	struct sink_item **order = mem_new(count, sizeof(struct sink_item *));
	for (size_t i = 0; i < count; i++)
		order[i] = &items[i];
	qsort(order, count, sizeof(struct sink_item *), by_hash);
	const struct sink_item *newest = NULL;
	for (size_t i = count; i-- > 0;) {
		struct sink_item *item = order[i];
		if (item->outcome == SINK_DONE || item->outcome == SINK_STALE)
			newest = item;
		else if (item->outcome == SINK_RETRY && newest && !sink_is_keyless(&item->view) &&
			slice_equal(newest->key, item->key))
			item->outcome = SINK_STALE;
	}
	mem_free(order);
}

/* ---- one try ---- */

/* What a delivery works on: part of the batch or the control record, and where the checkpoint goes
 * after it. */
struct work {
	bool is_control;
	struct sink_item *items;
	size_t count;
	uint64_t next;
	size_t lettered; /* how many of the refused have their letter */
	size_t settled;  /* how many needed no further try when we last looked */
	int64_t retry_after_us;
};

static const struct sink_item *first_refused(const struct work *work)
{
	for (size_t i = 0; i < work->count; i++) {
		if (work->items[i].outcome == SINK_REFUSED)
			return &work->items[i];
	}
	return NULL;
}

static size_t count_outcome(const struct work *work, enum sink_outcome outcome)
{
	size_t count = 0;
	for (size_t i = 0; i < work->count; i++)
		count += work->items[i].outcome == outcome;
	return count;
}

/* The documents that were refused since the last try become letters, durably. */
static enum rc put_aside(struct sink *sink, struct work *work, struct fault *fault)
{
	size_t refused = count_outcome(work, SINK_REFUSED);
	if (refused == work->lettered)
		return RC_OK;
	enum rc rc = letters_add(sink->letters, work->items, work->count, fault);
	if (rc != RC_OK)
		return rc;
	const struct sink_item *first = first_refused(work);
	notice(NOTICE_SINK_DEAD,
		FIELDS(field_text("sink", sink->name), field_u64("letters", refused),
			field_u64("first", first->view.ordinal),
			field_slice("db", first->view.database),
			field_slice("table", first->view.table),
			field_slice("key", first->view.key), field_text("reason", first->reason)));
	work->lettered = refused;
	return RC_OK;
}

/* RC_THROTTLED when items are left to be tried. */
static enum rc apply(struct sink *sink, struct work *work, struct fault *fault)
{
	struct sink_round round = {.items = work->items, .count = work->count, .stop = &sink->stop};
	if (work->count == 0)
		return RC_OK;
	enum rc rc = sink->ops->apply(sink->target, &round, fault);
	crash_point(CRASH_SINK_SEND);
	work->retry_after_us = round.retry_after_us;
	if (rc != RC_OK)
		return rc;
	settle_outrun(work->items, work->count);
	size_t left = count_outcome(work, SINK_RETRY);
	if (work->count - left > work->settled)
		sink->delay_us = sink->delay_us ? FIRST_DELAY_US : 0; /* it moves */
	work->settled = work->count - left;
	if (left == 0)
		return RC_OK;
	*fault = round.why;
	return RC_THROTTLED;
}

/* A document that was refused, when delivery is to stop at it. */
static enum rc refuse_to_go_on(struct sink *sink, const struct work *work, struct fault *fault)
{
	const struct sink_item *item = first_refused(work);
	(void)fault_set(fault, RC_REFUSED, "event %llu of '%.*s.%.*s', key %.*s: %s",
		(unsigned long long)item->view.ordinal, SLICE_ARGS(item->view.database),
		SLICE_ARGS(item->view.table), SLICE_ARGS(item->view.key),
		item->reason ? item->reason : "");
	fault_hint(fault,
		"mend the target and start again: delivery goes on at this event; or set "
		"'sinks.%s.dead_letters' to keep",
		sink->name);
	return RC_REFUSED;
}

static enum rc try_rows(struct sink *sink, struct work *work, struct fault *fault)
{
	enum rc rc = apply(sink, work, fault);
	bool refused = first_refused(work) != NULL;
	if (refused && sink->stop_at_refused)
		return rc == RC_OK ? refuse_to_go_on(sink, work, fault) : rc;
	if (refused && (rc == RC_OK || rc == RC_THROTTLED)) {
		struct fault letter_fault;
		enum rc letter_rc = put_aside(sink, work, &letter_fault);
		if (letter_rc != RC_OK) {
			*fault = letter_fault;
			return letter_rc;
		}
	}
	return rc;
}

static enum rc try_control(struct sink *sink, struct work *work, struct fault *fault)
{
	const struct event_view *control = &sink->control_view;
	struct sink_round round = {.stop = &sink->stop};
	if (control->op != EVENT_TRUNCATE)
		return sink->ops->schema(sink->target, control, fault);
	enum rc rc = sink->ops->truncate(sink->target, control, &round, fault);
	work->retry_after_us = round.retry_after_us;
	return rc;
}

static enum rc commit(struct sink *sink, uint64_t next, struct fault *fault)
{
	crash_point(CRASH_SINK_COMMIT);
	enum rc rc = sink->ops->commit(sink->target, next, fault);
	if (rc == RC_OK && !sink->ops->keeps_checkpoint)
		rc = hub_checkpoint_save(sink->folder, sink->consumer, next, fault);
	if (rc == RC_OK)
		crash_point(CRASH_SINK_COMMITTED);
	return rc;
}

static enum rc try_once(struct sink *sink, struct work *work, struct fault *fault)
{
	work->retry_after_us = 0;
	enum rc rc = sink->ops->begin(sink->target, fault);
	if (rc == RC_OK)
		rc = work->is_control ? try_control(sink, work, fault)
				      : try_rows(sink, work, fault);
	if (rc == RC_OK)
		rc = commit(sink, work->next, fault);
	if (rc == RC_OK)
		return RC_OK;
	sink->ops->rollback(sink->target);
	if (sink->ops->keeps_checkpoint && rc != RC_REFUSED) {
		batch_retry_all(work->items, work->count);
		work->lettered = work->settled = 0;
	}
	return rc;
}

static enum rc try_until_done(struct sink *sink, struct work *work, struct fault *fault)
{
	for (;;) {
		enum rc rc = try_once(sink, work, fault);
		if (rc == RC_OK) {
			deliver_recovered(sink);
			return RC_OK;
		}
		if (rc_class(rc) != RC_RETRY)
			return rc;
		rc = deliver_pause(sink, fault, work->retry_after_us);
		if (rc != RC_OK)
			return rc;
	}
}

/* ---- the door to the engine ---- */

static void count_up(struct sink *sink, const struct work *work)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < work->count; i++)
		bytes += work->items[i].line.len;
	stage_add(sink->stage, STAGE_EVENTS, work->count);
	stage_add(sink->stage, STAGE_BYTES, bytes);
	stage_add(sink->stage, STAGE_BATCHES, work->count > 0);
	stage_add(sink->stage, STAGE_SKIPPED, count_outcome(work, SINK_STALE));
	stage_add(sink->stage, STAGE_DEAD, count_outcome(work, SINK_REFUSED));
}

static void passed(struct sink *sink, uint64_t next)
{
	atomic_store(&sink->next, next);
	sink->has_checkpoint = true;
	sink->committed_us = clock_monotonic_us();
	stage_set(sink->stage, STAGE_NEXT_ORDINAL, next);
	stage_set(sink->stage, STAGE_STREAM_TIME, (uint64_t)sink->feed.stream_time_us);
	stage_place(sink->stage, "ordinal %llu", (unsigned long long)next);
}

/* Delivers what comes before the refused document, and leaves the checkpoint at it. `fault` stays.
 */
static enum rc deliver_up_to_refused(
	struct sink *sink, const struct work *work, struct fault *fault)
{
	size_t before = (size_t)(first_refused(work) - work->items);
	struct work part = {
		.items = work->items, .count = before, .next = work->items[before].view.ordinal};
	struct fault trouble;
	if (sink->ops->keeps_checkpoint)
		batch_retry_all(part.items, part.count);
	enum rc rc = try_until_done(sink, &part, &trouble);
	if (rc != RC_OK) {
		*fault = trouble;
		return rc;
	}
	count_up(sink, &part);
	passed(sink, part.next);
	return RC_REFUSED;
}

static enum rc supersede(struct sink *sink, const struct batch *batch, struct fault *fault)
{
	for (;;) {
		enum rc rc = letters_supersede(sink->letters, batch->items, batch->count, fault);
		if (rc == RC_OK || rc_class(rc) != RC_RETRY)
			return rc;
		rc = deliver_pause(sink, fault, 0);
		if (rc != RC_OK)
			return rc;
	}
}

enum rc deliver_batch(struct sink *sink, uint64_t next, struct fault *fault)
{
	struct batch *batch = &sink->batch;
	struct work work = {.items = batch->items, .count = batch->count, .next = next};
	stage_set(sink->stage, STAGE_HELD, batch->arena.len);
	/* Before the first try: once an event is under way, an older letter of its key must not be
	 * replayed any more (replay looks under the letters' lock). */
	enum rc rc = supersede(sink, batch, fault);
	if (rc == RC_OK)
		rc = try_until_done(sink, &work, fault);
	if (rc == RC_REFUSED && first_refused(&work))
		rc = deliver_up_to_refused(sink, &work, fault);
	if (rc == RC_OK) {
		count_up(sink, &work);
		passed(sink, next);
	}
	stage_set(sink->stage, STAGE_HELD, 0);
	return rc;
}

static enum rc prepare_control(struct sink *sink, struct fault *fault)
{
	for (;;) {
		const struct event_view *control = &sink->control_view;
		enum rc rc = control->op == EVENT_TRUNCATE
			? tables_truncate_letters(&sink->tables, control, fault)
			: tables_learn(&sink->tables, control, fault);
		if (rc == RC_OK || rc_class(rc) != RC_RETRY)
			return rc;
		rc = deliver_pause(sink, fault, 0);
		if (rc != RC_OK)
			return rc;
	}
}

enum rc deliver_control(struct sink *sink, uint64_t next, struct fault *fault)
{
	struct work work = {.is_control = true, .next = next};
	enum rc rc = prepare_control(sink, fault);
	if (rc == RC_OK)
		rc = try_until_done(sink, &work, fault);
	if (rc != RC_OK)
		return rc;
	stage_add(sink->stage, STAGE_EVENTS, 1);
	passed(sink, next);
	if (sink->control_view.op == EVENT_TRUNCATE && sink->control_view.is_drop)
		/* only saves room: the next claim of the place would say if it failed */
		(void)!tables_forget(&sink->tables, &sink->control_view, NULL);
	return RC_OK;
}
