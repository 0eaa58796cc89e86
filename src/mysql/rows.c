/* Row events and the images in them.
 *
 * binlog_image_read runs once a row: it only finds where each column's bytes are. Which way a
 * column's length is told was decided when its table was built.
 *
 * Thread: any. */
#include "mysql/decode.h"

enum { FLAG_STATEMENT_END = 1, OLD_POST_HEADER = 6 };

const uint8_t binlog_absent[1] = {0};

bool binlog_rows_change(unsigned type, enum binlog_change *ret_change)
{
	switch (type) {
	case BINLOG_WRITE_ROWS_V1:
	case BINLOG_WRITE_ROWS:
	case BINLOG_WRITE_ROWS_COMPRESSED_V1:
	case BINLOG_WRITE_ROWS_COMPRESSED:
		*ret_change = BINLOG_INSERT;
		return true;
	case BINLOG_UPDATE_ROWS_V1:
	case BINLOG_UPDATE_ROWS:
	case BINLOG_UPDATE_ROWS_COMPRESSED_V1:
	case BINLOG_UPDATE_ROWS_COMPRESSED:
	case BINLOG_PARTIAL_UPDATE_ROWS:
		*ret_change = BINLOG_UPDATE;
		return true;
	case BINLOG_DELETE_ROWS_V1:
	case BINLOG_DELETE_ROWS:
	case BINLOG_DELETE_ROWS_COMPRESSED_V1:
	case BINLOG_DELETE_ROWS_COMPRESSED:
		*ret_change = BINLOG_DELETE;
		return true;
	default:
		return false;
	}
}

/* Whether any of the first `count` bits is set. */
static bool has_any(struct slice bits, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (bits.at[i / 8] >> i % 8 & 1)
			return true;
	}
	return false;
}

static enum rc read_extra(struct reader *reader)
{
	uint16_t size = read_u16le(reader); /* counts itself */
	if (reader->rc == RC_OK && size < 2)
		return RC_CORRUPT;
	read_bytes(reader, size - 2U);
	return reader->rc;
}

enum rc binlog_rows_read(const struct binlog_event *event, const struct binlog_format *format,
	struct binlog_rows *ret_rows)
{
	struct binlog_rows rows = {0};
	bool is_v1 = event->type >= BINLOG_WRITE_ROWS_V1 && event->type <= BINLOG_DELETE_ROWS_V1;
	bool is_v2 = event->type >= BINLOG_WRITE_ROWS && event->type <= BINLOG_DELETE_ROWS;
	if ((!is_v1 && !is_v2) || !binlog_rows_change(event->type, &rows.change))
		return RC_UNSUPPORTED;
	struct reader reader = reader_of(event->body.at, event->body.len);
	bool is_old = format->post_header[event->type] == OLD_POST_HEADER;
	rows.table_id = is_old ? read_u32le(&reader) : read_u48le(&reader);
	rows.ends_statement = read_u16le(&reader) & FLAG_STATEMENT_END;
	if (is_v2 && read_extra(&reader) != RC_OK)
		return reader.rc != RC_OK ? reader.rc : RC_CORRUPT;
	uint64_t count = read_packed(&reader);
	if (reader.rc == RC_OK && (count == 0 || count > COLUMNS_MAX))
		return RC_CORRUPT;
	rows.column_count = (size_t)count;
	rows.present = read_slice(&reader, (rows.column_count + 7) / 8);
	if (rows.change == BINLOG_UPDATE)
		rows.present_after = read_slice(&reader, (rows.column_count + 7) / 8);
	if (reader.rc != RC_OK)
		return reader.rc;
	rows.rest = reader;
	/* without columns an image has no bytes, and reading images would never end */
	bool is_empty = !has_any(rows.present, rows.column_count) &&
		(rows.change != BINLOG_UPDATE || !has_any(rows.present_after, rows.column_count));
	if (is_empty && reader_left(&reader) > 0)
		return RC_CORRUPT;
	*ret_rows = rows;
	return RC_OK;
}

/* Where the next column's bytes are and how many. Close to the end of the event; false when they
 * are not there. */
static bool take_last_span(const struct binlog_column *column, const uint8_t **at,
	const uint8_t *end, struct slice *span)
{
	const uint8_t *start = *at;
	size_t left = (size_t)(end - start), prefix = column->prefix, len = column->length;
	if (left < prefix)
		return false;
	for (size_t i = 0; i < prefix; i++)
		len |= (size_t)start[i] << 8 * i;
	if (left - prefix < len)
		return false;
	*span = (struct slice){start + prefix, len};
	*at = start + prefix + len;
	return true;
}

/* The same anywhere: a column's length is fixed, or stands in front of it in `prefix` bytes, so
 * that one load and a mask serve both without a branch. */
static inline bool take_span(const struct binlog_column *column, const uint8_t **at,
	const uint8_t *end, struct slice *span)
{
	static const uint32_t masks[] = {0, 0xff, 0xffff, 0xffffff, 0xffffffff};
	const uint8_t *start = *at;
	if (end - start < 4)
		return take_last_span(column, at, end, span);
	size_t len = column->length + (size_t)(load_u32le(start) & masks[column->prefix]);
	start += column->prefix;
	if ((size_t)(end - start) < len)
		return false;
	*span = (struct slice){start, len};
	*at = start + len;
	return true;
}

/* How many columns are in an image: the bitmap of NULLs counts only those. */
static inline size_t count_present(struct slice present, size_t count)
{
	size_t set = 0;
	for (size_t i = 0; i < count; i++)
		set += present.at[i / 8] >> i % 8 & 1;
	return set;
}

static inline bool is_complete(struct slice present, size_t count)
{
	size_t whole = count / 8;
	for (size_t i = 0; i < whole; i++) {
		if (present.at[i] != 0xff)
			return false;
	}
	unsigned rest = (1U << count % 8) - 1;
	return rest == 0 || (present.at[whole] & rest) == rest;
}

static enum rc read_some(const struct binlog_table *table, struct slice present,
	struct reader *rest, struct slice *spans)
{
	size_t count = table->column_count, nth = 0;
	const uint8_t *nulls = read_bytes(rest, (count_present(present, count) + 7) / 8);
	if (!nulls)
		return RC_TRUNCATED;
	const uint8_t *at = rest->at;
	for (size_t i = 0; i < count; i++) {
		if (!(present.at[i / 8] >> i % 8 & 1)) {
			spans[i] = (struct slice){BINLOG_ABSENT, 0};
			continue;
		}
		bool is_null = nulls[nth / 8] >> nth % 8 & 1;
		nth++;
		spans[i] = (struct slice){0};
		if (!is_null && !take_span(&table->columns[i], &at, rest->end, &spans[i]))
			return RC_TRUNCATED;
	}
	rest->at = at;
	return RC_OK;
}

/* The bits behind the last column mean nothing, and are set. */
static inline bool has_nulls(const uint8_t *nulls, size_t count)
{
	size_t whole = count / 8;
	unsigned any = 0;
	for (size_t i = 0; i < whole; i++)
		any |= nulls[i];
	unsigned rest = (1U << count % 8) - 1;
	if (rest)
		any |= nulls[whole] & rest;
	return any != 0;
}

static enum rc read_all(const struct binlog_table *table, struct reader *rest, struct slice *spans)
{
	size_t count = table->column_count;
	const uint8_t *nulls = read_bytes(rest, (count + 7) / 8);
	if (!nulls)
		return RC_TRUNCATED;
	const struct binlog_column *columns = table->columns;
	const uint8_t *at = rest->at, *end = rest->end;
	if (has_nulls(nulls, count)) {
		for (size_t i = 0; i < count; i++) {
			spans[i] = (struct slice){0};
			if (!(nulls[i / 8] >> i % 8 & 1) &&
				!take_span(&columns[i], &at, end, &spans[i]))
				return RC_TRUNCATED;
		}
	} else {
		for (size_t i = 0; i < count; i++) {
			if (!take_span(&columns[i], &at, end, &spans[i]))
				return RC_TRUNCATED;
		}
	}
	rest->at = at;
	return RC_OK;
}

enum rc binlog_image_read(const struct binlog_table *table, struct slice present,
	struct reader *rest, struct slice *spans)
{
	size_t count = table->column_count;
	if (present.len != (count + 7) / 8)
		return RC_CORRUPT;
	enum rc rc = is_complete(present, count) ? read_all(table, rest, spans)
						 : read_some(table, present, rest, spans);
	if (rc != RC_OK) {
		rest->rc = rc;
		rest->at = rest->end;
	}
	return rc;
}
