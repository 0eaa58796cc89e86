#include "unit.h"

#include "hub/sequence.c"

static void reads_what_it_wrote(void **state)
{
	(void)state;
	static const uint64_t ordinals[] = {
		0, 1, 42, 1ULL << 40, (1ULL << 53) - 1, UINT64_MAX >> 1};
	for (size_t i = 0; i < sizeof ordinals / sizeof ordinals[0]; i++) {
		char text[HUB_SEQUENCE_MAX];
		hub_sequence_text(17, 1795592040, ordinals[i], 1795592099, text);
		assert_int_equal(strlen(text), 56);
		assert_memory_equal(text, "49", 2); /* as AWS's do */
		uint32_t shard;
		int64_t created_s;
		uint64_t ordinal;
		assert_rc(hub_sequence_read(text, &shard, &created_s, &ordinal));
		assert_int_equal(shard, 17);
		assert_int_equal(created_s, 1795592040);
		assert_true(ordinal == ordinals[i]);
	}
}

/* Worked out by another program from the layout. */
static void is_the_number_of_the_layout(void **state)
{
	(void)state;
	char text[HUB_SEQUENCE_MAX];
	hub_sequence_text(1, 0x06906B3D2, 42, 0x06906B9B0, text);
	char got[80] = "";
	FILE *python = popen(
		"python3 -c "
		"\"print(int('2'+'06906b3d2'+'1'+'%016x'%42+'00'+'06906b9b0'+'00000001'+'2',16))\"",
		"r");
	assert_non_null(python);
	assert_non_null(fgets(got, sizeof got, python));
	pclose(python);
	got[strcspn(got, "\n")] = 0;
	assert_string_equal(text, got);
}

static void grows_with_the_ordinal(void **state)
{
	(void)state;
	char last[HUB_SEQUENCE_MAX] = "0", text[HUB_SEQUENCE_MAX];
	for (uint64_t ordinal = 0; ordinal < 1000; ordinal += 7) {
		hub_sequence_text(3, 1795592040, ordinal, 1795592099 - (int64_t)ordinal % 5, text);
		assert_true(strlen(text) > strlen(last) || strcmp(text, last) > 0);
		strcpy(last, text);
	}
}

static void refuses_other_numbers(void **state)
{
	(void)state;
	static const char *const rows[] = {"", "0", "1", "x", "49",
		"12345678901234567890123456789012345678901234567890123456",
		"99999999999999999999999999999999999999999999999999999999", "-1"};
	uint32_t shard;
	int64_t created_s;
	uint64_t ordinal;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(
			hub_sequence_read(rows[i], &shard, &created_s, &ordinal), RC_USAGE);
}

/* Evenly; for powers of two it is the first bits of the MD5. */
static void cuts_the_ring_as_kinesis_does(void **state)
{
	(void)state;
	assert_int_equal(hub_shard_of_key(SLICE("anything"), 1), 0);
	unsigned counts[7] = {0};
	for (unsigned i = 0; i < 7000; i++) {
		char key[20];
		struct slice name = slice_of(key, (size_t)snprintf(key, sizeof key, "key%u", i));
		uint32_t shard = hub_shard_of_key(name, 7);
		assert_true(shard < 7);
		counts[shard]++;
		uint8_t digest[MD5_SIZE];
		checksum_md5(name.at, name.len, digest);
		assert_int_equal(hub_shard_of_key(name, 2), digest[0] >> 7);
		assert_int_equal(hub_shard_of_key(name, 256), digest[0]);
	}
	for (int i = 0; i < 7; i++)
		assert_in_range(counts[i], 850, 1150);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_what_it_wrote),
	cmocka_unit_test(is_the_number_of_the_layout),
	cmocka_unit_test(grows_with_the_ordinal),
	cmocka_unit_test(refuses_other_numbers),
	cmocka_unit_test(cuts_the_ring_as_kinesis_does),
};
UNIT_MAIN(tests)
