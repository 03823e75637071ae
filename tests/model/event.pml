/* event.pml - src/shm/event.c and patience.c, src/ipc/queue.c's loops, kill -9.
 *
 * GETTERS and PUTTERS call get and put up to GETS and PUTS times each; they may
 * stop after any call. The queue begins with FILL items of one unit. LARGE of
 * the putters put items of two units, the others of one, so that large and
 * small ones wait beside each other; the queue holds MAX_ITEMS and MAX_UNITS.
 * CLOSE: somebody closes it, at any time. What is done under a lock is one
 * step, for lock.pml shows that it may be; where the code looks without a lock,
 * each load is a step. Up to KILLS processes die, between any two steps.
 *
 *     step here        in C
 *     arm(e)           event_arm()
 *     wake(e, ..)      event_wake(): the compare-and-swap, or the load that
 *                      finds the bit clear; then plat_wake()
 *     patience_wait()  the same: arm; has_come(): the word, then `closed`;
 *                      sleep, asleep: event_wait(); then arm
 *     count_if_lost()  the same, after a tick
 *     getter: empty    get_once(): closed, head, tail, in this order
 *     getter: take     get_once(): ring_get() under get_lock
 *     getter: leave    get(): wake `space`, then pass_on_items()
 *     putter: try      put_once(): ring_put() under put_lock
 *     putter: tight    put(): RING_TIGHT, the pass_on_space() of the loop
 *     putter: leave    put(): wake `items`, then pass_on_space()
 *     closer           chute_queue_close()
 *
 * A futex queue is first in, first out, as the kernel's is among threads of one
 * priority. ANY_ORDER: whom a wake meets is not known; that holds for getters
 * and for putters of one size, not for putters of several (see below).
 *
 * Left out: polling before the first sleep (it is a slow look), EINTR, the
 * sequence's wrap after 2^31 wakes in the time of one look.
 *
 * What has to hold
 *     no lost wake-up     when all that live are asleep or gone, no getter
 *                         sleeps while there is an item, no putter while there
 *                         is room for his, nobody in a closed queue (`watch`).
 *                         Without kills: without the tick. With kills: except
 *                         those whom the next tick shows that their change
 *                         has come (TICK 1; TICK 2 has it come at any time).
 *                         TICK 3: it comes at any time, to getter 0 alone, and
 *                         nobody else may suffer for it.
 *     no wake goes round  a putter whose item does not fit passes a wake on, but
 *                         not for ever: each of them once for a head
 *                         (COUNT).
 * FAILS: a call may fail for another reason (the lock, too small a buffer), or
 * its deadline may come, even when it has just been woken.
 *
 * Sequential consistency only: event.c's fences are taken for granted here.
 *
 * Variants, which must fail (see run for the bounds)
 *     FLAG            a bit without a sequence
 *     NO_REARM        who has been woken does not set the bit again
 *     NO_PASS_ON      who leaves after a sleep tells nobody
 *     PASS_ON_TAKEN   only if he has got something
 *     ARM_LATE        looks, then arms, then sleeps
 *     WAKE_FIRST      the putter wakes before the commit
 *     TIGHT_SILENT    RING_TIGHT passes nothing on
 *     TIGHT_SEEN      only if head has moved since his last look: the wake-up
 *                     may have been for a head that he had seen already
 *     TIGHT_ALWAYS    RING_TIGHT passes on each time
 *     END_KEPT        who leaves a closed queue tells nobody: the bit may have
 *                     been clear when it was closed, for one of several
 *     TICK_UNARMED    who has been woken in count_if_lost() does not set the bit
 *                     again
 *     TICK 0 with KILLS  what the tick is for
 *     ANY_ORDER       with putters of two sizes, three in all
 */
#ifndef GETTERS
#define GETTERS 2
#endif
#ifndef PUTTERS
#define PUTTERS 2
#endif
#ifndef GETS
#define GETS 1
#endif
#ifndef PUTS
#define PUTS 1
#endif
#ifndef FILL
#define FILL 0
#endif
#ifndef MAX_ITEMS
#define MAX_ITEMS 7 /* putters need not wait */
#endif
#ifndef MAX_UNITS
#define MAX_UNITS 14
#endif
#ifndef LARGE
#define LARGE 0 /* so many putters put 2 units, the others 1 */
#endif
#ifndef CLOSE
#define CLOSE 0
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef TICK
#define TICK 0
#endif

#define N     (GETTERS + PUTTERS)
#define ITEMS 0 /* the two events */
#define SPACE 1

byte word[2];      /* bit 0 armed, the rest the sequence */
byte tail, head;   /* commit words; seq will do: each commit moves it */
byte units;        /* tail's pos - head's pos */
byte need_of[8];   /* of item seq % 8 */
bool closed;

chan queue[2] = [N] of { byte }; /* futex queues */
bool asleep[N];
bool looking[N]; /* in count_if_lost(), for a little while */

/* What the properties speak of. */
byte seen[N];      /* struct change, of those asleep */
byte n_awake = N + CLOSE;
byte n_kills;
#ifdef COUNT
byte n_passed;     /* RING_TIGHT's passing on since head moved */
#endif

#define is_getter(i)   ((i) < GETTERS)
#define need_by(i)     (1 + ((i) - GETTERS < LARGE))
#define fits(i)        (tail - head < MAX_ITEMS && \
                        units + need_by(i) <= MAX_UNITS)
#define has_come(i)    (closed || (is_getter(i) && tail != seen[i]) || \
                        (!is_getter(i) && head != seen[i]))
#define has_work(i)    (closed || (is_getter(i) && tail != head) || \
                        (!is_getter(i) && fits(i)))

#ifdef END_KEPT
#define passes_end false
#else
#define passes_end closed
#endif

/* An `else` counts all the options of its state, this one too: hence the `true`
 * before an `if` that a step begins with. */
#if KILLS
#define MAY_DIE :: atomic { n_kills < KILLS -> n_kills++; goto dead }
#else
#define MAY_DIE
#endif

#ifdef FAILS
#define MAY_FAIL(then) :: then
#else
#define MAY_FAIL(then)
#endif

#if TICK == 1
#define may_tick(i) (n_awake == 0)
#endif
#if TICK == 2
#define may_tick(i) true
#endif
#if TICK == 3
#define may_tick(i) ((i) == 0)
#endif

#ifdef FLAG
#define ring(e) word[e] = 0
#else
#define ring(e) word[e]++
#endif

inline plat_wake(e)
{
    if
    :: empty(queue[e])
    :: nempty(queue[e]) ->
#ifdef ANY_ORDER
        if
        :: queue[e]??[0] -> i = 0
        :: queue[e]??[1] -> i = 1
        :: queue[e]??[2] -> i = 2
        :: queue[e]??[3] -> i = 3
        :: queue[e]??[4] -> i = 4
        :: queue[e]??[5] -> i = 5
        fi;
        queue[e]??eval(i);
#else
        queue[e]?i;
#endif
        if
        :: asleep[i] -> asleep[i] = false; n_awake++
        :: else -> looking[i] = false
        fi;
        i = 0
    fi
}

/* event_wake(event, 1) */
inline wake(e)
{
    if
    MAY_DIE
    :: atomic { (word[e] & 1) == 0 -> skip }
    :: atomic { (word[e] & 1) -> ring(e) };
        if MAY_DIE :: atomic { plat_wake(e) } fi
    fi
}

inline arm(e)
{
    if MAY_DIE :: atomic { word[e] = word[e] | 1; v = word[e] } fi
}

/* A second sleep, of a little while: who wakes it gives it his wake-up. */
inline count_if_lost(e)
{
    if
    MAY_DIE
    :: v = word[e]
    fi;
    if
    MAY_DIE
    :: atomic { word[e] == v -> queue[e]!me; looking[me] = true }
    :: atomic { v = 0 } /* changed, or we were late */
    fi;
    if
    MAY_DIE
    :: atomic { !looking[me] -> v = 0 }
    :: atomic {
        looking[me] -> queue[e]??eval(me); looking[me] = false; v = 0
    }
    fi
}

/* patience_wait(): with 0 to `again`, with an error to `leave`. */
inline patience_wait(e, data)
{
    if MAY_FAIL(goto leave) :: true fi;
#ifndef ARM_LATE
    arm(e);
#endif
    if
    MAY_DIE
    :: atomic { data != seen[me] -> goto again }
    :: atomic { data == seen[me] -> skip }
    fi;
#if CLOSE
    if
    MAY_DIE
    :: atomic { closed -> goto again }
    :: atomic { !closed -> skip }
    fi;
#endif
#ifdef ARM_LATE
    arm(e);
#endif

    /* sleep */
    if
    MAY_DIE
    :: atomic {
        true;
        if
        :: word[e] == v -> queue[e]!me; asleep[me] = true; n_awake--
        :: else -> skip
        fi;
        v = 0
    }
    fi;

end_asleep: /* for ever, perhaps: `watch` says whether he may */
    if
    MAY_DIE
    :: atomic { !asleep[me] -> skip }
#if TICK
    :: atomic {
        may_tick(me) && has_come(me) && asleep[me] ->
        queue[e]??eval(me); asleep[me] = false; n_awake++
    };
        count_if_lost(e);
#ifdef TICK_UNARMED
        slept = true;
        goto again
#endif
#endif
#ifdef FAILS
    :: atomic {
        asleep[me] ->
        queue[e]??eval(me); asleep[me] = false; n_awake++;
        goto leave
    }
#endif
    fi;
    slept = true;
#ifndef NO_REARM
    arm(e);
#endif
    goto again
}

#define has_room (tail - head < MAX_ITEMS && units < MAX_UNITS)

inline pass_on_space()
{
    if
    MAY_DIE
    :: atomic { has_room || passes_end -> skip }; wake(SPACE)
    :: atomic { !has_room && !passes_end -> skip }
    fi
}

proctype getter(byte me)
{
    byte i, v, h, n_rounds;
    bool slept, got, closed_;

call:
    slept = false;
    got = false;
again:
    /* empty */
#if CLOSE
    if MAY_DIE :: closed_ = closed fi;
#endif
    if MAY_DIE :: atomic { h = head; v = 0 } fi;
    if
    MAY_DIE
    :: atomic {
        h == tail -> seen[me] = tail; h = 0;
        if
        :: closed_ -> closed_ = false; goto leave
        :: !closed_ -> goto wait
        fi
    }
    :: atomic { h != tail -> h = 0 }
    fi;

    /* take; closed_ is read anew, before tail, under the lock */
    if
    MAY_DIE
    MAY_FAIL(goto leave)
    :: atomic {
        true;
        if
        :: head == tail ->
            seen[me] = tail;
            if
            :: closed -> goto leave
            :: !closed -> goto wait
            fi
        :: head != tail ->
            units = units - need_of[head % 8];
            need_of[head % 8] = 0;
            head++;
#ifdef COUNT
            n_passed = 0;
#endif
            got = true;
            goto leave
        fi
    }
    fi;
wait:
    closed_ = false;
    patience_wait(ITEMS, tail);

leave:
    atomic { closed_ = false; v = 0; seen[me] = 0 };
    if
    :: got -> wake(SPACE)
    :: !got
    fi;
#ifndef NO_PASS_ON
    /* pass_on_items() */
    if
#ifdef PASS_ON_TAKEN
    :: slept && got ->
#else
    :: slept ->
#endif
        if MAY_DIE :: h = head fi;
        if
        MAY_DIE
        :: atomic { h == tail && !passes_end -> h = 0 }
        :: atomic { h != tail || passes_end -> h = 0 }; wake(ITEMS)
        fi
    :: else
    fi;
#endif
    n_rounds++;
    if
    :: n_rounds < GETS -> goto call
    :: n_awake-- -> goto out
    fi;

dead:
    atomic {
        if
        :: asleep[me] -> queue[ITEMS]??eval(me); asleep[me] = false
        :: looking[me] ->
            queue[ITEMS]??eval(me); looking[me] = false; n_awake--
        :: !asleep[me] && !looking[me] -> n_awake--
        fi
    };
out:
    atomic { i = 0; v = 0; h = 0; slept = false; got = false; n_rounds = 0 }
}

proctype putter(byte me)
{
    byte i, v, h, n_rounds;
    bool slept, got, tight, passed;

call:
    slept = false;
    passed = false;
    got = false;
again:
    /* try */
#ifdef WAKE_FIRST
    wake(ITEMS);
#endif
    if
    MAY_DIE
    MAY_FAIL(goto leave)
    :: atomic {
        v = 0;
        if
        :: closed -> goto leave
        :: !closed && fits(me) ->
            need_of[tail % 8] = need_by(me);
            units = units + need_by(me);
            tail++;
            got = true;
            goto leave
        :: else ->
            h = head;
            tight = tail - head < MAX_ITEMS && units < MAX_UNITS
        fi
    }
    fi;
    /* tight */
    if
    :: atomic { h != seen[me] -> passed = false }
    :: atomic { h == seen[me] -> skip }
    fi;
    if
#ifdef TIGHT_SILENT
    :: false ->
#else
#ifdef TIGHT_ALWAYS
    :: tight && slept ->
#else
#ifdef TIGHT_SEEN
    :: tight && slept && h != seen[me] ->
#else
    :: tight && slept && !passed ->
#endif
#endif
#endif
        passed = true;
        pass_on_space();
#ifdef COUNT
        n_passed++;
        assert(n_passed <= 2 * PUTTERS)
#endif
    :: else
    fi;
    atomic { seen[me] = h; h = 0; tight = false };
    patience_wait(SPACE, head);

leave:
    atomic { v = 0; h = 0; seen[me] = 0 };
#ifndef WAKE_FIRST
    if
    :: got -> wake(ITEMS)
    :: !got
    fi;
#endif
#ifndef NO_PASS_ON
    if
    :: slept -> pass_on_space()
    :: !slept
    fi;
#endif
    n_rounds++;
    if
    :: n_rounds < PUTS -> goto call
    :: n_awake-- -> goto out
    fi;

dead:
    atomic {
        if
        :: asleep[me] -> queue[SPACE]??eval(me); asleep[me] = false
        :: looking[me] ->
            queue[SPACE]??eval(me); looking[me] = false; n_awake--
        :: !asleep[me] && !looking[me] -> n_awake--
        fi
    };
out:
    atomic {
        i = 0; v = 0; h = 0;
        slept = false; got = false; tight = false; passed = false;
        n_rounds = 0
    }
}

#if CLOSE
inline plat_wake_all(e)
{
    do
    :: nempty(queue[e]) -> plat_wake(e)
    :: empty(queue[e]) -> break
    od
}

/* event_wake(event, EVENT_ALL) */
inline wake_all(e)
{
    if
    :: atomic { (word[e] & 1) == 0 -> skip }
    :: atomic { (word[e] & 1) -> ring(e) };
        if MAY_DIE :: atomic { plat_wake_all(e) } fi
    fi
}

proctype closer()
{
    byte i;

    if MAY_DIE :: closed = true fi;
    if MAY_DIE :: wake_all(ITEMS) fi;
    if MAY_DIE :: wake_all(SPACE) fi;
dead:
    n_awake--
}
#endif

proctype watch()
{
    byte k;

end_watch:
    d_step {
        n_awake == 0 ->
        do
        :: k < N ->
            assert(!(asleep[k] && has_work(k)) ||
                   (TICK == 1 || TICK == 2 || (TICK == 3 && k == 0)) &&
                   has_come(k));
            k++
        :: else -> break
        od;
        k = 0
    }
}

init
{
    byte k;

    atomic {
        do
        :: tail < FILL -> need_of[tail] = 1; tail++; units++
        :: else -> break
        od;
        run watch();
#if CLOSE
        run closer();
#endif
        do
        :: k < GETTERS -> run getter(k); k++
        :: k >= GETTERS && k < N -> run putter(k); k++
        :: else -> break
        od;
        k = 0
    }
}
