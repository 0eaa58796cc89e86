/* SQL text cut into tokens, as far as statements have to be told apart.
 *
 * Comments are stepped over. Version comments are read as if they were not there: a server that did
 * not execute one has taken its exclamation mark away before it wrote the statement into the binlog
 * (both products do). How strings and names are quoted follows the statement's sql_mode.
 *
 * Bounded by the text; after the end, and after a quote or comment that does not end (is_broken),
 * every token is TOKEN_END.
 *
 * Thread: any. */
#ifndef MYSQL_SQL_READER_H
#define MYSQL_SQL_READER_H

#include "mysql/decode.h"

enum token_kind {
	TOKEN_END,
	TOKEN_WORD,   /* a keyword or a name without quotes */
	TOKEN_QUOTED, /* a name in quotes */
	TOKEN_STRING,
	TOKEN_NUMBER,
	TOKEN_SYMBOL, /* one byte */
};

struct sql_reader {
	const uint8_t *at, *end;
	const struct charset *charset; /* of the text */
	bool ansi_quotes, no_backslash_escapes;
	size_t (*size)(const uint8_t *at, size_t left); /* of a character, else NULL: see .c */
	bool is_broken;
	unsigned versions; /* version comments that we are in */
	/* the token that is to be looked at: */
	enum token_kind kind;
	uint8_t quote;      /* of STRING and QUOTED */
	struct slice token; /* without quotes, what is doubled or escaped inside still is */
};

/* Starts at the first token. */
struct sql_reader sql_reader_of(const struct binlog_query *query);

/* On to the next token. */
void sql_next(struct sql_reader *sql);

/* Whether it is this keyword (upper case; never a quoted name) or this symbol. */
bool sql_is(const struct sql_reader *sql, const char *keyword);
bool sql_is_symbol(const struct sql_reader *sql, char symbol);

/* Steps over it if it is. */
bool sql_accept(struct sql_reader *sql, const char *keyword);
bool sql_accept_symbol(struct sql_reader *sql, char symbol);

/* IF EXISTS, IF NOT EXISTS. */
void sql_accept_if(struct sql_reader *sql);

/* Whether the statement ends here (a semicolon may stand at its end). */
bool sql_is_end(struct sql_reader *sql);

/* Whether a name may stand here. */
bool sql_is_name(const struct sql_reader *sql);

/* Appends the name as UTF-8, quotes resolved, and steps over it. False when it is none, or not to
 * be converted. */
bool sql_take_name(struct sql_reader *sql, struct buf *out);

/* Steps over one token, or over all between parentheses if it opens them. */
void sql_skip(struct sql_reader *sql);

#endif
