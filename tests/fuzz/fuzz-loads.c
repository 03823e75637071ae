/* fuzz-loads.c - chute_loads against whatever bytes there are.
 *
 * What decodes must encode; what was encoded must decode, and to a value that
 * encodes to the same bytes again. Printing and comparing must come to an end.
 * Built with -DCHUTE_FAULT, each input is then decoded and encoded once more
 * with one allocation failing, which its first bytes choose: nothing may leak.
 *
 * Limits, which the first bytes choose too, may refuse more, and nothing else.
 * `make fuzz` builds it for libFuzzer and for AFL++ (scripts/fuzz).
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chute.h"
#include "codec/pickle.h"
#include "fuzz.h"

static void run_with_fault(const uint8_t *data, size_t len)
{
    chute_value *v;
    void *pickle;
    size_t pickle_len;

    fault_arm(data, len);
    if (chute_loads(data, len, &v, NULL) == 0) {
        if (chute_dumps(v, &pickle, &pickle_len) == 0)
            free(pickle);
        chute_value_free(v);
    }
    fault_disarm();
}

/* -- limits ---------------------------------------------------------------- */

/* What chute_loads says of it is r. */
static void run_with_limits(const uint8_t *data, size_t len, int r, size_t pos)
{
    struct chute_loads_options options = {.size = sizeof options};
    struct chute_loads_report report = {.size = sizeof report};
    uint64_t *limits[] = {&options.max_len, &options.max_depth,
                          &options.max_items, &options.max_int_len};
    chute_value *v = NULL;

    REQUIRE(chute_loads_with(data, len, NULL, &v, &report) == r);
    chute_value_free(v);
    REQUIRE(r == 0 || report.pos == pos);
    REQUIRE(memchr(report.name, 0, sizeof report.name) != NULL);
    REQUIRE(report.name[0] == '\0' || r == CHUTE_ENOTPLAIN);
    for (size_t i = 0; i < 4 && i < len; i++)
        *limits[i] = data[i] % 16;
    v = NULL;
    int limited = chute_loads_with(data, len, &options, &v, &report);
    REQUIRE((limited == 0) == (v != NULL));
    REQUIRE(limited == r || limited == CHUTE_ELIMIT);
    chute_value_free(v);
}

/* -- a block of its own ---------------------------------------------------- */

/* The same, where bytes need not be copied: what is decoded is written again as
 * these bytes. */
static void run_in_block(const uint8_t *data, size_t len, const void *pickle,
                         size_t pickle_len)
{
    chute_value *v;
    void *again, *block = malloc(len ? len : 1);
    size_t again_len;

    REQUIRE(block != NULL);
    memcpy(block, data, len);
    REQUIRE(pickle_loads_block(&block, block, len, &v) == 0);
    REQUIRE(chute_dumps(v, &again, &again_len) == 0);
    REQUIRE(again_len == pickle_len && memcmp(again, pickle, again_len) == 0);
    chute_value_free(v);
    free(again);
    free(block);
}

/* -- the properties -------------------------------------------------------- */

static void print(const chute_value *v)
{
    char *text;

    if (chute_value_repr(v, &text, NULL) == 0)
        free(text);
}

static void check(const chute_value *v, const uint8_t *data, size_t len)
{
    void *first, *second;
    size_t first_len, second_len;
    chute_value *back;

    REQUIRE(chute_dumps(v, &first, &first_len) == 0);
    REQUIRE(chute_loads(first, first_len, &back, NULL) == 0);
    REQUIRE(chute_value_type(v) == chute_value_type(back));
    REQUIRE(chute_dumps(back, &second, &second_len) == 0);
    REQUIRE(first_len == second_len && memcmp(first, second, first_len) == 0);
    run_in_block(data, len, first, first_len);
    chute_value_equal(v, back); /* not always: nan */
    REQUIRE(chute_value_type(v) == CHUTE_FLOAT || chute_value_equal(v, v) == 1);
    print(v);
    chute_value_free(back);
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    chute_value *v = NULL;
    size_t pos = SIZE_MAX;
    int r = chute_loads(data, len, &v, &pos);

    if (r == 0) {
        REQUIRE(v != NULL && pos == SIZE_MAX);
        check(v, data, len);
        chute_value_free(v);
    } else {
        REQUIRE(v == NULL && pos <= len);
        REQUIRE(r == CHUTE_EPICKLE || r == CHUTE_ENOTPLAIN ||
                r == CHUTE_ECYCLE || r == CHUTE_ELIMIT);
    }
    run_with_limits(data, len, r, pos);
    run_with_fault(data, len);
    return 0;
}
