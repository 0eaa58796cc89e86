/* The open object of a shard: taking runs in, gathering, publishing; see flow.h.
 *
 * Invariants: what is staged, then what is gathered, are the object's lines in the order of their
 * ordinals, so a frame is copied only when nothing is gathered; an object holds exactly the shard's
 * events from object.name.first to object.last.
 *
 * Thread: THREAD_ROLE. */
#include <stdio.h>

#include "archive/flow.h"
#include "base/checksum.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/notice.h"

/* ---- staging ---- */

static enum rc begin_stage(struct flow *flow, struct shard *shard, struct fault *fault)
{
	enum rc rc = RC_OK;
	while (!shard->stage) {
		rc = store_stage_begin(flow->store, &shard->stage, fault);
		if (rc != RC_OK && !control_try_again(flow->control, rc, fault))
			break;
	}
	return rc;
}

static enum rc stage_append(
	struct flow *flow, struct shard *shard, struct slice bytes, struct fault *fault)
{
	enum rc rc = begin_stage(flow, shard, fault);
	if (rc != RC_OK)
		return rc;
	do
		rc = store_stage_append(shard->stage, bytes, fault);
	while (rc != RC_OK && control_try_again(flow->control, rc, fault));
	if (rc == RC_OK)
		shard->object.crc32c = checksum_crc32c(shard->object.crc32c, bytes.at, bytes.len);
	return rc;
}

/* ---- gathering ---- */

static void forget_gathered(struct flow *flow, struct shard *shard)
{
	flow->gathered -= shard->gather.cap;
	buf_release(&shard->gather);
}

enum rc shard_flush(struct flow *flow, struct shard *shard, struct fault *fault)
{
	if (shard->gather.len == 0)
		return RC_OK;
	struct slice packed = pack_piece(flow->pack, buf_as_slice(&shard->gather));
	enum rc rc = stage_append(flow, shard, packed, fault);
	if (rc == RC_OK)
		buf_reset(&shard->gather);
	return rc;
}

/* The longest beginning of at most `want` bytes that ends with a line; 0 when there is none. */
static size_t whole_lines(struct slice bytes, size_t want)
{
	const uint8_t *newline = memrchr(bytes.at, '\n', want < bytes.len ? want : bytes.len);
	return newline ? (size_t)(newline - bytes.at) + 1 : 0;
}

static void gather(struct flow *flow, struct shard *shard, struct slice bytes)
{
	flow->gathered -= shard->gather.cap;
	buf_slice(&shard->gather, bytes);
	flow->gathered += shard->gather.cap;
}

/* Takes a first part of the lines: to the gathered ones, or as a piece of its own. */
static enum rc feed_some(struct flow *flow, struct shard *shard, struct slice lines,
	size_t *ret_len, struct fault *fault)
{
	size_t room = PACK_PIECE_MAX - shard->gather.len;
	if (lines.len <= room && lines.len < PACK_PIECE_MAX) {
		*ret_len = lines.len;
		gather(flow, shard, lines);
		return RC_OK;
	}
	size_t len = whole_lines(lines, room);
	if (shard->gather.len > 0) {
		gather(flow, shard, slice_of(lines.at, len));
		*ret_len = len;
		return shard_flush(flow, shard, fault);
	}
	if (len == 0) /* a line that is longer than a piece */
		len = lines.len < room ? lines.len : room;
	*ret_len = len;
	return stage_append(flow, shard, pack_piece(flow->pack, slice_of(lines.at, len)), fault);
}

static enum rc feed(struct flow *flow, struct shard *shard, struct slice lines, struct fault *fault)
{
	while (lines.len > 0) {
		size_t len = 0;
		enum rc rc = feed_some(flow, shard, lines, &len, fault);
		if (rc != RC_OK)
			return rc;
		lines = slice_of(lines.at + len, lines.len - len);
	}
	return RC_OK;
}

/* Many shards share the memory: the one that has most gives its up. */
static enum rc bound_gathered(struct flow *flow, struct fault *fault)
{
	enum rc rc = RC_OK;
	while (rc == RC_OK && flow->gathered > FLOW_GATHER_MAX) {
		struct shard *most = &flow->shards[0];
		for (uint32_t i = 1; i < flow->shard_count; i++) {
			if (flow->shards[i].gather.cap > most->gather.cap)
				most = &flow->shards[i];
		}
		rc = shard_flush(flow, most, fault);
		forget_gathered(flow, most);
	}
	return rc;
}

/* ---- which tables ---- */

static bool is_table_of(const struct buf *table, struct slice key)
{
	return table->len > 0 && key.len > table->len && key.at[table->len] == '|' &&
		memcmp(key.at, table->at, table->len) == 0;
}

/* Length of "db.table" in front of the | that ends it; 0 when the key is a digest. */
static size_t table_length(struct slice key)
{
	for (size_t i = 0; i < key.len; i++) {
		if (key.at[i] == '\\')
			i++;
		else if (key.at[i] == '|')
			return i;
	}
	return 0;
}

/* A key that is too long stands in the stream as its digest: then the line names the table. */
static enum rc table_of_line(struct slice line, struct buf *table)
{
	struct event_view event;
	struct buf database = buf_of(4096), name = buf_of(4096);
	enum rc rc = event_view_read(line, &event);
	if (rc == RC_OK)
		rc = event_unescape(event.database, &database);
	if (rc == RC_OK)
		rc = event_unescape(event.table, &name);
	buf_reset(table);
	if (rc == RC_OK) {
		event_control_key(buf_as_slice(&database), buf_as_slice(&name), table);
		rc = table->rc;
	}
	if (rc == RC_OK)
		table->len--; /* its | */
	buf_release(&name);
	buf_release(&database);
	return rc;
}

/* ---- taking runs ---- */

static uint64_t ordinal_taken(const struct shard *shard, bool *ret_any)
{
	*ret_any = shard->has_last || shard->object.count > 0;
	return shard->object.count > 0 ? shard->object.last : shard->last;
}

bool shard_has(const struct shard *shard, const struct log_run_view *run)
{
	bool any = false;
	uint64_t taken = ordinal_taken(shard, &any);
	return run->records == 0 || (any && run->last_ordinal <= taken);
}

/* A walk through a run's record table: which part is new, and of which tables it is. */
struct scan {
	struct flow *flow;
	struct log_run_view *run;
	struct past_tables *tables;
	size_t at; /* place of the record's line in the payload */
	/* result */
	uint64_t first, count;
	size_t skip; /* payload bytes in front of the new part */
};

static enum rc note_digest(struct scan *scan, const struct log_record *record, struct fault *fault)
{
	struct log_run_view *run = scan->run;
	enum rc rc = log_run_inflate(hub_reader_log(scan->flow->reader), run, fault);
	if (rc != RC_OK)
		return rc;
	bool good = scan->at <= run->raw.len && record->line.len <= run->raw.len - scan->at;
	if (good)
		good = table_of_line(slice_of(run->raw.at + scan->at, record->line.len),
			       &scan->flow->table) == RC_OK;
	if (!good)
		return fault_set(fault, RC_CORRUPT,
			"the event of ordinal %llu in shard %u is no line of the format millstream",
			(unsigned long long)record->ordinal, run->shard);
	past_tables_add(scan->tables, buf_as_slice(&scan->flow->table));
	return RC_OK;
}

static enum rc note_table(struct scan *scan, const struct log_record *record, struct fault *fault)
{
	struct buf *table = &scan->flow->table;
	if (scan->tables->is_cut || is_table_of(table, record->key))
		return RC_OK;
	size_t len = table_length(record->key);
	if (len == 0)
		return note_digest(scan, record, fault);
	buf_reset(table);
	buf_bytes(table, record->key.at, len);
	past_tables_add(scan->tables, buf_as_slice(table));
	return RC_OK;
}

static enum rc scan_run(struct scan *scan, const struct shard *shard, struct fault *fault)
{
	bool any = false;
	uint64_t taken = ordinal_taken(shard, &any);
	struct log_table_cursor cursor;
	struct log_record record;
	enum rc rc;
	buf_reset(&scan->flow->table); /* what it names stands in another object's list, perhaps */
	log_table_start(&cursor, scan->run);
	while ((rc = log_table_next(&cursor, &record)) == RC_OK) {
		if (any && record.ordinal <= taken) {
			scan->skip += record.line.len;
		} else {
			if (scan->count++ == 0)
				scan->first = record.ordinal;
			rc = note_table(scan, &record, fault);
			if (rc != RC_OK)
				return rc;
		}
		scan->at += record.line.len;
	}
	/* also where there are no lines to archive at all */
	if (rc != RC_END || scan->at != scan->run->raw_len || scan->at == scan->skip)
		return fault_set(fault, RC_CORRUPT,
			"the record table of shard %u from ordinal %llu does not check out",
			scan->run->shard, (unsigned long long)scan->run->first_ordinal);
	return RC_OK;
}

static void begin_object(const struct flow *flow, struct shard *shard, const struct scan *scan,
	const struct log_view *view)
{
	struct past_object *object = &shard->object;
	(void)snprintf(
		object->name.stream, sizeof object->name.stream, "%s", flow->options->stream);
	object->name.hour_us = flow->hour_us;
	object->name.shard = shard->number;
	object->name.first = scan->first;
	object->name.codec = flow->options->codec;
	object->created_us = flow->created_us;
	object->has_prev = shard->has_last;
	object->prev = shard->last;
	object->first_time_us = view->stream_time_us;
	object->first_arrival_us = view->arrival_us;
	shard->since_us = clock_monotonic_us();
}

/* Whether the run's frame can stand in the object as it is. */
static bool is_copied(const struct flow *flow, const struct scan *scan)
{
	return flow->options->codec == PAST_ZSTD && scan->run->codec == LOG_ZSTD && scan->skip == 0;
}

static enum rc take_payload(
	struct flow *flow, struct shard *shard, struct scan *scan, struct fault *fault)
{
	struct log_run_view *run = scan->run;
	if (is_copied(flow, scan)) {
		enum rc rc = shard_flush(flow, shard, fault);
		return rc == RC_OK ? stage_append(flow, shard, run->stored, fault) : rc;
	}
	enum rc rc = log_run_inflate(hub_reader_log(flow->reader), run, fault);
	if (rc == RC_OK)
		rc = feed(flow, shard,
			slice_of(run->raw.at + scan->skip, run->raw.len - scan->skip), fault);
	if (rc == RC_OK)
		rc = bound_gathered(flow, fault);
	return rc;
}

enum rc shard_take(struct flow *flow, struct shard *shard, const struct log_view *view,
	struct log_run_view *run, struct fault *fault)
{
	struct past_object *object = &shard->object;
	struct scan scan = {.flow = flow, .run = run, .tables = &object->tables};
	enum rc rc = scan_run(&scan, shard, fault);
	if (rc != RC_OK)
		return rc;
	if (object->count == 0)
		begin_object(flow, shard, &scan, view);
	rc = take_payload(flow, shard, &scan, fault);
	if (rc != RC_OK)
		return rc;
	object->last = run->last_ordinal;
	object->count += scan.count;
	object->bytes += run->raw_len - scan.skip;
	object->last_time_us = view->stream_time_us;
	object->last_arrival_us = view->arrival_us;
	return RC_OK;
}

/* ---- ends of an object ---- */

static void count_object(struct flow *flow, const struct past_object *object)
{
	struct stage *stage = flow->options->stage;
	char key[PAST_KEY_MAX];
	past_name_key(&object->name, key);
	stage_add(stage, STAGE_EVENTS, object->count);
	stage_add(stage, STAGE_BYTES, object->stored);
	stage_add(stage, STAGE_BATCHES, 1);
	stage_set(stage, STAGE_STREAM_TIME, (uint64_t)object->last_time_us);
	stage_place(stage, "%s", key);
	notice(NOTICE_ARCHIVE_PUT,
		FIELDS(field_text("key", key), field_u64("events", object->count),
			field_u64("bytes", object->bytes), field_u64("stored", object->stored)));
}

enum rc shard_publish(
	struct flow *flow, struct shard *shard, uint64_t complete, struct fault *fault)
{
	struct past_object *object = &shard->object;
	enum rc rc = shard_flush(flow, shard, fault);
	if (rc != RC_OK)
		return rc;
	object->stored = store_stage_size(shard->stage);
	object->complete = complete;
	do
		rc = past_publish(flow->store, shard->stage, object, fault);
	while (rc != RC_OK && rc != RC_EXISTS && !store_stage_is_lost(shard->stage) &&
		control_try_again(flow->control, rc, fault));
	if (rc != RC_OK)
		return rc;
	crash_point(CRASH_ARCHIVE_LINK);
	control_progress(flow->control);
	count_object(flow, object);
	shard->has_last = true;
	shard->last = object->last;
	shard_drop(flow, shard);
	return RC_OK;
}

void shard_drop(struct flow *flow, struct shard *shard)
{
	store_stage_close(shard->stage);
	shard->stage = NULL;
	past_object_release(&shard->object);
	shard->object = (struct past_object){.count = 0};
	forget_gathered(flow, shard);
}
