/* The example store of docs/formats/object.md, in a private copy, and help to change it. */
#ifndef TESTS_UNIT_PAST_GOLDEN_H
#define TESTS_UNIT_PAST_GOLDEN_H

#include "unit.h"

#include "store/store.h"

#define HOUR_07 "log/changes/2026/11/25/07/"
#define ZSTD_KEY HOUR_07 "0000-00000000000000000016.ndjson.zst"
#define GZIP_KEY HOUR_07 "0001-00000000000000000016.ndjson.gz"
#define MANIFEST_KEY "manifest/changes/2026/11/25/07.ndjson"

static const int64_t golden_hour_us = 1795590000000000; /* date -u -d '2026-11-25 07:00' +%s */

static char *test_folder;
static struct store *test_store;

/* Exit status of a shell command that runs in the copy. */
__attribute__((format(printf, 1, 2))) static inline int shell(const char *format, ...)
{
	char command[2000];
	int len = snprintf(command, sizeof command, "cd '%s' && ", test_folder);
	va_list args;
	va_start(args, format);
	vsnprintf(command + len, sizeof command - (size_t)len, format, args);
	va_end(args);
	int status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int make_copy(void **state)
{
	(void)state;
	test_folder = unit_folder();
	assert_int_equal(shell("cp -r '%s/tests/data/object/.' .", UNIT_SOURCE), 0);
	assert_rc(store_open_folder(test_folder, &test_store, NULL));
	return 0;
}

static int remove_copy(void **state)
{
	(void)state;
	store_close(test_store);
	unit_folder_remove(test_folder);
	return 0;
}

static inline void load_file(const char *key, struct buf *out)
{
	buf_reset(out);
	assert_rc(store_get(test_store, key, 0, UINT64_MAX, out, NULL));
}

#endif
