/* test-value.c - values are made, read, shared, compared and freed.
 *
 * What a value is to equal or to print as is Python's to say;
 * tests/conformance/pickle.py asks it. Here is what C sees: ownership, refusals,
 * limits, and depth.
 */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "chute.h"
#include "codec/hash.h"
#include "codec/value.h"
#include "test.h"

#define DEEP 1000000

/* [[[...]]], n levels. */
static chute_value *nested_lists(size_t n)
{
    chute_value *v = chute_list_of(0, NULL);

    while (--n > 0)
        v = chute_list(v);
    return v;
}

/* x = [x, x], n times over: 2^n leaves in n lists. */
static chute_value *bomb(int n, chute_value *v)
{
    while (n-- > 0)
        v = chute_tuple(v, chute_value_ref(v));
    return v;
}

/* a == b, and both are let go. */
static int equal(chute_value *a, chute_value *b)
{
    int r = chute_value_equal(a, b);
    int r2 = chute_value_equal(b, a);

    CHECK_EQ(r, r2);
    chute_value_free(a);
    chute_value_free(b);
    return r;
}

/* -- scalars --------------------------------------------------------------- */

TEST(none_and_bools_are_what_they_are)
{
    bool b;

    CHECK_EQ(chute_value_type(chute_none()), CHUTE_NONE);
    CHECK_STR(chute_value_typename(chute_none()), "NoneType");
    CHECK_OK(chute_value_bool(chute_bool(true), &b));
    CHECK(b);
    CHECK_OK(chute_value_bool(chute_bool(false), &b));
    CHECK(!b);
    CHECK_ERR(chute_value_bool(chute_int(1), &b), CHUTE_EINVAL);
    CHECK_ERR(chute_value_bool(chute_none(), &b), CHUTE_EINVAL);
}

TEST(an_int_of_64_bits_comes_back)
{
    static const int64_t ints[] = {0,         1,         -1,       -16,
                                   -17,       255,       256,      INT32_MAX,
                                   INT32_MIN, INT64_MAX, INT64_MIN};

    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        int64_t back;
        double d;
        chute_value *v = chute_int(ints[i]);
        CHECK_EQ(chute_value_type(v), CHUTE_INT);
        CHECK_EQ(chute_value_len(v), 0);
        CHECK_OK(chute_value_int(v, &back));
        CHECK_EQ(back, ints[i]);
        CHECK_OK(chute_value_float(v, &d));
        CHECK(d == (double)ints[i]);
        chute_value_free(v);
    }
}

TEST(a_bool_counts_as_an_int_and_a_float_does_not)
{
    int64_t i;
    double d;
    chute_value *v = chute_float(1.5);

    CHECK_OK(chute_value_int(chute_bool(true), &i));
    CHECK_EQ(i, 1);
    CHECK_OK(chute_value_float(chute_bool(true), &d));
    CHECK(d == 1);
    CHECK_ERR(chute_value_int(v, &i), CHUTE_EINVAL);
    CHECK_OK(chute_value_float(v, &d));
    CHECK(d == 1.5);
    chute_value_free(v);
}

TEST(an_int_of_any_size_is_kept_in_its_shortest_form)
{
    static const unsigned char two64[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0};
    unsigned char buf[16];
    size_t len;
    int64_t i;
    chute_value *v = chute_int_of(two64, sizeof two64);

    CHECK_EQ(chute_value_type(v), CHUTE_INT);
    CHECK_EQ(chute_value_len(v), 0);
    CHECK_ERR(chute_value_int(v, &i), CHUTE_ELIMIT);
    CHECK_ERR(chute_value_int_bytes(v, buf, 8, &len), CHUTE_EMSGSIZE);
    CHECK_EQ(len, 9);
    CHECK_OK(chute_value_int_bytes(v, buf, sizeof buf, &len));
    CHECK_EQ(len, 9);
    CHECK_MEM(buf, two64, 9);
    chute_value_free(v);
}

TEST(bytes_of_an_int_that_fits_in_64_bits_give_an_ordinary_int)
{
    static const unsigned char minus2[] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff,
                                           0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    unsigned char buf[8];
    size_t len;
    int64_t i;
    chute_value *v = chute_int_of(minus2, sizeof minus2);

    CHECK_OK(chute_value_int(v, &i));
    CHECK_EQ(i, -2);
    CHECK_OK(chute_value_int_bytes(v, buf, sizeof buf, &len));
    CHECK_EQ(len, 1);
    CHECK_EQ(buf[0], 0xfe);
    CHECK_OK(chute_value_int(chute_int_of(NULL, 0), &i));
    CHECK_EQ(i, 0);
    CHECK_OK(chute_value_int_bytes(chute_int(0), buf, sizeof buf, &len));
    CHECK_EQ(len, 1);
    CHECK_EQ(buf[0], 0);
    CHECK(chute_int_of(NULL, 3) == NULL);
    chute_value_free(v);
}

TEST(a_large_int_gives_the_nearest_float_and_beyond_all_floats_a_limit)
{
    unsigned char le[140] = {0};
    double d;

    le[7] = 0x80; /* 2^63 */
    chute_value *v = chute_int_of(le, 9);
    CHECK_OK(chute_value_float(v, &d));
    CHECK(d == 0x1p63);
    chute_value_free(v);

    le[0] = 1; /* 2^63 + 1, which rounds */
    v = chute_int_of(le, 9);
    CHECK_OK(chute_value_float(v, &d));
    CHECK(d == 0x1p63);
    chute_value_free(v);

    le[1] = 4; /* half way between two floats, and 1: up */
    v = chute_int_of(le, 9);
    CHECK_OK(chute_value_float(v, &d));
    CHECK(d == 0x1.0000000000001p63);
    chute_value_free(v);

    le[0] = 0; /* just half way, below it an even one: down */
    v = chute_int_of(le, 9);
    CHECK_OK(chute_value_float(v, &d));
    CHECK(d == 0x1p63);
    chute_value_free(v);

    le[1] = 12; /* just half way, below it an odd one: up */
    v = chute_int_of(le, 9);
    CHECK_OK(chute_value_float(v, &d));
    CHECK(d == 0x1.0000000000002p63);
    chute_value_free(v);

    le[139] = 1;
    v = chute_int_of(le, sizeof le);
    CHECK_ERR(chute_value_float(v, &d), CHUTE_ELIMIT);
    chute_value_free(v);
}

/* -- blobs ----------------------------------------------------------------- */

TEST(a_str_is_utf8_that_may_hold_nul_and_surrogates)
{
    chute_value *v = chute_str_of("a\0b", 3);

    CHECK_EQ(chute_value_type(v), CHUTE_STR);
    CHECK_EQ(chute_value_len(v), 3);
    CHECK_MEM(chute_value_str(v), "a\0b", 4);
    chute_value_free(v);

    v = chute_str("\xed\xa0\x80");
    CHECK_EQ(chute_value_len(v), 3);
    chute_value_free(v);
    CHECK(chute_str("\xc0\x80") == NULL);
    CHECK(chute_str("\xe0\x9f\xbf") == NULL);
    CHECK(chute_str("\xf0\x8f\xbf\xbf") == NULL);
    CHECK(chute_str("\xff") == NULL);
    CHECK(chute_str("\xf4\x90\x80\x80") == NULL);
    CHECK(chute_str("cut \xe2\x82") == NULL);
    CHECK(chute_str(NULL) == NULL);
    CHECK(chute_str_of(NULL, 1) == NULL);
    v = chute_str_of(NULL, 0);
    CHECK_STR(chute_value_str(v), "");
    chute_value_free(v);
}

TEST(bytes_and_bytearray_are_copies)
{
    char data[] = "\0\1\2\377";
    size_t len;
    chute_value *v = chute_bytes(data, 4), *w = chute_bytearray(data, 4);

    data[0] = 'x';
    CHECK_EQ(chute_value_type(v), CHUTE_BYTES);
    CHECK_MEM(chute_value_bytes(v, &len), "\0\1\2\377", 4);
    CHECK_EQ(len, 4);
    CHECK_EQ(chute_value_type(w), CHUTE_BYTEARRAY);
    CHECK_MEM(chute_value_bytes(w, NULL), "\0\1\2\377", 4);
    CHECK(chute_value_str(v) == NULL);
    chute_value_free(v);
    chute_value_free(w);
    CHECK(chute_bytes(NULL, 1) == NULL);
}

TEST(bytes_can_be_filled_in_place)
{
    void *data;
    size_t len;
    chute_value *v = value_bytes_new(5, &data);

    memcpy(data, "hello", 5);
    CHECK_MEM(chute_value_bytes(v, &len), "hello", 5);
    CHECK_EQ(len, 5);
    chute_value_free(v);
    CHECK(value_bytes_new(SIZE_MAX, &data) == NULL);
}

/* -- boxes ----------------------------------------------------------------- */

TEST(a_list_and_a_tuple_have_their_items_in_order)
{
    int64_t i;
    chute_value *v = chute_list(chute_int(300), chute_none(), chute_str("x"));

    CHECK_EQ(chute_value_len(v), 3);
    CHECK_OK(chute_value_int(chute_value_at(v, 0), &i));
    CHECK_EQ(i, 300);
    CHECK_STR(chute_value_str(chute_value_at(v, 2)), "x");
    CHECK(chute_value_at(v, 3) == NULL);
    CHECK(chute_value_at(v, SIZE_MAX) == NULL);
    CHECK(chute_value_key_at(v, 0) == NULL);
    chute_value_free(v);

    v = chute_tuple(chute_int(300), chute_int(301));
    CHECK_EQ(chute_value_type(v), CHUTE_TUPLE);
    CHECK_EQ(chute_value_len(v), 2);
    chute_value_free(v);
    CHECK_EQ(chute_value_len(chute_tuple_of(0, NULL)), 0);
}

TEST(a_dict_keeps_the_first_of_equal_keys_and_the_last_value)
{
    chute_value *v = chute_dict(chute_int(1), chute_str("a"), chute_bool(true),
                                chute_str("b"), chute_str("k"), chute_none(),
                                chute_float(1.0), chute_str("c"));

    CHECK_EQ(chute_value_len(v), 2);
    CHECK_EQ(chute_value_type(chute_value_key_at(v, 0)), CHUTE_INT);
    CHECK_STR(chute_value_str(chute_value_at(v, 0)), "c");
    CHECK_STR(chute_value_str(chute_value_key_at(v, 1)), "k");
    CHECK(chute_value_get(v, "k") == chute_none());
    CHECK(chute_value_get(v, "j") == NULL);
    CHECK(chute_value_at(v, 2) == NULL);
    chute_value_free(v);
}

TEST(a_key_is_found_among_many_by_any_equal_value)
{
    enum { N = 10000 };
    static chute_value *pairs[4 * N];
    char text[32];

    for (int i = 0; i < N; i++) {
        snprintf(text, sizeof text, "key %d", i);
        pairs[4 * i] = chute_str(text);
        pairs[4 * i + 1] = chute_int(i);
        pairs[4 * i + 2] = chute_int(i);
        pairs[4 * i + 3] = chute_str(text);
    }
    chute_value *v = chute_dict_of((size_t)2 * N, pairs);
    CHECK_EQ(chute_value_len(v), 2 * N);
    for (int i = 0; i < N; i++) {
        int64_t back;
        snprintf(text, sizeof text, "key %d", i);
        CHECK_OK(chute_value_int(chute_value_get(v, text), &back));
        CHECK_EQ(back, i);
        chute_value *key = chute_float(i);
        CHECK_STR(chute_value_str(chute_value_get_item(v, key)), text);
        chute_value_free(key);
    }
    CHECK(chute_value_get(v, "key") == NULL);
    CHECK(chute_value_get(v, "key 10000") == NULL);
    chute_value_free(v);
}

TEST(a_set_drops_equal_items)
{
    chute_value *v = chute_set(chute_int(0), chute_float(-0.0),
                               chute_bool(false), chute_str("0"));

    CHECK_EQ(chute_value_len(v), 2);
    CHECK_EQ(chute_value_type(chute_value_at(v, 0)), CHUTE_INT);
    chute_value_free(v);
}

TEST(nans_are_different_keys_unless_they_are_one_object)
{
    chute_value *nan = chute_float(NAN);
    chute_value *v = chute_set(nan, chute_value_ref(nan), chute_float(NAN));

    CHECK_EQ(chute_value_len(v), 2);
    chute_value_free(v);
}

TEST(what_can_be_changed_in_python_is_no_key)
{
    chute_value *list = chute_list(chute_int(1));

    CHECK(chute_set(chute_value_ref(list)) == NULL);
    CHECK(chute_frozenset(chute_tuple(chute_value_ref(list))) == NULL);
    CHECK(chute_dict(chute_bytearray("", 0), chute_none()) == NULL);
    CHECK(chute_dict(chute_set(chute_int(1)), chute_none()) == NULL);
    chute_value *v = chute_dict(chute_none(), list,
                                chute_frozenset(chute_int(1)), chute_none());
    CHECK(v != NULL);
    CHECK(chute_value_get_item(v, chute_value_at(v, 0)) == NULL);
    chute_value_free(v);
}

/* -- ownership ------------------------------------------------------------- */

TEST(a_failed_child_fails_the_parent_and_frees_its_siblings)
{
    CHECK(chute_list(chute_str("a"), NULL, chute_str("b")) == NULL);
    CHECK(chute_tuple(chute_str("a"), NULL) == NULL);
    CHECK(chute_set(NULL, chute_str("a")) == NULL);
    CHECK(chute_frozenset(NULL, chute_str("a")) == NULL);
    CHECK(chute_dict(chute_str("a"), NULL, chute_str("b"), chute_none()) ==
          NULL);
    CHECK(chute_list(chute_list(chute_str("a"), chute_str("\xff"))) == NULL);
    CHECK(chute_list_of(1, NULL) == NULL);
    CHECK(chute_dict_of(1, NULL) == NULL);
    CHECK(chute_dict_of(SIZE_MAX, NULL) == NULL);
    CHECK(chute_set_of(SIZE_MAX, NULL) == NULL);
}

TEST(a_part_outlives_the_whole_if_somebody_holds_it)
{
    chute_value *v = chute_list(chute_str("kept"), chute_str("not"));
    chute_value *part = chute_value_ref(chute_value_at(v, 0));

    CHECK(chute_value_free(v) == NULL);
    CHECK_STR(chute_value_str(part), "kept");
    chute_value_free(part);
    CHECK(chute_value_ref(NULL) == NULL);
    CHECK(chute_value_free(NULL) == NULL);
}

TEST(small_values_are_static_and_any_number_of_frees_is_harmless)
{
    for (int i = 0; i < 1000; i++) {
        chute_value_free(chute_none());
        chute_value_free(chute_bool(true));
        chute_value_free(chute_int(i % 256));
        chute_value_free(chute_tuple_of(0, NULL));
        chute_value_ref(chute_none());
    }
    CHECK(chute_int(7) == chute_int(7));
}

static void *take_and_free(void *v)
{
    for (int i = 0; i < 100000; i++)
        chute_value_free(chute_value_ref(v));
    chute_value_free(v);
    return NULL;
}

TEST(threads_take_and_free_references_at_once)
{
    enum { N = 4 };
    pthread_t threads[N];
    chute_value *v = chute_list(chute_str("shared"));

    for (int i = 0; i < N; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, take_and_free,
                                chute_value_ref(v)),
                 0);
    for (int i = 0; i < N; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(atomic_load(&v->n_refs), 1);
    chute_value_free(v);
}

static void *hash_it(void *v)
{
    uint64_t hash;

    CHECK_OK(hash_value(v, &hash));
    CHECK(hash != 0);
    return (void *)(uintptr_t)hash;
}

TEST(threads_hash_one_value_at_once_and_agree)
{
    pthread_t thread;
    chute_value *v = bomb(20, chute_str("x"));
    void *other;

    CHECK_EQ(pthread_create(&thread, NULL, hash_it, v), 0);
    void *own = hash_it(v);
    CHECK_EQ(pthread_join(thread, &other), 0);
    CHECK_EQ(own, other);
    chute_value_free(v);
}

TEST(readers_take_anything_and_say_what_is_wrong)
{
    bool b;
    int64_t i;
    double d;
    size_t len;
    chute_value *v = chute_str("x");

    CHECK_ERR(chute_value_type(NULL), CHUTE_EINVAL);
    CHECK(chute_value_typename(NULL) == NULL);
    CHECK_EQ(chute_value_len(NULL), 0);
    CHECK_EQ(chute_value_len(chute_none()), 0);
    CHECK_ERR(chute_value_bool(NULL, &b), CHUTE_EINVAL);
    CHECK_ERR(chute_value_bool(chute_bool(true), NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_value_int(NULL, &i), CHUTE_EINVAL);
    CHECK_ERR(chute_value_int(v, &i), CHUTE_EINVAL);
    CHECK_ERR(chute_value_int(chute_int(1), NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_value_float(NULL, &d), CHUTE_EINVAL);
    CHECK_ERR(chute_value_float(v, &d), CHUTE_EINVAL);
    CHECK_ERR(chute_value_float(chute_int(1), NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_value_int_bytes(v, NULL, 0, &len), CHUTE_EINVAL);
    CHECK_ERR(chute_value_int_bytes(chute_int(1), &b, 1, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_value_int_bytes(chute_int(1), NULL, 1, &len), CHUTE_EINVAL);
    CHECK(chute_value_str(NULL) == NULL);
    CHECK(chute_value_bytes(NULL, &len) == NULL);
    CHECK(chute_value_bytes(v, &len) == NULL);
    CHECK(chute_value_at(NULL, 0) == NULL);
    CHECK(chute_value_at(v, 0) == NULL);
    CHECK(chute_value_key_at(NULL, 0) == NULL);
    CHECK(chute_value_key_at(v, 0) == NULL);
    CHECK(chute_value_get(NULL, "x") == NULL);
    CHECK(chute_value_get(v, "x") == NULL);
    CHECK(chute_value_get_item(NULL, v) == NULL);
    CHECK(chute_value_get_item(v, v) == NULL);
    CHECK_ERR(chute_value_equal(NULL, v), CHUTE_EINVAL);
    CHECK_ERR(chute_value_equal(v, NULL), CHUTE_EINVAL);
    chute_value_free(v);

    v = chute_dict(chute_str("x"), chute_none());
    CHECK(chute_value_key_at(v, 1) == NULL);
    CHECK(chute_value_get(v, NULL) == NULL);
    CHECK(chute_value_get_item(v, NULL) == NULL);
    chute_value_free(v);
}

/* -- equality -------------------------------------------------------------- */

TEST(numbers_are_equal_by_value_and_exactly)
{
    static const unsigned char two64[] = {0, 0, 0, 0, 0, 0, 0, 0, 1};
    static const unsigned char two64_1[] = {1, 0, 0, 0, 0, 0, 0, 0, 1};

    CHECK_EQ(equal(chute_int(1), chute_bool(true)), 1);
    CHECK_EQ(equal(chute_int(1), chute_float(1.0)), 1);
    CHECK_EQ(equal(chute_float(0.0), chute_float(-0.0)), 1);
    CHECK_EQ(equal(chute_int(0), chute_float(-0.0)), 1);
    CHECK_EQ(equal(chute_int(1), chute_float(1.5)), 0);
    CHECK_EQ(equal(chute_int((INT64_C(1) << 53) + 1), chute_float(0x1p53)), 0);
    CHECK_EQ(equal(chute_int(INT64_MAX), chute_float(0x1p63)), 0);
    CHECK_EQ(equal(chute_int(INT64_MIN), chute_float(-0x1p63)), 1);
    CHECK_EQ(equal(chute_int_of(two64, 9), chute_float(0x1p64)), 1);
    CHECK_EQ(equal(chute_int_of(two64_1, 9), chute_float(0x1p64)), 0);
    CHECK_EQ(equal(chute_int_of(two64_1, 9), chute_int_of(two64_1, 9)), 1);
    CHECK_EQ(equal(chute_int_of(two64_1, 9), chute_int_of(two64, 9)), 0);
    CHECK_EQ(equal(chute_int_of(two64, 9), chute_float(INFINITY)), 0);
    CHECK_EQ(equal(chute_float(INFINITY), chute_float(INFINITY)), 1);
    CHECK_EQ(equal(chute_int(0), chute_none()), 0);
}

TEST(a_large_int_and_its_float_are_one_key)
{
    static const unsigned char two64[] = {0, 0, 0, 0, 0, 0, 0, 0, 1};
    chute_value *items[20];

    for (int i = 0; i < 18; i++)
        items[i] = chute_int(1000 + i);
    items[18] = chute_int_of(two64, 9);
    items[19] = chute_float(0x1p64);
    chute_value *v = chute_set_of(20, items);
    CHECK_EQ(chute_value_len(v), 19);
    chute_value_free(v);
}

TEST(ints_beyond_all_floats_are_keys)
{
    enum { N = 20 };
    unsigned char le[140] = {[138] = 1};
    chute_value *items[2 * N];

    for (int i = 0; i < N; i++) {
        le[0] = (unsigned char)i;
        items[2 * i] = chute_int_of(le, sizeof le);
        items[2 * i + 1] = chute_int(i);
    }
    chute_value *v = chute_dict_of(N, items);
    chute_value *last = chute_int_of(le, sizeof le);
    CHECK_EQ(chute_value_len(v), N);
    CHECK_EQ(chute_value_get_item(v, last), chute_int(N - 1));
    chute_value_free(last);
    chute_value_free(v);
}

TEST(nan_is_equal_to_itself_only_inside)
{
    chute_value *nan = chute_float(NAN);

    CHECK_EQ(chute_value_equal(nan, nan), 0);
    CHECK_EQ(equal(chute_list(chute_value_ref(nan)),
                   chute_list(chute_value_ref(nan))),
             1);
    CHECK_EQ(equal(chute_list(chute_float(NAN)), chute_list(nan)), 0);
}

TEST(kinds_are_equal_as_in_python)
{
    CHECK_EQ(equal(chute_str("a"), chute_bytes("a", 1)), 0);
    CHECK_EQ(equal(chute_bytearray("a", 1), chute_bytes("a", 1)), 1);
    CHECK_EQ(equal(chute_list(chute_int(1)), chute_tuple(chute_int(1))), 0);
    CHECK_EQ(equal(chute_set(chute_int(1)), chute_frozenset(chute_float(1))),
             1);
    CHECK_EQ(equal(chute_list_of(0, NULL), chute_list_of(0, NULL)), 1);
    CHECK_EQ(equal(chute_list_of(0, NULL), chute_dict_of(0, NULL)), 0);
}

TEST(dicts_and_sets_have_no_order)
{
    CHECK_EQ(equal(chute_dict(chute_str("a"), chute_int(1), chute_str("b"),
                              chute_list(chute_int(2))),
                   chute_dict(chute_str("b"), chute_list(chute_float(2)),
                              chute_str("a"), chute_bool(true))),
             1);
    CHECK_EQ(equal(chute_dict(chute_str("a"), chute_int(1)),
                   chute_dict(chute_str("a"), chute_int(2))),
             0);
    CHECK_EQ(equal(chute_dict(chute_str("a"), chute_int(1)),
                   chute_dict(chute_str("b"), chute_int(1))),
             0);
    CHECK_EQ(equal(chute_set(chute_int(1), chute_int(2), chute_int(3)),
                   chute_set(chute_int(3), chute_int(1), chute_int(2))),
             1);
    CHECK_EQ(equal(chute_set(chute_frozenset(chute_int(1), chute_int(2))),
                   chute_set(chute_frozenset(chute_int(2), chute_int(1)))),
             1);
}

/* -- depth and sharing ----------------------------------------------------- */

TEST(a_million_levels_are_freed)
{
    CHECK(chute_value_free(nested_lists(DEEP)) == NULL);
}

TEST(a_million_levels_are_compared)
{
    CHECK_EQ(equal(nested_lists(DEEP), nested_lists(DEEP)), 1);
    CHECK_EQ(equal(nested_lists(DEEP), nested_lists(DEEP - 1)), 0);
}

TEST(a_million_levels_of_tuples_are_a_key)
{
    chute_value *key = chute_none();

    for (int i = 0; i < DEEP; i++)
        key = chute_tuple(key);
    chute_value *v = chute_dict(chute_value_ref(key), chute_int(1));
    CHECK(chute_value_get_item(v, key) == chute_int(1));
    chute_value_free(key);
    chute_value_free(v);
}

TEST(frozensets_in_frozensets_are_compared_to_a_limit)
{
    chute_value *a = chute_none(), *b = chute_none();

    for (int i = 0; i < 60; i++) {
        a = chute_frozenset(a);
        b = chute_frozenset(b);
    }
    CHECK_EQ(chute_value_equal(a, b), 1);
    for (int i = 0; i < 60; i++) {
        a = chute_frozenset(a);
        b = chute_frozenset(b);
    }
    CHECK_ERR(chute_value_equal(a, b), CHUTE_ELIMIT);
    chute_value_free(a);
    chute_value_free(b);
}

TEST(two_small_values_with_2_to_the_60_leaves_end_at_a_limit)
{
    chute_value *a = bomb(60, chute_str("a")), *b = bomb(60, chute_str("a"));

    CHECK_EQ(chute_value_equal(a, a), 1);
    CHECK_ERR(chute_value_equal(a, b), CHUTE_ELIMIT);
    chute_value_free(a);
    chute_value_free(b);
}

TEST(such_values_as_keys_end_at_a_limit)
{
    chute_value *v = chute_dict(bomb(60, chute_str("a")), chute_none(),
                                bomb(60, chute_str("b")), chute_none());

    CHECK_EQ(chute_value_len(v), 2); /* their hashes differ: no look inside */
    chute_value_free(v);
    CHECK(chute_set(bomb(60, chute_str("a")), bomb(60, chute_str("a"))) ==
          NULL);
}

TEST(a_large_value_without_repeats_has_no_limit)
{
    enum { N = 3000000 };
    chute_value **items = malloc(2 * N * sizeof *items);
    chute_value *shared = chute_str("shared, but short");

    CHECK(items != NULL);
    for (int i = 0; i < 2 * N; i++)
        items[i] = i % 2 ? chute_value_ref(shared) : chute_int(i % 200);
    chute_value *a = chute_list_of(2 * N, items);
    for (int i = 0; i < 2 * N; i++)
        items[i] = i % 2 ? chute_value_ref(shared) : chute_int(i % 200);
    chute_value *b = chute_list_of(2 * N, items);
    a = chute_list(a, chute_value_ref(a), chute_value_ref(a));
    b = chute_list(b, chute_value_ref(b), chute_value_ref(b));
    CHECK_EQ(chute_value_equal(a, b), 1); /* 6 and 12 millions: below 2^24 */
    chute_value_free(a);
    chute_value_free(b);
    chute_value_free(shared);
    free(items);
}

TEST(a_million_keys_take_no_time_to_speak_of)
{
    enum { N = 1000000 };
    chute_value **items = malloc(N * sizeof *items);

    /* Floats without a fraction, one low bit apart: a weak hash would put all
     * into one place. The test's deadline is the assertion. */
    CHECK(items != NULL);
    for (int i = 0; i < N; i++)
        items[i] = chute_float((double)i * 0x1p40);
    chute_value *v = chute_set_of(N, items);
    CHECK_EQ(chute_value_len(v), N);
    chute_value_free(v);
    for (int i = 0; i < N; i++)
        items[i] = chute_float(NAN);
    v = chute_set_of(N, items);
    CHECK_EQ(chute_value_len(v), N);
    chute_value_free(v);
    free(items);
}

/* -- ints as text ---------------------------------------------------------- */

/* From text and back, to the same base and to the other. */
static void same_int(const char *decimal, const char *hex)
{
    static const int bases[] = {10, 16};
    const char *texts[] = {decimal, hex};
    char buf[5000];
    size_t len;

    for (int from = 0; from < 2; from++) {
        chute_value *v = chute_int_text(texts[from], bases[from]);
        CHECK(v != NULL);
        for (int to = 0; to < 2; to++) {
            size_t n = strlen(texts[to]);
            CHECK_OK(chute_value_int_text(v, bases[to], buf, n + 1, &len));
            CHECK_STR(buf, texts[to]);
            CHECK_EQ(len, n);
            len = 0;
            CHECK_ERR(chute_value_int_text(v, bases[to], buf, n, &len),
                      CHUTE_EMSGSIZE);
            CHECK_EQ(len, n);
        }
        chute_value_free(v);
    }
}

TEST(an_int_is_a_text_in_decimal_and_in_hex)
{
    same_int("0", "0");
    same_int("7", "7");
    same_int("-1", "-1");
    same_int("15", "f");
    same_int("16", "10");
    same_int("-255", "-ff");
    same_int("-256", "-100");
    same_int("1000000000", "3b9aca00");
    same_int("9223372036854775807", "7fffffffffffffff");
    same_int("-9223372036854775808", "-8000000000000000");
    same_int("9223372036854775808", "8000000000000000");
    same_int("18446744073709551616", "10000000000000000");
    same_int("-18446744073709551616", "-10000000000000000");
    same_int("-123456789012345678901234567890", "-18ee90ff6c373e0ee4e3f0ad2");
}

TEST(a_text_that_is_no_int_gives_null)
{
    static const char *const bad[] = {"",   "-",  "+",   "--1", "1 ",
                                      " 1", "1_", "0x1", "1.0", "ten"};
    char digits[4310], buf[8];
    size_t len;
    chute_value *v;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(chute_int_text(bad[i], 10) == NULL);
        CHECK(chute_int_text(bad[i], 16) == NULL);
    }
    CHECK(chute_int_text("f", 10) == NULL);
    CHECK(chute_int_text("g", 16) == NULL);
    CHECK(chute_int_text("1", 8) == NULL);
    CHECK(chute_int_text(NULL, 10) == NULL);
    CHECK_EQ(chute_int_text("+0012", 10), chute_int(12));
    CHECK_EQ(chute_int_text("-0", 16), chute_int(0));
    CHECK_EQ(chute_int_text("fF", 16), chute_int(255));

    memset(digits, '9', sizeof digits);
    digits[4300] = 0;
    v = chute_int_text(digits, 10);
    CHECK(v != NULL);
    CHECK_ERR(chute_value_int_text(v, 10, buf, sizeof buf, &len),
              CHUTE_EMSGSIZE);
    CHECK_EQ(len, 4300);
    chute_value_free(v);
    digits[4300] = '9';
    digits[4301] = 0;
    CHECK(chute_int_text(digits, 10) == NULL);
    v = chute_int_text(digits, 16);
    CHECK_ERR(chute_value_int_text(v, 10, buf, sizeof buf, &len), CHUTE_ELIMIT);
    CHECK_ERR(chute_value_int_text(v, 16, NULL, 0, &len), CHUTE_EMSGSIZE);
    CHECK_EQ(len, 4301);
    chute_value_free(v);
    CHECK_ERR(chute_value_int_text(chute_int(1), 2, buf, 8, NULL),
              CHUTE_EINVAL);
    CHECK_ERR(chute_value_int_text(chute_none(), 10, buf, 8, NULL),
              CHUTE_EINVAL);
    CHECK_ERR(chute_value_int_text(NULL, 10, buf, 8, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_value_int_text(chute_int(1), 10, NULL, 8, NULL),
              CHUTE_EINVAL);
    CHECK_OK(chute_value_int_text(chute_int(-1), 10, buf, 8, NULL));
    CHECK_STR(buf, "-1");
}

/* -- faults ---------------------------------------------------------------- */

static chute_value *one_of_each(void)
{
    static const unsigned char big[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    chute_value *items[30];

    for (int i = 0; i < 30; i++)
        items[i] = chute_tuple(chute_int(1000 + i), chute_str("x"));
    return chute_list(
        chute_none(), chute_int(1000), chute_int_of(big, sizeof big),
        chute_float(1.5), chute_str("text"), chute_bytes("b", 1),
        chute_bytearray("b", 1), chute_tuple(chute_int(1000), chute_none()),
        chute_dict(chute_str("k"), chute_list(chute_float(2.5))),
        chute_set_of(30, items), chute_frozenset(chute_str("x")));
}

TEST(whatever_allocation_fails_making_a_value_frees_all_of_it)
{
    FAULT_LOOP (n) {
        chute_value *v = one_of_each();
        CHECK(v || fault_fired());
        if (v)
            CHECK_EQ(chute_value_len(v), 11);
        chute_value_free(v);
    }
}

TEST(whatever_allocation_fails_reading_a_text_gives_null)
{
    FAULT_LOOP (n) {
        chute_value *v = chute_int_text("-123456789abcdef01", 16);
        CHECK((v == NULL) == fault_fired());
        chute_value_free(v);
    }
}

/* A key whose hash takes a walk that needs memory, the same for the same i. */
static chute_value *long_way_down(int i)
{
    chute_value *v = chute_int(i);

    for (int depth = 0; depth < 100; depth++)
        v = chute_tuple(v);
    return v;
}

TEST(whatever_allocation_fails_among_many_keys_frees_all_or_finds_nothing)
{
    enum { N = 20 };
    chute_value *items[2 * N];

    FAULT_LOOP (n) {
        for (int i = 0; i < N; i++) {
            items[2 * i] = long_way_down(i);
            items[2 * i + 1] = chute_int(i);
        }
        chute_value *key = long_way_down(7), *v = chute_dict_of(N, items);
        if (v && key) {
            chute_value *found = chute_value_get_item(v, key);
            CHECK(found == (fault_fired() ? NULL : chute_int(7)));
        }
        CHECK((v && key) || fault_fired());
        chute_value_free(key);
        chute_value_free(v);
    }
}

TEST(whatever_allocation_fails_comparing_says_so)
{
    static const char zeros[10000];
    chute_value *a = chute_list(bomb(10, chute_str("x")), nested_lists(100),
                                bomb(1, chute_bytes(zeros, sizeof zeros)));
    chute_value *b = chute_list(bomb(10, chute_str("x")), nested_lists(100),
                                bomb(1, chute_bytes(zeros, sizeof zeros)));

    FAULT_LOOP (n) {
        int r = chute_value_equal(a, b);
        if (fault_fired())
            CHECK_ERR(r, CHUTE_ENOMEM);
        else
            CHECK_EQ(r, 1);
    }
    chute_value_free(a);
    chute_value_free(b);
}

TEST(whatever_allocation_fails_looking_up_finds_nothing)
{
    chute_value *key = chute_none(), *other = chute_none();

    for (int i = 0; i < 100; i++) {
        key = chute_tuple(key, chute_int(1000));
        other = chute_tuple(other, chute_int(1000));
    }
    chute_value *v = chute_dict(key, chute_int(1));
    FAULT_LOOP (n) {
        chute_value *found = chute_value_get_item(v, other);
        CHECK(found == (fault_fired() ? NULL : chute_int(1)));
    }
    chute_value_free(other);
    chute_value_free(v);
}
