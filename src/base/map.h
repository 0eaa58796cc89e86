/* A hash table from byte strings to pointers.
 *
 * Keys are copied; values are the caller's. Open addressing with linear probing, at most two thirds
 * full, grows by doubling. FNV-1a: keys come from schemas, not from strangers.
 *
 * Thread: one owner at a time. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/bytes.h"

struct map_entry {
	uint64_t hash;
	struct slice key; /* at == NULL: empty */
	void *value;
};

/* Zeroed it is an empty map. */
struct map {
	struct map_entry *entries;
	size_t cap, count;
};

/* Frees the keys; `free_value` may be NULL. Accepts a zeroed map. */
void map_release(struct map *map, void (*free_value)(void *value));

/* NULL when it is not there. */
void *map_get(const struct map *map, struct slice key);

/* Sets a value (not NULL); returns the old one, or NULL. */
void *map_put(struct map *map, struct slice key, void *value);

/* Takes an entry out; returns its value, or NULL. */
void *map_remove(struct map *map, struct slice key);

/* Walks all entries in no order: start with *place = 0; NULL at the end. The map must not change
 * meanwhile. */
const struct map_entry *map_next(const struct map *map, size_t *place);

#endif
