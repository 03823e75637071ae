/* thread-linux.c - who the calling thread is, and how it sleeps.
 *
 * A robust futex needs two things of a thread: its tid, which goes into the
 * lock word, and its robust list head, which the C library has registered with
 * the kernel (get_robust_list(2)). Of the head chute uses one field,
 * list_op_pending, as plat_pend() says.
 *
 * Both are kept per thread, for asking the kernel would cost more than the lock
 * itself. What is kept goes stale in a forked child. pthread_atfork(3) would
 * miss _Fork(3) and the raw system calls, so the epoch lies in a page that is
 * MADV_WIPEONFORK: whatever way a process came to be, its epoch is 0 at first,
 * and no thread's equals it.
 *
 * A child of a raw fork system call has no robust list registered with the
 * kernel. The head of the thread that made it is still there, at the same
 * address, in its copy of the memory: it is registered again; failing that, one
 * of our own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fail.h"
#include "plat/plat.h"

_Static_assert(PLAT_OWNER_MASK == FUTEX_TID_MASK, "the kernel's bits");
_Static_assert(PLAT_OWNER_DIED == FUTEX_OWNER_DIED, "the kernel's bits");
_Static_assert(PLAT_WAITERS == FUTEX_WAITERS, "the kernel's bits");

_Thread_local struct plat_self plat_self_;

/* Made once for the process, never unmapped. */
_Atomic(_Atomic uint32_t *) plat_epoch;

/* For a thread that has none registered with the kernel. */
static _Thread_local struct robust_list_head own_head;

/* EAGAIN would tell our callers to come again: see plat_map(). */
static int shortage(int error)
{
    return error == EAGAIN ? -ENOMEM : -error;
}

static int epoch_page(_Atomic uint32_t **ret_page)
{
    /* acquire: pairs with the release below. */
    _Atomic uint32_t *page =
        atomic_load_explicit(&plat_epoch, memory_order_acquire);

    if (!page) {
        void *fresh = fault("mmap")
                          ? MAP_FAILED
                          : mmap(NULL, plat_page(), PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (fresh == MAP_FAILED)
            return fail(shortage(errno));
        if (fault("madvise") ||
            madvise(fresh, plat_page(), MADV_WIPEONFORK) < 0) {
            int r = shortage(errno);
            munmap(fresh, plat_page());
            return fail(r);
        }
        /* Two threads may come here at once: one page wins. Pairs with the
         * acquire above and in plat_self(). */
        if (atomic_compare_exchange_strong_explicit(&plat_epoch, &page, fresh,
                                                    memory_order_acq_rel,
                                                    memory_order_acquire))
            page = fresh;
        else
            munmap(fresh, plat_page());
    }
    *ret_page = page;
    return 0;
}

/* The last epoch that this process or an ancestor has given out: unlike the
 * page it is inherited, so a new epoch is none that a thread can have brought
 * with it. (A pid would be: the pid of a dead ancestor may come again.) */
static _Atomic uint32_t last_epoch;

static uint32_t epoch_of(_Atomic uint32_t *page)
{
    uint32_t epoch = atomic_load_explicit(page, memory_order_relaxed);

    if (!epoch) {
        /* relaxed: see epoch_page(); of two threads one wins again. */
        uint32_t fresh =
            atomic_fetch_add_explicit(&last_epoch, 1, memory_order_relaxed) + 1;
        if (atomic_compare_exchange_strong_explicit(page, &epoch, fresh,
                                                    memory_order_relaxed,
                                                    memory_order_relaxed))
            epoch = fresh;
    }
    return epoch;
}

/* What it is stays, whatever happens; that there was no memory to tell does not. */
static int learn_pid_namespace(uint64_t *ret_pid_namespace)
{
    struct stat st;
    int r = fault("stat") || stat("/proc/self/ns/pid", &st) < 0 ? -errno : 0;

    if (r < 0 && r != -ENOENT)
        return fail(r);
    *ret_pid_namespace = r == 0 ? (uint64_t)st.st_ino : 0;
    return 0;
}

/* The robust list head that the kernel will look at when this thread dies. */
static struct robust_list_head *robust_head(void)
{
    struct robust_list_head *head = NULL;
    size_t len = 0;

    if (!fault("get_robust_list") &&
        syscall(SYS_get_robust_list, 0, &head, &len) == 0 && head)
        return head;
    head = plat_self_.head ? plat_self_.head : &own_head;
    head->list.next = &head->list;
    head->list_op_pending = NULL;
    if (fault("set_robust_list") ||
        syscall(SYS_set_robust_list, head, sizeof *head) < 0)
        return NULL;
    return head;
}

int plat_self_learn(void)
{
    struct plat_self *self = &plat_self_;
    _Atomic uint32_t *page;
    int r = epoch_page(&page);

    if (r < 0)
        return r;
    uint64_t pid_namespace;
    r = learn_pid_namespace(&pid_namespace);
    if (r < 0)
        return r;
    struct robust_list_head *head = robust_head();
    if (!head)
        return fail(-ENOSYS);
    self->tid = (uint32_t)syscall(SYS_gettid);
    self->pid = getpid();
    self->pid_namespace = pid_namespace;
    self->head = head;
    self->pending = (void *volatile *)(void *)&head->list_op_pending;
    self->pending_offset = head->futex_offset;
    self->epoch = epoch_of(page);
    return 0;
}

bool plat_alive(uint32_t tid)
{
    /* tkill would need the process; kill(2) takes any thread's id. */
    return (!fault("kill") && kill((pid_t)tid, 0) == 0) || errno != ESRCH;
}

bool plat_thread_alive(pid_t pid, uint32_t tid)
{
    return (!fault("tgkill") && syscall(SYS_tgkill, pid, tid, 0) == 0) ||
           errno != ESRCH;
}

int plat_wait(_Atomic uint32_t *word, uint32_t seen, int64_t deadline)
{
    struct timespec at = {.tv_sec = (time_t)(deadline / 1000000000),
                          .tv_nsec = (long)(deadline % 1000000000)};

    /* The BITSET form takes an absolute time on CLOCK_MONOTONIC. Not PRIVATE:
     * the kernel wakes the waiters of a dead owner by the shared key. */
    if ((!fault("futex") && syscall(SYS_futex, word, FUTEX_WAIT_BITSET, seen,
                                    deadline == PLAT_NEVER ? NULL : &at, NULL,
                                    FUTEX_BITSET_MATCH_ANY) == 0) ||
        errno == EAGAIN)
        return 0;
    return -errno;
}

void plat_wake(_Atomic uint32_t *word, int n)
{
    if (!fault("futex"))
        (void)syscall(SYS_futex, word, FUTEX_WAKE, n, NULL, NULL, 0);
}
