/* Where in the source the stream stands: bytes and text of a position; see event.h.
 * docs/formats/segment.md, "mark". */
#include <stdio.h>

#include "event/event.h"

enum { POSITION_VERSION = 1 };

static void put_text(struct buf *out, const char *text)
{
	size_t len = strlen(text);
	buf_varint(out, len);
	buf_bytes(out, text, len);
}

static bool take_text(struct reader *reader, char *ret_text, size_t size)
{
	uint64_t len = read_varint(reader);
	if (len >= size)
		return false;
	struct slice text = read_slice(reader, (size_t)len);
	if (text.len > 0)
		memcpy(ret_text, text.at, text.len);
	ret_text[text.len] = 0;
	return true;
}

void event_position_write(const struct event_position *position, struct buf *out)
{
	buf_u8(out, POSITION_VERSION);
	put_text(out, position->server);
	put_text(out, position->file);
	buf_varint(out, position->pos);
	put_text(out, position->gtid);
	put_text(out, position->group);
	buf_varint(out, position->rows);
}

enum rc event_position_read(struct reader *reader, struct event_position *ret_position)
{
	struct event_position position = {0};
	if (read_u8(reader) != POSITION_VERSION && reader->rc == RC_OK)
		return RC_CORRUPT;
	bool fits = take_text(reader, position.server, sizeof position.server);
	fits = fits && take_text(reader, position.file, sizeof position.file);
	position.pos = read_varint(reader);
	fits = fits && take_text(reader, position.gtid, sizeof position.gtid);
	fits = fits && take_text(reader, position.group, sizeof position.group);
	position.rows = read_varint(reader);
	if (!fits)
		return RC_CORRUPT;
	if (reader->rc == RC_OK)
		*ret_position = position;
	return reader->rc;
}

void event_position_text(const struct event_position *position, struct buf *out)
{
	buf_format(out, "%s:%llu", position->file, (unsigned long long)position->pos);
	if (position->gtid[0])
		buf_format(out, " (GTID %s)", position->gtid);
	if (position->rows > 0)
		buf_format(out, " inside %s after %llu rows",
			position->group[0] ? position->group : "a transaction",
			(unsigned long long)position->rows);
}

/* The digits behind the last dot without leading zeros; the whole name's end when there are none.
 */
static const char *number_of(const char *file, size_t *ret_stem)
{
	const char *dot = strrchr(file, '.');
	const char *digits = dot ? dot + 1 : file + strlen(file);
	if (strspn(digits, "0123456789") != strlen(digits))
		digits = file + strlen(file);
	*ret_stem = (size_t)(digits - file);
	while (*digits == '0')
		digits++;
	return digits;
}

static int sign(int number)
{
	return (number > 0) - (number < 0);
}

int event_file_compare(const char *a, const char *b)
{
	size_t stem_a, stem_b;
	const char *number_a = number_of(a, &stem_a), *number_b = number_of(b, &stem_b);
	int order = memcmp(a, b, stem_a < stem_b ? stem_a : stem_b);
	if (order != 0 || stem_a != stem_b)
		return order != 0 ? sign(order) : stem_a < stem_b ? -1 : 1;
	size_t len_a = strlen(number_a), len_b = strlen(number_b);
	if (len_a != len_b)
		return len_a < len_b ? -1 : 1;
	return sign(strcmp(number_a, number_b));
}
