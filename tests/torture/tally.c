/* tally.c - the sum of many verdicts. */
#define _GNU_SOURCE
#include "tally.h"

#include <stdio.h>
#include <unistd.h>

#include "torture.h"

/* Three more tries, after 0.2 s, 0.8 s and 3.2 s. */
#define N_RETRIES 3
#define RETRY_US  200000u

bool verdict_is_bad(const struct verdict *verdict)
{
    return verdict->lost || verdict->doubled || verdict->torn ||
           verdict->wrong || verdict->stall_ns > PROMISE_NS;
}

bool tally_is_bad(const struct tally *tally)
{
    return tally->lost || tally->doubled || tally->torn || tally->wrong ||
           tally->stall_ns > PROMISE_NS || tally->points == 0;
}

void tally_add(struct tally *tally, const struct verdict *verdict)
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

void tally_add_up(struct tally *total, const struct tally *tally)
{
    total->scenes += tally->scenes;
    total->states += tally->states;
    total->steps += tally->steps;
    total->instructions += tally->instructions;
    total->missed += tally->missed;
    total->points += tally->points;
    total->strays += tally->strays;
    total->retries += tally->retries;
    total->lost += tally->lost;
    total->doubled += tally->doubled;
    total->torn += tally->torn;
    total->wrong += tally->wrong;
    total->taken += tally->taken;
    if (tally->stall_ns > total->stall_ns)
        total->stall_ns = tally->stall_ns;
}

bool tally_retries(struct tally *tally, const struct verdict *verdict,
                   unsigned i)
{
    if (verdict->stall_ns <= PROMISE_NS || i == N_RETRIES)
        return false;
    tally->retries++;
    usleep(RETRY_US << 2 * i);
    return true;
}

void tally_head(void)
{
    printf("%-24s %6s %7s %6s %6s %7s %6s %4s %7s %4s %5s %8s\n", "scene",
           "states", "steps", "instr.", "missed", "points", "taken", "lost",
           "doubled", "torn", "wrong", "stall ms");
}

void tally_print(const char *name, const struct tally *tally)
{
    printf("%-24s %6lu %7lu %6lu %6lu %7lu %6lu %4lu %7lu %4lu %5lu %8.1f\n",
           name, tally->states, tally->steps, tally->instructions,
           tally->missed, tally->points, tally->taken, tally->lost,
           tally->doubled, tally->torn, tally->wrong, ms_of(tally->stall_ns));
    fflush(stdout);
}

void tally_row(const char *name, const struct tally *tally)
{
    if (tally->instructions)
        printf("cover: %s %lu %lu\n", name, tally->missed, tally->instructions);
    torture_row(name, tally->points, tally->lost, tally->doubled, tally->torn,
                tally->stall_ns);
}

void verdict_tell(const struct verdict *verdict, const char *where)
{
    printf("  BROKEN at %s: lost %u, doubled %u, torn %u, stall %.1f ms%s%s\n",
           where, verdict->lost, verdict->doubled, verdict->torn,
           ms_of(verdict->stall_ns), verdict->what ? ", " : "",
           verdict->what ? verdict->what : "");
}
