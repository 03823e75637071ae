/* hostile.c - a peer writes garbage into a queue's memory while others use it.
 *
 * Whoever may write the memory can stall a queue or garble its items. What he
 * must not be able to do is to crash the others, to make them loop for ever or
 * hold them beyond their timeouts, or to have them touch memory that is not the
 * queue's. So here a child scribbles: on commit words, locks, events, the table
 * of regions, items; single bits, and whole words, likely ones and random ones.
 * Two threads put and get all the while. Any code that the manual knows is
 * right; a crash, a hang, or another code is not.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chute.h>

#include "plat/plat.h"
#include "scribble.h"
#include "shm/region.h"
#include "test.h"

#define N_ROUNDS   200
#define ROUND_MS   25
#define TIMEOUT_NS CHUTE_MS(2)

/* A call may last its timeout, a rescue's second look, and what a busy machine
 * adds; not more. */
#define LONGEST_NS CHUTE_SEC(3)

/* A queue's handle begins with its chain (src/ipc/queue.c). */
static struct region_chain *chain_of(chute_queue *q)
{
    return (struct region_chain *)(void *)q;
}

static void scribble(chute_queue *q)
{
    struct region_chain *chain = chain_of(q);
    _Atomic uint64_t *header = (_Atomic uint64_t *)(void *)chain->shm;
    _Atomic uint64_t *items = header + 65536 / 8;

    for (unsigned n = 0;; n++) {
        _Atomic uint64_t *word =
            random_word() % 4
                ? header + random_word() % (sizeof *chain->shm / 8)
                : items + random_word() % 8192;
        spoil(word);
        if (n % 64 == 0)
            usleep(50);
    }
}

static void check_call(int r, int64_t begin)
{
    if (!is_known(r))
        CHECK_STR(chute_errname(r), "a code that put and get may give");
    CHECK(plat_now() - begin < LONGEST_NS);
}

struct round {
    chute_queue *q;
    int64_t end;
};

static void *put_all_the_time(void *arg)
{
    static char data[5000];
    struct round *round = arg;

    for (size_t n = 0; plat_now() < round->end; n++) {
        int64_t begin = plat_now();
        check_call(chute_queue_put_bytes(round->q, data, n * 61 % sizeof data,
                                         TIMEOUT_NS),
                   begin);
        begin = plat_now();
        check_call(chute_queue_put(round->q,
                                   chute_list(chute_int(42), chute_str("x")),
                                   TIMEOUT_NS),
                   begin);
    }
    return NULL;
}

static void *get_all_the_time(void *arg)
{
    static char buf[3000];
    struct round *round = arg;
    chute_value *v;
    size_t len;

    while (plat_now() < round->end) {
        int64_t begin = plat_now();
        check_call(
            chute_queue_get_bytes(round->q, buf, sizeof buf, &len, TIMEOUT_NS),
            begin);
        begin = plat_now();
        check_call(chute_queue_get(round->q, &v, TIMEOUT_NS), begin);
        chute_value_free(v);
        (void)chute_queue_qsize(round->q, &len);
        (void)chute_queue_stat(round->q,
                               &(struct chute_queue_stats){
                                   .size = sizeof(struct chute_queue_stats)});
    }
    return NULL;
}

static void run_round(unsigned n)
{
    struct round round;
    pthread_t put, get;
    int status;

    /* Little memory, so that growing to whatever the table says is cheap. */
    CHECK_OK(chute_queue_new(
        &round.q, CHUTE_OPTIONS(chute_queue_options, .memory = 8 << 20)));
    round.end = plat_now() + CHUTE_MS(ROUND_MS);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        state = n * 1000003 + 7;
        scribble(round.q);
    }
    CHECK_OK(pthread_create(&put, NULL, put_all_the_time, &round));
    CHECK_OK(pthread_create(&get, NULL, get_all_the_time, &round));
    pthread_join(put, NULL);
    pthread_join(get, NULL);
    kill(pid, SIGKILL);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, SIGKILL);
    chute_queue_free(round.q);
}

TEST_TIMEOUT(garbage_in_the_shared_memory_harms_no_process, 120)
{
    for (unsigned n = 0; n < N_ROUNDS; n++)
        run_round(n);
}
