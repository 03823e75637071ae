/* lock.h - a lock in shared memory that survives its owner. See lock.c. */
#ifndef SHM_LOCK_H
#define SHM_LOCK_H

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

#endif
