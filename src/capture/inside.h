/* The inside of the role capture, shared by capture.c (life), resume.c (where to begin), follow.c
 * (events), control.c (statements).
 *
 * Thread: source, but for `stop`, `ended` and what capture_start and capture_join do. */
#ifndef CAPTURE_INSIDE_H
#define CAPTURE_INSIDE_H

#include "base/thread.h"
#include "capture/ahead.h"
#include "capture/encode.h"
#include "capture/plans.h"
#include "capture/schemas.h"
#include "capture/writer.h"

/* The transaction (or statement outside of one) at hand: an "event group" of the binlog. */
struct group {
	bool is_open;
	bool has_begun; /* a COMMIT or XID ends it; else its one statement does */
	bool is_xa;
	bool is_ignored; /* known to be incomplete: its rows are stepped over */
	bool is_split;   /* some of its rows are in a committed batch */
	struct place start;
	char gtid[EVENT_GTID_MAX];
	struct event_origin origin; /* points into this struct */
	uint64_t rows;              /* row changes seen, before filters */
	uint64_t resume_row;        /* those below are in the stream already */
	uint64_t captured;          /* row changes of captured tables seen */
	bool has_ddl;               /* a statement of it is in the stream */
};

/* The schema of a table that the stream tells, and since which ordinal. */
struct told {
	uint8_t digest[16];
	uint64_t ordinal;
};

struct capture {
	struct capture_options options;
	struct thread thread;
	atomic_bool stop, ended;
	enum rc rc; /* after `ended`, for capture_join */
	struct fault fault;

	bool is_new; /* the stream had no batch when we started */
	struct mysql_server server;
	struct binlog *binlog; /* NULL: not connected */
	uint64_t received;     /* bytes of this connection that the stage has counted */
	struct writer writer;
	struct plans plans;
	struct schemas schemas;
	struct encoder encoder;
	struct map told; /* database NUL table -> struct told */
	struct group group;

	struct place target;      /* until_end: where to stop; empty file: not known yet */
	struct place incomplete;  /* a group that the server wrote in part only */
	struct place stop_before; /* commit what is complete before this group, then stop with
				     `stop_fault` */
	struct fault stop_fault;
};

/* resume.c: looks at the server and says where to begin. Sets up a new stream's first position and
 * commits it. */
MUST_USE enum rc resume_prepare(struct capture *capture, struct link *link,
	struct binlog_start *ret_start, struct buf *gtids, struct fault *fault);

/* A new epoch of ordinals begins with the next line. */
void resume_epoch(struct capture *capture, const char *reason);

/* follow.c: takes events until something ends it. RC_END: the target is reached. */
MUST_USE enum rc follow(struct capture *capture, struct fault *fault);

/* Whether a fault is the event's own, as against the connection's, the hub's, or an end. */
bool follow_is_about_event(enum rc rc);

/* control.c: a statement that touches tables goes into the stream, as far as they are captured. */
MUST_USE enum rc control_follow(struct capture *capture, const struct binlog_event *event,
	const struct binlog_query *query, const struct ddl *ddl, struct fault *fault);

/* control.c: tells the schema of a table in front of its rows, unless the stream has told it. */
MUST_USE enum rc control_tell_schema(struct capture *capture, const struct binlog_event *event,
	const struct plan *plan, struct fault *fault);

/* control.c: forgets what was told in lines that were not committed. */
void control_abandon(struct capture *capture);

/* control.c: the schemas that the stream told so far. Before the first batch. */
MUST_USE enum rc control_learn(struct capture *capture, struct fault *fault);

#endif
