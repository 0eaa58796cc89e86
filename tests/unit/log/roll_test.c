#include "unit.h"

#include "fault_disk.h"
#include "log_tools.h"

#include "log/roll.c"

static const struct tool_plan plan = {.shards = 2, .codec = LOG_ZSTD, .line_len = 60};

static uint64_t size_of(const char *folder, uint32_t number)
{
	uint64_t size = 0;
	assert_rc(disk_size(tool_segment(folder, number, ".seg"), &size, NULL));
	return size;
}

static void segments_begin_small_and_double(void **state)
{
	(void)state;
	static const struct tool_plan wide = {.shards = 1, .codec = LOG_PLAIN, .line_len = 90000};
	char *folder = unit_folder();
	struct log *log = tool_open(folder, 4 << 20);
	assert_int_equal(log->segment_count, 0);
	char command[300];
	snprintf(command, sizeof command, "test -z \"$(ls '%s' | grep seg)\"", folder);
	assert_int_equal(system(command), 0); /* an idle stream costs nothing */
	uint64_t next = 1;
	static const uint64_t rooms[] = {1, 2, 4, 4, 4};
	for (uint32_t i = 0; i < 5; i++) {
		while (log->segment_count < i + 1)
			next = tool_write(&wide, log, next, 2, 1);
		assert_int_equal(size_of(folder, i + 1), 4096 + (rooms[i] << 20));
		assert_true(i == 0 || size_of(folder, i) <= 4096 + (rooms[i - 1] << 20));
		assert_true(i == 0 || size_of(folder, i) > 4096 + (rooms[i - 1] << 20) - 200000);
	}
	assert_int_equal(tool_read_all(&wide, folder, 1), next);
	log_close(log);
	unit_folder_remove(folder);
}

static void a_large_batch_has_a_segment_of_its_own(void **state)
{
	(void)state;
	static const struct tool_plan wide = {
		.shards = 1, .codec = LOG_PLAIN, .line_len = 90000, .is_random = true};
	char *folder = unit_folder();
	struct log *log = tool_open(folder, 4096);
	uint64_t next = tool_write(&plan, log, 1, 5, 1);
	uint64_t big = next;
	next = tool_write(&wide, log, next, 20, 1);
	assert_int_equal(log->head.number, 2);
	assert_true(size_of(folder, 2) > 20 * 90000 && size_of(folder, 2) < 20 * 90000 + 20000);
	(void)tool_write(&plan, log, next, 100, 1);
	assert_int_equal(log->head.number, 3);
	struct log_reader *reader = tool_reader(folder);
	struct log_view *view = NULL;
	struct fault fault;
	for (int i = 0; i < 3; i++) {
		assert_rc(log_read(reader, &view, &fault));
		tool_check_view(view->first_ordinal == big ? &wide : &plan, reader, view);
	}
	log_reader_close(reader);
	log_close(log);
	unit_folder_remove(folder);
}

/* ---- what the owner keeps at the head ---- */

static size_t head_len;
static enum rc head_rc;

static enum rc write_head(void *context, struct buf *out, struct fault *fault)
{
	int *calls = context;
	++*calls;
	for (size_t i = 0; i < head_len; i++)
		buf_u8(out, (uint8_t)(i * 7));
	return head_rc == RC_OK ? RC_OK : fault_set(fault, head_rc, "the owner cannot say");
}

static void the_owner_writes_the_head(void **state)
{
	(void)state;
	static const size_t lens[] = {0, 1, 3967, 3968, 3969, 1000000, OWNER_MAX};
	for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
		char *folder = unit_folder();
		int calls = 0;
		struct log *log = NULL;
		struct fault fault;
		struct log_options options = {.folder = folder,
			.segment_size = 4096,
			.write_head = write_head,
			.context = &calls};
		head_len = lens[i];
		assert_rc(log_open(&options, &log, &fault));
		uint64_t next = tool_write(&plan, log, 1, 10, 18);
		assert_int_equal(calls, log->segment_count);
		assert_true(calls > 1); /* the room for batches does not shrink with the head */
		assert_true(log->segment_count < 7);
		log_close(log);
		struct segment segment;
		struct slice owner;
		segment_init(&segment);
		assert_rc(segment_open(&segment, folder, &(struct segment_name){1, 0}, &fault));
		assert_rc(segment_owner(&segment, &owner, &fault));
		assert_int_equal(owner.len, lens[i]);
		for (size_t k = 0; k < owner.len; k++)
			assert_true(owner.at[k] == (uint8_t)(k * 7));
		segment_release(&segment);
		assert_int_equal(tool_read_all(&plan, folder, 1), next);
		unit_folder_remove(folder);
	}
}

static void an_owner_that_fails_changes_nothing(void **state)
{
	(void)state;
	char *folder = unit_folder();
	int calls = 0;
	struct log *log = NULL;
	struct fault fault;
	struct log_options options = {.folder = folder,
		.segment_size = 4096,
		.write_head = write_head,
		.context = &calls};
	head_len = 5;
	assert_rc(log_open(&options, &log, &fault));
	struct log_batch *batch = tool_batch(&plan);
	tool_fill(&plan, batch, 1, 30);
	for (int i = 0; i < 2; i++) {
		head_rc = i == 0 ? RC_DISK_FULL : RC_CORRUPT;
		assert_int_equal(log_append(log, batch, &fault), head_rc);
		assert_string_equal(fault.text, "the owner cannot say");
	}
	head_rc = RC_OK;
	head_len = OWNER_MAX + 1;
	assert_int_equal(log_append(log, batch, &fault), RC_LIMIT);
	head_len = 5;
	assert_rc(log_append(log, batch, &fault));
	assert_rc(log_sync(log, &fault));
	assert_int_equal(tool_read_all(&plan, folder, 1), 31);
	log_batch_free(batch);
	log_close(log);
	unit_folder_remove(folder);
}

/* ---- borders ---- */

/* The heads say what is before them, and names are borders of ordinals, also across an epoch and
 * where a segment is without batches. */
static void heads_chain_the_segments(void **state)
{
	(void)state;
	char *folder = unit_folder();
	struct log *log = tool_open(folder, 4096);
	struct fault fault;
	uint64_t next = tool_write(&plan, log, 1, 30, 2);
	uint64_t before = log->last_batch, end = address_of(log->head.number, log->offset);
	uint32_t crc = log->last_crc;
	assert_rc(log_roll(log, 100, &fault));
	assert_int_equal(log->head.previous_batch, before);
	assert_int_equal(log->head.previous_end, end);
	assert_int_equal(log->head.previous_crc, crc);
	assert_int_equal(log->head.previous_arrival_us, log_end(log)->arrival_us);
	assert_int_equal(log->head.first_ordinal, next);
	end = address_of(log->head.number, log->offset);
	assert_rc(log_roll(log, 100, &fault)); /* one without batches behind it */
	assert_int_equal(log->head.previous_batch, before);
	assert_int_equal(log->head.previous_end, end);
	assert_int_equal(log->head.first_ordinal, next);
	log_close(log);
	log = tool_open(folder, 4096);
	assert_int_equal(log_end(log)->next_ordinal, next);
	assert_int_equal(log_end(log)->cut_bytes, 0);
	uint64_t epoch = (uint64_t)1 << 40;
	(void)tool_write(&plan, log, epoch, 30, 4);
	assert_true(log->head.first_ordinal > epoch);
	struct log_reader *reader = tool_reader(folder);
	assert_rc(log_seek_ordinal(reader, next, &fault));
	assert_int_equal(tool_read_on(&plan, reader, epoch), epoch + 120);
	log_reader_close(reader);
	log_close(log);
	unit_folder_remove(folder);
}

static void an_index_that_cannot_be_written_is_done_without(void **state)
{
	(void)state;
	char *folder = unit_folder();
	struct log *log = tool_open(folder, 4096);
	uint64_t next = tool_write(&plan, log, 1, 30, 1);
	char text[NAME_SIZE], path[400];
	segment_name_write(&(struct segment_name){1, 0}, SEGMENT_INDEX, text);
	snprintf(path, sizeof path, "%s/%s", folder, text);
	assert_int_equal(mkdir(path, 0700), 0); /* something else has its name */
	next = tool_write(&plan, log, next, 30, 2);
	assert_true(log->head.number >= 2);
	assert_int_equal(tool_read_all(&plan, folder, 1), next);
	log_close(log);
	assert_int_equal(rmdir(path), 0);
	unit_folder_remove(folder);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(segments_begin_small_and_double),
	cmocka_unit_test(a_large_batch_has_a_segment_of_its_own),
	cmocka_unit_test(the_owner_writes_the_head),
	cmocka_unit_test(an_owner_that_fails_changes_nothing),
	cmocka_unit_test(heads_chain_the_segments),
	cmocka_unit_test(an_index_that_cannot_be_written_is_done_without),
};
UNIT_MAIN(tests)
