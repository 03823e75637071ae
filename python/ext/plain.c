/* plain.c - small plain data as pickles, by the short way.
 *
 * pickle.dumps makes a pickler, a memo and a bytes object for each object, and
 * pickle.loads the like. What most programs put is smaller than that: a number, a
 * str, a list of some. For these the pickle is written straight into a buffer
 * here, and read straight out of one.
 *
 * Both only try. What they do not know makes them give up, without an exception
 * and without a trace, and pickle does the whole of it.
 *
 *     writes   None, bool, int of 64 bits, float, ASCII str, bytes; and list,
 *              tuple and dict of these, exactly, whatever their depth up to
 *              MOST_LEVELS, as long as the buffer has room
 *     reads    what it writes, what chute writes in C, and what pickle writes for
 *              the same, unless it uses the memo
 *
 * There is no memo, and what a container holds twice has to be one object again
 * on the other side. So a container in another is taken only if nobody else holds
 * it: then it cannot be there twice, nor hold itself. Strings and numbers that
 * are the same object become equal ones.
 *
 * Bytes are anybody's choice, and where they lie in a queue's memory they might even
 * change meanwhile: each is looked at once, and every length is checked.
 *
 * Proof: tests/python/test_plain.py, against pickle.
 */
#include "ext.h"

#define MOST_LEVELS 8
/* That wait for their container, when reading: a value is a byte at least. */
#define MOST_VALUES 2048

enum {
    MARK = '(',
    STOP = '.',
    NONE = 'N',
    INT1 = 'K',
    INT2 = 'M',
    INT4 = 'J',
    LONG1 = 0x8a,
    FLOAT = 'G',
    STR4 = 'X',
    STR1 = 0x8c,
    BYTES1 = 'C',
    BYTES4 = 'B',
    NEW_TRUE = 0x88,
    NEW_FALSE = 0x89,
    EMPTY_LIST = ']',
    APPEND = 'a',
    APPENDS = 'e',
    EMPTY_DICT = '}',
    SETITEM = 's',
    SETITEMS = 'u',
    EMPTY_TUPLE = ')',
    TUPLE = 't',
    TUPLE1 = 0x85,
    TUPLE2,
    TUPLE3,
    PROTO = 0x80,
    FRAME = 0x95,
    MEMOIZE = 0x94,
};

/* -- writing ---------------------------------------------------------------- */

struct writer {
    unsigned char *at;
    unsigned char *end;
};

static bool write_object(struct writer *w, PyObject *object, int levels);

static bool has_room(const struct writer *w, size_t len)
{
    return (size_t)(w->end - w->at) >= len;
}

static bool write_op(struct writer *w, int op)
{
    if (!has_room(w, 1))
        return false;
    *w->at++ = (unsigned char)op;
    return true;
}

/* n bytes of a number, little-endian. */
static bool write_bytes_of(struct writer *w, uint64_t number, int n)
{
    if (!has_room(w, (size_t)n))
        return false;
    for (int i = 0; i < n; i++)
        *w->at++ = (unsigned char)(number >> 8 * i);
    return true;
}

static bool write_number(struct writer *w, int op, uint64_t number, int n)
{
    return write_op(w, op) && write_bytes_of(w, number, n);
}

static bool write_int(struct writer *w, PyObject *object)
{
    int overflow;
    long long n = PyLong_AsLongLongAndOverflow(object, &overflow);

    if (overflow)
        return false;
    if (n >= 0 && n <= UINT8_MAX)
        return write_number(w, INT1, (uint64_t)n, 1);
    if (n >= 0 && n <= UINT16_MAX)
        return write_number(w, INT2, (uint64_t)n, 2);
    if (n >= INT32_MIN && n <= INT32_MAX)
        return write_number(w, INT4, (uint64_t)n, 4);
    return write_number(w, LONG1, 8, 1) && write_bytes_of(w, (uint64_t)n, 8);
}

/* Big-endian, as nothing else is. */
static bool write_float(struct writer *w, PyObject *object)
{
    double d = PyFloat_AS_DOUBLE(object);
    uint64_t bits;

    memcpy(&bits, &d, sizeof bits);
    return write_number(w, FLOAT, __builtin_bswap64(bits), 8);
}

static bool write_text(struct writer *w, int op1, int op4, const void *data,
                       Py_ssize_t len)
{
    if ((uint64_t)len > UINT32_MAX ||
        !(len <= UINT8_MAX ? write_number(w, op1, (uint64_t)len, 1)
                           : write_number(w, op4, (uint64_t)len, 4)) ||
        !has_room(w, (size_t)len))
        return false;
    memcpy(w->at, data, (size_t)len);
    w->at += len;
    return true;
}

static bool write_items(struct writer *w, PyObject *const *items, Py_ssize_t n,
                        int levels)
{
    for (Py_ssize_t i = 0; i < n; i++)
        if (!write_object(w, items[i], levels))
            return false;
    return true;
}

static bool write_list(struct writer *w, PyObject *list, int levels)
{
    Py_ssize_t n = PyList_GET_SIZE(list);

    return write_op(w, EMPTY_LIST) &&
           (n == 0 || (write_op(w, MARK) &&
                       write_items(w, PySequence_Fast_ITEMS(list), n, levels) &&
                       write_op(w, APPENDS)));
}

static bool write_tuple(struct writer *w, PyObject *tuple, int levels)
{
    Py_ssize_t n = PyTuple_GET_SIZE(tuple);

    if (n == 0)
        return write_op(w, EMPTY_TUPLE);
    return (n <= 3 || write_op(w, MARK)) &&
           write_items(w, PySequence_Fast_ITEMS(tuple), n, levels) &&
           write_op(w, n <= 3 ? TUPLE1 + (int)n - 1 : TUPLE);
}

static bool write_dict(struct writer *w, PyObject *dict, int levels)
{
    Py_ssize_t i = 0;
    PyObject *pair[2];

    if (!write_op(w, EMPTY_DICT))
        return false;
    if (PyDict_GET_SIZE(dict) == 0)
        return true;
    if (!write_op(w, MARK))
        return false;
    while (PyDict_Next(dict, &i, &pair[0], &pair[1]))
        if (!write_items(w, pair, 2, levels))
            return false;
    return write_op(w, SETITEMS);
}

static bool write_container(struct writer *w, PyObject *object, int levels)
{
    bool outermost = levels == MOST_LEVELS;

    if (levels == 0 || (!outermost && Py_REFCNT(object) != 1))
        return false;
    if (PyList_CheckExact(object))
        return write_list(w, object, levels - 1);
    if (PyTuple_CheckExact(object))
        return write_tuple(w, object, levels - 1);
    return PyDict_CheckExact(object) && write_dict(w, object, levels - 1);
}

static bool write_object(struct writer *w, PyObject *object, int levels)
{
    if (PyLong_CheckExact(object))
        return write_int(w, object);
    if (PyUnicode_CheckExact(object))
        return PyUnicode_IS_COMPACT_ASCII(object) &&
               write_text(w, STR1, STR4, PyUnicode_DATA(object),
                          PyUnicode_GET_LENGTH(object));
    if (object == Py_None)
        return write_op(w, NONE);
    if (PyBytes_CheckExact(object))
        return write_text(w, BYTES1, BYTES4, PyBytes_AS_STRING(object),
                          PyBytes_GET_SIZE(object));
    if (PyFloat_CheckExact(object))
        return write_float(w, object);
    if (PyBool_Check(object))
        return write_op(w, object == Py_True ? NEW_TRUE : NEW_FALSE);
    return write_container(w, object, levels);
}

size_t ext_plain_dumps(PyObject *object, void *buf, size_t cap)
{
    struct writer w = {.at = buf, .end = (unsigned char *)buf + cap};

    return write_number(&w, PROTO, 4, 1) &&
                   write_object(&w, object, MOST_LEVELS) && write_op(&w, STOP)
               ? (size_t)(w.at - (unsigned char *)buf)
               : 0;
}

/* -- reading ---------------------------------------------------------------- */

struct reader {
    const unsigned char *at;
    const unsigned char *end;
    int n_values;
    int n_marks;
    PyObject *values[MOST_VALUES];
    int marks[MOST_LEVELS]; /* how many values there were */
};

/* Takes the reference; NULL is something that could not be made. */
static bool push(struct reader *r, PyObject *value)
{
    if (!value)
        return false;
    if (r->n_values == MOST_VALUES) {
        Py_DECREF(value);
        return false;
    }
    r->values[r->n_values++] = value;
    return true;
}

/* n bytes, and go on behind them; NULL if there are not so many. */
static const unsigned char *take(struct reader *r, size_t n)
{
    const unsigned char *at = r->at;

    if ((size_t)(r->end - at) < n)
        return NULL;
    r->at += n;
    return at;
}

static bool take_number(struct reader *r, size_t n, uint64_t *ret)
{
    const unsigned char *at = take(r, n);

    *ret = 0;
    for (size_t i = 0; at && i < n; i++)
        *ret |= (uint64_t)at[i] << 8 * i;
    return at != NULL;
}

static bool read_unsigned(struct reader *r, size_t n)
{
    uint64_t number;

    return take_number(r, n, &number) &&
           push(r, PyLong_FromUnsignedLongLong(number));
}

static bool read_signed(struct reader *r, size_t n)
{
    uint64_t number;

    if (n > 8 || !take_number(r, n, &number))
        return false;
    if (n > 0 && n < 8 && number >> (8 * n - 1))
        number |= UINT64_MAX << 8 * n;
    return push(r, PyLong_FromLongLong((long long)number));
}

static bool read_long(struct reader *r)
{
    uint64_t n;

    return take_number(r, 1, &n) && read_signed(r, n);
}

static bool read_float(struct reader *r)
{
    uint64_t bits;
    double d;

    if (!take_number(r, 8, &bits))
        return false;
    bits = __builtin_bswap64(bits);
    memcpy(&d, &bits, sizeof d);
    return push(r, PyFloat_FromDouble(d));
}

static bool read_text(struct reader *r, size_t n, bool is_str)
{
    uint64_t len;
    const unsigned char *at;

    if (!take_number(r, n, &len))
        return false;
    at = take(r, len);
    if (!at)
        return false;
    const char *text = (const char *)at;
    return push(
        r, is_str ? PyUnicode_DecodeUTF8(text, (Py_ssize_t)len, "surrogatepass")
                  : PyBytes_FromStringAndSize(text, (Py_ssize_t)len));
}

static bool read_mark(struct reader *r)
{
    if (r->n_marks == MOST_LEVELS)
        return false;
    r->marks[r->n_marks++] = r->n_values;
    return true;
}

/* Where the values above the last mark begin; -1 if there is no mark. */
static int take_mark(struct reader *r)
{
    return r->n_marks > 0 ? r->marks[--r->n_marks] : -1;
}

/* Where the values begin that an opcode may use: above the last mark. */
static int lowest(const struct reader *r)
{
    return r->n_marks > 0 ? r->marks[r->n_marks - 1] : 0;
}

/* The container that the values from `first` on belong to. */
static PyObject *container_below(struct reader *r, int first)
{
    return first > lowest(r) && first <= r->n_values ? r->values[first - 1]
                                                     : NULL;
}

static void drop_from(struct reader *r, int first)
{
    while (r->n_values > first)
        Py_DECREF(r->values[--r->n_values]);
}

static bool read_appends(struct reader *r, int first)
{
    PyObject *list = container_below(r, first);

    if (!list || !PyList_CheckExact(list))
        return false;
    for (int i = first; i < r->n_values; i++)
        if (PyList_Append(list, r->values[i]) < 0)
            return false;
    drop_from(r, first);
    return true;
}

static bool read_setitems(struct reader *r, int first)
{
    PyObject *dict = container_below(r, first);

    if (!dict || !PyDict_CheckExact(dict) || (r->n_values - first) % 2)
        return false;
    for (int i = first; i < r->n_values; i += 2)
        if (PyDict_SetItem(dict, r->values[i], r->values[i + 1]) < 0)
            return false;
    drop_from(r, first);
    return true;
}

static bool read_tuple(struct reader *r, int first)
{
    if (first < lowest(r))
        return false;
    PyObject *tuple = PyTuple_New(r->n_values - first);
    if (!tuple)
        return false;
    for (int i = first; i < r->n_values; i++)
        PyTuple_SET_ITEM(tuple, i - first, r->values[i]);
    r->n_values = first;
    return push(r, tuple);
}

static bool read_container(struct reader *r, int op)
{
    switch (op) {
    case EMPTY_LIST:
        return push(r, PyList_New(0));
    case EMPTY_DICT:
        return push(r, PyDict_New());
    case EMPTY_TUPLE:
        return push(r, PyTuple_New(0));
    case MARK:
        return read_mark(r);
    case APPEND:
        return read_appends(r, r->n_values - 1);
    case APPENDS:
        return read_appends(r, take_mark(r));
    case SETITEM:
        return read_setitems(r, r->n_values - 2);
    case SETITEMS:
        return read_setitems(r, take_mark(r));
    case TUPLE:
        return read_tuple(r, take_mark(r));
    case TUPLE1:
    case TUPLE2:
    case TUPLE3:
        return read_tuple(r, r->n_values - 1 - (op - TUPLE1));
    default:
        return false;
    }
}

/* The frame has to be there, and means nothing. */
static bool read_frame(struct reader *r)
{
    uint64_t len;

    return take_number(r, 8, &len) && len <= (size_t)(r->end - r->at);
}

static bool read_op(struct reader *r, int op)
{
    switch (op) {
    case PROTO:
        return take(r, 1) && r->at[-1] <= 5;
    case FRAME:
        return read_frame(r);
    case MEMOIZE: /* for a memo that nobody will ask */
        return r->n_values > lowest(r);
    case NONE:
        return push(r, Py_NewRef(Py_None));
    case NEW_TRUE:
        return push(r, Py_NewRef(Py_True));
    case NEW_FALSE:
        return push(r, Py_NewRef(Py_False));
    case INT1:
        return read_unsigned(r, 1);
    case INT2:
        return read_unsigned(r, 2);
    case INT4:
        return read_signed(r, 4);
    case LONG1:
        return read_long(r);
    case FLOAT:
        return read_float(r);
    case STR1:
        return read_text(r, 1, true);
    case STR4:
        return read_text(r, 4, true);
    case BYTES1:
        return read_text(r, 1, false);
    case BYTES4:
        return read_text(r, 4, false);
    default:
        return read_container(r, op);
    }
}

PyObject *ext_plain_loads(const void *data, size_t len)
{
    struct reader r;

    r.at = data;
    r.end = r.at + len;
    r.n_values = r.n_marks = 0;
    while (r.at < r.end) {
        int op = *r.at++;
        if (op == STOP && r.n_values == 1 && r.n_marks == 0)
            return r.values[0];
        if (!read_op(&r, op))
            break;
    }
    PyErr_Clear();
    drop_from(&r, 0);
    return NULL;
}
