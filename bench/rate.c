/* rate.c - messages a second, and what one takes of the processors.
 *
 * Putters put until they are told to stop; the getters get for ever. What counts
 * is the time from the start until the last message that was put has been got,
 * and the processor time that all took until then, helping threads included.
 *
 * With one putter and one getter each has a processor of its own; of a crew of
 * more, the system places each as it likes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crew.h"
#include "measure.h"

/* Seconds for what is under way, before it counts as lost. */
#define PATIENCE 10.0
#define LOOK     100e-6

#define MAX_BATCH 64
#define BATCH_LEN ((size_t)256 << 10) /* a batch is no longer than this */

struct job {
    const struct peer *peer;
    const struct shape *shape;
    void *channel;
    double seconds;
    size_t n_batch; /* messages in a put_many or get_many */
    char *data;     /* so many messages; each process's own */
};

/* -- the putters ---------------------------------------------------------- */

static void put_one(const struct job *job, int i, struct account *account)
{
    uint64_t number = account->tallies[i].n;

    message_mark(job->data, job->shape->len, i, number, job->peer->is_uncopied);
    job->peer->put(job->channel, job->data, job->shape->len);
    message_put(account, i, number);
}

static void put_many(const struct job *job, int i, struct account *account)
{
    struct iovec items[MAX_BATCH];
    uint64_t number = account->tallies[i].n;
    size_t len = job->shape->len;

    for (size_t k = 0; k < job->n_batch; k++) {
        items[k] = (struct iovec){job->data + k * len, len};
        message_mark(items[k].iov_base, len, i, number + k,
                     job->peer->is_uncopied);
    }
    job->peer->put_many(job->channel, items, job->n_batch);
    for (size_t k = 0; k < job->n_batch; k++)
        message_put(account, i, number + k);
}

static void put_all(const struct job *job, int i, struct board *board)
{
    struct seat *seat = &board->seats[i];

    /* relaxed: nothing but the end depends on it. */
    while (!atomic_load_explicit(&board->stop, memory_order_relaxed)) {
        if (job->peer->put_many)
            put_many(job, i, &seat->account);
        else
            put_one(job, i, &seat->account);
    }
    /* release: pairs with the acquire in all_put(). */
    atomic_store_explicit(&seat->is_done, true, memory_order_release);
}

/* -- the getters ---------------------------------------------------------- */

static void check(const struct job *job, struct account *account,
                  const char *data, size_t len)
{
    if (job->peer->is_value) /* the peer has checked it */
        message_put(account, 0, account->tallies[0].n);
    else if (len == job->shape->len)
        message_got(account, data, len, job->peer->is_uncopied);
    else
        account->n_torn++;
}

static void get_one(const struct job *job, struct account *account)
{
    size_t len = job->peer->get(job->channel, job->data, job->shape->len);

    check(job, account, job->data, len);
}

static void get_many(const struct job *job, struct account *account)
{
    struct iovec items[MAX_BATCH];
    size_t n = job->peer->get_many(job->channel, job->data,
                                   job->n_batch * job->shape->len, items,
                                   job->n_batch);

    for (size_t k = 0; k < n; k++)
        check(job, account, items[k].iov_base, items[k].iov_len);
}

static void get_all(const struct job *job, struct account *account)
{
    for (;;) {
        if (job->peer->get_many)
            get_many(job, account);
        else
            get_one(job, account);
    }
}

/* Touch all that will be needed, so that no page is new later. */
static void prepare(struct job *job)
{
    bool by_batch = job->peer->put_many || job->peer->get_many;
    size_t fitting = BATCH_LEN / job->shape->len;

    job->n_batch = !by_batch || fitting < 1 ? 1
                   : fitting > MAX_BATCH    ? MAX_BATCH
                                            : fitting;
    job->data = malloc(job->n_batch * job->shape->len);
    if (!job->data)
        die("messages", "out of memory");
    memset(job->data, 'm', job->n_batch * job->shape->len);
}

static void work(struct crew *crew, int i, void *arg)
{
    struct job *job = arg;
    int n_putters = job->shape->n_putters;
    bool is_putter = i < n_putters;
    void (*attach)(void *, enum side, int) = job->peer->attach;

    prepare(job);
    if (!is_putter && attach)
        attach(job->channel, GETTER, i - n_putters);
    crew_meet(crew);
    if (is_putter && attach)
        attach(job->channel, PUTTER, i);
    crew_meet(crew);
    if (is_putter)
        put_all(job, i, crew->board);
    else
        get_all(job, &crew->board->seats[i].account);
}

/* -- the watcher ---------------------------------------------------------- */

static bool all_put(const struct crew *crew, const struct job *job)
{
    for (int i = 0; i < job->shape->n_putters; i++)
        /* acquire: pairs with the release in put_all(). */
        if (!atomic_load_explicit(&crew->board->seats[i].is_done,
                                  memory_order_acquire))
            return false;
    return true;
}

/* Racy while the getters run, and right once nothing is under way. */
static uint64_t n_got(const struct crew *crew)
{
    uint64_t n = 0;

    for (int i = 0; i < crew->n; i++)
        for (int k = 0; k < MAX_PUTTERS; k++)
            n += *(volatile uint64_t *)&crew->board->seats[i]
                      .account.tallies[k]
                      .n;
    return n;
}

/* Wait until as much has been got as was put, and no longer than PATIENCE. */
static void drain(struct crew *crew, const struct job *job)
{
    double begin = now();
    uint64_t n_put = 0;

    while (!all_put(crew, job) && now() - begin < PATIENCE)
        crew_watch(crew, LOOK);
    for (int i = 0; i < job->shape->n_putters; i++)
        n_put += crew->board->seats[i].account.tallies[i].n;
    /* Putters count in the same place, so each message counts twice. */
    while (n_got(crew) < 2 * n_put && now() - begin < PATIENCE)
        crew_watch(crew, LOOK);
}

static const char *verdict(const struct crew *crew, const struct job *job)
{
    const struct account *got[MAX_CREW];
    int n_putters = job->shape->n_putters, n_getters = job->shape->n_getters;

    if (!all_put(crew, job))
        return "a put did not return";
    for (int i = 0; i < n_getters; i++)
        got[i] = &crew->board->seats[n_putters + i].account;
    for (int i = 0; i < n_putters; i++) {
        const char *wrong = message_compare(&crew->board->seats[i].account, got,
                                            (size_t)n_getters, i);
        if (wrong)
            return wrong;
    }
    return NULL;
}

static bool run(struct crew *crew, const struct job *job)
{
    crew_await(crew);
    crew_release(crew);
    crew_await(crew);
    double cpu = crew_cpu_all(crew), begin = now();
    crew_release(crew);
    crew_watch(crew, job->seconds);
    atomic_store(&crew->board->stop, true);
    drain(crew, job);
    double seconds = now() - begin;
    cpu = crew_cpu_all(crew) - cpu;
    crew_watch(crew, 2e-3); /* one that comes twice comes now */

    const char *wrong = verdict(crew, job);
    if (wrong) {
        printf("{\"failed\": \"%s\"}\n", wrong);
        return false;
    }
    double n = (double)(n_got(crew) / 2);
    printf("{\"rate\": %.1f, \"cpu_us\": %.4f, \"n\": %.0f}\n", n / seconds,
           cpu / n * 1e6, n);
    return true;
}

bool measure_rate(const struct peer *peer, const struct shape *shape,
                  double seconds)
{
    struct job job = {.peer = peer,
                      .shape = shape,
                      .channel = channel_open(peer, shape),
                      .seconds = seconds};
    bool is_pair = shape->n_putters == 1 && shape->n_getters == 1;
    int cpus[MAX_CREW];
    struct crew crew;

    if (!job.channel)
        return true;
    for (int i = 0; i < MAX_CREW; i++)
        cpus[i] = is_pair ? cpu_number(i) : ANY_CPU;
    crew_start(&crew, shape->n_putters + shape->n_getters, cpus, work, &job);
    bool ok = run(&crew, &job);
    crew_kill(&crew);
    peer->close(job.channel);
    return ok;
}
