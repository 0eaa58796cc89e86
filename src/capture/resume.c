/* Where to begin: a new stream's start, or behind what the stream has; see inside.h.
 *
 * A resume is by GTID where the stream knows the set that it holds and the server has GTIDs, else
 * by file and position. Before that, whatever can be told without the dump is checked, so that a
 * purged or a lost position is named with both sides and a way out, and not by the server's error
 * alone. */
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/notice.h"
#include "capture/filter.h"
#include "capture/inside.h"

enum { BEHIND_TRIES = 20, BEHIND_PAUSE_US = 250000 };

void resume_epoch(struct capture *capture, const char *reason)
{
	struct writer *writer = &capture->writer;
	uint64_t epoch = (writer->next_ordinal >> ORDINAL_EPOCH) + 1;
	writer->next_ordinal = epoch << ORDINAL_EPOCH;
	writer->first_ordinal = writer->next_ordinal;
	writer->done.next_ordinal = writer->next_ordinal;
	notice(NOTICE_CAPTURE_EPOCH,
		FIELDS(field_text("reason", reason),
			field_u64("next_ordinal", writer->next_ordinal)));
}

/* ---- the server's binlog files ---- */

struct files {
	const char *wanted;
	bool has_wanted;
	uint64_t wanted_size;
	char first[EVENT_FILE_MAX], last[EVENT_FILE_MAX];
};

static enum rc see_file(void *context, const char *file, uint64_t size, struct fault *fault)
{
	(void)fault;
	struct files *files = context;
	if (!files->first[0])
		(void)snprintf(files->first, sizeof files->first, "%s", file);
	(void)snprintf(files->last, sizeof files->last, "%s", file);
	if (strcmp(file, files->wanted) == 0) {
		files->has_wanted = true;
		files->wanted_size = size;
	}
	return RC_OK;
}

static void text_of_position(const struct event_position *position, char ret_text[FAULT_TEXT_MAX])
{
	struct buf text = buf_of(FAULT_TEXT_MAX - 1);
	event_position_text(position, &text);
	(void)snprintf(ret_text, FAULT_TEXT_MAX, "%s", buf_cstring(&text));
	buf_release(&text);
}

static enum rc purged(
	const struct event_position *position, const struct files *files, struct fault *fault)
{
	char at[FAULT_TEXT_MAX];
	text_of_position(position, at);
	(void)fault_set(fault, RC_PURGED,
		"the stream ends at %s, but the source has purged that file: its oldest is %s", at,
		files->first);
	fault_hint(fault,
		"what was in between is lost to this stream: start a new one (another "
		"stream.name), and keep binlogs longer "
		"(binlog_expire_logs_seconds, expire_logs_days)");
	return RC_PURGED;
}

static enum rc behind(const struct event_position *position, const char *file, uint64_t pos,
	const char *gtids, struct fault *fault)
{
	char at[FAULT_TEXT_MAX];
	text_of_position(position, at);
	(void)fault_set(fault, RC_BEHIND,
		"the stream ends at %s, but the source ends before that, at %s:%llu (GTIDs "
		"%.200s): it lost its tail, or is not the "
		"server it was",
		at, file, (unsigned long long)pos, gtids[0] ? gtids : "none");
	fault_hint(fault,
		"if the source was restored from a backup, the stream holds changes that it no "
		"longer has: start a new stream "
		"(another stream.name)");
	return RC_BEHIND;
}

/* On the server that the stream comes from: its file must be there, and be long enough. */
static enum rc check_files(struct capture *capture, struct link *link, const char *end_file,
	uint64_t end_pos, const char *gtids, struct fault *fault)
{
	const struct event_position *position = &capture->writer.done.position;
	struct files files = {.wanted = position->file};
	enum rc rc = mysql_server_files(link, see_file, &files, fault);
	if (rc != RC_OK || !position->file[0])
		return rc;
	if (!files.has_wanted && event_file_compare(position->file, files.last) > 0)
		return behind(position, end_file, end_pos, gtids, fault);
	if (!files.has_wanted)
		return purged(position, &files, fault);
	/* the size of the file in use may lag; its end was asked for */
	uint64_t size = strcmp(position->file, end_file) == 0 && end_pos > files.wanted_size
		? end_pos
		: files.wanted_size;
	return position->pos > size ? behind(position, end_file, end_pos, gtids, fault) : RC_OK;
}

/* ---- a new stream ---- */

/* MariaDB tells the GTID set before any place; MySQL only before its oldest. */
static enum rc gtids_before(struct capture *capture, struct link *link, const struct place *place,
	bool is_oldest, struct buf *out, enum gtid_flavor *ret_flavor, struct fault *fault)
{
	*ret_flavor = GTID_NONE;
	if (!capture->server.has_gtids)
		return RC_OK;
	enum rc rc = RC_OK;
	if (capture->server.is_mariadb) {
		struct buf sql = buf_of(1024);
		buf_text(&sql, "SELECT BINLOG_GTID_POS(");
		link_quote(slice_text(place->file), &sql);
		buf_format(&sql, ", %llu)", (unsigned long long)place->pos);
		rc = link_query_text(link, buf_cstring(&sql), out, fault);
		buf_release(&sql);
		if (rc == RC_NOT_FOUND)
			return fault_set(fault, RC_PURGED, "the source has no position %s:%llu",
				place->file, (unsigned long long)place->pos);
		*ret_flavor = GTID_MARIADB;
	} else if (is_oldest) {
		rc = link_query_text(
			link, "SELECT REPLACE(@@GLOBAL.gtid_purged, '\\n', '')", out, fault);
		*ret_flavor = GTID_MYSQL;
	}
	return rc;
}

struct beginning {
	struct place place; /* empty file: not known (by GTID) */
	enum gtid_flavor flavor;
	struct buf gtids;
};

static enum rc begin_earliest(
	struct capture *capture, struct link *link, struct beginning *begin, struct fault *fault)
{
	struct files files = {.wanted = ""};
	enum rc rc = mysql_server_files(link, see_file, &files, fault);
	if (rc != RC_OK)
		return rc;
	begin->place = place_of(files.first, 4);
	return gtids_before(
		capture, link, &begin->place, true, &begin->gtids, &begin->flavor, fault);
}

static enum rc begin_at_gtid(
	struct capture *capture, const char *set, struct beginning *begin, struct fault *fault)
{
	if (!capture->server.has_gtids)
		return fault_set(fault, RC_UNFIT,
			"source.start is a GTID set, but the source has no GTIDs (gtid_mode is not "
			"ON)");
	begin->flavor = capture->server.is_mariadb ? GTID_MARIADB : GTID_MYSQL;
	struct gtid_set *parsed = gtid_set_new(begin->flavor);
	enum rc rc = gtid_set_add(parsed, slice_text(set));
	gtid_set_free(parsed);
	if (rc != RC_OK)
		return fault_set(fault, RC_CONFIG, "source.start: '%s' is not a GTID set of %s",
			set,
			capture->server.is_mariadb ? "MariaDB (0-1-100)" : "MySQL (UUID:1-100)");
	buf_text(&begin->gtids, set);
	return RC_OK;
}

static enum rc begin_new(struct capture *capture, struct link *link, const struct place *end,
	struct slice end_gtids, struct beginning *begin, struct fault *fault)
{
	const char *start = capture->options.start;
	if (strcmp(start, "earliest") == 0)
		return begin_earliest(capture, link, begin, fault);
	if (strcmp(start, "now") == 0) {
		begin->place = *end;
		begin->flavor = !capture->server.has_gtids ? GTID_NONE
			: capture->server.is_mariadb       ? GTID_MARIADB
							   : GTID_MYSQL;
		if (begin->flavor != GTID_NONE)
			buf_slice(&begin->gtids, end_gtids);
		return RC_OK;
	}
	if (strncmp(start, "gtid:", 5) == 0)
		return begin_at_gtid(capture, start + 5, begin, fault);
	struct slice file;
	if (!filter_place(start, &file, &begin->place.pos))
		__builtin_trap(); /* capture_start has checked it */
	(void)snprintf(begin->place.file, sizeof begin->place.file, "%.*s", SLICE_ARGS(file));
	return gtids_before(
		capture, link, &begin->place, false, &begin->gtids, &begin->flavor, fault);
}

/* The first position is committed before the first event: a start at "now" must not be another now
 * after a crash. */
static enum rc start_stream(struct capture *capture, struct link *link, const struct place *end,
	struct slice end_gtids, struct fault *fault)
{
	struct beginning begin = {.gtids = buf_of(LOG_BATCH_MAX)};
	enum rc rc = begin_new(capture, link, end, end_gtids, &begin, fault);
	if (rc == RC_OK) {
		struct writer *writer = &capture->writer;
		writer_set_gtids(writer, begin.flavor, buf_as_slice(&begin.gtids));
		(void)snprintf(writer->position.server, sizeof writer->position.server, "%s",
			capture->server.identity);
		rc = writer_start(writer, begin.place.file, begin.place.pos, fault);
	}
	buf_release(&begin.gtids);
	return rc;
}

/* ---- a stream that goes on ---- */

static bool flavor_fits(const struct capture *capture)
{
	enum gtid_flavor flavor = capture->writer.flavor;
	return capture->server.has_gtids &&
		flavor == (capture->server.is_mariadb ? GTID_MARIADB : GTID_MYSQL);
}

static enum rc other_server(struct capture *capture, struct fault *fault)
{
	struct event_position *position = &capture->writer.position;
	if (!flavor_fits(capture)) {
		(void)fault_set(fault, RC_UNFIT,
			"the stream comes from server %s, this is %s, and they have no GTIDs in "
			"common to go by",
			position->server, capture->server.identity);
		fault_hint(fault,
			"connect to the server that the stream comes from, or start a new stream "
			"(another stream.name)");
		return RC_UNFIT;
	}
	(void)snprintf(position->server, sizeof position->server, "%s", capture->server.identity);
	capture->writer.done.position = *position;
	resume_epoch(capture, "another server");
	return RC_OK;
}

static enum rc has_our_gtids(
	struct capture *capture, struct slice end_gtids, bool *ret_has, struct fault *fault)
{
	struct gtid_set *there = gtid_set_new(capture->writer.flavor);
	enum rc rc = gtid_set_add(there, end_gtids);
	if (rc != RC_OK)
		rc = fault_set(fault, RC_PROTOCOL, "the source says that its GTID set is '%.*s'",
			SLICE_ARGS(end_gtids));
	else
		*ret_has = gtid_set_contains(there, capture->writer.done.gtids);
	gtid_set_free(there);
	return rc;
}

/* MySQL sends a transaction to its replicas before it counts it in gtid_executed: what seems to be
 * missing there may only be a moment late. */
static enum rc check_gtids(struct capture *capture, struct link *link, struct fault *fault)
{
	struct place end;
	struct buf gtids = buf_of(LOG_BATCH_MAX);
	bool has_ours = false;
	enum rc rc = RC_OK;
	for (int try = 0; rc == RC_OK && !has_ours && try < BEHIND_TRIES; try++) {
		if (try > 0)
			clock_sleep_us(BEHIND_PAUSE_US);
		buf_reset(&gtids);
		rc = mysql_server_binlog_end(
			link, &capture->server, end.file, &end.pos, &gtids, fault);
		if (rc == RC_OK)
			rc = has_our_gtids(capture, buf_as_slice(&gtids), &has_ours, fault);
		if (rc == RC_OK && atomic_load(&capture->stop))
			rc = fault_set(fault, RC_STOPPED, "asked to stop");
	}
	if (rc == RC_OK && !has_ours)
		rc = behind(&capture->writer.done.position, end.file, end.pos, buf_cstring(&gtids),
			fault);
	buf_release(&gtids);
	return rc;
}

static enum rc check_resume(struct capture *capture, struct link *link, const struct place *end,
	struct slice end_gtids, struct fault *fault)
{
	enum rc rc = RC_OK;
	bool is_same = strcmp(capture->writer.position.server, capture->server.identity) == 0;
	char *gtids = mem_text_of(end_gtids.at, end_gtids.len);
	if (is_same)
		rc = check_files(capture, link, end->file, end->pos, gtids, fault);
	else
		rc = other_server(capture, fault);
	mem_free(gtids);
	if (rc == RC_OK && flavor_fits(capture))
		rc = check_gtids(capture, link, fault);
	return rc;
}

static enum rc check_server(const struct mysql_server *server, struct fault *fault)
{
	if (!server->log_bin) {
		(void)fault_set(fault, RC_UNFIT, "the source writes no binlog (log_bin is OFF)");
		fault_hint(fault,
			"put log_bin=binlog and binlog_format=ROW under [mysqld] in its "
			"configuration and restart it; "
			"`millstream check` examines the rest");
		return RC_UNFIT;
	}
	if (strcmp(server->format, "ROW") != 0) {
		(void)fault_set(fault, RC_UNFIT,
			"the source logs statements, not rows (binlog_format is %s)",
			server->format);
		fault_hint(fault,
			"SET GLOBAL binlog_format=ROW; sessions that are open keep theirs until "
			"they reconnect");
		return RC_UNFIT;
	}
	return RC_OK;
}

static void fill_start(struct capture *capture, struct binlog_start *start, struct buf *gtids)
{
	const struct writer *writer = &capture->writer;
	*start = (struct binlog_start){
		.by_gtid = flavor_fits(capture),
		.file = writer->done.position.file,
		.pos = writer->done.position.pos,
		.replica_id = capture->options.replica_id,
		.heartbeat_us = capture->options.heartbeat_us,
		.event_max = capture->options.max_row,
		.stop = &capture->stop,
	};
	buf_reset(gtids);
	if (start->by_gtid)
		gtid_set_text(writer->done.gtids, gtids);
	start->gtids = buf_cstring(gtids);
}

/* Only a stream without a single batch has no position. Any other one that has lost it must not
 * begin again. */
static enum rc check_position(const struct capture *capture, struct fault *fault)
{
	if (capture->is_new || capture->writer.position.server[0])
		return RC_OK;
	return fault_set(fault, RC_CORRUPT,
		"the stream has events, but no position in the source to go on from");
}

enum rc resume_prepare(struct capture *capture, struct link *link, struct binlog_start *ret_start,
	struct buf *gtids, struct fault *fault)
{
	struct place end;
	enum rc rc = mysql_server_read(link, &capture->server, fault);
	if (rc == RC_OK)
		rc = check_server(&capture->server, fault);
	buf_reset(gtids);
	if (rc == RC_OK)
		rc = mysql_server_binlog_end(
			link, &capture->server, end.file, &end.pos, gtids, fault);
	if (rc != RC_OK)
		return rc;
	rc = check_position(capture, fault);
	if (rc != RC_OK)
		return rc;
	if (capture->options.until_end && !capture->target.file[0])
		capture->target = end;
	capture->plans.is_mariadb = capture->server.is_mariadb;
	capture->schemas.server = &capture->server;
	if (!capture->writer.position.server[0])
		rc = start_stream(capture, link, &end, buf_as_slice(gtids), fault);
	else
		rc = check_resume(capture, link, &end, buf_as_slice(gtids), fault);
	if (rc == RC_OK)
		fill_start(capture, ret_start, gtids);
	return rc;
}
