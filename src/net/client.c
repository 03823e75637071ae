/* client.c - connecting: the socket, the peer's user, the handshake.
 *
 * What a failed attempt leaves to the caller is a code and nothing else. Where a
 * name means several addresses the next is tried if nobody answers at one; not
 * if the one who does is the wrong one.
 *
 * Proof: tests/unit/test-net.c, tests/conformance/net.py.
 */
#include <errno.h>

#include "base/fail.h"
#include "plat/spin.h"
#include "net/address.h"
#include "net/auth.h"
#include "net/options.h"
#include "net/socket.h"

/* Of all handshakes of this process: whether servers answer at once. */
static struct spin spin;

/* Wait for what the handshake wants, or a part of it. As socket_recv, and
 * -ETIMEDOUT; -EINTR only if that is wanted. */
static int recv_some(int fd, void *buf, size_t len, int64_t deadline,
                     bool interruptible)
{
    struct spin_wait wait = {0};
    int r;

    for (;;) {
        r = socket_recv(fd, buf, len);
        if (r != -EAGAIN)
            break;
        if (!interruptible && spin_again(&spin, &wait, deadline))
            continue;
        r = socket_wait(fd, deadline);
        if (r < 0 && (r != -EINTR || interruptible))
            break;
    }
    spin_learn(&spin, &wait);
    return r;
}

static int talk(int fd, struct auth *a, int64_t deadline, bool interruptible)
{
    unsigned char bytes[AUTH_FRAME_MAX + 4];
    int r;

    for (;;) {
        r = recv_some(fd, bytes, auth_wants(a), deadline, interruptible);
        if (r == -ETIMEDOUT || r == -EINTR)
            return r;
        if (r == 0 || r == -ECONNRESET)
            return fail(CHUTE_EOF);
        if (r < 0)
            return r;
        r = auth_feed(a, bytes, (size_t)r);
        int sent = socket_send_all(fd, a->out, a->n_out);
        a->n_out = 0;
        if (r != 0)
            return r > 0 ? sent : r;
        if (sent < 0)
            return sent == -EPIPE ? fail(CHUTE_EOF) : sent;
    }
}

static int authenticate(int fd, const struct chute_net_options *options,
                        int64_t deadline)
{
    unsigned char nonce[AUTH_NONCE];
    struct auth a;
    int64_t own;

    int r = socket_random(nonce, sizeof nonce);
    if (r == 0)
        r = socket_deadline(options->handshake_timeout_ns, &own);
    if (r < 0)
        return r;
    auth_begin(&a, false, options->authkey, options->authkey_len,
               options->flags, nonce);
    r = talk(fd, &a, own < deadline ? own : deadline,
             (options->flags & CHUTE_INTERRUPTIBLE) != 0);
    auth_wipe(&a);
    return r;
}

static int connect_any(const struct address *addresses, int n, int64_t deadline,
                       bool interruptible, int *ret_fd)
{
    int r = 0;

    for (int i = 0; i < n; i++) {
        r = socket_connect(&addresses[i], deadline, interruptible, ret_fd);
        if (r == 0 || r == -EINTR || r == -ETIMEDOUT)
            break;
    }
    return r;
}

int chute_connect(chute_conn **ret_conn, const char *text,
                  const struct chute_net_options *given, int64_t timeout_ns)
{
    struct chute_net_options options;
    struct address addresses[ADDRESSES_MAX];
    chute_conn *conn = NULL;
    int64_t deadline;
    int fd = -1;

    if (!ret_conn || !text)
        return fail(CHUTE_EINVAL);
    int r = socket_deadline(timeout_ns, &deadline);
    if (r == 0)
        r = net_options_take(&options, given);
    if (r < 0)
        return r;
    struct chute_conn_options for_conn = net_conn_options(&options);
    r = address_parse(text, addresses);
    if (r > 0)
        r = connect_any(addresses, r, deadline,
                        (options.flags & CHUTE_INTERRUPTIBLE) != 0, &fd);
    if (r == 0 && !(options.flags & CHUTE_ANY_USER))
        r = socket_check_user(fd);
    /* The connection first: while it is made the server moves on. */
    if (r == 0)
        r = chute_conn_of_fd(&conn, fd, &for_conn);
    if (r == 0 && options.authkey)
        r = authenticate(fd, &options, deadline);
    if (r == 0)
        *ret_conn = conn;
    else if (conn)
        chute_conn_free(conn);
    else
        socket_close(fd);
    net_options_done(&options);
    return r;
}
