/* What the tests of sinks share: a real stream in a folder, filled line by line, and a sink that
 * runs over it.
 *
 * All lines are also written to DATA/lines.ndjson, for fold.py, which makes tables of them by
 * itself. */
#ifndef TESTS_SINKS_STREAM_H
#define TESTS_SINKS_STREAM_H

#include <sqlite3.h>
#include <stdarg.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/crash.h"
#include "base/mem.h"
#include "base/stage.h"
#include "sinks/sinks.h"
#include "unit.h"

enum { PENDING_MAX = 20000 };

struct stream {
	char *data, *folder;
	struct hub *hub;
	uint32_t shards;
	uint64_t next, batch_first;
	FILE *lines;
	size_t pending_count;
	struct pending {
		char *line, *key;
		uint64_t ordinal;
		bool is_control;
	} pending[PENDING_MAX];
};

static inline struct stage *unit_stage(const char *name)
{
	for (size_t i = 0; stage_at(i); i++) {
		if (strcmp(stage_name(stage_at(i)), name) == 0)
			return (struct stage *)(uintptr_t)stage_at(i);
	}
	return stage_new("sink", name);
}

static inline void unit_stage_reset(struct stage *stage)
{
	for (int i = 0; i < STAGE_METRIC_COUNT; i++)
		stage_set(stage, (enum stage_metric)i, 0);
}

/* Opens or makes the stream "changes" in a data folder. `retention_size` 0: no limit. */
static inline void stream_open_small(
	struct stream *stream, const char *data, uint32_t shards, uint64_t retention_size)
{
	struct fault fault = {0};
	struct hub_options options = {
		.data = data,
		.name = "changes",
		.shards = shards,
		.codec = LOG_ZSTD,
		.level = 1,
		.batch_size = 1 << 20,
		.line_max = 64 << 20,
		.segment_size = retention_size ? 1 << 20 : 64 << 20,
		.retention_size = retention_size,
		.retention_us = INT64_C(86400000000),
		.stage = unit_stage("log"),
	};
	*stream = (struct stream){.data = strdup(data), .shards = shards};
	enum rc rc = hub_open(&options, &stream->hub, &fault);
	if (rc != RC_OK)
		print_error("%s\n", fault.text);
	assert_rc(rc);
	stream->next = stream->batch_first = hub_state(stream->hub)->next_ordinal;
	stream->folder = hub_folder(data, "changes");
	char path[400];
	snprintf(path, sizeof path, "%s/lines.ndjson", data);
	stream->lines = fopen(path, "a");
	assert_non_null(stream->lines);
}

static inline void stream_open(struct stream *stream, const char *data, uint32_t shards)
{
	stream_open_small(stream, data, shards, 0);
}

static inline void stream_put(struct stream *stream, char *line, const char *key, bool is_control)
{
	assert_true(stream->pending_count < PENDING_MAX);
	fputs(line, stream->lines);
	stream->pending[stream->pending_count++] = (struct pending){
		.line = line,
		.key = strdup(key),
		.ordinal = stream->next++,
		.is_control = is_control,
	};
}

/* A row change of DB.TABLE. `key` is its JSON object and `values` its part of the partition key;
 * `key` NULL: a table without a key. `row` is `before` for a delete, else `after`. */
static inline void stream_row(struct stream *stream, char op, const char *db, const char *table,
	const char *key, const char *values, const char *row)
{
	char *line =
		mem_format("{\"op\":\"%c\",\"db\":\"%s\",\"table\":\"%s\","
			   "\"ts\":\"2026-11-25T07:34:00Z\",\"pos\":{\"file\":\"binlog.000003\","
			   "\"pos\":1234,\"row\":0},\"ord\":%llu,\"key\":%s,\"%s\":%s}\n",
			op, db, table, (unsigned long long)stream->next, key ? key : "null",
			op == 'd' ? "before" : "after", row);
	char *partition_key = mem_format("%s.%s|%s", db, table, values);
	stream_put(stream, line, partition_key, false);
	mem_free(partition_key);
}

/* A row of a table with the one key column `id`; the rest of the row as text: ,"title":"x" */
static inline void stream_id(
	struct stream *stream, char op, const char *table, unsigned id, const char *format, ...)
{
	char values[32], key[48], rest[4000];
	va_list args;
	va_start(args, format);
	vsnprintf(rest, sizeof rest, format, args);
	va_end(args);
	snprintf(values, sizeof values, "%u", id);
	snprintf(key, sizeof key, "{\"id\":%u}", id);
	char *row = mem_format("{\"id\":%u%s}", id, rest);
	stream_row(stream, op, "shop", table, key, values, row);
	mem_free(row);
}

/* A control event: `rest` is what stands behind "ord":N. */
static inline void stream_control(
	struct stream *stream, char op, const char *db, const char *table, const char *rest)
{
	char *name = table ? mem_format("\"%s\"", table) : mem_text("null");
	char *line =
		mem_format("{\"op\":\"%c\",\"db\":\"%s\",\"table\":%s,"
			   "\"ts\":\"2026-11-25T07:34:00Z\",\"pos\":{\"file\":\"binlog.000003\","
			   "\"pos\":1234},\"ord\":%llu%s}\n",
			op, db, name, (unsigned long long)stream->next, rest);
	char *key = mem_format("%s.%s|", db, table ? table : "");
	stream_put(stream, line, key, true);
	mem_free(key);
	mem_free(name);
}

static inline void stream_add(
	struct log_batch *batch, uint32_t shard, const struct pending *pending)
{
	size_t len = strlen(pending->line);
	struct log_run *run = log_batch_run(batch, shard);
	uint8_t *at = log_run_reserve(run, len);
	assert_non_null(at);
	memcpy(at, pending->line, len);
	log_run_add(run, len, pending->ordinal, slice_text(pending->key));
}

/* Makes one durable batch of what was put since the last one. */
static inline void stream_commit(struct stream *stream)
{
	static const struct event_position position;
	atomic_bool stop = false;
	struct fault fault = {0};
	struct buf controls = buf_of(1 << 24);
	struct log_batch *batch = hub_batch_begin(stream->hub, &stop);
	assert_non_null(batch);
	for (size_t i = 0; i < stream->pending_count; i++) {
		struct pending *pending = &stream->pending[i];
		for (uint32_t shard = 0; pending->is_control && shard < stream->shards; shard++)
			stream_add(batch, shard, pending);
		if (pending->is_control)
			buf_text(&controls, pending->line);
		else
			stream_add(batch,
				hub_shard_of_key(slice_text(pending->key), stream->shards),
				pending);
		mem_free(pending->line);
		free(pending->key);
	}
	stream->pending_count = 0;
	struct hub_mark mark = {
		.first_ordinal = stream->batch_first,
		.count = stream->next - stream->batch_first,
		.stream_time_us = clock_wall_us(),
		.controls = buf_as_slice(&controls),
		.position = &position,
	};
	assert_rc(hub_batch_commit(stream->hub, batch, &mark, &fault));
	assert_rc(hub_flush(stream->hub, &fault));
	stream->batch_first = stream->next;
	buf_release(&controls);
	fflush(stream->lines);
}

/* Closes the hub; the rest stays for sinks that read. */
static inline void stream_shut(struct stream *stream)
{
	hub_close(stream->hub);
	stream->hub = NULL;
}

static inline void stream_close(struct stream *stream)
{
	stream_shut(stream);
	fclose(stream->lines);
	mem_free(stream->folder);
	free(stream->data);
}

/* ---- sinks ---- */

/* A configuration with the sink "x"; the settings are "key=value" without "sinks.x.", ended by
 * NULL. */
static inline void sink_config(struct config *config, const char *const *assignments)
{
	struct fault fault = {0};
	config_init(config);
	for (; *assignments; assignments++) {
		char *text = mem_format("sinks.x.%s", *assignments);
		enum rc rc = config_set(config, text, &fault);
		if (rc != RC_OK)
			print_error("%s\n", fault.text);
		assert_rc(rc);
		mem_free(text);
	}
}

#define SETTINGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static inline struct sink_options sink_options_of(
	const struct stream *stream, const struct config *config)
{
	return (struct sink_options){
		.name = "x",
		.settings = config->sinks[0].settings,
		.folder = stream->folder,
		.data = stream->data,
		.stage = unit_stage("sink:x"),
	};
}

/* Delivers everything that is in the stream. */
static inline enum rc sink_run(
	const struct stream *stream, const struct config *config, struct fault *fault)
{
	struct sink_options options = sink_options_of(stream, config);
	struct sink *sink;
	*fault = (struct fault){0};
	unit_stage_reset(options.stage);
	enum rc rc = sink_start(&options, &sink, fault);
	if (rc != RC_OK)
		return rc;
	sink_drain(sink, stream->next);
	return sink_join(sink, fault);
}

static inline void sink_run_well(const struct stream *stream, const struct config *config)
{
	struct fault fault;
	enum rc rc = sink_run(stream, config, &fault);
	if (rc != RC_OK)
		print_error("%s (%s)\n", fault.text, fault.hint);
	assert_rc(rc);
}

/* ---- looking at results ---- */

/* The first column of the first row, as text; "(none)" without a row, "(null)" for NULL. Static. */
static inline const char *sql_ask(const char *path, const char *format, ...)
{
	static char answer[4096];
	sqlite3 *handle;
	sqlite3_stmt *statement;
	va_list args;
	va_start(args, format);
	char *text = sqlite3_vmprintf(format, args);
	va_end(args);
	assert_int_equal(sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	sqlite3_busy_timeout(handle, 5000);
	int status = sqlite3_prepare_v2(handle, text, -1, &statement, NULL);
	if (status != SQLITE_OK)
		print_error("%s: %s\n", text, sqlite3_errmsg(handle));
	assert_int_equal(status, SQLITE_OK);
	status = sqlite3_step(statement);
	if (status != SQLITE_ROW && status != SQLITE_DONE)
		print_error("%s: %s\n", text, sqlite3_errmsg(handle));
	assert_true(status == SQLITE_ROW || status == SQLITE_DONE);
	const char *value =
		status == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : "(none)";
	snprintf(answer, sizeof answer, "%s", value ? value : "(null)");
	sqlite3_finalize(statement);
	sqlite3_close(handle);
	sqlite3_free(text);
	return answer;
}

/* Whether the read model equals what fold.py makes of the lines, but for those with `without` in
 * them. */
static inline bool equals_fold_without(
	const struct stream *stream, const char *path, const char *without)
{
	char command[1000];
	snprintf(command, sizeof command,
		"/usr/bin/python3 '" UNIT_SOURCE
		"/tests/unit/sinks/fold.py' '%s/lines.ndjson' '%s' %s",
		stream->data, path, without);
	return system(command) == 0;
}

static inline bool equals_fold(const struct stream *stream, const char *path)
{
	return equals_fold_without(stream, path, "");
}

/* A value that SQLite's JSON functions do not take: more than 2000 levels of arrays. Freed with
 * mem_free. */
static inline char *deep_json(void)
{
	enum { LEVELS = 2100 };
	char *text = mem_new(2 * LEVELS + 1, 1);
	memset(text, '[', LEVELS);
	memset(text + LEVELS, ']', LEVELS);
	return text;
}

#endif
