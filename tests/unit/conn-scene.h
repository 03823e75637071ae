/* conn-scene.h - what the tests of connections share.
 *
 * Where a peer has to misbehave, or to be slow in the middle of a message, the
 * test writes bytes into the socket behind one of the ends. Where a process has
 * to be in the middle of something, the test waits until the socket shows that
 * it is, and never for a time. Where messages could be mixed, cut or lost, they
 * say their own length and follow from a seed, so that whoever receives one can
 * tell that it is whole.
 *
 *     test-conn.c         two ends, one user each
 *     test-conn-shared.c  one end, many users
 *     test-conn-kill.c    users who are killed
 *     test-conn-fault.c   a system that refuses
 *
 * Who includes this has defined _GNU_SOURCE.
 */
#ifndef CONN_SCENE_H
#define CONN_SCENE_H

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chute.h"
#include "plat/io.h"
#include "test.h"

/* -- two ends -------------------------------------------------------------- */

struct ends {
    chute_conn *a;
    chute_conn *b;
};

static inline struct ends new_pipe(uint64_t flags)
{
    chute_conn *ends[2];

    CHECK_OK(
        chute_pipe(ends, CHUTE_OPTIONS(chute_pipe_options, .flags = flags)));
    return (struct ends){ends[0], ends[1]};
}

static inline void free_pipe(struct ends p)
{
    chute_conn_free(p.a);
    chute_conn_free(p.b);
}

static inline void send_text(chute_conn *conn, const char *text)
{
    CHECK_OK(chute_conn_send_bytes(conn, text, strlen(text), CHUTE_FOREVER));
}

static inline void check_text(chute_conn *conn, const char *text)
{
    char buf[64] = {0};
    size_t len = 0;

    CHECK_OK(
        chute_conn_recv_bytes(conn, buf, sizeof buf - 1, &len, CHUTE_FOREVER));
    CHECK_EQ(len, strlen(text));
    CHECK_STR(buf, text);
}

static inline int try_recv(chute_conn *conn, int64_t timeout_ns)
{
    static _Thread_local char buf[1 << 20];
    size_t len;

    return chute_conn_recv_bytes(conn, buf, sizeof buf, &len, timeout_ns);
}

/* -- what waits in a socket ------------------------------------------------ */

/* Bytes into the socket of one end, as a strange peer might send them. */
static inline void send_raw(chute_conn *conn, const void *bytes, size_t n)
{
    CHECK_EQ(send(chute_conn_fd(conn), bytes, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* How much waits in the socket of one end. */
static inline size_t waiting(chute_conn *conn)
{
    size_t n = 0;

    CHECK_OK(io_pending(chute_conn_fd(conn), &n));
    return n;
}

/* Until somebody has sent that much to this end, or taken all of it. */
static inline void await_arrival(chute_conn *conn, size_t at_least)
{
    while (waiting(conn) < at_least)
        usleep(200);
}

static inline void await_emptiness(chute_conn *conn)
{
    while (waiting(conn) > 0)
        usleep(200);
}

static inline void await_state(_Atomic uint32_t *state, uint32_t value)
{
    while (atomic_load(state) != value)
        usleep(200);
}

/* -- children -------------------------------------------------------------- */

static inline chute_process *start(chute_process_fn *fn, void *arg)
{
    chute_process *process;

    CHECK_OK(chute_process_start(&process, fn, arg, NULL));
    return process;
}

static inline void join(chute_process *process)
{
    int code = -1;

    CHECK_OK(chute_process_join(process, &code, CHUTE_FOREVER));
    CHECK_EQ(code, 0);
    chute_process_free(process);
}

/* Exit code 1 says that the child has met the end of the stream. */
static inline void kill_now(chute_process *process)
{
    int code = -1;

    CHECK_OK(chute_process_kill(process));
    CHECK_OK(chute_process_join(process, &code, CHUTE_FOREVER));
    CHECK(code == -SIGKILL || code == 1);
    chute_process_free(process);
}

/* -- messages that can be recognized ---------------------------------------- */

#define MAX_LEN 200000

struct stamp {
    uint32_t len;
    uint32_t seed;
};

static inline uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* A message that says its own length and follows from its seed. */
static inline void make_message(unsigned char *buf, uint32_t len, uint32_t seed)
{
    struct stamp stamp = {len, seed};
    uint32_t state = seed | 1;

    memcpy(buf, &stamp, sizeof stamp);
    for (uint32_t i = sizeof stamp; i < len; i++)
        buf[i] = (unsigned char)(next_random(&state) >> 11);
}

static inline void check_message(const unsigned char *buf, size_t len)
{
    static _Thread_local unsigned char expected[MAX_LEN];
    struct stamp stamp;

    CHECK(len >= sizeof stamp);
    memcpy(&stamp, buf, sizeof stamp);
    CHECK_EQ(stamp.len, len);
    CHECK(len <= MAX_LEN);
    make_message(expected, stamp.len, stamp.seed);
    CHECK_MEM(buf, expected, len);
}

static inline int send_message(chute_conn *conn, uint32_t len, uint32_t seed)
{
    static _Thread_local unsigned char buf[MAX_LEN];

    make_message(buf, len, seed);
    return chute_conn_send_bytes(conn, buf, len, CHUTE_FOREVER);
}

static _Thread_local uint32_t last_seed; /* of what was received last */

/* 0, or what recv said; a message that is not what was sent ends the test. */
static inline int recv_message(chute_conn *conn, int64_t timeout_ns)
{
    static _Thread_local unsigned char buf[MAX_LEN];
    struct stamp stamp;
    size_t len = 0;
    int r = chute_conn_recv_bytes(conn, buf, sizeof buf, &len, timeout_ns);

    if (r < 0)
        return r;
    check_message(buf, len);
    memcpy(&stamp, buf, sizeof stamp);
    last_seed = stamp.seed;
    return 0;
}

#endif
