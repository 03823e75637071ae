/* conn.c - one end of a pipe, as an object.
 *
 * `chute._chute.Connection` is what chute.Connection, in Python, derives from.
 * What it is made of:
 *
 *     a descriptor      as it was given; nothing is known of it yet
 *     a chute_conn      if it is a connected socket, from the first use on, and
 *                       in ends that Connection._pipe has made
 *     the descriptor    if it is something else, like an end of a pipe(2): see
 *                       stream.c
 *
 * So a Connection may be made of any number, as in multiprocessing, and what is
 * wrong with it shows when it is used.
 *
 * close must not free a chute_conn that another thread is using. `n_inside`
 * counts those; the last one frees it, and until then the end is `closed` to all
 * others. In a child that was forked none of them exists: the count is of the
 * process that `at` stands for.
 *
 * An end may be used by several threads and processes at once. To be so in a
 * process that is no child it needs its shared page beside the socket. _give and
 * _take send both over a socket to whoever made that: connection.py makes
 * descriptors of them by it, for pickling.
 *
 * A signal ends a wait with nothing sent or taken; one in the middle of a long
 * message is looked at when the message is through.
 *
 * Proof: tests/python/test_connection.py, tests/conformance/cpython.py.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "ext.h"

#define SMALL 16384 /* messages up to here go by way of the stack */

struct conn_object {
    PyObject ob_base;
    struct ext_state *state;
    chute_conn *conn;
    int fd;        /* -1: closed, or to be so by the last one inside */
    bool is_known; /* whether conn says what the descriptor is */
    bool readable, writable;
    int n_inside;
    uint64_t at; /* the state's n_forks when n_inside was counted */
};

static struct conn_object *cast(PyObject *self)
{
    return (struct conn_object *)self;
}

/* -- making and letting go --------------------------------------------------- */

static PyObject *conn_new(PyTypeObject *type, PyObject *Py_UNUSED(args),
                          PyObject *Py_UNUSED(keywords))
{
    struct ext_state *state = ext_state_of(type);
    PyObject *self = state ? type->tp_alloc(type, 0) : NULL;

    if (self) {
        cast(self)->state = state;
        cast(self)->fd = -1;
    }
    return self;
}

static void let_go(struct conn_object *self)
{
    if (self->conn)
        self->conn = chute_conn_free(self->conn);
    else if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
}

/* Nobody new comes in; who is inside goes on. */
static void shut(struct conn_object *self)
{
    if (self->at == self->state->n_forks && self->n_inside > 0 && self->conn)
        self->fd = -1;
    else
        let_go(self);
}

static void conn_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    let_go(cast(self));
    type->tp_free(self);
    Py_DECREF(type);
}

static int conn_init(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"handle", "readable", "writable", NULL};
    int fd, readable = 1, writable = 1;

    if (!PyArg_ParseTupleAndKeywords(args, keywords, "i|pp:Connection", names,
                                     &fd, &readable, &writable))
        return -1;
    if (fd < 0) {
        PyErr_SetString(PyExc_ValueError, "invalid handle");
        return -1;
    }
    if (!readable && !writable) {
        PyErr_SetString(
            PyExc_ValueError,
            "at least one of `readable` and `writable` must be True");
        return -1;
    }
    shut(cast(self));
    cast(self)->fd = fd;
    cast(self)->is_known = false;
    cast(self)->readable = readable;
    cast(self)->writable = writable;
    return 0;
}

/* What the descriptor is. That it is no socket, or none that is connected, is
 * no error: then it is used as it is, and says itself what is wrong with it. */
static int know(struct conn_object *self)
{
    struct chute_conn_options options = {.size = sizeof options,
                                         .flags = CHUTE_INTERRUPTIBLE};

    if (self->is_known)
        return 0;
    int r = chute_conn_of_fd(&self->conn, self->fd, &options);
    if (r == CHUTE_ENOMEM || r == CHUTE_EMFILE) {
        ext_raise(self->state, r);
        return -1;
    }
    self->is_known = true;
    return 0;
}

/* -- the door ---------------------------------------------------------------- */

static int check_open(const struct conn_object *self)
{
    if (self->fd >= 0)
        return 0;
    PyErr_SetString(PyExc_OSError, "handle is closed");
    return -1;
}

static int enter(struct conn_object *self)
{
    if (check_open(self) < 0 || know(self) < 0)
        return -1;
    if (self->at != self->state->n_forks) {
        self->at = self->state->n_forks;
        self->n_inside = 0;
    }
    self->n_inside++;
    return 0;
}

static int enter_to_send(struct conn_object *self)
{
    if (check_open(self) < 0)
        return -1;
    if (!self->writable) {
        PyErr_SetString(PyExc_OSError, "connection is read-only");
        return -1;
    }
    return enter(self);
}

static int enter_to_receive(struct conn_object *self)
{
    if (check_open(self) < 0)
        return -1;
    if (!self->readable) {
        PyErr_SetString(PyExc_OSError, "connection is write-only");
        return -1;
    }
    return enter(self);
}

/* A signal handler, or a thread, may have closed it meanwhile. */
static void leave(struct conn_object *self)
{
    if (--self->n_inside == 0 && self->fd < 0)
        let_go(self);
}

/* -- sending ---------------------------------------------------------------- */

static int send_all(struct conn_object *self, const void *data, size_t len)
{
    int r;

    if (!self->conn)
        return ext_stream_send(self->fd, data, len);
    do {
        Py_BEGIN_ALLOW_THREADS r =
            chute_conn_send_bytes(self->conn, data, len, CHUTE_FOREVER);
        Py_END_ALLOW_THREADS if (r == CHUTE_EINTR &&
                                 PyErr_CheckSignals() < 0) return -1;
    } while (r == CHUTE_EINTR);
    if (r < 0)
        ext_raise(self->state, r);
    return r < 0 ? -1 : 0;
}

static PyObject *conn_send(PyObject *object, PyObject *what)
{
    struct conn_object *self = cast(object);
    struct ext_message message;

    if (enter_to_send(self) < 0)
        return NULL;
    int r = ext_message_dump(self->state, what, EXT_PICKLE, &message);
    if (r == 0) {
        r = ext_message_join(self->state, &message);
        if (r == 0)
            r = send_all(self, message.data, message.len);
        ext_message_free(self->state, &message);
    }
    leave(self);
    return r < 0 ? NULL : Py_NewRef(Py_None);
}

/* An index that may be left out; -1 with an exception. */
static int take_index(PyObject *given, Py_ssize_t *ret)
{
    if (!given || given == Py_None)
        return 0;
    *ret = PyNumber_AsSsize_t(given, PyExc_OverflowError);
    return *ret == -1 && PyErr_Occurred() ? -1 : 0;
}

/* The part of a buffer of len bytes that is to be sent; -1 with an exception. */
static int take_part(Py_ssize_t len, Py_ssize_t offset, PyObject *given_size,
                     Py_ssize_t *ret_size)
{
    const char *why = NULL;

    if (offset < 0)
        why = "offset is negative";
    else if (offset > len)
        why = "buffer length < offset";
    if (!why) {
        *ret_size = len - offset;
        if (take_index(given_size, ret_size) < 0)
            return -1;
        if (*ret_size < 0)
            why = "size is negative";
        else if (*ret_size > len - offset)
            why = "buffer length < offset + size";
    }
    if (why)
        PyErr_SetString(PyExc_ValueError, why);
    return why ? -1 : 0;
}

static const struct ext_args send_bytes_args = {
    "send_bytes", (const char *const[]){"buf", "offset", "size"}, 3, 1};

static PyObject *conn_send_bytes(PyObject *object, PyObject *const *given,
                                 Py_ssize_t n_given, PyObject *keywords)
{
    struct conn_object *self = cast(object);
    Py_ssize_t offset = 0, size;
    Py_buffer view;
    PyObject *args[3];

    if (ext_args_take(&send_bytes_args, given, n_given, keywords, args) < 0 ||
        take_index(args[1], &offset) < 0 || enter_to_send(self) < 0)
        return NULL;
    int r = PyObject_GetBuffer(args[0], &view, PyBUF_SIMPLE);
    if (r == 0) {
        r = take_part(view.len, offset, args[2], &size);
        if (r == 0)
            r = send_all(self, (char *)view.buf + offset, (size_t)size);
        PyBuffer_Release(&view);
    }
    leave(self);
    return r < 0 ? NULL : Py_NewRef(Py_None);
}

/* -- receiving -------------------------------------------------------------- */

/* A message that is longer than the caller allows: the stream cannot be gone on
 * with, as in multiprocessing. Always NULL. */
static PyObject *refuse(struct conn_object *self)
{
    if (self->writable)
        self->readable = false;
    else
        shut(self);
    PyErr_SetString(PyExc_OSError, "bad message length");
    return NULL;
}

/* Copy the next message to `to`; the result is chute's code, or 1 if an
 * exception is set. */
static int recv_into(struct conn_object *self, void *to, size_t cap,
                     size_t *ret_len)
{
    int r;

    do {
        Py_BEGIN_ALLOW_THREADS r =
            chute_conn_recv_bytes(self->conn, to, cap, ret_len, CHUTE_FOREVER);
        Py_END_ALLOW_THREADS if (r == CHUTE_EINTR &&
                                 PyErr_CheckSignals() < 0) return 1;
    } while (r == CHUTE_EINTR);
    return r;
}

/* The next message when it is one of len bytes. */
static PyObject *recv_long(struct conn_object *self, size_t len, size_t most)
{
    PyObject *message = NULL;
    int r = CHUTE_EMSGSIZE;

    while (r == CHUTE_EMSGSIZE) {
        size_t cap = len; /* if somebody takes it, we shall see the next one */
        Py_CLEAR(message);
        if (len > most)
            return refuse(self);
        message = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)cap);
        if (!message)
            return NULL;
        r = recv_into(self, PyBytes_AS_STRING(message), cap, &len);
    }
    if (r == 0 && (Py_ssize_t)len != PyBytes_GET_SIZE(message))
        _PyBytes_Resize(&message, (Py_ssize_t)len);
    if (r < 0)
        ext_raise(self->state, r);
    if (r != 0)
        Py_CLEAR(message);
    return message;
}

/* The next message as bytes. */
static PyObject *receive(struct conn_object *self, size_t most)
{
    char small[SMALL];
    bool too_long = false;
    size_t len;

    if (!self->conn) {
        PyObject *message = ext_stream_recv(self->fd, most, &too_long);
        return too_long ? refuse(self) : message;
    }
    int r = recv_into(self, small, most < SMALL ? most : SMALL, &len);
    if (r == CHUTE_EMSGSIZE)
        return recv_long(self, len, most);
    if (r < 0)
        return ext_raise(self->state, r);
    return r ? NULL : PyBytes_FromStringAndSize(small, (Py_ssize_t)len);
}

/* The same as an object. Steals the reference; NULL gives NULL. */
static PyObject *load_bytes(struct conn_object *self, PyObject *message)
{
    if (!message)
        return NULL;
    PyObject *object = ext_loads(self->state, PyBytes_AS_STRING(message),
                                 (size_t)PyBytes_GET_SIZE(message));
    Py_DECREF(message);
    return object;
}

/* As get_long in queue.c. */
static PyObject *receive_long_object(struct conn_object *self, size_t len)
{
    PyObject *object = NULL;
    int r;

    do {
        struct ext_buffer buffer;
        if (ext_buffer_take(self->state, len, &buffer) < 0)
            return NULL;
        r = recv_into(self, buffer.data, buffer.cap, &len);
        if (r == 0)
            object = ext_loads(self->state, buffer.data, len);
        ext_buffer_give(self->state, &buffer);
    } while (r == CHUTE_EMSGSIZE);
    return r < 0 ? ext_raise(self->state, r) : object;
}

/* The next message as an object. */
static PyObject *receive_object(struct conn_object *self)
{
    char small[SMALL];
    size_t len;

    if (!self->conn)
        return load_bytes(self, receive(self, PY_SSIZE_T_MAX));
    int r = recv_into(self, small, sizeof small, &len);
    if (r == CHUTE_EMSGSIZE)
        return receive_long_object(self, len);
    if (r < 0)
        return ext_raise(self->state, r);
    return r ? NULL : ext_loads(self->state, small, len);
}

static PyObject *conn_recv(PyObject *self, PyObject *Py_UNUSED(none))
{
    if (enter_to_receive(cast(self)) < 0)
        return NULL;
    PyObject *object = receive_object(cast(self));
    leave(cast(self));
    return object;
}

static const struct ext_args recv_bytes_args = {
    "recv_bytes", (const char *const[]){"maxlength"}, 1, 0};

static PyObject *conn_recv_bytes(PyObject *self, PyObject *const *given,
                                 Py_ssize_t n_given, PyObject *keywords)
{
    Py_ssize_t most = PY_SSIZE_T_MAX;
    PyObject *args[1];

    if (ext_args_take(&recv_bytes_args, given, n_given, keywords, args) < 0 ||
        take_index(args[0], &most) < 0)
        return NULL;
    if (most < 0) {
        PyErr_SetString(PyExc_ValueError, "negative maxlength");
        return NULL;
    }
    if (enter_to_receive(cast(self)) < 0)
        return NULL;
    PyObject *message = receive(cast(self), (size_t)most);
    leave(cast(self));
    return message;
}

/* A message is larger than its place: it is the exception's. Steals the
 * reference; NULL is an exception that is set. */
static void too_short(struct conn_object *self, PyObject *message)
{
    if (message)
        PyErr_SetObject(self->state->buffer_too_short, message);
    Py_XDECREF(message);
}

/* How long the message is that was copied to `to`; -1 with an exception. */
static Py_ssize_t receive_into(struct conn_object *self, char *to, size_t cap)
{
    size_t len;

    if (self->conn) {
        int r = recv_into(self, to, cap, &len);
        if (r == 0)
            return (Py_ssize_t)len;
        if (r == CHUTE_EMSGSIZE)
            too_short(self, recv_long(self, len, PY_SSIZE_T_MAX));
        else if (r < 0)
            ext_raise(self->state, r);
        return -1;
    }
    PyObject *message = receive(self, PY_SSIZE_T_MAX);
    if (!message)
        return -1;
    len = (size_t)PyBytes_GET_SIZE(message);
    if (len > cap) {
        too_short(self, message);
        return -1;
    }
    if (len > 0)
        memcpy(to, PyBytes_AS_STRING(message), len);
    Py_DECREF(message);
    return (Py_ssize_t)len;
}

/* As multiprocessing, a TypeError for bytes. */
static int get_writable(PyObject *object, Py_buffer *ret_view)
{
    int r = PyObject_GetBuffer(object, ret_view, PyBUF_WRITABLE);

    if (r < 0 && PyErr_ExceptionMatches(PyExc_BufferError))
        PyErr_SetString(PyExc_TypeError, "a writable buffer is needed");
    return r;
}

static const struct ext_args recv_into_args = {
    "recv_bytes_into", (const char *const[]){"buf", "offset"}, 2, 1};

static PyObject *conn_recv_bytes_into(PyObject *object, PyObject *const *given,
                                      Py_ssize_t n_given, PyObject *keywords)
{
    struct conn_object *self = cast(object);
    Py_ssize_t offset = 0, len = -1;
    Py_buffer view;
    PyObject *args[2];

    if (ext_args_take(&recv_into_args, given, n_given, keywords, args) < 0 ||
        take_index(args[1], &offset) < 0 || enter_to_receive(self) < 0)
        return NULL;
    if (get_writable(args[0], &view) == 0) {
        if (offset < 0)
            PyErr_SetString(PyExc_ValueError, "negative offset");
        else if (offset > view.len)
            PyErr_SetString(PyExc_ValueError, "offset too large");
        else
            len = receive_into(self, (char *)view.buf + offset,
                               (size_t)(view.len - offset));
        PyBuffer_Release(&view);
    }
    leave(self);
    return len < 0 ? NULL : PyLong_FromSsize_t(len);
}

/* -- polling ---------------------------------------------------------------- */

/* As chute_conn_poll, for any descriptor. */
static int poll_fd(int fd, int64_t timeout_ns)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int ms = (int)((timeout_ns + 999999) / 1000000); /* a slice at most */

    int n = poll(&p, 1, ms);
    if (n < 0)
        return -errno;
    return p.revents & POLLNVAL ? -EBADF : n;
}

static const struct ext_args poll_args = {
    "poll", (const char *const[]){"timeout"}, 1, 0};

static PyObject *conn_poll(PyObject *object, PyObject *const *given,
                           Py_ssize_t n_given, PyObject *keywords)
{
    struct conn_object *self = cast(object);
    struct ext_timer timer;
    PyObject *args[1];
    int r, goes_on;

    if (ext_args_take(&poll_args, given, n_given, keywords, args) < 0 ||
        ext_timer_start(&timer, args[0] != NULL, args[0]) < 0 ||
        enter_to_receive(self) < 0)
        return NULL;
    do {
        int64_t slice = ext_timer_slice(&timer);
        Py_BEGIN_ALLOW_THREADS r = self->conn
                                       ? chute_conn_poll(self->conn, slice)
                                       : poll_fd(self->fd, slice);
        Py_END_ALLOW_THREADS goes_on =
            ext_timer_goes_on(&timer, r == 0 ? CHUTE_ETIMEDOUT : r);
    } while (goes_on > 0);
    leave(self);
    if (goes_on < 0)
        return NULL;
    return r < 0 ? ext_raise(self->state, r) : PyBool_FromLong(r);
}

/* -- the handle -------------------------------------------------------------- */

static PyObject *conn_fileno(PyObject *self, PyObject *Py_UNUSED(none))
{
    return check_open(cast(self)) < 0 ? NULL : PyLong_FromLong(cast(self)->fd);
}

static PyObject *conn_close(PyObject *self, PyObject *Py_UNUSED(none))
{
    shut(cast(self));
    Py_RETURN_NONE;
}

/* The descriptor, which is the caller's from now on. A chute_conn closes its
 * own, so then it is a copy. */
static PyObject *conn_detach(PyObject *object, PyObject *Py_UNUSED(none))
{
    struct conn_object *self = cast(object);

    if (check_open(self) < 0)
        return NULL;
    int fd = self->fd;
    if (self->conn) {
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            return PyErr_SetFromErrno(PyExc_OSError);
        shut(self);
    }
    self->fd = -1;
    return PyLong_FromLong(fd);
}

/* Both ends of a new pipe, as objects of the class. */
static PyObject *conn_pipe(PyObject *class, PyObject *duplex)
{
    PyTypeObject *type = (PyTypeObject *)class;
    struct chute_pipe_options options = {.size = sizeof options,
                                         .flags = CHUTE_INTERRUPTIBLE};
    chute_conn *ends[2];
    int both = PyObject_IsTrue(duplex);

    if (both < 0)
        return NULL;
    options.flags |= both ? 0 : CHUTE_ONEWAY;
    PyObject *result[2] = {conn_new(type, NULL, NULL),
                           conn_new(type, NULL, NULL)};
    if (!result[0] || !result[1])
        goto out;
    int r = chute_pipe(ends, &options);
    if (r < 0) {
        ext_raise(cast(result[0])->state, r);
        goto out;
    }
    for (int i = 0; i < 2; i++) {
        struct conn_object *self = cast(result[i]);
        self->conn = ends[i];
        self->fd = chute_conn_fd(ends[i]);
        self->is_known = true;
        self->readable = both || i == 0;
        self->writable = both || i == 1;
    }
    return Py_BuildValue("(NN)", result[0], result[1]);
out:
    Py_XDECREF(result[0]);
    Py_XDECREF(result[1]);
    return NULL;
}

/* A connection over a socket of the caller's, for the length of a call. */
static chute_conn *borrow(struct ext_state *state, int fd)
{
    chute_conn *conn = NULL;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (copy < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return NULL;
    }
    int r = chute_conn_of_fd(&conn, copy, NULL);
    if (r < 0) {
        close(copy);
        ext_raise(state, r);
    }
    return conn;
}

/* Send this end over a socket: two descriptors, its own and its page's. False if
 * it is none of chute's. */
static PyObject *conn_give(PyObject *object, PyObject *args)
{
    struct conn_object *self = cast(object);
    int fd;

    if (!PyArg_ParseTuple(args, "i", &fd) || enter(self) < 0)
        return NULL;
    PyObject *result = Py_False;
    if (self->conn) {
        chute_conn *to = borrow(self->state, fd);
        int r = to ? chute_conn_send_conn(to, self->conn, CHUTE_NOWAIT) : 0;
        chute_conn_free(to);
        if (r < 0)
            ext_raise(self->state, r);
        result = r < 0 || !to ? NULL : Py_True;
    }
    leave(self);
    return Py_XNewRef(result);
}

/* Become the end that _give has sent over that socket's other end. */
static PyObject *conn_take(PyObject *object, PyObject *args)
{
    struct conn_object *self = cast(object);
    struct chute_conn_options options = {.size = sizeof options,
                                         .flags = CHUTE_INTERRUPTIBLE};
    chute_conn *conn, *from = NULL;
    int fd, readable, writable;

    if (!PyArg_ParseTuple(args, "ipp", &fd, &readable, &writable))
        return NULL;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    /* What is received is interruptible if what it comes by is. */
    int r = chute_conn_of_fd(&from, copy, &options);
    if (r < 0)
        close(copy);
    else
        r = chute_conn_recv_conn(from, &conn, CHUTE_NOWAIT);
    chute_conn_free(from);
    if (r < 0)
        return ext_raise(self->state, r);
    shut(self);
    self->conn = conn;
    self->fd = chute_conn_fd(conn);
    self->is_known = true;
    self->readable = readable;
    self->writable = writable;
    Py_RETURN_NONE;
}

/* -- the type --------------------------------------------------------------- */

static PyObject *conn_enter(PyObject *self, PyObject *Py_UNUSED(none))
{
    return Py_NewRef(self);
}

static PyObject *conn_exit(PyObject *self, PyObject *Py_UNUSED(args))
{
    shut(cast(self));
    Py_RETURN_NONE;
}

static PyObject *conn_closed(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(cast(self)->fd < 0);
}

static PyObject *conn_readable(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(cast(self)->readable);
}

static PyObject *conn_writable(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(cast(self)->writable);
}

static PyObject *conn_handle(PyObject *self, void *Py_UNUSED(closure))
{
    if (cast(self)->fd < 0)
        Py_RETURN_NONE;
    return PyLong_FromLong(cast(self)->fd);
}

/* multiprocessing's own way to detach is to set _handle to None: the descriptor
 * stays, under its number. */
static int conn_forget(PyObject *object, PyObject *value,
                       void *Py_UNUSED(closure))
{
    struct conn_object *self = cast(object);

    if (value != Py_None) {
        PyErr_SetString(PyExc_AttributeError,
                        "_handle can be set to None only");
        return -1;
    }
    if (self->fd < 0)
        return 0;
    if (self->conn) {
        int fd = self->fd, copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (copy < 0) {
            PyErr_SetFromErrno(PyExc_OSError);
            return -1;
        }
        shut(self);
        dup2(copy, fd);
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        close(copy);
    }
    self->fd = -1;
    return 0;
}

#define WITH_KEYWORDS(f) ((PyCFunction)(void (*)(void))(f))

static PyMethodDef methods[] = {
    {"_pipe", conn_pipe, METH_O | METH_CLASS, "Both ends of a new pipe."},
    {"_give", conn_give, METH_VARARGS, "Send this end over a socket."},
    {"_take", conn_take, METH_VARARGS, "Become what _give has sent."},
    {"send", conn_send, METH_O,
     "send($self, obj, /)\n--\n\nSend an object as one message."},
    {"recv", conn_recv, METH_NOARGS,
     "recv($self, /)\n--\n\nReceive one message as an object."},
    {"send_bytes", WITH_KEYWORDS(conn_send_bytes),
     METH_FASTCALL | METH_KEYWORDS,
     "send_bytes($self, /, buf, offset=0, size=None)\n--\n\n"
     "Send a part of a buffer as one message."},
    {"recv_bytes", WITH_KEYWORDS(conn_recv_bytes),
     METH_FASTCALL | METH_KEYWORDS,
     "recv_bytes($self, /, maxlength=None)\n--\n\n"
     "Receive one message as bytes."},
    {"recv_bytes_into", WITH_KEYWORDS(conn_recv_bytes_into),
     METH_FASTCALL | METH_KEYWORDS,
     "recv_bytes_into($self, /, buf, offset=0)\n--\n\n"
     "Receive one message into a buffer; the result is its length."},
    {"poll", WITH_KEYWORDS(conn_poll), METH_FASTCALL | METH_KEYWORDS,
     "poll($self, /, timeout=0.0)\n--\n\n"
     "Whether a message, or the end, is there to be received."},
    {"fileno", conn_fileno, METH_NOARGS,
     "fileno($self, /)\n--\n\nThe descriptor."},
    {"close", conn_close, METH_NOARGS,
     "close($self, /)\n--\n\nLet go of this end."},
    {"detach", conn_detach, METH_NOARGS,
     "detach($self, /)\n--\n\n"
     "Let go of this end but keep a descriptor of it, which is returned."},
    {"__enter__", conn_enter, METH_NOARGS, NULL},
    {"__exit__", conn_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef members[] = {
    {"closed", conn_closed, NULL, "Whether it was closed.", NULL},
    {"readable", conn_readable, NULL, "Whether it can receive.", NULL},
    {"writable", conn_writable, NULL, "Whether it can send.", NULL},
    {"_handle", conn_handle, conn_forget, "The descriptor, or None.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, (void *)(uintptr_t)conn_new},
    {Py_tp_init, (void *)(uintptr_t)conn_init},
    {Py_tp_dealloc, (void *)(uintptr_t)conn_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, members},
    {Py_tp_doc, "One end of a pipe; chute.Connection derives from it."},
    {0, NULL},
};

PyType_Spec ext_conn_spec = {
    .name = "chute._chute.Connection",
    .basicsize = sizeof(struct conn_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};
