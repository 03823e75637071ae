/* health.c - what the figures of a queue mean.
 *
 * One judgement, the first that fits, from the worst down; its hint names who is
 * to blame and what to do. A queue that nobody uses is well.
 *
 * Proof: tests/tool/health.py makes each of them.
 */
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static int64_t long_ns = CHUTE_SEC(60); /* blocked, or the oldest message */

void health_call_long(int64_t ns)
{
    long_ns = ns;
}

/* One that is stopped; before all others, one that is stopped inside a call. */
static const struct member_view *find_stopped(const struct queue_view *view)
{
    const struct member_view *stopped = NULL;

    for (size_t i = 0; i < view->n_members; i++)
        if (member_is_stopped(&view->members[i]) &&
            (!stopped || view->members[i].is.pid == view->stats.put_owner ||
             view->members[i].is.pid == view->stats.get_owner))
            stopped = &view->members[i];
    return stopped;
}

/* The one that has been blocked longest in put, or in get. */
static const struct member_view *find_blocked(const struct queue_view *view,
                                              bool putting)
{
    const struct member_view *longest = NULL;
    int64_t longest_ns = 0;

    for (size_t i = 0; i < view->n_members; i++) {
        const struct chute_queue_member *m = &view->members[i].is;
        uint64_t n = putting ? m->n_putting : m->n_getting;
        int64_t ns = putting ? m->putting_ns : m->getting_ns;
        if (member_is_alive(&view->members[i]) && n &&
            (!longest || ns > longest_ns)) {
            longest = &view->members[i];
            longest_ns = ns;
        }
    }
    return longest;
}

static bool is_full(const struct queue_view *view)
{
    const struct chute_queue_stats *s = &view->stats;

    return (s->maxsize && s->n_items >= s->maxsize) || view->n_putting;
}

static void judge(struct queue_view *view, const char *state, bool is_bad)
{
    view->state = state;
    view->is_bad = is_bad;
}

static void judge_stopped(struct queue_view *view, const struct member_view *m)
{
    judge(view, "STOPPED", true);
    snprintf(
        view->hint, sizeof view->hint,
        "%d (%.16s) is stopped (SIGSTOP, or a debugger); if it was copying "
        "a message, the others wait for it: kill -CONT %d",
        (int)m->is.pid, m->is.program, (int)m->is.pid);
}

static void judge_full(struct queue_view *view)
{
    const struct member_view *m = find_blocked(view, true);
    char time[UNITS_LEN], oldest[UNITS_LEN];

    units_show_time(oldest, view->stats.oldest_ns);
    if (view->n_getters == 0) {
        judge(view, "NO GETTER", true);
        snprintf(view->hint, sizeof view->hint,
                 "it is full, and no living process has taken a message from "
                 "it: start one that gets, or 'chute drain %s'",
                 view->name);
    } else if (m && m->is.putting_ns > long_ns) {
        judge(view, "STUCK", true);
        snprintf(view->hint, sizeof view->hint,
                 "%d (%.16s) has been waiting for room for %s: those who get "
                 "do something else, or hang; look at what they do (gdb -p, "
                 "/proc/PID/stack)",
                 (int)m->is.pid, m->is.program,
                 units_show_time(time, m->is.putting_ns));
    } else {
        judge(view, "FULL", view->stats.oldest_ns > long_ns);
        snprintf(view->hint, sizeof view->hint,
                 "it is full: those who get are slower than those who put; the "
                 "oldest message is %s old. More getters, or a larger maxsize, "
                 "would help",
                 oldest);
    }
}

static void judge_closed(struct queue_view *view)
{
    judge(view, "closed", view->stats.n_items && view->n_getters == 0);
    if (view->is_bad)
        snprintf(view->hint, sizeof view->hint,
                 "it is closed, messages are left, and no living process gets: "
                 "'chute drain %s' prints them",
                 view->name);
}

static void judge_waiting(struct queue_view *view)
{
    const struct member_view *m = find_blocked(view, false);
    char time[UNITS_LEN];

    if (!m || view->n_putters)
        return;
    judge(view, "NO PUTTER", false); /* workers wait for work: no alarm */
    snprintf(view->hint, sizeof view->hint,
             "%d (%.16s) has been waiting for a message for %s, and no living "
             "process has put one: start one that puts, or 'chute close %s' to "
             "let those who wait go",
             (int)m->is.pid, m->is.program,
             units_show_time(time, m->is.getting_ns), view->name);
}

static void judge_old(struct queue_view *view)
{
    char oldest[UNITS_LEN];

    if (view->stats.n_items == 0 || view->stats.oldest_ns < long_ns)
        return;
    units_show_time(oldest, view->stats.oldest_ns);
    if (view->n_getters) {
        judge(view, "SLOW", true);
        snprintf(view->hint, sizeof view->hint,
                 "the oldest message has been there for %s, though somebody "
                 "gets: look at what they do",
                 oldest);
    } else {
        judge(view, "unread", false);
        snprintf(view->hint, sizeof view->hint,
                 "the oldest message has been there for %s; no living process "
                 "gets",
                 oldest);
    }
}

void health_judge(struct queue_view *view)
{
    const struct member_view *stopped;

    judge(view, "ok", false);
    if (view->r < 0) {
        judge(view, "unusable", true);
        snprintf(view->hint, sizeof view->hint, "%s", chute_strerror(view->r));
    } else if ((stopped = find_stopped(view))) {
        judge_stopped(view, stopped);
    } else if (view->stats.closed) {
        judge_closed(view);
    } else if (is_full(view)) {
        judge_full(view);
    } else {
        judge_old(view);
        judge_waiting(view);
    }
}
