#include "unit.h"

#include "archive/control.c"

static struct control control;
static int64_t now_us, slept_us, stop_at_us;

static int64_t fake_us(void)
{
	return now_us;
}

static void fake_sleep_us(int64_t us)
{
	now_us += us;
	slept_us += us;
	if (stop_at_us > 0 && now_us >= stop_at_us)
		atomic_store(&control.mode, CONTROL_STOP);
}

static int set_up(void **state)
{
	(void)state;
	static const struct clock_ops fake = {fake_us, fake_us, fake_sleep_us};
	static struct stage *stage;
	if (!stage)
		stage = stage_new("archive", "archive");
	clock_ops = &fake;
	control = (struct control){.stage = stage, .path = "somewhere"};
	now_us = slept_us = stop_at_us = 0;
	return 0;
}

/* Standard error while `run` runs. */
static char *heard(void (*run)(void))
{
	static char text[65536];
	FILE *file = tmpfile();
	int old = dup(STDERR_FILENO);
	assert_non_null(file);
	assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
	run();
	assert_true(dup2(old, STDERR_FILENO) >= 0);
	close(old);
	rewind(file);
	text[fread(text, 1, sizeof text - 1, file)] = 0;
	fclose(file);
	return text;
}

static int count_in(const char *text, const char *part)
{
	int count = 0;
	for (; (text = strstr(text, part)); text++)
		count++;
	return count;
}

static bool fails_with(enum rc rc)
{
	struct fault fault;
	(void)fault_set(&fault, rc, "no room");
	return control_try_again(&control, rc, &fault);
}

static void pauses_double_up_to_half_a_minute(void **state)
{
	(void)state;
	static const int64_t wanted_ms[] = {
		100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000};
	for (size_t i = 0; i < sizeof wanted_ms / sizeof wanted_ms[0]; i++) {
		slept_us = 0;
		assert_true(fails_with(RC_DISK_FULL));
		assert_int_equal(slept_us, wanted_ms[i] * 1000);
	}
	control_progress(&control);
	slept_us = 0;
	assert_true(fails_with(RC_DISK_FULL));
	assert_int_equal(slept_us, 100000);
}

static void only_what_may_pass_is_tried_again(void **state)
{
	(void)state;
	assert_false(fails_with(RC_IO));
	assert_false(fails_with(RC_CORRUPT));
	assert_false(fails_with(RC_TRIMMED));
	assert_int_equal(slept_us, 0);
	assert_true(fails_with(RC_UNREACHABLE));
}

static void a_lost_race_costs_no_pause_unless_it_comes_again(void **state)
{
	(void)state;
	assert_true(fails_with(RC_EXISTS));
	assert_int_equal(slept_us, 0);
	assert_true(fails_with(RC_EXISTS));
	assert_int_equal(slept_us, 100000);
}

static void a_stop_ends_the_pause(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		assert_true(fails_with(RC_DISK_FULL));
	stop_at_us = now_us + 1000000;
	slept_us = 0;
	assert_false(fails_with(RC_DISK_FULL));
	assert_in_range(slept_us, 1000000, 1000000 + PAUSE_STEP_US);
	slept_us = 0;
	assert_false(fails_with(RC_DISK_FULL));
	assert_int_equal(slept_us, 0);
}

static void fail_often(void)
{
	for (int i = 0; i < 5; i++)
		(void)!fails_with(RC_DISK_FULL);
	(void)!fails_with(RC_UNREACHABLE);
	(void)!fails_with(RC_UNREACHABLE);
	control_progress(&control);
	(void)!fails_with(RC_DISK_FULL);
	(void)!fails_with(RC_EXISTS);
}

static void tells_once_of_each_change(void **state)
{
	(void)state;
	const char *text = heard(fail_often);
	assert_int_equal(count_in(text, "DISK_FULL"), 2);
	assert_int_equal(count_in(text, "UNREACHABLE"), 1);
	assert_int_equal(count_in(text, "another writer"), 1);
	assert_int_equal(count_in(text, "archive=somewhere"), 4);
}

static void its_stage_says_that_it_waits(void **state)
{
	(void)state;
	char say[STAGE_TEXT_MAX], where[STAGE_TEXT_MAX];
	(void)!fails_with(RC_DISK_FULL);
	stage_texts(control.stage, say, where);
	assert_int_equal(stage_get(control.stage, STAGE_STATE), STAGE_WAITING);
	assert_non_null(strstr(say, "no room"));
	control_progress(&control);
	assert_int_equal(stage_get(control.stage, STAGE_STATE), STAGE_RUNNING);
}

static void goes_on_until_it_is_stopped_or_drained(void **state)
{
	(void)state;
	assert_true(control_goes_on(&control, 100));
	atomic_store(&control.until, 100);
	atomic_store(&control.mode, CONTROL_DRAIN);
	assert_true(control_goes_on(&control, 99));
	assert_false(control_goes_on(&control, 100));
	atomic_store(&control.mode, CONTROL_STOP);
	assert_false(control_goes_on(&control, 0));
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

static const struct CMUnitTest tests[] = {
	TEST(pauses_double_up_to_half_a_minute),
	TEST(only_what_may_pass_is_tried_again),
	TEST(a_lost_race_costs_no_pause_unless_it_comes_again),
	TEST(a_stop_ends_the_pause),
	TEST(tells_once_of_each_change),
	TEST(its_stage_says_that_it_waits),
	TEST(goes_on_until_it_is_stopped_or_drained),
};
UNIT_MAIN(tests)
