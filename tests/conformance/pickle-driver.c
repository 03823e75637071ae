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

static void answer(const void *data, size_t data_len)
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

    uint64_t pos64 = pos;
    write_exactly(&r, sizeof r);
    write_exactly(&pos64, sizeof pos64);
    write_text(text, r == 0 ? text_len : 0);
    write_text(pickle, pickle_len);
    chute_value_free(v);
    free(text);
    free(pickle);
}

int main(void)
{
    uint32_t len;

    while (read_exactly(&len, sizeof len) == 0) {
        void *data = malloc(len ? len : 1);
        if (!data || read_exactly(data, len) < 0)
            return 1;
        answer(data, len);
        free(data);
        if (fflush(stdout) != 0)
            return 1;
    }
    return 0;
}
