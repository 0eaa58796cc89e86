/* Kills the process at each stage of a sink, again and again, and looks whether the read model is
 * what an independent program (fold.py) makes of the stream. */
#include "sinks/engine.c"
#include "stream.h"

static struct stream stream;
static struct config config;

static int set_up(void **state)
{
	char *folder = unit_folder();
	*state = folder;
	stream_open(&stream, folder, 3);
	return 0;
}

static int tear_down(void **state)
{
	stream_close(&stream);
	unit_folder_remove(*state);
	return 0;
}

static unsigned random_below(unsigned limit)
{
	static uint32_t seed = 20261125;
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % limit;
}

/* Rows of a table with a key: creates, updates and deletes that follow from what is there. */
static void put_keyed(unsigned id, bool *is_there)
{
	char op = !*is_there ? 'c' : random_below(3) == 0 ? 'd' : 'u';
	stream_id(&stream, op, "ads", id, ",\"title\":\"t%u of %u\",\"price\":%u.50",
		random_below(1000), id, random_below(100));
	*is_there = op != 'd';
}

/* Equal rows of a table without a key. */
static void put_keyless(unsigned *copies)
{
	unsigned which = random_below(3);
	char row[40], values[10];
	snprintf(values, sizeof values, "v%u", which);
	snprintf(row, sizeof row, "{\"what\":\"v%u\"}", which);
	bool away = copies[which] > 0 && random_below(2) == 0;
	stream_row(&stream, away ? 'd' : 'c', "shop", "log", NULL, values, row);
	copies[which] += away ? -1u : 1u;
}

static void fill(unsigned events)
{
	enum { IDS = 60 };
	bool there[IDS] = {0};
	unsigned copies[3] = {0};
	for (unsigned i = 0; i < events; i++) {
		if (i % 400 == 399) {
			stream_control(&stream, 't', "shop", "ads", "");
			memset(there, 0, sizeof there);
		} else if (random_below(4) == 0) {
			put_keyless(copies);
		} else {
			unsigned id = random_below(IDS);
			put_keyed(id, &there[id]);
		}
		if (random_below(20) == 0)
			stream_commit(&stream);
	}
	stream_commit(&stream);
}

/* Delivers in a process of its own that dies when `stage` is passed for the `nth` time. True when
 * it was killed, false when it came through. */
static bool run_and_die(const char *stage, unsigned nth)
{
	char wish[60];
	snprintf(wish, sizeof wish, "%s:%u", stage, nth);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		struct fault fault;
		setenv("MILLSTREAM_CRASH", wish, 1);
		if (!crash_init())
			_exit(3);
		_exit(sink_run(&stream, &config, &fault) == RC_OK ? 0 : 4);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return true;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	return false;
}

static void sqlite_equals_the_stream_after_any_kill(void **state)
{
	(void)state;
	static const char *const stages[] = {"sink-send", "sink-commit", "sink-committed"};
	char path[400];
	snprintf(path, sizeof path, "%s/x.db", stream.data);
	sink_config(&config, SETTINGS("type=sqlite", "batch_count=17"));
	fill(2000);
	stream_shut(&stream);
	unsigned kills = 0;
	for (unsigned round = 0; round < 60; round++)
		kills += run_and_die(stages[round % 3], 1 + random_below(4));
	assert_true(kills >= 50);
	assert_false(run_and_die("sink-send", 1000000));
	assert_true(equals_fold(&stream, path));
	assert_string_equal(sql_ask(path, "SELECT next FROM checkpoint"),
		sql_ask(path, "SELECT %llu", (unsigned long long)stream.next));
	config_release(&config);
}

/* A refused document has exactly one letter, wherever the process died. */
static void every_refused_document_has_its_letter_after_any_kill(void **state)
{
	(void)state;
	static const char *const stages[] = {"sink-send", "sink-commit", "sink-committed"};
	enum { REFUSED = 40 };
	char path[400], letters[400], *deep = deep_json();
	snprintf(path, sizeof path, "%s/x.db", stream.data);
	snprintf(letters, sizeof letters, "%s/dead-letters/x.db", stream.data);
	sink_config(&config, SETTINGS("type=sqlite", "batch_count=10"));
	for (unsigned i = 0; i < REFUSED; i++) {
		char key[30], values[20];
		snprintf(key, sizeof key, "{\"id\":%u}", 1000 + i);
		snprintf(values, sizeof values, "%u", 1000 + i);
		char *row = mem_format("{\"id\":%u,\"x\":%s}", 1000 + i, deep);
		fill(10);
		stream_row(&stream, 'c', "shop", "boats", key, values, row);
		mem_free(row);
	}
	stream_commit(&stream);
	stream_shut(&stream);
	unsigned kills = 0;
	for (unsigned round = 0; round < 30; round++)
		kills += run_and_die(stages[round % 3], 1 + random_below(3));
	assert_true(kills >= 20);
	assert_false(run_and_die("sink-send", 1000000));
	assert_true(equals_fold_without(&stream, path, "[[[["));
	assert_string_equal(
		sql_ask(letters, "SELECT count(*) || state FROM letters GROUP BY state"),
		"40waiting");
	config_release(&config);
	mem_free(deep);
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	TEST(sqlite_equals_the_stream_after_any_kill),
	TEST(every_refused_document_has_its_letter_after_any_kill),
};
UNIT_MAIN(tests)
