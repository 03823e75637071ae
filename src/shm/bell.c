/* bell.c - telling those who wait for a queue by a descriptor.
 *
 * Who wants to poll(2) has a socket of his own, and hangs it up as a bell: its
 * name stands in the queue's table, in a place that has a bit in `silent`.
 *
 *     watcher                             putter, holding put_lock
 *       hang   name -> place                write the item
 *       hush   bit on; drain the socket     ring:  for each bit that is on
 *              (under put_lock, while              send a byte to that name,
 *               there is nothing to get)           bit off
 *       poll   the socket                   COMMIT: tail
 *
 * The invariant, whenever nobody alive holds put_lock: if there is an item, or
 * the queue is closed, every bell has been rung since it was hushed. It holds,
 * wherever a putter dies, for he rings before he commits:
 *
 *     before the byte        bit on, no item
 *     before the bit is off  bit on: the next putter rings once more
 *     before the commit      rung for nothing: whoever is woken finds no item,
 *                            and hushes his bell
 *     after it               rung, and the item is there
 *
 * So nobody has to be mended, nobody waits for a tick, and no thread keeps
 * watch. And a watcher who dies leaves a name that nobody has: who rings it next
 * is told so by the kernel, and takes it down.
 *
 * Hushing needs put_lock, for between the look at the empty queue and the drain
 * a putter might ring and commit. The bit goes on before the drain: a byte too
 * many does no harm, one too few is an item that nobody hears of.
 *
 * A bell that cannot be rung fails the put, and nothing was put: for lack of
 * memory or descriptors, by rules of the system (security modules, Landlock), or
 * because it hangs in another network namespace, where its name means nothing.
 * But first it is seen whether the watcher lives, for the dead refuse nobody.
 *
 * What it costs: a put looks at one word beside the lock that it has taken. Bells
 * are rung when the queue gets its first item, not with each.
 *
 * Names are for everybody to see (dgram-linux.c), and the table is input like
 * all shared memory: what stands in it is the number in a name, and one who
 * writes other numbers there has bytes sent to what begins with "chute-bell-".
 *
 * Proof: tests/unit/test-queue-watch.c, tests/torture/step.c, tests/model/.
 */
#include <errno.h>

#include "base/fail.h"
#include "chute/error.h"
#include "plat/dgram.h"
#include "shm/bell.h"
#include "shm/member.h"
#include "shm/word.h"

/* -- one's own -------------------------------------------------------------- */

static int find_place(struct shm_queue *shm, uint32_t *ret_place)
{
    for (uint32_t i = 0; i < SHM_N_BELLS; i++)
        if (word_get(&shm->bell[i].name) == 0) {
            *ret_place = i;
            return 0;
        }
    for (uint32_t i = 0; i < SHM_N_BELLS; i++)
        if (!member_lives(word_get(&shm->bell[i].who))) {
            *ret_place = i;
            return 0;
        }
    return fail(CHUTE_EAGAIN);
}

/* One store puts a new descriptor in the old one's place, and only then the old
 * one goes: a child that is forked meanwhile closes none of somebody else's. */
static void replace(int *place, int fd)
{
    int old = *place;

    *place = fd;
    if (old >= 0)
        plat_close(old);
}

int bell_hang(struct shm_queue *shm, struct bell *bell)
{
    uint64_t name, net_namespace;
    uint32_t place;
    int fd;

    if (bell_hangs(bell))
        return 0;
    int r = find_place(shm, &place);
    if (r == 0)
        r = dgram_namespace(&net_namespace);
    if (r == 0)
        r = dgram_new(&name, &fd);
    if (r < 0)
        return r;
    replace(&bell->fd, fd); /* what was there is our parent's */
    bell->name = name;
    word_set(&shm->bell[place].who, member_self());
    word_set(&shm->bell[place].net_namespace, net_namespace);
    word_set(&shm->bell[place].name, name);
    word_add_bit(&shm->silent, place);
    word_set(&bell->hung, (uint64_t)plat_self_.epoch << 32 | place);
    return 0;
}

void bell_hush(struct shm_queue *shm, struct bell *bell)
{
    word_add_bit(&shm->silent, (uint32_t)word_get(&bell->hung));
    dgram_drain(bell->fd);
}

void bell_free(struct shm_queue *shm, struct bell *bell)
{
    int r = 0;
    uint64_t hung = word_get(&bell->hung), name = bell->name;

    /* Its bit goes with the next ring. If somebody has taken it down, the place
     * may be another's by now. */
    if (hung && plat_self(&r) && bell_hangs(bell))
        (void)atomic_compare_exchange_strong_explicit(
            &shm->bell[(uint32_t)hung].name, &name, 0, memory_order_relaxed,
            memory_order_relaxed);
    replace(&bell->fd, -1);
    replace(&bell->sender, -1);
}

/* -- others' ---------------------------------------------------------------- */

static int renew_sender(struct bell *bell)
{
    uint64_t net_namespace;
    int fd, r = dgram_namespace(&net_namespace);

    if (r == 0)
        r = dgram_new_sender(&fd);
    if (r < 0)
        return r;
    bell->net_namespace = net_namespace;
    replace(&bell->sender, fd);
    return 0;
}

static int send_to(struct bell *bell, struct shm_bell *to)
{
    if (word_get(&to->net_namespace) != bell->net_namespace)
        return fail(CHUTE_ENETNS);
    return dgram_ring(bell->sender, word_get(&to->name));
}

/* From the socket at hand; if that cannot, from a new one, which has sent nothing
 * yet and is in our namespace. */
static int ring(struct bell *bell, struct shm_bell *to)
{
    int r = bell->sender < 0 ? -EAGAIN : send_to(bell, to);

    if (r != -EAGAIN && r != CHUTE_ENETNS)
        return r;
    r = renew_sender(bell);
    if (r == 0)
        r = send_to(bell, to);
    return r == -EAGAIN ? 0 : r;
}

int bell_ring_all(struct shm_queue *shm, struct bell *bell)
{
    uint64_t silent = word_get(&shm->silent);

    for (uint32_t i = 0; i < SHM_N_BELLS; i++) {
        struct shm_bell *to = &shm->bell[i];
        if (!(silent & word_bit(i)))
            continue;
        int r = word_get(&to->name) ? ring(bell, to) : 0;
        if (r < 0 &&
            (r == -ECONNREFUSED || !member_lives(word_get(&to->who)))) {
            word_set(&to->name, 0);
            r = 0;
        }
        if (r < 0)
            return r;
        word_take_bit(&shm->silent, i);
    }
    return 0;
}
