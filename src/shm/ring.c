/* ring.c - items in the queue's memory: put one, get one, count.
 *
 *              head                         tail
 *     ..garbage | item | item | item | item | garbage..
 *
 * An item is one unit of {len, seq} and its bytes, rounded up to whole units.
 * Positions count units and run freely; a region wraps them. The two commit
 * words hold {seq, pos} each in 64 bits:
 *
 *     put   writes an item beyond tail, then stores tail (release): COMMIT
 *     get   reads the item at head, then stores head (release): COMMIT
 *
 * Only the owner of put_lock writes tail, only the owner of get_lock writes
 * head. Readers use only bytes in [head, tail), writers only bytes outside. A
 * transfer is one aligned 64-bit store; so whenever a process dies, memory is
 * in a state between two whole operations, plus garbage that nobody reads:
 * there is nothing to repair.
 *
 * Closing freezes tail: `closed` is written under put_lock and read there by
 * every put. A getter that has seen it set, and then finds head == tail, has
 * seen the end.
 *
 * Shared memory is input. All that decides over an address is read once and
 * checked against limits in private memory; lengths cannot leave the region,
 * for every unit's place is masked. What does not fit is CHUTE_ECORRUPT.
 *
 * Proof: tests/unit/test-ring.c, tests/torture/step.c.
 */
#include <errno.h>
#include <string.h>

#include "base/fail.h"
#include "chute/error.h"
#include "plat/plat.h"
#include "shm/ring.h"

/* A copy of more than this looks at the clock once in so many bytes. */
#define STRIDE ((size_t)1 << 20)

static uint32_t seq_of(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static uint32_t pos_of(uint64_t word)
{
    return (uint32_t)word;
}

/* A commit word, or a record's: seq beside a position, or a length. */
static uint64_t word_of(uint32_t seq, uint32_t low)
{
    return (uint64_t)seq << 32 | low;
}

uint32_t ring_count(struct ring_state state)
{
    return seq_of(state.tail) - seq_of(state.head);
}

uint32_t ring_units(struct ring_state state)
{
    return pos_of(state.tail) - pos_of(state.head);
}

uint64_t ring_need(size_t len)
{
    return len > UINT32_MAX ? UINT64_MAX : 1 + ((uint64_t)len + 7) / SHM_UNIT;
}

/* -- the commit words ------------------------------------------------------- */

static uint64_t load_tail(struct region_chain *chain)
{
    /* acquire: pairs with the release in ring_put(). */
    return atomic_load_explicit(&chain->shm->tail, memory_order_acquire);
}

static uint64_t load_head(struct region_chain *chain)
{
    /* acquire: pairs with the release in ring_get(). */
    return atomic_load_explicit(&chain->shm->head, memory_order_acquire);
}

bool ring_is_closed(struct region_chain *chain)
{
    /* acquire: pairs with the release in ring_close(); a tail that is read
     * after it is the last one. */
    return atomic_load_explicit(&chain->shm->closed, memory_order_acquire) != 0;
}

void ring_close(struct region_chain *chain)
{
    /* release: pairs with the acquire in ring_is_closed(). */
    atomic_store_explicit(&chain->shm->closed, 1, memory_order_release);
}

struct ring_state ring_look(struct region_chain *chain)
{
    struct ring_state state;
    uint64_t again = load_tail(chain);

    /* While tail stands still, head is read: that is the instant. A tail that
     * does not stand still for so long is not worth waiting for. */
    for (int i = 0; i < 1000; i++) {
        state.tail = again;
        state.head = load_head(chain);
        again = load_tail(chain);
        if (again == state.tail)
            break;
    }
    return state;
}

bool ring_is_empty(struct region_chain *chain, struct ring_state *ret_state)
{
    ret_state->head = load_head(chain);
    ret_state->tail = load_tail(chain);
    return ret_state->head == ret_state->tail;
}

static bool state_is_sane(struct region_chain *chain, struct ring_state state)
{
    return ring_count(state) <= chain->maxsize &&
           ring_units(state) <= chain->max_units &&
           ring_count(state) <= ring_units(state) &&
           (ring_count(state) == 0) == (ring_units(state) == 0);
}

/* -- copying ---------------------------------------------------------------- */

/* The n units' memory from position pos: `first` bytes of the len at *ret_at,
 * the rest at the region's beginning. */
static size_t place(const struct region_view *view, uint32_t pos, size_t len,
                    char **ret_at)
{
    size_t at = (size_t)(pos & (view->n_units - 1)) * SHM_UNIT;
    size_t to_end = (size_t)view->n_units * SHM_UNIT - at;

    *ret_at = view->mem + at;
    return len < to_end ? len : to_end;
}

static shm_record *record_at(const struct region_view *view, uint32_t pos)
{
    char *at;

    (void)place(view, pos, SHM_UNIT, &at);
    return (shm_record *)(void *)at;
}

/* memcpy that gives up when the deadline has passed: long ones only. */
static int copy(void *to, const void *from, size_t len, int64_t deadline)
{
    while (len > STRIDE) {
        memcpy(to, from, STRIDE);
        to = (char *)to + STRIDE;
        from = (const char *)from + STRIDE;
        len -= STRIDE;
        if (plat_expired(deadline))
            return -ETIMEDOUT;
    }
    if (len)
        memcpy(to, from, len);
    return 0;
}

static int copy_in(const struct region_view *view, uint32_t pos,
                   const void *data, size_t len, int64_t deadline)
{
    char *at;
    size_t n = place(view, pos, len, &at);
    int r = copy(at, data, n, deadline);

    if (r == 0 && n < len)
        r = copy(view->mem, (const char *)data + n, len - n, deadline);
    return r;
}

static int copy_out(const struct region_view *view, uint32_t pos, void *buf,
                    size_t len, int64_t deadline)
{
    char *at;
    size_t n = place(view, pos, len, &at);
    int r = copy(buf, at, n, deadline);

    if (r == 0 && n < len)
        r = copy((char *)buf + n, view->mem, len - n, deadline);
    return r;
}

/* -- put -------------------------------------------------------------------- */

/* A region with room for `need` units at tail. */
static int make_room(struct region_chain *chain, struct ring_state state,
                     uint32_t need, struct region_view **ret_view)
{
    uint32_t pos = pos_of(state.tail);
    int r = region_put_view(chain, ret_view);

    if (r < 0)
        return r;
    uint32_t used = region_used(chain, pos, ring_units(state));
    if ((uint64_t)used + need <= (*ret_view)->n_units)
        return 0;
    r = region_grow(chain, pos, need, ret_view);
    return r == -EAGAIN ? RING_TIGHT : r;
}

int ring_put(struct region_chain *chain, const void *data, size_t len,
             int64_t deadline, struct ring_state *ret_state)
{
    struct shm_queue *shm = chain->shm;
    uint32_t need = (uint32_t)ring_need(len);
    struct region_view *view;
    struct ring_state state;

    state.tail = atomic_load_explicit(&shm->tail, memory_order_relaxed);
    state.head = load_head(chain);
    *ret_state = state;
    if (!state_is_sane(chain, state))
        return fail(CHUTE_ECORRUPT);
    if (ring_is_closed(chain))
        return CHUTE_ECLOSED;
    if (ring_count(state) == chain->maxsize ||
        ring_units(state) == chain->max_units)
        return RING_FULL;
    if ((uint64_t)ring_units(state) + need > chain->max_units)
        return RING_TIGHT;
    int r = make_room(chain, state, need, &view);
    if (r != 0)
        return r;

    uint32_t seq = seq_of(state.tail), pos = pos_of(state.tail);
    atomic_store_explicit(record_at(view, pos), word_of(seq, (uint32_t)len),
                          memory_order_relaxed);
    r = copy_in(view, pos + 1, data, len, deadline);
    if (r < 0)
        return r;
    /* COMMIT. release: pairs with the acquire in load_tail(). */
    atomic_store_explicit(&shm->tail, word_of(seq + 1, pos + need),
                          memory_order_release);
    return 0;
}

/* -- get -------------------------------------------------------------------- */

/* The length of the item at head, checked. */
static int read_len(struct region_chain *chain, const struct region_view *view,
                    struct ring_state state, uint32_t *ret_len)
{
    /* relaxed: ordered by the acquire of tail. Once: it may change under us. */
    uint64_t record = atomic_load_explicit(record_at(view, pos_of(state.head)),
                                           memory_order_relaxed);
    uint32_t len = (uint32_t)record;
    uint64_t need = ring_need(len);

    if (seq_of(record) != seq_of(state.head) || need > ring_units(state) ||
        need > view->n_units || need > chain->max_units)
        return fail(CHUTE_ECORRUPT);
    *ret_len = len;
    return 0;
}

/* The oldest item, copied out. *ret_need is what it takes in the queue. */
static int read_oldest(struct region_chain *chain, void *buf, size_t cap,
                       size_t *ret_len, int64_t deadline,
                       struct ring_state *ret_state, uint32_t *ret_need)
{
    bool closed = ring_is_closed(chain); /* before tail */
    struct region_view *view;
    struct ring_state state;
    uint32_t len;

    state.head = atomic_load_explicit(&chain->shm->head, memory_order_relaxed);
    state.tail = load_tail(chain);
    *ret_state = state;
    if (!state_is_sane(chain, state))
        return fail(CHUTE_ECORRUPT);
    int r = region_get_view(chain, pos_of(state.head), &view);
    if (r < 0)
        return r;
    if (ring_count(state) == 0)
        return closed ? CHUTE_EOF : RING_EMPTY;
    r = read_len(chain, view, state, &len);
    if (r < 0)
        return r;
    *ret_len = len;
    if (len > cap)
        return CHUTE_EMSGSIZE;
    *ret_need = (uint32_t)ring_need(len);
    return copy_out(view, pos_of(state.head) + 1, buf, len, deadline);
}

int ring_get(struct region_chain *chain, void *buf, size_t cap, size_t *ret_len,
             int64_t deadline, struct ring_state *ret_state)
{
    uint32_t need;
    int r = read_oldest(chain, buf, cap, ret_len, deadline, ret_state, &need);

    if (r != 0)
        return r;
    uint64_t head = ret_state->head;
    /* COMMIT. release: pairs with the acquire in load_head(). */
    atomic_store_explicit(&chain->shm->head,
                          word_of(seq_of(head) + 1, pos_of(head) + need),
                          memory_order_release);
    return 0;
}

int ring_peek(struct region_chain *chain, void *buf, size_t cap,
              size_t *ret_len, int64_t deadline, struct ring_state *ret_state)
{
    uint32_t need;

    return read_oldest(chain, buf, cap, ret_len, deadline, ret_state, &need);
}
