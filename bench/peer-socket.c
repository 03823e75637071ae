/* peer-socket.c - socketpair(2) of AF_UNIX, with buffers as large as the channel
 * should be, or as the system allows.
 *
 *     seqpacket    keeps messages apart: one send and one recv each
 *     stream       does not: the getter knows the length, and waits for all of it.
 *                  Several getters would tear messages
 *     socketpair   a stream for both ways, with the system's own buffers: what a
 *                  connection is made of, and its limit. A message has 4 bytes of
 *                  length in front, and is one write and one read: the getter
 *                  knows what will come, as no connection can
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define HEAD 4

struct channel {
    int fds[2];
    int own; /* that this process uses both to put and to get */
    char *frame;
};

static struct channel *open_pair(int type)
{
    struct channel *c = calloc(1, sizeof *c);

    if (!c || socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, c->fds) < 0)
        die("socketpair", strerror(errno));
    return c;
}

static void close_pair(void *channel)
{
    struct channel *c = channel;

    close(c->fds[0]);
    close(c->fds[1]);
    free(c->frame);
    free(c);
}

static void enlarge(const struct channel *c, const struct shape *shape)
{
    /* The system counts some hundred bytes for each message as well. */
    size_t want = shape->n_slots * (shape->len + 768);
    int size = want < 16u << 20 ? (int)want : 16 << 20;

    for (int i = 0; i < 2; i++) {
        if (setsockopt(c->fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size,
                       sizeof size) < 0)
            (void)setsockopt(c->fds[i], SOL_SOCKET, SO_SNDBUF, &size,
                             sizeof size);
    }
}

static const char *open_seqpacket(void **ret_channel, const struct shape *shape)
{
    struct channel *c = open_pair(SOCK_SEQPACKET);
    int size = 0;
    socklen_t size_len = sizeof size;

    enlarge(c, shape);
    getsockopt(c->fds[0], SOL_SOCKET, SO_SNDBUF, &size, &size_len);
    if ((size_t)size < shape->len + 64) {
        close_pair(c);
        return "the system's limit for a buffer";
    }
    *ret_channel = c;
    return NULL;
}

static const char *open_stream(void **ret_channel, const struct shape *shape)
{
    struct channel *c = open_pair(SOCK_STREAM);

    enlarge(c, shape);
    *ret_channel = c;
    return NULL;
}

static const char *open_both_ways(void **ret_channel, const struct shape *shape)
{
    struct channel *c = open_pair(SOCK_STREAM);

    c->frame = malloc(HEAD + shape->len);
    if (!c->frame)
        die("socketpair", "out of memory");
    *ret_channel = c;
    return NULL;
}

static void attach_end(void *channel, enum side side, int index)
{
    struct channel *c = channel;

    (void)index;
    c->own = c->fds[side == PUTTER ? 0 : 1];
}

static void send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, 0);
        if (n < 0)
            die("send", strerror(errno));
        data += n;
        len -= (size_t)n;
    }
}

static size_t recv_one(int fd, char *buf, size_t cap, int flags)
{
    ssize_t n = recv(fd, buf, cap, flags);

    if (n < 0)
        die("recv", strerror(errno));
    return (size_t)n;
}

static void put(void *channel, const char *data, size_t len)
{
    send_all(((struct channel *)channel)->fds[0], data, len);
}

static size_t get_packet(void *channel, char *buf, size_t cap)
{
    return recv_one(((struct channel *)channel)->fds[1], buf, cap, 0);
}

static size_t get_stream(void *channel, char *buf, size_t cap)
{
    return recv_one(((struct channel *)channel)->fds[1], buf, cap, MSG_WAITALL);
}

static void put_frame(void *channel, const char *data, size_t len)
{
    struct channel *c = channel;

    memset(c->frame, 0, HEAD);
    memcpy(c->frame + HEAD, data, len);
    send_all(c->own, c->frame, HEAD + len);
}

static size_t get_frame(void *channel, char *buf, size_t cap)
{
    struct channel *c = channel;
    size_t len = recv_one(c->own, c->frame, HEAD + cap, MSG_WAITALL) - HEAD;

    memcpy(buf, c->frame + HEAD, len);
    return len;
}

static const struct peer seqpacket = {
    .name = "seqpacket",
    .open = open_seqpacket,
    .put = put,
    .get = get_packet,
    .close = close_pair,
};
PEER(seqpacket);

static const struct peer stream = {
    .name = "stream",
    .max_putters = 1,
    .max_getters = 1,
    .open = open_stream,
    .put = put,
    .get = get_stream,
    .close = close_pair,
};
PEER(stream);

static const struct peer bare = {
    .name = "socketpair",
    .max_putters = 1,
    .max_getters = 1,
    .is_duplex = true,
    .open = open_both_ways,
    .attach = attach_end,
    .put = put_frame,
    .get = get_frame,
    .close = close_pair,
};
PEER(bare);
