/* peer-pipe.c - pipe(2) with a buffer of 1 MiB, the most that a user may ask for
 * by default.
 *
 * A pipe carries bytes, not messages: the getter knows the length. Up to PIPE_BUF
 * bytes are written whole beside other putters; more are for one putter and one
 * getter only.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

static const char *open_pipe(void **ret_channel, const struct shape *shape)
{
    if (shape->len > PIPE_BUF && shape->n_putters + shape->n_getters > 2)
        return "messages of this length are torn";
    int *ends = calloc(2, sizeof *ends);
    if (!ends || pipe2(ends, O_CLOEXEC) < 0)
        die("pipe", strerror(errno));
    /* What is not allowed leaves the buffer as it is. */
    (void)fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
    *ret_channel = ends;
    return NULL;
}

static void close_pipe(void *channel)
{
    int *ends = channel;

    close(ends[0]);
    close(ends[1]);
    free(ends);
}

static void put(void *channel, const char *data, size_t len)
{
    const int *ends = channel;

    while (len > 0) {
        ssize_t n = write(ends[1], data, len);
        if (n < 0)
            die("write", strerror(errno));
        data += n;
        len -= (size_t)n;
    }
}

static size_t get(void *channel, char *buf, size_t cap)
{
    const int *ends = channel;
    size_t got = 0;

    while (got < cap) {
        ssize_t n = read(ends[0], buf + got, cap - got);
        if (n <= 0)
            die("read", n ? strerror(errno) : "end of file");
        got += (size_t)n;
    }
    return got;
}

static const struct peer pipe_peer = {
    .name = "pipe",
    .open = open_pipe,
    .put = put,
    .get = get,
    .close = close_pipe,
};
PEER(pipe_peer);
