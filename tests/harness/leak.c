/* leak.c - what a process holds.
 *
 * Descriptors, mappings, threads and children are read from /proc/self and kept
 * as text, a line each: a leak is then a line that was not there before, and
 * the report is that line.
 *
 * Memory is counted by standing in for malloc. The size of the heap would not
 * do: stdio, the dynamic linker and the thread library allocate when they see
 * fit and keep what they have, and a test would fail for having been the first
 * to print. So the executable defines malloc and its family, which glibc allows
 * ("Replacing malloc" in its manual), and counts only the blocks that were
 * asked for by code in the executable itself: the test and the static library.
 * The return address tells.
 *
 *      block -> +--------------------------------------+
 *               | base, len, caller, serial, slot, mark|  struct block
 *    pointer -> +--------------------------------------+  aligned as asked
 *               | len bytes                            |
 *
 * Nothing here takes a lock, because a process forked while another thread had
 * it would hang in its first malloc: the count is atomic, and the table of live
 * blocks, from which leaks are listed, is a number of slots claimed by
 * compare-and-swap. A block that finds no slot is counted but not listed.
 *
 * The mark in front of each block also catches a free() of what malloc did not
 * give, and most second ones.
 *
 * sanity.c has a leak of each kind.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "leak.h"
#include "test.h"

void text_add(struct text *text, const char *format, ...)
{
    size_t left = sizeof text->s - text->len;
    va_list args;

    va_start(args, format);
    int n = vsnprintf(text->s + text->len, left, format, args);
    va_end(args);
    if (n > 0)
        text->len += (size_t)n < left ? (size_t)n : left - 1;
}

/* -- memory ---------------------------------------------------------------- */

#if defined(__GLIBC__) && !TEST_ASAN && !TEST_TSAN

#define MARK_COUNTED 0x636f756e74656421u
#define MARK_LIBC    0x6c69626327732121u
#define MARK_FREED   0x6672656564212121u

#define N_SLOTS 4096
#define N_TRIES 16
#define NO_SLOT N_SLOTS

struct block {
    _Alignas(16) void *base; /* what glibc's malloc gave */
    size_t len;
    const char *caller;
    unsigned long serial;
    unsigned long slot;
    uint64_t mark; /* last, so next to what an underrun overwrites first */
};

static atomic_long n_blocks;
static atomic_ulong last_serial;
static struct block *_Atomic slots[N_SLOTS];

/* glibc's own, under the names that it keeps for those who replace it. */
void *__libc_malloc(size_t len);
void *__libc_calloc(size_t n, size_t len);
void *__libc_memalign(size_t align, size_t len);
void __libc_free(void *p);

/* Where the executable's code begins and ends: symbols that the linker makes.
 */
extern const char __executable_start[], etext[];

static unsigned long claim_slot(struct block *block)
{
    for (unsigned long i = 0; i < N_TRIES; i++) {
        unsigned long slot = (block->serial * N_TRIES + i) % N_SLOTS;
        struct block *none = NULL;
        if (atomic_compare_exchange_strong(&slots[slot], &none, block))
            return slot;
    }
    return NO_SLOT;
}

/* Write the header of a block whose len bytes begin `offset` after base. */
static void *block_make(char *base, size_t offset, size_t len,
                        const char *caller)
{
    if (!base)
        return NULL;

    struct block *block = (void *)(base + offset - sizeof *block);
    block->base = base;
    block->len = len;
    block->caller = caller;
    block->slot = NO_SLOT;
    block->mark = MARK_LIBC;
    if (caller >= __executable_start && caller < etext) {
        block->mark = MARK_COUNTED;
        block->serial = atomic_fetch_add(&last_serial, 1) + 1;
        block->slot = claim_slot(block);
        atomic_fetch_add(&n_blocks, 1);
    }
    return base + offset;
}

/* The header of what the caller has from malloc, or the end. */
static struct block *block_of(void *p)
{
    struct block *block = (struct block *)p - 1;

    if (block->mark == MARK_COUNTED || block->mark == MARK_LIBC)
        return block;
    harness_fail("free: %p is %s", p,
                 block->mark == MARK_FREED ? "free already"
                                           : "not from malloc");
}

static void block_free(void *p)
{
    struct block *block = block_of(p);

    if (block->mark == MARK_COUNTED) {
        if (block->slot != NO_SLOT)
            atomic_store(&slots[block->slot], NULL);
        atomic_fetch_sub(&n_blocks, 1);
    }
    block->mark = MARK_FREED;
    __libc_free(block->base);
}

/* Whoever called the function that says this. With link-time optimization it
 * might be inlined, and the caller would be somebody further out. */
#define CALLER()   ((const char *)__builtin_return_address(0))
#define NOT_INLINE __attribute__((noinline))

NOT_INLINE void *malloc(size_t len)
{
    if (len > PTRDIFF_MAX - sizeof(struct block)) {
        errno = ENOMEM;
        return NULL;
    }
    return block_make(__libc_malloc(sizeof(struct block) + len),
                      sizeof(struct block), len, CALLER());
}

NOT_INLINE void *calloc(size_t n, size_t item_len)
{
    size_t len;

    if (__builtin_mul_overflow(n, item_len, &len) ||
        len > PTRDIFF_MAX - sizeof(struct block)) {
        errno = ENOMEM;
        return NULL;
    }
    return block_make(__libc_calloc(1, sizeof(struct block) + len),
                      sizeof(struct block), len, CALLER());
}

/* Always moves the block: whoever holds on to the old place shall notice. */
NOT_INLINE void *realloc(void *p, size_t len)
{
    if (len > PTRDIFF_MAX - sizeof(struct block)) {
        errno = ENOMEM;
        return NULL;
    }

    void *to = block_make(__libc_malloc(sizeof(struct block) + len),
                          sizeof(struct block), len, CALLER());
    if (to && p) {
        size_t old_len = block_of(p)->len;
        memcpy(to, p, old_len < len ? old_len : len);
        block_free(p);
    }
    return to;
}

NOT_INLINE void free(void *p)
{
    int error = errno; /* which free leaves alone */

    if (p)
        block_free(p);
    errno = error;
}

static void *aligned(size_t align, size_t len, const char *caller)
{
    size_t offset = align > sizeof(struct block) ? align : sizeof(struct block);

    offset = (offset + align - 1) / align * align;
    if (len > PTRDIFF_MAX - offset) {
        errno = ENOMEM;
        return NULL;
    }
    return block_make(__libc_memalign(align, offset + len), offset, len,
                      caller);
}

void *memalign(size_t align, size_t len);
NOT_INLINE void *memalign(size_t align, size_t len)
{
    return aligned(align < 16 ? 16 : align, len, CALLER());
}

NOT_INLINE void *aligned_alloc(size_t align, size_t len)
{
    return aligned(align < 16 ? 16 : align, len, CALLER());
}

NOT_INLINE int posix_memalign(void **ret_p, size_t align, size_t len)
{
    void *p = aligned(align < 16 ? 16 : align, len, CALLER());

    if (!p)
        return ENOMEM;
    *ret_p = p;
    return 0;
}

size_t malloc_usable_size(void *p);
NOT_INLINE size_t malloc_usable_size(void *p)
{
    return p ? block_of(p)->len : 0;
}

long leak_n_blocks(void)
{
    return atomic_load(&n_blocks);
}

static unsigned long newest_block(void)
{
    return atomic_load(&last_serial);
}

static size_t list_blocks(unsigned long since, struct text *out)
{
    size_t n = 0;

    for (size_t i = 0; i < N_SLOTS; i++) {
        const struct block *block = atomic_load(&slots[i]);
        if (!block || block->serial <= since)
            continue;
        text_add(out, "leaked: memory block of %zu bytes, from %s+%#tx\n",
                 block->len, program_invocation_short_name,
                 block->caller - __executable_start);
        n++;
    }
    return n;
}

#else

long leak_n_blocks(void)
{
    return 0;
}

static unsigned long newest_block(void)
{
    return 0;
}

static size_t list_blocks(unsigned long since, struct text *out)
{
    (void)since;
    (void)out;
    return 0;
}

#endif

#if TEST_ASAN
int __lsan_do_recoverable_leak_check(void);

int leak_sanitizer(void)
{
    return __lsan_do_recoverable_leak_check();
}
#else
int leak_sanitizer(void)
{
    return 0;
}
#endif

/* -- /proc ----------------------------------------------------------------- */

/* The next entry of a directory of numbers, or -1. */
static long next_number(DIR *dir)
{
    struct dirent *entry;

    while ((entry = readdir(dir)))
        if (isdigit((unsigned char)entry->d_name[0]))
            return strtol(entry->d_name, NULL, 10);
    return -1;
}

static void list_descriptors(struct text *out)
{
    DIR *dir = opendir("/proc/self/fd");
    long fd;

    if (!dir) {
        text_add(out, "descriptors that cannot be listed: %s\n",
                 strerror(errno));
        return;
    }
    while ((fd = next_number(dir)) >= 0) {
        char path[64], target[256];
        snprintf(path, sizeof path, "/proc/self/fd/%ld", fd);
        ssize_t n = readlink(path, target, sizeof target - 1);
        if (fd != dirfd(dir) && n >= 0)
            text_add(out, "descriptor %ld -> %.*s\n", fd, (int)n, target);
    }
    closedir(dir);
}

long leak_n_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    long n = -1; /* dir itself */

    if (!dir)
        return 0;
    while (next_number(dir) >= 0)
        n++;
    closedir(dir);
    return n;
}

/* A line of maps is "start-end rwxs offset dev inode      path". */
static void list_mappings(struct text *out)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[4096];

    if (!maps) {
        text_add(out, "mappings that cannot be listed: %s\n", strerror(errno));
        return;
    }
    while (fgets(line, sizeof line, maps)) {
        char range[64], rights[8], path[256] = "";
        sscanf(line, "%63s %7s %*s %*s %*s %255[^\n]", range, rights, path);
        if (rights[3] == 's' || strstr(path, "memfd:"))
            text_add(out, "%s mapping %s %s\n",
                     rights[3] == 's' ? "shared" : "private", range, path);
    }
    fclose(maps);
}

/* The first line of a file in /proc, without its end; "" if there is none. */
static void read_line(const char *path, char *buf, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, buf, cap - 1);

    if (fd >= 0)
        close(fd);
    buf[n > 0 ? n : 0] = '\0';
    buf[strcspn(buf, "\n")] = '\0';
}

static void list_threads(struct text *out)
{
    DIR *dir = TEST_TSAN ? NULL : opendir("/proc/self/task");
    long tid;

    if (!dir)
        return;
    while ((tid = next_number(dir)) >= 0)
        if (tid != getpid())
            text_add(out, "thread %ld\n", tid);
    closedir(dir);
}

/* The children of a process, over all its threads. */
static size_t children_of(pid_t pid, pid_t *children, size_t cap)
{
    char path[96], line[4096];
    size_t n = 0;
    long tid;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    while (dir && (tid = next_number(dir)) >= 0) {
        snprintf(path, sizeof path, "/proc/%d/task/%ld/children", (int)pid,
                 tid);
        read_line(path, line, sizeof line);
        char *at = line, *end;
        for (long child; (child = strtol(at, &end, 10)) > 0 && n < cap;
             at = end)
            children[n++] = (pid_t)child;
    }
    if (dir)
        closedir(dir);
    return n;
}

/* The state letter of a process, as ps(1) has it: after "pid (name) ". */
static char state_of(pid_t pid)
{
    char path[64], line[512];

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    read_line(path, line, sizeof line);
    char *name_end = strrchr(line, ')');
    return name_end && name_end[1] ? name_end[2] : '?';
}

static void list_children(struct text *out)
{
    pid_t children[256];
    size_t n = children_of(getpid(), children, 256);
    siginfo_t info;

    for (size_t i = 0; i < n; i++)
        text_add(out, "%s %d\n",
                 state_of(children[i]) == 'Z' ? "zombie" : "child process",
                 (int)children[i]);
    /* Where the kernel lists no children, it still knows if there are any. */
    if (n == 0 && waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
        text_add(out, "child process, pid unknown\n");
}

void leak_describe_children(pid_t pid, int depth, struct text *out)
{
    pid_t children[64];
    size_t n = children_of(pid, children, 64);

    for (size_t i = 0; i < n; i++) {
        char path[64], name[64], place[128];
        snprintf(path, sizeof path, "/proc/%d/comm", (int)children[i]);
        read_line(path, name, sizeof name);
        snprintf(path, sizeof path, "/proc/%d/wchan", (int)children[i]);
        read_line(path, place, sizeof place);
        text_add(out, "process %d (%s), child of %d: state %c, in %s\n",
                 (int)children[i], name, (int)pid, state_of(children[i]),
                 place[0] && strcmp(place, "0") != 0 ? place : "user code");
        if (depth > 0)
            leak_describe_children(children[i], depth - 1, out);
    }
}

void leak_kill_children(void)
{
    pid_t children[64];
    size_t n;

    /* The children of whom we kill become ours: until there are none. */
    while ((n = children_of(getpid(), children, 64)) > 0) {
        for (size_t i = 0; i < n; i++)
            kill(children[i], SIGKILL);
        for (size_t i = 0; i < n; i++)
            waitpid(children[i], NULL, 0);
    }
}

/* -- states ---------------------------------------------------------------- */

void leak_take(struct leak_state *ret_state)
{
    ret_state->n_blocks = leak_n_blocks();
    ret_state->last_serial = newest_block();
    ret_state->things.len = 0;
    ret_state->things.s[0] = '\0';
    list_descriptors(&ret_state->things);
    list_mappings(&ret_state->things);
    list_threads(&ret_state->things);
    list_children(&ret_state->things);
}

static bool has_line(const char *lines, const char *line, size_t len)
{
    for (; *lines; lines += strcspn(lines, "\n") + 1)
        if (strncmp(lines, line, len) == 0)
            return true;
    return false;
}

/* Add those lines of a that are not in b. */
static size_t lines_without(const char *a, const char *b, const char *word,
                            struct text *out)
{
    size_t n = 0, len;

    for (; *a; a += len) {
        len = strcspn(a, "\n") + 1;
        if (has_line(b, a, len)) /* len takes the end of the line in */
            continue;
        text_add(out, "%s: %.*s", word, (int)len, a);
        n++;
    }
    return n;
}

size_t leak_compare(const struct leak_state *before,
                    const struct leak_state *after, struct text *out)
{
    const char *was = before->things.s, *is = after->things.s;
    size_t n = lines_without(is, was, "leaked", out) +
               lines_without(was, is, "gone", out);
    size_t n_listed = list_blocks(before->last_serial, out);

    if (n_listed == 0 && after->n_blocks > before->n_blocks) {
        text_add(out, "leaked: %ld memory block(s)\n",
                 after->n_blocks - before->n_blocks);
        n_listed = 1;
    }
    return n + n_listed;
}
