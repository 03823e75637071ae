/* pool.h - memory for all values of one message.
 *
 * A pickle of a few KiB decodes to a few hundred values, which are made one
 * after another and nearly always die together. To ask malloc for each, to count
 * references from one to the other, and to free each would take longer than all
 * the rest of decoding. So all that a message needs is cut from chunks, one piece
 * behind the other, and the message has one count: of the references that
 * somebody outside holds to any of its values.
 *
 *     chunk   [ first | next | prev | block, n_refs | list | its items | ... ]
 *                 ^ of the message: this one counts    ^ place 5, in units of
 *                                                        8 bytes
 *
 * A value knows its place in its chunk, and so finds the chunk, and that the
 * first. With the last reference all chunks are freed; no value is visited, and
 * nothing in a chunk is used twice. What a program keeps of a message therefore
 * keeps all of the message. A piece longer than POOL_SMALL has a chunk to itself.
 *
 * Under AddressSanitizer there is a gap behind each piece, and the gaps and the
 * unused end are poisoned.
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
    POOL_CHUNK = 16384, /* bytes of the largest chunk of many pieces */
    POOL_SMALL = 1024,  /* a larger piece has a chunk to itself */
    POOL_UNIT = 8,      /* of places, and of alignment */
    POOL_SLACK = 128,   /* what even the smallest message needs */
};

struct pool_chunk {
    struct pool_chunk *first;
    struct pool_chunk *next, *prev; /* a ring */
    void *block;                    /* in the first: freed with it */
    _Atomic uint32_t n_refs;        /* in the first: of the message */
    uint32_t unused;
    unsigned char data[];
};

struct pool {
    struct pool_chunk *first; /* NULL: nothing was taken yet */
    struct pool_chunk *chunk; /* the one that is being filled */
    unsigned char *at, *end;  /* what is left of it */
    size_t next_len;          /* of the next chunk */
};

/* For a message of so many bytes. Takes no memory yet. */
void pool_begin(struct pool *p, size_t message_len);

/* Free all of it. But a pool need not be ended: then it belongs to whoever holds
 * a reference to one of its values, and there is one to begin with. */
void pool_end(struct pool *p);

/* Begin another chunk with place for len. 0, or CHUTE_ENOMEM. */
int pool_more(struct pool *p, size_t len);

/* A piece with a chunk to itself; and its chunk's place. */
void *pool_large(struct pool *p, size_t len, uint16_t *ret_place);

/* A piece that is no value, longer: the same, moved, with old_len bytes copied;
 * the old one is gone. NULL, and nothing has changed, if memory is short. */
void *pool_resize(struct pool *p, void *old, size_t old_len, size_t len);

/* Memory that malloc gave is freed with the message, which has some memory. */
static inline void pool_own(struct pool *p, void *block)
{
    p->first->block = block;
}

/* References to a message from outside: another, and one fewer. */
void pool_ref(struct pool_chunk *first);
void pool_drop(struct pool_chunk *first);

/* The first chunk of the message that has this value. */
static inline struct pool_chunk *pool_first(const void *value, uint16_t place)
{
    return ((struct pool_chunk *)((uintptr_t)value -
                                  (uintptr_t)place * POOL_UNIT))
        ->first;
}

/* A piece, and its place; NULL if memory is short. */
static inline void *pool_alloc(struct pool *p, size_t len, uint16_t *ret_place)
{
    size_t need = ((len + POOL_UNIT - 1) & ~(size_t)(POOL_UNIT - 1)) + POOL_GAP;

    if (len > POOL_SMALL)
        return pool_large(p, len, ret_place);
    if (need > (size_t)(p->end - p->at) && pool_more(p, need) < 0)
        return NULL;
    unsigned char *piece = p->at;
    p->at += need;
    POOL_UNPOISON(piece, len);
    *ret_place =
        (uint16_t)((size_t)(piece - (unsigned char *)p->chunk) / POOL_UNIT);
    return piece;
}

#endif
