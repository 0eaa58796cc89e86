/* Walking the archived log by hours: which there are, and where each shard ends.
 *
 * Thread: any. */
#include <assert.h>
#include <stdio.h>

#include "base/mem.h"
#include "event/event.h"
#include "past/inside.h"

static const int64_t hour_length_us = 3600000000;

/* ---- hours ---- */

static enum rc take_first(void *context, const char *key, uint64_t size, struct fault *fault)
{
	(void)size;
	struct past_name *name = context;
	enum rc rc = past_name_read(key, name, fault);
	return rc == RC_OK ? RC_END : rc;
}

/* The first object of the stream behind the key `after` (NULL: of all). RC_NOT_FOUND. */
static enum rc first_after(struct store *store, const char *stream, const char *after,
	struct past_name *ret_name, struct fault *fault)
{
	char prefix[PAST_KEY_MAX];
	past_log_prefix(stream, prefix);
	enum rc rc = store_list(store, prefix, after, take_first, ret_name, fault);
	if (rc == RC_OK)
		return fault_set(fault, RC_NOT_FOUND, "nothing of '%s' is archived", stream);
	return rc == RC_END ? RC_OK : rc;
}

enum rc past_hours(struct store *store, const char *stream, int64_t from_us, int64_t to_us,
	enum rc (*each)(void *context, int64_t hour_us, struct fault *fault), void *context,
	struct fault *fault)
{
	char prefix[PAST_KEY_MAX], after[PAST_KEY_MAX + 1];
	past_hour_prefix(stream, past_hour(from_us), prefix);
	(void)snprintf(after, sizeof after, "%s", prefix);
	for (;;) {
		struct past_name name;
		enum rc rc = first_after(store, stream, after, &name, fault);
		if (rc == RC_NOT_FOUND)
			return RC_OK;
		if (rc != RC_OK)
			return rc;
		if (name.hour_us >= to_us)
			return RC_OK;
		rc = each(context, name.hour_us, fault);
		if (rc != RC_OK)
			return rc;
		past_hour_prefix(stream, name.hour_us, prefix);
		(void)snprintf(after, sizeof after, "%s~", prefix); /* behind every byte of a key */
	}
}

/* ---- ends ---- */

/* The greatest name of each shard in one hour. */
struct newest {
	struct past_name *names; /* by shard; first == UINT64_MAX: none yet */
	uint32_t shards;
};

static enum rc take_newest(void *context, const char *key, uint64_t size, struct fault *fault)
{
	(void)size;
	struct newest *newest = context;
	struct past_name name;
	enum rc rc = past_name_read(key, &name, fault);
	if (rc != RC_OK)
		return rc;
	if (name.shard >= newest->shards) {
		(void)fault_set(fault, RC_CONFLICT,
			"the archive has an object of shard %u, the stream '%s' has %u shards",
			name.shard, name.stream, newest->shards);
		fault_hint(fault,
			"it is the archive of another stream: give this one another "
			"name, or another folder for its archive");
		return RC_CONFLICT;
	}
	newest->names[name.shard] = name; /* they come in order */
	return RC_OK;
}

/* Fills the ends that are found in this hour and were not found in a later one. */
static enum rc ends_of_hour(struct store *store, const char *stream, int64_t hour_us,
	struct newest *newest, struct past_end *ends, uint32_t *left, struct fault *fault)
{
	char prefix[PAST_KEY_MAX];
	past_hour_prefix(stream, hour_us, prefix);
	for (uint32_t i = 0; i < newest->shards; i++)
		newest->names[i].first = UINT64_MAX;
	enum rc rc = store_list(store, prefix, NULL, take_newest, newest, fault);
	for (uint32_t i = 0; i < newest->shards && rc == RC_OK; i++) {
		if (ends[i].is_there || newest->names[i].first == UINT64_MAX)
			continue;
		char key[PAST_KEY_MAX];
		past_name_key(&newest->names[i], key);
		rc = past_object_load(store, key, &ends[i].object, fault);
		if (rc == RC_OK) {
			ends[i].is_there = true;
			(*left)--;
		}
	}
	return rc;
}

/* The hours of the first and of the last object. */
static enum rc bounds(struct store *store, const char *stream, int64_t *ret_oldest_us,
	int64_t *ret_newest_us, struct fault *fault)
{
	char prefix[PAST_KEY_MAX];
	struct past_name oldest, newest;
	struct buf key = buf_of(PAST_KEY_MAX * 5);
	past_log_prefix(stream, prefix);
	enum rc rc = store_last(store, prefix, &key, fault);
	if (rc == RC_OK)
		rc = past_name_read(buf_cstring(&key), &newest, fault);
	buf_release(&key);
	if (rc == RC_OK)
		rc = first_after(store, stream, NULL, &oldest, fault);
	if (rc != RC_OK)
		return rc;
	*ret_oldest_us = oldest.hour_us;
	*ret_newest_us = newest.hour_us;
	return RC_OK;
}

/* Start of the year, month or day (so many bytes of yyyy/mm/dd) that holds an hour. */
static int64_t start_of(const char *date, size_t len)
{
	char text[] = "0000-01-01T00:00:00Z";
	int64_t start_us = 0;
	for (size_t i = 0; i < len; i++)
		text[i] = date[i] == '/' ? '-' : date[i];
	enum rc rc = event_time_read(slice_text(text), &start_us);
	assert(rc == RC_OK); /* it was an hour's */
	(void)rc;
	return start_us;
}

/* Goes an hour back, and further where a year, a month or a day has nothing: an event may be dated
 * long before the others, and each hour that is looked into costs a listing. */
static enum rc step_back(
	struct store *store, const char *stream, int64_t *hour_us, struct fault *fault)
{
	static const size_t spans[] = {4, 7, 10}; /* yyyy, yyyy/mm, yyyy/mm/dd */
	char here[PAST_KEY_MAX], before[PAST_KEY_MAX];
	past_log_prefix(stream, here);
	const size_t date = strlen(here);
	past_hour_prefix(stream, *hour_us, here);
	*hour_us -= hour_length_us;
	past_hour_prefix(stream, *hour_us, before);
	for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
		if (memcmp(here + date, before + date, spans[i]) == 0)
			continue;
		char prefix[PAST_KEY_MAX];
		struct buf key = buf_of(PAST_KEY_MAX * 5);
		(void)snprintf(prefix, sizeof prefix, "%.*s/", (int)(date + spans[i]), before);
		enum rc rc = store_last(store, prefix, &key, fault);
		buf_release(&key);
		if (rc == RC_NOT_FOUND) {
			*hour_us = start_of(before + date, spans[i]);
			return RC_OK;
		}
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

enum rc past_ends(struct store *store, const char *stream, uint32_t shards,
	struct past_end *ret_ends, int64_t *ret_newest_us, struct fault *fault)
{
	int64_t oldest_us, newest_us;
	uint32_t left = shards;
	for (uint32_t i = 0; i < shards; i++)
		ret_ends[i] = (struct past_end){.is_there = false};
	enum rc rc = bounds(store, stream, &oldest_us, &newest_us, fault);
	if (rc != RC_OK)
		return rc;
	struct newest newest = {mem_new(shards, sizeof *newest.names), shards};
	for (int64_t hour_us = newest_us; hour_us >= oldest_us && left > 0 && rc == RC_OK;) {
		rc = ends_of_hour(store, stream, hour_us, &newest, ret_ends, &left, fault);
		if (rc == RC_OK)
			rc = step_back(store, stream, &hour_us, fault);
	}
	mem_free(newest.names);
	if (rc != RC_OK) {
		for (uint32_t i = 0; i < shards; i++)
			past_object_release(&ret_ends[i].object);
		return rc;
	}
	*ret_newest_us = newest_us;
	return RC_OK;
}
