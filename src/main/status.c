/* The sub-command status: asks the running process, and where none answers, looks at the stream's
 * files.
 *
 * Thread: main. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "console/console.h"
#include "hub/hub.h"
#include "main/cli.h"
#include "net/net.h"

enum { ANSWER_MAX = 4 << 20, TIMEOUT_US = 5000000 };

/* Listening on all addresses is reached by loopback. */
static char *url_of(const char *listen)
{
	const char *port = strrchr(listen, ':');
	bool any = strncmp(listen, "0.0.0.0:", 8) == 0 || strncmp(listen, "[::]:", 5) == 0 ||
		port == listen;
	return any ? mem_format("http://127.0.0.1%s", port) : mem_format("http://%s", listen);
}

static enum rc ask(const char *listen, struct buf *ret_answer, struct fault *fault)
{
	char *url = url_of(listen);
	struct net_client *client = NULL;
	struct net_client_options options = {
		.url = url,
		.connect_timeout_us = TIMEOUT_US,
		.timeout_us = TIMEOUT_US,
		.answer_max = ANSWER_MAX,
		.lanes = 1,
	};
	enum rc rc = net_client_new(&options, &client, fault);
	if (rc == RC_OK) {
		struct net_call call = {
			.method = "GET", .path = "/api/status", .answer = buf_of(ANSWER_MAX)};
		net_client_run(client, &call, 1, NULL);
		rc = call.rc;
		if (rc != RC_OK)
			*fault = call.fault;
		else if (call.status != 200)
			rc = fault_set(
				fault, RC_PROTOCOL, "%s/api/status answered %d", url, call.status);
		else
			buf_slice(ret_answer, buf_as_slice(&call.answer));
		buf_release(&call.answer);
	}
	net_client_free(client);
	mem_free(url);
	return rc;
}

/* ---- nobody is running ---- */

struct offline {
	struct buf *out;
	uint64_t next;
	bool json, any;
};

static enum rc put_consumer(void *context, const char *consumer, uint64_t next, struct fault *fault)
{
	(void)fault;
	struct offline *offline = context;
	uint64_t lag = offline->next > next ? offline->next - next : 0;
	if (!offline->json) {
		buf_text(offline->out, offline->any ? "" : "consumers:\n");
		offline->any = true;
		buf_format(offline->out, "  %-24s next ordinal %llu, %llu behind\n", consumer,
			(unsigned long long)next, (unsigned long long)lag);
		return RC_OK;
	}
	buf_text(offline->out, offline->out->at[offline->out->len - 1] == '[' ? "" : ",");
	buf_text(offline->out, "{\"name\":");
	buf_json_string(offline->out, slice_text(consumer));
	buf_format(offline->out, ",\"next_ordinal\":%llu,\"lag_events\":%llu}",
		(unsigned long long)next, (unsigned long long)lag);
	return RC_OK;
}

static void put_bounds(
	struct buf *out, const char *name, uint64_t first, uint64_t next, uint64_t bytes)
{
	buf_format(out, "not running\nstream %s: ", name);
	if (next > first)
		buf_format(out, "events %llu to %llu", (unsigned long long)first,
			(unsigned long long)next - 1);
	else
		buf_format(out, "no events, %llu is the next", (unsigned long long)next);
	buf_format(out, ", %llu bytes\n", (unsigned long long)bytes);
}

static enum rc look(const struct cli *cli, struct buf *out, struct fault *fault)
{
	const struct settings *top = cli->config.top;
	char *folder =
		hub_folder(settings_text(top, SET_DATA), settings_text(top, SET_STREAM_NAME));
	struct log_reader *reader = NULL;
	uint64_t first = 0, bytes = 0;
	struct offline offline = {.out = out, .json = cli->json};
	enum rc rc = log_reader_open(folder, &reader, fault);
	if (rc == RC_OK)
		rc = log_bounds(reader, &first, &offline.next, &bytes, fault);
	if (rc == RC_OK && cli->json)
		buf_format(out,
			"{\"running\":false,\"stream\":{\"name\":\"%s\",\"first_ordinal\":%llu,"
			"\"next_ordinal\":%llu,\"bytes\":%llu},"
			"\"stages\":[],\"consumers\":[",
			settings_text(top, SET_STREAM_NAME), (unsigned long long)first,
			(unsigned long long)offline.next, (unsigned long long)bytes);
	else if (rc == RC_OK)
		put_bounds(out, settings_text(top, SET_STREAM_NAME), first, offline.next, bytes);
	if (rc == RC_OK)
		rc = hub_checkpoint_list(folder, put_consumer, &offline, fault);
	if (rc == RC_OK && cli->json)
		buf_text(out, "]}\n");
	log_reader_close(reader);
	mem_free(folder);
	return rc;
}

enum rc command_status(struct cli *cli, struct fault *fault)
{
	struct buf answer = buf_of(ANSWER_MAX), text = buf_of(ANSWER_MAX);
	const char *listen = settings_text(cli->config.top, SET_CONSOLE_LISTEN);
	enum rc rc = listen[0] ? ask(listen, &answer, fault) : RC_UNREACHABLE;
	if (rc == RC_OK && cli->json) {
		buf_slice(&text, buf_as_slice(&answer));
		buf_text(&text, text.len > 0 && text.at[text.len - 1] == '\n' ? "" : "\n");
	} else if (rc == RC_OK) {
		rc = console_status_text(buf_as_slice(&answer), cli->is_terminal, &text, fault);
	} else if (rc == RC_UNREACHABLE) {
		rc = look(cli, &text, fault);
	}
	if (rc == RC_OK)
		cli_print(&text);
	buf_release(&answer);
	buf_release(&text);
	return rc;
}
