/* chute.h - processes, queues and pipes over shared memory, for plain data.
 *
 * SPDX-License-Identifier: MIT
 *
 * Conventions. They hold for every function; a function's own comment says
 * what it does and where it differs.
 *
 *   Result      0, or a negative CHUTE_E code. Counts and flags are >= 0.
 *   Conditions  Codes listed as "Conditions:" belong to normal operation:
 *               handle them. Any other code means that the call cannot work:
 *               pass it up.
 *   Outputs     A parameter called ret_x is written on success only. (But the
 *               value of a get or recv is written always, and to be freed
 *               always: see there.)
 *   Ownership   A chute_value * passed in is consumed, on failure too; NULL is
 *               answered with CHUTE_ENOMEM, so a constructor may stand in the
 *               call. Other inputs are borrowed for the call. What comes out
 *               of ret_x is the caller's to free.
 *   Time        timeout_ns is relative, monotonic, in nanoseconds, and the
 *               last parameter: CHUTE_NOWAIT, CHUTE_FOREVER, CHUTE_MS(250).
 *               It bounds the whole call. Below -1 it is CHUTE_EINVAL.
 *   Lengths     x_len is in bytes, n_x in items. No string but a name or an
 *               address ends at a NUL unless its comment says so.
 *   Threads     Any number of threads may use one handle at once. To free a
 *               handle that another thread is using is the caller's error.
 *   Fork        A handle stays valid in a child, made here or by fork(2); each
 *               process frees its own. Exception: chute_process, which only
 *               the parent may use (CHUTE_ECHILD).
 *   Signals     Not async-signal-safe. A wait that a handler interrupts goes
 *               on for the rest of its time, unless the handle was made
 *               CHUTE_INTERRUPTIBLE; then it gives CHUTE_EINTR, and nothing
 *               was taken or given. A handler that runs just before the call
 *               sleeps, or as it looks up (on a queue every 50 ms), may go
 *               unnoticed: let it set a flag, and look at it after a timeout.
 *   Death       A process that dies in the middle of a call, by SIGKILL too,
 *               leaves the object usable, and its call happened or did not.
 *   NULL        A handle is never NULL (CHUTE_EINVAL); *_free(NULL) does
 *               nothing.
 */
#ifndef CHUTE_H
#define CHUTE_H

#include "chute/common.h"
#include "chute/error.h"
#include "chute/value.h"
#include "chute/pickle.h"
#include "chute/queue.h"
#include "chute/conn.h"
#include "chute/handle.h"
#include "chute/process.h"
#include "chute/wait.h"

#endif /* CHUTE_H */
