/* Checksums and digests, all by libraries: ISA-L for the two CRCs, OpenSSL for the digests.
 *
 * Thread: any. */
#ifndef BASE_CHECKSUM_H
#define BASE_CHECKSUM_H

#include "base/bytes.h"

/* CRC-32 of zlib, gzip and the binlog (polynomial 0x04C11DB7, reflected); `seed` is 0 or the CRC of
 * what comes before. */
uint32_t checksum_crc32(uint32_t seed, const void *bytes, size_t len);

/* CRC-32C (Castagnoli) of RFC 3720; `seed` is 0 or the CRC of what comes before. */
uint32_t checksum_crc32c(uint32_t seed, const void *bytes, size_t len);

enum { MD5_SIZE = 16, SHA256_SIZE = 32, SHA256_HEX_SIZE = 64 };

void checksum_md5(const void *bytes, size_t len, uint8_t ret_digest[MD5_SIZE]);
void checksum_sha256(const void *bytes, size_t len, uint8_t ret_digest[SHA256_SIZE]);

/* 2 * len lower-case digits, no NUL. */
void checksum_hex(const uint8_t *bytes, size_t len, char *ret_digits);

#endif
