/* memory-linux.c - shared memory: memfd, reserve, release, seal, map.
 *
 * Reserving is fallocate(2): the pages are charged and there when it returns,
 * so that shortage is an error here and never a SIGBUS at a store. Releasing is
 * FALLOC_FL_PUNCH_HOLE, which leaves the file's length alone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "plat/plat.h"

int plat_shm_new(const char *label, int *ret_fd)
{
    int fd = fault("memfd_create")
                 ? -1
                 : memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return fail(-errno);
    *ret_fd = fd;
    return 0;
}

/* Older kernels undo a fallocate that a signal interrupts. In steps, what has
 * been done stays done, however often a signal comes. */
#define RESERVE_STEP ((uint64_t)1 << 20)

static int change(int fd, int mode, uint64_t offset, uint64_t len)
{
    int r;

    do
        r = fault("fallocate") ||
                    fallocate(fd, mode, (off_t)offset, (off_t)len) < 0
                ? -errno
                : 0;
    while (r == -EINTR);
    return r;
}

int plat_shm_reserve(int fd, uint64_t offset, uint64_t len)
{
    struct rlimit limit;

    /* Beyond this limit (ulimit -f) the kernel would send SIGXFSZ as well. */
    if (!fault("prlimit") && getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
        limit.rlim_cur != RLIM_INFINITY && offset + len > limit.rlim_cur)
        return fail(-EFBIG);
    for (uint64_t done = 0; done < len; done += RESERVE_STEP) {
        uint64_t left = len - done;
        int r = change(fd, 0, offset + done,
                       left < RESERVE_STEP ? left : RESERVE_STEP);
        if (r < 0) {
            plat_shm_release(fd, offset, done);
            return fail(r);
        }
    }
    return 0;
}

void plat_shm_release(int fd, uint64_t offset, uint64_t len)
{
    (void)change(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len);
}

int plat_shm_seal(int fd)
{
    return fault("fcntl") ||
                   fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) < 0
               ? fail(-errno)
               : 0;
}

/* Seals that say what may become of the file. There is a later one, EXEC, which
 * some systems set by themselves. */
#define SEALS                                                                  \
    (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |                \
     F_SEAL_FUTURE_WRITE)

int plat_shm_check(int fd)
{
    struct stat st;

    if (fault("fstat") || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return fail(-EINVAL);
    /* Other files have no seals to ask for; those on tmpfs have SEAL alone. */
    int seals = fault("fcntl") ? -1 : fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != (F_SEAL_SHRINK | F_SEAL_SEAL))
        return fail(-EINVAL);
    return 0;
}

int plat_shm_size(int fd, uint64_t *ret_len, uint64_t *ret_held)
{
    struct stat st;

    if (fault("fstat") || fstat(fd, &st) < 0)
        return fail(-errno);
    *ret_len = (uint64_t)st.st_size;
    *ret_held = (uint64_t)st.st_blocks * 512;
    return 0;
}

int plat_shm_read(int fd, uint64_t offset, void *buf, size_t len)
{
    ssize_t n = fault("pread") ? -1 : pread(fd, buf, len, (off_t)offset);
    if (n < 0)
        return fail(-errno);
    return (size_t)n == len ? 0 : fail(-EIO);
}

int plat_map(int fd, uint64_t offset, size_t len, void **ret_mem)
{
    int flags = MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0);

    void *mem = fault("mmap") ? MAP_FAILED
                              : mmap(NULL, len, PROT_READ | PROT_WRITE, flags,
                                     fd, (off_t)offset);
    /* EAGAIN is the limit of what may be locked (mlockall(2) with MCL_FUTURE),
     * and not "come again": our callers would wait for room in the queue. */
    if (mem == MAP_FAILED)
        return fail(errno == EAGAIN ? -ENOMEM : -errno);
    *ret_mem = mem;
    return 0;
}

void plat_unmap(void *mem, size_t len)
{
    (void)munmap(mem, len);
}

int plat_dup(int fd, int *ret_fd)
{
    int copy = fault("fcntl") ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return fail(errno == EBADF ? -EINVAL : -errno);
    *ret_fd = copy;
    return 0;
}

void plat_cloexec(int fd)
{
    if (!fault("fcntl"))
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}
