/* value-build.c - a value put together by a format.
 *
 * What was made lies on a stack; a bracket that closes takes what was laid
 * there since it opened. If something cannot be made, the rest of the format is
 * gone through all the same, for there may be values among the arguments that
 * are ours to free.
 *
 * The functions recurse, but by the format: a program's own text, and at most
 * FORMAT_MAX_DEPTH brackets deep.
 *
 * Proven by tests/unit/test-value-parse.c.
 */
#include <stdarg.h>

#include "codec/format.h"
#include "codec/stack.h"
#include "codec/value.h"

struct build {
    const char *at; /* in the format */
    va_list args;
    bool failed;
    unsigned depth;
    struct vec made;
};

/* Consumes v; NULL is a failed constructor. */
static void lay(struct build *b, chute_value *v)
{
    if (v && vec_push(&b->made, v) == 0)
        return;
    chute_value_free(v);
    b->failed = true;
}

static chute_value *of_uint64(uint64_t u)
{
    unsigned char le[9] = {0};

    for (int i = 0; i < 8; i++)
        le[i] = (unsigned char)(u >> 8 * i);
    return chute_int_of(le, sizeof le);
}

/* false: the format makes no sense. */
static bool build_letter(struct build *b)
{
    char letter = *b->at++;
    bool hash = (letter == 's' || letter == 'y') && *b->at == '#';

    if (hash)
        b->at++;
    switch (letter) {
    case 'n':
        lay(b, chute_none());
        return true;
    case 'b':
        lay(b, chute_bool(va_arg(b->args, int) != 0));
        return true;
    case 'i':
        lay(b, chute_int(va_arg(b->args, int)));
        return true;
    case 'l':
        lay(b, chute_int(va_arg(b->args, int64_t)));
        return true;
    case 'u':
        lay(b, of_uint64(va_arg(b->args, uint64_t)));
        return true;
    case 'd':
        lay(b, chute_float(va_arg(b->args, double)));
        return true;
    case 's': {
        const char *text = va_arg(b->args, const char *);
        lay(b, hash ? chute_str_of(text, va_arg(b->args, size_t))
                    : chute_str(text));
        return true;
    }
    case 'y': {
        if (!hash)
            return false;
        const void *data = va_arg(b->args, const void *);
        lay(b, chute_bytes(data, va_arg(b->args, size_t)));
        return true;
    }
    case 'v':
        lay(b, va_arg(b->args, chute_value *));
        return true;
    default:
        return false;
    }
}

static bool build_item(struct build *b);

/* What was laid since `from` goes into a box. */
static void gather(struct build *b, int type, size_t from)
{
    chute_value *const *items = (chute_value *const *)b->made.at + from;
    size_t n = b->made.n - from;

    if (b->failed)
        return; /* what there is is freed at the end */
    b->made.n = from;
    lay(b, type == CHUTE_LIST    ? chute_list_of(n, items)
           : type == CHUTE_TUPLE ? chute_tuple_of(n, items)
                                 : chute_dict_of(n / 2, items));
}

static bool build_box(struct build *b, int type, char closing)
{
    size_t from = b->made.n, key_len;

    if (b->depth == FORMAT_MAX_DEPTH)
        return false;
    b->depth++;
    b->at = format_skip(b->at + 1);
    while (*b->at != closing) {
        if (type == CHUTE_DICT) {
            const char *key = format_key(&b->at, &key_len);
            if (!key)
                return false;
            lay(b, chute_str_of(key, key_len));
        }
        if (!build_item(b))
            return false;
        b->at = format_skip(b->at);
    }
    b->at++;
    b->depth--;
    gather(b, type, from);
    return true;
}

static bool build_item(struct build *b)
{
    b->at = format_skip(b->at);
    switch (*b->at) {
    case '[':
        return build_box(b, CHUTE_LIST, ']');
    case '(':
        return build_box(b, CHUTE_TUPLE, ')');
    case '{':
        return build_box(b, CHUTE_DICT, '}');
    default:
        return build_letter(b);
    }
}

chute_value *chute_value_build(const char *format, ...)
{
    struct build b = {.at = format};
    chute_value *v = NULL;

    if (!format)
        return NULL;
    vec_begin(&b.made);
    va_start(b.args, format);
    bool sense = build_item(&b) && *format_skip(b.at) == 0;
    va_end(b.args);
    if (sense && !b.failed)
        v = b.made.at[--b.made.n];
    while (b.made.n > 0)
        chute_value_free(b.made.at[--b.made.n]);
    vec_end(&b.made);
    return v;
}
