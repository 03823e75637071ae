/* queue.pml - src/shm/ring.c and src/shm/region.c, and kill -9.
 *
 * PUTTERS and GETTERS share a queue of at most MAX_UNITS units; ITEMS items of 1
 * to MAX_NEED units are put in all, and somebody closes it at any time
 * (CLOSE_LAST: when no putter is left). Up to KILLS processes die, between any
 * two steps. Everything is small, so that all of it happens: positions wrap at
 * POS; a region has BASE units, or twice as many and so on; an empty queue goes
 * back to BASE at any time (what the clock says in region_is_excess() is not
 * known), SHRINKS times; there are N_REGIONS slots; the file has BLOCKS blocks of
 * BASE units, and a reserve that would need more fails with nothing changed.
 *
 *     step here         in C
 *     take(put), drop   lock_take(), lock_drop() of put_lock, and of get_lock;
 *                       lock.pml shows that they may be one step, and that who
 *                       comes after a death is told (died)
 *     mend              region_mend()
 *     put: room         find_room(): tail, closed; head as it is remembered, if
 *                       that is good enough, or as it is (see below)
 *     put: used         make_room(), region_used(): `first`
 *     append            append(): `first`, chain_end(), plat_shm_reserve() (a
 *                       step a block), the slot, `last` (COMMIT)
 *     put: copy         ring_put(): the record, each unit of the bytes
 *     put: commit       ring_put(): tail (COMMIT)
 *     get: empty        get_once(): closed, head, tail, in this order (FINE: a
 *                       step each), unless items are remembered
 *     get: state        read_oldest(): head; tail as it is remembered, or as it is
 *     leave_regions     region_get_view(): `last`, plat_shm_release() (a step a
 *                       block), `first` (COMMIT)
 *     get: read         read_len(), copy_out(): the record, each unit
 *     get: commit       ring_get(): head (COMMIT)
 *     give_back         give_back() of queue.c with region_shrink()
 *     wait              patience_wait(): the word has moved, or `closed`;
 *                       event.pml shows that this is what it comes to. Or a
 *                       tick, when there is excess
 *     closer            chute_queue_close()
 *
 * Everybody remembers the other side's commit word as he last saw it, with how
 * far his own side was (seen_at; in C the marks say it). Positions wrap at POS
 * and a queue has MAX_UNITS: so what he remembers serves while his side has gone
 * on by less than POS - MAX_UNITS units.
 *
 * What has to hold
 *     items             what a getter reads is, unit by unit, the item whose
 *                       number head bears; it is whole; heads go up by one
 *                       (asserts in read() and commit_head())
 *     nobody else's     a getter reads live units only, those of [head, tail); a
 *                       putter writes only units that are not (write(), read())
 *     memory            a live unit's page is never released; what is written
 *                       or read has been reserved (release(), write(), read())
 *     a sane state      never CHUTE_ECORRUPT
 *     an end            CHUTE_EOF only when closed and all has been got
 *     slots             -EAGAIN never (append()): a chain that is too long for
 *                       all the growth that may come is not made longer
 *     no leak           at the end, after one more owner of each lock, all that
 *                       is reserved lies in first..last, and what nobody got
 *                       is still there, whole (init)
 *     nobody strands    everybody comes to his end (invalid end states)
 *
 * Sequential consistency only: the release and acquire pairs that ring.c and
 * region.c name are taken for granted here.
 *
 * Variants, which must fail (see run for the bounds)
 *     TWO_WORDS       tail's pos is stored before its seq
 *     COMMIT_EARLY    tail before the copy
 *     HEAD_EARLY      head before the copy
 *     LAST_EARLY      `last` before the slot
 *     FIRST_EARLY     `first` before the release: a dead getter's leak
 *     GREATER         a region ends where head's pos is not less than the next
 *                     one's start
 *     NO_SLOT_CHECK   slots are used anew before they are free
 *     NO_SLOT_RESERVE a chain is made longer by region_shrink() as long as there
 *                     is a slot: then growth may find none in an empty queue,
 *                     and the putter waits for a head that does not move
 *     NO_MEND         who is told of a death does nothing
 *     MEND_ALL        mend gives back what lies behind `first`
 *     REUSE           a new region takes the lowest free blocks: a release that
 *                     is done again meets memory in use
 *     CLOSED_LATE     `closed` is read after tail (with FINE)
 *     ANCIENT         what is remembered serves for ever
 */
#ifndef PUTTERS
#define PUTTERS 2
#endif
#ifndef GETTERS
#define GETTERS 2
#endif
#ifndef ITEMS
#define ITEMS 3
#endif
#ifndef MAX_NEED
#define MAX_NEED 3
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef SHRINKS
#define SHRINKS 1
#endif
#ifndef N_REGIONS
#define N_REGIONS 3
#endif
#ifndef START
#define START 6 /* where the positions begin: soon to wrap */
#endif
#ifndef POS
#define POS 8
#endif
#ifndef BLOCKS
#define BLOCKS 6
#endif

#define BASE      2 /* REGION_BASE_UNITS and REGION_KEEP_UNITS */
#define MAX_UNITS 4 /* and the largest region */
#define DOUBLINGS 1 /* from BASE to MAX_UNITS */
#define MAX_ITEMS 7

#ifdef ANCIENT
#define is_recent(now) true
#else
#define is_recent(now) (seen_at != NEVER && (now) - seen_at < POS - MAX_UNITS)
#endif
#define NEVER 255

/* A unit: whose it is, and which of his. 0 is a hole. */
#define LIVE            128 /* in [head, tail): the code does not see it */
#define unit(seq, code) ((((seq) & 7) << 3) | (code))
#define code_of(u)      ((u) & 7) /* need of a record, else 4 + its number */
#define seq_of(u)       (((u) >> 3) & 7)

typedef region {
    byte start;
    byte n_units;
    byte offset /* blocks */
};

/* struct shm_queue */
byte put_owner, get_owner;
bool put_died;
byte tail_seq, tail_pos;
byte head_seq, head_pos;
bool closed;
byte first, last;
region slot[N_REGIONS];

/* The file. */
bool page[BLOCKS];
byte mem[BLOCKS * BASE];

/* Bounds, and what the properties speak of. */
byte n_begun;
byte all_put, all_got; /* units */
byte n_shrunk;
byte n_kills;
byte n_put = PUTTERS; /* alive */
byte n_get = GETTERS;
byte n_close = 1;

/* An `else` counts all the options of its state, this one too: hence the `true`
 * before an `if` that a step begins with. */
#if KILLS
#define MAY_DIE :: atomic { n_kills < KILLS -> n_kills++; goto dead }
#else
#define MAY_DIE
#endif

#define slot_of(number) slot[(number) % N_REGIONS]
#define is_sane(units, tail_, head_) \
    ((units) <= MAX_UNITS && count_of(tail_, head_) <= (units) && \
     (count_of(tail_, head_) == 0) == ((units) == 0))
#define count_of(tail_, head_) (((tail_) - (head_)) & 7)
#define units_of(tail_, head_) (((tail_) + POS - (head_)) % POS)
#define at(number, pos) (slot_of(number).offset * BASE + \
                         (pos) % slot_of(number).n_units)
#define chain_end()     (slot_of(last).offset + slot_of(last).n_units / BASE)

/* -- memory ----------------------------------------------------------------- */

/* plat_shm_release() of the blocks from `block` to `end`. */
inline release(end)
{
    do
    MAY_DIE
    :: atomic {
        block < end ->
        assert(!(mem[block * BASE] & LIVE));
        assert(!(mem[block * BASE + 1] & LIVE));
        mem[block * BASE] = 0;
        mem[block * BASE + 1] = 0;
        page[block] = false;
        block++
    }
    :: atomic { block >= end -> block = 0; break }
    od
}

inline write(where, what)
{
    assert(page[(where) / BASE]);
    assert(!(mem[where] & LIVE));
    mem[where] = what
}

inline read(where, what)
{
    assert(page[(where) / BASE]);
    assert(mem[where] == (LIVE | (what)))
}

/* -- the locks -------------------------------------------------------------- */

inline take_put()
{
    if
    MAY_DIE
    :: atomic {
        put_owner == 0 ->
        put_owner = me; died = put_died; put_died = false
    }
    fi;
    mend()
}

inline drop_put()
{
    if MAY_DIE :: put_owner = 0 fi
}

inline take_get()
{
    if MAY_DIE :: atomic { get_owner == 0 -> get_owner = me } fi
}

inline drop_get()
{
    if MAY_DIE :: get_owner = 0 fi
}

inline die()
{
    atomic {
        if
        :: put_owner == me -> put_owner = 0; put_died = true
        :: else
        fi;
        if
        :: get_owner == me -> get_owner = 0
        :: else
        fi
    }
}

/* region_mend(), if a death was told of. */
inline mend()
{
    if
    :: died ->
#ifndef NO_MEND
#ifdef MEND_ALL
        atomic {
            block = slot_of(first).offset + slot_of(first).n_units / BASE
        };
#else
        atomic { block = chain_end() };
#endif
        release(BLOCKS);
#endif
        died = false
    :: else
    fi
}

/* -- regions ---------------------------------------------------------------- */

/* append(): gives `ok`. */
inline append(start_, n_units_)
{
    if
    MAY_DIE
    :: atomic {
        ok = false;
#ifndef NO_SLOT_CHECK
        if
        :: last + 1 - first >= N_REGIONS ->
#ifdef NO_SLOT_RESERVE
            goto tight
#else
            assert(false)
#endif
        :: else
        fi;
#endif
        block = chain_end();
#ifdef REUSE
        block = 0;
        do
        :: block < BLOCKS && page[block] -> block++
        :: else -> break
        od;
#endif
        grown = block;
        if
        :: block + (n_units_) / BASE <= BLOCKS -> ok = true
        :: else -> block = 0; grown = 0
        fi
    }
    fi;
    if
    :: ok ->
        do
        MAY_DIE
        :: atomic {
            block < grown + (n_units_) / BASE -> page[block] = true; block++
        }
        :: atomic { block >= grown + (n_units_) / BASE -> block = 0; break }
        od;
#ifdef LAST_EARLY
        if MAY_DIE :: last++ fi;
        if MAY_DIE :: atomic { set_slot(last, start_, n_units_) } fi
#else
        if MAY_DIE :: atomic { set_slot(last + 1, start_, n_units_) } fi;
        if MAY_DIE :: atomic { last++; grown = 0 } fi
#endif
    :: else
    fi
}

inline set_slot(number, start_, n_units_)
{
    slot_of(number).offset = grown;
    slot_of(number).n_units = n_units_;
    slot_of(number).start = start_
}

#ifdef GREATER
#define end_is_met (head_pos >= slot_of(first + 1).start)
#else
#define end_is_met (head_pos == slot_of(first + 1).start)
#endif

/* region_get_view(): the view is region `first`. */
inline leave_regions()
{
    if MAY_DIE :: last_ = last fi;
    do
    :: atomic { first != last_ && end_is_met -> block = slot_of(first).offset };
        grown = block + slot_of(first).n_units / BASE;
#ifdef FIRST_EARLY
        if MAY_DIE :: first++ fi;
        release(grown)
#else
        release(grown);
        if MAY_DIE :: first++ fi
#endif
    :: atomic { first == last_ || !end_is_met -> last_ = 0; grown = 0; break }
    od
}

#define is_excess (slot_of(first).n_units > BASE && n_shrunk < SHRINKS)

#ifdef NO_SLOT_RESERVE
#define may_shrink true
#else
#define may_shrink (last - first + 1 + 1 + DOUBLINGS <= N_REGIONS)
#endif

/* give_back(); the locks are tried, so there may be nothing done. */
inline give_back()
{
    if
    MAY_DIE
    :: atomic { put_owner != 0 -> goto given }
    :: atomic {
        put_owner == 0 ->
        put_owner = me; died = put_died; put_died = false
    }
    fi;
    mend();
    if
    MAY_DIE
    :: atomic {
        true;
        if
        :: head_seq == tail_seq && slot_of(last).n_units > BASE &&
           may_shrink ->
            n_shrunk++
        :: else -> goto not_empty
        fi
    }
    fi;
    append(tail_pos, BASE);
tight:
not_empty:
    drop_put();
    if
    MAY_DIE
    :: atomic { get_owner != 0 -> goto given }
    :: atomic { get_owner == 0 -> get_owner = me }
    fi;
    if
    :: head_seq == tail_seq -> leave_regions()
    :: else
    fi;
    drop_get();
given:
    skip
}

/* What serves no more is forgotten at once: that makes fewer states. */
#ifdef ANCIENT
#define forget() skip
#else
#define forget() seen_seq = 0; seen_pos = 0; seen_at = NEVER
#endif

/* -- put -------------------------------------------------------------------- */

inline commit_tail()
{
    i = 0;
    do
    :: i < need ->
        mem[at(last, (tail_pos + i) % POS)] =
            mem[at(last, (tail_pos + i) % POS)] | LIVE;
        i++
    :: else -> break
    od;
    i = 0;
    tail_pos = (tail_pos + need) % POS;
    all_put = all_put + need;
#ifndef TWO_WORDS
    tail_seq++
#endif
}

inline copy_in()
{
    if
    MAY_DIE
    :: atomic { write(at(last, pos), unit(seq, need)) }
    fi;
    if
    :: need > 1 ->
        if
        MAY_DIE
        :: atomic { write(at(last, (pos + 1) % POS), unit(seq, 4)) }
        fi
    :: else
    fi;
    if
    :: need > 2 ->
        if
        MAY_DIE
        :: atomic { write(at(last, (pos + 2) % POS), unit(seq, 5)) }
        fi
    :: else
    fi
}

proctype putter(byte me)
{
    byte need, h_seq, h_pos, used, block, grown, i, pos, seq, size;
    byte seen_seq = 0, seen_pos = START % POS, seen_at;
    bool died, ok;

call:
    if
    :: atomic { n_begun < ITEMS -> n_begun++ }
    :: atomic { n_begun == ITEMS -> goto out }
    fi;
again:
    take_put();
    if /* chosen no sooner than needed; kept when it does not fit */
    :: need != 0
    :: need == 0 -> need = 1
    :: need == 0 && MAX_NEED > 1 -> need = 2
    :: need == 0 && MAX_NEED > 2 -> need = 3
    fi;

    /* room */
    if
    MAY_DIE
    :: atomic {
        true;
        if
        :: closed -> put_owner = 0; goto out
        :: else
        fi;
        used = units_of(tail_pos, seen_pos);
        if
        :: is_recent(all_put) && is_sane(used, tail_seq, seen_seq) &&
           used + need <= MAX_UNITS &&
           (first == last -> used : units_of(tail_pos, slot_of(last).start)) +
                   need <= slot_of(last).n_units ->
            used = 0; goto copy
        :: else -> used = 0; forget()
        fi
    }
    fi;
    if
    MAY_DIE
    :: atomic {
        seen_seq = head_seq; seen_pos = head_pos; seen_at = all_put;
        h_seq = head_seq;
        h_pos = head_pos;
        used = units_of(tail_pos, h_pos);
        assert(is_sane(used, tail_seq, h_seq));
        if
        :: used + need > MAX_UNITS -> goto tight
        :: else
        fi
    }
    fi;

    /* used */
    if
    MAY_DIE
    :: atomic {
        true;
        if
        :: first != last -> used = units_of(tail_pos, slot_of(last).start)
        :: else
        fi;
        if
        :: used + need <= slot_of(last).n_units -> used = 0; goto copy
        :: else
        fi;
        used = 0;
        size = 2 * slot_of(last).n_units;
        if :: size < need -> size = 2 * size :: else fi;
        if :: size > MAX_UNITS -> size = MAX_UNITS :: else fi
    }
    fi;
    append(tail_pos, size);
    if
    :: atomic { !ok -> size = 0; need = 0; h_seq = 0; h_pos = 0 };
        drop_put();
        goto call /* CHUTE_ENOMEM */
    :: atomic { ok -> size = 0; ok = false }
    fi;

copy:
    atomic { h_seq = 0; h_pos = 0; pos = tail_pos; seq = tail_seq };
#ifdef COMMIT_EARLY
    if MAY_DIE :: atomic { commit_tail() } fi;
    copy_in();
#else
    copy_in();
    if MAY_DIE :: atomic { commit_tail() } fi;
#endif
#ifdef TWO_WORDS
    if MAY_DIE :: tail_seq++ fi;
#endif
    atomic { need = 0; pos = 0; seq = 0 };
    drop_put();
    goto call;

tight:
    atomic { used = 0; size = 0 };
    drop_put();
    /* wait, unless nobody gets any more */
    if
    MAY_DIE
    :: atomic {
        head_seq != h_seq || closed -> h_seq = 0; h_pos = 0; goto again
    }
    :: atomic { n_get == 0 -> goto out }
    fi;

dead:
    die();
out:
    atomic {
        n_put--; need = 0; h_seq = 0; h_pos = 0; used = 0; block = 0;
        grown = 0; i = 0; pos = 0; seq = 0; size = 0; died = false; ok = false;
        seen_seq = 0; seen_pos = 0; seen_at = 0
    }
}

/* -- get -------------------------------------------------------------------- */

inline commit_head()
{
    assert(seq == head_seq);
    i = 0;
    do
    :: i < need -> mem[at(first, (head_pos + i) % POS)] = 0; i++
    :: else -> break
    od;
    i = 0;
    head_pos = (head_pos + need) % POS;
    all_got = all_got + need;
    head_seq++
}

inline copy_out()
{
    if
    :: need > 1 ->
        if
        MAY_DIE
        :: atomic { read(at(first, (pos + 1) % POS), unit(seq, 4)) }
        fi
    :: else
    fi;
    if
    :: need > 2 ->
        if
        MAY_DIE
        :: atomic { read(at(first, (pos + 2) % POS), unit(seq, 5)) }
        fi
    :: else
    fi
}

#define remembers_items (count_of(seen_seq, head_seq) != 0 && \
                         count_of(seen_seq, head_seq) <= MAX_UNITS)

proctype getter(byte me)
{
    byte need, t_seq, block, grown, i, pos, seq, last_;
    byte seen_seq = 0, seen_pos = START % POS, seen_at;
    bool died, ok, closed_, only;

call:
    /* empty */
    if
    :: atomic { remembers_items -> skip }; goto get
    :: atomic { !remembers_items -> forget() }
    fi;
#ifdef FINE
#ifndef CLOSED_LATE
    if MAY_DIE :: closed_ = closed fi;
#endif
    if MAY_DIE :: seq = head_seq fi;
#endif
    if
    MAY_DIE
    :: atomic {
#ifndef FINE
        closed_ = closed;
        seq = head_seq;
#endif
        t_seq = tail_seq;
        if
        :: t_seq != seq -> t_seq = 0; seq = 0; closed_ = false; goto get
        :: else -> seq = 0
        fi
    }
    fi;
#ifdef CLOSED_LATE
    if MAY_DIE :: closed_ = closed fi;
#endif
    if
    :: closed_ -> assert(closed && head_seq == tail_seq)
    :: !closed_
    fi;
    if
    :: atomic { is_excess -> skip }; goto excess
    :: closed_ -> goto out
    :: !closed_
    fi;

wait: /* unless nobody puts or closes any more */
    if
    MAY_DIE
    :: atomic { tail_seq != t_seq || closed -> t_seq = 0; goto call }
    :: atomic { is_excess -> skip }; goto excess /* the tick */
    :: atomic {
        n_put + n_close == 0 && tail_seq == t_seq && !closed -> goto out
    }
    fi;

get:
    take_get();
    /* state: closed is read by the caller's next look */
    if
    :: atomic {
        is_recent(all_got) && count_of(seen_seq, head_seq) != 0 &&
        is_sane(units_of(seen_pos, head_pos), seen_seq, head_seq) -> skip
    }
    MAY_DIE
    :: atomic {
        !(is_recent(all_got) && count_of(seen_seq, head_seq) != 0 &&
          is_sane(units_of(seen_pos, head_pos), seen_seq, head_seq)) ->
        seen_seq = tail_seq; seen_pos = tail_pos; seen_at = all_got;
        assert(is_sane(units_of(seen_pos, head_pos), seen_seq, head_seq))
    }
    fi;
    t_seq = seen_seq;
    leave_regions();
    if
    :: atomic { t_seq == head_seq -> skip }; drop_get(); t_seq = 0; goto call
    :: atomic { t_seq != head_seq -> only = t_seq == head_seq + 1; t_seq = 0 }
    fi;

    /* read */
    if
    MAY_DIE
    :: atomic {
        pos = head_pos;
        seq = head_seq;
        need = code_of(mem[at(first, pos)]);
        assert(1 <= need && need <= 3);
        read(at(first, pos), unit(seq, need))
    }
    fi;
#ifdef HEAD_EARLY
    if MAY_DIE :: atomic { commit_head() } fi;
    copy_out();
#else
    copy_out();
    if MAY_DIE :: atomic { commit_head() } fi;
#endif
    atomic { need = 0; pos = 0; seq = 0 };
    drop_get();
    if
    :: atomic { only && is_excess -> only = false; t_seq = head_seq };
        goto excess
    :: true -> atomic { only = false; goto call }
    fi;

excess:
    give_back();
    atomic { ok = false; block = 0; grown = 0; died = false };
    if
    :: closed_ -> goto out
    :: !closed_ -> goto wait
    fi;

dead:
    die();
out:
    atomic {
        n_get--; need = 0; t_seq = 0; block = 0; grown = 0; i = 0; pos = 0;
        seq = 0; last_ = 0; died = false; ok = false; closed_ = false;
        only = false; seen_seq = 0; seen_pos = 0; seen_at = 0
    }
}

/* -- close, and the end ----------------------------------------------------- */

proctype closer(byte me)
{
    byte block;
    bool died;

#ifdef CLOSE_LAST
    n_put == 0;
#endif
    take_put();
    if MAY_DIE :: closed = true fi;
    drop_put();
    goto out;
dead:
    die();
out:
    atomic { n_close--; block = 0; died = false }
}

/* One more owner of put_lock mends; then all is looked at. */
inline look_for_leaks()
{
    if
    :: put_died ->
#ifndef NO_MEND
        block = chain_end();
        do
        :: block < BLOCKS -> page[block] = false; block++
        :: else -> break
        od;
#endif
        put_died = false
    :: else
    fi;
    block = 0;
    do
    :: block < BLOCKS ->
        i = first;
        do
        :: i <= last && page[block] &&
           !(slot_of(i).offset <= block &&
             block < slot_of(i).offset + slot_of(i).n_units / BASE) ->
            i++
        :: else -> break
        od;
        assert(i <= last);
        block++
    :: else -> break
    od
}

inline look_at_items()
{
    do
    :: head_seq != tail_seq ->
        do
        :: first != last && end_is_met -> first++
        :: else -> break
        od;
        i = code_of(mem[at(first, head_pos)]);
        assert(1 <= i && i <= 3);
        read(at(first, head_pos), unit(head_seq, i));
        if
        :: i > 1 -> read(at(first, (head_pos + 1) % POS), unit(head_seq, 4))
        :: else
        fi;
        if
        :: i > 2 -> read(at(first, (head_pos + 2) % POS), unit(head_seq, 5))
        :: else
        fi;
        head_pos = (head_pos + i) % POS;
        head_seq++
    :: else -> break
    od;
    assert(head_pos == tail_pos)
}

init
{
    byte i, block;

    atomic {
        page[0] = true;
        slot[0].n_units = BASE;
        tail_pos = START % POS;
        head_pos = START % POS;
        i = 1;
        do
        :: i <= PUTTERS -> run putter(i); i++
        :: i > PUTTERS && i <= PUTTERS + GETTERS -> run getter(i); i++
        :: else -> break
        od;
        run closer(i);
        i = 0
    }
    d_step {
        n_put + n_get + n_close == 0 ->
        look_for_leaks();
        look_at_items()
    }
}
