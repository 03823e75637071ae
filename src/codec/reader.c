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
    r->compare = compare_counted(compare_max(data_len));
    r->may_copy = 2 * data_len;
    r->has_classes = false;
    r->protocol = 0;
    r->max_int_len = INT32_MAX;
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

/* -- the input ------------------------------------------------------------- */

const unsigned char *reader_take_data(struct reader *r, size_t width,
                                      size_t *ret_len)
{
    uint64_t len;

    if (!reader_take_number(r, width, &len) || len > (size_t)(r->end - r->at))
        return NULL;
    *ret_len = (size_t)len;
    return reader_take(r, (size_t)len);
}

/* -- marks ----------------------------------------------------------------- */

int reader_mark(struct reader *r)
{
    int result = vec_push(&r->marks, (void *)(uintptr_t)r->fence);

    if (result == 0)
        r->fence = r->stack.n;
    return result;
}

int reader_pop_mark(struct reader *r, size_t *ret_from)
{
    if (r->marks.n == 0)
        return fail(CHUTE_EPICKLE);
    *ret_from = r->fence;
    r->fence = (size_t)(uintptr_t)r->marks.at[--r->marks.n];
    return 0;
}

/* -- boxes ----------------------------------------------------------------- */

/* A class may lie on the stack, but not become an item. */
static int refuse_classes(struct reader *r, size_t from, size_t n)
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

int reader_make_set(struct reader *r, int type, size_t from, size_t n)
{
    size_t n_slots = type == CHUTE_FROZENSET ? n : 0;
    chute_value *set = value_box_new(&r->pool, type, n_slots);

    if (!set)
        return fail(CHUTE_ENOMEM);
    int result = reader_fill(r, set, from, n);
    if (result < 0)
        return result;
    r->stack.n = from;
    return reader_push(r, set);
}

static int extend_list(struct reader *r, chute_value *list, size_t from,
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

int reader_fill(struct reader *r, chute_value *box, size_t from, size_t n)
{
    size_t width = box->type == CHUTE_DICT ? 2 : 1, at;

    int result = refuse_classes(r, from, n * width);
    if (result == 0)
        result = table_reserve(&r->pool, box, box->n + n);
    if (result == 0 && box->type != CHUTE_FROZENSET)
        result = value_box_reserve(&r->pool, box, (box->n + n) * width);
    for (size_t i = 0; result >= 0 && i < n; i++) {
        void **entry = r->stack.at + from + i * width;
        result = table_place(box, entry[0], &r->compare, &at);
        if (result >= 0 && width == 2)
            value_items(box)[2 * at + 1] = entry[1];
    }
    return result < 0 ? result : 0;
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
        result = reader_fill(r, box, from, type == CHUTE_DICT ? n / 2 : n);
    if (result == 0)
        r->stack.n = from;
    return result;
}
