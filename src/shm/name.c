/* name.c - where named memory lies.
 *
 * In /dev/shm/chute-UID, a directory of the user's own: nobody else can look
 * into it, put a file of his there, or take a name first. CHUTE_DIR names
 * another one, say on a tmpfs with more room, or one that a group shares; it
 * has to be there, and its mode decides who takes part. A program that runs
 * with more rights than its caller does not listen to the variable.
 *
 * A name is a file name and nothing more, so it may hold what file names can
 * hold without surprise. A dot in front is kept for files that are no queues.
 *
 * Proof: tests/unit/test-queue-name.c.
 */
#define _GNU_SOURCE /* secure_getenv */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "chute/error.h"
#include "plat/file.h"
#include "shm/name.h"

#define LETTERS                                                                \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

int name_check(const char *name)
{
    if (!name)
        return fail(CHUTE_EINVAL);
    size_t len = strnlen(name, NAME_MAX_LEN + 1);
    if (len == 0 || len > NAME_MAX_LEN || name[0] == '.' ||
        strspn(name, LETTERS) != len)
        return fail(CHUTE_EINVAL);
    return 0;
}

int name_dir_open(int *ret_dir)
{
    const char *given = secure_getenv("CHUTE_DIR");
    char own[64];

    if (given && *given)
        return file_dir_open(given, false, ret_dir);
    snprintf(own, sizeof own, "/dev/shm/chute-%lu", (unsigned long)geteuid());
    return file_dir_open(own, true, ret_dir);
}
