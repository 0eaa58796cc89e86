/* Dead letters from outside: listing, replaying, discarding; see sinks.h and docs/DEAD-LETTERS.md.
 *
 * Replaying works beside a running sink, by two locks taken in the order in which the sink takes
 * them: the target's (SQLite), then the letters'. Under the letters' lock a letter is looked at,
 * tried and settled; the sink supersedes letters under the same lock before it sends what is newer.
 * Hence either the replay is over before the newer event is sent, or the letter is seen as
 * superseded and left alone.
 *
 * Thread: any; it has letters and a target of its own. */
#include <assert.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/mem.h"
#include "sinks/batch.h"

enum {
	GROUP_LETTERS = 100,
	LOCK_TRIES = 15, /* each waits for SQL_BUSY_MS */
};

enum rc sinks_dead_list(const char *data, const char *name, const struct dead_filter *filter,
	enum rc (*each)(void *context, const struct dead_letter *letter, struct fault *fault),
	void *context, struct fault *fault)
{
	struct letters *letters;
	enum rc rc = letters_open(data, name, NULL, &letters, fault);
	if (rc != RC_OK)
		return rc;
	rc = letters_each(letters, filter, each, context, fault);
	letters_close(letters);
	return rc;
}

enum rc sinks_dead_discard(const char *data, const char *name, const struct dead_filter *filter,
	uint64_t *ret_count, struct fault *fault)
{
	struct letters *letters;
	enum rc rc = letters_open(data, name, NULL, &letters, fault);
	if (rc != RC_OK)
		return rc;
	rc = letters_discard(letters, filter, ret_count, fault);
	letters_close(letters);
	return rc;
}

struct replay {
	const struct sink_ops *ops;
	struct hub_meta meta;
	struct letters *letters;
	void *target;
	struct batch batch;
	struct buf line; /* of a letter, with its newline */
};

static enum rc gather_letter(void *context, const struct dead_letter *letter, struct fault *fault)
{
	struct replay *replay = context;
	struct event_view view;
	buf_reset(&replay->line);
	buf_slice(&replay->line, letter->line);
	buf_u8(&replay->line, '\n');
	struct slice line = buf_as_slice(&replay->line);
	if (replay->line.rc != RC_OK || event_view_read(line, &view) != RC_OK)
		return fault_set(fault, RC_CORRUPT, "the line of letter %llu is not readable",
			(unsigned long long)letter->ordinal);
	return batch_add(&replay->batch, line, letter->partition_key, &view) ? RC_OK : RC_END;
}

static enum rc settle(struct replay *replay, const struct sink_item *item,
	struct dead_result *result, struct fault *fault)
{
	static const enum dead_state states[] = {
		[SINK_DONE] = DEAD_REPLAYED,
		[SINK_STALE] = DEAD_SUPERSEDED,
		[SINK_REFUSED] = DEAD_WAITING,
	};
	assert(item->outcome != SINK_RETRY);
	result->replayed += item->outcome == SINK_DONE;
	result->superseded += item->outcome == SINK_STALE;
	result->refused += item->outcome == SINK_REFUSED;
	return letters_settle(replay->letters, item->view.ordinal, states[item->outcome],
		slice_text(item->reason ? item->reason : ""), fault);
}

/* With both locks: tries the letters in the batch. Those that could not be tried stay as they are;
 * the first error about them comes back in `fault`, after the others are settled. */
static enum rc try_group(struct replay *replay, struct dead_result *result, struct fault *fault)
{
	struct sink_round round = {
		.items = replay->batch.items, .count = replay->batch.count, .replay = true};
	enum rc rc = replay->ops->apply(replay->target, &round, fault);
	bool left = false;
	for (size_t i = 0; i < replay->batch.count && rc == RC_OK; i++) {
		if (replay->batch.items[i].outcome == SINK_RETRY)
			left = true;
		else
			rc = settle(replay, &replay->batch.items[i], result, fault);
	}
	if (rc != RC_OK || !left)
		return rc;
	*fault = round.why;
	return RC_THROTTLED;
}

/* The target's lock, then the letters'. */
static enum rc lock(struct replay *replay, struct fault *fault)
{
	for (int try = 1;; try++) {
		enum rc rc = replay->ops->begin(replay->target, fault);
		if (rc == RC_OK)
			rc = letters_begin(replay->letters, fault);
		if (rc == RC_OK)
			return RC_OK;
		replay->ops->rollback(replay->target);
		if (rc != RC_TIMEOUT || try == LOCK_TRIES)
			return rc;
	}
}

/* The next letters from filter->from on. *ret_more: there may be more behind them. */
static enum rc replay_group(struct replay *replay, struct dead_filter *filter,
	struct dead_result *result, bool *ret_more, struct fault *fault)
{
	struct dead_result group = {0};
	batch_reset(&replay->batch);
	enum rc rc = lock(replay, fault);
	if (rc != RC_OK)
		return rc;
	rc = letters_each(replay->letters, filter, gather_letter, replay, fault);
	size_t count = replay->batch.count;
	if (rc == RC_OK && count > 0)
		rc = try_group(replay, &group, fault);
	bool keep = rc == RC_OK || rc == RC_THROTTLED;
	struct fault end_fault;
	enum rc end =
		keep ? replay->ops->commit(replay->target, SINK_NO_CHECKPOINT, &end_fault) : RC_OK;
	if (keep && end == RC_OK)
		end = letters_commit(replay->letters, &end_fault);
	replay->ops->rollback(replay->target); /* both do nothing after a commit */
	letters_rollback(replay->letters);
	if (end != RC_OK) {
		*fault = end_fault;
		return end;
	}
	result->replayed += group.replayed;
	result->superseded += group.superseded;
	result->refused += group.refused;
	*ret_more = rc == RC_OK && count > 0 && (filter->limit == 0 || filter->limit > count);
	if (*ret_more) {
		filter->from = replay->batch.items[count - 1].view.ordinal + 1;
		filter->limit -= filter->limit > 0 ? count : 0;
	}
	return rc;
}

static enum rc open_replay(
	struct replay *replay, const struct sink_options *options, struct fault *fault)
{
	enum rc rc = hub_meta_read(options->folder, &replay->meta, fault);
	struct letters *there = NULL;
	if (rc == RC_OK) /* only to see that the file is there: it is not made here */
		rc = letters_open(options->data, options->name, NULL, &there, fault);
	letters_close(there);
	if (rc == RC_OK)
		rc = letters_open(
			options->data, options->name, &replay->meta, &replay->letters, fault);
	if (rc != RC_OK)
		return rc;
	struct sink_place place = {
		.name = options->name,
		.settings = options->settings,
		.data = options->data,
		.stream = &replay->meta,
		.letters = replay->letters,
	};
	return replay->ops->open(&place, &replay->target, fault);
}

enum rc sinks_dead_replay(const struct sink_options *options, const struct dead_filter *filter,
	struct dead_result *ret_result, struct fault *fault)
{
	struct replay replay = {.ops = sink_ops_of(options->settings), .line = buf_of(INT32_MAX)};
	struct dead_filter waiting = *filter;
	struct fault unwanted;
	bool more = true;
	if (!fault)
		fault = &unwanted;
	waiting.states = 1u << DEAD_WAITING;
	*ret_result = (struct dead_result){0};
	batch_init(&replay.batch, GROUP_LETTERS,
		(size_t)settings_number(options->settings, SINK_SET_BATCH_SIZE));
	enum rc rc = open_replay(&replay, options, fault);
	while (rc == RC_OK && more)
		rc = replay_group(&replay, &waiting, ret_result, &more, fault);
	if (replay.target)
		replay.ops->close(replay.target);
	letters_close(replay.letters);
	batch_release(&replay.batch);
	buf_release(&replay.line);
	return rc;
}
