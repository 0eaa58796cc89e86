/* The inside of the configuration, shared by config.c (values), config_yaml.c (reading) and
 * config_docs.c (texts). */
#ifndef BASE_CONFIG_TABLE_H
#define BASE_CONFIG_TABLE_H

#include "base/config.h"

enum config_kind {
	CONFIG_TEXT,
	CONFIG_SECRET,
	CONFIG_PATH,
	CONFIG_FLAG,
	CONFIG_NUMBER,
	CONFIG_SIZE,
	CONFIG_SPAN,
	CONFIG_CHOICE,
	CONFIG_LIST,
};

struct config_row {
	const char *key, *preset, *limits, *text;
	enum config_kind kind;
};

struct config_table {
	const struct config_row *rows;
	size_t count;
};

extern const struct config_table config_top_table, config_sink_table;

struct settings *settings_new(const struct config_table *table);
const struct config_table *settings_table(const struct settings *settings);

/* Sets one value from its text. For a LIST: `more` false empties it first and splits `text` (or
 * NULL) at commas, `more` true adds `text` as it is. */
MUST_USE enum rc settings_put(
	struct settings *settings, int id, const char *text, bool more, struct fault *fault);

/* A secret whose variable is not in the environment: an error for who needs it (settings_need), and
 * for nobody else. */
void settings_put_missing(struct settings *settings, int id, const char *variable);

#endif
