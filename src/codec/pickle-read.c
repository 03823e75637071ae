/* pickle-read.c - from a pickle to a value.
 *
 * A pickle is a program for a small machine: a stack of values, marks on it,
 * and a memo from which a value can be fetched again. The machine here knows
 * the opcodes of plain data (opcodes.h) and no others:
 *
 *     5d        EMPTY_LIST   stack  []
 *     94        MEMOIZE             []             memo 0: the list
 *     28        MARK                [] (
 *     4b 2a     BININT1 42          [] ( 42
 *     4e        NONE                [] ( 42 None
 *     65        APPENDS             [42, None]
 *     2e        STOP
 *
 * Each opcode is one line of a switch at the end of this file: the function that
 * runs it, the type it makes, and how many bytes of number follow it.
 *
 * The input is hostile. It is read once, left to right; a length is checked
 * against what is left before anything is allocated for it; nothing recurses;
 * no opcode makes more than a small constant of memory per byte of input, and
 * those that could, by copying what the memo holds, have an allowance
 * (reduce.c); keys cannot be chosen to be slow (hash.c, compare.h). In all,
 * memory stays below 64 bytes for a byte of input, which an input of nothing
 * but EMPTY_LIST comes near, and time is linear. Depth has no limit.
 *
 * A fetched value is shared, not copied: the result is a graph as Python's is,
 * but for cycles (cycle.c). An input needs no frames, and frames need not be
 * right: as for CPython's own reader they are a hint for streams.
 *
 * Proven by tests/unit/test-pickle-read.c, tests/conformance/pickle.py and
 * tests/fuzz/fuzz-loads.c.
 */
#include <string.h>

#include "base/fail.h"
#include "base/inline.h"
#include "base/options.h"
#include "chute/error.h"
#include "chute/pickle.h"
#include "codec/copy.h"
#include "codec/limit.h"
#include "codec/number.h"
#include "codec/opcodes.h"
#include "codec/pickle.h"
#include "codec/reader.h"
#include "codec/table.h"
#include "codec/utf8.h"

enum { MAX_PROTOCOL = 5, STOPPED = 1 };

#ifndef MIN_SLICE /* smaller when fuzzing */
#define MIN_SLICE 16384
#endif

/* -- the input ------------------------------------------------------------- */

/* What is left of it, apart from the reader, so that it stays in registers: which
 * it can as long as all functions that have its address are inlined. */
struct input {
    const unsigned char *at, *end;
};

/* Step over n bytes: where they begin, or NULL if there are fewer. */
INLINE const unsigned char *take(struct input *in, size_t n)
{
    const unsigned char *at = in->at;

    if (n > (size_t)(in->end - at))
        return NULL;
    in->at = at + n;
    return at;
}

/* A number of `width` bytes, little-endian; false if there are fewer. */
INLINE bool take_number(struct input *in, size_t width, uint64_t *ret)
{
    const unsigned char *p = take(in, width);

    if (!p)
        return false;
    uint64_t number = p[--width];
    while (width > 0)
        number = number << 8 | p[--width];
    *ret = number;
    return true;
}

/* A length of `width` bytes, and so many bytes: where they are, or NULL. */
INLINE const unsigned char *take_data(struct input *in, size_t width,
                                      size_t *ret_len)
{
    uint64_t len;

    if (!take_number(in, width, &len) || len > (size_t)(in->end - in->at))
        return NULL;
    *ret_len = (size_t)len;
    return take(in, (size_t)len);
}

/* Push a value. Python's picklers put most into the memo at once, which then need
 * not come back here as an opcode of its own. */
INLINE int push(struct reader *r, struct input *in, chute_value *v)
{
    int result = reader_push(r, v);

    if (result < 0 || in->at == in->end || *in->at != OP_MEMOIZE)
        return result;
    in->at++;
    return reader_memoize(r);
}

/* -- frame ----------------------------------------------------------------- */

INLINE int run_proto(struct reader *r, struct input *in, size_t width)
{
    uint64_t version;

    if (!take_number(in, width, &version) || version > MAX_PROTOCOL)
        return fail(CHUTE_EPICKLE);
    r->protocol = (unsigned)version;
    return 0;
}

INLINE int run_frame(struct input *in, size_t width)
{
    uint64_t len;

    if (!take_number(in, width, &len) || len > (size_t)(in->end - in->at))
        return fail(CHUTE_EPICKLE);
    return 0;
}

static inline int run_stop(struct reader *r)
{
    if (r->stack.n != 1 || r->marks.n != 0)
        return fail(CHUTE_EPICKLE);
    if (r->has_classes && reader_top(r, 0)->flags & VALUE_CLASS)
        return reader_refuse_class(r, reader_top(r, 0));
    return STOPPED;
}

/* -- values without items -------------------------------------------------- */

static inline int run_none(struct reader *r)
{
    return reader_push(r, value_unconst(&value_none));
}

static inline int run_bool(struct reader *r, bool b)
{
    return reader_push(r, value_unconst(&value_bools[b]));
}

INLINE int run_int(struct reader *r, struct input *in, size_t width)
{
    uint64_t number;

    if (!take_number(in, width, &number))
        return fail(CHUTE_EPICKLE);
    /* Only the widest has a sign. */
    int64_t i = width == 4 ? (int32_t)(uint32_t)number : (int64_t)number;
    return reader_push(r, value_int_new(&r->pool, i));
}

INLINE int run_long(struct reader *r, struct input *in, size_t width)
{
    size_t len;
    const unsigned char *data = take_data(in, width, &len);

    if (!data || len > INT32_MAX)
        return fail(CHUTE_EPICKLE);
    if (len > r->max_int_len && number_trim(data, len) > r->max_int_len)
        return fail(CHUTE_ELIMIT);
    return reader_push(r, len == 0 ? value_int_new(NULL, 0)
                                   : value_int_of(&r->pool, data, len));
}

INLINE int run_float(struct reader *r, struct input *in, size_t width)
{
    const unsigned char *data = take(in, width);
    uint64_t bits = 0;
    double d;

    if (!data)
        return fail(CHUTE_EPICKLE);
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | data[i];
    memcpy(&d, &bits, sizeof d);
    return reader_push(r, value_float_new(&r->pool, d));
}

/* Copy a text, and say whether it is one. Most are short, and ASCII. */
static inline bool copy_text(unsigned char *to, const unsigned char *from,
                             size_t len)
{
    if (len <= COPY_SHORT)
        return copy_short(to, from, len) == 0 || utf8_valid(from, len);
    memcpy(to, from, len);
    return utf8_valid(from, len);
}

/* Bytes that stay where they are. */
static int push_slice(struct reader *r, int type, const unsigned char *data,
                      size_t len)
{
    unsigned flags = type == CHUTE_BYTES ? VALUE_HASHABLE : 0;
    struct value_slice *slice =
        value_new(&r->pool, type, flags | VALUE_SLICE, sizeof *slice);

    if (!slice)
        return fail(CHUTE_ENOMEM);
    slice->head.n = len;
    slice->data = (unsigned char *)(uintptr_t)data;
    r->has_slices = true;
    return reader_push(r, &slice->head);
}

INLINE int run_blob(struct reader *r, struct input *in, int type, size_t width)
{
    size_t len;
    void *to;
    const unsigned char *data = take_data(in, width, &len);

    if (!data)
        return fail(CHUTE_EPICKLE);
    if (type != CHUTE_STR && len >= r->min_slice_len)
        return push_slice(r, type, data, len);
    chute_value *v = value_blob_new(&r->pool, type, len, &to);
    if (!v)
        return fail(CHUTE_ENOMEM);
    if (type != CHUTE_STR)
        memcpy(to, data, len);
    else if (!copy_text(to, data, len))
        return fail(CHUTE_EPICKLE);
    return push(r, in, v);
}

/* -- values with items ----------------------------------------------------- */

static inline int run_mark(struct reader *r)
{
    return reader_mark(r);
}

INLINE int run_empty(struct reader *r, struct input *in, int type)
{
    return push(r, in, value_box_new(&r->pool, type, 0));
}

static inline int run_short_tuple(struct reader *r, size_t width)
{
    if (!reader_has(r, width))
        return fail(CHUTE_EPICKLE);
    return reader_make_tuple(r, r->stack.n - width, width);
}

static inline int run_tuple(struct reader *r)
{
    size_t from;
    int result = reader_pop_mark(r, &from);

    return result < 0 ? result : reader_make_tuple(r, from, r->stack.n - from);
}

static inline int run_frozenset(struct reader *r, int type)
{
    size_t from;
    int result = reader_pop_mark(r, &from);

    return result < 0 ? result
                      : reader_make_set(r, type, from, r->stack.n - from);
}

/* APPEND, SETITEM */
static inline int run_add(struct reader *r, int type, size_t width)
{
    if (!reader_has(r, width))
        return fail(CHUTE_EPICKLE);
    return reader_add_items(r, type, r->stack.n - width, width);
}

/* APPENDS, SETITEMS, ADDITEMS */
static inline int run_add_all(struct reader *r, int type)
{
    size_t from;
    int result = reader_pop_mark(r, &from);

    return result < 0 ? result
                      : reader_add_items(r, type, from, r->stack.n - from);
}

/* -- throwing away --------------------------------------------------------- */

static inline int run_pop(struct reader *r)
{
    size_t from;

    /* Of a mark and a value, the one on top; a mark is no value. */
    if (!reader_has(r, 1))
        return reader_pop_mark(r, &from);
    r->stack.n--;
    return 0;
}

static inline int run_pop_mark(struct reader *r)
{
    size_t from;
    int result = reader_pop_mark(r, &from);

    if (result == 0)
        r->stack.n = from;
    return result;
}

/* -- the memo -------------------------------------------------------------- */

INLINE int run_put(struct reader *r, struct input *in, size_t width)
{
    uint64_t index;

    if (!take_number(in, width, &index) || !reader_has(r, 1))
        return fail(CHUTE_EPICKLE);
    return reader_memo_put(r, index);
}

static inline int run_memoize(struct reader *r)
{
    return reader_has(r, 1) ? reader_memoize(r) : fail(CHUTE_EPICKLE);
}

INLINE int run_get(struct reader *r, struct input *in, size_t width)
{
    uint64_t index;

    if (!take_number(in, width, &index))
        return fail(CHUTE_EPICKLE);
    return reader_memo_get(r, index);
}

/* -- classes --------------------------------------------------------------- */

INLINE int run_global(struct reader *r, struct input *in)
{
    r->at = in->at;
    int result = reader_global(r);
    in->at = r->at;
    return result;
}

static inline int run_stack_global(struct reader *r)
{
    return reader_stack_global(r);
}

static inline int run_reduce(struct reader *r)
{
    return reader_reduce(r);
}

/* -- the opcodes ----------------------------------------------------------- */

/* One row for each: the function that runs it, the type it makes or changes, and
 * the bytes of the number behind it; or how many items it takes, or which truth.
 * The compiler makes a jump and code of its own for each. */
INLINE int run_op(struct reader *r, struct input *in, unsigned char op)
{
    switch (op) {
    case OP_PROTO:
        return run_proto(r, in, 1);
    case OP_FRAME:
        return run_frame(in, 8);
    case OP_STOP:
        return run_stop(r);

    case OP_NONE:
        return run_none(r);
    case OP_NEWTRUE:
        return run_bool(r, true);
    case OP_NEWFALSE:
        return run_bool(r, false);
    case OP_BININT1:
        return run_int(r, in, 1);
    case OP_BININT2:
        return run_int(r, in, 2);
    case OP_BININT:
        return run_int(r, in, 4);
    case OP_LONG1:
        return run_long(r, in, 1);
    case OP_LONG4:
        return run_long(r, in, 4);
    case OP_BINFLOAT:
        return run_float(r, in, 8);

    case OP_SHORT_BINUNICODE:
        return run_blob(r, in, CHUTE_STR, 1);
    case OP_BINUNICODE:
        return run_blob(r, in, CHUTE_STR, 4);
    case OP_BINUNICODE8:
        return run_blob(r, in, CHUTE_STR, 8);
    case OP_SHORT_BINBYTES:
        return run_blob(r, in, CHUTE_BYTES, 1);
    case OP_BINBYTES:
        return run_blob(r, in, CHUTE_BYTES, 4);
    case OP_BINBYTES8:
        return run_blob(r, in, CHUTE_BYTES, 8);
    case OP_BYTEARRAY8:
        return run_blob(r, in, CHUTE_BYTEARRAY, 8);

    case OP_EMPTY_LIST:
        return run_empty(r, in, CHUTE_LIST);
    case OP_APPEND:
        return run_add(r, CHUTE_LIST, 1);
    case OP_APPENDS:
        return run_add_all(r, CHUTE_LIST);
    case OP_EMPTY_TUPLE:
        return run_short_tuple(r, 0);
    case OP_TUPLE1:
        return run_short_tuple(r, 1);
    case OP_TUPLE2:
        return run_short_tuple(r, 2);
    case OP_TUPLE3:
        return run_short_tuple(r, 3);
    case OP_TUPLE:
        return run_tuple(r);
    case OP_EMPTY_DICT:
        return run_empty(r, in, CHUTE_DICT);
    case OP_SETITEM:
        return run_add(r, CHUTE_DICT, 2);
    case OP_SETITEMS:
        return run_add_all(r, CHUTE_DICT);
    case OP_EMPTY_SET:
        return run_empty(r, in, CHUTE_SET);
    case OP_ADDITEMS:
        return run_add_all(r, CHUTE_SET);
    case OP_FROZENSET:
        return run_frozenset(r, CHUTE_FROZENSET);

    case OP_MARK:
        return run_mark(r);
    case OP_POP:
        return run_pop(r);
    case OP_POP_MARK:
        return run_pop_mark(r);
    case OP_BINPUT:
        return run_put(r, in, 1);
    case OP_LONG_BINPUT:
        return run_put(r, in, 4);
    case OP_MEMOIZE:
        return run_memoize(r);
    case OP_BINGET:
        return run_get(r, in, 1);
    case OP_LONG_BINGET:
        return run_get(r, in, 4);

    case OP_GLOBAL:
        return run_global(r, in);
    case OP_STACK_GLOBAL:
        return run_stack_global(r);
    case OP_REDUCE:
        return run_reduce(r);

    case OP_PERSID:
    case OP_BINPERSID:
    case OP_INST:
    case OP_OBJ:
    case OP_BUILD:
    case OP_NEWOBJ:
    case OP_NEWOBJ_EX:
    case OP_EXT1:
    case OP_EXT2:
    case OP_EXT4:
    case OP_NEXT_BUFFER:
    case OP_READONLY_BUFFER:
        return fail(CHUTE_ENOTPLAIN);
    default:
        return fail(CHUTE_EPICKLE);
    }
}

/* -- the machine ----------------------------------------------------------- */

/* Run all opcodes. 0: one value is left, and no input. r->op is where it
 * ended, and on failure the first byte that was refused. */
static int run(struct reader *r)
{
    struct input in = {r->at, r->end};
    int result;

    do {
        r->op = in.at;
        result =
            in.at < in.end ? run_op(r, &in, *in.at++) : fail(CHUTE_EPICKLE);
    } while (result == 0);
    r->at = in.at;
    if (r->maker) {
        r->op = r->maker_op;
        return fail(CHUTE_ENOTPLAIN);
    }
    if (result < 0)
        return result;

    if (r->at != r->end) {
        r->op = r->at;
        return fail(CHUTE_EPICKLE);
    }
    if (r->suspects.n == 0)
        return 0;
    r->op = r->suspect_op;
    return reader_find_cycle(r);
}

/* "module.name", as far as there is room, without what a terminal might take
 * for a command. */
static void tell_name(const struct reader *r, char *to, size_t cap)
{
    const struct {
        const void *text;
        size_t len;
    } parts[] = {{r->module, r->module_len},
                 {".", r->name_len > 0},
                 {r->name, r->name_len}};
    size_t n = 0;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t len = parts[i].len < cap - 1 - n ? parts[i].len : cap - 1 - n;
        if (len > 0)
            memcpy(to + n, parts[i].text, len);
        n += len;
    }
    while (n > 0 && !utf8_valid(to, n) && n > cap - 4)
        n--; /* a character that was cut in two */
    bool valid = utf8_valid(to, n);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)to[i];
        if (c < 0x20 || c == 0x7f || (c >= 0x80 && !valid))
            to[i] = '?';
        else if (c == 0xc2 && (unsigned char)to[i + 1] < 0xa0)
            to[i] = to[i + 1] = '?';
    }
    to[n] = 0;
}

static void tell(const struct reader *r, struct chute_loads_report *to)
{
    struct chute_loads_report report = {.size = to->size,
                                        .pos = (uint64_t)(r->op - r->data)};

    tell_name(r, report.name, sizeof report.name);
    memcpy(to, &report,
           to->size < sizeof report ? (size_t)to->size : sizeof report);
}

/* Within the limits that concern the value as a whole? */
static int check_limits(struct reader *r,
                        const struct chute_loads_options *limits)
{
    if (limits->max_depth == 0 && limits->max_items == 0)
        return 0;
    r->op = r->end;
    return limit_check(r->stack.at[0], limits->max_depth, limits->max_items);
}

/* *block, if block is not NULL, is what the data lies in, and is NULL afterwards
 * if the value has it: for bytes that are half of it or more. */
static int loads(const void *data, size_t data_len, void **block,
                 const struct chute_loads_options *limits,
                 chute_value **ret_value, size_t *ret_pos,
                 struct chute_loads_report *ret_report)
{
    struct reader r;
    int result;

    reader_begin(&r, data ? data : "", data_len);
    if (block)
        r.min_slice_len = data_len / 2 > MIN_SLICE ? data_len / 2 : MIN_SLICE;
    if (limits->max_int_len > 0 && limits->max_int_len < INT32_MAX)
        r.max_int_len = (size_t)limits->max_int_len;
    if (limits->max_len > 0 && data_len > limits->max_len)
        result = fail(CHUTE_ELIMIT);
    else
        result = run(&r);
    if (result == 0)
        result = check_limits(&r, limits);
    chute_value *v = result == 0 ? r.stack.at[0] : NULL;
    if (v && r.has_slices) {
        pool_own(&r.pool, *block);
        *block = NULL;
    }
    if (v)
        *ret_value = v;
    else if (ret_pos)
        *ret_pos = (size_t)(r.op - r.data);
    else if (ret_report)
        tell(&r, ret_report);
    reader_end(&r, v);
    return result;
}

int chute_loads(const void *data, size_t data_len, chute_value **ret_value,
                size_t *ret_pos)
{
    static const struct chute_loads_options none = {0};

    if (!ret_value || (!data && data_len > 0))
        return fail(CHUTE_EINVAL);
    return loads(data, data_len, NULL, &none, ret_value, ret_pos, NULL);
}

int pickle_loads_block(void **block, const void *data, size_t data_len,
                       chute_value **ret_value)
{
    static const struct chute_loads_options none = {0};

    return loads(data, data_len, block, &none, ret_value, NULL, NULL);
}

int chute_loads_with(const void *data, size_t data_len,
                     const struct chute_loads_options *options,
                     chute_value **ret_value,
                     struct chute_loads_report *ret_report)
{
    struct chute_loads_options limits;

    if (!ret_value || (!data && data_len > 0) ||
        (ret_report && ret_report->size < sizeof *ret_report))
        return fail(CHUTE_EINVAL);
    int r = options_take(&limits, sizeof limits, options, sizeof limits);
    if (r < 0)
        return r;
    return loads(data, data_len, NULL, &limits, ret_value, NULL, ret_report);
}
