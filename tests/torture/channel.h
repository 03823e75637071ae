/* channel.h - what the soak's items go through. See channel.c. */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chute/conn.h"
#include "chute/queue.h"

enum channel_kind {
    CHANNEL_BYTES,   /* a queue, of bytes as they are */
    CHANNEL_VALUES,  /* a queue, of values */
    CHANNEL_WATCHED, /* a queue of bytes, whose getters wait by a descriptor */
    CHANNEL_LENT,    /* a queue, of bytes in their place and others, by turns */
    CHANNEL_PIPE,    /* a pipe, each end shared by all of its side */
    CHANNEL_LONG     /* the same, and messages may be too long to go at once */
};

struct channel {
    enum channel_kind kind;
    unsigned maxsize; /* of a queue; 0: grows */
    chute_queue *queue;
    int wait_fd; /* a getter's own, of a queue that is watched */
    unsigned n;  /* puts and gets of this process, of those by turns */
    chute_conn *from, *to;
};

void channel_begin(struct channel *channel, enum channel_kind kind,
                   unsigned maxsize, uint64_t memory);

/* In a child, which puts or gets: let go of the end that is not its own, ask for
 * what is. */
void channel_join(struct channel *channel, bool puts);

int channel_put(struct channel *channel, const char *buf, size_t len,
                int64_t timeout_ns);
int channel_get(struct channel *channel, char *buf, size_t cap, size_t *ret_len,
                int64_t timeout_ns);

/* Whether a put, or a get, that waits now would have reason to get on; the bytes
 * that wait to be got; and two words that change with each put and each get, if
 * the channel itself has such. */
struct channel_view {
    bool may_put, may_get;
    uint64_t used;
    bool has_words;
    uint64_t put_word, get_word;
};

void channel_look(struct channel *channel, struct channel_view *ret_view);

/* All who put have gone: let the others see the end. */
void channel_close(struct channel *channel);

/* What is wrong with it now that it is drained and all have gone, or NULL. */
const char *channel_check(struct channel *channel);

/* Rescues by the tick, and participants that died with a lock in hand. */
void channel_stat(struct channel *channel, unsigned long *ret_n_rescues,
                  unsigned long *ret_n_deaths);

void channel_end(struct channel *channel);

#endif
