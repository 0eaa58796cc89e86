#include "unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "net/listen.c"
#include "net/server.c"

/* ---- a service to test with ---- */

enum { BODY_MAX = 100000, BIG = 8 << 20 };

static _Atomic int ticks, thread_role_seen;

static void handle(void *context, const struct net_request *request, struct net_answer *answer)
{
	static const struct net_header headers[] = {
		{"cache-control", "no-store"}, {"x-more", "yes"}, {NULL, NULL}};
	assert_string_equal(context, "context");
	thread_role_seen = (int)thread_role();
	answer->headers = headers;
	if (slice_equal(request->path, SLICE("/empty"))) {
		answer->status = 204;
		answer->content_type = NULL;
		return;
	}
	if (slice_equal(request->path, SLICE("/too-large"))) {
		answer->body = buf_of(3);
		buf_text(&answer->body, "1234");
		return;
	}
	if (slice_equal(request->path, SLICE("/big"))) {
		memset(buf_reserve(&answer->body, BIG), 'x', BIG);
		answer->body.len = BIG;
		return;
	}
	answer->status = slice_equal(request->path, SLICE("/missing")) ? 404 : 200;
	struct slice header = net_request_header(request, "x-test");
	buf_format(&answer->body, "%.*s %.*s?%.*s test=%.*s body=%zu:", SLICE_ARGS(request->method),
		SLICE_ARGS(request->path), SLICE_ARGS(request->query), SLICE_ARGS(header),
		request->body.len);
	if (request->body.len < 100)
		buf_slice(&answer->body, request->body);
}

static void on_second(void *context)
{
	assert_string_equal(context, "context");
	ticks++;
}

static char context_text[] = "context";

static struct net_server *start(void)
{
	struct net_server_options options = {.listen = "127.0.0.1:0",
		.body_max = BODY_MAX,
		.handle = handle,
		.tick = on_second,
		.context = context_text};
	static struct net_server *server; /* static: gcc 12 sees a dangling pointer otherwise */
	struct fault fault;
	assert_rc(net_server_start(&options, &server, &fault));
	return server;
}

/* Standard output of a command in which %s stands for the server's address. */
static const char *shell(const struct net_server *server, const char *format)
{
	static char out[20000];
	char command[1000];
	snprintf(command, sizeof command, format, net_server_address(server),
		net_server_address(server), net_server_address(server));
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	size_t len = fread(out, 1, sizeof out - 1, pipe);
	out[len] = 0;
	pclose(pipe);
	return out;
}

static int dial(const struct net_server *server)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	address.sin_port = htons((uint16_t)atoi(strrchr(net_server_address(server), ':') + 1));
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Waits for bytes: their number, 0 at the end, -1 when nothing comes in time. */
static ssize_t hear(int fd, char *bytes, size_t size, int timeout_ms)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	if (poll(&poller, 1, timeout_ms) <= 0)
		return -1;
	ssize_t got = recv(fd, bytes, size, 0);
	return got < 0 ? 0 : got; /* a reset is an end */
}

/* Whether the server closes the connection within the time. */
static bool is_dropped(int fd, int timeout_ms)
{
	char bytes[4096];
	int64_t until_us = clock_monotonic_us() + timeout_ms * INT64_C(1000);
	while (clock_monotonic_us() < until_us) {
		if (hear(fd, bytes, sizeof bytes, 50) == 0)
			return true;
	}
	return false;
}

/* ---- requests and answers ---- */

static void speaks_http_1_and_2_on_one_port(void **state)
{
	(void)state;
	struct net_server *server = start();
	assert_string_equal(
		shell(server, "curl -s -w ' %%{http_version} %%{content_type}' http://%s/a"),
		"GET /a? test= body=0: 1.1 text/plain; charset=utf-8");
	assert_string_equal(
		shell(server, "curl -s --http2-prior-knowledge -w ' %%{http_version}' http://%s/a"),
		"GET /a? test= body=0: 2");
	assert_string_equal(
		shell(server, "curl -s --http1.0 http://%s/a"), "GET /a? test= body=0:");
	assert_int_equal(thread_role_seen, THREAD_NET);
	net_server_stop(server);
}

static void decodes_paths_and_keeps_queries(void **state)
{
	(void)state;
	struct net_server *server = start();
	assert_string_equal(
		shell(server, "curl -s --path-as-is 'http://%s/a%%20b/./c/../d/?x=%%20&y'"),
		"GET /a b/d/?x=%20&y test= body=0:");
	assert_string_equal(shell(server, "curl -s --path-as-is 'http://%s/../../etc?'"),
		"GET /etc? test= body=0:");
	net_server_stop(server);
}

static void hands_over_bodies_and_headers(void **state)
{
	(void)state;
	struct net_server *server = start();
	assert_string_equal(shell(server, "curl -s -X PUT -H 'X-TEST: one' -d 'hello' http://%s/p"),
		"PUT /p? test=one body=5:hello");
	assert_string_equal(
		shell(server,
			"curl -s --http2-prior-knowledge -H 'X-Test: two' -d 'hello' http://%s/p"),
		"POST /p? test=two body=5:hello");
	assert_string_equal(shell(server,
				    "printf hello | curl -s -H 'Transfer-Encoding: chunked' "
				    "--data-binary @- http://%s/p"),
		"POST /p? test= body=5:hello");
	net_server_stop(server);
}

static void sends_headers_and_statuses(void **state)
{
	(void)state;
	struct net_server *server = start();
	const char *out = shell(server, "curl -s -i http://%s/missing");
	assert_non_null(strstr(out, "HTTP/1.1 404 Not Found\r\n"));
	assert_non_null(strstr(out, "cache-control: no-store\r\n"));
	assert_non_null(strstr(out, "x-more: yes\r\n"));
	assert_non_null(strstr(out, "Server: millstream\r\n"));
	out = shell(server, "curl -s -i http://%s/empty");
	assert_non_null(strstr(out, "HTTP/1.1 204 No Content\r\n"));
	assert_null(strcasestr(out, "content-length"));
	assert_null(strcasestr(out, "transfer-encoding"));
	out = shell(server, "curl -s -i http://%s/too-large");
	assert_non_null(strstr(out, "HTTP/1.1 500 "));
	net_server_stop(server);
}

static void head_has_the_length_and_no_body(void **state)
{
	(void)state;
	struct net_server *server = start();
	int fd = dial(server);
	char bytes[2000] = "";
	say(fd, "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
	ssize_t got = hear(fd, bytes, sizeof bytes - 1, 2000);
	bytes[got < 0 ? 0 : got] = 0;
	assert_non_null(strcasestr(bytes, "\r\ncontent-length: 22\r\n"));
	assert_string_equal(bytes + got - 4, "\r\n\r\n");
	/* nothing of a body comes, and the connection goes on */
	assert_int_equal(hear(fd, bytes, sizeof bytes, 100), -1);
	say(fd, "GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
	got = hear(fd, bytes, sizeof bytes - 1, 2000);
	bytes[got < 0 ? 0 : got] = 0;
	assert_non_null(strstr(bytes, "\r\n\r\nGET /b? test= body=0:"));
	close(fd);
	net_server_stop(server);
}

static void keeps_connections(void **state)
{
	(void)state;
	struct net_server *server = start();
	assert_string_equal(
		shell(server,
			"curl -s -o /dev/null -o /dev/null -o /dev/null -w '%%{num_connects} ' "
			"http://%s/1 http://%s/2 http://%s/3"),
		"1 0 0 ");
	net_server_stop(server);
}

static void sends_large_answers_whole(void **state)
{
	(void)state;
	struct net_server *server = start();
	/* head -c 8388608 /dev/zero | tr '\0' x | sha256sum */
	static const char sum[] =
		"0c77bc0a0795a93612d45256897456d0fcb24f151c44c150d07ecd03f4ef5168  -\n";
	assert_string_equal(shell(server, "curl -s http://%s/big | sha256sum"), sum);
	assert_string_equal(
		shell(server, "curl -s --http2-prior-knowledge http://%s/big | sha256sum"), sum);
	net_server_stop(server);
}

static void refuses_bodies_beyond_the_limit(void **state)
{
	(void)state;
	struct net_server *server = start();
	static const char *const ways[] = {
		"", "--http2-prior-knowledge", "-H 'Transfer-Encoding: chunked'"};
	for (int i = 0; i < 3; i++) {
		char command[300];
		snprintf(command, sizeof command,
			"head -c 100000 /dev/zero | curl -s %s -H Expect: --data-binary @- "
			"-w ' %%%%{http_code}' http://%%s/p",
			ways[i]);
		assert_string_equal(shell(server, command), "POST /p? test= body=100000: 200");
		snprintf(command, sizeof command,
			"head -c 100001 /dev/zero | curl -s %s -H Expect: --data-binary @- "
			"-o /dev/null -w '%%%%{http_code}' http://%%s/p",
			ways[i]);
		assert_string_equal(shell(server, command), "413");
	}
	/* far beyond: it is not read on, and who still sends may miss the answer */
	const char *out = shell(server,
		"head -c 9000000 /dev/zero | curl -s -H Expect: "
		"--data-binary @- -o /dev/null -w '%%{http_code}' "
		"http://%s/p");
	assert_true(strcmp(out, "413") == 0 || strcmp(out, "000") == 0);
	assert_string_equal(shell(server,
				    "head -c 9000000 /dev/zero | curl -s --http2-prior-knowledge "
				    "--data-binary @- -o /dev/null -w '%%{http_code}' http://%s/p"),
		"000");
	assert_string_equal(shell(server, "curl -s http://%s/a"), "GET /a? test= body=0:");
	net_server_stop(server);
}

static void answers_nonsense_with_400_or_an_end(void **state)
{
	(void)state;
	static const char *const nonsense[] = {"\x16\x03\x01\x02\n\r\n\r\n", "hello\r\n\r\n",
		"GET / HTTP/9.9\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
		"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
		"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense instead of frames"};
	struct net_server *server = start();
	for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
		char bytes[2000] = "";
		int fd = dial(server);
		say(fd, nonsense[i]);
		ssize_t got = hear(fd, bytes, sizeof bytes - 1, 3000);
		assert_true(got >= 0);
		assert_null(strstr(bytes, "HTTP/1.1 200"));
		close(fd);
	}
	/* a header without end is not gathered for ever */
	int fd = dial(server);
	char line[1025];
	memset(line, 'a', sizeof line - 1);
	line[sizeof line - 1] = 0;
	say(fd, "GET / HTTP/1.1\r\nX-Long: ");
	int kilobytes = 0;
	while (kilobytes < 1024 && send(fd, line, 1024, MSG_NOSIGNAL) > 0 &&
		hear(fd, line, 1024, 1) < 0)
		kilobytes++;
	assert_true(kilobytes < 1024);
	close(fd);
	assert_string_equal(shell(server, "curl -s http://%s/a"), "GET /a? test= body=0:");
	net_server_stop(server);
}

/* ---- connections ---- */

static void drops_who_is_too_slow(void **state)
{
	(void)state;
	request_ms = idle_ms = 400;
	struct net_server *server = start();
	int silent = dial(server), half = dial(server), body = dial(server), two = dial(server);
	int idle = dial(server), drip = dial(server);
	say(half, "GET /a HTTP/1.1\r\nHos");
	say(body, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
	say(two, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	say(idle, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	say(drip, "GET /a HTTP/1.1\r\nX: ");
	bool drip_dropped = false;
	for (int i = 0; i < 30 && !drip_dropped; i++) {
		drip_dropped = send(drip, "a", 1, MSG_NOSIGNAL) < 0 || is_dropped(drip, 50);
	}
	assert_true(drip_dropped);
	assert_true(is_dropped(silent, 2000));
	assert_true(is_dropped(half, 2000));
	assert_true(is_dropped(body, 2000));
	assert_true(is_dropped(two, 2000));
	assert_true(is_dropped(idle, 2000));
	int fds[] = {silent, half, body, two, idle, drip};
	for (int i = 0; i < 6; i++)
		close(fds[i]);
	net_server_stop(server);
	request_ms = 10000;
	idle_ms = 30000;
}

static size_t count_peers(struct net_server *server)
{
	return server->peer_count;
}

static void drops_who_does_not_take_its_answer(void **state)
{
	(void)state;
	unread_ms = 500;
	struct net_server *server = start();
	int fd = dial(server);
	say(fd, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
	clock_sleep_us(200000);
	assert_int_equal(count_peers(server), 1);
	int64_t until_us = clock_monotonic_us() + 10000000;
	while (count_peers(server) > 0 && clock_monotonic_us() < until_us)
		clock_sleep_us(50000);
	assert_int_equal(count_peers(server), 0);
	close(fd);
	net_server_stop(server);
	unread_ms = 30000;
}

static void serves_many_connections(void **state)
{
	(void)state;
	enum { MANY = 200 };
	struct net_server *server = start();
	int fds[MANY];
	for (int i = 0; i < MANY; i++)
		fds[i] = dial(server);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < MANY; i++)
			say(fds[i], "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
		for (int i = 0; i < MANY; i++) {
			char bytes[1000] = "";
			assert_true(hear(fds[i], bytes, sizeof bytes - 1, 5000) > 0);
			assert_non_null(strstr(bytes, "GET /a? test= body=0:"));
		}
	}
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
	net_server_stop(server);
}

static void connections_beyond_the_limit_wait(void **state)
{
	(void)state;
	struct rlimit old, low;
	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	low.rlim_cur = 32; /* a quarter of it: 8 connections */
	setrlimit(RLIMIT_NOFILE, &low);
	struct net_server *server = start();
	setrlimit(RLIMIT_NOFILE, &old);
	int fds[9];
	char bytes[1000];
	for (int i = 0; i < 9; i++) {
		fds[i] = dial(server);
		say(fds[i], "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	}
	for (int i = 0; i < 8; i++)
		assert_true(hear(fds[i], bytes, sizeof bytes, 2000) > 0);
	assert_int_equal(hear(fds[8], bytes, sizeof bytes, 300), -1);
	close(fds[0]);
	assert_true(hear(fds[8], bytes, sizeof bytes, 2000) > 0);
	for (int i = 1; i < 9; i++)
		close(fds[i]);
	net_server_stop(server);
}

static int open_files(void)
{
	int count = 0;
	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void stops_at_once_whatever_is_open(void **state)
{
	(void)state;
	int before = open_files();
	for (int i = 0; i < 5; i++) {
		struct net_server *server = start();
		int fds[] = {dial(server), dial(server), dial(server), dial(server), dial(server)};
		say(fds[1], "GET /a HTTP/1.1\r\nHos");
		say(fds[2], "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
		say(fds[3], "GET /big HTTP/1.1\r\nHost: x\r\n\r\n"); /* and does not read it */
		say(fds[4], "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc");
		clock_sleep_us(50000);
		int64_t start_us = clock_monotonic_us();
		net_server_stop(server);
		assert_true(clock_monotonic_us() - start_us < 1000000);
		for (int k = 0; k < 5; k++) {
			assert_true(is_dropped(fds[k], 1000));
			close(fds[k]);
		}
	}
	assert_int_equal(open_files(), before + 5); /* h2o's epoll descriptors: see server.c */
	net_server_stop(NULL);
}

static void ticks_once_a_second(void **state)
{
	(void)state;
	ticks = 0;
	struct net_server *server = start();
	clock_sleep_us(2500000);
	assert_in_range(ticks, 2, 4);
	net_server_stop(server);
}

/* ---- addresses ---- */

static enum rc try_listen(const char *text, struct fault *fault)
{
	struct net_server_options options = {.listen = text, .body_max = 10, .handle = handle};
	struct net_server *server = NULL;
	enum rc rc = net_server_start(&options, &server, fault);
	net_server_stop(server);
	return rc;
}

static void refuses_what_is_not_an_address(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
		"127.0.0.1:-1", "127.0.0.1:80x", "::1:8080", "[::1]", "no-such-host.invalid:8080",
		"http://127.0.0.1:80"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct fault fault = {0};
		assert_int_equal(try_listen(bad[i], &fault), RC_CONFIG);
		assert_non_null(strstr(fault.text, "not an address"));
		assert_true(fault.hint[0] != 0);
	}
}

static void says_why_it_cannot_listen(void **state)
{
	(void)state;
	struct net_server *server = start();
	struct fault fault = {0};
	assert_int_equal(try_listen(net_server_address(server), &fault), RC_IO);
	assert_non_null(strstr(fault.text, net_server_address(server)));
	assert_non_null(strstr(fault.hint, "another program"));
	net_server_stop(server);

	assert_int_equal(try_listen("192.0.2.1:0", &fault), RC_IO);
	assert_non_null(strstr(fault.hint, "no interface"));
}

static void refuses_low_ports_to_the_unprivileged(void **state)
{
	(void)state;
	FILE *least = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "r");
	int port = 1024;
	assert_int_equal(fscanf(least, "%d", &port), 1);
	fclose(least);
	if (geteuid() != 0 || port <= 81) {
		skip();
		return;
	}
	struct fault fault = {0};
	assert_int_equal(seteuid(65534), 0);
	enum rc rc = try_listen("127.0.0.1:81", &fault);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(rc, RC_IO);
	assert_non_null(strstr(fault.hint, "1024"));
}

static void listens_on_every_interface_and_by_name(void **state)
{
	(void)state;
	static const char *const good[] = {":0", "localhost:0", "[::1]:0"};
	for (int i = 0; i < 3; i++) {
		struct net_server_options options = {.listen = good[i],
			.body_max = 10,
			.handle = handle,
			.context = context_text};
		struct net_server *server = NULL;
		struct fault fault = {0};
		enum rc rc = net_server_start(&options, &server, &fault);
		if (i == 2 && rc != RC_OK)
			continue; /* a machine without IPv6 */
		assert_rc(rc);
		if (i == 0) {
			int fd = dial(server);
			char bytes[1000];
			say(fd, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
			assert_true(hear(fd, bytes, sizeof bytes, 2000) > 0);
			close(fd);
		} else {
			assert_string_equal(
				shell(server, "curl -s http://%s/a"), "GET /a? test= body=0:");
		}
		net_server_stop(server);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(speaks_http_1_and_2_on_one_port),
	cmocka_unit_test(decodes_paths_and_keeps_queries),
	cmocka_unit_test(hands_over_bodies_and_headers),
	cmocka_unit_test(sends_headers_and_statuses),
	cmocka_unit_test(head_has_the_length_and_no_body),
	cmocka_unit_test(keeps_connections),
	cmocka_unit_test(sends_large_answers_whole),
	cmocka_unit_test(refuses_bodies_beyond_the_limit),
	cmocka_unit_test(answers_nonsense_with_400_or_an_end),
	cmocka_unit_test(drops_who_is_too_slow),
	cmocka_unit_test(drops_who_does_not_take_its_answer),
	cmocka_unit_test(serves_many_connections),
	cmocka_unit_test(connections_beyond_the_limit_wait),
	cmocka_unit_test(stops_at_once_whatever_is_open),
	cmocka_unit_test(ticks_once_a_second),
	cmocka_unit_test(refuses_what_is_not_an_address),
	cmocka_unit_test(says_why_it_cannot_listen),
	cmocka_unit_test(refuses_low_ports_to_the_unprivileged),
	cmocka_unit_test(listens_on_every_interface_and_by_name),
};
UNIT_MAIN(tests)
