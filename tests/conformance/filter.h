/* filter.h - a program that answers one request after the other.
 *
 * In:   u32 length, so many bytes; again and again, until the end.
 * Out:  what answer() writes to each, flushed.
 *
 * All numbers are little-endian, as the machine's. A failed write ends the
 * program.
 */
#ifndef FILTER_H
#define FILTER_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int read_exactly(void *to, size_t len)
{
    return fread(to, 1, len, stdin) == len ? 0 : -1;
}

static void write_exactly(const void *from, size_t len)
{
    if (len > 0 && fwrite(from, 1, len, stdout) != len)
        exit(1);
}

/* u32 length, the bytes. */
static void write_text(const void *text, size_t len)
{
    uint32_t len32 = (uint32_t)len;

    write_exactly(&len32, sizeof len32);
    write_exactly(text, len);
}

static void write_result(int32_t r, uint64_t pos)
{
    write_exactly(&r, sizeof r);
    write_exactly(&pos, sizeof pos);
}

static int filter(void (*answer)(const char *data, size_t len))
{
    uint32_t len;

    while (read_exactly(&len, sizeof len) == 0) {
        char *data = malloc(len ? len : 1);
        if (!data || read_exactly(data, len) < 0)
            return 1;
        answer(data, len);
        free(data);
        if (fflush(stdout) != 0)
            return 1;
    }
    return 0;
}

#endif
