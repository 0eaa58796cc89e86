/* What it means when a server refuses a dump or ends one.
 *
 * Nearly all of it comes as error 1236 with a sentence; the sentences are those of MariaDB 10.11
 * and MySQL 8.0 and 9, which say master and slave, source and replica. Pure functions. */
#include <stdio.h>

#include "mysql/dump.h"
#include "mysql/link.h"

enum { TEXT_MAX = 600 };

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
	{"slave has diverged", RC_PURGED, "the server has other transactions than those that we followed: check that it is the same server, or one that was promoted properly; begin a new stream if so"},
	/* That it is not beyond the end was looked at before, so it was before what is left. */
	{"which is not in the master's binlog", RC_PURGED, dump_gap_hint},
	{"more GTIDs than", RC_BEHIND, dump_behind_hint},
	{"position > file size", RC_BEHIND, dump_behind_hint},
	{"impossible position", RC_BEHIND, dump_behind_hint},
	{"A slave with the same server_", RC_CONFLICT, "another replica uses this id: give each its own source.server_id, and stop the other one"},
	{"A replica with the same server_", RC_CONFLICT, "another replica uses this id: give each its own source.server_id, and stop the other one"},
	{"Binary log is not open", RC_UNFIT, "switch the binary log on: log_bin=binlog and server_id=1 under [mysqld] in my.cnf, then restart the server"},
	{"server_id was not set", RC_UNFIT, "the server needs an id of its own: SET GLOBAL server_id=1, and the same in my.cnf"},
	{"server_id is 0", RC_UNFIT, "the server needs an id of its own: SET GLOBAL server_id=1, and the same in my.cnf"},
	{"server id was not set", RC_UNFIT, "the server needs an id of its own: SET GLOBAL server_id=1, and the same in my.cnf"},
	{"AUTO_POSITION mode", RC_UNFIT, "GTIDs are not in use everywhere: start at a file and position, or set gtid_mode=ON"},
	{"max_allowed_packet", RC_REFUSED, "raise max_allowed_packet on the server (up to 1 GiB)"},
	{"checksum", RC_REFUSED, "the server's file is damaged there: mariadb-binlog or mysqlbinlog --verify-binlog-checksum shows where; see source.skip"},
	{"crc check", RC_REFUSED, "the server's file is damaged there: mariadb-binlog or mysqlbinlog --verify-binlog-checksum shows where; see source.skip"},
	{"in the middle of event", RC_REFUSED, "no event begins at that position, or the server's file is damaged there"},
	{"bogus data in log event", RC_REFUSED, "no event begins at that position, or the server's file is damaged there"},
};
/* clang-format on */

enum { SENTENCE_COUNT = sizeof sentences / sizeof sentences[0] };

static size_t sentence_of(const char *text)
{
	size_t i = 0;
	while (i < SENTENCE_COUNT && !strstr(text, sentences[i].sign))
		i++;
	return i;
}

enum rc dump_error_set(struct fault *fault, const char *name, unsigned number, struct slice text,
	const char *account)
{
	char sentence[TEXT_MAX], what[TEXT_MAX];
	(void)snprintf(sentence, sizeof sentence, "%.*s", SLICE_ARGS(text));
	(void)snprintf(what, sizeof what, "%.400s, in the binlog dump", name);
	size_t known = sentence_of(sentence);
	if (known < SENTENCE_COUNT) {
		(void)fault_set(
			fault, sentences[known].rc, "%s: %s (error %u)", what, sentence, number);
		fault_hint(fault, "%s", sentences[known].hint);
		return sentences[known].rc;
	}
	enum rc rc = link_error_set(fault, what, number, sentence, account);
	if (rc != RC_DENIED)
		return rc;
	/* Whoever asks for a dump is logged in: it is a privilege that is missing. */
	(void)fault_set(fault, RC_PRIVILEGE, "%s: %s (error %u)", what, sentence, number);
	fault_hint(fault, "GRANT REPLICATION SLAVE ON *.* TO %s", account);
	return RC_PRIVILEGE;
}
