/* map.c - a word for a word.
 *
 * Open addressing with linear steps, at most two thirds full, doubled when it
 * would be fuller; nothing is ever taken out. The place of a key is the high
 * bits of its product with a secret odd number: fast, and since the number is
 * not known outside, memo indices in a pickle cannot be chosen to collide.
 */
#include <stdlib.h>

#include "base/fail.h"
#include "base/mem.h"
#include "chute/error.h"
#include "codec/hash.h"
#include "codec/map.h"

enum { MIN_BITS = 4 };

static struct map_slot *find(const struct map *m, uint64_t key)
{
    size_t mask = ((size_t)1 << m->n_bits) - 1;
    size_t i = (size_t)(key * m->factor >> (64 - m->n_bits));

    while (m->slots[i].key != 0 && m->slots[i].key != key)
        i = (i + 1) & mask;
    return &m->slots[i];
}

static int grow(struct map *m)
{
    struct map bigger = *m;

    bigger.n_bits = m->slots ? m->n_bits + 1 : MIN_BITS;
    bigger.factor = m->slots ? m->factor : hash_secret();
    if (bigger.n_bits > 58)
        return fail(CHUTE_ENOMEM);
    bigger.slots =
        mem_zalloc(sizeof(struct map_slot) * ((size_t)1 << bigger.n_bits));
    if (!bigger.slots)
        return fail(CHUTE_ENOMEM);
    if (m->slots)
        for (size_t i = 0; i < (size_t)1 << m->n_bits; i++)
            if (m->slots[i].key != 0)
                *find(&bigger, m->slots[i].key) = m->slots[i];
    free(m->slots);
    *m = bigger;
    return 0;
}

int map_put(struct map *m, uint64_t key, uint64_t **ret_value)
{
    if (!m->slots || m->n >= ((size_t)1 << m->n_bits) / 3 * 2) {
        int r = grow(m);
        if (r < 0)
            return r;
    }
    struct map_slot *slot = find(m, key);
    *ret_value = &slot->value;
    if (slot->key == key)
        return 0;
    slot->key = key;
    m->n++;
    return 1;
}

uint64_t *map_get(const struct map *m, uint64_t key)
{
    if (!m->slots)
        return NULL;
    struct map_slot *slot = find(m, key);
    return slot->key == key ? &slot->value : NULL;
}

void map_end(struct map *m)
{
    free(m->slots);
    *m = (struct map){0};
}
