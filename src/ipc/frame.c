/* frame.c - CPython's message header, as multiprocessing.connection has it.
 *
 *     len <= 0x7fffffff   int32 len
 *     longer              int32 -1, uint64 len
 *
 * both big-endian, then len bytes. There is no magic, no version and no
 * checksum.
 *
 * The long form is read for short messages too, as CPython does. CPython takes
 * the other negative numbers for an empty message; here they are an error, for
 * whoever sends one has lost his place in the stream. So is a length that no
 * memory could hold (2^63 and more).
 *
 * Pure: no I/O, so that it can be tested and fuzzed byte by byte
 * (tests/unit/test-frame.c), and compared with CPython
 * (tests/conformance/wire.py).
 */
#include <string.h>

#include "base/fail.h"
#include "chute/error.h"
#include "ipc/frame.h"

#define SHORT_MAX 0x7fffffffu
#define IS_LONG   0xffffffffu

static void put_big_endian(unsigned char *to, uint64_t n, int n_bytes)
{
    while (n_bytes-- > 0) {
        to[n_bytes] = (unsigned char)(n & 255);
        n >>= 8;
    }
}

static uint64_t get_big_endian(const unsigned char *from, int n_bytes)
{
    uint64_t n = 0;

    for (int i = 0; i < n_bytes; i++)
        n = n << 8 | from[i];
    return n;
}

size_t frame_write(unsigned char head[FRAME_MAX], uint64_t len)
{
    if (len <= SHORT_MAX) {
        put_big_endian(head, len, 4);
        return 4;
    }
    put_big_endian(head, IS_LONG, 4);
    put_big_endian(head + 4, len, 8);
    return FRAME_MAX;
}

int frame_read(const unsigned char *head, size_t n, size_t *ret_head_len,
               uint64_t *ret_len)
{
    if (n < 4)
        return (int)(4 - n);
    uint64_t len = get_big_endian(head, 4);
    if (len <= SHORT_MAX) {
        *ret_head_len = 4;
        *ret_len = len;
        return 0;
    }
    if (len != IS_LONG)
        return fail(CHUTE_EPROTO);
    if (n < FRAME_MAX)
        return (int)(FRAME_MAX - n);
    len = get_big_endian(head + 4, 8);
    if (len > INT64_MAX)
        return fail(CHUTE_EPROTO);
    *ret_head_len = FRAME_MAX;
    *ret_len = len;
    return 0;
}
