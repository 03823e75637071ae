/* queue-watch.c - waiting for a queue by a descriptor, among others.
 *
 * The descriptor is that of a bell (shm/bell.c), which putters ring. What is done
 * here is to silence it, under put_lock: where the descriptor is asked for, and
 * where a get of this process has left nothing to get, or found nothing. If others
 * have taken the item for which the bell was rung, it stays readable until then;
 * it is never silent while there is something to get.
 *
 * A get that has its item does not wait for put_lock: whoever has that is about
 * to put, and the bell may as well stay rung. One that has found nothing waits
 * for it as long as it may, for else a caller of poll(2) would go round and round
 * while a putter copies.
 *
 * Proof: tests/unit/test-queue-watch.c, tests/torture/step.c, tests/model/.
 */
#include "base/fail.h"
#include "chute/error.h"
#include "ipc/queue.h"
#include "shm/ring.h"

void queue_hush_bell(chute_queue *queue, int r, const struct patience *patience)
{
    struct region_chain *chain = &queue->chain;
    int64_t deadline = r == CHUTE_ETIMEDOUT ? patience->lock_deadline : 0;

    if (ring_has_work_for_get(chain) ||
        region_take_put(chain, deadline, false) < 0)
        return;
    if (!ring_has_work_for_get(chain))
        bell_hush(chain->shm, &chain->bell);
    region_drop_put(chain);
}

/* Under put_lock. */
static int hang(struct region_chain *chain)
{
    int r = bell_hang(chain->shm, &chain->bell);

    if (r < 0)
        return r;
    if (ring_has_work_for_get(chain))
        return bell_ring(chain->shm, &chain->bell);
    bell_hush(chain->shm, &chain->bell);
    return 0;
}

int chute_queue_wait_fd(chute_queue *queue)
{
    int r = queue_enter(queue);

    if (r < 0)
        return r;
    struct region_chain *chain = &queue->chain;
    r = region_take_put(chain, PLAT_NEVER, queue->interruptible);
    if (r < 0)
        return r;
    r = hang(chain);
    if (r == 0)
        r = chain->bell.fd;
    region_drop_put(chain);
    return r;
}
