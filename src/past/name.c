/* Keys of the archived event log; see past.h and docs/formats/object.md, "Names".
 *
 * Invariant: shard and ordinal have a fixed number of digits, so that the order of bytes is the
 * order of hours, shards and ordinals.
 *
 * Thread: any. */
#include <assert.h>
#include <stdio.h>

#include "base/json.h"
#include "event/event.h"
#include "past/inside.h"

enum { SHARD_DIGITS = 4, ORDINAL_DIGITS = 20, HOUR_LEN = 13 /* 2026/11/25/07 */ };

static const char *const extensions[] = {[PAST_ZSTD] = ".ndjson.zst", [PAST_GZIP] = ".ndjson.gz"};

static bool is_name_byte(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
		(byte >= '0' && byte <= '9') || byte == '_' || byte == '.' || byte == '-';
}

static bool stream_fits(const char *stream, size_t len)
{
	if (len == 0 || len > PAST_STREAM_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_name_byte(stream[i]))
			return false;
	}
	return !(stream[0] == '.' && (len == 1 || (len == 2 && stream[1] == '.')));
}

bool past_stream_fits(const char *stream)
{
	return stream_fits(stream, strlen(stream));
}

int64_t past_hour(int64_t time_us)
{
	static const int64_t hour_us = 3600000000;
	int64_t rest = time_us % hour_us;
	return time_us - (rest < 0 ? rest + hour_us : rest);
}

/* 2026/11/25/07 */
static void put_hour(int64_t hour_us, char ret_text[HOUR_LEN + 1])
{
	char time[32];
	(void)json_put_time_us((uint8_t *)time, hour_us, 0);
	(void)snprintf(
		ret_text, HOUR_LEN + 1, "%.4s/%.2s/%.2s/%.2s", time, time + 5, time + 8, time + 11);
}

void past_log_prefix(const char *stream, char ret_prefix[PAST_KEY_MAX])
{
	assert(past_stream_fits(stream));
	(void)snprintf(ret_prefix, PAST_KEY_MAX, "log/%s/", stream);
}

void past_hour_prefix(const char *stream, int64_t hour_us, char ret_prefix[PAST_KEY_MAX])
{
	assert(past_stream_fits(stream));
	char hour[HOUR_LEN + 1];
	put_hour(hour_us, hour);
	(void)snprintf(ret_prefix, PAST_KEY_MAX, "log/%s/%s/", stream, hour);
}

void past_name_key(const struct past_name *name, char ret_key[PAST_KEY_MAX])
{
	assert(past_stream_fits(name->stream) && name->shard < PAST_SHARDS_MAX);
	char hour[HOUR_LEN + 1];
	put_hour(name->hour_us, hour);
	(void)snprintf(ret_key, PAST_KEY_MAX, "log/%s/%s/%0*u-%0*llu%s", name->stream, hour,
		SHARD_DIGITS, name->shard, ORDINAL_DIGITS, (unsigned long long)name->first,
		extensions[name->codec]);
}

void past_manifest_key(const char *stream, int64_t hour_us, char ret_key[PAST_KEY_MAX])
{
	assert(past_stream_fits(stream));
	char hour[HOUR_LEN + 1];
	put_hour(hour_us, hour);
	(void)snprintf(ret_key, PAST_KEY_MAX, "manifest/%s/%s.ndjson", stream, hour);
}

static bool take_text(const char **at, const char *text)
{
	size_t len = strlen(text);
	if (strncmp(*at, text, len) != 0)
		return false;
	*at += len;
	return true;
}

static bool take_stream(const char **at, char ret_stream[PAST_STREAM_MAX + 1])
{
	size_t len = strcspn(*at, "/");
	if (!stream_fits(*at, len))
		return false;
	memcpy(ret_stream, *at, len);
	ret_stream[len] = 0;
	*at += len;
	return true;
}

static bool take_hour(const char **at, int64_t *ret_hour_us)
{
	const char *text = *at;
	if (strlen(text) < HOUR_LEN)
		return false;
	char time[32];
	int len = snprintf(time, sizeof time, "%.4s-%.2s-%.2sT%.2s:00:00Z", text, text + 5,
		text + 8, text + 11);
	*at += HOUR_LEN;
	return event_time_read(slice_of(time, (size_t)len), ret_hour_us) == RC_OK;
}

static bool take_number(const char **at, int digits, uint64_t *ret_number)
{
	uint64_t number = 0;
	for (int i = 0; i < digits; i++) {
		char byte = (*at)[i];
		if (byte < '0' || byte > '9' || __builtin_mul_overflow(number, 10, &number) ||
			__builtin_add_overflow(number, (uint64_t)(byte - '0'), &number))
			return false;
	}
	*at += digits;
	*ret_number = number;
	return true;
}

static bool take_extension(const char **at, enum past_codec *ret_codec)
{
	for (int i = PAST_ZSTD; i <= PAST_GZIP; i++) {
		*ret_codec = (enum past_codec)i;
		if (take_text(at, extensions[i]))
			return true;
	}
	return false;
}

enum rc past_name_read(const char *key, struct past_name *ret_name, struct fault *fault)
{
	const char *at = key;
	struct past_name name = {.stream = ""};
	uint64_t shard = 0;
	bool good = take_text(&at, "log/") && take_stream(&at, name.stream) &&
		take_text(&at, "/") && take_hour(&at, &name.hour_us) && take_text(&at, "/") &&
		take_number(&at, SHARD_DIGITS, &shard) && take_text(&at, "-") &&
		take_number(&at, ORDINAL_DIGITS, &name.first) && take_extension(&at, &name.codec) &&
		*at == 0;
	name.shard = (uint32_t)shard;
	if (good) { /* one spelling only: a month 13 or a day 32 would come back as another */
		char again[PAST_KEY_MAX];
		past_name_key(&name, again);
		good = strcmp(again, key) == 0;
	}
	if (!good) {
		(void)fault_set(
			fault, RC_CORRUPT, "'%.200s' is not the name of an archived object", key);
		fault_hint(fault, "nothing else may lie there: move it away");
		return RC_CORRUPT;
	}
	*ret_name = name;
	return RC_OK;
}
