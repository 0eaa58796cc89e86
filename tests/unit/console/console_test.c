/* The console through its real server, looked at by others: curl, jansson, Python. */
#include "unit.h"

#include <jansson.h>

#include "console/console.c"
#include "console/health.c"
#include "console/metrics.c"

static struct stage *capture, *stream, *archive, *sink;
static struct console *console;

static int set_up(void **state)
{
	(void)state;
	static const struct console_sink sinks[] = {{"search", "sqlite", "/data/\"search\".db"}};
	struct console_options options = {.listen = "127.0.0.1:0",
		.version = "1.2.3",
		.stream = "changes",
		.folder = "/tmp/millstream-unit.missing",
		.source = "127.0.0.1:3306",
		.sinks = sinks,
		.sink_count = 1};
	struct fault fault;
	if (console_start(&options, &console, &fault) != RC_OK)
		return -1;
	capture = stage_new("capture", "capture");
	stream = stage_new("log", "log");
	archive = stage_new("archive", "archive");
	sink = stage_new("sink", "sink:\"a\\b\"");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	console_stop(console);
	console_stop(NULL);
	return 0;
}

static int reset(void **state)
{
	(void)state;
	struct stage *all[] = {capture, stream, archive, sink};
	for (size_t i = 0; i < 4; i++)
		stage_say(all[i], STAGE_RUNNING, "%s", "");
	stage_say(capture, STAGE_RUNNING, "connected to \"db\"\\n\x01");
	stage_place(capture, "binlog.000003:1234");
	uint64_t now_us = (uint64_t)clock_wall_us();
	stage_set(stream, STAGE_NEXT_ORDINAL, 1001);
	stage_set(stream, STAGE_STREAM_TIME, now_us - 3000000);
	stage_set(stream, STAGE_HELD, 4096);
	stage_set(archive, STAGE_NEXT_ORDINAL, 1001);
	stage_set(sink, STAGE_NEXT_ORDINAL, 901);
	stage_set(sink, STAGE_STREAM_TIME, now_us - 60000000);
	stage_set(sink, STAGE_DEAD, 7);
	return 0;
}

/* Standard output of a command in which %s stands for the console's address. */
static const char *shell(const char *format)
{
	static char out[200000];
	char command[1000];
	snprintf(command, sizeof command, format, console_address(console));
	FILE *pipe = popen(command, "r");
	size_t len = fread(out, 1, sizeof out - 1, pipe);
	out[len] = 0;
	assert_int_equal(pclose(pipe), 0);
	return out;
}

static json_t *status_of(const char *query)
{
	char command[200];
	snprintf(command, sizeof command, "curl -sf 'http://%%s/api/status%s'", query);
	json_t *root = json_loads(shell(command), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	return root;
}

static const json_t *stage_named(const json_t *root, const char *name)
{
	const json_t *stages = json_object_get(root, "stages");
	for (size_t i = 0; i < json_array_size(stages); i++) {
		const json_t *stage = json_array_get(stages, i);
		if (strcmp(json_string_value(json_object_get(stage, "name")), name) == 0)
			return stage;
	}
	fail_msg("no stage %s", name);
	return NULL;
}

static const char *text_in(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static long long number_in(const json_t *object, const char *key)
{
	const json_t *number = json_object_get(object, key);
	assert_true(json_is_integer(number));
	return json_integer_value(number);
}

/* ---- /api/status ---- */

static void status_tells_the_stages(void **state)
{
	(void)state;
	json_t *root = status_of("");
	assert_string_equal(text_in(root, "version"), "1.2.3");
	assert_string_equal(text_in(root, "source"), "127.0.0.1:3306");
	assert_true(json_is_null(json_object_get(root, "archive")));
	assert_in_range(number_in(root, "uptime_seconds"), 0, 100);
	const json_t *first_sink = json_array_get(json_object_get(root, "sinks"), 0);
	assert_string_equal(text_in(first_sink, "target"), "/data/\"search\".db");

	const json_t *one = stage_named(root, "capture");
	assert_string_equal(text_in(one, "kind"), "capture");
	assert_string_equal(text_in(one, "state"), "running");
	assert_string_equal(text_in(one, "text"), "connected to \"db\"\\n\x01");
	assert_string_equal(text_in(one, "place"), "binlog.000003:1234");
	assert_true(json_is_null(json_object_get(one, "lag")));
	assert_null(json_object_get(one, "history"));

	one = stage_named(root, "sink:\"a\\b\"");
	assert_int_equal(number_in(json_object_get(one, "metrics"), "dead_letters_total"), 7);
	assert_int_equal(number_in(json_object_get(one, "metrics"), "next_ordinal"), 901);
	const json_t *lag = json_object_get(one, "lag");
	assert_int_equal(number_in(lag, "events"), 100);
	assert_true(json_number_value(json_object_get(lag, "seconds")) <= 61);
	lag = json_object_get(stage_named(root, "archive"), "lag");
	assert_int_equal(number_in(lag, "events"), 0);
	assert_true(json_number_value(json_object_get(lag, "seconds")) == 0);
	json_decref(root);
}

static void status_tells_the_stream_without_its_folder(void **state)
{
	(void)state;
	json_t *root = status_of("");
	const json_t *part = json_object_get(root, "stream");
	assert_string_equal(text_in(part, "name"), "changes");
	assert_int_equal(number_in(part, "next_ordinal"), 1001);
	assert_int_equal(number_in(part, "bytes"), 4096);
	assert_in_range(number_in(part, "idle_seconds"), 2, 5);
	assert_null(json_object_get(part, "first_ordinal"));
	assert_null(json_object_get(part, "error"));
	assert_int_equal(json_array_size(json_object_get(root, "consumers")), 0);
	json_decref(root);
}

static void status_has_rates_and_a_history(void **state)
{
	(void)state;
	for (int i = 0; i < 6; i++) {
		stage_add(sink, STAGE_EVENTS, 500);
		stage_add(sink, STAGE_BYTES, 1000);
		clock_sleep_us(500000);
	}
	json_t *root = status_of("?x=1&history&y");
	const json_t *one = stage_named(root, "sink:\"a\\b\"");
	const json_t *rates = json_object_get(one, "rates");
	double events = json_number_value(json_object_get(rates, "events_per_s"));
	double bytes = json_number_value(json_object_get(rates, "bytes_per_s"));
	assert_true(events > 300 && events < 2000);
	assert_true(bytes > events * 1.9 && bytes < events * 2.1);
	const json_t *history = json_object_get(one, "history");
	assert_in_range(json_array_size(history), 2, 60);
	double sum = 0;
	for (size_t i = 0; i < json_array_size(history); i++)
		sum += json_number_value(json_array_get(history, i));
	assert_true(sum > 1000);
	json_decref(root);
}

static void status_is_json_for_python_and_a_table_for_people(void **state)
{
	(void)state;
	(void)shell("curl -sf 'http://%s/api/status?history' | /usr/bin/python3 -m json.tool");
	struct slice json = slice_text(shell("curl -sf http://%s/api/status"));
	struct buf out = buf_of(20000);
	struct fault fault;
	assert_rc(console_status_text(json, false, &out, &fault));
	assert_non_null(strstr(buf_cstring(&out), "\nsink:\"a\\b\"  running"));
	buf_release(&out);
}

/* ---- /healthz ---- */

static void health_is_ok_while_all_run(void **state)
{
	(void)state;
	assert_string_equal(shell("curl -s -w '%%{http_code} %%{content_type}' http://%s/healthz"),
		"{\"status\":\"ok\"}\n200 application/json");
	stage_say(capture, STAGE_DONE, "%s", "reached the end");
	assert_string_equal(shell("curl -s http://%s/healthz"), "{\"status\":\"ok\"}\n");
}

static void who_waits_or_starts_is_shown_and_well(void **state)
{
	(void)state;
	stage_say(sink, STAGE_STARTING, "%s", "");
	assert_string_equal(shell("curl -s -w '%%{http_code}' http://%s/healthz"),
		"{\"status\":\"starting\",\"stages\":[{\"stage\":\"sink:\\\"a\\\\b\\\"\",\"state\":"
		"\"starting\",\"text\":\"\"}]}\n200");
	stage_say(capture, STAGE_WAITING, "%s", "the source is away");
	json_t *root = json_loads(shell("curl -sf http://%s/healthz"), 0, NULL);
	assert_string_equal(text_in(root, "status"), "waiting");
	const json_t *stages = json_object_get(root, "stages");
	assert_int_equal(json_array_size(stages), 2);
	assert_string_equal(text_in(json_array_get(stages, 0), "text"), "the source is away");
	json_decref(root);
}

static void a_failed_stage_is_503_with_its_reason(void **state)
{
	(void)state;
	stage_say(sink, STAGE_FAILED, "%s", "refused");
	stage_say(archive, STAGE_WAITING, "%s", "disk full");
	const char *out = shell("curl -s -w '%%{http_code}' http://%s/healthz");
	assert_string_equal(out + strlen(out) - 3, "503");
	json_t *root = json_loads(out, JSON_DISABLE_EOF_CHECK, NULL);
	assert_string_equal(text_in(root, "status"), "failed");
	const json_t *stages = json_object_get(root, "stages");
	assert_int_equal(json_array_size(stages), 2);
	assert_string_equal(text_in(json_array_get(stages, 1), "state"), "failed");
	assert_string_equal(text_in(json_array_get(stages, 1), "text"), "refused");
	json_decref(root);
	assert_string_equal(
		shell("curl -sI -o /dev/null -w '%%{http_code}' http://%s/healthz"), "503");
}

/* ---- /metrics ---- */

static void metrics_are_in_the_text_format(void **state)
{
	(void)state;
	const char *out = shell("curl -sf -w '%%{content_type}' http://%s/metrics");
	assert_non_null(strstr(out, "\ntext/plain; version=0.0.4; charset=utf-8"));
	assert_non_null(strstr(out,
		"# HELP millstream_up 1: the process answers\n"
		"# TYPE millstream_up gauge\nmillstream_up 1\n"));
	assert_non_null(strstr(out, "\nmillstream_build_info{version=\"1.2.3\"} 1\n"));
	assert_non_null(strstr(out, "\n# TYPE millstream_dead_letters_total counter\n"));
	assert_non_null(
		strstr(out, "\nmillstream_dead_letters_total{stage=\"sink:\\\"a\\\\b\\\"\"} 7\n"));
	assert_non_null(
		strstr(out, "\nmillstream_lag_events{stage=\"sink:\\\"a\\\\b\\\"\"} 100\n"));
	assert_non_null(strstr(out, "\nmillstream_lag_seconds{stage=\"archive\"} 0\n"));
	assert_null(strstr(out, "millstream_lag_events{stage=\"capture\"}"));
	assert_non_null(strstr(out, "\nmillstream_stream_next_ordinal 1001\n"));
	assert_null(strstr(out, "microseconds"));
	const char *time = strstr(out, "\nmillstream_stream_time_seconds{stage=\"log\"} ");
	assert_non_null(time);
	double then = strtod(strchr(time, ' ') + 1, NULL), now = (double)clock_wall_us() / 1e6;
	assert_true(then > now - 10 && then < now - 2);
}

/* By an independent reading of the format: every line, one head for each metric, values are
 * numbers, no sample twice. */
static void metrics_hold_to_the_format(void **state)
{
	(void)state;
	assert_string_equal(
		shell("curl -sf http://%s/metrics | /usr/bin/python3 -c '\n"
		      "import re, sys\n"
		      "types, seen, helped, name = {}, set(), set(), None\n"
		      "for line in sys.stdin.read().splitlines():\n"
		      "    if line.startswith(\"# HELP \"):\n"
		      "        name = line.split()[2]\n"
		      "        assert name not in helped, line\n"
		      "        helped.add(name)\n"
		      "        continue\n"
		      "    if line.startswith(\"# TYPE \"):\n"
		      "        _, _, name, kind = line.split()\n"
		      "        types[name] = kind\n"
		      "        assert (kind == \"counter\") == name.endswith(\"_total\"), line\n"
		      "        continue\n"
		      "    sample = "
		      "re.fullmatch(r\"([a-z_]+)(\\{[a-z]+=\\\"(?:[^\\\"\\\\\\n]|\\\\.)*\\\"\\})? "
		      "(\\S+)\", line)\n"
		      "    assert sample and sample[1] == name and name in types, line\n"
		      "    assert float(sample[3]) >= 0, line\n"
		      "    assert (sample[1], sample[2]) not in seen, line\n"
		      "    seen.add((sample[1], sample[2]))\n"
		      "print(len(types) > 15, helped == set(types))'"),
		"True True\n");
}

static void documents_every_metric(void **state)
{
	(void)state;
	struct buf docs = buf_of(100000);
	console_write_metrics_docs(&docs);
	const char *text = buf_cstring(&docs);
	char *out = strdup(shell("curl -sf http://%s/metrics | grep TYPE | cut -d' ' -f3"));
	int count = 0;
	for (char *name = strtok(out, "\n"); name; name = strtok(NULL, "\n")) {
		char cell[200];
		snprintf(cell, sizeof cell, "\n| `%s` | ", name);
		assert_non_null(strstr(text, cell));
		count++;
	}
	assert_true(count > 15);
	free(out);
	buf_release(&docs);
}

/* ---- the page, and what there is not ---- */

static void the_page_allows_only_itself(void **state)
{
	(void)state;
	assert_string_equal(
		shell("curl -sf -i http://%s/ | /usr/bin/python3 -c '\n"
		      "import base64, hashlib, re, sys\n"
		      "head, page = sys.stdin.buffer.read().split(b\"\\r\\n\\r\\n\", 1)\n"
		      "head = head.decode().lower().splitlines()\n"
		      "fields = dict(line.split(\": \", 1) for line in head[1:])\n"
		      "assert fields[\"content-type\"] == \"text/html; charset=utf-8\"\n"
		      "assert fields[\"x-content-type-options\"] == \"nosniff\"\n"
		      "policy = fields[\"content-security-policy\"]\n"
		      "assert policy.startswith(\"default-src \\x27none\\x27;\") and \"unsafe\" "
		      "not in policy\n"
		      "for tag in b\"script\", b\"style\":\n"
		      "    inside = page.split(b\"<\" + tag + b\">\")[1].split(b\"</\" + tag + "
		      "b\">\")[0]\n"
		      "    digest = "
		      "base64.b64encode(hashlib.sha256(inside).digest()).decode().lower()\n"
		      "    assert tag.decode() + \"-src \\x27sha256-\" + digest + \"\\x27\" in "
		      "policy, policy\n"
		      "assert not "
		      "re.search(rb\"(src|href)=.https?:|style=|[ "
		      "\\t\\n]on[a-z]+=|@import|url\\(\", "
		      "page)\n"
		      "print(page.startswith(b\"<!doctype html>\") and "
		      "page.rstrip().endswith(b\"</html>\"))'"),
		"True\n");
}

static void other_paths_are_404_and_other_methods_405(void **state)
{
	(void)state;
	assert_string_equal(shell("curl -s -w '%%{http_code}' 'http://%s/api/\"status'"),
		"{\"error\":\"no such page\",\"what\":\"/api/\\\"status\"}\n404");
	static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"};
	for (int i = 0; i < 5; i++) {
		char command[200];
		snprintf(command, sizeof command, "curl -s -i -X %s http://%%s/api/status",
			methods[i]);
		const char *out = shell(command);
		assert_non_null(strstr(out, "HTTP/1.1 405 "));
		assert_non_null(strstr(out, "\r\nallow: GET, HEAD\r\n"));
		assert_non_null(strstr(out, "{\"error\":"));
	}
	assert_string_equal(
		shell("curl -s -w '%%{http_code} %%{size_download}' http://%s/favicon.ico"),
		"204 0");
	assert_string_equal(
		shell("curl -sI -o /dev/null -w '%%{http_code} %%{size_download}' http://%s/"),
		"200 0");
}

static void an_address_in_use_is_said(void **state)
{
	(void)state;
	struct console_options options = {.listen = console_address(console)};
	struct console *second = NULL;
	struct fault fault = {0};
	assert_int_equal(console_start(&options, &second, &fault), RC_IO);
	assert_null(second);
	assert_true(fault.hint[0] != 0);
}

#define WITH_RESET(name) cmocka_unit_test_setup(name, reset)

static const struct CMUnitTest tests[] = {
	WITH_RESET(status_tells_the_stages),
	WITH_RESET(status_tells_the_stream_without_its_folder),
	WITH_RESET(status_has_rates_and_a_history),
	WITH_RESET(status_is_json_for_python_and_a_table_for_people),
	WITH_RESET(health_is_ok_while_all_run),
	WITH_RESET(who_waits_or_starts_is_shown_and_well),
	WITH_RESET(a_failed_stage_is_503_with_its_reason),
	WITH_RESET(metrics_are_in_the_text_format),
	WITH_RESET(metrics_hold_to_the_format),
	WITH_RESET(documents_every_metric),
	WITH_RESET(the_page_allows_only_itself),
	WITH_RESET(other_paths_are_404_and_other_methods_405),
	WITH_RESET(an_address_in_use_is_said),
};

int main(void)
{
	thread_assert_off();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
