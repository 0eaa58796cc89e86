/* Position, GTID set and schemas at a stream's end; see state.h. */
#include "hub/state.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/checksum.h"
#include "base/disk.h"
#include "base/json.h"
#include "base/mem.h"

enum {
	HEAD_VERSION = 1,
	SCHEMAS_VERSION = 1,
	SCHEMAS_BYTES_MAX = 256 << 20,
	NAME_BYTES = 64,
	KEY_BYTES = 4096,
};

void local_state_init(struct local_state *state, const char *folder)
{
	*state = (struct local_state){.folder = folder, .hub.is_new = true};
}

void local_state_release(struct local_state *state)
{
	gtid_set_free(state->hub.gtids);
	map_release(&state->schemas, mem_free);
}

static void put_text(struct buf *out, struct slice text)
{
	buf_varint(out, text.len);
	buf_slice(out, text);
}

static struct slice take_text(struct reader *reader)
{
	uint64_t len = read_varint(reader);
	return read_slice(reader, (size_t)len);
}

/* ---- schemas ---- */

static void schema_key(const struct event_view *view, struct buf *out)
{
	buf_slice(out, view->database); /* JSON text, so that a blank line cannot be in it */
	buf_u8(out, '\n');
	buf_slice(out, view->table);
}

/* Forgets all tables of a database. */
static void drop_database(struct map *schemas, struct slice database)
{
	size_t place = 0;
	for (const struct map_entry *entry; (entry = map_next(schemas, &place));) {
		bool same = entry->key.len > database.len && entry->key.at[database.len] == '\n' &&
			slice_starts(entry->key, database);
		if (!same)
			continue;
		char *key = mem_text_of(entry->key.at, entry->key.len);
		mem_free(map_remove(schemas, slice_of(key, entry->key.len)));
		mem_free(key);
		place = 0; /* the walk does not survive a removal */
	}
}

static enum rc follow_control(struct map *schemas, struct slice line, struct fault *fault)
{
	struct event_view view;
	if (event_view_read(line, &view) != RC_OK)
		return fault_set(fault, RC_CORRUPT,
			"a control record is not a line of this version: %.*s",
			line.len > 200 ? 200 : (int)line.len, (const char *)line.at);
	struct buf key = buf_of(KEY_BYTES);
	schema_key(&view, &key);
	/* a statement makes what was told before it unsure, until the columns are told again */
	if (view.op == EVENT_SCHEMA && view.columns.len > 0)
		mem_free(map_put(schemas, buf_as_slice(&key), mem_text_of(line.at, line.len)));
	else if (view.op == EVENT_SCHEMA ||
		(view.op == EVENT_TRUNCATE && view.is_drop && view.table.len > 0))
		mem_free(map_remove(schemas, buf_as_slice(&key)));
	else if (view.op == EVENT_TRUNCATE && view.is_drop)
		drop_database(schemas, view.database);
	buf_release(&key);
	return RC_OK;
}

static enum rc follow_controls(struct map *schemas, struct slice lines, struct fault *fault)
{
	enum rc rc = RC_OK;
	while (rc == RC_OK && lines.len > 0) {
		const uint8_t *end = memchr(lines.at, '\n', lines.len);
		size_t len = end ? (size_t)(end - lines.at) + 1 : lines.len;
		rc = follow_control(schemas, slice_of(lines.at, len), fault);
		lines = slice_of(lines.at + len, lines.len - len);
	}
	return rc;
}

/* First line: {"version":1,"schemas":N,"crc32c":"..."} over all that follows. */
static enum rc schemas_write(const struct local_state *state, const char *name, struct fault *fault)
{
	struct buf lines = buf_of(SCHEMAS_BYTES_MAX), all = buf_of(SCHEMAS_BYTES_MAX);
	size_t place = 0;
	for (const struct map_entry *entry; (entry = map_next(&state->schemas, &place));)
		buf_text(&lines, entry->value);
	buf_format(&all, "{\"version\":%d,\"schemas\":%zu,\"crc32c\":\"%08x\"}\n", SCHEMAS_VERSION,
		state->schemas.count, checksum_crc32c(0, lines.at, lines.len));
	buf_slice(&all, buf_as_slice(&lines));
	char *path = mem_format("%s/%s", state->folder, name);
	enum rc rc = all.rc != RC_OK || lines.rc != RC_OK
		? fault_set(fault, RC_LIMIT, "'%s' would be too large", path)
		: disk_replace(path, buf_as_slice(&all), fault);
	mem_free(path);
	buf_release(&all);
	buf_release(&lines);
	return rc;
}

static enum rc schemas_read(struct local_state *state, const char *name, struct fault *fault)
{
	char *path = mem_format("%s/%s", state->folder, name);
	struct buf all = buf_of(SCHEMAS_BYTES_MAX);
	enum rc rc = disk_load(path, &all, fault);
	if (rc == RC_OK) {
		const char *text = buf_cstring(&all), *end = strchr(text, '\n');
		struct slice lines = end ? slice_text(end + 1) : (struct slice){0};
		unsigned version = 0, crc = 0;
		size_t count = 0;
		int fields = sscanf(text, "{\"version\":%u,\"schemas\":%zu,\"crc32c\":\"%8x\"}",
			&version, &count, &crc);
		bool good = end && fields == 3 && version == SCHEMAS_VERSION &&
			crc == checksum_crc32c(0, lines.at, lines.len);
		rc = good ? follow_controls(&state->schemas, lines, fault)
			  : fault_set(fault, RC_CORRUPT, "'%s' is damaged, or of another version",
				    path);
	}
	mem_free(path);
	buf_release(&all);
	return rc;
}

enum rc local_state_schemas(const struct local_state *state,
	enum rc (*each)(void *context, struct slice line, struct fault *fault), void *context,
	struct fault *fault)
{
	enum rc rc = RC_OK;
	size_t place = 0;
	for (const struct map_entry *entry;
		rc == RC_OK && (entry = map_next(&state->schemas, &place));)
		rc = each(context, slice_text(entry->value), fault);
	return rc;
}

static uint64_t ordinal_of_file(const char *name)
{
	unsigned long long ordinal;
	return sscanf(name, "schemas-%20llu.ndjson", &ordinal) == 1 ? ordinal : UINT64_MAX;
}

struct sweep {
	const struct local_state *state;
	uint64_t first_ordinal;
};

static enum rc sweep_one(void *context, const char *name, struct fault *fault)
{
	const struct sweep *sweep = context;
	if (ordinal_of_file(name) >= sweep->first_ordinal)
		return RC_OK;
	char *path = mem_format("%s/%s", sweep->state->folder, name);
	enum rc rc = disk_unlink(path, fault);
	mem_free(path);
	return rc;
}

void local_state_sweep(const struct local_state *state, uint64_t first_ordinal)
{
	struct sweep sweep = {state, first_ordinal};
	/* a file left behind is in nobody's way: the next sweep takes it */
	(void)!disk_list(state->folder, sweep_one, &sweep, NULL);
}

/* ---- head and mark ---- */

enum rc local_state_head(struct local_state *state, struct buf *out, struct fault *fault)
{
	char name[NAME_BYTES] = "";
	if (state->schemas.count > 0) {
		(void)snprintf(name, sizeof name, "schemas-%020llu.ndjson",
			(unsigned long long)state->hub.next_ordinal);
		enum rc rc = schemas_write(state, name, fault);
		if (rc != RC_OK)
			return rc;
	}
	struct buf gtids = buf_of(LOG_BATCH_MAX);
	if (state->hub.gtids)
		gtid_set_text(state->hub.gtids, &gtids);
	buf_u8(out, HEAD_VERSION);
	buf_u8(out, (uint8_t)(state->hub.gtids ? gtid_set_flavor(state->hub.gtids) : GTID_NONE));
	put_text(out, buf_as_slice(&gtids));
	put_text(out, slice_text(name));
	buf_release(&gtids);
	return RC_OK;
}

/* A stream that first saw no GTIDs, or comes from another product now, begins a set of its own. */
static enum rc add_gtids(struct hub_state *hub, uint8_t flavor, struct slice text)
{
	if (flavor > GTID_MARIADB)
		return RC_CORRUPT;
	if (!hub->gtids || gtid_set_flavor(hub->gtids) != (enum gtid_flavor)flavor) {
		gtid_set_free(hub->gtids);
		hub->gtids = gtid_set_new((enum gtid_flavor)flavor);
	}
	return gtid_set_add(hub->gtids, text);
}

static enum rc load_head(void *context, struct slice head, struct fault *fault)
{
	struct local_state *state = context;
	struct reader reader = reader_of(head.at, head.len);
	uint8_t version = read_u8(&reader);
	uint8_t flavor = read_u8(&reader);
	struct slice gtids = take_text(&reader);
	struct slice file = take_text(&reader);
	if (reader.rc != RC_OK || version != HEAD_VERSION || file.len >= NAME_BYTES ||
		add_gtids(&state->hub, flavor, gtids) != RC_OK)
		return fault_set(fault, RC_CORRUPT,
			"the head of the newest segment in '%s' is not of this version",
			state->folder);
	if (file.len == 0)
		return RC_OK;
	char *name = mem_text_of(file.at, file.len);
	enum rc rc = schemas_read(state, name, fault);
	mem_free(name);
	return rc;
}

void local_mark_write(const struct hub_mark *mark, struct buf *out)
{
	event_position_write(mark->position, out);
	buf_u8(out, (uint8_t)mark->flavor);
	put_text(out, mark->gtids);
}

static enum rc follow_mark(struct local_state *state, struct slice mark)
{
	struct reader reader = reader_of(mark.at, mark.len);
	enum rc rc = event_position_read(&reader, &state->hub.position);
	uint8_t flavor = read_u8(&reader);
	struct slice gtids = take_text(&reader);
	if (rc != RC_OK || reader.rc != RC_OK)
		return RC_CORRUPT;
	return add_gtids(&state->hub, flavor, gtids);
}

void local_state_follow(
	struct local_state *state, struct slice mark, struct slice controls, uint64_t next_ordinal)
{
	/* the bytes are our own, written a moment ago */
	if (follow_mark(state, mark) != RC_OK ||
		follow_controls(&state->schemas, controls, NULL) != RC_OK)
		__builtin_trap();
	state->hub.next_ordinal = next_ordinal;
}

static enum rc load_controls(struct local_state *state, struct log_reader *reader,
	struct log_view *view, struct fault *fault)
{
	struct log_cursor cursor;
	struct log_record record;
	enum rc rc = log_cursor_start(&cursor, reader, view, fault);
	while (rc == RC_OK) {
		rc = log_cursor_next(&cursor, &record, fault);
		struct event_view line;
		if (rc != RC_OK || event_view_read(record.line, &line) != RC_OK)
			continue;
		if (line.op == EVENT_SCHEMA || line.op == EVENT_TRUNCATE)
			rc = follow_control(&state->schemas, record.line, fault);
	}
	return rc == RC_END ? RC_OK : rc;
}

static enum rc load_batch(
	void *context, struct log_reader *reader, struct log_view *view, struct fault *fault)
{
	struct local_state *state = context;
	if (follow_mark(state, view->mark) != RC_OK)
		return fault_set(fault, RC_CORRUPT,
			"a batch in '%s' (address %llx) ends at a position that is not of this "
			"version",
			state->folder, (unsigned long long)view->address);
	return view->flags & LOG_HAS_CONTROL ? load_controls(state, reader, view, fault) : RC_OK;
}

enum rc local_state_load(struct local_state *state, struct log *log, struct fault *fault)
{
	const struct log_end *end = log_end(log);
	if (end->is_empty)
		return RC_OK;
	enum rc rc = log_replay_last_segment(log, load_head, load_batch, state, fault);
	/* a new segment may be empty still: its head has the set and the schemas, the position is
	 * the last batch's */
	if (rc == RC_OK && follow_mark(state, buf_as_slice(&end->mark)) != RC_OK)
		rc = fault_set(fault, RC_CORRUPT,
			"the last batch in '%s' ends at a position that is not of this version",
			state->folder);
	state->hub.is_new = false;
	state->hub.next_ordinal = end->next_ordinal;
	state->hub.stream_time_us = end->stream_time_us;
	state->hub.fingerprint = end->fingerprint;
	state->hub.generation = end->generation;
	return rc;
}
