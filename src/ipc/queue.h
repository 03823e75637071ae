/* queue.h - what the two parts of the queue's public face share.
 *
 *     queue-make.c   makes, opens and frees queues
 *     queue.c        puts and gets
 */
#ifndef IPC_QUEUE_H
#define IPC_QUEUE_H

#include <stdbool.h>

#include "chute/queue.h"
#include "shm/region.h"

struct chute_queue {
    struct region_chain chain; /* first: tests reach it by a cast */
    bool interruptible;
};

#endif
