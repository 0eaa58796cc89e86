#include "unit.h"

#include "base/checksum.c"

/* The check values of the CRC catalogue, RFC 1321 and FIPS 180-2. */
static void knows_the_published_values(void **state)
{
	(void)state;
	uint8_t digest[SHA256_SIZE];
	char digits[SHA256_HEX_SIZE];
	assert_int_equal(checksum_crc32(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(checksum_crc32c(0, "123456789", 9), 0xe3069283);
	checksum_md5("abc", 3, digest);
	checksum_hex(digest, MD5_SIZE, digits);
	assert_memory_equal(digits, "900150983cd24fb0d6963f7d28e17f72", 32);
	checksum_sha256("abc", 3, digest);
	checksum_hex(digest, SHA256_SIZE, digits);
	assert_memory_equal(
		digits, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", 64);
}

static void goes_on_from_a_part(void **state)
{
	(void)state;
	assert_int_equal(checksum_crc32(checksum_crc32(0, "12345", 5), "6789", 4), 0xcbf43926);
	assert_int_equal(checksum_crc32c(checksum_crc32c(0, "12345", 5), "6789", 4), 0xe3069283);
}

static void *digest_here(void *arg)
{
	uint8_t digest[SHA256_SIZE];
	checksum_sha256("abc", 3, digest);
	checksum_md5("abc", 3, digest);
	return arg;
}

/* Its context goes with it: the sanitizer of leaks is the judge. */
static void a_thread_that_ends_leaves_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		pthread_t id;
		assert_int_equal(pthread_create(&id, NULL, digest_here, NULL), 0);
		assert_int_equal(pthread_join(id, NULL), 0);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(knows_the_published_values),
	cmocka_unit_test(goes_on_from_a_part),
	cmocka_unit_test(a_thread_that_ends_leaves_nothing),
};
UNIT_MAIN(tests)
