/* chute/error.h - what a negative result means.
 *
 * SPDX-License-Identifier: MIT
 *
 * A code is errno's own value, negated, where errno has one that says it; the
 * codes below -4096 have no errno value (the kernel's own end at -4095). Any
 * negative errno value may come back from a function that asks the system for
 * something; those named here are the ones that chute itself decides on.
 */
#ifndef CHUTE_ERROR_H
#define CHUTE_ERROR_H

#include <errno.h>

#include "chute/common.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, value, text): the one list from which the codes, their names and
 * their texts are made. */
#define CHUTE_ERRORS(X)                                                        \
    X(E2BIG, -E2BIG, "options made for a newer chute")                         \
    X(EACCES, -EACCES, "permission denied")                                    \
    X(EAGAIN, -EAGAIN, "a limit of the system is reached")                     \
    X(EBUSY, -EBUSY, "somebody has it open")                                   \
    X(ECHILD, -ECHILD, "not a child of this process")                          \
    X(EDEADLK, -EDEADLK, "called from a signal handler inside the same call")  \
    X(EEXIST, -EEXIST, "the name is taken")                                    \
    X(EINTR, -EINTR, "interrupted by a signal")                                \
    X(EINVAL, -EINVAL, "an argument is out of its range")                      \
    X(EMFILE, -EMFILE, "no descriptors left")                                  \
    X(EMSGSIZE, -EMSGSIZE, "the message is larger than its place")             \
    X(ENOENT, -ENOENT, "nothing has that name")                                \
    X(ENOMEM, -ENOMEM, "out of memory, private or shared")                     \
    X(ENOSPC, -ENOSPC,                                                         \
      "the file system is full: enlarge /dev/shm, or set CHUTE_DIR")           \
    X(ENOTEMPTY, -ENOTEMPTY, "there are items in it")                          \
    X(EPIPE, -EPIPE, "nobody is left to receive")                              \
    X(EPROTO, -EPROTO, "the peer does not speak the message format")           \
    X(ETIMEDOUT, -ETIMEDOUT, "the time is up")                                 \
    X(EOF, -4096, "closed, and everything has been taken")                     \
    X(ECLOSED, -4097, "the queue is closed")                                   \
    X(ECORRUPT, -4098, "the shared memory was overwritten")                    \
    X(ELAYOUT, -4099, "the shared memory has another layout")                  \
    X(EPICKLE, -4100, "not a pickle")                                          \
    X(ENOTPLAIN, -4101, "the pickle needs a class")                            \
    X(ECYCLE, -4102, "the value contains itself")                              \
    X(ELIMIT, -4103, "the value is too deep, too large or too long")           \
    X(EPARTIAL, -4104, "a message was cut off in the middle")                  \
    X(ENAMESPACE, -4105, "the process is in another PID namespace")            \
    X(EKIND, -4106, "what comes next is of another kind")                      \
    X(ESHAPE, -4107, "the value has another shape")                            \
    X(ESYNTAX, -4108, "not a Python literal")                                  \
    X(EOVERSIZE, -4110, "the peer announces more than max_message allows")     \
    X(EAUTH, -4111, "one of the two sides does not know the other's key")      \
    X(EDIGEST, -4112,                                                          \
      "the peer knows HMAC-MD5 only: CHUTE_MD5 would allow it")                \
    X(ENETNS, -4113, "one who waits for it is in another network namespace")

enum {
#define CHUTE_ERROR_(name, value, text) CHUTE_##name = (value),
    CHUTE_ERRORS(CHUTE_ERROR_)
#undef CHUTE_ERROR_
};

/* The text of a code, "the time is up", and its name, "CHUTE_ETIMEDOUT". Zero
 * and positive numbers are "success" and "0"; a negative errno value that is
 * not listed above gives the system's own text and name. Static, never NULL.
 * Signals: async-signal-safe. */
CHUTE_API const char *chute_strerror(int code);
CHUTE_API const char *chute_errname(int code);

#ifdef __cplusplus
}
#endif
#endif /* CHUTE_ERROR_H */
