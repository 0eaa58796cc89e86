/* A real stream to archive, what should come out of it, and the comparison by zstd, gzip and the
 * checker that was written from docs/formats/object.md.
 *
 * In a temporary folder: data/ (the hub's), store/ (the archive), wanted/SHARD (the lines of each
 * shard, as they were appended). */
#ifndef TESTS_UNIT_ARCHIVE_STREAM_H
#define TESTS_UNIT_ARCHIVE_STREAM_H

#include "fault_disk.h"

#include <sys/wait.h>

#include "archive/archive.h"
#include "base/clock.h"
#include "base/stage.h"

static const int64_t test_hour_us = 1795590000000000; /* 2026-11-25 07:00 UTC */

static char *test_folder;
static struct hub *test_hub;
static struct stage *test_stage, *test_log_stage;
static uint32_t test_shards;
static enum log_codec test_codec;
static uint64_t test_ordinal; /* the next one */
static int64_t test_time_us;  /* stream time of the next batch */
static uint64_t test_random;  /* state of the generator */
static int64_t test_retention_us;
static uint64_t test_retention_size;
static const char *test_data; /* folder of the hub */

/* ---- clocks that a test moves ---- */

static const struct clock_ops *test_real_clock;
static _Atomic int64_t test_ahead_us;
static bool test_skips_sleep;

static int64_t moved_wall_us(void)
{
	return test_real_clock->wall_us() + test_ahead_us;
}

static int64_t moved_monotonic_us(void)
{
	return test_real_clock->monotonic_us() + test_ahead_us;
}

static void moved_sleep_us(int64_t us)
{
	if (test_skips_sleep)
		test_ahead_us += us;
	else
		test_real_clock->sleep_us(us);
}

/* ---- the shell ---- */

/* Exit status of a command that runs in the test's folder. */
__attribute__((format(printf, 1, 2))) static inline int shell(const char *format, ...)
{
	char command[4000];
	int len = snprintf(command, sizeof command, "cd '%s' && ", test_folder);
	va_list args;
	va_start(args, format);
	vsnprintf(command + len, sizeof command - (size_t)len, format, args);
	va_end(args);
	int status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The number that a command prints. */
__attribute__((format(printf, 1, 2))) static inline long shell_number(const char *format, ...)
{
	char command[4000];
	int len = snprintf(command, sizeof command, "cd '%s' && ", test_folder);
	va_list args;
	va_start(args, format);
	vsnprintf(command + len, sizeof command - (size_t)len, format, args);
	va_end(args);
	FILE *pipe = popen(command, "r");
	long number = -1;
	assert_non_null(pipe);
	assert_int_equal(fscanf(pipe, "%ld", &number), 1);
	assert_int_equal(pclose(pipe), 0);
	return number;
}

static inline const char *in_folder(const char *name)
{
	static char paths[4][300];
	static int turn;
	char *path = paths[turn++ % 4];
	snprintf(path, sizeof paths[0], "%s/%s", test_folder, name);
	return path;
}

/* ---- the stream ---- */

static int make_folder(void **state)
{
	(void)state;
	static const struct clock_ops moved = {moved_wall_us, moved_monotonic_us, moved_sleep_us};
	if (!test_stage) {
		test_stage = stage_new("archive", "archive");
		test_log_stage = stage_new("log", "log");
		test_real_clock = clock_ops;
		clock_ops = &moved;
	}
	fault_disk_start(); /* nothing is synced, which makes it fast */
	for (int i = 0; i < STAGE_METRIC_COUNT; i++)
		stage_set(test_stage, (enum stage_metric)i, 0);
	test_folder = unit_folder();
	assert_int_equal(shell("mkdir data wanted"), 0);
	test_data = "data";
	test_skips_sleep = false;
	test_retention_us = 1000LL * 86400 * 1000000;
	test_retention_size = 0;
	test_shards = 1;
	test_codec = LOG_ZSTD;
	test_ordinal = 0;
	test_time_us = test_hour_us + 60000000;
	test_random = 88172645463325252;
	test_ahead_us = test_hour_us + 3600000000 * 200 - test_real_clock->wall_us();
	return 0;
}

static inline void open_stream(void)
{
	struct fault fault = {.text = ""};
	struct hub_options options = {
		.data = in_folder(test_data),
		.name = "changes",
		.shards = test_shards,
		.codec = test_codec,
		.level = 1,
		.batch_size = 2 << 20,
		.line_max = 8 << 20,
		.segment_size = 4 << 20,
		.retention_us = test_retention_us,
		.retention_size = test_retention_size,
		.archived = true,
		.stage = test_log_stage,
	};
	if (hub_open(&options, &test_hub, &fault) != RC_OK)
		fail_msg("%s", fault.text);
}

static inline void close_stream(void)
{
	hub_close(test_hub);
	test_hub = NULL;
}

static int remove_folder(void **state)
{
	(void)state;
	close_stream();
	fault_disk_stop();
	unit_folder_remove(test_folder);
	return 0;
}

static inline uint64_t random_below(uint64_t limit)
{
	test_random ^= test_random << 13;
	test_random ^= test_random >> 7;
	test_random ^= test_random << 17;
	return test_random % limit;
}

/* Text that compresses about as rows do, cut from one long text. */
static inline const char *some_text(size_t len)
{
	enum { POOL = 4 << 20 };
	static char pool[POOL + 64];
	static const char *const words[] = {
		"red ", "bicycle ", "nearly ", "new ", "price ", "city "};
	for (size_t done = pool[0] ? POOL : 0; done < POOL;)
		done += (size_t)sprintf(pool + done, "%s%llx", words[random_below(6)],
			(unsigned long long)random_below(4096));
	assert_true(len < POOL);
	return pool + random_below(POOL - len);
}

/* One event's line. */
static inline size_t put_event(char *line, uint64_t ordinal, int table, size_t text_len)
{
	int len = sprintf(line,
		"{\"op\":\"c\",\"db\":\"shop\",\"table\":\"t%d\",\"ts\":\"2026-11-25T07:34:00Z\","
		"\"pos\":{\"file\":\"b.1\",\"pos\":4,\"row\":0},\"ord\":%llu,\"key\":{\"id\":%llu},"
		"\"after\":{\"id\":%llu,\"text\":\"",
		table, (unsigned long long)ordinal, (unsigned long long)ordinal,
		(unsigned long long)ordinal);
	memcpy(line + len, some_text(text_len), text_len);
	len += (int)text_len;
	return (size_t)(len + sprintf(line + len, "\"}}\n"));
}

/* The lines of the open batch, by shard. */
static struct buf test_wanted[256];

static inline void keep_wanted(void)
{
	for (uint32_t i = 0; i < test_shards; i++) {
		if (test_wanted[i].len == 0)
			continue;
		char path[300];
		snprintf(path, sizeof path, "%s/wanted/%u", test_folder, i);
		FILE *file = fopen(path, "a");
		assert_non_null(file);
		assert_int_equal(
			fwrite(test_wanted[i].at, 1, test_wanted[i].len, file), test_wanted[i].len);
		assert_int_equal(fclose(file), 0);
		buf_release(&test_wanted[i]);
	}
}

static inline void add_record(struct log_batch *batch, uint32_t shard, uint64_t ordinal,
	const char *line, size_t len, const char *key)
{
	struct log_run *run = log_batch_run(batch, shard);
	uint8_t *at = log_run_reserve(run, len);
	assert_non_null(at);
	memcpy(at, line, len);
	log_run_add(run, len, ordinal, slice_text(key));
	test_wanted[shard].max = 64 << 20;
	buf_bytes(&test_wanted[shard], line, len);
}

static inline struct log_batch *begin_batch(void)
{
	static const atomic_bool stop;
	struct log_batch *batch = hub_batch_begin(test_hub, &stop);
	assert_non_null(batch);
	return batch;
}

/* Hands the batch over as one that covers all ordinals from `first` on. */
static inline void commit_batch(struct log_batch *batch, uint64_t first)
{
	struct event_position position = {.server = "s", .file = "b.1", .pos = 4};
	struct hub_mark mark = {
		.first_ordinal = first,
		.count = test_ordinal - first,
		.stream_time_us = test_time_us,
		.generation = 1,
		.position = &position,
	};
	struct fault fault = {.text = ""};
	keep_wanted();
	if (hub_batch_commit(test_hub, batch, &mark, &fault) != RC_OK ||
		hub_flush(test_hub, &fault) != RC_OK)
		fail_msg("%s", fault.text);
}

/* A batch of `events` events of about `text_len` bytes, spread over the shards below `spread`. */
static inline void append_spread(uint32_t spread, size_t events, size_t text_len)
{
	static char line[8 << 20];
	struct log_batch *batch = begin_batch();
	uint64_t first = test_ordinal;
	for (size_t i = 0; i < events; i++, test_ordinal++) {
		char key[80];
		int table = (int)(test_ordinal % 3);
		size_t len = put_event(line, test_ordinal, table, text_len);
		snprintf(key, sizeof key, "shop.t%d|%llu", table, (unsigned long long)test_ordinal);
		if (test_ordinal % 7 == 3) /* a key that was too long: its digest */
			memset(key, 'a' + table, 64), key[64] = 0;
		add_record(batch, (uint32_t)random_below(spread), test_ordinal, line, len, key);
	}
	commit_batch(batch, first);
}

static inline void append(size_t events, size_t text_len)
{
	append_spread(test_shards, events, text_len);
}

/* A control record: in every shard, with one ordinal. */
static inline void append_control(void)
{
	char line[300];
	int len = sprintf(line,
		"{\"op\":\"t\",\"db\":\"shop\",\"table\":null,\"ts\":\"2026-11-25T07:34:00Z\","
		"\"pos\":{\"file\":\"b.1\",\"pos\":4},\"ord\":%llu,\"ddl\":\"DROP DATABASE "
		"shop\"}\n",
		(unsigned long long)test_ordinal);
	struct log_batch *batch = begin_batch();
	for (uint32_t i = 0; i < test_shards; i++)
		add_record(batch, i, test_ordinal, line, (size_t)len, "shop.|");
	test_ordinal++;
	commit_batch(batch, test_ordinal - 1);
}

/* ---- the archive ---- */

static char test_hub_folder[300];

static inline struct archive_options archive_options(void)
{
	snprintf(test_hub_folder, sizeof test_hub_folder, "%s/%s/streams/changes", test_folder,
		test_data);
	return (struct archive_options){
		.hub = test_hub,
		.folder = test_hub_folder,
		.stream = "changes",
		.path = in_folder("store"),
		.codec = PAST_ZSTD,
		.level = 3,
		.object_size = 1 << 20,
		.object_age_us = 3600000000,
		.stage = test_stage,
	};
}

static inline struct archive *start_archive(const struct archive_options *options)
{
	struct archive *archive = NULL;
	struct fault fault = {.text = ""};
	if (archive_start(options, &archive, &fault) != RC_OK)
		fail_msg("%s", fault.text);
	return archive;
}

static inline void join_archive(struct archive *archive)
{
	struct fault fault = {.text = ""};
	if (archive_join(archive, &fault) != RC_OK)
		fail_msg("%s", fault.text);
}

/* Archives everything below `until`, from start to end. */
static inline void archive_until(const struct archive_options *options, uint64_t until)
{
	struct archive *archive = start_archive(options);
	archive_drain(archive, until);
	join_archive(archive);
}

/* Waits for a condition, at most ten seconds. */
#define WAIT_FOR(condition) \
	do { \
		for (int wait_ = 0; wait_ < 2000 && !(condition); wait_++) \
			test_real_clock->sleep_us(5000); \
		assert_true(condition); \
	} while (0)

/* ---- what came out ---- */

static inline char *load_all(const char *name, size_t *ret_len)
{
	FILE *file = fopen(in_folder(name), "r");
	*ret_len = 0;
	if (!file)
		return NULL;
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	*ret_len = (size_t)ftell(file);
	rewind(file);
	char *bytes = malloc(*ret_len + 1);
	assert_int_equal(fread(bytes, 1, *ret_len, file), *ret_len);
	assert_int_equal(fclose(file), 0);
	return bytes;
}

static inline void assert_same_file(const char *got_name, const char *wanted_name, bool part)
{
	size_t got_len, wanted_len;
	char *got = load_all(got_name, &got_len), *wanted = load_all(wanted_name, &wanted_len);
	if (part ? got_len > wanted_len : got_len != wanted_len)
		fail_msg("%s: %zu bytes, not %zu", got_name, got_len, wanted_len);
	if (got_len > 0 && memcmp(got, wanted, got_len) != 0)
		fail_msg("%s has other bytes", got_name);
	free(got);
	free(wanted);
}

#define FIND_OBJECTS \
	"find store/log/changes -name '%04u-*.zst' -o -name '%04u-*.gz' | LC_ALL=C sort"

/* Each shard's objects, in the order of their keys, are a beginning of its lines. */
static inline void assert_beginnings(void)
{
	for (uint32_t i = 0; i < test_shards; i++) {
		char wanted[20];
		snprintf(wanted, sizeof wanted, "wanted/%u", i);
		assert_int_equal(shell("mkdir -p store/log/changes && " FIND_OBJECTS
				       " | xargs -r zstd -qdc >got",
					 i, i),
			0);
		assert_same_file("got", wanted, true);
	}
}

/* Each shard's objects, in the order of their keys, are its lines, once each. */
static inline void assert_lines(void)
{
	assert_int_equal(shell("find store/log/changes -name '*.zst' -o -name '*.gz' | "
			       "LC_ALL=C sort -t/ -k8.1,8.4 -k1 | xargs zstd -qdc >got && "
			       ": >all && for i in $(seq 0 %u); do test ! -e wanted/$i || "
			       "cat wanted/$i >>all; done",
				 test_shards - 1),
		0);
	assert_same_file("got", "all", false);
}

static inline void assert_checked(const char *options)
{
	assert_int_equal(shell("'%s/tests/tools/check_archive.py' %s store changes >summary",
				 UNIT_SOURCE, options),
		0);
}

/* Everything is archived, in every shard, and says so. */
static inline void assert_archived(void)
{
	assert_lines();
	assert_checked("");
	assert_int_equal(
		shell_number("sed 's/.*\"complete\": \\([0-9]*\\).*/\\1/' summary"), test_ordinal);
	assert_int_equal(shell_number("ls store/.stage | wc -l"), 0);
}

static inline long count_objects(void)
{
	return shell_number("find store/log -name '*.zst' -o -name '*.gz' 2>/dev/null | wc -l");
}

#endif
