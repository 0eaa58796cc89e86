/* What the kernel knows of this process: /proc/self; see inside.h. What cannot be read is zero. */
#include "console/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/disk.h"

enum { FILE_MAX = 4096 };

static enum rc count_one(void *context, const char *name, struct fault *fault)
{
	uint64_t *count = context;
	(void)name;
	(void)fault;
	(*count)++;
	return RC_OK;
}

/* The number in the field (from 1, divided by blanks) behind the last ')' of the text, if there is
 * one: a program's name may hold blanks. */
static double field_of(const char *path, unsigned field)
{
	struct buf text = buf_of(FILE_MAX);
	double value = 0;
	if (disk_load(path, &text, NULL) == RC_OK) {
		const char *at = buf_cstring(&text);
		const char *name_end = strrchr(at, ')');
		at = name_end ? name_end + 1 : at;
		for (unsigned i = 1; at && i < field; i++)
			at = strchr(at + 1, ' ');
		value = at ? strtod(at, NULL) : 0;
	}
	buf_release(&text);
	return value;
}

/* proc(5): behind the name, /proc/PID/stat has the state as field 1, user and system time as 12 and
 * 13, the start since boot as 20; all in clock ticks. /proc/uptime begins with seconds since boot,
 * statm has the resident pages as field 2. */
void process_read(struct process *ret_process)
{
	struct process process = {0};
	double ticks = (double)sysconf(_SC_CLK_TCK);
	process.resident_bytes =
		(uint64_t)field_of("/proc/self/statm", 2) * (uint64_t)sysconf(_SC_PAGESIZE);
	process.cpu_s = (field_of("/proc/self/stat", 12) + field_of("/proc/self/stat", 13)) / ticks;
	double up_s = field_of("/proc/uptime", 1);
	double started_s = field_of("/proc/self/stat", 20) / ticks;
	process.start_s = (double)clock_wall_us() / 1e6 - (up_s - started_s);
	if (disk_list("/proc/self/fd", count_one, &process.open_files, NULL) == RC_OK &&
		process.open_files > 0)
		process.open_files--; /* the one that lists */
	struct rlimit limit = {0};
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		process.most_files = limit.rlim_cur;
	*ret_process = process;
}
