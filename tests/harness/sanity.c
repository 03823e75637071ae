/* sanity.c - the harness, tested by itself.
 *
 * A harness that misses failures makes every other test worthless, and nobody
 * would notice. So here is one test for each kind of failure that it promises
 * to catch, a FAIL_TEST, which has to fail for the reason that it names; and
 * one for each thing that looks like a failure and is none.
 *
 * Some crashes come out otherwise under a sanitizer, which gets hold of them
 * first.
 */
#define _GNU_SOURCE
#ifndef CHUTE_FAULT
#define CHUTE_FAULT
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"
#include "chute/error.h"
#include "leak.h"
#include "test.h"

#if TEST_ASAN || TEST_TSAN
#define SEGFAULT "a sanitizer stopped process"
#else
#define SEGFAULT "killed by signal 11"
#endif

/* Kept from the compiler, which would see through what is done on purpose. */
static void *volatile kept;
static volatile int one = 1, minus_one = -1;

static _Noreturn void sleep_for_ever(void)
{
    for (;;)
        pause();
}

/* -- checks ---------------------------------------------------------------- */

TEST(checks_that_hold)
{
    int array[2] = {1, 2}, *p = NULL;

    CHECK(one == 1);
    CHECK_EQ(minus_one, INT64_C(-1));
    CHECK_EQ((unsigned char)255, 255L);
    CHECK_EQ(array, &array[0]);
    CHECK_EQ(p, NULL);
    CHECK_EQ((bool)one, true);
    CHECK_STR("queue", "queue");
    CHECK_STR(NULL, NULL);
    CHECK_MEM("abcx", "abcy", 3);
    CHECK_OK(0);
    CHECK_ERR(-ENOMEM, CHUTE_ENOMEM);
}

TEST(a_check_evaluates_its_arguments_once)
{
    int i = 0;

    CHECK(++i == 1);
    CHECK_EQ(-(-i - 1), 2);
    CHECK_EQ(i, 1);
}

FAIL_TEST(check, "one == 2")
{
    CHECK(one == 2);
}

FAIL_TEST(check_eq, "one == 2: 1 is not 2")
{
    CHECK_EQ(one, 2);
}

FAIL_TEST(check_eq_minds_the_sign, "-1 is not 18446744073709551615")
{
    CHECK_EQ(minus_one, UINT64_MAX);
}

FAIL_TEST(check_eq_of_pointers, "0 is not 0x")
{
    CHECK_EQ(NULL, &one);
}

FAIL_TEST(check_str, "\"put\" is not \"get\"")
{
    CHECK_STR("put", "get");
}

FAIL_TEST(check_str_of_null, "NULL is not \"\"")
{
    CHECK_STR(NULL, "");
}

FAIL_TEST(check_mem, "byte 2 of 3: 0x63 is not 0x64")
{
    CHECK_MEM("abc", "abd", 3);
}

FAIL_TEST(check_ok, "CHUTE_ECLOSED (-4097) is not 0")
{
    CHECK_OK(minus_one * 4097);
}

FAIL_TEST(check_err, "CHUTE_EOF (-4096) is not CHUTE_ETIMEDOUT")
{
    CHECK_ERR(minus_one * 4096, CHUTE_ETIMEDOUT);
}

static void *failing_thread(void *arg)
{
    (void)arg;
    CHECK(one == 3);
    return NULL;
}

FAIL_TEST(check_in_a_thread, "one == 3")
{
    pthread_t thread;

    pthread_create(&thread, NULL, failing_thread, NULL);
    pthread_join(thread, NULL);
}

FAIL_TEST(check_in_a_child_whose_status_is_ignored, "one == 4")
{
    pid_t pid = fork();

    if (pid == 0)
        CHECK(one == 4);
    waitpid(pid, NULL, 0);
}

FAIL_TEST(check_in_a_child_that_the_parent_listens_to, "one == 5")
{
    int ends[2];
    char c;

    CHECK_EQ(pipe(ends), 0);
    if (fork() == 0)
        CHECK(one == 5);
    CHECK_EQ(read(ends[0], &c, 1), 1); /* we hold the other end: for ever */
}

/* -- ends ------------------------------------------------------------------ */

FAIL_TEST(segfault, SEGFAULT)
{
    char *nowhere =
        mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *(volatile char *)nowhere = 1;
}

FAIL_TEST(aborted, "killed by signal 6")
{
    signal(SIGABRT, SIG_DFL); /* some sanitizers have a handler */
    abort();
}

FAIL_TEST(killed, "killed by signal 9")
{
    kill(getpid(), SIGKILL);
}

FAIL_TEST(exit_with_a_status, "exit status 3")
{
    _exit(3);
}

FAIL_TEST(exit_in_the_middle, "ended before the test did")
{
    _exit(0);
}

FAIL_TEST(a_child_that_comes_back, "came back out of the test")
{
    pid_t pid = fork();

    if (pid > 0)
        waitpid(pid, NULL, 0);
}

FAIL_TEST_TIMEOUT(hang, "hang: no end", 1)
{
    sleep_for_ever();
}

FAIL_TEST_TIMEOUT(hang_of_all_its_processes, "child of", 1)
{
    if (fork() == 0)
        sleep_for_ever();
    sleep_for_ever();
}

TEST(skipped)
{
    SKIP("this is what a skipped test looks like");
}

/* -- leaks ----------------------------------------------------------------- */

FAIL_TEST(leaked_descriptor, "leaked: descriptor")
{
    open("/dev/null", O_RDONLY | O_CLOEXEC);
}

FAIL_TEST(closed_what_is_not_its_own, "gone: descriptor 0")
{
    close(STDIN_FILENO);
}

FAIL_TEST(leaked_shared_mapping, "leaked: shared mapping")
{
    kept = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

FAIL_TEST(leaked_mapping_of_a_memfd, "leaked: private mapping")
{
    int fd = memfd_create("sanity", MFD_CLOEXEC);

    kept = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
}

static void *idle_thread(void *arg)
{
    (void)arg;
    sleep_for_ever();
}

FAIL_TEST(leaked_thread, "leaked: thread")
{
    pthread_t thread;

    if (TEST_TSAN)
        SKIP("threads are not counted, for TSan has its own");
    pthread_create(&thread, NULL, idle_thread, NULL);
}

/* Not under TSan, nor under valgrind, which takes malloc for itself. */
static void need_counted_memory(void)
{
    long n_blocks = leak_n_blocks();

    kept = malloc(1);
    bool is_counted = TEST_ASAN || leak_n_blocks() > n_blocks;
    free(kept);
    if (!is_counted)
        SKIP("memory is not counted here");
}

/* The leak sanitizer follows pointers, so it has to find none. */
static void leak_memory(void *p)
{
    need_counted_memory();
    kept = p;
    kept = NULL;
}

FAIL_TEST(leaked_memory, "leaked: memory block")
{
    leak_memory(malloc(10));
}

FAIL_TEST(leaked_memory_from_calloc, "leaked: memory block")
{
    leak_memory(calloc(2, 10));
}

FAIL_TEST(leaked_memory_from_realloc, "leaked: memory block")
{
    leak_memory(realloc(malloc(10), 1000));
}

FAIL_TEST(leaked_memory_from_aligned_alloc, "leaked: memory block")
{
    leak_memory(aligned_alloc(4096, 8192));
}

FAIL_TEST(leaked_memory_from_the_library, "leaked: memory block")
{
    leak_memory(mem_zalloc(10));
}

FAIL_TEST(more_leaks_than_are_listed, "leaked: memory block")
{
    for (int i = 0; i < 10000; i++)
        leak_memory(malloc(10));
}

FAIL_TEST(freed_twice, TEST_ASAN ? "a sanitizer stopped" : "free already")
{
    char *volatile p = malloc(100);

    need_counted_memory();
    free(p);
    free(p);
}

FAIL_TEST(leaked_child, "leaked: child process")
{
    if (fork() == 0)
        sleep_for_ever();
}

FAIL_TEST(leaked_zombie, "leaked: zombie")
{
    siginfo_t info;
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
}

/* A page that outlives the tests, for one to tell the next. */
static _Atomic pid_t *stray;

__attribute__((constructor)) static void make_stray(void)
{
    stray = mmap(NULL, sizeof *stray, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

FAIL_TEST(leaked_grandchild, "leaked: child process")
{
    pid_t pid = fork();

    if (pid == 0) {
        pid_t grandchild = fork();
        if (grandchild == 0) {
            setsid(); /* out of reach of a kill of the group */
            sleep_for_ever();
        }
        atomic_store(stray, grandchild);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

TEST(what_a_test_leaves_is_killed)
{
    if (!atomic_load(stray))
        SKIP("the test before this one was not run");
    CHECK_EQ(kill(atomic_load(stray), 0), -1);
    CHECK_EQ(errno, ESRCH);
}

static void *printing_thread(void *arg)
{
    printf("a thread's words\n");
    return arg;
}

TEST(what_libc_keeps_is_no_leak)
{
    pthread_t threads[4];
    char *copy;

    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, printing_thread, NULL), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK((copy = strdup("freed here, though not allocated here")));
    free(copy);
}

TEST(memory_that_was_moved_and_freed_is_no_leak)
{
    void *p = NULL;

    CHECK((kept = mem_alloc(0)));
    CHECK((kept = mem_realloc(kept, 100)));
    memset(kept, 1, 100);
    CHECK((kept = mem_realloc(kept, 100000)));
    CHECK_EQ(((char *)kept)[99], 1);
    free(kept);
    CHECK_EQ(posix_memalign(&p, 256, 1), 0);
    CHECK_EQ((uintptr_t)p % 256, 0);
    free(p);
}

TEST(a_child_that_was_waited_for_is_no_leak)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(5);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WEXITSTATUS(status), 5);
}

/* -- faults ---------------------------------------------------------------- */

TEST(a_fault_loop_refuses_each_point_in_turn_with_each_error)
{
    static const struct {
        unsigned long n;
        const char *site;
        int error;
    } runs[] = {
        {1, "fork", EAGAIN},   {1, "fork", ENOMEM}, {1, "fork", ENOSYS},
        {2, "malloc", ENOMEM}, {3, "poll", ENOMEM}, {3, "poll", EFAULT},
        {3, "poll", EINTR},    {3, "poll", EINVAL}, {4, "", 0},
    };
    unsigned long run = 0;

    FAULT_LOOP (n) {
        errno = 0;
        bool fork_fails = fault("fork");
        bool malloc_fails = fault("malloc");
        bool poll_fails = fault("poll");

        CHECK_EQ(errno, runs[run].error);
        CHECK_EQ(n, runs[run].n);
        CHECK_EQ(fork_fails, n == 1);
        CHECK_EQ(malloc_fails, n == 2);
        CHECK_EQ(poll_fails, n == 3);
        CHECK_EQ(fault_fired(), n < 4);
        CHECK_STR(fault_site(), runs[run].site);
        CHECK_EQ(fault_error(), runs[run].error);
        run++;
    }
    CHECK_EQ(run, sizeof runs / sizeof *runs);
    CHECK(!fault("open"));
}

TEST(what_no_loop_has_refused_is_listed)
{
    static struct text before, after;
    size_t n = fault_unrefused(false, &before);

    FAULT_LOOP (i)
        fault("ioctl");
    CHECK_EQ(fault_unrefused(false, &after), n - 4);
    CHECK(strstr(before.s, "ioctl never failed with ENOTTY"));
    CHECK(!strstr(after.s, "ioctl"));
}

static void *pass_ioctl(void *ret_tid)
{
    *(pid_t *)ret_tid = gettid();
    fault("ioctl");
    return NULL;
}

TEST(a_tracer_hears_which_site_a_thread_has_passed)
{
    pthread_t thread;
    pid_t tid;

    fault("open");
    fault_hear(true);
    CHECK(!fault_heard(gettid()));
    fault("poll");
    CHECK_OK(pthread_create(&thread, NULL, pass_ioctl, &tid));
    CHECK_OK(pthread_join(thread, NULL));
    CHECK_STR(fault_heard(gettid()), "poll");
    CHECK(!fault_heard(gettid()));
    CHECK_STR(fault_heard(tid), "ioctl");
    fault_hear(false);
    fault("poll");
    CHECK(!fault_heard(gettid()));
}

FAIL_TEST(a_site_that_nobody_knows, "refusals.h does not know it")
{
    FAULT_LOOP (n)
        fault("no such call");
}

TEST(a_fault_loop_refuses_all_from_a_point_on)
{
    unsigned long n_runs = 0;

    FAULT_LOOP_FROM (n) {
        n_runs++;
        for (unsigned long i = 1; i <= 3; i++)
            CHECK_EQ(fault("open"), i >= n);
    }
    CHECK_EQ(n_runs, 4);
}

TEST(the_allocator_can_be_refused)
{
    unsigned long n_refused = 0;

    FAULT_LOOP (n) {
        void *p = mem_alloc(10), *q = mem_zalloc(10);
        CHECK_EQ(!p || !q, fault_fired());
        n_refused += !p || !q;
        free(p);
        free(q);
    }
    CHECK_EQ(n_refused, 2);
}

static int points_refused_in_a_child(void)
{
    int status, n = 0;
    pid_t pid = fork();

    if (pid == 0) {
        for (int i = 0; i < 3; i++)
            n += fault("malloc");
        _exit(n);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

TEST(a_child_is_refused_nothing_unless_asked_for)
{
    unsigned long n_runs = 0;

    FAULT_LOOP (n) {
        CHECK_EQ(points_refused_in_a_child(), 0);
        fault("malloc");
        n_runs++;
    }
    CHECK_EQ(n_runs, 2);
}

TEST(a_child_may_take_part_in_the_loop)
{
    unsigned long n_runs = 0;

    FAULT_LOOP (n) {
        fault_in_children(true);
        CHECK_EQ(points_refused_in_a_child(), n <= 3);
        n_runs++;
    }
    CHECK_EQ(n_runs, 4);
}

FAIL_TEST(fault_loop_that_never_ends, "no end after 5000 fault points")
{
    FAULT_LOOP (n)
        for (unsigned long i = 0; i < n; i++)
            fault("malloc");
}

FAIL_TEST_TIMEOUT(fault_loop_whose_body_never_ends, "n = 1, refused: malloc", 1)
{
    FAULT_LOOP_FROM (n)
        while (fault("malloc"))
            usleep(1000);
}

FAIL_TEST(fault_loop_without_a_fault_point, "no fault point was met")
{
    FAULT_LOOP (n)
        CHECK(n == 1);
}

FAIL_TEST(check_in_a_fault_loop, "n = 2, refused: mmap")
{
    FAULT_LOOP (n) {
        CHECK(!fault("open") || n == 1);
        CHECK(!fault("mmap"));
    }
}

FAIL_TEST(death_in_a_fault_loop, "n = 1, refused: open")
{
    FAULT_LOOP (n)
        if (fault("open"))
            kill(getpid(), SIGKILL);
}

FAIL_TEST(leak_in_a_fault_loop, "after n = 2, refused: mmap")
{
    FAULT_LOOP (n) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        bool forget = !fault("open") && fault("mmap");
        if (!forget)
            close(fd);
    }
}
