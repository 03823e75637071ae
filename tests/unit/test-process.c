/* test-process.c - children: started, joined, ended, left alone.
 *
 * A child reports through its exit code or through a pipe(2). The harness looks
 * after each test for descriptors, zombies and memory that were left behind.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chute.h"
#include "plat/child.h"
#include "plat/plat.h"
#include "pipe-fds.h"
#include "process-scene.h"
#include "test.h"

/* -- helpers --------------------------------------------------------------- */

static int raise_signal(void *signal)
{
    return raise(*(int *)signal);
}

static int exit_early(void *arg)
{
    (void)arg;
    exit(7);
}

/* -- exit codes ------------------------------------------------------------ */

TEST(the_exit_code_is_the_lowest_8_bits)
{
    static const int codes[][2] = {{0, 0},     {1, 1},        {42, 42},
                                   {255, 255}, {256, 0},      {300, 44},
                                   {-1, 255},  {CHUTE_EOF, 1}};

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        int code = codes[i][0];
        CHECK_EQ(run(give_code, &code), codes[i][1]);
    }
}

TEST(a_signal_is_its_number_negated)
{
    int signals[] = {SIGTERM, SIGKILL, SIGUSR1, SIGINT, SIGABRT};
    struct rlimit no_core = {0, 0};

    CHECK_OK(setrlimit(RLIMIT_CORE, &no_core));
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        CHECK_EQ(run(raise_signal, &signals[i]), -signals[i]);
}

TEST(exit_in_the_child_counts)
{
    CHECK_EQ(run(exit_early, NULL), 7);
}

TEST(the_code_may_be_asked_for_again_or_not_at_all)
{
    int code = 3;
    chute_process *process = start(give_code, &code);

    CHECK_OK(chute_process_join(process, NULL, CHUTE_FOREVER));
    CHECK_EQ(join(process), 3);
    CHECK_EQ(join(process), 3);
    chute_process_free(process);
}

/* -- joining --------------------------------------------------------------- */

TEST(join_waits_no_longer_than_it_may)
{
    chute_process *process = start(sleep_for_ever, NULL);
    int code = 77;

    CHECK_ERR(chute_process_join(process, &code, CHUTE_NOWAIT),
              CHUTE_ETIMEDOUT);
    int64_t begin = plat_now();
    CHECK_ERR(chute_process_join(process, &code, CHUTE_MS(30)),
              CHUTE_ETIMEDOUT);
    CHECK(plat_now() - begin >= CHUTE_MS(30));
    CHECK_EQ(code, 77);
    CHECK_OK(chute_process_kill(process));
    CHECK_EQ(join(process), -SIGKILL);
    chute_process_free(process);
}

static void *join_in_thread(void *process)
{
    return (void *)(intptr_t)join(process);
}

TEST(several_threads_may_join_at_once)
{
    chute_process *process = start(sleep_for_ever, NULL);
    pthread_t threads[6];
    void *code;

    for (int i = 0; i < 6; i++)
        CHECK_OK(pthread_create(&threads[i], NULL, join_in_thread, process));
    CHECK_OK(chute_process_terminate(process));
    for (int i = 0; i < 6; i++) {
        CHECK_OK(pthread_join(threads[i], &code));
        CHECK_EQ((intptr_t)code, -SIGTERM);
    }
    chute_process_free(process);
}

static void on_alarm(int signal)
{
    (void)signal;
}

TEST(a_signal_does_not_end_the_wait)
{
    struct sigaction action = {.sa_handler = on_alarm};
    chute_process *process = start(sleep_for_ever, NULL);

    CHECK_OK(sigaction(SIGALRM, &action, NULL));
    CHECK_EQ(ualarm(2000, 2000), 0);
    int64_t begin = plat_now();
    CHECK_ERR(chute_process_join(process, NULL, CHUTE_MS(50)), CHUTE_ETIMEDOUT);
    CHECK(plat_now() - begin >= CHUTE_MS(50));
    (void)ualarm(0, 0);
    CHECK_OK(chute_process_kill(process));
    CHECK_EQ(join(process), -SIGKILL);
    chute_process_free(process);
}

TEST(a_stopped_child_has_not_ended)
{
    chute_process *process = start(sleep_for_ever, NULL);

    CHECK_OK(kill(chute_process_pid(process), SIGSTOP));
    CHECK_ERR(chute_process_join(process, NULL, CHUTE_MS(20)), CHUTE_ETIMEDOUT);
    CHECK_OK(chute_process_kill(process));
    CHECK_EQ(join(process), -SIGKILL);
    chute_process_free(process);
}

TEST(join_does_not_hang_where_sigchld_is_ignored)
{
    CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    chute_process *process = start(return_at_once, NULL);

    CHECK_ERR(chute_process_join(process, NULL, CHUTE_FOREVER), CHUTE_ECHILD);
    CHECK_ERR(chute_process_join(process, NULL, CHUTE_FOREVER), CHUTE_ECHILD);
    CHECK_OK(chute_process_terminate(process));
    chute_process_free(process);
}

TEST(somebody_else_may_have_waited_for_the_child)
{
    chute_process *process = start(return_at_once, NULL);

    CHECK_EQ(waitpid(-1, NULL, 0), chute_process_pid(process));
    CHECK_ERR(chute_process_join(process, NULL, CHUTE_FOREVER), CHUTE_ECHILD);
    CHECK_OK(chute_process_kill(process));
    chute_process_free(process);
}

/* -- ending ---------------------------------------------------------------- */

TEST(terminate_and_kill_send_their_signals)
{
    chute_process *process = start(sleep_for_ever, NULL);

    CHECK_OK(chute_process_terminate(process));
    CHECK_EQ(join(process), -SIGTERM);
    chute_process_free(process);

    process = start(sleep_for_ever, NULL);
    CHECK_OK(chute_process_kill(process));
    CHECK_EQ(join(process), -SIGKILL);
    chute_process_free(process);
}

TEST(an_ended_child_can_be_ended_again)
{
    chute_process *process = start(return_at_once, NULL);
    struct pipe_fds p = new_pipe();
    int fd = chute_process_fd(process);
    bool ready;

    CHECK_EQ(chute_wait(&fd, &ready, 1, CHUTE_FOREVER), 1);
    CHECK_OK(chute_process_terminate(process)); /* a zombie */
    CHECK_EQ(join(process), 0);
    CHECK_OK(chute_process_terminate(process)); /* not even that */
    CHECK_OK(chute_process_kill(process));
    chute_process_free(process);
    close_pipe(p);
}

/* The next process gets this pid, if it is free. */
static bool next_pid(pid_t pid)
{
    FILE *file = fopen("/proc/sys/kernel/ns_last_pid", "w");
    bool ok = file && fprintf(file, "%ld", (long)pid - 1) > 0;

    return file && fclose(file) == 0 && ok;
}

TEST(another_process_of_the_same_pid_is_left_alone)
{
    chute_process *old = start(return_at_once, NULL), *new = NULL;
    pid_t pid = chute_process_pid(old);

    CHECK_EQ(join(old), 0);
    for (int i = 0; i < 20 && !new; i++) {
        if (!next_pid(pid)) {
            chute_process_free(old);
            SKIP("not allowed to choose a pid");
        }
        new = start(sleep_for_ever, NULL);
        if (chute_process_pid(new) != pid) {
            CHECK_OK(chute_process_kill(new));
            CHECK_EQ(join(new), -SIGKILL);
            new = chute_process_free(new);
        }
    }
    if (!new) {
        chute_process_free(old);
        SKIP("others were quicker");
    }
    CHECK_OK(chute_process_kill(old));
    CHECK_OK(chute_process_terminate(old));
    CHECK_ERR(chute_process_join(new, NULL, CHUTE_MS(30)), CHUTE_ETIMEDOUT);
    CHECK_EQ(join(old), 0);
    CHECK_OK(chute_process_kill(new));
    CHECK_EQ(join(new), -SIGKILL);
    chute_process_free(new);
    chute_process_free(old);
}

TEST(free_neither_waits_nor_kills)
{
    struct pipe_fds p = new_pipe();
    chute_process *process = start(sleep_for_ever, &p);
    pid_t pid = chute_process_pid(process);

    chute_process_free(process);
    CHECK_OK(kill(pid, 0));
    CHECK_OK(kill(pid, SIGKILL));
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    close_pipe(p);
}

TEST(free_reaps_a_child_that_has_ended)
{
    chute_process *process = start(return_at_once, NULL);
    int fd = chute_process_fd(process);
    bool ready;

    CHECK_EQ(chute_wait(&fd, &ready, 1, CHUTE_FOREVER), 1);
    chute_process_free(process);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    CHECK_EQ(errno, ECHILD);
}

/* -- what the child finds -------------------------------------------------- */

static int look_at_signals(void *arg)
{
    struct sigaction action;
    sigset_t mask;

    (void)arg;
    for (int signal = 1; signal < NSIG; signal++)
        if (sigaction(signal, NULL, &action) == 0 &&
            action.sa_handler != SIG_DFL)
            return signal;
    if (sigprocmask(SIG_SETMASK, NULL, &mask) < 0 || !sigisemptyset(&mask))
        return 100;
    return 0;
}

TEST(signals_are_at_their_defaults_and_none_is_blocked)
{
    sigset_t some, before;

    CHECK(signal(SIGUSR1, on_alarm) != SIG_ERR);
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    CHECK(signal(SIGRTMAX, on_alarm) != SIG_ERR);
    sigemptyset(&some);
    sigaddset(&some, SIGUSR2);
    sigaddset(&some, SIGTERM);
    CHECK_OK(sigprocmask(SIG_BLOCK, &some, &before));
    CHECK_EQ(run(look_at_signals, NULL), 0);
    sigset_t after;
    CHECK_OK(sigprocmask(SIG_SETMASK, &before, &after));
    CHECK(sigismember(&after, SIGUSR2) && sigismember(&after, SIGTERM));
    CHECK(!sigismember(&after, SIGUSR1));
}

static int look_at_name(void *expected)
{
    char name[16];

    return prctl(PR_GET_NAME, name) < 0 || strcmp(name, expected) != 0;
}

TEST(the_name_is_seen_in_ps_as_far_as_it_fits)
{
    static const char long_name[] = "a-name-longer-than-fifteen";
    char first_15[16] = {0}, unchanged[16];
    chute_process *process;

    memcpy(first_15, long_name, 15);
    CHECK_OK(chute_process_start(
        &process, look_at_name, first_15,
        CHUTE_OPTIONS(chute_process_options, .name = long_name)));
    CHECK_STR(chute_process_name(process), long_name);
    CHECK_EQ(join(process), 0);
    CHECK_STR(chute_process_name(process), long_name);
    chute_process_free(process);

    CHECK_OK(prctl(PR_GET_NAME, unchanged));
    process = start(look_at_name, unchanged);
    CHECK_STR(chute_process_name(process), "");
    CHECK_EQ(join(process), 0);
    chute_process_free(process);
}

static int use_the_handle(void *handle)
{
    chute_process *process = *(chute_process **)handle;
    int code;

    if (chute_process_join(process, &code, CHUTE_FOREVER) != CHUTE_ECHILD)
        return 1;
    if (chute_process_terminate(process) != CHUTE_ECHILD)
        return 2;
    if (chute_process_kill(process) != CHUTE_ECHILD)
        return 3;
    if (chute_process_fd(process) != CHUTE_ECHILD)
        return 4;
    chute_process_free(process);
    return 0;
}

TEST(a_handle_is_the_parents)
{
    chute_process *first = start(sleep_for_ever, NULL);

    CHECK_EQ(run(use_the_handle, &first), 0);
    CHECK_ERR(chute_process_join(first, NULL, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK_OK(chute_process_kill(first));
    CHECK_EQ(join(first), -SIGKILL);
    chute_process_free(first);
}

static int start_another(void *arg)
{
    int code = 5;

    (void)arg;
    return run(give_code, &code);
}

TEST(a_child_may_have_children)
{
    CHECK_EQ(run(start_another, NULL), 5);
}

static int count_descriptors(void *arg)
{
    int n = 0;

    (void)arg;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

TEST(the_child_has_the_parents_descriptors_and_no_others)
{
    CHECK_EQ(run(count_descriptors, NULL), count_descriptors(NULL));
}

TEST(what_is_to_be_dropped_is_dropped)
{
    chute_conn *a[2], *b[2];
    chute_process *process;

    CHECK_OK(chute_pipe(a, NULL));
    CHECK_OK(chute_pipe(b, NULL));
    chute_conn *drop[] = {a[0], b[1], a[0], NULL}; /* one of them twice */
    CHECK_OK(chute_process_start(
        &process, count_descriptors, NULL,
        CHUTE_OPTIONS(chute_process_options, .drop = drop)));
    CHECK_EQ(join(process), count_descriptors(NULL) - 1 - 2);
    chute_process_free(process);
    for (int i = 0; i < 2; i++) {
        chute_conn_free(a[i]);
        chute_conn_free(b[i]);
    }
}

/* -- stdio ----------------------------------------------------------------- */

static FILE *log_file;

static int write_to_log(void *text)
{
    return fputs(text, log_file) < 0;
}

TEST(stdio_is_flushed_once_on_each_side)
{
    char path[] = "/tmp/chute-test-XXXXXX", text[64] = {0};
    int fd = mkstemp(path);

    CHECK(fd >= 0);
    CHECK_OK(unlink(path));
    log_file = fdopen(fd, "w+");
    CHECK(log_file);
    CHECK(fputs("parent ", log_file) >= 0);
    CHECK_EQ(run(write_to_log, (char[]){"child "}), 0);
    CHECK(fputs("parent", log_file) >= 0);
    CHECK_OK(fflush(log_file));
    CHECK(pread(fd, text, sizeof text - 1, 0) > 0);
    CHECK_STR(text, "parent child parent");
    CHECK_OK(fclose(log_file));
}

static void not_in_the_child(void)
{
    _exit(99);
}

static int register_nothing(void *arg)
{
    (void)arg;
    return 4;
}

static int parent_with_atexit(void *arg)
{
    (void)arg;
    atexit(not_in_the_child);
    _exit(run(register_nothing, NULL));
}

TEST(the_parents_atexit_handlers_do_not_run_in_the_child)
{
    CHECK_EQ(run(parent_with_atexit, NULL), 4);
}

/* -- daemons --------------------------------------------------------------- */

static struct pipe_fds life; /* whoever lives holds life.in */

static int hold_on(void *arg)
{
    (void)arg;
    return sleep_for_ever(NULL);
}

static int have_a_child(void *flags)
{
    chute_process *process;
    char ready = 1;

    if (chute_process_start(&process, hold_on, NULL,
                            CHUTE_OPTIONS(chute_process_options,
                                          .flags = *(uint64_t *)flags)) < 0 ||
        write(life.in, &ready, 1) != 1)
        return 1;
    return sleep_for_ever(NULL);
}

/* Kill a child that has a child; whether the grandchild goes too, in a while. */
static bool grandchild_follows(uint64_t flags)
{
    char ready;
    bool ended;

    life = new_pipe();
    chute_process *process = start(have_a_child, &flags);
    close(life.in);
    CHECK_EQ(read(life.out, &ready, 1), 1);
    CHECK_OK(chute_process_kill(process));
    CHECK_EQ(join(process), -SIGKILL);
    chute_process_free(process);
    CHECK(chute_wait(&life.out, &ended, 1,
                     flags ? CHUTE_FOREVER : CHUTE_MS(100)) >= 0);
    close(life.out);
    return ended;
}

/* The harness makes the test a subreaper: orphans become its children. */
static void reap_orphans(bool kill_them)
{
    pid_t pid;
    char command[64];

    while (kill_them && waitpid(-1, NULL, WNOHANG) == 0) {
        snprintf(command, sizeof command, "/proc/%ld/task/%ld/children",
                 (long)getpid(), (long)getpid());
        FILE *file = fopen(command, "r");
        long child;
        CHECK(file);
        while (fscanf(file, "%ld", &child) == 1)
            (void)kill((pid_t)child, SIGKILL);
        CHECK_OK(fclose(file));
    }
    while ((pid = waitpid(-1, NULL, 0)) > 0)
        continue;
}

static int say_that_it_lives(void *arg)
{
    char alive = 1;

    (void)arg;
    return write(life.in, &alive, 1) != 1;
}

static int start_and_leave(void *arg)
{
    (void)arg;
    start(say_that_it_lives, NULL);
    return 0;
}

TEST(what_was_started_runs_though_its_parent_ends_at_once)
{
    for (int i = 0; i < 50; i++) {
        char alive;
        life = new_pipe();
        chute_process *process = start(start_and_leave, NULL);
        close(life.in);
        CHECK_EQ(read(life.out, &alive, 1), 1);
        CHECK_EQ(join(process), 0);
        chute_process_free(process);
        close(life.out);
        reap_orphans(false);
    }
}

TEST(a_daemon_is_killed_with_its_parent)
{
    CHECK(grandchild_follows(CHUTE_DAEMON));
    reap_orphans(false);
}

TEST(another_child_outlives_its_parent)
{
    CHECK(!grandchild_follows(0));
    reap_orphans(true);
}

static int die_while_starting(void *arg)
{
    chute_process *process;

    (void)arg;
    (void)chute_process_start(
        &process, hold_on, NULL,
        CHUTE_OPTIONS(chute_process_options, .flags = CHUTE_DAEMON));
    return sleep_for_ever(NULL);
}

TEST(a_parent_killed_while_starting_leaves_no_daemon)
{
    /* Killed at another moment each time, somewhere in fork and handshake. */
    for (int i = 0; i < 60; i++) {
        char nothing;
        life = new_pipe();
        chute_process *process = start(die_while_starting, NULL);
        close(life.in);
        int64_t until = plat_now() + i * 20000;
        while (plat_now() < until)
            continue;
        CHECK_OK(chute_process_kill(process));
        CHECK_EQ(join(process), -SIGKILL);
        chute_process_free(process);
        CHECK_EQ(read(life.out, &nothing, 1), 0);
        close(life.out);
        reap_orphans(false);
    }
}

/* So the parent goes on, and ends, before the child is tied to it. */
static void come_up_slowly(void)
{
    usleep(100000);
}

static int start_a_daemon_and_leave(void *arg)
{
    chute_process *process;

    (void)arg;
    CHECK_OK(pthread_atfork(NULL, NULL, come_up_slowly));
    CHECK_OK(chute_process_start(
        &process, say_that_it_lives, NULL,
        CHUTE_OPTIONS(chute_process_options, .flags = CHUTE_DAEMON)));
    return 0;
}

TEST(a_daemon_does_not_run_if_its_parent_has_ended_before)
{
    char alive;

    life = new_pipe();
    chute_process *process = start(start_a_daemon_and_leave, NULL);
    close(life.in);
    CHECK_EQ(join(process), 0);
    CHECK_EQ(read(life.out, &alive, 1), 0);
    chute_process_free(process);
    close(life.out);
    reap_orphans(false);
}

/* -- the identity of a process (plat/child.h) ------------------------------ */

TEST(only_a_child_of_ours_is_opened)
{
    int fd;

    CHECK_ERR(child_open(getpid(), &fd), CHUTE_ECHILD);
    CHECK_ERR(child_open(getppid(), &fd), CHUTE_ECHILD);
}

TEST(a_process_runs_until_it_ends_zombie_or_not)
{
    chute_process *process = start(sleep_for_ever, NULL);
    pid_t pid = chute_process_pid(process);
    uint64_t birth = child_birth(pid);
    int fd = chute_process_fd(process);
    bool ready;

    CHECK(birth != 0);
    CHECK(child_birth(getpid()) != 0);
    CHECK(child_runs(pid, birth));
    CHECK(child_runs(pid, 0));
    CHECK(!child_runs(pid, birth + 1));
    CHECK_OK(chute_process_kill(process));
    CHECK_EQ(chute_wait(&fd, &ready, 1, CHUTE_FOREVER), 1);
    CHECK(!child_runs(pid, birth)); /* a zombie */
    CHECK_EQ(join(process), -SIGKILL);
    CHECK(!child_runs(pid, birth));
    CHECK_EQ(child_birth(pid), 0);
    chute_process_free(process);
}

TEST(a_name_with_parentheses_does_not_hide_the_birth)
{
    uint64_t birth = child_birth(getpid());

    child_name(") Z 1 1 (");
    CHECK_EQ(child_birth(getpid()), birth);
}
