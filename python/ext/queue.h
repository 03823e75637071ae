/* queue.h - what the two parts of a queue's object share.
 */
#ifndef EXT_QUEUE_H
#define EXT_QUEUE_H

#include "ext.h"

struct queue_object {
    PyObject ob_base;
    struct ext_state *state;
    chute_queue *queue;
    uint64_t closed_at; /* the state's n_forks when it was closed, or 0 */
    bool was_put_to;    /* by this object */
    bool lacks_loans;   /* see queue-large.c */
};

static inline struct queue_object *cast(PyObject *self)
{
    return (struct queue_object *)self;
}

/* -- queue.c ---------------------------------------------------------------- */

/* Whether it may be used; the timer of a call. -1 with an exception. */
int ext_queue_enter(struct queue_object *self);
int ext_queue_timer(struct ext_timer *timer, PyObject *block,
                    PyObject *timeout);

/* What comes of an object that could not be encoded; the exception is set. 0 if
 * the hook has dealt with it, -1 with an exception. */
int ext_queue_report(struct queue_object *self, PyObject *object);

/* What comes of a put that has given r; -1 with an exception. */
int ext_queue_end_put(struct queue_object *self, int r);

/* -- queue-large.c ---------------------------------------------------------- */

/* Put a message where it is to lie: 1, done; 0, it is too small, or has to go the
 * common way; -1 with an exception. */
int ext_queue_put_large(struct queue_object *self,
                        const struct ext_message *message,
                        const struct ext_timer *timer);

/* What becomes of an item, of which nothing may be kept: an object, or the bytes
 * that it is. */
typedef PyObject *ext_made(struct ext_state *state, const void *data,
                           size_t len);

/* Take the oldest item, if there is one, of any length. The result is chute's code;
 * *ret_object is what it has become, or NULL with an exception. */
int ext_queue_get_large(struct queue_object *self, ext_made *make,
                        PyObject **ret_object);

/* -- queue-many.c ----------------------------------------------------------- */

PyObject *ext_queue_put_many(PyObject *self, PyObject *const *given,
                             Py_ssize_t n_given, PyObject *keywords);
PyObject *ext_queue_get_many(PyObject *self, PyObject *const *given,
                             Py_ssize_t n_given, PyObject *keywords);

#endif /* EXT_QUEUE_H */
