/* Asking for a dump: the place is looked up, the session told what we can do, the command sent.
 *
 * Sources: "COM_BINLOG_DUMP", "COM_BINLOG_DUMP_GTID" of the MySQL source documentation, "Binlog
 * dump" of MariaDB's knowledge base; session variables as MySQL 9.7 and MariaDB 10.11 look for
 * them. Each has two names, of which a server reads one. */
#include <stdio.h>

#include "base/checksum.h"
#include "mysql/dump.h"
#include "mysql/link.h"

enum {
	COMMAND_DUMP = 0x12,
	COMMAND_DUMP_GTID = 0x1e,
	DUMP_NON_BLOCKING = 1,
	DUMP_ANNOTATE = 2, /* MariaDB */
	DUMP_THROUGH_GTID = 4,
	FIRST_POS = 4,
	UUID_SIZE = 16,
	/* MariaDB: events inside of transactions do not say where they end any more, so that all of
	 * them must come to be counted (11.4 still does, but it costs little). */
	POSITIONS_ARE_COUNTED = 110000,
	GTIDS_SHOWN_MAX = 300,
	WRITE_TIMEOUT_S = 3600, /* how long the server lets us be paused before it cuts us off */
};

/* ---- GTIDs in binary ---- */

static int hex_digit(uint8_t byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static enum rc put_uuid(struct slice text, struct buf *out)
{
	size_t digits = 0;
	int high = 0;
	for (size_t i = 0; i < text.len; i++) {
		int digit = hex_digit(text.at[i]);
		if (text.at[i] == '-')
			continue;
		if (digit < 0)
			return RC_CORRUPT;
		if (digits++ % 2 == 0)
			high = digit;
		else
			buf_u8(out, (uint8_t)(high << 4 | digit));
	}
	return digits == 2 * UUID_SIZE ? RC_OK : RC_CORRUPT;
}

/* What stands before `mark`, which is stepped over. */
static struct slice cut_at(struct slice *rest, uint8_t mark)
{
	const uint8_t *at = rest->len ? memchr(rest->at, mark, rest->len) : NULL;
	struct slice part = at ? slice_of(rest->at, (size_t)(at - rest->at)) : *rest;
	size_t used = part.len + (at ? 1 : 0);
	*rest = slice_of(rest->at + used, rest->len - used);
	return part;
}

static uint64_t number_of(struct slice text)
{
	uint64_t number = 0;
	for (size_t i = 0; i < text.len; i++)
		number = number * 10 + (uint64_t)(text.at[i] - '0');
	return number;
}

static bool is_number(struct slice text)
{
	return text.len > 0 && text.at[0] >= '0' && text.at[0] <= '9';
}

/* "uuid:1-5:7" or "uuid:tag:3", as gtid_set_text writes it. Intervals end before `end` on the wire.
 */
static enum rc put_part(struct slice part, bool tagged, struct buf *out)
{
	if (put_uuid(cut_at(&part, ':'), out) != RC_OK)
		return RC_CORRUPT;
	struct slice tag = {0};
	if (!is_number(part))
		tag = cut_at(&part, ':');
	if (tagged) {
		buf_u8(out, (uint8_t)(tag.len << 1)); /* the server's varint, below 64 */
		buf_slice(out, tag);
	}
	size_t count_at = out->len;
	buf_u64le(out, 0);
	uint64_t count = 0;
	while (part.len > 0) {
		struct slice interval = cut_at(&part, ':');
		uint64_t first = number_of(cut_at(&interval, '-'));
		buf_u64le(out, first);
		buf_u64le(out, (interval.len > 0 ? number_of(interval) : first) + 1);
		count++;
	}
	if (out->rc == RC_OK)
		store_u64le(out->at + count_at, count);
	return RC_OK;
}

static enum rc put_parts(struct slice text, struct buf *out)
{
	bool tagged = false;
	uint64_t count = 0;
	for (struct slice rest = text; rest.len > 0; count++) {
		struct slice part = cut_at(&rest, ',');
		(void)cut_at(&part, ':');
		tagged = tagged || !is_number(part);
	}
	/* The tagged form says so in the first and in the last byte of the count. */
	buf_u64le(out, tagged ? UINT64_C(1) << 56 | count << 8 | 1 : count);
	enum rc rc = RC_OK;
	while (rc == RC_OK && text.len > 0)
		rc = put_part(cut_at(&text, ','), tagged, out);
	return rc == RC_OK ? out->rc : rc;
}

enum rc dump_gtid_block(struct slice text, struct buf *out)
{
	struct gtid_set *set = gtid_set_new(GTID_MYSQL);
	struct buf normal = buf_of(DUMP_GTIDS_MAX);
	enum rc rc = text.len > 0 ? gtid_set_add(set, text) : RC_OK;
	if (rc == RC_OK) {
		gtid_set_text(set, &normal);
		rc = normal.rc == RC_OK ? put_parts(buf_as_slice(&normal), out) : normal.rc;
	}
	buf_release(&normal);
	gtid_set_free(set);
	return rc;
}

/* ---- is the place there? ---- */

struct search {
	const struct binlog_start *start;
	char oldest[EVENT_FILE_MAX], newest[EVENT_FILE_MAX];
	uint64_t size;
	bool found;
};

static enum rc look_at(void *context, const char *file, uint64_t size, struct fault *fault)
{
	(void)fault;
	struct search *search = context;
	if (search->oldest[0] == 0)
		(void)snprintf(search->oldest, sizeof search->oldest, "%s", file);
	(void)snprintf(search->newest, sizeof search->newest, "%s", file);
	if (strcmp(file, search->start->file) == 0) {
		search->found = true;
		search->size = size;
	}
	return RC_OK;
}

/* The server's own errors do not tell a file that is gone from one that is yet to be, so its list
 * is asked first. Without the privilege for that the server's error has to do. */
static enum rc find_file(struct link *link, const struct binlog_start *start, struct fault *fault)
{
	struct search search = {.start = start};
	enum rc rc = mysql_server_files(link, look_at, &search, fault);
	if (rc == RC_PRIVILEGE)
		return RC_OK;
	if (rc != RC_OK)
		return rc;
	if (search.found && search.size >= start->pos)
		return RC_OK;
	if (search.found) {
		(void)fault_set(fault, RC_BEHIND, "%s ends at %llu on %s, before %llu", start->file,
			(unsigned long long)search.size, link_name(link),
			(unsigned long long)start->pos);
		fault_hint(fault, "%s", dump_behind_hint);
		return RC_BEHIND;
	}
	const char *dot = strrchr(start->file, '.');
	size_t base = dot ? (size_t)(dot - start->file) : 0;
	bool same_name = strncmp(start->file, search.newest, base + 1) == 0;
	if (same_name && event_file_compare(start->file, search.newest) > 0) {
		(void)fault_set(fault, RC_BEHIND, "%s has no %s yet: its newest binlog is %s",
			link_name(link), start->file, search.newest);
		fault_hint(fault, "%s", dump_behind_hint);
		return RC_BEHIND;
	}
	(void)fault_set(fault, RC_PURGED, "%s no longer has %s: its binlogs are %s to %s",
		link_name(link), start->file, search.oldest, search.newest);
	fault_hint(fault, "%s", dump_gap_hint);
	return RC_PURGED;
}

/* ---- the session ---- */

/* The server ends an older dump that bears the same UUID, so it is made from the id: our own dead
 * connection is cleared away when we come again. */
static void put_uuid_of(uint32_t replica_id, struct buf *out)
{
	char seed[40];
	uint8_t digest[SHA256_SIZE];
	int len = snprintf(seed, sizeof seed, "millstream replica %u", replica_id);
	checksum_sha256(seed, (size_t)len, digest);
	digest[6] = (uint8_t)((digest[6] & 0x0f) | 0x80); /* version 8: of our own making */
	digest[8] = (uint8_t)((digest[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < UUID_SIZE; i++)
		buf_format(
			out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", digest[i]);
}

/* Everything in one statement. We always say that we know checksums: the events come as they are
 * in the file. */
static void put_settings(
	const struct mysql_server *server, const struct binlog_start *start, struct buf *out)
{
	static const char *const sides[] = {"master", "source"};
	buf_format(out, "SET SESSION net_write_timeout=%d", WRITE_TIMEOUT_S);
	for (size_t i = 0; i < 2; i++) {
		buf_format(out, ", @%s_binlog_checksum='CRC32'", sides[i]);
		if (start->heartbeat_us > 0)
			buf_format(out, ", @%s_heartbeat_period=%lld", sides[i],
				(long long)start->heartbeat_us * 1000);
	}
	if (!server->is_mariadb) {
		buf_text(out, ", @slave_uuid='");
		put_uuid_of(start->replica_id, out);
		buf_text(out, "', @replica_uuid='");
		put_uuid_of(start->replica_id, out);
		buf_text(out, "'");
		return;
	}
	buf_text(out, ", @mariadb_slave_capability=4");
	if (!start->by_gtid)
		return;
	/* Strict: a hole at the wanted GTID is an error, not a silent start behind it. */
	buf_text(out,
		", @slave_gtid_strict_mode=1, @slave_gtid_ignore_duplicates=0"
		", @slave_connect_state=");
	link_quote(slice_text(start->gtids), out);
}

/* ---- is the set there? ---- */

static enum rc has_not(struct link *link, struct slice missing, struct fault *fault)
{
	(void)fault_set(fault, RC_BEHIND,
		"%s does not have all of the GTIDs to start behind: %.*s%s", link_name(link),
		(int)(missing.len < GTIDS_SHOWN_MAX ? missing.len : GTIDS_SHOWN_MAX),
		(const char *)missing.at, missing.len > GTIDS_SHOWN_MAX ? "..." : "");
	fault_hint(fault, "%s", dump_behind_hint);
	return RC_BEHIND;
}

/* MySQL looks only at GTIDs of its own making, and would pass over what another server gave us and
 * it never got. */
static enum rc find_mysql_set(
	struct link *link, const struct binlog_start *start, struct buf *text, struct fault *fault)
{
	buf_text(text, "SELECT GTID_SUBTRACT(");
	link_quote(slice_text(start->gtids), text);
	buf_text(text, ", @@GLOBAL.gtid_executed)");
	if (text->rc != RC_OK)
		return fault_set(fault, RC_LIMIT, "the set of GTIDs is too long");
	struct buf missing = buf_of(DUMP_GTIDS_MAX);
	enum rc rc = link_query_text(link, buf_cstring(text), &missing, fault);
	if (rc == RC_OK && missing.len > 0)
		rc = has_not(link, buf_as_slice(&missing), fault);
	buf_release(&missing);
	return rc;
}

/* MariaDB takes a domain that it does not know for one that is yet to come; after a RESET MASTER
 * all that we have would come again. What it has must reach as far as what we have. */
static enum rc find_mariadb_set(
	struct link *link, const struct gtid_set *wanted, struct buf *text, struct fault *fault)
{
	enum rc rc = link_query_text(link, "SELECT @@GLOBAL.gtid_binlog_pos", text, fault);
	if (rc != RC_OK)
		return rc;
	struct gtid_set *there = gtid_set_new(GTID_MARIADB);
	if (text->len > 0)
		rc = gtid_set_add(there, buf_as_slice(text));
	if (rc != RC_OK) {
		rc = fault_set(fault, RC_PROTOCOL, "%s says that gtid_binlog_pos is \"%s\"",
			link_name(link), buf_cstring(text));
	} else if (!gtid_set_contains(there, wanted)) {
		buf_reset(text);
		gtid_set_text(wanted, text);
		buf_text(text, gtid_set_is_empty(there) ? " (it has none" : " (it has ");
		gtid_set_text(there, text);
		buf_text(text, ")");
		rc = has_not(link, buf_as_slice(text), fault);
	}
	gtid_set_free(there);
	return rc;
}

static enum rc find_set(struct link *link, const struct mysql_server *server,
	const struct binlog_start *start, struct fault *fault)
{
	struct gtid_set *wanted = gtid_set_new(server->is_mariadb ? GTID_MARIADB : GTID_MYSQL);
	struct buf text = buf_of(3 * DUMP_GTIDS_MAX);
	enum rc rc = RC_OK;
	if (start->gtids[0])
		rc = gtid_set_add(wanted, slice_text(start->gtids));
	if (rc != RC_OK)
		rc = fault_set(fault, rc, "\"%.80s\" is not a set of GTIDs", start->gtids);
	else if (server->is_mariadb)
		rc = find_mariadb_set(link, wanted, &text, fault);
	else
		rc = find_mysql_set(link, start, &text, fault);
	buf_release(&text);
	gtid_set_free(wanted);
	return rc;
}

static enum rc prepare(struct link *link, const struct mysql_server *server,
	const struct binlog_start *start, struct fault *fault)
{
	enum rc rc = start->by_gtid ? find_set(link, server, start, fault)
				    : find_file(link, start, fault);
	if (rc != RC_OK)
		return rc;
	struct buf text = buf_of(3 * DUMP_GTIDS_MAX);
	put_settings(server, start, &text);
	rc = text.rc == RC_OK ? link_query(link, buf_cstring(&text), NULL, NULL, fault)
			      : fault_set(fault, RC_LIMIT, "the set of GTIDs is too long");
	buf_release(&text);
	return rc;
}

/* ---- the command ---- */

uint32_t dump_first_pos(const struct binlog_start *start)
{
	return start->pos > UINT32_MAX || start->pos < FIRST_POS ? FIRST_POS : (uint32_t)start->pos;
}

static unsigned put_command(const struct mysql_server *server, const struct binlog_start *start,
	struct buf *out, enum rc *ret_rc)
{
	uint16_t flags = start->end ? DUMP_NON_BLOCKING : 0;
	*ret_rc = RC_OK;
	if (!start->by_gtid || server->is_mariadb) {
		if (server->is_mariadb &&
			(start->annotate || server->version >= POSITIONS_ARE_COUNTED))
			flags |= DUMP_ANNOTATE;
		buf_u32le(out, start->by_gtid ? FIRST_POS : dump_first_pos(start));
		buf_u16le(out, flags);
		buf_u32le(out, start->replica_id);
		if (!start->by_gtid)
			buf_text(out, start->file);
		return COMMAND_DUMP;
	}
	struct buf block = buf_of(DUMP_GTIDS_MAX);
	*ret_rc = dump_gtid_block(slice_text(start->gtids), &block);
	buf_u16le(out, flags | DUMP_THROUGH_GTID);
	buf_u32le(out, start->replica_id);
	buf_u32le(out, 0); /* no file */
	buf_u64le(out, FIRST_POS);
	buf_u32le(out, (uint32_t)block.len);
	buf_slice(out, buf_as_slice(&block));
	buf_release(&block);
	return COMMAND_DUMP_GTID;
}

enum rc dump_ask(struct link *link, const struct mysql_server *server,
	const struct binlog_start *start, struct fault *fault)
{
	if (!server->log_bin) {
		(void)fault_set(fault, RC_UNFIT, "%s writes no binlog", link_name(link));
		fault_hint(fault, "%s", link_error_hint(NO_BINARY_LOGGING, ""));
		return RC_UNFIT;
	}
	if (start->by_gtid && !server->has_gtids) {
		(void)fault_set(fault, RC_UNFIT,
			"%s was asked to start at a GTID, but its gtid_mode is not ON",
			link_name(link));
		fault_hint(fault, "start at a file and position, or set gtid_mode=ON");
		return RC_UNFIT;
	}
	enum rc rc = prepare(link, server, start, fault);
	if (rc != RC_OK)
		return rc;
	struct buf command = buf_of(DUMP_GTIDS_MAX + 4096);
	unsigned number = put_command(server, start, &command, &rc);
	if (rc == RC_OK)
		rc = command.rc;
	rc = rc == RC_OK ? link_send(link, number, buf_as_slice(&command), fault)
			 : fault_set(fault, rc, "\"%.80s\" is not a set of GTIDs", start->gtids);
	buf_release(&command);
	return rc;
}
