/* conn-recv.c - receiving: the waiting, and what callers see.
 *
 * conn-take.c takes what is there; here is what happens when that is not
 * enough. Three cases:
 *
 *     nothing is there          wait on the socket, as long as the caller likes
 *     the beginning is here     wait on the socket, a tick at a time
 *     another process has it    wait on `receiving`, a tick at a time
 *
 * The ticks are for deaths that nobody announces. A keeper's death is seen by
 * conn_take. A sender's death in the middle of a message ends the stream by
 * itself if he alone held his end; if others hold it, no end comes. So whoever
 * has a part in his hands looks every tick whether the sender's lock is free
 * and his state BUSY, and then ends the stream in his place.
 *
 * No wait holds a lock. Where messages have been coming fast, a wait looks again
 * for a while before it sleeps (spin.c); not where a signal is to end it, which
 * only a sleep notices.
 *
 * A message that cannot be decoded comes out as the bytes it is. One for which
 * there is no memory to decode goes back to the head of the line.
 *
 * Proof: tests/unit/test-conn*.c, tests/conformance/wire.py.
 */
#include <errno.h>
#include <string.h>

#include "base/fail.h"
#include "chute/error.h"
#include "codec/pickle.h"
#include "ipc/conn.h"
#include "plat/io.h"
#include "plat/plat.h"
#include "shm/lock.h"
#include "shm/tick.h"

/* -- waiting ---------------------------------------------------------------- */

/* If the sender died in the middle of a message, end the stream in his place:
 * others may hold his end open, and never send. */
static void look_after_sender(chute_conn *conn)
{
    struct shm_conn *peer = conn->peer;

    if (atomic_load_explicit(&peer->sending, memory_order_relaxed) !=
            SHM_BUSY ||
        lock_take(&peer->send_lock, 0, false) < 0)
        return;
    if (atomic_load_explicit(&peer->sending, memory_order_relaxed) ==
        SHM_BUSY) {
        /* From this side, the same direction. */
        io_shut_receiving(conn->fd);
        atomic_store_explicit(&peer->sending, SHM_LOST, memory_order_relaxed);
    }
    lock_drop(&peer->send_lock);
}

/* Wait for the rest of a message, or for another process to finish one, but no
 * longer than a tick. 0, -ETIMEDOUT, -EINTR. */
static int wait_a_tick(chute_conn *conn, enum take_missing missing,
                       int64_t deadline)
{
    int64_t tick = plat_now() + TICK_NS;
    int r;

    if (missing == TAKE_MISSES_OTHERS) {
        r = tick_wait(&conn->own->receiving, SHM_KEPT, deadline);
    } else {
        r = io_wait(conn->fd, POLLIN, tick < deadline ? tick : deadline);
        if (r == -ETIMEDOUT)
            look_after_sender(conn);
    }
    if (r == -EINTR && !conn->interruptible)
        r = 0;
    return r == -ETIMEDOUT && tick < deadline ? 0 : r;
}

static int receive(chute_conn *conn, struct place *place, pid_t pid,
                   int64_t deadline)
{
    enum take_missing missing;
    struct spin_wait wait = {0};
    int r;

    for (;;) {
        place->moved = false;
        r = conn_take(conn, place, pid, deadline, &missing);
        if (r != -EAGAIN || place->moved)
            spin_learn(&conn->recv_spin, &wait);
        if (r != -EAGAIN)
            break;
        if (missing != TAKE_MISSES_OTHERS && !conn->interruptible &&
            spin_again(&conn->recv_spin, &wait, deadline))
            continue;
        if (missing == TAKE_MISSES_ALL)
            r = conn_wait(conn, POLLIN, deadline);
        else
            r = wait_a_tick(conn, missing, deadline);
        if (r < 0)
            break;
    }
    conn_take_leave(conn, place);
    return r;
}

/* -- what callers see ------------------------------------------------------- */

static int enter_to_receive(const chute_conn *conn, int64_t timeout_ns,
                            int64_t *ret_deadline, pid_t *ret_pid)
{
    int r = conn_enter(conn, timeout_ns, ret_deadline, ret_pid);

    return r == 0 && !conn->receives ? fail(CHUTE_EINVAL) : r;
}

int chute_conn_recv_bytes(chute_conn *conn, void *buf, size_t cap,
                          size_t *ret_len, int64_t timeout_ns)
{
    struct place place = {.buf = buf, .cap = cap};
    int64_t deadline;
    pid_t pid;

    if ((!buf && cap) || !ret_len)
        return fail(CHUTE_EINVAL);
    int r = enter_to_receive(conn, timeout_ns, &deadline, &pid);
    if (r == 0)
        r = receive(conn, &place, pid, deadline);
    if (r == 0 || r == CHUTE_EMSGSIZE)
        *ret_len = place.len;
    return r;
}

int conn_recv_fds(chute_conn *conn, int fds[IO_MAX_FDS], int64_t timeout_ns)
{
    struct place place = {.wants_handle = true};
    int64_t deadline;
    pid_t pid;

    int r = enter_to_receive(conn, timeout_ns, &deadline, &pid);
    if (r == 0)
        r = receive(conn, &place, pid, deadline);
    if (r < 0)
        return r;
    memcpy(fds, place.fds, sizeof place.fds);
    return place.n_fds;
}

/* A message as a value, or as the bytes it is; put back if there is no memory
 * for either. */
static int decode(chute_conn *conn, struct message *m, chute_value **ret_value)
{
    void *block = m;
    int r = pickle_loads_block(&block, m->data, m->len, ret_value);

    if (r == 0 && !block)
        return 0; /* it goes on in the value */
    if (r < 0 && r != CHUTE_ENOMEM) {
        *ret_value = chute_bytes(m->data, m->len);
        if (!*ret_value)
            r = fail(CHUTE_ENOMEM);
    }
    if (r == CHUTE_ENOMEM)
        conn_take_back(conn, m);
    else
        message_free(m);
    return r;
}

int chute_conn_recv(chute_conn *conn, chute_value **ret_value,
                    int64_t timeout_ns)
{
    struct place place = {.wants_message = true};
    int64_t deadline;
    pid_t pid;

    if (!ret_value)
        return fail(CHUTE_EINVAL);
    *ret_value = NULL;
    int r = enter_to_receive(conn, timeout_ns, &deadline, &pid);
    if (r == 0)
        r = receive(conn, &place, pid, deadline);
    return r < 0 ? r : decode(conn, place.message, ret_value);
}

int chute_conn_poll(chute_conn *conn, int64_t timeout_ns)
{
    int64_t deadline;
    pid_t pid;

    int r = enter_to_receive(conn, timeout_ns, &deadline, &pid);
    if (r < 0)
        return r;
    if (atomic_load_explicit(&conn->kept_by, memory_order_relaxed) == pid)
        return 1;
    r = conn_wait(conn, POLLIN, deadline);
    return r == -ETIMEDOUT ? 0 : r < 0 ? r : 1;
}
