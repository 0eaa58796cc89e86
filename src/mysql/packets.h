/* Packets of the MySQL protocol, read straight from the socket and handed out where they lie.
 *
 * One large recv fetches many packets; a packet is a length of three bytes, a sequence number and a
 * payload; payloads of 16 MiB and more come in parts, which are joined here.
 *
 * Invariants: start <= next <= end <= cap; bytes [start, end) are received and not yet handed out,
 * but for [start, next), which is the packet in the caller's hands. What is held is at most
 * PACKETS_ROOM, or one packet of `payload_max` and a little. After an error nothing more can be
 * had.
 *
 * Thread: the owner's. */
#ifndef MYSQL_PACKETS_H
#define MYSQL_PACKETS_H

#include <stdatomic.h>

#include "base/bytes.h"

enum {
	PACKETS_ROOM = 256 * 1024, /* fits the second cache beside what the decoder touches */
	PACKET_HEADER_SIZE = 4,
	PACKET_PART_MAX = 0xffffff,    /* a part of this length is followed by another one */
	PACKETS_SLICE_US = 100 * 1000, /* how long a wait does not look at `stop` */
};

struct packets {
	int fd;    /* not owned, does not block */
	void *ssl; /* OpenSSL's SSL of a connection over TLS, not owned; else NULL */
	const atomic_bool *stop;
	size_t payload_max;

	uint8_t *at;
	size_t cap, start, next, end;
	uint8_t sequence; /* of the next part */
	short events;     /* what poll waits for: POLLIN, or what TLS asks for */
	uint64_t received;
	bool ended; /* the peer closed, or an error */
};

/* `first` are bytes that somebody else has read from the connection already. The next packet has
 * the sequence number `sequence`. */
void packets_init(struct packets *packets, int fd, void *ssl, const atomic_bool *stop,
	size_t payload_max, uint8_t sequence, struct slice first);
void packets_release(struct packets *packets); /* accepts a zeroed one */

/* The next payload, valid until the next call. Waits for it as long as bytes come at least every
 * `quiet_us`: RC_TIMEOUT else. RC_STOPPED, RC_UNREACHABLE (closed or broken, also inside of a
 * packet), RC_PROTOCOL (sequence), RC_LIMIT (longer than payload_max; `ret_payload` has the
 * beginning that is there). Faults do not say which peer. */
MUST_USE enum rc packets_next(
	struct packets *packets, int64_t quiet_us, struct slice *ret_payload, struct fault *fault);

/* Whether a whole packet is here, or the socket has bytes. */
bool packets_has_more(const struct packets *packets);

#endif
