/* message.c - objects as bytes, and back.
 *
 * Objects go through multiprocessing's ForkingPickler, where libraries register
 * how theirs are to travel. It costs five times as much as pickle.dumps, because
 * it makes a pickler in Python for each object; and it makes no difference for
 * plain data: the pickler asks nobody about an object that is exactly a list, a
 * str, an int. So whoever consists of those alone, and is small enough to be
 * looked through, takes the short way. What comes out is the same. Still shorter
 * is the way of the smallest, which are most: plain.c.
 */
#include "ext.h"

/* How deep, and at how many items, it pays to look. A sum, so that a list which
 * holds itself is given up. */
#define MOST_LEVELS 8
#define MOST_ITEMS  512

static bool is_plain(PyObject *object, int levels, int *left);

static bool are_plain(PyObject *const *items, Py_ssize_t n, int levels,
                      int *left)
{
    for (Py_ssize_t i = 0; i < n; i++)
        if (!is_plain(items[i], levels, left))
            return false;
    return true;
}

static bool is_plain_dict(PyObject *dict, int levels, int *left)
{
    Py_ssize_t i = 0;
    PyObject *key, *value;

    while (PyDict_Next(dict, &i, &key, &value))
        if (!is_plain(key, levels, left) || !is_plain(value, levels, left))
            return false;
    return true;
}

static bool is_plain(PyObject *object, int levels, int *left)
{
    if (--*left < 0)
        return false;
    if (object == Py_None || PyUnicode_CheckExact(object) ||
        PyLong_CheckExact(object) || PyBytes_CheckExact(object) ||
        PyFloat_CheckExact(object) || PyBool_Check(object))
        return true;
    if (--levels < 0)
        return false;
    if (PyList_CheckExact(object) || PyTuple_CheckExact(object))
        return are_plain(PySequence_Fast_ITEMS(object),
                         PySequence_Fast_GET_SIZE(object), levels, left);
    return PyDict_CheckExact(object) && is_plain_dict(object, levels, left);
}

int ext_message_dump(struct ext_state *state, PyObject *object,
                     struct ext_message *ret_message)
{
    int left = MOST_ITEMS;

    ret_message->view.obj = NULL;
    ret_message->data = ret_message->small;
    ret_message->len =
        ext_plain_dumps(object, ret_message->small, sizeof ret_message->small);
    if (ret_message->len > 0)
        return 0;
    PyObject *dumps = is_plain(object, MOST_LEVELS, &left)
                          ? state->plain_dumps
                          : state->forking_dumps;
    PyObject *pickle = PyObject_CallOneArg(dumps, object);
    if (!pickle)
        return -1;
    int r = PyObject_GetBuffer(pickle, &ret_message->view, PyBUF_SIMPLE);
    Py_DECREF(pickle); /* the buffer holds it */
    if (r < 0)
        return -1;
    ret_message->data = ret_message->view.buf;
    ret_message->len = (size_t)ret_message->view.len;
    return 0;
}

void ext_message_free(struct ext_message *message)
{
    PyBuffer_Release(&message->view); /* of nothing, perhaps */
}

PyObject *ext_loads_bytes(struct ext_state *state, PyObject *message)
{
    if (!message)
        return NULL;
    PyObject *object = PyObject_CallOneArg(state->loads, message);
    Py_DECREF(message);
    return object;
}

PyObject *ext_loads(struct ext_state *state, const void *data, size_t len)
{
    PyObject *object = ext_plain_loads(data, len);

    return object ? object
                  : ext_loads_bytes(state, PyBytes_FromStringAndSize(
                                               data, (Py_ssize_t)len));
}
