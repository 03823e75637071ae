/* holders.c - which processes hold a file, as far as /proc tells.
 *
 * A queue that a process has opened but not used yet knows nothing of it; the
 * kernel does. A file is held by an open descriptor, or by a mapping that has
 * outlived it. Both are looked at in every process that we may look into: one's
 * own, and all as root. Of root's own processes an ordinary user sees nothing;
 * they are not counted as unseen, or there would always be some.
 *
 * What is found is true for the moment at which it was looked at; who removes
 * something looks once more when nobody can find it by its name (cmd-gc.c).
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tool.h"

static bool add(struct holders *h, dev_t dev, ino_t ino, pid_t pid,
                bool removed)
{
    if ((h->n & (h->n - 1)) == 0) { /* a power of two: it is full */
        size_t cap = h->n ? 2 * h->n : 64;
        if (h->n == 0 || h->n >= 64) {
            struct holding *more = realloc(h->list, cap * sizeof *more);
            if (!more)
                return false;
            h->list = more;
        }
    }
    h->list[h->n++] = (struct holding){
        .dev = dev, .ino = ino, .pid = pid, .removed = removed};
    return true;
}

/* "/dev/shm/chute-0/jobs (deleted)": a file of this directory, that was. */
static bool is_deleted_in(const char *path, const char *name)
{
    size_t len = strlen(path);

    return strncmp(name, path, len) == 0 && name[len] == '/' &&
           strstr(name, " (deleted)");
}

static bool is_removed(int dir, const char *fd, const char *path)
{
    char target[4400];
    ssize_t len = readlinkat(dir, fd, target, sizeof target - 1);

    target[len < 0 ? 0 : len] = '\0';
    return is_deleted_in(path, target);
}

/* False: we may not look. */
static bool look_at_descriptors(struct holders *h, pid_t pid, dev_t dev,
                                const char *of)
{
    char path[64];
    struct stat st;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT || errno == ESRCH;
    for (struct dirent *entry; (entry = readdir(dir));)
        if (fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 &&
            st.st_dev == dev && S_ISREG(st.st_mode))
            add(h, st.st_dev, st.st_ino, pid,
                st.st_nlink == 0 && is_removed(dirfd(dir), entry->d_name, of));
    closedir(dir);
    return true;
}

/* 7f..-7f.. rw-s 00000000 00:17 123   /dev/shm/chute-0/jobs (deleted) */
static void look_at_mappings(struct holders *h, pid_t pid, dev_t dev,
                             const char *of)
{
    char path[64], *line = NULL, *name;
    size_t cap = 0;

    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "re");
    if (!maps)
        return;
    while (getline(&line, &cap, maps) > 0) {
        unsigned major, minor;
        uint64_t ino;
        if (sscanf(line, "%*s %*s %*s %x:%x %" SCNu64, &major, &minor, &ino) ==
                3 &&
            makedev(major, minor) == dev && ino)
            add(h, dev, (ino_t)ino, pid,
                (name = strchr(line, '/')) && is_deleted_in(of, name));
    }
    free(line);
    fclose(maps);
}

static int by_file(const void *va, const void *vb)
{
    const struct holding *a = va, *b = vb;

    if (a->ino != b->ino)
        return a->ino < b->ino ? -1 : 1;
    return a->pid < b->pid ? -1 : a->pid > b->pid;
}

static void sort_and_unite(struct holders *h)
{
    size_t n = 0;

    if (h->n == 0)
        return;
    qsort(h->list, h->n, sizeof *h->list, by_file);
    for (size_t i = 1; i < h->n; i++)
        if (by_file(&h->list[n], &h->list[i]) != 0)
            h->list[++n] = h->list[i];
    h->n = n + 1;
}

bool holders_find(const char *path, struct holders *ret_holders)
{
    struct holders h = {0};
    struct stat st, of_process;
    char where[64];

    if (stat(path, &st) < 0)
        return false;
    DIR *proc = opendir("/proc");
    if (!proc)
        return false;
    for (struct dirent *entry; (entry = readdir(proc));) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (!isdigit((unsigned char)entry->d_name[0]) || pid == getpid())
            continue;
        if (look_at_descriptors(&h, pid, st.st_dev, path)) {
            look_at_mappings(&h, pid, st.st_dev, path);
            continue;
        }
        snprintf(where, sizeof where, "/proc/%d", (int)pid);
        if (stat(where, &of_process) == 0 && of_process.st_uid != 0)
            h.n_unseen++;
    }
    closedir(proc);
    sort_and_unite(&h);
    *ret_holders = h;
    return true;
}

void holders_free(struct holders *h)
{
    free(h->list);
    *h = (struct holders){0};
}

const struct holding *holders_of(const struct holders *h, uint64_t dev,
                                 uint64_t ino, size_t *ret_n)
{
    const struct holding *first = NULL;

    *ret_n = 0;
    for (size_t i = 0; i < h->n; i++)
        if (h->list[i].dev == dev && h->list[i].ino == ino) {
            if (!first)
                first = &h->list[i];
            ++*ret_n;
        }
    return first;
}

const char *holders_program(pid_t pid, char buf[32])
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *comm = fopen(path, "re");
    if (!comm || !fgets(buf, 32, comm))
        strcpy(buf, "?");
    if (comm)
        fclose(comm);
    buf[strcspn(buf, "\n")] = '\0';
    return buf;
}
