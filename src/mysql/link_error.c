/* What the numbers of errors mean: one table for connecting, asking and dumping.
 *
 * Numbers below 2000 and above 3000 are the server's, 2000 to 2999 and 5000 to 5999 the client
 * library's. Pure functions. */
#include <stdio.h>

#include "mysql/link.h"

enum { LIBRARY_FIRST = 2000, LIBRARY_LAST = 2999, TLS_FAILED = 2026 };

struct known_error {
	unsigned number;
	enum rc rc;
	const char *hint;
};

/* clang-format off */
static const struct known_error known_errors[] = {
	{1040, RC_UNREACHABLE, "the server has no connection to spare: raise max_connections"},
	{1042, RC_UNREACHABLE, "the server could not resolve our address: see skip_name_resolve"},
	{1044, RC_PRIVILEGE, ""},
	{1045, RC_DENIED, "check source.user and source.password; an account that demands TLS answers the same to a plain connection (source.tls)"},
	{1053, RC_UNREACHABLE, ""}, /* shutting down */
	{1105, RC_REFUSED, ""},
	{1129, RC_DENIED, "the server blocks this host after too many failed connections: FLUSH HOSTS (MySQL 8.4: TRUNCATE performance_schema.host_cache)"},
	{1130, RC_DENIED, "no account of the server admits this host: CREATE USER 'name'@'this host'"},
	{1142, RC_PRIVILEGE, ""},
	{1143, RC_PRIVILEGE, ""},
	{1152, RC_UNREACHABLE, ""}, /* aborted connection, and four kinds of broken ones */
	{1158, RC_UNREACHABLE, ""},
	{1159, RC_UNREACHABLE, ""},
	{1160, RC_UNREACHABLE, ""},
	{1161, RC_UNREACHABLE, ""},
	{1184, RC_UNREACHABLE, ""},
	{1203, RC_UNREACHABLE, "the user has as many connections as max_user_connections allows"},
	{1226, RC_UNREACHABLE, "a limit of the account (MAX_USER_CONNECTIONS, MAX_CONNECTIONS_PER_HOUR ...) is reached"},
	{1227, RC_PRIVILEGE, ""},
	{1251, RC_DENIED, "the account uses a way to log in that is too old: ALTER USER ... IDENTIFIED BY"},
	{1317, RC_UNREACHABLE, ""}, /* somebody killed the statement, or the dump */
	{1370, RC_PRIVILEGE, ""},
	{1381, RC_UNFIT, "switch the binary log on: log_bin=binlog and server_id=1 under [mysqld] in my.cnf, then restart the server"},
	{1524, RC_DENIED, "the account's authentication plugin is not loaded in the server"},
	{1698, RC_DENIED, "the account logs in by the operating system's user: give it a password, or run as that user over source.socket"},
	{1820, RC_DENIED, "the account must change its password first: ALTER USER ... IDENTIFIED BY"},
	{1862, RC_DENIED, "the account's password has expired: ALTER USER ... IDENTIFIED BY"},
	{1927, RC_UNREACHABLE, ""}, /* killed */
	{3032, RC_UNREACHABLE, "the server is in offline_mode"},
	{3118, RC_DENIED, "the account is locked: ALTER USER ... ACCOUNT UNLOCK"},
	{3159, RC_DENIED, "the server takes encrypted connections only: source.tls: required"},
	{4031, RC_UNREACHABLE, ""}, /* idle for too long */
	{4151, RC_DENIED, "the account is locked: ALTER USER ... ACCOUNT UNLOCK"},
	{4166, RC_DENIED, "the account's password has expired: ALTER USER ... IDENTIFIED BY"},

	{2001, RC_UNREACHABLE, ""},
	{2002, RC_UNREACHABLE, "is the server running, and does it listen there (port, bind_address, socket)?"},
	{2003, RC_UNREACHABLE, "is the server running, and does it listen there (port, bind_address, skip_networking)?"},
	{2004, RC_UNREACHABLE, ""},
	{2005, RC_UNREACHABLE, "check the name in source.host"},
	{2006, RC_UNREACHABLE, ""},
	{2013, RC_UNREACHABLE, ""},
	{TLS_FAILED, RC_DENIED, "source.tls_ca must name the authority that signed the server's certificate, and source.host a name in it; source.tls_cert and source.tls_key where the account demands a certificate"},
	{2049, RC_DENIED, "the account uses a way to log in that is too old: ALTER USER ... IDENTIFIED BY"},
	{2055, RC_UNREACHABLE, ""},
	{2059, RC_DENIED, "the client library lacks this authentication plugin: install it, or ALTER USER ... IDENTIFIED WITH another one"},
	{2061, RC_DENIED, ""},
	{5010, RC_DENIED, "this plugin sends the password in the clear, which is only done after checking who answers: source.tls: verify"},
};
/* clang-format on */

static const struct known_error *find(unsigned number)
{
	for (size_t i = 0; i < sizeof known_errors / sizeof known_errors[0]; i++) {
		if (known_errors[i].number == number)
			return &known_errors[i];
	}
	return NULL;
}

/* TLS fails for good when it is about certificates or versions; a connection that went away on the
 * way is another matter. */
static bool tls_was_cut(const char *text)
{
	static const char *const signs[] = {"unexpected eof", "reset by peer", "Broken pipe",
		"timed out", "error: Success", "error: Resource temporarily"};
	for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
		if (strstr(text, signs[i]))
			return true;
	}
	return false;
}

/* The number of the operating system's error that ends a text of the library: "... (111)", "...
 * system error: 110"; 0 without one. */
static unsigned system_error_in(const char *text)
{
	size_t end = strlen(text);
	if (end > 0 && text[end - 1] == ')')
		end--;
	size_t begin = end;
	while (begin > 0 && text[begin - 1] >= '0' && text[begin - 1] <= '9')
		begin--;
	unsigned number = 0;
	for (size_t i = begin; i < end && i < begin + 6; i++)
		number = number * 10 + (unsigned)(text[i] - '0');
	return begin > 0 && (text[begin - 1] == '(' || text[begin - 1] == ' ') ? number : 0;
}

enum { TIMED_OUT = 110, NO_FILE = 2, NO_ACCESS = 13 }; /* as Linux counts */

enum rc link_error_rc(unsigned number, const char *text)
{
	const struct known_error *error = find(number);
	bool of_library = number >= LIBRARY_FIRST && number <= LIBRARY_LAST;
	if (!error)
		return of_library ? RC_PROTOCOL : RC_REFUSED;
	enum rc rc = number == TLS_FAILED && tls_was_cut(text) ? RC_UNREACHABLE : error->rc;
	if (of_library && rc == RC_UNREACHABLE && system_error_in(text) == TIMED_OUT)
		return RC_TIMEOUT;
	return rc;
}

const char *link_error_hint(unsigned number, const char *text)
{
	const struct known_error *error = find(number);
	if (!error)
		return "";
	if (number == TLS_FAILED && tls_was_cut(text))
		return "";
	if (number == TLS_FAILED && strstr(text, "server does not support it"))
		return "set up TLS on the server (ssl_cert, ssl_key), or allow plain connections: "
		       "source.tls: preferred";
	if (number == 2002 && system_error_in(text) == NO_FILE)
		return "there is no such socket: see the server's setting socket, or connect by "
		       "source.host and source.port";
	if (number == 2002 && system_error_in(text) == NO_ACCESS)
		return "the socket, or the folder it is in, is closed to the user that we run as";
	if (number >= LIBRARY_FIRST && number <= LIBRARY_LAST && system_error_in(text) == TIMED_OUT)
		return "nothing answers there: a firewall, a wrong host or port, or "
		       "source.connect_timeout is too short";
	return error->hint;
}

/* "Access denied; you need (at least one of) the REPLICATION SLAVE privilege(s) for this
 * operation": what stands between "the " and " privilege". */
static struct slice named_privilege(const char *text)
{
	const char *end = strstr(text, " privilege");
	if (!end)
		return (struct slice){0};
	static const char before[] = "of) the ";
	const char *begin = strstr(text, before);
	if (!begin || begin > end)
		return (struct slice){0};
	begin += sizeof before - 1;
	for (const char *comma = begin; comma < end; comma++) {
		if (comma[0] == ',' && comma[1] == ' ')
			begin = comma + 2;
	}
	return slice_of(begin, (size_t)(end - begin));
}

enum rc link_error_set(struct fault *fault, const char *what, unsigned number, const char *text,
	const char *account)
{
	enum rc rc = link_error_rc(number, text);
	(void)fault_set(fault, rc, "%s: %s (error %u)", what, text, number);
	fault_hint(fault, "%s", link_error_hint(number, text));
	struct slice privilege = named_privilege(text);
	if (rc != RC_PRIVILEGE || !account)
		return rc;
	if (privilege.len > 0)
		fault_hint(fault, "GRANT %.*s ON *.* TO %s", SLICE_ARGS(privilege), account);
	else
		fault_hint(fault, "GRANT SELECT ON the database or table TO %s", account);
	return rc;
}
