/* The local backend: a stream on the durable log.
 *
 * Batches go round a ring of slots, always in the order of the stream:
 *
 *   FREE --begin--> FILLING --commit--> COMMITTED --take--> SEALING --> SEALED --append, sync-->
 * FREE (source)           (source)              (work)        (work)           (log)
 *
 * Compressing is most of the work: a few threads do it, each with a batch of its own. Small
 * batches, which nobody needs to compress, are sealed by the log thread itself: one hop less. The
 * log thread takes all that are ready, appends them, and syncs once: the group is acknowledged
 * together.
 *
 * Invariants: fill >= write, fill - write <= RING_SLOTS; a slot belongs to the one thread
 * that its state names; the log, and the state at the stream's end, belong to the log thread. After
 * a failure (log broken) nothing moves any more, and everybody who waits is told.
 *
 * Ends: close sets `closing`; work and log finish what was committed and return. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/mem.h"
#include "base/notice.h"
#include "base/queue.h"
#include "base/stage.h"
#include "base/thread.h"
#include "hub/backend.h"
#include "hub/state.h"

enum { RING_SLOTS = 5, WORKERS_MAX = 3, RETAIN_EVERY_US = 1000000, FULL_RETRY_US = 500000 };

enum slot_state { SLOT_FREE, SLOT_FILLING, SLOT_COMMITTED, SLOT_SEALING, SLOT_SEALED };

struct slot {
	enum slot_state state;
	bool is_small;
	struct log_batch *batch;
	struct log_stamp stamp;
	struct buf mark, controls; /* the stamp's mark points into it */
};

struct local {
	struct hub_backend backend;
	struct hub_options options;
	char *folder;
	struct thread log_thread, work_threads[WORKERS_MAX];
	struct {
		pthread_mutex_t mutex;
		pthread_cond_t to_source, to_work, to_log;
		struct slot slots[RING_SLOTS];
		uint64_t fill, write; /* how many batches were committed, written */
		bool closing, is_held, is_failed;
		struct fault fault;
	} ring;
	_Atomic uint64_t acknowledged, archived, in_flight;
	struct { /* the log thread's, or of who opens and closes */
		struct log *log;
		struct local_state state;
		int64_t retained_us;
		uint64_t appended; /* bytes since then */
		bool told_held;
	} own;
};

static struct local *local_of(const struct hub_backend *backend)
{
	return (struct local *)(uintptr_t)backend; /* its first member */
}

static struct slot *slot_at(struct local *local, uint64_t number)
{
	return &local->ring.slots[number % RING_SLOTS];
}

static void give_up_locked(struct local *local, const struct fault *fault)
{
	local->ring.is_failed = true;
	local->ring.fault = *fault;
	(void)pthread_cond_broadcast(&local->ring.to_source);
	(void)pthread_cond_broadcast(&local->ring.to_work);
	(void)pthread_cond_broadcast(&local->ring.to_log);
}

static void give_up(struct local *local, const struct fault *fault)
{
	(void)pthread_mutex_lock(&local->ring.mutex);
	give_up_locked(local, fault);
	(void)pthread_mutex_unlock(&local->ring.mutex);
	stage_say(local->options.stage, STAGE_FAILED, "%s", fault->text);
}

/* ---- source ---- */

static struct log_batch *local_begin(struct hub_backend *backend, const atomic_bool *stop)
{
	struct local *local = local_of(backend);
	struct log_batch *batch = NULL;
	(void)pthread_mutex_lock(&local->ring.mutex);
	while (!local->ring.is_failed && !atomic_load(stop) &&
		(local->ring.is_held || slot_at(local, local->ring.fill)->state != SLOT_FREE))
		(void)cond_wait(&local->ring.to_source, &local->ring.mutex,
			100000); /* `stop` has no signal */
	if (!local->ring.is_failed && !atomic_load(stop)) {
		struct slot *slot = slot_at(local, local->ring.fill);
		slot->state = SLOT_FILLING;
		batch = slot->batch;
	}
	(void)pthread_mutex_unlock(&local->ring.mutex);
	return batch;
}

static void keep_mark(struct slot *slot, const struct hub_mark *mark)
{
	buf_reset(&slot->mark);
	local_mark_write(mark, &slot->mark);
	buf_reset(&slot->controls);
	buf_slice(&slot->controls, mark->controls);
	slot->stamp = (struct log_stamp){
		.first_ordinal = mark->first_ordinal,
		.count = mark->count,
		.stream_time_us = mark->stream_time_us,
		.fingerprint = mark->fingerprint,
		.generation = mark->generation,
		.flags = mark->controls.len > 0 ? LOG_HAS_CONTROL : 0,
		.mark = buf_as_slice(&slot->mark),
	};
}

static enum rc local_commit(struct hub_backend *backend, struct log_batch *batch,
	const struct hub_mark *mark, struct fault *fault)
{
	struct local *local = local_of(backend);
	struct slot *slot = slot_at(local, local->ring.fill); /* FILLING: ours */
	keep_mark(slot, mark);
	if (slot->mark.rc != RC_OK || slot->controls.rc != RC_OK)
		return fault_set(
			fault, RC_LIMIT, "a batch's position or control records are too large");
	bool is_small = log_batch_is_small(batch);
	(void)pthread_mutex_lock(&local->ring.mutex);
	enum rc rc = RC_OK;
	if (local->ring.is_failed) {
		if (fault)
			*fault = local->ring.fault;
		rc = local->ring.fault.rc;
	} else {
		slot->is_small = is_small;
		slot->state = SLOT_COMMITTED;
		local->ring.fill++;
		atomic_fetch_add(&local->in_flight, 1);
		(void)pthread_cond_signal(is_small ? &local->ring.to_log : &local->ring.to_work);
	}
	(void)pthread_mutex_unlock(&local->ring.mutex);
	return rc;
}

/* ---- work ---- */

/* The next batch to compress: the first committed large one. */
static struct slot *slot_to_seal(struct local *local)
{
	for (uint64_t i = local->ring.write; i < local->ring.fill; i++) {
		struct slot *slot = slot_at(local, i);
		if (slot->state == SLOT_COMMITTED && !slot->is_small)
			return slot;
	}
	return NULL;
}

static void work_main(void *arg)
{
	struct local *local = arg;
	(void)pthread_mutex_lock(&local->ring.mutex);
	while (!local->ring.is_failed) {
		struct slot *slot = slot_to_seal(local);
		if (!slot && local->ring.closing)
			break;
		if (!slot) {
			(void)pthread_cond_wait(&local->ring.to_work, &local->ring.mutex);
			continue;
		}
		slot->state = SLOT_SEALING;
		(void)pthread_mutex_unlock(&local->ring.mutex);
		struct fault fault;
		enum rc rc = log_batch_seal(slot->batch, &slot->stamp, &fault);
		(void)pthread_mutex_lock(&local->ring.mutex);
		if (rc != RC_OK)
			give_up_locked(local, &fault);
		slot->state = SLOT_SEALED;
		(void)pthread_cond_signal(&local->ring.to_log);
	}
	(void)pthread_mutex_unlock(&local->ring.mutex);
}

/* ---- log ---- */

static bool is_ready(const struct slot *slot)
{
	return slot->state == SLOT_SEALED || (slot->state == SLOT_COMMITTED && slot->is_small);
}

/* How many batches from `write` on can be appended now. Waits for the first, or until `timeout_us`
 * has passed. */
static uint64_t ready_batches(struct local *local, int64_t timeout_us, bool *ret_done)
{
	uint64_t count = 0;
	(void)pthread_mutex_lock(&local->ring.mutex);
	if (!is_ready(slot_at(local, local->ring.write)) && !local->ring.closing &&
		!local->ring.is_failed)
		(void)cond_wait(&local->ring.to_log, &local->ring.mutex, timeout_us);
	while (local->ring.write + count < local->ring.fill &&
		is_ready(slot_at(local, local->ring.write + count)))
		count++;
	*ret_done = local->ring.is_failed ||
		(local->ring.closing && local->ring.write == local->ring.fill);
	(void)pthread_mutex_unlock(&local->ring.mutex);
	return count;
}

static bool is_closing(struct local *local)
{
	(void)pthread_mutex_lock(&local->ring.mutex);
	bool closing = local->ring.closing;
	(void)pthread_mutex_unlock(&local->ring.mutex);
	return closing;
}

/* A full disk is waited for: nothing was lost yet, and nothing will be. */
static enum rc append_when_there_is_room(
	struct local *local, struct slot *slot, struct fault *fault)
{
	bool told = false;
	for (;;) {
		enum rc rc = log_append(local->own.log, slot->batch, fault);
		if (rc != RC_DISK_FULL || is_closing(local)) {
			if (told && rc == RC_OK) {
				notice(NOTICE_CAPTURE_UNPAUSED, NULL);
				stage_say(local->options.stage, STAGE_RUNNING, "appending");
			}
			return rc;
		}
		if (!told)
			notice_fault(NOTICE_CAPTURE_PAUSED, fault, NULL);
		told = true;
		stage_say(local->options.stage, STAGE_WAITING, "the disk is full: %s", fault->text);
		stage_add(local->options.stage, STAGE_RETRIES, 1);
		clock_sleep_us(FULL_RETRY_US);
	}
}

static enum rc append_one(struct local *local, struct slot *slot, struct fault *fault)
{
	enum rc rc = RC_OK;
	if (slot->state == SLOT_COMMITTED)
		rc = log_batch_seal(slot->batch, &slot->stamp, fault);
	if (rc == RC_OK)
		rc = append_when_there_is_room(local, slot, fault);
	if (rc == RC_OK)
		local_state_follow(&local->own.state, buf_as_slice(&slot->mark),
			buf_as_slice(&slot->controls),
			slot->stamp.first_ordinal + slot->stamp.count);
	return rc;
}

static void count_batch(struct local *local, const struct slot *slot)
{
	struct stage *stage = local->options.stage;
	stage_add(stage, STAGE_EVENTS, slot->stamp.count);
	stage_add(stage, STAGE_BYTES, log_batch_stored(slot->batch));
	local->own.appended += log_batch_stored(slot->batch);
	stage_add(stage, STAGE_BATCHES, 1);
	stage_set(stage, STAGE_NEXT_ORDINAL, slot->stamp.first_ordinal + slot->stamp.count);
	stage_set(stage, STAGE_STREAM_TIME, (uint64_t)slot->stamp.stream_time_us);
}

/* What was synced goes back to the source. */
static void acknowledge(struct local *local, uint64_t count)
{
	const struct slot *last = slot_at(local, local->ring.write + count - 1);
	atomic_store(&local->acknowledged, last->stamp.first_ordinal + last->stamp.count);
	for (uint64_t i = 0; i < count; i++) {
		struct slot *slot = slot_at(local, local->ring.write + i);
		count_batch(local, slot);
		log_batch_reset(slot->batch);
	}
	(void)pthread_mutex_lock(&local->ring.mutex);
	for (uint64_t i = 0; i < count; i++)
		slot_at(local, local->ring.write + i)->state = SLOT_FREE;
	local->ring.write += count;
	atomic_fetch_sub(&local->in_flight, count);
	(void)pthread_cond_broadcast(&local->ring.to_source);
	(void)pthread_mutex_unlock(&local->ring.mutex);
}

static enum rc append_group(struct local *local, uint64_t count, struct fault *fault)
{
	enum rc rc = RC_OK;
	for (uint64_t i = 0; i < count && rc == RC_OK; i++)
		rc = append_one(local, slot_at(local, local->ring.write + i), fault);
	if (rc == RC_OK)
		rc = log_sync(local->own.log, fault);
	if (rc == RC_OK)
		acknowledge(local, count);
	return rc;
}

static void say_held(struct local *local, bool is_held, uint64_t bytes)
{
	if (is_held && !local->own.told_held) {
		notice(NOTICE_LOG_HELD,
			FIELDS(field_u64("bytes", bytes),
				field_u64("limit", local->options.retention_size)));
		stage_say(local->options.stage, STAGE_WAITING,
			"full: %llu bytes, and the archive has not got further than ordinal %llu",
			(unsigned long long)bytes,
			(unsigned long long)atomic_load(&local->archived));
	} else if (!is_held && local->own.told_held) {
		notice(NOTICE_CAPTURE_UNPAUSED, NULL);
		stage_say(local->options.stage, STAGE_RUNNING, "appending");
	}
	local->own.told_held = is_held;
	(void)pthread_mutex_lock(&local->ring.mutex);
	local->ring.is_held = is_held;
	if (!is_held)
		(void)pthread_cond_broadcast(&local->ring.to_source);
	(void)pthread_mutex_unlock(&local->ring.mutex);
}

/* Once a second, and before the limit could be passed by much. */
static bool is_time_to_retain(const struct local *local, int64_t now)
{
	int64_t pause = local->own.told_held ? RETAIN_EVERY_US / 5 : RETAIN_EVERY_US;
	uint64_t much = local->options.retention_size / 16;
	return now - local->own.retained_us >= pause || (much > 0 && local->own.appended >= much);
}

static enum rc retain(struct local *local, struct fault *fault)
{
	int64_t now = clock_monotonic_us();
	if (!is_time_to_retain(local, now))
		return RC_OK;
	local->own.retained_us = now;
	local->own.appended = 0;
	struct log_retention wanted = {
		.arrived_before_us = clock_wall_us() - local->options.retention_us,
		.size_max = local->options.retention_size,
		.keep_from = local->options.archived ? atomic_load(&local->archived) : UINT64_MAX,
	};
	struct log_retained retained;
	enum rc rc = log_retain(local->own.log, &wanted, &retained, fault);
	if (rc != RC_OK)
		return rc;
	if (retained.dropped_segments > 0) {
		notice(NOTICE_LOG_DROPPED,
			FIELDS(field_u64("segments", retained.dropped_segments),
				field_u64("bytes", retained.dropped_bytes)));
		local_state_sweep(&local->own.state, retained.first_ordinal);
	}
	stage_set(local->options.stage, STAGE_HELD, retained.bytes);
	if (retained.held != local->own.told_held)
		say_held(local, retained.held, retained.bytes);
	return RC_OK;
}

static void log_main(void *arg)
{
	struct local *local = arg;
	struct fault fault = {0};
	enum rc rc = RC_OK;
	bool done = false;
	while (rc == RC_OK && !done) {
		uint64_t count = ready_batches(local, RETAIN_EVERY_US / 5, &done);
		if (count > 0)
			rc = append_group(local, count, &fault);
		if (rc == RC_OK)
			rc = retain(local, &fault);
	}
	if (rc != RC_OK)
		give_up(local, &fault);
}

/* ---- door ---- */

static const struct hub_state *local_state(const struct hub_backend *backend)
{
	return &local_of(backend)->own.state.hub;
}

static enum rc local_schemas(const struct hub_backend *backend,
	enum rc (*each)(void *context, struct slice line, struct fault *fault), void *context,
	struct fault *fault)
{
	return local_state_schemas(&local_of(backend)->own.state, each, context, fault);
}

static bool local_is_idle(const struct hub_backend *backend)
{
	return atomic_load(&local_of(backend)->in_flight) == 0;
}

static uint64_t local_acknowledged(const struct hub_backend *backend)
{
	return atomic_load(&local_of(backend)->acknowledged);
}

static enum rc local_failed(struct hub_backend *backend, struct fault *fault)
{
	struct local *local = local_of(backend);
	(void)pthread_mutex_lock(&local->ring.mutex);
	enum rc rc = local->ring.is_failed ? local->ring.fault.rc : RC_OK;
	if (rc != RC_OK && fault)
		*fault = local->ring.fault;
	(void)pthread_mutex_unlock(&local->ring.mutex);
	return rc;
}

static enum rc local_flush(struct hub_backend *backend, struct fault *fault)
{
	struct local *local = local_of(backend);
	(void)pthread_mutex_lock(&local->ring.mutex);
	while (local->ring.write < local->ring.fill && !local->ring.is_failed)
		(void)pthread_cond_wait(&local->ring.to_source, &local->ring.mutex);
	(void)pthread_mutex_unlock(&local->ring.mutex);
	return local_failed(backend, fault);
}

static void local_archived(struct hub_backend *backend, uint64_t next)
{
	atomic_store(&local_of(backend)->archived, next);
}

static bool local_is_held(const struct hub_backend *backend)
{
	struct local *local = local_of(backend);
	(void)pthread_mutex_lock(&local->ring.mutex);
	bool is_held = local->ring.is_held;
	(void)pthread_mutex_unlock(&local->ring.mutex);
	return is_held;
}

static void local_free(struct local *local)
{
	log_close(local->own.log);
	local_state_release(&local->own.state);
	for (int i = 0; i < RING_SLOTS; i++) {
		struct slot *slot = &local->ring.slots[i];
		log_batch_free(slot->batch);
		buf_release(&slot->mark);
		buf_release(&slot->controls);
	}
	mem_free(local->folder);
	mem_free(local);
}

static void local_close(struct hub_backend *backend)
{
	struct local *local = local_of(backend);
	(void)pthread_mutex_lock(&local->ring.mutex);
	local->ring.closing = true;
	(void)pthread_cond_broadcast(&local->ring.to_work);
	(void)pthread_cond_broadcast(&local->ring.to_log);
	(void)pthread_mutex_unlock(&local->ring.mutex);
	for (int i = 0; i < WORKERS_MAX; i++)
		thread_join(&local->work_threads[i]);
	thread_join(&local->log_thread);
	local_free(local);
}

static const struct hub_backend_ops local_ops = {
	.name = "local",
	.close = local_close,
	.state = local_state,
	.schemas = local_schemas,
	.begin = local_begin,
	.commit = local_commit,
	.is_idle = local_is_idle,
	.acknowledged = local_acknowledged,
	.flush = local_flush,
	.failed = local_failed,
	.archived = local_archived,
	.is_held = local_is_held,
};

static enum rc write_head(void *context, struct buf *out, struct fault *fault)
{
	struct local *local = context;
	return local_state_head(&local->own.state, out, fault);
}

static void say_opened(const struct local *local, const struct hub_meta *meta)
{
	const struct log_end *end = log_end(local->own.log);
	const struct hub_state *state = &local->own.state.hub;
	notice(state->is_new ? NOTICE_LOG_CREATED : NOTICE_LOG_RECOVERED,
		FIELDS(field_text("stream", meta->name), field_u64("shards", meta->shards),
			field_u64("next_ordinal", state->next_ordinal),
			field_text("folder", local->folder)));
	if (end->cut_bytes > 0)
		notice(NOTICE_LOG_TORN,
			FIELDS(field_u64("bytes", end->cut_bytes),
				field_u64("batches", end->cut_batches)));
	stage_set(local->options.stage, STAGE_NEXT_ORDINAL, state->next_ordinal);
	stage_set(local->options.stage, STAGE_STREAM_TIME, (uint64_t)state->stream_time_us);
}

static void make_ring(struct local *local, const struct hub_options *options, uint32_t shards)
{
	(void)pthread_mutex_init(&local->ring.mutex, NULL);
	cond_init(&local->ring.to_source);
	cond_init(&local->ring.to_work);
	cond_init(&local->ring.to_log);
	for (int i = 0; i < RING_SLOTS; i++) {
		struct slot *slot = &local->ring.slots[i];
		slot->mark = buf_of(LOG_MARK_MAX);
		slot->controls = buf_of(options->batch_size + options->line_max);
		slot->batch = log_batch_new(&(struct log_batch_options){
			.shards = shards,
			.codec = options->codec,
			.level = options->level,
			.payload_keep = options->batch_size,
			.payload_max = options->batch_size + options->line_max,
		});
	}
}

enum rc hub_local_open(const struct hub_options *options, const struct hub_meta *meta,
	struct hub_backend **ret_backend, struct fault *fault)
{
	struct local *local = mem_new(1, sizeof *local);
	local->backend.ops = &local_ops;
	local->options = *options;
	local->folder = hub_folder(options->data, options->name);
	local_state_init(&local->own.state, local->folder);
	make_ring(local, options, meta->shards);
	struct log_options log_options = {
		.folder = local->folder,
		.segment_size = options->segment_size,
		.write_head = write_head,
		.context = local,
	};
	enum rc rc = log_open(&log_options, &local->own.log, fault);
	if (rc == RC_OK)
		rc = local_state_load(&local->own.state, local->own.log, fault);
	if (rc != RC_OK) {
		local_free(local);
		return rc;
	}
	atomic_store(&local->acknowledged, local->own.state.hub.next_ordinal);
	say_opened(local, meta);
	stage_say(options->stage, STAGE_RUNNING, "appending");
	rc = thread_start(&local->log_thread, THREAD_LOG, "log", log_main, local, fault);
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	for (int i = 0; i < WORKERS_MAX && (i == 0 || i < cores) && rc == RC_OK; i++)
		rc = thread_start(
			&local->work_threads[i], THREAD_WORK, "work", work_main, local, fault);
	if (rc != RC_OK) {
		local_close(&local->backend);
		return rc;
	}
	*ret_backend = &local->backend;
	return RC_OK;
}
