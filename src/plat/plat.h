/* plat.h - the seam: time, threads and shared memory.
 *
 * Everything that is particular to an operating system lies behind this header
 * and its two neighbours, io.h (sockets, poll) and child.h (processes). A port
 * is another set of .c files beside these; nothing above src/plat/ asks which
 * system it runs on.
 *
 * All functions give 0 or more, or -errno. All waits take an absolute deadline
 * on the clock of plat_now(). A call interrupted by a signal gives -EINTR only
 * where its comment says so.
 */
#ifndef PLAT_PLAT_H
#define PLAT_PLAT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#if defined(__has_include)
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define PLAT_KNOWS_ALONE
#endif
#endif

/* -- time ------------------------------------------------------------------ */

#define PLAT_NEVER INT64_MAX /* a deadline that does not come */

/* Nanoseconds of a clock that only moves forward. */
int64_t plat_now(void);

/* The same clock, as it stood at the kernel's last tick (some milliseconds ago
 * at most): a tenth of the price. */
int64_t plat_now_coarse(void);

/* The deadline for a caller's timeout: -1 (CHUTE_FOREVER) is PLAT_NEVER, a sum
 * beyond the clock's range is PLAT_NEVER too. -EINVAL below -1. */
int plat_deadline(int64_t timeout_ns, int64_t *ret_deadline);

/* Whether a deadline has passed. */
static inline bool plat_expired(int64_t deadline)
{
    return deadline != PLAT_NEVER && plat_now() >= deadline;
}

/* -- the calling thread ----------------------------------------------------
 *
 * What a lock in shared memory writes down as its owner, and where a thread
 * tells the kernel which lock it is about to hold (see src/shm/lock.c). Known
 * anew after every kind of fork: `epoch` lies in a page that the kernel empties
 * in the child.
 */
struct plat_self {
    uint32_t tid;            /* owner name, 1 .. PLAT_OWNER_MASK */
    uint32_t epoch;          /* valid while equal to *plat_epoch */
    uint64_t pid_namespace;  /* 0 if there is no /proc to tell it */
    void *volatile *pending; /* robust_list_head.list_op_pending */
    long pending_offset;     /* lock word minus what goes into *pending */
    void *head;              /* the robust list head that it lies in */
    pid_t pid;
};

extern _Thread_local struct plat_self plat_self_
    __attribute__((tls_model("initial-exec")));
extern _Atomic(_Atomic uint32_t *) plat_epoch;

/* Learn who we are. On failure (-ENOMEM, ...) the next call tries again. */
int plat_self_learn(void);

/* The calling thread, or NULL with *ret_error set. */
static inline const struct plat_self *plat_self(int *ret_error)
{
    const struct plat_self *self = &plat_self_;
    /* acquire: pairs with the release that made the page, in epoch_page(). */
    _Atomic uint32_t *epoch =
        atomic_load_explicit(&plat_epoch, memory_order_acquire);

    if (epoch && self->epoch &&
        self->epoch == atomic_load_explicit(epoch, memory_order_relaxed))
        return self;
    int r = plat_self_learn();
    if (r < 0) {
        *ret_error = r;
        return NULL;
    }
    return self;
}

/* The lock word of an owner: his tid, and two bits that the kernel knows. */
#define PLAT_OWNER_MASK 0x3fffffffu
#define PLAT_OWNER_DIED 0x40000000u
#define PLAT_WAITERS    0x80000000u

/* Tell the kernel that this thread may own *word from here on: if it dies,
 * however suddenly, and *word holds its tid, the kernel sets PLAT_OWNER_DIED
 * and wakes one waiter. NULL takes it back. One word at a time. */
static inline void plat_pend(const struct plat_self *self,
                             _Atomic uint32_t *word)
{
    void *entry = word ? (char *)word - self->pending_offset : NULL;

    /* The kernel looks at this thread's memory when the thread has stopped, so
     * program order is all that matters: compiler barriers on both sides. */
    atomic_signal_fence(memory_order_seq_cst);
    *self->pending = entry;
    atomic_signal_fence(memory_order_seq_cst);
}

/* A full barrier after an atomic read-modify-write: where that is one already,
 * nothing but a barrier for the compiler. */
static inline void plat_fence_after_rmw(void)
{
#if defined(__x86_64__) || defined(__i386__)
    atomic_signal_fence(memory_order_seq_cst);
#else
    /* pairs with whatever the caller says */
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* Whether a thread of that name lives in our PID namespace. */
bool plat_alive(uint32_t tid);

/* Whether a thread of that name lives in the process `pid`. */
bool plat_thread_alive(pid_t pid, uint32_t tid);

/* Whether the calling thread is the only one of its process. Threads that were
 * not made through the C library are not seen. */
static inline bool plat_alone(void)
{
#ifdef PLAT_KNOWS_ALONE
    return __libc_single_threaded;
#else
    return false;
#endif
}

/* Let somebody else run on this processor. */
void plat_yield(void);

/* Tell the processor that we are polling. */
static inline void plat_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Tell the processor that we are about to read there. */
static inline void plat_expect_read(const void *at)
{
    __builtin_prefetch(at);
}

/* Tell the processor that we are about to write there, wherever it lies: it may
 * fetch the line from another one's cache meanwhile. */
static inline void plat_expect_write(const void *at)
{
#if defined(__x86_64__)
    /* What the builtin makes of it without -mprfchw is a read. */
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)at));
#else
    __builtin_prefetch(at, 1);
#endif
}

/* -- waiting on a word in shared memory ------------------------------------ */

/* Sleep while *word is `seen`, across processes. 0: woken, or the word was
 * different, or for no reason at all; -ETIMEDOUT; -EINTR: a handler ran. */
int plat_wait(_Atomic uint32_t *word, uint32_t seen, int64_t deadline);

/* Wake up to n of those who sleep on word. */
void plat_wake(_Atomic uint32_t *word, int n);

/* -- shared memory --------------------------------------------------------- */

size_t plat_page(void);

/* A nameless file in memory, empty, that no exec inherits. */
int plat_shm_new(const char *label, int *ret_fd);

/* Reserve the pages of [offset, offset + len), and let the file reach so far:
 * whoever stores there later finds memory. -ENOMEM, -ENOSPC, -EFBIG
 * (RLIMIT_FSIZE): nothing changed. */
int plat_shm_reserve(int fd, uint64_t offset, uint64_t len);

/* Give the pages of [offset, offset + len) back. The file's length stays; who
 * reads there finds zeros. */
void plat_shm_release(int fd, uint64_t offset, uint64_t len);

/* From here on nobody can make the file shorter. */
int plat_shm_seal(int fd);

/* Whether somebody else's descriptor is such a file, and sealed just so.
 * -EINVAL: it is not. */
int plat_shm_check(int fd);

/* The file's length, and the bytes it holds in memory. */
int plat_shm_size(int fd, uint64_t *ret_len, uint64_t *ret_held);

/* Copy len bytes of the file at offset, without mapping it. */
int plat_shm_read(int fd, uint64_t offset, void *buf, size_t len);

/* Map len bytes of the file, shared, for reading and writing; fd -1 maps fresh
 * zeroed memory that is shared with the children. */
int plat_map(int fd, uint64_t offset, size_t len, void **ret_mem);
void plat_unmap(void *mem, size_t len);

/* Another descriptor, above 2, for the same thing, that no exec inherits. */
int plat_dup(int fd, int *ret_fd);

/* From here on no exec inherits fd. */
void plat_cloexec(int fd);

void plat_close(int fd);

#endif
