/* Writing JSON, the one way this program does it.
 *
 * Two layers. The `json_put_*` functions write at a cursor and return its new place: the caller has
 * made room (each says how much), nothing is checked, nothing is allocated; the hot path uses them.
 * The `buf_json_*` functions append to a buffer and make the room themselves.
 *
 * Source: RFC 8259. Escapes are the two-character ones where JSON has them, else \u00xx in lower
 * case; what is not ASCII is written as UTF-8. Thread: any. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"

enum {
	JSON_U64_MAX = 20,   /* bytes that json_put_u64 writes at the most */
	JSON_I64_MAX = 20,   /* "-9223372036854775808" */
	JSON_ESCAPE_MAX = 6, /* bytes an escaped byte takes at the most */
	JSON_ESCAPE_ROOM =
		16 /* bytes that json_put_escaped may write past its result: it stores in vectors */
};

extern const char json_digit_pairs[200];

/* Two digits, value 0..99; four digits, value 0..9999. Leading zeros are kept. */
static inline uint8_t *json_put_2(uint8_t *at, unsigned value)
{
	memcpy(at, json_digit_pairs + (size_t)2 * value, 2);
	return at + 2;
}

static inline uint8_t *json_put_4(uint8_t *at, unsigned value)
{
	return json_put_2(json_put_2(at, value / 100), value % 100);
}

/* Eight digits with leading zeros, value below 10^8. */
static inline uint8_t *json_put_8(uint8_t *at, uint32_t value)
{
	return json_put_4(json_put_4(at, value / 10000), value % 10000);
}

/* `digits` (0..9) digits with leading zeros. */
uint8_t *json_put_fixed(uint8_t *at, uint32_t value, unsigned digits);

/* Shortest decimal form; JSON_U64_MAX bytes of room, of which those behind the result may be
 * written too. */
uint8_t *json_put_u64(uint8_t *at, uint64_t value);

/* JSON_I64_MAX bytes of room. */
static inline uint8_t *json_put_i64(uint8_t *at, int64_t value)
{
	if (value >= 0)
		return json_put_u64(at, (uint64_t)value);
	*at++ = '-';
	return json_put_u64(at, ~(uint64_t)value + 1);
}

/* The shortest decimal number that reads back as the same double (or float): 1.5, 1e-7, 100. Not
 * for infinities and NaN (asserted). 32 bytes of room. */
uint8_t *json_put_double(uint8_t *at, double value);
uint8_t *json_put_float(uint8_t *at, float value);

static inline uint8_t *json_put_bytes(uint8_t *at, const void *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

/* Short text in steps of 16 bytes, without a call: up to 15 bytes behind the text are read, and up
 * to 15 behind its copy are written. JSON_COPY_ROOM is to be there on both sides. */
enum { JSON_COPY_ROOM = 16 };
static inline uint8_t *json_put_padded(uint8_t *at, const uint8_t *text, size_t len)
{
	for (size_t done = 0; done < len; done += 16)
		memcpy(at + done, text + done, 16);
	return at + len;
}

/* The inside of a JSON string (no quotes) from UTF-8. JSON_ESCAPE_MAX * len + JSON_ESCAPE_ROOM
 * bytes of room. NULL when `text` is not valid UTF-8 (RFC 3629: no surrogates, no overlong forms,
 * at most U+10FFFF). */
uint8_t *json_put_escaped(uint8_t *at, const uint8_t *text, size_t len);

/* Valid UTF-8 as above. */
bool json_is_utf8(const uint8_t *text, size_t len);

/* json_put_escaped from MySQL's latin1, which is Windows-1252 with its five holes kept as U+0081,
 * 8D, 8F, 90, 9D. */
uint8_t *json_put_escaped_latin1(uint8_t *at, const uint8_t *text, size_t len);

/* Plain UTF-8 from the same latin1, nothing escaped. 3 * len bytes of room. */
uint8_t *json_put_utf8_of_latin1(uint8_t *at, const uint8_t *text, size_t len);

/* Base64 (RFC 4648, with padding): json_base64_size(len) bytes of room. */
static inline size_t json_base64_size(size_t len)
{
	return (len + 2) / 3 * 4;
}
uint8_t *json_put_base64(uint8_t *at, const uint8_t *bytes, size_t len);

/* Microseconds since 1970 as 2026-11-25T07:34:00Z, with `digits` (0..6) of the fraction. 28 bytes
 * of room. Years 0..9999: what lies outside is written as their first or last microsecond. */
uint8_t *json_put_time_us(uint8_t *at, int64_t time_us, unsigned digits);

void buf_json_u64(struct buf *buf, uint64_t value);
void buf_json_i64(struct buf *buf, int64_t value);
void buf_json_double(struct buf *buf, double value);

/* A quoted string. Bytes that are not UTF-8 become U+FFFD: for texts about things, never for data.
 */
void buf_json_string(struct buf *buf, struct slice text);

/* "key": with a comma in front unless the last byte is an opening bracket. */
void buf_json_key(struct buf *buf, const char *key);

#endif
