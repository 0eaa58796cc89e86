#include "unit.h"

#include <sys/wait.h>

#include "fault_disk.h"
#include "log_tools.h"

#include "log/reader.c"

static const struct tool_plan plan = {.shards = 3, .codec = LOG_ZSTD, .line_len = 60};

static void a_folder_without_a_log_is_told(void **state)
{
	(void)state;
	char *folder = unit_folder();
	struct log_reader *reader = NULL;
	struct fault fault;
	assert_int_equal(log_reader_open(folder, &reader, &fault), RC_NOT_FOUND);
	assert_non_null(strstr(fault.text, folder));
	assert_int_equal(log_reader_open("/nowhere/at all", &reader, &fault), RC_NOT_FOUND);
	struct log *log = tool_open(folder, 4096);
	(void)tool_write(&plan, log, 1, 5, 1);
	log_close(log);
	assert_int_equal(unlink(tool_file_in(folder, "tip")), 0);
	assert_int_equal(log_reader_open(folder, &reader, &fault), RC_NOT_FOUND);
	assert_non_null(strstr(fault.hint, "made again"));
	log_close(tool_open(folder, 4096));
	assert_int_equal(tool_read_all(&plan, folder, 1), 6);
	unit_folder_remove(folder);
}

static void an_empty_log_is_waited_at(void **state)
{
	(void)state;
	char *folder = unit_folder();
	struct log *log = tool_open(folder, 4096);
	struct log_reader *reader = tool_reader(folder);
	struct log_view *view = NULL;
	struct fault fault;
	uint64_t first = 9, next = 9, bytes = 9;
	assert_int_equal(log_read(reader, &view, &fault), RC_END);
	assert_false(log_wait(reader, 1000));
	assert_rc(log_bounds(reader, &first, &next, &bytes, &fault));
	assert_true(first == next && bytes == 0);
	(void)tool_write(&plan, log, 50, 5, 1);
	assert_true(log_wait(reader, 0));
	assert_rc(log_read(reader, &view, &fault));
	tool_check_view(&plan, reader, view);
	assert_rc(log_bounds(reader, &first, &next, &bytes, &fault));
	assert_true(first == 50 && next == 55 && bytes > 4096);
	assert_false(log_wait(reader, 1000));
	log_reader_close(reader);
	log_close(log);
	unit_folder_remove(folder);
}

/* What lies behind the tip may still change: a reader must not keep bytes of it for later. */
static void a_reader_that_lags_reads_no_stale_bytes(void **state)
{
	(void)state;
	char *folder = unit_folder();
	struct log *log = tool_open(folder, 100000);
	struct log_reader *reader = tool_reader(folder);
	struct fault fault;
	uint64_t written = 1, got = 1;
	for (uint64_t i = 0; i < 300; i++) {
		written = tool_write(&plan, log, written, 3, (int)(tool_mix(i) % 4));
		for (uint64_t k = tool_mix(i + 1000) % 4; k > 0 && got < written; k--) {
			struct log_view *view = NULL;
			assert_rc(log_read(reader, &view, &fault));
			assert_int_equal(view->first_ordinal, got);
			tool_check_view(&plan, reader, view);
			got += view->count;
		}
	}
	assert_int_equal(tool_read_on(&plan, reader, got), written);
	log_reader_close(reader);
	log_close(log);
	unit_folder_remove(folder);
}

/* ---- another process ---- */

/* Reads to `until` while another process writes, sleeping where there is nothing. */
static int follow(const char *folder, uint64_t until, uint64_t *ret_waits)
{
	struct log_reader *reader = NULL;
	struct fault fault;
	while (log_reader_open(folder, &reader, &fault) == RC_NOT_FOUND)
		usleep(1000);
	for (uint64_t next = 1; next < until;) {
		struct log_view *view = NULL;
		enum rc rc = log_read(reader, &view, &fault);
		if (rc == RC_OK) {
			tool_check_view(&plan, reader, view);
			if (view->first_ordinal != next)
				return 1;
			next += view->count;
		} else if (rc == RC_END) {
			++*ret_waits;
			if (!log_wait(reader, 20 * 1000 * 1000))
				return 2; /* not woken */
		} else {
			return 3;
		}
	}
	log_reader_close(reader);
	return 0;
}

static void readers_in_other_processes_are_woken(void **state)
{
	(void)state;
	enum { READERS = 3, UNTIL = 3001 };
	char *folder = unit_folder();
	pid_t readers[READERS];
	for (int i = 0; i < READERS; i++) {
		readers[i] = fork();
		uint64_t waits = 0;
		if (readers[i] == 0)
			_exit(follow(folder, UNTIL, &waits) + (waits < 5 ? 10 : 0));
	}
	struct log *log = tool_open(folder, 20000);
	for (uint64_t next = 1; next < UNTIL;) {
		next = tool_write(&plan, log, next, 10, 10);
		usleep(2000);
	}
	for (int i = 0; i < READERS; i++) {
		int status = 0;
		assert_int_equal(waitpid(readers[i], &status, 0), readers[i]);
		assert_int_equal(status, 0);
	}
	assert_true(access(tool_segment(folder, 4, ".seg"), F_OK) == 0); /* it rolled */
	log_close(log);
	unit_folder_remove(folder);
}

static void a_wait_ends_when_a_batch_comes(void **state)
{
	(void)state;
	char *folder = unit_folder();
	struct log *log = tool_open(folder, 4096);
	struct log_reader *reader = tool_reader(folder);
	for (uint64_t i = 0; i < 5; i++) {
		pid_t child = fork();
		if (child == 0) {
			usleep(30000);
			(void)tool_write(&plan, log, 1 + i * 5, 5, 1);
			_exit(0);
		}
		int64_t start_us = clock_monotonic_us();
		assert_true(log_wait(reader, 30 * 1000 * 1000));
		int64_t waited_us = clock_monotonic_us() - start_us;
		assert_true(waited_us > 20000 && waited_us < 5000000);
		assert_int_equal(waitpid(child, NULL, 0), child);
		log_reader_close(reader);
		log_close(log);
		log = tool_open(folder, 4096);
		reader = tool_reader(folder);
		assert_rc(log_seek_end(reader, NULL));
	}
	log_reader_close(reader);
	log_close(log);
	unit_folder_remove(folder);
}

/* ---- retention ---- */

static void a_slow_reader_is_told_what_it_missed(void **state)
{
	(void)state;
	char *folder = unit_folder();
	struct log *log = tool_open(folder, 4096);
	uint64_t next = tool_write(&plan, log, 1, 10, 20);
	struct log_reader *slow = tool_reader(folder), *lazy = tool_reader(folder);
	struct log_view *view = NULL;
	struct fault fault;
	assert_rc(log_read(slow, &view, &fault)); /* has the first segment open */
	struct log_retention retention = {.size_max = 5000, .keep_from = UINT64_MAX};
	struct log_retained retained;
	assert_rc(log_retain(log, &retention, &retained, &fault));
	assert_true(retained.dropped_segments > 1);
	enum rc rc = RC_OK;
	uint64_t got = 0;
	while ((rc = log_read(slow, &view, &fault)) == RC_OK) {
		tool_check_view(&plan, slow, view);
		got = view->first_ordinal + view->count;
	}
	assert_int_equal(rc, RC_TRIMMED);
	assert_true(got < next);
	assert_int_equal(log_read(slow, &view, &fault), RC_TRIMMED);
	assert_int_equal(log_read(lazy, &view, &fault), RC_TRIMMED);
	assert_non_null(strstr(fault.text, folder));
	assert_rc(log_seek_oldest(slow, &fault));
	assert_int_equal(tool_read_on(&plan, slow, retained.first_ordinal), next);
	log_reader_close(slow);
	log_reader_close(lazy);
	log_close(log);
	unit_folder_remove(folder);
}

/* A reader that began before the first batch must not skip over what was dropped. */
static void a_reader_from_the_beginning_is_told_too(void **state)
{
	(void)state;
	char *folder = unit_folder();
	struct log *log = tool_open(folder, 4096);
	struct log_reader *reader = tool_reader(folder);
	(void)tool_write(&plan, log, 1, 10, 20);
	struct log_retention retention = {.size_max = 5000, .keep_from = UINT64_MAX};
	struct log_retained retained;
	struct log_view *view = NULL;
	struct fault fault;
	assert_rc(log_retain(log, &retention, &retained, &fault));
	assert_int_equal(log_read(reader, &view, &fault), RC_TRIMMED);
	log_reader_close(reader);
	log_close(log);
	unit_folder_remove(folder);
}

/* ---- failing disks, memory ---- */

static void a_read_that_failed_can_be_repeated(void **state)
{
	(void)state;
	char *folder = unit_folder();
	struct log *log = tool_open(folder, 4096);
	uint64_t next = tool_write(&plan, log, 1, 10, 20);
	fault_disk_start();
	bool has_struck = true;
	for (long n = 1; has_struck; n++) {
		struct log_reader *reader = tool_reader(folder);
		struct log_view *view = NULL;
		struct fault fault;
		fault_disk_fail(n, EIO, false);
		enum rc rc = RC_OK;
		uint64_t got = 1;
		int failures = 0;
		while (rc != RC_END) {
			rc = log_read(reader, &view, &fault);
			assert_true(rc == RC_OK || rc == RC_END || rc == RC_IO);
			failures += rc == RC_IO;
			if (rc != RC_OK)
				continue;
			assert_int_equal(view->first_ordinal, got);
			tool_check_view(&plan, reader, view);
			got += view->count;
		}
		has_struck = fault_disk_has_struck();
		assert_int_equal(failures, has_struck);
		assert_int_equal(got, next);
		fault_disk_fail(0, 0, false);
		log_reader_close(reader);
	}
	fault_disk_stop();
	log_close(log);
	unit_folder_remove(folder);
}

static void memory_is_bounded_by_the_largest_batch(void **state)
{
	(void)state;
	static const struct tool_plan big = {
		.shards = 1, .codec = LOG_ZSTD, .line_len = 500000, .is_random = true};
	char *folder = unit_folder();
	struct log *log = tool_open(folder, 256 << 20);
	uint64_t next = tool_write(&plan, log, 1, 10, 30);
	next = tool_write(&big, log, next, 80, 1); /* 40 MB */
	next = tool_write(&plan, log, next, 10, 30);
	struct log_reader *reader = tool_reader(folder);
	size_t most = 0;
	for (struct log_view *view = NULL; log_read(reader, &view, NULL) == RC_OK;) {
		bool is_big = view->next_address - view->address > 1 << 20;
		tool_check_view(is_big ? &big : &plan, reader, view);
		if (reader->segment.bytes.cap + reader->raw.cap > most)
			most = reader->segment.bytes.cap + reader->raw.cap;
	}
	assert_true(most >= 60000000 && most < 130000000);
	assert_true(reader->segment.bytes.cap <= 16 << 20); /* and given back */
	log_reader_close(reader);
	log_close(log);
	unit_folder_remove(folder);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_folder_without_a_log_is_told),
	cmocka_unit_test(an_empty_log_is_waited_at),
	cmocka_unit_test(a_reader_that_lags_reads_no_stale_bytes),
	cmocka_unit_test(readers_in_other_processes_are_woken),
	cmocka_unit_test(a_wait_ends_when_a_batch_comes),
	cmocka_unit_test(a_slow_reader_is_told_what_it_missed),
	cmocka_unit_test(a_reader_from_the_beginning_is_told_too),
	cmocka_unit_test(a_read_that_failed_can_be_repeated),
	cmocka_unit_test(memory_is_bounded_by_the_largest_batch),
};
UNIT_MAIN(tests)
