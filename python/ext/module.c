/* module.c - the module `chute._chute`.
 *
 * Types on the heap, state of its own for each interpreter, made in two phases
 * (PEP 489, 573). The package imports it, and nobody else should.
 */
#include "ext.h"

struct ext_state *ext_state_of(PyTypeObject *type)
{
    PyObject *module = PyType_GetModuleByDef(type, &ext_module);

    return module ? PyModule_GetState(module) : NULL;
}

/* A name out of another module; NULL with an exception. */
static PyObject *name_of(const char *module_name, const char *name)
{
    PyObject *module = PyImport_ImportModule(module_name);

    if (!module)
        return NULL;
    PyObject *object = PyObject_GetAttrString(module, name);
    Py_DECREF(module);
    return object;
}

/* queue.ShutDown is there since Python 3.13. */
static PyObject *shut_down_of(void)
{
    PyObject *type = name_of("queue", "ShutDown");

    if (!type && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        type = PyErr_NewExceptionWithDoc(
            "chute.ShutDown",
            "Raised when put or get meets a queue that was "
            "shut down.",
            NULL, NULL);
    }
    return type;
}

static int fill(struct ext_state *state)
{
    state->n_forks = 1;
    state->empty = name_of("queue", "Empty");
    state->full = name_of("queue", "Full");
    state->shut_down = shut_down_of();
    state->buffer_too_short = name_of("multiprocessing", "BufferTooShort");
    state->plain_dumps = name_of("pickle", "dumps");
    state->bytes_io = name_of("io", "BytesIO");
    state->forking_pickler =
        name_of("multiprocessing.reduction", "ForkingPickler");
    state->loads = name_of("pickle", "loads");
    state->hook_name = PyUnicode_InternFromString("_on_queue_feeder_error");
    if (!state->empty || !state->full || !state->shut_down ||
        !state->buffer_too_short || !state->plain_dumps || !state->loads ||
        !state->bytes_io || !state->forking_pickler || !state->hook_name)
        return -1;
    state->forking_dumps =
        PyObject_GetAttrString(state->forking_pickler, "dumps");
    return state->forking_dumps ? 0 : -1;
}

static PyTypeObject *add_type(PyObject *module, PyType_Spec *spec)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);

    if (type && PyModule_AddType(module, (PyTypeObject *)type) < 0)
        Py_CLEAR(type);
    return (PyTypeObject *)type;
}

static int run(PyObject *module)
{
    struct ext_state *state = PyModule_GetState(module);

    if (fill(state) < 0)
        return -1;
    state->queue_type = add_type(module, &ext_queue_spec);
    state->conn_type = add_type(module, &ext_conn_spec);
    state->block_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &ext_block_spec, NULL);
    if (!state->queue_type || !state->conn_type || !state->block_type)
        return -1;
    if (PyModule_AddObjectRef(module, "ShutDown", state->shut_down) < 0)
        return -1;
    return PyModule_AddStringConstant(module, "version", chute_version());
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    struct ext_state *state = PyModule_GetState(module);

    Py_VISIT(state->queue_type);
    Py_VISIT(state->conn_type);
    Py_VISIT(state->block_type);
    Py_VISIT(state->empty);
    Py_VISIT(state->full);
    Py_VISIT(state->shut_down);
    Py_VISIT(state->buffer_too_short);
    Py_VISIT(state->plain_dumps);
    Py_VISIT(state->bytes_io);
    Py_VISIT(state->forking_pickler);
    Py_VISIT(state->forking_dumps);
    Py_VISIT(state->loads);
    return 0;
}

static int clear(PyObject *module)
{
    struct ext_state *state = PyModule_GetState(module);

    Py_CLEAR(state->queue_type);
    Py_CLEAR(state->conn_type);
    Py_CLEAR(state->block_type);
    Py_CLEAR(state->empty);
    Py_CLEAR(state->full);
    Py_CLEAR(state->shut_down);
    Py_CLEAR(state->buffer_too_short);
    Py_CLEAR(state->plain_dumps);
    Py_CLEAR(state->bytes_io);
    Py_CLEAR(state->forking_pickler);
    Py_CLEAR(state->forking_dumps);
    Py_CLEAR(state->loads);
    Py_CLEAR(state->hook_name);
    return 0;
}

static void free_state(void *module)
{
    struct ext_state *state = PyModule_GetState(module);

    clear(module);
    PyMem_RawFree(state->spare.data);
}

static PyObject *forked(PyObject *module, PyObject *Py_UNUSED(none))
{
    struct ext_state *state = PyModule_GetState(module);

    state->n_forks++;
    Py_RETURN_NONE;
}

/* For tests: plain.c by itself. None where it gives up. */
static PyObject *plain_dumps(PyObject *Py_UNUSED(module), PyObject *object)
{
    char buf[2048];
    size_t len = ext_plain_dumps(object, buf, sizeof buf);

    return len > 0 ? PyBytes_FromStringAndSize(buf, (Py_ssize_t)len)
                   : Py_NewRef(Py_None);
}

static PyObject *plain_loads(PyObject *Py_UNUSED(module), PyObject *message)
{
    char *data;
    Py_ssize_t len;

    if (PyBytes_AsStringAndSize(message, &data, &len) < 0)
        return NULL;
    PyObject *object = ext_plain_loads(data, (size_t)len);
    return object ? Py_BuildValue("(N)", object) : Py_NewRef(Py_None);
}

static PyMethodDef functions[] = {
    {"_plain_dumps", plain_dumps, METH_O,
     "The short way to a pickle, or None."},
    {"_plain_loads", plain_loads, METH_O, "The short way back, (x,) or None."},
    {"forked", forked, METH_NOARGS,
     "Called in each child that is forked: what its parent's threads were\n"
     "doing, and had closed, does not count in it."},
    {NULL, NULL, 0, NULL},
};

/* The slot's own type of pointer is an object's. What Python 3.12 and 3.13 ask:
 * interpreters may be many, under one lock; and the lock is wanted, for the spare
 * buffer and the counts in conn.c. */
static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)(uintptr_t)run},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_USED},
#endif
    {0, NULL},
};

struct PyModuleDef ext_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "chute._chute",
    .m_doc = "The part of chute that is C.",
    .m_size = sizeof(struct ext_state),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = free_state,
};

/* Called by the interpreter, by its name. */
PyMODINIT_FUNC PyInit__chute(void);

PyMODINIT_FUNC PyInit__chute(void)
{
    return PyModuleDef_Init(&ext_module);
}
