/* test-print.c - values as Python's repr() writes them.
 *
 * What repr() writes is CPython's to say, and tests/conformance/pickle.py asks
 * it for a hundred thousand values. Here is one of each kind, and what Python
 * cannot say: locales, limits, depth, and files that fail.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "chute.h"
#include "foreign-locale.h"
#include "test.h"

#define DEEP 1000000

/* Print v, which is consumed: its text, in a buffer of our own. */
static const char *printed(chute_value *v)
{
    static char *text;
    size_t len;

    free(text);
    FILE *to = open_memstream(&text, &len);
    CHECK(to != NULL);
    CHECK_OK(chute_value_print(v, to));
    CHECK_EQ(fclose(to), 0);
    /* Both ways out give the same. */
    char *repr;
    size_t repr_len;
    CHECK_OK(chute_value_repr(v, &repr, &repr_len));
    CHECK_EQ(repr_len, len);
    CHECK_STR(repr, text);
    free(repr);
    chute_value_free(v);

    static char copy[20000];
    CHECK(len < sizeof copy);
    memcpy(copy, text, len + 1);
    free(text);
    text = NULL;
    return copy;
}

/* Print v, which is borrowed, to nowhere. */
static int print_result(const chute_value *v)
{
    FILE *to = fopen("/dev/null", "w");

    CHECK(to != NULL);
    int r = chute_value_print(v, to);
    CHECK_EQ(fclose(to), 0);
    return r;
}

TEST(scalars_look_as_in_python)
{
    CHECK_STR(printed(chute_none()), "None");
    CHECK_STR(printed(chute_bool(true)), "True");
    CHECK_STR(printed(chute_bool(false)), "False");
    CHECK_STR(printed(chute_int(0)), "0");
    CHECK_STR(printed(chute_int(-42)), "-42");
    CHECK_STR(printed(chute_int(INT64_MIN)), "-9223372036854775808");
    CHECK_STR(printed(chute_int(INT64_MAX)), "9223372036854775807");
}

TEST(a_float_has_the_fewest_digits_that_read_back_as_it)
{
    CHECK_STR(printed(chute_float(0.0)), "0.0");
    CHECK_STR(printed(chute_float(-0.0)), "-0.0");
    CHECK_STR(printed(chute_float(1.0)), "1.0");
    CHECK_STR(printed(chute_float(0.1)), "0.1");
    CHECK_STR(printed(chute_float(1234567.25)), "1234567.25");
    CHECK_STR(printed(chute_float(0.1 + 0.2)), "0.30000000000000004");
    CHECK_STR(printed(chute_float(1e15)), "1000000000000000.0");
    CHECK_STR(printed(chute_float(1e16)), "1e+16");
    CHECK_STR(printed(chute_float(1.5e300)), "1.5e+300");
    CHECK_STR(printed(chute_float(0.0001)), "0.0001");
    CHECK_STR(printed(chute_float(0.00001)), "1e-05");
    CHECK_STR(printed(chute_float(5e-324)), "5e-324");
    CHECK_STR(printed(chute_float(0x1p-1022)), "2.2250738585072014e-308");
    CHECK_STR(printed(chute_float(0x1.fffffffffffffp1023)),
              "1.7976931348623157e+308");
    CHECK_STR(printed(chute_float(0x1p-44)), "5.684341886080802e-14");
    CHECK_STR(printed(chute_float(INFINITY)), "inf");
    CHECK_STR(printed(chute_float(-INFINITY)), "-inf");
    CHECK_STR(printed(chute_float(NAN)), "nan");
    CHECK_STR(printed(chute_float(-NAN)), "nan");
}

TEST(a_str_is_quoted_and_escaped)
{
    CHECK_STR(printed(chute_str("")), "''");
    CHECK_STR(printed(chute_str("hello")), "'hello'");
    CHECK_STR(printed(chute_str("it's")), "\"it's\"");
    CHECK_STR(printed(chute_str("\"")), "'\"'");
    CHECK_STR(printed(chute_str("'\"")), "'\\'\"'");
    CHECK_STR(printed(chute_str("\\\n\r\t\1\x7f")),
              "'\\\\\\n\\r\\t\\x01\\x7f'");
    CHECK_STR(printed(chute_str_of("a\0b", 3)), "'a\\x00b'");
    CHECK_STR(printed(chute_str("é\xc2\xa0")), "'é\\xa0'");
    CHECK_STR(printed(chute_str("中\xe2\x80\x8b")), "'中\\u200b'");
    CHECK_STR(printed(chute_str("\xed\xa0\x80")), "'\\ud800'");
    CHECK_STR(printed(chute_str("\xf0\x9f\x98\x80")), "'\xf0\x9f\x98\x80'");
    CHECK_STR(printed(chute_str("\xf3\xa0\x80\x81")), "'\\U000e0001'");
    CHECK_STR(printed(chute_str("\xf4\x8f\xbf\xbf")), "'\\U0010ffff'");
}

TEST(bytes_and_bytearray_differ_in_how_they_escape_a_quote)
{
    CHECK_STR(printed(chute_bytes("", 0)), "b''");
    CHECK_STR(printed(chute_bytes("a\0\xff\n'", 5)), "b\"a\\x00\\xff\\n'\"");
    CHECK_STR(printed(chute_bytes("'\"", 2)), "b'\\'\"'");
    CHECK_STR(printed(chute_bytearray("x", 1)), "bytearray(b'x')");
    CHECK_STR(printed(chute_bytearray("it's", 4)), "bytearray(b\"it\\'s\")");
}

TEST(boxes_look_as_in_python)
{
    CHECK_STR(
        printed(chute_list(chute_int(42), chute_none(), chute_str("hello"))),
        "[42, None, 'hello']");
    CHECK_STR(printed(chute_list_of(0, NULL)), "[]");
    CHECK_STR(printed(chute_tuple_of(0, NULL)), "()");
    CHECK_STR(printed(chute_tuple(chute_int(1))), "(1,)");
    CHECK_STR(printed(chute_tuple(chute_int(1), chute_int(2))), "(1, 2)");
    CHECK_STR(printed(chute_dict_of(0, NULL)), "{}");
    CHECK_STR(printed(chute_dict(chute_str("a"), chute_int(1), chute_int(2),
                                 chute_list_of(0, NULL))),
              "{'a': 1, 2: []}");
    CHECK_STR(printed(chute_set_of(0, NULL)), "set()");
    CHECK_STR(printed(chute_set(chute_int(1), chute_int(2))), "{1, 2}");
    CHECK_STR(printed(chute_frozenset_of(0, NULL)), "frozenset()");
    CHECK_STR(printed(chute_frozenset(chute_int(1))), "frozenset({1})");
}

TEST(an_int_is_printed_up_to_4300_digits_as_in_python)
{
    unsigned char le[2000] = {0};
    size_t bytes = 1785; /* 2^14280 - 1 has 4299 digits */

    memset(le, 0xff, bytes);
    chute_value *v = chute_int_of(le, bytes + 1);
    CHECK_EQ(strlen(printed(v)), 4299);
    memset(le, 0xff, bytes + 1); /* 2^14288 - 1 has 4302 */
    v = chute_int_of(le, bytes + 2);
    CHECK_ERR(print_result(v), CHUTE_ELIMIT);
    chute_value_free(v);
    memset(le, 0xff, sizeof le - 1);
    v = chute_int_of(le, sizeof le);
    CHECK_ERR(print_result(v), CHUTE_ELIMIT);
    chute_value_free(v);

    /* The digits are made of 1788 bytes at most; one more may be a sign. */
    memset(le, 0, sizeof le);
    for (bytes = 1787; bytes <= 1790; bytes++) {
        le[bytes - 1] = 1;
        v = chute_int_of(le, bytes);
        CHECK_ERR(print_result(v), CHUTE_ELIMIT);
        chute_value_free(v);
        le[bytes - 1] = 0x80;
        v = chute_int_of(le, bytes + 1);
        CHECK_ERR(print_result(v), CHUTE_ELIMIT);
        chute_value_free(v);
        le[bytes - 1] = 0;
    }
}

static void print_floats(void)
{
    CHECK_STR(printed(chute_float(0.1)), "0.1");
    CHECK_STR(printed(chute_float(1234567.25)), "1234567.25");
    CHECK_STR(printed(chute_float(5e-324)), "5e-324");
}

TEST(the_locale_has_no_say)
{
    if (!run_in_foreign_locale(print_floats))
        SKIP("no source of a locale with another decimal point");
}

TEST(a_million_levels_are_printed)
{
    chute_value *v = chute_list_of(0, NULL);

    for (int i = 1; i < DEEP; i++)
        v = i % 2 ? chute_tuple(v) : chute_list(v);
    CHECK_OK(print_result(v));
    chute_value_free(v);
}

TEST(a_small_value_with_2_to_the_60_leaves_ends_at_a_limit)
{
    chute_value *v = chute_none();

    for (int i = 0; i < 60; i++)
        v = chute_list(v, chute_value_ref(v));
    CHECK_ERR(print_result(v), CHUTE_ELIMIT);
    chute_value_free(v);
}

TEST(a_long_str_repeated_for_ever_ends_at_a_limit)
{
    enum { LEN = 1 << 20, N = 10000 };
    static char text[LEN];
    static chute_value *items[N];

    memset(text, 'x', LEN);
    chute_value *v = chute_str_of(text, LEN);
    for (int i = 0; i < N; i++)
        items[i] = chute_value_ref(v);
    chute_value_free(v);
    v = chute_list_of(N, items);
    CHECK_ERR(print_result(v), CHUTE_ELIMIT);
    chute_value_free(v);
}

TEST(a_long_int_may_be_repeated)
{
    static const unsigned char le[1001] = {[999] = 0x80}; /* 2^7999 */
    chute_value *v = chute_int_of(le, sizeof le);

    CHECK_EQ(strlen(printed(chute_list(v, chute_value_ref(v)))), 2 * 2408 + 4);
}

TEST(a_full_file_is_reported)
{
    FILE *to = fopen("/dev/full", "w");
    chute_value *v = chute_str("x");

    CHECK(to != NULL);
    setvbuf(to, NULL, _IONBF, 0);
    CHECK_ERR(chute_value_print(v, to), -ENOSPC);
    CHECK_ERR(chute_value_print(NULL, to), CHUTE_EINVAL);
    CHECK_ERR(chute_value_print(v, NULL), CHUTE_EINVAL);
    fclose(to);
    chute_value_free(v);
}

/* It takes nothing, and says nothing about why. */
static ssize_t take_nothing(void *cookie, const char *buf, size_t len)
{
    (void)cookie;
    (void)buf;
    (void)len;
    errno = 0;
    return 0;
}

TEST(a_stream_that_gives_no_reason_is_eio)
{
    FILE *to =
        fopencookie(NULL, "w", (cookie_io_functions_t){.write = take_nothing});

    CHECK(to != NULL);
    setvbuf(to, NULL, _IONBF, 0);
    CHECK_ERR(chute_value_print(chute_none(), to), -EIO);
    fclose(to);
}

TEST(text_longer_than_any_buffer_is_whole)
{
    char text[10001];

    memset(text, 'x', 10000);
    text[10000] = 0;
    const char *out = printed(chute_str(text));
    CHECK_EQ(strlen(out), 10002);
    CHECK_EQ(strspn(out + 1, "x"), 10000);
}

TEST(whatever_allocation_fails_printing_says_so)
{
    chute_value *v = chute_none();
    FILE *to = fopen("/dev/null", "w");

    CHECK(to != NULL);
    for (int i = 0; i < 100; i++)
        v = chute_list(v);
    v = chute_list(v, chute_value_ref(v));
    FAULT_LOOP (n) {
        int r = chute_value_print(v, to);
        if (fault_fired())
            CHECK_ERR(r, CHUTE_ENOMEM);
        else
            CHECK_OK(r);
    }
    fclose(to);
    chute_value_free(v);
}

TEST(a_repr_is_whole_or_not_at_all)
{
    char bytes[1000] = {0}, *text = NULL;
    size_t len;
    chute_value *v = chute_list(chute_bytes(bytes, sizeof bytes),
                                chute_bytes(bytes, sizeof bytes));

    CHECK_OK(chute_value_repr(v, &text, &len));
    CHECK_EQ(len, 2 * (4000 + 3) + 4);
    CHECK_EQ(strlen(text), len);
    free(text);

    FAULT_LOOP (n) {
        text = NULL;
        int r = chute_value_repr(v, &text, NULL);
        if (fault_fired())
            CHECK_ERR(r, CHUTE_ENOMEM);
        CHECK((text == NULL) == (r < 0));
        free(text);
    }
    CHECK_ERR(chute_value_repr(NULL, &text, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_value_repr(v, NULL, NULL), CHUTE_EINVAL);
    chute_value_free(v);
}
