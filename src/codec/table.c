/* table.c - the keys of a dict, the items of a set.
 *
 * Up to eight entries are looked through one by one, which needs no hash at
 * all for short strs and numbers; most dicts are that small. Above, a table of
 * words, two thirds full at most:
 *
 *     slots   [ 0 | hash 7..4, entry 3 + 1 | 0 | hash 7..4, entry 0 + 1 | ... ]
 *                   --- 32 bits --  32 bits
 *
 * The low bits of the hash say where to begin, the high ones weed out other
 * keys without a look at them; steps are linear. The table holds no pointers,
 * so it need not be kept in step with anything but the order of the entries,
 * and entries are never taken out.
 *
 * The hash is secret (hash.c), so no choice of keys makes this quadratic; what
 * keys that really are equal may cost is bounded by struct compare.
 */
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "chute/error.h"
#include "codec/hash.h"
#include "codec/pool.h"
#include "codec/table.h"

struct table {
    size_t n_slots; /* a power of two */
    uint64_t slots[];
};

#define TAG         UINT64_C(0xffffffff00000000)
#define MAX_ENTRIES (UINT32_MAX / 2)

static size_t width(const chute_value *v)
{
    return v->type == CHUTE_DICT ? 2 : 1;
}

static const chute_value *key_at(const chute_value *v, size_t i)
{
    return value_items(v)[i * width(v)];
}

/* -- slots ----------------------------------------------------------------- */

/* Where a hash begins, and where it goes on. */
static size_t first(const struct table *t, uint64_t hash)
{
    return (size_t)hash & (t->n_slots - 1);
}

static size_t next(const struct table *t, size_t s)
{
    return (s + 1) & (t->n_slots - 1);
}

static bool may_be(uint64_t slot, uint64_t hash)
{
    return ((slot ^ hash) & TAG) == 0;
}

static size_t entry(uint64_t slot)
{
    return (size_t)(slot & ~TAG) - 1;
}

static void add(struct table *t, uint64_t hash, size_t i)
{
    size_t s = first(t, hash);

    while (t->slots[s])
        s = next(t, s);
    t->slots[s] = (hash & TAG) | (i + 1);
}

/* An empty one, and the old one's memory. Of a pool it is zeroed here. */
static struct table *new_table(struct pool *pool, struct table *old,
                               size_t n_slots)
{
    size_t len = sizeof(struct table) + n_slots * sizeof *old->slots;
    size_t old_len =
        old ? sizeof(struct table) + old->n_slots * sizeof *old->slots : 0;
    struct table *t =
        pool ? pool_resize(pool, old, old_len, len) : mem_alloc(len);

    if (!t)
        return NULL;
    memset(t, 0, len);
    t->n_slots = n_slots;
    return t;
}

int table_reserve(struct pool *pool, chute_value *v, size_t n_entries)
{
    struct value_box *box = value_box(v);
    size_t n_slots = 4 * TABLE_MIN;
    uint64_t hash;

    if (n_entries <= TABLE_MIN ||
        (box->table && n_entries <= box->table->n_slots / 3 * 2))
        return 0;
    if (n_entries > MAX_ENTRIES)
        return fail(CHUTE_ELIMIT);
    while (n_entries > n_slots / 3 * 2)
        n_slots *= 2;

    /* Hashes are made before the old table is gone, and remembered. */
    for (size_t i = 0; i < v->n; i++) {
        int r = hash_value(key_at(v, i), &hash);
        if (r < 0)
            return r;
    }
    struct table *t = new_table(pool, box->table, n_slots);
    if (!t)
        return fail(CHUTE_ENOMEM);
    if (!pool)
        free(box->table);
    box->table = t;
    for (size_t i = 0; i < v->n; i++) {
        (void)hash_value(key_at(v, i), &hash);
        add(t, hash, i);
    }
    return 0;
}

/* -- keys ------------------------------------------------------------------ */

static int find_among_few(const chute_value *v, const chute_value *key,
                          struct compare *c, size_t *ret_at)
{
    for (size_t i = 0; i < v->n; i++) {
        const chute_value *other = key_at(v, i);
        /* Most keys are strs, and most differ in length. */
        if (other != key && other->type == CHUTE_STR &&
            (key->type != CHUTE_STR || key->n != other->n))
            continue;
        int r = compare_keys(key, other, c);
        if (r != 0) {
            *ret_at = i;
            return r;
        }
    }
    return 0;
}

static int find_hashed(const chute_value *v, const chute_value *key,
                       uint64_t hash, struct compare *c, size_t *ret_at)
{
    const struct table *t = value_box(v)->table;

    for (size_t s = first(t, hash); t->slots[s]; s = next(t, s)) {
        if (!may_be(t->slots[s], hash))
            continue;
        int r = compare_keys(key, key_at(v, entry(t->slots[s])), c);
        if (r != 0) {
            *ret_at = entry(t->slots[s]);
            return r;
        }
    }
    return 0;
}

int table_find(const chute_value *v, const chute_value *key, struct compare *c,
               size_t *ret_at)
{
    uint64_t hash;

    if (!(key->flags & VALUE_HASHABLE))
        return fail(CHUTE_EPICKLE);
    if (!value_box(v)->table)
        return find_among_few(v, key, c, ret_at);
    int r = hash_value(key, &hash);
    return r < 0 ? r : find_hashed(v, key, hash, c, ret_at);
}

static bool is_str(const chute_value *v, const char *text, size_t len)
{
    return v->type == CHUTE_STR && v->n == len &&
           memcmp(value_data(v), text, len) == 0;
}

bool table_find_str(const chute_value *v, const char *text, size_t len,
                    size_t *ret_at)
{
    const struct table *t = value_box(v)->table;

    if (!t) {
        for (*ret_at = 0; *ret_at < v->n; ++*ret_at)
            if (is_str(key_at(v, *ret_at), text, len))
                return true;
        return false;
    }
    uint64_t hash = hash_bytes(text, len);
    for (size_t s = first(t, hash); t->slots[s]; s = next(t, s)) {
        *ret_at = entry(t->slots[s]);
        if (may_be(t->slots[s], hash) && is_str(key_at(v, *ret_at), text, len))
            return true;
    }
    return false;
}

int table_place(chute_value *v, chute_value *key, struct compare *c,
                size_t *ret_at)
{
    struct table *t = value_box(v)->table;
    uint64_t hash = 0;
    int r;

    if (!(key->flags & VALUE_HASHABLE))
        return fail(CHUTE_EPICKLE);
    if (t) {
        r = hash_value(key, &hash);
        if (r == 0)
            r = find_hashed(v, key, hash, c, ret_at);
    } else {
        r = find_among_few(v, key, c, ret_at);
    }
    if (r != 0)
        return r < 0 ? r : 0;

    chute_value **to = value_items(v) + v->n * width(v);
    to[0] = key;
    if (width(v) == 2)
        to[1] = NULL;
    if (t)
        add(t, hash, v->n);
    *ret_at = v->n++;
    return 1;
}
