/* MySQL's binary JSON (column type JSON, since 5.7) as JSON text.
 *
 * An object or array is a header, a table of key entries (objects), a table of value entries, and
 * the keys and values themselves; entries hold offsets from the container's start, in two bytes
 * (small) or four (large). Numbers that fit stand in the entry itself. What JSON has no type for
 * (DECIMAL, dates, blobs) is stored as "opaque".
 *
 * The text is what the server prints for the column, without the spaces that it puts behind commas
 * and colons. Members come in the order in which they are stored.
 *
 * Every offset is checked against its container. Nothing stops two entries from pointing at the
 * same bytes, so the text is bounded too: a document that is not nonsense never needs more than
 * JSON_ESCAPE_MAX bytes for one of its own.
 *
 * Thread: any. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "mysql/decode.h"

enum json_type {
	JSON_SMALL_OBJECT = 0,
	JSON_LARGE_OBJECT = 1,
	JSON_SMALL_ARRAY = 2,
	JSON_LARGE_ARRAY = 3,
	JSON_LITERAL = 4,
	JSON_INT16 = 5,
	JSON_UINT16 = 6,
	JSON_INT32 = 7,
	JSON_UINT32 = 8,
	JSON_INT64 = 9,
	JSON_UINT64 = 10,
	JSON_DOUBLE = 11,
	JSON_STRING = 12,
	JSON_OPAQUE = 15,
};

enum { DEPTH_MAX = 100, DOUBLE_MAX = 32, BASE64_LINE = 76, PIECE = 16384 };

struct text {
	struct buf *out;
	size_t len_max; /* of `out` */
	unsigned depth;
};

static enum rc put_value(struct text *text, uint8_t type, struct slice bytes);

/* ---- doubles, the server's way ---- */

/* A power of two has a nearer neighbour below than above, so that the shortest decimal may be the
 * one above the nearest of that length. */
static bool next_reads_back(uint64_t *digits, int exponent, double value)
{
	char text[40];
	int base2;
	if (frexp(value, &base2) != 0.5)
		return false;
	snprintf(text, sizeof text, "%llue%d", (unsigned long long)*digits + 1, exponent);
	if (strtod(text, NULL) != value)
		return false;
	++*digits;
	return true;
}

/* The shortest digits that read back as `value` (above zero), which is 0.DIGITS * 10^point. */
static size_t shortest(double value, char digits[DOUBLE_MAX], int *ret_point)
{
	char text[40];
	int count = value < 2.3e-308 ? 1 : 15; /* fewer digits are those 15 without zeros */
	uint64_t number = 0;
	int exponent = 0;
	for (; count <= 17; count++) {
		snprintf(text, sizeof text, "%.*e", count - 1, value);
		exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
		number = 0;
		for (const char *at = text; *at != 'e'; at++) {
			if (*at != '.')
				number = number * 10 + (uint64_t)(*at - '0');
		}
		if (strtod(text, NULL) == value ||
			next_reads_back(&number, exponent - count + 1, value))
			break;
	}
	while (number % 10 == 0)
		number /= 10;
	*ret_point = exponent + 1;
	return (size_t)(json_put_u64((uint8_t *)digits, number) - (uint8_t *)digits);
}

/* Plain where the point is near, else with an exponent; whole numbers get ".0". */
static void put_double(struct text *text, double value)
{
	char digits[DOUBLE_MAX];
	int point = 1;
	size_t len = 1;
	digits[0] = '0';
	if (value != 0)
		len = shortest(fabs(value), digits, &point);
	if (signbit(value))
		buf_u8(text->out, '-');
	bool has_fraction = point < 0 || len > (size_t)point;
	if (point < -14 || point > 16 || (point == 16 && !has_fraction)) {
		buf_u8(text->out, (uint8_t)digits[0]);
		if (len > 1)
			buf_u8(text->out, '.');
		buf_bytes(text->out, digits + 1, len - 1);
		buf_format(text->out, "e%d", point - 1);
		return;
	}
	if (point <= 0) {
		buf_format(text->out, "0.%.*s", -point, "00000000000000");
		buf_bytes(text->out, digits, len);
		return;
	}
	size_t whole = (size_t)point;
	buf_bytes(text->out, digits, len < whole ? len : whole);
	for (size_t i = len; i < whole; i++)
		buf_u8(text->out, '0');
	buf_u8(text->out, '.');
	if (len > whole)
		buf_bytes(text->out, digits + whole, len - whole);
	else
		buf_u8(text->out, '0');
}

/* ---- strings and opaque values ---- */

/* Seven bits a byte, lowest first, at most five bytes. */
static bool read_length(struct reader *reader, size_t *ret_len)
{
	uint64_t len = 0;
	for (unsigned shift = 0; shift < 35; shift += 7) {
		uint8_t byte = read_u8(reader);
		len |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		*ret_len = (size_t)len;
		return reader->rc == RC_OK && len <= reader_left(reader);
	}
	return false;
}

/* In pieces, so that a long string takes little more room than its text; cut between characters. */
static enum rc put_string(struct text *text, struct slice string)
{
	buf_u8(text->out, '"');
	while (string.len > 0) {
		size_t len = string.len < PIECE ? string.len : PIECE;
		for (int i = 0; i < 3 && len < string.len && (string.at[len] & 0xc0) == 0x80; i++)
			len--;
		uint8_t *at = buf_reserve(text->out, JSON_ESCAPE_MAX * len + JSON_ESCAPE_ROOM);
		if (!at)
			return text->out->rc;
		at = json_put_escaped(at, string.at, len);
		if (!at)
			return RC_CORRUPT;
		text->out->len = (size_t)(at - text->out->at);
		string = slice_of(string.at + len, string.len - len);
	}
	buf_u8(text->out, '"');
	return text->out->rc;
}

static void put_date(struct buf *out, const struct value_time *time)
{
	buf_format(out, "%04u-%02u-%02u", time->year, time->month, time->day);
}

static void put_clock(struct buf *out, const struct value_time *time)
{
	buf_format(
		out, "%02u:%02u:%02u.%06u", time->hour, time->minute, time->second, time->micros);
}

static enum rc put_time(struct text *text, uint8_t type, struct slice bytes)
{
	struct value_time time;
	if (bytes.len != sizeof(int64_t))
		return RC_CORRUPT;
	int64_t packed = (int64_t)load_u64le(bytes.at);
	bool is_clock = type == COLUMN_TIME;
	if (is_clock ? !packed_time_read(packed, &time) : !packed_datetime_read(packed, &time))
		return RC_CORRUPT;
	buf_text(text->out, is_clock && time.negative ? "\"-" : "\"");
	if (!is_clock)
		put_date(text->out, &time);
	if (type != COLUMN_DATE && !is_clock)
		buf_u8(text->out, ' ');
	if (type != COLUMN_DATE)
		put_clock(text->out, &time);
	buf_u8(text->out, '"');
	return text->out->rc;
}

static enum rc put_decimal(struct text *text, struct slice bytes)
{
	char digits[DECIMAL_TEXT_MAX];
	if (bytes.len < 2)
		return RC_CORRUPT;
	unsigned precision = bytes.at[0], decimals = bytes.at[1];
	size_t size = decimal_size(precision, decimals);
	if (size == 0 || bytes.len != size + 2)
		return RC_CORRUPT;
	size_t len = decimal_put(bytes.at + 2, precision, decimals, digits);
	buf_bytes(text->out, digits, len);
	return len ? text->out->rc : RC_CORRUPT;
}

/* Base64 in lines of 76 characters, as the server's function writes it; a line break within a JSON
 * string is \n. */
static enum rc put_base64(struct text *text, uint8_t type, struct slice bytes)
{
	enum { LINE_BYTES = BASE64_LINE / 4 * 3 };
	buf_format(text->out, "\"base64:type%u:", type);
	for (size_t i = 0; i < bytes.len; i += LINE_BYTES) {
		size_t len = bytes.len - i < LINE_BYTES ? bytes.len - i : LINE_BYTES;
		uint8_t line[BASE64_LINE];
		if (i)
			buf_text(text->out, "\\n");
		json_put_base64(line, bytes.at + i, len);
		buf_bytes(text->out, line, json_base64_size(len));
	}
	buf_u8(text->out, '"');
	return text->out->rc;
}

static enum rc put_opaque(struct text *text, struct reader *reader)
{
	size_t len;
	uint8_t type = read_u8(reader);
	if (!read_length(reader, &len))
		return RC_CORRUPT;
	struct slice bytes = read_slice(reader, len);
	if (type == COLUMN_NEWDECIMAL)
		return put_decimal(text, bytes);
	if (type == COLUMN_DATE || type == COLUMN_TIME || type == COLUMN_DATETIME ||
		type == COLUMN_TIMESTAMP)
		return put_time(text, type, bytes);
	return put_base64(text, type, bytes);
}

/* ---- scalars ---- */

static enum rc put_literal(struct text *text, uint8_t literal)
{
	static const char *const words[] = {"null", "true", "false"};
	if (literal >= sizeof words / sizeof words[0])
		return RC_CORRUPT;
	buf_text(text->out, words[literal]);
	return text->out->rc;
}

static enum rc put_scalar(struct text *text, uint8_t type, struct slice bytes)
{
	struct reader reader = reader_of(bytes.at, bytes.len);
	size_t len;
	double number;
	uint64_t bits;
	switch (type) {
	case JSON_LITERAL:
		return bytes.len ? put_literal(text, read_u8(&reader)) : RC_CORRUPT;
	case JSON_INT16:
		buf_json_i64(text->out, (int16_t)read_u16le(&reader));
		break;
	case JSON_UINT16:
		buf_json_u64(text->out, read_u16le(&reader));
		break;
	case JSON_INT32:
		buf_json_i64(text->out, (int32_t)read_u32le(&reader));
		break;
	case JSON_UINT32:
		buf_json_u64(text->out, read_u32le(&reader));
		break;
	case JSON_INT64:
		buf_json_i64(text->out, (int64_t)read_u64le(&reader));
		break;
	case JSON_UINT64:
		buf_json_u64(text->out, read_u64le(&reader));
		break;
	case JSON_DOUBLE:
		bits = read_u64le(&reader);
		memcpy(&number, &bits, sizeof number);
		if (!isfinite(number))
			return RC_CORRUPT;
		put_double(text, number);
		break;
	case JSON_STRING:
		if (!read_length(&reader, &len))
			return RC_CORRUPT;
		return put_string(text, read_slice(&reader, len));
	case JSON_OPAQUE:
		return put_opaque(text, &reader);
	default:
		return RC_CORRUPT;
	}
	return reader.rc == RC_OK ? text->out->rc : RC_CORRUPT;
}

/* ---- objects and arrays ---- */

struct container {
	struct slice bytes; /* all of it */
	bool is_large, is_object;
	size_t count;
	size_t values; /* where the value entries begin */
};

static size_t offset_size(const struct container *container)
{
	return container->is_large ? 4 : 2;
}

static size_t load_offset(const struct container *container, size_t at)
{
	const uint8_t *bytes = container->bytes.at + at;
	return container->is_large ? load_u32le(bytes) : load_u16le(bytes);
}

/* Reads the header and makes sure that both tables are there. */
static bool read_container(uint8_t type, struct slice bytes, struct container *ret_container)
{
	struct container container = {.bytes = bytes,
		.is_large = type == JSON_LARGE_OBJECT || type == JSON_LARGE_ARRAY,
		.is_object = type == JSON_SMALL_OBJECT || type == JSON_LARGE_OBJECT};
	size_t each = offset_size(&container);
	if (bytes.len < 2 * each)
		return false;
	container.count = load_offset(&container, 0);
	size_t size = load_offset(&container, each);
	container.values = 2 * each + (container.is_object ? container.count * (each + 2) : 0);
	if (size > bytes.len || container.values + container.count * (each + 1) > size)
		return false;
	container.bytes.len = size;
	*ret_container = container;
	return true;
}

static enum rc put_key(struct text *text, const struct container *container, size_t i)
{
	size_t each = offset_size(container);
	size_t entry = 2 * each + i * (each + 2);
	size_t offset = load_offset(container, entry);
	size_t len = load_u16le(container->bytes.at + entry + each);
	if (offset > container->bytes.len || len > container->bytes.len - offset)
		return RC_CORRUPT;
	enum rc rc = put_string(text, slice_of(container->bytes.at + offset, len));
	buf_u8(text->out, ':');
	return rc;
}

static enum rc put_element(struct text *text, const struct container *container, size_t i)
{
	size_t each = offset_size(container);
	size_t entry = container->values + i * (each + 1);
	uint8_t type = container->bytes.at[entry];
	struct slice inside = slice_of(container->bytes.at + entry + 1, each);
	bool is_inside = type == JSON_LITERAL || type == JSON_INT16 || type == JSON_UINT16 ||
		(container->is_large && (type == JSON_INT32 || type == JSON_UINT32));
	if (is_inside)
		return put_scalar(text, type, inside);
	size_t offset = load_offset(container, entry + 1);
	if (offset < container->values || offset > container->bytes.len)
		return RC_CORRUPT;
	return put_value(
		text, type, slice_of(container->bytes.at + offset, container->bytes.len - offset));
}

static enum rc put_container(struct text *text, uint8_t type, struct slice bytes)
{
	struct container container;
	if (!read_container(type, bytes, &container))
		return RC_CORRUPT;
	buf_u8(text->out, container.is_object ? '{' : '[');
	for (size_t i = 0; i < container.count; i++) {
		if (i)
			buf_u8(text->out, ',');
		enum rc rc = container.is_object ? put_key(text, &container, i) : RC_OK;
		if (rc == RC_OK)
			rc = put_element(text, &container, i);
		if (rc != RC_OK)
			return rc;
		if (text->out->len > text->len_max)
			return RC_CORRUPT;
	}
	buf_u8(text->out, container.is_object ? '}' : ']');
	return text->out->rc;
}

static enum rc put_value(struct text *text, uint8_t type, struct slice bytes)
{
	if (type > JSON_LARGE_ARRAY)
		return put_scalar(text, type, bytes);
	if (text->depth == DEPTH_MAX)
		return RC_CORRUPT;
	text->depth++;
	enum rc rc = put_container(text, type, bytes);
	text->depth--;
	return rc;
}

enum rc json_binary_text(struct slice binary, struct buf *out)
{
	if (binary.len == 0) { /* what IGNORE and lax modes leave in a column that is NOT NULL */
		buf_text(out, "null");
		return out->rc;
	}
	struct text text = {.out = out, .len_max = out->len + JSON_ESCAPE_MAX * binary.len};
	enum rc rc = put_value(&text, binary.at[0], slice_of(binary.at + 1, binary.len - 1));
	if (rc == RC_OK && out->len > text.len_max)
		rc = RC_CORRUPT;
	return rc;
}
