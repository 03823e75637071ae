/* peer-ck.c - Concurrency Kit's ck_ring, with messages by value.
 *
 *     ck         one putter, one getter: enqueue_spsc, dequeue_spsc
 *     ck-many    many of both: enqueue_mpmc, dequeue_mpmc
 *
 * A ring is for one type, so there is one for each length that is measured. It
 * cannot wait; who finds it full or empty polls.
 */
#include <stdalign.h>
#include <stdlib.h>

#include <ck_ring.h>

#include "bench.h"

struct ring { /* shared */
    struct ck_ring ck;
    alignas(BENCH_LINE) char slots[];
};

struct channel {
    struct ring *ring;
    size_t ring_len;
    size_t len;
};

#define LENGTHS(X) X(8) X(64) X(1024) X(16384) X(262144) X(1048576)

#define TYPE(n)                                                                \
    struct m##n {                                                              \
        char data[n];                                                          \
    };                                                                         \
    CK_RING_PROTOTYPE(m##n, m##n)
LENGTHS(TYPE)

/* One function for each kind of ring and each way: by length. The ring writes
 * to nothing that it is given to enqueue. */
#define TRY(n, call, kind, data)                                               \
    case n:                                                                    \
        return ck_ring_##call##_##kind##_m##n(                                 \
            &c->ring->ck, (struct m##n *)(void *)c->ring->slots,               \
            (struct m##n *)(uintptr_t)(data));
#define TRY_FUNCTION(call, kind, type)                                         \
    static bool try_##call##_##kind(const struct channel *c, type data)        \
    {                                                                          \
        switch (c->len) {                                                      \
            TRY(8, call, kind, data)                                           \
            TRY(64, call, kind, data)                                          \
            TRY(1024, call, kind, data)                                        \
            TRY(16384, call, kind, data)                                       \
            TRY(262144, call, kind, data)                                      \
            TRY(1048576, call, kind, data)                                     \
        }                                                                      \
        return false;                                                          \
    }
TRY_FUNCTION(enqueue, spsc, const char *)
TRY_FUNCTION(dequeue, spsc, char *)
TRY_FUNCTION(enqueue, mpmc, const char *)
TRY_FUNCTION(dequeue, mpmc, char *)

static const char *open_ck(void **ret_channel, const struct shape *shape)
{
#define KNOWN(n) shape->len == (n) ||
    if (!(LENGTHS(KNOWN) false))
        return "no ring for this length";
    struct channel *c = calloc(1, sizeof *c);
    if (!c)
        die("ck", "out of memory");
    c->len = shape->len;
    c->ring_len = sizeof *c->ring + shape->n_slots * shape->len;
    c->ring = shared_new(c->ring_len);
    ck_ring_init(&c->ring->ck, (unsigned)shape->n_slots);
    *ret_channel = c;
    return NULL;
}

static void close_ck(void *channel)
{
    struct channel *c = channel;

    shared_free(c->ring, c->ring_len);
    free(c);
}

static void put_spsc(void *channel, const char *data, size_t len)
{
    unsigned n_looks = 0;

    (void)len;
    while (!try_enqueue_spsc(channel, data))
        poll_pause(&n_looks);
}

static size_t get_spsc(void *channel, char *buf, size_t cap)
{
    unsigned n_looks = 0;

    while (!try_dequeue_spsc(channel, buf))
        poll_pause(&n_looks);
    return cap;
}

static void put_mpmc(void *channel, const char *data, size_t len)
{
    unsigned n_looks = 0;

    (void)len;
    while (!try_enqueue_mpmc(channel, data))
        poll_pause(&n_looks);
}

static size_t get_mpmc(void *channel, char *buf, size_t cap)
{
    unsigned n_looks = 0;

    while (!try_dequeue_mpmc(channel, buf))
        poll_pause(&n_looks);
    return cap;
}

static const struct peer ck = {
    .name = "ck",
    .max_putters = 1,
    .max_getters = 1,
    .open = open_ck,
    .put = put_spsc,
    .get = get_spsc,
    .close = close_ck,
};
PEER(ck);

static const struct peer ck_many = {
    .name = "ck-many",
    .open = open_ck,
    .put = put_mpmc,
    .get = get_mpmc,
    .close = close_ck,
};
PEER(ck_many);
