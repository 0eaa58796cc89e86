/* Reading the configuration: YAML by libyaml, keys looked up in the table; see config.h.
 *
 * The file is walked as a stream of events with the path of keys that leads to the current place;
 * there is no tree. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "base/config_table.h"
#include "base/mem.h"

enum { DEPTH_MAX = 4, PATH_MAX_BYTES = 512, VALUE_MAX_BYTES = 65536 };

struct walk {
	struct config *config;
	const char *file;
	yaml_parser_t parser;
	char path[PATH_MAX_BYTES]; /* keys joined by dots */
	size_t ends[DEPTH_MAX];    /* length of `path` at each depth */
	size_t depth;
	size_t line; /* of the last event, from 0 */
};

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance of two short keys. */
static size_t distance(const char *a, const char *b)
{
	size_t row[PATH_MAX_BYTES + 1];
	size_t len = least(strlen(b), PATH_MAX_BYTES);
	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 1; *a; a++, i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			size_t above = row[j];
			row[j] = least(least(above, row[j - 1]) + 1, diagonal + (*a != b[j - 1]));
			diagonal = above;
		}
	}
	return row[len];
}

static void suggest(
	const struct config_table *table, const char *key, const char *prefix, struct fault *fault)
{
	size_t best = SIZE_MAX;
	const char *name = NULL;
	for (size_t i = 0; i < table->count; i++) {
		size_t far = distance(key, table->rows[i].key);
		if (far < best) {
			best = far;
			name = table->rows[i].key;
		}
	}
	if (name && best <= 2 + strlen(key) / 4)
		fault_hint(fault, "did you mean '%s%s'? docs/CONFIGURATION.md lists all settings",
			prefix, name);
	else
		fault_hint(fault,
			"docs/CONFIGURATION.md and `millstream sample-config` list all settings");
}

static int row_of(const struct config_table *table, const char *key)
{
	for (size_t i = 0; i < table->count; i++) {
		if (strcmp(table->rows[i].key, key) == 0)
			return (int)i;
	}
	return -1;
}

static struct settings *sink_of(
	struct config *config, const char *name, size_t len, struct fault *fault)
{
	for (size_t i = 0; i < config->sink_count; i++) {
		if (strlen(config->sinks[i].name) == len &&
			strncmp(config->sinks[i].name, name, len) == 0)
			return config->sinks[i].settings;
	}
	if (config->sink_count == CONFIG_SINKS_MAX) {
		(void)fault_set(fault, RC_CONFIG, "more than %d sinks", CONFIG_SINKS_MAX);
		return NULL;
	}
	struct config_sink *sink = &config->sinks[config->sink_count++];
	sink->name = mem_text_of(name, len);
	sink->settings = settings_new(&config_sink_table);
	return sink->settings;
}

/* "sinks.NAME.key" or "a.b" to its section and row. */
static struct settings *find(
	struct config *config, const char *path, int *ret_id, struct fault *fault)
{
	struct settings *settings = config->top;
	const char *key = path, *prefix = "";
	if (strncmp(path, "sinks.", 6) == 0) {
		const char *name = path + 6;
		key = strchr(name, '.');
		if (!key) {
			(void)fault_set(fault, RC_CONFIG,
				"'%s' is a sink: it needs settings of its own, such as type", path);
			return NULL;
		}
		settings = sink_of(config, name, (size_t)(key - name), fault);
		prefix = "sinks.NAME.";
		key++;
	}
	*ret_id = settings ? row_of(settings_table(settings), key) : -1;
	if (settings && *ret_id < 0) {
		(void)fault_set(fault, RC_CONFIG, "there is no setting '%s'", path);
		suggest(settings_table(settings), key, prefix, fault);
		return NULL;
	}
	return settings;
}

/* Appends the value of ${NAME} or ${NAME:-preset}; returns what follows it. Where the environment
 * has no such variable, its name is left in `missing`. */
static const char *expand_one(
	const char *at, struct buf *out, struct buf *missing, struct fault *fault)
{
	const char *end = strchr(at, '}');
	if (!end) {
		(void)fault_set(fault, RC_CONFIG, "'${' without '}' in '%s'", at);
		return NULL;
	}
	char *name = mem_text_of(at + 2, (size_t)(end - at - 2));
	char *preset = strstr(name, ":-");
	if (preset)
		*preset = 0;
	const char *value = getenv(name);
	if (!value && preset)
		value = preset + 2;
	if (value) {
		buf_text(out, value);
	} else {
		buf_text(missing, name);
		(void)fault_set(fault, RC_CONFIG, "the environment has no '%s'", name);
	}
	mem_free(name);
	return value ? end + 1 : NULL;
}

static enum rc expand(const char *text, struct buf *out, struct buf *missing, struct fault *fault)
{
	while (text && *text) {
		if (text[0] == '$' && text[1] == '{')
			text = expand_one(text, out, missing, fault);
		else
			buf_u8(out, (uint8_t)*text++);
	}
	if (!text)
		return RC_CONFIG;
	return out->rc == RC_OK ? RC_OK : fault_set(fault, RC_CONFIG, "a value is too long");
}

/* Paths in a file are relative to it, those of the command line to the working folder. */
static char *place_path(const char *file, const char *path)
{
	const char *slash = file ? strrchr(file, '/') : NULL;
	if (!slash || path[0] == '/' || path[0] == 0)
		return mem_text(path);
	return mem_format("%.*s/%s", (int)(slash - file), file, path);
}

static enum rc assign(struct config *config, const char *file, const char *path, const char *text,
	bool more, struct fault *fault)
{
	int id = -1;
	struct settings *settings = find(config, path, &id, fault);
	if (!settings)
		return RC_CONFIG;
	if (!text)
		return settings_put(settings, id, NULL, more, fault);
	struct buf value = buf_of(VALUE_MAX_BYTES), missing = buf_of(VALUE_MAX_BYTES);
	enum config_kind kind = settings_table(settings)->rows[id].kind;
	enum rc rc = expand(text, &value, &missing, fault);
	if (rc != RC_OK && kind == CONFIG_SECRET && missing.len > 0) {
		settings_put_missing(settings, id, buf_cstring(&missing));
		rc = RC_OK;
	} else if (rc == RC_OK && kind == CONFIG_PATH) {
		char *placed = place_path(file, buf_cstring(&value));
		rc = settings_put(settings, id, placed, more, fault);
		mem_free(placed);
	} else if (rc == RC_OK) {
		rc = settings_put(settings, id, buf_cstring(&value), more, fault);
	}
	buf_release(&value);
	buf_release(&missing);
	return rc;
}

static bool is_list(struct walk *walk)
{
	int id = -1;
	struct settings *settings = find(walk->config, walk->path, &id, NULL);
	return settings && settings_table(settings)->rows[id].kind == CONFIG_LIST;
}

static enum rc push_key(struct walk *walk, const char *key, struct fault *fault)
{
	size_t len = walk->depth > 0 ? walk->ends[walk->depth - 1] : 0;
	int wrote =
		snprintf(walk->path + len, sizeof walk->path - len, "%s%s", len ? "." : "", key);
	if (wrote < 0 || (size_t)wrote >= sizeof walk->path - len)
		return fault_set(fault, RC_CONFIG, "the key '%s' is too long", key);
	return RC_OK;
}

static enum rc walk_value(struct walk *walk, struct fault *fault);

static enum rc next_event(struct walk *walk, yaml_event_t *ret_event, struct fault *fault)
{
	if (yaml_parser_parse(&walk->parser, ret_event)) {
		walk->line = ret_event->start_mark.line;
		return RC_OK;
	}
	walk->line = walk->parser.problem_mark.line;
	*ret_event = (yaml_event_t){0};
	return fault_set(fault, RC_CONFIG, "not valid YAML: %s",
		walk->parser.problem ? walk->parser.problem : "?");
}

static enum rc walk_mapping(struct walk *walk, struct fault *fault)
{
	if (walk->depth == DEPTH_MAX)
		return fault_set(fault, RC_CONFIG, "'%s' is nested too deep", walk->path);
	walk->ends[walk->depth++] = strlen(walk->path);
	for (;;) {
		yaml_event_t event;
		enum rc rc = next_event(walk, &event, fault);
		bool end = event.type == YAML_MAPPING_END_EVENT;
		if (rc == RC_OK && !end && event.type != YAML_SCALAR_EVENT)
			rc = fault_set(fault, RC_CONFIG, "a key under '%s' is not a plain word",
				walk->path);
		if (rc == RC_OK && !end)
			rc = push_key(walk, (const char *)event.data.scalar.value, fault);
		yaml_event_delete(&event);
		if (rc == RC_OK && !end)
			rc = walk_value(walk, fault);
		if (rc != RC_OK)
			return rc;
		walk->path[walk->ends[walk->depth - 1]] = 0;
		if (end)
			break;
	}
	walk->depth--;
	return RC_OK;
}

static enum rc walk_list(struct walk *walk, struct fault *fault)
{
	if (!is_list(walk))
		return fault_set(fault, RC_CONFIG, "'%s' is not a list", walk->path);
	enum rc rc = assign(walk->config, walk->file, walk->path, NULL, false, fault);
	for (bool end = false; rc == RC_OK && !end;) {
		yaml_event_t event;
		rc = next_event(walk, &event, fault);
		end = event.type == YAML_SEQUENCE_END_EVENT;
		if (rc == RC_OK && !end && event.type != YAML_SCALAR_EVENT)
			rc = fault_set(fault, RC_CONFIG, "'%s' is a list of texts", walk->path);
		if (rc == RC_OK && !end)
			rc = assign(walk->config, walk->file, walk->path,
				(const char *)event.data.scalar.value, true, fault);
		yaml_event_delete(&event);
	}
	return rc;
}

static enum rc walk_scalar(struct walk *walk, const yaml_event_t *event, struct fault *fault)
{
	const char *text = (const char *)event->data.scalar.value;
	bool plain_null = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
		(!*text || !strcmp(text, "~"));
	if (plain_null)
		return fault_set(
			fault, RC_CONFIG, "'%s' has no value (\"\" is the empty text)", walk->path);
	return assign(walk->config, walk->file, walk->path, text, false, fault);
}

static enum rc walk_value(struct walk *walk, struct fault *fault)
{
	yaml_event_t event;
	enum rc rc = next_event(walk, &event, fault);
	if (rc == RC_OK) {
		if (event.type == YAML_MAPPING_START_EVENT)
			rc = walk_mapping(walk, fault);
		else if (event.type == YAML_SEQUENCE_START_EVENT)
			rc = walk_list(walk, fault);
		else if (event.type == YAML_SCALAR_EVENT)
			rc = walk_scalar(walk, &event, fault);
		else
			rc = fault_set(fault, RC_CONFIG,
				"'%s' is an alias, which is not taken here", walk->path);
	}
	yaml_event_delete(&event);
	return rc;
}

/* An empty file is a valid one. */
static enum rc walk_document(struct walk *walk, struct fault *fault)
{
	enum rc rc = RC_OK;
	for (bool end = false; rc == RC_OK && !end;) {
		yaml_event_t event;
		rc = next_event(walk, &event, fault);
		end = event.type == YAML_STREAM_END_EVENT || event.type == YAML_DOCUMENT_END_EVENT;
		if (rc == RC_OK && event.type == YAML_MAPPING_START_EVENT)
			rc = walk_mapping(walk, fault);
		else if (rc == RC_OK &&
			(event.type == YAML_SCALAR_EVENT ||
				event.type == YAML_SEQUENCE_START_EVENT))
			rc = fault_set(fault, RC_CONFIG, "it must be a mapping of settings");
		yaml_event_delete(&event);
	}
	return rc;
}

enum rc config_load(struct config *config, const char *file, struct fault *fault)
{
	FILE *stream = fopen(file, "r");
	if (!stream) {
		(void)fault_errno(fault, RC_CONFIG, "cannot open the configuration '%s'", file);
		fault_hint(fault,
			"name one with --config FILE; `millstream sample-config` prints a sample");
		return RC_CONFIG;
	}
	struct walk walk = {.config = config, .file = file};
	enum rc rc = RC_INTERNAL;
	if (yaml_parser_initialize(&walk.parser)) {
		yaml_parser_set_input_file(&walk.parser, stream);
		rc = walk_document(&walk, fault);
		if (rc != RC_OK)
			fault_context(fault, "%s:%zu", file, walk.line + 1);
		yaml_parser_delete(&walk.parser);
	}
	(void)fclose(stream);
	mem_free(config->file);
	config->file = mem_text(file);
	return rc;
}

enum rc config_set(struct config *config, const char *assignment, struct fault *fault)
{
	const char *equals = strchr(assignment, '=');
	if (!equals)
		return fault_set(fault, RC_USAGE, "--set takes KEY=VALUE, not '%s'", assignment);
	char *path = mem_text_of(assignment, (size_t)(equals - assignment));
	enum rc rc = assign(config, NULL, path, equals + 1, false, fault);
	mem_free(path);
	return rc;
}
