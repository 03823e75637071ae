/* block.c - messages that lie beside the ring, and are filled and read in their
 * place.
 *
 * The ring is filled and emptied in order, under locks; so nobody can be left
 * alone with a part of it. Who wants to fill a message at leisure takes a block of
 * memory. The queue has SHM_N_BLOCKS of them; what then goes through the ring is
 * an item that names the block (ring.c).
 *
 *     free --take--> a putter's --enqueue--> queued --dequeue--> a getter's
 *      ^                |                       |                    |
 *      +------drop------+----------free---------+--------drop--------+
 *
 * `owner` says in which of the four states a block is: FREE, QUEUED, or a process.
 * To take a free one is one compare-and-swap without a lock, to give one back
 * another. So a slow filler or reader stops nobody, as long as there are blocks
 * and memory for them.
 *
 * What the dead leave. Nobody mends it at the time; who finds no free block, or no
 * memory for it, looks for what is lost:
 *
 *     owner is dead                   free. If he died while its memory was
 *                                     exchanged it may have holes: that is given
 *                                     back
 *     queued, as an item that is      its putter died between enqueue and commit:
 *     yet to come                     free; seen under put_lock, where nobody
 *                                     alive can be in between. (If another's item
 *                                     has got the number: when that is taken)
 *     queued, as an item that has     its getter died between commit and dequeue,
 *     been taken                      or free: free; seen under get_lock
 *
 * Memory. A block lies in the file behind all regions and blocks that there were
 * when it got its memory, under put_lock; one that has too little is given another
 * place. What a putter had reserved beyond the last end when he died is given back
 * with what he had reserved for regions (region_mend). All together have no more
 * than the queue's `memory`. Free ones keep theirs, for the next message is likely
 * to be as large, and are used before others get any, so that few are; an empty
 * queue gives back what is beyond BLOCK_KEEP_LEN.
 *
 * Proof: tests/unit/test-queue-loan*.c, tests/torture/step.c, tests/model/block.pml.
 */
#include <errno.h>

#include "base/fail.h"
#include "chute/error.h"
#include "plat/plat.h"
#include "shm/block.h"
#include "shm/event.h"
#include "shm/member.h"
#include "shm/region.h"
#include "shm/word.h"

#define FREE   UINT64_C(0)
#define QUEUED UINT64_C(1)

/* Each change of hands. */
static bool pass(struct shm_block *block, uint64_t from, uint64_t to)
{
    /* acquire and release: the pass before pairs with the next; what one owner has
     * written, the message, its place in the file, the number of its item, is
     * there for the other. */
    return atomic_compare_exchange_strong_explicit(
        &block->owner, &from, to, memory_order_acq_rel, memory_order_relaxed);
}

/* -- this process's view ---------------------------------------------------- */

static uint64_t us(void)
{
    return (uint64_t)plat_self_.epoch << 32 | 1;
}

/* Whatever stands in shared memory, no two threads are at one view. */
static int hold(struct block_view *view, uint64_t who)
{
    uint64_t found = word_get(&view->holder);

    /* acquire: pairs with the release in let_go(). */
    if (found == us() || !atomic_compare_exchange_strong_explicit(
                             &view->holder, &found, us(), memory_order_acquire,
                             memory_order_relaxed))
        return fail(CHUTE_ECORRUPT);
    view->who = who;
    return 0;
}

static void let_go(struct block_view *view)
{
    /* release: pairs with the acquire in hold(). */
    atomic_store_explicit(&view->holder, 0, memory_order_release);
}

static char *mem_of(struct block_view *view)
{
    return atomic_load_explicit(&view->mem, memory_order_relaxed);
}

bool block_is_held(struct region_chain *chain, uint64_t number, const void *mem)
{
    return number < SHM_N_BLOCKS && mem &&
           word_get(&chain->block[number].holder) == us() &&
           mem_of(&chain->block[number]) == mem;
}

static void unmap(struct block_view *view)
{
    char *mem =
        atomic_exchange_explicit(&view->mem, NULL, memory_order_relaxed);

    if (mem)
        plat_unmap(mem, view->len);
}

static uint64_t whole_grains(uint64_t len)
{
    return (len + SHM_GRAIN - 1) / SHM_GRAIN * SHM_GRAIN;
}

/* What one block, and all together, may have. */
static uint64_t limit_of(const struct region_chain *chain)
{
    return whole_grains((uint64_t)chain->max_units * SHM_UNIT);
}

/* Where the block lies, or CHUTE_ECORRUPT if that cannot be. */
static int place_of(struct region_chain *chain, uint32_t number,
                    uint64_t *ret_offset, uint64_t *ret_len)
{
    struct shm_block *block = &chain->shm->block[number];
    uint64_t offset = word_get(&block->offset), len = word_get(&block->len);

    if (offset % SHM_GRAIN || len % SHM_GRAIN || offset > INT64_MAX / 2 ||
        len > limit_of(chain) || (len && offset < SHM_GRAIN))
        return fail(CHUTE_ECORRUPT);
    *ret_offset = offset;
    *ret_len = len;
    return 0;
}

/* Have a held block mapped as it lies in the file. */
static int map(struct region_chain *chain, uint32_t number)
{
    struct block_view *view = &chain->block[number];
    uint64_t offset, len;
    void *mem;
    int r = place_of(chain, number, &offset, &len);

    if (r < 0 || (mem_of(view) && view->offset == offset && view->len == len))
        return r;
    r = len ? region_is_inside(chain, offset, len) : fail(CHUTE_ECORRUPT);
    if (r < 0)
        return r;
    unmap(view);
    r = plat_map(chain->fd, offset, len, &mem);
    if (r < 0)
        return r;
    view->offset = offset;
    view->len = len;
    /* release: pairs with the fork of a child by another thread: there mem is not
     * seen without len. */
    atomic_store_explicit(&view->mem, mem, memory_order_release);
    return 0;
}

static bool is_free(struct region_chain *chain, uint32_t number)
{
    return word_get(&chain->shm->block[number].owner) == FREE;
}

/* -- the hint ----------------------------------------------------------------
 *
 * A bit says that the block has become free since somebody found that it was not.
 * It stays on while the block is taken and freed again, so that those who do it
 * all the time only read the word. */

static void hint_free(struct region_chain *chain, uint32_t number)
{
    /* The block is free since a read-modify-write. Pairs with the barrier in
     * hint_taken(): either he sees that, or we see what he has done to the bit. */
    plat_fence_after_rmw();
    if (!(word_get(&chain->shm->free_hint) & word_bit(number)))
        word_add_bit(&chain->shm->free_hint, number);
}

static void hint_taken(struct region_chain *chain, uint32_t number)
{
    word_take_bit(&chain->shm->free_hint, number);
    plat_fence_after_rmw(); /* pairs with the barrier in hint_free() */
    if (is_free(chain, number))
        word_add_bit(&chain->shm->free_hint, number);
}

/* The next free block by the hint, from *number on. What is wrong about the hint is
 * mended on the way. */
static bool find_hinted(struct region_chain *chain, uint32_t *number)
{
    uint64_t hint = word_get(&chain->shm->free_hint);

    for (; *number < SHM_N_BLOCKS && hint >> *number; ++*number) {
        if (!(hint & word_bit(*number)))
            continue;
        if (is_free(chain, *number))
            return true;
        hint_taken(chain, *number);
    }
    return false;
}

/* -- from hand to hand ------------------------------------------------------ */

/* Let go first: as soon as it is free, another thread may hold it. */
static bool hand_back(struct region_chain *chain, uint32_t number)
{
    struct block_view *view = &chain->block[number];
    uint64_t who = view->who;

    let_go(view);
    if (!pass(&chain->shm->block[number], who, FREE))
        return false;
    hint_free(chain, number);
    return true;
}

/* In the upper half, as the commit words count (patience.c). */
static void count_released(struct shm_queue *shm)
{
    /* release: pairs with the acquire in queue-loan.c. */
    atomic_fetch_add_explicit(&shm->n_released, UINT64_C(1) << 32,
                              memory_order_release);
}

void block_drop(struct region_chain *chain, uint32_t number)
{
    if (!hand_back(chain, number))
        return;
    count_released(chain->shm);
    event_wake(&chain->shm->released, 1);
}

void block_enqueue(struct region_chain *chain, uint32_t number, uint32_t seq)
{
    struct shm_block *block = &chain->shm->block[number];
    struct block_view *view = &chain->block[number];

    atomic_store_explicit(&block->seq, seq, memory_order_relaxed);
    (void)pass(block, view->who, QUEUED);
    let_go(view);
}

int block_open(struct region_chain *chain, const struct block_name *name,
               uint32_t seq, char **ret_mem)
{
    if (name->number >= SHM_N_BLOCKS)
        return fail(CHUTE_ECORRUPT);
    struct shm_block *block = &chain->shm->block[name->number];
    struct block_view *view = &chain->block[name->number];

    plat_expect_write(block); /* most are taken */
    /* acquire: pairs with pass() in block_enqueue(). */
    if (atomic_load_explicit(&block->owner, memory_order_acquire) != QUEUED ||
        atomic_load_explicit(&block->seq, memory_order_relaxed) != seq)
        return fail(CHUTE_ECORRUPT);
    int r = hold(view, QUEUED);
    if (r < 0)
        return r;
    r = map(chain, (uint32_t)name->number);
    if (r == 0 && name->len > view->len)
        r = fail(CHUTE_ECORRUPT);
    if (r < 0)
        let_go(view);
    *ret_mem = mem_of(view);
    return r;
}

void block_close(struct region_chain *chain, uint32_t number)
{
    let_go(&chain->block[number]);
}

void block_free(struct region_chain *chain, uint32_t number)
{
    (void)hand_back(chain, number); /* it was held as QUEUED */
    count_released(chain->shm);     /* the caller wakes, without the lock */
}

void block_dequeue(struct region_chain *chain, uint32_t number, uint64_t who)
{
    (void)pass(&chain->shm->block[number], QUEUED, who);
    chain->block[number].who = who;
}

/* -- memory ----------------------------------------------------------------- */

uint64_t block_end(struct region_chain *chain)
{
    uint64_t end = 0, offset, len;

    for (uint32_t i = 0; i < SHM_N_BLOCKS; i++)
        if (place_of(chain, i, &offset, &len) == 0 && len && offset + len > end)
            end = offset + len;
    return end;
}

/* Under put_lock: what all have, written down. */
static uint64_t sum_up(struct region_chain *chain)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < SHM_N_BLOCKS; i++)
        sum += word_get(&chain->shm->block[i].len);
    word_set(&chain->shm->block_len, sum);
    return sum;
}

/* Under put_lock, the block being the caller's. The pages go first: who dies in
 * between leaves a block that has holes, and a dead owner, which is known. */
static void strip(struct region_chain *chain, uint32_t number)
{
    uint64_t offset, len;

    if (place_of(chain, number, &offset, &len) == 0 && len)
        plat_shm_release(chain->fd, offset, len);
    word_set(&chain->shm->block[number].len, 0);
}

static uint64_t power_of_two_for(uint64_t len)
{
    uint64_t n = SHM_GRAIN;

    while (n < len)
        n *= 2;
    return n;
}

/* Whether that much is enough, and no waste. */
static bool is_fit(uint64_t len, uint64_t need)
{
    return len >= need && len <= power_of_two_for(need);
}

/* Under put_lock: have free blocks keep no more than so much. But one that has
 * become free just now, and has what is needed, is used as it is. */
static void strip_free(struct region_chain *chain, uint64_t keep_len,
                       uint64_t need)
{
    uint64_t sum = sum_up(chain), who = member_self();

    for (uint32_t i = 0; i < SHM_N_BLOCKS && sum > keep_len; i++) {
        struct shm_block *block = &chain->shm->block[i];
        uint64_t len = word_get(&block->len);
        if (need && is_fit(len, need)) {
            if (is_free(chain, i))
                hint_free(chain, i);
            continue;
        }
        if (len == 0 || !pass(block, FREE, who))
            continue;
        strip(chain, i);
        sum -= len;
        (void)pass(block, who, FREE);
    }
    word_set(&chain->shm->block_len, sum);
}

void block_shrink(struct region_chain *chain)
{
    if (word_get(&chain->shm->block_len) <= BLOCK_KEEP_LEN)
        return;
    strip_free(chain, BLOCK_KEEP_LEN, 0);
    atomic_store_explicit(&chain->shm->shrunk_at, plat_now(),
                          memory_order_relaxed);
}

/* Under put_lock: how much a block may have that needs so much; a power of two
 * where there is enough, so that it serves the next one too. 0: there is not. */
static uint64_t len_for(struct region_chain *chain, uint64_t need)
{
    uint64_t limit = limit_of(chain);
    uint64_t least = whole_grains(need);
    uint64_t most = power_of_two_for(need), others = sum_up(chain);

    if (others + most <= limit)
        return most;
    if (others + least > limit) {
        strip_free(chain, limit - least, need);
        others = sum_up(chain);
    }
    return others + least <= limit ? least : 0;
}

/* Under put_lock: give a block that we have taken as much memory. BLOCK_NONE:
 * others have it. */
static int give_memory(struct region_chain *chain, uint32_t number,
                       uint64_t need)
{
    struct shm_block *block = &chain->shm->block[number];
    uint64_t offset;
    int r = region_end(chain, &offset);

    if (r < 0)
        return r;
    strip(chain, number);
    uint64_t len = len_for(chain, need);
    if (len == 0)
        return BLOCK_NONE;
    r = region_reserve(chain, offset, len);
    if (r < 0)
        return r;
    word_set(&block->offset, offset);
    word_set(&block->len, len); /* COMMIT: it has that memory */
    (void)sum_up(chain);
    return 0;
}

/* Have a block that we have taken mapped, with len bytes at least. */
static int fit(struct region_chain *chain, uint32_t number, size_t len,
               const struct block_wait *wait)
{
    uint64_t need = len ? len : 1;

    if (!is_fit(word_get(&chain->shm->block[number].len), need)) {
        int r = region_take_put(chain, wait->deadline, wait->interruptible);
        if (r < 0)
            return r;
        r = give_memory(chain, number, need);
        region_drop_put(chain);
        if (r != 0)
            return r;
    }
    int r = map(chain, number);
    if (r == 0 && chain->block[number].len < need)
        r = fail(CHUTE_ECORRUPT);
    return r;
}

/* -- taking one ------------------------------------------------------------- */

/* One that has the memory. */
static bool take_fit(struct region_chain *chain, uint64_t who, size_t len,
                     uint32_t number)
{
    struct shm_block *block = &chain->shm->block[number];

    return is_fit(word_get(&block->len), len ? len : 1) &&
           pass(block, FREE, who);
}

/* The one behind the last that we have taken: the longer ago a block was freed,
 * the less likely somebody is still at it. */
static bool take_next(struct region_chain *chain, uint64_t who, size_t len,
                      uint32_t *ret_number)
{
    uint32_t next = (uint32_t)word_get(&chain->next_block) % SHM_N_BLOCKS;

    plat_expect_write(&chain->shm->block[next]);
    *ret_number = next;
    return take_fit(chain, who, len, next);
}

static bool take_by_hint(struct region_chain *chain, uint64_t who, size_t len,
                         uint32_t *ret_number)
{
    for (*ret_number = 0; find_hinted(chain, ret_number); ++*ret_number)
        if (take_fit(chain, who, len, *ret_number))
            return true;
    return false;
}

static bool take_any(struct region_chain *chain, uint64_t who,
                     uint32_t *ret_number)
{
    for (uint32_t i = 0; i < SHM_N_BLOCKS; i++)
        if (is_free(chain, i) && pass(&chain->shm->block[i], FREE, who)) {
            *ret_number = i;
            return true;
        }
    return false;
}

/* Under put_lock: free what the dead had taken. */
static void free_dead(struct region_chain *chain)
{
    uint64_t self = member_self();
    uint64_t alive = self; /* the last whom we have asked about */

    for (uint32_t i = 0; i < SHM_N_BLOCKS; i++) {
        struct shm_block *block = &chain->shm->block[i];
        uint64_t owner = word_get(&block->owner);
        if (owner == FREE || owner == QUEUED || owner == alive)
            continue;
        if (member_lives(owner)) {
            alive = owner;
            continue;
        }
        if (!pass(block, owner, self))
            continue;
        strip(chain, i); /* it may have holes */
        (void)pass(block, self, FREE);
        hint_free(chain, i);
    }
}

/* An item of that number is yet to come, by tail's; has been taken, by head's. Of
 * what is outside the queue, either and never both: else one who looks for the
 * first might free what another, who looks for the second, has just read. What is
 * neither, longer ago than a queue has items, comes to be one of them. */
static bool is_to_come(uint32_t seq, uint32_t tail_seq)
{
    return (int32_t)(seq - tail_seq) >= 0;
}

static bool is_taken(uint32_t seq, uint32_t head_seq)
{
    return head_seq - seq - 1 < SHM_MAX_ITEMS;
}

/* Free what is queued as an item that is not. */
static void free_lost(struct region_chain *chain,
                      bool (*is_lost)(uint32_t seq, uint32_t by), uint32_t by)
{
    for (uint32_t i = 0; i < SHM_N_BLOCKS; i++) {
        struct shm_block *block = &chain->shm->block[i];
        /* acquire: pairs with pass() in block_enqueue(). */
        if (atomic_load_explicit(&block->owner, memory_order_acquire) != QUEUED)
            continue;
        uint32_t seq = atomic_load_explicit(&block->seq, memory_order_relaxed);
        if (is_lost(seq, by) && pass(block, QUEUED, FREE))
            hint_free(chain, i);
    }
}

int block_find_lost(struct region_chain *chain, const struct block_wait *wait)
{
    struct shm_queue *shm = chain->shm;
    int r = region_take_put(chain, wait->deadline, wait->interruptible);

    if (r < 0)
        return r;
    free_dead(chain);
    free_lost(chain, is_to_come, (uint32_t)(word_get(&shm->tail) >> 32));
    region_drop_put(chain);

    r = region_take_get(chain, wait->deadline, wait->interruptible);
    if (r < 0)
        return r;
    free_lost(chain, is_taken, (uint32_t)(word_get(&shm->head) >> 32));
    region_drop_get(chain);
    return 0;
}

int block_take(struct region_chain *chain, uint64_t who, size_t len,
               const struct block_wait *wait, uint32_t *ret_number)
{
    uint32_t number;

    if (!take_next(chain, who, len, &number) &&
        !take_by_hint(chain, who, len, &number) &&
        !take_any(chain, who, &number))
        return BLOCK_NONE;
    word_set(&chain->next_block, number + 1);
    int r = hold(&chain->block[number], who);
    if (r < 0) {
        (void)pass(&chain->shm->block[number], who, FREE);
        return r;
    }
    r = fit(chain, number, len, wait);
    if (r != 0)
        (void)hand_back(chain, number); /* that is no news */
    *ret_number = number;
    return r;
}

bool block_is_there(struct region_chain *chain)
{
    uint32_t first = 0;

    return find_hinted(chain, &first);
}

void block_leave(struct region_chain *chain)
{
    bool had = false;

    for (uint32_t i = 0; i < SHM_N_BLOCKS; i++) {
        struct block_view *view = &chain->block[i];
        if (word_get(&view->holder) == us() && hand_back(chain, i))
            had = true;
        unmap(view);
    }
    if (had) {
        count_released(chain->shm);
        event_wake(&chain->shm->released, EVENT_ALL);
    }
}
