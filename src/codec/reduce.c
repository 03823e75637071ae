/* reduce.c - the few classes that plain data needs.
 *
 * Old protocols have no opcodes for bytes, bytearray, set and frozenset; there
 * Python writes a call: the class by its name, a tuple of arguments, REDUCE.
 * These are all the calls that CPython's picklers write for such data:
 *
 *     bytes()                            protocol 2
 *     _codecs.encode(text, 'latin1')     protocol 2: bytes, as text
 *     bytearray()   bytearray(bytes)     protocols 2 to 4
 *     set([...])    frozenset([...])     protocols 2 and 3
 *
 * No class is looked up and nothing is called: a name leads to one of five
 * static values, which may lie on the stack and in the memo, and which REDUCE
 * knows. In protocol 2 the module is called __builtin__, later builtins. Any
 * other name, and any other arguments, mean that the pickle needs Python:
 * CHUTE_ENOTPLAIN, and the name is remembered for a report.
 *
 * Some classes are not called by their names: an array of numpy's is made by
 * numpy.core.multiarray._reconstruct(numpy.ndarray, ...). Who reads the report
 * wants to know of the class. So a refused name that begins with _ stays on the
 * stack, and decoding goes on until another name comes, a call, or any failure.
 * If that name is the first argument, it is the one to report.
 *
 * A call copies its argument, and a short pickle can call for the same long
 * argument again and again. Arguments of honest calls were spelled out in the
 * pickle, once for each call, and are copied twice at most (text to bytes to
 * bytearray); so all copies together may be twice as long as the pickle, and
 * beyond that is CHUTE_ELIMIT.
 */
#include <string.h>

#include "codec/reader.h"
#include "codec/table.h"
#include "codec/utf8.h"

enum callable { BYTES, BYTEARRAY, SET, FROZENSET, ENCODE };

#define CLASS(which)                                                           \
    {                                                                          \
        .n_refs = VALUE_STATIC, .type = CHUTE_NONE, .flags = VALUE_CLASS,      \
        .i = (which)                                                           \
    }

static const chute_value classes[] = {
    CLASS(BYTES), CLASS(BYTEARRAY), CLASS(SET), CLASS(FROZENSET), CLASS(ENCODE),
};

static const char *const names[] = {
    [BYTES] = "bytes",         [BYTEARRAY] = "bytearray", [SET] = "set",
    [FROZENSET] = "frozenset", [ENCODE] = "encode",
};

/* -- names ----------------------------------------------------------------- */

static bool is_text(const void *text, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(text, word, len) == 0;
}

static const char *module_of(enum callable which)
{
    return which == ENCODE ? "_codecs" : "builtins";
}

int reader_refuse_class(struct reader *r, const chute_value *class)
{
    if (r->maker)
        return fail(CHUTE_ENOTPLAIN);
    r->module = module_of((enum callable) class->i);
    r->module_len = strlen(r->module);
    r->name = names[class->i];
    r->name_len = strlen(r->name);
    return fail(CHUTE_ENOTPLAIN);
}

static int push_static(struct reader *r, enum callable which)
{
    r->has_classes = true;
    return reader_push(r, (chute_value *)(uintptr_t)&classes[which]);
}

static int refuse_name(struct reader *r, const void *module, size_t module_len,
                       const void *name, size_t name_len)
{
    if (r->maker && r->stack.n != r->maker)
        return fail(CHUTE_ENOTPLAIN); /* not its first argument */
    r->module = module;
    r->module_len = module_len;
    r->name = name;
    r->name_len = name_len;
    if (r->maker || name_len == 0 || *(const char *)name != '_')
        return fail(CHUTE_ENOTPLAIN);
    r->maker = r->stack.n + 1;
    r->maker_op = r->op;
    return push_static(r, ENCODE); /* any will do: it is not called */
}

static int push_class(struct reader *r, const void *module, size_t module_len,
                      const void *name, size_t name_len)
{
    /* Up to protocol 2 names are Python 2's, which Python 3 translates. */
    bool builtin =
        is_text(module, module_len, "builtins") ||
        (r->protocol < 3 && is_text(module, module_len, "__builtin__"));
    bool codecs = is_text(module, module_len, "_codecs");

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_text(name, name_len, names[i]) &&
            (i == ENCODE ? codecs : builtin))
            return push_static(r, (enum callable)i);
    return refuse_name(r, module, module_len, name, name_len);
}

/* A line without its end; NULL if it has none. */
static const unsigned char *take_line(struct reader *r, size_t *ret_len)
{
    const unsigned char *line = r->at;
    const unsigned char *end = memchr(line, '\n', (size_t)(r->end - line));

    if (!end)
        return NULL;
    *ret_len = (size_t)(end - line);
    r->at = end + 1;
    return line;
}

int reader_global(struct reader *r)
{
    size_t module_len, name_len;
    const unsigned char *module = take_line(r, &module_len);
    const unsigned char *name = module ? take_line(r, &name_len) : NULL;

    if (!name)
        return fail(CHUTE_EPICKLE);
    return push_class(r, module, module_len, name, name_len);
}

int reader_stack_global(struct reader *r)
{
    if (!reader_has(r, 2))
        return fail(CHUTE_EPICKLE);
    chute_value *name = reader_top(r, 0), *module = reader_top(r, 1);
    if (name->type != CHUTE_STR || module->type != CHUTE_STR)
        return fail(CHUTE_EPICKLE);
    r->stack.n -= 2;
    return push_class(r, value_data(module), module->n, value_data(name),
                      name->n);
}

/* -- calls ----------------------------------------------------------------- */

static bool may_copy(struct reader *r, size_t n)
{
    if (n > r->may_copy)
        return false;
    r->may_copy -= n;
    return true;
}

static int copy_bytes(struct reader *r, int type, const void *data, size_t len)
{
    void *to;

    if (!may_copy(r, len))
        return fail(CHUTE_ELIMIT);
    chute_value *v = value_blob_new(&r->pool, type, len, &to);
    if (v && len > 0)
        memcpy(to, data, len);
    return reader_push(r, v);
}

/* The bytes whose values are the code points of `text`. */
static int encode(struct reader *r, const chute_value *text)
{
    const unsigned char *from = value_data(text), *end = from + text->n;
    size_t len = 0;
    void *to;

    if (!may_copy(r, text->n))
        return fail(CHUTE_ELIMIT);
    for (const unsigned char *p = from; p < end; len++)
        if (utf8_next(&p) > 0xff)
            return fail(CHUTE_EPICKLE);
    chute_value *v = value_blob_new(&r->pool, CHUTE_BYTES, len, &to);
    for (unsigned char *byte = to; v && from < end; byte++)
        *byte = (unsigned char)utf8_next(&from);
    return reader_push(r, v);
}

/* Lay a list's items on the stack, which now has them a second time, and make a
 * set of them. */
static int gather(struct reader *r, int type, const chute_value *list)
{
    size_t from = r->stack.n;

    if (!may_copy(r, list->n))
        return fail(CHUTE_ELIMIT);
    for (size_t i = 0; i < list->n; i++) {
        chute_value *item = value_items(list)[i];
        value_mark_shared(item);
        int result = reader_push(r, item);
        if (result < 0)
            return result;
    }
    return reader_make_set(r, type, from, list->n);
}

static bool is_latin1(const chute_value *v)
{
    return v->type == CHUTE_STR && is_text(value_data(v), v->n, "latin1");
}

/* Call, and push the result. */
static int call(struct reader *r, enum callable what, const chute_value *args)
{
    chute_value *const *arg = value_items(args);
    int type = args->n > 0 ? arg[0]->type : 0;

    if (what == BYTES && args->n == 0)
        return copy_bytes(r, CHUTE_BYTES, NULL, 0);
    if (what == BYTEARRAY && args->n == 0)
        return copy_bytes(r, CHUTE_BYTEARRAY, NULL, 0);
    if (what == BYTEARRAY && args->n == 1 && type == CHUTE_BYTES)
        return copy_bytes(r, CHUTE_BYTEARRAY, value_data(arg[0]), arg[0]->n);
    if (what == ENCODE && args->n == 2 && type == CHUTE_STR &&
        is_latin1(arg[1]))
        return encode(r, arg[0]);
    if (what == SET && args->n == 1 && type == CHUTE_LIST)
        return gather(r, CHUTE_SET, arg[0]);
    if (what == FROZENSET && args->n == 1 && type == CHUTE_LIST)
        return gather(r, CHUTE_FROZENSET, arg[0]);
    return reader_refuse_class(r, &classes[what]);
}

int reader_reduce(struct reader *r)
{
    if (!reader_has(r, 2))
        return fail(CHUTE_EPICKLE);
    const chute_value *args = reader_top(r, 0), *callable = reader_top(r, 1);
    if (!(callable->flags & VALUE_CLASS) || args->type != CHUTE_TUPLE)
        return fail(CHUTE_EPICKLE);
    if (r->maker)
        return fail(CHUTE_ENOTPLAIN);
    r->stack.n -= 2;
    return call(r, (enum callable)callable->i, args);
}
