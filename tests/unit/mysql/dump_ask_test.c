#include "unit.h"

#include "mysql/dump_ask.c"

static void put_hex(struct buf *out, const char *digits)
{
	for (; digits[0] && digits[1]; digits += 2) {
		unsigned byte;
		assert_int_equal(sscanf(digits, "%2x", &byte), 1);
		buf_u8(out, (uint8_t)byte);
	}
}

static void expect_block(const char *text, const char *hex)
{
	struct buf got = buf_of(10000), wanted = buf_of(10000);
	put_hex(&wanted, hex);
	assert_rc(dump_gtid_block(slice_text(text), &got));
	assert_int_equal(got.len, wanted.len);
	assert_memory_equal(got.at, wanted.at, wanted.len);
	buf_release(&got);
	buf_release(&wanted);
}

/* The bytes are those of PREVIOUS_GTIDS events that MySQL 9.7 wrote, which hold sets in the same
 * form. */
static void sets_are_encoded_as_the_server_does(void **state)
{
	(void)state;
	expect_block("", "0000000000000000");
	expect_block("4c097153-e8b1-11f1-a8ee-02fc00000001:1-10",
		"01000000000000004c097153e8b111f1a8ee02fc00000001010000000000000001000000000000000b"
		"00000000000000");
	expect_block("4c097153-e8b1-11f1-a8ee-02fc00000001:1-48:a_long_tag_name_01:1:blue:1-2,"
		     "aaaaaaaa-0000-4000-8000-000000000001:5:9",
		"01040000000000014c097153e8b111f1a8ee02fc000000010001000000000000000100000000000000"
		"31000000000000004c097153e8b111f1a8ee02fc0000000124615f6c6f6e675f7461675f6e616d655f"
		"30310100000000000000010000000000000002000000000000004c097153e8b111f1a8ee02fc000000"
		"0108626c7565010000000000000001000000000000000300000000000000aaaaaaaa00004000800000"
		"0000000001000200000000000000050000000000000006000000000000000900000000000000"
		"0a00000000000000");
}

static void what_is_no_set_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {"x", "0-1-5", "4c097153-e8b1-11f1-a8ee-02fc00000001",
		"4c097153-e8b1-11f1-a8ee-02fc00000001:0", "4c097153-e8b1-11f1-a8ee-02fc0000000:1"};
	struct buf out = buf_of(1000);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_not_equal(dump_gtid_block(slice_text(cases[i]), &out), RC_OK);
	buf_release(&out);
}

static void a_block_that_does_not_fit_is_a_limit(void **state)
{
	(void)state;
	struct buf out = buf_of(30);
	assert_int_equal(dump_gtid_block(SLICE("4c097153-e8b1-11f1-a8ee-02fc00000001:1-10"), &out),
		RC_LIMIT);
	buf_release(&out);
}

static void commands_are_laid_out_as_documented(void **state)
{
	(void)state;
	static const struct mysql_server eight = {.version = 80000, .has_gtids = true};
	static const struct mysql_server ten = {.version = 101119, .is_mariadb = true};
	static const struct mysql_server eleven = {.version = 110809, .is_mariadb = true};
	struct binlog_start start = {
		.file = "binlog.000001", .pos = 0x01020304, .replica_id = 0x0a0b0c0d, .end = true};
	struct buf out = buf_of(1000);
	enum rc rc;
	assert_int_equal(put_command(&eight, &start, &out, &rc), 0x12);
	static const char plain[] = "\4\3\2\1\1\0\x0d\x0c\x0b\x0a"
				    "binlog.000001";
	assert_int_equal(out.len, sizeof plain - 1);
	assert_memory_equal(out.at, plain, out.len);
	buf_reset(&out);
	start.annotate = true;
	start.end = false;
	assert_int_equal(put_command(&ten, &start, &out, &rc), 0x12);
	assert_int_equal(out.at[4], 2);
	buf_reset(&out);
	start.annotate = false;
	assert_int_equal(put_command(&eleven, &start, &out, &rc), 0x12);
	assert_int_equal(out.at[4], 2); /* they are needed to count */
	buf_reset(&out);
	start.by_gtid = true;
	start.gtids = "4c097153-e8b1-11f1-a8ee-02fc00000001:1-10";
	assert_int_equal(put_command(&eight, &start, &out, &rc), 0x1e);
	assert_rc(rc);
	static const uint8_t head[] = {
		4, 0, 13, 12, 11, 10, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 48, 0, 0, 0};
	assert_int_equal(out.len, sizeof head + 48);
	assert_memory_equal(out.at, head, sizeof head);
	buf_release(&out);
}

static void a_replica_keeps_its_uuid(void **state)
{
	(void)state;
	struct buf a = buf_of(100), b = buf_of(100), c = buf_of(100);
	put_uuid_of(7, &a);
	put_uuid_of(7, &b);
	put_uuid_of(8, &c);
	assert_int_equal(a.len, 36);
	assert_true(slice_equal(buf_as_slice(&a), buf_as_slice(&b)));
	assert_false(slice_equal(buf_as_slice(&a), buf_as_slice(&c)));
	assert_int_equal(a.at[14], '8');
	buf_release(&a);
	buf_release(&b);
	buf_release(&c);
}

/* The sentences are copied from servers that were provoked: MariaDB 10.11.19 and 11.8.9, MySQL
 * 8.0.15 and 9.7.4. */
static const struct {
	unsigned number;
	const char *text;
	enum rc rc;
} sentences_seen[] = {
	{1236,
		"Could not find GTID state requested by slave in any binlog files. "
		"Probably "
		"the slave state is too old and required binlog files have been purged.",
		RC_PURGED},
	{1236,
		"Cannot replicate because the source purged required binary logs. "
		"Replicate "
		"the missing transactions from elsewhere, or provision a new replica from "
		"backup.",
		RC_PURGED},
	{1236,
		"Cannot replicate because the master purged required binary logs. "
		"Replicate "
		"the missing transactions from elsewhere, or provision a new slave from "
		"backup.",
		RC_PURGED},
	{1236,
		"Error: connecting slave requested to start from GTID 0-2-5, which is not "
		"in "
		"the master's binlog. Since the master's binlog contains GTIDs with higher "
		"sequence numbers, it probably means that the slave has diverged due to "
		"executing extra erroneous transactions",
		RC_PURGED},
	{1236,
		"The binlog on the master is missing the GTID 0-1-50 requested by the "
		"slave "
		"(even though both a prior and a subsequent sequence number does exist), "
		"and "
		"GTID strict mode is enabled",
		RC_PURGED},
	{1236,
		"Replica has more GTIDs than the source has, using the source's "
		"SERVER_UUID. "
		"This may indicate that the the last binary log file was truncated or lost",
		RC_BEHIND},
	{1236,
		"Client requested master to start replication from impossible position; "
		"the "
		"first event 'binlog.000003' at 3",
		RC_BEHIND},
	{1236,
		"A replica with the same server_uuid/server_id as this replica has "
		"connected "
		"to the source; the first event 'binlog.000006' at 3542",
		RC_CONFLICT},
	{4052,
		"A slave with the same server_uuid/server_id is already connected; the "
		"first "
		"event 'binlog.000007' at 2255",
		RC_CONFLICT},
	{4052, "A slave with the same server_id is already connected", RC_CONFLICT},
	{1236, "Misconfigured source - source server_id is 0", RC_UNFIT},
	{1236,
		"binlog truncated in the middle of event; consider out of disk space on "
		"source",
		RC_REFUSED},
	{1236, "bogus data in log event; the first event 'binlog.000003' at 301", RC_REFUSED},
	{1053, "Server shutdown in progress", RC_UNREACHABLE},
	{1227,
		"Access denied; you need (at least one of) the REPLICATION SLAVE "
		"privilege(s) for this operation",
		RC_PRIVILEGE},
	{1045, "Access denied for user 'x'@'%' (using password: YES)", RC_PRIVILEGE},
	{1236, "something that nobody has seen yet", RC_REFUSED},
};

static void sentences_of_servers_have_a_class(void **state)
{
	(void)state;
	struct fault fault;
	for (size_t i = 0; i < sizeof sentences_seen / sizeof sentences_seen[0]; i++) {
		enum rc rc = dump_error_set(&fault, "h:1", sentences_seen[i].number,
			slice_text(sentences_seen[i].text), "'u'@'%'");
		if (rc != sentences_seen[i].rc || fault.rc != rc)
			fail_msg("%s: %s", sentences_seen[i].text, rc_name(rc));
		assert_non_null(strstr(fault.text, "h:1, in the binlog dump: "));
		if (rc != RC_REFUSED && rc != RC_UNREACHABLE)
			assert_true(fault.hint[0] != 0);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(sets_are_encoded_as_the_server_does),
	cmocka_unit_test(what_is_no_set_is_refused),
	cmocka_unit_test(a_block_that_does_not_fit_is_a_limit),
	cmocka_unit_test(commands_are_laid_out_as_documented),
	cmocka_unit_test(a_replica_keeps_its_uuid),
	cmocka_unit_test(sentences_of_servers_have_a_class),
};
UNIT_MAIN(tests)
