/* label.h - what a piece of shared memory says of itself. See label.c. */
#ifndef SHM_LABEL_H
#define SHM_LABEL_H

#include <stddef.h>
#include <stdint.h>

#include "shm/layout.h"

/* Write the label of memory that has just been made. */
void label_write(struct shm_label *label, uint64_t magic,
                 uint64_t pid_namespace);

/* Map the first len bytes of memory that somebody else has made, and whose file
 * he has handed us. CHUTE_EINVAL: the descriptor is nothing of the kind;
 * CHUTE_ECORRUPT, CHUTE_ELAYOUT, CHUTE_ENAMESPACE. */
int label_attach(int fd, uint64_t magic, size_t len, uint64_t pid_namespace,
                 void **ret_mem);

/* The same for a file from a directory that is trusted (name.c): it need not be
 * sealed memory. */
int label_map(int fd, uint64_t magic, size_t len, uint64_t pid_namespace,
              void **ret_mem);

/* -- layout.c -------------------------------------------------------------- */

/* A number that two builds share if they lay all of layout.h out alike. */
uint64_t layout_id(void);

/* What it is made of. */
struct layout_field {
    const char *name; /* "shm_queue.tail"; without a dot a whole struct */
    uint32_t offset;
    uint32_t size;
};
extern const struct layout_field layout_fields[];
extern const size_t layout_n_fields;

#endif
