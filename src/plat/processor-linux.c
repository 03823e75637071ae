/* processor-linux.c - how many processors there are for us, and giving one up.
 *
 * What the affinity of the process allows is what counts: on a machine with many
 * processors a process that may use one cannot look on while another runs.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdatomic.h>

#include "base/fail.h"
#include "plat/plat.h"

int plat_processors(void)
{
    static _Atomic int known;
    int n = atomic_load_explicit(&known, memory_order_relaxed);
    cpu_set_t set;

    if (n == 0) {
        /* It fails where there are more than a thousand. */
        n = !fault("sched_getaffinity") &&
                    sched_getaffinity(0, sizeof set, &set) == 0
                ? CPU_COUNT(&set)
                : CPU_SETSIZE;
        atomic_store_explicit(&known, n, memory_order_relaxed);
    }
    return n;
}

void plat_yield(void)
{
    sched_yield();
}
