/* json.c - values as JSON, and back.
 *
 * JSON has null, true, numbers, strings, arrays and objects. What a value holds
 * besides (bytes, sets, ints beyond 64 bits, nan, keys that are no str, lone
 * surrogates, and whatever lies too deep) is written as the object
 *
 *     {"__python__": "b'abc'"}
 *
 * with one key and a Python literal; such an object is read back as what it
 * says, and a dict that happens to look like one is written as one. So all
 * comes back as it went, but for tuples, which are arrays, as json.dumps has
 * them.
 *
 * Both ways recurse; depth is limited on either. jansson reads; writing is done
 * here, for it writes 0.1 as 0.10000000000000001.
 *
 * Proof: tests/tool/values.py, against Python's json.
 */
#define _GNU_SOURCE /* open_memstream */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

#define TAG       "__python__"
#define MAX_DEPTH 200 /* jansson's own is 2048 */

/* A value that holds parts many times over may be small and its text endless. */
#define MAX_ITEMS 10000000

/* -- out ------------------------------------------------------------------------ */

struct writer {
    FILE *to;
    size_t n_items;
};

static int show_repr(struct writer *w, const chute_value *v)
{
    return chute_value_print(v, w->to);
}

static void show_string(struct writer *w, const char *text, size_t len)
{
    putc('"', w->to);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            fprintf(w->to, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", w->to);
        else if (c < 0x20 || c == 0x7f)
            fprintf(w->to, "\\u%04x", c);
        else
            putc(c, w->to);
    }
    putc('"', w->to);
}

static int show_tagged(struct writer *w, const chute_value *v)
{
    char *text;
    size_t len;

    int r = chute_value_repr(v, &text, &len);
    if (r < 0)
        return r;
    fputs("{\"" TAG "\":", w->to);
    show_string(w, text, len);
    putc('}', w->to);
    free(text);
    return 0;
}

/* A str is UTF-8, in which a surrogate begins with ED, A0..BF; no reader of JSON
 * is bound to take one. */
static bool is_string(const chute_value *v)
{
    const unsigned char *text = (const unsigned char *)chute_value_str(v);

    for (size_t i = 0; i + 1 < chute_value_len(v); i++)
        if (text[i] == 0xed && text[i + 1] >= 0xa0)
            return false;
    return true;
}

/* jansson reads no key with a NUL in it. */
static bool is_key(const chute_value *v)
{
    return chute_value_type(v) == CHUTE_STR && is_string(v) &&
           strlen(chute_value_str(v)) == chute_value_len(v);
}

static bool is_object(const chute_value *v)
{
    for (size_t i = 0; i < chute_value_len(v); i++)
        if (!is_key(chute_value_key_at(v, i)))
            return false;
    return !(chute_value_len(v) == 1 &&
             strcmp(chute_value_str(chute_value_key_at(v, 0)), TAG) == 0);
}

static int show(struct writer *w, const chute_value *v, int depth);

static int show_array(struct writer *w, const chute_value *v, int depth)
{
    int r = 0;

    putc('[', w->to);
    for (size_t i = 0; i < chute_value_len(v) && r == 0; i++) {
        if (i)
            putc(',', w->to);
        r = show(w, chute_value_at(v, i), depth + 1);
    }
    putc(']', w->to);
    return r;
}

static int show_object(struct writer *w, const chute_value *v, int depth)
{
    int r = 0;

    putc('{', w->to);
    for (size_t i = 0; i < chute_value_len(v) && r == 0; i++) {
        const chute_value *key = chute_value_key_at(v, i);
        if (i)
            putc(',', w->to);
        show_string(w, chute_value_str(key), chute_value_len(key));
        putc(':', w->to);
        r = show(w, chute_value_at(v, i), depth + 1);
    }
    putc('}', w->to);
    return r;
}

static int show(struct writer *w, const chute_value *v, int depth)
{
    int64_t i;
    double d;
    bool b;

    if (++w->n_items > MAX_ITEMS)
        return CHUTE_ELIMIT;
    if (depth > MAX_DEPTH)
        return show_tagged(w, v);
    switch (chute_value_type(v)) {
    case CHUTE_NONE:
        fputs("null", w->to);
        return 0;
    case CHUTE_BOOL:
        fputs(chute_value_bool(v, &b) == 0 && b ? "true" : "false", w->to);
        return 0;
    case CHUTE_INT:
        return chute_value_int(v, &i) == 0 ? show_repr(w, v)
                                           : show_tagged(w, v);
    case CHUTE_FLOAT: /* Python's shortest text is JSON's too */
        return chute_value_float(v, &d) == 0 && isfinite(d) ? show_repr(w, v)
                                                            : show_tagged(w, v);
    case CHUTE_STR:
        if (!is_string(v))
            return show_tagged(w, v);
        show_string(w, chute_value_str(v), chute_value_len(v));
        return 0;
    case CHUTE_LIST:
    case CHUTE_TUPLE:
        return show_array(w, v, depth);
    case CHUTE_DICT:
        return is_object(v) ? show_object(w, v, depth) : show_tagged(w, v);
    default:
        return show_tagged(w, v);
    }
}

int json_show(const chute_value *v, char **ret_text)
{
    char *text = NULL;
    size_t len;
    struct writer w = {.to = open_memstream(&text, &len)};

    if (!w.to)
        return CHUTE_ENOMEM;
    int r = show(&w, v, 0);
    if (fclose(w.to) != 0 && r == 0)
        r = CHUTE_ENOMEM;
    if (r == 0)
        *ret_text = text;
    else
        free(text);
    return r;
}

/* -- in ------------------------------------------------------------------------- */

/* Why it is none, if not for jansson's reasons. */
struct reader {
    char *why;
    size_t why_cap;
};

static chute_value *read_json(struct reader *reader, const json_t *json);

/* n values, of which some may be NULL; all are consumed. */
typedef chute_value *maker(size_t n, chute_value *const *items);

static chute_value *make(maker *of, size_t n, chute_value **items)
{
    chute_value *v = of(n, items);

    free(items);
    return v;
}

static chute_value *read_array(struct reader *reader, const json_t *json)
{
    size_t n = json_array_size(json);
    chute_value **items = calloc(n + 1, sizeof *items);

    if (!items)
        return NULL;
    for (size_t i = 0; i < n; i++)
        items[i] = read_json(reader, json_array_get(json, i));
    return make(chute_list_of, n, items);
}

static chute_value *read_literal(struct reader *reader, const json_t *json)
{
    chute_value *v = NULL;
    size_t pos = 0;

    int r = message_literal(json_string_value(json), json_string_length(json),
                            &v, &pos);
    if (r < 0)
        snprintf(reader->why, reader->why_cap,
                 "\"" TAG "\": not a Python literal, column %zu", pos + 1);
    return r < 0 ? NULL : v;
}

static chute_value *read_object(struct reader *reader, json_t *json)
{
    size_t n = json_object_size(json), i = 0;
    const char *key;
    json_t *item = json_object_get(json, TAG);

    if (n == 1 && json_is_string(item))
        return read_literal(reader, item);
    chute_value **pairs = calloc(2 * n + 1, sizeof *pairs);
    if (!pairs)
        return NULL;
    json_object_foreach(json, key, item)
    {
        pairs[i++] = chute_str(key);
        pairs[i++] = read_json(reader, item);
    }
    return make(chute_dict_of, n, pairs);
}

static chute_value *read_json(struct reader *reader, const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_NULL:
        return chute_none();
    case JSON_TRUE:
    case JSON_FALSE:
        return chute_bool(json_is_true(json));
    case JSON_INTEGER:
        return chute_int(json_integer_value(json));
    case JSON_REAL:
        return chute_float(json_real_value(json));
    case JSON_STRING:
        return chute_str_of(json_string_value(json), json_string_length(json));
    case JSON_ARRAY:
        return read_array(reader, json);
    case JSON_OBJECT:
        return read_object(reader, (json_t *)json);
    }
    return NULL;
}

int json_read(const char *text, size_t len, chute_value **ret_value,
              char *ret_why, size_t why_cap)
{
    struct reader reader = {.why = ret_why, .why_cap = why_cap};
    json_error_t error;

    json_t *json =
        json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!json) {
        snprintf(ret_why, why_cap, "%s, column %d", error.text, error.column);
        return CHUTE_EINVAL;
    }
    snprintf(ret_why, why_cap, "%s", chute_strerror(CHUTE_ENOMEM));
    chute_value *v = read_json(&reader, json);
    json_decref(json);
    if (!v)
        return CHUTE_EINVAL;
    *ret_value = v;
    return 0;
}
