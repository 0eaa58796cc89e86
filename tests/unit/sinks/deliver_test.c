#include "sinks/deliver.c"

#include "fake.h"

static void tries_again_only_what_needs_it(void **state)
{
	(void)state;
	fake.busy = 3;
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_id(&stream, 'c', "ads", 2, ",\"x\":\"busy\"");
	stream_id(&stream, 'c', "ads", 3, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_string_equal(calls(), "c shop.ads|1; c shop.ads|3; c shop.ads|2");
	assert_int_equal(stage_get(stage, STAGE_RETRIES), 3);
	assert_int_equal(fake.rounds, 4);
	assert_int_equal(stage_get(stage, STAGE_SKIPPED), 0);
}

/* The fake forgets what it deleted: were the create tried again after the delete, the row would be
 * back for good. */
static void an_older_event_is_not_tried_after_a_newer_one(void **state)
{
	(void)state;
	fake.busy = 1;
	stream_id(&stream, 'c', "ads", 1, ",\"x\":\"busy\"");
	stream_id(&stream, 'd', "ads", 1, "%s", "");
	stream_id(&stream, 'c', "ads", 2, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_string_equal(calls(), "d shop.ads|1; c shop.ads|2");
	assert_int_equal(fake.doc_count, 1);
	assert_int_equal(stage_get(stage, STAGE_SKIPPED), 1);
}

static void waits_while_the_target_is_away(void **state)
{
	(void)state;
	fake.away = 4;
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_int_equal(stage_get(stage, STAGE_RETRIES), 4);
	assert_string_equal(calls(), "c shop.ads|1");
}

static void honours_what_the_target_asks_for(void **state)
{
	(void)state;
	fake.busy = 1;
	fake.retry_after_us = 300000;
	stream_id(&stream, 'c', "ads", 1, ",\"x\":\"busy\"");
	stream_commit(&stream);
	int64_t begin = clock_monotonic_us();
	sink_run_well(&stream, &config);
	assert_true(clock_monotonic_us() - begin >= 300000);
}

static void stops_in_the_middle_of_a_pause(void **state)
{
	(void)state;
	struct config slow;
	struct sink *sink;
	struct fault fault = {0};
	sink_config(&slow, SETTINGS("type=elasticsearch", "retry_max=1h"));
	struct sink_options options = sink_options_of(&stream, &slow);
	fake.busy = 1000000;
	fake.retry_after_us = INT64_C(1000000000);
	stream_id(&stream, 'c', "ads", 1, ",\"x\":\"busy\"");
	stream_commit(&stream);
	assert_rc(sink_start(&options, &sink, &fault));
	for (int i = 0; stage_get(stage, STAGE_STATE) != STAGE_WAITING; i++) {
		assert_true(i < 500);
		clock_sleep_us(10000);
	}
	assert_rc(sink_failed(sink, &fault));
	int64_t begin = clock_monotonic_us();
	sink_stop(sink);
	assert_rc(sink_join(sink, &fault));
	assert_true(clock_monotonic_us() - begin < 1000000);
	assert_int_equal(
		hub_checkpoint_load(stream.folder, "sink-x", &stream.next, NULL), RC_NOT_FOUND);
	config_release(&slow);
}

static void stops_at_a_refused_document_when_told_so(void **state)
{
	(void)state;
	struct config strict;
	struct fault fault;
	sink_config(&strict, SETTINGS("type=elasticsearch", "retry_max=20ms", "dead_letters=stop"));
	fake.refuse = true;
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_id(&stream, 'c', "ads", 2, ",\"x\":\"refuse\"");
	stream_id(&stream, 'c', "ads", 3, "%s", "");
	stream_commit(&stream);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sink_run(&stream, &strict, &fault), RC_REFUSED);
		assert_non_null(strstr(fault.text, "event 1 of 'shop.ads', key {\"id\":2}"));
		assert_non_null(strstr(fault.hint, "sinks.x.dead_letters"));
		assert_int_equal(saved_checkpoint(), 1);
		assert_int_equal(stage_get(stage, STAGE_STATE), STAGE_FAILED);
	}
	assert_letters("(null)");
	fake.refuse = false;
	sink_run_well(&stream, &strict);
	assert_int_equal(saved_checkpoint(), 3);
	assert_int_equal(fake.doc_count, 3);
	config_release(&strict);
}

static const struct CMUnitTest tests[] = {
	TEST(tries_again_only_what_needs_it),
	TEST(an_older_event_is_not_tried_after_a_newer_one),
	TEST(waits_while_the_target_is_away),
	TEST(honours_what_the_target_asks_for),
	TEST(stops_in_the_middle_of_a_pause),
	TEST(stops_at_a_refused_document_when_told_so),
};
UNIT_MAIN(tests)
