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

int map_grow(struct map *m)
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
                *map_find(&bigger, m->slots[i].key) = m->slots[i];
    bigger.n_max = ((size_t)1 << bigger.n_bits) / 3 * 2;
    free(m->slots);
    *m = bigger;
    return 0;
}

void map_free(struct map *m)
{
    free(m->slots);
    *m = (struct map){0};
}
