/* hiccup.c - how long a processor kept somebody waiting who wanted to run.
 *
 * A virtual machine's processor may stand still for many milliseconds, while
 * another machine has it, and the clock goes on. Whoever was on it was about to
 * do something: to ring, or to act on having been woken. Those on the other
 * processors cannot tell this from a wake-up that was lost. So a thread on each
 * processor does nothing but sleep for a millisecond, and notes by how much it
 * was late; what it saw, its neighbours have suffered as well.
 *
 * The method is Gil Tene's jHiccup.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "hiccup.h"
#include "plat/plat.h"
#include "torture.h"

#define NAP_NS INT64_C(1000000)

static _Atomic int64_t longest;

static void note(int64_t late)
{
    int64_t most = atomic_load(&longest);

    while (late > most && !atomic_compare_exchange_weak(&longest, &most, late))
        ;
}

static void *watch(void *unused)
{
    _Atomic uint32_t nobody_rings = 0;

    for (;;) {
        int64_t over = plat_now() + NAP_NS;
        (void)plat_wait(&nobody_rings, 0, over);
        note(plat_now() - over);
    }
    return unused;
}

void hiccup_watch(void)
{
    cpu_set_t may, set;
    pthread_attr_t attr;
    pthread_t thread;

    MUST(sched_getaffinity(0, sizeof may, &may));
    MUST(-pthread_attr_init(&attr));
    MUST(-pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED));
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET(i, &may))
            continue;
        CPU_ZERO(&set);
        CPU_SET(i, &set);
        MUST(-pthread_attr_setaffinity_np(&attr, sizeof set, &set));
        MUST(-pthread_create(&thread, &attr, watch, NULL));
    }
    pthread_attr_destroy(&attr);
}

int64_t hiccup_longest(void)
{
    return atomic_exchange(&longest, 0);
}
