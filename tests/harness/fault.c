/* fault.c - make the n-th request that the library has of the system fail.
 *
 * fault() is asked at every such place (base/fail.h) and numbers the requests
 * as they come, over all threads. A loop (FAULT_LOOP in test.h) arms it with
 * n = 1, 2, 3 ..., for each n with every error that the manual names for the
 * n-th call (refusals.h), and ends when a run comes to its end without having
 * met the n-th request: then every error path that the body can take has been
 * taken.
 *
 * The state lies in a page that the forks share, so that a child can take part
 * in the numbering, and so that the runner can tell, when the test has crashed,
 * which refusal it did not survive. A child takes part only if the loop says
 * so: it would otherwise be refused at random, since its steps and its parent's
 * come in no fixed order. In the same page stands what has been refused in any
 * of the program's tests, so that the last of them can see that it was all.
 *
 * A tracer (test-syscalls.c) can ask which site a thread has passed last: that
 * has to be the system call that it sees next.
 *
 * Everything is relaxed. Nothing needs more, for a loop arms and looks when its
 * own threads are at rest; and more would do harm: a fault point that ordered
 * the threads that pass it would hide from TSan the races between them.
 */
#ifndef CHUTE_FAULT
#define CHUTE_FAULT
#endif
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fail.h"
#include "leak.h"
#include "test.h"

/* No scenario has so many fault points; a body that meets a new one with every
 * run does. */
#define MAX_N 5000

#define get(p)    atomic_load_explicit(p, memory_order_relaxed)
#define set(p, x) atomic_store_explicit(p, x, memory_order_relaxed)

/* -- the sites -------------------------------------------------------------- */

static const struct site {
    const char *name;
    bool of_net;
    int errors[32]; /* ends with 0 */
} sites[] = {
#define SITE(name, page, ...)     {#name, false, {__VA_ARGS__, 0}},
#define NET_SITE(name, page, ...) {#name, true, {__VA_ARGS__, 0}},
#include "refusals.h"
};

#define N_SITES (sizeof sites / sizeof *sites)

static const struct site *site_of(const char *name)
{
    for (size_t i = 0; i < N_SITES; i++)
        if (strcmp(sites[i].name, name) == 0)
            return &sites[i];
    harness_fail("fault(\"%s\"): tests/harness/refusals.h does not know it",
                 name);
}

/* A bit for each of its errors. */
static unsigned all_errors(const struct site *site)
{
    unsigned n = 0;

    while (site->errors[n])
        n++;
    return (1u << n) - 1;
}

/* -- what the forks share --------------------------------------------------- */

#define N_SPEAKERS 64

struct fault_page {
    _Atomic pid_t owner; /* the process whose loop is under way, or 0 */
    atomic_bool children;
    atomic_bool all_after;
    atomic_ulong n;
    atomic_uint tried[N_SITES]; /* with this n: a bit for each error */
    atomic_ulong n_passed;      /* fault points met in this run */
    const struct site *_Atomic site;
    atomic_int error;
    atomic_uint refused[N_SITES]; /* a bit for each error */
    atomic_bool heard;            /* somebody asks for what follows */
    struct {
        _Atomic pid_t tid;
        const char *_Atomic site;
    } said[N_SPEAKERS];
};

static struct fault_page *page;

/* What the loop's process held before the run, and the first run after which
 * it held more: no error yet, but where to look if the test ends with a leak. */
static struct {
    long n_blocks, n_descriptors;
    unsigned long leaky_n;
    const char *leaky_site, *leaky_error;
} held;

__attribute__((constructor)) static void make_page(void)
{
    page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        abort();
}

/* -- what a tracer hears ---------------------------------------------------- */

static void say(const char *site)
{
    pid_t tid = gettid();

    for (int i = 0; i < N_SPEAKERS; i++) {
        pid_t none = 0;
        if (get(&page->said[i].tid) == tid ||
            atomic_compare_exchange_strong(&page->said[i].tid, &none, tid)) {
            set(&page->said[i].site, site);
            return;
        }
    }
}

void fault_hear(bool yes)
{
    set(&page->heard, yes);
}

const char *fault_heard(pid_t tid)
{
    for (int i = 0; i < N_SPEAKERS; i++)
        if (get(&page->said[i].tid) == tid)
            return atomic_exchange(&page->said[i].site, NULL);
    return NULL;
}

/* -- refusing --------------------------------------------------------------- */

/* Which error the site has not been refused with yet; the usual one if all are
 * refused. */
static unsigned next_error(const struct site *site)
{
    unsigned tried = get(&page->tried[site - sites]), k = 0;

    if (get(&page->all_after) || tried == all_errors(site))
        return 0;
    while (tried & 1u << k)
        k++;
    set(&page->tried[site - sites], tried | 1u << k);
    return k;
}

bool fault(const char *name)
{
    pid_t owner = get(&page->owner);

    if (get(&page->heard))
        say(name);
    if (!owner || (owner != getpid() && !get(&page->children)))
        return false;

    unsigned long i =
        atomic_fetch_add_explicit(&page->n_passed, 1, memory_order_relaxed) + 1;
    unsigned long n = get(&page->n);
    if (i < n || (i > n && !get(&page->all_after)))
        return false;
    const struct site *site = site_of(name);
    unsigned k = next_error(site);
    /* Whoever is interrupted tries again, and would do so for ever. */
    if (get(&page->all_after) && site->errors[k] == EINTR)
        return false;
    atomic_fetch_or_explicit(&page->refused[site - sites], 1u << k,
                             memory_order_relaxed);
    if (i == n) {
        set(&page->error, site->errors[k]);
        set(&page->site, site);
    }
    errno = site->errors[k];
    return true;
}

bool fault_fired(void)
{
    return get(&page->site) != NULL;
}

const char *fault_site(void)
{
    const struct site *site = get(&page->site);

    return site ? site->name : "";
}

int fault_error(void)
{
    return fault_fired() ? get(&page->error) : 0;
}

void fault_in_children(bool yes)
{
    set(&page->children, yes);
}

size_t fault_unrefused(bool of_net, struct text *out)
{
    size_t n = 0;

    for (size_t i = 0; i < N_SITES; i++)
        for (unsigned k = 0; sites[i].errors[k]; k++)
            if (sites[i].of_net == of_net &&
                !(get(&page->refused[i]) & 1u << k)) {
                text_add(out, "%s never failed with %s\n", sites[i].name,
                         strerrorname_np(sites[i].errors[k]));
                n++;
            }
    return n;
}

void fault_end(void)
{
    set(&page->owner, 0);
    set(&page->children, false);
}

/* -- the loop --------------------------------------------------------------- */

static void remember_leak(unsigned long n)
{
    if (!held.leaky_n && (leak_n_blocks() > held.n_blocks ||
                          leak_n_descriptors() > held.n_descriptors)) {
        held.leaky_n = n;
        held.leaky_site = fault_site();
        held.leaky_error = strerrorname_np(fault_error());
    }
}

static void try_none(void)
{
    for (size_t i = 0; i < N_SITES; i++)
        set(&page->tried[i], 0);
}

static bool tried_any(void)
{
    unsigned any = 0;

    for (size_t i = 0; i < N_SITES; i++)
        any |= get(&page->tried[i]);
    return any != 0;
}

/* After a run: the n of the next one, or 0. Which site is the n-th may change
 * from run to run, where threads or processes are at work. */
static unsigned long next_n(unsigned long n)
{
    const struct site *site = get(&page->site);

    if (!site && !tried_any())
        return 0;
    if (site && !get(&page->all_after) &&
        get(&page->tried[site - sites]) != all_errors(site))
        return n;
    try_none();
    return n + 1;
}

unsigned long fault_begin(const char *file, int line, unsigned long n,
                          bool all_after)
{
    if (n == 0) {
        fault_end();
        held.leaky_n = 0;
        try_none();
        n = 1;
    } else {
        remember_leak(n);
        n = next_n(n);
    }
    if (n == 0) {
        fault_end();
        if (get(&page->n_passed) == 0)
            harness_fail("%s:%d: fault loop: no fault point was met (is the "
                         "library built with -DCHUTE_FAULT?)",
                         file, line);
        return 0;
    }
    if (n > MAX_N)
        harness_fail("%s:%d: fault loop: no end after %d fault points", file,
                     line, MAX_N);

    held.n_blocks = leak_n_blocks();
    held.n_descriptors = leak_n_descriptors();
    set(&page->n, n);
    set(&page->n_passed, 0);
    set(&page->site, NULL);
    set(&page->all_after, all_after);
    set(&page->owner, getpid());
    return n;
}

void fault_describe(char *buf, size_t cap)
{
    if (get(&page->owner) && fault_fired())
        snprintf(buf, cap, "in a fault loop, n = %lu, refused: %s (%s)",
                 get(&page->n), fault_site(), strerrorname_np(fault_error()));
    else if (get(&page->owner))
        snprintf(buf, cap, "in a fault loop, n = %lu, not met yet",
                 get(&page->n));
    else if (held.leaky_n)
        snprintf(buf, cap,
                 "a fault loop held more after n = %lu, refused: %s (%s)",
                 held.leaky_n, held.leaky_site, held.leaky_error);
    else
        buf[0] = '\0';
}
