/* test-conn.c - connections: whole messages, ends, deadlines, signals.
 *
 * What the manual says of two ends with one user each: what is sent arrives, in
 * order and whole; the end is told from a cut; a call lasts as long as it may.
 * And the peer may be as slow and as strange as it likes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "alarms.h"
#include "chute.h"
#include "conn-scene.h"
#include "ipc/conn.h"
#include "plat/io.h"
#include "plat/plat.h"
#include "test.h"

/* -- plain sending and receiving ------------------------------------------- */

TEST(messages_arrive_in_order_both_ways)
{
    struct ends p = new_pipe(0);

    send_text(p.a, "one");
    send_text(p.a, "two");
    send_text(p.b, "three");
    check_text(p.b, "one");
    check_text(p.b, "two");
    check_text(p.a, "three");
    free_pipe(p);
}

TEST(an_empty_message_is_a_message)
{
    struct ends p = new_pipe(0);
    size_t len = 99;

    CHECK_OK(chute_conn_send_bytes(p.a, NULL, 0, CHUTE_NOWAIT));
    CHECK_EQ(chute_conn_poll(p.b, CHUTE_NOWAIT), 1);
    CHECK_OK(chute_conn_recv_bytes(p.b, NULL, 0, &len, CHUTE_NOWAIT));
    CHECK_EQ(len, 0);
    CHECK_EQ(chute_conn_poll(p.b, CHUTE_NOWAIT), 0);
    free_pipe(p);
}

static void *send_all_sizes(void *conn)
{
    for (uint32_t len = 8; len <= MAX_LEN; len += 1 + len / 9)
        CHECK_OK(send_message(conn, len, len));
    return NULL;
}

TEST(messages_of_all_sizes_arrive)
{
    struct ends p = new_pipe(0);
    pthread_t thread;

    CHECK_OK(pthread_create(&thread, NULL, send_all_sizes, p.a));
    for (uint32_t len = 8; len <= MAX_LEN; len += 1 + len / 9)
        CHECK_OK(recv_message(p.b, CHUTE_FOREVER));
    CHECK_OK(pthread_join(thread, NULL));
    free_pipe(p);
}

static void *send_50_megabytes(void *conn)
{
    size_t len = 50 << 20;
    unsigned char *data = malloc(len);

    CHECK(data);
    for (size_t i = 0; i < len; i++)
        data[i] = (unsigned char)(i * 7 >> 8);
    CHECK_OK(chute_conn_send_bytes(conn, data, len, CHUTE_FOREVER));
    free(data);
    return NULL;
}

TEST(a_very_large_message_arrives)
{
    struct ends p = new_pipe(CHUTE_ONEWAY);
    size_t cap = 50 << 20, len = 0;
    unsigned char *buf = malloc(cap);
    pthread_t thread;

    CHECK(buf);
    CHECK_OK(pthread_create(&thread, NULL, send_50_megabytes, p.b));
    CHECK_OK(chute_conn_recv_bytes(p.a, buf, cap, &len, CHUTE_FOREVER));
    CHECK_EQ(len, cap);
    for (size_t i = 0; i < len; i += 997)
        CHECK_EQ(buf[i], (unsigned char)(i * 7 >> 8));
    CHECK_OK(pthread_join(thread, NULL));
    free(buf);
    free_pipe(p);
}

TEST(a_one_way_pipe_has_one_direction)
{
    struct ends p = new_pipe(CHUTE_ONEWAY);
    size_t len;
    chute_value *v = NULL;

    CHECK_ERR(chute_conn_send_bytes(p.a, "x", 1, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_send(p.a, chute_int(1), 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_recv_bytes(p.b, &len, 1, &len, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_recv(p.b, &v, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_poll(p.b, 0), CHUTE_EINVAL);
    CHECK_EQ(chute_conn_poll(p.a, 0), 0);
    send_text(p.b, "this way");
    check_text(p.a, "this way");
    p.b = chute_conn_free(p.b);
    CHECK_ERR(try_recv(p.a, CHUTE_FOREVER), CHUTE_EOF);
    free_pipe(p);
}

TEST(arguments_are_checked)
{
    struct ends p = new_pipe(0);
    chute_conn *none[2] = {NULL, NULL};
    chute_value *v = NULL;
    char buf[4];
    size_t len;

    CHECK_ERR(chute_pipe(NULL, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_pipe(none, CHUTE_OPTIONS(chute_pipe_options,
                                             .flags = CHUTE_DAEMON)),
              CHUTE_EINVAL);
    CHECK_ERR(chute_pipe(none, &(struct chute_pipe_options){.flags = 0}),
              CHUTE_EINVAL);
    CHECK(!none[0] && !none[1]);
    CHECK_ERR(chute_conn_send_bytes(NULL, "x", 1, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_send_bytes(p.a, NULL, 1, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_send_bytes(p.a, "x", 1, -2), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_recv_bytes(NULL, buf, 4, &len, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_recv_bytes(p.a, NULL, 4, &len, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_recv_bytes(p.a, buf, 4, NULL, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_recv_bytes(p.a, buf, 4, &len, -2), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_recv(p.a, NULL, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_recv(NULL, &v, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_poll(NULL, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_poll(p.a, -2), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_fd(NULL), CHUTE_EINVAL);
    CHECK(!chute_conn_free(NULL));
    CHECK_EQ(chute_conn_poll(p.b, 0), 0);
    free_pipe(p);
}

TEST(no_exec_inherits_a_connection)
{
    struct ends p = new_pipe(0);

    CHECK(fcntl(chute_conn_fd(p.a), F_GETFD) & FD_CLOEXEC);
    CHECK(fcntl(chute_conn_fd(p.b), F_GETFD) & FD_CLOEXEC);
    CHECK(!(fcntl(chute_conn_fd(p.a), F_GETFL) & O_NONBLOCK));
    free_pipe(p);
}

/* -- values ---------------------------------------------------------------- */

TEST(values_arrive_as_they_were_sent)
{
    struct ends p = new_pipe(0);
    chute_value *v =
        chute_list(chute_int(42), chute_none(), chute_str("hello"));
    chute_value *w = NULL;

    CHECK_OK(chute_conn_send(p.a, chute_value_ref(v), CHUTE_FOREVER));
    CHECK_OK(chute_conn_recv(p.b, &w, CHUTE_FOREVER));
    CHECK_EQ(chute_value_equal(v, w), 1);
    chute_value_free(v);
    chute_value_free(w);
    free_pipe(p);
}

TEST(bytes_that_are_most_of_a_message_arrive_like_others)
{
    enum { LEN = 100000 };
    static unsigned char bytes[LEN];
    struct ends p = new_pipe(0);
    chute_value *v;
    size_t len;

    for (size_t i = 0; i < LEN; i++)
        bytes[i] = (unsigned char)(i * 7);
    CHECK_OK(chute_conn_send(
        p.a, chute_list(chute_bytes(bytes, LEN), chute_int(1)), CHUTE_FOREVER));
    CHECK_OK(chute_conn_recv(p.b, &v, CHUTE_FOREVER));
    free_pipe(p); /* they do not lie in the connection */
    CHECK_MEM(chute_value_bytes(chute_value_at(v, 0), &len), bytes, LEN);
    CHECK_EQ(len, LEN);
    CHECK_EQ(chute_value_at(v, 1), chute_int(1));
    chute_value_free(v);
}

TEST(a_message_that_is_no_value_comes_out_as_bytes)
{
    struct ends p = new_pipe(0);
    chute_value *v = NULL;
    size_t len = 0;

    send_text(p.a, "not a pickle");
    send_text(p.a, "");
    CHECK_OK(chute_conn_send(p.a, chute_int(7), CHUTE_FOREVER));
    CHECK_ERR(chute_conn_recv(p.b, &v, CHUTE_FOREVER), CHUTE_EPICKLE);
    CHECK_EQ(chute_value_type(v), CHUTE_BYTES);
    CHECK_MEM(chute_value_bytes(v, &len), "not a pickle", 12);
    CHECK_EQ(len, 12);
    chute_value_free(v);
    CHECK_ERR(chute_conn_recv(p.b, &v, CHUTE_FOREVER), CHUTE_EPICKLE);
    CHECK_EQ(chute_value_type(v), CHUTE_BYTES);
    CHECK_EQ(chute_value_len(v), 0);
    chute_value_free(v);
    CHECK_OK(chute_conn_recv(p.b, &v, CHUTE_FOREVER));
    CHECK_EQ(chute_value_type(v), CHUTE_INT);
    chute_value_free(v);
    v = (chute_value *)(void *)&p;
    CHECK_ERR(chute_conn_recv(p.b, &v, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK(!v);
    free_pipe(p);
}

TEST(a_value_is_consumed_whatever_happens)
{
    struct ends p = new_pipe(0);
    chute_value *v = chute_bytes(NULL, 0);

    CHECK_ERR(chute_conn_send(p.a, NULL, CHUTE_FOREVER), CHUTE_ENOMEM);
    CHECK_ERR(chute_conn_send(NULL, chute_value_ref(v), 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_send(p.a, chute_value_ref(v), -2), CHUTE_EINVAL);
    p.b = chute_conn_free(p.b);
    CHECK_ERR(chute_conn_send(p.a, chute_value_ref(v), 0), CHUTE_EPIPE);
    chute_value_free(v);
    free_pipe(p);
}

/* -- ends ------------------------------------------------------------------ */

TEST(the_end_comes_after_the_last_message_and_stays)
{
    struct ends p = new_pipe(0);

    send_text(p.a, "last");
    p.a = chute_conn_free(p.a);
    CHECK_EQ(chute_conn_poll(p.b, CHUTE_NOWAIT), 1);
    check_text(p.b, "last");
    CHECK_EQ(chute_conn_poll(p.b, CHUTE_NOWAIT), 1);
    CHECK_ERR(try_recv(p.b, CHUTE_FOREVER), CHUTE_EOF);
    CHECK_ERR(try_recv(p.b, CHUTE_NOWAIT), CHUTE_EOF);
    CHECK_EQ(chute_conn_poll(p.b, CHUTE_FOREVER), 1);
    free_pipe(p);
}

TEST(sending_to_nobody_is_epipe_without_a_signal)
{
    struct ends p = new_pipe(0);

    p.b = chute_conn_free(p.b);
    CHECK_ERR(chute_conn_send_bytes(p.a, "x", 1, CHUTE_FOREVER), CHUTE_EPIPE);
    CHECK_ERR(send_message(p.a, MAX_LEN, 1), CHUTE_EPIPE);
    CHECK_ERR(chute_conn_send_bytes(p.a, "x", 1, CHUTE_FOREVER), CHUTE_EPIPE);
    free_pipe(p);
}

TEST(a_peer_that_left_things_unread_is_just_gone)
{
    struct ends p = new_pipe(0);

    /* The kernel makes this ECONNRESET on our side. */
    send_text(p.a, "nobody reads this");
    send_text(p.b, "but we read this");
    p.b = chute_conn_free(p.b);
    check_text(p.a, "but we read this");
    CHECK_ERR(try_recv(p.a, CHUTE_FOREVER), CHUTE_EOF);
    CHECK_ERR(try_recv(p.a, CHUTE_FOREVER), CHUTE_EOF);
    free_pipe(p);

    p = new_pipe(0);
    send_text(p.a, "nobody reads this");
    p.b = chute_conn_free(p.b);
    CHECK_ERR(chute_conn_send_bytes(p.a, "x", 1, CHUTE_FOREVER), CHUTE_EPIPE);
    CHECK_ERR(try_recv(p.a, CHUTE_FOREVER), CHUTE_EOF);
    free_pipe(p);
}

static int say_hello(void *conn)
{
    send_text(conn, "hello");
    return 0;
}

TEST(the_end_comes_when_the_last_process_has_let_go)
{
    struct ends p = new_pipe(0);
    chute_process *process;

    CHECK_OK(chute_process_start(
        &process, say_hello, p.b,
        CHUTE_OPTIONS(chute_process_options,
                      .drop = (chute_conn *[]){p.a, NULL})));
    check_text(p.a, "hello");
    join(process);
    CHECK_ERR(try_recv(p.a, CHUTE_MS(10)), CHUTE_ETIMEDOUT); /* we hold b */
    p.b = chute_conn_free(p.b);
    CHECK_ERR(try_recv(p.a, CHUTE_FOREVER), CHUTE_EOF);
    free_pipe(p);
}

static int wait_for_end(void *conn)
{
    return try_recv(conn, CHUTE_FOREVER) == CHUTE_EOF ? 0 : 1;
}

TEST(a_child_that_dropped_the_other_end_sees_the_end)
{
    struct ends p = new_pipe(0);
    chute_process *process;

    CHECK_OK(chute_process_start(
        &process, wait_for_end, p.b,
        CHUTE_OPTIONS(chute_process_options,
                      .drop = (chute_conn *[]){p.a, NULL})));
    p.a = chute_conn_free(p.a);
    join(process);
    free_pipe(p);
}

/* -- time ------------------------------------------------------------------ */

static void fill_up(chute_conn *conn)
{
    int r;

    do
        r = send_message(conn, 1000, 1) < 0
                ? 0
                : chute_conn_send_bytes(conn, "", 0, CHUTE_NOWAIT);
    while (r == 0 && io_has_room(chute_conn_fd(conn), 30000));
    do
        r = chute_conn_send_bytes(conn, "", 0, CHUTE_NOWAIT);
    while (r == 0);
    CHECK_ERR(r, CHUTE_ETIMEDOUT);
}

TEST(a_call_lasts_no_longer_than_it_may)
{
    struct ends p = new_pipe(0);

    CHECK_ERR(try_recv(p.b, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    int64_t begin = plat_now();
    CHECK_ERR(try_recv(p.b, CHUTE_MS(20)), CHUTE_ETIMEDOUT);
    CHECK(plat_now() - begin >= CHUTE_MS(20));
    begin = plat_now();
    CHECK_EQ(chute_conn_poll(p.b, CHUTE_MS(20)), 0);
    CHECK(plat_now() - begin >= CHUTE_MS(20));
    fill_up(p.a);
    begin = plat_now();
    CHECK_ERR(chute_conn_send_bytes(p.a, "x", 1, CHUTE_MS(20)),
              CHUTE_ETIMEDOUT);
    CHECK(plat_now() - begin >= CHUTE_MS(20));
    free_pipe(p);
}

TEST(a_timeout_beyond_the_end_of_time_is_for_ever)
{
    struct ends p = new_pipe(0);

    CHECK_OK(chute_conn_send_bytes(p.a, "x", 1, INT64_MAX));
    CHECK_EQ(chute_conn_poll(p.b, INT64_MAX), 1);
    CHECK_OK(try_recv(p.b, INT64_MAX - 1));
    free_pipe(p);
}

static void *take_slowly(void *conn)
{
    while (recv_message(conn, CHUTE_FOREVER) == 0)
        continue;
    return NULL;
}

TEST(a_sender_waits_for_room)
{
    struct ends p = new_pipe(CHUTE_ONEWAY);
    pthread_t thread;

    for (int i = 0; i < 100; i++) /* until the socket is full */
        if (send_message(p.b, 8, 1) < 0 || !io_has_room(chute_conn_fd(p.b), 0))
            break;
    CHECK_OK(pthread_create(&thread, NULL, take_slowly, p.a));
    for (uint32_t i = 0; i < 2000; i++)
        CHECK_OK(send_message(p.b, 1000, i));
    p.b = chute_conn_free(p.b);
    CHECK_OK(pthread_join(thread, NULL));
    free_pipe(p);
}

TEST(who_will_not_wait_does_not_begin_a_message_that_does_not_fit)
{
    struct ends p = new_pipe(0);
    static char large[1 << 20];

    CHECK_ERR(chute_conn_send_bytes(p.a, large, sizeof large, CHUTE_NOWAIT),
              CHUTE_ETIMEDOUT);
    CHECK_EQ(waiting(p.b), 0);
    CHECK_OK(chute_conn_send_bytes(p.a, large, 60000, CHUTE_NOWAIT));
    CHECK_OK(try_recv(p.b, CHUTE_NOWAIT));
    send_text(p.a, "still here");
    check_text(p.b, "still here");
    free_pipe(p);
}

TEST(time_that_runs_out_within_a_message_ends_that_direction)
{
    struct ends p = new_pipe(0);
    static char large[1 << 20];

    send_text(p.a, "whole");
    CHECK_ERR(chute_conn_send_bytes(p.a, large, sizeof large, CHUTE_MS(20)),
              CHUTE_EPARTIAL);
    CHECK_ERR(chute_conn_send_bytes(p.a, "x", 1, CHUTE_MS(20)), CHUTE_EPARTIAL);
    check_text(p.b, "whole");
    CHECK_ERR(try_recv(p.b, CHUTE_FOREVER), CHUTE_EPARTIAL);
    CHECK_ERR(try_recv(p.b, CHUTE_FOREVER), CHUTE_EPARTIAL);
    CHECK_EQ(chute_conn_poll(p.b, CHUTE_NOWAIT), 1);
    send_text(p.b, "the other way");
    check_text(p.a, "the other way");
    free_pipe(p);
}

/* -- signals --------------------------------------------------------------- */

TEST(a_signal_does_not_end_a_wait)
{
    struct ends p = new_pipe(0);

    fill_up(p.a);
    alarm_often(true);
    int64_t begin = plat_now();
    CHECK_ERR(try_recv(p.a, CHUTE_MS(30)), CHUTE_ETIMEDOUT);
    CHECK_EQ(chute_conn_poll(p.a, CHUTE_MS(30)), 0);
    CHECK_ERR(chute_conn_send_bytes(p.a, "x", 1, CHUTE_MS(30)),
              CHUTE_ETIMEDOUT);
    CHECK(plat_now() - begin >= CHUTE_MS(90));
    alarm_often(false);
    free_pipe(p);
}

TEST(a_signal_ends_a_wait_that_may_be_interrupted)
{
    struct ends p = new_pipe(CHUTE_INTERRUPTIBLE);

    fill_up(p.a);
    alarm_often(true);
    CHECK_ERR(try_recv(p.a, CHUTE_FOREVER), CHUTE_EINTR);
    CHECK_ERR(chute_conn_poll(p.a, CHUTE_FOREVER), CHUTE_EINTR);
    CHECK_ERR(chute_conn_send_bytes(p.a, "x", 1, CHUTE_FOREVER), CHUTE_EINTR);
    alarm_often(false);
    free_pipe(p);
}

TEST(a_signal_within_a_message_takes_nothing)
{
    struct ends p = new_pipe(CHUTE_INTERRUPTIBLE);

    send_raw(p.a, "\0\0\0\6hal", 7);
    alarm_often(true);
    CHECK_ERR(try_recv(p.b, CHUTE_FOREVER), CHUTE_EINTR);
    CHECK_ERR(try_recv(p.b, CHUTE_FOREVER), CHUTE_EINTR);
    alarm_often(false);
    send_raw(p.a, "ves", 3);
    check_text(p.b, "halves");
    free_pipe(p);
}

static unsigned char long_message[1 << 20]; /* longer than a socket holds */

static int read_after_a_while(void *conn)
{
    size_t len;

    usleep(30000);
    CHECK_OK(chute_conn_recv_bytes(conn, long_message, sizeof long_message,
                                   &len, CHUTE_FOREVER));
    CHECK_EQ(len, sizeof long_message);
    return 0;
}

TEST(a_signal_does_not_end_a_send_that_has_begun)
{
    struct ends p = new_pipe(CHUTE_INTERRUPTIBLE);
    chute_process *process = start(read_after_a_while, p.b);
    int r;

    alarm_often(true);
    do
        r = chute_conn_send_bytes(p.a, long_message, sizeof long_message,
                                  CHUTE_FOREVER);
    while (r == CHUTE_EINTR);
    CHECK_OK(r);
    alarm_often(false);
    join(process);
    free_pipe(p);
}

/* -- buffers that are too small -------------------------------------------- */

TEST(a_message_that_does_not_fit_stays_the_next)
{
    struct ends p = new_pipe(0);
    char buf[8];
    size_t len = 0;

    send_text(p.a, "longer than eight");
    send_text(p.a, "next");
    CHECK_ERR(chute_conn_recv_bytes(p.b, buf, sizeof buf, &len, CHUTE_FOREVER),
              CHUTE_EMSGSIZE);
    CHECK_EQ(len, 17);
    len = 0;
    CHECK_ERR(chute_conn_recv_bytes(p.b, NULL, 0, &len, CHUTE_NOWAIT),
              CHUTE_EMSGSIZE);
    CHECK_EQ(len, 17);
    CHECK_EQ(chute_conn_poll(p.b, CHUTE_NOWAIT), 1);
    check_text(p.b, "longer than eight");
    check_text(p.b, "next");
    free_pipe(p);
}

TEST(a_long_message_that_does_not_fit_stays_the_next)
{
    struct ends p = new_pipe(0);
    size_t len = 0;
    char buf[8];

    CHECK_OK(send_message(p.a, 100000, 3));
    CHECK_ERR(chute_conn_recv_bytes(p.b, buf, sizeof buf, &len, CHUTE_FOREVER),
              CHUTE_EMSGSIZE);
    CHECK_EQ(len, 100000);
    CHECK_OK(recv_message(p.b, CHUTE_FOREVER));
    free_pipe(p);
}

TEST(half_a_message_that_does_not_fit_stays_too)
{
    struct ends p = new_pipe(0);
    size_t len = 0;
    char buf[2];

    /* The header comes in two pieces: it is taken before it is understood. */
    send_raw(p.a, "\0\0", 2);
    CHECK_ERR(try_recv(p.b, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    send_raw(p.a, "\0\5fi", 4);
    CHECK_ERR(chute_conn_recv_bytes(p.b, buf, sizeof buf, &len, CHUTE_FOREVER),
              CHUTE_EMSGSIZE);
    CHECK_EQ(len, 5);
    send_raw(p.a, "fth", 3);
    CHECK_ERR(chute_conn_recv_bytes(p.b, buf, sizeof buf, &len, CHUTE_FOREVER),
              CHUTE_EMSGSIZE);
    check_text(p.b, "fifth");

    send_raw(p.a, "\0\0", 2);
    CHECK_ERR(try_recv(p.b, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    send_raw(p.a, "\0\5sixth", 7);
    CHECK_ERR(chute_conn_recv_bytes(p.b, buf, sizeof buf, &len, CHUTE_FOREVER),
              CHUTE_EMSGSIZE);
    CHECK_EQ(waiting(p.b), 0); /* it is all in the handle */
    CHECK_EQ(chute_conn_poll(p.b, CHUTE_NOWAIT), 1);
    check_text(p.b, "sixth");
    CHECK_EQ(chute_conn_poll(p.b, CHUTE_NOWAIT), 0);
    free_pipe(p);
}

/* -- strange peers --------------------------------------------------------- */

TEST(a_message_may_come_byte_by_byte)
{
    static const char *messages[] = {"\0\0\0\3abc",
                                     "\xff\xff\xff\xff\0\0\0\0\0\0\0\3abc"};
    static const size_t lens[] = {7, 15};
    struct ends p = new_pipe(0);

    for (int m = 0; m < 2; m++) {
        for (size_t i = 0; i < lens[m]; i++) {
            CHECK_ERR(try_recv(p.b, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
            CHECK_EQ(chute_conn_poll(p.b, CHUTE_NOWAIT), 0);
            send_raw(p.a, messages[m] + i, 1);
            CHECK_EQ(chute_conn_poll(p.b, CHUTE_NOWAIT), 1);
        }
        check_text(p.b, "abc");
    }
    free_pipe(p);
}

TEST(many_messages_may_come_at_once)
{
    struct ends p = new_pipe(0);

    send_raw(p.a, "\0\0\0\1a\0\0\0\0\0\0\0\2bc\0\0", 17);
    check_text(p.b, "a");
    check_text(p.b, "");
    check_text(p.b, "bc");
    CHECK_ERR(try_recv(p.b, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    send_raw(p.a, "\0\1d", 3);
    check_text(p.b, "d");
    for (size_t n = 0; n < 8; n++) { /* a whole one, and n bytes of the next */
        send_raw(p.a, "\0\0\0\1a\0\0\0\4body", 5 + n);
        check_text(p.b, "a");
        CHECK_ERR(try_recv(p.b, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
        send_raw(p.a, &"\0\0\0\4body"[n], 8 - n);
        check_text(p.b, "body");
    }
    free_pipe(p);
}

TEST(more_messages_may_wait_than_one_look_shows)
{
    enum { N = 5000 };
    static unsigned char bytes[N * 6];
    struct ends p = new_pipe(0);
    unsigned char buf[2];
    size_t len;

    /* 4 bytes, 5 bytes or 6 bytes each. */
    unsigned char *at = bytes;
    for (size_t i = 0; i < N; i++) {
        memcpy(at, (unsigned char[]){0, 0, 0, (unsigned char)(i % 3)}, 4);
        memset(at + 4, (int)(i & 255), i % 3);
        at += 4 + i % 3;
    }
    send_raw(p.a, bytes, (size_t)(at - bytes));
    for (size_t i = 0; i < N; i++) {
        CHECK_OK(chute_conn_recv_bytes(p.b, buf, 2, &len, CHUTE_NOWAIT));
        CHECK_EQ(len, i % 3);
        CHECK(atomic_load(&p.b->own->n_known) <= SHM_N_KNOWN);
        CHECK(len == 0 || buf[0] == (i & 255));
    }
    CHECK_ERR(try_recv(p.b, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    free_pipe(p);
}

TEST(of_a_message_more_may_be_there_than_one_look_shows_and_yet_not_all)
{
    enum { LEN = 30000, PART = CONN_LOOK_LEN + 1000 };
    static unsigned char bytes[4 + LEN] = {0, 0, LEN >> 8, LEN & 255};
    static unsigned char buf[LEN];
    struct ends p = new_pipe(0);
    size_t len;

    memset(bytes + 4, 'x', LEN);
    send_raw(p.a, bytes, PART);
    CHECK_ERR(chute_conn_recv_bytes(p.b, buf, LEN, &len, CHUTE_NOWAIT),
              CHUTE_ETIMEDOUT);
    send_raw(p.a, bytes + PART, sizeof bytes - PART);
    CHECK_OK(chute_conn_recv_bytes(p.b, buf, LEN, &len, CHUTE_NOWAIT));
    CHECK_EQ(len, LEN);
    CHECK_MEM(buf, bytes + 4, LEN);
    free_pipe(p);
}

TEST(forms_and_lengths_may_follow_in_any_order)
{
    static const char bytes[] = "\0\0\0\1a" /* short */
                                "\xff\xff\xff\xff\0\0\0\0\0\0\0\2bc"
                                "\0\0\0\0"
                                "\xff\xff\xff\xff\0\0\0\0\0\0\0\0"
                                "\0\0\0\3def";
    struct ends p = new_pipe(0);

    for (int i = 0; i < 2; i++)
        send_raw(p.a, bytes, sizeof bytes - 1);
    for (int i = 0; i < 2; i++) {
        check_text(p.b, "a");
        check_text(p.b, "bc");
        check_text(p.b, "");
        check_text(p.b, "");
        check_text(p.b, "def");
    }
    free_pipe(p);
}

TEST(a_message_in_the_long_form_may_be_short)
{
    struct ends p = new_pipe(0);

    send_raw(p.a, "\xff\xff\xff\xff\0\0\0\0\0\0\0\5hello", 17);
    check_text(p.b, "hello");
    free_pipe(p);
}

TEST(what_is_no_header_is_refused)
{
    struct ends p = new_pipe(0);

    send_raw(p.a, "\xff\xff\xff\xfe", 4);
    CHECK_ERR(try_recv(p.b, CHUTE_FOREVER), CHUTE_EPROTO);
    CHECK_ERR(try_recv(p.b, CHUTE_FOREVER), CHUTE_EPROTO);
    free_pipe(p);

    p = new_pipe(0);
    send_raw(p.a, "\x80", 1);
    CHECK_ERR(try_recv(p.b, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    send_raw(p.a, "\0\0\0", 3);
    CHECK_ERR(try_recv(p.b, CHUTE_FOREVER), CHUTE_EPROTO);
    CHECK_ERR(try_recv(p.b, CHUTE_FOREVER), CHUTE_EPARTIAL);
    free_pipe(p);
}

TEST(the_end_within_header_or_body_is_epartial)
{
    static const char message[] = "\0\0\0\4body";

    for (size_t n = 1; n < 8; n++) {
        struct ends p = new_pipe(0);
        send_text(p.a, "whole");
        send_raw(p.a, message, n);
        p.a = chute_conn_free(p.a);
        check_text(p.b, "whole");
        CHECK_ERR(try_recv(p.b, CHUTE_FOREVER), CHUTE_EPARTIAL);
        CHECK_ERR(try_recv(p.b, CHUTE_FOREVER), CHUTE_EPARTIAL);
        CHECK_EQ(chute_conn_poll(p.b, CHUTE_NOWAIT), 1);
        free_pipe(p);
    }
}

TEST(a_promise_of_much_costs_little)
{
    struct rlimit limit = {1u << 30, 1u << 30};
    struct ends p = new_pipe(0);

    if (TEST_ASAN || TEST_TSAN)
        SKIP("the sanitizer needs the address space");
    CHECK_OK(setrlimit(RLIMIT_AS, &limit));
    send_raw(p.a, "\xff\xff\xff\xff\0\xff\0\0\0\0\0\0some", 16);
    CHECK_ERR(try_recv(p.b, CHUTE_NOWAIT), CHUTE_EMSGSIZE);
    chute_value *v = NULL;
    CHECK_ERR(chute_conn_recv(p.b, &v, CHUTE_MS(10)), CHUTE_ETIMEDOUT);
    CHECK(p.b->part && p.b->part->cap <= 65536);
    free_pipe(p);
}

TEST(a_length_that_no_memory_holds_is_enomem_and_stays)
{
    struct ends p = new_pipe(0);
    chute_value *v = NULL;

    send_raw(p.a, "\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 12);
    CHECK_ERR(chute_conn_recv(p.b, &v, CHUTE_FOREVER), CHUTE_ENOMEM);
    CHECK_ERR(chute_conn_recv(p.b, &v, CHUTE_FOREVER), CHUTE_ENOMEM);
    free_pipe(p);
}

TEST(half_a_message_does_not_make_a_waiter_spin)
{
    struct ends p = new_pipe(0);
    struct timespec cpu;

    send_raw(p.a, "\0\0\0", 3);
    CHECK_ERR(try_recv(p.b, CHUTE_MS(200)), CHUTE_ETIMEDOUT);
    send_raw(p.a, "\7half", 5);
    CHECK_ERR(try_recv(p.b, CHUTE_MS(200)), CHUTE_ETIMEDOUT);
    CHECK_OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu));
    CHECK(cpu.tv_sec == 0 && cpu.tv_nsec < 200000000);
    free_pipe(p);
}
