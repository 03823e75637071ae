/* threads.c - threads of one process on one queue, for the thread sanitizer.
 *
 * The sanitizer sees one process and one mapping, so all that it can tell about
 * the queue's ordering it has to see here: putters and getters, the growth and
 * the shrinking of the memory, sleeping, waking, and looking in between. Each
 * item is its number, so that no other memory is shared; in the end each number
 * was got once. So it is with numbers in their place, which other threads see
 * only after a commit. A put is an operation, and so is a get: $CHUTE_TEST_OPS says
 * how many (`make tsan-long`: ten million).
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdlib.h>

#include <chute.h>

#include "test.h"

#define N_SIDE 3

static struct {
    chute_queue *q;
    uint64_t n_each;
} shared;

/* What one thread has done, told when it is joined. */
struct share {
    pthread_t thread;
    uint64_t number, n, sum;
};

static uint64_t n_ops(void)
{
    const char *given = getenv("CHUTE_TEST_OPS");

    return given ? strtoull(given, NULL, 10) : 200000;
}

static void *put_numbers(void *arg)
{
    struct share *share = arg;

    for (uint64_t i = 0; i < shared.n_each; i++) {
        uint64_t number = share->number * shared.n_each + i;
        CHECK_OK(chute_queue_put_bytes(shared.q, &number, sizeof number,
                                       CHUTE_FOREVER));
        share->n++;
        share->sum += number;
    }
    return NULL;
}

static void *get_numbers(void *arg)
{
    struct share *share = arg;
    uint64_t number;
    size_t len, n;
    int r;

    while ((r = chute_queue_get_bytes(shared.q, &number, sizeof number, &len,
                                      CHUTE_FOREVER)) == 0) {
        CHECK_EQ(len, sizeof number);
        share->n++;
        share->sum += number;
        if (share->n % 64 == 0)
            CHECK_OK(chute_queue_qsize(shared.q, &n));
    }
    CHECK_ERR(r, CHUTE_EOF);
    return NULL;
}

static void *lend_numbers(void *arg)
{
    struct share *share = arg;
    struct chute_loan loan;

    for (uint64_t i = 0; i < shared.n_each; i++) {
        uint64_t number = share->number * shared.n_each + i;
        CHECK_OK(
            chute_queue_reserve(shared.q, &loan, sizeof number, CHUTE_FOREVER));
        *(uint64_t *)loan.data = number;
        CHECK_OK(chute_queue_commit(shared.q, &loan, CHUTE_FOREVER));
        share->n++;
        share->sum += number;
    }
    return NULL;
}

static void *borrow_numbers(void *arg)
{
    struct share *share = arg;
    struct chute_loan loan;
    int r;

    while ((r = chute_queue_borrow(shared.q, &loan, CHUTE_FOREVER)) == 0) {
        CHECK_EQ(loan.len, sizeof share->sum);
        share->n++;
        share->sum += *(const uint64_t *)loan.data;
        CHECK_OK(chute_queue_release(shared.q, &loan));
    }
    CHECK_ERR(r, CHUTE_EOF);
    return NULL;
}

/* How the threads of each side do it: number i by way i % 2. */
struct ways {
    void *(*put[2])(void *), *(*get[2])(void *);
};

static const struct ways by_copy = {{put_numbers, put_numbers},
                                    {get_numbers, get_numbers}};
static const struct ways in_place = {{lend_numbers, lend_numbers},
                                     {borrow_numbers, borrow_numbers}};
static const struct ways mixed = {{lend_numbers, put_numbers},
                                  {borrow_numbers, get_numbers}};

static void exchange(uint64_t n, uint64_t maxsize, struct ways ways)
{
    struct share put[N_SIDE] = {{0}}, get[N_SIDE] = {{0}};
    struct chute_queue_stats stat = {.size = sizeof stat};
    uint64_t n_put = 0, n_got = 0, sum = 0;

    CHECK_OK(chute_queue_new(
        &shared.q, CHUTE_OPTIONS(chute_queue_options, .maxsize = maxsize)));
    shared.n_each = n / (2 * N_SIDE);
    for (uint64_t i = 0; i < N_SIDE; i++) {
        put[i].number = i;
        CHECK_OK(
            -pthread_create(&get[i].thread, NULL, ways.get[i % 2], &get[i]));
        CHECK_OK(
            -pthread_create(&put[i].thread, NULL, ways.put[i % 2], &put[i]));
    }
    for (int i = 0; i < N_SIDE; i++) {
        CHECK_OK(-pthread_join(put[i].thread, NULL));
        n_put += put[i].n;
        sum += put[i].sum;
    }
    CHECK_OK(chute_queue_close(shared.q));
    for (int i = 0; i < N_SIDE; i++) {
        CHECK_OK(-pthread_join(get[i].thread, NULL));
        n_got += get[i].n;
        sum -= get[i].sum;
    }
    CHECK_EQ(n_put, N_SIDE * shared.n_each);
    CHECK_EQ(n_got, n_put);
    CHECK_EQ(sum, 0);
    CHECK_OK(chute_queue_stat(shared.q, &stat));
    CHECK_EQ(stat.n_rescues, 0);
    CHECK_EQ(stat.n_deaths, 0);
    chute_queue_free(shared.q);
}

TEST_TIMEOUT(threads_exchange_numbers_through_a_queue_that_grows, 300)
{
    exchange(n_ops() / 2, 0, by_copy);
}

TEST_TIMEOUT(threads_exchange_numbers_through_a_queue_of_sixty_four, 300)
{
    exchange(n_ops() / 2, 64, by_copy);
}

TEST_TIMEOUT(threads_exchange_numbers_in_their_place, 300)
{
    exchange(n_ops() / 4, 0, in_place);
}

TEST_TIMEOUT(threads_exchange_numbers_in_their_place_and_others, 300)
{
    exchange(n_ops() / 4, 64, mixed);
}
