#include "unit.h"

#include "log_tools.h"

#include "log/replay.c"

static const struct tool_plan plan = {
	.shards = 3, .codec = LOG_ZSTD, .line_len = 60, .control_every = 25};

/* What was replayed. */
struct seen {
	char head[64];
	int heads, batches, controls;
	uint64_t next;
	enum rc answer;
};

static enum rc write_head(void *context, struct buf *out, struct fault *fault)
{
	(void)fault;
	buf_format(out, "head %d", ++*(int *)context);
	return RC_OK;
}

static enum rc see_head(void *context, struct slice head, struct fault *fault)
{
	(void)fault;
	struct seen *seen = context;
	assert_int_equal(seen->batches, 0);
	snprintf(seen->head, sizeof seen->head, "%.*s", SLICE_ARGS(head));
	seen->heads++;
	return RC_OK;
}

static enum rc see_batch(
	void *context, struct log_reader *reader, struct log_view *view, struct fault *fault)
{
	struct seen *seen = context;
	char mark[64];
	snprintf(mark, sizeof mark, "after %llu",
		(unsigned long long)(view->first_ordinal + view->count));
	assert_slice(view->mark, mark);
	assert_true(seen->batches == 0 || view->first_ordinal == seen->next);
	seen->next = view->first_ordinal + view->count;
	seen->batches++;
	if (view->flags & LOG_HAS_CONTROL) {
		tool_check_view(&plan, reader, view);
		seen->controls++;
	} else {
		assert_int_equal(view->run_count, 0);
	}
	return seen->answer == RC_OK ? RC_OK : fault_set(fault, seen->answer, "no more");
}

static void the_newest_segment_is_replayed(void **state)
{
	(void)state;
	char *folder = unit_folder();
	int segments = 0, batches = 0, controls = 0;
	uint64_t next = 1;
	for (int round = 0; round < 40; round++) {
		struct log *log = NULL;
		struct fault fault;
		struct log_options options = {.folder = folder,
			.segment_size = 20000,
			.write_head = write_head,
			.context = &segments};
		assert_rc(log_open(&options, &log, &fault));
		struct seen seen = {0};
		assert_rc(log_replay_last_segment(log, see_head, see_batch, &seen, &fault));
		assert_int_equal(seen.heads, round > 0);
		if (round > 0) {
			char head[64];
			snprintf(head, sizeof head, "head %d", segments);
			assert_string_equal(seen.head, head);
			assert_true(seen.batches > 0);
			assert_int_equal(seen.next, next);
			batches += seen.batches;
			controls += seen.controls;
			seen = (struct seen){.answer = RC_CONFLICT};
			assert_int_equal(
				log_replay_last_segment(log, see_head, see_batch, &seen, &fault),
				RC_CONFLICT);
			assert_string_equal(fault.text, "no more");
			assert_int_equal(seen.batches, 1);
		}
		next = tool_write(&plan, log, next, 10, 1 + round % 4 * 4);
		log_close(log);
	}
	assert_true(segments > 4 && controls > 40 && controls < batches);
	unit_folder_remove(folder);
}

static void damage_is_found_on_the_way(void **state)
{
	(void)state;
	char *folder = unit_folder();
	struct log *log = tool_open(folder, 1 << 20);
	(void)tool_write(&plan, log, 1, 10, 20);
	log_close(log);
	const char *path = tool_segment(folder, 1, ".seg");
	struct tool_file file = tool_load(path);
	file.bytes[4096 + 60] ^= 4; /* the first header; recovery only looks at the last batch */
	tool_store(path, file.bytes, file.len);
	free(file.bytes);
	log = tool_open(folder, 1 << 20);
	struct seen seen = {0};
	struct fault fault;
	assert_int_equal(
		log_replay_last_segment(log, see_head, see_batch, &seen, &fault), RC_CORRUPT);
	assert_non_null(strstr(fault.text, " at 4096:"));
	log_close(log);
	unit_folder_remove(folder);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_newest_segment_is_replayed),
	cmocka_unit_test(damage_is_found_on_the_way),
};
UNIT_MAIN(tests)
