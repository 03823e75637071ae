/* map.h - a word for a word: from a pointer, or a number, to what is known
 * about it.
 *
 *     struct map m = {0};
 *     r = map_put(&m, (uintptr_t)v, &entry);   1: it is new, *entry is 0
 *     entry = map_get(&m, (uintptr_t)v);       NULL: it is not there
 *     map_end(&m);
 *
 * Keys are not 0. The place of an entry is good until the next map_put. An
 * empty map owns nothing.
 */
#ifndef CODEC_MAP_H
#define CODEC_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_slot {
    uint64_t key; /* 0: free */
    uint64_t value;
};

struct map {
    struct map_slot *slots;
    size_t n;
    int n_bits; /* 1 << n_bits slots */
    uint64_t factor;
};

/* 1 if the key was not there, 0 if it was; or CHUTE_ENOMEM. */
int map_put(struct map *m, uint64_t key, uint64_t **ret_value);
uint64_t *map_get(const struct map *m, uint64_t key);
void map_end(struct map *m);

#endif
