/* test-queue-loan.c - messages in their place: block.c, and what queue.c makes of
 * it, mostly by the public functions. Who waits for one is in test-queue-loan-wait.c,
 * and what the dead leave in test-queue-loan-death.c.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <chute.h>

#include "asleep.h"
#include "loan-scene.h"
#include "test.h"

/* -- in, and out in every way ----------------------------------------------- */

TEST(what_was_written_in_its_place_is_got_as_bytes)
{
    chute_queue *q = queue_new(0, 0);

    put_in_place(q, "a message");
    CHECK_EQ(qsize(q), 1);
    check_got(q, "a message");
    CHECK_EQ(stat_of(q).n_put, 1);
    CHECK_EQ(stat_of(q).n_got, 1);
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(what_was_written_in_its_place_is_borrowed_where_it_lies)
{
    chute_queue *q = queue_new(0, 0);
    struct chute_loan loan = filled(q, "a message", 9);
    void *data = loan.data;

    commit(q, loan);
    loan = borrowed(q);
    check_is(loan, "a message");
    CHECK(loan.data == data);
    CHECK_EQ(qsize(q), 0);
    release(q, loan);
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(a_pickle_that_was_written_in_its_place_is_got_as_a_value)
{
    chute_queue *q = queue_new(0, 0);
    chute_value *v = chute_int(42);
    int64_t number = 0;
    void *data;
    size_t len;

    CHECK_OK(chute_dumps(v, &data, &len));
    chute_value_free(v);
    commit(q, filled(q, data, len));
    free(data);
    CHECK_OK(chute_queue_peek(q, &v, CHUTE_NOWAIT));
    CHECK_OK(chute_value_int(v, &number));
    CHECK_EQ(number, 42);
    chute_value_free(v);
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 42);
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(what_is_no_pickle_comes_out_as_it_is)
{
    chute_queue *q = queue_new(0, 0);
    chute_value *v;
    size_t len;

    put_in_place(q, "junk");
    CHECK_ERR(chute_queue_get(q, &v, CHUTE_NOWAIT), CHUTE_EPICKLE);
    CHECK_MEM(chute_value_bytes(v, &len), "junk", 4);
    CHECK_EQ(len, 4);
    chute_value_free(v);
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(a_value_is_borrowed_as_the_bytes_that_it_is_put_as)
{
    chute_queue *q = queue_new(0, 0);
    chute_value *v;
    int64_t number = 0;

    CHECK_OK(put_int(q, 7, CHUTE_NOWAIT));
    struct chute_loan loan = borrowed(q);
    CHECK_OK(chute_loads(loan.data, loan.len, &v, NULL));
    CHECK_OK(chute_value_int(v, &number));
    CHECK_EQ(number, 7);
    chute_value_free(v);
    release(q, loan);
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(peeking_leaves_it_there)
{
    chute_queue *q = queue_new(0, 0);
    char buf[8];
    size_t len;

    put_in_place(q, "first");
    for (int i = 0; i < 2; i++) {
        CHECK_OK(chute_queue_peek_bytes(q, buf, 8, &len, CHUTE_NOWAIT));
        CHECK_EQ(len, 5);
        CHECK_MEM(buf, "first", 5);
        CHECK_EQ(qsize(q), 1);
    }
    check_borrowed(q, "first");
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(a_buffer_that_is_too_short_is_told_the_length_of_the_message)
{
    chute_queue *q = queue_new(0, 0);
    struct iovec items[2];
    char buf[4];
    size_t len, n;

    put_in_place(q, "a message");
    CHECK_ERR(chute_queue_peek_bytes(q, buf, 4, &len, CHUTE_NOWAIT),
              CHUTE_EMSGSIZE);
    CHECK_EQ(len, 9);
    CHECK_ERR(chute_queue_get_bytes(q, buf, 4, &len, CHUTE_NOWAIT),
              CHUTE_EMSGSIZE);
    CHECK_EQ(len, 9);
    CHECK_ERR(chute_queue_get_many_bytes(q, buf, 4, items, 2, &n, CHUTE_NOWAIT),
              CHUTE_EMSGSIZE);
    CHECK_EQ(items[0].iov_len, 9);
    check_got(q, "a message");
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(many_are_got_at_once_whatever_way_they_were_put)
{
    static const char *const texts[] = {"1", "in place", "3", "", "in place 5"};
    chute_queue *q = queue_new(0, 0);
    struct iovec items[8];
    char buf[64];
    size_t n_got = 0, n;

    for (int i = 0; i < 5; i++)
        (i % 2 ? put_in_place : put)(q, texts[i]);
    while (n_got < 5) {
        CHECK_OK(chute_queue_get_many_bytes(q, buf, sizeof buf, items, 8, &n,
                                            CHUTE_NOWAIT));
        for (size_t i = 0; i < n; i++, n_got++) {
            CHECK_EQ(items[i].iov_len, strlen(texts[n_got]));
            CHECK_MEM(items[i].iov_base, texts[n_got], items[i].iov_len);
        }
    }
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(values_are_got_at_once_though_one_is_in_its_place)
{
    chute_queue *q = queue_new(0, 0);
    chute_value *v = chute_int(1), *values[3];
    size_t n_got = 0, n, len;
    int64_t number;
    void *data;

    CHECK_OK(chute_dumps(v, &data, &len));
    chute_value_free(v);
    CHECK_OK(put_int(q, 0, CHUTE_NOWAIT));
    commit(q, filled(q, data, len));
    free(data);
    CHECK_OK(put_int(q, 2, CHUTE_NOWAIT));
    while (n_got < 3) {
        CHECK_OK(chute_queue_get_many(q, values, 3, &n, CHUTE_NOWAIT));
        for (size_t i = 0; i < n; i++) {
            CHECK_OK(chute_value_int(values[i], &number));
            CHECK_EQ(number, n_got++);
            chute_value_free(values[i]);
        }
    }
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(they_keep_their_order_with_all_other_items)
{
    chute_queue *q = queue_new(0, 0);
    char text[16];

    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 40; i++) {
            snprintf(text, sizeof text, "%d", i);
            ((i + round) % 3 ? put : put_in_place)(q, text);
        }
        for (int i = 0; i < 40; i++) {
            snprintf(text, sizeof text, "%d", i);
            ((i + round) % 5 ? check_got : check_borrowed)(q, text);
        }
    }
    check_is_as_new(q);
    chute_queue_free(q);
}

/* It is the commit that counts, not when it was lent. */
TEST(the_order_is_that_of_the_commits)
{
    chute_queue *q = queue_new(0, 0);
    struct chute_loan first = filled(q, "lent first", 10),
                      second = filled(q, "lent second", 11);

    put(q, "not lent");
    commit(q, second);
    commit(q, first);
    check_got(q, "not lent");
    check_borrowed(q, "lent second");
    check_got(q, "lent first");
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(loans_end_in_any_order)
{
    chute_queue *q = queue_new(0, 0);

    put_in_place(q, "1");
    put(q, "2");
    put_in_place(q, "3");
    struct chute_loan one = borrowed(q), two = borrowed(q), three = borrowed(q);
    release(q, two);
    check_is(three, "3");
    check_is(one, "1");
    release(q, one);
    check_is(three, "3");
    release(q, three);
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(what_was_released_is_never_put)
{
    chute_queue *q = queue_new(0, 0);

    release(q, filled(q, "no", 2));
    CHECK_EQ(qsize(q), 0);
    put_in_place(q, "yes");
    check_got(q, "yes");
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(the_statistics_count_them_like_any_item)
{
    chute_queue *q = queue_new(0, 0);

    put_in_place(q, "1");
    put(q, "2");
    struct chute_queue_stats stat = stat_of(q);
    CHECK_EQ(stat.n_items, 2);
    CHECK_EQ(stat.n_put, 2);
    CHECK_EQ(stat.n_items_most, 2);
    CHECK(stat.oldest_ns >= 0 && stat.oldest_ns < CHUTE_SEC(3600));
    CHECK(stat.reserved > 0);
    check_borrowed(q, "1");
    CHECK_EQ(stat_of(q).n_got, 1);
    check_got(q, "2");
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(who_waits_by_a_descriptor_is_told)
{
    chute_queue *q = queue_new(0, 0);
    int fd = chute_queue_wait_fd(q);
    bool ready;

    CHECK(fd >= 0);
    struct chute_loan loan = filled(q, "1", 1);
    CHECK_EQ(chute_wait(&fd, &ready, 1, CHUTE_NOWAIT), 0);
    commit(q, loan);
    CHECK_EQ(chute_wait(&fd, &ready, 1, CHUTE_NOWAIT), 1);
    loan = borrowed(q);
    CHECK_EQ(chute_wait(&fd, &ready, 1, CHUTE_NOWAIT), 0);
    release(q, loan);
    chute_queue_free(q);
}

/* -- lengths ---------------------------------------------------------------- */

static void check_len(chute_queue *q, size_t len)
{
    static char data[MIB + 1], got[MIB + 1];
    size_t got_len;

    for (size_t i = 0; i < len; i++)
        data[i] = (char)(i * 7 + i / 251 + len);
    commit(q, filled(q, data, len));
    struct chute_loan loan = borrowed(q);
    CHECK_EQ(loan.len, len);
    CHECK_MEM(loan.data, data, len);
    release(q, loan);
    commit(q, filled(q, data, len));
    CHECK_OK(chute_queue_get_bytes(q, got, sizeof got, &got_len, CHUTE_NOWAIT));
    CHECK_EQ(got_len, len);
    CHECK_MEM(got, data, len);
}

TEST(they_may_be_of_any_length)
{
    static const size_t lens[] = {0,      1,       7,     8,      9,
                                  4096,   65535,   65536, 65537,  65544,
                                  131072, MIB - 1, MIB,   MIB + 1};
    chute_queue *q = queue_new(0, 0);

    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++)
        check_len(q, lens[i]);
    for (size_t i = sizeof lens / sizeof *lens; i-- > 0;)
        check_len(q, lens[i]);
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(a_message_of_no_bytes_is_an_item)
{
    chute_queue *q = queue_new(0, 0);

    commit(q, reserved(q, 0));
    commit(q, reserved(q, 0));
    CHECK_EQ(qsize(q), 2);
    check_borrowed(q, "");
    check_got(q, "");
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(less_may_be_put_than_was_reserved)
{
    chute_queue *q = queue_new(0, 0);
    static const size_t lens[] = {0, 1, 5};

    for (int i = 0; i < 3; i++) {
        struct chute_loan loan = reserved(q, MIB);
        memcpy(loan.data, "bytes", 5);
        loan.len = lens[i];
        commit(q, loan);
    }
    check_got(q, "");
    check_borrowed(q, "b");
    check_got(q, "bytes");
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(more_may_not)
{
    chute_queue *q = queue_new(0, 0);
    static const size_t lens[] = {0, 1, 65536};

    for (int i = 0; i < 3; i++) {
        struct chute_loan loan = reserved(q, lens[i]);
        loan.len++;
        CHECK_ERR(chute_queue_commit(q, &loan, CHUTE_NOWAIT), CHUTE_EINVAL);
        loan.len = SIZE_MAX;
        CHECK_ERR(chute_queue_commit(q, &loan, CHUTE_NOWAIT), CHUTE_EINVAL);
        CHECK_EQ(qsize(q), 0);
        loan.len = lens[i];
        commit(q, loan);
        release(q, borrowed(q));
    }
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(what_is_longer_than_the_memory_is_refused)
{
    chute_queue *q = queue_new(0, MIB);
    struct chute_loan loan;

    CHECK_ERR(chute_queue_reserve(q, &loan, MIB + 1, CHUTE_FOREVER),
              CHUTE_EMSGSIZE);
    CHECK_ERR(chute_queue_reserve(q, &loan, SIZE_MAX, CHUTE_FOREVER),
              CHUTE_EMSGSIZE);
    CHECK_ERR(chute_queue_reserve(q, &loan, SIZE_MAX / 2, CHUTE_FOREVER),
              CHUTE_EMSGSIZE);
    loan = reserved(q, MIB);
    release(q, loan);
    chute_queue_free(q);
}

TEST(the_smallest_queue_lends_all_of_its_memory)
{
    chute_queue *q = queue_new(0, 4096);
    struct chute_loan loan;

    CHECK_ERR(chute_queue_reserve(q, &loan, 4097, CHUTE_NOWAIT),
              CHUTE_EMSGSIZE);
    loan = reserved(q, 4096);
    memset(loan.data, 'x', 4096);
    commit(q, loan);
    loan = borrowed(q);
    CHECK_EQ(loan.len, 4096);
    release(q, loan);
    chute_queue_free(q);
}

/* -- full, and closed ------------------------------------------------------- */

TEST(a_commit_that_finds_no_room_leaves_the_loan)
{
    chute_queue *q = queue_new(1, 0);

    put(q, "full");
    struct chute_loan loan = filled(q, "later", 5);
    CHECK_ERR(chute_queue_commit(q, &loan, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK_ERR(chute_queue_commit(q, &loan, CHUTE_MS(5)), CHUTE_ETIMEDOUT);
    check_is(loan, "later");
    memcpy(loan.data, "again", 5);
    CHECK_EQ(qsize(q), 1);
    check_got(q, "full");
    CHECK_OK(chute_queue_commit(q, &loan, CHUTE_NOWAIT));
    check_got(q, "again");
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(a_closed_queue_lends_nothing_and_takes_nothing)
{
    chute_queue *q = queue_new(0, 0);
    struct chute_loan loan = filled(q, "late", 4), more;

    put_in_place(q, "in time");
    put(q, "too");
    CHECK_OK(chute_queue_close(q));
    CHECK_ERR(chute_queue_reserve(q, &more, 1, CHUTE_FOREVER), CHUTE_ECLOSED);
    CHECK_ERR(chute_queue_commit(q, &loan, CHUTE_FOREVER), CHUTE_ECLOSED);
    check_is(loan, "late");
    CHECK_OK(chute_queue_release(q, &loan));
    check_borrowed(q, "in time");
    check_borrowed(q, "too");
    CHECK_ERR(chute_queue_borrow(q, &more, CHUTE_FOREVER), CHUTE_EOF);
    chute_queue_free(q);
}

/* -- no loans --------------------------------------------------------------- */

/* Nothing happens, whatever is asked. */
static void check_is_none(chute_queue *q, struct chute_loan loan)
{
    size_t n = qsize(q);

    CHECK_ERR(chute_queue_commit(q, &loan, CHUTE_NOWAIT), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_release(q, &loan), CHUTE_EINVAL);
    CHECK_EQ(qsize(q), n);
}

TEST(what_was_never_lent_is_refused)
{
    chute_queue *q = queue_new(0, 0);
    char data[64];

    check_is_none(q, (struct chute_loan){0});
    check_is_none(q, (struct chute_loan){.data = data, .len = 1});
    for (unsigned i = 0; i < 64; i++)
        check_is_none(
            q, (struct chute_loan){.data = data, .place = UINT64_C(1) << i});
    check_is_none(q, (struct chute_loan){.place = UINT64_MAX});
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(what_has_ended_is_refused)
{
    chute_queue *q = queue_new(0, 0);
    struct chute_loan loan = reserved(q, 1), before = loan;

    CHECK_OK(chute_queue_release(q, &loan));
    check_is_none(q, loan);
    check_is_none(q, before);
    loan = before = filled(q, "x", 1);
    CHECK_OK(chute_queue_commit(q, &loan, CHUTE_NOWAIT));
    check_is_none(q, loan);
    check_is_none(q, before);
    loan = before = borrowed(q);
    CHECK_OK(chute_queue_release(q, &loan));
    check_is_none(q, loan);
    check_is_none(q, before);
    put(q, "ordinary");
    loan = borrowed(q);
    CHECK_OK(chute_queue_release(q, &loan));
    check_is_none(q, loan);
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(what_was_borrowed_cannot_be_put)
{
    chute_queue *q = queue_new(0, 0);

    put_in_place(q, "in place");
    put(q, "ordinary");
    for (int i = 0; i < 2; i++) {
        struct chute_loan loan = borrowed(q);
        CHECK_ERR(chute_queue_commit(q, &loan, CHUTE_NOWAIT), CHUTE_EINVAL);
        check_is(loan, i == 0 ? "in place" : "ordinary");
        release(q, loan);
    }
    check_is_as_new(q);
    chute_queue_free(q);
}

/* Each bit of it, one after the other. */
TEST(an_altered_loan_is_refused)
{
    chute_queue *q = queue_new(0, 0);
    struct chute_loan right = filled(q, "right", 5), other = reserved(q, 1);

    for (unsigned i = 0; i < 64; i++) {
        struct chute_loan wrong = right;
        wrong.place ^= UINT64_C(1) << i;
        check_is_none(q, wrong);
        wrong = right;
        wrong.data = (void *)((uintptr_t)right.data ^ (uintptr_t)1 << i);
        check_is_none(q, wrong);
    }
    check_is_none(q, (struct chute_loan){right.data, 5, other.place});
    check_is_none(q, (struct chute_loan){other.data, 5, right.place});
    check_is_none(q, (struct chute_loan){NULL, 5, right.place});
    release(q, other);
    commit(q, right);
    check_got(q, "right");
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(another_queues_loan_is_refused)
{
    chute_queue *q = queue_new(0, 0), *other = queue_new(0, 0);
    struct chute_loan mine = filled(q, "mine", 4),
                      its = filled(other, "its", 3);

    check_is_none(q, its);
    check_is_none(other, mine);
    commit(q, mine);
    commit(other, its);
    check_got(q, "mine");
    check_got(other, "its");
    put(q, "ordinary");
    mine = borrowed(q);
    check_is_none(other, mine);
    release(q, mine);
    chute_queue_free(other);
    check_is_as_new(q);
    chute_queue_free(q);
}

TEST(another_handles_loan_is_refused)
{
    chute_queue *q = queue_new(0, 0), *other = another(q);
    struct chute_loan loan = filled(q, "mine", 4);

    check_is_none(other, loan);
    commit(q, loan);
    check_borrowed(other, "mine");
    check_is_as_new(q);
    chute_queue_free(other);
    chute_queue_free(q);
}

TEST(wrong_arguments_are_refused)
{
    chute_queue *q = queue_new(0, 0);
    struct chute_loan loan;

    CHECK_ERR(chute_queue_reserve(NULL, &loan, 1, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_reserve(q, NULL, 1, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_reserve(q, &loan, 1, -2), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_borrow(NULL, &loan, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_borrow(q, NULL, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_borrow(q, &loan, -2), CHUTE_EINVAL);
    loan = reserved(q, 1);
    CHECK_ERR(chute_queue_commit(NULL, &loan, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_commit(q, NULL, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_commit(q, &loan, -2), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_release(NULL, &loan), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_release(q, NULL), CHUTE_EINVAL);
    release(q, loan);
    check_is_as_new(q);
    chute_queue_free(q);
}

/* -- fork ------------------------------------------------------------------- */

static struct chute_loan parents[3];

static void try_the_parents(chute_queue *q)
{
    for (int i = 0; i < 3; i++)
        check_is_none(q, parents[i]);
    put_in_place(q, "the child's");
    for (int i = 0; i < 3; i++)
        check_is_none(q, parents[i]);
    chute_queue_free(q);
}

TEST(a_child_has_its_parents_loans_not)
{
    chute_queue *q = queue_new(0, 0);

    put_in_place(q, "in place");
    put(q, "ordinary");
    parents[0] = filled(q, "reserved", 8);
    parents[1] = borrowed(q);
    parents[2] = borrowed(q);
    reap(child(try_the_parents, q), 0);
    check_is(parents[0], "reserved");
    check_is(parents[1], "in place");
    check_is(parents[2], "ordinary");
    release(q, parents[1]);
    release(q, parents[2]);
    commit(q, parents[0]);
    check_got(q, "the child's");
    check_got(q, "reserved");
    check_is_as_new(q);
    chute_queue_free(q);
}

/* Whose views the child has inherited. */
static void use_all(chute_queue *q)
{
    struct chute_loan loans[ALL];

    for (int i = 0; i < ALL - 3; i++) {
        loans[i] = reserved(q, 70000);
        memset(loans[i].data, i, 70000);
    }
    for (int i = 0; i < ALL - 3; i++)
        CHECK_EQ(((char *)loans[i].data)[69999], i);
    release_all(q, loans, ALL - 3);
}

TEST(a_child_uses_the_blocks_that_its_parent_has_used)
{
    chute_queue *q = queue_new(0, 0);

    check_all_are_free(q);
    for (int i = 0; i < 3; i++) {
        parents[i] = reserved(q, 1);
        memset(parents[i].data, 'p', 1);
    }
    reap(child(use_all, q), 0);
    for (int i = 0; i < 3; i++)
        CHECK_MEM(parents[i].data, "p", 1);
    release_all(q, parents, 3);
    check_is_as_new(q);
    chute_queue_free(q);
}

/* -- others ----------------------------------------------------------------- */

static void answer(chute_queue *q)
{
    struct chute_loan loan;

    CHECK_OK(chute_queue_borrow(q, &loan, CHUTE_FOREVER));
    CHECK_EQ(loan.len, MIB);
    CHECK_EQ(((char *)loan.data)[MIB - 1], 'q');
    release(q, loan);
    loan = filled(q, "answer", 6);
    CHECK_OK(chute_queue_commit(q, &loan, CHUTE_FOREVER));
    chute_queue_free(q);
}

static void answer_by_name(chute_queue *q)
{
    chute_queue *by_name;

    chute_queue_free(q);
    CHECK_OK(chute_queue_open(&by_name, "lent", NULL));
    answer(by_name);
}

static void answer_by_fd(chute_queue *q)
{
    chute_queue *by_fd = another(q);

    chute_queue_free(q);
    answer(by_fd);
}

static void ask(chute_queue *q, void (*fn)(chute_queue *))
{
    struct chute_loan loan = reserved(q, MIB);

    memset(loan.data, 'q', MIB);
    commit(q, loan);
    reap(child(fn, q), 0);
    check_borrowed(q, "answer");
    check_is_as_new(q);
}

TEST(another_process_borrows_and_answers)
{
    chute_queue *q = queue_new(0, 0);

    ask(q, answer);
    ask(q, answer_by_fd);
    chute_queue_free(q);
}

TEST(who_opens_the_queue_by_its_name_borrows_and_answers)
{
    char dir[] = "/dev/shm/test-loan-XXXXXX";
    chute_queue *q;

    CHECK(mkdtemp(dir));
    CHECK_EQ(setenv("CHUTE_DIR", dir, 1), 0);
    CHECK_OK(chute_queue_open(
        &q, "lent", CHUTE_OPTIONS(chute_queue_options, .flags = CHUTE_CREATE)));
    ask(q, answer_by_name);
    chute_queue_free(q);
    CHECK_OK(chute_queue_unlink("lent"));
    CHECK_EQ(rmdir(dir), 0);
}

static void *commit_what_was_lent(void *queue)
{
    chute_queue *q = queue;

    commit(q, parents[0]);
    release(q, parents[1]);
    release(q, parents[2]);
    return NULL;
}

TEST(another_thread_may_end_a_loan)
{
    chute_queue *q = queue_new(0, 0);
    pthread_t thread;

    put_in_place(q, "in place");
    put(q, "ordinary");
    parents[0] = filled(q, "reserved", 8);
    parents[1] = borrowed(q);
    parents[2] = borrowed(q);
    CHECK_EQ(pthread_create(&thread, NULL, commit_what_was_lent, q), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    check_got(q, "reserved");
    check_is_as_new(q);
    chute_queue_free(q);
}

#define N_EACH 2000

/* Some are on loan all the time, to each. */
static void *pass_through(void *queue)
{
    chute_queue *q = queue;
    struct chute_loan loans[8], loan;

    for (int i = 0; i < 8; i++)
        CHECK_OK(chute_queue_reserve(q, &loans[i], 100, CHUTE_FOREVER));
    for (int i = 0; i < N_EACH; i++) {
        loan = loans[i % 8];
        memset(loan.data, i, loan.len);
        CHECK_OK(chute_queue_commit(q, &loan, CHUTE_FOREVER));
        CHECK_OK(chute_queue_borrow(q, &loan, CHUTE_FOREVER));
        char first = *(char *)loan.data;
        for (size_t k = 0; k < loan.len; k++)
            CHECK_EQ(((char *)loan.data)[k], first);
        release(q, loan);
        CHECK_OK(chute_queue_reserve(q, &loans[i % 8], 1 + (size_t)i % 300,
                                     CHUTE_FOREVER));
    }
    release_all(q, loans, 8);
    return NULL;
}

TEST(two_threads_have_loans_of_their_own)
{
    chute_queue *q = queue_new(0, 0);
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, pass_through, q), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(stat_of(q).n_put, 2 * N_EACH);
    check_is_as_new(q);
    chute_queue_free(q);
}

static void *reserve_and_release(void *queue)
{
    struct chute_loan loan;

    for (int i = 0; i < N_EACH; i++) {
        CHECK_OK(chute_queue_reserve(queue, &loan, 1, CHUTE_FOREVER));
        memset(loan.data, i, 1);
        CHECK_OK(chute_queue_release(queue, &loan));
    }
    return NULL;
}

/* In no order, and always one too few. */
TEST(threads_that_wait_for_each_others_are_woken)
{
    chute_queue *q = queue_new(0, 2 * 65536);
    pthread_t threads[3];

    without_tick();
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, reserve_and_release, q), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(stat_of(q).n_rescues, 0);
    chute_queue_free(q);
}

/* -- refusals --------------------------------------------------------------- */

static int borrow_is(chute_queue *q, const char *text)
{
    struct chute_loan loan;
    int r = chute_queue_borrow(q, &loan, CHUTE_NOWAIT);

    if (r < 0)
        return r;
    check_is(loan, text);
    release(q, loan);
    return 0;
}

/* What could not be borrowed for want of memory is still there. */
TEST(whatever_is_refused_nothing_is_lost)
{
    FAULT_LOOP (round) {
        chute_queue *q;
        struct chute_loan loan;

        if (chute_queue_new(&q, NULL) < 0)
            continue;
        if (chute_queue_reserve(q, &loan, 1, CHUTE_NOWAIT) < 0) {
            CHECK(fault_fired());
            CHECK_OK(chute_queue_reserve(q, &loan, 1, CHUTE_NOWAIT));
        }
        memcpy(loan.data, "1", 1);
        if (chute_queue_commit(q, &loan, CHUTE_NOWAIT) < 0) {
            CHECK(fault_fired());
            check_is(loan, "1");
            CHECK_OK(chute_queue_commit(q, &loan, CHUTE_NOWAIT));
        }
        if (chute_queue_put_bytes(q, "2", 1, CHUTE_NOWAIT) < 0)
            CHECK_OK(chute_queue_put_bytes(q, "2", 1, CHUTE_NOWAIT));
        CHECK_EQ(qsize(q), 2);
        if (borrow_is(q, "1") < 0) {
            CHECK(fault_fired());
            CHECK_OK(borrow_is(q, "1"));
        }
        if (borrow_is(q, "2") < 0) {
            CHECK(fault_fired());
            CHECK_OK(borrow_is(q, "2"));
        }
        CHECK_EQ(qsize(q), 0);
        chute_queue_free(q);
    }
}

/* Memory may be full while others have some that is free. */
TEST(what_could_not_be_lent_is_free_again)
{
    FAULT_LOOP_FROM (round) {
        chute_queue *q;
        struct chute_loan loan;
        int r;

        if (chute_queue_new(&q, NULL) < 0)
            continue;
        for (int i = 0; i < 2 * ALL; i++) {
            r = chute_queue_reserve(q, &loan, 70000, CHUTE_NOWAIT);
            if (r == 0)
                release(q, loan);
            else
                CHECK(fault_fired() && r != CHUTE_ETIMEDOUT);
        }
        chute_queue_free(q);
    }
}
