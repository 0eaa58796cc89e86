/* Appends to the durable log alone, for `./dev bench append`.
 *
 *   append FOLDER BATCHES zstd|plain
 *
 * Batches of 500 records of 1 KB that no codec can make smaller. As in the hub, one thread fills
 * and seals them while another one, which has the log, appends and syncs each by itself. The time
 * is that of all of this, from the first record to the last sync. Then everything is read back and
 * compared. Prints one line of JSON: seconds, bytes of payload, bytes on disk. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/queue.h"
#include "base/thread.h"
#include "log/log.h"

enum { RECORD = 1024, RECORDS = 500, POOL = 64 << 20, KEY = 32, SLOTS = 3 };

enum step {
	STEP_FILL,   /* log -> source: an empty batch */
	STEP_APPEND, /* source -> log: a sealed one */
};

struct bench {
	struct log *log;
	struct log_batch *slots[SLOTS];
	struct queue to_source, to_log;
	uint8_t *pool;
	uint64_t batches, next, stored;
	enum rc rc; /* of the thread source */
	struct fault fault;
};

static int complain(const struct fault *fault)
{
	fprintf(stderr, "append: %s\n", fault->text);
	return 1;
}

/* Each record has other bytes: a place in the pool that its ordinal says. */
static const uint8_t *bytes_of(const struct bench *bench, uint64_t ordinal)
{
	return bench->pool + ordinal * 1031 % (POOL - RECORD);
}

static uint8_t *pool_new(void)
{
	uint8_t *pool = mem_new(POOL, 1);
	for (size_t at = 0; at < POOL; at += 256) {
		if (getrandom(pool + at, 256, 0) != 256)
			abort();
	}
	return pool;
}

static enum rc no_head(void *context, struct buf *out, struct fault *fault)
{
	(void)context;
	(void)out;
	(void)fault;
	return RC_OK;
}

static enum rc fill(struct bench *bench, struct log_batch *batch, struct fault *fault)
{
	struct log_stamp stamp = {
		.first_ordinal = bench->next, .count = RECORDS, .stream_time_us = clock_wall_us()};
	struct log_run *run = log_batch_run(batch, 0);
	for (int i = 0; i < RECORDS; i++, bench->next++) {
		char key[KEY];
		int len = snprintf(
			key, sizeof key, "bench.records|%llu", (unsigned long long)bench->next);
		memcpy(log_run_reserve(run, RECORD), bytes_of(bench, bench->next), RECORD);
		log_run_add(run, RECORD, bench->next, slice_of(key, (size_t)len));
	}
	return log_batch_seal(batch, &stamp, fault);
}

static void source_main(void *arg)
{
	struct bench *bench = arg;
	struct queue_op op;
	for (uint64_t i = 0; i < bench->batches && bench->rc == RC_OK; i++) {
		if (!queue_take(&bench->to_source, -1, &op))
			break;
		bench->rc = fill(bench, op.item, &bench->fault);
		op.kind = STEP_APPEND;
		if (bench->rc == RC_OK && !queue_put(&bench->to_log, op))
			break;
	}
	queue_close(&bench->to_log);
}

static enum rc append_all(struct bench *bench, struct fault *fault)
{
	struct queue_op op;
	enum rc rc = RC_OK;
	while (rc == RC_OK && queue_take(&bench->to_log, -1, &op)) {
		struct log_batch *batch = op.item;
		rc = log_append(bench->log, batch, fault);
		if (rc == RC_OK)
			rc = log_sync(bench->log, fault);
		bench->stored += log_batch_stored(batch);
		log_batch_reset(batch);
		op.kind = STEP_FILL;
		(void)queue_put(&bench->to_source, op);
	}
	queue_close(&bench->to_source);
	return rc;
}

static enum rc fill_and_append(
	struct bench *bench, const struct log_batch_options *shape, struct fault *fault)
{
	struct thread source = {0};
	queue_init(&bench->to_source, SLOTS);
	queue_init(&bench->to_log, SLOTS);
	for (int i = 0; i < SLOTS; i++) {
		bench->slots[i] = log_batch_new(shape);
		(void)queue_put(&bench->to_source, (struct queue_op){STEP_FILL, bench->slots[i]});
	}
	enum rc rc = thread_start(&source, THREAD_SOURCE, "source", source_main, bench, fault);
	if (rc == RC_OK)
		rc = append_all(bench, fault);
	thread_join(&source);
	if (rc == RC_OK && bench->rc != RC_OK) {
		rc = bench->rc;
		*fault = bench->fault;
	}
	for (int i = 0; i < SLOTS; i++)
		log_batch_free(bench->slots[i]);
	queue_release(&bench->to_source);
	queue_release(&bench->to_log);
	return rc;
}

static enum rc compare(struct bench *bench, struct log_reader *reader, struct log_view *view,
	uint64_t *next, struct fault *fault)
{
	struct log_cursor cursor;
	struct log_record record;
	enum rc rc = log_cursor_start(&cursor, reader, view, fault);
	while (rc == RC_OK && (rc = log_cursor_next(&cursor, &record, fault)) == RC_OK) {
		bool same = record.ordinal == *next && record.line.len == RECORD &&
			memcmp(record.line.at, bytes_of(bench, *next), RECORD) == 0;
		if (!same)
			return fault_set(fault, RC_DIFFERENT, "record %llu is not what was written",
				(unsigned long long)*next);
		(*next)++;
	}
	return rc == RC_END ? RC_OK : rc;
}

static enum rc read_back(struct bench *bench, const char *folder, struct fault *fault)
{
	struct log_reader *reader = NULL;
	struct log_view *view;
	uint64_t next = 0;
	enum rc rc = log_reader_open(folder, &reader, fault);
	if (rc == RC_OK)
		rc = log_seek_oldest(reader, fault);
	while (rc == RC_OK && (rc = log_read(reader, &view, fault)) == RC_OK)
		rc = compare(bench, reader, view, &next, fault);
	log_reader_close(reader);
	if (rc == RC_END && next != bench->next)
		return fault_set(fault, RC_DIFFERENT, "the log has %llu records, not %llu",
			(unsigned long long)next, (unsigned long long)bench->next);
	return rc == RC_END ? RC_OK : rc;
}

static enum rc run(struct bench *bench, const char *folder, enum log_codec codec, double *seconds,
	struct fault *fault)
{
	struct log_options options = {
		.folder = folder, .segment_size = 256 << 20, .write_head = no_head};
	struct log_batch_options shape = {.shards = 1,
		.codec = codec,
		.level = 1,
		.payload_keep = 2 << 20,
		.payload_max = 64 << 20};
	enum rc rc = log_open(&options, &bench->log, fault);
	if (rc != RC_OK)
		return rc;
	int64_t start = clock_monotonic_us();
	rc = fill_and_append(bench, &shape, fault);
	*seconds = (double)(clock_monotonic_us() - start) / 1e6;
	log_close(bench->log);
	return rc == RC_OK ? read_back(bench, folder, fault) : rc;
}

int main(int count, char **words)
{
	if (count != 4) {
		fprintf(stderr, "usage: append FOLDER BATCHES zstd|plain\n");
		return 2;
	}
	struct bench bench = {.batches = strtoull(words[2], NULL, 10), .pool = pool_new()};
	enum log_codec codec = strcmp(words[3], "zstd") == 0 ? LOG_ZSTD : LOG_PLAIN;
	double seconds = 0;
	struct fault fault;
	thread_assert_off();
	enum rc rc = run(&bench, words[1], codec, &seconds, &fault);
	mem_free(bench.pool);
	if (rc != RC_OK)
		return complain(&fault);
	printf("{\"seconds\":%.6f,\"payload\":%llu,\"stored\":%llu}\n", seconds,
		(unsigned long long)bench.next * RECORD, (unsigned long long)bench.stored);
	return 0;
}
