#include "sinks/keyset.c"
#include "unit.h"

static uint64_t hash_of(uint64_t i)
{
	return i * UINT64_C(0x9e3779b97f4a7c15);
}

static void has_what_was_added(void **state)
{
	(void)state;
	struct keyset set = keyset_of(1000);
	assert_false(keyset_may_have(&set, 0));
	for (uint64_t i = 0; i < 1000; i++) {
		keyset_add(&set, hash_of(i));
		keyset_add(&set, hash_of(i));
	}
	assert_int_equal(set.count, 1000);
	assert_false(set.overflow);
	for (uint64_t i = 0; i < 1000; i++)
		assert_true(keyset_may_have(&set, hash_of(i)));
	unsigned wrong = 0;
	for (uint64_t i = 1000; i < 10000; i++)
		wrong += keyset_may_have(&set, hash_of(i));
	assert_int_equal(wrong, 0);
	keyset_release(&set);
	assert_false(keyset_may_have(&set, hash_of(1)));
	keyset_release(&set);
}

static void overflows_into_everything(void **state)
{
	(void)state;
	struct keyset set = keyset_of(10);
	for (uint64_t i = 0; i < 11; i++)
		keyset_add(&set, hash_of(i + 1));
	assert_true(set.overflow);
	assert_null(set.slots);
	assert_true(keyset_may_have(&set, hash_of(77)));
	keyset_add(&set, 5);
	keyset_release(&set);
	assert_false(keyset_may_have(&set, hash_of(77)));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(has_what_was_added),
	cmocka_unit_test(overflows_into_everything),
};
UNIT_MAIN(tests)
