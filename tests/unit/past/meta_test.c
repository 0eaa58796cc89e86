#include "golden.h"

#include "past/meta.c"

#include "base/disk.h"

/* ---- the page's examples ---- */

static struct past_object example(void)
{
	struct past_object object = {
		.name = {.stream = "changes", .hour_us = golden_hour_us, .first = 16},
		.created_us = golden_hour_us + 123456,
		.last = 17,
		.count = 2,
		.complete = 16,
		.bytes = 474,
		.stored = 267,
		.crc32c = 0x0aace2f6,
		.first_time_us = golden_hour_us + 34 * 60000000LL,
		.last_time_us = golden_hour_us + 34 * 60000000LL,
		.first_arrival_us = golden_hour_us + 34 * 60000000LL + 900000,
		.last_arrival_us = golden_hour_us + 34 * 60000000LL + 999999,
	};
	past_tables_add(&object.tables, SLICE("ads.listings"));
	return object;
}

static void load_meta(const char *key, struct buf *out)
{
	char path[500];
	snprintf(path, sizeof path, "%s/%s.meta", test_folder, key);
	buf_reset(out);
	assert_rc(disk_load(path, out, NULL));
}

static void writes_the_example_byte_by_byte(void **state)
{
	(void)state;
	struct past_object object = example();
	struct buf got = buf_of(4096), file = buf_of(4096), page = buf_of(65536);
	past_meta_write(&object, &got);
	load_meta(ZSTD_KEY, &file);
	assert_string_equal(buf_cstring(&got), buf_cstring(&file));
	assert_rc(disk_load(UNIT_SOURCE "/docs/formats/object.md", &page, NULL));
	assert_non_null(strstr(buf_cstring(&page), buf_cstring(&file)));
	past_object_release(&object);
	buf_release(&got);
	buf_release(&file);
	buf_release(&page);
}

static const char *const golden_keys[] = {ZSTD_KEY, GZIP_KEY,
	"log/changes/2026/11/25/08/0000-00000000000000000019.ndjson.zst",
	"log/changes/2026/11/25/08/0001-00000000000000000019.ndjson.zst"};

static void reads_and_writes_every_example(void **state)
{
	(void)state;
	struct buf file = buf_of(4096), again = buf_of(4096);
	for (size_t i = 0; i < 4; i++) {
		struct past_object object;
		load_meta(golden_keys[i], &file);
		assert_rc(past_object_load(test_store, golden_keys[i], &object, NULL));
		buf_reset(&again);
		past_meta_write(&object, &again);
		assert_string_equal(buf_cstring(&again), buf_cstring(&file));
		past_object_release(&object);
	}
	buf_release(&file);
	buf_release(&again);
}

/* ---- bad input ---- */

/* The example with the first `from` replaced by `to`. */
static void changed(const char *from, const char *to, struct buf *out)
{
	struct past_object object = example();
	struct buf meta = buf_of(4096);
	past_meta_write(&object, &meta);
	const char *text = buf_cstring(&meta), *at = strstr(text, from);
	assert_non_null(at);
	buf_reset(out);
	buf_bytes(out, text, (size_t)(at - text));
	buf_text(out, to);
	buf_text(out, at + strlen(from));
	buf_release(&meta);
	past_object_release(&object);
}

static void refuses_wrong_members(void **state)
{
	(void)state;
	static const char *const rows[][3] = {
		{"\"version\":1", "\"version\":0", "version"},
		{"\"version\":1,", "", "version"},
		{"\"stream\":\"changes\"", "\"stream\":\"a/b\"", "stream"},
		{"\"stream\":\"changes\"", "\"stream\":7", "stream"},
		{"\"created\":\"2026", "\"created\":\"x026", "created"},
		{"\"shard\":0", "\"shard\":10000", "shard"},
		{"\"shard\":0", "\"shard\":-1", "shard"},
		{"\"shard\":0", "\"shard\":0.0", "shard"},
		{"\"first\":16", "\"first\":18", "count"},
		{"\"first\":16", "\"first\":\"16\"", "first"},
		{"\"count\":2", "\"count\":3", "count"},
		{"\"count\":2", "\"count\":0", "count"},
		{"\"prev\":null", "\"prev\":16", "prev"},
		{"\"prev\":null", "\"prev\":true", "prev"},
		{"\"prev\":null,", "", "prev"},
		{"\"complete\":16", "\"complete\":null", "complete"},
		{"\"bytes\":474", "\"bytes\":1e3", "bytes"},
		{"\"stored\":267,", "", "stored"},
		{"0aace2f6", "0AACE2F6", "crc32c"},
		{"0aace2f6", "aace2f6", "crc32c"},
		{"\"zstd\"", "\"lz4\"", "codec"},
		{"[\"ads.listings\"]", "\"ads.listings\"", "tables"},
		{"[\"ads.listings\"]", "[1]", "tables"},
		{"\"last_time\":\"2026-11-25T07", "\"last_time\":\"2026-11-25T08", "last_time"},
		{"\"last_time\":\"2026-11-25T07:34", "\"last_time\":\"2026-11-25T07:33",
			"last_time"},
		{"\"last_arrival\"", "\"last_arrivals\"", "last_arrival"},
	};
	struct buf text = buf_of(8192);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct past_object object = {.count = 77};
		struct fault fault;
		changed(rows[i][0], rows[i][1], &text);
		assert_int_equal(past_meta_read(buf_as_slice(&text), &object, &fault), RC_CORRUPT);
		assert_int_equal(object.count, 77);
		char name[40];
		snprintf(name, sizeof name, "'%s'", rows[i][2]);
		assert_non_null(strstr(fault.text, name));
	}
	buf_release(&text);
}

static void refuses_what_is_cut_or_no_object(void **state)
{
	(void)state;
	struct past_object whole = example(), object;
	struct buf text = buf_of(4096);
	struct fault fault;
	past_meta_write(&whole, &text);
	for (size_t len = 0; len < text.len; len++)
		assert_int_equal(
			past_meta_read(slice_of(text.at, len), &object, &fault), RC_CORRUPT);
	assert_int_equal(past_meta_read(SLICE("[]"), &object, &fault), RC_CORRUPT);
	assert_int_equal(past_meta_read(SLICE("{}"), &object, &fault), RC_CORRUPT);
	changed("\"version\":1", "\"version\":1,\"version\":1", &text);
	assert_int_equal(past_meta_read(buf_as_slice(&text), &object, &fault), RC_CORRUPT);
	past_object_release(&whole);
	buf_release(&text);
}

static void passes_over_members_to_come_but_not_versions(void **state)
{
	(void)state;
	struct buf text = buf_of(4096);
	struct past_object object;
	struct fault fault;
	changed("\"shard\":0", "\"later\":{\"x\":[1]},\"shard\":3", &text);
	assert_rc(past_meta_read(buf_as_slice(&text), &object, &fault));
	assert_int_equal(object.name.shard, 3);
	past_object_release(&object);
	changed("\"version\":1", "\"version\":2", &text);
	assert_int_equal(past_meta_read(buf_as_slice(&text), &object, &fault), RC_UNSUPPORTED);
	buf_release(&text);
}

static void an_object_must_fit_its_metadata(void **state)
{
	(void)state;
	struct past_object object;
	struct fault fault;
	assert_int_equal(shell("printf x >>" ZSTD_KEY), 0);
	assert_int_equal(past_object_load(test_store, ZSTD_KEY, &object, &fault), RC_CORRUPT);
	assert_non_null(strstr(fault.text, "267"));
	assert_int_equal(shell("cp %s.meta " GZIP_KEY ".meta", golden_keys[2]), 0);
	assert_int_equal(past_object_load(test_store, GZIP_KEY, &object, &fault), RC_CORRUPT);
	assert_non_null(strstr(fault.text, golden_keys[2]));
	assert_int_equal(shell("rm " GZIP_KEY ".meta"), 0);
	assert_int_equal(past_object_load(test_store, GZIP_KEY, &object, &fault), RC_CORRUPT);
	assert_non_null(strstr(fault.text, GZIP_KEY));
	assert_int_equal(shell("rm " GZIP_KEY), 0);
	assert_int_equal(past_object_load(test_store, GZIP_KEY, &object, &fault), RC_NOT_FOUND);
}

/* ---- tables ---- */

static void keeps_tables_sorted_and_once(void **state)
{
	(void)state;
	static const char *const names[] = {"b.x", "a.x", "b.x", "a.", "a.x.", "a.x", "B.x", "a"};
	static const char *const sorted[] = {"B.x", "a", "a.", "a.x", "a.x.", "b.x"};
	struct past_tables tables = {0};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		past_tables_add(&tables, slice_text(names[i]));
	assert_int_equal(tables.count, 6);
	for (size_t i = 0; i < 6; i++)
		assert_string_equal(tables.names[i], sorted[i]);
	past_tables_release(&tables);
}

static void knows_which_tables_may_be_there(void **state)
{
	(void)state;
	struct past_tables tables = {0};
	past_tables_add(&tables, SLICE("shop.ads"));
	past_tables_add(&tables, SLICE("w\\.x."));
	assert_true(past_tables_may_have(&tables, SLICE("shop.ads")));
	assert_false(past_tables_may_have(&tables, SLICE("shop.ad")));
	assert_false(past_tables_may_have(&tables, SLICE("shop.users")));
	assert_true(past_tables_may_have(&tables, SLICE("w\\.x.anything")));
	assert_false(past_tables_may_have(&tables, SLICE("w.anything")));
	past_tables_release(&tables);
	assert_false(past_tables_may_have(&tables, SLICE("shop.ads")));
}

static void lists_no_tables_when_there_are_too_many(void **state)
{
	(void)state;
	struct past_object object = example(), again;
	struct buf text = buf_of(65536);
	for (int i = 1; i <= PAST_TABLES_MAX; i++) {
		char name[40];
		assert_false(object.tables.is_cut);
		snprintf(name, sizeof name, "db.table%d", i);
		past_tables_add(&object.tables, slice_text(name));
	}
	assert_true(object.tables.is_cut);
	past_tables_add(&object.tables, SLICE("one.more"));
	assert_int_equal(object.tables.count, 0);
	past_meta_write(&object, &text);
	assert_non_null(strstr(buf_cstring(&text), "\"tables\":null"));
	assert_rc(past_meta_read(buf_as_slice(&text), &again, NULL));
	assert_true(past_tables_may_have(&again.tables, SLICE("any.table")));
	past_object_release(&again);
	past_object_release(&object);
	struct past_tables tables = {0};
	for (char letter = 'a'; letter <= 'z' && !tables.is_cut; letter++) {
		char name[1000];
		memset(name, letter, sizeof name);
		past_tables_add(&tables, slice_of(name, sizeof name));
		assert_int_equal(tables.is_cut, letter == 'a' + 8);
	}
	past_tables_release(&tables);
	buf_release(&text);
}

static void spells_odd_names_as_json(void **state)
{
	(void)state;
	struct past_object object = example(), again;
	struct buf text = buf_of(65536);
	past_tables_add(&object.tables, SLICE("a\\.\"b\"\n.\xc3\xa4\\|"));
	past_meta_write(&object, &text);
	assert_rc(past_meta_read(buf_as_slice(&text), &again, NULL));
	assert_string_equal(again.tables.names[0], "a\\.\"b\"\n.\xc3\xa4\\|");
	past_object_release(&again);
	past_object_release(&object);
	buf_release(&text);
}

/* ---- publishing ---- */

static enum rc publish(const struct past_object *object, const char *bytes)
{
	struct store_stage *stage = NULL;
	assert_rc(store_stage_begin(test_store, &stage, NULL));
	assert_rc(store_stage_append(stage, slice_text(bytes), NULL));
	enum rc rc = past_publish(test_store, stage, object, NULL);
	store_stage_close(stage);
	return rc;
}

static void publishes_once(void **state)
{
	(void)state;
	struct past_object object = example(), again;
	object.name.first = 100;
	object.last = 101;
	object.stored = 5;
	assert_rc(publish(&object, "bytes"));
	/* the same again: an earlier try that failed after it had taken effect */
	assert_rc(publish(&object, "bytes"));
	/* another end: somebody else's */
	object.last = 102;
	assert_int_equal(publish(&object, "bytes"), RC_EXISTS);
	assert_rc(past_object_load(
		test_store, HOUR_07 "0000-00000000000000000100.ndjson.zst", &again, NULL));
	assert_int_equal(again.last, 101);
	past_object_release(&again);
	/* the other format */
	object.name.codec = PAST_GZIP;
	assert_int_equal(publish(&object, "bytes"), RC_EXISTS);
	assert_int_equal(shell("test ! -e " HOUR_07 "0000-00000000000000000100.ndjson.gz"), 0);
	past_object_release(&object);
}

/* ---- the checker that was written from the page ---- */

static int check(void)
{
	return shell("'%s/tests/tools/check_archive.py' . changes >/dev/null 2>.lock", UNIT_SOURCE);
}

static void the_checker_finds_what_is_wrong(void **state)
{
	(void)state;
#define META ZSTD_KEY ".meta"
	static const char *const harm[] = {
		"printf x >>" ZSTD_KEY,
		"zstd -qdc " ZSTD_KEY " | sed 2d | zstd -qc >x && mv x " ZSTD_KEY,
		"sed -i s/0aace2f6/0aace2f7/ " META " manifest/changes/2026/11/25/07.ndjson",
		"sed -i 's/\"count\":2/\"count\":1/' " META,
		"sed -i 's/\"prev\":17/\"prev\":16/' log/changes/2026/11/25/08/0000*.meta",
		"sed -i 's/\"prev\":17/\"prev\":null/' log/changes/2026/11/25/08/0000*.meta",
		"sed -i 's/ads.listings/ads.listing/' " META,
		"sed -i 's/T07:34/T08:34/' " META,
		"sed -i 's/\"shard\":0/\"shard\":1/' " META,
		"sed -i 's/\"complete\":16/\"complete\":23/' " META,
		"rm " META,
		"rm " GZIP_KEY "*",
		"touch log/changes/2026/11/25/07/README",
		"rm " MANIFEST_KEY,
		"sed -i '1s/\"count\":2/\"count\":3/' " MANIFEST_KEY,
		"sed -i '$d' " MANIFEST_KEY,
		"sed -i '2s/\"bytes\":474/\"bytes\":475/' " MANIFEST_KEY,
		"cp " MANIFEST_KEY " manifest/changes/2026/11/25/09.ndjson",
	};
	assert_int_equal(check(), 0);
	for (size_t i = 0; i < sizeof harm / sizeof harm[0]; i++) {
		assert_int_equal(
			shell("cp -r '%s/tests/data/object/.' . && %s", UNIT_SOURCE, harm[i]), 0);
		if (check() != 1)
			fail_msg("not found: %s", harm[i]);
		assert_int_equal(shell("rm -r log manifest"), 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_copy, remove_copy)

static const struct CMUnitTest tests[] = {
	TEST(writes_the_example_byte_by_byte),
	TEST(reads_and_writes_every_example),
	TEST(refuses_wrong_members),
	TEST(refuses_what_is_cut_or_no_object),
	TEST(passes_over_members_to_come_but_not_versions),
	TEST(an_object_must_fit_its_metadata),
	TEST(keeps_tables_sorted_and_once),
	TEST(knows_which_tables_may_be_there),
	TEST(lists_no_tables_when_there_are_too_many),
	TEST(spells_odd_names_as_json),
	TEST(publishes_once),
	TEST(the_checker_finds_what_is_wrong),
};
UNIT_MAIN(tests)
