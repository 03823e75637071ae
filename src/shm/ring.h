/* ring.h - items in the queue's memory: put, get, count. See ring.c.
 *
 * The caller holds the lock of the side that it works on; waiting is his too.
 */
#ifndef SHM_RING_H
#define SHM_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "shm/region.h"

/* What an attempt found, where an error would say too much. */
#define RING_FULL  1 /* no room, for nobody */
#define RING_TIGHT 2 /* no room for this item; a smaller one might fit */
#define RING_EMPTY 3

/* The commit words as they were at one instant, the head's side's first. */
struct ring_state {
    uint64_t head;
    uint64_t tail;
};

/* Items and units between the two, as far as they can be believed. */
uint32_t ring_count(struct ring_state state);
uint32_t ring_units(struct ring_state state);

/* The units that an item of len bytes takes; more than any queue's if len is
 * more than an item can have. */
uint64_t ring_need(size_t len);

/* All items and units that a side has committed, by its marks and its commit
 * word. No lock. */
void ring_total(struct shm_totals *totals, uint64_t commit,
                uint64_t *ret_n_items, uint64_t *ret_n_units);

/* A state that was true at one instant. No lock. */
struct ring_state ring_look(struct region_chain *chain);

/* Whether somebody who waits to put, or to get, has something to do: room for
 * some item, or an item; or the end. No lock. */
bool ring_has_work_for_put(struct region_chain *chain);
bool ring_has_work_for_get(struct region_chain *chain);

/* When the oldest item was put, on the clock of plat_now(). 0; RING_EMPTY, also
 * when it cannot be told because items come and go. No lock, no waiting. */
int ring_oldest(struct region_chain *chain, int64_t *ret_put_at);

/* What is to be put, and how much of it has been. */
struct ring_put_batch {
    const struct iovec *items;
    size_t n;
    size_t n_done;
    const struct block_name *block; /* the one item is this name; or NULL */
};

/* Under put_lock. Append the first of the items, and in the same commit as many
 * of the others as there is room for without more memory; RING_BATCH_LEN bytes
 * at most, unless the first has more. 0 with n_done; RING_FULL; RING_TIGHT;
 * CHUTE_ECLOSED; CHUTE_ECORRUPT; CHUTE_ENOMEM; -ETIMEDOUT if the deadline passed
 * in the middle of a long copy. Only 0 has changed anything. *ret_state is what
 * was found. */
int ring_put(struct region_chain *chain, struct ring_put_batch *batch,
             int64_t deadline, struct ring_state *ret_state);

#define RING_BATCH_LEN ((size_t)256 << 10)

/* Whether no item was there. Reads head first: as head never passes tail, the
 * two being equal means that they were so when tail was read. No lock. */
bool ring_is_empty(struct region_chain *chain, struct ring_state *ret_state);

/* Whether there were items when this process last looked, and not all of them
 * have been taken since: a guess, without a look at what the other side is
 * writing. No lock. */
bool ring_may_have_items(struct region_chain *chain);

/* Where items are to be copied to, and which have been: items[i] says where in
 * buf, one behind the other. */
struct ring_get_batch {
    char *buf;
    size_t cap;
    struct iovec *items;
    size_t n;
    size_t n_done;
    uint64_t borrower; /* who takes a block as it is, n being 1; or 0 */
    uint64_t block;    /* number + 1 of the block of the last item done, or 0 */
};

/* Under get_lock. Take the oldest item, and in the same commit as many of the
 * next as there is place for, n in all, from the same region, up to one that lies
 * in a block. That is free then; or the borrower's, and items[0] says where it is
 * mapped. 0 with n_done;
 * RING_EMPTY; CHUTE_EOF; CHUTE_EMSGSIZE with the length of items[0], which stays;
 * CHUTE_ECORRUPT; CHUTE_ENOMEM; -ETIMEDOUT as in ring_put(). Only 0 has taken
 * anything. */
int ring_get(struct region_chain *chain, struct ring_get_batch *batch,
             int64_t deadline, struct ring_state *ret_state);

/* The same, but the items stay. */
int ring_peek(struct region_chain *chain, struct ring_get_batch *batch,
              int64_t deadline, struct ring_state *ret_state);

/* Under put_lock. Refuse puts from here on. */
void ring_close(struct region_chain *chain);
bool ring_is_closed(struct region_chain *chain);

#endif
