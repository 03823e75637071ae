/* test-conn-fault.c - connections: what happens when the system refuses.
 *
 * Each call is made again and again, with the first thing it asks of the system
 * refused, then the second, and so on (FAULT_LOOP in test.h). It fails with
 * nothing changed, or ends the stream where a message was under way.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "chute.h"
#include "conn-scene.h"
#include "test.h"

/* -- refusals of the system ------------------------------------------------ */

TEST(if_a_pipe_cannot_be_made_nothing_is_left)
{
    FAULT_LOOP (n) {
        chute_conn *ends[2] = {NULL, NULL};
        int r = chute_pipe(ends, NULL);
        if (r < 0) {
            CHECK(fault_fired());
            CHECK(!ends[0] && !ends[1]);
            continue;
        }
        chute_conn_free(ends[0]);
        chute_conn_free(ends[1]);
    }
}

TEST(without_descriptors_a_pipe_is_emfile)
{
    struct rlimit limit, none;
    chute_conn *ends[2];
    int first = dup(0);

    CHECK(first >= 0);
    close(first);
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    for (int n_free = 0; n_free < 3; n_free++) {
        none = limit;
        none.rlim_cur = (rlim_t)(first + n_free);
        CHECK_OK(setrlimit(RLIMIT_NOFILE, &none));
        CHECK_ERR(chute_pipe(ends, NULL), CHUTE_EMFILE);
    }
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
}

TEST(a_refused_call_for_a_short_message_changes_nothing)
{
    struct ends p = new_pipe(0);

    FAULT_LOOP (n) {
        int r = chute_conn_send_bytes(p.a, "short", 5, CHUTE_FOREVER);
        if (r < 0) {
            CHECK(fault_fired());
            CHECK_EQ(waiting(p.b), 0);
            continue;
        }
        do
            r = chute_conn_poll(p.b, CHUTE_FOREVER);
        while (r < 0);
        char buf[8];
        size_t len;
        do
            r = chute_conn_recv_bytes(p.b, buf, sizeof buf, &len,
                                      CHUTE_FOREVER);
        while (r < 0);
        CHECK_EQ(len, 5);
        CHECK_MEM(buf, "short", 5);
    }
    free_pipe(p);
}

TEST(a_refused_call_loses_no_part_of_what_comes_in_parts)
{
    struct ends p = new_pipe(0);

    FAULT_LOOP (n) {
        char buf[8];
        size_t len;
        int r;
        send_raw(p.a, "\0\0", 2);
        do
            r = chute_conn_recv_bytes(p.b, buf, sizeof buf, &len, CHUTE_NOWAIT);
        while (r != CHUTE_ETIMEDOUT);
        send_raw(p.a, "\0\5he", 4);
        do
            r = chute_conn_recv_bytes(p.b, buf, sizeof buf, &len, CHUTE_NOWAIT);
        while (r != CHUTE_ETIMEDOUT);
        send_raw(p.a, "llo", 3);
        do
            r = chute_conn_recv_bytes(p.b, buf, sizeof buf, &len, CHUTE_NOWAIT);
        while (r < 0);
        CHECK_MEM(buf, "hello", 5);
    }
    free_pipe(p);
}

TEST(a_refused_call_loses_no_value)
{
    struct ends p = new_pipe(0);

    FAULT_LOOP (n) {
        chute_value *v, *w = NULL;
        int r;
        do {
            v = chute_list(chute_str("a"), chute_bytes("b", 1));
            r = chute_conn_send(p.a, v, CHUTE_FOREVER);
            CHECK(r == 0 || fault_fired());
        } while (r < 0);
        do {
            r = chute_conn_recv(p.b, &w, CHUTE_NOWAIT);
            CHECK(r == 0 || (fault_fired() && !w));
        } while (r < 0);
        CHECK_EQ(chute_value_len(w), 2);
        chute_value_free(w);
        do
            r = chute_conn_send_bytes(p.a, "no pickle", 9, CHUTE_NOWAIT);
        while (r < 0);
        do {
            r = chute_conn_recv(p.b, &w, CHUTE_NOWAIT);
            CHECK(r < 0 && (w || fault_fired()));
        } while (r != CHUTE_EPICKLE);
        CHECK_EQ(chute_value_len(w), 9);
        chute_value_free(w);
    }
    free_pipe(p);
}

static int recv_until_end(void *conn)
{
    int r;

    do
        r = recv_message(conn, CHUTE_FOREVER);
    while (r == 0);
    return r == CHUTE_EOF || r == CHUTE_EPARTIAL ? 0 : 1;
}

/* Refused with what a socket says when its other end is gone: the message's, or
 * the gate's where the child waits. */
static bool said_gone(void)
{
    return strcmp(fault_site(), "sendmsg") == 0 &&
           (fault_error() == EPIPE || fault_error() == ECONNRESET);
}

TEST(a_refused_call_within_a_long_message_ends_the_stream_at_most)
{
    FAULT_LOOP (n) {
        struct ends p;
        chute_conn *ends[2];
        chute_process *process;
        if (chute_pipe(ends, NULL) < 0)
            continue;
        p = (struct ends){ends[0], ends[1]};
        chute_conn *drop[] = {p.a, NULL};
        if (chute_process_start(
                &process, recv_until_end, p.b,
                CHUTE_OPTIONS(chute_process_options, .drop = drop)) < 0) {
            free_pipe(p);
            continue;
        }
        p.b = chute_conn_free(p.b);
        int r = send_message(p.a, MAX_LEN, 1);
        CHECK(r == 0 || fault_fired());
        CHECK(r != CHUTE_EINTR && r != CHUTE_EAGAIN && r != CHUTE_ETIMEDOUT);
        int again;
        do
            again = send_message(p.a, 8, 2);
        while (again < 0 && again != CHUTE_EPARTIAL && again != CHUTE_EPIPE);
        CHECK(again == CHUTE_EPIPE
                  ? said_gone()
                  : (again == CHUTE_EPARTIAL) == (r == CHUTE_EPARTIAL));
        p.a = chute_conn_free(p.a);
        int code = -1;
        while (chute_process_join(process, &code, CHUTE_FOREVER) < 0)
            CHECK(fault_fired());
        CHECK(code == 0 || said_gone());
        chute_process_free(process);
    }
}
