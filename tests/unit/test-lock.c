/* test-lock.c - src/shm/lock.c: one owner at a time, whoever dies. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "asleep.h"
#include "chute/common.h"
#include "chute/error.h"
#include "shm/lock.h"
#include "test.h"

/* A page that children share. */
struct shared {
    struct shm_lock lock;
    _Atomic uint32_t step;
    uint64_t counter; /* under lock */
};

static struct shared *shared_new(void)
{
    void *mem;

    CHECK_OK(plat_map(-1, 0, sizeof(struct shared), &mem));
    return mem;
}

static void shared_free(struct shared *s)
{
    plat_unmap(s, sizeof *s);
}

static int64_t in_ms(int ms)
{
    return plat_now() + CHUTE_MS(ms);
}

static void await_step(struct shared *s, uint32_t step)
{
    while (atomic_load(&s->step) < step)
        usleep(1000);
}

/* Run fn(s) in a child. */
static pid_t child(void (*fn)(struct shared *), struct shared *s)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        fn(s);
        _exit(0);
    }
    return pid;
}

static void reap(pid_t pid, int expected_status)
{
    int status;

    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, expected_status);
}

static void hold_until_killed(struct shared *s)
{
    CHECK_EQ(lock_take(&s->lock, PLAT_NEVER, false), 0);
    atomic_store(&s->step, 1);
    for (;;)
        pause();
}

TEST(a_free_lock_is_taken_and_dropped)
{
    struct shared *s = shared_new();

    CHECK_EQ(lock_take(&s->lock, 0, false), 0);
    CHECK_EQ(atomic_load(&s->lock.word), (uint32_t)gettid());
    lock_drop(&s->lock);
    CHECK_EQ(atomic_load(&s->lock.word), 0);
    shared_free(s);
}

TEST(the_same_thread_cannot_take_it_twice)
{
    struct shared *s = shared_new();

    CHECK_EQ(lock_take(&s->lock, PLAT_NEVER, false), 0);
    CHECK_EQ(lock_take(&s->lock, PLAT_NEVER, false), -EDEADLK);
    lock_drop(&s->lock);
    CHECK_EQ(lock_take(&s->lock, 0, false), 0);
    lock_drop(&s->lock);
    shared_free(s);
}

TEST_TIMEOUT(a_deadline_ends_the_wait_for_a_held_lock, 10)
{
    struct shared *s = shared_new();
    pid_t pid = child(hold_until_killed, s);

    await_step(s, 1);
    int64_t before = plat_now();
    CHECK_EQ(lock_take(&s->lock, in_ms(70), false), -ETIMEDOUT);
    CHECK(plat_now() - before >= CHUTE_MS(70));
    CHECK_EQ(lock_take(&s->lock, 0, false), -ETIMEDOUT);
    kill(pid, SIGKILL);
    reap(pid, SIGKILL);
    shared_free(s);
}

TEST(a_killed_owner_leaves_the_lock_to_the_next)
{
    struct shared *s = shared_new();
    pid_t pid = child(hold_until_killed, s);

    await_step(s, 1);
    kill(pid, SIGKILL);
    CHECK_EQ(lock_take(&s->lock, in_ms(5000), false), LOCK_DIED);
    CHECK_EQ(atomic_load(&s->lock.n_deaths), 1);
    CHECK_EQ(atomic_load(&s->lock.n_rescues), 0);
    lock_drop(&s->lock);
    CHECK_EQ(lock_take(&s->lock, 0, false), 0);
    lock_drop(&s->lock);
    reap(pid, SIGKILL);
    shared_free(s);
}

static void wait_then_drop(struct shared *s)
{
    int r = lock_take(&s->lock, PLAT_NEVER, false);
    CHECK(r == 0 || r == LOCK_DIED);
    lock_drop(&s->lock);
}

static void start_waiters(struct shared *s, pid_t *waiters, int n)
{
    for (int i = 0; i < n; i++)
        waiters[i] = child(wait_then_drop, s);
    for (int i = 0; i < n; i++)
        await_sleep(waiters[i]);
}

TEST_TIMEOUT(sleeping_waiters_all_get_it_after_the_owner_was_killed, 10)
{
    struct shared *s = shared_new();
    pid_t waiter[5];

    without_tick();
    pid_t owner = child(hold_until_killed, s);
    await_step(s, 1);
    start_waiters(s, waiter, 5);
    kill(owner, SIGKILL);
    reap(owner, SIGKILL);
    for (int i = 0; i < 5; i++)
        reap(waiter[i], 0);
    CHECK_EQ(atomic_load(&s->lock.n_deaths), 1);
    shared_free(s);
}

/* The release wakes one, and clears the bit that tells of all the others: so
 * each has to say that there may be more. */
TEST_TIMEOUT(sleeping_waiters_wake_one_after_the_other, 10)
{
    struct shared *s = shared_new();
    pid_t waiter[5];

    without_tick();
    CHECK_OK(lock_take(&s->lock, 0, false));
    start_waiters(s, waiter, 5);
    lock_drop(&s->lock);
    for (int i = 0; i < 5; i++)
        reap(waiter[i], 0);
    CHECK_EQ(atomic_load(&s->lock.word), 0);
    shared_free(s);
}

/* The first half of lock_drop(): the wake-up is yet to come. */
static void drop_silently(struct shared *s)
{
    atomic_store(&s->lock.word, 0);
    plat_pend(&plat_self_, NULL);
}

/* On a busy machine there may be no telling, and it is not. */
TEST_TIMEOUT(a_wake_up_that_was_lost_is_counted, 60)
{
    struct shared *s = shared_new();
    pid_t waiter;

    while (atomic_load(&s->lock.n_rescues) == 0) {
        CHECK_OK(lock_take(&s->lock, 0, false));
        start_waiters(s, &waiter, 1);
        drop_silently(s);
        reap(waiter, 0);
    }
    CHECK_EQ(atomic_load(&s->lock.n_rescues), 1);
    shared_free(s);
}

TEST(one_that_came_after_the_tick_was_not_lost)
{
    struct shared *s = shared_new();
    pid_t waiter;

    CHECK_OK(lock_take(&s->lock, 0, false));
    start_waiters(s, &waiter, 1);
    drop_silently(s);
    usleep(200000); /* the tick, and some of the grace */
    plat_wake(&s->lock.word, 1);
    reap(waiter, 0);
    CHECK_EQ(atomic_load(&s->lock.n_rescues), 0);
    shared_free(s);
}

static void give_up_in_a_moment(struct shared *s)
{
    CHECK_ERR(lock_take(&s->lock, in_ms(300), false), -ETIMEDOUT);
}

/* As if he had been woken, but somebody else had taken the free word first: the
 * bit is gone, and only he knows of it. */
TEST_TIMEOUT(who_was_woken_and_gives_up_tells_of_those_who_sleep_on, 10)
{
    struct shared *s = shared_new();
    pid_t waiter;

    without_tick();
    CHECK_OK(lock_take(&s->lock, 0, false));
    pid_t hurried = child(give_up_in_a_moment, s);
    start_waiters(s, &waiter, 1);
    atomic_fetch_and(&s->lock.word, ~PLAT_WAITERS);
    reap(hurried, 0);
    lock_drop(&s->lock);
    reap(waiter, 0);
    shared_free(s);
}

/* The kernel may have been unable to help: the word names a thread that is no
 * more, and no bit says so. */
TEST(an_owner_that_vanished_without_a_trace_is_found_out)
{
    struct shared *s = shared_new();
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    reap(pid, 0);
    atomic_store(&s->lock.word, (uint32_t)pid);
    CHECK_EQ(lock_take(&s->lock, in_ms(10000), false), LOCK_DIED);
    CHECK_EQ(atomic_load(&s->lock.word) & PLAT_OWNER_MASK, (uint32_t)gettid());
    lock_drop(&s->lock);
    shared_free(s);
}

/* fork(2) itself registers no robust list for the child; the library does. */
TEST(a_child_of_the_bare_system_call_is_covered_too)
{
    struct shared *s = shared_new();

    CHECK_EQ(lock_take(&s->lock, 0, false), 0); /* we have an identity */
    lock_drop(&s->lock);
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    CHECK(pid >= 0);
    if (pid == 0) {
        if (lock_take(&s->lock, 0, false) != 0 ||
            atomic_load(&s->lock.word) != (uint32_t)syscall(SYS_gettid))
            syscall(SYS_exit_group, 1);
        atomic_store(&s->step, 1);
        for (;;)
            pause();
    }
    await_step(s, 1);
    kill(pid, SIGKILL);
    reap(pid, SIGKILL);
    CHECK_EQ(lock_take(&s->lock, 0, false), LOCK_DIED);
    lock_drop(&s->lock);
    shared_free(s);
}

static void on_signal(int signal)
{
    (void)signal;
}

TEST(a_signal_ends_the_wait_if_it_may)
{
    struct shared *s = shared_new();
    pid_t pid = child(hold_until_killed, s);
    struct sigaction action = {.sa_handler = on_signal};
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = SIGUSR1};
    struct itimerspec often = {.it_value = {.tv_nsec = 10000000},
                               .it_interval = {.tv_nsec = 10000000}};

    await_step(s, 1);
    sigaction(SIGUSR1, &action, NULL);
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    CHECK_OK(timer_settime(timer, 0, &often, NULL));
    CHECK_EQ(lock_take(&s->lock, in_ms(10000), true), -EINTR);
    CHECK_EQ(lock_take(&s->lock, in_ms(100), false), -ETIMEDOUT);
    timer_delete(timer);
    kill(pid, SIGKILL);
    reap(pid, SIGKILL);
    shared_free(s);
}

#define N_ROUNDS 20000

static void *count_up(void *arg)
{
    struct shared *s = arg;

    for (int i = 0; i < N_ROUNDS; i++) {
        CHECK_EQ(lock_take(&s->lock, PLAT_NEVER, false), 0);
        s->counter++;
        lock_drop(&s->lock);
    }
    return NULL;
}

static void count_up_in_two_threads(struct shared *s)
{
    pthread_t thread;

    CHECK_OK(pthread_create(&thread, NULL, count_up, s));
    count_up(s);
    pthread_join(thread, NULL);
}

TEST(threads_and_processes_exclude_each_other)
{
    struct shared *s = shared_new();
    pid_t pid[3];

    for (int i = 0; i < 3; i++)
        pid[i] = child(count_up_in_two_threads, s);
    count_up_in_two_threads(s);
    for (int i = 0; i < 3; i++)
        reap(pid[i], 0);
    CHECK_EQ(s->counter, 8 * N_ROUNDS);
    CHECK_EQ(atomic_load(&s->lock.word), 0);
    CHECK_EQ(atomic_load(&s->lock.n_rescues), 0);
    shared_free(s);
}

/* -- guards ----------------------------------------------------------------- */

static struct lock_guard guard;
static struct shm_lock *lock;

static int take_guarded(void)
{
    return lock_take_guarded(lock, &guard, in_ms(1000), false);
}

/* A guard is needed, and used, only where the process has other threads. */
static pthread_t other_thread;
static sem_t other_may_end;

static void *be_there(void *unused)
{
    while (sem_wait(&other_may_end) < 0)
        ;
    return unused;
}

static void company_begin(void)
{
    CHECK_EQ(sem_init(&other_may_end, 0, 0), 0);
    CHECK_OK(pthread_create(&other_thread, NULL, be_there, NULL));
}

static void company_end(void)
{
    CHECK_EQ(sem_post(&other_may_end), 0);
    CHECK_OK(pthread_join(other_thread, NULL));
}

static void *be_refused(void *unused)
{
    CHECK_ERR(take_guarded(), CHUTE_ECORRUPT);
    return unused;
}

TEST(a_guard_keeps_a_second_thread_out_where_the_word_was_overwritten)
{
    struct shared *s = shared_new();
    pthread_t thread;

    lock = &s->lock;
    company_begin();
    CHECK_OK(take_guarded());
    atomic_store(&lock->word, 0); /* as a hostile peer would */
    CHECK_OK(pthread_create(&thread, NULL, be_refused, NULL));
    CHECK_OK(pthread_join(thread, NULL));
    lock_drop_guarded(lock, &guard);
    CHECK_OK(take_guarded());
    lock_drop_guarded(lock, &guard);
    company_end();
    shared_free(s);
}

TEST(a_guard_that_a_child_inherits_is_free)
{
    struct shared *s = shared_new();
    int status;

    lock = &s->lock;
    company_begin();
    CHECK_OK(take_guarded());
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK_OK(take_guarded()); /* once the parent has let go */
        lock_drop_guarded(lock, &guard);
        _exit(0);
    }
    usleep(20000);
    lock_drop_guarded(lock, &guard);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    company_end();
    shared_free(s);
}

static void *end_inside(void *unused)
{
    CHECK_OK(take_guarded());
    return unused;
}

TEST(a_guard_whose_thread_has_ended_is_free)
{
    struct shared *s = shared_new();
    pthread_t thread;

    lock = &s->lock;
    company_begin();
    CHECK_OK(pthread_create(&thread, NULL, end_inside, NULL));
    CHECK_OK(pthread_join(thread, NULL));
    CHECK_EQ(take_guarded(), LOCK_DIED);
    lock_drop_guarded(lock, &guard);
    company_end();
    shared_free(s);
}
