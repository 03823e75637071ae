/* compare.h - equality by Python's rules. */
#ifndef CODEC_COMPARE_H
#define CODEC_COMPARE_H

#include "codec/repeat.h"

/* One comparison, or a series of them that share a bound. */
struct compare {
    struct repeat budget;
    unsigned depth; /* of keys that are compared while comparing */
    bool repeat;    /* count everything */
};

/* Every step counted, `max` in all: for building a table of keys that may have
 * been chosen to make it slow. Owns nothing, needs no compare_end(). */
static inline struct compare compare_counted(uint64_t max)
{
    return (struct compare){.budget.left = max, .repeat = true};
}

/* Only what is repeated is counted. */
static inline struct compare compare_begin(void)
{
    return (struct compare){.budget.left = REPEAT_MAX};
}

static inline void compare_end(struct compare *c)
{
    repeat_end(&c->budget);
}

/* As items of a container: 1 if a is b or a == b, otherwise 0; CHUTE_ELIMIT,
 * CHUTE_ENOMEM. */
int compare_items(const chute_value *a, const chute_value *b,
                  struct compare *c);

/* The same for two hashable values, with a look at their hashes first. */
int compare_keys(const chute_value *a, const chute_value *b, struct compare *c);

#endif
