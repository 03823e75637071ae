/* file.h - files with names, in a directory that can be trusted.
 *
 * Beside plat.h, with its conventions. Which directory it is, and what the
 * files hold, is the caller's business (src/shm/name.c).
 */
#ifndef PLAT_FILE_H
#define PLAT_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Open a directory of the caller's own: his, or root's, no symbolic link, and
 * writable for nobody whom it does not name. `make`: made with mode 0700 if it
 * is not there, and refused unless it is the user's and closed to all others.
 * -ENOENT; -ENOTDIR, a symbolic link too; -EACCES: it could be another's. */
int file_dir_open(const char *path, bool make, int *ret_dir);

/* An empty file in the directory that has no name yet. -EOPNOTSUPP: the file
 * system cannot do that. */
int file_new(int dir, mode_t mode, int *ret_fd);

/* Give it its name. It appears whole, or, -EEXIST, not at all. */
int file_publish(int dir, int fd, const char *name);

/* Open by name, for reading and writing. -ENOENT; -EACCES: not allowed, or the
 * file of a user whom the directory does not name; -EINVAL: no regular file. */
int file_open(int dir, const char *name, int *ret_fd);

/* Hold the file for as long as this description of it is open, in whatever
 * process, together with others (`alone` false) or alone. -EBUSY: others hold it
 * otherwise. Death lets go. */
int file_hold(int fd, bool alone);

/* Hold it no longer, even if a child that was forked meanwhile has it open. */
void file_let_go(int fd);

/* Call each(context, name) for every name in the directory, till it gives less
 * than 0. */
int file_list(int dir, int (*each)(void *context, const char *name),
              void *context);

/* Take the name away; the file lives as long as somebody has it open. */
int file_unlink(int dir, const char *name);

/* 1 if the file has a name, 0 if it has lost it. */
int file_is_named(int fd);

#endif
