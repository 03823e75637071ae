/* inline.h - inline, also where the compiler would rather not.
 *
 * For the body of a loop that makes up a walk, written as a function of its own
 * to be read, and for functions that have the address of what should stay in
 * registers. All else is plain `static inline`. Without optimization this is, too:
 * what counts branches shall find those of the source, and not of each copy.
 */
#ifndef BASE_INLINE_H
#define BASE_INLINE_H

#ifdef __OPTIMIZE__
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline __attribute__((unused))
#endif

#endif
