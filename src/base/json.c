/* Writing JSON; see json.h. */
#include "base/json.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

const char json_digit_pairs[200] = "000102030405060708091011121314151617181920212223242526272829303"
				   "13233343536373839404142434445464748"
				   "495051525354555657585960616263646566676869707172737475767778798"
				   "08182838485868788899091929394959697"
				   "9899";

uint8_t *json_put_fixed(uint8_t *at, uint32_t value, unsigned digits)
{
	for (unsigned i = digits; i-- > 0; value /= 10)
		at[i] = (uint8_t)('0' + value % 10);
	return at + digits;
}

/* The eight digits of a number below 10^8, one in each byte, the first one lowest: two numbers of
 * four digits, then four of two, then eight of one, side by side in one word. */
static inline uint64_t digits_of_8(uint32_t value)
{
	uint64_t fours = value / 10000 | (uint64_t)(value % 10000) << 32;
	uint64_t hundreds = (fours * 10486 >> 20) & 0x7f0000007f;
	uint64_t twos = hundreds | (fours - 100 * hundreds) << 16;
	uint64_t tens = (twos * 103 >> 10) & 0x000f000f000f000f;
	return tens | (twos - 10 * tens) << 8;
}

/* Without a branch: how many digits a number has is what a processor cannot foresee. */
static inline uint8_t *put_below_1e8(uint8_t *at, uint32_t value)
{
	uint64_t digits = digits_of_8(value);
	/* the last digit always counts */
	unsigned leading = (unsigned)__builtin_ctzll(digits | (uint64_t)1 << 56) & ~7U;
	store_u64le(at, (digits | 0x3030303030303030) >> leading);
	return at + (64 - leading) / 8;
}

uint8_t *json_put_u64(uint8_t *at, uint64_t value)
{
	if (__builtin_expect(value < 100000000, 1))
		return put_below_1e8(at, (uint32_t)value);
	uint64_t high = value / 100000000;
	at = json_put_u64(at, high);
	return json_put_8(at, (uint32_t)(value - high * 100000000));
}

/* printf's shortest precision that reads back, from `least` on (a normal number has no shorter form
 * than what %g leaves of that many digits; subnormal ones start at 1); integers that a double holds
 * exactly print as such.
 */
static uint8_t *put_shortest(uint8_t *at, double value, int least, int most, bool single)
{
	assert(isfinite(value));
	if (value == rint(value) && fabs(value) < 1e15 && !(value == 0 && signbit(value)))
		return json_put_i64(at, (int64_t)value);
	char text[40];
	int length = 0;
	for (int precision = least; precision <= most; precision++) {
		length = snprintf(text, sizeof text, "%.*g", precision, value);
		bool same =
			single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value;
		if (same)
			break;
	}
	/* JSON knows no leading + or zeros in an exponent, but allows them: 1e+20 and 1e-07 are
	 * valid; ours are short. */
	char *exponent = memchr(text, 'e', (size_t)length);
	if (!exponent)
		return json_put_bytes(at, text, (size_t)length);
	at = json_put_bytes(at, text, (size_t)(exponent - text) + 1);
	const char *digits = exponent + 1;
	if (*digits == '-')
		*at++ = '-';
	return json_put_u64(at, (uint64_t)strtoul(digits + 1, NULL, 10));
}

uint8_t *json_put_double(uint8_t *at, double value)
{
	return put_shortest(at, value, fabs(value) < DBL_MIN ? 1 : 15, 17, false);
}

uint8_t *json_put_float(uint8_t *at, float value)
{
	return put_shortest(at, (double)value, fabsf(value) < FLT_MIN ? 1 : 6, 9, true);
}

/* The second character of a two-character escape, 'u' for \u00xx, 0 for none. */
static const uint8_t escapes[256] = {
	'u',
	'u',
	'u',
	'u',
	'u',
	'u',
	'u',
	'u',
	'b',
	't',
	'n',
	'u',
	'f',
	'r',
	'u',
	'u',
	'u',
	'u',
	'u',
	'u',
	'u',
	'u',
	'u',
	'u',
	'u',
	'u',
	'u',
	'u',
	'u',
	'u',
	'u',
	'u',
	['"'] = '"',
	['\\'] = '\\',
};

static uint8_t *put_escape(uint8_t *at, uint8_t byte)
{
	static const char hex[] = "0123456789abcdef";
	*at++ = '\\';
	*at++ = escapes[byte];
	if (escapes[byte] != 'u')
		return at;
	*at++ = '0';
	*at++ = '0';
	*at++ = (uint8_t)hex[byte >> 4];
	*at++ = (uint8_t)hex[byte & 15];
	return at;
}

static inline bool is_continuation(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

/* Length of the valid UTF-8 sequence of two to four bytes at `text`, 0 for an invalid one. */
static size_t sequence_length(const uint8_t *text, size_t left)
{
	uint8_t first = text[0];
	if (first < 0xc2 || left < 2 || !is_continuation(text[1]))
		return 0;
	if (first < 0xe0)
		return 2;
	if (left < 3 || !is_continuation(text[2]))
		return 0;
	if (first < 0xf0) {
		bool overlong = first == 0xe0 && text[1] < 0xa0;
		bool surrogate = first == 0xed && text[1] >= 0xa0;
		return overlong || surrogate ? 0 : 3;
	}
	if (left < 4 || !is_continuation(text[3]) || first > 0xf4)
		return 0;
	if ((first == 0xf0 && text[1] < 0x90) || (first == 0xf4 && text[1] >= 0x90))
		return 0;
	return 4;
}

#ifdef __SSE2__
/* One bit for each byte that is not plain: a quote, a backslash, below 0x20, or not ASCII. */
static inline unsigned odd_bytes(__m128i bytes)
{
	__m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
	__m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
	/* signed comparison: below 0x20 and from 0x80 on */
	__m128i odd = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), odd));
}

/* The first `half` and the last `half` bytes, which overlap: 8 for 8..15, 4 for 4..7 bytes. */
static inline __m128i load_ends(const uint8_t *text, size_t len, size_t half)
{
	uint64_t low = 0, high = 0;
	memcpy(&low, text, half);
	memcpy(&high, text + len - half, half);
	return half == 8 ? _mm_set_epi64x((int64_t)high, (int64_t)low)
			 : _mm_cvtsi64_si128((int64_t)(low | high << 32));
}

/* Copies text of 4 to 15 bytes. Returns how many of the first are plain. */
static inline size_t copy_short(uint8_t *at, const uint8_t *text, size_t len)
{
	size_t half = len >= 8 ? 8 : 4;
	__m128i ends = load_ends(text, len, half);
	memcpy(at, text, half);
	memcpy(at + len - half, text + len - half, half);
	unsigned mask = odd_bytes(ends) & ((1U << 2 * half) - 1);
	if (!mask)
		return len;
	size_t first = (size_t)__builtin_ctz(mask);
	return first < half ? first : len - 2 * half + first;
}
#endif

/* How many of the first bytes are plain: ASCII that needs no escape. Copies at least those, and up
 * to 16 bytes behind them. Text is looked at in vectors of 16 bytes, the last one of which overlaps
 * the one before. */
static inline size_t copy_plain(uint8_t *at, const uint8_t *text, size_t len)
{
	size_t done = 0;
#ifdef __SSE2__
	while (len - done >= 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(text + done));
		unsigned mask = odd_bytes(bytes);
		_mm_storeu_si128((__m128i *)(void *)(at + done), bytes);
		if (mask)
			return done + (size_t)__builtin_ctz(mask);
		done += 16;
	}
	if (done == len)
		return len;
	if (len >= 16) { /* what comes before `done` is plain: its bits are not set */
		size_t last = len - 16;
		__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(text + last));
		unsigned mask = odd_bytes(bytes);
		_mm_storeu_si128((__m128i *)(void *)(at + last), bytes);
		return mask ? last + (size_t)__builtin_ctz(mask) : len;
	}
	if (len >= 4)
		return copy_short(at, text, len);
#endif
	while (done < len && text[done] < 0x80 && !escapes[text[done]]) {
		at[done] = text[done];
		done++;
	}
	return done;
}

uint8_t *json_put_escaped(uint8_t *at, const uint8_t *text, size_t len)
{
	for (;;) {
		size_t plain = copy_plain(at, text, len);
		at += plain;
		text += plain;
		len -= plain;
		if (len == 0)
			return at;
		if (*text < 0x80) {
			at = put_escape(at, *text++);
			len--;
			continue;
		}
		size_t length = sequence_length(text, len);
		if (length == 0)
			return NULL;
		at = json_put_bytes(at, text, length);
		text += length;
		len -= length;
	}
}

static uint8_t *put_code_point(uint8_t *at, unsigned code)
{
	if (code < 0x800) {
		*at++ = (uint8_t)(0xc0 | code >> 6);
	} else {
		*at++ = (uint8_t)(0xe0 | code >> 12);
		*at++ = (uint8_t)(0x80 | (code >> 6 & 0x3f));
	}
	*at++ = (uint8_t)(0x80 | (code & 0x3f));
	return at;
}

static unsigned code_of_latin1(uint8_t byte)
{
	static const uint16_t upper[32] = {
		0x20ac,
		0x0081,
		0x201a,
		0x0192,
		0x201e,
		0x2026,
		0x2020,
		0x2021,
		0x02c6,
		0x2030,
		0x0160,
		0x2039,
		0x0152,
		0x008d,
		0x017d,
		0x008f,
		0x0090,
		0x2018,
		0x2019,
		0x201c,
		0x201d,
		0x2022,
		0x2013,
		0x2014,
		0x02dc,
		0x2122,
		0x0161,
		0x203a,
		0x0153,
		0x009d,
		0x017e,
		0x0178,
	};
	return byte >= 0x80 && byte < 0xa0 ? upper[byte - 0x80] : byte;
}

uint8_t *json_put_escaped_latin1(uint8_t *at, const uint8_t *text, size_t len)
{
	for (;;) {
		size_t plain = copy_plain(at, text, len);
		at += plain;
		text += plain;
		len -= plain;
		if (len == 0)
			return at;
		uint8_t byte = *text++;
		len--;
		if (byte < 0x80)
			at = put_escape(at, byte);
		else
			at = put_code_point(at, code_of_latin1(byte));
	}
}

uint8_t *json_put_utf8_of_latin1(uint8_t *at, const uint8_t *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] < 0x80)
			*at++ = text[i];
		else
			at = put_code_point(at, code_of_latin1(text[i]));
	}
	return at;
}

bool json_is_utf8(const uint8_t *text, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t length = text[i] < 0x80 ? 1 : sequence_length(text + i, len - i);
		if (length == 0)
			return false;
		i += length;
	}
	return true;
}

uint8_t *json_put_base64(uint8_t *at, const uint8_t *bytes, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (; len >= 3; len -= 3, bytes += 3) {
		uint32_t group = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];
		for (int shift = 18; shift >= 0; shift -= 6)
			*at++ = (uint8_t)digits[group >> shift & 63];
	}
	if (len == 0)
		return at;
	uint32_t group = (uint32_t)bytes[0] << 16 | (len == 2 ? (uint32_t)bytes[1] << 8 : 0);
	*at++ = (uint8_t)digits[group >> 18 & 63];
	*at++ = (uint8_t)digits[group >> 12 & 63];
	*at++ = len == 2 ? (uint8_t)digits[group >> 6 & 63] : '=';
	*at++ = '=';
	return at;
}

/* Days since 1970 to the proleptic Gregorian calendar, by counting in eras of 400 years that start
 * in March. */
static void civil_of_days(int64_t days, unsigned *ret_year, unsigned *ret_month, unsigned *ret_day)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097; /* rounded down */
	unsigned day_of_era = (unsigned)(days - era * 146097);
	unsigned year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	unsigned day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned month_from_march = (5 * day_of_year + 2) / 153;
	*ret_day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
	*ret_month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
	*ret_year = (unsigned)(year_of_era + era * 400) + (*ret_month <= 2);
}

uint8_t *json_put_time_us(uint8_t *at, int64_t time_us, unsigned digits)
{
	static const uint32_t units[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
	assert(digits <= 6);
	static const int64_t year_0_s = 62167219200, year_10000_s = 253402300800;
	if (time_us < -year_0_s * 1000000)
		time_us = -year_0_s * 1000000;
	if (time_us >= year_10000_s * 1000000)
		time_us = year_10000_s * 1000000 - 1;
	/* counted from year 0, so that the divisions below need no care for negative numbers */
	uint64_t micros = (uint64_t)(time_us + year_0_s * 1000000);
	uint64_t seconds = micros / 1000000;
	uint32_t fraction = (uint32_t)(micros % 1000000);
	uint32_t of_day = (uint32_t)(seconds % 86400);
	unsigned year, month, day;
	civil_of_days((int64_t)(seconds / 86400) - year_0_s / 86400, &year, &month, &day);
	at = json_put_4(at, year);
	*at++ = '-';
	at = json_put_2(at, month);
	*at++ = '-';
	at = json_put_2(at, day);
	*at++ = 'T';
	at = json_put_2(at, of_day / 3600);
	*at++ = ':';
	at = json_put_2(at, of_day / 60 % 60);
	*at++ = ':';
	at = json_put_2(at, of_day % 60);
	if (digits) {
		*at++ = '.';
		at = json_put_fixed(at, fraction / units[digits], digits);
	}
	*at++ = 'Z';
	return at;
}

void buf_json_u64(struct buf *buf, uint64_t value)
{
	uint8_t digits[JSON_U64_MAX];
	buf_bytes(buf, digits, (size_t)(json_put_u64(digits, value) - digits));
}

void buf_json_i64(struct buf *buf, int64_t value)
{
	uint8_t digits[JSON_I64_MAX + 1];
	buf_bytes(buf, digits, (size_t)(json_put_i64(digits, value) - digits));
}

void buf_json_double(struct buf *buf, double value)
{
	uint8_t digits[32];
	buf_bytes(buf, digits, (size_t)(json_put_double(digits, value) - digits));
}

void buf_json_string(struct buf *buf, struct slice text)
{
	buf_u8(buf, '"');
	for (size_t i = 0; i < text.len;) {
		uint8_t byte = text.at[i];
		uint8_t out[JSON_ESCAPE_MAX];
		size_t length = byte < 0x80 ? 1 : sequence_length(text.at + i, text.len - i);
		if (length == 0)
			buf_text(buf, "\xef\xbf\xbd");
		else if (length == 1 && escapes[byte])
			buf_bytes(buf, out, (size_t)(put_escape(out, byte) - out));
		else
			buf_bytes(buf, text.at + i, length);
		i += length ? length : 1;
	}
	buf_u8(buf, '"');
}

void buf_json_key(struct buf *buf, const char *key)
{
	if (buf->len > 0 && buf->at[buf->len - 1] != '{' && buf->at[buf->len - 1] != '[')
		buf_u8(buf, ',');
	buf_json_string(buf, slice_text(key));
	buf_u8(buf, ':');
}
