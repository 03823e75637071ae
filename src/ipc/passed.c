/* passed.c - take what the program was started with.
 *
 * The environment tells (spawn.c). A handle is taken once: afterwards its
 * descriptor is the handle's, may be closed with it, and its number may be
 * somebody else's. So for each of them, by its place in the list, a bit says
 * whether it has been taken.
 *
 * The variable is input like any other. Where it does not name this process,
 * there is nothing; what it names is looked at as if a stranger had sent it.
 *
 * Proof: tests/unit/test-spawn.c.
 */
#define _POSIX_C_SOURCE 200809L /* getpid */
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/options.h"
#include "chute/error.h"
#include "chute/handle.h"
#include "ipc/conn.h"
#include "ipc/passed.h"
#include "plat/plat.h"

static _Atomic uint64_t taken;

/* One entry of the list. */
struct passed {
    uint64_t bit;
    int fds[2];
};

/* Read a descriptor's number; what stands behind it, or NULL if there is none. */
static const char *read_fd(const char *text, int *ret_fd)
{
    char *end;
    long fd = *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;

    if (fd < 3 || fd > INT_MAX)
        return NULL;
    *ret_fd = (int)fd;
    return end;
}

/* Whether an entry "name=kind..." is this one, and what it holds. */
static bool read_entry(const char *text, const char *name, char kind,
                       struct passed *passed)
{
    size_t len = strlen(name);

    if (strncmp(text, name, len) != 0 || text[len] != '=' ||
        text[len + 1] != kind)
        return false;
    text = read_fd(text + len + 2, &passed->fds[0]);
    if (text && kind == PASSED_CONN)
        text = *text == ',' ? read_fd(text + 1, &passed->fds[1]) : NULL;
    return text && (*text == ' ' || *text == '\0');
}

/* Find the handle, and take it. */
static int take(const char *name, char kind, struct passed *passed)
{
    const char *text = getenv(PASSED_VARIABLE);
    char *end;

    if (!text || strtol(text, &end, 10) != (long)getpid())
        return fail(CHUTE_ENOENT);
    passed->bit = 1;
    for (text = end; *text == ' ' && passed->bit; passed->bit <<= 1) {
        text++;
        if (read_entry(text, name, kind, passed)) {
            /* relaxed: who has the bit has the entry, which does not change. */
            uint64_t before = atomic_fetch_or_explicit(&taken, passed->bit,
                                                       memory_order_relaxed);
            return before & passed->bit ? fail(CHUTE_ENOENT) : 0;
        }
        text += strcspn(text, " ");
    }
    return fail(CHUTE_ENOENT);
}

static void take_back(const struct passed *passed)
{
    atomic_fetch_and_explicit(&taken, ~passed->bit, memory_order_relaxed);
}

int chute_handle_queue(chute_queue **ret_queue, const char *name,
                       const struct chute_queue_options *options)
{
    struct passed passed;

    if (!ret_queue || !name)
        return fail(CHUTE_EINVAL);
    int r = take(name, PASSED_QUEUE, &passed);
    if (r < 0)
        return r;
    r = chute_queue_of_fd(ret_queue, passed.fds[0], options);
    if (r < 0)
        take_back(&passed);
    return r;
}

int chute_handle_conn(chute_conn **ret_conn, const char *name,
                      const struct chute_conn_options *given)
{
    struct chute_conn_options options;
    struct passed passed;

    if (!ret_conn || !name)
        return fail(CHUTE_EINVAL);
    int r = options_take(&options, sizeof options, given, sizeof options);
    if (r == 0)
        r = options_flags(options.flags, CHUTE_INTERRUPTIBLE);
    if (r == 0)
        r = take(name, PASSED_CONN, &passed);
    if (r < 0)
        return r;
    r = conn_attach(ret_conn, passed.fds[0], passed.fds[1],
                    (options.flags & CHUTE_INTERRUPTIBLE) != 0);
    if (r < 0) {
        take_back(&passed);
        return r;
    }
    plat_cloexec(passed.fds[0]);
    plat_cloexec(passed.fds[1]);
    return 0;
}

int chute_handle_fd(int *ret_fd, const char *name)
{
    struct passed passed;

    if (!ret_fd || !name)
        return fail(CHUTE_EINVAL);
    int r = take(name, PASSED_FD, &passed);
    if (r < 0)
        return r;
    plat_cloexec(passed.fds[0]);
    *ret_fd = passed.fds[0];
    return 0;
}
