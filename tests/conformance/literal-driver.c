/* literal-driver.c - chute_literal_eval as a filter, for literal.py.
 *
 * In and out as pickle-driver.c: but what comes in is the text of a literal.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "chute.h"

static int read_exactly(void *to, size_t len)
{
    return fread(to, 1, len, stdin) == len ? 0 : -1;
}

static void write_exactly(const void *from, size_t len)
{
    if (len > 0 && fwrite(from, 1, len, stdout) != len)
        exit(1);
}

static void write_text(const void *text, size_t len)
{
    uint32_t len32 = (uint32_t)len;

    write_exactly(&len32, sizeof len32);
    write_exactly(text, len);
}

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
    uint64_t pos64 = pos;
    write_exactly(&r, sizeof r);
    write_exactly(&pos64, sizeof pos64);
    write_text(text, text_len);
    write_text(pickle, pickle_len);
    chute_value_free(v);
    free(text);
    free(pickle);
}

int main(void)
{
    uint32_t len;

    while (read_exactly(&len, sizeof len) == 0) {
        char *text = malloc(len ? len : 1);
        if (!text || read_exactly(text, len) < 0)
            return 1;
        answer(text, len);
        free(text);
        if (fflush(stdout) != 0)
            return 1;
    }
    return 0;
}
