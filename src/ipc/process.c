/* process.c - start a child, wait for it, end it.
 *
 * Starting is a bargain of four steps, so that whatever fails, fn did not run:
 *
 *     parent                              child
 *     1 gate: a pair of sockets
 *     2 fork ---------------------------> signals default, tied to the parent
 *     3 pidfd, seen to be our child       waits at the gate
 *     4 GO -----------------------------> name, drop, mask, fn(arg)
 *       (or: the gate shut, and buried)   (or: leaves)
 *
 * The descriptors of step 1 are made before there is a child, the only thing
 * left to fail afterwards is the pidfd, and the child is then still at the
 * gate, where shutting it is enough. A child whose parent dies at this time
 * sees the end of the stream as well, unless a fork in another thread of the
 * parent has given some sibling a copy of it; so now and then it also looks
 * whose child it is.
 *
 * Signals are held from before the fork until the child has its defaults: no
 * handler of the parent ever runs in the child, and a signal sent to the child
 * meanwhile (chute_process_terminate, at once) waits, and then does what it
 * does by default.
 *
 * A pid is a number that the system may give to another process; so all that
 * happens to a child afterwards goes by its pidfd, which names this child for
 * as long as it is open. Where clone3(2) would give both at once, child-linux.c
 * says why fork(3) is used.
 *
 * Who reaps: join, or free if the child has ended by then. Threads may join at
 * the same time: waiting is done on the pidfd by as many as like, the reaping
 * under a mutex, and the exit code is kept for the others and for later. Each
 * of them polls, and only then asks; where the answer is "still running" though
 * the pidfd is readable (a debugger holds the child's end back), they sleep a
 * little.
 *
 * fflush(NULL) before the fork waits for any stream that another thread is
 * using at that moment, also one that is blocked in reading. A program that
 * reads stdin in one thread and starts processes in another reads it with
 * read(2).
 *
 * Proof: tests/unit/test-process*.c.
 */
#define _POSIX_C_SOURCE 200809L /* sigset_t, getpid */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "chute/error.h"
#include "chute/process.h"
#include "ipc/process.h"
#include "plat/child.h"
#include "plat/io.h"
#include "plat/plat.h"

/* How often a child at the gate, or a joiner held up, looks again. */
#define LOOK_AGAIN_NS INT64_C(20000000)

/* What the child needs to know. */
struct start {
    chute_process_fn *fn;
    void *arg;
    const struct chute_process_options *options;
    pid_t parent;
    chute_process *process; /* the parent's; the child has a copy, too */
    int gate[2];            /* [0] is the child's */
};

/* -- the child's side ------------------------------------------------------ */

/* Wait for GO; false if it will not come. A parent that is seen to be gone has
 * sent it before, or never will. */
static bool pass_gate(const struct start *start)
{
    char go;
    struct iovec part = {.iov_base = &go, .iov_len = 1};
    bool orphaned;
    int r;

    do {
        orphaned = child_orphaned(start->parent);
        r = io_wait(start->gate[0], POLLIN, plat_now() + LOOK_AGAIN_NS);
    } while (r == -EINTR || (r == -ETIMEDOUT && !orphaned));
    return r == 0 && io_recv(start->gate[0], &part, 1) == 1;
}

/* From here on the parent's end is ours; false if it came before. */
static bool follow_parent(const struct start *start)
{
    return child_follow_parent() == 0 && !child_orphaned(start->parent);
}

/* Free the ends, each once however often it is named. */
static void drop(chute_conn *const *ends)
{
    for (size_t i = 0; ends && ends[i]; i++) {
        size_t first = 0;
        while (ends[first] != ends[i])
            first++;
        if (first == i)
            chute_conn_free(ends[i]);
    }
}

_Noreturn static void be_child(const struct start *start)
{
    plat_close(start->gate[1]);
    child_default_signals();
    if ((start->options->flags & CHUTE_DAEMON) && !follow_parent(start))
        _exit(EXIT_FAILURE);
    if (!pass_gate(start))
        _exit(EXIT_FAILURE);
    plat_close(start->gate[0]);

    if (start->options->name)
        child_name(start->options->name);
    drop(start->options->drop);
    child_admit_signals();
    int result = start->fn(start->arg);
    process_undo(start->process);
    (void)fflush(NULL);
    int exitcode = result & 255;
    _exit(exitcode == 0 && result < 0 ? EXIT_FAILURE : exitcode);
}

/* -- the parent's side ----------------------------------------------------- */

/* Fork, and get hold of the child while it waits at the gate. */
static int fork_to_gate(struct start *start)
{
    chute_process *process = start->process;
    pid_t pid;
    int r = child_fork(&pid);

    if (r < 0)
        return r;
    if (pid == 0)
        be_child(start);
    plat_close(start->gate[0]);
    start->gate[0] = -1;

    char go = 1;
    struct iovec part = {.iov_base = &go, .iov_len = 1};
    r = child_open(pid, &process->fd);
    if (r < 0)
        goto bury;
    ssize_t n = io_send(start->gate[1], &part, 1);
    /* -EPIPE: somebody has killed the child already. It was started all the
     * same, and join will tell what became of it. */
    if (n < 0 && n != -EPIPE) {
        plat_close(process->fd);
        r = (int)n;
        goto bury;
    }
    process->pid = pid;
    return 0;

bury:
    /* Shut and not just closed: a copy of the gate may be with a sibling that
     * another thread has forked. */
    io_shut_sending(start->gate[1]);
    child_bury(pid);
    return r;
}

/* The same with signals held and the gate made. */
static int start_held(struct start *start)
{
    sigset_t before;

    int r = io_pair(start->gate);
    if (r < 0)
        return r;
    (void)fflush(NULL);
    child_hold_signals(&before);
    r = fork_to_gate(start);
    child_let_signals(&before);
    for (int i = 0; i < 2; i++)
        if (start->gate[i] >= 0)
            plat_close(start->gate[i]);
    return r;
}

chute_process *process_new(const char *name)
{
    size_t name_size = strlen(name) + 1;
    chute_process *process = mem_zalloc(sizeof *process + name_size);

    if (!process)
        return NULL;
    /* It cannot fail with the default attributes. */
    (void)pthread_mutex_init(&process->mutex, NULL);
    memcpy(process->name, name, name_size);
    process->parent = getpid();
    return process;
}

chute_process *process_undo(chute_process *process)
{
    (void)pthread_mutex_destroy(&process->mutex);
    free(process);
    return NULL;
}

int chute_process_start(chute_process **ret_process, chute_process_fn *fn,
                        void *arg, const struct chute_process_options *options)
{
    struct chute_process_options known;

    if (!ret_process || !fn)
        return fail(CHUTE_EINVAL);
    int r = options_take(&known, sizeof known, options, sizeof known);
    if (r == 0)
        r = options_flags(known.flags, CHUTE_DAEMON);
    if (r < 0)
        return r;

    chute_process *process = process_new(known.name ? known.name : "");
    if (!process)
        return fail(CHUTE_ENOMEM);
    struct start start = {.fn = fn,
                          .arg = arg,
                          .options = &known,
                          .parent = process->parent,
                          .process = process};
    r = start_held(&start);
    if (r < 0) {
        process_undo(process);
        return r;
    }
    *ret_process = process;
    return 0;
}

/* -- afterwards ------------------------------------------------------------ */

static int own(const chute_process *process)
{
    if (!process)
        return fail(CHUTE_EINVAL);
    return process->parent == getpid() ? 0 : fail(CHUTE_ECHILD);
}

/* The exit code if there is one; -EAGAIN while the child runs, -ECHILD if
 * somebody else has reaped it. */
static int reap(chute_process *process, int *ret_exitcode)
{
    int r = 0;

    (void)pthread_mutex_lock(&process->mutex);
    if (!process->reaped) {
        r = child_reap(process->fd, &process->exitcode);
        process->reaped = r == 0;
    }
    if (process->reaped && ret_exitcode)
        *ret_exitcode = process->exitcode;
    (void)pthread_mutex_unlock(&process->mutex);
    return r;
}

/* Sleep a little, but not beyond the deadline. */
static void pause_until(int64_t deadline)
{
    int64_t soon = plat_now() + LOOK_AGAIN_NS;

    (void)io_poll(NULL, 0, soon < deadline ? soon : deadline);
}

int chute_process_join(chute_process *process, int *ret_exitcode,
                       int64_t timeout_ns)
{
    int64_t deadline;

    int r = own(process);
    if (r == 0)
        r = plat_deadline(timeout_ns, &deadline);
    if (r < 0)
        return r;
    for (bool woken = false;; woken = true) {
        r = reap(process, ret_exitcode);
        if (r != -EAGAIN)
            return r;
        if (woken)
            pause_until(deadline);
        do
            r = io_wait(process->fd, POLLIN, deadline);
        while (r == -EINTR);
        if (r < 0)
            return r;
        if (woken && plat_expired(deadline))
            return -ETIMEDOUT;
    }
}

static int signal_child(chute_process *process, int signal)
{
    int r = own(process);

    if (r < 0)
        return r;
    r = child_signal(process->fd, signal);
    return r == -ESRCH ? 0 : r;
}

int chute_process_terminate(chute_process *process)
{
    return signal_child(process, SIGTERM);
}

int chute_process_kill(chute_process *process)
{
    return signal_child(process, SIGKILL);
}

pid_t chute_process_pid(const chute_process *process)
{
    return process ? process->pid : fail(CHUTE_EINVAL);
}

const char *chute_process_name(const chute_process *process)
{
    return process ? process->name : "";
}

int chute_process_fd(chute_process *process)
{
    int r = own(process);

    return r < 0 ? r : process->fd;
}

chute_process *chute_process_free(chute_process *process)
{
    if (!process)
        return NULL;
    if (process->parent == getpid()) {
        (void)reap(process, NULL);
        (void)pthread_mutex_destroy(&process->mutex);
    }
    plat_close(process->fd);
    free(process);
    return NULL;
}
