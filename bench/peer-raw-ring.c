/* peer-raw-ring.c - the limit: a ring for one putter and one getter, and no more.
 *
 *     raw-ring          copies messages in and out
 *     raw-ring-uncopied writes and reads the ends of each message in its place
 *
 * Slots of one size lie one after the other. Each side keeps its own count, and
 * the last it has seen of the other's, and looks at the other's line again only
 * when by that one there is nothing to do: then, while both run, each side
 * reads a line of the other about once in a lap. It polls, loses everything with a kill
 * in a put, holds one length only, and knows no second putter.
 */
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define MARK sizeof(uint64_t)

struct ring { /* shared */
    alignas(BENCH_LINE) _Atomic size_t n_put;
    alignas(BENCH_LINE) _Atomic size_t n_got;
    alignas(BENCH_LINE) char slots[];
};

struct channel { /* each side's own after the fork */
    struct ring *ring;
    size_t ring_len;
    size_t n_slots;
    size_t slot_len;
    size_t mine;  /* how many this side has put, or got */
    size_t other; /* how many the other had when last seen */
};

static const char *open_ring(void **ret_channel, const struct shape *shape)
{
    struct channel *c = calloc(1, sizeof *c);

    if (!c)
        die("raw-ring", "out of memory");
    c->n_slots = shape->n_slots;
    c->slot_len = sizeof(size_t) + shape->len;
    c->ring_len = sizeof *c->ring + c->n_slots * c->slot_len;
    c->ring = shared_new(c->ring_len);
    *ret_channel = c;
    return NULL;
}

static void close_ring(void *channel)
{
    struct channel *c = channel;

    shared_free(c->ring, c->ring_len);
    free(c);
}

static char *slot(const struct channel *c)
{
    return c->ring->slots + (c->mine & (c->n_slots - 1)) * c->slot_len;
}

static char *wait_for_room(struct channel *c)
{
    unsigned n_looks = 0;

    while (c->mine - c->other == c->n_slots) {
        /* acquire: pairs with the release in give_back(). */
        c->other = atomic_load_explicit(&c->ring->n_got, memory_order_acquire);
        if (c->mine - c->other == c->n_slots)
            poll_pause(&n_looks);
    }
    return slot(c);
}

static void publish(struct channel *c)
{
    /* release: pairs with the acquire in wait_for_message(). */
    atomic_store_explicit(&c->ring->n_put, ++c->mine, memory_order_release);
}

static const char *wait_for_message(struct channel *c)
{
    unsigned n_looks = 0;

    while (c->other == c->mine) {
        /* acquire: pairs with the release in publish(). */
        c->other = atomic_load_explicit(&c->ring->n_put, memory_order_acquire);
        if (c->other == c->mine)
            poll_pause(&n_looks);
    }
    return slot(c);
}

static void give_back(struct channel *c)
{
    /* release: pairs with the acquire in wait_for_room(). */
    atomic_store_explicit(&c->ring->n_got, ++c->mine, memory_order_release);
}

static void put(void *channel, const char *data, size_t len)
{
    char *to = wait_for_room(channel);

    memcpy(to, &len, sizeof len);
    memcpy(to + sizeof len, data, len);
    publish(channel);
}

static size_t get(void *channel, char *buf, size_t cap)
{
    const char *from = wait_for_message(channel);
    size_t len;

    memcpy(&len, from, sizeof len);
    memcpy(buf, from + sizeof len, len < cap ? len : cap);
    give_back(channel);
    return len;
}

static void put_ends(void *channel, const char *data, size_t len)
{
    char *to = wait_for_room(channel);

    memcpy(to, &len, sizeof len);
    memcpy(to + sizeof len, data, MARK);
    memcpy(to + sizeof len + len - MARK, data + len - MARK, MARK);
    publish(channel);
}

static size_t get_ends(void *channel, char *buf, size_t cap)
{
    const char *from = wait_for_message(channel);
    size_t len;

    memcpy(&len, from, sizeof len);
    if (len > cap)
        die("raw-ring", "a message is too long");
    memcpy(buf, from + sizeof len, MARK);
    memcpy(buf + len - MARK, from + sizeof len + len - MARK, MARK);
    give_back(channel);
    return len;
}

static const struct peer copying = {
    .name = "raw-ring",
    .max_putters = 1,
    .max_getters = 1,
    .open = open_ring,
    .put = put,
    .get = get,
    .close = close_ring,
};
PEER(copying);

static const struct peer uncopied = {
    .name = "raw-ring-uncopied",
    .max_putters = 1,
    .max_getters = 1,
    .is_uncopied = true,
    .open = open_ring,
    .put = put_ends,
    .get = get_ends,
    .close = close_ring,
};
PEER(uncopied);
