/* stage-queue.h - a queue, brought into the state in which a scene begins. See
 * stage-queue.c. */
#ifndef STAGE_QUEUE_H
#define STAGE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chute/queue.h"
#include "scene.h"
#include "script.h"

/* More than the first region holds, and the second: the region that a victim
 * adds for it is larger than what a survivor's item needs. */
#define LARGE_LEN 200000

/* Of an item that makes a region larger than an empty queue keeps. */
#define HUGE_LEN ((size_t)5 << 20)

/* Lengths that tell who has put an item. */
#define FILLER_LEN 16
#define OUR_LEN    24

/* Numbers of items: a victim's second and so on, a second victim's. */
#define MANYS_ID    0x7ffffff0
#define SECONDS_ID  0x7fffffff
#define HELPERS_LEN 32

/* Far more than any survivor may need; a wait that lasts as long has hung. */
#define HANG_NS CHUTE_SEC(3)

/* What a second getter waits for an item. */
#define IMPATIENT_NS CHUTE_MS(1)

enum operation { PUT, GET, CLOSE, WATCH, RESERVE, RELEASE };

enum help {
    NOBODY,
    SLEEPING_GETTER,
    SLEEPING_PUTTER,
    FEEDER,
    DRAINER,
    HOLDER,
    RIVAL,
    WATCHER,           /* waits by a descriptor */
    VICTIM_WATCHES,    /* nobody helps; the victim has a descriptor */
    SLEEPING_RESERVER, /* waits for a block */
    RELEASER           /* lets the sleeping victim have one */
};

struct plan {
    enum operation operation;
    enum help help;
    unsigned maxsize;
    uint64_t memory;
    bool cold;
    bool values;
    bool peeks;    /* GET, but the item stays */
    bool many;     /* SCENE_MANY items at once */
    bool large;    /* if the item has one length: LARGE_LEN */
    bool in_place; /* the victim's item lies in a block; PUT: the commit */
    bool lends;    /* GET, RELEASE: of what is borrowed */
    bool once;     /* too many states for a second victim */
    void (*prepare)(void);
};

/* All scenes, in order; NULL behind the last. In plans-queue.c. */
const struct scene *queue_scene(unsigned wanted);

extern struct queue_stage {
    char *scratch; /* HUGE_LEN bytes, shared: a fork does not copy it */
    const struct scene *scene;
    const struct plan *plan;
    chute_queue *queue;
    bool slowly;
    unsigned n_taken; /* items that dead getters may have had */
    bool closed;      /* the victim's close had returned */
    uint64_t next_id;
} queue_stage;

/* Once. */
void queue_stage_begin(void);

/* The states. */
void queue_prepare_nothing(void);
void queue_prepare_one(void);
void queue_prepare_full(void);
void queue_prepare_wrap(void);
void queue_prepare_edge(void);
void queue_prepare_large(void);

/* As scene_state(). */
uint64_t queue_state(void);

#endif
