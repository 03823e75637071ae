/* test-buf.c - a byte buffer grows, keeps what it has, and is handed over. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "chute/error.h"
#include "test.h"

TEST(an_empty_buffer_owns_nothing)
{
    struct buf b = {0};
    size_t len = 1;

    CHECK(buf_take(&b, &len) == NULL);
    CHECK_EQ(len, 0);
    buf_clear(&b);
    buf_done(&b);
}

TEST(what_is_added_stays_in_order_while_it_grows)
{
    struct buf b = {0};

    for (unsigned i = 0; i < 100000; i++) {
        unsigned char byte = (unsigned char)(i * 7);
        CHECK_OK(buf_add(&b, &byte, 1));
    }
    CHECK_EQ(b.len, 100000);
    for (unsigned i = 0; i < 100000; i++)
        CHECK_EQ(b.data[i], (unsigned char)(i * 7));
    buf_done(&b);
    CHECK_EQ(b.len, 0);
}

TEST(adding_one_by_one_moves_it_only_now_and_then)
{
    struct buf b = {0};
    size_t n_moves = 0, cap = 0;

    for (int i = 0; i < 1000000; i++) {
        CHECK_OK(buf_add(&b, "x", 1));
        n_moves += b.cap != cap;
        cap = b.cap;
    }
    CHECK(n_moves < 40);
    CHECK(b.cap <= 1500000);
    buf_done(&b);
}

TEST(a_large_addition_takes_what_it_needs_and_no_more)
{
    struct buf b = {0};

    CHECK_OK(buf_reserve(&b, 1000000));
    CHECK_EQ(b.cap, 1000000);
    CHECK_EQ(b.len, 0);
    memset(b.data, 1, 1000000);
    b.len = 1000000;
    CHECK_OK(buf_reserve(&b, 0));
    CHECK_EQ(b.cap, 1000000);
    buf_done(&b);
}

TEST(adding_nothing_needs_no_data)
{
    struct buf b = {0};

    CHECK_OK(buf_add(&b, NULL, 0));
    CHECK(b.data == NULL);
}

TEST(a_length_that_no_memory_has_is_refused_and_changes_nothing)
{
    struct buf b = {0};

    CHECK_OK(buf_add(&b, "abc", 3));
    CHECK_ERR(buf_reserve(&b, SIZE_MAX), CHUTE_ENOMEM);
    CHECK_ERR(buf_reserve(&b, SIZE_MAX - 2), CHUTE_ENOMEM);
    CHECK_ERR(buf_reserve(&b, PTRDIFF_MAX), CHUTE_ENOMEM);
    CHECK_EQ(b.len, 3);
    CHECK_MEM(b.data, "abc", 3);
    buf_done(&b);
}

TEST(a_cleared_buffer_keeps_its_memory)
{
    struct buf b = {0};

    CHECK_OK(buf_add(&b, "abc", 3));
    size_t cap = b.cap;
    buf_clear(&b);
    CHECK_EQ(b.len, 0);
    CHECK_EQ(b.cap, cap);
    CHECK_OK(buf_add(&b, "de", 2));
    CHECK_MEM(b.data, "de", 2);
    buf_done(&b);
}

TEST(what_is_taken_is_the_callers_and_the_buffer_is_empty_again)
{
    struct buf b = {0};
    size_t len;

    CHECK_OK(buf_add(&b, "abc", 3));
    char *data = buf_take(&b, &len);
    CHECK_EQ(len, 3);
    CHECK_MEM(data, "abc", 3);
    CHECK_EQ(b.len, 0);
    CHECK_OK(buf_add(&b, "x", 1));
    buf_done(&b);
    free(data);
}

TEST(a_failed_addition_leaves_the_buffer_as_it_was)
{
    FAULT_LOOP (n) {
        struct buf b = {0};
        int r = 0;
        size_t n_added = 0;

        while (r == 0 && n_added < 50) {
            r = buf_add(&b, "0123456789", 10);
            n_added += r == 0;
        }
        CHECK(r == 0 || fault_fired());
        CHECK_EQ(b.len, 10 * n_added);
        for (size_t i = 0; i < b.len; i++)
            CHECK_EQ(b.data[i], '0' + i % 10);
        buf_done(&b);
    }
}
