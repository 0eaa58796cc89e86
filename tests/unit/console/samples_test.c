#include "unit.h"

#include "console/samples.c"

/* ---- a clock and a table of stages to set ---- */

static int64_t now_us;

static int64_t read_now(void)
{
	return now_us;
}

static const struct clock_ops test_clock = {read_now, read_now, NULL};

static struct stage *capture, *stream, *sink;
static size_t sink_index;
static struct samples samples;

static const int64_t start_us = INT64_C(1700000000000000);

static int make_stages(void **state)
{
	(void)state;
	clock_ops = &test_clock;
	capture = stage_new("capture", "capture");
	sink = stage_new("sink", "sink:search");
	stream = stage_new("log", "log");
	sink_index = 1;
	return 0;
}

static int reset(void **state)
{
	(void)state;
	struct stage *all[] = {capture, sink, stream};
	for (size_t i = 0; i < 3; i++) {
		for (int metric = 0; metric < STAGE_METRIC_COUNT; metric++)
			stage_set(all[i], (enum stage_metric)metric, 0);
		stage_say(all[i], STAGE_RUNNING, "%s", "");
	}
	now_us = start_us;
	samples = (struct samples){0};
	return 0;
}

static void tick(double seconds)
{
	now_us += (int64_t)(seconds * 1e6);
	samples_take(&samples);
}

/* The stream ends before `next`, its last event is of now or of the given time. */
static void stream_at(uint64_t next, int64_t time_us)
{
	stage_set(stream, STAGE_NEXT_ORDINAL, next);
	stage_set(stream, STAGE_STREAM_TIME, (uint64_t)time_us);
}

static void sink_at(uint64_t next, int64_t time_us)
{
	stage_set(sink, STAGE_NEXT_ORDINAL, next);
	stage_set(sink, STAGE_STREAM_TIME, (uint64_t)time_us);
}

static double lag_seconds(void)
{
	struct lag lag = samples_lag(&samples, sink);
	assert_true(lag.is_known);
	return (double)lag.us / 1e6;
}

/* ---- rates ---- */

static void a_rate_is_over_the_last_seconds(void **state)
{
	(void)state;
	struct rates rates = samples_rates(&samples, sink_index);
	assert_true(rates.events_per_s == 0);
	tick(0);
	rates = samples_rates(&samples, sink_index);
	assert_true(rates.events_per_s == 0);
	for (int i = 0; i < 20; i++) {
		stage_add(sink, STAGE_EVENTS, i < 10 ? 1000 : 100);
		stage_add(sink, STAGE_BYTES, 50);
		tick(1);
		if (i == 1)
			assert_true(samples_rates(&samples, sink_index).events_per_s == 1000);
	}
	rates = samples_rates(&samples, sink_index);
	assert_true(rates.events_per_s == 100);
	assert_true(rates.bytes_per_s == 50);
	assert_true(samples_rates(&samples, 0).events_per_s == 0);
}

static void a_late_tick_does_not_change_a_rate(void **state)
{
	(void)state;
	tick(0);
	stage_add(sink, STAGE_EVENTS, 400);
	tick(4);
	assert_true(samples_rates(&samples, sink_index).events_per_s == 100);
}

static void keeps_a_minute_of_rates(void **state)
{
	(void)state;
	struct rates rates;
	assert_false(samples_rates_back(&samples, sink_index, 0, &rates));
	tick(0);
	for (uint64_t i = 1; i <= 200; i++) {
		stage_add(sink, STAGE_EVENTS, i);
		tick(1);
	}
	for (size_t back = 0; back < 60; back++) {
		assert_true(samples_rates_back(&samples, sink_index, back, &rates));
		assert_true(rates.events_per_s == (double)(200 - back));
	}
	assert_false(samples_rates_back(&samples, sink_index, 60, &rates));
}

/* ---- lag ---- */

static void nobody_lags_at_the_end_of_the_stream(void **state)
{
	(void)state;
	stream_at(101, start_us);
	sink_at(101, start_us);
	tick(3600);
	struct lag lag = samples_lag(&samples, sink);
	assert_true(lag.is_known && lag.events == 0 && lag.us == 0);
	/* ahead of what was read of the stream a moment ago */
	sink_at(102, start_us);
	lag = samples_lag(&samples, sink);
	assert_true(lag.is_known && lag.events == 0 && lag.us == 0);
}

static void lag_grows_while_a_sink_stands_still(void **state)
{
	(void)state;
	stream_at(1, start_us);
	sink_at(1, start_us);
	tick(0);
	for (uint64_t i = 1; i <= 100; i++) {
		stream_at(1 + i * 10, now_us + 1000000);
		tick(1);
	}
	assert_int_equal(samples_lag(&samples, sink).events, 1000);
	assert_true(lag_seconds() == 100);
	/* it caught up with half of it */
	sink_at(501, start_us + 50000000);
	assert_int_equal(samples_lag(&samples, sink).events, 500);
	assert_true(lag_seconds() == 50);
}

static void an_idle_hour_is_no_lag(void **state)
{
	(void)state;
	stream_at(101, start_us);
	sink_at(101, start_us);
	tick(0);
	for (int i = 0; i < 3600; i++)
		tick(1);
	/* one event after an hour; the sink has not seen it yet */
	now_us += 500000;
	stream_at(102, now_us);
	assert_in_range(lag_seconds() * 1000, 0, 1500);
	tick(0.5);
	assert_in_range(lag_seconds() * 1000, 0, 2000);
	tick(10);
	assert_in_range(lag_seconds() * 1000, 10000, 12000);
}

static void catching_up_with_old_changes_shows_their_age(void **state)
{
	(void)state;
	/* capture reads the binlog of the day before yesterday, fast; the sink is right behind */
	const int64_t day_us = INT64_C(86400) * 1000000;
	stream_at(1, start_us - 2 * day_us);
	sink_at(1, start_us - 2 * day_us);
	tick(0);
	for (uint64_t i = 1; i <= 10; i++) {
		stream_at(1 + i * 1000, start_us - 2 * day_us + (int64_t)i * 60000000);
		sink_at(i * 1000 - 500, start_us - 2 * day_us + (int64_t)i * 60000000 - 30000000);
		tick(1);
	}
	assert_in_range(lag_seconds(), 2 * 86400 - 660, 2 * 86400);
}

static void a_sink_without_a_past_lags_as_long_as_the_stream_is_known(void **state)
{
	(void)state;
	/* both were there before us: the stream's last event is 5 seconds old */
	stream_at(1001, start_us - 5000000);
	sink_at(1, 0);
	tick(0);
	tick(7);
	assert_int_equal(samples_lag(&samples, sink).events, 1000);
	assert_true(lag_seconds() == 12);
}

static void what_the_trail_forgot_is_told_by_stream_time(void **state)
{
	(void)state;
	stream_at(1, start_us);
	sink_at(1, start_us);
	tick(0);
	for (uint64_t i = 1; i <= 3 * TRAIL; i++) {
		stream_at(1 + i, now_us + 1000000);
		tick(1);
	}
	assert_true(lag_seconds() == 3 * TRAIL);
}

static void lag_is_never_negative(void **state)
{
	(void)state;
	stream_at(10, start_us);
	sink_at(5, start_us);
	tick(1);
	now_us = start_us - 50000000; /* the clock was set back */
	assert_true(lag_seconds() == 0);
}

static void lag_is_not_known_of_a_capture_and_of_who_only_starts(void **state)
{
	(void)state;
	stream_at(10, start_us);
	tick(1);
	assert_false(samples_lag(&samples, capture).is_known);
	stage_say(sink, STAGE_STARTING, "%s", "");
	assert_false(samples_lag(&samples, sink).is_known);
	stage_say(sink, STAGE_RUNNING, "%s", "");
	assert_true(samples_lag(&samples, sink).is_known);
}

static void a_new_epoch_is_no_lag_of_a_trillion_events(void **state)
{
	(void)state;
	const uint64_t epoch = UINT64_C(1) << ORDINAL_EPOCH;
	sink_at(950, start_us);
	stream_at(1000, start_us);
	tick(1);
	stream_at(epoch + 20, start_us);
	tick(1);
	assert_int_equal(samples_lag(&samples, sink).events, 70);
	sink_at(epoch + 5, start_us);
	assert_int_equal(samples_lag(&samples, sink).events, 15);
	/* what the console did not see of the old epoch is left out */
	samples = (struct samples){0};
	tick(1);
	sink_at(950, start_us);
	assert_int_equal(samples_lag(&samples, sink).events, 20);
}

#define WITH_RESET(name) cmocka_unit_test_setup(name, reset)

static const struct CMUnitTest tests[] = {
	WITH_RESET(a_rate_is_over_the_last_seconds),
	WITH_RESET(a_late_tick_does_not_change_a_rate),
	WITH_RESET(keeps_a_minute_of_rates),
	WITH_RESET(nobody_lags_at_the_end_of_the_stream),
	WITH_RESET(lag_grows_while_a_sink_stands_still),
	WITH_RESET(an_idle_hour_is_no_lag),
	WITH_RESET(catching_up_with_old_changes_shows_their_age),
	WITH_RESET(a_sink_without_a_past_lags_as_long_as_the_stream_is_known),
	WITH_RESET(what_the_trail_forgot_is_told_by_stream_time),
	WITH_RESET(lag_is_never_negative),
	WITH_RESET(lag_is_not_known_of_a_capture_and_of_who_only_starts),
	WITH_RESET(a_new_epoch_is_no_lag_of_a_trillion_events),
};

int main(void)
{
	thread_assert_off();
	return cmocka_run_group_tests(tests, make_stages, NULL);
}
