/* One column's value as JSON, and as it stands in a partition key; see event.h.
 *
 * This is the one place that decides how a value is spelled (law 5: the same bytes for a row from
 * the stream and from a snapshot). The caller has made the room. */
#include <assert.h>

#include "base/json.h"
#include "event/event.h"

static uint8_t *put_fraction(uint8_t *at, const struct value_time *time)
{
	static const uint32_t units[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
	if (time->digits == 0)
		return at;
	*at++ = '.';
	if (time->digits == 6) { /* the usual one: two by two */
		at = json_put_4(at, time->micros / 100);
		return json_put_2(at, time->micros % 100);
	}
	return json_put_fixed(at, time->micros / units[time->digits], time->digits);
}

static uint8_t *put_date(uint8_t *at, const struct value_time *time)
{
	at = json_put_4(at, time->year);
	*at++ = '-';
	at = json_put_2(at, time->month);
	*at++ = '-';
	return json_put_2(at, time->day);
}

static uint8_t *put_clock(uint8_t *at, const struct value_time *time)
{
	if (time->hour < 100)
		at = json_put_2(at, time->hour);
	else
		at = json_put_u64(at, time->hour);
	*at++ = ':';
	at = json_put_2(at, time->minute);
	*at++ = ':';
	at = json_put_2(at, time->second);
	return put_fraction(at, time);
}

/* Kinds that are written from the struct value_time, without quotes. */
static inline uint8_t *put_time(uint8_t *at, enum value_kind kind, const struct value_time *time)
{
	if (kind == VALUE_DATE)
		return put_date(at, time);
	if (kind == VALUE_TIME) {
		if (time->negative)
			*at++ = '-';
		return put_clock(at, time);
	}
	at = put_date(at, time);
	*at++ = 'T';
	at = put_clock(at, time);
	if (kind == VALUE_TIMESTAMP)
		*at++ = 'Z';
	return at;
}

uint8_t *event_put_time(uint8_t *at, enum value_kind kind, const struct value_time *time)
{
	*at++ = '"';
	at = put_time(at, kind, time);
	*at++ = '"';
	return at;
}

uint8_t *event_put_text(uint8_t *at, struct slice text)
{
	*at++ = '"';
	at = json_put_escaped(at, text.at, text.len);
	if (at)
		*at++ = '"';
	return at;
}

/* Kinds that need no escapes, without the quotes that JSON wants around some. */
static uint8_t *put_plain(uint8_t *at, const struct value *value)
{
	switch (value->kind) {
	case VALUE_NULL:
		return json_put_bytes(at, "null", 4);
	case VALUE_INT:
		return json_put_i64(at, value->i);
	case VALUE_UINT:
		return json_put_u64(at, value->u);
	case VALUE_FLOAT:
		return json_put_float(at, value->f);
	case VALUE_DOUBLE:
		return json_put_double(at, value->d);
	case VALUE_DECIMAL:
	case VALUE_JSON:
		return json_put_bytes(at, value->bytes.at, value->bytes.len);
	case VALUE_BYTES:
		return json_put_base64(at, value->bytes.at, value->bytes.len);
	case VALUE_DATE:
	case VALUE_TIME:
	case VALUE_DATETIME:
	case VALUE_TIMESTAMP:
		return put_time(at, value->kind, &value->time);
	case VALUE_TEXT:
	case VALUE_LATIN1:
		break;
	}
	assert(false);
	return NULL;
}

uint8_t *event_put_value(uint8_t *at, const struct value *value)
{
	switch (value->kind) {
	case VALUE_TEXT:
		return event_put_text(at, value->bytes);
	case VALUE_LATIN1:
		*at++ = '"';
		at = json_put_escaped_latin1(at, value->bytes.at, value->bytes.len);
		*at++ = '"';
		return at;
	case VALUE_BYTES:
		*at++ = '"';
		at = put_plain(at, value);
		*at++ = '"';
		return at;
	case VALUE_DATE:
	case VALUE_TIME:
	case VALUE_DATETIME:
	case VALUE_TIMESTAMP:
		return event_put_time(at, value->kind, &value->time);
	case VALUE_NULL:
	case VALUE_INT:
	case VALUE_UINT:
	case VALUE_FLOAT:
	case VALUE_DOUBLE:
	case VALUE_DECIMAL:
	case VALUE_JSON:
		break;
	}
	return put_plain(at, value);
}

/* Escapes the bytes between `from` and `end`, in place from the back. */
static uint8_t *escape_key(uint8_t *from, uint8_t *end)
{
	size_t extra = 0;
	for (const uint8_t *at = from; at < end; at++)
		extra += *at == '|' || *at == '\\';
	if (extra == 0)
		return end;
	uint8_t *to = end + extra;
	for (uint8_t *at = end; at-- > from;) {
		*--to = *at;
		if (*at == '|' || *at == '\\')
			*--to = '\\';
	}
	return end + extra;
}

uint8_t *event_put_key_value(uint8_t *at, const struct value *value)
{
	uint8_t *start = at;
	struct slice bytes;
	switch (value->kind) {
	case VALUE_TEXT:
		bytes = value->bytes;
		if (!json_is_utf8(bytes.at, bytes.len))
			return NULL;
		at = json_put_bytes(at, bytes.at, bytes.len);
		break;
	case VALUE_LATIN1:
		at = json_put_utf8_of_latin1(at, value->bytes.at, value->bytes.len);
		break;
	case VALUE_JSON: /* an ENUM's or SET's ready text */
		bytes = value->bytes;
		if (bytes.len >= 2 && bytes.at[0] == '"')
			bytes = slice_of(bytes.at + 1, bytes.len - 2);
		at = json_put_bytes(at, bytes.at, bytes.len);
		break;
	case VALUE_NULL:
	case VALUE_INT:
	case VALUE_UINT:
	case VALUE_FLOAT:
	case VALUE_DOUBLE:
	case VALUE_DECIMAL:
	case VALUE_BYTES:
	case VALUE_DATE:
	case VALUE_TIME:
	case VALUE_DATETIME:
	case VALUE_TIMESTAMP:
		return put_plain(at, value);
	}
	return escape_key(start, at);
}
