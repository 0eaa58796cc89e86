/* Result codes and faults: what went wrong, of which class, and the way out.
 *
 * RC_TABLE is the only list of errors. One row serves the enum, the exit status of the process, the
 * text, and docs/EXIT-CODES.md (generated). The class is decided where the error is born: engines
 * act on it and never on texts. A fault is filled by who knows, at the doors of rooms; rooms return
 * faults, loops report them (once).
 *
 * Thread: any. No allocation on the error path. */
#ifndef BASE_RC_H
#define BASE_RC_H

#include <stdbool.h>
#include <stddef.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((__format__(__printf__, text, first)))

/*        name,      exit status, class, text */
/* clang-format off */
#define RC_TABLE(X) \
	X(OK, 0, FINAL, "success") \
	X(INTERNAL, 1, FATAL, "a bug in millstream: please report it with the message") \
	X(USAGE, 2, FINAL, "the command line is not understood") \
	X(CONFIG, 3, FINAL, "the configuration is not valid") \
	X(LIMIT, 4, FATAL, "a configured limit was reached") \
	X(TRUNCATED, 5, FATAL, "the input ends too early") \
	X(CORRUPT, 6, FATAL, "bytes do not match their checksum or their format") \
	X(IO, 7, FATAL, "the operating system refused to read or write") \
	X(DISK_FULL, 8, RETRY, "no space left on the device") \
	X(LOCKED, 9, FINAL, "another process holds it") \
	X(NOT_FOUND, 10, FINAL, "it does not exist") \
	X(EXISTS, 11, FINAL, "it exists already") \
	X(UNREACHABLE, 12, RETRY, "the peer cannot be reached, or went away") \
	X(TIMEOUT, 13, RETRY, "the peer did not answer in time") \
	X(THROTTLED, 14, RETRY, "the peer asked to slow down") \
	X(DENIED, 15, FINAL, "the peer refused the credentials") \
	X(PRIVILEGE, 16, FINAL, "the database user lacks a privilege") \
	X(UNFIT, 17, FINAL, "the source is not set up for capture (see `millstream check`)") \
	X(PURGED, 18, FINAL, "the source no longer has the position to resume from") \
	X(BEHIND, 19, FINAL, "the source ends before the position to resume from") \
	X(UNSUPPORTED, 20, FATAL, "an event or value that this version does not decode") \
	X(SCHEMA, 21, FATAL, "the columns of a table are not known, or contradict its rows") \
	X(REFUSED, 22, FINAL, "the target refused a document") \
	X(PROTOCOL, 23, FATAL, "the peer's answer makes no sense") \
	X(TRIMMED, 24, FINAL, "the stream no longer holds this position") \
	X(CONFLICT, 25, FATAL, "somebody else wrote where only one writer may be") \
	X(STOPPED, 26, FINAL, "asked to stop") \
	X(END, 27, FINAL, "nothing more to come") \
	X(DIFFERENT, 28, FINAL, "two things that should be equal differ")
/* clang-format on */

enum rc {
#define X(name, status, class, text) RC_##name = status,
	RC_TABLE(X)
#undef X
};

enum rc_class {
	RC_RETRY, /* the same call may succeed later */
	RC_FINAL, /* it will not succeed until somebody changes something */
	RC_FATAL, /* going on could lose or change data */
};

enum { FAULT_TEXT_MAX = 800, FAULT_HINT_MAX = 400 };

struct fault {
	enum rc rc;
	char text[FAULT_TEXT_MAX]; /* what happened and where: one line, lower case, no full stop */
	char hint[FAULT_HINT_MAX]; /* the way out, or empty */
};

/* The name ("DISK_FULL"), the text of the table, and the class. Static strings. */
const char *rc_name(enum rc rc);
const char *rc_text(enum rc rc);
enum rc_class rc_class(enum rc rc);

/* Walks the table for generated documents: false when `index` is past its end. */
bool rc_row(size_t index, enum rc *ret_rc);

/* Fills `fault` (which may be NULL) with a formatted text and an empty hint; returns `rc`, so that
 * one can write `return fault_set(fault, RC_LIMIT, ...)`. */
enum rc fault_set(struct fault *fault, enum rc rc, const char *format, ...) PRINTF_LIKE(3, 4);

/* The same with the text of the current errno appended. ENOSPC, EDQUOT turn RC_IO into
 * RC_DISK_FULL. */
enum rc fault_errno(struct fault *fault, enum rc rc, const char *format, ...) PRINTF_LIKE(3, 4);

/* Sets the way out of a fault that is already set. */
void fault_hint(struct fault *fault, const char *format, ...) PRINTF_LIKE(2, 3);

/* Puts a context in front of the text: "CONTEXT: text". */
void fault_context(struct fault *fault, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
