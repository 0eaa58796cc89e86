/* Objects: named bytes that are put once, got, listed, deleted. Backends behind one vtable
 * (store/backend.h); today a folder.
 *
 * Names (keys) are relative paths of the characters A-Z a-z 0-9 _ . - = / without empty, "." or
 * ".." parts, at most 900 bytes; they neither begin with a dot nor end in ".meta", which are the
 * folder's own (RC_USAGE). An object appears whole or not at all, and durably. Besides its bytes it
 * has metadata: a small JSON object (S3: user metadata; folder: KEY.meta, written first, so that an
 * object without its metadata does not exist).
 *
 * Any number of processes may have the same store open.
 *
 * Threads: any, one owner of each handle at a time. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/buf.h"

struct store;

/* Opens a folder as a store; makes it when missing; removes what a crash left half-staged. */
MUST_USE enum rc store_open_folder(const char *path, struct store **ret_store, struct fault *fault);
void store_close(struct store *store); /* accepts NULL */

/* For log lines: where the store is. */
const char *store_name(const struct store *store);

/* ---- writing ---- */

/* An object in the making: bytes are appended, then it is published under a key, once. */
struct store_stage;
MUST_USE enum rc store_stage_begin(
	struct store *store, struct store_stage **ret_stage, struct fault *fault);
MUST_USE enum rc store_stage_append(
	struct store_stage *stage, struct slice bytes, struct fault *fault);
uint64_t store_stage_size(const struct store_stage *stage);

/* Gives the staged bytes their name, if nothing has it yet: RC_EXISTS otherwise, nothing has
 * changed, and what has the name is durable. Durable when it returns RC_OK. After another error it
 * may be called again, unless the stage is lost; RC_EXISTS may then mean the earlier call. The
 * stage stays the caller's to close in any case. */
MUST_USE enum rc store_stage_publish(
	struct store_stage *stage, const char *key, struct slice meta, struct fault *fault);

/* Whether the staged bytes could not be made durable: a second try would prove nothing, so the
 * caller begins again with a new stage. */
bool store_stage_is_lost(const struct store_stage *stage);

/* Drops what was not published. Accepts NULL. */
void store_stage_close(struct store_stage *stage);

/* Puts a small object over what was there, as a whole (manifests). Without metadata; RC_EXISTS when
 * what is there has some, for then it was published and never changes. */
MUST_USE enum rc store_replace(
	struct store *store, const char *key, struct slice bytes, struct fault *fault);

/* Removes an object and its metadata. One that is not there is no error. */
MUST_USE enum rc store_delete(struct store *store, const char *key, struct fault *fault);

/* Makes sure that an object that is seen is there after a power cut too: its writer may have died
 * between the two. Before something else is given up because the object exists. */
MUST_USE enum rc store_settle(struct store *store, const char *key, struct fault *fault);

/* ---- reading ---- */

/* Appends the object's bytes (from `offset`, at most `len`) to `out`. RC_NOT_FOUND. */
MUST_USE enum rc store_get(struct store *store, const char *key, uint64_t offset, uint64_t len,
	struct buf *out, struct fault *fault);

/* Size and metadata (appended to `meta`). RC_NOT_FOUND. */
MUST_USE enum rc store_head(struct store *store, const char *key, uint64_t *ret_size,
	struct buf *meta, struct fault *fault);

/* Calls `each` with the keys that start with `prefix` and are greater than `after` (NULL: all), in
 * the order of bytes, until it answers other than RC_OK, which is then the result (RC_END for:
 * enough). Metadata and staged bytes are not listed. */
MUST_USE enum rc store_list(struct store *store, const char *prefix, const char *after,
	enum rc (*each)(void *context, const char *key, uint64_t size, struct fault *fault),
	void *context, struct fault *fault);

/* The greatest key that starts with `prefix`, appended to `key`; RC_NOT_FOUND when there is none.
 * Cheaper than listing: it walks down from the end. */
MUST_USE enum rc store_last(
	struct store *store, const char *prefix, struct buf *key, struct fault *fault);

#endif
