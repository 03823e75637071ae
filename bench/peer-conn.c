/* peer-conn.c - chute's connection: one pipe for both ways. */
#include <stdlib.h>

#include <chute.h>

#include "bench.h"

struct channel {
    chute_conn *ends[2];
    chute_conn *own; /* that this process uses both to put and to get */
};

static void check(int r, const char *what)
{
    if (r < 0)
        die(what, chute_strerror(r));
}

static const char *open_conn(void **ret_channel, const struct shape *shape)
{
    struct channel *c = calloc(1, sizeof *c);

    (void)shape;
    if (!c)
        die("chute-conn", "out of memory");
    check(chute_pipe(c->ends, NULL), "chute_pipe");
    *ret_channel = c;
    return NULL;
}

static void attach_conn(void *channel, enum side side, int index)
{
    struct channel *c = channel;

    (void)index;
    c->own = c->ends[side == PUTTER ? 0 : 1];
}

static void close_conn(void *channel)
{
    struct channel *c = channel;

    chute_conn_free(c->ends[0]);
    chute_conn_free(c->ends[1]);
    free(c);
}

static void put(void *channel, const char *data, size_t len)
{
    struct channel *c = channel;

    check(chute_conn_send_bytes(c->own, data, len, CHUTE_FOREVER), "send");
}

static size_t get(void *channel, char *buf, size_t cap)
{
    struct channel *c = channel;
    size_t len = 0;

    check(chute_conn_recv_bytes(c->own, buf, cap, &len, CHUTE_FOREVER), "recv");
    return len;
}

static const struct peer conn = {
    .name = "chute-conn",
    .max_putters = 1,
    .max_getters = 1,
    .is_duplex = true,
    .open = open_conn,
    .attach = attach_conn,
    .put = put,
    .get = get,
    .close = close_conn,
};
PEER(conn);
