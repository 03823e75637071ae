/* peer-raw-slots.c - the limit with many putters and getters: slots that bear
 * sequence numbers.
 *
 * Slot i is free for the putter of message n (n mod n_slots = i) when its number
 * is n, and ready for the getter of message n when it is n + 1. Whoever moves the
 * common count from n to n + 1 owns message n. (Known as Vyukov's bounded queue.)
 * It polls; and if an owner is killed, all others wait for its slot for ever.
 */
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

struct slot {
    alignas(64) _Atomic size_t number;
    size_t len;
    char data[];
};

struct ring { /* shared */
    alignas(BENCH_LINE) _Atomic size_t n_put;
    alignas(BENCH_LINE) _Atomic size_t n_got;
    alignas(BENCH_LINE) char slots[];
};

struct channel {
    struct ring *ring;
    size_t ring_len;
    size_t n_slots;
    size_t slot_len;
};

static struct slot *slot(const struct channel *c, size_t n)
{
    return (struct slot *)(void *)(c->ring->slots +
                                   (n & (c->n_slots - 1)) * c->slot_len);
}

static const char *open_slots(void **ret_channel, const struct shape *shape)
{
    struct channel *c = calloc(1, sizeof *c);

    if (!c)
        die("raw-slots", "out of memory");
    c->n_slots = shape->n_slots;
    c->slot_len = (sizeof(struct slot) + shape->len + 63) / 64 * 64;
    c->ring_len = sizeof *c->ring + c->n_slots * c->slot_len;
    c->ring = shared_new(c->ring_len);
    for (size_t i = 0; i < c->n_slots; i++)
        slot(c, i)->number = i;
    *ret_channel = c;
    return NULL;
}

static void close_slots(void *channel)
{
    struct channel *c = channel;

    shared_free(c->ring, c->ring_len);
    free(c);
}

/* Own the next message, as soon as its slot shows n + ahead. */
static struct slot *claim(const struct channel *c, _Atomic size_t *count,
                          size_t ahead, size_t *ret_n)
{
    unsigned n_looks = 0;

    /* relaxed: the slot's number orders, not the count. */
    size_t n = atomic_load_explicit(count, memory_order_relaxed);
    for (;;) {
        struct slot *s = slot(c, n);
        /* acquire: pairs with the release in put() and get(). */
        size_t number = atomic_load_explicit(&s->number, memory_order_acquire);
        if (number == n + ahead) {
            if (atomic_compare_exchange_weak_explicit(count, &n, n + 1,
                                                      memory_order_relaxed,
                                                      memory_order_relaxed)) {
                *ret_n = n;
                return s;
            }
            continue;
        }
        size_t again = atomic_load_explicit(count, memory_order_relaxed);
        if (again == n)
            poll_pause(&n_looks);
        n = again;
    }
}

static void put(void *channel, const char *data, size_t len)
{
    const struct channel *c = channel;
    size_t n;
    struct slot *s = claim(c, &c->ring->n_put, 0, &n);

    s->len = len;
    memcpy(s->data, data, len);
    /* release: pairs with the acquire in claim(), of the getter. */
    atomic_store_explicit(&s->number, n + 1, memory_order_release);
}

static size_t get(void *channel, char *buf, size_t cap)
{
    const struct channel *c = channel;
    size_t n;
    struct slot *s = claim(c, &c->ring->n_got, 1, &n);
    size_t len = s->len;

    memcpy(buf, s->data, len < cap ? len : cap);
    /* release: pairs with the acquire in claim(), of a later putter. */
    atomic_store_explicit(&s->number, n + c->n_slots, memory_order_release);
    return len;
}

static const struct peer slots = {
    .name = "raw-slots",
    .open = open_slots,
    .put = put,
    .get = get,
    .close = close_slots,
};
PEER(slots);
