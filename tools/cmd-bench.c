/* cmd-bench.c - how fast this machine is.
 *
 * Two figures: messages a second through one queue, from P putters to G getters,
 * each a process; and the time of a round trip through two queues. Everything is
 * set up first, and lets go when `go` is closed. The getters check what they get.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

enum { NUMBER, LENGTH, PUTTERS, GETTERS, ROUNDS, JSON_OUT };

#define MAX_CHILDREN 256
#define MAX_LENGTH   (UINT64_C(64) << 20)

static const struct option options[] = {
    {'n', "number", "N", "put N messages in all; default 1000000"},
    {'l', "length", "SIZE", "of SIZE bytes each; default 100"},
    {'p', "putters", "N", "by N processes; default 1"},
    {'g', "getters", "N", "to N processes; default 1"},
    {'r', "rounds", "N", "and N round trips; default 20000"},
    {'j', "json", NULL, "print an object"},
    {0},
};

static const char text[] =
    "Uses nameless queues of its own, of 1 MiB at least, and no queue of "
    "yours.\n"
    "One run on a busy machine tells little: repeat it.\n"
    "\n"
    "Examples:\n"
    "  chute bench\n"
    "  chute bench -p 4 -g 4 --length 4K -n 200k\n";

struct bench {
    uint64_t n, length, n_putters, n_getters, n_rounds;
    char *message;
    chute_queue *go, *queue, *back;
    chute_process *children[2 * MAX_CHILDREN];
    size_t n_children;
    double seconds, median_us, p99_us;
};

/* -- what the children do -------------------------------------------------------------- */

static bool wait_for_go(struct bench *b)
{
    size_t len;

    return chute_queue_get_bytes(b->go, NULL, 0, &len, CHUTE_FOREVER) ==
           CHUTE_EOF;
}

static int putter(void *arg)
{
    struct bench *b = arg;

    if (!wait_for_go(b))
        return FAILED;
    for (uint64_t i = 0; i < b->n / b->n_putters; i++)
        if (chute_queue_put_bytes(b->queue, b->message, b->length,
                                  CHUTE_FOREVER) < 0)
            return FAILED;
    return DONE;
}

static bool is_good(const struct bench *b, const char *buf, size_t len)
{
    return len == b->length &&
           (len == 0 || (buf[0] == 'c' && buf[len - 1] == 'c'));
}

static int getter(void *arg)
{
    struct bench *b = arg;
    char *buf = malloc(b->length + 1);
    size_t len;
    int r = 0;

    while (buf && (r = chute_queue_get_bytes(b->queue, buf, b->length, &len,
                                             CHUTE_FOREVER)) == 0)
        if (!is_good(b, buf, len))
            break;
    free(buf);
    return r == CHUTE_EOF ? DONE : FAILED;
}

static int echo(void *arg)
{
    struct bench *b = arg;
    char *buf = malloc(b->length + 1);
    size_t len;
    int r = 0;

    while (buf && (r = chute_queue_get_bytes(b->queue, buf, b->length, &len,
                                             CHUTE_FOREVER)) == 0)
        if (chute_queue_put_bytes(b->back, buf, len, CHUTE_FOREVER) < 0)
            break;
    free(buf);
    return r == CHUTE_EOF ? DONE : FAILED;
}

/* -- the parent -------------------------------------------------------------------------- */

static int new_queue(chute_queue **ret_queue, const struct bench *b)
{
    uint64_t memory = 4 * b->length;

    if (memory < UINT64_C(1) << 20)
        memory = UINT64_C(1) << 20;
    return chute_queue_new(ret_queue,
                           CHUTE_OPTIONS(chute_queue_options, .memory = memory,
                                         .flags = CHUTE_INTERRUPTIBLE));
}

static int start(struct bench *b, chute_process_fn *fn, uint64_t n)
{
    int r = 0;

    for (uint64_t i = 0; i < n && r == 0; i++) {
        r = chute_process_start(&b->children[b->n_children], fn, b,
                                CHUTE_OPTIONS(chute_process_options,
                                              .flags = CHUTE_DAEMON,
                                              .name = "chute bench"));
        b->n_children += r == 0;
    }
    return r;
}

static int join(struct bench *b, size_t from)
{
    int r = 0, code;

    while (b->n_children > from && r == 0) {
        chute_process *child = b->children[--b->n_children];
        r = chute_process_join(child, &code, CHUTE_FOREVER);
        if (r == 0 && code != 0)
            r = CHUTE_ECORRUPT;
        chute_process_free(child);
    }
    return r;
}

static int throughput(struct bench *b)
{
    int r = start(b, getter, b->n_getters);

    if (r == 0)
        r = start(b, putter, b->n_putters);
    if (r < 0)
        return r;
    uint64_t begin = units_now();
    chute_queue_close(b->go);
    r = join(b, b->n_getters);
    chute_queue_close(b->queue);
    if (r == 0)
        r = join(b, 0);
    b->seconds = (double)(units_now() - begin) / 1e9;
    return r;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static int round_trips(struct bench *b, double *times, char *buf)
{
    size_t len;
    int r = start(b, echo, 1);

    for (uint64_t i = 0; i < b->n_rounds && r == 0; i++) {
        uint64_t begin = units_now();
        r = chute_queue_put_bytes(b->queue, b->message, b->length,
                                  CHUTE_FOREVER);
        if (r == 0)
            r = chute_queue_get_bytes(b->back, buf, b->length, &len,
                                      CHUTE_SEC(60));
        times[i] = (double)(units_now() - begin) / 1e3;
    }
    chute_queue_close(b->queue);
    if (r < 0)
        return r;
    qsort(times, b->n_rounds, sizeof *times, ascending);
    b->median_us = times[b->n_rounds / 2];
    b->p99_us = times[b->n_rounds * 99 / 100];
    return join(b, 0);
}

static int latency(struct bench *b)
{
    double *times = calloc(b->n_rounds + 1, sizeof *times);
    char *buf = malloc(b->length + 1);

    int r = times && buf ? new_queue(&b->back, b) : CHUTE_ENOMEM;
    if (r == 0)
        r = round_trips(b, times, buf);
    b->back = chute_queue_free(b->back);
    free(times);
    free(buf);
    return r;
}

static int measure(struct bench *b)
{
    int r = chute_queue_new(&b->go, NULL);

    if (r == 0)
        r = new_queue(&b->queue, b);
    if (r == 0 && b->n)
        r = throughput(b);
    b->queue = chute_queue_free(b->queue);
    b->go = chute_queue_free(b->go);
    if (r == 0 && b->n_rounds)
        r = new_queue(&b->queue, b);
    if (r == 0 && b->n_rounds)
        r = latency(b);
    b->queue = chute_queue_free(b->queue);
    while (b->n_children) { /* after a failure */
        chute_process *child = b->children[--b->n_children];
        chute_process_kill(child);
        chute_process_join(child, NULL, CHUTE_FOREVER);
        chute_process_free(child);
    }
    return r;
}

/* -- what it was ---------------------------------------------------------------------------- */

static void show(const struct bench *b)
{
    char rate[UNITS_LEN], bytes[UNITS_LEN], length[UNITS_LEN];
    uint64_t n = b->n / b->n_putters * b->n_putters;
    double per_second = (double)n / b->seconds;

    if (b->n)
        printf("throughput  %s messages/s, %sB/s  (%" PRIu64
               " of %s bytes, %" PRIu64 " putting, %" PRIu64 " getting)\n",
               units_show_count(rate, per_second),
               units_show_size(bytes, per_second * (double)b->length), n,
               units_show_count(length, (double)b->length), b->n_putters,
               b->n_getters);
    if (b->n_rounds)
        printf("round trip  %.1f us median, %.1f us for 99 of 100  (%" PRIu64
               ")\n",
               b->median_us, b->p99_us, b->n_rounds);
}

static void show_json(const struct bench *b)
{
    uint64_t n = b->n / b->n_putters * b->n_putters;

    printf("{\"messages\":%" PRIu64 ",\"length\":%" PRIu64
           ",\"putters\":%" PRIu64 ",\"getters\":%" PRIu64
           ",\"seconds\":%.6f,\"messages_per_second\":%.0f,\"rounds\":%" PRIu64
           ",\"round_median_us\":%.2f,\"round_p99_us\":%.2f}\n",
           n, b->length, b->n_putters, b->n_getters, b->seconds,
           b->seconds > 0 ? (double)n / b->seconds : 0.0, b->n_rounds,
           b->median_us, b->p99_us);
}

static int take_number(const struct call *call, int option, uint64_t min,
                       uint64_t max, uint64_t *ret)
{
    const char *given = call->given[option];

    if (given && !units_count(given, min, max, ret))
        return misused("--%s '%s': from %" PRIu64 " to %" PRIu64,
                       call->verb->options[option].name, given, min, max);
    return DONE;
}

static int take_options(const struct call *call, struct bench *b)
{
    const char *length = call->given[LENGTH];

    int status = take_number(call, NUMBER, 0, UINT64_C(1) << 40, &b->n);
    if (status == DONE)
        status = take_number(call, PUTTERS, 1, MAX_CHILDREN, &b->n_putters);
    if (status == DONE)
        status = take_number(call, GETTERS, 1, MAX_CHILDREN, &b->n_getters);
    if (status == DONE)
        status = take_number(call, ROUNDS, 0, 10000000, &b->n_rounds);
    if (status == DONE && length &&
        (!units_size(length, &b->length) || b->length > MAX_LENGTH))
        status = misused("--length '%s': from 0 to 64M", length);
    return status;
}

static int run(const struct call *call)
{
    static struct bench b = {.n = 1000000,
                             .length = 100,
                             .n_putters = 1,
                             .n_getters = 1,
                             .n_rounds = 20000};

    int status = take_options(call, &b);
    if (status != DONE)
        return status;
    b.message = malloc(b.length + 1);
    if (!b.message)
        return complain("out of memory");
    memset(b.message, 'c', b.length);
    int r = measure(&b);
    free(b.message);
    if (r < 0)
        return complain("%s", chute_strerror(r));
    if (call->given[JSON_OUT])
        show_json(&b);
    else
        show(&b);
    return DONE;
}

const struct verb verb_bench = {
    .name = "bench",
    .words = "",
    .min_words = 0,
    .max_words = 0,
    .summary = "measure how fast this machine's queues are",
    .text = text,
    .options = options,
    .run = run,
};
