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
 * The control is the same scene on the C library's robust mutex, process-shared
 * and all. There the second is stranded for ever. If he is not, either the
 * system has been mended or this program no longer stages what it says, and it
 * fails so that somebody looks.
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
    pthread_mutex_t *mutex; /* of the control */
    int64_t firsts_timeout_ns;
} on;

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
    return -pthread_mutex_lock(on.mutex);
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
    if (pthread_mutex_lock(on.mutex) != 0)
        trouble("pthread_mutex_lock");
}

static void unlock_mutex(void)
{
    (void)pthread_mutex_unlock(on.mutex);
}

static void barge_mutex(void)
{
    unlock_mutex();
    lock_mutex();
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
} sites[] = {
    {"get, for an item", do_get, 0, hold_nothing, put_one, NULL, 0, 0, 0},
    {"put, for room", do_put, 1, put_one, get_one, NULL, 0, 0, 0},
    {"put, for its lock", do_put, 0, hold_put, barge_put, drop_put, 0, 0, 0},
    {"get, for its lock", do_get, 0, fill_and_hold_get, barge_get, drop_get, 0,
     0, 0},
    {"close, for its lock", do_close, 0, hold_put, barge_put, drop_put, 0, 0,
     0},
    {"late: get, for an item", do_get, 0, hold_nothing, put_two, NULL, 0, 1, 0},
    {"late: put, for room", do_put, 2, put_two, get_two, NULL, 0, 1, 0},
    {"late: put, for its lock", do_put, 0, hold_put, barge_put, drop_put, 0, 1,
     0},
    {"late: get, for its lock", do_get, 0, fill_and_hold_get, barge_get,
     drop_get, 0, 1, 0},
    {"late: get, then closed", do_get, 0, hold_nothing, put_one_and_close, NULL,
     CHUTE_EOF, 1, 0},
    {"late: put, then closed", do_put, 1, put_one, swap_one_and_close, NULL,
     CHUTE_ECLOSED, 1, 0},
    {"control: a robust mutex", do_lock_mutex, 0, lock_mutex, barge_mutex,
     unlock_mutex, 0, 0, 1},
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

/* Whether the process is in its futex wait, asleep. */
static bool sleeps_on_futex(pid_t pid)
{
    char path[64], text[32] = "";

    snprintf(path, sizeof path, "/proc/%d/syscall", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        trouble(path);
    bool read = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    return read && strtol(text, NULL, 10) == SYS_futex;
}

static void await_sleep(pid_t pid)
{
    while (!sleeps_on_futex(pid))
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
    } while (trace_await_syscall(pid, &result) != SYS_futex);
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

static pthread_mutex_t *mutex_new(void)
{
    pthread_mutexattr_t attr;
    pthread_mutex_t *mutex = shared_new(sizeof *mutex);

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    if (pthread_mutex_init(mutex, &attr) != 0)
        trouble("pthread_mutex_init");
    return mutex;
}

static void set(const struct site *site)
{
    on.site = site;
    on.firsts_timeout_ns = site->late ? LATE_NS : CHUTE_SEC(10);
    atomic_store(&report->done_at, 0);
    MUST(chute_queue_new(&on.queue, CHUTE_OPTIONS(chute_queue_options,
                                                  .maxsize = site->maxsize)));
    on.mutex = mutex_new();
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
    bool woken = result == 0;
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
    return stat.n_rescues;
}

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
    if (!locks_are_free(on.queue))
        return "A LOCK IS NOT FREE";
    if (site->late && rescues() != 0)
        return "NEEDED THE TICK";
    return NULL;
}

static void clear(void)
{
    on.queue = chute_queue_free(on.queue);
    plat_unmap(on.mutex, sizeof *on.mutex);
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
    puts(n_flaws ? "strand: BROKEN" : "strand: nobody is stranded");
    return n_flaws ? EXIT_BROKEN : 0;
}
