/* pool.c - memory for the many small values of one message. See pool.h.
 *
 * How much a message needs is not known beforehand. The first chunk is twice
 * as long as the message, which is enough for most, so that a small message
 * takes a small chunk; if it was not, each chunk is twice the one before.
 *
 * Chunks of full length come from a shelf of sixteen, while it has any, and go
 * back there: a program that decodes large messages one after another would
 * otherwise have malloc take the memory from the system and give it back, page
 * by page, for each, which takes as long as decoding. One word says which are
 * on the shelf. A child of fork() has a copy of it, and of those that its
 * parent's other threads had taken just then it has no use, as with malloc.
 *
 * The count goes down as a value's own does, with release, and whoever ends it
 * looks with acquire; only that chute_value_free() hands in many at once.
 */
#include "base/fail.h"
#include "base/mem.h"
#include "chute/error.h"
#include "codec/pool.h"

/* -- the shelf ------------------------------------------------------------- */

/* The address sanitizer knows best what malloc gave. */
#ifdef POOL_POISONS
enum { SHELF_LEN = 0 };
#else
enum { SHELF_LEN = 16 };
#endif

static _Alignas(64) unsigned char shelf[SHELF_LEN + 1][POOL_CHUNK];
static _Atomic uint32_t on_shelf = (UINT32_C(1) << SHELF_LEN) - 1;

static struct pool_chunk *shelf_take(void)
{
    uint32_t set = atomic_load_explicit(&on_shelf, memory_order_relaxed);

    /* acquire: pairs with the release in shelf_put(), by whoever had it. */
    while (set != 0 && !atomic_compare_exchange_weak_explicit(
                           &on_shelf, &set, set & (set - 1),
                           memory_order_acquire, memory_order_relaxed))
        ;
    return set ? (struct pool_chunk *)(void *)shelf[__builtin_ctz(set)] : NULL;
}

/* false: it is not from there. */
static bool shelf_put(struct pool_chunk *chunk)
{
    uintptr_t place = (uintptr_t)chunk - (uintptr_t)shelf;

    if (place >= (uintptr_t)SHELF_LEN * POOL_CHUNK)
        return false;
    /* release: pairs with the acquire in shelf_take(). */
    atomic_fetch_or_explicit(&on_shelf, UINT32_C(1) << place / POOL_CHUNK,
                             memory_order_release);
    return true;
}

static struct pool_chunk *chunk_new(size_t len)
{
    if (len == POOL_CHUNK) {
        if (fault("malloc", ENOMEM))
            return NULL;
        struct pool_chunk *chunk = shelf_take();
        if (chunk)
            return chunk;
    }
    return mem_alloc(len);
}

static void chunk_free(struct pool_chunk *chunk)
{
    if (!shelf_put(chunk))
        free(chunk);
}

/* -- the pool -------------------------------------------------------------- */

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
    struct pool_chunk *chunk = chunk_new(chunk_len);
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
    chunk_free(chunk);
}
