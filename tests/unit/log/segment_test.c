#include "unit.h"

#include "fault_disk.h"
#include "log_tools.h"

#include "log/segment.c"

static const struct tool_plan plan = {
	.shards = 2, .codec = LOG_ZSTD, .line_len = 30, .control_every = 5};

enum { SEGMENT_SIZE = 4096, RECORDS = 12 };

/* ---- listing ---- */

static void only_what_is_behind_the_last_hole_counts(void **state)
{
	(void)state;
	char *folder = unit_folder(), path[300];
	static const uint32_t numbers[] = {2, 3, 5, 6, 7, 4000000000u};
	struct segment_list list;
	bool has_hole = true;
	assert_rc(segment_list_load(folder, &list, &has_hole, NULL));
	assert_int_equal(list.count, 0);
	assert_false(has_hole);
	segment_list_release(&list);
	for (size_t i = 0; i < 6; i++) {
		char text[NAME_SIZE];
		segment_name_write(
			&(struct segment_name){numbers[i], numbers[i] * 10ull}, SEGMENT_DATA, text);
		snprintf(path, sizeof path, "%s/%s", folder, text);
		tool_store(path, "", 0);
		snprintf(path, sizeof path, "%s/%s.old", folder, text);
		tool_store(path, "", 0);
		assert_rc(segment_list_load(folder, &list, &has_hole, NULL));
		static const size_t counts[] = {1, 2, 1, 2, 3, 1};
		assert_int_equal(list.count, counts[i]);
		assert_int_equal(has_hole, i >= 2);
		assert_int_equal(list.at[list.count - 1].first_ordinal, numbers[i] * 10ull);
		segment_list_release(&list);
	}
	unit_folder_remove(folder);
}

/* ---- damage ---- */

static bool names_place(const struct fault *fault, const char *path, uint64_t at_most)
{
	const char *name = strrchr(path, '/') + 1;
	const char *in = strstr(fault->text, name);
	const char *offset = in ? strstr(in, "' at ") : NULL;
	return offset && strtoull(offset + 5, NULL, 10) <= at_most && fault->hint[0];
}

/* A log with one damaged byte is opened and read to its end. What is read is right; if it is not
 * all, the fault names the file and a place at or in front of the damage. */
static enum rc read_damaged(
	const char *folder, const char *path, uint64_t at, uint64_t next, bool has_tip)
{
	struct log *log = NULL;
	struct fault fault = {0};
	struct log_options options = {.folder = folder, .segment_size = SEGMENT_SIZE};
	enum rc rc = log_open(&options, &log, &fault);
	if (rc != RC_OK) {
		assert_true(rc == RC_CORRUPT || rc == RC_UNSUPPORTED);
		assert_true(rc == RC_UNSUPPORTED || names_place(&fault, path, at));
		return rc;
	}
	uint64_t end = log_end(log)->next_ordinal, cut = log_end(log)->cut_bytes;
	log_close(log);
	/* without a tip, the last group may be taken for a torn one, but not in silence */
	assert_true(end == next || (!has_tip && end == next - RECORDS && cut > 0));
	struct log_reader *reader = tool_reader(folder);
	struct log_view *view = NULL;
	uint64_t got = 1;
	while ((rc = log_read(reader, &view, &fault)) == RC_OK) {
		assert_int_equal(view->first_ordinal, got);
		tool_check_view(&plan, reader, view);
		got += view->count;
	}
	log_reader_close(reader);
	if (rc == RC_END)
		assert_int_equal(got, end);
	else
		assert_true(rc == RC_UNSUPPORTED ||
			(rc == RC_CORRUPT && names_place(&fault, path, at)));
	return rc;
}

/* The padding of a head is long: there, a sample will do. */
static uint64_t next_place(uint64_t at, bool is_segment)
{
	return is_segment && at >= 200 && at < 4000 ? at + 61 : at + 1;
}

static void flip_all(const char *suffix, uint32_t number, bool has_tip, int *ret_counts)
{
	char *folder = unit_folder(), *copy = mem_format("%s-copy", folder), path[800], tip[300];
	struct log *log = tool_open(folder, SEGMENT_SIZE);
	uint64_t next = tool_write(&plan, log, 1, RECORDS, 12);
	log_close(log);
	tool_copy_folder(folder, copy);
	snprintf(tip, sizeof tip, "%s/tip", copy);
	snprintf(path, sizeof path, "%s", number ? tool_segment(copy, number, suffix) : tip);
	struct tool_file file = tool_load(path);
	size_t len = file.len;
	while (len > 0 && file.bytes[len - 1] == 0)
		len--;
	for (uint64_t at = 0; at < len + 8 && at < file.len; at = next_place(at, number > 0)) {
		tool_copy_folder(folder, copy);
		if (!has_tip)
			assert_int_equal(unlink(tip), 0);
		file.bytes[at] ^= (uint8_t)(1 << at % 8);
		tool_store(path, file.bytes, file.len);
		file.bytes[at] ^= (uint8_t)(1 << at % 8);
		enum rc rc = read_damaged(copy, path, at, next, has_tip);
		ret_counts[rc]++;
	}
	free(file.bytes);
	unit_folder_remove(strdup(copy));
	mem_free(copy);
	unit_folder_remove(folder);
}

static void a_flipped_bit_of_a_sealed_segment_is_found(void **state)
{
	(void)state;
	int counts[32] = {0};
	flip_all(".seg", 2, true, counts);
	assert_true(counts[RC_CORRUPT] > 2000);
	assert_true(counts[RC_END] < 400); /* the owner's part of an old head is read by nobody */
}

static void a_flipped_bit_of_the_last_segment_is_found(void **state)
{
	(void)state;
	int counts[32] = {0};
	flip_all(".seg", 3, true, counts);
	assert_true(counts[RC_CORRUPT] > 1000);
	assert_true(counts[RC_END] <= 8); /* zeros behind the last batch */
	memset(counts, 0, sizeof counts);
	flip_all(".seg", 3, false, counts);
	assert_true(counts[RC_CORRUPT] > 500);
}

static void a_flipped_bit_of_tip_or_index_does_no_harm(void **state)
{
	(void)state;
	int counts[32] = {0};
	flip_all(".idx", 1, true, counts);
	flip_all("", 0, true, counts);
	assert_int_equal(counts[RC_CORRUPT], 0);
	assert_true(counts[RC_END] > 100);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(only_what_is_behind_the_last_hole_counts),
	cmocka_unit_test(a_flipped_bit_of_a_sealed_segment_is_found),
	cmocka_unit_test(a_flipped_bit_of_the_last_segment_is_found),
	cmocka_unit_test(a_flipped_bit_of_tip_or_index_does_no_harm),
};

int main(void)
{
	thread_assert_off();
	fault_disk_start(); /* which syncs nothing: these tests lose no power */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
