#include "unit.h"

#include "store/folder.c"

#include <signal.h>
#include <sys/wait.h>

#include "base/crash.h"
#include "base/thread.h"

/* ---- helpers ---- */

static char *place;

static int make_place(void **state)
{
	(void)state;
	place = unit_folder();
	return 0;
}

static int remove_place(void **state)
{
	(void)state;
	disk_ops = &disk_system;
	crash_armed = CRASH_COUNT;
	unit_folder_remove(place);
	return 0;
}

static struct store *opened(void)
{
	struct store *store = NULL;
	struct fault fault;
	assert_rc(store_open_folder(place, &store, &fault));
	return store;
}

static enum rc put(struct store *store, const char *key, const char *text, const char *meta)
{
	struct store_stage *stage = NULL;
	struct fault fault;
	enum rc rc = store_stage_begin(store, &stage, &fault);
	if (rc == RC_OK)
		rc = store_stage_append(stage, slice_text(text), &fault);
	if (rc == RC_OK)
		rc = store_stage_publish(stage, key, slice_text(meta), &fault);
	store_stage_close(stage);
	return rc;
}

static void assert_object(struct store *store, const char *key, const char *text, const char *meta)
{
	struct fault fault;
	struct buf got = buf_of(1 << 20), got_meta = buf_of(1 << 20);
	uint64_t size = 0;
	assert_rc(store_get(store, key, 0, UINT64_MAX, &got, &fault));
	assert_slice(buf_as_slice(&got), text);
	assert_rc(store_head(store, key, &size, &got_meta, &fault));
	assert_int_equal(size, strlen(text));
	assert_slice(buf_as_slice(&got_meta), meta);
	buf_release(&got);
	buf_release(&got_meta);
}

static bool is_absent(struct store *store, const char *key)
{
	struct fault fault;
	struct buf out = buf_of(100);
	uint64_t size;
	return store_head(store, key, &size, &out, &fault) == RC_NOT_FOUND &&
		store_get(store, key, 0, 1, &out, &fault) == RC_NOT_FOUND;
}

/* Lines that a shell command prints in the store's folder. */
static char *shell(const char *command)
{
	static char out[65536];
	char line[500];
	snprintf(line, sizeof line, "cd '%s' && %s", place, command);
	FILE *pipe = popen(line, "r");
	assert_non_null(pipe);
	out[fread(out, 1, sizeof out - 1, pipe)] = 0;
	assert_int_equal(pclose(pipe), 0);
	return out;
}

/* Puts an object in a child that dies by SIGKILL between its metadata and its name. */
static void put_and_die(const char *key)
{
	pid_t child = fork();
	if (child == 0) {
		(void)setenv("MILLSTREAM_CRASH", "archive-meta:1", 1);
		if (crash_init())
			(void)!put(opened(), key, "from the dead", "{\"by\":\"dead\"}");
		_exit(0);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* ---- publishing ---- */

static void publishes_an_object_with_its_metadata(void **state)
{
	(void)state;
	struct store *store = opened();
	assert_rc(put(store, "log/a/1.zst", "some bytes", "{\"count\":1}"));
	assert_object(store, "log/a/1.zst", "some bytes", "{\"count\":1}");
	assert_string_equal(shell("cat log/a/1.zst"), "some bytes");
	assert_string_equal(shell("cat log/a/1.zst.meta"), "{\"count\":1}");
	assert_string_equal(shell("ls .stage"), "");
	assert_string_equal(store_name(store), place);
	store_close(store);
	store = opened();
	assert_object(store, "log/a/1.zst", "some bytes", "{\"count\":1}");
	store_close(store);
}

static void refuses_a_name_that_is_taken(void **state)
{
	(void)state;
	struct store *store = opened();
	assert_rc(put(store, "log/1", "first", "{\"by\":1}"));
	assert_int_equal(put(store, "log/1", "second, longer", "{\"by\":2}"), RC_EXISTS);
	assert_object(store, "log/1", "first", "{\"by\":1}");
	assert_rc(store_replace(store, "manifest/1", slice_text("m"), NULL));
	assert_int_equal(put(store, "manifest/1", "x", "{}"), RC_EXISTS);
	assert_object(store, "manifest/1", "m", "");
	assert_int_equal(put(store, "log", "x", "{}"), RC_EXISTS);
	store_close(store);
}

static void appends_in_pieces(void **state)
{
	(void)state;
	struct store *store = opened();
	struct store_stage *stage = NULL;
	struct fault fault;
	assert_rc(store_stage_begin(store, &stage, &fault));
	assert_int_equal(store_stage_size(stage), 0);
	for (int i = 0; i < 100; i++)
		assert_rc(store_stage_append(stage, slice_text("0123456789"), &fault));
	assert_int_equal(store_stage_size(stage), 1000);
	assert_rc(store_stage_publish(stage, "big", slice_text("{}"), &fault));
	store_stage_close(stage);
	struct buf out = buf_of(2000);
	assert_rc(store_get(store, "big", 995, 3, &out, &fault));
	assert_slice(buf_as_slice(&out), "567");
	assert_rc(store_get(store, "big", 999, UINT64_MAX, &out, &fault));
	assert_rc(store_get(store, "big", 1000, 5, &out, &fault));
	assert_rc(store_get(store, "big", 5000, 5, &out, &fault));
	assert_slice(buf_as_slice(&out), "5679");
	struct buf small = buf_of(10);
	assert_int_equal(store_get(store, "big", 0, 11, &small, &fault), RC_LIMIT);
	buf_release(&small);
	buf_release(&out);
	store_close(store);
}

static void refuses_bad_keys(void **state)
{
	(void)state;
	struct store *store = opened();
	char too_long[902];
	memset(too_long, 'a', sizeof too_long);
	too_long[901] = 0;
	const char *const bad[] = {"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "a/../b", "./a",
		"a/./b", "../a", ".lock", ".stage/x", ".a", "a b", "a\n", "\xc3\xa4", "a*b", "a\\b",
		"a:b", "x.meta", "a/b.meta", ".meta", "a/.meta", too_long};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct fault fault;
		struct buf out = buf_of(10);
		uint64_t size;
		assert_int_equal(put(store, bad[i], "x", "{}"), RC_USAGE);
		assert_int_equal(store_replace(store, bad[i], SLICE("x"), &fault), RC_USAGE);
		assert_int_equal(store_delete(store, bad[i], &fault), RC_USAGE);
		assert_int_equal(store_settle(store, bad[i], &fault), RC_USAGE);
		assert_int_equal(store_get(store, bad[i], 0, 1, &out, &fault), RC_USAGE);
		assert_int_equal(store_head(store, bad[i], &size, &out, &fault), RC_USAGE);
	}
	assert_string_equal(shell("find . -type f | sort"), "./.lock\n");
	too_long[200] = 0; /* one part; a file system takes 255 bytes */
	const char *const good[] = {"a", "a.b", "-", "_", "=", "a/.b", "a/...", "a.meta/b",
		"a.metal", "Z9=_-.", too_long};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		if (i == 0)
			continue; /* "a" is a folder here */
		assert_rc(put(store, good[i], good[i], "{}"));
		assert_object(store, good[i], good[i], "{}");
	}
	store_close(store);
}

static void replaces_as_a_whole(void **state)
{
	(void)state;
	struct store *store = opened();
	struct fault fault;
	assert_rc(store_replace(store, "m/1.json", slice_text("the first, long one"), &fault));
	assert_object(store, "m/1.json", "the first, long one", "");
	assert_rc(store_replace(store, "m/1.json", slice_text("second"), &fault));
	assert_object(store, "m/1.json", "second", "");
	assert_rc(store_replace(store, "m/1.json", slice_text(""), &fault));
	assert_object(store, "m/1.json", "", "");
	assert_string_equal(shell("find . -type f | sort"), "./.lock\n./m/1.json\n");
	assert_rc(put(store, "m/2", "published", "{\"a\":1}"));
	assert_int_equal(store_replace(store, "m/2", slice_text("x"), &fault), RC_EXISTS);
	assert_object(store, "m/2", "published", "{\"a\":1}");
	store_close(store);
}

static void deletes(void **state)
{
	(void)state;
	struct store *store = opened();
	struct fault fault;
	assert_rc(put(store, "a/1", "one", "{\"n\":1}"));
	assert_rc(put(store, "a/2", "two", "{\"n\":2}"));
	assert_rc(store_delete(store, "a/1", &fault));
	assert_true(is_absent(store, "a/1"));
	assert_string_equal(shell("ls a"), "2\n2.meta\n");
	assert_rc(store_delete(store, "a/1", &fault));
	assert_rc(store_delete(store, "nowhere/at/all", &fault));
	assert_rc(put(store, "a/1", "again", "{\"n\":3}"));
	assert_object(store, "a/1", "again", "{\"n\":3}");
	store_close(store);
}

/* ---- crashes ---- */

static void a_leftover_meta_is_no_object(void **state)
{
	(void)state;
	store_close(opened());
	put_and_die("log/1");
	assert_string_equal(shell("ls log; ls .stage | wc -l"), "1.meta\n1\n");
	struct store *store = opened();
	assert_string_equal(shell("ls .stage"), "");
	assert_true(is_absent(store, "log/1"));
	struct buf key = buf_of(100);
	assert_int_equal(store_last(store, "log/", &key, NULL), RC_NOT_FOUND);
	assert_rc(put(store, "log/1", "from the living", "{\"by\":\"living\"}"));
	assert_object(store, "log/1", "from the living", "{\"by\":\"living\"}");

	put_and_die("log/2");
	assert_rc(store_replace(store, "log/2", slice_text("manifest"), NULL));
	assert_object(store, "log/2", "manifest", "");
	store_close(store);
}

static void removes_what_a_crash_left_staged_and_nothing_else(void **state)
{
	(void)state;
	struct store *store = opened();
	struct store_stage *living = NULL;
	assert_rc(store_stage_begin(store, &living, NULL));
	assert_rc(store_stage_append(living, slice_text("living"), NULL));
	pid_t child = fork();
	if (child == 0) {
		struct store_stage *stage = NULL;
		if (store_stage_begin(opened(), &stage, NULL) == RC_OK)
			(void)kill(getpid(), SIGKILL);
		_exit(1);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_string_equal(shell("ls .stage | wc -l"), "2\n");
	struct store *second = opened();
	assert_string_equal(shell("ls .stage | wc -l"), "1\n");
	assert_rc(store_stage_publish(living, "a", slice_text("{}"), NULL));
	store_stage_close(living);
	assert_object(second, "a", "living", "{}");
	store_close(second);
	store_close(store);
}

/* ---- races ---- */

enum { RACERS = 4, RACES = 60 };

/* Puts every key, with bytes and metadata that name the racer; counts the wins. */
static void race(int racer, int *ret_wins)
{
	struct store *store = opened();
	for (int i = 0; i < RACES; i++) {
		char key[40], text[40], meta[40];
		snprintf(key, sizeof key, "log/%d/%d", i % 7, i);
		snprintf(text, sizeof text, "racer %d key %d", racer, i);
		snprintf(meta, sizeof meta, "{\"racer\":%d,\"key\":%d}", racer, i);
		enum rc rc = put(store, key, text, meta);
		if (rc == RC_OK)
			(*ret_wins)++;
		else if (rc != RC_EXISTS)
			abort();
	}
	store_close(store);
}

static void assert_one_winner_each(void)
{
	struct store *store = opened();
	for (int i = 0; i < RACES; i++) {
		char key[40], meta[40];
		snprintf(key, sizeof key, "log/%d/%d", i % 7, i);
		struct buf got = buf_of(100);
		assert_rc(store_get(store, key, 0, 100, &got, NULL));
		int racer = -1, number = -1;
		assert_int_equal(sscanf(buf_cstring(&got), "racer %d key %d", &racer, &number), 2);
		assert_int_equal(number, i);
		snprintf(meta, sizeof meta, "{\"racer\":%d,\"key\":%d}", racer, i);
		assert_object(store, key, buf_cstring(&got), meta);
		buf_release(&got);
	}
	store_close(store);
	assert_string_equal(shell("ls .stage"), "");
}

struct racer {
	struct thread thread;
	int number, wins;
};

static void race_in_thread(void *arg)
{
	struct racer *racer = arg;
	race(racer->number, &racer->wins);
}

static void one_of_many_threads_wins(void **state)
{
	(void)state;
	struct racer racers[RACERS];
	for (int i = 0; i < RACERS; i++) {
		racers[i] = (struct racer){.number = i};
		assert_rc(thread_start(
			&racers[i].thread, THREAD_ROLE, "racer", race_in_thread, &racers[i], NULL));
	}
	int wins = 0;
	for (int i = 0; i < RACERS; i++) {
		thread_join(&racers[i].thread);
		wins += racers[i].wins;
	}
	assert_int_equal(wins, RACES);
	assert_one_winner_each();
}

static void one_of_many_processes_wins(void **state)
{
	(void)state;
	pid_t children[RACERS];
	for (int i = 0; i < RACERS; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			int wins = 0;
			race(i, &wins);
			_exit(wins);
		}
	}
	int wins = 0;
	for (int i = 0; i < RACERS; i++) {
		int status = 0;
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_true(WIFEXITED(status));
		wins += WEXITSTATUS(status);
	}
	assert_int_equal(wins, RACES);
	assert_one_winner_each();
}

/* Racers that are killed between metadata and object, over and over: the last one finishes. */
static void no_object_gets_the_metadata_of_a_dead_racer(void **state)
{
	(void)state;
	store_close(opened());
	pid_t children[RACERS];
	for (int i = 0; i < RACERS; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			char stage[40];
			snprintf(stage, sizeof stage, "archive-meta:%d", 3 + 4 * i);
			(void)setenv("MILLSTREAM_CRASH", stage, 1);
			int wins = 0;
			if (crash_init())
				race(10 + i, &wins);
			_exit(0);
		}
	}
	int killed = 0;
	for (int i = 0; i < RACERS; i++) {
		int status = 0;
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		killed += WIFSIGNALED(status);
	}
	assert_true(killed > 0);
	int wins = 0;
	race(1, &wins);
	assert_one_winner_each();
}

/* ---- a disk that fails ---- */

static char trail[4096]; /* the calls, a letter each */
static long calls_left;  /* until one fails; negative: never */
static int fail_with;

static bool fails(char letter)
{
	size_t len = strlen(trail);
	if (len < sizeof trail - 1) {
		trail[len] = letter;
		trail[len + 1] = 0;
	}
	if (calls_left < 0 || calls_left-- != 0)
		return false;
	errno = fail_with;
	return true;
}

static int failing_open(const char *path, int flags, mode_t mode)
{
	return fails('o') ? -1 : disk_system.open(path, flags, mode);
}

static ssize_t failing_pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	if (!fails('w'))
		return disk_system.pwritev(fd, parts, count, offset);
	/* what a full disk takes before it refuses */
	struct iovec part = {parts->iov_base, parts->iov_len / 2};
	(void)!disk_system.pwritev(fd, &part, 1, offset);
	errno = fail_with;
	return -1;
}

static int failing_sync(int fd)
{
	return fails('s') ? -1 : disk_system.sync_data(fd);
}

static int failing_sync_folder(const char *path)
{
	return fails('f') ? -1 : disk_system.sync_folder(path);
}

static int failing_rename(const char *from, const char *to)
{
	return fails('r') ? -1 : disk_system.rename(from, to);
}

static int failing_link(const char *from, const char *to)
{
	return fails('l') ? -1 : disk_system.link(from, to);
}

static int failing_unlink(const char *path)
{
	return fails('u') ? -1 : disk_system.unlink(path);
}

static struct disk_ops failing_disk;

static void use_failing_disk(long calls, int number)
{
	failing_disk = disk_system;
	failing_disk.open = failing_open;
	failing_disk.pwritev = failing_pwritev;
	failing_disk.sync_data = failing_sync;
	failing_disk.sync_folder = failing_sync_folder;
	failing_disk.rename = failing_rename;
	failing_disk.link = failing_link;
	failing_disk.unlink = failing_unlink;
	disk_ops = &failing_disk;
	trail[0] = 0;
	calls_left = calls;
	fail_with = number;
}

/* What a power cut may do to a folder is done when the folder is synced; so the bytes go first, the
 * metadata's name second, the object's name last, each behind a sync. */
static void makes_each_step_durable_before_the_next(void **state)
{
	(void)state;
	struct store *store = opened();
	assert_rc(put(store, "a/b/0", "x", "{}"));
	use_failing_disk(-1, 0);
	assert_rc(put(store, "a/b/1", "x", "{}"));
	/* stage: open write sync; metadata: open write sync rename (unlink of its old name);
	 * folder; link; folder; unlink of the staged name */
	assert_string_equal(trail, "owsowsruflfu");
	disk_ops = &disk_system;
	store_close(store);
}

/* One publication with the Nth call to the disk failing: it says so and nothing is half there, or
 * it can be tried again and succeeds. True when nothing failed any more. */
static bool put_with_failure(long nth, int number)
{
	char key[40];
	snprintf(key, sizeof key, "x%ld-%d/y/1", nth, number);
	struct store *store = opened();
	struct store_stage *stage = NULL;
	struct fault fault = {0};
	use_failing_disk(nth, number);
	enum rc rc = store_stage_begin(store, &stage, &fault);
	if (rc != RC_OK)
		rc = store_stage_begin(store, &stage, &fault);
	assert_rc(rc);
	rc = store_stage_append(stage, slice_text("the bytes"), &fault);
	if (rc != RC_OK)
		rc = store_stage_append(stage, slice_text("the bytes"), &fault);
	assert_rc(rc);
	rc = store_stage_publish(stage, key, slice_text("{\"a\":1}"), &fault);
	if (rc != RC_OK) {
		assert_int_equal(rc, number == ENOSPC ? RC_DISK_FULL : RC_IO);
		assert_non_null(strstr(fault.text, place));
	}
	if (rc != RC_OK && store_stage_is_lost(stage)) {
		assert_true(is_absent(store, key));
		store_stage_close(stage);
		stage = NULL;
		rc = put(store, key, "the bytes", "{\"a\":1}");
	} else if (rc != RC_OK) {
		rc = store_stage_publish(stage, key, slice_text("{\"a\":1}"), &fault);
	}
	assert_true(rc == RC_OK || rc == RC_EXISTS);
	store_stage_close(stage);
	bool is_over = calls_left >= 0;
	disk_ops = &disk_system;
	assert_object(store, key, "the bytes", "{\"a\":1}");
	store_close(store);
	store_close(opened());
	assert_string_equal(shell("ls .stage"), "");
	return is_over;
}

static void survives_any_single_failure(void **state)
{
	(void)state;
	static const int numbers[] = {ENOSPC, EIO, EDQUOT};
	for (size_t i = 0; i < 2; i++) {
		long nth = 0;
		while (!put_with_failure(nth, numbers[i]))
			nth++;
		assert_in_range(nth, 14, 40);
	}
	use_failing_disk(0, EDQUOT);
	struct store *store = NULL;
	struct fault fault;
	assert_int_equal(store_open_folder(place, &store, &fault), RC_DISK_FULL);
	assert_null(store);
}

static void a_failed_sync_loses_the_stage(void **state)
{
	(void)state;
	struct store *store = opened();
	struct store_stage *stage = NULL;
	assert_rc(store_stage_begin(store, &stage, NULL));
	assert_rc(store_stage_append(stage, slice_text("x"), NULL));
	assert_false(store_stage_is_lost(stage));
	use_failing_disk(0, ENOSPC);
	assert_int_equal(store_stage_publish(stage, "k", slice_text("{}"), NULL), RC_DISK_FULL);
	assert_true(store_stage_is_lost(stage));
	store_stage_close(stage);
	disk_ops = &disk_system;
	assert_true(is_absent(store, "k"));
	store_close(store);
}

static void a_replacement_that_fails_changes_nothing(void **state)
{
	(void)state;
	struct store *store = opened();
	assert_rc(store_replace(store, "m", slice_text("old"), NULL));
	bool is_over = false;
	for (long nth = 0; !is_over; nth++) {
		use_failing_disk(nth, ENOSPC);
		enum rc rc = store_replace(store, "m", slice_text("new"), NULL);
		is_over = calls_left >= 0;
		disk_ops = &disk_system;
		struct buf got = buf_of(100);
		assert_rc(store_get(store, "m", 0, 100, &got, NULL));
		const char *text = buf_cstring(&got);
		assert_true(strcmp(text, "new") == 0 || (rc != RC_OK && strcmp(text, "old") == 0));
		buf_release(&got);
		assert_rc(store_replace(store, "m", slice_text("old"), NULL));
	}
	store_close(store);
}

static void settling_syncs_every_folder_of_the_key(void **state)
{
	(void)state;
	struct store *store = opened();
	assert_rc(put(store, "a/b/c", "x", "{}"));
	use_failing_disk(-1, 0);
	assert_rc(store_settle(store, "a/b/c", NULL));
	assert_string_equal(trail, "fff");
	use_failing_disk(2, EIO);
	assert_int_equal(store_settle(store, "a/b/c", NULL), RC_IO);
	store_close(store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)

static const struct CMUnitTest tests[] = {
	TEST(publishes_an_object_with_its_metadata),
	TEST(refuses_a_name_that_is_taken),
	TEST(appends_in_pieces),
	TEST(refuses_bad_keys),
	TEST(replaces_as_a_whole),
	TEST(deletes),
	TEST(a_leftover_meta_is_no_object),
	TEST(removes_what_a_crash_left_staged_and_nothing_else),
	TEST(one_of_many_threads_wins),
	TEST(one_of_many_processes_wins),
	TEST(no_object_gets_the_metadata_of_a_dead_racer),
	TEST(makes_each_step_durable_before_the_next),
	TEST(survives_any_single_failure),
	TEST(a_failed_sync_loses_the_stage),
	TEST(a_replacement_that_fails_changes_nothing),
	TEST(settling_syncs_every_folder_of_the_key),
};
UNIT_MAIN(tests)
