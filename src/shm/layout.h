/* layout.h - all that lies in shared memory, and nothing else.
 *
 * Whoever wants to read a queue from outside (a debugger, another language)
 * finds it here. Every field says who writes it, under what, and what a writer
 * that dies leaves behind. "const" is written once, before anybody else can see
 * the memory.
 *
 * Shared memory is input: whoever reads a field reads it once, into a local,
 * and checks it there.
 */
#ifndef SHM_LAYOUT_H
#define SHM_LAYOUT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Offsets and lengths of what lies in the file are multiples of this: of every page
 * size that Linux has. Of the first of them only the header is reserved. */
#define SHM_GRAIN 65536

/* Fields that different processes write at the same time lie so far apart, for
 * processors fetch cache lines in pairs. */
#define SHM_APART 128

/* -- how each memory begins (label.c) ----------------------------------------
 *
 * field          written by   under   a dead writer leaves
 * magic          creator      const   nothing anybody could find: memory is
 * layout         creator      const   handed on when it is complete
 * pid_namespace  creator      const
 *
 * magic says what the memory is, layout (layout.c) how it is laid out, and
 * pid_namespace (an inode number) whose tids the locks hold.
 */
struct shm_label {
    _Atomic uint64_t magic;
    _Atomic uint64_t layout;
    _Atomic uint64_t pid_namespace;
};

/* -- a lock (lock.c) --------------------------------------------------------
 *
 * field      written by             under    a dead writer leaves
 * word       owner, waiters,        atomics  OWNER_DIED, set by the kernel
 *            the kernel
 * n_rescues  owner                  itself   a count one short
 * n_deaths   owner                  itself   a count one short
 *
 * All zero is a free lock.
 */
struct shm_lock {
    _Atomic uint32_t word;
    _Atomic uint32_t n_rescues;
    _Atomic uint32_t n_deaths;
    uint32_t unused;
};

/* -- an event (event.c) -----------------------------------------------------
 *
 * field      written by             under    a dead writer leaves
 * word       waiters (arm),         atomics  a word that wakes nobody: waiters
 *            wakers (advance)                look again within a tick
 * n_rescues  waiters                atomics  a count one short
 * n_waits    waiters                atomics  a count one short
 *
 * word: bit 0 armed, bits 1..31 sequence. All zero is an event nobody awaits.
 */
struct shm_event {
    _Atomic uint32_t word;
    _Atomic uint32_t n_rescues;
    _Atomic uint64_t n_waits; /* calls that went to sleep here */
};

/* -- what a side has done so far (ring.c) ------------------------------------
 *
 * A commit word counts items and units, but only 32 bits of each. So now and
 * then, long before it can wrap, a side writes down what they are in full; with
 * the commit word that gives the sums, exactly (ring_total).
 *
 * field      written by             under        a dead writer leaves
 * n_items    the side               its lock     the mark before or after; or
 * n_units    the side               its lock     one of each: both are right
 * most       putters                put_lock     the last item not counted: as
 *                                                many items as there ever were
 */
struct shm_totals {
    _Atomic uint64_t n_items;
    _Atomic uint64_t n_units;
    _Atomic uint32_t most;
    uint32_t unused;
};

/* -- a process that uses the queue (member.c) --------------------------------
 *
 * field        written by         under      a dead writer leaves
 * who          the process, who   atomics    a member that is dead: whoever
 *              finds it dead                 needs the place clears it
 * attached_at  the process        who        garbage, of a dead member
 * program      the process        who        the same
 * n_put        the process        put_lock   the same
 * n_got        the process        get_lock   the same
 * putting      its threads        atomics    the same
 * getting      its threads        atomics    the same
 *
 * who is {birth:32 high, pid:32 low}, birth the low half of the start time in
 * /proc/PID/stat; 0 is a free place. Times are ns on the monotonic clock;
 * program is text in two numbers, filled up with zeros.
 */
struct shm_blocked {
    _Atomic uint32_t n_threads; /* of this process, that wait now, */
    uint32_t unused;
    _Atomic int64_t since; /* one or another, without a break, since then */
};

struct shm_member {
    _Alignas(SHM_APART) _Atomic uint64_t who;
    _Atomic int64_t attached_at;
    _Atomic uint64_t program[2];
    _Atomic uint64_t n_put;
    _Atomic uint64_t n_got;
    struct shm_blocked putting;
    struct shm_blocked getting;
};

#define SHM_N_MEMBERS 128

/* -- a bell: who waits for the queue by a descriptor (bell.c) -----------------
 *
 * field          written by     under      a dead writer leaves
 * name           the watcher,   put_lock   a bell that nobody hears: who rings
 *                who rings                 it, or needs the place, takes it down
 * who            the watcher    put_lock   garbage, where name is 0; or the same
 * net_namespace  the watcher    put_lock   the same
 *
 * name is the number in the name of his socket, 0 a free place; who is as in
 * shm_member, net_namespace (an inode number) where the name is known. A watcher
 * who leaves sets his own name to 0 without the lock.
 */
struct shm_bell {
    _Atomic uint64_t name;
    _Atomic uint64_t who;
    _Atomic uint64_t net_namespace;
};

#define SHM_N_BELLS 64 /* as there are bits in `silent` */

/* -- a block: a message beside the ring (block.c) -----------------------------
 *
 * field     written by   under      a dead writer leaves
 * owner     see block.c  atomics    a dead owner, or an item's that is not there:
 *                                   who needs a block sees that, and takes it
 * offset    its owner    put_lock   garbage, where len is 0
 * len       its owner    put_lock   0; or the length of what may have holes: who
 *                                   frees it gives it back
 * seq       its owner    put_lock   the same as owner
 *
 * owner: 0 free, 1 queued, else a process as in shm_member. offset and len are
 * bytes in the file; seq is that of the item which names the block.
 */
struct shm_block {
    _Atomic uint64_t owner;
    _Atomic uint64_t offset;
    _Atomic uint64_t len;
    _Atomic uint32_t seq;
    uint32_t unused;
};

#define SHM_N_BLOCKS 64 /* as there are bits in `free_hint` */

/* -- the queue (ring.c, region.c) -------------------------------------------
 *
 * A commit word, T (tail) or H (head): {seq:32 high, pos:32 low}. seq counts
 * items, pos counts units of 8 bytes; both run freely and wrap.
 *
 * A region holds the units from `start` to the start of the next region; unit p
 * lies at offset + 8 * (p % n_units). n_units is a power of two.
 *
 * field      written by      under      a dead writer leaves
 * label      creator         const      see shm_label
 * maxsize    creator         const      0: no limit but SHM_MAX_ITEMS
 * max_units  creator         const
 * put_lock   putters         itself     see shm_lock
 * put        putters         put_lock   see shm_totals
 * silent     putters,        put_lock   a bit that is on though the bell has
 *            watchers                   been rung: it will be once more. Bit i:
 *                                       bell[i] has to be rung before there is
 *                                       an item, or the end
 * tail       putters         put_lock   the state before or after
 * get_lock   getters         itself     see shm_lock
 * got        getters         get_lock   see shm_totals
 * head       getters         get_lock   the state before or after
 * items      waiting getters, putters   see shm_event
 * space      waiting putters, getters   see shm_event
 * closed     who closes      put_lock   open or closed; sleepers see it in a
 *                                       tick
 * last       putters         put_lock   the state before or after: the number
 *                                       of the region that puts go to
 * shrunk_at  getters         put_lock   the time before or after: when memory
 *                                       was last given back, ns on the
 *                                       monotonic clock
 * block_len  putters,        put_lock   a sum that is wrong until the next
 *            getters                    change: of all block[].len
 * first      getters         get_lock   the state before or after: the number
 *                                       of the region that gets come from;
 *                                       behind the truth by the regions whose
 *                                       end head has reached
 * region[]   putters         put_lock   garbage in slots that no number in
 *                                       first..last names
 * n_gone     who strikes members off    a count one short: how many ended
 *                            atomics    without leaving
 * bell[]     watchers                   see shm_bell
 * member[]   each its own               see shm_member
 * free_hint  who frees one,  atomics    a bit that is wrong: all blocks are
 *            or looks for one           looked at before there are none
 * n_released who frees one   atomics    a count one short, in its upper half:
 *                                       who waits looks again within a tick
 * released   waiting putters, who       see shm_event
 *            frees one
 * block[]    their owners               see shm_block
 *
 * Region r is in slot r % SHM_N_REGIONS. Memory beyond the end of region `last`
 * may have been reserved by a dead putter; the next owner of put_lock, which is
 * told of the death, gives it back.
 */
#define SHM_QUEUE_MAGIC UINT64_C(0x0a65756575716863) /* "chqueue\n" */
#define SHM_N_REGIONS   32
#define SHM_UNIT        8

/* What maxsize and max_units may be, at most and at least. */
#define SHM_MAX_ITEMS (UINT32_C(1) << 30)
#define SHM_MAX_UNITS (UINT32_C(1) << 30)
#define SHM_MIN_UNITS 512

struct shm_region {
    _Atomic uint32_t start;
    _Atomic uint32_t n_units;
    _Atomic uint64_t offset; /* bytes, in the file */
};

struct shm_queue {
    struct shm_label label;
    _Atomic uint32_t maxsize;
    _Atomic uint32_t max_units;

    _Alignas(SHM_APART) struct shm_lock put_lock;
    struct shm_totals put;
    _Atomic uint64_t silent;
    _Alignas(SHM_APART) _Atomic uint64_t tail;
    _Alignas(SHM_APART) struct shm_lock get_lock;
    struct shm_totals got;
    _Alignas(SHM_APART) _Atomic uint64_t head;
    _Alignas(SHM_APART) struct shm_event items;
    _Alignas(SHM_APART) struct shm_event space;
    _Alignas(SHM_APART) _Atomic uint32_t closed;
    _Atomic uint32_t last;
    _Atomic int64_t shrunk_at;
    _Atomic uint64_t block_len;
    _Alignas(SHM_APART) _Atomic uint32_t first;
    _Alignas(SHM_APART) struct shm_region region[SHM_N_REGIONS];
    _Alignas(SHM_APART) _Atomic uint64_t n_gone;
    _Alignas(SHM_APART) struct shm_bell bell[SHM_N_BELLS];
    struct shm_member member[SHM_N_MEMBERS];
    _Alignas(SHM_APART) _Atomic uint64_t free_hint;
    _Atomic uint64_t n_released;
    struct shm_event released;
    _Alignas(SHM_APART) struct shm_block block[SHM_N_BLOCKS];
};

/* How an item begins. record is {seq:32 high, len:32 low}: seq is the item's,
 * tail's when it was put; len bytes follow, filled up to whole units. put_at is
 * a time on the monotonic clock, in ns, as good as the kernel's tick; with its
 * highest bit set, what follows names the block in which the message lies
 * (block_name). The two need not lie side by side: the region may end between
 * them. */
typedef _Atomic uint64_t shm_record;
typedef _Atomic int64_t shm_put_at;

#define SHM_ITEM_UNITS 2
#define SHM_IN_BLOCK   INT64_MIN

_Static_assert(sizeof(shm_record) == SHM_UNIT, "one unit");
_Static_assert(sizeof(shm_put_at) == SHM_UNIT, "one unit");
_Static_assert(sizeof(struct shm_region) == 16, "no padding");
_Static_assert(offsetof(struct shm_queue, silent) + sizeof(uint64_t) <=
                   offsetof(struct shm_queue, put_lock) + 64,
               "a side's own line");
_Static_assert(offsetof(struct shm_queue, member) <= 4096, "fits a page");
_Static_assert(sizeof(struct shm_queue) <= 32768, "fits the first grain");

/* -- the pipe (conn.c) ------------------------------------------------------
 *
 * field          written by      under       a dead writer leaves
 * label          the maker       const       see shm_label
 * socket[i]      the maker       const       the socket of end i, by its inode
 *                                            number: whoever is handed socket
 *                                            and page sees which end it is. 0:
 *                                            somebody else's, not known
 * oneway         the maker       const       1: end 0 receives, end 1 sends
 * end[i]         who uses end i  see below
 *
 * and of each end:
 *
 * send_lock      senders         itself      see shm_lock
 * sending        senders         send_lock   BUSY: part of a message may have
 *                                            left; the next sender says LOST
 * recv_lock      receivers       itself      see shm_lock
 * receiving      receivers       recv_lock   BUSY: part of a message has gone
 *                                            with him; the next one says LOST.
 *                                            KEPT: the same once `keeper` is
 *                                            seen to be dead. (A keeper who
 *                                            frees his handle says LOST without
 *                                            the lock.)
 * keeper,        receivers       recv_lock,  the state before: they count while
 * keeper_birth                   before KEPT receiving is KEPT
 * known[]        receivers       recv_lock   lengths that may be behind the
 *                                            truth; the next owner of the lock,
 *                                            who is told of the death, ...
 * n_known,       receivers       recv_lock   ... sets these to 0
 * n_taken
 *
 * known[n_taken .. n_known) are the lengths of the next messages in the stream,
 * each of them there whole, as somebody has seen it (conn-look.c).
 *
 * All zero is a pipe in which nothing has happened.
 */
enum {
    SHM_WHOLE = 0, /* between two messages */
    SHM_BUSY,      /* in the middle of one, under the lock */
    SHM_KEPT,      /* in the middle of one, its first part is with `keeper` */
    SHM_LOST       /* in the middle of one, and nobody can go on; for ever */
};

#define SHM_N_KNOWN 256

struct shm_conn {
    struct shm_lock send_lock;
    _Atomic uint32_t sending;
    _Alignas(SHM_APART) struct shm_lock recv_lock;
    _Atomic uint32_t receiving;
    _Atomic uint32_t keeper;       /* pid */
    _Atomic uint64_t keeper_birth; /* child_birth(keeper) */
    _Atomic uint32_t n_known;
    _Atomic uint32_t n_taken;
    _Atomic uint16_t known[SHM_N_KNOWN]; /* without the header, of 4 bytes */
};

#define SHM_PIPE_MAGIC UINT64_C(0x0a65706970686320) /* " chpipe\n" */

struct shm_pipe {
    struct shm_label label;
    _Atomic uint64_t socket[2];
    _Atomic uint64_t oneway;
    _Alignas(SHM_APART) struct shm_conn end[2];
};

_Static_assert(sizeof(struct shm_pipe) <= 4096, "fits a page");

#endif
