/* cmd-put.c - put messages, from the command line or from stdin.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

enum { TIMEOUT = N_STYLES, CREATE, CLOSE };

static const struct option options[] = {
    STYLE_OPTIONS,
    {'T', "timeout", "SECONDS",
     "wait so long for room, each time; 0: not at all"},
    {'c', "create", NULL, "make the queue if there is none"},
    {'x', "close", NULL, "close the queue when all is put"},
    {0},
};

static const char text[] =
    "Each VALUE is one message, a Python literal. Without any, each line of\n"
    "stdin is one. Options say what they are instead. While the queue is "
    "full,\n"
    "put waits; it returns when the last message is in the queue, and what is\n"
    "there stays there when put has gone.\n"
    "\n"
    "Examples:\n"
    "  chute put jobs \"[42, None, 'hello']\" 3.5 -- -7\n"
    "  seq 1000 | chute put jobs --timeout 5\n"
    "  find . -name '*.c' -print0 | chute put files --null --text\n"
    "  jq -c .items[] < list.json | chute put jobs --json\n"
    "  chute put pictures --bytes --whole < cat.jpg\n"
    "\n"
    "Exit status: 0 all put, 4 full for SECONDS, 5 closed, 6 no such queue.\n"
    "The complaint counts the messages that were put.\n";

struct job {
    chute_queue *queue;
    const char *name;
    struct style style;
    int64_t timeout_ns;
    uint64_t n_put;
};

static int complain_put(const struct job *job, int r)
{
    int status = signals_status();

    if (r == CHUTE_EINTR && status) {
        note("interrupted; %llu put", (unsigned long long)job->n_put);
        return status;
    }
    if (r == CHUTE_ETIMEDOUT) {
        complain("queue '%s' is full, and nobody has taken a message in time; "
                 "%llu put",
                 job->name, (unsigned long long)job->n_put);
        return FULL;
    }
    if (r == CHUTE_ECLOSED) {
        complain("queue '%s' is closed: it takes no more messages; %llu put",
                 job->name, (unsigned long long)job->n_put);
        return CLOSED;
    }
    return queues_complain(job->name, r);
}

static int put_one(struct job *job, const char *data, size_t len,
                   const char *where)
{
    int r;

    do
        r = message_put(job->queue, &job->style, data, len, where,
                        job->timeout_ns);
    while (r == CHUTE_EINTR && !signals_status());
    if (r > 0) {
        if (job->n_put)
            note("%llu put before it", (unsigned long long)job->n_put);
        return FAILED;
    }
    if (r < 0)
        return complain_put(job, r);
    job->n_put++;
    progress("put", job->n_put, 0);
    return DONE;
}

static int put_words(struct job *job, char **words, int n)
{
    int status = DONE;

    for (int i = 0; i < n && status == DONE; i++) {
        char where[32];
        snprintf(where, sizeof where, "VALUE %d", i + 1);
        status = put_one(job, words[i], strlen(words[i]), where);
    }
    return status;
}

/* What came in between two lines, at the end of them, and nowhere else. */
static int check_input(const struct job *job)
{
    int status = signals_status();

    if (status) {
        note("interrupted; %llu put", (unsigned long long)job->n_put);
        return status;
    }
    return ferror(stdin) ? complain("stdin: %s", strerror(errno)) : DONE;
}

/* No literal and no JSON is blank; so a blank line is a matter of looks. */
static bool is_blank(const struct job *job, const char *line, size_t len)
{
    return (job->style.format == LITERAL || job->style.format == JSON) &&
           strspn(line, " \t\r") >= len;
}

static int put_lines(struct job *job)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len = 0;
    int status = DONE;
    char where[40];

    for (uint64_t n = 1; status == DONE && !signals_status(); n++) {
        len = getdelim(&line, &cap, job->style.end, stdin);
        if (len < 0)
            break;
        if (line[len - 1] == job->style.end)
            len--;
        if (is_blank(job, line, (size_t)len))
            continue;
        snprintf(where, sizeof where, "line %llu", (unsigned long long)n);
        status = put_one(job, line, (size_t)len, where);
    }
    free(line);
    return status == DONE ? check_input(job) : status;
}

static int put_whole(struct job *job)
{
    char *data = NULL;
    size_t len = 0, cap = 0, n;

    do {
        if (len == cap) {
            cap = cap ? 2 * cap : 65536;
            char *more = realloc(data, cap);
            if (!more) {
                free(data);
                return queues_complain(job->name, CHUTE_ENOMEM);
            }
            data = more;
        }
        n = fread(data + len, 1, cap - len, stdin);
        len += n;
    } while (n > 0);
    int status = check_input(job);
    if (status == DONE)
        status = put_one(job, data, len, "stdin");
    free(data);
    return status;
}

static int put_all(struct job *job, const struct call *call)
{
    if (call->n_words > 1)
        return put_words(job, call->words + 1, call->n_words - 1);
    if (isatty(STDIN_FILENO))
        note("reading from the terminal, a message a line; Ctrl-D ends it");
    return job->style.whole ? put_whole(job) : put_lines(job);
}

static int run(const struct call *call)
{
    struct job job = {.name = call->words[0], .timeout_ns = CHUTE_FOREVER};
    const char *timeout = call->given[TIMEOUT];

    int status = message_style(call, &job.style);
    if (status != DONE)
        return status;
    if (timeout && !units_time(timeout, &job.timeout_ns))
        return misused("'%s' is no time: 5, 0.25, 100ms, 2m", timeout);
    signals_begin(false);
    status =
        queues_open(&job.queue, job.name,
                    call->given[CREATE] ? CHUTE_OPTIONS(chute_queue_options,
                                                        .flags = CHUTE_CREATE)
                                        : NULL);
    if (status != DONE)
        return status;
    status = put_all(&job, call);
    if (status == DONE && call->given[CLOSE]) {
        int r = chute_queue_close(job.queue);
        if (r < 0)
            status = queues_complain(job.name, r);
    }
    chute_queue_free(job.queue);
    return status;
}

const struct verb verb_put = {
    .name = "put",
    .words = "NAME [VALUE...]",
    .min_words = 1,
    .max_words = 1 << 30,
    .summary = "put messages",
    .text = text,
    .options = options,
    .run = run,
};
