#include "unit.h"

#include <fcntl.h>

#include "console/process.c"

static double asked_of_ps(const char *what)
{
	char command[100];
	snprintf(command, sizeof command, "ps -o %s= -p %d", what, (int)getpid());
	FILE *pipe = popen(command, "r");
	double number = 0;
	assert_int_equal(fscanf(pipe, "%lf", &number), 1);
	pclose(pipe);
	return number;
}

static void agrees_with_ps(void **state)
{
	(void)state;
	/* some memory and some processor time */
	size_t size = 64 << 20;
	char *memory = malloc(size);
	for (int round = 0; round < 20; round++)
		memset(memory, round, size);
	struct process process;
	process_read(&process);
	double resident = asked_of_ps("rss") * 1024;
	assert_true((double)process.resident_bytes > resident * 0.9);
	assert_true((double)process.resident_bytes < resident * 1.1);
	double age_s = (double)clock_wall_us() / 1e6 - process.start_s;
	double expected_s = asked_of_ps("etimes");
	assert_true(age_s > expected_s - 2 && age_s < expected_s + 2);
	assert_true(process.cpu_s > 0.01 && process.cpu_s < age_s + 1);
	free(memory);
}

static void counts_open_files(void **state)
{
	(void)state;
	struct process before, after;
	process_read(&before);
	int fds[10];
	for (int i = 0; i < 10; i++)
		fds[i] = open("/dev/null", O_RDONLY);
	process_read(&after);
	for (int i = 0; i < 10; i++)
		close(fds[i]);
	assert_int_equal(after.open_files, before.open_files + 10);
	assert_true(before.open_files >= 3 && before.open_files < 30);
	assert_true(after.most_files >= 64);
}

static void reads_fields_behind_a_name_with_blanks(void **state)
{
	(void)state;
	char *folder = unit_folder();
	char path[100];
	snprintf(path, sizeof path, "%s/stat", folder);
	FILE *file = fopen(path, "w");
	fputs("42 (a b) c) S 7 8 9.5\n", file);
	fclose(file);
	assert_true(field_of(path, 2) == 7);
	assert_true(field_of(path, 4) == 9.5);
	assert_true(field_of(path, 5) == 0);
	assert_true(field_of("/no/such/file", 1) == 0);
	unit_folder_remove(folder);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(agrees_with_ps),
	cmocka_unit_test(counts_open_files),
	cmocka_unit_test(reads_fields_behind_a_name_with_blanks),
};
UNIT_MAIN(tests)
