/* reader.h - the state of a pickle that is being read.
 *
 * Shared by reader.c (the steps of the machine), pickle-read.c (the opcodes),
 * reduce.c (the few classes that plain data needs) and cycle.c (values that
 * contain themselves).
 *
 * Who owns what. The pool owns all, to the end: nothing that was ever made is
 * freed before, and then it is freed at once, or goes to the caller with the
 * value. So stack, memo and boxes hold pointers, and nobody counts. That a value
 * is held more than once is marked on it, for those who walk it later.
 */
#ifndef CODEC_READER_H
#define CODEC_READER_H

#include "base/inline.h"
#include "codec/compare.h"
#include "codec/make.h"
#include "codec/map.h"
#include "codec/stack.h"
#include "codec/value.h"

struct reader {
    const unsigned char *data, *at, *end;
    const unsigned char *op; /* the opcode that is being run */

    struct pool pool; /* what values are made from */
    struct vec stack;
    size_t fence;     /* what lies beneath the last mark is out of reach */
    struct vec marks; /* the fences before */
    /* The memo. Pickles count up from 0, so nearly all entries are dense; but
     * an index is any 32-bit number, and must cost no more than its entry. */
    struct vec dense;    /* indices 0 .. n - 1 */
    struct map sparse;   /* others, each plus 1 */
    struct vec suspects; /* see cycle.c */
    const unsigned char *suspect_op;

    /* The dict that was filled last, if it has few keys, all at once. */
    const chute_value *last_dict;

    struct compare compare; /* what all comparisons of keys may take */
    size_t may_copy;        /* items and bytes that REDUCE may still copy */
    bool has_classes;       /* a class was pushed: watch where it goes */
    unsigned protocol;      /* as the pickle says; 0 if it does not */

    size_t max_int_len;
    size_t min_slice_len; /* bytes that are not copied */
    bool has_slices;
    /* The class that made us refuse, for a report: "module.name". Texts of the
     * input, of values that live to the end, or static. */
    const void *module, *name;
    size_t module_len, name_len;
    /* A function was refused, and lies on the stack as item `maker` - 1: we go
     * on to see whether its first argument is the class (reduce.c). */
    size_t maker;
    const unsigned char *maker_op;
};

/* -- the stack ------------------------------------------------------------- */

/* NULL is a failed allocation. */
static inline int reader_push(struct reader *r, chute_value *v)
{
    return v ? vec_push(&r->stack, v) : fail(CHUTE_ENOMEM);
}

/* Are there n values above the fence? */
static inline bool reader_has(const struct reader *r, size_t n)
{
    return r->stack.n - r->fence >= n;
}

/* The value at place i, and the one `down` places beneath the top. */
static inline chute_value *reader_at(const struct reader *r, size_t i)
{
    return r->stack.at[i];
}

static inline chute_value *reader_top(const struct reader *r, size_t down)
{
    return r->stack.at[r->stack.n - 1 - down];
}

/* -- marks ----------------------------------------------------------------- */

static inline int reader_mark(struct reader *r)
{
    int result = vec_push(&r->marks, (void *)(uintptr_t)r->fence);

    if (result == 0)
        r->fence = r->stack.n;
    return result;
}

/* Take the last one away: what was above it begins at *ret_from. */
static inline int reader_pop_mark(struct reader *r, size_t *ret_from)
{
    if (r->marks.n == 0)
        return fail(CHUTE_EPICKLE);
    *ret_from = r->fence;
    r->fence = (size_t)(uintptr_t)r->marks.at[--r->marks.n];
    return 0;
}

/* -- the memo -------------------------------------------------------------- */

/* Put the value on top into the memo, too. */
static inline int reader_memo_put(struct reader *r, uint64_t index)
{
    chute_value *v = reader_top(r, 0);
    uint64_t *entry;

    if (index < r->dense.n) {
        r->dense.at[index] = v;
        return 0;
    }
    if (index == r->dense.n && r->sparse.n == 0)
        return vec_push(&r->dense, v);
    int result = map_put(&r->sparse, index + 1, &entry);
    if (result < 0)
        return result;
    *entry = (uintptr_t)v;
    return 0;
}

/* The next index is the number of entries, which need not be the one after the
 * last. */
INLINE int reader_memoize(struct reader *r)
{
    if (r->sparse.n == 0)
        return vec_push(&r->dense, reader_top(r, 0));
    return reader_memo_put(r, r->dense.n + r->sparse.n);
}

/* Fetch one from there. Only boxes that can still change need to know that they
 * were fetched. */
INLINE int reader_memo_get(struct reader *r, uint64_t index)
{
    chute_value *v = NULL;

    if (index < r->dense.n) {
        v = r->dense.at[index];
    } else {
        const uint64_t *entry = map_get(&r->sparse, index + 1);
        if (entry)
            v = (chute_value *)(uintptr_t)*entry;
    }
    if (!v)
        return fail(CHUTE_EPICKLE);
    if (value_mark_shared(v) && (v->type == CHUTE_LIST ||
                                 v->type == CHUTE_DICT || v->type == CHUTE_SET))
        v->flags |= VALUE_FETCHED;
    return reader_push(r, v);
}

/* -- steps: reader.c ------------------------------------------------------- */

void reader_begin(struct reader *r, const void *data, size_t data_len);

/* Let go of everything but v, which may be NULL, and all that it holds. */
void reader_end(struct reader *r, const chute_value *v);

/* The n values from place `from` on, which are the last on the stack, become a
 * tuple; or a set or frozenset. */
int reader_make_tuple(struct reader *r, size_t from, size_t n);
int reader_make_set(struct reader *r, int type, size_t from, size_t n);

/* They are added to the list, dict or set beneath them, which is of `type`. */
int reader_add_items(struct reader *r, int type, size_t from, size_t n);

/* -- classes: reduce.c ----------------------------------------------------- */

/* GLOBAL, STACK_GLOBAL: push the class that is named. REDUCE: call it. */
int reader_global(struct reader *r);
int reader_stack_global(struct reader *r);
int reader_reduce(struct reader *r);

/* Remember the name of a class for the report. CHUTE_ENOTPLAIN. */
int reader_refuse_class(struct reader *r, const chute_value *class);

/* -- cycles: cycle.c ------------------------------------------------------- */

/* A box is about to be changed that was fetched from the memo before. */
int reader_suspect(struct reader *r, chute_value *box);

/* Look from the suspects, of which there are some. 0, or CHUTE_ECYCLE, or
 * CHUTE_ENOMEM. */
int reader_find_cycle(const struct reader *r);

#endif
