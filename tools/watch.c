/* watch.c - what goes on in queues, for ls, stat and top.
 *
 * A queue is opened, looked at and let go of each time: so one that was removed
 * and made anew is seen as it is, and nothing is held between two looks. To look
 * makes nobody a participant.
 *
 * Rates are differences of totals over the time between two looks. A queue that
 * has been made anew has smaller totals than before, and then there is no rate.
 *
 * Proof: tests/tool/health.py, top.py.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define UNKNOWN (-1.0)

/* -- one queue -------------------------------------------------------------------------- */

static char state_of(pid_t pid)
{
    char path[64], line[256], state = '?';

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return '?';
    /* "12 (a name) S ...", and the name may hold anything. */
    if (fgets(line, sizeof line, file)) {
        const char *end = strrchr(line, ')');
        if (end && end[1] == ' ')
            state = end[2];
    }
    fclose(file);
    return state;
}

static int add_member(struct queue_view *view,
                      const struct chute_queue_member *is)
{
    if ((view->n_members & 15) == 0) {
        struct member_view *more = realloc(
            view->members, (view->n_members + 16) * sizeof *view->members);
        if (!more)
            return CHUTE_ENOMEM;
        view->members = more;
    }
    view->members[view->n_members++] =
        (struct member_view){.is = *is,
                             .state = state_of((pid_t)is->pid),
                             .put_rate = UNKNOWN,
                             .got_rate = UNKNOWN};
    return 0;
}

static int take_members(struct queue_view *view, chute_queue *queue)
{
    struct chute_queue_member is = {.size = sizeof is};
    size_t place = 0;
    int r;

    while ((r = chute_queue_member(queue, &place, &is)) == 0 &&
           (r = add_member(view, &is)) == 0)
        is.size = sizeof is;
    return r == CHUTE_EOF ? 0 : r;
}

bool member_is_alive(const struct member_view *m)
{
    return m->state != '?' && m->state != 'Z' && m->state != 'X';
}

bool member_is_stopped(const struct member_view *m)
{
    return m->state == 'T' || m->state == 't';
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void sum_members(struct queue_view *view)
{
    for (size_t i = 0; i < view->n_members; i++) {
        const struct chute_queue_member *m = &view->members[i].is;
        if (!member_is_alive(&view->members[i]))
            continue;
        view->n_putters += m->n_put || m->n_putting;
        view->n_getters += m->n_got || m->n_getting;
        view->n_putting += m->n_putting;
        view->n_getting += m->n_getting;
        if (m->n_putting)
            view->putting_ns = larger(view->putting_ns, m->putting_ns);
        if (m->n_getting)
            view->getting_ns = larger(view->getting_ns, m->getting_ns);
    }
}

static int take_one(struct queue_view *view, const char *name)
{
    chute_queue *queue;

    *view = (struct queue_view){.put_rate = UNKNOWN,
                                .got_rate = UNKNOWN,
                                .byte_rate = UNKNOWN,
                                .stats.size = sizeof view->stats,
                                .state = "?"};
    snprintf(view->name, sizeof view->name, "%s", name);
    int r = chute_queue_open(&queue, name, NULL);
    if (r == 0) {
        r = chute_queue_stat(queue, &view->stats);
        view->taken_ns = units_now();
        if (r == 0)
            r = take_members(view, queue);
        chute_queue_free(queue);
    }
    view->r = r;
    if (r == 0)
        sum_members(view);
    return r;
}

/* -- rates -------------------------------------------------------------------------------- */

static double rate(uint64_t now, uint64_t then, double seconds)
{
    return now >= then && seconds > 0 ? (double)(now - then) / seconds
                                      : UNKNOWN;
}

/* The same handle of the same process: they are told apart by when they came. */
static bool is_same(const struct queue_view *now, const struct member_view *m,
                    const struct queue_view *then,
                    const struct member_view *was)
{
    int64_t came = (int64_t)now->taken_ns - m->is.attached_ns;
    int64_t had_come = (int64_t)then->taken_ns - was->is.attached_ns;

    return m->is.pid == was->is.pid && came - had_come < CHUTE_MS(50) &&
           had_come - came < CHUTE_MS(50);
}

static void rate_members(struct queue_view *now, const struct queue_view *then,
                         double seconds)
{
    for (size_t i = 0; i < now->n_members; i++) {
        struct member_view *m = &now->members[i];
        uint64_t n_put = 0, n_got = 0; /* of one that has come since then */
        for (size_t j = 0; j < then->n_members; j++) {
            if (!is_same(now, m, then, &then->members[j]))
                continue;
            n_put = then->members[j].is.n_put;
            n_got = then->members[j].is.n_got;
        }
        m->put_rate = rate(m->is.n_put, n_put, seconds);
        m->got_rate = rate(m->is.n_got, n_got, seconds);
    }
}

static void rate_queue(struct queue_view *now, const struct watch *before)
{
    const struct queue_view *then = NULL;

    for (size_t i = 0; before && i < before->n && !then; i++)
        if (strcmp(before->list[i].name, now->name) == 0)
            then = &before->list[i];
    if (!then || then->r < 0 || now->r < 0)
        return;
    double seconds = (double)(now->taken_ns - then->taken_ns) / 1e9;
    now->put_rate = rate(now->stats.n_put, then->stats.n_put, seconds);
    now->got_rate = rate(now->stats.n_got, then->stats.n_got, seconds);
    now->byte_rate =
        rate(now->stats.n_bytes_got, then->stats.n_bytes_got, seconds);
    rate_members(now, then, seconds);
}

/* -- all ---------------------------------------------------------------------------------- */

int watch_take(struct watch *ret_watch, const char *name,
               const struct watch *before)
{
    struct watch w = {0};
    chute_value *names = NULL;

    int r = name ? 0 : chute_queue_list(&names);
    if (r < 0)
        return r;
    size_t n = name ? 1 : chute_value_len(names);
    w.list = calloc(n + 1, sizeof *w.list);
    for (size_t i = 0; w.list && i < n; i++) {
        struct queue_view *view = &w.list[w.n];
        r = take_one(view,
                     name ? name : chute_value_str(chute_value_at(names, i)));
        if (r == CHUTE_ENOENT && !name)
            continue; /* it has gone since we looked for names */
        w.n++;
        rate_queue(view, before);
        health_judge(view);
    }
    chute_value_free(names);
    if (!w.list)
        return CHUTE_ENOMEM;
    *ret_watch = w;
    return 0;
}

void watch_free(struct watch *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->list[i].members);
    free(w->list);
    *w = (struct watch){0};
}

/* -- JSON --------------------------------------------------------------------------------- */

static chute_value *number(uint64_t n)
{
    return chute_int((int64_t)(n > INT64_MAX ? INT64_MAX : n));
}

static chute_value *number_or_none(double d)
{
    return d < 0 ? chute_none() : chute_float(d);
}

static chute_value *member_value(const struct member_view *m)
{
    const struct chute_queue_member *is = &m->is;
    char program[sizeof is->program + 1];
    const char state[2] = {m->state, '\0'};

    snprintf(program, sizeof program, "%.*s", (int)sizeof is->program,
             is->program);
    return chute_value_build(
        "{'pid': v, 'program': v, 'alive': b, 'state': s, 'attached_ns': v,"
        " 'n_put': v, 'n_got': v, 'n_putting': v, 'putting_ns': v,"
        " 'n_getting': v, 'getting_ns': v, 'put_rate': v, 'got_rate': v}",
        number(is->pid), chute_str(program), member_is_alive(m), state,
        chute_int(is->attached_ns), number(is->n_put), number(is->n_got),
        number(is->n_putting), chute_int(is->putting_ns), number(is->n_getting),
        chute_int(is->getting_ns), number_or_none(m->put_rate),
        number_or_none(m->got_rate));
}

static chute_value *members_value(const struct queue_view *view)
{
    chute_value **items = calloc(view->n_members + 1, sizeof *items);

    if (!items)
        return NULL;
    for (size_t i = 0; i < view->n_members; i++)
        items[i] = member_value(&view->members[i]);
    chute_value *v = chute_list_of(view->n_members, items);
    free(items);
    return v;
}

static chute_value *queue_value(const struct queue_view *view)
{
    const struct chute_queue_stats *s = &view->stats;

    if (view->r < 0)
        return chute_value_build("{'name': s, 'error': s, 'text': s}",
                                 view->name, chute_errname(view->r),
                                 chute_strerror(view->r));
    return chute_value_build(
        "{'name': s, 'state': s, 'hint': s, 'closed': b, 'n_items': v,"
        " 'maxsize': v, 'used': v, 'memory': v, 'reserved': v, 'oldest_ns': v,"
        " 'n_items_most': v, 'n_put': v, 'n_got': v, 'n_bytes_put': v,"
        " 'n_bytes_got': v, 'n_full_waits': v, 'n_empty_waits': v,"
        " 'n_deaths': v, 'n_gone': v, 'n_rescues': v,"
        " 'put_owner': v, 'get_owner': v, 'put_rate': v, 'got_rate': v,"
        " 'byte_rate': v, 'members': v}",
        view->name, view->state, view->hint, s->closed != 0, number(s->n_items),
        number(s->maxsize), number(s->used), number(s->memory),
        number(s->reserved), chute_int(s->oldest_ns), number(s->n_items_most),
        number(s->n_put), number(s->n_got), number(s->n_bytes_put),
        number(s->n_bytes_got), number(s->n_full_waits),
        number(s->n_empty_waits), number(s->n_deaths), number(s->n_gone),
        number(s->n_rescues), number(s->put_owner), number(s->get_owner),
        number_or_none(view->put_rate), number_or_none(view->got_rate),
        number_or_none(view->byte_rate), members_value(view));
}

void watch_print_json(const struct queue_view *view)
{
    chute_value *v = queue_value(view);
    char *text = NULL;

    if (v && json_show(v, &text) == 0)
        puts(text);
    free(text);
    chute_value_free(v);
}
