/* test-message.c - what is lost, torn, late or doubled in a benchmark shows. */
#include <string.h>

#include "message.h"
#include "test.h"

#define LEN 20000
#define N   10

static struct account put, got[2];

static void arrives(int getter, int putter, uint64_t number)
{
    static char data[LEN];

    message_mark(data, LEN, putter, number, false);
    message_got(&got[getter], data, LEN, false);
}

static const char *verdict_on(int putter)
{
    const struct account *all[] = {&got[0], &got[1]};

    return message_compare(&put, all, 2, putter);
}

static void put_ten(int putter)
{
    for (uint64_t i = 0; i < N; i++)
        message_put(&put, putter, i);
}

TEST(each_once_at_whichever_getter_is_right)
{
    for (int putter = 0; putter < 3; putter++) {
        put_ten(putter);
        for (uint64_t i = 0; i < N; i++)
            arrives(i % 3 == 0, putter, i);
    }
    for (int putter = 0; putter < 3; putter++)
        CHECK(verdict_on(putter) == NULL);
}

TEST(one_that_does_not_arrive_is_lost)
{
    put_ten(0);
    for (uint64_t i = 0; i < N - 1; i++)
        arrives(0, 0, i);
    CHECK_STR(verdict_on(0), "messages were lost");
}

TEST(one_that_two_getters_get_came_twice)
{
    put_ten(0);
    for (uint64_t i = 0; i < N; i++)
        arrives(0, 0, i);
    arrives(1, 0, 5);
    CHECK_STR(verdict_on(0), "messages came twice");
}

TEST(one_lost_for_one_doubled_shows_though_the_count_is_right)
{
    put_ten(0);
    for (uint64_t i = 0; i < N; i++)
        if (i != 3)
            arrives(0, 0, i);
    arrives(1, 0, 4);
    CHECK_STR(verdict_on(0), "messages were lost, and others came twice");
}

TEST(one_after_a_later_one_is_out_of_order)
{
    put_ten(0);
    arrives(0, 0, 1);
    arrives(0, 0, 0);
    CHECK_STR(verdict_on(0), "messages came out of order");
}

TEST(one_putters_message_before_anothers_is_not)
{
    message_put(&put, 0, 0);
    message_put(&put, 1, 0);
    message_put(&put, 1, 1);
    arrives(0, 1, 0);
    arrives(0, 1, 1);
    arrives(0, 0, 0);
    CHECK(verdict_on(0) == NULL);
    CHECK(verdict_on(1) == NULL);
}

TEST(half_of_one_and_half_of_another_is_torn)
{
    static const size_t lens[] = {16, 64, 4096, 4104, LEN};
    static char data[LEN], other[LEN];

    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        size_t len = lens[i];
        memset(&got[0], 0, sizeof got[0]);
        message_mark(data, len, 0, 1, false);
        message_mark(other, len, 0, 2, false);
        memcpy(data + len / 2, other + len / 2, len - len / 2);
        message_got(&got[0], data, len, false);
        CHECK_EQ(got[0].n_torn, 1);
        CHECK_STR(verdict_on(0), "messages were torn");
    }
}

TEST(a_page_of_another_in_the_middle_is_torn)
{
    static char data[LEN], other[LEN];

    message_mark(data, LEN, 0, 1, false);
    message_mark(other, LEN, 0, 2, false);
    memcpy(data + 8192, other + 8192, 4096);
    message_got(&got[0], data, LEN, false);
    CHECK_EQ(got[0].n_torn, 1);
}

TEST(memory_that_nobody_wrote_is_torn)
{
    static char data[LEN];

    message_got(&got[0], data, LEN, false);
    CHECK_EQ(got[0].n_torn, 1);
}

TEST(only_the_ends_count_where_only_they_are_written)
{
    static char data[LEN];

    put_ten(0);
    for (uint64_t i = 0; i < N; i++) {
        message_mark(data, LEN, 0, i, true);
        message_got(&got[0], data, LEN, true);
    }
    CHECK(verdict_on(0) == NULL);
}
