/* pool.c - four workers take tasks from one queue and put results into another.
 *
 * A task is an int n, its result the tuple (n, n-th prime). Closing the task
 * queue sends the workers home.
 */
#include <stdio.h>
#include <stdlib.h>

#include <chute.h>

#define N_WORKERS 4
#define N_TASKS   12

struct pool {
    chute_queue *tasks;
    chute_queue *results;
};

static int complain(const char *what, int r)
{
    fprintf(stderr, "pool: %s: %s\n", what, chute_strerror(r));
    return EXIT_FAILURE;
}

static int64_t nth_prime(int64_t n)
{
    int64_t candidate = 1;

    while (n > 0) {
        bool prime = ++candidate > 1;
        for (int64_t d = 2; prime && d * d <= candidate; d++)
            prime = candidate % d != 0;
        n -= prime;
    }
    return candidate;
}

static int work(void *arg)
{
    const struct pool *pool = arg;
    chute_value *task;
    int r;

    while ((r = chute_queue_get(pool->tasks, &task, CHUTE_FOREVER)) == 0) {
        int64_t n = 0;
        chute_value_int(task, &n);
        r = chute_queue_put(pool->results,
                            chute_tuple(task, chute_int(nth_prime(n))),
                            CHUTE_FOREVER);
        if (r < 0)
            return complain("put", r);
    }
    return r == CHUTE_EOF ? EXIT_SUCCESS : complain("get", r);
}

static int run(struct pool *pool)
{
    chute_process *worker[N_WORKERS];

    for (int i = 0; i < N_WORKERS; i++) {
        int r = chute_process_start(&worker[i], work, pool, NULL);
        if (r < 0)
            return complain("start", r);
    }
    for (int64_t i = 1; i <= N_TASKS; i++) {
        int r = chute_queue_put(pool->tasks, chute_int(100 * i), CHUTE_FOREVER);
        if (r < 0)
            return complain("put", r);
    }
    chute_queue_close(pool->tasks);

    for (int i = 0; i < N_TASKS; i++) {
        chute_value *result;
        int r = chute_queue_get(pool->results, &result, CHUTE_FOREVER);
        if (r < 0)
            return complain("get", r);
        chute_value_print(result, stdout);
        printf("\n");
        chute_value_free(result);
    }
    for (int i = 0; i < N_WORKERS; i++) {
        chute_process_join(worker[i], NULL, CHUTE_FOREVER);
        chute_process_free(worker[i]);
    }
    return EXIT_SUCCESS;
}

int main(void)
{
    struct pool pool;
    int r = chute_queue_new(&pool.tasks, NULL);

    if (r < 0)
        return complain("queue", r);
    r = chute_queue_new(&pool.results, NULL);
    if (r < 0)
        return complain("queue", r);
    int status = run(&pool);
    chute_queue_free(pool.results);
    chute_queue_free(pool.tasks);
    return status;
}
