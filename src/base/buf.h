/* buf.h - bytes that grow.
 *
 *     struct buf b = {0};
 *     r = buf_add(&b, "abc", 3);
 *     ...
 *     buf_done(&b);
 *
 * All zero is an empty buffer and owns nothing. What is added is copied and
 * stays in one piece; any addition may move it. A failed addition leaves the
 * buffer as it was.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>

struct buf {
    unsigned char *data; /* NULL until the first byte */
    size_t len;
    size_t cap;
};

/* A larger piece of memory, with place for `more` bytes behind the end. 0, or
 * CHUTE_ENOMEM. */
int buf_grow(struct buf *b, size_t more);

/* Make place for `more` bytes behind the end: afterwards so many can be written
 * at data + len. 0, or CHUTE_ENOMEM. */
static inline int buf_reserve(struct buf *b, size_t more)
{
    return more <= b->cap - b->len ? 0 : buf_grow(b, more);
}

/* Append bytes; they must not be the buffer's own. 0, or CHUTE_ENOMEM. */
int buf_add(struct buf *b, const void *data, size_t data_len);

/* Empty it, but keep the memory for what comes next. */
void buf_clear(struct buf *b);

/* Hand the bytes to the caller, who frees them with free(3), and leave an empty
 * buffer. Never NULL, unless the buffer never held a byte. */
void *buf_take(struct buf *b, size_t *ret_len);

/* Let go of the memory; the buffer is then empty, and usable. */
void buf_done(struct buf *b);

#endif
