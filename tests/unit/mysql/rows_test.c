#include "unit.h"

#include "mysql/rows.c"

static const struct binlog_format format = {.post_header = {[BINLOG_WRITE_ROWS_V1] = 8,
						    [BINLOG_WRITE_ROWS] = 10,
						    [BINLOG_UPDATE_ROWS] = 10,
						    [BINLOG_DELETE_ROWS_V1] = 6}};

static enum rc read_rows(unsigned type, struct slice body, struct binlog_rows *ret_rows)
{
	struct binlog_event event = {.type = (uint8_t)type, .body = body};
	return binlog_rows_read(&event, &format, ret_rows);
}

static void heads_of_both_versions_are_read(void **state)
{
	(void)state;
	struct binlog_rows rows;
	assert_rc(read_rows(BINLOG_WRITE_ROWS_V1, SLICE("\1\2\3\4\5\6\1\0\2\3images"), &rows));
	assert_int_equal(rows.table_id, 0x060504030201);
	assert_true(rows.ends_statement && rows.change == BINLOG_INSERT);
	assert_int_equal(rows.column_count, 2);
	assert_int_equal(reader_left(&rows.rest), 6);
	/* version 2 has extra bytes, counted with their length */
	assert_rc(read_rows(
		BINLOG_UPDATE_ROWS, SLICE("\1\0\0\0\0\0\0\0\5\0abc\x09\1\0\2\1images"), &rows));
	assert_true(!rows.ends_statement && rows.change == BINLOG_UPDATE);
	assert_int_equal(rows.column_count, 9);
	assert_true(slice_equal(rows.present, SLICE("\1\0")));
	assert_true(slice_equal(rows.present_after, SLICE("\2\1")));
	assert_int_equal(reader_left(&rows.rest), 6);
	/* the oldest have table numbers of four bytes */
	assert_rc(read_rows(BINLOG_DELETE_ROWS_V1, SLICE("\1\0\0\0\1\0\1\1image"), &rows));
	assert_int_equal(rows.table_id, 1);
	assert_int_equal(rows.change, BINLOG_DELETE);
}

static void heads_that_make_no_sense_are_refused(void **state)
{
	(void)state;
	struct binlog_rows rows;
	struct slice whole = SLICE("\1\0\0\0\0\0\0\0\5\0abc\x09\1\0\2\1");
	for (size_t len = 0; len < whole.len; len++)
		assert_int_equal(read_rows(BINLOG_UPDATE_ROWS, slice_of(whole.at, len), &rows),
			RC_TRUNCATED);
	static const struct slice bad[] = {
		SLICE_INIT(
			"\1\0\0\0\0\0\0\0\1\0\1\1\1x"), /* extra bytes shorter than their length */
		SLICE_INIT("\1\0\0\0\0\0\0\0\2\0\0\1"), /* no columns */
		SLICE_INIT("\1\0\0\0\0\0\0\0\2\0\xfc\1\x10"),
		SLICE_INIT("\1\0\0\0\0\0\0\0\2\0\2\xfc\xfc\1"), /* images of nothing, without end */
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(read_rows(BINLOG_UPDATE_ROWS, bad[i], &rows), RC_CORRUPT);
	assert_rc(read_rows(BINLOG_UPDATE_ROWS, SLICE("\1\0\0\0\0\0\0\0\2\0\2\0\0"), &rows));
	static const unsigned others[] = {BINLOG_PARTIAL_UPDATE_ROWS, BINLOG_WRITE_ROWS_COMPRESSED,
		BINLOG_UPDATE_ROWS_COMPRESSED_V1, BINLOG_TABLE_MAP, 20, 255};
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_int_equal(read_rows(others[i], whole, &rows), RC_UNSUPPORTED);
}

static void every_type_with_rows_is_a_change(void **state)
{
	(void)state;
	unsigned counts[3] = {0};
	enum binlog_change change;
	for (unsigned type = 0; type < 300; type++) {
		if (binlog_rows_change(type, &change))
			counts[change]++;
	}
	assert_int_equal(counts[BINLOG_INSERT], 4);
	assert_int_equal(counts[BINLOG_UPDATE], 5);
	assert_int_equal(counts[BINLOG_DELETE], 4);
}

/* Two bytes; lengths of one, two, three and four bytes; and eight bytes. */
static const struct binlog_column columns[] = {
	{.length = 2}, {.prefix = 1}, {.prefix = 2}, {.prefix = 3}, {.prefix = 4}, {.length = 8}};
static const struct binlog_table table = {
	.columns = (struct binlog_column *)(uintptr_t)columns, .column_count = 6};

/* On the heap, so that a read beyond the end is seen. */
static enum rc read_image(
	struct slice present, struct slice bytes, struct slice *spans, size_t *used)
{
	uint8_t *copy = malloc(bytes.len ? bytes.len : 1);
	memcpy(copy, bytes.at, bytes.len);
	struct reader rest = reader_of(copy, bytes.len);
	enum rc rc = binlog_image_read(&table, present, &rest, spans);
	*used = (size_t)(rest.at - copy);
	for (size_t i = 0; rc == RC_OK && i < 6; i++) { /* back into what stays */
		if (spans[i].at && spans[i].at != BINLOG_ABSENT)
			spans[i].at = bytes.at + (spans[i].at - copy);
	}
	free(copy);
	return rc;
}

#define IMAGE \
	"ab\1c\2\0de\1\0\0f\0\0\0\0" \
	"12345678"

static void spans_are_found_whatever_tells_their_length(void **state)
{
	(void)state;
	struct slice spans[6];
	size_t used;
	assert_rc(read_image(SLICE("\x3f"), SLICE("\0" IMAGE "more"), spans, &used));
	assert_int_equal(used, sizeof IMAGE);
	static const char *const expected[] = {"ab", "c", "de", "f", "", "12345678"};
	for (size_t i = 0; i < 6; i++) {
		assert_non_null(spans[i].at);
		assert_slice(spans[i], expected[i]);
	}
	/* bits beyond the columns mean nothing */
	assert_rc(read_image(SLICE("\xff"), SLICE("\xc0" IMAGE), spans, &used));
	/* the second and the fifth are NULL */
	assert_rc(read_image(SLICE("\x3f"),
		SLICE("\x12"
		      "ab\2\0de\1\0\0f"
		      "12345678"),
		spans, &used));
	assert_null(spans[1].at);
	assert_null(spans[4].at);
	assert_slice(spans[5], "12345678");
}

static void absent_columns_have_no_bit_among_the_nulls(void **state)
{
	(void)state;
	struct slice spans[6];
	size_t used;
	/* first, third and sixth; the third NULL */
	assert_rc(read_image(SLICE("\x25"),
		SLICE("\2"
		      "ab"
		      "12345678"),
		spans, &used));
	assert_slice(spans[0], "ab");
	assert_ptr_equal(spans[1].at, BINLOG_ABSENT);
	assert_null(spans[2].at);
	assert_ptr_equal(spans[3].at, BINLOG_ABSENT);
	assert_ptr_equal(spans[4].at, BINLOG_ABSENT);
	assert_slice(spans[5], "12345678");
	assert_rc(read_image(SLICE("\0"), SLICE(""), spans, &used));
	for (size_t i = 0; i < 6; i++)
		assert_ptr_equal(spans[i].at, BINLOG_ABSENT);
}

static void images_that_end_early_are_refused(void **state)
{
	(void)state;
	struct slice whole = SLICE("\0" IMAGE), spans[6];
	size_t used;
	for (size_t len = 0; len < whole.len; len++) {
		assert_int_equal(read_image(SLICE("\x3f"), slice_of(whole.at, len), spans, &used),
			RC_TRUNCATED);
		assert_int_equal(used, len);
	}
	static const struct slice rows[] = {SLICE_INIT("\0ab\xff"), SLICE_INIT("\0ab\0\xff\xff"),
		SLICE_INIT("\0ab\0\0\0\xff\xff\xff"),
		SLICE_INIT("\0ab\0\0\0\0\0\0\xff\xff\xff\xff")};
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(read_image(SLICE("\x3f"), rows[i], spans, &used), RC_TRUNCATED);
	assert_int_equal(read_image(SLICE("\x3f\0"), whole, spans, &used), RC_CORRUPT);
	assert_int_equal(read_image(SLICE(""), whole, spans, &used), RC_CORRUPT);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(heads_of_both_versions_are_read),
	cmocka_unit_test(heads_that_make_no_sense_are_refused),
	cmocka_unit_test(every_type_with_rows_is_a_change),
	cmocka_unit_test(spans_are_found_whatever_tells_their_length),
	cmocka_unit_test(absent_columns_have_no_bit_among_the_nulls),
	cmocka_unit_test(images_that_end_early_are_refused),
};
UNIT_MAIN(tests)
