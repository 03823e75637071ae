/* repeat.h - walk a value with shared parts, within bounds.
 *
 * A hundred bytes of pickle can say [x, x] of [x, x] of ..., thirty deep: a
 * handful of lists, and 2^30 items for whoever walks them as a tree. A walk
 * cannot take longer than its value is large, unless it comes to the same box
 * again. So the first visit to a box is free, however large the box, and what
 * is done beneath a box on a later visit is counted. Beyond REPEAT_MAX items
 * the walk ends with CHUTE_ELIMIT.
 *
 * Whether a box was seen before is asked only of those that have more than one
 * reference, which in most values none has; then it costs nothing.
 *
 * A long str counts as a box does: a unit for every 64 bytes.
 */
#ifndef CODEC_REPEAT_H
#define CODEC_REPEAT_H

#include "base/fail.h"
#include "chute/error.h"
#include "codec/map.h"
#include "codec/value.h"

#ifndef REPEAT_MAX /* smaller when fuzzing */
#define REPEAT_MAX (UINT64_C(1) << 24)
#endif
#define REPEAT_UNIT 64

struct repeat {
    struct map seen;
    uint64_t left;
};

/* We come to v; *repeat says whether we are beneath a box seen before, and is
 * set if v itself was. 0, or CHUTE_ENOMEM. */
static inline int repeat_enter(struct repeat *r, const struct chute_value *v,
                               bool *repeat)
{
    uint64_t *entry;

    if (*repeat || !value_is_shared(v))
        return 0;
    int is_new = map_put(&r->seen, (uintptr_t)v, &entry);
    if (is_new < 0)
        return is_new;
    *repeat = !is_new;
    return 0;
}

static inline int repeat_charge(struct repeat *r, uint64_t n_units)
{
    if (n_units > r->left)
        return fail(CHUTE_ELIMIT);
    r->left -= n_units;
    return 0;
}

static inline void repeat_end(struct repeat *r)
{
    map_end(&r->seen);
}

#endif
