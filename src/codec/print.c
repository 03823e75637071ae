/* print.c - a value as Python's repr() writes it.
 *
 * The walk keeps its own frames (stack.h), so depth is no matter, and counts
 * what it writes again (repeat.h), so that a small value with many shared parts
 * cannot write for ever: that is CHUTE_ELIMIT, after what was written so far.
 *
 * Text goes through a buffer of a few KiB, which costs less than a locked
 * stdio call for every bracket. Nothing here asks the locale: numbers are put
 * together in number.c, and text is UTF-8 in and out.
 *
 * repr() leaves printable characters as they are and escapes the rest. Which
 * are printable is a property of Unicode, and the table in unicode-table.h is
 * Unicode's of Python 3.11; characters that were added later are escaped.
 *
 * Proven by tests/unit/test-print.c, and against CPython by
 * tests/conformance/pickle.py.
 */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/fail.h"
#include "chute/error.h"
#include "codec/number.h"
#include "codec/repeat.h"
#include "codec/stack.h"
#include "codec/unicode-table.h"
#include "codec/utf8.h"
#include "codec/value.h"

struct out {
    FILE *to; /* or NULL: */
    struct buf *to_buf;
    size_t len;
    int r; /* the first failure; from then on nothing is written */
    char text[4096];
};

/* -- writing --------------------------------------------------------------- */

static void flush(struct out *o)
{
    if (o->r == 0 && !o->to) {
        o->r = buf_add(o->to_buf, o->text, o->len);
    } else if (o->r == 0 && o->len > 0) {
        errno = 0;
        if (fwrite(o->text, 1, o->len, o->to) != o->len)
            o->r = fail(errno > 0 ? -errno : -EIO);
    }
    o->len = 0;
}

static void put(struct out *o, const void *text, size_t len)
{
    const char *from = text;

    while (len > 0) {
        size_t n = sizeof o->text - o->len;
        if (n > len)
            n = len;
        memcpy(o->text + o->len, from, n);
        o->len += n;
        from += n;
        len -= n;
        if (o->len == sizeof o->text)
            flush(o);
    }
}

static void put_text(struct out *o, const char *text)
{
    put(o, text, strlen(text));
}

static void put_char(struct out *o, char c)
{
    put(o, &c, 1);
}

/* \xNN, \uNNNN, \UNNNNNNNN */
static void put_escape(struct out *o, char letter, uint32_t c, int n_digits)
{
    put_char(o, '\\');
    put_char(o, letter);
    while (n_digits-- > 0)
        put_char(o, "0123456789abcdef"[c >> 4 * n_digits & 15]);
}

/* -- text ------------------------------------------------------------------ */

/* Python quotes with ' unless the text has one and no ". */
static char quote_for(const unsigned char *p, size_t len)
{
    return memchr(p, '\'', len) && !memchr(p, '"', len) ? '"' : '\'';
}

/* An ASCII character that is not plain, as str and bytes alike escape it. */
static void put_ascii(struct out *o, unsigned char c, char quote)
{
    if (c == (unsigned char)quote || c == '\\') {
        put_char(o, '\\');
        put_char(o, (char)c);
    } else if (c == '\n') {
        put_text(o, "\\n");
    } else if (c == '\r') {
        put_text(o, "\\r");
    } else if (c == '\t') {
        put_text(o, "\\t");
    } else {
        put_escape(o, 'x', c, 2);
    }
}

static bool is_plain(unsigned char c, char quote)
{
    return c >= 0x20 && c < 0x7f && c != '\\' && c != (unsigned char)quote;
}

static size_t plain_run(const unsigned char *p, const unsigned char *end,
                        char quote)
{
    const unsigned char *from = p;

    while (p < end && is_plain(*p, quote))
        p++;
    return (size_t)(p - from);
}

static bool is_printable(uint32_t c)
{
    size_t low = 0, high = sizeof UNPRINTABLE / sizeof *UNPRINTABLE;

    /* The number of turns at or below c; printable before the first. */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (UNPRINTABLE[middle] <= c)
            low = middle + 1;
        else
            high = middle;
    }
    return low % 2 == 0;
}

static void print_str(struct out *o, const chute_value *v)
{
    const unsigned char *p = value_data(v), *end = p + v->n;
    char quote = quote_for(p, v->n);

    put_char(o, quote);
    while (p < end) {
        size_t n = plain_run(p, end, quote);
        put(o, p, n);
        p += n;
        if (p == end)
            break;
        const unsigned char *from = p;
        uint32_t c = utf8_next(&p);
        if (c < 0x80)
            put_ascii(o, (unsigned char)c, quote);
        else if (is_printable(c))
            put(o, from, (size_t)(p - from));
        else if (c <= 0xff)
            put_escape(o, 'x', c, 2);
        else if (c <= 0xffff)
            put_escape(o, 'u', c, 4);
        else
            put_escape(o, 'U', c, 8);
    }
    put_char(o, quote);
}

static void print_bytes(struct out *o, const chute_value *v)
{
    const unsigned char *p = value_data(v), *end = p + v->n;
    char quote = quote_for(p, v->n), around = quote;

    /* Python escapes a ' in a bytearray even where the quotes are ". */
    if (v->type == CHUTE_BYTEARRAY)
        quote = '\'';
    put_char(o, 'b');
    put_char(o, around);
    while (p < end) {
        size_t n = plain_run(p, end, quote);
        put(o, p, n);
        p += n;
        if (p == end)
            break;
        if (*p < 0x80)
            put_ascii(o, *p, quote);
        else
            put_escape(o, 'x', *p, 2);
        p++;
    }
    put_char(o, around);
}

/* -- numbers --------------------------------------------------------------- */

static int print_int(struct out *o, const chute_value *v)
{
    unsigned char small[8];
    char text[NUMBER_MAX_TEXT];
    bool big = v->flags & VALUE_BIG;
    size_t len = big ? v->n : number_bytes(v->i, small);

    len = number_decimal(big ? value_data(v) : small, len, text);
    if (len == 0)
        return fail(CHUTE_ELIMIT);
    put(o, text, len);
    return 0;
}

static void print_float(struct out *o, double d)
{
    char text[NUMBER_FLOAT_TEXT];

    put(o, text, number_repr(d, text));
}

/* -- the walk -------------------------------------------------------------- */

static int print_leaf(struct out *o, const chute_value *v)
{
    switch (v->type) {
    case CHUTE_NONE:
        put_text(o, "None");
        break;
    case CHUTE_BOOL:
        put_text(o, v->i ? "True" : "False");
        break;
    case CHUTE_INT:
        return print_int(o, v);
    case CHUTE_FLOAT:
        print_float(o, v->d);
        break;
    case CHUTE_STR:
        print_str(o, v);
        break;
    case CHUTE_BYTES:
        print_bytes(o, v);
        break;
    case CHUTE_BYTEARRAY:
        put_text(o, "bytearray(");
        print_bytes(o, v);
        put_char(o, ')');
        break;
    }
    return 0;
}

static const char *opening(const chute_value *v)
{
    switch (v->type) {
    case CHUTE_LIST:
        return "[";
    case CHUTE_TUPLE:
        return "(";
    case CHUTE_DICT:
        return "{";
    case CHUTE_SET:
        return v->n ? "{" : "set(";
    default:
        return v->n ? "frozenset({" : "frozenset(";
    }
}

static const char *closing(const chute_value *v)
{
    switch (v->type) {
    case CHUTE_LIST:
        return "]";
    case CHUTE_TUPLE:
        return v->n == 1 ? ",)" : ")";
    case CHUTE_DICT:
        return "}";
    case CHUTE_SET:
        return v->n ? "}" : ")";
    default:
        return v->n ? "})" : ")";
    }
}

/* What it is to print a long leaf again: an int takes time by the square of its
 * length. */
static uint64_t leaf_cost(const chute_value *v)
{
    return v->type == CHUTE_INT ? (uint64_t)v->n * v->n / (8 * REPEAT_UNIT)
                                : v->n / REPEAT_UNIT;
}

/* Print v, if it has no items, or its beginning. */
static int begin(struct out *o, struct walk *w, struct repeat *budget,
                 const chute_value *v, bool repeat)
{
    int r = 0;

    if (value_is_box(v) || v->n >= REPEAT_UNIT) {
        r = repeat_enter(budget, v, &repeat);
        if (r == 0 && repeat && !value_is_box(v))
            r = repeat_charge(budget, leaf_cost(v));
    }
    if (r < 0)
        return r;
    if (!value_is_box(v))
        return print_leaf(o, v);

    r = walk_push(w, v);
    if (r < 0)
        return r;
    w->at[w->n - 1].repeat = repeat;
    put_text(o, opening(v));
    return 0;
}

/* Print the next item of the box on top, or its end. */
static int go_on(struct out *o, struct walk *w, struct repeat *budget)
{
    struct walk_frame *f = &w->at[w->n - 1];

    if (f->i == value_slots(f->v)) {
        put_text(o, closing(f->v));
        w->n--;
        return 0;
    }
    if (f->repeat) {
        int r = repeat_charge(budget, 1);
        if (r < 0)
            return r;
    }
    if (f->v->type == CHUTE_DICT && f->i % 2 == 1)
        put_text(o, ": ");
    else if (f->i > 0)
        put_text(o, ", ");
    const chute_value *item = value_items(f->v)[f->i++];
    return begin(o, w, budget, item, f->repeat);
}

static int print(const chute_value *v, FILE *to, struct buf *to_buf)
{
    struct out o;
    struct walk w;
    struct repeat budget = {.left = REPEAT_MAX};

    o.to = to; /* and not its 4 KiB of text */
    o.to_buf = to_buf;
    o.len = 0;
    o.r = 0;
    walk_begin(&w);
    int r = begin(&o, &w, &budget, v, false);
    while (r == 0 && o.r == 0 && w.n > 0)
        r = go_on(&o, &w, &budget);
    flush(&o);
    walk_end(&w);
    repeat_end(&budget);
    return r < 0 ? r : o.r;
}

int chute_value_print(const chute_value *v, FILE *to)
{
    return v && to ? print(v, to, NULL) : fail(CHUTE_EINVAL);
}

int chute_value_repr(const chute_value *v, char **ret_text, size_t *ret_len)
{
    struct buf text = {0};
    size_t len;

    if (!v || !ret_text)
        return fail(CHUTE_EINVAL);
    int r = print(v, NULL, &text);
    if (r == 0)
        r = buf_add(&text, "", 1);
    if (r < 0) {
        buf_done(&text);
        return r;
    }
    *ret_text = buf_take(&text, &len);
    if (ret_len)
        *ret_len = len - 1;
    return 0;
}
