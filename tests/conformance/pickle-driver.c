/* pickle-driver.c - chute's codec as a filter, for pickle.py.
 *
 * In:   u32 length, a pickle; again and again, until the end.
 * Out:  i32 result, u64 position, u32 length, the value printed,
 *       u32 length, the value encoded again.
 *
 * All numbers are little-endian, as the machine's. If decoding fails both texts
 * are empty; if only printing or encoding does, that one is, and the result is
 * its failure.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chute.h"
#include "filter.h"

static void answer(const char *data, size_t data_len)
{
    chute_value *v = NULL;
    void *pickle = NULL;
    char *text = NULL;
    size_t pos = 0, text_len = 0, pickle_len = 0;

    int32_t r = chute_loads(data, data_len, &v, &pos);
    FILE *to = open_memstream(&text, &text_len);
    if (!to)
        exit(1);
    if (r == 0)
        r = chute_value_print(v, to);
    if (fclose(to) != 0)
        exit(1);
    if (v) {
        int r2 = chute_dumps(v, &pickle, &pickle_len);
        if (r == 0)
            r = r2;
    }

    write_result(r, pos);
    write_text(text, r == 0 ? text_len : 0);
    write_text(pickle, pickle_len);
    chute_value_free(v);
    free(text);
    free(pickle);
}

int main(void)
{
    return filter(answer);
}
