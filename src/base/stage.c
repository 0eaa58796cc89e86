/* Stages of the flow; see stage.h. */
#include "base/stage.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

struct stage {
	char *kind, *name;
	_Atomic uint64_t metrics[STAGE_METRIC_COUNT];
	char text[STAGE_TEXT_MAX], place[STAGE_TEXT_MAX]; /* under `mutex` */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct stage stages[STAGE_MAX];
static _Atomic size_t stage_count;

static const struct {
	const char *name, *help;
	enum { COUNTER, GAUGE } kind;
} rows[STAGE_METRIC_COUNT] = {
#define STAGE_METRIC(name, kind, metric, help) {metric, help, kind},
#include "base/stage.def"
#undef STAGE_METRIC
};

struct stage *stage_new(const char *kind, const char *name)
{
	(void)pthread_mutex_lock(&mutex);
	size_t index = atomic_load(&stage_count);
	assert(index < STAGE_MAX);
	struct stage *stage = &stages[index];
	stage->kind = mem_text(kind);
	stage->name = mem_text(name);
	atomic_store(&stage_count, index + 1);
	(void)pthread_mutex_unlock(&mutex);
	return stage;
}

void stage_add(struct stage *stage, enum stage_metric metric, uint64_t amount)
{
	atomic_fetch_add_explicit(&stage->metrics[metric], amount, memory_order_relaxed);
}

void stage_set(struct stage *stage, enum stage_metric metric, uint64_t value)
{
	atomic_store_explicit(&stage->metrics[metric], value, memory_order_relaxed);
}

uint64_t stage_get(const struct stage *stage, enum stage_metric metric)
{
	return atomic_load_explicit(&stage->metrics[metric], memory_order_relaxed);
}

static void set_text(char *text, const char *format, va_list args)
{
	(void)pthread_mutex_lock(&mutex);
	(void)vsnprintf(text, STAGE_TEXT_MAX, format, args);
	(void)pthread_mutex_unlock(&mutex);
}

void stage_say(struct stage *stage, enum stage_state state, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	set_text(stage->text, format, args);
	va_end(args);
	stage_set(stage, STAGE_STATE, (uint64_t)state);
}

void stage_place(struct stage *stage, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	set_text(stage->place, format, args);
	va_end(args);
}

const struct stage *stage_at(size_t index)
{
	return index < atomic_load(&stage_count) ? &stages[index] : NULL;
}

const char *stage_kind(const struct stage *stage)
{
	return stage->kind;
}

const char *stage_name(const struct stage *stage)
{
	return stage->name;
}

const char *stage_state_name(enum stage_state state)
{
	static const char *const names[] = {"starting", "running", "waiting", "failed", "done"};
	return names[state];
}

void stage_texts(
	const struct stage *stage, char ret_text[STAGE_TEXT_MAX], char ret_place[STAGE_TEXT_MAX])
{
	(void)pthread_mutex_lock(&mutex);
	memcpy(ret_text, stage->text, STAGE_TEXT_MAX);
	memcpy(ret_place, stage->place, STAGE_TEXT_MAX);
	(void)pthread_mutex_unlock(&mutex);
}

const char *stage_metric_name(size_t index)
{
	return index < STAGE_METRIC_COUNT ? rows[index].name : NULL;
}

const char *stage_metric_help(size_t index)
{
	return index < STAGE_METRIC_COUNT ? rows[index].help : NULL;
}

bool stage_metric_is_counter(size_t index)
{
	return rows[index].kind == COUNTER;
}
