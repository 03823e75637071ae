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

/* -- queue-many.c ----------------------------------------------------------- */

PyObject *ext_queue_put_many(PyObject *self, PyObject *const *given,
                             Py_ssize_t n_given, PyObject *keywords);
PyObject *ext_queue_get_many(PyObject *self, PyObject *const *given,
                             Py_ssize_t n_given, PyObject *keywords);

#endif /* EXT_QUEUE_H */
