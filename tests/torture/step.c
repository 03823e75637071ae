/* step.c - a participant is killed at every instruction.
 *
 *     step [--quick] [--points N] [--seed N] [--only put/edge/4096]
 *
 * For each scene (scene-queue.c, scene-conn.c: an operation, a state of the
 * queue or pipe, the length of the item) the operation is first stepped through
 * once, and its instructions are written down (walk.c). Then, for each place k of
 * them, a fresh victim on a fresh queue is brought to its k-th instruction and
 * killed with SIGKILL, and the survivors have to go on as if nothing had been. A
 * victim that was found elsewhere than expected has been killed all the same and
 * is judged all the same; such are counted as strays.
 *
 * Inside of system calls nobody is killed here; soak.c does that.
 *
 * Any stall of more than the promised 100 ms is tried again twice at the same
 * place: a busy machine does not stall three times, a lost wake-up does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plat/plat.h"
#include "scene.h"
#include "tally.h"
#include "torture.h"
#include "trace.h"
#include "walk.h"

#define QUICK_POINTS 50
#define N_RETRIES    2

/* So many broken places in a scene say enough. */
#define N_BROKEN 8

static struct {
    unsigned long points; /* per scene at most; 0: all */
    uint64_t seed;
    const char *only;
} given = {.seed = 1};

static pid_t start(const struct scene *scene, bool slowly)
{
    scene_set(scene, slowly);
    pid_t pid = walk_start(scene_play, (uintptr_t)scene_operate);
    scene_watch(pid);
    return pid;
}

static void record(const struct scene *scene, struct walk *walk,
                   struct verdict *ret_verdict)
{
    pid_t pid = start(scene, true);

    walk_record(pid, walk, NULL);
    scene_crowd();
    int64_t death = plat_now();
    trace_kill(pid);
    scene_judge(death, ret_verdict);
}

/* -- one kill --------------------------------------------------------------- */

static bool kill_at(const struct scene *scene, const struct walk *walk,
                    uint32_t k, struct verdict *ret_verdict)
{
    pid_t pid = start(scene, false);
    bool straight = walk_to(pid, walk, k);
    scene_crowd();
    int64_t death = plat_now();

    trace_kill(pid);
    scene_judge(death, ret_verdict);
    return straight;
}

/* -- a scene ---------------------------------------------------------------- */

static void tell(const struct verdict *verdict, uint32_t k, uint32_t n)
{
    char where[64];

    snprintf(where, sizeof where, "instruction %u of %u", k, n);
    verdict_tell(verdict, where);
}

/* Whether all was well. */
static bool try_place(const struct scene *scene, const struct walk *walk,
                      uint32_t k, struct tally *tally)
{
    struct verdict verdict;

    for (int i = 0;; i++) {
        if (!kill_at(scene, walk, k, &verdict))
            tally->strays++;
        if (verdict.stall_ns <= PROMISE_NS || i == N_RETRIES)
            break;
        tally->retries++;
    }
    tally_add(tally, &verdict);
    if (verdict_is_bad(&verdict))
        tell(&verdict, k, walk->n);
    return !verdict_is_bad(&verdict);
}

static void play(const struct scene *scene, const char *name,
                 struct tally *total)
{
    static struct walk walk;
    struct tally tally = {0};
    struct verdict verdict;

    record(scene, &walk, &verdict);
    tally.instructions = walk.n - 1;
    /* Being stepped is slow, and no survivor's fault. */
    verdict.stall_ns = 0;
    if (verdict_is_bad(&verdict)) {
        tally.wrong++;
        tell(&verdict, walk.n - 1, walk.n);
    }
    uint32_t *place = malloc(walk.n * sizeof *place);
    if (!place)
        trouble("malloc");
    uint32_t n = walk_choose(&walk, given.points, given.seed, place),
             n_broken = 0;
    for (uint32_t i = 0; i < n && n_broken < N_BROKEN; i++)
        n_broken += !try_place(scene, &walk, place[i], &tally);
    free(place);
    tally_print(name, &tally);
    tally.scenes = 1;
    tally_add_up(total, &tally);
}

/* All scenes of a kind, and their row. */
static void play_all(const struct scene_kind *kind, struct tally *total)
{
    struct tally tally = {0};
    const struct scene *scene;
    char name[64];

    for (unsigned i = 0; (scene = scene_get(kind, i)) != NULL; i++) {
        snprintf(name, sizeof name, "%s/%s/%zu", scene->operation, scene->state,
                 scene->len);
        if (!given.only || strstr(name, given.only))
            play(scene, name, &tally);
    }
    snprintf(name, sizeof name, "step-%s", kind->name);
    tally_row(name, &tally);
    tally_add_up(total, &tally);
}

/* -- main ------------------------------------------------------------------- */

static void usage(void)
{
    fprintf(stderr, "usage: step [--quick] [--points N] [--seed N] "
                    "[--only operation/state/length]\n");
    exit(EXIT_TROUBLE);
}

static void take_arguments(char **argv)
{
    for (char **arg = argv + 1; *arg; arg++) {
        if (!strcmp(*arg, "--quick")) {
            given.points = QUICK_POINTS;
            continue;
        }
        if (!arg[1])
            usage();
        if (!strcmp(*arg, "--points"))
            given.points = strtoul(*++arg, NULL, 10);
        else if (!strcmp(*arg, "--seed"))
            given.seed = strtoull(*++arg, NULL, 10);
        else if (!strcmp(*arg, "--only"))
            given.only = *++arg;
        else
            usage();
    }
}

int main(int argc, char **argv)
{
    struct tally total = {0};

    (void)argc;
    take_arguments(argv);
    if (!TRACE_WORKS) {
        puts("step: no tracer for this processor");
        return EXIT_SKIP;
    }
    scene_begin();
    int64_t before = plat_now();
    tally_head();
    play_all(&scenes_of_queue, &total);
    play_all(&scenes_of_conn, &total);
    tally_print("total", &total);
    double s = (double)(plat_now() - before) * 1e-9;
    printf("%lu scenes, %lu kills in %.0f s (%.0f a minute); %lu strays, %lu "
           "tried again; seed %llu\n",
           total.scenes, total.points, s, (double)total.points * 60 / s,
           total.strays, total.retries, (unsigned long long)given.seed);
    puts("inside of loops sampled: an instruction's first 16 times, then 24 "
         "places in all; `taken`: died with the victim that had got them");
    bool broken = tally_is_bad(&total);
    puts(broken ? "step: BROKEN" : "step: the promise held");
    return broken ? EXIT_BROKEN : 0;
}
