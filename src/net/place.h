/* place.h - where a listener's socket lies in the file system. See place.c. */
#ifndef NET_PLACE_H
#define NET_PLACE_H

#include <stdint.h>
#include <sys/types.h>

#include "net/address.h"

struct place {
    pid_t made_by;
    char directory[80];          /* "": none of ours */
    char path[ADDRESS_TEXT_MAX]; /* "": none */
    uint64_t device, inode;      /* of the path */
};

/* A directory of our own, and the text of an address in it. */
int place_new(struct place *place, char ret_text[ADDRESS_TEXT_MAX]);

/* The socket is there now: remember it. NULL: it has no path. */
void place_take(struct place *place, const char *path);

/* Remove what is ours, unless we are a child of who made it. */
void place_leave(const struct place *place);

#endif
