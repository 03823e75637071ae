/* test-syscalls.c - what the library asks of the system, seen from outside.
 *
 * test-fault.c refuses what the library announces by fault(). A call that it
 * forgot to announce would never be refused, and nobody would notice. So here a
 * child runs all public operations under ptrace(2), its own children too, and
 * every system call is compared with the site that its thread has passed last:
 *
 *     tracee                               tracer
 *       fault("open")  says so in the        |
 *                      page that all share   |
 *       openat(...)    stops ------------->  site "open" may make openat: once
 *
 * Whatever makes more than one call (malloc, fork, getaddrinfo) has a row that
 * says which. What needs no site stands in a list, with its reason. Anything
 * else fails the test, by name.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "chute.h"
#include "chute/net.h"
#include "test.h"

#define SOON CHUTE_SEC(20)

/* -- what may follow a site ------------------------------------------------- */

#define ANY (-2) /* whatever it likes */

static const struct row {
    const char *site;
    bool many; /* not just one of them */
    long calls[6];
} rows[] = {
/* One call each; and what older or other systems make of it. */
#define ONE(site, ...)                                                         \
    {                                                                          \
#site, false,                                                          \
        {                                                                      \
            __VA_ARGS__, -1                                                    \
        }                                                                      \
    }
    ONE(accept4, SYS_accept4),
    ONE(bind, SYS_bind),
    ONE(close_range, SYS_close_range),
    ONE(connect, SYS_connect),
    ONE(dup, SYS_dup3),
    ONE(epoll_create, SYS_epoll_create1),
    ONE(epoll_ctl, SYS_epoll_ctl),
#ifdef SYS_epoll_wait
    ONE(epoll_wait, SYS_epoll_wait),
#else
    ONE(epoll_wait, SYS_epoll_pwait),
#endif
    ONE(execve, SYS_execve),
    ONE(fallocate, SYS_fallocate),
    ONE(fchmod, SYS_fchmod),
    ONE(fcntl, SYS_fcntl),
    ONE(flock, SYS_flock),
    ONE(fstat, SYS_newfstatat, SYS_fstat),
    ONE(futex, SYS_futex),
    ONE(get_robust_list, SYS_get_robust_list),
    ONE(getentropy, SYS_getrandom),
    ONE(getpeername, SYS_getpeername),
    ONE(getsockname, SYS_getsockname),
    ONE(getsockopt, SYS_getsockopt),
    ONE(ioctl, SYS_ioctl),
    ONE(kill, SYS_kill),
    ONE(linkat, SYS_linkat),
    ONE(listen, SYS_listen),
    ONE(lstat, SYS_newfstatat),
    ONE(madvise, SYS_madvise),
    ONE(memfd_create, SYS_memfd_create),
#ifdef SYS_mkdir
    ONE(mkdir, SYS_mkdir),
    ONE(rmdir, SYS_rmdir),
    ONE(unlink, SYS_unlink),
#else
    ONE(mkdir, SYS_mkdirat),
    ONE(rmdir, SYS_unlinkat),
    ONE(unlink, SYS_unlinkat),
#endif
    ONE(mmap, SYS_mmap),
    ONE(open, SYS_openat),
    ONE(pidfd_open, SYS_pidfd_open),
    ONE(pidfd_send_signal, SYS_pidfd_send_signal),
#ifdef SYS_poll
    ONE(poll, SYS_ppoll, SYS_poll),
#else
    ONE(poll, SYS_ppoll),
#endif
    ONE(pread, SYS_pread64),
    ONE(prctl, SYS_prctl),
    ONE(prlimit, SYS_prlimit64),
    ONE(read, SYS_read),
    ONE(recvmsg, SYS_recvmsg, SYS_recvfrom),
    ONE(sendmsg, SYS_sendmsg, SYS_sendto),
    ONE(set_robust_list, SYS_set_robust_list),
    ONE(setsockopt, SYS_setsockopt),
    ONE(socket, SYS_socket),
    ONE(socketpair, SYS_socketpair),
    ONE(stat, SYS_newfstatat),
    ONE(tgkill, SYS_tgkill),
    ONE(timerfd_create, SYS_timerfd_create),
    ONE(timerfd_settime, SYS_timerfd_settime),
    ONE(unlinkat, SYS_unlinkat),
    ONE(waitid, SYS_waitid),
    ONE(waitpid, SYS_wait4),
/* Of the C library, and of libcrypto. */
#define MANY(site, ...)                                                        \
    {                                                                          \
#site, true,                                                           \
        {                                                                      \
            __VA_ARGS__, -1                                                    \
        }                                                                      \
    }
    MANY(malloc, SYS_brk, SYS_mmap, SYS_mprotect),
    MANY(calloc, SYS_brk, SYS_mmap, SYS_mprotect),
    MANY(realloc, SYS_brk, SYS_mmap, SYS_mprotect, SYS_mremap),
    MANY(fork, SYS_clone),
    MANY(clone, SYS_clone),
#ifdef SYS_mkdir
    MANY(mkdtemp, SYS_mkdir, SYS_getrandom),
#else
    MANY(mkdtemp, SYS_mkdirat, SYS_getrandom),
#endif
    MANY(fdopendir, SYS_fcntl, SYS_newfstatat, SYS_brk, SYS_mmap),
    MANY(getdents, SYS_getdents64),
    MANY(getaddrinfo, ANY),
    MANY(HMAC, ANY),
};

static bool may_make(const char *site, long call, bool again)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].site, site) == 0) {
            if (again && !rows[i].many)
                return false;
            for (const long *c = rows[i].calls; *c != -1; c++)
                if (*c == call || *c == ANY)
                    return true;
        }
    return false;
}

/* -- what needs no site ----------------------------------------------------- */

static const struct {
    long call;
    const char *why;
} exempt[] = {
    {SYS_getpid, "cannot fail"},
    {SYS_gettid, "cannot fail; fault() itself calls it"},
    {SYS_getppid, "cannot fail"},
    {SYS_geteuid, "cannot fail"},
    {SYS_getuid, "cannot fail; secure_getenv"},
    {SYS_sched_yield, "cannot fail"},
    {SYS_clock_gettime, "cannot fail; seen where there is no vDSO for it"},
    {SYS_exit_group, "does not return"},
    {SYS_exit, "does not return"},
    {SYS_rt_sigprocmask, "cannot fail with these arguments"},
    {SYS_rt_sigaction, "fails for SIGKILL and SIGSTOP, rightly"},
    {SYS_restart_syscall, "the kernel's own"},
    {SYS_close, "the descriptor is gone whatever it says"},
    {SYS_munmap, "nobody could do anything about it; free(3)"},
    {SYS_shutdown, "fails where it has been done, or nobody is left"},
    {SYS_brk, "free(3)"},
};

/* What else the C library does by itself, told by its arguments. */
static bool is_of_libc(const struct __ptrace_syscall_info *info, bool fresh)
{
    long call = (long)info->entry.nr;

    /* malloc gives back, from whatever thread. */
    if (call == SYS_madvise)
        return info->entry.args[2] == MADV_DONTNEED;
    /* A new process or thread is registered. */
    return fresh && (call == SYS_set_robust_list || call == SYS_rseq);
}

static bool is_exempt(const struct __ptrace_syscall_info *info, bool fresh)
{
    for (size_t i = 0; i < sizeof exempt / sizeof *exempt; i++)
        if (exempt[i].call == (long)info->entry.nr)
            return true;
    return is_of_libc(info, fresh);
}

/* -- the tracer ------------------------------------------------------------- */

static atomic_bool *watched; /* shared: the library is at work */

static struct task {
    pid_t tid;
    const char *site; /* passed last, */
    bool used;        /* and called */
    bool fresh;       /* none passed yet */
    bool again; /* a signal has ended its call, which the kernel makes anew */
} tasks[64];

static struct task *task_of(pid_t tid)
{
    struct task *free_one = NULL;

    for (struct task *t = tasks; t < tasks + 64; t++) {
        if (t->tid == tid)
            return t;
        if (!t->tid && !free_one)
            free_one = t;
    }
    CHECK(free_one != NULL);
    *free_one = (struct task){.tid = tid, .fresh = true};
    return free_one;
}

/* By the C library's header, if it is there. */
static const char *name_of(long call, char buf[64])
{
    FILE *header = popen("echo '#include <sys/syscall.h>' | cc -E -dM -", "r");
    char line[256], name[64];
    long number;

    snprintf(buf, 64, "system call %ld", call);
    while (header && fgets(line, sizeof line, header))
        if (sscanf(line, "#define __NR_%63s %ld", name, &number) == 2 &&
            number == call)
            snprintf(buf, 64, "%s", name);
    if (header)
        pclose(header);
    return buf;
}

static void check_call(struct task *task,
                       const struct __ptrace_syscall_info *info)
{
    const char *site = fault_heard(task->tid);
    long call = (long)info->entry.nr;
    char name[64];

    if (site) {
        task->site = site;
        task->used = task->fresh = false;
    }
    if (!atomic_load(watched))
        return;
    if (task->site && may_make(task->site, call, task->used)) {
        task->used = true;
        return;
    }
    if (!is_exempt(info, task->fresh))
        harness_fail("%s, made without a fault site (the last one was %s%s)",
                     name_of(call, name), task->site ? task->site : "none",
                     task->used ? ", which has had its call" : "");
}

/* A task that has stopped may be killed by another, and then it has stopped no
 * more, ptrace(2): its death is what waitpid tells next. */
static bool was_killed(void)
{
    return errno == ESRCH;
}

/* The kernel's ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND and
 * ERESTART_RESTARTBLOCK, which only a tracer sees. */
static bool is_made_anew(int64_t result)
{
    return result == -512 || result == -513 || result == -514 || result == -516;
}

/* A task has stopped: the signal to let it go on with. */
static int look(struct task *task, int status)
{
    struct __ptrace_syscall_info info;
    int signal = WSTOPSIG(status);

    if (signal == (SIGTRAP | 0x80)) {
        if (ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, sizeof info, &info) <=
            0) {
            CHECK(was_killed());
            return 0;
        }
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY && !task->again)
            check_call(task, &info);
        task->again =
            info.op == PTRACE_SYSCALL_INFO_EXIT && is_made_anew(info.exit.rval);
        return 0;
    }
    /* Events, and the stop that a new one begins with. */
    if (status >> 16 || (signal == SIGSTOP && task->fresh))
        return 0;
    return signal;
}

/* Until the tracee and all that came of it have ended: its status. */
static int trace(pid_t tracee)
{
    int status, result = -1;
    pid_t tid;

    while ((tid = waitpid(-1, &status, __WALL)) > 0) {
        struct task *task = task_of(tid);
        if (!WIFSTOPPED(status)) {
            *task = (struct task){.tid = 0};
            if (tid == tracee)
                result = status;
            continue;
        }
        int signal = look(task, status);
        /* Another program is none of ours. */
        bool other = status >> 16 == PTRACE_EVENT_EXEC;
        CHECK(ptrace(other ? PTRACE_DETACH : PTRACE_SYSCALL, tid, NULL,
                     (void *)(intptr_t)signal) == 0 ||
              was_killed());
    }
    return result;
}

static void begin_to_watch(void)
{
    atomic_store(watched, true);
}

static void cease_to_watch(void)
{
    atomic_store(watched, false);
}

/* There in a build that counts coverage. */
void __gcov_dump(void) __attribute__((weak));

/* Run fn in a child, watched from begin_to_watch() on. */
static void watch(void (*fn)(void))
{
    int status;

    if (TEST_ASAN || TEST_TSAN || __gcov_dump)
        SKIP("what watches the program makes calls of its own");
    watched = mmap(NULL, sizeof *watched, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(watched != MAP_FAILED);
    fault_hear(true);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(77);
        raise(SIGSTOP);
        fn();
        cease_to_watch();
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        SKIP("ptrace is not allowed here");
    CHECK(WIFSTOPPED(status));
    if (ptrace(PTRACE_SETOPTIONS, pid, NULL,
               (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL |
                        PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                        PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)) < 0)
        SKIP("ptrace is not allowed here");
    CHECK_EQ(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
    CHECK_EQ(trace(pid), 0);
    fault_hear(false);
    munmap(watched, sizeof *watched);
}

/* -- queues, pipes, handles --------------------------------------------------- */

static unsigned char large[300000], got[300000];

static void use_queue(chute_queue *q)
{
    struct chute_queue_stats stats = {.size = sizeof stats};
    struct chute_queue_member member = {.size = sizeof member};
    struct iovec items[2] = {{large, 10}, {large, 20}};
    struct chute_loan loan;
    chute_value *v;
    size_t n, place = 0;

    CHECK_OK(chute_queue_put(q, chute_list(chute_int(1), chute_str("a")), 0));
    CHECK_OK(chute_queue_put_bytes(q, large, sizeof large, 0));
    CHECK_OK(chute_queue_peek(q, &v, 0));
    chute_value_free(v);
    CHECK_OK(chute_queue_get(q, &v, 0));
    chute_value_free(v);
    CHECK_OK(chute_queue_peek_bytes(q, got, sizeof got, &n, 0));
    CHECK_OK(chute_queue_get_bytes(q, got, sizeof got, &n, 0));
    CHECK_ERR(chute_queue_get_bytes(q, got, 1, &n, CHUTE_MS(60)),
              CHUTE_ETIMEDOUT);
    CHECK_OK(chute_queue_qsize(q, &n));
    CHECK_OK(chute_queue_put_many_bytes(q, items, 2, &n, 0));
    CHECK_OK(chute_queue_get_many_bytes(q, got, sizeof got, items, 2, &n, 0));
    CHECK_OK(
        chute_queue_put_many(q, (chute_value *[]){chute_int(1)}, 1, &n, 0));
    CHECK_OK(chute_queue_get_many(q, &v, 1, &n, 0));
    chute_value_free(v);
    CHECK_OK(chute_queue_reserve(q, &loan, sizeof large, 0));
    CHECK_OK(chute_queue_commit(q, &loan, 0));
    CHECK_OK(chute_queue_borrow(q, &loan, 0));
    CHECK_OK(chute_queue_release(q, &loan));
    CHECK_OK(chute_queue_member(q, &place, &member));
    CHECK_EQ(chute_queue_empty(q), 1);
    CHECK_EQ(chute_queue_full(q), 0);
    CHECK(chute_queue_wait_fd(q) >= 0);
    CHECK_OK(chute_queue_put_bytes(q, large, 1, 0));
    CHECK_OK(chute_queue_stat(q, &stats));
    CHECK_OK(chute_queue_close(q));
}

static void use_queues(void)
{
    char dir[] = "/tmp/chute-syscalls-XXXXXX", path[64];
    chute_queue *q, *other;
    chute_value *names;

    CHECK(mkdtemp(dir) != NULL);
    CHECK_EQ(setenv("CHUTE_DIR", dir, 1), 0);
    begin_to_watch();
    CHECK_OK(chute_queue_new(&q, NULL));
    use_queue(q);
    chute_queue_free(q);
    CHECK_OK(chute_queue_open(
        &q, "jobs", CHUTE_OPTIONS(chute_queue_options, .flags = CHUTE_CREATE)));
    CHECK_OK(chute_queue_open(&other, "jobs", NULL));
    use_queue(other);
    CHECK_OK(chute_queue_list(&names));
    chute_value_free(names);
    chute_queue_free(q);
    chute_queue_free(other);
    CHECK_OK(chute_queue_unlink_unused("jobs", 1));
    cease_to_watch();
    snprintf(path, sizeof path, "%s/noise", dir);
    CHECK_EQ(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
    begin_to_watch();
    CHECK_OK(chute_queue_unlink_broken("noise"));
    cease_to_watch();
    CHECK_EQ(rmdir(dir), 0);
    CHECK_EQ(unsetenv("CHUTE_DIR"), 0);
    begin_to_watch();
    CHECK_OK(chute_queue_open(
        &q, "syscalls",
        CHUTE_OPTIONS(chute_queue_options, .flags = CHUTE_CREATE)));
    CHECK_OK(chute_queue_unlink("syscalls"));
    chute_queue_free(q);
}

static void send_and_receive(chute_conn *a, chute_conn *b)
{
    chute_value *v;
    size_t len;

    CHECK_OK(chute_conn_send(a, chute_str("a"), SOON));
    CHECK_EQ(chute_conn_poll(b, SOON), 1);
    CHECK_OK(chute_conn_recv(b, &v, SOON));
    chute_value_free(v);
    CHECK_OK(chute_conn_send_bytes(b, large, 50000, CHUTE_NOWAIT));
    CHECK_OK(chute_conn_recv_bytes(a, got, sizeof got, &len, SOON));
    CHECK_ERR(chute_conn_recv_bytes(a, got, sizeof got, &len, CHUTE_MS(1)),
              CHUTE_ETIMEDOUT);
}

static void pass_handles(chute_conn *a, chute_conn *b)
{
    chute_queue *q, *copy;
    chute_conn *more[2], *came, *of_fd;
    int fd;

    CHECK_OK(chute_queue_new(&q, NULL));
    CHECK_OK(chute_conn_send_queue(a, q, SOON));
    CHECK_OK(chute_conn_recv_queue(b, &copy, SOON));
    CHECK_OK(chute_queue_put_bytes(copy, "x", 1, 0));
    chute_queue_free(copy);
    CHECK_OK(chute_conn_send_fd(a, chute_queue_fd(q), SOON));
    CHECK_OK(chute_conn_recv_fd(b, &fd, SOON));
    CHECK_OK(chute_queue_of_fd(&copy, fd, NULL));
    chute_queue_free(copy);
    chute_queue_free(q);
    CHECK_OK(chute_pipe(more, NULL));
    CHECK_OK(chute_conn_send_conn(a, more[0], SOON));
    CHECK_OK(chute_conn_recv_conn(b, &came, SOON));
    send_and_receive(came, more[1]);
    chute_conn_free(came);
    CHECK_OK(chute_conn_send_fd(a, chute_conn_fd(more[0]), SOON));
    CHECK_OK(chute_conn_recv_fd(b, &fd, SOON));
    CHECK_OK(chute_conn_of_fd(&of_fd, fd, NULL));
    chute_conn_free(of_fd);
    chute_conn_free(more[0]);
    chute_conn_free(more[1]);
}

static int see_half(void *conn)
{
    char text[8];
    size_t len;

    return chute_conn_recv_bytes(conn, text, sizeof text, &len, CHUTE_MS(1)) ==
                   CHUTE_ETIMEDOUT
               ? 0
               : 1;
}

/* One who keeps half a message, and another who asks whether he lives. */
static void keep_half(chute_conn *a, chute_conn *b)
{
    chute_process *p;
    char text[8];
    size_t len;
    int code;

    cease_to_watch();
    CHECK_EQ(write(chute_conn_fd(a), "\0\0\0\5he", 6), 6);
    begin_to_watch();
    CHECK_ERR(chute_conn_recv_bytes(b, text, sizeof text, &len, 0),
              CHUTE_ETIMEDOUT);
    CHECK_OK(chute_process_start(&p, see_half, b, NULL));
    CHECK_OK(chute_process_join(p, &code, SOON));
    CHECK_EQ(code, 0);
    chute_process_free(p);
    cease_to_watch();
    CHECK_EQ(write(chute_conn_fd(a), "llo", 3), 3);
    begin_to_watch();
    CHECK_OK(chute_conn_recv_bytes(b, text, sizeof text, &len, SOON));
}

static void use_pipes(void)
{
    chute_conn *ends[2], *oneway[2];
    bool ready;

    begin_to_watch();
    CHECK_OK(chute_pipe(ends, NULL));
    CHECK_OK(chute_pipe(
        oneway, CHUTE_OPTIONS(chute_pipe_options, .flags = CHUTE_ONEWAY)));
    send_and_receive(ends[0], ends[1]);
    pass_handles(ends[0], ends[1]);
    keep_half(ends[0], ends[1]);
    CHECK_OK(chute_conn_send_bytes(oneway[1], "x", 1, SOON));
    CHECK_EQ(chute_wait(&(int){chute_conn_fd(oneway[0])}, &ready, 1, SOON), 1);
    for (int i = 0; i < 2; i++) {
        chute_conn_free(ends[i]);
        chute_conn_free(oneway[i]);
    }
}

/* What a program was passed: by a variable that we fill in ourselves. */
static void take_what_was_passed(void)
{
    chute_queue *q, *passed_q;
    chute_conn *ends[2];
    char text[100];
    int fd;

    CHECK_OK(chute_queue_new(&q, NULL));
    CHECK_OK(chute_pipe(ends, NULL));
    snprintf(text, sizeof text, "%010d q=q%d f=f%d", (int)getpid(),
             dup(chute_queue_fd(q)), dup(0));
    CHECK_EQ(setenv("CHUTE_HANDLES", text, 1), 0);
    begin_to_watch();
    CHECK_OK(chute_handle_queue(&passed_q, "q", NULL));
    CHECK_OK(chute_handle_fd(&fd, "f"));
    CHECK_ERR(chute_handle_conn(&ends[0], "none", NULL), CHUTE_ENOENT);
    chute_queue_free(passed_q);
    chute_queue_free(q);
}

/* -- processes -------------------------------------------------------------- */

#define N_ITEMS 20

static int echo(void *queues)
{
    chute_queue **q = queues;
    size_t len;

    for (int i = 0; i < N_ITEMS; i++) {
        CHECK_OK(chute_queue_get_bytes(q[0], got, 1, &len, SOON));
        CHECK_OK(chute_queue_put_bytes(q[1], got, 1, SOON));
    }
    return 0;
}

static int wait_long(void *conn)
{
    return chute_conn_poll(conn, SOON);
}

static void start_and_end(void)
{
    chute_conn *ends[2];
    chute_queue *q[2];
    chute_process *p;
    size_t len;
    int code;

    CHECK_OK(chute_queue_new(&q[0], NULL));
    CHECK_OK(chute_queue_new(&q[1], NULL));
    CHECK_OK(chute_pipe(ends, NULL));
    chute_conn *drop[] = {ends[0], NULL};
    const struct chute_process_options options = {.size = sizeof options,
                                                  .flags = CHUTE_DAEMON,
                                                  .name = "echo",
                                                  .drop = drop};
    CHECK_OK(chute_process_start(&p, echo, q, &options));
    for (int i = 0; i < N_ITEMS; i++) {
        CHECK_OK(chute_queue_put_bytes(q[0], "x", 1, SOON));
        CHECK_OK(chute_queue_get_bytes(q[1], got, 1, &len, SOON));
    }
    CHECK_OK(chute_process_join(p, &code, SOON));
    CHECK_EQ(code, 0);
    CHECK_STR(chute_process_name(p), "echo");
    CHECK(chute_process_pid(p) > 0 && chute_process_fd(p) >= 0);
    chute_process_free(p);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(chute_process_start(&p, wait_long, ends[1], NULL));
        CHECK_OK(i ? chute_process_kill(p) : chute_process_terminate(p));
        CHECK_OK(chute_process_join(p, &code, SOON));
        CHECK_EQ(code, i ? -SIGKILL : -SIGTERM);
        chute_process_free(p);
        chute_queue_free(q[i]);
        chute_conn_free(ends[i]);
    }
}

static void use_processes(void)
{
    chute_queue *q;
    chute_process *p;
    int code;

    begin_to_watch();
    start_and_end();
    CHECK_OK(chute_queue_new(&q, NULL));
    const struct chute_pass pass[] = {{.name = "q", .queue = q}, {0}};
    CHECK_OK(chute_process_spawn(
        &p, "/bin/sh", (char *[]){"sh", "-c", "exit 7", NULL},
        CHUTE_OPTIONS(chute_spawn_options, .flags = CHUTE_DAEMON, .pass = pass,
                      .stdin_fd = 2, .stdout_fd = 2)));
    CHECK_OK(chute_process_join(p, &code, SOON));
    CHECK_EQ(code, 7);
    chute_process_free(p);
    chute_queue_free(q);
}

/* -- the second library ------------------------------------------------------- */

struct meeting {
    const char *address;
    const struct chute_net_options *options;
};

static int be_client(void *arg)
{
    const struct meeting *meeting = arg;
    chute_conn *conn;

    CHECK_OK(chute_connect(&conn, meeting->address, meeting->options, SOON));
    CHECK_OK(chute_conn_send_bytes(conn, "x", 1, SOON));
    chute_conn_free(conn);
    return 0;
}

static void meet(const char *address, const struct chute_net_options *options)
{
    struct chute_listener_stats stats = {.size = sizeof stats};
    struct meeting meeting = {.options = options};
    chute_listener *l;
    chute_process *p;
    chute_conn *conn;
    char peer[64];
    size_t len;
    int code;

    CHECK_OK(chute_listener_new(&l, address, options));
    meeting.address = chute_listener_address(l);
    CHECK(chute_listener_fd(l) >= 0);
    CHECK_OK(chute_process_start(&p, be_client, &meeting, NULL));
    CHECK_OK(chute_listener_accept(l, &conn, SOON));
    CHECK_OK(chute_conn_recv_bytes(conn, got, 1, &len, SOON));
    CHECK_OK(chute_process_join(p, &code, SOON));
    CHECK_EQ(code, 0);
    CHECK_OK(chute_listener_last_accepted(l, peer, sizeof peer));
    CHECK_OK(chute_listener_stat(l, &stats));
    chute_conn_free(conn);
    chute_process_free(p);
    chute_listener_free(l);
}

static void use_net(void)
{
    static const struct chute_net_options with_key = {.size = sizeof with_key,
                                                      .authkey =
                                                          "a key of 16 byte",
                                                      .authkey_len = 16};
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len;

    HMAC(EVP_sha256(), "k", 1, mac, 0, mac, &len);
    begin_to_watch();
    meet(NULL, NULL);
    meet(NULL, &with_key);
    meet("tcp:127.0.0.1:0", NULL);
    meet("tcp:127.0.0.1:0", &with_key);
}

/* -- the tests -------------------------------------------------------------- */

TEST(queues_make_no_call_without_a_site)
{
    watch(use_queues);
}

TEST(pipes_make_no_call_without_a_site)
{
    watch(use_pipes);
}

TEST(handles_that_were_passed_make_no_call_without_a_site)
{
    watch(take_what_was_passed);
}

TEST(processes_make_no_call_without_a_site)
{
    watch(use_processes);
}

TEST(listeners_and_clients_make_no_call_without_a_site)
{
    watch(use_net);
}

/* The tracer sees what it is to see: another call, one too many, and one of a
 * child. */

static void call_another(void)
{
    begin_to_watch();
    (void)syscall(SYS_getcwd, got, sizeof got);
}

FAIL_TEST(another_call_is_seen, "getcwd, made without a fault site")
{
    watch(call_another);
}

static void call_twice(void)
{
    chute_conn *ends[2];

    CHECK_OK(chute_pipe(ends, NULL));
    begin_to_watch();
    CHECK_EQ(chute_conn_poll(ends[0], 0), 0);
    (void)syscall(SYS_ppoll, NULL, 0, NULL, NULL);
}

FAIL_TEST(a_second_call_is_seen, "(the last one was poll, which has had its")
{
    watch(call_twice);
}

static int do_it_in_a_child(void *unused)
{
    (void)unused;
    return (int)syscall(SYS_getcwd, got, sizeof got);
}

static void have_a_child(void)
{
    chute_process *p;

    begin_to_watch();
    CHECK_OK(chute_process_start(&p, do_it_in_a_child, NULL, NULL));
    CHECK_OK(chute_process_join(p, NULL, SOON));
}

FAIL_TEST(a_call_of_a_child_is_seen, "getcwd, made without a fault site")
{
    watch(have_a_child);
}
