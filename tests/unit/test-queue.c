/* test-queue.c - src/ipc/queue.c: what the manual says of chute_queue.
 *
 * Order, counting, bytes, sizes and memory; then wrong use, and a system that
 * refuses. Who waits for whom is in test-queue-wait.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chute.h>

#include "queue-scene.h"
#include "test.h"

/* -- order and counting ----------------------------------------------------- */

TEST(items_come_out_in_the_order_they_went_in)
{
    chute_queue *q = queue_new(0, 0);

    for (int i = 0; i < 1000; i++)
        CHECK_OK(put_int(q, i, CHUTE_FOREVER));
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(get_int(q, CHUTE_FOREVER), i);
    chute_queue_free(q);
}

TEST(values_and_bytes_share_a_queue)
{
    chute_queue *q = queue_new(0, 0);
    char buf[8];
    size_t len;

    CHECK_OK(put_int(q, 42, CHUTE_NOWAIT));
    CHECK_OK(chute_queue_put_bytes(q, "abc", 3, CHUTE_NOWAIT));
    CHECK_OK(chute_queue_put_bytes(q, NULL, 0, CHUTE_NOWAIT));
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 42);
    CHECK_OK(chute_queue_get_bytes(q, buf, sizeof buf, &len, CHUTE_NOWAIT));
    CHECK_EQ(len, 3);
    CHECK_MEM(buf, "abc", 3);
    CHECK_OK(chute_queue_get_bytes(q, NULL, 0, &len, CHUTE_NOWAIT));
    CHECK_EQ(len, 0);
    chute_queue_free(q);
}

TEST(qsize_empty_and_full_are_exact)
{
    chute_queue *q = queue_new(2, 0);

    CHECK_EQ(chute_queue_empty(q), 1);
    CHECK_EQ(chute_queue_full(q), 0);
    CHECK_OK(put_int(q, 1, CHUTE_FOREVER));
    CHECK_EQ(qsize(q), 1);
    CHECK_EQ(chute_queue_empty(q), 0);
    CHECK_EQ(chute_queue_full(q), 0);
    CHECK_OK(put_int(q, 2, CHUTE_FOREVER));
    CHECK_EQ(qsize(q), 2);
    CHECK_EQ(chute_queue_full(q), 1);
    CHECK_EQ(get_int(q, CHUTE_FOREVER), 1);
    CHECK_EQ(qsize(q), 1);
    CHECK_EQ(chute_queue_full(q), 0);
    CHECK_EQ(get_int(q, CHUTE_FOREVER), 2);
    CHECK_EQ(chute_queue_empty(q), 1);
    chute_queue_free(q);
}

/* multiprocessing.Queue says Empty here. */
TEST(an_item_is_there_for_everybody_once_put_has_returned)
{
    chute_queue *q = queue_new(0, 0);

    for (int i = 0; i < 200; i++) {
        CHECK_OK(put_int(q, i, CHUTE_NOWAIT));
        CHECK_EQ(get_int(q, CHUTE_NOWAIT), i);
    }
    chute_queue_free(q);
}

TEST(a_queue_without_maxsize_is_never_full)
{
    chute_queue *q = queue_new(0, 0);

    for (int i = 0; i < 100000; i++)
        CHECK_OK(put_int(q, i, CHUTE_NOWAIT));
    CHECK_EQ(chute_queue_full(q), 0);
    CHECK_EQ(qsize(q), 100000);
    chute_queue_free(q);
}

/* -- bytes, sizes, memory --------------------------------------------------- */

TEST(a_buffer_too_small_loses_nothing)
{
    chute_queue *q = queue_new(0, 0);
    char buf[10];
    size_t len = 0;

    CHECK_OK(chute_queue_put_bytes(q, "0123456789", 10, CHUTE_NOWAIT));
    CHECK_ERR(chute_queue_get_bytes(q, buf, 9, &len, CHUTE_NOWAIT),
              CHUTE_EMSGSIZE);
    CHECK_EQ(len, 10);
    CHECK_EQ(qsize(q), 1);
    CHECK_OK(chute_queue_get_bytes(q, buf, 10, &len, CHUTE_NOWAIT));
    CHECK_MEM(buf, "0123456789", 10);
    chute_queue_free(q);
}

TEST(peek_copies_the_oldest_and_leaves_it)
{
    chute_queue *q = queue_new(0, 0);
    char buf[10];
    size_t len = 0;
    chute_value *v;

    CHECK_ERR(chute_queue_peek_bytes(q, buf, 10, &len, CHUTE_NOWAIT),
              CHUTE_ETIMEDOUT);
    CHECK_ERR(chute_queue_peek(q, &v, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK(v == NULL);
    CHECK_OK(chute_queue_put(q, chute_str("first"), CHUTE_NOWAIT));
    CHECK_OK(chute_queue_put_bytes(q, "0123456789", 10, CHUTE_NOWAIT));
    for (int i = 0; i < 2; i++) {
        CHECK_OK(chute_queue_peek(q, &v, CHUTE_NOWAIT));
        CHECK_STR(chute_value_str(v), "first");
        chute_value_free(v);
        CHECK_EQ(qsize(q), 2);
    }
    CHECK_OK(chute_queue_get(q, &v, CHUTE_NOWAIT));
    chute_value_free(v);
    CHECK_ERR(chute_queue_peek_bytes(q, buf, 9, &len, CHUTE_NOWAIT),
              CHUTE_EMSGSIZE);
    CHECK_EQ(len, 10);
    CHECK_OK(chute_queue_peek_bytes(q, buf, 10, &len, CHUTE_NOWAIT));
    CHECK_MEM(buf, "0123456789", 10);
    /* It is no pickle, and comes out as it is. */
    CHECK_ERR(chute_queue_peek(q, &v, CHUTE_NOWAIT), CHUTE_EPICKLE);
    CHECK_EQ(chute_value_len(v), 10);
    chute_value_free(v);
    CHECK_OK(chute_queue_close(q));
    CHECK_OK(chute_queue_get_bytes(q, buf, 10, &len, CHUTE_NOWAIT));
    CHECK_ERR(chute_queue_peek_bytes(q, buf, 10, &len, CHUTE_NOWAIT),
              CHUTE_EOF);
    CHECK_ERR(chute_queue_peek(q, NULL, CHUTE_NOWAIT), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_peek(NULL, &v, CHUTE_NOWAIT), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_peek_bytes(q, NULL, 1, &len, CHUTE_NOWAIT),
              CHUTE_EINVAL);
    chute_queue_free(q);
}

TEST(peek_makes_no_room)
{
    chute_queue *q = queue_new(1, 0);
    char buf[1];
    size_t len;

    CHECK_OK(chute_queue_put_bytes(q, "a", 1, CHUTE_NOWAIT));
    CHECK_OK(chute_queue_peek_bytes(q, buf, 1, &len, CHUTE_NOWAIT));
    CHECK_ERR(chute_queue_put_bytes(q, "b", 1, CHUTE_MS(20)), CHUTE_ETIMEDOUT);
    chute_queue_free(q);
}

TEST(an_item_larger_than_memory_is_refused_at_once)
{
    chute_queue *q = queue_new(0, 4096);
    char data[4096] = {0};
    size_t len;

    CHECK_ERR(chute_queue_put_bytes(q, data, 4081, CHUTE_FOREVER),
              CHUTE_EMSGSIZE);
    CHECK_OK(chute_queue_put_bytes(q, data, 4080, CHUTE_FOREVER));
    CHECK_ERR(chute_queue_put_bytes(q, data, 0, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK_OK(chute_queue_get_bytes(q, data, 4096, &len, CHUTE_NOWAIT));
    chute_queue_free(q);
}

TEST_TIMEOUT(an_item_of_a_gibibyte_goes_through, 60)
{
    chute_queue *q = queue_new(0, 0);
    size_t len = 1024 * (size_t)MIB, got;
    char *data = malloc(len);

    CHECK(data);
    for (size_t i = 0; i < len; i += 4096)
        data[i] = (char)(i >> 12);
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK_OK(chute_queue_put_bytes(q, data, len, CHUTE_FOREVER));
    memset(data, 0, len);
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 1);
    CHECK_OK(chute_queue_get_bytes(q, data, len, &got, CHUTE_FOREVER));
    CHECK_EQ(got, len);
    for (size_t i = 0; i < len; i += 4096)
        CHECK_EQ(data[i], (char)(i >> 12));
    CHECK_EQ(stat_of(q).reserved, 65536);
    free(data);
    chute_queue_free(q);
}

TEST(memory_grows_with_the_queue_and_is_given_back)
{
    chute_queue *q = queue_new(0, 0);
    char *data = calloc(1, MIB);
    size_t len;

    CHECK_EQ(stat_of(q).reserved, 65536);
    for (int i = 0; i < 50; i++)
        CHECK_OK(chute_queue_put_bytes(q, data, MIB, CHUTE_NOWAIT));
    CHECK(stat_of(q).reserved >= 50 * MIB);
    for (int i = 0; i < 50; i++)
        CHECK_OK(chute_queue_get_bytes(q, data, MIB, &len, CHUTE_NOWAIT));
    CHECK_EQ(stat_of(q).reserved, 65536);
    /* It goes on working. */
    CHECK_OK(put_int(q, 5, CHUTE_NOWAIT));
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 5);
    free(data);
    chute_queue_free(q);
}

static void burst(chute_queue *q)
{
    char *data = calloc(1, MIB);
    size_t len;

    for (int i = 0; i < 20; i++)
        CHECK_OK(chute_queue_put_bytes(q, data, MIB, CHUTE_NOWAIT));
    for (int i = 0; i < 20; i++)
        CHECK_OK(chute_queue_get_bytes(q, data, MIB, &len, CHUTE_NOWAIT));
    free(data);
}

TEST(a_getter_that_waits_gives_back_what_a_second_burst_left)
{
    chute_queue *q = queue_new(0, 0);

    burst(q);
    CHECK_EQ(stat_of(q).reserved, 65536);
    burst(q); /* within the second: it is kept for now */
    CHECK(stat_of(q).reserved > 4 * MIB);
    CHECK_EQ(get_int(q, CHUTE_MS(1500)), CHUTE_ETIMEDOUT);
    CHECK_EQ(stat_of(q).reserved, 65536);
    chute_queue_free(q);
}

TEST(a_closed_queue_gives_memory_back_at_its_end)
{
    chute_queue *q = queue_new(0, 0);

    burst(q);
    burst(q);
    usleep(1100000);
    CHECK_OK(chute_queue_close(q));
    CHECK_EQ(get_int(q, CHUTE_FOREVER), CHUTE_EOF);
    CHECK_EQ(stat_of(q).reserved, 65536);
    chute_queue_free(q);
}

TEST(memory_bounds_what_the_queue_holds)
{
    chute_queue *q = queue_new(0, MIB);
    char data[1008] = {0};
    size_t n = 0, len;

    while (chute_queue_put_bytes(q, data, sizeof data, CHUTE_NOWAIT) == 0)
        n++;
    CHECK_EQ(n, 1024);
    CHECK_EQ(stat_of(q).used, MIB);
    CHECK(stat_of(q).reserved <= 2 * MIB);
    for (; n > 0; n--)
        CHECK_OK(
            chute_queue_get_bytes(q, data, sizeof data, &len, CHUTE_NOWAIT));
    chute_queue_free(q);
}

/* -- what cannot be decoded ------------------------------------------------- */

static void check_comes_out_as_bytes(const char *data, size_t len, int code)
{
    chute_queue *q = queue_new(0, 0);
    chute_value *v;
    size_t got;

    CHECK_OK(chute_queue_put_bytes(q, data, len, CHUTE_NOWAIT));
    CHECK_ERR(chute_queue_get(q, &v, CHUTE_NOWAIT), code);
    CHECK_EQ(chute_value_type(v), CHUTE_BYTES);
    CHECK_MEM(chute_value_bytes(v, &got), data, len);
    CHECK_EQ(got, len);
    chute_value_free(v);
    CHECK_EQ(qsize(q), 0);
    chute_queue_free(q);
}

TEST(a_message_that_is_no_pickle_comes_out_as_bytes)
{
    check_comes_out_as_bytes("hello", 5, CHUTE_EPICKLE);
    check_comes_out_as_bytes("", 0, CHUTE_EPICKLE);
}

TEST(a_message_that_needs_a_class_comes_out_as_bytes)
{
    static const char path[] = "\x80\x04\x8c\x07pathlib\x8c\x04Path\x93)R.";

    check_comes_out_as_bytes(path, sizeof path - 1, CHUTE_ENOTPLAIN);
}

TEST(a_pickle_cut_off_anywhere_comes_out_as_bytes)
{
    void *data;
    size_t len;
    chute_value *v =
        chute_dict(chute_str("a"), chute_list(chute_int(1), chute_float(2.5)));

    CHECK_OK(chute_dumps(v, &data, &len));
    chute_value_free(v);
    for (size_t cut = 0; cut < len; cut++)
        check_comes_out_as_bytes(data, cut, CHUTE_EPICKLE);
    free(data);
}

/* -- wrong use -------------------------------------------------------------- */

TEST(wrong_arguments_are_named_and_leave_the_queue_usable)
{
    chute_queue *q = queue_new(0, 0);
    chute_value *v;
    char buf[4];
    size_t len;

    CHECK_ERR(chute_queue_new(NULL, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_put(NULL, chute_int(1), 0), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_put(q, NULL, 0), CHUTE_ENOMEM);
    CHECK_ERR(chute_queue_put(q, chute_int(1), -2), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_put(q, chute_int(1), INT64_MIN), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_get(q, NULL, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_get(NULL, &v, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_get(q, &v, -5), CHUTE_EINVAL);
    CHECK(v == NULL);
    CHECK_ERR(chute_queue_put_bytes(q, NULL, 1, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_put_bytes(NULL, buf, 1, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_put_bytes(q, buf, SIZE_MAX, 0), CHUTE_EMSGSIZE);
    CHECK_ERR(chute_queue_get_bytes(q, NULL, 4, &len, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_get_bytes(q, buf, 4, NULL, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_qsize(q, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_qsize(NULL, &len), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_empty(NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_full(NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_close(NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_stat(q, NULL), CHUTE_EINVAL);
    struct chute_queue_stats stats = {.size = 4};
    CHECK_ERR(chute_queue_stat(q, &stats), CHUTE_EINVAL);
    CHECK(chute_queue_free(NULL) == NULL);

    CHECK_OK(put_int(q, 3, INT64_MAX));
    CHECK_EQ(get_int(q, INT64_MAX), 3);
    chute_queue_free(q);
}

TEST(options_out_of_range_are_refused)
{
    chute_queue *q;
    static const struct {
        uint64_t flags, maxsize, memory;
    } bad[] = {
        {CHUTE_DAEMON, 0, 0},
        {UINT64_C(1) << 63, 0, 0},
        {0, (UINT64_C(1) << 30) + 1, 0},
        {0, UINT64_MAX, 0},
        {0, 0, 4095},
        {0, 0, (UINT64_C(8) << 30) + 1},
        {0, 0, UINT64_MAX},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_ERR(chute_queue_new(&q, CHUTE_OPTIONS(chute_queue_options,
                                                    .flags = bad[i].flags,
                                                    .maxsize = bad[i].maxsize,
                                                    .memory = bad[i].memory)),
                  CHUTE_EINVAL);
    CHECK_ERR(chute_queue_new(&q, &(struct chute_queue_options){0}),
              CHUTE_EINVAL);
}

TEST(a_queue_that_cannot_be_made_leaves_nothing)
{
    FAULT_LOOP (n) {
        chute_queue *q = NULL;
        int r = chute_queue_new(&q, NULL);

        if (r < 0) {
            CHECK(fault_fired());
            CHECK(q == NULL);
            continue;
        }
        chute_queue_free(q);
    }
}

TEST(a_put_or_get_that_fails_loses_nothing)
{
    chute_queue *q = queue_new(0, 0);
    char *text = calloc(1, 100000);
    int64_t n_put = 0, n_got = 0;

    memset(text, 'x', 99999);
    FAULT_LOOP (n) {
        int r = chute_queue_put(q, chute_str(text), CHUTE_NOWAIT);
        if (r == 0)
            n_put++;
        else
            CHECK(fault_fired());
        chute_value *v;
        r = chute_queue_get(q, &v, CHUTE_NOWAIT);
        if (r == 0 || v)
            n_got++;
        else
            CHECK(fault_fired() || n_put == n_got);
        chute_value_free(v);
    }
    for (chute_value *v; chute_queue_get(q, &v, CHUTE_NOWAIT) == 0;
         chute_value_free(v))
        n_got++;
    CHECK_EQ(n_got, n_put);
    CHECK(n_put > 0);
    free(text);
    chute_queue_free(q);
}

TEST(without_descriptors_a_new_queue_is_refused_and_others_go_on)
{
    chute_queue *q = queue_new(0, 0), *none = NULL;
    struct rlimit limit, low;

    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    low = (struct rlimit){.rlim_cur = 3, .rlim_max = limit.rlim_max};
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &low));
    CHECK_ERR(chute_queue_new(&none, NULL), CHUTE_EMFILE);
    char *data = calloc(1, MIB); /* growth needs no descriptor */
    CHECK_OK(chute_queue_put_bytes(q, data, MIB, CHUTE_NOWAIT));
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    free(data);
    chute_queue_free(q);
}

TEST(without_address_space_a_put_is_refused_and_the_queue_goes_on)
{
    if (TEST_ASAN || TEST_TSAN)
        SKIP("the sanitizers need the address space");
    chute_queue *q = queue_new(0, 0);
    char *data = calloc(1, 64 * MIB);
    struct rlimit limit, low;

    CHECK_OK(getrlimit(RLIMIT_AS, &limit));
    low = (struct rlimit){.rlim_cur = 100 * MIB, .rlim_max = limit.rlim_max};
    CHECK_OK(setrlimit(RLIMIT_AS, &low));
    CHECK_ERR(chute_queue_put_bytes(q, data, 64 * MIB, CHUTE_NOWAIT),
              CHUTE_ENOMEM);
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK_OK(setrlimit(RLIMIT_AS, &limit));
    CHECK_OK(chute_queue_put_bytes(q, data, 64 * MIB, CHUTE_NOWAIT));
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 1);
    free(data);
    chute_queue_free(q);
}

/* The kernel would send SIGXFSZ, which kills. */
TEST(a_limit_on_the_size_of_files_is_an_error_and_no_signal)
{
    chute_queue *q = queue_new(0, 0), *none;
    char *data = calloc(1, MIB);
    struct rlimit limit, low;

    CHECK_OK(getrlimit(RLIMIT_FSIZE, &limit));
    low = (struct rlimit){.rlim_cur = 1000, .rlim_max = limit.rlim_max};
    CHECK_OK(setrlimit(RLIMIT_FSIZE, &low));
    CHECK_ERR(chute_queue_put_bytes(q, data, MIB, CHUTE_NOWAIT), -EFBIG);
    CHECK_ERR(chute_queue_new(&none, NULL), -EFBIG);
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 1);
    free(data);
    chute_queue_free(q);
}

TEST(a_process_in_another_pid_namespace_is_refused)
{
    chute_queue *q = queue_new(0, 0);
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        if (unshare(CLONE_NEWPID) < 0)
            _exit(77);
        pid = fork();
        if (pid == 0)
            _exit(put_int(q, 1, CHUTE_NOWAIT) == CHUTE_ENAMESPACE ? 0 : 1);
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        _exit(WEXITSTATUS(status));
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    if (WEXITSTATUS(status) == 77)
        SKIP("no right to make a PID namespace");
    CHECK_EQ(status, 0);
    CHECK_EQ(qsize(q), 0);
    chute_queue_free(q);
}
