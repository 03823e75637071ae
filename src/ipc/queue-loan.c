/* queue-loan.c - messages filled and read in their place.
 *
 *     reserve   takes a block (shm/block.c), waiting for one if need be
 *     commit    puts an item that names it
 *     borrow    takes the oldest item; if it names a block, that is lent, else it
 *               is copied into private memory
 *     release   gives a block back, or frees the copy
 *
 * A loan says by its `place` where it lies. What this process has on loan is
 * known privately; so one that was made up, ended before, or inherited from a parent
 * is refused.
 *
 * Proof: tests/unit/test-queue-loan.c, tests/torture/step.c.
 */
#include <stdlib.h>

#include "base/fail.h"
#include "chute/error.h"
#include "ipc/queue.h"
#include "plat/plat.h"
#include "shm/event.h"

/* Places: of blocks 1 .., of copies behind them. */
#define FIRST_COPY (SHM_N_BLOCKS + 1)

/* One call that waits for a block. */
struct reserve_call {
    chute_queue *queue;
    uint64_t who;
    size_t len;
    struct patience patience;
    struct block_wait wait; /* for a lock */
};

static int take_once(struct reserve_call *call, uint32_t *ret_number)
{
    struct region_chain *chain = &call->queue->chain;

    if (ring_is_closed(chain))
        return CHUTE_ECLOSED;
    return block_take(chain, call->who, call->len, &call->wait, ret_number);
}

/* The same where there was none: the dead may have left some. */
static int find_once(struct reserve_call *call, uint32_t *ret_number)
{
    int r = take_once(call, ret_number);

    if (r != BLOCK_NONE)
        return r;
    r = block_find_lost(&call->queue->chain, &call->wait);
    return r < 0 ? r : take_once(call, ret_number);
}

static uint64_t count_of_released(struct reserve_call *call)
{
    /* acquire: pairs with the release in count_released(), of what is free. */
    return atomic_load_explicit(&call->queue->chain.shm->n_released,
                                memory_order_acquire);
}

/* Without a look for what the dead have left, which takes locks: mostly there is
 * a free block, or soon will be. */
static int take_soon(struct reserve_call *call, struct change *change,
                     uint32_t *ret_number)
{
    int r = take_once(call, ret_number);

    if (r != BLOCK_NONE || call->patience.nowait)
        return r;
    change->seen = count_of_released(call);
    r = take_once(call, ret_number);
    if (r == BLOCK_NONE && patience_poll(&call->patience, change))
        r = take_once(call, ret_number);
    return r;
}

static int take(struct reserve_call *call, uint32_t *ret_number)
{
    struct region_chain *chain = &call->queue->chain;
    struct shm_queue *shm = chain->shm;
    struct change change = {.chain = chain,
                            .event = &shm->released,
                            .word = &shm->n_released,
                            .own = &shm->free_hint};
    int r = take_soon(call, &change, ret_number);

    if (r != BLOCK_NONE)
        return r;
    do {
        uint64_t seen = count_of_released(call);
        r = find_once(call, ret_number);
        if (r != BLOCK_NONE)
            return r;
        /* What we were woken for is no use to us, who need much memory; another
         * may need less. Once for each time that something came free. */
        if (call->patience.slept && seen != change.seen &&
            block_is_there(chain))
            event_wake(&shm->released, 1);
        change.seen = seen;
        r = patience_wait(&call->patience, &change);
    } while (r == 0);
    return r;
}

static void lend_block(chute_queue *queue, struct chute_loan *loan,
                       uint32_t number, size_t len, bool is_reserved)
{
    char *mem = atomic_load_explicit(&queue->chain.block[number].mem,
                                     memory_order_relaxed);

    queue->loan[number].len = len;
    queue->loan[number].is_reserved = is_reserved;
    *loan = (struct chute_loan){mem, len, (uint64_t)number + 1};
}

int chute_queue_reserve(chute_queue *queue, struct chute_loan *ret_loan,
                        size_t len, int64_t timeout_ns)
{
    struct reserve_call call = {.queue = queue, .len = len};
    struct shm_member *member;
    uint32_t number;

    if (!ret_loan)
        return fail(CHUTE_EINVAL);
    *ret_loan = (struct chute_loan){0};
    int r = queue_enter_member(queue, &member);
    if (r < 0)
        return r;
    struct region_chain *chain = &queue->chain;
    if (len > (uint64_t)chain->max_units * SHM_UNIT)
        return fail(CHUTE_EMSGSIZE);
    call.who = queue_who(member);
    r = patience_begin(&call.patience, timeout_ns, queue->interruptible,
                       &queue->reserving, &member->putting);
    if (r < 0)
        return r;
    call.wait = (struct block_wait){.deadline = call.patience.lock_deadline,
                                    .interruptible = queue->interruptible};
    r = take(&call, &number);
    patience_end(&call.patience);
    /* Who has slept passes on what he leaves to others. */
    if (call.patience.slept && block_is_there(chain))
        event_wake(&chain->shm->released, 1);
    if (r == 0)
        lend_block(queue, ret_loan, number, len, true);
    return r;
}

/* Whether it is a loan of this handle and process, of a block. */
static bool is_of_block(chute_queue *queue, const struct chute_loan *loan)
{
    return loan->place > 0 &&
           block_is_held(&queue->chain, loan->place - 1, loan->data);
}

int chute_queue_commit(chute_queue *queue, struct chute_loan *loan,
                       int64_t timeout_ns)
{
    int r = queue_enter(queue);

    if (r < 0)
        return r;
    if (!loan || !is_of_block(queue, loan) ||
        !queue->loan[loan->place - 1].is_reserved ||
        loan->len > queue->loan[loan->place - 1].len)
        return fail(CHUTE_EINVAL);
    struct block_name name = {loan->place - 1, loan->len};
    r = queue_put_block(queue, &name, timeout_ns);
    if (r == 0)
        *loan = (struct chute_loan){0};
    return r;
}

/* -- borrowed ---------------------------------------------------------------- */

/* A place for a copy, before there is something to be lost for want of one. What a
 * child has inherited there is garbage. */
static struct loan_copy *take_copy(chute_queue *queue)
{
    uint64_t us = plat_self_.epoch;

    for (uint32_t i = 0; i < SHM_N_BLOCKS; i++) {
        struct loan_copy *copy = &queue->copy[i];
        uint64_t found =
            atomic_load_explicit(&copy->epoch, memory_order_relaxed);
        /* acquire: pairs with the release in end_copy(). */
        if (found != us && atomic_compare_exchange_strong_explicit(
                               &copy->epoch, &found, us, memory_order_acquire,
                               memory_order_relaxed)) {
            free(atomic_exchange_explicit(&copy->mem, NULL,
                                          memory_order_relaxed));
            return copy;
        }
    }
    return NULL;
}

static void end_copy(struct loan_copy *copy)
{
    free(atomic_exchange_explicit(&copy->mem, NULL, memory_order_relaxed));
    /* release: pairs with the acquire in take_copy(). */
    atomic_store_explicit(&copy->epoch, 0, memory_order_release);
}

static struct loan_copy *copy_of(chute_queue *queue,
                                 const struct chute_loan *loan)
{
    uint64_t i = loan->place - FIRST_COPY;

    if (loan->place < FIRST_COPY || i >= SHM_N_BLOCKS)
        return NULL;
    struct loan_copy *copy = &queue->copy[i];
    bool is_ours = atomic_load_explicit(&copy->epoch, memory_order_relaxed) ==
                   plat_self_.epoch;
    return is_ours && copy->data == loan->data ? copy : NULL;
}

void queue_free_copies(chute_queue *queue)
{
    for (uint32_t i = 0; i < SHM_N_BLOCKS; i++)
        free(queue->copy[i].mem);
}

int chute_queue_borrow(chute_queue *queue, struct chute_loan *ret_loan,
                       int64_t timeout_ns)
{
    struct iovec item = {0};
    struct ring_get_batch batch = {.items = &item, .n = 1};

    if (!ret_loan)
        return fail(CHUTE_EINVAL);
    *ret_loan = (struct chute_loan){0};
    int r = queue_enter(queue);
    if (r < 0)
        return r;
    struct loan_copy *copy = take_copy(queue);
    if (!copy)
        return fail(CHUTE_EAGAIN);
    r = queue_get_lent(queue, &batch, &copy->mem, timeout_ns);
    if (r == 0 && !batch.block) {
        uint64_t place = FIRST_COPY + (uint64_t)(copy - queue->copy);
        copy->data = batch.buf;
        *ret_loan = (struct chute_loan){batch.buf, item.iov_len, place};
        return 0;
    }
    end_copy(copy);
    if (r == 0)
        lend_block(queue, ret_loan, (uint32_t)batch.block - 1, item.iov_len,
                   false);
    return r;
}

int chute_queue_release(chute_queue *queue, struct chute_loan *loan)
{
    int r = queue_enter(queue);

    if (r < 0)
        return r;
    if (!loan)
        return fail(CHUTE_EINVAL);
    struct loan_copy *copy = copy_of(queue, loan);
    if (copy)
        end_copy(copy);
    else if (is_of_block(queue, loan))
        block_drop(&queue->chain, (uint32_t)loan->place - 1);
    else
        return fail(CHUTE_EINVAL);
    *loan = (struct chute_loan){0};
    return 0;
}
