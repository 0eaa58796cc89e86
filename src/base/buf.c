/* A growing buffer with a maximum; see buf.h. */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

enum { FIRST_CAPACITY = 256 };

void buf_release(struct buf *buf)
{
	mem_free(buf->at);
	*buf = buf_of(buf->max);
}

void buf_shrink(struct buf *buf, size_t keep)
{
	buf_reset(buf);
	if (buf->cap <= keep)
		return;
	buf->at = mem_resize(buf->at, keep + 1);
	buf->cap = keep;
}

uint8_t *buf_reserve_slow(struct buf *buf, size_t len)
{
	assert(buf->max > 0);
	if (buf->rc != RC_OK)
		return NULL;
	if (len > buf->max || buf->len > buf->max - len) {
		buf->rc = RC_LIMIT;
		return NULL;
	}
	size_t need = buf->len + len;
	if (need <= buf->cap && buf->at)
		return buf->at + buf->len;
	size_t cap = buf->cap < FIRST_CAPACITY ? FIRST_CAPACITY : buf->cap;
	while (cap < need)
		cap += cap / 2;
	if (cap > buf->max)
		cap = buf->max;
	buf->at = mem_resize(buf->at, cap + 1);
	buf->cap = cap;
	return buf->at + buf->len;
}

void buf_bytes(struct buf *buf, const void *bytes, size_t len)
{
	uint8_t *at = buf_reserve(buf, len);
	if (!at || len == 0)
		return;
	memcpy(at, bytes, len);
	buf->len += len;
}

void buf_u8(struct buf *buf, uint8_t value)
{
	buf_bytes(buf, &value, 1);
}

void buf_u16le(struct buf *buf, uint16_t value)
{
	uint8_t bytes[2];
	store_u16le(bytes, value);
	buf_bytes(buf, bytes, sizeof bytes);
}

void buf_u32le(struct buf *buf, uint32_t value)
{
	uint8_t bytes[4];
	store_u32le(bytes, value);
	buf_bytes(buf, bytes, sizeof bytes);
}

void buf_u64le(struct buf *buf, uint64_t value)
{
	uint8_t bytes[8];
	store_u64le(bytes, value);
	buf_bytes(buf, bytes, sizeof bytes);
}

void buf_varint(struct buf *buf, uint64_t value)
{
	uint8_t bytes[VARINT_MAX];
	buf_bytes(buf, bytes, (size_t)(store_varint(bytes, value) - bytes));
}

void buf_format(struct buf *buf, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	va_list again;
	va_copy(again, args);
	int length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	assert(length >= 0);
	uint8_t *at = buf_reserve(buf, (size_t)length);
	if (at) { /* there is always a byte for the NUL */
		(void)vsnprintf((char *)at, (size_t)length + 1, format, again);
		buf->len += (size_t)length;
	}
	va_end(again);
}

const char *buf_cstring(struct buf *buf)
{
	if (!buf->at)
		return "";
	buf->at[buf->len] = 0;
	return (const char *)buf->at;
}
