/* From the configuration to the options of rooms; see setup.h. */
#include "main/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/disk.h"
#include "base/mem.h"

enum { PASSWORD_MAX = 4096 };

static enum rc read_password(struct setup *setup, const struct settings *top, struct fault *fault)
{
	const char *file = settings_text(top, SET_SOURCE_PASSWORD_FILE);
	if (!file[0]) {
		enum rc rc = settings_need(top, SET_SOURCE_PASSWORD, fault);
		if (rc != RC_OK)
			return rc;
		buf_text(&setup->password, settings_text(top, SET_SOURCE_PASSWORD));
		return RC_OK;
	}
	if (settings_text(top, SET_SOURCE_PASSWORD)[0])
		return fault_set(fault, RC_CONFIG,
			"'source.password' and 'source.password_file' are both set");
	enum rc rc = disk_load(file, &setup->password, fault);
	if (rc == RC_NOT_FOUND || rc == RC_LIMIT)
		rc = RC_CONFIG;
	const uint8_t *end = rc == RC_OK && setup->password.len > 0
		? memchr(setup->password.at, '\n', setup->password.len)
		: NULL;
	if (end)
		setup->password.len = (size_t)(end - setup->password.at);
	return rc;
}

enum rc setup_init(struct setup *setup, const struct cli *cli, struct fault *fault)
{
	const struct settings *top = cli->config.top;
	*setup = (struct setup){.password = buf_of(PASSWORD_MAX)};
	const char *socket = settings_text(top, SET_SOURCE_SOCKET);
	setup->source_name = socket[0] ? mem_text(socket)
				       : mem_format("%s:%lld", settings_text(top, SET_SOURCE_HOST),
						 (long long)settings_number(top, SET_SOURCE_PORT));
	return read_password(setup, top, fault);
}

void setup_release(struct setup *setup)
{
	buf_release(&setup->password);
	mem_free(setup->source_name);
	for (size_t i = 0; i < CONFIG_SINKS_MAX; i++)
		mem_free(setup->targets[i]);
}

static enum mysql_tls tls_of(const char *text)
{
	static const char *const names[] = {"off", "preferred", "required", "verify"};
	for (int i = 0; i < 4; i++) {
		if (strcmp(text, names[i]) == 0)
			return (enum mysql_tls)i;
	}
	return MYSQL_TLS_VERIFY;
}

enum rc setup_source(const struct setup *setup, const struct cli *cli,
	struct mysql_options *ret_options, struct fault *fault)
{
	const struct settings *top = cli->config.top;
	if (setup->password.rc != RC_OK)
		return fault_set(fault, RC_CONFIG, "the password is too long");
	*ret_options = (struct mysql_options){
		.host = settings_text(top, SET_SOURCE_HOST),
		.port = (unsigned)settings_number(top, SET_SOURCE_PORT),
		.socket = settings_text(top, SET_SOURCE_SOCKET),
		.user = settings_text(top, SET_SOURCE_USER),
		.password = buf_cstring((struct buf *)(uintptr_t)&setup->password),
		.tls = tls_of(settings_text(top, SET_SOURCE_TLS)),
		.tls_ca = settings_text(top, SET_SOURCE_TLS_CA),
		.tls_cert = settings_text(top, SET_SOURCE_TLS_CERT),
		.tls_key = settings_text(top, SET_SOURCE_TLS_KEY),
		.connect_timeout_us = settings_number(top, SET_SOURCE_CONNECT_TIMEOUT),
		.answer_timeout_us = settings_number(top, SET_SOURCE_CONNECT_TIMEOUT) + 60000000,
	};
	return RC_OK;
}

/* An id that stays the same for this data folder and stream on this host, and hardly meets
 * another's. */
static uint32_t replica_id(const struct settings *top)
{
	int64_t given = settings_number(top, SET_SOURCE_SERVER_ID);
	if (given > 0)
		return (uint32_t)given;
	char host[256] = "";
	(void)gethostname(host, sizeof host - 1);
	char *folder = realpath(settings_text(top, SET_DATA), NULL);
	const char *const parts[] = {host, folder ? folder : settings_text(top, SET_DATA),
		settings_text(top, SET_STREAM_NAME)};
	uint32_t hash = 2166136261u;
	for (size_t i = 0; i < 3; i++) {
		for (const char *at = parts[i]; *at; at++)
			hash = (hash ^ (uint8_t)*at) * 16777619u;
	}
	mem_free(folder);
	return (hash & 0x3fffffff) | 0x10000000; /* away from the small numbers that people give */
}

enum rc setup_capture(const struct setup *setup, const struct cli *cli,
	struct capture_options *ret_options, struct fault *fault)
{
	const struct settings *top = cli->config.top;
	struct capture_options options = {
		.start = settings_text(top, SET_SOURCE_START),
		.replica_id = replica_id(top),
		.heartbeat_us = settings_number(top, SET_SOURCE_HEARTBEAT),
		.reconnect_max_us = settings_number(top, SET_SOURCE_RECONNECT_MAX),
		.max_row = (size_t)settings_number(top, SET_SOURCE_MAX_ROW),
		.batch_size = (size_t)settings_number(top, SET_STREAM_BATCH_SIZE),
		.until_end = cli->until_end,
	};
	options.tables = settings_list(top, SET_SOURCE_TABLES, &options.table_count);
	options.exclude = settings_list(top, SET_SOURCE_EXCLUDE, &options.exclude_count);
	options.json_columns =
		settings_list(top, SET_SOURCE_JSON_COLUMNS, &options.json_column_count);
	options.skip = settings_list(top, SET_SOURCE_SKIP, &options.skip_count);
	if (options.table_count == 0)
		return fault_set(
			fault, RC_CONFIG, "'source.tables' is empty: nothing would be captured");
	*ret_options = options;
	return setup_source(setup, cli, &ret_options->source, fault);
}

struct console_sink setup_console_sink(
	struct setup *setup, const struct config *config, size_t index)
{
	const struct config_sink *sink = &config->sinks[index];
	const char *type = settings_text(sink->settings, SINK_SET_TYPE);
	const char *path = settings_text(sink->settings, SINK_SET_PATH);
	mem_free(setup->targets[index]);
	if (strcmp(type, "sqlite") != 0)
		setup->targets[index] = mem_text(settings_text(sink->settings, SINK_SET_URL));
	else if (path[0])
		setup->targets[index] = mem_text(path);
	else
		setup->targets[index] =
			mem_format("%s/%s.db", settings_text(config->top, SET_DATA), sink->name);
	return (struct console_sink){
		.name = sink->name, .type = type, .target = setup->targets[index]};
}
