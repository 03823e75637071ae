/* pickle-write.c - from a value to a pickle.
 *
 * The pickle is of protocol 4 and as simple as Python's reader allows: no
 * frames, one way for each type, a box's items all at once between a mark and
 * the opcode that gathers them:
 *
 *     [42, None, 'hello']   80 04  5d 28  4a 2a 00 00 00  4e
 *                                         8c 05 68 65 6c 6c 6f  65  2e
 *
 * (BYTEARRAY8 is of protocol 5; readers since 3.8 take it in any pickle.)
 *
 * Shared parts. What a value holds twice is written once and fetched from the
 * memo the second time, as Python does. Three reasons: a small pickle of many
 * shared parts, read and written again, must not become one of a terabyte; keys
 * that all dicts of a list share stay short; and Python's lists keep their
 * identity on their way through a C program. A value without shared parts has
 * no memo and the encoding above.
 *
 * Two walks. The first adds up the length and finds out what is met more than
 * once; the second writes. Both have to agree to the byte, while other threads
 * may take and drop references to our parts. So only the first looks at the count
 * of references: what is met twice in the value has two as long as the value
 * lives, whatever others do. It gives each such part a number, and writes down
 * the numbers in the order in which parts are met:
 *
 *     [k, [x, k], y, k]     parts  1 k, 2 y        met  1 1 2 1
 *
 * (y has another reference elsewhere.) The second goes along this list and need
 * not look anything up: a value is a part if it is the one that is met next. Nor
 * does the first, mostly: what followed upon a part the last time is tried before
 * the map. A part goes
 *
 *     NEW -> ONCE -> AGAIN (first walk) -> IN_MEMO + index (second walk)
 *
 * Proven by tests/unit/test-pickle-write.c, and against CPython by
 * tests/conformance/pickle.py.
 */
#include <assert.h>
#include <string.h>

#include "base/fail.h"
#include "base/inline.h"
#include "base/mem.h"
#include "chute/error.h"
#include "codec/copy.h"
#include "codec/number.h"
#include "codec/opcodes.h"
#include "codec/pickle.h"
#include "codec/value.h"

enum { PROTOCOL = 4 };
enum { NEW, ONCE, AGAIN, IN_MEMO }; /* states of a part */

/* A str of fewer bytes is not worth a place in the memo. */
enum { MIN_SHARED_LEN = 4 };

#define MAX_PARTS (UINT32_MAX - IN_MEMO)

/* What comes before the mark of a box; 0: nothing. */
static const unsigned char openings[] = {
    [CHUTE_LIST] = OP_EMPTY_LIST, [CHUTE_TUPLE] = 0,
    [CHUTE_DICT] = OP_EMPTY_DICT, [CHUTE_SET] = OP_EMPTY_SET,
    [CHUTE_FROZENSET] = 0,
};

/* -- first walk: how long? ------------------------------------------------- */

/* The opcode and the length before the bytes of a blob. */
static inline size_t prefix_len(const chute_value *v)
{
    if (v->type == CHUTE_BYTEARRAY)
        return 1 + 8;
    if (v->n <= UINT8_MAX)
        return 1 + 1;
    return v->n <= UINT32_MAX ? 1 + 4 : 1 + 8;
}

/* An int of 64 bits. */
static inline size_t int_len(int64_t i)
{
    unsigned char small[8];

    return i == (int32_t)i ? 1 + 4 : 1 + 1 + number_bytes(i, small);
}

/* Any other value that is no box. */
static inline size_t leaf_len(const chute_value *v)
{
    static const unsigned char short_lens[] = {
        [CHUTE_NONE] = 1,          [CHUTE_BOOL] = 1,    [CHUTE_INT] = 1 + 1,
        [CHUTE_FLOAT] = 1 + 8,     [CHUTE_STR] = 1 + 1, [CHUTE_BYTES] = 1 + 1,
        [CHUTE_BYTEARRAY] = 1 + 8,
    };

    /* A number has no bytes: its n is 0. */
    return v->n <= UINT8_MAX ? short_lens[v->type] + v->n
                             : prefix_len(v) + v->n;
}

/* The opcodes around a box's items. */
static inline size_t box_len(const chute_value *v)
{
    return openings[v->type] ? 3 : 2;
}

/* Whether v, which is no int of 64 bits, is worth a look into the map. What can be
 * changed in Python has an identity, however small it is. */
static inline bool may_be_shared(const chute_value *v)
{
    return value_is_shared(v) &&
           (v->n >= MIN_SHARED_LEN || v->type >= CHUTE_BYTEARRAY);
}

struct part {
    const chute_value *v;
    uint32_t state;
    uint32_t after; /* which part came next, the last time; 0: none yet */
};

static inline struct part *part_at(const struct pickle *p, uint32_t number)
{
    return (struct part *)(void *)p->parts.data + number;
}

/* The number of v by the map; it may be new. Negative: the failure. */
static int64_t find_part(struct pickle *p, const chute_value *v)
{
    struct part none = {0}, part = {.v = v};
    uint64_t *number;

    if (p->parts.len == 0 && buf_add(&p->parts, &none, sizeof none) < 0)
        return fail(CHUTE_ENOMEM);
    int is_new = map_put(&p->numbers, (uintptr_t)v, &number);
    if (is_new < 0)
        return is_new;
    if (is_new) {
        *number = p->numbers.n;
        if (*number > MAX_PARTS)
            return fail(CHUTE_ELIMIT);
        if (buf_add(&p->parts, &part, sizeof part) < 0)
            return fail(CHUTE_ENOMEM);
    }
    return (int64_t)*number;
}

/* Records in a list share their keys, and have them in one order: what came
 * behind the last part the time before is likely to come now. The number of v if
 * so, or 0. */
static inline uint32_t expect_part(const struct pickle *p, const chute_value *v)
{
    uint32_t number = p->parts.len > 0 ? part_at(p, p->last)->after : 0;

    return number > 0 && part_at(p, number)->v == v ? number : 0;
}

/* The part of this number is met. The list ends with a 0, which is nobody. */
static inline int add_met(struct pickle *p, uint32_t number)
{
    static const uint32_t end = 0;

    if (buf_reserve(&p->met, sizeof number + sizeof end) < 0)
        return fail(CHUTE_ENOMEM);
    unsigned char *to = p->met.data + p->met.len;
    memcpy(to, &number, sizeof number);
    memcpy(to + sizeof number, &end, sizeof end);
    p->met.len += sizeof number;
    p->last = number;
    return 0;
}

/* We come to v: was it there before? */
static inline int meet(struct pickle *p, const chute_value *v)
{
    uint32_t number = expect_part(p, v);

    if (number == 0) {
        int64_t found = find_part(p, v);
        if (found < 0)
            return (int)found;
        number = (uint32_t)found;
        part_at(p, p->last)->after = number;
    }
    struct part *part = part_at(p, number);
    if (add_met(p, number) < 0)
        return fail(CHUTE_ENOMEM);
    if (part->state == NEW) {
        part->state = ONCE;
        return false;
    }
    if (part->state == ONCE) {
        part->state = AGAIN;
        p->n_memo++;
    }
    return true;
}

/* Add up an item; 1 if it is a box that has yet to be gone through. */
INLINE int measure(struct pickle *p, const chute_value *v, size_t *len)
{
    if (v->type == CHUTE_INT && !(v->flags & VALUE_BIG)) {
        *len += int_len(v->i);
        return 0;
    }
    if (may_be_shared(v)) {
        int again = meet(p, v);
        if (again != 0)
            return again < 0 ? again : 0;
    }
    if (value_is_box(v)) {
        *len += box_len(v);
        return 1;
    }
    if (v->type == CHUTE_INT && v->n > INT32_MAX)
        return fail(CHUTE_ELIMIT); /* LONG4 counts in 31 bits */
    *len += leaf_len(v);
    return 0;
}

/* Add up all that a box holds. The walk has the boxes around the one in hand. */
static int measure_items(struct pickle *p, const chute_value *box)
{
    struct walk *w = &p->walk;
    size_t i = 0;

    for (;;) {
        chute_value *const *items = value_items(box);
        size_t n = value_slots(box), len = 0;
        int r = 0;
        while (i < n) {
            r = measure(p, items[i++], &len);
            if (r != 0)
                break;
        }
        p->len += len;
        if (r < 0 || (r == 0 && w->n == 0))
            return r;
        if (r > 0) {
            if (walk_push(w, box) < 0)
                return fail(CHUTE_ENOMEM);
            w->at[w->n - 1].i = i;
            box = items[i - 1];
            i = 0;
        } else {
            w->n--;
            box = w->at[w->n].v;
            i = w->at[w->n].i;
        }
    }
}

/* Fetches have one width in a pickle: that which all its indices fit. */
static size_t get_len(const struct pickle *p)
{
    return p->n_memo <= UINT8_MAX + 1 ? 1 + 1 : 1 + 4;
}

/* Whoever is met and is not new is fetched. */
static size_t n_gets(const struct pickle *p)
{
    return p->met.len / sizeof(uint32_t) - p->numbers.n;
}

int pickle_begin(struct pickle *p, const chute_value *v)
{
    if (!v)
        return fail(CHUTE_ENOMEM);
    p->v = v;
    p->len = 2 + 1; /* protocol and stop */
    p->numbers = (struct map){0};
    p->parts = p->met = (struct buf){0};
    p->last = 0;
    p->n_memo = 0;
    walk_begin(&p->walk);

    int r = measure(p, v, &p->len);
    if (r > 0)
        r = measure_items(p, v);
    if (r < 0) {
        pickle_end(p);
        return r;
    }
    p->len += p->n_memo + n_gets(p) * get_len(p);
    return 0;
}

void pickle_end(struct pickle *p)
{
    map_end(&p->numbers);
    buf_done(&p->parts);
    buf_done(&p->met);
    walk_end(&p->walk);
}

/* -- second walk: write ---------------------------------------------------- */

/* An opcode and a number of `width` bytes, little-endian. */
static inline unsigned char *write_op(unsigned char *to, int op,
                                      uint64_t number, size_t width)
{
    *to++ = (unsigned char)op;
    for (; width > 0; width--, number >>= 8)
        *to++ = (unsigned char)number;
    return to;
}

static inline unsigned char *write_data(unsigned char *to, const void *data,
                                        size_t len)
{
    if (len <= COPY_SHORT)
        copy_short(to, data, len);
    else
        memcpy(to, data, len);
    return to + len;
}

static inline unsigned char *write_int(unsigned char *to, int64_t i)
{
    unsigned char small[8];

    if (i == (int32_t)i) {
        /* Spelled out, which compilers make one store of: ints abound. */
        uint32_t u = (uint32_t)i;
        to[0] = OP_BININT;
        to[1] = (unsigned char)u;
        to[2] = (unsigned char)(u >> 8);
        to[3] = (unsigned char)(u >> 16);
        to[4] = (unsigned char)(u >> 24);
        return to + 5;
    }
    size_t len = number_bytes(i, small);
    to = write_op(to, OP_LONG1, len, 1);
    copy_short(to, small, len);
    return to + len;
}

static inline unsigned char *write_float(unsigned char *to, double d)
{
    uint64_t bits;

    memcpy(&bits, &d, sizeof bits);
    *to++ = OP_BINFLOAT;
    for (int shift = 56; shift >= 0; shift -= 8)
        *to++ = (unsigned char)(bits >> shift);
    return to;
}

static unsigned char *write_blob(unsigned char *to, const chute_value *v)
{
    /* For lengths of one byte, of four and of eight. */
    static const unsigned char ops[][3] = {
        [CHUTE_INT] = {OP_LONG1, OP_LONG4, 0},
        [CHUTE_STR] = {OP_SHORT_BINUNICODE, OP_BINUNICODE, OP_BINUNICODE8},
        [CHUTE_BYTES] = {OP_SHORT_BINBYTES, OP_BINBYTES, OP_BINBYTES8},
        [CHUTE_BYTEARRAY] = {0, 0, OP_BYTEARRAY8},
    };
    size_t width = prefix_len(v) - 1;

    to = write_op(to, ops[v->type][width / 4], v->n, width);
    return write_data(to, value_data(v), v->n);
}

static inline unsigned char *write_str(unsigned char *to, const chute_value *v)
{
    size_t len = v->n;

    if (len > UINT8_MAX)
        return write_blob(to, v);
    to[0] = OP_SHORT_BINUNICODE;
    to[1] = (unsigned char)len;
    return write_data(to + 2, value_blob(v)->data, len);
}

INLINE unsigned char *write_leaf(unsigned char *to, const chute_value *v)
{
    if (v->type == CHUTE_STR)
        return write_str(to, v);
    if (v->type == CHUTE_INT && !(v->flags & VALUE_BIG))
        return write_int(to, v->i);
    if (v->type == CHUTE_FLOAT)
        return write_float(to, v->d);
    if (v->type == CHUTE_NONE)
        return write_op(to, OP_NONE, 0, 0);
    if (v->type == CHUTE_BOOL)
        return write_op(to, v->i ? OP_NEWTRUE : OP_NEWFALSE, 0, 0);
    return write_blob(to, v);
}

/* What comes before a box's items, and after them. */
static inline unsigned char *write_opening(unsigned char *to,
                                           const chute_value *v)
{
    if (openings[v->type])
        *to++ = openings[v->type];
    *to++ = OP_MARK;
    return to;
}

static inline unsigned char *write_closing(unsigned char *to,
                                           const chute_value *v)
{
    static const unsigned char ops[] = {
        [CHUTE_LIST] = OP_APPENDS,        [CHUTE_TUPLE] = OP_TUPLE,
        [CHUTE_DICT] = OP_SETITEMS,       [CHUTE_SET] = OP_ADDITEMS,
        [CHUTE_FROZENSET] = OP_FROZENSET,
    };

    *to++ = ops[v->type];
    return to;
}

/* The part is complete and on top of the reader's stack. */
static inline unsigned char *memoize(struct pickle *p, unsigned char *to,
                                     struct part *part)
{
    part->state = IN_MEMO + p->next_index++;
    *to++ = OP_MEMOIZE;
    return to;
}

static inline unsigned char *write_get(const struct pickle *p,
                                       unsigned char *to, uint32_t index)
{
    if (get_len(p) == 1 + 1)
        return write_op(to, OP_BINGET, index, 1);
    return write_op(to, OP_LONG_BINGET, index, 4);
}

/* Which part is met next? */
static inline void look_ahead(struct pickle *p)
{
    p->next = part_at(p, *p->ahead)->v;
}

/* If v is the part that is met next, we have come to it. NULL if it is not, or is
 * not met again. */
static inline struct part *arrive(struct pickle *p, const chute_value *v)
{
    if (v != p->next)
        return NULL;
    struct part *part = part_at(p, *p->ahead++);
    look_ahead(p);
    return part->state == ONCE ? NULL : part;
}

/* A part without items, for the first time. */
static unsigned char *write_first(struct pickle *p, unsigned char *to,
                                  const chute_value *v, struct part *part)
{
    return memoize(p, write_leaf(to, v), part);
}

/* Write an item. If it is a box, its items are yet to be written: then *inner is
 * before the first of them. */
INLINE unsigned char *write_value(struct pickle *p, unsigned char *to,
                                  const chute_value *v,
                                  struct walk_frame *inner)
{
    struct part *part = arrive(p, v);

    if (part && part->state >= IN_MEMO)
        return write_get(p, to, part->state - IN_MEMO);
    if (value_is_box(v)) {
        *inner = (struct walk_frame){.v = v, .part = part};
        return write_opening(to, v);
    }
    return part ? write_first(p, to, v, part) : write_leaf(to, v);
}

/* As measure_items(). */
static unsigned char *write_items(struct pickle *p, unsigned char *to,
                                  struct walk_frame f)
{
    struct walk *w = &p->walk;

    for (;;) {
        chute_value *const *items = value_items(f.v);
        size_t n = value_slots(f.v);
        struct walk_frame inner = {.v = NULL};
        while (!inner.v && f.i < n)
            to = write_value(p, to, items[f.i++], &inner);
        if (inner.v) {
            walk_push_frame(w, &f); /* the first walk has made place */
            f = inner;
            continue;
        }
        to = write_closing(to, f.v);
        if (f.part)
            to = memoize(p, to, f.part);
        if (w->n == 0)
            return to;
        f = w->at[--w->n];
    }
}

void pickle_write(struct pickle *p, void *dst)
{
    unsigned char *to = write_op(dst, OP_PROTO, PROTOCOL, 1);
    struct walk_frame f = {.v = NULL};

    p->next_index = 0;
    p->next = NULL;
    p->ahead = (const uint32_t *)(const void *)p->met.data;
    if (p->ahead)
        look_ahead(p);
    to = write_value(p, to, p->v, &f);
    if (f.v)
        to = write_items(p, to, f);
    *to++ = OP_STOP;
    assert((size_t)(to - (unsigned char *)dst) == p->len);
}

int chute_dumps(const chute_value *v, void **ret_data, size_t *ret_len)
{
    struct pickle p;

    if (!ret_data || !ret_len)
        return fail(CHUTE_EINVAL);
    int r = pickle_begin(&p, v);
    if (r < 0)
        return r;
    void *data = mem_alloc(p.len);
    if (data) {
        pickle_write(&p, data);
        *ret_data = data;
        *ret_len = p.len;
    }
    pickle_end(&p);
    return data ? 0 : fail(CHUTE_ENOMEM);
}
