/* throughput.c - messages a second, and the time of a round trip.
 *
 * Each figure is the median of five runs; chute and its peer, a bare pipe(2)
 * with a buffer of 1 MiB, take turns, so that both see the same machine. One
 * message is one call on either side. Every consumer checks that each message
 * has the length and the first and last byte that it should have.
 *
 * Read ratios: the figures themselves are the machine's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <chute.h>

#define N_RUNS  5
#define MAX_LEN 65536

/* -- the two transports ------------------------------------------------------ */

struct transport {
    const char *name;
    chute_queue *queue[2]; /* there and, for a round trip, back */
    int pipe[2][2];
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "throughput: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static void open_queue(struct transport *t)
{
    for (int i = 0; i < 2; i++) {
        int r = chute_queue_new(
            &t->queue[i],
            CHUTE_OPTIONS(chute_queue_options, .memory = UINT64_C(1) << 20));
        if (r < 0)
            die("queue", chute_strerror(r));
    }
}

static void open_pipe(struct transport *t)
{
    for (int i = 0; i < 2; i++) {
        if (pipe2(t->pipe[i], O_CLOEXEC) < 0)
            die("pipe", strerror(errno));
        (void)fcntl(t->pipe[i][1], F_SETPIPE_SZ, 1 << 20);
    }
}

static void close_all(struct transport *t, bool is_queue)
{
    for (int i = 0; i < 2; i++) {
        if (is_queue) {
            chute_queue_free(t->queue[i]);
        } else {
            close(t->pipe[i][0]);
            close(t->pipe[i][1]);
        }
    }
}

static void send_one(struct transport *t, bool is_queue, int way,
                     const char *data, size_t len)
{
    if (is_queue) {
        int r = chute_queue_put_bytes(t->queue[way], data, len, CHUTE_FOREVER);
        if (r < 0)
            die("put", chute_strerror(r));
        return;
    }
    while (len > 0) {
        ssize_t n = write(t->pipe[way][1], data, len);
        if (n < 0)
            die("write", strerror(errno));
        data += n;
        len -= (size_t)n;
    }
}

static void recv_one(struct transport *t, bool is_queue, int way, char *buf,
                     size_t len)
{
    size_t got = 0;

    if (is_queue) {
        int r = chute_queue_get_bytes(t->queue[way], buf, MAX_LEN, &got,
                                      CHUTE_FOREVER);
        if (r < 0)
            die("get", chute_strerror(r));
    } else {
        while (got < len) {
            ssize_t n = read(t->pipe[way][0], buf + got, len - got);
            if (n <= 0)
                die("read", n ? strerror(errno) : "end of file");
            got += (size_t)n;
        }
    }
    if (got != len || buf[0] != 'm' || buf[len - 1] != 'm')
        die("check", "a message is not what was sent");
}

/* -- one run ------------------------------------------------------------------ */

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void reap_all(void)
{
    int status;

    while (wait(&status) > 0)
        if (status != 0)
            exit(EXIT_FAILURE);
}

/* Messages a second from n_each producers to as many consumers. */
static double rate(bool is_queue, int n_sides, size_t len, long n_each)
{
    static char data[MAX_LEN];
    struct transport t;

    memset(data, 'm', len);
    is_queue ? open_queue(&t) : open_pipe(&t);
    double begin = now();
    for (int i = 0; i < 2 * n_sides; i++) {
        if (fork() != 0)
            continue;
        for (long k = 0; k < n_each; k++)
            if (i < n_sides)
                send_one(&t, is_queue, 0, data, len);
            else
                recv_one(&t, is_queue, 0, data, len);
        _exit(0);
    }
    reap_all();
    double seconds = now() - begin;
    close_all(&t, is_queue);
    return (double)n_each * n_sides / seconds;
}

/* Microseconds from sending 64 bytes until they are back. */
static double round_trip(bool is_queue, long n)
{
    static char data[MAX_LEN];
    struct transport t;
    size_t len = 64;

    memset(data, 'm', len);
    is_queue ? open_queue(&t) : open_pipe(&t);
    if (fork() == 0) {
        for (long k = 0; k < n; k++) {
            recv_one(&t, is_queue, 0, data, len);
            send_one(&t, is_queue, 1, data, len);
        }
        _exit(0);
    }
    double begin = now();
    for (long k = 0; k < n; k++) {
        send_one(&t, is_queue, 0, data, len);
        recv_one(&t, is_queue, 1, data, len);
    }
    double seconds = now() - begin;
    reap_all();
    close_all(&t, is_queue);
    return seconds / (double)n * 1e6;
}

/* -- medians ------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *x)
{
    qsort(x, N_RUNS, sizeof *x, compare);
    return x[N_RUNS / 2];
}

static void print_rate(int n_sides, size_t len)
{
    double queue[N_RUNS], pipe[N_RUNS];
    long n = (long)(200000000 / (len + 200)) / n_sides;

    for (int i = 0; i < N_RUNS; i++) {
        queue[i] = rate(true, n_sides, len, n);
        pipe[i] = rate(false, n_sides, len, n);
    }
    double q = median(queue), p = median(pipe);
    printf("%dx%d   %8zu %14.0f %14.0f %8.2f\n", n_sides, n_sides, len, q, p,
           q / p);
    fflush(stdout);
}

int main(void)
{
    static const size_t lens[] = {8, 64, 1024, 65536};
    double queue[N_RUNS], pipe[N_RUNS];
    struct utsname u;

    uname(&u);
    printf("%s %s, %ld processors, chute %s; medians of %d\n\n", u.sysname,
           u.release, sysconf(_SC_NPROCESSORS_ONLN), chute_version(), N_RUNS);
    printf("messages a second\nsides    bytes    chute queue        pipe(2)"
           "    ratio\n");
    fflush(stdout);
    for (int i = 0; i < 4; i++)
        print_rate(1, lens[i]);
    /* Two readers of one pipe would tear messages above 4096 bytes. */
    for (int i = 0; i < 3; i++)
        print_rate(2, lens[i]);
    for (int i = 0; i < N_RUNS; i++) {
        queue[i] = round_trip(true, 100000);
        pipe[i] = round_trip(false, 100000);
    }
    double q = median(queue), p = median(pipe);
    printf("\nround trip of 64 bytes, microseconds\n"
           "chute queue %.2f, pipe(2) %.2f, ratio %.2f\n",
           q, p, q / p);
    return EXIT_SUCCESS;
}
