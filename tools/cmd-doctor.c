/* cmd-doctor.c - what is wrong with this machine, and what to do about it.
 *
 * A check prints a line or more: ok, note or BAD. A note is what may become
 * trouble; BAD is what makes a program fail now, and the status is 1. Each says
 * what to do.
 *
 *     directory   where names lie: owner, mode, room, O_TMPFILE
 *     kernel      what the library asks of it, asked once
 *     limits      of this process
 *     cgroup      shared memory counts against it
 *     logind      RemoveIPC, which deletes a user's files at his last logout
 *     queues      those that cannot be used, or that nobody holds
 *     removed     queues without a name that somebody still holds
 *     trial       a value through a queue to another process and back
 *
 * Proof: tests/tool/doctor.py.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "tool.h"

#define PATH_CAP    4400
#define TMPFS_MAGIC 0x01021994
#define MIN_FREE    (1 << 20)
#define SMALL_SHM   (UINT64_C(128) << 20) /* Docker gives 64 MiB */

enum { JSON_OUT, ROOT };

static const struct option options[] = {
    {'j', "json", NULL, "print an object a line"},
    {0, "root", "DIR", "look for systemd's settings below DIR, not /"},
    {0},
};

static const char text[] =
    "Looks at the directory of queues, the kernel, limits, systemd's "
    "settings,\n"
    "and what the dead have left, and tries a queue out. Changes nothing.\n"
    "\n"
    "Examples:\n"
    "  chute doctor\n"
    "  docker run --rm IMAGE chute doctor\n"
    "\n"
    "Exit status: 0 nothing is BAD, 1 something is.\n";

enum level { OK, NOTE, BAD };

static struct {
    bool json;
    const char *root;
    size_t n_bad, n_notes;
} doctor;

/* Strings of ours and of the system's, in JSON; chute has what it takes. */
static void print_json(const char *level, const char *topic, const char *what)
{
    char *shown = NULL;
    chute_value *v = chute_value_build("{'level': s, 'topic': s, 'text': s}",
                                       level, topic, what);

    if (v && json_show(v, &shown) == 0)
        puts(shown);
    free(shown);
    chute_value_free(v);
}

PRINTF(3, 4)
static void report(enum level level, const char *topic, const char *format, ...)
{
    static const char *const names[] = {"ok", "note", "BAD"};
    static const char *const colours[] = {"\033[32m", "\033[33m", "\033[1;31m"};
    bool colour = say_in_colour(stdout) && !doctor.json;
    char what[PATH_CAP + 1024];
    va_list args;

    doctor.n_bad += level == BAD;
    doctor.n_notes += level == NOTE;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (doctor.json)
        print_json(names[level], topic, what);
    else
        printf("%s%-4s%s  %-9s  %s\n", colour ? colours[level] : "",
               names[level], colour ? "\033[m" : "", topic, what);
}

/* -- directory --------------------------------------------------------------------------- */

static void check_room(void)
{
    struct statvfs fs;
    struct statfs kind;
    char size[UNITS_LEN], left[UNITS_LEN];

    if (statvfs(queues_dir(), &fs) < 0 || statfs(queues_dir(), &kind) < 0)
        return;
    double total = (double)fs.f_blocks * (double)fs.f_frsize;
    double free = (double)fs.f_bavail * (double)fs.f_frsize;
    units_show_size(size, total);
    units_show_size(left, free);
    if (kind.f_type != TMPFS_MAGIC)
        report(NOTE, "directory",
               "%s is not on a tmpfs: queues will be written to a disk, which "
               "is slow; set CHUTE_DIR to a directory below /dev/shm",
               queues_dir());
    if (fs.f_blocks == 0) /* no limit */
        report(OK, "directory", "%s: no limit but memory", queues_dir());
    else if (free < total / 10 || free < MIN_FREE)
        report(
            BAD, "directory",
            "%s: %s left of %s. Remove what nobody holds (chute gc), or make "
            "it larger (mount -o remount,size=1G /dev/shm; docker run "
            "--shm-size=1g)",
            queues_dir(), left, size);
    else if (total < (double)SMALL_SHM)
        report(NOTE, "directory",
               "%s: only %s, %s left. A queue that is to hold more needs more "
               "(mount -o remount,size=1G /dev/shm; docker run --shm-size=1g)",
               queues_dir(), size, left);
    else
        report(OK, "directory", "%s: %s left of %s", queues_dir(), left, size);
}

static void check_directory(void)
{
    struct stat st;
    bool given = secure_getenv("CHUTE_DIR") && *secure_getenv("CHUTE_DIR");
    const char *dir = queues_dir();

    if (lstat(dir, &st) < 0) {
        if (!given && errno == ENOENT && access("/dev/shm", W_OK | X_OK) == 0)
            report(OK, "directory", "%s: not there yet, and will be made", dir);
        else
            report(BAD, "directory", "%s: %s. %s", dir, strerror(errno),
                   given ? "Make it (mkdir -m 700), or unset CHUTE_DIR"
                         : "/dev/shm has to be there, and writable for all");
        return;
    }
    if (!S_ISDIR(st.st_mode))
        report(BAD, "directory", "%s is no directory: set CHUTE_DIR to one",
               dir);
    else if (st.st_uid != geteuid() && (st.st_uid != 0 || !given))
        report(BAD, "directory",
               "%s belongs to user %lu: it is not trusted. Remove it, or set "
               "CHUTE_DIR",
               dir, (unsigned long)st.st_uid);
    else if (given && st.st_mode & S_IWOTH)
        report(BAD, "directory", "%s is writable for all: %s", dir,
               queues_narrow(&st));
    else if (!given && st.st_mode & (S_IRWXG | S_IRWXO))
        report(BAD, "directory", "%s is open to others: chmod 700 %s", dir,
               dir);
    else if (access(dir, R_OK | W_OK | X_OK) < 0)
        report(BAD, "directory", "%s: %s for you; it is for its owner%s", dir,
               strerror(errno), st.st_mode & 070 ? " and group" : "");
    else
        check_room();
}

static void check_tmpfile(void)
{
    int fd = open(queues_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    bool works = fd >= 0 && fallocate(fd, 0, 0, 4096) == 0;

    if (!works && (errno == EOPNOTSUPP || errno == EISDIR))
        report(BAD, "directory",
               "the file system of %s cannot make files without a name "
               "(O_TMPFILE), or reserve memory for them (fallocate): set "
               "CHUTE_DIR to a directory on a tmpfs",
               queues_dir());
    if (fd >= 0)
        close(fd);
}

/* -- kernel ------------------------------------------------------------------------------- */

/* Each returns whether it works, without an effect. */
static bool has_futex(void)
{
    static uint32_t word;

    return syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0) == 0;
}

static bool has_robust_list(void)
{
    void *head;
    size_t len;

    return syscall(SYS_get_robust_list, 0, &head, &len) == 0;
}

static bool has_memfd(void)
{
    int fd = memfd_create("chute doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return false;
    bool works = ftruncate(fd, 4096) == 0 && fallocate(fd, 0, 0, 4096) == 0 &&
                 fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0;
    close(fd);
    return works;
}

static bool has_pidfd(void)
{
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool has_wipeonfork(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return false;
    bool works = madvise(page, 4096, MADV_WIPEONFORK) == 0;
    munmap(page, 4096);
    return works;
}

static bool has_proc(void)
{
    return access("/proc/self/fd", X_OK) == 0 &&
           access("/proc/self/ns/pid", F_OK) == 0;
}

static void check_kernel(void)
{
    static const struct {
        const char *name, *advice;
        bool (*works)(void);
    } checks[] = {
        {"futex", "nothing works without it", has_futex},
        {"get_robust_list",
         "a lock would stay with its dead owner; a sandbox may forbid it "
         "(docker run --security-opt seccomp=...)",
         has_robust_list},
        {"memfd_create with seals", "there are no nameless queues", has_memfd},
        {"pidfd_open",
         "processes cannot be started; Linux 5.4 or later is needed, and a "
         "sandbox that allows it",
         has_pidfd},
        {"MADV_WIPEONFORK", "Linux 4.14 or later is needed", has_wipeonfork},
        {"/proc", "mount it: queues with names need it", has_proc},
    };
    struct utsname name;
    bool all = true;

    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (checks[i].works())
            continue;
        all = false;
        report(BAD, "kernel", "%s does not work: %s", checks[i].name,
               checks[i].advice);
    }
    if (all && uname(&name) == 0)
        report(OK, "kernel",
               "%s %s: futex, robust list, memfd, pidfd, /proc work",
               name.sysname, name.release);
}

/* -- limits -------------------------------------------------------------------------------- */

static void check_limits(void)
{
    struct rlimit file, space, fds;
    char shown[UNITS_LEN];
    bool all = true;

    getrlimit(RLIMIT_FSIZE, &file);
    getrlimit(RLIMIT_AS, &space);
    getrlimit(RLIMIT_NOFILE, &fds);
    if (file.rlim_cur != RLIM_INFINITY) {
        report(file.rlim_cur < SMALL_SHM ? BAD : NOTE, "limits",
               "files may have %s (ulimit -f): no queue can grow beyond that",
               units_show_size(shown, (double)file.rlim_cur));
        all = false;
    }
    if (space.rlim_cur != RLIM_INFINITY) {
        report(NOTE, "limits",
               "address space is limited to %s (ulimit -v): a large queue may "
               "not find room in it; --memory bounds what it takes",
               units_show_size(shown, (double)space.rlim_cur));
        all = false;
    }
    if (fds.rlim_cur < 256) {
        report(NOTE, "limits",
               "%" PRIu64 " descriptors (ulimit -n): a queue takes one in each "
               "process, a process two",
               (uint64_t)fds.rlim_cur);
        all = false;
    }
    if (all)
        report(OK, "limits", "file size, address space, descriptors: enough");
}

/* Of the cgroup that we are in, version 2; a limit further up counts as well,
 * but is not ours to see in a container. */
static void check_cgroup(void)
{
    char line[PATH_CAP] = "", path[2 * PATH_CAP], shown[UNITS_LEN];
    FILE *self = fopen("/proc/self/cgroup", "re");
    bool is_v2 = false;

    while (self && !is_v2 && fgets(line, sizeof line, self))
        is_v2 = strncmp(line, "0::", 3) == 0;
    if (self)
        fclose(self);
    if (!is_v2)
        return;
    line[strcspn(line, "\n")] = '\0';
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", line + 3);
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    uint64_t max;
    if (fscanf(file, "%" SCNu64, &max) == 1)
        report(NOTE, "cgroup",
               "memory.max is %s, and queues count against it: who fills one "
               "beyond that is killed by the kernel",
               units_show_size(shown, (double)max));
    fclose(file);
}

/* -- logind -------------------------------------------------------------------------------- */

/* The last RemoveIPC= of a file; the drop-ins' are read after it, by name. */
static void read_setting(const char *path, bool *removes)
{
    char *line = NULL, value[32];
    size_t cap = 0;
    FILE *file = fopen(path, "re");

    if (!file)
        return;
    while (getline(&line, &cap, file) > 0)
        if (sscanf(line, " RemoveIPC = %31s", value) == 1)
            *removes = strchr("yYtT1", value[0]) || strcmp(value, "on") == 0;
    free(line);
    fclose(file);
}

static int is_conf(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot && strcmp(dot, ".conf") == 0;
}

static void read_drop_ins(const char *dir, bool *removes)
{
    struct dirent **entries;
    char path[PATH_CAP + 300];

    int n = scandir(dir, &entries, is_conf, alphasort);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, entries[i]->d_name);
        read_setting(path, removes);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

static bool is_there(const char *format, const char *what)
{
    char rest[300], path[PATH_CAP];

    snprintf(rest, sizeof rest, format, what);
    snprintf(path, sizeof path, "%s%s", doctor.root, rest);
    return access(path, F_OK) == 0;
}

static void check_logind(void)
{
    static const char *const dirs[] = {"/usr/lib", "/run", "/etc"};
    char path[PATH_CAP];
    bool removes = true; /* as logind has it, unless told otherwise */
    struct passwd *user = getpwuid(geteuid());

    if (!is_there("/run/systemd/system%s", ""))
        return;
    snprintf(path, sizeof path, "%s/etc/systemd/logind.conf", doctor.root);
    read_setting(path, &removes);
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        snprintf(path, sizeof path, "%s%s/systemd/logind.conf.d", doctor.root,
                 dirs[i]);
        read_drop_ins(path, &removes);
    }
    if (!removes)
        report(OK, "logind", "RemoveIPC=no: queues outlive a logout");
    else if (geteuid() < 1000)
        report(OK, "logind",
               "RemoveIPC does not concern system users, as this one is");
    else if (user && is_there("/var/lib/systemd/linger/%s", user->pw_name))
        report(OK, "logind", "user %s lingers: queues outlive a logout",
               user->pw_name);
    else
        report(NOTE, "logind",
               "RemoveIPC=yes: when you log out for the last time, systemd "
               "deletes your queues. Set RemoveIPC=no in "
               "/etc/systemd/logind.conf, or: loginctl enable-linger");
}

/* -- queues -------------------------------------------------------------------------------- */

struct census {
    size_t n, n_held, n_left, n_left_full, n_bad;
    uint64_t left_len;
};

static void count_one(struct census *c, const char *name,
                      const struct holders *holders)
{
    char path[PATH_CAP];
    struct stat st;
    chute_queue *queue;
    size_t n_items = 0, n_holders;

    snprintf(path, sizeof path, "%s/%s", queues_dir(), name);
    if (lstat(path, &st) < 0)
        return;
    c->n++;
    bool held = holders_of(holders, st.st_dev, st.st_ino, &n_holders);
    c->n_held += held;
    int r = chute_queue_open(&queue, name, NULL);
    if (r == 0) {
        (void)chute_queue_qsize(queue, &n_items);
        chute_queue_free(queue);
    } else if (r != CHUTE_ENOENT && r != CHUTE_ENAMESPACE) {
        c->n_bad++;
        report(NOTE, "queues", "'%s' cannot be opened: %s; %s", name,
               chute_strerror(r),
               r == CHUTE_EACCES ? "it is somebody else's"
                                 : "'chute rm' or 'chute gc --broken' removes "
                                   "it");
    } else if (r == CHUTE_ENAMESPACE) {
        report(NOTE, "queues",
               "'%s' was made in another PID namespace (another container); it "
               "can be used there only",
               name);
        return;
    }
    if (held || holders->n_unseen)
        return;
    c->n_left++;
    c->n_left_full += n_items > 0;
    c->left_len += (uint64_t)st.st_blocks * 512;
}

static void check_names(const struct holders *holders)
{
    struct census c = {0};
    char size[UNITS_LEN];
    chute_value *names;

    if (chute_queue_list(&names) < 0)
        return;
    for (size_t i = 0; i < chute_value_len(names); i++)
        count_one(&c, chute_value_str(chute_value_at(names, i)), holders);
    chute_value_free(names);
    if (c.n_left)
        report(NOTE, "queues",
               "%zu of %zu are held by nobody, %zu of these with messages, and "
               "take %s: 'chute gc --dry-run --verbose' shows them",
               c.n_left, c.n, c.n_left_full,
               units_show_size(size, (double)c.left_len));
    else if (c.n == 0)
        report(OK, "queues", "none");
    else if (!c.n_bad)
        report(OK, "queues", "%zu, each of them held by a process", c.n);
}

/* A memory file of another program is not told from a queue's by its number; so
 * only those count that lie in the directory's file system. */
static void check_removed(const struct holders *holders)
{
    char program[32];
    size_t n = 0;

    for (size_t i = 0; i < holders->n; i++) {
        const struct holding *h = &holders->list[i];
        if (!h->removed)
            continue;
        if (n++ < 5)
            report(NOTE, "removed",
                   "%d (%s) holds a file in %s that has no name any more; its "
                   "memory is free when that process ends",
                   (int)h->pid, holders_program(h->pid, program), queues_dir());
    }
    if (n > 5)
        report(NOTE, "removed", "and %zu more", n - 5);
}

static void check_queues(void)
{
    struct holders holders;

    if (!holders_find(queues_dir(), &holders))
        return;
    check_names(&holders);
    check_removed(&holders);
    holders_free(&holders);
}

/* -- trial --------------------------------------------------------------------------------- */

static int answer(void *arg)
{
    chute_queue **queues = arg;
    chute_value *v;

    int r = chute_queue_get(queues[0], &v, CHUTE_SEC(10));
    return r < 0 ? FAILED : chute_queue_put(queues[1], v, CHUTE_SEC(10));
}

static int try_out(chute_queue **queues)
{
    chute_process *process;
    chute_value *v;
    int code = 0;

    int r = chute_queue_new(&queues[0], NULL);
    if (r == 0)
        r = chute_queue_new(&queues[1], NULL);
    if (r == 0)
        r = chute_process_start(&process, answer, queues, NULL);
    if (r < 0)
        return r;
    r = chute_queue_put(queues[0], chute_str("hello"), CHUTE_SEC(10));
    if (r == 0)
        r = chute_queue_get(queues[1], &v, CHUTE_SEC(10));
    if (r == 0)
        chute_value_free(v);
    else
        chute_process_kill(process);
    chute_process_join(process, &code, CHUTE_SEC(10));
    chute_process_free(process);
    return r;
}

static void check_trial(void)
{
    chute_queue *queues[2] = {NULL, NULL};

    int r = try_out(queues);
    for (int i = 0; i < 2; i++)
        chute_queue_free(queues[i]);
    if (r < 0)
        report(BAD, "trial", "a value through a queue to a process: %s (%s)",
               chute_strerror(r), chute_errname(r));
    else
        report(OK, "trial",
               "a value went through a queue to a process, and "
               "came back");
}

static int run(const struct call *call)
{
    doctor.json = call->given[JSON_OUT] != NULL;
    doctor.root = call->given[ROOT] ? call->given[ROOT] : "";
    check_directory();
    check_tmpfile();
    check_kernel();
    check_limits();
    check_cgroup();
    check_logind();
    check_queues();
    check_trial();
    if (doctor.n_bad)
        note("%zu BAD: programs will fail", doctor.n_bad);
    return doctor.n_bad ? FAILED : DONE;
}

const struct verb verb_doctor = {
    .name = "doctor",
    .words = "",
    .min_words = 0,
    .max_words = 0,
    .summary = "look for what is wrong, and say what to do",
    .text = text,
    .options = options,
    .run = run,
};
