/* conn-look.c - how long the next message is, without taking it.
 *
 * A message is to be taken by one call or not at all, so its length has to be
 * known before. MSG_PEEK tells; but on Linux it is dear where many messages
 * wait: it goes on to the end of the queue, though it has all the bytes it was
 * asked for (unix_stream_read_generic; measured on 6.18: 16 microseconds with
 * 200 messages waiting, against 1 for taking one). So one look has to serve
 * many messages. It shows up to LOOK_LEN bytes of the stream, and the lengths
 * of all the short messages that lie there whole are noted beside the
 * recv_lock, for whoever takes them.
 *
 * The notes stay true as long as every taker crosses his message off under the
 * lock. A taker who dies in between leaves a note too many; then the lock says
 * so to its next owner (LOCK_DIED), who throws all notes away and looks again.
 *
 * A handle (handle.c) is one byte with which descriptors travel. A look goes no
 * further than such a byte, and says so; so it comes first when all that there
 * is to see is one byte. Then the descriptors are still in the stream: a look
 * has no place for them, and does not take them.
 *
 * A message longer than one look is asked for by FIONREAD, which does not mind
 * the number of messages.
 *
 * Proof: tests/unit/test-conn.c.
 */
#include <errno.h>

#include "base/fail.h"
#include "chute/error.h"
#include "ipc/conn.h"
#include "ipc/frame.h"
#include "plat/io.h"

/* Up to this length, with its header, a message that is all there is taken at
 * once. It is what a sender's system queues in one step, see io_atomic_len. */
#define SHORT_MAX 32768

_Static_assert(SHORT_MAX <= UINT16_MAX, "known[] holds it");
_Static_assert(CONN_LOOK_LEN <= SHORT_MAX, "what lies whole in it is short");

/* All notes are read and written under recv_lock. */
static uint32_t get(_Atomic uint32_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

static void set(_Atomic uint32_t *n, uint32_t value)
{
    atomic_store_explicit(n, value, memory_order_relaxed);
}

void conn_look_forget(chute_conn *conn)
{
    set(&conn->own->n_known, 0);
    set(&conn->own->n_taken, 0);
}

void conn_look_taken(chute_conn *conn)
{
    struct shm_conn *own = conn->own;

    if (get(&own->n_taken) < get(&own->n_known))
        set(&own->n_taken, get(&own->n_taken) + 1);
}

/* Note what lies whole in the next n bytes. */
static void note(chute_conn *conn, size_t n)
{
    struct shm_conn *own = conn->own;
    const unsigned char *at = conn->look;
    size_t head_len;
    uint64_t len;
    uint32_t i = 0;

    while (i < SHM_N_KNOWN && frame_read(at, n, &head_len, &len) == 0 &&
           head_len == 4 && len <= n - head_len) {
        atomic_store_explicit(&own->known[i++], (uint16_t)len,
                              memory_order_relaxed);
        at += head_len + len;
        n -= head_len + (size_t)len;
    }
    set(&own->n_taken, 0);
    set(&own->n_known, i);
}

/* Whether a note says what comes next. */
static bool noted(chute_conn *conn, struct ahead *ret_ahead)
{
    struct shm_conn *own = conn->own;
    uint32_t i = get(&own->n_taken), n = get(&own->n_known);

    if (i >= n || n > SHM_N_KNOWN)
        return false;
    ret_ahead->head_len = 4;
    ret_ahead->len = atomic_load_explicit(&own->known[i], memory_order_relaxed);
    return ret_ahead->len <= SHORT_MAX - 4;
}

/* Whether n_all bytes are there. */
static bool all_there(const chute_conn *conn, uint64_t n_all)
{
    size_t pending;

    return io_pending(conn->fd, &pending) == 0 && pending >= n_all;
}

int conn_look(chute_conn *conn, struct ahead *ret_ahead)
{
    struct ahead ahead;

    if (noted(conn, ret_ahead))
        return LOOK_WHOLE;
    /* Where one long message comes, others do: a short look will do. */
    size_t n_look = conn->look_short ? FRAME_MAX : CONN_LOOK_LEN;
    bool carries;
    ssize_t n = io_peek(conn->fd, conn->look, n_look, &carries);
    if (n <= 0)
        return n < 0 ? (int)n : fail(CHUTE_EOF);
    if (n == 1 && carries)
        return LOOK_HANDLE;
    int missing =
        frame_read(conn->look, (size_t)n, &ahead.head_len, &ahead.len);
    if (missing)
        return missing < 0 ? missing : LOOK_HEAD;

    uint64_t n_all = ahead.head_len + ahead.len;
    conn->look_short = n_all > CONN_LOOK_LEN;
    *ret_ahead = ahead;
    if (n_all <= (uint64_t)n) {
        note(conn, (size_t)n);
        return LOOK_WHOLE;
    }
    if (n_all <= SHORT_MAX && (size_t)n == n_look && all_there(conn, n_all))
        return LOOK_WHOLE;
    return LOOK_PART;
}
