/* The life of the role capture: start, connections and reconnections, end; see capture.h.
 *
 *   connect -> resume_prepare -> follow --+-- connection lost: drop what was not committed, wait,
 * connect ^                                  |
 *      +----------------------------------+-- an event that cannot be taken: once more, up to its
 * transaction, then stop with it
 *                                         +-- stop asked for, or the end reached: commit, flush,
 * end
 *
 * Nothing is kept over a lost connection but what was committed: the source tells the rest again.
 */
#include "capture/capture.h"

#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/notice.h"
#include "base/stage.h"
#include "capture/filter.h"
#include "capture/inside.h"

enum { FIRST_PAUSE_US = 250000, CORRUPT_TRIES = 3 };

size_t capture_line_max(size_t max_row)
{
	/* every byte of a row may have to be escaped, and rows are told once or twice (update: what
	 * changed, and the whole) */
	return (size_t)2 * JSON_ESCAPE_MAX * max_row + (1 << 20);
}

/* ---- one connection ---- */

static void disconnect(struct capture *capture)
{
	binlog_close(capture->binlog);
	capture->binlog = NULL;
	capture->received = 0;
	capture->group = (struct group){0};
	plans_forget(&capture->plans);
}

static enum rc connect_source(struct capture *capture, struct fault *fault)
{
	struct link *link = NULL;
	struct binlog_start start;
	struct buf gtids = buf_of(LOG_BATCH_MAX);
	enum rc rc = link_open(&capture->options.source, &link, fault);
	if (rc != RC_OK)
		return rc;
	char name[256];
	(void)snprintf(name, sizeof name, "%s", link_name(link));
	rc = resume_prepare(capture, link, &start, &gtids, fault);
	if (rc == RC_OK) {
		rc = binlog_open(link, &capture->server, &start, &capture->binlog, fault);
		link = NULL; /* the binlog's now, in any case */
	}
	link_close(link);
	if (rc == RC_OK) {
		notice(NOTICE_CAPTURE_CONNECTED,
			FIELDS(field_text("source", name),
				field_text("version", capture->server.version_text),
				field_text("file", start.file), field_u64("pos", start.pos),
				field_text("gtids", start.by_gtid ? start.gtids : "")));
		stage_say(capture->options.stage, STAGE_RUNNING, "following %s (%s)", name,
			capture->server.version_text);
	}
	buf_release(&gtids);
	return rc;
}

/* The position may stand at the target already: nothing may be left that would say so. */
static bool is_done(const struct capture *capture)
{
	const struct event_position *position = &capture->writer.done.position;
	if (!capture->target.file[0] || !position->file[0] || position->rows > 0)
		return false;
	struct place here = place_of(position->file, position->pos);
	return place_compare(&here, &capture->target) >= 0;
}

static enum rc run_connection(struct capture *capture, struct group *ret_group, struct fault *fault)
{
	enum rc rc = connect_source(capture, fault);
	if (rc == RC_OK)
		rc = is_done(capture) ? RC_END : follow(capture, fault);
	*ret_group = capture->group;
	if ((rc == RC_END || rc == RC_STOPPED) && !capture->group.is_open &&
		hub_failed(capture->options.hub, NULL) == RC_OK) {
		struct fault late;
		enum rc committed = writer_commit(&capture->writer, &late);
		if (committed != RC_OK && committed != RC_STOPPED) {
			*fault = late;
			rc = committed;
		}
	}
	disconnect(capture);
	return rc;
}

/* ---- what comes after a connection ---- */

/* An event stopped us. Transactions in front of its own may be complete in the open batch: all is
 * read again and committed up to there, so that the stream ends right before the one that cannot be
 * taken. */
static bool wants_another_go(
	struct capture *capture, const struct group *group, enum rc rc, const struct fault *fault)
{
	if (!follow_is_about_event(rc) || capture->stop_before.file[0] || !group->is_open ||
		group->is_split || !writer_has_lines(&capture->writer))
		return false;
	capture->stop_before = group->start;
	capture->stop_fault = *fault;
	return true;
}

static void wait_to_reconnect(struct capture *capture, int64_t *pause_us)
{
	int64_t until = clock_monotonic_us() + *pause_us;
	while (!atomic_load(&capture->stop) && clock_monotonic_us() < until)
		clock_sleep_us(50000);
	*pause_us *= 2;
	if (*pause_us > capture->options.reconnect_max_us)
		*pause_us = capture->options.reconnect_max_us;
}

struct attempt {
	int64_t pause_us;
	unsigned corrupt;
	bool connected_once;
	uint64_t ordinal;
};

/* Whether to connect again after `rc`. */
static bool goes_on(
	struct capture *capture, struct attempt *attempt, enum rc rc, struct fault *fault)
{
	const struct event_position *position = &capture->writer.done.position;
	bool progressed = capture->writer.done.next_ordinal != attempt->ordinal;
	attempt->ordinal = capture->writer.done.next_ordinal;
	if (progressed) {
		attempt->pause_us = FIRST_PAUSE_US;
		attempt->corrupt = 0;
	}
	/* bytes that were damaged on their way are right the next time; damaged at the source they
	 * never are */
	bool again = rc_class(rc) == RC_RETRY ||
		(rc == RC_CORRUPT && attempt->corrupt++ < CORRUPT_TRIES);
	if (!again || atomic_load(&capture->stop) ||
		(capture->options.until_end && !attempt->connected_once))
		return false;
	notice_fault(NOTICE_CAPTURE_LOST, fault,
		FIELDS(field_text("file", position->file), field_u64("pos", position->pos),
			field_u64("again_in_ms", (uint64_t)attempt->pause_us / 1000)));
	stage_say(capture->options.stage, STAGE_WAITING, "%s", fault->text);
	stage_add(capture->options.stage, STAGE_RETRIES, 1);
	wait_to_reconnect(capture, &attempt->pause_us);
	return true;
}

static enum rc run(struct capture *capture, struct fault *fault)
{
	struct attempt attempt = {.pause_us = FIRST_PAUSE_US};
	for (;;) {
		writer_abandon(&capture->writer);
		control_abandon(capture);
		struct group group;
		enum rc rc = run_connection(capture, &group, fault);
		attempt.connected_once =
			attempt.connected_once || capture->writer.position.server[0];
		if (rc == RC_END && capture->stop_before.file[0]) {
			*fault = capture->stop_fault;
			return fault->rc;
		}
		if (wants_another_go(capture, &group, rc, fault))
			continue;
		if (atomic_load(&capture->stop) || rc == RC_END)
			return rc == RC_END || rc_class(rc) == RC_RETRY || rc == RC_STOPPED ? RC_OK
											    : rc;
		if (!goes_on(capture, &attempt, rc, fault))
			return rc;
	}
}

static void capture_main(void *arg)
{
	struct capture *capture = arg;
	struct fault fault = {0};
	enum rc rc = control_learn(capture, &fault);
	if (rc == RC_OK)
		rc = run(capture, &fault);
	if (rc == RC_OK)
		rc = hub_flush(capture->options.hub, &fault);
	capture->rc = rc;
	capture->fault = fault;
	if (rc != RC_OK)
		stage_say(capture->options.stage, STAGE_FAILED, "%s", fault.text);
	else
		stage_say(capture->options.stage, STAGE_DONE, "%s",
			atomic_load(&capture->stop) ? "stopped" : "reached the end");
	if (rc == RC_OK && !atomic_load(&capture->stop))
		notice(NOTICE_CAPTURE_ENDED,
			FIELDS(field_text("file", capture->target.file),
				field_u64("pos", capture->target.pos),
				field_u64("next_ordinal", capture->writer.done.next_ordinal)));
	atomic_store(&capture->ended, true);
}

/* ---- door ---- */

static enum rc check_start(const char *start, struct fault *fault)
{
	struct slice file;
	uint64_t pos;
	if (strcmp(start, "earliest") == 0 || strcmp(start, "now") == 0 ||
		(strncmp(start, "gtid:", 5) == 0 && start[5]))
		return RC_OK;
	if (filter_place(start, &file, &pos) && pos >= 4)
		return RC_OK;
	return fault_set(fault, RC_CONFIG,
		"'source.start' cannot be '%s': it is earliest, now, gtid:SET or FILE:POSITION",
		start);
}

static void init(struct capture *capture, const struct capture_options *options)
{
	capture->options = *options;
	writer_init(&capture->writer, &capture->options, &capture->stop);
	schemas_init(&capture->schemas, &capture->options, &capture->stop);
	encoder_init(&capture->encoder);
	capture->plans = (struct plans){.options = &capture->options, .schemas = &capture->schemas};
	capture->writer.fingerprint = filter_fingerprint(options);
	const struct hub_state *state = hub_state(options->hub);
	capture->is_new = state->is_new;
	if (!state->is_new && state->fingerprint != capture->writer.fingerprint)
		resume_epoch(capture, "the settings that decide what is captured were changed");
	if (!state->is_new) {
		struct buf text = buf_of(FAULT_TEXT_MAX);
		event_position_text(&state->position, &text);
		notice(NOTICE_CAPTURE_RESUMED,
			FIELDS(field_text("position", buf_cstring(&text)),
				field_u64("next_ordinal", capture->writer.next_ordinal)));
		buf_release(&text);
	}
	stage_set(options->stage, STAGE_NEXT_ORDINAL, capture->writer.next_ordinal);
	stage_set(options->stage, STAGE_STREAM_TIME, (uint64_t)capture->writer.stream_time_us);
	stage_say(options->stage, STAGE_STARTING, "connecting");
}

static void release(struct capture *capture)
{
	plans_release(&capture->plans);
	schemas_release(&capture->schemas);
	encoder_release(&capture->encoder);
	writer_release(&capture->writer);
	map_release(&capture->told, mem_free);
	mem_free(capture);
}

enum rc capture_start(
	const struct capture_options *options, struct capture **ret_capture, struct fault *fault)
{
	assert(options->replica_id != 0 && options->table_count > 0);
	enum rc rc = check_start(options->start, fault);
	if (rc == RC_OK)
		rc = filter_check(options, fault);
	if (rc != RC_OK)
		return rc;
	struct capture *capture = mem_new(1, sizeof *capture);
	init(capture, options);
	rc = thread_start(&capture->thread, THREAD_SOURCE, "source", capture_main, capture, fault);
	if (rc != RC_OK) {
		release(capture);
		return rc;
	}
	*ret_capture = capture;
	return RC_OK;
}

void capture_stop(struct capture *capture)
{
	atomic_store(&capture->stop, true);
}

bool capture_has_ended(const struct capture *capture)
{
	return atomic_load(&capture->ended);
}

enum rc capture_join(struct capture *capture, struct fault *fault)
{
	if (!capture)
		return RC_OK;
	thread_join(&capture->thread);
	enum rc rc = capture->rc;
	if (rc != RC_OK)
		*fault = capture->fault;
	release(capture);
	return rc;
}
