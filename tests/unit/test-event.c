/* test-event.c - src/shm/event.c: no wake-up is lost, none is sent for nobody.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chute/common.h"
#include "shm/event.h"
#include "shm/lock.h"
#include "shm/tick.h"
#include "test.h"

struct shared {
    struct shm_event event;
    _Atomic uint32_t n_ready;
    _Atomic uint32_t n_woken;
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

TEST(a_wake_that_nobody_waits_for_changes_nothing)
{
    struct shm_event event = {0};

    event_wake(&event, 1);
    CHECK_EQ(atomic_load(&event.word), 0);
}

TEST(a_wake_advances_the_sequence_and_disarms)
{
    struct shm_event event = {0};

    CHECK_EQ(event_arm(&event), 1);
    CHECK_EQ(event_arm(&event), 1);
    event_wake(&event, 1);
    CHECK_EQ(atomic_load(&event.word), 2);
    event_wake(&event, 1);
    CHECK_EQ(atomic_load(&event.word), 2);
    CHECK_EQ(event_arm(&event), 3);
}

TEST(the_sequence_wraps)
{
    struct shm_event event = {.word = UINT32_MAX};

    event_wake(&event, 1);
    CHECK_EQ(atomic_load(&event.word), 0);
}

TEST(a_wake_before_the_sleep_is_not_slept_through)
{
    struct shm_event event = {0};
    uint32_t v = event_arm(&event);

    event_wake(&event, 1);
    CHECK_OK(event_wait(&event, v, PLAT_NEVER));
}

/* With a flag in place of the sequence, this one would sleep. */
TEST(nor_if_somebody_has_armed_it_again_since)
{
    struct shm_event event = {0};
    uint32_t v = event_arm(&event);

    event_wake(&event, 1);
    (void)event_arm(&event);
    CHECK_OK(event_wait(&event, v, PLAT_NEVER));
}

TEST_TIMEOUT(nobody_sleeps_longer_than_a_tick, 10)
{
    struct shm_event event = {0};
    int64_t before = plat_now();

    CHECK_EQ(event_wait(&event, event_arm(&event), PLAT_NEVER), -ETIMEDOUT);
    CHECK(plat_now() - before >= TICK_NS);
    before = plat_now();
    CHECK_EQ(event_wait(&event, event_arm(&event), before + CHUTE_MS(5)),
             -ETIMEDOUT);
    CHECK(plat_now() - before >= CHUTE_MS(5));
}

/* Sleep until woken; ticks do not count. */
static void sleeper(struct shared *s)
{
    uint32_t v = event_arm(&s->event);

    atomic_fetch_add(&s->n_ready, 1);
    while (event_wait(&s->event, v, PLAT_NEVER) == -ETIMEDOUT)
        ;
    atomic_fetch_add(&s->n_woken, 1);
    _exit(0);
}

static void start_sleepers(struct shared *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
            sleeper(s);
    }
    while (atomic_load(&s->n_ready) < n)
        usleep(1000);
}

static void reap_all(void)
{
    int status;

    while (wait(&status) > 0)
        CHECK_EQ(status, 0);
}

TEST(a_wake_for_all_reaches_all)
{
    struct shared *s = shared_new();

    start_sleepers(s, 4);
    usleep(10000);
    event_wake(&s->event, EVENT_ALL);
    reap_all();
    CHECK_EQ(atomic_load(&s->n_woken), 4);
    shared_free(s);
}

/* -- the two barriers, in event_arm() and in lock_drop() --------------------- */

/* Where two processors are free, a second or less; on a busy machine every
 * round costs a turn, and fewer have to do. */
#define N_ROUNDS   300000
#define LONGEST_NS INT64_C(5000000000)

/* One round is one look at each other, as nearly at once as may be. */
struct duel {
    struct shm_event event;
    _Alignas(128) _Atomic uint32_t data;
    _Alignas(128) struct shm_lock lock;
    _Alignas(128) _Atomic uint32_t started; /* the last round that may begin */
    _Alignas(128) _Atomic bool over;
    _Alignas(128) _Atomic uint32_t finished; /* the waker's last round */
};

static void spin_until(_Atomic uint32_t *word, uint32_t value)
{
    for (int i = 0; atomic_load(word) != value; i++)
        if (i % 1024 == 1023)
            plat_yield();
}

static void *wake_each_round(void *arg)
{
    struct duel *duel = arg;

    for (uint32_t round = 1; round <= N_ROUNDS; round++) {
        spin_until(&duel->started, round);
        if (atomic_load(&duel->over))
            break;
        CHECK_OK(lock_take(&duel->lock, 0, false));
        atomic_store_explicit(&duel->data, round, memory_order_relaxed);
        lock_drop(&duel->lock);
        event_wake(&duel->event, 1);
        atomic_store(&duel->finished, round);
    }
    return NULL;
}

TEST(either_the_waiter_sees_the_data_or_the_waker_the_waiter)
{
    static struct duel duel;
    int64_t end = plat_now() + LONGEST_NS;
    pthread_t waker;

    CHECK_OK(-pthread_create(&waker, NULL, wake_each_round, &duel));
    for (uint32_t round = 1; round <= N_ROUNDS; round++) {
        atomic_store(&duel.over, plat_expired(end));
        atomic_store(&duel.started, round);
        if (atomic_load(&duel.over))
            break;
        for (uint32_t i = 0; i < round % 8; i++)
            plat_pause(); /* not always first */
        uint32_t seen = event_arm(&duel.event);
        bool missed =
            atomic_load_explicit(&duel.data, memory_order_relaxed) != round;
        spin_until(&duel.finished, round);
        if (missed)
            CHECK(atomic_load(&duel.event.word) != seen);
    }
    CHECK_OK(-pthread_join(waker, NULL));
}
