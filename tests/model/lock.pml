/* lock.pml - src/shm/lock.c, the kernel's part in it, and kill -9.
 *
 * THREADS threads take and drop one lock, ROUNDS times each. Up to KILLS of
 * them die, between any two steps. A step is one access to what others see: the
 * word, or the futex queue (a set: whom a wake meets is not known). A load and
 * the compare-and-swap that acts on it are one step, for a compare-and-swap
 * that fails has done nothing and is followed by another load.
 *
 *     step here         in C
 *     pend, unpend      plat_pend(), before and after
 *     fast              lock_take(): take_free() of a word that is 0
 *     look              take_contended(): load, then take_free(), or
 *                       owner_vanished(); or sleep_on() sets WAITERS, or
 *                       finds that it is late
 *     sleep, asleep     sleep_on(): tick_wait() while the word is v; woken, or
 *                       the tick
 *     was_lost          was_lost(): plat_wait() while the word is 0
 *     work              the caller's work under the lock
 *     drop, ring        lock_drop(): the exchange, plat_wake()
 *     dead, dead_ring   the kernel, at exit, with the pending entry:
 *                       handle_futex_death() in kernel/futex/core.c
 *
 * Left out: yielding before the first sleep (it only delays), -EDEADLK, -EINTR (a
 * call that leaves so was not woken), and the counters: whether n_rescues is 0
 * without kills is a matter of time, of which there is none here.
 *
 * What has to hold
 *     one owner        never two between take and drop (assert in enter())
 *     told of a death  LOCK_DIED exactly when an owner died since the last
 *                      take: not less, not more (enter())
 *     nobody strands   without kills everybody comes to his end, and no tick
 *                      is needed (TICK 0; Spin finds who does not as an invalid
 *                      end state). With kills the tick is needed, and one is
 *                      enough: TICK 1 lets it come only when all that live are
 *                      asleep, and two in a row without a take are an error.
 *     any time         TICK 2: it comes whenever it likes, and does no harm.
 *     doubt            NO_LIST: the kernel does not help (somebody damaged the
 *                      dead one's list). DOUBT: a sleeper asks after the owner
 *                      whom he has seen two times, and takes the word.
 * HURRIED=1: thread 1 has a deadline and may leave instead of waiting on. Nobody
 * else may suffer for it.
 *
 * Sequential consistency only: what the orderings in lock.c promise is taken
 * for granted here.
 *
 * Variants, which must fail (see run for the bounds)
 *     DROP_SILENT     the drop wakes nobody
 *     RING_FIRST      it wakes before it frees the word
 *     FORGET_WAITERS  who has slept takes the word without WAITERS
 *     UNPEND_FIRST    the pending entry is taken back before the drop
 *     PEND_LATE       it is set only when the word is ours
 *     NO_OWNER_DIED   the kernel frees the word, but does not say why
 *     NO_LIST         the kernel does not help: only with DOUBT all is well
 *     LEAVE_UNMARKED  who leaves at his deadline does not set WAITERS first:
 *                     he may have been woken, and the bit cleared for him
 *     TICK 0 with KILLS  what the tick is for
 */
#ifndef THREADS
#define THREADS 3
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef HURRIED
#define HURRIED 0
#endif
#ifndef TICK
#define TICK 0
#endif

#define OWNER_MASK 15
#define OWNER_DIED 64
#define WAITERS    128

#define tid_of(v) ((v) & OWNER_MASK)

#ifdef LEAVE_UNMARKED
#define may_leave true
#else
#define may_leave (waiters == 0)
#endif

#ifdef DOUBT
#define owner_is_dead (tick && tid_of(v) == owner && !alive[owner])
#define MAX_BARREN THREADS /* each has to see the owner twice */
#else
#define owner_is_dead false
#define MAX_BARREN 1
#endif

byte word;
bool asleep[THREADS + 1]; /* the futex queue: for a tick, */
bool looking[THREADS + 1]; /* or in was_lost(), for a little while */
bool alive[THREADS + 1];  /* plat_alive(tid) */

/* What the properties speak of; the code does not see it. */
byte holder;       /* between take and drop, or 0 */
bool died_inside;  /* an owner died since the last take */
byte n_awake = THREADS;
byte n_barren;     /* ticks since the last take */
byte n_kills;

/* An `else` counts all the options of its state, this one too: hence the `true`
 * before an `if` that a step begins with. */
#if KILLS
#define MAY_DIE :: atomic { n_kills < KILLS -> n_kills++; goto dead }
#else
#define MAY_DIE
#endif

inline wake_one()
{
    if
    :: asleep[1] -> asleep[1] = false; n_awake++
    :: asleep[2] -> asleep[2] = false; n_awake++
    :: looking[1] -> looking[1] = false
    :: looking[2] -> looking[2] = false
#if THREADS > 2
    :: asleep[3] -> asleep[3] = false; n_awake++
    :: looking[3] -> looking[3] = false
#endif
#if THREADS > 3
    :: asleep[4] -> asleep[4] = false; n_awake++
    :: looking[4] -> looking[4] = false
#endif
    :: else
    fi
}

/* take_free() and taken(); `found` is the word before. */
inline enter(found, mark, told)
{
    assert(holder == 0);
    assert((told) == died_inside);
    word = me | (found & WAITERS) | mark;
    holder = me;
    died_inside = false;
    n_barren = 0
}

proctype thread(byte me)
{
    byte v, owner, waiters, n_rounds;
    bool pending, tick, lost;

again:
    waiters = 0; owner = 0; tick = false; lost = false;
#ifndef PEND_LATE
    if MAY_DIE :: pending = true /* pend */ fi;
#endif

    /* fast */
    if
    MAY_DIE
    :: atomic { word == 0 -> enter(0, 0, false); goto work }
    :: atomic { word != 0 -> skip }
    fi;

look:
    if
    MAY_DIE
    :: atomic {
        v = word;
        if
        :: v == 0 && tick && !lost -> goto was_lost
        :: tid_of(v) == 0 && !(v == 0 && tick && !lost) ->
            enter(v, waiters, (v & OWNER_DIED) != 0);
            goto work
        :: tid_of(v) != 0 && owner_is_dead ->
            enter(v, WAITERS, true);
            goto work
        :: tid_of(v) != 0 && !owner_is_dead ->
            if :: me == HURRIED && may_leave -> goto unpend :: true fi;
            owner = tid_of(v);
            word = v | WAITERS;
            v = word;
#ifndef FORGET_WAITERS
            waiters = WAITERS;
#endif
            if :: me == HURRIED -> goto unpend :: true fi
        fi
    }
    fi;

    /* sleep */
    if
    MAY_DIE
    :: atomic {
        tick = false;
        lost = false;
        if
        :: word == v -> asleep[me] = true; n_awake--
        :: else -> goto look
        fi
    }
    fi;

    /* asleep */
    if
    MAY_DIE
    :: atomic { !asleep[me] -> goto look }
#if TICK == 1
    :: atomic {
        n_awake == 0 && asleep[me] ->
        n_barren++;
        assert(n_barren <= MAX_BARREN);
        asleep[me] = false; n_awake++; tick = true;
        goto look
    }
#endif
#if TICK == 2
    :: atomic {
        asleep[me] -> asleep[me] = false; n_awake++; tick = true; goto look
    }
#endif
    fi;

was_lost:
    if
    MAY_DIE
    :: atomic { word == 0 -> looking[me] = true }
    :: atomic { tick = false; goto look } /* changed, or we were late */
    fi;
    if
    MAY_DIE
    :: atomic {
        looking[me] = false; /* woken, or the while is over */
        if
        :: word == 0 -> lost = true
        :: else -> tick = false
        fi;
        goto look
    }
    fi;

work:
#ifdef PEND_LATE
    if MAY_DIE :: pending = true fi;
#endif
    if MAY_DIE :: assert(holder == me) fi;
#ifdef UNPEND_FIRST
    if MAY_DIE :: pending = false fi;
#endif
#ifdef RING_FIRST
    if
    MAY_DIE
    :: atomic { true; if :: word & WAITERS -> wake_one() :: else fi }
    fi;
#endif

    /* drop */
    if
    MAY_DIE
    :: atomic {
        v = word;
        word = 0;
        assert(tid_of(v) == me);
        holder = 0
    }
    fi;

#if !defined(DROP_SILENT) && !defined(RING_FIRST)
    /* ring */
    if
    MAY_DIE
    :: atomic { true; if :: v & WAITERS -> wake_one() :: else fi }
    fi;
#endif

unpend:
    if MAY_DIE :: atomic { pending = false; v = 0 } fi;

    n_rounds++;
    if
    :: n_rounds < ROUNDS -> goto again
    :: else -> n_awake--; goto out
    fi;

dead:
    atomic {
        looking[me] = false;
        if
        :: asleep[me] -> asleep[me] = false; n_awake++
        :: else
        fi;
        if
        :: holder == me -> holder = 0; died_inside = true
        :: else
        fi;
        v = 0;
#ifndef NO_LIST
        if
        :: pending && tid_of(word) == me ->
            v = word & WAITERS;
#ifdef NO_OWNER_DIED
            word = v
#else
            word = v | OWNER_DIED
#endif
        :: pending && tid_of(word) == 0 -> v = WAITERS
        :: else
        fi
#endif
    }
    /* dead_ring */
    atomic {
        if :: v -> wake_one() :: else fi;
        alive[me] = false;
        n_awake--
    };
out:
    v = 0; owner = 0; waiters = 0;
    tick = false; lost = false; pending = false
}

init
{
    byte i;

    atomic {
        i = 1;
        do
        :: i <= THREADS -> alive[i] = true; run thread(i); i++
        :: else -> break
        od;
        i = 0
    }
}
