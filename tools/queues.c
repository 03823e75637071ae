/* queues.c - queues by name, and what to do if that fails.
 *
 * A code of the library says what happened; whoever sits at the terminal wants
 * to know what to do now. That depends on the directory, the file and the limits
 * of the process, which are looked at here, after the fact, for the text only.
 *
 * Proof: tests/tool/wrong.py, which has the table of what may go wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tool.h"

#define PATH_CAP 4400

const char *queues_dir(void)
{
    static char own[64];
    const char *given = secure_getenv("CHUTE_DIR");

    if (given && *given)
        return given;
    snprintf(own, sizeof own, "/dev/shm/chute-%lu", (unsigned long)geteuid());
    return own;
}

/* A directory that everybody shares, as /tmp, is no mistake and has to stay so. */
const char *queues_narrow(const struct stat *st)
{
    return st->st_uid == geteuid() && !(st->st_mode & S_ISVTX)
               ? "chmod o-w, or set CHUTE_DIR to another"
               : "make one in it (mkdir -m 700), and set CHUTE_DIR to that";
}

/* -- what to do --------------------------------------------------------------- */

static const char *owner_of(const struct stat *st)
{
    static char number[32];
    struct passwd *user = getpwuid(st->st_uid);

    if (user)
        return user->pw_name;
    snprintf(number, sizeof number, "user %lu", (unsigned long)st->st_uid);
    return number;
}

/* The one that was perhaps meant. */
static chute_value *nearest_name(const char *name)
{
    const char *names[1000];
    chute_value *list, *near;
    int n = 0;

    if (chute_queue_list(&list) < 0)
        return NULL;
    for (size_t i = 0; i < chute_value_len(list) && n < 1000; i++)
        names[n++] = chute_value_str(chute_value_at(list, i));
    const char *nearest = args_nearest(name, names, n);
    near = nearest ? chute_str(nearest) : NULL;
    chute_value_free(list);
    return near;
}

static int explain_missing(const char *name)
{
    struct stat st;

    if (stat(queues_dir(), &st) < 0 && secure_getenv("CHUTE_DIR")) {
        complain("there is no directory %s, which CHUTE_DIR names: make it "
                 "(mkdir -m 700), or unset CHUTE_DIR",
                 queues_dir());
        return MISSING;
    }
    chute_value *near = nearest_name(name);
    if (near)
        complain("there is no queue '%s' in %s; did you mean '%s'?", name,
                 queues_dir(), chute_value_str(near));
    else
        complain("there is no queue '%s' in %s; 'chute ls' shows those that "
                 "are there, 'chute create %s' makes it",
                 name, queues_dir(), name);
    chute_value_free(near);
    return MISSING;
}

static int explain_access(const char *name)
{
    char path[PATH_CAP];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", queues_dir(), name);
    if (stat(queues_dir(), &st) == 0) {
        if (st.st_mode & S_IWOTH)
            return complain("%s is writable for all, so anybody could put a "
                            "queue of his there: %s",
                            queues_dir(), queues_narrow(&st));
        if (st.st_uid != geteuid() && st.st_uid != 0)
            return complain("%s belongs to %s: be that user, or set CHUTE_DIR "
                            "to a directory of your own or root's",
                            queues_dir(), owner_of(&st));
        if (!secure_getenv("CHUTE_DIR") && st.st_mode & 077)
            return complain("%s is open to others: chmod 700 %s", queues_dir(),
                            queues_dir());
    }
    if (access(queues_dir(), W_OK | X_OK) < 0)
        return complain("%s: no permission to make and open files there; it is "
                        "for its owner and group",
                        queues_dir());
    if (stat(path, &st) == 0)
        return complain("no permission for queue '%s': it belongs to %s, mode "
                        "%04o; be that user, or have it made with --mode 0660 "
                        "in a directory that your group shares",
                        name, owner_of(&st), (unsigned)(st.st_mode & 0777));
    return complain("queue '%s' in %s: permission denied", name, queues_dir());
}

static int explain_space(const char *name)
{
    struct statvfs fs;
    char size[UNITS_LEN] = "?", left[UNITS_LEN] = "?";

    if (statvfs(queues_dir(), &fs) == 0) {
        units_show_size(size, (double)fs.f_blocks * (double)fs.f_frsize);
        units_show_size(left, (double)fs.f_bavail * (double)fs.f_frsize);
    }
    return complain(
        "queue '%s': the file system of %s is full (%s left of %s). Make it "
        "larger (mount -o remount,size=1G /dev/shm; docker run --shm-size=1g), "
        "remove what nobody holds (chute gc), or set CHUTE_DIR to a directory "
        "elsewhere",
        name, queues_dir(), left, size);
}

static int explain_invalid(const char *name)
{
    char path[PATH_CAP];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", queues_dir(), name);
    if (*name && name[0] != '.' && !strchr(name, '/') && lstat(path, &st) == 0)
        return complain("%s is not a regular file, so it is no queue", path);
    complain("'%s' cannot be the name of a queue: 1 to 200 of A-Z a-z 0-9 . _ "
             "-, and no dot in front",
             name);
    return MISUSED;
}

int queues_complain(const char *name, int r)
{
    switch (r) {
    case CHUTE_ENOENT:
        return explain_missing(name);
    case CHUTE_EACCES:
    case -EPERM:
        return explain_access(name);
    case CHUTE_ENOSPC:
        return explain_space(name);
    case CHUTE_EINVAL:
        return explain_invalid(name);
    case CHUTE_EEXIST:
        return complain("there is a queue '%s' already; --exist-ok takes it "
                        "as it is",
                        name);
    case CHUTE_ECLOSED:
        complain("queue '%s' is closed: it takes no more messages", name);
        return CLOSED;
    case CHUTE_EOF:
        note("queue '%s' is closed, and all has been taken", name);
        return CLOSED;
    case CHUTE_ECORRUPT:
        return complain("%s/%s is no queue, or was overwritten or cut short; "
                        "'chute rm %s' removes it",
                        queues_dir(), name, name);
    case CHUTE_ELAYOUT:
        return complain("queue '%s' was made by another version of chute (this "
                        "one is %s): use that one's tool to empty it, and make "
                        "it again with this one; 'chute rm %s' removes it",
                        name, chute_version(), name);
    case CHUTE_ENAMESPACE:
        return complain("queue '%s' was made in another PID namespace (another "
                        "container): use it from there, or start this one with "
                        "the same (docker run --pid=container:OTHER)",
                        name);
    case CHUTE_ENETNS:
        return complain(
            "queue '%s': a program waits for it by a descriptor, in "
            "another network namespace (another container): use it "
            "from there, or start one of them in the other's",
            name);
    case CHUTE_EMSGSIZE:
        return complain("queue '%s': the message takes more than the queue's "
                        "memory; 'chute create --memory' sets it",
                        name);
    case -ENOTDIR:
        return complain("%s is no directory (or a symbolic link, which is not "
                        "followed): set CHUTE_DIR to one",
                        queues_dir());
    case -EOPNOTSUPP:
        return complain("the file system of %s cannot make files without a "
                        "name (O_TMPFILE), or reserve memory for them "
                        "(fallocate): set CHUTE_DIR to a directory on a tmpfs",
                        queues_dir());
    case -EFBIG:
        return complain("queue '%s': the limit on the size of files does not "
                        "allow it; see 'ulimit -f'",
                        name);
    case CHUTE_EMFILE:
        return complain("queue '%s': no descriptors left; see 'ulimit -n'",
                        name);
    default:
        return complain("queue '%s' in %s: %s (%s)", name, queues_dir(),
                        chute_strerror(r), chute_errname(r));
    }
}

int queues_open(chute_queue **ret_queue, const char *name,
                const struct chute_queue_options *given)
{
    struct chute_queue_options options = {.size = sizeof options};

    if (given)
        options = *given;
    options.flags |= CHUTE_INTERRUPTIBLE;
    int r = chute_queue_open(ret_queue, name, &options);
    return r < 0 ? queues_complain(name, r) : DONE;
}
