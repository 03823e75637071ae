/* lock.h - a lock in shared memory that survives its owner. See lock.c. */
#ifndef SHM_LOCK_H
#define SHM_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "plat/plat.h"
#include "shm/layout.h"

/* lock_take's result when the last owner died holding the lock: taken all the
 * same, and what he guarded is as he left it. */
#define LOCK_DIED 1

/* Take the lock for the calling thread. 0, LOCK_DIED, or -ETIMEDOUT; -EINTR if
 * `interruptible` and a handler ran while waiting; -EDEADLK if this thread has
 * it already; -ENOMEM (first use in a process). A deadline in the past tries
 * once. A thread holds at most one lock at a time. */
int lock_take(struct shm_lock *lock, int64_t deadline, bool interruptible);

/* Let go of a lock that the calling thread holds. */
void lock_drop(struct shm_lock *lock);

/* A lock, and beside it what this process keeps to itself and changes under it:
 * mappings, messages half received. Whoever can write the shared memory can let
 * two threads into the lock at once. That may garble what is shared, but not
 * what is private: so the guard, which is private too, lets one of them in.
 * All zero is a free guard. One that a child inherits is free as well. */
struct lock_guard {
    _Atomic uint64_t holder; /* {epoch:32 high, tid:32 low}; 0: nobody */
};

/* lock_take and lock_drop with a guard. CHUTE_ECORRUPT: another thread of this
 * process is inside already, and the lock has not been taken. */
int lock_take_guarded(struct shm_lock *lock, struct lock_guard *guard,
                      int64_t deadline, bool interruptible);
void lock_drop_guarded(struct shm_lock *lock, struct lock_guard *guard);

#endif
