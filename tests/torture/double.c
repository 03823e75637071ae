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
#include <string.h>

#include "bill.h"
#include "plat/plat.h"
#include "torture.h"
#include "trace.h"
#include "walk.h"

/* So many broken places in a scene say enough. */
#define N_BROKEN 8

#define N_STATES 256

static struct bill bill;

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

    for (unsigned i = 0;; i++) {
        pid_t pid = start_second(scene, first, k, tally);
        tally->strays += !walk_to(pid, second, j);
        end_second(pid, &verdict);
        if (!tally_retries(tally, &verdict, i))
            break;
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
    tally->steps += second.n - 1;
    tally->states++;
    uint32_t n = walk_choose(&second, bill.rounds, bill.points, bill.seed);
    for (uint32_t i = 0; i < n && n_broken < N_BROKEN; i++)
        n_broken +=
            !try_pair(scene, first, k, &second, second.chosen[i], tally);
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
    tally_print(name, &tally);
    tally_add_up(total, &tally);
}

/* -- main ------------------------------------------------------------------- */

static bool fits(const struct scene *scene)
{
    return scene->twice;
}

static struct bill bill = {
    .program = "double",
    .points = 30,
    .seed = 1,
    .every = 1,
    .quick = {.points = 4, .every = 6},
    .fits = fits,
    .play = play,
    .legend = "states: those that a first victim leaves; steps: the way of the "
              "second, from each\nof them; points: pairs"};

int main(int argc, char **argv)
{
    (void)argc;
    return bill_play(&bill, argv);
}
