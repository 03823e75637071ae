/* test-wait.c - several descriptors at once, to the end of the time given. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "alarms.h"
#include "chute.h"
#include "plat/plat.h"
#include "pipe-fds.h"
#include "test.h"

TEST(what_has_data_is_ready_and_the_others_are_not)
{
    struct pipe_fds a = new_pipe(), b = new_pipe(), c = new_pipe();
    int fds[] = {a.out, b.out, c.out};
    bool ready[] = {true, true, true};

    CHECK_EQ(chute_wait(fds, ready, 3, CHUTE_NOWAIT), 0);
    CHECK(!ready[0] && !ready[1] && !ready[2]);
    CHECK_EQ(write(b.in, "x", 1), 1);
    CHECK_EQ(chute_wait(fds, ready, 3, CHUTE_FOREVER), 1);
    CHECK(!ready[0] && ready[1] && !ready[2]);
    CHECK_EQ(write(c.in, "x", 1), 1);
    CHECK_EQ(chute_wait(fds, ready, 3, CHUTE_FOREVER), 2);
    CHECK(!ready[0] && ready[1] && ready[2]);
    close_pipe(a);
    close_pipe(b);
    close_pipe(c);
}

TEST(an_end_is_ready)
{
    struct pipe_fds p = new_pipe();
    bool ready = false;

    close(p.in);
    CHECK_EQ(chute_wait(&p.out, &ready, 1, CHUTE_FOREVER), 1);
    CHECK(ready);
    close(p.out);
}

TEST(the_same_descriptor_may_be_asked_for_twice)
{
    struct pipe_fds p = new_pipe();
    int fds[] = {p.out, p.out};
    bool ready[2];

    CHECK_EQ(write(p.in, "x", 1), 1);
    CHECK_EQ(chute_wait(fds, ready, 2, CHUTE_FOREVER), 2);
    close_pipe(p);
}

TEST(connections_and_processes_can_be_waited_for)
{
    chute_conn *ends[2];
    bool ready[2];

    CHECK_OK(chute_pipe(ends, NULL));
    int fds[] = {chute_conn_fd(ends[0]), chute_conn_fd(ends[1])};
    CHECK_EQ(chute_wait(fds, ready, 2, CHUTE_NOWAIT), 0);
    CHECK_OK(chute_conn_send_bytes(ends[0], "x", 1, CHUTE_NOWAIT));
    CHECK_EQ(chute_wait(fds, ready, 2, CHUTE_FOREVER), 1);
    CHECK(ready[1]);
    chute_conn_free(ends[0]);
    chute_conn_free(ends[1]);
}

TEST(the_sending_end_of_a_one_way_pipe_is_ready_when_nobody_receives)
{
    chute_conn *ends[2];
    bool ready;

    CHECK_OK(chute_pipe(
        ends, CHUTE_OPTIONS(chute_pipe_options, .flags = CHUTE_ONEWAY)));
    int fd = chute_conn_fd(ends[1]);
    CHECK_EQ(chute_wait(&fd, &ready, 1, CHUTE_NOWAIT), 0);
    chute_conn_free(ends[0]);
    CHECK_EQ(chute_wait(&fd, &ready, 1, CHUTE_NOWAIT), 1);
    chute_conn_free(ends[1]);
}

TEST(nothing_to_wait_for_waits_for_the_time)
{
    int64_t begin = plat_now();

    CHECK_EQ(chute_wait(NULL, NULL, 0, CHUTE_MS(30)), 0);
    CHECK(plat_now() - begin >= CHUTE_MS(30));
    CHECK_EQ(chute_wait(NULL, NULL, 0, CHUTE_NOWAIT), 0);
}

TEST(signals_do_not_shorten_or_lengthen_the_wait)
{
    struct pipe_fds p = new_pipe();
    bool ready;

    alarm_often(true);
    int64_t begin = plat_now();
    CHECK_EQ(chute_wait(&p.out, &ready, 1, CHUTE_MS(60)), 0);
    CHECK(plat_now() - begin >= CHUTE_MS(60));
    alarm_often(false);
    close_pipe(p);
}

TEST(a_thousand_descriptors_can_be_waited_for)
{
    enum { N = 1000 };
    struct pipe_fds p = new_pipe();
    struct rlimit limit;
    static int fds[N];
    static bool ready[N];

    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    if (limit.rlim_cur < N + 64) {
        limit.rlim_cur = N + 64;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
            SKIP("not so many descriptors here");
    }
    for (int i = 0; i < N; i++)
        CHECK((fds[i] = dup(p.out)) >= 0);
    CHECK_EQ(chute_wait(fds, ready, N, CHUTE_NOWAIT), 0);
    CHECK_EQ(write(p.in, "x", 1), 1);
    CHECK_EQ(chute_wait(fds, ready, N, CHUTE_FOREVER), N);
    CHECK(ready[0] && ready[N - 1]);
    for (int i = 0; i < N; i++)
        close(fds[i]);
    close_pipe(p);
}

TEST(what_is_not_open_is_refused)
{
    struct pipe_fds p = new_pipe();
    int fds[] = {p.out, -1};
    bool ready[2];

    CHECK_ERR(chute_wait(fds, ready, 2, CHUTE_FOREVER), CHUTE_EINVAL);
    fds[1] = 12345;
    CHECK_ERR(chute_wait(fds, ready, 2, CHUTE_FOREVER), CHUTE_EINVAL);
    CHECK_ERR(chute_wait(fds, ready, 2, CHUTE_NOWAIT), CHUTE_EINVAL);
    close_pipe(p);
}

TEST(arguments_are_checked)
{
    int fd = 0;
    bool ready;

    CHECK_ERR(chute_wait(NULL, &ready, 1, CHUTE_NOWAIT), CHUTE_EINVAL);
    CHECK_ERR(chute_wait(&fd, NULL, 1, CHUTE_NOWAIT), CHUTE_EINVAL);
    CHECK_ERR(chute_wait(&fd, &ready, SIZE_MAX, CHUTE_NOWAIT), CHUTE_EINVAL);
    CHECK_ERR(chute_wait(NULL, NULL, 0, -2), CHUTE_EINVAL);
    CHECK_ERR(chute_wait(NULL, NULL, 0, INT64_MIN), CHUTE_EINVAL);
}

TEST(a_timeout_beyond_the_end_of_time_is_for_ever)
{
    struct pipe_fds p = new_pipe();
    bool ready;

    CHECK_EQ(write(p.in, "x", 1), 1);
    CHECK_EQ(chute_wait(&p.out, &ready, 1, INT64_MAX), 1);
    close_pipe(p);
}

TEST(every_refusal_of_the_system_is_passed_up)
{
    enum { MANY = 65 };
    struct pipe_fds p = new_pipe();
    int fds[MANY];
    bool ready[MANY];

    CHECK_EQ(write(p.in, "x", 1), 1);
    for (int i = 0; i < MANY; i++)
        fds[i] = p.out;
    FAULT_LOOP (n) {
        int r = chute_wait(fds, ready, MANY, CHUTE_FOREVER);
        if (r < 0) {
            CHECK(fault_fired());
            CHECK_ERR(r, -fault_error());
            continue;
        }
        CHECK_EQ(r, MANY);
    }
    close_pipe(p);
}
