/* peer-mq.c - mq_overview(7).
 *
 * The system bounds a queue to 10 messages of 8 KiB, unless sysctl(8) says other-
 * wise of fs.mqueue.msg_max and fs.mqueue.msgsize_max, or the user is privileged;
 * and all queues of a user to 800 KB. So it has as many slots as the system gives.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"

static mqd_t open_with(const char *name, size_t n_slots, size_t len)
{
    struct mq_attr attr = {.mq_maxmsg = (long)n_slots, .mq_msgsize = (long)len};

    return mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
}

static const char *open_mq(void **ret_channel, const struct shape *shape)
{
    struct rlimit most = {RLIM_INFINITY, RLIM_INFINITY};
    char name[64];
    mqd_t *mq = calloc(1, sizeof *mq);

    if (!mq)
        die("mq", "out of memory");
    (void)setrlimit(RLIMIT_MSGQUEUE, &most);
    snprintf(name, sizeof name, "/bench-%ld", (long)getpid());
    size_t n_slots = shape->n_slots;
    do
        *mq = open_with(name, n_slots, shape->len);
    while (*mq < 0 && (n_slots /= 2) > 0);
    if (*mq < 0) {
        free(mq);
        return "the system's limit for a message";
    }
    mq_unlink(name);
    *ret_channel = mq;
    return NULL;
}

static void close_mq(void *channel)
{
    mq_close(*(mqd_t *)channel);
    free(channel);
}

static void put(void *channel, const char *data, size_t len)
{
    if (mq_send(*(mqd_t *)channel, data, len, 0) < 0)
        die("mq_send", strerror(errno));
}

static size_t get(void *channel, char *buf, size_t cap)
{
    ssize_t n = mq_receive(*(mqd_t *)channel, buf, cap, NULL);

    if (n < 0)
        die("mq_receive", strerror(errno));
    return (size_t)n;
}

static const struct peer mq_peer = {
    .name = "mq",
    .open = open_mq,
    .put = put,
    .get = get,
    .close = close_mq,
};
PEER(mq_peer);
