/* The sub-commands that play roles: run, capture, archive, deliver.
 *
 * Start, in the order of the flow: hub, console, archive, sinks, capture. Then main waits for
 * signals and for roles that end.
 *
 * Stop, against the flow's order of need: capture first (what is complete is committed and
 * durable), then archive and sinks, which either finish what they have at hand (a signal) or
 * everything up to the stream's end (capture reached the end of the binlog, or failed), then the
 * hub, then the console, so that the last state can be seen.
 *
 * A capture that fails ends the process with its code, after everybody has what it captured. A sink
 * or an archive that fails leaves the others running: /healthz and `status` say so, and the exit
 * code does in the end. A second signal ends at once.
 *
 * Thread: main. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "archive/archive.h"
#include "base/clock.h"
#include "base/disk.h"
#include "base/mem.h"
#include "base/notice.h"
#include "base/stage.h"
#include "base/thread.h"
#include "capture/capture.h"
#include "console/console.h"
#include "main/cli.h"
#include "main/setup.h"
#include "sinks/sinks.h"

enum { TICK_MS = 100, SAME_US = 500000 };

enum roles { ROLE_CAPTURE = 1, ROLE_ARCHIVE = 2, ROLE_SINKS = 4 };

struct run {
	struct cli *cli;
	const struct settings *top;
	unsigned roles;
	char *folder;
	int signals;
	int64_t signalled_us; /* when the last one came, 0: none yet */
	struct hub *hub;
	struct console *console;
	struct archive *archive;
	struct capture *capture;
	struct sink *sinks[CONFIG_SINKS_MAX];
	struct stage *archive_stage, *sink_stages[CONFIG_SINKS_MAX];
	struct setup setup;
};

/* ---- start ---- */

static enum rc start_hub(struct run *run, struct fault *fault)
{
	const struct settings *top = run->top;
	bool is_null = strcmp(settings_text(top, SET_STREAM_BACKEND), "null") == 0;
	bool archived = settings_text(top, SET_ARCHIVE_PATH)[0] != 0;
	struct hub_options options = {
		.data = settings_text(top, SET_DATA),
		.name = settings_text(top, SET_STREAM_NAME),
		.null = is_null,
		.shards = (uint32_t)settings_number(top, SET_STREAM_SHARDS),
		.codec = strcmp(settings_text(top, SET_STREAM_COMPRESSION), "zstd") == 0
			? LOG_ZSTD
			: LOG_PLAIN,
		.level = (int)settings_number(top, SET_STREAM_LEVEL),
		.batch_size = (size_t)settings_number(top, SET_STREAM_BATCH_SIZE),
		.line_max = capture_line_max((size_t)settings_number(top, SET_SOURCE_MAX_ROW)),
		.segment_size = (uint64_t)settings_number(top, SET_STREAM_SEGMENT_SIZE),
		.retention_us = settings_number(top, SET_STREAM_RETENTION_TIME),
		.retention_size = (uint64_t)settings_number(top, SET_STREAM_RETENTION_SIZE),
		.archived = archived,
		.stage = stage_new("log", "stream"),
	};
	return hub_open(&options, &run->hub, fault);
}

static enum rc start_console(struct run *run, struct fault *fault)
{
	const struct settings *top = run->top;
	if (!settings_text(top, SET_CONSOLE_LISTEN)[0])
		return RC_OK;
	struct console_sink sinks[CONFIG_SINKS_MAX];
	for (size_t i = 0; i < run->cli->config.sink_count; i++)
		sinks[i] = setup_console_sink(&run->setup, &run->cli->config, i);
	const char *archive = settings_text(top, SET_ARCHIVE_PATH);
	struct console_options options = {
		.listen = settings_text(top, SET_CONSOLE_LISTEN),
		.version = MILLSTREAM_VERSION,
		.stream = settings_text(top, SET_STREAM_NAME),
		.folder = strcmp(settings_text(top, SET_STREAM_BACKEND), "null") == 0 ? NULL
										      : run->folder,
		.source = run->setup.source_name,
		.archive = archive[0] ? archive : NULL,
		.sinks = sinks,
		.sink_count = run->cli->config.sink_count,
	};
	return console_start(&options, &run->console, fault);
}

static enum rc start_archive(struct run *run, struct fault *fault)
{
	const struct settings *top = run->top;
	if (!(run->roles & ROLE_ARCHIVE) || !settings_text(top, SET_ARCHIVE_PATH)[0])
		return RC_OK;
	run->archive_stage = stage_new("archive", "archive");
	struct archive_options options = {
		.hub = run->hub,
		.folder = run->folder,
		.stream = settings_text(top, SET_STREAM_NAME),
		.path = settings_text(top, SET_ARCHIVE_PATH),
		.codec = strcmp(settings_text(top, SET_ARCHIVE_FORMAT), "gzip") == 0 ? PAST_GZIP
										     : PAST_ZSTD,
		.level = (int)settings_number(top, SET_ARCHIVE_LEVEL),
		.object_size = (uint64_t)settings_number(top, SET_ARCHIVE_OBJECT_SIZE),
		.object_age_us = settings_number(top, SET_ARCHIVE_OBJECT_AGE),
		.stage = run->archive_stage,
	};
	return archive_start(&options, &run->archive, fault);
}

static enum rc start_sinks(struct run *run, struct fault *fault)
{
	enum rc rc = RC_OK;
	for (size_t i = 0;
		rc == RC_OK && (run->roles & ROLE_SINKS) && i < run->cli->config.sink_count; i++) {
		const struct config_sink *sink = &run->cli->config.sinks[i];
		char *name = mem_format("sink:%s", sink->name);
		run->sink_stages[i] = stage_new("sink", name);
		struct sink_options options = {
			.name = sink->name,
			.settings = sink->settings,
			.folder = run->folder,
			.data = settings_text(run->top, SET_DATA),
			.stage = run->sink_stages[i],
		};
		mem_free(name);
		rc = settings_need(sink->settings, SINK_SET_PASSWORD, fault);
		if (rc == RC_OK)
			rc = sink_start(&options, &run->sinks[i], fault);
		if (rc != RC_OK)
			fault_context(fault, "sink '%s'", sink->name);
	}
	return rc;
}

static enum rc start_capture(struct run *run, struct fault *fault)
{
	if (!(run->roles & ROLE_CAPTURE))
		return RC_OK;
	struct capture_options options;
	enum rc rc = setup_capture(&run->setup, run->cli, &options, fault);
	options.hub = run->hub;
	options.stage = stage_new("capture", "capture");
	return rc == RC_OK ? capture_start(&options, &run->capture, fault) : rc;
}

static enum rc open_signals(struct run *run, struct fault *fault)
{
	sigset_t set;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	run->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return run->signals >= 0 ? RC_OK : fault_errno(fault, RC_IO, "cannot wait for signals");
}

static enum rc start_all(struct run *run, struct fault *fault)
{
	enum rc rc = open_signals(run, fault);
	if (rc == RC_OK)
		rc = start_hub(run, fault);
	if (rc == RC_OK)
		rc = start_console(run, fault);
	if (rc == RC_OK)
		rc = start_archive(run, fault);
	if (rc == RC_OK)
		rc = start_sinks(run, fault);
	return rc == RC_OK ? start_capture(run, fault) : rc;
}

/* ---- wait ---- */

/* Takes a signal, waiting for one up to `timeout_ms`, or until a thread ends. What comes right
 * behind another one is the same wish and does not count: timeout(1) signals us, and then the group
 * that we are in. */
static bool take_signal(struct run *run, int timeout_ms)
{
	struct pollfd fds[] = {
		{.fd = run->signals, .events = POLLIN}, {.fd = thread_bell(), .events = POLLIN}};
	struct signalfd_siginfo info;
	uint64_t rings;
	if (poll(fds, 2, timeout_ms) <= 0)
		return false;
	if (fds[1].revents)
		(void)!read(fds[1].fd, &rings, sizeof rings);
	if (read(run->signals, &info, sizeof info) != sizeof info)
		return false;
	int64_t now = clock_monotonic_us();
	bool is_same = run->signalled_us > 0 && now - run->signalled_us < SAME_US;
	run->signalled_us = now;
	return !is_same;
}

/* Whether none is left that could do anything. Who fails has said so in the log. */
static bool nobody_is_left(struct run *run)
{
	struct fault fault;
	bool alive =
		run->capture || (run->archive && archive_failed(run->archive, &fault) == RC_OK);
	for (size_t i = 0; i < CONFIG_SINKS_MAX && !alive; i++)
		alive = run->sinks[i] && sink_failed(run->sinks[i], &fault) == RC_OK;
	return !alive;
}

/* Until a signal (true), or until the work is over: the capture ended, or nothing is left to do. */
static bool wait_for_end(struct run *run)
{
	for (;;) {
		if (take_signal(run, TICK_MS))
			return true;
		if (run->capture && capture_has_ended(run->capture))
			return false;
		if (hub_failed(run->hub, NULL) != RC_OK)
			return false;
		if (nobody_is_left(run) || (!run->capture && run->cli->until_end))
			return false;
	}
}

/* ---- stop ---- */

/* The first fault is the one that counts; every other one is in the log. */
static void collect(enum rc one, const struct fault *one_fault, enum rc *rc, struct fault *fault)
{
	if (one == RC_OK || *rc != RC_OK)
		return;
	*rc = one;
	*fault = *one_fault;
}

static bool is_over(const struct stage *stage)
{
	return !stage || stage_get(stage, STAGE_STATE) == STAGE_FAILED ||
		stage_get(stage, STAGE_STATE) == STAGE_DONE;
}

static bool readers_are_over(const struct run *run)
{
	bool over = !run->archive || is_over(run->archive_stage);
	for (size_t i = 0; i < CONFIG_SINKS_MAX; i++)
		over = over && (!run->sinks[i] || is_over(run->sink_stages[i]));
	return over;
}

static void stop_readers(struct run *run)
{
	if (run->archive)
		archive_stop(run->archive);
	for (size_t i = 0; i < CONFIG_SINKS_MAX; i++) {
		if (run->sinks[i])
			sink_stop(run->sinks[i]);
	}
}

static void drain_readers(struct run *run)
{
	uint64_t until = hub_acknowledged(run->hub);
	if (run->archive)
		archive_drain(run->archive, until);
	for (size_t i = 0; i < CONFIG_SINKS_MAX; i++) {
		if (run->sinks[i])
			sink_drain(run->sinks[i], until);
	}
}

/* Waits for the capture. A signal while that goes on ends the process at once, as a crash would,
 * which loses nothing. */
static void end_capture(struct run *run)
{
	if (!run->capture)
		return;
	capture_stop(run->capture);
	while (!capture_has_ended(run->capture)) {
		if (take_signal(run, TICK_MS))
			_exit(128 + SIGINT);
	}
}

/* Waits for archive and sinks. A first signal while they drain turns that into a stop, the next one
 * ends at once. */
static void end_readers(struct run *run, bool drain)
{
	if (drain)
		drain_readers(run);
	else
		stop_readers(run);
	while (!readers_are_over(run)) {
		if (!take_signal(run, TICK_MS))
			continue;
		if (!drain)
			_exit(128 + SIGINT);
		drain = false;
		stop_readers(run);
	}
}

static enum rc join_roles(struct run *run, struct fault *fault)
{
	struct fault one = {0};
	enum rc rc = RC_OK;
	collect(capture_join(run->capture, &one), &one, &rc, fault);
	if (run->hub)
		collect(hub_failed(run->hub, &one), &one, &rc, fault);
	collect(archive_join(run->archive, &one), &one, &rc, fault);
	for (size_t i = 0; i < CONFIG_SINKS_MAX; i++)
		collect(sink_join(run->sinks[i], &one), &one, &rc, fault);
	return rc;
}

static void release(struct run *run)
{
	hub_close(run->hub);
	console_stop(run->console);
	setup_release(&run->setup);
	mem_free(run->folder);
	if (run->signals >= 0)
		(void)close(run->signals);
}

static enum rc play(struct cli *cli, unsigned roles, struct fault *fault)
{
	struct run run = {.cli = cli, .top = cli->config.top, .roles = roles, .signals = -1};
	run.folder = hub_folder(
		settings_text(run.top, SET_DATA), settings_text(run.top, SET_STREAM_NAME));
	notice(NOTICE_STARTED,
		FIELDS(field_text("version", MILLSTREAM_VERSION),
			field_text("command", cli->command), field_u64("pid", (uint64_t)getpid())));
	enum rc rc = setup_init(&run.setup, cli, fault);
	if (rc == RC_OK)
		rc = start_all(&run, fault);
	bool signalled = rc != RC_OK || wait_for_end(&run);
	notice(NOTICE_STOPPING, NULL);
	end_capture(&run);
	if (run.hub)
		end_readers(&run, !signalled);
	struct fault later = {0};
	enum rc ended = join_roles(&run, &later);
	if (rc == RC_OK && ended != RC_OK) {
		rc = ended;
		*fault = later;
	}
	release(&run);
	if (rc == RC_OK)
		notice(NOTICE_STOPPED, NULL);
	else
		notice_fault(NOTICE_FAILED, fault, NULL);
	return rc;
}

enum rc command_run(struct cli *cli, struct fault *fault)
{
	return play(cli, ROLE_CAPTURE | ROLE_ARCHIVE | ROLE_SINKS, fault);
}

enum rc command_capture(struct cli *cli, struct fault *fault)
{
	return play(cli, ROLE_CAPTURE, fault);
}

enum rc command_archive(struct cli *cli, struct fault *fault)
{
	if (!settings_text(cli->config.top, SET_ARCHIVE_PATH)[0])
		return fault_set(fault, RC_CONFIG,
			"'archive.path' is not set: there is nowhere to archive to");
	return play(cli, ROLE_ARCHIVE, fault);
}

enum rc command_deliver(struct cli *cli, struct fault *fault)
{
	if (cli->config.sink_count == 0)
		return fault_set(fault, RC_CONFIG,
			"there are no 'sinks' in the configuration: there is nowhere to deliver "
			"to");
	return play(cli, ROLE_SINKS, fault);
}
