/* The Elasticsearch sink against a real server, with a proxy for faults between them.
 *
 * usage: OPENSEARCH_PORT=N elastic_sink
 * Elasticsearch or OpenSearch on 127.0.0.1; the indexes shop* are deleted. tests/e2e runs it. */
#include <fcntl.h>

#include "sinks/elastic.c"
#include "stream.h"

static struct stream stream;
static struct config config;
static struct stage *stage;
static struct net_client *client, *control;
static int server_port, proxy_port;

/* ---- the server and the proxy ---- */

static const char *ask_with(
	struct net_client *with, const char *method, const char *path, const char *body)
{
	static struct buf answer;
	struct net_call call = {.method = method,
		.path = path,
		.content_type = body ? "application/json" : NULL,
		.body = slice_text(body ? body : ""),
		.answer = buf_of(1 << 24)};
	net_client_run(with, &call, 1, NULL);
	if (call.rc != RC_OK)
		print_error("%s %s: %s\n", method, path, call.fault.text);
	assert_rc(call.rc);
	if (call.status >= 300)
		print_error("%s %s: %d %s\n", method, path, call.status, buf_cstring(&call.answer));
	assert_true(call.status < 300);
	buf_release(&answer);
	answer = call.answer;
	return buf_cstring(&answer);
}

static const char *ask(const char *method, const char *path, const char *body)
{
	return ask_with(client, method, path, body);
}

/* What the proxy is to do wrong from now on. */
static void wish(const char *wishes)
{
	ask_with(control, "POST", "/__faults", wishes);
}

/* How often it did so. */
static int granted(const char *what)
{
	char key[40];
	snprintf(key, sizeof key, "\"%s\": ", what);
	const char *at = strstr(ask_with(control, "GET", "/__faults", NULL), key);
	return at ? atoi(at + strlen(key)) : 0;
}

static struct net_client *client_of(int port)
{
	struct net_client *made;
	struct fault fault = {0};
	char url[60];
	snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
	struct net_client_options options = {.url = url,
		.connect_timeout_us = 5000000,
		.timeout_us = 60000000,
		.answer_max = 1 << 24,
		.lanes = 1};
	assert_rc(net_client_new(&options, &made, &fault));
	return made;
}

/* The proxy ends when its standard input does: with us. */
static void start_proxy(void)
{
	int in[2], out[2];
	char port[20];
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	snprintf(port, sizeof port, "%d", server_port);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl("/usr/bin/python3", "python3", UNIT_SOURCE "/tests/tools/fault_proxy.py",
			port, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	FILE *ready = fdopen(out[0], "r");
	assert_int_equal(fscanf(ready, "READY port=%d", &proxy_port), 1);
}

static int set_up_all(void **state)
{
	(void)state;
	const char *port = getenv("OPENSEARCH_PORT");
	if (!port) {
		print_error("OPENSEARCH_PORT is not set: which server is to be used?\n");
		return 1;
	}
	server_port = atoi(port);
	start_proxy();
	client = client_of(server_port);
	control = client_of(proxy_port);
	return 0;
}

static void configure(const char *const *more)
{
	char url[60];
	config_release(&config);
	snprintf(url, sizeof url, "url=http://127.0.0.1:%d", proxy_port);
	const char *settings[20] = {"type=elasticsearch", "retry_max=50ms", url};
	for (size_t i = 3; *more; i++)
		settings[i] = *more++;
	sink_config(&config, settings);
}

static int set_up(void **state)
{
	char *folder = unit_folder();
	*state = folder;
	ask("DELETE", "/shop*,x..?ignore_unavailable=true", NULL);
	ask("PUT", "/_cluster/settings", "{\"persistent\":{\"action.auto_create_index\":null}}");
	wish("[]");
	stream_open(&stream, folder, 2);
	config_init(&config);
	configure(SETTINGS("lanes=3"));
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

static bool equals_stream(void)
{
	char url[60];
	snprintf(url, sizeof url, "http://127.0.0.1:%d", server_port);
	return equals_fold(&stream, url);
}

static const char *letters_path(void)
{
	static char path[400];
	snprintf(path, sizeof path, "%s/dead-letters/x.db", stream.data);
	return path;
}

#define assert_letters(text) \
	assert_string_equal(sql_ask(letters_path(), \
				    "SELECT group_concat(ordinal || ' ' || state, '; ')" \
				    " FROM letters"), \
		text)

static unsigned random_below(unsigned limit)
{
	static uint32_t seed = 20261125;
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % limit;
}

/* Many changes of few keys, so that the order of a key matters. */
static void put_changes(unsigned events, unsigned ids)
{
	static bool there[10000];
	memset(there, 0, sizeof there);
	for (unsigned i = 0; i < events; i++) {
		unsigned id = random_below(ids);
		char op = !there[id] ? 'c' : random_below(4) == 0 ? 'd' : 'u';
		there[id] = op != 'd';
		stream_id(&stream, op, "ads", id, ",\"title\":\"t%u\",\"price\":%u.5", i,
			random_below(1000));
		if (random_below(50) == 0)
			stream_commit(&stream);
	}
	stream_commit(&stream);
}

static void wait_for_state(enum stage_state wanted, const char *text)
{
	char said[STAGE_TEXT_MAX], place[STAGE_TEXT_MAX];
	for (int i = 0; i < 1000; i++) {
		stage_texts(stage, said, place);
		if (stage_get(stage, STAGE_STATE) == wanted && strstr(said, text))
			return;
		clock_sleep_us(10000);
	}
	print_error("the stage says: %s\n", said);
	fail();
}

/* ---- tests ---- */

static void keeps_the_last_state_of_each_row(void **state)
{
	(void)state;
	put_changes(3000, 200);
	sink_run_well(&stream, &config);
	assert_true(equals_stream());
	assert_int_equal(stage_get(stage, STAGE_EVENTS), 3000);
	assert_int_equal(stage_get(stage, STAGE_SKIPPED), 0);
	assert_non_null(strstr(ask_with(control, "GET", "/__faults", NULL), "/_bulk"));
	/* again from the beginning: everything is known already, and nothing changes */
	assert_rc(hub_checkpoint_save(stream.folder, "sink-x", 0, NULL));
	sink_run_well(&stream, &config);
	assert_true(equals_stream());
	assert_true(stage_get(stage, STAGE_SKIPPED) > 2000);
}

/* Each fault in turn, while the same keys go on changing. */
static void faults_lose_and_reorder_nothing(void **state)
{
	(void)state;
	static const char *const faults[][2] = {
		{"cut", "[{\"do\":\"cut\",\"times\":2}]"},
		{"drop", "[{\"do\":\"drop\",\"times\":3,\"match\":\"_bulk\"}]"},
		{"half", "[{\"do\":\"half\",\"times\":2,\"match\":\"_bulk\"}]"},
		{"garble", "[{\"do\":\"garble\",\"times\":2,\"match\":\"_bulk\"}]"},
		{"replace", "[{\"do\":\"replace\",\"body\":\"{\\\"items\\\":[]}\"}]"},
		{"partial", "[{\"do\":\"partial\",\"times\":6,\"match\":\"_bulk\"}]"},
		{"status", "[{\"do\":\"status\",\"status\":429,\"times\":4}]"},
		{"status",
			"[{\"do\":\"status\",\"status\":503,\"times\":2,"
			"\"headers\":{\"retry-after\":\"1\"}}]"},
		{"status", "[{\"do\":\"status\",\"status\":401,\"times\":2}]"},
		{"status",
			"[{\"do\":\"status\",\"status\":404,\"times\":2,"
			"\"body\":\"<html>who are you?</html>\"}]"},
		{"status", "[{\"do\":\"status\",\"status\":302,\"times\":2}]"},
		{"status", "[{\"do\":\"status\",\"status\":200,\"times\":2,\"body\":\"ok\"}]"},
		{"status", "[{\"do\":\"status\",\"status\":400,\"times\":2,\"body\":\"bad\"}]"},
		{"delay", "[{\"do\":\"delay\",\"seconds\":0.3,\"times\":3}]"},
	};
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		put_changes(150, 20);
		wish(faults[i][1]);
		sink_run_well(&stream, &config);
		assert_true(granted(faults[i][0]) > 0);
		assert_true(equals_stream());
		assert_int_equal(stage_get(stage, STAGE_DEAD), 0);
	}
	assert_letters("(null)");
}

static void waits_as_long_as_the_target_asks_for(void **state)
{
	(void)state;
	put_changes(10, 5);
	wish("[{\"do\":\"status\",\"status\":429,\"headers\":{\"retry-after\":\"1\"}}]");
	int64_t begin = clock_monotonic_us();
	sink_run_well(&stream, &config);
	assert_true(clock_monotonic_us() - begin >= 1000000);
	assert_true(equals_stream());
}

static void an_answer_that_is_late_is_asked_for_again(void **state)
{
	(void)state;
	configure(SETTINGS("timeout=300ms"));
	put_changes(50, 5);
	wish("[{\"do\":\"delay\",\"seconds\":1,\"times\":2}]");
	sink_run_well(&stream, &config);
	assert_true(stage_get(stage, STAGE_RETRIES) >= 1);
	clock_sleep_us(1200000); /* what is late arrives after all, and is too old */
	assert_true(equals_stream());
}

static void too_large_requests_are_cut_in_halves(void **state)
{
	(void)state;
	char large[3001];
	memset(large, 'y', 3000);
	large[3000] = 0;
	wish("[{\"do\":\"status\",\"status\":413,\"times\":-1,\"over\":2000}]");
	for (unsigned id = 1; id <= 60; id++)
		stream_id(&stream, 'c', "ads", id, ",\"x\":\"%s\"", id == 30 ? large : "fine");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_letters("29 waiting");
	assert_non_null(strstr(sql_ask(letters_path(), "SELECT reason FROM letters"), "413"));
	assert_true(granted("status") >= 3);
	assert_int_equal(stage_get(stage, STAGE_RETRIES), 0);
	ask("POST", "/shop.ads/_refresh", NULL);
	assert_non_null(strstr(ask("GET", "/shop.ads/_count", NULL), "\"count\":59"));
	/* the limit is gone: replay */
	wish("[]");
	struct sink_options options = sink_options_of(&stream, &config);
	struct dead_filter all = {0};
	struct dead_result result;
	struct fault fault;
	assert_rc(sinks_dead_replay(&options, &all, &result, &fault));
	assert_int_equal(result.replayed, 1);
	assert_true(equals_stream());
}

static void what_a_mapping_refuses_becomes_a_letter(void **state)
{
	(void)state;
	struct dead_filter all = {0};
	struct dead_result result;
	struct fault fault;
	ask("PUT", "/shop.ads",
		"{\"mappings\":{\"dynamic\":\"strict\",\"properties\":{\"id\":{\"type\":\"long\"},"
		"\"n\":{\"type\":\"integer\"},\"@ord\":{\"type\":\"long\"}}}}");
	stream_id(&stream, 'c', "ads", 1, ",\"n\":1");
	stream_id(&stream, 'c', "ads", 2, ",\"n\":\"no number\"");
	stream_id(&stream, 'c', "ads", 3, ",\"other\":1");
	stream_id(&stream, 'c', "ads", 4, ",\"other\":1");
	stream_id(&stream, 'c', "ads", 5, ",\"other\":1");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_letters("1 waiting; 2 waiting; 3 waiting; 4 waiting");
	assert_non_null(strstr(sql_ask(letters_path(), "SELECT reason FROM letters"),
		"HTTP 400 mapper_parsing_exception: failed to parse field [n]"));
	/* newer events: one by the stream, one that only the target knows of */
	stream_id(&stream, 'd', "ads", 4, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_letters("1 waiting; 2 waiting; 3 superseded; 4 waiting");
	ask("PUT", "/shop.ads/_mapping", "{\"properties\":{\"other\":{\"type\":\"long\"}}}");
	ask("PUT", "/shop.ads/_doc/5?version=1000&version_type=external", "{\"n\":5}");
	struct sink_options options = sink_options_of(&stream, &config);
	assert_rc(sinks_dead_replay(&options, &all, &result, &fault));
	assert_int_equal(result.replayed, 1);
	assert_int_equal(result.superseded, 1);
	assert_int_equal(result.refused, 1);
	assert_letters("1 waiting; 2 replayed; 3 superseded; 4 superseded");
	assert_non_null(strstr(ask("GET", "/shop.ads/_doc/3", NULL), "\"other\":1"));
	assert_non_null(strstr(ask("GET", "/shop.ads/_doc/5", NULL), "\"n\":5"));
	/* a target that is away settles nothing */
	wish("[{\"do\":\"cut\",\"times\":-1}]");
	assert_int_equal(sinks_dead_replay(&options, &all, &result, &fault), RC_THROTTLED);
	assert_letters("1 waiting; 2 replayed; 3 superseded; 4 superseded");
}

static void a_blocked_index_is_waited_for(void **state)
{
	(void)state;
	struct sink_options options = sink_options_of(&stream, &config);
	struct sink *sink;
	struct fault fault = {0};
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	ask("PUT", "/shop.ads/_settings", "{\"index.blocks.write\":true}");
	stream_id(&stream, 'u', "ads", 1, ",\"n\":1");
	stream_commit(&stream);
	assert_rc(sink_start(&options, &sink, &fault));
	wait_for_state(STAGE_WAITING, "cluster_block_exception");
	ask("PUT", "/shop.ads/_settings", "{\"index.blocks.write\":false}");
	sink_drain(sink, stream.next);
	assert_rc(sink_join(sink, &fault));
	/* the same with an index that is closed */
	ask("POST", "/shop.ads/_close", NULL);
	stream_id(&stream, 'u', "ads", 1, ",\"n\":2");
	stream_commit(&stream);
	assert_rc(sink_start(&options, &sink, &fault));
	wait_for_state(STAGE_WAITING, "index_closed_exception");
	ask("POST", "/shop.ads/_open", NULL);
	sink_drain(sink, stream.next);
	assert_rc(sink_join(sink, &fault));
	assert_true(equals_stream());
	assert_letters("(null)");
}

/* Somebody took the index away and forbade new ones: the sink waits until somebody mends it. */
static void a_missing_index_that_may_not_be_made_is_waited_for(void **state)
{
	(void)state;
	struct sink_options options = sink_options_of(&stream, &config);
	struct sink *sink;
	struct fault fault = {0};
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	ask("DELETE", "/shop.ads", NULL);
	ask("PUT", "/_cluster/settings", "{\"persistent\":{\"action.auto_create_index\":false}}");
	stream_id(&stream, 'u', "ads", 1, "%s", "");
	stream_commit(&stream);
	assert_rc(sink_start(&options, &sink, &fault));
	wait_for_state(STAGE_WAITING, "index_not_found_exception");
	ask("PUT", "/_cluster/settings", "{\"persistent\":{\"action.auto_create_index\":null}}");
	sink_drain(sink, stream.next);
	assert_rc(sink_join(sink, &fault));
	assert_true(equals_stream());
	assert_letters("(null)");
}

static void a_truncate_takes_what_is_older(void **state)
{
	(void)state;
	for (unsigned id = 1; id <= 10100; id++)
		stream_id(&stream, 'c', "ads", id, "%s", "");
	stream_id(&stream, 'c', "cars", 1, "%s", "");
	stream_control(&stream, 't', "shop", "ads", ",\"ddl\":\"TRUNCATE TABLE ads\"");
	stream_id(&stream, 'c', "ads", 7, ",\"n\":1");
	stream_control(&stream, 't', "shop", "never_seen", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_true(equals_stream());
	assert_null(strstr(ask("GET", "/_cat/indices", NULL), "never_seen"));
	/* with faults in the middle of it */
	for (unsigned id = 1; id <= 500; id++)
		stream_id(&stream, 'u', "cars", id, "%s", "");
	stream_control(&stream, 't', "shop", "cars", "");
	stream_id(&stream, 'c', "cars", 9, "%s", "");
	stream_commit(&stream);
	wish("[{\"do\":\"drop\",\"match\":\"_delete_by_query\"},"
	     "{\"do\":\"garble\",\"match\":\"_delete_by_query\"},"
	     "{\"do\":\"status\",\"status\":429,\"match\":\"_refresh\"}]");
	sink_run_well(&stream, &config);
	assert_int_equal(granted("drop") + granted("garble") + granted("status"), 3);
	assert_true(equals_stream());
	/* the whole database, and nothing of the one with a like name */
	stream_row(&stream, 'c', "shop.b", "t", "{\"id\":1}", "1", "{\"id\":1}");
	stream_row(&stream, 'c', "shopping", "t", "{\"id\":1}", "1", "{\"id\":1}");
	stream_control(&stream, 't', "shop", NULL, ",\"drop\":true");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	ask("POST", "/_refresh", NULL);
	assert_non_null(strstr(ask("GET", "/shop.ads,shop.cars/_count", NULL), "\"count\":0"));
	assert_non_null(strstr(ask("GET", "/shop.b.t,shopping.t/_count", NULL), "\"count\":2"));
}

static void a_truncate_without_ordinals_stops_it(void **state)
{
	(void)state;
	struct fault fault;
	configure(SETTINGS("ordinal_field="));
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_control(&stream, 't', "shop", "ads", "");
	stream_commit(&stream);
	assert_int_equal(sink_run(&stream, &config, &fault), RC_CONFIG);
	assert_non_null(strstr(fault.text, "event 1 truncates 'shop.ads'"));
	assert_non_null(strstr(fault.hint, "sinks.x.ordinal_field"));
}

static void a_table_without_a_key_stops_it_until_it_is_left_out(void **state)
{
	(void)state;
	struct fault fault;
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_commit(&stream);
	stream_row(&stream, 'c', "shop", "log", NULL, "a", "{\"what\":\"a\"}");
	stream_id(&stream, 'c', "ads", 2, "%s", "");
	stream_commit(&stream);
	assert_int_equal(sink_run(&stream, &config, &fault), RC_CONFIG);
	assert_non_null(strstr(fault.text, "'shop.log' (event 1) has no primary key"));
	configure(SETTINGS("exclude=shop.log"));
	sink_run_well(&stream, &config);
	ask("POST", "/_refresh", NULL);
	assert_non_null(strstr(ask("GET", "/shop.ads/_count", NULL), "\"count\":2"));
}

static void a_name_that_no_index_can_have_stops_it(void **state)
{
	(void)state;
	struct fault fault;
	configure(SETTINGS("index=x{table}"));
	stream_id(&stream, 'c', "..", 1, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	configure(SETTINGS("index={table}"));
	stream_id(&stream, 'u', "..", 1, "%s", "");
	stream_commit(&stream);
	assert_int_equal(sink_run(&stream, &config, &fault), RC_CONFIG);
}

/* A stream that was made anew begins with low ordinals: beside the old documents' versions all of
 * its events would look old. */
static void an_index_of_another_stream_stops_it(void **state)
{
	(void)state;
	struct fault fault;
	ask("PUT", "/shop.ads",
		"{\"mappings\":{\"_meta\":{\"ours\":{\"a\":1}},"
		"\"properties\":{\"id\":{\"type\":\"keyword\"}}}}");
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_id(&stream, 'c', "cars", 1, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	const char *mapping = ask("GET", "/shop.ads/_mapping", NULL);
	assert_non_null(strstr(mapping, "\"ours\":{\"a\":1}"));
	assert_non_null(strstr(mapping, "\"millstream\":{"));
	assert_non_null(strstr(mapping, "\"keyword\""));
	/* a sink of the same stream that remembers nothing takes it over */
	char command[500];
	snprintf(command, sizeof command, "rm -r '%s/dead-letters'", stream.data);
	assert_int_equal(system(command), 0);
	assert_rc(hub_checkpoint_save(stream.folder, "sink-x", 0, NULL));
	sink_run_well(&stream, &config);
	/* another stream does not */
	char *data = mem_text(stream.data);
	stream_close(&stream);
	snprintf(command, sizeof command, "rm -r '%s'/*", data);
	assert_int_equal(system(command), 0);
	stream_open(&stream, data, 2);
	mem_free(data);
	stream_id(&stream, 'c', "cars", 1, "%s", "");
	stream_commit(&stream);
	assert_int_equal(sink_run(&stream, &config, &fault), RC_EXISTS);
	assert_non_null(strstr(fault.text, "index 'shop.cars' at http"));
	assert_non_null(strstr(fault.text, "another stream"));
	ask("DELETE", "/shop.cars", NULL);
	sink_run_well(&stream, &config);
}

static void odd_keys_are_found_again(void **state)
{
	(void)state;
	char key[1020], values[1000], row[1100];
	static const char *const texts[][2] = {
		{"a/b c?d#e", "a/b c?d#e"},
		{"\\\"quoted\\\" \\\\ back", "\"quoted\" \\\\ back"},
		{"Żaba\\n2", "Żaba\n2"},
		{"", ""},
	};
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
			snprintf(key, sizeof key, "{\"k\":\"%s\"}", texts[i][0]);
			snprintf(row, sizeof row, "{\"k\":\"%s\",\"pass\":%d}", texts[i][0], pass);
			snprintf(values, sizeof values, "%s", texts[i][1]);
			stream_row(&stream, pass ? 'u' : 'c', "shop", "odd", key, values, row);
		}
		memset(values, 0, sizeof values);
		for (int i = 0; i < 240; i++)
			strcat(values, "€");
		snprintf(key, sizeof key, "{\"k\":\"%s\"}", values);
		snprintf(row, sizeof row, "{\"k\":\"%s\",\"pass\":%d}", values, pass);
		stream_row(&stream, pass ? 'u' : 'c', "shop", "odd", key, values, row);
	}
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_letters("(null)");
	ask("POST", "/_refresh", NULL);
	assert_non_null(strstr(ask("GET", "/shop.odd/_count", NULL), "\"count\":5"));
	assert_non_null(strstr(ask("GET", "/shop.odd/_count?q=pass:1", NULL), "\"count\":5"));
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		snprintf(key, sizeof key, "{\"k\":\"%s\"}", texts[i][0]);
		stream_row(&stream, 'd', "shop", "odd", key, texts[i][1], key);
	}
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	ask("POST", "/_refresh", NULL);
	assert_non_null(strstr(ask("GET", "/shop.odd/_count", NULL), "\"count\":1"));
}

static void stops_in_the_middle_of_a_request(void **state)
{
	(void)state;
	struct sink_options options = sink_options_of(&stream, &config);
	struct sink *sink;
	struct fault fault = {0};
	put_changes(100, 10);
	wish("[{\"do\":\"delay\",\"seconds\":20,\"times\":-1}]");
	assert_rc(sink_start(&options, &sink, &fault));
	clock_sleep_us(300000);
	int64_t begin = clock_monotonic_us();
	sink_stop(sink);
	assert_rc(sink_join(sink, &fault));
	assert_true(clock_monotonic_us() - begin < 2000000);
	wish("[]");
	sink_run_well(&stream, &config);
	assert_true(equals_stream());
}

/* As in engine_test.c. */
static bool run_and_die(const char *at, unsigned nth)
{
	char text[60];
	snprintf(text, sizeof text, "%s:%u", at, nth);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		struct fault fault;
		setenv("MILLSTREAM_CRASH", text, 1);
		if (!crash_init())
			_exit(3);
		_exit(sink_run(&stream, &config, &fault) == RC_OK ? 0 : 4);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGKILL;
	assert_int_equal(WEXITSTATUS(status), 0);
	return false;
}

static void equals_the_stream_after_any_kill(void **state)
{
	(void)state;
	static const char *const stages[] = {"sink-send", "sink-commit", "sink-committed"};
	configure(SETTINGS("lanes=3", "batch_count=20"));
	put_changes(2000, 50);
	stream_control(&stream, 't', "shop", "ads", "");
	put_changes(500, 50);
	stream_shut(&stream);
	unsigned kills = 0;
	for (unsigned round = 0; round < 45; round++)
		kills += run_and_die(stages[round % 3], 1 + random_below(4));
	assert_true(kills >= 30);
	assert_false(run_and_die("sink-send", 1000000));
	assert_true(equals_stream());
	assert_letters("(null)");
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	TEST(keeps_the_last_state_of_each_row),
	TEST(faults_lose_and_reorder_nothing),
	TEST(waits_as_long_as_the_target_asks_for),
	TEST(an_answer_that_is_late_is_asked_for_again),
	TEST(too_large_requests_are_cut_in_halves),
	TEST(what_a_mapping_refuses_becomes_a_letter),
	TEST(a_blocked_index_is_waited_for),
	TEST(a_missing_index_that_may_not_be_made_is_waited_for),
	TEST(a_truncate_takes_what_is_older),
	TEST(a_truncate_without_ordinals_stops_it),
	TEST(a_table_without_a_key_stops_it_until_it_is_left_out),
	TEST(a_name_that_no_index_can_have_stops_it),
	TEST(an_index_of_another_stream_stops_it),
	TEST(odd_keys_are_found_again),
	TEST(stops_in_the_middle_of_a_request),
	TEST(equals_the_stream_after_any_kill),
};

int main(void)
{
	thread_assert_off();
	return cmocka_run_group_tests(tests, set_up_all, NULL);
}
