/* loan-scene.h - what the tests of messages in their place share.
 *
 *     test-queue-loan.c        what goes in, what comes out, what is refused
 *     test-queue-loan-wait.c   none left, who waits for one, who wakes them
 *     test-queue-loan-death.c  what the dead leave, and what gives memory back
 *
 * What is lent is nobody else's until it is committed or released; so most tests
 * end with all that there are being free again.
 */
#ifndef LOAN_SCENE_H
#define LOAN_SCENE_H

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <chute.h>

#include "asleep.h"
#include "ipc/queue.h"
#include "queue-scene.h"
#include "test.h"

#define ALL SHM_N_BLOCKS

static inline struct chute_loan reserved(chute_queue *q, size_t len)
{
    struct chute_loan loan;

    CHECK_OK(chute_queue_reserve(q, &loan, len, CHUTE_NOWAIT));
    CHECK(loan.data != NULL);
    CHECK_EQ((uintptr_t)loan.data % 64, 0);
    CHECK_EQ(loan.len, len);
    return loan;
}

static inline struct chute_loan filled(chute_queue *q, const void *data,
                                       size_t len)
{
    struct chute_loan loan = reserved(q, len);

    memcpy(loan.data, data, len);
    return loan;
}

static inline void commit(chute_queue *q, struct chute_loan loan)
{
    CHECK_OK(chute_queue_commit(q, &loan, CHUTE_NOWAIT));
}

static inline void release(chute_queue *q, struct chute_loan loan)
{
    CHECK_OK(chute_queue_release(q, &loan));
}

static inline struct chute_loan borrowed(chute_queue *q)
{
    struct chute_loan loan;

    CHECK_OK(chute_queue_borrow(q, &loan, CHUTE_NOWAIT));
    CHECK(loan.data != NULL);
    CHECK_EQ((uintptr_t)loan.data % 64, 0);
    return loan;
}

static inline void put_in_place(chute_queue *q, const char *text)
{
    commit(q, filled(q, text, strlen(text)));
}

static inline void put(chute_queue *q, const char *text)
{
    CHECK_OK(chute_queue_put_bytes(q, text, strlen(text), CHUTE_NOWAIT));
}

static inline void check_is(struct chute_loan loan, const char *text)
{
    CHECK_EQ(loan.len, strlen(text));
    CHECK_MEM(loan.data, text, loan.len);
}

static inline void check_got(chute_queue *q, const char *text)
{
    char buf[64];
    size_t len;

    CHECK_OK(chute_queue_get_bytes(q, buf, sizeof buf, &len, CHUTE_NOWAIT));
    CHECK_EQ(len, strlen(text));
    CHECK_MEM(buf, text, len);
}

static inline void check_borrowed(chute_queue *q, const char *text)
{
    struct chute_loan loan = borrowed(q);

    check_is(loan, text);
    release(q, loan);
}

static inline void reserve_all(chute_queue *q, struct chute_loan loans[ALL])
{
    for (int i = 0; i < ALL; i++)
        loans[i] = reserved(q, 1);
}

static inline void release_all(chute_queue *q, const struct chute_loan *loans,
                               int n)
{
    for (int i = 0; i < n; i++)
        release(q, loans[i]);
}

/* Each can be lent, and no more than that. */
static inline void check_all_are_free(chute_queue *q)
{
    struct chute_loan loans[ALL], more;

    reserve_all(q, loans);
    CHECK_ERR(chute_queue_reserve(q, &more, 1, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    release_all(q, loans, ALL);
}

/* Nothing is in the queue or on loan. */
static inline void check_is_as_new(chute_queue *q)
{
    CHECK_EQ(qsize(q), 0);
    CHECK_EQ(stat_of(q).used, 0);
    check_all_are_free(q);
}

static inline struct shm_queue *shm_of(chute_queue *q)
{
    return q->chain.shm;
}

/* Another handle, as an unrelated process would have it. */
static inline chute_queue *another(chute_queue *q)
{
    chute_queue *copy;
    int fd = dup(chute_queue_fd(q));

    CHECK(fd >= 0);
    CHECK_OK(chute_queue_of_fd(&copy, fd, NULL));
    return copy;
}

static size_t wanted;

static inline void reserve_one(chute_queue *q)
{
    struct chute_loan loan;

    CHECK_OK(chute_queue_reserve(q, &loan, wanted, CHUTE_FOREVER));
    memset(loan.data, 'x', wanted);
    CHECK_OK(chute_queue_release(q, &loan));
    chute_queue_free(q);
}

/* A child that sleeps because none is left for so many bytes. */
static inline pid_t waiter(chute_queue *q, size_t len)
{
    wanted = len;
    pid_t pid = child(reserve_one, q);
    await_sleep(pid);
    return pid;
}

#endif
