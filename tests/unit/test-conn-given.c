/* test-conn-given.c - connections made of a socket that somebody else made. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chute.h"
#include "conn-scene.h"
#include "test.h"

static struct ends new_given_pair(void)
{
    struct ends p;
    int fds[2];

    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    CHECK_OK(chute_conn_of_fd(&p.a, fds[0], NULL));
    CHECK_OK(chute_conn_of_fd(&p.b, fds[1], NULL));
    return p;
}

TEST(two_given_sockets_are_a_pipe)
{
    struct ends p = new_given_pair();

    CHECK(fcntl(chute_conn_fd(p.a), F_GETFD) & FD_CLOEXEC);
    send_text(p.a, "there");
    check_text(p.b, "there");
    send_text(p.b, "and back");
    check_text(p.a, "and back");
    p.a = chute_conn_free(p.a);
    CHECK_ERR(try_recv(p.b, CHUTE_FOREVER), CHUTE_EOF);
    free_pipe(p);
}

static void *send_a_large_one(void *conn)
{
    CHECK_OK(send_message(conn, MAX_LEN, 1));
    return NULL;
}

TEST(a_large_message_goes_through_given_sockets)
{
    struct ends p = new_given_pair();
    pthread_t thread;

    CHECK_OK(pthread_create(&thread, NULL, send_a_large_one, p.a));
    CHECK_OK(recv_message(p.b, CHUTE_FOREVER));
    CHECK_OK(pthread_join(thread, NULL));
    free_pipe(p);
}

static void check_refused(int fd, int code)
{
    chute_conn *none = NULL;

    CHECK_ERR(chute_conn_of_fd(&none, fd, NULL), code);
    CHECK(!none);
}

TEST(what_is_no_connected_stream_socket_is_refused_and_left_alone)
{
    int fds[2], one;

    check_refused(-1, CHUTE_EINVAL);
    check_refused(99, CHUTE_EINVAL);
    CHECK_OK(pipe(fds));
    check_refused(fds[0], CHUTE_EINVAL);
    close(fds[0]);
    close(fds[1]);
    CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
    check_refused(fds[0], CHUTE_EINVAL);
    CHECK_OK(close(fds[0]));
    close(fds[1]);
    one = socket(AF_UNIX, SOCK_STREAM, 0);
    check_refused(one, -ENOTCONN);
    CHECK_OK(listen(one, 1) == 0 ? -1 : 0); /* it has no address */
    CHECK_OK(close(one));
}

TEST(arguments_are_checked)
{
    struct ends p = new_given_pair();
    chute_conn *none = NULL;
    int fd = chute_conn_fd(p.a);

    CHECK_ERR(chute_conn_of_fd(NULL, fd, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_of_fd(
                  &none, fd,
                  CHUTE_OPTIONS(chute_conn_options, .flags = CHUTE_ONEWAY)),
              CHUTE_EINVAL);
    CHECK_ERR(
        chute_conn_of_fd(&none, fd, &(struct chute_conn_options){.size = 0}),
        CHUTE_EINVAL);
    CHECK(!none);
    free_pipe(p);
}

TEST(if_the_system_refuses_the_socket_is_the_callers)
{
    int fds[2];

    FAULT_LOOP (n) {
        chute_conn *conn = NULL;
        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
        close(fds[1]);
        int r = chute_conn_of_fd(&conn, fds[0], NULL);
        if (r < 0) {
            CHECK(fault_fired());
            CHECK(!conn);
            CHECK_OK(close(fds[0]));
            continue;
        }
        chute_conn_free(conn);
    }
}

/* One end that takes up to 100 bytes, and the socket that sends to it. */
static chute_conn *new_limited(int *ret_fd)
{
    const struct chute_conn_options options = {.size = sizeof options,
                                               .max_message = 100};
    chute_conn *conn;
    int fds[2];

    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    CHECK_OK(chute_conn_of_fd(&conn, fds[0], &options));
    *ret_fd = fds[1];
    return conn;
}

static void check_oversize(const char *bytes, size_t len)
{
    const char whole[104] = {0, 0, 0, 100};
    char buf[200];
    size_t n;
    int fd;
    chute_conn *conn = new_limited(&fd);

    CHECK_EQ(write(fd, whole, sizeof whole), sizeof whole);
    CHECK_OK(chute_conn_recv_bytes(conn, buf, sizeof buf, &n, CHUTE_NOWAIT));
    CHECK_EQ(n, 100);
    /* Byte by byte too: what is known of the header grows. */
    for (size_t i = 0; i + 1 < len; i++) {
        CHECK_EQ(write(fd, bytes + i, 1), 1);
        CHECK_ERR(chute_conn_recv_bytes(conn, buf, sizeof buf, &n, 0),
                  CHUTE_ETIMEDOUT);
    }
    CHECK_EQ(write(fd, bytes + len - 1, 1), 1);
    CHECK_ERR(chute_conn_recv_bytes(conn, buf, sizeof buf, &n, CHUTE_NOWAIT),
              CHUTE_EOVERSIZE);
    CHECK_ERR(chute_conn_recv_bytes(conn, buf, sizeof buf, &n, CHUTE_NOWAIT),
              CHUTE_EPARTIAL);
    chute_conn_free(conn);
    CHECK_OK(close(fd));
}

TEST(more_than_max_message_is_refused_by_its_header)
{
    check_oversize("\0\0\0\145", 4);
    check_oversize("\377\377\377\377\0\0\0\0\0\0\0\145", 12);
    check_oversize("\377\377\377\377\1\0\0\0\0\0\0\0", 12);
}

TEST(a_whole_message_that_is_too_long_is_refused)
{
    const char whole[105] = {0, 0, 0, 101};
    chute_value *v;
    int fd;
    chute_conn *conn = new_limited(&fd);

    CHECK_EQ(write(fd, whole, sizeof whole), sizeof whole);
    CHECK_ERR(chute_conn_recv(conn, &v, CHUTE_NOWAIT), CHUTE_EOVERSIZE);
    CHECK_ERR(chute_conn_recv(conn, &v, CHUTE_NOWAIT), CHUTE_EPARTIAL);
    chute_conn_free(conn);
    CHECK_OK(close(fd));
}
