/* The inside of the Elasticsearch sink, shared by elastic.c (lanes), elastic_bulk.c (names, ids,
 * encoding), elastic_index.c (what is done with an index as a whole) and elastic_answer.c (what an
 * answer means).
 *
 * Thread: as sink.h. */
#ifndef SINKS_ELASTIC_H
#define SINKS_ELASTIC_H

#include "net/net.h"
#include "sinks/sink.h"

enum {
	ELASTIC_INDEX_MAX = 255, /* bytes of an index name, by Elasticsearch */
	ELASTIC_ID_MAX = 512,    /* bytes of an _id, by Elasticsearch */
	ELASTIC_NOTES = 64,
};

/* The server, and what else a single request needs. */
struct elastic_peer {
	char *url;
	struct net_client *client;
	struct hub_meta stream;
	struct sink_round *round; /* of the call that is under way: stop, Retry-After */
	struct buf path, body;    /* scratch */
};

/* What we know of a table that was met: its index, and how an action on it begins. */
struct elastic_note {
	struct buf raw;    /* database, a zero byte, table: with their escapes */
	struct buf action; /* "_index":"NAME","_id": */
};

/* Names indexes and writes bulk bodies. */
struct elastic_bulk {
	const char *sink; /* for faults */
	char *pattern;    /* of the index name */
	char *field;      /* ,"@ord": as it stands in a document; "" for none */
	struct letters *letters;
	struct elastic_peer *peer; /* to make indexes ours */
	void *locale;              /* locale_t of UTF-8, to lower names */
	struct elastic_note notes[ELASTIC_NOTES];
	struct buf raw, expanded, database, table, name, owner, id; /* scratch */
};

/* RC_CONFIG for a pattern with other placeholders than {db} and {table}. `peer` outlives it. */
MUST_USE enum rc elastic_bulk_init(struct elastic_bulk *bulk, const struct sink_place *place,
	struct elastic_peer *peer, struct fault *fault);
void elastic_bulk_release(struct elastic_bulk *bulk);

/* The index of a table, by names without escapes, into bulk->name. RC_CONFIG when there can be
 * none. */
MUST_USE enum rc elastic_index_name(
	struct elastic_bulk *bulk, struct slice database, struct slice table, struct fault *fault);

/* Makes the index in bulk->name the table's: RC_CONFIG when another table has it, RC_EXISTS another
 * stream. An index that is not there is made, or (make false) is RC_NOT_FOUND. */
MUST_USE enum rc elastic_claim(struct elastic_bulk *bulk, struct slice database, struct slice table,
	bool make, struct fault *fault);

/* The _id of a partition key, appended to `out`. */
void elastic_id(struct slice partition_key, struct buf *out);

/* Appends an item's action, and its document. RC_CONFIG for a table that cannot be delivered: it
 * has no key, or shares its index with another one. */
MUST_USE enum rc elastic_encode(struct elastic_bulk *bulk, const struct sink_item *item,
	struct buf *out, struct fault *fault);

/* Makes sure that an index is there and is this stream's: its mapping carries the stream's name and
 * age in _meta. RC_EXISTS: it is another stream's, whose versions say nothing about ours. One that
 * is not there is made, or (make false) is RC_NOT_FOUND. */
MUST_USE enum rc elastic_adopt(
	struct elastic_peer *peer, const char *index, bool make, struct fault *fault);

/* Deletes the documents of an index whose `field` is below `ordinal`. An index that is not there is
 * none the worse. */
MUST_USE enum rc elastic_truncate(struct elastic_peer *peer, const char *index, const char *field,
	uint64_t ordinal, struct fault *fault);

/* What an item's answer means. ELASTIC_CONFIG: only another configuration mends it. */
enum elastic_verdict {
	ELASTIC_DONE,
	ELASTIC_STALE,
	ELASTIC_RETRY,
	ELASTIC_REFUSED,
	ELASTIC_CONFIG
};
enum elastic_verdict elastic_judge(
	int status, const char *error_type, const char *reason, bool is_delete);

/* Reads the answer to a bulk of the items items[order[0]] .. items[order[count - 1]], and sets
 * their outcomes. RC_THROTTLED: some are left to be tried, `fault` tells of the first; RC_PROTOCOL:
 * the answer makes no sense, nothing was set; RC_CONFIG. */
MUST_USE enum rc elastic_read_bulk(struct slice answer, struct sink_item *items,
	const size_t *order, size_t count, struct fault *fault);

/* The fault of an answer that is not 200: RC_DENIED, RC_CONFIG, RC_THROTTLED. *ret_split: the
 * request was refused for what is in it, and is to be cut in halves. */
enum rc elastic_refusal(
	const char *url, const struct net_call *call, bool *ret_split, struct fault *fault);

/* Reads the answer of a delete by query. RC_THROTTLED with failures in it, RC_PROTOCOL. */
MUST_USE enum rc elastic_read_deleted(
	struct slice answer, uint64_t *ret_deleted, uint64_t *ret_conflicts, struct fault *fault);

#endif
