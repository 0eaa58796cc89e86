/* The inside of the store: what a backend must do. store.c checks keys and keeps the size of a
 * stage; a backend's store and stage begin with these structs.
 *
 * Every slot is mandatory. Contracts are those of store.h; keys have been checked. */
#ifndef STORE_BACKEND_H
#define STORE_BACKEND_H

#include "store/store.h"

struct store_backend;

struct store {
	const struct store_backend *backend;
	char *name; /* owned by store.c */
};

struct store_stage {
	struct store *store;
	uint64_t
		size; /* bytes that are in for good: a failed append is tried again at this place */
	bool is_lost;
};

struct store_backend {
	void (*close)(struct store *store);

	/* Fills nothing of struct store_stage: the backend allocates, store.c initialises. */
	enum rc (*stage_begin)(
		struct store *store, struct store_stage **ret_stage, struct fault *fault);
	/* Writes at stage->size; store.c adds to it. */
	enum rc (*stage_append)(struct store_stage *stage, struct slice bytes, struct fault *fault);
	/* Sets is_lost when the bytes could not be made durable. */
	enum rc (*stage_publish)(
		struct store_stage *stage, const char *key, struct slice meta, struct fault *fault);
	/* Drops what was not published and frees the stage. */
	void (*stage_close)(struct store_stage *stage);

	enum rc (*replace)(
		struct store *store, const char *key, struct slice bytes, struct fault *fault);
	enum rc (*delete)(struct store *store, const char *key, struct fault *fault);
	enum rc (*settle)(struct store *store, const char *key, struct fault *fault);

	enum rc (*get)(struct store *store, const char *key, uint64_t offset, uint64_t len,
		struct buf *out, struct fault *fault);
	enum rc (*head)(struct store *store, const char *key, uint64_t *ret_size, struct buf *meta,
		struct fault *fault);
	enum rc (*list)(struct store *store, const char *prefix, const char *after,
		enum rc (*each)(void *context, const char *key, uint64_t size, struct fault *fault),
		void *context, struct fault *fault);
	enum rc (*last)(
		struct store *store, const char *prefix, struct buf *key, struct fault *fault);
};

#endif
