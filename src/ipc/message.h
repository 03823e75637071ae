/* message.h - a message that has been taken off a stream, or the first part of
 * one. See message.c.
 */
#ifndef IPC_MESSAGE_H
#define IPC_MESSAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "ipc/frame.h"

struct message {
    struct message *next; /* in a list */
    pid_t owner;          /* the process that took it */
    bool announced;       /* other processes may be waiting for its end */
    size_t n_head;        /* bytes of the header that are here */
    uint64_t max_len;     /* what the header may say */
    size_t len;           /* what the header says, once all of it is here */
    size_t have;          /* bytes of the body that are here */
    size_t cap;           /* bytes of the body that have a place */
    /* A caller's memory, where the body goes for as long as he waits for it. */
    unsigned char *_Atomic lent;
    unsigned char head[FRAME_MAX];
    unsigned char data[];
};

/* An empty message with room for cap bytes; NULL if memory is short. */
struct message *message_new(size_t cap, pid_t owner);

/* Free a list of messages, or none. */
void message_free(struct message *m);

/* How many bytes of header are missing, at least; with 0, m->len is known.
 * CHUTE_EPROTO, CHUTE_EOVERSIZE (more than max_len), CHUTE_ENOMEM (no memory can
 * hold so much). */
int message_missing(struct message *m);

/* Where the next bytes off the stream go. 1; 0 if the message is whole; the
 * errors of message_missing, or CHUTE_ENOMEM. May move *m. */
int message_want(struct message **m, struct iovec *ret_to);

/* n bytes have gone where message_want said. */
void message_got(struct message *m, size_t n);

/* Let the body, of which the length is known and nothing has come, go into buf,
 * which has room for it. Memory for what would come if the caller had to take
 * buf back is had before; if there is none, nothing changes. May move *m. */
bool message_lend(struct message **m, void *buf);

/* Take buf back: what has come moves into the message. By the lender alone, who
 * needs no lock for it: until then nobody else does anything to the message. */
void message_unlend(struct message *m);

static inline unsigned char *message_lent(const struct message *m)
{
    /* acquire: pairs with the release in message_unlend(). */
    return atomic_load_explicit(&m->lent, memory_order_acquire);
}

#endif
