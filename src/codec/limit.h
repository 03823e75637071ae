/* limit.h - how deep a value is, and how much there is of it. */
#ifndef CODEC_LIMIT_H
#define CODEC_LIMIT_H

#include <stdint.h>

#include "chute/value.h"

/* Is v at most so many containers deep, and so many values in all, one that is
 * held in several places counted for each? 0 is no limit. 0, or CHUTE_ELIMIT, or
 * CHUTE_ENOMEM. Takes time by the size of v, however often parts are shared. */
int limit_check(const chute_value *v, uint64_t max_depth, uint64_t max_items);

#endif
