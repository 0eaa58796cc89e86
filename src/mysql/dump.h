/* The inside of the binlog dump: what is asked for (dump_ask.c) and what the server's refusals mean
 * (dump_error.c). Pure functions but for dump_ask. */
#ifndef MYSQL_DUMP_H
#define MYSQL_DUMP_H

#include "mysql/mysql.h"

enum {
	DUMP_GTIDS_MAX = 16 * 1024 * 1024, /* text of a set of GTIDs, and its binary form */
};

/* Looks whether the server has the wanted place at all, prepares the session and sends the dump
 * command. The answer is the caller's to read, from packet number 1 on. */
MUST_USE enum rc dump_ask(struct link *link, const struct mysql_server *server,
	const struct binlog_start *start, struct fault *fault);

/* Appends the binary form of a MySQL set that COM_BINLOG_DUMP_GTID takes; parts with tags make it
 * the form of 8.3 and later. RC_CORRUPT when the text is not a set. */
MUST_USE enum rc dump_gtid_block(struct slice text, struct buf *out);

/* The position from which COM_BINLOG_DUMP is asked: it has 32 bits only; later ones are reached by
 * stepping over what comes before. */
uint32_t dump_first_pos(const struct binlog_start *start);

/* Ways out that several faults share. */
extern const char dump_gap_hint[], dump_behind_hint[];

/* Sets the fault for an error that the server answered to a dump, or ended it with. `account` is
 * for a GRANT. */
enum rc dump_error_set(struct fault *fault, const char *name, unsigned number, struct slice text,
	const char *account);

#endif
