/* peer-nng.c - nng's push and pull over ipc.
 *
 * As with ZeroMQ, a getter listens and each putter dials all of them. The buffers
 * hold n_slots messages on either side.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>

#include "bench.h"

struct channel {
    char directory[32];
    int n_slots;
    int n_getters;
    nng_socket socket; /* each process's own */
};

static void check(int r, const char *what)
{
    if (r != 0)
        die(what, nng_strerror(r));
}

static const char *open_nng(void **ret_channel, const struct shape *shape)
{
    struct channel *c = calloc(1, sizeof *c);

    if (!c)
        die("nng", "out of memory");
    c->n_slots = (int)shape->n_slots;
    c->n_getters = shape->n_getters;
    strcpy(c->directory, "/tmp/bench-nng-XXXXXX");
    if (!mkdtemp(c->directory))
        die("nng", "no directory");
    *ret_channel = c;
    return NULL;
}

static void address(const struct channel *c, int i, const char *scheme,
                    char *text, size_t len)
{
    snprintf(text, len, "%s%s/%d", scheme, c->directory, i);
}

static void close_nng(void *channel)
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

static void attach_nng(void *channel, enum side side, int index)
{
    struct channel *c = channel;
    char url[64];

    if (side == GETTER) {
        check(nng_pull0_open(&c->socket), "nng_pull0_open");
        check(nng_socket_set_int(c->socket, NNG_OPT_RECVBUF, c->n_slots),
              "NNG_OPT_RECVBUF");
        check(nng_socket_set_size(c->socket, NNG_OPT_RECVMAXSZ, 0),
              "NNG_OPT_RECVMAXSZ");
        address(c, index, "ipc://", url, sizeof url);
        check(nng_listen(c->socket, url, NULL, 0), "nng_listen");
        return;
    }
    check(nng_push0_open(&c->socket), "nng_push0_open");
    check(nng_socket_set_int(c->socket, NNG_OPT_SENDBUF, c->n_slots),
          "NNG_OPT_SENDBUF");
    for (int i = 0; i < c->n_getters; i++) {
        address(c, i, "ipc://", url, sizeof url);
        check(nng_dial(c->socket, url, NULL, 0), "nng_dial");
    }
}

static void put(void *channel, const char *data, size_t len)
{
    /* It does not write to what it is given. */
    check(nng_send(((struct channel *)channel)->socket, (void *)(uintptr_t)data,
                   len, 0),
          "nng_send");
}

static size_t get(void *channel, char *buf, size_t cap)
{
    check(nng_recv(((struct channel *)channel)->socket, buf, &cap, 0),
          "nng_recv");
    return cap;
}

static const struct peer nng = {
    .name = "nng",
    .open = open_nng,
    .attach = attach_nng,
    .put = put,
    .get = get,
    .close = close_nng,
};
PEER(nng);
