/* tick.h - the longest sleep.
 *
 * A wake-up can be lost when a participant is killed at the wrong moment: the
 * producer between commit and wake, the woken consumer before it acts, the
 * woken waiter of a lock. No protocol closes all of these; looking again does.
 * So nobody sleeps on a word in shared memory for longer than a tick.
 *
 * A tick that helps hides a bug if nobody was killed. Hence every wait that the
 * tick ended although work was there is counted (n_rescues), and in tests
 * without kills the count has to be 0.
 */
#ifndef SHM_TICK_H
#define SHM_TICK_H

#include <errno.h>
#include <stdbool.h>

#include "plat/plat.h"

/* A test may make it longer than the test lasts: then a sleep ends by a wake-up
 * or not at all. */
#define TICK_REAL_NS INT64_C(50000000)
#ifdef CHUTE_FAULT
extern int64_t tick_ns; /* event.c */
#define TICK_NS tick_ns
#else
#define TICK_NS TICK_REAL_NS
#endif

/* Who was up so soon after a tick, and finds that he should have been woken, may
 * have been forgotten; */
#define TICK_PROMPT_NS INT64_C(1000000)

/* he was, if no wake-up turns out to have been under way for so long. The test
 * build can afford to be sure of that on an overloaded machine. */
#ifdef CHUTE_FAULT
#define TICK_GRACE_NS INT64_C(1000000000)
#else
#define TICK_GRACE_NS INT64_C(10000000)
#endif

/* Whether a sleep that was to end at `over` has, and we were up soon after: if
 * not, the machine is busy, or the sleep has ended before, and what we find says
 * nothing about wake-ups. */
static inline bool tick_was_prompt(int64_t over)
{
    int64_t late = plat_now() - over;

    return late >= 0 && late < TICK_PROMPT_NS;
}

/* Sleep while *word is `seen`, for a tick at most. 0: woken or changed;
 * -ETIMEDOUT: the tick or the deadline; -EINTR. */
static inline int tick_wait(_Atomic uint32_t *word, uint32_t seen,
                            int64_t deadline)
{
    int64_t tick = plat_now() + TICK_NS;

    return plat_wait(word, seen, tick < deadline ? tick : deadline);
}

#endif
