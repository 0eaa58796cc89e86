/* millstream: the sub-commands and how they are called.
 *
 * The exit status is the code of src/base/rc.h (docs/EXIT-CODES.md). Thread: main. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/crash.h"
#include "base/notice.h"
#include "main/cli.h"

/* clang-format off */
static const struct command commands[] = {
	{"run", "[options]", "Plays all configured roles in one process: capture, stream, archive, sinks, console.",
	 CLI_CONFIG | CLI_SOURCE | CLI_STREAM | CLI_UNTIL_END, command_run},
	{"capture", "[options]", "Only the capture: from the source into the stream.",
	 CLI_CONFIG | CLI_SOURCE | CLI_STREAM | CLI_UNTIL_END, command_capture},
	{"archive", "[options]", "Only the archive: from the stream into the event log.",
	 CLI_CONFIG | CLI_STREAM | CLI_UNTIL_END, command_archive},
	{"deliver", "[options]", "Only the sinks: from the stream into the read models.",
	 CLI_CONFIG | CLI_STREAM | CLI_UNTIL_END, command_deliver},
	{"tail", "[options]", "Prints the stream: for people on a terminal, as it is (NDJSON) into a pipe.",
	 CLI_CONFIG | CLI_STREAM | CLI_TAIL | CLI_JSON, command_tail},
	{"status", "[options]", "Prints where each stage is, how fast, and how far behind.",
	 CLI_CONFIG | CLI_STREAM | CLI_JSON, command_status},
	{"check", "[options]", "Examines the source's settings and privileges, and names what mends each finding.",
	 CLI_CONFIG | CLI_SOURCE | CLI_JSON, command_check},
	{"dead", "list|show|replay|discard SINK [options]", "Lists, shows, replays or discards the documents that a sink's target refused.",
	 CLI_CONFIG | CLI_STREAM | CLI_DEAD | CLI_JSON, command_dead},
	{"sample-config", "", "Prints a configuration with every setting.", 0, command_sample},
	{"docs", "configuration|exit-codes|metrics", "Prints a page of docs/ that is generated.", CLI_WORDS, command_docs},
	{"version", "[--json]", "Prints the version.", CLI_JSON, command_version},
};
/* clang-format on */

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static void print_usage(struct buf *out)
{
	buf_text(out,
		"millstream distributes the changes of a MySQL or MariaDB database.\n\nmillstream "
		"COMMAND [options]\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		buf_format(out, "  %-14s %s\n", commands[i].name, commands[i].text);
	buf_text(out, "\nmillstream COMMAND --help tells the options. README.md is the way in.\n");
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static int report(enum rc rc, const struct fault *fault)
{
	if (rc == RC_OK)
		return 0;
	(void)fprintf(stderr, "millstream: %s\n", fault->text[0] ? fault->text : rc_text(rc));
	if (fault->hint[0])
		(void)fprintf(stderr, "  %s\n", fault->hint);
	return (int)rc;
}

static void init_notices(const struct config *config)
{
	static const char *const levels[] = {"debug", "info", "warn", "error"};
	enum notice_level level = NOTICE_INFO;
	for (int i = 0; i < 4; i++) {
		if (strcmp(settings_text(config->top, SET_LOG_LEVEL), levels[i]) == 0)
			level = (enum notice_level)i;
	}
	bool json = strcmp(settings_text(config->top, SET_LOG_FORMAT), "json") == 0;
	notice_init(level, json ? NOTICE_AS_JSON : NOTICE_AS_TEXT);
}

static enum rc run_command(
	const struct command *command, int count, char **args, struct fault *fault)
{
	struct cli cli;
	enum rc rc = cli_read(&cli, command, count, args, fault);
	if (cli.help) {
		struct buf help = buf_of(65536);
		cli_help(command, &help);
		cli_print(&help);
		buf_release(&help);
		rc = RC_OK;
	} else if (rc == RC_OK) {
		init_notices(&cli.config);
		rc = command->run(&cli, fault);
	}
	cli_release(&cli);
	return rc;
}

int main(int count, char **args)
{
	struct fault fault = {0};
	(void)signal(SIGPIPE, SIG_IGN);
	/* one heap for all threads: what one gives back another one can have. With one for each,
	 * 10,000 tables and a read model took a third more memory, and nothing was faster */
	(void)mallopt(M_ARENA_MAX, 1);
	if (!crash_init())
		return report(fault_set(&fault, RC_USAGE,
				      "MILLSTREAM_CRASH is STAGE:N, see src/base/crash.h"),
			&fault);
	bool wants_help = count < 2 || strcmp(args[1], "--help") == 0 ||
		strcmp(args[1], "-h") == 0 || strcmp(args[1], "help") == 0;
	if (wants_help) {
		struct buf usage = buf_of(65536);
		print_usage(&usage);
		cli_print(&usage);
		buf_release(&usage);
		return count < 2 ? RC_USAGE : RC_OK;
	}
	const char *name = strcmp(args[1], "--version") == 0 ? "version" : args[1];
	const struct command *command = find_command(name);
	if (!command) {
		(void)fault_set(&fault, RC_USAGE, "there is no command '%s'", name);
		fault_hint(&fault, "millstream --help lists them");
		return report(RC_USAGE, &fault);
	}
	enum rc rc = run_command(command, count - 2, args + 2, &fault);
	return report(rc, &fault);
}
