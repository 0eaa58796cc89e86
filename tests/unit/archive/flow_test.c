/* The archive in trouble: killed, racing with others, on a disk that fills up or fails. */
#include "stream.h"

#include "archive/flow.c"

#include <signal.h>

#include "base/crash.h"

/* A stream that makes many objects: in `test_shards` shards and three hours. */
static void make_stream(size_t batches)
{
	open_stream();
	for (size_t i = 0; i < batches; i++) {
		append(random_below(4) == 0 ? 700 : 1 + random_below(40), 50 + random_below(300));
		if (i % (batches / 3 + 1) == batches / 3)
			test_time_us += 3600000000;
	}
	append_control();
	close_stream();
}

static struct archive_options small_objects(void)
{
	struct archive_options options = archive_options();
	options.object_size = 20000;
	return options;
}

/* ---- kills ---- */

/* A process that archives everything; it dies when `crash` ("archive-meta:3") is passed. */
static pid_t fork_archive(const char *crash, uint64_t object_size)
{
	pid_t child = fork();
	if (child != 0)
		return child;
	int status = 1;
	if (crash)
		(void)setenv("MILLSTREAM_CRASH", crash, 1);
	if (!crash || crash_init()) {
		open_stream();
		struct archive_options options = archive_options();
		options.object_size = object_size;
		struct archive *archive = NULL;
		struct fault fault;
		if (archive_start(&options, &archive, &fault) == RC_OK) {
			archive_drain(archive, test_ordinal);
			status = archive_join(archive, &fault) != RC_OK;
		}
		close_stream();
	}
	_exit(status);
}

/* Whether it was killed; else it has succeeded. */
static bool was_killed(pid_t child)
{
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return true;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	return false;
}

static void assert_sound_after_a_kill(void)
{
	assert_beginnings();
	if (count_objects() > 0)
		assert_checked("--manifests-may-lag");
}

static void survives_a_kill_at_each_publication(void **state)
{
	(void)state;
	static const char *const stages[] = {"archive-meta", "archive-link"};
	test_shards = 2;
	make_stream(9);
	for (size_t i = 0; i < 2; i++) {
		for (int nth = 1;; nth++) {
			char crash[40];
			snprintf(crash, sizeof crash, "%s:%d", stages[i], nth);
			assert_int_equal(shell("rm -rf store"), 0);
			if (!was_killed(fork_archive(crash, 20000))) {
				assert_in_range(nth, 6, 60);
				break;
			}
			assert_sound_after_a_kill();
			assert_false(was_killed(fork_archive(NULL, 20000)));
			assert_archived();
		}
	}
}

static void comes_to_the_end_through_kill_after_kill(void **state)
{
	(void)state;
	test_shards = 3;
	make_stream(30);
	int kills = 0;
	for (;; kills++) {
		char crash[40];
		snprintf(crash, sizeof crash, "%s:%d", kills % 2 ? "archive-meta" : "archive-link",
			1 + (int)random_below(3));
		if (!was_killed(fork_archive(crash, 1000 + random_below(20000))))
			break;
	}
	assert_true(kills > 5);
	assert_archived();
}

static void survives_kills_at_any_time(void **state)
{
	(void)state;
	test_shards = 2;
	make_stream(20);
	int kills = 0;
	for (int i = 0; i < 6; i++) {
		pid_t child = fork_archive(NULL, 5000);
		test_real_clock->sleep_us((int64_t)random_below(12000));
		(void)kill(child, SIGKILL);
		kills += was_killed(child);
		assert_sound_after_a_kill();
		if (i % 3 == 2) {
			assert_false(was_killed(fork_archive(NULL, 5000)));
			assert_archived();
			assert_int_equal(shell("rm -rf store"), 0);
		}
	}
	assert_true(kills > 1);
}

/* ---- races ---- */

static void two_archives_of_one_stream_make_one(void **state)
{
	(void)state;
	test_shards = 3;
	make_stream(60);
	open_stream();
	struct archive_options first = small_objects(), second = small_objects();
	second.object_size = 31000; /* other cuts */
	second.stage = test_log_stage;
	struct archive *one = start_archive(&first), *two = start_archive(&second);
	archive_drain(one, test_ordinal);
	archive_drain(two, test_ordinal);
	join_archive(one);
	join_archive(two);
	assert_archived();
}

/* Several processes, each with a copy of the stream, of which some are killed. */
static void archives_in_several_processes_make_one(void **state)
{
	(void)state;
	enum { RACERS = 3 };
	test_shards = 2;
	make_stream(60);
	assert_int_equal(shell("cp -r data data1 && cp -r data data2"), 0);
	static const char *const data[RACERS] = {"data", "data1", "data2"};
	for (int round = 0; round < 4; round++) {
		pid_t children[RACERS];
		for (int i = 0; i < RACERS; i++) {
			char crash[40];
			test_data = data[i];
			snprintf(crash, sizeof crash, "%s:%d", i ? "archive-meta" : "archive-link",
				2 + i + round);
			children[i] =
				fork_archive(round < 3 ? crash : NULL, 8000 + 9000 * (uint64_t)i);
		}
		for (int i = 0; i < RACERS; i++)
			(void)was_killed(children[i]);
		assert_sound_after_a_kill();
	}
	assert_archived();
}

/* ---- disks ---- */

static void waits_for_room_on_a_full_disk(void **state)
{
	(void)state;
	test_shards = 2;
	make_stream(20);
	open_stream();
	struct archive_options options = small_objects();
	struct archive *archive = start_archive(&options);
	fault_disk_full(true);
	archive_drain(archive, test_ordinal);
	WAIT_FOR(stage_get(test_stage, STAGE_STATE) == STAGE_WAITING);
	WAIT_FOR(stage_get(test_stage, STAGE_RETRIES) > 2);
	assert_int_equal(archive_failed(archive, NULL), RC_OK);
	fault_disk_full(false);
	test_ahead_us += 60000000; /* the pause is over */
	join_archive(archive);
	assert_archived();
	assert_int_equal(stage_get(test_stage, STAGE_STATE), STAGE_DONE);
}

static void a_stop_on_a_full_disk_leaves_the_rest_to_the_stream(void **state)
{
	(void)state;
	make_stream(20);
	open_stream();
	struct archive_options options = small_objects();
	struct fault fault;
	struct archive *archive = start_archive(&options);
	fault_disk_full(true);
	WAIT_FOR(stage_get(test_stage, STAGE_STATE) == STAGE_WAITING);
	archive_stop(archive);
	assert_int_equal(archive_join(archive, &fault), RC_DISK_FULL);
	fault_disk_full(false);
	assert_beginnings();
	archive_until(&options, test_ordinal);
	assert_archived();
}

/* What is in the store: its files and their checksums. */
#define LIST_STORE "find store/log store/manifest -type f | LC_ALL=C sort | xargs sha256sum"

/* Archives the stream while the Nth call to the disk fails; if the archive fails of it, once more.
 */
static void archive_with_failure(long nth, int error, bool *ret_over)
{
	assert_int_equal(shell("rm -rf store"), 0);
	open_stream();
	struct archive_options options = small_objects();
	struct archive *archive = NULL;
	struct fault fault = {.text = ""};
	fault_disk_fail(nth, error, false);
	enum rc rc = archive_start(&options, &archive, &fault);
	bool has_started = rc == RC_OK;
	if (has_started) {
		archive_drain(archive, test_ordinal);
		rc = archive_join(archive, &fault);
	}
	*ret_over = !fault_disk_has_struck();
	fault_disk_fail(0, 0, false);
	if (rc != RC_OK && error == ENOSPC && has_started)
		fail_msg("call %ld: %s", nth, fault.text);
	if (rc != RC_OK) {
		assert_int_equal(rc, error == ENOSPC ? RC_DISK_FULL : RC_IO);
		archive_until(&options, test_ordinal);
	}
	close_stream();
}

static void survives_any_single_failure_of_the_disk(void **state)
{
	(void)state;
	static const int errors[] = {ENOSPC, EIO};
	bool is_over = false;
	test_skips_sleep = true;
	open_stream();
	append(300, 400);
	append(20, 100);
	test_time_us += 3600000000;
	append(20, 100);
	close_stream();
	archive_with_failure(0, 0, &is_over);
	assert_archived();
	assert_int_equal(shell(LIST_STORE " >before"), 0);
	for (size_t i = 0; i < 2; i++) {
		is_over = false;
		for (long nth = 1; !is_over; nth++) {
			archive_with_failure(nth, errors[i], &is_over);
			if (shell(LIST_STORE " | cmp - before") != 0)
				fail_msg("another archive after call %ld failed", nth);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

static const struct CMUnitTest tests[] = {
	TEST(survives_a_kill_at_each_publication),
	TEST(comes_to_the_end_through_kill_after_kill),
	TEST(survives_kills_at_any_time),
	TEST(two_archives_of_one_stream_make_one),
	TEST(archives_in_several_processes_make_one),
	TEST(waits_for_room_on_a_full_disk),
	TEST(a_stop_on_a_full_disk_leaves_the_rest_to_the_stream),
	TEST(survives_any_single_failure_of_the_disk),
};
UNIT_MAIN(tests)
