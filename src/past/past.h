/* The archived event log: names of its objects, their metadata, and the manifest of each hour.
 * docs/formats/object.md is the page of all three and its examples are golden test data.
 *
 * The truth is the objects, their names and their metadata; a manifest is a list of them for one
 * stream and hour, which can be made again at any time. Completeness is the chain of `prev`: the
 * ordinals of a shard have gaps, so that only the predecessor's last ordinal tells whether
 * something is missing between two objects.
 *
 * Thread: any, one owner of each struct at a time. */
#ifndef PAST_PAST_H
#define PAST_PAST_H

#include "store/store.h"

/* ---- names ---- */

enum past_codec { PAST_ZSTD, PAST_GZIP };

enum { PAST_STREAM_MAX = 128, PAST_KEY_MAX = 200, PAST_SHARDS_MAX = 10000 };

/* What the key of an object says: log/STREAM/yyyy/mm/dd/hh/SHARD-FIRST.ndjson.zst */
struct past_name {
	char stream[PAST_STREAM_MAX + 1];
	int64_t hour_us; /* start of its hour of stream time, UTC */
	uint32_t shard;
	uint64_t first; /* first ordinal */
	enum past_codec codec;
};

/* Whether a stream of this name can be archived: 1 to 128 of A-Z a-z 0-9 _ . - but not . or .. */
bool past_stream_fits(const char *stream);

/* Start of the hour that holds `time_us` (UTC, years 0 to 9999). */
int64_t past_hour(int64_t time_us);

void past_name_key(const struct past_name *name, char ret_key[PAST_KEY_MAX]);
/* RC_CORRUPT when the key is not one that past_name_key makes. */
MUST_USE enum rc past_name_read(const char *key, struct past_name *ret_name, struct fault *fault);

/* log/STREAM/ and manifest/STREAM/yyyy/mm/dd/hh.ndjson. Manifests lie apart so that everything
 * under log/STREAM/ is data to whoever reads a whole prefix. */
void past_log_prefix(const char *stream, char ret_prefix[PAST_KEY_MAX]);
void past_manifest_key(const char *stream, int64_t hour_us, char ret_key[PAST_KEY_MAX]);

/* ---- metadata ---- */

/* The tables that an object has events of, spelled as in a partition key ("shop.ads"; "shop." for
 * what concerns a whole database), sorted by bytes. Bounded: with too many of them, none is listed
 * and any may be there. Zeroed: empty. */
struct past_tables {
	char **names;
	size_t count, cap;
	size_t bytes; /* of all names */
	bool is_cut;
};
enum { PAST_TABLES_MAX = 256, PAST_TABLES_BYTES_MAX = 8192 };

void past_tables_add(struct past_tables *tables, struct slice name);
/* Whether events of the table may be there; `name` as above, also those of its whole database. */
bool past_tables_may_have(const struct past_tables *tables, struct slice name);
void past_tables_release(struct past_tables *tables);

/* An object's metadata, together with what its name says. */
struct past_object {
	struct past_name name;
	int64_t created_us;   /* when the stream was made: which one of that name it is */
	uint64_t last, count; /* last ordinal, number of events */
	bool has_prev;
	uint64_t prev;     /* last ordinal of the shard's previous object */
	uint64_t complete; /* with this object, everything below is archived, in every shard */
	uint64_t bytes;    /* of the lines */
	uint64_t stored;   /* of the object */
	uint32_t crc32c;   /* of the stored bytes */
	int64_t first_time_us, last_time_us;       /* stream time of the first and the last event */
	int64_t first_arrival_us, last_arrival_us; /* when they arrived in the stream */
	struct past_tables tables;
};
void past_object_release(struct past_object *object);

void past_meta_write(const struct past_object *object, struct buf *out);
/* RC_CORRUPT says what is wrong; RC_UNSUPPORTED: of a later version. Unknown members are passed
 * over. */
MUST_USE enum rc past_meta_read(
	struct slice text, struct past_object *ret_object, struct fault *fault);

/* Reads an object's metadata and checks that it belongs to the name and size. RC_NOT_FOUND. */
MUST_USE enum rc past_object_load(
	struct store *store, const char *key, struct past_object *ret_object, struct fault *fault);

/* Publishes staged bytes as the object. RC_EXISTS: somebody else has published this part, in either
 * format, and perhaps with another end. An object that is the same to the last member counts as our
 * own: an earlier try that failed too late. */
MUST_USE enum rc past_publish(struct store *store, struct store_stage *stage,
	const struct past_object *object, struct fault *fault);

/* ---- manifests ---- */

struct past_manifest {
	struct past_object *objects; /* in the order of their keys */
	size_t count, cap;
	bool is_rebuilt; /* not what the store's manifest says: that was missing, or damaged */
};
void past_manifest_release(struct past_manifest *manifest);

/* The objects of a stream's hour, from its manifest; where that is missing or does not check out,
 * from names and metadata. Nothing there at all is an empty manifest. */
MUST_USE enum rc past_manifest_read(struct store *store, const char *stream, int64_t hour_us,
	struct past_manifest *ret_manifest, struct fault *fault);

/* For the archive's writer: brings the manifest of an hour up to date with the objects that are
 * there, and writes it if that changes it. Several writers may do so at the same time. `fresh` is
 * how many objects the caller has published since it did so last; *ret_rebuilt tells that the
 * manifest was damaged, or lacked more than those. */
MUST_USE enum rc past_manifest_refresh(struct store *store, const char *stream, int64_t hour_us,
	size_t fresh, bool *ret_rebuilt, struct fault *fault);

/* Calls `each` with every hour from `from_us` on and before `to_us` in which the stream has
 * objects, in order, until it answers other than RC_OK. */
MUST_USE enum rc past_hours(struct store *store, const char *stream, int64_t from_us, int64_t to_us,
	enum rc (*each)(void *context, int64_t hour_us, struct fault *fault), void *context,
	struct fault *fault);

/* ---- where the log ends ---- */

/* A shard's newest object. */
struct past_end {
	bool is_there;
	struct past_object object;
};

/* Fills the ends of the shards 0 .. shards - 1. *ret_newest_us is the newest hour that has objects;
 * RC_NOT_FOUND when there is none at all. RC_CONFLICT when the archive has more shards. The caller
 * releases the objects. */
MUST_USE enum rc past_ends(struct store *store, const char *stream, uint32_t shards,
	struct past_end *ret_ends, int64_t *ret_newest_us, struct fault *fault);

#endif
