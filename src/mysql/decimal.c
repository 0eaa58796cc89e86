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

struct digits {
	const uint8_t *at;
	uint8_t flip_first; /* of the first byte only */
	uint8_t flip;
	char *out;
};

size_t decimal_size(unsigned precision, unsigned decimals)
{
	if (precision == 0 || precision > DECIMAL_DIGITS_MAX || decimals > DECIMALS_MAX ||
		decimals > precision)
		return 0;
	unsigned whole = precision - decimals;
	return whole / GROUP * GROUP_BYTES + digit_bytes[whole % GROUP] +
		decimals / GROUP * GROUP_BYTES + digit_bytes[decimals % GROUP];
}

/* Writes the next `count` (1..9) digits, zeros in front kept. False when they are more. */
static inline bool put_group(struct digits *digits, unsigned count)
{
	unsigned bytes = digit_bytes[count];
	uint32_t value = 0;
	for (unsigned i = 0; i < bytes; i++) {
		value = value << 8 | (uint8_t)(digits->at[i] ^ digits->flip ^ digits->flip_first);
		digits->flip_first = 0;
	}
	digits->at += bytes;
	if (value >= powers[count])
		return false;
	uint8_t *out = (uint8_t *)digits->out;
	if (count == GROUP) {
		*out = (uint8_t)('0' + value / 100000000);
		json_put_8(out + 1, value % 100000000);
	} else {
		json_put_fixed(out, value, count);
	}
	digits->out += count;
	return true;
}

/* Digits with the odd group first (before the point) or last (behind it). */
static bool put_half(struct digits *digits, unsigned count, bool odd_first)
{
	unsigned odd = count % GROUP;
	if (odd_first && odd && !put_group(digits, odd))
		return false;
	for (unsigned i = 0; i < count / GROUP; i++) {
		if (!put_group(digits, GROUP))
			return false;
	}
	return odd_first || !odd || put_group(digits, odd);
}

static bool is_zero(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '0' && text[i] != '.')
			return false;
	}
	return true;
}

size_t decimal_put(const uint8_t *bytes, unsigned precision, unsigned decimals, char *out)
{
	char text[DECIMAL_TEXT_MAX];
	unsigned whole = precision - decimals;
	bool negative = !(bytes[0] & 0x80);
	struct digits digits = {bytes, 0x80, negative ? 0xff : 0, text};
	if (!put_half(&digits, whole, true))
		return 0;
	char *start = text, *point = digits.out;
	while (start < point && *start == '0')
		start++;
	if (decimals) {
		*digits.out++ = '.';
		if (!put_half(&digits, decimals, false))
			return 0;
	}
	size_t len = (size_t)(digits.out - start);
	size_t used = 0;
	if (negative && !is_zero(start, len))
		out[used++] = '-';
	if (start == point)
		out[used++] = '0';
	memcpy(out + used, start, len);
	return used + len;
}
