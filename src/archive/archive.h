/* The role archive: a captured stream, kept for good as compressed objects in a store.
 *
 * The archive is its own checkpoint: names and metadata of its objects say how far it is
 * (docs/formats/object.md). So it may be killed anywhere and started again, also twice at the same
 * time or with another format: every event is archived once, in order, or the role fails by name.
 *
 * One thread (THREAD_ROLE) reads the stream and has one open object for each shard: frames that the
 * stream compressed are copied, plain runs are gathered and compressed. An object is published when
 * it is large or old enough, when its hour is over, when the stream is full and waits for it, and
 * at the end.
 *
 * Threads: the functions belong to whoever started it (main); archive_failed: any. */
#ifndef ARCHIVE_ARCHIVE_H
#define ARCHIVE_ARCHIVE_H

#include "hub/hub.h"
#include "past/past.h"

struct stage;

struct archive_options {
	struct hub *hub;       /* stays open until archive_join; is told what may be dropped */
	const char *folder;    /* of the stream: hub_folder; copied, like the other texts */
	const char *stream;    /* its name */
	const char *path;      /* of the store's folder; made when missing */
	enum past_codec codec; /* of the objects */
	int level;             /* 1 to 12, for what is compressed here */
	uint64_t object_size;  /* stored bytes at which an object is published, */
	int64_t object_age_us; /* or how long its first event has waited in it */
	struct stage *stage;   /* what it counts into; outlives it */
};

struct archive;

/* Opens the store and starts the thread. Whether the archive fits the stream shows in the thread:
 * archive_failed. */
MUST_USE enum rc archive_start(
	const struct archive_options *options, struct archive **ret_archive, struct fault *fault);

/* Ends once everything below `until` is archived. What cannot be written now is tried on, until
 * archive_stop. */
void archive_drain(struct archive *archive, uint64_t until);

/* Ends soon: publishes what it has read. What cannot be written now stays in the stream for the
 * next start. */
void archive_stop(struct archive *archive);

/* RC_OK while it runs and after a good end, else why it has ended. */
enum rc archive_failed(struct archive *archive, struct fault *fault);

/* Waits for its end, frees it, and answers as archive_failed: besides failures, what kept it from
 * publishing when it was stopped (class RC_RETRY). Accepts NULL. */
enum rc archive_join(struct archive *archive, struct fault *fault);

#endif
