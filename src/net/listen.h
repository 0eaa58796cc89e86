/* An address to listen on, from its text to a listening socket. Inside the room net.
 *
 * Thread: any. */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include "base/bytes.h"

enum { LISTEN_ADDRESS_MAX = 64 };

/* Listens on HOST:PORT, [IPv6]:PORT or :PORT (every interface, both families). The socket does not
 * block. RC_CONFIG for a text that is no address, RC_IO when the system refuses, both with the way
 * out. `ret_address` has the real port. */
MUST_USE enum rc listen_open(
	const char *text, int *ret_fd, char ret_address[LISTEN_ADDRESS_MAX], struct fault *fault);

#endif
