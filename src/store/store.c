/* The door of the store: checks keys, then asks the backend; see store.h.
 *
 * Thread: any, one owner of each handle at a time. */
#include "store/store.h"

#include <assert.h>

#include "base/mem.h"
#include "store/backend.h"

enum { KEY_MAX = 900 };

static bool is_key_byte(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
		(byte >= '0' && byte <= '9') || (byte != 0 && strchr("_.-=/", byte));
}

/* Neither empty nor a way out of the store. */
static bool part_fits(const char *part, size_t len)
{
	return len > 0 && !(len == 1 && part[0] == '.') &&
		!(len == 2 && memcmp(part, "..", 2) == 0);
}

/* A prefix may end in the middle of a part; a key's last part is a part like the others. */
static const char *unfit_because(const char *text, bool is_prefix)
{
	size_t len = strlen(text);
	if (len > KEY_MAX)
		return "it is longer than 900 bytes";
	if (text[0] == '.')
		return "it begins with a dot";
	for (size_t i = 0; i < len; i++) {
		if (!is_key_byte(text[i]))
			return "only A-Z a-z 0-9 _ . - = / may stand in it";
	}
	for (const char *part = text;; part++) {
		size_t part_len = strcspn(part, "/");
		bool is_last = !part[part_len];
		if (!(is_last && is_prefix) && !part_fits(part, part_len))
			return "a part of it is empty, . or ..";
		if (is_last)
			return NULL;
		part += part_len;
	}
}

static enum rc check_key(const struct store *store, const char *key, struct fault *fault)
{
	const char *reason = unfit_because(key, false);
	size_t len = strlen(key);
	if (!reason && len >= 5 && strcmp(key + len - 5, ".meta") == 0)
		reason = "it ends in .meta";
	if (!reason)
		return RC_OK;
	return fault_set(
		fault, RC_USAGE, "'%.200s' cannot be a key in '%s': %s", key, store->name, reason);
}

static enum rc check_prefix(const struct store *store, const char *prefix, struct fault *fault)
{
	const char *reason = unfit_because(prefix, true);
	if (!reason)
		return RC_OK;
	return fault_set(fault, RC_USAGE, "'%.200s' cannot begin a key in '%s': %s", prefix,
		store->name, reason);
}

void store_close(struct store *store)
{
	if (!store)
		return;
	mem_free(store->name);
	store->backend->close(store);
}

const char *store_name(const struct store *store)
{
	return store->name;
}

enum rc store_stage_begin(struct store *store, struct store_stage **ret_stage, struct fault *fault)
{
	struct store_stage *stage = NULL;
	enum rc rc = store->backend->stage_begin(store, &stage, fault);
	if (rc != RC_OK)
		return rc;
	stage->store = store;
	stage->size = 0;
	stage->is_lost = false;
	*ret_stage = stage;
	return RC_OK;
}

enum rc store_stage_append(struct store_stage *stage, struct slice bytes, struct fault *fault)
{
	assert(!stage->is_lost);
	enum rc rc = stage->store->backend->stage_append(stage, bytes, fault);
	if (rc == RC_OK)
		stage->size += bytes.len;
	return rc;
}

uint64_t store_stage_size(const struct store_stage *stage)
{
	return stage->size;
}

enum rc store_stage_publish(
	struct store_stage *stage, const char *key, struct slice meta, struct fault *fault)
{
	assert(!stage->is_lost);
	enum rc rc = check_key(stage->store, key, fault);
	if (rc != RC_OK)
		return rc;
	return stage->store->backend->stage_publish(stage, key, meta, fault);
}

bool store_stage_is_lost(const struct store_stage *stage)
{
	return stage->is_lost;
}

void store_stage_close(struct store_stage *stage)
{
	if (stage)
		stage->store->backend->stage_close(stage);
}

enum rc store_replace(struct store *store, const char *key, struct slice bytes, struct fault *fault)
{
	enum rc rc = check_key(store, key, fault);
	return rc != RC_OK ? rc : store->backend->replace(store, key, bytes, fault);
}

enum rc store_delete(struct store *store, const char *key, struct fault *fault)
{
	enum rc rc = check_key(store, key, fault);
	return rc != RC_OK ? rc : store->backend->delete (store, key, fault);
}

enum rc store_settle(struct store *store, const char *key, struct fault *fault)
{
	enum rc rc = check_key(store, key, fault);
	return rc != RC_OK ? rc : store->backend->settle(store, key, fault);
}

enum rc store_get(struct store *store, const char *key, uint64_t offset, uint64_t len,
	struct buf *out, struct fault *fault)
{
	enum rc rc = check_key(store, key, fault);
	return rc != RC_OK ? rc : store->backend->get(store, key, offset, len, out, fault);
}

enum rc store_head(struct store *store, const char *key, uint64_t *ret_size, struct buf *meta,
	struct fault *fault)
{
	enum rc rc = check_key(store, key, fault);
	return rc != RC_OK ? rc : store->backend->head(store, key, ret_size, meta, fault);
}

enum rc store_list(struct store *store, const char *prefix, const char *after,
	enum rc (*each)(void *context, const char *key, uint64_t size, struct fault *fault),
	void *context, struct fault *fault)
{
	enum rc rc = check_prefix(store, prefix, fault);
	return rc != RC_OK ? rc : store->backend->list(store, prefix, after, each, context, fault);
}

enum rc store_last(struct store *store, const char *prefix, struct buf *key, struct fault *fault)
{
	enum rc rc = check_prefix(store, prefix, fault);
	return rc != RC_OK ? rc : store->backend->last(store, prefix, key, fault);
}
