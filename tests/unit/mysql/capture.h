/* Binlog files of tests/data/binlog read event by event, and the schemas beside them. */
#ifndef TESTS_UNIT_MYSQL_CAPTURE_H
#define TESTS_UNIT_MYSQL_CAPTURE_H

#include "unit.h"

#include "base/mem.h"
#include "mysql/mysql.h"

struct capture {
	uint8_t *bytes;
	size_t len, at;
	struct binlog_format format;
};

static inline uint8_t *capture_read_file(const char *name, size_t *ret_len)
{
	char path[400];
	snprintf(path, sizeof path, "%s/tests/data/binlog/%s", UNIT_SOURCE, name);
	FILE *file = fopen(path, "rb");
	if (!file)
		fail_msg("cannot open %s", path);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	long len = ftell(file);
	assert_true(len >= 0);
	rewind(file);
	uint8_t *bytes = mem_new((size_t)len + 1, 1);
	assert_int_equal(fread(bytes, 1, (size_t)len, file), len);
	fclose(file);
	*ret_len = (size_t)len;
	return bytes;
}

static inline struct capture capture_open(const char *name)
{
	struct capture capture = {0};
	char file[200];
	snprintf(file, sizeof file, "%s.binlog", name);
	capture.bytes = capture_read_file(file, &capture.len);
	assert_true(capture.len > 4 &&
		memcmp(capture.bytes,
			"\xfe"
			"bin",
			4) == 0);
	capture.at = 4;
	return capture;
}

static inline void capture_close(struct capture *capture)
{
	mem_free(capture->bytes);
}

/* The next event; the format description is taken to heart on the way. All captures have checksums,
 * whose bytes stand behind every body. */
static inline bool capture_next(struct capture *capture, struct binlog_event *ret_event)
{
	if (capture->at == capture->len)
		return false;
	assert_true(capture->len - capture->at >= BINLOG_HEADER_SIZE);
	const uint8_t *at = capture->bytes + capture->at;
	size_t size = load_u32le(at + 9);
	assert_true(size >= BINLOG_HEADER_SIZE + 4 && size <= capture->len - capture->at);
	*ret_event = (struct binlog_event){.type = at[4],
		.flags = load_u16le(at + 17),
		.timestamp_s = load_u32le(at),
		.server_id = load_u32le(at + 5),
		.pos = capture->at,
		.next_pos = capture->at + size,
		.file = "test",
		.body = slice_of(at + BINLOG_HEADER_SIZE, size - BINLOG_HEADER_SIZE - 4),
		.whole = slice_of(at, size)};
	capture->at += size;
	if (ret_event->type == BINLOG_FORMAT_DESCRIPTION)
		assert_rc(binlog_format_read(ret_event->body, &capture->format));
	return true;
}

/* ---- schemas ---- */

static inline char *capture_unescape(char *text)
{
	char *to = text;
	for (const char *from = text; *from; from++) {
		if (*from == '\\' && from[1]) {
			from++;
			*to++ = *from == 't' ? '\t' : *from == 'n' ? '\n' : *from;
		} else {
			*to++ = *from;
		}
	}
	*to = 0;
	return text;
}

/* The schema of one table; NULL when the file has none. */
static inline struct schema_table *capture_schema(const char *file, const char *table)
{
	size_t len;
	char *text = (char *)capture_read_file(file, &len);
	struct schema_table *schema = mem_new(1, sizeof *schema);
	schema->columns = mem_new(4096, sizeof *schema->columns);
	char *lines = text;
	for (char *line; (line = strsep(&lines, "\n")) && *line;) {
		char *cells[7];
		for (int i = 0; i < 7; i++) {
			cells[i] = strsep(&line, "\t");
			assert_non_null(cells[i]);
			capture_unescape(cells[i]);
		}
		if (strcmp(cells[0], table) != 0)
			continue;
		schema->columns[schema->column_count++] =
			(struct schema_column){.name = mem_text(cells[1]),
				.type = mem_text(cells[2]),
				.charset = mem_text(cells[3]),
				.nullable = atoi(cells[4]),
				.is_json = atoi(cells[5]),
				.key_place = (unsigned)atoi(cells[6])};
	}
	mem_free(text);
	return schema;
}

static inline void capture_schema_free(struct schema_table *schema)
{
	for (size_t i = 0; schema && i < schema->column_count; i++) {
		mem_free(schema->columns[i].name);
		mem_free(schema->columns[i].type);
		mem_free(schema->columns[i].charset);
	}
	if (schema)
		mem_free(schema->columns);
	mem_free(schema);
}

#endif
