/* The door of the role: starting, stopping, and what becomes of an error; see archive.h.
 *
 * Thread: main, but for role_main, which is the role's. */
#include "archive/archive.h"

#include "archive/flow.h"
#include "base/mem.h"
#include "base/notice.h"
#include "base/stage.h"
#include "base/thread.h"

struct archive {
	struct archive_options options;
	char *folder, *stream, *path;
	struct control control;
	struct thread thread;
	struct flow flow; /* the role's own */
	struct {
		pthread_mutex_t mutex;
		enum rc rc;
		struct fault fault;
	} shared;
};

/* ---- the role ---- */

/* A race that is lost at the very end is no failure: the winner has it, or the stream does. */
static bool is_good_end(const struct archive *archive, enum rc rc)
{
	return rc == RC_OK ||
		(rc == RC_EXISTS && atomic_load(&archive->control.mode) == CONTROL_STOP);
}

static void end(struct archive *archive, enum rc rc, const struct fault *fault)
{
	struct stage *stage = archive->options.stage;
	if (is_good_end(archive, rc)) {
		stage_say(stage, STAGE_DONE, "archived to %s", archive->path);
		return;
	}
	(void)pthread_mutex_lock(&archive->shared.mutex);
	archive->shared.rc = rc;
	archive->shared.fault = *fault;
	(void)pthread_mutex_unlock(&archive->shared.mutex);
	stage_say(stage, STAGE_FAILED, "%s", fault->text);
	notice_fault(NOTICE_ARCHIVE_STOPPED, fault, NULL);
}

static void role_main(void *arg)
{
	struct archive *archive = arg;
	thread_assert(THREAD_ROLE);
	struct fault fault = {.rc = RC_OK};
	enum rc rc;
	do {
		rc = flow_run(&archive->flow, &fault);
		flow_drop(&archive->flow);
	} while (rc != RC_OK && control_try_again(&archive->control, rc, &fault));
	end(archive, rc, &fault);
}

/* ---- the door ---- */

static void archive_free(struct archive *archive)
{
	store_close(archive->flow.store);
	pack_free(archive->flow.pack);
	buf_release(&archive->flow.table);
	(void)pthread_mutex_destroy(&archive->shared.mutex);
	mem_free(archive->folder);
	mem_free(archive->stream);
	mem_free(archive->path);
	mem_free(archive);
}

static struct archive *archive_new(const struct archive_options *options)
{
	enum { TABLE_NAME_MAX = 4096 };
	struct archive *archive = mem_new(1, sizeof *archive);
	archive->options = *options;
	archive->options.folder = archive->folder = mem_text(options->folder);
	archive->options.stream = archive->stream = mem_text(options->stream);
	archive->options.path = archive->path = mem_text(options->path);
	archive->control.stage = options->stage;
	archive->control.path = archive->path;
	archive->flow.options = &archive->options;
	archive->flow.control = &archive->control;
	archive->flow.pack = pack_new(options->codec, options->level);
	archive->flow.table = buf_of(TABLE_NAME_MAX);
	(void)pthread_mutex_init(&archive->shared.mutex, NULL);
	return archive;
}

enum rc archive_start(
	const struct archive_options *options, struct archive **ret_archive, struct fault *fault)
{
	if (!past_stream_fits(options->stream)) {
		(void)fault_set(fault, RC_CONFIG, "a stream named '%.200s' cannot be archived",
			options->stream);
		fault_hint(fault, "use 1 to 128 letters, digits, _ . - but not . or ..");
		return RC_CONFIG;
	}
	struct archive *archive = archive_new(options);
	stage_say(options->stage, STAGE_STARTING, "opening %s", options->path);
	enum rc rc = store_open_folder(options->path, &archive->flow.store, fault);
	if (rc == RC_OK)
		rc = thread_start(
			&archive->thread, THREAD_ROLE, "archive", role_main, archive, fault);
	if (rc != RC_OK) {
		stage_say(options->stage, STAGE_FAILED, "cannot open %s", options->path);
		archive_free(archive);
		return rc;
	}
	*ret_archive = archive;
	return RC_OK;
}

void archive_drain(struct archive *archive, uint64_t until)
{
	int run = CONTROL_RUN; /* a stop is stronger */
	atomic_store(&archive->control.until, until);
	(void)atomic_compare_exchange_strong(&archive->control.mode, &run, CONTROL_DRAIN);
}

void archive_stop(struct archive *archive)
{
	atomic_store(&archive->control.mode, CONTROL_STOP);
}

enum rc archive_failed(struct archive *archive, struct fault *fault)
{
	(void)pthread_mutex_lock(&archive->shared.mutex);
	enum rc rc = archive->shared.rc;
	if (rc != RC_OK && fault)
		*fault = archive->shared.fault;
	(void)pthread_mutex_unlock(&archive->shared.mutex);
	return rc;
}

enum rc archive_join(struct archive *archive, struct fault *fault)
{
	if (!archive)
		return RC_OK;
	thread_join(&archive->thread);
	enum rc rc = archive_failed(archive, fault);
	archive_free(archive);
	return rc;
}
