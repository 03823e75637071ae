/* region.c - the memory of a queue: a chain of regions.
 *
 *     file:  | header | region 0 |  (hole)  | region 2 | region 3 |
 *                                            ^ first    ^ last
 *
 * Puts go to region `last`, gets come from region `first`. When the last region
 * is full, a putter adds one behind it, twice as large, that begins at the
 * position where the tail stands; the old ones are drained, and gets give their
 * pages back. When a large queue has been emptied, it goes back to a small
 * region in the same way. So memory follows the need up and down, and a region
 * is a plain ring that never moves.
 *
 * The file's offsets are never used twice: a region that was left is a hole for
 * ever. So giving back can be done at leisure, done again, or done by somebody
 * else, and never hits memory in use. (Files may be 2^63 bytes long; a queue
 * that shrinks and grows by 1 GiB a thousand times a second is good for three
 * months; and holes cost nothing.)
 *
 * Commit words. A region exists when `last` names it; its slot was written
 * before. A region is left when `first` has passed it; its pages were given
 * back before. A putter that dies between reserving and commit leaves pages
 * behind the end of region `last`: the next one is told of the death by the
 * lock and gives them back (region_mend). A getter that dies between giving
 * back and commit is followed by one that does both again.
 *
 * When is a region's end reached? When head's pos EQUALS the start of the next
 * one: items do not cross, so head hits it exactly. Greater-than would go wrong
 * when positions have wrapped in a region that lives long. This is looked at
 * before every get, so head never passes an end that `first` has not.
 *
 * Blocks (block.c) lie in the same file, behind what was there when they got
 * their memory; so the end of all is the last region's or the last block's.
 *
 * How full is the last region? If it is also the first, all that is used is in
 * it; else, what lies between its start and tail (less than 2^32 then, for the
 * queue holds that and more).
 *
 * Mapping. Each side of each process maps the one region that it works on. The
 * creator's first mapping shows header and region 0 together; who is handed the
 * file later (region_chain_attach) maps the header, and finds the regions by
 * `first` and `last`, as everybody does who comes to a new one.
 *
 * Proof: tests/unit/test-region.c, tests/torture/step.c, tests/model/queue.pml.
 */
#include <assert.h>
#include <errno.h>

#include "base/fail.h"
#include "base/mem.h"
#include "chute/error.h"
#include "plat/plat.h"
#include "shm/label.h"
#include "shm/region.h"

/* Memory is given back once in so long at most: where a producer is ahead of its
 * consumer now and behind it then, reserving it again would cost more than the
 * items do. */
#define SHRINK_PERIOD_NS UINT64_C(1000000000)

/* What growth may need before a region is left: one for each doubling up to
 * 8 GiB, and one more. Shrinking leaves so many slots free, for a putter who
 * found none while the queue is empty would wait for a get that cannot come. */
#define N_GROWTHS 18

_Static_assert(REGION_BASE_UNITS *SHM_UNIT % SHM_GRAIN == 0, "whole grains");

/* -- views ------------------------------------------------------------------ */

static struct region_view *view_free(struct region_view *view)
{
    if (view && view->map_len)
        plat_unmap(view->mem, view->map_len);
    free(view);
    return NULL;
}

static int view_new(struct region_chain *chain, uint32_t number,
                    uint64_t offset, uint32_t n_units,
                    struct region_view **ret_view)
{
    struct region_view *view = mem_zalloc(sizeof *view);

    if (!view)
        return fail(-ENOMEM);
    view->number = number;
    view->n_units = n_units;
    size_t len = (size_t)n_units * SHM_UNIT;
    if (offset + len <= chain->map_len) {
        view->mem = (char *)chain->shm + offset;
    } else {
        void *mem;
        int r = plat_map(chain->fd, offset, len, &mem);
        if (r < 0) {
            free(view);
            return r;
        }
        view->mem = mem;
        view->map_len = len;
    }
    *ret_view = view;
    return 0;
}

/* One store makes the new view visible, to this side's next call and to a
 * child; only then the old one goes. */
static void view_replace(struct region_view *_Atomic *place,
                         struct region_view *view)
{
    /* relaxed: the side's lock orders the threads. */
    struct region_view *old =
        atomic_exchange_explicit(place, view, memory_order_relaxed);
    view_free(old);
}

/* -- the table -------------------------------------------------------------- */

static struct shm_region *slot_of(struct region_chain *chain, uint32_t number)
{
    return &chain->shm->region[number % SHM_N_REGIONS];
}

uint32_t region_last(struct region_chain *chain)
{
    /* acquire: pairs with the release in add_region(). */
    return atomic_load_explicit(&chain->shm->last, memory_order_acquire);
}

uint32_t region_first(struct region_chain *chain)
{
    /* acquire: pairs with the release in region_get_view(). */
    return atomic_load_explicit(&chain->shm->first, memory_order_acquire);
}

static uint32_t start_of(struct region_chain *chain, uint32_t number)
{
    return atomic_load_explicit(&slot_of(chain, number)->start,
                                memory_order_relaxed);
}

/* The size of a region that holds all that the queue may use: a power of two. */
static uint32_t most_units(const struct region_chain *chain)
{
    uint32_t n_units = REGION_BASE_UNITS;

    while (n_units < chain->max_units)
        n_units *= 2;
    return n_units;
}

/* Where the region lies, or CHUTE_ECORRUPT if that cannot be. */
static int place_of(struct region_chain *chain, uint32_t number,
                    uint64_t *ret_offset, uint32_t *ret_n_units)
{
    struct shm_region *slot = slot_of(chain, number);
    uint64_t offset = atomic_load_explicit(&slot->offset, memory_order_relaxed);
    uint32_t n_units =
        atomic_load_explicit(&slot->n_units, memory_order_relaxed);

    if (offset < SHM_GRAIN || offset % SHM_GRAIN != 0 ||
        offset > INT64_MAX / 2 || n_units < REGION_BASE_UNITS ||
        n_units > most_units(chain) || (n_units & (n_units - 1)) != 0)
        return fail(CHUTE_ECORRUPT);
    *ret_offset = offset;
    *ret_n_units = n_units;
    return 0;
}

int region_is_inside(struct region_chain *chain, uint64_t offset, uint64_t len)
{
    uint64_t file_len, held;
    int r = plat_shm_size(chain->fd, &file_len, &held);

    if (r < 0)
        return r;
    return offset + len <= file_len ? 0 : fail(CHUTE_ECORRUPT);
}

/* Have *place show the region of that number. */
static int view_of(struct region_chain *chain,
                   struct region_view *_Atomic *place, uint32_t number,
                   struct region_view **ret_view)
{
    struct region_view *view =
        atomic_load_explicit(place, memory_order_relaxed);

    if (!view || view->number != number) {
        uint64_t offset;
        uint32_t n_units;
        int r = place_of(chain, number, &offset, &n_units);
        if (r == 0)
            r = region_is_inside(chain, offset, (uint64_t)n_units * SHM_UNIT);
        if (r < 0)
            return r;
        r = view_new(chain, number, offset, n_units, &view);
        if (r < 0)
            return r;
        view_replace(place, view);
    }
    *ret_view = view;
    return 0;
}

int region_put_view(struct region_chain *chain, struct region_view **ret_view)
{
    return view_of(chain, &chain->put.view, region_last(chain), ret_view);
}

int region_get_view(struct region_chain *chain, uint32_t head_pos,
                    struct region_view **ret_view)
{
    uint32_t first =
        atomic_load_explicit(&chain->shm->first, memory_order_relaxed);
    uint32_t last = region_last(chain);

    if (last - first >= SHM_N_REGIONS)
        return fail(CHUTE_ECORRUPT);
    for (; first != last && start_of(chain, first + 1) == head_pos; first++) {
        uint64_t offset;
        uint32_t n_units;
        int r = place_of(chain, first, &offset, &n_units);
        if (r < 0)
            return r;
        plat_shm_release(chain->fd, offset, (uint64_t)n_units * SHM_UNIT);
        /* release: pairs with the acquire in region_first(); who sees it may use
         * the slot anew. */
        atomic_store_explicit(&chain->shm->first, first + 1,
                              memory_order_release);
    }
    return view_of(chain, &chain->get.view, first, ret_view);
}

bool region_ends_at(struct region_chain *chain, const struct region_view *view,
                    uint32_t pos)
{
    return view->number != region_last(chain) &&
           start_of(chain, view->number + 1) == pos;
}

uint32_t region_used(struct region_chain *chain, uint32_t tail_pos,
                     uint32_t used)
{
    uint32_t last = region_last(chain);

    return region_first(chain) == last ? used
                                       : tail_pos - start_of(chain, last);
}

/* -- up and down ------------------------------------------------------------ */

int region_end(struct region_chain *chain, uint64_t *ret_offset)
{
    uint64_t offset, end = block_end(chain);
    uint32_t n_units;
    int r = place_of(chain, region_last(chain), &offset, &n_units);

    if (r < 0)
        return r;
    offset += (uint64_t)n_units * SHM_UNIT;
    *ret_offset = offset > end ? offset : end;
    return 0;
}

static void add_region(struct region_chain *chain, uint32_t number,
                       uint64_t offset, uint32_t n_units, uint32_t start)
{
    struct shm_region *slot = slot_of(chain, number);

    atomic_store_explicit(&slot->offset, offset, memory_order_relaxed);
    atomic_store_explicit(&slot->n_units, n_units, memory_order_relaxed);
    atomic_store_explicit(&slot->start, start, memory_order_relaxed);
    /* COMMIT. release: pairs with the acquire in region_last(). */
    atomic_store_explicit(&chain->shm->last, number, memory_order_release);
}

/* A full memory is no news where memory has no other bound; a full file system
 * is, for that can be mended. */
static int short_of(const struct region_chain *chain, int r)
{
    return r == -ENOSPC && !chain->named ? fail(CHUTE_ENOMEM) : r;
}

int region_reserve(struct region_chain *chain, uint64_t offset, uint64_t len)
{
    int r = plat_shm_reserve(chain->fd, offset, len);

    return r < 0 ? short_of(chain, r) : 0;
}

static int append(struct region_chain *chain, uint32_t tail_pos,
                  uint32_t n_units, struct region_view **ret_view)
{
    uint32_t number = region_last(chain) + 1;
    uint64_t len = (uint64_t)n_units * SHM_UNIT, offset;
    struct region_view *view;

    if (number - region_first(chain) >= SHM_N_REGIONS)
        return -EAGAIN;
    int r = region_end(chain, &offset);
    if (r == 0)
        r = region_reserve(chain, offset, len);
    if (r < 0)
        return r;
    r = view_new(chain, number, offset, n_units, &view);
    if (r < 0) {
        plat_shm_release(chain->fd, offset, len);
        return r;
    }
    add_region(chain, number, offset, n_units, tail_pos);
    view_replace(&chain->put.view, view);
    *ret_view = view;
    return 0;
}

int region_grow(struct region_chain *chain, uint32_t tail_pos, uint32_t need,
                struct region_view **ret_view)
{
    uint64_t offset;
    uint32_t n_units;
    int r = place_of(chain, region_last(chain), &offset, &n_units);

    if (r < 0)
        return r;
    assert(need <= chain->max_units);
    do
        n_units *= 2;
    while (n_units < need);
    if (n_units > most_units(chain))
        n_units = most_units(chain);
    return append(chain, tail_pos, n_units, ret_view);
}

int region_shrink(struct region_chain *chain, uint32_t tail_pos)
{
    struct region_view *view;
    uint64_t offset;
    uint32_t n_units;
    int r = place_of(chain, region_last(chain), &offset, &n_units);

    if (r < 0 || n_units <= REGION_KEEP_UNITS ||
        region_last(chain) - region_first(chain) + N_GROWTHS >= SHM_N_REGIONS)
        return r;
    r = append(chain, tail_pos, REGION_BASE_UNITS, &view);
    if (r == 0)
        atomic_store_explicit(&chain->shm->shrunk_at, plat_now(),
                              memory_order_relaxed);
    return r;
}

void region_mend(struct region_chain *chain)
{
    uint64_t end;

    if (region_end(chain, &end) == 0)
        plat_shm_release(chain->fd, end, (uint64_t)INT64_MAX - end);
}

bool region_is_excess(struct region_chain *chain)
{
    struct shm_region *slot = slot_of(chain, region_first(chain));

    if (atomic_load_explicit(&slot->n_units, memory_order_relaxed) <=
            REGION_KEEP_UNITS &&
        atomic_load_explicit(&chain->shm->block_len, memory_order_relaxed) <=
            BLOCK_KEEP_LEN)
        return false;
    /* Unsigned, for what is read may be anything. A time yet to come is long
     * past. */
    uint64_t since = (uint64_t)plat_now() -
                     (uint64_t)atomic_load_explicit(&chain->shm->shrunk_at,
                                                    memory_order_relaxed);
    return since >= SHRINK_PERIOD_NS;
}

int region_read(struct region_chain *chain, uint32_t number, uint32_t pos,
                uint64_t *ret_unit)
{
    uint64_t offset;
    uint32_t n_units;
    int r = place_of(chain, number, &offset, &n_units);

    if (r < 0)
        return r;
    offset += (uint64_t)(pos & (n_units - 1)) * SHM_UNIT;
    return plat_shm_read(chain->fd, offset, ret_unit, sizeof *ret_unit);
}

uint64_t region_reserved(struct region_chain *chain)
{
    uint32_t first = region_first(chain), n = region_last(chain) - first + 1;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < n && i < SHM_N_REGIONS; i++)
        sum += atomic_load_explicit(&slot_of(chain, first + i)->n_units,
                                    memory_order_relaxed);
    return sum * SHM_UNIT +
           atomic_load_explicit(&chain->shm->block_len, memory_order_relaxed);
}

/* -- beginning and end ------------------------------------------------------ */

static void write_header(struct region_chain *chain)
{
    struct shm_queue *shm = chain->shm;

    atomic_store_explicit(&shm->maxsize, chain->bounded ? chain->maxsize : 0,
                          memory_order_relaxed);
    atomic_store_explicit(&shm->max_units, chain->max_units,
                          memory_order_relaxed);
    add_region(chain, 0, SHM_GRAIN, REGION_BASE_UNITS, 0);
    label_write(&shm->label, SHM_QUEUE_MAGIC, chain->pid_namespace);
}

static void set_limits(struct region_chain *chain, uint32_t maxsize,
                       uint32_t max_units)
{
    chain->bounded = maxsize != 0;
    chain->maxsize = chain->bounded ? maxsize : SHM_MAX_ITEMS;
    chain->max_units = max_units;
}

/* Header, region 0 and their views, in the chain's empty file. */
static int fill(struct region_chain *chain)
{
    size_t len = SHM_GRAIN + REGION_BASE_UNITS * SHM_UNIT;
    struct region_view *view;
    void *mem;

    int r = plat_shm_reserve(chain->fd, 0, sizeof *chain->shm);
    if (r == 0)
        r = plat_shm_reserve(chain->fd, SHM_GRAIN, len - SHM_GRAIN);
    if (r == 0 && !chain->named)
        r = plat_shm_seal(chain->fd);
    if (r == 0)
        r = plat_map(chain->fd, 0, len, &mem);
    if (r < 0)
        return r;
    chain->shm = mem;
    chain->map_len = len;
    write_header(chain);
    r = view_new(chain, 0, SHM_GRAIN, REGION_BASE_UNITS, &view);
    if (r < 0)
        return r;
    atomic_init(&chain->put.view, view);
    r = view_new(chain, 0, SHM_GRAIN, REGION_BASE_UNITS, &view);
    if (r < 0)
        return r;
    atomic_init(&chain->get.view, view);
    return 0;
}

/* A chain in the empty file fd, or in a new one if that is -1. */
static int make(struct region_chain *chain, int fd, uint32_t maxsize,
                uint32_t max_units)
{
    int r = 0;
    const struct plat_self *self = plat_self(&r);

    *chain =
        (struct region_chain){.fd = fd, .named = fd >= 0, .bell = BELL_NONE};
    set_limits(chain, maxsize, max_units);
    if (self)
        chain->pid_namespace = self->pid_namespace;
    if (r == 0 && !chain->named)
        r = plat_shm_new("chute-queue", &chain->fd);
    if (r == 0)
        r = fill(chain);
    if (r < 0)
        region_chain_free(chain);
    return short_of(chain, r);
}

int region_chain_new(struct region_chain *chain, uint32_t maxsize,
                     uint32_t max_units)
{
    return make(chain, -1, maxsize, max_units);
}

int region_chain_new_in(struct region_chain *chain, int fd, uint32_t maxsize,
                        uint32_t max_units)
{
    return make(chain, fd, maxsize, max_units);
}

int region_chain_attach(struct region_chain *chain, int fd, bool named)
{
    void *mem;
    int r = 0;
    const struct plat_self *self = plat_self(&r);

    if (!self)
        return r;
    if (named)
        r = label_map(fd, SHM_QUEUE_MAGIC, sizeof *chain->shm,
                      self->pid_namespace, &mem);
    else
        r = label_attach(fd, SHM_QUEUE_MAGIC, sizeof *chain->shm,
                         self->pid_namespace, &mem);
    if (r < 0)
        return r;
    *chain = (struct region_chain){.shm = mem,
                                   .fd = fd,
                                   .named = named,
                                   .pid_namespace = self->pid_namespace,
                                   .map_len = sizeof *chain->shm,
                                   .bell = BELL_NONE};
    uint32_t maxsize =
        atomic_load_explicit(&chain->shm->maxsize, memory_order_relaxed);
    uint32_t max_units =
        atomic_load_explicit(&chain->shm->max_units, memory_order_relaxed);
    if (maxsize > SHM_MAX_ITEMS || max_units < SHM_MIN_UNITS ||
        max_units > SHM_MAX_UNITS) {
        plat_unmap(mem, chain->map_len);
        return fail(CHUTE_ECORRUPT);
    }
    set_limits(chain, maxsize, max_units);
    return 0;
}

void region_chain_free(struct region_chain *chain)
{
    view_free(atomic_load_explicit(&chain->put.view, memory_order_relaxed));
    view_free(atomic_load_explicit(&chain->get.view, memory_order_relaxed));
    if (chain->shm) {
        bell_free(chain->shm, &chain->bell);
        block_leave(chain);
        plat_unmap(chain->shm, chain->map_len);
    }
    if (chain->fd >= 0)
        plat_close(chain->fd);
}
