/* cmd-ls.c - which queues there are.
 */
#define _GNU_SOURCE
#include <fnmatch.h>
#include <inttypes.h>

#include "tool.h"

enum { LONG, JSON_OUT };

static const struct option options[] = {
    {'l', "long", NULL, "how full each is, who uses it, what is wrong"},
    {'j', "json", NULL, "an object a line, as of 'chute stat'"},
    {0},
};

static const char text[] =
    "Prints names, sorted, one a line; those that fit one of the PATTERNs, in\n"
    "which * and ? stand for letters, if there are any.\n"
    "\n"
    "Examples:\n"
    "  chute ls\n"
    "  chute ls -l 'job*'\n"
    "  chute ls --json | jq -r 'select(.n_items > 1000) | .name'\n"
    "\n"
    "Exit status: 0, also if there is none.\n";

static bool is_wanted(const struct call *call, const char *name)
{
    for (int i = 0; i < call->n_words; i++)
        if (fnmatch(call->words[i], name, 0) == 0)
            return true;
    return call->n_words == 0;
}

static int print_names(const struct call *call)
{
    chute_value *names;

    int r = chute_queue_list(&names);
    if (r < 0)
        return queues_complain("", r);
    for (size_t i = 0; i < chute_value_len(names); i++) {
        const char *name = chute_value_str(chute_value_at(names, i));
        if (is_wanted(call, name))
            puts(name);
    }
    chute_value_free(names);
    return DONE;
}

static void print_long(const struct queue_view *view)
{
    const struct chute_queue_stats *s = &view->stats;
    char used[UNITS_LEN], oldest[UNITS_LEN] = "-", max[24] = "-";

    if (view->r < 0) {
        printf("%8s %8s %7s %7s %3s %3s  %-9s  %s: %s\n", "?", "?", "?", "?",
               "?", "?", view->state, view->name, chute_strerror(view->r));
        return;
    }
    if (s->maxsize)
        snprintf(max, sizeof max, "%" PRIu64, s->maxsize);
    if (s->n_items)
        units_show_time(oldest, s->oldest_ns);
    printf("%8" PRIu64 " %8s %7s %7s %3zu %3zu  %-9s  %s\n", s->n_items, max,
           units_show_size(used, (double)s->used), oldest, view->n_putters,
           view->n_getters, view->state, view->name);
}

static int run(const struct call *call)
{
    struct watch watch;

    if (!call->given[LONG] && !call->given[JSON_OUT])
        return print_names(call);
    int r = watch_take(&watch, NULL, NULL);
    if (r < 0)
        return queues_complain("", r);
    if (!call->given[JSON_OUT])
        printf("%8s %8s %7s %7s %3s %3s  %-9s  %s\n", "MESSAGES", "MAXSIZE",
               "USED", "OLDEST", "PUT", "GET", "STATE", "NAME");
    for (size_t i = 0; i < watch.n; i++) {
        if (!is_wanted(call, watch.list[i].name))
            continue;
        if (call->given[JSON_OUT])
            watch_print_json(&watch.list[i]);
        else
            print_long(&watch.list[i]);
    }
    watch_free(&watch);
    return DONE;
}

const struct verb verb_ls = {
    .name = "ls",
    .words = "[PATTERN...]",
    .min_words = 0,
    .max_words = 1 << 30,
    .summary = "list queues",
    .text = text,
    .options = options,
    .run = run,
};
