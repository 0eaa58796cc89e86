/* The door of the hub: opens a backend and calls through its table; see hub.h. */
#include <stdio.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/mem.h"
#include "base/thread.h"
#include "hub/backend.h"

struct hub {
	struct hub_backend *backend;
	struct hub_meta meta;
};

char *hub_folder(const char *data, const char *name)
{
	return mem_format("%s/streams/%s", data, name);
}

static enum rc open_local(const struct hub_options *options, struct hub *hub, struct fault *fault)
{
	char *folder = hub_folder(options->data, options->name);
	enum rc rc = disk_make_folders(folder, fault);
	if (rc == RC_OK)
		rc = hub_meta_open(options, folder, &hub->meta, fault);
	if (rc == RC_OK)
		rc = hub_local_open(options, &hub->meta, &hub->backend, fault);
	mem_free(folder);
	return rc;
}

enum rc hub_open(const struct hub_options *options, struct hub **ret_hub, struct fault *fault)
{
	struct hub *hub = mem_new(1, sizeof *hub);
	enum rc rc;
	if (options->null) {
		hub->meta =
			(struct hub_meta){.shards = options->shards, .created_us = clock_wall_us()};
		(void)snprintf(hub->meta.name, sizeof hub->meta.name, "%s", options->name);
		rc = hub_null_open(options, &hub->backend, fault);
	} else {
		rc = open_local(options, hub, fault);
	}
	if (rc != RC_OK) {
		mem_free(hub);
		return rc;
	}
	*ret_hub = hub;
	return RC_OK;
}

void hub_close(struct hub *hub)
{
	if (!hub)
		return;
	hub->backend->ops->close(hub->backend);
	mem_free(hub);
}

const struct hub_state *hub_state(const struct hub *hub)
{
	return hub->backend->ops->state(hub->backend);
}

enum rc hub_schemas(const struct hub *hub,
	enum rc (*each)(void *context, struct slice line, struct fault *fault), void *context,
	struct fault *fault)
{
	return hub->backend->ops->schemas(hub->backend, each, context, fault);
}

uint32_t hub_shards(const struct hub *hub)
{
	return hub->meta.shards;
}

int64_t hub_created_s(const struct hub *hub)
{
	return hub->meta.created_us / 1000000;
}

struct log_batch *hub_batch_begin(struct hub *hub, const atomic_bool *stop)
{
	thread_assert(THREAD_SOURCE);
	return hub->backend->ops->begin(hub->backend, stop);
}

enum rc hub_batch_commit(
	struct hub *hub, struct log_batch *batch, const struct hub_mark *mark, struct fault *fault)
{
	thread_assert(THREAD_SOURCE);
	return hub->backend->ops->commit(hub->backend, batch, mark, fault);
}

bool hub_is_idle(const struct hub *hub)
{
	return hub->backend->ops->is_idle(hub->backend);
}

uint64_t hub_acknowledged(const struct hub *hub)
{
	return hub->backend->ops->acknowledged(hub->backend);
}

enum rc hub_flush(struct hub *hub, struct fault *fault)
{
	return hub->backend->ops->flush(hub->backend, fault);
}

enum rc hub_failed(const struct hub *hub, struct fault *fault)
{
	return hub->backend->ops->failed(hub->backend, fault);
}

void hub_archived(struct hub *hub, uint64_t next)
{
	hub->backend->ops->archived(hub->backend, next);
}

bool hub_is_held(const struct hub *hub)
{
	return hub->backend->ops->is_held(hub->backend);
}
