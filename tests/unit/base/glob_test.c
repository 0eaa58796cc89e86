#include "unit.h"

#include "base/glob.c"

static bool match(const char *pattern, const char *text)
{
	return glob_match(slice_text(pattern), slice_text(text));
}

static bool match_table(const char *pattern, const char *database, const char *table)
{
	return glob_match_table(slice_text(pattern), slice_text(database), slice_text(table));
}

static void matches_names(void **state)
{
	(void)state;
	assert_true(match("*", ""));
	assert_true(match("a*c", "abbbc"));
	assert_true(match("a*b*c", "axxbyyc"));
	assert_false(match("a*b*c", "axxyyc"));
	assert_true(match("?", "x"));
	assert_false(match("?", ""));
	assert_false(match("", "x"));
	assert_true(match("a\\*b", "a*b"));
	assert_false(match("a\\*b", "axb"));
	assert_true(match("*\\?", "what?"));
	assert_false(match("Ads", "ads"));
}

static void matches_tables(void **state)
{
	(void)state;
	assert_true(match_table("ads.*", "ads", "listings"));
	assert_true(match_table("ads", "ads", "listings"));
	assert_true(match_table("*", "any", "thing"));
	assert_false(match_table("ads.list", "ads", "listings"));
	assert_true(match_table("a\\.b.c", "a.b", "c"));
	assert_true(match_table("a.b.c", "a", "b.c"));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(matches_names),
	cmocka_unit_test(matches_tables),
};
UNIT_MAIN(tests)
