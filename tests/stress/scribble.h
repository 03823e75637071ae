/* scribble.h - what the tests against hostile memory share.
 *
 *     hostile.c  a peer scribbles while others use a queue
 *     attach.c   memory that was bad before it was handed over
 */
#ifndef SCRIBBLE_H
#define SCRIBBLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "chute.h"

static uint64_t state;

static inline uint64_t random_word(void)
{
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return state >> 17 ^ state << 30;
}

/* Numbers that a check is more likely to forget than random ones. */
static inline uint64_t likely_word(void)
{
    static const uint64_t word[] = {0,
                                    1,
                                    7,
                                    8,
                                    0x40000000,
                                    0x80000000,
                                    0xc0000000,
                                    0xffffffff,
                                    UINT64_C(1) << 32,
                                    UINT64_C(0xffffffff00000000),
                                    UINT64_MAX,
                                    65536,
                                    131072,
                                    8192,
                                    UINT64_C(0x100000002)};

    return word[random_word() % (sizeof word / sizeof word[0])];
}

/* A word of the header, or of what follows it, is not what it was. */
static inline void spoil(_Atomic uint64_t *word)
{
    switch (random_word() % 3) {
    case 0:
        atomic_fetch_xor(word, UINT64_C(1) << random_word() % 64);
        break;
    case 1:
        atomic_store(word, likely_word());
        break;
    default:
        atomic_store(word, random_word());
    }
}

/* A code that put and get may give, whatever lies in the memory. */
static inline bool is_known(int r)
{
    return r == 0 || r == CHUTE_ETIMEDOUT || r == CHUTE_ECORRUPT ||
           r == CHUTE_EMSGSIZE || r == CHUTE_ECLOSED || r == CHUTE_EOF ||
           r == CHUTE_ENOMEM || r == CHUTE_EDEADLK || r == CHUTE_EPICKLE ||
           r == CHUTE_ENOTPLAIN || r == CHUTE_ELIMIT || r == CHUTE_ECYCLE ||
           r == CHUTE_ENETNS || r == -EFBIG;
}

#endif
