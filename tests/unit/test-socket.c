/* test-socket.c - src/net/socket.c: time, and what waits or does not fit. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chute/common.h"
#include "chute/error.h"
#include "net/socket.h"
#include "test.h"

static struct address at(const char *text)
{
    struct address addresses[ADDRESSES_MAX];

    CHECK_EQ(address_parse(text, addresses), 1);
    return addresses[0];
}

static int64_t in(int64_t ns)
{
    int64_t deadline;

    CHECK_OK(socket_deadline(ns, &deadline));
    return deadline;
}

/* -- time ------------------------------------------------------------------- */

TEST(a_deadline_is_some_time_from_now_or_never)
{
    int64_t deadline = 5, before = socket_now();

    CHECK_ERR(socket_deadline(-2, &deadline), CHUTE_EINVAL);
    CHECK_EQ(deadline, 5);
    CHECK_OK(socket_deadline(-1, &deadline));
    CHECK_EQ(deadline, SOCKET_NEVER);
    CHECK_OK(socket_deadline(INT64_MAX, &deadline));
    CHECK_EQ(deadline, SOCKET_NEVER);
    CHECK_OK(socket_deadline(1000, &deadline));
    CHECK(deadline >= before + 1000 && deadline <= socket_now() + 1000);
}

/* Hours, and more than poll(2) can be told of. */
TEST(what_is_there_is_seen_at_once_whatever_the_deadline)
{
    static const int64_t timeouts[] = {CHUTE_SEC(3), CHUTE_SEC(7200),
                                       CHUTE_SEC(100000000), -1};
    int fds[2];

    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    CHECK_ERR(socket_wait(fds[0], in(0)), -ETIMEDOUT);
    CHECK_ERR(socket_wait(fds[0], in(CHUTE_MS(2))), -ETIMEDOUT);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++)
        CHECK_OK(socket_wait(fds[0], in(timeouts[i])));
    close(fds[0]);
    close(fds[1]);
}

/* -- who connects, and has to wait for it ------------------------------------ */

/* A listener whose backlog is full: nobody accepts. */
struct full {
    struct address address;
    int fd, first;
};

static struct full full_listener(const char *text)
{
    struct address where = at(text);
    struct full full;

    CHECK_OK(socket_listen(&where, 0, &full.fd, &full.address));
    CHECK_OK(socket_connect(&full.address, SOCKET_NEVER, false, &full.first));
    return full;
}

static void full_end(struct full *full)
{
    socket_close(full->first);
    socket_close(full->fd);
}

static const char *const places[] = {"unix:@chute-test-socket",
                                     "tcp:127.0.0.1:0"};

TEST(a_full_backlog_is_waited_for_until_the_deadline)
{
    for (int i = 0; i < 2; i++) {
        struct full full = full_listener(places[i]);
        int fd = -1;
        CHECK_ERR(socket_connect(&full.address, in(CHUTE_MS(30)), false, &fd),
                  -ETIMEDOUT);
        CHECK_ERR(socket_connect(&full.address, in(0), false, &fd), -ETIMEDOUT);
        CHECK_EQ(fd, -1);
        full_end(&full);
    }
}

static void nothing(int signal)
{
    (void)signal;
}

/* Signals for one thread, until it has seen enough of them. */
struct pest {
    pthread_t whom, thread;
    atomic_bool over;
};

static void *pester(void *arg)
{
    struct pest *pest = arg;
    const struct timespec pause = {.tv_nsec = 2000000};

    while (!atomic_load(&pest->over)) {
        nanosleep(&pause, NULL);
        CHECK_OK(pthread_kill(pest->whom, SIGUSR1));
    }
    return NULL;
}

static void begin_pest(struct pest *pest)
{
    struct sigaction action = {.sa_handler = nothing};

    CHECK_OK(sigaction(SIGUSR1, &action, NULL));
    pest->whom = pthread_self();
    atomic_init(&pest->over, false);
    CHECK_OK(pthread_create(&pest->thread, NULL, pester, pest));
}

static void end_pest(struct pest *pest)
{
    atomic_store(&pest->over, true);
    CHECK_OK(pthread_join(pest->thread, NULL));
}

TEST(a_signal_ends_who_connects_only_if_that_is_wanted)
{
    for (int i = 0; i < 2; i++) {
        struct full full = full_listener(places[i]);
        struct pest pest;
        int fd = -1;
        begin_pest(&pest);
        CHECK_ERR(socket_connect(&full.address, SOCKET_NEVER, true, &fd),
                  -EINTR);
        CHECK_ERR(socket_connect(&full.address, in(CHUTE_MS(50)), false, &fd),
                  -ETIMEDOUT);
        CHECK_EQ(fd, -1);
        end_pest(&pest);
        full_end(&full);
    }
}

static void *close_soon(void *arg)
{
    const struct timespec pause = {.tv_nsec = 50000000};

    nanosleep(&pause, NULL);
    socket_close(*(int *)arg);
    return NULL;
}

/* TCP asks again after a second, and is told then. */
TEST(who_waits_is_told_that_the_listener_has_gone)
{
    struct full full = full_listener("tcp:127.0.0.1:0");
    pthread_t thread;
    int fd = -1;

    CHECK_OK(pthread_create(&thread, NULL, close_soon, &full.fd));
    CHECK_ERR(socket_connect(&full.address, in(CHUTE_SEC(20)), false, &fd),
              -ECONNREFUSED);
    CHECK_EQ(fd, -1);
    CHECK_OK(pthread_join(thread, NULL));
    socket_close(full.first);
}

/* -- bytes ------------------------------------------------------------------- */

TEST(all_is_sent_or_it_is_an_error)
{
    static char bytes[1 << 20];
    int fds[2];

    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    CHECK_OK(socket_send_all(fds[0], "", 0));
    CHECK_OK(socket_send_all(fds[0], "x", 1));
    CHECK_ERR(socket_send_all(fds[0], bytes, sizeof bytes),
              -EPIPE); /* a part */
    int r;
    while ((r = socket_send_all(fds[0], "x", 1)) == 0)
        continue;
    CHECK_ERR(r, -EPIPE); /* nothing at all */
    CHECK_EQ(socket_recv(fds[1], bytes, 4), 4);
    CHECK_ERR(socket_recv(fds[0], bytes, 4), -EAGAIN);
    close(fds[1]);
    CHECK_ERR(socket_send_all(fds[0], "x", 1), -EPIPE);
    CHECK_ERR(socket_send_all(-1, "x", 1), -EBADF);
    CHECK_ERR(socket_recv(-1, bytes, 1), -EBADF);
    close(fds[0]);
}

TEST(a_peer_of_the_same_user_is_let_in_and_over_tcp_anybody)
{
    int fds[2];

    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    CHECK_OK(socket_check_user(fds[0]));
    close(fds[0]);
    close(fds[1]);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK_OK(socket_check_user(fd));
    close(fd);
    CHECK_ERR(socket_check_user(-1), -EBADF);
    socket_close(-1);
}

/* -- a set ------------------------------------------------------------------- */

TEST(a_set_tells_who_can_receive)
{
    void *what[SOCKET_EVENTS];
    int set, timer, fds[2];

    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    CHECK_OK(set_new(&set));
    CHECK_OK(set_timer_new(&timer));
    CHECK_OK(set_add(set, fds[0], fds));
    CHECK_ERR(set_add(set, fds[0], fds), -EEXIST);
    CHECK_OK(set_add(set, timer, &timer));
    CHECK_EQ(set_wait(set, what, in(CHUTE_MS(2))), 0);
    set_timer(timer, in(CHUTE_MS(1)));
    CHECK_EQ(set_wait(set, what, SOCKET_NEVER), 1);
    CHECK_EQ(what[0], (void *)&timer);
    set_timer(timer, SOCKET_NEVER);
    CHECK_EQ(set_wait(set, what, 0), 0);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(set_wait(set, what, in(CHUTE_SEC(7200))), 1);
    CHECK_EQ(what[0], (void *)fds);
    CHECK_OK(set_remove(set, fds[0]));
    CHECK_ERR(set_remove(set, fds[0]), -ENOENT);
    close(fds[0]);
    close(fds[1]);
    socket_close(timer);
    socket_close(set);
}
