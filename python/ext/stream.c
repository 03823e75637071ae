/* stream.c - messages over a descriptor that is no socket.
 *
 * multiprocessing.connection.Connection takes any descriptor: the end of a
 * pipe(2), a FIFO, a terminal. chute's own connections are sockets, so such a
 * one is read and written here, in the same framing, and as CPython does it: it
 * is for one reader and one writer, and a signal handler that raises in the
 * middle of a message leaves the stream torn.
 *
 *     n <= 0x7fffffff    4 bytes n, big-endian; the body
 *     longer             4 bytes of ff; 8 bytes n; the body
 */
#include <errno.h>
#include <unistd.h>

#include "ext.h"

#define LONGEST_SHORT UINT64_C(0x7fffffff)
/* As CPython: up to here header and body go together. */
#define TOGETHER 16384

static void write_number(unsigned char *at, uint64_t n, int len)
{
    for (int i = 0; i < len; i++)
        at[i] = (unsigned char)(n >> 8 * (len - 1 - i));
}

static uint64_t read_number(const unsigned char *at, int len)
{
    uint64_t n = 0;

    for (int i = 0; i < len; i++)
        n = n << 8 | at[i];
    return n;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n;
        Py_BEGIN_ALLOW_THREADS n = write(fd, data, len);
        Py_END_ALLOW_THREADS if (n < 0 && errno != EINTR)
        {
            PyErr_SetFromErrno(PyExc_OSError);
            return -1;
        }
        if (n < 0 && PyErr_CheckSignals() < 0)
            return -1;
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

/* At the end of the stream: EOFError if it comes at a good place. */
static int read_all(int fd, void *to, size_t len, bool may_end)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n;
        Py_BEGIN_ALLOW_THREADS n = read(fd, (char *)to + done, len - done);
        Py_END_ALLOW_THREADS if (n > 0)
        {
            done += (size_t)n;
        }
        else if (n == 0)
        {
            if (done == 0 && may_end)
                PyErr_SetNone(PyExc_EOFError);
            else
                PyErr_SetString(PyExc_OSError,
                                "got end of file during message");
            return -1;
        }
        else if (errno != EINTR)
        {
            PyErr_SetFromErrno(PyExc_OSError);
            return -1;
        }
        else if (PyErr_CheckSignals() < 0)
        {
            return -1;
        }
    }
    return 0;
}

int ext_stream_send(int fd, const void *data, size_t len)
{
    unsigned char head[12 + TOGETHER];
    size_t head_len = 4;

    if (len <= LONGEST_SHORT) {
        write_number(head, len, 4);
    } else {
        write_number(head, UINT32_MAX, 4);
        write_number(head + 4, len, 8);
        head_len = 12;
    }
    if (len <= TOGETHER) {
        if (len > 0)
            memcpy(head + head_len, data, len);
        return write_all(fd, (char *)head, head_len + len);
    }
    if (write_all(fd, (char *)head, head_len) < 0)
        return -1;
    return write_all(fd, data, len);
}

PyObject *ext_stream_recv(int fd, size_t most, bool *ret_too_long)
{
    unsigned char head[8];

    if (read_all(fd, head, 4, true) < 0)
        return NULL;
    uint64_t len = read_number(head, 4);
    if (len == UINT32_MAX) {
        if (read_all(fd, head, 8, false) < 0)
            return NULL;
        len = read_number(head, 8);
    } else if (len > LONGEST_SHORT) {
        return ext_raise(NULL, CHUTE_EPROTO);
    }
    *ret_too_long = len > most;
    if (*ret_too_long)
        return NULL;
    if (len > PY_SSIZE_T_MAX)
        return PyErr_NoMemory();
    PyObject *message = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)len);
    if (message && len > 0 &&
        read_all(fd, PyBytes_AS_STRING(message), (size_t)len, false) < 0)
        Py_CLEAR(message);
    return message;
}
