/* A growing buffer that cannot be made without a maximum.
 *
 * Invariants: len <= cap <= max; rc is sticky: after the first append that would pass `max` it is
 * RC_LIMIT and later appends do nothing, so that a writer appends straight on and checks once. One
 * byte more than `len` is always allocated once `at` is not NULL, so buf_cstring costs nothing.
 *
 * Thread: one owner at a time. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/bytes.h"

struct buf {
	uint8_t *at;
	size_t len, cap, max;
	enum rc rc;
};

/* `max` is in bytes and above zero. Allocates nothing. */
static inline struct buf buf_of(size_t max)
{
	return (struct buf){.max = max};
}

/* Frees the contents; the buffer can be used again with the same maximum. */
void buf_release(struct buf *buf);

/* Empties it and forgets the error, keeps the memory. */
static inline void buf_reset(struct buf *buf)
{
	buf->len = 0;
	buf->rc = RC_OK;
}

/* Empties it and gives memory above `keep` bytes back. */
void buf_shrink(struct buf *buf, size_t keep);

/* Room for `len` more bytes at the returned place (buf->at + buf->len), which the caller fills and
 * then adds to buf->len. NULL, and rc = RC_LIMIT, where that would pass the maximum. */
uint8_t *buf_reserve_slow(struct buf *buf, size_t len);

static inline uint8_t *buf_reserve(struct buf *buf, size_t len)
{
	if (__builtin_expect(buf->cap - buf->len >= len && buf->rc == RC_OK && buf->at != NULL, 1))
		return buf->at + buf->len;
	return buf_reserve_slow(buf, len);
}

void buf_bytes(struct buf *buf, const void *bytes, size_t len);
void buf_u8(struct buf *buf, uint8_t value);
void buf_u16le(struct buf *buf, uint16_t value);
void buf_u32le(struct buf *buf, uint32_t value);
void buf_u64le(struct buf *buf, uint64_t value);
void buf_varint(struct buf *buf, uint64_t value);
void buf_format(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

static inline void buf_slice(struct buf *buf, struct slice slice)
{
	buf_bytes(buf, slice.at, slice.len);
}

static inline void buf_text(struct buf *buf, const char *text)
{
	buf_bytes(buf, text, strlen(text));
}

/* The contents, valid until the next append. */
static inline struct slice buf_as_slice(const struct buf *buf)
{
	return (struct slice){buf->at, buf->len};
}

/* The contents with a NUL behind them (not counted); "" for an empty buffer. Valid until the next
 * append. */
const char *buf_cstring(struct buf *buf);

#endif
