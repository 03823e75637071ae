/* block.pml - src/shm/block.c, and kill -9.
 *
 * PUTTERS fill PUTS messages each in BLOCKS blocks, and commit or drop them;
 * GETTERS take the oldest item, copy it and free its block, or borrow it, read it
 * and drop it. Up to KILLS processes die, between any two steps; the kernel then
 * frees the locks that were theirs. lock.pml shows that taking and dropping may be
 * one step each, queue.pml that an item is whole: here the ring is head and tail,
 * sequence numbers that wrap at SEQS, and MAX_ITEMS numbers of blocks.
 *
 *     step here         in C
 *     take              take_any(): a step a block
 *     find_lost         find_lost(), if there was none; with
 *       free_dead       free_dead(): owner and whether he lives; both passes
 *       free_lost       free_lost(): owner, seq, the pass
 *     wait              take() of queue-loan.c: there is a free one (event.pml
 *                       shows that this is what it comes to); or a tick, which
 *                       is left out where a look could not help
 *     fill              the caller, in two steps
 *     enqueue           ring_put(): the item; block_enqueue(): seq, the pass
 *     put: commit       ring_put(): tail (COMMIT)
 *     open              read_block(): the item, block_open()
 *     get: commit       ring_get(): head (COMMIT)
 *     free, dequeue     block_free(), block_dequeue()
 *     drop              block_drop()
 *
 * A death before a read is the same as one after it, one in a wait as one behind it.
 * A queue is never full, for it takes as many items as there are blocks. Left out:
 * the blocks' memory in the file, the hint, and threads of one process (block_view).
 *
 * What has to hold
 *     messages          what is read is what was committed under that number
 *                       (read())
 *     nobody else's     who takes, frees or fills a block finds it used by nobody
 *                       else alive, and by no item (`user`, is_queued(): what
 *                       the code does not see)
 *     items             what head bears names a block that is queued as that item
 *                       (open())
 *     nobody strands    everybody comes to his end (invalid end states); who looks,
 *                       when no other putter is about and head stands still, while
 *                       a block could be had, gets one (`alone`)
 *     no leak           at the end one more process finds every block that is
 *                       nobody's, what nobody got is still there, and when that
 *                       has been got, too (init)
 *
 * OLD: a block has been left long ago, as the item so many before the first; so
 * numbers of every age meet.
 *
 * Two kinds are not found for the time being (is_hidden()): a block that a dead
 * putter has left as the item to come, while another's item of that number is in
 * the queue; and one that nobody has looked for until it was left more than
 * MAX_ITEMS, but not yet SEQS / 2 items ago.
 *
 * Variants, which must fail
 *     ENQUEUE_LATE      queued after the commit of tail
 *     FREE_EARLY        free before the commit of head
 *     DEQUEUE_EARLY     dequeue before the commit of head
 *     NO_DEAD           the blocks of dead owners are not looked for
 *     NO_TO_COME        nor those that dead putters have left
 *     NO_TAKEN          nor those that dead getters have left
 *     PUT_UNLOCKED      what is yet to come is looked for without put_lock
 *     GET_UNLOCKED      what has been taken is looked for without get_lock
 *     PLAIN_STORE       a free block is taken by a load and a store
 *     UNSIGNED          numbers are compared as if they did not wrap
 *     BOTH              half of all numbers are yet to come, from tail on, and half
 *                       have been taken, before head: a few are both (OLD=4)
 *     NO_TICK           who waits does not look by himself (BLOCKS=1)
 */
#ifndef PUTTERS
#define PUTTERS 2
#endif
#ifndef GETTERS
#define GETTERS 1
#endif
#ifndef PUTS
#define PUTS 2
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef START
#define START 7 /* the first item's number: soon to wrap */
#endif
#ifndef BLOCKS
#define BLOCKS 2 /* or 1 */
#endif

#define LAST      (BLOCKS - 1)
#define SEQS      8
#define MAX_ITEMS 2 /* a quarter of SEQS, as 2^30 is of 2^32 */

/* Owners: these, or a process. */
#define FREE     0
#define QUEUED   1
#define FIRST    2
#define ONE_MORE (FIRST + PUTTERS + GETTERS)

#define NOBODY 0
#define NONE   BLOCKS
#define HALF   1 /* in mem: half a message; else who has filled it */

/* struct shm_queue */
byte put_owner, get_owner;
byte head = START, tail = START;
byte owner[BLOCKS], seq[BLOCKS];
byte item[MAX_ITEMS];
byte mem[BLOCKS];

/* What the code does not see. */
byte user[BLOCKS];    /* who alive fills, reads or passes it on */
byte said[MAX_ITEMS]; /* what was committed */
bool lives[ONE_MORE + 1];
bool alone;             /* the one putter who is about looks */
byte n_about = PUTTERS; /* that live and do not wait for a block */
byte n_put = PUTTERS;   /* that live */
byte n_get = GETTERS;
byte n_kills;

#define minus(a, b) (((a) + SEQS - (b)) % SEQS)
#define n_items     minus(tail, head)
#define is_nth(n, b) \
    (n_items > (n) && item[((head + (n)) % SEQS) % MAX_ITEMS] == (b))
#define is_queued(b) (is_nth(0, b) || is_nth(1, b))
#define is_nobodys(b) (user[b] == NOBODY && !is_queued(b))
#define is_hidden(b) \
    (owner[b] == QUEUED && minus(seq[b], tail) >= SEQS / 2 && \
     minus(seq[b], head) < SEQS - MAX_ITEMS)
#define can_be_had(b) (is_nobodys(b) && !is_hidden(b))
#ifdef NO_TICK
#define wakes (owner[0] == FREE || owner[LAST] == FREE)
#else
#define wakes (can_be_had(0) || can_be_had(LAST))
#endif

#if KILLS
#define MAY_DIE :: atomic { n_kills < KILLS -> n_kills++; goto dead }
#else
#define MAY_DIE
#endif

inline lock(which)
{
    if MAY_DIE :: atomic { which == NOBODY -> which = me } fi
}

inline unlock(which)
{
    if MAY_DIE :: which = NOBODY fi
}

/* The robust futexes. */
inline die()
{
    lives[me] = false;
    if :: put_owner == me -> put_owner = NOBODY :: else fi;
    if :: get_owner == me -> get_owner = NOBODY :: else fi;
    if :: user[0] == me -> user[0] = NOBODY :: else fi;
    if :: user[LAST] == me -> user[LAST] = NOBODY :: else fi
}

/* -- from hand to hand ------------------------------------------------------ */

inline use(b)
{
    assert(is_nobodys(b));
    user[b] = me
}

/* *ret is one that was free, or NONE. */
inline take(ret)
{
    do
    MAY_DIE
    :: atomic { i < BLOCKS && owner[i] != FREE -> i++ }
#ifdef PLAIN_STORE
    :: atomic { i < BLOCKS && owner[i] == FREE -> skip };
        if MAY_DIE :: atomic { owner[i] = me; use(i); ret = i; break } fi
#else
    :: atomic {
        i < BLOCKS && owner[i] == FREE ->
        owner[i] = me; use(i); ret = i; break
    }
#endif
    :: atomic { i == BLOCKS -> break }
    od;
    i = 0
}

inline give_back(b, from)
{
    assert(owner[b] == from && user[b] == me);
    owner[b] = FREE;
    user[b] = NOBODY
}

/* -- what the dead leave ---------------------------------------------------- */

#define is_dead(who) ((who) >= FIRST && !lives[who])

inline free_dead()
{
    do
    :: atomic { i < BLOCKS && !is_dead(owner[i]) -> i++ }
    :: atomic { i < BLOCKS && is_dead(owner[i]) -> skip };
        if
        MAY_DIE
        :: atomic { assert(is_dead(owner[i]) && is_nobodys(i)); owner[i] = me }
        fi;
        if MAY_DIE :: atomic { assert(owner[i] == me); owner[i] = FREE; i++ } fi
    :: atomic { i == BLOCKS -> i = 0; break }
    od
}

#ifdef UNSIGNED
#define is_to_come (found >= now)
#define is_taken   (found < now)
#else
#define is_to_come (minus(found, now) < SEQS / 2)
#ifdef BOTH
#define is_taken   (minus(found, now) >= SEQS / 2)
#else
#define is_taken   (minus(now, found + 1) < MAX_ITEMS)
#endif
#endif

inline free_lost(is_lost)
{
    do
    :: atomic { i < BLOCKS && owner[i] != QUEUED -> i++ }
    :: atomic { i < BLOCKS && owner[i] == QUEUED -> skip };
        found = seq[i];
        if
        :: atomic { !(is_lost) -> skip }
        MAY_DIE
        :: atomic {
            (is_lost) && owner[i] == QUEUED ->
            assert(is_nobodys(i)); owner[i] = FREE
        }
        :: atomic { (is_lost) && owner[i] != QUEUED -> skip }
        fi;
        atomic { found = 0; i++ }
    :: atomic { i == BLOCKS -> i = 0; break }
    od
}

inline find_lost()
{
    lock(put_owner);
#ifndef NO_DEAD
    free_dead();
#endif
#ifdef PUT_UNLOCKED
    unlock(put_owner);
#endif
#ifndef NO_TO_COME
    now = tail;
    free_lost(is_to_come);
    now = 0;
#endif
#ifndef PUT_UNLOCKED
    unlock(put_owner);
#endif

#ifndef GET_UNLOCKED
    lock(get_owner);
#endif
#ifndef NO_TAKEN
    now = head;
    free_lost(is_taken);
    now = 0;
#endif
#ifndef GET_UNLOCKED
    unlock(get_owner);
#endif
}

/* -- put -------------------------------------------------------------------- */

inline enqueue()
{
#ifdef ENQUEUE_LATE
    commit_tail();
#endif
    if MAY_DIE :: seq[mine] = tail fi;
    if MAY_DIE :: atomic { assert(owner[mine] == me); owner[mine] = QUEUED } fi;
#ifndef ENQUEUE_LATE
    commit_tail();
#endif
}

inline commit_tail()
{
    if
    MAY_DIE
    :: atomic {
        assert(user[mine] == me && mem[mine] == me);
        said[tail % MAX_ITEMS] = me;
        user[mine] = NOBODY;
        tail = (tail + 1) % SEQS
    }
    fi
}

inline fill(what)
{
    if
    MAY_DIE
    :: atomic { assert(user[mine] == me && !is_queued(mine)); mem[mine] = what }
    fi
}

proctype putter(byte me)
{
    byte n, i, found, now, mine = NONE;

call:
    if
    :: atomic { n < PUTS -> n++ }
    :: n == PUTS -> goto out
    fi;

look:
    take(mine);
    if
    :: mine == NONE -> find_lost(); take(mine)
    :: mine != NONE
    fi;
    atomic {
        if
        :: mine == NONE -> assert(!alone); n_about--
        :: mine != NONE -> if :: alone -> alone = false :: !alone fi; goto has
        fi
    }
    /* wait */
    if
    :: atomic { wakes && !alone -> n_about++; goto look }
    :: atomic { wakes && !alone && n_about == 0 &&
        (n_items == 0 || n_get == 0) ->
        n_about++; alone = true; goto look
    }
    :: atomic { n_get == 0 -> n_about++; goto out }
    fi;

has:
    fill(HALF);
    fill(me);
    if
    :: goto drop
    :: lock(put_owner)
    fi;
    assert(n_items < MAX_ITEMS);
    if MAY_DIE :: item[tail % MAX_ITEMS] = mine fi;
    enqueue();
    unlock(put_owner);
    atomic { mine = NONE; goto call };

drop:
    if MAY_DIE :: atomic { give_back(mine, me); mine = NONE; goto call } fi;

dead:
    atomic { die(); alone = false };
out:
    atomic { n_put--; n_about--; n = 0; i = 0; found = 0; now = 0; mine = NONE }
}

/* -- get -------------------------------------------------------------------- */

inline open()
{
    mine = item[head % MAX_ITEMS];
    assert(owner[mine] == QUEUED && seq[mine] == head)
}

inline commit_head()
{
    if
    MAY_DIE
    :: atomic {
        by = said[head % MAX_ITEMS];
        head = (head + 1) % SEQS;
        use(mine)
    }
    fi
}

inline read(what)
{
    assert(mem[mine] == what)
}

inline free()
{
    if MAY_DIE :: atomic { give_back(mine, QUEUED) } fi
}

inline dequeue()
{
    if
    MAY_DIE
    :: atomic { assert(owner[mine] == QUEUED); owner[mine] = me }
    fi
}

proctype getter(byte me)
{
    byte by, mine = NONE;

call:
    if
    :: head != tail
    :: atomic { n_put == 0 && head == tail -> goto out }
    fi;
    lock(get_owner);
    if
    :: atomic { head == tail -> skip }; unlock(get_owner); goto call
    :: atomic { head != tail -> open() }
    fi;
    if
    :: atomic { read(said[head % MAX_ITEMS]) };
#ifdef FREE_EARLY
        if MAY_DIE :: atomic { owner[mine] = FREE } fi;
        if MAY_DIE :: atomic { head = (head + 1) % SEQS } fi;
#else
        commit_head();
        free();
#endif
        unlock(get_owner)
    :: true ->
#ifdef DEQUEUE_EARLY
        dequeue();
        commit_head();
#else
        commit_head();
        dequeue();
#endif
        unlock(get_owner);
        atomic { read(by) };
        if MAY_DIE :: atomic { give_back(mine, me) } fi
    fi;
    atomic { mine = NONE; by = 0; goto call };

dead:
    atomic { die() };
out:
    atomic { n_get--; mine = NONE; by = 0 }
}

/* -- the end ---------------------------------------------------------------- */

inline look_for_leaks()
{
    find_lost();
    assert(owner[0] == FREE || !can_be_had(0));
    assert(owner[LAST] == FREE || !can_be_had(LAST))
}

init
{
    byte me = ONE_MORE, i, found, now, by, mine;

    atomic {
#ifdef OLD
        owner[0] = QUEUED;
        seq[0] = minus(START, OLD);
#endif
        i = FIRST;
        do
        :: i < FIRST + PUTTERS -> lives[i] = true; run putter(i); i++
        :: i >= FIRST + PUTTERS && i < ONE_MORE ->
            lives[i] = true; run getter(i); i++
        :: i == ONE_MORE -> lives[i] = true; break
        od;
        i = 0
    }
    atomic {
        n_put + n_get == 0 -> n_kills = KILLS;
        look_for_leaks();
        do
        :: head != tail ->
            open();
            read(said[head % MAX_ITEMS]);
            commit_head();
            free()
        :: head == tail -> break
        od;
        look_for_leaks()
    }
dead:
    skip
}
