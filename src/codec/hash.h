/* hash.h - hashes that a stranger cannot foresee. */
#ifndef CODEC_HASH_H
#define CODEC_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "chute/value.h"

/* Of bytes, and of one word; never 0. The same for the life of the process. */
uint64_t hash_bytes(const void *data, size_t len);
uint64_t hash_word(uint64_t word);

/* A secret odd number of this process, for hashes by multiplication. */
uint64_t hash_secret(void);

/* Of a hashable value: equal values have equal hashes, whatever their types.
 * Never 0. CHUTE_ENOMEM is possible for tuples nested deeply. */
int hash_value(const chute_value *v, uint64_t *ret_hash);

#endif
