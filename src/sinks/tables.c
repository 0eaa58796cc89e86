/* Notes about tables; see tables.h. */
#include "sinks/tables.h"

#include "base/config.h"
#include "base/glob.h"

enum { NAMES_MAX = 1 << 16 };

void tables_init(struct tables *tables, const struct settings *settings, struct letters *letters)
{
	*tables = (struct tables){
		.settings = settings,
		.letters = letters,
		.raw = buf_of(NAMES_MAX),
		.database = buf_of(NAMES_MAX),
		.table = buf_of(NAMES_MAX),
	};
	for (size_t i = 0; i < TABLE_NOTES; i++)
		tables->notes[i].raw = buf_of(NAMES_MAX);
}

void tables_release(struct tables *tables)
{
	if (!tables->settings)
		return;
	for (size_t i = 0; i < TABLE_NOTES; i++)
		buf_release(&tables->notes[i].raw);
	buf_release(&tables->raw);
	buf_release(&tables->database);
	buf_release(&tables->table);
	*tables = (struct tables){0};
}

/* So that they are made anew from what is durable. */
static void forget_notes(struct tables *tables)
{
	for (size_t i = 0; i < TABLE_NOTES; i++)
		buf_reset(&tables->notes[i].raw);
}

static bool matches(
	const struct settings *settings, int id, struct slice database, struct slice table)
{
	size_t count;
	const char *const *patterns = settings_list(settings, id, &count);
	for (size_t i = 0; i < count; i++) {
		if (glob_match_table(slice_text(patterns[i]), database, table))
			return true;
	}
	return false;
}

static enum rc unescape(struct tables *tables, const struct event_view *view, struct fault *fault)
{
	buf_reset(&tables->database);
	buf_reset(&tables->table);
	if (event_unescape(view->database, &tables->database) == RC_OK &&
		event_unescape(view->table, &tables->table) == RC_OK)
		return RC_OK;
	return fault_set(fault, RC_CORRUPT, "event %llu: the name of its table is not readable",
		(unsigned long long)view->ordinal);
}

static enum rc make_note(struct tables *tables, const struct event_view *view,
	struct table_note *note, struct fault *fault)
{
	enum rc rc = unescape(tables, view, fault);
	if (rc != RC_OK)
		return rc;
	struct slice database = buf_as_slice(&tables->database);
	struct slice table = buf_as_slice(&tables->table);
	struct letters_columns columns = {0};
	bool wanted = table.len == 0 ||
		(matches(tables->settings, SINK_SET_TABLES, database, table) &&
			!matches(tables->settings, SINK_SET_EXCLUDE, database, table));
	if (wanted && table.len > 0)
		rc = letters_columns_load(tables->letters, database, table, &columns, fault);
	if (rc != RC_OK)
		return rc;
	buf_reset(&note->raw);
	buf_slice(&note->raw, buf_as_slice(&tables->raw));
	note->wanted = wanted;
	note->columns = columns;
	return RC_OK;
}

enum rc tables_find(struct tables *tables, const struct event_view *view,
	const struct table_note **ret_note, struct fault *fault)
{
	buf_reset(&tables->raw);
	buf_slice(&tables->raw, view->database);
	buf_u8(&tables->raw, 0);
	buf_slice(&tables->raw, view->table);
	struct slice raw = buf_as_slice(&tables->raw);
	struct table_note *note = &tables->notes[letters_hash(raw) % TABLE_NOTES];
	if (!slice_equal(buf_as_slice(&note->raw), raw)) {
		enum rc rc = make_note(tables, view, note, fault);
		if (rc != RC_OK)
			return rc;
	}
	*ret_note = note;
	return RC_OK;
}

/* How many members an object, or elements an array, has at its first level. */
static uint64_t count_members(struct slice json)
{
	uint64_t commas = 0;
	size_t depth = 0;
	if (json.len <= 2)
		return 0;
	for (const uint8_t *at = json.at, *end = json.at + json.len; at < end; at++) {
		if (*at == '"') {
			for (at++; at < end && *at != '"'; at++)
				at += *at == '\\';
		} else if (*at == '{' || *at == '[') {
			depth++;
		} else if (*at == '}' || *at == ']') {
			depth--;
		} else if (*at == ',' && depth == 1) {
			commas++;
		}
	}
	return commas + 1;
}

enum rc tables_learn(struct tables *tables, const struct event_view *control, struct fault *fault)
{
	struct letters_columns columns = {
		.count = count_members(control->columns), .since = control->ordinal};
	const struct table_note *note;
	enum rc rc = tables_find(tables, control, &note, fault);
	if (rc != RC_OK || (note->columns.count > 0 && note->columns.since >= columns.since))
		return rc;
	rc = unescape(tables, control, fault);
	if (rc == RC_OK)
		rc = letters_columns_save(tables->letters, buf_as_slice(&tables->database),
			buf_as_slice(&tables->table), &columns, fault);
	forget_notes(tables);
	return rc;
}

enum rc tables_forget(struct tables *tables, const struct event_view *control, struct fault *fault)
{
	enum rc rc = unescape(tables, control, fault);
	if (rc == RC_OK)
		rc = letters_forget(tables->letters, buf_as_slice(&tables->database),
			buf_as_slice(&tables->table), fault);
	forget_notes(tables);
	return rc;
}

enum rc tables_truncate_letters(
	struct tables *tables, const struct event_view *control, struct fault *fault)
{
	enum rc rc = unescape(tables, control, fault);
	if (rc == RC_OK)
		rc = letters_truncate(tables->letters, buf_as_slice(&tables->database),
			buf_as_slice(&tables->table), control->ordinal, fault);
	return rc;
}

enum rc tables_check_row(
	const struct table_note *note, const struct event_view *view, struct fault *fault)
{
	if (view->op == EVENT_DELETE || view->ordinal <= note->columns.since)
		return RC_OK;
	uint64_t has = count_members(view->after);
	if (has >= note->columns.count)
		return RC_OK;
	(void)fault_set(fault, RC_UNFIT,
		"event %llu of '%.*s.%.*s' has only %llu of the %llu columns of its row",
		(unsigned long long)view->ordinal, SLICE_ARGS(view->database),
		SLICE_ARGS(view->table), (unsigned long long)has,
		(unsigned long long)note->columns.count);
	fault_hint(fault,
		"set binlog_row_image = FULL on the source, and leave the table out by "
		"'exclude' as long as such events are in the stream");
	return RC_UNFIT;
}
