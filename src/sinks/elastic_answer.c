/* What Elasticsearch's and OpenSearch's answers mean; see elastic.h.
 *
 * Only a document that the target will never take as it is may be refused: everything that is not
 * known to be so is tried again, and the stage says what is wrong. Items are matched by their place
 * in the answer, and the _id is compared. */
#include <jansson.h>

#include "base/mem.h"
#include "sinks/elastic.h"

/* Errors of status 400 that are not about the document, but about the cluster or the settings. */
static const char *const waits[] = {
	"cluster_block_exception",
	"index_closed_exception",
	"index_not_found_exception",
	"validation_exception", /* too many shards are open */
	"circuit_breaking_exception",
	"es_rejected_execution_exception",
	"rejected_execution_exception",
	"unavailable_shards_exception",
	"process_cluster_event_timeout_exception",
	"timeout_exception",
	"security_exception",
	"no_shard_available_action_exception",
};

static bool is_one_of(const char *type, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(type, list[i]) == 0)
			return true;
	}
	return false;
}

static bool begins(const char *text, const char *beginning)
{
	return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* An illegal_argument_exception is mostly the document's fault; sometimes it is the name's. */
static enum elastic_verdict judge_argument(const char *reason)
{
	if (begins(reason,
		    "only write ops with an op_type of create are allowed in data streams") ||
		begins(reason, "cannot create index with name ["))
		return ELASTIC_CONFIG;
	return begins(reason, "no write index is defined for alias [") ? ELASTIC_RETRY
								       : ELASTIC_REFUSED;
}

enum elastic_verdict elastic_judge(int status, const char *type, const char *reason, bool is_delete)
{
	if (status == 200 || status == 201)
		return ELASTIC_DONE;
	if (status == 404 && is_delete && !type[0])
		return ELASTIC_DONE; /* it is not there: so be it */
	if (status == 409 && strcmp(type, "version_conflict_engine_exception") == 0)
		return ELASTIC_STALE;
	if (strcmp(type, "invalid_index_name_exception") == 0)
		return ELASTIC_CONFIG;
	if (is_one_of(type, waits, sizeof waits / sizeof waits[0]))
		return ELASTIC_RETRY;
	if (status == 400 && strcmp(type, "illegal_argument_exception") == 0)
		return judge_argument(reason);
	return status == 400 || status == 413 ? ELASTIC_REFUSED : ELASTIC_RETRY;
}

/* ---- items ---- */

struct item_answer {
	const char *id, *type, *reason, *cause; /* "" when absent */
	int status;
};

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	return text ? text : "";
}

/* {"index":{"_id":"..","status":201}}, and {"error":{"type":..,"reason":..,"caused_by":{..}}} in it
 * when it failed. */
static bool read_item(const json_t *element, struct item_answer *answer)
{
	void *action = json_object_iter((json_t *)(uintptr_t)element);
	const json_t *body = action ? json_object_iter_value(action) : NULL;
	const json_t *status = json_object_get(body, "status");
	const json_t *error = json_object_get(body, "error");
	if (!json_is_integer(status))
		return false;
	*answer = (struct item_answer){
		.id = text_of(body, "_id"),
		.type = text_of(error, "type"),
		.reason = text_of(error, "reason"),
		.cause = text_of(json_object_get(error, "caused_by"), "reason"),
		.status = (int)json_integer_value(status),
	};
	return true;
}

static bool has_id(const struct sink_item *item, const char *id, struct buf *scratch)
{
	buf_reset(scratch);
	elastic_id(item->key, scratch);
	return slice_equal(buf_as_slice(scratch), slice_text(id));
}

/* The whole answer is looked at before anything is set. */
static bool fits(
	const json_t *answers, const struct sink_item *items, const size_t *order, size_t count)
{
	bool good = json_is_array(answers) && json_array_size(answers) == count;
	struct buf id = buf_of(1 << 12);
	for (size_t i = 0; i < count && good; i++) {
		struct item_answer answer;
		good = read_item(json_array_get(answers, i), &answer) &&
			has_id(&items[order[i]], answer.id, &id);
	}
	buf_release(&id);
	return good;
}

static enum rc set_outcome(
	struct sink_item *item, const struct item_answer *answer, struct fault *fault)
{
	switch (elastic_judge(
		answer->status, answer->type, answer->reason, item->view.op == EVENT_DELETE)) {
	case ELASTIC_DONE:
		item->outcome = SINK_DONE;
		return RC_OK;
	case ELASTIC_STALE:
		item->outcome = SINK_STALE;
		return RC_OK;
	case ELASTIC_REFUSED:
		sink_refuse(item, "HTTP %d %s: %s%s%s", answer->status, answer->type,
			answer->reason, answer->cause[0] ? ": " : "", answer->cause);
		return RC_OK;
	case ELASTIC_CONFIG:
		return fault_set(fault, RC_CONFIG, "HTTP %d %s: %s", answer->status, answer->type,
			answer->reason);
	case ELASTIC_RETRY:
		break;
	}
	return fault_set(fault, RC_THROTTLED, "event %llu: HTTP %d %s: %s",
		(unsigned long long)item->view.ordinal, answer->status, answer->type,
		answer->reason);
}

enum rc elastic_read_bulk(struct slice text, struct sink_item *items, const size_t *order,
	size_t count, struct fault *fault)
{
	json_t *root = json_loadb((const char *)text.at, text.len, 0, NULL);
	const json_t *answers = json_object_get(root, "items");
	enum rc rc = RC_OK;
	if (!fits(answers, items, order, count)) {
		rc = fault_set(fault, RC_PROTOCOL,
			"the answer to a bulk of %zu items makes no sense: %.*s", count,
			text.len < 200 ? (int)text.len : 200, (const char *)text.at);
		json_decref(root);
		return rc;
	}
	for (size_t i = 0; i < count && rc != RC_CONFIG; i++) {
		struct item_answer answer;
		struct fault why;
		(void)read_item(json_array_get(answers, i), &answer);
		enum rc one = set_outcome(&items[order[i]], &answer, &why);
		if (one == RC_OK || (rc != RC_OK && one != RC_CONFIG))
			continue;
		rc = one;
		*fault = why;
	}
	json_decref(root);
	return rc;
}

/* ---- whole requests ---- */

enum rc elastic_refusal(
	const char *url, const struct net_call *call, bool *ret_split, struct fault *fault)
{
	struct slice text = buf_as_slice(&call->answer);
	json_t *root = json_loadb((const char *)text.at, text.len, 0, NULL);
	const json_t *error = json_object_get(root, "error");
	const char *type = text_of(error, "type"), *reason = text_of(error, "reason");
	enum rc rc = RC_THROTTLED;
	*ret_split = call->status == 413 ||
		(call->status == 400 &&
			elastic_judge(400, type, reason, false) == ELASTIC_REFUSED && type[0]);
	if (elastic_judge(call->status, type, reason, false) == ELASTIC_CONFIG)
		rc = RC_CONFIG;
	else if (call->status == 401 || call->status == 403)
		rc = RC_DENIED;
	(void)fault_set(fault, rc, "%s answers %s %s with HTTP %d %s%s%.*s", url, call->method,
		call->path, call->status, type, type[0] ? ": " : "",
		type[0] ? (int)strlen(reason) : (int)(text.len < 200 ? text.len : 200),
		type[0] ? reason : (const char *)text.at);
	if (rc == RC_DENIED)
		fault_hint(fault, "check 'user', 'password' and the privileges of the sink's user");
	else if (call->status / 100 == 3 || call->status == 404 || call->status == 405 ||
		call->status == 400)
		fault_hint(fault, "is this the address of Elasticsearch or OpenSearch?");
	json_decref(root);
	return rc;
}

enum rc elastic_read_deleted(
	struct slice text, uint64_t *ret_deleted, uint64_t *ret_conflicts, struct fault *fault)
{
	json_t *root = json_loadb((const char *)text.at, text.len, 0, NULL);
	const json_t *deleted = json_object_get(root, "deleted");
	const json_t *conflicts = json_object_get(root, "version_conflicts");
	const json_t *failures = json_object_get(root, "failures");
	enum rc rc = RC_OK;
	if (!json_is_integer(deleted) || !json_is_integer(conflicts)) {
		rc = fault_set(fault, RC_PROTOCOL,
			"the answer to a delete by query makes no sense: %.*s",
			text.len < 200 ? (int)text.len : 200, (const char *)text.at);
	} else if (json_array_size(failures) > 0) {
		rc = fault_set(fault, RC_THROTTLED, "a delete by query failed in part: %.*s",
			text.len < 300 ? (int)text.len : 300, (const char *)text.at);
	} else {
		*ret_deleted = (uint64_t)json_integer_value(deleted);
		*ret_conflicts = (uint64_t)json_integer_value(conflicts);
	}
	json_decref(root);
	return rc;
}
