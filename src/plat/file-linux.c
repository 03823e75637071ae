/* file-linux.c - files with names, in a directory that can be trusted.
 *
 * Whoever can make a file in the directory can make others open it; so what is
 * asked of the directory is asked by its descriptor, once it is open, and all
 * else goes by that descriptor: nobody can put another in its place meanwhile.
 *
 * A new file is made without a name (O_TMPFILE) and linked when it is complete,
 * so that nobody can open half of one, and a maker who is killed leaves nothing
 * behind. Opening neither follows a symbolic link nor waits on a FIFO.
 *
 * Proof: tests/unit/test-queue-name.c.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "plat/file.h"
#include "plat/plat.h"

#define OTHERS_MAY_WRITE S_IWOTH
#define NOT_FOR_OTHERS   (S_IRWXG | S_IRWXO)

static int look_at(int fd, struct stat *ret_st)
{
    return fault("fstat") || fstat(fd, ret_st) < 0 ? fail(-errno) : 0;
}

/* Whether nobody but those whom we trust can make a file in it. */
static int check_dir(int dir, bool own)
{
    struct stat st;
    int r = look_at(dir, &st);

    if (r < 0)
        return r;
    if (own)
        return st.st_uid == geteuid() && !(st.st_mode & NOT_FOR_OTHERS)
                   ? 0
                   : fail(-EACCES);
    return (st.st_uid == geteuid() || st.st_uid == 0) &&
                   !(st.st_mode & OTHERS_MAY_WRITE)
               ? 0
               : fail(-EACCES);
}

/* A file system that lives in another process, or on another machine, may be
 * interrupted. EAGAIN: somebody has a lease of the file. */
static int call_open(int dir, const char *path, int flags, mode_t mode)
{
    int fd;

    do
        fd = fault("open") ? -1 : openat(dir, path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd >= 0 ? fd : errno == EAGAIN ? -EBUSY : -errno;
}

static int make_dir(const char *path)
{
    int r = fault("mkdir") ? -1 : mkdir(path, S_IRWXU);

    return r < 0 && errno != EEXIST ? fail(-errno) : 0;
}

int file_dir_open(const char *path, bool make, int *ret_dir)
{
    int r = make ? make_dir(path) : 0;

    if (r < 0)
        return r;
    int dir = call_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (dir < 0)
        return fail(dir == -ELOOP ? -ENOTDIR : dir);
    r = check_dir(dir, make);
    if (r < 0) {
        plat_close(dir);
        return r;
    }
    *ret_dir = dir;
    return 0;
}

/* Not what the umask leaves of it: the caller has said who may. */
static int set_mode(int fd, mode_t mode)
{
    return fault("fchmod") || fchmod(fd, mode) < 0 ? fail(-errno) : 0;
}

int file_new(int dir, mode_t mode, int *ret_fd)
{
    int fd = call_open(dir, ".", O_RDWR | O_TMPFILE, mode);
    if (fd < 0)
        return fail(fd == -EISDIR ? -EOPNOTSUPP : fd);
    int r = set_mode(fd, mode);
    if (r < 0) {
        plat_close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

int file_publish(int dir, int fd, const char *name)
{
    char path[32];

    /* By its place in /proc, for AT_EMPTY_PATH takes a capability. */
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return fault("linkat") ||
                   linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW) < 0
               ? fail(-errno)
               : 0;
}

/* A file that a stranger made is not to be trusted; where the directory is open
 * to a group, its members' are. */
static int check_file(int dir, int fd)
{
    struct stat st, of_dir;
    int r = look_at(fd, &st);

    if (r == 0)
        r = look_at(dir, &of_dir);
    if (r < 0)
        return r;
    if (!S_ISREG(st.st_mode))
        return fail(-EINVAL);
    if (st.st_uid == geteuid() || st.st_uid == 0 ||
        (of_dir.st_mode & S_IWGRP && st.st_gid == of_dir.st_gid))
        return 0;
    return fail(-EACCES);
}

int file_open(int dir, const char *name, int *ret_fd)
{
    int fd = call_open(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0)
        return fail(fd == -ELOOP || fd == -EISDIR || fd == -ENXIO ? -EINVAL
                                                                  : fd);
    int r = check_file(dir, fd);
    if (r < 0) {
        plat_close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

int file_hold(int fd, bool alone)
{
    int how = (alone ? LOCK_EX : LOCK_SH) | LOCK_NB, r;

    do
        r = fault("flock") || flock(fd, how) < 0 ? -errno : 0;
    while (r == -EINTR);
    return r < 0 ? fail(r == -EWOULDBLOCK ? -EBUSY : r) : 0;
}

void file_let_go(int fd)
{
    if (!fault("flock"))
        (void)flock(fd, LOCK_UN);
}

/* NULL at the end, or with errno set. */
static struct dirent *next_entry(DIR *listing)
{
    errno = 0;
    return fault("getdents") ? NULL : readdir(listing);
}

int file_list(int dir, int (*each)(void *context, const char *name),
              void *context)
{
    struct dirent *entry;
    int fd = call_open(dir, ".", O_RDONLY | O_DIRECTORY, 0), r;

    if (fd < 0)
        return fail(fd);
    DIR *listing = fault("fdopendir") ? NULL : fdopendir(fd);
    if (!listing) {
        r = fail(-errno);
        plat_close(fd);
        return r;
    }
    r = 0;
    while (r >= 0 && (entry = next_entry(listing)) != NULL)
        r = each(context, entry->d_name);
    if (r >= 0 && errno)
        r = fail(-errno);
    closedir(listing);
    return r < 0 ? r : 0;
}

int file_unlink(int dir, const char *name)
{
    return fault("unlinkat") || unlinkat(dir, name, 0) < 0 ? fail(-errno) : 0;
}

int file_is_named(int fd)
{
    struct stat st;
    int r = look_at(fd, &st);

    return r < 0 ? r : st.st_nlink > 0;
}
