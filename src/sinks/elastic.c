/* Elasticsearch and OpenSearch: documents by POST /_bulk; see sink.h and elastic.h.
 *
 * Invariants:
 *  1. The ordinal is the document's external version, for deletes too: what was sent before is
 *     answered with a version conflict, which counts as done.
 *  2. A key always takes the same lane, and a lane has one request in flight: events of a key are
 *     sent in order. A lane that met trouble sends nothing more in this round.
 *  3. An answer counts only if it is whole and fits the request; otherwise the request is sent
 *     again.
 *
 * A request that is refused for its size, or for something in it, is cut in halves until the one
 * document is found that is to blame.
 *
 * Memory: besides the batch, the bodies of its requests, which are about as large. */
#include <assert.h>
#include <stdio.h>

#include "base/config.h"
#include "base/mem.h"
#include "sinks/elastic.h"

enum {
	BODY_MAX = INT32_MAX,
	ANSWER_MAX = 64 << 20,
	LANES_MAX = 16,
	CONNECT_TIMEOUT_US = 10000000,
};

struct lane {
	size_t at, end;   /* in elastic.order: what is to be sent */
	size_t sent;      /* how many of them are in flight */
	size_t count_max; /* items of one request, lowered by refusals */
	struct buf body;
	bool stopped; /* for this round */
};

struct elastic {
	struct elastic_peer peer;
	struct elastic_bulk bulk;
	size_t lane_count, batch_count, batch_size;
	struct lane lanes[LANES_MAX];
	size_t *order; /* indexes of items, lane by lane, each in order of ordinals */
	size_t order_cap;
};

static const char bulk_path[] = "/_bulk?filter_path=items.*._id,items.*.status,items.*.error";

/* ---- lifetime ---- */

static void close_elastic(void *target)
{
	struct elastic *elastic = target;
	if (!elastic)
		return;
	net_client_free(elastic->peer.client);
	elastic_bulk_release(&elastic->bulk);
	for (size_t i = 0; i < LANES_MAX; i++)
		buf_release(&elastic->lanes[i].body);
	buf_release(&elastic->peer.path);
	buf_release(&elastic->peer.body);
	mem_free(elastic->order);
	mem_free(elastic->peer.url);
	mem_free(elastic);
}

static enum rc open_client(
	struct elastic *elastic, const struct settings *settings, struct fault *fault)
{
	int64_t timeout_us = settings_number(settings, SINK_SET_TIMEOUT);
	struct net_client_options options = {
		.url = elastic->peer.url,
		.user = settings_text(settings, SINK_SET_USER),
		.password = settings_text(settings, SINK_SET_PASSWORD),
		.tls_ca = settings_text(settings, SINK_SET_TLS_CA),
		.connect_timeout_us =
			timeout_us < CONNECT_TIMEOUT_US ? timeout_us : CONNECT_TIMEOUT_US,
		.timeout_us = timeout_us,
		.answer_max = ANSWER_MAX,
		.lanes = (unsigned)elastic->lane_count,
	};
	return net_client_new(&options, &elastic->peer.client, fault);
}

static enum rc open_elastic(const struct sink_place *place, void **ret_target, struct fault *fault)
{
	const struct settings *settings = place->settings;
	struct elastic *elastic = mem_new(1, sizeof *elastic);
	elastic->peer.url = mem_text(settings_text(settings, SINK_SET_URL));
	elastic->peer.stream = *place->stream;
	elastic->lane_count = (size_t)settings_number(settings, SINK_SET_LANES);
	elastic->batch_count = (size_t)settings_number(settings, SINK_SET_BATCH_COUNT);
	elastic->batch_size = (size_t)settings_number(settings, SINK_SET_BATCH_SIZE);
	elastic->peer.path = elastic->peer.body = buf_of(1 << 20);
	assert(elastic->lane_count <= LANES_MAX);
	for (size_t i = 0; i < LANES_MAX; i++) {
		elastic->lanes[i].body = buf_of(BODY_MAX);
		elastic->lanes[i].count_max = elastic->batch_count;
	}
	enum rc rc = elastic_bulk_init(&elastic->bulk, place, &elastic->peer, fault);
	if (rc == RC_OK)
		rc = open_client(elastic, settings, fault);
	if (rc != RC_OK)
		close_elastic(elastic);
	else
		*ret_target = elastic;
	return rc;
}

static const char *where(const void *target)
{
	return ((const struct elastic *)target)->peer.url;
}

static void start_over(const void *target, struct buf *out)
{
	const struct elastic *elastic = target;
	buf_format(out,
		"delete the indexes of the sink, and its checkpoint 'sink-%s' in the stream's "
		"folder",
		elastic->bulk.sink);
}

static enum rc load(void *target, uint64_t *ret_next, struct fault *fault)
{
	(void)target;
	*ret_next = 0;
	return fault_set(fault, RC_NOT_FOUND, "the hub keeps the checkpoint");
}

static enum rc begin(void *target, struct fault *fault)
{
	(void)target;
	(void)fault;
	return RC_OK;
}

static void rollback(void *target)
{
	(void)target;
}

static enum rc commit(void *target, uint64_t next, struct fault *fault)
{
	(void)target;
	(void)next;
	(void)fault;
	return RC_OK; /* the answer was the commit */
}

/* ---- lanes ---- */

/* Spreads what is to be tried over the lanes, by the hash of its key. */
static void spread(struct elastic *elastic, const struct sink_round *round)
{
	if (elastic->order_cap < round->count) {
		elastic->order = mem_resize(elastic->order, round->count * sizeof(size_t));
		elastic->order_cap = round->count;
	}
	size_t filled = 0;
	for (size_t l = 0; l < elastic->lane_count; l++) {
		struct lane *lane = &elastic->lanes[l];
		lane->at = filled;
		lane->stopped = false;
		for (size_t i = 0; i < round->count; i++) {
			if (round->items[i].outcome == SINK_RETRY &&
				round->items[i].hash % elastic->lane_count == l)
				elastic->order[filled++] = i;
		}
		lane->end = filled;
	}
}

/* The body of the lane's next request. */
static enum rc fill(struct elastic *elastic, struct lane *lane, const struct sink_round *round,
	struct fault *fault)
{
	buf_shrink(&lane->body, elastic->batch_size);
	lane->sent = 0;
	while (lane->at + lane->sent < lane->end && lane->sent < lane->count_max &&
		(lane->sent == 0 || lane->body.len < elastic->batch_size)) {
		const struct sink_item *item = &round->items[elastic->order[lane->at + lane->sent]];
		enum rc rc = elastic_encode(&elastic->bulk, item, &lane->body, fault);
		if (rc != RC_OK)
			return rc;
		lane->sent++;
	}
	return RC_OK;
}

static void stop_lane(struct lane *lane, struct sink_round *round, const struct fault *why,
	int64_t retry_after_us)
{
	lane->stopped = true;
	if (round->why.rc == RC_OK)
		round->why = *why;
	if (retry_after_us > round->retry_after_us)
		round->retry_after_us = retry_after_us;
}

/* The request was refused as a whole for what is in it: smaller ones, down to one document. */
static void split(struct elastic *elastic, struct lane *lane, struct sink_round *round,
	const struct fault *why)
{
	if (lane->sent > 1) {
		lane->count_max = lane->sent / 2;
		return;
	}
	sink_refuse(&round->items[elastic->order[lane->at]], "%s (a request of %zu bytes)",
		why->text, lane->body.len);
	lane->at++;
}

/* What came through may be a sign that larger requests go through too. */
static void grow(const struct elastic *elastic, struct lane *lane)
{
	if (lane->count_max < elastic->batch_count)
		lane->count_max += lane->count_max / 4 + 1;
}

static enum rc take_answer(struct elastic *elastic, struct lane *lane, const struct net_call *call,
	struct sink_round *round, struct fault *fault)
{
	struct fault why;
	bool is_split = call->rc == RC_LIMIT;
	enum rc rc = call->rc;
	if (rc == RC_STOPPED)
		return fault_set(fault, RC_STOPPED, "asked to stop");
	if (rc != RC_OK)
		why = call->fault;
	else if (call->status == 200)
		rc = elastic_read_bulk(buf_as_slice(&call->answer), round->items,
			elastic->order + lane->at, lane->sent, &why);
	else
		rc = elastic_refusal(elastic->peer.url, call, &is_split, &why);
	if (rc == RC_CONFIG) {
		if (fault)
			*fault = why;
		return RC_CONFIG;
	}
	if (is_split) {
		split(elastic, lane, round, &why);
	} else if (rc != RC_OK) {
		stop_lane(lane, round, &why, call->retry_after_us);
	} else {
		lane->at += lane->sent;
		grow(elastic, lane);
	}
	return RC_OK;
}

/* One request of each lane that has something to send, all at once. */
static enum rc send_wave(
	struct elastic *elastic, struct sink_round *round, bool *ret_sent, struct fault *fault)
{
	struct net_call calls[LANES_MAX];
	struct lane *of_call[LANES_MAX];
	size_t count = 0;
	for (size_t l = 0; l < elastic->lane_count; l++) {
		struct lane *lane = &elastic->lanes[l];
		if (lane->stopped || lane->at == lane->end)
			continue;
		enum rc rc = fill(elastic, lane, round, fault);
		if (rc != RC_OK)
			return rc;
		of_call[count] = lane;
		calls[count++] = (struct net_call){
			.method = "POST",
			.path = bulk_path,
			.content_type = "application/x-ndjson",
			.body = buf_as_slice(&lane->body),
			.answer = buf_of(ANSWER_MAX),
		};
	}
	*ret_sent = count > 0;
	if (count == 0)
		return RC_OK;
	net_client_run(elastic->peer.client, calls, count, round->stop);
	enum rc rc = RC_OK;
	for (size_t i = 0; i < count; i++) {
		if (rc == RC_OK)
			rc = take_answer(elastic, of_call[i], &calls[i], round, fault);
		buf_release(&calls[i].answer);
	}
	return rc;
}

static enum rc apply(void *target, struct sink_round *round, struct fault *fault)
{
	struct elastic *elastic = target;
	bool sent = true;
	elastic->peer.round = round;
	spread(elastic, round);
	while (sent) {
		enum rc rc = send_wave(elastic, round, &sent, fault);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

/* ---- control records ---- */

struct truncation {
	struct elastic *elastic;
	uint64_t ordinal;
};

static enum rc truncate_place(void *context, const char *index, struct fault *fault)
{
	const struct truncation *truncation = context;
	struct elastic *elastic = truncation->elastic;
	return elastic_truncate(
		&elastic->peer, index, elastic->bulk.field, truncation->ordinal, fault);
}

static enum rc refuse_truncate(
	const struct elastic_bulk *bulk, const struct event_view *control, struct fault *fault)
{
	(void)fault_set(fault, RC_CONFIG,
		"event %llu truncates '%.*s.%.*s', but the documents do not carry the ordinals by "
		"which the old ones are known",
		(unsigned long long)control->ordinal, SLICE_ARGS(control->database),
		SLICE_ARGS(control->table.len > 0 ? control->table : SLICE("*")));
	fault_hint(fault,
		"empty the index by hand, then name a field in 'sinks.%s.ordinal_field' and start "
		"again",
		bulk->sink);
	return RC_CONFIG;
}

static enum rc truncate_elastic(void *target, const struct event_view *control,
	struct sink_round *round, struct fault *fault)
{
	struct elastic *elastic = target;
	struct elastic_bulk *bulk = &elastic->bulk;
	struct truncation truncation = {elastic, control->ordinal};
	elastic->peer.round = round;
	buf_reset(&bulk->database);
	buf_reset(&bulk->table);
	if (event_unescape(control->database, &bulk->database) != RC_OK ||
		event_unescape(control->table, &bulk->table) != RC_OK)
		return fault_set(fault, RC_CORRUPT, "event %llu: a name is not readable",
			(unsigned long long)control->ordinal);
	if (!bulk->field[0])
		return refuse_truncate(bulk, control, fault);
	struct slice database = buf_as_slice(&bulk->database);
	struct slice table = buf_as_slice(&bulk->table);
	if (table.len == 0)
		return letters_places(bulk->letters, database, truncate_place, &truncation, fault);
	enum rc rc = elastic_index_name(bulk, database, table, fault);
	if (rc == RC_OK) /* never another table's documents, nor another stream's */
		rc = elastic_claim(bulk, database, table, false, fault);
	if (rc == RC_OK)
		rc = truncate_place(&truncation, buf_cstring(&bulk->name), fault);
	return rc == RC_NOT_FOUND ? RC_OK : rc;
}

/* Mappings are the target's own business. */
static enum rc schema(void *target, const struct event_view *control, struct fault *fault)
{
	(void)target;
	(void)control;
	(void)fault;
	return RC_OK;
}

const struct sink_ops sink_elastic = {
	.keeps_checkpoint = false,
	.open = open_elastic,
	.close = close_elastic,
	.where = where,
	.start_over = start_over,
	.load = load,
	.begin = begin,
	.rollback = rollback,
	.apply = apply,
	.truncate = truncate_elastic,
	.schema = schema,
	.commit = commit,
};
