/* parcel.c - an item inside of a handle that travels.
 *
 * A handle is known by what is in it: a descriptor is that of a pipe with so
 * many bytes, a queue has one item, an end of a pipe one message. So whoever has
 * received it can tell which one it is, and that it works.
 */
#define _GNU_SOURCE
#include "parcel.h"

#include <fcntl.h>
#include <unistd.h>

#include "chute/handle.h"
#include "plat/plat.h"
#include "torture.h"

void parcel_pack(struct parcel *parcel, enum parcel_kind kind, const void *item,
                 size_t len)
{
    *parcel = (struct parcel){.kind = kind};
    switch (kind) {
    case PARCEL_FD:
        MUST(pipe2(parcel->fd, O_CLOEXEC | O_NONBLOCK));
        if (write(parcel->fd[1], item, len) != (ssize_t)len)
            trouble("writing into a pipe");
        break;
    case PARCEL_QUEUE:
        MUST(chute_queue_new(&parcel->queue, NULL));
        MUST(chute_queue_put_bytes(parcel->queue, item, len, CHUTE_NOWAIT));
        break;
    case PARCEL_CONN:
        MUST(chute_pipe(parcel->conn, NULL));
        MUST(chute_conn_send_bytes(parcel->conn[1], item, len, CHUTE_NOWAIT));
        break;
    case PARCEL_NONE:
        break;
    }
}

int parcel_send(const struct parcel *parcel, chute_conn *conn,
                int64_t timeout_ns)
{
    switch (parcel->kind) {
    case PARCEL_FD:
        return chute_conn_send_fd(conn, parcel->fd[0], timeout_ns);
    case PARCEL_QUEUE:
        return chute_conn_send_queue(conn, parcel->queue, timeout_ns);
    default:
        return chute_conn_send_conn(conn, parcel->conn[0], timeout_ns);
    }
}

int parcel_receive(struct parcel *parcel, enum parcel_kind kind,
                   chute_conn *conn, int64_t timeout_ns)
{
    *parcel = (struct parcel){.kind = kind, .fd = {-1, -1}};
    switch (kind) {
    case PARCEL_FD:
        return chute_conn_recv_fd(conn, &parcel->fd[0], timeout_ns);
    case PARCEL_QUEUE:
        return chute_conn_recv_queue(conn, &parcel->queue, timeout_ns);
    default:
        return chute_conn_recv_conn(conn, &parcel->conn[0], timeout_ns);
    }
}

size_t parcel_unpack(const struct parcel *parcel, void *buf, size_t cap)
{
    size_t len = 0;
    ssize_t n;
    int r;

    switch (parcel->kind) {
    case PARCEL_FD:
        n = read(parcel->fd[0], buf, cap);
        return n < 0 ? 0 : (size_t)n;
    case PARCEL_QUEUE:
        r = chute_queue_get_bytes(parcel->queue, buf, cap, &len, CHUTE_NOWAIT);
        break;
    default:
        r = chute_conn_recv_bytes(parcel->conn[0], buf, cap, &len,
                                  CHUTE_NOWAIT);
        break;
    }
    return r < 0 ? 0 : len;
}

void parcel_free(struct parcel *parcel)
{
    for (int i = 0; i < 2; i++) {
        if (parcel->kind == PARCEL_FD && parcel->fd[i] >= 0)
            plat_close(parcel->fd[i]);
        chute_conn_free(parcel->conn[i]);
    }
    chute_queue_free(parcel->queue);
    *parcel = (struct parcel){0};
}
