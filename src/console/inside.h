/* What the files of the room console share.
 *
 * Thread: THREAD_NET, but for the start. */
#ifndef CONSOLE_INSIDE_H
#define CONSOLE_INSIDE_H

#include "base/stage.h"
#include "console/console.h"

/* ---- samples.c: rates and lag ---- */

enum {
	SAMPLES = 61,     /* a second apart: a minute of rates */
	RATE_SAMPLES = 5, /* seconds over which a rate is taken */
	TRAIL = 1024,
};

/* The counters of all stages at one time. */
struct sample {
	int64_t monotonic_us;
	uint64_t events[STAGE_MAX], bytes[STAGE_MAX];
};

/* The stream ended before `next` until `seen_us` (our clock), at the stream time. */
struct trail_point {
	uint64_t next;
	int64_t stream_time_us, seen_us;
};

/* Rings: `count` grows, the newest entry is at (count - 1) modulo the size. */
struct samples {
	struct sample samples[SAMPLES];
	size_t count;
	int64_t first_us;                /* our clock at the first sample */
	struct trail_point trail[TRAIL]; /* `next` strictly grows */
	size_t trail_count;
};

void samples_take(struct samples *samples);

struct rates {
	double events_per_s, bytes_per_s;
};
/* Over the last few seconds. */
struct rates samples_rates(const struct samples *samples, size_t stage);
/* Between one sample and the next, `back` samples before the newest; false when there is none. */
bool samples_rates_back(
	const struct samples *samples, size_t stage, size_t back, struct rates *ret_rates);

/* Events between two ordinals. */
uint64_t samples_events_between(const struct samples *samples, uint64_t next, uint64_t end);

/* How far a stage is behind the stream. Not known for a capture, which is before it, for a stage
 * that is only starting, and without a stage that writes the stream. */
struct lag {
	bool is_known;
	uint64_t events;
	int64_t us; /* how long the first event that it has not finished with has waited, as stream
		       time tells it */
};
struct lag samples_lag(const struct samples *samples, const struct stage *stage);

/* The first stage of kind log; NULL without one. */
const struct stage *stage_of_stream(void);

/* ---- stream.c: what the stream's folder tells ---- */

enum { CONSUMERS_MAX = 64, CONSUMER_NAME_MAX = 129 };

struct consumer {
	char name[CONSUMER_NAME_MAX];
	uint64_t next;
};

struct stream_facts {
	int64_t read_us; /* when; 0: never. They are read again after a second */
	bool is_known;   /* the stream is there */
	uint32_t shards;
	int64_t created_us;
	uint64_t first, next, bytes;
	struct consumer consumers[CONSUMERS_MAX];
	size_t consumer_count;
	char error[FAULT_TEXT_MAX]; /* why something could not be read, or empty */
};

void stream_read(struct stream_facts *facts, const char *folder);

/* ---- process.c ---- */

struct process {
	uint64_t resident_bytes, open_files, most_files;
	double cpu_s, start_s; /* the start: seconds since 1970 */
};

void process_read(struct process *ret_process);

/* ---- the console ---- */

struct console {
	char *version, *stream, *folder, *source, *archive;
	struct console_sink *sinks;
	size_t sink_count;
	struct net_server *server;
	/* THREAD_NET */
	struct samples samples;
	struct stream_facts facts;
};

/* The ordinal that comes next in the stream, from the stage that writes it, else from the folder.
 * False when nobody knows. */
bool console_stream_next(const struct console *console, uint64_t *ret_next);

/* status.c, metrics.c, health.c. The facts are fresh. */
void status_write(const struct console *console, bool history, struct buf *out);
void metrics_write(const struct console *console, struct buf *out);
/* Whether it is well. */
bool health_write(struct buf *out);

#endif
