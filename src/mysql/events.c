/* The events around the rows, taken apart: format description, GTIDs, statements, rotations.
 *
 * Bodies come without header and checksum and are read in order with a sticky reader, so that short
 * input is found once, at the end. Nothing is copied but the text of a GTID. ret_ parameters are
 * untouched on failure.
 *
 * Thread: any. */
#include <stdlib.h>

#include "base/checksum.h"
#include "base/json.h"
#include "mysql/decode.h"

uint64_t read_packed(struct reader *reader)
{
	uint8_t first = read_u8(reader);
	switch (first) {
	case 0xfc:
		return read_u16le(reader);
	case 0xfd:
		return read_u24le(reader);
	case 0xfe:
		return read_u64le(reader);
	case 0xfb:
	case 0xff:
		reader->rc = RC_TRUNCATED;
		reader->at = reader->end;
		return 0;
	default:
		return first;
	}
}

/* Whether a server of this version writes checksums (and a byte that says so): MySQL 5.6.1, MariaDB
 * 5.3. */
static bool knows_checksums(const char *version, bool is_mariadb)
{
	unsigned long parts[3] = {0};
	char *at = NULL;
	for (int i = 0; i < 3; i++) {
		parts[i] = strtoul(version, &at, 10);
		if (at == version || *at != '.')
			break;
		version = at + 1;
	}
	unsigned long number = parts[0] * 10000 + parts[1] * 100 + parts[2];
	return number >= (is_mariadb ? 50300 : 50601);
}

enum rc binlog_format_read(struct slice body, struct binlog_format *ret_format)
{
	struct reader reader = reader_of(body.at, body.len);
	struct binlog_format format = {0};
	uint16_t binlog_version = read_u16le(&reader);
	struct slice version = read_slice(&reader, 50);
	read_u32le(&reader); /* when it was made */
	uint8_t header_size = read_u8(&reader);
	if (reader.rc != RC_OK)
		return reader.rc;
	if (binlog_version != 4 || header_size != BINLOG_HEADER_SIZE)
		return RC_UNSUPPORTED;
	memcpy(format.server_version, version.at, version.len);
	format.is_mariadb = strstr(format.server_version, "MariaDB") != NULL;
	size_t left = reader_left(&reader);
	if (knows_checksums(format.server_version, format.is_mariadb)) {
		if (left == 0)
			return RC_TRUNCATED;
		uint8_t algorithm = reader.end[-1];
		if (algorithm > 1) /* 1 is CRC32, the only one there is */
			return RC_UNSUPPORTED;
		format.has_checksums = algorithm == 1;
		left--;
	}
	if (left >= sizeof format.post_header)
		return RC_CORRUPT;
	struct slice lengths = read_slice(&reader, left);
	memcpy(format.post_header + 1, lengths.at, lengths.len); /* from type 1 on */
	*ret_format = format;
	return RC_OK;
}

/* ---- GTIDs ---- */

enum { GTID_LOGICAL_CLOCK = 2, MARIADB_FL_STANDALONE = 1, MARIADB_FL_XA = 64 | 128 };

static void put_uuid(const uint8_t *uuid, char *out)
{
	static const uint8_t groups[] = {4, 2, 2, 2, 6};
	for (size_t i = 0; i < sizeof groups; i++) {
		checksum_hex(uuid, groups[i], out);
		uuid += groups[i];
		out += 2 * groups[i];
		*out++ = '-';
	}
	out[-1] = 0;
}

/* What MySQL wrote behind flags, UUID and number grew with the versions: nothing (5.6), a logical
 * clock (5.7), commit times and more (8.0.1). */
static enum rc read_commit_time(struct reader *reader, struct binlog_gtid *gtid)
{
	enum { HAS_ORIGINAL = 1 << 23 };
	if (reader_left(reader) == 0 || read_u8(reader) != GTID_LOGICAL_CLOCK)
		return RC_OK;
	read_u64le(reader); /* last committed */
	read_u64le(reader); /* sequence number */
	if (reader->rc != RC_OK || reader_left(reader) < 7)
		return reader->rc;
	uint64_t commit_us = read_u32le(reader);
	uint32_t high = read_u24le(reader);
	commit_us |= (uint64_t)(high & ~(uint32_t)HAS_ORIGINAL) << 32;
	if (high & HAS_ORIGINAL) {
		commit_us = read_u32le(reader);
		commit_us |= (uint64_t)read_u24le(reader) << 32;
	}
	gtid->commit_us = (int64_t)commit_us;
	return reader->rc;
}

static enum rc mysql_gtid_read(struct reader *reader, bool is_anonymous, struct binlog_gtid *gtid)
{
	read_u8(reader); /* flags: may be logged as statements */
	struct slice uuid = read_slice(reader, 16);
	uint64_t number = read_u64le(reader);
	if (reader->rc != RC_OK)
		return reader->rc;
	if (!is_anonymous) {
		if (number == 0 || number > INT64_MAX)
			return RC_CORRUPT;
		put_uuid(uuid.at, gtid->text);
		gtid->text[36] = ':';
		*json_put_u64((uint8_t *)gtid->text + 37, number) = 0;
	}
	return read_commit_time(reader, gtid);
}

static enum rc mariadb_gtid_read(
	struct reader *reader, uint32_t server_id, struct binlog_gtid *gtid)
{
	uint64_t number = read_u64le(reader);
	uint32_t domain = read_u32le(reader);
	uint8_t flags = read_u8(reader);
	if (reader->rc != RC_OK)
		return reader->rc;
	uint8_t *at = json_put_u64((uint8_t *)gtid->text, domain);
	*at++ = '-';
	at = json_put_u64(at, server_id);
	*at++ = '-';
	*json_put_u64(at, number) = 0;
	gtid->standalone = flags & MARIADB_FL_STANDALONE;
	gtid->is_xa = flags & MARIADB_FL_XA;
	return RC_OK;
}

enum rc binlog_gtid_read(const struct binlog_event *event, struct binlog_gtid *ret_gtid)
{
	struct reader reader = reader_of(event->body.at, event->body.len);
	struct binlog_gtid gtid = {0};
	enum rc rc = RC_UNSUPPORTED;
	if (event->type == BINLOG_MARIADB_GTID)
		rc = mariadb_gtid_read(&reader, event->server_id, &gtid);
	else if (event->type == BINLOG_GTID || event->type == BINLOG_ANONYMOUS_GTID)
		rc = mysql_gtid_read(&reader, event->type == BINLOG_ANONYMOUS_GTID, &gtid);
	if (rc == RC_OK)
		*ret_gtid = gtid;
	return rc;
}

/* ---- statements ---- */

enum {
	MODE_ANSI_QUOTES = 4,
	MODE_NO_BACKSLASH_ESCAPES = 1 << 20,
};

/* Steps over one status variable; false for one that is not known. Those that are read come among
 * the first (servers write them in the order of their numbers). */
static bool read_status(struct reader *reader, struct binlog_query *query)
{
	static const uint8_t lengths[] = {[0] = 4,
		[3] = 4,
		[7] = 2,
		[8] = 2,
		[9] = 8,
		[10] = 4,
		[13] = 3,
		[16] = 1,
		[17] = 8,
		[18] = 2,
		[19] = 1,
		[20] = 1};
	uint8_t code = read_u8(reader);
	switch (code) {
	case 1: { /* sql_mode */
		uint64_t mode = read_u64le(reader);
		query->ansi_quotes = mode & MODE_ANSI_QUOTES;
		query->no_backslash_escapes = mode & MODE_NO_BACKSLASH_ESCAPES;
		return true;
	}
	case 2: /* a catalog with a NUL behind it */
		read_bytes(reader, (size_t)read_u8(reader) + 1);
		return true;
	case 4: /* character sets: of the client, the connection, the server */
		query->collation = read_u16le(reader);
		read_u32le(reader);
		return true;
	case 5: /* time zone */
	case 6: /* catalog */
		read_bytes(reader, read_u8(reader));
		return true;
	case 131: /* MariaDB 11.2: character sets and their default collations */
		read_bytes(reader, (size_t)4 * read_u8(reader));
		return true;
	default:
		if (code >= sizeof lengths || lengths[code] == 0)
			return false;
		read_bytes(reader, lengths[code]);
		return true;
	}
}

enum rc binlog_query_read(struct slice body, struct binlog_query *ret_query)
{
	struct reader reader = reader_of(body.at, body.len);
	struct binlog_query query = {0};
	read_u32le(&reader); /* thread */
	read_u32le(&reader); /* seconds it took */
	size_t database_len = read_u8(&reader);
	query.error = read_u16le(&reader);
	size_t status_len = read_u16le(&reader);
	struct slice status = read_slice(&reader, status_len);
	query.database = read_slice(&reader, database_len);
	uint8_t nul = read_u8(&reader);
	if (reader.rc != RC_OK)
		return reader.rc;
	if (nul != 0)
		return RC_CORRUPT;
	query.sql = slice_of(reader.at, reader_left(&reader));
	struct reader variables = reader_of(status.at, status.len);
	while (reader_left(&variables) > 0 && read_status(&variables, &query))
		;
	if (variables.rc != RC_OK)
		return variables.rc;
	*ret_query = query;
	return RC_OK;
}

enum rc binlog_query_utf8(const struct binlog_query *query, struct buf *out)
{
	const struct charset *charset = charset_of_text(query->collation, query->sql);
	if (!charset || !charset_to_utf8(charset, query->sql, out))
		return RC_UNSUPPORTED;
	return out->rc;
}

enum rc binlog_rotate_read(struct slice body, struct binlog_rotate *ret_rotate)
{
	struct reader reader = reader_of(body.at, body.len);
	uint64_t pos = read_u64le(&reader);
	if (reader.rc != RC_OK)
		return reader.rc;
	struct slice file = slice_of(reader.at, reader_left(&reader));
	if (file.len == 0 || file.len >= EVENT_FILE_MAX || memchr(file.at, 0, file.len))
		return RC_CORRUPT;
	*ret_rotate = (struct binlog_rotate){pos, file};
	return RC_OK;
}
