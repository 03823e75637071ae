/* ext.h - what the parts of the extension `chute._chute` share.
 *
 * The extension is C by the public header alone. It knows what cannot be said in
 * Python: how to wait without the interpreter's lock, and what a code is as an
 * exception. All else is in python/chute.
 *
 * Names that cross files begin with ext_, for the library's own are linked with
 * them.
 */
#ifndef EXT_H
#define EXT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <chute.h>

/* Memory for a message, used more than once. */
struct ext_buffer {
    void *data;
    size_t cap;
};

/* What the module keeps, once for each interpreter. */
struct ext_state {
    PyTypeObject *queue_type;
    PyTypeObject *conn_type;
    PyTypeObject *block_type; /* see split.c */
    PyObject *empty;          /* queue.Empty */
    PyObject *full;           /* queue.Full */
    PyObject *shut_down;
    PyObject *buffer_too_short;
    PyObject *plain_dumps;     /* pickle.dumps */
    PyObject *forking_pickler; /* multiprocessing's ForkingPickler, */
    PyObject *forking_dumps;   /* and its dumps */
    PyObject *bytes_io;
    PyObject *loads;         /* pickle.loads */
    PyObject *hook_name;     /* "_on_queue_feeder_error" */
    struct ext_buffer spare; /* see message.c */
    uint64_t n_forks;        /* how many forks this process is away from the
                                one that loaded the module, and one more */
};

extern struct PyModuleDef ext_module;
extern PyType_Spec ext_queue_spec;
extern PyType_Spec ext_conn_spec;
extern PyType_Spec ext_block_spec;

/* The state of the module that a type, or a class below it, belongs to; NULL
 * with an exception. */
struct ext_state *ext_state_of(PyTypeObject *type);

/* -- args.c ----------------------------------------------------------------- */

/* The arguments of a function, by place or by name: n of them, of which the
 * first n_needed have to be given; ret[i] is NULL for one that is not. Borrowed.
 * -1 with TypeError. */
struct ext_args {
    const char *function;
    const char *const *names;
    int n;
    int n_needed;
};
int ext_args_take(const struct ext_args *args, PyObject *const *given,
                  Py_ssize_t n_given, PyObject *keywords, PyObject **ret);

/* -- error.c ---------------------------------------------------------------- */

/* Set the exception that a code of chute's is. Always NULL. */
PyObject *ext_raise(struct ext_state *state, int r);

/* -- timer.c ---------------------------------------------------------------- */

/* How long a call may still wait. */
struct ext_timer {
    bool forever;
    int64_t deadline; /* CLOCK_MONOTONIC, in ns; 0: has been over at once */
};

/* From the arguments that Python's calls have: timeout is a number of seconds,
 * or None, for ever. Its type is checked even if `block` is false. -1 with an
 * exception. */
int ext_timer_start(struct ext_timer *timer, bool block, PyObject *timeout);

/* The timeout for the next call of chute's: what is left, or a slice of it,
 * after which it is time to look for signals. */
int64_t ext_timer_slice(const struct ext_timer *timer);

/* The same in one piece, for calls that a signal always ends. */
int64_t ext_timer_left(const struct ext_timer *timer);

/* What a call that gave r means: 1, try again; 0, r is the result; -1, a signal
 * handler has raised an exception. */
int ext_timer_goes_on(const struct ext_timer *timer, int r);

/* -- plain.c ---------------------------------------------------------------- */

/* Write a pickle of small plain data to buf; its length, or 0 if it is something
 * else, or larger. No exceptions. */
size_t ext_plain_dumps(PyObject *object, void *buf, size_t cap);

/* The object of such a pickle; NULL, without an exception, if it is another
 * one. */
PyObject *ext_plain_loads(const void *data, size_t len);

/* -- message.c -------------------------------------------------------------- */

/* A buffer of cap bytes or more, to be given back; -1 with an exception. */
int ext_buffer_take(struct ext_state *state, size_t cap,
                    struct ext_buffer *ret_buffer);
void ext_buffer_give(struct ext_state *state, struct ext_buffer *buffer);

/* An object on its way to be a message. Where its bytes lie in one piece this is
 * `data`; otherwise they have to be written, and there are `len`. */
struct ext_message {
    const void *data;
    size_t len;
    Py_buffer view;    /* what holds them, or the large part of them */
    PyObject *buffers; /* see split.c */
    size_t n_head;     /* how many of small stand before the large part */
    struct ext_buffer buffer; /* of ext_message_join */
    char small[2048];
};

/* May large buffers stand beside the pickle? */
enum ext_form { EXT_PICKLE, EXT_SPLIT };

/* -1 with an exception. */
int ext_message_dump(struct ext_state *state, PyObject *object,
                     enum ext_form form, struct ext_message *ret_message);
/* A message that is what an object has in its buffer. */
int ext_message_of_bytes(PyObject *bytes, struct ext_message *ret_message);
void ext_message_free(struct ext_state *state, struct ext_message *message);

/* Write the message to a place of len bytes. */
void ext_message_write(const struct ext_message *message, void *to);

/* Make it one piece. -1 with an exception. */
int ext_message_join(struct ext_state *state, struct ext_message *message);

/* The object of a message; NULL with an exception, whose attribute `message` is
 * the message. Nothing of `data` is kept. The first is for a pickle, the second for
 * what may be one with large buffers beside it. */
PyObject *ext_loads(struct ext_state *state, const void *data, size_t len);
PyObject *ext_item_loads(struct ext_state *state, const void *data, size_t len);

/* Add the message to the exception that is set. */
void ext_keep_message(const void *data, size_t len);

/* -- split.c ---------------------------------------------------------------- */

/* Dump an object that is not plain; if it has no large buffers the message is a
 * pickle. -1 with an exception. */
int ext_split_dump(struct ext_state *state, PyObject *object,
                   struct ext_message *ret_message);

/* ext_message_write, where there are buffers. */
void ext_split_write(const struct ext_message *message, void *to);

/* Whether a message is such a one; and its object, which takes the memory over, in
 * any case. */
bool ext_is_split(const void *data, size_t len);
PyObject *ext_split_loads(struct ext_state *state, void *memory, size_t len);

/* -- stream.c: descriptors that are no sockets -------------------------------- */

/* Send len bytes as one message; receive one, of at most `most` bytes, as bytes
 * (a longer one sets *ret_too_long and gives NULL without an exception). They
 * give -1, and NULL, with an exception. */
int ext_stream_send(int fd, const void *data, size_t len);
PyObject *ext_stream_recv(int fd, size_t most, bool *ret_too_long);

#endif /* EXT_H */
