/* Rates and lag, from the stage table looked at once a second; see inside.h.
 *
 * Lag in time needs care: an idle stream ages without anybody being behind. So the console keeps a
 * trail of how the stream grew. Of the first event that a stage has not finished with it knows two
 * things: its stream time is not before that of the last event finished with, and it came after the
 * moment at which the stream still ended before it. The later of the two counts; while the capture
 * catches up with old changes, the stream time at which the trail passed the event stands in for
 * that moment. */
#include "console/inside.h"

#include "base/clock.h"
#include "hub/hub.h"

const struct stage *stage_of_stream(void)
{
	const struct stage *stage;
	for (size_t i = 0; (stage = stage_at(i)); i++) {
		if (strcmp(stage_kind(stage), "log") == 0)
			return stage;
	}
	return NULL;
}

static void leave_trail(struct samples *samples, const struct stage *stream)
{
	struct trail_point now = {.next = stage_get(stream, STAGE_NEXT_ORDINAL),
		.stream_time_us = (int64_t)stage_get(stream, STAGE_STREAM_TIME),
		.seen_us = clock_wall_us()};
	struct trail_point *last =
		samples->trail_count ? &samples->trail[(samples->trail_count - 1) % TRAIL] : NULL;
	if (last && now.next <= last->next)
		last->seen_us = now.seen_us;
	else
		samples->trail[samples->trail_count++ % TRAIL] = now;
}

void samples_take(struct samples *samples)
{
	struct sample *sample = &samples->samples[samples->count % SAMPLES];
	*sample = (struct sample){.monotonic_us = clock_monotonic_us()};
	const struct stage *stage;
	for (size_t i = 0; (stage = stage_at(i)); i++) {
		sample->events[i] = stage_get(stage, STAGE_EVENTS);
		sample->bytes[i] = stage_get(stage, STAGE_BYTES);
	}
	if (samples->count++ == 0)
		samples->first_us = clock_wall_us();
	const struct stage *stream = stage_of_stream();
	if (stream)
		leave_trail(samples, stream);
}

/* ---- rates ---- */

static double per_second(uint64_t from, uint64_t to, double seconds)
{
	return to > from && seconds > 0 ? (double)(to - from) / seconds : 0;
}

/* Between the samples `back` and `back + span` before the newest. */
static bool rates_between(const struct samples *samples, size_t stage, size_t back, size_t span,
	struct rates *ret_rates)
{
	if (back + span >= samples->count || back + span >= SAMPLES)
		return false;
	const struct sample *to = &samples->samples[(samples->count - 1 - back) % SAMPLES];
	const struct sample *from = &samples->samples[(samples->count - 1 - back - span) % SAMPLES];
	double seconds = (double)(to->monotonic_us - from->monotonic_us) / 1e6;
	ret_rates->events_per_s = per_second(from->events[stage], to->events[stage], seconds);
	ret_rates->bytes_per_s = per_second(from->bytes[stage], to->bytes[stage], seconds);
	return true;
}

struct rates samples_rates(const struct samples *samples, size_t stage)
{
	struct rates rates = {0};
	size_t span = samples->count > RATE_SAMPLES ? RATE_SAMPLES : samples->count - 1;
	if (samples->count > 1)
		(void)rates_between(samples, stage, 0, span, &rates);
	return rates;
}

bool samples_rates_back(
	const struct samples *samples, size_t stage, size_t back, struct rates *ret_rates)
{
	return rates_between(samples, stage, back, 1, ret_rates);
}

/* ---- lag ---- */

/* Where in the trail the stream first ended behind `next`: the number of points before it. */
static size_t find_passing(const struct samples *samples, size_t oldest, uint64_t next)
{
	size_t low = oldest, high = samples->trail_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (samples->trail[middle % TRAIL].next > next)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Not before what the first event at or behind `next` came; 0 when the trail does not reach back.
 */
static int64_t came_after(const struct samples *samples, const struct stage *stream, uint64_t next)
{
	size_t oldest = samples->trail_count > TRAIL ? samples->trail_count - TRAIL : 0;
	size_t passing = find_passing(samples, oldest, next);
	if (passing == oldest)
		return 0;
	int64_t before_us = samples->trail[(passing - 1) % TRAIL].seen_us;
	int64_t passed_us = passing < samples->trail_count
		? samples->trail[passing % TRAIL].stream_time_us
		: (int64_t)stage_get(stream, STAGE_STREAM_TIME);
	return before_us < passed_us ? before_us : passed_us;
}

/* A new epoch of ordinals begins far behind the old one: what was skipped are no events. The end of
 * an epoch is known from the trail; where it is not, its rest is left out. */
uint64_t samples_events_between(const struct samples *samples, uint64_t next, uint64_t end)
{
	if (next >= end)
		return 0;
	if (next >> ORDINAL_EPOCH == end >> ORDINAL_EPOCH)
		return end - next;
	uint64_t count = end & ((UINT64_C(1) << ORDINAL_EPOCH) - 1);
	size_t oldest = samples->trail_count > TRAIL ? samples->trail_count - TRAIL : 0;
	uint64_t epoch_start = (next >> ORDINAL_EPOCH) + 1;
	size_t after = find_passing(samples, oldest, (epoch_start << ORDINAL_EPOCH) - 1);
	uint64_t last = after > oldest ? samples->trail[(after - 1) % TRAIL].next : 0;
	return last > next ? count + (last - next) : count;
}

/* Of an event that was there before the trail begins nothing else is known than that it is not
 * younger than the trail's beginning: what is said of it is the least. */
static int64_t oldest_known(const struct samples *samples)
{
	size_t oldest = samples->trail_count > TRAIL ? samples->trail_count - TRAIL : 0;
	int64_t time_us = samples->trail[oldest % TRAIL].stream_time_us;
	return time_us > 0 && time_us < samples->first_us ? time_us : samples->first_us;
}

struct lag samples_lag(const struct samples *samples, const struct stage *stage)
{
	const struct stage *stream = stage_of_stream();
	if (!stream || strcmp(stage_kind(stage), "capture") == 0)
		return (struct lag){0};
	struct lag lag = {.is_known = true};
	/* the stage first: the stream only grows meanwhile */
	int64_t finished_us = (int64_t)stage_get(stage, STAGE_STREAM_TIME);
	uint64_t next = stage_get(stage, STAGE_NEXT_ORDINAL);
	uint64_t end = stage_get(stream, STAGE_NEXT_ORDINAL);
	if (next == 0 && stage_get(stage, STAGE_STATE) == STAGE_STARTING)
		return (struct lag){0}; /* it has not looked yet */
	if (next >= end)
		return lag;
	lag.events = samples_events_between(samples, next, end);
	int64_t since_us = came_after(samples, stream, next);
	if (finished_us > since_us)
		since_us = finished_us;
	if (since_us == 0)
		since_us = oldest_known(samples);
	int64_t now_us = clock_wall_us();
	if (since_us > 0 && now_us > since_us)
		lag.us = now_us - since_us;
	return lag;
}
