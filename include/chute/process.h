/* chute/process.h - start a process, wait for it, end it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHUTE_PROCESS_H
#define CHUTE_PROCESS_H

#include "chute/common.h"
#include "chute/conn.h"
#include "chute/queue.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct chute_process chute_process;

/* What the child does. The lowest 8 bits of its result are the exit code, as in
 * Python; where they are 0 though the result is negative (CHUTE_EOF is -4096)
 * the exit code is 1. */
typedef int chute_process_fn(void *arg);

struct chute_process_options {
    uint64_t size;           /* sizeof(struct chute_process_options) */
    uint64_t flags;          /* CHUTE_DAEMON */
    const char *name;        /* in ps(1), its first 15 bytes; NULL: unchanged */
    chute_conn *const *drop; /* ends the child frees at once; NULL-ended. Its
                                pointers to them are then of no use. */
};

/* Fork a child that runs fn(arg), flushes stdio and leaves by _exit(2), so that
 * the parent's atexit handlers do not run in it. The parent's stdio is flushed
 * first, so that nothing is printed twice. The child starts with every signal
 * at its default action and none blocked. If the call fails, fn did not run
 * and nothing is left behind.
 *
 * With CHUTE_DAEMON the child is killed (SIGKILL) when the parent ends, however
 * that comes about. The kernel ties this to the thread that made the call
 * (PR_SET_PDEATHSIG in prctl(2)): let that thread live as long as the parent.
 * Blocks: while another thread is inside a stdio call, for flushing waits for
 * every stream. A thread that sits in fgets(stdin) holds all starts up; let it
 * use read(2).
 * Conditions: CHUTE_EAGAIN (too many processes).
 * Errors: -ENOSYS, on Linux before 5.4, and under a valgrind that does not know
 * pidfd_open(2), as Debian 12's.
 * Threads: if the parent has others, fn may do only what fork(2) allows there;
 * every function of chute is among that. malloc and stdio may not be, where the C
 * library is not glibc, nor the locks of other libraries: chute_process_spawn is
 * the way to start children that is safe whatever the parent's threads do. */
CHUTE_API int chute_process_start(chute_process **ret_process,
                                  chute_process_fn *fn, void *arg,
                                  const struct chute_process_options *options);

/* -- a child from a program file ------------------------------------------- */

/* A handle for such a child, and the name by which it finds it (see
 * chute_handle_queue in handle.h): no space, no control character, no '='. A
 * queue that was opened by a name of its own is CHUTE_EINVAL: the child opens it
 * by that. */
struct chute_pass {
    const char *name;   /* NULL ends the list */
    chute_queue *queue; /* one of these; */
    chute_conn *conn;
    int fd; /* or, if both are NULL, this descriptor */
    int unused;
};

struct chute_spawn_options {
    uint64_t size;                 /* sizeof(struct chute_spawn_options) */
    uint64_t flags;                /* CHUTE_DAEMON */
    const struct chute_pass *pass; /* at most 64, ended by a NULL name */
    char *const *env;              /* NULL: the parent's environment */
    int stdin_fd;                  /* what the child has as 0, */
    int stdout_fd;                 /* 1 */
    int stderr_fd;                 /* and 2; 0: what the parent has as that */
    int unused;
};

/* Start a child that runs the program in the file `path`, with the arguments
 * argv, which a NULL ends. The file is not looked for in $PATH; NULL is the
 * program that calls. The child has the handles that are passed, standard input,
 * output and error, and no other descriptor of the parent's; every signal at
 * its default action and none blocked. If the program cannot be run, the error
 * is this call's (-ENOENT, CHUTE_EACCES, -ENOEXEC ...), and nothing is left.
 *
 * No code of the parent but this function's own runs in the child: no fork
 * handlers, no malloc, no stdio. So it is safe in a parent of many threads,
 * whatever they are doing, and takes as long for a large parent as for a small.
 * What is passed is shared with the child, as by a fork; a parent that does not
 * want to be counted as a holder of an end frees it afterwards.
 *
 * The child is a chute_process like any other: join, terminate, kill, and
 * CHUTE_DAEMON. Its chute_process_name is argv[0].
 * Blocks: until the system has loaded the program.
 * Conditions: CHUTE_EAGAIN (too many processes). */
CHUTE_API int chute_process_spawn(chute_process **ret_process, const char *path,
                                  char *const argv[],
                                  const struct chute_spawn_options *options);

/* -- both kinds ------------------------------------------------------------ */

/* Wait for the end. *ret_exitcode (may be NULL) is 0..255, or -N if signal N
 * made the end, as in Python. May be called again, and by several threads.
 * CHUTE_ECHILD: not the parent, or somebody else has waited for the child
 * (wait(2), or SIGCHLD ignored), so that its code is not to be had.
 * Blocks: until the child has ended.
 * Conditions: CHUTE_ETIMEDOUT. */
CHUTE_API int chute_process_join(chute_process *process, int *ret_exitcode,
                                 int64_t timeout_ns);

/* Send SIGTERM; send SIGKILL. Success if it has ended already; never hits
 * another process that was given its pid. */
CHUTE_API int chute_process_terminate(chute_process *process);
CHUTE_API int chute_process_kill(chute_process *process);

/* The process id, also after the end; any process may ask. */
CHUTE_API pid_t chute_process_pid(const chute_process *process);

/* The name that was given, or "". Borrowed: lives as long as the handle. */
CHUTE_API const char *chute_process_name(const chute_process *process);

/* A descriptor that polls readable when the child has ended: its pidfd.
 * Borrowed. */
CHUTE_API int chute_process_fd(chute_process *process);

/* Forget the child; NULL is fine. Neither waits nor kills: a child that still
 * runs goes on, and when it ends it stays a zombie until the parent ends or
 * waits for it by wait(2); one that has ended is reaped if join did not do it.
 * Always NULL.
 * Fork: a child frees its copy of the handle, which concerns nobody else. */
CHUTE_API chute_process *chute_process_free(chute_process *process);

#ifdef __cplusplus
}
#endif
#endif /* CHUTE_PROCESS_H */
