/* A hash table from byte strings to pointers; see map.h. */
#include "base/map.h"

#include <assert.h>

#include "base/mem.h"

enum { FIRST_CAP = 16 };

static uint64_t hash_of(struct slice key)
{
	uint64_t hash = 14695981039346656037u;
	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ key.at[i]) * 1099511628211u;
	return hash;
}

/* The entry of a key, or the empty one where it belongs. */
static struct map_entry *find(const struct map *map, struct slice key, uint64_t hash)
{
	for (size_t i = hash & (map->cap - 1);; i = (i + 1) & (map->cap - 1)) {
		struct map_entry *entry = &map->entries[i];
		if (!entry->key.at || (entry->hash == hash && slice_equal(entry->key, key)))
			return entry;
	}
}

static void grow(struct map *map)
{
	struct map old = *map;
	map->cap = old.cap ? 2 * old.cap : FIRST_CAP;
	map->entries = mem_new(map->cap, sizeof *map->entries);
	for (size_t i = 0; i < old.cap; i++) {
		if (old.entries[i].key.at)
			*find(map, old.entries[i].key, old.entries[i].hash) = old.entries[i];
	}
	mem_free(old.entries);
}

void map_release(struct map *map, void (*free_value)(void *value))
{
	size_t place = 0;
	for (const struct map_entry *entry; (entry = map_next(map, &place));) {
		mem_free((void *)(uintptr_t)entry->key.at);
		if (free_value)
			free_value(entry->value);
	}
	mem_free(map->entries);
	*map = (struct map){0};
}

void *map_get(const struct map *map, struct slice key)
{
	return map->cap ? find(map, key, hash_of(key))->value : NULL;
}

void *map_put(struct map *map, struct slice key, void *value)
{
	assert(value);
	if (3 * (map->count + 1) > 2 * map->cap)
		grow(map);
	uint64_t hash = hash_of(key);
	struct map_entry *entry = find(map, key, hash);
	void *old = entry->value;
	if (!entry->key.at) {
		entry->key = (struct slice){(uint8_t *)mem_text_of(key.at, key.len), key.len};
		entry->hash = hash;
		map->count++;
	}
	entry->value = value;
	return old;
}

/* Without gravestones: what follows is moved up until an empty entry, if that brings it nearer to
 * its home. */
static void close_gap(struct map *map, size_t gap)
{
	size_t mask = map->cap - 1;
	for (size_t i = (gap + 1) & mask; map->entries[i].key.at; i = (i + 1) & mask) {
		size_t home = map->entries[i].hash & mask;
		if (((i - home) & mask) >= ((i - gap) & mask)) {
			map->entries[gap] = map->entries[i];
			gap = i;
		}
	}
	map->entries[gap] = (struct map_entry){0};
}

void *map_remove(struct map *map, struct slice key)
{
	struct map_entry *entry = map->cap ? find(map, key, hash_of(key)) : NULL;
	if (!entry || !entry->key.at)
		return NULL;
	void *value = entry->value;
	mem_free((void *)(uintptr_t)entry->key.at);
	map->count--;
	close_gap(map, (size_t)(entry - map->entries));
	return value;
}

const struct map_entry *map_next(const struct map *map, size_t *place)
{
	while (*place < map->cap) {
		const struct map_entry *entry = &map->entries[(*place)++];
		if (entry->key.at)
			return entry;
	}
	return NULL;
}
