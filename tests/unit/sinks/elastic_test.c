#include "sinks/elastic_answer.c"
#include "sinks/elastic_bulk.c"
#include "stream.h"

static struct stream stream;
static struct config config;
static struct hub_meta meta = {.name = "changes", .shards = 1, .created_us = 1};
static struct letters *letters;
static struct elastic_bulk bulk;
static struct fault fault;

static void open_bulk(const char *const *settings)
{
	sink_config(&config, settings);
	assert_rc(letters_open(stream.data, "x", &meta, &letters, &fault));
	struct sink_place place = {
		.name = "x", .settings = config.sinks[0].settings, .letters = letters};
	enum rc rc = elastic_bulk_init(&bulk, &place, NULL, &fault);
	if (rc != RC_OK)
		print_error("%s\n", fault.text);
	assert_rc(rc);
}

static void close_bulk(void)
{
	elastic_bulk_release(&bulk);
	letters_close(letters);
	config_release(&config);
}

static int set_up(void **state)
{
	*state = unit_folder();
	stream.data = *state;
	return 0;
}

static int tear_down(void **state)
{
	unit_folder_remove(*state);
	return 0;
}

static const char *index_of(const char *database, const char *table)
{
	enum rc rc = elastic_index_name(&bulk, slice_text(database), slice_text(table), &fault);
	return rc == RC_OK ? buf_cstring(&bulk.name) : "(none)";
}

static void names_indexes(void **state)
{
	(void)state;
	open_bulk(SETTINGS("type=elasticsearch"));
	assert_string_equal(index_of("shop", "ads"), "shop.ads");
	assert_string_equal(index_of("Shop", "ADS"), "shop.ads");
	assert_string_equal(
		index_of("a b", "c/d\\e*f?g\"h<i>j|k,l#m:n"), "a_b.c_d_e_f_g_h_i_j_k_l_m_n");
	assert_string_equal(index_of("_a", "b"), "x_a.b");
	assert_string_equal(index_of("-a", "b"), "x-a.b");
	assert_string_equal(index_of("ÉTÉ", "Żaba"), "été.żaba");
	char name[300];
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = 0;
	assert_string_equal(index_of("shop", name), "(none)");
	assert_int_equal(fault.rc, RC_CONFIG);
	close_bulk();
	open_bulk(SETTINGS("type=elasticsearch", "index=all-{table}-{db}-v1"));
	assert_string_equal(index_of("shop", "ads"), "all-ads-shop-v1");
	close_bulk();
}

static void refuses_a_pattern_that_is_none(void **state)
{
	(void)state;
	static const char *const bad[] = {"{table", "{schema}", "a}", ""};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(check_pattern("x", bad[i], &fault), RC_CONFIG);
	assert_rc(check_pattern("x", "one", &fault));
}

static const char *id_of(const char *key)
{
	static struct buf out;
	out = buf_of(1 << 12);
	elastic_id(slice_text(key), &out);
	static char text[1000];
	snprintf(text, sizeof text, "%s", buf_cstring(&out));
	buf_release(&out);
	return text;
}

static void makes_ids_of_keys(void **state)
{
	(void)state;
	assert_string_equal(id_of("shop.ads|42"), "42");
	assert_string_equal(id_of("shop.ads|42|de"), "42|de");
	assert_string_equal(id_of("sh\\|op.a\\.ds|4\\|2"), "4\\|2");
	assert_string_equal(id_of("shop.ads|ż\"x"), "ż\"x");
	/* a key that was too long for the stream is a digest already */
	assert_string_equal(
		id_of("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
		"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
	/* printf '' | sha256sum */
	assert_string_equal(id_of("shop.ads|"),
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	/* 256 characters of 3 bytes are too long for an _id */
	char key[800] = "shop.ads|";
	for (int i = 0; i < 240; i++)
		strcat(key, "€");
	char command[1000];
	snprintf(command, sizeof command, "printf '%%s' '%s' | sha256sum | cut -c1-64", key + 9);
	FILE *pipe = popen(command, "r");
	char want[100];
	assert_non_null(fgets(want, sizeof want, pipe));
	pclose(pipe);
	want[64] = 0;
	assert_string_equal(id_of(key), want);
}

static const char *encode(const char *line, const char *key, enum rc *ret_rc)
{
	static struct buf out;
	struct sink_item item = {.line = slice_text(line), .key = slice_text(key)};
	buf_release(&out);
	out = buf_of(1 << 16);
	assert_rc(event_view_read(item.line, &item.view));
	*ret_rc = elastic_encode(&bulk, &item, &out, &fault);
	return buf_cstring(&out);
}

static void encodes_documents_and_deletes(void **state)
{
	(void)state;
	enum rc rc;
	open_bulk(SETTINGS("type=elasticsearch"));
	assert_string_equal(encode("{\"op\":\"c\",\"db\":\"shop\",\"table\":\"ads\",\"ord\":7,"
				   "\"key\":{\"id\":1},\"after\":{\"id\":1,\"t\":\"x\\ny\"}}\n",
				    "shop.ads|1\"", &rc),
		"{\"index\":{\"_index\":\"shop.ads\",\"_id\":\"1\\\"\",\"version\":7,"
		"\"version_type\":\"external\"}}\n"
		"{\"id\":1,\"t\":\"x\\ny\",\"@ord\":7}\n");
	assert_rc(rc);
	assert_string_equal(encode("{\"op\":\"d\",\"db\":\"shop\",\"table\":\"ads\",\"ord\":8,"
				   "\"key\":{\"id\":1},\"before\":{\"id\":1}}\n",
				    "shop.ads|1", &rc),
		"{\"delete\":{\"_index\":\"shop.ads\",\"_id\":\"1\",\"version\":8,"
		"\"version_type\":\"external\"}}\n");
	assert_rc(rc);
	assert_non_null(strstr(encode("{\"op\":\"r\",\"db\":\"shop\",\"table\":\"ads\",\"ord\":9,"
				      "\"key\":{\"id\":1},\"after\":{}}\n",
				       "shop.ads|1", &rc),
		"}}\n{\"@ord\":9}\n"));
	close_bulk();
	open_bulk(SETTINGS("type=elasticsearch", "ordinal_field="));
	assert_non_null(strstr(encode("{\"op\":\"c\",\"db\":\"shop\",\"table\":\"ads\",\"ord\":7,"
				      "\"key\":{\"id\":1},\"after\":{\"id\":1}}\n",
				       "shop.ads|1", &rc),
		"}}\n{\"id\":1}\n"));
	close_bulk();
}

static void refuses_tables_that_cannot_be_documents(void **state)
{
	(void)state;
	enum rc rc;
	open_bulk(SETTINGS("type=elasticsearch"));
	encode("{\"op\":\"c\",\"db\":\"shop\",\"table\":\"log\",\"ord\":7,\"key\":null,"
	       "\"after\":{\"a\":1}}\n",
		"shop.log|1", &rc);
	assert_int_equal(rc, RC_CONFIG);
	assert_non_null(strstr(fault.text, "'shop.log' (event 7) has no primary key"));
	assert_non_null(strstr(fault.hint, "sinks.x.exclude"));
	encode("{\"op\":\"c\",\"db\":\"shop\",\"table\":\"ads\",\"ord\":7,\"key\":{\"id\":1},"
	       "\"after\":{\"id\":1}}\n",
		"shop.ads|1", &rc);
	assert_rc(rc);
	encode("{\"op\":\"c\",\"db\":\"Shop\",\"table\":\"ads\",\"ord\":8,\"key\":{\"id\":1},"
	       "\"after\":{\"id\":1}}\n",
		"Shop.ads|1", &rc);
	assert_int_equal(rc, RC_CONFIG);
	assert_non_null(
		strstr(fault.text, "'shop.ads' and 'Shop.ads' would both go to 'shop.ads'"));
	/* also in the next process */
	close_bulk();
	open_bulk(SETTINGS("type=elasticsearch"));
	encode("{\"op\":\"c\",\"db\":\"Shop\",\"table\":\"ads\",\"ord\":8,\"key\":{\"id\":1},"
	       "\"after\":{\"id\":1}}\n",
		"Shop.ads|1", &rc);
	assert_int_equal(rc, RC_CONFIG);
	/* the name is free when the table is gone */
	assert_rc(letters_forget(letters, SLICE("shop"), SLICE("ads"), &fault));
	encode("{\"op\":\"c\",\"db\":\"Shop\",\"table\":\"ads\",\"ord\":8,\"key\":{\"id\":1},"
	       "\"after\":{\"id\":1}}\n",
		"Shop.ads|1", &rc);
	assert_rc(rc);
	close_bulk();
}

static void judges_answers(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *type;
		bool is_delete;
		enum elastic_verdict verdict;
	} rows[] = {
		{200, "", false, ELASTIC_DONE},
		{201, "", false, ELASTIC_DONE},
		{404, "", true, ELASTIC_DONE},
		{404, "", false, ELASTIC_RETRY},
		{404, "index_not_found_exception", true, ELASTIC_RETRY},
		{409, "version_conflict_engine_exception", false, ELASTIC_STALE},
		{400, "mapper_parsing_exception", false, ELASTIC_REFUSED},
		{400, "document_parsing_exception", false, ELASTIC_REFUSED},
		{400, "strict_dynamic_mapping_exception", false, ELASTIC_REFUSED},
		{400, "illegal_argument_exception", false, ELASTIC_REFUSED},
		{400, "validation_exception", false, ELASTIC_RETRY},
		{400, "index_closed_exception", false, ELASTIC_RETRY},
		{400, "invalid_index_name_exception", false, ELASTIC_CONFIG},
		{403, "cluster_block_exception", false, ELASTIC_RETRY},
		{403, "security_exception", false, ELASTIC_RETRY},
		{429, "es_rejected_execution_exception", false, ELASTIC_RETRY},
		{429, "circuit_breaking_exception", false, ELASTIC_RETRY},
		{503, "unavailable_shards_exception", false, ELASTIC_RETRY},
		{500, "", false, ELASTIC_RETRY},
		{418, "teapot", false, ELASTIC_RETRY},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(
			elastic_judge(rows[i].status, rows[i].type, "r", rows[i].is_delete),
			rows[i].verdict);
	/* what a document says of itself is no verdict */
	assert_int_equal(elastic_judge(400, "mapper_parsing_exception",
				 "only write ops with an op_type of create are allowed in data "
				 "streams",
				 false),
		ELASTIC_REFUSED);
	/* as OpenSearch 3.8 says it */
	assert_int_equal(elastic_judge(400, "illegal_argument_exception",
				 "no write index is defined for alias [shop.al]. The write index "
				 "may be explicitly disabled",
				 false),
		ELASTIC_RETRY);
	assert_int_equal(elastic_judge(400, "illegal_argument_exception",
				 "only write ops with an op_type of create are allowed in data "
				 "streams",
				 false),
		ELASTIC_CONFIG);
}

/* Two items with the ids 1 and 2; the second is a delete. */
static enum rc read_answer(const char *answer, struct sink_item items[2])
{
	static const size_t order[] = {0, 1};
	for (int i = 0; i < 2; i++) {
		mem_free(items[i].reason);
		items[i] = (struct sink_item){.key = i ? SLICE("a.t|2") : SLICE("a.t|1"),
			.view = {.op = i ? EVENT_DELETE : EVENT_CREATE}};
	}
	return elastic_read_bulk(slice_text(answer), items, order, 2, &fault);
}

static void reads_answers_item_by_item(void **state)
{
	(void)state;
	struct sink_item items[2] = {0};
	assert_rc(read_answer("{\"items\":[{\"index\":{\"_id\":\"1\",\"status\":201}},"
			      "{\"delete\":{\"_id\":\"2\",\"status\":404}}]}",
		items));
	assert_int_equal(items[0].outcome, SINK_DONE);
	assert_int_equal(items[1].outcome, SINK_DONE);
	assert_int_equal(
		read_answer("{\"items\":[{\"index\":{\"_id\":\"1\",\"status\":400,\"error\":{"
			    "\"type\":\"mapper_parsing_exception\",\"reason\":\"bad [x]\","
			    "\"caused_by\":{\"type\":\"t\",\"reason\":\"because\"}}}},"
			    "{\"delete\":{\"_id\":\"2\",\"status\":429,\"error\":{\"type\":"
			    "\"es_rejected_execution_exception\",\"reason\":\"full\"}}}]}",
			items),
		RC_THROTTLED);
	assert_int_equal(items[0].outcome, SINK_REFUSED);
	assert_string_equal(items[0].reason, "HTTP 400 mapper_parsing_exception: bad [x]: because");
	assert_int_equal(items[1].outcome, SINK_RETRY);
	assert_non_null(strstr(fault.text, "full"));
	mem_free(items[0].reason);
}

static void an_answer_that_does_not_fit_settles_nothing(void **state)
{
	(void)state;
	struct sink_item items[2] = {0};
	static const char *const bad[] = {
		"",
		"null",
		"{}",
		"{\"items\":{}}",
		"{\"items\":[{\"index\":{\"_id\":\"1\",\"status\":201}}]}",
		"{\"items\":[{\"index\":{\"_id\":\"1\",\"status\":201}},"
		"{\"delete\":{\"_id\":\"3\",\"status\":200}}]}",
		"{\"items\":[{\"index\":{\"_id\":\"1\",\"status\":201}},"
		"{\"delete\":{\"_id\":\"2\",\"status\":\"200\"}}]}",
		"{\"items\":[{\"index\":{\"_id\":\"1\",\"status\":201}},7]}",
		"{\"items\":[{\"index\":{\"_id\":\"1\",\"status\":201}},{}]}",
		"{\"items\":[{\"index\":{\"_id\":\"1\",\"status\":201}},"
		"{\"delete\":{\"_id\":\"2\",\"status\":200}}",
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(read_answer(bad[i], items), RC_PROTOCOL);
		assert_int_equal(items[0].outcome, SINK_RETRY);
		assert_int_equal(items[1].outcome, SINK_RETRY);
	}
}

static void tells_refused_requests_apart(void **state)
{
	(void)state;
	static const struct {
		int status;
		const char *body;
		enum rc rc;
		bool split;
	} rows[] = {
		{413, "", RC_THROTTLED, true},
		{400, "{\"error\":{\"type\":\"illegal_argument_exception\",\"reason\":\"r\"}}",
			RC_THROTTLED, true},
		{400, "<html>nginx</html>", RC_THROTTLED, false},
		{400, "{\"error\":{\"type\":\"validation_exception\"}}", RC_THROTTLED, false},
		{404, "<html>", RC_THROTTLED, false},
		{401, "", RC_DENIED, false},
		{403, "{\"error\":{\"type\":\"security_exception\"}}", RC_DENIED, false},
		{429, "", RC_THROTTLED, false},
		{503, "", RC_THROTTLED, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct net_call call = {.method = "POST",
			.path = "/_bulk",
			.status = rows[i].status,
			.answer = buf_of(1000)};
		bool split;
		buf_text(&call.answer, rows[i].body);
		assert_int_equal(
			elastic_refusal("http://h:9200", &call, &split, &fault), rows[i].rc);
		assert_int_equal(split, rows[i].split);
		assert_non_null(strstr(fault.text, "http://h:9200 answers POST /_bulk"));
		buf_release(&call.answer);
	}
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	TEST(names_indexes),
	TEST(refuses_a_pattern_that_is_none),
	TEST(makes_ids_of_keys),
	TEST(encodes_documents_and_deletes),
	TEST(refuses_tables_that_cannot_be_documents),
	TEST(judges_answers),
	TEST(reads_answers_item_by_item),
	TEST(an_answer_that_does_not_fit_settles_nothing),
	TEST(tells_refused_requests_apart),
};
UNIT_MAIN(tests)
