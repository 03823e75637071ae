/* conn.pml - src/ipc/conn-send.c, conn-recv.c, conn-take.c, conn-look.c, and
 * kill -9.
 *
 * One direction of a pipe. SENDERS processes send SENDS messages each, RECEIVERS
 * processes receive until there is an end. Up to KILLS of them die, between any
 * two steps. The socket holds CAP units. A message is short, 1 or 2 units that
 * come at once, or long, LONG units that may come one by one.
 *
 *     step here           in C
 *     send: take, drop    lock_take(), lock_drop() of send_lock, and below of
 *                         recv_lock; lock.pml shows that they may be one step
 *     send: look          may_send()
 *     send: busy          set_sending(BUSY), if it is long
 *     send: first, more   parcel_send(), send_rest(): of a long message each
 *                         unit that the system queues
 *     send: whole         set_sending(WHOLE)
 *     lose_sending        shutdown, LOST
 *     recv: forget        conn_look_forget(), if who had the lock died with it
 *     recv: look          may_receive(), conn_look()
 *     recv: at_once       take_at_once(): one recvmsg; conn_look_taken()
 *     recv: busy, fill    take_in_steps(): BUSY, then each unit that is there
 *     recv: whole         WHOLE
 *     recv: keep          keep_part(): the keeper, and then KEPT
 *     recv: others        wait_a_tick(): until `receiving` is not KEPT, or a
 *                         tick, which counts if the keeper is dead
 *     recv: rest          wait_a_tick(): until there is something, or a tick and
 *                         look_after_sender()
 *     recv: all           conn_wait()
 *     lose_receiving      shutdown, discard(), LOST
 *     forget_handle       conn_take_forget(), by a keeper who has had enough
 *     dead                the kernel: locks, then descriptors, then the process
 *
 * Left out: threads of one process (they exclude each other by the lock, and
 * the next call of one thread is as good as another thread), buffers that are
 * too small, and errors of the system.
 *
 * What has to hold
 *     whole messages   what is taken begins with the first unit and is one
 *                      message's to the last: so nobody goes on with what a dead
 *                      one had half received (take())
 *     in order         of one sender, and each once (took())
 *     no loss          all that was sent whole before the stream's end comes
 *                      out, unless a receiver died or gave up (ended())
 *     the named end    EOF between two messages, EPARTIAL in the middle of one
 *                      (ended()); no error at all if nobody dies, hurries or
 *                      lets go
 *     nobody hangs     everybody comes to his end (invalid end states). HOLD:
 *                      somebody holds the sending end open and never sends; then
 *                      who has nothing in hand may wait for ever, and nobody
 *                      else. STAY: somebody holds the receiving end open and
 *                      never receives
 *
 * HURRY: a sender's time may run out in the middle of a message. FREES: a
 * receiver with a part in hand may let go of his handle. FORKS: receiver 2 is
 * made by receiver 1, at any time, and has a copy of what lies in his handle.
 *
 * Sequential consistency only.
 *
 * Variants, which must fail (see run for the bounds)
 *     BUSY_LATE        sending is BUSY only when a unit has left
 *     WHOLE_EARLY      ... is WHOLE before the last one has
 *     SEND_ON          a sender goes on where it is BUSY
 *     UNSTICKY         what is lost is not shut, and WHOLE again
 *     RECV_BUSY_LATE   receiving is BUSY only when a unit has been taken
 *     RECV_ON          a receiver goes on where it is BUSY
 *     KEPT_IS_WHOLE    ... or KEPT by another
 *     KEEPER_LATE      KEPT is said before who keeps it
 *     PID_ALONE        a dead keeper's pid is somebody else's at once, and his
 *                      birth is not asked for
 *     NO_TICK          who waits for a keeper waits for him alone
 *     NO_LOOK_AFTER    who has a part waits for its sender alone (with HOLD)
 *     LOOK_ONCE        ... sees BUSY, gets the lock, and does not look again
 *     NO_DISCARD       the socket is left full: shutting it wakes no sender
 *     NOTES_KEPT       a dead receiver's notes are believed
 *     UNLOCKED         receivers do not exclude each other
 *     NO_DISINHERIT    a child takes its parent's part for its own (with FORKS)
 */
#ifndef SENDERS
#define SENDERS 2
#endif
#ifndef RECEIVERS
#define RECEIVERS 2
#endif
#ifndef SENDS
#define SENDS 1
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef CAP
#define CAP 2
#endif
#define LONG 3

/* A unit: whose, which of his messages, its place in it and of how many. */
#define unit(s, q, i, n) ((s) << 6 | (q) << 4 | (i) << 2 | (n))
#define sender_of(u)  ((u) >> 6)
#define seq_of(u)     ((u) >> 4 & 3)
#define place_of(u)   ((u) >> 2 & 3)
#define len_of(u)     ((u) & 3)
#define message_of(u) ((u) & (3 << 6 | 3 << 4 | 3))

mtype = { WHOLE, BUSY, KEPT, LOST };

/* The socket. */
byte queue[CAP];
byte n_queue;
bool shut;                /* by one side or the other */
byte n_send = SENDERS;    /* who holds the sending end, */
byte n_recv = RECEIVERS;  /* and the receiving one */

/* struct shm_conn */
bool send_locked, recv_locked, recv_died;
mtype sending = WHOLE, receiving = WHOLE;
byte keeper;
byte known[CAP];
byte n_known, n_taken;

/* The handles of the receivers' processes. */
byte part[RECEIVERS + 1];   /* the last unit of it; 0: none */
byte owner[RECEIVERS + 1];
bool runs[RECEIVERS + 1];   /* pid and birth, */

/* What the properties speak of; the code does not see it. */
byte next_seq[SENDERS]; /* that may be taken */
byte n_whole;           /* messages that are in the stream whole, */
byte n_out;             /* and that have been taken */
bool torn;              /* the stream ends in the middle of one */
bool gave_up;           /* a receiver has died, or said that it is lost */
bool hurried;           /* somebody's time has run out */
byte n_kills;

#ifdef HOLD
#define at_end false
#else
#define at_end (n_send == 0)
#endif
#ifdef STAY
#define release skip
#else
#define release n_recv--
#endif
#define is_over     (shut || at_end)
#define nobody_gets (shut || n_recv == 0)
#define room        (CAP - n_queue)
#define may_go_on   (room > 0 || n_recv == 0) /* shutting wakes nobody */
#define undisturbed (n_kills == 0 && !gave_up && !hurried)

#if KILLS
#define MAY_DIE :: atomic { n_kills < KILLS -> n_kills++; goto dead }
#else
#define MAY_DIE
#endif

inline append(u)
{
    queue[n_queue] = u;
    n_queue++;
    torn = (place_of(u) + 1 < len_of(u));
    if :: !torn -> n_whole++ :: else fi
}

inline took(u)
{
    assert(seq_of(u) >= next_seq[sender_of(u)]);
    assert(!undisturbed || seq_of(u) == next_seq[sender_of(u)]);
    next_seq[sender_of(u)] = seq_of(u) + 1;
    n_out++
}

/* One unit off the socket; `have` is the last one of this message, or 0. */
inline take(have)
{
    assert((have == 0 && place_of(queue[0]) == 0) ||
           (have != 0 && message_of(have) == message_of(queue[0]) &&
            place_of(have) + 1 == place_of(queue[0])));
    have = queue[0];
    i = 1;
    do
    :: i < n_queue -> queue[i - 1] = queue[i]; i++
    :: else -> break
    od;
    n_queue--;
    queue[n_queue] = 0;
    i = 0;
    if
    :: place_of(have) + 1 == len_of(have) -> took(have)
    :: else
    fi
}

/* A receiver is told of an end that comes from the senders. */
inline ended(partial)
{
    assert(gave_up || n_out == n_whole);
    assert(gave_up || partial == torn)
}

/* -- senders ---------------------------------------------------------------- */

proctype sender(byte me)
{
    byte n_sent, n, i;
    bool holds;

again:
    atomic { if :: n = 1 :: n = 2 :: n = LONG fi; i = 0 }

call:
    if
    MAY_DIE
    :: atomic { !send_locked -> send_locked = true; holds = true }
    fi;

    /* look */
    if
    MAY_DIE
    :: atomic {
        if
        :: sending == WHOLE
#ifdef SEND_ON
        :: sending == BUSY
#else
        :: sending == BUSY -> goto lose_sending
#endif
        :: sending == LOST -> goto refused
        fi
    }
    fi;

#ifndef BUSY_LATE
    /* busy */
    if
    MAY_DIE
    :: atomic { true; if :: n == LONG -> sending = BUSY :: else fi }
    fi;
#endif

    /* first */
    if
    MAY_DIE
    :: atomic {
        if
        :: nobody_gets -> sending = WHOLE; goto refused
        :: !nobody_gets && n == LONG && room > 0 ->
            append(unit(me, n_sent, 0, n));
            i = 1
        :: !nobody_gets && n < LONG && room >= n ->
            do
            :: i < n -> append(unit(me, n_sent, i, n)); i++
            :: else -> break
            od;
            sending = WHOLE;
            goto drop
        :: else -> goto no_room
        fi
    }
    fi;
#ifdef BUSY_LATE
    if MAY_DIE :: sending = BUSY fi;
#endif

more:
#ifdef WHOLE_EARLY
    if
    MAY_DIE
    :: atomic { true; if :: i + 1 == n -> sending = WHOLE :: else fi }
    fi;
#endif
    if
    MAY_DIE
    :: atomic {
        may_go_on && nobody_gets ->
        sending = WHOLE; /* nobody is left to miss the rest */
        goto refused
    }
    :: atomic {
        may_go_on && !nobody_gets ->
        append(unit(me, n_sent, i, n));
        i++;
        if :: i < n -> goto more :: else fi
    }
#ifdef HURRY
    :: atomic { !hurried -> hurried = true; goto lose_sending }
#endif
    fi;

    /* whole */
    if MAY_DIE :: sending = WHOLE fi;

drop:
    if
    MAY_DIE
    :: atomic { send_locked = false; holds = false; i = 0; n_sent++ }
    fi;
    if
    :: n_sent < SENDS -> goto again
    :: else -> goto close
    fi;

no_room:
    if MAY_DIE :: sending = WHOLE fi;
    if MAY_DIE :: atomic { send_locked = false; holds = false } fi;
    if
    MAY_DIE
    :: atomic { may_go_on -> i = 0; goto call }
    fi;

lose_sending:
#ifndef UNSTICKY
    if MAY_DIE :: shut = true fi;
    if MAY_DIE :: sending = LOST fi;
#else
    if MAY_DIE :: sending = WHOLE fi;
#endif

refused:
    assert(!undisturbed);
    if MAY_DIE :: atomic { send_locked = false; holds = false } fi;

close:
    atomic { n_send--; goto out }

dead:
    atomic { true; if :: holds -> send_locked = false :: else fi }
    n_send--;
out:
    n = 0; i = 0; n_sent = 0; holds = false
}

/* -- receivers -------------------------------------------------------------- */

#ifdef PID_ALONE
#define keeper_runs true
#else
#define keeper_runs (keeper != 0 && runs[keeper])
#endif

#ifdef NO_TICK
#define keeper_is_missed false
#else
#define keeper_is_missed (!keeper_runs)
#endif

proctype receiver(byte me)
{
    byte m, n, i;
    bool holds, watches; /* recv_lock; the peer's send_lock */

#ifdef FORKS
    /* A copy of the handle, as it is at the time. */
    atomic {
        if
        :: me == 2 -> part[2] = part[1]; owner[2] = owner[1]
        :: else
        fi
    }
#endif

call:
    if
    MAY_DIE
#ifdef UNLOCKED
    :: holds = true
#else
    :: atomic { !recv_locked -> recv_locked = true; holds = true }
#endif
    fi;

    /* forget */
    if
    MAY_DIE
    :: atomic {
        true;
#ifndef NOTES_KEPT
        if :: recv_died -> n_known = 0; n_taken = 0 :: else fi;
#endif
        recv_died = false;
#ifndef NO_DISINHERIT
        if :: owner[me] != me -> part[me] = 0 :: else fi
#endif
    }
    fi;

    /* look */
    if
    MAY_DIE
    :: atomic {
        if
        :: receiving == LOST -> goto refused
        :: receiving == KEPT && part[me] == 0 ->
#ifndef KEPT_IS_WHOLE
            if
            :: keeper_runs -> goto others
            :: else -> goto lose_receiving
            fi
#endif
        :: receiving == BUSY ->
#ifndef RECV_ON
            goto lose_receiving
#endif
        :: receiving == WHOLE || (receiving == KEPT && part[me] != 0)
        fi;
        if
        :: part[me] != 0 -> m = part[me]; part[me] = 0; goto busy
        :: part[me] == 0 && n_taken < n_known -> n = known[n_taken]
        :: part[me] == 0 && n_taken >= n_known && n_queue == 0 && is_over ->
            ended(false);
            goto drop_and_close
        :: part[me] == 0 && n_taken >= n_known && n_queue == 0 && !is_over ->
            goto nothing
        :: part[me] == 0 && n_taken >= n_known && n_queue > 0 ->
            if
            :: len_of(queue[0]) == LONG -> goto busy
            :: else
            fi;
            n = len_of(queue[0]);
            n_known = 0; /* note(); that all of them are there is asserted */
            i = 0;
            do
            :: i < n_queue && len_of(queue[i]) < LONG ->
                assert(i + len_of(queue[i]) <= n_queue);
                known[n_known] = len_of(queue[i]);
                n_known++;
                i = i + len_of(queue[i])
            :: else -> break
            od;
            i = 0;
            n_taken = 0
        fi
    }
    fi;

    /* at_once */
    if
    MAY_DIE
    :: atomic {
        if
        :: n_queue == 0 && !is_over -> n = 0; goto nothing
        :: n_queue < n && (n_queue > 0 || is_over) -> goto lose_receiving
        :: n_queue >= n
        fi;
        m = 0;
        do
        :: n > 0 -> take(m); n--
        :: else -> break
        od;
        assert(place_of(m) + 1 == len_of(m));
        m = 0
    }
    fi;
    if
    MAY_DIE
    :: atomic { true; if :: n_taken < n_known -> n_taken++ :: else fi }
    fi;
    goto drop;

busy:
#ifndef RECV_BUSY_LATE
    if MAY_DIE :: receiving = BUSY fi;
#endif

fill:
    if
    MAY_DIE
    :: atomic {
        if
        :: n_queue > 0 ->
            take(m);
            if :: place_of(m) + 1 < len_of(m) -> goto more :: else fi
        :: n_queue == 0 && is_over -> ended(true); goto lose_receiving
        :: n_queue == 0 && !is_over -> goto keep
        fi
    }
    fi;

    /* whole */
    if MAY_DIE :: atomic { receiving = WHOLE; m = 0 } fi;
drop:
    if MAY_DIE :: atomic { recv_locked = false; holds = false } fi;
    goto call;

more:
#ifdef RECV_BUSY_LATE
    if MAY_DIE :: receiving = BUSY fi;
#endif
    goto fill;

keep:
#ifdef KEEPER_LATE
    if MAY_DIE :: receiving = KEPT fi;
    if MAY_DIE :: atomic { part[me] = m; owner[me] = me; keeper = me } fi;
#else
    if MAY_DIE :: keeper = me fi;
    if MAY_DIE :: atomic { part[me] = m; owner[me] = me; receiving = KEPT } fi;
#endif
    m = 0;
    if MAY_DIE :: atomic { recv_locked = false; holds = false } fi;

rest:
    if
    MAY_DIE
    :: atomic { n_queue > 0 || is_over -> goto call }
#ifndef NO_LOOK_AFTER
    :: sending == BUSY
#endif
#ifdef FREES
    :: goto forget_handle
#endif
    fi;

    /* look_after_sender */
    if
    MAY_DIE
    :: atomic {
        if
        :: !send_locked -> send_locked = true; watches = true
        :: else -> goto rest
        fi
    }
    fi;
    if
    MAY_DIE
    :: atomic {
        if
#ifndef LOOK_ONCE
        :: sending != BUSY -> goto unwatch
        :: sending == BUSY ->
#else
        :: true ->
#endif
            shut = true
        fi
    }
    fi;
    if MAY_DIE :: sending = LOST fi;
unwatch:
    if MAY_DIE :: atomic { send_locked = false; watches = false } fi;
    goto call;

others:
    if MAY_DIE :: atomic { recv_locked = false; holds = false } fi;
    if
    MAY_DIE
    :: atomic { receiving != KEPT || keeper_is_missed -> goto call }
    fi;

nothing:
    if MAY_DIE :: atomic { recv_locked = false; holds = false } fi;
#ifdef HOLD
end_idle:
#endif
    if
    MAY_DIE
    :: atomic { n_queue > 0 || is_over -> goto call }
    fi;

#ifdef FREES
forget_handle:
    gave_up = true;
    part[me] = 0;
#endif

lose_receiving:
    if MAY_DIE :: shut = true fi;
#ifndef NO_DISCARD
    if
    MAY_DIE
    :: atomic {
        m = 0;
        do
        :: n_queue > 0 -> n_queue--; queue[n_queue] = 0
        :: else -> break
        od
    }
    fi;
#endif
    if MAY_DIE :: receiving = LOST fi;

refused:
    assert(!undisturbed);

drop_and_close:
    if
    MAY_DIE
    :: atomic {
        true;
        if :: holds -> recv_locked = false; holds = false :: else fi
    }
    fi;
    atomic { release; runs[me] = false; goto out }

dead:
    atomic {
        gave_up = true;
        if :: holds -> recv_locked = false; recv_died = true :: else fi;
        if :: watches -> send_locked = false :: else fi
    }
    release;
    runs[me] = false;
out:
    part[me] = 0;
    m = 0; n = 0; i = 0; holds = false; watches = false
}

init
{
    byte i;

    atomic {
        i = 0;
        do
        :: i < SENDERS -> run sender(i); i++
        :: else -> break
        od;
        i = 1;
        do
        :: i <= RECEIVERS -> runs[i] = true; owner[i] = i; run receiver(i); i++
        :: else -> break
        od;
        i = 0
    }
}
