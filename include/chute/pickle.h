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
 * the next one twice (or ask chute_loads_with for less). Bytes after the
 * pickle's end are refused. On failure only, *ret_pos (may be NULL) is the
 * offset of the opcode, or byte, that was refused.
 * Conditions: CHUTE_EPICKLE (not a pickle, or one cut off), CHUTE_ENOTPLAIN
 * (needs a class, so needs Python), CHUTE_ECYCLE, CHUTE_ELIMIT (made to be slow:
 * long equal keys, or one argument of a call, over and over). */
CHUTE_API int chute_loads(const void *data, size_t data_len,
                          chute_value **ret_value, size_t *ret_pos);

/* Limits. Each is 0 by default, which is none, as in chute_loads and in what
 * queues and connections decode: these take memory and time in proportion to
 * the message anyway. Limits are for a program that walks what it receives. */
struct chute_loads_options {
    uint64_t size;        /* sizeof(struct chute_loads_options) */
    uint64_t max_len;     /* bytes of the pickle */
    uint64_t max_depth;   /* levels of containers; of [[]] there are 2 */
    uint64_t max_items;   /* values in all, keys too, and those that are held
                             in several places once for each */
    uint64_t max_int_len; /* bytes of an int, as chute_value_int_bytes has it */
};

/* Why it was refused. */
struct chute_loads_report {
    uint64_t size;  /* set by the caller: sizeof(struct chute_loads_report) */
    uint64_t pos;   /* the offset of the opcode, or byte, that was refused */
    char name[240]; /* CHUTE_ENOTPLAIN: the class, "datetime.datetime", or the
                       function that makes an object of it, as the pickle has
                       it; "" if the pickle does not say, and otherwise */
};

/* The same within limits, and with a report of a failure. Either may be NULL. A
 * queue or connection hands over a message that it could not decode, and this
 * says what it would have needed. A name is UTF-8 without control characters
 * (which become ?), ended by a NUL, and cut off where it is too long.
 * Conditions: as chute_loads; CHUTE_ELIMIT for each of the limits too. */
CHUTE_API int chute_loads_with(const void *data, size_t data_len,
                               const struct chute_loads_options *options,
                               chute_value **ret_value,
                               struct chute_loads_report *ret_report);

#ifdef __cplusplus
}
#endif
#endif /* CHUTE_PICKLE_H */
