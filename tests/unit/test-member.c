/* test-member.c - who uses a queue, and what he has done.
 *
 * src/shm/member.c and src/ipc/queue-look.c, by the public functions.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chute.h>

#include "queue-scene.h"
#include "shm/region.h"
#include "test.h"

static struct region_chain *chain_of(chute_queue *q)
{
    return (struct region_chain *)(void *)q; /* its first field */
}

/* The member with that pid; its pid is 0 if there is none. */
static struct chute_queue_member member_of(chute_queue *q, pid_t pid)
{
    struct chute_queue_member member = {.size = sizeof member};
    size_t place = 0;

    while (chute_queue_member(q, &place, &member) == 0)
        if (member.pid == (uint64_t)pid)
            return member;
    return (struct chute_queue_member){0};
}

static size_t n_members(chute_queue *q)
{
    struct chute_queue_member member = {.size = sizeof member};
    size_t place = 0, n = 0;

    while (chute_queue_member(q, &place, &member) == 0)
        n++;
    CHECK_EQ(stat_of(q).n_members, n);
    return n;
}

/* -- joining and leaving ---------------------------------------------------- */

TEST(who_only_holds_a_queue_is_no_member)
{
    chute_queue *q = queue_new(0, 0);

    CHECK_EQ(qsize(q), 0);
    CHECK_EQ(n_members(q), 0);
    chute_queue_free(q);
}

TEST(who_puts_is_a_member_with_his_name)
{
    chute_queue *q = queue_new(0, 0);

    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK_EQ(n_members(q), 1);
    struct chute_queue_member me = member_of(q, getpid());
    CHECK_EQ(me.pid, getpid());
    CHECK_STR(me.program, "test-member");
    CHECK_EQ(me.n_put, 1);
    CHECK_EQ(me.n_got, 0);
    CHECK(me.attached_ns < CHUTE_SEC(20));
    chute_queue_free(q);
}

TEST(what_is_refused_or_only_looked_at_is_not_counted)
{
    chute_queue *q = queue_new(1, 0);
    chute_value *v;

    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK_ERR(put_int(q, 2, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK_OK(chute_queue_peek(q, &v, CHUTE_NOWAIT));
    chute_value_free(v);
    CHECK_EQ(member_of(q, getpid()).n_put, 1);
    CHECK_EQ(member_of(q, getpid()).n_got, 0);
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 1);
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK_EQ(member_of(q, getpid()).n_got, 1);
    chute_queue_free(q);
}

TEST(a_failed_get_makes_a_member_too)
{
    chute_queue *q = queue_new(0, 0);

    CHECK_EQ(get_int(q, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK_EQ(n_members(q), 1);
    chute_queue_free(q);
}

TEST(who_frees_the_queue_leaves)
{
    chute_queue *q = queue_new(0, 0), *other;

    CHECK_OK(chute_queue_of_fd(&other, dup(chute_queue_fd(q)), NULL));
    CHECK_OK(put_int(other, 1, CHUTE_NOWAIT));
    CHECK_EQ(n_members(q), 1);
    chute_queue_free(other);
    CHECK_EQ(n_members(q), 0);
    CHECK_EQ(stat_of(q).n_gone, 0);
    chute_queue_free(q);
}

TEST(a_child_is_a_member_of_its_own)
{
    chute_queue *q = queue_new(0, 0);
    int status;

    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK_EQ(n_members(q), 1);
        CHECK_OK(put_int(q, 2, CHUTE_NOWAIT));
        CHECK_OK(put_int(q, 3, CHUTE_NOWAIT));
        CHECK_EQ(n_members(q), 2);
        CHECK_EQ(member_of(q, getpid()).n_put, 2);
        CHECK_EQ(member_of(q, getppid()).n_put, 1);
        chute_queue_free(q);
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(n_members(q), 1);
    CHECK_EQ(member_of(q, getpid()).n_put, 1);
    chute_queue_free(q);
}

TEST(a_killed_member_is_struck_off_also_while_it_is_a_zombie)
{
    chute_queue *q = queue_new(0, 0);
    int status;

    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
        for (;;)
            pause();
    }
    CHECK_EQ(get_int(q, CHUTE_SEC(20)), 1);
    CHECK_EQ(n_members(q), 2);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    siginfo_t info;
    CHECK_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    CHECK_EQ(n_members(q), 1);
    CHECK_EQ(stat_of(q).n_gone, 1);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(stat_of(q).n_gone, 1);
    chute_queue_free(q);
}

TEST(a_process_whose_pid_another_one_had_is_not_taken_for_it)
{
    chute_queue *q = queue_new(0, 0);
    struct shm_queue *shm = chain_of(q)->shm;

    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    /* Of our pid, and born at another time. */
    atomic_store(&shm->member[1].who,
                 atomic_load(&shm->member[0].who) ^ UINT64_C(1) << 40);
    CHECK_EQ(n_members(q), 1);
    CHECK_EQ(atomic_load(&shm->member[1].who), 0);
    chute_queue_free(q);
}

/* -- a full table ----------------------------------------------------------- */

static void fill_table(chute_queue *q, uint64_t who)
{
    struct shm_queue *shm = chain_of(q)->shm;

    for (int i = 0; i < SHM_N_MEMBERS; i++)
        atomic_store(&shm->member[i].who, who);
}

TEST(where_the_table_is_full_the_queue_works_all_the_same)
{
    chute_queue *q = queue_new(0, 0);

    fill_table(q, (uint32_t)getppid());
    CHECK_OK(put_int(q, 7, CHUTE_NOWAIT));
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 7);
    CHECK_EQ(n_members(q), SHM_N_MEMBERS);
    CHECK_EQ(member_of(q, getpid()).pid, 0);
    chute_queue_free(q);
}

TEST(a_full_table_of_the_dead_has_room)
{
    chute_queue *q = queue_new(0, 0);
    int status;

    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        _exit(0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    fill_table(q, (uint32_t)pid);
    CHECK_OK(put_int(q, 7, CHUTE_NOWAIT));
    CHECK_EQ(member_of(q, getpid()).n_put, 1);
    chute_queue_free(q);
}

/* -- waiting ---------------------------------------------------------------- */

static void *get_one(void *q)
{
    CHECK_EQ(get_int(q, CHUTE_FOREVER), 5);
    return NULL;
}

TEST(who_waits_for_an_item_is_seen_and_since_when)
{
    chute_queue *q = queue_new(0, 0);
    struct chute_queue_member me;
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, get_one, q), 0);
    do {
        usleep(1000);
        me = member_of(q, getpid());
    } while (me.n_getting < 2 || me.getting_ns < CHUTE_MS(30));
    CHECK_EQ(me.n_putting, 0);
    CHECK_EQ(me.putting_ns, 0);
    CHECK_EQ(stat_of(q).n_empty_waits, 2);
    CHECK_OK(put_int(q, 5, CHUTE_NOWAIT));
    CHECK_OK(put_int(q, 5, CHUTE_NOWAIT));
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    me = member_of(q, getpid());
    CHECK_EQ(me.n_getting, 0);
    CHECK_EQ(me.getting_ns, 0);
    CHECK_EQ(me.n_got, 2);
    CHECK_EQ(n_members(q), 1);
    chute_queue_free(q);
}

TEST(a_wait_that_timed_out_is_over)
{
    chute_queue *q = queue_new(1, 0);

    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    do /* where others keep us from the processor, it does not come to sleep */
        CHECK_ERR(put_int(q, 2, CHUTE_MS(20)), CHUTE_ETIMEDOUT);
    while (stat_of(q).n_full_waits == 0);
    CHECK_EQ(member_of(q, getpid()).n_putting, 0);
    CHECK_EQ(stat_of(q).n_full_waits, 1);
    chute_queue_free(q);
}

/* -- totals ----------------------------------------------------------------- */

TEST(totals_count_items_and_bytes_on_both_sides)
{
    chute_queue *q = queue_new(0, 0);
    char data[100] = {0};
    size_t len;

    CHECK_EQ(stat_of(q).n_put, 0);
    for (int i = 0; i < 10; i++)
        CHECK_OK(chute_queue_put_bytes(q, data, sizeof data, CHUTE_NOWAIT));
    for (int i = 0; i < 4; i++)
        CHECK_OK(
            chute_queue_get_bytes(q, data, sizeof data, &len, CHUTE_NOWAIT));
    struct chute_queue_stats stats = stat_of(q);
    CHECK_EQ(stats.n_put, 10);
    CHECK_EQ(stats.n_got, 4);
    CHECK_EQ(stats.n_bytes_put, 10 * 104);
    CHECK_EQ(stats.n_bytes_got, 4 * 104);
    CHECK_EQ(stats.n_items_most, 10);
    CHECK_EQ(stats.n_items, 6);
    chute_queue_free(q);
}

TEST(the_most_items_are_those_of_one_moment)
{
    chute_queue *q = queue_new(0, 0);

    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 3; i++)
            CHECK_OK(put_int(q, i, CHUTE_NOWAIT));
        for (int i = 0; i < 3; i++)
            CHECK_EQ(get_int(q, CHUTE_NOWAIT), i);
        CHECK_EQ(stat_of(q).n_items_most, 3);
    }
    chute_queue_free(q);
}

TEST(totals_go_on_where_the_commit_words_wrap)
{
    chute_queue *q = queue_new(0, 0);
    struct region_chain *chain = chain_of(q);
    struct shm_queue *shm = chain->shm;
    uint64_t word = (uint64_t)0xfffffffe << 32 | 0xfffffff8;

    atomic_store(&shm->region[0].start, 0xfffffff8);
    atomic_store(&shm->tail, word);
    atomic_store(&shm->head, word);
    atomic_store(&shm->put.n_items, 0xfff00000); /* the last marks before */
    atomic_store(&shm->got.n_items, 0xfff00000);
    for (int i = 0; i < 5; i++) {
        CHECK_OK(chute_queue_put_bytes(q, "12345678", 8, CHUTE_NOWAIT));
        CHECK_EQ(stat_of(q).n_put, UINT64_C(0xfffffffe) + (uint64_t)i + 1);
    }
    for (int i = 0; i < 5; i++)
        CHECK_OK(
            chute_queue_get_bytes(q, &word, 8, &(size_t){0}, CHUTE_NOWAIT));
    CHECK_EQ(stat_of(q).n_got, UINT64_C(0x100000003));
    chute_queue_free(q);
}

TEST(a_mark_made_after_the_look_at_the_commit_word_does_no_harm)
{
    chute_queue *q = queue_new(0, 0);
    struct shm_queue *shm = chain_of(q)->shm;

    atomic_store(&shm->put.n_items, 3 << 20);
    atomic_store(&shm->tail, (uint64_t)((3 << 20) - 1) << 32);
    atomic_store(&shm->head, (uint64_t)((3 << 20) - 1) << 32);
    CHECK_EQ(stat_of(q).n_put, (3 << 20) - 1);
    chute_queue_free(q);
}

/* -- the oldest ------------------------------------------------------------- */

TEST(the_oldest_item_has_an_age_and_an_empty_queue_none)
{
    chute_queue *q = queue_new(0, 0);

    CHECK_EQ(stat_of(q).oldest_ns, 0);
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    usleep(60000);
    CHECK_OK(put_int(q, 2, CHUTE_NOWAIT));
    int64_t age = stat_of(q).oldest_ns;
    CHECK(age >= CHUTE_MS(60) && age < CHUTE_SEC(25));
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 1);
    CHECK(stat_of(q).oldest_ns < age);
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 2);
    CHECK_EQ(stat_of(q).oldest_ns, 0);
    chute_queue_free(q);
}

TEST(the_oldest_is_found_in_a_region_that_has_been_outgrown)
{
    chute_queue *q = queue_new(0, 0);
    static char data[50000];

    for (int i = 0; i < 20; i++)
        CHECK_OK(chute_queue_put_bytes(q, data, sizeof data, CHUTE_NOWAIT));
    usleep(20000);
    CHECK(stat_of(q).oldest_ns >= CHUTE_MS(20));
    for (int i = 0; i < 19; i++)
        CHECK_OK(chute_queue_get_bytes(q, data, sizeof data, &(size_t){0},
                                       CHUTE_NOWAIT));
    CHECK(stat_of(q).oldest_ns >= CHUTE_MS(20));
    chute_queue_free(q);
}

/* -- who is inside ---------------------------------------------------------- */

TEST(a_lock_that_is_held_shows_by_whom_and_looking_does_not_wait)
{
    chute_queue *q = queue_new(0, 0);
    struct shm_queue *shm = chain_of(q)->shm;

    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK_EQ(stat_of(q).put_owner, 0);
    atomic_store(&shm->put_lock.word, (uint32_t)getppid());
    atomic_store(&shm->get_lock.word, (uint32_t)getppid() | 0x80000000u);
    struct chute_queue_stats stats = stat_of(q);
    CHECK_EQ(stats.put_owner, getppid());
    CHECK_EQ(stats.get_owner, getppid());
    CHECK_EQ(stats.n_members, 1);
    CHECK(stats.oldest_ns >= 0);
    chute_queue_free(q);
}

/* -- wrong use, and a system that refuses ----------------------------------- */

TEST(wrong_use_of_members_is_refused)
{
    chute_queue *q = queue_new(0, 0);
    struct chute_queue_member member = {.size = sizeof member};
    size_t place = 0;

    CHECK_ERR(chute_queue_member(NULL, &place, &member), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_member(q, NULL, &member), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_member(q, &place, NULL), CHUTE_EINVAL);
    member.size = 4;
    CHECK_ERR(chute_queue_member(q, &place, &member), CHUTE_EINVAL);
    member.size = sizeof member;
    place = SIZE_MAX;
    CHECK_ERR(chute_queue_member(q, &place, &member), CHUTE_EOF);
    chute_queue_free(q);
}

TEST(a_caller_of_an_older_version_gets_as_much_as_he_knows)
{
    chute_queue *q = queue_new(0, 0);
    struct {
        uint64_t size, pid, after;
    } old = {.size = 16, .after = 77};
    size_t place = 0;

    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK_OK(chute_queue_member(q, &place,
                                (struct chute_queue_member *)(void *)&old));
    CHECK_EQ(old.pid, getpid());
    CHECK_EQ(old.after, 77);
    chute_queue_free(q);
}

TEST(statistics_do_without_what_the_system_refuses)
{
    chute_queue *q = queue_new(0, 0);

    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    usleep(20000);
    FAULT_LOOP (n) {
        struct chute_queue_stats stats = {.size = sizeof stats};
        int r = chute_queue_stat(q, &stats);
        if (r < 0) {
            CHECK(fault_fired());
            continue;
        }
        CHECK_EQ(stats.n_items, 1);
        CHECK(stats.oldest_ns == 0 || stats.oldest_ns >= CHUTE_MS(20));
    }
    chute_queue_free(q);
}
