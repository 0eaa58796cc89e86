/* What the tests of the log share: batches whose contents follow from their ordinals, so that what
 * comes back can be checked without having been kept. */
#ifndef TESTS_LOG_TOOLS_H
#define TESTS_LOG_TOOLS_H

#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "log/log.h"

/* ---- a clock that stands still ---- */

static int64_t tool_now_us = 1767323045000000; /* 2026-01-02T03:04:05Z */
static const struct clock_ops *tool_real_clock;

static inline int64_t tool_wall_us(void)
{
	return tool_now_us;
}

static inline int64_t tool_monotonic_us(void)
{
	return tool_real_clock->monotonic_us();
}

static inline void tool_sleep_us(int64_t us)
{
	tool_real_clock->sleep_us(us);
}

static inline void tool_stop_clock(void)
{
	static const struct clock_ops stopped = {tool_wall_us, tool_monotonic_us, tool_sleep_us};
	if (clock_ops != &stopped)
		tool_real_clock = clock_ops;
	clock_ops = &stopped;
}

/* ---- contents ---- */

/* How a test's log is filled. */
struct tool_plan {
	uint32_t shards;
	enum log_codec codec;
	size_t line_len;        /* about; with the newline */
	uint64_t control_every; /* ordinals that are multiples of it stand in all shards; 0: none */
	bool is_random;         /* lines that do not compress */
};

static inline uint64_t tool_mix(uint64_t value)
{
	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
	return value ^ (value >> 31);
}

static inline uint32_t tool_shard(const struct tool_plan *plan, uint64_t ordinal)
{
	return (uint32_t)(tool_mix(ordinal) % plan->shards);
}

static inline size_t tool_line_len(const struct tool_plan *plan, uint64_t ordinal)
{
	return plan->line_len == 0 ? 0 : plan->line_len + tool_mix(ordinal + 7) % 3;
}

static inline void tool_line(const struct tool_plan *plan, uint64_t ordinal, uint8_t *at)
{
	size_t len = tool_line_len(plan, ordinal);
	char number[32];
	int digits = snprintf(number, sizeof number, "%llu ", (unsigned long long)ordinal);
	for (size_t i = 0; i < len; i++) {
		uint64_t any = plan->is_random ? tool_mix(ordinal * 100003 + i) >> 17 : i + ordinal;
		at[i] = i < (size_t)digits ? (uint8_t)number[i] : (uint8_t)('!' + any % 90);
	}
	if (len)
		at[len - 1] = '\n';
}

static inline struct slice tool_key(uint64_t ordinal, char room[64])
{
	int len = snprintf(room, 64, "shop.ads|%llu", (unsigned long long)(ordinal / 3));
	return slice_of(room, (size_t)len);
}

static inline bool tool_is_control(const struct tool_plan *plan, uint64_t ordinal)
{
	return plan->control_every && ordinal % plan->control_every == 0;
}

/* ---- writing ---- */

static inline struct log_batch *tool_batch(const struct tool_plan *plan)
{
	return log_batch_new(&(struct log_batch_options){
		.shards = plan->shards,
		.codec = plan->codec,
		.level = 1,
		.payload_keep = 1 << 20,
		.payload_max = 64 << 20,
	});
}

static inline void tool_add(
	const struct tool_plan *plan, struct log_batch *batch, uint32_t shard, uint64_t ordinal)
{
	char room[64];
	struct log_run *run = log_batch_run(batch, shard);
	size_t len = tool_line_len(plan, ordinal);
	uint8_t *at = log_run_reserve(run, len);
	assert_non_null(at);
	tool_line(plan, ordinal, at);
	log_run_add(run, len, ordinal, tool_key(ordinal, room));
}

/* Fills a batch with the ordinals first .. first + count - 1 and seals it. */
static inline void tool_fill(
	const struct tool_plan *plan, struct log_batch *batch, uint64_t first, uint64_t count)
{
	char mark[64];
	bool has_control = false;
	log_batch_reset(batch);
	for (uint64_t ordinal = first; ordinal < first + count; ordinal++) {
		bool is_control = tool_is_control(plan, ordinal);
		for (uint32_t shard = 0; shard < plan->shards; shard++) {
			if (is_control || shard == tool_shard(plan, ordinal))
				tool_add(plan, batch, shard, ordinal);
		}
		has_control = has_control || is_control;
	}
	int len = snprintf(mark, sizeof mark, "after %llu", (unsigned long long)(first + count));
	struct log_stamp stamp = {
		.first_ordinal = first,
		.count = count,
		.stream_time_us = 1000 + (int64_t)first,
		.fingerprint = 0xfeed,
		.generation = 7,
		.flags = has_control ? LOG_HAS_CONTROL : 0,
		.mark = slice_of(mark, (size_t)len),
	};
	struct fault fault = {0};
	assert_int_equal(log_batch_seal(batch, &stamp, &fault), RC_OK);
}

static inline struct log *tool_open(const char *folder, uint64_t segment_size)
{
	struct log *log = NULL;
	struct fault fault = {0};
	struct log_options options = {.folder = folder, .segment_size = segment_size};
	enum rc rc = log_open(&options, &log, &fault);
	if (rc != RC_OK)
		print_error("log_open: %s\n", fault.text);
	assert_int_equal(rc, RC_OK);
	return log;
}

/* Writes `batches` batches of `count` records each from `first` on, and syncs after each. Returns
 * the next ordinal. */
static inline uint64_t tool_write(
	const struct tool_plan *plan, struct log *log, uint64_t first, uint64_t count, int batches)
{
	struct log_batch *batch = tool_batch(plan);
	struct fault fault = {0};
	for (int i = 0; i < batches; i++, first += count) {
		tool_fill(plan, batch, first, count);
		assert_int_equal(log_append(log, batch, &fault), RC_OK);
		assert_int_equal(log_sync(log, &fault), RC_OK);
	}
	log_batch_free(batch);
	return first;
}

/* ---- reading ---- */

static inline struct log_reader *tool_reader(const char *folder)
{
	struct log_reader *reader = NULL;
	struct fault fault = {0};
	enum rc rc = log_reader_open(folder, &reader, &fault);
	if (rc != RC_OK)
		print_error("log_reader_open: %s\n", fault.text);
	assert_int_equal(rc, RC_OK);
	return reader;
}

static inline void tool_check_record(
	const struct tool_plan *plan, const struct log_record *record, uint64_t ordinal)
{
	char room[64];
	static uint8_t line[1 << 20];
	assert_int_equal(record->ordinal, ordinal);
	assert_true(slice_equal(record->key, tool_key(ordinal, room)));
	assert_int_equal(record->line.len, tool_line_len(plan, ordinal));
	tool_line(plan, ordinal, line);
	assert_true(slice_equal(record->line, slice_of(line, record->line.len)));
	uint32_t shard = tool_is_control(plan, ordinal) ? 0 : tool_shard(plan, ordinal);
	assert_int_equal(record->shard, shard);
}

/* Every record of a batch is what it was, once, in order. */
static inline void tool_check_view(
	const struct tool_plan *plan, struct log_reader *reader, struct log_view *view)
{
	struct log_cursor cursor;
	struct log_record record;
	struct fault fault = {0};
	enum rc rc = log_cursor_start(&cursor, reader, view, &fault);
	for (uint64_t i = 0; i < view->count; i++) {
		assert_int_equal(rc, RC_OK);
		rc = log_cursor_next(&cursor, &record, &fault);
		assert_int_equal(rc, RC_OK);
		tool_check_record(plan, &record, view->first_ordinal + i);
	}
	assert_int_equal(log_cursor_next(&cursor, &record, &fault), RC_END);
	char mark[64];
	snprintf(mark, sizeof mark, "after %llu",
		(unsigned long long)(view->first_ordinal + view->count));
	assert_slice(view->mark, mark);
}

/* Reads on to the end: contiguous from `first`. Returns the next ordinal. */
static inline uint64_t tool_read_on(
	const struct tool_plan *plan, struct log_reader *reader, uint64_t first)
{
	struct log_view *view = NULL;
	struct fault fault = {0};
	enum rc rc;
	while ((rc = log_read(reader, &view, &fault)) == RC_OK) {
		assert_int_equal(view->first_ordinal, first);
		tool_check_view(plan, reader, view);
		first += view->count;
	}
	if (rc != RC_END)
		print_error("log_read: %s\n", fault.text);
	assert_int_equal(rc, RC_END);
	return first;
}

static inline uint64_t tool_read_all(
	const struct tool_plan *plan, const char *folder, uint64_t first)
{
	struct log_reader *reader = tool_reader(folder);
	uint64_t next = tool_read_on(plan, reader, first);
	log_reader_close(reader);
	return next;
}

/* ---- files ---- */

struct tool_file {
	uint8_t *bytes;
	size_t len;
};

static inline struct tool_file tool_load(const char *path)
{
	struct tool_file file = {0};
	FILE *stream = fopen(path, "rb");
	assert_non_null(stream);
	assert_int_equal(fseek(stream, 0, SEEK_END), 0);
	file.len = (size_t)ftell(stream);
	rewind(stream);
	file.bytes = malloc(file.len + 1);
	assert_int_equal(fread(file.bytes, 1, file.len, stream), file.len);
	fclose(stream);
	return file;
}

/* In place: a file that is truncated to nothing is flushed when it is closed, which is slow. */
static inline void tool_store(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0640);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, 0), (ssize_t)len);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	close(fd);
}

static inline const char *tool_file_in(const char *folder, const char *name)
{
	static char path[800];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static inline bool tool_is_same(const char *path, const struct tool_file *file)
{
	struct stat facts;
	if (stat(path, &facts) != 0 || (size_t)facts.st_size != file->len)
		return false;
	struct tool_file there = tool_load(path);
	bool is_same = memcmp(there.bytes, file->bytes, file->len) == 0;
	free(there.bytes);
	return is_same;
}

static inline void tool_remove_others(const char *folder, const char *others)
{
	char path[800];
	DIR *entries = opendir(folder);
	assert_non_null(entries);
	for (struct dirent *entry; (entry = readdir(entries));) {
		snprintf(path, sizeof path, "%s/%s", others, entry->d_name);
		if (access(path, F_OK) != 0)
			assert_int_equal(unlinkat(dirfd(entries), entry->d_name, 0), 0);
	}
	closedir(entries);
}

/* Makes `to` equal to `from`, and writes only what is not: creating files is slow. */
static inline void tool_copy_folder(const char *from, const char *to)
{
	char path[800];
	if (mkdir(to, 0750) != 0)
		tool_remove_others(to, from);
	DIR *entries = opendir(from);
	assert_non_null(entries);
	for (struct dirent *entry; (entry = readdir(entries));) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", from, entry->d_name);
		struct tool_file file = tool_load(path);
		snprintf(path, sizeof path, "%s/%s", to, entry->d_name);
		if (!tool_is_same(path, &file))
			tool_store(path, file.bytes, file.len);
		free(file.bytes);
	}
	closedir(entries);
}

/* The path of segment `number` in a static room; fails when it is not there. */
static inline const char *tool_segment(const char *folder, uint32_t number, const char *suffix)
{
	static char path[800];
	char start[16];
	snprintf(start, sizeof start, "%010u-", number);
	path[0] = 0;
	DIR *entries = opendir(folder);
	assert_non_null(entries);
	for (struct dirent *entry; (entry = readdir(entries));) {
		const char *end = strrchr(entry->d_name, '.');
		if (strncmp(entry->d_name, start, 11) == 0 && end && strcmp(end, suffix) == 0)
			snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
	}
	closedir(entries);
	assert_true(path[0] != 0);
	return path;
}

#endif
