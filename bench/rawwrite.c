/* Writes and syncs: the limit that `./dev bench append` prints.
 *
 *   rawwrite FILE COUNT SIZE
 *
 * Into a file that is allocated before: COUNT times SIZE bytes that no codec can make smaller, by
 * pwrite, and an fdatasync behind each. Prints one line of JSON: seconds, from the first write to
 * the last sync. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { POOL = 64 << 20 };

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int complain(const char *what, int number)
{
	fprintf(stderr, "rawwrite: %s: %s\n", what, strerror(number));
	return 1;
}

int main(int words, char **word)
{
	if (words != 4) {
		fprintf(stderr, "usage: rawwrite FILE COUNT SIZE\n");
		return 2;
	}
	size_t count = strtoull(word[2], NULL, 10), size = strtoull(word[3], NULL, 10);
	uint8_t *pool = malloc(POOL);
	int fd = open(word[1], O_RDWR | O_CREAT | O_EXCL, 0600);
	if (!pool || fd < 0 || size >= POOL)
		return complain(word[1], errno);
	for (size_t at = 0; at < POOL; at += 256) {
		if (getrandom(pool + at, 256, 0) != 256)
			return complain("getrandom", errno);
	}
	int number = posix_fallocate(fd, 0, (off_t)(count * size));
	if (number != 0 || fsync(fd) != 0)
		return complain("allocate", number ? number : errno);
	double start = now();
	for (size_t i = 0; i < count; i++) {
		const uint8_t *at = pool + i * size % (POOL - size);
		if (pwrite(fd, at, size, (off_t)(i * size)) != (ssize_t)size || fdatasync(fd) != 0)
			return complain("write", errno);
	}
	printf("{\"seconds\":%.6f}\n", now() - start);
	return 0;
}
