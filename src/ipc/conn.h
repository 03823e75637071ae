/* conn.h - what the parts of a connection share.
 *
 *     conn.c        makes and frees the two ends of a pipe
 *     conn-send.c   sends
 *     conn-recv.c   receives: the waiting, and what callers see
 *     conn-take.c   receives: what happens to the stream under the lock
 *     conn-look.c   receives: how long the next message is
 *     handle.c      descriptors, queues and connections that travel
 */
#ifndef IPC_CONN_H
#define IPC_CONN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "chute/conn.h"
#include "ipc/message.h"
#include "plat/spin.h"
#include "plat/io.h"
#include "shm/layout.h"
#include "shm/lock.h"

#define CONN_LOOK_LEN 16384

/* What two ends of one process have in common. */
struct pipe_memory {
    _Atomic int n_ends;
    int fd;
    struct shm_pipe *shm;
};

struct chute_conn {
    int fd;
    bool sends;
    bool receives;
    bool interruptible;
    size_t atomic_len; /* io_atomic_len(fd) */
    uint64_t max_len;  /* longest message to receive */
    uint64_t pid_namespace;
    struct pipe_memory *memory;
    struct shm_conn *own;
    struct shm_conn *peer;

    struct lock_guard recv_guard; /* of own->recv_lock */
    struct spin recv_spin, send_spin;

    /* All under own->recv_lock, but for a glance at kept_by. */
    struct message *part;  /* the beginning of the next message */
    struct message *kept;  /* whole messages that come before it */
    _Atomic pid_t kept_by; /* kept's owner; 0 if there is none */
    pid_t birth_of;        /* whose birth is known, */
    uint64_t birth;        /* and what it is */
    bool look_short;
    unsigned char look[]; /* CONN_LOOK_LEN bytes, in an end that receives */
};

/* An end of which this process has been given the socket; the socket and its
 * shared page. If that succeeds the descriptors are the connection's. */
int conn_adopt(chute_conn **ret_conn, int fd, bool interruptible);
int conn_attach(chute_conn **ret_conn, int fd, int page_fd, bool interruptible);

/* The door of every operation: a connection, a thread that may use it (*ret_pid
 * is its process), and a timeout. */
int conn_enter(const chute_conn *conn, int64_t timeout_ns,
               int64_t *ret_deadline, pid_t *ret_pid);

/* Wait on the socket. 0, -ETIMEDOUT; -EINTR if that is what the caller wants. */
int conn_wait(const chute_conn *conn, short events, int64_t deadline);

/* -- conn-send.c, conn-recv.c: what handle.c stands on ---------------------- */

int conn_send_fds(chute_conn *conn, const int *fds, int n_fds,
                  int64_t timeout_ns);

/* The number of descriptors, which are the caller's then. */
int conn_recv_fds(chute_conn *conn, int fds[IO_MAX_FDS], int64_t timeout_ns);

/* -- conn-take.c ----------------------------------------------------------- */

/* Where a message is to go: into a caller's buffer, or out as it is; or that it
 * is descriptors that are wanted. */
struct place {
    bool wants_message;
    bool wants_handle;
    int n_fds;           /* out: so many, */
    int fds[IO_MAX_FDS]; /* the caller's */
    void *buf;
    size_t cap;
    size_t len;              /* out: the message's length */
    struct message *message; /* out, if wanted */
    struct message *lent;    /* whose body is on its way into buf */
    bool moved;              /* out: bytes have been taken */
};

/* Take the next message, as far as that goes without waiting. 0 or an error of
 * chute_conn_recv_bytes; or -EAGAIN and one of these in *ret_missing. */
enum take_missing {
    TAKE_MISSES_ALL,   /* nothing is there */
    TAKE_MISSES_REST,  /* the beginning is in our hands */
    TAKE_MISSES_OTHERS /* the beginning is in another process's hands */
};
int conn_take(chute_conn *conn, struct place *place, pid_t pid,
              int64_t deadline, enum take_missing *ret_missing);

/* Leave without the rest of the message that was on its way into the buffer. */
void conn_take_leave(chute_conn *conn, struct place *place);

/* Put a message back: it is the next one again. */
void conn_take_back(chute_conn *conn, struct message *m);

/* The handle goes: what it has taken goes with it. */
void conn_take_forget(chute_conn *conn);

/* -- conn-look.c, all under recv_lock -------------------------------------- */

/* What the next message's header says. */
struct ahead {
    size_t head_len;
    uint64_t len;
};

/* Look at the next message. -EAGAIN: nothing is there; CHUTE_EOF;
 * CHUTE_EPROTO. */
enum {
    LOOK_WHOLE, /* it is short, and all of it is there */
    LOOK_PART,  /* its header is there */
    LOOK_HEAD,  /* a part of its header is there */
    LOOK_HANDLE /* it is no message, but descriptors */
};
int conn_look(chute_conn *conn, struct ahead *ret_ahead);

/* It has been taken. */
void conn_look_taken(chute_conn *conn);

/* Others may have taken something and not said so. */
void conn_look_forget(chute_conn *conn);

#endif
