#include "golden.h"

#include "past/log.c"

static const int64_t hour_us = 3600000000;

static void put(uint32_t shard, uint64_t first, uint64_t last, int64_t time_us)
{
	struct past_object object = {
		.name = {.stream = "changes",
			.hour_us = past_hour(time_us),
			.shard = shard,
			.first = first},
		.last = last,
		.count = 1,
		.stored = 1,
		.first_time_us = time_us,
		.last_time_us = time_us,
	};
	struct store_stage *stage = NULL;
	assert_rc(store_stage_begin(test_store, &stage, NULL));
	assert_rc(store_stage_append(stage, SLICE("x"), NULL));
	assert_rc(past_publish(test_store, stage, &object, NULL));
	store_stage_close(stage);
}

/* ---- ends ---- */

static void finds_each_shards_newest_object(void **state)
{
	(void)state;
	put(2, 20, 25, golden_hour_us + 60 * hour_us);
	put(2, 26, 30, golden_hour_us + 60 * hour_us);
	struct past_end ends[4];
	int64_t newest = 0;
	struct fault fault;
	assert_rc(past_ends(test_store, "changes", 4, ends, &newest, &fault));
	assert_int_equal(newest, golden_hour_us + 60 * hour_us);
	assert_true(ends[0].is_there && ends[1].is_there && ends[2].is_there);
	assert_false(ends[3].is_there);
	assert_int_equal(ends[0].object.last, 19);
	assert_int_equal(ends[0].object.complete, 19);
	assert_int_equal(ends[1].object.last, 19);
	assert_int_equal(ends[1].object.complete, 20);
	assert_int_equal(ends[2].object.name.first, 26);
	assert_int_equal(ends[2].object.last, 30);
	for (size_t i = 0; i < 4; i++)
		past_object_release(&ends[i].object);
}

/* An hour at a time it would be seventeen million of them. */
static void empty_years_are_passed_over(void **state)
{
	(void)state;
	put(2, 7, 8, golden_hour_us - 24 * 400 * hour_us);
	put(3, 5, 6, -62135596800000000); /* 0001-01-01 */
	struct past_end ends[5];
	int64_t newest = 0;
	assert_rc(past_ends(test_store, "changes", 5, ends, &newest, NULL));
	assert_true(ends[0].is_there && ends[2].is_there && ends[3].is_there);
	assert_false(ends[4].is_there);
	assert_int_equal(ends[2].object.last, 8);
	assert_int_equal(ends[3].object.last, 6);
	for (size_t i = 0; i < 5; i++)
		past_object_release(&ends[i].object);
}

static void of_two_formats_the_newer_object_counts(void **state)
{
	(void)state;
	put(1, 17, 18, golden_hour_us + hour_us - 1); /* a .zst behind the .gz of 16 */
	struct past_end ends[2];
	int64_t newest;
	assert_int_equal(shell("rm -r log/changes/2026/11/25/08"), 0);
	assert_rc(past_ends(test_store, "changes", 2, ends, &newest, NULL));
	assert_int_equal(newest, golden_hour_us);
	assert_int_equal(ends[1].object.name.first, 17);
	for (size_t i = 0; i < 2; i++)
		past_object_release(&ends[i].object);
}

static void an_empty_archive_has_no_ends(void **state)
{
	(void)state;
	struct past_end ends[2];
	int64_t newest;
	struct fault fault;
	assert_int_equal(past_ends(test_store, "other", 2, ends, &newest, &fault), RC_NOT_FOUND);
	/* crashes leave folders and metadata */
	assert_int_equal(shell("mkdir -p log/other/2026/01/01/00 && "
			       "touch log/other/2026/01/01/00/0000-00000000000000000001.ndjson"
			       ".zst.meta"),
		0);
	assert_int_equal(past_ends(test_store, "other", 2, ends, &newest, &fault), RC_NOT_FOUND);
}

static void refuses_the_archive_of_more_shards(void **state)
{
	(void)state;
	struct past_end ends[1];
	int64_t newest;
	struct fault fault;
	assert_int_equal(past_ends(test_store, "changes", 1, ends, &newest, &fault), RC_CONFLICT);
	assert_non_null(strstr(fault.text, "shard 1"));
	assert_true(fault.hint[0] != 0);
}

static void names_what_does_not_belong_there(void **state)
{
	(void)state;
	struct past_end ends[2];
	int64_t newest;
	struct fault fault;
	assert_int_equal(shell("touch log/changes/zzz"), 0);
	assert_int_equal(past_ends(test_store, "changes", 2, ends, &newest, &fault), RC_CORRUPT);
	assert_non_null(strstr(fault.text, "log/changes/zzz"));
	assert_int_equal(shell("rm log/changes/zzz && truncate -s 9 "
			       "log/changes/2026/11/25/08/0000-00000000000000000019.ndjson.zst"),
		0);
	assert_int_equal(past_ends(test_store, "changes", 2, ends, &newest, &fault), RC_CORRUPT);
	assert_non_null(strstr(fault.text, "0000-00000000000000000019"));
}

/* ---- hours ---- */

struct seen {
	int64_t hours[10];
	size_t count, stop_after;
};

static enum rc note(void *context, int64_t hour, struct fault *fault)
{
	(void)fault;
	struct seen *seen = context;
	seen->hours[seen->count++] = hour;
	return seen->count == seen->stop_after ? RC_STOPPED : RC_OK;
}

static void walks_the_hours_that_have_objects(void **state)
{
	(void)state;
	put(0, 20, 25, golden_hour_us + 60 * hour_us + 5);
	put(0, 26, 30, golden_hour_us + 24 * 365 * hour_us);
	const int64_t all[] = {golden_hour_us, golden_hour_us + hour_us,
		golden_hour_us + 60 * hour_us, golden_hour_us + 24 * 365 * hour_us};
	struct seen seen = {.count = 0};
	assert_rc(past_hours(test_store, "changes", 0, INT64_MAX, note, &seen, NULL));
	assert_int_equal(seen.count, 4);
	assert_memory_equal(seen.hours, all, sizeof all);
	for (size_t from = 0; from < 4; from++) {
		for (size_t to = 0; to < 4; to++) {
			seen.count = 0;
			assert_rc(past_hours(test_store, "changes", all[from] + 7, all[to] + 7,
				note, &seen, NULL));
			assert_int_equal(seen.count, to < from ? 0 : to - from + 1);
			assert_memory_equal(seen.hours, all + from, seen.count * sizeof all[0]);
			seen.count = 0;
			assert_rc(past_hours(
				test_store, "changes", all[from], all[to], note, &seen, NULL));
			assert_int_equal(seen.count, to < from ? 0 : to - from);
		}
	}
	seen = (struct seen){.stop_after = 2};
	assert_int_equal(
		past_hours(test_store, "changes", 0, INT64_MAX, note, &seen, NULL), RC_STOPPED);
	assert_int_equal(seen.count, 2);
	seen = (struct seen){.count = 0};
	assert_rc(past_hours(test_store, "other", 0, INT64_MAX, note, &seen, NULL));
	assert_int_equal(seen.count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_copy, remove_copy)

static const struct CMUnitTest tests[] = {
	TEST(finds_each_shards_newest_object),
	TEST(empty_years_are_passed_over),
	TEST(of_two_formats_the_newer_object_counts),
	TEST(an_empty_archive_has_no_ends),
	TEST(refuses_the_archive_of_more_shards),
	TEST(names_what_does_not_belong_there),
	TEST(walks_the_hours_that_have_objects),
};
UNIT_MAIN(tests)
