/* pool.c - memory for the many small values of one message. See pool.h.
 *
 * How much a message needs is not known beforehand. The first chunk is twice
 * as long as the message, which is enough for most, so that a small message
 * takes a small chunk; if it was not, each chunk is twice the one before.
 *
 * The count goes down as a value's own does, with release, and whoever ends it
 * looks with acquire; only that chute_value_free() hands in many at once.
 */
#include "base/fail.h"
#include "base/mem.h"
#include "chute/error.h"
#include "codec/pool.h"

void pool_begin(struct pool *p, size_t message_len)
{
    p->chunk = NULL;
    p->at = p->end = NULL;
    p->next_len = message_len < POOL_CHUNK / 2 ? 2 * message_len + POOL_SLACK
                                               : POOL_CHUNK;
}

void pool_end(struct pool *p)
{
    if (p->chunk)
        pool_drop(p->chunk, 1);
    p->chunk = NULL;
    p->at = p->end = NULL;
}

int pool_more(struct pool *p, size_t len)
{
    size_t chunk_len = p->next_len;

    if (chunk_len < len)
        chunk_len = len;
    chunk_len += sizeof(struct pool_chunk);
    if (chunk_len > POOL_CHUNK)
        chunk_len = POOL_CHUNK;
    struct pool_chunk *chunk = mem_alloc(chunk_len);
    if (!chunk)
        return fail(CHUTE_ENOMEM);

    pool_end(p);
    atomic_init(&chunk->n_refs, 1);
    p->chunk = chunk;
    p->at = chunk->data;
    p->end = (unsigned char *)chunk + chunk_len;
    p->next_len = 2 * chunk_len < POOL_CHUNK ? 2 * chunk_len : POOL_CHUNK;
    POOL_POISON(p->at, (size_t)(p->end - p->at));
    return 0;
}

void pool_drop(struct pool_chunk *chunk, uint32_t n)
{
    /* acquire: pairs with the release below, in the thread that left us alone
     * with the chunk. */
    if (atomic_load_explicit(&chunk->n_refs, memory_order_acquire) != n) {
        /* release: pairs with the acquire above and the fence beneath. */
        if (atomic_fetch_sub_explicit(&chunk->n_refs, n,
                                      memory_order_release) != n)
            return;
        atomic_thread_fence(memory_order_acquire);
    }
    free(chunk);
}
