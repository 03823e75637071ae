/* socket.h - this library's seam to the system. See socket.c.
 *
 * All give 0 or more, or -errno. Deadlines are on the clock of socket_now(), and
 * INT64_MAX never comes.
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/address.h"

#define SOCKET_NEVER INT64_MAX

int64_t socket_now(void);

/* -EINVAL below -1. */
int socket_deadline(int64_t timeout_ns, int64_t *ret_deadline);

/* A socket that listens there, and does not block; its address with the port
 * that it has got. */
int socket_listen(const struct address *at, int backlog, int *ret_fd,
                  struct address *ret_address);

/* The next one who has connected. -EAGAIN: nobody; -EMFILE, -ENFILE. */
int socket_accept(int fd, int *ret_fd, struct address *ret_peer);

/* A socket that is connected to there. -EINTR only if interruptible. */
int socket_connect(const struct address *to, int64_t deadline,
                   bool interruptible, int *ret_fd);

/* Over AF_UNIX: CHUTE_EACCES if the peer is neither of our user nor root. */
int socket_check_user(int fd);

/* Without waiting. Send all or fail, for it is less than any buffer holds. Up to
 * len bytes, 0 at the end, -EAGAIN if nothing is there. */
int socket_send_all(int fd, const void *data, size_t len);
int socket_recv(int fd, void *buf, size_t len);

/* Until one can receive: 0, -ETIMEDOUT, -EINTR. */
int socket_wait(int fd, int64_t deadline);

int socket_random(void *buf, size_t len);

/* End it for everybody who holds it; for this process alone. */
void socket_shut(int fd);
void socket_close(int fd);

/* -- a set of sockets that waits for all of them ---------------------------- */

#define SOCKET_EVENTS 64

int set_new(int *ret_set);
int set_add(int set, int fd, void *what);
int set_remove(int set, int fd);

/* A clock for a set: it can receive once the deadline it is set to has passed;
 * SOCKET_NEVER lets it rest. */
int set_timer_new(int *ret_timer);
void set_timer(int timer, int64_t deadline);

/* Those that can receive: how many, at most SOCKET_EVENTS, 0 if the time is up;
 * -EINTR. */
int set_wait(int set, void *ret_what[SOCKET_EVENTS], int64_t deadline);

#endif
