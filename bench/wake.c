/* Writes, syncs and wakes: the limit that `./dev bench latency` prints.
 *
 *   wake FILE SIZE RATE COUNT
 *
 * At fixed times one process writes SIZE bytes behind those before, into a file that is allocated,
 * syncs them, and wakes another process that waits on a futex in memory that they share. Prints a
 * line for each: the nanoseconds from before the write to when the other process runs. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COUNT_MAX = 1 << 20, SIZE_MAX_BYTES = 1 << 20 };
#define NS INT64_C(1000000000)

struct shared {
	_Atomic uint32_t done;
	int64_t start[COUNT_MAX], woken[COUNT_MAX];
};

static int64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * NS + time.tv_nsec;
}

static void sleep_until(int64_t at)
{
	struct timespec time = {.tv_sec = at / NS, .tv_nsec = at % NS};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) != 0)
		continue;
}

static int complain(const char *what)
{
	fprintf(stderr, "wake: %s: %s\n", what, strerror(errno));
	return 1;
}

static void wait_for_all(struct shared *shared, uint32_t count)
{
	uint32_t seen = 0;
	while (seen < count) {
		uint32_t done = atomic_load(&shared->done);
		if (done == seen) {
			(void)syscall(SYS_futex, &shared->done, FUTEX_WAIT, seen, NULL, NULL, 0);
			continue;
		}
		for (int64_t at = now(); seen < done; seen++)
			shared->woken[seen] = at;
	}
}

static int write_all(struct shared *shared, int fd, const char *bytes, size_t size,
	int64_t interval, uint32_t count)
{
	int64_t start = now() + NS / 10;
	for (uint32_t i = 0; i < count; i++) {
		sleep_until(start + (int64_t)i * interval);
		shared->start[i] = now();
		if (pwrite(fd, bytes, size, (off_t)((size_t)i * size)) != (ssize_t)size ||
			fdatasync(fd) != 0)
			return complain("write");
		atomic_store(&shared->done, i + 1);
		(void)syscall(SYS_futex, &shared->done, FUTEX_WAKE, 1, NULL, NULL, 0);
	}
	return 0;
}

int main(int words, char **word)
{
	static char bytes[SIZE_MAX_BYTES];
	if (words != 5) {
		fprintf(stderr, "usage: wake FILE SIZE RATE COUNT\n");
		return 2;
	}
	size_t size = strtoull(word[2], NULL, 10);
	int64_t interval = NS / strtol(word[3], NULL, 10);
	uint32_t count = (uint32_t)strtoul(word[4], NULL, 10);
	struct shared *shared = mmap(
		NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = open(word[1], O_RDWR | O_CREAT | O_EXCL, 0600);
	if (shared == MAP_FAILED || fd < 0 || size > sizeof bytes || count > COUNT_MAX)
		return complain(word[1]);
	if (posix_fallocate(fd, 0, (off_t)(size * count)) != 0 || fsync(fd) != 0)
		return complain("allocate");
	memset(bytes, 'x', size);
	pid_t sleeper = fork();
	if (sleeper == 0) {
		wait_for_all(shared, count);
		_exit(0);
	}
	if (sleeper < 0)
		return complain("fork");
	int status = write_all(shared, fd, bytes, size, interval, count);
	if (status != 0)
		(void)kill(sleeper, SIGKILL);
	if (waitpid(sleeper, &status, 0) != sleeper || status != 0)
		return 1;
	for (uint32_t i = 0; i < count; i++)
		printf("%" PRId64 "\n", shared->woken[i] - shared->start[i]);
	return 0;
}
