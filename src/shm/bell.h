/* bell.h - telling those who wait for a queue by a descriptor. See bell.c. */
#ifndef SHM_BELL_H
#define SHM_BELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "plat/plat.h"
#include "shm/layout.h"

/* What a process has of bells: one of its own, if it wants to be rung; and a
 * socket to ring others from, once it has had to. */
struct bell {
    int fd;                 /* its own; -1 */
    int sender;             /* the other; -1 */
    uint64_t name;          /* of fd */
    uint64_t net_namespace; /* of sender */
    /* {epoch:32 high, place:32 low} of its own, as chute_queue.membership. */
    _Atomic uint64_t hung;
};

#define BELL_NONE                                                              \
    {                                                                          \
        .fd = -1, .sender = -1                                                 \
    }

/* Whether this process has a bell there: one that it has inherited is another's.
 * The caller is known (plat_self). */
static inline bool bell_hangs(struct bell *bell)
{
    uint64_t hung = atomic_load_explicit(&bell->hung, memory_order_relaxed);

    return hung && hung >> 32 == plat_self_.epoch;
}

/* Under put_lock. Hang one, unless it hangs. CHUTE_EAGAIN: there is no place
 * left; -EMFILE, -ENOMEM, ... */
int bell_hang(struct shm_queue *shm, struct bell *bell);

/* Under put_lock, while there is nothing to get. Silence our own. */
void bell_hush(struct shm_queue *shm, struct bell *bell);

/* bell_ring() where one is silent. */
int bell_ring_all(struct shm_queue *shm, struct bell *bell);

/* Under put_lock, before what is to be told of happens. On return no bell is
 * silent; or, less than 0, that could not be made so: CHUTE_ENETNS, -EMFILE,
 * -ENOMEM, -EACCES, ... */
static inline int bell_ring(struct shm_queue *shm, struct bell *bell)
{
    return atomic_load_explicit(&shm->silent, memory_order_relaxed)
               ? bell_ring_all(shm, bell)
               : 0;
}

/* Take our own down, and close what there is. Needs no lock. */
void bell_free(struct shm_queue *shm, struct bell *bell);

#endif
