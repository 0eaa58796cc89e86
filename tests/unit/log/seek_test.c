#include "unit.h"

#include "log_tools.h"

#include "log/seek.c"

#include "log/writer.h"

static const struct tool_plan plan = {.shards = 2, .codec = LOG_ZSTD, .line_len = 60};

enum { BATCHES = 60, RECORDS = 10 };

/* What each batch of the log under test was; an epoch begins in the middle, some batches only carry
 * a mark, arrivals repeat. */
struct wrote {
	uint64_t first, count, address, next_address;
	int64_t arrival_us;
};

static struct wrote wrote[BATCHES];

static struct log *write_log(const char *folder, uint64_t segment_size)
{
	struct log *log = tool_open(folder, segment_size);
	struct log_batch *batch = tool_batch(&plan);
	struct fault fault;
	uint64_t next = 100;
	for (int i = 0; i < BATCHES; i++) {
		if (i == BATCHES / 2)
			next = (uint64_t)1 << 40;
		if (i % 3 == 0)
			tool_now_us += 1000;
		uint64_t count = i % 7 == 3 ? 0 : RECORDS;
		tool_fill(&plan, batch, next, count);
		assert_rc(log_append(log, batch, &fault));
		assert_rc(log_sync(log, &fault));
		wrote[i] = (struct wrote){
			.first = next, .count = count, .arrival_us = log_end(log)->arrival_us};
		next += count;
	}
	log_batch_free(batch);
	struct log_reader *reader = tool_reader(folder);
	for (int i = 0; i < BATCHES; i++) {
		struct log_view *view = NULL;
		assert_rc(log_read(reader, &view, &fault));
		assert_int_equal(view->first_ordinal, wrote[i].first);
		assert_int_equal(view->arrival_us, wrote[i].arrival_us);
		wrote[i].address = view->address;
		wrote[i].next_address = view->next_address;
	}
	log_reader_close(reader);
	return log;
}

/* The reader stands in front of batch `i`, and goes on from there. */
static void check_at(struct log_reader *reader, int i)
{
	struct fault fault;
	for (int k = i; k < BATCHES && k < i + 3; k++) {
		struct log_view *view = NULL;
		enum rc rc = log_read(reader, &view, &fault);
		if (rc != RC_OK)
			print_error("%s\n", fault.text);
		assert_int_equal(rc, RC_OK);
		assert_int_equal(view->address, wrote[k].address);
		tool_check_view(&plan, reader, view);
	}
	struct log_view *view = NULL;
	if (i >= BATCHES - 3)
		assert_int_equal(log_read(reader, &view, &fault), RC_END);
}

static int wanted_by_ordinal(uint64_t ordinal)
{
	int i = 0;
	while (i < BATCHES && wrote[i].first + wrote[i].count <= ordinal)
		i++;
	return i;
}

static int wanted_by_arrival(int64_t arrival_us)
{
	int i = 0;
	while (i < BATCHES && wrote[i].arrival_us < arrival_us)
		i++;
	return i;
}

static void check_all_places(const char *folder)
{
	struct log_reader *reader = tool_reader(folder);
	struct fault fault;
	for (int i = 0; i < BATCHES; i++) {
		for (uint64_t ordinal = wrote[i].first ? wrote[i].first - 1 : 0;
			ordinal <= wrote[i].first + wrote[i].count; ordinal++) {
			assert_rc(log_seek_ordinal(reader, ordinal, &fault));
			check_at(reader, wanted_by_ordinal(ordinal));
		}
		for (int64_t off = -1; off <= 1; off++) {
			assert_rc(log_seek_arrival(reader, wrote[i].arrival_us + off, &fault));
			check_at(reader, wanted_by_arrival(wrote[i].arrival_us + off));
		}
		assert_rc(log_seek_address(reader, wrote[i].address, &fault));
		check_at(reader, i);
		assert_rc(log_seek_address(reader, wrote[i].next_address, &fault));
		check_at(reader, i + 1);
	}
	static const uint64_t ordinals[] = {0, 1, 99, 1000, 1u << 30, UINT64_MAX};
	for (size_t i = 0; i < sizeof ordinals / sizeof ordinals[0]; i++) {
		assert_rc(log_seek_ordinal(reader, ordinals[i], &fault));
		check_at(reader, wanted_by_ordinal(ordinals[i]));
	}
	assert_rc(log_seek_arrival(reader, INT64_MIN, &fault));
	check_at(reader, 0);
	assert_rc(log_seek_arrival(reader, INT64_MAX, &fault));
	check_at(reader, BATCHES);
	assert_rc(log_seek_oldest(reader, &fault));
	check_at(reader, 0);
	assert_rc(log_seek_end(reader, &fault));
	check_at(reader, BATCHES);
	assert_rc(log_seek_address(reader, 0, &fault));
	check_at(reader, 0);
	log_reader_close(reader);
}

static void every_place_is_found(void **state)
{
	(void)state;
	static const uint64_t sizes[] = {4096, 20000, 1 << 20};
	tool_stop_clock();
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		char *folder = unit_folder();
		struct log *log = write_log(folder, sizes[i]);
		check_all_places(folder);
		log_close(log);
		log = tool_open(folder, sizes[i]);
		check_all_places(folder);
		log_close(log);
		unit_folder_remove(folder);
	}
	clock_ops = tool_real_clock;
}

static void an_index_is_only_a_help(void **state)
{
	(void)state;
	tool_stop_clock();
	char *folder = unit_folder();
	struct log *log = write_log(folder, 4096);
	for (uint32_t number = 1; number < 5; number++) {
		const char *path = tool_segment(folder, number, ".idx");
		struct tool_file file = tool_load(path);
		if (number == 1)
			assert_int_equal(unlink(path), 0);
		if (number == 2)
			tool_store(path, "MSLOGIDX", 8);
		if (number == 3) { /* of another segment, its checksum in order */
			struct index_of of = {3, 12345, 99999};
			struct index_entry entry = {.offset = 8192};
			struct buf bytes = buf_of(1000);
			index_write(&of, &entry, 1, &bytes);
			tool_store(path, bytes.at, bytes.len);
			buf_release(&bytes);
		}
		if (number == 4) {
			file.bytes[40] ^= 1;
			tool_store(path, file.bytes, file.len);
		}
		free(file.bytes);
	}
	check_all_places(folder);
	log_close(log);
	clock_ops = tool_real_clock;
	unit_folder_remove(folder);
}

/* Segments of several megabytes: indexes with more than one entry. */
static void an_index_leads_near_the_place(void **state)
{
	(void)state;
	static const struct tool_plan wide = {.shards = 1, .codec = LOG_PLAIN, .line_len = 30000};
	char *folder = unit_folder();
	struct log *log = tool_open(folder, 4 << 20);
	uint64_t next = tool_write(&wide, log, 1, 10, 50); /* 15 MB */
	struct log_reader *reader = tool_reader(folder);
	struct fault fault;
	struct goal goal = {.kind = GOAL_ORDINAL};
	for (goal.ordinal = 1; goal.ordinal < next; goal.ordinal += 7) {
		assert_rc(go_near(reader, &goal, &fault));
		uint64_t near = reader->at;
		assert_rc(walk_to(reader, &goal, &fault));
		bool is_sealed = access(tool_segment(folder, address_segment(reader->at), ".seg"),
					 F_OK) == 0 &&
			address_segment(reader->at) < log->head.number;
		assert_true(!is_sealed || address_segment(near) != address_segment(reader->at) ||
			reader->at - near < 2 * INDEX_STEP);
		struct log_view *view = NULL;
		assert_rc(log_read(reader, &view, &fault));
		assert_true(view->first_ordinal <= goal.ordinal &&
			view->first_ordinal + view->count > goal.ordinal);
		tool_check_view(&wide, reader, view);
	}
	log_reader_close(reader);
	log_close(log);
	unit_folder_remove(folder);
}

static void what_is_gone_is_told(void **state)
{
	(void)state;
	tool_stop_clock();
	char *folder = unit_folder();
	struct log *log = write_log(folder, 4096);
	struct log_reader *reader = tool_reader(folder);
	struct log_retention retention = {.size_max = 12000, .keep_from = UINT64_MAX};
	struct log_retained retained;
	struct fault fault;
	assert_rc(log_retain(log, &retention, &retained, &fault));
	assert_true(retained.dropped_segments > 0);
	int oldest = 0;
	while (address_segment(wrote[oldest].address) != retained.dropped_segments + 1)
		oldest++;
	assert_int_equal(log_seek_ordinal(reader, 0, &fault), RC_TRIMMED);
	assert_int_equal(log_seek_ordinal(reader, retained.first_ordinal - 1, &fault), RC_TRIMMED);
	assert_rc(log_seek_ordinal(reader, retained.first_ordinal, &fault));
	assert_int_equal(log_seek_address(reader, wrote[0].address, &fault), RC_TRIMMED);
	assert_int_equal(log_seek_address(reader, 0, &fault), RC_TRIMMED);
	assert_int_equal(log_seek_address(reader, wrote[BATCHES - 1].next_address + 8, &fault),
		RC_NOT_FOUND);
	assert_rc(log_seek_arrival(reader, wrote[0].arrival_us, &fault));
	check_at(reader, oldest);
	assert_rc(log_seek_oldest(reader, &fault));
	check_at(reader, oldest);
	log_reader_close(reader);
	log_close(log);
	clock_ops = tool_real_clock;
	unit_folder_remove(folder);
}

static void an_address_inside_of_a_batch_is_not_read(void **state)
{
	(void)state;
	tool_stop_clock();
	char *folder = unit_folder();
	struct log *log = write_log(folder, 1 << 20);
	struct log_reader *reader = tool_reader(folder);
	struct log_view *view = NULL;
	struct fault fault;
	assert_rc(log_seek_address(reader, wrote[3].address + 8, &fault));
	assert_int_equal(log_read(reader, &view, &fault), RC_CORRUPT);
	log_reader_close(reader);
	log_close(log);
	clock_ops = tool_real_clock;
	unit_folder_remove(folder);
}

static void bounds_are_what_is_there(void **state)
{
	(void)state;
	tool_stop_clock();
	char *folder = unit_folder();
	struct log *log = write_log(folder, 4096);
	struct log_reader *reader = tool_reader(folder);
	struct log_view *view = NULL;
	struct fault fault;
	uint64_t first = 0, next = 0, bytes = 0;
	assert_rc(log_seek_ordinal(reader, wrote[5].first, &fault));
	assert_rc(log_read(reader, &view, &fault));
	assert_rc(log_bounds(reader, &first, &next, &bytes, &fault));
	assert_int_equal(first, 100);
	assert_int_equal(next, log_end(log)->next_ordinal);
	tool_check_view(&plan, reader, view); /* the view and the place have stayed */
	check_at(reader, 6);
	char command[300];
	snprintf(command, sizeof command, "test $(cat '%s'/*.seg | wc -c) = %llu", folder,
		(unsigned long long)bytes);
	assert_int_equal(system(command), 0);
	log_reader_close(reader);
	log_close(log);
	clock_ops = tool_real_clock;
	unit_folder_remove(folder);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_place_is_found),
	cmocka_unit_test(an_index_is_only_a_help),
	cmocka_unit_test(an_index_leads_near_the_place),
	cmocka_unit_test(what_is_gone_is_told),
	cmocka_unit_test(an_address_inside_of_a_batch_is_not_read),
	cmocka_unit_test(bounds_are_what_is_there),
};
UNIT_MAIN(tests)
