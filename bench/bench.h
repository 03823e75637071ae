/* bench.h - what a peer has to be able to do, and what is asked of all.
 *
 * A peer is one way to hand messages from process to process. It is one file,
 * peer-NAME.c, that fills a struct peer and names it in PEER(), which puts it on
 * the list; meson.build says which files there are. What measures (rate.c,
 * trip.c, idle.c) knows nothing of any of them, so that all are measured alike:
 *
 *     open      before the processes are made; what it returns, they inherit
 *     attach    in each process, once for each side that it has: getters first,
 *               then putters
 *     put, get  one message; wait as long as it takes, as the peer's manual
 *               recommends to. A peer that cannot wait polls, by poll_pause()
 *     close     after the processes have been killed
 *
 * Nobody has to handle errors: what cannot be is die(), and the run has failed.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Lines of two neighbours are fetched together by some processors. */
#define BENCH_LINE 128

struct shape {
    size_t len;     /* of each message, at least 8 */
    size_t n_slots; /* messages that the channel should hold: a power of two */
    int n_putters;
    int n_getters;
};

enum side { PUTTER, GETTER };

struct peer {
    const char *name;
    size_t max_len;  /* 0: any */
    int max_putters; /* 0: any */
    int max_getters;
    bool is_duplex;   /* one channel leads there and back */
    bool is_uncopied; /* only the ends of a message are written and read */
    bool is_value;    /* messages are values: the peer checks them itself */
    /* Not open for a reason of the system's: the result says which. */
    const char *(*open)(void **ret_channel, const struct shape *shape);
    void (*attach)(void *channel, enum side side, int index); /* may be NULL */
    void (*put)(void *channel, const char *data, size_t len);
    size_t (*get)(void *channel, char *buf, size_t cap);
    /* Where there is one, it is used instead. */
    void (*put_many)(void *channel, const struct iovec *items, size_t n);
    size_t (*get_many)(void *channel, char *buf, size_t cap,
                       struct iovec *items, size_t n);
    void (*close)(void *channel);
};

/* Put a peer on the list, which the linker makes. */
#define PEER(which)                                                            \
    __attribute__((section("peers"),                                           \
                   used)) static const struct peer *const which##_entry =      \
        &(which)

/* Say why on stderr, and end this process: the run has failed. */
void die(const char *what, const char *why) __attribute__((noreturn));

/* Memory for all processes that are made from then on, zeroed. */
void *shared_new(size_t len);
void shared_free(void *memory, size_t len);

/* What a peer without a way to wait does between two looks: look again at once
 * for some microseconds, then let others run. *n_looks begins at 0. */
void poll_pause(unsigned *n_looks);

#ifdef __cplusplus
}
#endif
#endif /* BENCH_H */
