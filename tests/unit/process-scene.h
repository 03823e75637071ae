/* process-scene.h - what the tests of children share: what a child does, and
 * how it is started and joined.
 *
 *     test-process.c        what holds when nothing is refused
 *     test-process-fault.c  refusals, and what many starts leave
 *
 * Who includes this has defined _GNU_SOURCE.
 */
#ifndef PROCESS_SCENE_H
#define PROCESS_SCENE_H

#include <unistd.h>

#include "chute.h"
#include "test.h"

/* -- what children do ------------------------------------------------------ */

static inline int give_code(void *code)
{
    return *(int *)code;
}

static inline int return_at_once(void *arg)
{
    (void)arg;
    return 0;
}

static inline int sleep_for_ever(void *arg)
{
    (void)arg;
    while (pause() < 0)
        continue;
    return 0;
}

/* -- started and joined ---------------------------------------------------- */

static inline chute_process *start(chute_process_fn *fn, void *arg)
{
    chute_process *process;

    CHECK_OK(chute_process_start(&process, fn, arg, NULL));
    return process;
}

static inline int join(chute_process *process)
{
    int code = 12345;

    CHECK_OK(chute_process_join(process, &code, CHUTE_FOREVER));
    return code;
}

static inline int run(chute_process_fn *fn, void *arg)
{
    chute_process *process = start(fn, arg);
    int code = join(process);

    chute_process_free(process);
    return code;
}

#endif
