/* dgram.h - the seam: datagrams that make a socket readable, and say nothing.
 *
 * The conventions are plat.h's. A socket has a number for its name, and whoever
 * knows the number can make it readable: also one who has no descriptor of it and
 * was not there when it was made. Names are known within a network namespace.
 * Nothing here waits.
 */
#ifndef PLAT_DGRAM_H
#define PLAT_DGRAM_H

#include <stdint.h>

/* A socket that no exec inherits, and its name, which is none of the others' and
 * not 0. The name goes with the socket's last descriptor. */
int dgram_new(uint64_t *ret_name, int *ret_fd);

/* One without a name, to ring from. */
int dgram_new_sender(int *ret_fd);

/* Make the socket of that name readable. 0: it is. -EAGAIN: it is, or what this
 * sender has sent fills its buffer, as cannot be if it is new. -ECONNREFUSED:
 * nobody has that name. Others: it is not readable, as far as is known. */
int dgram_ring(int sender, uint64_t name);

/* Take what has been sent to the socket. Where somebody sends without an end,
 * this has one all the same. */
void dgram_drain(int fd);

/* The network namespace in which the calling thread's next socket will be; 0 if
 * there is no /proc to tell it. */
int dgram_namespace(uint64_t *ret_namespace);

#endif
