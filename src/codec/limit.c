/* limit.c - how deep a value is, and how much there is of it.
 *
 * A walk from the bottom up: the size of a box is 1 and its items' sizes, its
 * height 1 and the greatest of theirs. What was found of a box with more than
 * one reference is remembered, so that each box is gone through once; a graph
 * of fifty boxes may have 2^50 leaves, which is only a sum here. The walk ends
 * where a limit is passed, and sums are made only if there is one: so none can
 * overflow.
 *
 * Proven by tests/unit/test-pickle-read.c.
 */
#include "codec/limit.h"
#include "base/fail.h"
#include "chute/error.h"
#include "codec/map.h"
#include "codec/stack.h"
#include "codec/value.h"

enum { ROOM = 16 };

struct frame {
    const chute_value *v;
    size_t i; /* the next of its items */
    uint64_t height, size;
};

struct limit {
    struct frame *at;
    size_t n, cap;
    uint64_t max_height, max_size; /* UINT64_MAX: none */
    struct map heights, sizes;     /* of the shared boxes that are done */
    struct frame room[ROOM];
};

/* Add what was found of an item to the box on top. */
static int add(struct limit *l, uint64_t height, uint64_t size)
{
    struct frame *f = &l->at[l->n - 1];

    if (height >= l->max_height)
        return fail(CHUTE_ELIMIT);
    if (height + 1 > f->height)
        f->height = height + 1;
    if (l->max_size == UINT64_MAX)
        return 0;
    if (size > l->max_size - f->size)
        return fail(CHUTE_ELIMIT);
    f->size += size;
    return 0;
}

static int begin(struct limit *l, const chute_value *v)
{
    if (!value_is_box(v))
        return add(l, 0, 1);
    if (value_is_shared(v)) {
        const uint64_t *size = map_get(&l->sizes, (uintptr_t)v);
        if (size)
            return add(l, *map_get(&l->heights, (uintptr_t)v), *size);
    }
    if (l->n >= l->max_height)
        return fail(CHUTE_ELIMIT);
    if (l->n == l->cap) {
        void *at = stack_grow(l->at, l->room, &l->cap, sizeof *l->at);
        if (!at)
            return fail(CHUTE_ENOMEM);
        l->at = at;
    }
    l->at[l->n++] = (struct frame){.v = v, .height = 1, .size = 1};
    return 0;
}

static int remember(struct limit *l, const struct frame *f)
{
    uint64_t *entry;
    int r = map_put(&l->heights, (uintptr_t)f->v, &entry);

    if (r < 0)
        return r;
    *entry = f->height;
    r = map_put(&l->sizes, (uintptr_t)f->v, &entry);
    if (r < 0)
        return r;
    *entry = f->size;
    return 0;
}

/* The box on top is done. */
static int end(struct limit *l)
{
    struct frame f = l->at[--l->n];
    int r = value_is_shared(f.v) ? remember(l, &f) : 0;

    return r == 0 && l->n > 0 ? add(l, f.height, f.size) : r;
}

int limit_check(const chute_value *v, uint64_t max_depth, uint64_t max_items)
{
    struct limit l = {.cap = ROOM,
                      .max_height = max_depth ? max_depth : UINT64_MAX,
                      .max_size = max_items ? max_items : UINT64_MAX};

    if (!value_is_box(v))
        return 0;
    l.at = l.room;
    int r = begin(&l, v);
    while (r == 0 && l.n > 0) {
        struct frame *f = &l.at[l.n - 1];
        r = f->i < value_slots(f->v) ? begin(&l, value_items(f->v)[f->i++])
                                     : end(&l);
    }
    if (l.at != l.room)
        free(l.at);
    map_end(&l.heights);
    map_end(&l.sizes);
    return r;
}
