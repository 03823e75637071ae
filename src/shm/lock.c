/* lock.c - a lock in shared memory that survives its owner.
 *
 * The word holds the owner's tid (30 bits), or 0, and two bits:
 *
 *     31 PLAT_WAITERS     somebody sleeps on the word
 *     30 PLAT_OWNER_DIED  set by the kernel when the owner died; tid is then 0
 *
 * It is the robust futex of the kernel (robust-futex-ABI), used without the
 * list: a thread that may own the word has it in its list_op_pending from
 * before the first compare-and-swap until after the release. If the thread dies
 * anywhere in between, the kernel compares the word's tid with the dying one:
 *
 *     before the CAS, after the release   another tid or none: nothing to do
 *                                         (none: one waiter is woken, for the
 *                                         wake that may not have been sent)
 *     in between                          tid -> 0, OWNER_DIED, wake one
 *
 * So the lock is never lost, and the next owner is told (LOCK_DIED). Compared
 * with a robust pthread mutex there is no pointer in shared memory that a
 * hostile peer could bend, and it costs half.
 *
 * What the kernel does not cover: a waiter that has been woken dies after
 * somebody else took the free word. The wake is lost with it; a second waiter
 * would sleep on. Hence nobody sleeps longer than one tick before he looks
 * again, and counts if that was what helped (n_rescues).
 *
 * Also covered by looking: an owner that the kernel could not help (its robust
 * list was damaged by others). Once a second a waiter asks whether the owner
 * that it has seen all that time is alive at all.
 *
 * Guards. What is said so far holds among those who keep to the protocol. One
 * who does not can write 0 into the word of a lock that is held, and a second
 * thread comes in. In shared memory that does no more than any other garbage;
 * but the handle of a queue or connection has private memory that is changed
 * under the same lock, and two threads in there would unmap each other's
 * mappings. Hence a guard in the handle: one compare-and-swap on a line that the
 * process has to itself; and where the process has but one thread, not even
 * that, for none can come while this one is in here.
 *
 * Proof: tests/unit/test-lock.c, tests/stress/hostile.c, tests/torture/strand.c,
 * tests/model/.
 */
#include <errno.h>

#include "base/fail.h"
#include "chute/error.h"
#include "shm/lock.h"
#include "shm/tick.h"

/* A short critical section is over within a few yields; then sleep. */
#define N_YIELDS 8

/* How often, before a wake-up counts as lost, we look for somebody else who has
 * been woken. */
#define LOOK_NS INT64_C(1000000)

/* Once in so many ticks (a second) see whether the owner lives. */
#define N_TICKS_OF_DOUBT 20

static void count(_Atomic uint32_t *counter)
{
    /* The lock is ours: no other writer. */
    atomic_store_explicit(
        counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
        memory_order_relaxed);
}

/* Take the word if it is free: v is its value, changed to the current one on
 * failure. `waiters` is kept set if others may be asleep. */
static bool take_free(struct shm_lock *lock, uint32_t *v, uint32_t tid,
                      uint32_t waiters)
{
    /* acquire: pairs with the release in lock_drop(), or with the full barrier
     * of the kernel's exchange for a dead owner. */
    return atomic_compare_exchange_strong_explicit(
        &lock->word, v, tid | (*v & PLAT_WAITERS) | waiters,
        memory_order_acquire, memory_order_relaxed);
}

/* A wait has timed out, and the word is free: was a wake-up lost? There is no
 * telling if it was the caller's deadline, or if we were slow to get up, for
 * the owner may have let go meanwhile. And not if one is under way: to us, who
 * are woken then, or to another sleeper, who will have the word in a moment. */
static bool was_lost(struct shm_lock *lock, int64_t tick_over)
{
    if (!tick_was_prompt(tick_over))
        return false;
    int64_t look = plat_now();
    for (int i = 0; i < TICK_GRACE_NS / LOOK_NS; i++)
        if (plat_wait(&lock->word, 0, look += LOOK_NS) != -ETIMEDOUT)
            return false;
    return tick_was_prompt(look) &&
           atomic_load_explicit(&lock->word, memory_order_relaxed) == 0;
}

/* What take_free() found: tell of a death, count what happened. */
static int taken(struct shm_lock *lock, uint32_t found, bool rescued)
{
    if (found & PLAT_OWNER_DIED) {
        count(&lock->n_deaths);
        return LOCK_DIED;
    }
    if (rescued && !(found & PLAT_WAITERS))
        count(&lock->n_rescues);
    return 0;
}

/* One thread's way through the slow path. */
struct contest {
    struct shm_lock *lock;
    uint32_t waiters;  /* PLAT_WAITERS once we have slept */
    uint32_t owner;    /* seen at the last tick, */
    int n_ticks;       /* and at so many before it */
    int64_t tick_over; /* when the last sleep was to end by itself */
    bool tick;         /* it did, */
    bool lost;         /* and should not have */
};

/* Whether the owner has been there for a second, and is dead. */
static bool owner_vanished(struct contest *c, uint32_t v)
{
    if (!c->tick || (v & PLAT_OWNER_MASK) != c->owner) {
        c->owner = v & PLAT_OWNER_MASK;
        c->n_ticks = 0;
        return false;
    }
    return ++c->n_ticks % N_TICKS_OF_DOUBT == 0 && !plat_alive(c->owner);
}

/* Sleep until the word, which is v, is free or changes. -ETIMEDOUT: the
 * deadline; -EINTR; -EAGAIN: it had changed before. */
static int sleep_on(struct contest *c, uint32_t v, int64_t deadline)
{
    bool late = plat_expired(deadline);

    if (late && !c->waiters)
        return -ETIMEDOUT;
    /* relaxed: the bit says no more than that somebody sleeps. */
    if (!(v & PLAT_WAITERS) && !atomic_compare_exchange_strong_explicit(
                                   &c->lock->word, &v, v | PLAT_WAITERS,
                                   memory_order_relaxed, memory_order_relaxed))
        return -EAGAIN;
    /* Others may be asleep beside us, and the release that woke us cleared the
     * bit: so whoever has slept sets it again, even if he gives up now. */
    if (late)
        return -ETIMEDOUT;
    c->waiters = PLAT_WAITERS;
    c->lost = false;
    c->tick_over = plat_now() + TICK_NS;
    int r = tick_wait(&c->lock->word, v | PLAT_WAITERS, deadline);
    c->tick = r == -ETIMEDOUT;
    return c->tick ? 0 : r;
}

/* The slow path: the word was not 0. */
static int take_contended(struct shm_lock *lock, uint32_t tid, int64_t deadline,
                          bool interruptible)
{
    struct contest c = {.lock = lock};
    int n_yields = 0;

    for (;;) {
        uint32_t v = atomic_load_explicit(&lock->word, memory_order_relaxed);

        if (!(v & PLAT_OWNER_MASK)) {
            if (c.tick && v == 0 && !c.lost)
                c.tick = c.lost = was_lost(lock, c.tick_over);
            else if (take_free(lock, &v, tid, c.waiters))
                return taken(lock, v, c.lost);
            continue;
        }
        if ((v & PLAT_OWNER_MASK) == tid)
            return fail(-EDEADLK);
        if (!c.waiters && n_yields++ < N_YIELDS) {
            plat_yield();
            continue;
        }
        /* A dead owner's word is taken as it stands, or not at all. */
        if (owner_vanished(&c, v) && take_free(lock, &v, tid, PLAT_WAITERS))
            return taken(lock, PLAT_OWNER_DIED, false);
        int r = sleep_on(&c, v, deadline);
        if (r == -ETIMEDOUT || (r == -EINTR && interruptible))
            return r;
    }
}

int lock_take(struct shm_lock *lock, int64_t deadline, bool interruptible)
{
    int r = 0;
    const struct plat_self *self = plat_self(&r);

    if (!self)
        return r;
    plat_pend(self, &lock->word);
    uint32_t v = 0;
    if (take_free(lock, &v, self->tid, 0))
        return 0;
    r = take_contended(lock, self->tid, deadline, interruptible);
    if (r < 0 && r != -EDEADLK)
        plat_pend(self, NULL);
    return r;
}

void lock_drop(struct shm_lock *lock)
{
    const struct plat_self *self = &plat_self_;

    /* seq_cst: pairs with the acquire in take_free(); and it orders what was
     * written under the lock before the look at an event word that follows
     * (event_wake). */
    uint32_t v = atomic_exchange_explicit(&lock->word, 0, memory_order_seq_cst);
    if (v & PLAT_WAITERS)
        plat_wake(&lock->word, 1);
    plat_pend(self, NULL);
}

/* -- guards ----------------------------------------------------------------- */

/* Become the holder in place of *found; false, and who it is, if that is not
 * the holder. */
static bool guard_swap(struct lock_guard *guard, uint64_t *found, uint64_t mine)
{
    /* acquire: pairs with the release in lock_drop_guarded(). */
    return atomic_compare_exchange_strong_explicit(&guard->holder, found, mine,
                                                   memory_order_acquire,
                                                   memory_order_relaxed);
}

static bool guard_take(struct lock_guard *guard)
{
    const struct plat_self *self = &plat_self_;
    uint64_t mine = (uint64_t)self->epoch << 32 | self->tid, found = 0;

    if (plat_alone())
        return true;
    if (guard_swap(guard, &found, mine))
        return true;
    /* Of a thread that has ended inside, or of one of the parent's, at the fork:
     * then nobody is there. */
    bool gone = found >> 32 != self->epoch ||
                !plat_thread_alive(self->pid, (uint32_t)found);
    return gone && guard_swap(guard, &found, mine);
}

int lock_take_guarded(struct shm_lock *lock, struct lock_guard *guard,
                      int64_t deadline, bool interruptible)
{
    int r = lock_take(lock, deadline, interruptible);

    if (r >= 0 && !guard_take(guard)) {
        lock_drop(lock);
        return fail(CHUTE_ECORRUPT);
    }
    return r;
}

void lock_drop_guarded(struct shm_lock *lock, struct lock_guard *guard)
{
    /* release: pairs with the acquire in guard_take(). */
    atomic_store_explicit(&guard->holder, 0, memory_order_release);
    lock_drop(lock);
}
