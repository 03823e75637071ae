/* test-limits.c - what a shortage, and waiting, cost.
 *
 * Who may have no more descriptors, addresses, locked memory, length of files or
 * room on a file system gets an error that says so, and what he has goes on
 * working: wherever the limit lies. So the limit is moved up step by step, from
 * where nothing works to where all does, and at each step everything that was
 * given is written to: had it not been reserved, that were a SIGBUS. Who waits
 * for hours costs next to nothing.
 *
 * Limits are lowered in a child, since the harness needs what the test has used
 * up.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chute.h"
#include "plat/plat.h"
#include "test.h"

/* Run fn in a child; its failed checks are reported from there. False: it has
 * found that it cannot be run here. */
static bool in_a_child_or_not(void (*fn)(void))
{
    int status;
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        fn();
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(status == 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 77));
    return status == 0;
}

static void in_a_child(void (*fn)(void))
{
    CHECK(in_a_child_or_not(fn));
}

static void lower(__rlimit_resource_t what, rlim_t limit)
{
    struct rlimit rlimit;

    CHECK_EQ(getrlimit(what, &rlimit), 0);
    rlimit.rlim_cur = limit;
    CHECK_EQ(setrlimit(what, &rlimit), 0);
}

static void check_works(chute_queue *q)
{
    char c = 0;
    size_t len;

    CHECK_OK(chute_queue_put_bytes(q, "x", 1, CHUTE_NOWAIT));
    CHECK_OK(chute_queue_get_bytes(q, &c, 1, &len, CHUTE_SEC(5)));
    CHECK_EQ(c, 'x');
}

static int do_nothing(void *unused)
{
    (void)unused;
    return 0;
}

/* -- what is tried under each limit ------------------------------------------ */

static unsigned char large[300000];

/* Each tries one thing, gives back what it got, and says how it went. */

static int try_queue(void)
{
    chute_queue *q;
    size_t len;

    int r = chute_queue_new(&q, NULL);
    if (r < 0)
        return r;
    r = chute_queue_put_bytes(q, large, sizeof large, CHUTE_NOWAIT);
    if (r == 0)
        r = chute_queue_get_bytes(q, large, sizeof large, &len, CHUTE_NOWAIT);
    chute_queue_free(q);
    return r;
}

static int lend_and_borrow(chute_queue *q)
{
    struct chute_loan loan;

    int r = chute_queue_reserve(q, &loan, sizeof large, CHUTE_NOWAIT);
    if (r < 0)
        return r;
    memset(loan.data, 'x', loan.len);
    r = chute_queue_commit(q, &loan, CHUTE_NOWAIT);
    if (r == 0)
        r = chute_queue_borrow(q, &loan, CHUTE_NOWAIT);
    return r < 0 ? r : chute_queue_release(q, &loan);
}

static int try_loan(void)
{
    chute_queue *q;

    int r = chute_queue_new(&q, NULL);
    if (r < 0)
        return r;
    r = lend_and_borrow(q);
    chute_queue_free(q);
    return r;
}

static int try_named_queue(void)
{
    chute_queue *q;
    size_t len;

    int r = chute_queue_open(
        &q, "limits",
        CHUTE_OPTIONS(chute_queue_options, .flags = CHUTE_CREATE));
    if (r < 0)
        return r;
    r = chute_queue_put_bytes(q, large, sizeof large, CHUTE_NOWAIT);
    if (r == 0)
        r = chute_queue_get_bytes(q, large, sizeof large, &len, CHUTE_NOWAIT);
    int unlinked = chute_queue_unlink("limits");
    chute_queue_free(q);
    return r < 0 ? r : unlinked;
}

static int try_pipe(void)
{
    chute_conn *ends[2];
    chute_value *v;

    int r = chute_pipe(ends, NULL);
    if (r < 0)
        return r;
    r = chute_conn_send(ends[0], chute_bytes(large, 1000), CHUTE_NOWAIT);
    if (r == 0)
        r = chute_conn_recv(ends[1], &v, CHUTE_NOWAIT);
    if (r == 0)
        chute_value_free(v);
    chute_conn_free(ends[0]);
    chute_conn_free(ends[1]);
    return r;
}

static int try_handles(void)
{
    chute_conn *ends[2], *came;
    chute_queue *q, *copy;

    int r = chute_pipe(ends, NULL);
    if (r < 0)
        return r;
    r = chute_queue_new(&q, NULL);
    if (r == 0) {
        r = chute_conn_send_queue(ends[0], q, CHUTE_NOWAIT);
        if (r == 0)
            r = chute_conn_recv_queue(ends[1], &copy, CHUTE_NOWAIT);
        if (r == 0)
            chute_queue_free(copy);
        chute_queue_free(q);
    }
    if (r == 0)
        r = chute_conn_send_conn(ends[0], ends[0], CHUTE_NOWAIT);
    if (r == 0)
        r = chute_conn_recv_conn(ends[1], &came, CHUTE_NOWAIT);
    if (r == 0)
        chute_conn_free(came);
    chute_conn_free(ends[0]);
    chute_conn_free(ends[1]);
    return r;
}

static int join(chute_process *p)
{
    int code = -1;

    CHECK_OK(chute_process_join(p, &code, CHUTE_FOREVER));
    chute_process_free(p);
    return code;
}

static int try_process(void)
{
    chute_process *p;
    int r = chute_process_start(&p, do_nothing, NULL, NULL);

    return r < 0 ? r : join(p);
}

static int try_program(void)
{
    chute_process *p;
    chute_queue *q;

    int r = chute_queue_new(&q, NULL);
    if (r < 0)
        return r;
    const struct chute_pass pass[] = {{.name = "q", .queue = q}, {0}};
    r = chute_process_spawn(
        &p, "/bin/true", (char *[]){"true", NULL},
        CHUTE_OPTIONS(chute_spawn_options, .pass = pass, .stdout_fd = 2));
    chute_queue_free(q);
    return r < 0 ? r : join(p);
}

static int (*const tries[])(void) = {
    try_queue,   try_loan,    try_named_queue, try_pipe,
    try_handles, try_process, try_program,
};

#define N_TRIES (sizeof tries / sizeof *tries)

/* -- descriptors ------------------------------------------------------------ */

static void run_out_of_descriptors(void)
{
    struct rlimit before;
    int first = dup(0);

    CHECK(first >= 0);
    close(first);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (size_t i = 0; i < N_TRIES; i++) {
        rlim_t n_free = 0;
        int r;
        CHECK_OK(tries[i]());
        do {
            lower(RLIMIT_NOFILE, (rlim_t)first + n_free);
            r = tries[i]();
            /* A program may not find the descriptors that its own start takes. */
            CHECK(r == 0 || r == CHUTE_EMFILE ||
                  (r > 0 && tries[i] == try_program));
        } while (r != 0 && ++n_free < 20);
        CHECK(r == 0 && n_free > 0);
        lower(RLIMIT_NOFILE, before.rlim_cur);
    }
}

TEST(no_more_descriptors_is_an_error_and_the_rest_works)
{
    in_a_child(run_out_of_descriptors);
}

/* -- files ------------------------------------------------------------------ */

/* The kernel would send SIGXFSZ beyond the limit. */
static void run_into_the_limit_of_files(void)
{
    for (size_t i = 0; i < N_TRIES; i++) {
        rlim_t limit = 0;
        int r;
        CHECK_OK(tries[i]());
        do {
            lower(RLIMIT_FSIZE, limit);
            r = tries[i]();
            CHECK(r == 0 || r == -EFBIG);
            limit += plat_page();
        } while (r < 0 && limit < 64 * sizeof large);
        CHECK_EQ(r, 0);
        lower(RLIMIT_FSIZE, RLIM_INFINITY);
    }
}

/* There in a build that counts coverage. */
void __gcov_dump(void) __attribute__((weak));

TEST(files_that_may_not_grow_are_an_error)
{
    if (__gcov_dump)
        SKIP("what counts coverage writes files of its own");
    in_a_child(run_into_the_limit_of_files);
}

/* -- a file system ---------------------------------------------------------- */

static char dir[] = "/tmp/chute-limits-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[100];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static bool mount_small(void)
{
    return unshare(CLONE_NEWNS) == 0 &&
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", dir, "tmpfs", 0, "size=1m,mode=0700") == 0;
}

/* Leave so many pages of the file system. */
static void fill_up_to(long n_pages)
{
    long len = (1 << 20) - n_pages * (long)plat_page();
    int fd =
        open(path_of("filler"), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

    CHECK(fd >= 0);
    CHECK_OK(posix_fallocate(fd, 0, len));
    close(fd);
}

/* All that the queue took has to be there when it is written and read. */
static int fill_and_drain(chute_queue *q)
{
    static char item[5000];
    size_t len;
    int n = 0, r;

    while ((r = chute_queue_put_bytes(q, item, sizeof item, CHUTE_NOWAIT)) == 0)
        n++;
    for (int i = 0; i < n; i++)
        CHECK_OK(
            chute_queue_get_bytes(q, item, sizeof item, &len, CHUTE_NOWAIT));
    return r;
}

/* The same for what is lent. */
static int lend_all(chute_queue *q)
{
    struct chute_loan loans[64];
    int n = 0, r;

    while (n < 64 &&
           (r = chute_queue_reserve(q, &loans[n], 5000, CHUTE_NOWAIT)) == 0)
        memset(loans[n++].data, 'x', 5000);
    for (int i = 0; i < n; i++)
        CHECK_OK(chute_queue_release(q, &loans[i]));
    return r;
}

static void run_out_of_file_system(void)
{
    long n_pages = (1 << 20) / (long)plat_page();

    CHECK_EQ(setenv("CHUTE_DIR", dir, 1), 0);
    if (!mount_small())
        _exit(77);
    for (long n = 1; n < n_pages; n++) {
        chute_queue *q;
        fill_up_to(n);
        int r = chute_queue_open(
            &q, "limits",
            CHUTE_OPTIONS(chute_queue_options, .flags = CHUTE_CREATE));
        CHECK(r == CHUTE_ENOSPC || (r == 0 && n > 1));
        if (r < 0)
            continue;
        CHECK_ERR(fill_and_drain(q), CHUTE_ENOSPC);
        CHECK_ERR(fill_and_drain(q), CHUTE_ENOSPC);
        CHECK_ERR(lend_all(q), CHUTE_ENOSPC);
        CHECK_ERR(lend_all(q), CHUTE_ENOSPC);
        CHECK_OK(chute_queue_unlink("limits"));
        chute_queue_free(q);
        CHECK_EQ(unlink(path_of("filler")), 0);
    }
}

TEST_TIMEOUT(a_file_system_that_is_full_at_any_page_is_an_error, 120)
{
    CHECK(mkdtemp(dir) != NULL);
    bool done = in_a_child_or_not(run_out_of_file_system);
    CHECK_EQ(rmdir(dir), 0);
    if (!done)
        SKIP("no tmpfs may be mounted here");
}

/* -- memory ----------------------------------------------------------------- */

/* Not to be taken for a queue that is full: one waited for ever. */
static void run_out_of_lockable_memory(void)
{
    struct rlimit none = {65536, 65536};
    chute_queue *q;

    CHECK_OK(chute_queue_new(&q, NULL));
    CHECK_EQ(setrlimit(RLIMIT_MEMLOCK, &none), 0);
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
        _exit(77);
    if (mlockall(MCL_FUTURE) < 0)
        _exit(77);
    int r = chute_queue_put_bytes(q, large, sizeof large, CHUTE_SEC(5));
    CHECK_ERR(r, CHUTE_ENOMEM);
    CHECK_EQ(munlockall(), 0);
    CHECK_OK(chute_queue_put_bytes(q, large, sizeof large, CHUTE_NOWAIT));
}

TEST(no_more_memory_that_may_be_locked_is_an_error)
{
    if (TEST_ASAN || TEST_TSAN)
        SKIP("a sanitizer maps memory of its own");
    if (!in_a_child_or_not(run_out_of_lockable_memory))
        SKIP("memory may not be locked here, or not too much of it");
}

#define ITEM_LEN ((size_t)32 << 20)

static rlim_t address_space(void)
{
    size_t n_pages;
    FILE *statm = fopen("/proc/self/statm", "r");

    CHECK(statm != NULL);
    CHECK_EQ(fscanf(statm, "%zu", &n_pages), 1);
    fclose(statm);
    return (rlim_t)n_pages * plat_page();
}

static void run_out_of_addresses(void)
{
    chute_queue *q;
    void *item = calloc(1, ITEM_LEN);

    CHECK(item != NULL);
    CHECK_OK(chute_queue_new(&q, NULL));
    check_works(q);
    lower(RLIMIT_AS, address_space() + ITEM_LEN / 4);
    CHECK_ERR(chute_queue_put_bytes(q, item, ITEM_LEN, CHUTE_NOWAIT),
              CHUTE_ENOMEM);
    check_works(q);
    lower(RLIMIT_AS, RLIM_INFINITY);
    CHECK_OK(chute_queue_put_bytes(q, item, ITEM_LEN, CHUTE_NOWAIT));
}

/* A program is started with the limit, so it may fail for want of it. */
static void run_out_of_addresses_at_each_page(void)
{
    for (size_t i = 0; i < N_TRIES; i++) {
        rlim_t more = 0;
        int r;
        if (tries[i] == try_program)
            continue;
        CHECK_OK(tries[i]());
        rlim_t now = address_space();
        do {
            lower(RLIMIT_AS, now + more);
            r = tries[i]();
            CHECK(r == 0 || r == CHUTE_ENOMEM);
            more += plat_page();
        } while (r < 0 && more < 64 * sizeof large);
        lower(RLIMIT_AS, RLIM_INFINITY);
        CHECK_EQ(r, 0);
    }
}

TEST(no_more_addresses_is_an_error_and_the_rest_works)
{
    if (TEST_ASAN || TEST_TSAN)
        SKIP("a sanitizer takes all addresses there are");
    in_a_child(run_out_of_addresses);
    in_a_child(run_out_of_addresses_at_each_page);
}

/* -- a control group -------------------------------------------------------- */

/* Whoever asks for more than his group may have is killed by the kernel: no
 * error, but no SIGBUS either, and the others go on. */

static char group[100];

static bool write_to_group(const char *name, const char *text)
{
    char path[150];

    snprintf(path, sizeof path, "%s/%s", group, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) > 0;
    close(fd);
    return written;
}

/* Version 2, where the memory controller is there, or version 1. */
static bool make_group(void)
{
    static const char *const tops[] = {"/sys/fs/cgroup",
                                       "/sys/fs/cgroup/memory"};

    for (int i = 0; i < 2; i++) {
        snprintf(group, sizeof group, "%s/chute-limits-%ld", tops[i],
                 (long)getpid());
        if (mkdir(group, 0700) < 0)
            continue;
        if (write_to_group("memory.max", "16M") ||
            write_to_group("memory.limit_in_bytes", "16M"))
            return true;
        rmdir(group);
    }
    return false;
}

static int put_till_the_end(void *q)
{
    if (!write_to_group("cgroup.procs", "0"))
        return 77;
    for (int i = 0; i < 200; i++) {
        int r = chute_queue_put_bytes(q, large, sizeof large, CHUTE_NOWAIT);
        if (r < 0)
            return r == CHUTE_ENOMEM ? 1 : 2;
    }
    return 3;
}

TEST(a_control_group_that_has_no_more_memory_harms_nobody_else)
{
    chute_queue *q;
    chute_process *p;
    size_t n, len;

    if (!make_group())
        SKIP("no control group for memory can be made here");
    CHECK_OK(chute_queue_new(&q, NULL));
    CHECK_OK(chute_process_start(&p, put_till_the_end, q, NULL));
    int code = join(p);
    CHECK_OK(chute_queue_qsize(q, &n));
    for (size_t i = 0; i < n; i++)
        CHECK_OK(chute_queue_get_bytes(q, large, sizeof large, &len, 0));
    check_works(q);
    chute_queue_free(q);
    CHECK_EQ(rmdir(group), 0);
    if (code == 77)
        SKIP("no process can be put into a control group here");
    CHECK(code == -SIGKILL || code == 1);
    CHECK(n > 0);
}

/* -- no /proc --------------------------------------------------------------- */

static void do_without_proc(void)
{
    if (unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        umount2("/proc", MNT_DETACH) < 0)
        _exit(77);
    CHECK_OK(try_queue());
    CHECK_OK(try_pipe());
    CHECK_OK(try_process());
    CHECK_OK(try_handles());
    CHECK_ERR(try_named_queue(), CHUTE_ENOENT);
}

TEST(without_proc_all_but_names_works)
{
    if (!in_a_child_or_not(do_without_proc))
        SKIP("no file system may be unmounted here");
}

/* -- waiting ---------------------------------------------------------------- */

#define IDLE_S 10

/* What a process has used: how often it went to sleep, and for how long it ran. */
struct use {
    long n_sleeps;
    int64_t cpu_ns;
};

static struct use use_so_far(void)
{
    struct rusage use;

    CHECK_EQ(getrusage(RUSAGE_SELF, &use), 0);
    return (struct use){
        use.ru_nvcsw,
        CHUTE_SEC((int64_t)use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
            ((int64_t)use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1000};
}

/* Sleeps are counted, about one for each twentieth of a second: that is what
 * waiting costs, whatever else the machine does. The time says that nothing
 * else was done; its clock also counts what a busy host takes away, so a
 * hundredth of a core may pass here, where it is less than a thousandth. */
static void check_is_cheap(struct use since)
{
    struct use now = use_so_far();

    CHECK(now.n_sleeps - since.n_sleeps < 30 * IDLE_S);
    CHECK(now.cpu_ns - since.cpu_ns < CHUTE_SEC((int64_t)IDLE_S) / 100);
}

TEST_TIMEOUT(a_blocked_get_costs_next_to_nothing, 60)
{
    chute_queue *q;
    char c;
    size_t len;

    if (TEST_ASAN || TEST_TSAN)
        SKIP("a sanitizer costs more");
    CHECK_OK(chute_queue_new(&q, NULL));
    struct use since = use_so_far();
    CHECK_ERR(chute_queue_get_bytes(q, &c, 1, &len, CHUTE_SEC(IDLE_S)),
              CHUTE_ETIMEDOUT);
    check_is_cheap(since);
    chute_queue_free(q);
}

TEST_TIMEOUT(a_blocked_put_costs_next_to_nothing, 60)
{
    chute_queue *q;

    if (TEST_ASAN || TEST_TSAN)
        SKIP("a sanitizer costs more");
    CHECK_OK(
        chute_queue_new(&q, CHUTE_OPTIONS(chute_queue_options, .maxsize = 1)));
    CHECK_OK(chute_queue_put_bytes(q, "x", 1, CHUTE_NOWAIT));
    struct use since = use_so_far();
    CHECK_ERR(chute_queue_put_bytes(q, "y", 1, CHUTE_SEC(IDLE_S)),
              CHUTE_ETIMEDOUT);
    check_is_cheap(since);
    chute_queue_free(q);
}
