/* cmd-get.c - get, peek and drain: messages to stdout.
 *
 * Each message is written out before the next is taken, so that all that a kill
 * can take along is the message in hand. That is a system call for each: a short
 * one costs 0.3 us without it, and 0.5 (into /dev/null) to 1.2 (into a pipe) with
 * it. A signal is heeded between two messages only; so what was taken was also
 * written. (Not if stdout is a pipe whose reader has gone: `chute get -n 100 q |
 * head -1` takes more than it shows.)
 */
#include <string.h>

#include "tool.h"

enum { GET_N = N_STYLES, GET_TIMEOUT, GET_FOLLOW };
enum { PEEK_TIMEOUT = N_STYLES };
enum { DRAIN_N = N_STYLES, DRAIN_DISCARD };

#define EVERYTHING UINT64_MAX

struct job {
    chute_queue *queue;
    const char *name;
    struct style style;
    int64_t timeout_ns;
    uint64_t n, n_got;
    bool peek, follow, drain;
};

/* DONE if that is how it should end. */
static int complain_get(const struct job *job, int r)
{
    int status = signals_status();

    if (r == CHUTE_EINTR && status)
        return status;
    if (r == CHUTE_EINTR) {
        complain("queue '%s' was removed; all has been taken, and nobody puts "
                 "any more",
                 job->name);
        return MISSING;
    }
    if ((r == CHUTE_ETIMEDOUT || r == CHUTE_EOF) && job->drain)
        return DONE;
    if (r == CHUTE_EOF && job->follow)
        return DONE;
    if (r == CHUTE_ETIMEDOUT) {
        if (job->timeout_ns == 0)
            note("queue '%s' is empty", job->name);
        else
            note("queue '%s' is empty, and nobody has put a message in time",
                 job->name);
        return EMPTY;
    }
    return queues_complain(job->name, r);
}

static int get_all(struct job *job)
{
    while (job->n_got < job->n) {
        int status = signals_status();
        if (status)
            return status;
        int r =
            message_get(job->queue, &job->style, job->peek, job->timeout_ns);
        if (r == CHUTE_EINTR && !signals_status() && !removal_seen())
            continue;
        if (r < 0)
            return complain_get(job, r);
        job->n_got++;
        if (fflush(stdout) == EOF)
            return FAILED; /* finish_output() complains */
        progress(say_verb(), job->n_got, job->n == EVERYTHING ? 0 : job->n);
    }
    return DONE;
}

static int take_time(const char *text, int64_t *timeout_ns)
{
    if (text && !units_time(text, timeout_ns))
        return misused("'%s' is no time: 5, 0.25, 100ms, 2m", text);
    return DONE;
}

static int take_number(const char *text, uint64_t *n)
{
    if (text && !units_count(text, 1, UINT64_C(1) << 53, n))
        return misused("'%s' is no number of messages: 1, 500, 10k", text);
    return DONE;
}

static int begin(struct job *job, const struct call *call)
{
    job->name = call->words[0];
    int status = message_style(call, &job->style);
    if (status != DONE)
        return status;
    signals_begin(true);
    status = queues_open(&job->queue, job->name, NULL);
    if (status == DONE && job->timeout_ns == CHUTE_FOREVER)
        removal_watch(job->queue);
    return status;
}

static int end(struct job *job, int status)
{
    removal_end();
    chute_queue_free(job->queue);
    return status;
}

/* -- get ------------------------------------------------------------------------- */

static const struct option get_options[] = {
    STYLE_OPTIONS,
    {'n', "number", "N", "take N messages; default 1"},
    {'T', "timeout", "SECONDS", "wait so long for each; default: for ever"},
    {'f', "follow", NULL, "take messages till the queue is closed"},
    {0},
};

static const char get_text[] =
    "A message is taken by one getter only, and is gone from the queue when "
    "it\n"
    "has been printed: as a Python literal, or as the options say. A message\n"
    "that needs a Python class is printed as the bytes that it is.\n"
    "\n"
    "Examples:\n"
    "  chute get jobs                    the oldest, when there is one\n"
    "  chute get jobs --timeout 0        the same, or exit status 3\n"
    "  chute get jobs -n 100 --json > hundred.json\n"
    "  chute get log --follow --text     print what others put, till they "
    "close\n"
    "  chute get pictures --bytes --whole > cat.jpg\n"
    "  chute get files -n 10 --text --null | xargs -0 ls -l\n"
    "\n"
    "Exit status: 0 got as many, 3 empty for SECONDS, 5 closed and empty, 6 "
    "no\n"
    "such queue, or removed while waiting and nobody puts any more, 130\n"
    "interrupted. With --follow the close is a good end: 0.\n";

static int run_get(const struct call *call)
{
    struct job job = {.n = 1, .timeout_ns = CHUTE_FOREVER};

    job.follow = call->given[GET_FOLLOW] != NULL;
    if (job.follow)
        job.n = EVERYTHING;
    int status = take_number(call->given[GET_N], &job.n);
    if (status == DONE)
        status = take_time(call->given[GET_TIMEOUT], &job.timeout_ns);
    if (status == DONE)
        status = begin(&job, call);
    return status == DONE ? end(&job, get_all(&job)) : status;
}

const struct verb verb_get = {
    .name = "get",
    .words = "NAME",
    .min_words = 1,
    .max_words = 1,
    .summary = "take messages, and print them",
    .text = get_text,
    .options = get_options,
    .run = run_get,
};

/* -- peek ------------------------------------------------------------------------ */

static const struct option peek_options[] = {
    STYLE_OPTIONS,
    {'T', "timeout", "SECONDS", "wait so long; default: not at all"},
    {0},
};

static const char peek_text[] =
    "The message stays in the queue, and is the next that somebody gets.\n"
    "\n"
    "Examples:\n"
    "  chute peek jobs\n"
    "  chute peek jobs --bytes --whole | python3 -m pickletools\n"
    "\n"
    "Exit status: 0 printed, 3 empty, 5 closed and empty, 6 no such queue.\n";

static int run_peek(const struct call *call)
{
    struct job job = {.n = 1, .peek = true};

    int status = take_time(call->given[PEEK_TIMEOUT], &job.timeout_ns);
    if (status == DONE)
        status = begin(&job, call);
    return status == DONE ? end(&job, get_all(&job)) : status;
}

const struct verb verb_peek = {
    .name = "peek",
    .words = "NAME",
    .min_words = 1,
    .max_words = 1,
    .summary = "print the oldest message, and leave it there",
    .text = peek_text,
    .options = peek_options,
    .run = run_peek,
};

/* -- drain ----------------------------------------------------------------------- */

static const struct option drain_options[] = {
    STYLE_OPTIONS,
    {'n', "number", "N", "take N at most"},
    {'d', "discard", NULL, "print nothing; say how many there were"},
    {0},
};

static const char drain_text[] =
    "Takes what is in the queue, prints it, and ends when the queue is empty.\n"
    "While others put, that may take its time.\n"
    "\n"
    "Examples:\n"
    "  chute drain jobs > saved && chute put jobs < saved\n"
    "  chute drain jobs --discard\n"
    "\n"
    "Exit status: 0 also if there was nothing, 6 no such queue.\n";

static int discard_all(struct job *job)
{
    char byte;
    size_t len;
    int r = 0;

    while (r == 0 && job->n_got < job->n && !signals_status()) {
        r = chute_queue_get_bytes(job->queue, &byte, sizeof byte, &len, 0);
        /* Of a longer one there is no way to take but to take it whole. */
        if (r == CHUTE_EMSGSIZE) {
            chute_value *v;
            r = chute_queue_get(job->queue, &v, 0);
            if (v)
                r = 0;
            chute_value_free(v);
        }
        job->n_got += r == 0;
        progress("discarded", job->n_got, 0);
    }
    progress_end();
    if (r == 0 || r == CHUTE_ETIMEDOUT || r == CHUTE_EOF || r == CHUTE_EINTR)
        note("%llu discarded", (unsigned long long)job->n_got);
    if (signals_status())
        return signals_status();
    return r < 0 ? complain_get(job, r) : DONE;
}

static int run_drain(const struct call *call)
{
    struct job job = {.n = EVERYTHING, .drain = true};

    int status = take_number(call->given[DRAIN_N], &job.n);
    if (status == DONE)
        status = begin(&job, call);
    if (status != DONE)
        return status;
    return end(&job,
               call->given[DRAIN_DISCARD] ? discard_all(&job) : get_all(&job));
}

const struct verb verb_drain = {
    .name = "drain",
    .words = "NAME",
    .min_words = 1,
    .max_words = 1,
    .summary = "take all that is in a queue",
    .text = drain_text,
    .options = drain_options,
    .run = run_drain,
};
