/* chute/common.h - what every other header needs: time, options, version.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHUTE_COMMON_H
#define CHUTE_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CHUTE_API __attribute__((visibility("default")))

/* -- version --------------------------------------------------------------- */

#define CHUTE_VERSION_MAJOR 0
#define CHUTE_VERSION_MINOR 1
#define CHUTE_VERSION_PATCH 0

/* The version of the library that is running, "0.1.0". Static. */
CHUTE_API const char *chute_version(void);

/* -- time ------------------------------------------------------------------ */

/* Timeouts, in ns. CHUTE_SEC(1.5) is one and a half seconds. */
#define CHUTE_NOWAIT  INT64_C(0)
#define CHUTE_FOREVER INT64_C(-1)
#define CHUTE_MS(n)   ((int64_t)((n)*INT64_C(1000000)))
#define CHUTE_SEC(n)  ((int64_t)((n)*INT64_C(1000000000)))

/* -- options ---------------------------------------------------------------
 *
 * An options struct begins with its own size, has no padding, grows at the end
 * only, and means "default" wherever it is zero. NULL means all defaults. A
 * library given a struct larger than it knows accepts it if the unknown part
 * is all zero, and answers CHUTE_E2BIG if it is not; one smaller than the
 * struct's first version is CHUTE_EINVAL, which catches a forgotten size.
 *
 *     chute_queue_new(&q, CHUTE_OPTIONS(chute_queue_options, .maxsize = 64));
 *
 * (The macro makes a compound literal, which is C; C++ fills a variable.)
 */
#define CHUTE_OPTIONS(type, ...)                                               \
    (&(const struct type){.size = sizeof(struct type), __VA_ARGS__})

/* Flags, for the `flags` of an options struct. Each struct names those that it
 * knows; any other bit is CHUTE_EINVAL. */
#define CHUTE_INTERRUPTIBLE (UINT64_C(1) << 0) /* a signal ends a wait */
#define CHUTE_ONEWAY        (UINT64_C(1) << 1) /* chute_pipe: one direction */
#define CHUTE_DAEMON        (UINT64_C(1) << 2) /* process: dies with parent */
#define CHUTE_CREATE        (UINT64_C(1) << 3) /* open: make it if need be */
#define CHUTE_EXCLUSIVE     (UINT64_C(1) << 4) /* and only if it is not there */

#ifdef __cplusplus
}
#endif
#endif /* CHUTE_COMMON_H */
