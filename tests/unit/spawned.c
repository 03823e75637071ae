/* spawned.c - a program that test-spawn starts: its first argument says what it
 * is to do with what it was passed. Exit code 77 and above say where it failed.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chute.h"

#define NEED(cond)                                                             \
    do                                                                         \
        if (!(cond)) {                                                         \
            fprintf(stderr, "spawned: line %d: %s\n", __LINE__, #cond);        \
            exit(77);                                                          \
        }                                                                      \
    while (0)

/* Take from the queue "jobs", and answer over the connection "out". */
static int work(void)
{
    chute_queue *jobs, *none = NULL;
    chute_conn *out;
    chute_value *v;
    int r;

    NEED(chute_handle_queue(&none, "nowhere", NULL) == CHUTE_ENOENT);
    NEED(chute_handle_queue(&none, "out", NULL) == CHUTE_ENOENT);
    NEED(chute_handle_queue(&none, "job", NULL) == CHUTE_ENOENT);
    NEED(chute_handle_queue(&jobs, "jobs", NULL) == 0);
    NEED(chute_handle_queue(&none, "jobs", NULL) == CHUTE_ENOENT && !none);
    NEED(chute_handle_conn(&out, "out", NULL) == 0);
    while ((r = chute_queue_get(jobs, &v, CHUTE_SEC(20))) == 0)
        NEED(chute_conn_send(out, v, CHUTE_SEC(20)) == 0);
    NEED(r == CHUTE_EOF);
    chute_conn_free(out);
    chute_queue_free(jobs);
    return 0;
}

/* Say what we are like, on standard output. */
static int report(void)
{
    sigset_t mask;
    struct sigaction action;
    int n_blocked = 0, n_ignored = 0, n_fds = 0;
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;

    NEED(dir && sigprocmask(SIG_SETMASK, NULL, &mask) == 0);
    for (int i = 1; i < NSIG; i++) {
        n_blocked += sigismember(&mask, i) == 1;
        if (sigaction(i, NULL, &action) == 0)
            n_ignored += action.sa_handler == SIG_IGN;
    }
    while ((entry = readdir(dir)))
        n_fds += entry->d_name[0] != '.' && atoi(entry->d_name) > 2 &&
                 atoi(entry->d_name) != dirfd(dir);
    closedir(dir);
    printf("%d blocked, %d ignored, %d above 2", n_blocked, n_ignored, n_fds);
    return 0;
}

/* A child inherits the variable, and has nothing by it. */
static int fork_and_look(void)
{
    chute_queue *queue;
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(chute_handle_queue(&queue, "jobs", NULL) == CHUTE_ENOENT ? 5 : 6);
    NEED(waitpid(pid, &status, 0) == pid);
    NEED(chute_handle_queue(&queue, "jobs", NULL) == 0);
    chute_queue_free(queue);
    return WEXITSTATUS(status);
}

static int copy_fd(void)
{
    char buf[64];
    int fd;

    NEED(chute_handle_fd(&fd, "in") == 0);
    ssize_t n = read(fd, buf, sizeof buf);
    NEED(n > 0 && write(1, buf, (size_t)n) == n);
    close(fd);
    NEED(chute_handle_fd(&fd, "in") == CHUTE_ENOENT);
    return 0;
}

static int put_for_ever(void)
{
    chute_queue *jobs;

    NEED(chute_handle_queue(&jobs, "jobs", NULL) == 0);
    for (;;)
        NEED(chute_queue_put(jobs, chute_int(1), CHUTE_SEC(20)) == 0);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "work") == 0)
        return work();
    if (strcmp(what, "report") == 0)
        return report();
    if (strcmp(what, "fork") == 0)
        return fork_and_look();
    if (strcmp(what, "copy") == 0)
        return copy_fd();
    if (strcmp(what, "put") == 0)
        return put_for_ever();
    if (strcmp(what, "sleep") == 0)
        for (;;)
            pause();
    if (strcmp(what, "env") == 0)
        return printf("%s", getenv("COLOUR") ? getenv("COLOUR") : "none") < 0;
    return strcmp(what, "code") == 0 && argc > 2 ? atoi(argv[2]) : 78;
}
