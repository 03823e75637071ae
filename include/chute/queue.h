/* chute/queue.h - a queue between processes.
 *
 * SPDX-License-Identifier: MIT
 *
 * Many producers, many consumers, first in first out: if put A returned before
 * put B began, A is got before B. An item is a message: a pickled value, or
 * bytes as they are; both kinds may share one queue.
 *
 * Promise. put returned 0: the item is published exactly once, whatever then
 * happens to the producer. A put cut short by death: published or not, never
 * in part. get: at most once; a consumer that dies holding an item loses that
 * one. Any participant may be killed at any instruction; the others go on.
 *
 * Threads. Calls marked - may run on one queue at once, from any processes and
 * threads; the caller orders those marked X (free concerns only the calls of
 * its own process).
 *
 *                  put   get   qsize  close  free
 *          put      -     -      -      -     X
 *          get      -     -      -      -     X
 *          close    -     -      -      -     X
 *
 * peek, borrow and wait_fd are like get, reserve, commit and release like put.
 */
#ifndef CHUTE_QUEUE_H
#define CHUTE_QUEUE_H

#include <sys/uio.h>

#include "chute/common.h"
#include "chute/value.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct chute_queue chute_queue;

struct chute_queue_options {
    uint64_t size;    /* sizeof(struct chute_queue_options) */
    uint64_t flags;   /* CHUTE_INTERRUPTIBLE; open: CHUTE_CREATE, _EXCLUSIVE */
    uint64_t maxsize; /* items; 0: no limit but memory; at most 2^30 */
    uint64_t memory;  /* bytes; 0: 8 GiB; 4096 .. 8 GiB */
    uint64_t mode;    /* open: of the file, 0: 0600; new: 0 */
    uint64_t spin_ns; /* see below; at most 1 s, or CHUTE_SPIN_NEVER */
};

/* How long a call of this handle that has to wait looks again and again before
 * it sleeps. A sleeper is woken in some microseconds on its own processor, and in
 * tens on another; who looks sees an item in less than one, and uses up a
 * processor meanwhile. With 0 it looks for about 10 us, yielding the processor to
 * whoever wants it; and for up to 100 us if that would have been enough for its
 * last waits. Given a time, it looks so long, always; CHUTE_SPIN_NEVER: it sleeps
 * at once. */
#define CHUTE_SPIN_NEVER UINT64_MAX

/* Make a nameless queue, for this process and its children.
 *
 * `maxsize` bounds the items in the queue and `memory` the bytes, where an item
 * takes its length rounded up to a multiple of 8, and 16 more. Shared memory is
 * reserved as the queue fills, at most twice `memory` rounded up to a power of
 * two; it is given back as the queue is drained, and a get that finds or leaves
 * the queue empty gives back all but 4 MiB (and 4 MiB of that for messages in
 * their place), once a second at most. Memory that the system does not have is
 * CHUTE_ENOMEM at this call or at a put, never a SIGBUS later; -EFBIG is
 * RLIMIT_FSIZE. Each process maps what it puts to and what it gets from, in pieces
 * of up to twice `memory`: if it has no address space for a piece (RLIMIT_AS), its
 * put or get is CHUTE_ENOMEM too, and nothing is lost. */
CHUTE_API int chute_queue_new(chute_queue **ret_queue,
                              const struct chute_queue_options *options);

/* The file that the queue lies in: whoever has a descriptor for it can use the
 * queue, unless it has a name. Borrowed. It can travel by SCM_RIGHTS
 * (chute_conn_send_queue in handle.h), by fork, by an exec that does not close
 * it. */
CHUTE_API int chute_queue_fd(chute_queue *queue);

/* Make a handle of such a descriptor, for the same queue: all is shared, also
 * with whoever made it and with his children. maxsize and memory are the
 * queue's, and must not be given. What the descriptor shows is checked, here
 * and whenever it is used, so that a forged one can harm the queue that it is,
 * and nothing else.
 * Ownership: on success fd is the queue's, and close-on-exec; on failure it is
 * the caller's still.
 * Errors: CHUTE_EINVAL, it is no sealed file in memory; CHUTE_ECORRUPT, it is
 * one but no queue; CHUTE_ELAYOUT, another version's; CHUTE_ENAMESPACE. */
CHUTE_API int chute_queue_of_fd(chute_queue **ret_queue, int fd,
                                const struct chute_queue_options *options);

/* Open the queue of that name, 1 to 200 of A-Z a-z 0-9 . _ - and no dot in
 * front; with CHUTE_CREATE make it if there is none, and with CHUTE_EXCLUSIVE as
 * well only if there is none. The other options count for a queue that is made;
 * one that is there keeps its own.
 *
 * It is a file in /dev/shm/chute-UID, which is made for the user alone, or in
 * the directory that CHUTE_DIR names in the environment: that has to be there,
 * the user's or root's, and not writable for all. A group may share one
 * (chmod 2770), if queues are made with mode 0660. The queue and what is in it
 * stay when nobody has it open, until it is unlinked or the machine restarts.
 * Nobody can see a queue that is half made. Only a program that may write the
 * file can open it; and such a one might truncate it, which is a SIGBUS to the
 * others: a nameless queue is safe from that.
 *
 * Memory is reserved as in chute_queue_new, from the file system that the file
 * is in; where that has no more it is CHUTE_ENOSPC, at this call or at a put.
 * Conditions: CHUTE_ENOENT, CHUTE_EEXIST.
 * Errors: CHUTE_EACCES (the directory or the file could be somebody else's),
 * CHUTE_EINVAL (a name, or a file, that cannot be a queue's), CHUTE_ECORRUPT
 * (the file is no queue, or was cut short), CHUTE_ELAYOUT (another version's),
 * CHUTE_ENAMESPACE (made in another PID namespace; so are containers' queues,
 * unless they share it), CHUTE_EAGAIN (others make and unlink it all the time),
 * -ENOTDIR (CHUTE_DIR is no directory, or a symbolic link), -EOPNOTSUPP (its
 * file system has no O_TMPFILE, or no fallocate). */
CHUTE_API int chute_queue_open(chute_queue **ret_queue, const char *name,
                               const struct chute_queue_options *options);

/* Take the queue's name away. Who has it open goes on with it, and sees
 * `unlinked` in its statistics; its memory goes with the last of them.
 * Conditions: CHUTE_ENOENT. */
CHUTE_API int chute_queue_unlink(const char *name);

/* The same, but only if nobody has the queue open, in whatever process, and,
 * unless `with_items` is 1, only if it is empty: to clear away what dead programs
 * have left behind. The name of something that cannot be opened as a queue stays.
 * Conditions: CHUTE_ENOENT, CHUTE_EBUSY (somebody has it open), CHUTE_ENOTEMPTY.
 * Errors: as chute_queue_open. */
CHUTE_API int chute_queue_unlink_unused(const char *name, int with_items);

/* Take away the name of a file that cannot be opened as a queue: CHUTE_ECORRUPT
 * or CHUTE_ELAYOUT. It is done in one step: a queue that is made meanwhile by
 * that name stays, and so does a file that a chute of any version has open.
 * Conditions: CHUTE_ENOENT, CHUTE_EBUSY (somebody has it open), CHUTE_EEXIST (it
 * is a queue).
 * Errors: as chute_queue_open. */
CHUTE_API int chute_queue_unlink_broken(const char *name);

/* The names in the directory of chute_queue_open: a list of str, sorted. What
 * they name need not be a queue, or one that can be opened.
 * Ownership: *ret_names is the caller's. */
CHUTE_API int chute_queue_list(chute_value **ret_names);

/* Append v. CHUTE_ENOMEM: no memory for the item; the queue is as it was.
 * Blocks: while the queue is full; with CHUTE_NOWAIT only for a call of
 * somebody else that is copying at that moment.
 * Conditions: CHUTE_ETIMEDOUT (full), CHUTE_ECLOSED, CHUTE_EMSGSIZE (larger
 * than `memory`). */
CHUTE_API int chute_queue_put(chute_queue *queue, chute_value *v,
                              int64_t timeout_ns);

/* Take the oldest item. An item that was taken and is no value (CHUTE_EPICKLE,
 * CHUTE_ENOTPLAIN, or a limit of the decoder), or that there was no memory to
 * decode (CHUTE_ENOMEM), is not lost: *ret_value is then the message itself, a
 * bytes value. Where a failure leaves NULL, nothing was taken. So *ret_value is always written, and always the caller's.
 * Blocks: while the queue is empty; with CHUTE_NOWAIT as in put.
 * Conditions: CHUTE_ETIMEDOUT (empty), CHUTE_EOF (closed and drained),
 * CHUTE_EPICKLE, CHUTE_ENOTPLAIN. */
CHUTE_API int chute_queue_get(chute_queue *queue, chute_value **ret_value,
                              int64_t timeout_ns);

/* The same for bytes as they are, without pickle: 0 bytes to 4 GiB less one.
 * data and buf may be NULL where data_len and cap are 0. get_bytes copies into
 * buf, of cap bytes, and sets *ret_len; an item longer than cap is
 * CHUTE_EMSGSIZE: it stays the oldest, and *ret_len is the length it needs.
 * Blocks: as put and get do.
 * Conditions: as put; as get without the two of the decoder, plus
 * CHUTE_EMSGSIZE. */
CHUTE_API int chute_queue_put_bytes(chute_queue *queue, const void *data,
                                    size_t data_len, int64_t timeout_ns);
CHUTE_API int chute_queue_get_bytes(chute_queue *queue, void *buf, size_t cap,
                                    size_t *ret_len, int64_t timeout_ns);

/* Many at once: for the price of one lock and one wake-up, where several fit.
 *
 * put_many puts n items, in their order, as room comes; items[i] is iov_len bytes
 * at iov_base. Those that one step puts appear together, and no death cuts them
 * in half: as many as there is room for in one piece of the queue's memory, 256
 * KiB at most. *ret_n, which is always written, is how many are in the queue, the
 * first ones; less than n only with a failure, and then the rest is not there.
 * Others' items may come between two steps, and a caller who dies there leaves
 * the first ones.
 * get_many waits for one item, and takes as many as are there, n at most (1 or
 * more). get_many_bytes copies them into buf one after the other, as far as they
 * fit, 256 KiB at most in more than one item; items[i] are set to where they
 * are. With CHUTE_EMSGSIZE items[0].iov_len is the length that the oldest needs.
 * get_many sets ret_values, *ret_n of them; if the last one is no value it is
 * bytes, as in get, and the code says why.
 * The timeout is for the whole call.
 * Blocks: as put and get do.
 * Ownership: of the values put, the *ret_n first are consumed, the others remain
 * the caller's. Those got are the caller's.
 * Conditions: as put, put_bytes, get and get_bytes. */
CHUTE_API int chute_queue_put_many(chute_queue *queue,
                                   chute_value *const *values, size_t n,
                                   size_t *ret_n, int64_t timeout_ns);
CHUTE_API int chute_queue_put_many_bytes(chute_queue *queue,
                                         const struct iovec *items, size_t n,
                                         size_t *ret_n, int64_t timeout_ns);
CHUTE_API int chute_queue_get_many(chute_queue *queue, chute_value **ret_values,
                                   size_t n, size_t *ret_n, int64_t timeout_ns);
CHUTE_API int chute_queue_get_many_bytes(chute_queue *queue, void *buf,
                                         size_t cap, struct iovec *items,
                                         size_t n, size_t *ret_n,
                                         int64_t timeout_ns);

/* Copy the oldest item, as get and get_bytes would take it, and leave it there.
 * Where others get, it may be gone when peek returns, and the next get give
 * another one; where the caller alone gets, it is the next.
 * Blocks: as get does.
 * Conditions: as get; as get_bytes. */
CHUTE_API int chute_queue_peek(chute_queue *queue, chute_value **ret_value,
                               int64_t timeout_ns);
CHUTE_API int chute_queue_peek_bytes(chute_queue *queue, void *buf, size_t cap,
                                     size_t *ret_len, int64_t timeout_ns);

/* -- messages in their place ------------------------------------------------ */

/* A message that lies in the queue's memory, lent to this process: to be filled
 * before it is put, or to be read after it was got. Nobody else sees it meanwhile
 * or waits for it; take as long as you like. 64 of them can be on loan or in the
 * queue at one time, from `memory` bytes in all, besides those of other items; each
 * takes its length rounded up to a multiple of 64 KiB, or more. When the process
 * ends, what it had on loan is free again. A child made by fork does not have its
 * parent's loans. A loan may be used and ended by another thread, by one at a time;
 * chute_queue_free ends all. What is borrowed is for reading only. */
struct chute_loan {
    void *data;     /* aligned to 64; NULL perhaps, if it is empty */
    size_t len;     /* bytes */
    uint64_t place; /* the library's */
};

/* Lend a message of len bytes, to be filled; what is in it is anything.
 * Blocks: while all are in use, or all the memory for them; with CHUTE_NOWAIT
 * only for a call of somebody else that is copying at that moment.
 * Conditions: CHUTE_ETIMEDOUT, CHUTE_ECLOSED, CHUTE_EMSGSIZE (larger than
 * `memory`). Errors: CHUTE_ENOMEM, CHUTE_ENOSPC as put. */
CHUTE_API int chute_queue_reserve(chute_queue *queue,
                                  struct chute_loan *ret_loan, size_t len,
                                  int64_t timeout_ns);

/* Put the message that chute_queue_reserve has lent: it is the youngest item now,
 * as if put_bytes had put loan->len bytes, and whoever gets it, in whatever way,
 * gets bytes. loan->len may have been made less. The loan is over; on failure it
 * goes on, and nothing was put.
 * Blocks: as put does. Conditions: CHUTE_ETIMEDOUT (full), CHUTE_ECLOSED.
 * Errors: as put; CHUTE_EINVAL, it is no such loan of this handle and process, or
 * len is more than was reserved. */
CHUTE_API int chute_queue_commit(chute_queue *queue, struct chute_loan *loan,
                                 int64_t timeout_ns);

/* Take the oldest item, and read it where it lies. One that was put otherwise
 * than by chute_queue_commit is copied into memory of the loan's own.
 * Blocks: as get_bytes.
 * Conditions: CHUTE_ETIMEDOUT, CHUTE_EOF. Errors: CHUTE_ENOMEM; CHUTE_EAGAIN, this
 * handle has lent 64 copies: the item is still there. */
CHUTE_API int chute_queue_borrow(chute_queue *queue,
                                 struct chute_loan *ret_loan,
                                 int64_t timeout_ns);

/* End a loan. A message that was reserved is never put; one that was borrowed is
 * done with. Does not block.
 * Errors: CHUTE_EINVAL, it is no loan of this handle and process: nothing
 * happens. */
CHUTE_API int chute_queue_release(chute_queue *queue, struct chute_loan *loan);

/* How many items are in the queue, and whether that is none, or as many as
 * maxsize allows: exact at one instant between call and return, so after a put
 * or get of one's own has returned it is counted. empty and full give 1 or 0;
 * a queue without maxsize is never full. */
CHUTE_API int chute_queue_qsize(chute_queue *queue, size_t *ret_n_items);
CHUTE_API int chute_queue_empty(chute_queue *queue);
CHUTE_API int chute_queue_full(chute_queue *queue);

/* Refuse further puts, in every process, and wake all who wait. Gets take what
 * is left, then give CHUTE_EOF. Closing a closed queue does nothing.
 * Blocks: for a put that is copying at that moment. */
CHUTE_API int chute_queue_close(chute_queue *queue);

/* A descriptor by which to wait for the queue among other things (chute_wait,
 * poll, select, epoll): readable while a get would not block, that is, while an
 * item is there or the queue is closed. No item waits behind an unreadable one,
 * whoever is killed when. It can be readable though nothing is there: another
 * process has taken the item, or a putter has failed or died just before he would
 * have put it. A get of this process by this handle that finds nothing, or takes
 * the last item, makes it exact, and so does this call; so wait, and then get
 * with CHUTE_NOWAIT. Level-triggered: what EPOLLET reports need not be all.
 *
 * Each handle of each process has one, made by the first call, for all threads.
 * Up to 64 can be asked for one queue; more are CHUTE_EAGAIN. It is a socket; who
 * reads it, or writes to it, may miss items.
 *
 * While somebody waits, the put that ends his wait, and close, make a system call
 * to tell him. Where the system refuses that, they fail, and nothing was put or
 * closed: CHUTE_EMFILE, CHUTE_ENOMEM, CHUTE_EACCES, -EPERM (rules of security),
 * CHUTE_ENETNS (he waits in another network namespace).
 * Blocks: for a put that is copying at that moment.
 * Ownership: the descriptor is the queue's, and goes with chute_queue_free; it is
 * close-on-exec.
 * Errors: CHUTE_EAGAIN, CHUTE_EMFILE, CHUTE_ENOMEM; and those of put.
 * Fork: the child inherits its parent's, which tells the parent's handle; it
 * calls this for its own, which takes the place of the inherited one. */
CHUTE_API int chute_queue_wait_fd(chute_queue *queue);

struct chute_queue_stats {
    uint64_t size;     /* set by the caller: sizeof(struct chute_queue_stats) */
    uint64_t n_items;  /* items in the queue */
    uint64_t used;     /* bytes they take, of `memory`; 32 each that lie in
                          their place, and so in all sums, however long */
    uint64_t reserved; /* bytes of shared memory held for items */
    uint64_t n_rescues; /* waits that the clock ended though work was there:
                           wake-ups lost with those that were killed, and on an
                           overloaded machine perhaps one that came very late */
    uint64_t n_deaths;  /* participants that died inside a put or a get */
    uint64_t unlinked;  /* 1: it had a name, and has lost it */
    uint64_t maxsize;   /* the options that it was made with; maxsize 0: */
    uint64_t memory;    /* no limit */
    uint64_t closed;    /* 1: it is */
    int64_t oldest_ns;  /* age of the oldest item, to some milliseconds; 0 if
                           there is none, or they come and go too fast */
    uint64_t n_put;     /* items since it was made; and their bytes, where each
                           item counts as a multiple of 8 */
    uint64_t n_got;
    uint64_t n_bytes_put;
    uint64_t n_bytes_got;
    uint64_t n_items_most; /* as many items as there ever were at once */
    uint64_t n_full_waits; /* puts and gets that had to sleep */
    uint64_t n_empty_waits;
    uint64_t n_members; /* processes that put or get now */
    uint64_t n_gone;    /* those that ended, or were killed, without freeing
                           the queue: as many as have been noticed */
    uint64_t
        put_owner; /* the thread that is inside a put, or a get, now: its */
    uint64_t get_owner; /* id as the system has it; 0: none. One that stays
                           is stopped, or copies something very large */
};

/* Fill *ret_stats as far as its size goes. For tests, tools, and whoever is on
 * call: the figures are read one by one while others go on. Takes no lock, does
 * not wait for anybody, and does not make the caller a member. */
CHUTE_API int chute_queue_stat(chute_queue *queue,
                               struct chute_queue_stats *ret_stats);

/* A process that has put, got or peeked by a handle that it has not freed. */
struct chute_queue_member {
    uint64_t size; /* set by the caller */
    uint64_t pid;
    char program[16];    /* the beginning of its program's name */
    int64_t attached_ns; /* how long it has been a member */
    uint64_t n_put;      /* items */
    uint64_t n_got;
    uint64_t n_putting; /* threads of it that wait for room now, and how long */
    int64_t putting_ns; /* at least one of them has */
    uint64_t n_getting; /* the same for an item */
    int64_t getting_ns;
};

/* The members of the queue, one a call: *place is 0 before the first call, and
 * is changed by each. At most 128 are known; the queue works for more. A process
 * that holds the queue and has not used it is none; one with two handles is two.
 * Conditions: CHUTE_EOF, there are no more. */
CHUTE_API int chute_queue_member(chute_queue *queue, size_t *place,
                                 struct chute_queue_member *ret_member);

/* Let go of the queue in this process; NULL is fine. The queue itself, and what
 * is in it, live as long as any process holds it, or it has a name. Always
 * NULL. */
CHUTE_API chute_queue *chute_queue_free(chute_queue *queue);

#ifdef __cplusplus
}
#endif
#endif /* CHUTE_QUEUE_H */
