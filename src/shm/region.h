/* region.h - the memory of a queue: a chain of regions. See region.c. */
#ifndef SHM_REGION_H
#define SHM_REGION_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/bell.h"
#include "shm/block.h"
#include "shm/layout.h"
#include "shm/lock.h"

/* Regions begin with this many units, or with all that the queue may use. */
#define REGION_BASE_UNITS (65536 / SHM_UNIT)

/* The largest region that an empty queue keeps. */
#define REGION_KEEP_UNITS (4 * 1048576 / SHM_UNIT)

/* A region as this process has it mapped. Constant once made. */
struct region_view {
    uint32_t number;
    uint32_t n_units; /* checked; not read from shared memory again */
    char *mem;
    size_t map_len; /* 0: part of the first mapping */
};

/* What a process keeps to itself of one side, under that side's lock. */
struct region_side {
    struct lock_guard guard; /* of the lock */
    /* The region that the side works on. Changed by one store of a pointer, so
     * that a child forked at any moment has either the old view or the new. */
    struct region_view *_Atomic view;
    /* The other side's commit word as it was last looked at, and when that was
     * (ring.c). */
    _Atomic uint64_t seen;
    _Atomic uint64_t seen_at;
    char apart[SHM_APART]; /* the two sides may be two threads */
};

/* A queue's memory as this process has it. */
struct region_chain {
    struct shm_queue *shm;
    int fd;
    uint32_t max_units; /* private copies of what is constant in shm */
    uint32_t maxsize;   /* SHM_MAX_ITEMS where there is no limit, */
    bool bounded;       /* which is what this says */
    bool named;         /* a file of the file system's, not sealed memory */
    uint64_t pid_namespace;
    size_t map_len;
    struct region_side put;
    struct region_side get;
    struct bell bell; /* under put_lock */
    struct block_view block[SHM_N_BLOCKS];
    _Atomic uint64_t next_block; /* to be tried first; a guess */
};

/* Make the memory of a new queue: header and region 0. maxsize 0: no limit. */
int region_chain_new(struct region_chain *chain, uint32_t maxsize,
                     uint32_t max_units);

/* The same in an empty file, which is the chain's from here on, and closed on
 * failure. -ENOSPC: its file system is full. */
int region_chain_new_in(struct region_chain *chain, int fd, uint32_t maxsize,
                        uint32_t max_units);

/* The memory of a queue that somebody else has made, a file with a name or one
 * that was handed to us; fd is the chain's if that succeeds. The errors of
 * label_attach(). */
int region_chain_attach(struct region_chain *chain, int fd, bool named);

/* Unmap and close. */
void region_chain_free(struct region_chain *chain);

/* Under put_lock. The view of the region that puts go to. */
int region_put_view(struct region_chain *chain, struct region_view **ret_view);

/* Under get_lock. The view of the region that `head_pos` lies in, after leaving
 * behind, and giving back, regions whose end it has reached. */
int region_get_view(struct region_chain *chain, uint32_t head_pos,
                    struct region_view **ret_view);

/* Under get_lock. Whether gets at `pos` have reached the end of the region that
 * the view shows. */
bool region_ends_at(struct region_chain *chain, const struct region_view *view,
                    uint32_t pos);

/* Under put_lock. How many of the `used` units before tail_pos lie in the
 * region that puts go to: at least so many. */
uint32_t region_used(struct region_chain *chain, uint32_t tail_pos,
                     uint32_t used);

/* Under put_lock. Add a region that begins at tail_pos and has room for `need`
 * units: twice as large as the last, or more. *ret_view is what was made, and
 * not what the table says of it by now. -EAGAIN: there is no slot until gets
 * have left an old region; -ENOMEM and others: nothing has changed. */
int region_grow(struct region_chain *chain, uint32_t tail_pos, uint32_t need,
                struct region_view **ret_view);

/* Under put_lock, the queue being empty. If the last region is larger than an
 * empty queue keeps, add one of the size that a new queue has. Failure changes
 * nothing. */
int region_shrink(struct region_chain *chain, uint32_t tail_pos);

/* Under put_lock, after its owner died: give back what it had reserved for a
 * region that did not come to be. */
void region_mend(struct region_chain *chain);

/* The locks of the two sides, with their guards; of put_lock's owners the first
 * after a death mends before all else. 0, and the errors of lock_take(). */
static inline int region_take_put(struct region_chain *chain, int64_t deadline,
                                  bool interruptible)
{
    int r = lock_take_guarded(&chain->shm->put_lock, &chain->put.guard,
                              deadline, interruptible);

    if (r == LOCK_DIED)
        region_mend(chain);
    return r < 0 ? r : 0;
}

static inline void region_drop_put(struct region_chain *chain)
{
    lock_drop_guarded(&chain->shm->put_lock, &chain->put.guard);
}

static inline int region_take_get(struct region_chain *chain, int64_t deadline,
                                  bool interruptible)
{
    int r = lock_take_guarded(&chain->shm->get_lock, &chain->get.guard,
                              deadline, interruptible);

    return r < 0 ? r : 0;
}

static inline void region_drop_get(struct region_chain *chain)
{
    lock_drop_guarded(&chain->shm->get_lock, &chain->get.guard);
}

/* Whether an empty queue should give memory back: the region that gets come from
 * is larger than it keeps, or blocks are, and it did not do so just before. A
 * hint: no lock. */
bool region_is_excess(struct region_chain *chain);

/* The numbers of the regions that gets come from and puts go to. No lock: the
 * first may be behind, by regions whose end head has reached. */
uint32_t region_first(struct region_chain *chain);
uint32_t region_last(struct region_chain *chain);

/* Read the unit at `pos` from the file, without a view of it, as if it lay in
 * region `number`, one of region_first() .. region_last(). No lock: what it gives
 * may be of a region that has been left. -EIO, CHUTE_ECORRUPT. */
int region_read(struct region_chain *chain, uint32_t number, uint32_t pos,
                uint64_t *ret_unit);

/* Whether that lies in the file. It cannot shrink (sealed): what is inside now
 * stays so. 0; CHUTE_ECORRUPT. */
int region_is_inside(struct region_chain *chain, uint64_t offset, uint64_t len);

/* Under put_lock. Where the last region or block ends in the file. 0;
 * CHUTE_ECORRUPT. */
int region_end(struct region_chain *chain, uint64_t *ret_offset);

/* Reserve memory in the file. CHUTE_ENOMEM; CHUTE_ENOSPC, of a file that has a
 * name; -EFBIG. */
int region_reserve(struct region_chain *chain, uint64_t offset, uint64_t len);

/* Bytes reserved for items, by the tables. No lock: a figure for statistics. */
uint64_t region_reserved(struct region_chain *chain);

#endif
