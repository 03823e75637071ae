/* wire-driver.c - chute's connections at the other end of wire.py.
 *
 *     wire-driver MODE KIND COMMAND [ARGUMENT]...
 *
 * makes a pipe (KIND duplex), or two (KIND oneway, one for each direction),
 * and runs COMMAND with the descriptors of the other ends as two arguments more:
 * where it reads, and where it writes. Meanwhile, in MODE
 *
 *     bytes    every message is sent back as it is; "bye" ends it, and "tear"
 *              is answered with a part of a message
 *     values   every message is decoded, and encoded again; what cannot be
 *              decoded is sent back as it is
 *     handles  a message says what comes: "fd", a descriptor that is sent back;
 *              "conn", a socket over which one message is sent back; "end", for
 *              one that is sent from here and used in the same way
 *     torn     whole messages, then the end within one, are expected
 *
 * The exit code is COMMAND's, or 3 if something went wrong here.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chute.h"

#define BUF_LEN (16 << 20)

/* The ends: ours, and the command's. */
static struct {
    chute_conn *in, *out;
    chute_conn *their_in, *their_out;
} ends;

static char **command; /* with room for two more arguments */
static int n_command;

static void check(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "wire-driver: %s: %s\n", what, chute_strerror(r));
    exit(3);
}

static void make_ends(const char *kind)
{
    const struct chute_pipe_options oneway = {.size = sizeof oneway,
                                              .flags = CHUTE_ONEWAY};
    chute_conn *pair[2];

    if (strcmp(kind, "oneway") == 0) {
        check(chute_pipe(pair, &oneway), "pipe");
        ends.in = pair[0];
        ends.their_out = pair[1];
        check(chute_pipe(pair, &oneway), "pipe");
        ends.their_in = pair[0];
        ends.out = pair[1];
    } else {
        check(chute_pipe(pair, NULL), "pipe");
        ends.in = ends.out = pair[0];
        ends.their_in = ends.their_out = pair[1];
    }
}

static void free_ends(chute_conn *one, chute_conn *other)
{
    if (other != one)
        chute_conn_free(other);
    chute_conn_free(one);
}

static int run_command(void *arg)
{
    int fds[] = {chute_conn_fd(ends.their_in), chute_conn_fd(ends.their_out)};
    char numbers[2][16];

    (void)arg;
    for (int i = 0; i < 2; i++) {
        (void)fcntl(fds[i], F_SETFD, 0);
        snprintf(numbers[i], sizeof numbers[i], "%d", fds[i]);
        command[n_command + i] = numbers[i];
    }
    execvp(command[0], command);
    perror(command[0]);
    return 3;
}

/* -- the modes ------------------------------------------------------------- */

static bool is(const char *word, const void *data, size_t len)
{
    return len == strlen(word) && memcmp(data, word, len) == 0;
}

static int echo_bytes(void)
{
    char *buf = calloc(1, BUF_LEN);
    size_t len;
    int r = buf ? 0 : CHUTE_ENOMEM;

    while (r == 0) {
        r = chute_conn_recv_bytes(ends.in, buf, BUF_LEN, &len, CHUTE_FOREVER);
        if (r < 0 || is("bye", buf, len))
            break;
        if (is("tear", buf, len)) {
            r = chute_conn_send_bytes(ends.out, buf, BUF_LEN, CHUTE_MS(50));
            r = r == CHUTE_EPARTIAL ? 0 : CHUTE_EPROTO;
            break;
        }
        r = chute_conn_send_bytes(ends.out, buf, len, CHUTE_FOREVER);
    }
    free(buf);
    return r;
}

static int echo_values(void)
{
    int r;

    do {
        chute_value *v;
        size_t len;
        r = chute_conn_recv(ends.in, &v, CHUTE_FOREVER);
        if (r == 0) {
            r = chute_conn_send(ends.out, v, CHUTE_FOREVER);
        } else if (v) {
            const void *data = chute_value_bytes(v, &len);
            r = chute_conn_send_bytes(ends.out, data, len, CHUTE_FOREVER);
            chute_value_free(v);
        }
    } while (r == 0);
    return r == CHUTE_EOF ? 0 : r;
}

/* One message over a connection that is no longer needed then. */
static int echo_once(chute_conn *conn)
{
    char buf[64];
    size_t len;
    int r = chute_conn_recv_bytes(conn, buf, sizeof buf, &len, CHUTE_FOREVER);

    if (r == 0)
        r = chute_conn_send_bytes(conn, buf, len, CHUTE_FOREVER);
    chute_conn_free(conn);
    return r;
}

static int take_fd(void)
{
    int fd, r = chute_conn_recv_fd(ends.in, &fd, CHUTE_FOREVER);

    if (r < 0)
        return r;
    r = chute_conn_send_fd(ends.out, fd, CHUTE_FOREVER);
    close(fd);
    return r;
}

static int take_conn(void)
{
    chute_conn *conn;
    int r = chute_conn_recv_conn(ends.in, &conn, CHUTE_FOREVER);

    return r < 0 ? r : echo_once(conn);
}

static int give_end(void)
{
    chute_conn *pair[2];
    int r = chute_pipe(pair, NULL);

    if (r < 0)
        return r;
    r = chute_conn_send_fd(ends.out, chute_conn_fd(pair[0]), CHUTE_FOREVER);
    chute_conn_free(pair[0]);
    return r < 0 ? r : echo_once(pair[1]);
}

static int exchange_handles(void)
{
    char what[8];
    size_t len;

    for (;;) {
        int r = chute_conn_recv_bytes(ends.in, what, sizeof what, &len,
                                      CHUTE_FOREVER);
        if (r < 0)
            return r;
        if (is("bye", what, len))
            return 0;
        r = is("fd", what, len)     ? take_fd()
            : is("conn", what, len) ? take_conn()
            : is("end", what, len)  ? give_end()
                                    : CHUTE_EPROTO;
        if (r < 0)
            return r;
    }
}

static int expect_torn(void)
{
    char buf[64];
    size_t len;
    int r;

    do
        r = chute_conn_recv_bytes(ends.in, buf, sizeof buf, &len,
                                  CHUTE_FOREVER);
    while (r == 0 && is("whole", buf, len));
    return r == CHUTE_EPARTIAL ? 0 : CHUTE_EPROTO;
}

int main(int argc, char **argv)
{
    chute_process *process;
    int code, r;

    if (argc < 4) {
        fputs("usage: wire-driver MODE KIND COMMAND [ARGUMENT]...\n", stderr);
        return 3;
    }
    n_command = argc - 3;
    command = calloc((size_t)n_command + 3, sizeof *command);
    if (!command)
        return 3;
    memcpy(command, argv + 3, (size_t)n_command * sizeof *command);

    make_ends(argv[2]);
    check(chute_process_start(&process, run_command, NULL, NULL), "start");
    free_ends(ends.their_in, ends.their_out);
    r = strcmp(argv[1], "bytes") == 0     ? echo_bytes()
        : strcmp(argv[1], "values") == 0  ? echo_values()
        : strcmp(argv[1], "handles") == 0 ? exchange_handles()
                                          : expect_torn();
    check(r, argv[1]);
    free_ends(ends.in, ends.out);
    check(chute_process_join(process, &code, CHUTE_FOREVER), "join");
    chute_process_free(process);
    free(command);
    return code == 0 ? 0 : code < 0 ? 3 : code;
}
