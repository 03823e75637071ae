/* test-queue-wait.c - src/ipc/queue.c: waiting, waking, close and fork.
 *
 * Who waits sleeps as long as it may, and is woken by whom it waits for. That
 * this is so, and that no help of the clock is needed, is seen without a tick
 * (asleep.h): whose wake-up is lost then misses the test's deadline.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <chute.h>

#include "asleep.h"
#include "ipc/queue.h"
#include "plat/plat.h"
#include "queue-scene.h"
#include "shm/event.h"
#include "shm/lock.h"
#include "shm/ring.h"
#include "test.h"

/* For what takes a second, on a busy machine. */
#define SOON 10

/* Run fn(q) in a child after a moment. */
/* -- waiting ---------------------------------------------------------------- */

TEST(a_get_that_may_not_wait_says_that_the_time_is_up)
{
    chute_queue *q = queue_new(0, 0);

    CHECK_EQ(get_int(q, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    chute_queue_free(q);
}

TEST(a_put_that_may_not_wait_says_that_the_time_is_up)
{
    chute_queue *q = queue_new(1, 0);

    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK_ERR(put_int(q, 2, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK_EQ(qsize(q), 1);
    chute_queue_free(q);
}

TEST(a_timeout_is_waited_for_in_full)
{
    chute_queue *q = queue_new(1, 0);
    int64_t before = plat_now();

    CHECK_EQ(get_int(q, CHUTE_MS(120)), CHUTE_ETIMEDOUT);
    CHECK(plat_now() - before >= CHUTE_MS(120));
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    before = plat_now();
    CHECK_ERR(put_int(q, 2, CHUTE_MS(120)), CHUTE_ETIMEDOUT);
    CHECK(plat_now() - before >= CHUTE_MS(120));
    chute_queue_free(q);
}

/* -- looking before sleeping ------------------------------------------------ */

static chute_queue *queue_that_spins(uint64_t spin_ns)
{
    chute_queue *q;

    CHECK_OK(chute_queue_new(
        &q, CHUTE_OPTIONS(chute_queue_options, .spin_ns = spin_ns)));
    return q;
}

static unsigned vain_waits(chute_queue *q)
{
    return atomic_load(&q->getting.n_vain);
}

TEST(nobody_looks_for_longer_than_a_second)
{
    chute_queue *q;

    CHECK_ERR(chute_queue_new(&q, CHUTE_OPTIONS(chute_queue_options,
                                                .spin_ns = 1000000001)),
              CHUTE_EINVAL);
    chute_queue_free(queue_that_spins(CHUTE_SEC(1)));
    chute_queue_free(queue_that_spins(CHUTE_SPIN_NEVER));
}

TEST(a_handle_that_never_spins_sleeps_at_once)
{
    chute_queue *q = queue_that_spins(CHUTE_SPIN_NEVER);

    CHECK_EQ(get_int(q, CHUTE_MS(1)), CHUTE_ETIMEDOUT);
    CHECK_EQ(vain_waits(q), 0);
    chute_queue_free(q);
}

TEST(nor_does_it_spin_for_a_block)
{
    struct chute_loan all, loan;
    chute_queue *q;

    CHECK_OK(
        chute_queue_new(&q, CHUTE_OPTIONS(chute_queue_options, .memory = 65536,
                                          .spin_ns = CHUTE_SPIN_NEVER)));
    CHECK_OK(chute_queue_reserve(q, &all, 65536, CHUTE_NOWAIT));
    CHECK_ERR(chute_queue_reserve(q, &loan, 1, CHUTE_MS(1)), CHUTE_ETIMEDOUT);
    CHECK_EQ(atomic_load(&q->reserving.n_vain), 0);
    chute_queue_free(q);
}

TEST(pauses_are_tried_less_often_where_they_are_in_vain)
{
    chute_queue *q = queue_that_spins(0);

    for (unsigned i = 0; i < 10; i++) {
        CHECK_EQ(vain_waits(q), i);
        CHECK_EQ(get_int(q, CHUTE_MS(1)), CHUTE_ETIMEDOUT);
    }
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK_EQ(get_int(q, CHUTE_MS(1)), 1);
    CHECK_EQ(vain_waits(q), 10); /* that was no wait */
    chute_queue_free(q);
}

/* A wait during which so many come. */
static unsigned pause_after(chute_queue *q, uint32_t n_come)
{
    _Atomic uint64_t word = (uint64_t)n_come << 32;
    struct change change = {.chain = &q->chain,
                            .event = &q->chain.shm->items,
                            .word = &word,
                            .own = &word,
                            .is_left = ring_has_work_for_get};
    struct shm_blocked blocked = {.since = 0};
    struct patience patience;

    CHECK_OK(
        patience_begin(&patience, CHUTE_MS(1), false, &q->getting, &blocked));
    CHECK_EQ(patience_wait(&patience, &change), n_come ? 0 : -ETIMEDOUT);
    patience_end(&patience);
    return atomic_load(&q->getting.n_doubled);
}

TEST(the_pause_grows_where_much_comes_and_shrinks_where_little_does)
{
    chute_queue *q = queue_that_spins(0);

    CHECK_EQ(pause_after(q, 1), 0);
    CHECK_EQ(pause_after(q, 3), 1);
    CHECK_EQ(pause_after(q, 1000), 2);
    CHECK_EQ(pause_after(q, 1000), 3);
    CHECK_EQ(pause_after(q, 1000), 3);
    CHECK_EQ(pause_after(q, 2), 2);
    CHECK_EQ(pause_after(q, 0), 1);
    CHECK_EQ(pause_after(q, 0), 0);
    CHECK_EQ(pause_after(q, 0), 0);
    chute_queue_free(q);
}

static void put_7_in_a_moment(chute_queue *q);

TEST_TIMEOUT(who_looks_for_a_while_is_woken_all_the_same, SOON)
{
    static const uint64_t spin_ns[] = {CHUTE_SPIN_NEVER, 1000, CHUTE_MS(10),
                                       CHUTE_SEC(1)};

    for (size_t i = 0; i < sizeof spin_ns / sizeof spin_ns[0]; i++) {
        chute_queue *q = queue_that_spins(spin_ns[i]);
        pid_t pid = child(put_7_in_a_moment, q);
        CHECK_EQ(get_int(q, CHUTE_FOREVER), 7);
        reap(pid, 0);
        chute_queue_free(q);
    }
}

/* -- sleeping, and being woken ---------------------------------------------- */

static void put_7_in_a_moment(chute_queue *q)
{
    usleep(70000);
    CHECK_OK(put_int(q, 7, CHUTE_FOREVER));
}

TEST_TIMEOUT(a_blocked_get_is_woken_by_a_put_in_another_process, SOON)
{
    chute_queue *q = queue_new(0, 0);

    without_tick();
    pid_t pid = child(put_7_in_a_moment, q);
    CHECK_EQ(get_int(q, CHUTE_FOREVER), 7);
    reap(pid, 0);
    chute_queue_free(q);
}

static void get_in_a_moment(chute_queue *q)
{
    usleep(70000);
    CHECK_EQ(get_int(q, CHUTE_FOREVER), 1);
}

TEST_TIMEOUT(a_blocked_put_is_woken_by_a_get_in_another_process, SOON)
{
    chute_queue *q = queue_new(1, 0);

    without_tick();
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    pid_t pid = child(get_in_a_moment, q);
    CHECK_OK(put_int(q, 2, CHUTE_FOREVER));
    CHECK_EQ(qsize(q), 1);
    reap(pid, 0);
    chute_queue_free(q);
}

static void get_one(chute_queue *q)
{
    CHECK(get_int(q, CHUTE_FOREVER) >= 0);
}

static void get_bytes_value(chute_queue *q)
{
    chute_value *v;

    CHECK_ERR(chute_queue_get(q, &v, CHUTE_FOREVER), CHUTE_EPICKLE);
    chute_value_free(v);
}

TEST_TIMEOUT(as_many_sleepers_wake_as_there_are_items, SOON)
{
    chute_queue *q = queue_new(0, 0);
    pid_t pid[6];

    without_tick();
    for (int i = 0; i < 6; i++)
        pid[i] = child(get_one, q);
    for (int i = 0; i < 6; i++)
        await_sleep(pid[i]);
    for (int i = 0; i < 6; i++)
        CHECK_OK(put_int(q, i, CHUTE_NOWAIT));
    for (int i = 0; i < 6; i++)
        reap(pid[i], 0);
    chute_queue_free(q);
}

static void put_one(chute_queue *q)
{
    CHECK_OK(put_int(q, 1, CHUTE_FOREVER));
}

TEST_TIMEOUT(as_many_sleepers_wake_as_there_is_room_for, SOON)
{
    chute_queue *q = queue_new(6, 0);
    pid_t pid[6];

    without_tick();
    for (int i = 0; i < 6; i++)
        CHECK_OK(put_int(q, 0, CHUTE_NOWAIT));
    for (int i = 0; i < 6; i++)
        pid[i] = child(put_one, q);
    for (int i = 0; i < 6; i++)
        await_sleep(pid[i]);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(get_int(q, CHUTE_NOWAIT), 0);
    for (int i = 0; i < 6; i++)
        reap(pid[i], 0);
    CHECK_EQ(qsize(q), 6);
    chute_queue_free(q);
}

/* One wake-up is sent for many, and each who leaves passes it on. */
TEST_TIMEOUT(many_items_put_at_once_wake_as_many, SOON)
{
    chute_queue *q = queue_new(0, 0);
    chute_value *values[6];
    pid_t pid[6];
    size_t n;

    without_tick();
    for (int i = 0; i < 6; i++) {
        values[i] = chute_int(i);
        pid[i] = child(get_one, q);
        await_sleep(pid[i]);
    }
    CHECK_OK(chute_queue_put_many(q, values, 6, &n, CHUTE_NOWAIT));
    for (int i = 0; i < 6; i++)
        reap(pid[i], 0);
    chute_queue_free(q);
}

TEST_TIMEOUT(many_items_taken_at_once_wake_as_many, SOON)
{
    chute_queue *q = queue_new(6, 0);
    struct iovec items[6];
    pid_t pid[6];
    char buf[600];
    size_t n;

    without_tick();
    for (int i = 0; i < 6; i++)
        CHECK_OK(put_int(q, 0, CHUTE_NOWAIT));
    for (int i = 0; i < 6; i++) {
        pid[i] = child(put_one, q);
        await_sleep(pid[i]);
    }
    CHECK_OK(chute_queue_get_many_bytes(q, buf, sizeof buf, items, 6, &n,
                                        CHUTE_NOWAIT));
    CHECK_EQ(n, 6);
    for (int i = 0; i < 6; i++)
        reap(pid[i], 0);
    chute_queue_free(q);
}

/* It has been woken, and takes nothing: whoever sleeps behind it has to be. */
static void peek_one(chute_queue *q)
{
    char buf[64];
    size_t len;

    CHECK_OK(chute_queue_peek_bytes(q, buf, sizeof buf, &len, CHUTE_FOREVER));
}

static void get_or_give_up(chute_queue *q)
{
    CHECK(get_int(q, CHUTE_MS(1300)) != 0);
}

/* The change that two wait for is used up by one. When the other looks, at his
 * tick and at the end of the grace, all is quiet; but nothing is left to do. */
TEST(who_was_not_needed_was_not_forgotten)
{
    chute_queue *q = queue_new(0, 0);
    pid_t pid[2];

    for (int i = 0; i < 2; i++)
        pid[i] = child(get_or_give_up, q);
    usleep(20000);
    CHECK_OK(put_int(q, 7, CHUTE_NOWAIT));
    for (int i = 0; i < 2; i++)
        reap(pid[i], 0);
    CHECK_EQ(qsize(q), 0);
    CHECK_EQ(stat_of(q).n_rescues, 0);
    chute_queue_free(q);
}

/* The first half of a put: the wake-up, for a getter that sleeps, is yet to
 * come. */
static void put_silently(chute_queue *q)
{
    atomic_fetch_add(&q->chain.shm->items.word, 1);
    CHECK_OK(put_int(q, 7, CHUTE_NOWAIT));
}

/* On a busy machine there may be no telling, and it is not. */
TEST_TIMEOUT(a_wake_up_that_was_lost_is_counted, 60)
{
    chute_queue *q = queue_new(0, 0);

    while (stat_of(q).n_rescues == 0) {
        pid_t pid = child(get_one, q);
        await_sleep(pid);
        put_silently(q);
        reap(pid, 0);
    }
    CHECK_EQ(stat_of(q).n_rescues, 1);
    chute_queue_free(q);
}

TEST(one_that_came_after_the_tick_was_not_lost)
{
    chute_queue *q = queue_new(0, 0);
    pid_t pid = child(get_one, q);

    await_sleep(pid);
    put_silently(q);
    usleep(200000); /* the tick, and some of the grace */
    plat_wake(&q->chain.shm->items.word, 1);
    reap(pid, 0);
    CHECK_EQ(stat_of(q).n_rescues, 0);
    chute_queue_free(q);
}

TEST_TIMEOUT(who_peeks_passes_the_wake_up_on, SOON)
{
    chute_queue *q = queue_new(0, 0);
    pid_t pid[4];

    without_tick();
    for (int i = 0; i < 4; i++) {
        pid[i] = child(i < 3 ? peek_one : get_one, q);
        await_sleep(pid[i]);
    }
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    reap(pid[3], 0);
    /* Those who came too late for the first see another one. */
    CHECK_OK(put_int(q, 2, CHUTE_NOWAIT));
    for (int i = 0; i < 3; i++)
        reap(pid[i], 0);
    chute_queue_free(q);
}

/* A wake-up sent before the item is there wakes somebody who finds nothing, and
 * sleeps again. The long copy gives him the time. */
TEST_TIMEOUT(a_sleeper_is_woken_when_a_long_copy_is_over, SOON)
{
    size_t len = 32 * MIB;
    char *data = calloc(1, len);

    without_tick();
    for (int i = 0; i < 3; i++) {
        chute_queue *q = queue_new(0, 0);
        pid_t pid = child(get_bytes_value, q);
        await_sleep(pid);
        CHECK_OK(chute_queue_put_bytes(q, data, len, CHUTE_FOREVER));
        reap(pid, 0);
        chute_queue_free(q);
    }
    free(data);
}

/* A putter whose large item does not fit must not keep a small one waiting. */
static void put_large(chute_queue *q)
{
    char *data = calloc(1, 40000);

    CHECK_OK(chute_queue_put_bytes(q, data, 40000, CHUTE_FOREVER));
    free(data);
}

static void put_small(chute_queue *q)
{
    CHECK_OK(chute_queue_put_bytes(q, "small", 5, CHUTE_FOREVER));
}

TEST_TIMEOUT(room_too_small_for_one_putter_is_passed_on_to_another, SOON)
{
    chute_queue *q = queue_new(0, 65536);
    char *data = calloc(1, 40000);
    size_t len, rest = 65536 - 60000 - 3 * SHM_ITEM_UNITS * SHM_UNIT;

    without_tick();
    CHECK_OK(chute_queue_put_bytes(q, data, 20000, CHUTE_NOWAIT));
    CHECK_OK(chute_queue_put_bytes(q, data, 40000, CHUTE_NOWAIT));
    CHECK_OK(chute_queue_put_bytes(q, data, rest, CHUTE_NOWAIT));
    CHECK_EQ(stat_of(q).used, 65536);
    pid_t large = child(put_large, q);
    await_sleep(large);
    pid_t small = child(put_small, q);
    await_sleep(small);
    CHECK_OK(chute_queue_get_bytes(q, data, 40000, &len, CHUTE_NOWAIT));
    reap(small, 0); /* 20,000 bytes are free: too few for the large one */
    CHECK_EQ(qsize(q), 3);
    CHECK_OK(chute_queue_get_bytes(q, data, 40000, &len, CHUTE_NOWAIT));
    CHECK_EQ(len, 40000);
    reap(large, 0);
    free(data);
    chute_queue_free(q);
}

static void on_signal(int signal)
{
    (void)signal;
}

static timer_t signal_often(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = SIGUSR1};
    struct itimerspec often = {.it_value = {.tv_nsec = 10000000},
                               .it_interval = {.tv_nsec = 10000000}};
    timer_t timer;

    sigaction(SIGUSR1, &action, NULL);
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    CHECK_OK(timer_settime(timer, 0, &often, NULL));
    return timer;
}

TEST(a_signal_does_not_end_a_wait)
{
    chute_queue *q = queue_new(0, 0);
    timer_t timer = signal_often();
    int64_t before = plat_now();

    CHECK_EQ(get_int(q, CHUTE_MS(120)), CHUTE_ETIMEDOUT);
    CHECK(plat_now() - before >= CHUTE_MS(120));
    timer_delete(timer);
    chute_queue_free(q);
}

TEST(unless_the_queue_is_interruptible)
{
    chute_queue *q;

    CHECK_OK(chute_queue_new(&q, CHUTE_OPTIONS(chute_queue_options,
                                               .flags = CHUTE_INTERRUPTIBLE,
                                               .maxsize = 1)));
    timer_t timer = signal_often();
    CHECK_EQ(get_int(q, CHUTE_FOREVER), CHUTE_EINTR);
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK_ERR(put_int(q, 2, CHUTE_FOREVER), CHUTE_EINTR);
    CHECK_EQ(get_int(q, CHUTE_FOREVER), 1);
    timer_delete(timer);
    chute_queue_free(q);
}

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The promise is 0.1 % of a processor; leave a busy machine some room. */
TEST(who_waits_uses_no_processor_to_speak_of)
{
    chute_queue *q = queue_new(1, 0);
    double before = cpu_s();

    CHECK_EQ(get_int(q, CHUTE_SEC(3)), CHUTE_ETIMEDOUT);
    CHECK(cpu_s() - before < 0.01);
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    before = cpu_s();
    CHECK_ERR(put_int(q, 2, CHUTE_SEC(3)), CHUTE_ETIMEDOUT);
    CHECK(cpu_s() - before < 0.01);
    chute_queue_free(q);
}

/* -- close ------------------------------------------------------------------ */

TEST(a_closed_queue_refuses_puts_and_drains)
{
    chute_queue *q = queue_new(0, 0);

    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK_OK(chute_queue_close(q));
    CHECK_OK(chute_queue_close(q));
    CHECK_ERR(put_int(q, 2, CHUTE_FOREVER), CHUTE_ECLOSED);
    CHECK_EQ(qsize(q), 1);
    CHECK_EQ(get_int(q, CHUTE_FOREVER), 1);
    CHECK_EQ(get_int(q, CHUTE_FOREVER), CHUTE_EOF);
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), CHUTE_EOF);
    CHECK_EQ(chute_queue_empty(q), 1);
    chute_queue_free(q);
}

static void get_eof(chute_queue *q)
{
    CHECK_EQ(get_int(q, CHUTE_FOREVER), CHUTE_EOF);
}

static void get_to_the_end(chute_queue *q)
{
    int64_t r;

    while ((r = get_int(q, CHUTE_FOREVER)) >= 0)
        ;
    CHECK_EQ(r, CHUTE_EOF);
}

static void put_to_closed(chute_queue *q)
{
    CHECK_ERR(put_int(q, 9, CHUTE_FOREVER), CHUTE_ECLOSED);
}

TEST_TIMEOUT(close_wakes_all_who_wait_in_every_process, SOON)
{
    chute_queue *empty = queue_new(0, 0), *full = queue_new(1, 0);
    pid_t pid[6];

    without_tick();
    CHECK_OK(put_int(full, 1, CHUTE_NOWAIT));
    for (int i = 0; i < 6; i++)
        pid[i] = i < 3 ? child(get_eof, empty) : child(put_to_closed, full);
    for (int i = 0; i < 6; i++)
        await_sleep(pid[i]);
    CHECK_OK(chute_queue_close(empty));
    CHECK_OK(chute_queue_close(full));
    for (int i = 0; i < 6; i++)
        reap(pid[i], 0);
    CHECK_EQ(get_int(full, CHUTE_FOREVER), 1);
    chute_queue_free(empty);
    chute_queue_free(full);
}

/* The put's wake-up is one sleeper's; the close that follows finds nobody
 * listening, and yet has to reach the other. */
TEST_TIMEOUT(close_right_after_a_put_wakes_the_other_sleeper_too, SOON)
{
    without_tick();
    for (int i = 0; i < 10; i++) {
        chute_queue *q = queue_new(0, 0);
        pid_t pid[2] = {child(get_to_the_end, q), child(get_to_the_end, q)};

        await_sleep(pid[0]);
        await_sleep(pid[1]);
        CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
        CHECK_OK(chute_queue_close(q));
        reap(pid[0], 0);
        reap(pid[1], 0);
        chute_queue_free(q);
    }
}

/* Sleeps as a waiter does, and dies with the wake-up that he gets. */
static void sleep_for(struct shm_event *event)
{
    CHECK_OK(event_wait(event, event_arm(event), PLAT_NEVER));
}

static void die_of_items(chute_queue *q)
{
    sleep_for(&q->chain.shm->items);
}

static void die_of_space(chute_queue *q)
{
    sleep_for(&q->chain.shm->space);
}

/* So nobody need pass that wake-up on, and nobody waits for a tick. */
TEST_TIMEOUT(close_itself_wakes_all_though_the_first_of_them_may_die, SOON)
{
    chute_queue *empty = queue_new(0, 0), *full = queue_new(1, 0);
    pid_t pid[4];

    without_tick();
    CHECK_OK(put_int(full, 1, CHUTE_NOWAIT));
    pid[0] = child(die_of_items, empty);
    pid[1] = child(die_of_space, full);
    await_sleep(pid[0]);
    await_sleep(pid[1]);
    pid[2] = child(get_eof, empty);
    pid[3] = child(put_to_closed, full);
    await_sleep(pid[2]);
    await_sleep(pid[3]);
    CHECK_OK(chute_queue_close(empty));
    CHECK_OK(chute_queue_close(full));
    for (int i = 0; i < 4; i++)
        reap(pid[i], 0);
    chute_queue_free(empty);
    chute_queue_free(full);
}

static void close_it(chute_queue *q)
{
    CHECK_OK(chute_queue_close(q));
}

/* A put that is under way comes before the end, or a getter would see the end
 * and miss the item. */
TEST(close_waits_for_the_put_that_is_under_way)
{
    chute_queue *q = queue_new(0, 0);
    struct shm_queue *shm = q->chain.shm;

    CHECK_OK(lock_take(&shm->put_lock, 0, false));
    pid_t pid = child(close_it, q);
    await_sleep(pid);
    CHECK_EQ(atomic_load(&shm->closed), 0);
    lock_drop(&shm->put_lock);
    reap(pid, 0);
    CHECK_EQ(atomic_load(&shm->closed), 1);
    chute_queue_free(q);
}

/* -- fork ------------------------------------------------------------------- */

static void free_it(chute_queue *q)
{
    chute_queue_free(q);
}

TEST(a_child_that_frees_its_handle_leaves_the_parents_alone)
{
    chute_queue *q = queue_new(0, 0);

    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    reap(child(free_it, q), 0);
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 1);
    chute_queue_free(q);
}

static void put_much(chute_queue *q)
{
    char *data = calloc(1, 3 * MIB);

    for (int i = 0; i < 5; i++)
        CHECK_OK(chute_queue_put_bytes(q, data, 3 * MIB, CHUTE_FOREVER));
    free(data);
}

TEST(memory_that_a_child_added_is_found_by_the_parent)
{
    chute_queue *q = queue_new(0, 0);
    char *data = malloc(3 * MIB);
    size_t len;

    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    reap(child(put_much, q), 0);
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 1);
    for (int i = 0; i < 5; i++) {
        CHECK_OK(chute_queue_get_bytes(q, data, 3 * MIB, &len, CHUTE_NOWAIT));
        CHECK_EQ(len, 3 * MIB);
    }
    free(data);
    chute_queue_free(q);
}

static void *put_and_get_for_ever(void *arg)
{
    char *data = calloc(1, 300000);
    chute_queue *q = arg;
    size_t len;

    while (chute_queue_put_bytes(q, data, 300000, CHUTE_FOREVER) == 0)
        CHECK_OK(chute_queue_get_bytes(q, data, 300000, &len, CHUTE_FOREVER));
    free(data);
    return NULL;
}

static void put_and_get_once(chute_queue *q)
{
    char *data = calloc(1, 300000);
    size_t len;

    CHECK_OK(chute_queue_put_bytes(q, data, 300000, CHUTE_FOREVER));
    CHECK_OK(chute_queue_get_bytes(q, data, 300000, &len, CHUTE_FOREVER));
    free(data);
}

TEST(a_fork_while_threads_are_inside_does_not_poison_the_child)
{
    chute_queue *q = queue_new(0, 0);
    pthread_t thread[2];

    for (int i = 0; i < 2; i++)
        CHECK_OK(pthread_create(&thread[i], NULL, put_and_get_for_ever, q));
    for (int i = 0; i < 100; i++)
        reap(child(put_and_get_once, q), 0);
    CHECK_OK(chute_queue_close(q));
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    chute_queue_free(q);
}
