/* queue-make.c - queues made, and let go of.
 *
 *     new        a file in memory that only descriptors lead to, sealed, so that
 *                nobody can cut it short
 *     of_fd      the same, by a descriptor that somebody has handed over
 *
 * Those with a name are queue-name.c's.
 *
 * Proof: tests/unit/test-queue.c, test-handle.c.
 */
#include <stdlib.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "chute/error.h"
#include "ipc/queue.h"
#include "plat/plat.h"

#define MIN_MEMORY ((uint64_t)SHM_MIN_UNITS * SHM_UNIT)
#define MAX_MEMORY ((uint64_t)SHM_MAX_UNITS * SHM_UNIT)

#define MAX_SPIN_NS ((uint64_t)CHUTE_SEC(1))

_Static_assert(MIN_MEMORY == 4096 && MAX_MEMORY == UINT64_C(8) << 30,
               "as the header says");

int queue_options(struct chute_queue_options *options,
                  const struct chute_queue_options *given, uint64_t flags)
{
    int r = options_take(options, sizeof *options, given, sizeof *options);

    if (r < 0)
        return r;
    if (options->maxsize > SHM_MAX_ITEMS || options->memory > MAX_MEMORY)
        return fail(CHUTE_EINVAL);
    if (options->memory && options->memory < MIN_MEMORY)
        return fail(CHUTE_EINVAL);
    if (options->spin_ns > MAX_SPIN_NS && options->spin_ns != CHUTE_SPIN_NEVER)
        return fail(CHUTE_EINVAL);
    return options_flags(options->flags, flags);
}

uint32_t queue_max_units(const struct chute_queue_options *options)
{
    uint64_t memory = options->memory ? options->memory : MAX_MEMORY;

    return (uint32_t)(memory / SHM_UNIT);
}

chute_queue *queue_handle_new(const struct chute_queue_options *options)
{
    chute_queue *queue = mem_zalloc(sizeof *queue);

    if (!queue)
        return NULL;
    queue->interruptible = (options->flags & CHUTE_INTERRUPTIBLE) != 0;
    queue->putting.spin_ns = queue->getting.spin_ns = queue->reserving.spin_ns =
        options->spin_ns;
    return queue;
}

int queue_hand_over(chute_queue *queue, int r, chute_queue **ret_queue)
{
    if (r < 0)
        free(queue);
    else
        *ret_queue = queue;
    return r;
}

/* -- nameless --------------------------------------------------------------- */

int chute_queue_new(chute_queue **ret_queue,
                    const struct chute_queue_options *given)
{
    struct chute_queue_options options;

    if (!ret_queue)
        return fail(CHUTE_EINVAL);
    int r = queue_options(&options, given, CHUTE_INTERRUPTIBLE);
    if (r == 0 && options.mode)
        r = fail(CHUTE_EINVAL);
    if (r < 0)
        return r;
    chute_queue *queue = queue_handle_new(&options);
    if (!queue)
        return fail(CHUTE_ENOMEM);
    r = region_chain_new(&queue->chain, (uint32_t)options.maxsize,
                         queue_max_units(&options));
    return queue_hand_over(queue, r, ret_queue);
}

int chute_queue_of_fd(chute_queue **ret_queue, int fd,
                      const struct chute_queue_options *given)
{
    struct chute_queue_options options;

    if (!ret_queue)
        return fail(CHUTE_EINVAL);
    int r = queue_options(&options, given, CHUTE_INTERRUPTIBLE);
    if (r == 0 && (options.maxsize || options.memory || options.mode))
        r = fail(CHUTE_EINVAL);
    if (r < 0)
        return r;
    chute_queue *queue = queue_handle_new(&options);
    if (!queue)
        return fail(CHUTE_ENOMEM);
    r = region_chain_attach(&queue->chain, fd, false);
    if (r == 0)
        plat_cloexec(fd);
    return queue_hand_over(queue, r, ret_queue);
}

int chute_queue_fd(chute_queue *queue)
{
    return queue ? queue->chain.fd : fail(CHUTE_EINVAL);
}

chute_queue *chute_queue_free(chute_queue *queue)
{
    if (queue) {
        queue_leave(queue);
        queue_free_copies(queue);
        region_chain_free(&queue->chain);
        free(queue);
    }
    return NULL;
}
