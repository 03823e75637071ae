/* block.h - messages that lie beside the ring, and are filled and read in their
 * place. See block.c.
 */
#ifndef SHM_BLOCK_H
#define SHM_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/layout.h"

struct region_chain;

/* A block as this process has it mapped. `holder` says whether a thread of the
 * process uses it, {epoch:32 high, 1:32 low}: what a child inherits is its
 * parent's. All else is for the holder, and stays when it lets go; mem is set last
 * and taken away first, for a child may be forked at any moment. */
struct block_view {
    _Atomic uint64_t holder;
    uint64_t who; /* as whom it holds it */
    uint64_t offset;
    size_t len;
    char *_Atomic mem;
};

/* What an empty queue keeps in free blocks. */
#define BLOCK_KEEP_LEN (UINT64_C(4) << 20)

/* What an item says that lies in a block. */
struct block_name {
    uint64_t number;
    uint64_t len; /* of the message, in bytes */
};

/* What an attempt found, where an error would say too much. */
#define BLOCK_NONE 1

/* How long a call may wait for the queue's locks. */
struct block_wait {
    int64_t deadline;
    bool interruptible;
};

/* Take a free block for the process `who`, with len bytes, which are no more than
 * the queue's memory. Takes and drops put_lock if that needs more memory. 0;
 * BLOCK_NONE: all are in use, or all the memory is; CHUTE_ENOMEM, CHUTE_ENOSPC and
 * what else a reserve can say; CHUTE_ECORRUPT; -ETIMEDOUT, -EINTR. */
int block_take(struct region_chain *chain, uint64_t who, size_t len,
               const struct block_wait *wait, uint32_t *ret_number);

/* Free all that the dead have left; takes and drops each of the locks. 0;
 * -ETIMEDOUT, -EINTR. */
int block_find_lost(struct region_chain *chain, const struct block_wait *wait);

/* Whether this process has taken the block, and sees it at `mem`. */
bool block_is_held(struct region_chain *chain, uint64_t number,
                   const void *mem);

/* One that this process has taken is free again, and somebody who waits for it on
 * shm->released is woken. */
void block_drop(struct region_chain *chain, uint32_t number);

/* Under put_lock, before the commit of item `seq` that names it: the block that
 * this process has taken goes into the queue. */
void block_enqueue(struct region_chain *chain, uint32_t number, uint32_t seq);

/* Under get_lock: have the block that item `seq` names mapped, for reading. 0;
 * CHUTE_ECORRUPT; -ENOMEM. Then one of three: it stays in the queue; or, after
 * the commit, it is free, or taken by the process `who`. */
int block_open(struct region_chain *chain, const struct block_name *name,
               uint32_t seq, char **ret_mem);
void block_close(struct region_chain *chain, uint32_t number);
void block_free(struct region_chain *chain, uint32_t number);
void block_dequeue(struct region_chain *chain, uint32_t number, uint64_t who);

/* Whether a block might be had. A hint: no lock. */
bool block_is_there(struct region_chain *chain);

/* Under put_lock: give back what free blocks have beyond BLOCK_KEEP_LEN. */
void block_shrink(struct region_chain *chain);

/* Under put_lock: where the last of them ends in the file; 0: there are none. */
uint64_t block_end(struct region_chain *chain);

/* Drop all that this process has taken, and unmap all. Needs no lock. */
void block_leave(struct region_chain *chain);

#endif
