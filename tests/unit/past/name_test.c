#include "unit.h"

#include "past/name.c"

static void spells_keys_in_fixed_width(void **state)
{
	(void)state;
	struct past_name name = {.stream = "changes",
		.hour_us = 1764054000000000, /* date -u -d @1764054000: 2025-11-25 07:00 */
		.shard = 7,
		.first = 1234567,
		.codec = PAST_ZSTD};
	char key[PAST_KEY_MAX];
	past_name_key(&name, key);
	assert_string_equal(key, "log/changes/2025/11/25/07/0007-00000000000001234567.ndjson.zst");
	name.codec = PAST_GZIP;
	name.first = UINT64_MAX;
	past_name_key(&name, key);
	assert_string_equal(key, "log/changes/2025/11/25/07/0007-18446744073709551615.ndjson.gz");
	past_manifest_key("changes", name.hour_us, key);
	assert_string_equal(key, "manifest/changes/2025/11/25/07.ndjson");
	past_log_prefix("changes", key);
	assert_string_equal(key, "log/changes/");
}

static void the_longest_stream_fits(void **state)
{
	(void)state;
	struct past_name name = {.hour_us = 0, .shard = 4095, .first = UINT64_MAX}, again;
	memset(name.stream, 'x', PAST_STREAM_MAX);
	char key[PAST_KEY_MAX];
	past_name_key(&name, key);
	assert_rc(past_name_read(key, &again, NULL));
	assert_string_equal(again.stream, name.stream);
	assert_int_equal(again.first, UINT64_MAX);
	assert_true(strlen(key) + 5 < PAST_KEY_MAX);
}

static void reads_its_own_keys(void **state)
{
	(void)state;
	static const int64_t hours[] = {0, 1764054000000000, 951782400000000, 253402297200000000};
	for (size_t i = 0; i < 4; i++) {
		for (int codec = PAST_ZSTD; codec <= PAST_GZIP; codec++) {
			struct past_name name = {.stream = "a.b-c_D9",
				.hour_us = hours[i],
				.shard = (uint32_t)i * 1365,
				.first = i << 40,
				.codec = (enum past_codec)codec};
			struct past_name again;
			char key[PAST_KEY_MAX];
			past_name_key(&name, key);
			assert_rc(past_name_read(key, &again, NULL));
			assert_string_equal(again.stream, name.stream);
			assert_int_equal(again.hour_us, name.hour_us);
			assert_int_equal(again.shard, name.shard);
			assert_int_equal(again.first, name.first);
			assert_int_equal(again.codec, name.codec);
		}
	}
}

static void refuses_other_keys(void **state)
{
	(void)state;
#define OBJECT "0007-00000000000001234567.ndjson.zst"
	static const char *const bad[] = {"", "log/", "log/s/2025/11/25/07/",
		"logs/s/2025/11/25/07/" OBJECT, "log//2025/11/25/07/" OBJECT,
		"log/../2025/11/25/07/" OBJECT, "log/s=1/2025/11/25/07/" OBJECT,
		"log/s/2025/13/25/07/" OBJECT, "log/s/2025/11/31/07/" OBJECT,
		"log/s/2025/00/25/07/" OBJECT, "log/s/2025/11/25/24/" OBJECT,
		"log/s/2025-11-25/07/" OBJECT, "log/s/2025/11/25/7/" OBJECT,
		"log/s/2025/11/25/07/" OBJECT ".meta", "log/s/2025/11/25/07/" OBJECT "/x",
		"log/s/2025/11/25/07/x" OBJECT, "log/s/2025/11/25/07/0007-1.ndjson.zst",
		"log/s/2025/11/25/07/0007-00000000000001234567.ndjson.bz2",
		"log/s/2025/11/25/07/0007_00000000000001234567.ndjson.zst",
		"log/s/2025/11/25/07/0007-0000000000000123456x.ndjson.zst",
		"log/s/2025/11/25/07/0007-99999999999999999999.ndjson.zst",
		"log/s/2025/11/25/07/007-00000000000001234567.ndjson.zst",
		"log/s/2025/11/25/07/00007-00000000000001234567.ndjson.zst",
		"log/s/2025/11/25/07/README", "manifest/s/2025/11/25/07.ndjson"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct past_name name = {.shard = 99};
		struct fault fault;
		assert_int_equal(past_name_read(bad[i], &name, &fault), RC_CORRUPT);
		assert_int_equal(name.shard, 99);
		assert_non_null(strstr(fault.hint, "move it away"));
	}
}

static void tells_which_streams_fit(void **state)
{
	(void)state;
	char long_name[PAST_STREAM_MAX + 2];
	memset(long_name, 'a', sizeof long_name);
	long_name[PAST_STREAM_MAX + 1] = 0;
	static const char *const good[] = {"a", "changes", "A.b-c_9", ".x", "...", "-"};
	static const char *const bad[] = {"", ".", "..", "a/b", "a b", "a=b", "\xc3\xa4", "a\n"};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_true(past_stream_fits(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(past_stream_fits(bad[i]));
	assert_false(past_stream_fits(long_name));
	assert_true(past_stream_fits(long_name + 1));
}

static void cuts_times_to_hours(void **state)
{
	(void)state;
	assert_int_equal(past_hour(1764054000000000), 1764054000000000);
	assert_int_equal(past_hour(1764054000000000 - 1), 1764054000000000 - 3600000000);
	assert_int_equal(past_hour(1764057599999999), 1764054000000000);
	assert_int_equal(past_hour(0), 0);
	assert_int_equal(past_hour(-1), -3600000000);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(spells_keys_in_fixed_width),
	cmocka_unit_test(the_longest_stream_fits),
	cmocka_unit_test(reads_its_own_keys),
	cmocka_unit_test(refuses_other_keys),
	cmocka_unit_test(tells_which_streams_fit),
	cmocka_unit_test(cuts_times_to_hours),
};
UNIT_MAIN(tests)
