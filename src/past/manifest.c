/* Manifests: one for each stream and hour; see past.h and docs/formats/object.md, "Manifest".
 *
 * Invariant: a manifest that a writer leaves behind lists every object that was there when it had
 * written it: it looks again, and writes again until nothing came in between. So of several writers
 * the last one's manifest is whole.
 *
 * Thread: any. */
#include <stdio.h>

#include "base/checksum.h"
#include "base/json.h"
#include "base/mem.h"
#include "event/event.h"
#include "past/inside.h"

enum { MANIFEST_VERSION = 1, MANIFEST_BYTES_MAX = 256 << 20 };

void past_manifest_release(struct past_manifest *manifest)
{
	for (size_t i = 0; i < manifest->count; i++)
		past_object_release(&manifest->objects[i]);
	mem_free(manifest->objects);
	*manifest = (struct past_manifest){0};
}

/* Takes the object over. */
static void manifest_add(struct past_manifest *manifest, const struct past_object *object)
{
	if (manifest->count == manifest->cap) {
		manifest->cap = manifest->cap ? 2 * manifest->cap : 16;
		manifest->objects =
			mem_resize(manifest->objects, manifest->cap * sizeof *manifest->objects);
	}
	manifest->objects[manifest->count++] = *object;
}

/* ---- writing ---- */

static void put_line(struct buf *out, const struct past_object *object)
{
	char key[PAST_KEY_MAX];
	past_name_key(&object->name, key);
	buf_text(out, "{");
	buf_json_key(out, "key");
	buf_json_string(out, slice_text(key));
	past_members_write(object, out);
	buf_text(out, "}\n");
}

static void put_header(
	struct buf *out, const char *stream, int64_t hour_us, size_t count, struct slice lines)
{
	uint8_t hour[32];
	uint8_t *end = json_put_time_us(hour, hour_us, 0);
	buf_format(out, "{\"version\":%d,\"stream\":", MANIFEST_VERSION);
	buf_json_string(out, slice_text(stream));
	buf_json_key(out, "hour");
	buf_json_string(out, slice_of(hour, (size_t)(end - hour)));
	buf_json_key(out, "count");
	buf_json_u64(out, count);
	buf_json_key(out, "crc32c");
	buf_format(out, "\"%08x\"}\n", checksum_crc32c(0, lines.at, lines.len));
}

static enum rc manifest_write(struct store *store, const char *stream, int64_t hour_us,
	const struct past_manifest *manifest, struct fault *fault)
{
	char key[PAST_KEY_MAX];
	struct buf lines = buf_of(MANIFEST_BYTES_MAX), whole = buf_of(MANIFEST_BYTES_MAX);
	for (size_t i = 0; i < manifest->count; i++)
		put_line(&lines, &manifest->objects[i]);
	put_header(&whole, stream, hour_us, manifest->count, buf_as_slice(&lines));
	buf_slice(&whole, buf_as_slice(&lines));
	past_manifest_key(stream, hour_us, key);
	enum rc rc = lines.rc != RC_OK ? lines.rc : whole.rc;
	if (rc != RC_OK)
		(void)fault_set(fault, rc, "manifest '%s' would be larger than %d bytes", key,
			MANIFEST_BYTES_MAX);
	else
		rc = store_replace(store, key, buf_as_slice(&whole), fault);
	buf_release(&lines);
	buf_release(&whole);
	return rc;
}

/* ---- reading ---- */

/* The next line without its newline; false at the end, and for a last line that has none. */
static bool take_line(struct slice *rest, struct slice *ret_line)
{
	const uint8_t *newline = rest->len ? memchr(rest->at, '\n', rest->len) : NULL;
	if (!newline)
		return false;
	*ret_line = slice_of(rest->at, (size_t)(newline - rest->at));
	*rest = slice_of(newline + 1, rest->len - ret_line->len - 1);
	return true;
}

static bool member_is(const json_t *object, const char *key, const char *text)
{
	const char *value = json_string_value(json_object_get(object, key));
	return value && strcmp(value, text) == 0;
}

/* The header speaks of this hour, and of these lines. */
static bool header_fits(
	const json_t *header, const char *stream, int64_t hour_us, struct slice lines)
{
	char hour[32], crc[16];
	*json_put_time_us((uint8_t *)hour, hour_us, 0) = 0;
	(void)snprintf(crc, sizeof crc, "%08x", checksum_crc32c(0, lines.at, lines.len));
	return member_is(header, "stream", stream) && member_is(header, "hour", hour) &&
		member_is(header, "crc32c", crc);
}

/* What a manifest lists: which stream's and hour's objects. */
struct listed {
	const char *stream;
	int64_t hour_us;
};

/* Why an object cannot stand behind those that were read, or NULL. */
static const char *misfit(const struct past_manifest *manifest, const struct past_object *object,
	const struct listed *listed, const char *key)
{
	if (object->name.hour_us != listed->hour_us ||
		strcmp(object->name.stream, listed->stream) != 0)
		return "is of another stream or hour";
	if (manifest->count == 0)
		return NULL;
	char last[PAST_KEY_MAX];
	past_name_key(&manifest->objects[manifest->count - 1].name, last);
	return strcmp(last, key) < 0 ? NULL : "is not in the order of the keys";
}

static enum rc take_object(const json_t *json, const struct past_object *object,
	const struct listed *listed, struct past_manifest *manifest, struct fault *fault)
{
	char key[PAST_KEY_MAX];
	past_name_key(&object->name, key);
	if (!member_is(json, "key", key))
		return fault_set(fault, RC_CORRUPT, "'%s' stands under another key", key);
	const char *why = misfit(manifest, object, listed, key);
	if (why)
		return fault_set(fault, RC_CORRUPT, "'%s' %s", key, why);
	manifest_add(manifest, object);
	return RC_OK;
}

static enum rc read_line(struct slice line, const struct listed *listed,
	struct past_manifest *manifest, struct fault *fault)
{
	json_t *json = NULL;
	struct past_object object = {.name.stream = ""};
	enum rc rc = past_json_load(line, &json, fault);
	if (rc == RC_OK)
		rc = past_members_read(json, &object, fault);
	if (rc == RC_OK) {
		rc = take_object(json, &object, listed, manifest, fault);
		if (rc != RC_OK)
			past_object_release(&object);
	}
	json_decref(json);
	return rc;
}

static enum rc read_lines(struct slice text, const char *stream, int64_t hour_us,
	struct past_manifest *manifest, struct fault *fault)
{
	struct slice line = {0};
	json_t *header = NULL;
	if (!take_line(&text, &line))
		return fault_set(fault, RC_CORRUPT, "it has no header");
	enum rc rc = past_json_load(line, &header, fault);
	if (rc == RC_OK && !header_fits(header, stream, hour_us, text))
		rc = fault_set(fault, RC_CORRUPT, "its checksum, stream or hour does not fit");
	const struct listed listed = {stream, hour_us};
	while (rc == RC_OK && take_line(&text, &line))
		rc = read_line(line, &listed, manifest, fault);
	const json_t *count = json_object_get(header, "count");
	if (rc == RC_OK &&
		(text.len > 0 || json_integer_value(count) != (json_int_t)manifest->count))
		rc = fault_set(fault, RC_CORRUPT, "its count does not fit");
	json_decref(header);
	return rc;
}

/* RC_NOT_FOUND; RC_CORRUPT when it does not check out. */
static enum rc manifest_load(struct store *store, const char *stream, int64_t hour_us,
	struct past_manifest *ret_manifest, struct fault *fault)
{
	char key[PAST_KEY_MAX];
	past_manifest_key(stream, hour_us, key);
	struct buf text = buf_of(MANIFEST_BYTES_MAX);
	struct past_manifest manifest = {0};
	enum rc rc = store_get(store, key, 0, UINT64_MAX, &text, fault);
	if (rc == RC_OK) {
		rc = read_lines(buf_as_slice(&text), stream, hour_us, &manifest, fault);
		if (rc != RC_OK)
			fault_context(fault, "manifest '%s' in '%s'", key, store_name(store));
	}
	buf_release(&text);
	if (rc != RC_OK) {
		past_manifest_release(&manifest);
		return rc;
	}
	*ret_manifest = manifest;
	return RC_OK;
}

/* ---- from names and metadata ---- */

struct keys {
	char (*at)[PAST_KEY_MAX];
	size_t count, cap;
};

static enum rc keys_add(void *context, const char *key, uint64_t size, struct fault *fault)
{
	(void)size;
	struct keys *keys = context;
	struct past_name name;
	enum rc rc = past_name_read(key, &name, fault);
	if (rc != RC_OK)
		return rc;
	if (keys->count == keys->cap) {
		keys->cap = keys->cap ? 2 * keys->cap : 16;
		keys->at = mem_resize(keys->at, keys->cap * sizeof *keys->at);
	}
	(void)snprintf(keys->at[keys->count++], PAST_KEY_MAX, "%s", key);
	return RC_OK;
}

/* Keys of the hour's objects, in order. */
static enum rc keys_list(struct store *store, const char *stream, int64_t hour_us,
	struct keys *ret_keys, struct fault *fault)
{
	char prefix[PAST_KEY_MAX];
	past_hour_prefix(stream, hour_us, prefix);
	*ret_keys = (struct keys){0};
	enum rc rc = store_list(store, prefix, NULL, keys_add, ret_keys, fault);
	if (rc != RC_OK)
		mem_free(ret_keys->at);
	return rc;
}

/* How a manifest differs from the objects that are there. */
struct difference {
	size_t added, removed;
};

/* Makes the manifest of `keys`; what `old` knows is taken out of it, the rest is read. */
static enum rc manifest_build(struct store *store, const struct keys *keys,
	struct past_manifest *old, struct past_manifest *ret_manifest,
	struct difference *ret_difference, struct fault *fault)
{
	struct past_manifest manifest = {0};
	struct difference difference = {.removed = old->count};
	enum rc rc = RC_OK;
	size_t place = 0;
	for (size_t i = 0; i < keys->count && rc == RC_OK; i++) {
		char old_key[PAST_KEY_MAX] = "";
		while (place < old->count) {
			past_name_key(&old->objects[place].name, old_key);
			if (strcmp(old_key, keys->at[i]) >= 0)
				break;
			place++;
		}
		if (place < old->count && strcmp(old_key, keys->at[i]) == 0) {
			manifest_add(&manifest, &old->objects[place]);
			old->objects[place].tables = (struct past_tables){0};
			difference.removed--;
			continue;
		}
		struct past_object object;
		rc = past_object_load(store, keys->at[i], &object, fault);
		if (rc == RC_OK)
			manifest_add(&manifest, &object);
		difference.added++;
	}
	if (rc != RC_OK) {
		past_manifest_release(&manifest);
		return rc;
	}
	*ret_manifest = manifest;
	*ret_difference = difference;
	return RC_OK;
}

/* Replaces `manifest`, which may be empty or out of date, by one of the objects that are there. */
static enum rc manifest_update(struct store *store, const char *stream, int64_t hour_us,
	struct past_manifest *manifest, struct difference *ret_difference, struct fault *fault)
{
	struct keys keys;
	struct past_manifest fresh;
	enum rc rc = keys_list(store, stream, hour_us, &keys, fault);
	if (rc != RC_OK)
		return rc;
	rc = manifest_build(store, &keys, manifest, &fresh, ret_difference, fault);
	mem_free(keys.at);
	if (rc != RC_OK)
		return rc;
	past_manifest_release(manifest);
	*manifest = fresh;
	return RC_OK;
}

enum rc past_manifest_read(struct store *store, const char *stream, int64_t hour_us,
	struct past_manifest *ret_manifest, struct fault *fault)
{
	struct past_manifest manifest = {0};
	enum rc rc = manifest_load(store, stream, hour_us, &manifest, fault);
	if (rc == RC_NOT_FOUND || rc == RC_CORRUPT) {
		struct difference ignored;
		rc = manifest_update(store, stream, hour_us, &manifest, &ignored, fault);
		manifest.is_rebuilt = manifest.count > 0;
	}
	if (rc != RC_OK) {
		past_manifest_release(&manifest);
		return rc;
	}
	*ret_manifest = manifest;
	return RC_OK;
}

enum rc past_manifest_refresh(struct store *store, const char *stream, int64_t hour_us,
	size_t fresh, bool *ret_rebuilt, struct fault *fault)
{
	struct past_manifest manifest = {0};
	struct difference difference = {0};
	enum rc rc = manifest_load(store, stream, hour_us, &manifest, fault);
	bool is_missing = rc == RC_NOT_FOUND, is_damaged = rc == RC_CORRUPT;
	if (is_missing || is_damaged)
		rc = RC_OK;
	if (rc == RC_OK)
		rc = manifest_update(store, stream, hour_us, &manifest, &difference, fault);
	bool rebuilt =
		is_damaged || difference.removed > 0 || (is_missing && difference.added > fresh);
	bool is_stale = is_damaged || difference.removed > 0 || difference.added > 0;
	while (rc == RC_OK && is_stale) {
		rc = manifest_write(store, stream, hour_us, &manifest, fault);
		if (rc == RC_OK)
			rc = manifest_update(store, stream, hour_us, &manifest, &difference, fault);
		is_stale = difference.removed > 0 || difference.added > 0;
	}
	past_manifest_release(&manifest);
	if (rc == RC_OK)
		*ret_rebuilt = rebuilt;
	return rc;
}
