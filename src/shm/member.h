/* member.h - the processes that use a queue. See member.c. */
#ifndef SHM_MEMBER_H
#define SHM_MEMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/layout.h"

/* Give the calling process a place in the table. Its number; SHM_N_MEMBERS if
 * there is none left: the process does as well without. */
uint32_t member_join(struct shm_queue *shm);

/* Give the place back. */
void member_leave(struct shm_queue *shm, uint32_t place);

/* Whether somebody alive has the place. One who is dead is struck off first, and
 * counted. */
bool member_is_there(struct shm_queue *shm, uint32_t place);

/* What `who` is of the calling process; and whether that of another still runs. */
uint64_t member_self(void);
bool member_lives(uint64_t who);

/* The process id in `who`. */
static inline uint32_t member_pid(uint64_t who)
{
    return (uint32_t)who;
}

#endif
