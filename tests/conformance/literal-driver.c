/* literal-driver.c - chute_literal_eval as a filter, for literal.py.
 *
 * In and out as pickle-driver.c: but what comes in is the text of a literal.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "chute.h"
#include "filter.h"

static void answer(const char *literal, size_t literal_len)
{
    chute_value *v = NULL;
    void *pickle = NULL;
    char *text = NULL;
    size_t pos = 0, text_len = 0, pickle_len = 0;

    int32_t r = chute_literal_eval(literal, literal_len, &v, &pos);
    if (r == 0 && (chute_dumps(v, &pickle, &pickle_len) < 0 ||
                   (chute_value_repr(v, &text, &text_len) < 0 &&
                    chute_value_type(v) != CHUTE_INT)))
        exit(1);
    write_result(r, pos);
    write_text(text, text_len);
    write_text(pickle, pickle_len);
    chute_value_free(v);
    free(text);
    free(pickle);
}

int main(void)
{
    return filter(answer);
}
