/* value.h - the inside of a value.
 *
 * Three shapes, all beginning with struct chute_value:
 *
 *     number   None, bool, int of 64 bits, float: the struct itself
 *     blob     str, bytes, bytearray, and an int too large for 64 bits:
 *              followed by its bytes; or, where bytes make up most of a
 *              message, by a pointer into that (VALUE_SLICE)
 *     box      list, tuple, dict, set, frozenset: pointers to items, in `room`
 *              behind the struct where their number was known, or elsewhere in
 *              the message where the box had to grow
 *
 * A dict's items are key, value, key, value; dicts and sets of more than
 * TABLE_MIN items have a hash table beside them (table.h).
 *
 * A value is written by the one thread that makes it, until somebody else can
 * see it, and never again, but for n_refs and `hash`, which are atomic.
 *
 * A value either has memory of its own and counts its references, or is part of
 * a message that was decoded (pool.h), which counts those from outside for all of
 * its values; n_refs of such a value is 1 as long as it is held once, by the box
 * it was read into, and 2 for ever if it was fetched again or somebody has asked
 * for a reference.
 */
#ifndef CODEC_VALUE_H
#define CODEC_VALUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "chute/value.h"

struct pool;
struct table;

enum {
    VALUE_HASHABLE = 1 << 0, /* may be a key */
    VALUE_BIG = 1 << 1,      /* int: a blob */
    VALUE_CLASS = 1 << 2,    /* pickle-read's own: stands for a class */
    VALUE_FETCHED = 1 << 3,  /* pickle-read, cycle.c */
    VALUE_SUSPECT = 1 << 4,
    VALUE_ONPATH = 1 << 5,
    VALUE_CLEARED = 1 << 6,
    VALUE_SLICE = 1 << 7, /* bytes, bytearray: lie in the message itself */
};

/* Above VALUE_MAX_COUNT a count does not move. A value with so many references
 * goes to VALUE_IMMORTAL and stays for ever, which beats a count that wraps;
 * static values are there from the beginning. */
#define VALUE_MAX_COUNT UINT32_C(0x7FFFFFFF)
#define VALUE_IMMORTAL  UINT32_C(0xC0000000)
#define VALUE_STATIC    UINT32_C(0xFFFFFFFF)

struct chute_value {
    _Atomic uint32_t n_refs;
    uint8_t type;
    uint8_t flags;
    uint16_t place; /* in its chunk; 0: memory of its own */
    size_t n;       /* blob: bytes; box: items, or pairs; number: 0 */
    union {
        int64_t i; /* int, bool */
        double d;
        _Atomic uint64_t hash;    /* blob, tuple, frozenset: 0 until asked */
        size_t cap;               /* list, dict, set: slots in items */
        struct chute_value *next; /* a dead box: the next one to bury */
    };
};

struct value_blob {
    struct chute_value head;
    unsigned char data[]; /* n bytes and a NUL */
};

struct value_slice {
    struct chute_value head;
    unsigned char *data; /* n bytes, and no NUL */
};

struct value_box {
    struct chute_value head;
    struct chute_value **items;
    struct table *table;
    struct chute_value *room[];
};

static inline bool value_is_box(const struct chute_value *v)
{
    return v->type >= CHUTE_LIST;
}

static inline bool value_is_blob(const struct chute_value *v)
{
    return (v->type >= CHUTE_STR && v->type <= CHUTE_BYTEARRAY) ||
           (v->flags & VALUE_BIG);
}

static inline bool value_is_set(const struct chute_value *v)
{
    return v->type == CHUTE_SET || v->type == CHUTE_FROZENSET;
}

static inline struct value_blob *value_blob(const struct chute_value *v)
{
    return (struct value_blob *)(uintptr_t)v;
}

static inline unsigned char *value_data(const struct chute_value *v)
{
    if (v->flags & VALUE_SLICE)
        return ((struct value_slice *)(uintptr_t)v)->data;
    return value_blob(v)->data;
}

static inline struct value_box *value_box(const struct chute_value *v)
{
    return (struct value_box *)(uintptr_t)v;
}

static inline struct chute_value **value_items(const struct chute_value *v)
{
    return value_box(v)->items;
}

/* Places in `items`. */
static inline size_t value_slots(const struct chute_value *v)
{
    return v->type == CHUTE_DICT ? 2 * v->n : v->n;
}

/* Does anybody else hold it? False is certain as long as the caller holds it;
 * true may be out of date. */
static inline bool value_is_shared(const struct chute_value *v)
{
    uint32_t n = atomic_load_explicit(&v->n_refs, memory_order_relaxed);
    return n > 1 && n != VALUE_STATIC;
}

/* A value of a message that is being decoded is met once more. Inside of a
 * message references are not counted (pool.h). False: it was marked before. */
static inline bool value_mark_shared(struct chute_value *v)
{
    if (atomic_load_explicit(&v->n_refs, memory_order_relaxed) != 1)
        return false;
    atomic_store_explicit(&v->n_refs, 2, memory_order_relaxed);
    return true;
}

/* An int of any size, in memory of its own or from a pool; NULL if memory is
 * short. More that makes values is in make.h. */
struct chute_value *value_int_of(struct pool *pool, const void *data,
                                 size_t data_len);

/* A bytes value that is to be filled in place. */
struct chute_value *value_bytes_new(size_t len, void **ret_data);

/* Make a bytes value shorter, which nobody else can see yet. */
static inline void value_bytes_cut(struct chute_value *v, size_t len)
{
    v->n = len;
    value_data(v)[len] = 0;
}

/* Make place for n_slots in all, more than there are, in a list, dict or set of a
 * pool. 0, or CHUTE_ENOMEM. */
int value_box_grow(struct pool *pool, struct chute_value *v, size_t n_slots);

/* A tuple of n items, which are consumed on success only. */
struct chute_value *value_tuple_new(struct pool *pool, size_t n,
                                    void *const *items);

/* The empty tuple, static. */
struct chute_value *value_tuple_empty(void);

#endif
