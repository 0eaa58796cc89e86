/* Reading the binlog ahead, on a connection of its own, for statements that touch tables; see
 * ahead.h.
 *
 * Only statements are looked at, rows are received and dropped. What was read is remembered as one
 * stretch from..to that only grows at its end, so that each part of the binlog is read ahead once,
 * however many tables ask. */
#include "capture/ahead.h"

#include "base/mem.h"
#include "base/notice.h"

enum { COLUMNS_MAX = 1 << 20, AHEAD_ID = 0x40000000 };

struct place place_of(const char *file, uint64_t pos)
{
	struct place place = {.pos = pos};
	copy_text(place.file, sizeof place.file, file);
	return place;
}

int place_compare(const struct place *a, const struct place *b)
{
	int order = event_file_compare(a->file, b->file);
	return order != 0 ? order : (a->pos > b->pos) - (a->pos < b->pos);
}

void table_key(struct slice database, struct slice table, struct buf *out)
{
	buf_reset(out);
	buf_slice(out, database);
	buf_u8(out, 0);
	buf_slice(out, table);
}

static void touch_free(void *value)
{
	struct touch *touch = value;
	if (!touch)
		return;
	buf_release(&touch->columns);
	mem_free(touch);
}

void ahead_release(struct ahead *ahead)
{
	map_release(&ahead->touched, touch_free);
	touch_free(ahead->everything);
	ahead->everything = NULL;
	ahead->from.file[0] = ahead->to.file[0] = 0;
}

static struct touch *touch_of(struct ahead *ahead, const struct ddl_name *name)
{
	struct buf key = buf_of(4096);
	table_key(name->database, name->table, &key);
	struct touch *touch = map_get(&ahead->touched, buf_as_slice(&key));
	if (!touch) {
		touch = mem_new(1, sizeof *touch);
		touch->columns = buf_of(COLUMNS_MAX);
		(void)map_put(&ahead->touched, buf_as_slice(&key), touch);
	}
	buf_release(&key);
	return touch;
}

static struct touch *touch_everything(struct ahead *ahead)
{
	if (!ahead->everything)
		ahead->everything = mem_new(1, sizeof *ahead->everything);
	return ahead->everything;
}

static void note_column(void *context, struct slice column, bool named, bool is_json)
{
	(void)named, (void)is_json;
	struct touch *touch = context;
	buf_slice(&touch->columns, column);
	buf_u8(&touch->columns, 0);
	if (touch->columns.rc != RC_OK)
		touch->is_opaque = true;
}

static void note(struct ahead *ahead, const struct binlog_query *query, const struct place *end)
{
	struct ddl ddl;
	ddl_read(query, &ddl);
	switch (ddl.kind) {
	case DDL_CREATE_TABLE:
	case DDL_ALTER_TABLE:
	case DDL_DROP_TABLE:
	case DDL_RENAME_TABLE:
		for (size_t i = 0; i < ddl.name_count && !ddl.is_temporary; i++) {
			struct touch *touch = touch_of(ahead, &ddl.names[i]);
			touch->last = *end;
			if (ddl.kind == DDL_ALTER_TABLE)
				ddl_json_columns(query, note_column, touch);
			else
				touch->is_opaque = true;
		}
		break;
	case DDL_DROP_DATABASE:
	case DDL_UNKNOWN:
		touch_everything(ahead)->last = *end;
		ahead->everything->is_opaque = true;
		break;
	case DDL_BEGIN:
	case DDL_COMMIT:
	case DDL_ROLLBACK:
	case DDL_SAVEPOINT:
	case DDL_XA:
	case DDL_HARMLESS:
	case DDL_TRUNCATE_TABLE:
	case DDL_CREATE_DATABASE:
	case DDL_ROWS:
		break;
	}
	ddl_release(&ddl);
}

static enum rc read_stretch(
	struct ahead *ahead, struct binlog *binlog, const struct place *to, struct fault *fault)
{
	for (;;) {
		struct binlog_event event;
		enum rc rc = binlog_next(binlog, &event, fault);
		if (rc != RC_OK)
			return rc == RC_END ? RC_OK : rc;
		if (event.artificial)
			continue;
		struct place end = place_of(event.file, event.next_pos);
		struct binlog_query query;
		if (event.type == BINLOG_QUERY) {
			rc = binlog_query_read(event.body, &query);
			if (rc != RC_OK)
				return fault_set(fault, rc,
					"the statement at %s:%llu makes no sense", event.file,
					(unsigned long long)event.pos);
			note(ahead, &query, &end);
		} else if (event.type == BINLOG_QUERY_COMPRESSED) {
			touch_everything(ahead)->last = end;
			ahead->everything->is_opaque = true;
		}
		if (place_compare(&end, to) >= 0)
			return RC_OK;
	}
}

static enum rc read_from_to(
	struct ahead *ahead, const struct place *from, const struct place *to, struct fault *fault)
{
	struct link *link = NULL;
	struct binlog *binlog = NULL;
	enum rc rc = link_open(&ahead->options->source, &link, fault);
	if (rc != RC_OK)
		return rc;
	/* another replica id than capture's own: a server ends the older of two dumps with the same
	 * one */
	struct binlog_start start = {
		.file = from->file,
		.pos = from->pos,
		.replica_id = ahead->options->replica_id ^ AHEAD_ID,
		.heartbeat_us = ahead->options->heartbeat_us,
		.end = true,
		.event_max = ahead->options->max_row,
		.stop = ahead->stop,
	};
	rc = binlog_open(link, ahead->server, &start, &binlog, fault);
	if (rc == RC_OK)
		rc = read_stretch(ahead, binlog, to, fault);
	binlog_close(binlog);
	return rc;
}

enum rc ahead_read(
	struct ahead *ahead, const struct place *at, const struct place *to, struct fault *fault)
{
	bool inside = ahead->to.file[0] && place_compare(&ahead->from, at) <= 0 &&
		place_compare(at, &ahead->to) <= 0;
	if (!inside)
		ahead_release(ahead);
	struct place from = inside ? ahead->to : *at;
	if (place_compare(&from, to) < 0) {
		notice(NOTICE_CAPTURE_SCAN,
			FIELDS(field_text("from_file", from.file), field_u64("from_pos", from.pos),
				field_text("to_file", to->file), field_u64("to_pos", to->pos)));
		enum rc rc = read_from_to(ahead, &from, to, fault);
		if (rc != RC_OK) {
			ahead_release(ahead);
			fault_context(fault, "reading ahead for schema changes from %s:%llu",
				from.file, (unsigned long long)from.pos);
			return rc;
		}
	}
	if (!inside)
		ahead->from = *at;
	if (!inside || place_compare(&ahead->to, to) < 0)
		ahead->to = *to;
	return RC_OK;
}

const struct touch *ahead_find(const struct ahead *ahead, struct slice key, const struct place *at)
{
	const struct touch *touch = map_get(&ahead->touched, key);
	const struct touch *all = ahead->everything;
	if (touch && place_compare(&touch->last, at) <= 0)
		touch = NULL;
	if (all && place_compare(&all->last, at) <= 0)
		all = NULL;
	if (touch && all)
		return place_compare(&touch->last, &all->last) > 0 ? touch : all;
	return touch ? touch : all;
}
