/* queue-large.c - large messages, written and read in the queue's own memory.
 *
 * An object of a megabyte is to be copied once on its way in and once on its way
 * out. So from FEWEST bytes on put writes the message into memory that the queue
 * lends (chute_queue_reserve), and get makes the object of the message where it
 * lies (chute_queue_borrow).
 *
 * There are few loans, and a queue of Python's takes as many objects as it has
 * memory for. So where there is none put does without: it makes the message in
 * memory of its own, and has it copied. It waits a moment for one first, for where
 * somebody gets, one comes free soon, and waiting costs less than copying twice.
 * When nobody gets, one wait has shown it: there is no other until a loan is to be
 * had at once.
 *
 * No object keeps a loan. Whoever collects a hundred arrays would have all of them,
 * and the others none.
 *
 * Proof: tests/python/test_split.py.
 */
#include "queue.h"

#define FEWEST ((size_t)64 << 10)

#define MOMENT_NS INT64_C(1000000)

/* -- put -------------------------------------------------------------------- */

static int reserve_for(struct queue_object *self, size_t len, int64_t timeout,
                       struct chute_loan *ret_loan)
{
    int r;

    Py_BEGIN_ALLOW_THREADS r =
        chute_queue_reserve(self->queue, ret_loan, len, timeout);
    Py_END_ALLOW_THREADS return r;
}

/* chute's code, and if it is one put may do without. */
static int reserve(struct queue_object *self, size_t len,
                   const struct ext_timer *timer, struct chute_loan *ret_loan)
{
    int64_t moment = ext_timer_slice(timer);
    int r = reserve_for(self, len, CHUTE_NOWAIT, ret_loan);

    if (r == CHUTE_ETIMEDOUT && moment != CHUTE_NOWAIT && !self->lacks_loans) {
        r = reserve_for(self, len, moment < MOMENT_NS ? moment : MOMENT_NS,
                        ret_loan);
        self->lacks_loans = r == CHUTE_ETIMEDOUT;
    } else if (r == 0) {
        self->lacks_loans = false;
    }
    return r;
}

int ext_queue_put_large(struct queue_object *self,
                        const struct ext_message *message,
                        const struct ext_timer *timer)
{
    struct chute_loan loan;
    int r, goes_on;

    if (message->len < FEWEST || reserve(self, message->len, timer, &loan) < 0)
        return 0;
    ext_message_write(message, loan.data);
    do {
        int64_t slice = ext_timer_slice(timer);
        Py_BEGIN_ALLOW_THREADS r =
            chute_queue_commit(self->queue, &loan, slice);
        Py_END_ALLOW_THREADS goes_on = ext_timer_goes_on(timer, r);
    } while (goes_on > 0);
    if (r < 0)
        (void)chute_queue_release(self->queue, &loan);
    r = goes_on < 0 ? -1 : ext_queue_end_put(self, r);
    return r < 0 ? -1 : 1;
}

/* -- get -------------------------------------------------------------------- */

int ext_queue_get_large(struct queue_object *self, ext_made *make,
                        PyObject **ret_object)
{
    struct chute_loan loan;
    int r;

    Py_BEGIN_ALLOW_THREADS r =
        chute_queue_borrow(self->queue, &loan, CHUTE_NOWAIT);
    Py_END_ALLOW_THREADS if (r < 0) return r;
    *ret_object = make(self->state, loan.data, loan.len);
    (void)chute_queue_release(self->queue, &loan);
    return 0;
}
