/* test-limits.c - what a shortage, and waiting, cost.
 *
 * A process that may have no more descriptors, or no more address space, gets
 * an error, and what it has goes on working; so does who waits for hours: he
 * costs next to nothing. Limits are lowered in a child, since the harness needs
 * what the test has used up.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chute.h"
#include "plat/plat.h"
#include "test.h"

/* Run fn in a child; its failed checks are reported from there. */
static void in_a_child(void (*fn)(void))
{
    int status;
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        fn();
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

static void lower(__rlimit_resource_t what, rlim_t limit)
{
    struct rlimit rlimit;

    CHECK_EQ(getrlimit(what, &rlimit), 0);
    rlimit.rlim_cur = limit;
    CHECK_EQ(setrlimit(what, &rlimit), 0);
}

static void check_works(chute_queue *q)
{
    char c = 0;
    size_t len;

    CHECK_OK(chute_queue_put_bytes(q, "x", 1, CHUTE_NOWAIT));
    CHECK_OK(chute_queue_get_bytes(q, &c, 1, &len, CHUTE_SEC(5)));
    CHECK_EQ(c, 'x');
}

static int do_nothing(void *unused)
{
    (void)unused;
    return 0;
}

static void run_out_of_descriptors(void)
{
    chute_queue *q, *more;
    chute_conn *ends[2];
    chute_process *p;
    int n_free = 0;

    CHECK_OK(chute_queue_new(&q, NULL));
    lower(RLIMIT_NOFILE, 64);
    while (dup(0) >= 0)
        n_free++;
    CHECK(n_free > 0);
    CHECK_ERR(chute_queue_new(&more, NULL), -EMFILE);
    CHECK_ERR(chute_pipe(ends, NULL), -EMFILE);
    CHECK_ERR(chute_process_start(&p, do_nothing, NULL, NULL), -EMFILE);
    check_works(q);
    lower(RLIMIT_NOFILE, 128);
    CHECK_OK(chute_pipe(ends, NULL));
    CHECK_OK(chute_process_start(&p, do_nothing, NULL, NULL));
    CHECK_OK(chute_process_join(p, NULL, CHUTE_FOREVER));
}

TEST(no_more_descriptors_is_an_error_and_the_rest_works)
{
    in_a_child(run_out_of_descriptors);
}

#define ITEM_LEN ((size_t)32 << 20)

static void run_out_of_addresses(void)
{
    chute_queue *q;
    void *item = calloc(1, ITEM_LEN);
    size_t n_pages;

    CHECK(item != NULL);
    CHECK_OK(chute_queue_new(&q, NULL));
    check_works(q);
    FILE *statm = fopen("/proc/self/statm", "r");
    CHECK(statm != NULL);
    CHECK_EQ(fscanf(statm, "%zu", &n_pages), 1);
    fclose(statm);
    lower(RLIMIT_AS, n_pages * plat_page() + ITEM_LEN / 4);
    CHECK_ERR(chute_queue_put_bytes(q, item, ITEM_LEN, CHUTE_NOWAIT),
              CHUTE_ENOMEM);
    check_works(q);
    lower(RLIMIT_AS, RLIM_INFINITY);
    CHECK_OK(chute_queue_put_bytes(q, item, ITEM_LEN, CHUTE_NOWAIT));
}

TEST(no_more_addresses_is_an_error_and_the_rest_works)
{
    if (TEST_ASAN || TEST_TSAN)
        SKIP("a sanitizer takes all addresses there are");
    in_a_child(run_out_of_addresses);
}

/* -- waiting ---------------------------------------------------------------- */

#define IDLE_S 10

/* What a process has used: how often it went to sleep, and for how long it ran. */
struct use {
    long n_sleeps;
    int64_t cpu_ns;
};

static struct use use_so_far(void)
{
    struct rusage use;

    CHECK_EQ(getrusage(RUSAGE_SELF, &use), 0);
    return (struct use){
        use.ru_nvcsw,
        CHUTE_SEC((int64_t)use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
            ((int64_t)use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1000};
}

/* Sleeps are counted, about one for each twentieth of a second: that is what
 * waiting costs, whatever else the machine does. The time says that nothing
 * else was done; its clock also counts what a busy host takes away, so a
 * hundredth of a core may pass here, where it is less than a thousandth. */
static void check_is_cheap(struct use since)
{
    struct use now = use_so_far();

    CHECK(now.n_sleeps - since.n_sleeps < 30 * IDLE_S);
    CHECK(now.cpu_ns - since.cpu_ns < CHUTE_SEC((int64_t)IDLE_S) / 100);
}

TEST_TIMEOUT(a_blocked_get_costs_next_to_nothing, 60)
{
    chute_queue *q;
    char c;
    size_t len;

    if (TEST_ASAN || TEST_TSAN)
        SKIP("a sanitizer costs more");
    CHECK_OK(chute_queue_new(&q, NULL));
    struct use since = use_so_far();
    CHECK_ERR(chute_queue_get_bytes(q, &c, 1, &len, CHUTE_SEC(IDLE_S)),
              CHUTE_ETIMEDOUT);
    check_is_cheap(since);
    chute_queue_free(q);
}

TEST_TIMEOUT(a_blocked_put_costs_next_to_nothing, 60)
{
    chute_queue *q;

    if (TEST_ASAN || TEST_TSAN)
        SKIP("a sanitizer costs more");
    CHECK_OK(
        chute_queue_new(&q, CHUTE_OPTIONS(chute_queue_options, .maxsize = 1)));
    CHECK_OK(chute_queue_put_bytes(q, "x", 1, CHUTE_NOWAIT));
    struct use since = use_so_far();
    CHECK_ERR(chute_queue_put_bytes(q, "y", 1, CHUTE_SEC(IDLE_S)),
              CHUTE_ETIMEDOUT);
    check_is_cheap(since);
    chute_queue_free(q);
}
