/* Checksums and digests; see checksum.h. */
#include "base/checksum.h"

/* MD5 is asked for once a row: libcrypto's own functions for it, which its version 3 calls
 * deprecated, take 85 ns where those that look for a provider take 140 (a fetched one) to 340. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <isa-l/crc.h>
#include <openssl/evp.h>
#include <openssl/md5.h>
#include <pthread.h>
#include <stdlib.h>

uint32_t checksum_crc32(uint32_t seed, const void *bytes, size_t len)
{
	return crc32_gzip_refl(seed, bytes, len);
}

uint32_t checksum_crc32c(uint32_t seed, const void *bytes, size_t len)
{
	/* ISA-L's function neither inverts at the start nor at the end, takes an int and does not
	 * write through its pointer */
	enum { STEP = 1 << 30 };
	uint32_t crc = ~seed;
	const uint8_t *at = bytes;
	while (len > 0) {
		size_t step = len < STEP ? len : STEP;
		crc = crc32_iscsi((unsigned char *)(uintptr_t)at, (int)step, crc);
		at += step;
		len -= step;
	}
	return ~crc;
}

static pthread_key_t context_key;

static void free_context(void *context)
{
	EVP_MD_CTX_free(context);
}

static void make_key(void)
{
	if (pthread_key_create(&context_key, free_context) != 0)
		abort(); /* only a process with a thousand keys fails here */
}

/* Of the calling thread, whose end frees it. */
static EVP_MD_CTX *make_context(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void)pthread_once(&once, make_key);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	(void)pthread_setspecific(context_key, context);
	return context;
}

static void digest(const EVP_MD *kind, const void *bytes, size_t len, uint8_t *ret_digest)
{
	static _Thread_local EVP_MD_CTX *context; /* making one costs more than a short digest */
	if (!context)
		context = make_context();
	if (!context || EVP_DigestInit_ex(context, kind, NULL) != 1 ||
		EVP_DigestUpdate(context, bytes, len) != 1 ||
		EVP_DigestFinal_ex(context, ret_digest, NULL) != 1)
		abort(); /* only a broken libcrypto fails here */
}

void checksum_md5(const void *bytes, size_t len, uint8_t ret_digest[MD5_SIZE])
{
	MD5_CTX context;
	if (MD5_Init(&context) != 1 || MD5_Update(&context, bytes, len) != 1 ||
		MD5_Final(ret_digest, &context) != 1)
		abort(); /* only a broken libcrypto fails here */
}

void checksum_sha256(const void *bytes, size_t len, uint8_t ret_digest[SHA256_SIZE])
{
	digest(EVP_sha256(), bytes, len, ret_digest);
}

void checksum_hex(const uint8_t *bytes, size_t len, char *ret_digits)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < len; i++) {
		*ret_digits++ = digits[bytes[i] >> 4];
		*ret_digits++ = digits[bytes[i] & 15];
	}
}
