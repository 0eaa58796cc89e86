/* Batches and the stream that feeds them; see batch.h. */
#include "sinks/batch.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

enum { ARENA_MAX = INT32_MAX, FIRST_ITEMS = 64 };

void batch_init(struct batch *batch, size_t count_max, size_t size_max)
{
	*batch = (struct batch){
		.arena = buf_of(ARENA_MAX), .count_max = count_max, .size_max = size_max};
}

static void forget_reasons(struct sink_item *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		mem_free(items[i].reason);
		items[i].reason = NULL;
	}
}

void batch_release(struct batch *batch)
{
	forget_reasons(batch->items, batch->count);
	mem_free(batch->items);
	buf_release(&batch->arena);
	*batch = (struct batch){0};
}

void batch_reset(struct batch *batch)
{
	forget_reasons(batch->items, batch->count);
	batch->count = 0;
	buf_shrink(&batch->arena, batch->size_max);
}

void batch_retry_all(struct sink_item *items, size_t count)
{
	forget_reasons(items, count);
	for (size_t i = 0; i < count; i++)
		items[i].outcome = SINK_RETRY;
}

void sink_refuse(struct sink_item *item, const char *format, ...)
{
	char reason[LETTER_REASON_MAX];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(reason, sizeof reason, format, args);
	va_end(args);
	mem_free(item->reason);
	item->reason = mem_text(reason);
	item->outcome = SINK_REFUSED;
}

/* Makes a slice of `from` one of its copy at `to`. */
static void move(struct slice *slice, struct slice from, const uint8_t *to)
{
	if (slice->at >= from.at && slice->at <= from.at + from.len)
		slice->at = to + (slice->at - from.at);
}

static void move_view(struct event_view *view, struct slice from, const uint8_t *to)
{
	struct slice *const slices[] = {
		&view->database,
		&view->table,
		&view->ts,
		&view->file,
		&view->gtid,
		&view->key,
		&view->old_key,
		&view->new_key,
		&view->before,
		&view->after,
		&view->ddl,
		&view->columns,
		&view->primary_key,
	};
	for (size_t i = 0; i < sizeof slices / sizeof slices[0]; i++)
		move(slices[i], from, to);
}

/* Room for `len` bytes without moving what is there. */
static bool has_room(struct batch *batch, size_t len)
{
	if (batch->count == 0)
		return true;
	return batch->count < batch->count_max && batch->arena.len + len <= batch->size_max &&
		batch->arena.len + len <= batch->arena.cap;
}

bool batch_add(
	struct batch *batch, struct slice line, struct slice key, const struct event_view *view)
{
	size_t len = line.len + key.len;
	if (!has_room(batch, len))
		return false;
	if (batch->count == 0)
		(void)buf_reserve(&batch->arena, len > batch->size_max ? len : batch->size_max);
	if (batch->count == batch->cap) {
		batch->cap = batch->cap ? batch->cap * 2 : FIRST_ITEMS;
		batch->items = mem_resize(batch->items, batch->cap * sizeof *batch->items);
	}
	uint8_t *at = batch->arena.at + batch->arena.len;
	buf_slice(&batch->arena, line);
	buf_slice(&batch->arena, key);
	assert(batch->arena.rc == RC_OK); /* log_options bound a line far below ARENA_MAX */
	struct sink_item *item = &batch->items[batch->count++];
	*item = (struct sink_item){
		.line = slice_of(at, line.len),
		.key = slice_of(at + line.len, key.len),
		.view = *view,
		.hash = letters_hash(key),
	};
	move_view(&item->view, line, at);
	return true;
}

/* ---- feed ---- */

enum rc feed_open(struct feed *feed, const char *folder, enum hub_from from, uint64_t next,
	struct fault *fault)
{
	struct hub_start start = {.from = from, .ordinal = next};
	*feed = (struct feed){.next = next};
	return hub_reader_open(folder, &start, &feed->reader, fault);
}

void feed_close(struct feed *feed)
{
	hub_reader_close(feed->reader);
	*feed = (struct feed){0};
}

static enum rc next_view(struct feed *feed, int64_t timeout_us, struct fault *fault)
{
	enum rc rc = hub_read(feed->reader, timeout_us, &feed->view, fault);
	if (rc != RC_OK)
		return rc;
	return log_cursor_start(&feed->cursor, hub_reader_log(feed->reader), feed->view, fault);
}

/* All of the view is taken. */
static void leave_view(struct feed *feed)
{
	uint64_t next = feed->view->first_ordinal + feed->view->count;
	if (next > feed->next)
		feed->next = next;
	feed->view = NULL;
}

enum rc feed_peek(struct feed *feed, int64_t timeout_us, const struct log_record **ret_record,
	struct fault *fault)
{
	while (!feed->has_record) {
		enum rc rc = RC_OK;
		if (!feed->view)
			rc = next_view(feed, timeout_us, fault);
		if (rc == RC_OK)
			rc = log_cursor_next(&feed->cursor, &feed->record, fault);
		if (rc == RC_END) {
			leave_view(feed);
			continue;
		}
		if (rc != RC_OK)
			return rc;
		feed->stream_time_us = feed->view->stream_time_us;
		/* the start may lie inside a batch */
		feed->has_record = feed->record.ordinal >= feed->next;
	}
	*ret_record = &feed->record;
	return RC_OK;
}

void feed_take(struct feed *feed)
{
	assert(feed->has_record);
	feed->has_record = false;
	feed->next = feed->record.ordinal + 1;
}
