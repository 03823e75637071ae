/* test-net.c - listeners and clients: addresses, deadlines, crowds, forks. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "chute.h"
#include "chute/net.h"
#include "net-scene.h"
#include "test.h"

/* -- a client in a thread --------------------------------------------------- */

struct client {
    const char *address;
    const struct chute_net_options *options;
    chute_conn *conn;
    int r;
    pthread_t thread;
};

static void *run_client(void *arg)
{
    struct client *client = arg;

    client->r = chute_connect(&client->conn, client->address, client->options,
                              CHUTE_SEC(20));
    return NULL;
}

static void start(struct client *client, chute_listener *l,
                  const struct chute_net_options *options)
{
    *client = (struct client){.address = chute_listener_address(l),
                              .options = options};
    CHECK_OK(pthread_create(&client->thread, NULL, run_client, client));
}

static int finish(struct client *client)
{
    CHECK_OK(pthread_join(client->thread, NULL));
    return client->r;
}

static void talk(chute_conn *a, chute_conn *b)
{
    chute_value *v;

    CHECK_OK(chute_conn_send(a, chute_str("there"), CHUTE_NOWAIT));
    CHECK_OK(chute_conn_recv(b, &v, CHUTE_SEC(5)));
    CHECK_STR(chute_value_str(v), "there");
    CHECK_OK(chute_conn_send(b, v, CHUTE_NOWAIT));
    CHECK_OK(chute_conn_recv(a, &v, CHUTE_SEC(5)));
    chute_value_free(v);
}

static void meet(chute_listener *l, const struct chute_net_options *options)
{
    struct client client;
    chute_conn *conn;

    start(&client, l, options);
    CHECK_OK(chute_listener_accept(l, &conn, CHUTE_SEC(10)));
    CHECK_OK(finish(&client));
    talk(conn, client.conn);
    talk(client.conn, conn);
    chute_conn_free(conn);
    chute_conn_free(client.conn);
}

static void meet_at(const char *address,
                    const struct chute_net_options *options)
{
    chute_listener *l;

    CHECK_OK(chute_listener_new(&l, address, options));
    meet(l, options);
    meet(l, options);
    chute_listener_free(l);
}

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* -- addresses -------------------------------------------------------------- */

TEST(two_meet_at_every_kind_of_address)
{
    char abstract[64];

    snprintf(abstract, sizeof abstract, "unix:@chute-test-%d", (int)getpid());
    for (int keyed = 0; keyed < 2; keyed++) {
        const struct chute_net_options *options = keyed ? &with_key : NULL;
        meet_at(NULL, options);
        meet_at(abstract, options);
        meet_at("tcp:127.0.0.1:0", options);
        meet_at("tcp:localhost:0", options);
    }
}

TEST(two_meet_who_may_be_interrupted)
{
    struct chute_net_options options = with_key;

    options.flags = CHUTE_INTERRUPTIBLE;
    meet_at(NULL, &options);
    meet_at("tcp:127.0.0.1:0", &options);
}

TEST(two_meet_over_ipv6)
{
    int fd = socket(AF_INET6, SOCK_STREAM, 0);

    if (fd < 0)
        SKIP("no IPv6");
    close(fd);
    chute_listener *l;
    int r = chute_listener_new(&l, "tcp:[::1]:0", &with_key);
    if (r == -EADDRNOTAVAIL)
        SKIP("no ::1");
    CHECK_OK(r);
    CHECK(strncmp(chute_listener_address(l), "tcp:[::1]:", 10) == 0);
    meet(l, &with_key);
    chute_listener_free(l);
}

TEST(the_default_place_is_private_and_goes)
{
    chute_listener *l;
    struct stat st;
    char path[ADDRESS_TEXT_MAX];

    CHECK_OK(chute_listener_new(&l, NULL, NULL));
    snprintf(path, sizeof path, "%s", chute_listener_address(l) + 5);
    CHECK(strstr(path, "/pymp-") && strstr(path, "/listener-"));
    CHECK_OK(stat(path, &st));
    *strrchr(path, '/') = '\0';
    CHECK_OK(stat(path, &st));
    CHECK_EQ(st.st_mode & 07777, 0700);
    chute_listener_free(l);
    CHECK_EQ(stat(path, &st), -1);
}

TEST(the_default_place_is_below_tmpdir_if_that_can_be)
{
    char tmp[] = "/tmp/test-net-XXXXXX";
    chute_listener *l;

    CHECK(mkdtemp(tmp));
    CHECK_OK(setenv("TMPDIR", tmp, 1));
    CHECK_OK(chute_listener_new(&l, NULL, NULL));
    CHECK_EQ(strncmp(chute_listener_address(l) + 5, tmp, strlen(tmp)), 0);
    chute_listener_free(l);
    CHECK_OK(rmdir(tmp));

    CHECK_OK(setenv("TMPDIR", "elsewhere", 1));
    CHECK_OK(chute_listener_new(&l, NULL, NULL));
    CHECK_EQ(strncmp(chute_listener_address(l), "unix:/tmp/pymp-", 15), 0);
    chute_listener_free(l);

    char longest[100] = "/";
    memset(longest + 1, 'x', sizeof longest - 2);
    CHECK_OK(setenv("TMPDIR", longest, 1));
    CHECK_ERR(chute_listener_new(&l, NULL, NULL), -ENAMETOOLONG);
}

TEST(a_second_listener_finds_the_address_taken)
{
    chute_listener *l, *other = NULL;

    CHECK_OK(chute_listener_new(&l, NULL, NULL));
    CHECK_ERR(chute_listener_new(&other, chute_listener_address(l), NULL),
              -EADDRINUSE);
    chute_listener_free(l);
    CHECK_OK(chute_listener_new(&l, "tcp:127.0.0.1:0", NULL));
    CHECK_ERR(chute_listener_new(&other, chute_listener_address(l), NULL),
              -EADDRINUSE);
    CHECK(!other);
    chute_listener_free(l);
}

TEST(what_is_no_address_is_refused)
{
    static const char *const texts[] = {
        "",          "/path",       "unix:",     "unix:@",   "tcp:",
        "tcp:host",  "tcp:host:",   "tcp::80",   "tcp:h:x",  "tcp:h:65536",
        "tcp:h:-1",  "tcp:::1:80",  "tcp:[]:80", "udp:h:80", "tcp:h:123456",
        "tcp:[::1]", "tcp:[::1:80",
    };
    char longest[300] = "unix:/";
    chute_listener *l;
    chute_conn *conn;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        CHECK_ERR(chute_listener_new(&l, texts[i], NULL), CHUTE_EINVAL);
        CHECK_ERR(chute_connect(&conn, texts[i], NULL, CHUTE_NOWAIT),
                  CHUTE_EINVAL);
    }
    memset(longest + 6, 'x', 120);
    CHECK_ERR(chute_listener_new(&l, longest, NULL), -ENAMETOOLONG);
    snprintf(longest, sizeof longest, "tcp:%0256d:80", 0);
    CHECK_ERR(chute_listener_new(&l, longest, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_listener_new(&l, "tcp:[fe80::1%nowhere]:80", NULL),
              -EADDRNOTAVAIL);
}

TEST(the_last_accepted_peer_is_known)
{
    chute_listener *l;
    char text[ADDRESS_TEXT_MAX];

    CHECK_OK(chute_listener_new(&l, "tcp:127.0.0.1:0", NULL));
    CHECK_OK(chute_listener_last_accepted(l, text, sizeof text));
    CHECK_STR(text, "");
    meet(l, NULL);
    CHECK_OK(chute_listener_last_accepted(l, text, sizeof text));
    CHECK(strncmp(text, "tcp:127.0.0.1:", 14) == 0);
    CHECK_ERR(chute_listener_last_accepted(l, text, 5), CHUTE_EMSGSIZE);
    CHECK_EQ(stats_of(l).n_accepted, 1);
    chute_listener_free(l);
}

TEST(a_child_does_not_remove_the_path)
{
    chute_listener *l;

    CHECK_OK(chute_listener_new(&l, NULL, &with_key));
    pid_t pid = fork();
    if (pid == 0) {
        chute_listener_free(l);
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    meet(l, &with_key);
    chute_listener_free(l);
}

TEST(nobody_removes_a_path_that_is_anothers)
{
    chute_listener *l, *other;
    char address[ADDRESS_TEXT_MAX];
    struct stat st;

    CHECK_OK(chute_listener_new(&l, NULL, NULL));
    snprintf(address, sizeof address, "%s.2", chute_listener_address(l));
    CHECK_OK(chute_listener_new(&other, address, NULL));
    CHECK_OK(rename(address + 5, chute_listener_address(l) + 5));
    snprintf(address, sizeof address, "%s", chute_listener_address(l));
    chute_listener_free(l);
    CHECK_OK(stat(address + 5, &st));
    chute_listener_free(other); /* has lost its path */
    CHECK_OK(unlink(address + 5));
    *strrchr(address, '/') = '\0';
    CHECK_OK(rmdir(address + 5));
}

/* -- keys ------------------------------------------------------------------- */

TEST(weak_keys_are_meant_or_refused)
{
    struct chute_net_options options = with_key;
    chute_listener *l;

    options.authkey_len = 15;
    CHECK_ERR(chute_listener_new(&l, NULL, &options), CHUTE_EINVAL);
    options.flags = CHUTE_SHORT_KEY;
    meet_at(NULL, &options);
    options.flags = CHUTE_SHORT_KEY | CHUTE_NATIVE;
    CHECK_ERR(chute_listener_new(&l, NULL, &options), CHUTE_EINVAL);
    options.authkey_len = 0;
    options.flags = CHUTE_SHORT_KEY;
    CHECK_ERR(chute_listener_new(&l, NULL, &options), CHUTE_EINVAL);
}

TEST(a_wrong_key_shuts_out_its_owner_alone)
{
    struct chute_net_options wrong = with_key;
    struct client bad;
    chute_listener *l;
    chute_conn *conn;

    wrong.authkey = "another 16 bytes";
    CHECK_OK(chute_listener_new(&l, NULL, &with_key));
    start(&bad, l, &wrong);
    CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_MS(200)), CHUTE_ETIMEDOUT);
    CHECK_ERR(finish(&bad), CHUTE_EAUTH);
    CHECK_EQ(stats_of(l).n_refused, 1);
    CHECK_EQ(stats_of(l).last_refusal, CHUTE_EAUTH);
    meet(l, &with_key);
    chute_listener_free(l);
}

TEST(a_listener_without_a_key_is_not_waited_for)
{
    struct chute_net_options options = with_key;
    chute_listener *l;
    chute_conn *conn;

    options.handshake_timeout_ns = CHUTE_MS(50);
    CHECK_OK(chute_listener_new(&l, NULL, NULL));
    CHECK_ERR(chute_connect(&conn, chute_listener_address(l), &options,
                            CHUTE_FOREVER),
              CHUTE_ETIMEDOUT);
    chute_listener_free(l);
}

TEST(nobody_there_is_an_error)
{
    chute_listener *l;
    chute_conn *conn;
    char address[ADDRESS_TEXT_MAX];

    CHECK_OK(chute_listener_new(&l, "tcp:127.0.0.1:0", NULL));
    snprintf(address, sizeof address, "%s", chute_listener_address(l));
    chute_listener_free(l);
    CHECK_ERR(chute_connect(&conn, address, NULL, CHUTE_SEC(1)), -ECONNREFUSED);
    CHECK_ERR(chute_connect(&conn, "unix:/nonexistent/x", NULL, CHUTE_SEC(1)),
              -ENOENT);
}

TEST(a_full_backlog_is_waited_for_no_longer_than_asked)
{
    struct chute_net_options options = {.size = sizeof options, .backlog = 1};
    chute_listener *l;
    chute_conn *conns[8];
    int n = 0, r;

    CHECK_OK(chute_listener_new(&l, NULL, &options));
    while ((r = chute_connect(&conns[n], chute_listener_address(l), NULL,
                              CHUTE_MS(50))) == 0)
        CHECK(++n < 8);
    CHECK_ERR(r, CHUTE_ETIMEDOUT);
    while (n > 0)
        chute_conn_free(conns[--n]);
    chute_listener_free(l);
}

/* -- the silent and the crowd ----------------------------------------------- */

TEST(a_silent_peer_is_shut_out_in_time)
{
    struct chute_net_options options = with_key;
    chute_listener *l;
    chute_conn *conn;
    char bytes[200];

    options.handshake_timeout_ns = CHUTE_MS(100);
    CHECK_OK(chute_listener_new(&l, NULL, &options));
    int fd = connect_raw(l);
    do /* on a machine that is busy elsewhere the handshake begins late */
        CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_MS(300)),
                  CHUTE_ETIMEDOUT);
    while (stats_of(l).n_refused == 0);
    CHECK_EQ(stats_of(l).last_refusal, CHUTE_ETIMEDOUT);
    CHECK_EQ(read(fd, bytes, sizeof bytes), 63); /* the challenge */
    CHECK_EQ(read(fd, bytes, sizeof bytes), 0);
    CHECK_OK(close(fd));
    chute_listener_free(l);
}

TEST_TIMEOUT(a_thousand_silent_peers_do_not_stop_the_next, 120)
{
    enum { N = 1000 };
    struct rlimit files = {4096, 4096};
    static int fds[N];
    chute_listener *l;
    chute_conn *conn;

    if (setrlimit(RLIMIT_NOFILE, &files) < 0)
        SKIP("too few descriptors allowed");
    CHECK_OK(chute_listener_new(&l, NULL, &with_key));
    for (int i = 0; i < N; i++) {
        fds[i] = connect_raw(l);
        if (i % 64 == 63)
            CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_MS(20)),
                      CHUTE_ETIMEDOUT);
    }
    int64_t begun = now_ns();
    meet(l, &with_key);
    CHECK(now_ns() - begun <
          CHUTE_SEC(5)); /* none of them had to be waited for */
    CHECK(stats_of(l).n_pending <= 256);
    for (int i = 0; i < N; i++)
        close(fds[i]);
    chute_listener_free(l);
}

/* Whether the listener has let go of it. */
static bool is_shut_out(int fd)
{
    char bytes[4096];
    ssize_t n;

    while ((n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        continue;
    return n == 0;
}

TEST(with_max_pending_of_them_the_oldest_goes)
{
    struct chute_net_options few = with_key;
    chute_listener *l;
    chute_conn *conn;
    int fds[3];

    few.max_pending = 2;
    CHECK_OK(chute_listener_new(&l, NULL, &few));
    for (int i = 0; i < 3; i++)
        fds[i] = connect_raw(l);
    CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK_EQ(stats_of(l).n_pending, 2);
    CHECK_EQ(stats_of(l).n_refused, 1);
    CHECK(is_shut_out(fds[0]) && !is_shut_out(fds[1]) && !is_shut_out(fds[2]));
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    chute_listener_free(l);
}

TEST(without_descriptors_the_oldest_goes)
{
    struct rlimit files = {64, 64};
    chute_listener *l;
    chute_conn *conn;
    int status;

    CHECK_OK(chute_listener_new(&l, NULL, &with_key));
    int gate[2];
    CHECK_OK(pipe(gate));
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        close(gate[1]);
        for (int i = 0; i < 100; i++)
            (void)connect_raw(l);
        (void)!read(gate[0], &byte, 1);
        _exit(0);
    }
    struct rlimit before;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &before));
    files.rlim_max = before.rlim_max;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &files));
    CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_MS(500)), CHUTE_ETIMEDOUT);
    CHECK(stats_of(l).n_refused > 0);
    CHECK_EQ(stats_of(l).n_refused + stats_of(l).n_pending, 100);
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &before));
    CHECK_OK(close(gate[1]));
    CHECK_OK(close(gate[0]));
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    meet(l, &with_key);
    chute_listener_free(l);
}

TEST(garbage_is_shut_out)
{
    static const char *const all[] = {"GET / HTTP/1.0\r\n\r\n", "\377\377",
                                      "\0\0\0\020sixteen bytes .."};
    chute_listener *l;
    chute_conn *conn;

    CHECK_OK(chute_listener_new(&l, NULL, &with_key));
    for (size_t i = 0; i < 3; i++) {
        int fd = connect_raw(l);
        CHECK(write(fd, all[i], i == 2 ? 20 : strlen(all[i])) > 0);
        CHECK_OK(shutdown(fd, SHUT_WR));
        CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_MS(50)),
                  CHUTE_ETIMEDOUT);
        CHECK_EQ(stats_of(l).n_refused, i + 1);
        close(fd);
    }
    CHECK_EQ(stats_of(l).last_refusal, CHUTE_EDIGEST);
    meet(l, &with_key);
    chute_listener_free(l);
}

/* A connection made by another user. */
static pid_t connect_as_another(chute_listener *l)
{
    int status;
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK_OK(setuid(4242));
        (void)connect_raw(l);
        CHECK_OK(kill(getpid(), SIGSTOP)); /* and hold it open meanwhile */
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status));
    return pid;
}

static void end_another(pid_t pid)
{
    CHECK_OK(kill(pid, SIGKILL));
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

TEST(another_user_is_shut_out_unless_anybody_may_come)
{
    struct chute_net_options any = with_key;
    char name[64];
    chute_listener *l;
    chute_conn *conn;

    if (geteuid() != 0)
        SKIP("only root can become another user");
    snprintf(name, sizeof name, "unix:@chute-test-%d-other", (int)getpid());
    CHECK_OK(chute_listener_new(&l, name, &with_key));
    pid_t pid = connect_as_another(l);
    CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK_EQ(stats_of(l).n_pending, 0);
    CHECK_EQ(stats_of(l).n_refused, 1);
    CHECK_EQ(stats_of(l).last_refusal, CHUTE_EACCES);
    end_another(pid);
    chute_listener_free(l);

    any.flags = CHUTE_ANY_USER;
    CHECK_OK(chute_listener_new(&l, name, &any));
    pid = connect_as_another(l);
    CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK_EQ(stats_of(l).n_pending, 1);
    end_another(pid);
    chute_listener_free(l);
}

/* Ten thousand attempts of all kinds leave nothing: the harness counts. */
TEST_TIMEOUT(ten_thousand_attempts_leave_nothing, 120)
{
    chute_listener *l;
    chute_conn *conn;

    CHECK_OK(chute_listener_new(&l, NULL, &with_key));
    for (int i = 0; i < 10000; i++) {
        int fd = connect_raw(l);
        size_t n = (size_t)i % 24;
        if (n)
            CHECK_EQ(write(fd, "\0\0\0\024{sha256}xxxxxxxxxxxx", n), n);
        if (i & 1)
            (void)chute_listener_accept(l, &conn, CHUTE_NOWAIT);
        close(fd);
        CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_NOWAIT),
                  CHUTE_ETIMEDOUT);
    }
    (void)chute_listener_accept(l, &conn, CHUTE_MS(10));
    CHECK_EQ(stats_of(l).n_pending, 0);
    CHECK_EQ(stats_of(l).n_refused, 10000);
    chute_listener_free(l);
}

/* -- fork, poll, faults ----------------------------------------------------- */

TEST(a_child_accepts_and_leaves_the_parents_peers_alone)
{
    chute_listener *l;
    chute_conn *conn;
    struct client mine;
    int status;

    CHECK_OK(chute_listener_new(&l, NULL, &with_key));
    int fd = connect_raw(l);
    CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    /* The parent would shut him out for it. */
    CHECK_EQ(write(fd, "\0\0\0\7garbage", 11), 11);
    pid_t pid = fork();
    if (pid == 0) {
        int r = chute_listener_accept(l, &conn, CHUTE_SEC(10));
        if (r == 0)
            r = chute_conn_send(conn, chute_str("child"), CHUTE_SEC(1));
        chute_conn_free(conn);
        chute_listener_free(l);
        _exit(r == 0 ? 0 : 1);
    }
    start(&mine, l, &with_key);
    CHECK_OK(finish(&mine));
    chute_value *v;
    CHECK_OK(chute_conn_recv(mine.conn, &v, CHUTE_SEC(5)));
    chute_value_free(v);
    chute_conn_free(mine.conn);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(stats_of(l).n_pending, 1);
    CHECK_EQ(stats_of(l).n_refused, 0);
    char said[256];
    while ((status = (int)recv(fd, said, sizeof said, MSG_DONTWAIT)) > 0)
        continue;
    CHECK(status < 0 && errno == EAGAIN);
    close(fd);
    chute_listener_free(l);
}

TEST(poll_and_nowait_are_enough)
{
    chute_listener *l;
    chute_conn *conn;
    struct client client;
    int r;

    CHECK_OK(chute_listener_new(&l, NULL, &with_key));
    start(&client, l, &with_key);
    do {
        struct pollfd one = {.fd = chute_listener_fd(l), .events = POLLIN};
        CHECK_EQ(poll(&one, 1, 5000), 1);
        r = chute_listener_accept(l, &conn, CHUTE_NOWAIT);
    } while (r == CHUTE_ETIMEDOUT);
    CHECK_OK(r);
    CHECK_OK(finish(&client));
    talk(conn, client.conn);
    chute_conn_free(conn);
    chute_conn_free(client.conn);
    chute_listener_free(l);
}

/* Somebody who waits by poll alone, with no other reason to wake, shuts a silent
 * peer out in time; and then nothing keeps on waking him. */
TEST(the_descriptor_tells_that_a_handshake_is_over_time)
{
    struct chute_net_options options = with_key;
    struct chute_listener_stats stats = {.size = sizeof stats};
    chute_listener *l;
    chute_conn *conn;

    options.handshake_timeout_ns = CHUTE_MS(100);
    CHECK_OK(chute_listener_new(&l, NULL, &options));
    int first = connect_raw(l), second = -1;
    /* The first is in its handshake before anybody asks for the descriptor. */
    CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_MS(1)), CHUTE_ETIMEDOUT);
    struct pollfd one = {.fd = chute_listener_fd(l), .events = POLLIN};
    for (uint64_t n = 1; n <= 2; n++) {
        do {
            CHECK_EQ(poll(&one, 1, 5000), 1);
            CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_NOWAIT),
                      CHUTE_ETIMEDOUT);
            CHECK_OK(chute_listener_stat(l, &stats));
        } while (stats.n_pending > 0);
        CHECK_EQ(stats.n_refused, n);
        CHECK_EQ(stats.last_refusal, CHUTE_ETIMEDOUT);
        CHECK_EQ(poll(&one, 1, 0), 0);
        if (n == 1)
            second = connect_raw(l);
    }
    CHECK_EQ(one.fd, chute_listener_fd(l));
    close(first);
    close(second);
    chute_listener_free(l);
}

static int64_t cpu_ms(const struct rusage *usage)
{
    return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000 +
           (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1000;
}

/* A timer that has run off must not make an accept that waits spin. */
TEST(accept_does_not_spin_on_the_timer)
{
    struct chute_net_options options = with_key;
    chute_listener *l;
    chute_conn *conn;
    struct rusage before, after;

    options.handshake_timeout_ns = CHUTE_MS(20);
    CHECK_OK(chute_listener_new(&l, NULL, &options));
    CHECK(chute_listener_fd(l) >= 0);
    int fd = connect_raw(l);
    CHECK_OK(getrusage(RUSAGE_SELF, &before));
    CHECK_ERR(chute_listener_accept(l, &conn, CHUTE_MS(1000)), CHUTE_ETIMEDOUT);
    CHECK_OK(getrusage(RUSAGE_SELF, &after));
    CHECK(cpu_ms(&after) - cpu_ms(&before) < 250);
    close(fd);
    chute_listener_free(l);
}

TEST(more_than_max_message_ends_a_direction)
{
    struct chute_net_options options = {.size = sizeof options,
                                        .max_message = 1000};
    chute_listener *l;
    chute_conn *conn;
    struct client client;
    static char bytes[2000];
    size_t len;

    CHECK_OK(chute_listener_new(&l, "tcp:127.0.0.1:0", &options));
    start(&client, l, NULL);
    CHECK_OK(chute_listener_accept(l, &conn, CHUTE_SEC(5)));
    CHECK_OK(finish(&client));
    CHECK_OK(chute_conn_send_bytes(client.conn, bytes, 1001, CHUTE_SEC(1)));
    CHECK_ERR(chute_conn_recv_bytes(conn, bytes, 2000, &len, CHUTE_SEC(1)),
              CHUTE_EOVERSIZE);
    CHECK_OK(chute_conn_send_bytes(conn, bytes, 1001, CHUTE_SEC(1)));
    CHECK_OK(
        chute_conn_recv_bytes(client.conn, bytes, 2000, &len, CHUTE_SEC(1)));
    chute_conn_free(conn);
    chute_conn_free(client.conn);
    chute_listener_free(l);
}

TEST(a_refused_call_leaves_nothing)
{
    FAULT_LOOP (n) {
        chute_listener *l;
        int r = chute_listener_new(&l, NULL, &with_key);
        if (r < 0) {
            CHECK(fault_fired());
            continue;
        }
        int fd = connect_raw(l);
        chute_conn *conn;
        r = chute_listener_accept(l, &conn, CHUTE_NOWAIT);
        CHECK(r == CHUTE_ETIMEDOUT || fault_fired());
        close(fd);
        chute_listener_free(l);
    }
}

TEST(a_refused_client_leaves_nothing)
{
    struct chute_net_options options = with_key;
    chute_listener *l;

    options.handshake_timeout_ns = CHUTE_MS(5);
    CHECK_OK(chute_listener_new(&l, NULL, NULL));
    FAULT_LOOP (n) {
        chute_conn *conn;
        int r =
            chute_connect(&conn, chute_listener_address(l), NULL, CHUTE_SEC(1));
        if (r == 0)
            chute_conn_free(conn);
        else
            CHECK(fault_fired());
        r = chute_connect(&conn, chute_listener_address(l), &options,
                          CHUTE_SEC(1));
        CHECK(r == CHUTE_ETIMEDOUT || fault_fired());
        if (chute_listener_accept(l, &conn, CHUTE_NOWAIT) == 0)
            chute_conn_free(conn);
        if (chute_listener_accept(l, &conn, CHUTE_NOWAIT) == 0)
            chute_conn_free(conn);
    }
    chute_listener_free(l);
}

/* -- other users -------------------------------------------------------------- */

#define NOBODY 65534

/* Connect as nobody; 0, or the code, as an exit status. */
static void connect_as_nobody(chute_listener *l, uint64_t flags)
{
    struct chute_net_options options = with_key;
    chute_conn *conn;

    if (setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) < 0)
        _exit(100);
    options.flags = flags;
    int r =
        chute_connect(&conn, chute_listener_address(l), &options, CHUTE_SEC(5));
    _exit(r == 0              ? 0
          : r == CHUTE_EACCES ? 1
          : r == CHUTE_EOF    ? 2
          : r == CHUTE_EPIPE  ? 3
                              : 99);
}

/* A listener that lets its socket's file be opened by everybody, and a client
 * of another user: its exit status. */
static int meet_nobody(uint64_t ours, uint64_t theirs, int *ret_accepted,
                       struct chute_listener_stats *ret_stats)
{
    struct chute_net_options options = with_key;
    chute_listener *l;
    chute_conn *conn;
    char address[64];
    int status;

    options.flags = ours;
    snprintf(address, sizeof address, "unix:/tmp/chute-nobody-%d",
             (int)getpid());
    CHECK_OK(chute_listener_new(&l, address, &options));
    CHECK_OK(chmod(address + 5, 0666));
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        connect_as_nobody(l, theirs);
    do
        *ret_accepted = chute_listener_accept(l, &conn, CHUTE_MS(20));
    while (*ret_accepted == CHUTE_ETIMEDOUT &&
           waitpid(pid, &status, WNOHANG) == 0);
    if (*ret_accepted == 0) {
        chute_conn_free(conn);
        CHECK_EQ(waitpid(pid, &status, 0), pid);
    }
    *ret_stats = stats_of(l);
    chute_listener_free(l);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

TEST(over_unix_another_user_is_shut_out_unless_he_is_wanted)
{
    struct chute_listener_stats stats;
    int accepted;

    if (geteuid() != 0)
        SKIP("only root can be somebody else");
    /* We are root, whom clients trust: they see that they are not wanted. */
    int status = meet_nobody(0, 0, &accepted, &stats);
    CHECK(status == 2 || status == 3);
    CHECK_ERR(accepted, CHUTE_ETIMEDOUT);
    CHECK_EQ(stats.n_refused, 1);
    CHECK_EQ(stats.last_refusal, CHUTE_EACCES);
    CHECK_EQ(meet_nobody(CHUTE_ANY_USER, 0, &accepted, &stats), 0);
    CHECK_OK(accepted);
}

/* The other way: a listener of nobody's, and we who are root. */
static void listen_as_nobody(const char *address, int ready)
{
    chute_listener *l;
    chute_conn *conn;

    if (setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
        chute_listener_new(&l, address, &with_key) < 0)
        _exit(100);
    if (write(ready, "", 1) != 1)
        _exit(101);
    int r = chute_listener_accept(l, &conn, CHUTE_SEC(20));
    chute_listener_free(l);
    _exit(r == 0 ? 0 : 1);
}

TEST(over_unix_another_users_listener_is_not_talked_to)
{
    chute_conn *conn;
    char address[64], c;
    int ready[2], status;

    if (geteuid() != 0)
        SKIP("only root can be somebody else");
    snprintf(address, sizeof address, "unix:/tmp/chute-nobody-%d",
             (int)getpid());
    CHECK_OK(pipe(ready));
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        listen_as_nobody(address, ready[1]);
    CHECK_EQ(read(ready[0], &c, 1), 1);
    struct chute_net_options options = with_key;
    CHECK_ERR(chute_connect(&conn, address, &options, CHUTE_SEC(5)),
              CHUTE_EACCES);
    options.flags = CHUTE_ANY_USER;
    CHECK_OK(chute_connect(&conn, address, &options, CHUTE_SEC(5)));
    chute_conn_free(conn);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    close(ready[0]);
    close(ready[1]);
}

/* -- a full TCP buffer ------------------------------------------------------- */

struct tcp_pair {
    chute_conn *a, *b;
};

static struct tcp_pair tcp_pair(void)
{
    struct tcp_pair pair;
    struct client client;
    chute_listener *l;

    CHECK_OK(chute_listener_new(&l, "tcp:127.0.0.1:0", NULL));
    start(&client, l, NULL);
    CHECK_OK(chute_listener_accept(l, &pair.a, CHUTE_SEC(5)));
    CHECK_OK(finish(&client));
    pair.b = client.conn;
    chute_listener_free(l);
    return pair;
}

/* Messages of this length until no more goes; how many went. */
static uint32_t fill_up(chute_conn *conn, size_t len, int64_t timeout_ns)
{
    static char bytes[100000];
    uint32_t n = 0;
    int r;

    for (;; n++) {
        memcpy(bytes, &n, sizeof n);
        r = chute_conn_send_bytes(conn, bytes, len, timeout_ns);
        if (r < 0)
            break;
    }
    CHECK_ERR(r, CHUTE_ETIMEDOUT);
    return n;
}

static void drain(chute_conn *conn, size_t len, uint32_t n)
{
    static char bytes[100000];
    uint32_t got;
    size_t got_len;

    for (uint32_t i = 0; i < n; i++) {
        CHECK_OK(chute_conn_recv_bytes(conn, bytes, sizeof bytes, &got_len,
                                       CHUTE_SEC(10)));
        memcpy(&got, bytes, sizeof got);
        CHECK_EQ(got_len, len);
        CHECK_EQ(got, i);
    }
}

TEST(nowait_into_a_full_tcp_buffer_leaves_the_stream_whole)
{
    static const size_t lens[] = {1000, 5000};

    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        struct tcp_pair pair = tcp_pair();
        for (int round = 0; round < 2; round++) {
            uint32_t n = fill_up(pair.a, lens[i], CHUTE_NOWAIT);
            CHECK(n > 0);
            drain(pair.b, lens[i], n);
        }
        /* And the other way, while this one is full. */
        uint32_t n = fill_up(pair.a, lens[i], CHUTE_NOWAIT);
        CHECK_OK(chute_conn_send_bytes(pair.b, "back", 4, CHUTE_NOWAIT));
        drain(pair.b, lens[i], n);
        chute_conn_free(pair.a);
        CHECK_EQ(chute_conn_poll(pair.b, CHUTE_SEC(5)), 1);
        chute_conn_free(pair.b);
    }
}

/* Whatever the timeout finds: the message has gone not at all, or in part; then
 * the stream is over, and both sides are told so after what was whole. */
TEST(a_timeout_into_a_full_tcp_buffer_is_nothing_or_the_end)
{
    static char bytes[100000];
    size_t len;

    for (size_t want = 1000; want <= sizeof bytes; want *= 10) {
        struct tcp_pair pair = tcp_pair();
        uint32_t n = 0;
        int r;
        do {
            memcpy(bytes, &n, sizeof n);
            r = chute_conn_send_bytes(pair.a, bytes, want, CHUTE_MS(20));
        } while (r == 0 && ++n);
        CHECK(r == CHUTE_ETIMEDOUT || r == CHUTE_EPARTIAL);
        CHECK(n > 0);
        if (r == CHUTE_EPARTIAL)
            CHECK_ERR(chute_conn_send_bytes(pair.a, "x", 1, CHUTE_NOWAIT),
                      CHUTE_EPARTIAL);
        drain(pair.b, want, n);
        if (r == CHUTE_ETIMEDOUT)
            CHECK_OK(chute_conn_send_bytes(pair.a, "on", 2, CHUTE_SEC(1)));
        CHECK_ERR(chute_conn_recv_bytes(pair.b, bytes, sizeof bytes, &len,
                                        CHUTE_SEC(10)),
                  r == CHUTE_ETIMEDOUT ? 0 : CHUTE_EPARTIAL);
        chute_conn_free(pair.a);
        chute_conn_free(pair.b);
    }
}
