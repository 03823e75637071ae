/* churn.c - made and freed a hundred thousand times, nothing stays behind.
 *
 * Descriptors, mappings, children and blocks of memory are compared by the
 * harness. What it cannot see, the memory that the process itself holds, is
 * looked at here: after a warm-up it must not grow with the number of rounds.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <unistd.h>

#include <chute.h>

#include "test.h"

/* Pages that the process has in memory, by proc(5). */
static long resident_pages(void)
{
    long size, resident;
    FILE *f = fopen("/proc/self/statm", "r");

    CHECK(f);
    CHECK_EQ(fscanf(f, "%ld %ld", &size, &resident), 2);
    fclose(f);
    return resident;
}

static void check_flat(void (*round)(int), int n)
{
    for (int i = 0; i < n / 100; i++)
        round(i);
    long before = resident_pages();
    for (int i = 0; i < n; i++)
        round(i);
    /* Sanitizers keep freed memory for a while. */
    long allowed = TEST_ASAN || TEST_TSAN ? 100000 : 64;
    CHECK(resident_pages() - before < allowed);
}

static void make_a_queue(int i)
{
    chute_queue *q;
    chute_value *v;
    int64_t got;

    CHECK_OK(chute_queue_new(&q, NULL));
    CHECK_OK(chute_queue_put(q, chute_int(i), CHUTE_NOWAIT));
    CHECK_OK(chute_queue_get(q, &v, CHUTE_NOWAIT));
    CHECK_OK(chute_value_int(v, &got));
    CHECK_EQ(got, i);
    chute_value_free(v);
    chute_queue_free(q);
}

TEST_TIMEOUT(a_hundred_thousand_queues_leave_nothing, 240)
{
    check_flat(make_a_queue, TEST_ASAN || TEST_TSAN ? 10000 : 100000);
}

static void make_a_pipe(int i)
{
    chute_conn *end[2];
    chute_value *v;

    CHECK_OK(chute_pipe(end, NULL));
    CHECK_OK(chute_conn_send(end[i & 1], chute_int(i), CHUTE_NOWAIT));
    CHECK_OK(chute_conn_recv(end[!(i & 1)], &v, CHUTE_NOWAIT));
    chute_value_free(v);
    chute_conn_free(end[0]);
    chute_conn_free(end[1]);
}

TEST_TIMEOUT(a_hundred_thousand_pipes_leave_nothing, 240)
{
    check_flat(make_a_pipe, TEST_ASAN || TEST_TSAN ? 10000 : 100000);
}

static int give(void *arg)
{
    return *(int *)arg;
}

static void start_a_process(int i)
{
    chute_process *p;
    int code = i & 0xff, got;

    CHECK_OK(chute_process_start(&p, give, &code, NULL));
    CHECK_OK(chute_process_join(p, &got, CHUTE_FOREVER));
    CHECK_EQ(got, code);
    chute_process_free(p);
}

TEST_TIMEOUT(ten_thousand_processes_leave_nothing, 240)
{
    check_flat(start_a_process, TEST_ASAN || TEST_TSAN ? 1000 : 10000);
}
