/* value.h - the inside of a value.
 *
 * Three shapes, all beginning with struct chute_value:
 *
 *     number   None, bool, int of 64 bits, float: the struct itself
 *     blob     str, bytes, bytearray, and an int too large for 64 bits:
 *              followed by its bytes
 *     box      list, tuple, dict, set, frozenset: pointers to items, in `room`
 *              behind the struct where their number was known, or in a block
 *              of their own where the box had to grow
 *
 * A dict's items are key, value, key, value; dicts and sets of more than
 * TABLE_MIN items have a hash table beside them (table.h).
 *
 * A value is written by the one thread that makes it, until somebody else can
 * see it, and never again, but for n_refs and `hash`, which are atomic.
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
    VALUE_BLOCK = 1 << 7, /* box: `items` is a block to be freed */
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
    uint16_t place; /* in its chunk (pool.h); 0: memory of its own */
    size_t n;       /* blob: bytes; box: items, or pairs */
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

static inline unsigned char *value_data(const struct chute_value *v)
{
    return ((struct value_blob *)(uintptr_t)v)->data;
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

/* Another reference to a value that no other thread can see yet: no locked
 * instruction. */
static inline struct chute_value *value_ref_private(struct chute_value *v)
{
    uint32_t n = atomic_load_explicit(&v->n_refs, memory_order_relaxed);
    if (n < VALUE_MAX_COUNT)
        atomic_store_explicit(&v->n_refs, n + 1, memory_order_relaxed);
    else if (n == VALUE_MAX_COUNT)
        atomic_store_explicit(&v->n_refs, VALUE_IMMORTAL, memory_order_relaxed);
    return v;
}

/* Values are made with memory of their own, or from a pool, which may be NULL.
 * All of these give NULL if memory is short. */

struct chute_value *value_int_new(struct pool *pool, int64_t i);
struct chute_value *value_int_of(struct pool *pool, const void *data,
                                 size_t data_len);
struct chute_value *value_float_new(struct pool *pool, double d);

/* A str, bytes, bytearray or big int of len bytes, which the caller has yet to
 * write, before anybody else sees the value, to *ret_data. A str must be made
 * UTF-8, an int be the shortest form and longer than 8 bytes. */
struct chute_value *value_blob_new(struct pool *pool, int type, size_t len,
                                   void **ret_data);

/* A bytes value that is to be filled in place. */
struct chute_value *value_bytes_new(size_t len, void **ret_data);

/* Make a bytes value shorter, which nobody else can see yet. */
static inline void value_bytes_cut(struct chute_value *v, size_t len)
{
    v->n = len;
    value_data(v)[len] = 0;
}

/* An empty list, tuple, dict, set or frozenset, with place for n_slots. */
struct chute_value *value_box_new(struct pool *pool, int type, size_t n_slots);

/* Make place for n_slots in all in a list, dict or set. 0, or CHUTE_ENOMEM. */
int value_box_reserve(struct pool *pool, struct chute_value *v, size_t n_slots);

/* A tuple of n items, which are consumed on success only. */
struct chute_value *value_tuple_new(struct pool *pool, size_t n,
                                    void *const *items);

/* The empty tuple, static. */
struct chute_value *value_tuple_empty(void);

#endif
