/* event.h - waiting for something to happen, without a lock. See event.c. */
#ifndef SHM_EVENT_H
#define SHM_EVENT_H

#include <limits.h>

#include "plat/plat.h"
#include "shm/layout.h"

#define EVENT_ALL INT_MAX

/* Announce that the caller is about to wait; what it gives is for event_wait.
 * The caller looks at the data once more in between. */
uint32_t event_arm(struct shm_event *event);

/* Sleep until the event advances from `seen`, for a tick at most. 0: something
 * happened; -ETIMEDOUT: the tick, or the deadline; -EINTR. */
int event_wait(struct shm_event *event, uint32_t seen, int64_t deadline);

/* Tell one sleeper (or EVENT_ALL) that the data has changed, which the caller
 * has written before, with a read-modify-write on any word after it. */
void event_wake(struct shm_event *event, int n);

#endif
