/* fuzz-literal.c - chute_literal_eval against whatever text there is.
 *
 * What is read is written by chute_value_repr, unless it is too long for Python
 * itself, and then read again it is written the same; it encodes, decodes and is
 * written the same once more. What is refused is refused at a place within the
 * text. Built with -DCHUTE_FAULT, each text is then read with one allocation
 * failing, which its first bytes choose: nothing may leak.
 *
 * Built and run as fuzz-loads.c.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chute.h"
#include "fuzz.h"

static void run_with_fault(const uint8_t *data, size_t len)
{
    chute_value *v;

    fault_arm(data, len);
    if (chute_literal_eval((const char *)data, len, &v, NULL) == 0)
        chute_value_free(v);
    fault_disarm();
}

/* v, which is consumed, is written as this text. */
static void require_text(chute_value *v, const char *text, size_t len)
{
    char *again;
    size_t again_len;

    REQUIRE(chute_value_repr(v, &again, &again_len) == 0);
    REQUIRE(again_len == len && memcmp(again, text, len) == 0);
    free(again);
    chute_value_free(v);
}

static void check(const chute_value *v)
{
    char *text;
    size_t text_len, pickle_len;
    void *pickle;
    chute_value *back;

    REQUIRE(chute_dumps(v, &pickle, &pickle_len) == 0);
    int r = chute_value_repr(v, &text, &text_len);
    REQUIRE(r == 0 || r == CHUTE_ELIMIT);
    if (r == 0) {
        REQUIRE(chute_literal_eval(text, text_len, &back, NULL) == 0);
        require_text(back, text, text_len);
        REQUIRE(chute_loads(pickle, pickle_len, &back, NULL) == 0);
        require_text(back, text, text_len);
        free(text);
    }
    free(pickle);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    chute_value *v = NULL;
    size_t pos = SIZE_MAX;
    int r = chute_literal_eval((const char *)data, len, &v, &pos);

    if (r == 0) {
        REQUIRE(v != NULL && pos == SIZE_MAX);
        check(v);
        chute_value_free(v);
    } else {
        REQUIRE(v == NULL && pos <= len);
        REQUIRE(r == CHUTE_ESYNTAX || r == CHUTE_ENOTPLAIN ||
                r == CHUTE_ELIMIT);
    }
    run_with_fault(data, len);
    return 0;
}
