#include "golden.h"

#include "past/manifest.c"

#include <sys/wait.h>

#include "base/disk.h"

static char golden[16384];

static void load_golden(void)
{
	struct buf text = buf_of(sizeof golden - 1);
	load_file(MANIFEST_KEY, &text);
	strcpy(golden, buf_cstring(&text));
	buf_release(&text);
}

static void assert_manifest_is_golden(void)
{
	struct buf text = buf_of(sizeof golden);
	load_file(MANIFEST_KEY, &text);
	assert_string_equal(buf_cstring(&text), golden);
	buf_release(&text);
}

static void assert_reads(bool is_rebuilt)
{
	struct past_manifest manifest = {0};
	assert_rc(past_manifest_read(test_store, "changes", golden_hour_us, &manifest, NULL));
	assert_int_equal(manifest.is_rebuilt, is_rebuilt);
	assert_int_equal(manifest.count, 2);
	char key[PAST_KEY_MAX];
	past_name_key(&manifest.objects[0].name, key);
	assert_string_equal(key, ZSTD_KEY);
	past_name_key(&manifest.objects[1].name, key);
	assert_string_equal(key, GZIP_KEY);
	assert_int_equal(manifest.objects[1].last, 18);
	assert_string_equal(manifest.objects[1].tables.names[0], "ads.listings");
	past_manifest_release(&manifest);
}

static void reads_the_example(void **state)
{
	(void)state;
	load_golden();
	assert_reads(false);
	struct buf page = buf_of(65536);
	assert_rc(disk_load(UNIT_SOURCE "/docs/formats/object.md", &page, NULL));
	assert_non_null(strstr(buf_cstring(&page), golden));
	buf_release(&page);
}

static void an_hour_without_objects_is_empty(void **state)
{
	(void)state;
	struct past_manifest manifest = {0};
	assert_rc(past_manifest_read(
		test_store, "changes", golden_hour_us - 3600000000, &manifest, NULL));
	assert_int_equal(manifest.count, 0);
	assert_false(manifest.is_rebuilt);
	past_manifest_release(&manifest);
	bool rebuilt = true;
	assert_rc(past_manifest_refresh(
		test_store, "changes", golden_hour_us - 3600000000, 0, &rebuilt, NULL));
	assert_false(rebuilt);
	assert_int_equal(shell("test ! -e manifest/changes/2026/11/25/06.ndjson"), 0);
}

static void makes_a_damaged_or_lost_one_again_byte_by_byte(void **state)
{
	(void)state;
	static const char *const harm[] = {"rm " MANIFEST_KEY, ": >" MANIFEST_KEY,
		"truncate -s 200 " MANIFEST_KEY, "truncate -s -1 " MANIFEST_KEY,
		"sed -i 's/\"count\":2,\"crc/\"count\":3,\"crc/' " MANIFEST_KEY,
		"sed -i 's/ads.listings/ads.listing/' " MANIFEST_KEY, "sed -i 1d " MANIFEST_KEY,
		"sed -i '$d' " MANIFEST_KEY,
		"cp manifest/changes/2026/11/25/08.ndjson " MANIFEST_KEY,
		"printf '{}\\n' >>" MANIFEST_KEY, "printf x >>" MANIFEST_KEY,
		"sed -i '1s/changes/change/' " MANIFEST_KEY, "echo '[]' >" MANIFEST_KEY};
	load_golden();
	for (size_t i = 0; i < sizeof harm / sizeof harm[0]; i++) {
		assert_int_equal(shell("%s", harm[i]), 0);
		assert_reads(true);
		bool rebuilt = false;
		assert_rc(past_manifest_refresh(
			test_store, "changes", golden_hour_us, 0, &rebuilt, NULL));
		assert_true(rebuilt);
		assert_manifest_is_golden();
		assert_reads(false);
		rebuilt = true;
		assert_rc(past_manifest_refresh(
			test_store, "changes", golden_hour_us, 0, &rebuilt, NULL));
		assert_false(rebuilt);
	}
}

static void put_lines(struct slice lines, size_t count)
{
	struct buf text = buf_of(1 << 16);
	put_header(&text, "changes", golden_hour_us, count, lines);
	buf_slice(&text, lines);
	assert_rc(store_replace(test_store, MANIFEST_KEY, buf_as_slice(&text), NULL));
	buf_release(&text);
}

/* The checksum is right, and still it is no manifest of the hour. */
static void objects_of_elsewhere_and_in_disorder_are_not_believed(void **state)
{
	(void)state;
	load_golden();
	const char *first = strchr(golden, '\n') + 1, *second = strchr(first, '\n') + 1;
	struct slice one = slice_of(first, (size_t)(second - first)), two = slice_text(second);
	struct buf lines = buf_of(1 << 16);
	buf_slice(&lines, one);
	buf_slice(&lines, two);
	put_lines(buf_as_slice(&lines), 2);
	assert_reads(false);
	buf_reset(&lines);
	buf_slice(&lines, two);
	buf_slice(&lines, one);
	put_lines(buf_as_slice(&lines), 2);
	assert_reads(true);
	buf_reset(&lines);
	buf_slice(&lines, one);
	buf_slice(&lines, one);
	put_lines(buf_as_slice(&lines), 2);
	assert_reads(true);
	buf_reset(&lines);
	load_file("manifest/changes/2026/11/25/08.ndjson", &lines);
	const char *other = strchr(buf_cstring(&lines), '\n') + 1;
	put_lines(slice_text(other), 2);
	assert_reads(true);
	buf_release(&lines);
}

/* Every single byte of it. */
static void notices_any_changed_byte(void **state)
{
	(void)state;
	load_golden();
	size_t len = strlen(golden);
	for (size_t i = 0; i < len; i++) {
		struct past_manifest manifest = {0};
		golden[i] ^= 4;
		assert_rc(store_replace(test_store, MANIFEST_KEY, slice_text(golden), NULL));
		golden[i] ^= 4;
		enum rc rc =
			past_manifest_read(test_store, "changes", golden_hour_us, &manifest, NULL);
		if (i == strlen("{\"version\":")) {
			assert_int_equal(rc, RC_UNSUPPORTED); /* 5 */
			continue;
		}
		assert_rc(rc);
		if (!manifest.is_rebuilt)
			fail_msg("byte %zu: %.20s", i, golden + i);
		past_manifest_release(&manifest);
	}
}

static void takes_up_new_objects_and_drops_gone_ones(void **state)
{
	(void)state;
	load_golden();
	assert_int_equal(shell("mkdir away && mv " GZIP_KEY "* away"), 0);
	bool rebuilt = false;
	assert_rc(past_manifest_refresh(test_store, "changes", golden_hour_us, 0, &rebuilt, NULL));
	assert_true(rebuilt);
	struct past_manifest manifest = {0};
	assert_rc(past_manifest_read(test_store, "changes", golden_hour_us, &manifest, NULL));
	assert_int_equal(manifest.count, 1);
	past_manifest_release(&manifest);
	assert_int_equal(shell("mv away/* " HOUR_07), 0);
	assert_rc(past_manifest_refresh(test_store, "changes", golden_hour_us, 1, &rebuilt, NULL));
	assert_false(rebuilt);
	assert_manifest_is_golden();
	/* the first of the hour is no loss; more than one is */
	assert_int_equal(shell("rm " MANIFEST_KEY), 0);
	assert_rc(past_manifest_refresh(test_store, "changes", golden_hour_us, 2, &rebuilt, NULL));
	assert_false(rebuilt);
	assert_int_equal(shell("rm " MANIFEST_KEY), 0);
	assert_rc(past_manifest_refresh(test_store, "changes", golden_hour_us, 1, &rebuilt, NULL));
	assert_true(rebuilt);
	assert_manifest_is_golden();
}

static void does_not_write_what_is_up_to_date(void **state)
{
	(void)state;
	bool rebuilt;
	assert_int_equal(shell("touch -d @1000000 " MANIFEST_KEY), 0);
	assert_rc(past_manifest_refresh(test_store, "changes", golden_hour_us, 5, &rebuilt, NULL));
	assert_int_equal(shell("test $(stat -c %%Y " MANIFEST_KEY ") = 1000000"), 0);
}

static void names_an_object_that_it_cannot_list(void **state)
{
	(void)state;
	struct past_manifest manifest = {0};
	struct fault fault;
	bool rebuilt;
	assert_int_equal(shell("rm " GZIP_KEY ".meta " MANIFEST_KEY), 0);
	assert_int_equal(
		past_manifest_read(test_store, "changes", golden_hour_us, &manifest, &fault),
		RC_CORRUPT);
	assert_non_null(strstr(fault.text, GZIP_KEY));
	assert_int_equal(
		past_manifest_refresh(test_store, "changes", golden_hour_us, 0, &rebuilt, &fault),
		RC_CORRUPT);
	assert_int_equal(shell("rm " GZIP_KEY "; touch " HOUR_07 "README"), 0);
	assert_int_equal(
		past_manifest_read(test_store, "changes", golden_hour_us, &manifest, &fault),
		RC_CORRUPT);
	assert_non_null(strstr(fault.text, "README"));
}

static void refuses_a_later_version(void **state)
{
	(void)state;
	struct past_manifest manifest = {0};
	assert_int_equal(shell("sed -i '1s/:1,/:2,/' " MANIFEST_KEY), 0);
	assert_int_equal(past_manifest_read(test_store, "changes", golden_hour_us, &manifest, NULL),
		RC_UNSUPPORTED);
}

/* Publishes objects of its own shard, and brings the manifest up to date after each. */
static void publish_many(uint32_t shard, int count)
{
	struct store *own = NULL;
	if (store_open_folder(test_folder, &own, NULL) != RC_OK)
		_exit(1);
	for (int i = 0; i < count; i++) {
		struct past_object object = {
			.name = {.stream = "changes", .shard = shard, .first = 100 + (uint64_t)i},
			.last = 100 + (uint64_t)i,
			.count = 1,
			.stored = 1,
			.first_time_us = golden_hour_us,
			.last_time_us = golden_hour_us,
		};
		object.name.hour_us = golden_hour_us;
		struct store_stage *stage = NULL;
		bool rebuilt;
		if (store_stage_begin(own, &stage, NULL) != RC_OK ||
			store_stage_append(stage, SLICE("x"), NULL) != RC_OK ||
			past_publish(own, stage, &object, NULL) != RC_OK ||
			past_manifest_refresh(own, "changes", golden_hour_us, 1, &rebuilt, NULL) !=
				RC_OK)
			_exit(2);
		store_stage_close(stage);
	}
	store_close(own);
	_exit(0);
}

static void several_writers_leave_a_whole_manifest(void **state)
{
	(void)state;
	enum { WRITERS = 4, EACH = 15 };
	pid_t children[WRITERS];
	for (uint32_t i = 0; i < WRITERS; i++) {
		children[i] = fork();
		if (children[i] == 0)
			publish_many(10 + i, EACH);
	}
	for (int i = 0; i < WRITERS; i++) {
		int status = 0;
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	struct past_manifest manifest = {0};
	assert_rc(past_manifest_read(test_store, "changes", golden_hour_us, &manifest, NULL));
	assert_false(manifest.is_rebuilt);
	assert_int_equal(manifest.count, 2 + WRITERS * EACH);
	past_manifest_release(&manifest);
	assert_int_equal(shell("test $(tail -n +2 " MANIFEST_KEY " | wc -l) = %d && "
			       "tail -n +2 " MANIFEST_KEY " | cut -d, -f1 | LC_ALL=C sort -cu",
				 2 + WRITERS * EACH),
		0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_copy, remove_copy)

static const struct CMUnitTest tests[] = {
	TEST(reads_the_example),
	TEST(an_hour_without_objects_is_empty),
	TEST(makes_a_damaged_or_lost_one_again_byte_by_byte),
	TEST(objects_of_elsewhere_and_in_disorder_are_not_believed),
	TEST(notices_any_changed_byte),
	TEST(takes_up_new_objects_and_drops_gone_ones),
	TEST(does_not_write_what_is_up_to_date),
	TEST(names_an_object_that_it_cannot_list),
	TEST(refuses_a_later_version),
	TEST(several_writers_leave_a_whole_manifest),
};
UNIT_MAIN(tests)
