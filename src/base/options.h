/* options.h - take a caller's options struct, whatever its age.
 *
 * The first field of every options struct is its size as the caller's compiler
 * saw it. options_take() copies what both sides know and settles the rest:
 *
 *   given NULL                     all zero: all defaults
 *   smaller than the first version CHUTE_EINVAL: a forgotten size
 *   shorter than ours              our later fields are zero
 *   longer, its tail all zero      accepted
 *   longer, with anything set      CHUTE_E2BIG: asks for what we do not know
 */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

/* Fill known[known_size] from `given`; first_size is the struct's size in its
 * first version. On failure *known is untouched. */
int options_take(void *known, size_t known_size, const void *given,
                 size_t first_size);

/* 0, or CHUTE_EINVAL if flags holds a bit that is not in `allowed`. */
int options_flags(uint64_t flags, uint64_t allowed);

#endif
