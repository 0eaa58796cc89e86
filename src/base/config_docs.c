/* Texts that the table of settings generates: docs/CONFIGURATION.md and the sample file; see
 * config.h. */
#include "base/config_table.h"

static const char *kind_name(enum config_kind kind)
{
	static const char *const names[] = {
		"text", "secret", "path", "flag", "number", "size", "time", "choice", "list"};
	return names[kind];
}

/* A bar inside a table of Markdown is escaped. */
static void put_cell(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			buf_u8(out, '\\');
		buf_u8(out, (uint8_t)*text);
	}
}

static void put_table(struct buf *out, const struct config_table *table)
{
	buf_text(out, "| key | kind | preset | limits | what it does |\n|---|---|---|---|---|\n");
	for (size_t i = 0; i < table->count; i++) {
		const struct config_row *row = &table->rows[i];
		buf_format(out, "| `%s` | %s | ", row->key, kind_name(row->kind));
		buf_text(out, row->preset[0] ? "`" : "");
		put_cell(out, row->preset);
		buf_text(out, row->preset[0] ? "` | " : " | ");
		put_cell(out, row->limits);
		buf_text(out, " | ");
		put_cell(out, row->text);
		buf_text(out, " |\n");
	}
}

void config_write_docs(struct buf *out)
{
	buf_text(out,
		"# Configuration\n\n"
		"<!-- Generated from src/base/config.def by `./dev docs`; `./dev test tidy` "
		"compares. -->\n\n"
		"One YAML file, named by `--config FILE` (preset: `millstream.yaml` in the working "
		"folder, where there is one). Any "
		"setting can also be given on the command line: `--set KEY=VALUE`, lists with "
		"commas. Paths in the file are "
		"relative to the file. `${NAME}` in a value is taken from the environment, "
		"`${NAME:-text}` with a default. An "
		"unknown key is an error. `millstream sample-config` prints a file with every "
		"setting.\n\n"
		"Sizes: bytes, or with KiB, MiB, GiB, TiB. Times: ms, s, m, h, d.\n\n## "
		"Settings\n\n");
	put_table(out, &config_top_table);
	buf_text(out,
		"\n## Settings of each sink\n\nUnder `sinks`, a section for each sink under a name "
		"of its own; the name is "
		"also its consumer's.\n\n```yaml\nsinks:\n  search:\n    type: sqlite\n  shop:\n   "
		" type: elasticsearch\n    "
		"url: http://127.0.0.1:9200\n    tables: [\"shop.products\"]\n```\n\n");
	put_table(out, &config_sink_table);
}

static void put_comment(struct buf *out, const char *indent, const struct config_row *row)
{
	buf_format(out, "%s# %s", indent, row->text);
	if (row->limits[0])
		buf_format(out, " (%s)", row->limits);
	buf_u8(out, '\n');
}

static void put_value(struct buf *out, const struct config_row *row)
{
	if (row->kind == CONFIG_LIST && row->preset[0])
		buf_format(out, "[\"%s\"]\n", row->preset);
	else if (row->kind == CONFIG_LIST)
		buf_text(out, "[]\n");
	else if (row->kind == CONFIG_NUMBER || row->kind == CONFIG_FLAG ||
		row->kind == CONFIG_SIZE || row->kind == CONFIG_SPAN)
		buf_format(out, "%s\n", row->preset);
	else
		buf_format(out, "\"%s\"\n", row->preset);
}

void config_write_sample(struct buf *out)
{
	const char *section = "";
	size_t section_len = 0;
	buf_text(out,
		"# A configuration of millstream with every setting at its preset. Keep what you "
		"change.\n");
	for (size_t i = 0; i < config_top_table.count; i++) {
		const struct config_row *row = &config_top_table.rows[i];
		const char *dot = strchr(row->key, '.');
		size_t len = dot ? (size_t)(dot - row->key) : 0;
		if (dot && (len != section_len || strncmp(section, row->key, len) != 0)) {
			buf_format(out, "\n%.*s:\n", (int)len, row->key);
			section = row->key;
			section_len = len;
		}
		put_comment(out, dot ? "  " : "", row);
		buf_format(out, "%s%s: ", dot ? "  " : "", dot ? dot + 1 : row->key);
		put_value(out, row);
	}
	buf_text(out,
		"\n# Where the changes are delivered, besides the stream and the "
		"archive.\nsinks:\n  search:\n");
	for (size_t i = 0; i < config_sink_table.count; i++) {
		put_comment(out, "    ", &config_sink_table.rows[i]);
		buf_format(out, "    %s: ", config_sink_table.rows[i].key);
		put_value(out, &config_sink_table.rows[i]);
	}
}
