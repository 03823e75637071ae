/* peace.c - nobody is killed, and nobody may need the clock.
 *
 *     peace [--items N] [--cpus N] [--seed N]
 *
 * The tick of 50 ms mends what a kill can break, and so would hide an ordinary
 * lost wake-up as well. Hence the library counts the waits that the tick ended
 * although work was there (n_rescues); and while nobody is killed the count has
 * to stay 0, exactly.
 *
 * A lost wake-up is noticed only if nothing else comes along. So the traffic is
 * such that often nothing does: a consumer that has got its item goes busy, a
 * producer pauses; most times shortly, sometimes for so long (LONG_NS) that who
 * sleeps although there is work for him comes to his tick, and to the end of
 * the grace in which the library waits for a wake-up that is under way. At a
 * time when one is busy for long, the others mostly sleep: their queue is empty,
 * or full.
 *
 * Now and then all of them fall silent at once, right in the middle of it: who was
 * asleep for a lock that is free now, or for an item that is there, sleeps on.
 *
 * All of them run on so many processors (--cpus): on one, a waker is often
 * stopped between what he did and his wake-up, and who is woken finds that
 * another has been there before him; on two they meet in the middle.
 *
 * All that holds on a machine that runs. If in a round with a rescue a processor
 * stood still for so long that a wake-up under way could pass for a lost one
 * (hiccup.c), that round's rescues say nothing, and the round is played again;
 * but not for ever: where they come again each time, it is not the machine.
 *
 * Each item says who has put it and as which of his, and a sum of that. It has
 * to be got once, and after the earlier ones of its producer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "args.h"
#include "chute/error.h"
#include "hiccup.h"
#include "plat/plat.h"
#include "shm/tick.h"
#include "torture.h"

#define MAX_SEATS 8
#define MAX_ROUND 2000000ul /* items in a round */

/* How long somebody is busy: once in so many items. A tick, the grace, and as
 * much again for the machine; each time another, so that what comes after it meets
 * the tick at any moment. */
#define SHORT_ONE_IN 64
#define SHORT_US     10
#define NAP_ONE_IN   2048
#define NAP_US       1000
#define LONG_ONE_IN  100000
#define LONG_US      80000 /* to twice as much */

/* And once in so many, for so long, all of them. */
#define HUSH_ONE_IN 50000
#define HUSH_NS     CHUTE_MS(80)

static const struct setup {
    unsigned producers, consumers;
    unsigned maxsize; /* 0: grows */
    unsigned many;    /* so many items at once, at most */
} setups[] = {
    {1, 2, 0, 1},  {2, 1, 1, 1}, {2, 2, 2, 1}, {4, 4, 0, 1},  {4, 4, 8, 1},
    {1, 4, 64, 1}, {4, 2, 3, 1}, {2, 3, 8, 6}, {3, 4, 0, 16},
};

#define MOST 16

#define N_SETUPS (sizeof setups / sizeof setups[0])

static struct {
    unsigned long items, cpus, seed;
} given = {.items = 2000000, .seed = 1};

static struct journal {
    _Atomic int64_t hush_until;
    _Atomic uint64_t n_got;
    _Atomic uint32_t torn, disorder, failed;
    _Atomic uint8_t got[MAX_ROUND];
} * journal;

static const struct setup *setup;
static chute_queue *queue;
static uint32_t n_each; /* of a producer */

struct item {
    uint32_t producer, seq;
    uint64_t sum;
};

static uint64_t sum_of(uint32_t producer, uint32_t seq)
{
    return mix((uint64_t)producer << 32 | seq);
}

/* -- participants ----------------------------------------------------------- */

static void spin(int64_t ns)
{
    int64_t end = plat_now() + ns;

    while (plat_now() < end)
        ;
}

static void be_hushed(void)
{
    int64_t until =
        atomic_load_explicit(&journal->hush_until, memory_order_relaxed);
    int64_t rest = until ? until - plat_now() : 0;

    if (rest > 0)
        usleep((useconds_t)(rest / 1000));
    else if (until)
        (void)atomic_compare_exchange_strong(&journal->hush_until, &until, 0);
}

/* Between two items. x is different each time. */
static void be_busy(uint64_t x)
{
    be_hushed();
    if (mix(x) % HUSH_ONE_IN == 0)
        atomic_store(&journal->hush_until, plat_now() + HUSH_NS);
    if (x % LONG_ONE_IN == 0)
        usleep(LONG_US + (useconds_t)(x >> 32) % LONG_US);
    else if (x % NAP_ONE_IN == 0)
        usleep((useconds_t)(x >> 32) % NAP_US);
    else if (x % SHORT_ONE_IN == 0)
        spin((int64_t)(x >> 32) % (SHORT_US * 1000));
}

static int put(const struct item *items, unsigned n)
{
    struct iovec parts[MOST];
    size_t n_put;

    if (n == 1)
        return chute_queue_put_bytes(queue, items, sizeof *items,
                                     CHUTE_FOREVER);
    for (unsigned i = 0; i < n; i++)
        parts[i] = (struct iovec){.iov_base = (void *)(uintptr_t)&items[i],
                                  .iov_len = sizeof items[i]};
    return chute_queue_put_many_bytes(queue, parts, n, &n_put, CHUTE_FOREVER);
}

_Noreturn static void produce(uint32_t producer, uint64_t x)
{
    struct item items[MOST];

    for (uint32_t seq = 0; seq < n_each;) {
        unsigned n = 1 + (unsigned)(x >> 32) % setup->many;
        if (n > n_each - seq)
            n = n_each - seq;
        for (unsigned i = 0; i < n; i++, seq++)
            items[i] = (struct item){producer, seq, sum_of(producer, seq)};
        if (put(items, n) < 0)
            _exit(1);
        be_busy(x = mix(x));
    }
    _exit(0);
}

/* One item, or some of those that are there. */
static int get(struct item *items, size_t len[MOST], size_t *ret_n)
{
    struct iovec parts[MOST];

    *ret_n = 1;
    if (setup->many == 1)
        return chute_queue_get_bytes(queue, items, sizeof *items, &len[0],
                                     CHUTE_FOREVER);
    int r =
        chute_queue_get_many_bytes(queue, items, MOST * sizeof *items, parts,
                                   setup->many, ret_n, CHUTE_FOREVER);
    for (size_t i = 0; r == 0 && i < *ret_n; i++)
        len[i] = parts[i].iov_len;
    return r;
}

static void count(const struct item *item, size_t len, uint32_t *next)
{
    if (len != sizeof *item || item->producer >= setup->producers ||
        item->seq >= n_each || item->sum != sum_of(item->producer, item->seq)) {
        atomic_fetch_add(&journal->torn, 1);
        return;
    }
    if (item->seq < next[item->producer])
        atomic_fetch_add(&journal->disorder, 1);
    next[item->producer] = item->seq + 1;
    atomic_fetch_add(&journal->got[item->producer * n_each + item->seq], 1);
    atomic_fetch_add(&journal->n_got, 1);
}

_Noreturn static void consume(uint64_t x)
{
    uint32_t next[MAX_SEATS] = {0};
    struct item items[MOST];
    size_t len[MOST], n;
    int r;

    while ((r = get(items, len, &n)) == 0) {
        for (size_t i = 0; i < n; i++)
            count(&items[i], len[i], next);
        be_busy(x = mix(x));
    }
    _exit(r != CHUTE_EOF);
}

/* -- a round ---------------------------------------------------------------- */

struct counts {
    unsigned long items, lost, doubled, torn, disorder, rescues, failed;
};

static void start(pid_t *pid, int producer, uint64_t x)
{
    *pid = fork();
    MUST(*pid);
    if (*pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (producer >= 0)
            produce((uint32_t)producer, x);
        consume(x);
    }
}

static unsigned long reap(const pid_t *pid, unsigned n)
{
    unsigned long n_failed = 0;

    for (unsigned i = 0; i < n; i++) {
        int status;
        MUST(waitpid(pid[i], &status, 0));
        n_failed += status != 0;
    }
    return n_failed;
}

static void settle(struct counts *counts)
{
    struct chute_queue_stats stat = {.size = sizeof stat};

    MUST(chute_queue_stat(queue, &stat));
    counts->items = (unsigned long)atomic_load(&journal->n_got);
    counts->torn = atomic_load(&journal->torn);
    counts->disorder = atomic_load(&journal->disorder);
    counts->rescues = (unsigned long)stat.n_rescues;
    for (unsigned long i = 0; i < (unsigned long)n_each * setup->producers;
         i++) {
        uint8_t got =
            atomic_load_explicit(&journal->got[i], memory_order_relaxed);
        counts->lost += got == 0;
        counts->doubled += got > 1;
    }
}

static void play(unsigned long n_items, uint64_t seed, struct counts *counts)
{
    pid_t producer[MAX_SEATS], consumer[MAX_SEATS];

    n_each = (uint32_t)(n_items / setup->producers) + 1;
    journal = shared_new(sizeof *journal);
    MUST(chute_queue_new(&queue, CHUTE_OPTIONS(chute_queue_options,
                                               .maxsize = setup->maxsize,
                                               .memory = 16 << 20)));
    for (unsigned i = 0; i < setup->consumers; i++)
        start(&consumer[i], -1, mix(seed + i));
    for (unsigned i = 0; i < setup->producers; i++)
        start(&producer[i], (int)i, mix(seed + 100 + i));
    *counts = (struct counts){0};
    counts->failed = reap(producer, setup->producers);
    MUST(chute_queue_close(queue));
    counts->failed += reap(consumer, setup->consumers);
    settle(counts);
    queue = chute_queue_free(queue);
    plat_unmap(journal, sizeof *journal);
}

/* -- main ------------------------------------------------------------------- */

static void pin(unsigned long n_cpus)
{
    cpu_set_t may, set;

    MUST(sched_getaffinity(0, sizeof may, &may));
    CPU_ZERO(&set);
    for (size_t i = 0;
         i < CPU_SETSIZE && (unsigned long)CPU_COUNT(&set) < n_cpus; i++)
        if (CPU_ISSET(i, &may))
            CPU_SET(i, &set);
    if ((unsigned long)CPU_COUNT(&set) < n_cpus) {
        errno = ENODEV;
        trouble("so many processors");
    }
    MUST(sched_setaffinity(0, sizeof set, &set));
}

static void print(const char *name, const struct counts *counts, int64_t ns)
{
    printf("%-14s %11lu %6lu %7lu %5lu %6lu %7lu %8.1f\n", name, counts->items,
           counts->lost, counts->doubled, counts->torn, counts->disorder,
           counts->rescues, ms_of(ns) / 1000);
    fflush(stdout);
}

static void add(struct counts *total, const struct counts *counts)
{
    total->items += counts->items;
    total->lost += counts->lost;
    total->doubled += counts->doubled;
    total->torn += counts->torn;
    total->disorder += counts->disorder;
    total->rescues += counts->rescues;
    total->failed += counts->failed;
}

/* How long a processor may stand still in a round that has something to say of
 * wake-ups; and how often one that has not is played again. */
#define STILL_NS (TICK_GRACE_NS / 2)
#define N_AGAIN  4

/* Play a round; true if it says nothing. */
static bool round_is_void(unsigned long n, uint64_t seed, const char *name,
                          struct counts *counts)
{
    int64_t before = plat_now();

    (void)hiccup_longest();
    play(n, seed, counts);
    int64_t still = hiccup_longest();
    print(name, counts, plat_now() - before);
    if (counts->rescues == 0 || still < STILL_NS)
        return false;
    printf("%-14s a processor stood still for %.1f ms\n", "", ms_of(still));
    return true;
}

static void play_round(unsigned long n, uint64_t seed, struct counts *total)
{
    struct counts counts;
    char name[32];

    snprintf(name, sizeof name,
             setup->maxsize ? "%ux%u%s max %u" : "%ux%u%s grows",
             setup->producers, setup->consumers, setup->many > 1 ? " many" : "",
             setup->maxsize);
    for (int i = 0; round_is_void(n, seed, name, &counts) && i < N_AGAIN; i++) {
        counts.rescues = 0;
        add(total, &counts);
    }
    add(total, &counts);
}

/* Rounds until there were so many items; all setups the same number of times. */
static void play_all(struct counts *total)
{
    unsigned long n = given.items / N_SETUPS + 1, n_rounds = N_SETUPS;

    for (; n > MAX_ROUND - MAX_SEATS; n = n / 2 + 1)
        n_rounds *= 2;
    for (unsigned long i = 0; i < n_rounds; i++) {
        setup = &setups[i % N_SETUPS];
        play_round(n, mix(given.seed + i), total);
    }
}

int main(int argc, char **argv)
{
    const struct arg args[] = {
        {.name = "--items", .what = "N", .number = &given.items},
        {.name = "--cpus", .what = "N", .number = &given.cpus},
        {.name = "--seed", .what = "N", .number = &given.seed},
        {.name = NULL}};
    struct counts total = {0};
    char name[32] = "peace";

    (void)argc;
    args_take("peace", args, argv);
    if (given.cpus) {
        pin(given.cpus);
        snprintf(name, sizeof name, "peace-%lu-cpu", given.cpus);
    }
    hiccup_watch();
    printf("%-14s %11s %6s %7s %5s %6s %7s %8s\n", "queue", "items", "lost",
           "doubled", "torn", "order", "rescues", "s");
    int64_t before = plat_now();
    play_all(&total);
    print("total", &total, plat_now() - before);
    bool well = total.rescues == 0 && total.lost == 0 && total.doubled == 0 &&
                total.torn == 0 && total.disorder == 0 && total.failed == 0 &&
                total.items >= given.items;
    if (well)
        puts("peace: no wait needed the clock");
    else
        printf("peace: BROKEN: %lu rescues, %lu out of order, %lu failed\n",
               total.rescues, total.disorder, total.failed);
    torture_row(name, total.items, total.lost, total.doubled, total.torn, 0);
    return well ? 0 : EXIT_BROKEN;
}
