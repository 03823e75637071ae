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

/* -- large ones --------------------------------------------------------------
 *
 * A message of a megabyte that gets fresh memory each time costs more in page
 * faults than in copies. So one buffer is kept, up to MOST_SPARE; whoever comes
 * while another thread uses it gets his own.
 */
#define MOST_SPARE ((size_t)8 << 20)

void *ext_buffer_take(struct ext_state *state, size_t *cap)
{
    if (state->spare_cap >= *cap) {
        void *spare = state->spare;
        *cap = state->spare_cap;
        state->spare = NULL;
        state->spare_cap = 0;
        return spare;
    }
    void *buffer = PyMem_RawMalloc(*cap);
    return buffer ? buffer : PyErr_NoMemory();
}

void ext_buffer_give(struct ext_state *state, void *buffer, size_t cap)
{
    if (cap > MOST_SPARE || cap <= state->spare_cap) {
        PyMem_RawFree(buffer);
        return;
    }
    PyMem_RawFree(state->spare);
    state->spare = buffer;
    state->spare_cap = cap;
}

/* -- out -------------------------------------------------------------------- */

/* Bytes too large for the short way, in a buffer that has been used before. */
static int dump_bytes(struct ext_state *state, PyObject *bytes,
                      struct ext_message *ret_message)
{
    ret_message->cap = (size_t)PyBytes_GET_SIZE(bytes) + 16;
    ret_message->buffer = ext_buffer_take(state, &ret_message->cap);
    if (!ret_message->buffer)
        return -1;
    ret_message->data = ret_message->buffer;
    ret_message->len =
        ext_plain_dumps(bytes, ret_message->buffer, ret_message->cap);
    return 0;
}

static int dump_any(struct ext_state *state, PyObject *object,
                    struct ext_message *ret_message)
{
    int left = MOST_ITEMS;
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

int ext_message_dump(struct ext_state *state, PyObject *object,
                     struct ext_message *ret_message)
{
    ret_message->view.obj = NULL;
    ret_message->buffer = NULL;
    ret_message->data = ret_message->small;
    ret_message->len =
        ext_plain_dumps(object, ret_message->small, sizeof ret_message->small);
    if (ret_message->len > 0)
        return 0;
    if (PyBytes_CheckExact(object) &&
        (uint64_t)PyBytes_GET_SIZE(object) <= UINT32_MAX)
        return dump_bytes(state, object, ret_message);
    return dump_any(state, object, ret_message);
}

void ext_message_free(struct ext_state *state, struct ext_message *message)
{
    PyBuffer_Release(&message->view); /* of nothing, perhaps */
    if (message->buffer)
        ext_buffer_give(state, message->buffer, message->cap);
}

/* -- in --------------------------------------------------------------------- */

/* pickle reads it where it lies; nobody keeps a view of it. */
static PyObject *load_any(struct ext_state *state, const void *data, size_t len)
{
    PyObject *view = PyMemoryView_FromMemory((char *)(uintptr_t)data,
                                             (Py_ssize_t)len, PyBUF_READ);

    if (!view)
        return NULL;
    PyObject *object = PyObject_CallOneArg(state->loads, view);
    Py_DECREF(view);
    return object;
}

/* A message that is no object has been taken all the same. So that it is not
 * lost, it is the exception's attribute `message`. */
static void keep_message(const void *data, size_t len)
{
    PyObject *type, *e, *traceback, *message;

    PyErr_Fetch(&type, &e, &traceback);
    PyErr_NormalizeException(&type, &e, &traceback);
    message = PyBytes_FromStringAndSize(data, (Py_ssize_t)len);
    if (!message || PyObject_SetAttrString(e, "message", message) < 0)
        PyErr_Clear();
    Py_XDECREF(message);
    PyErr_Restore(type, e, traceback);
}

PyObject *ext_loads(struct ext_state *state, const void *data, size_t len)
{
    PyObject *object = ext_plain_loads(data, len);

    if (!object)
        object = load_any(state, data, len);
    if (!object)
        keep_message(data, len);
    return object;
}
