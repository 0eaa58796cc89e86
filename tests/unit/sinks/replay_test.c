#include "sinks/replay.c"

#include "fake.h"

/* Replays while the sink runs and delivers newer events for the same keys: whatever the order of
 * the two, the newest event wins, also where the target has forgotten a deleted document. */
static void replay_beside_a_running_sink_never_brings_back_the_old(void **state)
{
	(void)state;
	struct sink_options options = sink_options_of(&stream, &config);
	struct sink *sink;
	struct fault fault = {0};
	enum { KEYS = 40 };
	fake.refuse = true;
	for (unsigned id = 0; id < KEYS; id++)
		stream_id(&stream, 'c', "ads", id, ",\"x\":\"refuse\"");
	stream_commit(&stream);
	assert_rc(sink_start(&options, &sink, &fault));
	while (sink_next(sink) < KEYS)
		clock_sleep_us(1000);
	fake.refuse = false;
	for (unsigned id = 0; id < KEYS; id++) {
		struct dead_filter one = {.one = true, .ordinal = id};
		struct dead_result result;
		stream_id(&stream, 'd', "ads", id, "%s", "");
		stream_commit(&stream);
		if (id % 3 == 0)
			clock_sleep_us(id * 300);
		enum rc rc = sinks_dead_replay(&options, &one, &result, &fault);
		assert_rc(rc);
	}
	sink_drain(sink, stream.next);
	assert_rc(sink_join(sink, &fault));
	assert_int_equal(fake.doc_count, 0);
	assert_string_equal(
		sql_ask(letters_path(), "SELECT count(*) FROM letters WHERE state = 'waiting'"),
		"0");
}

static const struct CMUnitTest tests[] = {
	TEST(replay_beside_a_running_sink_never_brings_back_the_old),
};
UNIT_MAIN(tests)
