/* The inside of connections, shared by the files of this room.
 *
 * Thread: the link's owner; the functions that take no link are pure. */
#ifndef MYSQL_LINK_H
#define MYSQL_LINK_H

#include "mysql/mysql.h"

enum { LINK_ACCOUNT_MAX = 400, NO_BINARY_LOGGING = 1381 };

/* What a number of the server or of the client library means. Unknown numbers of the server are
 * RC_REFUSED. */
enum rc link_error_rc(unsigned number, const char *text);

/* The way out for that number, or "". */
const char *link_error_hint(unsigned number, const char *text);

/* Sets a fault from an error of the server: "WHAT: TEXT (error NUMBER)", and its hint; for a
 * missing privilege the hint is the GRANT for `account`. Returns its code. */
enum rc link_error_set(struct fault *fault, const char *what, unsigned number, const char *text,
	const char *account);

/* The account that the server took us for, ready for a GRANT: 'app'@'10.0.%'. Asked once and
 * kept; the bare user where the server does not say. */
const char *link_account(struct link *link);

/* Bytes that the client library has read ahead, the socket and the TLS session (NULL without). */
void link_take_over(struct link *link, int *ret_fd, void **ret_ssl, struct slice *ret_ahead);

/* Sends a command whose answer the caller reads from the socket. */
MUST_USE enum rc link_send(
	struct link *link, unsigned command, struct slice bytes, struct fault *fault);

int64_t link_answer_timeout_us(const struct link *link);

/* mysql_server_binlog_end without the set (server.c). */
MUST_USE enum rc server_place(struct link *link, const struct mysql_server *server,
	char ret_file[EVENT_FILE_MAX], uint64_t *ret_pos, struct fault *fault);

/* Appends an identifier in backquotes. */
void link_quote_name(struct slice name, struct buf *out);

#endif
