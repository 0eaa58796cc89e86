/* A target that does what the documents say, and the set-up of the tests that use it.
 *
 * It stands in the place of the Elasticsearch sink (the linker takes ours first). A document with
 * the word "refuse" in it is refused while `refuse` holds; with "busy", it is to be tried again
 * while `busy` counts down; everything else takes effect unless the target has a newer version. A
 * deleted document's version is forgotten at once, as a real target does after a while. */
#ifndef TESTS_SINKS_FAKE_H
#define TESTS_SINKS_FAKE_H

#include <assert.h>

#include "sinks/sink.h"
#include "stream.h"

enum { DOCS_MAX = 64, CALLS_MAX = 400 };

static struct fake {
	pthread_mutex_t mutex;
	struct doc {
		char key[64], text[200];
		uint64_t version;
	} docs[DOCS_MAX];
	size_t doc_count;
	atomic_bool refuse;
	atomic_int busy, away; /* tries of an item, of a whole round, that fail first */
	atomic_int rounds;
	int64_t retry_after_us;
	char calls[CALLS_MAX][100]; /* what took effect, in order: "c shop.ads|1", "t shop.ads" */
	size_t call_count;
} fake = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static inline void note(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	assert(fake.call_count < CALLS_MAX);
	vsnprintf(fake.calls[fake.call_count++], sizeof fake.calls[0], format, args);
	va_end(args);
}

static struct doc *doc_of(struct slice key)
{
	for (size_t i = 0; i < fake.doc_count; i++) {
		if (slice_equal(slice_text(fake.docs[i].key), key))
			return &fake.docs[i];
	}
	return NULL;
}

static inline void drop_doc(struct doc *doc)
{
	*doc = fake.docs[--fake.doc_count];
}

static inline void change(struct sink_item *item)
{
	struct doc *doc = doc_of(item->key);
	if (doc && doc->version >= item->view.ordinal) {
		item->outcome = SINK_STALE;
		return;
	}
	item->outcome = SINK_DONE;
	note("%c %.*s", (char)item->view.op, SLICE_ARGS(item->key));
	if (item->view.op == EVENT_DELETE) {
		if (doc)
			drop_doc(doc);
		return;
	}
	if (!doc) {
		assert(fake.doc_count < DOCS_MAX);
		doc = &fake.docs[fake.doc_count++];
	}
	snprintf(doc->key, sizeof doc->key, "%.*s", SLICE_ARGS(item->key));
	snprintf(doc->text, sizeof doc->text, "%.*s", SLICE_ARGS(item->view.after));
	doc->version = item->view.ordinal;
}

static inline bool says(const struct sink_item *item, const char *word)
{
	return memmem(item->line.at, item->line.len, word, strlen(word)) != NULL;
}

static inline enum rc fake_open(
	const struct sink_place *place, void **ret_target, struct fault *fault)
{
	(void)place;
	(void)fault;
	*ret_target = &fake;
	return RC_OK;
}

static inline void fake_close(void *target)
{
	(void)target;
}

static inline const char *fake_where(const void *target)
{
	(void)target;
	return "fake";
}

static inline void fake_start_over(const void *target, struct buf *out)
{
	(void)target;
	buf_text(out, "forget everything");
}

static inline enum rc fake_load(void *target, uint64_t *ret_next, struct fault *fault)
{
	(void)target;
	(void)ret_next;
	return fault_set(fault, RC_NOT_FOUND, "none");
}

static inline enum rc fake_begin(void *target, struct fault *fault)
{
	(void)target;
	(void)fault;
	return RC_OK;
}

static inline void fake_rollback(void *target)
{
	(void)target;
}

static inline enum rc fake_apply(void *target, struct sink_round *round, struct fault *fault)
{
	(void)target;
	atomic_fetch_add(&fake.rounds, 1);
	if (atomic_load(&fake.away) > 0) {
		atomic_fetch_sub(&fake.away, 1);
		return fault_set(fault, RC_UNREACHABLE, "the fake is away");
	}
	pthread_mutex_lock(&fake.mutex);
	for (size_t i = 0; i < round->count; i++) {
		struct sink_item *item = &round->items[i];
		if (item->outcome != SINK_RETRY)
			continue;
		if (says(item, "refuse") && atomic_load(&fake.refuse)) {
			sink_refuse(item, "the fake does not like it");
		} else if (says(item, "busy") && atomic_load(&fake.busy) > 0) {
			atomic_fetch_sub(&fake.busy, 1);
			(void)fault_set(&round->why, RC_THROTTLED, "the fake is busy");
			round->retry_after_us = fake.retry_after_us;
		} else {
			change(item);
		}
	}
	pthread_mutex_unlock(&fake.mutex);
	return RC_OK;
}

static inline enum rc fake_truncate(void *target, const struct event_view *control,
	struct sink_round *round, struct fault *fault)
{
	(void)target;
	(void)round;
	(void)fault;
	pthread_mutex_lock(&fake.mutex);
	note("t %.*s.%.*s", SLICE_ARGS(control->database), SLICE_ARGS(control->table));
	fake.doc_count = 0;
	pthread_mutex_unlock(&fake.mutex);
	return RC_OK;
}

static inline enum rc fake_schema(
	void *target, const struct event_view *control, struct fault *fault)
{
	(void)target;
	(void)fault;
	note("s %.*s", SLICE_ARGS(control->table));
	return RC_OK;
}

static inline enum rc fake_commit(void *target, uint64_t next, struct fault *fault)
{
	(void)target;
	(void)next;
	(void)fault;
	return RC_OK;
}

const struct sink_ops sink_elastic = {
	.open = fake_open,
	.close = fake_close,
	.where = fake_where,
	.start_over = fake_start_over,
	.load = fake_load,
	.begin = fake_begin,
	.rollback = fake_rollback,
	.apply = fake_apply,
	.truncate = fake_truncate,
	.schema = fake_schema,
	.commit = fake_commit,
};

static inline const char *calls(void)
{
	static char text[CALLS_MAX * 30];
	text[0] = 0;
	for (size_t i = 0; i < fake.call_count; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? "; " : "",
			fake.calls[i]);
	return text;
}

static inline void forget_all(void)
{
	fake.doc_count = fake.call_count = 0;
	fake.retry_after_us = 0;
	fake.refuse = false;
	fake.busy = fake.away = fake.rounds = 0;
}

/* ---- set-up ---- */

static struct stream stream;
static struct config config;
static struct stage *stage;

static inline int set_up(void **state)
{
	char *folder = unit_folder();
	*state = folder;
	forget_all();
	stream_open(&stream, folder, 2);
	sink_config(&config, SETTINGS("type=elasticsearch", "retry_max=20ms"));
	stage = unit_stage("sink:x");
	return 0;
}

static inline int tear_down(void **state)
{
	config_release(&config);
	stream_close(&stream);
	unit_folder_remove(*state);
	return 0;
}

static inline const char *letters_path(void)
{
	static char path[400];
	snprintf(path, sizeof path, "%s/dead-letters/x.db", stream.data);
	return path;
}

#define assert_letters(text) \
	assert_string_equal(sql_ask(letters_path(), \
				    "SELECT group_concat(ordinal || ' ' || state || ' ' ||" \
				    " ifnull(superseded_by, '-'), '; ') FROM letters"), \
		text)

static inline uint64_t saved_checkpoint(void)
{
	uint64_t next = 0;
	assert_rc(hub_checkpoint_load(stream.folder, "sink-x", &next, NULL));
	return next;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
