/* args.c - arguments by place or by name.
 *
 * PyArg_ParseTupleAndKeywords takes a tuple and a dict, which would have to be
 * made for each put; this takes them from where the caller has put them.
 */
#include "ext.h"

static int place_of(const struct ext_args *args, PyObject *keyword)
{
    for (int i = 0; i < args->n; i++)
        if (PyUnicode_CompareWithASCIIString(keyword, args->names[i]) == 0)
            return i;
    return -1;
}

static int take_keywords(const struct ext_args *args, PyObject *const *values,
                         PyObject *keywords, PyObject **ret)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(keywords); i++) {
        PyObject *keyword = PyTuple_GET_ITEM(keywords, i);
        int place = place_of(args, keyword);
        if (place < 0 || ret[place]) {
            PyErr_Format(PyExc_TypeError, "%s() got %s argument '%U'",
                         args->function,
                         place < 0 ? "an unexpected" : "twice the", keyword);
            return -1;
        }
        ret[place] = values[i];
    }
    return 0;
}

int ext_args_take(const struct ext_args *args, PyObject *const *given,
                  Py_ssize_t n_given, PyObject *keywords, PyObject **ret)
{
    if (n_given > args->n) {
        PyErr_Format(PyExc_TypeError,
                     "%s() takes %d arguments at most, but %zd were given",
                     args->function, args->n, n_given);
        return -1;
    }
    for (int i = 0; i < args->n; i++)
        ret[i] = i < n_given ? given[i] : NULL;
    if (keywords && take_keywords(args, given + n_given, keywords, ret) < 0)
        return -1;
    for (int i = 0; i < args->n_needed; i++)
        if (!ret[i]) {
            PyErr_Format(PyExc_TypeError, "%s() misses the argument '%s'",
                         args->function, args->names[i]);
            return -1;
        }
    return 0;
}
