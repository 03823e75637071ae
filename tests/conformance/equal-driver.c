/* equal-driver.c - chute_value_equal as a filter, for equal.py.
 *
 * In:   the pickle of a list of n values, until the end.
 * Out:  n * n bytes, row by row: value i of the list against value j of the
 *       list decoded once more; then n * n for both out of the same list.
 *
 * A byte is '1' or '0'; a failure of the comparison is 'E'.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "chute.h"

static char compare(const chute_value *a, const chute_value *b)
{
    int r = chute_value_equal(a, b);

    return r == 1 ? '1' : r == 0 ? '0' : 'E';
}

static void compare_all(const chute_value *a, const chute_value *b)
{
    size_t n = chute_value_len(a);

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            putchar(compare(chute_value_at(a, i), chute_value_at(b, j)));
}

int main(void)
{
    static char data[1 << 20];
    size_t len = fread(data, 1, sizeof data, stdin);
    chute_value *a, *b;

    if (chute_loads(data, len, &a, NULL) < 0 ||
        chute_loads(data, len, &b, NULL) < 0)
        return 1;
    compare_all(a, b);
    compare_all(a, a);
    chute_value_free(a);
    chute_value_free(b);
    return fflush(stdout) == 0 ? 0 : 1;
}
