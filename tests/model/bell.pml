/* bell.pml - src/shm/bell.c and src/ipc/queue-watch.c, and kill -9.
 *
 * WATCHERS wait by descriptors, PUTTERS put up to PUTS items each, a thief takes
 * items without telling anybody (a getter that has no bell), and CLOSE: somebody
 * closes the queue, at any time. Up to KILLS processes die, between any two
 * steps; the kernel then frees put_lock, if it was theirs, and closes their
 * sockets. lock.pml shows that taking and dropping may be one step each.
 *
 *     step here          in C
 *     ring_all           bell_ring_all(): the bit, dgram_ring(), set_rung() or,
 *                        if the name is nobody's, name = 0
 *     putter: commit     ring_put(): bell_ring(), then tail
 *     closer             chute_queue_close(): the same, then `closed`
 *     watcher: hang      chute_queue_wait_fd(): bell_hang(), then ring or hush
 *     watcher: poll      poll(2)
 *     watcher: get       chute_queue_get() with CHUTE_NOWAIT
 *     watcher: quiet     queue_hush(): a look, put_lock unless others have it
 *                        for too long, a second look, hush
 *     hush               bell_hush(): set_silent(), dgram_drain() (a step for
 *                        each datagram)
 *
 * What has to hold
 *     no item unheard    whenever nobody has put_lock: while there is an item,
 *                        or the queue is closed, each bell that hangs is
 *                        readable (`watch`)
 *     no bell for ever   whoever hears a bell and finds nothing, and is let in,
 *                        has silenced it (the assert behind hush)
 *
 * Variants, which must fail
 *     COMMIT_FIRST   the commit before the bells
 *     BIT_FIRST      a bell counts as rung before its byte is there
 *     UNLOCKED       hushing without put_lock
 *     LOOK_ONCE      no second look under put_lock
 *     HANG_SILENT    who hangs his bell where an item waits does not ring it
 *     CLOSE_SILENT   closing rings nobody
 */
#ifndef WATCHERS
#define WATCHERS 2
#endif
#ifndef PUTTERS
#define PUTTERS 2
#endif
#ifndef PUTS
#define PUTS 1
#endif
#ifndef CLOSE
#define CLOSE 0
#endif
#ifndef KILLS
#define KILLS 0
#endif

#define MOST_DATAGRAMS 2 /* in a socket; more are EAGAIN, and it is readable */
#define NOBODY         0

byte owner; /* of put_lock: NOBODY, or a _pid, which is never 0 here */
byte n_items;
bool closed;
bool silent[WATCHERS], name[WATCHERS], lives[WATCHERS];
byte sock[WATCHERS];
byte n_kills;

#define has_work (n_items > 0 || closed)

#if KILLS
#define MAY_DIE :: atomic { n_kills < KILLS -> n_kills++; goto dead }
#else
#define MAY_DIE
#endif

inline take()
{
    if
    MAY_DIE
    :: atomic { owner == NOBODY -> owner = _pid }
    fi
}

inline drop()
{
    if
    MAY_DIE
    :: owner = NOBODY
    fi
}

/* The robust futex. */
inline die()
{
    atomic {
        if
        :: owner == _pid -> owner = NOBODY
        :: else
        fi
    }
}

inline ring(k)
{
    if
    :: sock[k] < MOST_DATAGRAMS -> sock[k]++
    :: else
    fi
}

inline ring_all()
{
    i = 0;
    do
    :: i == WATCHERS -> break
    :: i < WATCHERS && !silent[i] -> i++
    :: i < WATCHERS && silent[i] ->
#ifdef BIT_FIRST
        if MAY_DIE :: silent[i] = false fi;
#endif
        if
        MAY_DIE
        :: atomic { lives[i] -> ring(i) }
        :: atomic { !lives[i] -> name[i] = false }
        fi;
        if MAY_DIE :: atomic { silent[i] = false; i++ } fi
    od;
    i = 0
}

proctype putter()
{
    byte i, n;

    do
    :: n == PUTS -> break
    :: n < PUTS ->
        take();
        if
        :: closed -> drop(); break
        :: !closed
        fi;
#ifdef COMMIT_FIRST
        if MAY_DIE :: n_items++ fi;
        ring_all();
#else
        ring_all();
        if MAY_DIE :: n_items++ fi;
#endif
        drop();
        n++
    od;
dead:
    die()
}

proctype closer()
{
    byte i;

    take();
#ifndef CLOSE_SILENT
    ring_all();
#endif
    if MAY_DIE :: closed = true fi;
    drop();
dead:
    die()
}

proctype thief()
{
end_thief:
    do
    :: atomic { n_items > 0 -> n_items-- }
    od
}

inline hush(k)
{
    if MAY_DIE :: silent[k] = true fi;
    do
    :: sock[k] > 0 -> if MAY_DIE :: sock[k]-- fi
    :: sock[k] == 0 -> break
    od
}

proctype watcher(byte me)
{
    byte i;

    take();
    if MAY_DIE :: atomic { name[me] = true; silent[me] = true } fi;
    if
#ifndef HANG_SILENT
    :: has_work -> ring_all()
    :: !has_work -> hush(me)
#else
    :: true -> hush(me)
#endif
    fi;
    drop();

end_poll:
    if
    MAY_DIE
    :: sock[me] > 0
    fi;
    /* get; the end is for good */
    if
    MAY_DIE
    :: atomic { n_items > 0 -> n_items-- }
    :: atomic { n_items == 0 && closed -> goto out }
    :: atomic { n_items == 0 && !closed -> skip }
    fi;
    /* quiet */
    if
    MAY_DIE
    :: atomic { has_work -> goto end_poll }
    :: atomic { !has_work -> skip }
    fi;
#ifndef UNLOCKED
    if
    MAY_DIE
    :: atomic { owner == NOBODY -> owner = _pid }
    :: atomic { owner != NOBODY -> goto end_poll }
    fi;
#endif
    if
#ifndef LOOK_ONCE
    :: has_work
    :: !has_work ->
#else
    :: true ->
#endif
        hush(me);
#ifndef UNLOCKED
        assert(silent[me] && sock[me] == 0)
#endif
    fi;
#ifndef UNLOCKED
    drop();
#endif
    goto end_poll;

dead:
    atomic { lives[me] = false; sock[me] = 0; die() };
out:
    skip
}

/* At any time, and so at every time. A bell that is heard by nobody may be
 * silent. */
proctype watch()
{
    byte k;

end_watch:
    d_step {
        owner == NOBODY && has_work ->
        do
        :: k < WATCHERS ->
            assert(!name[k] || !lives[k] || sock[k] > 0);
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
        :: k < WATCHERS -> lives[k] = true; run watcher(k); k++
        :: else -> break
        od;
        k = 0;
        do
        :: k < PUTTERS -> run putter(); k++
        :: else -> break
        od;
        k = 0;
        run thief();
        run watch();
#if CLOSE
        run closer();
#endif
    }
}
