/* DECIMAL as the servers store it, to exact text.
 *
 * Both halves are cut into groups of nine digits from the point outwards; a group takes four bytes,
 * what is left over at the outer ends takes fewer. All is big-endian; the first bit is flipped (set
 * for numbers that are not negative), and negative numbers have every bit inverted.
 *
 * Thread: any. */
#include "base/json.h"
#include "mysql/decode.h"

enum { GROUP = 9, GROUP_BYTES = 4, DECIMALS_MAX = 30 };

static const uint8_t digit_bytes[GROUP + 1] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
static const uint32_t powers[GROUP + 1] = {
	1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

size_t decimal_size(unsigned precision, unsigned decimals)
{
	if (precision == 0 || precision > DECIMAL_DIGITS_MAX || decimals > DECIMALS_MAX ||
		decimals > precision)
		return 0;
	unsigned whole = precision - decimals;
	return whole / GROUP * GROUP_BYTES + digit_bytes[whole % GROUP] +
		decimals / GROUP * GROUP_BYTES + digit_bytes[decimals % GROUP];
}

struct digits {
	const uint8_t *at;
	uint32_t flip;    /* all bits of negative numbers */
	uint32_t mark;    /* the bit of the sign, in the first byte only */
	bool is_too_many; /* a group was more than its digits */
};

/* The value of the next group of `count` (1..9) digits; never more than so many digits, since its
 * callers have room for those. */
static inline uint32_t take_group(struct digits *digits, unsigned count)
{
	unsigned bytes = digit_bytes[count], spare = 32 - 8 * bytes;
	uint32_t value = bytes == GROUP_BYTES ? (uint32_t)load_be(digits->at, GROUP_BYTES)
					      : (uint32_t)load_be(digits->at, bytes);
	value ^= (digits->flip ^ digits->mark) >> spare;
	digits->mark = 0;
	digits->at += bytes;
	bool is_too_many = value >= powers[count];
	digits->is_too_many |= is_too_many;
	return is_too_many ? 0 : value;
}

/* Nine digits with zeros in front. */
static inline uint8_t *put_group(uint8_t *out, uint32_t value)
{
	*out++ = (uint8_t)('0' + value / 100000000);
	return json_put_8(out, value % 100000000);
}

/* Digits before the point, without zeros in front but at least one. */
static uint8_t *put_whole(struct digits *digits, unsigned count, uint8_t *out)
{
	uint32_t value = count % GROUP ? take_group(digits, count % GROUP) : 0;
	unsigned groups = count / GROUP;
	for (; groups > 0 && value == 0; groups--)
		value = take_group(digits, GROUP);
	out = json_put_u64(out, value);
	for (; groups > 0; groups--)
		out = put_group(out, take_group(digits, GROUP));
	return out;
}

static uint8_t *put_fraction(struct digits *digits, unsigned count, uint8_t *out)
{
	for (; count >= GROUP; count -= GROUP)
		out = put_group(out, take_group(digits, GROUP));
	if (count == 2)
		return json_put_2(out, take_group(digits, 2) % 100);
	return count ? json_put_fixed(out, take_group(digits, count), count) : out;
}

static bool is_zero(const uint8_t *text, const uint8_t *end)
{
	while (text < end && (*text == '0' || *text == '.'))
		text++;
	return text == end;
}

size_t decimal_put(const uint8_t *bytes, unsigned precision, unsigned decimals, char *out)
{
	bool negative = !(bytes[0] & 0x80);
	struct digits digits = {bytes, negative ? 0xffffffff : 0, 0x80000000, false};
	uint8_t *start = (uint8_t *)out, *at = start;
	*at = '-';
	at += negative;
	at = put_whole(&digits, precision - decimals, at);
	if (decimals) {
		*at++ = '.';
		at = put_fraction(&digits, decimals, at);
	}
	if (digits.is_too_many)
		return 0;
	size_t len = (size_t)(at - start);
	if (negative && is_zero(start + 1, at)) /* there is no negative zero */
		memmove(start, start + 1, --len);
	return len;
}
