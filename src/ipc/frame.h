/* frame.h - the header in front of every message. See frame.c. */
#ifndef IPC_FRAME_H
#define IPC_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX 12

/* Write the header of a message of len bytes; the result is its length, 4 or
 * FRAME_MAX. */
size_t frame_write(unsigned char head[FRAME_MAX], uint64_t len);

/* Read the header whose first n bytes are known. 0: *ret_len is the message's
 * length, *ret_head_len the header's. Positive: so many bytes of header are
 * missing, at least. CHUTE_EPROTO: it is none. */
int frame_read(const unsigned char *head, size_t n, size_t *ret_head_len,
               uint64_t *ret_len);

#endif
