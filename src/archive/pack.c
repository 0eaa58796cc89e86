/* Compression by libzstd and libdeflate; see pack.h.
 *
 * Pieces are bounded, so that one output buffer, made once, always suffices: nothing can fail.
 *
 * Thread: the owner. */
#include "archive/pack.h"

#include <assert.h>
#include <libdeflate.h>
#include <zstd.h>

#include "base/mem.h"

struct pack {
	enum past_codec codec;
	int level;
	ZSTD_CCtx *zstd;
	struct libdeflate_compressor *gzip;
	uint8_t *out;
	size_t out_cap;
};

struct pack *pack_new(enum past_codec codec, int level)
{
	struct pack *pack = mem_new(1, sizeof *pack);
	pack->codec = codec;
	pack->level = level;
	if (codec == PAST_ZSTD) {
		pack->zstd = ZSTD_createCCtx();
		pack->out_cap = ZSTD_compressBound(PACK_PIECE_MAX);
	} else {
		pack->gzip = libdeflate_alloc_compressor(level);
		pack->out_cap = libdeflate_gzip_compress_bound(pack->gzip, PACK_PIECE_MAX);
	}
	assert(pack->zstd || pack->gzip); /* only lack of memory, or a level out of 1 to 12 */
	pack->out = mem_new(pack->out_cap, 1);
	return pack;
}

void pack_free(struct pack *pack)
{
	if (!pack)
		return;
	(void)ZSTD_freeCCtx(pack->zstd);
	libdeflate_free_compressor(pack->gzip);
	mem_free(pack->out);
	mem_free(pack);
}

struct slice pack_piece(struct pack *pack, struct slice bytes)
{
	assert(bytes.len > 0 && bytes.len <= PACK_PIECE_MAX);
	size_t len;
	if (pack->codec == PAST_ZSTD) {
		len = ZSTD_compressCCtx(
			pack->zstd, pack->out, pack->out_cap, bytes.at, bytes.len, pack->level);
		assert(!ZSTD_isError(len)); /* the bound holds for every input */
	} else {
		len = libdeflate_gzip_compress(
			pack->gzip, bytes.at, bytes.len, pack->out, pack->out_cap);
		assert(len > 0);
	}
	return slice_of(pack->out, len);
}
