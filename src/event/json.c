/* JSON text checked and made compact; see event_json_compact in event.h.
 *
 * One pass, no recursion: a stack of bits says for each level whether it is an object. What is
 * copied is exactly what stands in the text outside of white space, so numbers and escapes keep
 * their spelling. */
#include "base/json.h"
#include "event/event.h"

enum { NESTING_MAX = 200 };

/* What may come next. */
enum expect {
	WANT_VALUE,
	WANT_VALUE_OR_END,
	WANT_KEY,
	WANT_KEY_OR_END,
	WANT_COLON,
	WANT_COMMA_OR_END,
	WANT_NOTHING
};

struct scan {
	const uint8_t *at, *end;
	struct buf *out;
	enum expect want;
	unsigned depth;
	bool is_object[NESTING_MAX];
};

/* Returns the end of the string that starts at the quote `at`, NULL when it is not one. */
static const uint8_t *string_end(const uint8_t *at, const uint8_t *end)
{
	const uint8_t *start = ++at;
	for (; at < end && *at != '"'; at++) {
		if (*at < 0x20)
			return NULL;
		if (*at != '\\')
			continue;
		if (++at >= end || !strchr("\"\\/bfnrtu", *at) || *at == 0)
			return NULL;
		for (int i = 0; *at == 'u' && i < 4; i++) {
			if (at + i + 1 >= end || !strchr("0123456789abcdefABCDEF", at[i + 1]) ||
				!at[i + 1])
				return NULL;
		}
	}
	if (at >= end || !json_is_utf8(start, (size_t)(at - start)))
		return NULL;
	return at + 1;
}

static const uint8_t *digits_end(const uint8_t *at, const uint8_t *end)
{
	const uint8_t *start = at;
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at > start ? at : NULL;
}

static const uint8_t *number_end(const uint8_t *at, const uint8_t *end)
{
	if (at < end && *at == '-')
		at++;
	bool zero = at < end && *at == '0';
	at = zero ? at + 1 : digits_end(at, end);
	if (at && at < end && *at == '.')
		at = digits_end(at + 1, end);
	if (at && at < end && (*at == 'e' || *at == 'E')) {
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		at = digits_end(at, end);
	}
	return at;
}

static const uint8_t *word_end(const uint8_t *at, const uint8_t *end)
{
	static const char *const words[] = {"true", "false", "null"};
	for (size_t i = 0; i < 3; i++) {
		size_t len = strlen(words[i]);
		if ((size_t)(end - at) >= len && memcmp(at, words[i], len) == 0)
			return at + len;
	}
	return NULL;
}

static bool push(struct scan *scan, bool is_object)
{
	if (scan->depth == NESTING_MAX)
		return false;
	scan->is_object[scan->depth++] = is_object;
	scan->want = is_object ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
	return true;
}

static void after_value(struct scan *scan)
{
	scan->want = scan->depth > 0 ? WANT_COMMA_OR_END : WANT_NOTHING;
}

/* A value starts at scan->at. Returns the end of what was taken, NULL when there is none. */
static const uint8_t *take_value(struct scan *scan)
{
	const uint8_t *at = scan->at;
	if (*at == '{' || *at == '[')
		return push(scan, *at == '{') ? at + 1 : NULL;
	after_value(scan);
	if (*at == '"')
		return string_end(at, scan->end);
	if (*at == '-' || (*at >= '0' && *at <= '9'))
		return number_end(at, scan->end);
	return word_end(at, scan->end);
}

static const uint8_t *take_close(struct scan *scan)
{
	if (scan->depth == 0 || *scan->at != (scan->is_object[scan->depth - 1] ? '}' : ']'))
		return NULL;
	scan->depth--;
	after_value(scan);
	return scan->at + 1;
}

static const uint8_t *take(struct scan *scan)
{
	uint8_t byte = *scan->at;
	bool close = byte == '}' || byte == ']';
	switch (scan->want) {
	case WANT_VALUE:
		return take_value(scan);
	case WANT_VALUE_OR_END:
		return close ? take_close(scan) : take_value(scan);
	case WANT_KEY_OR_END:
	case WANT_KEY:
		if (close && scan->want == WANT_KEY_OR_END)
			return take_close(scan);
		scan->want = WANT_COLON;
		return byte == '"' ? string_end(scan->at, scan->end) : NULL;
	case WANT_COLON:
		scan->want = WANT_VALUE;
		return byte == ':' ? scan->at + 1 : NULL;
	case WANT_COMMA_OR_END:
		if (close)
			return take_close(scan);
		scan->want = scan->is_object[scan->depth - 1] ? WANT_KEY : WANT_VALUE;
		return byte == ',' ? scan->at + 1 : NULL;
	case WANT_NOTHING:
		break;
	}
	return NULL;
}

enum rc event_json_compact(struct slice text, struct buf *out)
{
	struct scan scan = {.at = text.at, .end = text.at + text.len, .out = out};
	while (scan.at < scan.end) {
		if (*scan.at == ' ' ||
			(*scan.at >= '\t' && *scan.at <= '\r' && *scan.at != '\v' &&
				*scan.at != '\f')) {
			scan.at++;
			continue;
		}
		const uint8_t *end = take(&scan);
		if (!end)
			return RC_CORRUPT;
		buf_bytes(out, scan.at, (size_t)(end - scan.at));
		scan.at = end;
	}
	if (scan.want != WANT_NOTHING)
		return RC_CORRUPT;
	return out->rc;
}
