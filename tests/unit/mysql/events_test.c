#include "mysql/capture.h"

#include "mysql/events.c"

static struct capture open_at(const char *name, unsigned type, struct binlog_event *event)
{
	struct capture capture = capture_open(name);
	while (capture_next(&capture, event)) {
		if (event->type == type)
			return capture;
	}
	fail_msg("no event of type %u in %s", type, name);
	return capture;
}

/* ---- format descriptions ---- */

static void format_descriptions_tell_product_and_post_headers(void **state)
{
	(void)state;
	static const struct {
		const char *file, *version;
		bool is_mariadb;
		uint8_t v1, v2; /* lengths of the post-headers of WRITE_ROWS */
	} rows[] = {{"mysql80-full", "8.0.15", false, 8, 10},
		{"mysql9-full", "9.7.4-2", false, 0, 10},
		{"mariadb10-full", "10.11.19-MariaDB-0+deb12u1-log", true, 8, 10},
		{"mariadb11-full", "11.8.9-MariaDB-4 from Debian-log", true, 8, 10}};
	for (size_t i = 0; i < 4; i++) {
		struct binlog_event event;
		struct capture capture = open_at(rows[i].file, BINLOG_FORMAT_DESCRIPTION, &event);
		assert_string_equal(capture.format.server_version, rows[i].version);
		assert_int_equal(capture.format.is_mariadb, rows[i].is_mariadb);
		assert_true(capture.format.has_checksums);
		assert_int_equal(capture.format.post_header[BINLOG_TABLE_MAP], 8);
		assert_int_equal(capture.format.post_header[BINLOG_WRITE_ROWS_V1], rows[i].v1);
		assert_int_equal(capture.format.post_header[BINLOG_WRITE_ROWS], rows[i].v2);
		for (size_t len = 0; len < 58; len++) {
			struct binlog_format format;
			assert_int_equal(binlog_format_read(slice_of(event.body.at, len), &format),
				RC_TRUNCATED);
		}
		capture_close(&capture);
	}
}

static struct buf make_format(const char *version, const char *tail, size_t tail_len)
{
	struct buf body = buf_of(1000);
	char text[50] = "";
	strncpy(text, version, sizeof text - 1);
	buf_u16le(&body, 4);
	buf_bytes(&body, text, sizeof text);
	buf_u32le(&body, 0);
	buf_u8(&body, BINLOG_HEADER_SIZE);
	buf_bytes(&body, tail, tail_len);
	return body;
}

static void checksums_depend_on_the_version(void **state)
{
	(void)state;
	static const struct {
		const char *version;
		struct slice tail;
		enum rc rc;
		bool has_checksums;
		uint8_t last; /* post-header of type 2 */
	} rows[] = {
		{"5.5.62-log", SLICE_INIT("\1\2"), RC_OK, false, 2},
		{"5.6.0", SLICE_INIT("\1\2"), RC_OK, false, 2},
		{"5.6.1", SLICE_INIT("\1\2\1"), RC_OK, true, 2},
		{"5.7.44-log", SLICE_INIT("\1\2\0"), RC_OK, false, 2},
		{"5.2.14-MariaDB", SLICE_INIT("\1\2"), RC_OK, false, 2},
		{"5.3.0-MariaDB", SLICE_INIT("\1\2\1"), RC_OK, true, 2},
		{"10.5.29-MariaDB-log", SLICE_INIT("\1\2\1"), RC_OK, true, 2},
		{"8.0.40", SLICE_INIT("\1\2\2"), RC_UNSUPPORTED, false, 0},
		{"8.0.40", SLICE_INIT("\1\2\xff"), RC_UNSUPPORTED, false, 0},
		{"8.0.40", SLICE_INIT(""), RC_TRUNCATED, false, 0},
		{"nonsense", SLICE_INIT("\1\2"), RC_OK, false, 2},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct binlog_format format = {0};
		struct buf body = make_format(
			rows[i].version, (const char *)rows[i].tail.at, rows[i].tail.len);
		assert_int_equal(binlog_format_read(buf_as_slice(&body), &format), rows[i].rc);
		assert_int_equal(format.has_checksums, rows[i].has_checksums);
		assert_int_equal(format.post_header[2], rows[i].last);
		buf_release(&body);
	}
	struct binlog_format format;
	static const char many[256];
	struct buf body = make_format("5.5.1", many, sizeof many);
	assert_int_equal(binlog_format_read(buf_as_slice(&body), &format), RC_CORRUPT);
	body.at[0] = 3; /* version 3 of the binlog */
	assert_int_equal(binlog_format_read(buf_as_slice(&body), &format), RC_UNSUPPORTED);
	buf_release(&body);
}

/* ---- GTIDs ---- */

static struct binlog_gtid read_gtid(unsigned type, struct slice body)
{
	struct binlog_event event = {.type = (uint8_t)type, .server_id = 7, .body = body};
	struct binlog_gtid gtid;
	assert_rc(binlog_gtid_read(&event, &gtid));
	return gtid;
}

#define UUID_AND_5 \
	"\x01\x4b\x1c\xed\x03\xe8\xb1\x11\xf1\xbd\xfd\x02\xfc\x00\x00\x00\x01\5\0\0\0\0\0\0\0"
#define CLOCK "\2\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0"

static void gtids_of_mysql_grew_with_its_versions(void **state)
{
	(void)state;
	static const char expected[] = "4b1ced03-e8b1-11f1-bdfd-02fc00000001:5";
	struct binlog_gtid gtid = read_gtid(BINLOG_GTID, SLICE(UUID_AND_5)); /* 5.6 */
	assert_string_equal(gtid.text, expected);
	assert_int_equal(gtid.commit_us, 0);
	gtid = read_gtid(BINLOG_GTID, SLICE(UUID_AND_5 CLOCK)); /* 5.7 */
	assert_string_equal(gtid.text, expected);
	assert_int_equal(gtid.commit_us, 0);
	/* 8.0: 1785312000123456 microseconds, then the transaction's length and a version */
	gtid = read_gtid(BINLOG_GTID,
		SLICE(UUID_AND_5 CLOCK "\x40\xfa\x04\xa3\xb9\x57\x06\xb0\x50\x62\1\0"));
	assert_int_equal(gtid.commit_us, 0x0657b9a304fa40);
	/* committed elsewhere: the first bit says that the original time follows */
	gtid = read_gtid(BINLOG_GTID,
		SLICE(UUID_AND_5 CLOCK "\x40\xfa\x04\xa3\xb9\x57\x86\1\2\3\4\5\6\0\xb0"));
	assert_int_equal(gtid.commit_us, 0x060504030201);
	assert_false(gtid.standalone || gtid.is_xa);
	gtid = read_gtid(
		BINLOG_ANONYMOUS_GTID, SLICE(UUID_AND_5 CLOCK "\x40\xfa\x04\xa3\xb9\x57\x06\xb0"));
	assert_string_equal(gtid.text, "");
	assert_int_equal(gtid.commit_us, 0x0657b9a304fa40);
}

/* The server's clock and ours are the same machine's: a captured commit was this century. */
static void captured_gtids_are_read(void **state)
{
	(void)state;
	struct binlog_event event;
	struct binlog_gtid gtid;
	struct capture capture = open_at("mysql9-full", BINLOG_GTID, &event);
	assert_rc(binlog_gtid_read(&event, &gtid));
	assert_int_equal(strlen(gtid.text) > 38, true);
	assert_int_equal(gtid.text[36], ':');
	assert_int_equal(gtid.commit_us / 1000000 - event.timestamp_s <= 1, true);
	assert_int_equal(gtid.commit_us / 1000000 >= event.timestamp_s, true);
	capture_close(&capture);
	capture = open_at("mariadb10-full", BINLOG_MARIADB_GTID, &event);
	assert_rc(binlog_gtid_read(&event, &gtid));
	assert_true(strncmp(gtid.text, "0-1-", 4) == 0);
	assert_true(gtid.standalone);
	capture_close(&capture);
}

static void gtids_of_mariadb_tell_their_kind(void **state)
{
	(void)state;
	struct binlog_gtid gtid =
		read_gtid(BINLOG_MARIADB_GTID, SLICE("\5\0\0\0\0\0\0\0\1\0\0\0\x29\0\0\0\0\0\0"));
	assert_string_equal(gtid.text, "1-7-5");
	assert_true(gtid.standalone && !gtid.is_xa);
	gtid = read_gtid(
		BINLOG_MARIADB_GTID, SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x0c"));
	assert_string_equal(gtid.text, "4294967295-7-18446744073709551615");
	assert_true(!gtid.standalone && !gtid.is_xa);
	gtid = read_gtid(BINLOG_MARIADB_GTID, SLICE("\5\0\0\0\0\0\0\0\0\0\0\0\x4c"));
	assert_true(!gtid.standalone && gtid.is_xa);
	gtid = read_gtid(BINLOG_MARIADB_GTID, SLICE("\5\0\0\0\0\0\0\0\0\0\0\0\x8d"));
	assert_true(gtid.standalone && gtid.is_xa);
}

static void broken_gtids_are_refused(void **state)
{
	(void)state;
	struct binlog_gtid gtid;
	struct binlog_event event = {.type = BINLOG_GTID};
	struct slice whole = SLICE(UUID_AND_5 CLOCK "\x40\xfa\x04\xa3\xb9\x57\x86\1\2\3\4\5\6\0");
	for (size_t len = 0; len < whole.len; len++) {
		event.body = slice_of(whole.at, len);
		bool is_older = len == 25 || (len >= 42 && len < 49);
		assert_int_equal(binlog_gtid_read(&event, &gtid), is_older ? RC_OK : RC_TRUNCATED);
	}
	event.body = SLICE("\1uuiduuiduuiduuid\0\0\0\0\0\0\0\0");
	assert_int_equal(binlog_gtid_read(&event, &gtid), RC_CORRUPT);
	event.type = BINLOG_MARIADB_GTID;
	event.body = SLICE("\5\0\0\0\0\0\0\0\0\0\0\0");
	assert_int_equal(binlog_gtid_read(&event, &gtid), RC_TRUNCATED);
	event.type = BINLOG_GTID_TAGGED;
	assert_int_equal(binlog_gtid_read(&event, &gtid), RC_UNSUPPORTED);
}

/* ---- statements ---- */

static struct buf make_query(const char *database, struct slice status, const char *sql)
{
	struct buf body = buf_of(1000);
	buf_bytes(&body, "\1\0\0\0\2\0\0\0", 8);
	buf_u8(&body, (uint8_t)strlen(database));
	buf_u16le(&body, 1062);
	buf_u16le(&body, (uint16_t)status.len);
	buf_slice(&body, status);
	buf_bytes(&body, database, strlen(database) + 1);
	buf_text(&body, sql);
	return body;
}

static void statements_carry_their_mode_and_character_set(void **state)
{
	(void)state;
	static const struct {
		struct slice status;
		bool ansi, no_backslash;
		unsigned collation;
	} rows[] = {
		{SLICE_INIT(""), false, false, 0},
		{SLICE_INIT("\0\0\0\0\0\1\4\0\0\0\0\0\0\0"), true, false, 0},
		{SLICE_INIT("\0\0\0\0\0\1\4\0\x10\0\0\0\0\0\6\3std\4\x08\0\x08\0\x08\0"), true,
			true, 8},
		{SLICE_INIT("\1\0\0\x10\0\0\0\0\0\2\3std\0\3\1\0\1\0\5\3UTC\4\x2d\0\x2d\0\x08\0"),
			false, true, 45},
		/* MariaDB 11.8: default collations come first */
		{SLICE_INIT("\1\0\0\0\0\0\0\0\0\x83\2aaaabbbb\4\x21\0\x21\0\x21\0"), false, false,
			33},
		/* one that is not known ends the list */
		{SLICE_INIT("\1\4\0\0\0\0\0\0\0\x7f\4\x08\0"), true, false, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct binlog_query query;
		struct buf body = make_query("shop", rows[i].status, "DROP TABLE a");
		assert_rc(binlog_query_read(buf_as_slice(&body), &query));
		assert_slice(query.database, "shop");
		assert_slice(query.sql, "DROP TABLE a");
		assert_int_equal(query.error, 1062);
		assert_int_equal(query.ansi_quotes, rows[i].ansi);
		assert_int_equal(query.no_backslash_escapes, rows[i].no_backslash);
		assert_int_equal(query.collation, rows[i].collation);
		buf_release(&body);
	}
}

static void broken_statements_are_refused(void **state)
{
	(void)state;
	struct binlog_query query;
	struct buf body = make_query("shop", SLICE("\0\0\0\0\0\1\4\0\0\0\0\0\0\0"), "");
	for (size_t len = 0; len < body.len; len++)
		assert_int_equal(binlog_query_read(slice_of(body.at, len), &query), RC_TRUNCATED);
	assert_rc(binlog_query_read(buf_as_slice(&body), &query));
	assert_slice(query.sql, "");
	body.at[body.len - 1] = 'x'; /* the NUL behind the database */
	assert_int_equal(binlog_query_read(buf_as_slice(&body), &query), RC_CORRUPT);
	buf_release(&body);
	static const struct slice cut[] = {SLICE_INIT("\1\4\0"), SLICE_INIT("\0\0"),
		SLICE_INIT("\6\x09std"), SLICE_INIT("\4\x08"), SLICE_INIT("\x83\xff"),
		SLICE_INIT("\2\3std"), SLICE_INIT("\5")};
	for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
		body = make_query("", cut[i], "BEGIN");
		assert_int_equal(binlog_query_read(buf_as_slice(&body), &query), RC_TRUNCATED);
		buf_release(&body);
	}
}

static void statements_are_converted_to_utf8(void **state)
{
	(void)state;
	static const struct {
		unsigned collation;
		const char *sql, *expected; /* NULL: cannot be */
	} rows[] = {
		{0, "\xc3\xa4", "\xc3\xa4"},
		{8, "t\xe4\x80", "t\xc3\xa4\xe2\x82\xac"},
		{45, "\xe4", NULL},
		{33, "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
		{51, "plain", "plain"},
		{51, "\xe4", NULL},
		{28, "plain", "plain"},
		{35, "plain", NULL},
		{9999, "plain", "plain"},
		{1032, "\xfc", "\xc3\xbc"},
		{2304, "\xc3\xbc", "\xc3\xbc"},
		{63, "\xc3\xbc", "\xc3\xbc"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct binlog_query query = {
			.sql = slice_text(rows[i].sql), .collation = (uint16_t)rows[i].collation};
		struct buf out = buf_of(100);
		enum rc rc = binlog_query_utf8(&query, &out);
		assert_int_equal(rc, rows[i].expected ? RC_OK : RC_UNSUPPORTED);
		if (rc == RC_OK)
			assert_string_equal(buf_cstring(&out), rows[i].expected);
		buf_release(&out);
	}
	struct buf out = buf_of(3);
	struct binlog_query query = {.sql = SLICE("long"), .collation = 45};
	assert_int_equal(binlog_query_utf8(&query, &out), RC_LIMIT);
	buf_release(&out);
}

static void rotations_name_a_file(void **state)
{
	(void)state;
	struct binlog_rotate rotate;
	assert_rc(binlog_rotate_read(SLICE("\4\0\0\0\0\0\0\0binlog.000002"), &rotate));
	assert_slice(rotate.file, "binlog.000002");
	assert_int_equal(rotate.pos, 4);
	assert_int_equal(binlog_rotate_read(SLICE("\4\0\0\0\0\0\0"), &rotate), RC_TRUNCATED);
	assert_int_equal(binlog_rotate_read(SLICE("\4\0\0\0\0\0\0\0"), &rotate), RC_CORRUPT);
	assert_int_equal(binlog_rotate_read(SLICE("\4\0\0\0\0\0\0\0a\0b"), &rotate), RC_CORRUPT);
	static uint8_t long_name[8 + EVENT_FILE_MAX];
	memset(long_name, 'a', sizeof long_name);
	assert_int_equal(
		binlog_rotate_read(slice_of(long_name, sizeof long_name), &rotate), RC_CORRUPT);
	assert_rc(binlog_rotate_read(slice_of(long_name, sizeof long_name - 1), &rotate));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(format_descriptions_tell_product_and_post_headers),
	cmocka_unit_test(checksums_depend_on_the_version),
	cmocka_unit_test(gtids_of_mysql_grew_with_its_versions),
	cmocka_unit_test(captured_gtids_are_read),
	cmocka_unit_test(gtids_of_mariadb_tell_their_kind),
	cmocka_unit_test(broken_gtids_are_refused),
	cmocka_unit_test(statements_carry_their_mode_and_character_set),
	cmocka_unit_test(broken_statements_are_refused),
	cmocka_unit_test(statements_are_converted_to_utf8),
	cmocka_unit_test(rotations_name_a_file),
};
UNIT_MAIN(tests)
