/* The SQLite read model: the last state of each row as a document, and a full-text index over them;
 * see sqlite.h and docs/READ-MODEL.md.
 *
 * Invariants: a document's `ord` is the ordinal of the event that it comes from, and only a newer
 * event changes it. The checkpoint lies in the same transaction as the effects, so that each event
 * takes effect exactly once, also where it counts (tables without a key). The full-text index holds
 * what search_text says of each document: hence the entry goes before its document changes, and
 * comes back after.
 *
 * Thread: as sink.h. */
#include "sinks/sqlite.h"
#include "base/config.h"
#include "base/mem.h"

enum statement {
	FIND,
	INSERT,
	UPDATE,
	COPIES,
	DELETE,
	SEARCH_ADD,
	SEARCH_DROP,
	SEARCH_PUT,
	SEARCH_TAKE,
	TEXT_OF_ROW,
	TEXT_OF_DOCUMENT,
	TRUNCATE_TABLE,
	TRUNCATE_DATABASE,
	SEARCH_TRUNCATE_TABLE,
	SEARCH_TRUNCATE_DATABASE,
	REPLAYED,
	CHECKPOINT_LOAD,
	CHECKPOINT_SAVE,
	CHECKPOINT_FIRST,
	STATEMENT_COUNT
};

enum { TEXT_MAX = INT32_MAX, TEXT_KEEP = 1 << 20 };

#define OF_TABLE " WHERE source_db = ?1 AND source_table = ?2 AND ord < ?3"
#define OF_DATABASE " WHERE source_db = ?1 AND ord < ?3 AND ?2 = ''"
#define SEARCH_FORGET \
	"INSERT INTO search(search, rowid, text) SELECT 'delete', id, text FROM search_text" \
	" WHERE id "

static const char *const texts[STATEMENT_COUNT] = {
	[FIND] = "SELECT id, ord, copies FROM docs"
		 " WHERE source_db = ?1 AND source_table = ?2 AND key = ?3",
	[INSERT] = "INSERT INTO docs(source_db, source_table, key, ord, doc)"
		   " VALUES(?1, ?2, ?3, ?4, ?5)",
	[UPDATE] = "UPDATE docs SET ord = ?2, doc = ?3 WHERE id = ?1",
	[COPIES] = "UPDATE docs SET copies = ?2, ord = max(ord, ?3) WHERE id = ?1",
	[DELETE] = "DELETE FROM docs WHERE id = ?1",
	[SEARCH_ADD] = "INSERT INTO search(rowid, text) SELECT id, text FROM search_text"
		       " WHERE id = ?1",
	[SEARCH_DROP] = SEARCH_FORGET "= ?1",
	[SEARCH_PUT] = "INSERT INTO search(rowid, text) VALUES(?1, ?2)",
	[SEARCH_TAKE] = "INSERT INTO search(search, rowid, text) VALUES('delete', ?1, ?2)",
	[TEXT_OF_ROW] = "SELECT text FROM search_text WHERE id = ?1",
	/* as in the view search_text */
	[TEXT_OF_DOCUMENT] = "SELECT group_concat(value, char(10)) FROM json_tree(?1)"
			     " WHERE type = 'text'",
	[TRUNCATE_TABLE] = "DELETE FROM docs" OF_TABLE,
	[TRUNCATE_DATABASE] = "DELETE FROM docs" OF_DATABASE,
	[SEARCH_TRUNCATE_TABLE] = SEARCH_FORGET "IN (SELECT id FROM docs" OF_TABLE ")",
	[SEARCH_TRUNCATE_DATABASE] = SEARCH_FORGET "IN (SELECT id FROM docs" OF_DATABASE ")",
	[REPLAYED] = "INSERT OR IGNORE INTO replayed VALUES(?1)",
	[CHECKPOINT_LOAD] = "SELECT next FROM checkpoint",
	[CHECKPOINT_SAVE] = "UPDATE checkpoint SET next = ?1",
	[CHECKPOINT_FIRST] = "INSERT INTO checkpoint VALUES(?1)",
};

static void close_model(void *target)
{
	struct read_model *model = target;
	if (!model)
		return;
	sql_close(&model->sql);
	buf_release(&model->database);
	buf_release(&model->table);
	buf_release(&model->scratch);
	buf_release(&model->old_text);
	buf_release(&model->new_text);
	mem_free(model->where);
	mem_free(model);
}

static enum rc open_model(const struct sink_place *place, void **ret_target, struct fault *fault)
{
	const char *path = settings_text(place->settings, SINK_SET_PATH);
	char *own = path[0] ? NULL : mem_format("%s/%s.db", place->data, place->name);
	struct read_model *model = mem_new(1, sizeof *model);
	model->search = settings_flag(place->settings, SINK_SET_SEARCH);
	model->database = model->table = model->scratch = buf_of(1 << 20);
	model->old_text = model->new_text = buf_of(TEXT_MAX);
	model->where = mem_text(own ? own : path);
	mem_free(own);
	enum rc rc =
		read_model_open(model, model->where, place->stream, texts, STATEMENT_COUNT, fault);
	if (rc != RC_OK)
		close_model(model);
	else
		*ret_target = model;
	return rc;
}

static const char *where(const void *target)
{
	return ((const struct read_model *)target)->where;
}

static void start_over(const void *target, struct buf *out)
{
	buf_format(out, "move the file '%s' away", where(target));
}

static enum rc load(void *target, uint64_t *ret_next, struct fault *fault)
{
	struct read_model *model = target;
	struct sql_call call = sql_call(&model->sql, CHECKPOINT_LOAD);
	enum rc rc = sqlite_next(&call, fault);
	if (rc == RC_OK && !call.row)
		return fault_set(fault, RC_NOT_FOUND, "'%s' has no checkpoint yet", model->where);
	if (rc == RC_OK)
		*ret_next = sql_u64(&call, 0);
	sql_done(&call);
	return rc;
}

static enum rc begin(void *target, struct fault *fault)
{
	return sql_begin(&((struct read_model *)target)->sql, fault);
}

static void rollback(void *target)
{
	sql_rollback(&((struct read_model *)target)->sql);
}

/* ---- rows ---- */

/* What the file has for an item's key. */
struct found {
	bool is_there;
	uint64_t id, ordinal, copies;
};

static enum rc with_id(
	struct read_model *model, enum statement statement, uint64_t id, struct fault *fault)
{
	bool for_search = statement == SEARCH_ADD || statement == SEARCH_DROP;
	if (for_search && !model->search)
		return RC_OK;
	struct sql_call call = sql_call(&model->sql, statement);
	sql_put_u64(&call, id);
	return sql_run(&call, fault);
}

static struct slice key_of(const struct sink_item *item)
{
	return sink_is_keyless(&item->view) ? item->key : item->view.key;
}

static enum rc find(struct read_model *model, const struct sink_item *item, struct found *ret_found,
	struct fault *fault)
{
	struct sql_call call = sql_call(&model->sql, FIND);
	sql_put_text(&call, buf_as_slice(&model->database));
	sql_put_text(&call, buf_as_slice(&model->table));
	sql_put_text(&call, key_of(item));
	enum rc rc = sqlite_next(&call, fault);
	*ret_found = (struct found){.is_there = rc == RC_OK && call.row};
	if (ret_found->is_there) {
		ret_found->id = sql_u64(&call, 0);
		ret_found->ordinal = sql_u64(&call, 1);
		ret_found->copies = sql_u64(&call, 2);
	}
	sql_done(&call);
	return rc;
}

static enum rc insert(struct read_model *model, const struct sink_item *item, struct fault *fault)
{
	struct sql_call call = sql_call(&model->sql, INSERT);
	sql_put_text(&call, buf_as_slice(&model->database));
	sql_put_text(&call, buf_as_slice(&model->table));
	sql_put_text(&call, key_of(item));
	sql_put_u64(&call, item->view.ordinal);
	sql_put_text(&call, item->view.after);
	enum rc rc = sql_run(&call, fault);
	if (rc != RC_OK)
		return rc;
	return with_id(
		model, SEARCH_ADD, (uint64_t)sqlite3_last_insert_rowid(model->sql.handle), fault);
}

/* The one text that a statement answers; NULL counts as empty: neither has words. */
static enum rc read_text(struct sql_call *call, struct buf *out, struct fault *fault)
{
	buf_shrink(out, TEXT_KEEP);
	enum rc rc = sqlite_next(call, fault);
	if (rc == RC_OK && call->row)
		buf_slice(out, sql_text(call, 0));
	sql_done(call);
	return rc;
}

static enum rc with_text(struct read_model *model, enum statement statement, uint64_t id,
	const struct buf *text, struct fault *fault)
{
	struct sql_call call = sql_call(&model->sql, statement);
	sql_put_u64(&call, id);
	sql_put_text(&call, buf_as_slice(text));
	return sql_run(&call, fault);
}

/* Most updates change no word: then the index, which is the dear part, stays as it is. */
static enum rc read_texts(struct read_model *model, const struct sink_item *item, uint64_t id,
	bool *ret_differ, struct fault *fault)
{
	struct sql_call old = sql_call(&model->sql, TEXT_OF_ROW);
	sql_put_u64(&old, id);
	enum rc rc = read_text(&old, &model->old_text, fault);
	if (rc != RC_OK)
		return rc;
	struct sql_call new = sql_call(&model->sql, TEXT_OF_DOCUMENT);
	sql_put_text(&new, item->view.after);
	rc = read_text(&new, &model->new_text, fault);
	*ret_differ = !slice_equal(buf_as_slice(&model->old_text), buf_as_slice(&model->new_text));
	return rc;
}

static enum rc update(
	struct read_model *model, const struct sink_item *item, uint64_t id, struct fault *fault)
{
	bool differ = false;
	enum rc rc = model->search ? read_texts(model, item, id, &differ, fault) : RC_OK;
	if (rc == RC_OK && differ)
		rc = with_text(model, SEARCH_TAKE, id, &model->old_text, fault);
	if (rc != RC_OK)
		return rc;
	struct sql_call call = sql_call(&model->sql, UPDATE);
	sql_put_u64(&call, id);
	sql_put_u64(&call, item->view.ordinal);
	sql_put_text(&call, item->view.after);
	rc = sql_run(&call, fault);
	if (rc == RC_OK && differ)
		rc = with_text(model, SEARCH_PUT, id, &model->new_text, fault);
	return rc;
}

static enum rc remove_doc(struct read_model *model, uint64_t id, struct fault *fault)
{
	enum rc rc = with_id(model, SEARCH_DROP, id, fault);
	return rc == RC_OK ? with_id(model, DELETE, id, fault) : rc;
}

static enum rc set_copies(struct read_model *model, const struct found *found, uint64_t copies,
	uint64_t ordinal, struct fault *fault)
{
	struct sql_call call = sql_call(&model->sql, COPIES);
	sql_put_u64(&call, found->id);
	sql_put_u64(&call, copies);
	sql_put_u64(&call, ordinal);
	return sql_run(&call, fault);
}

/* Whether the letter of this ordinal was replayed before; if not, it is from now on. */
static enum rc mark_replayed(
	struct read_model *model, uint64_t ordinal, bool *ret_before, struct fault *fault)
{
	enum rc rc = with_id(model, REPLAYED, ordinal, fault);
	*ret_before = rc == RC_OK && sql_changes(&model->sql) == 0;
	return rc;
}

static enum rc change_keyless(struct read_model *model, const struct sink_item *item,
	const struct found *found, struct fault *fault)
{
	uint64_t ordinal = item->view.ordinal;
	if (item->view.op != EVENT_DELETE)
		return found->is_there ? set_copies(model, found, found->copies + 1, ordinal, fault)
				       : insert(model, item, fault);
	if (!found->is_there)
		return RC_OK;
	return found->copies > 1 ? set_copies(model, found, found->copies - 1, ordinal, fault)
				 : remove_doc(model, found->id, fault);
}

static enum rc change_keyed(struct read_model *model, const struct sink_item *item,
	const struct found *found, struct fault *fault)
{
	if (item->view.op != EVENT_DELETE)
		return found->is_there ? update(model, item, found->id, fault)
				       : insert(model, item, fault);
	return found->is_there ? remove_doc(model, found->id, fault) : RC_OK;
}

static enum rc apply_item(
	struct read_model *model, struct sink_item *item, bool replay, struct fault *fault)
{
	struct found found;
	bool before = false, keyless = sink_is_keyless(&item->view);
	if (item->view.op != EVENT_DELETE && item->view.after.len == 0) {
		sink_refuse(item, "the event has no row");
		return RC_OK;
	}
	if (keyless && item->view.op == EVENT_UPDATE) {
		sink_refuse(item,
			"an update of a table without a key: which row it means is not "
			"known");
		return RC_OK;
	}
	enum rc rc = read_model_names(model, &item->view, fault);
	if (rc == RC_OK)
		rc = find(model, item, &found, fault);
	if (rc == RC_OK && replay)
		rc = mark_replayed(model, item->view.ordinal, &before, fault);
	if (rc != RC_OK)
		return rc;
	/* A letter of a table without a key counts whatever came since: once. */
	bool is_old = found.is_there && found.ordinal >= item->view.ordinal && !(keyless && replay);
	item->outcome = is_old && !before ? SINK_STALE : SINK_DONE;
	if (is_old || before)
		return RC_OK;
	return keyless ? change_keyless(model, item, &found, fault)
		       : change_keyed(model, item, &found, fault);
}

/* Applies items until one is refused by SQLite itself, which may have left half of its effect. */
static enum rc apply_some(
	struct read_model *model, struct sink_round *round, bool *ret_again, struct fault *fault)
{
	*ret_again = false;
	for (size_t i = 0; i < round->count; i++) {
		struct sink_item *item = &round->items[i];
		if (item->outcome != SINK_RETRY)
			continue;
		struct fault why;
		enum rc rc = apply_item(model, item, round->replay, &why);
		if (rc == RC_REFUSED || rc == RC_LIMIT) {
			sink_refuse(item, "%s", why.text);
			*ret_again = true;
			return RC_OK;
		}
		if (rc != RC_OK) {
			item->outcome = SINK_RETRY;
			if (fault)
				*fault = why;
			return rc;
		}
	}
	return RC_OK;
}

/* Back to where apply began. A replay also holds the letters' lock, and must not wait for ours
 * again under it: it pays for a savepoint. */
static enum rc undo(struct read_model *model, bool replay, struct fault *fault)
{
	if (replay)
		return sql_execute(&model->sql, "ROLLBACK TO applied", fault);
	sql_rollback(&model->sql);
	return sql_begin(&model->sql, fault);
}

/* Refusals are so seldom that everything starts again without the refused. */
static enum rc apply(void *target, struct sink_round *round, struct fault *fault)
{
	struct read_model *model = target;
	enum rc rc = round->replay ? sql_execute(&model->sql, "SAVEPOINT applied", fault) : RC_OK;
	bool again = true;
	while (rc == RC_OK && again) {
		rc = apply_some(model, round, &again, fault);
		if (rc != RC_OK || !again)
			return rc;
		rc = undo(model, round->replay, fault);
		for (size_t i = 0; i < round->count; i++) {
			if (round->items[i].outcome != SINK_REFUSED)
				round->items[i].outcome = SINK_RETRY;
		}
	}
	return rc;
}

/* ---- control records ---- */

static int wants_stop(void *context)
{
	const atomic_bool *stop = context;
	return atomic_load(stop);
}

static enum rc truncate_with(
	struct read_model *model, enum statement statement, uint64_t ordinal, struct fault *fault)
{
	struct sql_call call = sql_call(&model->sql, statement);
	sql_put_text(&call, buf_as_slice(&model->database));
	sql_put_text(&call, buf_as_slice(&model->table));
	sql_put_u64(&call, ordinal);
	return sql_run(&call, fault);
}

static enum rc truncate_model(void *target, const struct event_view *control,
	struct sink_round *round, struct fault *fault)
{
	enum { STEPS_BETWEEN_LOOKS = 10000 };
	struct read_model *model = target;
	bool whole = control->table.len == 0;
	enum rc rc = read_model_names(model, control, fault);
	sqlite3_progress_handler(model->sql.handle, STEPS_BETWEEN_LOOKS,
		round->stop ? wants_stop : NULL, (void *)(uintptr_t)round->stop);
	if (rc == RC_OK && model->search)
		rc = truncate_with(model, whole ? SEARCH_TRUNCATE_DATABASE : SEARCH_TRUNCATE_TABLE,
			control->ordinal, fault);
	if (rc == RC_OK)
		rc = truncate_with(
			model, whole ? TRUNCATE_DATABASE : TRUNCATE_TABLE, control->ordinal, fault);
	sqlite3_progress_handler(model->sql.handle, 0, NULL, NULL);
	if (rc == RC_OK && control->is_drop)
		rc = read_model_forget(model, fault);
	return rc;
}

static enum rc schema(void *target, const struct event_view *control, struct fault *fault)
{
	struct read_model *model = target;
	enum rc rc = read_model_names(model, control, fault);
	return rc == RC_OK ? read_model_schema(model, control, fault) : rc;
}

static enum rc commit(void *target, uint64_t next, struct fault *fault)
{
	struct read_model *model = target;
	enum rc rc = RC_OK;
	if (next != SINK_NO_CHECKPOINT) {
		rc = with_id(model, CHECKPOINT_SAVE, next, fault);
		if (rc == RC_OK && sql_changes(&model->sql) == 0)
			rc = with_id(model, CHECKPOINT_FIRST, next, fault);
	}
	return rc == RC_OK ? sql_commit(&model->sql, fault) : rc;
}

const struct sink_ops sink_sqlite = {
	.keeps_checkpoint = true,
	.open = open_model,
	.close = close_model,
	.where = where,
	.start_over = start_over,
	.load = load,
	.begin = begin,
	.rollback = rollback,
	.apply = apply,
	.truncate = truncate_model,
	.schema = schema,
	.commit = commit,
};
