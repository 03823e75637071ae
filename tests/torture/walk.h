/* walk.h - the way of a traced operation, and how to come to any place of it.
 * See walk.c. */
#ifndef WALK_H
#define WALK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct place {
    uintptr_t pc;      /* 0: the operation has returned */
    uint32_t n_before; /* how often pc was executed before */
    uint32_t anchor;   /* the last place up to here with n_before 0 */
};

/* An instruction of the walk: how often it was executed, and whether somebody
 * has died there. */
struct instruction {
    uintptr_t pc;
    uint32_t n, first; /* times; its first place */
    bool died;
};

#define WALK_MAX_INSTRUCTIONS (1 << 14)
#define WALK_MAX_PLACES       (1 << 20)

struct walk {
    struct place *place;
    uint32_t n, n_instructions;
    uint32_t *chosen; /* by walk_choose() and walk_missed() */
    struct instruction
        census[2 * WALK_MAX_INSTRUCTIONS]; /* a hash table by pc */
};

/* Start fn traced, and let it run to `begin`. Exits with EXIT_SKIP if nobody may
 * trace here. */
pid_t walk_start(void (*fn)(void *), uintptr_t begin);

/* Step through the whole; its end is the last place. `see`, if any, is called
 * before each instruction. */
void walk_record(pid_t pid, struct walk *walk, void (*see)(uint32_t k));

/* Bring the victim to place k. Whether it is where the walk says. */
bool walk_to(pid_t pid, const struct walk *walk, uint32_t k);

/* The victim is about to be killed where it is. */
void walk_dies_here(pid_t pid, struct walk *walk);

/* The first places of those instructions at which nobody has died: into
 * walk->chosen. How many. */
uint32_t walk_missed(struct walk *walk);

/* The places where the victim is to die, in order, with every round of each loop
 * or without most of them; so many at most, unless n_max is 0. Into walk->chosen.
 * How many. */
uint32_t walk_choose(struct walk *walk, bool every_round, unsigned long n_max,
                     uint64_t seed);

#endif
