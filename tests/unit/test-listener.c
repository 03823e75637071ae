/* test-listener.c - src/net/listener.c: what is refused, threads that take
 * turns, signals, peers that leave. Who meets whom is in test-net.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chute.h"
#include "chute/net.h"
#include "net-scene.h"
#include "test.h"

static chute_listener *listener(const char *address,
                                const struct chute_net_options *options)
{
    chute_listener *l;

    CHECK_OK(chute_listener_new(&l, address, options));
    return l;
}

/* -- what cannot be meant ---------------------------------------------------- */

TEST(what_is_missing_is_refused)
{
    struct chute_listener_stats stats = {.size = sizeof stats};
    chute_listener *l = listener(NULL, NULL);
    chute_conn *conn;
    char text[8];

    CHECK_ERR(chute_listener_new(NULL, NULL, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_listener_accept(NULL, &conn, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_listener_accept(l, NULL, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_listener_accept(l, &conn, -2), CHUTE_EINVAL);
    CHECK_STR(chute_listener_address(NULL), "");
    CHECK_ERR(chute_listener_last_accepted(NULL, text, 8), CHUTE_EINVAL);
    CHECK_ERR(chute_listener_last_accepted(l, NULL, 8), CHUTE_EINVAL);
    CHECK_ERR(chute_listener_last_accepted(l, NULL, 0), CHUTE_EMSGSIZE);
    CHECK_ERR(chute_listener_fd(NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_listener_stat(NULL, &stats), CHUTE_EINVAL);
    CHECK_ERR(chute_listener_stat(l, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_connect(NULL, chute_listener_address(l), NULL, 0),
              CHUTE_EINVAL);
    CHECK_ERR(chute_connect(&conn, NULL, NULL, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_connect(&conn, chute_listener_address(l), NULL, -2),
              CHUTE_EINVAL);
    CHECK(!chute_listener_free(NULL));
    chute_listener_free(l);
}

TEST(figures_are_given_as_far_as_there_is_place)
{
    struct chute_listener_stats stats = {.size = 4, .n_accepted = 7};
    struct {
        struct chute_listener_stats stats;
        uint64_t more;
    } longer = {.stats.size = sizeof longer, .more = 7};
    chute_listener *l = listener(NULL, NULL);

    CHECK_ERR(chute_listener_stat(l, &stats), CHUTE_EINVAL);
    stats.size = sizeof stats.size;
    CHECK_OK(chute_listener_stat(l, &stats));
    CHECK_EQ(stats.n_accepted, 7);
    CHECK_OK(chute_listener_stat(l, &longer.stats));
    CHECK_EQ(longer.stats.n_accepted, 0);
    CHECK_EQ(longer.more, 7);
    chute_listener_free(l);
}

TEST(options_that_cannot_be_meant_are_refused)
{
    static char key[65537];
    const struct chute_net_options bad[] = {
        {.size = 8},
        {.size = sizeof *bad, .flags = UINT64_C(1) << 63},
        {.size = sizeof *bad, .handshake_timeout_ns = -1},
        {.size = sizeof *bad, .backlog = (uint64_t)INT_MAX + 1},
        {.size = sizeof *bad, .authkey_len = 16},
        {.size = sizeof *bad, .flags = CHUTE_NATIVE},
        {.size = sizeof *bad, .authkey = key},
        {.size = sizeof *bad, .authkey = key, .authkey_len = sizeof key},
        {.size = sizeof *bad, .authkey = key, .authkey_len = 15},
    };
    chute_listener *l;
    chute_conn *conn;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_ERR(chute_listener_new(&l, NULL, &bad[i]), CHUTE_EINVAL);
        CHECK_ERR(chute_connect(&conn, "unix:/nowhere", &bad[i], 0),
                  CHUTE_EINVAL);
    }
}

/* -- threads ----------------------------------------------------------------- */

struct acceptor {
    chute_listener *l;
    chute_conn *conn;
    pthread_t thread;
    _Atomic int r;
};

static void *run_acceptor(void *arg)
{
    struct acceptor *a = arg;

    a->r = chute_listener_accept(a->l, &a->conn, CHUTE_FOREVER);
    return NULL;
}

static void start(struct acceptor *a, chute_listener *l)
{
    *a = (struct acceptor){.l = l, .r = 1};
    CHECK_OK(pthread_create(&a->thread, NULL, run_acceptor, a));
}

/* Until another thread is in accept: then there is no turn for this one. */
static void wait_till_taken(chute_listener *l)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    chute_conn *conn;

    CHECK_OK(nanosleep(&pause, NULL));
    CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_MS(5)), CHUTE_ETIMEDOUT);
}

TEST(threads_take_turns_and_each_has_his_peer)
{
    chute_listener *l = listener(NULL, NULL);
    struct acceptor a[3];
    int fds[3];

    for (int i = 0; i < 3; i++)
        start(&a[i], l);
    wait_till_taken(l);
    int fd = chute_listener_fd(l); /* which waits for nobody */
    CHECK(fd >= 0);
    CHECK_EQ(fd, chute_listener_fd(l));
    for (int i = 0; i < 3; i++)
        fds[i] = connect_raw(l);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(pthread_join(a[i].thread, NULL));
        CHECK_OK(a[i].r);
        chute_conn_free(a[i].conn);
        close(fds[i]);
    }
    CHECK_EQ(stats_of(l).n_accepted, 3);
    chute_listener_free(l);
}

/* -- signals ----------------------------------------------------------------- */

static void nothing(int signal)
{
    (void)signal;
}

TEST(a_signal_ends_accept_only_if_that_is_wanted)
{
    struct chute_net_options options = {.size = sizeof options,
                                        .flags = CHUTE_INTERRUPTIBLE};
    const struct timespec pause = {.tv_nsec = 2000000};
    struct sigaction action = {.sa_handler = nothing};
    struct acceptor a;

    CHECK_OK(sigaction(SIGUSR1, &action, NULL));
    chute_listener *l = listener(NULL, &options);
    start(&a, l);
    do {
        CHECK_OK(pthread_kill(a.thread, SIGUSR1));
        CHECK_OK(nanosleep(&pause, NULL));
    } while (a.r == 1);
    CHECK_OK(pthread_join(a.thread, NULL));
    CHECK_ERR(a.r, CHUTE_EINTR);
    chute_listener_free(l);

    l = listener(NULL, NULL);
    start(&a, l);
    for (int i = 0; i < 20; i++) {
        CHECK_OK(pthread_kill(a.thread, SIGUSR1));
        CHECK_OK(nanosleep(&pause, NULL));
    }
    CHECK_EQ(a.r, 1);
    int fd = connect_raw(l);
    CHECK_OK(pthread_join(a.thread, NULL));
    CHECK_OK(a.r);
    chute_conn_free(a.conn);
    close(fd);
    chute_listener_free(l);
}

/* -- peers that leave -------------------------------------------------------- */

static void connect_and_reset(chute_listener *l)
{
    struct linger at_once = {.l_onoff = 1};
    int fd = connect_raw(l);

    CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
    CHECK_OK(close(fd));
}

TEST(a_peer_that_has_left_is_none)
{
    chute_listener *l = listener("tcp:127.0.0.1:0", NULL);
    chute_conn *conn;

    connect_and_reset(l);
    CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_MS(20)), CHUTE_ETIMEDOUT);
    CHECK_EQ(stats_of(l).n_accepted, 0);
    CHECK_EQ(stats_of(l).n_refused, 1);
    CHECK_EQ(stats_of(l).last_refusal, CHUTE_EPIPE);
    chute_listener_free(l);
    l = listener("tcp:127.0.0.1:0", &with_key);
    connect_and_reset(l);
    CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_MS(20)), CHUTE_ETIMEDOUT);
    CHECK_EQ(stats_of(l).n_pending, 0);
    CHECK_EQ(stats_of(l).n_refused, 1);
    chute_listener_free(l);
}

/* They are struck out wherever they stand in the list. */
TEST(peers_leave_in_any_order)
{
    static const int orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}};
    chute_listener *l = listener(NULL, &with_key);
    chute_conn *conn;
    uint64_t n_refused = 0;

    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        int fds[3];
        for (int k = 0; k < 3; k++) {
            fds[k] = connect_raw(l);
            CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_NOWAIT),
                      CHUTE_ETIMEDOUT);
        }
        CHECK_EQ(stats_of(l).n_pending, 3);
        for (int k = 0; k < 3; k++) {
            close(fds[orders[i][k]]);
            CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_NOWAIT),
                      CHUTE_ETIMEDOUT);
            CHECK_EQ(stats_of(l).n_pending, 2 - k);
            CHECK_EQ(stats_of(l).n_refused, ++n_refused);
        }
    }
    chute_listener_free(l);
}

/* -- descriptors ------------------------------------------------------------- */

/* The lowest number that would be free, so that a limit can be set to it. */
static int next_fd(void)
{
    int fd = dup(0);

    CHECK(fd >= 0);
    CHECK_OK(close(fd));
    return fd;
}

/* Who is through needs more descriptors than he had in the handshake: a silent
 * one gives his. */
TEST(the_silent_give_their_descriptors_to_who_is_through)
{
    chute_listener *l = listener(NULL, &with_key);
    struct rlimit before, files;
    chute_conn *conn;
    int status, silent = connect_raw(l), gate[2];
    char c;

    CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK_OK(pipe(gate));
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close(gate[1]);
        int r = chute_connect(&conn, chute_listener_address(l), &with_key,
                              CHUTE_SEC(20));
        CHECK_EQ(read(gate[0], &c, 1), 0);
        chute_conn_free(r == 0 ? conn : NULL);
        _exit(r == 0 ? 0 : 1);
    }
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &before));
    files = before;
    files.rlim_cur = (rlim_t)next_fd() + 1; /* for his socket */
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &files));
    int r = chute_listener_accept(l, &conn, CHUTE_SEC(20));
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &before));
    CHECK_OK(r);
    CHECK_EQ(stats_of(l).n_refused, 1);
    CHECK_EQ(stats_of(l).last_refusal, CHUTE_EAGAIN);
    close(gate[0]);
    close(gate[1]);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    chute_conn_free(conn);
    close(silent);
    chute_listener_free(l);
}

/* With nobody in a handshake there is nobody to give one: that is an error. */
TEST(no_descriptor_for_the_first_peer_is_an_error)
{
    chute_listener *l = listener(NULL, &with_key);
    struct rlimit before, files;
    chute_conn *conn;
    int fd = connect_raw(l);

    CHECK_OK(getrlimit(RLIMIT_NOFILE, &before));
    files = before;
    files.rlim_cur = (rlim_t)next_fd();
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &files));
    CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_NOWAIT), -EMFILE);
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &before));
    CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK_EQ(stats_of(l).n_pending, 1);
    close(fd);
    chute_listener_free(l);
}

/* -- a child ----------------------------------------------------------------- */

TEST(a_child_has_figures_and_a_descriptor_of_its_own)
{
    chute_listener *l = listener(NULL, &with_key);
    chute_conn *conn;
    int status, fd = connect_raw(l);

    CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    int set = chute_listener_fd(l);
    CHECK(set >= 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK_EQ(stats_of(l).n_pending, 0);
        struct pollfd own = {.fd = chute_listener_fd(l), .events = POLLIN};
        CHECK(own.fd >= 0);
        CHECK_EQ(poll(&own, 1, 0), 0);
        int other = connect_raw(l);
        CHECK_EQ(poll(&own, 1, 5000), 1);
        close(other);
        chute_listener_free(l);
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(stats_of(l).n_pending, 1);
    CHECK_EQ(set, chute_listener_fd(l));
    close(fd);
    chute_listener_free(l);
}
