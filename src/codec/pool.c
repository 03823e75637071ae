/* pool.c - memory for the many small values of one message. See pool.h.
 *
 * How much a message needs is not known beforehand. The first chunk is twice
 * as long as the message, which is enough for most, so that a small message
 * takes a small chunk; if it was not, each chunk is twice the one before.
 *
 * Chunks of full length come from a shelf of 64, a megabyte, while it has any,
 * and go back there: a program that decodes large messages one after another
 * would otherwise have malloc take the memory from the system and give it back,
 * page by page, for each, which takes as long as decoding. One word says which
 * are on the shelf; pages that were never used take no memory. A child of fork() has a copy of it, and of those that its
 * parent's other threads had taken just then it has no use, as with malloc.
 *
 * The count goes down as a value's own does, with release, and whoever ends it
 * looks with acquire.
 */
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "chute/error.h"
#include "codec/pool.h"
#include "codec/value.h"

/* -- the shelf ------------------------------------------------------------- */

/* The address sanitizer knows best what malloc gave. */
#ifdef POOL_POISONS
enum { SHELF_LEN = 0 };
#else
enum { SHELF_LEN = 64 };
#endif

static _Alignas(64) unsigned char shelf[SHELF_LEN + 1][POOL_CHUNK];
static _Atomic uint64_t on_shelf = SHELF_LEN ? UINT64_MAX : 0;

static struct pool_chunk *shelf_take(void)
{
    uint64_t set = atomic_load_explicit(&on_shelf, memory_order_relaxed);

    /* acquire: pairs with the release in shelf_put(), by whoever had it. */
    while (set != 0 && !atomic_compare_exchange_weak_explicit(
                           &on_shelf, &set, set & (set - 1),
                           memory_order_acquire, memory_order_relaxed))
        ;
    return set ? (struct pool_chunk *)(void *)shelf[__builtin_ctzll(set)]
               : NULL;
}

/* false: it is not from there. */
static bool shelf_put(struct pool_chunk *chunk)
{
    uintptr_t place = (uintptr_t)chunk - (uintptr_t)shelf;

    if (place >= (uintptr_t)SHELF_LEN * POOL_CHUNK)
        return false;
    /* release: pairs with the acquire in shelf_take(). */
    atomic_fetch_or_explicit(&on_shelf, UINT64_C(1) << place / POOL_CHUNK,
                             memory_order_release);
    return true;
}

static struct pool_chunk *chunk_new(size_t len)
{
    if (len == POOL_CHUNK) {
        if (fault("malloc"))
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
    p->first = p->chunk = NULL;
    p->at = p->end = NULL;
    p->next_len = message_len < POOL_CHUNK / 2 ? 2 * message_len + POOL_SLACK
                                               : POOL_CHUNK;
}

static void free_ring(struct pool_chunk *first)
{
    struct pool_chunk *chunk = first->next;

    while (chunk != first) {
        struct pool_chunk *next = chunk->next;
        chunk_free(chunk);
        chunk = next;
    }
    if (first->block) /* rare, and a call */
        free(first->block);
    chunk_free(first);
}

void pool_end(struct pool *p)
{
    if (p->first)
        free_ring(p->first);
    p->first = NULL;
}

/* Put a chunk at the end of the ring. */
static void link_chunk(struct pool *p, struct pool_chunk *chunk)
{
    if (!p->first) {
        p->first = chunk->first = chunk->next = chunk->prev = chunk;
        chunk->block = NULL;
        atomic_init(&chunk->n_refs, 1);
        return;
    }
    chunk->first = chunk->next = p->first;
    chunk->prev = p->first->prev;
    chunk->prev->next = p->first->prev = chunk;
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

    link_chunk(p, chunk);
    p->chunk = chunk;
    p->at = chunk->data;
    p->end = (unsigned char *)chunk + chunk_len;
    p->next_len = 2 * chunk_len < POOL_CHUNK ? 2 * chunk_len : POOL_CHUNK;
    POOL_POISON(p->at, (size_t)(p->end - p->at));
    return 0;
}

/* -- pieces with a chunk to themselves ------------------------------------- */

static struct pool_chunk *chunk_of_large(void *piece)
{
    return (struct pool_chunk *)((unsigned char *)piece -
                                 sizeof(struct pool_chunk));
}

void *pool_large(struct pool *p, size_t len, uint16_t *ret_place)
{
    if (len > PTRDIFF_MAX - sizeof(struct pool_chunk))
        return NULL;
    /* The first chunk has a place that does not move. */
    if (!p->first && pool_more(p, 0) < 0)
        return NULL;
    struct pool_chunk *chunk = mem_alloc(sizeof *chunk + len);
    if (!chunk)
        return NULL;
    link_chunk(p, chunk);
    *ret_place = sizeof *chunk / POOL_UNIT;
    return chunk->data;
}

void *pool_resize(struct pool *p, void *old, size_t old_len, size_t len)
{
    uint16_t place;

    if (old_len <= POOL_SMALL) {
        void *piece = pool_alloc(p, len, &place);
        if (piece && old_len > 0)
            memcpy(piece, old, old_len);
        return piece;
    }
    if (len > PTRDIFF_MAX - sizeof(struct pool_chunk))
        return NULL;
    struct pool_chunk *chunk =
        mem_realloc(chunk_of_large(old), sizeof *chunk + len);
    if (!chunk)
        return NULL;
    chunk->next->prev = chunk->prev->next = chunk;
    return chunk->data;
}

/* -- references ------------------------------------------------------------ */

void pool_ref(struct pool_chunk *first)
{
    if (atomic_load_explicit(&first->n_refs, memory_order_relaxed) >
        VALUE_MAX_COUNT)
        return;
    /* relaxed: whoever makes a reference has one already. */
    if (atomic_fetch_add_explicit(&first->n_refs, 1, memory_order_relaxed) >=
        VALUE_MAX_COUNT)
        atomic_store_explicit(&first->n_refs, VALUE_IMMORTAL,
                              memory_order_relaxed);
}

void pool_drop(struct pool_chunk *first)
{
    /* acquire: pairs with the release below, in the thread that left us alone
     * with the message. */
    uint32_t n = atomic_load_explicit(&first->n_refs, memory_order_acquire);

    if (n > VALUE_MAX_COUNT)
        return;
    if (n != 1) {
        /* release: pairs with the acquire above and the fence beneath. */
        if (atomic_fetch_sub_explicit(&first->n_refs, 1,
                                      memory_order_release) != 1)
            return;
        atomic_thread_fence(memory_order_acquire);
    }
    free_ring(first);
}
