/* Packets from a socket; see packets.h. */
#include "mysql/packets.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"

/* How much more than a packet that does not fit into PACKETS_ROOM is held: the header behind it and
 * the beginning of the next packet. */
enum { SLACK = 64 * 1024 };

void packets_init(struct packets *packets, int fd, void *ssl, const atomic_bool *stop,
	size_t payload_max, uint8_t sequence, struct slice first)
{
	*packets = (struct packets){
		.fd = fd,
		.ssl = ssl,
		.stop = stop,
		.payload_max = payload_max,
		.cap = PACKETS_ROOM > first.len ? PACKETS_ROOM : first.len,
		.sequence = sequence,
		.events = POLLIN,
	};
	packets->at = mem_resize(NULL, packets->cap);
	if (ssl) /* one read a record, not one for its header besides */
		SSL_set_read_ahead(ssl, 1);
	if (first.len > 0)
		memcpy(packets->at, first.at, first.len);
	packets->end = first.len;
	packets->received = first.len;
}

void packets_release(struct packets *packets)
{
	mem_free(packets->at);
	*packets = (struct packets){0};
}

/* Bytes, 0 when there are none for now (`events` says what to wait for), -1 at the end (errno 0)
 * or after an error. */
static ssize_t read_tls(struct packets *packets, uint8_t *at, size_t len)
{
	ERR_clear_error();
	size_t got = 0;
	errno = 0;
	int answer = SSL_read_ex(packets->ssl, at, len, &got);
	if (answer == 1) {
		packets->events = POLLIN;
		return (ssize_t)got;
	}
	switch (SSL_get_error(packets->ssl, answer)) {
	case SSL_ERROR_WANT_READ:
		packets->events = POLLIN;
		return 0;
	case SSL_ERROR_WANT_WRITE:
		packets->events = POLLOUT;
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		errno = 0;
		return -1;
	case SSL_ERROR_SYSCALL:
		return -1;
	default: /* cut without a close, or a broken record: nobody may go on with either */
		errno = ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING
			? 0
			: EPROTO;
		return -1;
	}
}

static ssize_t read_plain(struct packets *packets, uint8_t *at, size_t len)
{
	for (;;) {
		ssize_t got = recv(packets->fd, at, len, MSG_DONTWAIT);
		if (got > 0)
			return got;
		if (got == 0) {
			errno = 0;
			return -1;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return 0;
		if (errno != EINTR)
			return -1;
	}
}

static bool stopped(const struct packets *packets)
{
	return packets->stop && atomic_load_explicit(packets->stop, memory_order_relaxed);
}

/* Waits until the socket has something, in slices. */
static enum rc wait_readable(struct packets *packets, int64_t quiet_us, struct fault *fault)
{
	int64_t since = clock_monotonic_us();
	for (;;) {
		int64_t left = quiet_us - (clock_monotonic_us() - since);
		if (left <= 0)
			return fault_set(fault, RC_TIMEOUT, "nothing came for %lld ms",
				(long long)(quiet_us / 1000));
		if (left > PACKETS_SLICE_US)
			left = PACKETS_SLICE_US;
		struct pollfd wanted = {.fd = packets->fd, .events = packets->events};
		int ready = poll(&wanted, 1, (int)((left + 999) / 1000));
		if (stopped(packets))
			return fault_set(fault, RC_STOPPED, "asked to stop");
		if (ready > 0)
			return RC_OK;
		if (ready < 0 && errno != EINTR)
			return fault_errno(fault, RC_IO, "cannot wait for the socket");
	}
}

static enum rc lost(const struct packets *packets, struct fault *fault)
{
	const char *where = packets->end > packets->start ? " inside of a packet" : "";
	if (errno == 0)
		return fault_set(
			fault, RC_UNREACHABLE, "the server closed the connection%s", where);
	return fault_errno(fault, RC_UNREACHABLE, "the connection was lost%s", where);
}

/* Makes room so that `need` bytes from `start` on fit, and some more to read into. */
static void make_room(struct packets *packets, size_t need)
{
	size_t have = packets->end - packets->start;
	if (packets->start > 0) {
		memmove(packets->at, packets->at + packets->start, have);
		packets->start = 0;
		packets->end = have;
	}
	size_t cap = need <= PACKETS_ROOM ? PACKETS_ROOM : need + SLACK;
	if (cap > packets->cap || (cap < packets->cap && have <= cap)) {
		packets->at = mem_resize(packets->at, cap);
		packets->cap = cap;
	}
}

/* Waits until `need` bytes from `start` on are there. */
static enum rc fill(struct packets *packets, size_t need, int64_t quiet_us, struct fault *fault)
{
	while (packets->end - packets->start < need) {
		if (packets->start > 0 || packets->cap < need || packets->cap > PACKETS_ROOM)
			make_room(packets, need);
		uint8_t *at = packets->at + packets->end;
		size_t room = packets->cap - packets->end;
		ssize_t got =
			packets->ssl ? read_tls(packets, at, room) : read_plain(packets, at, room);
		if (got < 0)
			return lost(packets, fault);
		packets->end += (size_t)got;
		packets->received += (size_t)got;
		if (got > 0)
			continue;
		enum rc rc = wait_readable(packets, quiet_us, fault);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

static enum rc check_sequence(struct packets *packets, uint8_t sequence, struct fault *fault)
{
	if (sequence == packets->sequence) {
		packets->sequence++;
		return RC_OK;
	}
	return fault_set(fault, RC_PROTOCOL, "packet number %u came where %u was expected",
		sequence, packets->sequence);
}

/* Gathers a packet that is not whole yet, or comes in parts. `start` stands on its first header;
 * the headers of later parts are taken out, so that the payload lies in one piece. */
static enum rc gather(
	struct packets *packets, int64_t quiet_us, struct slice *ret_payload, struct fault *fault)
{
	size_t payload = 0; /* of the parts before */
	size_t length;
	do {
		size_t need = PACKET_HEADER_SIZE + payload + (payload > 0 ? PACKET_HEADER_SIZE : 0);
		enum rc rc = fill(packets, need, quiet_us, fault);
		if (rc != RC_OK)
			return rc;
		uint8_t *header = packets->at + packets->start + need - PACKET_HEADER_SIZE;
		length = load_u24le(header);
		rc = check_sequence(packets, header[3], fault);
		if (rc != RC_OK)
			return rc;
		if (payload > 0) {
			uint8_t *behind = header + PACKET_HEADER_SIZE;
			memmove(header, behind, (size_t)(packets->at + packets->end - behind));
			packets->end -= PACKET_HEADER_SIZE;
		}
		if (length > packets->payload_max - payload) {
			size_t here = packets->end - packets->start - PACKET_HEADER_SIZE;
			*ret_payload =
				slice_of(packets->at + packets->start + PACKET_HEADER_SIZE, here);
			return fault_set(fault, RC_LIMIT, "a packet is longer than %zu bytes",
				packets->payload_max);
		}
		payload += length;
		rc = fill(packets, PACKET_HEADER_SIZE + payload, quiet_us, fault);
		if (rc != RC_OK)
			return rc;
	} while (length == PACKET_PART_MAX);
	*ret_payload = slice_of(packets->at + packets->start + PACKET_HEADER_SIZE, payload);
	packets->next = packets->start + PACKET_HEADER_SIZE + payload;
	return RC_OK;
}

enum rc packets_next(
	struct packets *packets, int64_t quiet_us, struct slice *ret_payload, struct fault *fault)
{
	if (packets->ended)
		return fault_set(fault, RC_UNREACHABLE, "the connection ended before");
	if (stopped(packets))
		return fault_set(fault, RC_STOPPED, "asked to stop");
	packets->start = packets->next;
	if (packets->start == packets->end)
		packets->start = packets->next = packets->end = 0;

	size_t have = packets->end - packets->start;
	const uint8_t *header = packets->at + packets->start;
	size_t length = have < PACKET_HEADER_SIZE ? PACKET_PART_MAX : load_u24le(header);
	if (length == PACKET_PART_MAX || length > have - PACKET_HEADER_SIZE ||
		length > packets->payload_max || header[3] != packets->sequence) {
		enum rc rc = gather(packets, quiet_us, ret_payload, fault);
		packets->ended = rc != RC_OK;
		return rc;
	}
	packets->sequence++;
	*ret_payload = slice_of(header + PACKET_HEADER_SIZE, length);
	packets->next = packets->start + PACKET_HEADER_SIZE + length;
	return RC_OK;
}

bool packets_has_more(const struct packets *packets)
{
	const uint8_t *header = packets->at + packets->next;
	size_t have = packets->end - packets->next;
	if (have >= PACKET_HEADER_SIZE && load_u24le(header) <= have - PACKET_HEADER_SIZE)
		return true;
	if (packets->ended || (packets->ssl && SSL_has_pending(packets->ssl)))
		return true;
	struct pollfd wanted = {.fd = packets->fd, .events = POLLIN};
	return poll(&wanted, 1, 0) > 0;
}
