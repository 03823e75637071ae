/* strand.c - the one who was woken dies before he acts.
 *
 * A wake-up goes to one sleeper. If that one is killed before he has done
 * anything with it, it is lost; the next one sleeps on, though there is work
 * for him. Random kills hardly ever hit this, for it takes a kill within a few
 * instructions, and, for a lock, a third party that takes it in between. So it
 * is staged here, at every place where chute sleeps:
 *
 *     the first    traced, is let into its futex wait
 *     the second   goes to sleep behind it
 *     the wake     is sent: the kernel gives it to the first, who is stopped
 *                  where his system call returns
 *     the barger   (locks) takes the free lock: then not even the kernel, which
 *                  looks after a dead waiter's lock word, sees need to wake
 *     the kill     of the first; the barger, if any, lets go
 *
 * The second has to go on within a tick, the grace for counting it, and 40 ms
 * for the machine.
 *
 * In the scenes called "late" nobody is killed: the first comes back from his
 * wait when his timeout is over, and does what is still to be done. Whatever
 * that is, he has used up a wake-up, and has to pass it on if there is reason
 * to; the tick must not be needed for that, so no rescue may be counted.
 *
 * The controls are the same scene on the C library's robust mutex, and on its
 * condition variable, process-shared and all. There the second is stranded for
 * ever. If he is not, either the system has been mended or this program no longer
 * stages what it says, and it fails so that somebody looks.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chute/error.h"
#include "ipc/conn.h"
#include "plat/io.h"
#include "plat/plat.h"
#include "shm/lock.h"
#include "shm/tick.h"
#include "torture.h"
#include "trace.h"

/* A tick, what count_if_lost() in queue.c waits, and the machine's share. */
#define LIMIT_NS (TICK_NS + CHUTE_MS(10) + CHUTE_MS(40))

/* How long the control's second is given. */
#define STRANDED_NS CHUTE_SEC(1)

/* The first's timeout in the scenes where he is late: much less than a tick, so
 * that neither of the two is up by himself before. */
#define LATE_NS CHUTE_MS(20)

/* A wait that the machine was too slow for is staged again so often. */
#define N_TRIES 20

/* -- the scenes ------------------------------------------------------------- */

struct site;

static struct {
    const struct site *site;
    chute_queue *queue;
    chute_conn *near, *far;
    struct control *control;
    int64_t firsts_timeout_ns;
} on;

/* What the C library offers in chute's stead. */
struct control {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    int n_items;
};

/* What the second reports, in shared memory. */
struct report {
    _Atomic int64_t done_at;
    int r;
};

static struct report *report;

static int do_put(int64_t timeout_ns)
{
    return chute_queue_put_bytes(on.queue, "x", 1, timeout_ns);
}

static int do_get(int64_t timeout_ns)
{
    char buf[8];
    size_t len;

    return chute_queue_get_bytes(on.queue, buf, sizeof buf, &len, timeout_ns);
}

static int do_close(int64_t timeout_ns)
{
    (void)timeout_ns;
    return chute_queue_close(on.queue);
}

static int do_lock_mutex(int64_t timeout_ns)
{
    (void)timeout_ns;
    return -pthread_mutex_lock(&on.control->mutex);
}

/* A get, as one would write it with a condition variable. */
static int do_get_by_cond(int64_t timeout_ns)
{
    struct control *control = on.control;

    (void)timeout_ns;
    if (pthread_mutex_lock(&control->mutex) == EOWNERDEAD)
        pthread_mutex_consistent(&control->mutex);
    while (control->n_items == 0)
        if (pthread_cond_wait(&control->cond, &control->mutex) == EOWNERDEAD)
            pthread_mutex_consistent(&control->mutex);
    control->n_items--;
    return -pthread_mutex_unlock(&control->mutex);
}

static int do_send(int64_t timeout_ns)
{
    return chute_conn_send_bytes(on.near, "x", 1, timeout_ns);
}

static int do_recv(int64_t timeout_ns)
{
    char buf[8];
    size_t len;

    return chute_conn_recv_bytes(on.near, buf, sizeof buf, &len, timeout_ns);
}

static struct shm_lock *put_lock(void)
{
    return &chain_of(on.queue)->shm->put_lock;
}

static struct shm_lock *get_lock(void)
{
    return &chain_of(on.queue)->shm->get_lock;
}

static void take(struct shm_lock *lock)
{
    MUST(lock_take(lock, plat_now() + CHUTE_SEC(1), false));
}

static void hold_nothing(void)
{
}

static void put_one(void)
{
    MUST(do_put(CHUTE_NOWAIT));
}

static void get_one(void)
{
    MUST(do_get(CHUTE_NOWAIT));
}

static void put_two(void)
{
    put_one();
    put_one();
}

static void get_two(void)
{
    get_one();
    get_one();
}

static void put_one_and_close(void)
{
    put_one();
    MUST(do_close(0));
}

/* The room is gone again when the first comes to look. */
static void swap_one_and_close(void)
{
    get_one();
    put_one_and_close();
}

static void hold_put(void)
{
    take(put_lock());
}

static void drop_put(void)
{
    lock_drop(put_lock());
}

static void fill_and_hold_get(void)
{
    put_two();
    take(get_lock());
}

static void barge_put(void)
{
    drop_put();
    hold_put();
}

static void barge_get(void)
{
    lock_drop(get_lock());
    take(get_lock());
}

static void drop_get(void)
{
    lock_drop(get_lock());
}

static void lock_mutex(void)
{
    if (pthread_mutex_lock(&on.control->mutex) != 0)
        trouble("pthread_mutex_lock");
}

static void unlock_mutex(void)
{
    (void)pthread_mutex_unlock(&on.control->mutex);
}

static void barge_mutex(void)
{
    unlock_mutex();
    lock_mutex();
}

static void put_by_cond(void)
{
    lock_mutex();
    on.control->n_items++;
    pthread_cond_signal(&on.control->cond);
    unlock_mutex();
}

/* -- of connections */

static void send_to_near(void)
{
    MUST(chute_conn_send_bytes(on.far, "x", 1, CHUTE_NOWAIT));
}

static struct shm_lock *send_lock(void)
{
    return &on.near->own->send_lock;
}

static struct shm_lock *recv_lock(void)
{
    return &on.near->own->recv_lock;
}

static void hold_send(void)
{
    take(send_lock());
}

static void drop_send(void)
{
    lock_drop(send_lock());
}

static void barge_send(void)
{
    drop_send();
    hold_send();
}

static void send_two_and_hold_recv(void)
{
    send_to_near();
    send_to_near();
    take(recv_lock());
}

static void drop_recv(void)
{
    lock_drop(recv_lock());
}

static void barge_recv(void)
{
    drop_recv();
    take(recv_lock());
}

static void fill_socket(void)
{
    static const char bytes[30000];

    while (chute_conn_send_bytes(on.near, bytes, sizeof bytes, CHUTE_NOWAIT) ==
           0)
        continue;
    while (do_send(CHUTE_NOWAIT) == 0)
        continue;
}

static void drain_socket(void)
{
    static char bytes[30000];
    size_t len;

    while (chute_conn_recv_bytes(on.far, bytes, sizeof bytes, &len,
                                 CHUTE_NOWAIT) == 0)
        continue;
}

static void write_raw(const char *bytes, size_t n)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};

    if (io_send(on.far->fd, &part, 1) != (ssize_t)n)
        trouble("writing into the socket");
}

/* The beginning of a message is in our hands. */
static void keep_half(void)
{
    write_raw("\0\0\0\4ab", 6);
    if (do_recv(CHUTE_NOWAIT) != CHUTE_ETIMEDOUT)
        trouble("keeping half a message");
}

/* And here is the rest, with one message for each of the two. */
static void finish_half(void)
{
    write_raw("cd", 2);
    send_to_near();
    send_to_near();
    MUST(do_recv(CHUTE_NOWAIT));
}

static const struct site {
    const char *name;
    int (*act)(int64_t timeout_ns); /* of the first and the second */
    uint64_t maxsize;
    void (*prepare)(void);
    void (*wake)(void);  /* and barge */
    void (*leave)(void); /* after the first's end; NULL: nothing */
    int gives;           /* what the second is to get */
    bool late;
    bool control;
    bool polls; /* sleeps in ppoll(2), not on a futex */
} sites[] = {
    {"get, for an item", do_get, 0, hold_nothing, put_one, NULL, 0, 0, 0, 0},
    {"put, for room", do_put, 1, put_one, get_one, NULL, 0, 0, 0, 0},
    {"put, for its lock", do_put, 0, hold_put, barge_put, drop_put, 0, 0, 0, 0},
    {"get, for its lock", do_get, 0, fill_and_hold_get, barge_get, drop_get, 0,
     0, 0, 0},
    {"close, for its lock", do_close, 0, hold_put, barge_put, drop_put, 0, 0, 0,
     0},
    {"late: get, for an item", do_get, 0, hold_nothing, put_two, NULL, 0, 1, 0,
     0},
    {"late: put, for room", do_put, 2, put_two, get_two, NULL, 0, 1, 0, 0},
    {"late: put, for its lock", do_put, 0, hold_put, barge_put, drop_put, 0, 1,
     0, 0},
    {"late: get, for its lock", do_get, 0, fill_and_hold_get, barge_get,
     drop_get, 0, 1, 0, 0},
    {"late: get, then closed", do_get, 0, hold_nothing, put_one_and_close, NULL,
     CHUTE_EOF, 1, 0, 0},
    {"late: put, then closed", do_put, 1, put_one, swap_one_and_close, NULL,
     CHUTE_ECLOSED, 1, 0, 0},
    {"send, for its lock", do_send, 0, hold_send, barge_send, drop_send, 0, 0,
     0, 0},
    {"recv, for its lock", do_recv, 0, send_two_and_hold_recv, barge_recv,
     drop_recv, 0, 0, 0, 0},
    {"recv, for who has half", do_recv, 0, keep_half, finish_half, NULL, 0, 0,
     0, 0},
    {"recv, for a message", do_recv, 0, hold_nothing, send_to_near, NULL, 0, 0,
     0, 1},
    {"send, for room", do_send, 0, fill_socket, drain_socket, NULL, 0, 0, 0, 1},
    {"late: send, for its lock", do_send, 0, hold_send, barge_send, drop_send,
     0, 1, 0, 0},
    {"late: recv, for its lock", do_recv, 0, send_two_and_hold_recv, barge_recv,
     drop_recv, 0, 1, 0, 0},
    {"control: a condition", do_get_by_cond, 0, hold_nothing, put_by_cond, NULL,
     0, 0, 1, 0},
    {"control: a robust mutex", do_lock_mutex, 0, lock_mutex, barge_mutex,
     unlock_mutex, 0, 0, 1, 0},
};

#define N_SITES (sizeof sites / sizeof sites[0])

/* -- the two sleepers ------------------------------------------------------- */

static void be_first(void *unused)
{
    (void)unused;
    (void)on.site->act(on.firsts_timeout_ns);
}

static pid_t start_second(void)
{
    pid_t pid = fork();

    MUST(pid);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        report->r = on.site->act(CHUTE_SEC(10));
        atomic_store(&report->done_at, plat_now());
        _exit(0);
    }
    return pid;
}

static long sleep_call(void)
{
    return on.site->polls ? SYS_ppoll : SYS_futex;
}

static void await_sleep(pid_t pid)
{
    while (!trace_sleeps_in(pid, sleep_call()))
        usleep(50);
}

/* The first, set going into its futex wait. */
static pid_t start_first(void)
{
    long result;
    pid_t pid = trace_start(be_first, NULL);

    if (pid < 0) {
        perror("strand: nobody may trace here");
        exit(EXIT_SKIP);
    }
    do {
        trace_go(pid);
    } while (trace_await_syscall(pid, &result) != sleep_call());
    trace_go(pid);
    await_sleep(pid);
    return pid;
}

static void reap(pid_t pid)
{
    int status;

    MUST(waitpid(pid, &status, 0));
}

/* -- staging ---------------------------------------------------------------- */

static struct control *control_new(void)
{
    pthread_mutexattr_t attr;
    pthread_condattr_t cond_attr;
    struct control *control = shared_new(sizeof *control);

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_condattr_init(&cond_attr);
    pthread_condattr_setpshared(&cond_attr, PTHREAD_PROCESS_SHARED);
    if (pthread_mutex_init(&control->mutex, &attr) != 0 ||
        pthread_cond_init(&control->cond, &cond_attr) != 0)
        trouble("the control");
    return control;
}

static void set(const struct site *site)
{
    chute_conn *ends[2];

    on.site = site;
    on.firsts_timeout_ns = site->late ? LATE_NS : CHUTE_SEC(10);
    atomic_store(&report->done_at, 0);
    MUST(chute_queue_new(&on.queue, CHUTE_OPTIONS(chute_queue_options,
                                                  .maxsize = site->maxsize)));
    MUST(chute_pipe(ends, NULL));
    on.near = ends[0];
    on.far = ends[1];
    on.control = control_new();
    site->prepare();
}

/* The first is let run to his end. */
static void run_to_end(pid_t first)
{
    long result;

    do
        trace_go(first);
    while (trace_await_syscall(first, &result) != -1);
}

/* Wait for the second. How long after `since` he went on; INT64_MAX: not. */
static int64_t await_second(pid_t second, int64_t since)
{
    while (!atomic_load(&report->done_at) && plat_now() - since < STRANDED_NS)
        usleep(100);
    int64_t done_at = atomic_load(&report->done_at);
    kill(second, SIGKILL);
    reap(second);
    return done_at ? done_at - since : INT64_MAX;
}

/* One try. false: the first was not woken by us, but by his tick. */
static bool stage(const struct site *site, int64_t *ret_waited)
{
    long result = -1;

    set(site);
    pid_t first = start_first();
    pid_t second = start_second();
    await_sleep(second);
    site->wake();
    (void)trace_await_syscall(first, &result);
    bool woken = result == (site->polls ? 1 : 0);
    if (woken && site->late) {
        usleep(LATE_NS / 1000);
        run_to_end(first);
    }
    int64_t since = plat_now();
    trace_kill(first);
    if (site->leave)
        site->leave();
    *ret_waited = await_second(second, since);
    return woken;
}

static uint64_t rescues(void)
{
    struct chute_queue_stats stat = {.size = sizeof stat};

    MUST(chute_queue_stat(on.queue, &stat));
    return stat.n_rescues + atomic_load(&send_lock()->n_rescues) +
           atomic_load(&recv_lock()->n_rescues);
}

static struct {
    unsigned long kills;
    int64_t stall_ns;
} total;

/* The queue, after the second has gone on. */
static const char *flaw(const struct site *site, int64_t waited)
{
    if (site->control)
        return waited == INT64_MAX ? NULL : "NOT STRANDED: see strand.c";
    if (waited == INT64_MAX)
        return "STRANDED";
    if (waited > LIMIT_NS)
        return "TOO LATE";
    if (report->r != site->gives)
        return "REFUSED";
    if (!locks_are_free(on.queue) || atomic_load(&send_lock()->word) != 0 ||
        atomic_load(&recv_lock()->word) != 0)
        return "A LOCK IS NOT FREE";
    if (site->late && rescues() != 0)
        return "NEEDED THE TICK";
    return NULL;
}

static void clear(void)
{
    on.queue = chute_queue_free(on.queue);
    on.near = chute_conn_free(on.near);
    on.far = chute_conn_free(on.far);
    plat_unmap(on.control, sizeof *on.control);
}

/* Whether all was well. */
static bool play(const struct site *site)
{
    int64_t waited = 0;
    bool staged = false;
    int n = 0;

    while (!staged && n++ < N_TRIES) {
        if (n > 1)
            clear();
        staged = stage(site, &waited);
    }
    const char *what = staged ? flaw(site, waited) : "COULD NOT BE STAGED";
    total.kills += staged;
    if (!site->control && waited > total.stall_ns)
        total.stall_ns = waited;
    if (waited == INT64_MAX)
        printf("%-26s never", site->name);
    else
        printf("%-26s %5.1f", site->name, waited < 0 ? 0 : ms_of(waited));
    printf(" %8llu %6d  %s\n", (unsigned long long)rescues(), n,
           what            ? what
           : site->control ? "stranded, as it must be"
                           : "ok");
    fflush(stdout);
    clear();
    return !what;
}

/* One waits for a lock, his tick is over, and while he is getting up (the
 * machine is busy) the owner lets go. No wake-up was lost: there was nobody
 * asleep any more whom it could have gone to. */
static bool play_slow_riser(void)
{
    static const struct site site = {.act = do_put, .prepare = hold_put};
    long result = 0;

    set(&site);
    pid_t first = start_first();
    (void)trace_await_syscall(first, &result);
    usleep(LATE_NS / 1000);
    drop_put();
    run_to_end(first);
    trace_kill(first);
    bool well = result == -ETIMEDOUT && rescues() == 0;
    printf("%-26s %5s %8llu %6d  %s\n", "a slow riser, for a lock", "-",
           (unsigned long long)rescues(), 1, well ? "ok" : "COUNTED AS LOST");
    clear();
    return well;
}

int main(int argc, char **argv)
{
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 3;
    unsigned n_flaws = 0;

    if (!TRACE_WORKS) {
        puts("strand: no tracer for this processor");
        return EXIT_SKIP;
    }
    report = shared_new(sizeof *report);
    printf("%-26s %5s %8s %6s\n", "who is woken and dies", "ms", "rescues",
           "tries");
    for (unsigned long i = 0; i < rounds; i++) {
        for (size_t k = 0; k < N_SITES; k++)
            n_flaws += !play(&sites[k]);
        n_flaws += !play_slow_riser();
    }
    printf("the second went on within %.0f ms or did not; %u flaws\n",
           ms_of(LIMIT_NS), n_flaws);
    torture_row("strand", total.kills, 0, 0, 0, total.stall_ns);
    puts(n_flaws ? "strand: BROKEN" : "strand: nobody is stranded");
    return n_flaws ? EXIT_BROKEN : 0;
}
