/* The console: a page with the picture of the flow, its numbers as JSON, Prometheus metrics,
 *health.
 *
 * It reads and never writes: the stage table (base/stage.h), the stream's bounds and its consumers'
 * checkpoints. It has no login: who reaches the address sees names, positions and error texts,
 *never a row or a password.
 *
 *	GET /            the page
 *	GET /api/status  docs/STATUS.md; with ?history each stage's last minute
 *	GET /metrics     Prometheus text format 0.0.4; docs/METRICS.md
 *	GET /healthz     200 while no stage has failed, else 503 with the reasons
 *
 * Threads: start and stop: main. It serves on the server's thread (THREAD_NET). */
#ifndef CONSOLE_CONSOLE_H
#define CONSOLE_CONSOLE_H

#include "base/buf.h"

struct console;

/* A sink as configured: {"search", "sqlite", "/var/lib/millstream/search.db"}. */
struct console_sink {
	const char *name, *type, *target;
};

/* All texts are copied. What is NULL is not there. */
struct console_options {
	const char *listen;  /* as net_server_options */
	const char *version; /* of the program */
	const char *stream;  /* its name */
	const char *folder;  /* hub_folder; NULL for a backend without one */
	const char *source;  /* "127.0.0.1:3306": where the changes come from */
	const char *archive; /* "/srv/archive" */
	const struct console_sink *sinks;
	size_t sink_count;
};

/* Starts listening. Stages may come later; the stage whose kind is log is what lag is measured
 * against. Faults as net_server_start. */
MUST_USE enum rc console_start(
	const struct console_options *options, struct console **ret_console, struct fault *fault);

/* The address it listens on, with the real port. */
const char *console_address(const struct console *console);

/* Accepts NULL. */
void console_stop(struct console *console);

/* docs/METRICS.md. */
void console_write_metrics_docs(struct buf *out);

/* The answer of /api/status as a table for people, in colour for a terminal. RC_PROTOCOL when it is
 * not one. */
MUST_USE enum rc console_status_text(
	struct slice json, bool colour, struct buf *out, struct fault *fault);

#endif
