/* stage-conn.h - a pipe, brought into the state in which a scene begins. See
 * stage-conn.c. */
#ifndef STAGE_CONN_H
#define STAGE_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chute/conn.h"
#include "parcel.h"
#include "scene.h"
#include "script.h"

#define LONG_LEN ((size_t)40000)  /* does not go in one step */
#define VAST_LEN ((size_t)400000) /* is more than the socket holds */

/* Lengths that tell who has sent a message. */
#define FILLER_LEN  16
#define OUR_LEN     24
#define HELPERS_LEN 32

/* A message of which this much is there, and no more. */
#define HALF_LEN     ((size_t)2000)
#define FULL_LEN     ((size_t)30000)
#define SECONDS_ID   0x7fffffff
#define SHORT_LEN    ((size_t)32764) /* goes at once, with its header */
#define HANG_NS      CHUTE_SEC(3)
#define IMPATIENT_NS CHUTE_MS(3)
#define BRIEFLY_NS   CHUTE_MS(2)

enum operation { SEND, RECV, POLL, FREE };

enum help { NOBODY, RECEIVER, SENDER, FEEDER, DRAINER, HOLDER, RIVAL, KEEPER };

struct plan {
    enum operation operation;
    enum help help;
    bool cold;
    bool values;
    bool partial;   /* the stream may end whatever the length */
    bool impatient; /* the victim's time may run out */
    void (*prepare)(void);
    enum parcel_kind parcel; /* what travels is a handle */
};

extern struct conn_stage {
    char *scratch; /* SCENE_LEN_MAX bytes, shared */
    const struct scene *scene;
    const struct plan *plan;
    chute_conn *near, *far;
    bool slowly;
    struct entry *victims, *seconds, *helpers;
    struct parcel parcel, seconds_parcel;
    unsigned n_fds; /* before there was anything */
    uint64_t next_id;
    unsigned n_taken; /* messages that dead receivers may have had */
    size_t half_left; /* of a message whose beginning was written */
    bool may_end;     /* the stream may be lost, */
    bool ended;       /* and is */
} conn_stage;

/* Once. */
void conn_stage_begin(void);

bool conn_victim_sends(void);

/* What flows comes from one end and goes to the other. */
chute_conn *conn_from(void);
chute_conn *conn_to(void);

/* Whatever comes next, a message or a handle: its item. */
int conn_recv_any(chute_conn *conn, char *buf, size_t cap, size_t *ret_len,
                  int64_t timeout_ns);

/* One more item in the script, that may miss for now. */
struct entry *conn_announce(uint64_t id, size_t len);

/* The rest of a message of which the beginning was written. */
void conn_write_rest(void);

/* The states. */
void conn_prepare_nothing(void);
void conn_prepare_one(void);
void conn_prepare_noted(void);
void conn_prepare_full(void);
void conn_prepare_half(void);
void conn_prepare_kept(void);
void conn_prepare_left(void);

/* As scene_state(). */
uint64_t conn_state(void);

#endif
