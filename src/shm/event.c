/* event.c - waiting for something to happen, without a lock.
 *
 * The data that is waited for is a word elsewhere: the queue's tail for those
 * who wait for items, its head for those who wait for space. The event is only
 * the doorbell: a sequence number and a bit that says that somebody listens.
 *
 *     waiter                              waker
 *       v = event_arm()   sets the bit      writes the data
 *       looks at the data                   full barrier
 *       event_wait(v)                       event_wake(): if the bit is set,
 *       event_arm()       on waking           clear it, advance the sequence,
 *       takes; if more is there,              wake one
 *       event_wake()
 *
 * Either the waiter sees the data, or the waker sees the bit (each writes, then
 * has a full barrier, then reads the other's: Dekker). A wake costs a system
 * call only if somebody listens, and at most one for each time that somebody
 * begins to.
 *
 * Why a sequence: a mere flag can be cleared by a waker and set again by
 * another waiter before the first has gone to sleep; he would then sleep
 * through what he was to be told. Why a waiter arms again on waking: the bit
 * was cleared for him alone, others may sleep on. Why he wakes the next one
 * when he leaves and there is more: two wakers may have found the bit set once.
 * Each of the three, left out, loses a wake-up.
 *
 * A waker that dies between its data and its wake, or a woken waiter that dies
 * before it acts, is mended by the tick (tick.h).
 *
 * Proof: tests/unit/test-event.c, tests/torture/strand.c, tests/model/.
 */
#include "shm/event.h"
#include "shm/tick.h"

#define ARMED 1u

#ifdef CHUTE_FAULT
int64_t tick_ns = TICK_REAL_NS;
#endif

uint32_t event_arm(struct shm_event *event)
{
    /* seq_cst, a read-modify-write even when the bit is set already: pairs with
     * the barrier in event_wake(). The caller's next look at the data comes
     * after it. */
    uint32_t v =
        atomic_fetch_or_explicit(&event->word, ARMED, memory_order_seq_cst);
    plat_fence_after_rmw();
    return v | ARMED;
}

int event_wait(struct shm_event *event, uint32_t seen, int64_t deadline)
{
    return tick_wait(&event->word, seen, deadline);
}

void event_wake(struct shm_event *event, int n)
{
    /* The caller's data was written before its last read-modify-write; pairs
     * with event_arm(). */
    plat_fence_after_rmw();
    uint32_t v = atomic_load_explicit(&event->word, memory_order_relaxed);

    while (v & ARMED) {
        /* +1 clears the bit and carries into the sequence. relaxed: the data
         * has its own acquire and release; this word only rings. */
        if (atomic_compare_exchange_weak_explicit(&event->word, &v, v + 1,
                                                  memory_order_relaxed,
                                                  memory_order_relaxed)) {
            plat_wake(&event->word, n);
            return;
        }
    }
}
