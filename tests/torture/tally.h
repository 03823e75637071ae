/* tally.h - the sum of many verdicts. */
#ifndef TALLY_H
#define TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "script.h"

struct tally {
    unsigned long scenes, points, strays, retries;
    unsigned long states, steps, instructions, missed;
    unsigned long lost, doubled, torn, wrong, taken;
    int64_t stall_ns;
};

/* Whether a verdict, or a sum of them, breaks the promise. */
bool verdict_is_bad(const struct verdict *verdict);
bool tally_is_bad(const struct tally *tally);

void tally_add(struct tally *tally, const struct verdict *verdict);
void tally_add_up(struct tally *total, const struct tally *tally);

/* After try number i, from 0: whether the survivors were slow, and the place
 * should be tried again. Then it has counted that, and let time pass. */
bool tally_retries(struct tally *tally, const struct verdict *verdict,
                   unsigned i);

/* Of the table that a program prints. */
void tally_head(void);
void tally_print(const char *name, const struct tally *tally);

/* As the program's row, see torture.h; and, before it, how many instructions were
 * missed of how many there are:
 *
 *     cover: NAME MISSED INSTRUCTIONS
 */
void tally_row(const char *name, const struct tally *tally);

/* Say what was wrong at a place, say "instruction 7 of 9". */
void verdict_tell(const struct verdict *verdict, const char *where);

#endif
