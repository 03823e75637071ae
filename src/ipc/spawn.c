/* spawn.c - start a child from a program file, and pass it handles.
 *
 * Descriptors are what an exec can hand on, so each handle becomes one or two,
 * and one variable in the environment says what they are:
 *
 *     CHUTE_HANDLES=0000012345 jobs=q5 results=q6 out=c7,8 log=f9
 *                   ^ pid           queue         end, page   descriptor
 *
 * The pid is the child's: whoever else inherits the variable, a child of the
 * child, sees that it is not meant for him (passed.c reads it). It is known only
 * when there is a child, which therefore fills it in.
 *
 * The descriptors in the child are copies that are made here, above 2 and
 * close-on-exec, so that they are not in the way of standard input, output and
 * error, and no other thread's child gets them. In the child, which has a table
 * of its own, they lose the close-on-exec; there they are then under the same
 * numbers.
 *
 * All that allocates or can wait is done before there is a child. What happens
 * then is child_spawn's (child-linux.c).
 *
 * Proof: tests/unit/test-spawn.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "chute/error.h"
#include "ipc/conn.h"
#include "ipc/passed.h"
#include "ipc/process.h"
#include "ipc/queue.h"
#include "plat/child.h"
#include "plat/plat.h"

extern char **environ;

/* What goes to the child. */
struct luggage {
    int fds[2 * PASSED_MAX];
    size_t n_fds;
    char *text; /* the variable; NULL if nothing is passed */
    size_t text_len;
    char **env;
};

/* -- descriptors and their names -------------------------------------------- */

static bool is_name(const char *name)
{
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == '=' || *c == 127)
            return false;
    return *name != '\0';
}

/* What fd the copy of a descriptor has in the child. */
static int pack_fd(struct luggage *luggage, int fd, int *ret_fd)
{
    int r = plat_dup(fd, ret_fd);

    if (r == 0)
        luggage->fds[luggage->n_fds++] = *ret_fd;
    return r;
}

static int pack(struct luggage *luggage, const struct chute_pass *pass)
{
    char *at = luggage->text + luggage->text_len;
    int one, two, n, r;

    if (!is_name(pass->name) || (pass->queue && pass->conn))
        return fail(CHUTE_EINVAL);
    /* As chute_conn_send_queue has it. */
    if (pass->queue && pass->queue->chain.named)
        return fail(CHUTE_EINVAL);
    if (pass->conn) {
        r = pack_fd(luggage, pass->conn->fd, &one);
        if (r == 0)
            r = pack_fd(luggage, pass->conn->memory->fd, &two);
        if (r < 0)
            return r;
        n = sprintf(at, " %s=%c%d,%d", pass->name, PASSED_CONN, one, two);
    } else {
        r = pack_fd(luggage, pass->queue ? pass->queue->chain.fd : pass->fd,
                    &one);
        if (r < 0)
            return r;
        n = sprintf(at, " %s=%c%d", pass->name,
                    pass->queue ? PASSED_QUEUE : PASSED_FD, one);
    }
    luggage->text_len += (size_t)n;
    return 0;
}

static int pack_all(struct luggage *luggage, const struct chute_pass *pass)
{
    static const char head[] = PASSED_VARIABLE "=";
    size_t n = 0, cap = sizeof head + CHILD_PID_LEN;

    for (; pass && pass[n].name; n++)
        cap += strlen(pass[n].name) + sizeof " =c,-" + 2 * 11;
    if (n == 0)
        return 0;
    if (n > PASSED_MAX)
        return fail(CHUTE_EINVAL);
    luggage->text = mem_zalloc(cap);
    if (!luggage->text)
        return fail(CHUTE_ENOMEM);
    memcpy(luggage->text, head, sizeof head - 1);
    memset(luggage->text + sizeof head - 1, '0', CHILD_PID_LEN);
    luggage->text_len = sizeof head - 1 + CHILD_PID_LEN;
    for (size_t i = 0; i < n; i++) {
        int r = pack(luggage, &pass[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The environment with our variable in the place of one that it has. */
static int pack_env(struct luggage *luggage, char *const *env)
{
    size_t n = 0, n_kept = 0;

    while (env && env[n])
        n++;
    luggage->env = mem_alloc((n + 2) * sizeof *luggage->env);
    if (!luggage->env)
        return fail(CHUTE_ENOMEM);
    for (size_t i = 0; i < n; i++)
        if (strncmp(env[i], PASSED_VARIABLE "=", sizeof PASSED_VARIABLE) != 0)
            luggage->env[n_kept++] = env[i];
    luggage->env[n_kept++] = luggage->text;
    if (luggage->text)
        luggage->env[n_kept] = NULL;
    return 0;
}

static void unpack(struct luggage *luggage)
{
    for (size_t i = 0; i < luggage->n_fds; i++)
        plat_close(luggage->fds[i]);
    free(luggage->text);
    free(luggage->env);
}

/* -- starting --------------------------------------------------------------- */

static int spawn(chute_process *process, const char *path, char *const argv[],
                 const struct chute_spawn_options *options)
{
    struct luggage luggage = {.n_fds = 0};
    sigset_t before;

    int r = pack_all(&luggage, options->pass);
    if (r == 0)
        r = pack_env(&luggage, options->env ? options->env : environ);
    if (r < 0)
        goto out;
    const struct child_program program = {
        .path = path ? path : "/proc/self/exe",
        .argv = argv,
        .env = luggage.env,
        .pid_text = luggage.text ? luggage.text + sizeof PASSED_VARIABLE : NULL,
        .stdio = {options->stdin_fd,
                  options->stdout_fd ? options->stdout_fd : 1,
                  options->stderr_fd ? options->stderr_fd : 2},
        .fds = luggage.fds,
        .n_fds = luggage.n_fds,
        .follow = (options->flags & CHUTE_DAEMON) != 0};
    child_hold_signals(&before);
    r = child_spawn(&program, &process->pid, &process->fd);
    child_let_signals(&before);
out:
    unpack(&luggage);
    return r;
}

int chute_process_spawn(chute_process **ret_process, const char *path,
                        char *const argv[],
                        const struct chute_spawn_options *given)
{
    struct chute_spawn_options options;

    if (!ret_process || !argv || !argv[0])
        return fail(CHUTE_EINVAL);
    int r = options_take(&options, sizeof options, given, sizeof options);
    if (r == 0)
        r = options_flags(options.flags, CHUTE_DAEMON);
    if (r < 0)
        return r;
    if (options.stdin_fd < 0 || options.stdout_fd < 0 || options.stderr_fd < 0)
        return fail(CHUTE_EINVAL);
    chute_process *process = process_new(argv[0]);
    if (!process)
        return fail(CHUTE_ENOMEM);
    r = spawn(process, path, argv, &options);
    if (r < 0) {
        process_undo(process);
        return r;
    }
    *ret_process = process;
    return 0;
}
