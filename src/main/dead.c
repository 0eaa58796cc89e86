/* The sub-command dead: the dead letters of a sink. docs/DEAD-LETTERS.md.
 *
 * Thread: main. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "main/cli.h"
#include "sinks/sinks.h"

enum { OUT_MAX = 256 << 20, FLUSH_AT = 64 << 10 };

struct listing {
	struct buf out;
	bool json, whole;
	uint64_t count;
};

static void put_time(struct buf *out, int64_t time_us)
{
	uint8_t text[32];
	buf_bytes(out, text, (size_t)(json_put_time_us(text, time_us, 3) - text));
}

static void put_json(struct buf *out, const struct dead_letter *letter)
{
	buf_format(out, "{\"ord\":%llu,\"state\":\"%s\"", (unsigned long long)letter->ordinal,
		dead_state_name(letter->state));
	buf_json_key(out, "db");
	buf_json_string(out, letter->database);
	buf_json_key(out, "table");
	buf_json_string(out, letter->table);
	buf_json_key(out, "partition_key");
	buf_json_string(out, letter->partition_key);
	buf_json_key(out, "reason");
	buf_json_string(out, letter->reason);
	buf_text(out, ",\"when\":\"");
	put_time(out, letter->when_us);
	buf_format(out, "\",\"tries\":%llu,\"superseded_by\":%llu,\"event\":",
		(unsigned long long)letter->tries, (unsigned long long)letter->superseded_by);
	buf_slice(out, letter->line);
	buf_text(out, "}\n");
}

static enum rc put_letter(void *context, const struct dead_letter *letter, struct fault *fault)
{
	(void)fault;
	struct listing *listing = context;
	listing->count++;
	if (listing->json) {
		put_json(&listing->out, letter);
	} else {
		put_time(&listing->out, letter->when_us);
		buf_format(&listing->out, " #%llu %-10s %.*s: %.*s\n",
			(unsigned long long)letter->ordinal, dead_state_name(letter->state),
			SLICE_ARGS(letter->partition_key), SLICE_ARGS(letter->reason));
	}
	if (listing->whole && !listing->json) {
		buf_slice(&listing->out, letter->line);
		buf_u8(&listing->out, '\n');
	}
	if (listing->out.len >= FLUSH_AT) {
		cli_print(&listing->out);
		buf_reset(&listing->out);
	}
	return RC_OK;
}

/* --table DATABASE.TABLE, --state, --ordinal, --limit */
static enum rc read_filter(const struct cli *cli, char **ret_database,
	struct dead_filter *ret_filter, struct fault *fault)
{
	struct dead_filter filter = {.limit = (uint64_t)cli->limit};
	enum dead_state state;
	*ret_database = NULL;
	if (cli->state && !dead_state_read(cli->state, &state))
		return fault_set(fault, RC_USAGE,
			"--state is waiting, replayed, superseded or discarded, not '%s'",
			cli->state);
	if (cli->state)
		filter.states = 1u << state;
	if (cli->table) {
		const char *dot = strchr(cli->table, '.');
		if (!dot)
			return fault_set(fault, RC_USAGE,
				"--table takes DATABASE.TABLE here, not '%s'", cli->table);
		*ret_database = mem_text_of(cli->table, (size_t)(dot - cli->table));
		filter.database = *ret_database;
		filter.table = dot + 1;
	}
	if (cli->ordinal) {
		size_t digits = strspn(cli->ordinal, "0123456789");
		filter.one = true;
		filter.ordinal = strtoull(cli->ordinal, NULL, 10);
		if (digits == 0 || digits > 19 || cli->ordinal[digits])
			return fault_set(fault, RC_USAGE, "--ordinal takes a number, not '%s'",
				cli->ordinal);
	}
	*ret_filter = filter;
	return RC_OK;
}

static enum rc list(struct cli *cli, const char *sink, const struct dead_filter *filter, bool whole,
	struct fault *fault)
{
	struct listing listing = {.out = buf_of(OUT_MAX), .json = cli->json, .whole = whole};
	enum rc rc = sinks_dead_list(settings_text(cli->config.top, SET_DATA), sink, filter,
		put_letter, &listing, fault);
	if (rc == RC_OK && listing.count == 0 && !cli->json)
		buf_text(&listing.out, "no dead letters\n");
	if (rc == RC_OK)
		cli_print(&listing.out);
	buf_release(&listing.out);
	return rc;
}

static const struct config_sink *sink_named(
	const struct cli *cli, const char *name, struct fault *fault)
{
	for (size_t i = 0; i < cli->config.sink_count; i++) {
		if (strcmp(cli->config.sinks[i].name, name) == 0)
			return &cli->config.sinks[i];
	}
	(void)fault_set(fault, RC_USAGE, "the configuration has no sink '%s'", name);
	return NULL;
}

static enum rc replay(
	struct cli *cli, const char *name, const struct dead_filter *filter, struct fault *fault)
{
	const struct config_sink *sink = sink_named(cli, name, fault);
	if (!sink)
		return RC_USAGE;
	enum rc rc = settings_need(sink->settings, SINK_SET_PASSWORD, fault);
	if (rc != RC_OK)
		return rc;
	const struct settings *top = cli->config.top;
	char *folder =
		hub_folder(settings_text(top, SET_DATA), settings_text(top, SET_STREAM_NAME));
	struct sink_options options = {
		.name = sink->name,
		.settings = sink->settings,
		.folder = folder,
		.data = settings_text(top, SET_DATA),
	};
	struct dead_result result = {0};
	rc = sinks_dead_replay(&options, filter, &result, fault);
	mem_free(folder);
	struct buf out = buf_of(4096);
	buf_format(&out,
		cli->json ? "{\"replayed\":%llu,\"superseded\":%llu,\"refused\":%llu}\n"
			  : "%llu replayed, %llu superseded by newer events, %llu refused again\n",
		(unsigned long long)result.replayed, (unsigned long long)result.superseded,
		(unsigned long long)result.refused);
	cli_print(&out);
	buf_release(&out);
	return rc;
}

static enum rc discard(
	struct cli *cli, const char *sink, const struct dead_filter *filter, struct fault *fault)
{
	uint64_t count = 0;
	enum rc rc = sinks_dead_discard(
		settings_text(cli->config.top, SET_DATA), sink, filter, &count, fault);
	struct buf out = buf_of(4096);
	buf_format(&out, cli->json ? "{\"discarded\":%llu}\n" : "%llu discarded\n",
		(unsigned long long)count);
	if (rc == RC_OK)
		cli_print(&out);
	buf_release(&out);
	return rc;
}

enum rc command_dead(struct cli *cli, struct fault *fault)
{
	static const char usage[] = "millstream dead list|show|replay|discard SINK";
	if (cli->word_count != 2)
		return fault_set(
			fault, RC_USAGE, "%s: it takes two words, not %zu", usage, cli->word_count);
	const char *action = cli->words[0], *sink = cli->words[1];
	struct dead_filter filter;
	char *database;
	enum rc rc = read_filter(cli, &database, &filter, fault);
	if (rc == RC_OK) {
		if (strcmp(action, "list") == 0 || strcmp(action, "show") == 0)
			rc = list(cli, sink, &filter, action[0] == 's', fault);
		else if (strcmp(action, "replay") == 0)
			rc = replay(cli, sink, &filter, fault);
		else if (strcmp(action, "discard") == 0)
			rc = discard(cli, sink, &filter, fault);
		else
			rc = fault_set(fault, RC_USAGE, "%s, not '%s'", usage, action);
	}
	mem_free(database);
	return rc;
}
