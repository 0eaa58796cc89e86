/* Reading the stream, and closing objects in rounds; see flow.h.
 *
 * A round publishes what is due, between two batches only, then brings the manifest of the hour up
 * to date, then tells the hub what it may drop. What it may drop is what an object's `complete`
 * says, never more: after a crash the stream must still hold what the archive goes on from.
 *
 * Invariants: all open objects are of the hour hour_us; what was read lies below `next` and is
 * archived or in an open object.
 *
 * Thread: THREAD_ROLE. */
#include "archive/flow.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/notice.h"

enum { WAIT_MAX_US = 100000 };

/* ---- going on where the archive ends ---- */

/* What the shards' newest objects say together. */
struct resume {
	bool is_empty;
	uint64_t complete;
	int64_t newest_us;
};

static enum rc take_end(
	struct flow *flow, uint32_t number, const struct past_object *object, struct fault *fault)
{
	char key[PAST_KEY_MAX];
	past_name_key(&object->name, key);
	if (object->created_us != flow->created_us) {
		(void)fault_set(fault, RC_CONFLICT,
			"'%s' in '%s' is of another stream of the same name, made at another time",
			key, flow->options->path);
		fault_hint(fault, "give the stream another name, or its archive another folder");
		return RC_CONFLICT;
	}
	flow->shards[number].has_last = true;
	flow->shards[number].last = object->last;
	return store_settle(flow->store, key, fault);
}

static enum rc take_ends(
	struct flow *flow, struct past_end *ends, struct resume *resume, struct fault *fault)
{
	enum rc rc = past_ends(flow->store, flow->options->stream, flow->shard_count, ends,
		&resume->newest_us, fault);
	if (rc == RC_NOT_FOUND) {
		resume->is_empty = true;
		return RC_OK;
	}
	for (uint32_t i = 0; i < flow->shard_count && rc == RC_OK; i++) {
		if (!ends[i].is_there)
			continue;
		rc = take_end(flow, i, &ends[i].object, fault);
		if (ends[i].object.complete > resume->complete)
			resume->complete = ends[i].object.complete;
	}
	return rc;
}

static enum rc load_ends(struct flow *flow, struct resume *resume, struct fault *fault)
{
	struct past_end *ends = mem_new(flow->shard_count, sizeof *ends);
	enum rc rc = take_ends(flow, ends, resume, fault);
	for (uint32_t i = 0; i < flow->shard_count; i++)
		past_object_release(&ends[i].object);
	mem_free(ends);
	return rc;
}

static enum rc open_reader(struct flow *flow, const struct resume *resume, struct fault *fault)
{
	struct hub_start start = {.from = HUB_OLDEST};
	if (!resume->is_empty)
		start = (struct hub_start){.from = HUB_AT_ORDINAL, .ordinal = resume->complete};
	enum rc rc = hub_reader_open(flow->options->folder, &start, &flow->reader, fault);
	if (rc == RC_TRIMMED) {
		fault_context(fault, "the archive in '%s' goes on from there", flow->options->path);
		fault_hint(fault,
			"what lies between is lost to this archive: begin a new one in "
			"another folder");
	}
	return rc;
}

static enum rc check_ahead(
	const struct flow *flow, const struct resume *resume, struct fault *fault)
{
	uint64_t end = hub_acknowledged(flow->options->hub);
	if (resume->is_empty || resume->complete <= end)
		return RC_OK;
	(void)fault_set(fault, RC_CONFLICT,
		"the archive in '%s' has everything below ordinal %llu, the stream '%s' ends at "
		"%llu",
		flow->options->path, (unsigned long long)resume->complete, flow->options->stream,
		(unsigned long long)end);
	fault_hint(fault,
		"the stream has lost its end, or is another one: give it another name, or "
		"its archive another folder");
	return RC_CONFLICT;
}

static enum rc load_meta(struct flow *flow, struct fault *fault)
{
	struct hub_meta meta;
	enum rc rc = hub_meta_read(flow->options->folder, &meta, fault);
	if (rc != RC_OK)
		return rc;
	flow->created_us = meta.created_us;
	flow->shard_count = meta.shards;
	flow->shards = mem_new(meta.shards, sizeof *flow->shards);
	for (uint32_t i = 0; i < meta.shards; i++) {
		flow->shards[i].number = i;
		flow->shards[i].gather = buf_of(PACK_PIECE_MAX);
	}
	return RC_OK;
}

static enum rc refresh(struct flow *flow, int64_t hour_us, size_t fresh, struct fault *fault)
{
	bool rebuilt = false;
	enum rc rc;
	do
		rc = past_manifest_refresh(
			flow->store, flow->options->stream, hour_us, fresh, &rebuilt, fault);
	while (rc != RC_OK && control_try_again(flow->control, rc, fault));
	if (rc == RC_OK && rebuilt) {
		char key[PAST_KEY_MAX];
		past_manifest_key(flow->options->stream, hour_us, key);
		notice(NOTICE_ARCHIVE_MANIFEST_REBUILT, FIELDS(field_text("key", key)));
	}
	return rc;
}

static void tell_hub(struct flow *flow, uint64_t complete)
{
	stage_set(flow->options->stage, STAGE_NEXT_ORDINAL, complete);
	hub_archived(flow->options->hub, complete);
}

static enum rc resume_from_store(struct flow *flow, struct fault *fault)
{
	struct resume resume = {.newest_us = INT64_MIN};
	enum rc rc = load_meta(flow, fault);
	if (rc == RC_OK)
		rc = load_ends(flow, &resume, fault);
	if (rc == RC_OK)
		rc = check_ahead(flow, &resume, fault);
	if (rc == RC_OK && !resume.is_empty)
		rc = refresh(flow, resume.newest_us, 0, fault);
	if (rc == RC_OK)
		rc = open_reader(flow, &resume, fault);
	if (rc != RC_OK)
		return rc;
	flow->hour_us = resume.newest_us;
	flow->next = resume.complete;
	if (!resume.is_empty)
		tell_hub(flow, resume.complete);
	if (!flow->control->is_told) {
		notice(NOTICE_ARCHIVE_RESUMED,
			FIELDS(field_text("archive", flow->options->path),
				field_u64("ordinal", resume.complete)));
		stage_say(flow->options->stage, STAGE_RUNNING, "archiving to %s",
			flow->options->path);
	}
	return RC_OK;
}

/* ---- rounds ---- */

/* Below this everything is archived once `shard` has published its open object. */
static uint64_t complete_after(const struct flow *flow, const struct shard *shard)
{
	uint64_t complete = flow->next;
	for (uint32_t i = 0; i < flow->shard_count; i++) {
		const struct shard *other = &flow->shards[i];
		if (other != shard && other->object.count > 0 &&
			other->object.name.first < complete)
			complete = other->object.name.first;
	}
	return complete;
}

/* Why a round is made. */
enum round { ROUND_DUE, ROUND_IDLE, ROUND_ALL };

static bool is_due(const struct flow *flow, const struct shard *shard, enum round round)
{
	if (shard->object.count == 0)
		return false;
	if (round == ROUND_ALL)
		return true;
	if (round == ROUND_IDLE && past_hour(clock_wall_us()) > flow->hour_us)
		return true;
	if (shard->stage && store_stage_size(shard->stage) >= flow->options->object_size)
		return true;
	return clock_monotonic_us() - shard->since_us >= flow->options->object_age_us;
}

static enum rc close_round(struct flow *flow, enum round round, struct fault *fault)
{
	size_t published = 0;
	uint64_t complete = 0;
	enum rc rc = RC_OK;
	for (uint32_t i = 0; i < flow->shard_count && rc == RC_OK; i++) {
		struct shard *shard = &flow->shards[i];
		if (!is_due(flow, shard, round))
			continue;
		complete = complete_after(flow, shard);
		rc = shard_publish(flow, shard, complete, fault);
		published += rc == RC_OK;
	}
	if (rc == RC_OK && published > 0)
		rc = refresh(flow, flow->hour_us, published, fault);
	if (rc == RC_OK && published > 0)
		tell_hub(flow, complete);
	return rc;
}

/* ---- reading ---- */

/* Open objects are of one hour, which never goes back. */
static enum rc enter_hour(struct flow *flow, const struct log_view *view, struct fault *fault)
{
	int64_t hour_us = past_hour(view->stream_time_us);
	if (hour_us == flow->hour_us)
		return RC_OK;
	if (hour_us < flow->hour_us)
		return fault_set(fault, RC_CORRUPT,
			"the stream time of ordinal %llu goes back to an hour that is archived",
			(unsigned long long)view->first_ordinal);
	enum rc rc = close_round(flow, ROUND_ALL, fault);
	if (rc == RC_OK)
		flow->hour_us = hour_us;
	return rc;
}

static enum rc take_view(struct flow *flow, struct log_view *view, struct fault *fault)
{
	for (size_t i = 0; i < view->run_count; i++) {
		struct log_run_view *run = &view->runs[i];
		if (run->shard >= flow->shard_count)
			return fault_set(fault, RC_CORRUPT,
				"ordinal %llu is in shard %u, but the stream has %u shards",
				(unsigned long long)view->first_ordinal, run->shard,
				flow->shard_count);
		struct shard *shard = &flow->shards[run->shard];
		if (shard_has(shard, run))
			continue;
		enum rc rc = enter_hour(flow, view, fault);
		if (rc == RC_OK)
			rc = shard_take(flow, shard, view, run, fault);
		if (rc != RC_OK)
			return rc;
	}
	flow->next = view->first_ordinal + view->count;
	return RC_OK;
}

/* Until the oldest open object is due, but never so long that a stop would be seen late. */
static int64_t wait_us(const struct flow *flow)
{
	int64_t now_us = clock_monotonic_us(), wait = WAIT_MAX_US;
	for (uint32_t i = 0; i < flow->shard_count; i++) {
		const struct shard *shard = &flow->shards[i];
		int64_t left_us = shard->since_us + flow->options->object_age_us - now_us;
		if (shard->object.count > 0 && left_us < wait)
			wait = left_us;
	}
	return wait > 0 ? wait : 0;
}

static enum rc read_some(struct flow *flow, struct fault *fault)
{
	struct log_view *view = NULL;
	enum rc rc = hub_read(flow->reader, wait_us(flow), &view, fault);
	if (rc == RC_TIMEOUT) /* nothing comes, perhaps because the stream waits for us */
		return close_round(
			flow, hub_is_held(flow->options->hub) ? ROUND_ALL : ROUND_IDLE, fault);
	if (rc == RC_OK)
		rc = take_view(flow, view, fault);
	if (rc == RC_OK)
		rc = close_round(flow, ROUND_DUE, fault);
	return rc;
}

enum rc flow_run(struct flow *flow, struct fault *fault)
{
	enum rc rc = resume_from_store(flow, fault);
	while (rc == RC_OK && control_goes_on(flow->control, flow->next))
		rc = read_some(flow, fault);
	if (rc == RC_OK)
		rc = close_round(flow, ROUND_ALL, fault);
	return rc;
}

void flow_drop(struct flow *flow)
{
	for (uint32_t i = 0; i < flow->shard_count; i++)
		shard_drop(flow, &flow->shards[i]);
	mem_free(flow->shards);
	flow->shards = NULL;
	flow->shard_count = 0;
	hub_reader_close(flow->reader);
	flow->reader = NULL;
}
