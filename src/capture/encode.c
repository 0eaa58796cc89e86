/* Row changes into lines of the format millstream, straight into the open batch; see encode.h and
 * docs/formats/event.md.
 *
 * The hot path. For each row: its columns' spans are known (mysql/rows.c); the partition key is
 * made, which decides the shard; then the line is written once, at its place in the batch, through
 * a cursor. Room for the longest line that a row could become is there from the beginning; only for
 * large rows, of which most become much shorter ones, each column looks for its own.
 *
 * Invariant: nothing of a line is in the batch before log_run_add, so a row that cannot be encoded
 * leaves no trace. */
#include "capture/encode.h"

#include "base/json.h"
#include "base/mem.h"

enum {
	SCRATCH_MAX = 1 << 30,
	KEY_MAX = 1 << 30,
	HEAD_ROOM = 160,         /* row number, ordinal, the names of the members, brackets */
	AT_ONCE_MAX = 128 << 10, /* room that is asked for before it is known to be needed */
};

void encoder_init(struct encoder *encoder)
{
	*encoder = (struct encoder){
		.scratch = buf_of(SCRATCH_MAX),
		.key = buf_of(KEY_MAX),
		.old_key = buf_of(KEY_MAX),
		.prefix = buf_of(1 << 20),
		.extra_prefix = buf_of(1 << 20),
	};
}

void encoder_release(struct encoder *encoder)
{
	mem_free(encoder->before);
	mem_free(encoder->after);
	buf_release(&encoder->scratch);
	buf_release(&encoder->key);
	buf_release(&encoder->old_key);
	buf_release(&encoder->prefix);
	buf_release(&encoder->extra_prefix);
}

void encoder_spans(struct encoder *encoder, size_t column_count)
{
	if (column_count <= encoder->span_cap)
		return;
	encoder->span_cap = column_count;
	encoder->before = mem_resize(encoder->before, column_count * sizeof *encoder->before);
	encoder->after = mem_resize(encoder->after, column_count * sizeof *encoder->after);
}

void encode_begin(struct encoder *encoder, const struct encode_event *event)
{
	static const enum event_op ops[] = {[BINLOG_INSERT] = EVENT_CREATE,
		[BINLOG_UPDATE] = EVENT_UPDATE,
		[BINLOG_DELETE] = EVENT_DELETE};
	event_line_prefix(ops[event->change], event->plan->table->table, event->origin, event->pos,
		&encoder->prefix);
	buf_reset(&encoder->extra_prefix); /* made when a row wants it */
	buf_reset(&encoder->scratch);
}

/* ---- the cursor ---- */

struct cursor {
	struct log_run *run;
	uint8_t *start, *at;
	size_t room;
	bool is_enough; /* `room` holds whatever the row becomes */
};

static inline bool need(struct cursor *cursor, size_t len)
{
	if (__builtin_expect(cursor->is_enough, 1))
		return true;
	size_t used = (size_t)(cursor->at - cursor->start);
	if (__builtin_expect(cursor->room - used >= len, 1))
		return true;
	size_t more = len + len / 2 + 1024;
	uint8_t *start =
		log_run_reserve(cursor->run, used + more); /* keeps what was written there */
	if (!start)
		return false;
	cursor->start = start;
	cursor->at = start + used;
	cursor->room = used + more;
	return true;
}

#define PUT_LITERAL(cursor, literal) \
	((cursor)->at = json_put_bytes((cursor)->at, "" literal, sizeof(literal) - 1))

static enum rc refuse_value(
	const struct encoder *encoder, const struct plan *plan, size_t column, struct fault *fault)
{
	const struct event_table *table = plan->table->table;
	enum rc rc = encoder->scratch.rc != RC_OK ? encoder->scratch.rc : RC_CORRUPT;
	return fault_set(fault, rc,
		"the value of column '%s' (%s) of %s.%s is not one that its type can have",
		table->columns[column].name, table->columns[column].type, table->database,
		table->name);
}

static enum rc too_large(struct fault *fault)
{
	return fault_set(fault, RC_LIMIT, "a row is too large for a batch");
}

/* "name":value and a comma behind it. NULL for a value that cannot be. */
static inline uint8_t *put_column(
	uint8_t *at, const struct binlog_column *column, struct slice span, struct buf *scratch)
{
	at = json_put_padded(at, column->label.at, column->label.len);
	at = span.at ? column->put(at, column, span, scratch) : json_put_bytes(at, "null", 4);
	if (__builtin_expect(at != NULL, 1))
		*at++ = ',';
	return at;
}

static inline bool need_column(
	struct cursor *cursor, const struct binlog_column *column, struct slice span)
{
	return need(cursor, column->room + JSON_ESCAPE_MAX * span.len + JSON_ESCAPE_ROOM);
}

/* One column, which has to look for its room. */
static enum rc add_column(struct encoder *encoder, struct cursor *cursor, const struct plan *plan,
	size_t column, struct slice span, struct fault *fault)
{
	const struct binlog_column *as = &plan->table->columns[column];
	if (!need_column(cursor, as, span))
		return too_large(fault);
	uint8_t *at = put_column(cursor->at, as, span, &encoder->scratch);
	if (!at)
		return refuse_value(encoder, plan, column, fault);
	cursor->at = at;
	return RC_OK;
}

/* The last comma becomes the closing bracket. An object always has a member: its callers see to
 * that. */
static inline void close_object(struct cursor *cursor)
{
	cursor->at[-1] = '}';
}

/* ---- the parts of a line ---- */

static enum rc put_row(struct encoder *encoder, struct cursor *cursor, const struct plan *plan,
	const struct slice *spans, struct fault *fault)
{
	const struct binlog_column *columns = plan->table->columns;
	size_t count = plan->table->table->column_count;
	uint8_t *at = cursor->at;
	for (size_t i = 0; i < count; i++) {
		if (!cursor->is_enough) {
			cursor->at = at;
			if (!need_column(cursor, &columns[i], spans[i]))
				return too_large(fault);
			at = cursor->at;
		}
		at = put_column(at, &columns[i], spans[i], &encoder->scratch);
		if (__builtin_expect(!at, 0))
			return refuse_value(encoder, plan, i, fault);
	}
	cursor->at = at;
	close_object(cursor);
	return RC_OK;
}

static enum rc put_key(struct encoder *encoder, struct cursor *cursor, const struct plan *plan,
	const struct slice *spans, struct fault *fault)
{
	const struct event_table *table = plan->table->table;
	if (table->key_count == 0) {
		PUT_LITERAL(cursor, "null");
		return RC_OK;
	}
	*cursor->at++ = '{';
	for (size_t i = 0; i < table->key_count; i++) {
		enum rc rc = add_column(
			encoder, cursor, plan, table->key[i], spans[table->key[i]], fault);
		if (rc != RC_OK)
			return rc;
	}
	close_object(cursor);
	return need(cursor, HEAD_ROOM) ? RC_OK : too_large(fault);
}

static bool same_span(struct slice a, struct slice b)
{
	return (a.at == NULL) == (b.at == NULL) && slice_equal(a, b);
}

/* The old values of the columns that changed. Whole values are compared as the log has them. */
static enum rc put_changes(struct encoder *encoder, struct cursor *cursor, const struct plan *plan,
	struct fault *fault)
{
	size_t count = plan->table->table->column_count;
	PUT_LITERAL(cursor, ",\"before\":{");
	const uint8_t *start = cursor->at;
	size_t offset = (size_t)(start - cursor->start);
	for (size_t i = 0; i < count; i++) {
		if (same_span(encoder->before[i], encoder->after[i]))
			continue;
		enum rc rc = add_column(encoder, cursor, plan, i, encoder->before[i], fault);
		if (rc != RC_OK)
			return rc;
	}
	if ((size_t)(cursor->at - cursor->start) == offset)
		*cursor->at++ = '}'; /* nothing changed: "before":{} */
	else
		close_object(cursor);
	return need(cursor, HEAD_ROOM) ? RC_OK : too_large(fault);
}

/* ---- partition keys ---- */

/* Most bytes that a decoded value takes in a key. */
static inline size_t value_room(const struct value *value)
{
	bool is_long = value->kind == VALUE_TEXT || value->kind == VALUE_LATIN1 ||
		value->kind == VALUE_BYTES || value->kind == VALUE_JSON;
	return 2 +
		(is_long ? JSON_ESCAPE_MAX * value->bytes.len + JSON_ESCAPE_ROOM : VALUE_FIXED_MAX);
}

static enum rc add_key_number(struct encoder *encoder, const struct plan *plan, size_t column,
	struct slice span, struct buf *key, struct fault *fault)
{
	const struct binlog_column *as = &plan->table->columns[column];
	uint8_t *at = buf_reserve(key, VALUE_FIXED_MAX);
	if (!at)
		return too_large(fault);
	uint8_t *end = as->put(at, as, span, &encoder->scratch);
	if (!end)
		return refuse_value(encoder, plan, column, fault);
	*end++ = '|';
	key->len += (size_t)(end - at);
	return RC_OK;
}

static enum rc add_key_value(struct encoder *encoder, const struct plan *plan, size_t column,
	struct slice span, struct buf *key, struct fault *fault)
{
	const struct binlog_column *as = &plan->table->columns[column];
	if (as->is_number && span.at)
		return add_key_number(encoder, plan, column, span, key, fault);
	struct value value;
	value.kind = VALUE_NULL;
	enum rc rc = RC_OK;
	if (span.at)
		rc = binlog_value_read(as, span, &encoder->scratch, &value);
	if (rc != RC_OK) {
		encoder->scratch.rc = rc;
		return refuse_value(encoder, plan, column, fault);
	}
	uint8_t *at = buf_reserve(key, value_room(&value));
	if (!at)
		return too_large(fault);
	uint8_t *end = event_put_key_value(at, &value);
	if (!end)
		return refuse_value(encoder, plan, column, fault);
	*end++ = '|';
	key->len += (size_t)(end - at);
	return RC_OK;
}

/* db.table|VALUE|VALUE */
static enum rc make_key(struct encoder *encoder, const struct plan *plan, const struct slice *spans,
	struct buf *key, struct fault *fault)
{
	const struct event_table *table = plan->table->table;
	bool keyless = table->key_count == 0;
	size_t count = keyless ? table->column_count : table->key_count;
	buf_reset(key);
	buf_slice(key, table->key_prefix);
	for (size_t i = 0; i < count; i++) {
		size_t column = keyless ? i : table->key[i];
		enum rc rc = add_key_value(encoder, plan, column, spans[column], key, fault);
		if (rc != RC_OK)
			return rc;
	}
	key->len--; /* the last bar */
	event_key_finish(key);
	return RC_OK;
}

static bool same_key(const struct plan *plan, const struct slice *before, const struct slice *after)
{
	const struct event_table *table = plan->table->table;
	for (size_t i = 0; i < table->key_count; i++) {
		if (!same_span(before[table->key[i]], after[table->key[i]]))
			return false;
	}
	return table->key_count > 0;
}

/* ---- lines ---- */

/* One line: what it is, and of which images its parts are made. */
struct line {
	const struct buf *prefix, *partition_key;
	const struct slice *key;       /* image that the key is taken from */
	const struct slice *other_key; /* the other half of a changed key, or NULL */
	struct slice other_name;
	const struct slice *row; /* the whole row */
	struct slice row_name;   /* ,"after":{ or ,"before":{ */
	bool has_changes;
};

static enum rc put_line(struct encoder *encoder, struct cursor *cursor, const struct plan *plan,
	const struct line *line, uint64_t row, uint64_t ordinal, struct fault *fault)
{
	if (!need(cursor, line->prefix->len + HEAD_ROOM))
		return too_large(fault);
	cursor->at = json_put_bytes(cursor->at, line->prefix->at, line->prefix->len);
	cursor->at = event_put_row_and_ordinal(cursor->at, row, ordinal);
	PUT_LITERAL(cursor, ",\"key\":");
	enum rc rc = put_key(encoder, cursor, plan, line->key, fault);
	if (rc == RC_OK && line->other_key) {
		cursor->at = json_put_bytes(cursor->at, line->other_name.at, line->other_name.len);
		rc = put_key(encoder, cursor, plan, line->other_key, fault);
	}
	if (rc == RC_OK && line->has_changes)
		rc = put_changes(encoder, cursor, plan, fault);
	if (rc != RC_OK)
		return rc;
	cursor->at = json_put_bytes(cursor->at, line->row_name.at, line->row_name.len);
	rc = put_row(encoder, cursor, plan, line->row, fault);
	if (rc == RC_OK && !need(cursor, 2))
		rc = too_large(fault);
	if (rc == RC_OK)
		PUT_LITERAL(cursor, "}\n");
	return rc;
}

/* Most bytes that the columns of a line take: those of a whole row, and of two others, be they what
 * an update changed and the key, or two keys. */
static size_t row_room(const struct encoder *encoder, const struct plan *plan)
{
	size_t bytes = encoder->before_len + encoder->after_len;
	return 3 * plan->table->fixed_room + 2 * JSON_ESCAPE_MAX * bytes + JSON_ESCAPE_ROOM;
}

static enum rc write_line(struct encoder *encoder, struct writer *writer, const struct plan *plan,
	const struct line *line, uint64_t row, struct fault *fault)
{
	struct cursor cursor = {0};
	enum rc rc = writer_run(writer, buf_as_slice(line->partition_key), &cursor.run, fault);
	if (rc != RC_OK)
		return rc;
	cursor.room = line->prefix->len + HEAD_ROOM;
	size_t at_once = row_room(encoder, plan);
	cursor.is_enough = at_once <= AT_ONCE_MAX;
	if (cursor.is_enough)
		cursor.room += at_once;
	cursor.start = cursor.at = log_run_reserve(cursor.run, cursor.room);
	if (!cursor.start)
		return too_large(fault);
	rc = put_line(encoder, &cursor, plan, line, row, writer->next_ordinal, fault);
	if (rc != RC_OK)
		return rc;
	log_run_add(cursor.run, (size_t)(cursor.at - cursor.start), writer->next_ordinal,
		buf_as_slice(line->partition_key));
	writer->next_ordinal++;
	return RC_OK;
}

/* A delete of the old row and a create of the new one: the key changed, or the table has none. */
static enum rc encode_moved(struct encoder *encoder, struct writer *writer,
	const struct encode_event *event, uint64_t row, struct fault *fault)
{
	const struct plan *plan = event->plan;
	bool keyless = plan->table->table->key_count == 0;
	enum rc rc = make_key(encoder, plan, encoder->before, &encoder->old_key, fault);
	if (rc != RC_OK)
		return rc;
	struct buf *prefix = &encoder->extra_prefix;
	event_line_prefix(EVENT_DELETE, plan->table->table, event->origin, event->pos, prefix);
	struct line line = {
		.prefix = prefix,
		.partition_key = &encoder->old_key,
		.key = encoder->before,
		.other_key = keyless ? NULL : encoder->after,
		.other_name = SLICE(",\"newkey\":"),
		.row = encoder->before,
		.row_name = SLICE(",\"before\":{"),
	};
	rc = write_line(encoder, writer, plan, &line, row, fault);
	if (rc != RC_OK)
		return rc;
	event_line_prefix(EVENT_CREATE, plan->table->table, event->origin, event->pos, prefix);
	line = (struct line){
		.prefix = prefix,
		.partition_key = &encoder->key,
		.key = encoder->after,
		.other_key = keyless ? NULL : encoder->before,
		.other_name = SLICE(",\"oldkey\":"),
		.row = encoder->after,
		.row_name = SLICE(",\"after\":{"),
	};
	return write_line(encoder, writer, plan, &line, row, fault);
}

enum rc encode_row(struct encoder *encoder, struct writer *writer, const struct encode_event *event,
	uint64_t row, struct fault *fault)
{
	bool is_delete = event->change == BINLOG_DELETE;
	const struct slice *image = is_delete ? encoder->before : encoder->after;
	enum rc rc = make_key(encoder, event->plan, image, &encoder->key, fault);
	if (rc != RC_OK)
		return rc;
	if (event->change == BINLOG_UPDATE &&
		!same_key(event->plan, encoder->before, encoder->after))
		return encode_moved(encoder, writer, event, row, fault);
	struct line line = {
		.prefix = &encoder->prefix,
		.partition_key = &encoder->key,
		.key = image,
		.row = image,
		.row_name = is_delete ? SLICE(",\"before\":{") : SLICE(",\"after\":{"),
		.has_changes = event->change == BINLOG_UPDATE,
	};
	return write_line(encoder, writer, event->plan, &line, row, fault);
}
