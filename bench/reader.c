/* Reads a stream as it grows, in a process of its own, for `./dev bench latency` and `start`.
 *
 *   reader FOLDER COUNT
 *
 * Waits for the stream of that folder to be made, then reads it from its start, blocked in the
 * hub's own wait whenever there is nothing more. Notes CLOCK_MONOTONIC when it has a row's event in
 * its hands; control events do not count. After COUNT rows it prints a line for each, "ID
 * NANOSECONDS", ID being the column `id` of the row's key. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "event/event.h"
#include "hub/hub.h"

enum { LOOK_US = 200, PATIENCE_US = 120000000 };

struct arrival {
	uint64_t id;
	int64_t at_ns;
};

struct arrivals {
	struct arrival *list;
	size_t count, wanted;
};

static int64_t now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static enum rc open_reader(const char *folder, struct hub_reader **ret_reader, struct fault *fault)
{
	struct hub_start start = {.from = HUB_OLDEST};
	int64_t end = clock_monotonic_us() + PATIENCE_US;
	enum rc rc;
	while ((rc = hub_reader_open(folder, &start, ret_reader, fault)) == RC_NOT_FOUND &&
		clock_monotonic_us() < end)
		clock_sleep_us(LOOK_US);
	return rc;
}

/* {"id":N} */
static enum rc id_of(const struct event_view *view, uint64_t *ret_id)
{
	static const struct slice before = SLICE_INIT("{\"id\":");
	if (!slice_starts(view->key, before))
		return RC_CORRUPT;
	*ret_id = strtoull((const char *)view->key.at + before.len, NULL, 10);
	return RC_OK;
}

static enum rc take(struct arrivals *arrivals, const struct log_record *record, struct fault *fault)
{
	struct arrival arrival = {.at_ns = now_ns()};
	struct event_view view;
	enum rc rc = event_view_read(record->line, &view);
	if (rc == RC_OK && (view.op == EVENT_SCHEMA || view.op == EVENT_TRUNCATE))
		return RC_OK;
	if (rc == RC_OK)
		rc = id_of(&view, &arrival.id);
	if (rc != RC_OK)
		return fault_set(fault, rc, "record %llu is no event of a row with an id",
			(unsigned long long)record->ordinal);
	arrivals->list[arrivals->count++] = arrival;
	return arrivals->count == arrivals->wanted ? RC_END : RC_OK;
}

/* RC_END: there is no more to read. */
static enum rc read_batch(struct arrivals *arrivals, struct hub_reader *reader, struct fault *fault)
{
	struct log_view *view;
	struct log_cursor cursor;
	struct log_record record;
	enum rc rc = hub_read(reader, PATIENCE_US, &view, fault);
	if (rc == RC_OK)
		rc = log_cursor_start(&cursor, hub_reader_log(reader), view, fault);
	while (rc == RC_OK) {
		rc = log_cursor_next(&cursor, &record, fault);
		if (rc == RC_END)
			return RC_OK;
		if (rc == RC_OK)
			rc = take(arrivals, &record, fault);
	}
	return rc;
}

int main(int count, char **words)
{
	if (count != 3) {
		fprintf(stderr, "usage: reader FOLDER COUNT\n");
		return 2;
	}
	struct arrivals arrivals = {.wanted = strtoull(words[2], NULL, 10)};
	arrivals.list = mem_new(arrivals.wanted + 1, sizeof *arrivals.list);
	struct hub_reader *reader = NULL;
	struct fault fault;
	enum rc rc = open_reader(words[1], &reader, &fault);
	while (rc == RC_OK)
		rc = read_batch(&arrivals, reader, &fault);
	hub_reader_close(reader);
	if (rc != RC_END) {
		fprintf(stderr, "reader: %s: %s\n", rc_name(rc), fault.text);
		return 1;
	}
	for (size_t i = 0; i < arrivals.count; i++)
		printf("%" PRIu64 " %" PRId64 "\n", arrivals.list[i].id, arrivals.list[i].at_ns);
	mem_free(arrivals.list);
	return 0;
}
