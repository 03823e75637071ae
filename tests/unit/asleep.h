/* asleep.h - tests in which only a wake-up helps.
 *
 * The tick mends what a missing wake-up breaks, so quickly that a test hardly
 * sees it. Without it, whoever is not woken sleeps on until the test's deadline:
 *
 *     without_tick();
 *     pid_t pid = child(get_one, q);
 *     await_sleep(pid);
 *     put_int(q, 1, CHUTE_NOWAIT);
 *     reap(pid, 0);
 */
#ifndef ASLEEP_H
#define ASLEEP_H

#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "chute/common.h"
#include "shm/tick.h"
#include "test.h"

/* In this process, and in the children that it makes from here on. */
static inline void without_tick(void)
{
    tick_ns = CHUTE_SEC(3600);
}

static inline bool is_asleep(pid_t pid)
{
    char path[32], text[512] = "";

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *from = fopen(path, "re");
    CHECK(from != NULL);
    CHECK(fgets(text, sizeof text, from) != NULL);
    fclose(from);
    const char *state = strrchr(text, ')');
    CHECK(state != NULL && state[2] != 'Z');
    return state[2] == 'S';
}

/* Until a child of one thread sleeps, and does so for a moment. */
static inline void await_sleep(pid_t pid)
{
    for (int n_seen = 0; n_seen < 3; usleep(1000))
        n_seen = is_asleep(pid) ? n_seen + 1 : 0;
}

#endif
