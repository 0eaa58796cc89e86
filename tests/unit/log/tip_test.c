#include "unit.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "log_tools.h"

#include "log/tip.c"

static void a_tip_is_made_and_kept(void **state)
{
	(void)state;
	char *folder = unit_folder();
	struct tip tip = {0}, reader = {0};
	struct tip_state found;
	struct fault fault;
	assert_int_equal(tip_open_read(folder, &reader, &fault), RC_NOT_FOUND);
	assert_rc(tip_open(folder, &tip, &found, &fault));
	assert_true(found.is_valid && found.address == 0);
	assert_rc(tip_open_read(folder, &reader, &fault));
	uint32_t seen = tip_changes(&reader);
	tip_publish(&tip, 4711, 99);
	assert_int_equal(tip_address(&reader), 4711);
	assert_int_not_equal(tip_changes(&reader), seen);
	tip_close(&tip);
	assert_rc(tip_open(folder, &tip, &found, &fault));
	assert_true(found.is_valid && found.address == 4711 && found.born_us == 99);
	tip_publish(&tip, 4712, 99); /* the same file: who has it mapped sees it */
	assert_int_equal(tip_address(&reader), 4712);
	tip_close(&tip);
	tip_close(&reader);
	tip_close(&reader);
	unit_folder_remove(folder);
}

static void a_torn_page_is_no_bound(void **state)
{
	(void)state;
	char *folder = unit_folder();
	struct tip tip = {0};
	struct tip_state found;
	struct fault fault;
	assert_rc(tip_open(folder, &tip, &found, &fault));
	tip_publish(&tip, 4711, 99);
	atomic_store(&tip.page->address, 4712); /* as if killed between the two */
	tip_close(&tip);
	assert_rc(tip_open(folder, &tip, &found, &fault));
	assert_false(found.is_valid);
	tip_close(&tip);
	unit_folder_remove(folder);
}

static void a_file_that_is_too_short_is_not_mapped(void **state)
{
	(void)state;
	char *folder = unit_folder(), path[300];
	snprintf(path, sizeof path, "%s/tip", folder);
	tool_store(path, "MSLOGTIP\1\0\0\0", 12);
	struct tip tip = {0};
	struct tip_state found;
	struct fault fault;
	assert_int_equal(tip_open_read(folder, &tip, &fault), RC_TRUNCATED);
	assert_true(fault.hint[0]);
	assert_rc(tip_open(folder, &tip, &found, &fault));
	assert_true(found.is_valid && found.address == 0);
	tip_close(&tip);
	unit_folder_remove(folder);
}

/* Readers may have no right to write: the mapping is read-only, and waiting on it must do. */
static void waiting_needs_no_right_to_write(void **state)
{
	(void)state;
	char *folder = unit_folder();
	struct tip tip = {0}, reader = {0};
	struct tip_state found;
	struct fault fault;
	assert_rc(tip_open(folder, &tip, &found, &fault));
	assert_rc(tip_open_read(folder, &reader, &fault));
	uint32_t seen = tip_changes(&reader);
	pid_t child = fork();
	if (child == 0) {
		usleep(50000);
		tip_publish(&tip, 1, 1);
		_exit(0);
	}
	int64_t start_us = clock_monotonic_us();
	tip_wait(&reader, seen, 20 * 1000 * 1000);
	int64_t waited_us = clock_monotonic_us() - start_us;
	assert_true(waited_us > 30000 && waited_us < 10000000);
	assert_int_equal(tip_address(&reader), 1);
	assert_int_equal(waitpid(child, NULL, 0), child);
	start_us = clock_monotonic_us();
	tip_wait(&reader, seen, 20 * 1000 * 1000);      /* already another number: no sleep */
	tip_wait(&reader, tip_changes(&reader), 20000); /* and one that times out */
	waited_us = clock_monotonic_us() - start_us;
	assert_true(waited_us >= 20000 && waited_us < 10000000);
	tip_close(&tip);
	tip_close(&reader);
	unit_folder_remove(folder);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_tip_is_made_and_kept),
	cmocka_unit_test(a_torn_page_is_no_bound),
	cmocka_unit_test(a_file_that_is_too_short_is_not_mapped),
	cmocka_unit_test(waiting_needs_no_right_to_write),
};
UNIT_MAIN(tests)
