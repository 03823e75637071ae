/* test-queue-name.c - queues that unrelated programs find by their name.
 *
 * Each test has a directory of names to itself, and whatever is in it when the
 * test ends is a leftover that should not be there.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chute.h"
#include "queue-scene.h"
#include "shm/layout.h"
#include "test.h"

#define OPEN   NULL
#define CREATE CHUTE_OPTIONS(chute_queue_options, .flags = CHUTE_CREATE)
#define EXCLUSIVE                                                              \
    CHUTE_OPTIONS(chute_queue_options, .flags = CHUTE_CREATE | CHUTE_EXCLUSIVE)

static char dir[] = "/dev/shm/test-name-XXXXXX";

static void dir_begin(void)
{
    CHECK(mkdtemp(dir));
    CHECK_EQ(setenv("CHUTE_DIR", dir, 1), 0);
}

/* Take away what the test has left on purpose; nothing else may be there. */
static void dir_end(void)
{
    CHECK_EQ(rmdir(dir), 0);
}

static const char *path_of(const char *name)
{
    static char path[300];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static chute_queue *opened(const char *name,
                           const struct chute_queue_options *options)
{
    chute_queue *q;

    CHECK_OK(chute_queue_open(&q, name, options));
    return q;
}

static int open_result(const char *name,
                       const struct chute_queue_options *options)
{
    chute_queue *q;
    int r = chute_queue_open(&q, name, options);

    if (r == 0)
        chute_queue_free(q);
    return r;
}

/* -- meeting ---------------------------------------------------------------- */

TEST(what_one_puts_the_other_gets)
{
    dir_begin();
    chute_queue *a = opened("jobs", CREATE), *b = opened("jobs", OPEN);
    CHECK_OK(put_int(a, 1, CHUTE_NOWAIT));
    CHECK_OK(put_int(a, 2, CHUTE_NOWAIT));
    CHECK_EQ(get_int(b, CHUTE_NOWAIT), 1);
    CHECK_EQ(qsize(a), 1);
    chute_queue_free(a);
    CHECK_EQ(get_int(b, CHUTE_NOWAIT), 2);
    chute_queue_free(b);
    CHECK_OK(chute_queue_unlink("jobs"));
    dir_end();
}

TEST(what_is_in_it_outlives_all_its_users)
{
    dir_begin();
    chute_queue *q = opened("jobs", CREATE);
    /* More than the first region holds: the next user has to find the chain. */
    for (int i = 0; i < 30000; i++)
        CHECK_OK(put_int(q, i, CHUTE_NOWAIT));
    chute_queue_free(q);
    q = opened("jobs", OPEN);
    CHECK_EQ(qsize(q), 30000);
    for (int i = 0; i < 30000; i++)
        CHECK_EQ(get_int(q, CHUTE_NOWAIT), i);
    chute_queue_free(q);
    CHECK_OK(chute_queue_unlink("jobs"));
    dir_end();
}

TEST(a_closed_queue_stays_closed)
{
    dir_begin();
    chute_queue *q = opened("jobs", CREATE);
    CHECK_OK(put_int(q, 7, CHUTE_NOWAIT));
    CHECK_OK(chute_queue_close(q));
    chute_queue_free(q);
    q = opened("jobs", CREATE);
    CHECK_ERR(put_int(q, 8, CHUTE_NOWAIT), CHUTE_ECLOSED);
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 7);
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), CHUTE_EOF);
    chute_queue_free(q);
    CHECK_OK(chute_queue_unlink("jobs"));
    dir_end();
}

TEST(the_maker_decides_the_limits)
{
    dir_begin();
    chute_queue *a =
        opened("two", CHUTE_OPTIONS(chute_queue_options, .flags = CHUTE_CREATE,
                                    .maxsize = 2));
    chute_queue *b =
        opened("two", CHUTE_OPTIONS(chute_queue_options, .flags = CHUTE_CREATE,
                                    .maxsize = 5));
    CHECK_OK(put_int(b, 1, CHUTE_NOWAIT));
    CHECK_OK(put_int(b, 2, CHUTE_NOWAIT));
    CHECK_EQ(chute_queue_full(b), 1);
    CHECK_ERR(put_int(b, 3, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    chute_queue_free(a);
    chute_queue_free(b);
    CHECK_OK(chute_queue_unlink("two"));
    dir_end();
}

TEST(a_process_killed_in_there_leaves_it_usable)
{
    dir_begin();
    chute_queue *q = opened("jobs", CREATE);
    for (int i = 0; i < 50; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            chute_queue *own = opened("jobs", OPEN);
            for (int k = 0;; k++)
                if (put_int(own, k, CHUTE_FOREVER) < 0)
                    _exit(1);
        }
        int64_t first = get_int(q, CHUTE_SEC(10));
        CHECK_EQ(kill(pid, SIGKILL), 0);
        CHECK_EQ(waitpid(pid, NULL, 0), pid);
        CHECK_EQ(first, 0);
        for (int64_t k = 1; qsize(q) > 0; k++)
            CHECK_EQ(get_int(q, CHUTE_NOWAIT), k);
    }
    chute_queue_free(q);
    CHECK_OK(chute_queue_unlink("jobs"));
    dir_end();
}

/* -- there or not ----------------------------------------------------------- */

TEST(a_name_that_nothing_has_is_enoent)
{
    dir_begin();
    CHECK_ERR(open_result("jobs", OPEN), CHUTE_ENOENT);
    CHECK_ERR(chute_queue_unlink("jobs"), CHUTE_ENOENT);
    dir_end();
}

TEST(exclusive_makes_it_or_says_that_it_is_there)
{
    dir_begin();
    CHECK_OK(open_result("jobs", EXCLUSIVE));
    CHECK_ERR(open_result("jobs", EXCLUSIVE), CHUTE_EEXIST);
    CHECK_OK(open_result("jobs", CREATE));
    CHECK_OK(chute_queue_unlink("jobs"));
    dir_end();
}

TEST(who_has_it_open_goes_on_when_it_is_unlinked)
{
    dir_begin();
    chute_queue *old = opened("jobs", CREATE);
    CHECK_EQ(stat_of(old).unlinked, 0);
    CHECK_OK(chute_queue_unlink("jobs"));
    CHECK_EQ(stat_of(old).unlinked, 1);
    CHECK_OK(put_int(old, 1, CHUTE_NOWAIT));

    chute_queue *new = opened("jobs", CREATE);
    CHECK_EQ(qsize(new), 0);
    CHECK_EQ(get_int(old, CHUTE_NOWAIT), 1);
    chute_queue_free(old);
    chute_queue_free(new);
    CHECK_OK(chute_queue_unlink("jobs"));
    dir_end();
}

TEST(a_nameless_queue_has_no_name_to_lose)
{
    chute_queue *q = queue_new(0, 0);

    CHECK_EQ(stat_of(q).unlinked, 0);
    chute_queue_free(q);
}

TEST(it_does_not_travel_as_a_handle)
{
    chute_conn *end[2];

    dir_begin();
    chute_queue *q = opened("jobs", CREATE);
    CHECK_OK(chute_pipe(end, NULL));
    CHECK_ERR(chute_conn_send_queue(end[0], q, CHUTE_NOWAIT), CHUTE_EINVAL);
    const struct chute_pass pass[] = {{.name = "jobs", .queue = q}, {0}};
    char *argv[] = {"true", NULL};
    chute_process *none = NULL;
    CHECK_ERR(
        chute_process_spawn(&none, "/bin/true", argv,
                            CHUTE_OPTIONS(chute_spawn_options, .pass = pass)),
        CHUTE_EINVAL);
    chute_conn_free(end[0]);
    chute_conn_free(end[1]);
    chute_queue_free(q);
    CHECK_OK(chute_queue_unlink("jobs"));
    dir_end();
}

/* -- names and directories -------------------------------------------------- */

TEST(a_name_has_up_to_200_plain_letters)
{
    char name[202];

    dir_begin();
    memset(name, 'n', sizeof name);
    name[201] = '\0';
    CHECK_ERR(open_result(name, CREATE), CHUTE_EINVAL);
    name[200] = '\0';
    CHECK_OK(open_result(name, CREATE));
    CHECK_OK(chute_queue_unlink(name));
    static const char *const bad[] = {"",    ".",    "..",  ".hidden", "a/b",
                                      "a b", "\xc3", "a\n", "/jobs"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_ERR(open_result(bad[i], CREATE), CHUTE_EINVAL);
        CHECK_ERR(chute_queue_unlink(bad[i]), CHUTE_EINVAL);
    }
    CHECK_ERR(open_result(NULL, CREATE), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_unlink(NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_open(NULL, "jobs", CREATE), CHUTE_EINVAL);
    dir_end();
}

TEST(options_that_make_no_sense_are_refused)
{
    chute_queue *q;

    dir_begin();
    CHECK_ERR(open_result("jobs", CHUTE_OPTIONS(chute_queue_options,
                                                .flags = CHUTE_EXCLUSIVE)),
              CHUTE_EINVAL);
    CHECK_ERR(
        open_result("jobs", CHUTE_OPTIONS(chute_queue_options,
                                          .flags = CHUTE_CREATE, .mode = 0777)),
        CHUTE_EINVAL);
    CHECK_ERR(open_result("jobs", CHUTE_OPTIONS(chute_queue_options,
                                                .flags = CHUTE_ONEWAY)),
              CHUTE_EINVAL);
    CHECK_ERR(chute_queue_new(&q, CREATE), CHUTE_EINVAL);
    CHECK_ERR(
        chute_queue_new(&q, CHUTE_OPTIONS(chute_queue_options, .mode = 0600)),
        CHUTE_EINVAL);
    dir_end();
}

TEST(the_mode_is_what_was_asked_for_whatever_the_umask)
{
    struct stat st;

    dir_begin();
    umask(077);
    CHECK_OK(open_result("ours",
                         CHUTE_OPTIONS(chute_queue_options,
                                       .flags = CHUTE_CREATE, .mode = 0660)));
    CHECK_OK(open_result("mine", CREATE));
    CHECK_EQ(stat(path_of("ours"), &st), 0);
    CHECK_EQ(st.st_mode & 07777, 0660);
    CHECK_EQ(stat(path_of("mine"), &st), 0);
    CHECK_EQ(st.st_mode & 07777, 0600);
    CHECK_OK(chute_queue_unlink("ours"));
    CHECK_OK(chute_queue_unlink("mine"));
    dir_end();
}

TEST(a_directory_that_others_may_write_is_refused)
{
    dir_begin();
    CHECK_EQ(chmod(dir, 0777), 0);
    CHECK_ERR(open_result("jobs", CREATE), CHUTE_EACCES);
    CHECK_EQ(chmod(dir, 0770), 0);
    CHECK_OK(open_result("jobs", CREATE));
    CHECK_OK(chute_queue_unlink("jobs"));
    dir_end();
}

TEST(a_directory_that_is_none_is_refused)
{
    char link[64];

    dir_begin();
    snprintf(link, sizeof link, "%s-link", dir);
    CHECK_EQ(symlink(dir, link), 0);
    CHECK_EQ(setenv("CHUTE_DIR", link, 1), 0);
    CHECK_ERR(open_result("jobs", CREATE), -ENOTDIR);
    CHECK_EQ(unlink(link), 0);
    CHECK_ERR(open_result("jobs", CREATE), CHUTE_ENOENT);
    CHECK_EQ(setenv("CHUTE_DIR", "/dev/null", 1), 0);
    CHECK_ERR(open_result("jobs", CREATE), -ENOTDIR);
    dir_end();
}

TEST(without_chute_dir_it_is_one_of_the_users_own)
{
    struct stat st;
    char own[64], name[64];

    CHECK_EQ(unsetenv("CHUTE_DIR"), 0);
    snprintf(own, sizeof own, "/dev/shm/chute-%lu", (unsigned long)geteuid());
    snprintf(name, sizeof name, "test-%ld", (long)getpid());
    CHECK_OK(open_result(name, CREATE));
    CHECK_EQ(lstat(own, &st), 0);
    CHECK(S_ISDIR(st.st_mode));
    CHECK_EQ(st.st_mode & 07777, 0700);
    CHECK_OK(chute_queue_unlink(name));
    (void)rmdir(own);
}

/* -- files that are no queues ----------------------------------------------- */

static void write_file(const char *name, const void *data, size_t len)
{
    int fd = open(path_of(name), O_CREAT | O_WRONLY | O_TRUNC, 0600);

    CHECK(fd >= 0);
    CHECK_EQ(write(fd, data, len), len);
    close(fd);
}

TEST(a_file_that_is_no_queue_has_a_named_error)
{
    static const char zeros[8192];

    dir_begin();
    write_file("empty", "", 0);
    CHECK_ERR(open_result("empty", CREATE), CHUTE_ECORRUPT);
    write_file("zeros", zeros, sizeof zeros);
    CHECK_ERR(open_result("zeros", CREATE), CHUTE_ECORRUPT);
    CHECK_EQ(mkfifo(path_of("fifo"), 0600), 0);
    CHECK_ERR(open_result("fifo", CREATE), CHUTE_EINVAL);
    CHECK_EQ(mkdir(path_of("dir"), 0700), 0);
    CHECK_ERR(open_result("dir", CREATE), CHUTE_EINVAL);
    CHECK_EQ(symlink("zeros", path_of("link")), 0);
    CHECK_ERR(open_result("link", CREATE), CHUTE_EINVAL);

    CHECK_EQ(rmdir(path_of("dir")), 0);
    CHECK_OK(chute_queue_unlink("empty"));
    CHECK_OK(chute_queue_unlink("zeros"));
    CHECK_OK(chute_queue_unlink("fifo"));
    CHECK_OK(chute_queue_unlink("link"));
    dir_end();
}

/* Change a 64-bit field of the queue's header in its file. */
static void set_field(const char *name, size_t offset, uint64_t value)
{
    int fd = open(path_of(name), O_WRONLY);

    CHECK(fd >= 0);
    CHECK_EQ(pwrite(fd, &value, sizeof value, (off_t)offset), sizeof value);
    close(fd);
}

TEST(another_layout_or_namespace_is_told_apart_from_garbage)
{
    dir_begin();
    CHECK_OK(open_result("jobs", CREATE));
    set_field("jobs", offsetof(struct shm_label, layout), 1);
    CHECK_ERR(open_result("jobs", OPEN), CHUTE_ELAYOUT);
    CHECK_OK(chute_queue_unlink_broken("jobs"));

    CHECK_OK(open_result("jobs", CREATE));
    set_field("jobs", offsetof(struct shm_label, pid_namespace), 1);
    CHECK_ERR(open_result("jobs", OPEN), CHUTE_ENAMESPACE);
    CHECK_ERR(chute_queue_unlink_broken("jobs"), CHUTE_ENAMESPACE);
    CHECK_OK(chute_queue_unlink("jobs"));

    CHECK_OK(open_result("jobs", CREATE));
    set_field("jobs", offsetof(struct shm_queue, maxsize), UINT64_MAX);
    CHECK_ERR(open_result("jobs", OPEN), CHUTE_ECORRUPT);
    CHECK_OK(chute_queue_unlink("jobs"));
    dir_end();
}

TEST(a_file_cut_short_is_corrupt)
{
    dir_begin();
    chute_queue *q = opened("jobs", CREATE);
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    chute_queue_free(q);
    CHECK_EQ(truncate(path_of("jobs"), 100), 0);
    CHECK_ERR(open_result("jobs", OPEN), CHUTE_ECORRUPT);
    /* Header whole, first region gone: seen when it is to be mapped. */
    CHECK_OK(chute_queue_unlink("jobs"));
    q = opened("jobs", CREATE);
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    chute_queue_free(q);
    CHECK_EQ(truncate(path_of("jobs"), 65536), 0);
    q = opened("jobs", OPEN);
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), CHUTE_ECORRUPT);
    CHECK_ERR(put_int(q, 1, CHUTE_NOWAIT), CHUTE_ECORRUPT);
    chute_queue_free(q);
    CHECK_OK(chute_queue_unlink("jobs"));
    dir_end();
}

TEST(the_file_of_another_user_is_refused)
{
    if (geteuid() != 0)
        SKIP("only root can make such a file");
    dir_begin();
    CHECK_OK(open_result("jobs", CREATE));
    CHECK_EQ(chown(path_of("jobs"), 4242, 4242), 0);
    CHECK_ERR(open_result("jobs", OPEN), CHUTE_EACCES);
    CHECK_OK(chute_queue_unlink("jobs"));
    dir_end();
}

TEST(the_directory_of_another_user_is_refused)
{
    if (geteuid() != 0)
        SKIP("only root can make such a directory");
    dir_begin();
    CHECK_EQ(chown(dir, 4242, 4242), 0);
    CHECK_ERR(open_result("jobs", CREATE), CHUTE_EACCES);
    CHECK_ERR(chute_queue_unlink("jobs"), CHUTE_EACCES);
    dir_end();
}

/* A file system of 1 MiB at that place, seen by this process alone. */
static bool mount_small(const char *at)
{
    return unshare(CLONE_NEWNS) == 0 &&
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", at, "tmpfs", 0, "size=1m,mode=0700") == 0;
}

TEST(the_users_own_directory_is_for_nobody_else)
{
    char own[64];

    if (geteuid() != 0 || !mount_small("/dev/shm"))
        SKIP("only root can have another /dev/shm");
    CHECK_EQ(setenv("CHUTE_DIR", "", 1), 0);
    snprintf(own, sizeof own, "/dev/shm/chute-%d", (int)geteuid());
    CHECK_OK(open_result("jobs", CREATE));
    CHECK_EQ(chmod(own, 0750), 0);
    CHECK_ERR(open_result("jobs", OPEN), CHUTE_EACCES);
    CHECK_EQ(chmod(own, 0700), 0);
    CHECK_OK(open_result("jobs", OPEN));
    CHECK_EQ(chown(own, 4242, 4242), 0);
    CHECK_ERR(open_result("jobs", OPEN), CHUTE_EACCES);
    CHECK_EQ(umount("/dev/shm"), 0);
}

TEST(a_group_may_share_a_directory)
{
    if (geteuid() != 0)
        SKIP("only root can make such a file");
    dir_begin();
    CHECK_EQ(chown(dir, 0, 4242), 0);
    CHECK_EQ(chmod(dir, 02770), 0);
    CHECK_OK(open_result("jobs",
                         CHUTE_OPTIONS(chute_queue_options,
                                       .flags = CHUTE_CREATE, .mode = 0660)));
    CHECK_EQ(chown(path_of("jobs"), 4243, 4242), 0);
    CHECK_OK(open_result("jobs", OPEN));
    CHECK_OK(chute_queue_unlink("jobs"));
    dir_end();
}

/* -- shortage --------------------------------------------------------------- */

/* Take what room is left. */
static void fill_up(void)
{
    static const char page[4096];
    int fd = open(path_of("filler"), O_CREAT | O_WRONLY, 0600);

    CHECK(fd >= 0);
    while (write(fd, page, sizeof page) > 0)
        continue;
    close(fd);
}

TEST(a_full_file_system_is_enospc_and_the_queue_goes_on)
{
    static char data[65536];
    size_t len;
    int n = 0, r;

    dir_begin();
    if (!mount_small(dir)) {
        CHECK_EQ(rmdir(dir), 0);
        SKIP("no tmpfs may be mounted here");
    }
    chute_queue *q = opened("jobs", CREATE);
    while ((r = chute_queue_put_bytes(q, data, sizeof data, CHUTE_NOWAIT)) == 0)
        n++;
    CHECK_ERR(r, CHUTE_ENOSPC);
    CHECK(n > 2);
    fill_up();
    CHECK_ERR(open_result("other", CREATE), CHUTE_ENOSPC);
    CHECK_ERR(open_result("other", OPEN), CHUTE_ENOENT);
    for (int i = 0; i < n; i++)
        CHECK_OK(chute_queue_get_bytes(q, data, sizeof data, &len, 0));
    CHECK_OK(chute_queue_put_bytes(q, data, 8, CHUTE_NOWAIT));
    chute_queue_free(q);
    CHECK_EQ(umount(dir), 0);
    dir_end();
}

TEST(if_opening_fails_nothing_is_left)
{
    dir_begin();
    FAULT_LOOP (n) {
        chute_queue *q;
        int r = chute_queue_open(&q, "jobs", CREATE);
        if (r == 0) {
            r = chute_queue_unlink("jobs");
            chute_queue_free(q);
        }
        if (r < 0)
            (void)unlink(path_of("jobs"));
    }
    FAULT_LOOP (n) {
        CHECK_EQ(access(path_of("jobs"), F_OK), -1);
        if (open_result("jobs", EXCLUSIVE) == 0)
            CHECK_EQ(unlink(path_of("jobs")), 0);
    }
    dir_end();
}

/* -- cleaning up and listing ------------------------------------------------ */

/* In place of the C library's: the library calls it between opening a file and
 * looking whether that has a name still. */
static const char *unlink_first;

int flock(int fd, int operation)
{
    if (unlink_first)
        CHECK_EQ(unlink(unlink_first), 0);
    unlink_first = NULL;
    return (int)syscall(SYS_flock, fd, operation);
}

TEST(a_queue_whose_name_goes_while_it_is_opened_is_made_anew)
{
    dir_begin();
    chute_queue_free(opened("jobs", CREATE));
    unlink_first = path_of("jobs");
    CHECK_ERR(open_result("jobs", OPEN), CHUTE_ENOENT);
    chute_queue_free(opened("jobs", CREATE));
    unlink_first = path_of("jobs");
    chute_queue *q = opened("jobs", CREATE);
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    chute_queue *other = opened("jobs", OPEN);
    CHECK_EQ(get_int(other, CHUTE_NOWAIT), 1);
    chute_queue_free(other);
    chute_queue_free(q);
    CHECK_OK(chute_queue_unlink("jobs"));
    dir_end();
}

TEST(only_a_queue_that_nobody_has_open_is_unused)
{
    dir_begin();
    chute_queue *q = opened("jobs", CREATE);
    CHECK_ERR(chute_queue_unlink_unused("jobs", 1), CHUTE_EBUSY);
    chute_queue *other = opened("jobs", OPEN);
    chute_queue_free(q);
    CHECK_ERR(chute_queue_unlink_unused("jobs", 1), CHUTE_EBUSY);
    chute_queue_free(other);
    CHECK_OK(chute_queue_unlink_unused("jobs", 0));
    CHECK_ERR(chute_queue_unlink_unused("jobs", 0), CHUTE_ENOENT);
    dir_end();
}

TEST(a_queue_with_items_is_cleared_away_only_on_demand)
{
    dir_begin();
    chute_queue *q = opened("jobs", CREATE);
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    chute_queue_free(q);
    CHECK_ERR(chute_queue_unlink_unused("jobs", 0), CHUTE_ENOTEMPTY);
    CHECK_OK(open_result("jobs", OPEN));
    CHECK_OK(chute_queue_unlink_unused("jobs", 1));
    dir_end();
}

TEST(a_child_that_inherited_it_has_it_open_until_it_dies)
{
    dir_begin();
    chute_queue *q = opened("jobs", CREATE);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        for (;;)
            pause();
    chute_queue_free(q);
    CHECK_ERR(chute_queue_unlink_unused("jobs", 0), CHUTE_EBUSY);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    CHECK_OK(chute_queue_unlink_unused("jobs", 0));
    dir_end();
}

TEST(what_is_no_queue_is_not_cleared_away)
{
    dir_begin();
    int fd = open(path_of("other"), O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0);
    CHECK_EQ(close(fd), 0);
    CHECK_ERR(chute_queue_unlink_unused("other", 1), CHUTE_ECORRUPT);
    CHECK_EQ(unlink(path_of("other")), 0);
    dir_end();
}

static void write_garbage(const char *name)
{
    int fd = open(path_of(name), O_CREAT | O_EXCL | O_WRONLY, 0600);

    if (fd < 0)
        return; /* the name is taken, perhaps by a queue */
    CHECK_EQ(write(fd, "garbage", 7), 7);
    CHECK_EQ(close(fd), 0);
}

TEST(only_what_is_no_queue_and_not_open_is_broken)
{
    dir_begin();
    CHECK_ERR(chute_queue_unlink_broken("jobs"), CHUTE_ENOENT);
    CHECK_ERR(chute_queue_unlink_broken(NULL), CHUTE_EINVAL);
    write_garbage("jobs");
    int fd = open(path_of("jobs"), O_RDONLY);
    CHECK_EQ(flock(fd, LOCK_SH), 0); /* as a chute of any version has it open */
    CHECK_ERR(chute_queue_unlink_broken("jobs"), CHUTE_EBUSY);
    CHECK_EQ(close(fd), 0);
    CHECK_OK(chute_queue_unlink_broken("jobs"));
    chute_queue *q = opened("jobs", CREATE);
    CHECK_ERR(chute_queue_unlink_broken("jobs"), CHUTE_EBUSY);
    chute_queue_free(q);
    CHECK_ERR(chute_queue_unlink_broken("jobs"), CHUTE_EEXIST);
    CHECK_OK(chute_queue_unlink("jobs"));
    CHECK_EQ(mkdir(path_of("jobs"), 0700), 0);
    CHECK_ERR(chute_queue_unlink_broken("jobs"), CHUTE_EINVAL);
    CHECK_EQ(rmdir(path_of("jobs")), 0);
    dir_end();
}

/* Else what was looked at need not be what loses its name. */
TEST(names_are_taken_away_one_at_a_time)
{
    dir_begin();
    CHECK_OK(open_result("jobs", CREATE));
    write_garbage("other");
    int fd = open(dir, O_RDONLY | O_DIRECTORY);
    CHECK_EQ(flock(fd, LOCK_EX), 0); /* somebody is at it, and does not end */
    CHECK_ERR(chute_queue_unlink("jobs"), CHUTE_EAGAIN);
    CHECK_ERR(chute_queue_unlink_unused("jobs", 1), CHUTE_EAGAIN);
    CHECK_ERR(chute_queue_unlink_broken("other"), CHUTE_EAGAIN);
    CHECK_OK(open_result("jobs", OPEN));
    CHECK_EQ(close(fd), 0);
    CHECK_OK(chute_queue_unlink_unused("jobs", 1));
    CHECK_OK(chute_queue_unlink_broken("other"));
    dir_end();
}

/* Make garbage, and clear it away, for ever. */
_Noreturn static void spoil_and_clear(void)
{
    for (;;) {
        write_garbage("jobs");
        int r = chute_queue_unlink_broken("jobs");
        CHECK(r == 0 || r == CHUTE_ENOENT || r == CHUTE_EBUSY ||
              r == CHUTE_EEXIST || r == CHUTE_EAGAIN);
        sched_yield();
    }
}

/* Two see the same garbage; one takes it away, a queue is made, and the other
 * must not take that for it. */
TEST_TIMEOUT(clearing_away_what_is_broken_takes_no_queue_along, 120)
{
    enum { N_CLEARERS = 2, N_QUEUES = TEST_ASAN || TEST_TSAN ? 50 : 200 };
    struct chute_queue_stats stats = {.size = sizeof stats};
    pid_t pids[N_CLEARERS];

    dir_begin();
    for (int i = 0; i < N_CLEARERS; i++) {
        pids[i] = fork();
        CHECK(pids[i] >= 0);
        if (pids[i] == 0)
            spoil_and_clear();
    }
    for (int n = 0; n < N_QUEUES;) {
        chute_queue *q;
        int r = chute_queue_open(&q, "jobs", EXCLUSIVE);
        if (r < 0) {
            CHECK(r == CHUTE_EEXIST || r == CHUTE_EAGAIN);
            continue;
        }
        sched_yield();
        CHECK_OK(chute_queue_stat(q, &stats));
        CHECK_EQ(stats.unlinked, 0);
        chute_queue_free(q);
        sched_yield();
        while ((r = chute_queue_unlink("jobs")) == CHUTE_EAGAIN)
            continue; /* the others are at the directory all the time */
        CHECK_OK(r);  /* it is still there */
        n++;
    }
    for (int i = 0; i < N_CLEARERS; i++) {
        CHECK_EQ(kill(pids[i], SIGKILL), 0);
        CHECK_EQ(waitpid(pids[i], NULL, 0), pids[i]);
    }
    (void)unlink(path_of("jobs"));
    dir_end();
}

TEST(names_are_listed_in_order_and_only_those_that_are_names)
{
    chute_value *names, *expected;

    dir_begin();
    CHECK_OK(chute_queue_list(&names));
    CHECK_EQ(chute_value_len(names), 0);
    chute_value_free(names);
    CHECK_OK(open_result("b", CREATE));
    CHECK_OK(open_result("a.1", CREATE));
    CHECK_OK(open_result("B", CREATE));
    CHECK_EQ(close(open(path_of("no name"), O_CREAT | O_WRONLY, 0600)), 0);
    CHECK_OK(chute_queue_list(&names));
    expected = chute_list(chute_str("B"), chute_str("a.1"), chute_str("b"));
    CHECK_EQ(chute_value_equal(names, expected), 1);
    chute_value_free(names);
    chute_value_free(expected);
    CHECK_EQ(unlink(path_of("no name")), 0);
    CHECK_OK(chute_queue_unlink("b"));
    CHECK_OK(chute_queue_unlink("a.1"));
    CHECK_OK(chute_queue_unlink("B"));
    dir_end();
}

TEST(a_hundred_names_are_listed)
{
    chute_value *names;
    char name[16];

    dir_begin();
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "q%d", i);
        CHECK_OK(open_result(name, CREATE));
    }
    CHECK_OK(chute_queue_list(&names));
    CHECK_EQ(chute_value_len(names), 100);
    for (size_t i = 0; i < 100; i++)
        CHECK_OK(chute_queue_unlink(chute_value_str(chute_value_at(names, i))));
    chute_value_free(names);
    dir_end();
}

TEST(if_cleaning_up_or_listing_fails_nothing_is_left)
{
    chute_value *names;

    dir_begin();
    CHECK_OK(open_result("jobs", CREATE));
    FAULT_LOOP (n) {
        if (chute_queue_list(&names) < 0) {
            CHECK(fault_fired());
            continue;
        }
        CHECK_EQ(chute_value_len(names), 1);
        chute_value_free(names);
    }
    FAULT_LOOP (n) {
        int r = open_result("jobs", CREATE);
        if (r == 0)
            r = chute_queue_unlink_unused("jobs", 0);
        if (r < 0) {
            CHECK(fault_fired());
            (void)unlink(path_of("jobs"));
        }
    }
    CHECK_ERR(chute_queue_list(NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_unlink_unused(NULL, 0), CHUTE_EINVAL);
    dir_end();
}

/* -- races ------------------------------------------------------------------ */

#define N_RACERS 8
#define N_ROUNDS (TEST_ASAN || TEST_TSAN ? 500 : 2500)

/* Each opens, makes and unlinks as it comes; a queue that opens can be used. */
_Noreturn static void race(unsigned seed)
{
    for (int i = 0; i < N_ROUNDS; i++) {
        seed = seed * 1103515245 + 12345;
        unsigned what = (seed >> 16) % 5;
        chute_queue *q;
        int r = what == 0   ? chute_queue_unlink("jobs")
                : what == 4 ? chute_queue_unlink_unused("jobs", 1)
                : what == 1 ? chute_queue_open(&q, "jobs", OPEN)
                : what == 2 ? chute_queue_open(&q, "jobs", EXCLUSIVE)
                            : chute_queue_open(&q, "jobs", CREATE);
        if (r == 0 && what >= 1 && what <= 3) {
            int64_t got;
            CHECK_OK(put_int(q, i, CHUTE_SEC(5)));
            got = get_int(q, CHUTE_SEC(5));
            CHECK(got >= 0);
            chute_queue_free(q);
        } else if (r < 0) {
            CHECK(what == 2   ? r == CHUTE_EEXIST
                  : what == 4 ? r == CHUTE_ENOENT || r == CHUTE_EBUSY
                              : what < 2 && r == CHUTE_ENOENT);
        }
    }
    _exit(0);
}

TEST_TIMEOUT(eight_who_make_open_and_unlink_at_once_leave_nothing, 120)
{
    int status;

    dir_begin();
    for (unsigned i = 0; i < N_RACERS; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
            race(i + 1);
    }
    for (int i = 0; i < N_RACERS; i++) {
        CHECK(wait(&status) > 0);
        CHECK_EQ(status, 0);
    }
    int r = chute_queue_unlink("jobs");
    CHECK(r == 0 || r == CHUTE_ENOENT);
    dir_end();
}
