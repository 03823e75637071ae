/* patience.h - how long a call may last, and what it waits for. See patience.c.
 */
#ifndef SHM_PATIENCE_H
#define SHM_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/event.h"
#include "shm/region.h"
#include "plat/spin.h"

/* How a handle waits on one side: as it was told to, and as it has learnt. A
 * guess, shared by its threads. All zero: nothing of either. */
struct habit {
    int64_t look_ns;     /* look so long before sleeping; 0: as it pays */
    bool sleeps_at_once; /* do not look at all */
    _Atomic unsigned
        n_vain; /* waits in a row for which pausing was too short */
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
};

/* -EINVAL if the timeout is out of range. */
int patience_begin(struct patience *patience, int64_t timeout_ns,
                   bool interruptible, struct habit *habit,
                   struct shm_blocked *blocked);

/* The call is over: nobody waits any more. */
void patience_end(struct patience *patience);

/* 0: the change has come, or something has; -ETIMEDOUT; -EINTR. */
int patience_wait(struct patience *patience, const struct change *change);

#endif
