/* An object's metadata and the list of its tables; see docs/formats/object.md, "Metadata".
 *
 * Thread: any. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "event/event.h"
#include "past/inside.h"

enum { META_VERSION = 1, META_BYTES_MAX = 1 << 20 };

static const char *const codec_names[] = {[PAST_ZSTD] = "zstd", [PAST_GZIP] = "gzip"};

/* ---- tables ---- */

static int compare(const char *name, struct slice other)
{
	size_t len = strlen(name);
	size_t common = len < other.len ? len : other.len;
	int order = common ? memcmp(name, other.at, common) : 0;
	if (order != 0)
		return order;
	return len < other.len ? -1 : len > other.len;
}

/* Where the name is, or would be. */
static size_t place_of(const struct past_tables *tables, struct slice name, bool *ret_found)
{
	size_t low = 0, high = tables->count;
	*ret_found = false;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = compare(tables->names[middle], name);
		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void cut(struct past_tables *tables)
{
	past_tables_release(tables);
	tables->is_cut = true;
}

void past_tables_add(struct past_tables *tables, struct slice name)
{
	bool found = false;
	size_t place = place_of(tables, name, &found);
	if (found || tables->is_cut)
		return;
	tables->bytes += name.len;
	if (tables->count == PAST_TABLES_MAX || tables->bytes > PAST_TABLES_BYTES_MAX) {
		cut(tables);
		return;
	}
	if (tables->count == tables->cap) {
		tables->cap = tables->cap ? 2 * tables->cap : 8;
		tables->names = mem_resize(tables->names, tables->cap * sizeof *tables->names);
	}
	memmove(tables->names + place + 1, tables->names + place,
		(tables->count - place) * sizeof *tables->names);
	tables->names[place] = mem_text_of(name.at, name.len);
	tables->count++;
}

/* "db." of "db.table", where dots inside of a name are escaped. */
static struct slice database_of(struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.at[i] == '\\')
			i++;
		else if (name.at[i] == '.')
			return slice_of(name.at, i + 1);
	}
	return name;
}

bool past_tables_may_have(const struct past_tables *tables, struct slice name)
{
	bool found = false;
	(void)place_of(tables, name, &found);
	if (!found)
		(void)place_of(tables, database_of(name), &found);
	return found || tables->is_cut;
}

void past_tables_release(struct past_tables *tables)
{
	for (size_t i = 0; i < tables->count; i++)
		mem_free(tables->names[i]);
	mem_free(tables->names);
	*tables = (struct past_tables){0};
}

void past_object_release(struct past_object *object)
{
	past_tables_release(&object->tables);
}

/* ---- writing ---- */

static void put_number(struct buf *out, const char *key, uint64_t number)
{
	buf_json_key(out, key);
	buf_json_u64(out, number);
}

static void put_text(struct buf *out, const char *key, const char *text)
{
	buf_json_key(out, key);
	buf_json_string(out, slice_text(text));
}

static void put_time(struct buf *out, const char *key, int64_t time_us)
{
	uint8_t text[32];
	buf_json_key(out, key);
	uint8_t *end = json_put_time_us(text, time_us, 6);
	buf_json_string(out, slice_of(text, (size_t)(end - text)));
}

static void put_tables(struct buf *out, const struct past_tables *tables)
{
	buf_json_key(out, "tables");
	if (tables->is_cut) {
		buf_text(out, "null");
		return;
	}
	buf_text(out, "[");
	for (size_t i = 0; i < tables->count; i++) {
		if (i > 0)
			buf_u8(out, ',');
		buf_json_string(out, slice_text(tables->names[i]));
	}
	buf_text(out, "]");
}

void past_members_write(const struct past_object *object, struct buf *out)
{
	put_number(out, "version", META_VERSION);
	put_text(out, "stream", object->name.stream);
	put_time(out, "created", object->created_us);
	put_number(out, "shard", object->name.shard);
	put_number(out, "first", object->name.first);
	put_number(out, "last", object->last);
	put_number(out, "count", object->count);
	buf_json_key(out, "prev");
	if (object->has_prev)
		buf_json_u64(out, object->prev);
	else
		buf_text(out, "null");
	put_number(out, "complete", object->complete);
	put_number(out, "bytes", object->bytes);
	put_number(out, "stored", object->stored);
	buf_json_key(out, "crc32c");
	buf_format(out, "\"%08x\"", object->crc32c);
	put_text(out, "codec", codec_names[object->name.codec]);
	put_tables(out, &object->tables);
	put_time(out, "first_time", object->first_time_us);
	put_time(out, "last_time", object->last_time_us);
	put_time(out, "first_arrival", object->first_arrival_us);
	put_time(out, "last_arrival", object->last_arrival_us);
}

void past_meta_write(const struct past_object *object, struct buf *out)
{
	buf_text(out, "{");
	past_members_write(object, out);
	buf_text(out, "}");
}

/* ---- reading ---- */

/* Members are taken straight on; the first that is missing or of another kind is remembered. */
struct members {
	json_t *object;
	const char *bad;
};

static json_t *take(struct members *members, const char *key)
{
	json_t *value = json_object_get(members->object, key);
	if (!value && !members->bad)
		members->bad = key;
	return value;
}

static uint64_t number_of(struct members *members, const char *key, const json_t *value)
{
	if ((!json_is_integer(value) || json_integer_value(value) < 0) && !members->bad)
		members->bad = key;
	return (uint64_t)json_integer_value(value);
}

static uint64_t take_number(struct members *members, const char *key)
{
	return number_of(members, key, take(members, key));
}

static const char *take_text(struct members *members, const char *key)
{
	const json_t *value = take(members, key);
	if (!json_is_string(value) && !members->bad)
		members->bad = key;
	return json_is_string(value) ? json_string_value(value) : "";
}

static int64_t take_time(struct members *members, const char *key)
{
	int64_t time_us = 0;
	if (event_time_read(slice_text(take_text(members, key)), &time_us) != RC_OK &&
		!members->bad)
		members->bad = key;
	return time_us;
}

static uint32_t take_crc(struct members *members, const char *key)
{
	const char *text = take_text(members, key);
	if ((strlen(text) != 8 || strspn(text, "0123456789abcdef") != 8) && !members->bad)
		members->bad = key;
	return (uint32_t)strtoul(text, NULL, 16);
}

static void take_prev(struct members *members, struct past_object *object)
{
	const json_t *value = take(members, "prev");
	object->has_prev = !json_is_null(value);
	if (object->has_prev)
		object->prev = number_of(members, "prev", value);
}

static enum past_codec take_codec(struct members *members)
{
	const char *text = take_text(members, "codec");
	for (int i = PAST_ZSTD; i <= PAST_GZIP; i++) {
		if (strcmp(text, codec_names[i]) == 0)
			return (enum past_codec)i;
	}
	if (!members->bad)
		members->bad = "codec";
	return PAST_ZSTD;
}

static void take_tables(struct members *members, struct past_tables *tables)
{
	const json_t *value = take(members, "tables");
	if (json_is_null(value)) {
		tables->is_cut = true;
		return;
	}
	bool good = json_is_array(value);
	for (size_t i = 0; i < json_array_size(value); i++) {
		const char *name = json_string_value(json_array_get(value, i));
		if (name)
			past_tables_add(tables, slice_text(name));
		good = good && name;
	}
	if (!good && !members->bad)
		members->bad = "tables";
}

/* What no object can say of itself. */
static const char *contradiction(const struct past_object *object)
{
	if (!past_stream_fits(object->name.stream))
		return "stream";
	if (object->name.shard >= PAST_SHARDS_MAX)
		return "shard";
	if (object->count == 0 || object->last < object->name.first ||
		object->count > object->last - object->name.first + 1)
		return "count";
	if (object->has_prev && object->prev >= object->name.first)
		return "prev";
	if (object->last_time_us < object->first_time_us)
		return "last_time";
	if (past_hour(object->first_time_us) != past_hour(object->last_time_us))
		return "last_time";
	return NULL;
}

static void take_all(struct members *members, struct past_object *object)
{
	const char *stream = take_text(members, "stream");
	if (past_stream_fits(stream))
		(void)snprintf(object->name.stream, sizeof object->name.stream, "%s", stream);
	object->created_us = take_time(members, "created");
	uint64_t shard = take_number(members, "shard");
	object->name.shard = shard < PAST_SHARDS_MAX ? (uint32_t)shard : PAST_SHARDS_MAX;
	object->name.first = take_number(members, "first");
	object->last = take_number(members, "last");
	object->count = take_number(members, "count");
	take_prev(members, object);
	object->complete = take_number(members, "complete");
	object->bytes = take_number(members, "bytes");
	object->stored = take_number(members, "stored");
	object->crc32c = take_crc(members, "crc32c");
	object->name.codec = take_codec(members);
	take_tables(members, &object->tables);
	object->first_time_us = take_time(members, "first_time");
	object->last_time_us = take_time(members, "last_time");
	object->first_arrival_us = take_time(members, "first_arrival");
	object->last_arrival_us = take_time(members, "last_arrival");
	object->name.hour_us = past_hour(object->first_time_us);
	if (!members->bad)
		members->bad = contradiction(object);
}

enum rc past_json_load(struct slice text, json_t **ret_object, struct fault *fault)
{
	json_error_t error;
	if (text.len == 0)
		return fault_set(fault, RC_CORRUPT, "there is none");
	json_t *object =
		json_loadb((const char *)text.at, text.len, JSON_REJECT_DUPLICATES, &error);
	if (!object || !json_is_object(object)) {
		json_decref(object);
		return fault_set(fault, RC_CORRUPT, "not a JSON object");
	}
	json_int_t version = json_integer_value(json_object_get(object, "version"));
	if (version == META_VERSION) {
		*ret_object = object;
		return RC_OK;
	}
	json_decref(object);
	if (version < META_VERSION)
		return fault_set(fault, RC_CORRUPT, "its member 'version' is missing or wrong");
	(void)fault_set(
		fault, RC_UNSUPPORTED, "written in version %lld of its format", (long long)version);
	fault_hint(fault, "read it with a later version of millstream");
	return RC_UNSUPPORTED;
}

enum rc past_members_read(json_t *json, struct past_object *ret_object, struct fault *fault)
{
	struct members members = {.object = json};
	struct past_object object = {.name.stream = ""};
	take_all(&members, &object);
	if (members.bad) {
		past_object_release(&object);
		return fault_set(
			fault, RC_CORRUPT, "its member '%s' is missing or wrong", members.bad);
	}
	*ret_object = object;
	return RC_OK;
}

enum rc past_meta_read(struct slice text, struct past_object *ret_object, struct fault *fault)
{
	json_t *json = NULL;
	enum rc rc = past_json_load(text, &json, fault);
	if (rc == RC_OK)
		rc = past_members_read(json, ret_object, fault);
	json_decref(json);
	return rc;
}

/* ---- objects in the store ---- */

static enum rc check_object(
	const struct past_object *object, const char *key, uint64_t size, struct fault *fault)
{
	char own_key[PAST_KEY_MAX];
	past_name_key(&object->name, own_key);
	if (strcmp(own_key, key) != 0)
		return fault_set(fault, RC_CORRUPT, "it is the metadata of '%s'", own_key);
	if (object->stored != size)
		return fault_set(fault, RC_CORRUPT, "it should have %llu bytes and has %llu",
			(unsigned long long)object->stored, (unsigned long long)size);
	return RC_OK;
}

enum rc past_object_load(
	struct store *store, const char *key, struct past_object *ret_object, struct fault *fault)
{
	struct buf meta = buf_of(META_BYTES_MAX);
	struct past_object object = {.name.stream = ""};
	uint64_t size = 0;
	enum rc rc = store_head(store, key, &size, &meta, fault);
	if (rc != RC_OK) {
		buf_release(&meta);
		return rc;
	}
	rc = past_meta_read(buf_as_slice(&meta), &object, fault);
	if (rc == RC_OK)
		rc = check_object(&object, key, size, fault);
	buf_release(&meta);
	if (rc != RC_OK) {
		past_object_release(&object);
		fault_context(fault, "metadata of '%s' in '%s'", key, store_name(store));
		return rc;
	}
	*ret_object = object;
	return RC_OK;
}

/* Whether the object that has our key is ours to the last member. */
static enum rc is_same(struct store *store, const char *key, struct slice meta, bool *ret_same,
	struct fault *fault)
{
	struct buf theirs = buf_of(META_BYTES_MAX);
	uint64_t size = 0;
	enum rc rc = store_head(store, key, &size, &theirs, fault);
	if (rc == RC_OK)
		*ret_same = slice_equal(buf_as_slice(&theirs), meta);
	buf_release(&theirs);
	return rc;
}

static enum rc refuse_sibling(
	struct store *store, const struct past_object *object, struct fault *fault)
{
	struct past_name name = object->name;
	char key[PAST_KEY_MAX];
	struct buf meta = buf_of(META_BYTES_MAX);
	uint64_t size = 0;
	name.codec = name.codec == PAST_ZSTD ? PAST_GZIP : PAST_ZSTD;
	past_name_key(&name, key);
	enum rc rc = store_head(store, key, &size, &meta, fault);
	buf_release(&meta);
	if (rc == RC_OK)
		return fault_set(fault, RC_EXISTS, "'%s' has this part already", key);
	return rc == RC_NOT_FOUND ? RC_OK : rc;
}

enum rc past_publish(struct store *store, struct store_stage *stage,
	const struct past_object *object, struct fault *fault)
{
	enum rc rc = refuse_sibling(store, object, fault);
	if (rc != RC_OK)
		return rc;
	char key[PAST_KEY_MAX];
	struct buf meta = buf_of(META_BYTES_MAX);
	past_name_key(&object->name, key);
	past_meta_write(object, &meta);
	rc = store_stage_publish(stage, key, buf_as_slice(&meta), fault);
	bool same = false;
	if (rc == RC_EXISTS) {
		rc = is_same(store, key, buf_as_slice(&meta), &same, fault);
		if (rc == RC_OK && !same)
			rc = fault_set(fault, RC_EXISTS, "'%s' exists already", key);
	}
	buf_release(&meta);
	return rc;
}
