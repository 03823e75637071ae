/* patience.h - how long a call may last, and what it waits for. See patience.c.
 */
#ifndef SHM_PATIENCE_H
#define SHM_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "plat/spin.h"
#include "shm/event.h"
#include "shm/region.h"

/* How a handle waits on one side: as it was told to, and as it has learnt. A
 * guess, shared by its threads. All zero: nothing of either. */
struct habit {
    uint64_t spin_ns;           /* as in struct chute_queue_options */
    _Atomic unsigned n_vain;    /* waits in a row that pausing did not end */
    _Atomic unsigned n_doubled; /* how often the first pause has been */
    struct spin spin;
};

/* One call's patience. */
struct patience {
    int64_t deadline;      /* for room, or an item */
    int64_t lock_deadline; /* for a lock */
    int64_t copy_deadline; /* for a copy */
    bool interruptible;
    bool nowait;
    bool polled;
    bool slept; /* has used up a wake-up that others may need */
    struct habit *habit;
    struct spin_wait spin_wait;
    struct shm_blocked *blocked; /* where to write down that we wait, */
    bool is_blocked;             /* and we have */
};

/* What a call waits for: that `word` moves away from `seen`, or the end. */
struct change {
    struct region_chain *chain;
    struct shm_event *event;
    _Atomic uint64_t *word;
    _Atomic uint64_t *own; /* what those who wait here move themselves */
    uint64_t seen;
    /* Whether there is something to do for one who waits here: what has come may
     * have gone again, to another who was woken for it. NULL: the waiter himself
     * has to see, at each tick. */
    bool (*is_left)(struct region_chain *chain);
};

/* -EINVAL if the timeout is out of range. */
int patience_begin(struct patience *patience, int64_t timeout_ns,
                   bool interruptible, struct habit *habit,
                   struct shm_blocked *blocked);

/* The call is over: nobody waits any more. */
void patience_end(struct patience *patience);

/* All that is done before the first sleep, once a call that may wait: true if the
 * change has come. patience_wait() does it, too. */
bool patience_poll(struct patience *patience, const struct change *change);

/* 0: the change has come, or something has, or it is time to look; -ETIMEDOUT;
 * -EINTR. */
int patience_wait(struct patience *patience, const struct change *change);

#endif
