/* Borrowed bytes, and sticky little-endian reading and writing.
 *
 * A reader is bounded: after the first short read its rc is RC_TRUNCATED, and every later read
 * answers zero, so that a parser reads straight on and checks once.
 *
 * Thread: any. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/rc.h"

/* Borrowed, passed by value, not NUL-terminated. Valid as long as the owner says. */
struct slice {
	const uint8_t *at;
	size_t len;
};

#define SLICE(literal) ((struct slice){(const uint8_t *)("" literal), sizeof(literal) - 1})
/* The same where C wants a constant: the initializer of a static object. */
#define SLICE_INIT(literal) \
	{ \
		(const uint8_t *)("" literal), sizeof(literal) - 1 \
	}
/* For printf: %.*s */
#define SLICE_ARGS(slice) (int)(slice).len, (const char *)(slice).at

static inline struct slice slice_of(const void *at, size_t len)
{
	return (struct slice){at, len};
}

static inline struct slice slice_text(const char *text)
{
	return (struct slice){(const uint8_t *)text, strlen(text)};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool slice_starts(struct slice text, struct slice prefix)
{
	return text.len >= prefix.len &&
		(prefix.len == 0 || memcmp(text.at, prefix.at, prefix.len) == 0);
}

/* Copies text into `size` bytes, cut to what fits with its NUL. */
static inline void copy_text(char *to, size_t size, const char *text)
{
	size_t len = strlen(text);
	if (len >= size)
		len = size - 1;
	memcpy(to, text, len);
	to[len] = 0;
}

static inline uint16_t load_u16le(const uint8_t *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t load_u24le(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
}

static inline uint32_t load_u32le(const uint8_t *at)
{
	return load_u24le(at) | (uint32_t)at[3] << 24;
}

static inline uint64_t load_u48le(const uint8_t *at)
{
	return load_u32le(at) | (uint64_t)load_u16le(at + 4) << 32;
}

static inline uint64_t load_u64le(const uint8_t *at)
{
	return load_u32le(at) | (uint64_t)load_u32le(at + 4) << 32;
}

static inline uint64_t load_be(const uint8_t *at, size_t len)
{
	uint64_t value = 0;
	for (size_t i = 0; i < len; i++)
		value = value << 8 | at[i];
	return value;
}

static inline void store_u16le(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

static inline void store_u32le(uint8_t *at, uint32_t value)
{
	store_u16le(at, (uint16_t)value);
	store_u16le(at + 2, (uint16_t)(value >> 16));
}

static inline void store_u64le(uint8_t *at, uint64_t value)
{
	store_u32le(at, (uint32_t)value);
	store_u32le(at + 4, (uint32_t)(value >> 32));
}

struct reader {
	const uint8_t *at, *end;
	enum rc rc; /* RC_OK or RC_TRUNCATED */
};

static inline struct reader reader_of(const void *at, size_t len)
{
	const uint8_t *start = at; /* NULL has no end, not even 0 bytes behind it */
	return (struct reader){start, len ? start + len : start, RC_OK};
}

static inline size_t reader_left(const struct reader *reader)
{
	return (size_t)(reader->end - reader->at);
}

/* Takes `len` bytes; answers NULL and becomes empty when they are not there. */
static inline const uint8_t *read_bytes(struct reader *reader, size_t len)
{
	if (reader_left(reader) < len) {
		reader->rc = RC_TRUNCATED;
		reader->at = reader->end;
		return NULL;
	}
	const uint8_t *at = reader->at;
	reader->at += len;
	return at;
}

/* A slice of `len` bytes, empty on a short read. */
static inline struct slice read_slice(struct reader *reader, size_t len)
{
	const uint8_t *at = read_bytes(reader, len);
	return at ? slice_of(at, len) : (struct slice){0};
}

static inline uint8_t read_u8(struct reader *reader)
{
	const uint8_t *at = read_bytes(reader, 1);
	return at ? at[0] : 0;
}

static inline uint16_t read_u16le(struct reader *reader)
{
	const uint8_t *at = read_bytes(reader, 2);
	return at ? load_u16le(at) : 0;
}

static inline uint32_t read_u24le(struct reader *reader)
{
	const uint8_t *at = read_bytes(reader, 3);
	return at ? load_u24le(at) : 0;
}

static inline uint32_t read_u32le(struct reader *reader)
{
	const uint8_t *at = read_bytes(reader, 4);
	return at ? load_u32le(at) : 0;
}

static inline uint64_t read_u48le(struct reader *reader)
{
	const uint8_t *at = read_bytes(reader, 6);
	return at ? load_u48le(at) : 0;
}

static inline uint64_t read_u64le(struct reader *reader)
{
	const uint8_t *at = read_bytes(reader, 8);
	return at ? load_u64le(at) : 0;
}

/* Unsigned LEB128, at most 10 bytes; a longer one is RC_TRUNCATED too. */
static inline uint64_t read_varint(struct reader *reader)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = read_u8(reader);
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	reader->rc = RC_TRUNCATED;
	reader->at = reader->end;
	return 0;
}

enum { VARINT_MAX = 10 };

/* Writes at most VARINT_MAX bytes; returns the end. */
static inline uint8_t *store_varint(uint8_t *at, uint64_t value)
{
	while (value >= 0x80) {
		*at++ = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	*at++ = (uint8_t)value;
	return at;
}

#endif
