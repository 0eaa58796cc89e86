/* A bounded set of hashes by open addressing, at most half full; see keyset.h. */
#include "sinks/keyset.h"

#include "base/mem.h"

enum { FIRST_CAPACITY = 64 };

void keyset_release(struct keyset *set)
{
	mem_free(set->slots);
	*set = keyset_of(set->max);
}

/* The hash's slot, or the free one where it belongs. 0 marks free slots, hence stands for 1. */
static uint64_t *slot_of(const struct keyset *set, uint64_t hash)
{
	size_t at = (size_t)hash & (set->cap - 1);
	while (set->slots[at] != 0 && set->slots[at] != hash)
		at = (at + 1) & (set->cap - 1);
	return &set->slots[at];
}

static void grow(struct keyset *set)
{
	struct keyset old = *set;
	set->cap = old.cap ? old.cap * 2 : FIRST_CAPACITY;
	set->slots = mem_new(set->cap, sizeof *set->slots);
	for (size_t i = 0; i < old.cap; i++) {
		if (old.slots[i] != 0)
			*slot_of(set, old.slots[i]) = old.slots[i];
	}
	mem_free(old.slots);
}

void keyset_add(struct keyset *set, uint64_t hash)
{
	hash += hash == 0;
	if (set->overflow || (set->cap > 0 && *slot_of(set, hash) == hash))
		return;
	if (set->count == set->max) {
		keyset_release(set);
		set->overflow = true;
		return;
	}
	if (2 * (set->count + 1) > set->cap)
		grow(set);
	*slot_of(set, hash) = hash;
	set->count++;
}

bool keyset_may_have(const struct keyset *set, uint64_t hash)
{
	hash += hash == 0;
	return set->overflow || (set->count > 0 && *slot_of(set, hash) == hash);
}
