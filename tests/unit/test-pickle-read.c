/* test-pickle-read.c - pickles become values, or are refused in the right way.
 *
 * What Python's own pickles mean is asked of Python, in
 * tests/conformance/pickle.py. Here are the pickles that Python does not write.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "chute.h"
#include "codec/pickle.h"
#include "memory-limit.h"
#include "test.h"

#define DEEP 1000000

/* A string literal with its length, NULs and all. */
#define LIT(s) (s), sizeof(s) - 1

#define HEAD "\x80\x04"

/* It decodes, and prints as `expected`. */
static void gives(const char *data, size_t len, const char *expected)
{
    chute_value *v;
    char *text = NULL;
    size_t text_len;
    FILE *to = open_memstream(&text, &text_len);

    CHECK(to != NULL);
    CHECK_OK(chute_loads(data, len, &v, NULL));
    CHECK_OK(chute_value_print(v, to));
    CHECK_EQ(fclose(to), 0);
    CHECK_STR(text, expected);
    free(text);
    chute_value_free(v);
}

/* It is refused, with this code, at this place. */
static void refused(const char *data, size_t len, int code, size_t pos)
{
    chute_value *v = (chute_value *)&v;
    size_t at = SIZE_MAX;
    /* In memory of its own, so that a sanitizer sees a read past the end. */
    char *copy = malloc(len ? len : 1);

    CHECK(copy != NULL);
    memcpy(copy, data, len);
    CHECK_ERR(chute_loads(copy, len, &v, &at), code);
    CHECK_EQ(v, (chute_value *)&v);
    CHECK_EQ(at, pos);
    CHECK_ERR(chute_loads(copy, len, &v, NULL), code);
    free(copy);
}

/* `unit` n times over, between what begins and what ends it. */
static char *repeated(const char *begin, size_t begin_len, const char *unit,
                      size_t unit_len, size_t n, const char *end,
                      size_t end_len, size_t *ret_len)
{
    char *data = malloc(begin_len + n * unit_len + end_len);

    CHECK(data != NULL);
    memcpy(data, begin, begin_len);
    for (size_t i = 0; i < n; i++)
        memcpy(data + begin_len + i * unit_len, unit, unit_len);
    memcpy(data + begin_len + n * unit_len, end, end_len);
    *ret_len = begin_len + n * unit_len + end_len;
    return data;
}

/* -- form ------------------------------------------------------------------ */

TEST(a_pickle_is_one_object_and_then_the_end)
{
    gives(LIT(HEAD "N."), "None");
    gives(LIT("N."), "None");
    gives(LIT("\x80\x02N."), "None");
    gives(LIT("\x80\x05N."), "None");
    refused(LIT(""), CHUTE_EPICKLE, 0);
    refused(LIT("\x80"), CHUTE_EPICKLE, 0);
    refused(LIT("\x80\x06N."), CHUTE_EPICKLE, 0);
    refused(LIT(HEAD), CHUTE_EPICKLE, 2);
    refused(LIT(HEAD "N"), CHUTE_EPICKLE, 3);
    refused(LIT(HEAD "."), CHUTE_EPICKLE, 2);
    refused(LIT(HEAD "NN."), CHUTE_EPICKLE, 4);
    refused(LIT(HEAD "(N."), CHUTE_EPICKLE, 4);
    refused(LIT(HEAD "N.N"), CHUTE_EPICKLE, 4);
    refused(LIT(HEAD "N.\n"), CHUTE_EPICKLE, 4);
}

TEST(every_opcode_that_is_cut_off_is_refused_where_it_begins)
{
    static const char whole[] =
        HEAD "\x95\x00\x00\x00\x00\x00\x00\x00\x00"
             "(K\1M\1\1J\1\1\1\1\x8a\2\1\1\x8b\2\0\0\0\1\1G\1\1\1\1\1\1\1\1"
             "\x8c\2hiX\2\0\0\0hi\x8d\2\0\0\0\0\0\0\0hi"
             "C\2hi"
             "B\2\0\0\0hi\x8e\2\0\0\0\0\0\0\0hi"
             "\x96\2\0\0\0\0\0\0\0hiq\1r\2\0\0\0h\1j\2\0\0\0"
             "cbuiltins\nset\n]\x85Rt.";
    chute_value *v;

    CHECK_OK(chute_loads(whole, sizeof whole - 1, &v, NULL));
    chute_value_free(v);
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        char *cut = malloc(len ? len : 1);
        size_t pos;
        CHECK(cut != NULL);
        memcpy(cut, whole, len);
        CHECK_ERR(chute_loads(cut, len, &v, &pos), CHUTE_EPICKLE);
        CHECK(pos <= len);
        free(cut);
    }
}

TEST(a_frame_is_a_hint_but_not_longer_than_the_rest)
{
    gives(LIT(HEAD "\x95\1\0\0\0\0\0\0\0K\1."), "1");
    refused(LIT(HEAD "\x95\4\0\0\0\0\0\0\0K\1."), CHUTE_EPICKLE, 2);
    refused(LIT(HEAD "\x95\xff\xff\xff\xff\xff\xff\xff\xffK\1."), CHUTE_EPICKLE,
            2);
}

TEST(a_length_beyond_the_end_is_refused_before_memory_is_asked_for)
{
    refused(LIT(HEAD "X\xff\xff\xff\xff."), CHUTE_EPICKLE, 2);
    refused(LIT(HEAD "\x8d\xff\xff\xff\xff\xff\xff\xff\xff."), CHUTE_EPICKLE,
            2);
    refused(LIT(HEAD "\x8e\xff\xff\xff\xff\xff\xff\xff\x7f."), CHUTE_EPICKLE,
            2);
    refused(LIT("\x80\x05\x96\0\0\0\0\1\0\0\0."), CHUTE_EPICKLE, 2);
    refused(LIT(HEAD "\x8b\xff\xff\xff\xff."), CHUTE_EPICKLE, 2);
    refused(LIT(HEAD "\x8b\xff\xff\xff\x7f."), CHUTE_EPICKLE, 2);
}

TEST(what_is_garbage_and_what_needs_python_are_told_apart)
{
    refused(LIT(HEAD "\xff."), CHUTE_EPICKLE, 2);
    refused(LIT("{\"json\": 1}"), CHUTE_EPICKLE, 0);
    refused(LIT("I1\n."), CHUTE_EPICKLE, 0);
    refused(LIT("S'a'\n."), CHUTE_EPICKLE, 0);
    refused(LIT("\x80\2U\1a."), CHUTE_EPICKLE, 2);
    refused(LIT(HEAD "N2."), CHUTE_EPICKLE, 3);
    refused(LIT("\x80\2cos\nsystem\n."), CHUTE_ENOTPLAIN, 2);
    refused(LIT("\x80\2cos\nsystem"), CHUTE_EPICKLE, 2);
    refused(LIT(HEAD "\x8c\2os\x8c\6system\x93."), CHUTE_ENOTPLAIN, 14);
    refused(LIT(HEAD "NN\x93."), CHUTE_EPICKLE, 4);
    refused(LIT(HEAD "N)\x81."), CHUTE_ENOTPLAIN, 4);
    refused(LIT(HEAD "Nb."), CHUTE_ENOTPLAIN, 3);
    refused(LIT(HEAD "P1\n."), CHUTE_ENOTPLAIN, 2);
    refused(LIT(HEAD "\x82\1."), CHUTE_ENOTPLAIN, 2);
    refused(LIT("\x80\5\x97."), CHUTE_ENOTPLAIN, 2);
    refused(LIT(HEAD "N)R."), CHUTE_EPICKLE, 4);
}

/* It needs a class, and the report has its name. */
static void needs(const char *data, size_t len, const char *name, size_t pos)
{
    struct chute_loads_report report = {.size = sizeof report, .pos = SIZE_MAX};
    chute_value *v;

    CHECK_ERR(chute_loads_with(data, len, NULL, &v, &report), CHUTE_ENOTPLAIN);
    CHECK_STR(report.name, name);
    CHECK_EQ(report.pos, pos);
    refused(data, len, CHUTE_ENOTPLAIN, pos);
}

TEST(a_report_names_the_class_that_is_needed)
{
    needs(LIT("\x80\2cos\nsystem\n."), "os.system", 2);
    needs(LIT(HEAD "\x8c\x8"
                   "datetime\x94\x8c\x8"
                   "datetime\x94\x93\x94\103\0\x85R."),
          "datetime.datetime", 24);
    needs(LIT(HEAD "\x8c\0\x8c\1a\x93."), ".a", 7);
    needs(LIT(HEAD "\x8c\1a\x8c\0\x93."), "a", 7);
    needs(LIT(HEAD "N)\x81."), "", 4);
    needs(LIT(HEAD "\x82\1."), "", 2);
    needs(LIT("\x80\2c__builtin__\nset\n."), "builtins.set", 19);
    needs(LIT("\x80\2]c_codecs\nencode\na."), "_codecs.encode", 19);
    needs(LIT("\x80\2c__builtin__\nset\nN\x85R."), "builtins.set", 21);
}

#define MAKER HEAD "\x8c\1m\x94\x8c\x5_make\x94\x93\x94"

TEST(a_report_prefers_the_class_to_the_function_that_makes_it)
{
    needs(LIT(MAKER "h\0\x8c\1C\x94\x93\x94K\1\x86\x94R."), "m.C", 14);
    needs(LIT(MAKER "(cx\ny\nK\1tR."), "x.y", 14);
    needs(LIT(MAKER "K\1h\0\x8c\1C\x93\x86R."), "m._make", 14);
    needs(LIT(MAKER "K\1\x85R."), "m._make", 14);
    needs(LIT(MAKER "."), "m._make", 14);
    needs(LIT(MAKER), "m._make", 14);
    needs(LIT(MAKER "\x85."), "m._make", 14);
    needs(LIT(MAKER "]Ra."), "m._make", 14);
    needs(LIT(MAKER "cx\n_y\ncx\nz\n."), "x._y", 14);
    needs(LIT(MAKER "cbuiltins\nset\n]\x85R."), "m._make", 14);
}

TEST(a_name_in_a_report_is_fit_to_be_printed)
{
    struct chute_loads_report report = {.size = sizeof report};
    char pickle[700];
    chute_value *v;

    needs(LIT("\x80\2ca\x1b[2J\n\x7f\xc2\x9b\xc3\xa4\n."), "a?[2J.???\xc3\xa4",
          2);
    needs(LIT("\x80\2ca\xff\nb\n."), "a?.b", 2);
    needs(LIT("\x80\2ca\xc2\xa7\nb\n."), "a\xc2\xa7.b", 2);

    int len =
        snprintf(pickle, sizeof pickle, "c%0234d\na\xc3\xa4\xc3\xa4\n", 0);
    CHECK_ERR(chute_loads_with(pickle, (size_t)len, NULL, &v, &report),
              CHUTE_ENOTPLAIN);
    CHECK_EQ(strlen(report.name), 238);
    CHECK_STR(report.name + 234, ".a\xc3\xa4");
    len = snprintf(pickle, sizeof pickle, "c%0600d\na\n", 0);
    CHECK_ERR(chute_loads_with(pickle, (size_t)len, NULL, &v, &report),
              CHUTE_ENOTPLAIN);
    CHECK_EQ(strlen(report.name), 239);
}

/* -- limits ---------------------------------------------------------------- */

static int within(const char *data, size_t len,
                  const struct chute_loads_options *limits)
{
    chute_value *v;
    int r = chute_loads_with(data, len, limits, &v, NULL);

    if (r == 0)
        chute_value_free(v);
    return r;
}

#define LIMITS(...) CHUTE_OPTIONS(chute_loads_options, __VA_ARGS__)

TEST(a_limit_is_kept_to_the_last_one)
{
    CHECK_OK(within(LIT(HEAD "N."), LIMITS(.max_len = 4)));
    CHECK_ERR(within(LIT(HEAD "N."), LIMITS(.max_len = 3)), CHUTE_ELIMIT);

    CHECK_OK(within(LIT(HEAD "N."), LIMITS(.max_depth = 1)));
    CHECK_OK(within(LIT(HEAD "]."), LIMITS(.max_depth = 1)));
    CHECK_OK(within(LIT(HEAD "]]]aa."), LIMITS(.max_depth = 3)));
    CHECK_ERR(within(LIT(HEAD "]]]aa."), LIMITS(.max_depth = 2)), CHUTE_ELIMIT);
    CHECK_ERR(within(LIT(HEAD ")\x85\x85."), LIMITS(.max_depth = 2)),
              CHUTE_ELIMIT);

    CHECK_OK(within(LIT(HEAD "](NNNe."), LIMITS(.max_items = 4)));
    CHECK_ERR(within(LIT(HEAD "](NNNe."), LIMITS(.max_items = 3)),
              CHUTE_ELIMIT);
    CHECK_OK(within(LIT(HEAD "}K\1K\2s."), LIMITS(.max_items = 3)));
    CHECK_ERR(within(LIT(HEAD "}K\1K\2s."), LIMITS(.max_items = 2)),
              CHUTE_ELIMIT);

    CHECK_OK(within(LIT(HEAD "\x8a\3\1\1\0."), LIMITS(.max_int_len = 2)));
    CHECK_OK(
        within(LIT(HEAD "\x8a\3\1\1\0."), LIMITS(.max_int_len = UINT64_MAX)));
    CHECK_ERR(within(LIT(HEAD "\x8a\3\1\1\0."), LIMITS(.max_int_len = 1)),
              CHUTE_ELIMIT);
}

TEST(what_is_shared_counts_in_each_place)
{
    /* [x, x] of [x, x] of ...: 2^64 leaves and more. */
    size_t len;
    char *data = repeated(LIT(HEAD "]"), LIT("q\0h\0\x86"), 80, LIT("."), &len);
    CHECK_OK(within(data, len, NULL));
    CHECK_OK(within(data, len, LIMITS(.max_depth = 81)));
    CHECK_ERR(within(data, len, LIMITS(.max_depth = 80)), CHUTE_ELIMIT);
    CHECK_ERR(within(data, len, LIMITS(.max_items = UINT64_MAX - 1)),
              CHUTE_ELIMIT);
    free(data);
    data = repeated(LIT(HEAD "]"), LIT("q\0h\0\x86"), 10, LIT("."), &len);
    CHECK_OK(within(data, len, LIMITS(.max_items = 2047)));
    CHECK_ERR(within(data, len, LIMITS(.max_items = 2046)), CHUTE_ELIMIT);
    free(data);
}

TEST(a_limit_on_a_million_levels_is_found_without_recursion)
{
    size_t len;
    char *data = repeated(LIT(HEAD "]"), LIT("\x85"), DEEP, LIT("."), &len);

    CHECK_OK(within(data, len, LIMITS(.max_depth = DEEP + 1)));
    CHECK_ERR(within(data, len, LIMITS(.max_depth = DEEP)), CHUTE_ELIMIT);
    CHECK_OK(within(data, len, LIMITS(.max_items = DEEP + 1)));
    free(data);
}

TEST(wrong_arguments_are_refused)
{
    chute_value *v;

    CHECK_ERR(chute_loads(NULL, 1, &v, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_loads("N.", 2, NULL, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_loads(NULL, 0, &v, NULL), CHUTE_EPICKLE);

    struct chute_loads_report report = {.size = 8};
    CHECK_ERR(chute_loads_with("N.", 2, NULL, &v, &report), CHUTE_EINVAL);
    CHECK_ERR(chute_loads_with("N.", 2, NULL, NULL, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_loads_with(NULL, 1, NULL, &v, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_loads_with(NULL, 0, NULL, &v, NULL), CHUTE_EPICKLE);
    CHECK_ERR(within(LIT("N."), &(struct chute_loads_options){0}),
              CHUTE_EINVAL);
}

/* -- stack and marks ------------------------------------------------------- */

TEST(the_stack_is_never_taken_below_its_end_or_a_mark)
{
    refused(LIT(HEAD "0."), CHUTE_EPICKLE, 2);
    refused(LIT(HEAD "1."), CHUTE_EPICKLE, 2);
    refused(LIT(HEAD "a."), CHUTE_EPICKLE, 2);
    refused(LIT(HEAD "Na."), CHUTE_EPICKLE, 3);
    refused(LIT(HEAD "e."), CHUTE_EPICKLE, 2);
    refused(LIT(HEAD "(e."), CHUTE_EPICKLE, 3);
    refused(LIT(HEAD "](Na."), CHUTE_EPICKLE, 5);
    refused(LIT(HEAD "]((e."), CHUTE_EPICKLE, 5);
    refused(LIT(HEAD "}N(Ns."), CHUTE_EPICKLE, 6);
    refused(LIT(HEAD "\x85."), CHUTE_EPICKLE, 2);
    refused(LIT(HEAD "NN\x87."), CHUTE_EPICKLE, 4);
    refused(LIT(HEAD "N(N\x86."), CHUTE_EPICKLE, 5);
    refused(LIT(HEAD "t."), CHUTE_EPICKLE, 2);
    refused(LIT(HEAD "\x91."), CHUTE_EPICKLE, 2);
    refused(LIT(HEAD "\x94."), CHUTE_EPICKLE, 2);
    refused(LIT(HEAD "N(\x94."), CHUTE_EPICKLE, 4);
    refused(LIT(HEAD "R."), CHUTE_EPICKLE, 2);
    refused(LIT(HEAD "\x93."), CHUTE_EPICKLE, 2);
    gives(LIT(HEAD "K\1(0."), "1");
    gives(LIT(HEAD "K\1(NN1."), "1");
    gives(LIT(HEAD "K\1N0."), "1");
}

TEST(items_are_added_to_what_takes_them_and_nothing_else)
{
    refused(LIT(HEAD "}(Ne."), CHUTE_EPICKLE, 5);
    refused(LIT(HEAD "](NNu."), CHUTE_EPICKLE, 6);
    refused(LIT(HEAD "](N\x90."), CHUTE_EPICKLE, 5);
    refused(LIT(HEAD ")Na."), CHUTE_EPICKLE, 4);
    refused(LIT(HEAD "}(Nu."), CHUTE_EPICKLE, 5);
    gives(LIT(HEAD "](e(K\1e(K\2K\3eK\4a."), "[1, 2, 3, 4]");
    gives(LIT(HEAD "}(u(K\1K\2uK\3K\4s."), "{1: 2, 3: 4}");
    gives(LIT(HEAD "\x8f(\x90(K\1\x90(K\2K\1\x90."), "{1, 2}");
}

TEST(keys_are_hashable)
{
    refused(LIT(HEAD "}]Ns."), CHUTE_EPICKLE, 5);
    refused(LIT(HEAD "}(N]}]u."), CHUTE_EPICKLE, 8);
    refused(LIT(HEAD "}]\x85\x85Ns."), CHUTE_EPICKLE, 7);
    refused(LIT(HEAD "\x8f(}\x90."), CHUTE_EPICKLE, 5);
    refused(LIT(HEAD "(\x8f\x91."), CHUTE_EPICKLE, 4);
    refused(LIT("\x80\5(\x96\0\0\0\0\0\0\0\0\x91."), CHUTE_EPICKLE, 12);
    gives(LIT(HEAD "}(N\x85(\x91\x86Nu."), "{((None,), frozenset()): None}");
}

TEST(of_equal_keys_the_first_stays_with_the_last_value)
{
    gives(LIT(HEAD "}(K\1\x8c\1a\x88\x8c\1bG\x3f\xf0\0\0\0\0\0\0\x8c\1cu."),
          "{1: 'c'}");
    gives(LIT(HEAD "\x8f(G\x80\0\0\0\0\0\0\0K\0\x89\x90."), "{-0.0}");
}

TEST(a_dict_that_grows_one_by_one_finds_all_its_keys)
{
    enum { N = 5000 };
    size_t len;
    chute_value *v;
    char *data =
        repeated(LIT(HEAD "}"), LIT("M\0\0K\1s"), 2 * N, LIT("."), &len);

    for (size_t i = 0; i < 2 * N; i++)
        memcpy(data + 3 + i * 6 + 1, &(uint16_t){(uint16_t)(i % N)}, 2);
    CHECK_OK(chute_loads(data, len, &v, NULL));
    CHECK_EQ(chute_value_len(v), N);
    for (int64_t i = 0; i < N; i++) {
        chute_value *key = chute_int(i);
        CHECK_EQ(chute_value_get_item(v, key), chute_int(1));
        chute_value_free(key);
    }
    chute_value_free(v);
    free(data);
}

/* -- the memo -------------------------------------------------------------- */

TEST(what_is_fetched_is_the_same_object)
{
    chute_value *v;

    CHECK_OK(chute_loads(LIT(HEAD "](\x8c\5hello\x94h\0e."), &v, NULL));
    CHECK_EQ(chute_value_at(v, 0), chute_value_at(v, 1));
    chute_value_free(v);
}

TEST(memoize_takes_the_number_of_entries_for_an_index)
{
    gives(LIT(HEAD "(K\7q\5K\1\x94h\1t."), "(7, 1, 1)");
    gives(LIT(HEAD "(K\7q\1K\1\x94h\1t."), "(7, 1, 1)");
    refused(LIT(HEAD "(Nq\5h\0t."), CHUTE_EPICKLE, 6);
}

TEST(any_32_bits_are_an_index_and_cost_no_more_than_others)
{
    gives(LIT(HEAD "]r\xff\xff\xff\xff\x30j\xff\xff\xff\xff."), "[]");
    gives(LIT(HEAD "(K\1r\0\0\0\x80K\2q\0h\0j\0\0\0\x80t."), "(1, 2, 2, 1)");
    gives(LIT(HEAD "(K\1q\0K\2q\0h\0t."), "(1, 2, 2)");
}

TEST(what_was_popped_can_still_be_fetched)
{
    gives(LIT(HEAD "\x8c\2hi\x94\x85\x94\x30h\0h\1\x86."), "('hi', ('hi',))");
    gives(LIT(HEAD "}K\1\x8c\2hi\x94sK\1Nsh\0\x86."), "({1: None}, 'hi')");
    gives(LIT(HEAD "\x8f(K\1\x8c\2hi\x94\x8c\2hi\x94\x90h\1\x86."),
          "({1, 'hi'}, 'hi')");
}

/* -- cycles ---------------------------------------------------------------- */

TEST(a_value_that_contains_itself_is_refused_and_freed)
{
    refused(LIT(HEAD "]\x94h\0a."), CHUTE_ECYCLE, 6);
    refused(LIT(HEAD "]\x94(K\1h\0e."), CHUTE_ECYCLE, 9);
    refused(LIT(HEAD "}\x94K\1h\0s."), CHUTE_ECYCLE, 8);
    refused(LIT(HEAD "]\x94h\0\x85\x85\x85"
                     "a."),
            CHUTE_ECYCLE, 9);
    refused(LIT(HEAD "]\x94]\x94h\0ah\0h\1a\x87."), CHUTE_ECYCLE, 13);
    refused(LIT(HEAD "](]\x94h\0ae."), CHUTE_ECYCLE, 8);
}

TEST(a_tuple_in_itself_as_python_writes_it_is_refused)
{
    /* t = ([],); t[0].append(t) */
    refused(LIT(HEAD "]\x94h\0\x85\x94"
                     "a0h\1."),
            CHUTE_ECYCLE, 8);
}

TEST(a_cycle_that_was_thrown_away_is_freed_too)
{
    refused(LIT(HEAD "N]\x94h\0a0."), CHUTE_ECYCLE, 7);
    refused(LIT(HEAD "]\x94h\0a"), CHUTE_EPICKLE, 7);
    refused(LIT(HEAD "]\x94h\0a\xff"), CHUTE_EPICKLE, 7);
    refused(LIT(HEAD "]\x94h\0aNN."), CHUTE_EPICKLE, 9);
}

TEST(a_list_that_is_changed_late_is_no_cycle)
{
    gives(LIT(HEAD "]\x94h\0K\1a\x86."), "([1], [1])");
    gives(LIT(HEAD "]\x94]\x94h\0ah\0(K\1K\2e\x87."),
          "([1, 2], [[1, 2]], [1, 2])");
    gives(LIT(HEAD "]\x94h\0]a\x86."), "([[]], [[]])");
    /* Both are changed late, and one is in the other; then twice. */
    gives(LIT(HEAD "(]\x94]\x94h\0h\1ah\1K\1at."), "([[1]], [1], [[1]], [1])");
    gives(LIT(HEAD "(]\x94]\x94K\1ah\0h\1ah\1at."),
          "([[1], [1]], [1], [[1], [1]])");
}

/* -- calls ----------------------------------------------------------------- */

TEST(the_calls_of_old_protocols_are_known)
{
    gives(LIT("\x80\2c__builtin__\nbytes\n)R."), "b''");
    gives(
        LIT("\x80\2c_codecs\nencode\nX\3\0\0\0a\xc3\xbfX\6\0\0\0latin1\x86R."),
        "b'a\\xff'");
    gives(LIT("\x80\2c__builtin__\nbytearray\n)R."), "bytearray(b'')");
    gives(LIT("\x80\3cbuiltins\nbytearray\nC\2ab\x85R."), "bytearray(b'ab')");
    gives(LIT(HEAD "\x8c\x08"
                   "builtins\x8c\tbytearray\x93"
                   "C\2ab\x85R."),
          "bytearray(b'ab')");
    gives(LIT("\x80\2c__builtin__\nset\n](K\1K\1e\x85R."), "{1}");
    gives(LIT("\x80\3cbuiltins\nfrozenset\n]\x85R."), "frozenset()");
}

TEST(a_class_is_called_or_thrown_away_but_is_no_data)
{
    gives(LIT("\x80\2Nc__builtin__\nset\n0."), "None");
    refused(LIT("\x80\2c__builtin__\nset\n."), CHUTE_ENOTPLAIN, 19);
    refused(LIT("\x80\2]c__builtin__\nset\na."), CHUTE_ENOTPLAIN, 20);
    refused(LIT("\x80\2c__builtin__\nset\n\x85."), CHUTE_ENOTPLAIN, 19);
    refused(LIT("\x80\2}c__builtin__\nset\nNs."), CHUTE_ENOTPLAIN, 21);
    refused(LIT("\x80\2(c__builtin__\nset\n\x91."), CHUTE_ENOTPLAIN, 20);
}

TEST(other_calls_need_python)
{
    refused(LIT("\x80\2c__builtin__\neval\n."), CHUTE_ENOTPLAIN, 2);
    refused(LIT("\x80\2c_codecs\nbytes\n."), CHUTE_ENOTPLAIN, 2);
    refused(LIT("\x80\2c__builtin__\nencode\n."), CHUTE_ENOTPLAIN, 2);
    refused(LIT("\x80\2c__builtin__\nset\nN\x85R."), CHUTE_ENOTPLAIN, 21);
    refused(LIT("\x80\2c__builtin__\nset\n)R."), CHUTE_ENOTPLAIN, 20);
    refused(LIT("\x80\2c__builtin__\nbytes\nN\x85R."), CHUTE_ENOTPLAIN, 23);
    refused(LIT("\x80\2c__builtin__\nbytearray\nNN\x86R."), CHUTE_ENOTPLAIN,
            28);
    refused(LIT("\x80\2c__builtin__\nfrozenset\n]N\x86R."), CHUTE_ENOTPLAIN,
            28);
    refused(LIT("\x80\2c_codecs\nencode\nX\1\0\0\0aN\x86R."), CHUTE_ENOTPLAIN,
            26);
    refused(LIT("\x80\2c__builtin__\nset\nNR."), CHUTE_EPICKLE, 20);
    refused(LIT("\x80\2c__builtin__\nset\n]]a\x85R."), CHUTE_EPICKLE, 23);
    refused(LIT("\x80\2c_codecs\nencode\nX\0\0\0\0X\4\0\0\0utf8\x86R."),
            CHUTE_ENOTPLAIN, 33);
    refused(
        LIT("\x80\2c_codecs\nencode\nX\2\0\0\0\xc4\x80X\6\0\0\0latin1\x86R."),
        CHUTE_EPICKLE, 37);
}

/* -- hostile --------------------------------------------------------------- */

TEST(a_million_levels_are_read_and_freed)
{
    size_t len;
    chute_value *v;
    char *data = repeated(LIT(HEAD ")"), LIT("\x85"), DEEP, LIT("."), &len);

    CHECK_OK(chute_loads(data, len, &v, NULL));
    chute_value_free(v);
    free(data);

    data = repeated(LIT(HEAD), LIT("]"), DEEP, LIT(""), &len);
    refused(data, len, CHUTE_EPICKLE, len);
    free(data);
}

TEST(a_graph_of_2_to_the_250_leaves_is_small)
{
    size_t len;
    chute_value *v;
    char *data =
        repeated(LIT(HEAD "]"), LIT("\x94h\0\x86"), 250, LIT("."), &len);

    for (int i = 0; i < 250; i++)
        data[3 + 4 * i + 2] = (char)i;
    CHECK_OK(chute_loads(data, len, &v, NULL));
    CHECK_EQ(chute_value_len(v), 2);
    chute_value_free(v);
    free(data);
}

TEST(equal_keys_of_great_length_end_at_a_limit)
{
    enum { LEN = 1 << 20, N = 100000 };
    struct {
        char *data;
        size_t len;
    } key, body;
    size_t len;

    /* Two strs that differ in nothing but their identity, as keys in turn: each
     * time they have to be compared to the end. */
    key.data =
        repeated(LIT("X\0\0\x10\0"), LIT("x"), LEN, LIT("\x94\x30"), &key.len);
    body.data = repeated(LIT("}("), LIT("h\0Nh\1N"), N, LIT("u."), &body.len);
    char *data = malloc(2 + 2 * key.len + body.len);
    CHECK(data != NULL);
    memcpy(data, HEAD, 2);
    memcpy(data + 2, key.data, key.len);
    memcpy(data + 2 + key.len, key.data, key.len);
    memcpy(data + 2 + 2 * key.len, body.data, body.len);
    len = 2 + 2 * key.len + body.len;
    refused(data, len, CHUTE_ELIMIT, len - 2);
    free(key.data);
    free(body.data);
    free(data);
}

TEST(a_call_cannot_copy_one_text_again_and_again)
{
    size_t len;
    chute_value *v;
    char *data = repeated(LIT("\x80\2c__builtin__\nbytearray\nq\0"
                              "C\x10"
                              "0123456789abcdef\x85q\1"
                              "00"),
                          LIT("h\0h\1R0"), 1000, LIT("N."), &len);

    CHECK_ERR(chute_loads(data, len, &v, NULL), CHUTE_ELIMIT);
    free(data);
    data = repeated(LIT("\x80\2c_codecs\nencode\nq\0"
                        "X\x10\0\0\0"
                        "0123456789abcdef"
                        "X\6\0\0\0latin1\x86q\1"
                        "00"),
                    LIT("h\0h\1R0"), 1000, LIT("N."), &len);
    CHECK_ERR(chute_loads(data, len, &v, NULL), CHUTE_ELIMIT);
    free(data);
}

TEST(a_call_cannot_copy_one_list_again_and_again)
{
    size_t len;
    char *data = repeated(LIT("\x80\2c__builtin__\nset\nq\0"
                              "0"
                              "]q\1(NNNNNNNNNNNNNNNNe0"),
                          LIT("h\0h\1\x85R0"), 1000, LIT("N."), &len);
    chute_value *v;

    CHECK_ERR(chute_loads(data, len, &v, NULL), CHUTE_ELIMIT);
    free(data);
}

TEST_TIMEOUT(memory_is_at_most_64_bytes_for_a_byte_of_input, 120)
{
    enum { LEN = 8 << 20, SLACK = 4 << 20 };
    static const struct {
        const char *begin;
        const char *unit;
        size_t unit_len;
    } kinds[] = {
        {"", LIT("]")},
        {"", LIT("}")},
        {"", LIT("\x8f")},
        {"", LIT("(")},
        {"", LIT("](")},
        {"", LIT("]\x94")},
        {"", LIT("N\x94")},
        {"", LIT("N0")},
        {"", LIT("(\x91")},
        {"", LIT("]Na")},
        {"", LIT("}NNs")},
        {"", LIT("\x8f(N\x90")},
        {"", LIT("\x8c\0")},
        {"", LIT("C\0")},
        {"", LIT(")\x85")},
        {")", LIT("\x85")},
        {"(N", LIT("N\x86")},
        {"N\x94", LIT("h\0")},
        {"]\x94", LIT("h\0Na")},
        {"]\x94", LIT("h\0")},
        {"", LIT("(0")},
        {"", LIT("\x8a\0")},
        {"", LIT("M\0\1")},
        {"}(", LIT("M\0\1N")},
        {"", LIT("\x96\0\0\0\0\0\0\0\0")},
    };

    if (TEST_ASAN || TEST_TSAN)
        SKIP("the sanitizer's own memory is limited too");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t len;
        chute_value *v;
        char *data =
            repeated(kinds[i].begin, strlen(kinds[i].begin), kinds[i].unit,
                     kinds[i].unit_len, LEN / kinds[i].unit_len, LIT(""), &len);
        if (i == 0)
            limit_memory((size_t)64 * LEN + SLACK);
        CHECK_ERR(chute_loads(data, len, &v, NULL), CHUTE_EPICKLE);
        free(data);
    }
}

TEST(a_memo_of_scattered_indices_and_a_set_of_many_ints_stay_small)
{
    enum { N = 1000000 };
    chute_value *v;
    size_t at = 0;
    unsigned char *data = malloc(4 + 12 * (size_t)N);

    if (TEST_ASAN || TEST_TSAN)
        SKIP("the sanitizer's own memory is limited too");
    CHECK(data != NULL);
    data[at++] = 0x8f;
    data[at++] = '(';
    for (uint32_t i = 0; i < N; i++) {
        uint32_t key = i * 2654435761u;
        data[at++] = 'J';
        memcpy(data + at, &key, 4);
        at += 4;
        data[at++] = 'r';
        memcpy(data + at, &key, 4);
        at += 4;
    }
    data[at++] = 0x90;
    data[at++] = '.';
    limit_memory(64 * at);
    CHECK_OK(chute_loads(data, at, &v, NULL));
    CHECK_EQ(chute_value_len(v), N);
    chute_value_free(v);
    free(data);
}

/* -- memory ---------------------------------------------------------------- */

/* ('k' * 2000, 'kept', [257, ('kept',)], {'kept': 1.5}) */
static chute_value *message(void)
{
    size_t len;
    char *data = repeated(LIT(HEAD "(X\xd0\7\0\0"), LIT("k"), 2000,
                          LIT("\x8c\4kept\x94](M\1\1h\0\x85"
                              "e}h\0G\x3f\xf8\0\0\0\0\0\0st."),
                          &len);
    chute_value *v;

    CHECK_OK(chute_loads(data, len, &v, NULL));
    free(data);
    return v;
}

TEST(parts_that_are_kept_outlive_the_rest)
{
    chute_value *v = message();
    chute_value *text = chute_value_ref(chute_value_at(v, 1));
    chute_value *list = chute_value_ref(chute_value_at(v, 2));
    void *data;
    size_t len;

    chute_value_free(v);
    CHECK_STR(chute_value_str(text), "kept");
    chute_value *all =
        chute_list(text, list, chute_str("mine"), chute_value_ref(text));
    CHECK_OK(chute_dumps(all, &data, &len));
    chute_value_free(all);
    gives(data, len, "['kept', [257, ('kept',)], 'mine', 'kept']");
    free(data);
}

static void *take_parts(void *v)
{
    for (size_t i = 0; i < 20000; i++) {
        chute_value *part = chute_value_ref(chute_value_at(v, i % 4));
        chute_value *pair = chute_tuple(part, chute_value_ref(v));
        CHECK_EQ(chute_value_len(pair), 2);
        chute_value_free(pair);
    }
    chute_value_free(v);
    return NULL;
}

TEST(threads_take_and_free_parts_of_one_message_at_once)
{
    enum { N = 4 };
    pthread_t threads[N];
    chute_value *v = message();

    for (int i = 0; i < N; i++)
        CHECK_EQ(
            pthread_create(&threads[i], NULL, take_parts, chute_value_ref(v)),
            0);
    chute_value_free(v);
    for (int i = 0; i < N; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

/* A message in a block of its own, behind a header: some bytes, and a str. */
static void *block_of(size_t n_bytes, unsigned char **ret_data, size_t *ret_len)
{
    enum { HEADER = 24 };
    size_t len;
    char *data =
        repeated(LIT(HEAD "(B....\x8c\6behindt."), "", 0, 0, "", 0, &len);
    unsigned char *block = malloc(HEADER + len + n_bytes);

    CHECK(block != NULL);
    memcpy(block + HEADER, data, 8);
    for (int i = 0; i < 4; i++)
        block[HEADER + 4 + i] = (unsigned char)(n_bytes >> 8 * i);
    memset(block + HEADER + 8, 'x', n_bytes);
    memcpy(block + HEADER + 8 + n_bytes, data + 8, len - 8);
    free(data);
    *ret_data = block + HEADER;
    *ret_len = len + n_bytes;
    return block;
}

TEST(bytes_that_are_most_of_a_message_stay_where_they_are)
{
    unsigned char *data;
    size_t len;
    chute_value *v;
    void *block = block_of(100000, &data, &len);

    CHECK_OK(pickle_loads_block(&block, data, len, &v));
    CHECK(block == NULL);
    chute_value *part = chute_value_ref(chute_value_at(v, 0));
    CHECK_STR(chute_value_str(chute_value_at(v, 1)), "behind");
    chute_value_free(v);
    const unsigned char *bytes = chute_value_bytes(part, &len);
    CHECK(bytes == data + 8);
    CHECK_EQ(len, 100000);
    CHECK_EQ(bytes[99999], 'x');
    chute_value *copy = chute_bytes(bytes, len);
    CHECK_EQ(chute_value_equal(part, copy), 1);
    chute_value_free(copy);
    chute_value_free(part);

    for (size_t n = 100; n < 20000; n += 10000) {
        block = block_of(n, &data, &len);
        CHECK_OK(pickle_loads_block(&block, data, len, &v));
        CHECK(block != NULL);
        free(block);
        CHECK_EQ(chute_value_len(chute_value_at(v, 0)), n);
        chute_value_free(v);
    }
}

TEST(a_message_that_is_refused_stays_the_callers)
{
    unsigned char *data;
    size_t len;
    chute_value *v = NULL;
    void *block = block_of(100000, &data, &len);

    CHECK_ERR(pickle_loads_block(&block, data, len - 1, &v), CHUTE_EPICKLE);
    CHECK(block != NULL && v == NULL);
    free(block);
}

static const char everything[] =
    HEAD "(NK\1\x88M\1\1J\1\1\1\1\x8a\1\1\x8b\x0a\0\0\0\1\2\3\4\5\6\7\10\11\12"
         "G\1\1\1\1\1\1\1\1\x8c\2hi\x94X\2\0\0\0hiq\7C\2hi"
         "\x96\2\0\0\0\0\0\0\0hi](Nh\0h\7NNee](e)\x85\x86\x87"
         "}(K\1N\x88NK\1Nu\x8f(K\1K\2K\3K\4K\5K\6K\7K\10K\11K\12K\13\x90"
         "(h\0\x91]\x94(Ne0h\1(Ne0N0(NN1cbuiltins\nset\nq\x63]h\0a\x85R"
         "c_codecs\nencode\nh\0\x8c\6latin1\x86R0r\xff\0\0\0t.";

TEST(whatever_allocation_fails_nothing_is_left_behind)
{
    FAULT_LOOP (n) {
        chute_value *v = NULL;
        int r = chute_loads(everything, sizeof everything - 1, &v, NULL);
        if (fault_fired())
            CHECK_ERR(r, CHUTE_ENOMEM);
        chute_value_free(v);
    }
}

TEST(whatever_allocation_fails_in_a_large_message_nothing_is_left_behind)
{
    enum { N = 3000 };
    size_t len;
    char *data =
        repeated(LIT(HEAD "]\x94}("), LIT("M\1\2\x94\x85\x94(h\0\x91\x30"), N,
                 LIT("u\x86."), &len);

    for (size_t i = 0; i < N; i++)
        memcpy(data + 5 + i * 11 + 1, &(uint16_t){(uint16_t)i}, 2);
    FAULT_LOOP (n) {
        chute_value *v = NULL;
        int r = chute_loads(data, len, &v, NULL);
        CHECK(r < 0);
        if (fault_fired())
            CHECK_ERR(r, CHUTE_ENOMEM);
    }
    free(data);
}

TEST(whatever_allocation_fails_in_a_call_nothing_is_left_behind)
{
    enum { N = 5000 }; /* 0x1388; more than a piece of the message's memory */
    size_t len[2];
    char *calls[2] = {repeated(LIT("\x80\3cbuiltins\nbytearray\nB\x88\x13\0\0"),
                               LIT("x"), N, LIT("\x85R."), &len[0]),
                      repeated(LIT("\x80\2c_codecs\nencode\nX\x88\x13\0\0"),
                               LIT("x"), N, LIT("X\6\0\0\0latin1\x86R."),
                               &len[1])};

    for (int i = 0; i < 2; i++) {
        FAULT_LOOP (n) {
            chute_value *v = NULL;
            int r = chute_loads(calls[i], len[i], &v, NULL);
            CHECK_EQ(r, fault_fired() ? CHUTE_ENOMEM : 0);
            chute_value_free(v);
        }
        free(calls[i]);
    }
}

TEST(whatever_allocation_fails_looking_for_a_limit_says_so)
{
    enum { DEPTH = 100 };
    size_t len;
    /* Each list is held twice: by the one around it, and by the memo. */
    char *data = repeated(LIT(HEAD "N"), LIT("\x85\x94"), DEPTH,
                          LIT("h\1h\2\x87."), &len);

    FAULT_LOOP (n) {
        int r = within(data, len,
                       CHUTE_OPTIONS(chute_loads_options, .max_depth = 1000));
        CHECK_EQ(r, fault_fired() ? CHUTE_ENOMEM : 0);
    }
    free(data);
}

TEST(whatever_allocation_fails_cycles_are_freed)
{
    FAULT_LOOP (n) {
        chute_value *v;
        int r = chute_loads(LIT(HEAD "]\x94h\0a]\x94h\1\x85"
                                     "a}\x94K\1h\2s\x87."),
                            &v, NULL);
        CHECK_EQ(r, fault_fired() ? CHUTE_ENOMEM : CHUTE_ECYCLE);
    }
}
