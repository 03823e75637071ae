/* word.h - words of 64 bits that more than one process or thread writes.
 *
 * Where a word stands for itself, and what else it tells of is ordered by a lock or
 * by other words, it is read and written like this: whole, and no more.
 */
#ifndef SHM_WORD_H
#define SHM_WORD_H

#include <stdatomic.h>
#include <stdint.h>

static inline uint64_t word_get(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static inline void word_set(_Atomic uint64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

/* Of a word that has a bit for each of up to 64 places. */
static inline uint64_t word_bit(uint32_t place)
{
    return UINT64_C(1) << place;
}

static inline void word_add_bit(_Atomic uint64_t *word, uint32_t place)
{
    atomic_fetch_or_explicit(word, word_bit(place), memory_order_relaxed);
}

static inline void word_take_bit(_Atomic uint64_t *word, uint32_t place)
{
    atomic_fetch_and_explicit(word, ~word_bit(place), memory_order_relaxed);
}

#endif
