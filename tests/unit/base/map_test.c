#include "unit.h"

#include "base/map.c"

/* Random puts and removes against an array. */
static void agrees_with_an_array(void **state)
{
	(void)state;
	enum { KEYS = 300 };
	static char values[KEYS];
	bool there[KEYS] = {false};
	struct map map = {0};
	unsigned seed = 3;
	for (int round = 0; round < 20000; round++) {
		int which = rand_r(&seed) % KEYS;
		char name[16];
		struct slice key =
			slice_of(name, (size_t)snprintf(name, sizeof name, "key%d", which));
		void *expected = there[which] ? &values[which] : NULL;
		assert_ptr_equal(map_get(&map, key), expected);
		if (rand_r(&seed) % 2)
			assert_ptr_equal(map_put(&map, key, &values[which]), expected);
		else
			assert_ptr_equal(map_remove(&map, key), expected);
		there[which] = map_get(&map, key) != NULL;
	}
	size_t count = 0, place = 0;
	while (map_next(&map, &place))
		count++;
	for (int i = 0; i < KEYS; i++)
		count -= there[i];
	assert_int_equal(count, 0);
	map_release(&map, NULL);
}

static void takes_any_bytes(void **state)
{
	(void)state;
	struct map map = {0};
	int one, two;
	assert_null(map_get(&map, SLICE("")));
	assert_null(map_put(&map, SLICE(""), &one));
	assert_null(map_put(&map, SLICE("\0a"), &two));
	assert_ptr_equal(map_get(&map, SLICE("")), &one);
	assert_ptr_equal(map_get(&map, SLICE("\0a")), &two);
	assert_null(map_get(&map, SLICE("\0b")));
	map_release(&map, NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(agrees_with_an_array),
	cmocka_unit_test(takes_any_bytes),
};
UNIT_MAIN(tests)
