/* value.c - values are made and let go.
 *
 * A value is written once and then only read, by any thread, so all that needs
 * care is its end. The count of references goes down with release and the last
 * one out looks with acquire: whatever the others did with the value happened
 * before it is freed. Whoever sees a count of 1 holds the only reference, and
 * nobody can make another from nothing; so that common case does without a
 * locked instruction.
 *
 * Freeing a list frees its items, and theirs, a million levels deep if need be.
 * Dead boxes therefore wait in a chain, linked through a field of the dead
 * themselves: no recursion, no memory, nothing that could fail.
 *
 * None, True, False, the empty tuple and the ints from -16 to 255 are static:
 * they are what plain data is full of. Their count does not move, so they can
 * lie in read-only memory.
 *
 * Constructors of boxes consume their items whatever happens; a NULL among them
 * is somebody's failed constructor, and makes this one fail.
 *
 * Proven by tests/unit/test-value.c: every type, every refusal, a depth of a
 * million, and each allocation failing in turn.
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "chute/error.h"
#include "codec/compare.h"
#include "codec/make.h"
#include "codec/number.h"
#include "codec/table.h"
#include "codec/utf8.h"
#include "codec/value.h"

/* -- static values --------------------------------------------------------- */

#define STATIC_INT(n)                                                          \
    {                                                                          \
        .n_refs = VALUE_STATIC, .type = CHUTE_INT, .flags = VALUE_HASHABLE,    \
        .i = (n)                                                               \
    }
#define INTS_4(n)                                                              \
    STATIC_INT(n), STATIC_INT((n) + 1), STATIC_INT((n) + 2), STATIC_INT((n) + 3)
#define INTS_16(n) INTS_4(n), INTS_4((n) + 4), INTS_4((n) + 8), INTS_4((n) + 12)
#define INTS_64(n)                                                             \
    INTS_16(n), INTS_16((n) + 16), INTS_16((n) + 32), INTS_16((n) + 48)

const chute_value value_ints[] = {
    INTS_16(VALUE_INT_FROM),
    INTS_64(0),
    INTS_64(64),
    INTS_64(128),
    INTS_64(192),
};

const chute_value value_none = {
    .n_refs = VALUE_STATIC,
    .type = CHUTE_NONE,
    .flags = VALUE_HASHABLE,
};

const chute_value value_bools[2] = {
    {.n_refs = VALUE_STATIC, .type = CHUTE_BOOL, .flags = VALUE_HASHABLE},
    {.n_refs = VALUE_STATIC,
     .type = CHUTE_BOOL,
     .flags = VALUE_HASHABLE,
     .i = 1},
};

/* Its hash is set, so that nobody tries to remember it here. */
static const struct value_box empty_tuple = {
    .head = {.n_refs = VALUE_STATIC,
             .type = CHUTE_TUPLE,
             .flags = VALUE_HASHABLE,
             .hash = UINT64_C(0x7d0c6a9e41b35f28)},
};

chute_value *value_tuple_empty(void)
{
    return value_unconst(&empty_tuple.head);
}

chute_value *chute_none(void)
{
    return value_unconst(&value_none);
}

chute_value *chute_bool(bool b)
{
    return value_unconst(&value_bools[b]);
}

/* -- references ------------------------------------------------------------ */

chute_value *chute_value_ref(chute_value *v)
{
    if (!v)
        return NULL;
    uint32_t n = atomic_load_explicit(&v->n_refs, memory_order_relaxed);
    if (n > VALUE_MAX_COUNT)
        return v;
    if (v->place) {
        value_mark_shared(v);
        pool_ref(pool_first(v, v->place));
        return v;
    }
    /* relaxed: whoever makes a reference has one already. */
    if (atomic_fetch_add_explicit(&v->n_refs, 1, memory_order_relaxed) >=
        VALUE_MAX_COUNT)
        atomic_store_explicit(&v->n_refs, VALUE_IMMORTAL, memory_order_relaxed);
    return v;
}

/* Give up one reference; was it the last? */
static bool unref(chute_value *v)
{
    /* acquire: pairs with the release below, in the thread that left us
     * alone with v. */
    uint32_t n = atomic_load_explicit(&v->n_refs, memory_order_acquire);

    if (n == 1)
        return true;
    if (n > VALUE_MAX_COUNT)
        return false;
    /* release: pairs with the acquire above and the fence beneath. */
    if (atomic_fetch_sub_explicit(&v->n_refs, 1, memory_order_release) != 1)
        return false;
    atomic_thread_fence(memory_order_acquire);
    return true;
}

/* Give up a reference. A dead box goes to the chain. */
static inline void drop(chute_value *v, chute_value **dead)
{
    if (!v)
        return;
    if (v->place) {
        pool_drop(pool_first(v, v->place));
    } else if (unref(v)) {
        if (!value_is_box(v)) {
            free(v);
            return;
        }
        v->next = *dead;
        *dead = v;
    }
}

chute_value *chute_value_free(chute_value *v)
{
    chute_value *dead = NULL;

    drop(v, &dead);
    while (dead) {
        struct value_box *box = value_box(dead);
        size_t n = value_slots(&box->head);

        dead = box->head.next;
        for (size_t i = 0; i < n; i++)
            drop(box->items[i], &dead);
        free(box->table);
        free(box);
    }
    return NULL;
}

/* -- numbers and blobs ----------------------------------------------------- */

chute_value *chute_int(int64_t i)
{
    return value_int_new(NULL, i);
}

chute_value *chute_float(double d)
{
    return value_float_new(NULL, d);
}

chute_value *value_bytes_new(size_t len, void **ret_data)
{
    return value_blob_new(NULL, CHUTE_BYTES, len, ret_data);
}

static chute_value *blob_copy(int type, const void *data, size_t len)
{
    void *to;

    if (!data && len > 0)
        return NULL;
    chute_value *v = value_blob_new(NULL, type, len, &to);
    if (v && len > 0)
        memcpy(to, data, len);
    return v;
}

chute_value *value_int_of(struct pool *pool, const void *data, size_t data_len)
{
    void *to;
    size_t len = number_trim(data, data_len);

    if (len <= 8)
        return value_int_new(pool, number_int64(data, len));
    chute_value *v = value_blob_new(pool, CHUTE_INT, len, &to);
    if (v)
        memcpy(to, data, len);
    return v;
}

chute_value *chute_int_of(const void *data, size_t data_len)
{
    if (data_len == 0)
        return chute_int(0);
    return data ? value_int_of(NULL, data, data_len) : NULL;
}

static chute_value *int_of_hex(const char *digits, size_t n, bool negative)
{
    size_t len = NUMBER_DIGITS_LEN(n, 4);
    chute_value *v = NULL;
    unsigned char *le = mem_alloc(len);

    if (le && number_from_digits(digits, n, 4, negative, le))
        v = value_int_of(NULL, le, len);
    free(le);
    return v;
}

chute_value *chute_int_text(const char *text, int base)
{
    unsigned char le[NUMBER_MAX_BYTES];

    if (!text || (base != 10 && base != 16))
        return NULL;
    bool negative = *text == '-';
    if (*text == '-' || *text == '+')
        text++;
    while (text[0] == '0' && text[1])
        text++;
    size_t n = strlen(text);
    if (n == 0)
        return NULL;
    if (base == 16)
        return int_of_hex(text, n, negative);
    if (n > NUMBER_MAX_DIGITS || strspn(text, "0123456789") != n)
        return NULL;
    return value_int_of(NULL, le, number_from_decimal(text, n, negative, le));
}

chute_value *chute_str(const char *text)
{
    return text ? chute_str_of(text, strlen(text)) : NULL;
}

chute_value *chute_str_of(const char *text, size_t text_len)
{
    if (text && !utf8_valid(text, text_len))
        return NULL;
    return blob_copy(CHUTE_STR, text, text_len);
}

chute_value *chute_bytes(const void *data, size_t data_len)
{
    return blob_copy(CHUTE_BYTES, data, data_len);
}

chute_value *chute_bytearray(const void *data, size_t data_len)
{
    return blob_copy(CHUTE_BYTEARRAY, data, data_len);
}

/* -- boxes ----------------------------------------------------------------- */

int value_box_grow(struct pool *pool, chute_value *v, size_t n_slots)
{
    struct value_box *box = value_box(v);

    /* In `room`, or just behind the box, is no chunk of their own. */
    assert(box->items != box->room ||
           v->cap * sizeof *box->items <= POOL_SMALL);
    /* To the exact need at first, which is all of a list of up to 1000 items
     * in a pickle; then by half. */
    size_t cap = v->cap + v->cap / 2;
    if (cap < n_slots)
        cap = n_slots;
    if (cap > PTRDIFF_MAX / sizeof *box->items)
        return fail(CHUTE_ENOMEM);
    size_t len = cap * sizeof *box->items;
    uint16_t place;
    void *items = v->cap == 0 ? pool_alloc(pool, len, &place)
                              : pool_resize(pool, box->items,
                                            v->cap * sizeof *box->items, len);
    if (!items)
        return fail(CHUTE_ENOMEM);
    box->items = items;
    v->cap = cap;
    return 0;
}

chute_value *value_tuple_new(struct pool *pool, size_t n, void *const *items)
{
    uint8_t flags = VALUE_HASHABLE;

    if (n == 0)
        return value_tuple_empty();
    chute_value *v = value_box_new(pool, CHUTE_TUPLE, n);
    if (!v)
        return NULL;
    chute_value **to = value_items(v);
    for (size_t i = 0; i < n; i++) {
        to[i] = items[i];
        flags &= to[i]->flags;
    }
    v->n = n;
    v->flags |= flags;
    return v;
}

static void free_all(size_t n, chute_value *const *items)
{
    for (size_t i = 0; items && i < n; i++)
        chute_value_free(items[i]);
}

static bool any_null(size_t n, chute_value *const *items)
{
    if (!items)
        return n > 0;
    for (size_t i = 0; i < n; i++)
        if (!items[i])
            return true;
    return false;
}

chute_value *chute_list_of(size_t n, chute_value *const *items)
{
    chute_value *v =
        any_null(n, items) ? NULL : value_box_new(NULL, CHUTE_LIST, n);

    if (!v) {
        free_all(n, items);
        return NULL;
    }
    if (n > 0)
        memcpy(value_items(v), items, n * sizeof *items);
    v->n = n;
    return v;
}

chute_value *chute_tuple_of(size_t n, chute_value *const *items)
{
    chute_value *v = any_null(n, items)
                         ? NULL
                         : value_tuple_new(NULL, n, (void *const *)items);

    if (!v)
        free_all(n, items);
    return v;
}

/* A dict or a set of n entries of `width` items each: the key, and in a dict
 * the value beside it. */
static chute_value *table_of(int type, size_t n, size_t width,
                             chute_value *const *items)
{
    struct compare c = compare_counted(REPEAT_MAX);
    size_t i = 0, at;

    if (n > SIZE_MAX / width / sizeof *items)
        return NULL; /* nobody can have passed so many */
    chute_value *v = any_null(n * width, items)
                         ? NULL
                         : value_box_new(NULL, type, n * width);
    if (!v || table_reserve(NULL, v, n) < 0)
        goto fail;
    for (; i < n; i++) {
        chute_value *const *entry = items + i * width;
        int r = table_place(v, entry[0], &c, &at);
        if (r < 0)
            goto fail;
        chute_value **to = value_items(v) + at * width;
        if (r == 0)
            chute_value_free(entry[0]);
        if (r == 0 && width == 2)
            chute_value_free(to[1]);
        if (width == 2)
            to[1] = entry[1];
    }
    return v;

fail:
    if (items)
        free_all((n - i) * width, items + i * width);
    return chute_value_free(v);
}

chute_value *chute_set_of(size_t n, chute_value *const *items)
{
    return table_of(CHUTE_SET, n, 1, items);
}

chute_value *chute_frozenset_of(size_t n, chute_value *const *items)
{
    return table_of(CHUTE_FROZENSET, n, 1, items);
}

chute_value *chute_dict_of(size_t n, chute_value *const *pairs)
{
    return table_of(CHUTE_DICT, n, 2, pairs);
}
