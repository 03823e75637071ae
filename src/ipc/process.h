/* process.h - a child, however it was started.
 *
 *     process.c  starts one by a fork; waits for it, ends it
 *     spawn.c    starts one from a program file
 */
#ifndef IPC_PROCESS_H
#define IPC_PROCESS_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "chute/process.h"

struct chute_process {
    pid_t parent;
    pid_t pid;
    int fd;
    pthread_mutex_t mutex; /* guards: */
    bool reaped;
    int exitcode;
    char name[];
};

/* A handle for a child of ours, without pid and fd yet; NULL if memory is
 * short. */
chute_process *process_new(const char *name);

/* There will be no child. Always NULL. */
chute_process *process_undo(chute_process *process);

#endif
