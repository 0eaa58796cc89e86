#include "unit.h"

#include "store/folder_walk.c"

static char *place;
static struct store *store;

static int make_store(void **state)
{
	(void)state;
	place = unit_folder();
	assert_rc(store_open_folder(place, &store, NULL));
	return 0;
}

static int remove_store(void **state)
{
	(void)state;
	store_close(store);
	unit_folder_remove(place);
	return 0;
}

static void put(const char *key)
{
	struct store_stage *stage = NULL;
	assert_rc(store_stage_begin(store, &stage, NULL));
	assert_rc(store_stage_append(stage, slice_text(key), NULL));
	assert_rc(store_stage_publish(stage, key, SLICE("{}"), NULL));
	store_stage_close(stage);
}

/* Keys in which a folder, and what sorts around its slash, stand side by side. */
static const char *const keys[] = {"a-b", "a.b", "a/b", "a/b-", "a/c/1", "a/c/2", "a/c0", "a0",
	"a=", "b", "log/s/2026/01/01/00/0000-5", "log/s/2026/01/01/10/0000-6",
	"log/s/2026/01/01/10/0001-6", "log/s/2026/01/02/00/0000-7", "log/s/2026/10/01/00/0000-8",
	"log/s1/2025/01/01/00/0000-1", "log/t/1"};
enum { KEY_COUNT = sizeof keys / sizeof keys[0] };

static void put_all(void)
{
	for (size_t i = 0; i < KEY_COUNT; i++) /* in another order than that of their bytes */
		put(keys[i * 5 % KEY_COUNT]);
}

struct found {
	char text[8192];
	size_t stop_after;
};

static enum rc note(void *context, const char *key, uint64_t size, struct fault *fault)
{
	(void)fault;
	struct found *found = context;
	assert_int_equal(size, strlen(key));
	strcat(found->text, key);
	strcat(found->text, "\n");
	return found->stop_after > 0 && --found->stop_after == 0 ? RC_END : RC_OK;
}

/* What find and sort say about the same folder. */
static char all[8192];

static void find_all(void)
{
	char command[1000];
	snprintf(command, sizeof command,
		"cd '%s' && find . -type f ! -name '*.meta' ! -name .lock | sed 's,^[.]/,,' | "
		"LC_ALL=C sort",
		place);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	all[fread(all, 1, sizeof all - 1, pipe)] = 0;
	assert_int_equal(pclose(pipe), 0);
}

/* The lines of them that are asked for. */
static void expect(const char *prefix, const char *after, char *ret_text)
{
	char copy[sizeof all];
	strcpy(copy, all);
	ret_text[0] = 0;
	for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n")) {
		if (strncmp(line, prefix, strlen(prefix)) == 0 &&
			(!after || strcmp(line, after) > 0))
			sprintf(ret_text + strlen(ret_text), "%s\n", line);
	}
}

static const char *const prefixes[] = {"", "a", "a/", "a/c", "a/c/", "a/c/1", "a/c/12", "a-", "b",
	"b/", "c", "log/s", "log/s/", "log/s/2026/01", "log/s/2026/01/01/1", "log/s/2026/01/01/10/",
	"log/s/2026/01/01/10/0001-", "log/s/2027/", "lo", "nothing/at/all/"};
static const char *const afters[] = {NULL, "", "a", "a-b", "a.", "a/", "a/b", "a/c", "a/c/1",
	"a/c/1~", "a/~", "a0", "log/s/2026/01/01/10/", "log/s/2026/01/01/10/0000-6",
	"log/s/2026/01/01/~", "log/s/~", "~", "log/s1"};

static void lists_in_the_order_of_bytes(void **state)
{
	(void)state;
	put_all();
	find_all();
	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
		for (size_t j = 0; j < sizeof afters / sizeof afters[0]; j++) {
			struct found found = {.text = ""};
			char expected[8192];
			expect(prefixes[i], afters[j], expected);
			assert_rc(store_list(store, prefixes[i], afters[j], note, &found, NULL));
			assert_string_equal(found.text, expected);
		}
	}
}

static void stops_when_told(void **state)
{
	(void)state;
	put_all();
	struct found found = {.stop_after = 3};
	assert_int_equal(store_list(store, "", "a-b", note, &found, NULL), RC_END);
	assert_string_equal(found.text, "a.b\na/b\na/b-\n");
}

static void finds_the_last_key(void **state)
{
	(void)state;
	put_all();
	find_all();
	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
		char expected[8192];
		expect(prefixes[i], NULL, expected);
		size_t len = strlen(expected);
		struct buf key = buf_of(1000);
		struct fault fault;
		enum rc rc = store_last(store, prefixes[i], &key, &fault);
		if (len == 0) {
			assert_int_equal(rc, RC_NOT_FOUND);
			continue;
		}
		expected[len - 1] = 0;
		const char *line = strrchr(expected, '\n');
		assert_rc(rc);
		assert_string_equal(buf_cstring(&key), line ? line + 1 : expected);
		buf_release(&key);
	}
}

static void passes_over_what_is_no_object(void **state)
{
	(void)state;
	put("log/1");
	put("log/2");
	char command[1000];
	snprintf(command, sizeof command,
		"cd '%s' && mkdir -p log/9/empty && touch log/8.meta .stage/left && "
		"mkfifo log/7 && ln -s nowhere log/6 && rm log/2 && touch log/.5",
		place);
	assert_int_equal(system(command), 0);
	struct found found = {.text = ""};
	snprintf(command, sizeof command, "%s/log/.5", place);
	assert_int_equal(unlink(command), 0);
	assert_rc(store_list(store, "", NULL, note, &found, NULL));
	assert_string_equal(found.text, "log/1\n");
	struct buf key = buf_of(100);
	assert_rc(store_last(store, "log/", &key, NULL));
	assert_string_equal(buf_cstring(&key), "log/1");
	buf_release(&key);
}

static void refuses_a_prefix_that_leads_out(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"../", "a/../", "/", "//", "a//b", ".", ".stage/", "a/./b", "a*"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct found found = {.text = ""};
		struct buf key = buf_of(100);
		assert_int_equal(store_list(store, bad[i], NULL, note, &found, NULL), RC_USAGE);
		assert_int_equal(store_last(store, bad[i], &key, NULL), RC_USAGE);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_store, remove_store)

static const struct CMUnitTest tests[] = {
	TEST(lists_in_the_order_of_bytes),
	TEST(stops_when_told),
	TEST(finds_the_last_key),
	TEST(passes_over_what_is_no_object),
	TEST(refuses_a_prefix_that_leads_out),
};
UNIT_MAIN(tests)
