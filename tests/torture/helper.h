/* helper.h - a thread of ours that lends a scene a hand. See helper.c. */
#ifndef HELPER_H
#define HELPER_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct shm_lock;

struct helper {
    /* What it does each time that it is sent. false: it had to do no more than
     * that, or gave up; otherwise it has called the library, which gave r. */
    bool (*act)(void);
    int r;
    int64_t at; /* when act() returned */

    /* Of helper.c; others read. */
    _Atomic bool stop; /* told to give up */
    _Atomic pid_t tid; /* its own */
    bool busy;         /* has been sent, and not been joined */
    bool acted;        /* what act() gave */
    sem_t go, done;
};

/* Once: make the thread. */
void helper_begin(struct helper *helper);

/* Let it act; whether it has; wait until it has, and say whether that is of
 * interest: it was sent, and had something to call. */
void helper_send(struct helper *helper);
bool helper_is_done(struct helper *helper);
bool helper_join(struct helper *helper);

/* Tell it that what it waits for will not come. */
void helper_stop(struct helper *helper);
bool helper_is_stopped(const struct helper *helper);

/* In act(): have the lock until somebody sleeps on it, and some time more. */
void helper_hold(struct helper *helper, struct shm_lock *lock, bool slowly);

/* Let it act while the victim stands still; until it is done, or sleeps on the
 * lock. */
void helper_crowd(struct helper *helper, struct shm_lock *lock);

/* What it lets pass before it lets go of a victim that sleeps. */
void helper_pause(bool slowly);

#endif
