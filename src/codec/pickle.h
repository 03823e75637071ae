/* pickle.h - a pickle into memory that somebody else provides, and out of it.
 *
 * The queue copies a message once: from the value into the shared memory. So
 * encoding has two steps. The first looks at the whole value, can fail, and
 * says how long the pickle is; the second writes exactly so many bytes, cannot
 * fail, allocates nothing, and may stand in a critical section.
 *
 *     struct pickle p;
 *
 *     r = pickle_begin(&p, v);      v stays the caller's, and must stay alive
 *     if (r < 0)
 *         return r;
 *     ... p.len bytes at dst ...
 *     pickle_write(&p, dst);        at most once
 *     pickle_end(&p);
 *
 * It is safe for other threads to use v, or parts of it, meanwhile. NULL for v
 * gives CHUTE_ENOMEM: a constructor may stand in the call. The struct must not
 * be moved between the calls.
 */
#ifndef CODEC_PICKLE_H
#define CODEC_PICKLE_H

#include "base/buf.h"
#include "chute/pickle.h"
#include "codec/map.h"
#include "codec/stack.h"

struct pickle {
    size_t len;

    /* private: */
    const chute_value *v;
    struct walk walk; /* as large as the second walk needs it */
    /* What has more than one reference: */
    struct map numbers; /* of the parts */
    struct buf parts;   /* struct part, from 1 */
    struct buf met; /* uint32_t: their numbers, each time one is met; and 0 */
    uint32_t last;  /* the last of them */
    size_t n_memo;  /* how many are met more than once */
    size_t n_gets;  /* how often they are met again */
    /* pickle_write: */
    const chute_value *next; /* the next part to be met, or NULL */
    uint32_t next_index;     /* the memo's next index */
    const uint32_t *ahead;   /* the next part's place in `met` */
};

int pickle_begin(struct pickle *p, const chute_value *v);
void pickle_write(struct pickle *p, void *dst);
void pickle_end(struct pickle *p);

/* Decode data that lies in *block, which malloc gave, as chute_loads does. Bytes
 * that are most of a long message are not copied: then the block goes with the
 * value, and *block is NULL. Otherwise, and on failure, it stays the caller's. */
int pickle_loads_block(void **block, const void *data, size_t data_len,
                       chute_value **ret_value);

#endif
