/* chute/wait.h - wait for several things at once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHUTE_WAIT_H
#define CHUTE_WAIT_H

#include "chute/common.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Wait until one of n descriptors, from chute_queue_wait_fd, chute_conn_fd,
 * chute_process_fd or anywhere else, is ready to be read or at its end. The
 * result is how many are, and ready[i] says which; 0 if the time ran out (ready is
 * then all false). n = 0 waits for the time alone. One that is not open is
 * CHUTE_EINVAL.
 * Blocks: until then. */
CHUTE_API int chute_wait(const int *fds, bool *ready, size_t n,
                         int64_t timeout_ns);

#ifdef __cplusplus
}
#endif
#endif /* CHUTE_WAIT_H */
