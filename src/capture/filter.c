/* Which tables are captured, and the fingerprint of what decides that; see filter.h.
 *
 * The server's own databases never are. An exclude pattern wins over a table pattern. Thread:
 * source. */
#include "capture/filter.h"

#include <stdio.h>

#include "base/checksum.h"
#include "base/glob.h"

/* Raised when the same filters would give other events or other bytes. */
enum { FORMAT_VERSION = 1 };

static bool is_system(struct slice database)
{
	static const char *const names[] = {
		"mysql", "information_schema", "performance_schema", "sys"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (slice_equal(database, slice_text(names[i])))
			return true;
	}
	return false;
}

static bool any_matches(
	const char *const *patterns, size_t count, struct slice database, struct slice table)
{
	for (size_t i = 0; i < count; i++) {
		if (glob_match_table(slice_text(patterns[i]), database, table))
			return true;
	}
	return false;
}

bool filter_table(const struct capture_options *options, struct slice database, struct slice table)
{
	return !is_system(database) &&
		any_matches(options->tables, options->table_count, database, table) &&
		!any_matches(options->exclude, options->exclude_count, database, table);
}

bool filter_database(const struct capture_options *options, struct slice database)
{
	if (is_system(database))
		return false;
	for (size_t i = 0; i < options->table_count; i++) {
		struct slice pattern = slice_text(options->tables[i]);
		size_t dot = 0; /* the first that is not escaped */
		while (dot < pattern.len && pattern.at[dot] != '.')
			dot += pattern.at[dot] == '\\' ? 2 : 1;
		if (dot < pattern.len)
			pattern.len = dot;
		if (glob_match(pattern, database))
			return true;
	}
	return false;
}

static void sum_list(struct buf *out, const char *name, const char *const *list, size_t count)
{
	buf_format(out, "%s:%zu\n", name, count);
	for (size_t i = 0; i < count; i++)
		buf_format(out, "%zu:%s\n", strlen(list[i]), list[i]);
}

uint64_t filter_fingerprint(const struct capture_options *options)
{
	struct buf text = buf_of(16 << 20);
	buf_format(&text, "format:%d\n", FORMAT_VERSION);
	sum_list(&text, "tables", options->tables, options->table_count);
	sum_list(&text, "exclude", options->exclude, options->exclude_count);
	sum_list(&text, "json", options->json_columns, options->json_column_count);
	sum_list(&text, "skip", options->skip, options->skip_count);
	uint8_t digest[SHA256_SIZE];
	checksum_sha256(text.at, text.len, digest);
	buf_release(&text);
	return load_u64le(digest);
}

bool filter_place(const char *text, struct slice *ret_file, uint64_t *ret_pos)
{
	const char *colon = strrchr(text, ':');
	if (!colon || colon == text || colon - text >= EVENT_FILE_MAX || !colon[1])
		return false;
	uint64_t pos = 0;
	for (const char *at = colon + 1; *at; at++) {
		if (*at < '0' || *at > '9' || __builtin_mul_overflow(pos, 10, &pos) ||
			__builtin_add_overflow(pos, (uint64_t)(*at - '0'), &pos))
			return false;
	}
	*ret_file = slice_of(text, (size_t)(colon - text));
	*ret_pos = pos;
	return true;
}

bool filter_skips(const struct capture_options *options, const char *file, uint64_t pos)
{
	for (size_t i = 0; i < options->skip_count; i++) {
		struct slice skip_file;
		uint64_t skip_pos;
		if (filter_place(options->skip[i], &skip_file, &skip_pos) && skip_pos == pos &&
			slice_equal(skip_file, slice_text(file)))
			return true;
	}
	return false;
}

enum rc filter_check(const struct capture_options *options, struct fault *fault)
{
	for (size_t i = 0; i < options->skip_count; i++) {
		struct slice file;
		uint64_t pos;
		if (!filter_place(options->skip[i], &file, &pos))
			return fault_set(fault, RC_CONFIG,
				"'source.skip' has '%s', which is not FILE:POSITION",
				options->skip[i]);
	}
	return RC_OK;
}

int filter_json(const struct capture_options *options, struct slice database, struct slice table,
	struct slice column)
{
	for (size_t i = 0; i < options->json_column_count; i++) {
		const char *text = options->json_columns[i];
		bool holds = text[0] != '!';
		struct slice rest = slice_text(text + !holds);
		/* DATABASE.TABLE.COLUMN, compared from the front so that dots in names do no harm
		 */
		bool same = slice_starts(rest, database) &&
			rest.len == database.len + table.len + column.len + 2 &&
			rest.at[database.len] == '.' &&
			slice_equal(slice_of(rest.at + database.len + 1, table.len), table) &&
			rest.at[database.len + 1 + table.len] == '.' &&
			slice_equal(slice_of(rest.at + rest.len - column.len, column.len), column);
		if (same)
			return holds;
	}
	return -1;
}
