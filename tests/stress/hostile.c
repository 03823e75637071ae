/* hostile.c - a peer writes garbage into shared memory while others use it.
 *
 * Whoever may write the memory can stall a queue or garble its items. What he
 * must not be able to do is to crash the others, to make them loop for ever or
 * hold them beyond their timeouts, or to have them touch memory that is not the
 * queue's. So here a child scribbles: on commit words, locks, events, the table
 * of regions, items; single bits, and whole words, likely ones and random ones.
 * Two threads put and get all the while. Any code that the manual knows is
 * right; a crash, a hang, or another code is not.
 *
 * The same for the page that the users of a pipe share. What is lost there is
 * lost for ever (SHM_LOST), so its rounds are short and many.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chute.h>

#include "ipc/conn.h"
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

/* Over all rounds. If one of the first two stays 0, nothing was tested. */
static _Atomic unsigned long n_well, n_spoiled;
static _Atomic unsigned long *n_scribbles; /* shared with the child */

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
        atomic_fetch_add(n_scribbles, 1);
        if (n % 64 == 0)
            usleep(50);
    }
}

static void count(int r)
{
    if (r >= 0)
        atomic_fetch_add(&n_well, 1);
    else if (r != CHUTE_ETIMEDOUT)
        atomic_fetch_add(&n_spoiled, 1);
}

static void begin_counts(void)
{
    void *mem;

    CHECK_OK(plat_map(-1, 0, sizeof *n_scribbles, &mem));
    n_scribbles = mem;
}

static void check_counts(void)
{
    CHECK(n_well > 0);
    CHECK(n_spoiled > 0);
    CHECK(*n_scribbles > 0);
    fprintf(stderr, "# %lu calls went well, %lu found garbage; %lu scribbles\n",
            n_well, n_spoiled, *n_scribbles);
    plat_unmap(n_scribbles, sizeof *n_scribbles);
}

static void check_call(int r, int64_t begin)
{
    count(r);
    if (!is_known(r))
        CHECK_STR(chute_errname(r), "a code that put and get may give");
    CHECK(plat_now() - begin < LONGEST_NS);
}

struct round {
    chute_queue *q;
    int64_t end;
};

/* What is lent can be written and read from end to end, whatever the queue says
 * of it by now. */
static void lend(chute_queue *q, size_t len)
{
    struct chute_loan loan;
    int64_t begin = plat_now();
    int r = chute_queue_reserve(q, &loan, len, TIMEOUT_NS);

    check_call(r, begin);
    if (r < 0)
        return;
    memset(loan.data, 'x', len);
    begin = plat_now();
    r = chute_queue_commit(q, &loan, TIMEOUT_NS);
    check_call(r, begin);
    if (r < 0)
        CHECK_OK(chute_queue_release(q, &loan));
}

static void borrow(chute_queue *q)
{
    struct chute_loan loan;
    int64_t begin = plat_now();
    int r = chute_queue_borrow(q, &loan, TIMEOUT_NS);

    check_call(r, begin);
    if (r < 0)
        return;
    for (size_t i = 0; i < loan.len; i++)
        (void)((const volatile unsigned char *)loan.data)[i];
    CHECK_OK(chute_queue_release(q, &loan));
}

static void *put_all_the_time(void *arg)
{
    static char data[5000], large[200000]; /* more than the first region */
    struct round *round = arg;

    for (size_t n = 0; plat_now() < round->end; n++) {
        int64_t begin = plat_now();
        check_call(chute_queue_put_bytes(round->q, data, n * 61 % sizeof data,
                                         TIMEOUT_NS),
                   begin);
        if (n % 16 == 0) {
            begin = plat_now();
            check_call(chute_queue_put_bytes(round->q, large, sizeof large,
                                             TIMEOUT_NS),
                       begin);
        }
        lend(round->q, n % 4 ? n * 61 % sizeof data : 61 * n);
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
        borrow(round->q);
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
    CHECK(chute_queue_wait_fd(round.q) >= 0);
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
    /* It knows no timeout: where the lock seems to be owned it takes a second
     * or more, until its owner is seen to be nobody. Hence not every time. */
    if (n % 10 == 0)
        CHECK(is_known(chute_queue_close(round.q)));
    kill(pid, SIGKILL);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, SIGKILL);
    chute_queue_free(round.q);
}

TEST_TIMEOUT(garbage_in_the_shared_memory_harms_no_process, 120)
{
    begin_counts();
    for (unsigned n = 0; n < N_ROUNDS; n++)
        run_round(n);
    check_counts();
}

/* -- a pipe ---------------------------------------------------------------- */

#define N_PIPE_ROUNDS 600
#define PIPE_ROUND_MS 8

/* Codes that only a connection gives. */
static bool is_known_of_conn(int r)
{
    return is_known(r) || r == CHUTE_EPARTIAL || r == CHUTE_EPROTO ||
           r == CHUTE_EPIPE || r == CHUTE_EKIND;
}

static void check_conn_call(int r, int64_t begin)
{
    count(r);
    if (!is_known_of_conn(r))
        CHECK_STR(chute_errname(r), "a code that send and recv may give");
    CHECK(plat_now() - begin < LONGEST_NS);
}

static void scribble_on_page(chute_conn *conn)
{
    struct shm_pipe *shm = conn->memory->shm;
    _Atomic uint64_t *page = (_Atomic uint64_t *)(void *)shm;

    for (unsigned n = 0;; n++) {
        spoil(page + random_word() % (sizeof *shm / 8));
        atomic_fetch_add(n_scribbles, 1);
        if (n % 64 == 0)
            usleep(50);
    }
}

struct pipe_round {
    chute_conn *ends[2];
    int64_t end;
};

static void *send_all_the_time(void *arg)
{
    static char data[5000];
    struct pipe_round *round = arg;

    for (size_t n = 0; plat_now() < round->end; n++) {
        int64_t begin = plat_now();
        check_conn_call(chute_conn_send_bytes(round->ends[0], data,
                                              n * 61 % sizeof data, TIMEOUT_NS),
                        begin);
        begin = plat_now();
        check_conn_call(
            chute_conn_send(round->ends[0],
                            chute_list(chute_int(42), chute_str("x")),
                            TIMEOUT_NS),
            begin);
    }
    return NULL;
}

static void *recv_all_the_time(void *arg)
{
    char buf[3000];
    struct pipe_round *round = arg;
    chute_value *v;
    size_t len;

    while (plat_now() < round->end) {
        int64_t begin = plat_now();
        check_conn_call(chute_conn_recv_bytes(round->ends[1], buf, sizeof buf,
                                              &len, TIMEOUT_NS),
                        begin);
        begin = plat_now();
        check_conn_call(chute_conn_recv(round->ends[1], &v, TIMEOUT_NS), begin);
        chute_value_free(v);
        begin = plat_now();
        int r = chute_conn_poll(round->ends[1], CHUTE_NOWAIT);
        check_conn_call(r < 0 ? r : 0, begin);
    }
    return NULL;
}

static void run_pipe_round(unsigned n)
{
    struct pipe_round round;
    pthread_t send, recv[2];
    int status;

    CHECK_OK(chute_pipe(round.ends, NULL));
    round.end = plat_now() + CHUTE_MS(PIPE_ROUND_MS);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        state = n * 1000003 + 7;
        scribble_on_page(round.ends[0]);
    }
    CHECK_OK(pthread_create(&send, NULL, send_all_the_time, &round));
    for (int i = 0; i < 2; i++)
        CHECK_OK(pthread_create(&recv[i], NULL, recv_all_the_time, &round));
    pthread_join(send, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(recv[i], NULL);
    kill(pid, SIGKILL);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, SIGKILL);
    chute_conn_free(round.ends[0]);
    chute_conn_free(round.ends[1]);
}

TEST_TIMEOUT(garbage_in_the_page_of_a_pipe_harms_no_process, 120)
{
    begin_counts();
    for (unsigned n = 0; n < N_PIPE_ROUNDS; n++)
        run_pipe_round(n);
    check_counts();
}
