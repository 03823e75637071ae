/* queue-name.c - queues with names.
 *
 * A file in a directory that can be trusted (name.c). What follows from a name:
 *
 *     it stays      when nobody has it open, with all that is in it, until it
 *                   is unlinked or the machine goes down
 *     it appears    whole: the file is made without a name, filled, and linked;
 *                   of two who make it at once one finds the other's
 *     its memory    is a part of a file system, which may be full; so that
 *                   has an error of its own, which says what to do
 *     it is not     sealed, for such files cannot be: who may write it could
 *                   cut it short. The directory says who that is
 *     it is held    while somebody has it open: by a shared lock on the file
 *                   (flock), which the kernel drops with the last descriptor.
 *                   Who gets that lock alone knows that nobody else has it open
 *
 * To open or make is a loop, for others may unlink between the two. Each turn
 * that fails is one in which somebody else got what he wanted.
 *
 * Proof: tests/unit/test-queue-name.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "chute/error.h"
#include "ipc/queue.h"
#include "plat/file.h"
#include "plat/plat.h"
#include "shm/name.h"
#include "shm/ring.h"

#define DEFAULT_MODE 0600
#define MODES        0666

/* Who is forestalled for so long is told so. */
#define PATIENCE_NS INT64_C(1000000000)

/* -- opening and making ----------------------------------------------------- */

static int check_named(const struct chute_queue_options *options)
{
    if (options->mode & ~(uint64_t)MODES)
        return fail(CHUTE_EINVAL);
    if ((options->flags & CHUTE_EXCLUSIVE) && !(options->flags & CHUTE_CREATE))
        return fail(CHUTE_EINVAL);
    return 0;
}

/* -EBUSY: somebody is about to take it away; -ENOENT: he has. */
static int open_old(struct region_chain *chain, int dir, const char *name)
{
    int fd;

    int r = file_open(dir, name, &fd);
    if (r < 0)
        return r;
    r = file_hold(fd, false);
    if (r == 0)
        r = file_is_named(fd) == 0 ? -ENOENT : 0;
    if (r == 0)
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
    if (r < 0)
        return r;
    r = file_hold(fd, false);
    if (r < 0) {
        plat_close(fd);
        return r;
    }
    r = region_chain_new_in(chain, fd, (uint32_t)options->maxsize,
                            queue_max_units(options));
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

    int64_t deadline = plat_now() + PATIENCE_NS;

    while (!plat_expired(deadline)) {
        int r = exclusive ? -ENOENT : open_old(chain, dir, name);
        if (r == -EBUSY) {
            plat_yield();
            continue;
        }
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
        r = queue_options(&options, given,
                          CHUTE_INTERRUPTIBLE | CHUTE_CREATE | CHUTE_EXCLUSIVE);
    if (r == 0)
        r = check_named(&options);
    if (r < 0)
        return r;
    chute_queue *queue = queue_handle_new(&options);
    if (!queue)
        return fail(CHUTE_ENOMEM);
    r = name_dir_open(&dir);
    if (r == 0) {
        r = open_or_make(&queue->chain, dir, name, &options);
        plat_close(dir);
    }
    return queue_hand_over(queue, r, ret_queue);
}

/* -- names ------------------------------------------------------------------ */

/* Open the directory in order to take a name away. One at a time: between the
 * look at what a name stands for and the unlink, nobody else may free the name
 * for something new. (Making does not wait for this, for it takes no name that
 * is not free.) */
static int dir_open_alone(int *ret_dir)
{
    int r = name_dir_open(ret_dir);

    if (r < 0)
        return r;
    int64_t deadline = plat_now() + PATIENCE_NS;
    while ((r = file_hold(*ret_dir, true)) == -EBUSY && !plat_expired(deadline))
        plat_yield();
    if (r < 0)
        plat_close(*ret_dir);
    return r == -EBUSY ? fail(CHUTE_EAGAIN) : r;
}

/* close() alone would not do where another thread has forked. */
static void close_alone(int fd)
{
    file_let_go(fd);
    plat_close(fd);
}

int chute_queue_unlink(const char *name)
{
    int dir;

    int r = name_check(name);
    if (r == 0)
        r = dir_open_alone(&dir);
    if (r < 0)
        return r;
    r = file_unlink(dir, name);
    close_alone(dir);
    return r;
}

/* What has to be there, so that its name is taken away. */
enum wanted { AN_EMPTY_QUEUE, A_QUEUE, NO_QUEUE };

/* Held alone, nobody else has it open: what is found stays so. */
static int check_unused(int fd, enum wanted wanted)
{
    struct region_chain chain;
    struct ring_state state;

    int own, r = plat_dup(fd, &own); /* one that the chain may close */
    if (r < 0)
        return r;
    r = region_chain_attach(&chain, own, true);
    if (r < 0) {
        plat_close(own);
        bool is_none = r == CHUTE_ECORRUPT || r == CHUTE_ELAYOUT;
        return is_none && wanted == NO_QUEUE ? 0 : r;
    }
    bool is_empty = ring_is_empty(&chain, &state);
    region_chain_free(&chain);
    if (wanted == NO_QUEUE)
        return fail(CHUTE_EEXIST);
    return is_empty || wanted == A_QUEUE ? 0 : fail(CHUTE_ENOTEMPTY);
}

static int unlink_if(const char *name, enum wanted wanted)
{
    int dir, fd;

    int r = name_check(name);
    if (r == 0)
        r = dir_open_alone(&dir);
    if (r < 0)
        return r;
    r = file_open(dir, name, &fd);
    if (r == 0) {
        r = file_hold(fd, true);
        if (r == 0)
            r = check_unused(fd, wanted);
        if (r == 0)
            r = file_unlink(dir, name);
        close_alone(fd);
    }
    close_alone(dir);
    return r;
}

int chute_queue_unlink_unused(const char *name, int with_items)
{
    return unlink_if(name, with_items ? A_QUEUE : AN_EMPTY_QUEUE);
}

int chute_queue_unlink_broken(const char *name)
{
    return unlink_if(name, NO_QUEUE);
}

/* -- listing ---------------------------------------------------------------- */

struct names {
    chute_value **name;
    size_t n, cap;
};

static int add_name(void *context, const char *name)
{
    struct names *names = context;

    if (name_check(name) < 0)
        return 0;
    if (names->n == names->cap) {
        size_t cap = names->cap ? 2 * names->cap : 64;
        void *more = mem_realloc(names->name, cap * sizeof *names->name);
        if (!more)
            return fail(CHUTE_ENOMEM);
        names->name = more;
        names->cap = cap;
    }
    chute_value *text = chute_str(name);
    if (!text)
        return fail(CHUTE_ENOMEM);
    names->name[names->n++] = text;
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(chute_value_str(*(chute_value *const *)a),
                  chute_value_str(*(chute_value *const *)b));
}

static chute_value *list_of(struct names *names)
{
    if (names->n)
        qsort(names->name, names->n, sizeof *names->name, by_text);
    chute_value *list = chute_list_of(names->n, names->name);
    names->n = 0; /* consumed, whatever came of it */
    return list;
}

int chute_queue_list(chute_value **ret_names)
{
    struct names names = {0};
    int dir;

    if (!ret_names)
        return fail(CHUTE_EINVAL);
    int r = name_dir_open(&dir);
    if (r < 0)
        return r;
    r = file_list(dir, add_name, &names);
    plat_close(dir);
    if (r == 0) {
        *ret_names = list_of(&names);
        r = *ret_names ? 0 : fail(CHUTE_ENOMEM);
    }
    while (names.n)
        chute_value_free(names.name[--names.n]);
    free(names.name);
    return r;
}
