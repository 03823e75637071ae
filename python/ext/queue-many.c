/* queue-many.c - many objects at once.
 *
 * put_many encodes all of them first, one after the other into one buffer, so one
 * that cannot be pickled is found before any is put. It then puts as many at a
 * time as there is room for; each time is one step for everybody else.
 *
 * get_many takes what is there into one buffer, and then makes objects of it. One
 * that cannot be unpickled must not take the others along: they are the
 * exception's attribute `got`, and further exceptions its attribute `others`.
 *
 * Proof: tests/python/test_queue.py.
 */
#include "queue.h"

/* What is taken at once, at most: chute takes no more bytes than that. */
#define MOST_ITEMS 1024
#define MOST_BYTES ((size_t)256 << 10)

/* -- put -------------------------------------------------------------------- */

/* Messages, one after the other. */
struct batch {
    struct iovec *items; /* of each its length; its place when all are there */
    size_t n;
    char *data;
    size_t len;
    size_t cap;
};

static int make_room(struct batch *batch, size_t len)
{
    if (batch->cap - batch->len >= len)
        return 0;
    size_t cap = 2 * batch->cap + len;
    char *data = PyMem_Realloc(batch->data, cap);
    if (!data) {
        PyErr_NoMemory();
        return -1;
    }
    batch->data = data;
    batch->cap = cap;
    return 0;
}

static int add(struct queue_object *self, struct batch *batch, PyObject *object)
{
    struct ext_message message;

    if (ext_message_dump(self->state, object, EXT_SPLIT, &message) < 0)
        return ext_queue_report(self, object);
    int r = make_room(batch, message.len);
    if (r == 0) {
        ext_message_write(&message, batch->data + batch->len);
        batch->len += message.len;
        batch->items[batch->n++].iov_len = message.len;
    }
    ext_message_free(self->state, &message);
    return r;
}

static int add_all(struct queue_object *self, struct batch *batch,
                   PyObject *objects)
{
    Py_ssize_t n = PySequence_Fast_GET_SIZE(objects);

    batch->items = PyMem_New(struct iovec, n ? (size_t)n : 1);
    if (!batch->items) {
        PyErr_NoMemory();
        return -1;
    }
    /* What a class does to be pickled might change the list. */
    for (Py_ssize_t i = 0; i < n && i < PySequence_Fast_GET_SIZE(objects);
         i++) {
        PyObject *object = Py_NewRef(PySequence_Fast_GET_ITEM(objects, i));
        int r = add(self, batch, object);
        Py_DECREF(object);
        if (r < 0)
            return -1;
    }
    char *at = batch->data;
    for (size_t i = 0; i < batch->n; i++) {
        batch->items[i].iov_base = at;
        at += batch->items[i].iov_len;
    }
    return 0;
}

static PyObject *put_batch(struct queue_object *self, const struct batch *batch,
                           const struct ext_timer *timer)
{
    size_t done = 0, n;
    int r, goes_on;

    do {
        int64_t slice = ext_timer_slice(timer);
        Py_BEGIN_ALLOW_THREADS r = chute_queue_put_many_bytes(
            self->queue, batch->items + done, batch->n - done, &n, slice);
        Py_END_ALLOW_THREADS done += n;
        self->was_put_to |= n > 0;
        goes_on = ext_timer_goes_on(timer, r);
    } while (goes_on > 0);
    if (goes_on < 0)
        return NULL;
    if (r == 0)
        Py_RETURN_NONE;
    if (r != CHUTE_ETIMEDOUT && r != CHUTE_ECLOSED)
        return ext_raise(self->state, r);
    PyObject *n_done = PyLong_FromSize_t(done);
    if (n_done)
        PyErr_SetObject(r == CHUTE_ETIMEDOUT ? self->state->full
                                             : self->state->shut_down,
                        n_done);
    Py_XDECREF(n_done);
    return NULL;
}

static const struct ext_args put_many_args = {
    "put_many", (const char *const[]){"objects", "block", "timeout"}, 3, 1};

PyObject *ext_queue_put_many(PyObject *object, PyObject *const *given,
                             Py_ssize_t n_given, PyObject *keywords)
{
    struct queue_object *self = cast(object);
    struct batch batch = {.n = 0};
    struct ext_timer timer;
    PyObject *args[3], *result = NULL;

    if (ext_args_take(&put_many_args, given, n_given, keywords, args) < 0 ||
        ext_queue_enter(self) < 0 ||
        ext_queue_timer(&timer, args[1], args[2]) < 0)
        return NULL;
    PyObject *objects = PySequence_Fast(args[0], "put_many takes an iterable");
    if (!objects)
        return NULL;
    if (add_all(self, &batch, objects) == 0)
        result =
            batch.n > 0 ? put_batch(self, &batch, &timer) : Py_NewRef(Py_None);
    Py_DECREF(objects);
    PyMem_Free(batch.items);
    PyMem_Free(batch.data);
    return result;
}

/* -- get -------------------------------------------------------------------- */

/* Move the exception that is set to the list. */
static int keep(PyObject *errors)
{
    PyObject *type, *e, *traceback;

    PyErr_Fetch(&type, &e, &traceback);
    PyErr_NormalizeException(&type, &e, &traceback);
    if (traceback)
        PyException_SetTraceback(e, traceback);
    int r = PyList_Append(errors, e);
    Py_XDECREF(type);
    Py_XDECREF(e);
    Py_XDECREF(traceback);
    return r;
}

/* Raise the first one, with the rest and with what else was got. */
static void raise_with(PyObject *errors, PyObject *got)
{
    PyObject *first = PyList_GET_ITEM(errors, 0);
    PyObject *others = PyList_GetSlice(errors, 1, PyList_GET_SIZE(errors));

    if (!others || PyObject_SetAttrString(first, "got", got) < 0 ||
        PyObject_SetAttrString(first, "others", others) < 0)
        PyErr_Clear();
    Py_XDECREF(others);
    PyErr_SetObject((PyObject *)Py_TYPE(first), first);
}

/* Append the objects of n items to one list, or their exceptions to the other. */
static int load_each(struct ext_state *state, const struct iovec *items,
                     size_t n, PyObject *list, PyObject *errors)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i++) {
        PyObject *object =
            ext_item_loads(state, items[i].iov_base, items[i].iov_len);
        r = object ? PyList_Append(list, object) : keep(errors);
        Py_XDECREF(object);
    }
    return r;
}

/* The list of n objects. */
static PyObject *load_all(struct ext_state *state, const struct iovec *items,
                          size_t n)
{
    PyObject *list = PyList_New(0), *errors = PyList_New(0);

    if (!list || !errors || load_each(state, items, n, list, errors) < 0) {
        Py_CLEAR(list);
    } else if (PyList_GET_SIZE(errors) > 0) {
        raise_with(errors, list);
        Py_CLEAR(list);
    }
    Py_XDECREF(errors);
    return list;
}

/* As chute_queue_get_many_bytes, but 1 if there is an exception. */
static int get_batch(struct queue_object *self, void *buf, size_t cap,
                     struct iovec *items, size_t *n,
                     const struct ext_timer *timer)
{
    size_t most = *n;
    int r, goes_on;

    do {
        int64_t slice = ext_timer_slice(timer);
        Py_BEGIN_ALLOW_THREADS r = chute_queue_get_many_bytes(
            self->queue, buf, cap, items, most, n, slice);
        Py_END_ALLOW_THREADS goes_on = ext_timer_goes_on(timer, r);
    } while (goes_on > 0);
    return goes_on < 0 ? 1 : r;
}

static PyObject *get_many(struct queue_object *self, size_t most,
                          const struct ext_timer *timer)
{
    struct iovec items[MOST_ITEMS];
    PyObject *list = NULL;
    size_t need = MOST_BYTES;
    int r;

    do {
        size_t n = most;
        struct ext_buffer buffer;
        if (ext_buffer_take(self->state, need, &buffer) < 0)
            return NULL;
        r = get_batch(self, buffer.data, buffer.cap, items, &n, timer);
        if (r == 0)
            list = load_all(self->state, items, n);
        else if (r == CHUTE_EMSGSIZE)
            need = items[0].iov_len;
        ext_buffer_give(self->state, &buffer);
    } while (r == CHUTE_EMSGSIZE);
    if (r == CHUTE_ETIMEDOUT)
        PyErr_SetNone(self->state->empty);
    else if (r < 0)
        ext_raise(self->state, r == CHUTE_EOF ? CHUTE_ECLOSED : r);
    return list;
}

static const struct ext_args get_many_args = {
    "get_many", (const char *const[]){"n", "block", "timeout"}, 3, 1};

PyObject *ext_queue_get_many(PyObject *object, PyObject *const *given,
                             Py_ssize_t n_given, PyObject *keywords)
{
    struct ext_timer timer;
    PyObject *args[3];

    if (ext_args_take(&get_many_args, given, n_given, keywords, args) < 0 ||
        ext_queue_enter(cast(object)) < 0 ||
        ext_queue_timer(&timer, args[1], args[2]) < 0)
        return NULL;
    Py_ssize_t n = PyNumber_AsSsize_t(args[0], NULL);
    if (n == -1 && PyErr_Occurred())
        return NULL;
    if (n < 1) {
        PyErr_SetString(PyExc_ValueError, "n has to be 1 or more");
        return NULL;
    }
    return get_many(cast(object), n < MOST_ITEMS ? (size_t)n : MOST_ITEMS,
                    &timer);
}
