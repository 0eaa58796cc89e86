/* /api/status: everything the page shows, as JSON. docs/STATUS.md has each field. */
#include "console/inside.h"

#include <math.h>

#include "base/clock.h"
#include "base/json.h"

static void put_text(struct buf *out, const char *key, const char *text)
{
	buf_json_key(out, key);
	if (text)
		buf_json_string(out, slice_text(text));
	else
		buf_text(out, "null");
}

static void put_number(struct buf *out, const char *key, uint64_t number)
{
	buf_json_key(out, key);
	buf_json_u64(out, number);
}

/* A tenth is precise enough to read. */
static void put_tenths(struct buf *out, double number)
{
	buf_json_double(out, floor(number * 10 + 0.5) / 10);
}

static void put_time(struct buf *out, const char *key, int64_t time_us)
{
	uint8_t text[32];
	buf_json_key(out, key);
	if (time_us > 0)
		buf_json_string(
			out, slice_of(text, (size_t)(json_put_time_us(text, time_us, 3) - text)));
	else
		buf_text(out, "null");
}

/* ---- the program ---- */

static void put_program(const struct console *console, struct buf *out)
{
	struct process process;
	process_read(&process);
	int64_t now_us = clock_wall_us();
	double up_s = (double)now_us / 1e6 - process.start_s;
	put_text(out, "version", console->version);
	put_time(out, "time", now_us);
	put_number(out, "uptime_seconds", up_s > 0 ? (uint64_t)up_s : 0);
	put_number(out, "memory_bytes", process.resident_bytes);
	put_text(out, "source", console->source);
	put_text(out, "archive", console->archive);
	buf_json_key(out, "sinks");
	buf_u8(out, '[');
	for (size_t i = 0; i < console->sink_count; i++) {
		buf_text(out, i ? ",{" : "{");
		put_text(out, "name", console->sinks[i].name);
		put_text(out, "type", console->sinks[i].type);
		put_text(out, "target", console->sinks[i].target);
		buf_u8(out, '}');
	}
	buf_u8(out, ']');
}

/* ---- the stream ---- */

bool console_stream_next(const struct console *console, uint64_t *ret_next)
{
	const struct stage *stream = stage_of_stream();
	if (!stream && !console->facts.is_known)
		return false;
	uint64_t next = stream ? stage_get(stream, STAGE_NEXT_ORDINAL) : 0;
	if (console->facts.is_known && console->facts.next > next)
		next = console->facts.next;
	*ret_next = next;
	return true;
}

static void put_stream(const struct console *console, struct buf *out)
{
	const struct stream_facts *facts = &console->facts;
	const struct stage *stream = stage_of_stream();
	int64_t time_us = stream ? (int64_t)stage_get(stream, STAGE_STREAM_TIME) : 0;
	uint64_t next = 0;
	bool has_next = console_stream_next(console, &next);
	buf_json_key(out, "stream");
	buf_u8(out, '{');
	put_text(out, "name", console->stream);
	if (facts->is_known) {
		put_number(out, "shards", facts->shards);
		put_time(out, "created", facts->created_us);
		put_number(out, "first_ordinal", facts->first);
	}
	if (has_next)
		put_number(out, "next_ordinal", next);
	if (facts->is_known || stream)
		put_number(out, "bytes",
			facts->is_known ? facts->bytes : stage_get(stream, STAGE_HELD));
	put_time(out, "last_change", time_us);
	int64_t idle_us = clock_wall_us() - time_us;
	if (time_us > 0)
		put_number(out, "idle_seconds", idle_us > 0 ? (uint64_t)idle_us / 1000000 : 0);
	if (facts->error[0])
		put_text(out, "error", facts->error);
	buf_u8(out, '}');
}

static void put_consumers(const struct console *console, struct buf *out)
{
	uint64_t next = 0;
	bool has_next = console_stream_next(console, &next);
	buf_json_key(out, "consumers");
	buf_u8(out, '[');
	for (size_t i = 0; i < console->facts.consumer_count; i++) {
		const struct consumer *consumer = &console->facts.consumers[i];
		buf_text(out, i ? ",{" : "{");
		put_text(out, "name", consumer->name);
		put_number(out, "next_ordinal", consumer->next);
		if (has_next)
			put_number(out, "lag_events",
				samples_events_between(&console->samples, consumer->next, next));
		buf_u8(out, '}');
	}
	buf_u8(out, ']');
}

/* ---- stages ---- */

static void put_metrics(const struct stage *stage, struct buf *out)
{
	buf_json_key(out, "metrics");
	buf_u8(out, '{');
	for (size_t i = 0; stage_metric_name(i); i++)
		put_number(out, stage_metric_name(i), stage_get(stage, (enum stage_metric)i));
	buf_u8(out, '}');
}

static void put_rates(const struct console *console, size_t index, struct buf *out)
{
	struct rates rates = samples_rates(&console->samples, index);
	buf_json_key(out, "rates");
	buf_u8(out, '{');
	buf_json_key(out, "events_per_s");
	put_tenths(out, rates.events_per_s);
	buf_json_key(out, "bytes_per_s");
	put_tenths(out, rates.bytes_per_s);
	buf_u8(out, '}');
}

static void put_lag(const struct console *console, const struct stage *stage, struct buf *out)
{
	struct lag lag = samples_lag(&console->samples, stage);
	buf_json_key(out, "lag");
	if (!lag.is_known) {
		buf_text(out, "null");
		return;
	}
	buf_u8(out, '{');
	put_number(out, "events", lag.events);
	buf_json_key(out, "seconds");
	put_tenths(out, (double)lag.us / 1e6);
	buf_u8(out, '}');
}

/* Events per second, the oldest first. */
static void put_history(const struct console *console, size_t index, struct buf *out)
{
	buf_json_key(out, "history");
	buf_u8(out, '[');
	const char *comma = "";
	for (size_t back = SAMPLES; back-- > 0;) {
		struct rates rates;
		if (!samples_rates_back(&console->samples, index, back, &rates))
			continue;
		buf_text(out, comma);
		put_tenths(out, rates.events_per_s);
		comma = ",";
	}
	buf_u8(out, ']');
}

static void put_stage(const struct console *console, size_t index, bool history, struct buf *out)
{
	const struct stage *stage = stage_at(index);
	char text[STAGE_TEXT_MAX], place[STAGE_TEXT_MAX];
	stage_texts(stage, text, place);
	buf_text(out, index ? ",{" : "{");
	put_text(out, "kind", stage_kind(stage));
	put_text(out, "name", stage_name(stage));
	put_text(out, "state", stage_state_name((enum stage_state)stage_get(stage, STAGE_STATE)));
	put_text(out, "text", text);
	put_text(out, "place", place);
	put_metrics(stage, out);
	put_rates(console, index, out);
	put_lag(console, stage, out);
	if (history)
		put_history(console, index, out);
	buf_u8(out, '}');
}

void status_write(const struct console *console, bool history, struct buf *out)
{
	buf_u8(out, '{');
	put_program(console, out);
	put_stream(console, out);
	buf_json_key(out, "stages");
	buf_u8(out, '[');
	for (size_t i = 0; stage_at(i); i++)
		put_stage(console, i, history, out);
	buf_u8(out, ']');
	put_consumers(console, out);
	buf_text(out, "}\n");
}
