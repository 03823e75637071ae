/* child-linux.c - fork, pidfd and what surrounds them.
 *
 * Why fork(3) and not clone3(2) with CLONE_PIDFD, which would give the
 * descriptor without a gap: the C library's fork runs the handlers that others
 * have registered (pthread_atfork), takes the locks of malloc and stdio, and
 * repairs its own state in the child. Without it malloc in the child may hang
 * for ever. So the descriptor is made from the pid, and the gap is closed by
 * looking: the child cannot vanish while nobody has reaped it, and if somebody
 * has (SIGCHLD ignored, or a wait(2) for any child in another thread), then the
 * descriptor is not our child's, and waitid(2) says so.
 *
 * A child that only becomes another program (child_spawn) needs none of this,
 * and must do without: it shares the parent's memory, on a stack of its own,
 * while the thread that made it sleeps (CLONE_VM, CLONE_VFORK: as posix_spawn
 * does it, which cannot tie the child to its parent). So in run_program() there
 * are system calls and nothing else: no lock of the C library is touched, and
 * nothing that a sanitizer keeps account of, for the account would be the
 * parent's. An error is left in memory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"
#include "plat/child.h"
#include "plat/io.h"
#include "plat/plat.h"

/* P_PIDFD, by its number, for older C libraries do not know the name. */
#define BY_PIDFD ((idtype_t)3)

/* -- in the parent --------------------------------------------------------- */

void child_hold_signals(sigset_t *ret_before)
{
    sigset_t all;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, ret_before);
}

void child_let_signals(const sigset_t *before)
{
    (void)pthread_sigmask(SIG_SETMASK, before, NULL);
}

int child_fork(pid_t *ret_pid)
{
    pid_t pid = fault("fork") ? -1 : fork();

    if (pid < 0)
        return fail(-errno);
    *ret_pid = pid;
    return 0;
}

/* -- a program -------------------------------------------------------------- */

#define SPAWN_STACK 65536

/* glibc's other name for clone(2). The thread sanitizer puts a clone of its own
 * in front, which takes every child for one with a memory of its own. */
int __clone(int (*run)(void *), void *stack, int flags, void *arg, ...);

struct spawn {
    const struct child_program *program;
    pid_t parent;
    int error;
};

#define UNACCOUNTED __attribute__((no_sanitize("address", "thread")))

/* Zero is the default action, an empty mask and no flags, in the kernel's own
 * struct, whatever its fields; it is no longer than this. */
UNACCOUNTED static void reset_signals(void)
{
    static const long zeros[16];

    for (int signal = 1; signal < NSIG; signal++)
        (void)syscall(SYS_rt_sigaction, signal, zeros, NULL, (NSIG - 1) / 8);
}

/* Take all descriptors before placing the first, which may be where another
 * one is. */
UNACCOUNTED static bool place_stdio(const int stdio[3])
{
    int from[3];

    for (int i = 0; i < 3; i++) {
        from[i] = stdio[i];
        if (stdio[i] != i)
            from[i] = fault("fcntl") ? -1
                                     : (int)syscall(SYS_fcntl, stdio[i],
                                                    F_DUPFD_CLOEXEC, 3);
        if (from[i] < 0)
            return false;
    }
    for (int i = 0; i < 3; i++)
        if (from[i] != i &&
            (fault("dup") || syscall(SYS_dup3, from[i], i, 0) < 0))
            return false;
    return true;
}

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/* Let the exec close all from 3 on, but those that are passed. */
UNACCOUNTED static bool close_others(const int *fds, size_t n_fds)
{
    struct rlimit limit = {.rlim_cur = 1024};

    if (fault("close_range") ||
        syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) < 0) {
        /* Linux before 5.11. */
        if (!fault("prlimit"))
            (void)syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
        for (rlim_t fd = 3; fd < limit.rlim_cur && fd < INT_MAX; fd++)
            (void)syscall(SYS_fcntl, (int)fd, F_SETFD, FD_CLOEXEC);
    }
    for (size_t i = 0; i < n_fds; i++)
        if (fault("fcntl") || syscall(SYS_fcntl, fds[i], F_SETFD, 0) < 0)
            return false;
    return true;
}

/* As child_follow_parent and child_orphaned do it. */
UNACCOUNTED static bool follow(pid_t parent)
{
    if (fault("prctl") ||
        syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return false;
    long now = syscall(SYS_getppid);
    if (now != 0 && now != parent)
        syscall(SYS_exit_group, EXIT_FAILURE);
    return true;
}

UNACCOUNTED static void write_pid(char *text)
{
    long pid = syscall(SYS_getpid);

    for (int i = CHILD_PID_LEN; text && i-- > 0; pid /= 10)
        text[i] = (char)('0' + pid % 10);
}

/* In the child, in the parent's memory. */
UNACCOUNTED static int run_program(void *arg)
{
    static const uint64_t none;
    struct spawn *spawn = arg;
    const struct child_program *program = spawn->program;

    reset_signals();
    if ((!program->follow || follow(spawn->parent)) &&
        place_stdio(program->stdio) &&
        close_others(program->fds, program->n_fds)) {
        write_pid(program->pid_text);
        (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL,
                      (NSIG - 1) / 8);
        if (!fault("execve"))
            (void)syscall(SYS_execve, program->path, program->argv,
                          program->env);
    }
    spawn->error = errno;
    syscall(SYS_exit_group, 127);
    return 127;
}

int child_spawn(const struct child_program *program, pid_t *ret_pid,
                int *ret_fd)
{
    struct spawn spawn = {.program = program, .parent = getpid()};
    int fd;

    char *stack = mem_alloc(SPAWN_STACK);
    if (!stack)
        return fail(-ENOMEM);
    pid_t pid = fault("clone")
                    ? -1
                    : __clone(run_program, stack + SPAWN_STACK,
                              CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
                              &spawn, &fd);
    int r = pid < 0 ? fail(-errno) : 0;
    free(stack);
    if (r == 0 && spawn.error != 0) {
        child_bury(pid);
        plat_close(fd);
        return fail(spawn.error == EBADF ? -EINVAL : -spawn.error);
    }
    if (r < 0)
        return r;
    *ret_pid = pid;
    *ret_fd = fd;
    return 0;
}

/* -- its descriptor --------------------------------------------------------- */

static int pidfd_of(pid_t pid)
{
    int fd = fault("pidfd_open") ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);

    return fd < 0 ? -errno : fd;
}

static int wait_for(int fd, siginfo_t *ret_info, int how)
{
    int r;

    do
        r = fault("waitid") || waitid(BY_PIDFD, (id_t)fd, ret_info, how) < 0
                ? -errno
                : 0;
    while (r == -EINTR);
    return r;
}

int child_open(pid_t pid, int *ret_fd)
{
    siginfo_t info;
    int fd = pidfd_of(pid);
    if (fd < 0)
        return fail(fd == -ESRCH ? -ECHILD : fd);
    int r = wait_for(fd, &info, WEXITED | WNOHANG | WNOWAIT);
    if (r < 0) {
        plat_close(fd);
        return fail(r);
    }
    *ret_fd = fd;
    return 0;
}

int child_reap(int fd, int *ret_exitcode)
{
    siginfo_t info = {.si_pid = 0};
    int r = wait_for(fd, &info, WEXITED | WNOHANG);

    if (r < 0)
        return fail(r);
    if (info.si_pid == 0)
        return -EAGAIN;
    *ret_exitcode =
        info.si_code == CLD_EXITED ? info.si_status & 255 : -info.si_status;
    return 0;
}

void child_bury(pid_t pid)
{
    while ((fault("waitpid") ? -1 : waitpid(pid, NULL, 0)) < 0 &&
           errno == EINTR)
        continue;
}

int child_signal(int fd, int signal)
{
    return fault("pidfd_send_signal") ||
                   syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) < 0
               ? fail(-errno)
               : 0;
}

/* -- in the child ---------------------------------------------------------- */

void child_default_signals(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    sigemptyset(&action.sa_mask);
    /* SIGKILL, SIGSTOP and the C library's own refuse, rightly. */
    for (int signal = 1; signal < NSIG; signal++)
        (void)sigaction(signal, &action, NULL);
}

void child_admit_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
}

int child_follow_parent(void)
{
    return fault("prctl") || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0
               ? fail(-errno)
               : 0;
}

bool child_orphaned(pid_t parent)
{
    pid_t now = getppid();

    /* 0: the parent lives outside our PID namespace, and has no number here. */
    return now != 0 && now != parent;
}

void child_name(const char *name)
{
    if (!fault("prctl"))
        (void)prctl(PR_SET_NAME, name, 0, 0, 0);
}

/* -- anybody --------------------------------------------------------------- */

uint64_t child_birth(pid_t pid)
{
    char path[32], text[1024];

    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    int fd = fault("open") ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = fault("read") ? -1 : read(fd, text, sizeof text - 1);
    plat_close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    /* "pid (comm) state ppid ...": comm may hold anything, parentheses too, so
     * count from its last one. The start time is field 22, comm field 2. */
    const char *field = strrchr(text, ')');
    for (int i = 2; field && i < 22; i++) {
        field = strchr(field, ' ');
        if (field)
            field++;
    }
    return field ? strtoull(field, NULL, 10) : 0;
}

bool child_runs(pid_t pid, uint64_t birth)
{
    int fd = pidfd_of(pid);

    /* Anything but "no such process" tells us nothing (no descriptor left, say):
     * a process is taken for alive until it is known to be dead. */
    if (fd < 0)
        return fd != -ESRCH;
    bool ended = io_wait(fd, POLLIN, 0) == 0;
    plat_close(fd);
    if (ended)
        return false;
    uint64_t now = child_birth(pid);
    return now == birth || now == 0 || birth == 0;
}
