#include "unit.h"

#include "hub/checkpoint.c"

static uint64_t load(const char *folder, const char *consumer)
{
	uint64_t next = 0;
	struct fault fault;
	assert_rc(hub_checkpoint_load(folder, consumer, &next, &fault));
	return next;
}

static void keeps_the_last_one(void **state)
{
	(void)state;
	char *folder = unit_folder();
	struct fault fault;
	uint64_t next;
	assert_int_equal(hub_checkpoint_load(folder, "a", &next, &fault), RC_NOT_FOUND);
	for (uint64_t i = 1; i < 20; i++) {
		assert_rc(hub_checkpoint_save(folder, "a", i * 1000, &fault));
		assert_int_equal(load(folder, "a"), i * 1000);
	}
	assert_rc(hub_checkpoint_save(folder, "b", 5, &fault));
	assert_int_equal(load(folder, "a"), 19000);
	unit_folder_remove(folder);
}

/* A write that was cut, or bytes that were changed, leave the checkpoint before it. */
static void a_torn_slot_leaves_the_other(void **state)
{
	(void)state;
	char *folder = unit_folder();
	struct fault fault;
	for (uint64_t i = 1; i <= 3; i++)
		assert_rc(hub_checkpoint_save(
			folder, "a", i, &fault)); /* 3 is in slot 0, 2 in slot 1 */
	char *path = file_of(folder, "a");
	for (long at = 0; at < SLOT_BYTES; at++) {
		FILE *file = fopen(path, "r+");
		fseek(file, at, SEEK_SET);
		int byte = fgetc(file);
		fseek(file, at, SEEK_SET);
		fputc(byte ^ 0x40, file);
		fclose(file);
		assert_int_equal(load(folder, "a"), 2);
		file = fopen(path, "r+");
		fseek(file, at, SEEK_SET);
		fputc(byte, file);
		fclose(file);
		assert_int_equal(load(folder, "a"), 3);
	}
	FILE *file = fopen(path, "r+");
	fputc('x', file);
	fseek(file, SLOT_SIZE, SEEK_SET);
	fputc('x', file);
	fclose(file);
	uint64_t next;
	assert_int_equal(hub_checkpoint_load(folder, "a", &next, &fault), RC_CORRUPT);
	assert_int_equal(hub_checkpoint_save(folder, "a", 9, &fault), RC_CORRUPT);
	mem_free(path);
	unit_folder_remove(folder);
}

static enum rc collect(void *context, const char *consumer, uint64_t next, struct fault *fault)
{
	(void)fault;
	char *list = context;
	sprintf(list + strlen(list), "%s=%llu ", consumer, (unsigned long long)next);
	return RC_OK;
}

static void lists_all_consumers(void **state)
{
	(void)state;
	char *folder = unit_folder(), list[200] = "";
	struct fault fault;
	assert_rc(hub_checkpoint_list(folder, collect, list, &fault));
	assert_string_equal(list, "");
	assert_rc(hub_checkpoint_save(folder, "sink-b.1", 7, &fault));
	assert_rc(hub_checkpoint_save(folder, "sink-a", 9, &fault));
	assert_rc(hub_checkpoint_list(folder, collect, list, &fault));
	assert_string_equal(list, "sink-a=9 sink-b.1=7 ");
	unit_folder_remove(folder);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(keeps_the_last_one),
	cmocka_unit_test(a_torn_slot_leaves_the_other),
	cmocka_unit_test(lists_all_consumers),
};
UNIT_MAIN(tests)
