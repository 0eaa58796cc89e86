/* Connections, by libmariadb: wire, authentication, TLS, statements.
 *
 * The library reads no option files here, never reconnects by itself and sends no local files.
 * Unless it checked who answers, it may not use authentication plugins that show the password. */
#include "mysql/link.h"

#include <errmsg.h>
#include <errno.h>
#include <fcntl.h>
#include <mysql.h>
#include <openssl/x509.h>
#include <pthread.h>

typedef unsigned char uchar; /* the next one needs it, and the other */
#define HAVE_TLS
#include <ma_pvio.h>

#include "base/clock.h"
#include "base/mem.h"

struct link {
	MYSQL *mysql;
	char *name, *user;
	char *account; /* NULL until asked for */
	int64_t answer_timeout_us;
	bool in_query;
};

static bool has_text(const char *text)
{
	return text && text[0];
}

/* ---- connecting ---- */

static void start_library(void)
{
	(void)mysql_library_init(0, NULL, NULL);
}

/* The library counts in seconds. */
static unsigned whole_seconds(int64_t us)
{
	int64_t seconds = (us + 999999) / 1000000;
	return seconds < 1 ? 1 : seconds > 86400 ? 86400 : (unsigned)seconds;
}

static void set_tls(MYSQL *mysql, const struct mysql_options *options)
{
	enum mysql_tls tls = options->tls;
	if (tls == MYSQL_TLS_PREFERRED && has_text(options->socket))
		tls = MYSQL_TLS_OFF; /* nobody listens on a socket of this machine */
	my_bool enforce = tls == MYSQL_TLS_REQUIRED || tls == MYSQL_TLS_VERIFY;
	my_bool verify = tls == MYSQL_TLS_VERIFY;
	(void)mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
	(void)mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &enforce);
	if (tls == MYSQL_TLS_OFF)
		return;
	const char *ca = has_text(options->tls_ca) ? options->tls_ca : NULL;
	const char *cert = has_text(options->tls_cert) ? options->tls_cert : NULL;
	const char *key = has_text(options->tls_key) ? options->tls_key : NULL;
	/* The library checks certificate and name only where it is told whom to trust. */
	const char *folder = verify && !ca ? X509_get_default_cert_dir() : NULL;
	(void)mysql_ssl_set(mysql, key, cert, ca, folder, NULL);
}

static void set_options(MYSQL *mysql, const struct mysql_options *options)
{
	unsigned connect_s = whole_seconds(options->connect_timeout_us);
	unsigned answer_s = whole_seconds(options->answer_timeout_us);
	unsigned protocol = has_text(options->socket) ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
	my_bool no = 0;
	unsigned no_files = 0;
	(void)mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
	(void)mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &answer_s);
	(void)mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &answer_s);
	(void)mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol);
	(void)mysql_options(mysql, MYSQL_OPT_RECONNECT, &no);
	(void)mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &no_files);
	(void)mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	(void)mysql_optionsv(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "millstream");
	set_tls(mysql, options);
	if (!has_text(options->socket) && options->tls != MYSQL_TLS_VERIFY)
		(void)mysql_optionsv(mysql, MARIADB_OPT_RESTRICTED_AUTH,
			"mysql_native_password,client_ed25519,caching_sha2_password,"
			"sha256_password,parsec");
}

static char *name_of(const struct mysql_options *options, const char *tls)
{
	if (has_text(options->socket))
		return mem_format("%s%s%s", options->socket, tls ? " over " : "", tls ? tls : "");
	return mem_format(
		"%s:%u%s%s", options->host, options->port, tls ? " over " : "", tls ? tls : "");
}

static const char *tls_version(MYSQL *mysql)
{
	const char *version = NULL;
	if (!mysql_get_ssl_cipher(mysql))
		return NULL;
	(void)mariadb_get_infov(mysql, MARIADB_CONNECTION_TLS_VERSION, &version);
	return version ? version : "TLS";
}

/* When a handshake of TLS ends early, the library says what it thinks of the certificate, even if
 * nobody asked it to check that; then it is the end of the connection that matters. */
static bool was_cut_in_handshake(
	const struct mysql_options *options, unsigned number, const char *text)
{
	bool is_checked = options->tls == MYSQL_TLS_VERIFY || has_text(options->tls_ca);
	return number == CR_SSL_CONNECTION_ERROR && !is_checked && !strstr(text, "alert") &&
		(strstr(text, "certificate") || strstr(text, "issuer"));
}

static enum rc connect_to(MYSQL *mysql, const struct mysql_options *options, struct fault *fault)
{
	const char *socket = has_text(options->socket) ? options->socket : NULL;
	unsigned number = 0;
	const char *text = "";
	if (!mysql_real_connect(mysql, socket ? NULL : options->host, options->user,
		    options->password, NULL, socket ? 0 : options->port, socket, 0)) {
		number = mysql_errno(mysql);
		text = mysql_error(mysql);
		if (number == CR_PLUGIN_NOT_ALLOWED) /* the text holds stray bytes */
			text = "the server asks for an authentication plugin that is not allowed";
		if (was_cut_in_handshake(options, number, text)) {
			number = CR_SERVER_LOST;
			text = "Lost connection to server during the TLS handshake";
		}
	} else if (options->tls == MYSQL_TLS_REQUIRED && !mysql_get_ssl_cipher(mysql)) {
		/* The library itself goes on without TLS unless it is to check certificates. */
		number = CR_SSL_CONNECTION_ERROR;
		text = "TLS is required, but the server does not support it";
	} else {
		return RC_OK;
	}
	char *name = name_of(options, NULL);
	char *what = mem_format("cannot connect to %s as %s", name, options->user);
	enum rc rc = link_error_set(fault, what, number, text, NULL);
	mem_free(what);
	mem_free(name);
	return rc;
}

enum rc link_open(const struct mysql_options *options, struct link **ret_link, struct fault *fault)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void)pthread_once(&once, start_library);
	MYSQL *mysql = mysql_init(NULL);
	if (!mysql)
		return fault_set(fault, RC_INTERNAL, "the client library does not start");
	set_options(mysql, options);
	enum rc rc = connect_to(mysql, options, fault);
	if (rc != RC_OK) {
		mysql_close(mysql);
		return rc;
	}
	struct link *link = mem_new(1, sizeof *link);
	link->mysql = mysql;
	link->name = name_of(options, tls_version(mysql));
	link->user = mem_text(options->user);
	link->answer_timeout_us = options->answer_timeout_us;
	*ret_link = link;
	return RC_OK;
}

void link_close(struct link *link)
{
	if (!link)
		return;
	mysql_close(link->mysql);
	mem_free(link->name);
	mem_free(link->user);
	mem_free(link->account);
	mem_free(link);
}

const char *link_name(const struct link *link)
{
	return link->name;
}

int64_t link_answer_timeout_us(const struct link *link)
{
	return link->answer_timeout_us;
}

/* ---- statements ---- */

enum { SQL_SHOWN_MAX = 80 };

static enum rc query_fault(
	struct link *link, const char *sql, int64_t since_us, struct fault *fault)
{
	unsigned number = mysql_errno(link->mysql);
	char *text = mem_text(mysql_error(link->mysql));
	char *what = mem_format("%s, in \"%.*s%s\"", link->name, SQL_SHOWN_MAX, sql,
		strlen(sql) > SQL_SHOWN_MAX ? "..." : "");
	enum rc rc = link_error_rc(number, text);
	bool lost = number == CR_SERVER_LOST || number == CR_SERVER_GONE_ERROR;
	if (lost &&
		clock_monotonic_us() - since_us >=
			(int64_t)whole_seconds(link->answer_timeout_us) * 1000000) {
		rc = fault_set(fault, RC_TIMEOUT, "%s: no answer within %u s", what,
			whole_seconds(link->answer_timeout_us));
	} else if (number == 0) {
		rc = fault_set(fault, RC_PROTOCOL, "%s: the answer makes no sense", what);
	} else {
		/* The account is asked for before it is too late to ask, but only once. */
		const char *account = rc == RC_PRIVILEGE ? link_account(link) : NULL;
		rc = link_error_set(fault, what, number, text, account);
	}
	mem_free(what);
	mem_free(text);
	return rc;
}

/* Hands the rows of a result out one by one; it is never held as a whole. */
static enum rc walk_rows(struct link *link, const char *sql, MYSQL_RES *result,
	enum rc (*each)(
		void *context, const struct slice *cells, size_t count, struct fault *fault),
	void *context, struct fault *fault)
{
	unsigned count = mysql_num_fields(result);
	struct slice *cells = mem_new(count, sizeof *cells);
	enum rc rc = RC_OK;
	MYSQL_ROW row;
	int64_t since = clock_monotonic_us();
	while (rc == RC_OK && (row = mysql_fetch_row(result)) != NULL) {
		const unsigned long *lengths = mysql_fetch_lengths(result);
		for (unsigned i = 0; i < count; i++)
			cells[i] = row[i] ? slice_of(row[i], lengths[i]) : (struct slice){0};
		rc = each ? each(context, cells, count, fault) : RC_OK;
		since = clock_monotonic_us();
	}
	if (rc == RC_OK && mysql_errno(link->mysql) != 0)
		rc = query_fault(link, sql, since, fault);
	mem_free(cells);
	return rc;
}

enum rc link_query(struct link *link, const char *sql,
	enum rc (*each)(
		void *context, const struct slice *cells, size_t count, struct fault *fault),
	void *context, struct fault *fault)
{
	if (link->in_query)
		return fault_set(fault, RC_INTERNAL,
			"a statement was asked for while another one's rows come in");
	int64_t since = clock_monotonic_us();
	if (mysql_real_query(link->mysql, sql, (unsigned long)strlen(sql)) != 0)
		return query_fault(link, sql, since, fault);
	MYSQL_RES *result = mysql_use_result(link->mysql);
	if (!result && mysql_field_count(link->mysql) > 0)
		return query_fault(link, sql, since, fault);
	if (!result)
		return RC_OK;
	link->in_query = true;
	enum rc rc = walk_rows(link, sql, result, each, context, fault);
	mysql_free_result(result); /* reads what is left of it */
	link->in_query = false;
	return rc;
}

struct first_cell {
	struct buf *out;
	bool found;
};

static enum rc take_first(
	void *context, const struct slice *cells, size_t count, struct fault *fault)
{
	struct first_cell *first = context;
	if (first->found || count == 0 || !cells[0].at)
		return RC_OK;
	first->found = true;
	buf_slice(first->out, cells[0]);
	if (first->out->rc != RC_OK)
		return fault_set(
			fault, RC_LIMIT, "an answer of %zu bytes is too long", cells[0].len);
	return RC_OK;
}

enum rc link_query_text(struct link *link, const char *sql, struct buf *out, struct fault *fault)
{
	struct first_cell first = {.out = out};
	enum rc rc = link_query(link, sql, take_first, &first, fault);
	if (rc == RC_OK && !first.found)
		return fault_set(fault, RC_NOT_FOUND, "%s: no answer to \"%s\"", link->name, sql);
	return rc;
}

void link_quote(struct slice text, struct buf *out)
{
	static const char digits[] = "0123456789abcdef";
	buf_text(out, "_utf8mb4 x'");
	for (size_t i = 0; i < text.len; i++) {
		buf_u8(out, (uint8_t)digits[text.at[i] >> 4]);
		buf_u8(out, (uint8_t)digits[text.at[i] & 15]);
	}
	buf_u8(out, '\'');
}

void link_quote_name(struct slice name, struct buf *out)
{
	buf_u8(out, '`');
	for (size_t i = 0; i < name.len; i++) {
		if (name.at[i] == '`')
			buf_u8(out, '`');
		buf_u8(out, name.at[i]);
	}
	buf_u8(out, '`');
}

/* One half of an account as the manual writes it: in quotes, quotes doubled. */
static void put_half(struct slice half, struct buf *out)
{
	buf_u8(out, '\'');
	for (size_t i = 0; i < half.len; i++) {
		if (half.at[i] == '\'')
			buf_u8(out, '\'');
		buf_u8(out, half.at[i]);
	}
	buf_u8(out, '\'');
}

const char *link_account(struct link *link)
{
	if (link->account)
		return link->account;
	struct buf answer = buf_of(LINK_ACCOUNT_MAX), out = buf_of(2 * LINK_ACCOUNT_MAX + 8);
	enum rc rc = link_query_text(link, "SELECT CURRENT_USER()", &answer, NULL);
	struct slice whole = rc == RC_OK ? buf_as_slice(&answer) : slice_text(link->user);
	size_t at = whole.len;
	while (rc == RC_OK && at > 0 && whole.at[at - 1] != '@')
		at--;
	put_half(slice_of(whole.at, at > 0 && rc == RC_OK ? at - 1 : whole.len), &out);
	if (rc == RC_OK && at > 0) {
		buf_u8(&out, '@');
		put_half(slice_of(whole.at + at, whole.len - at), &out);
	}
	link->account = mem_text(buf_cstring(&out));
	buf_release(&out);
	buf_release(&answer);
	return link->account;
}

/* ---- the raw connection ---- */

enum rc link_send(struct link *link, unsigned command, struct slice bytes, struct fault *fault)
{
	int64_t since = clock_monotonic_us();
	MYSQL *mysql = link->mysql;
	if (mysql->methods->db_command(mysql, (enum enum_server_command)command,
		    (const char *)bytes.at, bytes.len, 1, NULL) == 0)
		return RC_OK;
	return query_fault(link, "COM_BINLOG_DUMP", since, fault);
}

void link_take_over(struct link *link, int *ret_fd, void **ret_ssl, struct slice *ret_ahead)
{
	MARIADB_PVIO *pvio = link->mysql->net.pvio;
	*ret_fd = mysql_get_socket(link->mysql);
	*ret_ssl = pvio->ctls ? pvio->ctls->ssl : NULL;
	uint8_t *end = pvio->cache + pvio->cache_size;
	*ret_ahead = pvio->cache && end > pvio->cache_pos
		? slice_of(pvio->cache_pos, (size_t)(end - pvio->cache_pos))
		: (struct slice){0};
	int flags = fcntl(*ret_fd, F_GETFL);
	if (flags >= 0)
		(void)fcntl(*ret_fd, F_SETFL, flags | O_NONBLOCK);
}
