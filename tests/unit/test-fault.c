/* test-fault.c - every public operation, with the n-th thing that it asks of the
 * system refused, for every n and with every error that the manual names.
 *
 * What is seen each time: the call says so, by an error that is none of those
 * which mean "come again" (a caller would, for ever); made once more, it works,
 * and so does all that comes after it; at the end nothing is left (leak.h). The
 * last test sees that no error of any site of the library was left out.
 *
 * libchute-net's are in test-net-fault.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chute.h"
#include "ipc/conn.h"
#include "leak.h"
#include "plat/child.h"
#include "plat/plat.h"
#include "test.h"
#include "try.h"

#define SOON CHUTE_SEC(20)

/* -- queues ----------------------------------------------------------------- */

#define LARGE_LEN 300000

static unsigned char large[LARGE_LEN], got[LARGE_LEN];

/* More than fits into the first piece of memory that anybody asks for. */
static int put_longer(chute_queue *q)
{
    chute_value *items[100];

    for (int i = 0; i < 100; i++)
        items[i] = chute_int(1000000 + i);
    return chute_queue_put(q, chute_list_of(100, items), 0);
}

/* A value of so many items. If there is no memory to decode it in, it comes as
 * the bytes that it is. */
static void take(int (*how)(chute_queue *, chute_value **, int64_t),
                 chute_queue *q, size_t n)
{
    chute_value *v = NULL, *raw = NULL;
    const void *data;
    size_t len;

    int r = how(q, &v, 0);
    if (r < 0 && v) {
        CHECK_ERR(r, CHUTE_ENOMEM);
        raw = v;
        data = chute_value_bytes(raw, &len);
        r = chute_loads(data, len, &v, NULL);
    }
    if (!passed(r))
        CHECK_OK(how(q, &v, 0));
    CHECK_EQ(chute_value_len(v), n);
    chute_value_free(v);
    chute_value_free(raw);
}

static void put_and_get(chute_queue *q)
{
    size_t len = 0;

    TRY(chute_queue_put(q, chute_list(chute_int(1), chute_str("a")), 0));
    TRY(put_longer(q));
    TRY(chute_queue_put_bytes(q, large, LARGE_LEN, 0));
    take(chute_queue_peek, q, 2);
    take(chute_queue_get, q, 2);
    take(chute_queue_get, q, 100);
    TRY(chute_queue_peek_bytes(q, got, LARGE_LEN, &len, 0));
    CHECK_EQ(len, LARGE_LEN);
    TRY(chute_queue_get_bytes(q, got, LARGE_LEN, &len, 0));
    CHECK_EQ(len, LARGE_LEN);
    CHECK_MEM(got, large, LARGE_LEN);
}

/* Of what is put some may be in, and is said to be; the rest comes after it. */
static void put_many(chute_queue *q)
{
    struct iovec items[3] = {{large, 1}, {large, 100000}, {large, 3}};
    chute_value *values[3];
    size_t n = 0, n_put = 0;

    int r = chute_queue_put_many_bytes(q, items, 3, &n_put, 0);
    if (!passed(r))
        CHECK_OK(
            chute_queue_put_many_bytes(q, items + n_put, 3 - n_put, &n, 0));
    for (int i = 0; i < 3; i++)
        values[i] = chute_int(i);
    n_put = 0;
    r = chute_queue_put_many(q, values, 3, &n_put, 0);
    if (!passed(r)) {
        for (size_t i = n_put; i < 3; i++)
            if (!values[i])
                values[i] = chute_int((int)i);
        CHECK_OK(chute_queue_put_many(q, values + n_put, 3 - n_put, &n, 0));
    }
}

/* Likewise: what came with an error has come. */
static void get_many(chute_queue *q)
{
    struct iovec items[3];
    chute_value *values[3];
    size_t n, n_all = 0;

    while (n_all < 3) {
        n = 0;
        int r = chute_queue_get_many_bytes(q, got, sizeof got, items, 3 - n_all,
                                           &n, 0);
        (void)passed(r);
        n_all += r < 0 ? 0 : n;
    }
    for (n_all = 0; n_all < 3; n_all += n) {
        n = 0;
        int r = chute_queue_get_many(q, values, 3 - n_all, &n, 0);
        (void)passed(r);
        for (size_t i = 0; i < n; i++)
            chute_value_free(values[i]);
    }
}

/* Lent by one, filled, put; got in each way, whether it was put so or not. */
static void lend_and_borrow(chute_queue *q)
{
    struct chute_loan loan = {0};
    size_t len = 0;

    for (int i = 0; i < 3; i++) {
        TRY(chute_queue_reserve(q, &loan, i == 1 ? LARGE_LEN : 10, 0));
        memcpy(loan.data, large, loan.len);
        TRY(chute_queue_commit(q, &loan, 0));
    }
    TRY(chute_queue_put_bytes(q, large, 10, 0));
    TRY(chute_queue_borrow(q, &loan, 0));
    CHECK_EQ(loan.len, 10);
    TRY(chute_queue_release(q, &loan));
    TRY(chute_queue_get_bytes(q, got, LARGE_LEN, &len, 0));
    CHECK_EQ(len, LARGE_LEN);
    CHECK_MEM(got, large, LARGE_LEN);
    TRY(chute_queue_peek_bytes(q, got, LARGE_LEN, &len, 0));
    for (int i = 0; i < 2; i++) {
        TRY(chute_queue_borrow(q, &loan, 0));
        CHECK_EQ(loan.len, 10);
        CHECK_MEM(loan.data, large, 10);
        TRY(chute_queue_release(q, &loan));
    }
}

static void use_queue(chute_queue *q)
{
    struct chute_queue_stats stats = {.size = sizeof stats};
    struct chute_queue_member member = {.size = sizeof member};
    size_t n = 7, place = 0;

    put_and_get(q);
    int r = chute_queue_member(q, &place, &member);
    if (r == CHUTE_EOF) /* who is said to have gone is struck off */
        CHECK_EQ(fault_error(), ESRCH);
    else if (passed(r))
        CHECK_EQ(member.pid, getpid());
    put_many(q);
    get_many(q);
    lend_and_borrow(q);
    TRY(chute_queue_qsize(q, &n));
    CHECK_EQ(n, 0);
    TRY(chute_queue_empty(q));
    TRY(chute_queue_full(q));
    TRY(chute_queue_put_bytes(q, "x", 1, 0));
    TRY(chute_queue_stat(q, &stats));
    CHECK_EQ(stats.n_items, 1);
    TRY(chute_queue_close(q));
    CHECK_ERR(chute_queue_put_bytes(q, "x", 1, 0), CHUTE_ECLOSED);
}

TEST_TIMEOUT(the_life_of_a_queue, 240)
{
    memset(large, 'x', sizeof large);
    FAULT_LOOP (n) {
        chute_queue *q = NULL;

        TRY(chute_queue_new(&q, NULL));
        use_queue(q);
        CHECK(!chute_queue_free(q));
    }
}

static bool is_readable(int fd)
{
    return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 1;
}

/* What a bell is after it was rung; not if the system is said to have said that
 * it was rung already. */
static bool is_rung(int fd)
{
    return is_readable(fd) ||
           (fault_fired() && strcmp(fault_site(), "sendmsg") == 0 &&
            (fault_error() == EAGAIN || fault_error() == EPIPE));
}

/* And after it was hushed, unless that was refused. */
static bool is_hushed(int fd)
{
    return !is_readable(fd) ||
           (fault_fired() && strcmp(fault_site(), "recvmsg") == 0);
}

/* Two who watch: a put tells both, or fails. */
TEST_TIMEOUT(waiting_for_a_queue_by_a_descriptor, 240)
{
    FAULT_LOOP (n) {
        chute_queue *q = NULL, *other = NULL;
        char c = 0;
        size_t len;
        int fds[2] = {-1, -1};

        TRY(chute_queue_new(&q, NULL));
        int copy = dup(chute_queue_fd(q));
        TRY(chute_queue_of_fd(&other, copy, NULL));
        TRY(fds[0] = chute_queue_wait_fd(q));
        TRY(fds[1] = chute_queue_wait_fd(other));
        TRY(chute_queue_put_bytes(q, "x", 1, 0));
        CHECK(is_rung(fds[0]) && is_rung(fds[1]));
        TRY(chute_queue_get_bytes(q, &c, 1, &len, 0));
        CHECK_EQ(c, 'x');
        CHECK(is_hushed(fds[0]));
        TRY(chute_queue_close(q));
        CHECK(is_rung(fds[0]) && is_rung(fds[1]));
        chute_queue_free(other);
        chute_queue_free(q);
    }
}

TEST_TIMEOUT(the_life_of_a_queue_with_a_name, 240)
{
    char dir[] = "/tmp/chute-fault-XXXXXX";
    const struct chute_queue_options options = {.size = sizeof options,
                                                .flags = CHUTE_CREATE};

    CHECK(mkdtemp(dir) != NULL);
    CHECK_EQ(setenv("CHUTE_DIR", dir, 1), 0);
    memset(large, 'x', sizeof large);
    FAULT_LOOP (n) {
        chute_queue *q = NULL, *other = NULL;
        struct chute_queue_stats stats = {.size = sizeof stats};

        TRY(chute_queue_open(&q, "jobs", &options));
        TRY(chute_queue_open(&other, "jobs", NULL));
        use_queue(other);
        chute_value *names = NULL;
        TRY(chute_queue_list(&names));
        CHECK_EQ(chute_value_len(names), 1);
        chute_value_free(names);
        int r = chute_queue_unlink("jobs");
        if (!passed(r))
            r = chute_queue_unlink("jobs");
        CHECK(r == 0 || r == CHUTE_ENOENT);
        TRY(chute_queue_stat(q, &stats));
        CHECK_EQ(stats.unlinked, 1);
        chute_queue_free(q);
        chute_queue_free(other);
        TRY(chute_queue_open(&q, "more", &options));
        chute_queue_free(q);
        r = chute_queue_unlink_unused("more", 0);
        if (r == 0)
            continue;
        if (r != -EBUSY) /* as it may be, if that is what was said */
            (void)passed(r);
        CHECK(fault_fired());
        CHECK_OK(chute_queue_unlink_unused("more", 0));
    }
    CHECK_EQ(rmdir(dir), 0);
}

TEST_TIMEOUT(clearing_away_what_is_no_queue, 240)
{
    char dir[] = "/tmp/chute-fault-XXXXXX", path[64];

    CHECK(mkdtemp(dir) != NULL);
    CHECK_EQ(setenv("CHUTE_DIR", dir, 1), 0);
    snprintf(path, sizeof path, "%s/noise", dir);
    FAULT_LOOP (n) {
        int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
        CHECK(fd >= 0);
        CHECK_OK(close(fd));
        int r = chute_queue_unlink_broken("noise");
        if (r == 0)
            continue;
        if (r != -EBUSY) /* as it may be, if that is what was said */
            (void)passed(r);
        CHECK(fault_fired());
        CHECK_OK(chute_queue_unlink_broken("noise"));
    }
    CHECK_EQ(rmdir(dir), 0);
}

TEST_TIMEOUT(the_directory_of_named_queues, 240)
{
    char home[64];
    const struct chute_queue_options options = {.size = sizeof options,
                                                .flags = CHUTE_CREATE};

    snprintf(home, sizeof home, "fault-%ld", (long)getpid());
    CHECK_EQ(unsetenv("CHUTE_DIR"), 0);
    FAULT_LOOP (n) {
        chute_queue *q = NULL;

        TRY(chute_queue_open(&q, home, &options));
        chute_queue_free(q);
        int r = chute_queue_unlink(home);
        if (!passed(r))
            CHECK_OK(chute_queue_unlink(home));
    }
}

TEST_TIMEOUT(waiting_at_a_queue_in_vain, 240)
{
    chute_queue *q;
    size_t len;

    CHECK_OK(
        chute_queue_new(&q, CHUTE_OPTIONS(chute_queue_options, .maxsize = 1)));
    FAULT_LOOP (n) {
        char c[64];
        CHECK_ERR(chute_queue_get_bytes(q, c, 1, &len, CHUTE_MS(20)),
                  CHUTE_ETIMEDOUT);
        TRY(chute_queue_put(q, chute_int(1), SOON));
        CHECK_ERR(chute_queue_put_bytes(q, "x", 1, CHUTE_MS(20)),
                  CHUTE_ETIMEDOUT);
        TRY(chute_queue_get_bytes(q, c, sizeof c, &len, SOON));
    }
    chute_queue_free(q);
}

/* What a process learns of itself, once, each child learns for the first time. */
TEST_TIMEOUT(the_first_call_of_a_process, 240)
{
    FAULT_LOOP (n) {
        int status;

        fault_in_children(true);
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            chute_queue *q = NULL;
            TRY(chute_queue_new(&q, NULL));
            put_and_get(q);
            _exit(0);
        }
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK_EQ(status, 0);
    }
}

/* -- two processes at a queue ------------------------------------------------ */

#define N_ITEMS 4

static int echo(void *queues)
{
    chute_queue **q = queues;
    char c = 0;
    size_t len;

    for (int i = 0; i < N_ITEMS; i++) {
        TRY(chute_queue_get_bytes(q[0], &c, 1, &len, SOON));
        TRY(chute_queue_put_bytes(q[1], &c, 1, SOON));
    }
    return 0;
}

/* Unless the child was not let out of the gate: it has ended then. */
static int get_answer(chute_queue *q, char *ret_c, chute_process *child)
{
    bool ended = false;
    size_t len;
    int r;

    do {
        r = chute_queue_get_bytes(q, ret_c, 1, &len, CHUTE_MS(50));
        if (r != CHUTE_ETIMEDOUT && !passed(r))
            r = CHUTE_ETIMEDOUT;
        if (r == 0 || ended)
            return r;
        ended = chute_process_join(child, NULL, 0) == 0;
    } while (true);
}

/* Both sides sleep and wake each other; who is refused when is left to chance,
 * as far as it goes by itself. A wake-up that is refused the tick makes good. */
TEST_TIMEOUT(a_question_and_an_answer_through_queues, 240)
{
    FAULT_LOOP (n) {
        chute_queue *q[2] = {NULL, NULL};
        chute_process *child = NULL;
        char c = 0;
        int code = 1;

        fault_in_children(true);
        TRY(chute_queue_new(&q[0], NULL));
        TRY(chute_queue_new(&q[1], NULL));
        int r = chute_process_start(&child, echo, q, NULL);
        if (r < 0)
            CHECK_OK(chute_process_start(&child, echo, q, NULL));
        for (int i = 0; i < N_ITEMS; i++) {
            TRY(chute_queue_put_bytes(q[0], &(char){(char)i}, 1, SOON));
            r = get_answer(q[1], &c, child);
            if (r < 0)
                break;
            CHECK_EQ(c, i);
        }
        CHECK(r >= 0 || fault_fired());
        while (chute_process_join(child, &code, SOON) < 0)
            CHECK(fault_fired());
        CHECK(r >= 0 ? code == 0 : code != 0);
        chute_process_free(child);
        chute_queue_free(q[0]);
        chute_queue_free(q[1]);
    }
}

/* -- pipes ------------------------------------------------------------------ */

static void send_and_receive(chute_conn *a, chute_conn *b)
{
    chute_value *v = NULL;
    char text[8];
    size_t len = 0;

    TRY(chute_conn_send(a, chute_list(chute_int(1), chute_str("a")), SOON));
    TRY(chute_conn_poll(b, SOON));
    TRY(chute_conn_recv(b, &v, SOON));
    CHECK_EQ(chute_value_len(v), 2);
    chute_value_free(v);
    TRY(chute_conn_send_bytes(b, "answer", 6, CHUTE_NOWAIT));
    TRY(chute_conn_recv_bytes(a, text, sizeof text, &len, SOON));
    CHECK_EQ(len, 6);
    CHECK_MEM(text, "answer", 6);
}

TEST_TIMEOUT(the_life_of_a_pipe, 240)
{
    FAULT_LOOP (n) {
        chute_conn *ends[2] = {NULL, NULL};

        TRY(chute_pipe(ends, NULL));
        send_and_receive(ends[0], ends[1]);
        CHECK(chute_conn_fd(ends[0]) >= 0);
        chute_conn_free(ends[0]);
        char c;
        size_t len;
        int r = chute_conn_recv_bytes(ends[1], &c, 1, &len, SOON);
        if (r != CHUTE_EOF) {
            CHECK(!passed(r));
            CHECK_ERR(chute_conn_recv_bytes(ends[1], &c, 1, &len, SOON),
                      CHUTE_EOF);
        }
        chute_conn_free(ends[1]);
    }
}

TEST_TIMEOUT(waiting_at_a_pipe_in_vain, 240)
{
    chute_conn *ends[2];

    CHECK_OK(chute_pipe(ends, NULL));
    FAULT_LOOP (n) {
        char c;
        size_t len;
        int r = chute_conn_recv_bytes(ends[1], &c, 1, &len, CHUTE_MS(2));
        if (r != CHUTE_ETIMEDOUT)
            CHECK(!passed(r));
        r = chute_conn_poll(ends[1], CHUTE_MS(2));
        if (r != 0)
            CHECK(!passed(r));
    }
    chute_conn_free(ends[0]);
    chute_conn_free(ends[1]);
}

/* Larger than what the kernel takes in one step; so it has to be known that
 * there is room. */
TEST_TIMEOUT(a_long_message_at_once, 240)
{
    FAULT_LOOP (n) {
        chute_conn *ends[2] = {NULL, NULL};
        size_t len = 0;

        TRY(chute_pipe(ends, NULL));
        int r = chute_conn_send_bytes(ends[0], large, 50000, CHUTE_NOWAIT);
        if (r == 0) {
            TRY(chute_conn_recv_bytes(ends[1], got, LARGE_LEN, &len, SOON));
            CHECK_EQ(len, 50000);
        } else {
            CHECK(fault_fired());
        }
        chute_conn_free(ends[0]);
        chute_conn_free(ends[1]);
    }
}

#define LONG_LEN 1000000

static int take_long(void *conn)
{
    char *buf = malloc(LONG_LEN);
    size_t len = 0;
    int r = chute_conn_recv_bytes(conn, buf, LONG_LEN, &len, SOON);

    free(buf);
    chute_conn_free(conn);
    return r == 0 && len == LONG_LEN ? 0 : 1;
}

/* It arrives, or both sides are told that it did not. */
TEST_TIMEOUT(a_long_message_is_whole_or_known_to_be_lost, 240)
{
    char *data = calloc(1, LONG_LEN);

    FAULT_LOOP (n) {
        chute_conn *ends[2] = {NULL, NULL};
        chute_process *child = NULL;
        int code = -1;

        fault_in_children(true);
        TRY(chute_pipe(ends, NULL));
        chute_conn *drop[] = {ends[0], NULL};
        const struct chute_process_options options = {.size = sizeof options,
                                                      .drop = drop};
        int r = chute_process_start(&child, take_long, ends[1], &options);
        if (r < 0)
            CHECK_OK(chute_process_start(&child, take_long, ends[1], &options));
        chute_conn_free(ends[1]);
        r = chute_conn_send_bytes(ends[0], data, LONG_LEN, SOON);
        CHECK(r == 0 || (fault_fired() && r != CHUTE_ETIMEDOUT));
        chute_conn_free(ends[0]);
        while (chute_process_join(child, &code, SOON) < 0)
            CHECK(fault_fired());
        CHECK(code == 0 || fault_fired());
        CHECK(r == 0 || code != 0);
        chute_process_free(child);
    }
    free(data);
}

TEST_TIMEOUT(handles_travel, 240)
{
    FAULT_LOOP (n) {
        chute_conn *ends[2] = {NULL, NULL}, *more[2] = {NULL, NULL};
        chute_conn *came = NULL;
        chute_queue *q = NULL, *copy = NULL;
        int fd = -1;

        TRY(chute_pipe(ends, NULL));
        TRY(chute_pipe(more, NULL));
        TRY(chute_queue_new(&q, NULL));
        TRY(chute_conn_send_queue(ends[0], q, SOON));
        int r = chute_conn_recv_queue(ends[1], &copy, SOON);
        if (r < 0) {
            /* It may have been taken off the stream by then. */
            CHECK(!passed(r));
            r = chute_conn_recv_queue(ends[1], &copy, 0);
            CHECK(r == 0 || r == CHUTE_ETIMEDOUT);
        }
        if (r == 0)
            TRY(chute_queue_put_bytes(copy, "x", 1, 0));
        TRY(chute_conn_send_conn(ends[0], more[0], SOON));
        r = chute_conn_recv_conn(ends[1], &came, SOON);
        if (r < 0) {
            CHECK(!passed(r));
            r = chute_conn_recv_conn(ends[1], &came, 0);
            CHECK(r == 0 || r == CHUTE_ETIMEDOUT);
        }
        if (r == 0)
            send_and_receive(came, more[1]);
        TRY(chute_conn_send_fd(ends[0], 1, SOON));
        TRY(chute_conn_recv_fd(ends[1], &fd, SOON));
        close(fd);
        chute_queue_free(q);
        chute_queue_free(copy);
        chute_conn_free(came);
        for (int i = 0; i < 2; i++) {
            chute_conn_free(ends[i]);
            chute_conn_free(more[i]);
        }
    }
}

TEST_TIMEOUT(a_descriptor_becomes_a_handle, 240)
{
    int fds[2];
    chute_queue *q;

    CHECK_OK(chute_queue_new(&q, NULL));
    FAULT_LOOP (n) {
        chute_queue *copy = NULL;
        chute_conn *conn = NULL;
        TRY(plat_dup(chute_queue_fd(q), &fds[0]));
        TRY(chute_queue_of_fd(&copy, fds[0], NULL));
        TRY(chute_queue_put_bytes(copy, "x", 1, 0));
        chute_queue_free(copy);
        CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        TRY(chute_conn_of_fd(&conn, fds[0], NULL));
        TRY(chute_conn_send_bytes(conn, "x", 1, SOON));
        chute_conn_free(conn);
        close(fds[1]);
    }
    chute_queue_free(q);
}

/* In a process that finds them in its environment. */
static void take_what_was_passed(chute_queue *q, chute_conn *conn)
{
    chute_queue *passed_q = NULL;
    chute_conn *passed_conn = NULL;
    char text[100];
    int fd = -1;

    snprintf(text, sizeof text, "%010d q=q%d c=c%d,%d f=f%d", (int)getpid(),
             dup(chute_queue_fd(q)), dup(conn->fd), dup(conn->memory->fd),
             dup(0));
    CHECK_EQ(setenv("CHUTE_HANDLES", text, 1), 0);
    TRY(chute_handle_queue(&passed_q, "q", NULL));
    TRY(chute_handle_conn(&passed_conn, "c", NULL));
    TRY(chute_handle_fd(&fd, "f"));
    TRY(chute_queue_put_bytes(passed_q, "x", 1, 0));
    TRY(chute_conn_send_bytes(passed_conn, "x", 1, SOON));
}

TEST_TIMEOUT(handles_that_a_program_was_passed, 240)
{
    chute_queue *q;
    chute_conn *ends[2];

    CHECK_OK(chute_queue_new(&q, NULL));
    CHECK_OK(chute_pipe(ends, NULL));
    FAULT_LOOP (n) {
        char c;
        size_t len;
        int status;

        fault_in_children(true);
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            take_what_was_passed(q, ends[0]);
            _exit(0);
        }
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK_EQ(status, 0);
        TRY(chute_queue_get_bytes(q, &c, 1, &len, 0));
        TRY(chute_conn_recv_bytes(ends[1], &c, 1, &len, 0));
    }
    chute_queue_free(q);
    chute_conn_free(ends[0]);
    chute_conn_free(ends[1]);
}

TEST_TIMEOUT(waiting_for_descriptors, 240)
{
    enum { MANY = 65 };
    chute_conn *ends[2];
    int fds[MANY];
    bool ready[MANY];

    CHECK_OK(chute_pipe(ends, NULL));
    CHECK_OK(chute_conn_send_bytes(ends[0], "x", 1, SOON));
    for (int i = 0; i < MANY; i++)
        fds[i] = chute_conn_fd(ends[1]);
    FAULT_LOOP (n)
        TRY(chute_wait(fds, ready, MANY, SOON));
    chute_conn_free(ends[0]);
    chute_conn_free(ends[1]);
}

/* -- processes -------------------------------------------------------------- */

static int give_7(void *unused)
{
    (void)unused;
    return 7;
}

static int sleep_long(void *unused)
{
    (void)unused;
    sleep(30);
    return 0;
}

/* The child is refused things, too. Then it may leave before its function. */
static void live(chute_process_fn *fn, uint64_t flags, int expected)
{
    chute_process *p = NULL;
    const struct chute_process_options options = {
        .size = sizeof options, .flags = flags, .name = "faulty"};
    int code = -1000;

    int r = chute_process_start(&p, fn, NULL, &options);
    if (r < 0) {
        CHECK(fault_fired() && !p);
        CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
        CHECK_OK(chute_process_start(&p, fn, NULL, &options));
    }
    CHECK(chute_process_pid(p) > 0);
    CHECK(chute_process_fd(p) >= 0);
    if (fn == sleep_long)
        TRY(chute_process_terminate(p));
    if (strcmp(fault_site(), "pidfd_send_signal") == 0 &&
        fault_error() == ESRCH) /* it was said to have gone */
        CHECK_OK(chute_process_terminate(p));
    TRY(chute_process_join(p, &code, SOON));
    CHECK(code == expected || (fault_fired() && code == EXIT_FAILURE));
    TRY(chute_process_kill(p));
    chute_process_free(p);
}

TEST_TIMEOUT(the_life_of_a_process, 240)
{
    FAULT_LOOP (n) {
        fault_in_children(true);
        live(give_7, 0, 7);
    }
    FAULT_LOOP (n) {
        fault_in_children(true);
        live(give_7, CHUTE_DAEMON, 7);
    }
    FAULT_LOOP (n)
        live(sleep_long, 0, -SIGTERM);
}

TEST_TIMEOUT(a_process_that_is_freed_without_a_join, 240)
{
    FAULT_LOOP (n) {
        chute_process *p = NULL;

        if (chute_process_start(&p, give_7, NULL, NULL) < 0)
            continue;
        while (waitid(P_PID, (id_t)chute_process_pid(p), NULL,
                      WEXITED | WNOWAIT) < 0)
            CHECK_EQ(errno, EINTR);
        pid_t pid = chute_process_pid(p);
        chute_process_free(p);
        /* It was reaped, unless that was refused. */
        pid_t left = waitpid(pid, NULL, WNOHANG);
        CHECK(left == -1 || fault_fired());
    }
}

TEST_TIMEOUT(the_life_of_a_program, 240)
{
    chute_queue *q;
    chute_conn *ends[2];
    /* Few, for where there is no close_range(2) each is looked at. */
    struct rlimit limit;

    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 64;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_OK(chute_queue_new(&q, NULL));
    CHECK_OK(chute_pipe(ends, NULL));
    const struct chute_pass pass[] = {
        {.name = "q", .queue = q}, {.name = "c", .conn = ends[0]}, {0}};
    const struct chute_spawn_options options = {.size = sizeof options,
                                                .flags = CHUTE_DAEMON,
                                                .pass = pass,
                                                .stdin_fd = 2,
                                                .stdout_fd = 2};
    char *const argv[] = {"sh", "-c", "exit 7", NULL};
    FAULT_LOOP (n) {
        chute_process *p = NULL;
        int code = -1;

        fault_in_children(true);
        int r = chute_process_spawn(&p, "/bin/sh", argv, &options);
        if (r < 0) {
            CHECK(fault_fired() && !p);
            CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
            CHECK_OK(chute_process_spawn(&p, "/bin/sh", argv, &options));
        }
        TRY(chute_process_join(p, &code, SOON));
        CHECK_EQ(code, 7);
        chute_process_free(p);
    }
    chute_queue_free(q);
    chute_conn_free(ends[0]);
    chute_conn_free(ends[1]);
}

/* A child by the bare system call, in which the C library has had no say: its
 * robust list has to be registered anew. */
TEST_TIMEOUT(a_child_that_was_not_made_by_fork, 240)
{
    chute_queue *q;
    char c;
    size_t len;

    CHECK_OK(chute_queue_new(&q, NULL));
    FAULT_LOOP (n) {
        int status;

        fault_in_children(true);
        pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
        CHECK(pid >= 0);
        if (pid == 0) {
            TRY(chute_queue_put_bytes(q, "x", 1, SOON));
            _exit(0);
        }
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK_EQ(status, 0);
        CHECK_OK(chute_queue_get_bytes(q, &c, 1, &len, 0));
    }
    chute_queue_free(q);
}

/* -- the seam, where no walk comes by within a second ------------------------- */

/* Who cannot sleep, or not be woken, comes back at once, or at his deadline. */
TEST(waiting_on_a_word)
{
    static _Atomic uint32_t word;

    FAULT_LOOP (n) {
        int r = plat_wait(&word, 0, plat_now() + 1000000);
        CHECK(r == -ETIMEDOUT || fault_fired());
        plat_wake(&word, 1);
    }
}

TEST(a_child_that_is_given_up_is_waited_for)
{
    FAULT_LOOP (n) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
            _exit(0);
        child_bury(pid);
        CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    }
}

TEST(who_cannot_be_asked_about_is_taken_for_alive)
{
    FAULT_LOOP (n)
        CHECK(plat_alive((uint32_t)getpid()) || fault_error() == ESRCH);
    FAULT_LOOP (n)
        CHECK(plat_thread_alive(getpid(), (uint32_t)gettid()) ||
              fault_error() == ESRCH);
    FAULT_LOOP (n)
        CHECK(child_runs(getpid(), child_birth(getpid())) ||
              fault_error() == ESRCH);
}

/* -- all of it -------------------------------------------------------------- */

TEST(every_site_has_failed_with_every_error)
{
    static struct text left;
    size_t n = fault_unrefused(false, &left);

    if (strstr(left.s, "malloc never failed"))
        SKIP("the other tests of this program have to run before it");
    if (n > 0)
        harness_fail("%zu refusals were not tried\n%s", n, left.s);
}
