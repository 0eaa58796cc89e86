/* Statements that touch tables, and schemas, as control records of the stream; see inside.h and
 * docs/formats/event.md. */
#include "base/mem.h"
#include "capture/filter.h"
#include "capture/inside.h"

enum { KEY_BYTES = 4096 };

static void forget_told(struct capture *capture, const struct ddl_name *name)
{
	struct buf key = buf_of(KEY_BYTES);
	table_key(name->database, name->table, &key);
	mem_free(map_remove(&capture->told, buf_as_slice(&key)));
	buf_release(&key);
}

static enum rc tell(struct capture *capture, const struct binlog_event *event, enum event_op op,
	bool is_drop, const struct ddl_name *name, struct slice sql, struct fault *fault)
{
	struct event_control control = {
		.op = op,
		.is_drop = is_drop,
		.database = name->database,
		.table = name->table,
		.pos = event->pos,
		.ddl = sql,
	};
	capture->group.has_ddl = true;
	return writer_control(&capture->writer, &control, &capture->group.origin, fault);
}

static enum rc tell_one(struct capture *capture, const struct binlog_event *event,
	const struct ddl *ddl, const struct ddl_name *name, struct slice sql, struct fault *fault)
{
	if (ddl->kind != DDL_TRUNCATE_TABLE)
		forget_told(capture, name);
	if (ddl->kind == DDL_DROP_TABLE)
		return tell(capture, event, EVENT_TRUNCATE, true, name, sql, fault);
	if (ddl->kind == DDL_TRUNCATE_TABLE)
		return tell(capture, event, EVENT_TRUNCATE, false, name, sql, fault);
	if (ddl->moves_rows)
		return fault_set(fault, RC_UNSUPPORTED,
			"a statement on %.*s.%.*s takes rows away or brings some without telling "
			"which (partitions, tablespaces, CREATE ... SELECT outside of row format)",
			SLICE_ARGS(name->database), SLICE_ARGS(name->table));
	enum rc rc = RC_OK;
	if (ddl->kind == DDL_CREATE_TABLE && ddl->replaces)
		rc = tell(capture, event, EVENT_TRUNCATE, true, name, sql, fault);
	return rc == RC_OK ? tell(capture, event, EVENT_SCHEMA, false, name, sql, fault) : rc;
}

static enum rc tell_tables(struct capture *capture, const struct binlog_event *event,
	const struct ddl *ddl, struct slice sql, struct fault *fault)
{
	enum rc rc = RC_OK;
	for (size_t i = 0; rc == RC_OK && i < ddl->name_count; i++) {
		const struct ddl_name *name = &ddl->names[i];
		if (!filter_table(&capture->options, name->database, name->table))
			continue;
		if (ddl->kind == DDL_RENAME_TABLE)
			return fault_set(fault, RC_UNSUPPORTED,
				"a captured table takes part in a rename (%.*s.%.*s), which moves "
				"rows without telling them",
				SLICE_ARGS(name->database), SLICE_ARGS(name->table));
		rc = tell_one(capture, event, ddl, name, sql, fault);
	}
	return rc;
}

static void forget_all_told(struct capture *capture)
{
	map_release(&capture->told, mem_free);
}

/* After a resume inside of a group: what stands in front of rows that are in the stream is there
 * too. */
static bool is_in_stream(const struct capture *capture)
{
	return capture->group.rows < capture->group.resume_row;
}

/* The statement as the stream shows it: whatever it was written in, as far as that can be told. */
static struct slice statement_text(const struct binlog_query *query, struct buf *scratch)
{
	return binlog_query_utf8(query, scratch) == RC_OK ? buf_as_slice(scratch) : query->sql;
}

static enum rc tell_all(struct capture *capture, const struct binlog_event *event,
	const struct ddl *ddl, struct slice sql, struct fault *fault)
{
	if (ddl->kind != DDL_DROP_DATABASE)
		return tell_tables(capture, event, ddl, sql, fault);
	if (!filter_database(&capture->options, ddl->names[0].database))
		return RC_OK;
	forget_all_told(capture);
	struct ddl_name name = {.database = ddl->names[0].database};
	return tell(capture, event, EVENT_TRUNCATE, true, &name, sql, fault);
}

enum rc control_follow(struct capture *capture, const struct binlog_event *event,
	const struct binlog_query *query, const struct ddl *ddl, struct fault *fault)
{
	if (ddl->is_temporary)
		return RC_OK;
	plans_forget(&capture->plans);
	schemas_follow(&capture->schemas, query, ddl);
	if (is_in_stream(capture))
		return RC_OK;
	struct buf text = buf_of(LOG_BATCH_MAX);
	enum rc rc = tell_all(capture, event, ddl, statement_text(query, &text), fault);
	buf_release(&text);
	return rc;
}

static void keep_told(
	struct capture *capture, struct slice key, const uint8_t digest[16], uint64_t ordinal)
{
	struct told *told = mem_new(1, sizeof *told);
	memcpy(told->digest, digest, sizeof told->digest);
	told->ordinal = ordinal;
	mem_free(map_put(&capture->told, key, told));
}

void control_abandon(struct capture *capture)
{
	size_t place = 0;
	for (const struct map_entry *entry; (entry = map_next(&capture->told, &place));) {
		const struct told *told = entry->value;
		if (told->ordinal < capture->writer.done.next_ordinal)
			continue;
		char *key = mem_text_of(entry->key.at, entry->key.len);
		mem_free(map_remove(&capture->told, slice_of(key, entry->key.len)));
		mem_free(key);
		place = 0; /* the walk does not survive a removal */
	}
}

enum rc control_tell_schema(struct capture *capture, const struct binlog_event *event,
	const struct plan *plan, struct fault *fault)
{
	const struct event_table *table = plan->table->table;
	struct buf key = buf_of(KEY_BYTES);
	table_key(slice_text(table->database), slice_text(table->name), &key);
	const struct told *told = map_get(&capture->told, buf_as_slice(&key));
	enum rc rc = RC_OK;
	if (!is_in_stream(capture) && (!told || memcmp(told->digest, plan->digest, 16) != 0)) {
		struct event_control control = {
			.op = EVENT_SCHEMA,
			.database = slice_text(table->database),
			.table = slice_text(table->name),
			.pos = event->pos,
			.columns = table,
		};
		rc = writer_control(&capture->writer, &control, &capture->group.origin, fault);
		if (rc == RC_OK)
			keep_told(capture, buf_as_slice(&key), plan->digest, control.ordinal);
	}
	buf_release(&key);
	return rc;
}

static enum rc learn_one(void *context, struct slice line, struct fault *fault)
{
	struct capture *capture = context;
	struct event_view view;
	uint8_t digest[16];
	if (event_view_read(line, &view) != RC_OK || plans_digest(line, digest) != RC_OK)
		return fault_set(fault, RC_CORRUPT, "a schema record of the stream cannot be read");
	struct buf database = buf_of(KEY_BYTES), table = buf_of(KEY_BYTES),
		   key = buf_of(2 * KEY_BYTES);
	enum rc rc = event_unescape(view.database, &database);
	if (rc == RC_OK)
		rc = event_unescape(view.table, &table);
	if (rc == RC_OK) {
		table_key(buf_as_slice(&database), buf_as_slice(&table), &key);
		keep_told(capture, buf_as_slice(&key), digest, view.ordinal);
		rc = schemas_learn(&capture->schemas, line, fault);
	}
	buf_release(&database);
	buf_release(&table);
	buf_release(&key);
	return rc;
}

enum rc control_learn(struct capture *capture, struct fault *fault)
{
	return hub_schemas(capture->options.hub, learn_one, capture, fault);
}
