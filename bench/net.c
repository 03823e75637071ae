/* net.c - one side of net.py: connections over AF_UNIX, and a bare socket.
 *
 *     net serve [KEY]             print an address; send back what comes, peer
 *                                 after peer
 *     net ask ADDRESS N LEN       N round trips of LEN bytes: ns for each
 *     net connect ADDRESS N KEY   N connections, authenticated: ns for each
 *     net bare N LEN              as ask, over a socketpair with the same
 *                                 header, read and written by hand
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <chute.h>
#include <chute/net.h>

#define MAX_LEN (16 << 20)

static char buf[MAX_LEN + 4];

static void check(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "net: %s: %s\n", what, chute_strerror(r));
    exit(EXIT_FAILURE);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void echo(chute_conn *conn)
{
    size_t len;

    while (chute_conn_recv_bytes(conn, buf, MAX_LEN, &len, CHUTE_FOREVER) == 0)
        if (chute_conn_send_bytes(conn, buf, len, CHUTE_FOREVER) < 0)
            break;
    chute_conn_free(conn);
}

static void serve(const struct chute_net_options *options)
{
    chute_listener *listener;
    chute_conn *conn;

    check(chute_listener_new(&listener, NULL, options), "listen");
    puts(chute_listener_address(listener));
    fflush(stdout);
    for (;;) {
        check(chute_listener_accept(listener, &conn, CHUTE_FOREVER), "accept");
        char byte;
        size_t len;
        /* An empty message is the last peer's. */
        int r = chute_conn_recv_bytes(conn, &byte, 1, &len, CHUTE_FOREVER);
        if (r == 0 && len == 0)
            break;
        if (r == 0)
            echo(conn);
        else
            chute_conn_free(conn);
    }
    chute_conn_free(conn);
    chute_listener_free(listener);
}

static void ask(const char *address, int n, size_t len)
{
    chute_conn *conn;
    size_t back;

    check(chute_connect(&conn, address, NULL, CHUTE_SEC(10)), "connect");
    check(chute_conn_send_bytes(conn, "x", 1, CHUTE_SEC(1)), "begin");
    double begun = now();
    for (int i = 0; i < n; i++) {
        check(chute_conn_send_bytes(conn, buf, len, CHUTE_FOREVER), "send");
        check(chute_conn_recv_bytes(conn, buf, MAX_LEN, &back, CHUTE_FOREVER),
              "recv");
    }
    printf("%.0f\n", (now() - begun) / n);
    chute_conn_free(conn);
}

static void connect_often(const char *address, int n,
                          const struct chute_net_options *options)
{
    chute_conn *conn;
    double begun = now();

    for (int i = 0; i < n; i++) {
        check(chute_connect(&conn, address, options, CHUTE_SEC(10)), "connect");
        chute_conn_free(conn);
    }
    printf("%.0f\n", (now() - begun) / n);
}

static void read_all(int fd, char *to, size_t len)
{
    while (len > 0) {
        ssize_t n = read(fd, to, len);
        if (n <= 0)
            exit(EXIT_SUCCESS);
        to += n;
        len -= (size_t)n;
    }
}

static void write_all(int fd, const char *from, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, from, len);
        if (n <= 0)
            exit(EXIT_FAILURE);
        from += n;
        len -= (size_t)n;
    }
}

/* The least that a connection could do: two reads, one write. */
static void bare_recv(int fd)
{
    unsigned char head[4];

    read_all(fd, (char *)head, 4);
    read_all(fd, buf + 4,
             (size_t)head[0] << 24 | (size_t)head[1] << 16 |
                 (size_t)head[2] << 8 | head[3]);
}

static void bare(int n, size_t len)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
        exit(EXIT_FAILURE);
    for (int i = 0; i < 4; i++)
        buf[i] = (char)(len >> (24 - 8 * i) & 255);
    if (fork() == 0) {
        close(fds[0]);
        for (;;) {
            bare_recv(fds[1]);
            write_all(fds[1], buf, len + 4);
        }
    }
    close(fds[1]);
    double begun = now();
    for (int i = 0; i < n; i++) {
        write_all(fds[0], buf, len + 4);
        bare_recv(fds[0]);
    }
    printf("%.0f\n", (now() - begun) / n);
    close(fds[0]);
    wait(NULL);
}

int main(int argc, char **argv)
{
    struct chute_net_options options = {.size = sizeof options};
    const char *mode = argc > 1 ? argv[1] : "";

    if (strcmp(mode, "serve") == 0 && argc <= 3) {
        if (argc == 3) {
            options.authkey = argv[2];
            options.authkey_len = strlen(argv[2]);
        }
        serve(&options);
    } else if (strcmp(mode, "ask") == 0 && argc == 5) {
        ask(argv[2], atoi(argv[3]), (size_t)atoll(argv[4]));
    } else if (strcmp(mode, "connect") == 0 && argc == 5) {
        options.authkey = argv[4];
        options.authkey_len = strlen(argv[4]);
        connect_often(argv[2], atoi(argv[3]), &options);
    } else if (strcmp(mode, "bare") == 0 && argc == 4) {
        bare(atoi(argv[2]), (size_t)atoll(argv[3]));
    } else {
        fputs("net: see the head of bench/net.c\n", stderr);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
