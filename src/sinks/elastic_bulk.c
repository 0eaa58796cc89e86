/* Names of indexes, ids of documents, bodies of bulk requests; see elastic.h.
 *
 * Index names: lower case, what Elasticsearch does not take in a name becomes _, and a name that
 * would begin with - _ or + gets an x in front. So two tables may come to one name: the letters'
 * file knows whose an index is, and the second table is refused by name (their documents would
 * share ids). */
#include <assert.h>
#include <locale.h>
#include <wctype.h>

#include "base/checksum.h"
#include "base/config.h"
#include "base/json.h"
#include "base/mem.h"
#include "sinks/elastic.h"

enum { NAMES_MAX = 1 << 16 };

/* ---- index names ---- */

static enum rc check_pattern(const char *sink, const char *pattern, struct fault *fault)
{
	for (const char *at = pattern; (at = strpbrk(at, "{}")) != NULL;) {
		size_t len = strncmp(at, "{db}", 4) == 0 ? 4
			: strncmp(at, "{table}", 7) == 0 ? 7
							 : 0;
		if (len == 0) {
			(void)fault_set(fault, RC_CONFIG,
				"'sinks.%s.index' cannot be '%s': it may contain {db} and {table} "
				"and no other braces",
				sink, pattern);
			return RC_CONFIG;
		}
		at += len;
	}
	if (pattern[0])
		return RC_OK;
	return fault_set(fault, RC_CONFIG, "'sinks.%s.index' is empty", sink);
}

static void expand(struct elastic_bulk *bulk, struct slice database, struct slice table)
{
	buf_reset(&bulk->expanded);
	for (const char *at = bulk->pattern; *at;) {
		bool db = strncmp(at, "{db}", 4) == 0;
		if (db || *at == '{') {
			buf_slice(&bulk->expanded, db ? database : table);
			at += db ? 4 : 7;
		} else {
			buf_u8(&bulk->expanded, (uint8_t)*at++);
		}
	}
}

static size_t decode(struct slice text, uint32_t *ret_code)
{
	uint8_t lead = text.at[0];
	size_t len = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	if (len > text.len) /* names are UTF-8: never */
		len = 1;
	uint32_t code = len == 1 ? lead : lead & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++)
		code = code << 6 | (text.at[i] & 0x3f);
	*ret_code = code;
	return len;
}

static void put_code(struct buf *out, uint32_t code)
{
	unsigned more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
	static const uint8_t leads[] = {0, 0xc0, 0xe0, 0xf0};
	buf_u8(out, (uint8_t)(leads[more] | code >> (6 * more)));
	while (more-- > 0)
		buf_u8(out, (uint8_t)(0x80 | (code >> (6 * more) & 0x3f)));
}

enum rc elastic_index_name(
	struct elastic_bulk *bulk, struct slice database, struct slice table, struct fault *fault)
{
	expand(bulk, database, table);
	struct slice rest = buf_as_slice(&bulk->expanded);
	buf_reset(&bulk->name);
	while (rest.len > 0) {
		uint32_t code;
		size_t len = decode(rest, &code);
		bool illegal = code <= ' ' || code == 0x7f ||
			(code < 0x80 && strchr("\\/*?\"<>|,#:", (int)code));
		if (bulk->name.len == 0 && (illegal || code == '-' || code == '_' || code == '+'))
			buf_u8(&bulk->name, 'x');
		put_code(&bulk->name,
			illegal ? '_' : (uint32_t)towlower_l((wint_t)code, bulk->locale));
		rest = slice_of(rest.at + len, rest.len - len);
	}
	const char *name = buf_cstring(&bulk->name);
	if (bulk->name.len <= ELASTIC_INDEX_MAX && strcmp(name, ".") != 0 &&
		strcmp(name, "..") != 0)
		return RC_OK;
	(void)fault_set(fault, RC_CONFIG,
		"table '%.*s.%.*s' cannot have an index: '%s' is longer than %d bytes, or is no "
		"name",
		SLICE_ARGS(database), SLICE_ARGS(table), name, (int)ELASTIC_INDEX_MAX);
	fault_hint(fault, "change 'sinks.%s.index', or leave the table out by 'sinks.%s.exclude'",
		bulk->sink, bulk->sink);
	return RC_CONFIG;
}

enum rc elastic_claim(struct elastic_bulk *bulk, struct slice database, struct slice table,
	bool make, struct fault *fault)
{
	bool ours;
	const char *name = buf_cstring(&bulk->name);
	enum rc rc = letters_place_owner(
		bulk->letters, database, table, name, &ours, &bulk->owner, fault);
	if (rc == RC_CONFIG)
		fault_hint(fault,
			"change 'sinks.%s.index' so that each table has an index of its own, or "
			"leave one of them out by 'sinks.%s.exclude'",
			bulk->sink, bulk->sink);
	if (rc != RC_OK || ours)
		return rc;
	if (bulk->peer)
		rc = elastic_adopt(bulk->peer, name, make, fault);
	if (rc == RC_OK)
		rc = letters_place_claim(bulk->letters, database, table, name, fault);
	return rc;
}

static enum rc make_note(struct elastic_bulk *bulk, const struct event_view *view,
	struct elastic_note *note, struct fault *fault)
{
	buf_reset(&note->raw);
	buf_reset(&bulk->database);
	buf_reset(&bulk->table);
	if (event_unescape(view->database, &bulk->database) != RC_OK ||
		event_unescape(view->table, &bulk->table) != RC_OK)
		return fault_set(fault, RC_CORRUPT,
			"event %llu: the name of its table is not readable",
			(unsigned long long)view->ordinal);
	struct slice database = buf_as_slice(&bulk->database), table = buf_as_slice(&bulk->table);
	enum rc rc = elastic_index_name(bulk, database, table, fault);
	if (rc == RC_OK)
		rc = elastic_claim(bulk, database, table, true, fault);
	if (rc != RC_OK)
		return rc;
	buf_slice(&note->raw, buf_as_slice(&bulk->raw));
	buf_reset(&note->action);
	buf_text(&note->action, "\"_index\":");
	buf_json_string(&note->action, buf_as_slice(&bulk->name));
	buf_text(&note->action, ",\"_id\":");
	return RC_OK;
}

static enum rc find_note(struct elastic_bulk *bulk, const struct event_view *view,
	const struct elastic_note **ret_note, struct fault *fault)
{
	buf_reset(&bulk->raw);
	buf_slice(&bulk->raw, view->database);
	buf_u8(&bulk->raw, 0);
	buf_slice(&bulk->raw, view->table);
	struct slice raw = buf_as_slice(&bulk->raw);
	struct elastic_note *note = &bulk->notes[letters_hash(raw) % ELASTIC_NOTES];
	*ret_note = note;
	if (slice_equal(buf_as_slice(&note->raw), raw))
		return RC_OK;
	return make_note(bulk, view, note, fault);
}

/* ---- documents ---- */

void elastic_id(struct slice partition_key, struct buf *out)
{
	size_t at = 0;
	while (at < partition_key.len && partition_key.at[at] != '|')
		at += partition_key.at[at] == '\\' ? 2 : 1;
	struct slice id = partition_key; /* a digest, where the key was too long for the stream */
	if (at < partition_key.len)
		id = slice_of(partition_key.at + at + 1, partition_key.len - at - 1);
	if (id.len > 0 && id.len <= ELASTIC_ID_MAX) {
		buf_slice(out, id);
		return;
	}
	uint8_t digest[SHA256_SIZE];
	char digits[SHA256_HEX_SIZE];
	checksum_sha256(id.at, id.len, digest);
	checksum_hex(digest, sizeof digest, digits);
	buf_bytes(out, digits, sizeof digits);
}

/* `after` with the ordinal as its last member. */
static void put_document(
	const struct elastic_bulk *bulk, const struct event_view *view, struct buf *out)
{
	if (!bulk->field[0]) {
		buf_slice(out, view->after);
		return;
	}
	bool is_empty = view->after.len <= 2; /* {} */
	buf_bytes(out, view->after.at, view->after.len - 1);
	buf_text(out, bulk->field + (is_empty ? 1 : 0)); /* without its comma */
	buf_json_u64(out, view->ordinal);
	buf_u8(out, '}');
}

static enum rc refuse_keyless(
	const struct elastic_bulk *bulk, const struct event_view *view, struct fault *fault)
{
	(void)fault_set(fault, RC_CONFIG,
		"table '%.*s.%.*s' (event %llu) has no primary key: its rows cannot be documents, "
		"since nothing names them",
		SLICE_ARGS(view->database), SLICE_ARGS(view->table),
		(unsigned long long)view->ordinal);
	fault_hint(
		fault, "give it a primary key, or leave it out by 'sinks.%s.exclude'", bulk->sink);
	return RC_CONFIG;
}

enum rc elastic_encode(struct elastic_bulk *bulk, const struct sink_item *item, struct buf *out,
	struct fault *fault)
{
	const struct event_view *view = &item->view;
	const struct elastic_note *note;
	if (sink_is_keyless(view))
		return refuse_keyless(bulk, view, fault);
	enum rc rc = find_note(bulk, view, &note, fault);
	if (rc != RC_OK)
		return rc;
	bool is_delete = view->op == EVENT_DELETE;
	if (!is_delete && view->after.len < 2)
		return fault_set(fault, RC_CORRUPT, "event %llu has no row",
			(unsigned long long)view->ordinal);
	buf_reset(&bulk->id);
	elastic_id(item->key, &bulk->id);
	buf_text(out, is_delete ? "{\"delete\":{" : "{\"index\":{");
	buf_slice(out, buf_as_slice(&note->action));
	buf_json_string(out, buf_as_slice(&bulk->id));
	buf_text(out, ",\"version\":");
	buf_json_u64(out, view->ordinal);
	buf_text(out, ",\"version_type\":\"external\"}}\n");
	if (!is_delete) {
		put_document(bulk, view, out);
		buf_u8(out, '\n');
	}
	assert(out->rc == RC_OK);
	return RC_OK;
}

/* ---- lifetime ---- */

enum rc elastic_bulk_init(struct elastic_bulk *bulk, const struct sink_place *place,
	struct elastic_peer *peer, struct fault *fault)
{
	const char *field = settings_text(place->settings, SINK_SET_ORDINAL_FIELD);
	struct buf text = buf_of(NAMES_MAX);
	if (field[0]) {
		buf_u8(&text, ',');
		buf_json_string(&text, slice_text(field));
		buf_u8(&text, ':');
	}
	*bulk = (struct elastic_bulk){
		.sink = place->name,
		.pattern = mem_text(settings_text(place->settings, SINK_SET_INDEX)),
		.field = mem_text(buf_cstring(&text)),
		.letters = place->letters,
		.peer = peer,
		.locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0),
		.raw = buf_of(NAMES_MAX),
		.expanded = buf_of(4 * NAMES_MAX),
		.database = buf_of(NAMES_MAX),
		.table = buf_of(NAMES_MAX),
		.name = buf_of(4 * NAMES_MAX),
		.owner = buf_of(NAMES_MAX),
		.id = buf_of(NAMES_MAX),
	};
	buf_release(&text);
	for (size_t i = 0; i < ELASTIC_NOTES; i++) {
		bulk->notes[i].raw = buf_of(NAMES_MAX);
		bulk->notes[i].action = buf_of(NAMES_MAX);
	}
	if (!bulk->locale)
		return fault_errno(fault, RC_INTERNAL, "this system has no locale C.UTF-8");
	return check_pattern(place->name, bulk->pattern, fault);
}

void elastic_bulk_release(struct elastic_bulk *bulk)
{
	for (size_t i = 0; i < ELASTIC_NOTES; i++) {
		buf_release(&bulk->notes[i].raw);
		buf_release(&bulk->notes[i].action);
	}
	buf_release(&bulk->raw);
	buf_release(&bulk->expanded);
	buf_release(&bulk->database);
	buf_release(&bulk->table);
	buf_release(&bulk->name);
	buf_release(&bulk->owner);
	buf_release(&bulk->id);
	if (bulk->locale)
		freelocale(bulk->locale);
	mem_free(bulk->pattern);
	mem_free(bulk->field);
}
