/* walk.c - the way of a traced operation, and how to come to any place of it.
 *
 * An operation is first stepped through once, and its instructions are written
 * down: that is its walk. Stepping to the k-th place anew each time would take a
 * time that grows as the square. So the victim runs freely to a breakpoint at
 * the last instruction before k that no earlier place in the walk shares, and is
 * stepped from there. Another run need not take the same way (a clock, a
 * wake-up); it is then found elsewhere than expected.
 *
 * Where not every round is wanted, an instruction that is executed again and
 * again (the loop of a copy, of polling, over all blocks) is chosen the first DENSE
 * times, and of all rounds beyond them N_SPARSE, evenly. A `rep movs` is stepped
 * through for REPEATS rounds, always.
 */
#include "walk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "torture.h"
#include "trace.h"

#define DENSE    16
#define N_SPARSE 64
#define REPEATS  64

/* The instruction's entry; a fresh one if it has none. */
static struct instruction *instruction_at(struct walk *walk, uintptr_t pc)
{
    size_t mask = 2 * WALK_MAX_INSTRUCTIONS - 1, i = (size_t)mix(pc) & mask;

    while (walk->census[i].pc && walk->census[i].pc != pc)
        i = (i + 1) & mask;
    return &walk->census[i];
}

static uint32_t census_add(struct walk *walk, uintptr_t pc, uint32_t k)
{
    struct instruction *instruction = instruction_at(walk, pc);

    if (!instruction->pc) {
        if (walk->n_instructions == WALK_MAX_INSTRUCTIONS) {
            errno = E2BIG;
            trouble("the instructions of a walk");
        }
        walk->n_instructions++;
        instruction->pc = pc;
        instruction->first = k;
    }
    return instruction->n++;
}

static void add(struct walk *walk, uintptr_t pc)
{
    if (walk->n == WALK_MAX_PLACES) {
        errno = E2BIG;
        trouble("the places of a walk");
    }
    uint32_t k = walk->n++, n_before = census_add(walk, pc, k);
    walk->place[k] = (struct place){
        .pc = pc,
        .n_before = n_before,
        .anchor = n_before || !k ? (k ? walk->place[k - 1].anchor : 0) : k};
}

static void add_end(struct walk *walk)
{
    add(walk, 1); /* nobody's address */
    walk->place[walk->n - 1].pc = 0;
    walk->n_instructions--;
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

pid_t walk_start(void (*fn)(void *), uintptr_t begin)
{
    pid_t pid = trace_start(fn, NULL);

    if (pid < 0) {
        perror("nobody may trace here");
        exit(EXIT_SKIP);
    }
    if (!trace_run_to(pid, begin)) {
        errno = ENOENT;
        trouble("the operation's beginning");
    }
    return pid;
}

void walk_record(pid_t pid, struct walk *walk, void (*see)(uint32_t k))
{
    uintptr_t pc, last = 0;
    uint32_t n_same = 0;

    /* Not from malloc: a victim's way through it depends on what its parent has
     * taken, and must be the same before and after. */
    if (!walk->place) {
        walk->place = shared_new(WALK_MAX_PLACES * sizeof walk->place[0]);
        walk->chosen = shared_new(WALK_MAX_PLACES * sizeof walk->chosen[0]);
    }
    memset(walk->census, 0, sizeof walk->census);
    walk->n = walk->n_instructions = 0;
    while ((pc = trace_pc(pid)) != 0) {
        n_same = pc == last ? n_same + 1 : 0;
        last = pc;
        add(walk, pc);
        if (see)
            see(walk->n - 1);
        step_on(pid, pc, n_same);
    }
    add_end(walk);
    if (see)
        see(walk->n - 1);
}

bool walk_to(pid_t pid, const struct walk *walk, uint32_t k)
{
    const struct place *place = &walk->place[k];
    uint32_t anchor = place->anchor, n_same = 0;
    uintptr_t pc, last = 0;

    if (place->pc == 0)
        return !trace_run_to(pid, 0);
    if (!trace_run_to(pid, walk->place[anchor].pc))
        return false;
    for (; anchor < k && (pc = trace_pc(pid)) != 0; anchor++) {
        n_same = pc == last ? n_same + 1 : 0;
        last = pc;
        step_on(pid, pc, n_same);
    }
    return trace_pc(pid) == place->pc;
}

void walk_dies_here(pid_t pid, struct walk *walk)
{
    uintptr_t pc = trace_pc(pid);
    struct instruction *instruction = instruction_at(walk, pc);

    if (pc && instruction->pc)
        instruction->died = true;
}

uint32_t walk_missed(struct walk *walk)
{
    uint32_t n = 0;

    for (size_t i = 0; i < 2 * WALK_MAX_INSTRUCTIONS; i++) {
        const struct instruction *at = &walk->census[i];
        if (at->pc > 1 && !at->died)
            walk->chosen[n++] = at->first;
    }
    return n;
}

uint32_t walk_choose(struct walk *walk, bool every_round, unsigned long n_max,
                     uint64_t seed)
{
    uint32_t n_often = 0, n = 0, often = 0;

    for (uint32_t k = 0; k < walk->n; k++)
        n_often += walk->place[k].n_before >= DENSE;
    uint32_t every = n_often / N_SPARSE + 1;
    for (uint32_t k = 0; k < walk->n; k++)
        if (every_round || walk->place[k].n_before < DENSE ||
            often++ % every == 0)
            walk->chosen[n++] = k;
    if (n_max == 0 || n <= n_max)
        return n;
    /* One, at random, of each of so many stretches. */
    uint32_t wanted = (uint32_t)n_max;
    for (uint32_t i = 0; i < wanted; i++) {
        uint64_t from = (uint64_t)i * n / wanted;
        uint64_t to = (uint64_t)(i + 1) * n / wanted;
        walk->chosen[i] = walk->chosen[from + mix(seed + i) % (to - from)];
    }
    return wanted;
}
