/* message.c - a message in the making: header first, then the body.
 *
 * Whoever fills it asks where the next bytes go, puts some there, says how
 * many, and asks again. The header is 4 bytes, or turns out to be 12; only then
 * is the length known.
 *
 * Memory for the body grows with what has arrived, by doubling. A header that
 * promises a lot costs a first piece, and no more until it is filled. Where the
 * receiver has a buffer of his own that is large enough, the body can go there,
 * and is not copied a second time (message_lend). Then the memory for it is only
 * reserved: no page of it is touched, unless the receiver leaves too early.
 */
#include <stdint.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "chute/error.h"
#include "ipc/message.h"

#define FIRST_PIECE 65536
#define LEN_MAX     (PTRDIFF_MAX - sizeof(struct message))

struct message *message_new(size_t cap, pid_t owner)
{
    if (cap > LEN_MAX)
        return NULL;
    struct message *m = mem_alloc(sizeof *m + cap);
    if (!m)
        return NULL;
    memset(m, 0, sizeof *m);
    m->owner = owner;
    m->max_len = UINT64_MAX;
    m->cap = cap;
    return m;
}

void message_free(struct message *m)
{
    while (m) {
        struct message *next = m->next;
        free(m);
        m = next;
    }
}

int message_missing(struct message *m)
{
    size_t head_len;
    uint64_t len;
    int missing = frame_read(m->head, m->n_head, &head_len, &len);

    if (missing)
        return missing;
    if (len > m->max_len)
        return fail(CHUTE_EOVERSIZE);
    if (len > LEN_MAX)
        return fail(CHUTE_ENOMEM);
    m->len = (size_t)len;
    return 0;
}

/* More room for the body. */
static int grow(struct message **m)
{
    size_t cap = (*m)->cap < FIRST_PIECE ? FIRST_PIECE : (*m)->cap * 2;

    if (cap > (*m)->len)
        cap = (*m)->len;
    struct message *grown = mem_realloc(*m, sizeof *grown + cap);
    if (!grown)
        return fail(CHUTE_ENOMEM);
    grown->cap = cap;
    *m = grown;
    return 0;
}

int message_want(struct message **m, struct iovec *ret_to)
{
    int missing = message_missing(*m);

    if (missing < 0)
        return missing;
    if (missing) {
        ret_to->iov_base = (*m)->head + (*m)->n_head;
        ret_to->iov_len = (size_t)missing;
        return 1;
    }
    if ((*m)->have == (*m)->len)
        return 0;
    unsigned char *lent = message_lent(*m);
    if (!lent && (*m)->have == (*m)->cap) {
        int r = grow(m);
        if (r < 0)
            return r;
    }
    ret_to->iov_base = (lent ? lent : (*m)->data) + (*m)->have;
    ret_to->iov_len = (*m)->cap - (*m)->have;
    return 1;
}

void message_got(struct message *m, size_t n)
{
    if (message_missing(m) > 0)
        m->n_head += n;
    else
        m->have += n;
}

bool message_lend(struct message **m, void *buf)
{
    struct message *grown = mem_realloc(*m, sizeof *grown + (*m)->len);

    if (!grown)
        return false;
    grown->cap = grown->len;
    atomic_store_explicit(&grown->lent, buf, memory_order_relaxed);
    *m = grown;
    return true;
}

void message_unlend(struct message *m)
{
    memcpy(m->data, message_lent(m), m->have);
    /* release: pairs with the acquire in message_lent(). */
    atomic_store_explicit(&m->lent, NULL, memory_order_release);
}
