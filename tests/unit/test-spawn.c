/* test-spawn.c - children from a program file, and what they are passed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "chute.h"
#include "leak.h"
#include "plat/child.h"
#include "plat/plat.h"
#include "test.h"

#define SOON CHUTE_SEC(20)

/* The program lies beside us. */
static const char *path(void)
{
    static _Thread_local char text[4096];
    ssize_t n = readlink("/proc/self/exe", text, sizeof text - 16);

    CHECK(n > 0);
    text[n] = '\0';
    strcpy(strrchr(text, '/'), "/spawned");
    return text;
}

static int try_spawn(chute_process **ret, const char *what, const char *more,
                     const struct chute_spawn_options *options)
{
    char *argv[] = {"spawned", (char *)(uintptr_t)what, (char *)(uintptr_t)more,
                    NULL};

    return chute_process_spawn(ret, path(), argv, options);
}

static int finish(chute_process *process)
{
    int code = 12345;

    CHECK_OK(chute_process_join(process, &code, SOON));
    chute_process_free(process);
    return code;
}

static int run(const char *what, const char *more,
               const struct chute_spawn_options *options)
{
    chute_process *process;

    CHECK_OK(try_spawn(&process, what, more, options));
    return finish(process);
}

/* What a program writes to standard output. */
static void check_output(const char *what,
                         const struct chute_spawn_options *options,
                         const char *expected)
{
    struct chute_spawn_options known = *options;
    char buf[100] = {0};
    int fds[2];

    CHECK_OK(pipe2(fds, O_CLOEXEC));
    known.stdout_fd = fds[1];
    CHECK_EQ(run(what, NULL, &known), 0);
    close(fds[1]);
    CHECK(read(fds[0], buf, sizeof buf - 1) >= 0);
    CHECK_STR(buf, expected);
    close(fds[0]);
}

TEST(exit_codes_are_as_usual)
{
    chute_process *process;

    CHECK_EQ(run("code", "0", NULL), 0);
    CHECK_EQ(run("code", "42", NULL), 42);
    CHECK_OK(try_spawn(&process, "sleep", NULL, NULL));
    CHECK_STR(chute_process_name(process), "spawned");
    CHECK(chute_process_pid(process) > 0);
    CHECK_ERR(chute_process_join(process, NULL, 0), CHUTE_ETIMEDOUT);
    CHECK_OK(chute_process_terminate(process));
    CHECK_EQ(finish(process), -SIGTERM);
}

TEST(handles_are_found_by_name)
{
    chute_process *process;
    chute_conn *ends[2];
    chute_queue *jobs;
    chute_value *v;
    int64_t n;

    CHECK_OK(chute_queue_new(&jobs, NULL));
    CHECK_OK(chute_pipe(
        ends, CHUTE_OPTIONS(chute_pipe_options, .flags = CHUTE_ONEWAY)));
    const struct chute_pass pass[] = {
        {.name = "jobs", .queue = jobs}, {.name = "out", .conn = ends[1]}, {0}};
    CHECK_OK(try_spawn(&process, "work", NULL,
                       CHUTE_OPTIONS(chute_spawn_options, .pass = pass)));
    chute_conn_free(ends[1]);
    for (int i = 0; i < 1000; i++)
        CHECK_OK(chute_queue_put(jobs, chute_int(i), SOON));
    CHECK_OK(chute_queue_close(jobs));
    for (int i = 0; i < 1000; i++) {
        CHECK_OK(chute_conn_recv(ends[0], &v, SOON));
        CHECK_OK(chute_value_int(v, &n));
        CHECK_EQ(n, i);
        chute_value_free(v);
    }
    CHECK_ERR(chute_conn_recv(ends[0], &v, SOON), CHUTE_EOF);
    CHECK_EQ(finish(process), 0);
    chute_conn_free(ends[0]);
    chute_queue_free(jobs);
}

TEST(a_descriptor_is_passed)
{
    int fds[2];

    CHECK_OK(pipe2(fds, O_CLOEXEC));
    CHECK_EQ(write(fds[1], "text", 4), 4);
    const struct chute_pass pass[] = {{.name = "in", .fd = fds[0]}, {0}};
    check_output("copy", CHUTE_OPTIONS(chute_spawn_options, .pass = pass),
                 "text");
    close(fds[0]);
    close(fds[1]);
}

TEST(handles_are_for_the_program_and_not_for_its_children)
{
    chute_queue *jobs;

    CHECK_OK(chute_queue_new(&jobs, NULL));
    const struct chute_pass pass[] = {{.name = "jobs", .queue = jobs}, {0}};
    CHECK_EQ(
        run("fork", NULL, CHUTE_OPTIONS(chute_spawn_options, .pass = pass)), 5);
    chute_queue_free(jobs);
}

static void ignore(int signal)
{
    (void)signal;
}

TEST(a_program_starts_with_default_signals_and_no_foreign_descriptor)
{
    sigset_t mask, after;
    int stray = open("/dev/null", O_RDONLY); /* an exec would inherit it */

    CHECK(stray >= 0);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    CHECK_OK(pthread_sigmask(SIG_BLOCK, &mask, NULL));
    signal(SIGINT, SIG_IGN);
    signal(SIGUSR2, ignore);
    check_output("report", CHUTE_OPTIONS(chute_spawn_options, .flags = 0),
                 "0 blocked, 0 ignored, 0 above 2");
    CHECK_OK(pthread_sigmask(SIG_BLOCK, NULL, &after));
    CHECK_EQ(sigismember(&after, SIGUSR1), 1);
    CHECK_EQ(sigismember(&after, SIGUSR2), 0);
    CHECK(signal(SIGUSR2, SIG_DFL) == ignore);
    CHECK(signal(SIGINT, SIG_DFL) == SIG_IGN);
    CHECK(!(fcntl(stray, F_GETFD) & FD_CLOEXEC));
    close(stray);
}

/* Have the system not know a call, as one that is older. */
static void forget_call(unsigned number)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {.len = 4, .filter = code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
        SKIP("no seccomp");
}

TEST(on_a_system_without_close_range_nothing_foreign_is_inherited_either)
{
    int stray = open("/dev/null", O_RDONLY);

    forget_call(SYS_close_range);
    CHECK_EQ(syscall(SYS_close_range, 3000, 3000, 0), -1);
    check_output("report", CHUTE_OPTIONS(chute_spawn_options, .flags = 0),
                 "0 blocked, 0 ignored, 0 above 2");
    close(stray);
}

TEST(standard_streams_may_change_places)
{
    int out[2], err[2];
    char buf[8] = {0};
    char *argv[] = {"sh", "-c", "echo o; echo e >&2", NULL};
    chute_process *process;

    CHECK_OK(pipe2(out, O_CLOEXEC));
    CHECK_OK(pipe2(err, O_CLOEXEC));
    /* Put them where they are in each other's way. */
    int saved1 = dup(1), saved2 = dup(2);
    CHECK(dup2(err[1], 1) == 1 && dup2(out[1], 2) == 2);
    int r = chute_process_spawn(
        &process, "/bin/sh", argv,
        CHUTE_OPTIONS(chute_spawn_options, .stdout_fd = 2, .stderr_fd = 1));
    CHECK(dup2(saved1, 1) == 1 && dup2(saved2, 2) == 2);
    CHECK_OK(r);
    CHECK_EQ(finish(process), 0);
    CHECK_EQ(read(out[0], buf, sizeof buf), 2);
    CHECK_EQ(buf[0], 'o');
    CHECK_EQ(read(err[0], buf, sizeof buf), 2);
    CHECK_EQ(buf[0], 'e');
    for (int i = 0; i < 2; i++) {
        close(out[i]);
        close(err[i]);
    }
    close(saved1);
    close(saved2);
}

TEST(the_environment_may_be_given)
{
    char *env[] = {"COLOUR=blue", "CHUTE_HANDLES=1 jobs=q5", NULL};

    check_output("env", CHUTE_OPTIONS(chute_spawn_options, .env = env), "blue");
    CHECK_OK(setenv("COLOUR", "green", 1));
    check_output("env", CHUTE_OPTIONS(chute_spawn_options, .flags = 0),
                 "green");
}

TEST(a_program_that_cannot_be_run_is_an_error_of_the_call)
{
    chute_process *none = NULL;
    char *argv[] = {"x", NULL};
    chute_queue *jobs;

    CHECK_OK(chute_queue_new(&jobs, NULL));
    const struct chute_pass pass[] = {{.name = "jobs", .queue = jobs}, {0}};
    const struct chute_spawn_options *options =
        CHUTE_OPTIONS(chute_spawn_options, .pass = pass);
    CHECK_ERR(chute_process_spawn(&none, "/no/such/file", argv, options),
              CHUTE_ENOENT);
    CHECK_ERR(chute_process_spawn(&none, "/", argv, options), CHUTE_EACCES);
    CHECK_ERR(chute_process_spawn(&none, "/etc/passwd", argv, NULL),
              CHUTE_EACCES);
    CHECK_ERR(chute_process_spawn(
                  &none, "/bin/sh", argv,
                  CHUTE_OPTIONS(chute_spawn_options, .stdin_fd = 777)),
              CHUTE_EINVAL);
    CHECK(!none);
    chute_queue_free(jobs);
}

TEST(arguments_are_checked)
{
    chute_process *none = NULL;
    chute_conn *ends[2];
    char *argv[] = {"x", NULL}, *empty[] = {NULL};
    struct chute_pass many[66] = {{0}};

    CHECK_OK(chute_pipe(ends, NULL));
    CHECK_ERR(chute_process_spawn(NULL, "/bin/true", argv, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_process_spawn(&none, "/bin/true", NULL, NULL),
              CHUTE_EINVAL);
    CHECK_ERR(chute_process_spawn(&none, "/bin/true", empty, NULL),
              CHUTE_EINVAL);
    for (int i = 0; i < 65; i++)
        many[i] = (struct chute_pass){.name = "x", .fd = 0};
    CHECK_ERR(
        chute_process_spawn(&none, "/bin/true", argv,
                            CHUTE_OPTIONS(chute_spawn_options, .pass = many)),
        CHUTE_EINVAL);
    static const char *const bad[] = {"", "a b", "a=b", "a\n", "a\x7f"};
    for (int i = 0; i < 5; i++) {
        const struct chute_pass pass[] = {{.name = bad[i], .conn = ends[0]},
                                          {0}};
        CHECK_ERR(chute_process_spawn(
                      &none, "/bin/true", argv,
                      CHUTE_OPTIONS(chute_spawn_options, .pass = pass)),
                  CHUTE_EINVAL);
    }
    const struct chute_pass closed[] = {{.name = "x", .fd = 777}, {0}};
    CHECK_ERR(
        chute_process_spawn(&none, "/bin/true", argv,
                            CHUTE_OPTIONS(chute_spawn_options, .pass = closed)),
        CHUTE_EINVAL);
    const struct chute_spawn_options wrong[] = {
        {.size = 8},
        {.size = sizeof *wrong, .flags = UINT64_C(1) << 63},
        {.size = sizeof *wrong, .stdin_fd = -1},
        {.size = sizeof *wrong, .stdout_fd = -1},
        {.size = sizeof *wrong, .stderr_fd = -1},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_ERR(chute_process_spawn(&none, "/bin/true", argv, &wrong[i]),
                  CHUTE_EINVAL);
    CHECK(!none);
    chute_conn_free(ends[0]);
    chute_conn_free(ends[1]);
}

TEST(a_pass_is_a_queue_or_a_connection_and_not_both)
{
    chute_process *none = NULL;
    char *argv[] = {"x", NULL};
    chute_conn *ends[2];
    chute_queue *queue;

    CHECK_OK(chute_pipe(ends, NULL));
    CHECK_OK(chute_queue_new(&queue, NULL));
    const struct chute_pass both[] = {
        {.name = "x", .queue = queue, .conn = ends[0]}, {0}};
    CHECK_ERR(
        chute_process_spawn(&none, "/bin/true", argv,
                            CHUTE_OPTIONS(chute_spawn_options, .pass = both)),
        CHUTE_EINVAL);
    CHECK(!none);
    chute_queue_free(queue);
    chute_conn_free(ends[0]);
    chute_conn_free(ends[1]);
}

TEST(without_a_path_the_same_program_runs_again)
{
    char *argv[] = {"again", "--list", NULL};
    char buf[4096] = {0};
    chute_process *process;
    int fds[2];

    CHECK_OK(pipe2(fds, O_CLOEXEC));
    CHECK_OK(chute_process_spawn(
        &process, NULL, argv,
        CHUTE_OPTIONS(chute_spawn_options, .stdout_fd = fds[1])));
    CHECK_EQ(finish(process), 0);
    close(fds[1]);
    CHECK(read(fds[0], buf, sizeof buf - 1) > 0);
    CHECK(strstr(buf, "without-a-path-the-same-program-runs-again"));
    close(fds[0]);
}

TEST(a_process_without_an_environment_may_start_programs)
{
    CHECK_OK(clearenv());
    CHECK_EQ(run("code", "5", NULL), 5);
    check_output("env",
                 &(struct chute_spawn_options){
                     .size = sizeof(struct chute_spawn_options)},
                 "none");
}

TEST(asking_for_a_handle_in_a_wrong_way_gives_none)
{
    const struct chute_conn_options wrong[] = {
        {.size = 8}, {.size = sizeof *wrong, .flags = UINT64_C(1) << 63}};
    int fd;
    chute_queue *queue;
    chute_conn *conn;

    CHECK_ERR(chute_handle_fd(&fd, "x"), CHUTE_ENOENT);
    CHECK_ERR(chute_handle_fd(NULL, "x"), CHUTE_EINVAL);
    CHECK_ERR(chute_handle_fd(&fd, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_handle_queue(NULL, "x", NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_handle_queue(&queue, NULL, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_handle_conn(NULL, "x", NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_handle_conn(&conn, NULL, NULL), CHUTE_EINVAL);
    for (int i = 0; i < 2; i++)
        CHECK_ERR(chute_handle_conn(&conn, "x", &wrong[i]), CHUTE_EINVAL);
}

/* The variable, with our own pid in the place of %d. */
static void forge(const char *format)
{
    char text[64];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof text, format, (int)getpid());
#pragma GCC diagnostic pop
    CHECK_OK(setenv("CHUTE_HANDLES", text, 1));
}

TEST(a_forged_variable_gives_nothing)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "%d",
                                      "%d ",
                                      "%d jobs",
                                      "%d jobs=",
                                      "%d jobs=q",
                                      "%d jobs=q-3",
                                      "%d jobs=q2",
                                      "%d jobs=q:3",
                                      "%d jobs=q99999999999999999999",
                                      "%d jobs=q5x",
                                      "%d jobs=c5,",
                                      "1 jobs=q5"};
    char many[256];
    chute_queue *queue;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        forge(bad[i]);
        CHECK_ERR(chute_handle_queue(&queue, "jobs", NULL), CHUTE_ENOENT);
    }
    /* A connection has two. */
    static const char *const half[] = {"%d out=c5", "%d out=c5 6",
                                       "%d out=c5,"};
    chute_conn *conn;
    for (size_t i = 0; i < sizeof half / sizeof half[0]; i++) {
        forge(half[i]);
        CHECK_ERR(chute_handle_conn(&conn, "out", NULL), CHUTE_ENOENT);
    }
    /* So many are never passed. */
    size_t len = (size_t)snprintf(many, sizeof many, "%d", (int)getpid());
    for (int i = 0; i < 64; i++)
        len += (size_t)snprintf(many + len, sizeof many - len, " x");
    snprintf(many + len, sizeof many - len, " jobs=q777");
    CHECK_OK(setenv("CHUTE_HANDLES", many, 1));
    CHECK_ERR(chute_handle_queue(&queue, "jobs", NULL), CHUTE_ENOENT);
    /* Named, but not open: an error, and not taken. */
    forge("%d jobs=q777");
    for (int i = 0; i < 2; i++)
        CHECK_ERR(chute_handle_queue(&queue, "jobs", NULL), CHUTE_EINVAL);
}

TEST(if_the_system_refuses_nothing_runs_and_nothing_is_left)
{
    chute_conn *ends[2];
    chute_queue *jobs;

    CHECK_OK(chute_queue_new(&jobs, NULL));
    CHECK_OK(chute_pipe(ends, NULL));
    CHECK_OK(chute_queue_close(jobs));
    const struct chute_pass pass[] = {
        {.name = "jobs", .queue = jobs}, {.name = "out", .conn = ends[1]}, {0}};
    FAULT_LOOP (n) {
        chute_process *process = NULL;
        long n_before = leak_n_descriptors();
        int r = try_spawn(&process, "work", NULL,
                          CHUTE_OPTIONS(chute_spawn_options, .pass = pass));
        if (r < 0) {
            CHECK(fault_fired() && !process);
            CHECK_EQ(leak_n_descriptors(), n_before);
            continue;
        }
        int code;
        while (chute_process_join(process, &code, SOON) < 0)
            CHECK(fault_fired());
        CHECK_EQ(code, 0);
        chute_process_free(process);
    }
    chute_queue_free(jobs);
    chute_conn_free(ends[0]);
    chute_conn_free(ends[1]);
}

_Noreturn static int spawn_a_daemon_and_wait(void *arg)
{
    chute_process *process;
    _Atomic pid_t *pid = arg;

    CHECK_OK(
        try_spawn(&process, "sleep", NULL,
                  CHUTE_OPTIONS(chute_spawn_options, .flags = CHUTE_DAEMON)));
    atomic_store(pid, chute_process_pid(process));
    for (;;)
        pause();
}

TEST(a_daemon_ends_with_its_parent)
{
    chute_process *process;
    void *shared;
    int code;

    CHECK_OK(plat_map(-1, 0, 4096, &shared));
    _Atomic pid_t *pid = shared;
    CHECK_OK(
        chute_process_start(&process, spawn_a_daemon_and_wait, shared, NULL));
    while (atomic_load(pid) == 0)
        usleep(1000);
    uint64_t birth = child_birth(*pid);
    CHECK(child_runs(*pid, birth));
    CHECK_OK(chute_process_kill(process));
    CHECK_OK(chute_process_join(process, &code, SOON));
    while (child_runs(*pid, birth))
        usleep(1000);
    child_bury(*pid); /* the harness has made us its parent */
    chute_process_free(process);
    plat_unmap(shared, 4096);
}

static atomic_bool stop;

static void *allocate_all_the_time(void *arg)
{
    (void)arg;
    while (!stop)
        free(malloc(1000));
    return NULL;
}

static void *spawn_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++)
        CHECK_EQ(run("code", "3", NULL), 3);
    return NULL;
}

TEST_TIMEOUT(threads_may_start_programs_whatever_the_others_do, 120)
{
    pthread_t busy[2], starters[4];

    for (int i = 0; i < 2; i++)
        CHECK_OK(pthread_create(&busy[i], NULL, allocate_all_the_time, NULL));
    for (int i = 0; i < 4; i++)
        CHECK_OK(pthread_create(&starters[i], NULL, spawn_many, NULL));
    for (int i = 0; i < 4; i++)
        CHECK_OK(pthread_join(starters[i], NULL));
    stop = true;
    for (int i = 0; i < 2; i++)
        CHECK_OK(pthread_join(busy[i], NULL));
}

TEST_TIMEOUT(a_program_may_be_killed_in_a_queue, 120)
{
    chute_queue *jobs;
    chute_value *v;

    CHECK_OK(chute_queue_new(
        &jobs, CHUTE_OPTIONS(chute_queue_options, .maxsize = 100)));
    const struct chute_pass pass[] = {{.name = "jobs", .queue = jobs}, {0}};
    for (int round = 0; round < 30; round++) {
        chute_process *process;
        CHECK_OK(try_spawn(&process, "put", NULL,
                           CHUTE_OPTIONS(chute_spawn_options, .pass = pass)));
        for (int i = 0; i < 300; i++) {
            CHECK_OK(chute_queue_get(jobs, &v, SOON));
            chute_value_free(v);
        }
        CHECK_OK(chute_process_kill(process));
        CHECK_EQ(finish(process), -SIGKILL);
    }
    chute_queue_free(jobs);
}
