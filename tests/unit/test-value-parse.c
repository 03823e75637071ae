/* test-value-parse.c - values taken apart and put together by formats. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "chute.h"
#include "test.h"

static char place[CHUTE_PLACE_LEN];

/* It has another shape, and the place says so. Consumes v. */
#define WRONG(v, where, ...)                                                   \
    do {                                                                       \
        chute_value *wrong_ = (v);                                             \
        CHECK_ERR(chute_value_parse(wrong_, place, __VA_ARGS__),               \
                  CHUTE_ESHAPE);                                               \
        CHECK_STR(place, where);                                               \
        CHECK_ERR(chute_value_parse(wrong_, NULL, __VA_ARGS__), CHUTE_ESHAPE); \
        chute_value_free(wrong_);                                              \
    } while (0)

/* What is built looks so. */
#define BUILDS(text, ...)                                                      \
    do {                                                                       \
        chute_value *built_ = chute_value_build(__VA_ARGS__);                  \
        char *repr_;                                                           \
        CHECK(built_ != NULL);                                                 \
        CHECK_OK(chute_value_repr(built_, &repr_, NULL));                      \
        CHECK_STR(repr_, text);                                                \
        free(repr_);                                                           \
        chute_value_free(built_);                                              \
    } while (0)

/* -- building -------------------------------------------------------------- */

TEST(a_format_builds_each_type)
{
    BUILDS("None", "n");
    BUILDS("True", "b", true);
    BUILDS("-42", "i", -42);
    BUILDS("-9223372036854775808", "l", INT64_MIN);
    BUILDS("18446744073709551615", "u", UINT64_MAX);
    BUILDS("7", "u", UINT64_C(7));
    BUILDS("1.5", "d", 1.5);
    BUILDS("'hello'", "s", "hello");
    BUILDS("'he'", "s#", "hello", (size_t)2);
    BUILDS("b'a\\x00'", "y#", "a", (size_t)2);
    BUILDS("b''", "y#", NULL, (size_t)0);
    BUILDS("[1]", "v", chute_list(chute_int(1)));
}

TEST(a_format_builds_boxes_in_boxes)
{
    BUILDS("[]", "[]");
    BUILDS("()", " ( ) ");
    BUILDS("{}", "{}");
    BUILDS("[42, None, 'hello']", "[i n s]", 42, "hello");
    BUILDS("[42, None, 'hello']", "[i,n,s]", 42, "hello");
    BUILDS("{'size': (3, 4), 'a b': [{}]}", "{'size': (i, i), \"a b\": [{}]}",
           3, 4);
    BUILDS("{'k': 2}", "{'k': i, 'k': i}", 1, 2);
    BUILDS("((((((((((((((((1,),),),),),),),),),),),),),),),)",
           "((((((((((((((((i))))))))))))))))", 1);
}

TEST(a_format_that_makes_no_sense_builds_nothing)
{
    static const char *const bad[] = {
        "",
        "x",
        "[",
        "]",
        "[)",
        "nn",
        "y",
        "{n}",
        "{'k'}",
        "{'k: n}",
        "{'k' n",
        "n]",
        "?n",
        "[n *]",
        "{?'k': n}",
        "[n",
        "(n",
        "#",
        "(((((((((((((((((n)))))))))))))))))",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(chute_value_build(bad[i], "", 0, 0) == NULL);
    CHECK(chute_value_build(NULL) == NULL);
}

TEST(what_cannot_be_built_frees_what_it_was_given)
{
    /* The harness counts what is left. */
    CHECK(chute_value_build("[v s v]", chute_float(1.5), "\xff",
                            chute_float(2.5)) == NULL);
    CHECK(chute_value_build("[v {'k': v} v]", chute_float(1.5), NULL,
                            chute_float(2.5)) == NULL);
    CHECK(chute_value_build("[v s]", chute_float(1.5), NULL) == NULL);
    CHECK(chute_value_build("[v]]", chute_float(1.5)) == NULL);
}

TEST(whatever_allocation_fails_building_frees_all_of_it)
{
    FAULT_LOOP (n) {
        chute_value *v = chute_value_build(
            "[l {'a': s, 'b': (d v)} [n n n n n n n n n n n n n n n n n n n n n"
            " n n n n n n n n n n n n n n n n v]]",
            INT64_C(1000), "text", 1.5, chute_float(2.5), chute_float(3.5));
        CHECK(v || fault_fired());
        chute_value_free(v);
    }
}

/* -- parsing --------------------------------------------------------------- */

TEST(a_format_takes_each_type_apart)
{
    bool b = false;
    int i = 0;
    int64_t l = 0;
    uint64_t u = 0, u2 = 0;
    double d = 0, d2 = 0;
    const char *s = NULL, *s2 = NULL;
    const void *y = NULL, *y2 = NULL;
    size_t s_len = 0, y_len = 0, y2_len = 0;
    chute_value *any = NULL;
    chute_value *v = chute_list(
        chute_none(), chute_bool(true), chute_int(INT_MIN),
        chute_int(INT64_MIN), chute_int_text("18446744073709551615", 10),
        chute_int(1000), chute_float(1.5), chute_int(3), chute_str("text"),
        chute_str_of("a\0b", 3), chute_bytes("by", 2), chute_bytearray("", 0),
        chute_list_of(0, NULL));

    CHECK_OK(chute_value_parse(v, place, "[n b i l u u d d s s# y# y# v]", &b,
                               &i, &l, &u, &u2, &d, &d2, &s, &s2, &s_len, &y,
                               &y_len, &y2, &y2_len, &any));
    CHECK(b && i == INT_MIN && l == INT64_MIN && u == UINT64_MAX);
    CHECK_EQ(u2, 1000);
    CHECK(d == 1.5 && d2 == 3);
    CHECK_STR(s, "text");
    CHECK_EQ(s_len, 3);
    CHECK_EQ(memcmp(s2, "a\0b", 4), 0);
    CHECK_EQ(y_len, 2);
    CHECK_EQ(memcmp(y, "by", 2), 0);
    CHECK_EQ(y2_len, 0);
    CHECK_EQ(any, chute_value_at(v, 12));
    chute_value_free(v);
}

TEST(what_was_built_is_taken_apart_by_the_same_format)
{
    static const char format[] = "{'size': (l l), 'tags': [s s], 'ok': b}";
    int64_t w, h;
    const char *first, *second;
    bool ok;
    chute_value *v =
        chute_value_build(format, INT64_C(3), INT64_C(4), "new", "red", true);

    CHECK_OK(chute_value_parse(v, NULL, format, &w, &h, &first, &second, &ok));
    CHECK(w == 3 && h == 4 && ok);
    CHECK_STR(first, "new");
    CHECK_STR(second, "red");
    chute_value_free(v);
}

TEST(the_place_says_where_and_what)
{
    static const unsigned char beyond[140] = {[138] = 1}; /* all floats */
    int i, j;
    int64_t l;
    uint64_t u;
    double d;
    const char *s;
    const void *y;
    size_t len;
    bool b;

    WRONG(chute_int(1), "str expected, not int", "s", &s);
    WRONG(chute_none(), "bool expected, not NoneType", "b", &b);
    WRONG(chute_int(1), "None expected, not int", "n");
    WRONG(chute_str("x"), "int expected, not str", "i", &i);
    WRONG(chute_str("x"), "int expected, not str", "u", &u);
    WRONG(chute_str("x"), "float expected, not str", "d", &d);
    WRONG(chute_str("x"), "bytes expected, not str", "y#", &y, &len);
    WRONG(chute_tuple(chute_int(1)), "list expected, not tuple", "[i]", &i);
    WRONG(chute_list(chute_int(1)), "tuple expected, not list", "(i)", &i);
    WRONG(chute_int(1), "dict expected, not int", "{}");
    WRONG(chute_list(chute_int(1), chute_int(2), chute_int(3)),
          "[2]: str expected, not int", "[i i s]", &i, &j, &s);
    WRONG(chute_list(chute_int(1)), "[1]: missing", "[i i]", &i, &j);
    WRONG(chute_list(chute_int(1)), "[0]: not expected", "[]");
    WRONG(chute_dict(chute_str("a"), chute_int(1)), "['size']: missing",
          "{'a': i, 'size': i}", &i, &j);
    WRONG(chute_dict(chute_str("a"), chute_list(chute_none())),
          "['a'][0]: int expected, not NoneType", "{'a': [i]}", &i);
    WRONG(chute_int(INT64_MAX), "int out of range", "i", &i);
    WRONG(chute_int(INT64_MIN), "int out of range", "i", &i);
    WRONG(chute_int_text("9223372036854775808", 10), "int out of range", "l",
          &l);
    WRONG(chute_int(-1), "int out of range", "u", &u);
    WRONG(chute_int_text("18446744073709551616", 10), "int out of range", "u",
          &u);
    WRONG(chute_int_text("123456789abcdef0123", 16), "int out of range", "u",
          &u);
    WRONG(chute_int_of(beyond, sizeof beyond), "int out of range", "d", &d);
    WRONG(chute_str_of("a\0b", 3), "str with a NUL", "s", &s);
    WRONG(chute_dict(chute_str("abcdefghijklmnop"), chute_int(1)),
          "['abcdefghij...']: str expected, not int", "{'abcdefghijklmnop': s}",
          &s);
    WRONG(chute_value_build("[[[[[[i]]]]]]", 1),
          "...[0][0][0][0]: str expected, not int", "[[[[[[s]]]]]]", &s);
}

TEST(all_is_written_or_nothing)
{
    int i = 5;
    const char *s = "before";
    chute_value *v = chute_list(chute_int(1), chute_int(2));

    CHECK_ERR(chute_value_parse(v, NULL, "[i s]", &i, &s), CHUTE_ESHAPE);
    CHECK_EQ(i, 5);
    CHECK_STR(s, "before");
    chute_value_free(v);
}

TEST(what_may_be_missing_leaves_its_variables_alone)
{
    int i = 5, j = 6, k = 7;
    const char *s = "before";
    size_t len = 9;
    chute_value *v = chute_value_build("{'a': n, 'b': i, 'x': n}", 1);

    CHECK_OK(chute_value_parse(v, place,
                               "{'a': ?i, ?'b': i, ?'c': [s# {'d': ?(n)}], "
                               "?'x': ?[i]}",
                               &i, &j, &s, &len, &k));
    CHECK(i == 5 && j == 1 && k == 7 && len == 9);
    CHECK_STR(s, "before");
    chute_value *any = chute_none();
    CHECK_OK(chute_value_parse(v, place, "{?'c': v}", &any));
    CHECK_EQ(any, chute_none());
    WRONG(v, "['b']: str expected, not int", "{?'b': ?s}", &s);
}

TEST(a_star_lets_more_follow)
{
    int i = 0;
    chute_value *v = chute_list(chute_int(1), chute_int(2), chute_int(3));

    CHECK_OK(chute_value_parse(v, place, "[i *]", &i));
    CHECK_EQ(i, 1);
    CHECK_OK(chute_value_parse(v, place, "[*]"));
    CHECK_OK(chute_value_parse(v, place, "[v v v*]", &(chute_value *){NULL},
                               &(chute_value *){NULL}, &(chute_value *){NULL}));
    chute_value_free(v);
}

TEST(a_format_that_makes_no_sense_is_einval_whatever_the_value)
{
    static const char *const bad[] = {
        "",        "x",
        "[",       "]",
        "[)",      "nn",
        "y",       "[nn",
        "{n}",     "{'k'}",
        "{'k: n}", "{'k' n",
        "n]",      "?",
        "??n",     "[* n]",
        "{?n}",    "[n]#",
        "(n",      "[**]",
        "b#",      "(((((((((((((((((n)))))))))))))))))",
    };
    chute_value *values[] = {
        chute_none(),
        chute_int(1),
        chute_list(chute_none()),
        chute_dict(chute_str("k"), chute_none()),
        chute_tuple(chute_tuple(chute_none())),
    };
    void *room[4];

    for (size_t j = 0; j < sizeof values / sizeof *values; j++) {
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
            CHECK_ERR(
                chute_value_parse(values[j], place, bad[i], room, room + 1),
                CHUTE_EINVAL);
        CHECK_ERR(chute_value_parse(values[j], place, NULL), CHUTE_EINVAL);
        chute_value_free(values[j]);
    }
    CHECK_ERR(chute_value_parse(NULL, place, "n"), CHUTE_EINVAL);

    /* Too deep, though only the value could tell: there is no place to name. */
    chute_value *v = chute_none();
    for (int depth = 0; depth < 17; depth++)
        v = chute_tuple(v);
    CHECK_ERR(chute_value_parse(v, place, "((((((((((((((((()))))))))))))))))"),
              CHUTE_EINVAL);
    chute_value_free(v);
}
