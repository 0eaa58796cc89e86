/* What every unit test includes first: cmocka, and one line of setup.
 *
 * The file under test is included as source by the test, so that its statics can be reached. */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/thread.h"

#define assert_rc(expression) assert_int_equal((expression), RC_OK)

#define assert_slice(bytes, text) \
	do { \
		struct slice got_ = (bytes); \
		assert_int_equal(got_.len, strlen(text)); \
		assert_memory_equal(got_.at, text, got_.len); \
	} while (0)

/* A private temporary folder, removed by unit_folder_remove. The caller frees the path. */
static inline char *unit_folder(void)
{
	char name[] = "/tmp/millstream-unit.XXXXXX";
	assert_non_null(mkdtemp(name));
	return strdup(name);
}

static inline void unit_folder_remove(char *path)
{
	char command[300];
	snprintf(command, sizeof command, "rm -rf '%s'", path);
	assert_int_equal(system(command), 0);
	free(path);
}

#define UNIT_MAIN(tests) \
	int main(void) \
	{ \
		thread_assert_off(); \
		return cmocka_run_group_tests(tests, NULL, NULL); \
	}

#endif
