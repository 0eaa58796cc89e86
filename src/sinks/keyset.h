/* A bounded set of hashes, for "may this key have a waiting letter?": never wrong with no, seldom
 * with yes.
 *
 * Thread: one owner at a time. */
#ifndef SINKS_KEYSET_H
#define SINKS_KEYSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keyset {
	uint64_t *slots; /* 0: free */
	size_t cap;      /* a power of two, or 0 */
	size_t count, max;
	bool overflow; /* there was one more than `max`: everything may be in it */
};

/* `max` hashes at the most. Allocates nothing. */
static inline struct keyset keyset_of(size_t max)
{
	return (struct keyset){.max = max};
}

void keyset_release(struct keyset *set); /* empties it; it can be used again */
void keyset_add(struct keyset *set, uint64_t hash);
bool keyset_may_have(const struct keyset *set, uint64_t hash);

#endif
