/* child.h - the seam: processes.
 *
 * The conventions are plat.h's. A child is known by a descriptor (a pidfd), for
 * a number may belong to somebody else by the time it is used; the descriptor
 * stays with the process it was made for.
 */
#ifndef PLAT_CHILD_H
#define PLAT_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* -- in the parent --------------------------------------------------------- */

/* Keep every signal from the calling thread, and let them in again. */
void child_hold_signals(sigset_t *ret_before);
void child_let_signals(const sigset_t *before);

/* fork(2). 0 in the child; its pid in the parent. */
int child_fork(pid_t *ret_pid);

/* A program, and what it is to find. */
struct child_program {
    const char *path;
    char *const *argv;
    char *const *env;
    char *pid_text; /* in env: CHILD_PID_LEN digits to be filled in; or NULL */
    int stdio[3];   /* what it has as 0, 1, 2 */
    const int *fds; /* all of them above 2: it has these, */
    size_t n_fds;   /* and no others */
    bool follow;    /* child_follow_parent() */
};

#define CHILD_PID_LEN 10

/* Run it in a child, of which all signals have their default action and none is
 * blocked; the caller holds them. Errors of execve(2) are ours. The child's pid
 * and its descriptor, as of child_open. */
int child_spawn(const struct child_program *program, pid_t *ret_pid,
                int *ret_fd);

/* A descriptor for our own child, running or ended; no exec inherits it.
 * -ECHILD: no child of ours has that pid. */
int child_open(pid_t pid, int *ret_fd);

/* How a child ended: 0..255, or -N if signal N made the end. It is then reaped.
 * -EAGAIN: it still runs. -ECHILD: it has been reaped, or is not our child. */
int child_reap(int fd, int *ret_exitcode);

/* Reap a child that is about to end, by its pid. Waits. */
void child_bury(pid_t pid);

/* Send a signal. -ESRCH: the child has been reaped. */
int child_signal(int fd, int signal);

/* -- in the child ---------------------------------------------------------- */

/* Every signal to its default action; let all of them in. */
void child_default_signals(void);
void child_admit_signals(void);

/* Be killed when the thread that forked us ends. */
int child_follow_parent(void);

/* Whether `parent`, which forked us, has ended. False if that cannot be told,
 * because it is in another PID namespace. */
bool child_orphaned(pid_t parent);

/* What ps(1) shows: the first 15 bytes of name. */
void child_name(const char *name);

/* -- anybody --------------------------------------------------------------- */

/* When a process began, in a unit of the system's; 0 if it cannot be told. With
 * the pid it names the process: two of the same pid began at different times. */
uint64_t child_birth(pid_t pid);

/* Whether the process of that pid and birth still runs. A zombie does not. */
bool child_runs(pid_t pid, uint64_t birth);

#endif
