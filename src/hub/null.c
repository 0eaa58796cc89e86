/* The null backend: takes batches and drops them, to measure what stands before it; see backend.h.
 * Never fails, never waits. */
#include "base/mem.h"
#include "base/stage.h"
#include "hub/backend.h"

struct null {
	struct hub_backend backend;
	struct hub_state state;
	struct log_batch *batch;
	struct stage *stage;
	_Atomic uint64_t acknowledged;
};

static struct null *null_of(const struct hub_backend *backend)
{
	return (struct null *)(uintptr_t)backend; /* its first member */
}

static void null_close(struct hub_backend *backend)
{
	struct null *null = null_of(backend);
	log_batch_free(null->batch);
	mem_free(null);
}

static const struct hub_state *null_state(const struct hub_backend *backend)
{
	return &null_of(backend)->state;
}

static enum rc null_schemas(const struct hub_backend *backend,
	enum rc (*each)(void *context, struct slice line, struct fault *fault), void *context,
	struct fault *fault)
{
	(void)backend, (void)each, (void)context, (void)fault;
	return RC_OK;
}

static struct log_batch *null_begin(struct hub_backend *backend, const atomic_bool *stop)
{
	return *stop ? NULL : null_of(backend)->batch;
}

static enum rc null_commit(struct hub_backend *backend, struct log_batch *batch,
	const struct hub_mark *mark, struct fault *fault)
{
	(void)fault;
	struct null *null = null_of(backend);
	stage_add(null->stage, STAGE_EVENTS, mark->count);
	stage_add(null->stage, STAGE_BYTES, log_batch_payload(batch));
	stage_add(null->stage, STAGE_BATCHES, 1);
	stage_set(null->stage, STAGE_NEXT_ORDINAL, mark->first_ordinal + mark->count);
	stage_set(null->stage, STAGE_STREAM_TIME, (uint64_t)mark->stream_time_us);
	atomic_store(&null->acknowledged, mark->first_ordinal + mark->count);
	log_batch_reset(batch);
	return RC_OK;
}

static bool null_is_idle(const struct hub_backend *backend)
{
	(void)backend;
	return true;
}

static uint64_t null_acknowledged(const struct hub_backend *backend)
{
	return atomic_load(&null_of(backend)->acknowledged);
}

static enum rc null_flush(struct hub_backend *backend, struct fault *fault)
{
	(void)backend, (void)fault;
	return RC_OK;
}

static enum rc null_failed(struct hub_backend *backend, struct fault *fault)
{
	(void)backend, (void)fault;
	return RC_OK;
}

static void null_archived(struct hub_backend *backend, uint64_t next)
{
	(void)backend, (void)next;
}

static bool null_is_held(const struct hub_backend *backend)
{
	(void)backend;
	return false;
}

static const struct hub_backend_ops null_ops = {
	.name = "null",
	.close = null_close,
	.state = null_state,
	.schemas = null_schemas,
	.begin = null_begin,
	.commit = null_commit,
	.is_idle = null_is_idle,
	.acknowledged = null_acknowledged,
	.flush = null_flush,
	.failed = null_failed,
	.archived = null_archived,
	.is_held = null_is_held,
};

enum rc hub_null_open(
	const struct hub_options *options, struct hub_backend **ret_backend, struct fault *fault)
{
	(void)fault;
	struct null *null = mem_new(1, sizeof *null);
	null->backend.ops = &null_ops;
	null->state.is_new = true;
	null->stage = options->stage;
	null->batch = log_batch_new(&(struct log_batch_options){
		.shards = options->shards,
		.codec = LOG_PLAIN,
		.payload_keep = options->batch_size,
		.payload_max = options->batch_size + options->line_max,
	});
	*ret_backend = &null->backend;
	return RC_OK;
}
