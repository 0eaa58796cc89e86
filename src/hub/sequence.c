/* Sequence numbers and the place of a key; see hub.h.
 *
 * A sequence number is 47 hex digits, written as one decimal number, in the layout that AWS uses:
 *
 *   2 | shard made, seconds: 9 | last digit of the shard: 1 | ordinal: 16 | 00 | arrival, seconds:
 * 9 | shard: 8 | 2
 *
 * so that within a shard it grows with the ordinal, and is looked up without an index. */
#include <ctype.h>
#include <stdio.h>

#include "base/checksum.h"
#include "hub/hub.h"

enum { HEX_DIGITS = 47, LIMBS = 6 }; /* 6 x 32 bits hold 188 */

/* limbs[0] is the lowest. Divides by ten in place, returns the remainder. */
static unsigned divide_by_ten(uint32_t limbs[LIMBS])
{
	uint64_t rest = 0;
	for (int i = LIMBS - 1; i >= 0; i--) {
		rest = rest << 32 | limbs[i];
		limbs[i] = (uint32_t)(rest / 10);
		rest %= 10;
	}
	return (unsigned)rest;
}

static bool is_zero(const uint32_t limbs[LIMBS])
{
	for (int i = 0; i < LIMBS; i++) {
		if (limbs[i] != 0)
			return false;
	}
	return true;
}

/* False when the number no longer fits. */
static bool times_ten_plus(uint32_t limbs[LIMBS], unsigned digit)
{
	uint64_t carry = digit;
	for (int i = 0; i < LIMBS; i++) {
		carry += (uint64_t)limbs[i] * 10;
		limbs[i] = (uint32_t)carry;
		carry >>= 32;
	}
	return carry == 0;
}

void hub_sequence_text(uint32_t shard, int64_t created_s, uint64_t ordinal, int64_t arrival_s,
	char ret_text[HUB_SEQUENCE_MAX])
{
	char hex[80];
	(void)snprintf(hex, sizeof hex, "2%09llx%x%016llx00%09llx%08x2",
		(unsigned long long)created_s & 0xfffffffff, shard & 15,
		(unsigned long long)ordinal, (unsigned long long)arrival_s & 0xfffffffff, shard);
	uint32_t limbs[LIMBS] = {0};
	for (int i = 0; i < HEX_DIGITS; i++) {
		char digit = hex[HEX_DIGITS - 1 - i];
		unsigned value = (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
		limbs[i / 8] |= value << (i % 8 * 4);
	}
	char reversed[HUB_SEQUENCE_MAX];
	size_t len = 0;
	while (!is_zero(limbs) && len < sizeof reversed - 1)
		reversed[len++] = (char)('0' + divide_by_ten(limbs));
	for (size_t i = 0; i < len; i++)
		ret_text[i] = reversed[len - 1 - i];
	ret_text[len] = 0;
}

/* `count` hex digits from place `from` (0 is the last digit) as a number. */
static uint64_t digits_of(const uint32_t limbs[LIMBS], int from, int count)
{
	uint64_t value = 0;
	for (int i = from + count - 1; i >= from; i--)
		value = value << 4 | (limbs[i / 8] >> (i % 8 * 4) & 15);
	return value;
}

enum rc hub_sequence_read(
	const char *text, uint32_t *ret_shard, int64_t *ret_created_s, uint64_t *ret_ordinal)
{
	uint32_t limbs[LIMBS] = {0};
	if (!*text || strlen(text) >= HUB_SEQUENCE_MAX)
		return RC_USAGE;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text) ||
			!times_ten_plus(limbs, (unsigned)(*text - '0')))
			return RC_USAGE;
	}
	uint32_t shard = (uint32_t)digits_of(limbs, 1, 8);
	bool ours = digits_of(limbs, 0, 1) == 2 && digits_of(limbs, 46, 1) == 2 &&
		digits_of(limbs, 47, 1) == 0 && digits_of(limbs, 18, 2) == 0 &&
		digits_of(limbs, 36, 1) == (shard & 15);
	if (!ours)
		return RC_USAGE;
	*ret_shard = shard;
	*ret_created_s = (int64_t)digits_of(limbs, 37, 9);
	*ret_ordinal = digits_of(limbs, 20, 16);
	return RC_OK;
}

__extension__ typedef unsigned __int128 hash_key; /* 128 bits: the place of a key on the ring */

/* floor(2^128 / shards): where shard i begins, times i; the last one takes the rest. */
static hash_key width_of(uint32_t shards)
{
	hash_key most = ~(hash_key)0;
	return most / shards + (most % shards == shards - 1);
}

uint32_t hub_shard_of_key(struct slice key, uint32_t shards)
{
	/* division of 128 bits is slow, and a stream has one number of shards */
	static _Thread_local uint32_t known_shards;
	static _Thread_local hash_key known_width;
	if (shards == 1)
		return 0;
	if (shards != known_shards) {
		known_shards = shards;
		known_width = width_of(shards);
	}
	uint8_t digest[MD5_SIZE];
	checksum_md5(key.at, key.len, digest);
	uint64_t high = load_be(digest, 8);
	hash_key hash = (hash_key)high << 64 | load_be(digest + 8, 8);
	/* a guess from the upper half, which is right but for the last few keys of a shard */
	uint32_t guess = (uint32_t)((hash_key)high * shards >> 64);
	if (guess + 1 < shards && hash >= known_width * (guess + 1))
		guess++;
	else if (hash < known_width * guess)
		guess--;
	return guess;
}
