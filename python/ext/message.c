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

int ext_buffer_take(struct ext_state *state, size_t cap,
                    struct ext_buffer *ret_buffer)
{
    if (state->spare.cap >= cap) {
        *ret_buffer = state->spare;
        state->spare = (struct ext_buffer){.data = NULL};
        return 0;
    }
    ret_buffer->data = PyMem_RawMalloc(cap);
    ret_buffer->cap = cap;
    if (ret_buffer->data)
        return 0;
    PyErr_NoMemory();
    return -1;
}

void ext_buffer_give(struct ext_state *state, struct ext_buffer *buffer)
{
    if (buffer->cap > MOST_SPARE || buffer->cap <= state->spare.cap) {
        PyMem_RawFree(buffer->data);
        return;
    }
    PyMem_RawFree(state->spare.data);
    state->spare = *buffer;
}

/* -- out -------------------------------------------------------------------- */

static void write_number(char *at, uint64_t number, int n)
{
    for (int i = 0; i < n; i++)
        at[i] = (char)(number >> 8 * i);
}

/* Bytes, or a bytearray, too large for the short way: where they lie they are the
 * message's large part, between an opcode with their length and a dot. */
static int dump_bytes(PyObject *bytes, struct ext_message *ret_message)
{
    bool is_bytes = PyBytes_CheckExact(bytes);
    char *head = ret_message->small;

    if (PyObject_GetBuffer(bytes, &ret_message->view, PyBUF_SIMPLE) < 0)
        return -1;
    uint64_t len = (uint64_t)ret_message->view.len;
    memcpy(head,
           is_bytes ? "\x80\x04"
                      "B"
                    : "\x80\x05\x96",
           3);
    write_number(head + 3, len, is_bytes ? 4 : 8);
    ret_message->n_head = is_bytes ? 3 + 4 : 3 + 8;
    ret_message->len = ret_message->n_head + (size_t)len + 1;
    return 0;
}

static bool is_large_bytes(PyObject *object)
{
    if (PyBytes_CheckExact(object))
        return (uint64_t)PyBytes_GET_SIZE(object) <= UINT32_MAX;
    return PyByteArray_CheckExact(object) &&
           PyByteArray_GET_SIZE(object) >
               (Py_ssize_t)sizeof(((struct ext_message *)0)->small);
}

static void be_empty(struct ext_message *message)
{
    message->data = NULL;
    message->view.obj = NULL;
    message->buffers = NULL;
    message->buffer.data = NULL;
}

/* Be what an object has in its buffer. The view holds the object. */
static int be_bytes_of(PyObject *object, struct ext_message *message)
{
    if (PyObject_GetBuffer(object, &message->view, PyBUF_SIMPLE) < 0)
        return -1;
    message->data = message->view.buf;
    message->len = (size_t)message->view.len;
    return 0;
}

int ext_message_of_bytes(PyObject *bytes, struct ext_message *ret_message)
{
    be_empty(ret_message);
    return be_bytes_of(bytes, ret_message);
}

static int dump_by(PyObject *dumps, PyObject *object,
                   struct ext_message *ret_message)
{
    PyObject *pickle = PyObject_CallOneArg(dumps, object);
    int r = pickle ? be_bytes_of(pickle, ret_message) : -1;

    Py_XDECREF(pickle);
    return r;
}

int ext_message_dump(struct ext_state *state, PyObject *object,
                     enum ext_form form, struct ext_message *ret_message)
{
    int left = MOST_ITEMS;

    be_empty(ret_message);
    ret_message->len =
        ext_plain_dumps(object, ret_message->small, sizeof ret_message->small);
    if (ret_message->len > 0) {
        ret_message->data = ret_message->small;
        return 0;
    }
    if (is_large_bytes(object))
        return dump_bytes(object, ret_message);
    if (is_plain(object, MOST_LEVELS, &left))
        return dump_by(state->plain_dumps, object, ret_message);
    return form == EXT_SPLIT
               ? ext_split_dump(state, object, ret_message)
               : dump_by(state->forking_dumps, object, ret_message);
}

void ext_message_write(const struct ext_message *message, void *to)
{
    char *at = to;

    if (message->data) {
        memcpy(at, message->data, message->len);
    } else if (message->buffers) {
        ext_split_write(message, to);
    } else {
        memcpy(at, message->small, message->n_head);
        at += message->n_head;
        memcpy(at, message->view.buf, (size_t)message->view.len);
        at[message->view.len] = '.';
    }
}

int ext_message_join(struct ext_state *state, struct ext_message *message)
{
    if (message->data)
        return 0;
    if (ext_buffer_take(state, message->len, &message->buffer) < 0)
        return -1;
    ext_message_write(message, message->buffer.data);
    message->data = message->buffer.data;
    return 0;
}

void ext_message_free(struct ext_state *state, struct ext_message *message)
{
    PyBuffer_Release(&message->view); /* of nothing, perhaps */
    Py_XDECREF(message->buffers);
    if (message->buffer.data)
        ext_buffer_give(state, &message->buffer);
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
void ext_keep_message(const void *data, size_t len)
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
        ext_keep_message(data, len);
    return object;
}

PyObject *ext_item_loads(struct ext_state *state, const void *data, size_t len)
{
    if (!ext_is_split(data, len))
        return ext_loads(state, data, len);
    void *memory = PyMem_RawMalloc(len);
    if (!memory)
        return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS memcpy(memory, data, len);
    Py_END_ALLOW_THREADS return ext_split_loads(state, memory, len);
}
