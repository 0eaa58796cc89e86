#include "unit.h"

#include "base/disk.c"

static void sizes_are_those_of_the_file(void **state)
{
	(void)state;
	char *folder = unit_folder(), path[200];
	snprintf(path, sizeof path, "%s/file", folder);
	uint64_t size = 7;
	struct fault fault;
	assert_int_equal(disk_size(path, &size, &fault), RC_NOT_FOUND);
	assert_non_null(strstr(fault.text, path));
	assert_int_equal(size, 7);
	assert_rc(disk_replace(path, SLICE("12345"), &fault));
	assert_rc(disk_size(path, &size, &fault));
	assert_int_equal(size, 5);
	int fd = -1;
	assert_rc(disk_open(path, O_RDWR, &fd, &fault));
	assert_rc(disk_allocate(fd, path, 0, 1 << 20, &fault));
	assert_rc(disk_size(path, &size, &fault));
	assert_int_equal(size, 1 << 20);
	disk_close(fd);
	unit_folder_remove(folder);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(sizes_are_those_of_the_file),
};
UNIT_MAIN(tests)
