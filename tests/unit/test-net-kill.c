/* test-net-kill.c - a peer is killed at every system call of its life.
 *
 * A client connects, authenticates, sends, receives and leaves; a tracer counts
 * its system calls, and kills it at the n-th stop (each call has two, before and
 * after), for n = 1, 2, ... until it comes to its end. Whatever happens to it,
 * the listener goes on: it gives a connection or shuts the peer out, and what
 * was given ends. The same with the roles exchanged.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
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
    void (*live)(chute_listener *);
    int n_stops; /* killed at this one */
    bool ended;  /* it came to its end before */
};

/* Its whole life, from the thread that traces it. */
static void *trace(void *arg)
{
    struct victim *v = arg;
    int status;
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        v->live(v->listener);
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    for (int i = 0; i < v->n_stops; i++) {
        CHECK(ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0);
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        if (!WIFSTOPPED(status)) {
            v->ended = true;
            return NULL;
        }
    }
    CHECK_OK(kill(pid, SIGKILL));
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return NULL;
}

/* A question and an answer; which of the two ends first is not said. */
static void talk(chute_conn *conn, bool asks)
{
    static char bytes[100000];
    size_t len;

    for (int i = 0; i < 2; i++) {
        int r =
            (i == 0) == asks
                ? chute_conn_send_bytes(conn, bytes, sizeof bytes, CHUTE_SEC(5))
                : chute_conn_recv_bytes(conn, bytes, sizeof bytes, &len,
                                        CHUTE_SEC(5));
        CHECK(r != CHUTE_ETIMEDOUT);
        if (r < 0)
            break;
    }
    chute_conn_free(conn);
}

static void live_as_client(chute_listener *l)
{
    chute_conn *conn;

    if (chute_connect(&conn, chute_listener_address(l), &options,
                      CHUTE_SEC(5)) == 0)
        talk(conn, true);
}

static void live_as_server(chute_listener *l)
{
    chute_conn *conn;

    if (chute_listener_accept(l, &conn, CHUTE_SEC(5)) == 0)
        talk(conn, false);
    chute_listener_free(l);
}

static void meet_client(chute_listener *l)
{
    chute_conn *conn;
    int r = chute_listener_accept(l, &conn, CHUTE_MS(40));

    CHECK(r == 0 || r == CHUTE_ETIMEDOUT);
    if (r == 0)
        talk(conn, false);
}

/* The parent holds the listening socket as well: a connection that nobody
 * accepts any more costs the client its own deadline, and no more. */
static void meet_server(chute_listener *l)
{
    chute_conn *conn;
    int r = chute_connect(&conn, chute_listener_address(l), &options,
                          CHUTE_MS(150));

    CHECK(r == 0 || r == CHUTE_ETIMEDOUT || r == CHUTE_EOF);
    if (r == 0)
        talk(conn, true);
    /* What the dead one left in the backlog. */
    if (chute_listener_accept(l, &conn, CHUTE_NOWAIT) == 0)
        chute_conn_free(conn);
}

static void kill_everywhere(void (*live)(chute_listener *),
                            void (*meet)(chute_listener *))
{
    chute_listener *l;
    struct victim v = {.live = live};
    pthread_t thread;

    CHECK_OK(chute_listener_new(&l, NULL, &options));
    v.listener = l;
    for (v.n_stops = 1; !v.ended; v.n_stops++) {
        CHECK_OK(pthread_create(&thread, NULL, trace, &v));
        meet(l);
        CHECK_OK(pthread_join(thread, NULL));
        CHECK(v.n_stops < 2000);
    }
    CHECK(v.n_stops > 30);
    chute_listener_free(l);
}

TEST_TIMEOUT(a_client_killed_at_every_system_call, 200)
{
    kill_everywhere(live_as_client, meet_client);
}

TEST_TIMEOUT(a_server_killed_at_every_system_call, 200)
{
    kill_everywhere(live_as_server, meet_server);
}
