/* queue.c - putting and getting: locks, waiting, values.
 *
 * Under it lie the ring (one item in, one out), the two locks and the two
 * events. Here they become calls that wait:
 *
 *     put   take put_lock, ring_put, drop, ring `items`
 *           no room: wait for head to move, on `space`
 *     get   take get_lock, ring_get, drop, ring `space`
 *           no item: wait for tail to move, on `items`
 *
 * Nobody waits with a lock in hand, and nobody holds two locks. A lock is held
 * for the copy of one item.
 *
 * Waiting is patience.c's. Who has slept passes a wake-up on when he leaves and
 * finds more to do for others (event.c says why). A putter whose large item does
 * not fit yet passes it on too: a smaller one may fit.
 *
 * Messages are copied out before they are decoded: what lies in shared memory
 * could change under the decoder. A message goes into a bytes value first; so
 * if it cannot be decoded, that is what the caller gets, and nothing is lost.
 *
 * Proof: tests/unit/test-queue*.c, tests/stress/, tests/torture/.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "chute/error.h"
#include "codec/pickle.h"
#include "codec/value.h"
#include "ipc/queue.h"
#include "plat/plat.h"
#include "shm/event.h"
#include "shm/lock.h"
#include "shm/patience.h"
#include "shm/region.h"
#include "shm/ring.h"

/* So many values of a put_many are encoded ahead, at most. */
#define MANY 256

/* -- the door --------------------------------------------------------------- */

int queue_enter(const chute_queue *queue)
{
    int r = 0;

    if (!queue)
        return fail(CHUTE_EINVAL);
    const struct plat_self *self = plat_self(&r);
    if (!self)
        return r;
    if (self->pid_namespace != queue->chain.pid_namespace)
        return fail(CHUTE_ENAMESPACE);
    return 0;
}

/* What those who have found no place write into. */
static struct shm_member nobody;

/* Of a process's threads that come first at once one wins. */
static uint64_t join(chute_queue *queue, uint64_t found, uint32_t epoch)
{
    struct shm_queue *shm = queue->chain.shm;
    uint32_t place = member_join(shm);
    uint64_t mine = (uint64_t)epoch << 32 | place;

    /* relaxed: all that it leads to is atomic. */
    if (atomic_compare_exchange_strong_explicit(&queue->membership, &found,
                                                mine, memory_order_relaxed,
                                                memory_order_relaxed))
        return mine;
    if (place < SHM_N_MEMBERS)
        member_leave(shm, place);
    return found;
}

int queue_enter_member(chute_queue *queue, struct shm_member **ret_member)
{
    int r = queue_enter(queue);

    if (r < 0)
        return r;
    uint32_t epoch = plat_self_.epoch;
    uint64_t membership =
        atomic_load_explicit(&queue->membership, memory_order_relaxed);
    if (membership >> 32 != epoch)
        membership = join(queue, membership, epoch);
    uint32_t place = (uint32_t)membership;
    *ret_member =
        place < SHM_N_MEMBERS ? &queue->chain.shm->member[place] : &nobody;
    return 0;
}

uint64_t queue_who(struct shm_member *member)
{
    uint64_t who = atomic_load_explicit(&member->who, memory_order_relaxed);

    return who ? who : member_self();
}

void queue_leave(chute_queue *queue)
{
    int r = 0;
    const struct plat_self *self = plat_self(&r);
    uint64_t membership =
        atomic_load_explicit(&queue->membership, memory_order_relaxed);

    if (self && membership >> 32 == self->epoch &&
        (uint32_t)membership < SHM_N_MEMBERS)
        member_leave(queue->chain.shm, (uint32_t)membership);
}

/* So many more, under the lock that all who write there hold. */
static void count(_Atomic uint64_t *sum, uint64_t n)
{
    uint64_t before = atomic_load_explicit(sum, memory_order_relaxed);

    atomic_store_explicit(sum, before + n, memory_order_relaxed);
}

/* -- put -------------------------------------------------------------------- */

/* Who leaves, and has slept, leaves the wake-up to the next. */
static void pass_on_space(chute_queue *queue)
{
    if (ring_has_work_for_put(&queue->chain))
        event_wake(&queue->chain.shm->space, 1);
}

/* One call that puts. */
struct put_call {
    chute_queue *queue;
    struct shm_member *member;
    struct patience patience;
};

static int begin_put(struct put_call *call, chute_queue *queue,
                     int64_t timeout_ns)
{
    call->queue = queue;
    int r = queue_enter_member(queue, &call->member);
    if (r < 0)
        return r;
    return patience_begin(&call->patience, timeout_ns, queue->interruptible,
                          &queue->putting, &call->member->putting);
}

static int put_once(struct put_call *call, struct ring_put_batch *batch,
                    struct ring_state *ret_state)
{
    struct region_chain *chain = &call->queue->chain;
    int r = region_take_put(chain, call->patience.lock_deadline,
                            call->queue->interruptible);

    if (r < 0)
        return r;
    r = ring_put(chain, batch, call->patience.copy_deadline, ret_state);
    if (r == 0)
        count(&call->member->n_put, batch->n_done);
    region_drop_put(chain);
    return r;
}

/* There was no room, as r and *state say: wait for it, and put. */
static int put_later(struct put_call *call, struct ring_put_batch *batch, int r,
                     struct ring_state *state)
{
    struct region_chain *chain = &call->queue->chain;
    struct patience *patience = &call->patience;
    struct change change = {.chain = chain,
                            .event = &chain->shm->space,
                            .word = &chain->shm->head,
                            .own = &chain->shm->tail,
                            .is_left = ring_has_work_for_put,
                            .seen = state->head};
    bool passed_on = false;

    while (r > 0) {
        /* Once for each time that head has moved: if nobody can use the
         * wake-up, it must not go round for ever. */
        if (change.seen != state->head)
            passed_on = false;
        if (r == RING_TIGHT && patience->slept && !passed_on) {
            passed_on = true;
            pass_on_space(call->queue);
        }
        change.seen = state->head;
        r = patience_wait(patience, &change);
        if (r == 0)
            r = put_once(call, batch, state);
    }
    return r;
}

/* Put as many items of the batch as one commit takes, as soon as the first has
 * room. */
static int put_some(struct put_call *call, struct ring_put_batch *batch)
{
    struct ring_state state;

    if (ring_need(batch->items[0].iov_len) > call->queue->chain.max_units)
        return fail(CHUTE_EMSGSIZE);
    int r = put_once(call, batch, &state);
    return r <= 0 ? r : put_later(call, batch, r, &state);
}

/* Put all n items, as room comes; or the one that names a block. *ret_n of them
 * are in the queue, whatever is returned. */
static int put(struct put_call *call, const struct iovec *items, size_t n,
               const struct block_name *block, size_t *ret_n)
{
    struct shm_queue *shm = call->queue->chain.shm;
    int r = 0;

    for (*ret_n = 0; r == 0 && *ret_n < n;) {
        struct ring_put_batch batch = {
            .items = items + *ret_n, .n = n - *ret_n, .block = block};
        r = put_some(call, &batch);
        if (r == 0) {
            *ret_n += batch.n_done;
            event_wake(&shm->items, 1);
        }
    }
    patience_end(&call->patience);
    if (call->patience.slept)
        pass_on_space(call->queue);
    return r;
}

/* Begin, and put one. */
static int put_one(chute_queue *queue, const struct iovec *item,
                   const struct block_name *block, int64_t timeout_ns)
{
    struct put_call call;
    size_t n;
    int r = begin_put(&call, queue, timeout_ns);

    return r < 0 ? r : put(&call, item, 1, block, &n);
}

int queue_put_block(chute_queue *queue, struct block_name *block,
                    int64_t timeout_ns)
{
    struct iovec item = {block, sizeof *block};

    return put_one(queue, &item, block, timeout_ns);
}

int chute_queue_put_bytes(chute_queue *queue, const void *data, size_t data_len,
                          int64_t timeout_ns)
{
    struct iovec item = {.iov_base = (void *)(uintptr_t)data,
                         .iov_len = data_len};

    if (!data && data_len)
        return fail(CHUTE_EINVAL);
    return put_one(queue, &item, NULL, timeout_ns);
}

int chute_queue_put(chute_queue *queue, chute_value *v, int64_t timeout_ns)
{
    struct put_call call;
    struct iovec item;
    void *data = NULL;
    size_t n;
    int r = begin_put(&call, queue, timeout_ns);

    if (r == 0)
        r = v ? chute_dumps(v, &data, &item.iov_len) : fail(CHUTE_ENOMEM);
    item.iov_base = data;
    if (r == 0)
        r = put(&call, &item, 1, NULL, &n);
    free(data);
    chute_value_free(v);
    return r;
}

/* -- put, many -------------------------------------------------------------- */

int chute_queue_put_many_bytes(chute_queue *queue, const struct iovec *items,
                               size_t n, size_t *ret_n, int64_t timeout_ns)
{
    struct put_call call;

    if (ret_n)
        *ret_n = 0;
    if (!ret_n || (!items && n))
        return fail(CHUTE_EINVAL);
    for (size_t i = 0; i < n; i++)
        if (!items[i].iov_base && items[i].iov_len)
            return fail(CHUTE_EINVAL);
    int r = begin_put(&call, queue, timeout_ns);
    return r < 0 ? r : put(&call, items, n, NULL, ret_n);
}

/* Encode as many as one commit takes, one at least. */
static int dump_some(chute_value *const *values, size_t n,
                     struct iovec items[MANY], size_t *ret_n)
{
    size_t n_bytes = 0, i = 0;
    int r = 0;

    while (r == 0 && i < n && i < MANY && n_bytes <= RING_BATCH_LEN) {
        r = values[i]
                ? chute_dumps(values[i], &items[i].iov_base, &items[i].iov_len)
                : fail(CHUTE_ENOMEM);
        if (r == 0)
            n_bytes += items[i++].iov_len;
    }
    *ret_n = i;
    return r;
}

int chute_queue_put_many(chute_queue *queue, chute_value *const *values,
                         size_t n, size_t *ret_n, int64_t timeout_ns)
{
    struct iovec items[MANY];
    struct put_call call;

    if (ret_n)
        *ret_n = 0;
    if (!ret_n || (!values && n))
        return fail(CHUTE_EINVAL);
    int r = begin_put(&call, queue, timeout_ns);
    while (r == 0 && *ret_n < n) {
        size_t n_dumped, n_put;
        int of_dump = dump_some(values + *ret_n, n - *ret_n, items, &n_dumped);
        r = put(&call, items, n_dumped, NULL, &n_put);
        for (size_t i = 0; i < n_put; i++)
            chute_value_free(values[*ret_n + i]);
        *ret_n += n_put;
        for (size_t i = 0; i < n_dumped; i++)
            free(items[i].iov_base);
        if (r == 0)
            r = of_dump;
    }
    return r;
}

/* -- get -------------------------------------------------------------------- */

static void pass_on_items(chute_queue *queue)
{
    if (ring_has_work_for_get(&queue->chain))
        event_wake(&queue->chain.shm->items, 1);
}

/* The queue has been emptied and holds much memory: go back to a small region,
 * then leave the large one. Whoever else holds one of the locks will empty the
 * queue again, and come here. */
static void give_back(chute_queue *queue)
{
    struct region_chain *chain = &queue->chain;
    struct ring_state state;
    struct region_view *view;

    if (region_take_put(chain, 0, false) < 0)
        return;
    if (ring_is_empty(chain, &state))
        (void)region_shrink(chain, (uint32_t)state.tail);
    block_shrink(chain);
    region_drop_put(chain);

    if (region_take_get(chain, 0, false) < 0)
        return;
    if (ring_is_empty(chain, &state))
        (void)region_get_view(chain, (uint32_t)state.head, &view);
    region_drop_get(chain);
}

/* One call that gets or peeks. */
struct get_call {
    chute_queue *queue;
    struct shm_member *member;
    struct patience patience;
    bool take; /* the item, or only look at it */
};

static int begin_get(struct get_call *call, chute_queue *queue, bool take,
                     int64_t timeout_ns)
{
    call->queue = queue;
    call->take = take;
    int r = queue_enter_member(queue, &call->member);
    if (r < 0)
        return r;
    return patience_begin(&call->patience, timeout_ns, queue->interruptible,
                          &queue->getting, &call->member->getting);
}

/* Under get_lock. */
static int read_once(struct get_call *call, struct ring_get_batch *batch,
                     struct ring_state *ret_state)
{
    struct region_chain *chain = &call->queue->chain;
    int64_t deadline = call->patience.copy_deadline;

    if (!call->take)
        return ring_peek(chain, batch, deadline, ret_state);
    int r = ring_get(chain, batch, deadline, ret_state);
    if (r == 0)
        count(&call->member->n_got, batch->n_done);
    return r;
}

static int get_once(struct get_call *call, struct ring_get_batch *batch,
                    struct ring_state *ret_state)
{
    struct region_chain *chain = &call->queue->chain;

    if (!ring_may_have_items(chain)) {
        bool closed = ring_is_closed(chain); /* before tail */
        if (ring_is_empty(chain, ret_state))
            return closed ? CHUTE_EOF : RING_EMPTY;
    }
    int r = region_take_get(chain, call->patience.lock_deadline,
                            call->queue->interruptible);
    if (r < 0)
        return r;
    r = read_once(call, batch, ret_state);
    region_drop_get(chain);
    return r;
}

/* There was no item, as r and *state say: wait for one, and take it. */
static int get_later(struct get_call *call, struct ring_get_batch *batch, int r,
                     struct ring_state *state)
{
    struct region_chain *chain = &call->queue->chain;
    struct change change = {.chain = chain,
                            .event = &chain->shm->items,
                            .word = &chain->shm->tail,
                            .own = &chain->shm->head,
                            .is_left = ring_has_work_for_get};

    for (;;) {
        if ((r == RING_EMPTY || r == CHUTE_EOF) && region_is_excess(chain))
            give_back(call->queue);
        if (r <= 0)
            return r;
        change.seen = state->tail;
        r = patience_wait(&call->patience, &change);
        if (r == 0)
            r = get_once(call, batch, state);
    }
}

/* Wait for an item, and take as many as are there and the batch has place for. */
static int get(struct get_call *call, struct ring_get_batch *batch)
{
    chute_queue *queue = call->queue;
    struct region_chain *chain = &queue->chain;
    struct ring_state state;

    int r = get_once(call, batch, &state);
    if (r != 0)
        r = get_later(call, batch, r, &state);
    patience_end(&call->patience);
    bool taken = r == 0 && call->take;
    if (taken)
        event_wake(&chain->shm->space, 1);
    if (taken && batch->block && !batch->borrower)
        event_wake(&chain->shm->released, 1);
    if (call->patience.slept)
        pass_on_items(queue);
    if (taken && ring_count(state) == batch->n_done &&
        region_is_excess(chain) && ring_is_empty(chain, &state))
        give_back(queue);
    queue_hush(queue, r, &call->patience);
    return r;
}

static char *aligned(void *mem)
{
    return (char *)mem + (-(uintptr_t)mem & (QUEUE_ALIGN - 1));
}

int queue_get_lent(chute_queue *queue, struct ring_get_batch *batch,
                   void *_Atomic *mem, int64_t timeout_ns)
{
    struct get_call call;
    int r = begin_get(&call, queue, true, timeout_ns);

    if (r < 0)
        return r;
    batch->borrower = queue_who(call.member);
    while ((r = get(&call, batch)) == CHUTE_EMSGSIZE) {
        batch->cap = batch->items[0].iov_len;
        /* Out of *mem first: a child forked meanwhile frees what it finds there. */
        free(atomic_exchange_explicit(mem, NULL, memory_order_relaxed));
        void *new_mem = mem_alloc(batch->cap + QUEUE_ALIGN - 1);
        if (!new_mem)
            return fail(CHUTE_ENOMEM);
        batch->buf = aligned(new_mem);
        atomic_store_explicit(mem, new_mem, memory_order_relaxed);
    }
    return r;
}

/* The same for one item. */
static int get_one(struct get_call *call, void *buf, size_t cap,
                   size_t *ret_len)
{
    struct iovec item;
    struct ring_get_batch batch = {
        .buf = buf, .cap = cap, .items = &item, .n = 1};

    int r = get(call, &batch);
    if (r == 0 || r == CHUTE_EMSGSIZE)
        *ret_len = item.iov_len;
    return r;
}

static int get_bytes(chute_queue *queue, bool take, void *buf, size_t cap,
                     size_t *ret_len, int64_t timeout_ns)
{
    struct get_call call;

    if ((!buf && cap) || !ret_len)
        return fail(CHUTE_EINVAL);
    int r = begin_get(&call, queue, take, timeout_ns);
    if (r < 0)
        return r;
    return get_one(&call, buf, cap, ret_len);
}

int chute_queue_get_bytes(chute_queue *queue, void *buf, size_t cap,
                          size_t *ret_len, int64_t timeout_ns)
{
    return get_bytes(queue, true, buf, cap, ret_len, timeout_ns);
}

int chute_queue_peek_bytes(chute_queue *queue, void *buf, size_t cap,
                           size_t *ret_len, int64_t timeout_ns)
{
    return get_bytes(queue, false, buf, cap, ret_len, timeout_ns);
}

/* A message of any length as a bytes value. */
static int get_raw(struct get_call *call, chute_value **ret_raw)
{
    size_t cap = 256, len;

    for (;;) {
        void *data;
        chute_value *raw = value_bytes_new(cap, &data);
        if (!raw)
            return fail(CHUTE_ENOMEM);
        int r = get_one(call, data, cap, &len);
        if (r == 0) {
            value_bytes_cut(raw, len);
            *ret_raw = raw;
            return 0;
        }
        chute_value_free(raw);
        if (r != CHUTE_EMSGSIZE)
            return r;
        cap = len; /* if somebody else takes it, we shall see the next one */
    }
}

static int get_value(chute_queue *queue, bool take, chute_value **ret_value,
                     int64_t timeout_ns)
{
    struct get_call call;
    chute_value *raw;
    size_t len;

    if (!ret_value)
        return fail(CHUTE_EINVAL);
    *ret_value = NULL;
    int r = begin_get(&call, queue, take, timeout_ns);
    if (r == 0)
        r = get_raw(&call, &raw);
    if (r != 0)
        return r;
    const void *data = chute_value_bytes(raw, &len);
    void *block = raw;
    r = pickle_loads_block(&block, data, len, ret_value);
    if (r < 0)
        *ret_value = raw;
    else if (block)
        chute_value_free(raw);
    return r;
}

int chute_queue_get(chute_queue *queue, chute_value **ret_value,
                    int64_t timeout_ns)
{
    return get_value(queue, true, ret_value, timeout_ns);
}

int chute_queue_peek(chute_queue *queue, chute_value **ret_value,
                     int64_t timeout_ns)
{
    return get_value(queue, false, ret_value, timeout_ns);
}

/* -- get, many -------------------------------------------------------------- */

int chute_queue_get_many_bytes(chute_queue *queue, void *buf, size_t cap,
                               struct iovec *items, size_t n, size_t *ret_n,
                               int64_t timeout_ns)
{
    struct get_call call;
    struct ring_get_batch batch = {
        .buf = buf, .cap = cap, .items = items, .n = n};

    if (ret_n)
        *ret_n = 0;
    if (!ret_n || !items || n == 0 || (!buf && cap))
        return fail(CHUTE_EINVAL);
    int r = begin_get(&call, queue, true, timeout_ns);
    if (r < 0)
        return r;
    r = get(&call, &batch);
    if (r == 0)
        *ret_n = batch.n_done;
    return r;
}

/* One by one: a value that cannot be made for lack of memory has to stay in the
 * queue, and that is known only once there is place for its message. */
int chute_queue_get_many(chute_queue *queue, chute_value **ret_values, size_t n,
                         size_t *ret_n, int64_t timeout_ns)
{
    int r = 0;

    if (ret_n)
        *ret_n = 0;
    if (!ret_n || !ret_values || n == 0)
        return fail(CHUTE_EINVAL);
    while (r == 0 && *ret_n < n) {
        chute_value **place = &ret_values[*ret_n];
        r = chute_queue_get(queue, place, *ret_n ? CHUTE_NOWAIT : timeout_ns);
        *ret_n += *place != NULL;
    }
    /* No more of them is the end of the list, and no news. */
    return *ret_n && (r == CHUTE_ETIMEDOUT || r == CHUTE_EOF) ? 0 : r;
}

/* -- closing ---------------------------------------------------------------- */

int chute_queue_close(chute_queue *queue)
{
    int r = queue_enter(queue);

    if (r < 0)
        return r;
    struct region_chain *chain = &queue->chain;
    struct shm_queue *shm = chain->shm;
    r = region_take_put(chain, PLAT_NEVER, queue->interruptible);
    if (r < 0)
        return r;
    r = bell_ring(shm, &chain->bell);
    if (r == 0)
        ring_close(chain);
    region_drop_put(chain);
    if (r < 0)
        return r;
    event_wake(&shm->items, EVENT_ALL);
    event_wake(&shm->space, EVENT_ALL);
    event_wake(&shm->released, EVENT_ALL);
    return 0;
}
