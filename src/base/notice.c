/* Log lines; see notice.h. */
#include "base/notice.h"

#include <ctype.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"

static const struct {
	const char *name, *text;
	enum notice_level level;
} rows[NOTICE_COUNT] = {
#define NOTICE(name, level, text) {#name, text, NOTICE_##level},
#include "base/notice.def"
#undef NOTICE
};

static const char *const level_names[] = {"DEBUG", "INFO", "WARN", "ERROR"};

static enum notice_level least_level = NOTICE_INFO;
static enum notice_format line_format = NOTICE_AS_TEXT;

void notice_init(enum notice_level least, enum notice_format format)
{
	least_level = least;
	line_format = format;
}

const char *notice_name(enum notice_id id)
{
	return rows[id].name;
}

const char *notice_text(enum notice_id id)
{
	return rows[id].text;
}

static void put_now(struct buf *line, unsigned digits)
{
	uint8_t time[32];
	buf_bytes(line, time, (size_t)(json_put_time_us(time, clock_wall_us(), digits) - time));
}

/* Values with blanks or quotes are quoted as in JSON, so that a line can be taken apart again. */
static void put_text_value(struct buf *line, struct slice value)
{
	bool plain = value.len > 0;
	for (size_t i = 0; i < value.len && plain; i++)
		plain = value.at[i] > ' ' && value.at[i] < 0x7f && !strchr("\"\\=", value.at[i]);
	if (plain)
		buf_slice(line, value);
	else
		buf_json_string(line, value);
}

static void put_value(struct buf *line, const struct field *field, bool json)
{
	if (field->kind == FIELD_U64)
		buf_json_u64(line, field->number);
	else if (field->kind == FIELD_I64)
		buf_json_i64(line, (int64_t)field->number);
	else if (json)
		buf_json_string(line, field->text);
	else
		put_text_value(line, field->text);
}

static void write_text(
	struct buf *line, enum notice_id id, const struct fault *fault, const struct field *fields)
{
	put_now(line, 3);
	buf_format(line, " %-5s %s", level_names[rows[id].level], rows[id].text);
	for (const struct field *field = fields; field && field->name; field++) {
		buf_format(line, " %s=", field->name);
		put_value(line, field, false);
	}
	if (fault)
		buf_format(line, ": %s [%s]", fault->text, rc_name(fault->rc));
	if (fault && fault->hint[0])
		buf_format(line, " -- %s", fault->hint);
}

static void put_lower(struct buf *line, const char *name)
{
	buf_u8(line, '"');
	for (; *name; name++)
		buf_u8(line, (uint8_t)tolower((unsigned char)*name));
	buf_u8(line, '"');
}

static void write_json(
	struct buf *line, enum notice_id id, const struct fault *fault, const struct field *fields)
{
	buf_text(line, "{\"time\":\"");
	put_now(line, 6);
	buf_text(line, "\",\"level\":");
	put_lower(line, level_names[rows[id].level]);
	buf_text(line, ",\"event\":");
	put_lower(line, rows[id].name);
	buf_json_key(line, "text");
	buf_json_string(line, slice_text(rows[id].text));
	for (const struct field *field = fields; field && field->name; field++) {
		buf_json_key(line, field->name);
		put_value(line, field, true);
	}
	if (fault) {
		buf_json_key(line, "code");
		buf_json_string(line, slice_text(rc_name(fault->rc)));
		buf_json_key(line, "error");
		buf_json_string(line, slice_text(fault->text));
		buf_json_key(line, "hint");
		buf_json_string(line, slice_text(fault->hint));
	}
	buf_u8(line, '}');
}

void notice_fault(enum notice_id id, const struct fault *fault, const struct field *fields)
{
	enum { LINE_MAX_BYTES = 16384 };
	if (rows[id].level < least_level)
		return;
	struct buf line = buf_of(LINE_MAX_BYTES);
	if (line_format == NOTICE_AS_JSON)
		write_json(&line, id, fault, fields);
	else
		write_text(&line, id, fault, fields);
	line.rc = RC_OK;
	buf_u8(&line, '\n');
	(void)!write(STDERR_FILENO, line.at, line.len);
	buf_release(&line);
}

void notice(enum notice_id id, const struct field *fields)
{
	notice_fault(id, NULL, fields);
}
