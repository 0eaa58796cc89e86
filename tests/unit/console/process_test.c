#include "unit.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "console/process.c"

/* Another file of the kernel's than the one that is read. */
static double resident_bytes(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[200];
	double kib = 0;
	while (fgets(line, sizeof line, file))
		(void)sscanf(line, "VmRSS: %lf kB", &kib);
	fclose(file);
	return kib * 1024;
}

static void agrees_with_the_kernel(void **state)
{
	(void)state;
	/* some memory and some processor time */
	size_t size = 64 << 20;
	char *memory = malloc(size);
	for (int round = 0; round < 20; round++) {
		memset(memory, round, size);
		__asm__ volatile("" ::"r"(memory) : "memory"); /* it is not optimised away */
	}
	struct process process;
	process_read(&process);
	double resident = resident_bytes();
	assert_true((double)process.resident_bytes > resident * 0.9);
	assert_true((double)process.resident_bytes < resident * 1.1);
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	double cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	assert_true(process.cpu_s > cpu_s - 0.1 && process.cpu_s < cpu_s + 0.1);
	assert_true(process.cpu_s > 0);
	free(memory);
}

/* The start of a child is known from outside. */
static void knows_when_it_started(void **state)
{
	(void)state;
	double before_s = (double)clock_wall_us() / 1e6;
	pid_t child = fork();
	if (child == 0) {
		double after_s = (double)clock_wall_us() / 1e6;
		clock_sleep_us(300000);
		struct process process;
		process_read(&process);
		_exit(process.start_s > before_s - 0.1 && process.start_s < after_s + 0.1 ? 0 : 1);
	}
	int status = -1;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
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
	cmocka_unit_test(agrees_with_the_kernel),
	cmocka_unit_test(knows_when_it_started),
	cmocka_unit_test(counts_open_files),
	cmocka_unit_test(reads_fields_behind_a_name_with_blanks),
};
UNIT_MAIN(tests)
