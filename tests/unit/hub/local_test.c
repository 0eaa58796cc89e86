#include "unit.h"

#include <sys/wait.h>

#include "hub/local.c"

static atomic_bool stop;

static struct hub *open_hub(const char *data)
{
	static struct stage *stage; /* one for all tests: there is a bound to their number */
	if (!stage)
		stage = stage_new("log", "stream");
	struct hub_options options = {
		.data = data,
		.name = "s",
		.shards = 3,
		.codec = LOG_ZSTD,
		.level = 1,
		.batch_size = 64 << 10,
		.line_max = 1 << 20,
		.segment_size = 1 << 20,
		.retention_us = INT64_C(3600000000),
		.stage = stage,
	};
	struct hub *hub = NULL;
	struct fault fault = {0};
	enum rc rc = hub_open(&options, &hub, &fault);
	if (rc != RC_OK)
		print_error("%s\n", fault.text);
	assert_rc(rc);
	return hub;
}

static void put(struct log_batch *batch, uint64_t ordinal, const char *line)
{
	struct log_run *run = log_batch_run(batch, (uint32_t)(ordinal % 3));
	uint8_t *at = log_run_reserve(run, strlen(line));
	memcpy(at, line, strlen(line));
	char key[32];
	log_run_add(run, strlen(line), ordinal,
		slice_of(key, (size_t)snprintf(key, sizeof key, "d.t|%d", (int)ordinal)));
}

/* Commits one batch of `count` events, of which the first line is `line`. */
static void commit(
	struct hub *hub, uint64_t first, uint64_t count, const char *line, bool is_control)
{
	struct log_batch *batch = hub_batch_begin(hub, &stop);
	assert_non_null(batch);
	for (uint64_t i = 0; i < count; i++)
		put(batch, first + i, i == 0 ? line : "{\"op\":\"c\",\"ord\":0}\n");
	struct event_position position = {
		.server = "mariadb-1", .file = "binlog.000001", .pos = first + count};
	char gtid[64];
	snprintf(gtid, sizeof gtid, "0-1-%llu", (unsigned long long)(first + count));
	struct hub_mark mark = {
		.first_ordinal = first,
		.count = count,
		.stream_time_us = (int64_t)first,
		.fingerprint = 7,
		.generation = 2,
		.controls = is_control ? slice_text(line) : (struct slice){0},
		.position = &position,
		.flavor = GTID_MARIADB,
		.gtids = slice_text(gtid),
	};
	struct fault fault;
	assert_rc(hub_batch_commit(hub, batch, &mark, &fault));
}

static void check_state(const struct hub *hub, uint64_t next)
{
	const struct hub_state *state = hub_state(hub);
	assert_int_equal(state->is_new, next == 0);
	assert_int_equal(state->next_ordinal, next);
	if (next == 0)
		return;
	assert_int_equal(state->position.pos, next);
	assert_string_equal(state->position.server, "mariadb-1");
	assert_int_equal(state->fingerprint, 7);
	assert_int_equal(state->generation, 2);
	struct buf text = buf_of(1000);
	gtid_set_text(state->gtids, &text);
	char wanted[64];
	snprintf(wanted, sizeof wanted, "0-1-%llu", (unsigned long long)next);
	assert_string_equal(buf_cstring(&text), wanted);
	buf_release(&text);
}

static enum rc collect(void *context, struct slice line, struct fault *fault)
{
	(void)fault;
	buf_slice(context, line);
	return RC_OK;
}

static void check_schemas(const struct hub *hub, const char *wanted)
{
	struct buf text = buf_of(100000);
	struct fault fault;
	assert_rc(hub_schemas(hub, collect, &text, &fault));
	assert_string_equal(buf_cstring(&text), wanted);
	buf_release(&text);
}

static void goes_on_where_it_ended(void **state)
{
	(void)state;
	char *data = unit_folder();
	struct hub *hub = open_hub(data);
	check_state(hub, 0);
	uint64_t next = 0;
	struct fault fault;
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 20; i++, next += 10)
			commit(hub, next, 10, "{\"op\":\"c\",\"ord\":0}\n", false);
		assert_rc(hub_flush(hub, &fault));
		assert_int_equal(hub_acknowledged(hub), next);
		hub_close(hub);
		hub = open_hub(data);
		check_state(hub, next);
	}
	hub_close(hub);
	unit_folder_remove(data);
}

#define SCHEMA(table, ordinal) \
	"{\"op\":\"s\",\"db\":\"d\",\"table\":\"" table "\",\"ord\":" #ordinal \
	",\"columns\":[{\"name\":\"id\",\"type\":\"int\",\"null\":false}],\"primary_key\":[" \
	"\"id\"]}\n"

/* Also over segments, where they come from a file that the head names. */
static void keeps_the_schemas_in_force(void **state)
{
	(void)state;
	char *data = unit_folder();
	struct hub *hub = open_hub(data);
	commit(hub, 0, 1, SCHEMA("a", 0), true);
	commit(hub, 1, 1, SCHEMA("b", 1), true);
	commit(hub, 2, 1, "{\"op\":\"t\",\"db\":\"d\",\"table\":\"b\",\"ord\":2}\n",
		true); /* keeps its columns */
	hub_close(hub);
	hub = open_hub(data);
	struct buf both = buf_of(1000);
	struct fault fault;
	assert_rc(hub_schemas(hub, collect, &both, &fault));
	assert_non_null(strstr(buf_cstring(&both), SCHEMA("a", 0)));
	assert_non_null(strstr(buf_cstring(&both), SCHEMA("b", 1)));
	buf_release(&both);
	commit(hub, 3, 1, "{\"op\":\"t\",\"db\":\"d\",\"table\":\"b\",\"ord\":3,\"drop\":true}\n",
		true);
	commit(hub, 4, 1, SCHEMA("a", 4), true);
	static char large[200000];
	unsigned seed = 5; /* what does not compress fills segments */
	for (size_t i = 0; i < sizeof large - 2; i++)
		large[i] = (char)('a' + rand_r(&seed) % 26);
	large[sizeof large - 2] = '\n';
	for (uint64_t i = 5; i < 25; i++)
		commit(hub, i, 1, large, false);
	hub_close(hub);
	hub = open_hub(data);
	check_state(hub, 25);
	check_schemas(hub, SCHEMA("a", 4));
	commit(hub, 25, 1,
		"{\"op\":\"s\",\"db\":\"d\",\"table\":\"a\",\"ord\":25,\"ddl\":\"alter\"}\n", true);
	hub_close(hub);
	hub = open_hub(data);
	check_schemas(hub, ""); /* unsure until it is told again */
	hub_close(hub);
	unit_folder_remove(data);
}

/* Killed behind a roll: the newest segment has no batch, and the position is in the one before. */
static void survives_an_empty_new_segment(void **state)
{
	(void)state;
	char *data = unit_folder();
	setenv("MILLSTREAM_CRASH", "rolled:2", 1); /* the first segment counts too */
	pid_t child = fork();
	if (child == 0) {
		if (!crash_init())
			_exit(1);
		struct hub *hub = open_hub(data);
		static char large[60000];
		unsigned seed = 9;
		for (size_t i = 0; i < sizeof large - 2; i++)
			large[i] = (char)('a' + rand_r(&seed) % 26);
		large[sizeof large - 2] = '\n';
		for (uint64_t i = 0; i < 1000; i++)
			commit(hub, i, 1, large, false);
		_exit(1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	unsetenv("MILLSTREAM_CRASH");
	struct hub *hub = open_hub(data);
	assert_false(hub_state(hub)->is_new);
	assert_true(hub_state(hub)->next_ordinal > 1);
	check_state(hub, hub_state(hub)->next_ordinal);
	hub_close(hub);
	unit_folder_remove(data);
}

static void refuses_another_number_of_shards(void **state)
{
	(void)state;
	char *data = unit_folder();
	struct hub *hub = open_hub(data);
	hub_close(hub);
	struct hub_options options = {.data = data,
		.name = "s",
		.shards = 4,
		.codec = LOG_PLAIN,
		.batch_size = 1 << 20,
		.line_max = 1 << 20,
		.segment_size = 1 << 20};
	struct fault fault;
	assert_int_equal(hub_open(&options, &hub, &fault), RC_CONFIG);
	assert_non_null(strstr(fault.text, "has 3 shards"));
	unit_folder_remove(data);
}

static void stops_waiting_when_asked(void **state)
{
	(void)state;
	char *data = unit_folder();
	struct hub *hub = open_hub(data);
	atomic_bool now = true;
	assert_null(hub_batch_begin(hub, &now));
	struct fault fault;
	assert_rc(hub_failed(hub, &fault));
	hub_close(hub);
	unit_folder_remove(data);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(goes_on_where_it_ended),
	cmocka_unit_test(keeps_the_schemas_in_force),
	cmocka_unit_test(survives_an_empty_new_segment),
	cmocka_unit_test(refuses_another_number_of_shards),
	cmocka_unit_test(stops_waiting_when_asked),
};
UNIT_MAIN(tests)
