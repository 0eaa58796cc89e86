/* Is a source fit: its tables. Each look is one statement whose rows are matched with the patterns
 * here; of each kind some are named and the rest counted, so that a million tables take no more
 * memory than ten. */
#include "mysql/check.h"

#include <stdio.h>

#include "base/mem.h"
#include "mysql/link.h"

enum {
	NAMED_MAX = 20,          /* of each kind */
	SELECTS_TRIED_MAX = 500, /* tables whose SELECT is tried one by one */
	NAMES_MAX = 1024 * 1024,
};

#define NOT_OWN "NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')"
#define BASE_TABLES "TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')"

/* Rows of SCHEMA, TABLE and perhaps something more to say about it. */
struct list {
	const struct checking *checking;
	struct buf text;
	size_t count;
	char first[400]; /* quoted, for a statement that mends */
};

static enum rc take_row(void *context, const struct slice *cells, size_t count, struct fault *fault)
{
	struct list *list = context;
	if (count < 2)
		return fault_set(fault, RC_PROTOCOL, "a list of tables makes no sense");
	if (!check_matches(list->checking, cells[0], cells[1]))
		return RC_OK;
	list->count++;
	if (list->count == 1) {
		struct buf name = buf_of(sizeof list->first - 1);
		link_quote_name(cells[0], &name);
		buf_u8(&name, '.');
		link_quote_name(cells[1], &name);
		(void)snprintf(list->first, sizeof list->first, "%s", buf_cstring(&name));
		buf_release(&name);
	}
	if (list->count > NAMED_MAX)
		return RC_OK;
	buf_format(&list->text, "%s%.*s.%.*s", list->count > 1 ? ", " : "", SLICE_ARGS(cells[0]),
		SLICE_ARGS(cells[1]));
	if (count > 2 && cells[2].len > 0)
		buf_format(&list->text, " (%.*s)", SLICE_ARGS(cells[2]));
	return RC_OK;
}

static enum rc list_tables(const struct checking *checking, const char *sql, struct list *ret_list,
	struct fault *fault)
{
	*ret_list = (struct list){.checking = checking, .text = buf_of(CHECK_TEXT_MAX / 2)};
	enum rc rc = link_query(checking->link, sql, take_row, ret_list, fault);
	if (rc == RC_OK && ret_list->count > NAMED_MAX)
		buf_format(&ret_list->text, " and %zu more", ret_list->count - NAMED_MAX);
	return rc;
}

/* One look: the tables that the statement finds are at fault. `good` and `bad` are what to say. */
struct look {
	const char *name, *sql;
	enum finding_level level;
	const char *good, *bad;
	const char *mend; /* %s: the first table's name, or not used */
};

static enum rc look_for(
	const struct checking *checking, const struct look *look, struct fault *fault)
{
	struct list list;
	enum rc rc = list_tables(checking, look->sql, &list, fault);
	if (rc == RC_OK && list.count == 0) {
		check_say(checking, FINDING_OK, look->name, "", "%s", look->good);
	} else if (rc == RC_OK) {
		char mend[600];
		(void)snprintf(mend, sizeof mend, look->mend, list.first);
		check_say(checking, look->level, look->name, mend, "%s: %s", look->bad,
			buf_cstring(&list.text));
	}
	buf_release(&list.text);
	return rc;
}

/* clang-format off */
static const struct look key_look = {
	"tables without a primary key",
	"SELECT t.TABLE_SCHEMA, t.TABLE_NAME FROM information_schema.TABLES t LEFT JOIN "
	"(SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.STATISTICS WHERE INDEX_NAME = 'PRIMARY' AND SEQ_IN_INDEX = 1) k "
	"ON k.TABLE_SCHEMA = t.TABLE_SCHEMA AND k.TABLE_NAME = t.TABLE_NAME "
	"WHERE k.TABLE_NAME IS NULL AND t.TABLE_SCHEMA " NOT_OWN " AND t." BASE_TABLES " ORDER BY 1, 2",
	FINDING_WARNING,
	"none",
	"a row is only known by all of its values, and sinks that need a key refuse it",
	"ALTER TABLE %s ADD COLUMN id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY",
};

static const struct look cascade_look = {
	"foreign keys that cascade",
	"SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONCAT(CONSTRAINT_NAME, ': ON DELETE ', DELETE_RULE, ' ON UPDATE ', UPDATE_RULE) "
	"FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA " NOT_OWN
	" AND (DELETE_RULE NOT IN ('RESTRICT', 'NO ACTION') OR UPDATE_RULE NOT IN ('RESTRICT', 'NO ACTION')) ORDER BY 1, 2, 3",
	FINDING_WARNING,
	"none",
	"InnoDB changes these rows by itself and does not log it: such changes cannot be captured",
	"change the constraint to RESTRICT and delete or update the rows by statements (ALTER TABLE %s ...)",
};

static const struct look type_look = {
	"column types",
	"SELECT TABLE_SCHEMA, TABLE_NAME, CONCAT(COLUMN_NAME, ' ', COLUMN_TYPE, IF(CHARACTER_SET_NAME IS NULL, '', CONCAT(' ', CHARACTER_SET_NAME))) "
	"FROM information_schema.COLUMNS WHERE TABLE_SCHEMA " NOT_OWN " AND (DATA_TYPE IN ('geometry', 'point', 'linestring', 'polygon', "
	"'multipoint', 'multilinestring', 'multipolygon', 'geometrycollection', 'geomcollection', 'vector', 'uuid', 'inet4', 'inet6', 'xmltype') OR "
	"CHARACTER_SET_NAME NOT IN ('utf8mb4', 'utf8mb3', 'utf8', 'ascii', 'latin1', 'binary')) ORDER BY 1, 2, ORDINAL_POSITION",
	FINDING_ERROR,
	"all of them are decoded",
	"this version does not decode them, and stops at the first row",
	"leave the table out (source.exclude), or change the column: ALTER TABLE %s MODIFY ... CHARACTER SET utf8mb4",
};

static const struct look engine_look = {
	"storage engines",
	"SELECT TABLE_SCHEMA, TABLE_NAME, t.ENGINE FROM information_schema.TABLES t JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE "
	"WHERE TABLE_SCHEMA " NOT_OWN " AND " BASE_TABLES " AND e.TRANSACTIONS = 'NO' ORDER BY 1, 2",
	FINDING_WARNING,
	"all of them have transactions",
	"without transactions a statement that fails half-way leaves its rows, and a crash of the server may leave rows that are not in the binlog",
	"ALTER TABLE %s ENGINE = InnoDB",
};
/* clang-format on */

/* ---- what may be read ---- */

struct names {
	const struct checking *checking;
	struct buf sql; /* statements, each with its NUL */
	size_t count, tried;
};

static enum rc take_name(
	void *context, const struct slice *cells, size_t count, struct fault *fault)
{
	(void)fault;
	struct names *names = context;
	if (count < 2 || !check_matches(names->checking, cells[0], cells[1]))
		return RC_OK;
	names->count++;
	if (names->checking->selects_all || names->tried >= SELECTS_TRIED_MAX)
		return RC_OK;
	names->tried++;
	buf_text(&names->sql, "SELECT 1 FROM ");
	link_quote_name(cells[0], &names->sql);
	buf_u8(&names->sql, '.');
	link_quote_name(cells[1], &names->sql);
	buf_bytes(&names->sql, " LIMIT 0", sizeof " LIMIT 0");
	return RC_OK;
}

/* Runs them; counts and names those that are refused. */
static enum rc try_selects(struct names *names, struct list *refused, struct fault *fault)
{
	struct link *link = names->checking->link;
	const char *sql = buf_cstring(&names->sql);
	const char *end = sql + names->sql.len;
	for (; sql < end; sql += strlen(sql) + 1) {
		enum rc rc = link_query(link, sql, NULL, NULL, fault);
		if (rc == RC_OK)
			continue;
		if (rc != RC_PRIVILEGE)
			return rc;
		size_t skip = sizeof "SELECT 1 FROM " - 1;
		int len = (int)(strlen(sql) - skip - (sizeof " LIMIT 0" - 1));
		if (refused->count++ == 0)
			(void)snprintf(
				refused->first, sizeof refused->first, "%.*s", len, sql + skip);
		if (refused->count <= NAMED_MAX)
			buf_format(&refused->text, "%s%.*s", refused->count > 1 ? ", " : "", len,
				sql + skip);
	}
	return RC_OK;
}

static void say_selects(
	const struct checking *checking, const struct names *names, struct list *refused)
{
	const char *account = link_account(checking->link);
	char mend[1200];
	static const char name[] = "privilege SELECT";
	if (names->count == 0) {
		(void)snprintf(mend, sizeof mend, "GRANT SELECT ON *.* TO %s", account);
		check_say(checking, FINDING_WARNING, name, checking->selects_all ? "" : mend,
			checking->selects_all
				? "no table matches source.tables yet"
				: "no table matches source.tables, or all of them are hidden");
	} else if (refused->count > 0) {
		(void)snprintf(mend, sizeof mend, "GRANT SELECT ON %s TO %s (and on the others)",
			refused->first, account);
		check_say(checking, FINDING_ERROR, name, mend,
			"%zu of %zu tables may not be read: %s", refused->count, names->count,
			buf_cstring(&refused->text));
	} else if (names->tried < names->count && !checking->selects_all) {
		check_say(checking, FINDING_OK, name, "",
			"%zu of %zu tables were tried and may be read", names->tried, names->count);
	} else {
		check_say(checking, FINDING_OK, name, "", "%zu tables match, all may be read",
			names->count);
	}
}

static enum rc check_selects(const struct checking *checking, struct fault *fault)
{
	struct names names = {.checking = checking, .sql = buf_of(NAMES_MAX)};
	struct list refused = {.checking = checking, .text = buf_of(CHECK_TEXT_MAX / 2)};
	enum rc rc = link_query(checking->link,
		"SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE "
		"TABLE_SCHEMA " NOT_OWN " AND " BASE_TABLES,
		take_name, &names, fault);
	if (rc == RC_OK)
		rc = try_selects(&names, &refused, fault);
	if (rc == RC_OK)
		say_selects(checking, &names, &refused);
	buf_release(&refused.text);
	buf_release(&names.sql);
	return rc;
}

/* ---- all of it ---- */

enum rc check_tables(struct checking *checking, struct fault *fault)
{
	enum rc rc = check_selects(checking, fault);
	if (rc == RC_OK)
		rc = look_for(checking, &key_look, fault);
	if (rc == RC_OK && checking->logs_cascades)
		check_say(checking, FINDING_OK, cascade_look.name, "",
			"this server logs what they do");
	else if (rc == RC_OK)
		rc = look_for(checking, &cascade_look, fault);
	if (rc == RC_OK)
		rc = look_for(checking, &type_look, fault);
	if (rc == RC_OK)
		rc = look_for(checking, &engine_look, fault);
	return rc;
}
