/* test-queue-loan-wait.c - no block is left: who gets the next, who waits for it,
 * and who wakes them.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chute.h>

#include "asleep.h"
#include "loan-scene.h"
#include "test.h"

/* -- none left -------------------------------------------------------------- */

TEST(there_are_64_and_the_next_waits_in_vain)
{
    chute_queue *q = queue_new(0, 0);
    struct chute_loan loans[ALL], more;

    reserve_all(q, loans);
    CHECK_ERR(chute_queue_reserve(q, &more, 1, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK_ERR(chute_queue_reserve(q, &more, 1, CHUTE_MS(5)), CHUTE_ETIMEDOUT);
    for (int i = 0; i < ALL; i++)
        for (int j = 0; j < i; j++)
            CHECK(loans[i].data != loans[j].data);
    release(q, loans[40]);
    loans[40] = reserved(q, 1);
    CHECK_ERR(chute_queue_reserve(q, &more, 1, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    release_all(q, loans, ALL);
    check_is_as_new(q);
    chute_queue_free(q);
}

/* Ordinary items go on, in any number. */
TEST(those_in_the_queue_and_those_on_loan_count_alike)
{
    chute_queue *q = queue_new(0, 0);
    struct chute_loan loans[ALL], more;

    for (int i = 0; i < ALL; i++)
        put_in_place(q, "x");
    CHECK_ERR(chute_queue_reserve(q, &more, 1, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    for (int i = 0; i < ALL; i++)
        loans[i] = borrowed(q);
    CHECK_ERR(chute_queue_reserve(q, &more, 1, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    for (int i = 0; i < ALL; i++) {
        put(q, "ordinary");
        check_got(q, "ordinary");
        check_is(loans[i], "x");
    }
    put(q, "ordinary");
    check_borrowed(q, "ordinary");
    release_all(q, loans, ALL);
    check_is_as_new(q);
    chute_queue_free(q);
}

/* The item that is next stays where it is. */
TEST(of_other_items_64_can_be_borrowed_too)
{
    chute_queue *q = queue_new(0, 0);
    struct chute_loan loans[ALL], more;

    for (int i = 0; i <= ALL; i++)
        put(q, i < ALL ? "x" : "the next");
    for (int i = 0; i < ALL; i++)
        loans[i] = borrowed(q);
    CHECK_ERR(chute_queue_borrow(q, &more, CHUTE_FOREVER), CHUTE_EAGAIN);
    CHECK_EQ(qsize(q), 1);
    release(q, loans[40]);
    loans[40] = borrowed(q);
    check_is(loans[40], "the next");
    for (int i = 0; i < ALL; i++)
        check_is(loans[i], i == 40 ? "the next" : "x");
    release_all(q, loans, ALL);
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(few_that_are_large_take_all_the_memory)
{
    chute_queue *q = queue_new(0, MIB);
    struct chute_loan one = reserved(q, MIB / 2), two = reserved(q, MIB / 2),
                      more;

    CHECK_ERR(chute_queue_reserve(q, &more, 1, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    put(q, "besides them");
    check_got(q, "besides them");
    release(q, one);
    more = reserved(q, 100);
    CHECK_ERR(chute_queue_reserve(q, &one, MIB, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    release(q, two);
    release(q, more);
    more = reserved(q, MIB);
    memset(more.data, 'x', MIB);
    release(q, more);
    chute_queue_free(q);
}

/* What free ones have kept is there for others. */
TEST(memory_that_many_small_ones_have_had_is_there_for_a_large_one)
{
    chute_queue *q = queue_new(0, 4 * MIB);

    for (int round = 0; round < 3; round++) {
        check_all_are_free(q); /* 64 KiB each */
        struct chute_loan loan = reserved(q, 4 * MIB);
        memset(loan.data, 'x', loan.len);
        release(q, loan);
    }
    chute_queue_free(q);
}

TEST(memory_that_larger_ones_have_had_is_there_for_all_the_small_ones)
{
    chute_queue *q = queue_new(0, 4 * MIB);
    struct chute_loan loans[32];

    for (size_t len = 131072; len <= 4 * MIB; len *= 2) {
        int n = (int)(4 * MIB / len);
        for (int i = 0; i < n; i++)
            loans[i] = reserved(q, len);
        release_all(q, loans, n);
        check_all_are_free(q);
    }
    chute_queue_free(q);
}

/* As if it had become free just after all were looked at: then one is taken that
 * has less, and needs memory. */
TEST(a_free_block_that_is_large_enough_does_not_lose_its_memory_to_another)
{
    size_t len = 2 * SHM_GRAIN;
    chute_queue *q = queue_new(0, SHM_GRAIN + 3 * len);
    struct chute_loan small = reserved(q, 1), large[3];

    for (int i = 0; i < 3; i++)
        large[i] = reserved(q, len);
    memcpy(large[2].data, "kept", 5);
    release(q, small);
    release(q, large[2]);
    atomic_store(&shm_of(q)->free_hint, 0);
    struct chute_loan again = reserved(q, len);
    CHECK_EQ(again.place, large[2].place);
    CHECK(strcmp(again.data, "kept") == 0);
    chute_queue_free(q);
}

/* -- waiting ---------------------------------------------------------------- */

TEST(who_waits_is_woken_by_a_release)
{
    chute_queue *q = queue_new(0, 0);
    struct chute_loan loans[ALL];

    without_tick();
    reserve_all(q, loans);
    pid_t pid = waiter(q, 1);
    release(q, loans[0]);
    reap(pid, 0);
    release_all(q, loans + 1, ALL - 1);
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(who_waits_is_woken_by_one_who_gives_a_borrowed_one_back)
{
    chute_queue *q = queue_new(0, 0);
    struct chute_loan loan;

    without_tick();
    for (int i = 0; i < ALL; i++)
        put_in_place(q, "x");
    loan = borrowed(q);
    pid_t pid = waiter(q, 1);
    release(q, loan);
    reap(pid, 0);
    chute_queue_free(q);
}

static void get_bytes(chute_queue *q)
{
    check_got(q, "x");
}

static void get_value(chute_queue *q)
{
    chute_value *v;

    CHECK_ERR(chute_queue_get(q, &v, CHUTE_NOWAIT), CHUTE_EPICKLE);
    chute_value_free(v);
}

static void get_many_bytes(chute_queue *q)
{
    struct iovec items[2];
    char buf[2];
    size_t n;

    CHECK_OK(chute_queue_get_many_bytes(q, buf, 2, items, 2, &n, CHUTE_NOWAIT));
}

static void get_many(chute_queue *q)
{
    chute_value *v;
    size_t n;

    CHECK_ERR(chute_queue_get_many(q, &v, 1, &n, CHUTE_NOWAIT), CHUTE_EPICKLE);
    chute_value_free(v);
}

TEST(who_waits_is_woken_by_every_way_to_get)
{
    static void (*const ways[])(chute_queue *) = {get_bytes, get_value,
                                                  get_many_bytes, get_many};

    without_tick();
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        chute_queue *q = queue_new(0, 0);
        for (int k = 0; k < ALL; k++)
            put_in_place(q, "x");
        pid_t pid = waiter(q, 1);
        ways[i](q);
        reap(pid, 0);
        chute_queue_free(q);
    }
}

TEST(each_release_wakes_one_more)
{
    chute_queue *q = queue_new(0, MIB);
    struct chute_loan one = reserved(q, MIB / 2), two = reserved(q, MIB / 2);

    without_tick();
    pid_t first = waiter(q, MIB / 2), second = waiter(q, MIB / 2);
    release(q, one);
    release(q, two);
    reap(first, 0);
    reap(second, 0);
    chute_queue_free(q);
}

/* The one who came first cannot use what is free now. */
TEST(who_needs_less_is_not_held_up_by_one_who_needs_more)
{
    chute_queue *q = queue_new(0, MIB);
    struct chute_loan small = reserved(q, MIB / 4),
                      large = reserved(q, MIB / 4 * 3);

    without_tick();
    pid_t first = waiter(q, MIB / 2), second = waiter(q, 1);
    release(q, small);
    reap(second, 0);
    CHECK_EQ(waitpid(first, NULL, WNOHANG), 0);
    release(q, large);
    reap(first, 0);
    chute_queue_free(q);
}

static void reserve_in_vain(chute_queue *q)
{
    struct chute_loan loan;

    CHECK_ERR(chute_queue_reserve(q, &loan, 1, CHUTE_FOREVER), CHUTE_ECLOSED);
}

TEST(who_waits_is_woken_by_close)
{
    chute_queue *q = queue_new(0, 0);
    struct chute_loan loans[ALL];
    pid_t pids[3];

    without_tick();
    reserve_all(q, loans);
    for (int i = 0; i < 3; i++) {
        pids[i] = child(reserve_in_vain, q);
        await_sleep(pids[i]);
    }
    CHECK_OK(chute_queue_close(q));
    for (int i = 0; i < 3; i++)
        reap(pids[i], 0);
    release_all(q, loans, ALL);
    chute_queue_free(q);
}

static void borrow_one(chute_queue *q)
{
    struct chute_loan loan;

    CHECK_OK(chute_queue_borrow(q, &loan, CHUTE_FOREVER));
    check_is(loan, "x");
    release(q, loan);
}

TEST(who_waits_to_borrow_is_woken_by_a_commit)
{
    chute_queue *q = queue_new(0, 0);

    without_tick();
    struct chute_loan loan = filled(q, "x", 1);
    pid_t pid = child(borrow_one, q);
    await_sleep(pid);
    commit(q, loan);
    reap(pid, 0);
    check_is_as_new(q);
    chute_queue_free(q);
}

static void commit_one(chute_queue *q)
{
    struct chute_loan loan = filled(q, "x", 1);

    CHECK_OK(chute_queue_commit(q, &loan, CHUTE_FOREVER));
}

TEST(who_waits_to_commit_is_woken_by_one_who_borrows)
{
    chute_queue *q = queue_new(1, 0);

    without_tick();
    put(q, "full");
    pid_t pid = child(commit_one, q);
    await_sleep(pid);
    struct chute_loan loan = borrowed(q);
    reap(pid, 0);
    release(q, loan);
    check_borrowed(q, "x");
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(borrowing_from_an_empty_queue_says_that_the_time_is_up)
{
    chute_queue *q = queue_new(0, 0);
    struct chute_loan loan;

    CHECK_ERR(chute_queue_borrow(q, &loan, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK_ERR(chute_queue_borrow(q, &loan, CHUTE_MS(5)), CHUTE_ETIMEDOUT);
    chute_queue_free(q);
}
