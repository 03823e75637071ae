/* conn-send.c - sending: a message whole or not at all, or the stream ends.
 *
 * A message in the stream is frame.c's header and the body. Both leave by one
 * sendmsg, under send_lock. Two cases:
 *
 *   short   no longer than what the system takes in one step (io_atomic_len).
 *           It goes whole or not at all, even if the sender is killed in the
 *           middle, so nothing has to be written down. If there is no room, the
 *           lock is dropped and the sender waits without it.
 *
 *   long    may go in part. Before the first byte `sending` becomes BUSY, after
 *           the last one WHOLE, and all that time the lock is held: nothing may
 *           come between the parts. Whoever gets the lock and finds BUSY knows
 *           that the owner before him died in there. How much had left nobody
 *           can tell, so the stream is at its end: the socket is shut for
 *           sending, and `sending` is LOST for ever. The peer receives all that
 *           was whole, and then the end in the middle of a message.
 *           The same if the time runs out on the way.
 *
 * A kill between BUSY and the first byte, or between the last and WHOLE, ends
 * the stream though it need not: only long messages pay for that.
 *
 * A sender who does not want to wait (CHUTE_NOWAIT) does not begin what might
 * need waiting: a long message is refused unless there is room for all of it.
 *
 * Where the peer has been taking it fast, a sender in the middle of a message
 * tries again for a while before he sleeps (spin.c).
 *
 * What a signal may do: nothing once a part has left, for there is no way back.
 *
 * Proof: tests/unit/test-conn*.c, tests/conformance/wire.py.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "chute/error.h"
#include "chute/pickle.h"
#include "ipc/conn.h"
#include "ipc/frame.h"
#include "plat/io.h"
#include "plat/plat.h"
#include "shm/lock.h"

#define COPIED_MAX 2048

/* Relaxed, for all of it happens under send_lock; and what the system is asked
 * to do stays between the stores, for a system call is a barrier to the
 * compiler, and a dying process is seen as a whole. */
static void set_sending(chute_conn *conn, uint32_t state)
{
    atomic_store_explicit(&conn->own->sending, state, memory_order_relaxed);
}

/* Nobody can go on after what has been sent. */
static int lose_sending(chute_conn *conn)
{
    io_shut_sending(conn->fd);
    set_sending(conn, SHM_LOST);
    return fail(CHUTE_EPARTIAL);
}

/* Whether a message may begin. Under send_lock. */
static int may_send(chute_conn *conn)
{
    switch (atomic_load_explicit(&conn->own->sending, memory_order_relaxed)) {
    case SHM_WHOLE:
        return 0;
    case SHM_LOST:
        return fail(CHUTE_EPARTIAL);
    default:
        return lose_sending(conn);
    }
}

/* What is to be sent. */
struct parcel {
    struct iovec parts[2]; /* header and body; what is left of them */
    int n_parts;           /* 1: both lie in the first */
    size_t left;
    const int *fds; /* or so many descriptors, */
    int n_fds;      /* if this is not 0 */
};

static ssize_t parcel_send(chute_conn *conn, struct parcel *parcel)
{
    return parcel->n_fds > 0
               ? io_send_fds(conn->fd, parcel->fds, parcel->n_fds)
               : io_send(conn->fd, parcel->parts, parcel->n_parts);
}

static void parcel_advance(struct parcel *parcel, size_t n)
{
    parcel->left -= n;
    for (int i = 0; i < 2 && n > 0; i++) {
        struct iovec *part = &parcel->parts[i];
        size_t m = n < part->iov_len ? n : part->iov_len;
        part->iov_base = (char *)part->iov_base + m;
        part->iov_len -= m;
        n -= m;
    }
}

/* The rest of a message whose beginning has left. Under send_lock. */
static int send_rest(chute_conn *conn, struct parcel *parcel, int64_t deadline)
{
    struct spin_wait wait = {0};

    while (parcel->left > 0) {
        if (plat_expired(deadline))
            return lose_sending(conn);
        int r = spin_again(&conn->send_spin, &wait, deadline)
                    ? 0
                    : io_wait(conn->fd, POLLOUT, deadline);
        if (r == -EINTR)
            continue;
        if (r < 0)
            return lose_sending(conn);
        ssize_t n = parcel_send(conn, parcel);
        /* Nobody is left to miss the rest. Shut all the same: over a network
         * it may be that they only could not be reached. */
        if (n == -EPIPE) {
            io_shut_sending(conn->fd);
            set_sending(conn, SHM_WHOLE);
            return fail(CHUTE_EPIPE);
        }
        if (n < 0 && n != -EAGAIN)
            return lose_sending(conn);
        if (n > 0) {
            spin_learn(&conn->send_spin, &wait);
            parcel_advance(parcel, (size_t)n);
        }
    }
    set_sending(conn, SHM_WHOLE);
    return 0;
}

/* Send if there is room for a beginning; -EAGAIN if there is none. Under
 * send_lock. */
static int send_locked(chute_conn *conn, struct parcel *parcel,
                       int64_t deadline)
{
    int r = may_send(conn);

    if (r < 0)
        return r;
    if (parcel->left > conn->atomic_len) {
        if (plat_expired(deadline) && !io_has_room(conn->fd, parcel->left))
            return -ETIMEDOUT;
        set_sending(conn, SHM_BUSY);
    }
    ssize_t n = parcel_send(conn, parcel);
    if (n == (ssize_t)parcel->left || n <= 0) {
        set_sending(conn, SHM_WHOLE);
        return n < 0 ? (int)n : 0;
    }
    set_sending(conn, SHM_BUSY);
    parcel_advance(parcel, (size_t)n);
    return send_rest(conn, parcel, deadline);
}

static int send_parcel(chute_conn *conn, struct parcel *parcel,
                       int64_t deadline)
{
    for (;;) {
        int r = lock_take(&conn->own->send_lock, deadline, conn->interruptible);
        if (r < 0)
            return r;
        r = send_locked(conn, parcel, deadline);
        lock_drop(&conn->own->send_lock);
        if (r == -EAGAIN)
            r = conn_wait(conn, POLLOUT, deadline);
        else
            return r;
        if (r < 0)
            return r;
    }
}

static int send_message(chute_conn *conn, const void *data, size_t data_len,
                        int64_t deadline)
{
    unsigned char head[FRAME_MAX + COPIED_MAX];
    size_t head_len = frame_write(head, data_len);
    struct parcel parcel = {.left = head_len + data_len, .n_fds = 0};

    if (parcel.left < data_len)
        return fail(CHUTE_EMSGSIZE);
    /* Of a short message a copy costs less than a call with two pieces. */
    if (data_len > 0 && data_len <= COPIED_MAX) {
        memcpy(head + head_len, data, data_len);
        head_len += data_len;
    }
    /* iovec serves both directions, hence the cast; nothing is written. */
    parcel.parts[0] = (struct iovec){head, head_len};
    parcel.parts[1] = (struct iovec){(void *)(uintptr_t)data, data_len};
    parcel.n_parts = head_len == parcel.left ? 1 : 2;
    return send_parcel(conn, &parcel, deadline);
}

static int enter_to_send(const chute_conn *conn, int64_t timeout_ns,
                         int64_t *ret_deadline)
{
    pid_t pid;
    int r = conn_enter(conn, timeout_ns, ret_deadline, &pid);

    return r == 0 && !conn->sends ? fail(CHUTE_EINVAL) : r;
}

int chute_conn_send_bytes(chute_conn *conn, const void *data, size_t data_len,
                          int64_t timeout_ns)
{
    int64_t deadline;
    int r = enter_to_send(conn, timeout_ns, &deadline);

    if (r == 0 && !data && data_len)
        r = fail(CHUTE_EINVAL);
    return r < 0 ? r : send_message(conn, data, data_len, deadline);
}

int chute_conn_send(chute_conn *conn, chute_value *v, int64_t timeout_ns)
{
    void *data = NULL;
    size_t len;
    int64_t deadline;

    int r = enter_to_send(conn, timeout_ns, &deadline);
    if (r == 0)
        r = v ? chute_dumps(v, &data, &len) : fail(CHUTE_ENOMEM);
    if (r == 0)
        r = send_message(conn, data, len, deadline);
    free(data);
    chute_value_free(v);
    return r;
}

int conn_send_fds(chute_conn *conn, const int *fds, int n_fds,
                  int64_t timeout_ns)
{
    struct parcel parcel = {.left = 1, .fds = fds, .n_fds = n_fds};
    int64_t deadline;
    int r = enter_to_send(conn, timeout_ns, &deadline);

    /* A socket that makes no promise is none of the kind that can carry them. */
    if (r == 0 && conn->atomic_len == 0)
        r = fail(CHUTE_EINVAL);
    return r < 0 ? r : send_parcel(conn, &parcel, deadline);
}
