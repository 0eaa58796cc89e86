/* The sub-commands that print what is generated: pages of docs/, the sample configuration, the
 * version.
 *
 * Thread: main. */
#include <string.h>

#include "base/config.h"
#include "console/console.h"
#include "main/cli.h"

enum { PAGE_MAX = 1 << 20 };

static void put_exit_codes(struct buf *out)
{
	static const char *const classes[] = {"try again", "something has to be changed first",
		"stopped, so that nothing is lost"};
	buf_text(out,
		"# Exit codes\n\n<!-- Generated from src/base/rc.h by `./dev docs`; `./dev test "
		"tidy` compares. -->\n\n"
		"Every command of `millstream` ends with one of these, and says on standard error "
		"what happened, where, and the way "
		"out. The name stands in log lines as `code`.\n\n| status | name | meaning | class "
		"|\n|---|---|---|---|\n");
	enum rc rc;
	for (size_t i = 0; rc_row(i, &rc); i++)
		buf_format(out, "| %d | `%s` | %s | %s |\n", (int)rc, rc_name(rc), rc_text(rc),
			rc == RC_OK ? "" : classes[rc_class(rc)]);
}

enum rc command_docs(struct cli *cli, struct fault *fault)
{
	struct buf out = buf_of(PAGE_MAX);
	const char *page = cli->word_count == 1 ? cli->words[0] : "";
	enum rc rc = RC_OK;
	if (strcmp(page, "configuration") == 0)
		config_write_docs(&out);
	else if (strcmp(page, "exit-codes") == 0)
		put_exit_codes(&out);
	else if (strcmp(page, "metrics") == 0)
		console_write_metrics_docs(&out);
	else
		rc = fault_set(fault, RC_USAGE, "millstream docs configuration|exit-codes|metrics");
	if (rc == RC_OK)
		cli_print(&out);
	buf_release(&out);
	return rc;
}

enum rc command_sample(struct cli *cli, struct fault *fault)
{
	(void)cli, (void)fault;
	struct buf out = buf_of(PAGE_MAX);
	config_write_sample(&out);
	cli_print(&out);
	buf_release(&out);
	return RC_OK;
}

enum rc command_version(struct cli *cli, struct fault *fault)
{
	(void)fault;
	struct buf out = buf_of(4096);
	buf_format(
		&out, cli->json ? "{\"version\":\"%s\"}\n" : "millstream %s\n", MILLSTREAM_VERSION);
	cli_print(&out);
	buf_release(&out);
	return RC_OK;
}
