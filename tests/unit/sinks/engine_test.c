#include "sinks/engine.c"

#include "fake.h"

static void delivers_in_order_across_shards(void **state)
{
	(void)state;
	for (unsigned id = 1; id <= 5; id++)
		stream_id(&stream, 'c', "ads", id, "%s", "");
	stream_commit(&stream);
	stream_id(&stream, 'u', "ads", 3, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_string_equal(calls(),
		"c shop.ads|1; c shop.ads|2; c shop.ads|3; c shop.ads|4; "
		"c shop.ads|5; u shop.ads|3");
	assert_int_equal(saved_checkpoint(), 6);
	assert_int_equal(stage_get(stage, STAGE_EVENTS), 6);
	assert_int_equal(stage_get(stage, STAGE_NEXT_ORDINAL), 6);
	/* the next run begins at the checkpoint */
	sink_run_well(&stream, &config);
	assert_int_equal(fake.call_count, 6);
}

static void goes_on_in_the_middle_of_a_batch_of_the_stream(void **state)
{
	(void)state;
	struct config small;
	struct sink *sink;
	struct fault fault = {0};
	sink_config(&small, SETTINGS("type=elasticsearch", "batch_count=3"));
	struct sink_options options = sink_options_of(&stream, &small);
	for (unsigned id = 1; id <= 6; id++)
		stream_id(&stream, 'c', "ads", id, "%s", "");
	stream_commit(&stream);
	assert_rc(sink_start(&options, &sink, &fault));
	sink_drain(sink, 3);
	assert_rc(sink_join(sink, &fault));
	uint64_t next = saved_checkpoint();
	assert_true(next == 3 || next == 6); /* it may have been faster than sink_drain */
	if (next == 6)
		assert_rc(hub_checkpoint_save(stream.folder, "sink-x", 3, NULL));
	forget_all();
	sink_run_well(&stream, &small);
	assert_string_equal(calls(), "c shop.ads|4; c shop.ads|5; c shop.ads|6");
	assert_int_equal(stage_get(stage, STAGE_EVENTS), 3);
	config_release(&small);
}

static void begins_before_the_stream_has_anything(void **state)
{
	(void)state;
	struct sink_options options = sink_options_of(&stream, &config);
	struct sink *sink;
	struct fault fault = {0};
	assert_rc(sink_start(&options, &sink, &fault));
	clock_sleep_us(250000);
	assert_rc(sink_failed(sink, &fault));
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_commit(&stream);
	sink_drain(sink, stream.next);
	assert_rc(sink_join(sink, &fault));
	assert_string_equal(calls(), "c shop.ads|1");
}

/* A text that does not compress. */
static const char *noise(void)
{
	static uint32_t seed = 1;
	static char text[3001];
	for (size_t i = 0; i < sizeof text - 1; i++) {
		seed = seed * 1664525 + 1013904223;
		text[i] = (char)('0' + (seed >> 24) % 40); /* without quotes and backslashes */
	}
	return text;
}

static bool is_trimmed(void)
{
	struct hub_reader *reader;
	struct hub_start start = {.from = HUB_AT_ORDINAL, .ordinal = 1};
	enum rc rc = hub_reader_open(stream.folder, &start, &reader, NULL);
	if (rc == RC_OK)
		hub_reader_close(reader);
	else
		assert_int_equal(rc, RC_TRIMMED);
	return rc == RC_TRIMMED;
}

/* Fills segments of 1 MiB until the first events are gone. */
static void fill_until_trimmed(void)
{
	for (int round = 0; !is_trimmed(); round++) {
		assert_true(round < 100);
		for (unsigned i = 0; i < 400; i++)
			stream_id(&stream, 'u', "ads", i % 9, ",\"x\":\"%s\"", noise());
		stream_commit(&stream);
		clock_sleep_us(100000);
	}
}

static void a_trimmed_start_stops_it_by_name(void **state)
{
	(void)state;
	struct fault fault;
	char *data = mem_text(stream.data);
	stream_close(&stream);
	stream_open_small(&stream, data, 2, 3 << 20);
	mem_free(data);
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_id(&stream, 'c', "ads", 2, "%s", "");
	stream_commit(&stream);
	assert_rc(hub_checkpoint_save(stream.folder, "sink-x", 1, NULL));
	fill_until_trimmed();
	/* one that wants what is gone does not jump */
	assert_int_equal(sink_run(&stream, &config, &fault), RC_TRIMMED);
	assert_non_null(strstr(fault.text, "sink 'x' cannot go on where it was"));
	assert_non_null(strstr(fault.hint, "forget everything"));
	assert_int_equal(saved_checkpoint(), 1);
	assert_int_equal(fake.call_count, 0);
}

static void filters_and_moves_on_all_the_same(void **state)
{
	(void)state;
	struct config some;
	sink_config(&some,
		SETTINGS("type=elasticsearch", "tables=shop.a*,other", "exclude=shop.adverts"));
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_id(&stream, 'c', "adverts", 1, "%s", "");
	stream_id(&stream, 'c', "boats", 1, "%s", "");
	stream_row(&stream, 'c', "other", "t\\\"q", "{\"id\":1}", "1", "{\"id\":1}");
	stream_control(&stream, 't', "shop", "boats", "");
	stream_id(&stream, 'c', "boats", 2, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &some);
	assert_string_equal(calls(), "c shop.ads|1; c other.t\\\"q|1");
	assert_int_equal(saved_checkpoint(), 6);
	config_release(&some);
}

static void a_control_record_is_a_barrier(void **state)
{
	(void)state;
	stream_control(&stream, 's', "shop", "ads",
		",\"columns\":[{\"name\":\"id\",\"type\":\"int\",\"null\":false}],"
		"\"primary_key\":[\"id\"]");
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_id(&stream, 'c', "ads", 2, "%s", "");
	stream_control(&stream, 't', "shop", "ads", "");
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_control(&stream, 't', "shop", NULL, ",\"drop\":true");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_string_equal(
		calls(), "s ads; c shop.ads|1; c shop.ads|2; t shop.ads; c shop.ads|1; t shop.");
	assert_int_equal(saved_checkpoint(), 6);
}

static void cuts_batches_by_count_and_size(void **state)
{
	(void)state;
	struct config small;
	sink_config(&small, SETTINGS("type=elasticsearch", "batch_count=3"));
	for (unsigned id = 1; id <= 10; id++)
		stream_id(&stream, 'c', "ads", id, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &small);
	assert_int_equal(stage_get(stage, STAGE_BATCHES), 4);
	config_release(&small);
	sink_config(&small, SETTINGS("type=elasticsearch", "batch_size=1KiB"));
	char large[3000];
	memset(large, 'y', sizeof large);
	large[sizeof large - 1] = 0;
	for (unsigned id = 11; id <= 14; id++)
		stream_id(&stream, 'c', "ads", id, ",\"x\":\"%s\"", id == 12 ? large : "");
	stream_commit(&stream);
	sink_run_well(&stream, &small);
	assert_int_equal(stage_get(stage, STAGE_BATCHES), 3);
	assert_int_equal(fake.doc_count, 14);
	config_release(&small);
}

static void refuses_a_row_that_is_not_whole(void **state)
{
	(void)state;
	struct fault fault;
	static const char columns[] =
		",\"columns\":[{\"name\":\"id\",\"type\":\"int\",\"null\":false},"
		"{\"name\":\"x\",\"type\":\"json\",\"null\":true}],\"primary_key\":[\"id\"]";
	stream_control(&stream, 's', "shop", "ads", columns);
	stream_id(&stream, 'c', "ads", 1, ",\"x\":{\"a\":[1,2],\"b\":\"}\"}");
	stream_id(&stream, 'd', "ads", 1, "%s", "");
	stream_id(&stream, 'u', "ads", 1, "%s", "");
	stream_commit(&stream);
	assert_int_equal(sink_run(&stream, &config, &fault), RC_UNFIT);
	assert_non_null(strstr(fault.text, "only 1 of the 2 columns"));
	assert_string_equal(calls(), "s ads; c shop.ads|1; d shop.ads|1");
	assert_int_equal(saved_checkpoint(), 3);
	/* rows from before the schema that is known are not measured by it */
	assert_rc(hub_checkpoint_save(stream.folder, "sink-x", 3, NULL));
	stream_control(&stream, 's', "shop", "cars", columns);
	stream_commit(&stream);
	sql_ask(letters_path(), "UPDATE tables SET columns_since = 100");
	sink_run_well(&stream, &config);
}

static void a_line_that_is_none_stops_it(void **state)
{
	(void)state;
	struct fault fault;
	stream_put(&stream, mem_text("not a line\n"), "k", false);
	stream_commit(&stream);
	assert_int_equal(sink_run(&stream, &config, &fault), RC_CORRUPT);
	assert_non_null(strstr(fault.text, "record 0"));
}

/* ---- kills ----
 *
 * The process dies at each stage of a sink, again and again, and then the read model must be what
 * an independent program (fold.py) makes of the stream. */

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

/* Delivers in a process of its own that dies when the stage `at` is passed for the `nth` time. True
 * when it was killed, false when it came through. */
static bool run_and_die(const char *at, unsigned nth)
{
	char wish[60];
	snprintf(wish, sizeof wish, "%s:%u", at, nth);
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
	config_release(&config);
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
	config_release(&config);
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
	mem_free(deep);
}

static const struct CMUnitTest tests[] = {
	TEST(delivers_in_order_across_shards),
	TEST(goes_on_in_the_middle_of_a_batch_of_the_stream),
	TEST(begins_before_the_stream_has_anything),
	TEST(a_trimmed_start_stops_it_by_name),
	TEST(filters_and_moves_on_all_the_same),
	TEST(a_control_record_is_a_barrier),
	TEST(cuts_batches_by_count_and_size),
	TEST(refuses_a_row_that_is_not_whole),
	TEST(a_line_that_is_none_stops_it),
	TEST(sqlite_equals_the_stream_after_any_kill),
	TEST(every_refused_document_has_its_letter_after_any_kill),
};
UNIT_MAIN(tests)
