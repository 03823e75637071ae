/* queue-look.c - looking at a queue without using it.
 *
 * For tools, tests and whoever is on call. Who looks takes no lock, so that he
 * sees something also where everybody else waits for one; does not become a
 * member; and changes nothing, but that he strikes off members that are dead. So
 * the figures are read one by one, while others go on: each was true, not all at
 * one moment.
 *
 * Proof: tests/unit/test-queue.c, tests/unit/test-member.c.
 */
#include <string.h>

#include "base/fail.h"
#include "chute/error.h"
#include "ipc/queue.h"
#include "plat/file.h"
#include "plat/plat.h"
#include "shm/ring.h"

static uint64_t read_64(_Atomic uint64_t *field)
{
    return atomic_load_explicit(field, memory_order_relaxed);
}

static uint32_t read_32(_Atomic uint32_t *field)
{
    return atomic_load_explicit(field, memory_order_relaxed);
}

/* -- counts ----------------------------------------------------------------- */

static int look(chute_queue *queue, struct ring_state *ret_state)
{
    int r = queue_enter(queue);

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

/* -- statistics ------------------------------------------------------------- */

/* How long ago that was: 0 for what is yet to come, as garbage may be. */
static int64_t age_of(int64_t since, int64_t now)
{
    return since < now && since > 0 ? now - since : 0;
}

static int64_t oldest_ns(struct region_chain *chain)
{
    int64_t put_at;

    return ring_oldest(chain, &put_at) == 0 ? age_of(put_at, plat_now()) : 0;
}

static uint64_t count_members(struct shm_queue *shm)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < SHM_N_MEMBERS; i++)
        n += member_is_there(shm, i);
    return n;
}

/* Items, and the bytes in them. */
static void fill_total(struct shm_totals *totals, uint64_t commit,
                       uint64_t *ret_n_items, uint64_t *ret_n_bytes)
{
    uint64_t n_units;

    ring_total(totals, commit, ret_n_items, &n_units);
    *ret_n_bytes = (n_units - SHM_ITEM_UNITS * *ret_n_items) * SHM_UNIT;
}

static void fill_totals(struct chute_queue_stats *stats, struct shm_queue *shm,
                        struct ring_state state)
{
    fill_total(&shm->put, state.tail, &stats->n_put, &stats->n_bytes_put);
    fill_total(&shm->got, state.head, &stats->n_got, &stats->n_bytes_got);
    stats->n_full_waits = read_64(&shm->space.n_waits);
    stats->n_empty_waits = read_64(&shm->items.n_waits);
    stats->n_items_most = read_32(&shm->put.most);
    stats->n_rescues = (uint64_t)read_32(&shm->items.n_rescues) +
                       read_32(&shm->space.n_rescues) +
                       read_32(&shm->put_lock.n_rescues) +
                       read_32(&shm->get_lock.n_rescues);
    stats->n_deaths = (uint64_t)read_32(&shm->put_lock.n_deaths) +
                      read_32(&shm->get_lock.n_deaths);
    stats->put_owner = read_32(&shm->put_lock.word) & PLAT_OWNER_MASK;
    stats->get_owner = read_32(&shm->get_lock.word) & PLAT_OWNER_MASK;
}

static void fill(struct chute_queue_stats *stats, struct region_chain *chain,
                 struct ring_state state)
{
    stats->n_items = ring_count(state);
    stats->used = (uint64_t)ring_units(state) * SHM_UNIT;
    stats->reserved = region_reserved(chain);
    stats->maxsize = chain->bounded ? chain->maxsize : 0;
    stats->memory = (uint64_t)chain->max_units * SHM_UNIT;
    stats->closed = ring_is_closed(chain);
    stats->oldest_ns = oldest_ns(chain);
    stats->n_members = count_members(chain->shm);
    stats->n_gone = read_64(&chain->shm->n_gone);
    fill_totals(stats, chain->shm, state);
}

int chute_queue_stat(chute_queue *queue, struct chute_queue_stats *ret_stats)
{
    struct ring_state state;

    if (!ret_stats || ret_stats->size < sizeof ret_stats->size)
        return fail(CHUTE_EINVAL);
    int r = look(queue, &state);
    if (r < 0)
        return r;
    r = queue->chain.named ? file_is_named(queue->chain.fd) : 1;
    if (r < 0)
        return r;
    struct chute_queue_stats stats = {.size = ret_stats->size,
                                      .unlinked = r == 0};
    fill(&stats, &queue->chain, state);
    memcpy(ret_stats, &stats,
           stats.size < sizeof stats ? (size_t)stats.size : sizeof stats);
    return 0;
}

/* -- members ---------------------------------------------------------------- */

static void fill_blocked(struct shm_blocked *blocked, uint64_t *ret_n,
                         int64_t *ret_ns)
{
    *ret_n = read_32(&blocked->n_threads);
    *ret_ns = *ret_n ? age_of(atomic_load_explicit(&blocked->since,
                                                   memory_order_relaxed),
                              plat_now())
                     : 0;
}

static void fill_member(struct chute_queue_member *member,
                        struct shm_member *shm)
{
    uint64_t program[2] = {read_64(&shm->program[0]),
                           read_64(&shm->program[1])};

    member->pid = member_pid(read_64(&shm->who));
    memcpy(member->program, program, sizeof member->program);
    member->program[sizeof member->program - 1] = '\0';
    member->attached_ns =
        age_of(atomic_load_explicit(&shm->attached_at, memory_order_relaxed),
               plat_now());
    member->n_put = read_64(&shm->n_put);
    member->n_got = read_64(&shm->n_got);
    fill_blocked(&shm->putting, &member->n_putting, &member->putting_ns);
    fill_blocked(&shm->getting, &member->n_getting, &member->getting_ns);
}

int chute_queue_member(chute_queue *queue, size_t *place,
                       struct chute_queue_member *ret_member)
{
    if (!place || !ret_member || ret_member->size < sizeof ret_member->size)
        return fail(CHUTE_EINVAL);
    int r = queue_enter(queue);
    if (r < 0)
        return r;
    struct shm_queue *shm = queue->chain.shm;
    while (*place < SHM_N_MEMBERS) {
        uint32_t i = (uint32_t)(*place)++;
        if (!member_is_there(shm, i))
            continue;
        struct chute_queue_member member = {.size = ret_member->size};
        fill_member(&member, &shm->member[i]);
        memcpy(ret_member, &member,
               member.size < sizeof member ? (size_t)member.size
                                           : sizeof member);
        return 0;
    }
    return CHUTE_EOF;
}
