/* inline.h - inline, also where the compiler would rather not.
 *
 * For the body of a loop that makes up a walk, written as a function of its own
 * to be read, and for functions that have the address of what should stay in
 * registers. All else is plain `static inline`.
 */
#ifndef BASE_INLINE_H
#define BASE_INLINE_H

#define INLINE static inline __attribute__((always_inline))

#endif
