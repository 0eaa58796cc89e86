/* The binlog as a stream of events.
 *
 * Events are handed out where they were received. Positions are counted here from the sizes of the
 * events, for the header's own have 32 bits and start again at 4 GiB, and MariaDB 11 leaves them at
 * zero inside of transactions. Where the server leaves events out (a start at a GTID) the header
 * says how far it went.
 *
 * Artificial events (made by the dump: a rotation at the beginning of each file, the format of a
 * file that is begun in its middle, heartbeats) do not move the position.
 *
 * Thread: the owner's. */
#include <assert.h>
#include <stdio.h>

#include "base/checksum.h"
#include "base/mem.h"
#include "mysql/dump.h"
#include "mysql/link.h"
#include "mysql/packets.h"

enum {
	CHECKSUM_SIZE = 4,
	FLAG_ARTIFICIAL = 0x20,
	PACKET_EVENT = 0x00,
	PACKET_END = 0xfe,
	PACKET_ERROR = 0xff,
	HEARTBEATS_MISSED = 3,
};

struct binlog {
	struct link *link;
	struct packets packets;
	const char *account; /* the link's */
	struct binlog_format format;
	bool has_checksums;  /* of the next event */
	bool may_leave_out;  /* the server may leave events out */
	bool no_annotations; /* they are not handed out */
	bool ends;           /* asked to end at the end of the binlog */
	int64_t quiet_us, first_quiet_us;

	char file[EVENT_FILE_MAX];
	uint64_t pos;                   /* where the next event of the file begins */
	uint64_t skip_until;            /* events before it are stepped over */
	char next_file[EVENT_FILE_MAX]; /* set by a rotation, in force at the next event */
	uint64_t next_pos;

	char end_file[EVENT_FILE_MAX]; /* of the binlog as it was at the opening; empty: unknown */
	uint64_t end_pos;

	struct slice first;  /* the packet that binlog_open has looked at */
	struct fault failed; /* rc != RC_OK: nothing more can be had */
};

/* clang-format off */
static const struct { unsigned type; const char *name; } type_names[] = {
	{BINLOG_QUERY, "QUERY"}, {BINLOG_STOP, "STOP"}, {BINLOG_ROTATE, "ROTATE"},
	{BINLOG_INTVAR, "INTVAR"}, {BINLOG_RAND, "RAND"}, {BINLOG_USER_VAR, "USER_VAR"},
	{BINLOG_FORMAT_DESCRIPTION, "FORMAT_DESCRIPTION"}, {BINLOG_XID, "XID"},
	{BINLOG_BEGIN_LOAD_QUERY, "BEGIN_LOAD_QUERY"},
	{BINLOG_EXECUTE_LOAD_QUERY, "EXECUTE_LOAD_QUERY"}, {BINLOG_TABLE_MAP, "TABLE_MAP"},
	{BINLOG_WRITE_ROWS_V1, "WRITE_ROWS_V1"}, {BINLOG_UPDATE_ROWS_V1, "UPDATE_ROWS_V1"},
	{BINLOG_DELETE_ROWS_V1, "DELETE_ROWS_V1"}, {BINLOG_INCIDENT, "INCIDENT"},
	{BINLOG_HEARTBEAT, "HEARTBEAT"}, {BINLOG_IGNORABLE, "IGNORABLE"},
	{BINLOG_ROWS_QUERY, "ROWS_QUERY"}, {BINLOG_WRITE_ROWS, "WRITE_ROWS"},
	{BINLOG_UPDATE_ROWS, "UPDATE_ROWS"}, {BINLOG_DELETE_ROWS, "DELETE_ROWS"},
	{BINLOG_GTID, "GTID"}, {BINLOG_ANONYMOUS_GTID, "ANONYMOUS_GTID"},
	{BINLOG_PREVIOUS_GTIDS, "PREVIOUS_GTIDS"},
	{BINLOG_TRANSACTION_CONTEXT, "TRANSACTION_CONTEXT"}, {BINLOG_VIEW_CHANGE, "VIEW_CHANGE"},
	{BINLOG_XA_PREPARE, "XA_PREPARE"}, {BINLOG_PARTIAL_UPDATE_ROWS, "PARTIAL_UPDATE_ROWS"},
	{BINLOG_TRANSACTION_PAYLOAD, "TRANSACTION_PAYLOAD"},
	{BINLOG_HEARTBEAT_V2, "HEARTBEAT_V2"}, {BINLOG_GTID_TAGGED, "GTID_TAGGED"},
	{BINLOG_ANNOTATE_ROWS, "ANNOTATE_ROWS"}, {BINLOG_CHECKPOINT, "CHECKPOINT"},
	{BINLOG_MARIADB_GTID, "MARIADB_GTID"}, {BINLOG_MARIADB_GTID_LIST, "MARIADB_GTID_LIST"},
	{BINLOG_START_ENCRYPTION, "START_ENCRYPTION"},
	{BINLOG_QUERY_COMPRESSED, "QUERY_COMPRESSED"},
	{BINLOG_WRITE_ROWS_COMPRESSED_V1, "WRITE_ROWS_COMPRESSED_V1"},
	{BINLOG_UPDATE_ROWS_COMPRESSED_V1, "UPDATE_ROWS_COMPRESSED_V1"},
	{BINLOG_DELETE_ROWS_COMPRESSED_V1, "DELETE_ROWS_COMPRESSED_V1"},
	{BINLOG_WRITE_ROWS_COMPRESSED, "WRITE_ROWS_COMPRESSED"},
	{BINLOG_UPDATE_ROWS_COMPRESSED, "UPDATE_ROWS_COMPRESSED"},
	{BINLOG_DELETE_ROWS_COMPRESSED, "DELETE_ROWS_COMPRESSED"},
};
/* clang-format on */

const char *binlog_type_name(unsigned type)
{
	static _Thread_local char unknown[24];
	for (size_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++) {
		if (type_names[i].type == type)
			return type_names[i].name;
	}
	(void)snprintf(unknown, sizeof unknown, "type %u", type);
	return unknown;
}

/* ---- packets ---- */

static enum rc server_error(struct binlog *binlog, struct slice payload, struct fault *fault)
{
	struct reader reader = reader_of(payload.at + 1, payload.len - 1);
	unsigned number = read_u16le(&reader);
	if (reader_left(&reader) >= 6 && reader.at[0] == '#')
		(void)read_bytes(&reader, 6); /* the SQL state */
	struct slice text = read_slice(&reader, reader_left(&reader));
	if (reader.rc != RC_OK)
		return fault_set(fault, RC_PROTOCOL, "%s sent an error without a number",
			link_name(binlog->link));
	return dump_error_set(fault, link_name(binlog->link), number, text, binlog->account);
}

/* A server that shuts down, or was told to kill the dump, may end it as it does at the end of the
 * binlog; both close the connection, so that it cannot be asked which it was. But what was the end
 * when we began must have come. */
static enum rc server_end(const struct binlog *binlog, struct fault *fault)
{
	bool known = binlog->end_file[0] != 0;
	int ahead = known ? event_file_compare(binlog->file, binlog->end_file) : 1;
	if (binlog->ends && (ahead > 0 || (ahead == 0 && binlog->pos >= binlog->end_pos)))
		return fault_set(fault, RC_END, "the end of the binlog");
	return fault_set(fault, RC_UNREACHABLE, "%s ended the binlog dump at %s:%llu",
		link_name(binlog->link), binlog->file, (unsigned long long)binlog->pos);
}

static enum rc too_long(struct binlog *binlog, struct slice begin, struct fault *fault)
{
	struct reader reader = reader_of(begin.at, begin.len);
	(void)read_bytes(&reader, 1 + 4);
	unsigned type = read_u8(&reader);
	(void)read_u32le(&reader);
	uint32_t size = read_u32le(&reader);
	if (reader.rc != RC_OK)
		size = 0;
	(void)fault_set(fault, RC_LIMIT,
		"an event %s of %u bytes at %s:%llu is longer than the %zu bytes that are allowed",
		size ? binlog_type_name(type) : "", size, binlog->file,
		(unsigned long long)binlog->pos, binlog->packets.payload_max - 1);
	fault_hint(fault, "raise source.max_row");
	return RC_LIMIT;
}

static enum rc receive(
	struct binlog *binlog, int64_t quiet_us, struct slice *ret_payload, struct fault *fault)
{
	enum rc rc = packets_next(&binlog->packets, quiet_us, ret_payload, fault);
	if (rc == RC_OK || rc == RC_STOPPED)
		return rc;
	if (rc == RC_LIMIT)
		return too_long(binlog, *ret_payload, fault);
	if (rc == RC_TIMEOUT)
		return fault_set(fault, RC_UNREACHABLE, "%s missed %d heartbeats in %lld ms",
			link_name(binlog->link), HEARTBEATS_MISSED, (long long)quiet_us / 1000);
	fault_context(fault, "%s", link_name(binlog->link));
	return rc;
}

static enum rc packet(struct binlog *binlog, struct slice *ret_payload, struct fault *fault)
{
	if (binlog->first.at) {
		*ret_payload = binlog->first;
		binlog->first = (struct slice){0};
	} else {
		enum rc rc = receive(binlog, binlog->quiet_us, ret_payload, fault);
		if (rc != RC_OK)
			return rc;
	}
	if (ret_payload->len == 0)
		return fault_set(
			fault, RC_PROTOCOL, "%s sent an empty packet", link_name(binlog->link));
	switch (ret_payload->at[0]) {
	case PACKET_EVENT:
		return RC_OK;
	case PACKET_ERROR:
		return server_error(binlog, *ret_payload, fault);
	case PACKET_END:
		return server_end(binlog, fault);
	default:
		return fault_set(fault, RC_PROTOCOL, "%s sent a packet that begins with %#x",
			link_name(binlog->link), ret_payload->at[0]);
	}
}

/* ---- opening and closing ---- */

static void begin(
	struct binlog *binlog, const struct mysql_server *server, const struct binlog_start *start)
{
	if (!start->by_gtid) {
		(void)snprintf(binlog->file, sizeof binlog->file, "%s", start->file);
		binlog->pos = dump_first_pos(start);
		binlog->skip_until = start->pos > binlog->pos ? start->pos : 0;
	}
	binlog->has_checksums = true; /* as we asked for; then each format says */
	binlog->may_leave_out = start->by_gtid || server->is_mariadb;
	binlog->ends = start->end;
	binlog->no_annotations = !start->annotate;
	int64_t answer_us = link_answer_timeout_us(binlog->link);
	binlog->quiet_us =
		start->heartbeat_us > 0 ? HEARTBEATS_MISSED * start->heartbeat_us : INT64_MAX / 2;
	binlog->first_quiet_us = answer_us > binlog->quiet_us ? answer_us : binlog->quiet_us;

	int fd;
	void *ssl;
	struct slice ahead;
	link_take_over(binlog->link, &fd, &ssl, &ahead);
	packets_init(&binlog->packets, fd, ssl, start->stop, start->event_max + 1, 1, ahead);
}

/* Where the binlog ends now, if it is to be read to its end. By GTID, what comes last may be left
 * out, and nothing would tell; nor does it without the privilege to ask. */
static enum rc note_end(struct binlog *binlog, const struct mysql_server *server,
	const struct binlog_start *start, struct fault *fault)
{
	if (!start->end || start->by_gtid || !server->log_bin)
		return RC_OK;
	enum rc rc = server_place(binlog->link, server, binlog->end_file, &binlog->end_pos, fault);
	return rc == RC_PRIVILEGE ? RC_OK : rc;
}

enum rc binlog_open(struct link *link, const struct mysql_server *server,
	const struct binlog_start *start, struct binlog **ret_binlog, struct fault *fault)
{
	struct binlog *binlog = mem_new(1, sizeof *binlog);
	binlog->link = link;
	binlog->account = link_account(link); /* while it can still be asked */
	struct slice first = {0};
	enum rc rc = note_end(binlog, server, start, fault);
	if (rc == RC_OK)
		rc = dump_ask(link, server, start, fault);
	if (rc == RC_OK) {
		begin(binlog, server, start);
		rc = receive(binlog, binlog->first_quiet_us, &first, fault);
	}
	if (rc == RC_OK && first.len > 0 && first.at[0] == PACKET_ERROR)
		rc = server_error(binlog, first, fault);
	if (rc != RC_OK) {
		binlog_close(binlog);
		return rc;
	}
	binlog->first = first;
	*ret_binlog = binlog;
	return RC_OK;
}

void binlog_close(struct binlog *binlog)
{
	if (!binlog)
		return;
	packets_release(&binlog->packets);
	link_close(binlog->link);
	mem_free(binlog);
}

/* ---- events ---- */

static enum rc corrupt(const struct binlog *binlog, const struct binlog_event *event,
	const char *what, struct fault *fault)
{
	(void)fault_set(fault, RC_CORRUPT, "%s an event %s at %s:%llu on %s", what,
		binlog_type_name(event->type), binlog->file, (unsigned long long)binlog->pos,
		link_name(binlog->link));
	fault_hint(fault,
		"the event was damaged on the way or on the server's disk: read the file "
		"with mariadb-binlog or mysqlbinlog --verify-binlog-checksum");
	return RC_CORRUPT;
}

/* Takes the header apart and checks the sum. `whole` is filled in. */
static enum rc read_event(struct binlog *binlog, struct binlog_event *event, uint32_t *ret_next_pos,
	struct fault *fault)
{
	struct slice whole = event->whole;
	bool is_format = whole.len > 4 && whole.at[4] == BINLOG_FORMAT_DESCRIPTION;
	size_t tail = binlog->has_checksums || is_format ? CHECKSUM_SIZE : 0;
	if (whole.len < BINLOG_HEADER_SIZE + tail || load_u32le(whole.at + 9) != whole.len)
		return fault_set(fault, RC_PROTOCOL,
			"%s sent an event of %zu bytes that says it has %u, behind %s:%llu",
			link_name(binlog->link), whole.len,
			whole.len >= BINLOG_HEADER_SIZE ? load_u32le(whole.at + 9) : 0,
			binlog->file, (unsigned long long)binlog->pos);
	event->timestamp_s = load_u32le(whole.at);
	event->type = whole.at[4];
	event->server_id = load_u32le(whole.at + 5);
	*ret_next_pos = load_u32le(whole.at + 13);
	event->flags = load_u16le(whole.at + 17);
	event->body =
		slice_of(whole.at + BINLOG_HEADER_SIZE, whole.len - BINLOG_HEADER_SIZE - tail);

	if (is_format) {
		struct binlog_format format;
		enum rc rc = binlog_format_read(event->body, &format);
		if (rc == RC_UNSUPPORTED)
			return fault_set(fault, rc,
				"%s is in a format that this version does not "
				"read, on %s",
				binlog->file, link_name(binlog->link));
		if (rc != RC_OK)
			return corrupt(binlog, event, "nonsense in", fault);
		binlog->format = format;
		binlog->has_checksums = format.has_checksums;
	}
	/* A format has a sum even where events have none; but MariaDB, beginning in the middle of
	 * such a file, changes the format without summing it again. */
	if (!binlog->has_checksums && (!is_format || *ret_next_pos == 0))
		return RC_OK;
	size_t summed = whole.len - CHECKSUM_SIZE;
	if (checksum_crc32(0, whole.at, summed) != load_u32le(whole.at + summed))
		return corrupt(binlog, event, "a wrong checksum of", fault);
	return RC_OK;
}

static bool is_artificial(const struct binlog_event *event, uint32_t next_pos)
{
	if (event->flags & FLAG_ARTIFICIAL || event->type == BINLOG_HEARTBEAT ||
		event->type == BINLOG_HEARTBEAT_V2)
		return true;
	return next_pos == 0 &&
		(event->type == BINLOG_ROTATE || event->type == BINLOG_FORMAT_DESCRIPTION);
}

/* Gives the event its place and moves on behind it. */
static enum rc place(
	struct binlog *binlog, struct binlog_event *event, uint32_t next_pos, struct fault *fault)
{
	event->artificial = is_artificial(event, next_pos);
	if (!event->artificial) {
		uint64_t next = binlog->pos + event->whole.len;
		uint32_t gap = next_pos - (uint32_t)next; /* what was left out before it */
		if (gap != 0 && !binlog->may_leave_out)
			return corrupt(binlog, event, "a wrong end of", fault);
		if (next_pos != 0)
			next += gap;
		event->pos = next - event->whole.len;
		event->next_pos = binlog->pos = next;
	} else {
		event->pos = event->next_pos = binlog->pos;
	}
	event->file = binlog->file;
	return RC_OK;
}

static enum rc follow_rotation(
	struct binlog *binlog, struct binlog_event *event, struct fault *fault)
{
	struct binlog_rotate rotate;
	enum rc rc = binlog_rotate_read(event->body, &rotate);
	if (rc != RC_OK || rotate.file.len == 0 || rotate.file.len >= EVENT_FILE_MAX)
		return fault_set(fault, RC_PROTOCOL,
			"%s sent a rotation without a file, at %s:%llu", link_name(binlog->link),
			binlog->file, (unsigned long long)event->pos);
	memcpy(binlog->next_file, rotate.file.at, rotate.file.len);
	binlog->next_file[rotate.file.len] = 0;
	binlog->next_pos = rotate.pos;
	return RC_OK;
}

static void enter_next_file(struct binlog *binlog)
{
	if (binlog->next_file[0] == 0)
		return;
	memcpy(binlog->file, binlog->next_file, sizeof binlog->file);
	binlog->pos = binlog->next_pos;
	binlog->next_file[0] = 0;
}

/* A start beyond 4 GiB cannot be asked for, so the file comes from its beginning and what lies
 * before is stepped over. */
static enum rc step_over(
	struct binlog *binlog, struct binlog_event *event, bool *ret_skip, struct fault *fault)
{
	uint64_t until = binlog->skip_until;
	*ret_skip = false;
	if (event->artificial || event->type == BINLOG_FORMAT_DESCRIPTION) {
		event->artificial = true;
		event->pos = event->next_pos = until;
		return RC_OK;
	}
	if (event->next_pos <= until && event->type != BINLOG_ROTATE) {
		*ret_skip = true;
		if (event->next_pos == until)
			binlog->skip_until = 0;
		return RC_OK;
	}
	return fault_set(fault, RC_BEHIND, "no event begins at %s:%llu on %s: one lies at %llu",
		binlog->file, (unsigned long long)until, link_name(binlog->link),
		(unsigned long long)event->pos);
}

static enum rc next_event(struct binlog *binlog, struct binlog_event *event, struct fault *fault)
{
	bool skip;
	do {
		skip = false;
		struct slice payload;
		enum rc rc = packet(binlog, &payload, fault);
		if (rc != RC_OK)
			return rc;
		enter_next_file(binlog);
		uint32_t next_pos = 0;
		event->whole = slice_of(payload.at + 1, payload.len - 1);
		rc = read_event(binlog, event, &next_pos, fault);
		if (rc != RC_OK)
			return rc;
		rc = place(binlog, event, next_pos, fault);
		if (rc != RC_OK)
			return rc;
		if (event->type == BINLOG_ROTATE) {
			rc = follow_rotation(binlog, event, fault);
			if (rc != RC_OK)
				return rc;
			if (event->artificial) { /* it tells where we are already */
				enter_next_file(binlog);
				event->pos = event->next_pos = binlog->pos;
			}
		}
		if (binlog->skip_until > 0)
			rc = step_over(binlog, event, &skip, fault);
		if (event->type == BINLOG_ANNOTATE_ROWS && binlog->no_annotations)
			skip = true;
		if (rc != RC_OK)
			return rc;
	} while (skip);
	return RC_OK;
}

enum rc binlog_next(struct binlog *binlog, struct binlog_event *ret_event, struct fault *fault)
{
	if (__builtin_expect(binlog->failed.rc != RC_OK, 0)) {
		if (fault)
			*fault = binlog->failed;
		return binlog->failed.rc;
	}
	struct binlog_event event;
	enum rc rc = next_event(binlog, &event, &binlog->failed);
	if (rc != RC_OK) {
		binlog->failed.rc = rc;
		if (fault)
			*fault = binlog->failed;
		return rc;
	}
	*ret_event = event;
	return RC_OK;
}

bool binlog_has_more(const struct binlog *binlog)
{
	return binlog->first.at || packets_has_more(&binlog->packets);
}

const struct binlog_format *binlog_format(const struct binlog *binlog)
{
	return &binlog->format;
}

uint64_t binlog_received(const struct binlog *binlog)
{
	return binlog->packets.received;
}
