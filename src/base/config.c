/* The configuration's table, values and checks; see config.h. The YAML side is config_yaml.c, the
 * texts config_docs.c. */
#include "base/config_table.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

static const struct config_row top_rows[SETTING_COUNT] = {
#define SETTING(id, key, kind, preset, limits, text) {key, preset, limits, text, CONFIG_##kind},
#include "base/config.def"
};

static const struct config_row sink_rows[SINK_SETTING_COUNT] = {
#define SINK_SETTING(id, key, kind, preset, limits, text) \
	{key, preset, limits, text, CONFIG_##kind},
#include "base/config.def"
};

const struct config_table config_top_table = {top_rows, SETTING_COUNT};
const struct config_table config_sink_table = {sink_rows, SINK_SETTING_COUNT};

struct value {
	char *text;
	int64_t number;
	char **list;
	size_t list_count;
	bool is_set;
	char *missing; /* a SECRET's variable that the environment does not have */
};

struct settings {
	const struct config_table *table;
	struct value *values;
};

struct unit {
	const char *name;
	int64_t factor;
};

/* DIGITS UNIT, nothing else. */
static bool parse_with_units(const char *text, const struct unit *units, int64_t *ret_value)
{
	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	char *end;
	long long number = strtoll(text, &end, 10);
	if (errno != 0)
		return false;
	while (*end == ' ')
		end++;
	for (; units->name; units++) {
		int64_t value;
		if (strcmp(end, units->name) != 0)
			continue;
		if (__builtin_mul_overflow((int64_t)number, units->factor, &value))
			return false;
		*ret_value = value;
		return true;
	}
	return false;
}

bool config_parse_size(const char *text, int64_t *ret_bytes)
{
	static const struct unit units[] = {
		{"", 1},
		{"KiB", 1 << 10},
		{"MiB", 1 << 20},
		{"GiB", 1 << 30},
		{"TiB", INT64_C(1) << 40},
		{NULL, 0},
	};
	return parse_with_units(text, units, ret_bytes);
}

bool config_parse_span(const char *text, int64_t *ret_us)
{
	static const struct unit units[] = {
		{"ms", 1000},
		{"s", 1000000},
		{"m", 60000000},
		{"h", 3600000000},
		{"d", INT64_C(86400000000)},
		{NULL, 0},
	};
	return parse_with_units(text, units, ret_us);
}

static bool parse_number(const char *text, int64_t *ret_number)
{
	bool negative = *text == '-';
	static const struct unit units[] = {{"", 1}, {NULL, 0}};
	if (!parse_with_units(text + negative, units, ret_number))
		return false;
	if (negative)
		*ret_number = -*ret_number;
	return true;
}

static bool parse_by_kind(enum config_kind kind, const char *text, int64_t *ret_number)
{
	if (kind == CONFIG_SIZE)
		return config_parse_size(text, ret_number);
	if (kind == CONFIG_SPAN)
		return config_parse_span(text, ret_number);
	return parse_number(text, ret_number);
}

static bool within(const struct config_row *row, int64_t number)
{
	const char *dots = strstr(row->limits, "..");
	if (!dots)
		return true;
	char *least_text = mem_text_of(row->limits, (size_t)(dots - row->limits));
	int64_t least = 0, most = 0;
	bool parsed = parse_by_kind(row->kind, least_text, &least) &&
		parse_by_kind(row->kind, dots + 2, &most);
	mem_free(least_text);
	assert(parsed); /* a typing error in config.def */
	return number >= least && number <= most;
}

static bool is_choice(const char *choices, const char *text)
{
	size_t len = strlen(text);
	for (const char *at = choices; len > 0; at++) {
		const char *bar = strchr(at, '|');
		size_t width = bar ? (size_t)(bar - at) : strlen(at);
		if (width == len && strncmp(at, text, len) == 0)
			return true;
		if (!bar)
			return false;
		at = bar;
	}
	return false;
}

static const char *kind_words(enum config_kind kind)
{
	static const char *const words[] = {
		[CONFIG_TEXT] = "a text",
		[CONFIG_SECRET] = "a text",
		[CONFIG_PATH] = "a path",
		[CONFIG_FLAG] = "true or false",
		[CONFIG_NUMBER] = "a whole number",
		[CONFIG_SIZE] = "a size such as 512KiB, 64MiB or 2GiB",
		[CONFIG_SPAN] = "a time such as 500ms, 5s, 10m, 6h or 7d",
		[CONFIG_CHOICE] = "one of",
		[CONFIG_LIST] = "a list of texts",
	};
	return words[kind];
}

static enum rc refuse(const struct config_row *row, const char *text, struct fault *fault)
{
	if (row->kind == CONFIG_CHOICE)
		return fault_set(fault, RC_CONFIG, "'%s' cannot be '%s': it is one of %s", row->key,
			text, row->limits);
	return fault_set(fault, RC_CONFIG, "'%s' cannot be '%s': it is %s%s%s", row->key, text,
		kind_words(row->kind), row->limits[0] ? ", " : "", row->limits);
}

static void list_clear(struct value *value)
{
	for (size_t i = 0; i < value->list_count; i++)
		mem_free(value->list[i]);
	value->list_count = 0;
}

static void list_add(struct value *value, const char *text, size_t len)
{
	value->list = mem_resize(value->list, (value->list_count + 1) * sizeof *value->list);
	value->list[value->list_count++] = mem_text_of(text, len);
}

static void list_split(struct value *value, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, ",");
		if (len > 0)
			list_add(value, text, len);
		text += len + (text[len] == ',');
	}
}

enum rc settings_put(
	struct settings *settings, int id, const char *text, bool more, struct fault *fault)
{
	const struct config_row *row = &settings->table->rows[id];
	struct value *value = &settings->values[id];
	if (row->kind == CONFIG_LIST) {
		if (!more)
			list_clear(value);
		if (text && more)
			list_add(value, text, strlen(text));
		else if (text)
			list_split(value, text);
		value->is_set = true;
		return RC_OK;
	}
	int64_t number = 0;
	bool fits = true;
	if (row->kind == CONFIG_FLAG) {
		number = strcmp(text, "true") == 0;
		fits = number || strcmp(text, "false") == 0;
	} else if (row->kind == CONFIG_CHOICE) {
		fits = is_choice(row->limits, text);
	} else if (row->kind == CONFIG_NUMBER || row->kind == CONFIG_SIZE ||
		row->kind == CONFIG_SPAN) {
		fits = parse_by_kind(row->kind, text, &number) && within(row, number);
	}
	if (!fits)
		return refuse(row, text, fault);
	mem_free(value->text);
	mem_free(value->missing);
	*value = (struct value){.text = mem_text(text), .number = number, .is_set = true};
	return RC_OK;
}

struct settings *settings_new(const struct config_table *table)
{
	struct settings *settings = mem_new(1, sizeof *settings);
	settings->table = table;
	settings->values = mem_new(table->count, sizeof *settings->values);
	for (size_t i = 0; i < table->count; i++) {
		enum rc rc = settings_put(settings, (int)i, table->rows[i].preset, false, NULL);
		assert(rc == RC_OK);
		(void)rc;
		settings->values[i].is_set = false;
	}
	return settings;
}

static void settings_free(struct settings *settings)
{
	if (!settings)
		return;
	for (size_t i = 0; i < settings->table->count; i++) {
		struct value *value = &settings->values[i];
		mem_free(value->text);
		mem_free(value->missing);
		list_clear(value);
		mem_free(value->list);
	}
	mem_free(settings->values);
	mem_free(settings);
}

const struct config_table *settings_table(const struct settings *settings)
{
	return settings->table;
}

static const struct value *value_of(const struct settings *settings, int id)
{
	assert(id >= 0 && (size_t)id < settings->table->count);
	return &settings->values[id];
}

const char *settings_text(const struct settings *settings, int id)
{
	assert(settings->table->rows[id].kind != CONFIG_LIST);
	return value_of(settings, id)->text;
}

int64_t settings_number(const struct settings *settings, int id)
{
	enum config_kind kind = settings->table->rows[id].kind;
	assert(kind == CONFIG_NUMBER || kind == CONFIG_SIZE || kind == CONFIG_SPAN);
	return value_of(settings, id)->number;
}

bool settings_flag(const struct settings *settings, int id)
{
	assert(settings->table->rows[id].kind == CONFIG_FLAG);
	return value_of(settings, id)->number != 0;
}

const char *const *settings_list(const struct settings *settings, int id, size_t *ret_count)
{
	assert(settings->table->rows[id].kind == CONFIG_LIST);
	const struct value *value = value_of(settings, id);
	*ret_count = value->list_count;
	return (const char *const *)value->list;
}

void settings_put_missing(struct settings *settings, int id, const char *variable)
{
	enum rc rc = settings_put(settings, id, "", false, NULL); /* any text is a secret */
	assert(rc == RC_OK);
	(void)rc;
	settings->values[id].missing = mem_text(variable);
}

enum rc settings_need(const struct settings *settings, int id, struct fault *fault)
{
	const char *variable = value_of(settings, id)->missing;
	if (!variable)
		return RC_OK;
	return fault_set(fault, RC_CONFIG,
		"'%s' is to be taken from the environment, which has no '%s'",
		settings->table->rows[id].key, variable);
}

bool settings_is_set(const struct settings *settings, int id)
{
	return value_of(settings, id)->is_set;
}

void config_init(struct config *config)
{
	*config = (struct config){.top = settings_new(&config_top_table)};
}

void config_release(struct config *config)
{
	mem_free(config->file);
	settings_free(config->top);
	for (size_t i = 0; i < config->sink_count; i++) {
		mem_free(config->sinks[i].name);
		settings_free(config->sinks[i].settings);
	}
	*config = (struct config){0};
}

/* Names become names of files, of stages and of consumers. */
static bool is_name(const char *name)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t len = strlen(name);
	return len > 0 && len <= 128 && name[0] != '.' && strspn(name, allowed) == len;
}

enum rc config_check(const struct config *config, struct fault *fault)
{
	if (!is_name(settings_text(config->top, SET_STREAM_NAME)))
		return fault_set(fault, RC_CONFIG,
			"'stream.name' cannot be '%s': letters, digits, _ . - and at most 128",
			settings_text(config->top, SET_STREAM_NAME));
	for (size_t i = 0; i < config->sink_count; i++) {
		const char *path = settings_text(config->sinks[i].settings, SINK_SET_PATH);
		if (!is_name(config->sinks[i].name))
			return fault_set(fault, RC_CONFIG,
				"a sink cannot be named '%s': letters, digits, _ . - and at most "
				"128",
				config->sinks[i].name);
		for (size_t j = 0; j < i && path[0]; j++) {
			if (strcmp(path, settings_text(config->sinks[j].settings, SINK_SET_PATH)) ==
				0)
				return fault_set(fault, RC_CONFIG,
					"sinks '%s' and '%s' have the same file '%s'",
					config->sinks[j].name, config->sinks[i].name, path);
		}
	}
	return RC_OK;
}
