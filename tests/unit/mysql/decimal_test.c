#include "unit.h"

#include "mysql/decimal.c"

static void assert_decimal(
	struct slice bytes, unsigned precision, unsigned decimals, const char *expected)
{
	char out[DECIMAL_TEXT_MAX];
	assert_int_equal(decimal_size(precision, decimals), bytes.len);
	size_t len = decimal_put(bytes.at, precision, decimals, out);
	assert_slice(slice_of(out, len), expected);
}

/* The golden files hold what servers wrote at the limits; these are the corners of the form. */
static void digits_are_exact(void **state)
{
	(void)state;
	assert_decimal(SLICE("\x80"), 1, 0, "0");
	assert_decimal(SLICE("\x89"), 1, 0, "9");
	assert_decimal(SLICE("\x76"), 1, 0, "-9");
	assert_decimal(SLICE("\x80\x32"), 3, 2, "0.50");
	assert_decimal(SLICE("\x7f\xcd"), 3, 2, "-0.50");
	assert_decimal(SLICE("\x80\x00\x00\x07\x80"), 11, 0, "1920"); /* a group of zero in front */
	assert_decimal(SLICE("\x80\x00\x00\x00\x00\x05"), 12, 2, "0.05");
	assert_decimal(SLICE("\xbb\x9a\xc9\xff\x3b\x9a\xc9\xff"), 18, 9, "999999999.999999999");
	assert_decimal(SLICE("\xb2"), 2, 2, "0.50");
	assert_decimal(SLICE("\x81\x00\x00\x00\x00"), 10, 0, "1000000000");
}

static void there_is_no_negative_zero(void **state)
{
	(void)state;
	assert_decimal(SLICE("\x7f\xff"), 3, 2, "0.00");
	assert_decimal(SLICE("\x7f"), 1, 0, "0");
}

static void what_is_more_than_its_digits_is_refused(void **state)
{
	(void)state;
	char out[DECIMAL_TEXT_MAX];
	assert_int_equal(decimal_put((const uint8_t *)"\x8a", 1, 0, out), 0);
	assert_int_equal(decimal_put((const uint8_t *)"\xff\xff\xff\xff", 9, 0, out), 0);
	assert_int_equal(decimal_put((const uint8_t *)"\x80\x64", 3, 2, out), 0);
	assert_int_equal(decimal_put((const uint8_t *)"\x80\x3b\x9a\xca\x00", 10, 9, out), 0);
}

/* Groups of more than their digits would write more text than there is room for. */
static void nonsense_takes_no_more_room_than_digits_do(void **state)
{
	(void)state;
	static const uint8_t fills[] = {0x00, 0x3b, 0x7f, 0x80, 0xc0, 0xff};
	char *out = malloc(DECIMAL_TEXT_MAX); /* the sanitizer sees what is written behind it */
	for (unsigned precision = 1; precision <= DECIMAL_DIGITS_MAX; precision++) {
		for (unsigned i = 0; i < sizeof fills * 31; i++) {
			uint8_t bytes[64];
			memset(bytes, fills[i % sizeof fills], sizeof bytes);
			if (decimal_size(precision, i / sizeof fills) > 0)
				(void)decimal_put(bytes, precision, i / sizeof fills, out);
		}
	}
	free(out);
}

static void sizes_follow_groups_of_nine(void **state)
{
	(void)state;
	assert_int_equal(decimal_size(65, 30), 16 + 14);
	assert_int_equal(decimal_size(81, 0), 36);
	assert_int_equal(decimal_size(0, 0), 0);
	assert_int_equal(decimal_size(82, 0), 0);
	assert_int_equal(decimal_size(10, 11), 0);
	assert_int_equal(decimal_size(40, 31), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(digits_are_exact),
	cmocka_unit_test(there_is_no_negative_zero),
	cmocka_unit_test(what_is_more_than_its_digits_is_refused),
	cmocka_unit_test(nonsense_takes_no_more_room_than_digits_do),
	cmocka_unit_test(sizes_follow_groups_of_nine),
};
UNIT_MAIN(tests)
