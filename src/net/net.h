/* HTTP: a server (libh2o: HTTP/1.1 and HTTP/2 on one port) and a client (libcurl).
 *
 * Knows requests and answers, no service's meaning.
 *
 * Threads: the server has one thread (THREAD_NET) on which handlers run: they must not block. A
 * client belongs to the thread that made it. */
#ifndef NET_NET_H
#define NET_NET_H

#include <stdatomic.h>

#include "base/buf.h"

/* ---- server ---- */

struct net_request {
	struct slice method, path,
		query; /* path is normalised and decoded; query without '?', raw */
	struct slice body;
	const void *inside; /* for net_request_header */
};

/* A header's value by its lower-case name; an empty slice when it is absent. */
struct slice net_request_header(const struct net_request *request, const char *name);

struct net_header {
	const char *name, *value; /* the name in lower case */
};

struct net_answer {
	int status;               /* 200 when the handler is called */
	const char *content_type; /* static; "text/plain; charset=utf-8" when the handler is called;
				     NULL: none */
	const struct net_header *headers; /* further ones: static, ended by a NULL name; or NULL */
	struct buf body; /* released by the server; past its maximum the answer is a 500 */
};

struct net_server;

struct net_server_options {
	const char *listen; /* "127.0.0.1:8080", "[::1]:8080", ":8080" (every interface), a host's
			       name; port 0 takes a free one */
	size_t body_max; /* bytes of a request's body at the most; larger ones are answered 413. One
			    that is larger by a MiB is not read on: its sender may see the
			    connection cut before the answer, over HTTP/2 a refused stream */
	void (*handle)(void *context, const struct net_request *request, struct net_answer *answer);
	void (*tick)(void *context); /* called about once a second on the same thread; or NULL */
	void *context;
};

/* Listens and starts the thread. RC_CONFIG for an address that is not one, RC_IO (address in use,
 * ...) with a way out. Dropped is who takes longer than 10 seconds for a request or between two
 * (HTTP/1.1), is silent for 30 (HTTP/2), or takes nothing of its answer for 30. Connections beyond
 * a quarter of the files that the process may open (at most 1024) wait. */
MUST_USE enum rc net_server_start(const struct net_server_options *options,
	struct net_server **ret_server, struct fault *fault);

/* The address it listens on, with the real port: "127.0.0.1:43117". */
const char *net_server_address(const struct net_server *server);

/* Closes the listener and all connections, ends the thread. Not from a handler. Accepts NULL. */
void net_server_stop(struct net_server *server);

/* ---- client ---- */

struct net_client;

struct net_client_options {
	const char *url; /* "http://host:port/base" or https, without a password; a request's path
			    is appended */
	const char *user, *password;            /* basic authentication; NULL or "": none */
	const char *tls_ca;                     /* PEM file; NULL or "": the system's */
	int64_t connect_timeout_us, timeout_us; /* above zero; the second is for all of a call */
	size_t answer_max; /* bytes of an answer's body at the most: RC_LIMIT */
	unsigned lanes;    /* requests that net_client_run has in flight at the most */
};

/* RC_CONFIG for a URL that is not one, or a tls_ca without certificates. Does not connect. */
MUST_USE enum rc net_client_new(const struct net_client_options *options,
	struct net_client **ret_client, struct fault *fault);
void net_client_free(struct net_client *client); /* accepts NULL */

/* A request may reach the peer twice: where a kept connection turns out to be closed it is sent
 * again on a new one. Redirects are not followed; proxies of the environment are not used. */
struct net_call {
	const char *method, *path; /* path starts with '/', already encoded */
	const char *content_type;  /* of the body; NULL without one */
	struct slice body;         /* borrowed until the call is over */
	/* the answer */
	enum rc rc; /* RC_OK: there is an answer with `status`; otherwise RC_UNREACHABLE (also: no
		       connection in time, certificate not trusted, cut in the middle),
		       RC_TIMEOUT, RC_LIMIT, RC_PROTOCOL, RC_STOPPED */
	int status; /* 0 without an answer */
	int64_t retry_after_us; /* of the Retry-After header, at most a day; 0 without */
	struct buf answer;  /* the body, emptied first; give it a maximum with buf_of (the smaller
			       of it and answer_max counts), release it yourself */
	struct fault fault; /* set when rc is not RC_OK */
};

/* Makes all calls, up to `lanes` at once, begun in their order, and returns when all are over. When
 * `stop` (may be NULL) becomes true what is in flight is cut and, with what was not begun, gets
 * RC_STOPPED within about 50 ms. */
void net_client_run(
	struct net_client *client, struct net_call *calls, size_t count, const _Atomic bool *stop);

/* Percent-encodes one path segment or query value (unreserved characters of RFC 3986 stay). */
void net_encode(struct slice text, struct buf *out);

#endif
