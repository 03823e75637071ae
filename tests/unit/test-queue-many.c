/* test-queue-many.c - many items put and got by one call.
 *
 * What holds of single items is in test-queue.c; here is what comes of doing it
 * to several: how far a call gets, and what is left when it gets no further.
 */
#include <stdlib.h>
#include <string.h>

#include <chute.h>

#include "queue-scene.h"
#include "test.h"

#define N 1000

static struct iovec items[N];
static int numbers[N];

/* Items that hold their numbers. */
static void fill(size_t n, size_t len)
{
    static char data[N][256];

    for (size_t i = 0; i < n; i++) {
        numbers[i] = (int)i;
        memcpy(data[i], &numbers[i], sizeof numbers[i]);
        items[i] = (struct iovec){.iov_base = data[i], .iov_len = len};
    }
}

static int number_of(const struct iovec *item)
{
    int number;

    memcpy(&number, item->iov_base, sizeof number);
    return number;
}

/* Get till it is empty: the numbers have to follow each other from `first`. */
static int drain(chute_queue *q, int first)
{
    static char buf[N * 256];
    struct iovec got[64];
    size_t n;

    while (chute_queue_get_many_bytes(q, buf, sizeof buf, got, 64, &n,
                                      CHUTE_NOWAIT) == 0) {
        CHECK(n > 0);
        for (size_t i = 0; i < n; i++)
            CHECK_EQ(number_of(&got[i]), first++);
    }
    return first;
}

/* -- bytes ------------------------------------------------------------------ */

TEST(many_go_in_and_come_out_in_their_order)
{
    chute_queue *q = queue_new(0, 0);
    size_t n;

    fill(N, 64);
    CHECK_OK(chute_queue_put_many_bytes(q, items, N, &n, CHUTE_NOWAIT));
    CHECK_EQ(n, N);
    CHECK_EQ(qsize(q), N);
    CHECK_EQ(stat_of(q).n_put, N);
    CHECK_EQ(stat_of(q).n_items_most, N);
    CHECK_EQ(drain(q, 0), N);
    CHECK_EQ(stat_of(q).n_got, N);
    chute_queue_free(q);
}

TEST(none_is_no_work)
{
    chute_queue *q = queue_new(0, 0);
    size_t n = 7;

    CHECK_OK(chute_queue_put_many_bytes(q, NULL, 0, &n, CHUTE_FOREVER));
    CHECK_EQ(n, 0);
    n = 7;
    CHECK_OK(chute_queue_put_many(q, NULL, 0, &n, CHUTE_FOREVER));
    CHECK_EQ(n, 0);
    CHECK_EQ(qsize(q), 0);
    chute_queue_free(q);
}

TEST(what_has_room_is_in_when_the_time_is_up)
{
    chute_queue *q = queue_new(10, 0);
    size_t n;

    fill(N, 64);
    CHECK_ERR(chute_queue_put_many_bytes(q, items, N, &n, CHUTE_MS(20)),
              CHUTE_ETIMEDOUT);
    CHECK_EQ(n, 10);
    CHECK_EQ(drain(q, 0), 10);
    chute_queue_free(q);
}

TEST(memory_bounds_many_as_it_bounds_one)
{
    chute_queue *q = queue_new(0, 4096);
    size_t n;

    fill(N, 112); /* 128 bytes in the queue */
    CHECK_ERR(chute_queue_put_many_bytes(q, items, N, &n, CHUTE_NOWAIT),
              CHUTE_ETIMEDOUT);
    CHECK_EQ(n, 32);
    CHECK_EQ(stat_of(q).used, 4096);
    CHECK_EQ(drain(q, 0), 32);
    chute_queue_free(q);
}

TEST(an_item_that_fits_nowhere_ends_the_call_behind_those_before_it)
{
    chute_queue *q = queue_new(0, 4096);
    static char large[5000];
    size_t n;

    fill(5, 64);
    items[3] = (struct iovec){.iov_base = large, .iov_len = sizeof large};
    CHECK_ERR(chute_queue_put_many_bytes(q, items, 5, &n, CHUTE_FOREVER),
              CHUTE_EMSGSIZE);
    CHECK_EQ(n, 3);
    CHECK_EQ(drain(q, 0), 3);
    chute_queue_free(q);
}

TEST(a_closed_queue_takes_none_and_gives_the_rest)
{
    chute_queue *q = queue_new(0, 0);
    char buf[64];
    size_t n;

    fill(3, 4);
    CHECK_OK(chute_queue_put_many_bytes(q, items, 3, &n, CHUTE_NOWAIT));
    CHECK_OK(chute_queue_close(q));
    CHECK_ERR(chute_queue_put_many_bytes(q, items, 3, &n, CHUTE_NOWAIT),
              CHUTE_ECLOSED);
    CHECK_EQ(n, 0);
    CHECK_EQ(drain(q, 0), 3);
    CHECK_ERR(
        chute_queue_get_many_bytes(q, buf, 64, items, 3, &n, CHUTE_FOREVER),
        CHUTE_EOF);
    CHECK_EQ(n, 0);
    chute_queue_free(q);
}

TEST(get_takes_what_is_there_and_does_not_wait_for_more)
{
    chute_queue *q = queue_new(0, 0);
    char buf[64];
    size_t n;

    fill(3, 4);
    CHECK_OK(chute_queue_put_many_bytes(q, items, 3, &n, CHUTE_NOWAIT));
    CHECK_OK(
        chute_queue_get_many_bytes(q, buf, 64, items, 10, &n, CHUTE_FOREVER));
    CHECK_EQ(n, 3);
    CHECK_ERR(
        chute_queue_get_many_bytes(q, buf, 64, items, 10, &n, CHUTE_MS(5)),
        CHUTE_ETIMEDOUT);
    CHECK_EQ(n, 0);
    chute_queue_free(q);
}

TEST(get_takes_no_more_than_the_buffer_holds)
{
    chute_queue *q = queue_new(0, 0);
    char buf[100];
    struct iovec got[5];
    size_t n;

    fill(5, 40);
    CHECK_OK(chute_queue_put_many_bytes(q, items, 5, &n, CHUTE_NOWAIT));
    CHECK_OK(chute_queue_get_many_bytes(q, buf, 100, got, 5, &n, CHUTE_NOWAIT));
    CHECK_EQ(n, 2);
    CHECK_EQ(number_of(&got[1]), 1);
    CHECK(got[1].iov_base == buf + 40);
    CHECK_ERR(chute_queue_get_many_bytes(q, buf, 30, got, 5, &n, CHUTE_NOWAIT),
              CHUTE_EMSGSIZE);
    CHECK_EQ(n, 0);
    CHECK_EQ(got[0].iov_len, 40);
    CHECK_EQ(qsize(q), 3);
    CHECK_EQ(drain(q, 2), 5);
    chute_queue_free(q);
}

TEST(empty_items_need_no_buffer)
{
    chute_queue *q = queue_new(0, 0);
    struct iovec nothing[3] = {{0}}, got[5];
    size_t n;

    CHECK_OK(chute_queue_put_many_bytes(q, nothing, 3, &n, CHUTE_NOWAIT));
    CHECK_OK(chute_queue_get_many_bytes(q, NULL, 0, got, 5, &n, CHUTE_NOWAIT));
    CHECK_EQ(n, 3);
    CHECK_EQ(got[2].iov_len, 0);
    chute_queue_free(q);
}

/* Lengths at random, so that batches end at the region's end, wrap, and make it
 * grow. */
TEST(batches_wrap_and_grow_and_keep_their_order)
{
    chute_queue *q = queue_new(0, 0);
    static char buf[200000];
    struct iovec got[200];
    unsigned random = 1;
    int n_put = 0, n_got = 0;
    size_t n;

    for (int round = 0; round < 3000; round++) {
        random = random * 1103515245 + 12345;
        size_t n_now = random >> 16 & 63;
        for (size_t i = 0; i < n_now; i++) {
            memcpy(items[i].iov_base = &numbers[i], &(int){n_put + (int)i}, 4);
            items[i].iov_len = 4;
        }
        if (n_now) {
            static char padded[64][3000];
            for (size_t i = 0; i < n_now; i++) {
                memcpy(padded[i], &numbers[i], 4);
                items[i] =
                    (struct iovec){padded[i], 4 + (random >> 8) * i % 2900};
            }
            CHECK_OK(
                chute_queue_put_many_bytes(q, items, n_now, &n, CHUTE_NOWAIT));
            CHECK_EQ(n, n_now);
            n_put += (int)n;
        }
        if (round % 200 < 100)
            continue;
        if (chute_queue_get_many_bytes(q, buf, sizeof buf, got, 200, &n,
                                       CHUTE_NOWAIT) == 0)
            for (size_t i = 0; i < n; i++)
                CHECK_EQ(number_of(&got[i]), n_got++);
    }
    CHECK_EQ(drain(q, n_got), n_put);
    chute_queue_free(q);
}

/* -- values ----------------------------------------------------------------- */

TEST(values_go_in_and_come_out)
{
    chute_queue *q = queue_new(0, 0);
    chute_value *values[600], *got[1000];
    size_t n;

    for (int i = 0; i < 600; i++)
        values[i] = chute_int(i);
    CHECK_OK(chute_queue_put_many(q, values, 600, &n, CHUTE_NOWAIT));
    CHECK_EQ(n, 600);
    CHECK_OK(chute_queue_get_many(q, got, 500, &n, CHUTE_FOREVER));
    CHECK_EQ(n, 500);
    CHECK_OK(chute_queue_get_many(q, got + 500, 500, &n, CHUTE_FOREVER));
    CHECK_EQ(n, 100);
    for (int i = 0; i < 600; i++) {
        int64_t number;
        CHECK_OK(chute_value_int(got[i], &number));
        CHECK_EQ(number, i);
        chute_value_free(got[i]);
    }
    chute_queue_free(q);
}

/* Each of them is more than goes in by one commit together with others. */
TEST(large_values_go_in_and_come_out)
{
    enum { LEN = 300 << 10, N_LARGE = 4 };
    static char bytes[LEN];
    chute_queue *q = queue_new(0, 0);
    chute_value *values[N_LARGE], *got[N_LARGE + 1];
    size_t n;

    for (int i = 0; i < N_LARGE; i++) {
        bytes[0] = (char)i;
        values[i] = chute_bytes(bytes, LEN);
    }
    CHECK_OK(chute_queue_put_many(q, values, N_LARGE, &n, CHUTE_NOWAIT));
    CHECK_EQ(n, N_LARGE);
    CHECK_OK(chute_queue_get_many(q, got, N_LARGE + 1, &n, CHUTE_NOWAIT));
    CHECK_EQ(n, N_LARGE);
    for (int i = 0; i < N_LARGE; i++) {
        const char *data = chute_value_bytes(got[i], &n);
        CHECK_EQ(n, LEN);
        CHECK_EQ(data[0], i);
        chute_value_free(got[i]);
    }
    chute_queue_free(q);
}

TEST(of_a_closed_queue_come_those_that_are_left_and_then_the_end)
{
    chute_queue *q = queue_new(0, 0);
    chute_value *got[4];
    size_t n;

    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK_OK(put_int(q, 2, CHUTE_NOWAIT));
    CHECK_OK(chute_queue_close(q));
    CHECK_OK(chute_queue_get_many(q, got, 4, &n, CHUTE_FOREVER));
    CHECK_EQ(n, 2);
    chute_value_free(got[0]);
    chute_value_free(got[1]);
    CHECK_ERR(chute_queue_get_many(q, got, 4, &n, CHUTE_FOREVER), CHUTE_EOF);
    CHECK_EQ(n, 0);
    chute_queue_free(q);
}

TEST(values_that_have_no_room_remain_the_callers)
{
    chute_queue *q = queue_new(2, 0);
    chute_value *values[3];
    size_t n;

    for (int i = 0; i < 3; i++)
        values[i] = chute_int(i);
    CHECK_ERR(chute_queue_put_many(q, values, 3, &n, CHUTE_NOWAIT),
              CHUTE_ETIMEDOUT);
    CHECK_EQ(n, 2);
    CHECK_EQ(chute_value_type(values[2]), CHUTE_INT);
    chute_value_free(values[2]);
    chute_queue_free(q);
}

TEST(a_value_that_is_none_ends_the_call_behind_those_before_it)
{
    chute_queue *q = queue_new(0, 0);
    chute_value *values[3] = {chute_int(1), NULL, chute_int(2)};
    size_t n;

    CHECK_ERR(chute_queue_put_many(q, values, 3, &n, CHUTE_NOWAIT),
              CHUTE_ENOMEM);
    CHECK_EQ(n, 1);
    chute_value_free(values[2]);
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 1);
    chute_queue_free(q);
}

TEST(a_message_that_is_no_value_ends_the_call_and_is_the_last)
{
    chute_queue *q = queue_new(0, 0);
    chute_value *got[4];
    size_t n;

    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK_OK(chute_queue_put_bytes(q, "junk", 4, CHUTE_NOWAIT));
    CHECK_OK(put_int(q, 2, CHUTE_NOWAIT));
    CHECK_ERR(chute_queue_get_many(q, got, 4, &n, CHUTE_NOWAIT), CHUTE_EPICKLE);
    CHECK_EQ(n, 2);
    CHECK_EQ(chute_value_type(got[1]), CHUTE_BYTES);
    chute_value_free(got[0]);
    chute_value_free(got[1]);
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 2);
    chute_queue_free(q);
}

/* -- wrong use, and a system that refuses ----------------------------------- */

TEST(wrong_arguments_are_refused)
{
    chute_queue *q = queue_new(0, 0);
    struct iovec bad = {.iov_len = 1};
    chute_value *v;
    char buf[8];
    size_t n;

    CHECK_ERR(chute_queue_put_many_bytes(NULL, items, 1, &n, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_put_many_bytes(q, NULL, 1, &n, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_put_many_bytes(q, items, 1, NULL, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_put_many_bytes(q, &bad, 1, &n, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_put_many_bytes(q, items, 0, &n, -2), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_put_many(q, NULL, 1, &n, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_put_many(q, &v, 1, NULL, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_get_many_bytes(q, NULL, 8, items, 1, &n, 0),
              CHUTE_EINVAL);
    CHECK_ERR(chute_queue_get_many_bytes(q, buf, 8, NULL, 1, &n, 0),
              CHUTE_EINVAL);
    CHECK_ERR(chute_queue_get_many_bytes(q, buf, 8, items, 0, &n, 0),
              CHUTE_EINVAL);
    CHECK_ERR(chute_queue_get_many_bytes(q, buf, 8, items, 1, NULL, 0),
              CHUTE_EINVAL);
    CHECK_ERR(chute_queue_get_many(q, NULL, 1, &n, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_get_many(q, &v, 0, &n, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_get_many(q, &v, 1, NULL, 0), CHUTE_EINVAL);
    CHECK_EQ(qsize(q), 0);
    chute_queue_free(q);
}

TEST(whatever_is_refused_none_is_lost)
{
    FAULT_LOOP (round) {
        chute_queue *q;
        chute_value *values[20], *got[20];
        size_t n_put = 0, n_got = 0, n;

        if (chute_queue_new(&q, NULL) < 0)
            continue;
        for (int i = 0; i < 20; i++)
            values[i] = chute_str("a text");
        if (chute_queue_put_many(q, values, 20, &n_put, CHUTE_NOWAIT) < 0)
            CHECK(fault_fired());
        for (size_t i = n_put; i < 20; i++)
            chute_value_free(values[i]);
        CHECK_EQ(qsize(q), n_put);
        while (n_got < n_put) {
            int r = chute_queue_get_many(q, got, 20, &n, CHUTE_NOWAIT);
            CHECK(r == 0 || fault_fired());
            for (size_t i = 0; i < n; i++)
                chute_value_free(got[i]);
            n_got += n;
        }
        chute_queue_free(q);
    }
}
