/* options.c - see options.h. */
#include <string.h>

#include "base/fail.h"
#include "base/options.h"
#include "chute/error.h"

int options_take(void *known, size_t known_size, const void *given,
                 size_t first_size)
{
    uint64_t given_size;

    if (!given) {
        memset(known, 0, known_size);
        return 0;
    }
    memcpy(&given_size, given, sizeof given_size);
    /* A page bounds the tail we are willing to read: no options struct is
     * larger, and a garbage size must not lead us astray. */
    if (given_size < first_size || given_size > 4096)
        return fail(CHUTE_EINVAL);
    for (size_t i = known_size; i < given_size; i++)
        if (((const unsigned char *)given)[i] != 0)
            return fail(CHUTE_E2BIG);

    size_t both = given_size < known_size ? (size_t)given_size : known_size;
    memset(known, 0, known_size);
    memcpy(known, given, both);
    return 0;
}

int options_flags(uint64_t flags, uint64_t allowed)
{
    return (flags & ~allowed) ? fail(CHUTE_EINVAL) : 0;
}
