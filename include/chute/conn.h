/* chute/conn.h - one end of a message channel.
 *
 * SPDX-License-Identifier: MIT
 *
 * A connection speaks the wire format of CPython's multiprocessing.connection
 * (a length, big-endian, and so many bytes) over an AF_UNIX stream socket, so
 * select(2), poll(2), epoll(7) and a Python process at the other end work.
 *
 * Unlike Python's, one end may be used by several threads and processes at
 * once: a message is received whole or not at all, never mixed with another.
 * Where the peer has been answering at once, a recv that may wait looks again for
 * up to 0.1 ms before it sleeps, and so does a send in the middle of a large
 * message: to be woken costs more. It does not so on a single processor, nor
 * (recv) with CHUTE_INTERRUPTIBLE.
 * If a process is killed in the middle of a message too large to go at once,
 * the stream cannot be continued by anybody: that end then gives
 * CHUTE_EPARTIAL for ever (in the direction concerned), and so does the peer's
 * recv after the last whole message; or CHUTE_EOF, if nothing of it had left.
 */
#ifndef CHUTE_CONN_H
#define CHUTE_CONN_H

#include "chute/common.h"
#include "chute/value.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct chute_conn chute_conn;

struct chute_pipe_options {
    uint64_t size;  /* sizeof(struct chute_pipe_options) */
    uint64_t flags; /* CHUTE_ONEWAY, CHUTE_INTERRUPTIBLE */
};

/* Make a connected pair, ends both of whose sides send and receive; with
 * CHUTE_ONEWAY ret_ends[0] only receives and ret_ends[1] only sends, as
 * multiprocessing.Pipe(duplex=False) has it, and the other direction is
 * CHUTE_EINVAL. The end of one's own counts as a holder: a process that keeps
 * both ends never sees CHUTE_EOF. Free the other one, or name it in
 * chute_process_options.drop. */
CHUTE_API int chute_pipe(chute_conn *ret_ends[2],
                         const struct chute_pipe_options *options);

struct chute_conn_options {
    uint64_t size;        /* sizeof(struct chute_conn_options) */
    uint64_t flags;       /* CHUTE_INTERRUPTIBLE */
    uint64_t max_message; /* longest message that is received; 0: any */
};

/* Make a connection of a stream socket that is connected: one end of an AF_UNIX
 * socketpair(2), what accept(2) gave, what Python's Connection.fileno() says. A
 * process and the children it makes from then on may share the connection as
 * they may an end of a pipe; those who hold the socket without it may not use
 * it at the same time. -ENOTCONN: it is not connected. A message longer than
 * max_message is CHUTE_EOVERSIZE once, before memory is spent on it; that
 * direction is then at its end (CHUTE_EPARTIAL).
 * Ownership: on success fd is the connection's, and close-on-exec; on failure
 * it is the caller's still. */
CHUTE_API int chute_conn_of_fd(chute_conn **ret_conn, int fd,
                               const struct chute_conn_options *options);

/* Send v as one message. Never raises SIGPIPE. Nothing was sent on any failure
 * but CHUTE_EPARTIAL: the time ran out when a part of a large message had left;
 * the end is then shut for sending, for the peer could not tell the rest from
 * a new message. Once a part has left no signal ends the call, for there is no
 * way back. With CHUTE_NOWAIT a message goes if the buffer of the system, some
 * 200 KB, has room for all of it: a larger one never does, and needs a timeout.
 * Blocks: while the peer's buffer is full, and while another sender is in the
 * middle of a message.
 * Conditions: CHUTE_ETIMEDOUT, CHUTE_EPIPE (nobody holds the other end).
 * Errors: CHUTE_EMSGSIZE, longer than an address can be. */
CHUTE_API int chute_conn_send(chute_conn *conn, chute_value *v,
                              int64_t timeout_ns);

/* Receive one message. One that is no value (CHUTE_EPICKLE, CHUTE_ENOTPLAIN, or
 * a limit of the decoder) is not lost: *ret_value is then the message itself,
 * a bytes value. With any other failure it is NULL, and nothing was taken; what
 * had arrived of a message when the time ran out is kept for the next recv. So
 * *ret_value is always written, and always the caller's.
 * Blocks: until a whole message is there.
 * Conditions: CHUTE_ETIMEDOUT, CHUTE_EOF (nobody holds the other end, and
 * everything has been received), CHUTE_EPICKLE, CHUTE_ENOTPLAIN,
 * CHUTE_EPARTIAL (the other end went away in the middle of a message),
 * CHUTE_EKIND (a handle comes first: see handle.h). */
CHUTE_API int chute_conn_recv(chute_conn *conn, chute_value **ret_value,
                              int64_t timeout_ns);

/* The same for bytes as they are. data and buf may be NULL where data_len and
 * cap are 0. recv_bytes copies into buf, of cap bytes,
 * and sets *ret_len; a message longer than cap is CHUTE_EMSGSIZE: it stays the
 * next one, and *ret_len is the length it needs.
 * Blocks: as send and recv do.
 * Conditions: as send; as recv without the two of the decoder, plus
 * CHUTE_EMSGSIZE. */
CHUTE_API int chute_conn_send_bytes(chute_conn *conn, const void *data,
                                    size_t data_len, int64_t timeout_ns);
CHUTE_API int chute_conn_recv_bytes(chute_conn *conn, void *buf, size_t cap,
                                    size_t *ret_len, int64_t timeout_ns);

/* 1 if a message or a handle waits, a part of one on the socket, or the end; 0 if the time
 * ran out. So recv after a 1 may still have to wait for the rest.
 * Blocks: until then. */
CHUTE_API int chute_conn_poll(chute_conn *conn, int64_t timeout_ns);

/* The socket, for poll(2) and its like: readable when a message or the end
 * waits. Borrowed: reading or closing it breaks the connection. */
CHUTE_API int chute_conn_fd(chute_conn *conn);

/* Let go of this end in this process; NULL is fine. The peer sees the end when
 * the last process has let go. Always NULL. */
CHUTE_API chute_conn *chute_conn_free(chute_conn *conn);

#ifdef __cplusplus
}
#endif
#endif /* CHUTE_CONN_H */
