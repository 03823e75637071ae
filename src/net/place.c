/* place.c - where a listener's socket lies in the file system.
 *
 * As CPython: the default is <tmp>/pymp-XXXXXX/listener-XXXXXX in a directory of
 * mode 0700, so that nobody else can reach or replace it. Whoever made a path
 * removes it, once; a forked child does not, and nobody removes a path that has
 * become another socket's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "net/place.h"
#include "net/socket.h"

int place_new(struct place *place, char ret_text[ADDRESS_TEXT_MAX])
{
    const char *tmp = secure_getenv("TMPDIR");
    uint32_t number;

    if (!tmp || tmp[0] != '/')
        tmp = "/tmp";
    int r = socket_random(&number, sizeof number);
    if (r < 0)
        return r;
    /* What does not fit into sun_path would fail later anyway. */
    if (strlen(tmp) > 60)
        return fail(-ENAMETOOLONG);
    snprintf(place->directory, sizeof place->directory, "%s/pymp-XXXXXX", tmp);
    r = !fault("mkdtemp") && mkdtemp(place->directory) ? 0 : -errno;
    if (r < 0) {
        place->directory[0] = '\0';
        return fail(r);
    }
    place->made_by = getpid();
    snprintf(ret_text, ADDRESS_TEXT_MAX, "unix:%s/listener-%08x",
             place->directory, number);
    return 0;
}

void place_take(struct place *place, const char *path)
{
    struct stat st;

    place->made_by = getpid();
    if (!path || fault("lstat") || lstat(path, &st) < 0)
        return;
    snprintf(place->path, sizeof place->path, "%s", path);
    place->device = (uint64_t)st.st_dev;
    place->inode = (uint64_t)st.st_ino;
}

void place_leave(const struct place *place)
{
    struct stat st;

    if (place->made_by != getpid())
        return;
    if (place->path[0] && !fault("lstat") && lstat(place->path, &st) == 0 &&
        (uint64_t)st.st_dev == place->device &&
        (uint64_t)st.st_ino == place->inode && !fault("unlink"))
        (void)unlink(place->path);
    if (place->directory[0] && !fault("rmdir"))
        (void)rmdir(place->directory);
}
