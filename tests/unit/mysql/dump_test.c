#include "unit.h"

#include "mysql/dump.c"

#include "base/clock.h"
#include "fake_server.h"

static const char *const files[] = {
	"binlog.000006", "900", "binlog.000007", "4294967295", "binlog.000008", "5000000000", NULL};
static const char *const place_of_end[] = {"binlog.000007", "35", NULL};
static const char *const account[] = {"o'brien@%", NULL};
static const char *const gtid_pos[] = {"0-1-100", NULL};
static const struct fake_answer answers[] = {
	{"SHOW BINARY LOGS", 0, 2, files},
	{"SHOW MASTER STATUS", 0, 2, place_of_end},
	{"SELECT CURRENT_USER()", 0, 1, account},
	{"SELECT @@GLOBAL.gtid_binlog_pos", 0, 1, gtid_pos},
	{0},
};

static const struct mysql_server mysql_eight = {.version = 80099, .log_bin = true};
static const struct mysql_server mariadb = {
	.is_mariadb = true, .version = 101119, .log_bin = true, .has_gtids = true};

struct fixture {
	struct fake fake;
	struct binlog *binlog;
	struct binlog_start start;
	const struct mysql_server *server;
	uint8_t sequence;
	atomic_bool stop;
	struct fault fault;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	fake_start(&fixture->fake);
	fixture->fake.answers = answers;
	fixture->start = (struct binlog_start){
		.file = "binlog.000007",
		.pos = 4,
		.replica_id = 5,
		.heartbeat_us = 100000,
		.event_max = 1 << 20,
		.stop = &fixture->stop,
	};
	fixture->server = &mysql_eight;
	fixture->sequence = 1;
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	binlog_close(fixture->binlog);
	fake_stop(&fixture->fake);
	free(fixture);
	return 0;
}

static void put(struct fixture *fixture, unsigned type, uint32_t next_pos, struct slice body)
{
	struct fake_event event = {
		.type = type, .timestamp = 1700000000, .next_pos = next_pos, .body = body};
	fake_event_packet(&fixture->fake.dump, &fixture->sequence, &event);
}

static void put_artificial_rotation(struct fixture *fixture, uint64_t pos, const char *file)
{
	struct fake_event event = {
		.type = BINLOG_ROTATE, .flags = 0x20, .body = fake_rotation(pos, file)};
	fake_event_packet(&fixture->fake.dump, &fixture->sequence, &event);
}

/* The size of an event with its header and checksum. */
static uint32_t size_of(struct slice body)
{
	return (uint32_t)body.len + BINLOG_HEADER_SIZE + CHECKSUM_SIZE;
}

static enum rc open_it(struct fixture *fixture)
{
	struct link *link;
	assert_rc(fake_connect(&fixture->fake, &link, &fixture->fault));
	return binlog_open(
		link, fixture->server, &fixture->start, &fixture->binlog, &fixture->fault);
}

static void expect(struct fixture *fixture, unsigned type, const char *file, uint64_t pos,
	uint64_t next_pos, bool artificial)
{
	struct binlog_event event = {0};
	enum rc rc = binlog_next(fixture->binlog, &event, &fixture->fault);
	if (rc != RC_OK)
		fail_msg("%s: %s", rc_name(rc), fixture->fault.text);
	assert_int_equal(event.type, type);
	assert_string_equal(event.file, file);
	assert_true(event.pos == pos);
	assert_true(event.next_pos == next_pos);
	assert_int_equal(event.artificial, artificial);
}

static void expect_fault(struct fixture *fixture, enum rc rc, const char *text)
{
	struct binlog_event event = {0};
	for (int i = 0; i < 2; i++) { /* it stays so */
		assert_int_equal(binlog_next(fixture->binlog, &event, &fixture->fault), rc);
		if (!strstr(fixture->fault.text, text))
			fail_msg("\"%s\" is not in \"%s\"", text, fixture->fault.text);
	}
}

static void positions_are_those_of_the_file(void **state)
{
	struct fixture *f = *state;
	struct slice format = fake_format(true);
	uint32_t at = 4 + size_of(format);
	put_artificial_rotation(f, 4, "binlog.000007");
	put(f, BINLOG_FORMAT_DESCRIPTION, at, format);
	put(f, BINLOG_XID, at + 31, SLICE("12345678"));
	put(f, BINLOG_HEARTBEAT, at + 31, SLICE("binlog.000007"));
	put(f, BINLOG_ROTATE, at + 31 + 44, fake_rotation(4, "binlog.000008"));
	put_artificial_rotation(f, 4, "binlog.000008");
	put(f, BINLOG_FORMAT_DESCRIPTION, at, format);
	put(f, BINLOG_XID, at + 31, SLICE("12345678"));
	/* A server that crashed wrote no rotation: only the dump tells that the file is another. */
	put_artificial_rotation(f, 4, "binlog.000009");
	f->fake.closes = true;
	assert_rc(open_it(f));
	assert_true(binlog_has_more(f->binlog));
	expect(f, BINLOG_ROTATE, "binlog.000007", 4, 4, true);
	expect(f, BINLOG_FORMAT_DESCRIPTION, "binlog.000007", 4, at, false);
	expect(f, BINLOG_XID, "binlog.000007", at, at + 31, false);
	expect(f, BINLOG_HEARTBEAT, "binlog.000007", at + 31, at + 31, true);
	expect(f, BINLOG_ROTATE, "binlog.000007", at + 31, at + 75, false);
	expect(f, BINLOG_ROTATE, "binlog.000008", 4, 4, true);
	expect(f, BINLOG_FORMAT_DESCRIPTION, "binlog.000008", 4, at, false);
	expect(f, BINLOG_XID, "binlog.000008", at, at + 31, false);
	expect(f, BINLOG_ROTATE, "binlog.000009", 4, 4, true);
	expect_fault(f, RC_UNREACHABLE, "closed the connection");
	assert_int_equal(binlog_received(f->binlog), f->fake.dump.len);
	assert_string_equal(binlog_format(f->binlog)->server_version, "8.0.99-fake");
}

static void a_body_is_what_lies_between_header_and_checksum(void **state)
{
	struct fixture *f = *state;
	struct binlog_event event = {0};
	put_artificial_rotation(f, 100, "binlog.000007");
	put(f, BINLOG_QUERY, 100 + 27, SLICE("body"));
	f->start.pos = 100;
	assert_rc(open_it(f));
	assert_rc(binlog_next(f->binlog, &event, NULL));
	assert_rc(binlog_next(f->binlog, &event, NULL));
	assert_slice(event.body, "body");
	assert_int_equal(event.whole.len, 27);
	assert_int_equal(event.timestamp_s, 1700000000);
	assert_int_equal(event.server_id, 1);
}

static void positions_go_on_beyond_four_gibibytes(void **state)
{
	struct fixture *f = *state;
	uint64_t pos = UINT32_MAX - 50;
	f->start.pos = pos;
	put_artificial_rotation(f, pos, "binlog.000007");
	put(f, BINLOG_FORMAT_DESCRIPTION, 0, fake_format(true));
	for (int i = 0; i < 3; i++)
		put(f, BINLOG_XID, (uint32_t)(pos + 31 * (uint64_t)(i + 1)), SLICE("12345678"));
	/* 2^32 exactly is zero in the header and no artificial event. */
	uint64_t third = pos + 93;
	put(f, BINLOG_XID, (uint32_t)(third + 31), SLICE("12345678"));
	assert_rc(open_it(f));
	expect(f, BINLOG_ROTATE, "binlog.000007", pos, pos, true);
	expect(f, BINLOG_FORMAT_DESCRIPTION, "binlog.000007", pos, pos, true);
	for (uint64_t i = 0; i < 4; i++)
		expect(f, BINLOG_XID, "binlog.000007", pos + 31 * i, pos + 31 * (i + 1), false);
}

static void a_start_beyond_four_gibibytes_steps_over(void **state)
{
	struct fixture *f = *state;
	uint64_t wanted = UINT64_C(0x100000000) + 500;
	uint32_t at = 4 + size_of(fake_format(true));
	f->server = &mariadb; /* may leave events out, so that few make many bytes */
	f->start.file = "binlog.000008";
	f->start.pos = wanted;
	put_artificial_rotation(f, 4, "binlog.000008");
	put(f, BINLOG_FORMAT_DESCRIPTION, at, fake_format(true));
	put(f, BINLOG_XID, 3000000000, SLICE("12345678"));
	put(f, BINLOG_XID, 500, SLICE("12345678"));
	put(f, BINLOG_XID, 531, SLICE("12345678"));
	assert_rc(open_it(f));
	expect(f, BINLOG_ROTATE, "binlog.000008", wanted, wanted, true);
	expect(f, BINLOG_FORMAT_DESCRIPTION, "binlog.000008", wanted, wanted, true);
	expect(f, BINLOG_XID, "binlog.000008", wanted, wanted + 31, false);
	assert_int_equal(f->fake.dump_command[1], 4); /* was asked for from the beginning */
}

static void a_start_inside_of_an_event_is_refused(void **state)
{
	struct fixture *f = *state;
	f->server = &mariadb;
	f->start.file = "binlog.000008";
	f->start.pos = UINT64_C(0x100000000) + 499;
	put_artificial_rotation(f, 4, "binlog.000008");
	put(f, BINLOG_XID, 3000000000, SLICE("12345678"));
	put(f, BINLOG_XID, 500, SLICE("12345678"));
	assert_rc(open_it(f));
	expect(f, BINLOG_ROTATE, "binlog.000008", f->start.pos, f->start.pos, true);
	expect_fault(f, RC_BEHIND, "no event begins at binlog.000008:4294967795");
}

static void events_that_are_left_out_move_the_position(void **state)
{
	struct fixture *f = *state;
	f->server = &mariadb;
	f->start.by_gtid = true;
	f->start.gtids = "0-1-99";
	put_artificial_rotation(f, 4, "binlog.000007");
	put(f, BINLOG_MARIADB_GTID, 1000, SLICE("1234567890123456789"));
	put(f, BINLOG_TABLE_MAP, 0, SLICE("abc")); /* MariaDB 11: inside of a transaction */
	put(f, BINLOG_XID, 1057, SLICE("12345678"));
	assert_rc(open_it(f));
	expect(f, BINLOG_ROTATE, "binlog.000007", 4, 4, true);
	expect(f, BINLOG_MARIADB_GTID, "binlog.000007", 958, 1000, false);
	expect(f, BINLOG_TABLE_MAP, "binlog.000007", 1000, 1026, false);
	expect(f, BINLOG_XID, "binlog.000007", 1026, 1057, false);
	assert_non_null(
		strstr(f->fake.statements, "@slave_connect_state=_utf8mb4 x'302d312d3939'"));
}

static void where_nothing_is_left_out_a_gap_is_damage(void **state)
{
	struct fixture *f = *state;
	put_artificial_rotation(f, 4, "binlog.000007");
	put(f, BINLOG_XID, 36, SLICE("12345678"));
	assert_rc(open_it(f));
	expect(f, BINLOG_ROTATE, "binlog.000007", 4, 4, true);
	expect_fault(f, RC_CORRUPT, "a wrong end of an event XID at binlog.000007:4");
}

static void annotations_come_when_wanted(void **state)
{
	struct fixture *f = *state;
	f->server = &mariadb;
	for (int wanted = 0; wanted < 2; wanted++) {
		buf_reset(&f->fake.dump);
		f->sequence = 1;
		f->start.annotate = wanted;
		put_artificial_rotation(f, 4, "binlog.000007");
		put(f, BINLOG_ANNOTATE_ROWS, 4 + 27, SLICE("sql "));
		put(f, BINLOG_XID, 4 + 27 + 31, SLICE("12345678"));
		assert_rc(open_it(f));
		expect(f, BINLOG_ROTATE, "binlog.000007", 4, 4, true);
		if (wanted)
			expect(f, BINLOG_ANNOTATE_ROWS, "binlog.000007", 4, 31, false);
		expect(f, BINLOG_XID, "binlog.000007", 31, 62, false);
		binlog_close(f->binlog);
		f->binlog = NULL;
	}
}

/* Every bit of an event, of a format too, is covered by its checksum or by other checks. */
static void no_flipped_bit_goes_unnoticed(void **state)
{
	struct fixture *f = *state;
	struct binlog_event event = {0};
	put_artificial_rotation(f, 4, "binlog.000007");
	size_t format_at = f->fake.dump.len;
	put(f, BINLOG_FORMAT_DESCRIPTION, 4 + size_of(fake_format(true)), fake_format(true));
	size_t xid_at = f->fake.dump.len;
	put(f, BINLOG_XID, 4 + size_of(fake_format(true)) + 31, SLICE("12345678"));
	for (size_t at = format_at; at < f->fake.dump.len; at++) {
		if (at == xid_at)
			at += PACKET_HEADER_SIZE + 1;
		if (at == format_at)
			at += PACKET_HEADER_SIZE + 1;
		for (int bit = 0; bit < 8; bit += 3) {
			f->fake.dump.at[at] ^= (uint8_t)(1 << bit);
			assert_rc(open_it(f));
			enum rc rc;
			int seen = 0;
			while ((rc = binlog_next(f->binlog, &event, &f->fault)) == RC_OK)
				seen++;
			if (rc != RC_CORRUPT && rc != RC_PROTOCOL && rc != RC_UNSUPPORTED)
				fail_msg(
					"byte %zu bit %d: %s after %d", at, bit, rc_name(rc), seen);
			assert_int_equal(seen, at < xid_at ? 1 : 2);
			binlog_close(f->binlog);
			f->binlog = NULL;
			f->fake.dump.at[at] ^= (uint8_t)(1 << bit);
		}
	}
}

static void files_without_checksums_are_read(void **state)
{
	struct fixture *f = *state;
	uint32_t at = 4 + size_of(fake_format(false));
	put_artificial_rotation(f, 4, "binlog.000007"); /* summed, as was asked for */
	put(f, BINLOG_FORMAT_DESCRIPTION, at, fake_format(false));
	struct fake_event event = {
		.type = BINLOG_XID, .next_pos = at + 27, .body = SLICE("12345678"), .no_sum = true};
	fake_event_packet(&f->fake.dump, &f->sequence, &event);
	event = (struct fake_event){.type = BINLOG_ROTATE,
		.flags = 0x20,
		.body = fake_rotation(4, "binlog.000008"),
		.no_sum = true};
	fake_event_packet(&f->fake.dump, &f->sequence, &event);
	put(f, BINLOG_FORMAT_DESCRIPTION, at, fake_format(true));
	put(f, BINLOG_XID, at + 31, SLICE("12345678"));
	assert_rc(open_it(f));
	expect(f, BINLOG_ROTATE, "binlog.000007", 4, 4, true);
	expect(f, BINLOG_FORMAT_DESCRIPTION, "binlog.000007", 4, at, false);
	expect(f, BINLOG_XID, "binlog.000007", at, at + 27, false);
	expect(f, BINLOG_ROTATE, "binlog.000008", 4, 4, true);
	expect(f, BINLOG_FORMAT_DESCRIPTION, "binlog.000008", 4, at, false);
	expect(f, BINLOG_XID, "binlog.000008", at, at + 31, false);
}

static void a_large_event_is_handed_out_whole_or_refused_by_name(void **state)
{
	struct fixture *f = *state;
	size_t len = (16u << 20) + 100;
	struct slice body = slice_of(calloc(1, len), len);
	put_artificial_rotation(f, 4, "binlog.000007");
	put(f, BINLOG_WRITE_ROWS, 4 + size_of(body), body);
	put(f, BINLOG_XID, 4 + size_of(body) + 31, SLICE("12345678"));
	f->start.event_max = size_of(body);
	assert_rc(open_it(f));
	expect(f, BINLOG_ROTATE, "binlog.000007", 4, 4, true);
	expect(f, BINLOG_WRITE_ROWS, "binlog.000007", 4, 4 + size_of(body), false);
	expect(f, BINLOG_XID, "binlog.000007", 4 + size_of(body), 4 + size_of(body) + 31, false);
	binlog_close(f->binlog);
	f->binlog = NULL;

	f->start.event_max--;
	assert_rc(open_it(f));
	expect(f, BINLOG_ROTATE, "binlog.000007", 4, 4, true);
	expect_fault(f, RC_LIMIT,
		"an event WRITE_ROWS of 16777339 bytes at binlog.000007:4 is longer than the "
		"16777338 bytes");
	assert_string_equal(f->fault.hint, "raise source.max_row");
	free((void *)(uintptr_t)body.at);
}

static void what_is_not_an_event_is_nonsense(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *bytes;
		size_t len;
		const char *text;
	} cases[] = {
		{"", 0, "sent an empty packet"},
		{"\x07hello", 6, "sent a packet that begins with 0x7"},
		{"\0short", 6, "sent an event of 5 bytes that says it has 0"},
		{"\0aaaabcccc\x20\0\0\0nnnnff1234567", 27,
			"sent an event of 26 bytes that says it has 32"},
		{"\xff\x01", 2, "sent an error without a number"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		buf_reset(&f->fake.dump);
		f->sequence = 1;
		put_artificial_rotation(f, 4, "binlog.000007");
		fake_packet(&f->fake.dump, f->sequence, cases[i].bytes, cases[i].len);
		assert_rc(open_it(f));
		expect(f, BINLOG_ROTATE, "binlog.000007", 4, 4, true);
		expect_fault(f, RC_PROTOCOL, cases[i].text);
		binlog_close(f->binlog);
		f->binlog = NULL;
	}
}

static void an_error_at_once_fails_the_opening(void **state)
{
	struct fixture *f = *state;
	fake_error(&f->fake.dump, 1, 1227,
		"Access denied; you need (at least one of) the REPLICATION SLAVE privilege(s) for "
		"this operation");
	assert_int_equal(open_it(f), RC_PRIVILEGE);
	assert_string_equal(f->fault.hint, "GRANT REPLICATION SLAVE ON *.* TO 'o''brien'@'%'");
}

static void an_error_later_ends_the_dump(void **state)
{
	struct fixture *f = *state;
	put_artificial_rotation(f, 4, "binlog.000007");
	fake_error(&f->fake.dump, f->sequence, 1236,
		"A slave with the same server_uuid/server_id as this slave has connected to the "
		"master; the first event 'binlog.000007' at 4");
	assert_rc(open_it(f));
	expect(f, BINLOG_ROTATE, "binlog.000007", 4, 4, true);
	expect_fault(f, RC_CONFLICT, "(error 1236)");
}

static void the_end_is_an_end_only_where_it_was_asked_for(void **state)
{
	struct fixture *f = *state;
	put_artificial_rotation(f, 4, "binlog.000007");
	put(f, BINLOG_XID, 35, SLICE("12345678"));
	fake_packet(&f->fake.dump, f->sequence, "\xfe\0\0\0\0", 5);
	for (int asked = 0; asked < 2; asked++) {
		f->start.end = asked;
		assert_rc(open_it(f));
		expect(f, BINLOG_ROTATE, "binlog.000007", 4, 4, true);
		expect(f, BINLOG_XID, "binlog.000007", 4, 35, false);
		expect_fault(f, asked ? RC_END : RC_UNREACHABLE, asked ? "end" : "ended");
		assert_int_equal(f->fake.dump_command[5], asked); /* the flag not to wait */
		binlog_close(f->binlog);
		f->binlog = NULL;
	}
}

static void an_end_before_the_end_is_a_lost_connection(void **state)
{
	struct fixture *f = *state;
	put_artificial_rotation(f, 4, "binlog.000007");
	fake_packet(&f->fake.dump, f->sequence, "\xfe\0\0\0\0", 5);
	f->start.end = true;
	assert_rc(open_it(f));
	expect(f, BINLOG_ROTATE, "binlog.000007", 4, 4, true);
	expect_fault(f, RC_UNREACHABLE, "ended the binlog dump at binlog.000007:4");
}

static void places_that_are_not_there_are_told_apart(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *file;
		uint64_t pos;
		enum rc rc;
		const char *text;
	} cases[] = {
		{"binlog.000005", 4, RC_PURGED, "no longer has binlog.000005"},
		{"other.000009", 4, RC_PURGED, "its binlogs are binlog.000006 to binlog.000008"},
		{"binlog.000009", 4, RC_BEHIND, "its newest binlog is binlog.000008"},
		{"binlog.1000000", 4, RC_BEHIND, "its newest binlog is binlog.000008"},
		{"binlog.000006", 901, RC_BEHIND, "binlog.000006 ends at 900"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		f->start.file = cases[i].file;
		f->start.pos = cases[i].pos;
		assert_int_equal(open_it(f), cases[i].rc);
		assert_non_null(strstr(f->fault.text, cases[i].text));
		assert_int_equal(f->fake.dump_command_len, 0); /* not even asked for */
	}
}

static void gtids_that_are_not_there_are_behind(void **state)
{
	struct fixture *f = *state;
	f->server = &mariadb;
	f->start.by_gtid = true;
	static const char *const beyond[] = {"0-1-101", "1-1-1", "0-1-7,3-1-7"};
	for (size_t i = 0; i < 3; i++) {
		f->start.gtids = beyond[i];
		assert_int_equal(open_it(f), RC_BEHIND);
		assert_non_null(strstr(f->fault.text, "(it has 0-1-100)"));
	}
	f->start.gtids = "0-1-x";
	assert_int_equal(open_it(f), RC_CORRUPT);
	f->server = &mysql_eight;
	assert_int_equal(open_it(f), RC_UNFIT); /* no GTIDs there */
	assert_int_equal(f->fake.dump_command_len, 0);
}

static void silence_is_three_missed_heartbeats(void **state)
{
	struct fixture *f = *state;
	put_artificial_rotation(f, 4, "binlog.000007");
	assert_rc(open_it(f));
	expect(f, BINLOG_ROTATE, "binlog.000007", 4, 4, true);
	assert_false(binlog_has_more(f->binlog));
	int64_t since = clock_monotonic_us();
	expect_fault(f, RC_UNREACHABLE, "missed 3 heartbeats in 300 ms");
	int64_t took = clock_monotonic_us() - since;
	assert_true(took >= 300000 && took < 800000);
}

static void *stop_soon(void *arg)
{
	usleep(150000);
	atomic_store((atomic_bool *)arg, true);
	return NULL;
}

static void stop_is_seen_within_a_tenth_of_a_second(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;
	put_artificial_rotation(f, 4, "binlog.000007");
	f->start.heartbeat_us = 60000000;
	assert_rc(open_it(f));
	expect(f, BINLOG_ROTATE, "binlog.000007", 4, 4, true);
	int64_t since = clock_monotonic_us();
	pthread_create(&thread, NULL, stop_soon, &f->stop);
	expect_fault(f, RC_STOPPED, "asked to stop");
	int64_t took = clock_monotonic_us() - since;
	assert_true(took >= 150000 && took < 400000);
	pthread_join(thread, NULL);
}

/* From the greeting to the last event: wherever the connection is cut, nothing hangs, and what was
 * received before is what was sent. */
static void a_cut_anywhere_is_unreachable(void **state)
{
	struct fixture *f = *state;
	struct binlog_event event = {0};
	struct link *link;
	put_artificial_rotation(f, 4, "binlog.000007");
	put(f, BINLOG_FORMAT_DESCRIPTION, 4 + size_of(fake_format(true)), fake_format(true));
	put(f, BINLOG_XID, 4 + size_of(fake_format(true)) + 31, SLICE("12345678"));
	f->start.heartbeat_us = 2000000;
	int opened = 0, complete = 0;
	for (size_t cut = 1; complete == 0; cut++) {
		f->fake.cut_after = cut;
		enum rc rc = fake_connect(&f->fake, &link, &f->fault);
		if (rc == RC_OK)
			rc = binlog_open(link, f->server, &f->start, &f->binlog, &f->fault);
		int events = 0;
		for (opened += rc == RC_OK; rc == RC_OK; events++) {
			rc = binlog_next(f->binlog, &event, &f->fault);
			if (rc == RC_OK && event.type == BINLOG_XID) {
				assert_slice(event.body, "12345678");
				complete = 1;
			}
		}
		if (rc != RC_UNREACHABLE)
			fail_msg("cut after %zu bytes: %s: %s", cut, rc_name(rc), f->fault.text);
		binlog_close(f->binlog);
		f->binlog = NULL;
	}
	assert_true(opened > 100);
}

static void bytes_that_come_one_by_one_make_the_same_events(void **state)
{
	struct fixture *f = *state;
	put_artificial_rotation(f, 4, "binlog.000007");
	put(f, BINLOG_FORMAT_DESCRIPTION, 4 + size_of(fake_format(true)), fake_format(true));
	put(f, BINLOG_XID, 4 + size_of(fake_format(true)) + 31, SLICE("12345678"));
	f->fake.piece = 1;
	uint32_t at = 4 + size_of(fake_format(true));
	assert_rc(open_it(f));
	expect(f, BINLOG_ROTATE, "binlog.000007", 4, 4, true);
	expect(f, BINLOG_FORMAT_DESCRIPTION, "binlog.000007", 4, at, false);
	expect(f, BINLOG_XID, "binlog.000007", at, at + 31, false);
}

static void types_have_names(void **state)
{
	(void)state;
	assert_string_equal(binlog_type_name(BINLOG_WRITE_ROWS), "WRITE_ROWS");
	assert_string_equal(binlog_type_name(BINLOG_GTID_TAGGED), "GTID_TAGGED");
	assert_string_equal(binlog_type_name(77), "type 77");
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
static const struct CMUnitTest tests[] = {
	WITH_SERVER(positions_are_those_of_the_file),
	WITH_SERVER(a_body_is_what_lies_between_header_and_checksum),
	WITH_SERVER(positions_go_on_beyond_four_gibibytes),
	WITH_SERVER(a_start_beyond_four_gibibytes_steps_over),
	WITH_SERVER(a_start_inside_of_an_event_is_refused),
	WITH_SERVER(events_that_are_left_out_move_the_position),
	WITH_SERVER(where_nothing_is_left_out_a_gap_is_damage),
	WITH_SERVER(annotations_come_when_wanted),
	WITH_SERVER(no_flipped_bit_goes_unnoticed),
	WITH_SERVER(files_without_checksums_are_read),
	WITH_SERVER(a_large_event_is_handed_out_whole_or_refused_by_name),
	WITH_SERVER(what_is_not_an_event_is_nonsense),
	WITH_SERVER(an_error_at_once_fails_the_opening),
	WITH_SERVER(an_error_later_ends_the_dump),
	WITH_SERVER(the_end_is_an_end_only_where_it_was_asked_for),
	WITH_SERVER(an_end_before_the_end_is_a_lost_connection),
	WITH_SERVER(places_that_are_not_there_are_told_apart),
	WITH_SERVER(gtids_that_are_not_there_are_behind),
	WITH_SERVER(silence_is_three_missed_heartbeats),
	WITH_SERVER(stop_is_seen_within_a_tenth_of_a_second),
	WITH_SERVER(a_cut_anywhere_is_unreachable),
	WITH_SERVER(bytes_that_come_one_by_one_make_the_same_events),
	cmocka_unit_test(types_have_names),
};
UNIT_MAIN(tests)
