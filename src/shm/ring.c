/* ring.c - items in the queue's memory: put, get, count.
 *
 *              head                         tail
 *     ..garbage | item | item | item | item | garbage..
 *
 * An item is one unit of {len, seq}, one that says when it was put, and its
 * bytes, rounded up to whole units; or, instead of its bytes, the name of the
 * block that they are in (block.c).
 * Positions count units and run freely; a region wraps them. The two commit
 * words hold {seq, pos} each in 64 bits:
 *
 *     put   writes items beyond tail, then stores tail (release): COMMIT
 *     get   reads items from head on, then stores head (release): COMMIT
 *
 * Only the owner of put_lock writes tail, only the owner of get_lock writes
 * head. Readers use only bytes in [head, tail), writers only bytes outside. A
 * transfer is one aligned 64-bit store; so whenever a process dies, memory is
 * in a state between two whole operations, plus garbage that nobody reads:
 * there is nothing to repair.
 *
 * What the other side has done is looked at only when it matters. Each process
 * keeps the other side's commit word as it last saw it: the word only goes up,
 * so what was room then is room now, and what was an item is one, unless others
 * have taken it, which one's own commit word shows. Looking costs a cache line
 * that the other side is just writing; so it is done when the old knowledge is
 * not good enough, and before anybody is told "full" or "empty". Old is not the
 * same as ancient: 32 bits wrap. A side's own marks (see below) tell whether it
 * has gone on by so much.
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

/* How far ahead lines are asked for. */
#define AHEAD_UNITS 32
#define LINE_UNITS  (64 / SHM_UNIT)

/* How often to look for the oldest item, where it has been taken meanwhile. */
#define N_LOOKS 8

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
    return len > UINT32_MAX ? UINT64_MAX
                            : SHM_ITEM_UNITS + ((uint64_t)len + 7) / SHM_UNIT;
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

bool ring_may_have_items(struct region_chain *chain)
{
    uint64_t seen =
        atomic_load_explicit(&chain->get.seen, memory_order_relaxed);
    uint64_t head =
        atomic_load_explicit(&chain->shm->head, memory_order_relaxed);
    uint32_t n = seq_of(seen) - seq_of(head);

    return n != 0 && n <= chain->maxsize;
}

bool ring_is_empty(struct region_chain *chain, struct ring_state *ret_state)
{
    ret_state->head = load_head(chain);
    ret_state->tail = load_tail(chain);
    return ret_state->head == ret_state->tail;
}

/* -- totals ----------------------------------------------------------------- */

/* A mark is made where so many items, or units, are full: often enough for a
 * difference of 32 bits to be right, and so rarely that it costs nothing. */
#define MARK_ITEMS 20
#define MARK_UNITS 28

static uint64_t in_full(_Atomic uint64_t *mark, uint32_t now)
{
    uint64_t n = atomic_load_explicit(mark, memory_order_relaxed);

    /* Signed: the mark is made first, and its maker may die before he commits;
     * who looks on may have read `now` before both. */
    return n + (uint64_t)(int32_t)(now - (uint32_t)n);
}

void ring_total(struct shm_totals *totals, uint64_t commit,
                uint64_t *ret_n_items, uint64_t *ret_n_units)
{
    *ret_n_items = in_full(&totals->n_items, seq_of(commit));
    *ret_n_units = in_full(&totals->n_units, pos_of(commit));
}

/* Under the side's lock: the commit word is about to go from old to new. */
static void mark(struct shm_totals *totals, uint64_t old, uint64_t new)
{
    uint64_t n_items, n_units;

    if (((seq_of(old) ^ seq_of(new)) >> MARK_ITEMS |
         (pos_of(old) ^ pos_of(new)) >> MARK_UNITS) == 0)
        return;
    ring_total(totals, new, &n_items, &n_units);
    atomic_store_explicit(&totals->n_items, n_items, memory_order_relaxed);
    atomic_store_explicit(&totals->n_units, n_units, memory_order_relaxed);
}

static bool is_most(struct shm_totals *totals, uint64_t n_items)
{
    return n_items > atomic_load_explicit(&totals->most, memory_order_relaxed);
}

static void count_most(struct shm_totals *totals, uint32_t n_items)
{
    if (is_most(totals, n_items))
        atomic_store_explicit(&totals->most, n_items, memory_order_relaxed);
}

bool ring_has_work_for_put(struct region_chain *chain)
{
    struct ring_state state = ring_look(chain);

    return ring_is_closed(chain) || (ring_count(state) < chain->maxsize &&
                                     ring_units(state) < chain->max_units);
}

bool ring_has_work_for_get(struct region_chain *chain)
{
    struct ring_state state;

    return !ring_is_empty(chain, &state) || ring_is_closed(chain);
}

/* -- what was seen of the other side ---------------------------------------- */

/* The mark that says how long ago `seen` was. */
static uint64_t mark_now(struct shm_totals *totals)
{
    return atomic_load_explicit(&totals->n_units, memory_order_relaxed) +
           atomic_load_explicit(&totals->n_items, memory_order_relaxed);
}

/* Under the side's lock: what is known of the other side's commit word; false if
 * nothing is, or if it is ancient. */
static bool recall(struct region_side *side, struct shm_totals *totals,
                   uint64_t *ret_word)
{
    /* acquire: pairs with the release in keep(). */
    uint64_t seen_at =
        atomic_load_explicit(&side->seen_at, memory_order_acquire);

    *ret_word = atomic_load_explicit(&side->seen, memory_order_relaxed);
    return seen_at == mark_now(totals);
}

static uint64_t keep(struct region_side *side, struct shm_totals *totals,
                     uint64_t word)
{
    atomic_store_explicit(&side->seen, word, memory_order_relaxed);
    /* release: pairs with the acquire in recall(), in a child that another
     * thread forks in between. */
    atomic_store_explicit(&side->seen_at, mark_now(totals),
                          memory_order_release);
    return word;
}

static bool state_is_sane(struct region_chain *chain, struct ring_state state)
{
    return ring_count(state) <= chain->maxsize &&
           ring_units(state) <= chain->max_units &&
           ring_count(state) <= ring_units(state) &&
           (ring_count(state) == 0) == (ring_units(state) == 0);
}

/* -- copying ---------------------------------------------------------------- */

static char *unit_at(const struct region_view *view, uint32_t pos)
{
    return view->mem + (size_t)(pos & (view->n_units - 1)) * SHM_UNIT;
}

static shm_record *record_at(const struct region_view *view, uint32_t pos)
{
    return (shm_record *)(void *)unit_at(view, pos);
}

static shm_put_at *put_at_of(const struct region_view *view, uint32_t pos)
{
    return (shm_put_at *)(void *)unit_at(view, pos + 1);
}

/* How many of len bytes from `at` on lie before the region's end; the rest is at
 * its beginning. */
static size_t before_end(const struct region_view *view, const char *at,
                         size_t len)
{
    size_t to_end = (size_t)view->n_units * SHM_UNIT - (size_t)(at - view->mem);

    return len < to_end ? len : to_end;
}

/* memcpy that gives up when the deadline has passed: long ones only. */
static int copy_long(void *to, const void *from, size_t len, int64_t deadline)
{
    while (len > STRIDE) {
        memcpy(to, from, STRIDE);
        to = (char *)to + STRIDE;
        from = (const char *)from + STRIDE;
        len -= STRIDE;
        if (plat_expired(deadline))
            return -ETIMEDOUT;
    }
    memcpy(to, from, len);
    return 0;
}

static int copy(void *to, const void *from, size_t len, int64_t deadline)
{
    if (len > STRIDE)
        return copy_long(to, from, len, deadline);
    if (len)
        memcpy(to, from, len);
    return 0;
}

static int copy_in(const struct region_view *view, uint32_t pos,
                   const void *data, size_t len, int64_t deadline)
{
    char *at = unit_at(view, pos);
    size_t n = before_end(view, at, len);
    int r = copy(at, data, n, deadline);

    if (r == 0 && n < len)
        r = copy(view->mem, (const char *)data + n, len - n, deadline);
    return r;
}

static int copy_out(const struct region_view *view, uint32_t pos, void *buf,
                    size_t len, int64_t deadline)
{
    char *at = unit_at(view, pos);
    size_t n = before_end(view, at, len);
    int r = copy(buf, at, n, deadline);

    if (r == 0 && n < len)
        r = copy((char *)buf + n, view->mem, len - n, deadline);
    return r;
}

/* -- put -------------------------------------------------------------------- */

/* What a put found: the state, and the room that there is. */
struct room {
    struct ring_state state;
    struct region_view *view; /* where puts go to, */
    uint32_t n_units;         /* units that are free there, */
    uint32_t n_items;         /* and items that the queue may take */
};

/* Whether there is room for `need` units, by room->state, which is sane. 0;
 * RING_FULL; RING_TIGHT, also if only this region is too small. */
static int measure(struct region_chain *chain, uint32_t need, struct room *room)
{
    struct ring_state state = room->state;
    uint32_t used = region_used(chain, pos_of(state.tail), ring_units(state));
    uint32_t in_region =
        used <= room->view->n_units ? room->view->n_units - used : 0;
    room->n_items = chain->maxsize - ring_count(state);
    room->n_units = chain->max_units - ring_units(state);
    if (room->n_items == 0 || room->n_units == 0)
        return RING_FULL;
    if (need > room->n_units)
        return RING_TIGHT;
    if (in_region < room->n_units)
        room->n_units = in_region;
    return need <= in_region ? 0 : RING_TIGHT;
}

/* The queue may take the item, but the region is too small. */
static int grow(struct region_chain *chain, uint32_t need, struct room *room)
{
    uint32_t n_units = chain->max_units - ring_units(room->state);

    if (need > n_units)
        return RING_TIGHT;
    int r = region_grow(chain, pos_of(room->state.tail), need, &room->view);
    if (r < 0)
        return r == -EAGAIN ? RING_TIGHT : r;
    room->n_units =
        room->view->n_units < n_units ? room->view->n_units : n_units;
    return 0;
}

/* Find room for `need` units at tail, or make it. */
static int find_room(struct region_chain *chain,
                     const struct ring_put_batch *batch, struct room *room)
{
    uint64_t need = ring_need(batch->items[0].iov_len);
    struct shm_queue *shm = chain->shm;
    struct ring_state *state = &room->state;

    state->tail = atomic_load_explicit(&shm->tail, memory_order_relaxed);
    if (ring_is_closed(chain)) {
        state->head = load_head(chain);
        return CHUTE_ECLOSED;
    }
    int r = region_put_view(chain, &room->view);
    if (r < 0)
        return r;
    /* More than any queue takes is refused all the same. */
    uint32_t n = need < UINT32_MAX ? (uint32_t)need : UINT32_MAX;
    /* A count by old knowledge may be too high: it must not become a record. */
    if (recall(&chain->put, &shm->put, &state->head) &&
        state_is_sane(chain, *state) && measure(chain, n, room) == 0 &&
        !is_most(&shm->put, ring_count(*state) + (uint64_t)batch->n))
        return 0;
    state->head = keep(&chain->put, &shm->put, load_head(chain));
    if (!state_is_sane(chain, *state))
        return fail(CHUTE_ECORRUPT);
    r = measure(chain, n, room);
    return r == RING_TIGHT ? grow(chain, n, room) : r;
}

/* Items that are written were read on another processor, a lap ago. It takes as
 * long as two puts to get their lines back, and the lock's release waits for it:
 * so ask for the lines of a later item while this one is written. */
static void expect_to_write(const struct region_view *view, uint32_t pos)
{
    plat_expect_write(unit_at(view, pos + AHEAD_UNITS));
    plat_expect_write(unit_at(view, pos + AHEAD_UNITS + LINE_UNITS));
}

/* The item that will be number seq, at pos. */
static int write_item(const struct region_view *view, uint32_t seq,
                      uint32_t pos, const struct iovec *item, int64_t put_at,
                      int64_t deadline)
{
    atomic_store_explicit(record_at(view, pos),
                          word_of(seq, (uint32_t)item->iov_len),
                          memory_order_relaxed);
    atomic_store_explicit(put_at_of(view, pos), put_at, memory_order_relaxed);
    expect_to_write(view, pos);
    return copy_in(view, pos + SHM_ITEM_UNITS, item->iov_base, item->iov_len,
                   deadline);
}

/* Write what there is room for; the first item has some. *ret_tail is where tail
 * would be. */
static int write_items(const struct room *room, struct ring_put_batch *batch,
                       int64_t deadline, uint64_t *ret_tail)
{
    uint64_t tail = room->state.tail;
    uint32_t n_units = room->n_units;
    uint32_t seq = seq_of(tail), pos = pos_of(tail);
    int64_t put_at = plat_now_coarse() | (batch->block ? SHM_IN_BLOCK : 0);
    size_t n_bytes = 0, i = 0;

    do {
        const struct iovec *item = &batch->items[i];
        uint64_t need = ring_need(item->iov_len);
        n_bytes += item->iov_len;
        if (i > 0 && (need > n_units || n_bytes > RING_BATCH_LEN))
            break;
        int r = write_item(room->view, seq, pos, item, put_at, deadline);
        if (r < 0 && i == 0)
            return r;
        if (r < 0)
            break;
        seq++;
        pos += (uint32_t)need;
        n_units -= (uint32_t)need;
    } while (++i < batch->n && i < room->n_items);
    batch->n_done = i;
    *ret_tail = word_of(seq, pos);
    return 0;
}

int ring_put(struct region_chain *chain, struct ring_put_batch *batch,
             int64_t deadline, struct ring_state *ret_state)
{
    struct shm_queue *shm = chain->shm;
    struct room room = {.view = NULL};
    uint64_t tail;

    int r = find_room(chain, batch, &room);
    *ret_state = room.state;
    if (r == 0)
        r = write_items(&room, batch, deadline, &tail);
    if (r == 0)
        r = bell_ring(shm, &chain->bell);
    if (r != 0)
        return r;
    if (batch->block)
        block_enqueue(chain, (uint32_t)batch->block->number,
                      seq_of(room.state.tail));
    mark(&shm->put, room.state.tail, tail);
    /* COMMIT. release: pairs with the acquire in load_tail(). */
    atomic_store_explicit(&shm->tail, tail, memory_order_release);
    count_most(&shm->put, ring_count(room.state) + (uint32_t)batch->n_done);
    return 0;
}

/* -- get -------------------------------------------------------------------- */

/* The length of item number seq at pos, checked; n_units are left before tail. */
static int read_len(struct region_chain *chain, const struct region_view *view,
                    uint32_t seq, uint32_t pos, uint32_t n_units,
                    size_t *ret_len)
{
    /* relaxed: ordered by the acquire of tail. Once: it may change under us. */
    uint64_t record =
        atomic_load_explicit(record_at(view, pos), memory_order_relaxed);
    uint32_t len = (uint32_t)record;
    uint64_t need = ring_need(len);

    if (seq_of(record) != seq || need > n_units || need > view->n_units ||
        need > chain->max_units)
        return fail(CHUTE_ECORRUPT);
    *ret_len = len;
    return 0;
}

/* Where a get has come to. */
struct reading {
    struct region_chain *chain;
    const struct region_view *view;
    uint32_t seq, pos;
    uint32_t n_units; /* before tail */
    size_t n_bytes;   /* in the batch, */
    size_t cap;       /* of so many that may be */
    int64_t deadline;
};

/* Likewise those of a later item while this one is read; not beyond tail, where
 * they would be taken from who writes them. */
static void expect_to_read(const struct reading *at)
{
    uint32_t pos = at->pos + AHEAD_UNITS;

    if (at->n_units < AHEAD_UNITS + 2 * LINE_UNITS)
        return;
    plat_expect_read(unit_at(at->view, pos));
    plat_expect_read(unit_at(at->view, pos + LINE_UNITS));
}

/* What is at hand goes where the next of the batch belongs. */
static int hand_out(struct reading *at, struct ring_get_batch *batch,
                    struct iovec *item, const char *block)
{
    if (item->iov_len > at->cap - at->n_bytes)
        return CHUTE_EMSGSIZE;
    item->iov_base = at->n_bytes ? batch->buf + at->n_bytes : batch->buf;
    return block ? copy(item->iov_base, block, item->iov_len, at->deadline)
                 : copy_out(at->view, at->pos + SHM_ITEM_UNITS, item->iov_base,
                            item->iov_len, at->deadline);
}

/* An item of stored_len bytes that names a block. */
static int read_block(struct reading *at, struct ring_get_batch *batch,
                      struct iovec *item, size_t stored_len)
{
    struct block_name name;
    char *mem;

    if (stored_len != sizeof name)
        return fail(CHUTE_ECORRUPT);
    int r = copy_out(at->view, at->pos + SHM_ITEM_UNITS, &name, sizeof name,
                     PLAT_NEVER);
    if (r == 0)
        r = block_open(at->chain, &name, at->seq, &mem);
    if (r < 0)
        return r;
    item->iov_len = name.len;
    item->iov_base = mem;
    if (!batch->borrower)
        r = hand_out(at, batch, item, mem);
    if (r < 0)
        block_close(at->chain, (uint32_t)name.number);
    else
        batch->block = name.number + 1;
    return r;
}

/* One more. *ret_need: its units. */
static int read_item(struct reading *at, struct ring_get_batch *batch,
                     struct iovec *item, uint32_t *ret_need)
{
    int r = read_len(at->chain, at->view, at->seq, at->pos, at->n_units,
                     &item->iov_len);

    if (r < 0)
        return r;
    *ret_need = (uint32_t)ring_need(item->iov_len);
    expect_to_read(at);
    if (atomic_load_explicit(put_at_of(at->view, at->pos),
                             memory_order_relaxed) &
        SHM_IN_BLOCK)
        return read_block(at, batch, item, item->iov_len);
    return hand_out(at, batch, item, NULL);
}

/* Copy the oldest items out, as far as there is place for them in the batch.
 * *ret_head is where head would be. What goes wrong with another than the first is
 * left to the next call. */
static int read_items(struct reading *at, struct ring_get_batch *batch,
                      uint32_t end_seq, uint64_t *ret_head)
{
    size_t i = 0;
    uint32_t need;
    int r = 0;

    batch->block = 0;
    do {
        /* Under one lock no more than that, but for the first. */
        if (i == 1 && at->cap > RING_BATCH_LEN)
            at->cap =
                at->n_bytes > RING_BATCH_LEN ? at->n_bytes : RING_BATCH_LEN;
        r = read_item(at, batch, &batch->items[i], &need);
        if (r < 0)
            break;
        at->n_bytes += batch->items[i].iov_len;
        at->seq++;
        at->pos += need;
        at->n_units -= need;
    } while (++i < batch->n && !batch->block && at->seq != end_seq &&
             !region_ends_at(at->chain, at->view, at->pos));
    batch->n_done = i;
    *ret_head = word_of(at->seq, at->pos);
    return i > 0 ? 0 : r;
}

static int read_oldest(struct region_chain *chain, struct ring_get_batch *batch,
                       int64_t deadline, struct ring_state *ret_state,
                       uint64_t *ret_head)
{
    struct shm_queue *shm = chain->shm;
    struct region_view *view;
    struct ring_state state;
    bool closed = false;

    state.head = atomic_load_explicit(&shm->head, memory_order_relaxed);
    if (!recall(&chain->get, &shm->got, &state.tail) ||
        !state_is_sane(chain, state) || ring_count(state) < batch->n) {
        closed = ring_is_closed(chain); /* before tail */
        state.tail = keep(&chain->get, &shm->got, load_tail(chain));
        if (!state_is_sane(chain, state))
            return fail(CHUTE_ECORRUPT);
    }
    *ret_state = state;
    int r = region_get_view(chain, pos_of(state.head), &view);
    if (r < 0)
        return r;
    if (ring_count(state) == 0)
        return closed ? CHUTE_EOF : RING_EMPTY;
    struct reading at = {.chain = chain,
                         .view = view,
                         .seq = seq_of(state.head),
                         .pos = pos_of(state.head),
                         .n_units = ring_units(state),
                         .cap = batch->cap,
                         .deadline = deadline};
    return read_items(&at, batch, seq_of(state.tail), ret_head);
}

int ring_get(struct region_chain *chain, struct ring_get_batch *batch,
             int64_t deadline, struct ring_state *ret_state)
{
    uint64_t head;
    int r = read_oldest(chain, batch, deadline, ret_state, &head);

    if (r != 0)
        return r;
    mark(&chain->shm->got, ret_state->head, head);
    /* COMMIT. release: pairs with the acquire in load_head(). */
    atomic_store_explicit(&chain->shm->head, head, memory_order_release);
    if (batch->block && batch->borrower)
        block_dequeue(chain, (uint32_t)batch->block - 1, batch->borrower);
    else if (batch->block)
        block_free(chain, (uint32_t)batch->block - 1);
    return 0;
}

int ring_peek(struct region_chain *chain, struct ring_get_batch *batch,
              int64_t deadline, struct ring_state *ret_state)
{
    uint64_t head;
    int r = read_oldest(chain, batch, deadline, ret_state, &head);

    if (r == 0 && batch->block)
        block_close(chain, (uint32_t)batch->block - 1);
    return r;
}

/* -- looking ---------------------------------------------------------------- */

/* When the item at head was put, if it lies in the region of that number. */
static int put_at_in(struct region_chain *chain, uint32_t number, uint64_t head,
                     int64_t *ret_put_at)
{
    uint64_t record, put_at;
    int r = region_read(chain, number, pos_of(head), &record);

    if (r == 0)
        r = region_read(chain, number, pos_of(head) + 1, &put_at);
    if (r < 0)
        return r;
    if (seq_of(record) != seq_of(head) || load_head(chain) != head)
        return RING_EMPTY;
    *ret_put_at = (int64_t)put_at & ~SHM_IN_BLOCK;
    return 0;
}

int ring_oldest(struct region_chain *chain, int64_t *ret_put_at)
{
    for (int i = 0; i < N_LOOKS; i++) {
        struct ring_state state = ring_look(chain);
        uint32_t number = region_first(chain);
        uint32_t n = region_last(chain) - number + 1;

        if (ring_count(state) == 0)
            return RING_EMPTY;
        /* `first` may be behind; the item's seq says when it is the right one. */
        for (uint32_t k = 0; k < n && k < SHM_N_REGIONS; k++)
            if (put_at_in(chain, number + k, state.head, ret_put_at) == 0)
                return 0;
    }
    return RING_EMPTY;
}
