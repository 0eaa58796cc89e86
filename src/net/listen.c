/* An address to listen on; see listen.h. */
#include "net/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	HOST_MAX = 256,
	QUEUE = 128,
};

/* A peer that takes nothing of its answer for so long is gone. A variable so that a test can
 * shorten it. */
static int unread_ms = 30000;

struct endpoint {
	char host[HOST_MAX]; /* "": every interface */
	uint16_t port;
};

static bool read_port(const char *text, uint16_t *ret_port)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long port = strtoul(text, NULL, 10);
	if (digits == 0 || digits > 5 || text[digits] != 0 || port > UINT16_MAX)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

static bool split(const char *text, struct endpoint *ret_endpoint)
{
	const char *colon = strrchr(text, ':');
	if (!colon || !read_port(colon + 1, &ret_endpoint->port))
		return false;
	size_t len = (size_t)(colon - text);
	bool in_brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';
	if (in_brackets) {
		text++;
		len -= 2;
	}
	if (len >= HOST_MAX || (!in_brackets && memchr(text, ':', len)))
		return false;
	memcpy(ret_endpoint->host, text, len);
	ret_endpoint->host[len] = 0;
	return true;
}

static enum rc not_an_address(const char *text, const char *why, struct fault *fault)
{
	enum rc rc = fault_set(fault, RC_CONFIG, "'%s' is not an address to listen on%s%s", text,
		why[0] ? ": " : "", why);
	fault_hint(
		fault, "write it as HOST:PORT, [IPv6]:PORT or :PORT, for example 127.0.0.1:8080");
	return rc;
}

static enum rc refused(const char *text, struct fault *fault)
{
	int number = errno;
	enum rc rc = fault_errno(fault, RC_IO, "cannot listen on '%s'", text);
	if (number == EADDRINUSE)
		fault_hint(fault,
			"another program listens there (`ss -ltnp` names it): stop it, or "
			"choose another port");
	else if (number == EACCES)
		fault_hint(fault,
			"ports below 1024 are for root (CAP_NET_BIND_SERVICE): choose "
			"one from 1024 on");
	else if (number == EADDRNOTAVAIL)
		fault_hint(fault,
			"no interface of this machine has that address (`ip address` "
			"lists them)");
	return rc;
}

static void set_option(int fd, int level, int option, int value)
{
	(void)setsockopt(fd, level, option, &value, sizeof value);
}

/* -1 and errno. Accepted sockets inherit the options. */
static int open_at(const struct sockaddr *address, socklen_t len)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, unread_ms);
	if (address->sa_family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	if (bind(fd, address, len) == 0 && listen(fd, QUEUE) == 0)
		return fd;
	int number = errno;
	(void)close(fd);
	errno = number;
	return -1;
}

/* One socket for both families; where the machine has no IPv6, for the other alone. */
static int open_everywhere(uint16_t port)
{
	struct sockaddr_in6 both = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
	both.sin6_port = htons(port);
	int fd = open_at((struct sockaddr *)&both, sizeof both);
	if (fd >= 0 || (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL))
		return fd;
	struct sockaddr_in old = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
	old.sin_port = both.sin6_port;
	return open_at((struct sockaddr *)&old, sizeof old);
}

static enum rc open_host(
	const char *text, const struct endpoint *endpoint, int *ret_fd, struct fault *fault)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	char port[6];
	(void)snprintf(port, sizeof port, "%u", endpoint->port);
	int code = getaddrinfo(endpoint->host, port, &hints, &found);
	if (code != 0)
		return not_an_address(text, gai_strerror(code), fault);
	*ret_fd = open_at(found->ai_addr, found->ai_addrlen);
	enum rc rc = *ret_fd < 0 ? refused(text, fault) : RC_OK;
	freeaddrinfo(found);
	return rc;
}

static void write_address(int fd, char ret_address[LISTEN_ADDRESS_MAX])
{
	struct sockaddr_storage own = {0};
	socklen_t len = sizeof own;
	char host[INET6_ADDRSTRLEN] = "", port[6] = "";
	(void)getsockname(fd, (struct sockaddr *)&own, &len);
	(void)getnameinfo((struct sockaddr *)&own, len, host, sizeof host, port, sizeof port,
		NI_NUMERICHOST | NI_NUMERICSERV);
	(void)snprintf(ret_address, LISTEN_ADDRESS_MAX, strchr(host, ':') ? "[%s]:%s" : "%s:%s",
		host, port);
}

enum rc listen_open(
	const char *text, int *ret_fd, char ret_address[LISTEN_ADDRESS_MAX], struct fault *fault)
{
	struct endpoint endpoint = {0};
	if (!split(text, &endpoint))
		return not_an_address(text, "", fault);
	int fd = -1;
	if (endpoint.host[0]) {
		enum rc rc = open_host(text, &endpoint, &fd, fault);
		if (rc != RC_OK)
			return rc;
	} else {
		fd = open_everywhere(endpoint.port);
		if (fd < 0)
			return refused(text, fault);
	}
	write_address(fd, ret_address);
	*ret_fd = fd;
	return RC_OK;
}
