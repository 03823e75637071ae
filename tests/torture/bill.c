/* bill.c - which scenes a program plays, and what comes of them all.
 *
 * step.c and double.c play the same scenes, each in its own way. What they have
 * in common is here: the arguments, the loop, the table.
 *
 * The scenes can be dealt out among several runs (--share 2/3), so that each
 * processor has one.
 */
#include "bill.h"

#include <stdio.h>
#include <string.h>

#include "args.h"
#include "plat/plat.h"
#include "torture.h"
#include "trace.h"

static struct {
    bool quick;
    const char *only, *share, *kind;
    unsigned share_i, n_shares;
} given = {.share_i = 1, .n_shares = 1};

static void take_arguments(struct bill *bill, char **argv)
{
    const struct arg args[] = {
        {.name = "--quick", .flag = &given.quick},
        {.name = "--points", .what = "N", .number = &bill->points},
        {.name = "--rounds", .flag = &bill->rounds},
        {.name = "--every", .what = "N", .number = &bill->every},
        {.name = "--seed", .what = "N", .number = &bill->seed},
        {.name = "--kind", .what = "queue|conn|...", .text = &given.kind},
        {.name = "--only", .what = "operation/state/len", .text = &given.only},
        {.name = "--share", .what = "I/N", .text = &given.share},
        {.name = NULL}};

    args_take(bill->program, args, argv);
    if (given.quick) {
        bill->points = bill->quick.points;
        bill->every = bill->quick.every;
    }
    if (given.share &&
        (sscanf(given.share, "%u/%u", &given.share_i, &given.n_shares) != 2 ||
         given.share_i < 1 || given.share_i > given.n_shares))
        trouble("--share");
    if (bill->every == 0)
        bill->every = 1;
}

static bool is_asked_for(const struct bill *bill, const struct scene *scene,
                         const char *name, unsigned i)
{
    return bill->fits(scene) && i % bill->every == 0 &&
           i / bill->every % given.n_shares == given.share_i - 1 &&
           (!given.only || strstr(name, given.only));
}

/* All scenes of a kind, and their row. */
static void play_kind(const struct bill *bill, const struct scene_kind *kind,
                      struct tally *total)
{
    struct tally tally = {0};
    const struct scene *scene;
    char name[64];

    for (unsigned i = 0; (scene = scene_get(kind, i)) != NULL; i++) {
        snprintf(name, sizeof name, "%s/%s/%zu", scene->operation, scene->state,
                 scene->len);
        if (is_asked_for(bill, scene, name, i))
            bill->play(scene, name, &tally);
    }
    snprintf(name, sizeof name, "%s-%s", bill->program, kind->name);
    tally_row(name, &tally);
    tally_add_up(total, &tally);
}

int bill_play(struct bill *bill, char **argv)
{
    struct tally total = {0};

    take_arguments(bill, argv);
    if (!TRACE_WORKS) {
        printf("%s: no tracer for this processor\n", bill->program);
        return EXIT_SKIP;
    }
    scene_begin();
    int64_t before = plat_now();
    tally_head();
    for (const struct scene_kind *const *kind = scene_kinds; *kind; kind++)
        if (!given.kind || !strcmp(given.kind, (*kind)->name))
            play_kind(bill, *kind, &total);
    tally_print("total", &total);
    double s = (double)(plat_now() - before) * 1e-9;
    printf("%lu scenes, %lu kills in %.0f s (%.0f a minute); %lu strays, %lu "
           "tried again; seed %lu\n",
           total.scenes, total.points, s, (double)total.points * 60 / s,
           total.strays, total.retries, bill->seed);
    puts(bill->legend);
    bool broken = tally_is_bad(&total);
    printf("%s: %s\n", bill->program, broken ? "BROKEN" : "the promise held");
    return broken ? EXIT_BROKEN : 0;
}
