/* runner.c - run the tests of an executable, each in a process of its own.
 *
 *     runner ---- fork ----> test ---- fork ----> whatever the test starts
 *       |                     |                    |
 *       |   a shared page, the report: the first failure, whoever finds it
 *       |
 *       `-- waits till the deadline, kills what is left, prints a line of TAP
 *
 * The test process leads a process group and is the subreaper of all that it
 * starts: an orphan becomes its child and is noticed by the comparison that it
 * makes at its end (leak.h). The runner is a subreaper too; so when the test
 * process itself is gone, everything that it left becomes the runner's child
 * and is killed before the next test begins.
 *
 * A failure, in whichever process or thread, writes the report if it is the
 * first, and ends the test process. So a parent that waits for a message from
 * its failed child does not sit out the deadline, and one that forgets to look
 * at its child's status is not taken for a success.
 *
 * A test succeeds only by returning: leaving by exit(0) in the middle, and a
 * forked child that comes back out of the test's function, are failures.
 *
 * sanity.c proves each of these.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "chute/error.h"
#include "leak.h"
#include "test.h"

#define SKIPPED 77 /* the status of a test that was skipped */

/* Sanitized code is some three times slower, TSan's often more. */
#define SANITIZER_FACTOR (TEST_ASAN || TEST_TSAN ? 4 : 1)

/* -- the report ------------------------------------------------------------ */

static struct report {
    _Atomic pid_t pid;    /* the test process */
    atomic_bool claimed;  /* somebody writes, or has written, `reason` */
    atomic_bool failed;   /* release, with `reason`: acquire in judge() */
    atomic_bool skipped;  /* likewise */
    atomic_bool finished; /* the test has returned and left nothing behind */
    struct text reason;
} * report;

static bool forked = true; /* no with --no-fork */

static void report_reset(void)
{
    memset(report, 0, sizeof *report);
    fault_end();
}

static void add_fault(struct text *to)
{
    char where[256];

    fault_describe(where, sizeof where);
    if (where[0])
        text_add(to, "%s\n", where);
}

/* Write down the first failure; those after it are its echo, and are printed.
 */
static void report_failure(const char *format, va_list args)
{
    char reason[8192];

    vsnprintf(reason, sizeof reason, format, args);
    if (!forked || atomic_exchange(&report->claimed, true)) {
        dprintf(STDERR_FILENO, "%s\n", reason);
        return;
    }
    text_add(&report->reason, "%s\n", reason);
    add_fault(&report->reason);
    atomic_store(&report->failed, true);
}

void harness_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    report_failure(format, args);
    va_end(args);
    if (!forked)
        abort(); /* a debugger stops here, with all threads as they were */
    pid_t pid = atomic_load(&report->pid);
    if (pid > 0 && pid != getpid())
        kill(pid, SIGKILL);
    _exit(TEST_FAILED);
}

void harness_skip(const char *reason)
{
    text_add(&report->reason, "%s", reason);
    atomic_store(&report->skipped, true);
    if (!forked)
        fprintf(stderr, "skipped: %s\n", reason);
    _exit(SKIPPED);
}

/* -- checks ---------------------------------------------------------------- */

static bool is_negative(struct harness_number x)
{
    return x.kind == HARNESS_SIGNED && (int64_t)x.bits < 0;
}

static const char *number_text(struct harness_number x, char buf[32])
{
    if (x.kind == HARNESS_POINTER)
        snprintf(buf, 32, "%#llx", (unsigned long long)x.bits);
    else if (is_negative(x))
        snprintf(buf, 32, "%lld", (long long)x.bits);
    else
        snprintf(buf, 32, "%llu", (unsigned long long)x.bits);
    return buf;
}

void harness_check_eq(const char *file, int line, const char *a_text,
                      struct harness_number a, const char *b_text,
                      struct harness_number b)
{
    char a_buf[32], b_buf[32];

    if (a.bits != b.bits || is_negative(a) != is_negative(b))
        harness_fail("%s:%d: %s == %s: %s is not %s", file, line, a_text,
                     b_text, number_text(a, a_buf), number_text(b, b_buf));
}

void harness_check_str(const char *file, int line, const char *a_text,
                       const char *a, const char *b_text, const char *b)
{
    if (a == b || (a && b && strcmp(a, b) == 0))
        return;
    harness_fail("%s:%d: %s == %s: %s%s%s is not %s%s%s", file, line, a_text,
                 b_text, a ? "\"" : "", a ? a : "NULL", a ? "\"" : "",
                 b ? "\"" : "", b ? b : "NULL", b ? "\"" : "");
}

void harness_check_mem(const char *file, int line, const char *a_text,
                       const void *a, const char *b_text, const void *b,
                       size_t len)
{
    const unsigned char *x = a, *y = b;

    for (size_t i = 0; i < len; i++)
        if (x[i] != y[i])
            harness_fail("%s:%d: %s == %s: byte %zu of %zu: %#04x is not %#04x",
                         file, line, a_text, b_text, i, len, x[i], y[i]);
}

void harness_check_code(const char *file, int line, const char *text, int r,
                        int code)
{
    if (r != code)
        harness_fail("%s:%d: %s: %s (%d) is not %s", file, line, text,
                     chute_errname(r), r, chute_errname(code));
}

/* -- in the test process --------------------------------------------------- */

/* A thread that was joined may show in /proc for a moment longer; one that is
 * still there after a fifth of a second stays. */
static size_t compare_settled(const struct leak_state *before,
                              struct text *ret_leaks)
{
    static struct leak_state after;
    size_t n;

    for (int i = 0;; i++) {
        ret_leaks->len = 0;
        leak_take(&after);
        n = leak_compare(before, &after, ret_leaks);
        if (n == 0 || i == 20 || !strstr(ret_leaks->s, "leaked: thread"))
            return n;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

static void run_here(const struct test *test)
{
    static struct leak_state before;
    static struct text leaks;

    atomic_store(&report->pid, getpid());
    leak_take(&before);
    test->run();
    if (getpid() != report->pid)
        harness_fail("%s:%d: a forked child came back out of the test",
                     test->file, test->line);
    fault_end();
    if (compare_settled(&before, &leaks) > 0)
        harness_fail("%s:%d: the test left something behind\n%s", test->file,
                     test->line, leaks.s);
    if (leak_sanitizer())
        harness_fail(
            "%s:%d: leaked: memory block(s); the sanitizer's report is "
            "on stderr",
            test->file, test->line);
    atomic_store(&report->finished, true);
}

/* The test's stdout is ours for TAP, and its stdin would be a terminal from
 * which a background group must not read. */
static void redirect(const struct test *test)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    dup2(null, STDIN_FILENO);
    if (test->must_say)
        dup2(null, STDERR_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    close(null);
}

static _Noreturn void test_process(const struct test *test,
                                   const sigset_t *mask)
{
    setpgid(0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    redirect(test);
    if (test->must_say) /* its crash is no news */
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    run_here(test);
    /* exit, so that coverage is written and TSan has its say. LSan has had
     * its. */
    fflush(NULL);
    if (TEST_ASAN)
        _exit(0);
    exit(0);
}

/* The sanitizers look for these by name: their findings are to end the process,
 * and to be known even if nobody looks at its status. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "halt_on_error=1:second_deadlock_stack=1";
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
    return "halt_on_error=1:print_stacktrace=1";
}

void __sanitizer_set_death_callback(void (*callback)(void))
    __attribute__((weak));

static void sanitizer_dies(void)
{
    harness_fail("a sanitizer stopped process %d; its report is on stderr",
                 (int)getpid());
}

/* -- in the runner --------------------------------------------------------- */

/* Wait until the process has ended, but do not reap it: its pid, and so its
 * group, cannot be anybody else's yet. False: the time is up. A signal that
 * asks us to end ends the test too. */
static bool await_end(pid_t pid, const sigset_t *signals, unsigned timeout_s)
{
    struct timespec now, end;
    siginfo_t info = {0};

    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += timeout_s;
    for (;;) {
        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            info.si_pid == pid)
            return true;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec > end.tv_sec ||
            (now.tv_sec == end.tv_sec && now.tv_nsec >= end.tv_nsec))
            return false;
        int sig = sigtimedwait(signals, NULL, &(struct timespec){.tv_sec = 1});
        if (sig > 0 && sig != SIGCHLD) {
            kill(-pid, SIGKILL);
            leak_kill_children();
            _exit(128 + sig);
        }
    }
}

static unsigned deadline_of(const struct test *test)
{
    const char *slow = getenv("CHUTE_TEST_SLOW");
    double factor = slow ? strtod(slow, NULL) : 1;

    if (test->must_say) /* it is to be missed */
        return test->timeout_s;
    return (unsigned)(test->timeout_s * SANITIZER_FACTOR *
                      (factor > 0 ? factor : 1));
}

/* What became of the test process: true if it failed, and why. */
static bool judge(bool hung, int status, unsigned timeout_s, struct text *why)
{
    if (atomic_load(&report->failed)) {
        text_add(why, "%s", report->reason.s);
        return true;
    }
    if (hung) {
        text_add(why, "hang: no end after %u s\n", timeout_s);
    } else if (WIFSIGNALED(status)) {
        text_add(why, "killed by signal %d (%s)\n", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) == SKIPPED && report->skipped) {
        return false;
    } else if (WEXITSTATUS(status) != 0) {
        text_add(why, "exit status %d\n", WEXITSTATUS(status));
    } else if (!report->finished) {
        text_add(why, "the test process ended before the test did\n");
    } else {
        return false;
    }
    add_fault(why);
    return true;
}

/* Run the test in a process: true if it failed, and why. */
static bool run_forked(const struct test *test, struct text *why)
{
    unsigned timeout_s = deadline_of(test);
    sigset_t signals, mask;
    struct text processes = {0};
    int status = 0;

    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, &mask);

    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        test_process(test, &mask);
    if (pid < 0) {
        text_add(why, "fork: %s\n", strerror(errno));
        return true;
    }
    setpgid(pid, pid); /* here as well: who comes first is not known */
    bool hung = !await_end(pid, &signals, timeout_s);
    if (hung)
        leak_describe_children(getpid(), 5, &processes);
    kill(-pid, SIGKILL);
    waitpid(pid, &status, 0);
    leak_kill_children();
    sigprocmask(SIG_SETMASK, &mask, NULL);

    bool failed = judge(hung, status, timeout_s, why);
    if (failed && hung)
        text_add(why, "%sto see more: gdb --args %s -n %s\n", processes.s,
                 program_invocation_name, test->name);
    return failed;
}

/* A FAIL_TEST turns the result round, if the reason is the one it names. */
static bool turn_round(const struct test *test, bool failed, struct text *why)
{
    if (failed && strstr(why->s, test->must_say)) {
        why->len = 0;
        return false;
    }
    text_add(why,
             failed ? "this is not the failure that was due: %s\n"
                    : "no failure, but one was due: %s\n",
             test->must_say);
    return true;
}

/* -- TAP ------------------------------------------------------------------- */

/* an_empty_queue as an-empty-queue, in one of a few buffers. */
static const char *dashed(const char *name)
{
    static char bufs[2][256];
    static unsigned turn;
    char *buf = bufs[turn++ % 2];

    snprintf(buf, sizeof bufs[0], "%s", name);
    for (char *c = buf; *c; c++)
        if (*c == '_')
            *c = '-';
    return buf;
}

static void print_comment(const char *lines)
{
    for (size_t len; *lines; lines += len + (lines[len] == '\n')) {
        len = strcspn(lines, "\n");
        if (len > 0)
            printf("# %.*s\n", (int)len, lines);
    }
}

static bool run_and_print(const struct test *test, size_t number)
{
    struct text why = {0};
    bool failed = false;

    report_reset();
    if (forked)
        failed = run_forked(test, &why);
    else
        run_here(test);
    if (test->must_say && forked && !report->skipped)
        failed = turn_round(test, failed, &why);

    printf("%s %zu - %s", failed ? "not ok" : "ok", number, dashed(test->name));
    if (report->skipped && !failed)
        printf(" # SKIP %s", report->reason.s);
    putchar('\n');
    if (failed)
        print_comment(why.s);
    fflush(stdout);
    return failed;
}

/* -- which tests ----------------------------------------------------------- */

extern const struct test *const __start_chute_tests[] __attribute__((weak));
extern const struct test *const __stop_chute_tests[] __attribute__((weak));

static int by_place(const void *a, const void *b)
{
    const struct test *x = *(const struct test *const *)a;
    const struct test *y = *(const struct test *const *)b;
    int files = strcmp(x->file, y->file);

    return files ? files : x->line - y->line;
}

static bool is_wanted(const struct test *test, char **patterns, int n_patterns)
{
    for (int i = 0; i < n_patterns; i++) {
        char pattern[256];
        snprintf(pattern, sizeof pattern, "%s", dashed(patterns[i]));
        if (fnmatch(pattern, dashed(test->name), 0) == 0)
            return true;
    }
    return n_patterns == 0;
}

/* The wanted tests in the order in which they are written: the linker's is any.
 * A null pointer is what a sanitizer may put between entries. */
static size_t gather(const struct test **tests, size_t cap, char **patterns,
                     int n_patterns)
{
    size_t n = 0;

    for (const struct test *const *entry = __start_chute_tests;
         entry < __stop_chute_tests && n < cap; entry++)
        if (*entry && is_wanted(*entry, patterns, n_patterns))
            tests[n++] = *entry;
    qsort(tests, n, sizeof *tests, by_place);
    return n;
}

static _Noreturn void usage(int status)
{
    fprintf(status ? stderr : stdout,
            "usage: %s [-n | --no-fork] [--list] [NAME | PATTERN]...\n",
            program_invocation_name);
    exit(status);
}

static bool take_options(int argc, char **argv)
{
    static const struct option options[] = {
        {"no-fork", no_argument, NULL, 'n'},
        {"list", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    bool list = false;

    for (int c; (c = getopt_long(argc, argv, "nlh", options, NULL)) != -1;) {
        if (c == 'n')
            forked = false;
        else if (c == 'l')
            list = true;
        else
            usage(c == 'h' ? 0 : 2);
    }
    return list;
}

int main(int argc, char **argv)
{
    static const struct test *tests[4096];
    bool list = take_options(argc, argv);
    size_t n = gather(tests, 4096, argv + optind, argc - optind);
    size_t n_failed = 0;

    if (n == 0) {
        fprintf(stderr, "%s: no such test\n", argv[0]);
        return 2;
    }
    if (list) {
        for (size_t i = 0; i < n; i++)
            puts(dashed(tests[i]->name));
        return 0;
    }
    report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (report == MAP_FAILED)
        abort();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(sanitizer_dies);

    printf("TAP version 13\n1..%zu\n", n);
    for (size_t i = 0; i < n; i++)
        n_failed += run_and_print(tests[i], i + 1);
    if (n_failed > 0)
        printf("# %zu of %zu failed\n", n_failed, n);
    return n_failed > 0;
}
