/* measure.c - one peer, one workload, once; compare.py runs it.
 *
 *     measure list                              the peers that were built
 *     measure rate PEER LEN PUTTERS GETTERS SECONDS
 *     measure trip PEER LEN other|same|free SECONDS
 *     measure idle PEER LEN SECONDS
 *
 * The result is one line of JSON: figures; or {"left_out": why} if the peer, or
 * this system, cannot do this; or {"failed": what}, and then the status is 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"
#include "message.h"

#define MAX_LEN (1u << 20)

/* A peer that is stuck: so long after the time, this program ends by a signal,
 * and with it those who put and get. */
#define PATIENCE 60

/* The list that PEER() makes; the linker knows where it begins and ends. */
extern const struct peer *const __start_peers[], *const __stop_peers[];

size_t slots_for(size_t len)
{
    size_t n = (16u << 20) / len;

    return n > 1024 ? 1024 : n < 16 ? 16 : n;
}

const char *peer_refuses(const struct peer *peer, const struct shape *shape)
{
    if (peer->max_len && shape->len > peer->max_len)
        return "no messages of this length";
    if (peer->max_putters && shape->n_putters > peer->max_putters)
        return "not for so many putters";
    if (peer->max_getters && shape->n_getters > peer->max_getters)
        return "not for so many getters";
    return NULL;
}

void *channel_open(const struct peer *peer, const struct shape *shape)
{
    void *channel = NULL;
    const char *why = peer_refuses(peer, shape);

    if (!why)
        why = peer->open(&channel, shape);
    if (!why)
        return channel;
    printf("{\"left_out\": \"%s\"}\n", why);
    return NULL;
}

static void list(void)
{
    for (const struct peer *const *p = __start_peers; p < __stop_peers; p++)
        puts((*p)->name);
}

static const struct peer *peer_called(const char *name)
{
    for (const struct peer *const *p = __start_peers; p < __stop_peers; p++)
        if (strcmp((*p)->name, name) == 0)
            return *p;
    die(name, "no peer is called so, or it was not built");
}

static size_t number(const char *text, size_t min, size_t max)
{
    char *end;
    unsigned long long n = strtoull(text, &end, 10);

    if (*end || n < min || n > max)
        die(text, "out of range");
    return (size_t)n;
}

static size_t length(const char *text)
{
    size_t len = number(text, 8, MAX_LEN);

    if (len & (len - 1))
        die(text, "not a power of two");
    return len;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    bool ok = true;

    alarm(PATIENCE + (unsigned)atof(argv[argc - 1]));
    if (strcmp(what, "list") == 0 && argc == 2) {
        list();
    } else if (strcmp(what, "rate") == 0 && argc == 7) {
        struct shape shape = {
            .len = length(argv[3]),
            .n_slots = slots_for(length(argv[3])),
            .n_putters = (int)number(argv[4], 1, MAX_PUTTERS),
            .n_getters = (int)number(argv[5], 1, MAX_PUTTERS),
        };
        ok = measure_rate(peer_called(argv[2]), &shape, atof(argv[6]));
    } else if (strcmp(what, "trip") == 0 && argc == 6) {
        ok = measure_trip(peer_called(argv[2]), length(argv[3]), argv[4],
                          atof(argv[5]));
    } else if (strcmp(what, "idle") == 0 && argc == 5) {
        ok = measure_idle(peer_called(argv[2]), length(argv[3]), atof(argv[4]));
    } else {
        die("usage", "see the head of bench/measure.c");
    }
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
