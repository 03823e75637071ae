/* cmd-stat.c - one queue on one screen.
 *
 * For whoever is called at night: how full, since when, who puts, who gets, who
 * waits and for how long; and what is wrong, if something looks wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "tool.h"

enum { RATE, LONG, JSON_OUT };

static const struct option options[] = {
    {'r', "rate", "TIME", "watch it so long, and say how much goes through"},
    {'L', "long", "TIME", "call a wait long after TIME; default 1m"},
    {'j', "json", NULL, "print an object; times are in ns"},
    {0},
};

static const char text[] =
    "How many messages a queue holds, of how many; what went through it; the\n"
    "processes that put and get, and those that are blocked in it now. If\n"
    "something looks wrong, the last line says what, and what to do.\n"
    "\n"
    "Looking does not disturb: it takes no lock that others wait for.\n"
    "\n"
    "Examples:\n"
    "  chute stat jobs\n"
    "  chute stat jobs --rate 2s\n"
    "  chute stat jobs --json | jq '.members[] | select(.n_putting > 0).pid'\n"
    "\n"
    "Exit status: 0, whatever it shows; 6 no such queue.\n";

static void show_place(const char *name)
{
    char path[4400];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", queues_dir(), name);
    if (stat(path, &st) < 0)
        return;
    struct passwd *user = getpwuid(st.st_uid);
    printf("   %s  mode %04o  ", path, (unsigned)(st.st_mode & 0777));
    if (user)
        printf("%s\n", user->pw_name);
    else
        printf("user %lu\n", (unsigned long)st.st_uid);
}

static void show_depth(const struct chute_queue_stats *s)
{
    char used[UNITS_LEN], memory[UNITS_LEN], oldest[UNITS_LEN];
    char reserved[UNITS_LEN];

    printf("  depth    %" PRIu64, s->n_items);
    if (s->maxsize)
        printf(" of %" PRIu64, s->maxsize);
    printf(" messages, %s of %s bytes (%s reserved)",
           units_show_size(used, (double)s->used),
           units_show_size(memory, (double)s->memory),
           units_show_size(reserved, (double)s->reserved));
    if (s->n_items)
        printf(", oldest %s", units_show_time(oldest, s->oldest_ns));
    printf("\n  most     %" PRIu64 " messages at once\n", s->n_items_most);
}

static void show_totals(const struct queue_view *view)
{
    const struct chute_queue_stats *s = &view->stats;
    char put[UNITS_LEN], got[UNITS_LEN];

    printf("  totals   put %" PRIu64 " (%s bytes)  got %" PRIu64
           " (%s bytes)\n",
           s->n_put, units_show_size(put, (double)s->n_bytes_put), s->n_got,
           units_show_size(got, (double)s->n_bytes_got));
    printf("  waits    %" PRIu64 " for room, %" PRIu64 " for a message\n",
           s->n_full_waits, s->n_empty_waits);
    if (s->n_gone || s->n_deaths)
        printf("  deaths   %" PRIu64 " that used it, %" PRIu64
               " of them in the middle of a call\n",
               s->n_gone, s->n_deaths);
    if (s->n_rescues)
        printf("  rescues  %" PRIu64 " waits ended by the clock\n",
               s->n_rescues);
    if (view->put_rate >= 0 && view->got_rate >= 0)
        printf("  rates    put %s/s  got %s/s (%sB/s)\n",
               units_show_count(put, view->put_rate),
               units_show_count(got, view->got_rate),
               units_show_size((char[UNITS_LEN]){0}, view->byte_rate));
}

static void show_now(const struct member_view *m)
{
    const struct chute_queue_member *is = &m->is;
    char time[UNITS_LEN];

    if (!member_is_alive(m))
        printf("dead");
    else if (member_is_stopped(m))
        printf("stopped");
    else if (is->n_putting)
        printf("%" PRIu64 " blocked in put, %s", (uint64_t)is->n_putting,
               units_show_time(time, is->putting_ns));
    else if (is->n_getting)
        printf("%" PRIu64 " waiting in get, %s", (uint64_t)is->n_getting,
               units_show_time(time, is->getting_ns));
    else
        printf("-");
    printf("\n");
}

static void show_members(const struct queue_view *view)
{
    char since[UNITS_LEN];

    if (view->n_members == 0) {
        printf("  nobody has put or got\n");
        return;
    }
    printf("  %7s  %-15s  %10s  %10s  %7s  %s\n", "PID", "PROGRAM", "PUT",
           "GOT", "SINCE", "NOW");
    for (size_t i = 0; i < view->n_members; i++) {
        const struct chute_queue_member *m = &view->members[i].is;
        printf("  %7d  %-15.16s  %10" PRIu64 "  %10" PRIu64 "  %7s  ",
               (int)m->pid, m->program, m->n_put, m->n_got,
               units_show_time(since, m->attached_ns));
        show_now(&view->members[i]);
    }
}

static void show(const struct queue_view *view)
{
    bool colour = say_in_colour(stdout);

    printf("%s%s%s   %s%s%s", colour ? "\033[1m" : "", view->name,
           colour ? "\033[m" : "",
           !colour        ? ""
           : view->is_bad ? "\033[1;31m"
           : *view->hint  ? "\033[33m"
                          : "\033[32m",
           view->state, colour ? "\033[m" : "");
    show_place(view->name);
    show_depth(&view->stats);
    show_totals(view);
    show_members(view);
    if (*view->hint)
        printf("  hint     %s\n", view->hint);
}

/* Whether it was slept through. */
static bool sleep_for(int64_t ns)
{
    struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

    return nanosleep(&t, NULL) == 0;
}

static int stat_one(const char *name, int64_t rate_ns, bool json)
{
    struct watch before = {0}, now;

    int r = rate_ns ? watch_take(&before, name, NULL) : 0;
    if (r == 0 && rate_ns && !sleep_for(rate_ns)) {
        watch_free(&before);
        return signals_status();
    }
    if (r == 0)
        r = watch_take(&now, name, rate_ns ? &before : NULL);
    watch_free(&before);
    if (r == 0)
        r = now.list[0].r;
    else
        return queues_complain(name, r);
    int status = DONE;
    if (r < 0)
        status = queues_complain(name, r);
    else if (json)
        watch_print_json(&now.list[0]);
    else
        show(&now.list[0]);
    watch_free(&now);
    return status;
}

static int run(const struct call *call)
{
    const char *rate = call->given[RATE], *waits = call->given[LONG];
    int64_t ns = 0, long_ns = CHUTE_SEC(60);
    int worst = DONE;

    if (rate && (!units_time(rate, &ns) || ns <= 0))
        return misused("'%s' is no time to watch: 1, 0.5, 10s", rate);
    if (waits && !units_time(waits, &long_ns))
        return misused("'%s' is no time: 5s, 1m", waits);
    health_call_long(long_ns);
    signals_begin(false);
    for (int i = 0; i < call->n_words && !signals_status(); i++) {
        int status =
            stat_one(call->words[i], ns, call->given[JSON_OUT] != NULL);
        if (status != DONE)
            worst = status;
    }
    return worst;
}

const struct verb verb_stat = {
    .name = "stat",
    .words = "NAME...",
    .min_words = 1,
    .max_words = 1 << 30,
    .summary = "show one queue: how full, who uses it, what is wrong",
    .text = text,
    .options = options,
    .run = run,
};
