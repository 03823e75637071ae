/* queue-scene.h - what the tests of queues share: ints put and taken, and the
 * numbers that a queue tells of itself.
 *
 *     test-queue.c       what goes in, what comes out, what is refused
 *     test-queue-wait.c  who waits, who wakes them, what fork leaves
 */
#ifndef QUEUE_SCENE_H
#define QUEUE_SCENE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chute.h>

#include "test.h"

#define MIB 1048576u

static inline chute_queue *queue_new(uint64_t maxsize, uint64_t memory)
{
    chute_queue *q;

    CHECK_OK(chute_queue_new(&q, CHUTE_OPTIONS(chute_queue_options,
                                               .maxsize = maxsize,
                                               .memory = memory)));
    return q;
}

static inline int put_int(chute_queue *q, int64_t i, int64_t timeout_ns)
{
    return chute_queue_put(q, chute_int(i), timeout_ns);
}

/* The int taken, or the error. */
static inline int64_t get_int(chute_queue *q, int64_t timeout_ns)
{
    chute_value *v;
    int64_t i = -1;
    int r = chute_queue_get(q, &v, timeout_ns);

    if (r < 0)
        return r;
    CHECK_OK(chute_value_int(v, &i));
    chute_value_free(v);
    return i;
}

static inline size_t qsize(chute_queue *q)
{
    size_t n;

    CHECK_OK(chute_queue_qsize(q, &n));
    return n;
}

static inline struct chute_queue_stats stat_of(chute_queue *q)
{
    struct chute_queue_stats stat = {.size = sizeof stat};

    CHECK_OK(chute_queue_stat(q, &stat));
    return stat;
}

/* A process that calls fn, and ends. */
static inline pid_t child(void (*fn)(chute_queue *), chute_queue *q)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        fn(q);
        _exit(0);
    }
    return pid;
}

static inline void reap(pid_t pid, int expected_status)
{
    int status;

    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, expected_status);
}

#endif
