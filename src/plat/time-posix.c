/* time-posix.c - the clock and the deadlines made from it.
 *
 * CLOCK_MONOTONIC: a step of the wall clock bends no timeout. A caller's
 * timeout becomes a deadline once, at the public door, and is handed down as
 * such; so one number bounds lock, wait and copy together.
 */
#define _GNU_SOURCE /* CLOCK_MONOTONIC_COARSE */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "base/fail.h"
#include "plat/plat.h"

static int64_t read_clock(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t plat_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t plat_now_coarse(void)
{
#ifdef CLOCK_MONOTONIC_COARSE
    return read_clock(CLOCK_MONOTONIC_COARSE);
#else
    return plat_now();
#endif
}

int plat_deadline(int64_t timeout_ns, int64_t *ret_deadline)
{
    if (timeout_ns < -1)
        return fail(-EINVAL);
    if (timeout_ns == -1) {
        *ret_deadline = PLAT_NEVER;
        return 0;
    }
    if (timeout_ns == 0) {
        /* "Now" needs no clock: any moment in the past will do. */
        *ret_deadline = 0;
        return 0;
    }
    int64_t now = plat_now();
    *ret_deadline =
        timeout_ns > PLAT_NEVER - 1 - now ? PLAT_NEVER : now + timeout_ns;
    return 0;
}

size_t plat_page(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void plat_close(int fd)
{
    /* On Linux, and by POSIX 2024, the descriptor is gone even after EINTR. */
    (void)close(fd);
}
