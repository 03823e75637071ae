/* test-process-fault.c - children: those that could not be started.
 *
 * Where start fails, for a wrong argument or a refusal of the system, nothing
 * of the child has run and nothing is left of it. Nor is anything left of many
 * that are started one after the other, or at once.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chute.h"
#include "plat/plat.h"
#include "process-scene.h"
#include "test.h"

/* -- refusals -------------------------------------------------------------- */

TEST(arguments_are_checked)
{
    chute_process *process = start(return_at_once, NULL);
    chute_process *none = NULL;

    CHECK_ERR(chute_process_start(NULL, return_at_once, NULL, NULL),
              CHUTE_EINVAL);
    CHECK_ERR(chute_process_start(&none, NULL, NULL, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_process_start(
                  &none, return_at_once, NULL,
                  CHUTE_OPTIONS(chute_process_options, .flags = CHUTE_ONEWAY)),
              CHUTE_EINVAL);
    CHECK_ERR(chute_process_start(&none, return_at_once, NULL,
                                  &(struct chute_process_options){.flags = 0}),
              CHUTE_EINVAL);
    CHECK(!none);
    CHECK_ERR(chute_process_join(NULL, NULL, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_process_join(process, NULL, -2), CHUTE_EINVAL);
    CHECK_ERR(chute_process_terminate(NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_process_kill(NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_process_pid(NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_process_fd(NULL), CHUTE_EINVAL);
    CHECK_STR(chute_process_name(NULL), "");
    CHECK(!chute_process_free(NULL));
    CHECK_EQ(join(process), 0);
    CHECK(!chute_process_free(process));
}

static bool *ran; /* shared */

static int say_that_it_ran(void *arg)
{
    (void)arg;
    *ran = true;
    return 0;
}

TEST(if_start_fails_nothing_ran_and_nothing_is_left)
{
    void *shared;

    CHECK_OK(plat_map(-1, 0, 4096, &shared));
    ran = shared;
    FAULT_LOOP (n) {
        chute_process *process = NULL;
        *ran = false;
        int r = chute_process_start(
            &process, say_that_it_ran, NULL,
            CHUTE_OPTIONS(chute_process_options, .name = "faulty"));
        if (r < 0) {
            CHECK(fault_fired());
            CHECK(!process);
            CHECK(!*ran);
            CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
            continue;
        }
        while (chute_process_join(process, NULL, CHUTE_FOREVER) < 0)
            CHECK(fault_fired());
        /* One who is killed at the gate counts as started; so does one who is
         * only said to have been. */
        CHECK(*ran ||
              (strcmp(fault_site(), "sendmsg") == 0 &&
               (fault_error() == EPIPE || fault_error() == ECONNRESET)));
        chute_process_free(process);
    }
    FAULT_LOOP_FROM (n) {
        chute_process *process = NULL;
        *ran = false;
        int r = chute_process_start(&process, say_that_it_ran, NULL, NULL);
        if (r < 0) {
            CHECK(!process && !*ran);
            CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
            continue;
        }
        CHECK_EQ(waitpid(chute_process_pid(process), NULL, 0),
                 chute_process_pid(process));
        chute_process_free(process);
    }
    plat_unmap(shared, 4096);
}

TEST(without_descriptors_nothing_ran_and_nothing_is_left)
{
    struct rlimit limit, small;
    void *shared;
    chute_process *process = NULL;
    int n_free = -1, r;

    CHECK_OK(plat_map(-1, 0, 4096, &shared));
    ran = shared;
    int first = dup(0); /* the lowest free number */
    CHECK(first >= 0);
    close(first);
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    do {
        n_free++;
        CHECK(n_free < 20);
        small = limit;
        small.rlim_cur = (rlim_t)(first + n_free);
        CHECK_OK(setrlimit(RLIMIT_NOFILE, &small));
        r = chute_process_start(&process, say_that_it_ran, NULL, NULL);
        if (r < 0) {
            CHECK_ERR(r, CHUTE_EMFILE);
            CHECK(!*ran);
            CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
        }
    } while (r < 0);
    CHECK(n_free >= 2);
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    CHECK_EQ(join(process), 0);
    CHECK(*ran);
    chute_process_free(process);
    plat_unmap(shared, 4096);
}

TEST(too_many_processes_is_eagain)
{
    /* In a process of its own, for it gives its rights away. */
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        chute_process *process = NULL;
        struct rlimit none = {0, 0};
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
            _exit(77);
        CHECK_OK(setrlimit(RLIMIT_NPROC, &none));
        CHECK_ERR(chute_process_start(&process, return_at_once, NULL, NULL),
                  CHUTE_EAGAIN);
        CHECK(!process);
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        SKIP("root has no limit");
    CHECK_EQ(status, 0);
}

TEST_TIMEOUT(three_hundred_starts_leave_nothing, 60)
{
    for (int i = 0; i < 300; i++) {
        chute_process *process =
            start(i % 3 ? return_at_once : sleep_for_ever, NULL);
        if (i % 3 == 0)
            CHECK_OK(chute_process_kill(process));
        CHECK_EQ(join(process), i % 3 ? 0 : -SIGKILL);
        chute_process_free(process);
    }
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
}

static void *start_and_join_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 25; i++) {
        int code = i;
        CHECK_EQ(run(give_code, &code), i);
    }
    return NULL;
}

TEST(threads_may_start_processes_at_once)
{
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        CHECK_OK(pthread_create(&threads[i], NULL, start_and_join_often, NULL));
    for (int i = 0; i < 4; i++)
        CHECK_OK(pthread_join(threads[i], NULL));
}
