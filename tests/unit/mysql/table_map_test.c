#include "mysql/capture.h"

#include "mysql/table_map.c"

/* In front of the optional metadata a cut is seen at once, inside of it when it is read; between
 * two of its fields it is none. */
static void cut_map(struct slice body, bool is_mariadb)
{
	struct binlog_table_map map;
	assert_rc(binlog_table_map_read(body, &map));
	size_t needed = body.len - map.optional.len;
	for (size_t len = 0; len < needed; len++)
		assert_int_equal(binlog_table_map_read(slice_of(body.at, len), &map), RC_TRUNCATED);
	for (size_t len = needed; len < body.len; len++) {
		struct map_facts facts;
		assert_rc(binlog_table_map_read(slice_of(body.at, len), &map));
		enum rc rc = map_facts_read(&map, is_mariadb, &facts, NULL);
		if (rc == RC_OK)
			map_facts_release(&facts);
		else
			assert_int_equal(rc, RC_CORRUPT);
	}
}

static void every_cut_of_a_map_is_refused(void **state)
{
	(void)state;
	static const char *const files[] = {"mysql9-full", "mariadb10-full", "mariadb10-none"};
	for (size_t i = 0; i < 3; i++) {
		struct capture capture = capture_open(files[i]);
		struct binlog_event event;
		while (capture_next(&capture, &event)) {
			if (event.type == BINLOG_TABLE_MAP)
				cut_map(event.body, capture.format.is_mariadb);
		}
		capture_close(&capture);
	}
}

static void heads_that_make_no_sense_are_refused(void **state)
{
	(void)state;
	struct binlog_table_map map;
	static const struct slice rows[] = {
		SLICE_INIT("\1\0\0\0\0\0\1\0\1d_\1t\0\1\3\0\1"), /* no NUL behind the database */
		SLICE_INIT("\1\0\0\0\0\0\1\0\1d\0\1t_\1\3\0\1"),
		SLICE_INIT("\1\0\0\0\0\0\1\0\1d\0\1t\0\0\0"),         /* no columns */
		SLICE_INIT("\1\0\0\0\0\0\1\0\1d\0\1t\0\xfc\1\x10\0"), /* 4097 columns */
		SLICE_INIT("\1\0\0\0\0\0\1\0\1d\0\1t\0\xfe\xff\xff\xff\xff\xff\xff\xff\xff\0"),
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(binlog_table_map_read(rows[i], &map), RC_CORRUPT);
	assert_int_equal(binlog_table_map_read(SLICE("\1\0\0\0\0\0\1\0\1d\0\1t\0\xfb\3\0\1"), &map),
		RC_TRUNCATED);
	assert_rc(binlog_table_map_read(SLICE("\1\2\3\4\5\6\1\0\1d\0\1t\0\1\3\0\1"), &map));
	assert_int_equal(map.table_id, 0x060504030201);
	assert_slice(map.database, "d");
	assert_slice(map.name, "t");
	assert_int_equal(map.column_count, 1);
}

/* Facts of a map with these columns, all of them nullable. */
static enum rc facts_of(struct slice types, struct slice metas, struct slice optional,
	bool is_mariadb, struct map_facts *ret_facts, struct fault *fault)
{
	static const uint8_t nullable[16] = {255, 255, 255, 255};
	struct binlog_table_map map = {.column_count = types.len,
		.types = types,
		.metas = metas,
		.nullable = slice_of(nullable, (types.len + 7) / 8),
		.optional = optional};
	return map_facts_read(&map, is_mariadb, ret_facts, fault);
}

static void metadata_that_a_type_cannot_have_is_refused(void **state)
{
	(void)state;
	static const struct {
		struct slice types, metas;
		enum rc rc;
	} rows[] = {
		{SLICE_INIT("\4"), SLICE_INIT("\x08"), RC_CORRUPT},
		{SLICE_INIT("\5"), SLICE_INIT("\4"), RC_CORRUPT},
		{SLICE_INIT("\x10"), SLICE_INIT("\x08\0"), RC_CORRUPT},
		{SLICE_INIT("\x10"), SLICE_INIT("\0\0"), RC_CORRUPT},
		{SLICE_INIT("\x10"), SLICE_INIT("\1\x08"), RC_CORRUPT},
		{SLICE_INIT("\x10"), SLICE_INIT("\0\x08"), RC_OK},
		{SLICE_INIT("\x12"), SLICE_INIT("\7"), RC_CORRUPT},
		{SLICE_INIT("\xf6"), SLICE_INIT("\0\0"), RC_CORRUPT},
		{SLICE_INIT("\xf6"), SLICE_INIT("\x42\0"), RC_CORRUPT},
		{SLICE_INIT("\xf6"), SLICE_INIT("\5\6"), RC_CORRUPT},
		{SLICE_INIT("\xf6"), SLICE_INIT("\x41\x1e"), RC_OK},
		{SLICE_INIT("\xfc"), SLICE_INIT("\5"), RC_CORRUPT},
		{SLICE_INIT("\xfc"), SLICE_INIT("\0"), RC_CORRUPT},
		{SLICE_INIT("\xfe"), SLICE_INIT("\xf7\3"), RC_CORRUPT},
		{SLICE_INIT("\xfe"), SLICE_INIT("\xf8\x09"), RC_CORRUPT},
		{SLICE_INIT("\xfe"), SLICE_INIT("\xf8\0"), RC_CORRUPT},
		{SLICE_INIT("\xfe"), SLICE_INIT("\x3f\1"), RC_CORRUPT}, /* another type behind it */
		{SLICE_INIT("\xfe"), SLICE_INIT("\xfe"), RC_CORRUPT},   /* too few */
		{SLICE_INIT("\3"), SLICE_INIT("\1"), RC_CORRUPT},       /* too many */
		{SLICE_INIT("\3\x14"), SLICE_INIT(""), RC_UNSUPPORTED}, /* typed array */
		{SLICE_INIT("\0"), SLICE_INIT(""), RC_UNSUPPORTED},
		{SLICE_INIT("\x63"), SLICE_INIT(""), RC_UNSUPPORTED},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct map_facts facts;
		struct fault fault;
		enum rc rc =
			facts_of(rows[i].types, rows[i].metas, SLICE(""), false, &facts, &fault);
		assert_int_equal(rc, rows[i].rc);
		if (rc == RC_OK)
			map_facts_release(&facts);
	}
	struct map_facts facts;
	struct fault fault;
	assert_int_equal(
		facts_of(SLICE("\3\x14"), SLICE(""), SLICE("\4\4\1a\1b"), false, &facts, &fault),
		RC_UNSUPPORTED);
	assert_string_equal(fault.text, "column 2 b: this version does not decode the type 20");
}

static void character_sets_are_a_default_with_exceptions_or_a_list(void **state)
{
	(void)state;
	/* an INT between four VARCHARs; latin1 but the second (binary) and the fourth (255) */
	struct slice types = SLICE("\x0f\3\x0f\x0f\x0f"), metas = SLICE("\1\0\1\0\1\0\1\0");
	static const unsigned expected[] = {8, 0, 63, 8, 255};
	static const struct slice fields[] = {
		SLICE_INIT("\2\7\x08\1\x3f\3\xfc\xff\0"), SLICE_INIT("\3\6\x08\x3f\x08\xfc\xff\0")};
	for (size_t k = 0; k < 2; k++) {
		struct map_facts facts;
		assert_rc(facts_of(types, metas, fields[k], false, &facts, NULL));
		for (size_t i = 0; i < 5; i++)
			assert_int_equal(facts.columns[i].collation, expected[i]);
		map_facts_release(&facts);
	}
	static const struct slice bad[] = {SLICE_INIT("\2\1\x08\1"), SLICE_INIT("\2\3\x08\4\x3f"),
		SLICE_INIT("\2\5\x08\2\x3f\1\x3f"), SLICE_INIT("\2\0"),
		SLICE_INIT("\3\3\x08\x08\x08"), SLICE_INIT("\3\5\x08\x08\x08\x08\x08"),
		SLICE_INIT("\2\2\x08\1")};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct map_facts facts;
		assert_int_equal(facts_of(types, metas, bad[i], false, &facts, NULL), RC_CORRUPT);
	}
}

/* GEOMETRY counts among the character columns of MariaDB, VECTOR among those of MySQL. */
static void products_count_character_columns_differently(void **state)
{
	(void)state;
	struct map_facts facts;
	assert_rc(facts_of(
		SLICE("\xff\x0f"), SLICE("\4\1\0"), SLICE("\3\2\x3f\x08"), true, &facts, NULL));
	assert_int_equal(facts.columns[1].collation, 8);
	map_facts_release(&facts);
	assert_rc(facts_of(
		SLICE("\xff\x0f"), SLICE("\4\1\0"), SLICE("\3\1\x08"), false, &facts, NULL));
	assert_int_equal(facts.columns[1].collation, 8);
	map_facts_release(&facts);
	assert_int_equal(
		facts_of(SLICE("\xff\x0f"), SLICE("\4\1\0"), SLICE("\3\1\x08"), true, &facts, NULL),
		RC_CORRUPT);
	assert_rc(facts_of(
		SLICE("\xf2\x0f"), SLICE("\4\1\0"), SLICE("\3\2\x3f\x08"), false, &facts, NULL));
	assert_int_equal(facts.columns[1].collation, 8);
	map_facts_release(&facts);
}

static void signedness_must_fit_the_numeric_columns(void **state)
{
	(void)state;
	struct map_facts facts;
	/* INT, VARCHAR, BIGINT, DECIMAL, BIT, and six more of INT */
	struct slice types = SLICE("\3\x0f\x08\xf6\x10\3\3\3\3\3\3");
	struct slice metas = SLICE("\1\0\5\2\1\0");
	assert_rc(facts_of(types, metas, SLICE("\1\2\xa1\x80"), true, &facts, NULL));
	static const enum fact_sign expected[] = {SIGN_UNSIGNED, SIGN_UNTOLD, SIGN_SIGNED,
		SIGN_UNSIGNED, SIGN_UNTOLD, SIGN_SIGNED, SIGN_SIGNED, SIGN_SIGNED, SIGN_SIGNED,
		SIGN_UNSIGNED, SIGN_UNSIGNED};
	for (size_t i = 0; i < 11; i++)
		assert_int_equal(facts.columns[i].sign, expected[i]);
	assert_null(facts.other_signs);
	map_facts_release(&facts);
	static const struct slice bad[] = {SLICE_INIT("\1\1\xa1"), SLICE_INIT("\1\3\xa1\x80\0"),
		SLICE_INIT("\1\2\xa1\x81"), SLICE_INIT("\1\0")};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(facts_of(types, metas, bad[i], true, &facts, NULL), RC_CORRUPT);
	/* MariaDB's YEAR has a bit, and it is set */
	assert_int_equal(
		facts_of(SLICE("\x0d\3"), SLICE(""), SLICE("\1\1\x40"), true, &facts, NULL),
		RC_CORRUPT);
}

static void names_members_and_unknown_fields(void **state)
{
	(void)state;
	struct map_facts facts;
	struct slice types = SLICE("\xfe\xfe"), metas = SLICE("\xf7\1\xf8\1");
	assert_rc(facts_of(types, metas,
		SLICE("\x63\2zz\4\4\1a\1b\6\5\2\1x\1y\5\3\1\1z\x0a\1\x08\x09\0"), false, &facts,
		NULL));
	assert_true(facts.has_names && facts.has_key && facts.key_has_prefixes);
	assert_slice(facts.columns[1].name, "b");
	assert_int_equal(facts.columns[0].member_count, 2);
	assert_slice(facts.columns[1].members, "\1z");
	assert_int_equal(facts.columns[0].collation, 8);
	map_facts_release(&facts);
	static const struct slice bad[] = {SLICE_INIT("\4\2\1a"), SLICE_INIT("\4\5\1a\1b\0"),
		SLICE_INIT("\6\4\2\1x\1"), SLICE_INIT("\6\3\1\1x\0"), SLICE_INIT("\6\0"),
		SLICE_INIT("\4\xff"), SLICE_INIT("\4"), SLICE_INIT("\4\xfe\xff"),
		SLICE_INIT("\6\x09\xfe\xff\xff\xff\xff\xff\xff\xff\xff")};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(facts_of(types, metas, bad[i], false, &facts, NULL), RC_CORRUPT);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_cut_of_a_map_is_refused),
	cmocka_unit_test(heads_that_make_no_sense_are_refused),
	cmocka_unit_test(metadata_that_a_type_cannot_have_is_refused),
	cmocka_unit_test(character_sets_are_a_default_with_exceptions_or_a_list),
	cmocka_unit_test(products_count_character_columns_differently),
	cmocka_unit_test(signedness_must_fit_the_numeric_columns),
	cmocka_unit_test(names_members_and_unknown_fields),
};
UNIT_MAIN(tests)
