/* The HTTP client: several requests at once over kept connections; see net.h.
 *
 * libcurl's multi interface with one easy handle a lane. A lane is set up anew for each call
 * (curl_easy_reset keeps its connection), so that nothing of one call leaks into the next. The body
 * is sent from the caller's slice; the answer goes into the caller's buffer.
 *
 * Invariants:
 *  1. After net_client_run each call has its rc, and lanes hold no call.
 *  2. What decides a request is in the options and the call: no proxy, no .netrc, no redirect.
 *  3. Passwords are in no text: a URL with one in it is refused.
 *
 * Thread: the one that made the client. */
#include "net/net.h"

#include <assert.h>
#include <curl/curl.h>
#include <openssl/x509.h>
#include <pthread.h>

#include "base/mem.h"

enum {
	STOP_LOOK_MS = 50, /* how often `stop` is looked at */
	WAIT_MS = 1000,
	UPLOAD_PIECE = 256 << 10, /* bytes that libcurl takes of a body at a time */
	RETRY_AFTER_MAX_S = 86400,
};

struct lane {
	CURL *easy;
	struct net_call *call; /* NULL: idle */
	struct curl_slist *headers;
	size_t answer_max;
	bool too_large;
	char reason[CURL_ERROR_SIZE];
};

struct net_client {
	pthread_t owner;
	CURLM *multi;
	char *base; /* without the last slash */
	char *user, *password, *tls_ca;
	long connect_timeout_ms, timeout_ms;
	struct lane *lanes;
	unsigned lane_count;
};

static void start_curl(void)
{
	CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
	assert(code == CURLE_OK);
}

/* ---- options ---- */

static char *text_or_null(const char *text)
{
	return text && text[0] ? mem_text(text) : NULL;
}

static long milliseconds(int64_t us)
{
	assert(us > 0);
	return (long)((us + 999) / 1000);
}

static bool has_part(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;
	curl_free(text);
	return has;
}

static bool is_http(CURLU *url)
{
	char *scheme = NULL;
	bool is = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		(strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
	curl_free(scheme);
	return is;
}

static enum rc check_url(CURLU *url, const char *text, struct fault *fault)
{
	CURLUcode code = curl_url_set(url, CURLUPART_URL, text, 0);
	/* before the text is shown to anybody */
	if (code == CURLUE_OK &&
		(has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD))) {
		enum rc rc = fault_set(fault, RC_CONFIG, "a URL holds a user or a password");
		fault_hint(fault,
			"take it out of the URL and use the settings `user` and "
			"`password`");
		return rc;
	}
	if (code != CURLUE_OK || !is_http(url)) {
		enum rc rc = fault_set(fault, RC_CONFIG, "'%s' is not an HTTP address", text);
		fault_hint(fault, "write it as http://HOST:PORT or https://HOST:PORT");
		return rc;
	}
	if (has_part(url, CURLUPART_QUERY) || has_part(url, CURLUPART_FRAGMENT)) {
		enum rc rc = fault_set(fault, RC_CONFIG, "'%s' has a query or a fragment", text);
		fault_hint(fault, "end it with the path");
		return rc;
	}
	return RC_OK;
}

static enum rc read_url(const char *text, char **ret_base, struct fault *fault)
{
	CURLU *url = curl_url();
	assert(url);
	enum rc rc = check_url(url, text, fault);
	char *whole = NULL;
	if (rc == RC_OK && curl_url_get(url, CURLUPART_URL, &whole, 0) != CURLUE_OK)
		rc = fault_set(fault, RC_CONFIG, "'%s' is not an HTTP address", text);
	if (rc == RC_OK) {
		size_t len = strlen(whole);
		while (len > 0 && whole[len - 1] == '/')
			len--;
		*ret_base = mem_text_of(whole, len);
	}
	curl_free(whole);
	curl_url_cleanup(url);
	return rc;
}

/* Said at the start and not at the first request. */
static enum rc check_authorities(const char *path, struct fault *fault)
{
	X509_STORE *store = X509_STORE_new();
	assert(store);
	bool loads = X509_STORE_load_file(store, path) == 1;
	X509_STORE_free(store);
	if (loads)
		return RC_OK;
	enum rc rc = fault_set(fault, RC_CONFIG, "cannot read certificates from '%s'", path);
	fault_hint(fault, "tls_ca names a PEM file with at least one certificate");
	return rc;
}

static void make_lanes(struct net_client *client, const struct net_client_options *options)
{
	client->multi = curl_multi_init();
	assert(client->multi);
	CURLMcode code =
		curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)options->lanes);
	assert(code == CURLM_OK);
	client->lanes = mem_new(options->lanes, sizeof *client->lanes);
	client->lane_count = options->lanes;
	for (unsigned i = 0; i < client->lane_count; i++) {
		client->lanes[i].easy = curl_easy_init();
		assert(client->lanes[i].easy);
		client->lanes[i].answer_max = options->answer_max;
	}
}

enum rc net_client_new(const struct net_client_options *options, struct net_client **ret_client,
	struct fault *fault)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void)pthread_once(&once, start_curl);
	assert(options->lanes > 0);

	char *base = NULL, *authorities = text_or_null(options->tls_ca);
	enum rc rc = authorities ? check_authorities(authorities, fault) : RC_OK;
	if (rc == RC_OK)
		rc = read_url(options->url, &base, fault);
	if (rc != RC_OK) {
		mem_free(authorities);
		return rc;
	}
	struct net_client *client = mem_new(1, sizeof *client);
	client->owner = pthread_self();
	client->base = base;
	client->tls_ca = authorities;
	client->user = text_or_null(options->user);
	client->password = text_or_null(options->password);
	client->connect_timeout_ms = milliseconds(options->connect_timeout_us);
	client->timeout_ms = milliseconds(options->timeout_us);
	make_lanes(client, options);
	*ret_client = client;
	return RC_OK;
}

void net_client_free(struct net_client *client)
{
	if (!client)
		return;
	for (unsigned i = 0; i < client->lane_count; i++)
		curl_easy_cleanup(client->lanes[i].easy);
	(void)curl_multi_cleanup(client->multi);
	mem_free(client->lanes);
	mem_free(client->base);
	mem_free(client->user);
	mem_free(client->password);
	mem_free(client->tls_ca);
	mem_free(client);
}

/* ---- one request ---- */

static size_t take_answer(char *bytes, size_t size, size_t count, void *context)
{
	struct lane *lane = context;
	struct buf *answer = &lane->call->answer;
	size_t len = size * count;
	if (lane->answer_max - answer->len < len)
		lane->too_large = true;
	else
		buf_bytes(answer, bytes, len);
	if (answer->rc != RC_OK)
		lane->too_large = true;
	return lane->too_large ? 0 : len;
}

/* Options of libcurl fail for lack of memory only, once their names are right. */
static void must(CURLcode code)
{
	assert(code == CURLE_OK);
}
#define SET(option, value) must(curl_easy_setopt(lane->easy, option, value))

static void set_up_client(struct lane *lane, const struct net_client *client)
{
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L); /* a stop does not wait for a resolver */
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_PROXY, ""); /* the environment decides nothing here */
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_USERAGENT, "millstream/" MILLSTREAM_VERSION);
	SET(CURLOPT_CONNECTTIMEOUT_MS, client->connect_timeout_ms);
	SET(CURLOPT_TIMEOUT_MS, client->timeout_ms);
	SET(CURLOPT_ERRORBUFFER, lane->reason);
	SET(CURLOPT_WRITEFUNCTION, take_answer);
	SET(CURLOPT_WRITEDATA, lane);
	if (client->tls_ca)
		SET(CURLOPT_CAINFO, client->tls_ca);
	if (client->user) {
		SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		SET(CURLOPT_USERNAME, client->user);
		SET(CURLOPT_PASSWORD, client->password ? client->password : "");
	}
}

static void add_header(struct lane *lane, const char *text)
{
	struct curl_slist *longer = curl_slist_append(lane->headers, text);
	assert(longer);
	lane->headers = longer;
}

static void set_up_method(struct lane *lane, const struct net_call *call)
{
	bool is_head = strcmp(call->method, "HEAD") == 0;
	bool is_get = strcmp(call->method, "GET") == 0;
	bool wants_body = strcmp(call->method, "POST") == 0 || strcmp(call->method, "PUT") == 0 ||
		strcmp(call->method, "PATCH") == 0;
	if (call->body.len > 0 || wants_body) {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
		SET(CURLOPT_POSTFIELDS, call->body.len ? (const char *)call->body.at : "");
		SET(CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_PIECE);
		add_header(lane, "Expect:"); /* do not wait for a 100 */
	}
	if (is_head)
		SET(CURLOPT_NOBODY, 1L);
	else if (!is_get || call->body.len > 0)
		SET(CURLOPT_CUSTOMREQUEST, call->method);
}

static void lane_begin(struct lane *lane, const struct net_client *client, struct net_call *call)
{
	assert(call->path[0] == '/');
	buf_reset(&call->answer);
	call->status = 0;
	call->retry_after_us = 0;

	lane->call = call;
	lane->too_large = false;
	lane->reason[0] = 0;
	curl_easy_reset(lane->easy);
	set_up_client(lane, client);
	set_up_method(lane, call);
	char *type = mem_format("Content-Type:%s%s", call->content_type ? " " : "",
		call->content_type ? call->content_type : "");
	add_header(lane, type);
	mem_free(type);
	SET(CURLOPT_HTTPHEADER, lane->headers);
	char *url = mem_format("%s%s", client->base, call->path);
	SET(CURLOPT_URL, url);
	mem_free(url);
	SET(CURLOPT_PRIVATE, lane);
	CURLMcode code = curl_multi_add_handle(client->multi, lane->easy);
	assert(code == CURLM_OK);
}

static void lane_end(struct lane *lane, const struct net_client *client)
{
	(void)curl_multi_remove_handle(client->multi, lane->easy);
	curl_slist_free_all(lane->headers);
	lane->headers = NULL;
	lane->call = NULL;
}

/* ---- results ---- */

/* A certificate that is not trusted is no reason to stop for good: whoever mends it need not
 * restart us. */
static enum rc rc_of_code(const struct lane *lane, CURLcode code)
{
	if (lane->too_large)
		return RC_LIMIT;
	curl_off_t sent_after_us = 0; /* 0: there never was a connection */
	(void)curl_easy_getinfo(lane->easy, CURLINFO_PRETRANSFER_TIME_T, &sent_after_us);
	switch ((int)code) {
	case CURLE_OPERATION_TIMEDOUT:
		return sent_after_us > 0 ? RC_TIMEOUT : RC_UNREACHABLE;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return RC_UNREACHABLE;
	case CURLE_OUT_OF_MEMORY:
	case CURLE_FAILED_INIT:
		return RC_INTERNAL;
	default:
		return RC_PROTOCOL;
	}
}

static void set_hint(struct fault *fault, CURLcode code)
{
	if (code == CURLE_PEER_FAILED_VERIFICATION)
		fault_hint(fault,
			"name the file of the authority that signed the server's "
			"certificate with tls_ca, and the server as its certificate does");
	else if (code == CURLE_SSL_CONNECT_ERROR)
		fault_hint(fault,
			"does this port speak TLS? Compare http:// and https:// in the "
			"URL");
	else if (code == CURLE_COULDNT_RESOLVE_HOST)
		fault_hint(fault, "check the host's name in the URL");
}

static void call_failed(const struct net_client *client, struct lane *lane, CURLcode code)
{
	struct net_call *call = lane->call;
	enum rc rc = rc_of_code(lane, code);
	const char *reason = lane->reason[0] ? lane->reason : curl_easy_strerror(code);
	long number = 0; /* why the system did not connect is what people look for */
	(void)curl_easy_getinfo(lane->easy, CURLINFO_OS_ERRNO, &number);
	char refusal[128];
	if (code == CURLE_COULDNT_CONNECT && number != 0)
		reason = strerror_r((int)number, refusal, sizeof refusal);
	if (rc == RC_LIMIT)
		call->rc = fault_set(&call->fault, rc,
			"%s %s%s: the answer is larger than %zu "
			"bytes",
			call->method, client->base, call->path,
			lane->answer_max < call->answer.max ? lane->answer_max : call->answer.max);
	else
		call->rc = fault_set(&call->fault, rc, "%s %s%s: %s", call->method, client->base,
			call->path, reason);
	set_hint(&call->fault, code);
	buf_reset(&call->answer); /* no half answers */
}

static void call_answered(const struct lane *lane)
{
	struct net_call *call = lane->call;
	long status = 0;
	curl_off_t retry_after_s = 0; /* libcurl reads seconds and dates */
	(void)curl_easy_getinfo(lane->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(lane->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
	if (retry_after_s < 0)
		retry_after_s = 0;
	if (retry_after_s > RETRY_AFTER_MAX_S)
		retry_after_s = RETRY_AFTER_MAX_S;
	call->rc = RC_OK;
	call->status = (int)status;
	call->retry_after_us = (int64_t)retry_after_s * 1000000;
}

static void call_stopped(const struct net_client *client, struct net_call *call)
{
	buf_reset(&call->answer);
	call->status = 0;
	call->retry_after_us = 0;
	call->rc = fault_set(&call->fault, RC_STOPPED, "%s %s%s: asked to stop", call->method,
		client->base, call->path);
}

/* ---- all of them ---- */

static struct lane *idle_lane(struct net_client *client)
{
	for (unsigned i = 0; i < client->lane_count; i++) {
		if (!client->lanes[i].call)
			return &client->lanes[i];
	}
	return NULL;
}

static bool is_busy(const struct net_client *client)
{
	for (unsigned i = 0; i < client->lane_count; i++) {
		if (client->lanes[i].call)
			return true;
	}
	return false;
}

static void take_results(struct net_client *client)
{
	int left = 0;
	for (CURLMsg *message; (message = curl_multi_info_read(client->multi, &left));) {
		void *context = NULL;
		CURLcode code = message->data.result;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &context);
		struct lane *lane = context;
		if (code == CURLE_OK)
			call_answered(lane);
		else
			call_failed(client, lane, code);
		lane_end(lane, client);
	}
}

static void cut_all(struct net_client *client)
{
	for (unsigned i = 0; i < client->lane_count; i++) {
		struct lane *lane = &client->lanes[i];
		if (!lane->call)
			continue;
		call_stopped(client, lane->call);
		lane_end(lane, client);
	}
}

static bool is_true(const atomic_bool *stop)
{
	return stop && atomic_load_explicit(stop, memory_order_acquire);
}

void net_client_run(
	struct net_client *client, struct net_call *calls, size_t count, const atomic_bool *stop)
{
	assert(pthread_equal(client->owner, pthread_self()));
	size_t next = 0;
	while ((next < count || is_busy(client)) && !is_true(stop)) {
		for (struct lane *lane; next < count && (lane = idle_lane(client)); next++)
			lane_begin(lane, client, &calls[next]);
		int running = 0;
		CURLMcode code = curl_multi_perform(client->multi, &running);
		assert(code == CURLM_OK);
		take_results(client);
		if (running == (int)client->lane_count || (running > 0 && next == count))
			(void)curl_multi_poll(
				client->multi, NULL, 0, stop ? STOP_LOOK_MS : WAIT_MS, NULL);
	}
	cut_all(client);
	for (; next < count; next++)
		call_stopped(client, &calls[next]);
}

/* ---- texts ---- */

void net_encode(struct slice text, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.at[i];
		bool plain = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
			(byte >= 'A' && byte <= 'Z') || (byte != 0 && strchr("-._~", byte) != NULL);
		if (plain) {
			buf_u8(out, byte);
			continue;
		}
		uint8_t code[3] = {'%', (uint8_t)digits[byte >> 4], (uint8_t)digits[byte & 15]};
		buf_bytes(out, code, sizeof code);
	}
}
