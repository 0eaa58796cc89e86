#include "unit.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "net/client.c"

#include "base/clock.h"

/* ---- the peer: peer.py in a process of its own ---- */

struct peer {
	pid_t pid;
	int to;
	char url[100];
};

static struct peer plain;

static void peer_start(struct peer *peer, const char *scheme, const char *pem)
{
	int to[2], from[2];
	assert_int_equal(pipe(to), 0);
	assert_int_equal(pipe(from), 0);
	peer->pid = fork();
	if (peer->pid == 0) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		close(to[1]);
		close(from[0]);
		execl("/usr/bin/python3", "python3", UNIT_SOURCE "/tests/unit/net/peer.py", pem,
			NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	char port[20] = "";
	for (size_t len = 0; !strchr(port, '\n'); len++) /* it may come in pieces */
		assert_int_equal(read(from[0], port + len, len < sizeof port - 1), 1);
	close(from[0]);
	peer->to = to[1];
	snprintf(peer->url, sizeof peer->url, "%s://127.0.0.1:%d", scheme, atoi(port));
}

static void peer_stop(struct peer *peer)
{
	close(peer->to);
	kill(peer->pid, SIGKILL);
	waitpid(peer->pid, NULL, 0);
}

static int start_plain(void **state)
{
	(void)state;
	peer_start(&plain, "http", NULL);
	return 0;
}

static int stop_plain(void **state)
{
	(void)state;
	peer_stop(&plain);
	return 0;
}

/* ---- small tools ---- */

static struct net_client_options options_of(const char *url)
{
	return (struct net_client_options){.url = url,
		.connect_timeout_us = 2000000,
		.timeout_us = 10000000,
		.answer_max = 1 << 20,
		.lanes = 1};
}

static struct net_client *client_of(const struct net_client_options *options)
{
	struct net_client *client = NULL;
	struct fault fault;
	assert_rc(net_client_new(options, &client, &fault));
	return client;
}

static struct net_call call_of(const char *method, const char *path)
{
	return (struct net_call){.method = method, .path = path, .answer = buf_of(1 << 20)};
}

/* One call by a client of its own; the caller releases the answer. */
static struct net_call ask(struct net_client_options options, struct net_call call)
{
	struct net_client *client = client_of(&options);
	net_client_run(client, &call, 1, NULL);
	net_client_free(client);
	return call;
}

static void assert_answer(struct net_call *call, int status, const char *text)
{
	assert_int_equal(call->rc, RC_OK);
	assert_int_equal(call->status, status);
	assert_string_equal(buf_cstring(&call->answer), text);
}

static bool answer_has(struct net_call *call, const char *text)
{
	return strstr(buf_cstring(&call->answer), text) != NULL;
}

static void counts(int *ret_connections, int *ret_most)
{
	struct net_call call = ask(options_of(plain.url), call_of("GET", "/counts"));
	assert_int_equal(call.rc, RC_OK);
	assert_int_equal(sscanf(buf_cstring(&call.answer), "%d %d", ret_connections, ret_most), 2);
	buf_release(&call.answer);
}

/* ---- requests ---- */

static void sends_method_path_and_body(void **state)
{
	(void)state;
	char url[120];
	snprintf(url, sizeof url, "%s/base/", plain.url);
	struct net_call call = call_of("POST", "/a%20b/../_bulk?x=1");
	call.content_type = "application/x-ndjson";
	call.body = SLICE("abc");
	call = ask(options_of(url), call);
	assert_int_equal(call.status, 200);
	assert_true(answer_has(&call, "\"method\": \"POST\""));
	assert_true(answer_has(&call, "\"path\": \"/base/a%20b/../_bulk?x=1\""));
	assert_true(answer_has(&call, "\"content-type\": \"application/x-ndjson\""));
	/* sha256sum of abc */
	assert_true(answer_has(
		&call, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
	assert_false(answer_has(&call, "\"expect\""));
	assert_false(answer_has(&call, "\"authorization\""));
	buf_release(&call.answer);
}

static void sends_each_method(void **state)
{
	(void)state;
	static const struct {
		const char *method, *body;
		bool says_length;
	} rows[] = {{"GET", "", false}, {"DELETE", "", false}, {"PUT", "x", true},
		{"PUT", "", true}, {"POST", "", true}, {"GET", "{}", true}, {"DELETE", "{}", true},
		{"PATCH", "{}", true}};
	struct net_client_options options = options_of(plain.url);
	struct net_client *client = client_of(&options);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct net_call call = call_of(rows[i].method, "/echo");
		call.body = slice_text(rows[i].body);
		net_client_run(client, &call, 1, NULL);
		char expected[60];
		snprintf(expected, sizeof expected, "\"method\": \"%s\"", rows[i].method);
		assert_true(answer_has(&call, expected));
		snprintf(expected, sizeof expected, "\"length\": %zu,", strlen(rows[i].body));
		assert_true(answer_has(&call, expected));
		assert_int_equal(answer_has(&call, "\"content-length\""), rows[i].says_length);
		assert_false(answer_has(&call, "\"content-type\""));
		buf_release(&call.answer);
	}
	struct net_call head = call_of("HEAD", "/echo");
	net_client_run(client, &head, 1, NULL);
	assert_answer(&head, 200, "");
	buf_release(&head.answer);
	net_client_free(client);
}

static void sends_a_large_body_whole(void **state)
{
	(void)state;
	size_t len = 20 << 20;
	struct net_call call = call_of("POST", "/echo");
	uint8_t *bytes = mem_new(len, 1);
	memset(bytes, 'a', len);
	call.body = slice_of(bytes, len);
	call = ask(options_of(plain.url), call);
	assert_int_equal(call.rc, RC_OK);
	/* head -c 20971520 /dev/zero | tr '\0' a | sha256sum */
	assert_true(answer_has(
		&call, "48b6fb8f1c2fec38d030604889d674722c4af237733c913b698400b59c9294b4"));
	mem_free(bytes);
	buf_release(&call.answer);
}

static void sends_basic_authentication(void **state)
{
	(void)state;
	struct net_client_options options = options_of(plain.url);
	options.user = "Aladdin"; /* RFC 7617's example */
	options.password = "open sesame";
	struct net_call call = ask(options, call_of("GET", "/echo"));
	assert_true(answer_has(&call, "\"authorization\": \"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\""));
	buf_release(&call.answer);
}

static void ignores_proxies_of_the_environment(void **state)
{
	(void)state;
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	struct net_call call = ask(options_of(plain.url), call_of("GET", "/echo"));
	unsetenv("http_proxy");
	unsetenv("all_proxy");
	assert_int_equal(call.rc, RC_OK);
	buf_release(&call.answer);
}

static void follows_no_redirect(void **state)
{
	(void)state;
	struct net_call call = ask(options_of(plain.url), call_of("GET", "/moved"));
	assert_answer(&call, 302, "");
	buf_release(&call.answer);
}

/* ---- lanes ---- */

static void keeps_its_connection(void **state)
{
	(void)state;
	int before, after, most;
	counts(&before, &most);
	struct net_client_options options = options_of(plain.url);
	struct net_client *client = client_of(&options);
	for (int i = 0; i < 20; i++) {
		struct net_call call = call_of(i % 2 ? "GET" : "POST", "/echo");
		call.body = i % 2 ? SLICE("") : SLICE("body");
		net_client_run(client, &call, 1, NULL);
		assert_int_equal(call.rc, RC_OK);
		buf_release(&call.answer);
	}
	net_client_free(client);
	counts(&after, &most);
	assert_int_equal(after - before, 2); /* ours, and that of counts */
}

static void fills_all_lanes_and_no_more(void **state)
{
	(void)state;
	enum { CALLS = 40, LANES = 4 };
	struct net_client_options options = options_of(plain.url);
	options.lanes = LANES;
	struct net_client *client = client_of(&options);
	struct net_call calls[CALLS];
	char paths[CALLS][20];
	for (int i = 0; i < CALLS; i++) {
		snprintf(paths[i], sizeof paths[i], "/%d/nap", i);
		calls[i] = call_of("GET", paths[i]);
	}
	int before, after, most;
	counts(&before, &most);
	int64_t start_us = clock_monotonic_us();
	net_client_run(client, calls, CALLS, NULL);
	int64_t took_us = clock_monotonic_us() - start_us;
	for (int i = 0; i < CALLS; i++) {
		assert_answer(&calls[i], 200, paths[i]);
		buf_release(&calls[i].answer);
	}
	net_client_free(client);
	counts(&after, &most);
	assert_int_equal(after - before, LANES + 1);
	assert_int_equal(most, LANES);
	assert_true(took_us < 3000000); /* 10 rounds of 100 ms; one by one it would be 4 s */
}

static void survives_a_connection_closed_behind_its_back(void **state)
{
	(void)state;
	struct net_client_options options = options_of(plain.url);
	struct net_client *client = client_of(&options);
	for (int i = 0; i < 5; i++) {
		struct net_call call = call_of("POST", "/stale");
		call.body = SLICE("x");
		net_client_run(client, &call, 1, NULL);
		assert_answer(&call, 200, "stale");
		buf_release(&call.answer);
	}
	net_client_free(client);
}

/* ---- answers that are none, or unwelcome ---- */

static void reads_retry_after(void **state)
{
	(void)state;
	struct net_call call = ask(options_of(plain.url), call_of("GET", "/busy"));
	assert_answer(&call, 503, "busy");
	assert_int_equal(call.retry_after_us, 7000000);
	buf_release(&call.answer);

	call = ask(options_of(plain.url), call_of("GET", "/busy-date"));
	assert_answer(&call, 429, "busy");
	assert_in_range(call.retry_after_us, 57000000, 60000000);
	buf_release(&call.answer);

	static const char *const zero[] = {"/busy-past", "/busy-nonsense", "/echo"};
	for (int i = 0; i < 3; i++) {
		call = ask(options_of(plain.url), call_of("GET", zero[i]));
		assert_int_equal(call.rc, RC_OK);
		assert_int_equal(call.retry_after_us, 0);
		buf_release(&call.answer);
	}
	call = ask(options_of(plain.url), call_of("GET", "/busy-for-ever"));
	assert_int_equal(call.retry_after_us, 86400 * INT64_C(1000000));
	buf_release(&call.answer);
}

static void an_answer_that_is_cut_is_no_answer(void **state)
{
	(void)state;
	static const char *const paths[] = {"/cut", "/silent-cut"};
	for (int i = 0; i < 2; i++) {
		struct net_call call = ask(options_of(plain.url), call_of("GET", paths[i]));
		assert_int_equal(call.rc, RC_UNREACHABLE);
		assert_int_equal(call.fault.rc, RC_UNREACHABLE);
		assert_non_null(strstr(call.fault.text, paths[i]));
		assert_int_equal(call.answer.len, 0);
		assert_int_equal(call.status, 0);
		buf_release(&call.answer);
	}
}

static void a_slow_answer_is_a_timeout(void **state)
{
	(void)state;
	struct net_client_options options = options_of(plain.url);
	options.timeout_us = 200000;
	int64_t start_us = clock_monotonic_us();
	struct net_call call = ask(options, call_of("GET", "/slow"));
	assert_int_equal(call.rc, RC_TIMEOUT);
	assert_true(clock_monotonic_us() - start_us < 2000000);
	buf_release(&call.answer);
}

static void a_huge_answer_is_capped(void **state)
{
	(void)state;
	struct net_client_options options = options_of(plain.url);
	options.answer_max = 999;
	struct net_call call = ask(options, call_of("GET", "/thousand"));
	assert_int_equal(call.rc, RC_LIMIT);
	assert_non_null(strstr(call.fault.text, "larger than 999 bytes"));
	buf_release(&call.answer);

	options.answer_max = 1000;
	call = ask(options, call_of("GET", "/thousand"));
	assert_int_equal(call.rc, RC_OK);
	assert_int_equal(call.answer.len, 1000);
	buf_release(&call.answer);

	/* the caller's own maximum counts too */
	call = call_of("GET", "/thousand");
	call.answer = buf_of(500);
	call = ask(options, call);
	assert_int_equal(call.rc, RC_LIMIT);
	assert_non_null(strstr(call.fault.text, "larger than 500 bytes"));
	buf_release(&call.answer);

	options.answer_max = 1 << 20;
	call = ask(options, call_of("GET", "/huge"));
	assert_int_equal(call.rc, RC_LIMIT);
	buf_release(&call.answer);
}

static void nonsense_is_a_protocol_error(void **state)
{
	(void)state;
	struct net_call call = ask(options_of(plain.url), call_of("GET", "/nonsense"));
	assert_int_equal(call.rc, RC_PROTOCOL);
	buf_release(&call.answer);
}

/* ---- no connection ---- */

static void a_refused_connection_is_unreachable(void **state)
{
	(void)state;
	struct net_call call = ask(options_of("http://127.0.0.1:1"), call_of("GET", "/"));
	assert_int_equal(call.rc, RC_UNREACHABLE);
	assert_string_equal(call.fault.text, "GET http://127.0.0.1:1/: Connection refused");
	call = ask(options_of("http://no-such-host.invalid"), call_of("GET", "/"));
	assert_int_equal(call.rc, RC_UNREACHABLE);
	assert_true(call.fault.hint[0] != 0);
}

static void a_connection_that_takes_too_long_is_unreachable(void **state)
{
	(void)state;
	/* a listener whose queue is full drops further connections */
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 0), 0);
	getsockname(listener, (struct sockaddr *)&address, &size);
	int filler[4];
	for (int i = 0; i < 4; i++) {
		filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(filler[i], (struct sockaddr *)&address, size);
	}
	char url[60];
	snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(address.sin_port));
	struct net_client_options options = options_of(url);
	options.connect_timeout_us = 300000;
	int64_t start_us = clock_monotonic_us();
	struct net_call call = ask(options, call_of("GET", "/"));
	assert_int_equal(call.rc, RC_UNREACHABLE);
	assert_in_range(clock_monotonic_us() - start_us, 250000, 1500000);
	for (int i = 0; i < 4; i++)
		close(filler[i]);
	close(listener);
}

/* ---- stop ---- */

static _Atomic bool stop_now;

static void *stop_soon(void *arg)
{
	(void)arg;
	clock_sleep_us(200000);
	stop_now = true;
	return NULL;
}

static void a_stop_cuts_what_is_in_flight(void **state)
{
	(void)state;
	struct net_client_options options = options_of(plain.url);
	options.lanes = 2;
	struct net_client *client = client_of(&options);
	struct net_call calls[5];
	for (int i = 0; i < 5; i++)
		calls[i] = call_of("GET", i == 0 ? "/echo" : "/slow");
	pthread_t thread;
	stop_now = false;
	pthread_create(&thread, NULL, stop_soon, NULL);
	int64_t start_us = clock_monotonic_us();
	net_client_run(client, calls, 5, &stop_now);
	assert_in_range(clock_monotonic_us() - start_us, 150000, 1000000);
	pthread_join(thread, NULL);
	assert_int_equal(calls[0].rc, RC_OK);
	for (int i = 1; i < 5; i++) {
		assert_int_equal(calls[i].rc, RC_STOPPED);
		assert_int_equal(calls[i].fault.rc, RC_STOPPED);
	}
	/* the client can be used on */
	stop_now = false;
	buf_reset(&calls[1].answer);
	calls[1].path = "/thousand";
	net_client_run(client, &calls[1], 1, &stop_now);
	assert_int_equal(calls[1].rc, RC_OK);
	for (int i = 0; i < 5; i++)
		buf_release(&calls[i].answer);
	net_client_free(client);
}

/* ---- TLS ---- */

static void checks_the_server_s_certificate(void **state)
{
	(void)state;
	char *folder = unit_folder();
	char command[700], pem[100], ca[100];
	snprintf(pem, sizeof pem, "%s/both.pem", folder);
	snprintf(ca, sizeof ca, "%s/cert.pem", folder);
	snprintf(command, sizeof command,
		"cd %s && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test "
		"-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem 2>/dev/null && "
		"cat cert.pem key.pem >both.pem",
		folder);
	assert_int_equal(system(command), 0);
	struct peer secure;
	peer_start(&secure, "https", pem);

	struct net_call call = ask(options_of(secure.url), call_of("GET", "/echo"));
	assert_int_equal(call.rc, RC_UNREACHABLE);
	assert_non_null(strstr(call.fault.hint, "tls_ca"));
	struct net_client_options options = options_of(secure.url);
	options.tls_ca = ca;
	call = ask(options, call_of("GET", "/echo"));
	assert_int_equal(call.rc, RC_OK);
	buf_release(&call.answer);

	char wrong[120]; /* TLS to a port that has none */
	snprintf(wrong, sizeof wrong, "https%s", plain.url + 4);
	call = ask(options_of(wrong), call_of("GET", "/echo"));
	assert_int_equal(call.rc, RC_UNREACHABLE);
	assert_true(call.fault.hint[0] != 0);

	peer_stop(&secure);
	unit_folder_remove(folder);
}

/* ---- what is refused at once ---- */

static void refuses_what_is_not_an_address(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "127.0.0.1:9200", "ftp://127.0.0.1/", "http://",
		"http://127.0.0.1:99999", "http://a b/", "http://127.0.0.1/?x=1",
		"http://127.0.0.1/#x", "file:///etc/passwd"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct net_client_options options = options_of(bad[i]);
		struct net_client *client = NULL;
		struct fault fault = {0};
		assert_int_equal(net_client_new(&options, &client, &fault), RC_CONFIG);
		assert_null(client);
		assert_true(fault.text[0] && fault.hint[0]);
	}
}

static void never_shows_a_password(void **state)
{
	(void)state;
	struct net_client_options options = options_of("http://elastic:hush@127.0.0.1:9200");
	struct net_client *client = NULL;
	struct fault fault = {0};
	assert_int_equal(net_client_new(&options, &client, &fault), RC_CONFIG);
	assert_null(strstr(fault.text, "hush"));
	assert_null(strstr(fault.hint, "hush"));
}

static void refuses_a_file_without_certificates(void **state)
{
	(void)state;
	static const char *const bad[] = {"/no/such/file.pem", "/etc/passwd"};
	for (int i = 0; i < 2; i++) {
		struct net_client_options options = options_of("https://127.0.0.1:9200");
		options.tls_ca = bad[i];
		struct net_client *client = NULL;
		struct fault fault = {0};
		assert_int_equal(net_client_new(&options, &client, &fault), RC_CONFIG);
		assert_non_null(strstr(fault.text, bad[i]));
	}
}

static void encodes_path_segments(void **state)
{
	(void)state;
	struct buf out = buf_of(200);
	net_encode(slice_of("aZ09-._~ /?&=%+\xc3\xbc\0", 18), &out);
	assert_string_equal(buf_cstring(&out), "aZ09-._~%20%2F%3F%26%3D%25%2B%C3%BC%00");
	buf_release(&out);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(sends_method_path_and_body),
	cmocka_unit_test(sends_each_method),
	cmocka_unit_test(sends_a_large_body_whole),
	cmocka_unit_test(sends_basic_authentication),
	cmocka_unit_test(ignores_proxies_of_the_environment),
	cmocka_unit_test(follows_no_redirect),
	cmocka_unit_test(keeps_its_connection),
	cmocka_unit_test(fills_all_lanes_and_no_more),
	cmocka_unit_test(survives_a_connection_closed_behind_its_back),
	cmocka_unit_test(reads_retry_after),
	cmocka_unit_test(an_answer_that_is_cut_is_no_answer),
	cmocka_unit_test(a_slow_answer_is_a_timeout),
	cmocka_unit_test(a_huge_answer_is_capped),
	cmocka_unit_test(nonsense_is_a_protocol_error),
	cmocka_unit_test(a_refused_connection_is_unreachable),
	cmocka_unit_test(a_connection_that_takes_too_long_is_unreachable),
	cmocka_unit_test(a_stop_cuts_what_is_in_flight),
	cmocka_unit_test(checks_the_server_s_certificate),
	cmocka_unit_test(refuses_what_is_not_an_address),
	cmocka_unit_test(never_shows_a_password),
	cmocka_unit_test(refuses_a_file_without_certificates),
	cmocka_unit_test(encodes_path_segments),
};

int main(void)
{
	thread_assert_off();
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, start_plain, stop_plain);
}
