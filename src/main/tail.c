/* The sub-command tail: prints the stream.
 *
 * Into a pipe (or with --json) the lines are printed as they are. For people each event is one
 * line: when, ordinal, what, of which table and key, and what changed.
 *
 * Reads the files of the stream itself, so it works while a `run` writes, and while none does.
 * Thread: main. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/glob.h"
#include "base/mem.h"
#include "hub/hub.h"
#include "main/cli.h"

enum { OUT_MAX = 1 << 30, FLUSH_AT = 64 << 10, WAIT_US = 250000, SHOWN = 160 };

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

struct tail {
	const struct cli *cli;
	struct buf out;
	bool pretty, colour;
	int64_t left; /* negative: no limit */
};

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

static enum rc read_from(const struct cli *cli, struct hub_start *ret_start, struct fault *fault)
{
	const char *from = cli->from ? cli->from : cli->follow ? "latest" : "oldest";
	*ret_start = (struct hub_start){.from = HUB_OLDEST};
	if (strcmp(from, "latest") == 0)
		ret_start->from = HUB_LATEST;
	else if (is_number(from) && strlen(from) > 20) {
		ret_start->from = HUB_AT_SEQUENCE;
		ret_start->sequence = from;
	} else if (is_number(from)) {
		ret_start->from = HUB_AT_ORDINAL;
		ret_start->ordinal = strtoull(from, NULL, 10);
	} else if (event_time_read(slice_text(from), &ret_start->time_us) == RC_OK) {
		ret_start->from = HUB_AT_TIME;
	} else if (strcmp(from, "oldest") != 0) {
		return fault_set(fault, RC_USAGE,
			"--from takes oldest, latest, an ordinal, a sequence number or a time such "
			"as "
			"2026-11-25T07:34:00Z, not '%s'",
			from);
	}
	return RC_OK;
}

static bool is_wanted(const struct tail *tail, const struct event_view *view)
{
	if (!tail->cli->table)
		return true;
	struct buf database = buf_of(4096), table = buf_of(4096);
	bool wanted = event_unescape(view->database, &database) == RC_OK &&
		event_unescape(view->table, &table) == RC_OK &&
		glob_match_table(slice_text(tail->cli->table), buf_as_slice(&database),
			buf_as_slice(&table));
	buf_release(&database);
	buf_release(&table);
	return wanted;
}

/* ---- for people ---- */

struct word {
	const char *text, *colour;
};

static struct word word_of(const struct event_view *view)
{
	switch (view->op) {
	case EVENT_CREATE:
		return (struct word){"create", "\033[32m"};
	case EVENT_UPDATE:
		return (struct word){"update", "\033[33m"};
	case EVENT_DELETE:
		return (struct word){"delete", "\033[31m"};
	case EVENT_READ:
		return (struct word){"read", "\033[36m"};
	case EVENT_TRUNCATE:
		return (struct word){view->is_drop ? "drop" : "truncate", "\033[35m"};
	case EVENT_SCHEMA:
		return (struct word){"schema", "\033[34m"};
	}
	return (struct word){"?", ""};
}

/* Cut to what fits on a line, at a character's start. */
static void put_cut(struct buf *out, struct slice text)
{
	size_t len = text.len;
	if (len > SHOWN) {
		for (len = SHOWN; len > 0 && (text.at[len] & 0xc0) == 0x80; len--)
			continue;
	}
	buf_bytes(out, text.at, len);
	buf_text(out, len < text.len ? "..." : "");
}

static void put_pretty(struct tail *tail, const struct event_view *view)
{
	struct buf *out = &tail->out;
	struct word word = word_of(view);
	const char *dim = tail->colour ? "\033[2m" : "", *plain = tail->colour ? "\033[0m" : "";
	buf_format(out, "%s%.*s #%llu%s ", dim, SLICE_ARGS(view->ts),
		(unsigned long long)view->ordinal, plain);
	buf_format(out, "%s%-8s%s %.*s.%.*s ", tail->colour ? word.colour : "", word.text, plain,
		SLICE_ARGS(view->database), view->table.len ? (int)view->table.len : 1,
		view->table.len ? (const char *)view->table.at : "*");
	if (view->key.len > 0 && view->key.at[0] == '{')
		put_cut(out, view->key);
	if (view->op == EVENT_UPDATE) {
		buf_format(out, " %swas%s ", dim, plain);
		put_cut(out, view->before);
	}
	struct slice rest = view->op == EVENT_DELETE ? view->before : view->after;
	if (view->ddl.len > 0)
		rest = view->ddl;
	else if (view->columns.len > 0)
		rest = view->columns;
	if (rest.len > 0) {
		buf_format(out, " %s%s%s ", dim, view->op == EVENT_UPDATE ? "now" : "", plain);
		put_cut(out, rest);
	}
	buf_u8(out, '\n');
}

/* ---- reading ---- */

static enum rc print_record(struct tail *tail, const struct log_record *record, struct fault *fault)
{
	struct event_view view;
	if (event_view_read(record->line, &view) != RC_OK)
		return fault_set(fault, RC_CORRUPT,
			"the record of ordinal %llu is not a line of this version",
			(unsigned long long)record->ordinal);
	if (!is_wanted(tail, &view))
		return RC_OK;
	if (tail->pretty)
		put_pretty(tail, &view);
	else
		buf_slice(&tail->out, record->line);
	if (tail->out.len >= FLUSH_AT) {
		cli_print(&tail->out);
		buf_reset(&tail->out);
	}
	return tail->left > 0 && --tail->left == 0 ? RC_END : RC_OK;
}

static enum rc print_batch(
	struct tail *tail, struct hub_reader *reader, struct log_view *view, struct fault *fault)
{
	struct log_cursor cursor;
	struct log_record record;
	enum rc rc = log_cursor_start(&cursor, hub_reader_log(reader), view, fault);
	while (rc == RC_OK && !interrupted) {
		rc = log_cursor_next(&cursor, &record, fault);
		if (rc == RC_END)
			return RC_OK;
		if (rc == RC_OK && record.ordinal >= hub_reader_from(reader))
			rc = print_record(tail, &record, fault);
	}
	return rc;
}

static enum rc print_stream(struct tail *tail, struct hub_reader *reader, struct fault *fault)
{
	while (!interrupted) {
		struct log_view *view;
		enum rc rc = hub_read(reader, 0, &view, fault);
		if (rc == RC_TIMEOUT) {
			cli_print(&tail->out);
			buf_reset(&tail->out);
			if (!tail->cli->follow)
				return RC_OK;
			rc = hub_read(reader, WAIT_US, &view, fault);
			if (rc == RC_TIMEOUT)
				continue;
		}
		if (rc == RC_OK)
			rc = print_batch(tail, reader, view, fault);
		if (rc != RC_OK) {
			cli_print(&tail->out);
			return rc == RC_END ? RC_OK : rc;
		}
	}
	return RC_OK;
}

enum rc command_tail(struct cli *cli, struct fault *fault)
{
	struct hub_start start;
	struct hub_reader *reader = NULL;
	struct tail tail = {
		.cli = cli, .out = buf_of(OUT_MAX), .left = cli->limit > 0 ? cli->limit : -1};
	tail.pretty = cli->is_terminal && !cli->json;
	tail.colour = tail.pretty && !getenv("NO_COLOR");
	enum rc rc = read_from(cli, &start, fault);
	if (rc != RC_OK)
		return rc;
	(void)signal(SIGINT, on_signal);
	(void)signal(SIGTERM, on_signal);
	char *folder = hub_folder(settings_text(cli->config.top, SET_DATA),
		settings_text(cli->config.top, SET_STREAM_NAME));
	rc = hub_reader_open(folder, &start, &reader, fault);
	if (rc == RC_NOT_FOUND)
		fault_hint(fault, "is --config right? `millstream run` makes the stream");
	if (rc == RC_OK)
		rc = print_stream(&tail, reader, fault);
	hub_reader_close(reader);
	buf_release(&tail.out);
	mem_free(folder);
	return rc;
}
