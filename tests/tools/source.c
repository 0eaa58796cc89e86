/* Shows what the room mysql sees of a real server, for tests by hand and by script.
 *
 *   source [options] server                       what the server is, where its binlog ends
 *   source [options] files                        its binlog files
 *   source [options] schema DATABASE TABLE        the columns of a table
 *   source [options] check [PATTERN...]           the findings
 *   source [options] dump FILE POS | gtid SET     a line an event: file, pos, next, type, size,
 * flags
 *
 * Options: --socket=PATH, or --host=NAME --port=N; --user=NAME --password=TEXT;
 * --tls=off|preferred| required|verify --ca=FILE --cert=FILE --key=FILE; for dump --end, --quiet
 * (rates only), --count=N,
 * --annotate, --max=BYTES,
 * --id=N, --heartbeat=MS. Faults go to standard error; the exit status is the fault's code. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "mysql/mysql.h"

struct wishes {
	struct mysql_options options;
	bool quiet;
	unsigned long long count;
	struct binlog_start start;
};

static atomic_bool stop;

static void on_signal(int number)
{
	(void)number;
	atomic_store(&stop, true);
}

static int fail(const struct fault *fault)
{
	fflush(stdout);
	fprintf(stderr, "%s: %s\n", rc_name(fault->rc), fault->text);
	if (fault->hint[0])
		fprintf(stderr, "hint: %s\n", fault->hint);
	return (int)fault->rc;
}

static enum rc print_file(void *context, const char *file, uint64_t size, struct fault *fault)
{
	(void)context;
	(void)fault;
	printf("%s %llu\n", file, (unsigned long long)size);
	return RC_OK;
}

static enum rc show_server(
	struct link *link, const struct mysql_server *server, struct fault *fault)
{
	char file[EVENT_FILE_MAX];
	uint64_t pos;
	struct buf gtids = buf_of(1 << 20);
	printf("name %s\nversion %u %s\nmariadb %d\nidentity %s\nlog_bin %d\ngtids %d\n"
	       "format %s\nrow_image %s\nrow_metadata %s\n",
		link_name(link), server->version, server->version_text, server->is_mariadb,
		server->identity, server->log_bin, server->has_gtids, server->format,
		server->row_image, server->row_metadata);
	enum rc rc = mysql_server_binlog_end(link, server, file, &pos, &gtids, fault);
	if (rc == RC_OK)
		printf("end %s %llu [%s]\n", file, (unsigned long long)pos, buf_cstring(&gtids));
	buf_release(&gtids);
	return rc;
}

static enum rc show_schema(
	struct link *link, const struct mysql_server *server, char **names, struct fault *fault)
{
	struct schema_table *schema;
	enum rc rc = schema_read(
		link, server, slice_text(names[0]), slice_text(names[1]), &schema, fault);
	if (rc != RC_OK)
		return rc;
	for (size_t i = 0; i < schema->column_count; i++) {
		const struct schema_column *column = &schema->columns[i];
		printf("%s | %s | %s |%s%s key %u\n", column->name, column->type, column->charset,
			column->nullable ? " null" : "", column->is_json ? " json" : "",
			column->key_place);
	}
	schema_free(schema);
	return RC_OK;
}

static void print_finding(void *context, const struct finding *finding)
{
	static const char *const levels[] = {"ok", "advice", "warning", "ERROR"};
	(void)context;
	printf("%-7s %s: %s\n", levels[finding->level], finding->name, finding->text);
	if (finding->mend[0])
		printf("        -> %s\n", finding->mend);
}

static void print_event(const struct binlog_event *event)
{
	printf("%s %llu %llu %s %zu 0x%x%s\n", event->file, (unsigned long long)event->pos,
		(unsigned long long)event->next_pos, binlog_type_name(event->type),
		event->whole.len, event->flags, event->artificial ? " artificial" : "");
}

static enum rc dump_events(struct binlog *binlog, const struct wishes *wishes, struct fault *fault)
{
	unsigned long long events = 0, waits = 0;
	struct binlog_event event;
	int64_t since = clock_monotonic_us();
	enum rc rc = RC_OK;
	while (rc == RC_OK && (wishes->count == 0 || events < wishes->count)) {
		rc = binlog_next(binlog, &event, fault);
		if (rc != RC_OK)
			break;
		events++;
		if (wishes->quiet)
			continue;
		print_event(&event);
		if (!binlog_has_more(binlog)) {
			fflush(stdout);
			waits++;
		}
	}
	double seconds = (double)(clock_monotonic_us() - since) / 1e6;
	double bytes = (double)binlog_received(binlog);
	fprintf(stderr, "%llu events, %.0f bytes, %.3f s, %.1f MB/s, %.0f events/s\n", events,
		bytes, seconds, bytes / 1e6 / seconds, (double)events / seconds);
	return rc == RC_END ? RC_OK : rc;
}

static enum rc dump(struct link *link, const struct mysql_server *server, struct wishes *wishes,
	char **words, struct fault *fault)
{
	struct binlog_start *start = &wishes->start;
	start->by_gtid = strcmp(words[0], "gtid") == 0;
	start->gtids = words[1];
	start->file = words[0];
	start->pos = strtoull(words[1], NULL, 10);
	start->stop = &stop;
	struct binlog *binlog;
	enum rc rc = binlog_open(link, server, start, &binlog, fault);
	if (rc != RC_OK)
		return rc;
	rc = dump_events(binlog, wishes, fault);
	binlog_close(binlog);
	return rc;
}

static enum rc run(struct wishes *wishes, int count, char **words, struct fault *fault)
{
	struct link *link;
	struct mysql_server server;
	enum rc rc = link_open(&wishes->options, &link, fault);
	if (rc != RC_OK)
		return rc;
	rc = mysql_server_read(link, &server, fault);
	if (rc == RC_OK && strcmp(words[0], "dump") == 0 && count == 3)
		return dump(link, &server, wishes, words + 1, fault);
	if (rc == RC_OK && strcmp(words[0], "server") == 0)
		rc = show_server(link, &server, fault);
	else if (rc == RC_OK && strcmp(words[0], "files") == 0)
		rc = mysql_server_files(link, print_file, NULL, fault);
	else if (rc == RC_OK && strcmp(words[0], "schema") == 0 && count == 3)
		rc = show_schema(link, &server, words + 1, fault);
	else if (rc == RC_OK && strcmp(words[0], "check") == 0)
		rc = mysql_check(link, &server, (const char *const *)(words + 1), (size_t)count - 1,
			print_finding, NULL, fault);
	else if (rc == RC_OK)
		rc = fault_set(fault, RC_USAGE, "see the head of source.c");
	link_close(link);
	return rc;
}

static enum mysql_tls tls_named(const char *name)
{
	static const char *const names[] = {"off", "preferred", "required", "verify"};
	int i = 0;
	while (i < 3 && strcmp(names[i], name) != 0)
		i++;
	return (enum mysql_tls)i;
}

static bool read_options(int count, char **words, struct wishes *wishes)
{
	static const struct option known[] = {{"socket", 1, 0, 's'}, {"host", 1, 0, 'h'},
		{"port", 1, 0, 'P'}, {"user", 1, 0, 'u'}, {"password", 1, 0, 'p'},
		{"tls", 1, 0, 't'}, {"ca", 1, 0, 'c'}, {"cert", 1, 0, 'C'}, {"key", 1, 0, 'K'},
		{"end", 0, 0, 'e'}, {"quiet", 0, 0, 'q'}, {"count", 1, 0, 'n'},
		{"annotate", 0, 0, 'a'}, {"max", 1, 0, 'm'}, {"id", 1, 0, 'i'},
		{"heartbeat", 1, 0, 'b'}, {"timeout", 1, 0, 'T'}, {0, 0, 0, 0}};
	struct mysql_options *options = &wishes->options;
	struct binlog_start *start = &wishes->start;
	for (int found; (found = getopt_long(count, words, "+", known, NULL)) != -1;) {
		switch (found) {
		case 's':
			options->socket = optarg;
			break;
		case 'h':
			options->host = optarg;
			break;
		case 'P':
			options->port = (unsigned)atoi(optarg);
			break;
		case 'u':
			options->user = optarg;
			break;
		case 'p':
			options->password = optarg;
			break;
		case 't':
			options->tls = tls_named(optarg);
			break;
		case 'c':
			options->tls_ca = optarg;
			break;
		case 'C':
			options->tls_cert = optarg;
			break;
		case 'K':
			options->tls_key = optarg;
			break;
		case 'e':
			start->end = true;
			break;
		case 'q':
			wishes->quiet = true;
			break;
		case 'n':
			wishes->count = strtoull(optarg, NULL, 10);
			break;
		case 'a':
			start->annotate = true;
			break;
		case 'm':
			start->event_max = strtoull(optarg, NULL, 10);
			break;
		case 'i':
			start->replica_id = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'b':
			start->heartbeat_us = atoll(optarg) * 1000;
			break;
		case 'T':
			options->connect_timeout_us = options->answer_timeout_us =
				atoll(optarg) * 1000;
			break;
		default:
			return false;
		}
	}
	return optind < count;
}

int main(int count, char **words)
{
	struct wishes wishes = {
		.options = {.host = "127.0.0.1",
			.port = 3306,
			.user = "test",
			.password = "test",
			.tls = MYSQL_TLS_PREFERRED,
			.connect_timeout_us = 5000000,
			.answer_timeout_us = 60000000},
		.start = {.replica_id = 77001,
			.heartbeat_us = 5000000,
			.event_max = 1024u * 1024 * 1024},
	};
	struct fault fault = {0};
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGPIPE, SIG_IGN);
	if (!read_options(count, words, &wishes)) {
		fprintf(stderr, "see the head of source.c\n");
		return RC_USAGE;
	}
	enum rc rc = run(&wishes, count - optind, words + optind, &fault);
	return rc == RC_OK ? 0 : fail(&fault);
}
