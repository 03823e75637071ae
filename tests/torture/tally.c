/* tally.c - the sum of many verdicts. */
#include "tally.h"

#include <stdio.h>

#include "torture.h"

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
    total->instructions += tally->instructions;
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

void tally_head(void)
{
    printf("%-23s %7s %7s %6s %5s %7s %5s %6s %9s\n", "scene", "instr.",
           "points", "taken", "lost", "doubled", "torn", "wrong", "stall ms");
}

void tally_print(const char *name, const struct tally *tally)
{
    printf("%-23s %7lu %7lu %6lu %5lu %7lu %5lu %6lu %9.1f\n", name,
           tally->instructions, tally->points, tally->taken, tally->lost,
           tally->doubled, tally->torn, tally->wrong, ms_of(tally->stall_ns));
    fflush(stdout);
}

void tally_row(const char *name, const struct tally *tally)
{
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
