#include "sinks/deliver.c"
#include "stream.h"

/* ---- a target that does what the documents say ----
 *
 * It stands in the place of the Elasticsearch sink (the linker takes ours first). A document with
 * the word "refuse" in it is refused while `refuse` holds; with "busy", it is to be tried again
 * while `busy` counts down; everything else takes effect unless the target has a newer version. A
 * deleted document's version is forgotten at once, as a real target does after a while. */

enum { DOCS_MAX = 64, CALLS_MAX = 400 };

static struct fake {
	pthread_mutex_t mutex;
	struct doc {
		char key[64], text[200];
		uint64_t version;
	} docs[DOCS_MAX];
	size_t doc_count;
	atomic_bool refuse;
	atomic_int busy, away; /* tries of an item, of a whole round, that fail first */
	atomic_int rounds;
	int64_t retry_after_us;
	char calls[CALLS_MAX][100]; /* what took effect, in order: "c shop.ads|1", "t shop.ads" */
	size_t call_count;
} fake = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void note(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	assert(fake.call_count < CALLS_MAX);
	vsnprintf(fake.calls[fake.call_count++], sizeof fake.calls[0], format, args);
	va_end(args);
}

static struct doc *doc_of(struct slice key)
{
	for (size_t i = 0; i < fake.doc_count; i++) {
		if (slice_equal(slice_text(fake.docs[i].key), key))
			return &fake.docs[i];
	}
	return NULL;
}

static void drop_doc(struct doc *doc)
{
	*doc = fake.docs[--fake.doc_count];
}

static void change(struct sink_item *item)
{
	struct doc *doc = doc_of(item->key);
	if (doc && doc->version >= item->view.ordinal) {
		item->outcome = SINK_STALE;
		return;
	}
	item->outcome = SINK_DONE;
	note("%c %.*s", (char)item->view.op, SLICE_ARGS(item->key));
	if (item->view.op == EVENT_DELETE) {
		if (doc)
			drop_doc(doc);
		return;
	}
	if (!doc) {
		assert(fake.doc_count < DOCS_MAX);
		doc = &fake.docs[fake.doc_count++];
	}
	snprintf(doc->key, sizeof doc->key, "%.*s", SLICE_ARGS(item->key));
	snprintf(doc->text, sizeof doc->text, "%.*s", SLICE_ARGS(item->view.after));
	doc->version = item->view.ordinal;
}

static bool says(const struct sink_item *item, const char *word)
{
	return memmem(item->line.at, item->line.len, word, strlen(word)) != NULL;
}

static enum rc fake_open(const struct sink_place *place, void **ret_target, struct fault *fault)
{
	(void)place;
	(void)fault;
	*ret_target = &fake;
	return RC_OK;
}

static void fake_close(void *target)
{
	(void)target;
}

static const char *fake_where(const void *target)
{
	(void)target;
	return "fake";
}

static void fake_start_over(const void *target, struct buf *out)
{
	(void)target;
	buf_text(out, "forget everything");
}

static enum rc fake_load(void *target, uint64_t *ret_next, struct fault *fault)
{
	(void)target;
	(void)ret_next;
	return fault_set(fault, RC_NOT_FOUND, "none");
}

static enum rc fake_begin(void *target, struct fault *fault)
{
	(void)target;
	(void)fault;
	return RC_OK;
}

static void fake_rollback(void *target)
{
	(void)target;
}

static enum rc fake_apply(void *target, struct sink_round *round, struct fault *fault)
{
	(void)target;
	atomic_fetch_add(&fake.rounds, 1);
	if (atomic_load(&fake.away) > 0) {
		atomic_fetch_sub(&fake.away, 1);
		return fault_set(fault, RC_UNREACHABLE, "the fake is away");
	}
	pthread_mutex_lock(&fake.mutex);
	for (size_t i = 0; i < round->count; i++) {
		struct sink_item *item = &round->items[i];
		if (item->outcome != SINK_RETRY)
			continue;
		if (says(item, "refuse") && atomic_load(&fake.refuse)) {
			sink_refuse(item, "the fake does not like it");
		} else if (says(item, "busy") && atomic_load(&fake.busy) > 0) {
			atomic_fetch_sub(&fake.busy, 1);
			(void)fault_set(&round->why, RC_THROTTLED, "the fake is busy");
			round->retry_after_us = fake.retry_after_us;
		} else {
			change(item);
		}
	}
	pthread_mutex_unlock(&fake.mutex);
	return RC_OK;
}

static enum rc fake_truncate(void *target, const struct event_view *control,
	const atomic_bool *stop, struct fault *fault)
{
	(void)target;
	(void)stop;
	(void)fault;
	pthread_mutex_lock(&fake.mutex);
	note("t %.*s.%.*s", SLICE_ARGS(control->database), SLICE_ARGS(control->table));
	fake.doc_count = 0;
	pthread_mutex_unlock(&fake.mutex);
	return RC_OK;
}

static enum rc fake_schema(void *target, const struct event_view *control, struct fault *fault)
{
	(void)target;
	(void)fault;
	note("s %.*s", SLICE_ARGS(control->table));
	return RC_OK;
}

static enum rc fake_commit(void *target, uint64_t next, struct fault *fault)
{
	(void)target;
	(void)next;
	(void)fault;
	return RC_OK;
}

const struct sink_ops sink_elastic = {
	.open = fake_open,
	.close = fake_close,
	.where = fake_where,
	.start_over = fake_start_over,
	.load = fake_load,
	.begin = fake_begin,
	.rollback = fake_rollback,
	.apply = fake_apply,
	.truncate = fake_truncate,
	.schema = fake_schema,
	.commit = fake_commit,
};

static const char *calls(void)
{
	static char text[CALLS_MAX * 30];
	text[0] = 0;
	for (size_t i = 0; i < fake.call_count; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? "; " : "",
			fake.calls[i]);
	return text;
}

static void forget_all(void)
{
	fake.doc_count = fake.call_count = 0;
	fake.retry_after_us = 0;
	fake.refuse = false;
	fake.busy = fake.away = fake.rounds = 0;
}

/* ---- set-up ---- */

static struct stream stream;
static struct config config;
static struct stage *stage;

static int set_up(void **state)
{
	char *folder = unit_folder();
	*state = folder;
	forget_all();
	stream_open(&stream, folder, 2);
	sink_config(&config, SETTINGS("type=elasticsearch", "retry_max=20ms"));
	stage = unit_stage("sink:x");
	return 0;
}

static int tear_down(void **state)
{
	config_release(&config);
	stream_close(&stream);
	unit_folder_remove(*state);
	return 0;
}

static const char *letters_path(void)
{
	static char path[400];
	snprintf(path, sizeof path, "%s/dead-letters/x.db", stream.data);
	return path;
}

#define assert_letters(text) \
	assert_string_equal(sql_ask(letters_path(), \
				    "SELECT group_concat(ordinal || ' ' || state || ' ' ||" \
				    " ifnull(superseded_by, '-'), '; ') FROM letters"), \
		text)

static uint64_t saved_checkpoint(void)
{
	uint64_t next = 0;
	assert_rc(hub_checkpoint_load(stream.folder, "sink-x", &next, NULL));
	return next;
}

static struct dead_result replay(void)
{
	struct sink_options options = sink_options_of(&stream, &config);
	struct dead_filter filter = {0};
	struct dead_result result;
	struct fault fault = {0};
	options.stage = NULL;
	enum rc rc = sinks_dead_replay(&options, &filter, &result, &fault);
	if (rc != RC_OK)
		print_error("%s\n", fault.text);
	assert_rc(rc);
	return result;
}

/* ---- tests ---- */

static void delivers_in_order_across_shards(void **state)
{
	(void)state;
	for (unsigned id = 1; id <= 5; id++)
		stream_id(&stream, 'c', "ads", id, "%s", "");
	stream_commit(&stream);
	stream_id(&stream, 'u', "ads", 3, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_string_equal(calls(),
		"c shop.ads|1; c shop.ads|2; c shop.ads|3; c shop.ads|4; "
		"c shop.ads|5; u shop.ads|3");
	assert_int_equal(saved_checkpoint(), 6);
	assert_int_equal(stage_get(stage, STAGE_EVENTS), 6);
	assert_int_equal(stage_get(stage, STAGE_NEXT_ORDINAL), 6);
	/* the next run begins at the checkpoint */
	sink_run_well(&stream, &config);
	assert_int_equal(fake.call_count, 6);
}

static void begins_before_the_stream_has_anything(void **state)
{
	(void)state;
	struct sink_options options = sink_options_of(&stream, &config);
	struct sink *sink;
	struct fault fault = {0};
	assert_rc(sink_start(&options, &sink, &fault));
	clock_sleep_us(250000);
	assert_rc(sink_failed(sink, &fault));
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_commit(&stream);
	sink_drain(sink, stream.next);
	assert_rc(sink_join(sink, &fault));
	assert_string_equal(calls(), "c shop.ads|1");
}

/* Fills segments of 1 MiB with what does not compress, until the first events are gone. */
static void fill_until_trimmed(void)
{
	uint32_t seed = 1;
	char noise[3001] = {0};
	for (int round = 0; round < 100; round++) {
		struct hub_reader *reader;
		struct hub_start start = {.from = HUB_AT_ORDINAL, .ordinal = 1};
		enum rc rc = hub_reader_open(stream.folder, &start, &reader, NULL);
		if (rc == RC_TRIMMED)
			return;
		assert_rc(rc);
		hub_reader_close(reader);
		for (unsigned i = 0; i < 400; i++) {
			for (size_t j = 0; j < sizeof noise - 1; j++) {
				seed = seed * 1664525 + 1013904223;
				noise[j] = (char)('0' + (seed >> 24) % 64);
				if (noise[j] == '\\')
					noise[j] = 'z';
			}
			stream_id(&stream, 'u', "ads", i % 9, ",\"x\":\"%s\"", noise);
		}
		stream_commit(&stream);
		clock_sleep_us(100000);
	}
	fail_msg("nothing was trimmed");
}

static void a_trimmed_start_stops_it_by_name(void **state)
{
	(void)state;
	struct fault fault;
	char *data = mem_text(stream.data);
	stream_close(&stream);
	stream_open_small(&stream, data, 2, 3 << 20);
	mem_free(data);
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_id(&stream, 'c', "ads", 2, "%s", "");
	stream_commit(&stream);
	assert_rc(hub_checkpoint_save(stream.folder, "sink-x", 1, NULL));
	fill_until_trimmed();
	/* one that wants what is gone does not jump */
	assert_int_equal(sink_run(&stream, &config, &fault), RC_TRIMMED);
	assert_non_null(strstr(fault.text, "sink 'x' cannot go on where it was"));
	assert_non_null(strstr(fault.hint, "forget everything"));
	assert_int_equal(saved_checkpoint(), 1);
	assert_int_equal(fake.call_count, 0);
}

static void filters_and_moves_on_all_the_same(void **state)
{
	(void)state;
	struct config some;
	sink_config(&some,
		SETTINGS("type=elasticsearch", "tables=shop.a*,other", "exclude=shop.adverts"));
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_id(&stream, 'c', "adverts", 1, "%s", "");
	stream_id(&stream, 'c', "boats", 1, "%s", "");
	stream_row(&stream, 'c', "other", "t\\\"q", "{\"id\":1}", "1", "{\"id\":1}");
	stream_control(&stream, 't', "shop", "boats", "");
	stream_id(&stream, 'c', "boats", 2, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &some);
	assert_string_equal(calls(), "c shop.ads|1; c other.t\\\"q|1");
	assert_int_equal(saved_checkpoint(), 6);
	config_release(&some);
}

static void a_control_record_is_a_barrier(void **state)
{
	(void)state;
	stream_control(&stream, 's', "shop", "ads",
		",\"columns\":[{\"name\":\"id\",\"type\":\"int\",\"null\":false}],"
		"\"primary_key\":[\"id\"]");
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_id(&stream, 'c', "ads", 2, "%s", "");
	stream_control(&stream, 't', "shop", "ads", "");
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_control(&stream, 't', "shop", NULL, ",\"drop\":true");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_string_equal(
		calls(), "s ads; c shop.ads|1; c shop.ads|2; t shop.ads; c shop.ads|1; t shop.");
	assert_int_equal(saved_checkpoint(), 6);
}

static void tries_again_only_what_needs_it(void **state)
{
	(void)state;
	fake.busy = 3;
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_id(&stream, 'c', "ads", 2, ",\"x\":\"busy\"");
	stream_id(&stream, 'c', "ads", 3, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_string_equal(calls(), "c shop.ads|1; c shop.ads|3; c shop.ads|2");
	assert_int_equal(stage_get(stage, STAGE_RETRIES), 3);
	assert_int_equal(fake.rounds, 4);
	assert_int_equal(stage_get(stage, STAGE_SKIPPED), 0);
}

/* The fake forgets what it deleted: were the create tried again after the delete, the row would be
 * back for good. */
static void an_older_event_is_not_tried_after_a_newer_one(void **state)
{
	(void)state;
	fake.busy = 1;
	stream_id(&stream, 'c', "ads", 1, ",\"x\":\"busy\"");
	stream_id(&stream, 'd', "ads", 1, "%s", "");
	stream_id(&stream, 'c', "ads", 2, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_string_equal(calls(), "d shop.ads|1; c shop.ads|2");
	assert_int_equal(fake.doc_count, 1);
	assert_int_equal(stage_get(stage, STAGE_SKIPPED), 1);
}

static void waits_while_the_target_is_away(void **state)
{
	(void)state;
	fake.away = 4;
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_int_equal(stage_get(stage, STAGE_RETRIES), 4);
	assert_string_equal(calls(), "c shop.ads|1");
}

static void honours_what_the_target_asks_for(void **state)
{
	(void)state;
	fake.busy = 1;
	fake.retry_after_us = 300000;
	stream_id(&stream, 'c', "ads", 1, ",\"x\":\"busy\"");
	stream_commit(&stream);
	int64_t begin = clock_monotonic_us();
	sink_run_well(&stream, &config);
	assert_true(clock_monotonic_us() - begin >= 300000);
}

static void stops_in_the_middle_of_a_pause(void **state)
{
	(void)state;
	struct config slow;
	struct sink *sink;
	struct fault fault = {0};
	sink_config(&slow, SETTINGS("type=elasticsearch", "retry_max=1h"));
	struct sink_options options = sink_options_of(&stream, &slow);
	fake.busy = 1000000;
	fake.retry_after_us = INT64_C(1000000000);
	stream_id(&stream, 'c', "ads", 1, ",\"x\":\"busy\"");
	stream_commit(&stream);
	assert_rc(sink_start(&options, &sink, &fault));
	for (int i = 0; stage_get(stage, STAGE_STATE) != STAGE_WAITING; i++) {
		assert_true(i < 500);
		clock_sleep_us(10000);
	}
	assert_rc(sink_failed(sink, &fault));
	int64_t begin = clock_monotonic_us();
	sink_stop(sink);
	assert_rc(sink_join(sink, &fault));
	assert_true(clock_monotonic_us() - begin < 1000000);
	assert_int_equal(
		hub_checkpoint_load(stream.folder, "sink-x", &stream.next, NULL), RC_NOT_FOUND);
	config_release(&slow);
}

static void refused_documents_become_letters(void **state)
{
	(void)state;
	struct fault fault = {0};
	fake.refuse = true;
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_id(&stream, 'c', "ads", 2, ",\"x\":\"refuse\"");
	stream_id(&stream, 'c', "ads", 3, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_string_equal(calls(), "c shop.ads|1; c shop.ads|3");
	assert_int_equal(saved_checkpoint(), 3);
	assert_int_equal(stage_get(stage, STAGE_DEAD), 1);
	assert_letters("1 waiting -");
	assert_string_equal(sql_ask(letters_path(),
				    "SELECT sink || source_db || source_table || key ||"
				    " partition_key || reason FROM letters"),
		"xshopads{\"id\":2}shop.ads|2the fake does not like it");
	/* the whole line, as it was */
	char path[400], line[1000];
	snprintf(path, sizeof path, "%s/lines.ndjson", stream.data);
	FILE *file = fopen(path, "r");
	assert_non_null(fgets(line, sizeof line, file));
	assert_non_null(fgets(line, sizeof line, file));
	fclose(file);
	line[strlen(line) - 1] = 0;
	assert_string_equal(sql_ask(letters_path(), "SELECT line FROM letters"), line);
	/* refused again: it waits on */
	struct dead_result result = replay();
	assert_int_equal(result.refused, 1);
	assert_letters("1 waiting -");
	assert_string_equal(sql_ask(letters_path(), "SELECT tries FROM letters"), "1");
	fake.refuse = false;
	result = replay();
	assert_int_equal(result.replayed, 1);
	assert_letters("1 replayed -");
	assert_string_equal(calls(), "c shop.ads|1; c shop.ads|3; c shop.ads|2");
	(void)fault;
}

static void something_newer_supersedes_a_letter(void **state)
{
	(void)state;
	fake.refuse = true;
	stream_id(&stream, 'c', "ads", 1, ",\"x\":\"refuse\"");
	stream_id(&stream, 'c', "ads", 2, ",\"x\":\"refuse\"");
	stream_id(&stream, 'c', "ads", 3, ",\"x\":\"refuse\"");
	stream_id(&stream, 'u', "ads", 3, ",\"x\":\"refuse\"");
	stream_id(&stream, 'c', "ads", 4, ",\"x\":\"refuse\"");
	stream_id(&stream, 'u', "ads", 4, ",\"x\":\"fine\"");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_letters("0 waiting -; 1 waiting -; 2 superseded 3; 3 waiting -; 4 superseded 5");
	stream_id(&stream, 'd', "ads", 1, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_letters("0 superseded 6; 1 waiting -; 2 superseded 3; 3 waiting -; 4 superseded 5");
	fake.refuse = false;
	struct dead_result result = replay();
	assert_int_equal(result.replayed, 2);
	assert_int_equal(fake.doc_count, 3); /* 2, 3, 4; the deleted 1 is not back */
	assert_null(doc_of(SLICE("shop.ads|1")));
	assert_string_equal(doc_of(SLICE("shop.ads|4"))->text, "{\"id\":4,\"x\":\"fine\"}");
}

static void a_truncate_supersedes_the_letters_of_its_table(void **state)
{
	(void)state;
	fake.refuse = true;
	stream_id(&stream, 'c', "ads", 1, ",\"x\":\"refuse\"");
	stream_id(&stream, 'c', "cars", 1, ",\"x\":\"refuse\"");
	stream_control(&stream, 't', "shop", "ads", "");
	stream_id(&stream, 'c', "ads", 2, ",\"x\":\"refuse\"");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_letters("0 superseded 2; 1 waiting -; 3 waiting -");
	stream_control(&stream, 't', "shop", NULL, ",\"drop\":true");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_letters("0 superseded 2; 1 superseded 4; 3 superseded 4");
	fake.refuse = false;
	struct dead_result result = replay();
	assert_int_equal(result.replayed + result.superseded + result.refused, 0);
}

static void a_letter_is_kept_once_over_replays_of_the_stream(void **state)
{
	(void)state;
	fake.refuse = true;
	stream_id(&stream, 'c', "ads", 1, ",\"x\":\"refuse\"");
	stream_id(&stream, 'c', "ads", 2, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_rc(hub_checkpoint_save(stream.folder, "sink-x", 0, NULL));
	sink_run_well(&stream, &config);
	assert_letters("0 waiting -");
	assert_int_equal(stage_get(stage, STAGE_SKIPPED), 1);
}

static void stops_at_a_refused_document_when_told_so(void **state)
{
	(void)state;
	struct config strict;
	struct fault fault;
	sink_config(&strict, SETTINGS("type=elasticsearch", "retry_max=20ms", "dead_letters=stop"));
	fake.refuse = true;
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_id(&stream, 'c', "ads", 2, ",\"x\":\"refuse\"");
	stream_id(&stream, 'c', "ads", 3, "%s", "");
	stream_commit(&stream);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sink_run(&stream, &strict, &fault), RC_REFUSED);
		assert_non_null(strstr(fault.text, "event 1 of 'shop.ads', key {\"id\":2}"));
		assert_non_null(strstr(fault.hint, "sinks.x.dead_letters"));
		assert_int_equal(saved_checkpoint(), 1);
		assert_int_equal(stage_get(stage, STAGE_STATE), STAGE_FAILED);
	}
	assert_letters("(null)");
	fake.refuse = false;
	sink_run_well(&stream, &strict);
	assert_int_equal(saved_checkpoint(), 3);
	assert_int_equal(fake.doc_count, 3);
	config_release(&strict);
}

static void cuts_batches_by_count_and_size(void **state)
{
	(void)state;
	struct config small;
	sink_config(&small, SETTINGS("type=elasticsearch", "batch_count=3"));
	for (unsigned id = 1; id <= 10; id++)
		stream_id(&stream, 'c', "ads", id, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &small);
	assert_int_equal(stage_get(stage, STAGE_BATCHES), 4);
	config_release(&small);
	sink_config(&small, SETTINGS("type=elasticsearch", "batch_size=1KiB"));
	char large[3000];
	memset(large, 'y', sizeof large);
	large[sizeof large - 1] = 0;
	for (unsigned id = 11; id <= 14; id++)
		stream_id(&stream, 'c', "ads", id, ",\"x\":\"%s\"", id == 12 ? large : "");
	stream_commit(&stream);
	sink_run_well(&stream, &small);
	assert_int_equal(stage_get(stage, STAGE_BATCHES), 3);
	assert_int_equal(fake.doc_count, 14);
	config_release(&small);
}

static void refuses_a_row_that_is_not_whole(void **state)
{
	(void)state;
	struct fault fault;
	static const char columns[] =
		",\"columns\":[{\"name\":\"id\",\"type\":\"int\",\"null\":false},"
		"{\"name\":\"x\",\"type\":\"json\",\"null\":true}],\"primary_key\":[\"id\"]";
	stream_control(&stream, 's', "shop", "ads", columns);
	stream_id(&stream, 'c', "ads", 1, ",\"x\":{\"a\":[1,2],\"b\":\"}\"}");
	stream_id(&stream, 'd', "ads", 1, "%s", "");
	stream_id(&stream, 'u', "ads", 1, "%s", "");
	stream_commit(&stream);
	assert_int_equal(sink_run(&stream, &config, &fault), RC_UNFIT);
	assert_non_null(strstr(fault.text, "only 1 of the 2 columns"));
	assert_string_equal(calls(), "s ads; c shop.ads|1; d shop.ads|1");
	assert_int_equal(saved_checkpoint(), 3);
	/* rows from before the schema that is known are not measured by it */
	assert_rc(hub_checkpoint_save(stream.folder, "sink-x", 3, NULL));
	stream_control(&stream, 's', "shop", "cars", columns);
	stream_commit(&stream);
	sql_ask(letters_path(), "UPDATE tables SET columns_since = 100");
	sink_run_well(&stream, &config);
}

static void a_line_that_is_none_stops_it(void **state)
{
	(void)state;
	struct fault fault;
	stream_put(&stream, mem_text("not a line\n"), "k", false);
	stream_commit(&stream);
	assert_int_equal(sink_run(&stream, &config, &fault), RC_CORRUPT);
	assert_non_null(strstr(fault.text, "record 0"));
}

static void many_waiting_keys_overflow_into_look_ups(void **state)
{
	(void)state;
	fake.refuse = true;
	stream_id(&stream, 'c', "ads", 1, ",\"x\":\"refuse\"");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	sql_ask(letters_path(),
		"WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
		" INSERT INTO letters SELECT i, 'x', 'shop', 'ads', '{\"id\":' || i || '}',"
		" 'shop.ads|' || i, '', '{}', 1, 1, 0, 'waiting', NULL FROM n",
		100 + WAITING_KEYS_MAX + 10);
	stream.next = stream.batch_first = 1 << 20;
	stream_id(&stream, 'u', "ads", 1, "%s", "");
	stream_id(&stream, 'u', "ads", 100, "%s", "");
	stream_id(&stream, 'u', "ads", 70000, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_string_equal(sql_ask(letters_path(),
				    "SELECT group_concat(ordinal) FROM letters"
				    " WHERE state = 'superseded'"),
		"0,100");
	stream_id(&stream, 'u', "ads", 60000, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_string_equal(sql_ask(letters_path(),
				    "SELECT group_concat(ordinal) FROM letters"
				    " WHERE state = 'superseded'"),
		"0,100,60000");
}

struct listing {
	char text[2000];
	size_t enough;
};

static enum rc list_one(void *context, const struct dead_letter *letter, struct fault *fault)
{
	struct listing *listing = context;
	(void)fault;
	snprintf(listing->text + strlen(listing->text),
		sizeof listing->text - strlen(listing->text), "%s%llu %.*s %s %.*s",
		listing->text[0] ? "; " : "", (unsigned long long)letter->ordinal,
		SLICE_ARGS(letter->table), dead_state_name(letter->state), SLICE_ARGS(letter->key));
	return listing->enough && --listing->enough == 0 ? RC_END : RC_OK;
}

static const char *list(struct dead_filter filter, size_t enough)
{
	static struct listing listing;
	struct fault fault = {0};
	listing = (struct listing){.enough = enough};
	assert_rc(sinks_dead_list(stream.data, "x", &filter, list_one, &listing, &fault));
	return listing.text;
}

static void lists_and_discards_letters(void **state)
{
	(void)state;
	uint64_t count;
	struct fault fault = {0};
	struct dead_filter all = {0};
	assert_int_equal(
		sinks_dead_list(stream.data, "x", &all, list_one, NULL, &fault), RC_NOT_FOUND);
	struct sink_options options = sink_options_of(&stream, &config);
	struct dead_result result;
	assert_int_equal(sinks_dead_replay(&options, &all, &result, &fault), RC_NOT_FOUND);
	fake.refuse = true;
	stream_id(&stream, 'c', "ads", 1, ",\"x\":\"refuse\"");
	stream_id(&stream, 'c', "cars", 1, ",\"x\":\"refuse\"");
	stream_id(&stream, 'd', "cars", 1, "%s", "");
	stream_id(&stream, 'c', "ads", 2, ",\"x\":\"refuse\"");
	stream_id(&stream, 'c', "ads", 3, ",\"x\":\"refuse\"");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_string_equal(
		list((struct dead_filter){.table = "cars"}, 0), "1 cars superseded {\"id\":1}");
	assert_string_equal(list((struct dead_filter){.one = true, .ordinal = 3}, 0),
		"3 ads waiting {\"id\":2}");
	assert_string_equal(list((struct dead_filter){.states = 1 << DEAD_WAITING, .limit = 2}, 0),
		"0 ads waiting {\"id\":1}; 3 ads waiting {\"id\":2}");
	assert_string_equal(list((struct dead_filter){.from = 2}, 1), "3 ads waiting {\"id\":2}");
	assert_string_equal(list((struct dead_filter){.database = "nowhere"}, 0), "");
	assert_rc(sinks_dead_discard(stream.data, "x",
		&(struct dead_filter){.one = true, .ordinal = 3}, &count, &fault));
	assert_int_equal(count, 1);
	fake.refuse = false;
	/* only those that are meant, and never a discarded one */
	struct dead_filter first = {.limit = 1};
	assert_rc(sinks_dead_replay(&options, &first, &result, &fault));
	assert_int_equal(result.replayed, 1);
	result = replay();
	assert_int_equal(result.replayed, 1);
	assert_letters("0 replayed -; 1 superseded 2; 3 discarded -; 4 replayed -");
	assert_rc(sinks_dead_discard(stream.data, "x", &all, &count, &fault));
	assert_int_equal(count, 0);
}

/* Replays while the sink runs and delivers newer events for the same keys: whatever the order of
 * the two, the newest event wins, also where the target has forgotten a deleted document. */
static void replay_beside_a_running_sink_never_brings_back_the_old(void **state)
{
	(void)state;
	struct sink_options options = sink_options_of(&stream, &config);
	struct sink *sink;
	struct fault fault = {0};
	enum { KEYS = 40 };
	fake.refuse = true;
	for (unsigned id = 0; id < KEYS; id++)
		stream_id(&stream, 'c', "ads", id, ",\"x\":\"refuse\"");
	stream_commit(&stream);
	assert_rc(sink_start(&options, &sink, &fault));
	while (sink_next(sink) < KEYS)
		clock_sleep_us(1000);
	fake.refuse = false;
	for (unsigned id = 0; id < KEYS; id++) {
		struct dead_filter one = {.one = true, .ordinal = id};
		struct dead_result result;
		stream_id(&stream, 'd', "ads", id, "%s", "");
		stream_commit(&stream);
		if (id % 3 == 0)
			clock_sleep_us(id * 300);
		enum rc rc = sinks_dead_replay(&options, &one, &result, &fault);
		assert_rc(rc);
	}
	sink_drain(sink, stream.next);
	assert_rc(sink_join(sink, &fault));
	assert_int_equal(fake.doc_count, 0);
	assert_string_equal(
		sql_ask(letters_path(), "SELECT count(*) FROM letters WHERE state = 'waiting'"),
		"0");
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	TEST(delivers_in_order_across_shards),
	TEST(begins_before_the_stream_has_anything),
	TEST(a_trimmed_start_stops_it_by_name),
	TEST(filters_and_moves_on_all_the_same),
	TEST(a_control_record_is_a_barrier),
	TEST(tries_again_only_what_needs_it),
	TEST(an_older_event_is_not_tried_after_a_newer_one),
	TEST(waits_while_the_target_is_away),
	TEST(honours_what_the_target_asks_for),
	TEST(stops_in_the_middle_of_a_pause),
	TEST(refused_documents_become_letters),
	TEST(something_newer_supersedes_a_letter),
	TEST(a_truncate_supersedes_the_letters_of_its_table),
	TEST(a_letter_is_kept_once_over_replays_of_the_stream),
	TEST(stops_at_a_refused_document_when_told_so),
	TEST(cuts_batches_by_count_and_size),
	TEST(refuses_a_row_that_is_not_whole),
	TEST(a_line_that_is_none_stops_it),
	TEST(many_waiting_keys_overflow_into_look_ups),
	TEST(lists_and_discards_letters),
	TEST(replay_beside_a_running_sink_never_brings_back_the_old),
};
UNIT_MAIN(tests)
