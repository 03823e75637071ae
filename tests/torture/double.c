/* double.c - a participant is killed, and then the one who comes after him.
 *
 *     double [--quick] [--points N] [--seed N] [--only put/edge/4096]
 *
 * What a victim leaves is mended by whoever comes next: he is told of the death
 * by the lock, gives back what was reserved, does once more what was half done.
 * So he is killed too, at his instructions.
 *
 * Killing the first at every instruction would stage the same thing over and
 * over, for most instructions change nothing that others can see. So the first
 * is stepped through once, and before each instruction a number is made from all
 * that is shared: the control words, the lock words, how much memory or how many
 * bytes are held, and whether the victim's robust list names a lock. Each
 * distinct state is entered once, at the first place that shows it.
 *
 * From there the second is stepped through, and then killed at so many of his
 * places (--points, chosen as step.c chooses them), each time after a fresh
 * first victim. What must hold is what scene-queue.c and scene-conn.c say, with
 * two victims.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plat/plat.h"
#include "scene.h"
#include "tally.h"
#include "torture.h"
#include "trace.h"
#include "walk.h"

#define N_RETRIES 2

/* So many broken places in a scene say enough. */
#define N_BROKEN 8

#define N_STATES 256

#define QUICK_POINTS 4
#define QUICK_EVERY  6

static struct {
    unsigned long points; /* for each state; 0: all */
    unsigned every;       /* play one in so many scenes */
    uint64_t seed;
    const char *only;
} given = {.points = 30, .every = 1, .seed = 1};

/* -- the first's states ----------------------------------------------------- */

static struct {
    pid_t victim;
    unsigned n;
    uint64_t hash[N_STATES];
    uint32_t place[N_STATES]; /* where it was seen first */
} states;

/* What the victim's robust list names beside the list: the lock that it may own.
 * (The victim is a fork of this thread, so its list lies where ours does.) */
static uint64_t pending(void)
{
    return trace_peek(states.victim, (uintptr_t)plat_self_.pending);
}

static void see(uint32_t k)
{
    uint64_t hash = mix(scene_state() ^ (pending() != 0));

    for (unsigned i = 0; i < states.n; i++)
        if (states.hash[i] == hash)
            return;
    if (states.n == N_STATES)
        return;
    states.hash[states.n] = hash;
    states.place[states.n++] = k;
}

static pid_t start_first(const struct scene *scene, bool slowly)
{
    scene_set(scene, slowly);
    pid_t pid = walk_start(scene_play, (uintptr_t)scene_operate);
    scene_watch(pid);
    return pid;
}

static void find_states(const struct scene *scene, struct walk *walk,
                        struct tally *tally)
{
    struct verdict verdict;

    states.victim = start_first(scene, true);
    states.n = 0;
    walk_record(states.victim, walk, see);
    int64_t death = plat_now();
    trace_kill(states.victim);
    scene_judge(death, &verdict);
    if (states.n == N_STATES) {
        puts("  BROKEN: more states than double.c has room for");
        tally->wrong++;
    }
}

/* -- a pair ----------------------------------------------------------------- */

/* The first has died at its place k; the second is at its beginning. */
static pid_t start_second(const struct scene *scene, const struct walk *first,
                          uint32_t k, struct tally *tally)
{
    pid_t pid = start_first(scene, false);

    tally->strays += !walk_to(pid, first, k);
    trace_kill(pid);
    return walk_start(scene_again, (uintptr_t)scene_operate_again);
}

static void end_second(pid_t pid, struct verdict *ret_verdict)
{
    int64_t death = plat_now();

    trace_kill(pid);
    scene_judge(death, ret_verdict);
}

/* Whether all was well. */
static bool try_pair(const struct scene *scene, const struct walk *first,
                     uint32_t k, const struct walk *second, uint32_t j,
                     struct tally *tally)
{
    struct verdict verdict;
    char where[64];

    for (int i = 0;; i++) {
        pid_t pid = start_second(scene, first, k, tally);
        tally->strays += !walk_to(pid, second, j);
        end_second(pid, &verdict);
        if (verdict.stall_ns <= PROMISE_NS || i == N_RETRIES)
            break;
        tally->retries++;
    }
    tally_add(tally, &verdict);
    if (!verdict_is_bad(&verdict))
        return true;
    snprintf(where, sizeof where, "instruction %u of %u, then %u of %u", k,
             first->n, j, second->n);
    verdict_tell(&verdict, where);
    return false;
}

/* All pairs whose first half is at place k. How many were broken. */
static unsigned try_state(const struct scene *scene, const struct walk *first,
                          uint32_t k, struct tally *tally)
{
    static struct walk second;
    struct verdict verdict;
    unsigned n_broken = 0;

    pid_t pid = start_second(scene, first, k, tally);
    walk_record(pid, &second, NULL);
    end_second(pid, &verdict);
    tally->instructions += second.n - 1;
    uint32_t *place = malloc(second.n * sizeof *place);
    if (!place)
        trouble("malloc");
    uint32_t n = walk_choose(&second, given.points, given.seed, place);
    for (uint32_t i = 0; i < n && n_broken < N_BROKEN; i++)
        n_broken += !try_pair(scene, first, k, &second, place[i], tally);
    free(place);
    return n_broken;
}

static void play(const struct scene *scene, const char *name,
                 struct tally *total)
{
    static struct walk first;
    struct tally tally = {.scenes = 1};
    unsigned n_broken = 0;

    find_states(scene, &first, &tally);
    for (unsigned i = 0; i < states.n && n_broken < N_BROKEN; i++)
        n_broken += try_state(scene, &first, states.place[i], &tally);
    printf("%3u ", states.n);
    tally_print(name, &tally);
    tally_add_up(total, &tally);
}

/* -- main ------------------------------------------------------------------- */

static void play_all(const struct scene_kind *kind, struct tally *total)
{
    struct tally tally = {0};
    const struct scene *scene;
    char name[64];

    for (unsigned i = 0; (scene = scene_get(kind, i)) != NULL; i++) {
        snprintf(name, sizeof name, "%s/%s/%zu", scene->operation, scene->state,
                 scene->len);
        if (scene->twice && i % given.every == 0 &&
            (!given.only || strstr(name, given.only)))
            play(scene, name, &tally);
    }
    snprintf(name, sizeof name, "double-%s", kind->name);
    tally_row(name, &tally);
    tally_add_up(total, &tally);
}

static void take_arguments(char **argv)
{
    for (char **arg = argv + 1; *arg; arg++) {
        if (!strcmp(*arg, "--quick")) {
            given.points = QUICK_POINTS;
            given.every = QUICK_EVERY;
        } else if (arg[1] && !strcmp(*arg, "--points"))
            given.points = strtoul(*++arg, NULL, 10);
        else if (arg[1] && !strcmp(*arg, "--seed"))
            given.seed = strtoull(*++arg, NULL, 10);
        else if (arg[1] && !strcmp(*arg, "--only"))
            given.only = *++arg;
        else {
            fprintf(stderr, "usage: double [--quick] [--points N] [--seed N] "
                            "[--only operation/state/length]\n");
            exit(EXIT_TROUBLE);
        }
    }
}

int main(int argc, char **argv)
{
    struct tally total = {0};

    (void)argc;
    take_arguments(argv);
    if (!TRACE_WORKS) {
        puts("double: no tracer for this processor");
        return EXIT_SKIP;
    }
    scene_begin();
    int64_t before = plat_now();
    printf("  # ");
    tally_head();
    play_all(&scenes_of_queue, &total);
    play_all(&scenes_of_conn, &total);
    printf("    ");
    tally_print("total", &total);
    double s = (double)(plat_now() - before) * 1e-9;
    printf("%lu scenes, %lu pairs in %.0f s; %lu strays, %lu tried again; seed "
           "%llu; #: states that a first victim leaves\n",
           total.scenes, total.points, s, total.strays, total.retries,
           (unsigned long long)given.seed);
    bool broken = tally_is_bad(&total);
    puts(broken ? "double: BROKEN" : "double: the promise held");
    return broken ? EXIT_BROKEN : 0;
}
