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

struct walk {
    struct place *place;
    uint32_t n, cap;
};

/* Start fn traced, and let it run to `begin`. Exits with EXIT_SKIP if nobody may
 * trace here. */
pid_t walk_start(void (*fn)(void *), uintptr_t begin);

/* Step through the whole; its end is the last place. `see`, if any, is called
 * before each instruction. */
void walk_record(pid_t pid, struct walk *walk, void (*see)(uint32_t k));

/* Bring the victim to place k. Whether it is where the walk says. */
bool walk_to(pid_t pid, const struct walk *walk, uint32_t k);

/* The places where the victim is to die, in order, no more than n_max, 0 being
 * all: into ret_places, which has room for walk->n. */
uint32_t walk_choose(const struct walk *walk, unsigned long n_max,
                     uint64_t seed, uint32_t *ret_places);

#endif
