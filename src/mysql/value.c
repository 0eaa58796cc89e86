/* One column's bytes as a value, or at once as its JSON.
 *
 * Runs for every column of every row: one switch, nothing allocated, bytes borrowed from the row
 * wherever the value is what stands there. Bytes that the type cannot have are refused; whether
 * text is valid UTF-8 is found by the encoder, which looks at every byte anyway.
 *
 * The put_ functions are the hot ones. They go straight from the bytes to the text, for the types
 * that tables are mostly made of; how a value is spelled is decided by the room event alone.
 *
 * Thread: any. */
#include <math.h>

#include "base/json.h"
#include "mysql/decode.h"

static inline void put_int(struct value *value, int64_t number)
{
	value->kind = VALUE_INT;
	value->i = number;
}

static inline void put_uint(struct value *value, uint64_t number)
{
	value->kind = VALUE_UINT;
	value->u = number;
}

static inline enum rc put_time(struct value *value, enum value_kind kind, bool is_valid)
{
	value->kind = kind;
	return is_valid ? RC_OK : RC_CORRUPT;
}

static inline int64_t load_i24le(const uint8_t *at)
{
	return (int32_t)(load_u24le(at) << 8) >> 8;
}

static enum rc put_text(const struct binlog_column *column, struct slice span, struct buf *scratch,
	struct value *value)
{
	static const uint8_t kinds[] = {[BINLOG_TEXT_UTF8] = VALUE_TEXT,
		[BINLOG_TEXT_LATIN1] = VALUE_LATIN1,
		[BINLOG_TEXT_BINARY] = VALUE_BYTES};
	value->kind = kinds[column->text];
	value->bytes = span;
	if (column->pad <= span.len && !column->is_json)
		return column->pad && span.len > column->pad ? RC_CORRUPT : RC_OK;
	if (column->is_json) {
		value->kind = VALUE_JSON;
		enum rc rc = event_json_compact(span, scratch);
		value->bytes = buf_as_slice(scratch);
		return rc;
	}
	uint8_t *at = buf_reserve(scratch, column->pad);
	if (!at)
		return scratch->rc;
	if (span.len)
		memcpy(at, span.at, span.len);
	memset(at + span.len, 0, column->pad - span.len);
	value->bytes = slice_of(at, column->pad);
	return RC_OK;
}

static uint64_t load_le(struct slice span)
{
	uint64_t value = 0;
	for (size_t i = span.len; i-- > 0;)
		value = value << 8 | span.at[i];
	return value;
}

static enum rc put_enum(const struct binlog_column *column, struct slice span, struct value *value)
{
	uint64_t index = load_le(span); /* 0 is the invalid value, which reads as an empty text */
	if (index > column->member_count)
		return RC_CORRUPT;
	value->kind = VALUE_JSON;
	value->bytes = index ? column->members[index - 1] : SLICE("\"\"");
	return RC_OK;
}

static enum rc put_set(const struct binlog_column *column, struct slice span, struct buf *scratch,
	struct value *value)
{
	uint64_t bits = load_le(span);
	if (column->member_count < 64 && bits >> column->member_count)
		return RC_CORRUPT;
	buf_u8(scratch, '[');
	for (size_t i = 0; bits; i++, bits >>= 1) {
		if (!(bits & 1))
			continue;
		buf_slice(scratch, column->members[i]);
		if (bits >> 1)
			buf_u8(scratch, ',');
	}
	buf_u8(scratch, ']');
	value->kind = VALUE_JSON;
	value->bytes = buf_as_slice(scratch);
	return scratch->rc;
}

static enum rc put_real(const struct binlog_column *column, struct slice span, struct value *value)
{
	if (column->type == COLUMN_FLOAT) {
		uint32_t bits = load_u32le(span.at);
		value->kind = VALUE_FLOAT;
		memcpy(&value->f, &bits, sizeof bits);
		return isfinite(value->f) ? RC_OK : RC_CORRUPT;
	}
	uint64_t bits = load_u64le(span.at);
	value->kind = VALUE_DOUBLE;
	memcpy(&value->d, &bits, sizeof bits);
	return isfinite(value->d) ? RC_OK : RC_CORRUPT;
}

static enum rc put_old_time(
	const struct binlog_column *column, struct slice span, struct value *value)
{
	struct value_time *time = &value->time;
	if (column->type == COLUMN_TIME)
		return put_time(value, VALUE_TIME, old_time_read(span.at, time));
	if (column->type == COLUMN_DATETIME)
		return put_time(value, VALUE_DATETIME, old_datetime_read(span.at, time));
	return put_time(value, VALUE_TIMESTAMP, old_timestamp_read(span.at, time));
}

static enum rc put_json(struct slice span, struct buf *scratch, struct value *value)
{
	enum rc rc = json_binary_text(span, scratch);
	value->kind = VALUE_JSON;
	value->bytes = buf_as_slice(scratch);
	return rc;
}

enum rc binlog_value_read(const struct binlog_column *column, struct slice span,
	struct buf *scratch, struct value *ret_value)
{
	const uint8_t *at = span.at;
	bool is_unsigned = column->is_unsigned;
	buf_reset(scratch);
	switch (column->type) {
	case COLUMN_TINY:
		is_unsigned ? put_uint(ret_value, at[0]) : put_int(ret_value, (int8_t)at[0]);
		return RC_OK;
	case COLUMN_SHORT:
		is_unsigned ? put_uint(ret_value, load_u16le(at))
			    : put_int(ret_value, (int16_t)load_u16le(at));
		return RC_OK;
	case COLUMN_INT24:
		is_unsigned ? put_uint(ret_value, load_u24le(at))
			    : put_int(ret_value, load_i24le(at));
		return RC_OK;
	case COLUMN_LONG:
		is_unsigned ? put_uint(ret_value, load_u32le(at))
			    : put_int(ret_value, (int32_t)load_u32le(at));
		return RC_OK;
	case COLUMN_LONGLONG:
		is_unsigned ? put_uint(ret_value, load_u64le(at))
			    : put_int(ret_value, (int64_t)load_u64le(at));
		return RC_OK;
	case COLUMN_YEAR:
		put_uint(ret_value, at[0] ? at[0] + 1900U : 0);
		return RC_OK;
	case COLUMN_BIT:
		put_uint(ret_value, load_be(at, span.len));
		return RC_OK;
	case COLUMN_NEWDECIMAL: {
		size_t len = decimal_put(at, column->precision, column->decimals, ret_value->text);
		ret_value->kind = VALUE_DECIMAL;
		ret_value->bytes = slice_of(ret_value->text, len);
		return len ? RC_OK : RC_CORRUPT;
	}
	case COLUMN_STRING:
	case COLUMN_VARCHAR:
	case COLUMN_VAR_STRING:
	case COLUMN_BLOB:
		return put_text(column, span, scratch, ret_value);
	case COLUMN_DATETIME2:
		return put_time(ret_value, VALUE_DATETIME,
			datetime_read(at, column->decimals, &ret_value->time));
	case COLUMN_TIMESTAMP2:
		return put_time(ret_value, VALUE_TIMESTAMP,
			timestamp_read(at, column->decimals, &ret_value->time));
	case COLUMN_TIME2:
		return put_time(
			ret_value, VALUE_TIME, time_read(at, column->decimals, &ret_value->time));
	case COLUMN_DATE:
	case COLUMN_NEWDATE:
		return put_time(ret_value, VALUE_DATE, date_read(at, &ret_value->time));
	case COLUMN_ENUM:
		return put_enum(column, span, ret_value);
	case COLUMN_SET:
		return put_set(column, span, scratch, ret_value);
	case COLUMN_FLOAT:
	case COLUMN_DOUBLE:
		return put_real(column, span, ret_value);
	case COLUMN_JSON:
		return put_json(span, scratch, ret_value);
	case COLUMN_TIME:
	case COLUMN_DATETIME:
	case COLUMN_TIMESTAMP:
		return put_old_time(column, span, ret_value);
	default:
		return RC_UNSUPPORTED; /* building the table refuses such columns */
	}
}

/* ---- straight to JSON ---- */

/* Whatever there is: the other functions are for what tables are mostly made of. */
static uint8_t *put_any(
	uint8_t *at, const struct binlog_column *column, struct slice span, struct buf *scratch)
{
	struct value value;
	enum rc rc = binlog_value_read(column, span, scratch, &value);
	if (rc == RC_OK)
		return event_put_value(at, &value);
	scratch->rc = rc;
	return NULL;
}

#define PUT_INTEGER(name, type, load) \
	static uint8_t *name(uint8_t *at, const struct binlog_column *column, struct slice span, \
		struct buf *scratch) \
	{ \
		(void)column, (void)scratch; \
		return json_put_##type(at, load); \
	}
PUT_INTEGER(put_u8, u64, span.at[0])
PUT_INTEGER(put_i8, i64, (int8_t)span.at[0])
PUT_INTEGER(put_u16, u64, load_u16le(span.at))
PUT_INTEGER(put_i16, i64, (int16_t)load_u16le(span.at))
PUT_INTEGER(put_u24, u64, load_u24le(span.at))
PUT_INTEGER(put_i24, i64, load_i24le(span.at))
PUT_INTEGER(put_u32, u64, load_u32le(span.at))
PUT_INTEGER(put_i32, i64, (int32_t)load_u32le(span.at))
PUT_INTEGER(put_u64, u64, load_u64le(span.at))
PUT_INTEGER(put_i64, i64, (int64_t)load_u64le(span.at))

static uint8_t *put_decimal(
	uint8_t *at, const struct binlog_column *column, struct slice span, struct buf *scratch)
{
	(void)scratch;
	size_t len = decimal_put(span.at, column->precision, column->decimals, (char *)at);
	return len ? at + len : NULL;
}

static uint8_t *put_utf8(
	uint8_t *at, const struct binlog_column *column, struct slice span, struct buf *scratch)
{
	(void)column, (void)scratch;
	return event_put_text(at, span);
}

static uint8_t *put_datetime(
	uint8_t *at, const struct binlog_column *column, struct slice span, struct buf *scratch)
{
	(void)scratch;
	struct value_time time;
	bool is_valid = datetime_read(span.at, column->decimals, &time);
	return is_valid ? event_put_time(at, VALUE_DATETIME, &time) : NULL;
}

static uint8_t *put_timestamp(
	uint8_t *at, const struct binlog_column *column, struct slice span, struct buf *scratch)
{
	(void)scratch;
	struct value_time time;
	bool is_valid = timestamp_read(span.at, column->decimals, &time);
	return is_valid ? event_put_time(at, VALUE_TIMESTAMP, &time) : NULL;
}

static uint8_t *put_date(
	uint8_t *at, const struct binlog_column *column, struct slice span, struct buf *scratch)
{
	(void)column, (void)scratch;
	struct value_time time;
	return date_read(span.at, &time) ? event_put_time(at, VALUE_DATE, &time) : NULL;
}

static uint8_t *put_member(
	uint8_t *at, const struct binlog_column *column, struct slice span, struct buf *scratch)
{
	uint64_t index = span.at[0]; /* of an ENUM that takes one byte */
	if (index == 0 || index > column->member_count)
		return put_any(at, column, span, scratch);
	struct slice member = column->members[index - 1];
	return json_put_padded(at, member.at, member.len);
}

binlog_put *binlog_put_of(const struct binlog_column *column)
{
	bool is_unsigned = column->is_unsigned;
	bool is_utf8 = column->text == BINLOG_TEXT_UTF8 && !column->is_json && column->pad == 0;
	switch (column->type) {
	case COLUMN_TINY:
		return is_unsigned ? put_u8 : put_i8;
	case COLUMN_SHORT:
		return is_unsigned ? put_u16 : put_i16;
	case COLUMN_INT24:
		return is_unsigned ? put_u24 : put_i24;
	case COLUMN_LONG:
		return is_unsigned ? put_u32 : put_i32;
	case COLUMN_LONGLONG:
		return is_unsigned ? put_u64 : put_i64;
	case COLUMN_NEWDECIMAL:
		return put_decimal;
	case COLUMN_STRING:
	case COLUMN_VARCHAR:
	case COLUMN_BLOB:
		return is_utf8 ? put_utf8 : put_any;
	case COLUMN_DATETIME2:
		return put_datetime;
	case COLUMN_TIMESTAMP2:
		return put_timestamp;
	case COLUMN_DATE:
		return put_date;
	case COLUMN_ENUM:
		return column->length == 1 ? put_member : put_any;
	default:
		return put_any;
	}
}
