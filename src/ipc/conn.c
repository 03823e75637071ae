/* conn.c - the two ends of a pipe: making, being given, and freeing.
 *
 * An end is a stream socket and, since any number of threads and processes may
 * use one end at once, a struct shm_conn in memory that all of them share. Both
 * ends of a pipe lie in the same page, so that a receiver can see what became
 * of the sender. The page is a file in memory, so that it can travel beside the
 * socket to a process that is no child (handle.c). That process finds in it
 * which end the socket is.
 *
 * A socket that comes without a page, from Python or from the network, gets a
 * new one, in which the other end is an unknown that never does anything.
 *
 * Both kinds of pipe are sockets, the one-way kind too: a pipe(2) has neither
 * MSG_DONTWAIT nor MSG_NOSIGNAL nor MSG_PEEK, and all three are needed to wait
 * with a deadline, to survive a peer that has gone, and to take a message whole
 * or not at all. Of a one-way pipe the handles know the direction. It is not
 * shut in the socket, for the sending end would then poll as readable all the
 * time; so it does when nobody is left to receive, which is worth knowing.
 *
 * Proof: tests/unit/test-conn*.c, tests/conformance/wire.py.
 */
#include <errno.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "chute/error.h"
#include "ipc/conn.h"
#include "plat/io.h"
#include "plat/plat.h"
#include "shm/label.h"

/* -- the shared page -------------------------------------------------------- */

/* A page in private hands, with no ends yet; its descriptor is its own. */
static struct pipe_memory *memory_of(int fd, struct shm_pipe *shm)
{
    struct pipe_memory *memory = mem_zalloc(sizeof *memory);

    if (memory) {
        memory->fd = fd;
        memory->shm = shm;
    }
    return memory;
}

static void memory_free(struct pipe_memory *memory)
{
    plat_unmap(memory->shm, sizeof *memory->shm);
    plat_close(memory->fd);
    free(memory);
}

static void write_page(struct shm_pipe *shm, const uint64_t sockets[2],
                       bool oneway, uint64_t pid_namespace)
{
    for (int end = 0; end < 2; end++)
        atomic_store_explicit(&shm->socket[end], sockets[end],
                              memory_order_relaxed);
    atomic_store_explicit(&shm->oneway, oneway, memory_order_relaxed);
    label_write(&shm->label, SHM_PIPE_MAGIC, pid_namespace);
}

/* A new page, for the ends that have these sockets. */
static int memory_new(const uint64_t sockets[2], bool oneway,
                      struct pipe_memory **ret_memory)
{
    struct pipe_memory *memory;
    void *shm;
    int r = 0, fd;
    const struct plat_self *self = plat_self(&r);

    if (!self)
        return r;
    r = plat_shm_new("chute-pipe", &fd);
    if (r < 0)
        return r;
    r = plat_shm_reserve(fd, 0, sizeof(struct shm_pipe));
    if (r == 0)
        r = plat_shm_seal(fd);
    if (r == 0)
        r = plat_map(fd, 0, sizeof(struct shm_pipe), &shm);
    if (r < 0)
        goto out;
    write_page(shm, sockets, oneway, self->pid_namespace);
    memory = memory_of(fd, shm);
    if (!memory) {
        plat_unmap(shm, sizeof(struct shm_pipe));
        r = fail(CHUTE_ENOMEM);
        goto out;
    }
    *ret_memory = memory;
    return 0;
out:
    plat_close(fd);
    return r == -ENOSPC ? fail(CHUTE_ENOMEM) : r;
}

/* -- making and freeing ----------------------------------------------------- */

static int conn_new(chute_conn **ret_conn, int fd, struct pipe_memory *memory,
                    int end, bool oneway, bool interruptible)
{
    bool receives = !oneway || end == 0;
    size_t atomic_len;
    int r = io_atomic_len(fd, &atomic_len);

    if (r < 0)
        return r;
    chute_conn *conn =
        mem_zalloc(sizeof *conn + (receives ? CONN_LOOK_LEN : 0));
    if (!conn)
        return fail(CHUTE_ENOMEM);
    conn->fd = fd;
    conn->receives = receives;
    conn->sends = !oneway || end == 1;
    conn->interruptible = interruptible;
    conn->atomic_len = atomic_len;
    conn->max_len = UINT64_MAX;
    conn->pid_namespace = atomic_load_explicit(
        &memory->shm->label.pid_namespace, memory_order_relaxed);
    conn->memory = memory;
    conn->own = &memory->shm->end[end];
    conn->peer = &memory->shm->end[1 - end];
    *ret_conn = conn;
    return 0;
}

/* Both ends, or neither; then the descriptors are the caller's still. */
static int make_ends(chute_conn *ends[2], const int fds[2], uint64_t flags)
{
    bool oneway = (flags & CHUTE_ONEWAY) != 0;
    bool interruptible = (flags & CHUTE_INTERRUPTIBLE) != 0;
    struct pipe_memory *memory;
    uint64_t sockets[2];

    int r = io_stream(fds[0], &sockets[0]);
    if (r == 0)
        r = io_stream(fds[1], &sockets[1]);
    if (r == 0)
        r = memory_new(sockets, oneway, &memory);
    if (r < 0)
        return r;
    ends[0] = NULL;
    r = conn_new(&ends[0], fds[0], memory, 0, oneway, interruptible);
    if (r == 0)
        r = conn_new(&ends[1], fds[1], memory, 1, oneway, interruptible);
    if (r < 0) {
        free(ends[0]);
        memory_free(memory);
        return r;
    }
    memory->n_ends = 2;
    return 0;
}

int chute_pipe(chute_conn *ret_ends[2], const struct chute_pipe_options *given)
{
    struct chute_pipe_options options;
    chute_conn *ends[2];
    int fds[2];

    if (!ret_ends)
        return fail(CHUTE_EINVAL);
    int r = options_take(&options, sizeof options, given, sizeof options);
    if (r == 0)
        r = options_flags(options.flags, CHUTE_ONEWAY | CHUTE_INTERRUPTIBLE);
    if (r == 0)
        r = io_pair(fds);
    if (r < 0)
        return r;
    r = make_ends(ends, fds, options.flags);
    if (r < 0) {
        plat_close(fds[0]);
        plat_close(fds[1]);
        return r;
    }
    ret_ends[0] = ends[0];
    ret_ends[1] = ends[1];
    return 0;
}

/* The one end that a process has been given. */
static int make_end(chute_conn **ret_conn, int fd, struct pipe_memory *memory,
                    int end, bool interruptible)
{
    bool oneway =
        atomic_load_explicit(&memory->shm->oneway, memory_order_relaxed) != 0;
    int r = conn_new(ret_conn, fd, memory, end, oneway, interruptible);

    if (r == 0)
        memory->n_ends = 1;
    return r;
}

int conn_adopt(chute_conn **ret_conn, int fd, bool interruptible)
{
    struct pipe_memory *memory;
    uint64_t sockets[2] = {0, 0};

    int r = io_stream(fd, &sockets[0]);
    if (r == 0)
        r = memory_new(sockets, false, &memory);
    if (r < 0)
        return r;
    r = make_end(ret_conn, fd, memory, 0, interruptible);
    if (r < 0)
        memory_free(memory);
    return r;
}

/* Which end of the page a socket is; -1: none of the two. */
static int end_of(struct shm_pipe *shm, uint64_t socket)
{
    for (int end = 0; end < 2; end++)
        if (atomic_load_explicit(&shm->socket[end], memory_order_relaxed) ==
            socket)
            return end;
    return -1;
}

int conn_attach(chute_conn **ret_conn, int fd, int page_fd, bool interruptible)
{
    struct pipe_memory *memory = NULL;
    uint64_t socket;
    void *shm;
    int r = 0;
    const struct plat_self *self = plat_self(&r);

    if (!self)
        return r;
    r = io_stream(fd, &socket);
    if (r == 0)
        r = label_attach(page_fd, SHM_PIPE_MAGIC, sizeof(struct shm_pipe),
                         self->pid_namespace, &shm);
    if (r < 0)
        return r;
    int end = end_of(shm, socket);
    if (end < 0) {
        r = fail(CHUTE_ECORRUPT);
        goto out;
    }
    memory = memory_of(page_fd, shm);
    r = memory ? make_end(ret_conn, fd, memory, end, interruptible)
               : fail(CHUTE_ENOMEM);
out:
    if (r < 0) {
        free(memory);
        plat_unmap(shm, sizeof(struct shm_pipe));
    }
    return r;
}

int chute_conn_of_fd(chute_conn **ret_conn, int fd,
                     const struct chute_conn_options *given)
{
    struct chute_conn_options options;

    if (!ret_conn)
        return fail(CHUTE_EINVAL);
    int r = options_take(&options, sizeof options, given, sizeof options);
    if (r == 0)
        r = options_flags(options.flags, CHUTE_INTERRUPTIBLE);
    if (r == 0)
        r = conn_adopt(ret_conn, fd,
                       (options.flags & CHUTE_INTERRUPTIBLE) != 0);
    if (r < 0)
        return r;
    if (options.max_message)
        (*ret_conn)->max_len = options.max_message;
    plat_cloexec(fd);
    return 0;
}

chute_conn *chute_conn_free(chute_conn *conn)
{
    if (!conn)
        return NULL;
    conn_take_forget(conn);
    plat_close(conn->fd);
    /* acq_rel: pairs with itself in the thread that frees the other end. */
    if (atomic_fetch_sub_explicit(&conn->memory->n_ends, 1,
                                  memory_order_acq_rel) == 1)
        memory_free(conn->memory);
    free(conn);
    return NULL;
}

/* -- for the other parts ---------------------------------------------------- */

int conn_enter(const chute_conn *conn, int64_t timeout_ns,
               int64_t *ret_deadline, pid_t *ret_pid)
{
    int r = 0;

    if (!conn)
        return fail(CHUTE_EINVAL);
    const struct plat_self *self = plat_self(&r);
    if (!self)
        return r;
    /* Lock owners are known by their tid, which means nothing elsewhere. */
    if (self->pid_namespace != conn->pid_namespace)
        return fail(CHUTE_ENAMESPACE);
    *ret_pid = self->pid;
    return plat_deadline(timeout_ns, ret_deadline);
}

int conn_wait(const chute_conn *conn, short events, int64_t deadline)
{
    int r;

    do
        r = io_wait(conn->fd, events, deadline);
    while (r == -EINTR && !conn->interruptible);
    return r;
}

int chute_conn_fd(chute_conn *conn)
{
    return conn ? conn->fd : fail(CHUTE_EINVAL);
}
