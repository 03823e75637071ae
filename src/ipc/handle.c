/* handle.c - queues, connections and descriptors that travel.
 *
 *     a descriptor    [1] + it
 *     a queue         [1] + the file that it lies in
 *     an end          [2] + its socket + the file of the pipe's shared page
 *
 * The byte is CPython's (reduction.sendfds), and stands outside the framing of
 * messages. It goes under the sender's lock and between two messages; and as
 * it goes in one step (io-posix.c), a sender who is killed has sent all or
 * nothing. conn-look.c says how a receiver tells it from a message, conn-take.c
 * how it is taken.
 *
 * What kind of handle it is the wire does not say: the descriptors show it
 * themselves, and have to be looked at anyhow before they can be trusted. So a
 * queue that was sent as a descriptor can be received as a queue.
 *
 * Proof: tests/unit/test-handle.c, tests/conformance/wire.py,
 * tests/stress/attach.c.
 */
#include "base/fail.h"
#include "chute/error.h"
#include "chute/handle.h"
#include "ipc/conn.h"
#include "ipc/queue.h"
#include "plat/plat.h"

static void close_all(const int *fds, int n)
{
    for (int i = 0; i < n; i++)
        plat_close(fds[i]);
}

/* As conn_recv_fds, but no more than n_most. */
static int recv_few(chute_conn *conn, int fds[IO_MAX_FDS], int n_most,
                    int64_t timeout_ns)
{
    int n = conn_recv_fds(conn, fds, timeout_ns);

    if (n <= n_most)
        return n;
    close_all(fds, n);
    return fail(CHUTE_EPROTO);
}

/* -- a descriptor ----------------------------------------------------------- */

int chute_conn_send_fd(chute_conn *conn, int fd, int64_t timeout_ns)
{
    return conn_send_fds(conn, &fd, 1, timeout_ns);
}

int chute_conn_recv_fd(chute_conn *conn, int *ret_fd, int64_t timeout_ns)
{
    int fds[IO_MAX_FDS];

    if (!ret_fd)
        return fail(CHUTE_EINVAL);
    int n = recv_few(conn, fds, 1, timeout_ns);
    if (n < 0)
        return n;
    *ret_fd = fds[0];
    return 0;
}

/* -- a queue ---------------------------------------------------------------- */

int chute_conn_send_queue(chute_conn *conn, chute_queue *queue,
                          int64_t timeout_ns)
{
    /* One with a name is no sealed memory, and would be refused over there. */
    if (!queue || queue->chain.named)
        return fail(CHUTE_EINVAL);
    return conn_send_fds(conn, &queue->chain.fd, 1, timeout_ns);
}

int chute_conn_recv_queue(chute_conn *conn, chute_queue **ret_queue,
                          int64_t timeout_ns)
{
    int fds[IO_MAX_FDS];

    if (!ret_queue)
        return fail(CHUTE_EINVAL);
    int n = recv_few(conn, fds, 1, timeout_ns);
    if (n < 0)
        return n;
    uint64_t flags = conn->interruptible ? CHUTE_INTERRUPTIBLE : 0;
    int r = chute_queue_of_fd(
        ret_queue, fds[0], CHUTE_OPTIONS(chute_queue_options, .flags = flags));
    if (r < 0)
        close_all(fds, n);
    return r;
}

/* -- an end of a pipe ------------------------------------------------------- */

int chute_conn_send_conn(chute_conn *conn, chute_conn *end, int64_t timeout_ns)
{
    if (!end)
        return fail(CHUTE_EINVAL);
    const int fds[] = {end->fd, end->memory->fd};
    return conn_send_fds(conn, fds, 2, timeout_ns);
}

int chute_conn_recv_conn(chute_conn *conn, chute_conn **ret_end,
                         int64_t timeout_ns)
{
    int fds[IO_MAX_FDS];

    if (!ret_end)
        return fail(CHUTE_EINVAL);
    int n = recv_few(conn, fds, 2, timeout_ns);
    if (n < 0)
        return n;
    int r = n == 1 ? conn_adopt(ret_end, fds[0], conn->interruptible)
                   : conn_attach(ret_end, fds[0], fds[1], conn->interruptible);
    if (r < 0)
        close_all(fds, n);
    return r;
}
