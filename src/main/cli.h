/* The command line: sub-commands and the options that they share; see cli.c.
 *
 * Thread: main. */
#ifndef MAIN_CLI_H
#define MAIN_CLI_H

#include "base/config.h"

/* What every sub-command gets. */
struct cli {
	struct config config; /* loaded: file, then --set and the short forms, in the order of the
				 command line */
	const char *command;
	bool json, until_end, follow, help;
	const char *from, *table, *sink, *state, *ordinal; /* NULL: not given */
	int64_t limit;                                     /* 0: none */
	const char *const *words;                          /* what is left: not options */
	size_t word_count;
	bool is_terminal; /* standard output */
};

/* A sub-command: a row of the table in main.c. */
struct command {
	const char *name, *usage, *text;
	unsigned options; /* CLI_* that it takes besides those of all */
	enum rc (*run)(struct cli *cli, struct fault *fault);
};

enum cli_options {
	CLI_CONFIG = 1,    /* reads the configuration: --config, --set */
	CLI_SOURCE = 2,    /* --source, --tables, --start */
	CLI_STREAM = 4,    /* --stream */
	CLI_UNTIL_END = 8, /* --until-end */
	CLI_JSON = 16,     /* --json */
	CLI_TAIL = 32,     /* --from, --table, --follow, --limit */
	CLI_DEAD = 64,     /* --table, --state, --ordinal, --limit, words */
	CLI_WORDS = 128,   /* takes words */
};

/* Reads the options behind a sub-command. RC_USAGE with a way out; RC_CONFIG from the
 * configuration. */
MUST_USE enum rc cli_read(struct cli *cli, const struct command *command, int count, char **args,
	struct fault *fault);
void cli_release(struct cli *cli);

/* Appends the help on one sub-command. */
void cli_help(const struct command *command, struct buf *out);

/* Writes all of `out` to standard output. A reader that went away ends the process quietly. */
void cli_print(const struct buf *out);

/* The sub-commands. */
enum rc command_run(struct cli *cli, struct fault *fault);
enum rc command_capture(struct cli *cli, struct fault *fault);
enum rc command_archive(struct cli *cli, struct fault *fault);
enum rc command_deliver(struct cli *cli, struct fault *fault);
enum rc command_tail(struct cli *cli, struct fault *fault);
enum rc command_status(struct cli *cli, struct fault *fault);
enum rc command_check(struct cli *cli, struct fault *fault);
enum rc command_dead(struct cli *cli, struct fault *fault);
enum rc command_sample(struct cli *cli, struct fault *fault);
enum rc command_docs(struct cli *cli, struct fault *fault);
enum rc command_version(struct cli *cli, struct fault *fault);

#endif
