/* queue.c - a queue's handle as an object.
 *
 * `chute._chute.Queue` is what chute.Queue, in Python, derives from: put and get
 * and whatever waits, without names, defaults and history. Empty when made; then
 * one of _make, _attach and _open gives it a handle, once, which it keeps until
 * it is collected. So no call can be under way when the handle is freed, and
 * qsize works after close, as it does in multiprocessing.
 *
 * close is about this object in this process, and refuses what comes later
 * (ValueError); _shut_down is chute's own close, for everybody. A child that is
 * forked finds the queue open again: `closed_at` tells in which process it was
 * closed.
 *
 * put encodes before it waits, so an object that cannot be pickled is found at
 * once, and what is put is the object as it is now. The exception goes through
 * multiprocessing's hook, _on_queue_feeder_error, which in chute.Queue raises
 * it; where a class has one that does not, put has done nothing.
 *
 * get copies a small message to the stack before it decodes it; one that is larger
 * than that says so (CHUTE_EMSGSIZE), stays where it is, and is taken another way.
 * That and the way of large ones in put is queue-large.c.
 *
 * Proof: tests/python/test_queue.py, tests/conformance/cpython.py.
 */
#include "queue.h"

/* -- making ----------------------------------------------------------------- */

static PyObject *queue_new(PyTypeObject *type, PyObject *Py_UNUSED(args),
                           PyObject *Py_UNUSED(keywords))
{
    struct ext_state *state = ext_state_of(type);
    PyObject *self = state ? type->tp_alloc(type, 0) : NULL;

    if (self)
        cast(self)->state = state;
    return self;
}

/* The arguments are for whoever derives from this. */
static int queue_init(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(args),
                      PyObject *Py_UNUSED(keywords))
{
    return 0;
}

static void queue_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    chute_queue_free(cast(self)->queue);
    type->tp_free(self);
    Py_DECREF(type);
}

/* Take a handle that was made, or say why there is none. */
static PyObject *adopt(struct queue_object *self, int r, chute_queue *queue)
{
    if (r < 0)
        return ext_raise(self->state, r);
    if (self->queue) {
        chute_queue_free(queue);
        PyErr_SetString(PyExc_ValueError, "the queue is made already");
        return NULL;
    }
    self->queue = queue;
    Py_RETURN_NONE;
}

static PyObject *queue_make(PyObject *self, PyObject *args)
{
    struct chute_queue_options options = {.size = sizeof options,
                                          .flags = CHUTE_INTERRUPTIBLE};
    unsigned long long maxsize, memory;
    chute_queue *queue = NULL;
    int r;

    if (!PyArg_ParseTuple(args, "KK", &maxsize, &memory))
        return NULL;
    options.maxsize = maxsize;
    options.memory = memory;
    Py_BEGIN_ALLOW_THREADS r = chute_queue_new(&queue, &options);
    Py_END_ALLOW_THREADS return adopt(cast(self), r, queue);
}

static PyObject *queue_attach(PyObject *self, PyObject *args)
{
    struct chute_queue_options options = {.size = sizeof options,
                                          .flags = CHUTE_INTERRUPTIBLE};
    chute_queue *queue = NULL;
    int fd, r;

    if (!PyArg_ParseTuple(args, "i", &fd))
        return NULL;
    Py_BEGIN_ALLOW_THREADS r = chute_queue_of_fd(&queue, fd, &options);
    Py_END_ALLOW_THREADS return adopt(cast(self), r, queue);
}

static PyObject *queue_open(PyObject *self, PyObject *args)
{
    struct chute_queue_options options = {.size = sizeof options,
                                          .flags = CHUTE_INTERRUPTIBLE};
    unsigned long long maxsize, memory;
    chute_queue *queue = NULL;
    const char *name;
    int create, exclusive, r;

    if (!PyArg_ParseTuple(args, "sppKK", &name, &create, &exclusive, &maxsize,
                          &memory))
        return NULL;
    options.flags |= create ? CHUTE_CREATE : 0;
    options.flags |= exclusive ? CHUTE_EXCLUSIVE : 0;
    options.maxsize = maxsize;
    options.memory = memory;
    Py_BEGIN_ALLOW_THREADS r = chute_queue_open(&queue, name, &options);
    Py_END_ALLOW_THREADS return adopt(cast(self), r, queue);
}

static PyObject *queue_unlink(PyObject *self, PyObject *name)
{
    const char *text = PyUnicode_AsUTF8(name);

    if (!text)
        return NULL;
    int r = chute_queue_unlink(text);
    if (r < 0)
        return ext_raise(cast(self)->state, r);
    Py_RETURN_NONE;
}

/* -- the door --------------------------------------------------------------- */

static int check_made(const struct queue_object *self)
{
    if (self->queue)
        return 0;
    PyErr_SetString(PyExc_ValueError, "the queue is not made yet");
    return -1;
}

static bool is_closed(const struct queue_object *self)
{
    return self->closed_at == self->state->n_forks;
}

int ext_queue_enter(struct queue_object *self)
{
    if (is_closed(self)) {
        PyErr_Format(PyExc_ValueError, "Queue %R is closed", self);
        return -1;
    }
    return check_made(self);
}

int ext_queue_timer(struct ext_timer *timer, PyObject *block, PyObject *timeout)
{
    int blocking = block ? PyObject_IsTrue(block) : 1;

    return blocking < 0 ? -1 : ext_timer_start(timer, blocking, timeout);
}

/* -- put -------------------------------------------------------------------- */

static const struct ext_args put_args = {
    "put", (const char *const[]){"obj", "block", "timeout"}, 3, 1};
static const struct ext_args put_bytes_args = {
    "put_bytes", (const char *const[]){"data", "block", "timeout"}, 3, 1};

int ext_queue_end_put(struct queue_object *self, int r)
{
    if (r == 0)
        self->was_put_to = true;
    else if (r == CHUTE_ETIMEDOUT)
        PyErr_SetNone(self->state->full);
    else
        ext_raise(self->state, r);
    return r < 0 ? -1 : 0;
}

/* -1 with an exception. */
static int put(struct queue_object *self, const void *data, size_t len,
               const struct ext_timer *timer)
{
    int r, goes_on;

    do {
        int64_t slice = ext_timer_slice(timer);
        Py_BEGIN_ALLOW_THREADS r =
            chute_queue_put_bytes(self->queue, data, len, slice);
        Py_END_ALLOW_THREADS goes_on = ext_timer_goes_on(timer, r);
    } while (goes_on > 0);
    return goes_on < 0 ? -1 : ext_queue_end_put(self, r);
}

static int put_message(struct queue_object *self, struct ext_message *message,
                       const struct ext_timer *timer)
{
    int r = ext_queue_put_large(self, message, timer);

    if (r != 0)
        return r;
    r = ext_message_join(self->state, message);
    return r < 0 ? r : put(self, message->data, message->len, timer);
}

int ext_queue_report(struct queue_object *self, PyObject *object)
{
    PyObject *type, *e, *traceback;

    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return -1;
    PyErr_Fetch(&type, &e, &traceback);
    PyErr_NormalizeException(&type, &e, &traceback);
    if (traceback)
        PyException_SetTraceback(e, traceback);
    PyObject *result = PyObject_CallMethodObjArgs(
        (PyObject *)self, self->state->hook_name, e, object, NULL);
    Py_XDECREF(type);
    Py_XDECREF(e);
    Py_XDECREF(traceback);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

static PyObject *queue_put(PyObject *object, PyObject *const *given,
                           Py_ssize_t n_given, PyObject *keywords)
{
    struct queue_object *self = cast(object);
    struct ext_message message;
    struct ext_timer timer;
    PyObject *args[3];
    int r;

    if (ext_args_take(&put_args, given, n_given, keywords, args) < 0 ||
        ext_queue_enter(self) < 0 ||
        ext_queue_timer(&timer, args[1], args[2]) < 0)
        return NULL;
    if (ext_message_dump(self->state, args[0], EXT_SPLIT, &message) < 0) {
        r = ext_queue_report(self, args[0]);
    } else {
        r = put_message(self, &message, &timer);
        ext_message_free(self->state, &message);
    }
    return r < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *queue_put_bytes(PyObject *object, PyObject *const *given,
                                 Py_ssize_t n_given, PyObject *keywords)
{
    struct queue_object *self = cast(object);
    struct ext_message message;
    struct ext_timer timer;
    PyObject *args[3];

    if (ext_args_take(&put_bytes_args, given, n_given, keywords, args) < 0 ||
        ext_queue_enter(self) < 0 ||
        ext_queue_timer(&timer, args[1], args[2]) < 0 ||
        ext_message_of_bytes(args[0], &message) < 0)
        return NULL;
    int r = put_message(self, &message, &timer);
    ext_message_free(self->state, &message);
    return r < 0 ? NULL : Py_NewRef(Py_None);
}

/* -- get -------------------------------------------------------------------- */

static const struct ext_args get_args = {
    "get", (const char *const[]){"block", "timeout"}, 2, 0};
static const struct ext_args get_bytes_args = {
    "get_bytes", (const char *const[]){"block", "timeout"}, 2, 0};

/* Copy the oldest item to `to` when there is one; the result is chute's code, or
 * 1 if an exception is set. */
static int get_into(struct queue_object *self, void *to, size_t cap,
                    size_t *ret_len, const struct ext_timer *timer)
{
    int r, goes_on;

    do {
        int64_t slice = ext_timer_slice(timer);
        Py_BEGIN_ALLOW_THREADS r =
            chute_queue_get_bytes(self->queue, to, cap, ret_len, slice);
        Py_END_ALLOW_THREADS goes_on = ext_timer_goes_on(timer, r);
    } while (goes_on > 0);
    return goes_on < 0 ? 1 : r;
}

static PyObject *as_bytes(struct ext_state *Py_UNUSED(state), const void *data,
                          size_t len)
{
    return PyBytes_FromStringAndSize(data, (Py_ssize_t)len);
}

/* Take an item that is too large for the stack, and make its object. As get_into,
 * but CHUTE_EMSGSIZE: look again. Somebody else may have taken it, and the next be
 * a small one, or none; or more threads are here than can borrow at once. */
static int get_long(struct queue_object *self, ext_made *make,
                    PyObject **ret_object)
{
    int r = ext_queue_get_large(self, make, ret_object);

    if (r != CHUTE_ETIMEDOUT && r != CHUTE_EAGAIN && r != CHUTE_EINTR)
        return r;
    return PyErr_CheckSignals() < 0 ? 1 : CHUTE_EMSGSIZE;
}

static PyObject *get(struct queue_object *self, PyObject *const *args,
                     ext_made *make)
{
    char small[4096];
    struct ext_timer timer;
    PyObject *object = NULL;
    size_t len;
    int r;

    if (ext_queue_enter(self) < 0 ||
        ext_queue_timer(&timer, args[0], args[1]) < 0)
        return NULL;
    do {
        r = get_into(self, small, sizeof small, &len, &timer);
        if (r == 0)
            return make(self->state, small, len);
        if (r == CHUTE_EMSGSIZE)
            r = get_long(self, make, &object);
    } while (r == CHUTE_EMSGSIZE);
    if (r == CHUTE_ETIMEDOUT)
        PyErr_SetNone(self->state->empty);
    else if (r < 0)
        ext_raise(self->state, r == CHUTE_EOF ? CHUTE_ECLOSED : r);
    return object;
}

static PyObject *queue_get_bytes(PyObject *self, PyObject *const *given,
                                 Py_ssize_t n_given, PyObject *keywords)
{
    PyObject *args[2];

    if (ext_args_take(&get_bytes_args, given, n_given, keywords, args) < 0)
        return NULL;
    return get(cast(self), args, as_bytes);
}

static PyObject *queue_get(PyObject *self, PyObject *const *given,
                           Py_ssize_t n_given, PyObject *keywords)
{
    PyObject *args[2];

    if (ext_args_take(&get_args, given, n_given, keywords, args) < 0)
        return NULL;
    return get(cast(self), args, ext_item_loads);
}

/* -- looking and closing ---------------------------------------------------- */

static PyObject *queue_qsize(PyObject *self, PyObject *Py_UNUSED(none))
{
    size_t n;

    if (check_made(cast(self)) < 0)
        return NULL;
    int r = chute_queue_qsize(cast(self)->queue, &n);
    return r < 0 ? ext_raise(cast(self)->state, r) : PyLong_FromSize_t(n);
}

/* After close as multiprocessing has it, where the feeder's end of the pipe is
 * what has been closed, and only if there was one. */
static PyObject *queue_empty(PyObject *self, PyObject *Py_UNUSED(none))
{
    if (check_made(cast(self)) < 0)
        return NULL;
    if (is_closed(cast(self)) && cast(self)->was_put_to) {
        PyErr_SetString(PyExc_OSError, "handle is closed");
        return NULL;
    }
    int r = chute_queue_empty(cast(self)->queue);
    return r < 0 ? ext_raise(cast(self)->state, r) : PyBool_FromLong(r);
}

static PyObject *queue_full(PyObject *self, PyObject *Py_UNUSED(none))
{
    if (check_made(cast(self)) < 0)
        return NULL;
    int r = chute_queue_full(cast(self)->queue);
    return r < 0 ? ext_raise(cast(self)->state, r) : PyBool_FromLong(r);
}

static PyObject *queue_close(PyObject *self, PyObject *Py_UNUSED(none))
{
    cast(self)->closed_at = cast(self)->state->n_forks;
    Py_RETURN_NONE;
}

static PyObject *queue_shut_down(PyObject *self, PyObject *Py_UNUSED(none))
{
    int r;

    if (check_made(cast(self)) < 0)
        return NULL;
    do {
        Py_BEGIN_ALLOW_THREADS r = chute_queue_close(cast(self)->queue);
        Py_END_ALLOW_THREADS if (r == CHUTE_EINTR &&
                                 PyErr_CheckSignals() < 0) return NULL;
    } while (r == CHUTE_EINTR);
    if (r < 0)
        return ext_raise(cast(self)->state, r);
    Py_RETURN_NONE;
}

static PyObject *queue_fd(PyObject *self, PyObject *Py_UNUSED(none))
{
    if (check_made(cast(self)) < 0)
        return NULL;
    return PyLong_FromLong(chute_queue_fd(cast(self)->queue));
}

static PyObject *queue_fileno(PyObject *object, PyObject *Py_UNUSED(none))
{
    struct queue_object *self = cast(object);
    int r;

    if (ext_queue_enter(self) < 0)
        return NULL;
    do {
        Py_BEGIN_ALLOW_THREADS r = chute_queue_wait_fd(self->queue);
        Py_END_ALLOW_THREADS if (r == CHUTE_EINTR &&
                                 PyErr_CheckSignals() < 0) return NULL;
    } while (r == CHUTE_EINTR);
    return r < 0 ? ext_raise(self->state, r) : PyLong_FromLong(r);
}

static int take_stats(struct queue_object *self,
                      struct chute_queue_stats *ret_stats)
{
    ret_stats->size = sizeof *ret_stats;
    if (check_made(self) < 0)
        return -1;
    int r = chute_queue_stat(self->queue, ret_stats);
    if (r < 0)
        ext_raise(self->state, r);
    return r;
}

/* For JoinableQueue: how many items there ever were. */
static PyObject *queue_n_put(PyObject *self, PyObject *Py_UNUSED(none))
{
    struct chute_queue_stats stats;

    return take_stats(cast(self), &stats) < 0
               ? NULL
               : PyLong_FromUnsignedLongLong(stats.n_put);
}

static PyObject *queue_stat(PyObject *self, PyObject *Py_UNUSED(none))
{
    struct chute_queue_stats stats;

    if (take_stats(cast(self), &stats) < 0)
        return NULL;
#define NUMBER(name) #name, (unsigned long long)stats.name
#define FLAG(name)   #name, stats.name ? Py_True : Py_False
    return Py_BuildValue(
        "{sKsKsKsKsKsOsKsKsOsLsKsKsKsKsKsKsKsKsKsKsK}", NUMBER(n_items),
        NUMBER(used), NUMBER(reserved), NUMBER(n_rescues), NUMBER(n_deaths),
        FLAG(unlinked), NUMBER(maxsize), NUMBER(memory), FLAG(closed),
        "oldest_ns", (long long)stats.oldest_ns, NUMBER(n_put), NUMBER(n_got),
        NUMBER(n_bytes_put), NUMBER(n_bytes_got), NUMBER(n_items_most),
        NUMBER(n_full_waits), NUMBER(n_empty_waits), NUMBER(n_members),
        NUMBER(n_gone), NUMBER(put_owner), NUMBER(get_owner));
}

static PyObject *member_as_dict(const struct chute_queue_member *at)
{
    return Py_BuildValue(
        "{sKsssLsKsKsKsLsKsL}", "pid", (unsigned long long)at->pid, "program",
        at->program, "attached_ns", (long long)at->attached_ns, "n_put",
        (unsigned long long)at->n_put, "n_got", (unsigned long long)at->n_got,
        "n_putting", (unsigned long long)at->n_putting, "putting_ns",
        (long long)at->putting_ns, "n_getting",
        (unsigned long long)at->n_getting, "getting_ns",
        (long long)at->getting_ns);
}

static PyObject *queue_members(PyObject *self, PyObject *Py_UNUSED(none))
{
    struct chute_queue_member member = {.size = sizeof member};
    size_t place = 0;
    int r = check_made(cast(self));

    PyObject *list = r == 0 ? PyList_New(0) : NULL;
    if (!list)
        return NULL;
    while ((r = chute_queue_member(cast(self)->queue, &place, &member)) == 0) {
        PyObject *dict = member_as_dict(&member);
        int appended = dict ? PyList_Append(list, dict) : -1;
        Py_XDECREF(dict);
        if (appended < 0)
            break;
    }
    if (r == CHUTE_EOF)
        return list;
    Py_DECREF(list);
    return r < 0 ? ext_raise(cast(self)->state, r) : NULL;
}

static PyObject *queue_closed(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(is_closed(cast(self)));
}

/* -- the type --------------------------------------------------------------- */

/* Functions with keywords have another type, by design of the table. */
#define WITH_KEYWORDS(f) ((PyCFunction)(void (*)(void))(f))

static PyMethodDef methods[] = {
    {"put_many", WITH_KEYWORDS(ext_queue_put_many),
     METH_FASTCALL | METH_KEYWORDS,
     "put_many($self, /, objects, block=True, timeout=None)\n--\n\n"
     "Append objects, in their order, as many at once as there is room for. "
     "When\n"
     "the time is up, Full's args[0] is how many are in the queue."},
    {"get_many", WITH_KEYWORDS(ext_queue_get_many),
     METH_FASTCALL | METH_KEYWORDS,
     "get_many($self, /, n, block=True, timeout=None)\n--\n\n"
     "Wait for an object, and take as many as are there, n at most: a list.\n"
     "Large ones may come one at a time."},
    {"_make", queue_make, METH_VARARGS, "Make a queue without a name."},
    {"_attach", queue_attach, METH_VARARGS, "Take over a descriptor."},
    {"_open", queue_open, METH_VARARGS, "Open, or make, one with a name."},
    {"_unlink", queue_unlink, METH_O, "Take a name away."},
    {"_fd", queue_fd, METH_NOARGS, "The descriptor of its memory."},
    {"_shut_down", queue_shut_down, METH_NOARGS, "Refuse puts, everywhere."},
    {"put", WITH_KEYWORDS(queue_put), METH_FASTCALL | METH_KEYWORDS,
     "put($self, /, obj, block=True, timeout=None)\n--\n\n"
     "Append an object. It is in the queue when this returns."},
    {"put_bytes", WITH_KEYWORDS(queue_put_bytes), METH_FASTCALL | METH_KEYWORDS,
     "put_bytes($self, /, data, block=True, timeout=None)\n--\n\n"
     "Append bytes as they are, without pickle."},
    {"get", WITH_KEYWORDS(queue_get), METH_FASTCALL | METH_KEYWORDS,
     "get($self, /, block=True, timeout=None)\n--\n\n"
     "Take the oldest object."},
    {"get_bytes", WITH_KEYWORDS(queue_get_bytes), METH_FASTCALL | METH_KEYWORDS,
     "get_bytes($self, /, block=True, timeout=None)\n--\n\n"
     "Take the oldest item as the bytes that it is."},
    {"qsize", queue_qsize, METH_NOARGS,
     "qsize($self, /)\n--\n\nHow many items are in the queue, exactly."},
    {"empty", queue_empty, METH_NOARGS,
     "empty($self, /)\n--\n\nWhether there is no item, exactly."},
    {"full", queue_full, METH_NOARGS,
     "full($self, /)\n--\n\nWhether there are maxsize items, exactly."},
    {"close", queue_close, METH_NOARGS,
     "close($self, /)\n--\n\n"
     "Refuse further calls on this object, in this process."},
    {"fileno", queue_fileno, METH_NOARGS,
     "fileno($self, /)\n--\n\n"
     "A descriptor to wait by: readable while an item is there, or the queue\n"
     "is shut down. It can be readable for nothing, where others get or put\n"
     "fails; so wait, then get(False), and at Empty wait again."},
    {"_n_put", queue_n_put, METH_NOARGS, "How many items were ever put."},
    {"stat", queue_stat, METH_NOARGS,
     "stat($self, /)\n--\n\nFigures for tests, and whoever is on call."},
    {"members", queue_members, METH_NOARGS,
     "members($self, /)\n--\n\n"
     "The processes that use the queue, at most 128 of them."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef members[] = {
    {"_closed", queue_closed, NULL, "Whether close was called here.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, (void *)(uintptr_t)queue_new},
    {Py_tp_init, (void *)(uintptr_t)queue_init},
    {Py_tp_dealloc, (void *)(uintptr_t)queue_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, members},
    {Py_tp_doc, "A queue's handle; chute.Queue derives from it."},
    {0, NULL},
};

PyType_Spec ext_queue_spec = {
    .name = "chute._chute.Queue",
    .basicsize = sizeof(struct queue_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};
