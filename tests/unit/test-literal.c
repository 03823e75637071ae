/* test-literal.c - values from the text of Python literals.
 *
 * What a literal is, and of which value, is CPython's to say, and
 * tests/conformance/literal.py asks it. Here is one of each kind; what chute
 * reads and CPython does not; and what Python cannot say: where a text is
 * refused, locales, depth, and memory.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "chute.h"
#include "foreign-locale.h"
#include "memory-limit.h"
#include "test.h"

#define DEEP 1000000

/* The value of a text, in memory of just its length; NULL if it is refused. */
static chute_value *eval(const char *text, size_t len, int *ret_r, size_t *pos)
{
    chute_value *v = NULL;
    char *copy = malloc(len ? len : 1);

    CHECK(copy != NULL);
    memcpy(copy, text, len);
    *pos = SIZE_MAX;
    *ret_r = chute_literal_eval(copy, len, &v, pos);
    free(copy);
    CHECK((v != NULL) == (*ret_r == 0));
    CHECK((*pos == SIZE_MAX) == (*ret_r == 0));
    return v;
}

/* Written again, the text of a literal, in a buffer of our own. */
static const char *again(const char *text)
{
    static char copy[1000];
    size_t pos, len;
    char *repr;
    int r;
    chute_value *v = eval(text, strlen(text), &r, &pos);

    CHECK_OK(r);
    CHECK_OK(chute_value_repr(v, &repr, &len));
    CHECK(len < sizeof copy);
    memcpy(copy, repr, len + 1);
    free(repr);
    chute_value_free(v);
    return copy;
}

static void refused(const char *text, int code, size_t where)
{
    size_t pos;
    int r;

    eval(text, strlen(text), &r, &pos);
    CHECK_ERR(r, code);
    CHECK_EQ(pos, where);
}

TEST(what_is_written_is_read_again)
{
    static const char *const texts[] = {
        "None",
        "True",
        "False",
        "0",
        "-42",
        "123456789012345678901234567890",
        "-9223372036854775808",
        "-0.0",
        "1.5e+300",
        "inf",
        "-inf",
        "nan",
        "''",
        "\"it's\"",
        "'\\x00\\\\\\n\\ud800\xf0\x9f\x98\x80'",
        "'\xed\x9f\xbb'", /* the last letter before the surrogates */
        "b''",
        "b'\\x00\\xff'",
        "bytearray(b'a')",
        "[]",
        "[1, [2, []]]",
        "()",
        "(1,)",
        "(1, 2)",
        "{}",
        "{'a': 1, (2, 3): [4]}",
        "set()",
        "{1, 2}",
        "frozenset()",
        "frozenset({1, 2})",
        "{frozenset({frozenset()})}",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK_STR(again(texts[i]), texts[i]);
}

TEST(one_value_has_many_texts)
{
    CHECK_STR(again(" \n# comment\n  ( 1 , # one\n 2 ,)\n\n# end"), "(1, 2)");
    CHECK_STR(again("1,"), "(1,)");
    CHECK_STR(again("((-(1)))"), "-1");
    CHECK_STR(again("[0x_ff, 0O17, 0b1_01, 1_000, 00]"),
              "[255, 15, 5, 1000, 0]");
    CHECK_STR(again("-0x8000000000000000"), "-9223372036854775808");
    CHECK_STR(again("[1., .5, 1e5, 1_0.5E-1_0, 1e999]"),
              "[1.0, 0.5, 100000.0, 1.05e-09, inf]");
    CHECK_STR(again("['a' \"b\" '''c\r\n''' r'\\d', u'\\x41\\101\\u00e9\\z']"),
              "['abc\\n\\\\d', 'AAé\\\\z']");
    CHECK_STR(again("(b'a'\nRB'\\x')"), "b'a\\\\x'");
    CHECK_STR(again("{1: 'a', True: 'b'}"), "{1: 'b'}");
    CHECK_STR(again("{1, True, 1.0}"), "{1}");
    CHECK_STR(again("frozenset({1}, )"), "frozenset({1})");
    CHECK_STR(again("bytearray( b'a' b'b' )"), "bytearray(b'ab')");
    CHECK_STR(again("-nan"), "nan");
}

TEST(what_is_no_literal_is_refused_where_it_begins_to_be_none)
{
    refused("", CHUTE_ESYNTAX, 0);
    refused("  # nothing", CHUTE_ESYNTAX, 11);
    refused("1 2", CHUTE_ESYNTAX, 2);
    refused("1\n2", CHUTE_ESYNTAX, 2);
    refused("[1, 2", CHUTE_ESYNTAX, 5);
    refused("[1, 2)", CHUTE_ESYNTAX, 5);
    refused("[,]", CHUTE_ESYNTAX, 1);
    refused("{1: 2, 3}", CHUTE_ESYNTAX, 8);
    refused("{1, 2: 3}", CHUTE_ESYNTAX, 5);
    refused("[none]", CHUTE_ESYNTAX, 1);
    refused("[1, x]", CHUTE_ESYNTAX, 4);
    refused("1 + 2", CHUTE_ESYNTAX, 2);
    refused("--1", CHUTE_ESYNTAX, 1);
    refused("-'a'", CHUTE_ESYNTAX, 4);
    refused("007", CHUTE_ESYNTAX, 3);
    refused("1__0", CHUTE_ESYNTAX, 1);
    refused("0xg", CHUTE_ESYNTAX, 2);
    refused("['abc", CHUTE_ESYNTAX, 1);
    refused("['''abc'']", CHUTE_ESYNTAX, 1);
    refused("'a\nb'", CHUTE_ESYNTAX, 0);
    refused("'\\x4'", CHUTE_ESYNTAX, 4);
    refused("'\\U00110000'", CHUTE_ESYNTAX, 11);
    refused("'a' b'b'", CHUTE_ESYNTAX, 4);
    refused("f'a'", CHUTE_ESYNTAX, 0);
    refused("b'\xc3\xa9'", CHUTE_ESYNTAX, 2);
    refused("'a\xff'", CHUTE_ESYNTAX, 2);
    refused("'a\xed\xa0\x80'", CHUTE_ESYNTAX, 2);
    refused("{[]: 1}", CHUTE_ESYNTAX, 3);
    refused("{1, (2, [])}", CHUTE_ESYNTAX, 11);
    refused("set([])", CHUTE_ESYNTAX, 4);
    refused("frozenset([])", CHUTE_ESYNTAX, 12);
    refused("bytearray('a')", CHUTE_ESYNTAX, 13);
    refused("chute.exit()", CHUTE_ESYNTAX, 0);
}

TEST(a_nul_ends_nothing)
{
    size_t pos;
    int r;

    eval("1\0", 2, &r, &pos);
    CHECK_ERR(r, CHUTE_ESYNTAX);
    CHECK_EQ(pos, 1);
    eval("'a\0'", 4, &r, &pos);
    CHECK_ERR(r, CHUTE_ESYNTAX);
    CHECK_EQ(pos, 2);
}

TEST(what_plain_data_has_not_is_refused_by_name)
{
    refused("1j", CHUTE_ENOTPLAIN, 1);
    refused("[1, 2.5e3J]", CHUTE_ENOTPLAIN, 9);
    refused("1 - 2j", CHUTE_ENOTPLAIN, 2);
    refused("'\\N{DIGIT ONE}'", CHUTE_ENOTPLAIN, 2);
}

TEST(an_int_has_4300_decimal_digits_at_most_and_any_number_of_others)
{
    static char text[20002];
    size_t pos;
    int r;

    memset(text, '9', 4300);
    chute_value_free(eval(text, 4300, &r, &pos));
    CHECK_OK(r);
    text[4300] = '9';
    CHECK(!eval(text, 4301, &r, &pos));
    CHECK_ERR(r, CHUTE_ELIMIT);

    memset(text, '7', sizeof text);
    memcpy(text, "0o", 2);
    chute_value *v = eval(text, sizeof text, &r, &pos);
    CHECK_OK(r);
    CHECK_ERR(chute_value_int_bytes(v, NULL, 0, &pos), CHUTE_EMSGSIZE);
    CHECK_EQ(pos, 7501); /* 60000 bits, and one for the sign */
    chute_value_free(v);
}

static void read_floats(void)
{
    CHECK_STR(again("[0.1, 1234567.25, 5e-324]"), "[0.1, 1234567.25, 5e-324]");
    CHECK_STR(again("0,5"), "(0, 5)");
}

TEST(the_locale_has_no_say)
{
    if (!run_in_foreign_locale(read_floats))
        SKIP("no source of a locale with another decimal point");
}

TEST(a_million_levels_are_read)
{
    size_t pos;
    int r;
    char *text = malloc((size_t)2 * DEEP);

    CHECK(text != NULL);
    memset(text, '[', DEEP);
    memset(text + DEEP, ']', DEEP);
    chute_value *v = eval(text, (size_t)2 * DEEP, &r, &pos);
    CHECK_OK(r);
    chute_value_free(v);
    memset(text, '(', DEEP);
    eval(text, DEEP, &r, &pos);
    CHECK_ERR(r, CHUTE_ESYNTAX);
    CHECK_EQ(pos, DEEP);
    free(text);
}

TEST_TIMEOUT(memory_is_at_most_64_bytes_for_a_byte_of_text, 120)
{
    enum { LEN = 4 << 20, SLACK = 4 << 20 };
    static const char *const units[] = {
        "[",     "(",      "{",     "[[],",   "{},",          "''",
        "'',",   "b\"\",", ".1,",   "999,",   "1,",           "-1,",
        "{0}, ", "[0],",   "(0,),", "set(),", "frozenset(),", "{0:0},",
        "[-",    "((),),", "0x1f",
    };
    char *text = malloc(LEN);

    if (TEST_ASAN || TEST_TSAN)
        SKIP("the sanitizer's own memory is limited too");
    CHECK(text != NULL);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t len = strlen(units[i]), pos;
        chute_value *v = NULL;
        for (size_t at = 0; at < LEN; at++)
            text[at] = at == 0 ? '[' : units[i][(at - 1) % len];
        if (i == 0)
            limit_memory((size_t)64 * LEN + SLACK);
        int r = chute_literal_eval(text, LEN, &v, &pos);
        CHECK_ERR(r, CHUTE_ESYNTAX); /* it is not closed */
    }
    free(text);
}

TEST(whatever_allocation_fails_nothing_is_left_behind)
{
    static const char text[] =
        "[1, -123456789012345678901, 0x123456789abcdef01, -0.5, 'a' 'b', b'c',"
        "(1, [2]), {'k': {1, 2, 3, 4, 5, 6, 7, 8, 9}}, set(), frozenset({1}),"
        "bytearray(b'a'), frozenset(), bytearray(), [[[[[[[[[[[[[[[[[[[[[[[[["
        "[[[[[[[[[[nan]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]], {1: 2, True: 3}]";

    FAULT_LOOP (n) {
        chute_value *v = NULL;
        int r = chute_literal_eval(text, sizeof text - 1, &v, NULL);
        CHECK_EQ(r, fault_fired() ? CHUTE_ENOMEM : 0);
        CHECK((v != NULL) == (r == 0));
        chute_value_free(v);
    }
}

TEST(whatever_allocation_fails_in_a_long_text_nothing_is_left_behind)
{
    enum { N = 3000 };
    static const char *const begins[] = {"0x1", "1.",   "'",
                                         "r'",  "'\\1", "r'\\"};
    char text[2 * N + 16];

    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        size_t len = strlen(begins[i]);
        memcpy(text, begins[i], len);
        memset(text + len, '1', N);
        len += N;
        text[len++] = strchr(begins[i], '\'') ? '\'' : ' ';
        FAULT_LOOP (n) {
            chute_value *v = NULL;
            int r = chute_literal_eval(text, len, &v, NULL);
            CHECK_EQ(r, fault_fired() ? CHUTE_ENOMEM : 0);
            chute_value_free(v);
        }
    }
}

TEST(wrong_arguments_are_refused)
{
    chute_value *v;

    CHECK_ERR(chute_literal_eval("1", 1, NULL, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_literal_eval(NULL, 1, &v, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_literal_eval(NULL, 0, &v, NULL), CHUTE_ESYNTAX);
}
