/* Log lines: each is an event of one table (notice.def) with typed fields, written to standard
 * error as text for people or as one JSON object a line.
 *
 * Rooms return faults; loops notice them, once. Thread: any; a line is written by one write(2). */
#ifndef BASE_NOTICE_H
#define BASE_NOTICE_H

#include "base/bytes.h"

enum notice_id {
#define NOTICE(name, level, text) NOTICE_##name,
#include "base/notice.def"
#undef NOTICE
	NOTICE_COUNT
};

enum notice_level { NOTICE_DEBUG, NOTICE_INFO, NOTICE_WARN, NOTICE_ERROR };

enum notice_format { NOTICE_AS_TEXT, NOTICE_AS_JSON };

/* One field of a line. The value is borrowed until notice() returns. */
struct field {
	const char *name;
	enum field_kind { FIELD_END, FIELD_TEXT, FIELD_U64, FIELD_I64 } kind;
	struct slice text;
	uint64_t number;
};

static inline struct field field_text(const char *name, const char *text)
{
	return (struct field){
		.name = name, .kind = FIELD_TEXT, .text = slice_text(text ? text : "")};
}

static inline struct field field_slice(const char *name, struct slice text)
{
	return (struct field){.name = name, .kind = FIELD_TEXT, .text = text};
}

static inline struct field field_u64(const char *name, uint64_t number)
{
	return (struct field){.name = name, .kind = FIELD_U64, .number = number};
}

static inline struct field field_i64(const char *name, int64_t number)
{
	return (struct field){.name = name, .kind = FIELD_I64, .number = (uint64_t)number};
}

/* Called once, before threads start. Lines below `least` are not written. */
void notice_init(enum notice_level least, enum notice_format format);

/* The fields of one line: notice(NOTICE_STARTED, FIELDS(field_text("version", v), field_u64("pid",
 * p))). */
#define FIELDS(...) ((const struct field[]){__VA_ARGS__, {.name = NULL}})

/* `fields` may be NULL. */
void notice(enum notice_id id, const struct field *fields);

/* The same with a fault: its code, text and way out stand in the line. */
void notice_fault(enum notice_id id, const struct fault *fault, const struct field *fields);

/* Walks the table, for generated documents and tests. */
const char *notice_name(enum notice_id id);
const char *notice_text(enum notice_id id);

#endif
