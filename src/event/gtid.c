/* Sets of GTIDs; see event.h.
 *
 * MySQL: parts sorted by name ("uuid" or "uuid:tag", lower case), each a sorted list of disjoint
 * intervals that do not touch. MariaDB: parts sorted by domain, each with the server and sequence
 * number of its last transaction. Sources: "GTID Sets" of the MySQL reference manual, "Global
 * Transaction ID" of MariaDB's knowledge base. */
#include <assert.h>
#include <ctype.h>
#include <stdlib.h>

#include "base/mem.h"
#include "event/event.h"

enum { NAME_MAX_BYTES = 36 + 1 + 32 + 1, UUID_LEN = 36, TAG_MAX = 32 };

struct interval {
	uint64_t first, last;
};

struct part {
	char name[NAME_MAX_BYTES]; /* MySQL */
	struct interval *intervals;
	size_t interval_count;
	uint32_t domain, server; /* MariaDB */
	uint64_t sequence;
};

struct gtid_set {
	enum gtid_flavor flavor;
	struct part *parts;
	size_t part_count;
};

struct gtid_set *gtid_set_new(enum gtid_flavor flavor)
{
	struct gtid_set *set = mem_new(1, sizeof *set);
	set->flavor = flavor;
	return set;
}

void gtid_set_clear(struct gtid_set *set)
{
	for (size_t i = 0; i < set->part_count; i++)
		mem_free(set->parts[i].intervals);
	mem_free(set->parts);
	set->parts = NULL;
	set->part_count = 0;
}

void gtid_set_free(struct gtid_set *set)
{
	if (!set)
		return;
	gtid_set_clear(set);
	mem_free(set);
}

enum gtid_flavor gtid_set_flavor(const struct gtid_set *set)
{
	return set->flavor;
}

bool gtid_set_is_empty(const struct gtid_set *set)
{
	return set->part_count == 0;
}

static int compare_parts(const struct gtid_set *set, const struct part *a, const struct part *b)
{
	if (set->flavor == GTID_MARIADB)
		return a->domain < b->domain ? -1 : a->domain > b->domain;
	return strcmp(a->name, b->name);
}

/* The part that is equal to `wanted` in name or domain, made where it is missing. */
static struct part *part_for(struct gtid_set *set, const struct part *wanted)
{
	size_t at = 0;
	int order = -1;
	while (at < set->part_count && (order = compare_parts(set, &set->parts[at], wanted)) < 0)
		at++;
	if (at < set->part_count && order == 0)
		return &set->parts[at];
	set->parts = mem_resize(set->parts, (set->part_count + 1) * sizeof *set->parts);
	memmove(&set->parts[at + 1], &set->parts[at], (set->part_count - at) * sizeof *set->parts);
	set->parts[at] = *wanted;
	set->part_count++;
	return &set->parts[at];
}

static const struct part *part_like(const struct gtid_set *set, const struct part *wanted)
{
	for (size_t i = 0; i < set->part_count; i++) {
		if (compare_parts(set, &set->parts[i], wanted) == 0)
			return &set->parts[i];
	}
	return NULL;
}

/* Puts an interval in its place and melts what it touches. */
static void add_interval(struct part *part, struct interval new)
{
	size_t from = 0;
	while (from < part->interval_count && part->intervals[from].last + 1 < new.first)
		from++;
	size_t to = from;
	for (; to < part->interval_count && part->intervals[to].first <= new.last + 1; to++) {
		if (part->intervals[to].first < new.first)
			new.first = part->intervals[to].first;
		if (part->intervals[to].last > new.last)
			new.last = part->intervals[to].last;
	}
	size_t tail = part->interval_count - to;
	if (to == from)
		part->intervals = mem_resize(
			part->intervals, (part->interval_count + 1) * sizeof *part->intervals);
	memmove(&part->intervals[from + 1], &part->intervals[to], tail * sizeof *part->intervals);
	part->intervals[from] = new;
	part->interval_count = from + 1 + tail;
}

/* ---- reading ---- */

static void skip_blanks(struct reader *reader)
{
	while (reader->at < reader->end && isspace(*reader->at))
		reader->at++;
}

static bool take_byte(struct reader *reader, uint8_t byte)
{
	skip_blanks(reader);
	if (reader->at == reader->end || *reader->at != byte)
		return false;
	reader->at++;
	skip_blanks(reader);
	return true;
}

static bool take_number(struct reader *reader, uint64_t most, uint64_t *ret_number)
{
	uint64_t number = 0;
	const uint8_t *start = reader->at;
	for (; reader->at < reader->end && isdigit(*reader->at); reader->at++) {
		unsigned digit = *reader->at - (unsigned)'0';
		if (number > (most - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*ret_number = number;
	return reader->at > start;
}

static bool take_uuid(struct reader *reader, char *ret_name)
{
	const uint8_t *at = read_bytes(reader, UUID_LEN);
	if (!at)
		return false;
	for (int i = 0; i < UUID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? at[i] != '-' : !isxdigit(at[i]))
			return false;
		ret_name[i] = (char)tolower(at[i]);
	}
	ret_name[UUID_LEN] = 0;
	return true;
}

/* Replaces the tag of a name. */
static bool take_tag(struct reader *reader, char *name)
{
	size_t len = 0;
	name[UUID_LEN] = ':';
	for (; reader->at < reader->end && (isalnum(*reader->at) || *reader->at == '_');
		reader->at++) {
		if (len == TAG_MAX)
			return false;
		name[UUID_LEN + 1 + len++] = (char)tolower(*reader->at);
	}
	name[UUID_LEN + 1 + len] = 0;
	return len > 0;
}

static bool take_interval(struct reader *reader, struct interval *ret_interval)
{
	static const uint64_t most = INT64_MAX - 1;
	if (!take_number(reader, most, &ret_interval->first) || ret_interval->first == 0)
		return false;
	ret_interval->last = ret_interval->first;
	if (take_byte(reader, '-') && !take_number(reader, most, &ret_interval->last))
		return false;
	return ret_interval->last >= ret_interval->first;
}

/* uuid:1-5:7:tag:1-3 */
static bool add_mysql(struct gtid_set *set, struct reader *reader)
{
	struct part wanted = {0};
	if (!take_uuid(reader, wanted.name) || !take_byte(reader, ':'))
		return false;
	do {
		struct interval interval;
		if (reader->at < reader->end && !isdigit(*reader->at)) {
			if (!take_tag(reader, wanted.name) || !take_byte(reader, ':'))
				return false;
		}
		if (!take_interval(reader, &interval))
			return false;
		add_interval(part_for(set, &wanted), interval);
	} while (take_byte(reader, ':'));
	return true;
}

/* domain-server-sequence */
static bool add_mariadb(struct gtid_set *set, struct reader *reader)
{
	uint64_t domain, server, sequence;
	if (!take_number(reader, UINT32_MAX, &domain) || !take_byte(reader, '-') ||
		!take_number(reader, UINT32_MAX, &server) || !take_byte(reader, '-') ||
		!take_number(reader, UINT64_MAX, &sequence))
		return false;
	struct part wanted = {.domain = (uint32_t)domain};
	struct part *part = part_for(set, &wanted);
	part->server = (uint32_t)server;
	part->sequence = sequence;
	return true;
}

enum rc gtid_set_add(struct gtid_set *set, struct slice text)
{
	struct reader reader = reader_of(text.at, text.len);
	skip_blanks(&reader);
	while (reader.at < reader.end) {
		bool good = set->flavor == GTID_MYSQL ? add_mysql(set, &reader)
			: set->flavor == GTID_MARIADB ? add_mariadb(set, &reader)
						      : false;
		if (!good)
			return RC_CORRUPT;
		if (!take_byte(&reader, ','))
			return reader.at == reader.end ? RC_OK : RC_CORRUPT;
	}
	return RC_OK;
}

/* ---- writing and comparing ---- */

/* Parts with one UUID and several tags are written one by one: the server reads that as the same
 * set. */
void gtid_set_text(const struct gtid_set *set, struct buf *out)
{
	for (size_t i = 0; i < set->part_count; i++) {
		const struct part *part = &set->parts[i];
		buf_text(out, i > 0 ? "," : "");
		if (set->flavor == GTID_MARIADB) {
			buf_format(out, "%u-%u-%llu", part->domain, part->server,
				(unsigned long long)part->sequence);
			continue;
		}
		buf_text(out, part->name);
		for (size_t j = 0; j < part->interval_count; j++) {
			const struct interval *interval = &part->intervals[j];
			buf_format(out, ":%llu", (unsigned long long)interval->first);
			if (interval->last > interval->first)
				buf_format(out, "-%llu", (unsigned long long)interval->last);
		}
	}
}

static bool has_interval(const struct part *part, struct interval wanted)
{
	for (size_t i = 0; i < part->interval_count; i++) {
		if (part->intervals[i].first <= wanted.first &&
			part->intervals[i].last >= wanted.last)
			return true;
	}
	return false;
}

bool gtid_set_contains(const struct gtid_set *whole, const struct gtid_set *part)
{
	assert(whole->flavor == part->flavor);
	for (size_t i = 0; i < part->part_count; i++) {
		const struct part *wanted = &part->parts[i];
		const struct part *have = part_like(whole, wanted);
		if (!have || have->sequence < wanted->sequence)
			return false;
		for (size_t j = 0; j < wanted->interval_count; j++) {
			if (!has_interval(have, wanted->intervals[j]))
				return false;
		}
	}
	return true;
}
