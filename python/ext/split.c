/* split.c - messages whose large buffers stand beside the pickle.
 *
 * An array of numpy's, or whatever else gives its contents to pickle as a
 * PickleBuffer (PEP 574), need not be copied into the pickle, and out of it. From
 * FEWEST bytes on it is put into the message next to it:
 *
 *     pickle     of protocol 5, which takes the next buffer at each NEXT_BUFFER
 *     buffers    each at a multiple of ALIGNMENT
 *     table      of each its offset and its length
 *     trailer    the length of the pickle, the number of buffers, MAGIC
 *
 * Numbers have 64 bits, in the machine's order. A plain pickle ends with a dot, and
 * MAGIC does not: so neither is taken for the other. Who reads the message as a
 * pickle, which it begins with, finds that it is none of plain data: in C this is
 * CHUTE_ENOTPLAIN, and Python's own pickle.loads says that it wants buffers.
 *
 * It is so in queues only. What goes over a connection may be for a program that
 * does not know chute, and is a pickle.
 *
 * What has been got is one block of memory, and the objects are views of it; it
 * lives as long as any of them. All in a message is somebody else's word: lengths
 * and offsets are checked, in that block, which nobody else can write to; and buffers
 * that lie over each other harm only those who have them.
 *
 * Proof: tests/python/test_split.py.
 */
#include "ext.h"

#define FEWEST    ((Py_ssize_t)64 << 10)
#define ALIGNMENT 64
#define MAGIC     UINT64_C(0x0062007475686300) /* the last byte is no dot */

struct entry {
    uint64_t offset;
    uint64_t len;
};

struct trailer {
    uint64_t pickle_len;
    uint64_t n;
    uint64_t magic;
};

/* -- out -------------------------------------------------------------------- */

/* The pickler's callback: whether the buffer is to be in the pickle. The others
 * go to the list. */
static PyObject *choose(PyObject *list, PyObject *buffer)
{
    const Py_buffer *view = PyPickleBuffer_GetBuffer(buffer);

    if (!view)
        return NULL;
    if (view->len < FEWEST || !PyBuffer_IsContiguous(view, 'A'))
        Py_RETURN_TRUE;
    if (PyList_Append(list, buffer) < 0)
        return NULL;
    Py_RETURN_FALSE;
}

static PyMethodDef choose_def = {"choose", choose, METH_O, NULL};

/* The pickle, as an object with a buffer. */
static PyObject *dump(struct ext_state *state, PyObject *object, PyObject *list)
{
    PyObject *pickle = NULL, *pickler = NULL, *done = NULL;
    PyObject *callback = PyCFunction_New(&choose_def, list);
    PyObject *file = PyObject_CallNoArgs(state->bytes_io);

    if (callback && file)
        pickler = PyObject_CallFunction(state->forking_pickler, "OiOO", file, 5,
                                        Py_True, callback);
    if (pickler)
        done = PyObject_CallMethod(pickler, "dump", "(O)", object);
    if (done)
        pickle = PyObject_CallMethod(file, "getbuffer", NULL);
    Py_XDECREF(done);
    Py_XDECREF(pickler);
    Py_XDECREF(file);
    Py_XDECREF(callback);
    return pickle;
}

static size_t aligned(size_t len)
{
    return (len + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static const Py_buffer *nth(const struct ext_message *message, Py_ssize_t i)
{
    return PyPickleBuffer_GetBuffer(PyList_GET_ITEM(message->buffers, i));
}

static size_t len_of(const struct ext_message *message)
{
    Py_ssize_t n = PyList_GET_SIZE(message->buffers);
    size_t len = aligned((size_t)message->view.len);

    for (Py_ssize_t i = 0; i < n; i++)
        len += aligned((size_t)nth(message, i)->len);
    return len + (size_t)n * sizeof(struct entry) + sizeof(struct trailer);
}

int ext_split_dump(struct ext_state *state, PyObject *object,
                   struct ext_message *ret_message)
{
    PyObject *list = PyList_New(0);
    PyObject *pickle = list ? dump(state, object, list) : NULL;
    int r = pickle
                ? PyObject_GetBuffer(pickle, &ret_message->view, PyBUF_SIMPLE)
                : -1;

    Py_XDECREF(pickle); /* the view holds it */
    if (r == 0 && PyList_GET_SIZE(list) > 0) {
        ret_message->buffers = Py_NewRef(list);
        ret_message->len = len_of(ret_message);
    } else if (r == 0) {
        ret_message->data = ret_message->view.buf;
        ret_message->len = (size_t)ret_message->view.len;
    }
    Py_XDECREF(list);
    return r;
}

static char *append(char *at, const void *data, size_t len)
{
    memcpy(at, data, len);
    return at + len;
}

static char *append_aligned(char *at, const Py_buffer *view)
{
    size_t len = (size_t)view->len;

    at = append(at, view->buf, len);
    memset(at, 0, aligned(len) - len);
    return at + aligned(len) - len;
}

void ext_split_write(const struct ext_message *message, void *to)
{
    Py_ssize_t n = PyList_GET_SIZE(message->buffers);
    struct trailer trailer = {.pickle_len = (uint64_t)message->view.len,
                              .n = (uint64_t)n,
                              .magic = MAGIC};
    char *at = append_aligned(to, &message->view);
    char *table = (char *)to + message->len - sizeof trailer -
                  (size_t)n * sizeof(struct entry);

    for (Py_ssize_t i = 0; i < n; i++) {
        const Py_buffer *view = nth(message, i);
        struct entry entry = {(uint64_t)(at - (char *)to), (uint64_t)view->len};
        at = append_aligned(at, view);
        table = append(table, &entry, sizeof entry);
    }
    append(table, &trailer, sizeof trailer);
}

/* -- in --------------------------------------------------------------------- */

/* Where the table begins, if it is such a message; otherwise 0. */
static size_t table_of(const void *data, size_t len,
                       struct trailer *ret_trailer)
{
    if (len < sizeof *ret_trailer)
        return 0;
    size_t rest = len - sizeof *ret_trailer;
    memcpy(ret_trailer, (const char *)data + rest, sizeof *ret_trailer);
    if (ret_trailer->magic != MAGIC ||
        ret_trailer->n > rest / sizeof(struct entry))
        return 0;
    rest -= (size_t)ret_trailer->n * sizeof(struct entry);
    return ret_trailer->pickle_len <= rest ? rest : 0;
}

bool ext_is_split(const void *data, size_t len)
{
    struct trailer trailer;

    return table_of(data, len, &trailer) > 0;
}

/* Memory that is freed with the last view of it. */
struct block_object {
    PyObject ob_base;
    void *memory;
    Py_ssize_t len;
};

static void block_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyMem_RawFree(((struct block_object *)self)->memory);
    type->tp_free(self);
    Py_DECREF(type);
}

static int block_view(PyObject *self, Py_buffer *view, int flags)
{
    struct block_object *block = (struct block_object *)self;

    return PyBuffer_FillInfo(view, self, block->memory, block->len, 0, flags);
}

/* The whole of a block, as a memoryview. It takes the memory over, in any case. */
static PyObject *view_of_all(struct ext_state *state, void *memory, size_t len)
{
    PyTypeObject *type = state->block_type;
    PyObject *block = type->tp_alloc(type, 0);

    if (!block) {
        PyMem_RawFree(memory);
        return NULL;
    }
    ((struct block_object *)block)->memory = memory;
    ((struct block_object *)block)->len = (Py_ssize_t)len;
    PyObject *view = PyMemoryView_FromObject(block);
    Py_DECREF(block);
    return view;
}

/* Views of the buffers, in a list. */
static PyObject *parts_of(PyObject *all, const char *data, size_t table,
                          size_t n)
{
    PyObject *list = PyList_New(0);
    int r = list ? 0 : -1;

    for (size_t i = 0; r == 0 && i < n; i++) {
        struct entry entry;
        memcpy(&entry, data + table + i * sizeof entry, sizeof entry);
        if (entry.len > table || entry.offset > table - entry.len) {
            PyErr_SetString(PyExc_ValueError, "a buffer outside its message");
            r = -1;
            break;
        }
        PyObject *part =
            PySequence_GetSlice(all, (Py_ssize_t)entry.offset,
                                (Py_ssize_t)(entry.offset + entry.len));
        r = part ? PyList_Append(list, part) : -1;
        Py_XDECREF(part);
    }
    if (r < 0)
        Py_CLEAR(list);
    return list;
}

/* pickle.loads(pickle, buffers=parts) */
static PyObject *load(struct ext_state *state, PyObject *pickle,
                      PyObject *parts)
{
    PyObject *names = Py_BuildValue("(s)", "buffers");
    PyObject *args[] = {pickle, parts};
    PyObject *object =
        names ? PyObject_Vectorcall(state->loads, args, 1, names) : NULL;

    Py_XDECREF(names);
    return object;
}

PyObject *ext_split_loads(struct ext_state *state, void *memory, size_t len)
{
    struct trailer trailer;
    size_t table = table_of(memory, len, &trailer);
    PyObject *parts = NULL, *pickle = NULL, *object = NULL;
    PyObject *all = view_of_all(state, memory, len);

    if (all && table == 0)
        PyErr_SetString(PyExc_ValueError, "a message that changes");
    else if (all)
        parts = parts_of(all, memory, table, (size_t)trailer.n);
    if (parts)
        pickle = PySequence_GetSlice(all, 0, (Py_ssize_t)trailer.pickle_len);
    if (pickle)
        object = load(state, pickle, parts);
    if (!object && all)
        ext_keep_message(memory, len);
    Py_XDECREF(pickle);
    Py_XDECREF(parts);
    Py_XDECREF(all);
    return object;
}

/* -- the type of blocks ------------------------------------------------------ */

static PyType_Slot slots[] = {
    {Py_tp_dealloc, (void *)(uintptr_t)block_dealloc},
    {Py_bf_getbuffer, (void *)(uintptr_t)block_view},
    {Py_tp_doc, "A message that views are of."},
    {0, NULL},
};

PyType_Spec ext_block_spec = {
    .name = "chute._chute.Block",
    .basicsize = sizeof(struct block_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};
