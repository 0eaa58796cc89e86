/* The console's door: what it is started with, and which path is answered by what; see console.h.
 *
 * Threads: start and stop: main. Everything else: THREAD_NET. */
#include "console/console.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/thread.h"
#include "console/inside.h"
#include "console/page.h"
#include "net/net.h"

enum { BODY_MAX = 4096 };

/* What is shown changes every second, is no script and no frame for others. */
#define COMMON_HEADERS \
	{"cache-control", "no-store"}, {"x-content-type-options", "nosniff"}, \
	{ \
		"referrer-policy", "no-referrer" \
	}

static const struct net_header common_headers[] = {COMMON_HEADERS, {NULL, NULL}};
static const struct net_header page_headers[] = {
	COMMON_HEADERS, {"content-security-policy", console_page_policy}, {NULL, NULL}};
static const struct net_header refusal_headers[] = {
	COMMON_HEADERS, {"allow", "GET, HEAD"}, {NULL, NULL}};

static const char type_of_json[] = "application/json";

/* ---- pages ---- */

static void get_page(struct console *console, struct slice query, struct net_answer *answer)
{
	(void)console;
	(void)query;
	answer->content_type = "text/html; charset=utf-8";
	answer->headers = page_headers;
	buf_bytes(&answer->body, console_page, console_page_len);
}

static bool has_word(struct slice query, const char *word)
{
	size_t len = strlen(word);
	for (size_t at = 0; at + len <= query.len;) {
		const uint8_t *end = memchr(query.at + at, '&', query.len - at);
		size_t next = end ? (size_t)(end - query.at) : query.len;
		if (next - at == len && memcmp(query.at + at, word, len) == 0)
			return true;
		at = next + 1;
	}
	return false;
}

static void get_status(struct console *console, struct slice query, struct net_answer *answer)
{
	answer->content_type = type_of_json;
	stream_read(&console->facts, console->folder);
	status_write(console, has_word(query, "history"), &answer->body);
}

static void get_metrics(struct console *console, struct slice query, struct net_answer *answer)
{
	(void)query;
	answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
	stream_read(&console->facts, console->folder);
	metrics_write(console, &answer->body);
}

static void get_health(struct console *console, struct slice query, struct net_answer *answer)
{
	(void)console;
	(void)query;
	answer->content_type = type_of_json;
	answer->status = health_write(&answer->body) ? 200 : 503;
}

/* The page brings its own icon; browsers ask all the same. */
static void get_icon(struct console *console, struct slice query, struct net_answer *answer)
{
	(void)console;
	(void)query;
	answer->status = 204;
	answer->content_type = NULL;
}

static const struct route {
	const char *path;
	void (*get)(struct console *console, struct slice query, struct net_answer *answer);
} routes[] = {
	{"/", get_page},
	{"/api/status", get_status},
	{"/metrics", get_metrics},
	{"/healthz", get_health},
	{"/favicon.ico", get_icon},
};

static const struct route *find_route(struct slice path)
{
	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
		if (slice_equal(path, slice_text(routes[i].path)))
			return &routes[i];
	}
	return NULL;
}

static void refuse(struct net_answer *answer, int status, const char *text, struct slice what)
{
	answer->status = status;
	answer->content_type = type_of_json;
	buf_u8(&answer->body, '{');
	buf_json_key(&answer->body, "error");
	buf_json_string(&answer->body, slice_text(text));
	buf_json_key(&answer->body, "what");
	buf_json_string(&answer->body, what);
	buf_text(&answer->body, "}\n");
}

static void handle(void *context, const struct net_request *request, struct net_answer *answer)
{
	thread_assert(THREAD_NET);
	const struct route *route = find_route(request->path);
	answer->headers = common_headers;
	if (!route) {
		refuse(answer, 404, "no such page", request->path);
	} else if (!slice_equal(request->method, SLICE("GET")) &&
		!slice_equal(request->method, SLICE("HEAD"))) {
		answer->headers = refusal_headers;
		refuse(answer, 405, "the console only reads: GET and HEAD", request->method);
	} else {
		route->get(context, request->query, answer);
	}
}

static void tick(void *context)
{
	struct console *console = context;
	samples_take(&console->samples);
}

/* ---- start and stop ---- */

static char *text_or_null(const char *text)
{
	return text ? mem_text(text) : NULL;
}

static struct console *console_new(const struct console_options *options)
{
	struct console *console = mem_new(1, sizeof *console);
	console->version = mem_text(options->version ? options->version : "");
	console->stream = text_or_null(options->stream);
	console->folder = text_or_null(options->folder);
	console->source = text_or_null(options->source);
	console->archive = text_or_null(options->archive);
	console->sinks = mem_new(options->sink_count, sizeof *console->sinks);
	console->sink_count = options->sink_count;
	for (size_t i = 0; i < options->sink_count; i++) {
		console->sinks[i].name = text_or_null(options->sinks[i].name);
		console->sinks[i].type = text_or_null(options->sinks[i].type);
		console->sinks[i].target = text_or_null(options->sinks[i].target);
	}
	return console;
}

static void console_free(struct console *console)
{
	for (size_t i = 0; i < console->sink_count; i++) {
		mem_free((void *)(uintptr_t)console->sinks[i].name);
		mem_free((void *)(uintptr_t)console->sinks[i].type);
		mem_free((void *)(uintptr_t)console->sinks[i].target);
	}
	mem_free(console->sinks);
	mem_free(console->version);
	mem_free(console->stream);
	mem_free(console->folder);
	mem_free(console->source);
	mem_free(console->archive);
	mem_free(console);
}

enum rc console_start(
	const struct console_options *options, struct console **ret_console, struct fault *fault)
{
	struct console *console = console_new(options);
	samples_take(&console->samples);
	struct net_server_options server = {.listen = options->listen,
		.body_max = BODY_MAX,
		.handle = handle,
		.tick = tick,
		.context = console};
	enum rc rc = net_server_start(&server, &console->server, fault);
	if (rc != RC_OK) {
		console_free(console);
		return rc;
	}
	*ret_console = console;
	return RC_OK;
}

const char *console_address(const struct console *console)
{
	return net_server_address(console->server);
}

void console_stop(struct console *console)
{
	if (!console)
		return;
	net_server_stop(console->server);
	console_free(console);
}
