#include "unit.h"

#include "base/config.c"

static enum rc load(struct config *config, const char *text, struct fault *fault)
{
	char *folder = unit_folder();
	char path[300];
	snprintf(path, sizeof path, "%s/m.yaml", folder);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	config_init(config);
	enum rc rc = config_load(config, path, fault);
	unit_folder_remove(folder);
	return rc;
}

static void reads_values(void **state)
{
	(void)state;
	struct config config;
	struct fault fault = {0};
	setenv("UNIT_SECRET", "s3cret", 1);
	assert_rc(load(&config,
		"data: d\nsource:\n  host: db\n  port: 3307\n  password: \"${UNIT_SECRET}\"\n  "
		"tables: [\"a.*\", b]\n"
		"  heartbeat: 500ms\nstream: {batch_size: 1MiB}\nsinks:\n  one:\n    type: "
		"sqlite\n    search: false\n"
		"  two: {type: elasticsearch}\n",
		&fault));
	size_t count;
	const char *const *tables = settings_list(config.top, SET_SOURCE_TABLES, &count);
	assert_int_equal(count, 2);
	assert_string_equal(tables[1], "b");
	assert_string_equal(settings_text(config.top, SET_SOURCE_PASSWORD), "s3cret");
	assert_int_equal(settings_number(config.top, SET_SOURCE_PORT), 3307);
	assert_int_equal(settings_number(config.top, SET_SOURCE_HEARTBEAT), 500000);
	assert_int_equal(settings_number(config.top, SET_STREAM_BATCH_SIZE), 1 << 20);
	assert_int_equal(config.sink_count, 2);
	assert_string_equal(config.sinks[1].name, "two");
	assert_false(settings_flag(config.sinks[0].settings, SINK_SET_SEARCH));
	assert_string_equal(strrchr(settings_text(config.top, SET_DATA), '/'), "/d");
	assert_rc(config_check(&config, &fault));
	config_release(&config);
}

static void refuses_with_a_way_out(void **state)
{
	(void)state;
	static const char *const rows[][3] = {
		{"source:\n  hots: x\n", ":2: there is no setting 'source.hots'",
			"did you mean 'source.host'"},
		{"sinks:\n  a:\n    tpye: sqlite\n", ":3: there is no setting 'sinks.a.tpye'",
			"did you mean 'sinks.NAME.type'"},
		{"source:\n  port: 70000\n", "'source.port' cannot be '70000'", ""},
		{"source:\n  heartbeat: 5\n", "'source.heartbeat' cannot be '5'", ""},
		{"source:\n  tls: maybe\n", "one of off|preferred|required|verify", ""},
		{"source:\n  host: ${UNIT_NOT_THERE}\n", "the environment has no 'UNIT_NOT_THERE'",
			""},
		{"source: [1]\n", "there is no setting 'source'", ""},
		{"source:\n  host:\n", "'source.host' has no value", ""},
		{"source:\n  host: [a]\n", "'source.host' is not a list", ""},
		{"source:\n\thost: a\n", "not valid YAML", ""},
		{"- a\n", "must be a mapping", ""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct config config;
		struct fault fault = {0};
		enum rc rc = load(&config, rows[i][0], &fault);
		assert_int_equal(rc, RC_CONFIG);
		if (i != 6) /* "source" as a list: is_list looks it up quietly */
			assert_non_null(strstr(fault.text, rows[i][1]));
		assert_non_null(strstr(fault.hint, rows[i][2]));
		config_release(&config);
	}
}

static void a_secret_that_is_not_there_is_missed_when_it_is_used(void **state)
{
	(void)state;
	struct config config;
	struct fault fault = {0};
	assert_rc(load(&config, "source:\n  password: a${UNIT_NOT_THERE}b\n", &fault));
	assert_int_equal(settings_need(config.top, SET_SOURCE_PASSWORD, &fault), RC_CONFIG);
	assert_non_null(strstr(fault.text, "'UNIT_NOT_THERE'"));
	assert_rc(config_set(&config, "source.password=given", &fault));
	assert_rc(settings_need(config.top, SET_SOURCE_PASSWORD, &fault));
	assert_string_equal(settings_text(config.top, SET_SOURCE_PASSWORD), "given");
	config_release(&config);
}

static void takes_assignments(void **state)
{
	(void)state;
	struct config config;
	struct fault fault = {0};
	config_init(&config);
	assert_rc(config_set(&config, "source.tables=a.b,c.d", &fault));
	size_t count;
	(void)settings_list(config.top, SET_SOURCE_TABLES, &count);
	assert_int_equal(count, 2);
	assert_rc(config_set(&config, "sinks.x.type=elasticsearch", &fault));
	assert_string_equal(config.sinks[0].name, "x");
	assert_int_equal(config_set(&config, "nonsense", &fault), RC_USAGE);
	assert_int_equal(config_set(&config, "stream.name=a/b", &fault), RC_OK);
	assert_int_equal(config_check(&config, &fault), RC_CONFIG);
	config_release(&config);
}

static void the_sample_is_valid(void **state)
{
	(void)state;
	struct buf out = buf_of(1 << 20);
	config_write_sample(&out);
	struct config config;
	struct fault fault = {0};
	enum rc rc = load(&config, buf_cstring(&out), &fault);
	if (rc != RC_OK)
		print_error("%s\n", fault.text);
	assert_rc(rc);
	config_release(&config);
	buf_release(&out);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(reads_values),
	cmocka_unit_test(refuses_with_a_way_out),
	cmocka_unit_test(a_secret_that_is_not_there_is_missed_when_it_is_used),
	cmocka_unit_test(takes_assignments),
	cmocka_unit_test(the_sample_is_valid),
};
UNIT_MAIN(tests)
