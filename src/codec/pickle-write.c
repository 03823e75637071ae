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
 * not look anything up: a value is a part if it is the one that is met next.
 * A part goes
 *
 *     ONCE -> AGAIN (first walk) -> IN_MEMO + index (second walk)
 *
 * Proven by tests/unit/test-pickle-write.c, and against CPython by
 * tests/conformance/pickle.py.
 */
#include <assert.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "chute/error.h"
#include "codec/copy.h"
#include "codec/number.h"
#include "codec/opcodes.h"
#include "codec/pickle.h"
#include "codec/value.h"

enum { PROTOCOL = 4, ONCE = 0, AGAIN = 1, IN_MEMO = 2 };

/* A str of fewer bytes is not worth a place in the memo. */
enum { MIN_SHARED_LEN = 4 };

/* -- first walk: how long? ------------------------------------------------- */

/* The opcode and the length before `len` bytes of data. */
static inline size_t prefix_len(const chute_value *v)
{
    if (v->type == CHUTE_BYTEARRAY)
        return 1 + 8;
    if (v->type == CHUTE_INT)
        return v->n <= UINT8_MAX ? 1 + 1 : 1 + 4;
    return v->n <= UINT8_MAX ? 1 + 1 : v->n <= UINT32_MAX ? 1 + 4 : 1 + 8;
}

/* An int of 64 bits. */
static inline size_t int_len(int64_t i)
{
    unsigned char small[8];

    return i == (int32_t)i ? 1 + 4 : 1 + 1 + number_bytes(i, small);
}

/* The opcodes around a box's items. */
static inline size_t box_len(const chute_value *v)
{
    return v->type == CHUTE_TUPLE || v->type == CHUTE_FROZENSET ? 2 : 3;
}

/* Whether v, a box or a blob, is worth a look into the map. What can be changed in
 * Python has an identity, however small it is. */
static inline bool may_be_shared(const chute_value *v)
{
    return value_is_shared(v) &&
           (v->type >= CHUTE_BYTEARRAY || v->n >= MIN_SHARED_LEN);
}

struct part {
    const chute_value *v;
    uint64_t state;
};

static inline struct part *part_at(const struct pickle *p, uint64_t number)
{
    return (struct part *)(void *)p->parts.data + number;
}

/* The number of v, which may be new. 0 if memory is short. */
static inline uint64_t part_number(struct pickle *p, const chute_value *v)
{
    uint64_t *number;
    int is_new = map_put(&p->numbers, (uintptr_t)v, &number);

    if (is_new == 0)
        return *number;
    if (is_new < 0)
        return 0;
    struct part part = {v, ONCE}, none = {NULL, ONCE};
    if (p->parts.len == 0 && buf_add(&p->parts, &none, sizeof none) < 0)
        return 0;
    *number = p->parts.len / sizeof part;
    return buf_add(&p->parts, &part, sizeof part) < 0 ? 0 : *number;
}

/* We come to v: was it there before? */
static int meet(struct pickle *p, const chute_value *v)
{
    size_t n_parts = p->numbers.n;
    uint64_t number = part_number(p, v);

    if (number == 0 || buf_reserve(&p->met, sizeof(uint32_t)) < 0)
        return fail(CHUTE_ENOMEM);
    if (number > UINT32_MAX)
        return fail(CHUTE_ELIMIT);
    uint32_t number32 = (uint32_t)number;
    memcpy(p->met.data + p->met.len, &number32, sizeof number32);
    p->met.len += sizeof number32;
    if (p->numbers.n != n_parts)
        return false;
    struct part *part = part_at(p, number);
    p->n_memo += part->state == ONCE;
    part->state = AGAIN;
    p->n_gets++;
    return true;
}

/* Add up an item; 1 if it is a box that has yet to be gone through. */
static inline int measure(struct pickle *p, const chute_value *v, size_t *len)
{
    if (v->type <= CHUTE_FLOAT && !(v->flags & VALUE_BIG)) {
        *len += v->type == CHUTE_INT     ? int_len(v->i)
                : v->type == CHUTE_FLOAT ? 1 + 8
                                         : 1;
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
    *len += prefix_len(v) + v->n;
    return 0;
}

/* The items of the box on top, up to the first that is a box itself and then on
 * top of it; or to the end, and the box is taken away. */
static int measure_items(struct pickle *p)
{
    struct walk_frame *f = &p->walk.at[p->walk.n - 1];
    chute_value *const *items = value_items(f->v);
    size_t n = value_slots(f->v), i = f->i, len = 0;
    int r = 0;

    while (r == 0 && i < n)
        r = measure(p, items[i++], &len);
    p->len += len;
    f->i = i;
    if (r == 0)
        p->walk.n--;
    return r > 0 ? walk_push(&p->walk, items[i - 1]) : r;
}

/* Fetches have one width in a pickle: that which all its indices fit. */
static size_t get_len(const struct pickle *p)
{
    return p->n_memo <= UINT8_MAX + 1 ? 1 + 1 : 1 + 4;
}

int pickle_begin(struct pickle *p, const chute_value *v)
{
    struct walk *w = &p->walk;

    if (!v)
        return fail(CHUTE_ENOMEM);
    p->v = v;
    p->len = 2 + 1; /* protocol and stop */
    p->numbers = (struct map){0};
    p->parts = p->met = (struct buf){0};
    p->n_memo = p->n_gets = 0;
    walk_begin(w);

    int r = measure(p, v, &p->len);
    if (r > 0)
        r = walk_push(w, v);
    while (r == 0 && w->n > 0)
        r = measure_items(p);
    if (r < 0) {
        pickle_end(p);
        return r;
    }
    p->len += p->n_memo + p->n_gets * get_len(p);
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

static inline unsigned char *write_int(unsigned char *to, const chute_value *v)
{
    unsigned char small[8];

    if (v->flags & VALUE_BIG) {
        size_t width = prefix_len(v) - 1;
        to = write_op(to, width == 1 ? OP_LONG1 : OP_LONG4, v->n, width);
        return write_data(to, value_data(v), v->n);
    }
    if (v->i == (int32_t)v->i) {
        /* Spelled out, which compilers make one store of: ints abound. */
        uint32_t u = (uint32_t)v->i;
        to[0] = OP_BININT;
        to[1] = (unsigned char)u;
        to[2] = (unsigned char)(u >> 8);
        to[3] = (unsigned char)(u >> 16);
        to[4] = (unsigned char)(u >> 24);
        return to + 5;
    }
    size_t len = number_bytes(v->i, small);
    to = write_op(to, OP_LONG1, len, 1);
    copy_short(to, small, len);
    return to + len;
}

static unsigned char *write_float(unsigned char *to, double d)
{
    uint64_t bits;

    memcpy(&bits, &d, sizeof bits);
    *to++ = OP_BINFLOAT;
    for (int shift = 56; shift >= 0; shift -= 8)
        *to++ = (unsigned char)(bits >> shift);
    return to;
}

static inline unsigned char *write_blob(unsigned char *to, const chute_value *v)
{
    size_t width = prefix_len(v) - 1;
    int op;

    if (v->type == CHUTE_BYTEARRAY)
        op = OP_BYTEARRAY8;
    else if (v->type == CHUTE_STR)
        op = width == 1   ? OP_SHORT_BINUNICODE
             : width == 4 ? OP_BINUNICODE
                          : OP_BINUNICODE8;
    else
        op = width == 1   ? OP_SHORT_BINBYTES
             : width == 4 ? OP_BINBYTES
                          : OP_BINBYTES8;
    to = write_op(to, op, v->n, width);
    return write_data(to, value_data(v), v->n);
}

static inline unsigned char *write_leaf(unsigned char *to, const chute_value *v)
{
    switch (v->type) {
    case CHUTE_NONE:
        return write_op(to, OP_NONE, 0, 0);
    case CHUTE_BOOL:
        return write_op(to, v->i ? OP_NEWTRUE : OP_NEWFALSE, 0, 0);
    case CHUTE_INT:
        return write_int(to, v);
    case CHUTE_FLOAT:
        return write_float(to, v->d);
    default:
        return write_blob(to, v);
    }
}

/* What comes before a box's items, and after them. */
static unsigned char *write_opening(unsigned char *to, const chute_value *v)
{
    switch (v->type) {
    case CHUTE_LIST:
        *to++ = OP_EMPTY_LIST;
        break;
    case CHUTE_DICT:
        *to++ = OP_EMPTY_DICT;
        break;
    case CHUTE_SET:
        *to++ = OP_EMPTY_SET;
        break;
    }
    *to++ = OP_MARK;
    return to;
}

static unsigned char *write_closing(unsigned char *to, const chute_value *v)
{
    static const unsigned char ops[] = {
        [CHUTE_LIST] = OP_APPENDS,        [CHUTE_TUPLE] = OP_TUPLE,
        [CHUTE_DICT] = OP_SETITEMS,       [CHUTE_SET] = OP_ADDITEMS,
        [CHUTE_FROZENSET] = OP_FROZENSET,
    };

    *to++ = ops[v->type];
    return to;
}

/* Which part is met next? */
static inline void look_ahead(struct pickle *p)
{
    uint32_t number;

    p->next = NULL;
    if (p->at == p->met.len)
        return;
    memcpy(&number, p->met.data + p->at, sizeof number);
    p->next = part_at(p, number)->v;
}

/* We come to the next part: its number, or 0 if it is not met again. */
static inline uint64_t arrive(struct pickle *p)
{
    uint32_t number;

    memcpy(&number, p->met.data + p->at, sizeof number);
    p->at += sizeof number;
    look_ahead(p);
    return part_at(p, number)->state == ONCE ? 0 : number;
}

/* The part is complete and on top of the reader's stack. */
static unsigned char *memoize(struct pickle *p, unsigned char *to,
                              uint64_t number)
{
    part_at(p, number)->state = IN_MEMO + p->next_index++;
    *to++ = OP_MEMOIZE;
    return to;
}

static unsigned char *write_get(struct pickle *p, unsigned char *to,
                                uint64_t index)
{
    size_t width = get_len(p) - 1;

    return write_op(to, width == 1 ? OP_BINGET : OP_LONG_BINGET, index, width);
}

static unsigned char *write_box(struct pickle *p, unsigned char *to,
                                const chute_value *v, uint64_t number)
{
    walk_push(&p->walk, v); /* the first walk has made place */
    p->walk.at[p->walk.n - 1].part = number;
    return write_opening(to, v);
}

/* One that has been met, or will be met again. */
static unsigned char *write_part(struct pickle *p, unsigned char *to,
                                 const chute_value *v, uint64_t number)
{
    uint64_t state = part_at(p, number)->state;

    if (state >= IN_MEMO)
        return write_get(p, to, state - IN_MEMO);
    if (value_is_box(v))
        return write_box(p, to, v, number);
    return memoize(p, write_leaf(to, v), number);
}

static inline unsigned char *write_value(struct pickle *p, unsigned char *to,
                                         const chute_value *v)
{
    if (v == p->next) {
        uint64_t number = arrive(p);
        if (number)
            return write_part(p, to, v, number);
    }
    return value_is_box(v) ? write_box(p, to, v, 0) : write_leaf(to, v);
}

/* As measure_items(). */
static unsigned char *write_items(struct pickle *p, unsigned char *to)
{
    struct walk *w = &p->walk;
    const chute_value *v = w->at[w->n - 1].v;
    chute_value *const *items = value_items(v);
    size_t n = value_slots(v), i = w->at[w->n - 1].i, top = w->n;

    while (i < n && w->n == top)
        to = write_value(p, to, items[i++]);
    if (w->n != top) {
        w->at[top - 1].i = i;
        return to;
    }
    uint64_t number = w->at[--w->n].part;
    to = write_closing(to, v);
    return number ? memoize(p, to, number) : to;
}

void pickle_write(struct pickle *p, void *dst)
{
    unsigned char *to = dst;

    p->at = 0;
    p->next_index = 0;
    look_ahead(p);
    to = write_op(to, OP_PROTO, PROTOCOL, 1);
    to = write_value(p, to, p->v);
    while (p->walk.n > 0)
        to = write_items(p, to);
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
