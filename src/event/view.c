/* Reading lines of the format millstream; see event.h and docs/formats/event.md.
 *
 * The one decoder: members are found and sliced, nothing is copied and no value is looked into. The
 * lines are our own (their bytes were checked by the log's or the archive's checksums); still every
 * byte is bounded, and what is not understood is RC_CORRUPT. */
#include "base/json.h"
#include "event/event.h"

/* `at` is behind the opening quote. Returns the place of the closing one, NULL when there is none.
 */
static const uint8_t *quote_end(const uint8_t *at, const uint8_t *end)
{
	for (; at < end; at++) {
		if (*at == '\\')
			at++;
		else if (*at == '"')
			return at;
	}
	return NULL;
}

/* `at` is at an opening bracket. Returns the place behind its match. */
static const uint8_t *bracket_end(const uint8_t *at, const uint8_t *end)
{
	size_t depth = 0;
	for (; at < end; at++) {
		if (*at == '{' || *at == '[') {
			depth++;
		} else if (*at == '}' || *at == ']') {
			if (--depth == 0)
				return at + 1;
		} else if (*at == '"') {
			at = quote_end(at + 1, end);
			if (!at)
				return NULL;
		}
	}
	return NULL;
}

/* Takes one value: a string without its quotes, an object or array with its brackets, a word as it
 * is. */
static bool take_value(struct reader *reader, struct slice *ret_value)
{
	const uint8_t *at = reader->at, *end = reader->end, *stop;
	if (at == end)
		return false;
	if (*at == '"') {
		stop = quote_end(at + 1, end);
		if (!stop)
			return false;
		*ret_value = slice_of(at + 1, (size_t)(stop - at - 1));
		reader->at = stop + 1;
		return true;
	}
	if (*at == '{' || *at == '[') {
		stop = bracket_end(at, end);
	} else {
		for (stop = at; stop < end && *stop != ',' && *stop != '}' && *stop != ']'; stop++)
			continue;
	}
	if (!stop || stop == at)
		return false;
	*ret_value = slice_of(at, (size_t)(stop - at));
	reader->at = stop;
	return true;
}

static bool take_byte(struct reader *reader, uint8_t byte)
{
	if (reader->at == reader->end || *reader->at != byte)
		return false;
	reader->at++;
	return true;
}

/* "name":value and the comma behind it. */
static bool take_member(struct reader *reader, struct slice *ret_name, struct slice *ret_value)
{
	if (reader->at == reader->end || *reader->at != '"' || !take_value(reader, ret_name) ||
		!take_byte(reader, ':') || !take_value(reader, ret_value))
		return false;
	return take_byte(reader, ',') || (reader->at < reader->end && *reader->at == '}');
}

static bool read_u64(struct slice text, uint64_t *ret_number)
{
	uint64_t number = 0;
	if (text.len == 0 || text.len > 20)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		unsigned digit = (unsigned)text.at[i] - '0';
		if (digit > 9 || number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*ret_number = number;
	return true;
}

static bool is(struct slice name, const char *text)
{
	return slice_equal(name, slice_text(text));
}

static bool read_position(struct slice object, struct event_view *view)
{
	struct reader reader = reader_of(object.at, object.len);
	struct slice name, value;
	if (!take_byte(&reader, '{'))
		return false;
	while (!take_byte(&reader, '}')) {
		bool good = take_member(&reader, &name, &value);
		if (good && is(name, "file"))
			view->file = value;
		else if (good && is(name, "gtid"))
			view->gtid = value;
		else if (good && is(name, "pos"))
			good = read_u64(value, &view->pos);
		else if (good && is(name, "row"))
			good = read_u64(value, &view->row);
		if (!good)
			return false;
	}
	return true;
}

static bool read_op(struct slice value, enum event_op *ret_op)
{
	if (value.len != 1 || !strchr("cudrts", value.at[0]) || !value.at[0])
		return false;
	*ret_op = (enum event_op)value.at[0];
	return true;
}

/* Members that are kept as they are. */
static struct slice *place_of(struct event_view *view, struct slice name)
{
	const struct {
		const char *name;
		struct slice *place;
	} rows[] = {
		{"key", &view->key},
		{"after", &view->after},
		{"before", &view->before},
		{"ts", &view->ts},
		{"db", &view->database},
		{"table", &view->table},
		{"oldkey", &view->old_key},
		{"newkey", &view->new_key},
		{"ddl", &view->ddl},
		{"columns", &view->columns},
		{"primary_key", &view->primary_key},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (is(name, rows[i].name))
			return rows[i].place;
	}
	return NULL;
}

static bool read_member(
	struct event_view *view, struct slice name, struct slice value, bool is_string)
{
	if (is(name, "op"))
		return read_op(value, &view->op);
	if (is(name, "ord"))
		return read_u64(value, &view->ordinal);
	if (is(name, "pos"))
		return read_position(value, view);
	if (is(name, "drop"))
		view->is_drop = is(value, "true");
	struct slice *place = place_of(view, name);
	if (place && !(is(name, "table") && !is_string)) /* null: no table */
		*place = value;
	return true;
}

enum rc event_view_read(struct slice line, struct event_view *ret_view)
{
	struct event_view view = {0};
	struct reader reader = reader_of(line.at, line.len);
	bool has_ordinal = false;
	if (line.len > 0 && line.at[line.len - 1] == '\n')
		reader.end--;
	if (!take_byte(&reader, '{'))
		return RC_CORRUPT;
	while (!take_byte(&reader, '}')) {
		struct slice name, value;
		if (!take_member(&reader, &name, &value))
			return RC_CORRUPT;
		bool is_string = value.at[-1] == '"' && value.at > line.at;
		if (!read_member(&view, name, value, is_string))
			return RC_CORRUPT;
		has_ordinal = has_ordinal || is(name, "ord");
	}
	if (reader.at != reader.end || view.op == 0 || !has_ordinal)
		return RC_CORRUPT;
	*ret_view = view;
	return RC_OK;
}

static int hex_digit(uint8_t byte)
{
	const char *digits = "0123456789abcdef";
	const char *at = byte ? strchr(digits, byte | 0x20) : NULL;
	return at && (byte >= 'A' || byte <= '9') ? (int)(at - digits) : -1;
}

/* Four hex digits. */
static bool take_code(struct reader *reader, uint32_t *ret_code)
{
	const uint8_t *at = read_bytes(reader, 4);
	*ret_code = 0;
	for (int i = 0; at && i < 4; i++) {
		int digit = hex_digit(at[i]);
		if (digit < 0)
			return false;
		*ret_code = *ret_code << 4 | (uint32_t)digit;
	}
	return at != NULL;
}

static void put_utf8(struct buf *out, uint32_t code)
{
	if (code < 0x80) {
		buf_u8(out, (uint8_t)code);
		return;
	}
	unsigned more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
	static const uint8_t leads[] = {0, 0xc0, 0xe0, 0xf0};
	buf_u8(out, (uint8_t)(leads[more] | code >> (6 * more)));
	while (more-- > 0)
		buf_u8(out, (uint8_t)(0x80 | (code >> (6 * more) & 0x3f)));
}

static bool unescape_code(struct reader *reader, struct buf *out)
{
	uint32_t code, low;
	if (!take_code(reader, &code))
		return false;
	if (code >= 0xd800 && code < 0xdc00 && reader_left(reader) >= 6 && reader->at[0] == '\\' &&
		reader->at[1] == 'u') {
		reader->at += 2;
		if (!take_code(reader, &low) || low < 0xdc00 || low > 0xdfff)
			return false;
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	if (code >= 0xd800 && code < 0xe000)
		return false;
	put_utf8(out, code);
	return true;
}

enum rc event_unescape(struct slice text, struct buf *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	struct reader reader = reader_of(text.at, text.len);
	while (reader.at < reader.end) {
		const uint8_t *slash = memchr(reader.at, '\\', reader_left(&reader));
		size_t plain = slash ? (size_t)(slash - reader.at) : reader_left(&reader);
		buf_bytes(out, reader.at, plain);
		reader.at += plain;
		if (!slash)
			break;
		reader.at++;
		uint8_t byte = read_u8(&reader);
		const char *known = byte ? strchr(from, byte) : NULL;
		if (known)
			buf_u8(out, (uint8_t)to[known - from]);
		else if (byte != 'u' || !unescape_code(&reader, out))
			return RC_CORRUPT;
	}
	return out->rc;
}

static bool take_digits(struct reader *reader, size_t count, int64_t *ret_number)
{
	const uint8_t *at = read_bytes(reader, count);
	*ret_number = 0;
	for (size_t i = 0; at && i < count; i++) {
		if (at[i] < '0' || at[i] > '9')
			return false;
		*ret_number = *ret_number * 10 + (at[i] - '0');
	}
	return at != NULL;
}

/* Days since 1970 of a date in the proleptic Gregorian calendar. */
static int64_t days_of_civil(int64_t year, int64_t month, int64_t day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * 146097 + day_of_era - 719468;
}

static int64_t days_of_month(int64_t year, int64_t month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return days[month - 1] + (is_leap && month == 2);
}

enum rc event_time_read(struct slice text, int64_t *ret_us)
{
	static const int64_t units[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
	struct reader reader = reader_of(text.at, text.len);
	int64_t year, month, day, hour, minute, second, fraction = 0;
	bool good = take_digits(&reader, 4, &year) && take_byte(&reader, '-') &&
		take_digits(&reader, 2, &month) && take_byte(&reader, '-') &&
		take_digits(&reader, 2, &day) && take_byte(&reader, 'T') &&
		take_digits(&reader, 2, &hour) && take_byte(&reader, ':') &&
		take_digits(&reader, 2, &minute) && take_byte(&reader, ':') &&
		take_digits(&reader, 2, &second);
	if (good && take_byte(&reader, '.')) {
		size_t digits = reader_left(&reader) > 0 ? reader_left(&reader) - 1 : 0;
		good = digits > 0 && digits <= 6 && take_digits(&reader, digits, &fraction);
		if (good)
			fraction *= units[digits];
	}
	if (!good || !take_byte(&reader, 'Z') || reader.at != reader.end || month < 1 ||
		month > 12 || day < 1 || day > days_of_month(year, month) || hour > 23 ||
		minute > 59 || second > 59)
		return RC_CORRUPT;
	int64_t seconds =
		days_of_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
	*ret_us = seconds * 1000000 + fraction;
	return RC_OK;
}
