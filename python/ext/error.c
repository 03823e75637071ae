/* error.c - which exception a code is.
 *
 * errno's own values become OSError, which finds the subclass by itself
 * (BrokenPipeError, FileNotFoundError); codes that errno does not have are
 * OSError with a text, as multiprocessing raises it in such cases. The few in
 * the table are something else in Python. That the time is up means Empty here
 * and Full there, so callers deal with it first.
 */
#include "ext.h"

PyObject *ext_raise(struct ext_state *state, int r)
{
    PyObject *type = PyExc_OSError;

    switch (r) {
    case CHUTE_ENOMEM:
        return PyErr_NoMemory();
    case CHUTE_EOF:
        PyErr_SetNone(PyExc_EOFError);
        return NULL;
    case CHUTE_ECLOSED:
        PyErr_SetNone(state->shut_down);
        return NULL;
    case CHUTE_EPARTIAL:
        PyErr_SetString(PyExc_OSError, "got end of file during message");
        return NULL;
    case CHUTE_EINVAL:
    case CHUTE_EMSGSIZE:
        type = PyExc_ValueError;
        break;
    default:
        if (r > -4096) {
            errno = -r;
            return PyErr_SetFromErrno(PyExc_OSError);
        }
    }
    PyErr_SetString(type, chute_strerror(r));
    return NULL;
}
