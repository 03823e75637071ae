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
    if (fault("fstat", EIO))
        return fail(-EIO);
    return fstat(fd, ret_st) < 0 ? fail(-errno) : 0;
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

static int make_dir(const char *path)
{
    if (fault("mkdir", EACCES))
        return fail(-EACCES);
    return mkdir(path, S_IRWXU) < 0 && errno != EEXIST ? fail(-errno) : 0;
}

int file_dir_open(const char *path, bool make, int *ret_dir)
{
    int r = make ? make_dir(path) : 0;

    if (r < 0)
        return r;
    if (fault("open", EMFILE))
        return fail(-EMFILE);
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return fail(errno == ELOOP ? -ENOTDIR : -errno);
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
    if (fault("fchmod", EPERM))
        return fail(-EPERM);
    return fchmod(fd, mode) < 0 ? fail(-errno) : 0;
}

int file_new(int dir, mode_t mode, int *ret_fd)
{
    if (fault("open", EMFILE))
        return fail(-EMFILE);
    int fd = openat(dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, mode);
    if (fd < 0)
        return fail(errno == EISDIR ? -EOPNOTSUPP : -errno);
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

    if (fault("linkat", ENOSPC))
        return fail(-ENOSPC);
    /* By its place in /proc, for AT_EMPTY_PATH takes a capability. */
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW) < 0
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
    if (fault("open", EMFILE))
        return fail(-EMFILE);
    int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return fail(errno == ELOOP || errno == EISDIR || errno == ENXIO
                        ? -EINVAL
                        : -errno);
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
    if (fault("flock", ENOLCK))
        return fail(-ENOLCK);
    if (flock(fd, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0)
        return fail(errno == EWOULDBLOCK ? -EBUSY : -errno);
    return 0;
}

void file_let_go(int fd)
{
    (void)flock(fd, LOCK_UN);
}

int file_list(int dir, int (*each)(void *context, const char *name),
              void *context)
{
    struct dirent *entry;
    int fd, r = 0;

    if (fault("open", EMFILE))
        return fail(-EMFILE);
    fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail(-errno);
    DIR *listing = fault("malloc", ENOMEM) ? NULL : fdopendir(fd);
    if (!listing) {
        plat_close(fd);
        return fail(-ENOMEM);
    }
    while (r >= 0 && (errno = 0, entry = readdir(listing)) != NULL)
        r = each(context, entry->d_name);
    if (r >= 0 && errno)
        r = fail(-errno);
    closedir(listing);
    return r < 0 ? r : 0;
}

int file_unlink(int dir, const char *name)
{
    if (fault("unlinkat", EACCES))
        return fail(-EACCES);
    return unlinkat(dir, name, 0) < 0 ? fail(-errno) : 0;
}

int file_is_named(int fd)
{
    struct stat st;
    int r = look_at(fd, &st);

    return r < 0 ? r : st.st_nlink > 0;
}
