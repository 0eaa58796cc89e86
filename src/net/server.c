/* The HTTP server: libh2o's event loop in a thread of its own; see net.h.
 *
 * The types of h2o are in this file alone. h2o reads requests (HTTP/1.1, and HTTP/2 where the
 * connection begins with its preface), gathers bodies and drops who is too slow; a handler gets a
 * whole request and fills a buffer, which is sent without a copy and freed when it is sent.
 *
 * A body that is too large: h2o answers 413 over HTTP/1.1 and closes, which a sender in full flow
 * takes for a cut connection; over HTTP/2 it refuses the stream, which clients take for "try
 * again". So its limit lies a little higher than ours (BODY_SPARE), and what comes in between is
 * read whole and answered 413 here.
 *
 * Invariants:
 *  1. Everything of h2o belongs to the server's thread; stopping is one write to `wake`.
 *  2. Each open connection is in the list `peers`, so that stopping can close it.
 *
 * Ends: net_server_stop; the loop runs on until the last connection is closed. h2o 2.2.5 then
 * forgets to close its epoll descriptor: one for each server that was stopped. */
#include "net/net.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <h2o.h>
#include <h2o/http1.h>
#include <h2o/http2.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "net/listen.h"

/* Variables so that a test can shorten them. */
static uint64_t request_ms = 10000; /* HTTP/1.1 */
static uint64_t idle_ms = 30000;    /* HTTP/2 */

enum {
	TICK_MS = 1000,
	STOP_US = 3000000,
	PEERS_MAX = 1024,
	ANSWER_MAX = 64 << 20,
	BODY_SPARE = 1 << 20,
	ACCEPT_AT_ONCE = 16,
};

/* A connection. */
struct peer {
	struct net_server *server;
	h2o_socket_t *socket;
	struct peer *before, *after;
};

struct net_server {
	/* shared, set before the thread starts */
	struct net_server_options options;
	char address[LISTEN_ADDRESS_MAX];
	int listener_fd;
	int wake, wake_end; /* one eventfd: ours to write, and the thread's, which h2o closes */
	size_t peers_max;
	struct thread thread;
	/* the thread's */
	bool stopping;
	h2o_globalconf_t config;
	h2o_context_t context;
	h2o_accept_ctx_t accept;
	h2o_loop_t *loop;
	h2o_socket_t *listener, *waker;
	h2o_timeout_t second;
	h2o_timeout_entry_t next_tick;
	struct peer *peers;
	_Atomic size_t peer_count;
};

#ifdef __SANITIZE_ADDRESS__
/* h2o keeps freed memory in lists of the thread, and loses them when the thread ends. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:h2o_mem_alloc_recycle\nleak:h2o_multithread_create_queue\n";
}
#endif

/* What h2o calls back with: its handler, and whose it is. */
struct entrance {
	h2o_handler_t super;
	struct net_server *server;
};

/* ---- requests ---- */

static const char *reason_of(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 204:
		return "No Content";
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 413:
		return "Content Too Large";
	case 500:
		return "Internal Server Error";
	case 503:
		return "Service Unavailable";
	default:
		return "Status";
	}
}

static struct slice slice_of_iovec(h2o_iovec_t text)
{
	return slice_of(text.base, text.len);
}

struct slice net_request_header(const struct net_request *request, const char *name)
{
	const h2o_req_t *req = request->inside;
	ssize_t index = h2o_find_header_by_str(&req->headers, name, strlen(name), -1);
	return index < 0 ? (struct slice){0} : slice_of_iovec(req->headers.entries[index].value);
}

static void release_body(void *memory)
{
	buf_release(memory);
}

static void add_headers(h2o_req_t *req, const struct net_answer *answer)
{
	if (answer->content_type)
		h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
			answer->content_type, strlen(answer->content_type));
	for (const struct net_header *header = answer->headers; header && header->name; header++)
		h2o_add_header_by_str(&req->pool, &req->res.headers, header->name,
			strlen(header->name), 1, NULL, header->value, strlen(header->value));
}

/* The body's memory goes to the request's pool, which outlives the sending. */
static void send_answer(h2o_req_t *req, struct net_answer *answer)
{
	static h2o_generator_t all_at_once;
	if (answer->body.rc != RC_OK) {
		buf_release(&answer->body);
		answer->body = buf_of(ANSWER_MAX);
		answer->status = 500;
		answer->content_type = "text/plain; charset=utf-8";
		buf_text(&answer->body, "the answer is too large\n");
	}
	struct buf *body = h2o_mem_alloc_shared(&req->pool, sizeof *body, release_body);
	*body = answer->body;
	req->res.status = answer->status;
	req->res.reason = reason_of(answer->status);
	if (answer->status != 204)
		req->res.content_length = body->len;
	add_headers(req, answer);
	h2o_iovec_t part = {.base = (char *)body->at, .len = body->len};
	bool has_body = body->len > 0 && !h2o_memis(req->method.base, req->method.len, "HEAD", 4);
	h2o_start_response(req, &all_at_once);
	h2o_send(req, &part, has_body, H2O_SEND_STATE_FINAL);
}

static void answer_too_large(const struct net_server *server, struct net_answer *answer)
{
	answer->status = 413;
	buf_format(&answer->body, "a request's body is at most %zu bytes here\n",
		server->options.body_max);
}

static int on_request(h2o_handler_t *handler, h2o_req_t *req)
{
	struct net_server *server = ((struct entrance *)handler)->server;
	struct net_request request = {.method = slice_of_iovec(req->method),
		.path = slice_of_iovec(req->path_normalized),
		.body = slice_of_iovec(req->entity),
		.inside = req};
	if (req->query_at != SIZE_MAX)
		request.query = slice_of(
			req->path.base + req->query_at + 1, req->path.len - req->query_at - 1);
	struct net_answer answer = {.status = 200,
		.content_type = "text/plain; charset=utf-8",
		.body = buf_of(ANSWER_MAX)};
	if (request.body.len > server->options.body_max)
		answer_too_large(server, &answer);
	else
		server->options.handle(server->options.context, &request, &answer);
	send_answer(req, &answer);
	return 0;
}

/* ---- connections ---- */

static void on_accept(h2o_socket_t *listener, const char *error);

static void on_peer_closed(void *data)
{
	struct peer *peer = data;
	struct net_server *server = peer->server;
	if (peer->before)
		peer->before->after = peer->after;
	else
		server->peers = peer->after;
	if (peer->after)
		peer->after->before = peer->before;
	mem_free(peer);
	server->peer_count--;
	if (server->listener && !h2o_socket_is_reading(server->listener))
		h2o_socket_read_start(server->listener, on_accept);
}

static void add_peer(struct net_server *server, h2o_socket_t *socket)
{
	struct peer *peer = mem_new(1, sizeof *peer);
	peer->server = server;
	peer->socket = socket;
	peer->after = server->peers;
	if (server->peers)
		server->peers->before = peer;
	server->peers = peer;
	server->peer_count++;
	socket->on_close.cb = on_peer_closed;
	socket->on_close.data = peer;
	h2o_accept(&server->accept, socket);
}

/* Too many connections, or no descriptor left: the rest waits in the kernel's queue, and the
 * listener is left alone until a connection closes or the next tick. */
static void on_accept(h2o_socket_t *listener, const char *error)
{
	struct net_server *server = listener->data;
	if (error)
		return;
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		if (server->peer_count >= server->peers_max) {
			h2o_socket_read_stop(listener);
			return;
		}
		errno = 0;
		h2o_socket_t *socket = h2o_evloop_socket_accept(listener);
		if (!socket && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS))
			h2o_socket_read_stop(listener);
		if (!socket)
			return;
		add_peer(server, socket);
	}
}

/* ---- the thread ---- */

static void on_tick(h2o_timeout_entry_t *entry)
{
	struct net_server *server = H2O_STRUCT_FROM_MEMBER(struct net_server, next_tick, entry);
	h2o_timeout_link(server->loop, &server->second, entry);
	if (server->peer_count < server->peers_max && !h2o_socket_is_reading(server->listener))
		h2o_socket_read_start(server->listener, on_accept);
	if (server->options.tick)
		server->options.tick(server->options.context);
}

static void on_wake(h2o_socket_t *waker, const char *error)
{
	struct net_server *server = waker->data;
	(void)error;
	server->stopping = true;
	h2o_socket_read_stop(waker);
}

static void set_up(struct net_server *server)
{
	h2o_config_init(&server->config);
	server->config.server_name = h2o_iovec_init(H2O_STRLIT("millstream"));
	server->config.max_request_entity_size = server->options.body_max + BODY_SPARE;
	server->config.http1.req_timeout = request_ms;
	server->config.http2.idle_timeout = idle_ms;
	h2o_hostconf_t *host = h2o_config_register_host(
		&server->config, h2o_iovec_init(H2O_STRLIT("default")), UINT16_MAX);
	h2o_pathconf_t *everything = h2o_config_register_path(host, "/", 0);
	struct entrance *entrance =
		(struct entrance *)h2o_create_handler(everything, sizeof *entrance);
	entrance->super.on_req = on_request;
	entrance->server = server;

	server->loop = h2o_evloop_create();
	h2o_context_init(&server->context, server->loop, &server->config);
	server->accept.ctx = &server->context;
	server->accept.hosts = server->config.hosts;

	server->listener = h2o_evloop_socket_create(
		server->loop, server->listener_fd, H2O_SOCKET_FLAG_DONT_READ);
	server->listener->data = server;
	h2o_socket_read_start(server->listener, on_accept);
	server->waker =
		h2o_evloop_socket_create(server->loop, server->wake_end, H2O_SOCKET_FLAG_DONT_READ);
	server->waker->data = server;
	h2o_socket_read_start(server->waker, on_wake);
	h2o_timeout_init(server->loop, &server->second, TICK_MS);
	server->next_tick.cb = on_tick;
	h2o_timeout_link(server->loop, &server->second, &server->next_tick);
}

/* A connection notices that its socket is shut, in whatever state it is, and closes itself. */
static void close_peers(struct net_server *server)
{
	for (struct peer *peer = server->peers; peer; peer = peer->after)
		(void)shutdown(h2o_socket_get_fd(peer->socket), SHUT_RDWR);
	int64_t until_us = clock_monotonic_us() + STOP_US;
	do
		(void)h2o_evloop_run(server->loop, 100);
	while (server->peer_count > 0 && clock_monotonic_us() < until_us);
}

static void tear_down(struct net_server *server)
{
	h2o_timeout_unlink(&server->next_tick);
	h2o_timeout_dispose(server->loop, &server->second);
	h2o_socket_close(server->listener);
	server->listener = NULL;
	h2o_socket_close(server->waker);
	close_peers(server);
	if (server->peer_count > 0)
		return; /* h2o still refers to it all */
	h2o_context_dispose(&server->context);
	h2o_evloop_destroy(server->loop);
	h2o_config_dispose(&server->config);
}

static void run(void *arg)
{
	struct net_server *server = arg;
	set_up(server);
	while (!server->stopping)
		(void)h2o_evloop_run(server->loop, INT32_MAX);
	tear_down(server);
}

/* ---- door ---- */

/* Others in the process open files too. */
static size_t most_peers(void)
{
	struct rlimit files = {0};
	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur / 4 > PEERS_MAX)
		return PEERS_MAX;
	return files.rlim_cur / 4 > 0 ? files.rlim_cur / 4 : 1;
}

static enum rc make_wake(struct net_server *server, struct fault *fault)
{
	server->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->wake >= 0)
		server->wake_end = fcntl(server->wake, F_DUPFD_CLOEXEC, 0);
	if (server->wake_end < 0)
		return fault_errno(fault, RC_IO, "cannot make an eventfd");
	return RC_OK;
}

static void close_files(const struct net_server *server)
{
	const int files[] = {server->listener_fd, server->wake, server->wake_end};
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		if (files[i] >= 0)
			(void)close(files[i]);
	}
}

enum rc net_server_start(const struct net_server_options *options, struct net_server **ret_server,
	struct fault *fault)
{
	struct net_server *server = mem_new(1, sizeof *server);
	server->options = *options;
	server->peers_max = most_peers();
	server->listener_fd = server->wake = server->wake_end = -1;
	enum rc rc = listen_open(options->listen, &server->listener_fd, server->address, fault);
	if (rc == RC_OK)
		rc = make_wake(server, fault);
	if (rc == RC_OK)
		rc = thread_start(&server->thread, THREAD_NET, "net", run, server, fault);
	if (rc != RC_OK) {
		close_files(server);
		mem_free(server);
		return rc;
	}
	*ret_server = server;
	return RC_OK;
}

const char *net_server_address(const struct net_server *server)
{
	return server->address;
}

void net_server_stop(struct net_server *server)
{
	if (!server)
		return;
	int result = eventfd_write(server->wake, 1);
	assert(result == 0);
	thread_join(&server->thread);
	(void)close(server->wake);
	if (server->peer_count == 0)
		mem_free(server);
}
