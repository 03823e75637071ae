/* queue.h - what the parts of the queue's public face share.
 *
 *     queue-make.c   makes queues, and frees them
 *     queue-name.c   opens, makes, lists, unlinks those with names
 *     queue.c        puts and gets
 *     queue-look.c   looks: counts, statistics, members
 *     queue-watch.c  waits by a descriptor
 *     queue-loan.c   lends messages in their place
 */
#ifndef IPC_QUEUE_H
#define IPC_QUEUE_H

#include <stdbool.h>

#include "chute/queue.h"
#include "shm/member.h"
#include "shm/patience.h"
#include "shm/region.h"
#include "shm/ring.h"

/* What has been lent (queue-loan.c): a block, */
struct loan {
    size_t len; /* what may be put of it */
    bool is_reserved;
};

/* or a copy of what lay in the ring. */
struct loan_copy {
    _Atomic uint64_t epoch; /* of whose process it is, or 0 */
    void *_Atomic mem;      /* what is to be freed, */
    const void *data;       /* and what the borrower was given */
};

struct chute_queue {
    struct region_chain chain; /* first: tests reach it by a cast */
    bool interruptible;
    struct habit putting, getting, reserving;
    struct loan loan[SHM_N_BLOCKS]; /* by the blocks' numbers */
    struct loan_copy copy[SHM_N_BLOCKS];
    /* {epoch:32 high, place:32 low}: our place in the table of members, and the
     * process that it is for. Inherited by a child it is nothing. */
    _Atomic uint64_t membership;
};

/* The options of a queue, checked; and max_units among them. */
int queue_options(struct chute_queue_options *options,
                  const struct chute_queue_options *given, uint64_t flags);
uint32_t queue_max_units(const struct chute_queue_options *options);

/* A handle, to be filled; and what came of filling it: it is freed, or given to
 * the caller. */
chute_queue *queue_handle_new(const struct chute_queue_options *options);
int queue_hand_over(chute_queue *queue, int r, chute_queue **ret_queue);

/* The door of every operation: a queue, and a thread that may use it. Owners are
 * known by their tid; one from another PID namespace would be taken for somebody
 * else. */
int queue_enter(const chute_queue *queue);

/* The same for one that puts or gets, and so becomes a member. */
int queue_enter_member(chute_queue *queue, struct shm_member **ret_member);

/* As whom we hold blocks: as the member that we are, or, if the table of members
 * is full, without one. */
uint64_t queue_who(struct shm_member *member);

/* End all loans of copies. */
void queue_free_copies(chute_queue *queue);

/* Put an item that names a block. Take the oldest item, for a borrower: what lies
 * in no block is copied to batch->buf, which is aligned, and lies in *mem, which is
 * allocated, and the caller's, whatever comes of it. */
#define QUEUE_ALIGN 64
int queue_put_block(chute_queue *queue, struct block_name *block,
                    int64_t timeout_ns);
int queue_get_lent(chute_queue *queue, struct ring_get_batch *batch,
                   void *_Atomic *mem, int64_t timeout_ns);

/* Whoever is leaving gives the place in the table back. */
void queue_leave(chute_queue *queue);

/* A get ends, with r: where this process has a bell and nothing is left to get,
 * silence it. */
void queue_hush_bell(chute_queue *queue, int r,
                     const struct patience *patience);

static inline void queue_hush(chute_queue *queue, int r,
                              const struct patience *patience)
{
    if (bell_hangs(&queue->chain.bell))
        queue_hush_bell(queue, r, patience);
}

#endif
