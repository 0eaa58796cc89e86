/* What the console reads of a stream's folder, from a stream that the hub made. */
#include "unit.h"

#include <fcntl.h>

#include "base/mem.h"
#include "base/notice.h"
#include "console/stream.c"

static char *data, *folder;
static struct hub *hub;

static int make_data(void **state)
{
	(void)state;
	notice_init(NOTICE_ERROR, NOTICE_AS_TEXT);
	data = unit_folder();
	folder = hub_folder(data, "changes");
	return 0;
}

static int remove_data(void **state)
{
	(void)state;
	hub_close(hub);
	hub = NULL;
	mem_free(folder);
	unit_folder_remove(data);
	return 0;
}

static void open_stream(void)
{
	struct hub_options options = {.data = data,
		.name = "changes",
		.shards = 4,
		.codec = LOG_ZSTD,
		.level = 1,
		.batch_size = 1 << 20,
		.line_max = 1 << 20,
		.segment_size = 1 << 20,
		.retention_us = INT64_C(86400) * 1000000,
		.stage = stage_new("log", "log")};
	struct fault fault;
	assert_rc(hub_open(&options, &hub, &fault));
}

/* One batch of `count` records from `first` on. */
static void append(uint64_t first, uint64_t count)
{
	static const char line[] = "{\"op\":\"c\"}\n";
	static const struct event_position position = {
		.server = "mariadb-1", .file = "binlog.000001", .pos = 4};
	static const atomic_bool stop;
	struct log_batch *batch = hub_batch_begin(hub, &stop);
	assert_non_null(batch);
	for (uint64_t i = 0; i < count; i++) {
		struct log_run *run = log_batch_run(batch, (uint32_t)(i % 4));
		memcpy(log_run_reserve(run, sizeof line - 1), line, sizeof line - 1);
		log_run_add(run, sizeof line - 1, first + i, SLICE("key"));
	}
	struct hub_mark mark = {.first_ordinal = first,
		.count = count,
		.stream_time_us = clock_wall_us(),
		.fingerprint = 1,
		.generation = 1,
		.position = &position};
	struct fault fault;
	assert_rc(hub_batch_commit(hub, batch, &mark, &fault));
	assert_rc(hub_flush(hub, &fault));
}

static struct stream_facts read_facts(void)
{
	struct stream_facts facts = {0};
	stream_read(&facts, folder);
	return facts;
}

static void damage(const char *format)
{
	char command[500];
	snprintf(command, sizeof command, format, folder);
	assert_int_equal(system(command), 0);
}

static void a_stream_that_is_not_there_is_no_error(void **state)
{
	(void)state;
	struct stream_facts facts = read_facts();
	assert_false(facts.is_known);
	assert_string_equal(facts.error, "");
	facts = (struct stream_facts){0};
	stream_read(&facts, NULL);
	assert_false(facts.is_known);
	assert_string_equal(facts.error, "");
}

static void a_new_stream_is_empty(void **state)
{
	(void)state;
	open_stream();
	struct stream_facts facts = read_facts();
	assert_string_equal(facts.error, "");
	assert_true(facts.is_known);
	assert_int_equal(facts.shards, 4);
	assert_int_equal(facts.first, facts.next);
	assert_in_range(facts.created_us, clock_wall_us() - 10000000, clock_wall_us());
	assert_int_equal(facts.consumer_count, 0);
}

static void tells_the_bounds(void **state)
{
	(void)state;
	open_stream();
	append(100, 50);
	append(150, 7);
	struct stream_facts facts = read_facts();
	assert_true(facts.is_known);
	assert_int_equal(facts.first, 100);
	assert_int_equal(facts.next, 157);
	assert_in_range(facts.bytes, 1, 4 << 20);
	/* and of a stream that nobody has open */
	hub_close(hub);
	hub = NULL;
	facts = read_facts();
	assert_int_equal(facts.next, 157);
}

static void lists_the_consumers(void **state)
{
	(void)state;
	open_stream();
	append(1, 10);
	struct fault fault;
	assert_rc(hub_checkpoint_save(folder, "shop", 5, &fault));
	assert_rc(hub_checkpoint_save(folder, "archive", 11, &fault));
	assert_rc(hub_checkpoint_save(folder, "shop", 6, &fault));
	struct stream_facts facts = read_facts();
	assert_int_equal(facts.consumer_count, 2);
	assert_string_equal(facts.consumers[0].name, "archive");
	assert_int_equal(facts.consumers[0].next, 11);
	assert_string_equal(facts.consumers[1].name, "shop");
	assert_int_equal(facts.consumers[1].next, 6);
}

static void more_consumers_than_fit_are_left_out(void **state)
{
	(void)state;
	open_stream();
	append(1, 10);
	for (int i = 0; i < CONSUMERS_MAX + 3; i++) {
		char name[20];
		struct fault fault;
		snprintf(name, sizeof name, "c%03d", i);
		assert_rc(hub_checkpoint_save(folder, name, 1, &fault));
	}
	struct stream_facts facts = read_facts();
	assert_int_equal(facts.consumer_count, CONSUMERS_MAX);
	assert_string_equal(facts.error, "");
}

static void damage_is_told(void **state)
{
	(void)state;
	open_stream();
	append(1, 10);
	struct fault fault;
	assert_rc(hub_checkpoint_save(folder, "shop", 5, &fault));
	damage("head -c 1024 /dev/zero > '%s/consumers/shop.checkpoint'");
	struct stream_facts facts = read_facts();
	assert_non_null(strstr(facts.error, "shop.checkpoint"));
	assert_true(facts.is_known);
	assert_int_equal(facts.next, 11);
	damage("echo nonsense > '%s/stream.json'");
	facts = read_facts();
	assert_non_null(strstr(facts.error, "stream.json"));
	assert_false(facts.is_known);
}

static int open_files(void)
{
	int count = 0;
	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void keeps_nothing_open(void **state)
{
	(void)state;
	open_stream();
	append(1, 10);
	int before = open_files();
	for (int i = 0; i < 50; i++)
		(void)read_facts();
	assert_int_equal(open_files(), before);
}

static void reads_anew_after_a_second(void **state)
{
	(void)state;
	open_stream();
	append(1, 10);
	struct stream_facts facts = read_facts();
	append(11, 10);
	stream_read(&facts, folder);
	assert_int_equal(facts.next, 11);
	clock_sleep_us(1100000);
	stream_read(&facts, folder);
	assert_int_equal(facts.next, 21);
}

#define IN_A_FOLDER(name) cmocka_unit_test_setup_teardown(name, make_data, remove_data)

static const struct CMUnitTest tests[] = {
	IN_A_FOLDER(a_stream_that_is_not_there_is_no_error),
	IN_A_FOLDER(a_new_stream_is_empty),
	IN_A_FOLDER(tells_the_bounds),
	IN_A_FOLDER(lists_the_consumers),
	IN_A_FOLDER(more_consumers_than_fit_are_left_out),
	IN_A_FOLDER(damage_is_told),
	IN_A_FOLDER(keeps_nothing_open),
	IN_A_FOLDER(reads_anew_after_a_second),
};
UNIT_MAIN(tests)
