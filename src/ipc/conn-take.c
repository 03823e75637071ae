/* conn-take.c - a message off the stream, whole or not at all.
 *
 * Any number of threads and processes may receive from one end, and each may be
 * killed at any time. So the next message is looked at before it is taken
 * (conn-look.c), under recv_lock:
 *
 *   short, and all of it there    one recvmsg takes it. Whoever is killed
 *                                 before it has taken nothing, and whoever is
 *                                 killed after it has taken a message and lost
 *                                 it, which is his right.
 *
 *   anything else                 is taken as it comes: a long message, a
 *                                 header or body of which the rest is still on
 *                                 its way (CPython writes them apart).
 *
 * In the second case `receiving` in shared memory says what goes on:
 *
 *             taking begins        no more there, lock dropped
 *     WHOLE ---------------> BUSY ------------------------------> KEPT
 *       ^                    | ^                                   |
 *       '--------------------' '-----------------------------------'
 *         the last byte              somebody of the keeper's process goes on
 *
 * BUSY is only ever seen under the lock by its owner's successor, if he died.
 * KEPT names the process that has the beginning, by pid and birth, for a pid
 * alone may come back. Others wait for that process; if it is gone they say
 * LOST, shut the socket for receiving and empty it, so that the peer gets
 * CHUTE_EPIPE instead of waiting for a reader. Within the keeper's process any thread may go
 * on, for the beginning lies in the handle (`part`).
 *
 * So nobody waits with the lock in hand, and a call whose time is up in the
 * middle of a message just leaves: what has come stays in `part` for the next.
 *
 * A long body goes straight into the caller's buffer, if it has room: it is lent
 * to the message (message.c) until it is whole, or the caller leaves. Meanwhile
 * no other thread goes on with that message, for it would be writing into
 * memory that its owner may take back at any moment; they wait as those in other
 * processes do.
 *
 * A child made in the middle has a copy of `part` that is not its own: `owner`
 * tells. While the lock is held the message hangs in no handle, for a thread
 * that forks must not give its child a half-made list.
 *
 * Whole messages can wait in the handle too (`kept`): those that did not fit
 * the caller's buffer, or that there was no memory to decode.
 *
 * Proof: tests/unit/test-conn*.c, tests/conformance/wire.py.
 */
#define _POSIX_C_SOURCE 200809L /* getpid */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "chute/error.h"
#include "ipc/conn.h"
#include "ipc/frame.h"
#include "plat/child.h"
#include "plat/io.h"
#include "plat/plat.h"
#include "shm/lock.h"

/* Up to this length a copy costs less than a call with two places. */
#define COPIED_MAX ((size_t)2048)

/* From this length on it pays to have a body go straight to the caller. */
#define LENT_MIN ((size_t)16384)

/* A call looks at the clock after so many bytes. */
#define CLOCK_BYTES ((size_t)1 << 20)

static bool too_long(const struct place *place, size_t len)
{
    return !place->wants_message && len > place->cap;
}

/* -- the state in shared memory --------------------------------------------- */

/* What conn-send.c says at set_sending() holds here too. release: pairs with
 * the acquire in may_receive(), for conn_take_forget() has no lock. */
static void set_receiving(chute_conn *conn, uint32_t state)
{
    atomic_store_explicit(&conn->own->receiving, state, memory_order_release);
}

static void wake_the_others(chute_conn *conn)
{
    plat_wake(&conn->own->receiving, INT32_MAX);
}

/* Take what is left, and throw it away. Where the socket is full, that is what
 * wakes a sender: shutting alone does not (Linux 6.18). Over TCP a sender is not
 * stopped by it, hence a bound: more than any AF_UNIX socket holds. */
#define DISCARD_MAX ((size_t)16 << 20)

static void discard(int fd)
{
    unsigned char bytes[4096];
    struct iovec to = {.iov_base = bytes, .iov_len = sizeof bytes};
    size_t n_bytes = 0;
    ssize_t n;

    while (n_bytes < DISCARD_MAX && (n = io_recv(fd, &to, 1)) > 0)
        n_bytes += (size_t)n;
}

/* Nobody can go on after what has been received. */
static int lose_receiving(chute_conn *conn)
{
    io_shut_receiving(conn->fd);
    discard(conn->fd);
    set_receiving(conn, SHM_LOST);
    wake_the_others(conn);
    return fail(CHUTE_EPARTIAL);
}

/* Leave the beginning of a message in the handle. */
static void keep_part(chute_conn *conn, struct message *m)
{
    struct shm_conn *own = conn->own;

    if (conn->birth_of != m->owner) {
        conn->birth = child_birth(m->owner);
        conn->birth_of = m->owner;
    }
    atomic_store_explicit(&own->keeper, (uint32_t)m->owner,
                          memory_order_relaxed);
    atomic_store_explicit(&own->keeper_birth, conn->birth,
                          memory_order_relaxed);
    m->announced = true;
    conn->part = m;
    set_receiving(conn, SHM_KEPT);
}

static bool keeper_runs(const struct shm_conn *own)
{
    return child_runs(
        (pid_t)atomic_load_explicit(&own->keeper, memory_order_relaxed),
        atomic_load_explicit(&own->keeper_birth, memory_order_relaxed));
}

/* Whether we may go on in the stream, with conn->part or a new message; -EAGAIN
 * if another process has to. */
static int may_receive(chute_conn *conn)
{
    /* acquire: pairs with the release in set_receiving(). */
    switch (atomic_load_explicit(&conn->own->receiving, memory_order_acquire)) {
    case SHM_WHOLE:
        return 0;
    case SHM_LOST:
        return fail(CHUTE_EPARTIAL);
    case SHM_KEPT:
        if (conn->part)
            return 0;
        if (keeper_runs(conn->own))
            return -EAGAIN;
        return lose_receiving(conn);
    default:
        return lose_receiving(conn);
    }
}

/* -- whole messages in the handle ------------------------------------------- */

static void keep_whole(chute_conn *conn, struct message *m)
{
    m->next = conn->kept;
    conn->kept = m;
    atomic_store_explicit(&conn->kept_by, m->owner, memory_order_relaxed);
}

static struct message *take_kept(chute_conn *conn)
{
    struct message *m = conn->kept;

    conn->kept = m->next;
    if (!conn->kept)
        atomic_store_explicit(&conn->kept_by, 0, memory_order_relaxed);
    return m;
}

/* Drop what a parent had received before it made us: it is the parent's. */
static void disinherit(chute_conn *conn, pid_t pid)
{
    if (conn->part && conn->part->owner != pid) {
        message_free(conn->part);
        conn->part = NULL;
    }
    if (conn->kept && conn->kept->owner != pid) {
        message_free(conn->kept);
        conn->kept = NULL;
        atomic_store_explicit(&conn->kept_by, 0, memory_order_relaxed);
    }
}

/* Hand a whole message over; one that is too long stays the next. */
static int deliver(chute_conn *conn, struct message *m, struct place *place)
{
    place->len = m->len;
    if (place->wants_message) {
        place->message = m;
        return 0;
    }
    if (message_lent(m)) {
        message_free(m);
        return 0;
    }
    if (too_long(place, m->len)) {
        keep_whole(conn, m);
        return fail(CHUTE_EMSGSIZE);
    }
    if (m->len)
        memcpy(place->buf, m->data, m->len);
    message_free(m);
    return 0;
}

/* -- a short message, at once ----------------------------------------------- */

/* Header and body in one call; as io_recv. A short body is copied once more, for
 * a call that gathers costs more than that. */
static ssize_t take_exactly(chute_conn *conn, size_t head_len, void *body,
                            size_t len)
{
    unsigned char head[FRAME_MAX];
    struct iovec all = {.iov_base = conn->look, .iov_len = head_len + len};
    struct iovec to[2] = {
        {.iov_base = head, .iov_len = head_len},
        {.iov_base = body, .iov_len = len},
    };

    if (len > COPIED_MAX)
        return io_recv(conn->fd, to, 2);
    ssize_t n = io_recv(conn->fd, &all, 1);
    if (n == (ssize_t)(head_len + len) && len > 0)
        memcpy(body, conn->look + head_len, len);
    return n;
}

/* Take what has been found to be there: header and body. */
static int take_at_once(chute_conn *conn, struct place *place,
                        const struct ahead *ahead, pid_t pid)
{
    size_t len = (size_t)ahead->len;
    struct message *m = NULL;

    if (place->wants_message) {
        m = message_new(len, pid);
        if (!m)
            return fail(CHUTE_ENOMEM);
        m->len = m->have = len;
    }
    void *body = m ? m->data : place->buf;
    ssize_t n = take_exactly(conn, ahead->head_len, body, len);
    if (n == (ssize_t)(ahead->head_len + len)) {
        conn_look_taken(conn);
        place->len = len;
        place->message = m;
        return 0;
    }
    message_free(m);
    /* In part: somebody reads our socket, or buf ends before cap. */
    return n < 0 ? (int)n : lose_receiving(conn);
}

/* -- a message in steps ----------------------------------------------------- */

/* Let a long body arrive where the caller wants to have it. */
static void lend(struct message **m, struct place *place)
{
    if (!place->wants_message && (*m)->have == 0 && !message_lent(*m) &&
        message_missing(*m) == 0 && (*m)->len >= LENT_MIN &&
        !too_long(place, (*m)->len) && message_lend(m, place->buf))
        place->lent = *m;
}

/* Take what is there of a message. 0: it is whole. -EAGAIN: nothing more is
 * there. CHUTE_EPARTIAL: nothing more will come. */
static int fill(int fd, struct message **m, struct place *place,
                int64_t deadline)
{
    size_t clock_at = (*m)->have + CLOCK_BYTES;
    struct iovec to;
    int r;

    for (;;) {
        lend(m, place);
        r = message_want(m, &to);
        if (r <= 0)
            return r;
        if ((*m)->have >= clock_at) {
            if (plat_expired(deadline))
                return -ETIMEDOUT;
            clock_at = (*m)->have + CLOCK_BYTES;
        }
        ssize_t n = io_recv(fd, &to, 1);
        if (n <= 0)
            return n < 0 ? (int)n : fail(CHUTE_EPARTIAL);
        message_got(*m, (size_t)n);
        place->moved = true;
    }
}

/* Go on with conn->part, or begin. */
static int take_in_steps(chute_conn *conn, struct place *place, pid_t pid,
                         int64_t deadline)
{
    struct message *m = conn->part ? conn->part : message_new(0, pid);

    if (!m)
        return fail(CHUTE_ENOMEM);
    conn->part = NULL;
    m->max_len = conn->max_len;
    set_receiving(conn, SHM_BUSY);
    int r = fill(conn->fd, &m, place, deadline);
    if (r == 0) {
        place->lent = NULL;
        set_receiving(conn, SHM_WHOLE);
        if (m->announced)
            wake_the_others(conn);
        return deliver(conn, m, place);
    }
    if (r == CHUTE_EPARTIAL || r == CHUTE_EPROTO || r == CHUTE_EOVERSIZE) {
        place->lent = NULL;
        message_free(m);
        (void)lose_receiving(conn);
        return r;
    }
    keep_part(conn, m);
    if (r == -EAGAIN && message_missing(m) == 0 && too_long(place, m->len)) {
        place->len = m->len;
        return fail(CHUTE_EMSGSIZE);
    }
    return r;
}

/* -- descriptors ------------------------------------------------------------ */

/* Copy them out first, then take the byte: whoever is killed in between has
 * taken nothing. A handle that nobody could ever receive goes. */
static int take_handle(chute_conn *conn, struct place *place)
{
    char byte;
    struct iovec to = {.iov_base = &byte, .iov_len = 1};
    int n = io_peek_fds(conn->fd, place->fds);

    if (n < 0 && n != -EPROTO)
        return n;
    if (n == 0)
        return fail(CHUTE_EKIND);
    ssize_t taken = io_recv(conn->fd, &to, 1);
    if (n > 0 && taken == 1) {
        place->n_fds = n;
        return 0;
    }
    for (int i = 0; i < n; i++)
        plat_close(place->fds[i]);
    return taken < 0 ? (int)taken : fail(CHUTE_EPROTO);
}

/* -- for conn-recv.c -------------------------------------------------------- */

/* Whether the message that has begun is on its way into another thread's
 * buffer, who waits for the rest of it. */
static bool of_another_thread(const chute_conn *conn, const struct place *place)
{
    return conn->part && conn->part != place->lent && message_lent(conn->part);
}

/* Take the next message, or go on with it. Under recv_lock. */
static int take(chute_conn *conn, struct place *place, pid_t pid,
                int64_t deadline)
{
    struct ahead ahead;
    bool known = false, whole = false;

    disinherit(conn, pid);
    if (conn->kept && place->wants_handle)
        return fail(CHUTE_EKIND);
    if (conn->kept)
        return deliver(conn, take_kept(conn), place);
    int r = may_receive(conn);
    if (r != 0)
        return r;
    if (of_another_thread(conn, place))
        return -EAGAIN;
    if (conn->part) {
        known = message_missing(conn->part) == 0;
        ahead.len = conn->part->len;
    } else {
        r = conn_look(conn, &ahead);
        if (r < 0)
            return r;
        if (r == LOOK_HANDLE)
            return place->wants_handle ? take_handle(conn, place)
                                       : fail(CHUTE_EKIND);
        known = r != LOOK_HEAD;
        whole = r == LOOK_WHOLE;
    }
    if (place->wants_handle)
        return fail(CHUTE_EKIND);
    if (known && ahead.len > conn->max_len) {
        (void)lose_receiving(conn);
        return fail(CHUTE_EOVERSIZE);
    }
    if (known && ahead.len > SIZE_MAX - FRAME_MAX)
        return fail(CHUTE_ENOMEM);
    if (known && too_long(place, (size_t)ahead.len)) {
        place->len = (size_t)ahead.len;
        return fail(CHUTE_EMSGSIZE);
    }
    return whole ? take_at_once(conn, place, &ahead, pid)
                 : take_in_steps(conn, place, pid, deadline);
}

/* The lock; and what has to be done if its last owner died with it. */
static int lock(chute_conn *conn, int64_t deadline, bool interruptible)
{
    int r = lock_take_guarded(&conn->own->recv_lock, &conn->recv_guard,
                              deadline, interruptible);

    if (r == LOCK_DIED)
        conn_look_forget(conn);
    return r < 0 ? r : 0;
}

int conn_take(chute_conn *conn, struct place *place, pid_t pid,
              int64_t deadline, enum take_missing *ret_missing)
{
    int r = lock(conn, deadline, conn->interruptible);

    if (r < 0)
        return r;
    r = take(conn, place, pid, deadline);
    if (r == -EAGAIN) {
        bool kept = atomic_load_explicit(&conn->own->receiving,
                                         memory_order_relaxed) == SHM_KEPT;
        *ret_missing = of_another_thread(conn, place) ? TAKE_MISSES_OTHERS
                       : conn->part                   ? TAKE_MISSES_REST
                       : kept                         ? TAKE_MISSES_OTHERS
                                                      : TAKE_MISSES_ALL;
    }
    lock_drop_guarded(&conn->own->recv_lock, &conn->recv_guard);
    return r;
}

void conn_take_leave(chute_conn *conn, struct place *place)
{
    if (!place->lent)
        return;
    message_unlend(place->lent);
    place->lent = NULL;
    wake_the_others(conn);
}

void conn_take_back(chute_conn *conn, struct message *m)
{
    /* The lock is never held for long, as nobody waits with it in hand. */
    if (lock(conn, PLAT_NEVER, false) < 0) {
        message_free(m);
        return;
    }
    keep_whole(conn, m);
    lock_drop_guarded(&conn->own->recv_lock, &conn->recv_guard);
}

void conn_take_forget(chute_conn *conn)
{
    /* Without the lock: while we are the keeper nobody else writes. */
    if (conn->part && conn->part->owner == getpid())
        (void)lose_receiving(conn);
    message_free(conn->part);
    message_free(conn->kept);
}
