/* What is done with an index as a whole: making it ours, and truncating it; see elastic.h.
 *
 * Whose an index is stands in the _meta of its mapping:
 * {"millstream":{"stream":..,"created_us":..}}. Without it a stream that was made anew would find
 * documents with higher versions than its own ordinals, and every event would count as known
 * already: lost in silence. */
#include <jansson.h>
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "sinks/elastic.h"

enum {
	ANSWER_MAX = 64 << 20,
	TRUNCATE_DOCS = 5000, /* of one delete by query: it must be over before the time-out */
};

/* One request; RC_OK for an answer of whatever status. The answer's body is the caller's to
 * release. */
static enum rc ask(struct elastic_peer *peer, const char *method, struct slice body,
	struct net_call *call, struct fault *fault)
{
	*call = (struct net_call){
		.method = method,
		.path = buf_cstring(&peer->path),
		.content_type = body.len > 0 ? "application/json" : NULL,
		.body = body,
		.answer = buf_of(ANSWER_MAX),
	};
	net_client_run(peer->client, call, 1, peer->round->stop);
	if (call->rc != RC_OK && fault)
		*fault = call->fault;
	return call->rc;
}

/* The fault of an answer that is not 200: nearly all of them are waited for. */
static enum rc refusal(
	const struct elastic_peer *peer, const struct net_call *call, struct fault *fault)
{
	bool unused;
	if (call->retry_after_us > peer->round->retry_after_us)
		peer->round->retry_after_us = call->retry_after_us;
	enum rc rc = elastic_refusal(peer->url, call, &unused, fault);
	return rc == RC_CONFIG ? RC_CONFIG : RC_THROTTLED;
}

static enum rc ask_well(struct elastic_peer *peer, const char *method, struct slice body,
	struct net_call *call, struct fault *fault)
{
	enum rc rc = ask(peer, method, body, call, fault);
	return rc != RC_OK || call->status == 200 ? rc : refusal(peer, call, fault);
}

static void put_path(struct elastic_peer *peer, const char *index, const char *action)
{
	buf_reset(&peer->path);
	buf_u8(&peer->path, '/');
	net_encode(slice_text(index), &peer->path);
	buf_text(&peer->path, action);
}

/* ---- whose it is ---- */

enum owner { OWNER_US, OWNER_NOBODY, OWNER_OTHER };

static enum owner owner_of(const struct elastic_peer *peer, const json_t *meta)
{
	const json_t *mark = json_object_get(meta, "millstream");
	const char *stream = json_string_value(json_object_get(mark, "stream"));
	if (!mark)
		return OWNER_NOBODY;
	return stream && strcmp(stream, peer->stream.name) == 0 &&
			json_integer_value(json_object_get(mark, "created_us")) ==
				peer->stream.created_us
		? OWNER_US
		: OWNER_OTHER;
}

/* {"INDEX":{"mappings":{"_meta":{..}}}}, several where the name is an alias. *ret_meta: the first
 * one's, borrowed, or NULL. */
static enum owner read_owner(const struct elastic_peer *peer, json_t *indexes, json_t **ret_meta)
{
	enum owner owner = OWNER_US;
	const char *name;
	json_t *index;
	*ret_meta = NULL;
	json_object_foreach(indexes, name, index)
	{
		json_t *meta = json_object_get(json_object_get(index, "mappings"), "_meta");
		enum owner one = owner_of(peer, meta);
		if (!*ret_meta)
			*ret_meta = meta;
		if (one > owner)
			owner = one;
	}
	return owner;
}

static json_t *mark_of(const struct elastic_peer *peer)
{
	return json_pack("{s:s, s:I}", "stream", peer->stream.name, "created_us",
		(json_int_t)peer->stream.created_us);
}

/* {"_meta":{.., "millstream":{..}}} into peer->body, with what `meta` (may be NULL) has besides. */
static void put_mark(struct elastic_peer *peer, json_t *meta)
{
	json_t *marked = meta ? json_copy(meta) : json_object();
	(void)json_object_set_new(marked, "millstream", mark_of(peer));
	json_t *mapping = json_pack("{s:o}", "_meta", marked);
	size_t len = json_dumpb(mapping, NULL, 0, JSON_COMPACT);
	uint8_t *at = buf_reserve(&peer->body, len);
	if (at) /* else the body's rc says so */
		peer->body.len += json_dumpb(mapping, (char *)at, len, JSON_COMPACT);
	json_decref(mapping);
}

/* Sends peer->body to peer->path. */
static enum rc put_body(struct elastic_peer *peer, struct fault *fault)
{
	struct net_call call;
	if (peer->body.rc != RC_OK)
		return fault_set(fault, RC_LIMIT, "the _meta of a mapping is too large");
	enum rc rc = ask_well(peer, "PUT", buf_as_slice(&peer->body), &call, fault);
	buf_release(&call.answer);
	return rc;
}

static enum rc mark(struct elastic_peer *peer, const char *index, json_t *meta, struct fault *fault)
{
	put_path(peer, index, "/_mapping");
	buf_reset(&peer->body);
	put_mark(peer, meta);
	return put_body(peer, fault);
}

static enum rc make(struct elastic_peer *peer, const char *index, struct fault *fault)
{
	put_path(peer, index, "");
	buf_reset(&peer->body);
	buf_text(&peer->body, "{\"mappings\":");
	put_mark(peer, NULL);
	buf_u8(&peer->body, '}');
	return put_body(peer, fault);
}

static enum rc refuse_foreign(
	const struct elastic_peer *peer, const char *index, struct fault *fault)
{
	(void)fault_set(fault, RC_EXISTS,
		"index '%s' at %s holds the documents of another stream than this '%s': their "
		"versions have nothing to do with each other",
		index, peer->url, peer->stream.name);
	fault_hint(fault, "delete the index to fill it anew, or name another one by 'index'");
	return RC_EXISTS;
}

/* What the mapping says of an index that is there. */
static enum rc adopt_found(
	struct elastic_peer *peer, const char *index, struct slice answer, struct fault *fault)
{
	json_t *indexes = json_loadb((const char *)answer.at, answer.len, 0, NULL);
	json_t *meta;
	enum rc rc = RC_OK;
	if (json_object_size(indexes) == 0) {
		json_decref(indexes);
		return fault_set(fault, RC_THROTTLED,
			"the answer about the mapping of '%s' makes no sense", index);
	}
	switch (read_owner(peer, indexes, &meta)) {
	case OWNER_US:
		break;
	case OWNER_NOBODY:
		rc = mark(peer, index, meta, fault);
		break;
	case OWNER_OTHER:
		rc = refuse_foreign(peer, index, fault);
		break;
	}
	json_decref(indexes);
	return rc;
}

enum rc elastic_adopt(
	struct elastic_peer *peer, const char *index, bool may_make, struct fault *fault)
{
	struct net_call call;
	put_path(peer, index, "/_mapping");
	enum rc rc = ask(peer, "GET", (struct slice){0}, &call, fault);
	if (rc == RC_OK && call.status == 200)
		rc = adopt_found(peer, index, buf_as_slice(&call.answer), fault);
	else if (rc == RC_OK && call.status != 404)
		rc = refusal(peer, &call, fault);
	else if (rc == RC_OK && may_make)
		rc = make(peer, index, fault);
	else if (rc == RC_OK)
		rc = fault_set(fault, RC_NOT_FOUND, "there is no index '%s'", index);
	buf_release(&call.answer);
	return rc;
}

/* ---- truncates ---- */

static void put_query(struct elastic_peer *peer, const char *field, uint64_t ordinal)
{
	buf_reset(&peer->body);
	buf_text(&peer->body, "{\"query\":{\"range\":{");
	buf_text(&peer->body, field + 1); /* ,"NAME": without its comma */
	buf_text(&peer->body, "{\"lt\":");
	buf_json_u64(&peer->body, ordinal);
	buf_text(&peer->body, "}}}}");
}

/* Deletes some of the documents that are older; *ret_over when there are none left. */
static enum rc delete_some(struct elastic_peer *peer, bool *ret_over, struct fault *fault)
{
	struct net_call call;
	uint64_t deleted = 0, conflicts = 0;
	enum rc rc = ask_well(peer, "POST", buf_as_slice(&peer->body), &call, fault);
	if (rc == RC_OK)
		rc = elastic_read_deleted(buf_as_slice(&call.answer), &deleted, &conflicts, fault);
	buf_release(&call.answer);
	if (rc != RC_OK)
		return rc == RC_PROTOCOL ? RC_THROTTLED : rc;
	*ret_over = deleted == 0 && conflicts == 0;
	if (deleted == 0 && conflicts > 0)
		return fault_set(fault, RC_THROTTLED,
			"somebody else changes documents that a truncate is to delete");
	return RC_OK;
}

/* A search sees only what was refreshed: hence the refresh before, and after each step. */
enum rc elastic_truncate(struct elastic_peer *peer, const char *index, const char *field,
	uint64_t ordinal, struct fault *fault)
{
	struct net_call call;
	bool over = false;
	put_path(peer, index, "/_refresh?ignore_unavailable=true");
	enum rc rc = ask_well(peer, "POST", (struct slice){0}, &call, fault);
	buf_release(&call.answer);
	char action[160];
	(void)snprintf(action, sizeof action,
		"/_delete_by_query?conflicts=proceed&refresh=true&ignore_unavailable=true&max_docs="
		"%d",
		(int)TRUNCATE_DOCS);
	put_path(peer, index, action);
	put_query(peer, field, ordinal);
	while (rc == RC_OK && !over)
		rc = delete_some(peer, &over, fault);
	return rc;
}
