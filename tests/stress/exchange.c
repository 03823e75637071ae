/* exchange.c - many producers, many consumers, millions of messages.
 *
 * Message s of producer p is a head and 0 to 4096 bytes, whose number and values
 * follow from (p, s), so a consumer can tell from a message alone whether it is
 * whole. Each consumer
 * notes in shared memory what it got, and checks that what it gets of one
 * producer comes in rising order. In the end each message must have been got
 * just once, and no wait may have been ended by the clock: nobody was killed,
 * so no wake-up can have been lost. Without a tick, one that is lost is missed:
 * the exchange stands still.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chute.h>

#include "plat/plat.h"
#include "shm/tick.h"
#include "test.h"

#define N_PRODUCERS 4
#define N_CONSUMERS 4
#define MAX_BODY    4096

/* What every message begins with. */
struct head {
    uint32_t producer;
    uint32_t seq;
    uint64_t check;
};

#define MAX_LEN (sizeof(struct head) + MAX_BODY)

struct journal {
    uint32_t n_each;
    _Atomic uint64_t n_got;
    _Atomic unsigned char got[]; /* N_PRODUCERS * n_each */
};

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static size_t len_of(uint32_t producer, uint32_t seq)
{
    return sizeof(struct head) +
           mix(((uint64_t)producer << 32 | seq) + 1) % (MAX_BODY + 1);
}

/* A sum over the words of the body in which every bit and place counts. */
static uint64_t check_of(const char *data, size_t len)
{
    uint64_t sum = len, word;

    for (size_t i = sizeof(struct head); i + 8 <= len; i += 8) {
        memcpy(&word, data + i, 8);
        sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    }
    for (size_t i = len & ~(size_t)7; i < len; i++)
        sum = (sum ^ (unsigned char)data[i]) * UINT64_C(0x9e3779b97f4a7c15);
    return sum;
}

static void produce(chute_queue *q, uint32_t producer, uint32_t n)
{
    static char data[MAX_LEN + 8];

    for (uint32_t seq = 0; seq < n; seq++) {
        size_t len = len_of(producer, seq);
        uint64_t x = (uint64_t)producer << 32 | seq;
        for (size_t i = sizeof(struct head); i < len; i += 8) {
            x += UINT64_C(0x9e3779b97f4a7c15);
            uint64_t word = x ^ x >> 29;
            memcpy(data + i, &word, 8);
        }
        struct head head = {producer, seq, check_of(data, len)};
        memcpy(data, &head, sizeof head);
        CHECK_OK(chute_queue_put_bytes(q, data, len, CHUTE_FOREVER));
    }
}

static void consume(chute_queue *q, struct journal *journal)
{
    static char data[MAX_LEN];
    int64_t last[N_PRODUCERS];
    size_t len;
    int r;

    memset(last, -1, sizeof last);
    while ((r = chute_queue_get_bytes(q, data, sizeof data, &len,
                                      CHUTE_FOREVER)) == 0) {
        struct head head;
        CHECK(len >= sizeof head);
        memcpy(&head, data, sizeof head);
        CHECK(head.producer < N_PRODUCERS);
        CHECK(head.seq < journal->n_each);
        CHECK_EQ(len, len_of(head.producer, head.seq));
        CHECK_EQ(head.check, check_of(data, len));
        CHECK(head.seq > last[head.producer]);
        last[head.producer] = head.seq;
        size_t place = (size_t)head.producer * journal->n_each + head.seq;
        CHECK_EQ(atomic_fetch_add(&journal->got[place], 1), 0);
        atomic_fetch_add(&journal->n_got, 1);
    }
    CHECK_ERR(r, CHUTE_EOF);
}

static pid_t start(chute_queue *q, struct journal *journal, int producer)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        if (producer >= 0)
            produce(q, (uint32_t)producer, journal->n_each);
        else
            consume(q, journal);
        _exit(0);
    }
    return pid;
}

static void reap(const pid_t *pid, int n)
{
    int status;

    for (int i = 0; i < n; i++) {
        CHECK_EQ(waitpid(pid[i], &status, 0), pid[i]);
        CHECK_EQ(status, 0);
    }
}

static void exchange(uint32_t n_each, uint64_t maxsize, uint64_t memory)
{
    size_t n = (size_t)n_each * N_PRODUCERS;
    pid_t producer[N_PRODUCERS], consumer[N_CONSUMERS];
    struct chute_queue_stats stat = {.size = sizeof stat};
    chute_queue *q;
    void *mem;

    CHECK_OK(chute_queue_new(&q, CHUTE_OPTIONS(chute_queue_options,
                                               .maxsize = maxsize,
                                               .memory = memory)));
    CHECK_OK(plat_map(-1, 0, sizeof(struct journal) + n, &mem));
    struct journal *journal = mem;
    journal->n_each = n_each;

    for (int i = 0; i < N_CONSUMERS; i++)
        consumer[i] = start(q, journal, -1);
    for (int i = 0; i < N_PRODUCERS; i++)
        producer[i] = start(q, journal, i);
    reap(producer, N_PRODUCERS);
    CHECK_OK(chute_queue_close(q));
    reap(consumer, N_CONSUMERS);

    CHECK_EQ(atomic_load(&journal->n_got), n);
    CHECK_OK(chute_queue_stat(q, &stat));
    CHECK_EQ(stat.n_items, 0);
    CHECK_EQ(stat.n_rescues, 0);
    CHECK_EQ(stat.n_deaths, 0);
    plat_unmap(mem, sizeof(struct journal) + n);
    chute_queue_free(q);
}

TEST_TIMEOUT(four_million_messages_pass_whole_once_and_in_order, 240)
{
    exchange(1000000, 0, 4 << 20);
}

TEST_TIMEOUT(so_they_do_through_a_queue_of_ten_items, 240)
{
    exchange(50000, 10, 0);
}

TEST_TIMEOUT(so_they_do_without_a_tick, 60)
{
    tick_ns = CHUTE_SEC(3600);
    exchange(20000, 1, 0);
    exchange(20000, 10, 0);
    exchange(20000, 0, 65536);
}

TEST_TIMEOUT(so_they_do_through_a_queue_that_grows, 240)
{
    exchange(100000, 0, 0);
}
