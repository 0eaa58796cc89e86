/* The events of the binlog, one by one: groups, rows, statements; see inside.h.
 *
 *            GTID, BEGIN                  XID, COMMIT, or the one statement
 *   outside -------------> in a group ----------------------------------------> outside
 *                           |      ^
 *                           +------+  table maps, rows, statements
 *
 * Invariants:
 *  1. Only types named in `step_over` are passed by unread; everything else is handled or stops the
 * capture (law 1).
 *  2. A position moves only at the end of a group, or inside one together with the number of its
 * rows that are in.
 *  3. A group that the server wrote in part only (it crashed) is found when the next file begins
 * inside of it: what of it was not committed is dropped, and it is read again with `incomplete`
 * set. If some of it was committed, the capture stops and says so. */
#include <stdio.h>

#include "base/notice.h"
#include "base/stage.h"
#include "capture/filter.h"
#include "capture/inside.h"

/* ---- stopping at an event ---- */

/* Puts in front of a fault where it happened, and behind it the first bytes and the way on. */
static enum rc stop_at(
	const struct capture *capture, const struct binlog_event *event, struct fault *fault)
{
	enum { EXCERPT = 48 };
	char excerpt[2 * EXCERPT + 1] = "";
	size_t len = event->whole.len < EXCERPT ? event->whole.len : EXCERPT;
	for (size_t i = 0; i < len; i++)
		(void)snprintf(excerpt + 2 * i, 3, "%02x", event->whole.at[i]);
	const char *gtid =
		capture->group.is_open && capture->group.gtid[0] ? capture->group.gtid : "none";
	fault_context(fault, "%s event at %s:%llu (GTID %s)", binlog_type_name(event->type),
		event->file, (unsigned long long)event->pos, gtid);
	size_t used = strlen(fault->text);
	(void)snprintf(
		fault->text + used, sizeof fault->text - used, "; its first bytes: %s", excerpt);
	if (!fault->hint[0])
		fault_hint(fault,
			"docs/STOPPED.md has the ways on; source.skip: [\"%s:%llu\"] steps over "
			"this event and loses what it holds",
			event->file, (unsigned long long)event->pos);
	return fault->rc;
}

static enum rc unsupported(struct fault *fault, const char *what)
{
	return fault_set(fault, RC_UNSUPPORTED, "%s", what);
}

/* ---- groups ---- */

static bool is_place(const struct place *place, const char *file, uint64_t pos)
{
	return place->file[0] && place->pos == pos && strcmp(place->file, file) == 0;
}

/* The first group after a resume inside of one must be that one. */
static enum rc find_resumed(struct capture *capture, struct fault *fault)
{
	struct group *group = &capture->group;
	const struct event_position *from = &capture->writer.done.position;
	if (from->rows == 0 || capture->writer.position.rows == 0)
		return RC_OK;
	bool same = from->group[0] ? strcmp(from->group, group->gtid) == 0
				   : is_place(&group->start, from->file, from->pos);
	if (!same) {
		(void)fault_set(fault, RC_CONFLICT,
			"%llu rows of transaction %s (%s:%llu) are in the stream, but the source "
			"goes on with %s (%s:%llu)",
			(unsigned long long)from->rows, from->group, from->file,
			(unsigned long long)from->pos, group->gtid, group->start.file,
			(unsigned long long)group->start.pos);
		fault_hint(fault,
			"the source is not what it was: start a new stream (another stream.name)");
		return RC_CONFLICT;
	}
	group->resume_row = from->rows;
	group->is_split = true;
	return RC_OK;
}

static enum rc group_begin(struct capture *capture, const struct binlog_event *event,
	const struct binlog_gtid *gtid, struct fault *fault)
{
	struct group *group = &capture->group;
	if (group->is_open)
		return fault_set(fault, RC_PROTOCOL,
			"a transaction begins inside of the one at %s:%llu", group->start.file,
			(unsigned long long)group->start.pos);
	if (is_place(&capture->stop_before, event->file, event->pos))
		return RC_END;
	*group = (struct group){.is_open = true, .start = place_of(event->file, event->pos)};
	group->is_ignored = is_place(&capture->incomplete, event->file, event->pos);
	group->origin.ts_us = (int64_t)event->timestamp_s * 1000000;
	if (gtid) {
		copy_text(group->gtid, sizeof group->gtid, gtid->text);
		group->is_xa = gtid->is_xa;
		if (gtid->commit_us > 0) {
			group->origin.ts_us = gtid->commit_us;
			group->origin.ts_has_micros = true;
		}
	}
	group->origin.file = group->start.file;
	group->origin.gtid = group->gtid;
	enum rc rc = find_resumed(capture, fault);
	return rc == RC_OK ? writer_begin(&capture->writer, group->origin.ts_us, fault) : rc;
}

static bool is_behind_target(const struct capture *capture, const char *file, uint64_t pos)
{
	const struct place *target = &capture->target;
	if (!target->file[0])
		return false;
	int order = event_file_compare(file, target->file);
	return order > 0 || (order == 0 && pos >= target->pos);
}

static void count_received(struct capture *capture)
{
	uint64_t received = binlog_received(capture->binlog);
	stage_add(capture->options.stage, STAGE_BYTES, received - capture->received);
	capture->received = received;
}

/* Small batches go at once when nothing more is waiting to be read: latency. Else they fill up:
 * throughput. */
static enum rc commit_when_due(struct capture *capture, struct fault *fault)
{
	struct writer *writer = &capture->writer;
	count_received(capture);
	if (!writer_has_lines(writer))
		return writer_commit_idle(writer, fault);
	/* a statement is committed by itself: what was learned from it must not outlive a lost
	 * connection that it does not */
	if (writer_is_full(writer) || capture->group.has_ddl || !binlog_has_more(capture->binlog))
		return writer_commit(writer, fault);
	return RC_OK;
}

/* Behind any event that leaves no group open: a group's last one, and those of none, which a file
 * begins and ends with. They may be all that a group had behind it. */
static enum rc between_groups(
	struct capture *capture, const struct binlog_event *event, struct fault *fault)
{
	enum rc rc = commit_when_due(capture, fault);
	if (rc == RC_OK && is_behind_target(capture, event->file, event->next_pos))
		return RC_END;
	return rc;
}

static enum rc group_end(
	struct capture *capture, const struct binlog_event *event, struct fault *fault)
{
	struct group *group = &capture->group;
	if (!group->is_open)
		return fault_set(fault, RC_PROTOCOL, "a transaction ends that did not begin");
	group->is_open = false;
	return writer_end(&capture->writer, event->file, event->next_pos, group->gtid, fault);
}

/* A new file begins inside of a group: the server crashed while it wrote the group, which never
 * was. */
static enum rc group_cut(struct capture *capture, struct fault *fault)
{
	struct group *group = &capture->group;
	group->is_open = false;
	if (group->is_ignored || group->captured == 0)
		return RC_OK;
	if (group->is_split) {
		(void)fault_set(fault, RC_UNSUPPORTED,
			"the source wrote only the beginning of transaction %s at %s:%llu before "
			"it crashed, and rows of it are in the "
			"stream already",
			group->gtid, group->start.file, (unsigned long long)group->start.pos);
		fault_hint(fault, "docs/STOPPED.md, \"a transaction that never was\"");
		return RC_UNSUPPORTED;
	}
	capture->incomplete = group->start;
	return fault_set(fault, RC_UNREACHABLE,
		"the transaction at %s:%llu is not whole: reading it again without its rows",
		group->start.file, (unsigned long long)group->start.pos);
}

/* ---- rows ---- */

/* Hands over what there is of a large transaction. */
static enum rc commit_inside(struct capture *capture, struct fault *fault)
{
	struct group *group = &capture->group;
	struct event_position *position = &capture->writer.position;
	copy_text(position->file, sizeof position->file, group->start.file);
	copy_text(position->group, sizeof position->group, group->gtid);
	position->pos = group->start.pos;
	position->rows = group->rows;
	group->is_split = true;
	count_received(capture);
	return writer_commit(&capture->writer, fault);
}

/* The bits behind the last column mean nothing: MySQL sets them. */
static bool is_full_image(struct slice present, size_t column_count)
{
	for (size_t i = 0; i < column_count; i++) {
		if (!(present.at[i / 8] >> (i % 8) & 1))
			return false;
	}
	return true;
}

static enum rc check_captured(
	const struct capture *capture, const struct binlog_rows *rows, struct fault *fault)
{
	if (capture->group.is_xa)
		return unsupported(
			fault, "rows of an XA transaction, which this version does not follow");
	bool whole = is_full_image(rows->present, rows->column_count) &&
		(rows->change != BINLOG_UPDATE ||
			is_full_image(rows->present_after, rows->column_count));
	if (whole)
		return RC_OK;
	(void)unsupported(fault, "its rows are not whole (binlog_row_image is MINIMAL or NOBLOB)");
	fault_hint(fault,
		"SET GLOBAL binlog_row_image=FULL on the source, for new sessions; what was "
		"written before cannot be captured");
	return RC_UNSUPPORTED;
}

static enum rc read_images(struct capture *capture, const struct plan *plan,
	struct binlog_rows *rows, struct fault *fault)
{
	struct encoder *encoder = &capture->encoder;
	bool is_insert = rows->change == BINLOG_INSERT;
	struct slice *first = is_insert ? encoder->after : encoder->before;
	const uint8_t *start = rows->rest.at;
	enum rc rc = binlog_image_read(plan->table, rows->present, &rows->rest, first);
	size_t len = (size_t)(rows->rest.at - start);
	encoder->before_len = is_insert ? 0 : len;
	encoder->after_len = is_insert ? len : 0;
	if (rc == RC_OK && rows->change == BINLOG_UPDATE) {
		start = rows->rest.at;
		rc = binlog_image_read(
			plan->table, rows->present_after, &rows->rest, encoder->after);
		encoder->after_len = (size_t)(rows->rest.at - start);
	}
	return rc == RC_OK ? RC_OK : fault_set(fault, rc, "a row does not fit its table's columns");
}

static enum rc take_rows(struct capture *capture, const struct encode_event *encode,
	struct binlog_rows *rows, struct fault *fault)
{
	struct group *group = &capture->group;
	struct writer *writer = &capture->writer;
	bool is_wanted = encode->plan->is_captured && !group->is_ignored;
	do { /* an event holds at least one row, which may be of no bytes */
		enum rc rc = read_images(capture, encode->plan, rows, fault);
		if (rc != RC_OK)
			return rc;
		uint64_t row = group->rows++;
		writer->skipped += !is_wanted;
		group->captured += encode->plan->is_captured;
		if (!is_wanted || row < group->resume_row)
			continue;
		rc = encode_row(&capture->encoder, writer, encode, row, fault);
		if (rc == RC_OK && writer_is_full(writer))
			rc = commit_inside(capture, fault);
		if (rc != RC_OK)
			return rc;
	} while (reader_left(&rows->rest) > 0);
	return RC_OK;
}

static enum rc on_rows(
	struct capture *capture, const struct binlog_event *event, struct fault *fault)
{
	struct binlog_rows rows;
	enum rc rc = binlog_rows_read(event, binlog_format(capture->binlog), &rows);
	if (rc != RC_OK)
		return fault_set(fault, rc, "the row event makes no sense");
	const struct plan *plan = plans_find(&capture->plans, rows.table_id);
	if (!plan && reader_left(&rows.rest) == 0)
		return RC_OK; /* ends a statement, and says nothing else */
	if (!plan)
		return fault_set(fault, RC_PROTOCOL,
			"rows of table id %llu, of which no table map was sent",
			(unsigned long long)rows.table_id);
	if (!capture->group.is_open)
		return fault_set(fault, RC_PROTOCOL, "rows outside of a transaction");
	size_t columns = plan->table->column_count;
	if (rows.column_count != columns)
		return fault_set(fault, RC_CORRUPT, "it has %zu columns, its table map %zu",
			rows.column_count, columns);
	encoder_spans(&capture->encoder, columns);
	struct encode_event encode = {plan, &capture->group.origin, event->pos, rows.change};
	if (plan->is_captured && !capture->group.is_ignored) {
		rc = check_captured(capture, &rows, fault);
		if (rc == RC_OK)
			rc = control_tell_schema(capture, event, plan, fault);
		if (rc != RC_OK)
			return rc;
		encode_begin(&capture->encoder, &encode);
	}
	return take_rows(capture, &encode, &rows, fault);
}

static enum rc on_table_map(
	struct capture *capture, const struct binlog_event *event, struct fault *fault)
{
	struct plan *plan;
	return plans_map(&capture->plans, event, &plan, fault);
}

/* ---- statements ---- */

static bool starts_with_word(struct slice sql, const char *word)
{
	size_t len = strlen(word);
	return sql.len >= len && strncasecmp((const char *)sql.at, word, len) == 0;
}

/* Whether a statement that changes rows may change captured ones. */
static bool may_be_captured(
	const struct capture *capture, const struct binlog_query *query, const struct ddl *ddl)
{
	if (ddl->name_count == 0)
		return filter_database(&capture->options, query->database) ||
			query->database.len == 0;
	for (size_t i = 0; i < ddl->name_count; i++) {
		if (filter_table(&capture->options, ddl->names[i].database, ddl->names[i].table))
			return true;
	}
	return false;
}

static enum rc refuse_statement(
	const struct binlog_query *query, const char *why, struct fault *fault)
{
	enum { SHOWN = 200 };
	return fault_set(fault, RC_UNSUPPORTED, "%s: %.*s", why,
		query->sql.len > SHOWN ? SHOWN : (int)query->sql.len, (const char *)query->sql.at);
}

static enum rc on_rollback(struct capture *capture, const struct binlog_event *event,
	const struct binlog_query *query, bool ends_group, struct fault *fault)
{
	if (capture->group.captured > 0 && !capture->group.is_ignored)
		return refuse_statement(query,
			"rows of captured tables are rolled back behind (tables without "
			"transactions took part)",
			fault);
	return ends_group ? group_end(capture, event, fault) : RC_OK;
}

/* XA START and END stand inside a group, PREPARE ends it; COMMIT and ROLLBACK of a prepared one are
 * groups of their own. */
static enum rc on_xa(struct capture *capture, const struct binlog_event *event,
	const struct binlog_query *query, struct fault *fault)
{
	struct group *group = &capture->group;
	if (starts_with_word(query->sql, "XA START") || starts_with_word(query->sql, "XA BEGIN")) {
		group->has_begun = true;
		group->is_xa = true;
		return RC_OK;
	}
	bool ends = !starts_with_word(query->sql, "XA END");
	return ends ? group_end(capture, event, fault) : RC_OK;
}

static enum rc on_statement(struct capture *capture, const struct binlog_event *event,
	const struct binlog_query *query, const struct ddl *ddl, struct fault *fault)
{
	switch (ddl->kind) {
	case DDL_BEGIN:
		capture->group.has_begun = true;
		return RC_OK;
	case DDL_COMMIT:
		return group_end(capture, event, fault);
	case DDL_ROLLBACK:
		return on_rollback(capture, event, query, true, fault);
	case DDL_SAVEPOINT:
		return starts_with_word(query->sql, "ROLLBACK")
			? on_rollback(capture, event, query, false, fault)
			: RC_OK;
	case DDL_XA:
		return on_xa(capture, event, query, fault);
	case DDL_HARMLESS:
	case DDL_CREATE_DATABASE:
		return RC_OK;
	case DDL_CREATE_TABLE:
	case DDL_ALTER_TABLE:
	case DDL_DROP_TABLE:
	case DDL_TRUNCATE_TABLE:
	case DDL_RENAME_TABLE:
	case DDL_DROP_DATABASE:
		return control_follow(capture, event, query, ddl, fault);
	case DDL_ROWS:
		if (!may_be_captured(capture, query, ddl))
			return RC_OK;
		return refuse_statement(query,
			"a statement changes rows, and was logged as such (binlog_format is not "
			"ROW)",
			fault);
	case DDL_UNKNOWN:
		break;
	}
	return refuse_statement(query, "a statement that this version does not know", fault);
}

static enum rc on_query(
	struct capture *capture, const struct binlog_event *event, struct fault *fault)
{
	struct binlog_query query;
	enum rc rc = binlog_query_read(event->body, &query);
	if (rc != RC_OK)
		return fault_set(fault, rc, "the statement makes no sense");
	if (!capture->group.is_open)
		rc = group_begin(capture, event, NULL, fault);
	if (rc != RC_OK)
		return rc;
	struct ddl ddl;
	ddl_read(&query, &ddl);
	rc = on_statement(capture, event, &query, &ddl, fault);
	ddl_release(&ddl);
	if (rc == RC_OK && capture->group.is_open && !capture->group.has_begun)
		rc = group_end(capture, event, fault);
	return rc;
}

/* ---- all events ---- */

static enum rc on_gtid(
	struct capture *capture, const struct binlog_event *event, struct fault *fault)
{
	struct binlog_gtid gtid;
	enum rc rc = binlog_gtid_read(event, &gtid);
	if (rc != RC_OK)
		return fault_set(fault, rc, "the GTID makes no sense");
	rc = group_begin(capture, event, &gtid, fault);
	if (rc == RC_OK && event->type == BINLOG_MARIADB_GTID)
		capture->group.has_begun = !gtid.standalone; /* MariaDB writes no BEGIN behind it */
	return rc;
}

static enum rc on_new_file(
	struct capture *capture, const struct binlog_event *event, struct fault *fault)
{
	struct binlog_rotate rotate;
	if (capture->group.is_open)
		return group_cut(capture, fault);
	if (event->type != BINLOG_ROTATE)
		return RC_OK;
	if (binlog_rotate_read(event->body, &rotate) != RC_OK || rotate.file.len >= EVENT_FILE_MAX)
		return fault_set(fault, RC_CORRUPT, "the name of the next file makes no sense");
	struct event_position *position = &capture->writer.position;
	char file[EVENT_FILE_MAX];
	(void)snprintf(file, sizeof file, "%.*s", SLICE_ARGS(rotate.file));
	/* a dump by GTID may begin in an older file: a position never goes back. Inside of a
	 * transaction it stays where it is */
	if (position->rows > 0 ||
		(position->file[0] && event_file_compare(file, position->file) <= 0))
		return RC_OK;
	return writer_end(&capture->writer, file, rotate.pos, "", fault);
}

/* The explicit list (law 1) of what says nothing about rows or columns. */
static bool step_over(uint8_t type)
{
	switch (type) {
	case BINLOG_STOP:
	case BINLOG_INTVAR: /* in front of statements, which are looked at themselves */
	case BINLOG_RAND:
	case BINLOG_USER_VAR:
	case BINLOG_ROWS_QUERY:
	case BINLOG_PREVIOUS_GTIDS:
	case BINLOG_TRANSACTION_CONTEXT:
	case BINLOG_VIEW_CHANGE:
	case BINLOG_ANNOTATE_ROWS:
	case BINLOG_CHECKPOINT:
	case BINLOG_MARIADB_GTID_LIST:
	case BINLOG_START_ENCRYPTION:
	case BINLOG_HEARTBEAT:
	case BINLOG_HEARTBEAT_V2:
		return true;
	default:
		return false;
	}
}

static enum rc refuse_event(const struct binlog_event *event, struct fault *fault)
{
	switch (event->type) {
	case BINLOG_INCIDENT:
		(void)unsupported(
			fault, "the source says that changes are missing from its binlog");
		fault_hint(fault,
			"read the source's error log; when the tables are right again, start a new "
			"stream, or step over it by source.skip");
		return RC_UNSUPPORTED;
	case BINLOG_TRANSACTION_PAYLOAD:
		(void)unsupported(
			fault, "a compressed transaction, which this version does not decode");
		fault_hint(fault,
			"SET GLOBAL binlog_transaction_compression=OFF on the source, for new "
			"sessions");
		return RC_UNSUPPORTED;
	case BINLOG_PARTIAL_UPDATE_ROWS:
		(void)unsupported(
			fault, "a partial JSON update, which this version does not decode");
		fault_hint(fault,
			"SET GLOBAL binlog_row_value_options='' on the source, for new sessions");
		return RC_UNSUPPORTED;
	case BINLOG_QUERY_COMPRESSED:
	case BINLOG_WRITE_ROWS_COMPRESSED_V1:
	case BINLOG_UPDATE_ROWS_COMPRESSED_V1:
	case BINLOG_DELETE_ROWS_COMPRESSED_V1:
	case BINLOG_WRITE_ROWS_COMPRESSED:
	case BINLOG_UPDATE_ROWS_COMPRESSED:
	case BINLOG_DELETE_ROWS_COMPRESSED:
		(void)unsupported(fault, "a compressed event, which this version does not decode");
		fault_hint(fault, "SET GLOBAL log_bin_compress=OFF on the source");
		return RC_UNSUPPORTED;
	default:
		return unsupported(fault, "an event of a type that this version does not know");
	}
}

static enum rc on_event(
	struct capture *capture, const struct binlog_event *event, struct fault *fault)
{
	switch (event->type) {
	case BINLOG_WRITE_ROWS:
	case BINLOG_UPDATE_ROWS:
	case BINLOG_DELETE_ROWS:
	case BINLOG_WRITE_ROWS_V1:
	case BINLOG_UPDATE_ROWS_V1:
	case BINLOG_DELETE_ROWS_V1:
		return on_rows(capture, event, fault);
	case BINLOG_TABLE_MAP:
		return on_table_map(capture, event, fault);
	case BINLOG_GTID:
	case BINLOG_ANONYMOUS_GTID:
	case BINLOG_MARIADB_GTID:
		return on_gtid(capture, event, fault);
	case BINLOG_QUERY:
		return on_query(capture, event, fault);
	case BINLOG_XID:
	case BINLOG_XA_PREPARE:
		return group_end(capture, event, fault);
	case BINLOG_ROTATE:
	case BINLOG_FORMAT_DESCRIPTION:
		return on_new_file(capture, event, fault);
	default:
		return step_over(event->type) ? RC_OK : refuse_event(event, fault);
	}
}

/* An event that the operator told to step over; a statement may have been all of its group. */
static enum rc on_skipped(
	struct capture *capture, const struct binlog_event *event, struct fault *fault)
{
	bool ends =
		event->type == BINLOG_QUERY && capture->group.is_open && !capture->group.has_begun;
	return ends ? group_end(capture, event, fault) : RC_OK;
}

bool follow_is_about_event(enum rc rc)
{
	return rc == RC_UNSUPPORTED || rc == RC_SCHEMA || rc == RC_CORRUPT || rc == RC_TRUNCATED ||
		rc == RC_PROTOCOL || rc == RC_LIMIT;
}

enum rc follow(struct capture *capture, struct fault *fault)
{
	for (;;) {
		struct binlog_event event;
		enum rc rc = binlog_next(capture->binlog, &event, fault);
		if (rc != RC_OK)
			return rc;
		if (capture->options.skip_count > 0 &&
			filter_skips(&capture->options, event.file, event.pos))
			rc = on_skipped(capture, &event, fault);
		else
			rc = on_event(capture, &event, fault);
		if (rc == RC_OK && !capture->group.is_open)
			rc = between_groups(capture, &event, fault);
		if (follow_is_about_event(rc))
			return stop_at(capture, &event, fault);
		if (rc != RC_OK)
			return rc;
	}
}
