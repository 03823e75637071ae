/* trip.c - how long it takes to put a message and have it back.
 *
 * Two processes and two channels, or one that leads both ways: one asks, and the
 * other puts back what it gets. The clock is read once a trip. Each answer has to
 * be the question.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crew.h"
#include "measure.h"

#define N_WARM    100
#define MAX_TRIPS (4u << 20)

struct job {
    const struct peer *peer;
    size_t len;
    void *there;
    void *back;
    float *ns; /* of each trip; shared, as the rest */
    _Atomic size_t *n_trips;
};

static void attach(const struct job *job, void *channel, enum side side)
{
    if (job->peer->attach)
        job->peer->attach(channel, side, 0);
}

static void put_back(const struct job *job, char *data, size_t n)
{
    while (n-- > 0) {
        size_t len = job->peer->get(job->there, data, job->len);
        job->peer->put(job->back, data, len);
    }
}

static void answer(struct crew *crew, const struct job *job)
{
    char *data = malloc(job->len);

    if (!data)
        die("answer", "out of memory");
    attach(job, job->there, GETTER);
    crew_meet(crew);
    if (!job->peer->is_duplex)
        attach(job, job->back, PUTTER);
    crew_meet(crew);
    put_back(job, data, N_WARM);
    crew_meet(crew);
    put_back(job, data, SIZE_MAX);
}

static void go_and_return(const struct job *job, struct account *account,
                          char *data)
{
    bool only_ends = job->peer->is_uncopied;
    uint64_t number = account->tallies[0].n;

    message_mark(data, job->len, 0, number, only_ends);
    job->peer->put(job->there, data, job->len);
    size_t len = job->peer->get(job->back, data, job->len);
    if (len != job->len)
        die("round trip", "the answer has another length");
    if (job->peer->is_value)
        return;
    message_got(account, data, len, only_ends);
    if (account->tallies[0].n != number + 1)
        die("round trip", "the answer is not the question");
}

static void ask(struct crew *crew, const struct job *job)
{
    struct account *account = &crew->board->seats[0].account;
    char *data = malloc(job->len);
    size_t n = 0;

    if (!data)
        die("ask", "out of memory");
    memset(data, 'm', job->len);
    memset(job->ns, 0, MAX_TRIPS * sizeof *job->ns); /* no page is new later */
    if (!job->peer->is_duplex)
        attach(job, job->back, GETTER);
    crew_meet(crew);
    attach(job, job->there, PUTTER);
    crew_meet(crew);
    for (int i = 0; i < N_WARM; i++)
        go_and_return(job, account, data);
    crew_meet(crew);
    double before = now();
    while (!atomic_load_explicit(&crew->board->stop, memory_order_relaxed) &&
           n < MAX_TRIPS) {
        go_and_return(job, account, data);
        double after = now();
        job->ns[n++] = (float)((after - before) * 1e9);
        before = after;
    }
    atomic_store(job->n_trips, n);
    /* release: pairs with the acquire in run(). */
    atomic_store_explicit(&crew->board->seats[0].is_done, true,
                          memory_order_release);
}

static void work(struct crew *crew, int i, void *arg)
{
    (i == 0 ? ask : answer)(crew, arg);
}

/* -- the watcher ---------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static double percentile_us(const float *sorted, size_t n, double percent)
{
    size_t at = (size_t)((double)n * percent / 100);

    return (double)sorted[at < n ? at : n - 1] * 1e-3;
}

static bool run(struct crew *crew, const struct job *job, double seconds)
{
    for (int i = 0; i < 3; i++) {
        crew_await(crew);
        crew_release(crew);
    }
    crew_watch(crew, seconds);
    atomic_store(&crew->board->stop, true);
    double begin = now();
    /* acquire: pairs with the release in ask(). */
    while (!atomic_load_explicit(&crew->board->seats[0].is_done,
                                 memory_order_acquire)) {
        crew_watch(crew, 1e-3);
        if (now() - begin > 10) {
            puts("{\"failed\": \"an answer did not come\"}");
            return false;
        }
    }
    size_t n = atomic_load(job->n_trips);
    if (n == 0) {
        puts("{\"failed\": \"not one round trip\"}");
        return false;
    }
    qsort(job->ns, n, sizeof *job->ns, compare);
    printf("{\"p50\": %.3f, \"p99\": %.3f, \"p999\": %.3f, \"n\": %zu}\n",
           percentile_us(job->ns, n, 50), percentile_us(job->ns, n, 99),
           percentile_us(job->ns, n, 99.9), n);
    return true;
}

bool measure_trip(const struct peer *peer, size_t len, const char *place,
                  double seconds)
{
    struct shape shape = {len, slots_for(len), 1, 1};
    struct job job = {.peer = peer, .len = len};
    int cpus[2] = {ANY_CPU, ANY_CPU};
    struct crew crew;

    if (strcmp(place, "free") != 0) {
        cpus[0] = cpu_number(0);
        cpus[1] = strcmp(place, "same") == 0 ? cpus[0] : cpu_number(1);
        if (cpus[1] == ANY_CPU) {
            puts("{\"left_out\": \"there is one processor only\"}");
            return true;
        }
    }
    job.there = channel_open(peer, &shape);
    if (!job.there)
        return true;
    job.back = peer->is_duplex ? job.there : channel_open(peer, &shape);
    if (!job.back)
        return true;
    job.n_trips = shared_new(sizeof *job.n_trips);
    job.ns = shared_new(MAX_TRIPS * sizeof *job.ns);

    crew_start(&crew, 2, cpus, work, &job);
    bool ok = run(&crew, &job, seconds);
    crew_kill(&crew);
    if (!peer->is_duplex)
        peer->close(job.back);
    peer->close(job.there);
    shared_free(job.ns, MAX_TRIPS * sizeof *job.ns);
    shared_free(job.n_trips, sizeof *job.n_trips);
    return ok;
}
