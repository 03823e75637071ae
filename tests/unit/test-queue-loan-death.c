/* test-queue-loan-death.c - what becomes of the blocks of those who die, leave, or
 * give memory back.
 *
 * What a death in the middle leaves is made by hand here; step.c kills at each
 * instruction.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <chute.h>

#include "loan-scene.h"
#include "plat/plat.h"
#include "test.h"

/* -- deaths ----------------------------------------------------------------- */

#define N_TEXTS 16

static void take_many_and_die(chute_queue *q)
{
    for (int i = 0; i < 20; i++)
        (void)reserved(q, 1);
    for (int i = 0; i < N_TEXTS; i++)
        (void)borrowed(q);
    raise(SIGKILL);
}

TEST(what_the_dead_had_on_loan_is_free)
{
    chute_queue *q = queue_new(0, 0);

    for (int i = 0; i < N_TEXTS; i++)
        put_in_place(q, "x");
    put(q, "left");
    reap(child(take_many_and_die, q), SIGKILL);
    check_got(q, "left");
    check_is_as_new(q);
    chute_queue_free(q);
}

static void take_all_and_die(chute_queue *q)
{
    struct chute_loan loans[ALL];

    reserve_all(q, loans);
    raise(SIGKILL);
}

TEST(what_one_has_who_holds_all_and_dies_is_free)
{
    chute_queue *q = queue_new(0, 0);

    for (int i = 0; i < 3; i++) {
        reap(child(take_all_and_die, q), SIGKILL);
        check_is_as_new(q);
    }
    chute_queue_free(q);
}

static void take_all_and_wait(chute_queue *q)
{
    struct chute_loan loans[ALL];

    reserve_all(q, loans);
    put(q, "all are mine");
    pause();
}

/* Nobody says so, but who waits looks. */
TEST(who_waits_for_what_the_dead_have_gets_it)
{
    chute_queue *q = queue_new(0, 0);
    char buf[16];
    size_t len;

    pid_t holder = child(take_all_and_wait, q);
    CHECK_OK(chute_queue_get_bytes(q, buf, sizeof buf, &len, CHUTE_FOREVER));
    pid_t pid = waiter(q, 1);
    CHECK_EQ(kill(holder, SIGKILL), 0);
    reap(holder, SIGKILL);
    reap(pid, 0);
    check_is_as_new(q);
    chute_queue_free(q);
}

static void put_large_and_die(chute_queue *q)
{
    struct chute_loan one = reserved(q, MIB / 2), two = reserved(q, MIB / 2);

    memset(one.data, 'x', one.len);
    commit(q, one);
    memset(two.data, 'x', two.len);
    raise(SIGKILL);
}

TEST(what_the_dead_have_put_stays_and_what_they_have_not_is_free)
{
    chute_queue *q = queue_new(0, MIB);

    reap(child(put_large_and_die, q), SIGKILL);
    struct chute_loan loan = reserved(q, MIB / 2);
    memset(loan.data, 'y', loan.len);
    struct chute_loan its = borrowed(q);
    CHECK_EQ(its.len, MIB / 2);
    CHECK_EQ(((char *)its.data)[MIB / 2 - 1], 'x');
    release(q, its);
    release(q, loan);
    loan = reserved(q, MIB);
    memset(loan.data, 'z', loan.len);
    release(q, loan);
    chute_queue_free(q);
}

/* As a putter leaves it who dies between writing the item and its commit, or a
 * getter between his commit and what follows it: queued, but not in the queue. */
static void lose(chute_queue *q, int32_t from_word, _Atomic uint64_t *word)
{
    uint32_t seq = (uint32_t)(atomic_load(word) >> 32) + (uint32_t)from_word;
    int64_t n_lost = 0;

    for (int i = 0; i < ALL; i++) {
        struct shm_block *block = &shm_of(q)->block[i];
        if (atomic_load(&block->owner) != 0)
            continue;
        atomic_store(&block->seq, seq);
        atomic_store(&block->owner, 1);
        n_lost++;
    }
    CHECK(n_lost > 0);
    atomic_store(&shm_of(q)->free_hint, 0);
}

/* At the beginning, and where sequence numbers wrap. */
static chute_queue *queue_at(uint32_t seq)
{
    chute_queue *q = queue_new(0, 0);

    atomic_store(&shm_of(q)->tail, (uint64_t)seq << 32);
    atomic_store(&shm_of(q)->head, (uint64_t)seq << 32);
    atomic_store(&q->chain.put.seen, (uint64_t)seq << 32);
    atomic_store(&q->chain.get.seen, (uint64_t)seq << 32);
    return q;
}

static void check_lost_are_found(chute_queue *q, bool by_putter)
{
    struct chute_loan loans[ALL];

    for (int i = 0; i < 20; i++)
        put_in_place(q, "queued");
    for (int i = 0; i < 10; i++)
        check_got(q, "queued");
    if (by_putter)
        lose(q, 0, &shm_of(q)->tail);
    else
        lose(q, -1, &shm_of(q)->head);
    for (int i = 0; i < ALL - 10; i++)
        loans[i] = filled(q, "lent", 4);
    CHECK_ERR(chute_queue_reserve(q, &loans[ALL - 1], 1, CHUTE_NOWAIT),
              CHUTE_ETIMEDOUT);
    for (int i = 0; i < 10; i++)
        check_borrowed(q, "queued");
    release_all(q, loans, ALL - 10);
    check_all_are_free(q);
    chute_queue_free(q);
}

TEST(what_a_putter_has_lost_on_the_way_is_found)
{
    check_lost_are_found(queue_new(0, 0), true);
    for (uint32_t back = 0; back < 24; back += 5)
        check_lost_are_found(queue_at(0 - back), true);
}

TEST(what_a_getter_has_lost_on_the_way_is_found)
{
    check_lost_are_found(queue_new(0, 0), false);
    for (uint32_t back = 0; back < 24; back += 5)
        check_lost_are_found(queue_at(0 - back), false);
}

/* Though there are enough of other blocks. */
TEST(the_memory_of_what_was_lost_is_found)
{
    chute_queue *q = queue_new(0, MIB);

    for (int by_putter = 0; by_putter < 2; by_putter++) {
        release(q, reserved(q, MIB));
        for (int i = 0; i < ALL; i++) {
            struct shm_block *block = &shm_of(q)->block[i];
            if (atomic_load(&block->len) == 0)
                continue;
            atomic_store(&block->seq, by_putter ? 0 : UINT32_MAX);
            atomic_store(&block->owner, 1);
        }
        release(q, reserved(q, MIB));
    }
    chute_queue_free(q);
}

/* The bits are hints: all wrong in one way or the other, nothing is lost. */
TEST(hints_may_be_wrong)
{
    chute_queue *q = queue_new(0, 0);
    struct chute_loan loans[ALL], more;

    atomic_store(&shm_of(q)->free_hint, 0);
    reserve_all(q, loans);
    atomic_store(&shm_of(q)->free_hint, UINT64_MAX);
    CHECK_ERR(chute_queue_reserve(q, &more, 1, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    release_all(q, loans, ALL);
    check_is_as_new(q);
    chute_queue_free(q);
}

/* Memory of the dead may have holes; it has to be reserved before it is lent. */
TEST(memory_that_the_dead_have_left_is_reserved_anew)
{
    chute_queue *q = queue_new(0, MIB);
    uint64_t len, before, after;

    struct chute_loan loan = reserved(q, MIB);
    CHECK_OK(plat_shm_size(q->chain.fd, &len, &before));
    release(q, loan);
    for (int i = 0; i < ALL; i++) {
        struct shm_block *block = &shm_of(q)->block[i];
        if (atomic_load(&block->len)) {
            plat_shm_release(q->chain.fd, atomic_load(&block->offset), MIB);
            atomic_store(&block->owner, UINT64_C(1) << 32 | 1 << 30);
        }
    }
    loan = reserved(q, MIB);
    CHECK_OK(plat_shm_size(q->chain.fd, &len, &after));
    CHECK_EQ(after, before);
    release(q, loan);
    chute_queue_free(q);
}

/* As much as no queue has; it must not be reserved because of that. */
TEST(garbage_about_the_memory_of_the_dead_is_not_believed)
{
    chute_queue *q = queue_new(0, MIB);
    static const uint64_t lens[] = {2 * MIB, UINT64_C(1) << 40, INT64_MAX,
                                    UINT64_MAX, 65537};
    uint64_t len, held;

    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        struct shm_block *block = &shm_of(q)->block[0];
        release(q, reserved(q, MIB));
        atomic_store(&block->offset, 65536 * 64);
        atomic_store(&block->len, lens[i]);
        for (int k = 0; k < ALL; k++)
            atomic_store(&shm_of(q)->block[k].owner,
                         UINT64_C(1) << 32 | 1 << 30);
        struct chute_loan loan = reserved(q, MIB);
        memset(loan.data, 'x', MIB);
        CHECK_OK(plat_shm_size(q->chain.fd, &len, &held));
        CHECK(held <= 3 * MIB);
        release(q, loan);
    }
    chute_queue_free(q);
}

/* -- letting go ------------------------------------------------------------- */

TEST(free_ends_all_loans)
{
    chute_queue *q = queue_new(0, 0), *other = another(q);

    for (int i = 0; i < 10; i++)
        put_in_place(q, "x");
    put(q, "ordinary");
    for (int i = 0; i < 11; i++)
        (void)borrowed(other);
    for (int i = 0; i < 20; i++)
        (void)reserved(other, 1);
    chute_queue_free(other);
    check_is_as_new(q);
    (void)reserved(q, MIB);
    chute_queue_free(q);
}

static void reserve_and_free(chute_queue *q)
{
    (void)reserved(q, 1);
    (void)borrowed(q);
    chute_queue_free(q);
}

TEST(a_child_that_frees_its_handle_ends_its_own_loans_alone)
{
    chute_queue *q = queue_new(0, 0);
    struct chute_loan loans[ALL - 2];

    put_in_place(q, "x");
    for (int i = 0; i < ALL - 2; i++)
        loans[i] = filled(q, "mine", 4);
    reap(child(reserve_and_free, q), 0);
    struct chute_loan one = reserved(q, 1), two = reserved(q, 1), three;
    CHECK_ERR(chute_queue_reserve(q, &three, 1, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    for (int i = 0; i < ALL - 2; i++)
        check_is(loans[i], "mine");
    release_all(q, loans, ALL - 2);
    release(q, one);
    release(q, two);
    check_is_as_new(q);
    chute_queue_free(q);
}

/* -- memory ----------------------------------------------------------------- */

#define N_LARGE 32

static void put_large(chute_queue *q)
{
    for (int i = 0; i < N_LARGE; i++) {
        struct chute_loan loan = reserved(q, MIB);
        memset(loan.data, i, loan.len);
        commit(q, loan);
    }
    CHECK(stat_of(q).reserved >= N_LARGE * MIB);
}

/* What the file holds is what the figure says, but for the header. */
static void check_holds_little(chute_queue *q)
{
    uint64_t len, held;

    /* As if it were a second later. */
    atomic_store(&shm_of(q)->shrunk_at, 0);
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK_OK(plat_shm_size(q->chain.fd, &len, &held));
    CHECK(stat_of(q).reserved <= 4 * MIB + 65536);
    CHECK(held <= stat_of(q).reserved + 65536);
}

TEST(an_empty_queue_gives_back_what_large_ones_have_had)
{
    chute_queue *q = queue_new(0, 0);
    static char buf[MIB];
    size_t len;

    for (int round = 0; round < 2; round++) {
        put_large(q);
        for (int i = 0; i < N_LARGE; i++) {
            CHECK_OK(
                chute_queue_get_bytes(q, buf, sizeof buf, &len, CHUTE_NOWAIT));
            CHECK_EQ(buf[MIB - 1], i);
        }
        check_holds_little(q);
    }
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(it_gives_back_what_was_borrowed_when_that_has_ended)
{
    chute_queue *q = queue_new(0, 0);
    struct chute_loan loans[N_LARGE];

    for (int round = 0; round < 2; round++) {
        put_large(q);
        for (int i = 0; i < N_LARGE; i++)
            loans[i] = borrowed(q);
        atomic_store(&shm_of(q)->shrunk_at, 0);
        CHECK_EQ(get_int(q, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
        for (int i = 0; i < N_LARGE; i++)
            CHECK_EQ(((char *)loans[i].data)[MIB - 1], i);
        release_all(q, loans, N_LARGE);
        check_holds_little(q);
    }
    check_is_as_new(q);
    chute_queue_free(q);
}

/* Regions and blocks are made in turn, each behind the other's end. */
TEST(large_items_of_both_kinds_do_not_lie_on_each_other)
{
    chute_queue *q = queue_new(0, 0);
    static char item[MIB], got[MIB];
    size_t len;

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 20; i++) {
            struct chute_loan loan =
                reserved(q, MIB / 2 + 65536u * (unsigned)(i % 5));
            memset(loan.data, 2 * i, loan.len);
            commit(q, loan);
            memset(item, 2 * i + 1, sizeof item);
            CHECK_OK(chute_queue_put_bytes(q, item, sizeof item, CHUTE_NOWAIT));
        }
        for (int i = 0; i < 40; i++) {
            CHECK_OK(
                chute_queue_get_bytes(q, got, sizeof got, &len, CHUTE_NOWAIT));
            memset(item, i, len);
            CHECK_MEM(got, item, len);
        }
        check_holds_little(q);
    }
    chute_queue_free(q);
}
