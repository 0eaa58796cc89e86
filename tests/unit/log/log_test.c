#include "unit.h"

#include <signal.h>
#include <sys/wait.h>

#include "fault_disk.h"
#include "log_tools.h"

#include "log/log.c"

#include "log/format.h"

static const struct tool_plan plan = {.shards = 3, .codec = LOG_ZSTD, .line_len = 60};

/* ---- round trips ---- */

static void what_was_written_is_read_back(void **state)
{
	(void)state;
	static const struct tool_plan plans[] = {
		{.shards = 1, .codec = LOG_PLAIN, .line_len = 100},
		{.shards = 4, .codec = LOG_ZSTD, .line_len = 900, .control_every = 50},
		{.shards = 7, .codec = LOG_ZSTD, .line_len = 700, .is_random = true},
		{.shards = 300, .codec = LOG_PLAIN, .line_len = 20, .control_every = 100},
		{.shards = 2, .codec = LOG_PLAIN, .line_len = 0},
	};
	for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
		char *folder = unit_folder();
		struct log *log = tool_open(folder, 256 << 20);
		assert_true(log_end(log)->is_empty);
		uint64_t next = tool_write(&plans[i], log, 5, 333, 4);
		assert_int_equal(tool_read_all(&plans[i], folder, 5), next);
		log_close(log);
		assert_int_equal(tool_read_all(&plans[i], folder, 5), next);
		unit_folder_remove(folder);
	}
}

static void a_log_goes_on_where_it_ended(void **state)
{
	(void)state;
	char *folder = unit_folder();
	uint64_t next = 1;
	for (int i = 0; i < 5; i++) {
		struct log *log = tool_open(folder, 1 << 20);
		const struct log_end *end = log_end(log);
		assert_int_equal(end->is_empty, i == 0);
		assert_int_equal(end->cut_bytes, 0);
		if (i > 0) {
			char mark[64];
			snprintf(mark, sizeof mark, "after %llu", (unsigned long long)next);
			assert_int_equal(end->next_ordinal, next);
			assert_slice(buf_as_slice(&end->mark), mark);
			assert_int_equal(end->fingerprint, 0xfeed);
			assert_int_equal(end->generation, 7);
		}
		next = tool_write(&plan, log, next, 10, 3);
		log_close(log);
	}
	assert_int_equal(tool_read_all(&plan, folder, 1), next);
	unit_folder_remove(folder);
}

static void readers_see_only_what_was_acknowledged(void **state)
{
	(void)state;
	char *folder = unit_folder();
	struct log *log = tool_open(folder, 1 << 20);
	struct log_reader *reader = tool_reader(folder);
	struct log_batch *batch = tool_batch(&plan);
	struct log_view *view = NULL;
	struct fault fault;
	uint64_t next = 1;
	for (int group = 0; group < 20; group++) {
		for (int i = 0; i <= group % 4; i++, next += 5) {
			tool_fill(&plan, batch, next, 5);
			assert_rc(log_append(log, batch, &fault));
			assert_int_equal(log_read(reader, &view, &fault), RC_END);
		}
		assert_rc(log_sync(log, &fault));
		assert_int_equal(log_end(log)->next_ordinal, next);
		assert_int_equal(
			tool_read_on(&plan, reader, next - 5 * (uint64_t)(group % 4 + 1)), next);
	}
	assert_int_equal(view ? view->next_address : 0, view ? log_end(log)->address : 0);
	log_batch_free(batch);
	log_reader_close(reader);
	log_close(log);
	unit_folder_remove(folder);
}

static void arrival_never_goes_back(void **state)
{
	(void)state;
	char *folder = unit_folder();
	tool_stop_clock();
	int64_t start_us = tool_now_us;
	struct log *log = tool_open(folder, 1 << 20);
	(void)tool_write(&plan, log, 1, 5, 1);
	tool_now_us -= 1000000;
	(void)tool_write(&plan, log, 6, 5, 1);
	assert_int_equal(log_end(log)->arrival_us, start_us);
	log_close(log);
	log = tool_open(folder, 1 << 20);
	(void)tool_write(&plan, log, 11, 5, 1);
	assert_int_equal(log_end(log)->arrival_us, start_us);
	tool_now_us = start_us + 17;
	(void)tool_write(&plan, log, 16, 5, 1);
	assert_int_equal(log_end(log)->arrival_us, start_us + 17);
	log_close(log);
	clock_ops = tool_real_clock;
	unit_folder_remove(folder);
}

/* ---- the lock ---- */

static void a_second_writer_is_told_who_holds_it(void **state)
{
	(void)state;
	char *folder = unit_folder();
	struct log *log = tool_open(folder, 1 << 20);
	struct log_options options = {.folder = folder, .segment_size = 1 << 20};
	char holder[64];
	snprintf(holder, sizeof holder, "process %ld,", (long)getpid());
	pid_t child = fork();
	if (child == 0) {
		struct log *other = NULL;
		struct fault fault;
		bool is_right = log_open(&options, &other, &fault) == RC_LOCKED &&
			strstr(fault.text, holder) && strstr(fault.text, folder) && fault.hint[0];
		_exit(is_right ? 0 : 1);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	uint64_t next = tool_write(&plan, log, 1, 5, 2);
	log_close(log);
	log = tool_open(folder, 1 << 20);
	assert_int_equal(log_end(log)->next_ordinal, next);
	log_close(log);
	unit_folder_remove(folder);
}

/* ---- failing disks ---- */

static void a_full_disk_leaves_the_log_as_it_was(void **state)
{
	(void)state;
	char *folder = unit_folder();
	struct log_batch *batch = tool_batch(&plan);
	struct fault fault;
	fault_disk_start();
	struct log *log = tool_open(folder, 4096);
	uint64_t next = 1;
	for (int i = 0; i < 30; i++, next += 20) {
		tool_fill(&plan, batch, next, 20);
		fault_disk_full(true);
		assert_int_equal(log_append(log, batch, &fault), RC_DISK_FULL);
		assert_int_equal(log_append(log, batch, &fault), RC_DISK_FULL);
		assert_rc(log_sync(log, &fault));
		assert_int_equal(log_end(log)->is_empty, i == 0);
		fault_disk_full(false);
		assert_rc(log_append(log, batch, &fault));
		assert_rc(log_sync(log, &fault));
		assert_int_equal(log_end(log)->next_ordinal, next + 20);
	}
	log_close(log);
	fault_disk_stop();
	assert_int_equal(tool_read_all(&plan, folder, 1), next);
	log = tool_open(folder, 4096);
	assert_int_equal(log_end(log)->cut_bytes, 0);
	log_close(log);
	log_batch_free(batch);
	unit_folder_remove(folder);
}

static void a_failed_sync_ends_acknowledging(void **state)
{
	(void)state;
	char *folder = unit_folder();
	struct log_batch *batch = tool_batch(&plan);
	struct fault fault;
	fault_disk_start();
	struct log *log = tool_open(folder, 1 << 20);
	uint64_t next = tool_write(&plan, log, 1, 20, 1);
	tool_fill(&plan, batch, next, 20);
	assert_rc(log_append(log, batch, &fault));
	fault_disk_fail(1, ENOSPC, false);
	assert_int_equal(log_sync(log, &fault), RC_IO); /* not "full": not to be tried again */
	assert_int_equal(rc_class(fault.rc), RC_FATAL);
	fault_disk_fail(0, 0, false);
	assert_int_equal(log_sync(log, &fault), RC_IO);
	assert_int_equal(log_append(log, batch, &fault), RC_IO);
	assert_non_null(strstr(fault.text, "earlier"));
	assert_int_equal(log_end(log)->next_ordinal, next);
	assert_int_equal(tool_read_all(&plan, folder, 1), next);
	log_close(log);
	fault_disk_stop();
	log = tool_open(folder, 1 << 20); /* what was written and is whole is kept */
	assert_int_equal(log_end(log)->next_ordinal, next + 20);
	log_close(log);
	log_batch_free(batch);
	unit_folder_remove(folder);
}

/* One run of everything that a writer does. Returns how many records were acknowledged. */
static uint64_t busy_run(const char *folder, enum rc *ret_rc, struct fault *fault)
{
	struct log *log = NULL;
	struct log_options options = {.folder = folder, .segment_size = 4096};
	uint64_t acknowledged = 0;
	*ret_rc = log_open(&options, &log, fault);
	struct log_batch *batch = tool_batch(&plan);
	for (uint64_t first = 1; *ret_rc == RC_OK && first < 240; first += 12) {
		tool_fill(&plan, batch, first, 12);
		*ret_rc = log_append(log, batch, fault);
		if (*ret_rc == RC_OK && first % 5 > 2)
			*ret_rc = log_sync(log, fault);
		if (*ret_rc == RC_OK)
			acknowledged = log_end(log)->next_ordinal;
	}
	struct log_retention retention = {.size_max = 20000, .keep_from = UINT64_MAX};
	struct log_retained retained;
	if (*ret_rc == RC_OK)
		*ret_rc = log_retain(log, &retention, &retained, fault);
	log_batch_free(batch);
	log_close(log);
	return acknowledged;
}

/* Whatever is there is right, and nothing acknowledged is missing at the end. */
static void check_after_failure(const char *folder, uint64_t acknowledged, bool may_be_dropped)
{
	struct log *log = tool_open(folder, 4096);
	uint64_t next = log_end(log)->next_ordinal;
	assert_true(next >= acknowledged);
	log_close(log);
	struct log_reader *reader = tool_reader(folder);
	uint64_t first = 0, until = 0, bytes = 0;
	struct fault fault;
	assert_rc(log_bounds(reader, &first, &until, &bytes, &fault));
	assert_int_equal(until, next);
	assert_true(may_be_dropped || first == 1 || next == 0);
	assert_int_equal(tool_read_on(&plan, reader, first), next);
	log_reader_close(reader);
}

static void torture(int error, bool for_ever)
{
	bool has_succeeded = false;
	fault_disk_start();
	for (long n = 1; !has_succeeded; n++) {
		char *folder = unit_folder();
		enum rc rc;
		struct fault fault = {0};
		fault_disk_fail(n, error, for_ever);
		uint64_t acknowledged = busy_run(folder, &rc, &fault);
		bool has_struck = fault_disk_has_struck();
		fault_disk_fail(0, 0, false);
		if (rc != RC_OK) {
			assert_true(has_struck);
			assert_int_equal(fault.rc, rc);
			assert_true(fault.text[0] != 0);
			assert_true(rc == RC_IO || rc == RC_DISK_FULL);
		}
		check_after_failure(folder, acknowledged, true);
		has_succeeded = !has_struck;
		unit_folder_remove(folder);
		assert_true(n < 2000);
	}
	fault_disk_stop();
}

static void any_call_may_fail_once(void **state)
{
	(void)state;
	torture(EIO, false);
}

static void any_call_may_fail_from_then_on(void **state)
{
	(void)state;
	torture(EIO, true);
}

static void any_call_may_find_the_disk_full(void **state)
{
	(void)state;
	torture(ENOSPC, false);
}

/* ---- being killed ---- */

static uint64_t killed_run(const char *folder, const char *crash)
{
	int pipes[2];
	assert_int_equal(pipe(pipes), 0);
	pid_t child = fork();
	if (child == 0) {
		setenv("MILLSTREAM_CRASH", crash, 1);
		if (!crash_init())
			_exit(1);
		struct log *log = tool_open(folder, 4096);
		uint64_t next = log_end(log)->is_empty ? 1 : log_end(log)->next_ordinal;
		for (;;) {
			next = tool_write(&plan, log, next, 12, 1);
			struct log_retention retention = {
				.size_max = 40000, .keep_from = UINT64_MAX};
			struct log_retained retained;
			struct fault fault;
			if (log_retain(log, &retention, &retained, &fault) != RC_OK ||
				write(pipes[1], &next, sizeof next) != sizeof next)
				_exit(1);
		}
	}
	close(pipes[1]);
	uint64_t acknowledged = 0, some = 0;
	while (read(pipes[0], &some, sizeof some) == sizeof some)
		acknowledged = some;
	close(pipes[0]);
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return acknowledged;
}

static void a_kill_at_any_stage_loses_nothing(void **state)
{
	(void)state;
	static const char *const stages[] = {"append", "acknowledge", "roll", "rolled", "retain"};
	char *folder = unit_folder();
	uint64_t last = 1;
	for (int i = 0; i < 50; i++) {
		char crash[32];
		snprintf(crash, sizeof crash, "%s:%d", stages[i % 5], 1 + i / 10);
		uint64_t acknowledged = killed_run(folder, crash);
		check_after_failure(folder, acknowledged, true);
		struct log *log = tool_open(folder, 4096);
		assert_true(log_end(log)->next_ordinal >= last || log_end(log)->is_empty);
		last = log_end(log)->next_ordinal;
		log_close(log);
	}
	assert_true(last > 100);
	unit_folder_remove(folder);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_was_written_is_read_back),
	cmocka_unit_test(a_log_goes_on_where_it_ended),
	cmocka_unit_test(readers_see_only_what_was_acknowledged),
	cmocka_unit_test(arrival_never_goes_back),
	cmocka_unit_test(a_second_writer_is_told_who_holds_it),
	cmocka_unit_test(a_full_disk_leaves_the_log_as_it_was),
	cmocka_unit_test(a_failed_sync_ends_acknowledging),
	cmocka_unit_test(any_call_may_fail_once),
	cmocka_unit_test(any_call_may_fail_from_then_on),
	cmocka_unit_test(any_call_may_find_the_disk_full),
	cmocka_unit_test(a_kill_at_any_stage_loses_nothing),
};
UNIT_MAIN(tests)
