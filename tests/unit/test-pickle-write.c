/* test-pickle-write.c - values become the bytes that the format says.
 *
 * That Python reads them is for tests/conformance/pickle.py to show; here the
 * bytes themselves are golden, because queues of other versions read them too.
 */
#include <stdlib.h>
#include <string.h>

#include "chute.h"
#include "codec/pickle.h"
#include "test.h"

#define DEEP 1000000

/* v, which is consumed, becomes just these bytes between 80 04 and 2e. */
#define CHECK_BYTES(v, bytes) check_bytes(v, bytes, sizeof(bytes) - 1)

static void check_bytes(chute_value *v, const char *bytes, size_t len)
{
    void *data;
    size_t data_len;

    CHECK(v != NULL);
    CHECK_OK(chute_dumps(v, &data, &data_len));
    CHECK_EQ(data_len, len + 3);
    CHECK_MEM(data, "\x80\x04", 2);
    CHECK_MEM((char *)data + 2, bytes, len);
    CHECK_MEM((char *)data + 2 + len, ".", 1);
    free(data);
    chute_value_free(v);
}

/* dumps, loads, equal; v is consumed. */
static void check_round_trip(chute_value *v)
{
    void *data;
    size_t len;
    chute_value *back;

    CHECK(v != NULL);
    CHECK_OK(chute_dumps(v, &data, &len));
    CHECK_OK(chute_loads(data, len, &back, NULL));
    CHECK_EQ(chute_value_type(back), chute_value_type(v));
    CHECK_EQ(chute_value_equal(back, v), 1);
    chute_value_free(back);
    chute_value_free(v);
    free(data);
}

TEST(scalars_have_one_form_each)
{
    static const unsigned char two64[] = {0, 0, 0, 0, 0, 0, 0, 0, 1};

    CHECK_BYTES(chute_none(), "N");
    CHECK_BYTES(chute_bool(true), "\x88");
    CHECK_BYTES(chute_bool(false), "\x89");
    CHECK_BYTES(chute_int(0), "J\0\0\0\0");
    CHECK_BYTES(chute_int(-2), "J\xfe\xff\xff\xff");
    CHECK_BYTES(chute_int(INT32_MAX), "J\xff\xff\xff\x7f");
    CHECK_BYTES(chute_int(INT32_MIN), "J\0\0\0\x80");
    CHECK_BYTES(chute_int(INT64_C(1) << 31), "\x8a\x05\0\0\0\x80\0");
    CHECK_BYTES(chute_int(INT64_MIN), "\x8a\x08\0\0\0\0\0\0\0\x80");
    CHECK_BYTES(chute_int_of(two64, 9), "\x8a\x09\0\0\0\0\0\0\0\0\1");
    CHECK_BYTES(chute_float(1.0), "G\x3f\xf0\0\0\0\0\0\0");
    CHECK_BYTES(chute_str(""), "\x8c\0");
    CHECK_BYTES(chute_str("hi"), "\x8c\2hi");
    CHECK_BYTES(chute_bytes("a\0", 2), "C\2a\0");
    CHECK_BYTES(chute_bytearray("a", 1), "\x96\1\0\0\0\0\0\0\0a");
}

TEST(boxes_are_a_mark_the_items_and_an_opcode)
{
    CHECK_BYTES(chute_list_of(0, NULL), "](e");
    CHECK_BYTES(chute_tuple_of(0, NULL), "(t");
    CHECK_BYTES(chute_dict_of(0, NULL), "}(u");
    CHECK_BYTES(chute_set_of(0, NULL), "\x8f(\x90");
    CHECK_BYTES(chute_frozenset_of(0, NULL), "(\x91");
    CHECK_BYTES(chute_list(chute_int(42), chute_none(), chute_str("hello")),
                "](J\x2a\0\0\0N\x8c\5helloe");
    CHECK_BYTES(chute_dict(chute_none(), chute_tuple(chute_bool(true))),
                "}(N(\x88tu");
}

TEST(lengths_take_as_many_bytes_as_they_need)
{
    static char text[70000];
    static const size_t lens[] = {255, 256, 65535, 65536, sizeof text};
    void *data;
    size_t data_len;

    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        size_t len = lens[i], prefix = len < 256 ? 2 : 5;
        chute_value *v = chute_str_of(text, len);
        CHECK_OK(chute_dumps(v, &data, &data_len));
        CHECK_EQ(data_len, len + prefix + 3);
        free(data);
        chute_value_free(v);
        check_round_trip(chute_str_of(text, len));
        check_round_trip(chute_bytes(text, len));
        check_round_trip(chute_bytearray(text, len));
        check_round_trip(chute_int_of(text, len));
    }
}

TEST(what_is_there_twice_is_written_once)
{
    chute_value *list = chute_list(chute_int(1));
    chute_value *text = chute_str("name");

    CHECK_BYTES(chute_tuple(list, chute_value_ref(list)),
                "(](J\1\0\0\0e\x94h\0t");
    CHECK_BYTES(chute_tuple(text, chute_none(), chute_value_ref(text),
                            chute_value_ref(text)),
                "(\x8c\4name\x94Nh\0h\0t");
}

TEST(what_others_hold_as_well_is_written_as_if_they_did_not)
{
    chute_value *list = chute_list(chute_int(1));

    CHECK_BYTES(chute_tuple(chute_value_ref(list)), "(](J\1\0\0\0et");
    CHECK_BYTES(chute_value_ref(list), "](J\1\0\0\0e");
    chute_value_free(list);
}

TEST(small_constants_and_short_strs_do_not_fill_the_memo)
{
    chute_value *text = chute_str("abc");

    CHECK_BYTES(chute_tuple(text, chute_value_ref(text), chute_none(),
                            chute_none(), chute_tuple_of(0, NULL),
                            chute_tuple_of(0, NULL)),
                "(\x8c\3abc\x8c\3abcNN(t(tt");
}

TEST(what_has_an_identity_in_python_keeps_it_however_small)
{
    chute_value *bytes = chute_bytearray("", 0), *list = chute_list_of(0, NULL);

    CHECK_BYTES(
        chute_tuple(bytes, chute_value_ref(bytes), list, chute_value_ref(list)),
        "(\x96\0\0\0\0\0\0\0\0\x94h\0](e\x94h\1t");
}

/* n lists, and once more the same n. */
static void check_shared(size_t n)
{
    chute_value *items[2000], *back;
    void *data;
    size_t len;

    for (size_t i = 0; i < n; i++) {
        items[i] = chute_list(chute_int((int64_t)i));
        items[n + i] = chute_value_ref(items[i]);
    }
    chute_value *v = chute_list_of(2 * n, items);
    CHECK_OK(chute_dumps(v, &data, &len));
    CHECK_OK(chute_loads(data, len, &back, NULL));
    CHECK_EQ(chute_value_equal(v, back), 1);
    for (size_t i = 0; i < n; i++)
        CHECK_EQ(chute_value_at(back, i), chute_value_at(back, n + i));
    free(data);
    chute_value_free(back);
    chute_value_free(v);
}

TEST(a_memo_of_more_than_256_entries_has_wider_fetches)
{
    check_shared(256);
    check_shared(257);
    check_shared(1000);
}

TEST(a_graph_of_2_to_the_60_leaves_is_written_as_it_was_read)
{
    chute_value *v = chute_str("leaf"), *back;
    void *data;
    size_t len;

    for (int i = 0; i < 60; i++)
        v = chute_list(v, chute_value_ref(v));
    CHECK_OK(chute_dumps(v, &data, &len));
    CHECK(len < 500);
    CHECK_OK(chute_loads(data, len, &back, NULL));
    CHECK_EQ(chute_value_at(back, 0), chute_value_at(back, 1));
    free(data);
    chute_value_free(back);
    chute_value_free(v);
}

TEST(a_million_levels_are_written)
{
    chute_value *v = chute_none();

    for (int i = 0; i < DEEP; i++)
        v = i % 3 == 0   ? chute_list(v)
            : i % 3 == 1 ? chute_tuple(v)
                         : chute_dict(chute_none(), v);
    check_round_trip(v);
}

TEST(a_pickle_is_written_in_place_in_just_the_promised_length)
{
    chute_value *v = chute_list(chute_str("hello"), chute_float(1.5));
    unsigned char data[64];
    struct pickle p;

    v = chute_list(v, chute_value_ref(v));
    CHECK_OK(pickle_begin(&p, v));
    CHECK(p.len < sizeof data);
    memset(data, 0xaa, sizeof data);
    pickle_write(&p, data);
    CHECK_EQ(data[p.len - 1], '.');
    for (size_t i = p.len; i < sizeof data; i++)
        CHECK_EQ(data[i], 0xaa);
    pickle_end(&p);
    chute_value_free(v);
}

TEST(writing_asks_the_system_for_nothing)
{
    chute_value *v = chute_none();
    struct pickle p;
    void *data = NULL;

    for (int i = 0; i < 1000; i++)
        v = chute_list(v);
    v = chute_list(v, chute_value_ref(v));
    FAULT_LOOP (n) {
        int r = pickle_begin(&p, v);
        if (r < 0) {
            CHECK(fault_fired());
            CHECK_ERR(r, CHUTE_ENOMEM);
            continue;
        }
        CHECK(!fault_fired());
        data = malloc(p.len); /* the test's own */
        CHECK(data != NULL);
        pickle_write(&p, data);
        free(data);
        pickle_end(&p);
    }
    chute_value_free(v);
}

TEST(nothing_and_nowhere_are_refused)
{
    void *data;
    size_t len;

    CHECK_ERR(chute_dumps(NULL, &data, &len), CHUTE_ENOMEM);
    CHECK_ERR(chute_dumps(chute_none(), NULL, &len), CHUTE_EINVAL);
    CHECK_ERR(chute_dumps(chute_none(), &data, NULL), CHUTE_EINVAL);
}

TEST(whatever_allocation_fails_dumps_leaves_nothing_behind)
{
    chute_value *v = chute_none();

    for (int i = 0; i < 100; i++)
        v = chute_list(v);
    v = chute_list(v, chute_value_ref(v));
    FAULT_LOOP (n) {
        void *data;
        size_t len;
        int r = chute_dumps(v, &data, &len);
        if (r < 0) {
            CHECK(fault_fired());
            continue;
        }
        free(data);
    }
    chute_value_free(v);
}
