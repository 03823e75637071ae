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
    size_t n, n_max; /* entries: two thirds of the slots */
    int n_bits;      /* 1 << n_bits slots */
    uint64_t factor;
};

/* Twice as many slots. 0, or CHUTE_ENOMEM. */
int map_grow(struct map *m);

/* The slot of a key, or the free one where it would be. Inline: it is what takes
 * the time where many parts are shared. */
static inline struct map_slot *map_find(const struct map *m, uint64_t key)
{
    size_t mask = ((size_t)1 << m->n_bits) - 1;
    size_t i = (size_t)(key * m->factor >> (64 - m->n_bits));

    while (m->slots[i].key != 0 && m->slots[i].key != key)
        i = (i + 1) & mask;
    return &m->slots[i];
}

/* 1 if the key was not there, 0 if it was; or CHUTE_ENOMEM. */
static inline int map_put(struct map *m, uint64_t key, uint64_t **ret_value)
{
    if (m->n >= m->n_max) {
        int r = map_grow(m);
        if (r < 0)
            return r;
    }
    struct map_slot *slot = map_find(m, key);
    *ret_value = &slot->value;
    if (slot->key == key)
        return 0;
    slot->key = key;
    m->n++;
    return 1;
}

static inline uint64_t *map_get(const struct map *m, uint64_t key)
{
    struct map_slot *slot = m->slots ? map_find(m, key) : NULL;

    return slot && slot->key == key ? &slot->value : NULL;
}

void map_free(struct map *m);

/* Most maps stay empty. */
static inline void map_end(struct map *m)
{
    if (m->slots)
        map_free(m);
}

#endif
