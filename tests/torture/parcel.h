/* parcel.h - an item inside of a handle that travels. See parcel.c. */
#ifndef PARCEL_H
#define PARCEL_H

#include <stddef.h>
#include <stdint.h>

#include "chute/conn.h"
#include "chute/queue.h"

enum parcel_kind { PARCEL_NONE, PARCEL_FD, PARCEL_QUEUE, PARCEL_CONN };

struct parcel {
    enum parcel_kind kind;
    int fd[2];           /* FD: a pipe(2), of which the first travels */
    chute_queue *queue;  /* QUEUE */
    chute_conn *conn[2]; /* CONN: the first travels */
};

/* Wrap the item up. It is short. */
void parcel_pack(struct parcel *parcel, enum parcel_kind kind, const void *item,
                 size_t len);

/* Send it, as often as you like; receive one of that kind, with all that a
 * received one is. What they give is what the library gives. */
int parcel_send(const struct parcel *parcel, chute_conn *conn,
                int64_t timeout_ns);
int parcel_receive(struct parcel *parcel, enum parcel_kind kind,
                   chute_conn *conn, int64_t timeout_ns);

/* The item out of a parcel that was received; 0 if there is none. */
size_t parcel_unpack(const struct parcel *parcel, void *buf, size_t cap);

/* Let go of what this process has of it. All zero is nothing. */
void parcel_free(struct parcel *parcel);

#endif
