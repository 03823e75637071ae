/* io.h - the seam: sockets and poll.
 *
 * The conventions are plat.h's. Nothing here waits but io_poll and io_wait.
 */
#ifndef PLAT_IO_H
#define PLAT_IO_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* A connected pair of stream sockets that no exec inherits. */
int io_pair(int ret_fds[2]);

/* Whether fd is a connected stream socket, and a number that names it: the same
 * in every process that holds it. -EINVAL: it is no such thing; -ENOTCONN. */
int io_stream(int fd, uint64_t *ret_id);

/* The longest message that io_send gives to an empty or part-full stream socket
 * whole or not at all, whatever happens to the caller during the call; 0 if
 * there is no such promise. */
int io_atomic_len(int fd, size_t *ret_len);

/* Whether one io_send of len bytes would now be taken to its end. */
bool io_has_room(int fd, size_t len);

/* Send what fits, from up to n_parts pieces; the result is how much that was.
 * -EAGAIN: nothing fits. -EPIPE: nobody holds the other end, or this direction
 * is shut. Never raises SIGPIPE. */
ssize_t io_send(int fd, struct iovec *parts, int n_parts);

/* Receive what is there and has a place; the result is how much that was, 0 at
 * the end. -EAGAIN: nothing is there. */
ssize_t io_recv(int fd, struct iovec *parts, int n_parts);

/* The same without taking it. A look goes no further than a byte with which
 * descriptors travel. *ret_carries: there is one byte, and some do. (Taken by
 * io_recv, they are closed.) */
ssize_t io_peek(int fd, void *buf, size_t cap, bool *ret_carries);

/* -- descriptors that travel ----------------------------------------------- */

#define IO_MAX_FDS 2

/* Send one byte, the number of descriptors, and them with it. As io_send; and
 * -EINVAL: one of them is not open; -ETOOMANYREFS: too many are under way. */
ssize_t io_send_fds(int fd, const int *fds, int n_fds);

/* Look at such a byte and the descriptors that travel with it: the result is
 * their number, 0 if what comes next is something else. The descriptors in fds
 * are the caller's then, and no exec inherits them; those that lie in the stream
 * go with the byte, for io_recv to take. -EPROTO: it is one of these bytes, with
 * more descriptors than IO_MAX_FDS, or another number than it says; -EMFILE. */
int io_peek_fds(int fd, int fds[IO_MAX_FDS]);

/* How many bytes io_recv would find. */
int io_pending(int fd, size_t *ret_len);

/* Shut one direction, for every process that holds this end. What has been sent
 * can still be received. */
void io_shut_sending(int fd);
void io_shut_receiving(int fd);

/* poll(2) with a deadline: how many are ready, 0 if none was until then.
 * -EINTR: a handler ran. A deadline in the past looks once. */
int io_poll(struct pollfd *fds, size_t n, int64_t deadline);

/* Wait for one of `events`, an error or the end on fd. 0, -ETIMEDOUT, -EINTR,
 * -EINVAL (fd is not open). */
int io_wait(int fd, short events, int64_t deadline);

#endif
