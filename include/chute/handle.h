/* chute/handle.h - hand queues, connections and descriptors to others.
 *
 * SPDX-License-Identifier: MIT
 *
 * A child that is forked has its parent's handles. A program that is started by
 * chute_process_spawn is passed some, and takes them by name (see the end). The
 * other functions are for a process that runs already: over a connection that both have, one sends a
 * handle and the other receives one of its own for the same queue, the same end
 * of a pipe, or the same open file. The connection has to be an AF_UNIX socket,
 * as those of chute_pipe and of Python's Pipe() and AF_UNIX Listener are.
 *
 * Handles and messages share one stream, in the order in which they were sent,
 * and each side says which it expects. A recv when a handle is next, and a
 * recv_queue and its like when a message is, is CHUTE_EKIND, and what is next
 * stays so. A receiver has to trust the sender not to send what he cannot use:
 * it is taken and closed when the call finds out.
 *
 * The wire is that of CPython's multiprocessing.reduction.send_handle and
 * recv_handle on Linux: one byte that counts the descriptors, and them with it
 * (SCM_RIGHTS). CPython 3.14 waits for an acknowledgement besides, the byte 'A'
 * the other way: it is for the caller to send or take on chute_conn_fd. A Python
 * Connection that is pickled is something else (a class, and the address of a
 * server in the sender's process): CHUTE_ENOTPLAIN.
 */
#ifndef CHUTE_HANDLE_H
#define CHUTE_HANDLE_H

#include "chute/common.h"
#include "chute/conn.h"
#include "chute/queue.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Send a descriptor of any kind; receive one. What is received is a new one for
 * the same open file, close-on-exec. What is sent stays open here; once sent,
 * it may be closed.
 * Blocks: as chute_conn_send and chute_conn_recv do.
 * Ownership: fd is borrowed; *ret_fd is the caller's.
 * Conditions: of send CHUTE_ETIMEDOUT, CHUTE_EPIPE; of recv CHUTE_ETIMEDOUT,
 * CHUTE_EOF, CHUTE_EPARTIAL, CHUTE_EKIND (a message is next), and CHUTE_EMFILE
 * (the handle stays the next one).
 * Errors: CHUTE_EINVAL, fd is not open, or the connection is not AF_UNIX;
 * -ETOOMANYREFS, more descriptors of this user are under way than RLIMIT_NOFILE
 * allows; CHUTE_EPROTO, more than one descriptor came: all of them are closed. */
CHUTE_API int chute_conn_send_fd(chute_conn *conn, int fd, int64_t timeout_ns);
CHUTE_API int chute_conn_recv_fd(chute_conn *conn, int *ret_fd,
                                 int64_t timeout_ns);

/* The same for a queue. The sender may free his handle once it is sent, and
 * what is in the queue lives on. The new handle is CHUTE_INTERRUPTIBLE if conn
 * is.
 * Blocks: as chute_conn_send_fd and chute_conn_recv_fd do.
 * Conditions: as theirs.
 * Errors: as theirs; of send CHUTE_EINVAL, the queue has a name, by which the
 * peer can open it; and of recv what chute_queue_of_fd says: then the handle has
 * been taken, and is closed. */
CHUTE_API int chute_conn_send_queue(chute_conn *conn, chute_queue *queue,
                                    int64_t timeout_ns);
CHUTE_API int chute_conn_recv_queue(chute_conn *conn, chute_queue **ret_queue,
                                    int64_t timeout_ns);

/* The same for an end of a pipe. Sender and receiver share it afterwards as a
 * parent and its child would: a sender who does not want to be counted as a
 * holder frees it. What he has received in part, or set aside because a buffer
 * was too small, stays with him.
 *
 * To and from Python only the socket travels: send it by chute_conn_send_fd,
 * with chute_conn_fd; a single socket that arrives here becomes a connection as
 * chute_conn_of_fd makes one. Nobody else may use that end then.
 * Blocks: as chute_conn_send_fd and chute_conn_recv_fd do.
 * Conditions: as theirs.
 * Errors: as theirs; and of recv CHUTE_EINVAL, CHUTE_ECORRUPT, CHUTE_ELAYOUT,
 * CHUTE_ENAMESPACE, as chute_queue_of_fd has them. */
CHUTE_API int chute_conn_send_conn(chute_conn *conn, chute_conn *end,
                                   int64_t timeout_ns);
CHUTE_API int chute_conn_recv_conn(chute_conn *conn, chute_conn **ret_end,
                                   int64_t timeout_ns);

/* -- what a program was started with -----------------------------------------
 *
 * A program that chute_process_spawn has started takes, by its name, each handle
 * that was passed to it; once, for then it is the caller's like any other. All
 * that it does not take stays open as long as it runs.
 *
 * Names and numbers come in the environment variable CHUTE_HANDLES, which holds
 * the pid of the program that they are meant for: in any other process that
 * inherits it there are none.
 */

/* Take a queue, a connection, a descriptor (which an exec inherits no more).
 * Conditions: CHUTE_ENOENT, none of that name and kind was passed, or it has
 * been taken.
 * Errors: as chute_queue_of_fd; as chute_conn_recv_conn. Then it has not been
 * taken. */
CHUTE_API int chute_handle_queue(chute_queue **ret_queue, const char *name,
                                 const struct chute_queue_options *options);
CHUTE_API int chute_handle_conn(chute_conn **ret_conn, const char *name,
                                const struct chute_conn_options *options);
CHUTE_API int chute_handle_fd(int *ret_fd, const char *name);

#ifdef __cplusplus
}
#endif
#endif /* CHUTE_HANDLE_H */
