#include "unit.h"

#include "mysql/json_binary.c"

enum { TEXT_MAX = 32 << 20 };

static void assert_json(struct slice binary, const char *expected)
{
	struct buf out = buf_of(TEXT_MAX);
	assert_rc(json_binary_text(binary, &out));
	assert_string_equal(buf_cstring(&out), expected);
	buf_release(&out);
}

static void assert_corrupt(struct slice binary)
{
	/* on the heap, so that a read beyond the end is seen */
	uint8_t *bytes = malloc(binary.len ? binary.len : 1);
	struct buf out = buf_of(TEXT_MAX);
	memcpy(bytes, binary.at, binary.len);
	enum rc rc = json_binary_text(slice_of(bytes, binary.len), &out);
	if (rc != RC_CORRUPT)
		fail_msg("%zu bytes are read as %s", binary.len, buf_cstring(&out));
	buf_release(&out);
	free(bytes);
}

static void nothing_is_null(void **state)
{
	(void)state;
	assert_json(SLICE(""), "null");
	assert_json(SLICE("\4\0"), "null");
}

/* What no statement makes easily: large containers, whose small numbers stand in the entry. */
static void large_containers_have_wide_entries(void **state)
{
	(void)state;
	assert_json(SLICE("\3\2\0\0\0\x12\0\0\0\7\xfe\xff\xff\xff\x08\xff\xff\xff\xff"),
		"[-2,4294967295]");
	assert_json(SLICE("\1\1\0\0\0\x14\0\0\0\x13\0\0\0\1\0\5\xff\xff\0\0k"), "{\"k\":-1}");
	assert_json(SLICE("\0\0\0\4\0"), "{}");
}

static void every_length_and_offset_is_checked(void **state)
{
	(void)state;
	static const struct slice rows[] = {
		SLICE_INIT("\4"),
		SLICE_INIT("\4\3"),
		SLICE_INIT("\5\0"),
		SLICE_INIT("\6\0"),
		SLICE_INIT("\7\0\0\0"),
		SLICE_INIT("\x0a\0\0\0\0\0\0\0"),
		SLICE_INIT("\x0b\0\0\0\0\0\0\xf0\x7f"), /* infinite */
		SLICE_INIT("\x0b\0\0\0\0\0\0\xf8\x7f"), /* not a number */
		SLICE_INIT("\x0c"),
		SLICE_INIT("\x0c\2a"),
		SLICE_INIT("\x0c\x80"),
		SLICE_INIT("\x0c\xff\xff\xff\xff\xff"),
		SLICE_INIT("\x0c\xff\xff\xff\xff\x0f"),
		SLICE_INIT("\x0c\1\xff"), /* not UTF-8 */
		SLICE_INIT("\x0d\0"),
		SLICE_INIT("\x0e\0"),
		SLICE_INIT("\x10\0"),
		SLICE_INIT("\xff"),
		SLICE_INIT("\x0f"),
		SLICE_INIT("\x0f\xf6"),
		SLICE_INIT("\x0f\xf6\2\5\2"),
		SLICE_INIT("\x0f\xf6\4\0\0\0\0"),
		SLICE_INIT("\x0f\xf6\3\1\0\x8a"),
		SLICE_INIT("\x0f\x0c\7\0\0\0\0\0\0\0"),
		SLICE_INIT("\x0f\x0c\x08\xff\xff\xff\xff\xff\xff\xff\xff"),
		SLICE_INIT("\x0f\x0b\x08\0\0\0\0\0\0\0\x80"),
		/* arrays: no header, no entries, size beyond the end, offset beyond the end, offset
		 * into its own entries, literal that is none */
		SLICE_INIT("\2"),
		SLICE_INIT("\2\1\0"),
		SLICE_INIT("\2\1\0\4\0"),
		SLICE_INIT("\2\0\0\5\0"),
		SLICE_INIT("\2\1\0\7\0\x0c\7\0"),
		SLICE_INIT("\2\1\0\7\0\2\0\0"),
		SLICE_INIT("\2\1\0\7\0\2\4\0"),
		SLICE_INIT("\2\1\0\7\0\4\3\0"),
		SLICE_INIT("\2\xff\xff\xff\xff"),
		SLICE_INIT("\3\xff\xff\xff\xff\xff\xff\xff\xff"),
		/* objects: no entries, key beyond the end, key that is no UTF-8 */
		SLICE_INIT("\0\1\0\4\0"),
		SLICE_INIT("\0\1\0\x0b\0\xff\xff\1\0\4\0\0"),
		SLICE_INIT("\0\1\0\x0b\0\x0b\0\1\0\4\0\0"),
		SLICE_INIT("\0\1\0\x0c\0\x0b\0\1\0\4\0\0\xff"),
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_corrupt(rows[i]);
}

/* Arrays of two that hold the same array twice, 40 deep: 2^40 values in a few hundred bytes. */
static void overlapping_parts_do_not_explode(void **state)
{
	(void)state;
	enum { LEVELS = 40, EACH = 10 };
	uint8_t bytes[1 + LEVELS * EACH + 4] = {JSON_SMALL_ARRAY};
	for (unsigned i = 0; i < LEVELS; i++) {
		uint8_t *at = bytes + 1 + i * EACH;
		store_u16le(at, 2);
		store_u16le(at + 2, (uint16_t)(sizeof bytes - 1 - i * EACH));
		at[4] = at[7] = JSON_SMALL_ARRAY;
		store_u16le(at + 5, EACH);
		store_u16le(at + 8, EACH);
	}
	store_u16le(bytes + 1 + LEVELS * EACH, 0);
	store_u16le(bytes + 3 + LEVELS * EACH, 4);
	assert_corrupt(slice_of(bytes, sizeof bytes));
}

static void nesting_is_limited(void **state)
{
	(void)state;
	enum { EACH = 7 };
	static uint8_t bytes[1 + (DEPTH_MAX + 1) * EACH + 4];
	for (unsigned levels = DEPTH_MAX - 1; levels <= DEPTH_MAX; levels++) {
		size_t size = 1 + levels * EACH + 4;
		memset(bytes, 0, sizeof bytes);
		bytes[0] = JSON_SMALL_ARRAY;
		for (unsigned i = 0; i < levels; i++) {
			uint8_t *at = bytes + 1 + i * EACH;
			store_u16le(at, 1);
			store_u16le(at + 2, (uint16_t)(size - 1 - i * EACH));
			at[4] = JSON_SMALL_ARRAY;
			store_u16le(at + 5, EACH);
		}
		store_u16le(bytes + 3 + levels * EACH, 4);
		struct buf out = buf_of(TEXT_MAX);
		enum rc rc = json_binary_text(slice_of(bytes, size), &out);
		assert_int_equal(rc, levels < DEPTH_MAX ? RC_OK : RC_CORRUPT);
		if (rc == RC_OK)
			assert_int_equal(out.len, 2 * (levels + 1));
		buf_release(&out);
	}
}

/* Strings are written in pieces: a character must not be cut in two. */
static void long_strings_are_cut_between_characters(void **state)
{
	(void)state;
	for (size_t shift = 0; shift < 4; shift++) {
		struct buf text = buf_of(TEXT_MAX), binary = buf_of(TEXT_MAX),
			   out = buf_of(TEXT_MAX);
		for (size_t i = 0; i < shift; i++)
			buf_u8(&text, 'a');
		while (text.len < 3 * PIECE)
			buf_text(&text, "\xf0\x9f\x98\x80\xc3\xbc");
		buf_u8(&binary, JSON_STRING);
		buf_varint(&binary, text.len);
		buf_slice(&binary, buf_as_slice(&text));
		assert_rc(json_binary_text(buf_as_slice(&binary), &out));
		assert_int_equal(out.len, text.len + 2);
		assert_memory_equal(out.at + 1, text.at, text.len);
		buf_release(&text);
		buf_release(&binary);
		buf_release(&out);
	}
}

static void the_buffers_limit_is_kept(void **state)
{
	(void)state;
	struct buf out = buf_of(4);
	assert_int_equal(json_binary_text(SLICE("\x0c\5abcde"), &out), RC_LIMIT);
	buf_release(&out);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(nothing_is_null),
	cmocka_unit_test(large_containers_have_wide_entries),
	cmocka_unit_test(every_length_and_offset_is_checked),
	cmocka_unit_test(overlapping_parts_do_not_explode),
	cmocka_unit_test(nesting_is_limited),
	cmocka_unit_test(long_strings_are_cut_between_characters),
	cmocka_unit_test(the_buffers_limit_is_kept),
};
UNIT_MAIN(tests)
