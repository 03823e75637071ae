/* helper.c - a thread of ours that lends a scene a hand.
 *
 * One operation needs another beside it: who sleeps when the victim comes, who
 * gives a sleeping victim what it waits for, who has the lock, who wants it as
 * well. That is the helper's; what exactly, the kind of scene says (act). It is
 * a thread, for the scenes' objects are ours alone.
 */
#define _GNU_SOURCE
#include "helper.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "plat/plat.h"
#include "shm/lock.h"
#include "torture.h"

static void down(sem_t *sem)
{
    while (sem_wait(sem) < 0)
        ;
}

static void *run(void *arg)
{
    struct helper *helper = arg;

    atomic_store(&helper->tid, (pid_t)syscall(SYS_gettid));
    for (;;) {
        down(&helper->go);
        helper->acted = helper->act();
        helper->at = plat_now();
        sem_post(&helper->done);
    }
    return NULL;
}

void helper_begin(struct helper *helper)
{
    pthread_t thread;

    if (sem_init(&helper->go, 0, 0) < 0 || sem_init(&helper->done, 0, 0) < 0 ||
        pthread_create(&thread, NULL, run, helper) != 0)
        trouble("the helper");
    pthread_detach(thread);
    while (!atomic_load(&helper->tid))
        usleep(20);
}

void helper_send(struct helper *helper)
{
    atomic_store(&helper->stop, false);
    helper->busy = true;
    sem_post(&helper->go);
}

bool helper_is_done(struct helper *helper)
{
    int done = 0;

    (void)sem_getvalue(&helper->done, &done);
    return done > 0;
}

bool helper_join(struct helper *helper)
{
    if (!helper->busy)
        return false;
    down(&helper->done);
    helper->busy = false;
    return helper->acted;
}

void helper_stop(struct helper *helper)
{
    atomic_store(&helper->stop, true);
}

bool helper_is_stopped(const struct helper *helper)
{
    return atomic_load(&helper->stop);
}

void helper_pause(bool slowly)
{
    usleep(slowly ? 20000 : 200);
}

static bool has_waiters(struct shm_lock *lock)
{
    return atomic_load(&lock->word) & PLAT_WAITERS;
}

void helper_hold(struct helper *helper, struct shm_lock *lock, bool slowly)
{
    MUST(lock_take(lock, PLAT_NEVER, false));
    while (!has_waiters(lock) && !helper_is_stopped(helper))
        usleep(20);
    helper_pause(slowly);
    lock_drop(lock);
}

void helper_crowd(struct helper *helper, struct shm_lock *lock)
{
    helper_send(helper);
    while (!helper_is_done(helper) && !has_waiters(lock))
        usleep(20);
    if (!helper_is_done(helper))
        usleep(50);
}
