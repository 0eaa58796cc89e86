/* What it means when a server refuses a dump or ends one.
 *
 * Nearly all of it comes as error 1236 with a sentence; the sentences are those of MariaDB 10.11
 * and MySQL 8.0 and 9, which say master and slave, source and replica. Pure functions. */
#include <stdio.h>

#include "mysql/dump.h"
#include "mysql/link.h"

enum { FATAL_READING_BINLOG = 1236, TEXT_MAX = 600 };

const char dump_gap_hint[] =
	"begin a new stream from what the server still has (what is missing is lost to it), or "
	"restore the files; to keep more, raise binlog_expire_logs_seconds (expire_logs_days)";
const char dump_behind_hint[] =
	"the server was reset, restored from a backup, or lost its tail in a crash: check that it "
	"is the same server; begin a new stream if so";

/* clang-format off */
static const struct {
	const char *sign;
	enum rc rc;
	const char *hint;
} sentences[] = {
	{"purged binary logs", RC_PURGED, dump_gap_hint},
	{"purged required binary logs", RC_PURGED, dump_gap_hint},
	{"Could not find first log file", RC_PURGED, dump_gap_hint},
	{"Could not find GTID state", RC_PURGED, dump_gap_hint},
	{"is missing the GTID", RC_PURGED, dump_gap_hint},
	{"more GTIDs than", RC_BEHIND, dump_behind_hint},
	{"position > file size", RC_BEHIND, dump_behind_hint},
	{"impossible position", RC_BEHIND, dump_behind_hint},
	{"same server_uuid/server_id", RC_CONFLICT, "another replica uses this id: give each its own source.server_id, and stop the other one"},
	{"Binary log is not open", RC_UNFIT, "switch the binary log on: log_bin=binlog and server_id=1 under [mysqld] in my.cnf, then restart the server"},
	{"server_id was not set", RC_UNFIT, "the server needs an id of its own: SET GLOBAL server_id=1, and the same in my.cnf"},
	{"server id was not set", RC_UNFIT, "the server needs an id of its own: SET GLOBAL server_id=1, and the same in my.cnf"},
	{"AUTO_POSITION mode", RC_UNFIT, "GTIDs are not in use everywhere: start at a file and position, or set gtid_mode=ON"},
	{"max_allowed_packet", RC_REFUSED, "raise max_allowed_packet on the server (up to 1 GiB)"},
	{"checksum", RC_REFUSED, "the server's file is damaged there: mariadb-binlog or mysqlbinlog --verify-binlog-checksum shows where; see source.skip"},
	{"crc check", RC_REFUSED, "the server's file is damaged there: mariadb-binlog or mysqlbinlog --verify-binlog-checksum shows where; see source.skip"},
	{"bogus data in log event", RC_REFUSED, "no event begins at that position, or the server's file is damaged there"},
};
/* clang-format on */

/* "D-S-N" at `at`. */
static bool read_mariadb_gtid(const char *at, unsigned *ret_domain, unsigned long long *ret_number)
{
	unsigned server;
	return sscanf(at, "%10u-%10u-%20llu", ret_domain, &server, ret_number) == 3;
}

/* Whether the server's own binlog ends before the GTID that `text` names. */
static bool ends_before(const char *binlog_pos, const char *text)
{
	static const char mark[] = "from GTID ";
	unsigned wanted_domain, domain;
	unsigned long long wanted, number;
	const char *gtid = strstr(text, mark);
	if (!gtid || !read_mariadb_gtid(gtid + sizeof mark - 1, &wanted_domain, &wanted))
		return false;
	for (const char *at = binlog_pos; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (read_mariadb_gtid(at, &domain, &number) && domain == wanted_domain)
			return wanted > number;
	}
	return true; /* it has nothing at all of that domain */
}

static enum rc judge_sentence(
	const char *text, const struct dump_context *context, const char **ret_hint)
{
	*ret_hint = "";
	if (strstr(text, "which is not in the master's binlog")) {
		bool behind = context->binlog_pos && ends_before(context->binlog_pos, text);
		*ret_hint = behind ? dump_behind_hint : dump_gap_hint;
		return behind ? RC_BEHIND : RC_PURGED;
	}
	for (size_t i = 0; i < sizeof sentences / sizeof sentences[0]; i++) {
		if (strstr(text, sentences[i].sign)) {
			*ret_hint = sentences[i].hint;
			return sentences[i].rc;
		}
	}
	return RC_REFUSED;
}

enum rc dump_error_set(struct fault *fault, const char *name, unsigned number, struct slice text,
	const struct dump_context *context)
{
	char sentence[TEXT_MAX];
	(void)snprintf(sentence, sizeof sentence, "%.*s", SLICE_ARGS(text));
	if (number != FATAL_READING_BINLOG) {
		char what[TEXT_MAX];
		(void)snprintf(what, sizeof what, "%.400s, in the binlog dump", name);
		enum rc rc = link_error_set(fault, what, number, sentence, context->account);
		if (rc != RC_DENIED)
			return rc;
		/* Whoever is asked for a dump is logged in: it is a privilege that is missing. */
		fault->rc = RC_PRIVILEGE;
		fault_hint(fault, "GRANT REPLICATION SLAVE ON *.* TO %s", context->account);
		return RC_PRIVILEGE;
	}
	const char *hint;
	enum rc rc = judge_sentence(sentence, context, &hint);
	(void)fault_set(
		fault, rc, "%s ends the binlog dump: %s (error %u)", name, sentence, number);
	fault_hint(fault, "%s", hint);
	return rc;
}
