/* queue-make.c - queues made, attached and opened; and let go of.
 *
 *     new        a file in memory that only descriptors lead to, sealed, so that
 *                nobody can cut it short
 *     of_fd      the same, by a descriptor that somebody has handed over
 *     open       a file with a name, in a directory that can be trusted (name.c)
 *
 * What follows from a name:
 *
 *     it stays      when nobody has it open, with all that is in it, until it
 *                   is unlinked or the machine goes down
 *     it appears    whole: the file is made without a name, filled, and linked;
 *                   of two who make it at once one finds the other's
 *     its memory    is a part of a file system, which may be full; so that
 *                   has an error of its own, which says what to do
 *     it is not     sealed, for such files cannot be: who may write it could
 *                   cut it short. The directory says who that is
 *
 * To open or make is a loop, for others may unlink between the two. Each turn
 * that fails is one in which somebody else got what he wanted.
 *
 * Proof: tests/unit/test-queue.c, test-queue-name.c, test-handle.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "chute/error.h"
#include "ipc/queue.h"
#include "plat/file.h"
#include "plat/plat.h"
#include "shm/name.h"

#define MIN_MEMORY ((uint64_t)SHM_MIN_UNITS * SHM_UNIT)
#define MAX_MEMORY ((uint64_t)SHM_MAX_UNITS * SHM_UNIT)

_Static_assert(MIN_MEMORY == 4096 && MAX_MEMORY == UINT64_C(8) << 30,
               "as the header says");

#define DEFAULT_MODE 0600
#define MODES        0666

/* Who is so often forestalled is told so. */
#define N_TURNS 1000

static int take_options(struct chute_queue_options *options,
                        const struct chute_queue_options *given, uint64_t flags)
{
    int r = options_take(options, sizeof *options, given, sizeof *options);

    if (r < 0)
        return r;
    if (options->maxsize > SHM_MAX_ITEMS || options->memory > MAX_MEMORY)
        return fail(CHUTE_EINVAL);
    if (options->memory && options->memory < MIN_MEMORY)
        return fail(CHUTE_EINVAL);
    return options_flags(options->flags, flags);
}

static uint32_t maxsize_of(const struct chute_queue_options *options)
{
    return (uint32_t)options->maxsize;
}

static uint32_t max_units_of(const struct chute_queue_options *options)
{
    uint64_t memory = options->memory ? options->memory : MAX_MEMORY;

    return (uint32_t)(memory / SHM_UNIT);
}

/* A handle, to be filled. */
static chute_queue *handle_new(const struct chute_queue_options *options)
{
    chute_queue *queue = mem_zalloc(sizeof *queue);

    if (queue)
        queue->interruptible = (options->flags & CHUTE_INTERRUPTIBLE) != 0;
    return queue;
}

/* What came of filling it. */
static int hand_over(chute_queue *queue, int r, chute_queue **ret_queue)
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
    int r = take_options(&options, given, CHUTE_INTERRUPTIBLE);
    if (r == 0 && options.mode)
        r = fail(CHUTE_EINVAL);
    if (r < 0)
        return r;
    chute_queue *queue = handle_new(&options);
    if (!queue)
        return fail(CHUTE_ENOMEM);
    r = region_chain_new(&queue->chain, maxsize_of(&options),
                         max_units_of(&options));
    return hand_over(queue, r, ret_queue);
}

int chute_queue_of_fd(chute_queue **ret_queue, int fd,
                      const struct chute_queue_options *given)
{
    struct chute_queue_options options;

    if (!ret_queue)
        return fail(CHUTE_EINVAL);
    int r = take_options(&options, given, CHUTE_INTERRUPTIBLE);
    if (r == 0 && (options.maxsize || options.memory || options.mode))
        r = fail(CHUTE_EINVAL);
    if (r < 0)
        return r;
    chute_queue *queue = handle_new(&options);
    if (!queue)
        return fail(CHUTE_ENOMEM);
    r = region_chain_attach(&queue->chain, fd, false);
    if (r == 0)
        plat_cloexec(fd);
    return hand_over(queue, r, ret_queue);
}

int chute_queue_fd(chute_queue *queue)
{
    return queue ? queue->chain.fd : fail(CHUTE_EINVAL);
}

chute_queue *chute_queue_free(chute_queue *queue)
{
    if (queue) {
        region_chain_free(&queue->chain);
        free(queue);
    }
    return NULL;
}

/* -- with a name ------------------------------------------------------------ */

static int check_named(const struct chute_queue_options *options)
{
    if (options->mode & ~(uint64_t)MODES)
        return fail(CHUTE_EINVAL);
    if ((options->flags & CHUTE_EXCLUSIVE) && !(options->flags & CHUTE_CREATE))
        return fail(CHUTE_EINVAL);
    return 0;
}

static int open_old(struct region_chain *chain, int dir, const char *name)
{
    int fd;

    int r = file_open(dir, name, &fd);
    if (r < 0)
        return r;
    r = region_chain_attach(chain, fd, true);
    if (r < 0)
        plat_close(fd);
    return r;
}

static int make_new(struct region_chain *chain, int dir, const char *name,
                    const struct chute_queue_options *options)
{
    mode_t mode = options->mode ? (mode_t)options->mode : DEFAULT_MODE;
    int fd;

    int r = file_new(dir, mode, &fd);
    if (r == 0)
        r = region_chain_new_in(chain, fd, maxsize_of(options),
                                max_units_of(options));
    if (r < 0)
        return r;
    r = file_publish(dir, chain->fd, name);
    if (r < 0)
        region_chain_free(chain);
    return r;
}

static int open_or_make(struct region_chain *chain, int dir, const char *name,
                        const struct chute_queue_options *options)
{
    bool create = options->flags & CHUTE_CREATE;
    bool exclusive = options->flags & CHUTE_EXCLUSIVE;

    for (int i = 0; i < N_TURNS; i++) {
        int r = exclusive ? -ENOENT : open_old(chain, dir, name);
        if (r != -ENOENT || !create)
            return r;
        r = make_new(chain, dir, name, options);
        if (r != -EEXIST || exclusive)
            return r;
    }
    return fail(CHUTE_EAGAIN);
}

int chute_queue_open(chute_queue **ret_queue, const char *name,
                     const struct chute_queue_options *given)
{
    struct chute_queue_options options;
    int dir;

    if (!ret_queue)
        return fail(CHUTE_EINVAL);
    int r = name_check(name);
    if (r == 0)
        r = take_options(&options, given,
                         CHUTE_INTERRUPTIBLE | CHUTE_CREATE | CHUTE_EXCLUSIVE);
    if (r == 0)
        r = check_named(&options);
    if (r < 0)
        return r;
    chute_queue *queue = handle_new(&options);
    if (!queue)
        return fail(CHUTE_ENOMEM);
    r = name_dir_open(&dir);
    if (r == 0) {
        r = open_or_make(&queue->chain, dir, name, &options);
        plat_close(dir);
    }
    return hand_over(queue, r, ret_queue);
}

int chute_queue_unlink(const char *name)
{
    int dir;

    int r = name_check(name);
    if (r == 0)
        r = name_dir_open(&dir);
    if (r < 0)
        return r;
    r = file_unlink(dir, name);
    plat_close(dir);
    return r;
}
