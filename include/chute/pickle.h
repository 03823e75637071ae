/* chute/pickle.h - values as bytes, in Python's own format.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHUTE_PICKLE_H
#define CHUTE_PICKLE_H

#include "chute/common.h"
#include "chute/value.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Encode v, which is borrowed here, as a pickle that Python 3.8 and later load
 * (protocol 4). What v holds more than once is written once, and is one object
 * again when it is loaded. Free *ret_data with free(3). */
CHUTE_API int chute_dumps(const chute_value *v, void **ret_data,
                          size_t *ret_len);

/* Decode one pickle of protocol 2 to 5. Safe on hostile input: runs no code,
 * does not recurse, and allocates at most 64 bytes for each of data_len, and a
 * few KiB. Values may be of any depth, and share parts: who walks one should
 * not recurse either, and not expect to come to an end if 50 levels each hold
 * the next one twice. Bytes after the pickle's end are refused. On failure
 * only, *ret_pos (may be NULL) is the offset of the opcode, or byte, that was
 * refused.
 * Conditions: CHUTE_EPICKLE (not a pickle, or one cut off), CHUTE_ENOTPLAIN
 * (needs a class, so needs Python), CHUTE_ECYCLE, CHUTE_ELIMIT (made to be slow:
 * long equal keys, or one argument of a call, over and over). */
CHUTE_API int chute_loads(const void *data, size_t data_len,
                          chute_value **ret_value, size_t *ret_pos);

#ifdef __cplusplus
}
#endif
#endif /* CHUTE_PICKLE_H */
