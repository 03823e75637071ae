/* conn.c - the two ends of a pipe: making and freeing.
 *
 * An end is a stream socket and, since any number of threads and processes may
 * use one end at once, a struct shm_conn in memory that all of them share. Both
 * ends of a pipe lie in the same page, so that a receiver can see what became
 * of the sender.
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

/* -- making and freeing ----------------------------------------------------- */

/* The shared page of a pipe, with no ends yet. */
static struct pipe_memory *memory_new(int *ret_error)
{
    void *shm;
    const struct plat_self *self = plat_self(ret_error);

    if (!self)
        return NULL;
    struct pipe_memory *memory = mem_zalloc(sizeof *memory);
    if (!memory) {
        *ret_error = fail(CHUTE_ENOMEM);
        return NULL;
    }
    int r = plat_map(-1, 0, sizeof *memory->shm, &shm);
    if (r < 0) {
        free(memory);
        *ret_error = r;
        return NULL;
    }
    memory->shm = shm;
    memory->shm->pid_namespace = self->pid_namespace;
    return memory;
}

static void memory_free(struct pipe_memory *memory)
{
    plat_unmap(memory->shm, sizeof *memory->shm);
    free(memory);
}

static chute_conn *conn_new(int fd, struct pipe_memory *memory, int end,
                            uint64_t flags)
{
    bool receives = !(flags & CHUTE_ONEWAY) || end == 0;
    chute_conn *conn =
        mem_zalloc(sizeof *conn + (receives ? CONN_LOOK_LEN : 0));

    if (!conn)
        return NULL;
    conn->fd = fd;
    conn->receives = receives;
    conn->sends = !(flags & CHUTE_ONEWAY) || end == 1;
    conn->interruptible = (flags & CHUTE_INTERRUPTIBLE) != 0;
    conn->atomic_len = io_atomic_len(fd);
    conn->pid_namespace = memory->shm->pid_namespace;
    conn->memory = memory;
    conn->own = &memory->shm->end[end];
    conn->peer = &memory->shm->end[1 - end];
    return conn;
}

/* Both ends, or neither; then the descriptors are the caller's still. */
static int make_ends(chute_conn *ends[2], const int fds[2], uint64_t flags)
{
    int r = 0;
    struct pipe_memory *memory = memory_new(&r);

    if (!memory)
        return r;
    ends[0] = conn_new(fds[0], memory, 0, flags);
    ends[1] = conn_new(fds[1], memory, 1, flags);
    if (!ends[0] || !ends[1]) {
        free(ends[0]);
        free(ends[1]);
        memory_free(memory);
        return fail(CHUTE_ENOMEM);
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
