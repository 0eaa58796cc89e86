/* Result codes and faults; see rc.h. */
#include "base/rc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	enum rc rc;
	enum rc_class class;
	const char *name, *text;
} rows[] = {
#define X(name, status, class, text) {RC_##name, RC_##class, #name, text},
	RC_TABLE(X)
#undef X
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static size_t row_of(enum rc rc)
{
	size_t i = (size_t)rc; /* the table is dense, so that the status is the row */
	return i < ROW_COUNT && rows[i].rc == rc ? i : 1;
}

const char *rc_name(enum rc rc)
{
	return rows[row_of(rc)].name;
}

const char *rc_text(enum rc rc)
{
	return rows[row_of(rc)].text;
}

enum rc_class rc_class(enum rc rc)
{
	return rows[row_of(rc)].class;
}

bool rc_row(size_t index, enum rc *ret_rc)
{
	if (index >= ROW_COUNT)
		return false;
	*ret_rc = rows[index].rc;
	return true;
}

/* Texts end up in log lines: one line each, whatever a peer sent us. */
static void one_line(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = ' ';
	}
}

static void format_text(struct fault *fault, enum rc rc, const char *format, va_list args)
{
	fault->rc = rc;
	fault->hint[0] = 0;
	(void)vsnprintf(fault->text, sizeof fault->text, format, args);
	one_line(fault->text);
}

enum rc fault_set(struct fault *fault, enum rc rc, const char *format, ...)
{
	if (!fault)
		return rc;
	va_list args;
	va_start(args, format);
	format_text(fault, rc, format, args);
	va_end(args);
	return rc;
}

enum rc fault_errno(struct fault *fault, enum rc rc, const char *format, ...)
{
	int number = errno;
	if (rc == RC_IO && (number == ENOSPC || number == EDQUOT))
		rc = RC_DISK_FULL;
	if (!fault)
		return rc;
	va_list args;
	va_start(args, format);
	format_text(fault, rc, format, args);
	va_end(args);
	size_t used = strlen(fault->text);
	char reason[128];
	(void)snprintf(fault->text + used, sizeof fault->text - used, ": %s",
		strerror_r(number, reason, sizeof reason));
	return rc;
}

void fault_hint(struct fault *fault, const char *format, ...)
{
	if (!fault)
		return;
	va_list args;
	va_start(args, format);
	(void)vsnprintf(fault->hint, sizeof fault->hint, format, args);
	va_end(args);
	one_line(fault->hint);
}

void fault_context(struct fault *fault, const char *format, ...)
{
	if (!fault)
		return;
	char old[FAULT_TEXT_MAX];
	memcpy(old, fault->text, sizeof old);
	va_list args;
	va_start(args, format);
	(void)vsnprintf(fault->text, sizeof fault->text, format, args);
	va_end(args);
	size_t used = strlen(fault->text);
	(void)snprintf(fault->text + used, sizeof fault->text - used, ": %s", old);
	one_line(fault->text);
}
