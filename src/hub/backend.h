/* What a backend of the hub is: a table of functions behind a stream that is open for appending;
 * see hub.h for what each must do.
 *
 * hub.c calls through it and checks nothing twice; local.c and null.c implement it. */
#ifndef HUB_BACKEND_H
#define HUB_BACKEND_H

#include "hub/hub.h"

struct hub_backend {
	const struct hub_backend_ops *ops;
};

struct hub_backend_ops {
	const char *name;
	void (*close)(struct hub_backend *backend);
	const struct hub_state *(*state)(const struct hub_backend *backend);
	enum rc (*schemas)(const struct hub_backend *backend,
		enum rc (*each)(void *context, struct slice line, struct fault *fault),
		void *context, struct fault *fault);
	struct log_batch *(*begin)(struct hub_backend *backend, const atomic_bool *stop);
	enum rc (*commit)(struct hub_backend *backend, struct log_batch *batch,
		const struct hub_mark *mark, struct fault *fault);
	bool (*is_idle)(const struct hub_backend *backend);
	uint64_t (*acknowledged)(const struct hub_backend *backend);
	enum rc (*flush)(struct hub_backend *backend, struct fault *fault);
	enum rc (*failed)(struct hub_backend *backend, struct fault *fault);
	void (*archived)(struct hub_backend *backend, uint64_t next);
	bool (*is_held)(const struct hub_backend *backend);
};

enum rc hub_local_open(const struct hub_options *options, const struct hub_meta *meta,
	struct hub_backend **ret_backend, struct fault *fault);
enum rc hub_null_open(
	const struct hub_options *options, struct hub_backend **ret_backend, struct fault *fault);

/* meta.c: reads the stream's meta file, makes it for a new stream, refuses another number of
 * shards. */
enum rc hub_meta_open(const struct hub_options *options, const char *folder,
	struct hub_meta *ret_meta, struct fault *fault);

#endif
