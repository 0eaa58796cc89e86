/* The inside of the fitness check: check.c has settings and privileges, check_tables.c the tables.
 *
 * Thread: the link's owner. */
#ifndef MYSQL_CHECK_H
#define MYSQL_CHECK_H

#include "mysql/mysql.h"

enum { CHECK_TEXT_MAX = 8192 };

struct checking {
	struct link *link;
	const struct mysql_server *server;
	const char *const *tables;
	size_t table_count;
	void (*each)(void *context, const struct finding *finding);
	void *context;
	bool selects_all;   /* SELECT on *.* */
	bool logs_cascades; /* what foreign keys do is in the binlog */
};

/* Hands a finding out. `mend` may be "". */
void check_say(const struct checking *checking, enum finding_level level, const char *name,
	const char *mend, const char *format, ...) PRINTF_LIKE(5, 6);

/* Whether a table is captured: it matches a pattern and is none of the server's own. */
bool check_matches(const struct checking *checking, struct slice database, struct slice table);

MUST_USE enum rc check_tables(struct checking *checking, struct fault *fault);

#endif
