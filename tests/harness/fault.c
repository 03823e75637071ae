/* fault.c - make the n-th request that the library has of the system fail.
 *
 * fault() is asked at every such place (base/fail.h) and numbers the requests
 * as they come, over all threads. A loop (FAULT_LOOP in test.h) arms it with
 * n = 1, 2, 3 ... and ends when a run comes to its end without having met the
 * n-th request: then every error path that the body can take has been taken.
 *
 * The state lies in a page that the forks share, so that a child can take part
 * in the numbering, and so that the runner can tell, when the test has crashed,
 * which refusal it did not survive. A child takes part only if the loop says
 * so: it would otherwise be refused at random, since its steps and its parent's
 * come in no fixed order.
 *
 * Everything is relaxed. Nothing needs more, for a loop arms and looks when its
 * own threads are at rest; and more would do harm: a fault point that ordered
 * the threads that pass it would hide from TSan the races between them.
 */
#ifndef CHUTE_FAULT
#define CHUTE_FAULT
#endif
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fail.h"
#include "leak.h"
#include "test.h"

/* No scenario has so many fault points; a body that meets a new one with every
 * run does. */
#define MAX_RUNS 5000

#define get(p)    atomic_load_explicit(p, memory_order_relaxed)
#define set(p, x) atomic_store_explicit(p, x, memory_order_relaxed)

struct fault_page {
    _Atomic pid_t owner; /* the process whose loop is under way, or 0 */
    atomic_bool children;
    atomic_bool all_after;
    atomic_ulong n;
    atomic_ulong n_passed; /* fault points met in this run */
    const char *_Atomic site;
};

static struct fault_page *page;

/* What the loop's process held before the run, and the first run after which
 * it held more: no error yet, but where to look if the test ends with a leak. */
static struct {
    long n_blocks, n_descriptors;
    unsigned long leaky_n;
    const char *leaky_site;
} held;

__attribute__((constructor)) static void make_page(void)
{
    page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        abort();
}

int fault(const char *site, int error)
{
    pid_t owner = get(&page->owner);

    if (!owner || (owner != getpid() && !get(&page->children)))
        return 0;

    unsigned long i =
        atomic_fetch_add_explicit(&page->n_passed, 1, memory_order_relaxed) + 1;
    unsigned long n = get(&page->n);
    if (i < n || (i > n && !get(&page->all_after)))
        return 0;
    if (i == n)
        set(&page->site, site);
    return error;
}

bool fault_fired(void)
{
    return get(&page->site) != NULL;
}

const char *fault_site(void)
{
    const char *site = get(&page->site);

    return site ? site : "";
}

void fault_in_children(bool yes)
{
    set(&page->children, yes);
}

void fault_end(void)
{
    set(&page->owner, 0);
    set(&page->children, false);
}

static void remember_leak(unsigned long n)
{
    if (!held.leaky_n && (leak_n_blocks() > held.n_blocks ||
                          leak_n_descriptors() > held.n_descriptors)) {
        held.leaky_n = n;
        held.leaky_site = fault_site();
    }
}

bool fault_begin(const char *file, int line, unsigned long n, bool all_after)
{
    if (n == 1) {
        fault_end();
        held.leaky_n = 0;
    } else {
        remember_leak(n - 1);
        if (!fault_fired()) {
            fault_end();
            if (get(&page->n_passed) == 0)
                harness_fail("%s:%d: fault loop: no fault point was met "
                             "(is the library built with -DCHUTE_FAULT?)",
                             file, line);
            return false;
        }
    }
    if (n > MAX_RUNS)
        harness_fail("%s:%d: fault loop: no end after %d runs", file, line,
                     MAX_RUNS);

    held.n_blocks = leak_n_blocks();
    held.n_descriptors = leak_n_descriptors();
    set(&page->n, n);
    set(&page->n_passed, 0);
    set(&page->site, NULL);
    set(&page->all_after, all_after);
    set(&page->owner, getpid());
    return true;
}

void fault_describe(char *buf, size_t cap)
{
    if (get(&page->owner))
        snprintf(buf, cap, "in a fault loop, n = %lu, %s%s", get(&page->n),
                 fault_fired() ? "refused: " : "",
                 fault_fired() ? fault_site() : "not met yet");
    else if (held.leaky_n)
        snprintf(buf, cap, "a fault loop held more after n = %lu, refused: %s",
                 held.leaky_n, held.leaky_site);
    else
        buf[0] = '\0';
}
