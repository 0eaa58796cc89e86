/* The tables that row events speak of; see plans.h. */
#include "capture/plans.h"

#include "base/checksum.h"
#include "base/mem.h"
#include "base/notice.h"
#include "capture/filter.h"
#include "capture/schemas.h"

enum { PLANS_MAX = 20000 };

static void plan_free(void *value)
{
	struct plan *plan = value;
	binlog_table_free(plan->table);
	mem_free((void *)(uintptr_t)plan->body.at);
	mem_free(plan);
}

void plans_forget(struct plans *plans)
{
	map_release(&plans->by_id, plan_free);
}

void plans_release(struct plans *plans)
{
	plans_forget(plans);
}

static struct slice id_key(const uint64_t *table_id)
{
	return slice_of(table_id, sizeof *table_id);
}

struct plan *plans_find(const struct plans *plans, uint64_t table_id)
{
	return map_get(&plans->by_id, id_key(&table_id));
}

enum rc plans_digest(struct slice line, uint8_t ret_digest[16])
{
	struct event_view view;
	if (event_view_read(line, &view) != RC_OK || view.columns.len == 0)
		return RC_CORRUPT;
	struct buf text = buf_of(LOG_BATCH_MAX);
	uint8_t digest[SHA256_SIZE];
	buf_slice(&text, view.columns);
	buf_slice(&text, view.primary_key);
	checksum_sha256(text.at, text.len, digest);
	memcpy(ret_digest, digest, 16);
	buf_release(&text);
	return RC_OK;
}

static enum rc sum_schema(
	const struct event_table *table, uint8_t ret_digest[16], struct fault *fault)
{
	struct buf line = buf_of(LOG_BATCH_MAX);
	struct event_control control = {.op = EVENT_SCHEMA, .columns = table};
	event_control_line(&control, &(struct event_origin){.file = "", .gtid = ""}, &line);
	enum rc rc = line.rc == RC_OK ? plans_digest(buf_as_slice(&line), ret_digest) : line.rc;
	buf_release(&line);
	return rc == RC_OK ? RC_OK : fault_set(fault, rc, "its schema is too large");
}

static enum rc build_captured(struct plans *plans, const struct binlog_table_map *map,
	const struct binlog_event *event, struct plan *plan, struct fault *fault)
{
	const struct schema_table *schema = NULL;
	enum binlog_need need = binlog_table_need(map, plans->is_mariadb);
	enum rc rc = RC_OK;
	if (need != BINLOG_NEEDS_NOTHING)
		rc = schemas_find(
			plans->schemas, map, need, event->file, event->pos, &schema, fault);
	if (rc == RC_OK)
		rc = binlog_table_build(map, plans->is_mariadb, schema, &plan->table, fault);
	if (rc == RC_OK)
		rc = sum_schema(plan->table->table, plan->digest, fault);
	if (rc != RC_OK)
		return rc;
	notice(NOTICE_CAPTURE_TABLE,
		FIELDS(field_text("database", plan->table->table->database),
			field_text("table", plan->table->table->name),
			field_u64("columns", plan->table->table->column_count),
			field_u64("key_columns", plan->table->table->key_count)));
	return RC_OK;
}

static enum rc build(struct plans *plans, const struct binlog_table_map *map,
	const struct binlog_event *event, struct plan **ret_plan, struct fault *fault)
{
	struct plan *plan = mem_new(1, sizeof *plan);
	plan->table_id = map->table_id;
	plan->body = (struct slice){
		(uint8_t *)mem_text_of(event->body.at, event->body.len), event->body.len};
	plan->is_captured = filter_table(plans->options, map->database, map->name);
	enum rc rc;
	if (plan->is_captured)
		rc = build_captured(plans, map, event, plan, fault);
	else
		rc = binlog_table_shape(map, &plan->table, fault);
	if (rc != RC_OK) {
		plan_free(plan);
		fault_context(
			fault, "table %.*s.%.*s", SLICE_ARGS(map->database), SLICE_ARGS(map->name));
		return rc;
	}
	*ret_plan = plan;
	return RC_OK;
}

enum rc plans_map(struct plans *plans, const struct binlog_event *event, struct plan **ret_plan,
	struct fault *fault)
{
	struct binlog_table_map map;
	enum rc rc = binlog_table_map_read(event->body, &map);
	if (rc != RC_OK)
		return fault_set(fault, rc, "the table map makes no sense");
	struct plan *known = plans_find(plans, map.table_id);
	if (known && slice_equal(known->body, event->body)) {
		*ret_plan = known;
		return RC_OK;
	}
	rc = build(plans, &map, event, ret_plan, fault);
	if (rc != RC_OK)
		return rc;
	if (plans->by_id.count >= PLANS_MAX)
		plans_forget(plans);
	struct plan *old = map_put(&plans->by_id, id_key(&map.table_id), *ret_plan);
	if (old)
		plan_free(old);
	return RC_OK;
}
