/* removal.c - a wait for a message ends when none can come any more.
 *
 * Who has a queue open does not notice that its name is taken away, and may wait
 * for ever. The wait itself has to stay one call: others see by it how long this
 * process has been blocked (chute stat). So a second thread looks once a second,
 *
 *     the name is gone             nobody else can open the queue
 *     it is empty                  all that was put has been taken
 *     no member that has put runs  those who have it open do not put
 *
 * and then interrupts the first with a SIGALRM each second until it goes: one
 * that comes just before a call sleeps would be lost. It takes no other signal
 * itself. A program that has opened the queue, but has put nothing yet, cannot be
 * seen, and does not count.
 *
 * Proof: tests/tool/verbs.py.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "tool.h"

#define LOOK_MS 1000

static struct {
    chute_queue *queue;
    pthread_t waiter, looker;
    int stop[2]; /* a pipe; closed at the end */
    bool runs;
    atomic_bool seen;
} removal;

static bool has_putter(chute_queue *queue)
{
    struct chute_queue_member member = {.size = sizeof member};
    size_t place = 0;

    while (chute_queue_member(queue, &place, &member) == 0)
        if (member.n_put || member.n_putting)
            return true;
    return false;
}

static bool is_over(chute_queue *queue)
{
    struct chute_queue_stats stats = {.size = sizeof stats};

    /* What a putter has put before he left is there when he is not. */
    return chute_queue_stat(queue, &stats) == 0 && stats.unlinked &&
           !has_putter(queue) && chute_queue_empty(queue) == 1;
}

static void *look(void *arg)
{
    struct pollfd stop = {.fd = removal.stop[0]};

    (void)arg;
    while (poll(&stop, 1, LOOK_MS) == 0) {
        if (!is_over(removal.queue))
            continue;
        atomic_store(&removal.seen, true);
        pthread_kill(removal.waiter, SIGALRM);
    }
    return NULL;
}

void removal_watch(chute_queue *queue)
{
    sigset_t all, before;

    if (pipe(removal.stop) < 0)
        return;
    removal.queue = queue;
    removal.waiter = pthread_self();
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    removal.runs = pthread_create(&removal.looker, NULL, look, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

bool removal_seen(void)
{
    return atomic_load(&removal.seen);
}

void removal_end(void)
{
    if (!removal.runs)
        return;
    close(removal.stop[1]);
    pthread_join(removal.looker, NULL);
    close(removal.stop[0]);
    removal.runs = false;
}
