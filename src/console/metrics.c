/* /metrics: Prometheus text format 0.0.4, and docs/METRICS.md from the same tables.
 *
 * Prometheus counts in seconds: a metric of the stage table whose name ends in _microseconds is
 * written as _seconds. */
#include "console/inside.h"

#include <stdio.h>

#include "base/json.h"

enum metric {
#define METRIC(name, type, metric, label, help) METRIC_##name,
#include "console/metrics.def"
#undef METRIC
	METRIC_COUNT
};

static const struct {
	const char *name, *label, *help;
	enum { COUNTER, GAUGE } type;
} rows[METRIC_COUNT] = {
#define METRIC(name, type, metric, label, help) {metric, label, help, type},
#include "console/metrics.def"
#undef METRIC
};

enum { NAME_MAX_BYTES = 100 };

/* ---- one line ---- */

static void put_head(struct buf *out, const char *name, const char *help, bool is_counter)
{
	buf_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
		is_counter ? "counter" : "gauge");
}

static void put_row_head(struct buf *out, enum metric metric)
{
	put_head(out, rows[metric].name, rows[metric].help, rows[metric].type == COUNTER);
}

/* NAME{LABEL="VALUE"} and a blank; no braces without a label. */
static void put_name(struct buf *out, const char *name, const char *label, const char *value)
{
	buf_text(out, name);
	if (label[0]) {
		buf_format(out, "{%s=\"", label);
		for (; *value; value++) {
			if (*value == '\\' || *value == '"')
				buf_u8(out, '\\');
			if (*value == '\n')
				buf_text(out, "\\n");
			else
				buf_u8(out, (uint8_t)*value);
		}
		buf_text(out, "\"}");
	}
	buf_u8(out, ' ');
}

static void put_whole(struct buf *out, enum metric metric, const char *value, uint64_t number)
{
	put_name(out, rows[metric].name, rows[metric].label, value);
	buf_json_u64(out, number);
	buf_u8(out, '\n');
}

static void put_real(struct buf *out, enum metric metric, const char *value, double number)
{
	put_name(out, rows[metric].name, rows[metric].label, value);
	buf_json_double(out, number);
	buf_u8(out, '\n');
}

static void put_single(struct buf *out, enum metric metric, uint64_t number)
{
	put_row_head(out, metric);
	put_whole(out, metric, "", number);
}

static void put_single_real(struct buf *out, enum metric metric, double number)
{
	put_row_head(out, metric);
	put_real(out, metric, "", number);
}

/* ---- stages ---- */

/* Whether the stage table's metric is a time, and its name for Prometheus. */
static bool stage_metric_is_time(size_t index, char ret_name[NAME_MAX_BYTES])
{
	static const char micro[] = "_microseconds";
	const char *name = stage_metric_name(index);
	size_t len = strlen(name), end = sizeof micro - 1;
	bool is_time = len > end && strcmp(name + len - end, micro) == 0;
	(void)snprintf(ret_name, NAME_MAX_BYTES, "millstream_%.*s%s",
		(int)(is_time ? len - end : len), name, is_time ? "_seconds" : "");
	return is_time;
}

static void put_stage_metric(struct buf *out, size_t index)
{
	char name[NAME_MAX_BYTES];
	bool is_time = stage_metric_is_time(index, name);
	put_head(out, name, stage_metric_help(index), stage_metric_is_counter(index));
	const struct stage *stage;
	for (size_t i = 0; (stage = stage_at(i)); i++) {
		uint64_t number = stage_get(stage, (enum stage_metric)index);
		put_name(out, name, "stage", stage_name(stage));
		if (is_time)
			buf_json_double(out, (double)number / 1e6);
		else
			buf_json_u64(out, number);
		buf_u8(out, '\n');
	}
}

static void put_lags(const struct console *console, struct buf *out)
{
	const struct stage *stage;
	struct lag lags[STAGE_MAX]; /* of one moment for both metrics */
	for (size_t i = 0; (stage = stage_at(i)); i++)
		lags[i] = samples_lag(&console->samples, stage);
	put_row_head(out, METRIC_LAG_EVENTS);
	for (size_t i = 0; (stage = stage_at(i)); i++) {
		if (lags[i].is_known)
			put_whole(out, METRIC_LAG_EVENTS, stage_name(stage), lags[i].events);
	}
	put_row_head(out, METRIC_LAG_SECONDS);
	for (size_t i = 0; (stage = stage_at(i)); i++) {
		if (lags[i].is_known)
			put_real(out, METRIC_LAG_SECONDS, stage_name(stage),
				(double)lags[i].us / 1e6);
	}
}

/* ---- the stream and its consumers ---- */

static void put_stream(const struct console *console, struct buf *out)
{
	uint64_t next = 0;
	if (console->facts.is_known) {
		put_single(out, METRIC_STREAM_SHARDS, console->facts.shards);
		put_single(out, METRIC_STREAM_FIRST, console->facts.first);
		put_single(out, METRIC_STREAM_BYTES, console->facts.bytes);
	}
	if (!console_stream_next(console, &next))
		return;
	put_single(out, METRIC_STREAM_NEXT, next);
	const struct stream_facts *facts = &console->facts;
	if (facts->consumer_count == 0)
		return;
	put_row_head(out, METRIC_CONSUMER_NEXT);
	for (size_t i = 0; i < facts->consumer_count; i++)
		put_whole(out, METRIC_CONSUMER_NEXT, facts->consumers[i].name,
			facts->consumers[i].next);
	put_row_head(out, METRIC_CONSUMER_LAG);
	for (size_t i = 0; i < facts->consumer_count; i++) {
		uint64_t at = facts->consumers[i].next;
		put_whole(out, METRIC_CONSUMER_LAG, facts->consumers[i].name,
			samples_events_between(&console->samples, at, next));
	}
}

static void put_process(struct buf *out)
{
	struct process process;
	process_read(&process);
	put_single(out, METRIC_MEMORY, process.resident_bytes);
	put_single_real(out, METRIC_CPU, process.cpu_s);
	put_single(out, METRIC_OPEN_FILES, process.open_files);
	put_single(out, METRIC_MOST_FILES, process.most_files);
	put_single_real(out, METRIC_START, process.start_s);
}

void metrics_write(const struct console *console, struct buf *out)
{
	put_single(out, METRIC_UP, 1);
	put_row_head(out, METRIC_BUILD_INFO);
	put_whole(out, METRIC_BUILD_INFO, console->version, 1);
	if (stage_at(0)) {
		for (size_t i = 0; stage_metric_name(i); i++)
			put_stage_metric(out, i);
		put_lags(console, out);
	}
	put_stream(console, out);
	put_process(out);
}

/* ---- docs/METRICS.md ---- */

static void put_docs_row(
	struct buf *out, const char *name, bool is_counter, const char *label, const char *help)
{
	buf_format(out, "| `%s` | %s | %s | %s |\n", name, is_counter ? "counter" : "gauge", label,
		help);
}

void console_write_metrics_docs(struct buf *out)
{
	static const char head[] = "| metric | type | label | what it tells |\n|---|---|---|---|\n";
	buf_text(out,
		"# Metrics\n\n"
		"<!-- Generated from src/base/stage.def and src/console/metrics.def by `./dev "
		"docs`; `./dev test tidy` compares. -->\n\n"
		"`GET /metrics` on the console's address (`console.listen`), in the text "
		"format 0.0.4 of Prometheus:\n\n"
		"```yaml\n# prometheus.yml\nscrape_configs:\n  - job_name: millstream\n"
		"    static_configs:\n      - targets: [\"127.0.0.1:8080\"]\n```\n\n"
		"## Of each stage\n\n"
		"A stage is a part of the flow: `capture`, `stream`, `archive`, `sink:NAME`. What "
		"a stage does not know is 0. Counters begin at 0 with the process.\n\n");
	buf_text(out, head);
	for (size_t i = 0; stage_metric_name(i); i++) {
		char name[NAME_MAX_BYTES];
		(void)stage_metric_is_time(i, name);
		put_docs_row(
			out, name, stage_metric_is_counter(i), "`stage`", stage_metric_help(i));
	}
	buf_text(out, "\n## Of the whole\n\n");
	buf_text(out, head);
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		char label[NAME_MAX_BYTES] = "";
		if (rows[i].label[0])
			(void)snprintf(label, sizeof label, "`%s`", rows[i].label);
		put_docs_row(out, rows[i].name, rows[i].type == COUNTER, label, rows[i].help);
	}
	buf_text(out,
		"\n## What to be woken for\n\n"
		"| when | it means |\n|---|---|\n"
		"| `millstream_state == 3` | a stage has stopped by an error and waits for a "
		"hand; `/healthz` says why |\n"
		"| `millstream_lag_seconds > 60` for some minutes (the archive: above "
		"`archive.object_age`) | a consumer does not keep up, or its target is away |\n"
		"| `increase(millstream_dead_letters_total[10m]) > 0` | a target refuses "
		"documents |\n"
		"| `millstream_state{stage=\"capture\"} == 2` for some minutes | the source "
		"cannot be reached, or the disk is full |\n"
		"| `process_open_fds > 0.8 * process_max_fds` | the limit of open files is "
		"near |\n");
}
