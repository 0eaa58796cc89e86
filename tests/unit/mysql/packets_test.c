#include "unit.h"

#include "base/buf.h"
#include "mysql/packets.c"

#include <fcntl.h>
#include <pthread.h>

enum { QUIET_US = 300000 };

struct peer {
	int fd, ours;
	pthread_t thread;
	struct slice bytes;
	size_t piece;
	struct packets packets;
};

static void *send_all(void *arg)
{
	struct peer *peer = arg;
	size_t at = 0;
	while (at < peer->bytes.len) {
		size_t len = peer->bytes.len - at;
		if (peer->piece && peer->piece < len)
			len = peer->piece;
		ssize_t sent = send(peer->fd, peer->bytes.at + at, len, MSG_NOSIGNAL);
		if (sent < 0)
			break;
		at += (size_t)sent;
	}
	shutdown(peer->fd, SHUT_WR);
	return NULL;
}

static void start(struct peer *peer, struct slice bytes, size_t piece, size_t payload_max)
{
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	*peer = (struct peer){.fd = pair[0], .ours = pair[1], .bytes = bytes, .piece = piece};
	packets_init(&peer->packets, pair[1], NULL, NULL, payload_max, 1, (struct slice){0});
	assert_int_equal(pthread_create(&peer->thread, NULL, send_all, peer), 0);
}

static void finish(struct peer *peer)
{
	close(peer->ours);
	pthread_join(peer->thread, NULL);
	close(peer->fd);
	packets_release(&peer->packets);
}

/* A packet of `len` bytes that all say which one it is, in parts. */
static void put_packet(struct buf *out, uint8_t *sequence, size_t len)
{
	uint8_t mark = (uint8_t)(len * 7 + 1);
	size_t part;
	do {
		part = len < PACKET_PART_MAX ? len : PACKET_PART_MAX;
		buf_u8(out, (uint8_t)part);
		buf_u8(out, (uint8_t)(part >> 8));
		buf_u8(out, (uint8_t)(part >> 16));
		buf_u8(out, (*sequence)++);
		uint8_t *at = buf_reserve(out, part);
		memset(at, mark, part);
		out->len += part;
		len -= part;
	} while (part == PACKET_PART_MAX);
}

static void expect_packet(struct peer *peer, size_t len)
{
	struct slice payload;
	struct fault fault;
	assert_rc(packets_next(&peer->packets, QUIET_US, &payload, &fault));
	assert_int_equal(payload.len, len);
	uint8_t mark = (uint8_t)(len * 7 + 1);
	for (size_t i = 0; i < len; i++) {
		if (payload.at[i] != mark)
			fail_msg("byte %zu of %zu is wrong", i, len);
	}
}

static void expect_end(struct peer *peer)
{
	struct slice payload;
	struct fault fault;
	assert_int_equal(packets_next(&peer->packets, QUIET_US, &payload, &fault), RC_UNREACHABLE);
	assert_string_equal(fault.text, "the server closed the connection");
}

/* The lengths of a stream that has everything: empty ones, many in one recv, one across the end of
 * the buffer, more than 255 in a row. */
static const size_t mixed[] = {0, 1, 5, 100, 8192, 250000, 3, 262140, 262144, 300000, 7};

static void put_mixed(struct buf *out)
{
	uint8_t sequence = 1;
	for (size_t i = 0; i < sizeof mixed / sizeof mixed[0]; i++)
		put_packet(out, &sequence, mixed[i]);
	for (size_t i = 0; i < 300; i++)
		put_packet(out, &sequence, i);
}

static void expect_mixed(struct peer *peer)
{
	for (size_t i = 0; i < sizeof mixed / sizeof mixed[0]; i++)
		expect_packet(peer, mixed[i]);
	for (size_t i = 0; i < 300; i++)
		expect_packet(peer, i);
	expect_end(peer);
}

static void packets_come_as_they_were_sent(void **state)
{
	(void)state;
	struct buf bytes = buf_of(8 << 20);
	put_mixed(&bytes);
	static const size_t pieces[] = {0, 1000003, 65536, 4099, 17};
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		struct peer peer;
		start(&peer, buf_as_slice(&bytes), pieces[i], 1 << 20);
		expect_mixed(&peer);
		assert_int_equal(peer.packets.received, bytes.len);
		finish(&peer);
	}
	buf_release(&bytes);
}

static void parts_are_joined_and_their_memory_given_back(void **state)
{
	(void)state;
	static const size_t lengths[] = {PACKET_PART_MAX - 1, PACKET_PART_MAX, PACKET_PART_MAX + 1,
		2 * (size_t)PACKET_PART_MAX, 2 * (size_t)PACKET_PART_MAX + 5, 40000000};
	struct buf bytes = buf_of(200u << 20);
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		uint8_t sequence = 1;
		struct peer peer;
		buf_reset(&bytes);
		put_packet(&bytes, &sequence, 10);
		put_packet(&bytes, &sequence, lengths[i]);
		for (size_t n = 0; n < 100; n++)
			put_packet(&bytes, &sequence, 4000 + n);
		start(&peer, buf_as_slice(&bytes), i == 4 ? 100003 : 0, 64u << 20);
		expect_packet(&peer, 10);
		expect_packet(&peer, lengths[i]);
		assert_true(peer.packets.cap < lengths[i] + (1 << 20));
		for (size_t n = 0; n < 100; n++)
			expect_packet(&peer, 4000 + n);
		assert_int_equal(peer.packets.cap, PACKETS_ROOM);
		expect_end(&peer);
		finish(&peer);
	}
	buf_release(&bytes);
}

static void a_cut_at_any_byte_is_unreachable(void **state)
{
	(void)state;
	struct buf bytes = buf_of(1 << 20);
	uint8_t sequence = 1;
	static const size_t lengths[] = {3, 0, 40, 1};
	for (size_t i = 0; i < 4; i++)
		put_packet(&bytes, &sequence, lengths[i]);
	for (size_t cut = 0; cut < bytes.len; cut++) {
		struct peer peer;
		struct slice payload;
		struct fault fault;
		start(&peer, slice_of(bytes.at, cut), 0, 1000);
		enum rc rc;
		size_t whole = 0, end = 0;
		while ((rc = packets_next(&peer.packets, QUIET_US, &payload, &fault)) == RC_OK)
			end += PACKET_HEADER_SIZE + lengths[whole++];
		assert_int_equal(rc, RC_UNREACHABLE);
		assert_true(end <= cut);
		assert_string_equal(fault.text,
			end == cut ? "the server closed the connection"
				   : "the server closed the connection inside of a packet");
		rc = packets_next(&peer.packets, QUIET_US, &payload, &fault);
		assert_int_equal(rc, RC_UNREACHABLE); /* for good */
		finish(&peer);
	}
	buf_release(&bytes);
}

static void a_wrong_sequence_number_is_nonsense(void **state)
{
	(void)state;
	for (int where = 0; where < 3; where++) {
		struct buf bytes = buf_of(40u << 20);
		uint8_t sequence = 1;
		struct peer peer;
		struct slice payload;
		struct fault fault;
		put_packet(&bytes, &sequence, 9);
		size_t begin = bytes.len;
		put_packet(&bytes, &sequence, where == 2 ? PACKET_PART_MAX + 3 : 5);
		/* The first packet, the second, or the second's second part. */
		bytes.at[where == 0          ? 3
				: where == 1 ? begin + 3
					     : begin + PACKET_HEADER_SIZE + PACKET_PART_MAX + 3] =
			77;
		start(&peer, buf_as_slice(&bytes), 0, 32u << 20);
		if (where > 0)
			expect_packet(&peer, 9);
		assert_int_equal(
			packets_next(&peer.packets, QUIET_US, &payload, &fault), RC_PROTOCOL);
		assert_non_null(strstr(fault.text, "packet number 77 came where"));
		finish(&peer);
		buf_release(&bytes);
	}
}

static void a_packet_above_the_limit_is_refused_before_it_is_read(void **state)
{
	(void)state;
	for (size_t parts = 0; parts < 3; parts++) {
		struct buf bytes = buf_of(80u << 20);
		uint8_t sequence = 1;
		struct peer peer;
		struct slice payload;
		struct fault fault;
		size_t max = parts * PACKET_PART_MAX + 1000;
		put_packet(&bytes, &sequence, max);
		put_packet(&bytes, &sequence, max + 1);
		start(&peer, buf_as_slice(&bytes), 0, max);
		expect_packet(&peer, max);
		assert_int_equal(packets_next(&peer.packets, QUIET_US, &payload, &fault), RC_LIMIT);
		assert_true(payload.len <= max + SLACK);
		assert_true(parts == 0 || payload.len > 0);
		finish(&peer);
		buf_release(&bytes);
	}
}

static void silence_times_out_and_stop_is_seen(void **state)
{
	(void)state;
	int pair[2];
	struct packets packets;
	struct slice payload;
	struct fault fault;
	atomic_bool stop = false;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	packets_init(&packets, pair[1], NULL, &stop, 100, 1, (struct slice){0});
	int64_t since = clock_monotonic_us();
	assert_int_equal(packets_next(&packets, 250000, &payload, &fault), RC_TIMEOUT);
	int64_t took = clock_monotonic_us() - since;
	assert_true(took >= 250000 && took < 600000);
	packets_release(&packets);

	packets_init(&packets, pair[1], NULL, &stop, 100, 1, (struct slice){0});
	atomic_store(&stop, true);
	assert_int_equal(packets_next(&packets, 10000000, &payload, &fault), RC_STOPPED);
	packets_release(&packets);
	close(pair[0]);
	close(pair[1]);
}

static void bytes_read_ahead_come_first(void **state)
{
	(void)state;
	int pair[2];
	struct packets packets;
	struct slice payload;
	struct fault fault;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	packets_init(&packets, pair[1], NULL, NULL, 100, 1, SLICE("\3\0\0\1abc\2\0\0\2x"));
	assert_true(packets_has_more(&packets));
	assert_rc(packets_next(&packets, QUIET_US, &payload, &fault));
	assert_slice(payload, "abc");
	assert_false(packets_has_more(&packets));
	assert_int_equal(send(pair[0], "y", 1, 0), 1);
	assert_true(packets_has_more(&packets));
	assert_rc(packets_next(&packets, QUIET_US, &payload, &fault));
	assert_slice(payload, "xy");
	assert_false(packets_has_more(&packets));
	packets_release(&packets);
	close(pair[0]);
	close(pair[1]);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(packets_come_as_they_were_sent),
	cmocka_unit_test(parts_are_joined_and_their_memory_given_back),
	cmocka_unit_test(a_cut_at_any_byte_is_unreachable),
	cmocka_unit_test(a_wrong_sequence_number_is_nonsense),
	cmocka_unit_test(a_packet_above_the_limit_is_refused_before_it_is_read),
	cmocka_unit_test(silence_times_out_and_stop_is_seen),
	cmocka_unit_test(bytes_read_ahead_come_first),
};
UNIT_MAIN(tests)
