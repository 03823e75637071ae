/* make.h - the first moments of a value, inline: decoding does little else.
 *
 * Values are made with memory of their own, or from a pool, which may be NULL.
 * All of these give NULL if memory is short.
 */
#ifndef CODEC_MAKE_H
#define CODEC_MAKE_H

#include "base/mem.h"
#include "codec/pool.h"
#include "codec/value.h"

/* Static values: they are what plain data is full of. */
enum { VALUE_INT_FROM = -16, VALUE_INT_TO = 255 };
extern const struct chute_value value_none;
extern const struct chute_value value_ints[];
extern const struct chute_value value_bools[2];

/* The API has no const; nobody writes to a static value. */
static inline struct chute_value *value_unconst(const struct chute_value *v)
{
    return (struct chute_value *)(uintptr_t)v;
}

/* Memory for a value, with its head filled in: n is 0, and so is its union. */
static inline void *value_new(struct pool *pool, int type, unsigned flags,
                              size_t len)
{
    uint16_t place = 0;
    struct chute_value *v =
        pool ? pool_alloc(pool, len, &place) : mem_alloc(len);

    if (v)
        *v = (struct chute_value){.n_refs = 1,
                                  .type = (uint8_t)type,
                                  .flags = (uint8_t)flags,
                                  .place = place};
    return v;
}

static inline struct chute_value *value_int_new(struct pool *pool, int64_t i)
{
    if (i >= VALUE_INT_FROM && i <= VALUE_INT_TO)
        return value_unconst(&value_ints[i - VALUE_INT_FROM]);
    struct chute_value *v =
        value_new(pool, CHUTE_INT, VALUE_HASHABLE, sizeof *v);
    if (v)
        v->i = i;
    return v;
}

static inline struct chute_value *value_float_new(struct pool *pool, double d)
{
    struct chute_value *v =
        value_new(pool, CHUTE_FLOAT, VALUE_HASHABLE, sizeof *v);

    if (v)
        v->d = d;
    return v;
}

/* A str, bytes, bytearray or big int of len bytes, which the caller has yet to
 * write, before anybody else sees the value, to *ret_data. A str must be made
 * UTF-8, an int be the shortest form and longer than 8 bytes. */
static inline struct chute_value *value_blob_new(struct pool *pool, int type,
                                                 size_t len, void **ret_data)
{
    unsigned flags = type == CHUTE_BYTEARRAY ? 0
                     : type == CHUTE_INT     ? VALUE_HASHABLE | VALUE_BIG
                                             : VALUE_HASHABLE;
    struct value_blob *blob;

    if (len > PTRDIFF_MAX - sizeof *blob - 1)
        return NULL;
    blob = value_new(pool, type, flags, sizeof *blob + len + 1);
    if (!blob)
        return NULL;
    blob->head.n = len;
    blob->data[len] = 0;
    *ret_data = blob->data;
    return &blob->head;
}

/* An empty list, tuple, dict, set or frozenset, with place for n_slots. */
static inline struct chute_value *value_box_new(struct pool *pool, int type,
                                                size_t n_slots)
{
    unsigned flags = type == CHUTE_FROZENSET ? VALUE_HASHABLE : 0;
    struct value_box *box;

    if (n_slots > (PTRDIFF_MAX - sizeof *box) / sizeof *box->room)
        return NULL;
    box =
        value_new(pool, type, flags, sizeof *box + n_slots * sizeof *box->room);
    if (!box)
        return NULL;
    if (type == CHUTE_LIST || type == CHUTE_DICT || type == CHUTE_SET)
        box->head.cap = n_slots;
    box->items = box->room;
    box->table = NULL;
    return &box->head;
}

/* Make place for n_slots in all in a list, dict or set of a pool. 0, or
 * CHUTE_ENOMEM. */
static inline int value_box_reserve(struct pool *pool, struct chute_value *v,
                                    size_t n_slots)
{
    return n_slots <= v->cap ? 0 : value_box_grow(pool, v, n_slots);
}

#endif
