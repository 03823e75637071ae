/* step.c - a participant is killed at every instruction.
 *
 *     step [--quick] [--points N] [--seed N] [--only put/edge/4096]
 *
 * For each scene (scene.c: an operation, a state of the queue, the length of
 * the item) the operation is first stepped through once, and its instructions
 * are written down: that is its trace. Then, for each place k in the trace, a
 * fresh victim on a fresh queue is brought to its k-th instruction and killed
 * with SIGKILL, and the survivors have to go on as if nothing had been.
 *
 * Stepping to k anew each time would take a time that grows as the square. So
 * the victim runs freely to a breakpoint at the last instruction before k that
 * no earlier place in the trace shares, and is stepped from there. Another run
 * need not take the same way (a clock, a wake-up): a victim that was found
 * elsewhere than expected has been killed all the same and is judged all the
 * same; such are counted as strays.
 *
 * What is left out: an instruction that is executed again and again (the loop
 * of a copy, of polling) is a kill point the first DENSE times, then N_SPARSE
 * times in all, evenly. A `rep movs` is stepped through for REPEATS rounds.
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
#include "torture.h"
#include "trace.h"

#define DENSE    16
#define N_SPARSE 24
#define REPEATS  64

#define QUICK_POINTS 120
#define N_RETRIES    2

/* So many broken places in a scene say enough. */
#define N_BROKEN 8

static struct {
    unsigned long points; /* per scene at most; 0: all */
    uint64_t seed;
    const char *only;
} given = {.seed = 1};

/* -- the trace of an operation ---------------------------------------------- */

struct place {
    uintptr_t pc;
    uint32_t n_before; /* how often pc was executed before */
    uint32_t anchor;   /* the last place up to here with n_before 0 */
};

struct trace {
    struct place *place;
    uint32_t n, cap;
};

/* How often each instruction was executed: a hash table by pc. */
static struct {
    uintptr_t pc;
    uint32_t n;
} census[1 << 16];

static uint32_t census_add(uintptr_t pc)
{
    size_t mask = sizeof census / sizeof census[0] - 1;
    size_t i = (size_t)mix(pc) & mask;

    while (census[i].pc && census[i].pc != pc)
        i = (i + 1) & mask;
    census[i].pc = pc;
    return census[i].n++;
}

static void trace_add(struct trace *trace, uintptr_t pc)
{
    if (trace->n == trace->cap) {
        trace->cap = trace->cap ? 2 * trace->cap : 4096;
        trace->place =
            realloc(trace->place, trace->cap * sizeof trace->place[0]);
        if (!trace->place)
            trouble("realloc");
    }
    uint32_t n_before = census_add(pc), k = trace->n++;
    trace->place[k] = (struct place){
        .pc = pc,
        .n_before = n_before,
        .anchor = n_before || !k ? (k ? trace->place[k - 1].anchor : 0) : k};
}

static pid_t start(const struct scene *scene, bool slowly)
{
    scene_set(scene, slowly);
    pid_t pid = trace_start(scene_play, NULL);
    if (pid < 0) {
        perror("step: nobody may trace here");
        exit(EXIT_SKIP);
    }
    if (!trace_run_to(pid, (uintptr_t)scene_operate)) {
        errno = ENOENT;
        trouble("the operation's beginning");
    }
    return pid;
}

/* One step; a long repetition is run through. */
static void step_on(pid_t pid, uintptr_t pc, uint32_t n_same)
{
    uintptr_t behind = n_same > REPEATS ? trace_behind_repeat(pid, pc) : 0;

    if (behind)
        trace_run_to(pid, behind);
    else
        trace_step(pid);
}

/* Step through the whole; its end is the last place, with pc 0. */
static void record(const struct scene *scene, struct trace *trace,
                   struct verdict *ret_verdict)
{
    pid_t pid = start(scene, true);
    uintptr_t pc, last = 0;
    uint32_t n_same = 0;

    memset(census, 0, sizeof census);
    trace->n = 0;
    while ((pc = trace_pc(pid)) != 0) {
        n_same = pc == last ? n_same + 1 : 0;
        last = pc;
        trace_add(trace, pc);
        step_on(pid, pc, n_same);
    }
    trace_add(trace, 1); /* nobody's address: the end */
    trace->place[trace->n - 1].pc = 0;
    scene_crowd();
    int64_t death = plat_now();
    trace_kill(pid);
    scene_judge(death, ret_verdict);
}

/* -- one kill --------------------------------------------------------------- */

/* Bring the victim to place k. Whether it is where the trace says. */
static bool go_to(pid_t pid, const struct trace *trace, uint32_t k)
{
    const struct place *place = &trace->place[k];
    uint32_t anchor = place->anchor;

    if (place->pc == 0)
        return !trace_run_to(pid, 0);
    if (!trace_run_to(pid, trace->place[anchor].pc))
        return false;
    for (; anchor < k && trace_pc(pid) != 0; anchor++)
        trace_step(pid);
    return trace_pc(pid) == place->pc;
}

static bool kill_at(const struct scene *scene, const struct trace *trace,
                    uint32_t k, struct verdict *ret_verdict)
{
    pid_t pid = start(scene, false);
    bool straight = go_to(pid, trace, k);
    scene_crowd();
    int64_t death = plat_now();

    trace_kill(pid);
    scene_judge(death, ret_verdict);
    return straight;
}

/* -- a scene ---------------------------------------------------------------- */

struct tally {
    unsigned long scenes, instructions, points, strays, retries;
    unsigned long lost, doubled, torn, wrong, taken;
    int64_t stall_ns;
};

static bool is_bad(const struct verdict *verdict)
{
    return verdict->lost || verdict->doubled || verdict->torn ||
           verdict->wrong || verdict->stall_ns > PROMISE_NS;
}

static void tell(const struct verdict *verdict, uint32_t k, uint32_t n)
{
    printf("  BROKEN at instruction %u of %u: lost %u, doubled %u, torn %u, "
           "stall %.1f ms%s%s\n",
           k, n, verdict->lost, verdict->doubled, verdict->torn,
           ms_of(verdict->stall_ns), verdict->what ? ", " : "",
           verdict->what ? verdict->what : "");
}

static void add(struct tally *tally, const struct verdict *verdict)
{
    tally->points++;
    tally->lost += verdict->lost;
    tally->doubled += verdict->doubled;
    tally->torn += verdict->torn;
    tally->wrong += verdict->wrong;
    tally->taken += verdict->taken;
    if (verdict->stall_ns > tally->stall_ns)
        tally->stall_ns = verdict->stall_ns;
}

/* Whether all was well. */
static bool try_place(const struct scene *scene, const struct trace *trace,
                      uint32_t k, struct tally *tally)
{
    struct verdict verdict;

    for (int i = 0;; i++) {
        if (!kill_at(scene, trace, k, &verdict))
            tally->strays++;
        if (verdict.stall_ns <= PROMISE_NS || i == N_RETRIES)
            break;
        tally->retries++;
    }
    add(tally, &verdict);
    if (is_bad(&verdict))
        tell(&verdict, k, trace->n);
    return !is_bad(&verdict);
}

/* The places where the victim is to die, in order. */
static uint32_t choose(const struct trace *trace, uint32_t *ret_places)
{
    uint32_t n_often = 0, n = 0, often = 0;

    for (uint32_t k = 0; k < trace->n; k++)
        n_often += trace->place[k].n_before >= DENSE;
    uint32_t every = n_often / N_SPARSE + 1;
    for (uint32_t k = 0; k < trace->n; k++)
        if (trace->place[k].n_before < DENSE || often++ % every == 0)
            ret_places[n++] = k;
    if (given.points == 0 || n <= given.points)
        return n;
    /* One, at random, of each of so many stretches. */
    uint32_t wanted = (uint32_t)given.points;
    for (uint32_t i = 0; i < wanted; i++) {
        uint64_t from = (uint64_t)i * n / wanted;
        uint64_t to = (uint64_t)(i + 1) * n / wanted;
        ret_places[i] = ret_places[from + mix(given.seed + i) % (to - from)];
    }
    return wanted;
}

static void print_row(const char *name, const struct tally *tally)
{
    printf("%-18s %7lu %7lu %6lu %5lu %7lu %5lu %6lu %9.1f\n", name,
           tally->instructions, tally->points, tally->taken, tally->lost,
           tally->doubled, tally->torn, tally->wrong, ms_of(tally->stall_ns));
    fflush(stdout);
}

static void play(const struct scene *scene, const char *name,
                 struct tally *total)
{
    static struct trace trace;
    struct tally tally = {0};
    struct verdict verdict;

    record(scene, &trace, &verdict);
    tally.instructions = trace.n - 1;
    /* Being stepped is slow, and no survivor's fault. */
    verdict.stall_ns = 0;
    if (is_bad(&verdict)) {
        tally.wrong++;
        tell(&verdict, trace.n - 1, trace.n);
    }
    uint32_t *place = malloc(trace.n * sizeof *place);
    if (!place)
        trouble("malloc");
    uint32_t n = choose(&trace, place), n_broken = 0;
    for (uint32_t i = 0; i < n && n_broken < N_BROKEN; i++)
        n_broken += !try_place(scene, &trace, place[i], &tally);
    free(place);
    print_row(name, &tally);
    total->scenes++;
    total->instructions += tally.instructions;
    total->points += tally.points;
    total->strays += tally.strays;
    total->retries += tally.retries;
    total->lost += tally.lost;
    total->doubled += tally.doubled;
    total->torn += tally.torn;
    total->wrong += tally.wrong;
    total->taken += tally.taken;
    if (tally.stall_ns > total->stall_ns)
        total->stall_ns = tally.stall_ns;
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
    const struct scene *scene;
    char name[64];

    (void)argc;
    take_arguments(argv);
    if (!TRACE_WORKS) {
        puts("step: no tracer for this processor");
        return EXIT_SKIP;
    }
    scene_begin();
    int64_t before = plat_now();
    printf("%-18s %7s %7s %6s %5s %7s %5s %6s %9s\n", "scene", "instr.",
           "points", "taken", "lost", "doubled", "torn", "wrong", "stall ms");
    for (unsigned i = 0; (scene = scene_get(i)) != NULL; i++) {
        snprintf(name, sizeof name, "%s/%s/%zu", scene->operation, scene->state,
                 scene->len);
        if (!given.only || strstr(name, given.only))
            play(scene, name, &total);
    }
    print_row("total", &total);
    double s = (double)(plat_now() - before) * 1e-9;
    printf("%lu scenes, %lu kills in %.0f s (%.0f a minute); %lu strays, %lu "
           "tried again; seed %llu\n",
           total.scenes, total.points, s, (double)total.points * 60 / s,
           total.strays, total.retries, (unsigned long long)given.seed);
    puts("inside of loops sampled: an instruction's first 16 times, then 24 "
         "places in all; `taken`: died with the victim that had got them");
    bool broken = total.lost || total.doubled || total.torn || total.wrong ||
                  total.stall_ns > PROMISE_NS || total.points == 0;
    puts(broken ? "step: BROKEN" : "step: the promise held");
    return broken ? EXIT_BROKEN : 0;
}
