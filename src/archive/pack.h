/* Compressing what the stream left plain: one zstd frame or gzip member for each piece. */
#ifndef ARCHIVE_PACK_H
#define ARCHIVE_PACK_H

#include "past/past.h"

enum { PACK_PIECE_MAX = 1 << 20 };

struct pack;

struct pack *pack_new(enum past_codec codec, int level);
void pack_free(struct pack *pack); /* accepts NULL */

/* Compresses 1 to PACK_PIECE_MAX bytes. Valid until the next call. */
struct slice pack_piece(struct pack *pack, struct slice bytes);

#endif
