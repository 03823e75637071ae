/* wait.c - poll(2) with the manners of chute.
 *
 * What poll(2) lacks is a deadline that survives signals, and an answer for
 * those descriptors that are not open: poll ignores negative ones and reports
 * others as "ready", so that a program loops over a descriptor it has closed.
 * An end or an error counts as ready: reading will tell.
 *
 * Proof: tests/unit/test-wait.c.
 */
#include <limits.h>

#include "base/fail.h"
#include "base/mem.h"
#include "chute/error.h"
#include "chute/wait.h"
#include "plat/io.h"
#include "plat/plat.h"

/* So many fit on the stack. */
#define N_FEW 64

static int poll_until(struct pollfd *polls, size_t n, int64_t deadline)
{
    int r;

    do
        r = io_poll(polls, n, deadline);
    while (r == -EINTR);
    return r;
}

static int wait_for(struct pollfd *polls, const int *fds, bool *ready, size_t n,
                    int64_t deadline)
{
    for (size_t i = 0; i < n; i++) {
        if (fds[i] < 0)
            return fail(CHUTE_EINVAL);
        polls[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    }
    int n_ready = poll_until(polls, n, deadline);
    if (n_ready < 0)
        return n_ready;
    for (size_t i = 0; i < n; i++)
        if (polls[i].revents & POLLNVAL)
            return fail(CHUTE_EINVAL);
    for (size_t i = 0; i < n; i++)
        ready[i] = polls[i].revents != 0;
    return n_ready;
}

int chute_wait(const int *fds, bool *ready, size_t n, int64_t timeout_ns)
{
    struct pollfd few[N_FEW], *many = NULL;
    int64_t deadline;

    int r = plat_deadline(timeout_ns, &deadline);
    if (r < 0)
        return r;
    if ((n > 0 && (!fds || !ready)) || n > INT_MAX / sizeof *many)
        return fail(CHUTE_EINVAL);
    if (n > N_FEW) {
        many = mem_alloc(n * sizeof *many);
        if (!many)
            return fail(CHUTE_ENOMEM);
    }
    r = wait_for(many ? many : few, fds, ready, n, deadline);
    free(many);
    return r;
}
