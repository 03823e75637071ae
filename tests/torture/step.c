/* step.c - a participant is killed at every instruction.
 *
 *     step [--quick] [--points N] [--rounds] [--seed N] [--only put/edge/4096]
 *
 * For each scene (scene-*.c: an operation, a state of the queue or pipe, the
 * length of the item) the operation is first stepped through once, and its
 * instructions are written down (walk.c). Then, for each place k of them (of
 * loops some rounds, or with --rounds all), a fresh victim on a fresh queue is
 * brought to its k-th instruction and killed with SIGKILL, and the survivors have
 * to go on as if nothing had been. A victim that was found elsewhere than
 * expected, for a clock or another process had it take another way, has been
 * killed all the same and is judged all the same; such are counted as strays. So
 * that they leave no hole, it is written down where each one died, and in the end
 * the instructions at which nobody did are tried again, with the others as slow
 * as they were when the walk was recorded.
 *
 * Inside of system calls nobody is killed here; soak.c does that.
 *
 * Any stall of more than the promised 100 ms is tried again at the same place: a
 * busy machine does not stall each time, a lost wake-up does.
 */
#define _GNU_SOURCE
#include <stdio.h>

#include "bill.h"
#include "plat/plat.h"
#include "torture.h"
#include "trace.h"
#include "walk.h"

#define N_REHEARSALS 3

/* How often an instruction at which nobody has died is tried again. */
#define N_TRIES 20

/* So many broken places in a scene say enough. */
#define N_BROKEN 8

static struct bill bill;

static pid_t start(const struct scene *scene, bool slowly)
{
    scene_set(scene, slowly);
    pid_t pid = walk_start(scene_play, (uintptr_t)scene_operate);
    scene_watch(pid);
    return pid;
}

static void end(pid_t pid, struct verdict *ret_verdict)
{
    int64_t death = plat_now();

    trace_kill(pid);
    scene_judge(death, ret_verdict);
}

/* A victim takes over our heap as it is, and goes another way through malloc if
 * that is not as usual. So the scene is played before it is written down. */
static void record(const struct scene *scene, struct walk *walk,
                   struct verdict *ret_verdict)
{
    pid_t pid;

    for (int i = 0; i < N_REHEARSALS; i++) {
        pid = start(scene, false);
        (void)trace_run_to(pid, 0);
        scene_crowd();
        end(pid, ret_verdict);
    }
    pid = start(scene, true);
    walk_record(pid, walk, NULL);
    scene_crowd();
    end(pid, ret_verdict);
}

/* -- one kill --------------------------------------------------------------- */

static bool kill_at(const struct scene *scene, struct walk *walk, uint32_t k,
                    bool slowly, struct verdict *ret_verdict)
{
    pid_t pid = start(scene, slowly);
    bool straight = walk_to(pid, walk, k);
    scene_crowd();
    walk_dies_here(pid, walk);
    end(pid, ret_verdict);
    return straight;
}

static void tell(const struct verdict *verdict, uint32_t k, uint32_t n)
{
    char where[64];

    snprintf(where, sizeof where, "instruction %u of %u", k, n);
    verdict_tell(verdict, where);
}

/* Whether all was well. */
static bool try_place(const struct scene *scene, struct walk *walk, uint32_t k,
                      bool slowly, struct tally *tally)
{
    struct verdict verdict;

    for (unsigned i = 0;; i++) {
        if (!kill_at(scene, walk, k, slowly, &verdict))
            tally->strays++;
        if (!tally_retries(tally, &verdict, i))
            break;
    }
    tally_add(tally, &verdict);
    if (verdict_is_bad(&verdict))
        tell(&verdict, k, walk->n);
    return !verdict_is_bad(&verdict);
}

/* -- a scene ---------------------------------------------------------------- */

static void try_all(const struct scene *scene, struct walk *walk,
                    struct tally *tally)
{
    uint32_t n = walk_choose(walk, bill.rounds, bill.points, bill.seed);
    uint32_t n_broken = 0;

    for (uint32_t i = 0; i < n && n_broken < N_BROKEN; i++)
        n_broken += !try_place(scene, walk, walk->chosen[i], false, tally);
    for (int i = 0; i < N_TRIES && !bill.points && n_broken == 0; i++) {
        n = walk_missed(walk);
        for (uint32_t j = 0; j < n && n_broken < N_BROKEN; j++)
            n_broken += !try_place(scene, walk, walk->chosen[j], true, tally);
    }
    tally->missed = bill.points ? 0 : walk_missed(walk);
}

static void play(const struct scene *scene, const char *name,
                 struct tally *total)
{
    static struct walk walk;
    struct tally tally = {.scenes = 1};
    struct verdict verdict;

    record(scene, &walk, &verdict);
    tally.steps = walk.n - 1;
    tally.instructions = walk.n_instructions;
    /* Being stepped is slow, and no survivor's fault. */
    verdict.stall_ns = 0;
    if (verdict_is_bad(&verdict)) {
        tally.wrong++;
        tell(&verdict, walk.n - 1, walk.n);
    }
    try_all(scene, &walk, &tally);
    tally_print(name, &tally);
    tally_add_up(total, &tally);
}

/* -- main ------------------------------------------------------------------- */

static bool fits(const struct scene *scene)
{
    (void)scene;
    return true;
}

static struct bill bill = {
    .program = "step",
    .seed = 1,
    .every = 1,
    .quick = {.points = 50, .every = 1},
    .fits = fits,
    .play = play,
    .legend =
        "steps: the way of the operation, loops as often as they are run; "
        "instr.: the\ndifferent instructions on it; missed: those of them at "
        "which nobody died, if all\nwere to be tried; taken: items that died "
        "with the victim that had "
        "got them"};

int main(int argc, char **argv)
{
    (void)argc;
    return bill_play(&bill, argv);
}
