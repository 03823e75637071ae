/* patience.c - how long a call may last, and what it waits for.
 *
 * Getters wait for the tail to move, putters for the head, or for a block to be
 * released; all for the end.
 * A wait goes through up to five stages, the first three once a call:
 *
 *     pause   half a microsecond or more without a look, then looks with pauses
 *     yield   looks, with the processor offered to others in between: a sleeper's
 *             wake costs more than most waits last
 *     spin    looks for as long as a wake costs, where that has paid off (spin.c)
 *     sleep   on the event, as event.c has it: arm, look again, sleep, arm
 *     tick    nobody sleeps longer than that before he looks again
 *
 * Why not look at once? The line of the word that is waited for belongs to the
 * other side while it writes; a look takes it away, and the other side's next
 * commit waits until it is back. Two that go hand in hand slow each other down to
 * the pace of that line. Left alone for the time of some items, the other side
 * does them at its own pace, and all are taken then without a look (ring.c). Where
 * some have come while we paused, more will next time: the pause is doubled, to
 * four microseconds at most; where none or few have come, it is halved again.
 *
 * Pausing helps while the other side runs on another processor. If it shares
 * ours, it cannot go on until we yield; so a handle whose waits were not over
 * after a few pauses, N_VAIN times in a row, yields at once, and tries pauses
 * again only now and then.
 *
 * Where the tick finds that the change had come, and that something is left to
 * do, a wake-up was lost, or is just under way: to us, or to another sleeper who
 * will pass it on. To tell the two apart takes a second look a while later: it
 * was lost if nobody has rung, nor woken us, and nobody of those who wait here has
 * got on. Only then it counts.
 *
 * Proof: tests/unit/test-queue-wait.c; tests/stress/ for the count.
 */
#include <errno.h>

#include "chute/queue.h"
#include "plat/plat.h"
#include "shm/patience.h"
#include "shm/ring.h"
#include "shm/tick.h"

/* Who does not want to wait still lets a call that is copying finish; if that
 * takes so long, its process is likely to be stopped. */
#define LOCK_NS INT64_C(1000000000)

#define N_PAUSES_UNSEEN 32 /* before the first look, */
#define MOST_DOUBLED    3  /* doubled so often at most, */
#define SOME            3  /* if so many have come */
#define N_PAUSES        50
#define N_YIELDS        32

/* After so many waits without success pauses are left out, but for one wait in so
 * many. */
#define N_VAIN      4
#define RETRY_EVERY 64

int patience_begin(struct patience *patience, int64_t timeout_ns,
                   bool interruptible, struct habit *habit,
                   struct shm_blocked *blocked)
{
    *patience = (struct patience){.nowait = timeout_ns == 0,
                                  .interruptible = interruptible,
                                  .habit = habit,
                                  .blocked = blocked};
    int r = plat_deadline(timeout_ns, &patience->deadline);

    if (r < 0)
        return r;
    patience->lock_deadline = patience->copy_deadline = patience->deadline;
    if (patience->nowait) {
        patience->lock_deadline = plat_now_coarse() + LOCK_NS;
        patience->copy_deadline = PLAT_NEVER;
    }
    return 0;
}

static bool has_come(const struct change *change)
{
    /* relaxed: it only says that a look under the lock is worth while. */
    return atomic_load_explicit(change->word, memory_order_relaxed) !=
               change->seen ||
           ring_is_closed(change->chain);
}

/* How many have come; the upper half of a commit word counts them. */
static uint32_t n_come(const struct change *change)
{
    uint64_t word = atomic_load_explicit(change->word, memory_order_relaxed);

    return (uint32_t)(word >> 32) - (uint32_t)(change->seen >> 32);
}

static void pause_unseen(struct habit *habit, const struct change *change)
{
    unsigned n_doubled =
        atomic_load_explicit(&habit->n_doubled, memory_order_relaxed);
    unsigned next = n_doubled;

    for (unsigned i = 0; i < (unsigned)N_PAUSES_UNSEEN << n_doubled; i++)
        plat_pause();
    if (n_come(change) < SOME)
        next -= n_doubled > 0;
    else
        next += n_doubled < MOST_DOUBLED;
    if (next != n_doubled)
        atomic_store_explicit(&habit->n_doubled, next, memory_order_relaxed);
}

static bool pause_for(struct habit *habit, const struct change *change)
{
    pause_unseen(habit, change);
    for (int i = 0; i < N_PAUSES; i++) {
        if (has_come(change))
            return true;
        plat_pause();
    }
    return false;
}

static bool pause_if_it_pays(struct habit *habit, const struct change *change)
{
    unsigned n_vain =
        atomic_load_explicit(&habit->n_vain, memory_order_relaxed);
    bool helps = (n_vain < N_VAIN || n_vain % RETRY_EVERY == 0) &&
                 pause_for(habit, change);

    if (!helps || n_vain)
        atomic_store_explicit(&habit->n_vain, helps ? 0 : n_vain + 1,
                              memory_order_relaxed);
    return helps;
}

static bool yield_for(const struct change *change)
{
    for (int i = 0; i < N_YIELDS; i++) {
        if (has_come(change))
            return true;
        plat_yield();
    }
    return false;
}

static bool spin_for(struct patience *patience, const struct change *change)
{
    while (spin_again(&patience->habit->spin, &patience->spin_wait,
                      patience->deadline))
        if (has_come(change))
            return true;
    return false;
}

/* As long as the caller has said. */
static bool look_for(const struct change *change, int64_t look_ns)
{
    int64_t end = plat_now() + look_ns;

    do {
        if (has_come(change))
            return true;
        plat_yield();
    } while (!plat_expired(end));
    return false;
}

static bool poll_for(struct patience *patience, const struct change *change)
{
    struct habit *habit = patience->habit;

    if (habit->spin_ns == CHUTE_SPIN_NEVER)
        return false;
    if (pause_if_it_pays(habit, change))
        return true;
    if (habit->spin_ns)
        return look_for(change, (int64_t)habit->spin_ns);
    return yield_for(change) || spin_for(patience, change);
}

bool patience_poll(struct patience *patience, const struct change *change)
{
    if (patience->polled)
        return false;
    patience->polled = true;
    return poll_for(patience, change);
}

/* For those who look on: that this call waits, and since when. */
static void write_down(struct patience *patience, struct shm_event *event)
{
    struct shm_blocked *blocked = patience->blocked;

    if (patience->is_blocked)
        return;
    patience->is_blocked = true;
    if (atomic_fetch_add_explicit(&blocked->n_threads, 1,
                                  memory_order_relaxed) == 0)
        atomic_store_explicit(&blocked->since, plat_now(),
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&event->n_waits, 1, memory_order_relaxed);
}

void patience_end(struct patience *patience)
{
    spin_learn(&patience->habit->spin, &patience->spin_wait);
    if (!patience->is_blocked)
        return;
    patience->is_blocked = false;
    atomic_fetch_sub_explicit(&patience->blocked->n_threads, 1,
                              memory_order_relaxed);
}

static void count_if_lost(const struct change *change)
{
    struct shm_event *event = change->event;
    uint64_t own = atomic_load_explicit(change->own, memory_order_relaxed);
    uint32_t v = atomic_load_explicit(&event->word, memory_order_relaxed);
    int64_t grace_over = plat_now() + TICK_GRACE_NS;

    if (plat_wait(&event->word, v, grace_over) == -ETIMEDOUT &&
        tick_was_prompt(grace_over) &&
        atomic_load_explicit(&event->word, memory_order_relaxed) == v &&
        atomic_load_explicit(change->own, memory_order_relaxed) == own)
        atomic_fetch_add_explicit(&event->n_rescues, 1, memory_order_relaxed);
}

int patience_wait(struct patience *patience, const struct change *change)
{
    if (patience->nowait)
        return -ETIMEDOUT;
    if (patience_poll(patience, change))
        return 0;
    while (!plat_expired(patience->deadline)) {
        uint32_t v = event_arm(change->event);
        if (has_come(change))
            return 0;
        write_down(patience, change->event);
        int64_t tick_over = plat_now() + TICK_NS;
        int r = event_wait(change->event, v, patience->deadline);
        if (r == 0) {
            patience->slept = true;
            (void)event_arm(change->event);
            return 0;
        }
        if (r == -EINTR && patience->interruptible)
            return r;
        /* What he sees does not hang on a wake-up alone: it tells nothing. */
        if (r == -ETIMEDOUT && !change->is_left)
            return 0;
        if (r == -ETIMEDOUT && has_come(change)) {
            /* After the caller's deadline, or if we were slow to get up, it
             * may have come just now: that tells nothing. */
            if (tick_was_prompt(tick_over) && change->is_left(change->chain))
                count_if_lost(change);
            /* In there a wake-up may have come to us, and disarmed. */
            patience->slept = true;
            (void)event_arm(change->event);
            return 0;
        }
        /* Who waits for an item that does not come has time to give back what
         * the queue holds in excess: the caller does. */
        if (r == -ETIMEDOUT && change->event == &change->chain->shm->items &&
            region_is_excess(change->chain))
            return 0;
    }
    return -ETIMEDOUT;
}
