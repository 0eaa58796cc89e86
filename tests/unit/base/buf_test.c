#include "unit.h"

#include "base/buf.c"

static void grows_up_to_its_maximum(void **state)
{
	(void)state;
	struct buf buf = buf_of(1000);
	for (int i = 0; i < 1000; i++)
		buf_u8(&buf, (uint8_t)i);
	assert_int_equal(buf.rc, RC_OK);
	assert_int_equal(buf.len, 1000);
	buf_u8(&buf, 1);
	assert_int_equal(buf.rc, RC_LIMIT);
	assert_int_equal(buf.len, 1000);
	buf_reset(&buf);
	buf_text(&buf, "again");
	assert_string_equal(buf_cstring(&buf), "again");
	buf_release(&buf);
}

static void an_error_sticks(void **state)
{
	(void)state;
	struct buf buf = buf_of(4);
	buf_text(&buf, "12345");
	buf_text(&buf, "1");
	assert_int_equal(buf.rc, RC_LIMIT);
	assert_int_equal(buf.len, 0);
	buf_release(&buf);
}

static void formats_and_reads_back(void **state)
{
	(void)state;
	struct buf buf = buf_of(100);
	buf_format(&buf, "%d-%s", 7, "x");
	assert_string_equal(buf_cstring(&buf), "7-x");
	buf_reset(&buf);
	buf_varint(&buf, 0);
	buf_varint(&buf, 300);
	buf_varint(&buf, UINT64_MAX);
	buf_u32le(&buf, 0xdeadbeef);
	struct reader reader = reader_of(buf.at, buf.len);
	assert_int_equal(read_varint(&reader), 0);
	assert_int_equal(read_varint(&reader), 300);
	assert_true(read_varint(&reader) == UINT64_MAX);
	assert_int_equal(read_u32le(&reader), 0xdeadbeef);
	assert_int_equal(reader.rc, RC_OK);
	assert_int_equal(read_u8(&reader), 0);
	assert_int_equal(reader.rc, RC_TRUNCATED);
	buf_release(&buf);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(grows_up_to_its_maximum),
	cmocka_unit_test(an_error_sticks),
	cmocka_unit_test(formats_and_reads_back),
};
UNIT_MAIN(tests)
