/* The options of the command line; see cli.h.
 *
 * One table for all sub-commands: an option belongs to a group, and a sub-command takes some
 * groups. Short forms (--tables a,b) are settings of the configuration by another name. */
#include "main/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

enum kind {
	TAKES_CONFIG,
	TAKES_SET,
	TAKES_SOURCE,
	TAKES_SETTING,
	TAKES_STREAM,
	TAKES_TEXT,
	TAKES_COUNT,
	IS_FLAG
};

struct option {
	const char *name;
	unsigned group;
	enum kind kind;
	const char *argument; /* in the help; NULL for a flag */
	const char *text;
	const char *key; /* TAKES_SETTING */
	size_t offset;   /* TAKES_TEXT, TAKES_COUNT, IS_FLAG: of the member in struct cli */
};

#define MEMBER(name) offsetof(struct cli, name)

/* clang-format off */
static const struct option options[] = {
	{"--config", CLI_CONFIG, TAKES_CONFIG, "FILE", "the configuration (preset: millstream.yaml, where there is one)", NULL, 0},
	{"--set", CLI_CONFIG, TAKES_SET, "KEY=VALUE", "a setting, over the file; may come again", NULL, 0},
	{"--source", CLI_SOURCE, TAKES_SOURCE, "URL", "mysql://USER:PASSWORD@HOST:PORT", NULL, 0},
	{"--tables", CLI_SOURCE, TAKES_SETTING, "PATTERNS", "source.tables, divided by commas", "source.tables", 0},
	{"--start", CLI_SOURCE, TAKES_SETTING, "WHERE", "source.start", "source.start", 0},
	{"--stream", CLI_STREAM, TAKES_STREAM, "NAME", "stream.name; null: encode and drop, to measure", NULL, 0},
	{"--until-end", CLI_UNTIL_END, IS_FLAG, NULL, "stop at what is the end of the binlog (or of the stream) now", NULL, MEMBER(until_end)},
	{"--from", CLI_TAIL, TAKES_TEXT, "WHERE", "oldest, latest, an ordinal, a sequence number or a time (2026-11-25T07:34:00Z)", NULL, MEMBER(from)},
	{"--table", CLI_TAIL | CLI_DEAD, TAKES_TEXT, "PATTERN", "only this DATABASE.TABLE", NULL, MEMBER(table)},
	{"--follow", CLI_TAIL, IS_FLAG, NULL, "wait for more", NULL, MEMBER(follow)},
	{"--limit", CLI_TAIL | CLI_DEAD, TAKES_COUNT, "N", "not more than N", NULL, MEMBER(limit)},
	{"--state", CLI_DEAD, TAKES_TEXT, "STATE", "only waiting, replayed, superseded or discarded ones", NULL, MEMBER(state)},
	{"--ordinal", CLI_DEAD, TAKES_TEXT, "N", "only this one", NULL, MEMBER(ordinal)},
	{"--json", CLI_JSON, IS_FLAG, NULL, "JSON for machines", NULL, MEMBER(json)},
	{"--help", ~0u, IS_FLAG, NULL, "this text", NULL, MEMBER(help)},
};
/* clang-format on */

enum { OPTION_COUNT = sizeof options / sizeof options[0] };

static const struct option *find_option(const char *name, size_t len)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (strlen(options[i].name) == len && strncmp(options[i].name, name, len) == 0)
			return &options[i];
	}
	return NULL;
}

static enum rc set_one(
	struct config *config, const char *key, const char *value, struct fault *fault)
{
	char *assignment = mem_format("%s=%s", key, value);
	enum rc rc = config_set(config, assignment, fault);
	mem_free(assignment);
	return rc;
}

static int hex_of(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* A part of the URL with its %XX resolved. */
static enum rc set_part(
	struct config *config, const char *key, const char *at, size_t len, struct fault *fault)
{
	struct buf value = buf_of(4096);
	for (size_t i = 0; i < len; i++) {
		bool is_escape = at[i] == '%' && i + 2 < len && hex_of(at[i + 1]) >= 0 &&
			hex_of(at[i + 2]) >= 0;
		buf_u8(&value,
			(uint8_t)(is_escape ? hex_of(at[i + 1]) << 4 | hex_of(at[i + 2]) : at[i]));
		i += is_escape ? 2 : 0;
	}
	enum rc rc = set_one(config, key, buf_cstring(&value), fault);
	buf_release(&value);
	return rc;
}

/* mysql://[USER[:PASSWORD]@]HOST[:PORT] */
static enum rc set_source(struct config *config, const char *url, struct fault *fault)
{
	const char *scheme = strstr(url, "://");
	if (!scheme || (strncmp(url, "mysql://", 8) != 0 && strncmp(url, "mariadb://", 10) != 0))
		return fault_set(fault, RC_USAGE,
			"--source takes mysql://USER:PASSWORD@HOST:PORT, not '%s'", url);
	const char *rest = scheme + 3;
	const char *at = strrchr(rest, '@');
	enum rc rc = RC_OK;
	if (at) {
		const char *colon = memchr(rest, ':', (size_t)(at - rest));
		const char *user_end = colon ? colon : at;
		rc = set_part(config, "source.user", rest, (size_t)(user_end - rest), fault);
		if (rc == RC_OK && colon)
			rc = set_part(config, "source.password", colon + 1,
				(size_t)(at - colon - 1), fault);
		rest = at + 1;
	}
	size_t len = strcspn(rest, "/?");
	const char *port = memchr(rest, ':', len);
	if (rc == RC_OK)
		rc = set_part(
			config, "source.host", rest, port ? (size_t)(port - rest) : len, fault);
	if (rc == RC_OK && port)
		rc = set_part(
			config, "source.port", port + 1, len - (size_t)(port - rest) - 1, fault);
	return rc;
}

static enum rc set_count(
	int64_t *ret_count, const struct option *option, const char *value, struct fault *fault)
{
	char *end;
	*ret_count = strtoll(value, &end, 10);
	if (*end || !*value || *ret_count < 1)
		return fault_set(fault, RC_USAGE, "%s takes a number above 0, not '%s'",
			option->name, value);
	return RC_OK;
}

/* Lists in a value may hold commas only as dividers, as --set has them. */
static enum rc apply(
	struct cli *cli, const struct option *option, const char *value, struct fault *fault)
{
	void *member = (char *)cli + option->offset;
	switch (option->kind) {
	case TAKES_CONFIG:
		return RC_OK; /* read before all others */
	case TAKES_SET:
		return config_set(&cli->config, value, fault);
	case TAKES_SOURCE:
		return set_source(&cli->config, value, fault);
	case TAKES_SETTING:
		return set_one(&cli->config, option->key, value, fault);
	case TAKES_STREAM:
		if (strcmp(value, "null") == 0)
			return set_one(&cli->config, "stream.backend", "null", fault);
		return set_one(&cli->config, "stream.name", value, fault);
	case TAKES_TEXT:
		*(const char **)member = value;
		return RC_OK;
	case TAKES_COUNT:
		return set_count(member, option, value, fault);
	case IS_FLAG:
		*(bool *)member = true;
		return RC_OK;
	}
	return RC_INTERNAL;
}

/* One option at args[*at]; steps over its value. With `config_file` only --config is looked for. */
static enum rc read_option(struct cli *cli, const struct command *command, int count, char **args,
	int *at, const char **config_file, struct fault *fault)
{
	const char *arg = args[*at], *equals = strchr(arg, '=');
	const struct option *option =
		find_option(arg, equals ? (size_t)(equals - arg) : strlen(arg));
	if (!option ||
		!(option->group &
			(command->options |
				(option->kind == IS_FLAG && option->group == ~0u ? ~0u : 0)))) {
		(void)fault_set(
			fault, RC_USAGE, "'millstream %s' does not know '%s'", command->name, arg);
		fault_hint(fault, "millstream %s --help", command->name);
		return RC_USAGE;
	}
	const char *value = equals ? equals + 1 : NULL;
	if (option->kind != IS_FLAG && !value) {
		if (*at + 1 >= count)
			return fault_set(
				fault, RC_USAGE, "%s needs %s", option->name, option->argument);
		value = args[++*at];
	}
	if (option->kind == IS_FLAG && value)
		return fault_set(fault, RC_USAGE, "%s takes no value", option->name);
	if (!config_file)
		return apply(cli, option, value, fault);
	if (option->kind == TAKES_CONFIG)
		*config_file = value;
	return RC_OK;
}

static enum rc read_all(struct cli *cli, const struct command *command, int count, char **args,
	const char **config_file, const char **words, struct fault *fault)
{
	cli->word_count = 0;
	bool only_words = false;
	for (int at = 0; at < count; at++) {
		enum rc rc = RC_OK;
		if (!only_words && strcmp(args[at], "--") == 0) {
			only_words = true;
		} else if (!only_words && args[at][0] == '-' && args[at][1]) {
			const char *known = strcmp(args[at], "-h") == 0 ? "--help" : args[at];
			args[at] = (char *)(uintptr_t)known;
			rc = read_option(cli, command, count, args, &at, config_file, fault);
		} else if (command->options & (CLI_WORDS | CLI_DEAD)) {
			words[cli->word_count++] = args[at];
		} else {
			rc = fault_set(fault, RC_USAGE,
				"'millstream %s' does not know what to do with '%s'", command->name,
				args[at]);
			fault_hint(fault, "millstream %s --help", command->name);
		}
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

static enum rc load_config(struct cli *cli, const char *file, struct fault *fault)
{
	static const char preset[] = "millstream.yaml";
	if (!file && access(preset, F_OK) != 0)
		return RC_OK;
	return config_load(&cli->config, file ? file : preset, fault);
}

enum rc cli_read(
	struct cli *cli, const struct command *command, int count, char **args, struct fault *fault)
{
	*cli = (struct cli){.command = command->name, .is_terminal = isatty(STDOUT_FILENO)};
	config_init(&cli->config);
	const char **words = mem_new((size_t)count + 1, sizeof *words);
	cli->words = words;
	const char *file = NULL;
	enum rc rc = read_all(cli, command, count, args, &file, words, fault);
	if (rc == RC_OK && (command->options & CLI_CONFIG))
		rc = load_config(cli, file, fault);
	if (rc == RC_OK)
		rc = read_all(cli, command, count, args, NULL, words, fault);
	if (rc == RC_OK && !cli->help)
		rc = config_check(&cli->config, fault);
	return rc;
}

void cli_release(struct cli *cli)
{
	config_release(&cli->config);
	mem_free((void *)(uintptr_t)cli->words);
}

void cli_help(const struct command *command, struct buf *out)
{
	buf_format(out, "millstream %s %s\n\n%s\n\n", command->name, command->usage, command->text);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *option = &options[i];
		if (!(option->group & (command->options | (option->group == ~0u ? ~0u : 0))))
			continue;
		char left[64];
		(void)snprintf(left, sizeof left, "%s %s", option->name,
			option->argument ? option->argument : "");
		buf_format(out, "  %-20s %s\n", left, option->text);
	}
}

void cli_print(const struct buf *out)
{
	for (size_t done = 0; done < out->len;) {
		ssize_t wrote = write(STDOUT_FILENO, out->at + done, out->len - done);
		if (wrote < 0)
			_exit(RC_OK); /* `millstream tail | head` */
		done += (size_t)wrote;
	}
}
