/* timer.c - timeouts as Python has them, and signals.
 *
 * CPython's own signal handler only sets a flag; what the program wants done is
 * done by PyErr_CheckSignals, on the main thread. So handles are made
 * CHUTE_INTERRUPTIBLE: a signal ends the wait, its handler runs with nothing
 * held, even one that uses the same queue, and if it does not raise, the wait
 * goes on for the rest of the time.
 *
 * A signal just before the wait begins would go unnoticed, for the flag is set
 * and nobody looks. So a wait is cut into slices: that much later Ctrl-C works
 * at the latest.
 */
#include <math.h>
#include <time.h>

#include "ext.h"

#define SLICE_NS INT64_C(250000000)

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int ext_timer_start(struct ext_timer *timer, bool block, PyObject *timeout)
{
    timer->forever = false;
    timer->deadline = 0;
    if (!timeout || timeout == Py_None) {
        timer->forever = block;
        return 0;
    }
    double seconds = PyFloat_AsDouble(timeout);
    if (seconds == -1.0 && PyErr_Occurred())
        return -1;
    if (isnan(seconds)) {
        PyErr_SetString(PyExc_ValueError, "timeout is not a number");
        return -1;
    }
    if (!block || seconds <= 0)
        return 0;
    int64_t at = now();
    /* The largest number below 2^63 that a double can be is 1024 less. */
    if (seconds * 1e9 >= (double)(INT64_MAX - at - 1024)) {
        PyErr_SetString(PyExc_OverflowError, "timeout is too large");
        return -1;
    }
    timer->deadline = at + (int64_t)ceil(seconds * 1e9);
    return 0;
}

int64_t ext_timer_left(const struct ext_timer *timer)
{
    if (timer->forever)
        return CHUTE_FOREVER;
    if (timer->deadline == 0)
        return CHUTE_NOWAIT;
    int64_t left = timer->deadline - now();
    return left > 0 ? left : CHUTE_NOWAIT;
}

int64_t ext_timer_slice(const struct ext_timer *timer)
{
    int64_t left = ext_timer_left(timer);

    return left < 0 || left > SLICE_NS ? SLICE_NS : left;
}

int ext_timer_goes_on(const struct ext_timer *timer, int r)
{
    if (r != CHUTE_EINTR && r != CHUTE_ETIMEDOUT)
        return 0;
    if (PyErr_CheckSignals() < 0)
        return -1;
    return r == CHUTE_EINTR || ext_timer_left(timer) != CHUTE_NOWAIT;
}
