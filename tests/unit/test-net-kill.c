/* test-net-kill.c - a peer is killed at every system call of its life.
 *
 * A client connects, authenticates, sends, receives and leaves; a tracer counts
 * its system calls, and kills it at the n-th stop (each call has two, before and
 * after), for n = 1, 2, ... until it comes to its end. Whatever happens to it,
 * the listener goes on: it gives a connection or shuts the peer out, and what
 * was given ends. The same with the roles exchanged, and over TCP. No call takes
 * longer than its deadline, and no round leaves a descriptor.
 *
 * Once through all stops is what `make check` does; $CHUTE_TEST_OPS says how
 * many kills there are to be at least (make torture-net: 10000 in each test).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "chute.h"
#include "chute/net.h"
#include "test.h"

static const struct chute_net_options options = {.size = sizeof options,
                                                 .authkey = "a key of 16 byte",
                                                 .authkey_len = 16,
                                                 .handshake_timeout_ns =
                                                     CHUTE_MS(500)};

__attribute__((constructor)) static void warm_up(void)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len;

    HMAC(EVP_sha256(), "k", 1, mac, 0, mac, &len);
}

struct victim {
    chute_listener *listener;
    sem_t is_born;
    bool (*live)(chute_listener *);   /* whether all was said */
    int n_stops;                      /* killed at this one, */
    enum { KILLED, ENDED, LEFT } end; /* or it came to its end, or gave up */
};

/* Its whole life, from the thread that traces it. */
static void *trace(void *arg)
{
    struct victim *v = arg;
    int status;
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid != 0)
        sem_post(&v->is_born);
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        _exit(v->live(v->listener) ? 0 : 1);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    for (int i = 0; i < v->n_stops; i++) {
        CHECK(ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0);
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        if (!WIFSTOPPED(status)) {
            v->end = status == 0 ? ENDED : LEFT;
            return NULL;
        }
    }
    v->end = KILLED;
    CHECK_OK(kill(pid, SIGKILL));
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return NULL;
}

#define LONG_LEN 100000

/* A hang is one that lasts. A machine that is kept busy stands still for less. */
#define HANGS CHUTE_SEC(40)

/* Two questions and two answers, short and long; which of the two ends first is
 * not said. Nobody waits for one who is dead. */
static bool talk(chute_conn *conn, bool asks)
{
    static char bytes[LONG_LEN];
    size_t len;

    for (int i = 0; i < 4; i++) {
        size_t want = i < 2 ? 10 : LONG_LEN;
        int r = (i % 2 == 0) == asks
                    ? chute_conn_send_bytes(conn, bytes, want, HANGS)
                    : chute_conn_recv_bytes(conn, bytes, LONG_LEN, &len, HANGS);
        CHECK(r != CHUTE_ETIMEDOUT);
        if (r < 0) {
            chute_conn_free(conn);
            return false;
        }
    }
    chute_conn_free(conn);
    return true;
}

static bool live_as_client(chute_listener *l)
{
    chute_conn *conn;

    return chute_connect(&conn, chute_listener_address(l), &options,
                         CHUTE_SEC(1)) == 0 &&
           talk(conn, true);
}

static bool live_as_server(chute_listener *l)
{
    chute_conn *conn;
    bool said =
        chute_listener_accept(l, &conn, CHUTE_SEC(1)) == 0 && talk(conn, false);

    chute_listener_free(l);
    return said;
}

/* What the survivor waits for somebody who may be dead. The victim is traced,
 * which takes its time. */
static int64_t patience_ms = 40;

static void meet_client(chute_listener *l)
{
    chute_conn *conn;
    int r = chute_listener_accept(l, &conn, CHUTE_MS(patience_ms));

    CHECK(r == 0 || r == CHUTE_ETIMEDOUT);
    if (r == 0)
        (void)talk(conn, false);
}

/* The parent holds the listening socket as well: a connection that nobody
 * accepts any more costs the client its own deadline, and no more. */
static void meet_server(chute_listener *l)
{
    chute_conn *conn;
    int r = chute_connect(&conn, chute_listener_address(l), &options,
                          CHUTE_MS(3 * patience_ms));

    CHECK(r == 0 || r == CHUTE_ETIMEDOUT || r == CHUTE_EOF);
    if (r == 0)
        (void)talk(conn, true);
    /* What the dead one left in the backlog. */
    if (chute_listener_accept(l, &conn, CHUTE_NOWAIT) == 0)
        chute_conn_free(conn);
}

static int n_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    CHECK(dir != NULL);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* One life and its end. */
static void kill_at(struct victim *v, void (*meet)(chute_listener *))
{
    struct timespec begun, over;
    pthread_t thread;

    clock_gettime(CLOCK_MONOTONIC, &begun);
    CHECK_OK(sem_init(&v->is_born, 0, 0));
    CHECK_OK(pthread_create(&thread, NULL, trace, v));
    /* Not in the middle of malloc(3): an allocator that does not know of fork, a
     * sanitizer's, would leave the child a lock that nobody opens. */
    CHECK_OK(sem_wait(&v->is_born));
    meet(v->listener);
    CHECK_OK(pthread_join(thread, NULL));
    clock_gettime(CLOCK_MONOTONIC, &over);
    /* All deadlines together are far less, and that they were met each call has
     * said; but a busy machine may stand still for seconds. */
    CHECK(over.tv_sec - begun.tv_sec < 60);
}

static void kill_everywhere(const char *address, bool (*live)(chute_listener *),
                            void (*meet)(chute_listener *))
{
    const char *given = getenv("CHUTE_TEST_OPS");
    long n_rounds = given ? atol(given) : 0;
    struct chute_listener_stats stats = {.size = sizeof stats};
    struct victim v = {.live = live, .n_stops = 1};
    chute_listener *l;
    int before = 0;

    CHECK_OK(chute_listener_new(&l, address, &options));
    v.listener = l;
    for (long round = 0, n_lives = 0; n_lives == 0 || round < n_rounds;
         round++) {
        kill_at(&v, meet);
        CHECK(v.n_stops < 2000);
        CHECK(v.end != ENDED || v.n_stops > 30);
        n_lives += v.end == ENDED;
        if (v.end == LEFT && patience_ms < 2000)
            patience_ms *= 2; /* a busy machine: once more */
        else
            v.n_stops = v.end == ENDED ? 1 : v.n_stops + 1;
        if (v.end == ENDED && patience_ms > 40)
            patience_ms /= 2;
        /* One who is in his handshake still has a descriptor. */
        CHECK_OK(chute_listener_stat(l, &stats));
        int now = n_descriptors() - (int)stats.n_pending;
        if (round == 0)
            before = now;
        CHECK_EQ(now, before);
    }
    chute_listener_free(l);
}

TEST_TIMEOUT(a_client_killed_at_every_system_call, 200)
{
    kill_everywhere(NULL, live_as_client, meet_client);
}

TEST_TIMEOUT(a_server_killed_at_every_system_call, 200)
{
    kill_everywhere(NULL, live_as_server, meet_server);
}

TEST_TIMEOUT(a_client_killed_at_every_system_call_over_tcp, 200)
{
    kill_everywhere("tcp:127.0.0.1:0", live_as_client, meet_client);
}

TEST_TIMEOUT(a_server_killed_at_every_system_call_over_tcp, 200)
{
    kill_everywhere("tcp:127.0.0.1:0", live_as_server, meet_server);
}
