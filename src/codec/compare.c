/* compare.c - equality by Python's rules.
 *
 * Values fall into kinds, and only values of one kind can be equal: numbers
 * (1 == True == 1.0, and ints of any size against floats exactly, not by
 * rounding), str, bytes with bytearray, list, tuple, dict, set with frozenset.
 * Inside a container an item is equal to itself, even nan.
 *
 * Two values are walked side by side, with pairs in an array instead of calls
 * on the stack. A dict's values, and the items of lists and tuples, join the
 * walk; a key, or an item of a set, first has to be found in the other table,
 * and this is a comparison of its own inside ours. Such calls do nest, but only
 * as deep as frozensets lie in keys of frozensets, and MAX_DEPTH ends that.
 *
 * What is repeated is counted (repeat.h), so that no two small values can keep
 * us busy for ever. Proven by tests/unit/test-value.c.
 */
#include <string.h>

#include "codec/compare.h"
#include "codec/hash.h"
#include "codec/number.h"
#include "codec/stack.h"
#include "codec/table.h"

enum {
    ROOM = 8,       /* pairs without an allocation */
    MAX_DEPTH = 64, /* of frozensets in frozensets */
    SHORT_KEY = 32, /* bytes that are compared sooner than hashed */
    DESCEND = 2,    /* beside 1 and 0: their items have to say */
};

enum kind { NONE, NUMBER, TEXT, BYTES, LIST, TUPLE, DICT, SET };

static enum kind kind(const chute_value *v)
{
    static const unsigned char kinds[] = {
        [CHUTE_NONE] = NONE,       [CHUTE_BOOL] = NUMBER,
        [CHUTE_INT] = NUMBER,      [CHUTE_FLOAT] = NUMBER,
        [CHUTE_STR] = TEXT,        [CHUTE_BYTES] = BYTES,
        [CHUTE_BYTEARRAY] = BYTES, [CHUTE_LIST] = LIST,
        [CHUTE_TUPLE] = TUPLE,     [CHUTE_DICT] = DICT,
        [CHUTE_SET] = SET,         [CHUTE_FROZENSET] = SET,
    };
    return (enum kind)kinds[v->type];
}

/* -- without a walk -------------------------------------------------------- */

static int compare_blobs(const chute_value *a, const chute_value *b,
                         struct compare *c)
{
    if (a->n != b->n)
        return 0;
    if (a->n >= REPEAT_UNIT) {
        bool repeat = c->repeat;
        int r = repeat_enter(&c->budget, a, &repeat);
        if (r == 0 && repeat)
            r = repeat_charge(&c->budget, a->n / REPEAT_UNIT);
        if (r < 0)
            return r;
    }
    return memcmp(value_data(a), value_data(b), a->n) == 0;
}

static bool float_is_int(double d, const chute_value *v)
{
    double nearest;
    bool exact;

    if (!(v->flags & VALUE_BIG))
        return number_same(d, v->i);
    return number_double(value_data(v), v->n, &nearest, &exact) && exact &&
           nearest == d;
}

static int compare_numbers(const chute_value *a, const chute_value *b,
                           struct compare *c)
{
    if (a->type == CHUTE_FLOAT)
        return b->type == CHUTE_FLOAT ? a->d == b->d : float_is_int(a->d, b);
    if (b->type == CHUTE_FLOAT)
        return float_is_int(b->d, a);
    if ((a->flags | b->flags) & VALUE_BIG)
        return (a->flags & b->flags & VALUE_BIG) ? compare_blobs(a, b, c) : 0;
    return a->i == b->i;
}

static int compare_here(const chute_value *a, const chute_value *b,
                        struct compare *c)
{
    if (a == b)
        return 1;
    if (kind(a) != kind(b))
        return 0;
    switch (kind(a)) {
    case NONE:
        return 1;
    case NUMBER:
        return compare_numbers(a, b, c);
    case TEXT:
    case BYTES:
        return compare_blobs(a, b, c);
    default:
        return a->n != b->n ? 0 : a->n == 0 ? 1 : DESCEND;
    }
}

/* -- side by side ---------------------------------------------------------- */

struct pair {
    const chute_value *a, *b;
    size_t i; /* the next item of a */
    bool repeat;
};

struct pairs {
    struct pair *at;
    size_t n, cap;
    struct pair room[ROOM];
};

static int push(struct pairs *s, const chute_value *a, const chute_value *b,
                struct compare *c)
{
    bool repeat = c->repeat;
    int r = repeat_enter(&c->budget, a, &repeat);

    if (r < 0)
        return r;
    if (s->n == s->cap) {
        void *at = stack_grow(s->at, s->room, &s->cap, sizeof *s->at);
        if (!at)
            return fail(CHUTE_ENOMEM);
        s->at = at;
    }
    s->at[s->n++] = (struct pair){a, b, 0, repeat};
    return 0;
}

/* Compare the next item of the pair on top; what they hold is pushed. */
static int step(struct pairs *s, struct compare *c)
{
    struct pair *p = &s->at[s->n - 1];
    size_t i = p->i++, at;
    chute_value **a = value_items(p->a), **b = value_items(p->b);
    const chute_value *x, *y;

    c->repeat = p->repeat;
    if (p->repeat) {
        int r = repeat_charge(&c->budget, 1);
        if (r < 0)
            return r;
    }
    if (value_is_set(p->a))
        return table_find(p->b, a[i], c, &at);
    if (p->a->type == CHUTE_DICT) {
        int r = table_find(p->b, a[2 * i], c, &at);
        if (r != 1)
            return r;
        x = a[2 * i + 1];
        y = b[2 * at + 1];
    } else {
        x = a[i];
        y = b[i];
    }
    int r = compare_here(x, y, c);
    if (r != DESCEND)
        return r;
    r = push(s, x, y, c);
    return r < 0 ? r : 1;
}

static int compare_walk(const chute_value *a, const chute_value *b,
                        struct compare *c)
{
    struct pairs s;
    bool repeat = c->repeat;

    if (c->depth == MAX_DEPTH)
        return fail(CHUTE_ELIMIT);
    c->depth++;
    s.at = s.room;
    s.n = 0;
    s.cap = ROOM;

    int r = push(&s, a, b, c);
    if (r == 0)
        r = 1;
    while (r == 1 && s.n > 0) {
        if (s.at[s.n - 1].i == s.at[s.n - 1].a->n)
            s.n--;
        else
            r = step(&s, c);
    }

    if (s.at != s.room)
        free(s.at);
    c->repeat = repeat;
    c->depth--;
    return r;
}

int compare_items(const chute_value *a, const chute_value *b, struct compare *c)
{
    int r = compare_here(a, b, c);

    return r == DESCEND ? compare_walk(a, b, c) : r;
}

int compare_keys(const chute_value *a, const chute_value *b, struct compare *c)
{
    if (a == b)
        return 1;
    if (kind(a) != kind(b) || (kind(a) != NUMBER && a->n != b->n))
        return 0;
    if (value_is_box(a) || (a->n > SHORT_KEY && b->n > SHORT_KEY)) {
        uint64_t hash_a, hash_b;
        int r = hash_value(a, &hash_a);
        if (r == 0)
            r = hash_value(b, &hash_b);
        if (r < 0)
            return r;
        if (hash_a != hash_b)
            return 0;
    }
    return compare_items(a, b, c);
}

int chute_value_equal(const chute_value *a, const chute_value *b)
{
    struct compare c = compare_begin();

    if (!a || !b)
        return fail(CHUTE_EINVAL);
    if (a->type == CHUTE_FLOAT && b->type == CHUTE_FLOAT)
        return a->d == b->d; /* nan, even if a is b */
    int r = compare_items(a, b, &c);
    compare_end(&c);
    return r;
}
