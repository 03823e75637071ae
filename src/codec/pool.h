/* pool.h - memory for the many small values of one message.
 *
 * A pickle of a few KiB decodes to a few hundred values, which are made one
 * after another and mostly die together. To ask malloc for each, and free each,
 * would take longer than all the rest of decoding. So the decoder cuts small
 * values from chunks, one behind the other:
 *
 *     chunk   [ n_refs | list | its items | str | str | float | ...      ]
 *                      ^ place 2, in units of 8 bytes from the beginning
 *
 * A chunk counts the values that live in it, and is freed with the last; a
 * value knows its place in its chunk, and so finds it. Nothing in a chunk is
 * used twice. What a program keeps of a message therefore holds on to a chunk's
 * worth of its neighbours, 16 KiB at most and less if the message was small;
 * large values have memory of their own.
 *
 * Under AddressSanitizer there is a gap behind each piece, and the gaps, the
 * unused end and the heads of dead values are poisoned.
 */
#ifndef CODEC_POOL_H
#define CODEC_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define POOL_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(POOL_ASAN)
#include <sanitizer/asan_interface.h>
#define POOL_POISONS
#define POOL_POISON(p, len)   ASAN_POISON_MEMORY_REGION(p, len)
#define POOL_UNPOISON(p, len) ASAN_UNPOISON_MEMORY_REGION(p, len)
#define POOL_GAP              8
#else
#define POOL_POISON(p, len)   ((void)0)
#define POOL_UNPOISON(p, len) ((void)0)
#define POOL_GAP              0
#endif

enum {
    POOL_CHUNK = 16384, /* bytes of the largest chunk */
    POOL_SMALL = 1024,  /* a larger piece is not for the pool */
    POOL_UNIT = 8,      /* of places, and of alignment */
    POOL_SLACK = 128,   /* what even the smallest message needs */
};

struct pool_chunk {
    _Atomic uint32_t n_refs; /* values in it, and the pool that fills it */
    uint32_t unused;
    unsigned char data[];
};

struct pool {
    struct pool_chunk *chunk; /* the one that is being filled, or NULL */
    unsigned char *at, *end;  /* what is left of it */
    size_t next_len;          /* of the next chunk */
};

/* For a message of so many bytes. Takes no memory yet. */
void pool_begin(struct pool *p, size_t message_len);

/* Fill no more. Values in it live on. */
void pool_end(struct pool *p);

/* Begin another chunk with place for len. 0, or CHUTE_ENOMEM. */
int pool_more(struct pool *p, size_t len);

/* n values that lived in the chunk are dead. */
void pool_drop(struct pool_chunk *chunk, uint32_t n);

static inline struct pool_chunk *pool_chunk_of(const void *value,
                                               uint16_t place)
{
    return (struct pool_chunk *)((uintptr_t)value -
                                 (uintptr_t)place * POOL_UNIT);
}

/* A piece for another value, of at most POOL_SMALL bytes, and its place; NULL
 * if memory is short. */
static inline void *pool_alloc(struct pool *p, size_t len, uint16_t *ret_place)
{
    size_t need = ((len + POOL_UNIT - 1) & ~(size_t)(POOL_UNIT - 1)) + POOL_GAP;

    if (need > (size_t)(p->end - p->at) && pool_more(p, need) < 0)
        return NULL;
    unsigned char *piece = p->at;
    p->at += need;
    POOL_UNPOISON(piece, len);
    /* relaxed, and no read-modify-write: nobody else knows the chunk. */
    uint32_t n = atomic_load_explicit(&p->chunk->n_refs, memory_order_relaxed);
    atomic_store_explicit(&p->chunk->n_refs, n + 1, memory_order_relaxed);
    *ret_place =
        (uint16_t)((size_t)(piece - (unsigned char *)p->chunk) / POOL_UNIT);
    return piece;
}

/* A piece that goes with a value, and dies with it: NULL if there is none in
 * that value's own chunk. */
static inline void *pool_alloc_beside(struct pool *p, const void *value,
                                      uint16_t place, size_t len)
{
    size_t need = ((len + POOL_UNIT - 1) & ~(size_t)(POOL_UNIT - 1)) + POOL_GAP;

    if (place == 0 || len > POOL_SMALL || need > (size_t)(p->end - p->at) ||
        pool_chunk_of(value, place) != p->chunk)
        return NULL;
    unsigned char *piece = p->at;
    p->at += need;
    POOL_UNPOISON(piece, len);
    return piece;
}

#endif
