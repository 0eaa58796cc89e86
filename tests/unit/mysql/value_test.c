#include "unit.h"

#include "mysql/value.c"

/* What servers write is in the golden files; here is what they never write, and who owns the bytes.
 */

static struct buf scratch;

static enum rc read_value(
	const struct binlog_column *column, struct slice span, struct value *ret_value)
{
	memset(ret_value, 0xee, sizeof *ret_value);
	return binlog_value_read(column, span, &scratch, ret_value);
}

static void numbers_have_their_sign(void **state)
{
	(void)state;
	static const struct {
		uint8_t type;
		struct slice span;
		int64_t number;
		uint64_t magnitude;
	} rows[] = {
		{COLUMN_TINY, SLICE_INIT("\xff"), -1, 255},
		{COLUMN_SHORT, SLICE_INIT("\xfe\xff"), -2, 65534},
		{COLUMN_INT24, SLICE_INIT("\0\0\x80"), -8388608, 8388608},
		{COLUMN_INT24, SLICE_INIT("\xff\xff\x7f"), 8388607, 8388607},
		{COLUMN_LONG, SLICE_INIT("\0\0\0\x80"), INT32_MIN, 2147483648},
		{COLUMN_LONGLONG, SLICE_INIT("\xff\xff\xff\xff\xff\xff\xff\xff"), -1, UINT64_MAX},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct binlog_column column = {.type = rows[i].type};
		struct value value;
		assert_rc(read_value(&column, rows[i].span, &value));
		assert_int_equal(value.kind, VALUE_INT);
		assert_true(value.i == rows[i].number);
		column.is_unsigned = true;
		assert_rc(read_value(&column, rows[i].span, &value));
		assert_int_equal(value.kind, VALUE_UINT);
		assert_true(value.u == rows[i].magnitude);
	}
}

static void texts_are_borrowed(void **state)
{
	(void)state;
	struct slice span = SLICE("text");
	struct value value;
	static const enum value_kind kinds[] = {VALUE_TEXT, VALUE_LATIN1, VALUE_BYTES};
	for (size_t i = 0; i < 3; i++) {
		struct binlog_column column = {.type = COLUMN_VARCHAR, .text = (enum binlog_text)i};
		assert_rc(read_value(&column, span, &value));
		assert_int_equal(value.kind, kinds[i]);
		assert_ptr_equal(value.bytes.at, span.at);
		assert_int_equal(value.bytes.len, span.len);
	}
}

static void binary_gets_its_zeros_back(void **state)
{
	(void)state;
	struct binlog_column column = {.type = COLUMN_STRING, .text = BINLOG_TEXT_BINARY, .pad = 4};
	struct value value;
	assert_rc(read_value(&column, SLICE("ab"), &value));
	assert_true(slice_equal(value.bytes, SLICE("ab\0\0")));
	assert_rc(read_value(&column, SLICE(""), &value));
	assert_true(slice_equal(value.bytes, SLICE("\0\0\0\0")));
	struct slice whole = SLICE("abcd");
	assert_rc(read_value(&column, whole, &value));
	assert_ptr_equal(value.bytes.at, whole.at);
	assert_int_equal(read_value(&column, SLICE("abcde"), &value), RC_CORRUPT);
}

static void enums_and_sets_hold_only_their_members(void **state)
{
	(void)state;
	struct slice members[3] = {SLICE("\"a\""), SLICE("\"b\""), SLICE("\"c\"")};
	struct binlog_column column = {
		.type = COLUMN_ENUM, .length = 1, .members = members, .member_count = 3};
	struct value value;
	assert_rc(read_value(&column, SLICE("\3"), &value));
	assert_int_equal(value.kind, VALUE_JSON);
	assert_slice(value.bytes, "\"c\"");
	assert_rc(read_value(&column, SLICE("\0"), &value));
	assert_slice(value.bytes, "\"\"");
	assert_int_equal(read_value(&column, SLICE("\4"), &value), RC_CORRUPT);
	assert_int_equal(read_value(&column, SLICE("\1\1"), &value), RC_CORRUPT);
	column.type = COLUMN_SET;
	assert_rc(read_value(&column, SLICE("\5"), &value));
	assert_int_equal(value.kind, VALUE_JSON);
	assert_slice(value.bytes, "[\"a\",\"c\"]");
	assert_rc(read_value(&column, SLICE("\0"), &value));
	assert_slice(value.bytes, "[]");
	assert_int_equal(read_value(&column, SLICE("\x08"), &value), RC_CORRUPT);
	assert_int_equal(read_value(&column, SLICE("\0\0\0\0\0\0\0\x80"), &value), RC_CORRUPT);
	column.member_count = 0;
	assert_int_equal(read_value(&column, SLICE("\1"), &value), RC_CORRUPT);
}

static void json_of_mariadb_is_checked_and_made_compact(void **state)
{
	(void)state;
	struct binlog_column column = {.type = COLUMN_BLOB, .prefix = 4, .is_json = true};
	struct value value;
	assert_rc(read_value(&column, SLICE(" { \"a\" : [ 1 ,\n2 ] } "), &value));
	assert_int_equal(value.kind, VALUE_JSON);
	assert_slice(value.bytes, "{\"a\":[1,2]}");
	static const char *const bad[] = {"", "{", "{\"a\":}", "nul", "\"\xff\"", "1 2"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(read_value(&column, slice_text(bad[i]), &value), RC_CORRUPT);
}

static void numbers_that_are_none_are_refused(void **state)
{
	(void)state;
	struct value value;
	struct binlog_column column = {.type = COLUMN_FLOAT};
	assert_int_equal(read_value(&column, SLICE("\0\0\x80\x7f"), &value), RC_CORRUPT);
	assert_int_equal(read_value(&column, SLICE("\0\0\xc0\x7f"), &value), RC_CORRUPT);
	assert_rc(read_value(&column, SLICE("\0\0\xc0\x3f"), &value));
	assert_true(value.kind == VALUE_FLOAT && value.f == 1.5F);
	column.type = COLUMN_DOUBLE;
	assert_int_equal(read_value(&column, SLICE("\0\0\0\0\0\0\xf0\xff"), &value), RC_CORRUPT);
	assert_rc(read_value(&column, SLICE("\0\0\0\0\0\0\xf8\x3f"), &value));
	assert_true(value.kind == VALUE_DOUBLE && value.d == 1.5);
	column = (struct binlog_column){
		.type = COLUMN_NEWDECIMAL, .precision = 3, .decimals = 2, .length = 2};
	assert_int_equal(read_value(&column, SLICE("\xff\xff"), &value), RC_CORRUPT);
	assert_rc(read_value(&column, SLICE("\x81\x05"), &value));
	assert_slice(value.bytes, "1.05");
}

static void years_and_bits_are_unsigned(void **state)
{
	(void)state;
	struct value value;
	struct binlog_column column = {.type = COLUMN_YEAR};
	assert_rc(read_value(&column, SLICE("\0"), &value));
	assert_true(value.kind == VALUE_UINT && value.u == 0);
	assert_rc(read_value(&column, SLICE("\xff"), &value));
	assert_true(value.kind == VALUE_UINT && value.u == 2155);
	column.type = COLUMN_BIT;
	assert_rc(read_value(&column, SLICE("\1\2\3"), &value));
	assert_true(value.kind == VALUE_UINT && value.u == 0x010203);
}

static void the_scratch_buffers_limit_is_kept(void **state)
{
	(void)state;
	struct buf small = buf_of(8);
	struct value value;
	struct binlog_column column = {.type = COLUMN_BLOB, .prefix = 4, .is_json = true};
	assert_int_equal(
		binlog_value_read(&column, SLICE("[1,2,3,4,5,6]"), &small, &value), RC_LIMIT);
	assert_rc(binlog_value_read(&column, SLICE("[1]"), &small, &value));
	column =
		(struct binlog_column){.type = COLUMN_STRING, .text = BINLOG_TEXT_BINARY, .pad = 9};
	assert_int_equal(binlog_value_read(&column, SLICE("a"), &small, &value), RC_LIMIT);
	buf_release(&small);
	buf_release(&scratch);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(numbers_have_their_sign),
	cmocka_unit_test(texts_are_borrowed),
	cmocka_unit_test(binary_gets_its_zeros_back),
	cmocka_unit_test(enums_and_sets_hold_only_their_members),
	cmocka_unit_test(json_of_mariadb_is_checked_and_made_compact),
	cmocka_unit_test(numbers_that_are_none_are_refused),
	cmocka_unit_test(years_and_bits_are_unsigned),
	cmocka_unit_test(the_scratch_buffers_limit_is_kept),
};

int main(void)
{
	thread_assert_off();
	scratch = buf_of(1 << 20);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
