/* pickle.h - a pickle into memory that somebody else provides.
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

#include "chute/pickle.h"
#include "codec/map.h"
#include "codec/stack.h"

struct pickle {
    size_t len;

    /* private: */
    const chute_value *v;
    struct map shared;   /* boxes and blobs with more than one reference */
    struct walk walk;    /* as large as the second walk needs it */
    size_t n_memo;       /* how many are met more than once */
    size_t n_gets;       /* how often they are met again */
    uint64_t next_index; /* pickle_write: the memo's next index */
};

int pickle_begin(struct pickle *p, const chute_value *v);
void pickle_write(struct pickle *p, void *dst);
void pickle_end(struct pickle *p);

#endif
