/* SQL text cut into tokens; see sql_reader.h. */
#include "mysql/sql_reader.h"

#include <strings.h>

static bool is_word_byte(uint8_t byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
		(byte >= '0' && byte <= '9') || byte == '_' || byte == '$' || byte >= 0x80;
}

static bool starts(const struct sql_reader *sql, const char *text)
{
	size_t len = strlen(text);
	return (size_t)(sql->end - sql->at) >= len && memcmp(sql->at, text, len) == 0;
}

static void break_off(struct sql_reader *sql)
{
	sql->is_broken = true;
	sql->at = sql->end;
}

static void skip_line(struct sql_reader *sql)
{
	const uint8_t *newline = memchr(sql->at, '\n', (size_t)(sql->end - sql->at));
	sql->at = newline ? newline + 1 : sql->end;
}

/* Behind the slash and star of a comment that is none for the server: its version, if it has one.
 */
static void enter_version(struct sql_reader *sql)
{
	sql->versions++;
	for (int i = 0; i < 6 && sql->at < sql->end && *sql->at >= '0' && *sql->at <= '9'; i++)
		sql->at++;
}

/* True when something was stepped over at this place. */
static bool skip_comment(struct sql_reader *sql)
{
	if (sql->versions > 0 && starts(sql, "*/")) {
		sql->versions--;
		sql->at += 2;
	} else if (starts(sql, "/*!")) {
		sql->at += 3;
		enter_version(sql);
	} else if (starts(sql, "/*M!")) {
		sql->at += 4;
		enter_version(sql);
	} else if (starts(sql, "/*")) {
		sql->at += 2;
		while (sql->at < sql->end && !starts(sql, "*/"))
			sql->at++;
		if (sql->at == sql->end)
			break_off(sql);
		else
			sql->at += 2;
	} else if (*sql->at == '#' ||
		(starts(sql, "--") && (sql->end - sql->at == 2 || sql->at[2] <= ' '))) {
		skip_line(sql);
	} else {
		return false;
	}
	return true;
}

static void skip_space(struct sql_reader *sql)
{
	while (sql->at < sql->end) {
		if (*sql->at <= ' ')
			sql->at++;
		else if (!skip_comment(sql))
			return;
	}
	if (sql->versions > 0)
		sql->is_broken = true;
}

/* Character sets whose characters may end in a byte that looks like a backslash or a letter: how
 * long a character is. */
static size_t size_of_gbk(const uint8_t *at, size_t left)
{
	return *at > 0x80 && *at < 0xff && left > 1 ? 2 : 1;
}

static size_t size_of_sjis(const uint8_t *at, size_t left)
{
	bool is_lead = (*at > 0x80 && *at < 0xa0) || (*at >= 0xe0 && *at < 0xfd);
	return is_lead && left > 1 ? 2 : 1;
}

static size_t size_of_gb18030(const uint8_t *at, size_t left)
{
	bool is_lead = *at > 0x80 && *at < 0xff && left > 1;
	bool is_long = is_lead && at[1] >= '0' && at[1] <= '9' && left > 3;
	return is_long ? 4 : is_lead ? 2 : 1;
}

static void choose_size(struct sql_reader *sql)
{
	static const struct {
		const char *charset;
		size_t (*size)(const uint8_t *at, size_t left);
	} sizes[] = {{"gbk", size_of_gbk}, {"big5", size_of_gbk}, {"sjis", size_of_sjis},
		{"cp932", size_of_sjis}, {"gb18030", size_of_gb18030}};
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		if (sql->charset == charset_named(sizes[i].charset))
			sql->size = sizes[i].size;
	}
}

static inline void step(struct sql_reader *sql)
{
	sql->at += sql->size ? sql->size(sql->at, (size_t)(sql->end - sql->at)) : 1;
}

/* A text in quotes, which may hold the quote doubled (and escaped, in strings). */
static void take_quoted(struct sql_reader *sql)
{
	uint8_t quote = *sql->at++;
	bool is_name = quote == '`' || (quote == '"' && sql->ansi_quotes);
	bool has_escapes = !is_name && !sql->no_backslash_escapes;
	const uint8_t *start = sql->at;
	while (sql->at < sql->end) {
		if (*sql->at == '\\' && has_escapes) {
			sql->at++;
			if (sql->at < sql->end)
				step(sql);
		} else if (*sql->at != quote) {
			step(sql);
		} else if (sql->end - sql->at > 1 && sql->at[1] == quote) {
			sql->at += 2;
		} else {
			sql->kind = is_name ? TOKEN_QUOTED : TOKEN_STRING;
			sql->quote = quote;
			sql->token = slice_of(start, (size_t)(sql->at - start));
			sql->at++;
			return;
		}
	}
	break_off(sql);
	sql->kind = TOKEN_END;
}

static void take_word(struct sql_reader *sql)
{
	const uint8_t *start = sql->at;
	bool is_number = true;
	for (; sql->at < sql->end && is_word_byte(*sql->at); step(sql))
		is_number = is_number && *sql->at >= '0' && *sql->at <= '9';
	sql->kind = is_number ? TOKEN_NUMBER : TOKEN_WORD;
	sql->token = slice_of(start, (size_t)(sql->at - start));
}

void sql_next(struct sql_reader *sql)
{
	skip_space(sql);
	sql->kind = TOKEN_END;
	sql->token = (struct slice){0};
	if (sql->at >= sql->end)
		return;
	if (*sql->at == '\'' || *sql->at == '"' || *sql->at == '`') {
		take_quoted(sql);
	} else if (is_word_byte(*sql->at)) {
		take_word(sql);
	} else {
		sql->kind = TOKEN_SYMBOL;
		sql->token = slice_of(sql->at++, 1);
	}
}

struct sql_reader sql_reader_of(const struct binlog_query *query)
{
	struct sql_reader sql = {.at = query->sql.at,
		.end = query->sql.at + query->sql.len,
		.ansi_quotes = query->ansi_quotes,
		.no_backslash_escapes = query->no_backslash_escapes};
	sql.charset = charset_of_text(query->collation, query->sql);
	if (!sql.charset || !sql.charset->holds_ascii)
		break_off(&sql);
	else
		choose_size(&sql);
	sql_next(&sql);
	return sql;
}

bool sql_is(const struct sql_reader *sql, const char *keyword)
{
	return sql->kind == TOKEN_WORD && sql->token.len == strlen(keyword) &&
		strncasecmp((const char *)sql->token.at, keyword, sql->token.len) == 0;
}

bool sql_is_symbol(const struct sql_reader *sql, char symbol)
{
	return sql->kind == TOKEN_SYMBOL && sql->token.at[0] == (uint8_t)symbol;
}

bool sql_accept(struct sql_reader *sql, const char *keyword)
{
	bool is_it = sql_is(sql, keyword);
	if (is_it)
		sql_next(sql);
	return is_it;
}

bool sql_accept_symbol(struct sql_reader *sql, char symbol)
{
	bool is_it = sql_is_symbol(sql, symbol);
	if (is_it)
		sql_next(sql);
	return is_it;
}

void sql_accept_if(struct sql_reader *sql)
{
	if (!sql_accept(sql, "IF"))
		return;
	sql_accept(sql, "NOT");
	sql_accept(sql, "EXISTS");
}

bool sql_is_end(struct sql_reader *sql)
{
	while (sql_accept_symbol(sql, ';'))
		;
	return sql->kind == TOKEN_END && !sql->is_broken;
}

bool sql_is_name(const struct sql_reader *sql)
{
	return sql->kind == TOKEN_WORD || sql->kind == TOKEN_QUOTED || sql->kind == TOKEN_NUMBER;
}

bool sql_take_name(struct sql_reader *sql, struct buf *out)
{
	if (!sql_is_name(sql))
		return false;
	const uint8_t *at = sql->token.at, *end = at + sql->token.len;
	bool ok = at < end;
	while (ok && at < end) {
		size_t left = (size_t)(end - at);
		const uint8_t *quote =
			sql->kind == TOKEN_QUOTED ? memchr(at, sql->quote, left) : NULL;
		size_t len = quote ? (size_t)(quote - at) + 1 : left; /* one of the two */
		ok = charset_to_utf8(sql->charset, slice_of(at, len), out);
		at += quote ? len + 1 : len;
	}
	sql_next(sql);
	return ok && out->rc == RC_OK;
}

void sql_skip(struct sql_reader *sql)
{
	size_t depth = 0;
	do {
		if (sql_is_symbol(sql, '('))
			depth++;
		else if (sql_is_symbol(sql, ')') && depth > 0)
			depth--;
		sql_next(sql);
	} while (depth > 0 && sql->kind != TOKEN_END);
}
