/* cmd-top.c - all queues, again each second.
 *
 * One table of columns serves the screen, --batch and --sort. What is seen of a
 * queue is watch.c's, what is thought of it health.c's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "top.h"

enum { BATCH, JSON_OUT, DELAY, FRAMES, SORT, REVERSE, FILTER, LONG };

#define BATCH_WIDTH 132

static const struct option options[] = {
    {'b', "batch", NULL, "print a table each time, without a screen"},
    {'j', "json", NULL, "the same, with an object a line for each queue"},
    {'d', "delay", "TIME", "look each TIME; default 1s"},
    {'n', "number", "N", "end after N times; default: never"},
    {'s', "sort", "KEY", "sort by a column; see below"},
    {'r', "reverse", NULL, "sort the other way round"},
    {'f', "filter", "PATTERN", "only queues whose name has this, or fits it"},
    {'L', "long", "TIME", "call a wait long after TIME; default 1m"},
    {0},
};

static const char text[] =
    "KEY is one of: name, fill, depth, put, got, bytes, oldest, blocked, "
    "state.\n"
    "P/G is how many processes put and get; BLOCKED how long the one that "
    "waits\n"
    "longest has done so, in put (p) or in get (g). Queues that need a look "
    "are\n"
    "red; the line at the bottom says why.\n"
    "\n"
    "Keys: up, down, PgUp, PgDn choose a queue; Enter opens it to its "
    "processes,\n"
    "Esc closes it; s sorts by the next column, r the other way round; / "
    "filters;\n"
    "space stops and goes on; q quits.\n"
    "\n"
    "Examples:\n"
    "  chute top\n"
    "  chute top --sort depth --filter 'job*'\n"
    "  chute top --batch -n 1               a table, once\n"
    "  chute top --json -d 10s >> queues.log\n"
    "\n"
    "Exit status: 0; 130 after Ctrl-C.\n";

/* -- columns ------------------------------------------------------------------------------ */

static void show_name(const struct queue_view *v, char *buf, size_t cap)
{
    snprintf(buf, cap, "%s", v->name);
}

static double fill_of(const struct queue_view *v)
{
    double used =
        v->stats.memory ? (double)v->stats.used / (double)v->stats.memory : 0;
    double items = v->stats.maxsize
                       ? (double)v->stats.n_items / (double)v->stats.maxsize
                       : 0;

    return used > items ? used : items;
}

static void show_bar(const struct queue_view *v, int len, char *buf, size_t cap)
{
    int n = (int)(fill_of(v) * len + 0.5);

    if (n == 0 && v->stats.n_items)
        n = 1;
    if (n > len)
        n = len;
    snprintf(buf, cap, "[%.*s%.*s]", n, "####################", len - n,
             "....................");
}

static void show_fill(const struct queue_view *v, char *buf, size_t cap)
{
    show_bar(v, 6, buf, cap);
}

static void show_long_fill(const struct queue_view *v, char *buf, size_t cap)
{
    show_bar(v, 20, buf, cap);
}

static void show_depth(const struct queue_view *v, char *buf, size_t cap)
{
    char depth[UNITS_LEN], max[UNITS_LEN] = "-";
    uint64_t n = v->stats.n_items;

    if (v->stats.maxsize)
        units_show_count(max, (double)v->stats.maxsize);
    if (n < 10000 && v->stats.maxsize < 10000)
        snprintf(buf, cap, "%" PRIu64 "/%s", n, max);
    else
        snprintf(buf, cap, "%s/%s", units_show_count(depth, (double)n), max);
}

static double depth_of(const struct queue_view *v)
{
    return (double)v->stats.n_items;
}

static void show_rate(double rate, char *buf, size_t cap)
{
    char shown[UNITS_LEN];

    snprintf(buf, cap, "%s", rate < 0 ? "-" : units_show_count(shown, rate));
}

static void show_put(const struct queue_view *v, char *buf, size_t cap)
{
    show_rate(v->put_rate, buf, cap);
}

static double put_of(const struct queue_view *v)
{
    return v->put_rate;
}

static void show_got(const struct queue_view *v, char *buf, size_t cap)
{
    show_rate(v->got_rate, buf, cap);
}

static double got_of(const struct queue_view *v)
{
    return v->got_rate;
}

static void show_bytes(const struct queue_view *v, char *buf, size_t cap)
{
    if (v->byte_rate < 0)
        snprintf(buf, cap, "-");
    else
        snprintf(buf, cap, "%.1f", v->byte_rate / 1e6);
}

static double bytes_of(const struct queue_view *v)
{
    return v->byte_rate;
}

static void show_used(const struct queue_view *v, char *buf, size_t cap)
{
    char used[UNITS_LEN], memory[UNITS_LEN];

    snprintf(buf, cap, "%s/%s", units_show_size(used, (double)v->stats.used),
             units_show_size(memory, (double)v->stats.memory));
}

static void show_oldest(const struct queue_view *v, char *buf, size_t cap)
{
    char shown[UNITS_LEN];

    snprintf(buf, cap, "%s",
             v->stats.n_items ? units_show_time(shown, v->stats.oldest_ns)
                              : "-");
}

static double oldest_of(const struct queue_view *v)
{
    return v->stats.n_items ? (double)v->stats.oldest_ns : -1;
}

static void show_users(const struct queue_view *v, char *buf, size_t cap)
{
    snprintf(buf, cap, "%zu/%zu", v->n_putters, v->n_getters);
}

static double blocked_of(const struct queue_view *v)
{
    int64_t ns = v->putting_ns > v->getting_ns ? v->putting_ns : v->getting_ns;

    return v->n_putting || v->n_getting ? (double)ns : -1;
}

static void show_blocked(const struct queue_view *v, char *buf, size_t cap)
{
    char shown[UNITS_LEN];

    if (v->n_putting)
        snprintf(buf, cap, "p %s", units_show_time(shown, v->putting_ns));
    else if (v->n_getting)
        snprintf(buf, cap, "g %s", units_show_time(shown, v->getting_ns));
    else
        snprintf(buf, cap, "-");
}

static void show_state(const struct queue_view *v, char *buf, size_t cap)
{
    snprintf(buf, cap, "%s", v->state);
}

static double state_weight(const struct queue_view *v)
{
    return v->is_bad ? 2 : v->hint[0] ? 1 : 0;
}

#define WIDE 110

const struct column top_columns[] = {
    {"NAME", "name", 0, 0, 0, true, show_name, NULL},
    {"FILL", "fill", 8, 0, WIDE, true, show_fill, fill_of},
    {"FILL", NULL, 22, WIDE, 0, true, show_long_fill, fill_of},
    {"DEPTH/MAX", "depth", 11, 0, 0, false, show_depth, depth_of},
    {"USED/MEMORY", NULL, 13, WIDE, 0, false, show_used, NULL},
    {"PUT/s", "put", 6, 0, 0, false, show_put, put_of},
    {"GOT/s", "got", 6, 0, 0, false, show_got, got_of},
    {"MB/s", "bytes", 7, 90, 0, false, show_bytes, bytes_of},
    {"OLDEST", "oldest", 6, 0, 0, false, show_oldest, oldest_of},
    {"P/G", NULL, 5, 0, 0, false, show_users, NULL},
    {"BLOCKED", "blocked", 8, 0, 0, false, show_blocked, blocked_of},
    {"STATE", "state", 9, 0, 0, true, show_state, state_weight},
    {0},
};

static bool is_shown(const struct column *c, int width)
{
    return width >= c->from && (c->below == 0 || width < c->below);
}

static int name_width(int width)
{
    int rest = width;

    for (const struct column *c = top_columns; c->title; c++)
        if (c->width && is_shown(c, width))
            rest -= c->width + 1;
    return rest < 8 ? 8 : rest > 48 ? 48 : rest;
}

void top_line(const struct queue_view *view, int width, char *buf, size_t cap)
{
    size_t at = 0;

    buf[0] = '\0';
    for (const struct column *c = top_columns; c->title; c++) {
        char field[256];
        int w = c->width ? c->width : name_width(width);
        if (!is_shown(c, width))
            continue;
        if (!view)
            snprintf(field, sizeof field, "%s", c->title);
        else if (view->r < 0 && c->show != show_name && c->show != show_state)
            snprintf(field, sizeof field, "?");
        else
            c->show(view, field, sizeof field);
        int n = snprintf(buf + at, cap - at, c->left ? "%-*.*s " : "%*.*s ", w,
                         w, field);
        at += (size_t)n;
        if (at >= cap)
            break;
    }
}

static void show_member_now(const struct member_view *m, char *buf, size_t cap)
{
    char shown[UNITS_LEN];

    if (!member_is_alive(m))
        snprintf(buf, cap, "dead");
    else if (member_is_stopped(m))
        snprintf(buf, cap, "stopped");
    else if (m->is.n_putting)
        snprintf(buf, cap, "%" PRIu64 " in put, %s", m->is.n_putting,
                 units_show_time(shown, m->is.putting_ns));
    else if (m->is.n_getting)
        snprintf(buf, cap, "%" PRIu64 " in get, %s", m->is.n_getting,
                 units_show_time(shown, m->is.getting_ns));
    else
        snprintf(buf, cap, "-");
}

void top_member_line(const struct member_view *m, char *buf, size_t cap)
{
    char put_rate[UNITS_LEN], got_rate[UNITS_LEN], since[UNITS_LEN];
    char put[UNITS_LEN], got[UNITS_LEN], now[64];

    if (!m) {
        snprintf(buf, cap, "%7s %-15s %7s %7s %6s %6s %6s  %s", "PID",
                 "PROGRAM", "PUT", "GOT", "PUT/s", "GOT/s", "SINCE", "NOW");
        return;
    }
    show_rate(m->put_rate, put_rate, sizeof put_rate);
    show_rate(m->got_rate, got_rate, sizeof got_rate);
    show_member_now(m, now, sizeof now);
    snprintf(buf, cap, "%7" PRIu64 " %-15.15s %7s %7s %6s %6s %6s  %s",
             m->is.pid, m->is.program,
             units_show_count(put, (double)m->is.n_put),
             units_show_count(got, (double)m->is.n_got), put_rate, got_rate,
             units_show_time(since, m->is.attached_ns), now);
}

/* -- looking ------------------------------------------------------------------------------- */

int top_look(struct top *top)
{
    struct watch now;

    int r = watch_take(&now, NULL, &top->now);
    if (r < 0)
        return queues_complain("", r);
    watch_free(&top->before);
    top->before = top->now;
    top->now = now;
    free(top->rows);
    top->rows = calloc(now.n + 1, sizeof *top->rows);
    if (!top->rows)
        return complain("out of memory");
    top_arrange(top);
    return DONE;
}

static const struct top *sorted; /* qsort takes no argument of ours */

static int in_order(const void *va, const void *vb)
{
    const struct queue_view *a = *(const struct queue_view *const *)va;
    const struct queue_view *b = *(const struct queue_view *const *)vb;
    const struct column *column = &top_columns[sorted->sort];
    int order = 0;

    if (column->weight) { /* the largest first */
        double x = column->weight(a), y = column->weight(b);
        order = x < y ? 1 : x > y ? -1 : 0;
    }
    if (order == 0)
        order = strcmp(a->name, b->name);
    return sorted->reverse ? -order : order;
}

void top_arrange(struct top *top)
{
    top->n_rows = 0;
    for (size_t i = 0; i < top->now.n; i++) {
        const struct queue_view *view = &top->now.list[i];
        if (!top->filter[0] || strstr(view->name, top->filter) ||
            fnmatch(top->filter, view->name, 0) == 0)
            top->rows[top->n_rows++] = view;
    }
    sorted = top;
    qsort(top->rows, top->n_rows, sizeof *top->rows, in_order);
}

void top_summary(const struct top *top, char *buf, size_t cap)
{
    char free_len[UNITS_LEN] = "?", size[UNITS_LEN] = "?", clock[16];
    size_t n_members = 0, n_bad = 0;
    time_t now = time(NULL);
    struct statvfs fs;
    struct tm tm;

    for (size_t i = 0; i < top->now.n; i++) {
        n_members += top->now.list[i].n_members;
        n_bad += top->now.list[i].is_bad;
    }
    if (statvfs(queues_dir(), &fs) == 0) {
        units_show_size(size, (double)fs.f_blocks * (double)fs.f_frsize);
        units_show_size(free_len, (double)fs.f_bavail * (double)fs.f_frsize);
    }
    localtime_r(&now, &tm);
    strftime(clock, sizeof clock, "%H:%M:%S", &tm);
    snprintf(buf, cap, "%s  %zu queue%s  %zu member%s  %s left of %s", clock,
             top->now.n, top->now.n == 1 ? "" : "s", n_members,
             n_members == 1 ? "" : "s", free_len, size);
    size_t at = strlen(buf);
    if (n_bad)
        snprintf(buf + at, cap - at, "  %zu need%s a look", n_bad,
                 n_bad == 1 ? "s" : "");
}

/* -- batch --------------------------------------------------------------------------------- */

static void print_line(const struct queue_view *view)
{
    char line[512];

    top_line(view, BATCH_WIDTH, line, sizeof line);
    size_t len = strlen(line);
    while (len && line[len - 1] == ' ')
        len--;
    printf("%.*s\n", (int)len, line);
}

static void print_frame(const struct top *top, bool json)
{
    char line[512];

    if (!json) {
        top_summary(top, line, sizeof line);
        puts(line);
        print_line(NULL);
    }
    for (size_t i = 0; i < top->n_rows; i++) {
        if (json) {
            watch_print_json(top->rows[i]);
            continue;
        }
        print_line(top->rows[i]);
    }
    if (!json)
        puts("");
    fflush(stdout);
}

/* The first look is for the rates of the second. */
static int batch(struct top *top, bool json)
{
    struct timespec t = {.tv_sec = top->delay_ns / 1000000000,
                         .tv_nsec = top->delay_ns % 1000000000};
    int status = top_look(top);

    for (uint64_t i = 0; status == DONE; i++) {
        if (top->n_frames && i == top->n_frames)
            break;
        nanosleep(&t, NULL);
        if ((status = signals_status()))
            break;
        status = top_look(top);
        if (status == DONE)
            print_frame(top, json);
        if (ferror(stdout))
            break;
    }
    return status;
}

static int take_sort(struct top *top, const char *key)
{
    for (int i = 0; key && top_columns[i].title; i++)
        if (top_columns[i].key && strcmp(top_columns[i].key, key) == 0) {
            top->sort = i;
            return DONE;
        }
    return key ? misused("there is no column '%s' to sort by", key) : DONE;
}

static int take_options(const struct call *call, struct top *top)
{
    const char *const *given = call->given;
    int64_t long_ns = CHUTE_SEC(60);

    if (given[DELAY] && (!units_time(given[DELAY], &top->delay_ns) ||
                         top->delay_ns < CHUTE_MS(100)))
        return misused("'%s' is no delay: 100ms, 1, 10s", given[DELAY]);
    if (given[FRAMES] &&
        !units_count(given[FRAMES], 1, UINT64_C(1) << 53, &top->n_frames))
        return misused("'%s' is no number of times: 1, 60", given[FRAMES]);
    if (given[LONG] && !units_time(given[LONG], &long_ns))
        return misused("'%s' is no time: 5s, 1m", given[LONG]);
    health_call_long(long_ns);
    if (given[FILTER])
        snprintf(top->filter, sizeof top->filter, "%s", given[FILTER]);
    top->reverse = given[REVERSE] != NULL;
    return take_sort(top, given[SORT]);
}

static int run(const struct call *call)
{
    struct top top = {.delay_ns = CHUTE_SEC(1)};
    bool json = call->given[JSON_OUT] != NULL;

    int status = take_options(call, &top);
    if (status != DONE)
        return status;
    if (!call->given[BATCH] && !json && !isatty(STDOUT_FILENO))
        return misused("stdout is no terminal; --batch prints a table instead");
    signals_begin(false);
    status = call->given[BATCH] || json ? batch(&top, json) : top_screen(&top);
    watch_free(&top.now);
    watch_free(&top.before);
    free(top.rows);
    return status;
}

const struct verb verb_top = {
    .name = "top",
    .words = "",
    .min_words = 0,
    .max_words = 0,
    .summary = "watch all queues: who puts, who gets, who waits",
    .text = text,
    .options = options,
    .run = run,
};
