/* torture.h - what the torture programs share. See torture.c.
 *
 * They are programs of their own, not tests of the harness: each prints tables
 * and a verdict, and exits with 0 (the promise held), 1 (it did not), 2 (the
 * program could not do its work) or 77 (it cannot be done on this system).
 * They link the static library, for they look inside queues.
 */
#ifndef TORTURE_H
#define TORTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chute/queue.h"
#include "shm/region.h"

#define EXIT_BROKEN  1
#define EXIT_TROUBLE 2
#define EXIT_SKIP    77

/* What the library promises: after a kill the others go on within so long. */
#define PROMISE_NS CHUTE_MS(100)

/* Say what, and errno, and exit with EXIT_TROUBLE: not the library's fault. */
_Noreturn void trouble(const char *what);

/* For calls that do not fail unless the machine is out of something. */
#define MUST(call)                                                             \
    do {                                                                       \
        if ((call) < 0)                                                        \
            trouble(#call);                                                    \
    } while (0)

/* A queue's insides: its memory is the first thing in it. */
static inline struct region_chain *chain_of(chute_queue *queue)
{
    return (struct region_chain *)(void *)queue;
}

static inline double ms_of(int64_t ns)
{
    return (double)ns * 1e-6;
}

/* The last thing that a test of a torture program says: its row in the table
 * that `make torture` closes with (tests/torture/run collects them). A line
 *
 *     row: NAME POINTS LOST DOUBLED TORN STALL_MS
 *
 * NAME has no spaces and is the program's only row of that name; POINTS are
 * the kills, or the operations if nobody is killed. LOST, DOUBLED and TORN
 * count what breaks the promise, so each has to be 0: an item that died with
 * the getter that held it is not LOST. STALL_MS is the longest that a survivor
 * had to wait, which must not exceed PROMISE_NS. Anything else that may be
 * wrong is said by the exit status. A program may print several rows; one that
 * is missing, or has fewer points than run's floor for it, is a failure too. */
void torture_row(const char *name, unsigned long points, unsigned long lost,
                 unsigned long doubled, unsigned long torn, int64_t stall_ns);

/* A number that looks random, from any number. */
uint64_t mix(uint64_t x);

/* The bytes of item `id`: whoever knows id and len can tell whether an item is
 * whole. */
void item_fill(void *buf, size_t len, uint64_t id);
bool item_is(const void *buf, size_t len, uint64_t id);

/* Zeroed memory that is shared with the children. */
void *shared_new(size_t len);

/* Descriptors that this process has open. */
unsigned count_fds(void);

/* Whether nobody owns a lock of the queue, dead or alive. */
bool locks_are_free(chute_queue *queue);

/* The bytes that the queue's file holds. */
uint64_t held(chute_queue *queue);

/* Whether the queue's file holds no more memory than its regions and blocks are;
 * and, when nobody is at work, just as much. */
bool memory_is_exact(chute_queue *queue);
bool memory_is_as_said(chute_queue *queue);

/* Have the queue forget that it gave memory back a moment ago; then what an
 * empty queue holds after one more look into it. */
uint64_t held_when_empty(chute_queue *queue);

/* The most that an empty queue keeps: see chute/queue.h. And with blocks. */
#define HELD_WHEN_EMPTY  (UINT64_C(4) * 1048576 + 65536)
#define HELD_WITH_BLOCKS (HELD_WHEN_EMPTY + BLOCK_KEEP_LEN)

#endif
