/* The letters' file; see letters.h and docs/DEAD-LETTERS.md. */
#include "sinks/letters.h"

#include <assert.h>

#include "base/clock.h"
#include "base/mem.h"
#include "sinks/keyset.h"
#include "sinks/sink.h"
#include "sinks/sql.h"

struct letters {
	struct sql sql;
	char *sink;
	struct keyset waiting;
	struct buf database, table; /* scratch: names without escapes */
};

static const struct sql_kind kind = {
	.noun = "file of dead letters",
	.application_id = 0x4d53646c, /* MSdl */
	.version = 1,
	.schema = "CREATE TABLE letters("
		  " ordinal INTEGER PRIMARY KEY,"
		  " sink TEXT NOT NULL,"
		  " source_db TEXT NOT NULL,"
		  " source_table TEXT NOT NULL,"
		  " key TEXT,"
		  " partition_key TEXT NOT NULL,"
		  " reason TEXT NOT NULL,"
		  " line TEXT NOT NULL,"
		  " put_us INTEGER NOT NULL,"
		  " changed_us INTEGER NOT NULL,"
		  " tries INTEGER NOT NULL DEFAULT 0,"
		  " state TEXT NOT NULL DEFAULT 'waiting'"
		  "  CHECK(state IN ('waiting', 'replayed', 'superseded', 'discarded')),"
		  " superseded_by INTEGER);"
		  "CREATE INDEX letters_by_key ON letters(partition_key) WHERE state = 'waiting';"
		  "CREATE INDEX letters_by_table ON letters(source_db, source_table)"
		  " WHERE state = 'waiting';"
		  "CREATE TABLE tables("
		  " source_db TEXT NOT NULL,"
		  " source_table TEXT NOT NULL,"
		  " columns INTEGER,"
		  " columns_since INTEGER,"
		  " place TEXT UNIQUE,"
		  " PRIMARY KEY(source_db, source_table)) WITHOUT ROWID",
	.synchronous = "FULL",
};

enum statement {
	ADD,
	SUPERSEDE,
	SUPERSEDE_ONE,
	TRUNCATE,
	EACH,
	SETTLE,
	DISCARD,
	WAITING_KEYS,
	COLUMNS_LOAD,
	COLUMNS_SAVE,
	PLACE_CLAIM,
	PLACE_OWNER,
	PLACES,
	FORGET,
	STATEMENT_COUNT
};

/* A filter's values, in this order: bits of states, database, table, ordinal, first, limit. */
#define FILTER \
	"(?1 = 0 OR ?1 & CASE state WHEN 'waiting' THEN 1 WHEN 'replayed' THEN 2" \
	" WHEN 'superseded' THEN 4 ELSE 8 END)" \
	" AND (?2 IS NULL OR source_db = ?2) AND (?3 IS NULL OR source_table = ?3)" \
	" AND (?4 IS NULL OR ordinal = ?4) AND ordinal >= ?5"

static const char *const texts[STATEMENT_COUNT] = {
	[ADD] = "INSERT OR IGNORE INTO letters(ordinal, sink, source_db, source_table, key,"
		" partition_key, reason, line, put_us, changed_us)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)",
	[SUPERSEDE] = "UPDATE letters SET state = 'superseded', superseded_by = ?2, changed_us = ?3"
		      " WHERE partition_key = ?1 AND state = 'waiting' AND ordinal < ?2",
	[SUPERSEDE_ONE] =
		"UPDATE letters SET state = 'superseded', superseded_by = ?2, changed_us = ?3"
		" WHERE ordinal = (SELECT min(ordinal) FROM letters"
		"  WHERE partition_key = ?1 AND state = 'waiting' AND ordinal < ?2"
		"  AND line LIKE '{\"op\":\"c\"%')"
		" AND NOT EXISTS(SELECT 1 FROM letters WHERE partition_key = ?1"
		"  AND superseded_by = ?2)",
	[TRUNCATE] = "UPDATE letters SET state = 'superseded', superseded_by = ?3, changed_us = ?4"
		     " WHERE source_db = ?1 AND (?2 = '' OR source_table = ?2)"
		     " AND state = 'waiting' AND ordinal < ?3",
	[EACH] = "SELECT ordinal, source_db, source_table, key, partition_key, reason, line,"
		 " put_us, changed_us, tries, state, superseded_by"
		 " FROM letters WHERE " FILTER " ORDER BY ordinal LIMIT ?6",
	[SETTLE] = "UPDATE letters SET state = ?2, tries = tries + 1, changed_us = ?4,"
		   " reason = CASE ?3 WHEN '' THEN reason ELSE ?3 END"
		   " WHERE ordinal = ?1 AND state = 'waiting'",
	[DISCARD] =
		"UPDATE letters SET state = 'discarded', changed_us = ?7"
		" WHERE ordinal IN (SELECT ordinal FROM letters WHERE state = 'waiting' AND " FILTER
		" ORDER BY ordinal LIMIT ?6)",
	[WAITING_KEYS] = "SELECT partition_key FROM letters WHERE state = 'waiting' LIMIT ?1",
	[COLUMNS_LOAD] = "SELECT columns, columns_since FROM tables"
			 " WHERE source_db = ?1 AND source_table = ?2",
	[COLUMNS_SAVE] = "INSERT INTO tables(source_db, source_table, columns, columns_since)"
			 " VALUES(?1, ?2, ?3, ?4) ON CONFLICT(source_db, source_table) DO UPDATE"
			 " SET columns = excluded.columns, columns_since = excluded.columns_since",
	[PLACE_CLAIM] = "INSERT INTO tables(source_db, source_table, place) VALUES(?1, ?2, ?3)"
			" ON CONFLICT(source_db, source_table) DO UPDATE SET place = excluded.place"
			" WHERE place IS NOT excluded.place",
	[PLACE_OWNER] = "SELECT source_db, source_table FROM tables WHERE place = ?1",
	[PLACES] = "SELECT place FROM tables WHERE source_db = ?1 AND place IS NOT NULL",
	[FORGET] = "DELETE FROM tables WHERE source_db = ?1 AND (?2 = '' OR source_table = ?2)",
};

static const char *const state_names[DEAD_STATE_COUNT] = {
	[DEAD_WAITING] = "waiting",
	[DEAD_REPLAYED] = "replayed",
	[DEAD_SUPERSEDED] = "superseded",
	[DEAD_DISCARDED] = "discarded",
};

const char *dead_state_name(enum dead_state state)
{
	return state_names[state];
}

bool dead_state_read(const char *name, enum dead_state *ret_state)
{
	for (int i = 0; i < DEAD_STATE_COUNT; i++) {
		if (strcmp(name, state_names[i]) != 0)
			continue;
		*ret_state = (enum dead_state)i;
		return true;
	}
	return false;
}

/* FNV-1a, and a last mixing, since lanes are taken from the low bits. */
uint64_t letters_hash(struct slice key)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ key.at[i]) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 32;
}

static uint64_t now_us(void)
{
	return (uint64_t)clock_wall_us();
}

static enum rc load_waiting(struct letters *letters, struct fault *fault)
{
	keyset_release(&letters->waiting);
	struct sql_call call = sql_call(&letters->sql, WAITING_KEYS);
	sql_put_u64(&call, (uint64_t)letters->waiting.max + 1);
	for (;;) {
		enum rc rc = sqlite_next(&call, fault);
		if (rc != RC_OK || !call.row)
			return rc;
		keyset_add(&letters->waiting, letters_hash(sql_text(&call, 0)));
	}
}

enum rc letters_open(const char *data, const char *sink, const struct hub_meta *stream,
	struct letters **ret_letters, struct fault *fault)
{
	struct letters *letters = mem_new(1, sizeof *letters);
	letters->sink = mem_text(sink);
	letters->waiting = keyset_of(WAITING_KEYS_MAX);
	letters->database = letters->table = buf_of(1 << 16);
	char *path = mem_format("%s/dead-letters/%s.db", data, sink);
	enum rc rc = sql_open(&letters->sql, path, &kind, stream, texts, STATEMENT_COUNT, fault);
	mem_free(path);
	if (rc == RC_OK && stream)
		rc = load_waiting(letters, fault);
	if (rc != RC_OK) {
		letters_close(letters);
		return rc;
	}
	*ret_letters = letters;
	return RC_OK;
}

void letters_close(struct letters *letters)
{
	if (!letters)
		return;
	sql_close(&letters->sql);
	keyset_release(&letters->waiting);
	buf_release(&letters->database);
	buf_release(&letters->table);
	mem_free(letters->sink);
	mem_free(letters);
}

enum rc letters_begin(struct letters *letters, struct fault *fault)
{
	return sql_begin(&letters->sql, fault);
}

enum rc letters_commit(struct letters *letters, struct fault *fault)
{
	return sql_commit(&letters->sql, fault);
}

void letters_rollback(struct letters *letters)
{
	sql_rollback(&letters->sql);
}

/* ---- delivering ---- */

static enum rc add(struct letters *letters, const struct sink_item *item, struct fault *fault)
{
	const struct event_view *view = &item->view;
	buf_reset(&letters->database);
	buf_reset(&letters->table);
	if (event_unescape(view->database, &letters->database) != RC_OK ||
		event_unescape(view->table, &letters->table) != RC_OK)
		return fault_set(fault, RC_CORRUPT, "event %llu: a name is not readable",
			(unsigned long long)item->view.ordinal);
	struct sql_call call = sql_call(&letters->sql, ADD);
	sql_put_u64(&call, view->ordinal);
	sql_put_text(&call, slice_text(letters->sink));
	sql_put_text(&call, buf_as_slice(&letters->database));
	sql_put_text(&call, buf_as_slice(&letters->table));
	if (sink_is_keyless(view))
		sql_put_null(&call);
	else
		sql_put_text(&call, view->key);
	sql_put_text(&call, item->key);
	sql_put_text(&call, slice_text(item->reason ? item->reason : ""));
	sql_put_text(&call, slice_of(item->line.at, item->line.len - 1));
	sql_put_u64(&call, now_us());
	keyset_add(&letters->waiting, item->hash);
	return sql_run(&call, fault);
}

static enum rc supersede(
	struct letters *letters, const struct sink_item *items, size_t count, struct fault *fault)
{
	enum rc rc = RC_OK;
	for (size_t i = 0; i < count && rc == RC_OK; i++) {
		const struct event_view *view = &items[i].view;
		bool keyless = sink_is_keyless(view);
		if (!keyset_may_have(&letters->waiting, items[i].hash) ||
			(keyless && view->op != EVENT_DELETE))
			continue;
		struct sql_call call = sql_call(&letters->sql, keyless ? SUPERSEDE_ONE : SUPERSEDE);
		sql_put_text(&call, items[i].key);
		sql_put_u64(&call, view->ordinal);
		sql_put_u64(&call, now_us());
		rc = sql_run(&call, fault);
	}
	return rc;
}

static enum rc end(struct letters *letters, enum rc rc, struct fault *fault)
{
	if (rc == RC_OK)
		rc = letters_commit(letters, fault);
	if (rc != RC_OK)
		letters_rollback(letters);
	return rc;
}

enum rc letters_add(
	struct letters *letters, const struct sink_item *items, size_t count, struct fault *fault)
{
	enum rc rc = letters_begin(letters, fault);
	for (size_t i = 0; i < count && rc == RC_OK; i++) {
		if (items[i].outcome == SINK_REFUSED)
			rc = add(letters, &items[i], fault);
	}
	if (rc == RC_OK)
		rc = supersede(letters, items, count, fault);
	return end(letters, rc, fault);
}

enum rc letters_supersede(
	struct letters *letters, const struct sink_item *items, size_t count, struct fault *fault)
{
	size_t i = 0;
	while (i < count && !keyset_may_have(&letters->waiting, items[i].hash))
		i++;
	if (i == count)
		return RC_OK;
	enum rc rc = letters_begin(letters, fault);
	if (rc == RC_OK)
		rc = supersede(letters, items + i, count - i, fault);
	return end(letters, rc, fault);
}

enum rc letters_truncate(struct letters *letters, struct slice database, struct slice table,
	uint64_t ordinal, struct fault *fault)
{
	struct sql_call call = sql_call(&letters->sql, TRUNCATE);
	sql_put_text(&call, database);
	sql_put_text(&call, table);
	sql_put_u64(&call, ordinal);
	sql_put_u64(&call, now_us());
	enum rc rc = sql_run(&call, fault);
	/* a good moment to forget what no longer waits */
	return rc == RC_OK && sql_changes(&letters->sql) > 0 ? load_waiting(letters, fault) : rc;
}

/* ---- one by one ---- */

static void put_filter(struct sql_call *call, const struct dead_filter *filter)
{
	sql_put_u64(call, filter->states);
	if (filter->database)
		sql_put_text(call, slice_text(filter->database));
	else
		sql_put_null(call);
	if (filter->table)
		sql_put_text(call, slice_text(filter->table));
	else
		sql_put_null(call);
	if (filter->one)
		sql_put_u64(call, filter->ordinal);
	else
		sql_put_null(call);
	sql_put_u64(call, filter->from);
	sql_put_u64(call, filter->limit ? filter->limit : INT64_MAX);
}

static enum rc read_letter(const struct letters *letters, const struct sql_call *call,
	struct dead_letter *letter, struct fault *fault)
{
	struct slice state = sql_text(call, 10);
	*letter = (struct dead_letter){
		.sink = letters->sink,
		.ordinal = sql_u64(call, 0),
		.database = sql_text(call, 1),
		.table = sql_text(call, 2),
		.key = sql_text(call, 3),
		.partition_key = sql_text(call, 4),
		.reason = sql_text(call, 5),
		.line = sql_text(call, 6),
		.when_us = (int64_t)sql_u64(call, 7),
		.changed_us = (int64_t)sql_u64(call, 8),
		.tries = sql_u64(call, 9),
		.superseded_by = sql_u64(call, 11),
	};
	if (!state.at || !dead_state_read((const char *)state.at, &letter->state))
		return fault_set(fault, RC_CORRUPT, "'%s': letter %llu has no state that is known",
			letters->sql.path, (unsigned long long)letter->ordinal);
	return RC_OK;
}

enum rc letters_each(struct letters *letters, const struct dead_filter *filter,
	enum rc (*each)(void *context, const struct dead_letter *letter, struct fault *fault),
	void *context, struct fault *fault)
{
	struct sql_call call = sql_call(&letters->sql, EACH);
	put_filter(&call, filter);
	for (;;) {
		struct dead_letter letter;
		enum rc rc = sqlite_next(&call, fault);
		if (rc != RC_OK || !call.row)
			return rc;
		rc = read_letter(letters, &call, &letter, fault);
		if (rc == RC_OK)
			rc = each(context, &letter, fault);
		if (rc != RC_OK) {
			sql_done(&call);
			return rc == RC_END ? RC_OK : rc;
		}
	}
}

enum rc letters_settle(struct letters *letters, uint64_t ordinal, enum dead_state state,
	struct slice reason, struct fault *fault)
{
	struct sql_call call = sql_call(&letters->sql, SETTLE);
	sql_put_u64(&call, ordinal);
	sql_put_text(&call, slice_text(state_names[state]));
	sql_put_text(&call, reason);
	sql_put_u64(&call, now_us());
	return sql_run(&call, fault);
}

enum rc letters_discard(struct letters *letters, const struct dead_filter *filter,
	uint64_t *ret_count, struct fault *fault)
{
	struct sql_call call = sql_call(&letters->sql, DISCARD);
	put_filter(&call, filter);
	sql_put_u64(&call, now_us());
	enum rc rc = sql_run(&call, fault);
	*ret_count = rc == RC_OK ? sql_changes(&letters->sql) : 0;
	return rc;
}

/* ---- tables ---- */

enum rc letters_columns_load(struct letters *letters, struct slice database, struct slice table,
	struct letters_columns *ret_columns, struct fault *fault)
{
	struct sql_call call = sql_call(&letters->sql, COLUMNS_LOAD);
	sql_put_text(&call, database);
	sql_put_text(&call, table);
	enum rc rc = sqlite_next(&call, fault);
	*ret_columns = (struct letters_columns){0};
	if (rc == RC_OK && call.row) {
		ret_columns->count = sql_u64(&call, 0);
		ret_columns->since = sql_u64(&call, 1);
	}
	sql_done(&call);
	return rc;
}

enum rc letters_columns_save(struct letters *letters, struct slice database, struct slice table,
	const struct letters_columns *columns, struct fault *fault)
{
	struct sql_call call = sql_call(&letters->sql, COLUMNS_SAVE);
	sql_put_text(&call, database);
	sql_put_text(&call, table);
	sql_put_u64(&call, columns->count);
	sql_put_u64(&call, columns->since);
	return sql_run(&call, fault);
}

enum rc letters_forget(
	struct letters *letters, struct slice database, struct slice table, struct fault *fault)
{
	struct sql_call call = sql_call(&letters->sql, FORGET);
	sql_put_text(&call, database);
	sql_put_text(&call, table);
	return sql_run(&call, fault);
}

enum rc letters_place_owner(struct letters *letters, struct slice database, struct slice table,
	const char *place, bool *ret_ours, struct buf *owner, struct fault *fault)
{
	*ret_ours = false;
	struct sql_call call = sql_call(&letters->sql, PLACE_OWNER);
	sql_put_text(&call, slice_text(place));
	enum rc rc = sqlite_next(&call, fault);
	if (rc != RC_OK || !call.row)
		return rc;
	*ret_ours =
		slice_equal(sql_text(&call, 0), database) && slice_equal(sql_text(&call, 1), table);
	buf_reset(owner);
	buf_format(
		owner, "%.*s.%.*s", SLICE_ARGS(sql_text(&call, 0)), SLICE_ARGS(sql_text(&call, 1)));
	sql_done(&call);
	if (*ret_ours)
		return RC_OK;
	return fault_set(fault, RC_CONFIG, "'%s' and '%.*s.%.*s' would both go to '%s'",
		buf_cstring(owner), SLICE_ARGS(database), SLICE_ARGS(table), place);
}

enum rc letters_place_claim(struct letters *letters, struct slice database, struct slice table,
	const char *place, struct fault *fault)
{
	struct sql_call call = sql_call(&letters->sql, PLACE_CLAIM);
	sql_put_text(&call, database);
	sql_put_text(&call, table);
	sql_put_text(&call, slice_text(place));
	return sql_run(&call, fault);
}

enum rc letters_places(struct letters *letters, struct slice database,
	enum rc (*each)(void *context, const char *place, struct fault *fault), void *context,
	struct fault *fault)
{
	struct sql_call call = sql_call(&letters->sql, PLACES);
	sql_put_text(&call, database);
	for (;;) {
		enum rc rc = sqlite_next(&call, fault);
		if (rc != RC_OK || !call.row)
			return rc;
		rc = each(context, (const char *)sql_text(&call, 0).at, fault);
		if (rc != RC_OK) {
			sql_done(&call);
			return rc;
		}
	}
}
