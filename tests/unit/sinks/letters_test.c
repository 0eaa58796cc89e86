#include "sinks/letters.c"

#include "fake.h"

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

static const struct CMUnitTest tests[] = {
	TEST(refused_documents_become_letters),
	TEST(something_newer_supersedes_a_letter),
	TEST(a_truncate_supersedes_the_letters_of_its_table),
	TEST(a_letter_is_kept_once_over_replays_of_the_stream),
	TEST(many_waiting_keys_overflow_into_look_ups),
	TEST(lists_and_discards_letters),
};
UNIT_MAIN(tests)
