#include "unit.h"

#include "archive/pack.c"

/* Pieces of random and of even bytes, written one behind the other. */
static void pack_to(const char *path, const char *raw_path, enum past_codec codec, int level)
{
	static uint8_t bytes[PACK_PIECE_MAX];
	static const size_t lengths[] = {1, 2, 1000, 65536, PACK_PIECE_MAX - 1, PACK_PIECE_MAX};
	FILE *file = fopen(path, "w"), *raw = fopen(raw_path, "w");
	struct pack *pack = pack_new(codec, level);
	uint64_t random = 88172645463325252;
	for (size_t i = 0; i < 12; i++) {
		size_t len = lengths[i % 6];
		for (size_t j = 0; j < len; j++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			bytes[j] = i < 6 ? (uint8_t)random : (uint8_t)(j / 100);
		}
		struct slice packed = pack_piece(pack, slice_of(bytes, len));
		assert_int_equal(fwrite(packed.at, 1, packed.len, file), packed.len);
		assert_int_equal(fwrite(bytes, 1, len, raw), len);
	}
	pack_free(pack);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(fclose(raw), 0);
}

/* Bytes that cannot be compressed fill the largest piece too. */
static void its_pieces_are_what_the_tools_read(void **state)
{
	(void)state;
	static const int levels[] = {1, 3, 6, 12};
	char *folder = unit_folder();
	char path[300], raw[300], command[1000];
	snprintf(path, sizeof path, "%s/packed", folder);
	snprintf(raw, sizeof raw, "%s/raw", folder);
	for (int codec = PAST_ZSTD; codec <= PAST_GZIP; codec++) {
		for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
			pack_to(path, raw, (enum past_codec)codec, levels[i]);
			snprintf(command, sizeof command, "%s -dc <'%s' | cmp - '%s'",
				codec == PAST_ZSTD ? "zstd" : "gzip", path, raw);
			assert_int_equal(system(command), 0);
		}
	}
	unit_folder_remove(folder);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(its_pieces_are_what_the_tools_read),
};
UNIT_MAIN(tests)
