/* reader.c - the machine that a pickle runs on: its stack, marks and memo.
 *
 * The functions here are the steps that opcodes are made of; pickle-read.c says
 * which opcode takes which.
 *
 *     stack    [ ... | list | MARK 42 None ]      fence = 3, marks = { 0 }
 *                             ^ from
 *
 * A mark is no item on the stack but a fence under what came after it; the
 * fence before is kept in `marks`. Values beneath the fence cannot be reached
 * until the mark is taken away.
 */
#include <string.h>

#include "codec/reader.h"
#include "codec/table.h"

/* -- beginning and end ----------------------------------------------------- */

/* What keys may cost to compare: nothing to speak of in honest pickles, which
 * do not repeat a key. */
static uint64_t compare_max(size_t data_len)
{
    return (UINT64_C(1) << 16) + 16 * (uint64_t)data_len;
}

void reader_begin(struct reader *r, const void *data, size_t data_len)
{
    r->data = r->at = r->op = data;
    r->end = r->data + data_len;
    pool_begin(&r->pool, data_len);
    vec_begin(&r->stack);
    vec_begin(&r->marks);
    vec_begin(&r->dense);
    vec_begin(&r->suspects);
    r->fence = 0;
    r->sparse = (struct map){0};
    r->suspect_op = NULL;
    r->last_dict = NULL;
    r->compare = compare_counted(compare_max(data_len));
    r->may_copy = 2 * data_len;
    r->has_classes = false;
    r->protocol = 0;
    r->max_int_len = INT32_MAX;
    r->min_slice_len = SIZE_MAX;
    r->has_slices = false;
    r->module = r->name = "";
    r->module_len = r->name_len = 0;
    r->maker = 0;
}

void reader_end(struct reader *r, const chute_value *v)
{
    vec_end(&r->stack);
    vec_end(&r->suspects);
    vec_end(&r->marks);
    vec_end(&r->dense);
    map_end(&r->sparse);
    if (!v || v->place == 0) /* nothing, or a static value */
        pool_end(&r->pool);
}

/* -- boxes ----------------------------------------------------------------- */

/* A class may lie on the stack, but not become an item. */
static inline int refuse_classes(struct reader *r, size_t from, size_t n)
{
    for (size_t i = from; r->has_classes && i < from + n; i++)
        if (reader_at(r, i)->flags & VALUE_CLASS)
            return reader_refuse_class(r, reader_at(r, i));
    return 0;
}

int reader_make_tuple(struct reader *r, size_t from, size_t n)
{
    int result = refuse_classes(r, from, n);
    if (result < 0)
        return result;
    chute_value *v = value_tuple_new(&r->pool, n, r->stack.at + from);
    if (!v)
        return fail(CHUTE_ENOMEM);
    r->stack.n = from;
    return reader_push(r, v);
}

static inline int extend_list(struct reader *r, chute_value *list, size_t from,
                              size_t n)
{
    int result = refuse_classes(r, from, n);
    if (result == 0)
        result = value_box_reserve(&r->pool, list, list->n + n);
    if (result < 0)
        return result;
    if (n > 0)
        memcpy(value_items(list) + list->n, r->stack.at + from,
               n * sizeof(void *));
    list->n += n;
    return 0;
}

/* Have these pairs the very keys of the dict that was filled last? Records in
 * a list do. Then no two of them are equal, and all can be keys. */
static inline bool has_last_keys(const struct reader *r, void *const *pairs,
                                 size_t n)
{
    if (!r->last_dict || r->last_dict->n != n)
        return false;
    chute_value **last = value_items(r->last_dict);
    for (size_t i = 0; i < n; i++)
        if (pairs[2 * i] != last[2 * i])
            return false;
    return true;
}

/* One entry after the other. */
static int place_all(struct reader *r, chute_value *box, void *const *entries,
                     size_t n)
{
    size_t width = box->type == CHUTE_DICT ? 2 : 1, at;

    for (size_t i = 0; i < n; i++) {
        int result = table_place(box, entries[i * width], &r->compare, &at);
        if (result < 0)
            return result;
        if (width == 2)
            value_items(box)[2 * at + 1] = entries[2 * i + 1];
    }
    return 0;
}

/* The entries from place `from` on, n times a key and in a dict a value, go into
 * a dict or set. */
static inline int fill(struct reader *r, chute_value *box, size_t from,
                       size_t n)
{
    size_t width = box->type == CHUTE_DICT ? 2 : 1;
    void **entries = r->stack.at + from;
    bool few = box->type == CHUTE_DICT && box->n == 0 && n <= TABLE_MIN;

    int result = refuse_classes(r, from, n * width);
    if (result == 0 && box->n + n > TABLE_MIN)
        result = table_reserve(&r->pool, box, box->n + n);
    if (result == 0 && box->type != CHUTE_FROZENSET)
        result = value_box_reserve(&r->pool, box, (box->n + n) * width);
    if (result < 0)
        return result;
    if (few && has_last_keys(r, entries, n)) {
        memcpy(value_items(box), entries, 2 * n * sizeof *entries);
        box->n = n;
        return 0;
    }
    result = place_all(r, box, entries, n);
    if (few && box->n == n)
        r->last_dict = box;
    return result;
}

int reader_make_set(struct reader *r, int type, size_t from, size_t n)
{
    size_t n_slots = type == CHUTE_FROZENSET ? n : 0;
    chute_value *set = value_box_new(&r->pool, type, n_slots);

    if (!set)
        return fail(CHUTE_ENOMEM);
    int result = fill(r, set, from, n);
    if (result < 0)
        return result;
    r->stack.n = from;
    return reader_push(r, set);
}

int reader_add_items(struct reader *r, int type, size_t from, size_t n)
{
    int result = 0;

    /* There is a box, and it lies above the last mark. */
    if (from <= r->fence)
        return fail(CHUTE_EPICKLE);
    chute_value *box = reader_at(r, from - 1);
    if (box->type != type || (type == CHUTE_DICT && n % 2 != 0))
        return fail(CHUTE_EPICKLE);
    if (box->flags & VALUE_FETCHED)
        result = reader_suspect(r, box);
    if (result == 0 && type == CHUTE_LIST)
        result = extend_list(r, box, from, n);
    else if (result == 0)
        result = fill(r, box, from, type == CHUTE_DICT ? n / 2 : n);
    if (result == 0)
        r->stack.n = from;
    return result;
}
