#include "stream.h"

#include "archive/archive.c"

/* ---- what goes into an object ---- */

static long count_frames(void)
{
	return shell_number("zstd -l store/log/changes/2026/11/25/07/0000*.zst | "
			    "awk 'NR == 2 { print $1 }'");
}

static void gathers_small_runs_into_one_frame(void **state)
{
	(void)state;
	open_stream();
	for (int i = 0; i < 50; i++)
		append(20, 100);
	struct archive_options options = archive_options();
	archive_until(&options, test_ordinal);
	assert_archived();
	assert_int_equal(count_objects(), 1);
	assert_int_equal(count_frames(), 1);
}

static void gathers_about_a_mebibyte(void **state)
{
	(void)state;
	open_stream();
	for (int i = 0; i < 90; i++)
		append(100, 350); /* just below 64 KiB each */
	struct archive_options options = archive_options();
	archive_until(&options, test_ordinal);
	assert_archived();
	long bytes = shell_number("stat -c %%s wanted/0");
	long frames = count_frames();
	assert_true(bytes > 4 << 20);
	assert_int_equal(frames, (bytes >> 20) + 1);
}

/* The frames of the stream, one behind the other. */
static void write_frames(const char *path)
{
	struct hub_reader *reader = NULL;
	struct hub_start start = {.from = HUB_OLDEST};
	struct log_view *view = NULL;
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_rc(hub_reader_open(test_hub_folder, &start, &reader, NULL));
	while (hub_read(reader, 0, &view, NULL) == RC_OK) {
		assert_int_equal(view->run_count, 1);
		assert_int_equal(view->runs[0].codec, LOG_ZSTD);
		struct slice frame = view->runs[0].stored;
		assert_int_equal(fwrite(frame.at, 1, frame.len, file), frame.len);
	}
	hub_reader_close(reader);
	assert_int_equal(fclose(file), 0);
}

static void copies_the_frames_of_large_runs(void **state)
{
	(void)state;
	open_stream();
	for (int i = 0; i < 5; i++)
		append(300, 400);
	struct archive_options options = archive_options();
	archive_until(&options, test_ordinal);
	assert_archived();
	write_frames(in_folder("frames"));
	assert_int_equal(shell("cat store/log/changes/2026/11/25/07/*.zst | cmp - frames"), 0);
}

static void keeps_the_order_of_small_and_large_runs(void **state)
{
	(void)state;
	test_shards = 3;
	open_stream();
	for (int i = 0; i < 60; i++)
		append(random_below(4) == 0 ? 1000 : 1 + random_below(60), 50 + random_below(400));
	struct archive_options options = archive_options();
	options.object_size = 100000;
	archive_until(&options, test_ordinal);
	assert_archived();
	assert_true(count_objects() > 9);
}

static void writes_gzip(void **state)
{
	(void)state;
	test_shards = 3;
	open_stream();
	for (int i = 0; i < 60; i++)
		append(random_below(4) == 0 ? 1000 : 1 + random_below(60), 50 + random_below(400));
	struct archive_options options = archive_options();
	options.codec = PAST_GZIP;
	options.object_size = 100000;
	archive_until(&options, test_ordinal);
	assert_archived();
	assert_true(count_objects() > 3);
	assert_int_equal(shell_number("find store/log -name '*.zst' | wc -l"), 0);
	assert_int_equal(shell("gzip -t $(find store/log -name '*.gz')"), 0);
}

static void takes_lines_that_are_longer_than_a_piece(void **state)
{
	(void)state;
	for (int codec = LOG_PLAIN; codec <= LOG_ZSTD; codec++) {
		test_codec = (enum log_codec)codec;
		test_data = codec == LOG_PLAIN ? "data" : "other";
		test_ordinal = 0;
		assert_int_equal(shell("mkdir -p other && rm -rf store wanted/*"), 0);
		open_stream();
		append(10, 100);
		append(1, 9 << 18);
		append(2, 5 << 18);
		append(10, 100);
		struct archive_options options = archive_options();
		archive_until(&options, test_ordinal);
		assert_archived();
		assert_int_equal(shell("rm -rf store"), 0);
		options.codec = PAST_GZIP;
		archive_until(&options, test_ordinal);
		assert_archived();
		close_stream();
	}
}

static void many_shards_share_the_memory(void **state)
{
	(void)state;
	test_shards = 256;
	test_codec = LOG_PLAIN;
	open_stream();
	for (int i = 0; i < 20; i++)
		append(1000, 300); /* 0.3 MB */
	append_control();
	append_spread(1, 3000, 300);
	struct archive_options options = archive_options();
	archive_until(&options, test_ordinal);
	assert_archived();
	assert_int_equal(count_objects(), 256);
}

static void control_records_are_in_every_shard(void **state)
{
	(void)state;
	test_shards = 4;
	open_stream();
	append_spread(1, 10, 100);
	append_control();
	append_spread(2, 10, 100);
	append_control();
	struct archive_options options = archive_options();
	archive_until(&options, test_ordinal);
	assert_archived();
	assert_int_equal(shell_number("grep -l '\"tables\":\\[\"shop.\"\\]' "
				      "store/log/changes/2026/11/25/07/*.meta | wc -l"),
		2);
}

static void a_new_epoch_is_no_gap(void **state)
{
	(void)state;
	test_shards = 2;
	open_stream();
	append(50, 100);
	test_ordinal = 1ULL << 40;
	append(50, 100);
	struct archive_options options = archive_options();
	archive_until(&options, test_ordinal);
	assert_archived();
}

/* ---- when an object ends ---- */

static void an_object_never_crosses_an_hour(void **state)
{
	(void)state;
	test_shards = 2;
	open_stream();
	for (int i = 0; i < 30; i++) {
		append(10, 100);
		test_time_us += 500000000;
	}
	struct archive_options options = archive_options();
	archive_until(&options, test_ordinal);
	assert_archived();
	assert_int_equal(shell_number("ls -d store/log/changes/2026/11/25/* | wc -l"), 5);
	assert_int_equal(count_objects(), 10);
	assert_int_equal(shell_number("ls store/manifest/changes/2026/11/25 | wc -l"), 5);
}

static void an_object_ends_at_its_size(void **state)
{
	(void)state;
	open_stream();
	for (int i = 0; i < 30; i++)
		append(1000, 400);
	struct archive_options options = archive_options();
	options.object_size = 300000;
	archive_until(&options, test_ordinal);
	assert_archived();
	long objects = count_objects();
	assert_true(objects > 3);
	assert_int_equal(
		shell_number("find store/log -name '*.zst' -size -300000c | wc -l") <= 1, 1);
	assert_int_equal(shell_number("find store/log -name '*.zst' -size +500000c | wc -l"), 0);
}

static void an_object_ends_at_its_age(void **state)
{
	(void)state;
	test_ahead_us = test_hour_us + 60000000 - test_real_clock->wall_us();
	open_stream();
	append(10, 100);
	struct archive_options options = archive_options();
	options.object_age_us = 300000000;
	struct archive *archive = start_archive(&options);
	test_real_clock->sleep_us(300000);
	assert_int_equal(stage_get(test_stage, STAGE_BATCHES), 0);
	test_ahead_us += 299000000;
	test_real_clock->sleep_us(300000);
	assert_int_equal(stage_get(test_stage, STAGE_BATCHES), 0);
	test_ahead_us += 2000000;
	WAIT_FOR(stage_get(test_stage, STAGE_NEXT_ORDINAL) == test_ordinal);
	assert_archived();
	archive_stop(archive);
	join_archive(archive);
	assert_int_equal(count_objects(), 1);
}

static void an_object_ends_when_the_clock_passes_its_hour(void **state)
{
	(void)state;
	test_ahead_us = test_hour_us + 60000000 - test_real_clock->wall_us();
	open_stream();
	append(10, 100);
	struct archive_options options = archive_options();
	options.object_age_us = 100 * 3600000000;
	struct archive *archive = start_archive(&options);
	test_real_clock->sleep_us(300000);
	assert_int_equal(stage_get(test_stage, STAGE_BATCHES), 0);
	test_ahead_us += 3600000000;
	WAIT_FOR(stage_get(test_stage, STAGE_NEXT_ORDINAL) == test_ordinal);
	assert_archived();
	/* one more event of that hour, late: another object of the hour */
	append(5, 100);
	WAIT_FOR(stage_get(test_stage, STAGE_NEXT_ORDINAL) == test_ordinal);
	archive_stop(archive);
	join_archive(archive);
	assert_archived();
	assert_int_equal(shell_number("ls store/log/changes/2026/11/25/07/*.zst | wc -l"), 2);
}

static void an_object_ends_when_the_stream_is_full(void **state)
{
	(void)state;
	test_ahead_us = test_hour_us + 60000000 - test_real_clock->wall_us();
	test_retention_size = 6 << 20;
	test_codec = LOG_PLAIN;
	open_stream();
	struct archive_options options = archive_options();
	options.object_size = 1 << 30;
	options.object_age_us = 100 * 3600000000;
	struct archive *archive = start_archive(&options);
	for (int i = 0; i < 20; i++)
		append(1000, 1000); /* waits while the stream is full */
	assert_true(stage_get(test_stage, STAGE_BATCHES) > 0);
	archive_drain(archive, test_ordinal);
	join_archive(archive);
	assert_archived();
}

static void a_stop_publishes_what_is_open(void **state)
{
	(void)state;
	test_ahead_us = test_hour_us + 60000000 - test_real_clock->wall_us();
	test_shards = 3;
	open_stream();
	append(30, 100);
	struct archive_options options = archive_options();
	struct archive *archive = start_archive(&options);
	test_real_clock->sleep_us(300000);
	append(30, 100);
	test_real_clock->sleep_us(300000);
	assert_int_equal(stage_get(test_stage, STAGE_STATE), STAGE_RUNNING);
	assert_int_equal(stage_get(test_stage, STAGE_BATCHES), 0);
	archive_stop(archive);
	join_archive(archive);
	assert_archived();
	assert_int_equal(count_objects(), 3);
	assert_int_equal(stage_get(test_stage, STAGE_STATE), STAGE_DONE);
}

static void counts_what_it_does(void **state)
{
	(void)state;
	test_shards = 2;
	open_stream();
	append(100, 100);
	struct archive_options options = archive_options();
	archive_until(&options, test_ordinal);
	assert_int_equal(stage_get(test_stage, STAGE_EVENTS), 100);
	assert_int_equal(stage_get(test_stage, STAGE_BATCHES), 2);
	assert_int_equal(stage_get(test_stage, STAGE_NEXT_ORDINAL), test_ordinal);
	assert_int_equal(stage_get(test_stage, STAGE_STREAM_TIME), test_time_us);
	assert_int_equal(stage_get(test_stage, STAGE_BYTES),
		shell_number("cat $(find store/log -name '*.zst') | wc -c"));
	char text[STAGE_TEXT_MAX], key[STAGE_TEXT_MAX];
	stage_texts(test_stage, text, key);
	assert_int_equal(shell("test -f 'store/%s'", key), 0);
}

/* ---- going on ---- */

/* The role on this thread, so that it reads no further than `until`. */
static void run_until(const struct archive_options *options, uint64_t until)
{
	struct archive *archive = archive_new(options);
	assert_rc(store_open_folder(options->path, &archive->flow.store, NULL));
	archive_drain(archive, until);
	role_main(archive);
	join_archive(archive);
}

static void goes_on_at_every_boundary_in_either_format(void **state)
{
	(void)state;
	test_shards = 3;
	open_stream();
	uint64_t ends[40];
	for (int i = 0; i < 40; i++) {
		append(random_below(5) == 0 ? 900 : 1 + random_below(30), 50 + random_below(200));
		if (random_below(8) == 0)
			test_time_us += 3600000000;
		ends[i] = test_ordinal;
	}
	for (int i = 0; i < 40; i++) {
		struct archive_options options = archive_options();
		options.codec = random_below(2) ? PAST_ZSTD : PAST_GZIP;
		run_until(&options, ends[i]);
		if (i % 8 == 0)
			assert_beginnings();
	}
	assert_archived();
	assert_true(count_objects() > 60);
}

static void starting_again_with_nothing_new_changes_nothing(void **state)
{
	(void)state;
	test_shards = 2;
	open_stream();
	append(50, 100);
	struct archive_options options = archive_options();
	archive_until(&options, test_ordinal);
	assert_int_equal(
		shell("find store -type f | xargs ls -l --time-style=full-iso >before"), 0);
	archive_until(&options, test_ordinal);
	struct archive *archive = start_archive(&options);
	test_real_clock->sleep_us(150000);
	archive_stop(archive);
	join_archive(archive);
	assert_int_equal(
		shell("find store -type f | xargs ls -l --time-style=full-iso | cmp - before"), 0);
}

/* The same events each time, in batches of `first` and `second`. */
static void cut_stream(const char *data, size_t first, size_t second, size_t text_len)
{
	test_data = data;
	test_random = 5;
	test_ordinal = 0;
	open_stream();
	append(first, text_len);
	if (second > 0)
		append(second, text_len);
	close_stream();
}

static void archive_cut(const char *data, enum past_codec codec, uint64_t until)
{
	test_data = data;
	open_stream();
	struct archive_options options = archive_options();
	options.codec = codec;
	run_until(&options, until);
	close_stream();
}

static void skips_what_is_archived_in_the_middle_of_a_run(void **state)
{
	(void)state;
	test_shards = 3;
	for (int round = 0; round < 4; round++) {
		size_t text_len = round % 2 ? 900 : 60; /* compressed and plain runs */
		assert_int_equal(shell("rm -rf store wanted/* a b && mkdir a b"), 0);
		cut_stream("b", 137, 500 - 137, text_len);
		assert_int_equal(shell("mkdir -p a/streams/changes && rm wanted/* && "
				       "cp b/streams/changes/stream.json a/streams/changes/"),
			0);
		cut_stream("a", 500, 0, text_len);
		archive_cut("b", round < 2 ? PAST_ZSTD : PAST_GZIP, 137);
		assert_beginnings();
		archive_cut("a", round < 2 ? PAST_ZSTD : PAST_GZIP, 500);
		assert_archived();
	}
}

static void makes_a_lost_manifest_again(void **state)
{
	(void)state;
	test_shards = 2;
	open_stream();
	append(50, 100);
	struct archive_options options = archive_options();
	archive_until(&options, test_ordinal);
	assert_int_equal(shell("echo damaged >store/manifest/changes/2026/11/25/07.ndjson"), 0);
	archive_until(&options, test_ordinal);
	assert_archived();
	assert_int_equal(shell("rm store/manifest/changes/2026/11/25/07.ndjson"), 0);
	append(50, 100);
	archive_until(&options, test_ordinal);
	assert_archived();
}

/* Whether retention has taken the ordinal; lets some time pass for it. */
static bool is_dropped(uint64_t ordinal)
{
	struct hub_start start = {.from = HUB_AT_ORDINAL, .ordinal = ordinal};
	struct hub_reader *reader = NULL;
	enum rc rc = hub_reader_open(test_hub_folder, &start, &reader, NULL);
	hub_reader_close(reader);
	test_ahead_us += 1000000;
	return rc == RC_TRIMMED;
}

static void the_stream_may_drop_what_is_archived_and_nothing_else(void **state)
{
	(void)state;
	test_retention_us = 1000000;
	test_ahead_us = test_hour_us + 3600000000 + 60000000 - test_real_clock->wall_us();
	open_stream();
	append(20, 100);
	test_time_us += 3600000000;
	for (int i = 0; i < 10; i++)
		append(2000, 900); /* several segments */
	struct archive_options options = archive_options();
	options.object_size = 1 << 30;
	struct archive *archive = start_archive(&options);
	/* the first hour is published, the second one is read and waits */
	WAIT_FOR(stage_get(test_stage, STAGE_NEXT_ORDINAL) == 20);
	for (int i = 0; i < 10; i++) {
		assert_false(is_dropped(0));
		test_real_clock->sleep_us(100000);
	}
	archive_drain(archive, test_ordinal);
	join_archive(archive);
	WAIT_FOR(is_dropped(0));
	append(10, 100);
	archive_until(&options, test_ordinal);
	assert_archived();
}

/* ---- refusals ---- */

static enum rc failure_of(const struct archive_options *options, struct fault *fault)
{
	struct archive *archive = start_archive(options);
	WAIT_FOR(archive_failed(archive, fault) != RC_OK);
	assert_int_equal(stage_get(test_stage, STAGE_STATE), STAGE_FAILED);
	enum rc rc = archive_failed(archive, fault);
	archive_stop(archive);
	assert_int_equal(archive_join(archive, fault), rc);
	return rc;
}

static void refuses_names_that_do_not_fit(void **state)
{
	(void)state;
	open_stream();
	struct archive_options options = archive_options();
	struct archive *archive = NULL;
	struct fault fault;
	options.stream = "..";
	assert_int_equal(archive_start(&options, &archive, &fault), RC_CONFIG);
	options = archive_options();
	options.path = "/dev/null/store";
	assert_int_equal(archive_start(&options, &archive, &fault), RC_IO);
	assert_null(archive);
}

static void refuses_the_archive_of_another_stream_of_that_name(void **state)
{
	(void)state;
	open_stream();
	append(50, 100);
	struct archive_options options = archive_options();
	archive_until(&options, test_ordinal);
	close_stream();
	assert_int_equal(shell("mv data old && mkdir data"), 0);
	test_ordinal = 0;
	open_stream();
	append(100, 100);
	struct fault fault;
	options = archive_options();
	assert_int_equal(failure_of(&options, &fault), RC_CONFLICT);
	assert_non_null(strstr(fault.text, "another stream"));
	assert_true(fault.hint[0] != 0);
	assert_int_equal(count_objects(), 1);
}

static void refuses_an_archive_that_is_ahead_of_the_stream(void **state)
{
	(void)state;
	open_stream();
	append(50, 100);
	close_stream();
	assert_int_equal(shell("cp -r data old"), 0);
	open_stream();
	append(50, 100);
	struct archive_options options = archive_options();
	archive_until(&options, test_ordinal);
	close_stream();
	assert_int_equal(shell("rm -r data && mv old data"), 0);
	open_stream();
	struct fault fault;
	options = archive_options();
	assert_int_equal(failure_of(&options, &fault), RC_CONFLICT);
	assert_non_null(strstr(fault.text, "100"));
	assert_non_null(strstr(fault.text, "ends at 50"));
}

static void refuses_to_leave_out_what_the_stream_has_dropped(void **state)
{
	(void)state;
	test_retention_us = 1000000;
	open_stream();
	append(50, 100);
	struct archive_options options = archive_options();
	archive_until(&options, test_ordinal);
	for (int i = 0; i < 10; i++)
		append(2000, 900);
	hub_archived(test_hub, test_ordinal); /* a lie */
	WAIT_FOR(is_dropped(50));
	struct fault fault;
	assert_int_equal(failure_of(&options, &fault), RC_TRIMMED);
	assert_non_null(strstr(fault.text, "ordinal 50"));
	assert_true(fault.hint[0] != 0);
}

static void refuses_events_of_another_format(void **state)
{
	(void)state;
	open_stream();
	struct log_batch *batch = begin_batch();
	const char digest[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	add_record(batch, 0, 0, "not json\n", 9, digest);
	test_ordinal = 1;
	commit_batch(batch, 0);
	struct archive_options options = archive_options();
	struct fault fault;
	assert_int_equal(failure_of(&options, &fault), RC_CORRUPT);
	assert_non_null(strstr(fault.text, "ordinal 0 in shard 0"));
}

static void refuses_events_without_lines(void **state)
{
	(void)state;
	open_stream();
	struct log_batch *batch = begin_batch();
	add_record(batch, 0, 0, "", 0, "shop.t1|0");
	test_ordinal = 1;
	commit_batch(batch, 0);
	struct archive_options options = archive_options();
	struct fault fault;
	assert_int_equal(failure_of(&options, &fault), RC_CORRUPT);
}

static void refuses_what_lies_in_its_place(void **state)
{
	(void)state;
	open_stream();
	append(50, 100);
	struct archive_options options = archive_options();
	archive_until(&options, test_ordinal);
	assert_int_equal(shell("echo >store/log/changes/2026/11/25/07/notes.txt"), 0);
	struct fault fault;
	assert_int_equal(failure_of(&options, &fault), RC_CORRUPT);
	assert_non_null(strstr(fault.text, "notes.txt"));
	assert_non_null(strstr(fault.hint, "move it away"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

static const struct CMUnitTest tests[] = {
	TEST(gathers_small_runs_into_one_frame),
	TEST(gathers_about_a_mebibyte),
	TEST(copies_the_frames_of_large_runs),
	TEST(keeps_the_order_of_small_and_large_runs),
	TEST(writes_gzip),
	TEST(takes_lines_that_are_longer_than_a_piece),
	TEST(many_shards_share_the_memory),
	TEST(control_records_are_in_every_shard),
	TEST(a_new_epoch_is_no_gap),
	TEST(an_object_never_crosses_an_hour),
	TEST(an_object_ends_at_its_size),
	TEST(an_object_ends_at_its_age),
	TEST(an_object_ends_when_the_clock_passes_its_hour),
	TEST(an_object_ends_when_the_stream_is_full),
	TEST(a_stop_publishes_what_is_open),
	TEST(counts_what_it_does),
	TEST(goes_on_at_every_boundary_in_either_format),
	TEST(starting_again_with_nothing_new_changes_nothing),
	TEST(skips_what_is_archived_in_the_middle_of_a_run),
	TEST(makes_a_lost_manifest_again),
	TEST(the_stream_may_drop_what_is_archived_and_nothing_else),
	TEST(refuses_names_that_do_not_fit),
	TEST(refuses_the_archive_of_another_stream_of_that_name),
	TEST(refuses_an_archive_that_is_ahead_of_the_stream),
	TEST(refuses_to_leave_out_what_the_stream_has_dropped),
	TEST(refuses_events_of_another_format),
	TEST(refuses_events_without_lines),
	TEST(refuses_what_lies_in_its_place),
};
UNIT_MAIN(tests)
