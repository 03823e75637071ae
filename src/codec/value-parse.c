/* value-parse.c - a value taken apart by a format.
 *
 * The format is gone through from left to right beside the value, once to see
 * whether all of it fits, and once more to write; so there is nothing to undo.
 * Where it does not fit, it is gone through a last time without a value: a
 * format that makes no sense is the program's own mistake, and must not show
 * only when the right message comes along.
 *
 * The functions recurse, but by the format: a program's own text, and at most
 * FORMAT_MAX_DEPTH brackets deep. Values may have any depth.
 *
 * Proven by tests/unit/test-value-parse.c.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/fail.h"
#include "chute/error.h"
#include "codec/format.h"
#include "codec/table.h"
#include "codec/value.h"

/* Where we are in the value: an index, or a key if there is one. */
struct step {
    const char *key;
    size_t n; /* its length; or the index */
};

struct parse {
    const char *at; /* in the format */
    va_list args;
    bool write;
    char *place; /* NULL: nobody wants to know */
    unsigned depth;
    struct step path[FORMAT_MAX_DEPTH];
};

/* -- what does not fit ----------------------------------------------------- */

/* The last steps are the ones that matter, if there are too many. */
static int complain(struct parse *p, const char *expected, const char *found)
{
    char text[CHUTE_PLACE_LEN];
    size_t cap = sizeof text, n = 0;
    unsigned from = p->depth > 4 ? p->depth - 4 : 0;

    if (!p->place)
        return fail(CHUTE_ESHAPE);
    if (from > 0)
        n += (size_t)snprintf(text, cap, "...");
    for (unsigned i = from; i < p->depth; i++) {
        const struct step *s = &p->path[i];
        if (!s->key)
            n += (size_t)snprintf(text + n, cap - n, "[%zu]", s->n);
        else if (s->n < 14)
            n += (size_t)snprintf(text + n, cap - n, "['%.*s']", (int)s->n,
                                  s->key);
        else
            n += (size_t)snprintf(text + n, cap - n, "['%.10s...']", s->key);
    }
    snprintf(text + n, cap - n, "%s%s%s%s", n > 0 ? ": " : "", expected,
             found ? " expected, not " : "", found ? found : "");
    memcpy(p->place, text, sizeof text);
    return fail(CHUTE_ESHAPE);
}

static int wrong_type(struct parse *p, const char *expected,
                      const chute_value *v)
{
    return complain(p, expected, chute_value_typename(v));
}

/* -- items of one letter --------------------------------------------------- */

/* An int between min and max. */
static int check_int(struct parse *p, const chute_value *v, int64_t min,
                     int64_t max, int64_t *ret_i)
{
    int r = chute_value_int(v, ret_i);

    if (r == CHUTE_EINVAL)
        return wrong_type(p, "int", v);
    if (r < 0 || *ret_i < min || *ret_i > max)
        return complain(p, "int out of range", NULL);
    return 0;
}

static int parse_uint64(struct parse *p, const chute_value *v, uint64_t *to)
{
    unsigned char le[9];
    uint64_t u = 0;
    size_t len;
    int r = chute_value_int_bytes(v, le, sizeof le, &len);

    if (r == CHUTE_EINVAL)
        return wrong_type(p, "int", v);
    if (r < 0 || le[len - 1] & 0x80 || (len == 9 && le[8] != 0))
        return complain(p, "int out of range", NULL);
    while (len-- > 0)
        u = u << 8 | le[len];
    if (p->write)
        *to = u;
    return 0;
}

static int parse_double(struct parse *p, const chute_value *v, double *to)
{
    double d;
    int r = chute_value_float(v, &d);

    if (r == CHUTE_EINVAL)
        return wrong_type(p, "float", v);
    if (r < 0)
        return complain(p, "int out of range", NULL);
    if (p->write)
        *to = d;
    return 0;
}

static int parse_str(struct parse *p, const chute_value *v, const char **to,
                     size_t *to_len)
{
    const char *text = chute_value_str(v);

    if (!text)
        return wrong_type(p, "str", v);
    if (!to_len && strlen(text) != chute_value_len(v))
        return complain(p, "str with a NUL", NULL);
    if (p->write)
        *to = text;
    if (p->write && to_len)
        *to_len = chute_value_len(v);
    return 0;
}

static int parse_bytes(struct parse *p, const chute_value *v, const void **to,
                       size_t *to_len)
{
    size_t len;
    const void *data = chute_value_bytes(v, &len);

    if (!data)
        return wrong_type(p, "bytes", v);
    if (p->write) {
        *to = data;
        *to_len = len;
    }
    return 0;
}

static int parse_bool(struct parse *p, const chute_value *v, bool *to)
{
    bool b;

    if (chute_value_bool(v, &b) < 0)
        return wrong_type(p, "bool", v);
    if (p->write)
        *to = b;
    return 0;
}

/* v is NULL where the item is skipped; its arguments are then taken, too. */
static int parse_letter(struct parse *p, const chute_value *v)
{
    char letter = *p->at++;
    bool hash = (letter == 's' || letter == 'y') && *p->at == '#';
    int64_t i;
    int r = 0;

    if (hash)
        p->at++;
    switch (letter) {
    case 'n':
        return !v || v->type == CHUTE_NONE ? 0 : wrong_type(p, "None", v);
    case 'b': {
        bool *to = va_arg(p->args, bool *);
        return v ? parse_bool(p, v, to) : 0;
    }
    case 'i': {
        int *to = va_arg(p->args, int *);
        r = v ? check_int(p, v, INT_MIN, INT_MAX, &i) : 0;
        if (v && r == 0 && p->write)
            *to = (int)i;
        return r;
    }
    case 'l': {
        int64_t *to = va_arg(p->args, int64_t *);
        r = v ? check_int(p, v, INT64_MIN, INT64_MAX, &i) : 0;
        if (v && r == 0 && p->write)
            *to = i;
        return r;
    }
    case 'u': {
        uint64_t *to = va_arg(p->args, uint64_t *);
        return v ? parse_uint64(p, v, to) : 0;
    }
    case 'd': {
        double *to = va_arg(p->args, double *);
        return v ? parse_double(p, v, to) : 0;
    }
    case 's': {
        const char **to = va_arg(p->args, const char **);
        size_t *to_len = hash ? va_arg(p->args, size_t *) : NULL;
        return v ? parse_str(p, v, to, to_len) : 0;
    }
    case 'y': {
        if (!hash)
            return fail(CHUTE_EINVAL);
        const void **to = va_arg(p->args, const void **);
        size_t *to_len = va_arg(p->args, size_t *);
        return v ? parse_bytes(p, v, to, to_len) : 0;
    }
    case 'v': {
        chute_value **to = va_arg(p->args, chute_value **);
        if (v && p->write)
            *to = (chute_value *)(uintptr_t)v;
        return 0;
    }
    default:
        return fail(CHUTE_EINVAL);
    }
}

/* -- items in brackets ----------------------------------------------------- */

static int parse_item(struct parse *p, const chute_value *v);

/* One item of a list or tuple, or what stands behind a key. */
static int parse_step(struct parse *p, struct step step, const chute_value *v)
{
    if (p->depth == FORMAT_MAX_DEPTH)
        return fail(CHUTE_EINVAL);
    p->path[p->depth++] = step;
    int r = parse_item(p, v);
    if (r == 0)
        p->depth--; /* on failure the path has been told, or is lost */
    return r;
}

/* A place that should hold something, or should not. */
static int complain_at(struct parse *p, struct step step, const char *what)
{
    if (p->depth == FORMAT_MAX_DEPTH)
        return fail(CHUTE_EINVAL);
    p->path[p->depth++] = step;
    return complain(p, what, NULL);
}

static int parse_items(struct parse *p, const chute_value *v, int type,
                       char closing)
{
    if (v && v->type != type)
        return wrong_type(p, type == CHUTE_LIST ? "list" : "tuple", v);
    p->at++;
    for (size_t i = 0;; i++) {
        p->at = format_skip(p->at);
        bool more = *p->at == '*';
        if (more)
            p->at = format_skip(p->at + 1);
        if (*p->at == closing) {
            p->at++;
            if (v && !more && i < v->n)
                return complain_at(p, (struct step){.n = i}, "not expected");
            return 0;
        }
        if (more)
            return fail(CHUTE_EINVAL);
        if (v && i >= v->n)
            return complain_at(p, (struct step){.n = i}, "missing");
        int r =
            parse_step(p, (struct step){.n = i}, v ? value_items(v)[i] : NULL);
        if (r < 0)
            return r;
    }
}

static int parse_pairs(struct parse *p, const chute_value *v)
{
    if (v && v->type != CHUTE_DICT)
        return wrong_type(p, "dict", v);
    p->at++;
    for (;;) {
        struct step step;
        const chute_value *item = NULL;
        size_t at;

        p->at = format_skip(p->at);
        if (*p->at == '}') {
            p->at++;
            return 0;
        }
        bool optional = *p->at == '?';
        if (optional)
            p->at = format_skip(p->at + 1);
        step.key = format_key(&p->at, &step.n);
        if (!step.key)
            return fail(CHUTE_EINVAL);
        if (v && table_find_str(v, step.key, step.n, &at))
            item = value_items(v)[2 * at + 1];
        else if (v && !optional)
            return complain_at(p, step, "missing");
        int r = parse_step(p, step, item);
        if (r < 0)
            return r;
    }
}

static int parse_item(struct parse *p, const chute_value *v)
{
    p->at = format_skip(p->at);
    if (*p->at == '?') {
        p->at = format_skip(p->at + 1);
        if (v && v->type == CHUTE_NONE)
            v = NULL;
    }
    switch (*p->at) {
    case '[':
        return parse_items(p, v, CHUTE_LIST, ']');
    case '(':
        return parse_items(p, v, CHUTE_TUPLE, ')');
    case '{':
        return parse_pairs(p, v);
    default:
        return parse_letter(p, v);
    }
}

/* -- the whole ------------------------------------------------------------- */

static int parse(const chute_value *v, const char *format, va_list args,
                 char *place, bool write)
{
    struct parse p = {.at = format, .write = write, .place = place};

    va_copy(p.args, args);
    int r = parse_item(&p, v);
    va_end(p.args);
    if (r == 0 && *format_skip(p.at))
        r = fail(CHUTE_EINVAL);
    return r;
}

int chute_value_parse(const chute_value *v, char ret_place[CHUTE_PLACE_LEN],
                      const char *format, ...)
{
    va_list args;

    if (!v || !format)
        return fail(CHUTE_EINVAL);
    va_start(args, format);
    int r = parse(v, format, args, ret_place, false);
    if (r == 0)
        r = parse(v, format, args, NULL, true);
    else if (r == CHUTE_ESHAPE && parse(NULL, format, args, NULL, false) < 0)
        r = fail(CHUTE_EINVAL);
    va_end(args);
    return r;
}
