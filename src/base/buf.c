/* buf.c - a growing byte buffer.
 *
 * Grows by half of itself at least, so that n bytes added one at a time cost
 * O(n), and to the exact need where that is more, so that one large addition
 * wastes nothing. The factor is 1.5 and not 2: the blocks given up in earlier
 * steps then add up to a later one, and the allocator can use them again.
 *
 * Lengths are checked against overflow here, once, and nowhere else: callers
 * add what they have. Proven by tests/unit/test-buf.c.
 */
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/mem.h"
#include "chute/error.h"

enum { MIN_CAP = 64 };

int buf_grow(struct buf *b, size_t more)
{
    if (more > PTRDIFF_MAX - b->len)
        return fail(CHUTE_ENOMEM);

    size_t cap = b->cap + b->cap / 2;
    if (cap < b->len + more)
        cap = b->len + more;
    if (cap < MIN_CAP)
        cap = MIN_CAP;

    void *data = mem_realloc(b->data, cap);
    if (!data)
        return fail(CHUTE_ENOMEM);
    b->data = data;
    b->cap = cap;
    return 0;
}

int buf_add(struct buf *b, const void *data, size_t data_len)
{
    if (data_len == 0)
        return 0;
    int r = buf_reserve(b, data_len);
    if (r < 0)
        return r;
    memcpy(b->data + b->len, data, data_len);
    b->len += data_len;
    return 0;
}

void buf_clear(struct buf *b)
{
    b->len = 0;
}

void *buf_take(struct buf *b, size_t *ret_len)
{
    void *data = b->data;

    *ret_len = b->len;
    *b = (struct buf){0};
    return data;
}

void buf_done(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}
