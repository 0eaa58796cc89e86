/* Character sets and the numbers of their collations, of MySQL up to 9.7 and MariaDB up to 11.8.
 *
 * The numbers were read from the servers' information schemas. Both products give a number the same
 * character set, so one table serves both. MariaDB derives more from them: a number + 1024 is the
 * same without padding, and from 2048 on each Unicode set has a block of 256 (UCA 14).
 *
 * Thread: any; the tables are constants. */
#include <strings.h>

#include "base/json.h"
#include "mysql/decode.h"

/* clang-format off */
/*      name, bytes of a character at the most, can be decoded, holds ASCII, as a text */
#define CHARSET_TABLE(X) \
	X(armscii8, 1, false, true, BINARY) X(ascii, 1, true, true, UTF8) \
	X(big5, 2, false, true, BINARY) X(binary, 1, true, true, BINARY) \
	X(cp1250, 1, false, true, BINARY) X(cp1251, 1, false, true, BINARY) \
	X(cp1256, 1, false, true, BINARY) X(cp1257, 1, false, true, BINARY) \
	X(cp850, 1, false, true, BINARY) X(cp852, 1, false, true, BINARY) \
	X(cp866, 1, false, true, BINARY) X(cp932, 2, false, true, BINARY) \
	X(dec8, 1, false, true, BINARY) X(eucjpms, 3, false, true, BINARY) \
	X(euckr, 2, false, true, BINARY) X(gb18030, 4, false, true, BINARY) \
	X(gb2312, 2, false, true, BINARY) X(gbk, 2, false, true, BINARY) \
	X(geostd8, 1, false, true, BINARY) X(greek, 1, false, true, BINARY) \
	X(hebrew, 1, false, true, BINARY) X(hp8, 1, false, true, BINARY) \
	X(keybcs2, 1, false, true, BINARY) X(koi8r, 1, false, true, BINARY) \
	X(koi8u, 1, false, true, BINARY) X(latin1, 1, true, true, LATIN1) \
	X(latin2, 1, false, true, BINARY) X(latin5, 1, false, true, BINARY) \
	X(latin7, 1, false, true, BINARY) X(macce, 1, false, true, BINARY) \
	X(macroman, 1, false, true, BINARY) X(sjis, 2, false, true, BINARY) \
	X(swe7, 1, false, false, BINARY) X(tis620, 1, false, true, BINARY) \
	X(ucs2, 2, false, false, BINARY) X(ujis, 3, false, true, BINARY) \
	X(utf16, 4, false, false, BINARY) X(utf16le, 4, false, false, BINARY) \
	X(utf32, 4, false, false, BINARY) X(utf8mb3, 3, true, true, UTF8) \
	X(utf8mb4, 4, true, true, UTF8)

enum charset_id {
#define X(name, bytes, supported, ascii, text) CHARSET_##name,
	CHARSET_TABLE(X)
#undef X
};

static const struct charset charsets[] = {
#define X(name, bytes, supported, ascii, text) {#name, bytes, supported, ascii, BINLOG_TEXT_##text},
	CHARSET_TABLE(X)
#undef X
};

static const struct {
	uint16_t first, last;
	uint8_t charset;
} collations[] = {
#define R(first, last, name) {first, last, CHARSET_##name},
	R(1, 1, big5) R(2, 2, latin2) R(3, 3, dec8) R(4, 4, cp850) R(5, 5, latin1) R(6, 6, hp8)
	R(7, 7, koi8r) R(8, 8, latin1) R(9, 9, latin2) R(10, 10, swe7) R(11, 11, ascii)
	R(12, 12, ujis) R(13, 13, sjis) R(14, 14, cp1251) R(15, 15, latin1) R(16, 16, hebrew)
	R(18, 18, tis620) R(19, 19, euckr) R(20, 20, latin7) R(21, 21, latin2) R(22, 22, koi8u)
	R(23, 23, cp1251) R(24, 24, gb2312) R(25, 25, greek) R(26, 26, cp1250) R(27, 27, latin2)
	R(28, 28, gbk) R(29, 29, cp1257) R(30, 30, latin5) R(31, 31, latin1) R(32, 32, armscii8)
	R(33, 33, utf8mb3) R(34, 34, cp1250) R(35, 35, ucs2) R(36, 36, cp866) R(37, 37, keybcs2)
	R(38, 38, macce) R(39, 39, macroman) R(40, 40, cp852) R(41, 42, latin7) R(43, 43, macce)
	R(44, 44, cp1250) R(45, 46, utf8mb4) R(47, 49, latin1) R(50, 52, cp1251)
	R(53, 53, macroman) R(54, 55, utf16) R(56, 56, utf16le) R(57, 57, cp1256)
	R(58, 59, cp1257) R(60, 61, utf32) R(62, 62, utf16le) R(63, 63, binary)
	R(64, 64, armscii8) R(65, 65, ascii) R(66, 66, cp1250) R(67, 67, cp1256) R(68, 68, cp866)
	R(69, 69, dec8) R(70, 70, greek) R(71, 71, hebrew) R(72, 72, hp8) R(73, 73, keybcs2)
	R(74, 74, koi8r) R(75, 75, koi8u) R(76, 76, utf8mb3) R(77, 77, latin2) R(78, 78, latin5)
	R(79, 79, latin7) R(80, 80, cp850) R(81, 81, cp852) R(82, 82, swe7) R(83, 83, utf8mb3)
	R(84, 84, big5) R(85, 85, euckr) R(86, 86, gb2312) R(87, 87, gbk) R(88, 88, sjis)
	R(89, 89, tis620) R(90, 90, ucs2) R(91, 91, ujis) R(92, 93, geostd8) R(94, 94, latin1)
	R(95, 96, cp932) R(97, 98, eucjpms) R(99, 99, cp1250) R(101, 124, utf16)
	R(128, 151, ucs2) R(159, 159, ucs2) R(160, 183, utf32) R(192, 215, utf8mb3)
	R(223, 223, utf8mb3) R(224, 247, utf8mb4) R(248, 250, gb18030) R(255, 323, utf8mb4)
	R(576, 579, utf8mb3) R(608, 611, utf8mb4) R(640, 642, ucs2) R(672, 674, utf16)
	R(736, 738, utf32) R(2048, 2303, utf8mb3) R(2304, 2559, utf8mb4) R(2560, 2815, ucs2)
	R(2816, 3071, utf16) R(3072, 3327, utf32)
#undef R
};
/* clang-format on */

enum { CHARSET_COUNT = sizeof charsets / sizeof charsets[0], NO_PAD = 1024 };

const struct charset *charset_of_collation(unsigned collation)
{
	if (collation > NO_PAD && collation < NO_PAD + 256)
		collation -= NO_PAD;
	for (size_t i = 0; i < sizeof collations / sizeof collations[0]; i++) {
		if (collation >= collations[i].first && collation <= collations[i].last)
			return &charsets[collations[i].charset];
	}
	return NULL;
}

const struct charset *charset_named(const char *name)
{
	if (strcasecmp(name, "utf8") == 0) /* before MySQL 8.0.28 and MariaDB 10.6 */
		return &charsets[CHARSET_utf8mb3];
	for (size_t i = 0; i < CHARSET_COUNT; i++) {
		if (strcasecmp(name, charsets[i].name) == 0)
			return &charsets[i];
	}
	return NULL;
}

static bool is_seven_bits(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] >= 0x80)
			return false;
	}
	return true;
}

const struct charset *charset_of_text(unsigned collation, struct slice text)
{
	const struct charset *charset = charset_of_collation(collation);
	bool is_told = collation != 0;
	if (!charset && (!is_told || is_seven_bits(text))) /* numbers of later servers */
		charset = &charsets[CHARSET_utf8mb4];
	return charset;
}

bool charset_to_utf8(const struct charset *charset, struct slice text, struct buf *out)
{
	if (charset->holds_ascii && is_seven_bits(text)) {
		buf_slice(out, text);
		return true;
	}
	if (charset->text == BINLOG_TEXT_LATIN1) {
		uint8_t *at = buf_reserve(out, 3 * text.len);
		if (at)
			out->len =
				(size_t)(json_put_utf8_of_latin1(at, text.at, text.len) - out->at);
		return true;
	}
	bool is_utf8 = charset->text == BINLOG_TEXT_UTF8 || charset == &charsets[CHARSET_binary];
	if (!is_utf8 || !json_is_utf8(text.at, text.len))
		return false;
	buf_slice(out, text);
	return true;
}
