#include "sinks/sqlite.c"
#include "stream.h"

static const char *model_path(const struct stream *stream)
{
	static char path[400];
	snprintf(path, sizeof path, "%s/x.db", stream->data);
	return path;
}

#define assert_sql(stream, query, text) \
	assert_string_equal(sql_ask(model_path(stream), "%s", query), text)

/* Every word of the index, with its place, is that of an index made anew, and no other. */
static void assert_index_is_right(const struct stream *stream)
{
	static const char make[] =
		"CREATE VIRTUAL TABLE temp.again USING fts5(text,"
		" tokenize = \"unicode61 remove_diacritics 2\");"
		"INSERT INTO temp.again(rowid, text) SELECT id, text FROM search_text;"
		"CREATE VIRTUAL TABLE temp.want USING fts5vocab('temp', 'again', 'instance');"
		"CREATE VIRTUAL TABLE temp.have USING fts5vocab('main', 'search', 'instance');"
		"INSERT INTO search(search) VALUES('integrity-check')";
	static const char differ[] =
		"SELECT count(*) FROM (SELECT * FROM (SELECT * FROM temp.want EXCEPT"
		" SELECT * FROM temp.have) UNION ALL SELECT * FROM (SELECT * FROM temp.have"
		" EXCEPT SELECT * FROM temp.want))";
	sqlite3 *handle;
	sqlite3_stmt *statement;
	assert_int_equal(sqlite3_open(model_path(stream), &handle), SQLITE_OK);
	int status = sqlite3_exec(handle, make, NULL, NULL, NULL);
	if (status == SQLITE_OK)
		status = sqlite3_prepare_v2(handle, differ, -1, &statement, NULL);
	if (status != SQLITE_OK)
		print_error("%s\n", sqlite3_errmsg(handle));
	assert_int_equal(status, SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(statement, 0), 0);
	sqlite3_finalize(statement);
	sqlite3_close(handle);
}

static struct stream stream;
static struct config config;

static int set_up(void **state)
{
	char *folder = unit_folder();
	*state = folder;
	stream_open(&stream, folder, 1);
	sink_config(&config, SETTINGS("type=sqlite"));
	return 0;
}

static int tear_down(void **state)
{
	config_release(&config);
	stream_close(&stream);
	unit_folder_remove(*state);
	return 0;
}

static void keeps_the_last_state_of_each_row(void **state)
{
	(void)state;
	stream_id(&stream, 'c', "ads", 1, ",\"title\":\"bike\"");
	stream_id(&stream, 'c', "ads", 2, ",\"title\":\"car\"");
	stream_id(&stream, 'u', "ads", 1, ",\"title\":\"red bike\"");
	stream_id(&stream, 'd', "ads", 2, ",\"title\":\"car\"");
	stream_id(&stream, 'r', "ads", 3, ",\"title\":\"boat\"");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_sql(&stream, "SELECT group_concat(key || doc || ord) FROM docs ORDER BY id",
		"{\"id\":1}{\"id\":1,\"title\":\"red bike\"}2,"
		"{\"id\":3}{\"id\":3,\"title\":\"boat\"}4");
	assert_sql(&stream, "SELECT next FROM checkpoint", "5");
	assert_true(equals_fold(&stream, model_path(&stream)));
}

static void moves_a_row_whose_key_changed(void **state)
{
	(void)state;
	stream_id(&stream, 'c', "ads", 1, ",\"t\":1");
	stream_row(&stream, 'd', "shop", "ads", "{\"id\":1},\"newkey\":{\"id\":9}", "1",
		"{\"id\":1,\"t\":1}");
	stream_row(&stream, 'c', "shop", "ads", "{\"id\":9},\"oldkey\":{\"id\":1}", "9",
		"{\"id\":9,\"t\":1}");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_sql(&stream, "SELECT group_concat(key) FROM docs", "{\"id\":9}");
}

static void counts_equal_rows_of_a_table_without_a_key(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		stream_row(&stream, 'c', "shop", "log", NULL, "a", "{\"what\":\"a\"}");
	stream_row(&stream, 'd', "shop", "log", NULL, "a", "{\"what\":\"a\"}");
	stream_row(&stream, 'c', "shop", "log", NULL, "b", "{\"what\":\"b\"}");
	stream_row(&stream, 'd', "shop", "log", NULL, "b", "{\"what\":\"b\"}");
	stream_row(&stream, 'd', "shop", "log", NULL, "never", "{\"what\":\"never\"}");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_sql(&stream, "SELECT group_concat(doc || copies) FROM docs", "{\"what\":\"a\"}2");
	assert_true(equals_fold(&stream, model_path(&stream)));
	assert_index_is_right(&stream);
}

static void a_replay_from_an_older_checkpoint_changes_nothing(void **state)
{
	(void)state;
	stream_id(&stream, 'c', "ads", 1, ",\"title\":\"one\"");
	stream_id(&stream, 'd', "ads", 1, ",\"title\":\"one\"");
	stream_id(&stream, 'c', "ads", 2, ",\"title\":\"two\"");
	stream_id(&stream, 'u', "ads", 2, ",\"title\":\"deux\"");
	for (int i = 0; i < 3; i++)
		stream_row(&stream, 'c', "shop", "log", NULL, "a", "{\"what\":\"a\"}");
	stream_row(&stream, 'd', "shop", "log", NULL, "a", "{\"what\":\"a\"}");
	stream_row(&stream, 'c', "shop", "log", NULL, "b", "{\"what\":\"b\"}");
	stream_row(&stream, 'd', "shop", "log", NULL, "b", "{\"what\":\"b\"}");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	uint64_t skipped = 0;
	for (unsigned next = 0; next < stream.next; next += 2) {
		sql_ask(model_path(&stream), "UPDATE checkpoint SET next = %u", next);
		sink_run_well(&stream, &config);
		assert_true(equals_fold(&stream, model_path(&stream)));
		assert_index_is_right(&stream);
		skipped += stage_get(unit_stage("sink:x"), STAGE_SKIPPED);
	}
	assert_true(skipped > 0);
}

static void a_truncate_takes_what_is_older(void **state)
{
	(void)state;
	for (unsigned id = 1; id <= 50; id++) {
		stream_id(&stream, 'c', "ads", id, ",\"title\":\"old\"");
		stream_id(&stream, 'c', "other", id, ",\"title\":\"old\"");
	}
	stream_control(&stream, 't', "shop", "ads", ",\"ddl\":\"TRUNCATE TABLE ads\"");
	stream_id(&stream, 'c', "ads", 7, ",\"title\":\"new\"");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_sql(&stream, "SELECT count(*) FROM docs WHERE source_table = 'other'", "50");
	assert_sql(&stream, "SELECT group_concat(key) FROM docs WHERE source_table = 'ads'",
		"{\"id\":7}");
	assert_sql(&stream, "SELECT count(*) FROM search WHERE search MATCH 'old'", "50");
	assert_true(equals_fold(&stream, model_path(&stream)));
	assert_index_is_right(&stream);
	stream_row(&stream, 'c', "shop2", "t", "{\"id\":1}", "1", "{\"id\":1}");
	stream_control(&stream, 't', "shop", NULL, ",\"drop\":true");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_sql(&stream, "SELECT group_concat(source_db) FROM docs", "shop2");
	assert_index_is_right(&stream);
}

static void search_finds_and_forgets(void **state)
{
	(void)state;
	stream_id(&stream, 'c', "ads", 1,
		",\"title\":\"Crème brûlée\",\"attributes\":{\"colour\":\"azure\",\"n\":77},"
		"\"tags\":[\"fast\"]");
	stream_id(&stream, 'c', "ads", 2, ",\"title\":\"Żaba\",\"price\":12.50");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	static const char find[] = "SELECT count(*) FROM search WHERE search MATCH '%s'";
	static const char *const found[] = {
		"creme", "BRULEE", "azure", "fast", "zaba", "cre*", "creme AND azure"};
	static const char *const not_found[] = {"77", "colour", "title", "car"};
	for (size_t i = 0; i < sizeof found / sizeof found[0]; i++)
		assert_string_equal(sql_ask(model_path(&stream), find, found[i]), "1");
	for (size_t i = 0; i < sizeof not_found / sizeof not_found[0]; i++)
		assert_string_equal(sql_ask(model_path(&stream), find, not_found[i]), "0");
	stream_id(&stream, 'u', "ads", 1, ",\"title\":\"tarte\"");
	stream_id(&stream, 'd', "ads", 2, ",\"title\":\"Żaba\"");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_string_equal(sql_ask(model_path(&stream), find, "creme OR zaba OR azure"), "0");
	assert_string_equal(sql_ask(model_path(&stream), find, "tarte"), "1");
	assert_sql(&stream,
		"SELECT json_extract(doc, '$.title') FROM search JOIN docs ON docs.id = "
		"search.rowid"
		" WHERE search MATCH 'tarte'",
		"tarte");
	assert_index_is_right(&stream);
}

static void the_index_comes_and_goes_with_its_setting(void **state)
{
	(void)state;
	struct config without;
	sink_config(&without, SETTINGS("type=sqlite", "search=false"));
	stream_id(&stream, 'c', "ads", 1, ",\"title\":\"bike\"");
	stream_commit(&stream);
	sink_run_well(&stream, &without);
	assert_sql(&stream, "SELECT count(*) FROM sqlite_schema WHERE name = 'search'", "0");
	stream_id(&stream, 'c', "ads", 2, ",\"title\":\"car\"");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_sql(&stream, "SELECT count(*) FROM search WHERE search MATCH 'bike OR car'", "2");
	assert_index_is_right(&stream);
	sink_run_well(&stream, &without);
	assert_sql(&stream, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'search%'", "1");
	config_release(&without);
}

static void makes_a_view_of_each_table(void **state)
{
	(void)state;
	stream_control(&stream, 's', "shop", "ads",
		",\"columns\":[{\"name\":\"id\",\"type\":\"int\",\"null\":false},"
		"{\"name\":\"ti'tle\",\"type\":\"text\",\"null\":true},"
		"{\"name\":\"we\\\"ird\\\\\",\"type\":\"text\",\"null\":true},"
		"{\"name\":\"big\",\"type\":\"bigint unsigned\",\"null\":true},"
		"{\"name\":\"price\",\"type\":\"decimal(5,2)\",\"null\":true}],"
		"\"primary_key\":[\"id\"]");
	stream_row(&stream, 'c', "shop", "ads", "{\"id\":1}", "1",
		"{\"id\":1,\"ti'tle\":\"x\",\"we\\\"ird\\\\\":\"w\","
		"\"big\":18446744073709551615,\"price\":12.50}");
	stream_control(&stream, 's', "shop", "log",
		",\"columns\":[{\"name\":\"what\",\"type\":\"text\",\"null\":true}],"
		"\"primary_key\":[]");
	stream_row(&stream, 'c', "shop", "log", NULL, "a", "{\"what\":\"a\"}");
	stream_row(&stream, 'c', "shop", "log", NULL, "a", "{\"what\":\"a\"}");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_sql(&stream,
		"SELECT id || \"ti'tle\" || \"we\"\"ird\\\" || big || price || _ord"
		" FROM \"shop.ads\"",
		"1xw1844674407370955161512.51");
	assert_sql(&stream, "SELECT what || _copies || _ord FROM \"shop.log\"", "a24");
	/* other columns, then no table */
	stream_control(&stream, 's', "shop", "ads",
		",\"columns\":[{\"name\":\"id\",\"type\":\"int\",\"null\":false},"
		"{\"name\":\"note\",\"type\":\"text\",\"null\":true}],\"primary_key\":[\"id\"]");
	stream_control(&stream, 's', "shop", "ads", ",\"ddl\":\"ALTER TABLE ads COMMENT 'x'\"");
	stream_id(&stream, 'u', "ads", 1, ",\"note\":null");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_sql(&stream, "SELECT id || ifnull(note, 'N') FROM \"shop.ads\"", "1N");
	stream_control(&stream, 't', "shop", "ads", ",\"drop\":true");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_sql(&stream, "SELECT group_concat(name) FROM sqlite_schema WHERE name LIKE 'shop%'",
		"shop.log");
}

static void views_of_like_names_do_not_collide(void **state)
{
	(void)state;
	static const char columns[] =
		",\"columns\":[{\"name\":\"id\",\"type\":\"int\",\"null\":false}],"
		"\"primary_key\":[\"id\"]";
	static const char *const tables[][2] = {{"shop", "Ads"}, {"shop", "ads"}, {"shop.x", "y"},
		{"shop", "x.y"}, {"sqlite_a", "b"}};
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		stream_control(&stream, 's', tables[i][0], tables[i][1], columns);
		char row[20];
		snprintf(row, sizeof row, "{\"id\":%zu}", i);
		stream_row(&stream, 'c', tables[i][0], tables[i][1], row, "1", row);
	}
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_sql(&stream, "SELECT id FROM \"shop.Ads\"", "0");
	assert_sql(&stream, "SELECT id FROM \"shop.ads~2\"", "1");
	assert_sql(&stream, "SELECT id FROM \"shop.x.y\"", "2");
	assert_sql(&stream, "SELECT id FROM \"shop.x.y~2\"", "3");
	/* SQLite keeps names that begin with sqlite_ for itself: rows come all the same */
	assert_sql(&stream, "SELECT count(*) FROM docs WHERE source_db = 'sqlite_a'", "1");
	/* the same schema again, from an older checkpoint */
	sql_ask(model_path(&stream), "UPDATE checkpoint SET next = 0");
	sink_run_well(&stream, &config);
	assert_sql(&stream, "SELECT id FROM \"shop.ads~2\"", "1");
}

static void leaves_a_foreign_file_alone(void **state)
{
	(void)state;
	struct fault fault;
	char path[400], command[1000];
	snprintf(path, sizeof path, "%s", model_path(&stream));
	sqlite3 *handle;
	assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
	sqlite3_exec(handle, "CREATE TABLE mine(x); INSERT INTO mine VALUES(1)", NULL, NULL, NULL);
	sqlite3_close(handle);
	snprintf(command, sizeof command, "cp '%s' '%s.copy'", path, path);
	assert_int_equal(system(command), 0);
	assert_int_equal(sink_run(&stream, &config, &fault), RC_EXISTS);
	assert_non_null(strstr(fault.text, "is not a read model"));
	assert_non_null(strstr(fault.hint, "name another file"));
	snprintf(command, sizeof command, "cmp '%s' '%s.copy'", path, path);
	assert_int_equal(system(command), 0);
	FILE *file = fopen(path, "w");
	fputs("this is a text, and longer than the header of an SQLite file, which is 100 bytes "
	      "long: so that it cannot be taken for an empty one\n",
		file);
	fclose(file);
	assert_int_equal(sink_run(&stream, &config, &fault), RC_EXISTS);
}

static void refuses_a_newer_file_and_another_stream(void **state)
{
	(void)state;
	struct fault fault;
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	sql_ask(model_path(&stream), "UPDATE meta SET created_us = created_us + 1");
	assert_int_equal(sink_run(&stream, &config, &fault), RC_EXISTS);
	assert_non_null(strstr(fault.text, "of another stream"));
	sql_ask(model_path(&stream), "UPDATE meta SET created_us = created_us - 1");
	sink_run_well(&stream, &config);
	sql_ask(model_path(&stream), "PRAGMA user_version = 99");
	assert_int_equal(sink_run(&stream, &config, &fault), RC_UNSUPPORTED);
	assert_non_null(strstr(fault.text, "newer version"));
}

/* ---- the target by itself ---- */

static struct hub_meta meta = {.name = "changes", .shards = 1, .created_us = 1};

static struct sink_item item_of(struct buf *line, struct buf *key)
{
	struct sink_item item = {.line = buf_as_slice(line), .key = buf_as_slice(key)};
	assert_rc(event_view_read(item.line, &item.view));
	return item;
}

static void a_full_disk_is_to_be_tried_again(void **state)
{
	(void)state;
	struct fault fault;
	void *target;
	struct sink_place place = {.name = "x",
		.settings = config.sinks[0].settings,
		.data = stream.data,
		.stream = &meta};
	assert_rc(sink_sqlite.open(&place, &target, &fault));
	struct read_model *model = target;
	struct buf line = buf_of(1 << 20), key = buf_of(100);
	buf_text(&line,
		"{\"op\":\"c\",\"db\":\"a\",\"table\":\"t\",\"ord\":5,\"key\":{\"id\":1},"
		"\"after\":{\"id\":1,\"x\":\"");
	for (int i = 0; i < 100000; i++)
		buf_u8(&line, (uint8_t)('a' + i % 26));
	buf_text(&line, "\"}}\n");
	buf_text(&key, "a.t|1");
	struct sink_item item = item_of(&line, &key);
	struct sink_round round = {.items = &item, .count = 1};
	assert_rc(sql_execute(&model->sql, "PRAGMA max_page_count = 40", &fault));
	assert_rc(sink_sqlite.begin(target, &fault));
	enum rc rc = sink_sqlite.apply(target, &round, &fault);
	if (rc == RC_OK)
		rc = sink_sqlite.commit(target, 6, &fault);
	assert_int_equal(rc, RC_DISK_FULL);
	assert_int_equal(rc_class(rc), RC_RETRY);
	sink_sqlite.rollback(target);
	assert_rc(sql_execute(&model->sql, "PRAGMA max_page_count = 4000", &fault));
	item.outcome = SINK_RETRY;
	assert_rc(sink_sqlite.begin(target, &fault));
	assert_rc(sink_sqlite.apply(target, &round, &fault));
	assert_rc(sink_sqlite.commit(target, 6, &fault));
	assert_int_equal(item.outcome, SINK_DONE);
	uint64_t next;
	assert_rc(sink_sqlite.load(target, &next, &fault));
	assert_int_equal(next, 6);
	sink_sqlite.close(target);
	assert_index_is_right(&stream);
	buf_release(&line);
	buf_release(&key);
}

static void waits_for_another_writer(void **state)
{
	(void)state;
	struct sink_options options = sink_options_of(&stream, &config);
	struct sink *sink;
	struct fault fault = {0};
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	sqlite3 *handle;
	assert_int_equal(sqlite3_open(model_path(&stream), &handle), SQLITE_OK);
	assert_rc(sink_start(&options, &sink, &fault));
	assert_int_equal(sqlite3_exec(handle, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	stream_id(&stream, 'c', "ads", 2, "%s", "");
	stream_commit(&stream);
	for (int i = 0; stage_get(options.stage, STAGE_STATE) != STAGE_WAITING; i++) {
		assert_true(i < 1000);
		clock_sleep_us(10000);
	}
	char text[STAGE_TEXT_MAX], place[STAGE_TEXT_MAX];
	stage_texts(options.stage, text, place);
	assert_non_null(strstr(text, "locked"));
	assert_int_equal(sqlite3_exec(handle, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(handle);
	sink_drain(sink, stream.next);
	assert_rc(sink_join(sink, &fault));
	assert_sql(&stream, "SELECT count(*) FROM docs", "2");
}

/* A file that is locked when the sink starts is waited for, and is no reason not to start. */
static void starts_while_the_file_is_locked(void **state)
{
	(void)state;
	struct sink_options options = sink_options_of(&stream, &config);
	struct sink *sink;
	struct fault fault = {0};
	stream_id(&stream, 'c', "ads", 1, "%s", "");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	sqlite3 *handle;
	assert_int_equal(sqlite3_open(model_path(&stream), &handle), SQLITE_OK);
	assert_int_equal(sqlite3_exec(handle, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_rc(sink_start(&options, &sink, &fault));
	assert_int_equal(stage_get(options.stage, STAGE_STATE), STAGE_WAITING);
	assert_int_equal(sqlite3_exec(handle, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(handle);
	stream_id(&stream, 'c', "ads", 2, "%s", "");
	stream_commit(&stream);
	sink_drain(sink, stream.next);
	assert_rc(sink_join(sink, &fault));
	assert_sql(&stream, "SELECT count(*) FROM docs", "2");
}

/* JSON that SQLite's parser does not take is refused alone, and without a trace. */
static void refuses_only_what_the_index_cannot_take(void **state)
{
	(void)state;
	char *deep = deep_json(), *row = mem_format("{\"id\":2,\"x\":%s}", deep);
	stream_id(&stream, 'c', "ads", 1, ",\"title\":\"one\"");
	stream_row(&stream, 'c', "shop", "ads", "{\"id\":2}", "2", row);
	stream_id(&stream, 'c', "ads", 3, ",\"title\":\"three\"");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	assert_sql(&stream, "SELECT group_concat(key) FROM docs", "{\"id\":1},{\"id\":3}");
	assert_int_equal(stage_get(unit_stage("sink:x"), STAGE_DEAD), 1);
	assert_index_is_right(&stream);
	mem_free(deep);
	mem_free(row);
}

/* Stopping at a refused document takes effect exactly once too. */
static void stops_at_a_refused_document_when_told_so(void **state)
{
	(void)state;
	struct config strict, without;
	struct fault fault;
	char *deep = deep_json(), *row = mem_format("{\"id\":2,\"x\":%s}", deep);
	sink_config(&strict, SETTINGS("type=sqlite", "dead_letters=stop"));
	sink_config(&without, SETTINGS("type=sqlite", "dead_letters=stop", "search=false"));
	for (int i = 0; i < 2; i++)
		stream_row(&stream, 'c', "shop", "log", NULL, "a", "{\"what\":\"a\"}");
	stream_row(&stream, 'c', "shop", "ads", "{\"id\":2}", "2", row);
	stream_row(&stream, 'c', "shop", "log", NULL, "a", "{\"what\":\"a\"}");
	stream_commit(&stream);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sink_run(&stream, &strict, &fault), RC_REFUSED);
		assert_sql(&stream, "SELECT copies FROM docs", "2");
		assert_sql(&stream, "SELECT next FROM checkpoint", "2");
	}
	sink_run_well(&stream, &without);
	assert_sql(&stream, "SELECT group_concat(copies) FROM docs", "3,1");
	config_release(&strict);
	config_release(&without);
	mem_free(deep);
	mem_free(row);
}

static const char *letters_path(void)
{
	static char path[400];
	snprintf(path, sizeof path, "%s/dead-letters/x.db", stream.data);
	return path;
}

/* Letters of a table without a key count: each delete makes one void, each is replayed once. */
static void letters_of_a_table_without_a_key_are_counted(void **state)
{
	(void)state;
	struct config without;
	char *deep = deep_json(), *row = mem_format("{\"x\":%s}", deep);
	sink_config(&without, SETTINGS("type=sqlite", "search=false"));
	for (int i = 0; i < 3; i++)
		stream_row(&stream, 'c', "shop", "log", NULL, "deep", row);
	stream_row(&stream, 'd', "shop", "log", NULL, "deep", row);
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	static const char states[] = "SELECT group_concat(ordinal || state) FROM letters";
	assert_string_equal(sql_ask(letters_path(), states), "0superseded,1waiting,2waiting");
	/* the delete comes again: it makes no other letter void */
	sql_ask(model_path(&stream), "UPDATE checkpoint SET next = 3");
	sink_run_well(&stream, &config);
	assert_string_equal(sql_ask(letters_path(), states), "0superseded,1waiting,2waiting");
	struct sink_options options = sink_options_of(&stream, &without);
	struct dead_filter all = {0};
	struct dead_result result;
	struct fault fault;
	assert_rc(sinks_dead_replay(&options, &all, &result, &fault));
	assert_int_equal(result.replayed, 2);
	assert_sql(&stream, "SELECT copies FROM docs", "2");
	/* as after a crash between the two commits */
	sql_ask(letters_path(), "UPDATE letters SET state = 'waiting' WHERE ordinal = 1");
	assert_rc(sinks_dead_replay(&options, &all, &result, &fault));
	assert_int_equal(result.replayed, 1);
	assert_sql(&stream, "SELECT copies FROM docs", "2");
	config_release(&without);
	mem_free(deep);
	mem_free(row);
}

/* A letter of a table with a key never wins over what the file has. */
static void a_letter_is_superseded_by_a_newer_row(void **state)
{
	(void)state;
	struct config without;
	char *deep = deep_json();
	sink_config(&without, SETTINGS("type=sqlite", "search=false"));
	stream_id(&stream, 'c', "ads", 1, ",\"x\":%s", "1");
	char *row = mem_format("{\"id\":1,\"x\":%s}", deep);
	stream_row(&stream, 'u', "shop", "ads", "{\"id\":1}", "1", row);
	stream_id(&stream, 'u', "ads", 1, ",\"x\":%s", "3");
	stream_commit(&stream);
	sink_run_well(&stream, &config);
	sql_ask(letters_path(), "UPDATE letters SET state = 'waiting'");
	struct sink_options options = sink_options_of(&stream, &without);
	struct dead_filter all = {0};
	struct dead_result result;
	struct fault fault;
	assert_rc(sinks_dead_replay(&options, &all, &result, &fault));
	assert_int_equal(result.superseded, 1);
	assert_sql(&stream, "SELECT doc FROM docs", "{\"id\":1,\"x\":3}");
	config_release(&without);
	mem_free(deep);
	mem_free(row);
}

/* A replay beside a running sink that writes all the time: both get their turns. */
static void replays_beside_a_running_sink(void **state)
{
	(void)state;
	struct sink_options options = sink_options_of(&stream, &config);
	struct sink *sink;
	struct fault fault = {0};
	enum { ROUNDS = 60, ROWS = 100 };
	char *deep = deep_json();
	assert_rc(sink_start(&options, &sink, &fault));
	uint64_t refused = 0;
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned id = 0; id < ROWS; id++)
			stream_id(&stream, round ? 'u' : 'c', "ads", id, ",\"r\":%u", round);
		char *row = mem_format("{\"id\":%u,\"x\":%s}", 1000 + round, deep);
		char key[30], values[20];
		snprintf(key, sizeof key, "{\"id\":%u}", 1000 + round);
		snprintf(values, sizeof values, "%u", 1000 + round);
		stream_row(&stream, 'c', "shop", "ads", key, values, row);
		mem_free(row);
		stream_commit(&stream);
		struct dead_filter all = {0};
		struct dead_result result;
		assert_rc(sinks_dead_replay(&options, &all, &result, &fault));
		refused += result.refused;
	}
	sink_drain(sink, stream.next);
	assert_rc(sink_join(sink, &fault));
	assert_true(refused > 0);
	char query[100];
	snprintf(query, sizeof query, "SELECT count(*) FROM docs WHERE doc LIKE '%%\"r\":%d}'",
		ROUNDS - 1);
	assert_string_equal(sql_ask(model_path(&stream), "%s", query), "100");
	assert_true(equals_fold_without(&stream, model_path(&stream), "[[[["));
	snprintf(query, sizeof query, "%d", ROUNDS);
	assert_string_equal(
		sql_ask(letters_path(), "SELECT count(*) FROM letters WHERE state = 'waiting'"),
		query);
	assert_index_is_right(&stream);
	mem_free(deep);
}

static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	TEST(keeps_the_last_state_of_each_row),
	TEST(moves_a_row_whose_key_changed),
	TEST(counts_equal_rows_of_a_table_without_a_key),
	TEST(a_replay_from_an_older_checkpoint_changes_nothing),
	TEST(a_truncate_takes_what_is_older),
	TEST(search_finds_and_forgets),
	TEST(the_index_comes_and_goes_with_its_setting),
	TEST(makes_a_view_of_each_table),
	TEST(views_of_like_names_do_not_collide),
	TEST(leaves_a_foreign_file_alone),
	TEST(refuses_a_newer_file_and_another_stream),
	TEST(a_full_disk_is_to_be_tried_again),
	TEST(waits_for_another_writer),
	TEST(starts_while_the_file_is_locked),
	TEST(refuses_only_what_the_index_cannot_take),
	TEST(stops_at_a_refused_document_when_told_so),
	TEST(letters_of_a_table_without_a_key_are_counted),
	TEST(a_letter_is_superseded_by_a_newer_row),
	TEST(replays_beside_a_running_sink),
};
UNIT_MAIN(tests)
