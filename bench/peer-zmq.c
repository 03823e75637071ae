/* peer-zmq.c - ZeroMQ's PUSH and PULL over ipc.
 *
 * Each process has a context of its own, as the manual wants after a fork; its
 * one I/O thread is the default. A getter binds, each putter connects to all
 * getters and deals messages to them in turn. n_slots messages may wait on either
 * side, about as many as by default for small ones.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "bench.h"

struct channel {
    char directory[32];
    int n_slots;
    int n_getters;
    void *socket; /* each process's own */
};

static void check(int r, const char *what)
{
    if (r < 0)
        die(what, zmq_strerror(zmq_errno()));
}

static const char *open_zmq(void **ret_channel, const struct shape *shape)
{
    struct channel *c = calloc(1, sizeof *c);

    if (!c)
        die("zmq", "out of memory");
    c->n_slots = (int)shape->n_slots;
    c->n_getters = shape->n_getters;
    strcpy(c->directory, "/tmp/bench-zmq-XXXXXX");
    if (!mkdtemp(c->directory))
        die("zmq", "no directory");
    *ret_channel = c;
    return NULL;
}

static void address(const struct channel *c, int i, const char *scheme,
                    char *text, size_t len)
{
    snprintf(text, len, "%s%s/%d", scheme, c->directory, i);
}

static void close_zmq(void *channel)
{
    struct channel *c = channel;
    char path[64];

    for (int i = 0; i < c->n_getters; i++) {
        address(c, i, "", path, sizeof path);
        unlink(path);
    }
    rmdir(c->directory);
    free(c);
}

static void attach_zmq(void *channel, enum side side, int index)
{
    static void *context; /* one a process, for all its channels */
    struct channel *c = channel;
    char url[64];

    if (!context)
        context = zmq_ctx_new();
    c->socket = zmq_socket(context, side == PUTTER ? ZMQ_PUSH : ZMQ_PULL);
    if (!c->socket)
        die("zmq_socket", zmq_strerror(zmq_errno()));
    check(zmq_setsockopt(c->socket, ZMQ_SNDHWM, &c->n_slots, sizeof(int)),
          "ZMQ_SNDHWM");
    check(zmq_setsockopt(c->socket, ZMQ_RCVHWM, &c->n_slots, sizeof(int)),
          "ZMQ_RCVHWM");
    if (side == GETTER) {
        address(c, index, "ipc://", url, sizeof url);
        check(zmq_bind(c->socket, url), "zmq_bind");
        return;
    }
    for (int i = 0; i < c->n_getters; i++) {
        address(c, i, "ipc://", url, sizeof url);
        check(zmq_connect(c->socket, url), "zmq_connect");
    }
}

static void put(void *channel, const char *data, size_t len)
{
    check(zmq_send(((struct channel *)channel)->socket, data, len, 0),
          "zmq_send");
}

static size_t get(void *channel, char *buf, size_t cap)
{
    int n = zmq_recv(((struct channel *)channel)->socket, buf, cap, 0);

    check(n, "zmq_recv");
    return (size_t)n;
}

static const struct peer zmq = {
    .name = "zmq",
    .open = open_zmq,
    .attach = attach_zmq,
    .put = put,
    .get = get,
    .close = close_zmq,
};
PEER(zmq);
