/* The configuration: one YAML file and `--set KEY=VALUE`, checked against one table (config.def).
 *
 * Unknown keys are errors with a suggestion; every error names file and line. ${NAME} in a value is
 * taken from the environment,
 * ${NAME:-text} with a default. Loaded once by main before threads start, read-only after that: any
 * thread may read. */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include "base/buf.h"

enum setting {
#define SETTING(id, key, kind, preset, limits, text) SET_##id,
#include "base/config.def"
	SETTING_COUNT
};

enum sink_setting {
#define SINK_SETTING(id, key, kind, preset, limits, text) SINK_SET_##id,
#include "base/config.def"
	SINK_SETTING_COUNT
};

/* The values of one section: the fixed settings, or one sink's. */
struct settings;

enum { CONFIG_SINKS_MAX = 16 };

struct config {
	char *file; /* as given; NULL without a file */
	struct settings *top;
	struct config_sink {
		char *name;
		struct settings *settings;
	} sinks[CONFIG_SINKS_MAX];
	size_t sink_count;
};

/* Presets only. */
void config_init(struct config *config);
void config_release(struct config *config);

/* Reads a YAML file over what is there. RC_CONFIG names file, line, key and the way out. */
MUST_USE enum rc config_load(struct config *config, const char *file, struct fault *fault);

/* One "key=value" from the command line; sinks are "sinks.NAME.key". Lists are divided by commas.
 */
MUST_USE enum rc config_set(struct config *config, const char *assignment, struct fault *fault);

/* What only holds between settings (a sink's file given twice, names that are too long, ...). Call
 * once, last. */
MUST_USE enum rc config_check(const struct config *config, struct fault *fault);

/* Values. `id` is an enum setting for config->top, an enum sink_setting for a sink. The kind must
 * fit (asserted). Texts and lists are valid as long as the configuration. */
const char *settings_text(const struct settings *settings, int id); /* TEXT, SECRET, PATH, CHOICE */
int64_t settings_number(
	const struct settings *settings, int id); /* NUMBER, SIZE in bytes, SPAN in microseconds */
bool settings_flag(const struct settings *settings, int id);
const char *const *settings_list(const struct settings *settings, int id, size_t *ret_count);
bool settings_is_set(const struct settings *settings, int id); /* by file or command line */

/* A secret may stand for a variable that the environment does not have: commands that do not use it
 * run all the same, who uses it asks here first. RC_CONFIG names the variable. */
MUST_USE enum rc settings_need(const struct settings *settings, int id, struct fault *fault);

/* Generated texts: docs/CONFIGURATION.md, and a sample file with every setting at its preset. */
void config_write_docs(struct buf *out);
void config_write_sample(struct buf *out);

/* "10MiB" to bytes, "5s" to microseconds; false when it is not one. */
bool config_parse_size(const char *text, int64_t *ret_bytes);
bool config_parse_span(const char *text, int64_t *ret_us);

#endif
