/* `millstream status`: the answer of /api/status as a table for people.
 *
 * jansson reads it: this is no path where speed counts. What is missing is left out, what a newer
 * version added is not looked at. Texts come from peers in the end: control characters are not
 * passed on to the terminal. Thread: any. */
#include "console/console.h"

#include <jansson.h>
#include <stdio.h>

enum { CELL_MAX = 64 };

/* ---- cells ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static uint64_t whole_of(const json_t *object, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(object, key));
	return number > 0 ? (uint64_t)number : 0;
}

static double real_of(const json_t *object, const char *key)
{
	double number = json_number_value(json_object_get(object, key));
	return number > 0 ? number : 0;
}

/* 1234567 as 1,234,567. */
static void cell_count(char cell[CELL_MAX], uint64_t number)
{
	char digits[32];
	int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
	size_t at = 0;
	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			cell[at++] = ',';
		cell[at++] = digits[i];
	}
	cell[at] = 0;
}

static void cell_rate(char cell[CELL_MAX], double per_second)
{
	if (per_second > 0 && per_second < 9.95)
		(void)snprintf(cell, CELL_MAX, "%.1f", per_second);
	else
		cell_count(cell, (uint64_t)(per_second + 0.5));
}

static void cell_bytes(char cell[CELL_MAX], double bytes, const char *unit)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	size_t name = 0;
	for (; bytes >= 1024 && name < 5; name++)
		bytes /= 1024;
	(void)snprintf(cell, CELL_MAX, "%.*f %s%s", name > 0 && bytes < 100 ? 1 : 0, bytes,
		names[name], unit);
}

static void cell_span(char cell[CELL_MAX], double seconds)
{
	unsigned long long whole = (unsigned long long)seconds;
	if (seconds < 100)
		(void)snprintf(cell, CELL_MAX, "%.*fs", seconds < 10 ? 1 : 0, seconds);
	else if (whole < 3600)
		(void)snprintf(cell, CELL_MAX, "%llum %llus", whole / 60, whole % 60);
	else if (whole < 86400)
		(void)snprintf(cell, CELL_MAX, "%lluh %llum", whole / 3600, whole / 60 % 60);
	else
		(void)snprintf(cell, CELL_MAX, "%llud %lluh", whole / 86400, whole / 3600 % 24);
}

static void put_safe(struct buf *out, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	for (; *at; at++) {
		bool is_c1 = at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f;
		buf_u8(out, *at < 0x20 || *at == 0x7f || is_c1 ? ' ' : *at);
		at += is_c1;
	}
}

/* ---- colours ---- */

struct paint {
	struct buf *out;
	bool colour;
};

static void put_painted(
	const struct paint *paint, const char *code, const char *text, unsigned width)
{
	if (paint->colour)
		buf_format(paint->out, "\033[%sm", code);
	put_safe(paint->out, text);
	if (paint->colour)
		buf_text(paint->out, "\033[0m");
	for (size_t len = strlen(text); len < width; len++)
		buf_u8(paint->out, ' ');
}

static const char *colour_of_state(const char *state)
{
	static const char *const rows[][2] = {{"running", "32"}, {"waiting", "33"},
		{"starting", "36"}, {"failed", "1;31"}, {"done", "2"}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strcmp(rows[i][0], state) == 0)
			return rows[i][1];
	}
	return "0";
}

/* ---- parts ---- */

static void put_head(const struct paint *paint, const json_t *root)
{
	char up[CELL_MAX], memory[CELL_MAX], bytes[CELL_MAX], next[CELL_MAX], idle[CELL_MAX];
	struct buf *out = paint->out;
	cell_span(up, real_of(root, "uptime_seconds"));
	cell_bytes(memory, real_of(root, "memory_bytes"), "");
	put_painted(paint, "1", "millstream ", 0);
	put_safe(out, text_of(root, "version"));
	buf_format(out, ", up %s, %s of memory\n", up, memory);

	const json_t *stream = json_object_get(root, "stream");
	cell_count(next, whole_of(stream, "next_ordinal"));
	cell_bytes(bytes, real_of(stream, "bytes"), "");
	cell_span(idle, real_of(stream, "idle_seconds"));
	buf_text(out, "stream ");
	put_painted(paint, "1", text_of(stream, "name"), 0);
	buf_format(out, ": next ordinal %s, %s", next, bytes);
	uint64_t shards = whole_of(stream, "shards");
	if (shards > 0)
		buf_format(
			out, ", %llu shard%s", (unsigned long long)shards, shards == 1 ? "" : "s");
	if (json_object_get(stream, "idle_seconds"))
		buf_format(out, ", last change %s ago", idle);
	buf_u8(out, '\n');
	if (text_of(stream, "error")[0]) {
		put_painted(paint, "1;31", text_of(stream, "error"), 0);
		buf_u8(out, '\n');
	}
}

static void put_lag(struct buf *out, const json_t *lag)
{
	char events[CELL_MAX], seconds[CELL_MAX];
	if (!json_is_object(lag)) {
		buf_text(out, "-");
		return;
	}
	cell_count(events, whole_of(lag, "events"));
	cell_span(seconds, real_of(lag, "seconds"));
	if (whole_of(lag, "events") == 0)
		buf_text(out, "none");
	else
		buf_format(out, "%s events, %s", events, seconds);
}

static void put_detail(const struct paint *paint, const char *code, const char *text)
{
	if (!text[0])
		return;
	buf_text(paint->out, "    ");
	put_painted(paint, code, text, 0);
	buf_u8(paint->out, '\n');
}

static void put_stage(const struct paint *paint, const json_t *stage, unsigned width)
{
	char events[CELL_MAX], rate[CELL_MAX], bytes[CELL_MAX], dead[CELL_MAX];
	const json_t *metrics = json_object_get(stage, "metrics");
	const json_t *rates = json_object_get(stage, "rates");
	const char *state = text_of(stage, "state");
	cell_count(events, whole_of(metrics, "events_total"));
	cell_rate(rate, real_of(rates, "events_per_s"));
	cell_bytes(bytes, real_of(rates, "bytes_per_s"), "/s");
	put_painted(paint, "1", text_of(stage, "name"), width + 2);
	put_painted(paint, colour_of_state(state), state, 10);
	buf_format(paint->out, "%14s %10s %12s  ", events, rate, bytes);
	put_lag(paint->out, json_object_get(stage, "lag"));
	buf_u8(paint->out, '\n');
	put_detail(paint, "2", text_of(stage, "place"));
	bool is_well = strcmp(state, "running") == 0 || strcmp(state, "done") == 0;
	put_detail(paint, is_well ? "2" : colour_of_state(state), text_of(stage, "text"));
	if (whole_of(metrics, "dead_letters_total") > 0) {
		char line[CELL_MAX + 40];
		cell_count(dead, whole_of(metrics, "dead_letters_total"));
		(void)snprintf(line, sizeof line, "dead letters: %s", dead);
		put_detail(paint, "33", line);
	}
}

static unsigned longest_name(const json_t *rows, const char *head)
{
	size_t longest = strlen(head);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		size_t len = strlen(text_of(json_array_get(rows, i), "name"));
		if (len > longest)
			longest = len;
	}
	return (unsigned)longest;
}

/* Capture, stream, then who reads it: not the order in which they started. */
static int place_in_flow(const json_t *stage)
{
	const char *kind = text_of(stage, "kind");
	return strcmp(kind, "capture") == 0 ? 0 : strcmp(kind, "log") == 0 ? 1 : 2;
}

static void put_stages(const struct paint *paint, const json_t *stages)
{
	unsigned width = longest_name(stages, "STAGE");
	buf_format(paint->out, "\n%-*s%-10s%14s %10s %12s  %s\n", (int)width + 2, "STAGE", "STATE",
		"EVENTS", "EVENTS/S", "BYTES/S", "LAG");
	for (int place = 0; place < 3; place++) {
		for (size_t i = 0; i < json_array_size(stages); i++) {
			const json_t *stage = json_array_get(stages, i);
			if (place_in_flow(stage) == place)
				put_stage(paint, stage, width);
		}
	}
}

static void put_consumers(const struct paint *paint, const json_t *consumers)
{
	if (json_array_size(consumers) == 0)
		return;
	unsigned width = longest_name(consumers, "CONSUMER");
	buf_format(
		paint->out, "\n%-*s%20s  %s\n", (int)width + 2, "CONSUMER", "NEXT ORDINAL", "LAG");
	for (size_t i = 0; i < json_array_size(consumers); i++) {
		const json_t *consumer = json_array_get(consumers, i);
		char next[CELL_MAX], lag[CELL_MAX];
		cell_count(next, whole_of(consumer, "next_ordinal"));
		cell_count(lag, whole_of(consumer, "lag_events"));
		put_painted(paint, "1", text_of(consumer, "name"), width + 2);
		buf_format(paint->out, "%20s  %s%s\n", next,
			whole_of(consumer, "lag_events") ? lag : "none",
			whole_of(consumer, "lag_events") ? " events" : "");
	}
}

enum rc console_status_text(struct slice json, bool colour, struct buf *out, struct fault *fault)
{
	json_error_t error = {0};
	json_t *root = json_loadb((const char *)json.at, json.len, 0, &error);
	const json_t *stages = json_object_get(root, "stages");
	enum rc rc = RC_OK;
	if (!root)
		rc = fault_set(fault, RC_PROTOCOL, "the status is not JSON: %s", error.text);
	else if (!json_is_array(stages))
		rc = fault_set(fault, RC_PROTOCOL, "the answer is no status of millstream");
	if (rc != RC_OK) {
		fault_hint(fault, "is it the console of millstream that answers at this address?");
		json_decref(root);
		return rc;
	}
	struct paint paint = {.out = out, .colour = colour};
	put_head(&paint, root);
	put_stages(&paint, stages);
	put_consumers(&paint, json_object_get(root, "consumers"));
	json_decref(root);
	if (out->rc != RC_OK)
		return fault_set(fault, out->rc, "the status is longer than %zu bytes", out->max);
	return RC_OK;
}
