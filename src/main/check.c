/* The sub-command check: is the source fit to be captured?
 *
 * Exit status 0 when no finding is an error, else UNFIT. Thread: main. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "main/cli.h"
#include "main/setup.h"
#include "mysql/mysql.h"

enum { OUT_MAX = 16 << 20 };

struct checking {
	struct buf out;
	bool json, colour;
	unsigned counts[4];
};

static const char *const level_names[] = {"ok", "advice", "warning", "error"};

static void put_json(struct checking *checking, const struct finding *finding)
{
	struct buf *out = &checking->out;
	buf_text(out, out->at[out->len - 1] == '[' ? "{" : ",{");
	buf_format(out, "\"level\":\"%s\"", level_names[finding->level]);
	buf_json_key(out, "name");
	buf_json_string(out, slice_text(finding->name));
	buf_json_key(out, "text");
	buf_json_string(out, slice_text(finding->text));
	buf_json_key(out, "mend");
	buf_json_string(out, slice_text(finding->mend));
	buf_u8(out, '}');
}

static void put_finding(void *context, const struct finding *finding)
{
	static const char *const colours[] = {"\033[32m", "\033[36m", "\033[33m", "\033[31m"};
	struct checking *checking = context;
	checking->counts[finding->level]++;
	if (checking->json) {
		put_json(checking, finding);
		return;
	}
	buf_format(&checking->out, "%s%-8s%s %s: %s\n",
		checking->colour ? colours[finding->level] : "", level_names[finding->level],
		checking->colour ? "\033[0m" : "", finding->name, finding->text);
	if (finding->mend[0])
		buf_format(&checking->out, "         mend: %s\n", finding->mend);
}

static void put_summary(
	struct checking *checking, const struct mysql_server *server, const char *name)
{
	struct buf *out = &checking->out;
	bool fit = checking->counts[FINDING_ERROR] == 0;
	if (checking->json) {
		buf_format(out, "],\"fit\":%s,\"version\":", fit ? "true" : "false");
		buf_json_string(out, slice_text(server->version_text));
		buf_text(out, "}\n");
		return;
	}
	buf_format(out, "\n%s (%s) is %s: errors %u, warnings %u, advice %u\n", name,
		server->version_text, fit ? "fit to be captured" : "not fit to be captured",
		checking->counts[FINDING_ERROR], checking->counts[FINDING_WARNING],
		checking->counts[FINDING_ADVICE]);
}

static enum rc examine(struct cli *cli, const struct mysql_options *source,
	struct checking *checking, struct fault *fault)
{
	struct link *link = NULL;
	struct mysql_server server;
	size_t count;
	const char *const *tables = settings_list(cli->config.top, SET_SOURCE_TABLES, &count);
	enum rc rc = link_open(source, &link, fault);
	if (rc == RC_OK)
		rc = mysql_server_read(link, &server, fault);
	if (checking->json)
		buf_text(&checking->out, "{\"findings\":[");
	if (rc == RC_OK)
		rc = mysql_check(link, &server, tables, count, put_finding, checking, fault);
	if (rc == RC_OK) {
		put_summary(checking, &server, link_name(link));
		cli_print(&checking->out);
	}
	link_close(link);
	return rc;
}

enum rc command_check(struct cli *cli, struct fault *fault)
{
	struct setup setup;
	struct mysql_options source;
	struct checking checking = {
		.out = buf_of(OUT_MAX), .json = cli->json, .colour = cli->is_terminal};
	enum rc rc = setup_init(&setup, cli, fault);
	if (rc == RC_OK)
		rc = setup_source(&setup, cli, &source, fault);
	if (rc == RC_OK)
		rc = examine(cli, &source, &checking, fault);
	if (rc == RC_OK && checking.counts[FINDING_ERROR] > 0)
		rc = fault_set(fault, RC_UNFIT, "%u findings keep the source from being captured",
			checking.counts[FINDING_ERROR]);
	buf_release(&checking.out);
	setup_release(&setup);
	return rc;
}
