/* What the role is told from outside, and how it waits: the mode, the back-off, the stage's state.
 */
#ifndef ARCHIVE_CONTROL_H
#define ARCHIVE_CONTROL_H

#include <stdatomic.h>

#include "base/rc.h"
#include "base/stage.h"

enum control_mode { CONTROL_RUN, CONTROL_DRAIN, CONTROL_STOP };

struct control {
	struct stage *stage;
	const char *path; /* of the store, for texts */
	/* set by main, read by the role */
	atomic_int mode; /* enum control_mode */
	_Atomic uint64_t until;
	/* the role's own */
	int64_t pause_us; /* the next one; 0: the first */
	bool is_told;
	enum rc told;
};

/* Whether to go on reading: not stopped, nor drained up to `next`. */
bool control_goes_on(const struct control *control, uint64_t next);

/* After an error of class RC_RETRY, or a lost race (RC_EXISTS): tells of it, waits, and answers
 * whether to try again. False for other errors and when the role was stopped. */
bool control_try_again(struct control *control, enum rc rc, const struct fault *fault);

/* Something was published: what was tried again has succeeded. */
void control_progress(struct control *control);

#endif
