/* name.h - where named memory lies. See name.c. */
#ifndef SHM_NAME_H
#define SHM_NAME_H

#include <stdbool.h>

/* Longest name of a queue, in bytes. */
#define NAME_MAX_LEN 200

/* 0, or CHUTE_EINVAL: not 1 to 200 of [A-Za-z0-9._-], or a dot in front. */
int name_check(const char *name);

/* Open the directory of names: $CHUTE_DIR, or one of the user's own, which is
 * made. The errors of file_dir_open(). */
int name_dir_open(int *ret_dir);

#endif
