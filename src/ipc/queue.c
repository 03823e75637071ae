/* queue.c - the queue's public face: locks, waiting, values.
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
#include "chute/error.h"
#include "chute/pickle.h"
#include "codec/value.h"
#include "ipc/queue.h"
#include "plat/file.h"
#include "plat/plat.h"
#include "shm/event.h"
#include "shm/lock.h"
#include "shm/patience.h"
#include "shm/region.h"
#include "shm/ring.h"

/* The door of every operation: a queue, and a thread that may use it. Owners
 * are known by their tid; one from another PID namespace would be taken for
 * somebody else. */
static int enter(const chute_queue *queue)
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

/* -- put -------------------------------------------------------------------- */

/* Who leaves, and has slept, leaves the wake-up to the next. */
static void pass_on_space(chute_queue *queue)
{
    struct region_chain *chain = &queue->chain;
    struct ring_state state = ring_look(chain);

    if (ring_is_closed(chain) || (ring_count(state) < chain->maxsize &&
                                  ring_units(state) < chain->max_units))
        event_wake(&chain->shm->space, 1);
}

static int put_once(chute_queue *queue, const void *data, size_t len,
                    const struct patience *patience,
                    struct ring_state *ret_state)
{
    struct region_chain *chain = &queue->chain;
    int r = lock_take_guarded(&chain->shm->put_lock, &chain->put_guard,
                              patience->lock_deadline, queue->interruptible);

    if (r < 0)
        return r;
    if (r == LOCK_DIED)
        region_mend(chain);
    r = ring_put(chain, data, len, patience->copy_deadline, ret_state);
    lock_drop_guarded(&chain->shm->put_lock, &chain->put_guard);
    return r;
}

static int put(chute_queue *queue, const void *data, size_t len,
               int64_t timeout_ns)
{
    struct region_chain *chain = &queue->chain;
    struct patience patience;
    struct ring_state state;
    struct change change = {.chain = chain,
                            .event = &chain->shm->space,
                            .word = &chain->shm->head,
                            .own = &chain->shm->tail};
    bool passed_on = false;

    int r = patience_begin(&patience, timeout_ns, queue->interruptible);
    if (r < 0)
        return r;
    if (ring_need(len) > chain->max_units)
        return fail(CHUTE_EMSGSIZE);
    for (;;) {
        r = put_once(queue, data, len, &patience, &state);
        if (r <= 0)
            break;
        /* Once for each time that head has moved: if nobody can use the
         * wake-up, it must not go round for ever. */
        if (change.seen != state.head)
            passed_on = false;
        if (r == RING_TIGHT && patience.slept && !passed_on) {
            passed_on = true;
            pass_on_space(queue);
        }
        change.seen = state.head;
        r = patience_wait(&patience, &change);
        if (r < 0)
            break;
    }
    if (r == 0)
        event_wake(&chain->shm->items, 1);
    if (patience.slept)
        pass_on_space(queue);
    return r;
}

int chute_queue_put_bytes(chute_queue *queue, const void *data, size_t data_len,
                          int64_t timeout_ns)
{
    int r = enter(queue);

    if (r < 0)
        return r;
    if (!data && data_len)
        return fail(CHUTE_EINVAL);
    return put(queue, data, data_len, timeout_ns);
}

int chute_queue_put(chute_queue *queue, chute_value *v, int64_t timeout_ns)
{
    void *data = NULL;
    size_t len;
    int r = enter(queue);

    if (r == 0)
        r = v ? chute_dumps(v, &data, &len) : fail(CHUTE_ENOMEM);
    if (r == 0)
        r = put(queue, data, len, timeout_ns);
    free(data);
    chute_value_free(v);
    return r;
}

/* -- get -------------------------------------------------------------------- */

static void pass_on_items(chute_queue *queue)
{
    struct ring_state state;

    if (!ring_is_empty(&queue->chain, &state) || ring_is_closed(&queue->chain))
        event_wake(&queue->chain.shm->items, 1);
}

/* The queue has been emptied and holds much memory: go back to a small region,
 * then leave the large one. Whoever else holds one of the locks will empty the
 * queue again, and come here. */
static void give_back(chute_queue *queue)
{
    struct region_chain *chain = &queue->chain;
    struct shm_queue *shm = chain->shm;
    struct ring_state state;
    struct region_view *view;

    int r = lock_take_guarded(&shm->put_lock, &chain->put_guard, 0, false);
    if (r < 0)
        return;
    if (r == LOCK_DIED)
        region_mend(chain);
    if (ring_is_empty(chain, &state))
        (void)region_shrink(chain, (uint32_t)state.tail);
    lock_drop_guarded(&shm->put_lock, &chain->put_guard);

    if (lock_take_guarded(&shm->get_lock, &chain->get_guard, 0, false) < 0)
        return;
    if (ring_is_empty(chain, &state))
        (void)region_get_view(chain, (uint32_t)state.head, &view);
    lock_drop_guarded(&shm->get_lock, &chain->get_guard);
}

/* ring_get, or ring_peek. */
typedef int ring_reader(struct region_chain *chain, void *buf, size_t cap,
                        size_t *ret_len, int64_t deadline,
                        struct ring_state *ret_state);

static int get_once(chute_queue *queue, ring_reader *read, void *buf,
                    size_t cap, size_t *ret_len,
                    const struct patience *patience,
                    struct ring_state *ret_state)
{
    struct region_chain *chain = &queue->chain;
    bool closed = ring_is_closed(chain); /* before tail */

    if (ring_is_empty(chain, ret_state))
        return closed ? CHUTE_EOF : RING_EMPTY;
    int r = lock_take_guarded(&chain->shm->get_lock, &chain->get_guard,
                              patience->lock_deadline, queue->interruptible);
    if (r < 0)
        return r;
    r = read(chain, buf, cap, ret_len, patience->copy_deadline, ret_state);
    lock_drop_guarded(&chain->shm->get_lock, &chain->get_guard);
    return r;
}

static int get(chute_queue *queue, ring_reader *read, void *buf, size_t cap,
               size_t *ret_len, struct patience *patience)
{
    struct region_chain *chain = &queue->chain;
    struct ring_state state;
    struct change change = {.chain = chain,
                            .event = &chain->shm->items,
                            .word = &chain->shm->tail,
                            .own = &chain->shm->head};
    int r;

    for (;;) {
        r = get_once(queue, read, buf, cap, ret_len, patience, &state);
        if ((r == RING_EMPTY || r == CHUTE_EOF) && region_is_excess(chain))
            give_back(queue);
        if (r <= 0)
            break;
        change.seen = state.tail;
        r = patience_wait(patience, &change);
        if (r < 0)
            break;
    }
    bool taken = r == 0 && read == ring_get;
    if (taken)
        event_wake(&chain->shm->space, 1);
    if (patience->slept)
        pass_on_items(queue);
    if (taken && ring_count(state) == 1 && region_is_excess(chain))
        give_back(queue);
    return r;
}

static int get_bytes(chute_queue *queue, ring_reader *read, void *buf,
                     size_t cap, size_t *ret_len, int64_t timeout_ns)
{
    struct patience patience;
    size_t len;
    int r = enter(queue);

    if (r < 0)
        return r;
    if ((!buf && cap) || !ret_len)
        return fail(CHUTE_EINVAL);
    r = patience_begin(&patience, timeout_ns, queue->interruptible);
    if (r < 0)
        return r;
    r = get(queue, read, buf, cap, &len, &patience);
    if (r == 0 || r == CHUTE_EMSGSIZE)
        *ret_len = len;
    return r;
}

int chute_queue_get_bytes(chute_queue *queue, void *buf, size_t cap,
                          size_t *ret_len, int64_t timeout_ns)
{
    return get_bytes(queue, ring_get, buf, cap, ret_len, timeout_ns);
}

int chute_queue_peek_bytes(chute_queue *queue, void *buf, size_t cap,
                           size_t *ret_len, int64_t timeout_ns)
{
    return get_bytes(queue, ring_peek, buf, cap, ret_len, timeout_ns);
}

/* A message of any length as a bytes value. */
static int get_raw(chute_queue *queue, ring_reader *read, chute_value **ret_raw,
                   struct patience *patience)
{
    size_t cap = 256, len;

    for (;;) {
        void *data;
        chute_value *raw = value_bytes_new(cap, &data);
        if (!raw)
            return fail(CHUTE_ENOMEM);
        int r = get(queue, read, data, cap, &len, patience);
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

static int get_value(chute_queue *queue, ring_reader *read,
                     chute_value **ret_value, int64_t timeout_ns)
{
    struct patience patience;
    chute_value *raw;
    size_t len;

    if (!ret_value)
        return fail(CHUTE_EINVAL);
    *ret_value = NULL;
    int r = enter(queue);
    if (r < 0)
        return r;
    r = patience_begin(&patience, timeout_ns, queue->interruptible);
    if (r < 0)
        return r;
    r = get_raw(queue, read, &raw, &patience);
    if (r != 0)
        return r;
    const void *data = chute_value_bytes(raw, &len);
    r = chute_loads(data, len, ret_value, NULL);
    if (r < 0)
        *ret_value = raw;
    else
        chute_value_free(raw);
    return r;
}

int chute_queue_get(chute_queue *queue, chute_value **ret_value,
                    int64_t timeout_ns)
{
    return get_value(queue, ring_get, ret_value, timeout_ns);
}

int chute_queue_peek(chute_queue *queue, chute_value **ret_value,
                     int64_t timeout_ns)
{
    return get_value(queue, ring_peek, ret_value, timeout_ns);
}

/* -- looking and closing ---------------------------------------------------- */

static int look(chute_queue *queue, struct ring_state *ret_state)
{
    int r = enter(queue);

    if (r < 0)
        return r;
    *ret_state = ring_look(&queue->chain);
    return ring_count(*ret_state) > queue->chain.maxsize ? fail(CHUTE_ECORRUPT)
                                                         : 0;
}

int chute_queue_qsize(chute_queue *queue, size_t *ret_n_items)
{
    struct ring_state state;

    if (!ret_n_items)
        return fail(CHUTE_EINVAL);
    int r = look(queue, &state);
    if (r == 0)
        *ret_n_items = ring_count(state);
    return r;
}

int chute_queue_empty(chute_queue *queue)
{
    struct ring_state state;
    int r = look(queue, &state);

    return r < 0 ? r : ring_count(state) == 0;
}

int chute_queue_full(chute_queue *queue)
{
    struct ring_state state;
    int r = look(queue, &state);

    return r < 0 ? r
                 : queue->chain.bounded &&
                       ring_count(state) == queue->chain.maxsize;
}

int chute_queue_close(chute_queue *queue)
{
    int r = enter(queue);

    if (r < 0)
        return r;
    struct region_chain *chain = &queue->chain;
    struct shm_queue *shm = chain->shm;
    r = lock_take(&shm->put_lock, PLAT_NEVER, queue->interruptible);
    if (r < 0)
        return r;
    if (r == LOCK_DIED)
        region_mend(chain);
    ring_close(chain);
    lock_drop(&shm->put_lock);
    event_wake(&shm->items, EVENT_ALL);
    event_wake(&shm->space, EVENT_ALL);
    return 0;
}

static uint64_t sum(_Atomic uint32_t *a, _Atomic uint32_t *b)
{
    return (uint64_t)atomic_load_explicit(a, memory_order_relaxed) +
           atomic_load_explicit(b, memory_order_relaxed);
}

int chute_queue_stat(chute_queue *queue, struct chute_queue_stats *ret_stats)
{
    struct ring_state state;

    if (!ret_stats || ret_stats->size < sizeof ret_stats->size)
        return fail(CHUTE_EINVAL);
    int r = look(queue, &state);
    if (r < 0)
        return r;
    struct shm_queue *shm = queue->chain.shm;
    uint64_t size = ret_stats->size;
    r = queue->chain.named ? file_is_named(queue->chain.fd) : 1;
    if (r < 0)
        return r;
    struct chute_queue_stats stat = {
        .size = size,
        .n_items = ring_count(state),
        .used = (uint64_t)ring_units(state) * SHM_UNIT,
        .reserved = region_reserved(&queue->chain),
        .n_rescues = sum(&shm->items.n_rescues, &shm->space.n_rescues) +
                     sum(&shm->put_lock.n_rescues, &shm->get_lock.n_rescues),
        .n_deaths = sum(&shm->put_lock.n_deaths, &shm->get_lock.n_deaths),
        .unlinked = r == 0};
    memcpy(ret_stats, &stat, size < sizeof stat ? (size_t)size : sizeof stat);
    return 0;
}
